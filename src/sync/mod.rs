//! Devices of a person in step: each follows its own log and pushes what is new to its peers, who put it
//! through their own door.
//!
//! A peer is a DID and an address, added by hand on both sides (`toft peer add`); the stream's ends prove
//! their DIDs before anything is said. Shared are the tenants that both sides name: by default each other's
//! own DIDs. Per peer one cursor in the log is kept; a crash repeats an offer, the other side declines what
//! it has. Who opens streams is not known here: `daemon` hands in a [`Dial`] and incoming [`Link`]s.

mod order;
mod session;
mod wire;

pub use wire::{Link, Own, PROTOCOL};

use crate::{
    metrics::Metrics,
    node::Node,
    resolve::Resolver,
    store::Position,
    task::{Backoff, Tasks},
};
use anyhow::{Context as _, Error, bail};
use futures::future::BoxFuture;
use prometheus_client::metrics::counter::Counter;
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// A handshake is four short frames; a silent stranger is not waited for longer.
const HANDSHAKE: Duration = Duration::from_secs(15);
/// Incoming streams in their handshake at the same time: strangers cannot hold more.
const HANDSHAKES_MAX: usize = 32;
/// Peers of one node: each holds one stream and one task.
const PEERS_MAX: usize = 256;

#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Seconds before an unreachable peer is tried again; doubles up to five minutes.
    pub retry: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self { retry: 1 }
    }
}

/// A device this one keeps in step with.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Peer {
    pub did: String,
    /// Multiaddr with the peer id at its end.
    pub address: String,
    /// DIDs whose records both keep.
    pub tenants: Vec<String>,
}

/// A peer and how it stands.
#[derive(Debug, Clone, Serialize)]
pub struct PeerStatus {
    #[serde(flatten)]
    pub peer: Peer,
    pub connected: bool,
    /// Everything in this node's log has been offered to it.
    pub in_sync: bool,
    /// Why it is not connected, as far as known.
    pub problem: Option<String>,
}

/// Opens a stream to an address.
pub trait Dial: Send + Sync + 'static {
    fn dial(&self, address: String) -> BoxFuture<'static, Result<Link, Error>>;
}

/// Handle to the devices in step. Cheap to clone.
#[derive(Clone)]
pub struct Peers {
    shared: Arc<Shared>,
}

impl std::fmt::Debug for Peers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Peers({})", self.shared.own.did)
    }
}

struct Shared {
    node: Node,
    own: Own,
    resolver: Resolver,
    dial: Box<dyn Dial>,
    retry: Duration,
    tasks: Tasks,
    live: Mutex<BTreeMap<String, Live>>,
    progress: Arc<Progress>,
}

/// A peer's running state.
#[derive(Debug)]
struct Live {
    peer: Peer,
    /// Ends the task that dials it.
    stop: CancellationToken,
    /// The running session, and whether this end dialled it.
    session: Option<(CancellationToken, bool)>,
    problem: Option<String>,
}

/// How far each peer has been served, and what is counted.
#[derive(Debug, Default)]
pub struct Progress {
    in_sync: Mutex<BTreeSet<String>>,
    sent: Counter,
    received: Counter,
}

impl Progress {
    fn caught_up(&self, peer: &str) {
        self.in_sync.lock().unwrap_or_else(PoisonError::into_inner).insert(peer.to_owned());
    }

    fn behind(&self, peer: &str) {
        self.in_sync.lock().unwrap_or_else(PoisonError::into_inner).remove(peer);
    }

    async fn sent(&self, node: &Node, peer: &str, position: Position) -> Result<(), Error> {
        node.store().put_state(vec![(cursor_key(peer), Some(position.to_be_bytes().to_vec()))]).await
    }

    fn count_sent(&self) {
        self.sent.inc();
    }

    fn count_received(&self) {
        self.received.inc();
    }
}

fn peer_key(did: &str) -> Vec<u8> {
    format!("sync/peer/{did}").into_bytes()
}

fn cursor_key(did: &str) -> Vec<u8> {
    format!("sync/sent/{did}").into_bytes()
}

