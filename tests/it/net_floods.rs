//! Floods of libp2p connections, and of what goes over them, from one address: others are served meanwhile.

use crate::net::{LONG, Node};
use crate::support::{
    dag::Shelf,
    eventually,
    hostile::{Hostile, silent, socket},
    toft::{Home, Toft},
};
use futures::future::join_all;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use toft::net::bitswap::message::{Entry, Message, Want, encode};
use toft::net::{Config, Error, Limits, Metrics, Net};
use tokio::io::AsyncWriteExt as _;

const BITSWAP: &str = "/ipfs/bitswap/1.2.0";
const NEIGHBOUR: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
/// From here all nodes in tests dial.
const HERE: Ipv4Addr = Ipv4Addr::LOCALHOST;
/// A neighbour is served within a second, a device within five; a debug build is many times slower, and shares the machine
/// with other tests.
const SERVED: Duration = Duration::from_secs(if cfg!(debug_assertions) { 10 } else { 1 });
const DEVICE: Duration = Duration::from_secs(if cfg!(debug_assertions) { 15 } else { 5 });

/// A stranger at another address gets a block, in time.
async fn is_served(alice: &Node, seed: u8) {
    let bob = Node::start(seed);
    let root = alice.shelf.add_file(&[seed]);
    let address = alice.address("/tcp/").await;
    let begun = Instant::now();
    bob.net.dial(&address).await.expect("alice answers");
    assert_eq!(bob.net.fetch(root, LONG).await.expect("alice has it"), [seed][..]);
    assert!(begun.elapsed() < SERVED, "{:?}", begun.elapsed());
}

/// A paired device connects, in time, and stays.
async fn a_device_connects(alice: &Node, seed: u8) {
    let device = Node::start(seed);
    alice.net.pair(&[device.address("/tcp/").await]);
    let (address, begun) = (alice.address("/tcp/").await, Instant::now());
    while let Err(error) = device.net.dial(&address).await {
        assert!(begun.elapsed() < DEVICE, "it is shut out: {error}");
    }
    assert!(begun.elapsed() < DEVICE, "{:?}", begun.elapsed());
    tokio::time::sleep(Duration::from_millis(500)).await;
    let peers = alice.net.connected().await.expect("the node runs");
    assert!(
        peers.iter().any(|peer| peer.id == device.net.peer_id().expect("it has begun")),
        "it was let in and put out"
    );
    alice.net.pair(&[]);
}

#[tokio::test(flavor = "multi_thread")]
async fn silent_connections_shut_nobody_out() {
    let alice = Node::start(101);
    let to = socket(&alice.address("/tcp/").await);
    let flood = join_all((0..300).map(|_| silent(NEIGHBOUR, to))).await;
    assert!(flood.iter().filter(|held| held.is_ok()).count() > 200);
    is_served(&alice, 102).await;
    // Then from the same address as the device, as behind one router, and they keep coming.
    let more = tokio::spawn(async move {
        let mut held = Vec::new();
        loop {
            held.extend(join_all((0..50).map(|_| silent(HERE, to))).await);
            held.drain(..held.len().saturating_sub(300));
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    });
    tokio::time::sleep(Duration::from_secs(1)).await;
    a_device_connects(&alice, 103).await;
    more.abort();
}

/// Made-up peers, of which those that are still connected are told.
async fn made_up(count: usize, from: Ipv4Addr, alice: &Node) -> Vec<Hostile> {
    let to = socket(&alice.address("/tcp/").await);
    let mut held = Vec::new();
    for _ in 0..count / 25 {
        held.extend(join_all((0..25).map(|_| Hostile::connect(from, to))).await.into_iter().flatten());
    }
    held
}

#[tokio::test(flavor = "multi_thread")]
async fn made_up_peers_shut_nobody_out() {
    let alice = Node::start(104);
    let connected = async || alice.net.connected().await.expect("the node runs").len();
    let _flood = made_up(300, NEIGHBOUR, &alice).await;
    assert_eq!(connected().await, Limits::default().connections_per_address as usize);
    is_served(&alice, 105).await;
    let _more = made_up(300, HERE, &alice).await;
    a_device_connects(&alice, 106).await;
    assert!(connected().await <= 2 * Limits::default().connections_per_address as usize + 1);
}

/// Beyond their range the bounds would bound nothing.
#[tokio::test(flavor = "multi_thread")]
async fn without_the_bounds_one_address_would_hold_what_it_likes() {
    let limits = Limits { connections: 100_000, connections_per_address: 100_000, ..Limits::default() };
    assert!(limits.check().is_err());
    let config = Config { listen: vec!["/ip4/127.0.0.1/tcp/0".into()], limits, ..Config::default() };
    let (shelf, metrics) = (Arc::new(Shelf::default()), Metrics::default());
    let net = Net::start(&config, [107; 32], shelf.clone(), metrics.clone()).expect("the node starts");
    let alice = Node { net, shelf, metrics };
    let _flood = made_up(300, NEIGHBOUR, &alice).await;
    let held = alice.net.connected().await.expect("the node runs").len();
    assert!(held > Limits::default().connections as usize, "{held}");
}

/// To a stranger the protocol between devices is not there, and nothing names the node's DID.
#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_hears_nothing_of_sync_nor_whose_node_it_is() {
    let toft = Home::new().up();
    let stranger = Node::start(108);
    // The port that is dialled from may be another test's for a moment.
    let mut dialled = stranger.net.dial(&toft.address("/tcp/")).await;
    for _ in 0..20 {
        if dialled.is_ok() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
        dialled = stranger.net.dial(&toft.address("/tcp/")).await;
    }
    let id = dialled.expect("toft answers");
    match stranger.net.open_stream(&id, toft::sync::PROTOCOL).await.map(|_| ()) {
        Err(Error::Unsupported { .. }) => {}
        other => panic!("{other:?}"),
    }
    stranger.knows_agent(&id).await;
    let told = format!("{:?}", stranger.net.connected().await.expect("the node runs"));
    assert!(told.contains("/ipfs/bitswap/") && !told.contains("/toft/") && !told.contains("did:"), "{told}");
}

