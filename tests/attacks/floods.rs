//! The floods.

use crate::{
    node::{CONNECTED_WITHIN, alone, guarded, withstands},
    stranger::{self, ATTACKER, HONEST, Person, ask, code, many},
    support::{connect_from, toft::Toft},
    width::read_until,
};
use serde_json::json;
use std::{
    io::Write as _,
    net::TcpStream,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

/// As shells have it: connections beyond it must not take the store's files away.
pub const USUAL_DESCRIPTORS: &str = "-n 1024";

pub fn silent(node: &Toft) -> Result<Vec<TcpStream>, String> {
    Ok(many(ATTACKER, node.socket(), 1130, b""))
}

#[test]
fn silent_connections() {
    let _alone = alone();
    withstands(&guarded(&[]).limited(USUAL_DESCRIPTORS).up(), silent);
}

pub fn half_headers(node: &Toft) -> Result<Vec<TcpStream>, String> {
    Ok(many(ATTACKER, node.socket(), 1100, b"POST / HTTP/1.1\r\nhost: localhost\r\ndwn-req"))
}

#[test]
fn half_headers_from_one_address() {
    let _alone = alone();
    withstands(&guarded(&[]).limited(USUAL_DESCRIPTORS).up(), half_headers);
}

pub fn half_bodies(node: &Toft) -> Result<Vec<TcpStream>, String> {
    Ok(many(
        ATTACKER,
        node.socket(),
        1100,
        b"POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100000\r\n\r\n{\"json",
    ))
}

#[test]
fn half_bodies_from_one_address() {
    let _alone = alone();
    withstands(&guarded(&[]).limited(USUAL_DESCRIPTORS).up(), half_bodies);
}

/// Each stops in the middle of a record of a MiB that would be taken.
pub fn stalled_uploads(node: &Toft) -> Result<Vec<TcpStream>, String> {
    let attacker = Person::at(ATTACKER);
    let data = vec![b'x'; 1 << 20];
    let begin = |n: usize| {
        let message = attacker.message(&[&data[..], &n.to_le_bytes()].concat(), false);
        let mut stream = connect_from(ATTACKER, node.socket()).ok()?;
        stream.set_write_timeout(Some(Duration::from_millis(500))).ok()?;
        let _ = stream.write_all(&attacker.head(&message, data.len() + 8));
        let _ = stream.write_all(&data[..data.len() / 2]);
        Some(stream)
    };
    let held = (0..300).filter_map(begin).collect();
    others_upload(node).map_err(|why| format!("another's upload is not taken: {why}"))?;
    Ok(held)
}

/// An upload of somebody else, beside those that stall.
fn others_upload(node: &Toft) -> Result<(), String> {
    let honest = Person::at(HONEST);
    let data = vec![b'y'; 300 << 10];
    let message = honest.message(&data, false);
    let request = [honest.head(&message, data.len()), data].concat();
    let answer = ask(HONEST, node.socket(), &request).map_err(|e| e.to_string())?;
    if code(&answer) == 202 { Ok(()) } else { Err(answer) }
}

#[test]
fn stalled_uploads_from_one_address() {
    let _alone = alone();
    withstands(&guarded(&[]).up(), stalled_uploads);
}

/// Every subscription that one address gets, of 132 × 64.
pub fn subscriptions(node: &Toft) -> Result<Vec<TcpStream>, String> {
    let open = |_| {
        let mut socket = stranger::websocket(ATTACKER, node.socket()).ok()?;
        for id in 0..64 {
            let _ = socket.write_all(&stranger::frame(&stranger::anonymous_subscription(node.did(), id)));
        }
        Some(socket)
    };
    let sockets: Vec<_> = (0..132).filter_map(open).collect();
    let mut sockets = sockets;
    // Each is answered, with yes or no, before somebody else asks.
    sockets.iter_mut().for_each(|socket| drop(read_until(socket, "\"jsonrpc\"", 64)));
    others_subscribe(node).map_err(|why| format!("another's subscription is not taken: {why}"))?;
    Ok(sockets)
}

/// Somebody else at another address can still subscribe.
fn others_subscribe(node: &Toft) -> Result<(), String> {
    let mut socket = stranger::websocket(HONEST, node.socket()).map_err(|e| e.to_string())?;
    socket.write_all(&stranger::frame(&stranger::anonymous_subscription(node.did(), 1))).map_err(|e| e.to_string())?;
    let mut answer = [0; 4096];
    let count = std::io::Read::read(&mut socket, &mut answer).map_err(|e| e.to_string())?;
    let text = String::from_utf8_lossy(&answer[..count]).into_owned();
    if code(&text) == 200 { Ok(()) } else { Err(text) }
}

#[test]
fn subscriptions_from_one_address() {
    let _alone = alone();
    withstands(&guarded(&[]).up(), subscriptions);
}

/// An app's request of Web5 Connect.
fn letter(text: &str) -> Vec<u8> {
    let body = json!({"request": text}).to_string();
    let head = "POST /connect/par HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n";
    format!("{head}content-length: {}\r\n\r\n{body}", body.len()).into()
}

/// Fills the mailbox of Web5 Connect.
pub fn letters(node: &Toft) -> Result<(), String> {
    let mut stream = None;
    for n in 0..5000 {
        let Some(mut open) = stream.take().or_else(|| connect_from(ATTACKER, node.socket()).ok()) else { continue };
        if open.write_all(&letter(&n.to_string())).is_ok() && stranger::answer(&mut open).is_ok() {
            stream = Some(open);
        }
    }
    let answer = ask(HONEST, node.socket(), &letter("honest")).map_err(|e| e.to_string())?;
    if answer.starts_with("HTTP/1.1 201") { Ok(()) } else { Err(format!("another's letter is not taken: {answer}")) }
}

#[test]
fn letters_from_one_address() {
    let _alone = alone();
    withstands(&guarded(&[]).up(), letters);
}

/// 400 published records of 29 kB, and queries for all of them.
pub fn shelf(node: &Toft) -> Person {
    let person = Person::at(HONEST);
    for n in 0..400 {
        let data = format!("{n:029000}");
        let request = [person.head(&person.message(data.as_bytes(), true), data.len()), data.into_bytes()].concat();
        let answer = ask(HONEST, node.socket(), &request).expect("an answer");
        assert_eq!(code(&answer), 202, "{answer}");
    }
    person
}

pub fn unread_answers(node: &Toft, tenant: &str) -> Result<Vec<TcpStream>, String> {
    let (message, _) = stranger::anonymous_query(tenant);
    let request = stranger::head(tenant, &message, 0);
    let readers = many(ATTACKER, node.socket(), 120, &request);
    thread::sleep(Duration::from_secs(5));
    Ok(readers)
}

#[test]
fn readers_that_do_not_read() {
    let _alone = alone();
    let node = guarded(&[]).up();
    let person = shelf(&node);
    withstands(&node, |node| unread_answers(node, person.did()));
}

pub fn unread_sockets(node: &Toft, tenant: &str) -> Result<Vec<TcpStream>, String> {
    Ok(ask_and_not_read(node, 12, &stranger::anonymous_query(tenant).1))
}

/// So many WebSockets that ask the same sixteen times each and read nothing.
fn ask_and_not_read(node: &Toft, sockets: usize, request: &str) -> Vec<TcpStream> {
    let ask = |_| {
        let mut socket = stranger::websocket(ATTACKER, node.socket()).ok()?;
        for _ in 0..16 {
            let _ = socket.write_all(&stranger::frame(request));
        }
        Some(socket)
    };
    let sockets = (0..sockets).filter_map(ask).collect();
    thread::sleep(Duration::from_secs(5));
    sockets
}

#[test]
fn sockets_that_do_not_read() {
    let _alone = alone();
    let node = guarded(&[]).up();
    let person = shelf(&node);
    withstands(&node, |node| unread_sockets(node, person.did()));
}

/// A published record whose data rides in the answer over a WebSocket.
pub fn large_record(node: &Toft) -> (Person, serde_json::Value) {
    let person = Person::at(HONEST);
    let data = vec![b'z'; 500_000];
    let message = person.message(&data, true);
    let answer = ask(HONEST, node.socket(), &[person.head(&message, data.len()), data].concat()).expect("an answer");
    assert_eq!(code(&answer), 202, "{answer}");
    (person, message["recordId"].clone())
}

/// Each socket asks for it sixteen times and reads nothing.
pub fn unread_records(node: &Toft, (person, id): &(Person, serde_json::Value)) -> Result<Vec<TcpStream>, String> {
    let read = toft::dwn::create::records_read(json!({"recordId": id}), &toft::node::now(), None).expect("a message");
    let params = json!({"target": person.did(), "message": read});
    let request = json!({"jsonrpc": "2.0", "id": "r", "method": "dwn.processMessage", "params": params}).to_string();
    Ok(ask_and_not_read(node, 60, &request))
}

#[test]
fn sockets_that_do_not_read_large_records() {
    let _alone = alone();
    let node = guarded(&[]).up();
    let record = large_record(&node);
    withstands(&node, |node| unread_records(node, &record));
}

/// The port of libp2p over TCP.
fn libp2p_port(node: &Toft) -> std::net::SocketAddr {
    let address = node.address("/tcp/");
    let parts: Vec<_> = address.split('/').collect();
    format!("{}:{}", parts[2], parts[4]).parse().expect("an address")
}

/// Silent connections to libp2p, and a paired device that comes in meanwhile.
pub fn silent_libp2p(node: &Toft) -> Result<Vec<TcpStream>, String> {
    let held = many(ATTACKER, libp2p_port(node), 300, b"");
    let device = guarded(&[("net.listen", "/ip4/127.0.0.3/tcp/0,/ip4/127.0.0.3/udp/0/quic-v1")]).up();
    // The node itself does not reach it: the device has to come in.
    let address = device.address("/tcp/");
    let (_, id) = address.rsplit_once('/').expect("an id at its end");
    node.json(&["peer", "add", device.did(), &format!("/ip4/127.0.0.3/tcp/9/p2p/{id}")]);
    device.json(&["peer", "add", node.did(), &node.address("/tcp/")]);
    let end = Instant::now() + CONNECTED_WITHIN;
    while device.json(&["peer", "ls"])[0]["connected"] != true {
        if Instant::now() > end {
            return Err(format!("a paired device does not get in: {}", device.json(&["peer", "ls"])));
        }
        thread::sleep(Duration::from_millis(50));
    }
    Ok(held)
}

#[test]
fn silent_libp2p_connections() {
    let _alone = alone();
    withstands(&guarded(&[]).up(), silent_libp2p);
}

/// A host of did:web documents: whoever asks for `/.well-known/did.json` gets that of `person`, all else is not there.
fn documents(person: &Person) -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let did = format!("did:web:127.0.0.1%3A{port}");
    let key = person.signer.public().to_jwk();
    let document = json!({"id": did, "verificationMethod": [{"id": format!("{did}#0"), "type": "JsonWebKey",
        "controller": did, "publicKeyJwk": key}], "authentication": ["#0"], "assertionMethod": ["#0"]});
    thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut request = [0; 4096];
            let count = std::io::Read::read(&mut stream, &mut request).unwrap_or_default();
            let (status, body) = match request[..count].starts_with(b"GET /.well-known/did.json") {
                true => ("200 OK", document.to_string()),
                false => ("404 Not Found", String::new()),
            };
            let head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
            let _ = stream.write_all((head + &body).as_bytes());
        }
    });
    port
}

