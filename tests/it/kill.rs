//! kill -9 under write load over the wire: what was acknowledged in any round is there afterwards, whole, and the index and
//! the log agree; what was pinned stays pinned. (A killed process loses no page cache: that fdatasync comes before the
//! answer is for the store's own tests.)
//!
//! `TOFT_LONG=1` runs 500 rounds, a larger number so many; the normal run a few. A round looks at its own writes and at some of before; the last
//! round of a home at all of its writes.

use crate::support::{
    eventually,
    sdk::{Sdk, code},
    toft::{Home, Toft},
};
use serde_json::{Value, json};
use std::time::Duration;

const CLIENTS: usize = 16;
/// Rounds on one home, then a fresh one: a last look at all of some 10,000 writes, not at ever more of them.
const ROUNDS_OF_HOME: u64 = 50;
/// Writes of former rounds that each round looks at.
const AGAIN: usize = 20;

#[test]
fn acknowledged_writes_survive_kill_9() {
    let rounds = match std::env::var("TOFT_LONG") {
        Ok(long) => long.parse().ok().filter(|rounds| *rounds > 1).unwrap_or(500),
        Err(_) => 4,
    };
    let mut sdk = Sdk::start();
    let alice = sdk.persona("alice", "ed25519");
    let mut home = Home::new().set("dwn.tenants", "open");
    let (mut acknowledged, mut pins, mut sum) = (vec![], vec![], 0);
    for round in 0..rounds {
        if round % ROUNDS_OF_HOME == 0 {
            home = Home::new().set("dwn.tenants", "open");
            (acknowledged, pins) = (vec![], vec![]);
        }
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
        sum += writes.len();

        let node = home.up();
        let last = (round + 1) % ROUNDS_OF_HOME == 0 || round + 1 == rounds;
        let every = if last { 1 } else { (acknowledged.len() / AGAIN).max(1) };
        let again = acknowledged.iter().skip(round as usize % every).step_by(every);
        let looked_at: Vec<Value> = again.chain(&writes).cloned().collect();
        let kept = sdk.call("audit", json!({"url": node.url(), "as": "alice", "tenant": alice, "writes": looked_at}));
        assert_eq!((&kept["lost"], &kept["torn"]), (&json!([]), &json!([])), "round {round}");
        acknowledged.extend(writes);
        let status = node.json(&["status"]);
        assert_eq!(status["degraded"], json!([]), "{status}");
        let listed = node.json(&["pin", "ls"]).to_string();
        assert!(pins.iter().all(|pin: &String| listed.contains(pin)), "round {round}: {pins:?}, {listed}");
        // The node still takes writes, and pins.
        let more = sdk.call("write", json!({"url": node.url(), "as": "alice", "tenant": alice, "size": 40_000}));
        assert_eq!(code(&more), 202);
        let root = more["dataCid"].as_str().expect("a CID").to_owned();
        node.json(&["pin", "add", &root]);
        pins.push(root);
        home = node.kill();
    }
    println!("{rounds} rounds of kill -9: {sum} acknowledged writes, 0 lost, 0 torn; every pin kept");
}

fn messages(node: &Toft) -> u64 {
    node.json(&["status"])["store"]["messages"].as_u64().expect("a number")
}
