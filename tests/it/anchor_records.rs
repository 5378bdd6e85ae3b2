//! Proofs in records: what one device anchors every device of the person can prove, also when that one is gone, and a lost ledger is
//! found again.

use crate::support::{
    bitcoind::Bitcoind,
    calendar::Calendar,
    control::Control,
    eventually, ots,
    toft::{Home, Toft},
    within,
};
use serde_json::{Value, json};
use std::{path::Path, process::Stdio, time::Duration};
use toft::store::{Config, Store};

fn note(node: &Toft, text: &str) -> Value {
    let data = toft::crypto::encode(text.as_bytes());
    let params = json!({"data": data, "dataFormat": "text/plain"});
    node.json(&["call", "records.write", &params.to_string()])
}

fn text(json: &Value, key: &str) -> String {
    json[key].as_str().unwrap_or_else(|| panic!("no {key} in {json}")).to_owned()
}

/// Anchors what waits; `blocks` are mined on it.
fn anchor(node: &Toft, bitcoind: &Bitcoind, blocks: u32) {
    let now = node.json(&["anchor", "now"]);
    assert_eq!(now["outcome"], "sent", "{now}");
    bitcoind.mine(blocks);
    let state = if blocks < 2 { "mined" } else { "final" };
    eventually("the batch to be in a block", || {
        let status = node.json(&["anchor", "status"]);
        let batches = status["batches"].as_array().expect("a list");
        batches.iter().all(|batch| batch["state"] == state || batch["state"] == "final").then_some(())
    });
}

/// Records of proofs that a node keeps: their tags.
fn kept(node: &Toft, path: &str) -> Vec<Value> {
    let filter = json!({"filter": {"protocol": "https://toft.invalid/protocols/anchor", "protocolPath": path}, "tenant": node.did()});
    let found = node.json(&["call", "records.query", &filter.to_string()]);
    let entries = found["entries"].as_array().unwrap_or_else(|| panic!("no entries in {found}"));
    entries.iter().map(|entry| entry["descriptor"]["tags"].clone()).collect()
}

/// The proof of something by a node, and what it stamps; nothing as long as there is none.
fn proof(node: &Toft, id: &str, dir: &Path) -> Option<(Value, Vec<u8>, Vec<u8>)> {
    let to = dir.join(format!("{}.ots", node.did().len() + id.len()));
    let output = node.home().run(&["anchor", "proof", id, "-o", to.to_str().expect("UTF-8"), "--force", "--json"]);
    if !output.status.success() {
        return None;
    }
    let said: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let stamped = std::fs::read(said["stamped"].as_str().expect("the bytes are here")).expect("they are there");
    Some((said, stamped, std::fs::read(to).expect("it is there")))
}

fn pair(desk: &Toft, phone: &Toft) {
    let code = text(&desk.json(&["pair", "--offer"]), "code");
    let mut join = phone.home().command(&["join", &code]);
    let joining = join.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it runs");
    let standing = eventually("a device to ask", || {
        let standing = desk.json(&["device", "confirm"]);
        (standing["state"] == "asks").then_some(standing)
    });
    desk.json(&["device", "confirm", &text(&standing, "digits")]);
    assert!(joining.wait_with_output().expect("it ends").status.success());
}

#[test]
fn every_device_proves_what_one_has_anchored_also_when_that_one_is_gone() {
    let (bitcoind, dir) = (Bitcoind::start(), tempfile::tempdir().expect("a directory"));
    bitcoind.funded_wallet();
    let (desk, phone) = (Home::new().pays(&bitcoind).up(), Home::new().up());
    pair(&desk, &phone);
    let first = note(&desk, "what I saw today");
    let (record, data) = (text(&first, "recordId"), text(&first, "dataCid"));
    anchor(&desk, &bitcoind, 1);
    for id in [&record, &data, &text(&first, "messageCid")] {
        let (said, stamped, ots) = eventually("the proof on the phone", || proof(&phone, id, dir.path()));
        assert_eq!((&said["network"], &said["final"]), (&json!("regtest"), &json!(false)));
        ots::accepts(&bitcoind, &stamped, &ots);
        let (_, by_desk, _) = proof(&desk, id, dir.path()).expect("its own");
        assert_eq!(stamped, by_desk);
    }
    // More is known: the record says it in place.
    bitcoind.mine(2);
    eventually("the phone to know that it is final", || {
        let (said, ..) = proof(&phone, &record, dir.path())?;
        (said["final"] == true).then_some(())
    });
    let batches = kept(&desk, "batch");
    assert!(batches.len() == 1 && batches[0]["state"] == "final", "{batches:?}");
    assert_eq!(kept(&desk, "batch/leaves").len(), 1);

    // A later state: the newest with a proof counts, and the first keeps its own.
    let next = json!({"recordId": record, "data": toft::crypto::encode(b"what I saw later")});
    let next = desk.json(&["call", "records.write", &next.to_string()]);
    anchor(&desk, &bitcoind, 2);
    let newest = text(&next, "messageCid");
    eventually("the newer proof on the phone", || {
        let (said, ..) = proof(&phone, &record, dir.path())?;
        (said["cid"] == newest.as_str()).then_some(())
    });
    let phone_home = phone.stop();
    desk.kill();
    let phone = phone_home.up();
    for id in [&record, &text(&first, "messageCid"), &newest, &text(&next, "dataCid")] {
        let to = dir.path().join("alone.ots");
        phone.json(&["anchor", "proof", id, "-o", to.to_str().expect("UTF-8"), "--force"]);
        let ots = std::fs::read(&to).expect("it is there");
        // The state before is not kept, its proof is.
        if let Some((_, stamped, ots)) =
            (id != &text(&first, "messageCid")).then(|| proof(&phone, id, dir.path())).flatten()
        {
            ots::accepts(&bitcoind, &stamped, &ots);
        }
        assert!(!ots.is_empty());
    }
}

