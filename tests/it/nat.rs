//! Two devices behind routers that translate addresses, and a relay between them; and what a node sends that was asked
//! for nothing. Each host is a network namespace: CAP_NET_ADMIN and CAP_SYS_ADMIN are needed.

use crate::support::{
    eventually,
    netns::{self, Lab, Ports},
    toft::{Home, Toft, random_file},
};
use std::time::Duration;

fn listening(home: Home, at: &str) -> Home {
    home.set("net.listen", &format!("/ip4/{at}/tcp/4001,/ip4/{at}/udp/4001/quic-v1"))
}

fn peer_id(node: &Toft) -> String {
    node.facts["peer"].as_str().expect("a peer id").to_owned()
}

/// The addresses of the connections to another node.
fn connections(node: &Toft, to: &Toft) -> Vec<String> {
    let status = node.json(&["status"]);
    let all = status["connections"].as_array().expect("a list");
    let theirs = all.iter().filter(|connection| connection["peer"] == peer_id(to).as_str());
    let addresses = theirs.flat_map(|connection| connection["addresses"].as_array().expect("a list").clone());
    addresses.map(|address| address.as_str().expect("a text").to_owned()).collect()
}

fn is_circuit(address: &str) -> bool {
    address.contains("p2p-circuit") || address.starts_with("/p2p/")
}

/// In the order in which they go. (Taken apart, they would go in the other one.)
struct Met {
    a: Toft,
    b: Toft,
    relay: Option<Toft>,
    _lab: Lab,
}

/// How often a node has begun to sync with the other.
fn sessions(node: &Toft) -> usize {
    node.log().matches("connected with did:").count()
}

/// Two devices that know of each other only that both use the relay, each behind its router.
fn met(over: &str, ports: Ports) -> Met {
    let mut lab = Lab::new();
    let world = lab.host("relay", 10);
    let (home_a, home_b) = (lab.behind_router("a", 1, 21, ports), lab.behind_router("b", 2, 22, ports));
    let relay = listening(Home::new().netns(&world), "198.51.100.10").set("net.relay_server", "true").up();
    let at = relay.address(over);
    let device = |host: &str, inner: &str| {
        let home = listening(Home::new().netns(host), inner).set("net.relays", &at);
        home.set("log.level", "info,libp2p_dcutr=debug").up()
    };
    let (a, b) = (device(&home_a, "192.168.1.2"), device(&home_b, "192.168.2.2"));
    for node in [&a, &b] {
        // The relay knows its devices and shares nothing with them.
        let (did, own) = (node.did(), relay.did().to_owned());
        relay.json(&["peer", "add", did, &format!("/p2p/{}", peer_id(node)), "--tenant", &own]);
    }
    for (node, other) in [(&a, &b), (&b, &a)] {
        node.json(&["peer", "add", other.did(), &format!("{at}/p2p-circuit/p2p/{}", peer_id(other))]);
    }
    eventually("the two to meet", || {
        [&a, &b].iter().all(|node| node.json(&["peer", "ls"])[0]["connected"] == true).then_some(())
    });
    Met { a, b, relay: Some(relay), _lab: lab }
}

fn a_record_goes_over(from: &Toft, to: &Toft) {
    let records = |node: &Toft| node.json(&["status"])["store"]["records"].as_u64().expect("a number");
    let (before, dir) = (records(to), tempfile::tempdir().expect("a temp dir"));
    let (file, _) = random_file(dir.path(), "file", 500_000);
    from.json(&["add", file.to_str().expect("UTF-8")]);
    eventually("the record on the other side", || (records(to) > before).then_some(()));
}

/// Sync goes on where there is a direct connection now, and does not notice when the relay goes.
fn sync_leaves_the_relay((a, b): (&Toft, &Toft), drop_relay: impl FnOnce()) {
    let in_sync = |node: &Toft| node.json(&["peer", "ls"])[0]["in_sync"] == true;
    eventually("sync to begin anew", || [a, b].iter().all(|node| sessions(node) > 1 && in_sync(node)).then_some(()));
    let before = [a, b].map(sessions);
    drop_relay();
    a_record_goes_over(a, b);
    a_record_goes_over(b, a);
    assert_eq!([a, b].map(sessions), before, "a stream that went through the relay would have ended with it");
}

fn a_hole_is_punched(over: &str) {
    let mut met = met(over, Ports::Kept);
    for (node, other) in [(&met.a, &met.b), (&met.b, &met.a)] {
        let direct = eventually("a direct connection", || {
            let addresses = connections(node, other);
            addresses.iter().find(|address| !is_circuit(address)).cloned()
        });
        assert!(direct.starts_with("/ip4/198.51.100.2") && direct.contains(over), "{direct}");
    }
    sync_leaves_the_relay((&met.a, &met.b), || drop(met.relay.take()));
}

#[test]
fn behind_routers_that_keep_ports_a_tcp_connection_leaves_the_relay() {
    if !netns::may_make() {
        return;
    }
    a_hole_is_punched("/tcp/");
}

#[test]
fn behind_routers_that_keep_ports_a_quic_connection_leaves_the_relay() {
    if !netns::may_make() {
        return;
    }
    a_hole_is_punched("/quic-v1");
}

