//! Devices on the local network, found by multicast (mDNS) while that is asked for, and not a moment longer.
//!
//! While it is on, this node asks who is there and says where it is, to everybody on the network. Off, it has no
//! socket. IPv4 alone: every network at home has it, and IPv6 would need to know the interface of each address.

use super::circuit::is_circuit;
use super::dns_sd::{PACKET_MAX, Said, answer, query, read};
use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, PeerId};
use socket2::{Domain, Socket, Type};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, sleep_until};

const GROUP: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 251);
const PORT: u16 = 5353;
/// How long after a query the next one goes out: at first, and at most.
const QUERIES: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(30));
/// Answers are for everybody, so nobody needs them more often.
const ANSWERS: Duration = Duration::from_secs(1);
/// Who sends more packets than one in this time is not heard with all of them.
const PACKETS: Duration = Duration::from_millis(5);
/// What was found and nobody has taken yet.
const WAITING_MAX: usize = 64;
/// Peers that are told of while it is on, and addresses of each: anybody on the network makes up as many as he likes.
const PEERS_MAX: usize = 64;
const ADDRESSES_MAX: usize = 8;
/// Interfaces it is spoken on.
const INTERFACES_MAX: usize = 8;

/// What the task is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Wanted {
    on: bool,
    listen: Vec<Multiaddr>,
}

/// The handle of the task, which ends with it.
#[derive(Debug)]
pub struct Near {
    wanted: watch::Sender<Wanted>,
    found: mpsc::Receiver<(PeerId, Multiaddr)>,
    told: HashMap<PeerId, HashSet<Multiaddr>>,
}

impl Near {
    /// Must be called inside a tokio runtime.
    pub fn start(local: PeerId) -> Self {
        let (wanted, changes) = watch::channel(Wanted::default());
        let (send, found) = mpsc::channel(WAITING_MAX);
        tokio::spawn(async move { run(local, changes, send).await });
        Self { wanted, found, told: HashMap::new() }
    }

    pub fn set(&mut self, on: bool) {
        self.told.clear();
        self.wanted.send_if_modified(|wanted| std::mem::replace(&mut wanted.on, on) != on);
    }

    /// Where this node listens now.
    pub fn listens<'a>(&self, addresses: impl Iterator<Item = &'a Multiaddr>) {
        let listen: Vec<Multiaddr> = addresses.filter(|address| ip(address).is_some()).cloned().collect();
        self.wanted.send_if_modified(|wanted| {
            wanted.listen != listen && {
                wanted.listen = listen;
                true
            }
        });
    }

    /// Somebody who says to be this peer, at an address that he speaks from; and whether that is new.
    pub async fn found(&mut self) -> (PeerId, Multiaddr, bool) {
        match self.found.recv().await {
            Some((peer, address)) => {
                let is_new = self.note(peer, &address);
                (peer, address, is_new)
            }
            // The task ends only with this handle.
            None => std::future::pending().await,
        }
    }

    fn note(&mut self, peer: PeerId, address: &Multiaddr) -> bool {
        if self.told.len() >= PEERS_MAX && !self.told.contains_key(&peer) {
            return false;
        }
        let addresses = self.told.entry(peer).or_default();
        addresses.len() < ADDRESSES_MAX && addresses.insert(address.clone())
    }
}

/// Of a circuit that would be the relay's.
fn ip(address: &Multiaddr) -> Option<Ipv4Addr> {
    match address.iter().next()? {
        Protocol::Ip4(ip) if !ip.is_unspecified() && !is_circuit(address) => Some(ip),
        _ => None,
    }
}

/// Where it is spoken: a node listens on each interface more than once.
fn interfaces(listen: &[Multiaddr]) -> BTreeSet<Ipv4Addr> {
    let all: BTreeSet<Ipv4Addr> = listen.iter().filter_map(ip).collect();
    all.into_iter().take(INTERFACES_MAX).collect()
}

async fn run(local: PeerId, mut changes: watch::Receiver<Wanted>, found: mpsc::Sender<(PeerId, Multiaddr)>) {
    loop {
        let wanted = changes.borrow_and_update().clone();
        let talk = async {
            if !wanted.on {
                return std::future::pending().await;
            }
            if let Err(error) = talk(local, &wanted.listen, &found).await {
                tracing::warn!(%error, "devices on the local network are not looked for (mDNS)");
            }
            // An interface may have gone; it is tried again.
            sleep(QUERIES.1).await;
        };
        tokio::select! {
            () = talk => {}
            changed = changes.changed() => if changed.is_err() { return },
        }
    }
}