/// What is used of something that peers share.
fn used(node: &Net, name: &str) -> usize {
    let mut registry = prometheus_client::registry::Registry::default();
    node.register(&mut registry);
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry).expect("text");
    let line = text.lines().find_map(|line| line.strip_prefix(&format!("net_{name}_used ")));
    line.unwrap_or_else(|| panic!("no {name} in {text}")).parse().expect("a number")
}

/// Peers that ask for large blocks and take nothing of the answers.
#[tokio::test(flavor = "multi_thread")]
async fn blocks_that_nobody_takes_are_few() {
    let alice = Node::start(111);
    let mut flood = made_up(25, NEIGHBOUR, &alice).await;
    let entry = |n: u8| {
        let block = vec![n; 2 << 20];
        let cid = toft::cid::of(toft::cid::RAW, &block);
        alice.shelf.put(&cid, block.into());
        Entry { cid, priority: 1, want: Want::Block, send_dont_have: true }
    };
    let wants = encode(&Message { wants: (0..4).map(entry).collect(), ..Message::default() });
    for peer in &mut flood {
        peer.stream(BITSWAP, &wants).await.expect("taken");
    }
    let (limits, begun) = (Limits::default(), Instant::now());
    let mut most = 0;
    while begun.elapsed() < Duration::from_secs(2) {
        let used = used(&alice.net, "memory");
        assert!(used <= limits.memory_per_address, "{used}");
        most = most.max(used);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(most > limits.memory_per_address / 2, "the answers were made: {most}");
    is_served(&alice, 112).await;
    drop(flood);
    let begun = Instant::now();
    while used(&alice.net, "memory") > 0 || used(&alice.net, "wantlists") > 0 {
        assert!(begun.elapsed() < LONG, "it is not given back");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// What the node takes when it has met one peer: what is only read of its binary then is nobody's flood.
async fn met(toft: &Toft) -> u64 {
    for (kind, seed) in [("/tcp/", 110), ("/quic-v1", 113)] {
        let peer = Node::start(seed);
        peer.net.dial(&toft.address(kind)).await.expect("let in");
        assert!(peer.net.fetch(toft::cid::of(toft::cid::RAW, b"nobody has it"), LONG).await.is_err());
        peer.net.shutdown().await;
    }
    rss(toft)
}

/// Memory of a node, in MiB.
fn rss(toft: &Toft) -> u64 {
    toft.memory() >> 20
}

/// What the allocator may keep of a flood, in MiB, where half of what was before is less. Each thread keeps a page of 64 KiB to 4 MiB
/// for every size it had: datagrams come in all sizes to 64 KiB, and 45 MiB were kept of a flood over QUIC.
const KEPT_MAX: u64 = 64;

/// By how much more it may be after two floods more, in MiB: what is kept is kept once, and a leak grows with each.
const KEPT_AGAIN_MAX: u64 = 16;

/// How much memory may be, in MiB, after a flood over a node that had `before`.
fn after_a_flood(before: u64) -> u64 {
    (before * 3 / 2).max(before + KEPT_MAX)
}

/// Within a minute, memory is no more than `most` MiB.
#[track_caller]
fn given_back(toft: &Toft, most: u64) {
    let begun = Instant::now();
    loop {
        let now = rss(toft);
        if now <= most {
            return println!("{now} MiB, {:?} after it", begun.elapsed());
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "{now} MiB a minute after, wanted {most}");
        std::thread::sleep(Duration::from_millis(250));
    }
}

/// What a peer does with its connection.
#[derive(Debug, Clone, Copy)]
enum Flood {
    /// Half messages: their beginnings wait for the rest, and fill the windows of streams that nobody reads.
    Halves,
    /// The same in pieces of a byte.
    Pieces,
    /// Long wantlists of what is not there.
    Wants,
    /// Streams and nothing in them.
    Streams,
}

async fn flood(kind: Flood, from: Ipv4Addr, toft: &Toft, connections: usize, streams: usize) -> Vec<Hostile> {
    let to = socket(&toft.address("/tcp/"));
    let one = async || {
        let mut peer = Hostile::connect(from, to).await.ok()?;
        // It is closed when it takes more than its share: that is the point.
        let _ = fill(kind, &mut peer, streams).await;
        Some(peer)
    };
    join_all((0..connections).map(|_| one())).await.into_iter().flatten().collect()
}

async fn fill(kind: Flood, peer: &mut Hostile, streams: usize) -> std::io::Result<()> {
    // The beginning of a frame of 4 MiB.
    const HALF: [u8; 4] = [0x80, 0x80, 0x80, 0x02];
    for n in 0..streams {
        match kind {
            Flood::Halves => {
                let id = peer.stream(BITSWAP, &HALF).await?;
                for _ in 0..3 {
                    peer.data(id, &[0; 80_000]).await?;
                }
            }
            Flood::Pieces => {
                let id = peer.stream(BITSWAP, &HALF).await?;
                for _ in 0..20_000 {
                    peer.data(id, &[0]).await?;
                }
            }
            Flood::Wants => {
                let cid = |i: usize| toft::cid::of(toft::cid::RAW, format!("{n} {i}").as_bytes());
                let entry = |i| Entry { cid: cid(i), priority: 1, want: Want::Block, send_dont_have: false };
                let message = Message { wants: (0..1000).map(entry).collect(), ..Message::default() };
                peer.stream(BITSWAP, &encode(&message)).await?;
            }
            Flood::Streams => drop(peer.stream(BITSWAP, &[]).await?),
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_address_sends_and_nobody_reads_is_bounded() {
    let toft = Home::new().up();
    let before = met(&toft).await;
    for (kind, streams) in [(Flood::Halves, 120), (Flood::Pieces, 4), (Flood::Wants, 8), (Flood::Streams, 1000)] {
        let mut held = flood(kind, NEIGHBOUR, &toft, 40, streams).await;
        let under = rss(&toft);
        println!("{kind:?}: {before} MiB before, {under} MiB with {} connections", held.len());
        assert!(under <= 250, "{kind:?}: {under} MiB");
        let stranger = Node::start(109);
        let begun = Instant::now();
        stranger.net.dial(&toft.address("/tcp/")).await.expect("let in");
        println!("{kind:?}: a stranger is let in after {:?}", begun.elapsed());
        assert!(begun.elapsed() < SERVED, "{:?}", begun.elapsed());
        if matches!(kind, Flood::Halves) {
            let closed = join_all(held.iter_mut().map(Hostile::is_closed)).await;
            assert!(closed.contains(&true), "who takes more than the share is closed");
        }
    }
    given_back(&toft, after_a_flood(before));
}

/// The same over QUIC, whose windows are bounded for each connection; as it comes from here, a neighbour is served.
#[tokio::test(flavor = "multi_thread")]
async fn what_comes_over_quic_and_nobody_reads_is_bounded() {
    let toft = Home::new().up();
    let (before, address) = (met(&toft).await, toft.address("/quic-v1"));
    let one = async |seed: u8| {
        let node = Node::start(seed);
        let id = node.net.dial(&address).await.ok()?;
        let mut held = Vec::new();
        for _ in 0..60 {
            let Ok(mut stream) = node.net.open_stream(&id, BITSWAP).await else { break };
            let half = [&[0x80, 0x80, 0x80, 0x02][..], &[0; 250_000]].concat();
            let written = tokio::time::timeout(Duration::from_millis(500), stream.write_all(&half)).await;
            held.push(stream);
            if written.is_err() {
                break;
            }
        }
        Some((node, held))
    };
    let held = join_all((150..190).map(one)).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let under = rss(&toft);
    println!("QUIC: {before} MiB before, {under} MiB with {} connections", held.iter().flatten().count());
    assert!(under <= 250, "{under} MiB");
    let begun = Instant::now();
    Hostile::connect(NEIGHBOUR, socket(&toft.address("/tcp/"))).await.expect("a neighbour is let in");
    assert!(begun.elapsed() < SERVED, "{:?}", begun.elapsed());
    drop(held);
    given_back(&toft, after_a_flood(before));
    let once = rss(&toft);
    for _ in 0..2 {
        drop(join_all((150..190).map(one)).await);
    }
    given_back(&toft, once + KEPT_AGAIN_MAX);
}

/// Beyond its range the budget would bound nothing.
#[tokio::test(flavor = "multi_thread")]
async fn without_the_budget_one_address_would_take_the_memory() {
    let beyond =
        |home: Home| home.set("net.limits.memory", "8589934592").set("net.limits.memory_per_address", "8589934592");
    let said = beyond(Home::new()).try_up().map(drop).expect_err("out of its range");
    assert!(said.contains("net.limits.memory = 8589934592: it must be from"), "{said}");
    let home = beyond(Home::new()).set("TEST_BEYOND_BOUNDS", "1");
    let toft = home.up();
    let _held = flood(Flood::Halves, NEIGHBOUR, &toft, 12, 120).await;
    eventually("more than is allowed", || (rss(&toft) > 250).then_some(()));
}
