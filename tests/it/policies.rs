//! Policies beside a protocol: the node holds to them whoever writes, and however many at once.

use crate::support::{
    control::Control,
    eventually,
    sdk::{Sdk, code},
    toft::{Home, Toft},
};
use serde_json::{Value, json};
use std::{io::Write as _, process::Stdio, time::Duration};
use toft::{crypto::ed25519_public, did, dwn::create};

const SHOP: &str = "http://shop.example/p";

fn shop() -> Value {
    let anyone = json!([{"who": "anyone", "can": ["create", "read", "update", "co-update"]}]);
    json!({
        "protocol": SHOP, "published": true, "types": {"coin": {}, "offer": {"dataFormats": ["application/json"]}},
        "structure": {"coin": {"$actions": anyone}, "offer": {"$actions": anyone}},
    })
}

fn policy() -> Value {
    json!({"protocol": SHOP, "paths": {
        "coin": {"immutable": true, "unique": [{"by": ["tag.spends"]}]},
        "offer": {
            "data": {"type": "object", "properties": {"price": {"type": "integer"}}, "required": ["price"]},
            "transitions": [{"tag": "status", "start": ["open"], "moves": [
                {"from": ["open"], "to": ["taken"], "by": [{"who": "tenant"}]},
            ]}],
        },
    }})
}

/// Gives a command what it reads from standard input; its outcome.
fn fed(node: &Toft, args: &[&str], input: &Value) -> std::process::Output {
    let mut command = node.home().command(args);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("runs");
    child.stdin.take().expect("is piped").write_all(input.to_string().as_bytes()).expect("is read");
    child.wait_with_output().expect("it ends")
}

fn said(output: &std::process::Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr[..]].concat()).into_owned()
}

fn coin(spends: &str) -> Value {
    json!({
        "protocol": SHOP, "protocolPath": "coin", "data": toft::crypto::encode(spends.as_bytes()), "dataFormat": "text/plain",
        "tags": {"spends": [spends]},
    })
}

