//! Whom the node asks about strangers, and what it keeps for its own people: did:web at its door, the pkarr relay.

use crate::support::toft::{Home, Toft};
use serde_json::{Value, json};
use std::{
    io::{Read as _, Write as _},
    net::TcpListener,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};
use toft::{crypto::Signer, dwn::create, node};
use ureq::http::{Response, StatusCode};

fn agent() -> ureq::Agent {
    ureq::Agent::config_builder().http_status_as_error(false).build().into()
}

fn put(node: &Toft, key: &str, packet: &[u8]) -> (StatusCode, String) {
    let mut answer = agent().put(format!("{}/{key}", node.url())).send(packet).expect("an answer");
    (answer.status(), answer.body_mut().read_to_string().expect("a text"))
}

fn get(node: &Toft, key: &str) -> Response<ureq::Body> {
    agent().get(format!("{}/{key}", node.url())).header("origin", "https://app.example").call().expect("an answer")
}

/// Key and packet of each did:dht in the vectors.
fn packets() -> Vec<(String, Vec<u8>)> {
    let vectors: Value = serde_json::from_str(include_str!("../vectors/did_dht.json")).expect("JSON");
    let text = |vector: &Value, name: &str| vector[name].as_str().expect("a text").to_owned();
    let packets = vectors["packets"].as_array().expect("a list").iter();
    packets.map(|v| (text(v, "did").replace("did:dht:", ""), hex::decode(text(v, "payload")).expect("hex"))).collect()
}

#[test]
fn the_relay_keeps_what_its_key_has_signed() {
    let node = Home::new().up();
    let (all, (key, packet)) = (packets(), packets().remove(0));
    assert_eq!(get(&node, &key).status(), 404);
    assert_eq!(put(&node, &key, &packet).0, 204);
    assert_eq!(put(&node, &key, &packet).0, 204, "the same again is no offence");
    let mut changed = packet.clone();
    *changed.last_mut().expect("bytes") ^= 1;
    for (key, packet, expected) in [
        (key.as_str(), changed.as_slice(), 400),
        (&key, &all[1].1, 400),
        (&key, &[], 400),
        (&key, &[0; 1073], 413),
        ("index.html", &packet, 404),
        (&key[1..], &packet, 404),
    ] {
        let (status, text) = put(&node, key, packet);
        assert_eq!(status, expected, "{key}: {text}");
    }
    // What is acknowledged outlives the process, and a browser may read it.
    let node = node.kill().up();
    let mut found = get(&node, &key);
    assert_eq!(
        (found.status().as_u16(), &found.headers()["access-control-allow-origin"]),
        (200, &"*".parse().expect("a value"))
    );
    assert_eq!(found.body_mut().read_to_vec().expect("bytes"), packet);
    for other in ["x", "did:dht:x", "%2e%2e", &all[1].0] {
        assert_eq!(get(&node, other).status(), 404, "{other}");
    }
}

#[test]
fn a_node_that_is_no_relay_says_so() {
    let node = Home::new().set("resolve.relay", "false").up();
    let (key, packet) = packets().remove(0);
    assert_eq!((put(&node, &key, &packet).0.as_u16(), get(&node, &key).status().as_u16()), (404, 404));
}

/// A host for did:web documents that counts who comes.
struct Host {
    port: u16,
    visits: Arc<AtomicUsize>,
}

impl Host {
    fn start(document: impl Fn(u16) -> Value) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let (port, visits) = (listener.local_addr().expect("an address").port(), Arc::new(AtomicUsize::new(0)));
        let (body, counted) = (document(port).to_string(), visits.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.expect("a connection");
                counted.fetch_add(1, Ordering::SeqCst);
                let _ = stream.read(&mut [0; 4096]);
                let _ = write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
            }
        });
        Self { port, visits }
    }

    fn signer(port: u16) -> Signer {
        Signer::new([3; 32], format!("did:web:127.0.0.1%3A{port}#key"))
    }
}

/// The code that a query by `signer` for its own records is answered with.
fn query(node: &Toft, signer: &Signer) -> (u64, String) {
    let message = create::records_query(json!({"dataFormat": "text/plain"}), json!({}), &node::now(), Some(signer));
    let params = json!({"target": signer.did(), "message": message.expect("was made")});
    let request = json!({"jsonrpc": "2.0", "id": 1, "method": "dwn.processMessage", "params": params});
    let mut answer = agent().post(node.url()).send_json(request).expect("an answer");
    let answer: Value = answer.body_mut().read_json().expect("JSON");
    let status = &answer["result"]["reply"]["status"];
    (status["code"].as_u64().unwrap_or_else(|| panic!("{answer}")), status["detail"].to_string())
}

#[test]
fn a_did_web_is_asked_for_where_that_is_allowed_and_never_at_a_private_address() {
    let host = Host::start(|port| {
        let signer = Host::signer(port);
        let method = json!({"id": "#key", "type": "JsonWebKey", "publicKeyJwk": signer.public().to_jwk()});
        json!({"id": signer.did(), "verificationMethod": [method], "authentication": ["#key"]})
    });
    let signer = Host::signer(host.port);
    let closed = Home::new().set("dwn.tenants", "open").up();
    let (code, detail) = query(&closed, &signer);
    assert!(code == 401 && detail.contains("no public address"), "{code} {detail}");
    assert_eq!(host.visits.load(Ordering::SeqCst), 0);

    let trusting = Home::new().set("dwn.tenants", "open");
    let trusting = trusting.set("resolve.web_insecure_hosts", &format!("127.0.0.1:{}", host.port)).up();
    for _ in 0..3 {
        assert_eq!(query(&trusting, &signer).0, 200);
    }
    let stranger = Signer::new([4; 32], signer.kid());
    assert_eq!(query(&trusting, &stranger).0, 401);
    assert_eq!(host.visits.load(Ordering::SeqCst), 1, "asked once, then remembered");
    // Not a tenant here: nobody is asked about it.
    let own = Home::new().set("resolve.web_insecure_hosts", &format!("127.0.0.1:{}", host.port)).up();
    assert_eq!(query(&own, &signer).0, 401);
    assert_eq!(host.visits.load(Ordering::SeqCst), 1);
}