/// Records of proofs get no proofs: after what setting up brings (the protocol, once; a head of the audit log), there is nothing to
/// anchor any more.
#[test]
fn batches_do_not_feed_themselves() {
    let bitcoind = Bitcoind::start();
    bitcoind.funded_wallet();
    let node = Home::new().pays(&bitcoind).set("anchor.confirmations", "1").up();
    note(&node, "one");
    for batch in 1..=5 {
        anchor(&node, &bitcoind, 2);
        eventually("its record", || (kept(&node, "batch").len() == batch).then_some(()));
        if node.json(&["anchor", "status"])["queued"] == 0 {
            let now = node.json(&["anchor", "now"]);
            assert_eq!(now["outcome"], "nothing", "{now}");
            return;
        }
    }
    panic!("there is always something to anchor: {}", node.json(&["anchor", "status"]));
}

/// Takes everything that the anchor keeps, as a backup would that was made before.
fn lose(home: &Home) {
    let store = Store::open(&home.path().join("store"), &Config::default()).expect("the store opens");
    let keys = store.states(b"anchor/").expect("reads");
    assert!(!keys.is_empty());
    let gone = keys.into_iter().map(|(key, _)| (key.to_vec(), None)).collect();
    futures::executor::block_on(store.put_state(gone)).expect("is written");
}

#[test]
fn a_lost_ledger_is_found_again_in_records() {
    let (bitcoind, dir) = (Bitcoind::start(), tempfile::tempdir().expect("a directory"));
    bitcoind.funded_wallet();
    let node = Home::new().pays(&bitcoind).up();
    let ids: Vec<String> = (0..3).map(|n| text(&note(&node, &format!("note {n}")), "recordId")).collect();
    anchor(&node, &bitcoind, 3);
    eventually("its record", || kept(&node, "batch").iter().any(|tags| tags["state"] == "final").then_some(()));
    note(&node, "late");
    anchor(&node, &bitcoind, 3);
    eventually("its record", || {
        (kept(&node, "batch").iter().filter(|tags| tags["state"] == "final").count() == 2).then_some(())
    });
    let waiting = note(&node, "not anchored yet");
    let before: Vec<Vec<u8>> = ids.iter().map(|id| proof(&node, id, dir.path()).expect("there is one").2).collect();
    let home = node.stop();
    lose(&home);

    let node = home.up();
    for (id, before) in ids.iter().zip(&before) {
        let (_, stamped, ots) = eventually("the proof in a record", || proof(&node, id, dir.path()));
        assert_eq!(&ots, before, "to the byte");
        ots::accepts(&bitcoind, &stamped, &ots);
    }
    let rebuilt = node.json(&["anchor", "rebuild"]);
    assert_eq!((&rebuilt["from_records"], &rebuilt["from_chain"]), (&json!(2), &json!(0)), "{rebuilt}");
    assert_eq!((&rebuilt["in_records"], &rebuilt["unexplained"]), (&json!(0), &json!([])), "{rebuilt}");
    let status = node.json(&["anchor", "status"]);
    assert_eq!(status["batches"].as_array().map(Vec::len), Some(2), "{status}");
    assert!(status["queued"].as_u64() >= rebuilt["queued"].as_u64(), "{status}");
    for (id, before) in ids.iter().zip(&before) {
        assert_eq!(&proof(&node, id, dir.path()).expect("there is one").2, before, "to the byte");
    }
    assert!(proof(&node, &text(&waiting, "recordId"), dir.path()).is_none());
    anchor(&node, &bitcoind, 3);
    let (_, stamped, ots) = proof(&node, &text(&waiting, "recordId"), dir.path()).expect("there is one");
    ots::accepts(&bitcoind, &stamped, &ots);
    assert_eq!(bitcoind.op_returns(b"toft").len(), 3, "nothing is paid for again");
    let again = node.json(&["anchor", "rebuild"]);
    assert_eq!((&again["from_records"], &again["from_chain"], &again["in_records"]), (&json!(0), &json!(0), &json!(0)));
}

