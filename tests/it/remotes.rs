//! A node in step with other DWN servers: the stock one, and another toft.

use crate::support::{
    between::{Asked, Between, Spoil},
    control::Control,
    eventually,
    sdk::{Sdk, code},
    stock::Stock,
    toft::{Home, Toft},
    within,
};
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

const PROTOCOL: &str = "http://notes.example/p";
/// With a build that is not optimised, on a machine that does other things.
const LONG: Duration = Duration::from_secs(180);

fn definition() -> Value {
    json!({
        "protocol": PROTOCOL, "published": true, "types": {"note": {}, "reply": {}},
        "structure": {"note": {
            "$actions": [{"who": "anyone", "can": ["create", "read"]}],
            "reply": {"$actions": [{"who": "anyone", "can": ["create", "read"]}]},
        }},
    })
}

/// A node that keeps anybody's records and asks servers every second.
fn node() -> Toft {
    home().up()
}

fn home() -> Home {
    Home::new().set("dwn.tenants", "open").set("remote.every", "1s")
}

/// How a server stands, as the node tells.
#[track_caller]
fn standing(node: &Toft, url: &str) -> Value {
    let all = node.json(&["sync", "status"]);
    let found = all.as_array().expect("a list").iter().find(|one| one["url"] == url).cloned();
    found.unwrap_or_else(|| panic!("{url} is not in {all}"))
}

#[track_caller]
fn in_step(node: &Toft, url: &str) {
    let mut last = Value::Null;
    within(LONG, "the node and the server to be in step", || {
        last = standing(node, url);
        (last["in_step"] == true).then_some(())
    });
}

/// Somebody whose key is in no node: she lets this node ask for her messages, and keep her in step with a server.
struct Alice {
    sdk: Sdk,
    did: String,
}

impl Alice {
    fn new() -> Self {
        let mut sdk = Sdk::start();
        let did = sdk.persona("alice", "ed25519");
        Self { sdk, did }
    }

    #[track_caller]
    fn call(&mut self, url: &str, op: &str, mut fields: Value) -> Value {
        for (name, value) in [("url", url), ("as", "alice"), ("tenant", &self.did)] {
            if fields[name].is_null() {
                fields[name] = json!(value);
            }
        }
        self.sdk.call(op, fields)
    }

    /// The same; it must be taken.
    #[track_caller]
    fn done(&mut self, url: &str, op: &str, fields: Value) -> Value {
        let reply = self.call(url, op, fields.clone());
        assert_eq!(code(&reply), 202, "{op} {fields}: {reply}");
        reply
    }

    fn lets(&mut self, node: &Toft) {
        for method in ["Query", "Read"] {
            let grant = json!({"to": node.did(), "scope": {"interface": "Messages", "method": method}});
            self.done(node.url(), "grant", grant);
        }
    }

    fn add(&self, node: &Toft, url: &str) {
        let added = node.json(&["sync", "add", url, "--tenant", &self.did]);
        assert_eq!(added, json!({"url": url, "tenants": [self.did], "protocols": []}));
    }

    /// CIDs of what a server has of her.
    #[track_caller]
    fn messages(&mut self, url: &str) -> BTreeSet<String> {
        let reply = self.call(url, "messages", json!({}));
        assert_eq!(code(&reply), 200, "{reply}");
        reply["entries"].as_array().expect("a list").iter().map(|cid| cid.as_str().expect("a CID").to_owned()).collect()
    }

    /// Waits until both have the same, and says what.
    #[track_caller]
    fn same(&mut self, a: &str, b: &str) -> BTreeSet<String> {
        let mut tries = 0;
        within(LONG, "both to have the same", || {
            let (here, there) = (self.messages(a), self.messages(b));
            tries += 1;
            if tries % 500 == 0 {
                let only = |a: &BTreeSet<String>, b: &BTreeSet<String>| a.difference(b).cloned().collect::<Vec<_>>();
                eprintln!("only at {a}: {:?}; only at {b}: {:?}", only(&here, &there), only(&there, &here));
            }
            (here == there).then_some(here)
        })
    }

