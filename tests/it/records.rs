//! The JS SDK as client: records of every kind of identity, data of every size class, and who may see what.

use crate::support::{
    sdk::{Sdk, code},
    toft::Home,
};
use serde_json::{Map, Value, json};
use toft::{
    cid,
    crypto::{Signer, ed25519_public, encode},
    did,
    dwn::create::{self, Write},
};
use zeroize::Zeroizing;

const NOW: &str = "2026-01-02T03:04:05.000000Z";

#[test]
fn an_sdk_client_writes_reads_updates_and_deletes() {
    let node = Home::new().set("dwn.tenants", "open").up();
    let mut sdk = Sdk::start();
    for kind in ["ed25519", "secp256k1", "jwk", "p256"] {
        let did = sdk.persona(kind, kind);
        for size in [1_000, 30_000, 30_001, 70_000, 262_145, 3_000_000] {
            let at = json!({"url": node.url(), "as": kind, "tenant": did});
            let with = |fields: Value| {
                let mut all = at.clone();
                all.as_object_mut().expect("an object").extend(fields.as_object().expect("an object").clone());
                all
            };
            let written = sdk.call("write", with(json!({"size": size})));
            assert_eq!(code(&written), 202, "{written}");
            let id = written["recordId"].clone();
            let read = sdk.call("read", with(json!({"recordId": id})));
            assert_eq!((code(&read), &read["data"]["sha256"]), (200, &written["sha256"]), "{kind} {size}: {read}");
            let again = sdk.call("query", with(json!({"filter": {"recordId": id}})));
            assert_eq!(again["entries"].as_array().map(Vec::len), Some(1));
            assert_eq!(again["entries"][0]["encodedData"].is_string(), size <= 30_000);

            let updated = sdk.call("update", with(json!({"recordId": id, "size": size + 1})));
            assert_eq!(code(&updated), 202, "{updated}");
            let read = sdk.call("read", with(json!({"recordId": id})));
            assert_eq!(read["data"]["sha256"], updated["sha256"]);
            assert!(read["entry"]["initialWrite"].is_object());

            assert_eq!(code(&sdk.call("delete", with(json!({"recordId": id})))), 202);
            assert_eq!(code(&sdk.call("read", with(json!({"recordId": id})))), 404);
            assert_eq!(code(&sdk.call("delete", with(json!({"recordId": id})))), 404);
        }
    }
}

#[test]
fn strangers_see_what_is_published_and_what_a_protocol_allows_them() {
    let node = Home::new().set("dwn.tenants", "open").up();
    let mut sdk = Sdk::start();
    let (alice, bob) = (sdk.persona("alice", "ed25519"), sdk.persona("bob", "secp256k1"));
    let url = node.url();
    let definition = json!({
        "protocol": "http://notes.example/p", "published": true,
        "types": {"note": {"dataFormats": ["text/plain"]}, "letter": {}},
        "structure": {
            "note": {"$actions": [{"who": "anyone", "can": ["create", "update", "read"]}]},
            "letter": {"$actions": [{"who": "recipient", "of": "letter", "can": ["read"]}, {"who": "author", "of": "letter", "can": ["read"]}]},
        },
    });
    let done = sdk.call("configure", json!({"url": url, "as": "alice", "tenant": alice, "definition": definition}));
    assert_eq!(code(&done), 202, "{done}");
    let found =
        sdk.call("protocols", json!({"url": url, "tenant": alice, "filter": {"protocol": "http://notes.example/p"}}));
    assert_eq!(found["entries"].as_array().map(Vec::len), Some(1), "{found}");

    // Bob may write a note into Alice's DWN, but no letter.
    let note = json!({"url": url, "as": "bob", "tenant": alice, "text": "hello", "dataFormat": "text/plain", "protocol": "http://notes.example/p", "protocolPath": "note"});
    let note = sdk.call("write", note);
    assert_eq!(code(&note), 202, "{note}");
    let letter = |who: &str| json!({"url": url, "as": who, "tenant": alice, "text": "hush", "protocol": "http://notes.example/p", "protocolPath": "letter", "recipient": bob});
    assert_eq!(code(&sdk.call("write", letter("bob"))), 401);
    let letter = sdk.call("write", letter("alice"));
    assert_eq!(code(&letter), 202, "{letter}");

    sdk.persona("eve", "ed25519");
    for (who, id, expected) in
        [("bob", &letter["recordId"], 200), ("eve", &letter["recordId"], 401), ("eve", &note["recordId"], 200)]
    {
        let read = sdk.call("read", json!({"url": url, "as": who, "tenant": alice, "recordId": id}));
        assert_eq!(code(&read), expected, "{who}: {read}");
    }
    // Without a protocol: the tenant alone, unless published.
    let private = sdk.call("write", json!({"url": url, "as": "alice", "tenant": alice, "size": 10}));
    let public = sdk.call("write", json!({"url": url, "as": "alice", "tenant": alice, "size": 10, "published": true}));
    assert_eq!(code(&sdk.call("read", json!({"url": url, "tenant": alice, "recordId": private["recordId"]}))), 401);
    assert_eq!(code(&sdk.call("read", json!({"url": url, "tenant": alice, "recordId": public["recordId"]}))), 200);
    let seen =
        sdk.call("query", json!({"url": url, "tenant": alice, "filter": {"dataFormat": "application/octet-stream"}}));
    assert_eq!(seen["entries"].as_array().map(Vec::len), Some(1), "{seen}");

    // The event log: everything for the tenant, nothing for others, a cursor that goes on.
    let all = sdk.call("messages", json!({"url": url, "as": "alice", "tenant": alice}));
    assert_eq!(all["entries"].as_array().map(Vec::len), Some(5), "{all}");
    let more = sdk.call("messages", json!({"url": url, "as": "alice", "tenant": alice, "cursor": all["cursor"]}));
    assert_eq!((more["entries"].as_array().map(Vec::len), &more["cursor"]), (Some(0), &Value::Null));
    assert_eq!(code(&sdk.call("messages", json!({"url": url, "as": "bob", "tenant": alice}))), 401);
    let one =
        sdk.call("message", json!({"url": url, "as": "alice", "tenant": alice, "messageCid": note["messageCid"]}));
    assert_eq!((code(&one), &one["data"]["sha256"]), (200, &note["sha256"]));
}