#[test]
fn a_policy_holds_for_everybody_at_every_door() {
    let node = Home::new().set("dwn.tenants", "open").up();
    let (control, mut sdk) = (Control::of(node.home()), Sdk::start());
    let bob = sdk.persona("bob", "ed25519");
    let set = fed(&node, &["protocol", "policy", "set", "-"], &policy());
    assert!(!set.status.success() && said(&set).contains("not installed"), "{}", said(&set));
    control.call("protocols.install", json!({"definition": shop()}));
    // Two of before.
    let before: Vec<Value> = (0..2).map(|_| control.call("records.write", coin("a:0"))).collect();
    let tried = fed(&node, &["protocol", "policy", "set", "-", "--dry-run"], &policy());
    let text = said(&tried);
    assert!(tried.status.success() && text.contains("Nothing was set") && text.contains("1 of 2 records"), "{text}");
    assert!(text.contains(before[1]["recordId"].as_str().expect("an id")), "{text}");
    assert_eq!(control.call("policies.list", json!({})), json!([]));

    let set = fed(&node, &["protocol", "policy", "set", "-"], &policy());
    assert!(set.status.success(), "{}", said(&set));
    let listed = node.json(&["protocol", "policy", "ls"]);
    assert_eq!((&listed[0]["protocol"], &listed[0]["policy"]), (&json!(SHOP), &policy()));
    let refused = control.fails("records.write", coin("a:0")).message;
    assert!(refused.contains("PolicyNotUnique"), "{refused}");
    let id = before[0]["recordId"].as_str().expect("an id");
    let refused = control.fails("records.delete", json!({"recordId": id})).message;
    assert!(refused.contains("PolicyImmutable"), "{refused}");

    // By the dialect, as a stranger.
    let to_node = |fields: Value| {
        let mut all = json!({
            "url": node.url(), "as": "bob", "tenant": node.did(), "protocol": SHOP, "protocolPath": "offer", "schema": null,
            "dataFormat": "application/json",
        });
        all.as_object_mut().expect("an object").extend(fields.as_object().expect("an object").clone());
        all
    };
    let offer = |data: &str, tags: Value| to_node(json!({"text": data, "tags": tags}));
    for (data, tags, why) in [
        ("{}", json!({"status": "open"}), "PolicyDataInvalid"),
        (r#"{"price": "much"}"#, json!({"status": "open"}), "/price"),
        (r#"{"price": 1}"#, json!({"status": "taken"}), "PolicyTransition"),
    ] {
        let reply = sdk.call("write", offer(data, tags));
        assert!(code(&reply) == 400 && reply["status"]["detail"].as_str().is_some_and(|d| d.contains(why)), "{reply}");
    }
    let taken = sdk.call("write", offer(r#"{"price": 1}"#, json!({"status": "open"})));
    assert_eq!(code(&taken), 202, "{taken}");
    let change = json!({"recordId": taken["recordId"], "tags": {"status": "taken"}});
    control.call("records.write", change);
    assert!(!bob.is_empty());

    // Fifty at once spend one coin.
    let call = |id: usize| json!({"jsonrpc": "2.0", "id": id, "method": "records.write", "params": coin("b:1")});
    let (_, answers) = control.send("POST", "/rpc", Value::from_iter((0..50).map(call)).to_string().as_bytes());
    let answers: Vec<Value> = serde_json::from_slice(&answers).expect("JSON");
    let refused = |answer: &&Value| answer["error"]["message"].as_str().is_some_and(|m| m.contains("PolicyNotUnique"));
    assert_eq!((answers.len(), answers.iter().filter(refused).count()), (50, 49), "{answers:?}");

    // Also after a crash; and not any more without it.
    let node = node.kill().up();
    let control = Control::of(node.home());
    assert!(control.fails("records.write", coin("b:1")).message.contains("PolicyNotUnique"));
    node.json(&["protocol", "policy", "rm", SHOP]);
    control.call("records.write", coin("b:1"));
    assert!(control.fails("policies.remove", json!({"protocol": SHOP})).message.contains("has no policy"));
}

#[test]
fn a_policy_is_followed_on_every_device_and_what_one_has_judged_is_taken() {
    let (desk, phone) = (Home::new().up(), Home::new().up());
    let code = desk.json(&["pair", "--offer"])["code"].as_str().expect("a code").to_owned();
    let mut join = phone.home().command(&["join", &code]);
    let joining = join.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it runs");
    let digits = eventually("a device to ask", || {
        let standing = desk.json(&["device", "confirm"]);
        (standing["state"] == "asks").then(|| standing["digits"].as_str().expect("digits").to_owned())
    });
    desk.json(&["device", "confirm", &digits]);
    assert!(joining.wait_with_output().expect("it ends").status.success());
    let (at_desk, on_phone) = (Control::of(desk.home()), Control::of(phone.home()));
    at_desk.call("protocols.install", json!({"definition": shop()}));
    let first = at_desk.call("records.write", coin("a:0"));
    at_desk.call("policies.set", json!({"policy": policy()}));
    let write = |mut coin: Value| {
        coin["tenant"] = desk.did().into();
        on_phone.ask("records.write", coin)
    };
    eventually("the policy on the phone", || {
        // Until it is there the phone takes what has its own name.
        let refused = write(coin("a:0")).err()?;
        refused.message.contains("PolicyNotUnique").then_some(())
    });
    eventually("both to have what was taken", || {
        let count = |control: &Control| {
            let filter = json!({"filter": {"protocol": SHOP, "protocolPath": "coin"}, "tenant": desk.did()});
            control.call("records.query", filter)["entries"].as_array().map(Vec::len)
        };
        (count(&at_desk) == count(&on_phone)).then_some(())
    });
    assert!(first["recordId"].is_string());
}

/// Somebody with the key of all fives.
fn person() -> (String, String) {
    let did = did::key::from_ed25519(&ed25519_public(&[5; 32]));
    let kid = did::key::kid(&did);
    (did.as_str().to_owned(), kid)
}

#[test]
fn definitions_and_policies_that_are_bombs_are_refused_and_the_node_is_well() {
    let node = Home::new().set("dwn.tenants", "open").up();
    let control = Control::of(node.home());
    control.call("protocols.install", json!({"definition": shop()}));
    let (idle, began) = (node.memory(), std::time::Instant::now());
    let types = |n: usize, schema: &str| -> Value {
        let types: serde_json::Map<_, _> =
            (0..n).map(|i| (format!("t{i}"), json!({"schema": format!("http://s.example/{schema}")}))).collect();
        let structure: serde_json::Map<_, _> = (0..n).map(|i| (format!("t{i}"), json!({}))).collect();
        json!({"protocol": "http://large.example", "published": false, "types": types, "structure": structure})
    };
    let (_, kid) = person();
    let by_the_dialect = |definition: Value| {
        let signer = toft::crypto::Signer::new(zeroize::Zeroizing::new([5; 32]), kid.clone());
        let message =
            create::protocols_configure(definition, "2026-01-02T03:04:05.000000Z", &signer).expect("is signed");
        let params = json!({"target": signer.did(), "message": message});
        let body = json!({"jsonrpc": "2.0", "id": "7", "method": "dwn.processMessage", "params": params}).to_string();
        let agent = ureq::Agent::config_builder().http_status_as_error(false).build().new_agent();
        let mut answer = agent.post(node.url()).content_type("application/json").send(body).expect("an answer");
        (answer.status().as_u16(), answer.body_mut().read_to_string().expect("a text"))
    };
    let large = types(1_000, &"x".repeat(10_000));
    let call =
        json!({"jsonrpc": "2.0", "id": 1, "method": "protocols.install", "params": {"definition": large}}).to_string();
    let (status, said) = control.send("POST", "/rpc", call.as_bytes());
    assert!(status == 413 && String::from_utf8_lossy(&said).contains("at most"), "10 MB");
    let (status, said) = by_the_dialect(large);
    assert!(status == 413 && !said.is_empty(), "{status} {said}");
    let many = types(5_000, "s");
    let refused = control.fails("protocols.install", json!({"definition": many})).message;
    assert!(refused.contains("5000 types"), "{}", &refused[..refused.len().min(300)]);
    let (_, said) = by_the_dialect(many);
    assert!(said.contains("ProtocolsConfigureTooLarge"), "5,000 types: {said}");
    let mut deep = json!({"type": "object"});
    for _ in 0..50 {
        deep = json!({"properties": {"a": deep}});
    }
    let doubling: serde_json::Map<String, Value> = (0..200)
        .map(|n| {
            (
                format!("d{n}"),
                json!({"allOf": [{"$ref": format!("#/$defs/d{}", n + 1)}, {"$ref": format!("#/$defs/d{}", n + 1)}]}),
            )
        })
        .chain([("d200".to_owned(), json!(true))])
        .collect();
    let bombs = [
        deep,
        json!({"$ref": "#"}),
        json!({"$defs": doubling, "$ref": "#/$defs/d0"}),
        json!({"pattern": "(((x{1000}){1000}){1000}){1000}"}),
        json!({"pattern": "(?=a)b"}),
        json!({"$ref": "https://example.com/schema.json"}),
        json!({"$ref": "file:///etc/passwd"}),
        json!({"enum": "x".repeat(20_000)}),
    ];
    for bomb in bombs {
        let policy = json!({"protocol": SHOP, "paths": {"offer": {"data": bomb}}});
        let why = control.fails("policies.set", json!({"policy": policy})).message;
        assert!(why.contains("no policy that can be followed"), "{why}");
    }
    assert!(began.elapsed() < Duration::from_secs(60), "it does not wait for any of them");
    assert!(node.memory() < idle + (64 << 20), "{} after {idle}", node.memory());
    control.call("records.write", coin("a:0"));
}

#[test]
fn earlier_states_stay_readable_where_a_policy_keeps_them_and_go_with_their_record() {
    let node = Home::new().up();
    let control = Control::of(node.home());
    control.call("protocols.install", json!({"definition": shop()}));
    control.call("policies.set", json!({"policy": {"protocol": SHOP, "paths": {"coin": {"keepHistory": true}}}}));
    let large = "x".repeat(100_000);
    let texts = ["one", large.as_str(), "three", "four"];
    let first = control.call("records.write", coin(texts[0]));
    let id = first["recordId"].as_str().expect("an id").to_owned();
    let mut states = vec![first["messageCid"].clone()];
    for text in &texts[1..] {
        let next = json!({"recordId": id, "data": toft::crypto::encode(text.as_bytes())});
        states.push(control.call("records.write", next)["messageCid"].clone());
    }
    let node = node.kill().up();
    let control = Control::of(node.home());
    node.json(&["storage", "compact", "--above", "0"]);
    let versions = control.call("records.history", json!({"recordId": id}))["versions"].clone();
    let listed: Vec<_> = versions.as_array().expect("a list").iter().rev().map(|one| &one["messageCid"]).collect();
    assert_eq!(listed, states.iter().collect::<Vec<_>>());
    assert!(versions.as_array().expect("a list").iter().all(|one| one["kept"] == true), "{versions}");
    for (state, text) in states.iter().zip(texts).take(3) {
        let read = control.call("records.read", json!({"recordId": id, "messageCid": state}));
        assert_eq!(read["data"], toft::crypto::encode(text.as_bytes()));
        let read = node.home().run(&["record", "read", &id, "--state", state.as_str().expect("a CID"), "-o", "-"]);
        assert_eq!(read.stdout, text.as_bytes());
    }
    control.call("records.delete", json!({"recordId": id}));
    let gone = control.fails("records.read", json!({"recordId": id, "messageCid": states[1]})).message;
    assert!(gone.contains("no state"), "{gone}");
}

#[test]
fn a_protocol_is_made_of_a_few_words_used_and_taken_out_of_use() {
    let node = Home::new().up();
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("p.json").display().to_string();
    let new = [
        "protocol",
        "new",
        "https://example.com/notes",
        "--type",
        "note",
        "--tag",
        "note:mood",
        "--allow",
        "note:anyone:create,read",
    ];
    let made = node.home().run(&[&new[..], &["-o", &file]].concat());
    assert!(made.status.success() && said(&made).contains("protocol install"), "{}", said(&made));
    assert!(said(&node.home().run(&["protocol", "new"])).contains("name the protocol"));
    let control = Control::of(node.home());
    node.json(&["protocol", "install", &file]);
    let note = json!({
        "protocol": "https://example.com/notes", "protocolPath": "note", "data": "aGVsbG8", "dataFormat": "text/plain", "tags": {"mood": "good"},
    });
    let written = control.call("records.write", note.clone());
    let removed = node.json(&["protocol", "rm", "https://example.com/notes"]);
    assert_eq!((&removed["records"], &removed["deleted"]), (&json!(1), &json!(0)));
    assert!(control.fails("records.write", note).message.contains("InvalidType"));
    assert_eq!(control.call("records.read", json!({"recordId": written["recordId"]}))["data"], "aGVsbG8");
    let removed = node.json(&["protocol", "rm", "https://example.com/notes", "--records"]);
    assert_eq!(removed["deleted"], 1);
    assert!(control.ask("records.read", json!({"recordId": written["recordId"]})).is_err());
    assert!(
        control.fails("protocols.remove", json!({"protocol": "http://none.example"})).message.contains("not installed")
    );
}

#[test]
fn what_a_policy_says_is_over_is_deleted_by_itself() {
    let node = Home::new().set("retention.every", "300ms").up();
    let control = Control::of(node.home());
    control.call("protocols.install", json!({"definition": shop()}));
    // Of before, with what is no time and stands before all times.
    let mut timeless = coin("z:0");
    timeless["tags"]["until"] = "0".into();
    let timeless = control.call("records.write", timeless);
    let policy = json!({"protocol": SHOP, "paths": {
        "coin": {"expires": {"at": "tag.until"}, "immutable": true}, "offer": {"expires": {"after": "1s"}},
    }});
    control.call("policies.set", json!({"policy": policy}));
    let soon = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(2);
    let mut ends = coin("a:0");
    ends["tags"]["until"] = format!("{soon:.6}").into();
    let mut later = coin("b:0");
    later["tags"]["until"] = "2999-01-01T00:00:00Z".into();
    let mut offer = coin("c:0");
    offer["protocolPath"] = "offer".into();
    offer["dataFormat"] = "application/json".into();
    let written: Vec<Value> = [ends, later, offer].into_iter().map(|one| control.call("records.write", one)).collect();
    let is_there = |one: &Value| control.ask("records.read", json!({"recordId": one["recordId"]})).is_ok();
    eventually("both to be gone", || (!is_there(&written[0]) && !is_there(&written[2])).then_some(()));
    assert!(is_there(&written[1]) && is_there(&timeless));
}