    #[track_caller]
    fn note(&mut self, url: &str, size: usize) -> Value {
        self.done(url, "write", json!({"size": size, "protocol": PROTOCOL, "protocolPath": "note", "published": true}))
    }

    /// Her record is at a server, with this data.
    #[track_caller]
    fn reads(&mut self, url: &str, written: &Value) {
        let read = self.call(url, "read", json!({"recordId": written["recordId"]}));
        assert_eq!((code(&read), &read["data"]["sha256"]), (200, &written["sha256"]), "{read}");
    }
}

/// What is written at either end is at the other: small and large, updates, deletes, protocols, grants.
fn both_ways(other: &str) {
    let mut alice = Alice::new();
    let node = node();
    let here = node.url().to_owned();
    // What is there before they are in step: at the other end, and here.
    alice.done(other, "configure", json!({"definition": definition()}));
    let early = alice.note(other, 3_000_000);
    let flat = alice.done(&here, "write", json!({"size": 100, "dataFormat": "text/plain"}));
    alice.lets(&node);
    alice.add(&node, other);
    alice.same(&here, other);
    alice.reads(&here, &early);
    alice.reads(other, &flat);
    in_step(&node, other);

    // From here on, at either end.
    let (ours, theirs) = (alice.note(&here, 3_000_000), alice.note(other, 50_000));
    let reply = json!({
        "size": 10, "protocol": PROTOCOL, "protocolPath": "note/reply", "parentContextId": theirs["contextId"],
    });
    alice.done(other, "write", reply);
    alice.same(&here, other);
    alice.reads(other, &ours);
    alice.reads(&here, &theirs);
    let updated = alice.done(&here, "update", json!({"recordId": theirs["recordId"], "size": 40_000}));
    let again = alice.done(other, "update", json!({"recordId": ours["recordId"], "size": 70_000}));
    alice.done(&here, "delete", json!({"recordId": flat["recordId"]}));
    alice.done(other, "delete", json!({"recordId": early["recordId"]}));
    alice.sdk.persona("bob", "ed25519");
    alice.done(
        other,
        "grant",
        json!({"to": "bob", "scope": {"interface": "Records", "method": "Read", "protocol": PROTOCOL}}),
    );
    let mut changed = definition();
    changed["types"]["note"]["dataFormats"] = json!(["application/octet-stream"]);
    alice.done(&here, "configure", json!({"definition": changed}));
    let all = alice.same(&here, other);
    for url in [here.as_str(), other] {
        alice.reads(url, &updated);
        alice.reads(url, &again);
        for gone in [&flat, &early] {
            assert_eq!(code(&alice.call(url, "read", json!({"recordId": gone["recordId"]}))), 404);
        }
    }
    // Two grants to the node and one to bob; protocol; two notes and a reply, both notes with an update; two ends with their
    // beginnings.
    assert_eq!(all.len(), 3 + 1 + 5 + 4, "{all:?}");
    in_step(&node, other);
    let status = standing(&node, other);
    assert_eq!(
        (&status["put_aside"], &status["put_aside_there"], &status["problem"]),
        (&json!([]), &json!([]), &Value::Null)
    );
    let told = String::from_utf8(node.home().run(&["sync", "status"]).stdout).expect("text");
    assert!(told.contains(other) && told.contains("✓ in step"), "{told}");

    // The end of it: nothing goes or comes any more.
    node.json(&["sync", "rm", other]);
    alice.note(&here, 10);
    assert_eq!(node.json(&["sync", "status"]), json!([]));
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!((alice.messages(other).len(), alice.messages(&here).len()), (all.len(), all.len() + 1));
}

#[test]
fn the_stock_server_and_a_node_are_in_step() {
    let stock = Stock::start();
    both_ways(&stock.url());
}

#[test]
fn two_nodes_are_in_step_over_http() {
    let other = node();
    both_ways(other.url());
}

