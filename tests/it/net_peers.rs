//! toft among real kubo and helia nodes, all on loopback.

use crate::net::{FILE, LONG, Node, same};
use crate::support::dag::noise;
use crate::support::peers::Peer;
use std::time::Instant;
use toft::cid::{self, Cid};

async fn kubo_fetches_from_toft(over: &str) {
    let (toft, mut kubo) = (Node::start(30), Peer::kubo());
    let file = noise(FILE, 30);
    let root = toft.shelf.add_file(&file);
    kubo.ok(&format!("connect {}", toft.address(over).await));
    let out = kubo.path("out");
    kubo.ok(&format!("get {root} {}", out.display()));
    same(&std::fs::read(out).expect("kubo wrote the file"), &file);
    assert!(toft.knows_agent(&kubo.id).await.starts_with("kubo/"));
}

#[tokio::test(flavor = "multi_thread")]
async fn kubo_fetches_from_toft_over_tcp() {
    kubo_fetches_from_toft("/tcp/").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn kubo_fetches_from_toft_over_quic() {
    kubo_fetches_from_toft("/quic-v1").await;
}

async fn toft_fetches_from(peer: &mut Peer, over: &str, seed: u8) {
    let toft = Node::start(seed);
    let file = noise(FILE, u64::from(seed));
    let path = peer.path("in");
    std::fs::write(&path, &file).expect("the file is written");
    let root: Cid = peer.ok(&format!("add {}", path.display())).parse().expect("a CID");
    toft.connect(peer.address(over)).await;
    same(&toft.read_file(root).await.expect("the file arrives"), &file);
    assert_eq!(toft.metrics.blocks_unwanted.get(), 0, "asked once, got once");
}

#[tokio::test(flavor = "multi_thread")]
async fn toft_fetches_from_kubo_over_tcp() {
    toft_fetches_from(&mut Peer::kubo(), "/tcp/", 31).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn toft_fetches_from_kubo_over_quic() {
    toft_fetches_from(&mut Peer::kubo(), "/quic-v1", 32).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn toft_fetches_from_helia() {
    toft_fetches_from(&mut Peer::helia(), "/tcp/", 33).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn helia_fetches_from_toft() {
    let (toft, mut helia) = (Node::start(34), Peer::helia());
    let file = noise(FILE, 34);
    let root = toft.shelf.add_file(&file);
    helia.ok(&format!("connect {}", toft.address("/tcp/").await));
    let out = helia.path("out");
    helia.ok(&format!("get {root} {} 100", out.display()));
    same(&std::fs::read(out).expect("helia wrote the file"), &file);
}

#[tokio::test(flavor = "multi_thread")]
async fn peers_get_what_is_public_and_not_what_is_not() {
    let (toft, mut helia) = (Node::start(35), Peer::helia());
    let (public, private) = (toft.shelf.add_file(b"public"), toft.shelf.add_file(b"private"));
    toft.shelf.deny(&private);
    helia.ok(&format!("connect {}", toft.address("/tcp/").await));
    let out = helia.path("out");
    helia.run(&format!("get {private} {} 5", out.display())).expect_err("denied");
    helia.ok(&format!("get {public} {} 60", out.display()));
    same(&std::fs::read(out).expect("helia wrote the file"), b"public");
    assert_eq!(toft.metrics.blocks_sent.get(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn kubo_gets_what_is_public_and_not_what_is_not() {
    let (toft, mut kubo) = (Node::start(36), Peer::kubo());
    let (public, private) = (toft.shelf.add_file(b"public"), toft.shelf.add_file(b"private"));
    toft.shelf.deny(&private);
    kubo.ok(&format!("connect {}", toft.address("/tcp/").await));
    let out = kubo.path("out");
    kubo.ok(&format!("get {public} {}", out.display()));
    same(&std::fs::read(&out).expect("kubo wrote the file"), b"public");
    // kubo as a library has no timeout for a download: it is left waiting, and killed with the test.
    let hidden = kubo.path("hidden");
    kubo.begin(&format!("get {private} {}", hidden.display()));
    // It asks everybody without wishing for a DONT_HAVE, so its want is what can be seen of it.
    while toft.metrics.peer_wants.get() == 0 {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    assert!(!hidden.exists());
    assert_eq!(toft.metrics.blocks_sent.get(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn helia_finds_what_toft_provides() {
    let (toft, mut helia) = (Node::start(37), Peer::helia());
    let root = cid::of(cid::RAW, b"announced");
    helia.ok(&format!("connect {}", toft.address("/tcp/").await));
    toft.knows_agent(&helia.id).await;
    toft.net.provide(root).await.expect("announced");
    // helia puts toft into its table when it has got round to it.
    let start = Instant::now();
    loop {
        let found = helia.ok(&format!("findprovs {root}"));
        if found.contains(&toft.net.peer_id().expect("it has begun")) {
            break;
        }
        assert!(start.elapsed() < LONG, "{found}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn toft_finds_what_helia_provides_through_a_third_node() {
    let (middle, toft, mut helia) = (Node::start(38), Node::start(39), Peer::helia());
    let file = noise(1 << 20, 38);
    let path = helia.path("in");
    std::fs::write(&path, &file).expect("the file is written");
    let root: Cid = helia.ok(&format!("add {}", path.display())).parse().expect("a CID");
    let address = middle.address("/tcp/").await;
    helia.ok(&format!("connect {address}"));
    middle.knows_agent(&helia.id).await;
    // helia tells nobody before it has put the node in the middle into its table, which it does when it has got round to it.
    let start = Instant::now();
    loop {
        helia.ok(&format!("provide {root}"));
        if middle.net.find_providers(root).await.expect("asked").contains(&helia.id) {
            break;
        }
        assert!(start.elapsed() < LONG, "the node in the middle is told of no provider");
    }
    toft.connect(&address).await;
    toft.knows_agent(&middle.net.peer_id().expect("it has begun")).await;
    let bytes = tokio::time::timeout(LONG, toft.read_file(root)).await.expect("in time").expect("the file arrives");
    same(&bytes, &file);
}

#[tokio::test(flavor = "multi_thread")]
async fn toft_and_kubo_share_the_lan_table() {
    let (toft, kubo) = (Node::start(40), Peer::kubo());
    toft.connect(kubo.address("/tcp/")).await;
    toft.knows_agent(&kubo.id).await;
    let root = cid::of(cid::RAW, b"announced on the lan");
    toft.net.provide(root).await.expect("announced");
    loop {
        if toft.net.providing().await.expect("the node runs").published == 1 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let other = Node::start(41);
    other.connect(kubo.address("/tcp/")).await;
    other.knows_agent(&kubo.id).await;
    toft.shelf.put(&root, bytes::Bytes::from_static(b"announced on the lan"));
    assert_eq!(other.net.fetch(root, LONG).await.expect("found through kubo"), "announced on the lan");
}

/// Files of a size that takes a while, in every direction. `TOFT_LONG=1` makes them larger and prints seconds:
/// `TOFT_LONG=1 cargo test --release --test it large_files -- --nocapture`
#[tokio::test(flavor = "multi_thread")]
async fn large_files_travel_in_every_direction() {
    let long = std::env::var_os("TOFT_LONG").is_some();
    let sizes: &[(usize, u64)] = if long { &[(12, 50), (256, 51)] } else { &[(3, 50)] };
    for &(mib, seed) in sizes {
        let file = noise(mib << 20, seed);
        for over in ["/tcp/", "/quic-v1"] {
            let (toft, reader, mut kubo) = (Node::start(52), Node::start(53), Peer::kubo());
            let root = toft.shelf.add_file(&file);
            kubo.ok(&format!("connect {}", toft.address(over).await));
            let out = kubo.path("out");
            let start = Instant::now();
            kubo.ok(&format!("get {root} {}", out.display()));
            println!("{mib} MiB {over}: toft -> kubo {:.2} s", start.elapsed().as_secs_f64());

            reader.connect(&toft.address(over).await).await;
            let start = Instant::now();
            same(&reader.read_file(root).await.expect("the file arrives"), &file);
            println!("{mib} MiB {over}: toft -> toft {:.2} s", start.elapsed().as_secs_f64());

            // Another file: the first one kubo has from toft, under another root.
            let (other, path) = (noise(mib << 20, seed + 10), kubo.path("in"));
            std::fs::write(&path, &other).expect("the file is written");
            let root: Cid = kubo.ok(&format!("add {}", path.display())).parse().expect("a CID");
            let fresh = Node::start(54);
            fresh.connect(kubo.address(over)).await;
            let start = Instant::now();
            same(&fresh.read_file(root).await.expect("the file arrives"), &other);
            println!("{mib} MiB {over}: kubo -> toft {:.2} s", start.elapsed().as_secs_f64());
        }
    }
}
