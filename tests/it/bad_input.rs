//! What is wrong is answered at once, in the protocol's own words, and the node goes on.

use crate::support::{
    connect_from,
    sdk::{Sdk, code},
    toft::Home,
};
use serde_json::{Value, json};
use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    time::Duration,
};

/// Sends raw bytes, reads until the node closes or has answered, returns status and text.
fn raw(address: &str, request: &[u8]) -> (u16, String) {
    let mut stream = TcpStream::connect(address).expect("connects");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("sets");
    let _ = stream.write_all(request); // the node may answer and close before it has read everything
    let mut answer = vec![];
    let mut piece = [0; 65536];
    loop {
        match stream.read(&mut piece) {
            Ok(0) | Err(_) => break,
            Ok(n) => {
                answer.extend_from_slice(&piece[..n]);
                let text = String::from_utf8_lossy(&answer);
                let whole = text.split_once("\r\n\r\n").is_some_and(|(head, body)| {
                    let length =
                        head.lines().find_map(|l| l.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
                    length.is_none_or(|n: usize| body.len() >= n)
                });
                if whole {
                    break;
                }
            }
        }
    }
    let text = String::from_utf8_lossy(&answer).into_owned();
    let status = text.split_whitespace().nth(1).and_then(|s| s.parse().ok()).unwrap_or(0);
    (status, text)
}

fn post(address: &str, header: Option<&str>, body: &[u8]) -> (u16, String) {
    let mut request = format!("POST / HTTP/1.1\r\nhost: toft\r\ncontent-length: {}\r\n", body.len());
    if let Some(header) = header {
        request += &format!("dwn-request: {header}\r\n");
    }
    let mut bytes = (request + "\r\n").into_bytes();
    bytes.extend(body);
    raw(address, &bytes)
}

/// A request whose body comes in pieces.
fn post_pieces(address: &str, header: &str, pieces: &[&[u8]]) -> (u16, String) {
    let mut request =
        format!("POST / HTTP/1.1\r\nhost: toft\r\ntransfer-encoding: chunked\r\ndwn-request: {header}\r\n\r\n")
            .into_bytes();
    for piece in pieces.iter().chain([&&b""[..]]) {
        request.extend([format!("{:x}\r\n", piece.len()).as_bytes(), piece, b"\r\n"].concat());
    }
    raw(address, &request)
}

fn json_of(text: &str) -> Value {
    let body = text.split_once("\r\n\r\n").expect("a body").1;
    serde_json::from_str(body).unwrap_or_else(|e| panic!("{body:?}: {e}"))
}

#[test]
fn requests_that_are_none_are_answered_with_json_rpc_errors() {
    let node = Home::new().set("dwn.tenants", "open").up();
    let address = node.url().strip_prefix("http://").expect("http");
    let deep = "[".repeat(200_000);
    let target = |message: &str| {
        format!(
            r#"{{"jsonrpc":"2.0","id":"7","method":"dwn.processMessage","params":{{"target":"did:key:z6Mk","message":{message}}}}}"#
        )
    };
    let cases = [
        ("no header", post(address, None, b""), 400, -50400),
        ("no JSON", post(address, Some("{oops"), b""), 400, -32700),
        ("null", post(address, Some("null"), b""), 400, -32600),
        ("no version", post(address, Some(r#"{"id":1,"method":"dwn.processMessage"}"#), b""), 400, -32600),
        ("unknown method", post(address, Some(r#"{"jsonrpc":"2.0","id":1,"method":"rpc.nope"}"#), b""), 400, -32601),
        (
            "no params",
            post(address, Some(r#"{"jsonrpc":"2.0","id":1,"method":"dwn.processMessage"}"#), b""),
            400,
            -32602,
        ),
        ("deep JSON in the body", post(address, None, deep.as_bytes()), 400, -32700),
        ("deep JSON in the header", post(address, Some(&deep[..100_000]), b""), 400, -32700),
        ("a body without header above 1 MiB", post(address, None, &vec![b' '; (1 << 20) + 1]), 413, -50400),
    ];
    for (what, (status, text), expected, code) in cases {
        assert_eq!(status, expected, "{what}: {text}");
        assert_eq!(json_of(&text)["error"]["code"], code, "{what}: {text}");
    }
    let (status, _) = post(address, Some(&deep), b"");
    assert_eq!(status, 431, "a header above 128 KiB");
    // Inside a readable request the answer is a DWN reply.
    let replies = [
        (target("{}"), 400, "Both interface and method must be present, interface: undefined, method: undefined"),
        (
            target(r#"{"descriptor":{"interface":"Records","method":"Nope"}}"#),
            400,
            "SchemaValidatorSchemaNotFound: schema for RecordsNope not found.",
        ),
        (target(r#"{"descriptor":{"interface":"Records","method":"Write"}}"#), 400, "SchemaValidatorFailure: "),
    ];
    for (request, code, detail) in replies {
        let (status, text) = post(address, Some(&request), b"");
        assert_eq!(status, 200, "{text}");
        let reply = &json_of(&text)["result"]["reply"]["status"];
        assert_eq!(reply["code"], code, "{text}");
        assert!(reply["detail"].as_str().is_some_and(|d| d.starts_with(detail)), "{text}");
    }
    let (status, text) = raw(address, format!("GET /health HTTP/1.1\r\nhost: {address}\r\n\r\n").as_bytes());
    assert_eq!((status, &json_of(&text)["ok"]), (200, &json!(true)), "the node goes on");
}

#[test]
fn messages_that_do_not_fit_their_signature_or_their_data_are_refused() {
    let node = Home::new().set("dwn.tenants", "open").up();
    let mut sdk = Sdk::start();
    let alice = sdk.persona("alice", "ed25519");
    for size in [100, 50_000] {
        for (what, expected, detail) in [
            ("signature", 401, "GeneralJwsVerifierInvalidSignature"),
            ("data", 400, "RecordsWriteDataCidMismatch"),
            ("longer", 400, "RecordsWriteDataCidMismatch"),
            ("shorter", 400, "RecordsWriteDataCidMismatch"),
        ] {
            let fields = json!({"url": node.url(), "as": "alice", "tenant": alice, "what": what, "size": size});
            let reply = sdk.call("forge", fields);
            assert_eq!(code(&reply), expected, "{what} {size}: {reply}");
            let said = reply["status"]["detail"].as_str().expect("a detail");
            assert!(said.starts_with(detail), "{what} {size}: {said}");
        }
    }
    let query = json!({"url": node.url(), "as": "alice", "tenant": alice, "filter": {"dataFormat": "text/plain"}});
    assert_eq!(sdk.call("query", query)["entries"], json!([]), "nothing of it was kept");
}

#[test]
fn an_endless_body_is_stopped_soon_after_what_was_declared() {
    let node = Home::new().set("dwn.tenants", "open").up();
    let mut sdk = Sdk::start();
    let alice = sdk.persona("alice", "ed25519");
    let fields = json!({"as": "alice", "tenant": alice, "size": 40_000});
    let request = sdk.call("request", fields)["request"].as_str().expect("a request").to_owned();
    let address = node.url().strip_prefix("http://").expect("http");
    let mut stream = TcpStream::connect(address).expect("connects");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("sets");
    write!(stream, "POST / HTTP/1.1\r\nhost: toft\r\ntransfer-encoding: chunked\r\ndwn-request: {request}\r\n\r\n")
        .expect("writes");
    let chunk = [format!("{:x}\r\n", 1 << 16).into_bytes(), vec![7; 1 << 16], b"\r\n".to_vec()].concat();
    let mut sent = 0u64;
    // Far more than socket buffers hold: without a bound this would go on to the end.
    while sent < 256 << 20 {
        if stream.write_all(&chunk).is_err() {
            break;
        }
        sent += 1 << 16;
    }
    assert!(sent < 64 << 20, "the node took {sent} bytes of a record of 40,000");
    let query = json!({"url": node.url(), "as": "alice", "tenant": alice, "filter": {"dataSize": {"gte": 1}}});
    assert_eq!(code(&sdk.call("query", query)), 200, "the node goes on");
}

#[test]
fn what_stops_a_node_from_starting_is_said_in_a_sentence() {
    let first = Home::new().up();
    let address = first.url().strip_prefix("http://").expect("http");
    let said = Home::new().set("dwn.listen", address).try_up().expect_err("the port is taken");
    assert!(said.contains("is in use by another program") && said.contains("dwn.listen"), "{said}");

    let home = first.home();
    let output = home.run(&["up"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains(&format!("another toft (pid {})", first.pid())), "{said}");

    let damaged = Home::new();
    std::fs::create_dir_all(damaged.path()).expect("creates");
    std::fs::write(damaged.path().join("node.toml"), "[dwn]\nlisten = 3000\n").expect("writes");
    let said = damaged.try_up().expect_err("a damaged node.toml");
    assert!(said.contains("node.toml") && said.contains("line 2"), "{said}");

    let said = Home::new().set("web.enabled", "true").try_up().expect_err("not yet");
    assert!(said.contains("the dashboard is not supported"), "{said}");

    let output = Home::new().command(&["up"]).env("TOFT_HOME", "/proc/nowhere").output().expect("runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("choose another home with --home or TOFT_HOME"), "{said}");
}

#[test]
fn clients_that_stall_do_not_stop_the_others() {
    let node = Home::new().set("dwn.tenants", "open").up();
    let mut sdk = Sdk::start();
    let alice = sdk.persona("alice", "ed25519");
    let address = node.url().strip_prefix("http://").expect("http");
    let mut held = vec![];
    // More uploads that stop in the middle than there are workers, and more downloads nobody reads than threads.
    for _ in 0..40 {
        let fields = json!({"as": "alice", "tenant": alice, "size": 100_000});
        let request = sdk.call("request", fields)["request"].as_str().expect("a request").to_owned();
        let mut stream = TcpStream::connect(address).expect("connects");
        write!(stream, "POST / HTTP/1.1\r\nhost: toft\r\ncontent-length: 100000\r\ndwn-request: {request}\r\n\r\n")
            .expect("writes");
        stream.write_all(&[7; 50_000]).expect("writes");
        held.push(stream);
    }
    let written = sdk.call(
        "write",
        json!({"url": node.url(), "as": "alice", "tenant": alice, "size": 20_000_000, "published": true}),
    );
    assert_eq!(code(&written), 202, "{written}");
    let gateway =
        node.facts["gateway"].as_str().expect("a gateway").trim_start_matches("http://").trim_end_matches("/ipfs/");
    let cid = written["dataCid"].as_str().expect("a CID");
    for _ in 0..600 {
        // From another address: what these hold is that one's share. What is above it is closed at once.
        let mut stream = connect_from([127, 0, 0, 9], gateway.parse().expect("an address")).expect("connects");
        let _ = write!(stream, "GET /ipfs/{cid} HTTP/1.1\r\nhost: toft\r\n\r\n");
        held.push(stream);
    }
    for _ in 0..5 {
        let small = sdk.call("write", json!({"url": node.url(), "as": "alice", "tenant": alice, "size": 200}));
        assert_eq!(code(&small), 202, "{small}");
        let read =
            sdk.call("read", json!({"url": node.url(), "as": "alice", "tenant": alice, "recordId": small["recordId"]}));
        assert_eq!((code(&read), &read["data"]["sha256"]), (200, &small["sha256"]));
    }
    drop(held);
}

#[test]
fn a_body_of_no_bytes_is_no_body_however_it_is_sent() {
    let node = Home::new().set("dwn.tenants", "open").up();
    let address = node.url().strip_prefix("http://").expect("http");
    let signer = toft::crypto::Signer::new([7u8; 32], "");
    let toft::crypto::PublicKey::Ed25519(key) = signer.public() else { panic!("another key") };
    let did = toft::did::key::from_ed25519(key.as_bytes());
    let signer = toft::crypto::Signer::new([7u8; 32], toft::did::key::kid(&did));
    let write = |data: &[u8]| {
        let cid = toft::cid::of(toft::cid::RAW, data);
        let write = toft::dwn::create::Write { data_format: "text/plain", ..Default::default() };
        let made = toft::dwn::create::records_write(&write, (&cid, data.len() as u64), &toft::node::now(), &signer);
        made.expect("made")
    };
    let request = |message: &Value| {
        json!({"jsonrpc": "2.0", "id": 1, "method": "dwn.processMessage", "params": {"target": did.as_str(), "message": message}})
            .to_string()
    };
    let status = |(http, text): (u16, String)| {
        assert_eq!(http, 200, "{text}");
        code(&json_of(&text)["result"]["reply"])
    };
    let nothing = |message: &Value| {
        let header = request(message);
        [status(post(address, Some(&header), b"")), status(post_pieces(address, &header, &[]))]
    };
    // Data is missing: the record is begun, and not there.
    assert_eq!((nothing(&write(b"one"))[0], nothing(&write(b"two"))[0]), (204, 204));
    assert_eq!(status(post_pieces(address, &request(&write(b"three")), &[])), 204);
    assert_eq!(status(post_pieces(address, &request(&write(b"four")), &[b"fo", b"ur"])), 202);
    // Data of no bytes is there as soon as it is written.
    assert_eq!(nothing(&write(b"")), [202, 409]);
    let written = write(b"");
    assert_eq!(status(post_pieces(address, &request(&written), &[])), 202);
    let read =
        toft::dwn::create::records_read(json!({"recordId": written["recordId"]}), &toft::node::now(), Some(&signer));
    let (http, text) = post(address, Some(&request(&read.expect("made"))), b"");
    assert!(http == 200 && text.contains("dwn-response: "), "{text}");
}