#[test]
fn behind_routers_that_choose_ports_at_random_devices_stay_on_the_relay() {
    if !netns::may_make() {
        return;
    }
    let met = met("/tcp/", Ports::Random);
    let (a, b) = (&met.a, &met.b);
    let gave_up = |node: &Toft| node.log().contains("the connection stays on the relay");
    eventually("punching to be given up", || [a, b].into_iter().any(gave_up).then_some(()));
    let all = connections(a, b);
    assert!(!all.is_empty() && all.iter().all(|address| is_circuit(address)), "{all:?}");
    a_record_goes_over(a, b);
    a_record_goes_over(b, a);
}

#[test]
fn a_private_node_that_was_asked_for_nothing_sends_nothing() {
    if !netns::may_make() {
        return;
    }
    let mut lab = Lab::new();
    let mut node = |host: &str, last: u8, setting: &[(&str, &str)]| {
        let host = lab.host(host, last);
        lab.count(&host);
        let home = Home::new().netns(&host).set("net.listen", "/ip4/0.0.0.0/tcp/4001,/ip4/0.0.0.0/udp/4001/quic-v1");
        (setting.iter().fold(home, |home, (key, value)| home.set(key, value)).up(), host)
    };
    let asked = [node("mdns", 30, &[("net.mdns", "true")]), node("upnp", 31, &[("net.upnp", "true")])];
    let (_silent, silent) = node("silent", 32, &[]);
    // These are on the same network and are heard; the last one neither asks nor answers.
    for (_node, host) in &asked {
        eventually("something to be sent", || (lab.sent(host) > 0).then_some(()));
    }
    std::thread::sleep(Duration::from_secs(10));
    assert_eq!(lab.sent(&silent), 0);
}

/// How long a line is away: as long as a suspended laptop is, if asked for.
fn away() -> Duration {
    Duration::from_secs(if std::env::var_os("TOFT_LONG").is_some() { 100 } else { 8 })
}

/// What both wrote while they did not hear of each other comes together by itself, within a minute of the line's return.
fn they_come_together(a: &Toft, b: &Toft, name: &str, back: impl FnOnce()) {
    let dir = tempfile::tempdir().expect("a temp dir");
    let [of_a, of_b] = [a, b].map(|node| {
        let (file, _) = random_file(dir.path(), name, 50_000);
        let added = node.home().json(&["add", "--publish", file.to_str().expect("UTF-8")]);
        added["cid"].as_str().expect("a CID").to_owned()
    });
    let has =
        |node: &Toft, cid: &str| node.home().run(&["get", cid, "--timeout", "1", "-o", "/dev/null"]).status.success();
    std::thread::sleep(away());
    assert!(!has(a, &of_b), "nothing came over a line that was away");
    back();
    let begun = std::time::Instant::now();
    let in_sync = |node: &Toft| node.json(&["peer", "ls"])[0]["in_sync"] == true;
    eventually(name, || (in_sync(a) && in_sync(b) && has(a, &of_b) && has(b, &of_a)).then_some(()));
    println!("{name}: together {:.1} s after the line was back", begun.elapsed().as_secs_f32());
}

#[test]
fn devices_behind_routers_come_together_when_their_line_is_back() {
    if !netns::may_make() {
        return;
    }
    let mut lab = Lab::new();
    let world = lab.host("relay", 10);
    let (home_a, home_b) = (lab.behind_router("a", 1, 21, Ports::Kept), lab.behind_router("b", 2, 22, Ports::Kept));
    let relay = listening(Home::new().netns(&world), "198.51.100.10").set("net.relay_server", "true").up();
    let at = relay.address("/tcp/");
    let device = |host: &str| listening(Home::new().netns(host), "0.0.0.0").set("net.relays", &at).up();
    let (a, b) = (device(&home_a), device(&home_b));
    for node in [&a, &b] {
        let (did, own) = (node.did(), relay.did().to_owned());
        relay.json(&["peer", "add", did, &format!("/p2p/{}", peer_id(node)), "--tenant", &own]);
    }
    for (node, other) in [(&a, &b), (&b, &a)] {
        node.json(&["peer", "add", other.did(), &format!("{at}/p2p-circuit/p2p/{}", peer_id(other))]);
    }
    let in_sync = |node: &Toft| node.json(&["peer", "ls"])[0]["in_sync"] == true;
    eventually("the two to meet", || (in_sync(&a) && in_sync(&b)).then_some(()));

    lab.swallow(2, true);
    they_come_together(&a, &b, "a line that was cut", || lab.swallow(2, false));

    // One is suspended, and its line with it.
    let signal = |which: &str| {
        let status = std::process::Command::new("kill").args([which, &b.pid().to_string()]).status();
        assert!(status.expect("kill runs").success());
    };
    let dir = tempfile::tempdir().expect("a temp dir");
    let records = |node: &Toft| node.json(&["status"])["store"]["records"].as_u64().expect("a number");
    signal("-STOP");
    let (file, _) = random_file(dir.path(), "suspended", 50_000);
    a.json(&["add", file.to_str().expect("UTF-8")]);
    std::thread::sleep(away());
    signal("-CONT");
    eventually("a suspended device to catch up", || {
        (records(&b) == records(&a) && in_sync(&a) && in_sync(&b)).then_some(())
    });

    lab.swallow(2, true);
    they_come_together(&a, &b, "other addresses", || {
        lab.renumber(2, &home_b, (22, 32));
        lab.swallow(2, false);
    });
}
