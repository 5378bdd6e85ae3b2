//! What was asked for and what proves it, `docs/requirements.md`: every row is there, and so is every test that it names.

use crate::support::root;
use std::fs;

/// The documents, and how many rows each has.
const DOCUMENTS: [(&str, usize); 5] = [("000", 57), ("001", 72), ("002", 66), ("003", 41), ("004", 25)];
const STATES: [&str; 4] = ["proven", "part", "open", "out"];

/// A row of the page: its last cell says what proves it, or what is missing.
struct Row<'a> {
    id: &'a str,
    state: &'a str,
    proof: &'a str,
}

#[test]
fn every_row_says_how_it_stands_and_names_tests_that_are_there() {
    let page = page();
    let rows = rows(&page);
    let mut wanted = vec![];
    for (document, count) in DOCUMENTS {
        wanted.extend((1..=count).map(|number| format!("{document}-{number:02}")));
    }
    let ids: Vec<String> = rows.iter().map(|row| row.id.to_owned()).collect();
    assert_eq!(ids, wanted);
    let mut wrong = vec![];
    for row in &rows {
        if let Err(why) = judge(row) {
            wrong.push(format!("{}: {why}", row.id));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_numbers_at_the_head_are_those_of_the_rows() {
    let page = page();
    let rows = rows(&page);
    let (head, _) = page.split_once("\n## ").expect("sections");
    let line = |name: &str, begins: &str| {
        let within: Vec<&Row<'_>> = rows.iter().filter(|row| row.id.starts_with(begins)).collect();
        let [proven, part, open, out] = STATES.map(|state| within.iter().filter(|row| row.state == state).count());
        format!("| {name} | {proven} | {part} | {open} | {out} | {} |", within.len())
    };
    let mut wanted: Vec<String> =
        DOCUMENTS.iter().map(|(document, _)| line(document, &format!("{document}-"))).collect();
    wanted.push(line("all", ""));
    // Behind the line of names and the one below it.
    let table: Vec<&str> = head.lines().filter(|line| line.starts_with('|')).skip(2).collect();
    assert_eq!(table, wanted);
}

fn page() -> String {
    fs::read_to_string(root().join("docs/requirements.md")).expect("the page")
}

fn rows(page: &str) -> Vec<Row<'_>> {
    let mut rows = vec![];
    for line in page.lines() {
        let Some(inner) = line.strip_prefix("| ").and_then(|line| line.strip_suffix(" |")) else { continue };
        let cells: Vec<&str> = inner.split(" | ").collect();
        let numbers = cells[0].split_once('-');
        let digits = |text: &str, count: usize| text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
        if !numbers.is_some_and(|(document, number)| digits(document, 3) && digits(number, 2)) {
            continue;
        }
        let &[id, _, state, proof] = cells.as_slice() else { panic!("four cells are a row: {line}") };
        rows.push(Row { id, state, proof });
    }
    rows
}

fn judge(row: &Row<'_>) -> Result<(), String> {
    let Row { id: _, state, proof } = *row;
    if !STATES.contains(&state) {
        return Err(format!("no state: {state}"));
    }
    // What stands in backticks.
    let quoted = proof.split('`').skip(1).step_by(2);
    let names: Vec<&str> = quoted.filter(|text| text.starts_with("tests/") || text.starts_with("src/")).collect();
    if names.is_empty() && ["proven", "part"].contains(&state) {
        return Err("names no test".to_owned());
    }
    if proof.contains("Missing: ") != ["part", "open"].contains(&state) {
        return Err(format!("what is missing does not go with {state}"));
    }
    names.into_iter().try_for_each(there)
}

/// Is it cells that are played, or a test of this name in this file?
fn there(name: &str) -> Result<(), String> {
    let (file, test) = name.split_once("::").unwrap_or((name, ""));
    let Ok(text) = fs::read_to_string(root().join(file)) else { return Err(format!("there is no {file}")) };
    let is_played = text.contains("\n[[cell]]\n") || text.contains("\n[[story.step]]\n");
    let cells = test.is_empty() && file.starts_with("tests/protocols/") && is_played;
    if cells || is_test(&text, test) { Ok(()) } else { Err(format!("there is no test {name}")) }
}

fn is_test(text: &str, name: &str) -> bool {
    text.match_indices(&format!("fn {name}(")).any(|(at, _)| {
        let above = text[..at].split('\n').rev().skip(1).map(str::trim);
        let mut attributes = above.take_while(|line| line.starts_with("#[") || line.starts_with("//"));
        attributes.any(|line| line == "#[test]" || line.starts_with("#[tokio::test"))
    })
}
