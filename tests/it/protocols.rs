//! Who may do what by the definitions in `protocols/`: every cell of `tests/protocols/*.toml`, over the wire.

use crate::support::{root, sdk, stock::Stock, toft::Home};

#[test]
fn a_node_keeps_to_every_cell() {
    let node = Home::new().set("dwn.tenants", "open").up();
    play(node.url(), &[]);
}

/// `tests/protocols/policies/*.toml`: what each policy that comes with toft takes, and what it refuses with which code.
#[test]
fn a_node_keeps_to_every_policy() {
    let node = Home::new().set("dwn.tenants", "open").up();
    let program = root().join("tests/protocols/policies.mjs");
    let said = sdk::program(program.to_str().expect("a path in UTF-8"), &[".", node.url()]);
    let summary = said.lines().last().unwrap_or_default();
    let numbers: Vec<u32> = summary.split(' ').filter_map(|word| word.parse().ok()).collect();
    let &[stories, steps, wrong] = numbers.as_slice() else { panic!("no summary in: {said}") };
    assert!(wrong == 0 && stories >= 13 && steps > 200, "{said}");
}

/// The SDK takes each definition, and the example of each schema is valid by it.
#[test]
fn definitions_and_schemas_are_sound() {
    let program = root().join("tests/protocols/check.mjs");
    let said = sdk::program(program.to_str().expect("a path in UTF-8"), &[".", "--no-cells"]);
    let summary = said.lines().last().unwrap_or_default();
    let numbers: Vec<u32> = summary.split(' ').filter_map(|word| word.parse().ok()).collect();
    let &[definitions, schemas, _, wrong] = numbers.as_slice() else { panic!("no summary in: {said}") };
    assert!(wrong == 0 && definitions >= 16 && schemas > 80, "{said}");
}

/// It plays some fourteen cells a second: with `TOFT_LONG=1` all of them.
#[test]
fn the_stock_server_answers_alike() {
    let names: &[&str] = if std::env::var_os("TOFT_LONG").is_some() { &[] } else { &["message", "profile"] };
    let (node, stock) = (Home::new().set("dwn.tenants", "open").up(), Stock::start());
    let (ours, theirs) = (play(node.url(), names), play(&stock.url(), names));
    let differ: Vec<_> = ours.lines().zip(theirs.lines()).filter(|(ours, theirs)| ours != theirs).collect();
    assert!(differ.is_empty(), "{differ:#?}");
    assert_eq!(ours.lines().count(), theirs.lines().count());
}

/// Plays the cells of these protocols there (none named: of all), and none may be wrong. A line of each with its answer, and the summary.
#[track_caller]
fn play(url: &str, names: &[&str]) -> String {
    let program = root().join("tests/protocols/wire.mjs");
    let said = sdk::program(program.to_str().expect("a path in UTF-8"), &[&[".", url, "--answers"], names].concat());
    let summary = said.lines().last().unwrap_or_default();
    let numbers: Vec<u32> = summary.split(' ').filter_map(|word| word.parse().ok()).collect();
    let &[definitions, cells, wrong] = numbers.as_slice() else { panic!("no summary in: {said}") };
    let wrongs: Vec<_> = said.lines().filter(|line| line.starts_with("WRONG")).collect();
    assert_eq!(wrong, 0, "{wrongs:#?}");
    let (least, few) = if names.is_empty() { (16, 1400) } else { (names.len() as u32, 100) };
    assert!(definitions >= least && cells > few, "too few were played: {summary}");
    said
}
