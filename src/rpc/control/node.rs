//! Who the node is, and how it does.

use super::{
    call::Call,
    failure::{Failure, Kind},
    method::{Entry, Example, Method, Need, NoParams},
    pulse::{self, Source},
    services::Descriptors,
    subscriptions::{Subscribed, no_websocket},
};
use crate::{
    anchor, job,
    node::{Kept, Retained},
    scarce, store,
    sync::PeerStatus,
};
use anyhow::Error;
use futures::StreamExt as _;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

pub const METHODS: &[Entry] = &[Entry::of::<Id>(), Entry::of::<Status>(), Entry::of::<Health>(), Entry::of::<Events>()];

#[derive(Debug)]
pub struct Id;

impl Method for Id {
    const NAME: &'static str = "node.id";
    const SUMMARY: &'static str = "Say who this node is and where it is reached.";
    const SCOPE: Need = Need::Info;
    const ERRORS: &'static [Kind] = &[];
    const EXAMPLES: &'static [Example] = &[Example {
        name: "who",
        params: "{}",
        result: r#"{"did": "$did", "locked": false, "peer": "12D3KooWGjMCwVQsVLbJqGYdkzJ8vTz5dBf5YPHjQkXvF7b8kZpQ", "addresses": ["/ip4/192.0.2.7/tcp/4001/p2p/12D3KooWGjMCwVQsVLbJqGYdkzJ8vTz5dBf5YPHjQkXvF7b8kZpQ"]}"#,
    }];
    type Params = NoParams;
    type Result = Identity;

    async fn run(call: &Call, NoParams {}: NoParams) -> Result<Identity, Failure> {
        let peer = call.net.peer_id();
        let addresses = if peer.is_some() { call.net.listen_addrs().await.map_err(Error::new)? } else { vec![] };
        Ok(Identity { did: call.signer.did().to_owned(), locked: call.signer.is_locked(), peer, addresses })
    }
}

/// Who a node is and where it is reached.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "NodeIdentity")]
pub struct Identity {
    pub did: String,
    /// Its keys are locked: it signs nothing.
    pub locked: bool,
    /// libp2p peer id. Nothing until the keys of a node that was started without them are unlocked: it reaches no peers before.
    pub peer: Option<String>,
    /// Multiaddrs with the peer id at the end.
    pub addresses: Vec<String>,
}

#[derive(Debug)]
pub struct Status;

impl Method for Status {
    const NAME: &'static str = "node.status";
    const SUMMARY: &'static str = "Say how this node does.";
    const SCOPE: Need = Need::Info;
    const ERRORS: &'static [Kind] = &[];
    const EXAMPLES: &'static [Example] = &[Example {
        name: "how it does",
        params: "{}",
        result: r#"{"version": "0.1.0", "identity": {"did": "$did", "locked": false, "peer": "12D3KooWGjMCwVQsVLbJqGYdkzJ8vTz5dBf5YPHjQkXvF7b8kZpQ", "addresses": ["/ip4/192.0.2.7/tcp/4001/p2p/12D3KooWGjMCwVQsVLbJqGYdkzJ8vTz5dBf5YPHjQkXvF7b8kZpQ"]}, "uptime_seconds": 1, "rss_bytes": null, "home": null, "dwn": "http://127.0.0.1:3000", "gateway": null, "store": {"records": 1, "messages": 2, "blocks": 3, "bytes": 4}, "log_bytes": 1, "degraded": [], "files": {"most": 1, "before": 1, "dwn_connections": 1, "gateway_connections": 1, "peer_connections": 1, "fewer": null}, "short": {"times": 1, "last": "memory", "seconds_ago": 2}, "free_bytes": 5, "read_only": null, "retention": {"rules": 1, "deleted": 0, "purged": 0, "looked_at": 9, "at_work": false, "problem": null}, "conflicts": {"conflicts": 0, "bytes": 0}, "connections": [{"peer": "12D3KooWGjMCwVQsVLbJqGYdkzJ8vTz5dBf5YPHjQkXvF7b8kZpQ", "addresses": ["/ip4/192.0.2.7/tcp/4001/p2p/12D3KooWGjMCwVQsVLbJqGYdkzJ8vTz5dBf5YPHjQkXvF7b8kZpQ"], "agent": null, "round_trip_seconds": 0.25}], "peers": [{"did": "$other", "address": "/ip4/192.0.2.7/tcp/4001/p2p/12D3KooWGjMCwVQsVLbJqGYdkzJ8vTz5dBf5YPHjQkXvF7b8kZpQ", "tenants": ["$did", "$other"], "connected": true, "in_sync": false, "in_sync_seconds": null, "apart": false, "sending": {"messages": 1, "of_messages": 3}, "receiving": null, "parked": 0, "parked_there": 0, "problem": null, "copies": []}], "anchor": {"mode": "wallet", "network": "regtest", "queued": 3, "next": "2026-11-21T09:00:00.5Z", "batches": [{"number": 1, "state": "awaiting_funds", "leaves": 2, "created": "2026-11-21T09:00:00Z", "root": "00", "txid": null, "fee": null, "height": null, "confirmations": 0, "send_to": ["bcrt1", 700], "note": null, "network": null, "with": null, "psbt": null}], "tip": 7, "problem": null, "funds": {"paid": 314, "paid_today": 157, "balance": 100000, "days_left": 636}, "sentence": "3 messages wait for the next batch"}, "jobs": [{"name": "backup", "work": "takes snapshots of the home", "wait": "every 6h", "state": "waiting", "runs": 2, "last_run": "2026-11-21T09:00:00Z", "failing": true, "last_error": {"message": "the disk is away", "at": "2026-11-21T09:00:00Z"}, "next_run": "2026-11-21T15:00:00Z"}]}"#,
    }];
    type Params = NoParams;
    type Result = NodeStatus;

    async fn run(call: &Call, none: NoParams) -> Result<NodeStatus, Failure> {
        let store = call.node.store();
        let identity = Id::run(call, none).await?;
        let connections = match &identity.peer {
            Some(_) => call.net.connected().await.map_err(Error::new)?,
            None => vec![],
        };
        let connections = connections.into_iter().map(|peer| Connection {
            peer: peer.id,
            addresses: peer.addresses,
            agent: peer.agent,
            round_trip_seconds: peer.round_trip.map(|time| time.as_secs_f64()),
        });
        Ok(NodeStatus {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            identity,
            uptime_seconds: call.started.elapsed().as_secs(),
            rss_bytes: rss(),
            home: call.caller().is_local().then(|| call.home.clone()),
            dwn: call.dwn.clone(),
            gateway: call.gateway.clone(),
            store: store.stats(),
            log_bytes: store.log_bytes(),
            degraded: store.degraded(),
            files: call.files.clone(),
            short: Shortage::since_the_start(),
            free_bytes: store.free()?,
            read_only: store.read_only(),
            retention: call.node.retained(),
            conflicts: kept(call).await?,
            connections: connections.collect(),
            peers: call.sync.peers(),
            anchor: call.anchor.status().await?,
            jobs: call.jobs.list(),
        })
    }
}

