//! Memory for answers: readers that do not read cost a share of one budget, whatever they have asked for, and nobody else
//! waits for them.

use crate::support::{
    connect_from,
    toft::{Home, Toft, random_file},
    within,
};
use serde_json::{Value, json};
use std::{
    io::{Read as _, Write as _},
    net::{IpAddr, TcpStream},
    time::{Duration, Instant},
};

/// Records of 29 kB, which an answer carries with their data.
const RECORDS: usize = 120;
/// Readers, and WebSockets with sixteen questions each.
const READERS: usize = 120;
const SOCKETS: usize = 12;
/// Beside the budget of 64 MiB, of which one address has 16: what connections and threads take.
const ABOVE: u64 = 100 << 20;

/// A question for all published records, without a limit.
fn question(node: &Toft) -> String {
    let filter = json!({"published": true});
    let descriptor = json!({
        "interface": "Records", "method": "Query", "messageTimestamp": "2026-11-29T15:00:00.000000Z", "filter": filter,
    });
    json!({
        "jsonrpc": "2.0", "id": "a", "method": "dwn.processMessage",
        "params": {"target": node.did(), "message": {"descriptor": descriptor}},
    })
    .to_string()
}

/// A connection from an address of this machine.
fn connect(node: &Toft, from: &str) -> TcpStream {
    connect_from(from.parse::<IpAddr>().expect("an address"), node.socket()).expect("connects")
}

/// A question that is asked and whose answer is not read.
fn ask(node: &Toft, from: &str) -> TcpStream {
    let mut stream = connect(node, from);
    let head = format!("POST / HTTP/1.1\r\nHost: x\r\ndwn-request: {}\r\nConnection: close\r\n\r\n", question(node));
    stream.write_all(head.as_bytes()).expect("sends");
    stream
}

/// The entries of the answer, and what it took.
fn entries(node: &Toft, from: &str) -> (usize, Duration) {
    let begun = Instant::now();
    let mut answer = Vec::new();
    let mut stream = ask(node, from);
    stream.set_read_timeout(Some(Duration::from_secs(30))).expect("sets");
    stream.read_to_end(&mut answer).expect("the whole answer");
    let at = answer.windows(4).position(|end| end == b"\r\n\r\n").expect("headers");
    let (head, body) = answer.split_at(at + 4);
    let head = String::from_utf8_lossy(head).to_lowercase();
    assert!(head.starts_with("http/1.1 200"), "{head}");
    let body = if head.contains("transfer-encoding: chunked") { unchunked(body) } else { body.to_vec() };
    let json: Value = serde_json::from_slice(&body).expect("JSON");
    (json["result"]["reply"]["entries"].as_array().expect("entries").len(), begun.elapsed())
}

fn unchunked(mut body: &[u8]) -> Vec<u8> {
    let mut all = Vec::new();
    loop {
        let at = body.windows(2).position(|end| end == b"\r\n").expect("a chunk's size");
        let size = usize::from_str_radix(std::str::from_utf8(&body[..at]).expect("text"), 16).expect("a size");
        if size == 0 {
            return all;
        }
        all.extend_from_slice(&body[at + 2..at + 2 + size]);
        body = &body[at + 4 + size..];
    }
}

fn socket(node: &Toft, from: &str) -> TcpStream {
    let mut stream = connect(node, from);
    let head = "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    stream.write_all(head.as_bytes()).expect("sends");
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).expect("an answer");
        answer.push(byte[0]);
    }
    let answer = String::from_utf8_lossy(&answer).to_lowercase();
    assert!(answer.starts_with("http/1.1 101") && answer.contains("s3pplmbitxaq9kygzzhzrbk+xoo="), "{answer}");
    stream
}

