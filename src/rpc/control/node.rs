//! Who the node is, and how it does.

use super::{
    failure::{Failure, Kind},
    method::{Entry, Method, NoParams, Scope},
    services::{Descriptors, Services},
};
use crate::{anchor, job, node::Retained, scarce, store, sync::PeerStatus};
use anyhow::Error;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

pub const METHODS: &[Entry] = &[Entry::of::<Id>(), Entry::of::<Status>()];

#[derive(Debug)]
pub struct Id;

impl Method for Id {
    const NAME: &'static str = "id";
    const SUMMARY: &'static str = "Say who this node is and where it is reached.";
    const SCOPE: Scope = Scope::Info;
    const ERRORS: &'static [Kind] = &[];
    type Params = NoParams;
    type Result = Identity;

    async fn run(services: &Services, NoParams {}: NoParams) -> Result<Identity, Failure> {
        let addresses = services.net.listen_addrs().await.map_err(Error::new)?;
        Ok(Identity { did: services.signer.did().to_owned(), peer: services.net.peer_id(), addresses })
    }
}

/// Who a node is and where it is reached.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Identity {
    pub did: String,
    /// libp2p peer id.
    pub peer: String,
    /// Multiaddrs with the peer id at the end.
    pub addresses: Vec<String>,
}

#[derive(Debug)]
pub struct Status;

impl Method for Status {
    const NAME: &'static str = "status";
    const SUMMARY: &'static str = "Say how this node does.";
    const SCOPE: Scope = Scope::Info;
    const ERRORS: &'static [Kind] = &[];
    type Params = NoParams;
    type Result = NodeStatus;

    async fn run(services: &Services, none: NoParams) -> Result<NodeStatus, Failure> {
        let store = services.node.store();
        let connections = services.net.connected().await.map_err(Error::new)?;
        let connections = connections.into_iter().map(|peer| Connection {
            peer: peer.id,
            addresses: peer.addresses,
            agent: peer.agent,
            round_trip_seconds: peer.round_trip.map(|time| time.as_secs_f64()),
        });
        Ok(NodeStatus {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            identity: Id::run(services, none).await?,
            uptime_seconds: services.started.elapsed().as_secs(),
            rss_bytes: rss(),
            home: services.home.clone(),
            dwn: services.dwn.clone(),
            gateway: services.gateway.clone(),
            store: store.stats(),
            log_bytes: store.log_bytes(),
            degraded: store.degraded(),
            files: services.files.clone(),
            short: Shortage::since_the_start(),
            free_bytes: store.free()?,
            read_only: store.read_only(),
            retention: services.node.retained(),
            connections: connections.collect(),
            peers: services.sync.peers(),
            anchor: services.anchor.status().await?,
            jobs: services.jobs.list(),
        })
    }
}

/// How a node does.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct NodeStatus {
    pub version: String,
    pub identity: Identity,
    pub uptime_seconds: u64,
    /// Resident memory, where the system tells.
    pub rss_bytes: Option<u64>,
    pub home: PathBuf,
    /// URL of the DWN endpoint.
    pub dwn: String,
    /// URL of the gateway, if there is one.
    pub gateway: Option<String>,
    pub store: store::Stats,
    pub log_bytes: u64,
    /// What is wrong with the store, in sentences; empty when all is well.
    pub degraded: Vec<String>,
    pub files: Descriptors,
    pub short: Option<Shortage>,
    /// Bytes free on the disk.
    pub free_bytes: u64,
    /// Why nothing is written, if nothing is.
    pub read_only: Option<String>,
    pub retention: Retained,
    pub connections: Vec<Connection>,
    pub peers: Vec<PeerStatus>,
    pub anchor: anchor::Status,
    /// What the node does by itself.
    pub jobs: Vec<job::Status>,
}

/// A libp2p peer that is connected.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Connection {
    /// libp2p peer id.
    pub peer: String,
    /// The remote address of each connection.
    pub addresses: Vec<String>,
    /// What the peer calls its program, once it has said so.
    pub agent: Option<String>,
    /// Of the last ping.
    pub round_trip_seconds: Option<f64>,
}

/// What the system has been short of since the node started.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Shortage {
    pub times: u64,
    /// What the last time was about.
    pub last: String,
    pub seconds_ago: u64,
}

impl Shortage {
    fn since_the_start() -> Option<Self> {
        let told = scarce::told();
        let (when, last) = told.last?;
        Some(Self { times: told.times, last, seconds_ago: when.elapsed().as_secs() })
    }
}

/// Resident memory of this process in bytes, where the system tells.
fn rss() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kib| kib * 1024)
}
