//! What is kept, and for how long: records whose time is over, quotas, a disk that is nearly full.

use crate::support::{
    eventually,
    sdk::{Sdk, code},
    toft::{Home, Toft},
};
use serde_json::{Value, json};
use toft::{dwn::create, identity, vault::Vault};

const PROTOCOL: &str = "http://notes.example/p";

fn home() -> Home {
    Home::new().set("dwn.tenants", "open").set("store.min_free", "0").set("retention.every", "200ms")
}

/// A rule that anything written before is over by.
fn rule(path: &str, tenant: &str) -> String {
    format!(r#"[{{ protocol = "{PROTOCOL}", path = "{path}", tenant = "{tenant}", keep = "250ms" }}]"#)
}

fn definition() -> Value {
    let anyone = json!([{"who": "anyone", "can": ["create", "read"]}]);
    json!({
        "protocol": PROTOCOL, "published": true, "types": {"note": {}, "letter": {}},
        "structure": {"note": {"$actions": anyone}, "letter": {"$actions": anyone}},
    })
}

/// Who writes to whom, and what else.
fn at(node: &Toft, tenant: &str, fields: Value) -> Value {
    let mut all = json!({"url": node.url(), "as": "bob", "tenant": tenant});
    all.as_object_mut().expect("an object").extend(fields.as_object().expect("an object").clone());
    all
}

fn read(sdk: &mut Sdk, node: &Toft, tenant: &str, record: &Value) -> u64 {
    code(&sdk.call("read", at(node, tenant, json!({"recordId": record["recordId"]}))))
}

/// Sends a message as it is, with its data.
fn post(sdk: &mut Sdk, node: &Toft, tenant: &str, message: &Value, data: &Value) -> Value {
    let mut params = json!({"target": tenant, "message": message});
    if !data.is_null() {
        params["encodedData"] = data.clone();
    }
    let body = json!({"jsonrpc": "2.0", "id": "7", "method": "dwn.processMessage", "params": params}).to_string();
    let headers = json!({"content-type": "application/json"});
    let sent = json!({"url": node.url(), "path": "/", "method": "POST", "headers": headers, "body": body});
    let answer = sdk.call("get", sent);
    assert_eq!((&answer["http"], &answer["json"]["id"]), (&json!(200), &json!("7")), "{answer}");
    answer["json"]["result"]["reply"].clone()
}

fn block_files(node: &Toft) -> u64 {
    node.json(&["storage", "du"])["blocks"]["files"].as_u64().expect("a number")
}

#[test]
fn the_nodes_own_records_end_on_every_device() {
    let (a, b) = (home().up(), home().up());
    let (mut sdk, own) = (Sdk::start(), a.did().to_owned());
    sdk.persona("bob", "ed25519");
    // The owner's key is in the home: installing the protocol is an app's work.
    let secrets = Vault::at(&a.home().path().join("keys")).open(None).expect("opens");
    let configure = create::protocols_configure(definition(), &toft::node::now(), &identity::signer(secrets.own()));
    let configured = post(&mut sdk, &a, &own, &configure.expect("made"), &Value::Null);
    assert_eq!(code(&configured), 202, "{configured}");
    let fields = |path: &str| json!({"protocol": PROTOCOL, "protocolPath": path, "size": 70_000});
    let notes: Vec<_> = (0..3).map(|_| sdk.call("write", at(&a, &own, fields("note")))).collect();
    let letter = sdk.call("write", at(&a, &own, fields("letter")));
    let made =
        json!({"kind": "RecordsWrite", "as": "bob", "text": "replayed", "protocol": PROTOCOL, "protocolPath": "note"});
    let made = sdk.call("make", made);
    let sent = post(&mut sdk, &a, &own, &made["message"], &made["encodedData"]);
    for reply in notes.iter().chain([&letter, &sent]) {
        assert_eq!(code(reply), 202, "{reply}");
    }
    for (here, there) in [(&a, &b), (&b, &a)] {
        here.json(&["peer", "add", there.did(), &there.address("/tcp/")]);
    }
    for record in notes.iter().chain([&letter, &made["message"]]) {
        eventually("the record on the other device", || (read(&mut sdk, &b, &own, record) == 200).then_some(()));
    }
    assert_eq!((block_files(&a), block_files(&b)), (4, 4));

    // From now on there is a rule, on the owner's node alone.
    let a = a.stop().set("retention.rules", &rule("note", "")).up();
    for node in [&a, &b] {
        for record in notes.iter().chain([&made["message"]]) {
            eventually("the note's end", || (read(&mut sdk, node, &own, record) == 404).then_some(()));
        }
        assert_eq!(read(&mut sdk, node, &own, &letter), 200, "no rule is about letters");
        node.json(&["storage", "gc"]);
        assert_eq!(block_files(node), 1, "the data went as well");
        let again = post(&mut sdk, node, &own, &made["message"], &made["encodedData"]);
        assert_eq!(code(&again), 409, "a replay brings nothing back: {again}");
        assert_eq!(read(&mut sdk, node, &own, &made["message"]), 404);
    }
    let retention = &a.json(&["status"])["retention"];
    assert_eq!((&retention["rules"], &retention["deleted"], &retention["purged"]), (&json!(1), &json!(4), &json!(0)));
    let said = String::from_utf8(a.home().run(&["storage", "du"]).stdout).expect("UTF-8");
    assert!(said.contains("1 rules; since the start 4 records deleted"), "{said}");
    let metrics = sdk.call("get", json!({"url": a.url(), "path": "/metrics"}));
    let text = metrics["text"].as_str().expect("text");
    assert!(text.contains(r#"toft_retention_records_total{how="deleted"} 4"#), "{text}");
}

#[test]
fn records_of_others_leave_this_node_and_do_not_come_back() {
    let node = home().up();
    let mut sdk = Sdk::start();
    let bob = sdk.persona("bob", "ed25519");
    assert_eq!(code(&sdk.call("configure", at(&node, &bob, json!({"definition": definition()})))), 202);
    let note = json!({"protocol": PROTOCOL, "protocolPath": "note", "size": 70_000});
    let notes: Vec<_> = (0..3).map(|_| sdk.call("write", at(&node, &bob, note.clone()))).collect();
    let updated = sdk.call("update", at(&node, &bob, json!({"recordId": notes[0]["recordId"], "size": 80_000})));
    assert_eq!(code(&updated), 202, "{updated}");
    let made =
        json!({"kind": "RecordsWrite", "as": "bob", "text": "replayed", "protocol": PROTOCOL, "protocolPath": "note"});
    let made = sdk.call("make", made);
    assert_eq!(code(&post(&mut sdk, &node, &bob, &made["message"], &made["encodedData"])), 202);

    let node = node.stop().set("retention.rules", &rule("note", "*")).up();
    for record in notes.iter().chain([&made["message"]]) {
        eventually("the note's end", || (read(&mut sdk, &node, &bob, record) == 404).then_some(()));
    }
    let left = sdk.call("messages", at(&node, &bob, json!({})));
    assert_eq!(left["entries"].as_array().map(Vec::len), Some(1), "the protocol alone: {left}");
    node.json(&["storage", "gc"]);
    assert_eq!(block_files(&node), 0);
    let again = post(&mut sdk, &node, &bob, &made["message"], &made["encodedData"]);
    let detail = again["status"]["detail"].as_str().unwrap_or_default();
    assert!(code(&again) == 409 && detail.starts_with("RecordExpired: ") && detail.contains("for 250ms"), "{again}");
    assert_eq!(node.json(&["status"])["retention"]["purged"], 4);

    // Without the rule it is a record like any other again, and after a rebuild of the index nothing else is here.
    let node = node.stop().set("retention.rules", "");
    std::fs::remove_dir_all(node.path().join("store/index")).expect("removes");
    let node = node.up();
    assert_eq!(read(&mut sdk, &node, &bob, &notes[0]), 404);
    assert_eq!(code(&post(&mut sdk, &node, &bob, &made["message"], &made["encodedData"])), 202);
}

#[test]
fn a_rule_without_sense_is_named_before_anything_starts() {
    let home = home().set("retention.rules", r#"[{ path = "note", keep = "1d" }]"#);
    let output = home.run(&["config", "check"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && said.contains("rule 1: protocol and path go together"), "{said}");
}

#[test]
fn a_tenant_has_its_quota_and_is_told_so_with_507() {
    let node = home().set("dwn.quota", "150000").up();
    let mut sdk = Sdk::start();
    let (bob, carol) = (sdk.persona("bob", "ed25519"), sdk.persona("carol", "secp256k1"));
    let first = sdk.call("write", at(&node, &bob, json!({"size": 70_000})));
    let second = sdk.call("write", at(&node, &bob, json!({"size": 70_000})));
    assert_eq!((code(&first), code(&second)), (202, 202));
    for size in [70_000, 10_001] {
        let refused = sdk.call("write", at(&node, &bob, json!({"size": size})));
        let detail = refused["status"]["detail"].as_str().unwrap_or_default();
        // As every judgement of a message: answered with 200, the status inside.
        assert_eq!(
            (&refused["http"], code(&refused), &refused["error"]),
            (&json!(200), 507, &Value::Null),
            "{refused}"
        );
        let why = format!("QuotaExceeded: {bob} holds 140000 bytes here, {size} more would be above its 150000");
        assert_eq!(detail, why);
        assert_eq!(read(&mut sdk, &node, &bob, &refused), 404, "nothing of it is here");
    }
    // What fits is taken, and others have their own.
    assert_eq!(code(&sdk.call("write", at(&node, &bob, json!({"size": 10_000})))), 202);
    assert_eq!(code(&sdk.call("write", at(&node, &carol, json!({"as": "carol", "size": 70_000})))), 202);
    assert_eq!(read(&mut sdk, &node, &bob, &first), 200, "reading goes on");
    // A message without data needs no room; what is deleted gives its room back.
    assert_eq!(code(&sdk.call("delete", at(&node, &bob, json!({"recordId": first["recordId"]})))), 202);
    assert_eq!(code(&sdk.call("write", at(&node, &bob, json!({"size": 70_000})))), 202);
    assert_eq!(code(&sdk.call("write", at(&node, &bob, json!({"size": 70_000})))), 507);
    let node = node.stop().set("dwn.quota", "1000000").up();
    assert_eq!(code(&sdk.call("write", at(&node, &bob, json!({"size": 70_000})))), 202);
    assert_eq!(read(&mut sdk, &node, &bob, &second), 200);
}

#[test]
fn below_its_reserve_a_node_reads_says_so_and_comes_back() {
    let node = home().up();
    let mut sdk = Sdk::start();
    let bob = sdk.persona("bob", "ed25519");
    let kept = sdk.call("write", at(&node, &bob, json!({"size": 70_000})));
    assert_eq!(code(&kept), 202);
    let health = |sdk: &mut Sdk, node: &Toft| sdk.call("get", json!({"url": node.url(), "path": "/health"}));
    let fine = health(&mut sdk, &node);
    assert_eq!(fine["json"], json!({"ok": true, "writable": true, "degraded": false, "damaged": 0}));
    assert_eq!(node.json(&["status"])["read_only"], Value::Null);

    // No disk has so much.
    let node = node.stop().set("store.min_free", "9000000000000000000").up();
    for size in [10, 70_000] {
        let refused = sdk.call("write", at(&node, &bob, json!({"size": size})));
        let detail = refused["status"]["detail"].as_str().unwrap_or_default();
        assert_eq!(
            (&refused["http"], code(&refused), &refused["error"]),
            (&json!(200), 507, &Value::Null),
            "{refused}"
        );
        assert!(detail.starts_with("InsufficientStorage: this node is read-only: "), "{refused}");
        assert_eq!(read(&mut sdk, &node, &bob, &refused), 404);
    }
    assert_eq!(code(&sdk.call("configure", at(&node, &bob, json!({"definition": definition()})))), 507);
    assert_eq!(read(&mut sdk, &node, &bob, &kept), 200, "reading goes on");
    let said = health(&mut sdk, &node);
    assert_eq!(
        (&said["http"], &said["json"]["ok"], &said["json"]["writable"]),
        (&json!(200), &json!(true), &json!(false))
    );
    assert!(said["json"]["reason"].as_str().is_some_and(|why| why.contains("store.min_free")), "{said}");
    assert!(node.json(&["status"])["read_only"].as_str().is_some_and(|why| why.contains("read-only")));
    let text = String::from_utf8(node.home().run(&["status"]).stdout).expect("UTF-8");
    assert!(text.contains("this node is read-only"), "{text}");

    let node = node.stop().set("store.min_free", "0").up();
    assert_eq!(code(&sdk.call("write", at(&node, &bob, json!({"size": 70_000})))), 202);
    assert_eq!(read(&mut sdk, &node, &bob, &kept), 200);
    assert_eq!(health(&mut sdk, &node)["json"]["writable"], true);
}
