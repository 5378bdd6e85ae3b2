//! The clients in `clients/`: they have every method of the document, and each of its examples has the same answer by the node's
//! socket, the command line, the TypeScript client and the Python client.

use crate::support::{
    clients::{Client, over_the_socket},
    root,
    toft::{Home, Toft},
};
use serde_json::{Map, Value, json};
use std::{collections::BTreeSet, process::Command, thread};
use toft::{
    crypto::encode,
    rpc::control::{Kind, examples},
};

/// The identity that the examples rotate.
const ROTATED: &str = "did:dht:qftx7z968xcpfy1a1diu75pg5meap3gdtg6ezagaw849wdh6oubo";

/// Examples that a fresh node does not answer with a result, and how it answers instead.
const FAIL: &[(&str, &str)] = &[
    ("rpc.authenticate", "usage"), // it begins a WebSocket
    ("rpc.unsubscribe", "not-found"),
    ("node.events", "usage"), // over a WebSocket alone
    ("records.subscribe", "usage"),
    ("grants.revoke", "not-found"),
    ("conflicts.show", "not-found"),
    ("conflicts.keep", "not-found"),
    ("conflicts.remove", "not-found"),
    ("policies.remove", "not-found"),
    ("protocols.remove", "not-found"),
    ("rgb.getTransferStatus", "not-found"),
    ("rgb.validateTransfer", "not-found"), // no validator is set
    ("anchor.proof", "pending"),
    ("anchor.unsigned", "not-found"),
    ("anchor.signed", "failed"),
    ("tenants.remove", "not-found"),
    ("pair.poll", "not-found"),
    ("pair.approve", "not-found"),
    ("pair.reject", "not-found"),
    ("devices.decide", "not-found"),
    ("devices.join", "usage"),
    ("devices.remove", "not-found"),
];