#[test]
fn queries_page_through_everything_once() {
    let node = Home::new().set("dwn.tenants", "open").up();
    let mut sdk = Sdk::start();
    let alice = sdk.persona("alice", "ed25519");
    for _ in 0..25 {
        let written = sdk.call(
            "write",
            json!({"url": node.url(), "as": "alice", "tenant": alice, "size": 20, "schema": "http://s.example/a"}),
        );
        assert_eq!(code(&written), 202);
    }
    for sort in ["createdAscending", "createdDescending"] {
        let (mut seen, mut cursor) = (vec![], Value::Null);
        loop {
            let mut pagination = json!({"limit": 10});
            if !cursor.is_null() {
                pagination["cursor"] = cursor;
            }
            let page = sdk.call("query", json!({"url": node.url(), "as": "alice", "tenant": alice, "filter": {"schema": "http://s.example/a"}, "dateSort": sort, "pagination": pagination}));
            seen.extend(page["entries"].as_array().expect("entries").iter().map(|e| e["recordId"].to_string()));
            cursor = page["cursor"].clone();
            if cursor.is_null() {
                break;
            }
        }
        assert_eq!(seen.len(), 25, "{sort}");
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), 25, "{sort}: no record twice");
    }
}

#[test]
fn a_node_with_only_its_own_tenant_turns_others_away() {
    let node = Home::new().up();
    let mut sdk = Sdk::start();
    let alice = sdk.persona("alice", "ed25519");
    let refused = sdk.call("write", json!({"url": node.url(), "as": "alice", "tenant": alice, "size": 5}));
    assert_eq!(code(&refused), 401);
    assert!(refused["status"]["detail"].as_str().expect("a detail").contains("is not an active tenant"), "{refused}");
    // Its own tenant is there: refused for what the message is, not for the tenant.
    let refused = sdk.call("write", json!({"url": node.url(), "as": "alice", "tenant": node.did(), "size": 5}));
    assert_eq!(code(&refused), 401);
    assert!(
        refused["status"]["detail"].as_str().expect("a detail").starts_with("RecordsWriteAuthorizationFailed"),
        "{refused}"
    );
}

#[test]
fn a_request_is_a_large_header_or_the_body_itself() {
    let node = Home::new().set("dwn.tenants", "open").up();
    let did = did::key::from_ed25519(&ed25519_public(&[5; 32]));
    let signer = Signer::new(Zeroizing::new([5; 32]), did::key::kid(&did));
    let request = |message: &Value, data: Option<&[u8]>| {
        let mut params = json!({"target": did.as_str(), "message": message});
        if let Some(data) = data {
            params["encodedData"] = encode(data).into();
        }
        json!({"jsonrpc": "2.0", "id": 1, "method": "dwn.processMessage", "params": params}).to_string()
    };
    // The reference takes 16 KiB.
    let names = (0..900).map(|n| format!("{n:040}")).chain(["note".into()]);
    let types: Map<_, _> = names.map(|name| (name, json!({"schema": "http://s.example"}))).collect();
    let structure: Map<_, _> = types.keys().map(|name| (name.clone(), json!({}))).collect();
    let definition =
        json!({"protocol": "http://large.example", "published": true, "types": types, "structure": structure});
    let configure = create::protocols_configure(definition, NOW, &signer).expect("is signed");
    let header = request(&configure, None);
    assert!(header.len() > 64 << 10, "{}", header.len());
    let mut answer = ureq::post(node.url()).header("dwn-request", header).send_empty().expect("an answer");
    let answer: Value = answer.body_mut().read_json().expect("JSON");
    assert_eq!(answer["result"]["reply"]["status"]["code"], 202, "{answer}");

    let data = b"in the request itself";
    let write = Write {
        protocol: Some(("http://large.example", "note")),
        schema: Some("http://s.example"),
        data_format: "text/plain",
        published: true,
        ..Write::default()
    };
    let write = create::records_write(&write, (&cid::of(cid::RAW, data), data.len() as u64), NOW, &signer);
    let write = write.expect("is signed");
    let mut answer = ureq::post(node.url()).send(request(&write, Some(data))).expect("an answer");
    let answer: Value = answer.body_mut().read_json().expect("JSON");
    assert_eq!(answer["result"]["reply"]["status"]["code"], 202, "{answer}");
    let read = create::records_read(json!({"recordId": write["recordId"]}), NOW, None).expect("is made");
    let mut answer = ureq::post(node.url()).send(request(&read, None)).expect("an answer");
    let head: Value = serde_json::from_slice(answer.headers()["dwn-response"].as_bytes()).expect("JSON");
    assert_eq!(head["result"]["reply"]["entry"]["recordsWrite"], write);
    assert_eq!(answer.body_mut().read_to_vec().expect("a body"), data);
}
