//! Building the swarm: identity, transports, listen addresses, the way into the public network; and what to say when
//! one of them fails.

use super::behaviour::Behaviour;
use super::circuit::{Limits, is_circuit};
use super::config::Config;
use super::door::{Door, Guarded};
use super::error::Error;
use super::known::{Known, peer_of};
use super::meeting::Circuits;
use super::metrics::Metrics;
use super::pools::Pools;
use super::secure::Secure;
use super::source::BlockSource;
use super::streams::Accepted;
use super::{muxer, quic};
use crate::crypto::Secret;
use crate::memory::{self, wipe_stack};
use crate::pool::Pool;
use anyhow::Context as _;
use futures::{AsyncRead, AsyncWrite};
use libp2p::core::muxing::StreamMuxer;
use libp2p::core::transport::{ListenerId, Transport};
use libp2p::core::upgrade::Version;
use libp2p::identity::Keypair;
use libp2p::multiaddr::Protocol;
use libp2p::swarm::DialError;
use libp2p::swarm::dial_opts::DialOpts;
use libp2p::{Multiaddr, PeerId, Swarm, SwarmBuilder, TransportError};
use std::sync::Arc;
use std::time::Duration;

/// Setting up a connection, all layers together.
const DIAL_TIMEOUT: Duration = Duration::from_secs(15);

/// What of a QUIC connection, and of one of its streams, may lie unread. It is not counted: together with the share of
/// connections it is what one address can make this node hold. A megabyte is enough for 25 MB/s over a line of 40 ms.
const QUIC_UNREAD: u32 = 1 << 20;
const QUIC_STREAM_UNREAD: u32 = 512 << 10;

/// The swarm with all transports, and what it will be told of relays.
pub fn build(
    config: &Config,
    mut seed: Secret,
    (known, pools, accepted): (&Arc<Known>, &Pools, &Accepted),
    source: Arc<dyn BlockSource>,
    metrics: Metrics,
) -> Result<(Swarm<Behaviour>, Limits), Error> {
    let setup = |e: &dyn std::fmt::Display| Error::Setup(e.to_string());
    // It wipes what it is given. What it keeps, and libp2p copies, is beyond us.
    let key = Keypair::ed25519_from_bytes(seed.expose_mut());
    wipe_stack::<{ memory::KEYS }>();
    let key = key.map_err(|e| setup(&e))?;
    let idle = Duration::from_secs(config.limits.idle_seconds);
    let told = Limits::default();
    let door = Door::new(pools.pending.clone(), known.clone());
    let tcp = Guarded::new(
        over(libp2p::tcp::tokio::Transport::default(), &key, known.clone(), pools.memory.clone())
            .map_err(|e| setup(&e))?,
        door.clone(),
    );
    let (circuits, client) = libp2p::relay::client::new(key.public().to_peer_id());
    let circuits = over(circuits, &key, known.clone(), pools.memory.clone()).map_err(|e| setup(&e))?;
    let circuits = Guarded::new(Circuits::new(circuits, known.clone()), door.clone());
    let mut quic = libp2p::quic::Config::new(&key);
    (quic.max_connection_data, quic.max_stream_data) = (QUIC_UNREAD, QUIC_STREAM_UNREAD);
    let quic = Guarded::new(quic::transport(quic), door);
    let shared = (known.clone(), pools, accepted.clone());
    let behaviour = Behaviour::new(config, &key, shared, (client, told.clone()), source, metrics);
    let swarm = SwarmBuilder::with_existing_identity(key)
        .with_tokio()
        // First: the others would take the relay's part of an address for all of it.
        .with_other_transport(|_| circuits)
        .map_err(|e| setup(&e))?
        .with_other_transport(|_| tcp)
        .map_err(|e| setup(&e))?
        .with_other_transport(|_| quic)
        .map_err(|e| setup(&e))?
        .with_dns()
        .map_err(|e| setup(&e))?
        .with_behaviour(|_| behaviour)
        .map_err(|e| setup(&e))?
        .with_swarm_config(|c| c.with_idle_connection_timeout(idle))
        .with_connection_timeout(DIAL_TIMEOUT)
        .build();
    Ok((swarm, told))
}

/// Encrypted and multiplexed connections over those of `transport`.
fn over<T>(
    transport: T,
    key: &Keypair,
    known: Arc<Known>,
    memory: Pool,
) -> std::io::Result<
    impl Transport<
        Output = (PeerId, impl StreamMuxer<Substream: Send, Error: Send + Sync> + Send + Unpin + use<T>),
        Error: Send + Sync,
        Dial: Send,
        ListenerUpgrade: Send,
    > + Send
    + Unpin
    + use<T>,