impl Peers {
    /// Takes up the peers the store remembers and serves incoming streams.
    pub fn start(
        config: &Config,
        node: Node,
        (own, resolver): (Own, Resolver),
        (dial, mut incoming): (impl Dial, mpsc::Receiver<Link>),
        tasks: &Tasks,
        metrics: &Metrics,
    ) -> Result<Self, Error> {
        let progress = Arc::new(Progress::default());
        metrics.register(|r| {
            r.register("sync_sent", "Messages sent to peers", progress.sent.clone());
            r.register("sync_received", "Messages received from peers", progress.received.clone());
        });
        let shared = Arc::new(Shared {
            node,
            own,
            resolver,
            dial: Box::new(dial),
            retry: Duration::from_secs(config.retry.max(1)),
            tasks: tasks.clone(),
            live: Mutex::default(),
            progress,
        });
        let this = Self { shared };
        for (key, value) in this.shared.node.store().states(b"sync/peer/")? {
            let peer = serde_json::from_slice(&value)
                .with_context(|| format!("the stored peer {} is not readable", String::from_utf8_lossy(&key)))?;
            this.begin(peer);
        }
        let acceptor = this.clone();
        let stop = tasks.stop();
        tasks.spawn("sync-accept", async move {
            let handshakes = Arc::new(tokio::sync::Semaphore::new(HANDSHAKES_MAX));
            loop {
                let link = tokio::select! {
                    link = incoming.recv() => link,
                    () = stop.cancelled() => None,
                };
                let Some(link) = link else { return Ok(()) };
                let Ok(permit) = handshakes.clone().try_acquire_owned() else { continue };
                let this = acceptor.clone();
                acceptor.shared.tasks.spawn("sync-session", async move {
                    if let Err(error) = this.serve(link, None, Some(permit)).await {
                        tracing::info!("a sync stream ended: {error:#}");
                    }
                    Ok(())
                });
            }
        });
        Ok(this)
    }

    /// Adds (or changes) a peer and begins to sync with it.
    pub async fn add(&self, did: String, address: String, tenants: Vec<String>) -> Result<Peer, Error> {
        let own = self.shared.own.did.clone();
        if did == own {
            bail!("{did} is this node itself");
        }
        let tenants = if tenants.is_empty() { vec![own, did.clone()] } else { tenants };
        if !self.lock().contains_key(&did) && self.lock().len() >= PEERS_MAX {
            bail!("this node has {PEERS_MAX} peers already; remove one first");
        }
        let peer = Peer { did: did.clone(), address, tenants };
        // The shared tenants may have changed, so the log is gone through again from the start.
        let value = serde_json::to_vec(&peer).context("encoding the peer")?;
        self.shared.node.store().put_state(vec![(peer_key(&did), Some(value)), (cursor_key(&did), None)]).await?;
        self.begin(peer.clone());
        Ok(peer)
    }

    /// Forgets a peer; what it has it keeps. `false`: it was none.
    pub async fn remove(&self, did: &str) -> Result<bool, Error> {
        let known = match self.lock().remove(did) {
            Some(live) => {
                live.end();
                true
            }
            None => false,
        };
        self.shared.node.store().put_state(vec![(peer_key(did), None), (cursor_key(did), None)]).await?;
        Ok(known)
    }

