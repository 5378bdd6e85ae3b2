//! The resolver against servers that behave and servers that do not, all on loopback.

mod dht;
mod web;

use super::{config::*, http::Failure, resolver::*, *};
use crate::{
    asker::Asker,
    did::{Did, Document},
    metrics::Metrics,
    store::{self, Store},
};
use std::{
    collections::BTreeSet,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// A server that answers with whatever bytes it is told to, and remembers what it was asked.
pub(super) struct Server {
    pub address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// `answer` gets the path and the connection. A connection that sends no request counts as asked for "".
    pub fn start(answer: impl Fn(&str, &mut TcpStream) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (seen, answer) = (asked.clone(), Arc::new(answer));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (mut stream, seen, answer) = (stream.expect("a connection"), seen.clone(), answer.clone());
                std::thread::spawn(move || {
                    let mut bytes = [0; 4096];
                    let n = stream.read(&mut bytes).unwrap_or_default();
                    let text = String::from_utf8_lossy(&bytes[..n]).into_owned();
                    let path = text.split(' ').nth(1).unwrap_or_default().to_owned();
                    seen.lock().expect("not poisoned").push(path.clone());
                    answer(&path, &mut stream);
                });
            }
        });
        Self { address, asked }
    }

    /// One that always answers with these bytes.
    pub fn saying(status: &str, headers: &str, body: impl AsRef<[u8]>) -> Self {
        let answer = response(status, headers, body.as_ref());
        Self::start(move |_, stream| drop(stream.write_all(&answer)))
    }

    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("not poisoned").clone()
    }

    /// `127.0.0.1:port`
    pub fn host(&self) -> String {
        self.address.to_string()
    }

    /// The did:web at this server, with a path.
    pub fn did(&self, path: &str) -> Did {
        format!("did:web:127.0.0.1%3A{}{path}", self.address.port()).parse().expect("a DID")
    }
}

pub(super) fn response(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n{headers}\r\n", body.len());
    [head.as_bytes(), body].concat()
}

fn store() -> (TempDir, Store) {
    let dir = tempfile::tempdir().expect("a temp dir");
    let store = Store::open(dir.path(), &store::Config::default()).expect("opens");
    (dir, store)
}

fn resolver(config: Config, store: &Store) -> Resolver {
    Resolver::new(&config, store.clone(), &Metrics::default()).expect("starts")
}

/// As if the answer had been found long ago.
async fn outdate(resolver: &Resolver, did: &Did) {
    let place = resolver.0.cache.place(did, Asker::Owner, Instant::now()).expect("a place");
    let mut known = place.known.lock().await;
    let known = known.as_mut().expect("it is known");
    let long_ago = Instant::now() - Duration::from_secs(120);
    (known.fresh_until, known.confirmed) = (long_ago, long_ago);
}

#[test]
fn a_gateway_is_a_plain_url() {
    let gateway = |text: &str| Config { dht_gateway: text.into(), ..Config::default() }.gateway();
    let target = gateway("https://pkarr.example:8443/relay/").expect("reads").expect("is one");
    assert_eq!((target.authority.as_str(), target.path.as_str()), ("pkarr.example:8443", "/relay/"));
    assert_eq!(gateway("http://[::1]:80").expect("reads").expect("is one").host, "::1");
    assert!(matches!(gateway(""), Ok(None)));
    for wrong in ["pkarr.example", "ftp://pkarr.example", "https://a:b@pkarr.example", "https://pkarr.example/?a"] {
        assert!(gateway(wrong).is_err(), "{wrong}");
    }
}

#[tokio::test]
async fn keys_that_are_their_own_document_need_nobody() {
    let (_dir, store) = store();
    let resolver = resolver(Config { web: Web::Off, ..Config::default() }, &store);
    let did = "did:key:zDnaedTkm81tUpguPafrqcmTk4XhCheVDKwTK26EyYiKgSdv8";
    let kid = format!("{did}#{}", &did[8..]);
    assert_eq!(resolver.key(&kid, Asker::Owner).await.map(|key| key.algorithm()), Ok(Some("ES256")));
    assert!(resolver.key(&format!("{did}#0"), Asker::Owner).await.is_err());
    assert!(resolver.key("did:ion:abc#0", Asker::Owner).await.expect_err("no such method").to_string().contains("ion"));
    assert!(resolver.key("did:dht:abc#0", Asker::Owner).await.is_err());
}
