//! Protocols and grants over the node's socket, and what they let a stranger do who comes with the npm SDK.

use crate::support::{
    control::Control,
    sdk::{Sdk, code},
    toft::{Home, Toft},
};
use serde_json::{Value, json};
use std::path::PathBuf;

const PROTOCOL: &str = "http://notes.example/p";

fn definition() -> Value {
    json!({
        "protocol": PROTOCOL, "published": true,
        "types": {"note": {"dataFormats": ["text/plain"]}, "friend": {}},
        "structure": {
            "friend": {"$role": true},
            "note": {"$actions": [{"role": "friend", "can": ["read", "query", "subscribe"]}, {"who": "anyone", "can": ["create"]}]},
        },
    })
}

/// A node with the protocol, a stranger, and a note that the stranger did not write.
struct Scene {
    node: Toft,
    sdk: Sdk,
    bob: String,
    note: String,
    dir: tempfile::TempDir,
}

impl Scene {
    fn new() -> Self {
        Self::on(Home::new().set("dwn.tenants", "open"))
    }

    fn on(home: Home) -> Self {
        let node = home.up();
        let (mut sdk, dir) = (Sdk::start(), tempfile::tempdir().expect("a temp dir"));
        let bob = sdk.persona("bob", "ed25519");
        sdk.persona("carol", "ed25519");
        let mut scene = Self { node, sdk, bob, note: String::new(), dir };
        let file = scene.file(&definition());
        let installed = scene.node.json(&["protocol", "install", &file]);
        assert_eq!(installed["protocol"], PROTOCOL);
        let note = json!({
            "url": scene.node.url(), "as": "carol", "tenant": scene.node.did(), "text": "hush", "dataFormat": "text/plain",
            "protocol": PROTOCOL, "protocolPath": "note",
        });
        let note = scene.sdk.call("write", note);
        assert_eq!(code(&note), 202, "{note}");
        scene.note = note["recordId"].as_str().expect("an id").to_owned();
        scene
    }

    fn file(&self, json: &Value) -> String {
        let path: PathBuf = self.dir.path().join("definition.json");
        std::fs::write(&path, json.to_string()).expect("writes");
        path.display().to_string()
    }

    /// Bob reads the note; the status. `more`: with what right.
    fn reads(&mut self, more: Value) -> u64 {
        let mut options = json!({"kind": "RecordsRead", "as": "bob", "filter": {"recordId": self.note}});
        options.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        let message = self.sdk.call("make", options)["message"].take();
        let (url, tenant) = (self.node.url(), self.node.did());
        code(&self.sdk.call("send", json!({"url": url, "tenant": tenant, "message": message})))
    }

    fn explained(&self, did: Option<&str>) -> Vec<Value> {
        let mut args = vec!["grant", "explain", &self.note];
        args.extend(did.iter().flat_map(|did| ["--did", did]));
        let explained = self.node.json(&args);
        assert_eq!(explained["complete"], true);
        explained["access"].as_array().expect("a list").clone()
    }
}

#[test]
fn who_is_granted_reads_until_it_is_revoked_and_both_are_explained() {
    let mut scene = Scene::new();
    let bob = scene.bob.clone();
    assert_eq!(scene.reads(json!({})), 401);
    let before = scene.explained(Some(&bob));
    assert_eq!((before.len(), &before[0]["by"], &before[0]["may"]), (1, &json!("nothing"), &json!([])), "{before:?}");

    let args = ["grant", "create", &bob, "--for", "Records.Read", "--protocol", PROTOCOL, "--expires", "30d"];
    let grant = scene.node.json(&args);
    let id = grant["grantId"].as_str().expect("an id").to_owned();
    assert_eq!((&grant["state"], &grant["grantedTo"]), (&json!("active"), &json!(bob)), "{grant}");
    assert_eq!(scene.reads(json!({"permissionGrantId": id})), 200);
    let granted = scene.explained(Some(&bob));
    assert_eq!(
        (granted.len(), &granted[0]["grantId"], &granted[0]["may"]),
        (1, &json!(id), &json!(["read"])),
        "{granted:?}"
    );
    assert_eq!(granted[0]["dateExpires"], grant["dateExpires"]);
    let all = scene.explained(None);
    let who: Vec<_> = all.iter().map(|access| (access["by"].as_str(), access["who"].as_str())).collect();
    assert_eq!((who[0], who.last()), ((Some("owner"), Some(scene.node.did())), Some(&(Some("grant"), Some(&*bob)))));
    assert!(who.iter().any(|(by, _)| *by == Some("creator")), "carol wrote it: {all:?}");

    let listed = scene.node.json(&["grant", "ls", "--to", &bob, "--active"]);
    assert_eq!(listed[0]["grantId"], json!(id));
    let revoked = scene.node.json(&["grant", "revoke", &id]);
    assert_eq!(revoked["state"], "revoked");
    assert_eq!(scene.node.json(&["grant", "revoke", &id]), revoked, "a second time changes nothing");
    assert_eq!(scene.reads(json!({"permissionGrantId": id})), 401);
    let after = scene.explained(Some(&bob));
    assert!(after.iter().all(|access| access["may"] == json!([])), "{after:?}");
    let because = after[0]["because"].as_str().expect("a sentence");
    let said =
        format!("grant {id} of Records.Read is revoked since {}", revoked["dateRevoked"].as_str().expect("a date"));
    assert_eq!(because, said);
    assert_eq!(scene.node.json(&["grant", "ls", "--active"]), json!([]));
}

