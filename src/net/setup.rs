//! Building the swarm: identity, transports, listen addresses, the way into the public network. And what to
//! say when one of them fails.

use super::behaviour::Behaviour;
use super::{BlockSource, Config, Error, Metrics, config, peer_of, quic};
use crate::crypto::Secret;
use libp2p::core::transport::ListenerId;
use libp2p::identity::Keypair;
use libp2p::multiaddr::Protocol;
use libp2p::swarm::DialError;
use libp2p::swarm::dial_opts::DialOpts;
use libp2p::{Multiaddr, Swarm, SwarmBuilder, TransportError, noise, tls, yamux};
use std::sync::Arc;
use std::time::Duration;

/// Setting up a connection, all layers together.
const DIAL_TIMEOUT: Duration = Duration::from_secs(15);

/// Streams per yamux connection, chosen for what it does to their receive windows.
///
/// js-libp2p sends a frame as large as the window we grant, and the yamux crate drops a connection on a frame
/// of more than 1 MiB; but it lets windows grow with the line, so fetching much from a fast helia broke the
/// connection. The windows of a connection share 1 GiB, 256 KiB are set aside for every possible stream, and
/// the rest is what they may grow by: 4096 - 3 streams leave 768 KiB, so that none exceeds 1 MiB. How many
/// streams a peer really keeps open is bounded by each protocol (see `bitswap::handler`).
const YAMUX_STREAMS: usize = 4096 - 3;

/// The swarm with all transports, and the handle for streams.
pub fn build(
    config: &Config,
    mut seed: Secret,
    source: Arc<dyn BlockSource>,
    metrics: Metrics,
) -> Result<(Swarm<Behaviour>, libp2p_stream::Control), Error> {
    let setup = |e: &dyn std::fmt::Display| Error::Setup(e.to_string());
    let key = Keypair::ed25519_from_bytes(seed.expose_mut()).map_err(|e| setup(&e))?;
    let idle = Duration::from_secs(config.limits.idle_seconds);
    let behaviour = Behaviour::new(config, &key, source, metrics);
    let control = behaviour.streams.new_control();
    let swarm = SwarmBuilder::with_existing_identity(key)
        .with_tokio()
        .with_tcp(Default::default(), (tls::Config::new, noise::Config::new), multiplexer)
        .map_err(|e| setup(&e))?
        .with_other_transport(quic::transport)
        .map_err(|e| setup(&e))?
        .with_dns()
        .map_err(|e| setup(&e))?
        .with_behaviour(|_| behaviour)
        .map_err(|e| setup(&e))?
        .with_swarm_config(|c| c.with_idle_connection_timeout(idle))
        .with_connection_timeout(DIAL_TIMEOUT)
        .build();
    Ok((swarm, control))
}

fn multiplexer() -> yamux::Config {
    let mut config = yamux::Config::default();
    config.set_max_num_streams(YAMUX_STREAMS);
    config
}

pub fn join(swarm: &mut Swarm<Behaviour>, bootstrap: &[String]) -> Result<(), Error> {
    for text in bootstrap {
        let address = config::multiaddr(text)?;
        let peer = peer_of(&address)
            .ok_or_else(|| Error::Address { address: text.clone(), reason: "it must end in /p2p/<peer id>".into() })?;
        swarm.behaviour_mut().wan.add_address(&peer, address.clone());
        if let Err(error) = swarm.dial(DialOpts::peer_id(peer).addresses(vec![address]).build()) {
            tracing::warn!(address = text, %error, "a bootstrap peer cannot be dialed");
        }
    }
    Ok(())
}

pub fn listen(swarm: &mut Swarm<Behaviour>, text: &str) -> Result<ListenerId, Error> {
    let address = config::multiaddr(text)?;
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

pub fn dial_error(address: &Multiaddr, error: &DialError) -> Error {
    let reason = match error {
        DialError::Transport(tried) => tried.iter().map(|(_, e)| causes(e)).collect::<Vec<_>>().join("; "),
        DialError::WrongPeerId { obtained, .. } => format!("peer {obtained} answered there"),
        DialError::LocalPeerId { .. } => "that is this node itself".into(),
        other => causes(other),
    };
    Error::Dial { address: address.to_string(), reason }
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
