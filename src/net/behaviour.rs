//! Everything the swarm does, put together.

use super::bitswap::behaviour as bitswap;
use super::{BlockSource, Config, Limits, Metrics, kad};
use libp2p::connection_limits::{self, ConnectionLimits};
use libp2p::identity::Keypair;
use libp2p::swarm::NetworkBehaviour;
use libp2p::{identify, ping};
use std::sync::Arc;

/// What identify calls the family of protocols; every IPFS node says this.
const FAMILY: &str = "ipfs/0.1.0";

#[derive(NetworkBehaviour)]
pub struct Behaviour {
    /// First: what it refuses costs the others nothing.
    pub limits: connection_limits::Behaviour,
    pub identify: identify::Behaviour,
    pub ping: ping::Behaviour,
    pub wan: kad::Behaviour,
    pub lan: kad::Behaviour,
    pub bitswap: bitswap::Behaviour,
    pub streams: libp2p_stream::Behaviour,
}

impl Behaviour {
    pub fn new(config: &Config, key: &Keypair, source: Arc<dyn BlockSource>, metrics: Metrics) -> Self {
        let local = key.public().to_peer_id();
        let agent = concat!("toft/", env!("CARGO_PKG_VERSION")).to_owned();
        Self {
            limits: connection_limits::Behaviour::new(limits(&config.limits)),
            identify: identify::Behaviour::new(
                identify::Config::new(FAMILY.to_owned(), key.public()).with_agent_version(agent),
            ),
            ping: ping::Behaviour::default(),
            wan: kad::wan(local, config.network),
            lan: kad::lan(local, config.network),
            bitswap: bitswap::Behaviour::new(source, metrics),
            streams: libp2p_stream::Behaviour::new(),
        }
    }
}

fn limits(limits: &Limits) -> ConnectionLimits {
    ConnectionLimits::default()
        .with_max_established(Some(limits.connections))
        .with_max_established_per_peer(Some(limits.connections_per_peer))
        .with_max_pending_incoming(Some(limits.pending))
        .with_max_pending_outgoing(Some(limits.pending))
}
