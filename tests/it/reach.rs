//! Devices that meet through a relay, and leave it as soon as they can.

use crate::{
    net::LONG,
    support::{dag::Shelf, relay::Relay},
};
use std::{sync::Arc, time::Duration};
use toft::net::{Config, Error, Event, Line, Metrics, Net, Network, Opened, Source};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

const ECHO: &str = "/toft/echo/1";
const LOOPBACK: &[&str] = &["/ip4/127.0.0.1/tcp/0", "/ip4/127.0.0.1/udp/0/quic-v1"];
/// Without an address nobody dials a node, and nobody punches a hole to it.
const NOWHERE: &[&str] = &[];

fn node(seed: u8, listen: &[&str], relays: &[&str], relay_server: bool) -> (Net, Metrics) {
    let all = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect();
    started(seed, Config { listen: all(listen), relays: all(relays), relay_server, ..Config::default() })
}

fn started(seed: u8, config: Config) -> (Net, Metrics) {
    let metrics = Metrics::default();
    let net = Net::start(&config, [seed; 32], Arc::new(Shelf::default()), metrics.clone()).expect("the node starts");
    (net, metrics)
}

fn id(net: &Net) -> String {
    net.peer_id().expect("it has begun")
}

async fn tcp(net: &Net) -> String {
    let all = net.listen_addrs().await.expect("it runs");
    all.into_iter().find(|address| address.contains("/tcp/") && !address.contains("p2p-circuit")).expect("it listens")
}

/// Where a node is behind a relay.
fn behind(relay: &str, net: &Net) -> String {
    format!("{relay}/p2p-circuit/p2p/{}", id(net))
}

