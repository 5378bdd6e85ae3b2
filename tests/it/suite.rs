//! The DWN SDK's own test suite, over the wire, against a node; and each reply beside the SDK's own.
//!
//! 374 of the suite's 453 tests work over a wire; `tests/interop/suite-baseline.json` has the reason of each other.

use crate::support::{sdk, toft::Home};
use serde_json::{Value, json};

#[test]
fn the_sdk_finds_no_difference() {
    let node = Home::new().set("dwn.tenants", "open").up();
    let said = sdk::program("suite.mjs", &["--url", node.url(), "--diff"]);
    let last = said.lines().last().unwrap_or_default();
    let summary: Value = serde_json::from_str(last).unwrap_or_else(|e| panic!("no summary ({e}) in: {said}"));
    let expected = json!({
        "sdk": "0.5.2", "diff": true, "tests": 453, "passed": 374, "failed": 0, "left_out": 79,
        "replies_differ": 0, "texts_differ": 0, "sent": summary["sent"], "compared": summary["compared"],
    });
    assert_eq!(summary, expected, "{said}");
    assert!(summary["compared"].as_u64() >= Some(1300), "too few replies were compared: {summary}");
}
