//! The wallet RPC over TCP, byte by byte: whom its guards turn away, and with what.

use crate::support::toft::{Home, Toft};
use serde_json::{Value, json};
use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    time::Duration,
};

fn node() -> Toft {
    Home::new().set("rpc.listen", "127.0.0.1:0").up()
}

fn cookie(node: &Toft) -> String {
    std::fs::read_to_string(node.home().path().join("rpc.cookie")).expect("a cookie")
}

/// An answer: status, head in lower case, body.
struct Answer(u16, String, String);

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.2).unwrap_or_else(|e| panic!("{:?}: {e}", self.2))
    }

    /// Of a call: the code of its error, or 0.
    fn code(&self) -> i64 {
        self.json()["error"]["code"].as_i64().unwrap_or_default()
    }
}

/// Sends a request with these lines of head. `{host}` is the node's own.
fn send(node: &Toft, first: &str, head: &[&str], body: &str) -> Answer {
    let own = node.rpc().to_string();
    let mut stream = TcpStream::connect(node.rpc()).expect("connects");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("sets");
    let mut request = format!("{first} HTTP/1.1\r\nconnection: close\r\n");
    for line in head {
        request += &format!("{}\r\n", line.replace("{host}", &own));
    }
    request += &format!("content-length: {}\r\n\r\n", body.len());
    let _ = stream.write_all(request.as_bytes()).and_then(|()| stream.write_all(body.as_bytes())); // the answer may come before
    let mut answer = vec![];
    let _ = stream.read_to_end(&mut answer);
    let text = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default();
    Answer(status, head.to_lowercase(), body.to_owned())
}

const JSON: &str = "content-type: application/json";

fn call(method: &str, params: &Value) -> String {
    json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).to_string()
}

#[test]
fn guards_stand_in_their_order() {
    let node = node();
    let bearer = format!("authorization: Bearer {}", cookie(&node));
    let (port, id) = (node.rpc().port(), call("node.id", &json!({})));
    let localhost = format!("host: LocalHost:{port}");
    let own = "host: {host}";
    // Whoever has nothing right hears of the first thing that is wrong.
    for (status, head) in [
        (421, vec!["host: evil.example", "origin: null", "content-type: text/plain"]),
        (421, vec!["host: 127.0.0.1:1", JSON, &bearer]),
        (421, vec!["host: localhost", JSON, &bearer]),
        (421, vec![JSON, &bearer]),
        (403, vec![own, "origin: null", "content-type: text/plain", &bearer]),
        (403, vec![own, "origin: https://wallet.example", JSON, &bearer]),
        (403, vec![own, "origin: http://{host}", JSON, &bearer]),
        (403, vec![own, "origin: https://a.example", "origin: https://b.example", JSON, &bearer]),
        (403, vec![own, "sec-fetch-site: cross-site", JSON, &bearer]),
        (403, vec![own, "sec-fetch-site: same-site", JSON, &bearer]),
        (403, vec![own, "sec-fetch-site: none", "sec-fetch-mode: no-cors", JSON, &bearer]),
        (415, vec![own, "content-type: text/plain", &bearer]),
        (415, vec![own, "content-type: application/x-www-form-urlencoded", &bearer]),
        (415, vec![own, &bearer]),
        (401, vec![own, JSON]),
        (401, vec![own, JSON, "authorization: Basic eDp5"]),
        (401, vec![own, JSON, "authorization: Bearer toft_0011223344556677.AAAA"]),
        (401, vec![own, JSON, "authorization: Bearer __cookie__.AAAA"]),
        (200, vec![own, JSON, &bearer]),
        (200, vec![&localhost, "content-type: Application/JSON; charset=utf-8", &bearer]),
        (200, vec![own, "sec-fetch-site: none", "sec-fetch-mode: cors", JSON, &bearer]),
    ] {
        let answer = send(&node, "POST /rpc", &head, &id);
        assert_eq!(answer.0, status, "{head:?}: {}", answer.2);
        assert!(!answer.1.contains("access-control-allow-origin"), "{head:?}: {}", answer.1);
    }
    let large = format!("[{}]", " ".repeat(1 << 20));
    assert_eq!(send(&node, "POST /rpc", &["host: {host}", JSON], &large).0, 413, "before the token");
    assert_eq!(send(&node, "POST /rpc?token=x", &["host: {host}", JSON], &id).0, 401, "no token in the address");
    assert_eq!(send(&node, "GET /rpc", &["host: {host}", &bearer], "").0, 405);
    assert_eq!(send(&node, "OPTIONS /rpc", &["host: {host}", "origin: https://wallet.example"], "").0, 403);
    // Neither port carries what the other has.
    let (status, answer) = {
        let mut answer = ureq::post(format!("{}/rpc", node.url()))
            .config()
            .http_status_as_error(false)
            .build()
            .header("content-type", "application/json")
            .send(&id)
            .expect("the DWN port answers");
        (answer.status(), answer.body_mut().read_to_string().unwrap_or_default())
    };
    assert!([404, 405].contains(&status.as_u16()) && !answer.contains("result"), "{status}: {answer}");
    assert_eq!(send(&node, "GET /info", &["host: {host}", &bearer], "").0, 404);
}

