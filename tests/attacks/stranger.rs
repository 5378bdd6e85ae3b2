//! What strangers and honest people send: raw HTTP and WebSocket from an address of their own.

use crate::support::{connect_from, dag::Shelf};
use serde_json::{Value, json};
use std::{
    io::{Error, ErrorKind, Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};
use toft::{
    cid,
    crypto::{Signer, ed25519_public},
    did,
    dwn::create,
    node::now,
};
use zeroize::Zeroizing;

/// Where floods come from.
pub const ATTACKER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 1);
/// Where the honest client is.
pub const HONEST: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

/// As many connections as the node lets be made, of `count`, each having said `text`. What it refuses is tried no further.
pub fn many(from: Ipv4Addr, to: SocketAddr, count: usize, text: &[u8]) -> Vec<TcpStream> {
    let mut held = vec![];
    for _ in 0..count {
        let Ok(mut stream) = connect_from(from, to) else { continue };
        let _ = stream.set_write_timeout(Some(Duration::from_millis(200)));
        let _ = stream.write_all(text); // refused ones too: what they hold is to be seen
        held.push(stream);
    }
    held
}

/// A person with a did:key and an address.
pub struct Person {
    secret: [u8; 32],
    pub signer: Signer,
    pub from: Ipv4Addr,
}

impl Person {
    pub fn at(from: Ipv4Addr) -> Self {
        static SEED: AtomicU64 = AtomicU64::new(1);
        let mut secret = [7; 32];
        secret[..8].copy_from_slice(&SEED.fetch_add(1, Ordering::Relaxed).to_le_bytes());
        let did = did::key::from_ed25519(&ed25519_public(&secret));
        Self { secret, signer: Signer::new(Zeroizing::new(secret), did::key::kid(&did)), from }
    }

    /// The same key under another DID, as its method `#0`.
    pub fn named(&self, did: &str) -> Self {
        let signer = Signer::new(Zeroizing::new(self.secret), format!("{did}#0"));
        Self { secret: self.secret, signer, from: self.from }
    }

    pub fn did(&self) -> &str {
        self.signer.did()
    }

    /// A RecordsWrite of `data`, signed by this person.
    pub fn message(&self, data: &[u8], published: bool) -> Value {
        let write = create::Write { data_format: "text/plain", published, ..Default::default() };
        let cid = if data.len() > 256 << 10 { Shelf::default().add_file(data) } else { cid::of(cid::RAW, data) };
        create::records_write(&write, (&cid, data.len() as u64), &now(), &self.signer).expect("a message")
    }

    /// The head of a request that carries `message` for this person's own DID, with `length` bytes of body to follow.
    pub fn head(&self, message: &Value, length: usize) -> Vec<u8> {
        head(self.did(), message, length)
    }

    /// Writes a small record and reads it back: how long the slower of the two took.
    pub fn is_served(&self, to: SocketAddr) -> Result<Duration, String> {
        let data = format!("honest at {}", now());
        let message = self.message(data.as_bytes(), false);
        let begun = Instant::now();
        let text = [self.head(&message, data.len()), data.into_bytes()].concat();
        let written = ask(self.from, to, &text).map_err(|e| format!("the write: {e}"))?;
        let took = begun.elapsed();
        if code(&written) != 202 {
            return Err(format!("the write: {written}"));
        }
        let read = create::records_read(json!({"recordId": message["recordId"]}), &now(), Some(&self.signer));
        let begun = Instant::now();
        let read =
            ask(self.from, to, &self.head(&read.expect("a message"), 0)).map_err(|e| format!("the read: {e}"))?;
        if code(&read) != 200 {
            return Err(format!("the read: {read}"));
        }
        Ok(took.max(begun.elapsed()))
    }
}

