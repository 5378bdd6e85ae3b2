//! Records over TCP with tokens: what a token's protocol bounds, and events over WebSockets.

use crate::support::{
    control::{Control, Failed, failed},
    toft::{Home, Toft},
};
use futures::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use std::time::Duration;
use toft::crypto;
use tokio::net::TcpStream;
use tokio_tungstenite::{WebSocketStream, client_async, tungstenite::Message};

const NOTES: &str = "http://notes.example/p";

fn node() -> Toft {
    let node = Home::new().set("rpc.listen", "127.0.0.1:0").up();
    for protocol in [NOTES, "http://other.example/p"] {
        let definition =
            json!({"protocol": protocol, "published": false, "types": {"note": {}}, "structure": {"note": {}}});
        Control::of(node.home()).call("protocols.install", json!({"definition": definition}));
    }
    node
}

fn token(node: &Toft, scopes: &[&str]) -> String {
    let made =
        Control::of(node.home()).call("tokens.create", json!({"name": "test", "scopes": scopes, "rate": 100_000}));
    made["token"].as_str().expect("a token").to_owned()
}

/// A call over HTTP.
fn call(node: &Toft, token: &str, method: &str, params: Value) -> Result<Value, Failed> {
    let call = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
    let mut answer = ureq::post(format!("http://{}/rpc", node.rpc()))
        .config()
        .http_status_as_error(false)
        .build()
        .header("authorization", format!("Bearer {token}"))
        .send_json(&call)
        .expect("answers");
    let mut answer: Value = answer.body_mut().read_json().expect("JSON");
    match answer.get("error") {
        Some(error) => Err(failed(error)),
        None => Ok(answer["result"].take()),
    }
}

#[test]
fn a_token_for_a_protocol_reaches_no_record_of_another() {
    let node = node();
    let rpc = Control::of(node.home());
    let write = |protocol: &str| json!({"data": crypto::encode(b"x"), "dataFormat": "a/b", "protocol": protocol, "protocolPath": "note"});
    let other = rpc.call("records.write", write("http://other.example/p"))["recordId"].clone();
    let plain =
        rpc.call("records.write", json!({"data": crypto::encode(b"x"), "dataFormat": "a/b"}))["recordId"].clone();
    let token = token(&node, &["records:read:http://notes.example/p", "records:write:http://notes.example/p"]);
    let asks = |method: &str, params: Value| call(&node, &token, method, params);

    let own = asks("records.write", write(NOTES)).expect("is allowed")["recordId"].clone();
    let notes = json!({"filter": {"protocol": NOTES}});
    for method in ["records.query", "records.count", "records.explain"] {
        let everything = asks(method, json!({})).expect_err("is too much");
        assert!(everything.code == -32001 && everything.message.contains("filter.protocol"), "{everything:?}");
        assert_eq!(
            asks(method, json!({"filter": {"protocol": "http://other.example/p"}})).expect_err("another").code,
            -32001
        );
        asks(method, notes.clone()).expect("is allowed");
    }
    for (method, more) in [
        ("records.read", json!({})),
        ("records.history", json!({})),
        ("records.write", json!({"published": true})),
        ("records.delete", json!({})),
    ] {
        for (id, allowed) in [(&other, false), (&plain, false), (&own, true)] {
            let mut params = more.clone();
            params["recordId"] = id.clone();
            let answer = asks(method, params);
            match allowed {
                true => drop(answer.unwrap_or_else(|failed| panic!("{method} {failed:?}"))),
                false => assert_eq!(answer.expect_err(method).code, -32001, "{method}"),
            }
        }
    }
    assert_eq!(asks("records.write", write("http://other.example/p")).expect_err("another").code, -32001);
    assert_eq!(asks("blocks.get", json!({"cid": "x"})).expect_err("lacks the scope").code, -32001);
    // What is for the socket alone, or says where on this machine something lies.
    let admin = self::token(&node, &["admin"]);
    let change = json!({"key": "log.level", "value": "debug"});
    assert_eq!(call(&node, &admin, "config.set", change).expect_err("over TCP").code, -32001);
    let seen = call(&node, &admin, "config.get", json!({})).expect("is allowed");
    assert!(seen["file"].is_null() && !seen.to_string().contains(&node.home().path().display().to_string()));
    // An upload over TCP, by who holds the address.
    let asked = call(&node, &admin, "records.write", json!({"dataSize": 5, "dataFormat": "a/b"})).expect("is allowed");
    let path = asked["upload"]["path"].as_str().expect("a path").to_owned();
    let mut answer = ureq::put(format!("http://{}{path}", node.rpc())).send("hello").expect("takes it");
    let written: Value = answer.body_mut().read_json().expect("JSON");
    assert_eq!(written["dataSize"], 5, "{written}");
}

/// A WebSocket that has shown its token.
struct Line(WebSocketStream<TcpStream>);

impl Line {
    async fn open(node: &Toft, token: &str) -> Self {
        let stream = TcpStream::connect(node.rpc()).await.expect("connects");
        let (socket, _) = client_async(format!("ws://{}/rpc", node.rpc()), stream).await.expect("a WebSocket");
        let mut line = Self(socket);
        let shown = line.call("rpc.authenticate", json!({"token": token})).await;
        assert!(shown["result"].is_object(), "{shown}");
        line
    }

    async fn call(&mut self, method: &str, params: Value) -> Value {
        let call = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        self.0.send(Message::text(call.to_string())).await.expect("sends");
        self.hear().await
    }

    async fn hear(&mut self) -> Value {
        loop {
            let message = tokio::time::timeout(Duration::from_secs(60), self.0.next()).await.expect("in time");
            if let Message::Text(text) = message.expect("is open").expect("a message") {
                return serde_json::from_str(&text).expect("JSON");
            }
        }
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime")
}

#[test]
fn changes_are_told_until_a_subscription_ends() {
    let node = node();
    let rpc = Control::of(node.home());
    let token = token(&node, &["info", "records:read:http://notes.example/p"]);
    runtime().block_on(async {
        let mut line = Line::open(&node, &token).await;
        assert_eq!(line.call("records.subscribe", json!({})).await["error"]["code"], -32001);
        let answer = line.call("records.subscribe", json!({"filter": {"protocol": NOTES}})).await;
        let id = answer["result"]["subscription"].clone();
        let note =
            json!({"data": crypto::encode(b"x"), "dataFormat": "a/b", "protocol": NOTES, "protocolPath": "note"});
        let mut other = note.clone();
        other["protocol"] = "http://other.example/p".into();
        rpc.call("records.write", other);
        let written = rpc.call("records.write", note.clone());
        let told = line.hear().await;
        assert_eq!((&told["method"], &told["params"]["subscription"]), (&json!("rpc.event"), &id), "{told}");
        let event = &told["params"]["event"];
        assert_eq!(event["message"]["recordId"], written["recordId"]);
        let cursor = event["cursor"].clone();
        assert_eq!(line.call("rpc.unsubscribe", json!({"subscription": id})).await["result"]["ended"], id);
        let missed = rpc.call("records.write", note);
        // It goes on where it was.
        line.call("records.subscribe", json!({"filter": {"protocol": NOTES}, "cursor": cursor})).await;
        assert_eq!(line.hear().await["params"]["event"]["message"]["recordId"], missed["recordId"]);

        let mut watcher = Line::open(&node, &token).await;
        let answer = watcher.call("node.events", json!({})).await;
        let told = watcher.hear().await;
        assert_eq!(told["params"]["subscription"], answer["result"]["subscription"], "{told}");
        assert_eq!(told["params"]["event"]["healthy"], true, "{told}");
    });
}
