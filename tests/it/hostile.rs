//! What strangers say, said at every door, and looked at where it comes out: answers, the log, metrics, the terminal.

use crate::support::{
    eventually,
    toft::{Home, Toft},
};
use serde_json::json;
use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    time::Duration,
};
use toft::foreign::is_plain;

/// A line of its own, a cleared screen, C1 controls, a turned direction.
const EVIL: &str =
    "x\r\n2026-01-01T00:00:00.000000Z ERROR toft: FORGED\u{1b}[2J\u{1b}]0;owned\u{7}\u{9b}31m\u{85}\u{202e}\u{2028}";

/// As a text in JSON; over HTTP/1 a header takes ASCII.
fn escaped(text: &str) -> String {
    let ascii = |c: char| match c {
        ' '..='~' if c != '"' && c != '\\' => c.to_string(),
        c => c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")).collect(),
    };
    text.chars().map(ascii).collect()
}

/// Sends a request; the answer's head and body, as far as they come within a moment.
fn exchange(node: &Toft, head: &str, body: &[u8]) -> String {
    let address = node.url().strip_prefix("http://").expect("http");
    let mut stream = TcpStream::connect(address).expect("connects");
    stream.set_read_timeout(Some(Duration::from_secs(10))).expect("sets");
    let head = format!("{head}\r\nhost: {address}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", body.len());
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body)); // the answer may come before
    let mut answer = vec![];
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