/// The head of a request that carries `message` for `tenant`.
pub fn head(tenant: &str, message: &Value, length: usize) -> Vec<u8> {
    let request = json!({"jsonrpc": "2.0", "id": "a", "method": "dwn.processMessage",
        "params": {"target": tenant, "message": message}});
    format!("POST / HTTP/1.1\r\nhost: localhost\r\ndwn-request: {request}\r\ncontent-length: {length}\r\n\r\n").into()
}

/// Sends a request and takes the whole answer, at most ten seconds for all of it.
pub fn ask(from: Ipv4Addr, to: SocketAddr, request: &[u8]) -> Result<String, Error> {
    let mut stream = connect_from(from, to)?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    stream.set_write_timeout(Some(Duration::from_secs(10)))?;
    stream.write_all(request)?;
    answer(&mut stream)
}

/// One answer: its head, and the body if it has a length.
pub fn answer(stream: &mut TcpStream) -> Result<String, Error> {
    let (mut got, mut piece) = (vec![], [0; 16 << 10]);
    loop {
        let text = String::from_utf8_lossy(&got).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let head = head.to_ascii_lowercase();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
            let whole = length.map_or_else(|| body.ends_with("0\r\n\r\n"), |length| body.len() >= length);
            if whole || head.contains("http/1.1 204") {
                return Ok(text);
            }
        }
        match stream.read(&mut piece)? {
            0 if got.is_empty() => return Err(ErrorKind::UnexpectedEof.into()),
            0 => return Ok(text),
            count => got.extend_from_slice(&piece[..count]),
        }
    }
}

/// The status code of the reply in an answer, or the answer's own.
pub fn code(answer: &str) -> u64 {
    let digits = |text: &str| text.chars().take_while(char::is_ascii_digit).collect::<String>().parse().ok();
    let inner = answer.split("\"code\":").nth(1).and_then(digits);
    inner.or_else(|| answer.split(' ').nth(1).and_then(digits)).unwrap_or_default()
}

/// A WebSocket from an address, or why there is none.
pub fn websocket(from: Ipv4Addr, to: SocketAddr) -> Result<TcpStream, Error> {
    let mut stream = connect_from(from, to)?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    stream.set_write_timeout(Some(Duration::from_secs(5)))?;
    let request = "GET / HTTP/1.1\r\nhost: localhost\r\nupgrade: websocket\r\nconnection: upgrade\r\n\
        sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    stream.write_all(request.as_bytes())?;
    let mut head = vec![];
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        if stream.read(&mut byte)? == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        head.push(byte[0]);
    }
    match head.starts_with(b"HTTP/1.1 101") {
        true => Ok(stream),
        false => Err(Error::other(String::from_utf8_lossy(&head).into_owned())),
    }
}

/// A text frame as clients send it. The mask is nothing: it hides nothing from us.
pub fn frame(text: &str) -> Vec<u8> {
    let mut out = vec![0x81];
    match text.len() {
        length @ 0..126 => out.push(0x80 | length as u8),
        length => {
            out.push(0x80 | 126);
            out.extend_from_slice(&(length as u16).to_be_bytes());
        }
    }
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(text.as_bytes());
    out
}

/// What a client without a key sends to hear of every published record of `tenant`.
pub fn anonymous_subscription(tenant: &str, id: usize) -> String {
    let descriptor = json!({"interface": "Records", "method": "Subscribe", "messageTimestamp": now(),
        "filter": {"dataFormat": "text/plain"}});
    json!({"jsonrpc": "2.0", "id": id, "method": "rpc.subscribe.dwn.processMessage", "subscription": {"id": id},
        "params": {"target": tenant, "message": {"descriptor": descriptor}}})
    .to_string()
}

/// A query without a limit for everything published of `tenant`.
pub fn anonymous_query(tenant: &str) -> (Value, String) {
    let message = create::records_query(json!({"dataFormat": "text/plain"}), json!({}), &now(), None);
    let message = message.expect("a message");
    let request = json!({"jsonrpc": "2.0", "id": "q", "method": "dwn.processMessage",
        "params": {"target": tenant, "message": message}});
    (message, request.to_string())
}
