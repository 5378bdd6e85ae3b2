//! Who may do what by the definitions in `protocols/`: every cell of `tests/protocols/*.toml`, over the wire.

use crate::support::{root, sdk, stock::Stock, toft::Home};

#[test]
fn a_node_keeps_to_every_cell() {
    let node = Home::new().set("dwn.tenants", "open").up();
    play(node.url());
}

#[test]
fn the_stock_server_answers_alike() {
    let (node, stock) = (Home::new().set("dwn.tenants", "open").up(), Stock::start());
    let (ours, theirs) = (play(node.url()), play(&stock.url()));
    let differ: Vec<_> = ours.lines().zip(theirs.lines()).filter(|(ours, theirs)| ours != theirs).collect();
    assert!(differ.is_empty(), "{differ:#?}");
    assert_eq!(ours.lines().count(), theirs.lines().count());
}

/// Plays all cells there, and none may be wrong. A line of each with its answer, and the summary.
#[track_caller]
fn play(url: &str) -> String {
    let program = root().join("tests/protocols/wire.mjs");
    let said = sdk::program(program.to_str().expect("a path in UTF-8"), &[".", url, "--answers"]);
    let summary = said.lines().last().unwrap_or_default();
    let numbers: Vec<u32> = summary.split(' ').filter_map(|word| word.parse().ok()).collect();
    let &[definitions, cells, wrong] = numbers.as_slice() else { panic!("no summary in: {said}") };
    let wrongs: Vec<_> = said.lines().filter(|line| line.starts_with("WRONG")).collect();
    assert_eq!(wrong, 0, "{wrongs:#?}");
    assert!(definitions >= 16 && cells > 1400, "too few were played: {summary}");
    said
}
