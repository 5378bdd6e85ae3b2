//! A paying node that dies at any moment: whatever it was about, each batch ends in one confirmed transaction, and each record has its
//! proof.

use crate::support::{
    bitcoind::Bitcoind,
    control::Control,
    ots,
    random::Random,
    toft::{Home, Toft},
};
use serde_json::{Value, json};
use std::{collections::BTreeMap, process::Stdio, time::Duration};

const MAGIC: &[u8] = b"toft";

fn note(node: &Toft, n: u64) -> String {
    let data = toft::crypto::encode(format!("note {n}").as_bytes());
    let written = Control::of(node.home()).call("records.write", json!({"data": data, "dataFormat": "text/plain"}));
    written["recordId"].as_str().expect("an id").to_owned()
}

/// Notes which transaction each batch has, as far as the node tells.
fn look(node: &Toft, batches: &mut BTreeMap<u64, (String, String)>) -> Value {
    let status = node.json(&["anchor", "status"]);
    for batch in status["batches"].as_array().expect("a list") {
        let text = |key: &str| batch[key].as_str().unwrap_or_default().to_owned();
        batches.insert(batch["number"].as_u64().expect("a number"), (text("state"), text("txid")));
    }
    status
}

/// Killed while batches are made, signed, sent, bumped (each block is a reason for that) and found in blocks; between the kills the chain
/// goes on, with and without what is in the mempool. With `TOFT_LONG=1` a hundred times.
#[test]
fn killed_at_random_moments_each_batch_has_one_transaction_and_each_record_its_proof() {
    let rounds = if std::env::var_os("TOFT_LONG").is_some() { 100 } else { 6 };
    let (bitcoind, dir) = (Bitcoind::start(), tempfile::tempdir().expect("a directory"));
    bitcoind.funded_wallet();
    let home =
        Home::new().pays(&bitcoind).set("anchor.bitcoin.bump_after", "1").set("anchor.bitcoin.max_per_day", "10000000");
    let (mut node, mut random) = (home.up(), Random(0x9e37_79b9_7f4a_7c15));
    let (mut records, mut batches) = (Vec::new(), BTreeMap::new());
    for round in 0..rounds {
        records.push(note(&node, round));
        let mut asking = node.home().command(&["anchor", "now"]);
        let mut asked =
            asking.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it runs");
        std::thread::sleep(Duration::from_millis(random.below(700) as u64));
        match random.below(3) {
            0 => drop(bitcoind.mine(1)),
            1 => bitcoind.mine_only(&[]),
            _ => {}
        }
        std::thread::sleep(Duration::from_millis(random.below(500) as u64));
        node = node.kill().up();
        let _ = asked.wait(); // whatever it was told
        look(&node, &mut batches);
    }
    let mut left = 100;
    loop {
        node.json(&["anchor", "now"]);
        bitcoind.mine(1);
        let status = look(&node, &mut batches);
        let is_final = batches.values().all(|(state, _)| state == "final");
        if is_final && status["queued"] == 0 && batches.len() > 1 {
            break;
        }
        left -= 1;
        assert!(left > 0, "all of it is final some time: {status}");
        std::thread::sleep(Duration::from_millis(300));
    }
    let mut transactions: Vec<&String> = batches.values().map(|(_, txid)| txid).collect();
    transactions.sort();
    transactions.dedup();
    let mut paid = bitcoind.op_returns(MAGIC);
    assert_eq!(paid.len(), transactions.len(), "each batch is in one transaction: {batches:?}");
    paid.sort();
    paid.dedup();
    assert_eq!(paid.len(), transactions.len(), "and no root is in two");
    for id in records.iter().rev().take(20) {
        let to = dir.path().join(format!("{id}.ots"));
        let said = node.json(&["anchor", "proof", id, "-o", to.to_str().expect("UTF-8")]);
        let stamped = std::fs::read(said["stamped"].as_str().expect("the bytes are here")).expect("they are there");
        ots::accepts(&bitcoind, &stamped, &std::fs::read(&to).expect("it is there"));
    }
    let audit = node.json(&["anchor", "audit"]);
    assert_eq!(audit["messages"]["final"], audit["messages"]["eligible"], "{audit}");
}