async fn until<T>(what: &str, mut tried: impl AsyncFnMut() -> Option<T>) -> T {
    let tries = async {
        loop {
            if let Some(done) = tried().await {
                return done;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(LONG, tries).await.unwrap_or_else(|_| panic!("waiting for {what}"))
}

async fn has_place(metrics: &Metrics) {
    until("a place at the relay", async || (metrics.relays.get() > 0).then_some(())).await;
}

fn serve_echo(net: &Net) -> tokio::sync::mpsc::Receiver<Line> {
    let mut incoming = net.accept(ECHO).expect("free");
    let (tell, lines) = tokio::sync::mpsc::channel(16);
    tokio::spawn(async move {
        while let Some(mut came) = incoming.recv().await {
            tell.send(came.line).await.expect("somebody looks");
            tokio::spawn(async move {
                let (mut read, mut write) = tokio::io::split(&mut came.stream);
                // It ends when the other end or the relay ends it.
                let _ = tokio::io::copy(&mut read, &mut write).await;
            });
        }
    });
    lines
}

async fn echoes(opened: &mut Opened, bytes: usize) -> Result<(), std::io::Error> {
    let sent = vec![7; bytes];
    let mut got = vec![0; bytes];
    let (mut read, mut write) = tokio::io::split(&mut opened.stream);
    tokio::try_join!(read.read_exact(&mut got), async {
        write.write_all(&sent).await?;
        write.flush().await
    })?;
    assert!(got == sent);
    Ok(())
}

#[tokio::test]
async fn devices_that_reach_only_a_relay_meet_there_and_carry_what_they_like() {
    let (relay, relay_counts) = node(1, LOOPBACK, &[], true);
    let at = tcp(&relay).await;
    let (a, counts) = node(2, NOWHERE, &[&at], false);
    let (b, _) = node(3, NOWHERE, &[], false);
    relay.pair(&[behind("", &a), behind("", &b)].map(|address| address.replace("/p2p-circuit", "")));
    let mut lines = serve_echo(&a);
    a.pair(&[behind(&at, &b)]);
    b.pair(&[behind(&at, &a)]);
    has_place(&counts).await;
    b.reach(&[behind(&at, &a)]).await.expect("they meet");
    let mut opened = b.open(&id(&a), ECHO).await.expect("a stream");
    assert!(opened.line.relayed && !opened.line.is_limited(), "{:?}", opened.line);
    let came = lines.recv().await.expect("it came");
    assert!(came.relayed && !came.is_limited(), "{came:?}");
    echoes(&mut opened, 1 << 20).await.expect("more than a foreign relay would carry");
    assert_eq!((relay_counts.carried.get(), counts.relayed.get(), counts.direct.get()), (1, 1, 1));
    // The relay goes, comes again, and is asked again.
    drop(opened);
    relay.shutdown().await;
    until("the place to be lost", async || (counts.relays.get() == 0).then_some(())).await;
    let port: Vec<&str> = at.split("/p2p/").take(1).collect();
    let (relay, _) = node(1, &port, &[], true);
    relay.pair(&[behind("", &a), behind("", &b)].map(|address| address.replace("/p2p-circuit", "")));
    has_place(&counts).await;
    until("another meeting", async || b.reach(&[behind(&at, &a)]).await.ok()).await;
}

#[tokio::test]
async fn a_relayed_connection_becomes_a_direct_one_and_says_so() {
    let (relay, _) = node(1, LOOPBACK, &[], true);
    let at = tcp(&relay).await;
    let ((a, counts), (b, _)) = (node(2, LOOPBACK, &[&at], false), node(3, LOOPBACK, &[], false));
    relay.pair(&[tcp(&a).await, tcp(&b).await]);
    let _lines = serve_echo(&a);
    a.pair(&[behind(&at, &b)]);
    b.pair(&[behind(&at, &a)]);
    has_place(&counts).await;
    let mut events = b.events();
    b.reach(&[behind(&at, &a)]).await.expect("they meet");
    let peer = id(&a);
    let direct = async { while events.recv().await.expect("events come") != (Event::Direct { peer: peer.clone() }) {} };
    tokio::time::timeout(LONG, direct).await.expect("a direct connection comes");
    let mut opened = b.open(&peer, ECHO).await.expect("a stream");
    assert!(!opened.line.relayed, "streams opened now go there");
    echoes(&mut opened, 1000).await.expect("it carries");
    let known = b.addresses(&peer).await.expect("it runs");
    assert!(known.iter().any(|known| known.source == Source::Said && known.address == tcp_of(&known.address, &peer)));
    assert!(known.iter().any(|known| known.source == Source::Told && known.address.contains("p2p-circuit")));
}

/// The address, if it is a direct one of this peer.
fn tcp_of(address: &str, peer: &str) -> String {
    let direct = !address.contains("p2p-circuit") && address.ends_with(peer);
    if direct { address.to_owned() } else { String::new() }
}

#[tokio::test]
async fn a_foreign_relays_limits_are_told_to_both_ends() {
    let relay = Relay::with_stock_limits().await;
    let (a, counts) = node(2, NOWHERE, &[relay.address()], false);
    let (b, _) = node(3, NOWHERE, &[relay.address()], false);
    let mut lines = serve_echo(&a);
    a.pair(&[behind(relay.address(), &b)]);
    // The relay that both use is tried without being named.
    b.pair(&[format!("/ip4/127.0.0.1/tcp/1/p2p/{}", id(&a))]);
    has_place(&counts).await;
    b.reach(&[format!("/ip4/127.0.0.1/tcp/1/p2p/{}", id(&a))]).await.expect("they meet");
    let mut opened = b.open(&id(&a), ECHO).await.expect("a stream");
    for line in [opened.line, lines.recv().await.expect("it came")] {
        assert!(line.relayed && line.is_limited(), "{line:?}");
        assert_eq!((line.bytes, line.time), (Some(1 << 17), Some(Duration::from_secs(120))));
    }
    echoes(&mut opened, 1000).await.expect("small things");
    echoes(&mut opened, 1 << 20).await.expect_err("the relay cuts it");
    until("another meeting", async || b.reach(&[behind(relay.address(), &a)]).await.ok()).await;
}

#[tokio::test]
async fn a_relay_is_there_for_devices_and_a_device_meets_no_stranger_there() {
    let (relay, _) = node(1, LOOPBACK, &[], true);
    let at = tcp(&relay).await;
    let ((a, counts), (stranger, _)) = (node(2, NOWHERE, &[&at], false), node(3, NOWHERE, &[], false));
    let of_a = format!("/p2p/{}", id(&a));
    relay.pair(std::slice::from_ref(&of_a));
    has_place(&counts).await;
    let refused = stranger.reach(&[behind(&at, &a)]).await.expect_err("a stranger to the relay");
    assert!(matches!(refused, Error::Dial { .. }), "{refused}");
    assert_eq!(offers(&stranger, &at).await, [false; 2]);
    assert_eq!(offers(&a, &at).await, [true; 2], "to a device it does");
    // Now the relay knows it, and the device still does not.
    relay.pair(&[of_a, format!("/p2p/{}", id(&stranger))]);
    let refused = stranger.reach(&[behind(&at, &a)]).await.expect_err("a stranger to the device");
    assert!(matches!(refused, Error::Dial { .. }), "{refused}");
    let _a_looks = a.discover().await.expect("it runs");
    stranger.reach(&[behind(&at, &a)]).await.expect("while devices are paired, one may come");
    until("it to come", async || (counts.relayed.get() > 0).then_some(())).await;
}

/// What the peer at an address offers this node of what is for devices alone.
async fn offers(net: &Net, at: &str) -> [bool; 2] {
    let peer = net.dial(at).await.expect("it answers");
    let protocols = until("it to introduce itself", async || {
        let peers = net.connected().await.expect("it runs");
        peers.into_iter().find(|known| known.id == peer && known.agent.is_some()).map(|known| known.protocols)
    })
    .await;
    ["/libp2p/circuit/relay/0.2.0/hop", "/libp2p/autonat/2/dial-request"]
        .map(|name| protocols.iter().any(|offered| offered == name))
}

#[tokio::test]
async fn devices_on_the_local_network_are_found_while_that_is_asked_for() {
    let ((a, _), (b, _)) = (node(12, LOOPBACK, &[], false), node(13, LOOPBACK, &[], false));
    let (of_a, of_b) = (tcp(&a).await, tcp(&b).await);
    let mut events = b.events();
    b.pair(&[format!("/p2p/{}", id(&a))]);
    let _a_looks = a.discover().await.expect("it runs");
    b.reach(&[format!("/p2p/{}", id(&a))]).await.expect_err("who does not look finds nobody");
    let _b_looks = b.discover().await.expect("it runs");
    let found = async {
        loop {
            match events.recv().await.expect("events come") {
                Event::Near { peer, address } if address == of_a => break peer,
                Event::Near { address, .. } => assert_ne!(address, of_b, "itself it does not find"),
                _ => {}
            }
        }
    };
    assert_eq!(tokio::time::timeout(LONG, found).await.expect("it is found"), id(&a));
    b.reach(&[format!("/p2p/{}", id(&a))]).await.expect("now it knows where");
    let known = b.addresses(&id(&a)).await.expect("it runs");
    assert!(known.iter().any(|known| known.source == Source::Near && known.address == of_a), "{known:?}");
}

#[tokio::test]
async fn streams_go_no_faster_than_the_settings_say() {
    let slow = |seed, upload_limit, download_limit| {
        let listen = LOOPBACK.iter().map(|text| (*text).to_owned()).collect();
        let config = Config { listen, upload_limit, download_limit, ..Config::default() };
        Net::start(&config, [seed; 32], Arc::new(Shelf::default()), Metrics::default()).expect("the node starts")
    };
    for (of_a, of_b) in [((0, 0), (1 << 20, 0)), ((0, 0), (0, 1 << 20)), ((1 << 20, 0), (0, 0))] {
        let (a, b) = (slow(22, of_a.0, of_a.1), slow(23, of_b.0, of_b.1));
        a.pair(&[format!("/p2p/{}", id(&b))]);
        let _lines = serve_echo(&a);
        b.dial(&tcp(&a).await).await.expect("it answers");
        let mut opened = b.open(&id(&a), ECHO).await.expect("a stream");
        let begun = std::time::Instant::now();
        echoes(&mut opened, 3 << 20).await.expect("it carries");
        assert!(begun.elapsed() > Duration::from_secs(2), "{of_a:?} {of_b:?}: {:?}", begun.elapsed());
    }
}

#[tokio::test]
async fn a_device_that_offers_to_relay_is_used_without_being_named() {
    let (relay, _) = node(1, LOOPBACK, &[], true);
    let at = tcp(&relay).await;
    let ((a, counts), (b, _)) = (node(2, NOWHERE, &[], false), node(3, NOWHERE, &[], false));
    relay.pair(&[format!("/p2p/{}", id(&a)), format!("/p2p/{}", id(&b))]);
    for (net, other) in [(&a, &b), (&b, &a)] {
        // Where the other one is, neither knows.
        net.pair(&[at.clone(), format!("/p2p/{}", id(other))]);
        net.reach(std::slice::from_ref(&at)).await.expect("the relay answers");
    }
    has_place(&counts).await;
    let named = format!("/p2p/{}", id(&a));
    until("them to meet", async || b.reach(std::slice::from_ref(&named)).await.ok()).await;
    a.pair(&[]);
    until("the place to be given up", async || (counts.relays.get() == 0).then_some(())).await;
}

#[tokio::test]
async fn all_addresses_are_tried_side_by_side() {
    let ((a, _), (b, _)) = (node(2, LOOPBACK, &[], false), node(3, LOOPBACK, &[], false));
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("binds");
    let port = silent.local_addr().expect("bound").port();
    let peer = id(&a);
    let nowhere = [format!("/ip4/127.0.0.1/tcp/{port}/p2p/{peer}"), format!("/ip4/127.0.0.1/tcp/1/p2p/{peer}")];
    let addresses: Vec<String> = nowhere.iter().cloned().chain([tcp(&a).await]).collect();
    assert_eq!(b.reach(&addresses).await.expect("one is right"), peer);
    let strangers = [format!("/ip4/127.0.0.1/tcp/1/p2p/{peer}"), format!("/ip4/127.0.0.1/tcp/1/p2p/{}", id(&b))];
    let refused = b.reach(&strangers).await.expect_err("of two peers").to_string();
    assert!(refused.contains("same /p2p/"), "{refused}");
}

#[tokio::test]
async fn on_a_private_network_no_stranger_says_whom_to_dial() {
    for named in [false, true] {
        let ((a, _), (stranger, _), (third, _)) =
            (node(32, LOOPBACK, &[], false), node(33, LOOPBACK, &[], false), node(34, LOOPBACK, &[], false));
        if named {
            // Of a device it is taken, which shows that it would be seen.
            a.pair(&[format!("/p2p/{}", id(&stranger))]);
        }
        stranger.dial(&tcp(&third).await).await.expect("the third answers");
        let in_table = async || {
            let peers = stranger.connected().await.expect("it runs");
            peers.iter().any(|peer| peer.agent.is_some()).then_some(())
        };
        until("the third to introduce itself", in_table).await;
        stranger.dial(&tcp(&a).await).await.expect("it answers");
        let dialled = async {
            loop {
                if third.connected().await.expect("it runs").iter().any(|peer| peer.id == id(&a)) {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        let time = if named { LONG } else { Duration::from_secs(3) };
        assert_eq!(tokio::time::timeout(time, dialled).await.is_ok(), named);
    }
}

#[tokio::test]
async fn a_device_says_whether_this_node_is_reached_and_a_stranger_does_not() {
    for paired in [false, true] {
        // On the public network a node takes part in the table once it is known to be reached.
        let listen = vec!["/ip4/127.0.0.1/tcp/0".to_owned()];
        let config = Config { listen, network: Network::Public, bootstrap: Vec::new(), ..Config::default() };
        let ((a, _), (device, _)) = (started(42, config), node(43, LOOPBACK, &[], false));
        if paired {
            device.pair(&[format!("/p2p/{}", id(&a))]);
        }
        a.dial(&tcp(&device).await).await.expect("it answers");
        let takes_part = async || {
            let peers = device.connected().await.expect("it runs");
            let known = peers.into_iter().find(|peer| peer.id == id(&a) && peer.agent.is_some())?;
            Some(known.protocols.iter().any(|offered| offered == "/ipfs/kad/1.0.0"))
        };
        assert!(!until("it to introduce itself", &takes_part).await);
        let reached = async {
            while takes_part().await != Some(true) {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        let time = if paired { LONG } else { Duration::from_secs(12) };
        assert_eq!(tokio::time::timeout(time, reached).await.is_ok(), paired);
    }
}

#[tokio::test]
async fn places_at_relays_are_told_to_devices_and_to_no_strangers() {
    let (relay, _) = node(1, LOOPBACK, &[], true);
    let at = tcp(&relay).await;
    let ((a, counts), (b, _)) = (node(2, LOOPBACK, &[&at], false), node(3, LOOPBACK, &[], false));
    let (of_a, of_b) = (format!("/p2p/{}", id(&a)), format!("/p2p/{}", id(&b)));
    relay.pair(std::slice::from_ref(&of_a));
    has_place(&counts).await;
    // It writes down what the other one says of itself; to the other one it is a stranger.
    b.pair(&[of_a]);
    b.dial(&tcp(&a).await).await.expect("it answers");
    let said = async || {
        let all = b.addresses(&id(&a)).await.expect("it runs");
        let said = all.into_iter().filter(|known| known.source == Source::Said);
        Some(said.map(|known| known.address).collect::<Vec<_>>()).filter(|said| !said.is_empty())
    };
    let told = until("it to say where it is", &said).await;
    assert!(!told.iter().any(|address| address.contains("p2p-circuit")), "{told:?}");
    // Once it is a device, it is told on the connection that there is.
    a.pair(&[of_b]);
    let is_told = async || said().await.filter(|said| said.iter().any(|address| address.contains("p2p-circuit")));
    until("the place to be told", is_told).await;
}

#[tokio::test]
async fn who_is_no_device_any_more_loses_its_place_at_the_relay() {
    let (relay, _) = node(1, LOOPBACK, &[], true);
    let at = tcp(&relay).await;
    let ((a, counts), (b, _)) = (node(2, NOWHERE, &[&at], false), node(3, NOWHERE, &[], false));
    let (of_a, of_b) = (format!("/p2p/{}", id(&a)), format!("/p2p/{}", id(&b)));
    relay.pair(&[of_a.clone(), of_b.clone()]);
    a.pair(std::slice::from_ref(&of_b));
    b.pair(std::slice::from_ref(&of_a));
    has_place(&counts).await;
    relay.pair(&[of_b]);
    until("the place to be lost", async || (counts.relays.get() == 0).then_some(())).await;
    b.reach(&[behind(&at, &a)]).await.expect_err("nobody is met there");
    relay.pair(&[of_a, format!("/p2p/{}", id(&b))]);
    has_place(&counts).await;
}

#[tokio::test]
async fn a_device_that_relays_no_more_is_asked_no_more() {
    let (relay, _) = node(1, LOOPBACK, &[], true);
    let at = tcp(&relay).await;
    let (a, counts) = node(2, NOWHERE, &[], false);
    let of_a = format!("/p2p/{}", id(&a));
    relay.pair(std::slice::from_ref(&of_a));
    a.pair(std::slice::from_ref(&at));
    a.reach(std::slice::from_ref(&at)).await.expect("the relay answers");
    has_place(&counts).await;
    // One that is nowhere: only its id counts.
    let third = id(&node(9, NOWHERE, &[], false).0);
    let circuit = async || {
        let all = a.addresses(&third).await.expect("it runs");
        all.into_iter().any(|known| known.source == Source::Relay)
    };
    a.pair(&[at.clone(), format!("/p2p/{third}")]);
    assert!(circuit().await, "others may be there, too");
    relay.shutdown().await;
    let port: Vec<&str> = at.split("/p2p/").take(1).collect();
    let (relay, _) = node(1, &port, &[], false);
    relay.pair(std::slice::from_ref(&of_a));
    until("the device to come again", async || a.reach(std::slice::from_ref(&at)).await.ok()).await;
    until("its offer to be forgotten", async || (!circuit().await).then_some(())).await;
}

#[tokio::test]
async fn a_friend_opens_what_is_for_friends_and_is_a_stranger_else() {
    let (relay, _) = node(1, LOOPBACK, &[], true);
    let at = tcp(&relay).await;
    // Known before they come.
    let [of_friend, of_device] = [2, 3].map(|seed| format!("/p2p/{}", id(&node(seed, NOWHERE, &[], false).0)));
    let (sync, pairs) = ("/toft/test-sync/1", "/toft/test-devices/1");
    let (mut came, _devices) = (relay.accept_from_friends(sync).expect("free"), relay.accept(pairs).expect("free"));
    relay.know(std::slice::from_ref(&of_device), std::slice::from_ref(&of_friend));
    // Both ask for a place all the time.
    let ((friend, held), (device, counts)) = (node(2, NOWHERE, &[&at], false), node(3, NOWHERE, &[&at], false));
    has_place(&counts).await;
    assert_eq!((offers(&device, &at).await, offers(&friend, &at).await), ([true; 2], [false; 2]));
    for (net, opens) in [(&device, true), (&friend, false)] {
        net.open(&id(&relay), sync).await.expect("devices and friends");
        assert_eq!(came.recv().await.expect("it came").peer, id(net));
        assert_eq!(net.open(&id(&relay), pairs).await.is_ok(), opens);
    }
    friend.reach(&[behind(&at, &device)]).await.expect_err("no circuits to the owner's devices");
    assert_eq!(held.relays.get(), 0);
    // Who is none any more loses what it has open.
    let mut opened = friend.open(&id(&relay), sync).await.expect("a stream");
    relay.know(&[of_device], &[]);
    let ended = tokio::time::timeout(LONG, opened.stream.read_u8()).await.expect("it ends");
    ended.expect_err("nothing came");
}

#[tokio::test]
async fn a_friend_is_told_no_places_at_relays_and_its_own_relay_is_not_used() {
    let (relay, _) = node(1, LOOPBACK, &[], true);
    let at = tcp(&relay).await;
    let ((a, counts), (b, of_b)) = (node(2, LOOPBACK, &[&at], false), node(3, LOOPBACK, &[], false));
    let third = id(&node(9, NOWHERE, &[], false).0);
    let all = [&a, &b].map(|net| format!("/p2p/{}", id(net)));
    relay.pair(&all);
    has_place(&counts).await;
    // To B the other one is a device: it writes down what that says of itself.
    a.know(&[], &all[1..]);
    b.know(&[all[0].clone(), format!("/p2p/{third}")], std::slice::from_ref(&at));
    b.dial(&tcp(&a).await).await.expect("it answers");
    let said = async || {
        let all = b.addresses(&id(&a)).await.expect("it runs");
        let said = all.into_iter().filter(|known| known.source == Source::Said);
        Some(said.map(|known| known.address).collect::<Vec<_>>()).filter(|said| !said.is_empty())
    };
    let told = until("it to say where it is", &said).await;
    assert!(!told.iter().any(|address| address.contains("p2p-circuit")), "{told:?}");
    // The relay would serve B, and says so; to B it is a friend's.
    assert_eq!(offers(&b, &at).await, [true; 2]);
    let known = b.addresses(&third).await.expect("it runs");
    assert!(!known.iter().any(|known| known.source == Source::Relay) && of_b.relays.get() == 0, "{known:?}");
    // Once it is a device, it is told on the connection that there is.
    a.know(&all[1..], &[]);
    let is_told = async || said().await.filter(|said| said.iter().any(|address| address.contains("p2p-circuit")));
    until("the place to be told", is_told).await;
}

#[tokio::test]
async fn a_friend_is_met_through_the_relay_that_its_address_names() {
    let relay = Relay::with_stock_limits().await;
    let (a, counts) = node(2, NOWHERE, &[relay.address()], false);
    let (b, _) = node(3, NOWHERE, &[], false);
    let mut came = a.accept_from_friends(ECHO).expect("free");
    a.know(&[], &[format!("/p2p/{}", id(&b))]);
    b.know(&[], &[behind(relay.address(), &a)]);
    has_place(&counts).await;
    b.reach(&[behind(relay.address(), &a)]).await.expect("they meet");
    let opened = b.open(&id(&a), ECHO).await.expect("a stream");
    assert!(opened.line.relayed && came.recv().await.expect("it came").line.relayed);
}