/// Killed again and again around the writing of its records: of each batch there is one record, and each part of it once.
#[test]
fn killed_while_it_writes_them_no_record_is_doubled_and_none_is_missing() {
    let (bitcoind, dir) = (Bitcoind::start(), tempfile::tempdir().expect("a directory"));
    bitcoind.funded_wallet();
    let mut node = Home::new().pays(&bitcoind).up();
    let control = Control::of(node.home());
    let ids: Vec<String> = (0..300)
        .map(|n| {
            let data = toft::crypto::encode(format!("note {n}").as_bytes());
            text(&control.call("records.write", json!({"data": data, "dataFormat": "text/plain"})), "recordId")
        })
        .collect();
    assert_eq!(node.json(&["anchor", "now"])["outcome"], "sent");
    for wait in [250, 350, 20, 60, 120] {
        bitcoind.mine(1);
        std::thread::sleep(Duration::from_millis(wait));
        node = node.kill().up();
    }
    eventually("its record", || kept(&node, "batch").iter().any(|tags| tags["state"] == "final").then_some(()));
    let (batches, mut parts) = (kept(&node, "batch"), kept(&node, "batch/leaves"));
    assert_eq!(batches.len(), 1, "{batches:?}");
    parts.sort_by_key(|tags| tags["part"].as_u64());
    let numbers: Vec<_> = parts.iter().map(|tags| tags["part"].as_u64()).collect();
    assert_eq!(numbers, [Some(0), Some(1)], "600 leaves and some are in two");
    let home = node.stop();
    lose(&home);
    let node = home.up();
    for id in ids.iter().step_by(60) {
        let (_, stamped, ots) = eventually("the proof in a record", || proof(&node, id, dir.path()));
        ots::accepts(&bitcoind, &stamped, &ots);
    }
    assert_eq!(node.json(&["anchor", "rebuild"])["from_records"], 1);
}

/// The device that holds no key of the person anchors, and writes the proofs in the person's name. What it has anchored the other one does
/// not anchor once more.
#[test]
fn a_second_device_anchors_for_the_person() {
    let (bitcoind, dir) = (Bitcoind::start(), tempfile::tempdir().expect("a directory"));
    bitcoind.funded_wallet();
    let (desk, phone) = (Home::new().up(), Home::new().pays(&bitcoind).up());
    pair(&desk, &phone);
    let written = note(&desk, "what I saw today");
    let record = text(&written, "recordId");
    eventually("the phone to have its grants", || {
        let granted =
            desk.json(&["call", "grants.list", &json!({"grantedTo": phone.did(), "active": true}).to_string()]);
        let is_one = |grant: &Value| {
            let scope = &grant["scope"];
            scope["protocol"] == "https://toft.invalid/protocols/anchor" && scope["method"] == "Write"
        };
        granted["grants"].as_array()?.iter().any(is_one).then_some(())
    });
    eventually("both to be in step", || {
        [&desk, &phone].iter().all(|node| node.json(&["peer", "ls"])[0]["in_sync"] == true).then_some(())
    });
    anchor(&phone, &bitcoind, 3);
    let (said, stamped, ots) = eventually("the proof on the desk", || {
        proof(&desk, &record, dir.path()).filter(|(said, ..)| said["final"] == true)
    });
    ots::accepts(&bitcoind, &stamped, &ots);
    assert!(!kept(&desk, "batch/leaves").is_empty());

    let paying = Home::new().pays(&bitcoind);
    let desk = desk.stop().with_settings_of(&paying).up();
    let now = desk.json(&["anchor", "now"]);
    if now["outcome"] == "sent" {
        bitcoind.mine(3);
        eventually("its batch to be final", || {
            (desk.json(&["anchor", "status"])["batches"][0]["state"] == "final").then_some(())
        });
    }
    let (again, _, same) = proof(&desk, &record, dir.path()).expect("there is one");
    assert_eq!((&again["txid"], same), (&said["txid"], ots), "it has one proof");
}

