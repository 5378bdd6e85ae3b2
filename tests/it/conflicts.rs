//! Two devices edit one record without knowing of each other: what loses is kept where it was written, and can be had back.

use crate::{
    support::{
        control::Control,
        eventually,
        toft::{Home, Toft, random_file},
    },
    sync::in_step,
};
use serde_json::{Value, json};
use std::time::Duration;
use toft::crypto;

const PROTOCOL: &str = "http://notes.example/p";

/// The device that holds the identity's key, and a second one that writes in the identity's name.
struct Devices {
    a: Toft,
    b: Toft,
    dir: tempfile::TempDir,
}

fn pair(one: &Toft, other: &Toft, tenant: &str) {
    for (here, there) in [(one, other), (other, one)] {
        here.json(&["peer", "add", there.did(), &there.address("/tcp/"), "--tenant", tenant]);
    }
}

impl Devices {
    fn new() -> Self {
        let (a, b) = (Home::new().up(), Home::new().up());
        let dir = tempfile::tempdir().expect("a temp dir");
        let definition = json!({
            "protocol": PROTOCOL, "published": true, "types": {"note": {}, "reply": {}},
            "structure": {"note": {"reply": {}}},
        });
        let file = dir.path().join("definition");
        std::fs::write(&file, definition.to_string()).expect("writes");
        a.json(&["protocol", "install", &file.display().to_string()]);
        let devices = Self { a, b, dir };
        pair(&devices.a, &devices.b, devices.a.did());
        Control::of(devices.a.home()).call("grants.give", json!({"device": devices.b.did()}));
        let first = devices.note("the first");
        let asked = json!({"tenant": devices.a.did(), "filter": {"protocol": PROTOCOL}});
        let rpc = Control::of(devices.b.home());
        eventually("B to act in A's name", || {
            let page = rpc.ask("records.query", asked.clone()).ok()?;
            page.to_string().contains(&first).then_some(())
        });
        in_step(&devices.a, &devices.b);
        devices
    }

    /// A new note of A's; its recordId.
    fn note(&self, text: &str) -> String {
        let note = json!({"protocol": PROTOCOL, "protocolPath": "note", "dataFormat": "text/plain", "data": crypto::encode(text.as_bytes())});
        let written = Control::of(self.a.home()).call("records.write", note);
        written["recordId"].as_str().expect("a recordId").to_owned()
    }

    /// A new state of the record, written on this device.
    fn edit(&self, on: &Toft, record: &str, data: &[u8]) -> Value {
        let file = self.dir.path().join("edit");
        std::fs::write(&file, data).expect("writes");
        let file = file.display().to_string();
        // An edit of the other device's may come between looking and writing: then it is looked at again.
        eventually("the edit to be written", || {
            let output =
                on.home().run(&["record", "write", &file, "--record", record, "--tenant", self.a.did(), "--json"]);
            output.status.success().then(|| serde_json::from_slice(&output.stdout).expect("is JSON"))
        })
    }

    /// Its data, as this device has it.
    fn data(&self, on: &Toft, record: &str) -> Vec<u8> {
        // A newer state may come between finding and reading it.
        eventually("the record to be read", || {
            let output = on.home().run(&["record", "read", record, "--tenant", self.a.did()]);
            output.status.success().then_some(output.stdout)
        })
    }

    fn apart(&self) {
        self.a.json(&["sync", "pause"]);
    }

    fn meet(&self) {
        self.a.json(&["sync", "resume"]);
        in_step(&self.a, &self.b);
    }
}

fn conflicts(node: &Toft) -> Vec<Value> {
    node.json(&["conflict", "ls"]).as_array().expect("a list").clone()
}

#[track_caller]
fn one(node: &Toft) -> Value {
    let all = conflicts(node);
    assert_eq!(all.len(), 1, "{all:#?}");
    all[0].clone()
}

/// The data of what lost.
fn lost(devices: &Devices, on: &Toft, id: &str) -> Vec<u8> {
    let file = devices.dir.path().join("lost");
    on.json(&["conflict", "show", id, "-o", &file.display().to_string(), "--force"]);
    std::fs::read(file).expect("it is saved")
}

fn id(conflict: &Value) -> &str {
    conflict["id"].as_str().expect("an id")
}