    /// All peers and how they stand.
    pub fn peers(&self) -> Vec<PeerStatus> {
        let in_sync = self.shared.progress.in_sync.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let status = |live: &Live| PeerStatus {
            peer: live.peer.clone(),
            connected: live.session.is_some(),
            in_sync: live.session.is_some() && in_sync.contains(&live.peer.did),
            problem: live.problem.clone(),
        };
        self.lock().values().map(status).collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Live>> {
        self.shared.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hosts the peer's tenants and keeps dialling it.
    fn begin(&self, peer: Peer) {
        self.shared.node.host(peer.tenants.iter().cloned());
        let stop = self.shared.tasks.stop().child_token();
        let live = Live { peer: peer.clone(), stop: stop.clone(), session: None, problem: None };
        if let Some(old) = self.lock().insert(peer.did.clone(), live) {
            old.end();
        }
        let this = self.clone();
        self.shared.tasks.spawn("sync-peer", async move {
            tokio::select! {
                () = this.keep_dialling(&peer) => {}
                () = stop.cancelled() => {}
            }
            Ok(())
        });
    }

    async fn keep_dialling(&self, peer: &Peer) {
        let mut backoff = Backoff::new(self.shared.retry, Duration::from_secs(300).max(self.shared.retry));
        loop {
            if self.lock().get(&peer.did).is_some_and(|live| live.session.is_none()) {
                let outcome = match self.shared.dial.dial(peer.address.clone()).await {
                    Ok(link) => self.serve(link, Some(peer), None).await,
                    Err(error) => Err(error),
                };
                match outcome {
                    Ok(()) => backoff.reset(),
                    Err(error) => self.problem(&peer.did, &error),
                }
            } else {
                backoff.reset();
            }
            tokio::time::sleep(backoff.wait()).await;
        }
    }

    fn problem(&self, did: &str, error: &Error) {
        if let Some(live) = self.lock().get_mut(did) {
            let text = format!("{error:#}");
            if live.problem.as_ref() != Some(&text) {
                tracing::info!("peer {did}: {text}");
            }
            live.problem = Some(text);
        }
    }

    /// Handshake, then a session until it ends. `expected`: the peer this end dialled.
    async fn serve(
        &self,
        mut link: Link,
        expected: Option<&Peer>,
        permit: Option<tokio::sync::OwnedSemaphorePermit>,
    ) -> Result<(), Error> {
        let known = |did: &str| self.lock().get(did).map(|live| live.peer.tenants.clone());
        let peers = (link.local_peer.clone(), link.remote_peer.clone());
        let greeting = wire::handshake(
            &mut link.stream,
            (&peers.0, &peers.1),
            &self.shared.own,
            &self.shared.resolver,
            expected.map(|peer| peer.tenants.clone()),
            known,
        );
        let (did, tenants) =
            tokio::time::timeout(HANDSHAKE, greeting).await.context("the handshake took too long")??;
        drop(permit);
        if let Some(peer) = expected
            && peer.did != did
        {
            bail!("at {} answers {did}, not {}", peer.address, peer.did);
        }
        let Some(stop) = self.admit(&did, expected.is_some()) else { return Ok(()) };
        let from = match self.shared.node.store().state(&cursor_key(&did))? {
            Some(bytes) => Position::from_be_bytes(bytes.as_ref().try_into().context("a sync cursor is not 8 bytes")?),
            None => 0,
        };
        tracing::info!("in step with {did}: {} shared tenant(s)", tenants.len());
        let session = session::Session {
            node: self.shared.node.clone(),
            peer: did.clone(),
            tenants: tenants.into_iter().collect(),
            stop: stop.clone(),
            progress: self.shared.progress.clone(),
        };
        let outcome = session.run(link.stream, from).await;
        self.shared.progress.behind(&did);
        let ended_by_us = stop.is_cancelled();
        stop.cancel();
        if let Some(live) = self.lock().get_mut(&did)
            && live.session.as_ref().is_some_and(|(token, _)| token.is_cancelled())
        {
            live.session = None;
        }
        if ended_by_us { Ok(()) } else { outcome }
    }

    /// One session per peer: when both ends dial at once, the one dialled by the smaller DID stays.
    fn admit(&self, did: &str, dialled: bool) -> Option<CancellationToken> {
        let mut live = self.lock();
        let peer = live.get_mut(did)?;
        let preferred = (self.shared.own.did.as_str() < did) == dialled;
        if let Some((old, _)) = &peer.session {
            if !preferred {
                return None;
            }
            old.cancel();
        }
        let token = peer.stop.child_token();
        peer.session = Some((token.clone(), dialled));
        peer.problem = None;
        Some(token)
    }
}

impl Live {
    fn end(&self) {
        self.stop.cancel();
    }
}