/// One tenant's own rules leave no room for the proofs: the other one has his all the same, and what stands in the way is said.
#[test]
fn what_one_tenant_refuses_keeps_no_other_from_his_proofs() {
    let (bitcoind, dir) = (Bitcoind::start(), tempfile::tempdir().expect("a directory"));
    bitcoind.funded_wallet();
    let node = Home::new().pays(&bitcoind).up();
    let mut dids = [node.did().to_owned(), text(&node.json(&["id", "new"]), "did")];
    dids.sort();
    let [refuses, takes] = dids;
    let control = Control::of(node.home());
    let mut narrow: Value =
        serde_json::from_str(include_str!("../../protocols/anchor.json")).expect("it is a protocol's definition");
    narrow["structure"]["batch"]["$size"]["max"] = json!(1);
    control.call("protocols.install", json!({"definition": narrow, "from": refuses}));
    let write = |from: &str| {
        let params = json!({"data": toft::crypto::encode(from.as_bytes()), "dataFormat": "text/plain", "from": from});
        text(&control.call("records.write", params), "recordId")
    };
    let (of_one, of_other) = (write(&refuses), write(&takes));
    anchor(&node, &bitcoind, 3);
    let batches = |tenant: &str| {
        let filter = json!({"protocol": "https://toft.invalid/protocols/anchor", "protocolPath": "batch"});
        let found = control.call("records.query", json!({"filter": filter, "tenant": tenant}));
        found["entries"].as_array().map_or(0, Vec::len)
    };
    eventually("the other one's record", || (batches(&takes) == 1).then_some(()));
    assert_eq!(batches(&refuses), 0);
    eventually("the reason", || {
        let jobs = control.call("node.jobs", json!({})).to_string();
        (jobs.contains(&refuses) && jobs.contains("more than allowed")).then_some(())
    });
    for id in [&of_one, &of_other] {
        let (_, stamped, ots) = proof(&node, id, dir.path()).expect("the ledger has both");
        ots::accepts(&bitcoind, &stamped, &ots);
    }
}

/// What calendars bring, and a root that shares its transaction with another: both lead over more than the batch's own tree.
#[test]
fn every_device_proves_what_calendars_brought_and_what_rode_along() {
    let (bitcoind, dir) = (Bitcoind::start(), tempfile::tempdir().expect("a directory"));
    bitcoind.funded_wallet();
    let calendar = Calendar::start(&bitcoind);
    let asking = Home::new()
        .asks(&bitcoind)
        .set("anchor.mode", "calendar")
        .set("anchor.calendar.urls", &calendar.url())
        .set("anchor.calendar.min", "1");
    let (desk, phone) = (asking.up(), Home::new().up());
    pair(&desk, &phone);
    let brought = text(&note(&desk, "what a calendar brought"), "recordId");
    assert_eq!(desk.json(&["anchor", "now"])["batch"], 1);
    eventually("a root", || (!calendar.seen().is_empty()).then_some(()));
    calendar.anchor();
    let (said, stamped, ots) =
        within(Duration::from_secs(180), "the proof on the phone", || proof(&phone, &brought, dir.path()));
    assert_eq!(said["final"], true, "{said}");
    ots::accepts(&bitcoind, &stamped, &ots);

    let desk = desk.stop().with_settings_of(&Home::new().pays(&bitcoind)).up();
    let ids = ["first", "second"].map(|what| {
        let id = text(&note(&desk, what), "recordId");
        desk.json(&["anchor", "now"]);
        id
    });
    let status = eventually("one to ride with the other", || {
        let status = desk.json(&["anchor", "status"]);
        let batches = status["batches"].as_array().expect("a list").clone();
        batches.iter().any(|batch| batch["with"].is_u64()).then_some(status)
    });
    let transactions = bitcoind.rpc("getrawmempool", json!([]));
    assert_eq!(transactions.as_array().map(Vec::len), Some(1), "{status}");
    bitcoind.mine(3);
    for id in &ids {
        let (_, stamped, ots) = eventually("the proof on the phone", || {
            proof(&phone, id, dir.path()).filter(|(said, ..)| said["final"] == true)
        });
        ots::accepts(&bitcoind, &stamped, &ots);
    }
    let home = desk.stop();
    lose(&home);
    let desk = home.up();
    let rebuilt = desk.json(&["anchor", "rebuild"]);
    assert_eq!((&rebuilt["from_records"], &rebuilt["from_chain"]), (&json!(2), &json!(0)), "{rebuilt}");
    assert!(rebuilt["in_records"].as_u64() > Some(0), "what the calendar brought: {rebuilt}");
    for id in ids.iter().chain([&brought]) {
        let (_, stamped, ots) = proof(&desk, id, dir.path()).expect("there is one");
        ots::accepts(&bitcoind, &stamped, &ots);
    }
}
