//! The whole road on real parts: one record travels from the JS DWN SDK to disk, to kubo and helia, to a second
//! device and into a Bitcoin block, and the stock `ots` tool confirms it. `scripts/demo` shows this story.

use crate::support::{
    bitcoind::Bitcoind,
    eventually, ots,
    peers::Peer,
    sdk::{Sdk, code},
    toft::{Home, Toft, random_file},
};
use serde_json::{Value, json};

/// The story is printed for `scripts/demo`.
fn tell(line: &str) {
    println!("✓ {line}");
}

fn bitcoin_home(bitcoind: &Bitcoind) -> Home {
    Home::new().set("dwn.tenants", "open").pays(bitcoind)
}

#[track_caller]
fn wait_for_sync(node: &Toft) {
    eventually("the devices to be in sync", || {
        let peers = node.json(&["peer", "ls"]);
        peers.as_array().is_some_and(|p| !p.is_empty() && p.iter().all(|p| p["in_sync"] == true)).then_some(())
    });
}

#[test]
fn a_record_travels_the_whole_road() {
    let bitcoind = Bitcoind::start();
    let dir = tempfile::tempdir().expect("a temp dir");

    // 1. From the JS SDK to disk.
    let laptop = bitcoin_home(&bitcoind).up();
    tell(&format!("a node runs: {} at {}", laptop.did(), laptop.url()));
    let mut sdk = Sdk::start();
    let alice = sdk.persona("alice", "ed25519");
    let at = |node: &Toft, fields: Value| {
        let mut all = json!({"url": node.url(), "as": "alice", "tenant": alice});
        all.as_object_mut().expect("an object").extend(fields.as_object().expect("an object").clone());
        all
    };
    let size = 3_000_000;
    let written = sdk.call("write", at(&laptop, json!({"size": size, "published": true})));
    assert_eq!(code(&written), 202, "{written}");
    let secret = sdk.call("write", at(&laptop, json!({"size": 300_000})));
    let small = sdk.call("write", at(&laptop, json!({"size": 500, "published": true})));
    assert_eq!((code(&secret), code(&small)), (202, 202));
    let (record, cid) = (text(&written, "recordId"), text(&written, "dataCid"));
    tell(&format!("the JS DWN SDK wrote record {record} ({size} bytes, {cid})"));
    let laptop = laptop.kill().up();
    let read = sdk.call("read", at(&laptop, json!({"recordId": record})));
    assert_eq!((code(&read), &read["data"]["sha256"]), (200, &written["sha256"]));
    tell("after kill -9 and a new start it reads back the same");

    // 2. To kubo and helia, and back from them.
    let address = laptop.address("/tcp/");
    let mut kubo = Peer::kubo();
    kubo.ok(&format!("connect {address}"));
    assert_eq!(fetch(&mut kubo, &cid, 60).expect("kubo fetches"), written["sha256"]);
    assert_eq!(fetch(&mut kubo, &text(&small, "dataCid"), 60).expect("kubo fetches"), small["sha256"]);
    tell(&format!("kubo fetched {cid} from the node over libp2p and Bitswap"));
    let mut helia = Peer::helia();
    helia.ok(&format!("connect {address}"));
    assert_eq!(fetch(&mut helia, &cid, 60).expect("helia fetches"), written["sha256"]);
    tell("so did helia");
    assert!(fetch(&mut helia, &text(&secret, "dataCid"), 5).is_err(), "an unpublished record's blocks stay here");
    tell("it does not get the unpublished record");
    for (name, size) in [("kubo", 5_000_000), ("helia", 2_000_000)] {
        let (file, bytes) = random_file(dir.path(), name, size);
        let peer = if name == "kubo" { &mut kubo } else { &mut helia };
        let cid = peer.ok(&format!("add {}", file.display()));
        let target = dir.path().join(format!("{name}.back"));
        laptop.json(&["get", &cid, "-o", target.to_str().expect("UTF-8"), "--timeout", "60"]);
        assert!(std::fs::read(&target).expect("was written") == bytes, "{name}'s file arrived changed");
        tell(&format!("toft get {cid} fetched {size} bytes from {name}"));
    }

    // 3. To a second device.
    let desktop = Home::new().set("dwn.tenants", "open").up();
    laptop.json(&["peer", "add", desktop.did(), &desktop.address("/tcp/"), "--tenant", &alice]);
    desktop.json(&["peer", "add", laptop.did(), &laptop.address("/udp/"), "--tenant", &alice]);
    for node in [&laptop, &desktop] {
        wait_for_sync(node);
    }
    for write in [&written, &secret, &small] {
        let read = sdk.call("read", at(&desktop, json!({"recordId": write["recordId"]})));
        assert_eq!((code(&read), &read["data"]["sha256"]), (200, &write["sha256"]), "{read}");
    }
    let back = sdk.call("write", at(&desktop, json!({"size": 50_000})));
    assert_eq!(code(&back), 202);
    eventually("the desktop's record on the laptop", || {
        let read = sdk.call("read", at(&laptop, json!({"recordId": back["recordId"]})));
        (code(&read) == 200 && read["data"]["sha256"] == back["sha256"]).then_some(())
    });
    assert_eq!(code(&sdk.call("delete", at(&desktop, json!({"recordId": secret["recordId"]})))), 202);
    eventually("the delete on the laptop", || {
        let read = sdk.call("read", at(&laptop, json!({"recordId": secret["recordId"]})));
        (code(&read) == 404).then_some(())
    });
    let mut messages = |node: &Toft| {
        let reply = sdk.call("messages", at(node, json!({})));
        let mut list: Vec<_> = reply["entries"].as_array().expect("entries").iter().map(Value::to_string).collect();
        list.sort();
        list
    };
    let (here, there) = (messages(&laptop), messages(&desktop));
    assert_eq!(here, there, "both devices hold the same messages");
    tell(&format!(
        "the second device {} holds the same {} messages, in both directions, a delete too",
        desktop.did(),
        here.len()
    ));

    // 4. Into a Bitcoin block.
    let anchored = laptop.json(&["anchor", "now"]);
    assert!(anchored["sentence"].is_string(), "{anchored}");
    // A wallet without coins waits and says so; then it is given some.
    let address = eventually("the wallet to ask for coins", || {
        laptop.json(&["anchor", "status"])["batches"][0]["send_to"][0].as_str().map(str::to_owned)
    });
    bitcoind.fund(&address, "0.01");
    eventually("the anchor to be in a block", || {
        bitcoind.mine(1);
        let status = laptop.json(&["anchor", "status"]);
        status["batches"].as_array()?.iter().all(|b| b["state"] == "final").then_some(())
    });
    tell("a Merkle root of everything new stands in a Bitcoin block (regtest)");
    for id in [&record, &text(&small, "recordId"), &text(&back, "recordId")] {
        let proof = dir.path().join(format!("{id}.ots"));
        let made = laptop.json(&["anchor", "proof", id, "-o", proof.to_str().expect("UTF-8")]);
        let stamped = std::fs::read(made["stamped"].as_str().expect("a file")).expect("the stamped bytes");
        ots::accepts(&bitcoind, &stamped, &std::fs::read(&proof).expect("the proof"));
        laptop.json(&["verify", made["stamped"].as_str().expect("a file"), proof.to_str().expect("UTF-8")]);
        let mut other = stamped.clone();
        other[0] ^= 1;
        ots::refuses(&bitcoind, &other, &std::fs::read(&proof).expect("the proof"));
    }
    // The data of a small record is one block: its proof is about the file itself.
    let proof = dir.path().join("data.ots");
    laptop.json(&["anchor", "proof", &text(&small, "dataCid"), "-o", proof.to_str().expect("UTF-8")]);
    tell("the stock ots tool confirms the proofs of the records, and refuses a changed byte");

    desktop.stop();
    laptop.stop();
    tell("both nodes stopped cleanly");
}

#[track_caller]
fn text(json: &Value, key: &str) -> String {
    json[key].as_str().unwrap_or_else(|| panic!("no {key} in {json}")).to_owned()
}

/// What a peer gets for a CID, as sha256.
fn fetch(peer: &mut Peer, cid: &str, seconds: u32) -> Result<Value, String> {
    let target = peer.path(cid);
    peer.run(&format!("get {cid} {} {seconds}", target.display()))?;
    let bytes = std::fs::read(target).map_err(|e| e.to_string())?;
    Ok(Value::String(hex::encode(toft::cid::digest(&bytes))))
}