#[test]
fn an_edit_that_lost_unseen_is_listed_shown_and_brought_back_on_both_devices() {
    let devices = Devices::new();
    let Devices { a, b, dir } = &devices;
    let record = devices.note("begun");
    in_step(a, b);
    // Large data lies in blocks of its own, small data in the log.
    let (_, large) = random_file(dir.path(), "large", 300_000);
    for (loser, winner, bytes) in [(a, b, large.as_slice()), (b, a, b"small".as_slice())] {
        devices.apart();
        devices.edit(loser, &record, b"not the last of those that nobody saw");
        let mine = devices.edit(loser, &record, bytes);
        let theirs = devices.edit(winner, &record, b"the later one");
        devices.meet();
        assert_eq!(conflicts(winner), [] as [Value; 0]);
        let conflict = one(loser);
        assert_eq!(conflict["recordId"], record);
        assert_eq!((&conflict["tenant"], &conflict["by"]), (&json!(a.did()), &json!(winner.did())));
        assert_eq!(conflict["lost"]["messageCid"], mine["messageCid"]);
        assert_eq!(conflict["won"]["messageCid"], theirs["messageCid"]);
        assert_eq!((&conflict["deleted"], &conflict["dataSize"]), (&json!(false), &json!(bytes.len())));
        assert_eq!(loser.json(&["status"])["conflicts"], json!({"conflicts": 1, "bytes": bytes.len()}));
        for words in [&["sync", "status"][..], &["status"]] {
            let said = String::from_utf8(loser.home().run(words).stdout).expect("text");
            assert!(said.contains("1 edit made here lost to edits of other devices"), "{said}");
        }
        let shown = loser.json(&["conflict", "show", id(&conflict)]);
        let differs: Vec<_> = shown["differs"].as_array().expect("a list").iter().map(|it| &it["property"]).collect();
        assert_eq!(differs, [&json!("dataCid"), &json!("dataSize")]);
        // Neither a collection nor a compaction takes it away, nor that the index is built anew.
        loser.json(&["storage", "gc"]);
        loser.json(&["storage", "compact"]);
        assert_eq!(lost(&devices, loser, id(&conflict)), bytes);
        assert_eq!(devices.data(loser, &record), b"the later one");

        let kept = loser.json(&["conflict", "keep", id(&conflict)]);
        assert_eq!(kept["dataCid"], conflict["dataCid"]);
        in_step(a, b);
        for node in [a, b] {
            assert_eq!(devices.data(node, &record), bytes);
            assert_eq!(conflicts(node), [] as [Value; 0], "what is kept knew what it replaced");
        }
    }
}

#[test]
fn edits_that_follow_one_another_are_no_conflict() {
    let Devices { a, b, dir } = Devices::new();
    let devices = Devices { a, b, dir };
    let record = devices.note("begun");
    in_step(&devices.a, &devices.b);
    for turn in 0..4 {
        let (here, there) = if turn % 2 == 0 { (&devices.a, &devices.b) } else { (&devices.b, &devices.a) };
        devices.apart();
        // However many of them nobody has seen in between.
        for n in 0..10 {
            devices.edit(here, &record, format!("{turn} {n}").as_bytes());
        }
        devices.meet();
        assert_eq!(devices.data(there, &record), format!("{turn} 9").as_bytes());
    }
    // Neither does what was known depend on a session or a run, nor on what compaction has left of the log.
    for node in [&devices.a, &devices.b] {
        node.json(&["storage", "compact", "--above", "0"]);
    }
    let Devices { a, b, dir } = devices;
    let devices = Devices { a: a.stop().up(), b, dir };
    for (node, text) in [(&devices.b, "after a restart"), (&devices.a, "and once more")] {
        devices.edit(node, &record, text.as_bytes());
        eventually("it on both", || {
            let has = |node| devices.data(node, &record) == text.as_bytes();
            (has(&devices.a) && has(&devices.b)).then_some(())
        });
    }
    // Both say the same, without knowing of each other.
    devices.apart();
    devices.edit(&devices.a, &record, b"the same");
    devices.edit(&devices.b, &record, b"the same");
    devices.meet();
    assert_eq!((conflicts(&devices.a), conflicts(&devices.b)), (vec![], vec![]));
}

#[test]
fn a_delete_that_takes_an_unseen_edit_away_leaves_it_to_be_saved() {
    let devices = Devices::new();
    let Devices { a, b, .. } = &devices;
    let (record, post) = (devices.note("begun"), devices.note("a post"));
    in_step(a, b);
    devices.apart();
    devices.edit(a, &record, b"mine");
    let reply = json!({"protocol": PROTOCOL, "protocolPath": "note/reply", "parentContextId": post, "dataFormat": "text/plain",
        "data": crypto::encode(b"a reply")});
    Control::of(a.home()).call("records.write", reply);
    b.json(&["record", "delete", &record, "--tenant", a.did()]);
    b.json(&["record", "delete", &post, "--prune", "--tenant", a.did()]);
    devices.meet();
    assert_eq!(conflicts(b), [] as [Value; 0]);
    let all = conflicts(a);
    assert_eq!(all.len(), 2, "{all:#?}");
    for (conflict, data) in all.iter().zip([b"mine".as_slice(), b"a reply"]) {
        assert_eq!(conflict["deleted"], true);
        assert_eq!(lost(&devices, a, id(conflict)), data);
        let keep = a.home().run(&["conflict", "keep", id(conflict)]);
        let said = String::from_utf8_lossy(&keep.stderr).into_owned();
        assert_eq!(keep.status.code(), Some(5), "{said}");
        assert!(said.contains("was deleted") && said.contains("write it as a new record"), "{said}");
    }
    for conflict in &all {
        a.json(&["conflict", "rm", id(conflict)]);
    }
    assert_eq!(conflicts(a), [] as [Value; 0]);
    assert_eq!(a.home().run(&["conflict", "show", id(&all[0])]).status.code(), Some(3));
}