#[test]
fn a_node_signs_for_its_own_identity_and_sends_nothing_back() {
    let stock = Stock::start();
    let between = Between::start(&stock.url());
    let node = node();
    let (did, url) = (node.did().to_owned(), between.url().to_owned());
    let dir = tempfile::tempdir().expect("a temp dir");
    let file = dir.path().join("file");
    std::fs::write(&file, definition().to_string()).expect("writes");
    let file = file.to_str().expect("UTF-8");
    node.json(&["protocol", "install", file]);
    node.json(&["sync", "add", &url]);
    in_step(&node, &url);
    // A stranger writes at the server, under the protocol that has just come there.
    let mut sdk = Sdk::start();
    sdk.persona("bob", "ed25519");
    let note = json!({
        "url": stock.url(), "as": "bob", "tenant": did, "size": 3_000_000, "protocol": PROTOCOL, "protocolPath": "note",
        "published": true,
    });
    let written = sdk.call("write", note);
    assert_eq!(code(&written), 202, "{written}");
    between.asked();
    let read = json!({"url": node.url(), "as": "bob", "tenant": did, "recordId": written["recordId"]});
    eventually("the stranger's note here", || {
        let read = sdk.call("read", read.clone());
        (code(&read) == 200).then(|| assert_eq!(read["data"]["sha256"], written["sha256"]))
    });
    node.json(&["record", "write", file, "--format", "text/plain"]);
    let mut sent = BTreeSet::new();
    let writes = |asked: &[Asked]| -> Vec<String> {
        asked.iter().filter(|(method, _)| method == "RecordsWrite").map(|(_, id)| id.clone()).collect()
    };
    eventually("the record there", || {
        sent.extend(writes(&between.asked()));
        (!sent.is_empty()).then_some(())
    });
    in_step(&node, &url);
    sent.extend(writes(&between.asked()));
    assert!(!sent.contains(written["recordId"].as_str().expect("an id")), "{sent:?}");
    // It goes on where it was: nothing is fetched or sent a second time. (The node itself writes when it starts.)
    let node = node.stop().up();
    in_step(&node, &url);
    let asked = between.asked();
    assert!(writes(&asked).iter().all(|id| !sent.contains(id)), "{asked:?}");
    let status = standing(&node, &url);
    assert_eq!((&status["pulled"], &status["put_aside_there"]), (&json!(0), &json!([])), "{status}");
}

#[test]
fn what_cannot_be_read_for_a_while_is_put_aside_and_comes_later() {
    let stock = Stock::start();
    let between = Between::start(&stock.url());
    let mut alice = Alice::new();
    let node = node();
    let (here, there, url) = (node.url().to_owned(), stock.url(), between.url().to_owned());
    alice.lets(&node);
    alice.done(&there, "configure", json!({"definition": definition()}));
    let notes: Vec<Value> = [100, 50_000, 200_000, 300].iter().map(|size| alice.note(&there, *size)).collect();
    let cid = |n: usize| notes[n]["messageCid"].as_str().expect("a CID").to_owned();
    let (broken, wrong, cut) = (cid(0), cid(1), cid(2));
    let spoils = Arc::new(AtomicBool::new(true));
    let spoiling = spoils.clone();
    between.spoil(move |(method, about)| {
        let is = |cid: &String| method == "MessagesRead" && about == cid && spoiling.load(Ordering::Relaxed);
        is(&broken)
            .then_some(Spoil::Status(500))
            .or_else(|| is(&wrong).then_some(Spoil::Bytes))
            .or_else(|| is(&cut).then_some(Spoil::Half))
    });
    alice.add(&node, &url);
    let aside = eventually("three to be put aside", || {
        let aside = standing(&node, &url)["put_aside"].clone();
        (aside.as_array().map(Vec::len) == Some(3)).then_some(aside)
    });
    let why = |n: usize| {
        let of = aside.as_array().expect("a list").iter().find(|one| one["digest"] == json!(cid(n)));
        of.unwrap_or_else(|| panic!("{} is not in {aside}", cid(n)))["why"].as_str().expect("a reason").to_owned()
    };
    assert!(why(0).contains("500"), "{}", why(0));
    assert!(why(1).contains("RecordsWriteDataCidMismatch"), "{}", why(1));
    assert!(why(2).contains("broke off"), "{}", why(2));
    // The others have come, and it is not said that both are in step.
    eventually("the last one", || (alice.messages(&here).contains(&cid(3))).then_some(()));
    let status = standing(&node, &url);
    assert!(status["in_step"] == false && status["problem"].is_null(), "{status}");
    // It is remembered over a restart.
    let node = node.stop().up();
    let here = node.url().to_owned();
    assert_eq!(standing(&node, &url)["put_aside"].as_array().map(Vec::len), Some(3));
    spoils.store(false, Ordering::Relaxed);
    alice.same(&here, &there);
    in_step(&node, &url);
    notes.iter().for_each(|note| alice.reads(&here, note));
}

