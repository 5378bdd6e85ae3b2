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

pub fn peer(node: &Toft, other: &Toft) -> Value {
    let peers = node.json(&["peer", "ls"]);
    peers.as_array().expect("a list").iter().find(|p| p["did"] == other.did()).cloned().unwrap_or_default()
}

#[track_caller]
pub fn in_step(a: &Toft, b: &Toft) {
    eventually("both to be in step", || (peer(a, b)["in_sync"] == true && peer(b, a)["in_sync"] == true).then_some(()));
}

pub fn records(node: &Toft) -> u64 {
    node.json(&["status"])["store"]["records"].as_u64().expect("a number")
}

#[track_caller]
pub fn add(node: &Toft, name: &str) {
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
fn while_it_is_paused_nothing_goes_over_and_both_say_why() {
    let (a, b) = (Home::new().up(), Home::new().up());
    a.json(&["peer", "add", b.did(), &b.address("/tcp/")]);
    b.json(&["peer", "add", a.did(), &a.address("/tcp/")]);
    in_step(&a, &b);
    assert_eq!(a.json(&["sync", "pause"]), json!({"paused": true}));
    add(&a, "meanwhile here");
    add(&b, "meanwhile there");
    let says = |node: &Toft, other: &Toft, why: &str| {
        let peer = peer(node, other);
        peer["connected"] == false && peer["problem"].as_str().is_some_and(|problem| problem.contains(why))
    };
    eventually("both to say so", || {
        (says(&a, &b, "sync is paused here") && says(&b, &a, "sync is paused on did:")).then_some(())
    });
    // A restart does not end it.
    let a = a.stop().up();
    assert!(says(&a, &b, "sync is paused here"));
    let before = records(&a);
    std::thread::sleep(Duration::from_secs(3));
    assert!(peer(&a, &b)["connected"] == false && records(&a) == before, "nothing has come");
    a.json(&["sync", "resume"]);
    in_step(&a, &b);
    assert!(records(&a) == records(&b) && records(&a) > before);
}

/// How a peer is told of on the command line.
fn told(node: &Toft) -> String {
    String::from_utf8(node.home().run(&["peer", "ls"]).stdout).expect("text")
}

#[test]
fn in_sync_is_said_when_it_holds_in_both_directions() {
    const FILES: u64 = 15;
    let (a, b) = (Home::new().up(), Home::new().up());
    let dir = tempfile::tempdir().expect("a temp dir");
    for n in 0..FILES {
        let (file, _) = random_file(dir.path(), "file", 3_000_000 + n as usize);
        a.json(&["add", file.to_str().expect("UTF-8")]);
    }
    a.json(&["peer", "add", b.did(), &b.address("/tcp/")]);
    b.json(&["peer", "add", a.did(), &a.address("/tcp/")]);
    // B has nothing that A lacks: it has told all from the beginning, and has not heard all.
    let mut seen = vec![];
    let (mut in_sync, mut other) = (false, false);
    within(Duration::from_secs(120), "both to be in sync", || {
        for (node, there, in_sync) in [(&b, &a, &mut in_sync), (&a, &b, &mut other)] {
            *in_sync = peer(node, there)["in_sync"] == true;
            assert!(!*in_sync || records(&b) == FILES, "said to be in sync with {} records", records(&b));
        }
        seen.push(told(&b));
        (in_sync && other).then_some(())
    });
    let on_the_way = |text: &&String| text.contains("receiving ") && text.contains(" of 15");
    assert!(seen.iter().any(|text| on_the_way(&text)), "{seen:#?}");
    assert!(told(&b).contains("✓ in sync") && told(&a).contains("✓ in sync"));
    // What comes later is on its way first, and then there.
    add(&b, "later");
    eventually("the later one on A", || (records(&a) == FILES + 1).then_some(()));
    in_step(&a, &b);
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
        assert_eq!(peer(node, if node.did() == a.did() { &b } else { &a })["parked"], 0, "one pass is enough");
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
fn what_was_deleted_on_both_sides_ends_the_same_and_a_new_device_has_all_that_is_left() {
    let up = || Home::new().set("dwn.tenants", "open").up();
    let (a, b) = (up(), up());
    let mut sdk = Sdk::start();
    let alice = sdk.persona("alice", "ed25519");
    let definition = json!({
        "protocol": "http://thread.example", "published": true, "types": {"thread": {}, "reply": {}},
        "structure": {"thread": {"reply": {}}},
    });
    let ask = |sdk: &mut Sdk, op: &str, node: &Toft, fields: Value| {
        let mut all = json!({"url": node.url(), "as": "alice", "tenant": alice});
        all.as_object_mut().expect("an object").extend(fields.as_object().expect("an object").clone());
        sdk.call(op, all)
    };
    let join = |one: &Toft, other: &Toft| {
        for (here, there) in [(one, other), (other, one)] {
            here.json(&["peer", "add", there.did(), &there.address("/tcp/"), "--tenant", &alice]);
        }
        in_step(one, other);
    };
    assert_eq!(code(&ask(&mut sdk, "configure", &a, json!({"definition": definition}))), 202);
    let mut write = |path: &str, parent: Option<&Value>| {
        let mut fields = json!({"protocol": "http://thread.example", "protocolPath": path, "size": 40_000});
        if let Some(parent) = parent {
            fields["parentContextId"] = parent["contextId"].clone();
        }
        let written = ask(&mut sdk, "write", &a, fields);
        assert_eq!(code(&written), 202, "{written}");
        written
    };
    // One to be deleted on both sides, one to be pruned here and deleted there, one to be deleted here and changed there.
    let [plain, pruned, changed] = [(); 3].map(|()| write("thread", None));
    let (child, lost) = (write("thread/reply", Some(&plain)), write("thread/reply", Some(&pruned)));
    join(&a, &b);

    // Apart: B deletes while A is away, and the other way round; the later of two deletes is A's, except of `pruned`.
    let away = a.stop();
    for (record, prune) in [(&plain, false), (&pruned, true), (&changed, false)] {
        let deleted = ask(&mut sdk, "delete", &b, json!({"recordId": record["recordId"], "prune": prune}));
        assert_eq!(code(&deleted), 202, "{deleted}");
    }
    let (b_away, a) = (b.stop(), away.up());
    for record in [&plain, &pruned] {
        let deleted = ask(&mut sdk, "delete", &a, json!({"recordId": record["recordId"]}));
        assert_eq!(code(&deleted), 202, "{deleted}");
    }
    let update = ask(&mut sdk, "update", &a, json!({"recordId": changed["recordId"], "size": 10}));
    assert_eq!(code(&update), 202, "{update}");

    let (b, new) = (b_away.up(), up());
    join(&a, &b);
    join(&a, &new);
    let mut kept = |node: &Toft| {
        let told = ask(&mut sdk, "messages", node, json!({}))["entries"].clone();
        let mut told: Vec<_> = told.as_array().expect("a list").iter().map(ToString::to_string).collect();
        told.sort();
        let mut read = |record: &Value| code(&ask(&mut sdk, "read", node, json!({"recordId": record["recordId"]})));
        (told, [&plain, &pruned, &changed, &child, &lost].map(&mut read))
    };
    let (on_a, on_b, on_new) = (kept(&a), kept(&b), kept(&new));
    assert_eq!(on_a.1, [404, 404, 404, 200, 404]);
    assert_eq!((&on_b, &on_new), (&on_a, &on_a));
    assert_eq!((&peer(&a, &b)["parked"], &peer(&a, &new)["parked"]), (&json!(0), &json!(0)));
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
    assert_eq!(
        (&peer(&a, &b)["copies"], &peer(&b, &a)["copies"]),
        (&json!([]), &json!([])),
        "it is still the same one"
    );
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

#[test]
fn a_peer_that_is_added_again_is_not_called_in_sync_for_what_was_so_before() {
    let (a, b) = (Home::new().up(), Home::new().up());
    let meet = || {
        a.json(&["peer", "add", b.did(), &b.address("/tcp/")]);
        b.json(&["peer", "add", a.did(), &a.address("/tcp/")]);
    };
    meet();
    in_step(&a, &b);
    for round in 0..5 {
        a.json(&["peer", "rm", b.did()]);
        b.json(&["peer", "rm", a.did()]);
        add(&a, "apart");
        meet();
        eventually("both to be in step", || {
            let is_said = peer(&a, &b)["in_sync"] == true;
            assert!(!is_said || records(&b) == round + 1, "said to be in sync with {} records", records(&b));
            (is_said && peer(&b, &a)["in_sync"] == true).then_some(())
        });
    }
}
