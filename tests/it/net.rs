//! Two and three toft nodes on loopback.

use crate::support::dag::{Shelf, noise, read_node};
use bytes::Bytes;
use futures::TryStreamExt as _;
use std::sync::Arc;
use std::time::Duration;
use toft::cid::{self, Cid};
use toft::net::{Config, Error, FileLimits, Metrics, Net, Network, fetch_file};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// Generous: a failing test may take long, a passing one does not.
pub const LONG: Duration = Duration::from_secs(60);

pub const FILE: usize = 12 << 20;

/// A node on loopback with free ports.
pub struct Node {
    pub net: Net,
    pub shelf: Arc<Shelf>,
    pub metrics: Metrics,
}

impl Node {
    pub fn start(seed: u8) -> Node {
        // RUST_LOG=toft=debug shows what a failing test did. Another test may have set it up before.
        let _ = tracing_subscriber::fmt()
            .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
            .with_test_writer()
            .try_init();
        let config = Config {
            listen: vec!["/ip4/127.0.0.1/tcp/0".into(), "/ip4/127.0.0.1/udp/0/quic-v1".into()],
            network: Network::Private,
            ..Config::default()
        };
        let (shelf, metrics) = (Arc::new(Shelf::default()), Metrics::default());
        let net = Net::start(&config, [seed; 32], shelf.clone(), metrics.clone()).expect("the node starts");
        Node { net, shelf, metrics }
    }

    /// The address with this part (`/tcp/`, `/quic-v1`).
    pub async fn address(&self, part: &str) -> String {
        let all = self.net.listen_addrs().await.expect("the node runs");
        all.iter().find(|a| a.contains(part)).unwrap_or_else(|| panic!("no {part} in {all:?}")).clone()
    }

    pub async fn connect(&self, address: &str) {
        self.net.dial(address).await.expect("the peer answers");
    }

    pub async fn read_file(&self, root: Cid) -> Result<Vec<u8>, Error> {
        let limits = FileLimits { timeout: LONG, ..FileLimits::default() };
        let parts: Vec<Bytes> = fetch_file(self.net.session(), root, limits, read_node).try_collect().await?;
        Ok(parts.concat())
    }

