//! What is anchored: a file of many blocks by the hash that everybody computes of it, each state of a record, the head of the
//! audit log; and the audit that says so.

use crate::support::{
    bitcoind::Bitcoind,
    eventually, ots,
    toft::{Home, Toft, random_file},
};
use serde_json::{Value, json};
use std::{fs, path::Path};

/// Anchors what is new, and waits until it is final.
#[track_caller]
fn anchored(node: &Toft, bitcoind: &Bitcoind) {
    let now = node.json(&["anchor", "now"]);
    assert_eq!(now["outcome"], "sent", "{now}");
    eventually("the anchor to be final", || {
        bitcoind.mine(1);
        let status = node.json(&["anchor", "status"]);
        status["batches"].as_array()?.iter().all(|batch| batch["state"] == "final").then_some(())
    });
}

#[track_caller]
fn proof(node: &Toft, args: &[&str], to: &Path) -> Value {
    let to = to.to_str().expect("UTF-8");
    node.json(&[&["anchor", "proof"], args, &["-o", to]].concat())
}

fn text(json: &Value, key: &str) -> String {
    json[key].as_str().unwrap_or_else(|| panic!("no {key} in {json}")).to_owned()
}

#[test]
fn a_file_of_many_blocks_is_proven_by_its_plain_sha256() {
    let (bitcoind, dir) = (Bitcoind::start(), tempfile::tempdir().expect("a temp dir"));
    bitcoind.funded_wallet();
    let node = Home::new().pays(&bitcoind).up();
    let (file, bytes) = random_file(dir.path(), "video.mp4", 3_000_000);
    let added = node.json(&["add", file.to_str().expect("UTF-8")]);
    let (cid, record) = (text(&added, "cid"), text(&added, "record"));
    let audit = node.json(&["anchor", "audit"]);
    assert_eq!((&audit["files"]["eligible"], &audit["messages"]["final"]), (&json!(1), &json!(0)), "{audit}");
    anchored(&node, &bitcoind);

    // By the CID that `add` has told: the file as it is, which is not written again.
    let made = proof(&node, &[&cid], &dir.path().join("video.mp4.ots"));
    assert_eq!(made["stamped"], json!(null), "{made}");
    let ots = fs::read(dir.path().join("video.mp4.ots")).expect("the proof");
    ots::accepts(&bitcoind, &bytes, &ots);
    let mut other = bytes.clone();
    other[1_234_567] ^= 1;
    ots::refuses(&bitcoind, &other, &ots);
    // By its hash, as who has only the file asks.
    let plain = toft::cid::of(toft::cid::RAW, &bytes).to_string();
    assert_eq!(made["cid"], plain.as_str());
    proof(&node, &[&plain], &dir.path().join("again.ots"));
    assert_eq!(fs::read(dir.path().join("again.ots")).expect("the proof"), ots);
    // The root block, by the hash of its bytes; the signed message, by the record.
    let digest = toft::cid::sha256_of(&cid.parse().expect("a CID")).expect("sha256");
    let root = toft::cid::from_digest(toft::cid::RAW, &digest).to_string();
    for (id, name) in [(&root, "root"), (&record, "message"), (&"audit-head".to_owned(), "head")] {
        let to = dir.path().join(format!("{name}.ots"));
        let made = proof(&node, &[id], &to);
        let stamped = fs::read(text(&made, "stamped")).expect("the stamped bytes");
        ots::accepts(&bitcoind, &stamped, &fs::read(&to).expect("the proof"));
    }
    let audit = node.json(&["anchor", "audit"]);
    assert_eq!((&audit["files"]["final"], &audit["messages"]["broken"]), (&json!(1), &json!(0)), "{audit}");
    assert!(audit["roots_checked"] == true && text(&audit, "sentence").starts_with("100 %"), "{audit}");

    // What was hashed once is not hashed again, and not anchored again.
    let node = node.stop().up();
    assert_eq!(node.json(&["anchor", "now"])["outcome"], "nothing");
    proof(&node, &[&plain], &dir.path().join("later.ots"));
    assert_eq!(fs::read(dir.path().join("later.ots")).expect("the proof"), ots);
    let names = node.json(&["anchor", "audit"]);
    assert_eq!((&names["waiting"], &names["broken"]), (&json!([]), &json!([])));
}