#[test]
fn pages_of_strangers_may_do_nothing_but_pair() {
    let node = node();
    let page = "origin: https://wallet.example";
    let preflight = send(&node, "OPTIONS /pair", &["host: {host}", page, "access-control-request-method: POST"], "");
    assert_eq!(preflight.0, 204);
    assert!(preflight.1.contains("access-control-allow-origin: https://wallet.example"), "{}", preflight.1);
    assert!(!preflight.1.contains("private-network"), "{}", preflight.1);
    assert_eq!(send(&node, "OPTIONS /pair", &["host: {host}", "origin: null"], "").0, 403);
    for method in ["node.id", "records.query", "rpc.discover"] {
        let answer = send(&node, "POST /pair", &["host: {host}", page, JSON], &call(method, &json!({})));
        assert_eq!((answer.0, answer.code()), (401, -32002), "{method}: {}", answer.2);
        let bearer = format!("authorization: Bearer {}", cookie(&node));
        let answer = send(&node, "POST /pair", &["host: {host}", page, JSON, &bearer], &call(method, &json!({})));
        assert_eq!((answer.0, answer.code()), (401, -32002), "a token changes nothing here: {method}");
    }
}

#[test]
fn calls_follow_json_rpc() {
    let node = node();
    let bearer = format!("authorization: Bearer {}", cookie(&node));
    let post = |body: &str| send(&node, "POST /rpc", &["host: {host}", JSON, &bearer], body);
    let id = post(&call("node.id", &json!({})));
    assert_eq!(id.json()["result"]["did"], node.did());
    for (body, code) in [
        ("{", -32700),
        ("[]", -32600),
        ("7", -32600),
        (r#"{"jsonrpc":"2.0","id":[],"method":"node.id"}"#, -32600),
        (r#"{"jsonrpc":"2.0","id":1,"method":"node.nothing"}"#, -32601),
        (r#"{"jsonrpc":"2.0","id":1,"method":"node.id","params":[]}"#, -32602),
        (r#"{"jsonrpc":"2.0","id":1,"method":"node.id","params":{"more":1}}"#, -32602),
        (r#"{"jsonrpc":"2.0","id":1,"method":"backup.create","params":{"dir":"/tmp/x"}}"#, -32001),
    ] {
        let answer = post(body);
        assert_eq!((answer.0, answer.code()), (200, code), "{body}: {}", answer.2);
    }
    assert_eq!(post(r#"{"jsonrpc":"2.0","method":"node.id"}"#).0, 204, "a notification");
    let one = call("node.id", &json!({}));
    let batch = post(&format!("[{}]", vec![one.as_str(); 50].join(","))).json();
    assert_eq!(batch.as_array().map(Vec::len), Some(50));
    assert_eq!(post(&format!("[{}]", vec![one.as_str(); 51].join(","))).code(), -32600);
    let document = post(&call("rpc.discover", &json!({}))).json();
    let held: Value = serde_json::from_str(include_str!("../../docs/openrpc.json")).expect("JSON");
    assert_eq!(document["result"], held);
    // Nobody over TCP learns where the home is.
    let status = post(&call("node.status", &json!({})));
    let home = node.home().path().to_string_lossy().into_owned();
    assert!(status.2.contains("uptime_seconds") && !status.2.contains(&home), "{}", status.2);
    let (path, before) = (node.home().path().join("rpc.cookie"), cookie(&node));
    let home = node.stop();
    assert!(!path.exists(), "the cookie goes with the node");
    let again = home.up();
    assert_ne!(cookie(&again), before);
}

#[test]
fn a_listener_beyond_this_machine_is_refused() {
    for address in ["0.0.0.0:0", "192.0.2.1:3002", "localhost:3002", "[::]:0"] {
        let Err(said) = Home::new().set("rpc.listen", address).try_up() else { panic!("{address} is taken") };
        assert!(said.contains("rpc.listen"), "{said}");
    }
}