#[test]
fn a_protocol_is_checked_installed_listed_and_shown() {
    let scene = Scene::new();
    let listed = scene.node.json(&["protocol", "ls"]);
    assert_eq!((&listed[0]["protocol"], &listed[0]["types"]), (&json!(PROTOCOL), &json!(["friend", "note"])));
    assert_eq!(scene.node.json(&["protocol", "show", PROTOCOL])["definition"], definition());
    let missing = scene.node.home().run(&["protocol", "show", "http://other.example"]);
    assert_eq!(missing.status.code(), Some(3));

    let mut vain = definition();
    vain["structure"]["note"]["$actions"][0] = json!({"who": "author", "of": "friend", "can": ["read"]});
    let checked = scene.node.json(&["protocol", "check", &scene.file(&vain)]);
    assert_eq!(checked["problems"], json!([]));
    assert!(
        checked["warnings"][0].as_str().is_some_and(|said| said.contains("nobody is the author of `friend`")),
        "{checked}"
    );
    let mut bad = definition();
    bad["structure"]["other"] = json!({});
    let file = scene.file(&bad);
    let checked = scene.node.home().run(&["protocol", "check", &file, "--json"]);
    assert_eq!(checked.status.code(), Some(1));
    let refused = scene.node.home().run(&["protocol", "install", &file]);
    let why = "ProtocolsConfigureInvalidRuleSetRecordType: Rule set other is not declared";
    assert!(
        String::from_utf8_lossy(&checked.stdout).contains(why)
            && String::from_utf8_lossy(&refused.stderr).contains(why)
    );
    assert_eq!(refused.status.code(), Some(2));
}

