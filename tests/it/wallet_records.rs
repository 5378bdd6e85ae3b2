//! Records by plain calls on the control socket: what a wallet does without knowing DWN messages.

use crate::support::{
    control::{Control, failed},
    eventually,
    toft::{Home, random_file},
};
use serde_json::{Value, json};
use toft::{cid, crypto};

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value} is a text"))
}

#[test]
fn a_record_is_written_read_updated_and_deleted() {
    let node = Home::new().up();
    let rpc = Control::of(node.home());
    let written = rpc.call(
        "records.write",
        json!({"data": crypto::encode(b"hello"), "dataFormat": "text/plain", "schema": "http://s.example/a", "tags": {"n": 1}}),
    );
    assert_eq!(written["dataCid"], cid::of(cid::RAW, b"hello").to_string());
    let id = &written["recordId"];
    let read = rpc.call("records.read", json!({"recordId": id}));
    assert_eq!((&read["data"], &read["dataFormat"]), (&json!(crypto::encode(b"hello")), &json!("text/plain")));
    assert_eq!(read["record"]["descriptor"]["schema"], "http://s.example/a");
    let (message, _) = cid::of_json(&read["record"]).expect("a message");
    assert_eq!(message.to_string(), text(&written["messageCid"]), "the CID of the message is that of what is kept");

    // An update keeps what is not given: data and schema here, tags there.
    let published = rpc.call("records.write", json!({"recordId": id, "published": true}));
    assert_eq!((&published["recordId"], &published["dataCid"]), (id, &written["dataCid"]));
    let read = rpc.call("records.read", json!({"recordId": id}));
    assert_eq!(read["data"], crypto::encode(b"hello"));
    assert_eq!(read["record"]["descriptor"]["published"], true);
    assert_eq!(read["initialWrite"]["descriptor"]["published"], Value::Null);
    rpc.call("records.write", json!({"recordId": id, "data": crypto::encode(b"bye")}));
    let read = rpc.call("records.read", json!({"recordId": id}));
    let descriptor = &read["record"]["descriptor"];
    assert_eq!((&read["data"], &read["dataSize"]), (&json!(crypto::encode(b"bye")), &json!(3)));
    assert_eq!((&descriptor["tags"]["n"], &descriptor["published"]), (&json!(1), &json!(true)));
    assert_eq!(descriptor["dataFormat"], "text/plain");
    let hidden = rpc.call("records.write", json!({"recordId": id, "published": false}));
    let read = rpc.call("records.read", json!({"recordId": id}));
    assert_eq!(read["record"]["descriptor"]["published"], false, "{hidden}");

    let past = rpc.call("records.history", json!({"recordId": id}));
    let versions = past["versions"].as_array().expect("a list");
    let each: Vec<_> = versions.iter().map(|it| (it["initial"] == true, it["kept"] == true)).collect();
    assert_eq!(each, [(false, true), (false, false), (false, false), (true, true)], "{past}");
    assert_eq!(versions[3]["messageCid"], written["messageCid"]);
    assert_eq!((&versions[2]["messageCid"], &past["more"]), (&published["messageCid"], &json!(false)));
    assert!(versions.iter().all(|it| it["author"] == node.did()));

    let gone = rpc.call("records.delete", json!({"recordId": id}));
    assert!(text(&gone["messageCid"]).starts_with("bafy"));
    let past = rpc.call("records.history", json!({"recordId": id}));
    assert_eq!(
        (&past["versions"][0]["method"], &past["versions"][0]["messageCid"]),
        (&json!("Delete"), &gone["messageCid"])
    );
    for (method, params) in [
        ("records.read", json!({"recordId": id})),
        ("records.delete", json!({"recordId": id})),
        ("records.write", json!({"recordId": id, "published": true})),
        ("records.history", json!({"recordId": written["messageCid"].as_str().map(|cid| cid.replace('a', "b"))})),
    ] {
        let failed = rpc.fails(method, params);
        assert_eq!((failed.code, failed.kind.as_str()), (-32004, "not-found"), "{method}: {failed:?}");
    }
}