#[derive(Debug)]
pub struct Health;

impl Method for Health {
    const NAME: &'static str = "node.health";
    const SUMMARY: &'static str = "Say whether all is well, and if not, what is wrong.";
    const SCOPE: Need = Need::Info;
    const ERRORS: &'static [Kind] = &[];
    const EXAMPLES: &'static [Example] = &[Example {
        name: "all is well",
        params: "{}",
        result: r#"{"healthy": true, "writable": true, "problems": []}"#,
    }];
    type Params = NoParams;
    type Result = pulse::Health;

    async fn run(call: &Call, NoParams {}: NoParams) -> Result<pulse::Health, Failure> {
        let store = call.node.store().clone();
        // Asks the file system.
        Ok(tokio::task::spawn_blocking(move || pulse::Health::of(&store)).await.map_err(Error::new)?)
    }
}

#[derive(Debug)]
pub struct Events;

impl Method for Events {
    const NAME: &'static str = "node.events";
    const SUMMARY: &'static str =
        "Be told how the node does, now and whenever that changes, by notifications (over a WebSocket alone).";
    const SCOPE: Need = Need::Info;
    const ERRORS: &'static [Kind] = &[Kind::Conflict];
    const EXAMPLES: &'static [Example] = &[Example { name: "all", params: "{}", result: r#"{"subscription": "1"}"# }];
    type Params = NoParams;
    type Result = Subscribed;

    async fn run(call: &Call, NoParams {}: NoParams) -> Result<Subscribed, Failure> {
        let subscriptions = call.subscriptions().ok_or_else(no_websocket)?;
        let (store, net, jobs) = (call.node.store().clone(), call.net.clone(), call.jobs.clone());
        let beats = call.pulse.follow(Source { store, net, jobs, stop: call.stop.clone() });
        let told = beats.map(|beat| serde_json::to_value(beat).map_err(|e| e.to_string()));
        Ok(Subscribed { subscription: subscriptions.carry(told)? })
    }
}

/// How a node does.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct NodeStatus {
    pub version: String,
    pub identity: Identity,
    pub uptime_seconds: u64,
    /// Resident memory, where the system tells.
    pub rss_bytes: Option<u64>,
    /// Told over the node's socket alone.
    pub home: Option<PathBuf>,
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
    /// Edits made here that other devices' took the place of without knowing them.
    pub conflicts: Kept,
    pub connections: Vec<Connection>,
    pub peers: Vec<PeerStatus>,
    pub anchor: anchor::Status,
    /// What the node does by itself.
    pub jobs: Vec<job::Status>,
}

/// A libp2p peer that is connected.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
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
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
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

/// How many conflicts there are.
pub(super) async fn kept(call: &Call) -> Result<Kept, Failure> {
    let node = call.node.clone();
    Ok(tokio::task::spawn_blocking(move || node.conflicts_kept()).await.map_err(Error::new)??)
}

/// Resident memory of this process in bytes, where the system tells.
fn rss() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kib| kib * 1024)
}