/// An honest signer with a did:web, and hosts where nobody is.
pub struct Web {
    attacker: Arc<Person>,
    hosts: Vec<u16>,
    honest: Person,
    known: u16,
}

impl Web {
    pub fn start() -> Self {
        let (attacker, honest) = (Arc::new(Person::at(ATTACKER)), Person::at(HONEST));
        let hosts = (0..10).map(|_| documents(&attacker)).collect();
        let known = documents(&honest);
        Self { attacker, hosts, honest, known }
    }

    /// For `resolve.web_insecure_hosts`.
    pub fn hosts(&self) -> String {
        let named: Vec<_> = self.hosts.iter().chain([&self.known]).map(|port| format!("127.0.0.1:{port}")).collect();
        named.join(",")
    }

    /// Made-up DIDs, all the time while the honest signer comes.
    pub fn made_up(&self, node: &Toft) -> Result<(), String> {
        let (port, ends) = (node.socket(), Instant::now() + Duration::from_secs(4));
        let lie = |liar: usize| {
            let (attacker, hosts) = (self.attacker.clone(), self.hosts.clone());
            thread::spawn(move || {
                for n in (liar..).step_by(4).take_while(|_| Instant::now() < ends) {
                    let liar = attacker.named(&format!("did:web:127.0.0.1%3A{}:{n}", hosts[n % hosts.len()]));
                    let message = liar.message(b"x", false);
                    let _ = ask(ATTACKER, port, &[liar.head(&message, 1), b"x".to_vec()].concat());
                }
            })
        };
        let liars: Vec<_> = (0..4).map(lie).collect();
        thread::sleep(Duration::from_secs(2));
        let honest = self.honest.named(&format!("did:web:127.0.0.1%3A{}", self.known));
        let served = honest.is_served(port);
        liars.into_iter().for_each(|liar| liar.join().expect("no panic"));
        served.map(drop).map_err(|why| format!("a signer with a did:web is not served: {why}"))
    }
}

#[test]
fn made_up_dids_from_one_address() {
    let _alone = alone();
    let web = Web::start();
    let node = guarded(&[("resolve.web_insecure_hosts", &web.hosts())]).up();
    withstands(&node, |node| web.made_up(node));
}
