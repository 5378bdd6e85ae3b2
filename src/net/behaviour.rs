//! Everything the swarm does, put together.

use super::bitswap::behaviour as bitswap;
use super::circuit::Limits;
use super::config::{Config, Network};
use super::known::Known;
use super::metrics::Metrics;
use super::only::{DEVICES, Only, Rules};
use super::pools::Pools;
use super::rate::{Rate, Rates};
use super::source::BlockSource;
use super::{introduce, kad, limits, serve, streams};
use libp2p::autonat::v2 as autonat;
use libp2p::identity::Keypair;
use libp2p::swarm::NetworkBehaviour;
use libp2p::swarm::behaviour::toggle::Toggle;
use libp2p::{dcutr, identify, ping, relay, upnp};
use std::sync::Arc;

/// What identify calls the family of protocols; every IPFS node says this.
const FAMILY: &str = "ipfs/0.1.0";

#[derive(NetworkBehaviour)]
pub struct Behaviour {
    /// First: what it refuses costs the others nothing.
    pub limits: limits::Behaviour,
    pub identify: introduce::Behaviour,
    pub ping: ping::Behaviour,
    pub wan: kad::Behaviour,
    pub lan: kad::Behaviour,
    pub bitswap: bitswap::Behaviour,
    pub streams: streams::Behaviour,
    /// Is met through relays.
    pub circuits: Only<relay::client::Behaviour>,
    /// Is a relay.
    pub relay: Toggle<Only<relay::Behaviour>>,
    /// Makes a direct connection of a relayed one.
    pub punch: Only<dcutr::Behaviour>,
    /// Asks others whether they reach this node.
    pub asks: Only<autonat::client::Behaviour>,
    /// Tells devices whether this node reaches them.
    pub tells: Only<autonat::server::Behaviour>,
    /// Asks the router for a port.
    pub router: Toggle<upnp::tokio::Behaviour>,
}

impl Behaviour {
    pub fn new(
        config: &Config,
        key: &Keypair,
        (known, pools, accepted): (Arc<Known>, &Pools, streams::Accepted),
        (circuits, told): (relay::client::Behaviour, Limits),
        source: Arc<dyn BlockSource>,
        metrics: Metrics,
    ) -> Self {
        let local = key.public().to_peer_id();
        let agent = concat!("toft/", env!("CARGO_PKG_VERSION")).to_owned();
        // Whom circuits are with, the transport asks; whom they are through, the settings say.
        let all = Rules { offered: false, heard: false, dialled: false, there: false };
        // On the public network anybody may be asked, for anybody may know.
        let asked = Rules { heard: config.network == Network::Private, ..all };
        let rates = Rates { up: Rate::new(config.upload_limit), down: Rate::new(config.download_limit) };
        let relay = || Only::new(relay::Behaviour::new(local, serve::relay()), known.clone(), DEVICES);
        Self {
            limits: limits::Behaviour::new(pools, config.limits.connections_per_peer, known.clone()),
            identify: introduce::Behaviour::new(
                identify::Config::new(FAMILY.to_owned(), key.public())
                    .with_agent_version(agent)
                    // Who is connected is to know at once where else this node is reached now.
                    .with_push_listen_addr_updates(true),
                known.clone(),
            ),
            ping: ping::Behaviour::default(),
            wan: kad::wan(local, config.network, pools.records.clone()),
            lan: kad::lan(local, config.network, pools.records.clone()),
            bitswap: bitswap::Behaviour::new(source, (known.clone(), pools), metrics),
            streams: streams::Behaviour::new(known.clone(), accepted, (told, rates)),
            circuits: Only::new(circuits, known.clone(), all),
            relay: config.relay_server.then(relay).into(),
            punch: Only::new(dcutr::Behaviour::new(local), known.clone(), DEVICES),
            asks: Only::new(autonat::client::Behaviour::default(), known.clone(), asked),
            tells: Only::new(autonat::server::Behaviour::default(), known, Rules { there: true, ..DEVICES }),
            router: config.upnp.then(upnp::tokio::Behaviour::default).into(),
        }
    }
}