async fn talk(local: PeerId, listen: &[Multiaddr], found: &mpsc::Sender<(PeerId, Multiaddr)>) -> io::Result<()> {
    let interfaces = interfaces(listen);
    let ears = ears(&interfaces)?;
    let mouths = interfaces.iter().map(|at| Ok((*at, mouth(*at)?))).collect::<io::Result<Vec<_>>>()?;
    let name = format!("toft-{}", hex::encode(random()?));
    let (mut wait, mut next, mut answered) = (QUERIES.0, Instant::now(), None::<Instant>);
    let mut packet = vec![0; PACKET_MAX];
    loop {
        let (bytes, from) = tokio::select! {
            came = ears.recv_from(&mut packet) => came?,
            () = sleep_until(next) => {
                (wait, next) = ((wait * 2).min(QUERIES.1), Instant::now() + wait);
                if let Some(query) = query() {
                    say(&mouths, |_| Some(query.clone())).await;
                }
                continue;
            }
        };
        match read(&packet[..bytes], from.ip()) {
            Some(Said::Query) if answered.is_none_or(|at| at.elapsed() >= ANSWERS) => {
                answered = Some(Instant::now());
                let here = |at: Ipv4Addr| {
                    let ours = listen.iter().filter(|address| ip(address) == Some(at));
                    let ours: Vec<Multiaddr> =
                        ours.filter_map(|address| address.clone().with_p2p(local).ok()).collect();
                    answer(&name, &ours)
                };
                say(&mouths, here).await;
            }
            Some(Said::Here(all)) => {
                for (peer, address) in all.into_iter().filter(|(peer, _)| *peer != local) {
                    // If nobody takes them they are too many.
                    let _ = found.try_send((peer, address));
                }
            }
            _ => {}
        }
        sleep(PACKETS).await;
    }
}

/// A device on one of several networks is heard, even if another one is down.
async fn say(mouths: &[(Ipv4Addr, UdpSocket)], what: impl Fn(Ipv4Addr) -> Option<Vec<u8>>) {
    for (at, mouth) in mouths {
        let Some(packet) = what(*at) else { continue };
        if let Err(error) = mouth.send_to(&packet, SocketAddr::from((GROUP, PORT))).await {
            tracing::debug!(%at, %error, "mDNS");
        }
    }
}

fn ears(interfaces: &BTreeSet<Ipv4Addr>) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(socket2::Protocol::UDP))?;
    // Other programs on this machine listen there, too.
    socket.set_reuse_address(true)?;
    #[cfg(unix)]
    socket.set_reuse_port(true)?;
    socket.bind(&SocketAddr::from((Ipv4Addr::UNSPECIFIED, PORT)).into())?;
    for at in interfaces {
        socket.join_multicast_v4(&GROUP, at)?;
    }
    into_tokio(socket)
}

fn mouth(at: Ipv4Addr) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(socket2::Protocol::UDP))?;
    socket.set_multicast_if_v4(&at)?;
    socket.set_multicast_ttl_v4(255)?;
    socket.set_multicast_loop_v4(true)?;
    socket.bind(&SocketAddr::from((IpAddr::V4(at), 0)).into())?;
    into_tokio(socket)
}

fn into_tokio(socket: Socket) -> io::Result<UdpSocket> {
    socket.set_nonblocking(true)?;
    UdpSocket::from_std(socket.into())
}

/// A name that says nothing: whoever listens on the network is not to know the node again by it.
fn random() -> io::Result<[u8; 8]> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_spoken_on_each_interface_and_on_no_relays() {
        let relay = PeerId::random();
        let both = |n: usize| [format!("/ip4/10.0.{n}.1/tcp/1"), format!("/ip4/10.0.{n}.1/udp/1/quic-v1")];
        let mut texts = vec![format!("/ip4/9.9.9.9/tcp/1/p2p/{relay}/p2p-circuit"), "/ip6/::1/tcp/1".into()];
        texts.extend((1..=INTERFACES_MAX).flat_map(both));
        let listen = |texts: &[String]| -> Vec<Multiaddr> {
            texts.iter().map(|text| text.parse().expect("an address")).collect()
        };
        let expected = |most| (1..=most).map(|n| Ipv4Addr::new(10, 0, n, 1)).collect::<BTreeSet<_>>();
        assert_eq!(interfaces(&listen(&texts)), expected(INTERFACES_MAX as u8));
        texts.extend(both(99));
        assert_eq!(interfaces(&listen(&texts)).len(), INTERFACES_MAX);
    }

    #[tokio::test]
    async fn a_place_at_a_relay_is_not_told_to_the_local_network() {
        let near = Near::start(PeerId::random());
        let own: Multiaddr = "/ip4/10.0.0.1/tcp/1".parse().expect("an address");
        let circuit: Multiaddr =
            format!("/ip4/10.0.0.1/tcp/2/p2p/{}/p2p-circuit", PeerId::random()).parse().expect("an address");
        near.listens([&own, &circuit].into_iter());
        assert_eq!(near.wanted.borrow().listen, [own]);
    }

    #[tokio::test]
    async fn who_makes_up_peers_does_not_fill_the_memory() {
        let mut near = Near::start(PeerId::random());
        let at = |n: usize| format!("/ip4/10.0.0.1/tcp/{n}").parse::<Multiaddr>().expect("an address");
        let peers: Vec<PeerId> = (0..3 * PEERS_MAX).map(|_| PeerId::random()).collect();
        let told = peers.iter().flat_map(|peer| (1..50).map(|n| (*peer, at(n)))).filter(|(p, a)| near.note(*p, a));
        assert_eq!(told.count(), PEERS_MAX * ADDRESSES_MAX);
        near.set(true);
        assert!(near.note(peers[0], &at(1)), "who asks again is told again");
    }
}