/// Every door over HTTP, with a text that is meant for somebody's screen.
fn knock(node: &Toft, evil: &str) -> Vec<String> {
    let text = escaped(evil);
    let percent: String = evil.bytes().take(5000).map(|byte| format!("%{byte:02X}")).collect();
    let write = json!({"interface": "Records", "method": "Write"});
    let protected =
        toft::crypto::encode(json!({"kid": format!("did:key:{evil}#{evil}"), "alg": evil}).to_string().as_bytes());
    let payload = toft::crypto::encode(br#"{"descriptorCid":"x"}"#);
    let signed =
        json!({"signature": {"payload": payload, "signatures": [{"protected": protected, "signature": "AA"}]}});
    let rpc = |method: &str, target: &str, message: &str, id: &str| {
        format!(
            r#"{{"jsonrpc":"2.0","id":"{id}","method":"{method}","params":{{"target":"{target}","message":{message}}}}}"#
        )
    };
    let process = |target: &str, message: &str| rpc("dwn.processMessage", target, message, "1");
    let query = |name: &str, value: &str| {
        let message = format!(
            r#"{{"descriptor":{{"interface":"Records","method":"Query","messageTimestamp":"2026-01-01T00:00:00.000000Z","filter":{{"{name}":"{value}"}}}}}}"#
        );
        process(node.did(), &message)
    };
    let requests = [
        rpc(&text, "did:key:z6Mk", "{}", "1"),
        process(&text, "{}"),
        process(&format!("did:key:{text}"), &json!({"descriptor": write}).to_string()),
        process(node.did(), &format!(r#"{{"descriptor":{{"interface":"{text}","method":"{text}"}}}}"#)),
        process(node.did(), &escaped_json(&json!({"descriptor": write, "authorization": signed}))),
        query("author", &format!("did:web:{text}")),
        query("protocol", &text),
        query("schema", &text),
        query(&text, &text),
        format!("{{\"jsonrpc\":\"{text}\",\"{text}\":{text}"),
    ];
    let mut answers: Vec<_> = requests
        .iter()
        .flat_map(|request| {
            [
                exchange(node, &format!("POST / HTTP/1.1\r\ndwn-request: {request}"), b""),
                exchange(node, "POST / HTTP/1.1", request.as_bytes()),
            ]
        })
        .collect();
    for path in ["", "did:key:", "did:web:example.com:", "registration/", "connect/", "connect/authorize/", "info/"] {
        answers.push(exchange(node, &format!("GET /{path}{percent} HTTP/1.1"), b""));
        answers.push(exchange(node, &format!("PUT /{path}{percent} HTTP/1.1"), evil.as_bytes()));
        answers.push(exchange(node, &format!("GET /{path}/read/records/{percent} HTTP/1.1"), b""));
        answers.push(exchange(
            node,
            &format!("GET /{path}/query?filter.author={percent}&{percent}={percent} HTTP/1.1"),
            b"",
        ));
    }
    let register = json!({"registrationData": {"did": format!("did:x:{evil}"), "termsOfServiceHash": evil},
        "proofOfWork": {"challengeNonce": evil, "responseNonce": evil}});
    answers.push(exchange(
        node,
        "POST /registration HTTP/1.1\r\ncontent-type: application/json",
        register.to_string().as_bytes(),
    ));
    let par = json!({"request": evil, evil: evil}).to_string();
    answers.push(exchange(node, "POST /connect/par HTTP/1.1\r\ncontent-type: application/json", par.as_bytes()));
    answers.push(exchange(node, "GET /metrics HTTP/1.1", b""));
    answers.push(exchange(node, "GET /health HTTP/1.1", b""));
    answers.push(exchange(
        node,
        &format!("GET /metrics HTTP/1.1\r\norigin: http://{}", &percent[..percent.len().min(2000)]),
        b"",
    ));
    answers
}

fn escaped_json(value: &serde_json::Value) -> String {
    toft::foreign::json(&value.to_string())
}

#[track_caller]
fn is_clean(what: &str, text: &str, longest: usize) {
    for line in text.lines() {
        assert!(line.chars().all(is_plain), "{what}: {line:?}");
        assert!(!line.starts_with("2026-01-01T00:00:00.000000Z"), "{what}: a forged line {line:?}");
        assert!(line.len() <= longest, "{what}: a line of {} bytes: {:.300}", line.len(), line);
    }
}

/// What comes out of a node at which everything hostile has been said.
fn comes_out(format: &str) {
    let tenants = if format == "json" { "registration" } else { "open" };
    let node = Home::new()
        .set("dwn.tenants", tenants)
        .set("dwn.allow", &format!("did:x:{}", EVIL.replace(',', "")))
        .set("log.format", format)
        .set("log.level", "debug,hyper=trace,libp2p=info,sled=info")
        .up();
    let long = format!("{EVIL}{}", "z".repeat(90_000));
    let mut answers = knock(&node, EVIL);
    answers.extend(knock(&node, &long));
    // What an operator was talked into.
    node.home().run(&[
        "peer",
        "add",
        "did:key:z6MkpTHR8VNsBxYAAWHut2Geadd9jSwuBV8xRoAnwWsdvktH",
        &format!("/dns4/{EVIL}/tcp/1/p2p/x"),
    ]);
    let is_tried = |peer: &serde_json::Value| peer["problem"].is_string();
    eventually("the peer to be tried", || node.json(&["peer", "ls"]).as_array()?.iter().all(is_tried).then_some(()));
    for answer in &answers {
        let head = answer.split("\r\n\r\n").next().unwrap_or_default();
        // The JSON-RPC id comes back as it was given, and so does nothing else.
        is_clean("an answer's head", head, 20_000);
        assert!(
            answer.len() < 24_000 || answer.contains("toft_store"),
            "an answer of {} bytes: {answer:.300}",
            answer.len()
        );
        assert!(!answer.contains('\u{1b}') && !answer.contains("\n2026-01-01T00:00:00.000000Z ERROR"), "{answer:.600}");
    }
    for metrics in answers.iter().filter(|answer| answer.contains("toft_store")) {
        is_clean("metrics", metrics, 2000);
    }
    for args in [&["tenant", "ls"][..], &["peer", "ls"], &["status"], &["record", "query"]] {
        for json in [&[][..], &["--json"]] {
            let output = node.home().run(&[args, json].concat());
            let text = String::from_utf8(output.stdout).expect("UTF-8") + &String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{args:?}: {text}");
            is_clean(&args.join(" "), &text, 20_000);
            if !json.is_empty() {
                serde_json::from_str::<serde_json::Value>(&text).expect("JSON still");
            }
        }
    }
    // The list of those who are let in counts only where there is one.
    if tenants == "registration" {
        let listed = String::from_utf8(node.home().run(&["tenant", "ls"]).stdout).expect("UTF-8");
        assert!(listed.contains("FORGED") && listed.contains(r"\u{1b}[2J"), "it is listed, escaped: {listed}");
        let listed = node.json(&["tenant", "ls"]);
        let raw = |tenant: &serde_json::Value| tenant["did"].as_str().is_some_and(|did| did.contains('\u{1b}'));
        assert!(listed.as_array().expect("a list").iter().any(raw), "a script gets it as it is");
    }
    let log = node.log();
    assert!(log.len() < 4 << 20, "{} bytes of log", log.len());
    is_clean("the log", &log, 9 << 10);
}

#[test]
fn nothing_hostile_comes_out_of_a_node_that_logs_text() {
    comes_out("text");
}

#[test]
fn nothing_hostile_comes_out_of_a_node_that_logs_json() {
    comes_out("json");
}
