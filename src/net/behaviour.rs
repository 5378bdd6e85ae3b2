//! Everything the swarm does, put together.

use super::bitswap::behaviour as bitswap;
use super::config::Config;
use super::known::Known;
use super::metrics::Metrics;
use super::pools::Pools;
use super::source::BlockSource;
use super::{kad, limits, streams};
use libp2p::identity::Keypair;
use libp2p::swarm::NetworkBehaviour;
use libp2p::{identify, ping};
use std::sync::Arc;

/// What identify calls the family of protocols; every IPFS node says this.
const FAMILY: &str = "ipfs/0.1.0";

#[derive(NetworkBehaviour)]
pub struct Behaviour {
    /// First: what it refuses costs the others nothing.
    pub limits: limits::Behaviour,
    pub identify: identify::Behaviour,
    pub ping: ping::Behaviour,
    pub wan: kad::Behaviour,
    pub lan: kad::Behaviour,
    pub bitswap: bitswap::Behaviour,
    pub streams: streams::Behaviour,
}

impl Behaviour {
    pub fn new(
        config: &Config,
        key: &Keypair,
        (known, pools, accepted): (Arc<Known>, &Pools, streams::Accepted),
        source: Arc<dyn BlockSource>,
        metrics: Metrics,
    ) -> Self {
        let local = key.public().to_peer_id();
        let agent = concat!("toft/", env!("CARGO_PKG_VERSION")).to_owned();
        Self {
            limits: limits::Behaviour::new(pools, config.limits.connections_per_peer, known.clone()),
            identify: identify::Behaviour::new(
                identify::Config::new(FAMILY.to_owned(), key.public()).with_agent_version(agent),
            ),
            ping: ping::Behaviour::default(),
            wan: kad::wan(local, config.network, pools.records.clone()),
            lan: kad::lan(local, config.network, pools.records.clone()),
            bitswap: bitswap::Behaviour::new(source, (known.clone(), pools), metrics),
            streams: streams::Behaviour::new(known, accepted),
        }
    }
}