    /// Waits until the other side has introduced itself.
    pub async fn knows_agent(&self, id: &str) -> String {
        loop {
            let peers = self.net.connected().await.expect("the node runs");
            if let Some(agent) = peers.into_iter().find(|p| p.id == id).and_then(|p| p.agent) {
                return agent;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

#[track_caller]
pub fn same(got: &[u8], want: &[u8]) {
    assert_eq!(got.len(), want.len(), "length");
    assert_eq!(cid::digest(got), cid::digest(want), "sha256");
}

async fn a_file_travels(over: &str) {
    let (alice, bob) = (Node::start(1), Node::start(2));
    let file = noise(FILE, 1);
    let root = alice.shelf.add_file(&file);
    bob.connect(&alice.address(over).await).await;
    same(&bob.read_file(root).await.expect("the file arrives"), &file);
    assert!(alice.metrics.bytes_sent.get() >= FILE as u64);
    assert_eq!(bob.metrics.blocks_unwanted.get(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_travels_over_tcp() {
    a_file_travels("/tcp/").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_travels_over_quic() {
    a_file_travels("/quic-v1").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_source_denies_does_not_exist_for_others() {
    let (alice, bob) = (Node::start(3), Node::start(4));
    let (public, private) = (alice.shelf.add_file(b"public"), alice.shelf.add_file(b"private"));
    alice.shelf.deny(&private);
    bob.connect(&alice.address("/tcp/").await).await;
    assert_eq!(bob.net.fetch(public, LONG).await.expect("public"), "public");
    // Alice says DONT_HAVE, nobody else is known: the answer comes without waiting for the time to pass.
    match bob.net.fetch(private, LONG).await {
        Err(Error::NotFound { asked, .. }) => assert_eq!((asked.peers, asked.lack), (1, 1)),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_peers_nothing_is_found_at_once() {
    let alone = Node::start(5);
    assert!(matches!(alone.net.fetch(cid::of(cid::RAW, b"x"), LONG).await, Err(Error::NotFound { .. })));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_without_the_block_is_passed_over_for_one_with_it() {
    let (empty, full, asker) = (Node::start(6), Node::start(7), Node::start(8));
    let file = noise(1 << 20, 2);
    let root = full.shelf.add_file(&file);
    asker.connect(&empty.address("/tcp/").await).await;
    asker.connect(&full.address("/quic-v1").await).await;
    same(&asker.read_file(root).await.expect("the file arrives"), &file);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_block_that_becomes_public_later_reaches_those_who_asked() {
    let (alice, bob) = (Node::start(9), Node::start(10));
    let root = alice.shelf.add_file(b"soon");
    alice.shelf.deny(&root);
    bob.connect(&alice.address("/tcp/").await).await;
    // A third peer that never answers keeps bob from giving up before alice changes her mind.
    let _deaf = deaf_peer(&bob).await;
    let asking = tokio::spawn({
        let net = bob.net.clone();
        async move { net.fetch(root, LONG).await }
    });
    tokio::time::sleep(Duration::from_millis(500)).await;
    alice.shelf.allow(&root);
    alice.net.arrived(vec![root]).await.expect("the node runs");
    assert_eq!(asking.await.expect("no panic").expect("the block arrives"), "soon");
}

/// A peer whose store hangs: it takes wants and answers none.
async fn deaf_peer(bob: &Node) -> Net {
    struct Deaf;
    impl toft::net::BlockSource for Deaf {
        fn get(&self, _: &Cid) -> Option<Bytes> {
            None
        }
        fn size(&self, _: &Cid) -> Option<usize> {
            std::thread::sleep(Duration::from_secs(20));
            None
        }
    }
    let config = Config { listen: vec!["/ip4/127.0.0.1/tcp/0".into()], ..Config::default() };
    let net = Net::start(&config, [99; 32], Arc::new(Deaf), Metrics::default()).expect("the node starts");
    let address = net.listen_addrs().await.expect("the node runs").remove(0);
    bob.connect(&address).await;
    net
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_is_found_through_a_third_node() {
    let (alice, bob, carol) = (Node::start(12), Node::start(13), Node::start(14));
    let file = noise(1 << 20, 3);
    let root = alice.shelf.add_file(&file);
    alice.net.provide(root).await.expect("announced");
    let carols = carol.address("/tcp/").await;
    alice.connect(&carols).await;
    bob.connect(&carols).await;
    let alice_id = alice.net.peer_id();
    loop {
        if alice.net.providing().await.expect("the node runs").published == 1 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    bob.knows_agent(&carol.net.peer_id()).await;
    same(&bob.read_file(root).await.expect("found and fetched"), &file);
    assert!(bob.net.connected().await.expect("runs").iter().any(|p| p.id == alice_id));
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_carry_other_protocols() {
    const ECHO: &str = "/toft/test/1";
    let (alice, bob) = (Node::start(15), Node::start(16));
    let mut incoming = alice.net.accept(ECHO).expect("free");
    assert!(matches!(alice.net.accept(ECHO), Err(Error::ProtocolTaken(_))));
    let mut stream = bob.net.open_stream(&alice.address("/quic-v1").await, ECHO).await.expect("a stream");
    stream.write_all(b"hello").await.expect("written");
    stream.flush().await.expect("flushed");
    let mut got = incoming.recv().await.expect("a stream");
    assert_eq!(got.peer, bob.net.peer_id());
    let mut bytes = [0; 5];
    got.stream.read_exact(&mut bytes).await.expect("read");
    assert_eq!(&bytes, b"hello");
    match bob.net.open_stream(&alice.net.peer_id(), "/toft/other/1").await.map(|_| ()) {
        Err(Error::Unsupported { .. }) => {}
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn mistakes_are_told_plainly() {
    let start = |listen: &str| {
        let config = Config { listen: vec![listen.to_owned()], ..Config::default() };
        Net::start(&config, [17; 32], Arc::new(Shelf::default()), Metrics::default())
            .map(|_| ())
            .expect_err("a mistake")
            .to_string()
    };
    assert!(start("127.0.0.1:4001").contains("`127.0.0.1:4001` is no multiaddr"));
    let alice = Node::start(18);
    for part in ["/tcp/", "/quic-v1"] {
        let full = alice.address(part).await;
        let taken = full.split("/p2p/").next().expect("an address");
        assert!(start(taken).contains(&format!("cannot listen on {taken}: the port is in use")), "{}", start(taken));
    }
    let reason = |e: Error| e.to_string();
    let refused = alice.net.dial("/ip4/127.0.0.1/tcp/1").await.map_err(reason).expect_err("a mistake");
    assert!(refused.contains("refused"), "{refused}");
    let bob = Node::start(19);
    let wrong = alice.address("/tcp/").await.replace(&alice.net.peer_id(), &bob.net.peer_id());
    let carol = Node::start(20);
    let answered = carol.net.dial(&wrong).await.map_err(reason).expect_err("a mistake");
    assert!(answered.contains(&alice.net.peer_id()), "{answered}");
}

#[tokio::test(flavor = "multi_thread")]
async fn after_shutdown_everything_says_so() {
    let alice = Node::start(21);
    alice.net.shutdown().await;
    alice.net.shutdown().await;
    assert!(matches!(alice.net.connected().await, Err(Error::Stopped)));
}