#[test]
fn a_server_that_was_emptied_gets_all_again() {
    let mut stock = Stock::start();
    let url = stock.url();
    let mut alice = Alice::new();
    let node = node();
    let here = node.url().to_owned();
    alice.lets(&node);
    alice.done(&here, "configure", json!({"definition": definition()}));
    let notes = [alice.note(&here, 100), alice.note(&here, 200_000)];
    alice.add(&node, &url);
    let all = alice.same(&here, &url);
    in_step(&node, &url);
    // Put back to this state later.
    stock.down();
    let kept = tempfile::tempdir().expect("a temp dir");
    let copied = std::process::Command::new("cp").arg("-r").arg(stock.data()).arg(kept.path()).status();
    assert!(copied.expect("cp runs").success());
    stock.up();
    let later = alice.note(&here, 300);
    alice.same(&here, &url);
    in_step(&node, &url);

    stock.wipe();
    assert_eq!(alice.same(&here, &url).len(), all.len() + 1);
    notes.iter().chain([&later]).for_each(|note| alice.reads(&url, note));
    in_step(&node, &url);

    stock.down();
    std::fs::remove_dir_all(stock.data()).expect("removes");
    std::fs::rename(kept.path().join("data"), stock.data()).expect("renames");
    stock.up();
    assert_eq!(alice.same(&here, &url).len(), all.len() + 1);
    alice.reads(&url, &later);
}

#[test]
fn a_node_that_is_killed_again_and_again_gets_all() {
    let stock = Stock::start();
    let url = stock.url();
    let mut alice = Alice::new();
    let mut node = node();
    alice.lets(&node);
    alice.done(&url, "configure", json!({"definition": definition()}));
    let written: Vec<Value> = (0..40).map(|n| alice.note(&url, if n % 8 == 3 { 400_000 } else { 300 })).collect();
    for n in [2, 9] {
        alice.done(&url, "update", json!({"recordId": written[n]["recordId"], "size": 35_000}));
        alice.done(&url, "delete", json!({"recordId": written[n + 1]["recordId"]}));
    }
    alice.add(&node, &url);
    for kill in 0..5_usize {
        let enough = kill * 8 + 2;
        within(LONG, "some of it", || {
            (node.json(&["status"])["store"]["messages"].as_u64().expect("a number") as usize >= enough).then_some(())
        });
        node = node.kill().up();
    }
    let here = node.url().to_owned();
    alice.same(&here, &url);
    in_step(&node, &url);
    let kept = written.iter().enumerate().filter(|(n, _)| ![2, 3, 9, 10].contains(n));
    kept.for_each(|(_, note)| alice.reads(&here, note));
}

#[test]
fn what_the_server_refuses_is_put_aside_and_tried_again() {
    let stock = Stock::start();
    let between = Between::start(&stock.url());
    let mut alice = Alice::new();
    let node = node();
    let (here, url) = (node.url().to_owned(), between.url().to_owned());
    alice.lets(&node);
    alice.done(&here, "configure", json!({"definition": definition()}));
    let note = alice.note(&here, 100);
    let id = note["recordId"].as_str().expect("an id").to_owned();
    let spoils = Arc::new(AtomicBool::new(true));
    let spoiling = spoils.clone();
    between.spoil(move |(method, about)| {
        (method == "RecordsWrite" && *about == id && spoiling.load(Ordering::Relaxed)).then_some(Spoil::Status(413))
    });
    alice.add(&node, &url);
    let aside = eventually("it to be put aside", || {
        let aside = standing(&node, &url)["put_aside_there"][0].clone();
        aside.is_object().then_some(aside)
    });
    assert_eq!((&aside["code"], &aside["digest"]), (&json!(413), &note["messageCid"]));
    spoils.store(false, Ordering::Relaxed);
    alice.same(&here, &stock.url());
    in_step(&node, &url);
}