#[test]
fn records_are_queried_and_counted() {
    let node = Home::new().up();
    let rpc = Control::of(node.home());
    for n in 0..7 {
        let format = if n < 5 { "text/plain" } else { "image/png" };
        rpc.call("records.write", json!({"data": crypto::encode(&[n]), "dataFormat": format}));
    }
    let page =
        json!({"filter": {"dataFormat": "text/plain"}, "dateSort": "createdDescending", "pagination": {"limit": 3}});
    let first = rpc.call("records.query", page.clone());
    let data = |page: &Value| {
        page["entries"].as_array().expect("a list").iter().map(|it| it["encodedData"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(data(&first), [4, 3, 2].map(|n| json!(crypto::encode(&[n]))));
    let mut more = page;
    more["pagination"]["cursor"] = first["cursor"].clone();
    let second = rpc.call("records.query", more);
    assert_eq!((data(&second).len(), &second["cursor"]), (2, &Value::Null));
    for (filter, count) in
        [(json!({}), 7), (json!({"dataFormat": "image/png"}), 2), (json!({"schema": "http://s.example/"}), 0)]
    {
        assert_eq!(rpc.call("records.count", json!({"filter": filter}))["count"], count, "{filter}");
    }
    let health = rpc.call("node.health", json!({}));
    assert_eq!(health, json!({"healthy": true, "writable": true, "problems": []}));
}

#[test]
fn large_data_comes_and_goes_by_an_address_that_is_good_once() {
    let node = Home::new().up();
    let rpc = Control::of(node.home());
    let (_, bytes) = random_file(&node.home().path(), "large", 3_000_000);
    let asked =
        rpc.call("records.write", json!({"dataSize": bytes.len(), "dataFormat": "image/png", "published": true}));
    let path = text(&asked["upload"]["path"]);
    assert!(text(&asked["upload"]["expires"]).ends_with('Z'), "{asked}");
    let (status, answer) = rpc.send("PUT", path, &bytes);
    let written: Value = serde_json::from_slice(&answer).expect("JSON");
    assert_eq!((status, &written["dataSize"]), (200, &json!(bytes.len())), "{written}");
    let (status, answer) = rpc.send("PUT", path, b"again");
    let problem: Value = serde_json::from_slice(&answer).expect("JSON");
    assert_eq!((status, failed(&problem["error"]).code), (404, -32004));

    let id = &written["recordId"];
    let read = rpc.call("records.read", json!({"recordId": id}));
    assert_eq!((&read["data"], &read["record"]["descriptor"]["published"]), (&Value::Null, &json!(true)));
    let path = text(&read["download"]["path"]);
    assert_eq!(rpc.send("PUT", &path.replace("download", "upload"), &[]).0, 404, "it is no upload");
    assert!(rpc.send("GET", path, &[]) == (200, bytes.clone()), "the bytes are those that were sent");
    assert_eq!(rpc.send("GET", path, &[]).0, 404);
    // An address gives what it was asked for, or says that this has changed.
    let read = rpc.call("records.read", json!({"recordId": id}));
    rpc.call("records.write", json!({"recordId": id, "data": crypto::encode(b"small")}));
    assert_eq!(rpc.send("GET", text(&read["download"]["path"]), &[]).0, 409);
    let read = rpc.call("records.read", json!({"recordId": id, "download": true}));
    assert_eq!(rpc.send("GET", text(&read["download"]["path"]), &[]), (200, b"small".to_vec()));

    // As many as was said, no more and no less; and then nothing is written.
    for sent in [&bytes[..9], &bytes[..11]] {
        let asked = rpc.call("records.write", json!({"dataSize": 10, "dataFormat": "image/png"}));
        let (status, answer) = rpc.send("PUT", text(&asked["upload"]["path"]), sent);
        assert_eq!(status, 400, "{}", String::from_utf8_lossy(&answer));
    }
    assert_eq!(rpc.call("records.count", json!({}))["count"], 1);
    let too_large = rpc.fails("records.write", json!({"dataSize": 1u64 << 50, "dataFormat": "a/b"}));
    assert!(too_large.code == -32602 && too_large.message.contains("dwn.max_record"), "{too_large:?}");
}

#[test]
fn large_content_comes_to_an_address_that_is_good_once() {
    let node = Home::new().up();
    let rpc = Control::of(node.home());
    let (_, bytes) = random_file(&node.home().path(), "large", 3_000_000);
    let asked = rpc.call("blocks.add", json!({"dataSize": bytes.len(), "format": "image/png", "published": true}));
    let path = text(&asked["upload"]["path"]);
    let (status, answer) = rpc.send("PUT", path, &bytes);
    let kept: Value = serde_json::from_slice(&answer).expect("JSON");
    assert_eq!((status, &kept["size"], &kept["published"]), (200, &json!(bytes.len()), &json!(true)), "{kept}");
    assert_eq!(rpc.send("PUT", path, &bytes).0, 404);
    let read = rpc.call("records.read", json!({"recordId": kept["recordId"]}));
    assert_eq!((&read["dataCid"], &read["dataFormat"]), (&kept["cid"], &json!("image/png")));
    assert!(rpc.send("GET", text(&read["download"]["path"]), &[]) == (200, bytes));
    for params in [json!({}), json!({"data": "AQ", "dataSize": 1})] {
        assert_eq!(rpc.fails("blocks.add", params).code, -32602);
    }
}

#[test]
fn a_batch_of_large_reads_is_answered_within_its_bound() {
    const BATCH: usize = 50;
    let node = Home::new().up();
    let rpc = Control::of(node.home());
    let (_, bytes) = random_file(&node.home().path(), "large", 700 << 10);
    let written = rpc.call("records.write", json!({"data": crypto::encode(&bytes), "dataFormat": "a/b"}));
    let read = |id: usize| {
        let params = json!({"recordId": written["recordId"]});
        json!({"jsonrpc": "2.0", "id": id, "method": "records.read", "params": params})
    };
    let batch = Value::from((0..BATCH).map(read).collect::<Vec<_>>()).to_string();
    let before = node.peak_memory();
    let (_, answer) = rpc.send("POST", "/rpc", batch.as_bytes());
    let grown = node.peak_memory() - before;
    println!("answers {} bytes, peak memory grown by {grown} bytes", answer.len());
    assert!(grown < 64 << 20, "peak memory grew by {grown} bytes");
    assert!(answer.len() < 9 << 20, "{}", answer.len());
    let answers: Vec<Value> = serde_json::from_slice(&answer).expect("JSON");
    let is_given = |answer: &Value| answer["result"]["data"].as_str().is_some_and(|data| !data.is_empty());
    assert_eq!((answers.len(), answers.iter().filter(|answer| is_given(answer)).count()), (BATCH, 8));
    let said = failed(&answers[BATCH - 1]["error"]);
    assert!(said.code == -32600 && said.message.ends_with("call it by itself"), "{said:?}");
    assert!(is_given(&json!({"result": rpc.call("records.read", json!({"recordId": written["recordId"]}))})));
}

#[test]
fn what_is_refused_is_refused_in_the_terms_of_calls() {
    let node = Home::new().set("dwn.tenants", "open").up();
    let rpc = Control::of(node.home());
    let stranger = "did:key:z6MkpTHR8VNsBxYAAWHut2Geadd9jSwuBV8xRoAnwWsdvktH";
    let hello = crypto::encode(b"hello");
    let permissions = "https://tbd.website/dwn/permissions";
    let protocol = json!({"data": hello, "dataFormat": "a/b", "protocol": "http://p.example/", "protocolPath": "note"});
    let mine = rpc.call(
        "records.write",
        json!({"data": hello, "dataFormat": "a/b", "dateCreated": "2026-01-02T03:04:05.000000Z"}),
    );
    for (method, params, code, said) in [
        (
            "records.write",
            json!({"data": hello, "dataFormat": "a/b", "colour": "red"}),
            -32602,
            "unknown field `colour`",
        ),
        ("records.read", json!({"recordId": "x", "colour": "red"}), -32602, "unknown field"),
        ("records.delete", json!({}), -32602, "recordId"),
        ("records.write", json!({"data": "AR", "dataFormat": "a/b"}), -32602, "base64url"),
        ("records.write", json!({"data": hello, "dataFormat": "a/b", "dateCreated": "yesterday"}), -32602, "400"),
        ("records.write", json!({"recordId": mine["recordId"], "schema": "http://s.example/"}), -32602, "immutable"),
        ("records.query", json!({"filter": {"colour": "red"}}), -32602, "400"),
        ("records.write", json!({"data": hello, "dataFormat": "a/b", "tenant": stranger}), -32001, "401"),
        ("records.write", json!({"data": hello, "dataFormat": "a/b", "from": stranger}), -32004, "no key"),
        (
            "records.write",
            json!({"data": hello, "dataFormat": "a/b", "protocol": permissions, "protocolPath": "grant"}),
            -32001,
            "grants",
        ),
        ("records.write", protocol, -32602, "protocol"),
        ("records.subscribe", json!({}), -32602, "WebSocket"),
        // The same write at the same time: a second one adds nothing.
        (
            "records.write",
            json!({"data": hello, "dataFormat": "a/b", "dateCreated": "2026-01-02T03:04:05.000000Z"}),
            -32009,
            "409",
        ),
    ] {
        let failed = rpc.fails(method, params.clone());
        assert!(failed.code == code && failed.message.contains(said), "{method} {params}: {failed:?}");
    }
}

#[test]
fn content_and_settings_are_seen_and_changed() {
    let node = Home::new().set("dwn.max_record", "5000000").up();
    let rpc = Control::of(node.home());
    let added = rpc.call("blocks.add", json!({"data": crypto::encode(b"hello"), "format": "text/plain"}));
    let cid = &added["cid"];
    let got = rpc.call("blocks.get", json!({"cid": cid}));
    assert_eq!((&got["data"], &got["size"]), (&json!(crypto::encode(b"hello")), &json!(5)));
    let stat = rpc.call("blocks.stat", json!({"cid": cid}));
    let holder = json!([{"tenant": node.did(), "recordId": added["recordId"]}]);
    assert_eq!((&stat["blocks"], &stat["complete"], &stat["pinned"]), (&json!(1), &json!(true), &json!(false)));
    assert_eq!((&stat["size"], &stat["records"]), (&json!(5), &holder), "{stat}");
    assert_eq!(rpc.fails("blocks.stat", json!({"cid": cid::of(cid::RAW, b"other").to_string()})).code, -32004);
    assert_eq!(rpc.fails("blocks.stat", json!({"cid": "no"})).code, -32602);

    // A large file: seen whole, fetched by an address, pinned.
    let (path, bytes) = random_file(&node.home().path(), "large", 3_000_000);
    let added = node.json(&["add", &path.display().to_string()]);
    rpc.call("pins.add", json!({"cid": added["cid"]}));
    let stat = rpc.call("blocks.stat", json!({"cid": added["cid"]}));
    assert_eq!((&stat["size"], &stat["pinned"], &stat["missing"]), (&json!(bytes.len()), &json!(true), &Value::Null));
    assert!(stat["blocks"].as_u64().is_some_and(|blocks| blocks > 10), "{stat}");
    let got = rpc.call("blocks.get", json!({"cid": added["cid"]}));
    assert!(
        rpc.send("GET", text(&got["download"]["path"]), &[]) == (200, bytes),
        "the bytes are those that were added"
    );

    let seen = rpc.call("config.get", json!({}));
    assert_eq!(seen["settings"]["dwn"]["max_record"], 5_000_000);
    let schema = rpc.call("config.schema", json!({}));
    let effect = |section: &str, key: &str| {
        let definition = text(&schema["properties"][section]["$ref"]).trim_start_matches('#');
        schema.pointer(definition).expect("is defined")["properties"][key]["x-toft-effect"].clone()
    };
    assert_eq!([effect("log", "level"), effect("dwn", "listen")], ["at once", "at the next start"]);
    let changed = rpc.call("config.set", json!({"key": "log.repeats", "value": 7}));
    assert_eq!((&changed["effect"], &changed["overriddenBy"]), (&json!("at once"), &Value::Null));
    assert_eq!(rpc.call("config.get", json!({}))["settings"]["log"]["repeats"], 7);
    let file = std::fs::read_to_string(text(&changed["file"])).expect("node.toml");
    assert!(file.contains("repeats = 7") && file.contains("# "), "comments stay: {file}");
    let changed = rpc.call("config.set", json!({"key": "dwn.max_record", "value": "6000000"}));
    assert_eq!(
        (&changed["overriddenBy"], &changed["effect"]),
        (&json!("TOFT_DWN__MAX_RECORD"), &json!("at the next start"))
    );
    assert!(!node.log().contains("DEBUG"));
    assert_eq!(rpc.call("config.set", json!({"key": "log.level", "value": "debug"}))["effect"], "at once");
    eventually("more in the log", || {
        rpc.call("node.status", json!({}));
        node.log().contains("DEBUG").then_some(())
    });
    assert_eq!(rpc.call("config.set", json!({"key": "log.level", "value": "info"}))["effect"], "at once");
    for (key, value, said) in [
        ("log.repeats", json!(0), "log.repeats"),
        ("log.level", json!("toft=loud"), "log.level"),
        ("log.colour", json!("red"), "no key"),
        ("dwn.tenants", json!("x"), "x"),
    ] {
        let failed = rpc.fails("config.set", json!({"key": key, "value": value}));
        assert!(failed.code == -32602 && failed.message.contains(said), "{failed:?}");
    }
    let audit = rpc.call("audit.list", json!({}));
    assert!(audit.to_string().contains("settings.changed"), "{audit}");
    let node = node.stop().up();
    assert_eq!(Control::of(node.home()).call("config.get", json!({}))["settings"]["log"]["repeats"], 7);
}

#[test]
fn the_command_line_writes_reads_and_ends_records() {
    let node = Home::new().up();
    let (path, bytes) = random_file(&node.home().path(), "large", 1_000_000);
    let path = path.display().to_string();
    let written = node.json(&["record", "write", &path, "--format", "image/png", "--tag", "n=1"]);
    let id = text(&written["recordId"]);
    let out = node.home().path().join("out");
    node.json(&["record", "read", id, "-o", &out.display().to_string()]);
    assert!(std::fs::read(&out).expect("reads") == bytes);
    assert!(node.home().run(&["record", "read", id]).stdout == bytes);
    node.json(&["record", "write", "--record", id, "--publish"]);
    assert_eq!(node.json(&["record", "count", "--published", "--tag", "n=1"])["count"], 1);
    assert_eq!(node.json(&["record", "history", id])["versions"].as_array().map(Vec::len), Some(2));
    assert_eq!(node.json(&["record", "query", "--record", id])["entries"][0]["recordId"], id);
    node.json(&["record", "delete", id]);
    let gone = node.home().run(&["record", "read", id]);
    assert_eq!(gone.status.code(), Some(3), "{}", String::from_utf8_lossy(&gone.stderr));
    let nothing = node.home().run(&["record", "write", "--record", id, "--publish"]);
    assert_eq!(nothing.status.code(), Some(3));
}
