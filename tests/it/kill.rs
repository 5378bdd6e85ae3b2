//! kill -9 under write load: what was acknowledged in any round is there afterwards, whole, and the index and the log
//! agree. (A killed process loses no page cache: that fdatasync comes before the answer is for the store's own tests.)
//!
//! `TOFT_LONG=1` runs 50 rounds; the normal run a few.

use crate::support::{
    eventually,
    sdk::{Sdk, code},
    toft::{Home, Toft},
};
use serde_json::json;
use std::time::Duration;

const CLIENTS: usize = 16;

#[test]
fn acknowledged_writes_survive_kill_9() {
    let rounds = if std::env::var_os("TOFT_LONG").is_some() { 50 } else { 4 };
    let mut sdk = Sdk::start();
    let alice = sdk.persona("alice", "ed25519");
    let mut home = Home::new().set("dwn.tenants", "open");
    let (mut acknowledged, mut lost, mut torn) = (vec![], 0, 0);
    for round in 0..rounds {
        let node = home.up();
        let before = messages(&node);
        let fields = json!({"url": node.url(), "as": "alice", "tenant": alice, "clients": CLIENTS});
        // Writes until the node is gone, and answers with every acknowledged write.
        let load = std::thread::spawn(move || {
            let answer = sdk.call("load", fields);
            (sdk, answer)
        });
        // A different moment each round: right after the first writes, or well into the load.
        eventually("the first writes", || (messages(&node) > before + 4).then_some(()));
        std::thread::sleep(Duration::from_millis((round * 137) % 900));
        home = node.kill();
        let (back, answer) = load.join().expect("the client lives");
        sdk = back;
        let writes = answer["acknowledged"].as_array().expect("a list").clone();
        assert!(!writes.is_empty(), "round {round}: the load wrote nothing: {answer}");
        acknowledged.extend(writes);

        let node = home.up();
        let kept =
            sdk.call("audit", json!({"url": node.url(), "as": "alice", "tenant": alice, "writes": acknowledged}));
        lost += kept["lost"].as_array().expect("a list").len();
        torn += kept["torn"].as_array().expect("a list").len();
        assert_eq!((lost, torn), (0, 0), "round {round}: {kept}");
        let status = node.json(&["status"]);
        assert_eq!(status["degraded"], json!([]), "{status}");
        // The node still takes writes.
        let more = sdk.call("write", json!({"url": node.url(), "as": "alice", "tenant": alice, "size": 10}));
        assert_eq!(code(&more), 202);
        home = node.kill();
    }
    println!("{rounds} rounds of kill -9: {} acknowledged writes, {lost} lost, {torn} torn", acknowledged.len());
}

fn messages(node: &Toft) -> u64 {
    node.json(&["status"])["store"]["messages"].as_u64().expect("a number")
}