#[test]
fn what_the_clients_know_of_the_methods_is_what_the_document_says() {
    let output = Command::new("node").arg(root().join("clients/generate.mjs")).arg("--check").output();
    let output = output.expect("node runs (install node 20 or later)");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn each_example_has_the_same_answer_by_every_client() {
    // Each way has a node of its own, where the same happens in the same order.
    let nodes = [(); 4].map(|()| Fresh::start());
    let [_, of_typescript, of_python, _] = nodes.each_ref().map(|fresh| json!({"socket": fresh.socket()}));
    let (mut typescript, mut python) = (Client::typescript(&of_typescript), Client::python(&of_python));
    let socket = nodes[0].socket();

    let document = over_the_socket(&socket, "rpc.discover", &json!({}))["result"].take();
    let methods = document["methods"].as_array().expect("methods");
    let names: BTreeSet<_> = methods.iter().map(|method| text(&method["name"])).collect();
    for client in [&mut typescript, &mut python] {
        let has = client.ask(&json!({"op": "methods"}));
        let has: BTreeSet<_> = has["methods"].as_array().expect("methods").iter().map(text).collect();
        assert_eq!(has, names);
    }

    let examples: Vec<_> = methods.iter().flat_map(examples_of).collect();
    let run = |fresh: &Fresh, call: &mut (dyn FnMut(&str, &Value) -> Value + Send)| -> Vec<_> {
        examples.iter().map(|(name, params)| call(name, &fresh.filled(params))).collect()
    };
    let answers = thread::scope(|scope| {
        let ways = [
            scope.spawn(|| run(&nodes[0], &mut |name, params| over_the_socket(&socket, name, params))),
            scope.spawn(|| run(&nodes[1], &mut |name, params| typescript.call(name, params))),
            scope.spawn(|| run(&nodes[2], &mut |name, params| python.call(name, params))),
            scope.spawn(|| run(&nodes[3], &mut |name, params| nodes[3].by_the_command_line(name, params))),
        ];
        ways.map(|way| way.join().expect("it answers"))
    });
    for (number, (name, params)) in examples.iter().enumerate() {
        let answers = answers.each_ref().map(|of_a_way| &of_a_way[number]);
        let shapes = answers.map(shape);
        assert!(shapes.iter().all(|one| *one == shapes[0]), "{name} {params:?}: {answers:#?}");
        let kind = answers[0]["error"]["kind"].as_str();
        let expected = FAIL.iter().find(|(method, _)| method == name).map(|(_, kind)| *kind);
        assert_eq!(kind, expected, "{name} {params:?}: {}", answers[0]);
    }
}

/// A program that pairs by itself, calls over TCP with what its token allows, sends and fetches large data, and follows records.
#[test]
fn a_program_is_paired_and_follows_records_over_tcp() {
    let node = Home::new().set("rpc.listen", "127.0.0.1:0").up();
    let url = format!("http://{}", node.rpc());
    let clients = [("typescript", Client::typescript as fn(&Value) -> Client), ("python", Client::python)];
    for (name, start) in clients {
        let mut stranger = start(&json!({"url": url}));
        assert_eq!(stranger.call("node.id", &json!({}))["error"]["code"], -32002, "{name}");
        let scopes = ["info", "records:read", "records:write"];
        let asked = stranger.ask(&json!({"op": "pair", "url": url, "name": name, "scopes": scopes}));
        node.json(&["wallet", "approve", asked["code"].as_str().expect("a code")]);
        let mut paired = stranger.next();
        let token = paired["result"]["token"].take();

        let mut client = start(&json!({"url": url, "token": token}));
        assert_eq!(client.call("node.id", &json!({}))["result"]["did"], node.did(), "{name}");
        assert_eq!(client.call("pins.list", &json!({}))["error"]["code"], -32001, "{name}");
        let calls = json!([{"method": "node.id", "params": {}}, {"method": "pins.list", "params": {}}]);
        let answers = client.ask(&json!({"op": "batch", "calls": calls}))["answers"].take();
        assert_eq!(
            (&answers[0]["result"]["did"], &answers[1]["error"]["kind"]),
            (&json!(node.did()), &json!("denied"))
        );

        let data = encode(&vec![7; 1_000_000]);
        assert_eq!(client.ask(&json!({"op": "large", "data": data}))["data"], data, "{name}");

        let follow = json!({"op": "follow", "method": "records.subscribe", "params": {"filter": {"dataFormat": "text/plain"}},
            "then": {"method": "records.write", "params": {"data": "aGVsbG8", "dataFormat": "text/plain"}}, "count": 1});
        let events = client.ask(&follow)["events"].take();
        assert_eq!(events[0]["message"]["descriptor"]["dataFormat"], "text/plain", "{name}: {events}");
    }
}

/// Name and parameters of each.
fn examples_of(method: &Value) -> Vec<(String, Map<String, Value>)> {
    let params = |example: &Value| {
        let params = example["params"].as_array().into_iter().flatten();
        params.map(|param| (text(&param["name"]), param["value"].clone())).collect()
    };
    let examples = method["examples"].as_array().into_iter().flatten();
    examples.map(|example| (text(&method["name"]), params(example))).collect()
}

/// A node with what the examples are about.
struct Fresh {
    node: Toft,
    dir: tempfile::TempDir,
    record: String,
    data: String,
    token: String,
    identity: String,
}

impl Fresh {
    fn start() -> Self {
        let node = Home::new().up();
        let dir = tempfile::tempdir().expect("a temp dir");
        let file = dir.path().join("hello.txt");
        std::fs::write(&file, "hello").expect("writes");
        let added = node.json(&["add", "--format", "text/plain", &file.display().to_string()]);
        node.json(&["protocol", "install", "rgb"]);
        let token = text(&node.json(&["token", "create", "reader", "--scope", "info"])["id"]);
        let identity = text(&node.json(&["id", "new"])["did"]);
        Self { token, identity, record: text(&added["record"]), data: text(&added["cid"]), node, dir }
    }

    /// As [`over_the_socket`]; the command line tells kinds and no codes.
    fn by_the_command_line(&self, method: &str, params: &Value) -> Value {
        let output = self.node.home().run(&["call", method, &params.to_string(), "--json"]);
        let read = |bytes: &[u8]| {
            serde_json::from_slice::<Value>(bytes).unwrap_or_else(|e| panic!("{method}: {output:?}: {e}"))
        };
        if output.status.success() {
            return json!({"result": read(&output.stdout)});
        }
        let error = read(&output.stderr)["error"].take();
        let kind: Option<Kind> = serde_json::from_value(error["kind"].clone()).ok();
        json!({"error": {"code": kind.map(Kind::code), "kind": error["kind"], "message": error["message"]}})
    }

    fn socket(&self) -> std::path::PathBuf {
        self.node.home().path().join("rpc.sock")
    }

    /// Parameters with this node's own identifiers in the place of the examples'.
    fn filled(&self, params: &Map<String, Value>) -> Value {
        let place = self.dir.path().display().to_string();
        let own = [
            (examples::DID, self.node.did()),
            (examples::RECORD, &self.record),
            (examples::DATA, &self.data),
            (examples::TOKEN, &self.token),
            (ROTATED, &self.identity),
            ("/mnt/usb", &place),
        ];
        let text = own.iter().fold(json!(params).to_string(), |text, (there, here)| text.replace(there, here));
        serde_json::from_str(&text).expect("JSON")
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// What is the same on all nodes: names and types, and of an error its code and kind.
fn shape(answer: &Value) -> Value {
    if let Value::Object(error) = &answer["error"] {
        return json!([error.get("code"), error.get("kind")]);
    }
    types(&answer["result"])
}

fn types(value: &Value) -> Value {
    match value {
        Value::Null => "null".into(),
        Value::Bool(_) => "a boolean".into(),
        Value::Number(_) => "a number".into(),
        Value::String(_) => "a string".into(),
        Value::Array(items) => {
            let kinds: BTreeSet<_> = items.iter().map(|item| types(item).to_string()).collect();
            kinds.into_iter().collect::<Vec<_>>().into()
        }
        Value::Object(fields) => {
            fields.iter().map(|(name, value)| (name.clone(), types(value))).collect::<Map<_, _>>().into()
        }
    }
}
