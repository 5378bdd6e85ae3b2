//! The wallet RPC over WebSockets, with as many of them as a busy desktop has programs, and many more.

use crate::support::{
    clients::over_the_socket,
    toft::{Home, Toft},
};
use futures::{SinkExt as _, StreamExt as _, future};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use tokio_tungstenite::{WebSocketStream, client_async, tungstenite::Message};

type Socket = WebSocketStream<TcpStream>;

const SUBSCRIBERS: usize = 1000;
/// Connections that are begun at once.
const AT_ONCE: usize = 50;
const PATIENCE: Duration = Duration::from_secs(60);

fn node() -> Toft {
    toft::scarce::Files::raise().expect("descriptors for the clients");
    Home::new().set("rpc.listen", "127.0.0.1:0").up()
}

fn cookie(node: &Toft) -> String {
    std::fs::read_to_string(node.home().path().join("rpc.cookie")).expect("a cookie")
}

/// A call over the node's socket.
fn own(node: &Toft, method: &str, params: &Value) -> Value {
    let mut answer = over_the_socket(&node.home().path().join("rpc.sock"), method, params);
    assert!(answer["error"].is_null(), "{method}: {answer}");
    answer["result"].take()
}

async fn open(node: &Toft) -> Socket {
    let stream = TcpStream::connect(node.rpc()).await.expect("connects");
    client_async(format!("ws://{}/rpc", node.rpc()), stream).await.expect("a WebSocket").0
}

/// The next text; `None` when the node has ended the connection.
async fn hear(socket: &mut Socket) -> Option<Value> {
    loop {
        match tokio::time::timeout(PATIENCE, socket.next()).await.expect("something is said in time") {
            Some(Ok(Message::Text(text))) => return Some(serde_json::from_str(&text).expect("JSON")),
            Some(Ok(Message::Close(_)) | Err(_)) | None => return None,
            Some(Ok(_)) => {}
        }
    }
}

async fn ask(socket: &mut Socket, method: &str, params: Value) -> Value {
    let call = json!({"jsonrpc": "2.0", "id": 7, "method": method, "params": params});
    socket.send(Message::text(call.to_string())).await.expect("the node reads");
    loop {
        let answer = hear(socket).await.unwrap_or_else(|| panic!("{method}: the connection has ended"));
        if answer["id"] == 7 {
            return answer;
        }
    }
}

async fn subscriber(node: &Toft, token: &str) -> Socket {
    let mut socket = open(node).await;
    let said = ask(&mut socket, "rpc.authenticate", json!({"token": token})).await;
    assert!(said["result"]["scopes"].is_array(), "{said}");
    let said = ask(&mut socket, "records.subscribe", json!({"filter": {"dataFormat": "text/plain"}})).await;
    assert!(said["result"]["subscription"].is_string(), "{said}");
    socket
}

/// Every one of them hears of this record.
async fn all_hear(sockets: &mut [Socket], record: &str) {
    future::join_all(sockets.iter_mut().map(async |socket| {
        let said = hear(socket).await.expect("an event");
        assert_eq!(said["method"], "rpc.event", "{said}");
        assert!(said["params"]["event"].to_string().contains(record), "{said}");
    }))
    .await;
}

fn write(node: &Toft) -> String {
    let written = own(node, "records.write", &json!({"data": "aGVsbG8", "dataFormat": "text/plain"}));
    written["recordId"].as_str().expect("a record").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_subscribers_hear_of_a_record() {
    let node = node();
    let token = cookie(&node);
    let before = node.memory();
    let begin = Instant::now();
    let mut sockets: Vec<Socket> = futures::stream::iter(0..SUBSCRIBERS)
        .map(|_| subscriber(&node, &token))
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    let subscribed = begin.elapsed();
    let begin = Instant::now();
    let record = write(&node);
    all_hear(&mut sockets, &record).await;
    println!(
        "{SUBSCRIBERS} subscribed in {subscribed:.1?}, all heard in {:.1?}; {} MiB, {} before",
        begin.elapsed(),
        node.memory() >> 20,
        before >> 20
    );
    sockets.truncate(SUBSCRIBERS / 2);
    let record = write(&node);
    all_hear(&mut sockets, &record).await;
    assert!(node.memory() < 2 * before + (64 << 20), "{} MiB", node.memory() >> 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_lives_as_long_as_its_token() {
    let node = node();
    let made = own(&node, "tokens.create", &json!({"name": "reader", "scopes": ["info", "records:read"]}));
    let (token, id) = (made["token"].as_str().expect("a token"), &made["id"]);
    let mut reader = subscriber(&node, token).await;
    let denied = ask(&mut reader, "records.write", json!({"data": "eA", "dataFormat": "text/plain"})).await;
    assert_eq!(denied["error"]["code"], -32001, "{denied}");
    let begin = Instant::now();
    own(&node, "tokens.revoke", &json!({"id": id}));
    assert_eq!(hear(&mut reader).await, None, "the node ends it");
    assert!(begin.elapsed() < Duration::from_secs(1), "the issue asks for a second: {:?}", begin.elapsed());
    let mut again = open(&node).await;
    let said = ask(&mut again, "rpc.authenticate", json!({"token": token})).await;
    assert_eq!(said["error"]["code"], -32002, "{said}");
    assert_eq!(hear(&mut again).await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_begins_with_a_token() {
    let node = node();
    for first in [
        json!({"jsonrpc": "2.0", "id": 1, "method": "node.id"}),
        json!({"jsonrpc": "2.0", "id": 1, "method": "rpc.authenticate", "params": {"token": "toft_0011223344556677.AAAA"}}),
        json!({"jsonrpc": "2.0", "id": 1, "method": "rpc.authenticate", "params": {}}),
        json!([]),
    ] {
        let mut socket = open(&node).await;
        socket.send(Message::text(first.to_string())).await.expect("the node reads");
        let said = hear(&mut socket).await.expect("an answer");
        assert!(said["error"]["code"].is_number(), "{first}: {said}");
        assert_eq!(hear(&mut socket).await, None, "{first}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn subscriptions_end_when_asked_to() {
    let node = node();
    let mut socket = subscriber(&node, &cookie(&node)).await;
    let record = write(&node);
    all_hear(std::slice::from_mut(&mut socket), &record).await;
    let ended = ask(&mut socket, "rpc.unsubscribe", json!({"subscription": "1"})).await;
    assert_eq!(ended["result"]["ended"], "1", "{ended}");
    let again = ask(&mut socket, "rpc.unsubscribe", json!({"subscription": "1"})).await;
    assert_eq!(again["error"]["code"], -32004, "{again}");
    write(&node);
    let batch = json!([
        {"jsonrpc": "2.0", "id": 1, "method": "node.id"},
        {"jsonrpc": "2.0", "method": "node.id"},
        {"jsonrpc": "2.0", "id": 2, "method": "node.nothing"},
    ]);
    socket.send(Message::text(batch.to_string())).await.expect("the node reads");
    let said = hear(&mut socket).await.expect("the batch's answer comes next: no event");
    assert_eq!((said.as_array().map(Vec::len), &said[1]["error"]["code"]), (Some(2), &json!(-32601)), "{said}");
}