#[test]
fn a_request_lies_with_who_is_asked_if_their_records_are_here() {
    let mut scene = Scene::new();
    let bob = scene.bob.clone();
    let args =
        ["grant", "request", &bob, "--for", "Records.Read", "--protocol", PROTOCOL, "--description", "to show it"];
    assert_eq!(scene.node.json(&args)["delivered"], false, "bob might be here, and is not");
    let mine = json!({"url": scene.node.url(), "as": "bob", "tenant": bob, "text": "mine", "dataFormat": "text/plain"});
    assert_eq!(code(&scene.sdk.call("write", mine)), 202);
    let asked = scene.node.json(&args);
    assert_eq!(asked["delivered"], true);
    let filter = json!({"protocol": "https://tbd.website/dwn/permissions", "protocolPath": "request"});
    let found = scene.sdk.call("query", json!({"url": scene.node.url(), "as": "bob", "tenant": bob, "filter": filter}));
    assert_eq!(found["entries"][0]["recordId"], asked["requestId"], "{found}");
    for (args, exit) in [
        (vec!["grant", "create", "bob", "--for", "Records.Read", "--expires", "30d"], 2),
        (vec!["grant", "create", &bob, "--for", "Records.Fly", "--expires", "30d"], 2),
        (vec!["grant", "create", &bob, "--for", "Records.Read", "--expires", "2020-01-01"], 2),
        (vec!["grant", "create", &bob, "--for", "Records.Read", "--expires", "1d", "--request", "bafyreia"], 3),
        (vec!["grant", "revoke", &scene.note], 3),
        (vec!["grant", "explain", "bafyreia"], 3),
        (vec!["grant", "explain", "--protocol", PROTOCOL, "--path", "other"], 3),
    ] {
        let output = scene.node.home().run(&args);
        assert_eq!(output.status.code(), Some(exit), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
    let path = scene.node.json(&["grant", "explain", "--protocol", PROTOCOL, "--path", "note"]);
    let by: Vec<_> = path["access"].as_array().expect("a list").iter().map(|access| access["by"].clone()).collect();
    assert_eq!(by, ["owner", "role", "rule"]);
}

#[test]
fn a_token_of_one_protocol_sees_what_is_about_it_alone_and_grants_take_a_token_of_their_own() {
    let scene = Scene::on(Home::new().set("dwn.tenants", "open").set("rpc.listen", "127.0.0.1:0"));
    let mut other = definition();
    other["protocol"] = "http://other.example/p".into();
    scene.node.json(&["protocol", "install", &scene.file(&other)]);
    let token =
        |scopes: &[&str]| scene.node.json(&[&["token", "create", "an app"][..], scopes].concat())["token"].clone();
    let reader = token(&["--scope", "records:read", "--scope", "records:write", "--protocol", PROTOCOL]);
    let granter = token(&["--scope", "identity:sign:grant"]);
    let call = |token: &Value, method: &str, params: Value| {
        let call = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        let bearer = format!("Bearer {}", token.as_str().expect("a token"));
        let request = ureq::post(format!("http://{}/rpc", scene.node.rpc())).header("authorization", bearer);
        let mut answer = request.send_json(&call).expect("answers").body_mut().read_json::<Value>().expect("JSON");
        answer["error"]["code"].as_i64().map_or(Ok(answer["result"].take()), Err)
    };
    let scope = |protocol: &str| json!({"interface": "Records", "method": "Read", "protocol": protocol});
    let new = |protocol: &str| json!({"grantedTo": scene.bob, "scope": scope(protocol), "dateExpires": "2099-01-01T00:00:00Z"});
    assert_eq!(call(&reader, "grants.create", new(PROTOCOL)), Err(-32001));
    let made = call(&granter, "grants.create", new(PROTOCOL)).expect("is made");
    call(&granter, "grants.create", new("http://other.example/p")).expect("is made");
    assert_eq!(call(&granter, "grants.list", json!({})), Err(-32001));

    let count = |list: &Value| list.as_array().map(Vec::len);
    assert_eq!(call(&reader, "protocols.list", json!({})).map(|listed| count(&listed)), Ok(Some(1)));
    assert_eq!(call(&reader, "grants.list", json!({})).map(|page| count(&page["grants"])), Ok(Some(1)));
    let asked = |protocol: &str| call(&reader, "grants.request", json!({"from": scene.bob, "scope": scope(protocol)}));
    assert!(asked(PROTOCOL).is_ok() && asked("http://other.example/p") == Err(-32001));
    let place = |protocol: &str| call(&reader, "grants.explain", json!({"protocol": protocol, "protocolPath": "note"}));
    assert!(place(PROTOCOL).is_ok() && place("http://other.example/p") == Err(-32001));
    assert!(call(&reader, "grants.explain", json!({"recordId": scene.note})).is_ok());
    let shown = |protocol: &str| call(&reader, "protocols.show", json!({"protocol": protocol}));
    assert!(shown(PROTOCOL).is_ok() && shown("http://other.example/p") == Err(-32001));
    assert!(call(&reader, "protocols.install", json!({"definition": definition()})).is_ok());
    assert_eq!(call(&reader, "protocols.install", json!({"definition": other})), Err(-32001));

    let id = made["grantId"].as_str().expect("an id");
    assert_eq!(call(&reader, "grants.revoke", json!({"grantId": id})), Err(-32001));
    let revoked = call(&granter, "grants.revoke", json!({"grantId": id})).expect("is revoked");
    assert_eq!(revoked["state"], "revoked");
    let log = scene.node.json(&["audit", "ls", "--what", "grant"]).to_string();
    assert!(log.contains("grant.made") && log.contains("grant.revoked") && log.contains(id), "{log}");
}

#[test]
fn each_identity_of_the_node_has_its_own_protocols_and_grants() {
    let scene = Scene::new();
    let rpc = Control::of(scene.node.home());
    let (own, other) = (scene.node.did(), scene.node.json(&["id", "new"])["did"].clone());
    assert_eq!(rpc.call("protocols.list", json!({"from": other})), json!([]));
    assert_eq!(rpc.fails("protocols.show", json!({"protocol": PROTOCOL, "from": other})).code, -32004);
    rpc.call("protocols.install", json!({"definition": definition(), "from": other}));
    assert_eq!(rpc.call("protocols.show", json!({"protocol": PROTOCOL, "from": other}))["definition"], definition());
    let scope = json!({"interface": "Records", "method": "Read", "protocol": PROTOCOL});
    let new = json!({"grantedTo": own, "scope": scope, "dateExpires": "2099-01-01T00:00:00Z", "from": other});
    let grant = rpc.call("grants.create", new);
    assert_eq!(rpc.call("grants.list", json!({}))["grants"], json!([]), "they are the other's");
    assert_eq!(rpc.call("grants.list", json!({"from": other}))["grants"][0]["grantId"], grant["grantId"]);
    let place = json!({"protocol": PROTOCOL, "protocolPath": "note", "did": own, "from": other});
    let explained = rpc.call("grants.explain", place);
    let is_let = |access: &Value| access["by"] == "grant" && access["grantId"] == grant["grantId"];
    assert!(explained["access"].as_array().expect("a list").iter().any(is_let), "{explained}");
    // One of them asks the other.
    let asked = rpc.call("grants.request", json!({"from": own, "asker": other, "scope": scope}));
    assert_eq!(asked["delivered"], true);
    let requests = json!({"filter": {"protocol": "https://tbd.website/dwn/permissions", "protocolPath": "request", "author": other}});
    assert_eq!(rpc.call("records.query", requests)["entries"][0]["recordId"], asked["requestId"]);
    assert_eq!(rpc.fails("grants.revoke", json!({"grantId": grant["grantId"]})).code, -32004);
    let other = other.as_str().expect("a DID");
    let revoked = scene.node.json(&["grant", "revoke", grant["grantId"].as_str().expect("an id"), "--as", other]);
    assert_eq!(revoked["state"], "revoked");
    assert_eq!(scene.node.json(&["grant", "ls", "--as", other]).as_array().map(Vec::len), Some(1));
    assert_eq!(scene.node.json(&["protocol", "ls", "--as", other]).as_array().map(Vec::len), Some(1));
    assert_eq!(rpc.fails("grants.list", json!({"from": scene.bob})).code, -32004, "no key of theirs is here");
}

#[test]
fn grants_come_in_pages() {
    let scene = Scene::new();
    let rpc = Control::of(scene.node.home());
    let scope = json!({"interface": "Records", "method": "Read", "protocol": PROTOCOL});
    let grant = |n: u32| {
        let params = json!({"grantedTo": scene.bob, "scope": scope, "dateExpires": "2099-01-01T00:00:00Z", "description": n.to_string()});
        rpc.call("grants.create", params)["grantId"].clone()
    };
    let made: Vec<_> = (0..5).map(grant).collect();
    rpc.call("grants.revoke", json!({"grantId": made[1]}));
    let pages = |more: Value| {
        let (mut sizes, mut ids, mut cursor) = (vec![], vec![], Value::Null);
        loop {
            let mut params = json!({"pagination": {"limit": 2}});
            if !cursor.is_null() {
                params["pagination"]["cursor"] = cursor;
            }
            params.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
            let mut page = rpc.call("grants.list", params);
            let grants = page["grants"].as_array().expect("a list");
            sizes.push(grants.len());
            ids.extend(grants.iter().map(|grant| grant["grantId"].clone()));
            cursor = page["cursor"].take();
            if cursor.is_null() {
                return (sizes, ids);
            }
        }
    };
    let newest = |of: &[usize]| of.iter().rev().map(|n| made[*n].clone()).collect::<Vec<_>>();
    assert_eq!(pages(json!({})), (vec![2, 2, 1], newest(&[0, 1, 2, 3, 4])));
    assert_eq!(pages(json!({"active": true})), (vec![2, 2], newest(&[0, 2, 3, 4])), "a page is filled");
    assert_eq!(pages(json!({"active": false})), (vec![1], newest(&[1])));
    assert_eq!(rpc.call("grants.list", json!({}))["cursor"], Value::Null);
    for limit in [0, 1001] {
        assert_eq!(rpc.fails("grants.list", json!({"pagination": {"limit": limit}})).code, -32602);
    }
}