/// Sends a text as one masked frame.
fn say(stream: &mut TcpStream, text: &str) {
    let mask = [1_u8, 2, 3, 4];
    let mut frame = vec![0x81, 0x80 | 126];
    frame.extend_from_slice(&u16::try_from(text.len()).expect("short").to_be_bytes());
    frame.extend_from_slice(&mask);
    frame.extend(text.bytes().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    stream.write_all(&frame).expect("sends");
}

/// One text message, and in how many frames it came.
fn hear(stream: &mut TcpStream) -> (Vec<u8>, usize) {
    let (mut text, mut frames) = (Vec::new(), 0);
    loop {
        let mut head = [0; 2];
        stream.read_exact(&mut head).expect("a frame");
        let size = match head[1] {
            126 => {
                let mut size = [0; 2];
                stream.read_exact(&mut size).expect("a size");
                u64::from(u16::from_be_bytes(size))
            }
            127 => {
                let mut size = [0; 8];
                stream.read_exact(&mut size).expect("a size");
                u64::from_be_bytes(size)
            }
            size => u64::from(size),
        };
        let mut part = vec![0; size as usize];
        stream.read_exact(&mut part).expect("its bytes");
        if head[0] & 0x0f > 2 {
            continue; // a ping
        }
        assert_eq!(head[0] & 0x0f, u8::from(frames == 0), "text first, then what continues it");
        frames += 1;
        text.extend_from_slice(&part);
        if head[0] & 0x80 != 0 {
            return (text, frames);
        }
    }
}

#[test]
fn readers_that_do_not_read_cost_a_share_and_nobody_waits_for_them() {
    let node = Home::new().up();
    let dir = tempfile::tempdir().expect("a directory");
    for _ in 0..RECORDS {
        let (file, _) = random_file(dir.path(), "data", 29_000);
        node.json(&["add", "--publish", &file.display().to_string()]);
    }
    for _ in 0..5 {
        assert_eq!(entries(&node, "127.0.0.1").0, RECORDS);
    }
    let mut one = socket(&node, "127.0.0.3");
    say(&mut one, &question(&node));
    let (text, frames) = hear(&mut one);
    let json: Value = serde_json::from_slice(&text).expect("JSON");
    assert_eq!(json["result"]["reply"]["entries"].as_array().map(Vec::len), Some(RECORDS));
    assert!(frames > 10, "in pieces: {frames}");

    let before = node.memory();
    let readers: Vec<TcpStream> = (0..READERS).map(|_| ask(&node, "127.0.0.1")).collect();
    let sockets = (0..SOCKETS).map(|_| {
        let mut socket = socket(&node, "127.0.0.4");
        (0..16).for_each(|_| say(&mut socket, &question(&node)));
        socket
    });
    let sockets: Vec<TcpStream> = sockets.collect();
    let mut most = 0;
    for _ in 0..4 {
        std::thread::sleep(Duration::from_millis(500));
        most = most.max(node.memory());
        let (count, took) = entries(&node, "127.0.0.2");
        assert_eq!(count, RECORDS);
        assert!(took < Duration::from_secs(5), "another waited {took:?}");
    }
    assert!(most < before + ABOVE, "{} MiB, and {} MiB before", most >> 20, before >> 20);
    drop((readers, sockets));
    within(Duration::from_secs(60), "the memory to be given back", || (node.memory() < before * 3 / 2).then_some(()));
}

#[test]
fn an_address_that_is_denied_gets_nothing_through_a_proxy_either() {
    let node = Home::new().set("dwn.deny", "127.0.0.8/31").set("dwn.trusted_proxies", "127.0.0.5").up();
    let said = |from: &str, header: &str| {
        let mut stream = connect(&node, from);
        let head = format!("GET /info HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{header}\r\n");
        let mut answer = String::new();
        let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.read_to_string(&mut answer));
        answer.lines().next().unwrap_or_default().to_owned()
    };
    assert_eq!(said("127.0.0.1", ""), "HTTP/1.1 200 OK");
    assert_eq!((said("127.0.0.8", ""), said("127.0.0.9", "")), (String::new(), String::new()));
    assert_eq!(said("127.0.0.5", "X-Forwarded-For: 127.0.0.9\r\n"), "HTTP/1.1 403 Forbidden");
    assert_eq!(said("127.0.0.5", "X-Forwarded-For: 127.0.0.1\r\n"), "HTTP/1.1 200 OK");
}
