//! Devices in step, in the ways it can go wrong: tenants that come later, deletes on both sides, a device that freezes,
//! one that has not added the other.

use crate::support::{
    eventually,
    sdk::{Sdk, code},
    toft::{Home, Toft, random_file},
    within,
};
use serde_json::{Value, json};
use std::{process::Command, time::Duration};

fn peer(node: &Toft, other: &Toft) -> Value {
    let peers = node.json(&["peer", "ls"]);
    peers.as_array().expect("a list").iter().find(|p| p["did"] == other.did()).cloned().unwrap_or_default()
}

#[track_caller]
fn in_step(a: &Toft, b: &Toft) {
    eventually("both to be in step", || (peer(a, b)["in_sync"] == true && peer(b, a)["in_sync"] == true).then_some(()));
}

fn records(node: &Toft) -> u64 {
    node.json(&["status"])["store"]["records"].as_u64().expect("a number")
}

#[track_caller]
fn add(node: &Toft, name: &str) {
    let dir = tempfile::tempdir().expect("a temp dir");
    let (file, _) = random_file(dir.path(), name, 50_000);
    node.json(&["add", file.to_str().expect("UTF-8")]);
}

#[test]
fn a_tenant_that_is_shared_later_comes_whole() {
    let (a, b) = (Home::new().up(), Home::new().up());
    // First only B's records are shared; A writes its own meanwhile, and the log is read past them.
    a.json(&["peer", "add", b.did(), &b.address("/tcp/"), "--tenant", b.did()]);
    b.json(&["peer", "add", a.did(), &a.address("/tcp/"), "--tenant", b.did()]);
    add(&a, "early");
    add(&b, "theirs");
    eventually("B's record on A", || (records(&a) == 2).then_some(()));
    in_step(&a, &b);
    // Then A's too: A says so first, B some time later.
    a.json(&["peer", "add", b.did(), &b.address("/tcp/")]);
    add(&a, "between");
    in_step(&a, &b);
    b.json(&["peer", "add", a.did(), &a.address("/tcp/")]);
    eventually("all three on both", || (records(&a) == 3 && records(&b) == 3).then_some(()));
}

#[test]
fn what_both_write_and_delete_apart_comes_together() {
    let (a, b) = (Home::new().set("dwn.tenants", "open").up(), Home::new().set("dwn.tenants", "open").up());
    let mut sdk = Sdk::start();
    let alice = sdk.persona("alice", "ed25519");
    let at = |node: &Toft, fields: Value| {
        let mut all = json!({"url": node.url(), "as": "alice", "tenant": alice});
        all.as_object_mut().expect("an object").extend(fields.as_object().expect("an object").clone());
        all
    };
    let definition = json!({
        "protocol": "http://thread.example", "published": true, "types": {"thread": {}, "reply": {}},
        "structure": {"thread": {"reply": {}}},
    });
    assert_eq!(code(&sdk.call("configure", at(&a, json!({"definition": definition})))), 202);
    // A parent, its child, then an update of the parent: the stock client needs two rounds for the child.
    let fields = |path: &str, size| json!({"protocol": "http://thread.example", "protocolPath": path, "size": size});
    let parent = sdk.call("write", at(&a, fields("thread", 40_000)));
    let mut child = fields("thread/reply", 30);
    child["parentContextId"] = parent["contextId"].clone();
    let child = sdk.call("write", at(&a, child));
    let updated = sdk.call("update", at(&a, json!({"recordId": parent["recordId"], "size": 35_000})));
    let other = sdk.call("write", at(&b, json!({"size": 90_000})));
    for reply in [&parent, &child, &updated, &other] {
        assert_eq!(code(reply), 202, "{reply}");
    }
    for (here, there) in [(&a, &b), (&b, &a)] {
        here.json(&["peer", "add", there.did(), &there.address("/udp/"), "--tenant", &alice]);
    }
    in_step(&a, &b);
    for node in [&a, &b] {
        for (record, last) in [(&parent, &updated), (&child, &child), (&other, &other)] {
            let read = sdk.call("read", at(node, json!({"recordId": record["recordId"]})));
            assert_eq!((code(&read), &read["data"]["sha256"]), (200, &last["sha256"]), "{read}");
        }
        assert_eq!(peer(node, if node.did() == a.did() { &b } else { &a })["refused"], 0, "one pass is enough");
    }
    assert_eq!(code(&sdk.call("delete", at(&b, json!({"recordId": other["recordId"]})))), 202);
    assert_eq!(code(&sdk.call("delete", at(&a, json!({"recordId": child["recordId"]})))), 202);
    eventually("the deletes on both", || {
        [&a, &b]
            .iter()
            .all(|node| {
                [&other, &child]
                    .iter()
                    .all(|r| code(&sdk.call("read", at(node, json!({"recordId": r["recordId"]})))) == 404)
            })
            .then_some(())
    });
}

#[test]
fn a_device_that_freezes_is_not_called_in_step() {
    let (a, b) = (Home::new().up(), Home::new().up());
    a.json(&["peer", "add", b.did(), &b.address("/tcp/")]);
    b.json(&["peer", "add", a.did(), &a.address("/tcp/")]);
    in_step(&a, &b);
    let signal = |name: &str| Command::new("kill").args([name, &b.pid().to_string()]).status().expect("kill runs");
    assert!(signal("-STOP").success());
    add(&a, "news");
    eventually("A to see that B lacks it", || (peer(&a, &b)["in_sync"] == false).then_some(()));
    assert!(signal("-CONT").success());
    within(Duration::from_secs(180), "the record on B", || (records(&b) == 1).then_some(()));
    in_step(&a, &b);
}

#[test]
fn what_is_not_a_peer_is_said_on_both_sides() {
    let (a, b) = (Home::new().up(), Home::new().up());
    for (wrong, words) in [
        (["foo", "bar"], "foo is not a DID"),
        ([b.did(), "bar"], "bar is not a multiaddr"),
        ([b.did(), "/ip4/127.0.0.1/tcp/4001"], "ending in /p2p/"),
    ] {
        let output = a.home().run(&[&["peer", "add"], &wrong[..]].concat());
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(2) && said.contains(words), "{said}");
    }
    a.json(&["peer", "add", b.did(), &b.address("/tcp/")]);
    let problem = eventually("the reason", || peer(&a, &b)["problem"].as_str().map(str::to_owned));
    assert!(problem.contains("does not have this node as a peer yet") && problem.contains(a.did()), "{problem}");
}