/// Between the device that wrote one edit and that which wrote the other stands a third, which has taken both.
#[test]
fn who_brings_it_need_not_be_who_wrote_it() {
    let devices = Devices::new();
    let Devices { a, b, .. } = &devices;
    let c = Home::new().up();
    let record = devices.note("begun");
    in_step(a, b);
    a.json(&["peer", "rm", b.did()]);
    b.json(&["peer", "rm", a.did()]);
    pair(a, &c, a.did());
    pair(b, &c, a.did());
    let meet = |node: &Toft| {
        node.json(&["sync", "resume"]);
        in_step(node, &c);
    };
    let leave = |node: &Toft| drop(node.json(&["sync", "pause"]));
    in_step(a, &c);
    in_step(b, &c);
    leave(a);
    leave(b);
    devices.edit(a, &record, b"from A");
    devices.edit(b, &record, b"from B");
    meet(a);
    leave(a);
    meet(b);
    meet(a);
    assert_eq!(lost(&devices, a, id(&one(a))), b"from A");
    assert_eq!((conflicts(b), conflicts(&c)), (vec![], vec![]));
    // A goes on from there; that is known wherever it comes by.
    devices.edit(a, &record, b"A again");
    eventually("it on B", || (devices.data(b, &record) == b"A again").then_some(()));
    devices.edit(b, &record, b"B again");
    eventually("it on A", || (devices.data(a, &record) == b"B again").then_some(()));
    assert_eq!((conflicts(a).len(), conflicts(b), conflicts(&c)), (1, vec![], vec![]));
}

#[test]
fn killed_while_they_meet_nothing_that_loses_is_forgotten() {
    let mut devices = Devices::new();
    let mut all = vec![];
    for round in 0..8 {
        let record = devices.note("begun");
        in_step(&devices.a, &devices.b);
        devices.apart();
        let text = format!("of round {round}");
        let mine = devices.edit(&devices.a, &record, text.as_bytes());
        devices.edit(&devices.b, &record, b"theirs");
        devices.a.json(&["sync", "resume"]);
        std::thread::sleep(Duration::from_millis(40 * round));
        let Devices { a, b, dir } = devices;
        devices = Devices { a: a.kill().up(), b, dir };
        in_step(&devices.a, &devices.b);
        all.push((mine["messageCid"].clone(), text));
        let listed: Vec<_> = conflicts(&devices.a).iter().map(|conflict| conflict["id"].clone()).collect();
        assert_eq!(listed, all.iter().map(|(id, _)| id.clone()).collect::<Vec<_>>());
    }
    for (id, text) in &all {
        assert_eq!(lost(&devices, &devices.a, id.as_str().expect("a CID")), text.as_bytes());
    }
    assert_eq!(conflicts(&devices.b), [] as [Value; 0]);
}

#[test]
fn what_has_been_kept_for_its_time_is_gone_with_its_data() {
    let devices = Devices::new();
    let record = devices.note("begun");
    in_step(&devices.a, &devices.b);
    devices.apart();
    let (_, large) = random_file(devices.dir.path(), "large", 300_000);
    let mine = devices.edit(&devices.a, &record, &large);
    devices.edit(&devices.b, &record, b"the later one");
    devices.meet();
    let Devices { a, b, dir } = devices;
    // It is kept over a restart too.
    let devices = Devices { a: a.stop().up(), b, dir };
    devices.a.json(&["storage", "gc"]);
    assert_eq!(lost(&devices, &devices.a, id(&one(&devices.a))), large);
    let a = devices.a.stop().set("retention.conflicts", "1s").set("retention.every", "1s").up();
    eventually("it to be forgotten", || conflicts(&a).is_empty().then_some(()));
    a.json(&["storage", "gc"]);
    let gone = Control::of(a.home()).fails("blocks.stat", json!({"cid": mine["dataCid"]}));
    assert_eq!(gone.kind, "not-found", "{gone:?}");
}