#[test]
fn while_sync_is_paused_servers_get_nothing_and_now_compares() {
    let other = node();
    let mut alice = Alice::new();
    let node = node();
    let here = node.url().to_owned();
    alice.lets(&node);
    alice.done(&here, "configure", json!({"definition": definition()}));
    alice.add(&node, other.url());
    alice.same(&here, other.url());
    node.json(&["sync", "pause"]);
    alice.note(&here, 100);
    let node = node.stop().up();
    let here = node.url().to_owned();
    std::thread::sleep(Duration::from_secs(2));
    let status = standing(&node, other.url());
    assert!(status["problem"].as_str().is_some_and(|why| why.contains("sync is paused here")), "{status}");
    assert_eq!(alice.messages(other.url()).len() + 1, alice.messages(&here).len());
    node.json(&["sync", "resume"]);
    alice.same(&here, other.url());
    assert_eq!(node.json(&["sync", "now"]), json!({"devices": 0, "remotes": 1}));
}

#[test]
fn what_cannot_be_a_remote_is_refused_with_the_reason() {
    let node = node();
    let rpc = Control::of(node.home());
    let fails = |params: Value| {
        let failed = rpc.fails("sync.attach", params);
        (failed.kind, failed.message)
    };
    for (url, why) in [
        ("dwn.example", "is no URL"),
        ("ftp://dwn.example", "neither https nor http"),
        ("https://a:b@dwn.example", "user or password"),
        (node.url(), "is this node itself"),
    ] {
        let (kind, message) = fails(json!({"url": url}));
        assert!(kind == "usage" && message.contains(why), "{url}: {message}");
    }
    let stranger = "did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK";
    let (kind, message) = fails(json!({"url": "http://127.0.0.1:9", "tenants": [stranger]}));
    assert!(
        kind == "denied" && message.contains("nobody here can sign") && message.contains("toft grant create"),
        "{message}"
    );
    let (_, message) = fails(json!({"url": "http://127.0.0.1:9", "protocols": ["notes.example/p/"]}));
    assert!(message.contains("http://notes.example/p"), "{message}");
    assert_eq!(rpc.fails("sync.detach", json!({"url": "http://127.0.0.1:9"})).kind, "not-found");
    // One that is away is kept, and says so.
    node.json(&["sync", "add", "http://127.0.0.1:9"]);
    let problem =
        eventually("the problem", || standing(&node, "http://127.0.0.1:9")["problem"].as_str().map(str::to_owned));
    assert!(problem.contains("cannot be reached"), "{problem}");
    let taken = rpc.fails("tenants.remove", json!({"did": node.did()}));
    assert!(taken.kind == "conflict" && taken.message.contains("http://127.0.0.1:9"), "{taken:?}");
}

#[test]
fn what_stays_on_this_device_does_not_go_to_servers() {
    let other = node();
    let mut alice = Alice::new();
    let node = home().set("sync.local_only", PROTOCOL).up();
    let here = node.url().to_owned();
    alice.lets(&node);
    alice.done(&here, "configure", json!({"definition": definition()}));
    alice.note(&here, 100);
    alice.sdk.persona("bob", "ed25519");
    let about = json!({"to": "bob", "scope": {"interface": "Records", "method": "Read", "protocol": PROTOCOL}});
    alice.done(&here, "grant", about);
    let goes = alice.done(&here, "write", json!({"size": 100, "dataFormat": "text/plain"}));
    alice.add(&node, other.url());
    in_step(&node, other.url());
    alice.note(&here, 50_000);
    let last = alice.done(&here, "write", json!({"size": 100, "dataFormat": "text/plain"}));
    in_step(&node, other.url());
    let there = alice.messages(other.url());
    for written in [&goes, &last] {
        assert!(there.contains(written["messageCid"].as_str().expect("a CID")), "{there:?}");
    }
    // The two grants to the node, and the two records.
    assert_eq!((there.len(), alice.messages(&here).len()), (4, 8));
}
