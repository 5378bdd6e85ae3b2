//! Two and three toft nodes on loopback.

use crate::support::dag::{Shelf, noise, read_node};
use bytes::Bytes;
use futures::TryStreamExt as _;
use std::sync::Arc;
use std::time::Duration;
use toft::cid::{self, Cid};
use toft::net::bitswap::message::{Message, encode};
use toft::net::{Config, Error, FileLimits, Limits, Metrics, Net, Network, Session, fetch_file};
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
        Node::start_at(seed, "/ip4/127.0.0.1/tcp/0", Arc::new(Shelf::default()))
    }

    pub fn start_at(seed: u8, tcp: &str, shelf: Arc<Shelf>) -> Node {
        // RUST_LOG=toft=debug shows what a failing test did. Another test may have set it up before.
        let _ = tracing_subscriber::fmt()
            .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
            .with_test_writer()
            .try_init();
        let config = Config {
            listen: vec![tcp.into(), "/ip4/127.0.0.1/udp/0/quic-v1".into()],
            network: Network::Private,
            ..Config::default()
        };
        let metrics = Metrics::default();
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
async fn a_peer_that_was_lost_in_the_middle_is_connected_to_again() {
    let (alice, bob) = (Node::start(31), Node::start(32));
    let (first, second) = (alice.shelf.add_file(b"first"), alice.shelf.add_file(b"second"));
    let address = alice.address("/tcp/").await;
    bob.connect(&address).await;
    let session = bob.net.session();
    assert_eq!(session.fetch(first, LONG).await.expect("alice has it"), "first");
    alice.net.shutdown().await;
    while !bob.net.connected().await.expect("bob runs").is_empty() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let tcp = address.split("/p2p/").next().expect("an address");
    let _alice = Node::start_at(31, tcp, alice.shelf.clone());
    assert_eq!(session.fetch(second, LONG).await.expect("alice is back"), "second");
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
    while alice.metrics.peer_wants.get() == 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    alice.shelf.allow(&root);
    alice.net.arrived(vec![root]).await.expect("the node runs");
    assert_eq!(asking.await.expect("no panic").expect("the block arrives"), "soon");
}

/// A peer whose store hangs: it takes wants and answers none.
async fn deaf_peer(bob: &Node) -> Net {
    struct Deaf;
    impl toft::net::BlockSource for Deaf {
        fn offer(&self, _: &Cid) -> Option<toft::net::Offer> {
            std::thread::sleep(Duration::from_secs(8));
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
    let alice_id = alice.net.peer_id().expect("it has begun");
    loop {
        if alice.net.providing().await.expect("the node runs").published == 1 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // Telling of a provider is not answered: Carol may still be about to hear it.
    while !carol.net.find_providers(root).await.expect("the node runs").contains(&alice_id) {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    bob.knows_agent(&carol.net.peer_id().expect("it has begun")).await;
    let found = bob.net.find_providers(root).await.expect("the node runs");
    assert!(found.contains(&alice_id) && found.len() == 1, "{found:?}");
    same(&bob.read_file(root).await.expect("found and fetched"), &file);
    assert!(bob.net.connected().await.expect("runs").iter().any(|p| p.id == alice_id));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_longer_provided_is_no_longer_announced() {
    let alice = Node::start(22);
    let root = cid::of(cid::RAW, b"x");
    alice.net.provide(root).await.expect("announced");
    assert_eq!(alice.net.providing().await.expect("the node runs").roots, 1);
    assert_eq!(
        alice.net.find_providers(root).await.expect("the node runs"),
        [alice.net.peer_id().expect("it has begun")]
    );
    alice.net.stop_providing(root).await.expect("the node runs");
    assert_eq!(alice.net.providing().await.expect("the node runs").roots, 0);
    assert!(alice.net.find_providers(root).await.expect("the node runs").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_costs_too_much_is_given_up() {
    let (alice, bob) = (Node::start(23), Node::start(24));
    let file = noise(1 << 20, 4);
    let root = alice.shelf.add_file(&file);
    bob.connect(&alice.address("/tcp/").await).await;
    let read = async |limits, session: Session| {
        fetch_file(session, root, limits, read_node).try_collect::<Vec<Bytes>>().await.map(|parts| parts.concat())
    };
    let limits = FileLimits { timeout: LONG, ..FileLimits::default() };
    for limits in
        [FileLimits { bytes: 1 << 19, ..limits }, FileLimits { blocks: 3, ..limits }, FileLimits { depth: 0, ..limits }]
    {
        match read(limits, bob.net.session()).await {
            Err(Error::TooLarge { .. }) => {}
            other => panic!("{limits:?}: {:?}", other.map(|b| b.len())),
        }
    }
    for window in [0, 1, 2, 1000] {
        same(&read(FileLimits { window, ..limits }, bob.net.session()).await.expect("the file arrives"), &file);
    }
}

/// On the public network a node joins by its bootstrap peers, says nothing of its loopback addresses, and
/// still fetches from whom it is connected to.
#[tokio::test(flavor = "multi_thread")]
async fn a_public_node_joins_by_its_bootstrap_peers() {
    let alice = Node::start(28);
    let root = alice.shelf.add_file(b"public");
    let config = Config {
        listen: vec!["/ip4/127.0.0.1/tcp/0".into()],
        network: Network::Public,
        bootstrap: vec![alice.address("/tcp/").await],
        ..Config::default()
    };
    let net = Net::start(&config, [29; 32], Arc::new(Shelf::default()), Metrics::default()).expect("the node starts");
    assert_eq!(
        alice.knows_agent(&net.peer_id().expect("it has begun")).await,
        concat!("toft/", env!("CARGO_PKG_VERSION"))
    );
    assert_eq!(net.fetch(root, LONG).await.expect("alice has it"), "public");
    let pathless = Config { bootstrap: vec!["/ip4/127.0.0.1/tcp/1".into()], ..config };
    let told = Net::start(&pathless, [30; 32], Arc::new(Shelf::default()), Metrics::default()).map(|_| ());
    assert!(told.expect_err("a mistake").to_string().contains("must end in /p2p/"));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_connections_than_allowed() {
    let config = Config {
        listen: vec!["/ip4/127.0.0.1/tcp/0".into()],
        limits: Limits { connections: 2, connections_reserved: 0, ..Limits::default() },
        ..Config::default()
    };
    let net = Net::start(&config, [33; 32], Arc::new(Shelf::default()), Metrics::default()).expect("the node starts");
    let address = net.listen_addrs().await.expect("the node runs").remove(0);
    let others: Vec<Node> = (34..38).map(Node::start).collect();
    for other in &others {
        // Whoever is one too many sees the connection closed, now or a moment later.
        let _ = other.net.dial(&address).await;
        assert!(net.connected().await.expect("the node runs").len() <= 2);
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(net.connected().await.expect("the node runs").len(), 2);
}

/// Bytes that are no Bitswap, frames that never end, blocks nobody asked for: others are served meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn a_hostile_peer_does_not_keep_others_from_being_served() {
    const BITSWAP: &str = "/ipfs/bitswap/1.2.0";
    let (alice, bob, mallory) = (Node::start(25), Node::start(26), Node::start(27));
    let file = noise(1 << 20, 5);
    let root = alice.shelf.add_file(&file);
    let address = alice.address("/tcp/").await;
    let (mut held, id) = (Vec::new(), mallory.net.dial(&address).await.expect("alice answers"));
    let unasked = cid::of(cid::RAW, b"unasked");
    let unasked = Message { blocks: vec![(unasked, Bytes::from_static(b"unasked"))], ..Message::default() };
    let frames: [Vec<u8>; 6] = [
        // A length of some 32 GiB, then one of exactly the limit of which little follows.
        vec![0xff, 0xff, 0xff, 0xff, 0x7f, 0, 0, 0],
        vec![0x80, 0x80, 0x80, 0x02, 0x0a, 0x01],
        vec![0xff; 64],
        noise(100_000, 6),
        vec![0],
        encode(&unasked),
    ];
    for frame in frames.iter().cycle().take(200) {
        let Ok(mut stream) = mallory.net.open_stream(&id, BITSWAP).await else { break };
        // Alice may have dropped the stream already: that is her right.
        let _ = stream.write_all(frame).await;
        let _ = stream.flush().await;
        held.push(stream);
    }
    assert!(held.len() > 100, "{}", held.len());
    bob.connect(&address).await;
    same(&bob.read_file(root).await.expect("the file arrives"), &file);
    assert!(alice.metrics.blocks_unwanted.get() > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_carry_other_protocols() {
    const ECHO: &str = "/toft/test/1";
    let (alice, bob) = (Node::start(15), Node::start(16));
    let mut incoming = alice.net.accept(ECHO).expect("free");
    match bob.net.open_stream(&alice.address("/quic-v1").await, ECHO).await.map(|_| ()) {
        Err(Error::Unsupported { .. }) => {}
        other => panic!("a stranger is offered it: {other:?}"),
    }
    alice.net.pair(&[bob.address("/tcp/").await]);
    assert!(matches!(alice.net.accept(ECHO), Err(Error::ProtocolTaken(_))));
    let mut stream = bob.net.open_stream(&alice.address("/quic-v1").await, ECHO).await.expect("a stream");
    stream.write_all(b"hello").await.expect("written");
    stream.flush().await.expect("flushed");
    let mut got = incoming.recv().await.expect("a stream");
    assert_eq!(got.peer, bob.net.peer_id().expect("it has begun"));
    let mut bytes = [0; 5];
    got.stream.read_exact(&mut bytes).await.expect("read");
    assert_eq!(&bytes, b"hello");
    match bob.net.open_stream(&alice.net.peer_id().expect("it has begun"), "/toft/other/1").await.map(|_| ()) {
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
    let wrong = alice
        .address("/tcp/")
        .await
        .replace(&alice.net.peer_id().expect("it has begun"), &bob.net.peer_id().expect("it has begun"));
    let carol = Node::start(20);
    let answered = carol.net.dial(&wrong).await.map_err(reason).expect_err("a mistake");
    assert!(answered.contains(&alice.net.peer_id().expect("it has begun")), "{answered}");
}

#[tokio::test(flavor = "multi_thread")]
async fn after_shutdown_everything_says_so() {
    let alice = Node::start(21);
    alice.net.shutdown().await;
    alice.net.shutdown().await;
    assert!(matches!(alice.net.connected().await, Err(Error::Stopped)));
}