>
where
    T: Transport<Dial: Send, ListenerUpgrade: Send, Error: Send + Sync + 'static> + Send + Unpin + 'static,
    T::Output: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let transport =
        transport.upgrade(Version::V1Lazy).authenticate(Secure::new(key)?).multiplex(muxer::Upgrade(memory)).map(
            move |(peer, muxer), endpoint| {
                muxer.belongs_to(known.asker(&peer, endpoint.get_remote_address()));
                (peer, muxer)
            },
        );
    Ok(transport)
}

pub fn multiaddr(text: &str) -> Result<Multiaddr, Error> {
    text.parse()
        .map_err(|e: libp2p::multiaddr::Error| Error::Address { address: text.to_owned(), reason: e.to_string() })
}

/// A peer and where it is, of a setting that names peers.
pub fn peer(text: &str) -> Result<(PeerId, Multiaddr), Error> {
    let address = multiaddr(text)?;
    let peer = peer_of(&address)
        .ok_or_else(|| Error::Address { address: text.to_owned(), reason: "it must end in /p2p/<peer id>".into() })?;
    Ok((peer, address))
}

/// A relay and where it is.
pub fn relay(text: &str) -> Result<(PeerId, Multiaddr), Error> {
    let (peer, address) = peer(text)?;
    if is_circuit(&address) || address.iter().last() != Some(Protocol::P2p(peer)) {
        let reason = "the address of a relay must end in the relay's own /p2p/<peer id>".into();
        return Err(Error::Address { address: text.to_owned(), reason });
    }
    Ok((peer, address))
}

/// Says which of the addresses in the settings is none.
pub fn check(config: &Config) -> Result<(), anyhow::Error> {
    let all = |key: &str, list: &[String], read: fn(&str) -> Result<(), Error>| {
        list.iter().try_for_each(|text| read(text).with_context(|| key.to_owned()))
    };
    all("net.relays", &config.relays, |text| relay(text).map(drop))?;
    all("net.bootstrap", &config.bootstrap, |text| peer(text).map(drop))?;
    all("net.external", &config.external, |text| multiaddr(text).map(drop))
}

pub fn join(swarm: &mut Swarm<Behaviour>, bootstrap: &[String]) -> Result<(), Error> {
    for text in bootstrap {
        let (peer, address) = peer(text)?;
        swarm.behaviour_mut().wan.add_address(&peer, address.clone());
        if let Err(error) = swarm.dial(DialOpts::peer_id(peer).addresses(vec![address]).build()) {
            tracing::warn!(address = text, %error, "a bootstrap peer cannot be dialed");
        }
    }
    Ok(())
}

pub fn listen(swarm: &mut Swarm<Behaviour>, text: &str) -> Result<ListenerId, Error> {
    let address = multiaddr(text)?;
    if is_taken(&address) {
        return Err(Error::InUse { address: text.to_owned() });
    }
    swarm.listen_on(address).map_err(|error| match error {
        TransportError::Other(e) if e.kind() == std::io::ErrorKind::AddrInUse => {
            Error::InUse { address: text.to_owned() }
        }
        TransportError::MultiaddrNotSupported(_) => Error::Listen {
            address: text.to_owned(),
            reason: "toft listens on /ip4|ip6/…/tcp/… and /udp/…/quic-v1".into(),
        },
        TransportError::Other(e) => Error::Listen { address: text.to_owned(), reason: causes(&e) },
    })
}

/// libp2p binds with SO_REUSEPORT: a second node of the same user would silently share the port with the
/// first and get half of its connections. So the port is tried without it before.
fn is_taken(address: &Multiaddr) -> bool {
    let mut parts = address.iter();
    let ip = match parts.next() {
        Some(Protocol::Ip4(ip)) => std::net::IpAddr::V4(ip),
        Some(Protocol::Ip6(ip)) => std::net::IpAddr::V6(ip),
        _ => return false,
    };
    let in_use = |e: std::io::Error| e.kind() == std::io::ErrorKind::AddrInUse;
    match parts.next() {
        Some(Protocol::Tcp(port)) if port != 0 => std::net::TcpListener::bind((ip, port)).err().is_some_and(in_use),
        Some(Protocol::Udp(port)) if port != 0 => std::net::UdpSocket::bind((ip, port)).err().is_some_and(in_use),
        _ => false,
    }
}

/// Why a dial failed.
pub fn dial_reason(error: &DialError) -> String {
    match error {
        DialError::Transport(tried) => {
            let mut reasons: Vec<String> = tried.iter().map(|(_, e)| causes(e)).collect();
            reasons.dedup();
            reasons.join("; ")
        }
        DialError::WrongPeerId { obtained, .. } => format!("peer {obtained} answered there"),
        DialError::LocalPeerId { .. } => "that is this node itself".into(),
        other => causes(other),
    }
}

/// An error with its causes, each said once.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let said = cause.to_string();
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        next = cause.source();
    }
    text
}
