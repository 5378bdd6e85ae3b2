//! The floods.

use crate::{
    node::{Attacked as _, alone, falls, guarded, unguarded, withstands},
    stranger::{self, ATTACKER, HONEST, Person, ask, code, many},
    support::{toft::Toft, within},
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
const USUAL_DESCRIPTORS: &str = "-n 1024";

fn silent(node: &Toft) -> Vec<TcpStream> {
    many(ATTACKER, node.port(), 1130, b"")
}

#[test]
fn silent_connections() {
    let _alone = alone();
    withstands(&guarded(&[]).limited(USUAL_DESCRIPTORS).up(), silent);
}

fn half_headers(node: &Toft) -> Vec<TcpStream> {
    many(ATTACKER, node.port(), 1100, b"POST / HTTP/1.1\r\nhost: localhost\r\ndwn-req")
}

#[test]
fn half_headers_from_one_address() {
    let _alone = alone();
    withstands(&guarded(&[]).limited(USUAL_DESCRIPTORS).up(), half_headers);
}

fn half_bodies(node: &Toft) -> Vec<TcpStream> {
    many(ATTACKER, node.port(), 1100, b"POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100000\r\n\r\n{\"json")
}

#[test]
fn half_bodies_from_one_address() {
    let _alone = alone();
    withstands(&guarded(&[]).limited(USUAL_DESCRIPTORS).up(), half_bodies);
}

/// Each stops in the middle of a record of a MiB that would be taken.
fn stalled_uploads(node: &Toft) -> Vec<TcpStream> {
    let attacker = Person::at(ATTACKER);
    let data = vec![b'x'; 1 << 20];
    let begin = |n: usize| {
        let message = attacker.message(&[&data[..], &n.to_le_bytes()].concat(), false);
        let mut stream = stranger::connect(ATTACKER, node.port()).ok()?;
        stream.set_write_timeout(Some(Duration::from_millis(500))).ok()?;
        let _ = stream.write_all(&attacker.head(&message, data.len() + 8));
        let _ = stream.write_all(&data[..data.len() / 2]);
        Some(stream)
    };
    (0..300).filter_map(begin).collect()
}

/// An upload of somebody else, beside those that stall.
fn others_upload(node: &Toft) -> Result<(), String> {
    let honest = Person::at(HONEST);
    let data = vec![b'y'; 300 << 10];
    let message = honest.message(&data, false);
    let request = [honest.head(&message, data.len()), data].concat();
    let answer = ask(HONEST, node.port(), &request).map_err(|e| e.to_string())?;
    if code(&answer) == 202 { Ok(()) } else { Err(answer) }
}

#[test]
fn stalled_uploads_from_one_address() {
    let _alone = alone();
    let node = guarded(&[]).up();
    withstands(&node, |node| {
        let held = stalled_uploads(node);
        others_upload(node).expect("another's upload is taken");
        held
    });
}

/// Every subscription that one address gets, of 132 × 64.
fn subscriptions(node: &Toft) -> Vec<TcpStream> {
    let open = |_| {
        let mut socket = stranger::websocket(ATTACKER, node.port()).ok()?;
        for id in 0..64 {
            let _ = socket.write_all(&stranger::frame(&stranger::anonymous_subscription(node.did(), id)));
        }
        Some(socket)
    };
    let sockets: Vec<_> = (0..132).filter_map(open).collect();
    thread::sleep(Duration::from_secs(2));
    sockets
}

/// Somebody else at another address can still subscribe.
fn others_subscribe(node: &Toft) -> Result<(), String> {
    let mut socket = stranger::websocket(HONEST, node.port()).map_err(|e| e.to_string())?;
    socket.write_all(&stranger::frame(&stranger::anonymous_subscription(node.did(), 1))).map_err(|e| e.to_string())?;
    let mut answer = [0; 4096];
    let count = std::io::Read::read(&mut socket, &mut answer).map_err(|e| e.to_string())?;
    let text = String::from_utf8_lossy(&answer[..count]).into_owned();
    if code(&text) == 200 { Ok(()) } else { Err(text) }
}

#[test]
fn subscriptions_from_one_address() {
    let _alone = alone();
    withstands(&guarded(&[]).up(), |node| {
        let held = subscriptions(node);
        others_subscribe(node).expect("another's subscription is taken");
        held
    });
}

/// Fills the mailbox of Web5 Connect.
fn letters(node: &Toft) {
    let mut stream = None;
    for n in 0..5000 {
        let body = json!({"request": format!("{n}")}).to_string();
        let head = "POST /connect/par HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n";
        let request = format!("{head}content-length: {}\r\n\r\n{body}", body.len());
        let mut open = match stream.take() {
            Some(open) => open,
            None => match stranger::connect(ATTACKER, node.port()) {
                Ok(open) => open,
                Err(_) => continue,
            },
        };
        if open.write_all(request.as_bytes()).is_ok() && stranger::answer(&mut open).is_ok() {
            stream = Some(open);
        }
    }
}

#[test]
fn letters_from_one_address() {
    let _alone = alone();
    withstands(&guarded(&[]).up(), |node| {
        letters(node);
        let body = json!({"request": "honest"}).to_string();
        let head = "POST /connect/par HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n";
        let request = format!("{head}content-length: {}\r\n\r\n{body}", body.len());
        let answer = ask(HONEST, node.port(), request.as_bytes()).expect("an answer");
        assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
    });
}

/// 400 published records of 29 kB, and queries for all of them.
fn shelf(node: &Toft) -> Person {
    let person = Person::at(HONEST);
    for n in 0..400 {
        let data = format!("{n:029000}");
        let request = [person.head(&person.message(data.as_bytes(), true), data.len()), data.into_bytes()].concat();
        let answer = ask(HONEST, node.port(), &request).expect("an answer");
        assert_eq!(code(&answer), 202, "{answer}");
    }
    person
}

fn unread_answers(node: &Toft, tenant: &str) -> Vec<TcpStream> {
    let (message, _) = stranger::anonymous_query(tenant);
    let request = stranger::head(tenant, &message, 0);
    let readers = many(ATTACKER, node.port(), 120, &request);
    thread::sleep(Duration::from_secs(5));
    readers
}

#[test]
fn readers_that_do_not_read() {
    let _alone = alone();
    let node = guarded(&[]).up();
    let person = shelf(&node);
    withstands(&node, |node| unread_answers(node, person.did()));
}

fn unread_sockets(node: &Toft, tenant: &str) -> Vec<TcpStream> {
    let (_, request) = stranger::anonymous_query(tenant);
    let ask = |_| {
        let mut socket = stranger::websocket(ATTACKER, node.port()).ok()?;
        for _ in 0..16 {
            let _ = socket.write_all(&stranger::frame(&request));
        }
        Some(socket)
    };
    let sockets = (0..12).filter_map(ask).collect();
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

/// The port of libp2p over TCP.
fn libp2p_port(node: &Toft) -> std::net::SocketAddr {
    let address = node.address("/tcp/");
    let parts: Vec<_> = address.split('/').collect();
    format!("{}:{}", parts[2], parts[4]).parse().expect("an address")
}

#[test]
fn silent_libp2p_connections() {
    let _alone = alone();
    let node = guarded(&[]).up();
    withstands(&node, |node| {
        let held = many(ATTACKER, libp2p_port(node), 90, b"");
        let device = guarded(&[("net.listen", "/ip4/127.0.0.3/tcp/0,/ip4/127.0.0.3/udp/0/quic-v1")]).up();
        device.json(&["peer", "add", node.did(), &node.address("/tcp/")]);
        // The node itself does not reach it: the device has to come in.
        let address = device.address("/tcp/");
        let (_, id) = address.rsplit_once('/').expect("an id at its end");
        node.json(&["peer", "add", device.did(), &format!("/ip4/127.0.0.3/tcp/9/p2p/{id}")]);
        within(crate::node::CONNECTED_WITHIN, "a paired device", || {
            device.json(&["peer", "ls"])[0]["connected"].as_bool().filter(|connected| *connected)
        });
        held
    });
}

#[test]
fn without_the_bound_on_connections_silent_ones_stop_the_node() {
    let _alone = alone();
    let settings = [("dwn.limits.connections", "1000000"), ("dwn.limits.connections_per_address", "1000000")];
    falls(&unguarded(&settings).limited(USUAL_DESCRIPTORS).up(), silent);
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

#[test]
fn made_up_dids_from_one_address() {
    let _alone = alone();
    let attacker = Arc::new(Person::at(ATTACKER));
    let hosts: Vec<_> = (0..10).map(|_| documents(&attacker)).collect();
    let honest = Person::at(HONEST);
    let known = documents(&honest);
    let named: Vec<_> = hosts.iter().chain([&known]).map(|port| format!("127.0.0.1:{port}")).collect();
    let node = guarded(&[("resolve.web_insecure_hosts", &named.join(","))]).up();
    withstands(&node, |node| {
        // It goes on while the honest signer comes.
        let (port, ends) = (node.port(), Instant::now() + Duration::from_secs(4));
        let lie = |liar: usize| {
            let (attacker, hosts) = (attacker.clone(), hosts.clone());
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
        let honest = honest.named(&format!("did:web:127.0.0.1%3A{known}"));
        let served = honest.is_served(port);
        liars.into_iter().for_each(|liar| liar.join().expect("no panic"));
        served.expect("a signer with a did:web is served");
    });
}
