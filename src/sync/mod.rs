//! Devices of a person in step: each follows its own log and pushes what is new to its peers, who put it
//! through their own door.
//!
//! A peer is a DID and an address, added by hand on both sides (`toft peer add`); the stream's ends prove
//! their DIDs before anything is said. Shared are the tenants that both sides name: by default each other's
//! own DIDs. Per peer one cursor in the log is kept; a crash repeats an offer, the other side declines what
//! it has. Who opens streams is not known here: `daemon` hands in a [`Dial`] and incoming [`Link`]s.

mod flow;
mod order;
mod wire;
mod progress;
mod session;
#[cfg(any(test, fuzzing))]
pub(crate) use wire::fuzzing;

pub use flow::Way;
pub use wire::{Link, Own, PROTOCOL};

use crate::{
    did::Did,
    foreign::{said, shown},
    job::{Job, Jobs, Wait},
    metrics::Metrics,
    node::{Node, Removed},
    resolve::Resolver,
    task::Backoff,
};
use anyhow::{Context as _, Error, bail};
use futures::future::BoxFuture;
use progress::{Progress, SentUpTo, cursor_key};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Display,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio_util::sync::CancellationToken;

/// A session that lasted this long was a good one: the next is tried soon.
const LASTING: Duration = Duration::from_secs(10);
/// Handshakes of one libp2p peer at the same time: the others' places are not taken.
const HANDSHAKES_PER_PEER: usize = 2;
/// A handshake is a few short frames; a silent stranger is not waited for longer.
const HANDSHAKE: Duration = Duration::from_secs(15);
/// Incoming streams in their handshake at the same time: strangers cannot hold more.
const HANDSHAKES_MAX: usize = 32;
/// Peers of one node: each holds one stream and one task.
const PEERS_MAX: usize = 256;

/// Why a tenant is not removed.
#[derive(Debug, thiserror::Error)]
pub enum TenantStays {
    #[error("this is the node's own DID: to begin anew, stop the node and make a new home")]
    Own,
    /// The peer's next round would bring it all again.
    #[error("{tenant} is shared with the peer {peer}, which would bring it back: toft peer rm first")]
    Shared { tenant: String, peer: String },
    #[error("{0} is no tenant of this node: see toft tenant ls")]
    NotHere(String),
    #[error("{0:#}")]
    Fault(#[from] Error),
}

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
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Peer {
    pub did: String,
    /// Multiaddr with the peer id at its end.
    pub address: String,
    /// DIDs whose records both keep.
    pub tenants: Vec<String>,
}

/// A peer and how it stands.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
pub struct PeerStatus {
    #[serde(flatten)]
    pub peer: Peer,
    pub connected: bool,
    /// Each has been offered all that the other has of what they share, and has taken it, or refused.
    pub in_sync: bool,
    /// How far what this node has is on its way there, and what the other has here. `None`: nothing is under way.
    pub sending: Option<Way>,
    pub receiving: Option<Way>,
    /// The other device does not say what is ahead (an older toft): whether all has come is not known.
    pub untold: bool,
    /// Why it is not connected, as far as known.
    pub problem: Option<String>,
    /// Messages it refused since this node started, and the last of them.
    pub refused: u64,
    pub last_refused: Option<String>,
}

/// Opens a stream to an address.
pub trait Dial: Send + Sync + 'static {
    fn dial(&self, address: String) -> BoxFuture<'static, Result<Link, Error>>;

    /// Resolves when streams can be opened, if they cannot now, because the key of this end is locked; otherwise never.
    fn opened(&self) -> BoxFuture<'static, ()>;

    /// These are the addresses of the paired devices from now on.
    fn paired(&self, addresses: Vec<String>);
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
    jobs: Jobs,
    live: Mutex<BTreeMap<String, Live>>,
    /// Incoming handshakes under way, by libp2p peer.
    greetings: Mutex<BTreeMap<String, usize>>,
    progress: Arc<Progress>,
}

/// A handshake under way; dropped, its place is free.
struct Greeting {
    shared: Arc<Shared>,
    peer: String,
}

impl Drop for Greeting {
    fn drop(&mut self) {
        let mut greetings = self.shared.greetings.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(running) = greetings.get_mut(&self.peer) {
            *running -= 1;
            if *running == 0 {
                greetings.remove(&self.peer);
            }
        }
    }
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

fn peer_key(did: &str) -> Vec<u8> {
    format!("sync/peer/{did}").into_bytes()
}

impl Peers {
    /// Takes up the peers the store remembers and serves incoming streams.
    pub fn start(
        config: &Config,
        node: Node,
        (own, resolver): (Own, Resolver),
        (dial, mut incoming): (impl Dial, mpsc::Receiver<Link>),
        jobs: &Jobs,
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
            jobs: jobs.clone(),
            live: Mutex::default(),
            greetings: Mutex::default(),
            progress,
        });
        let this = Self { shared };
        for (key, value) in this.shared.node.store().states(b"sync/peer/")? {
            let peer = serde_json::from_slice(&value)
                .with_context(|| format!("the stored peer {} is not readable", String::from_utf8_lossy(&key)))?;
            this.begin(peer);
        }
        let acceptor = this.clone();
        let stop = jobs.tasks().stop();
        jobs.tasks().spawn("sync-accept", async move {
            let handshakes = Arc::new(tokio::sync::Semaphore::new(HANDSHAKES_MAX));
            loop {
                let link = tokio::select! {
                    link = incoming.recv() => link,
                    () = stop.cancelled() => None,
                };
                let Some(link) = link else { return Ok(()) };
                if !acceptor.pairs(&link.remote_peer) {
                    continue;
                }
                let Ok(permit) = handshakes.clone().try_acquire_owned() else { continue };
                let Some(place) = acceptor.greet(&link.remote_peer) else { continue };
                let this = acceptor.clone();
                acceptor.shared.jobs.tasks().spawn("sync-session", async move {
                    if let Err(error) = this.serve(link, None, Some((permit, place))).await {
                        tracing::info!("a sync stream ended: {error:#}");
                    }
                    Ok(())
                });
            }
        });
        Ok(this)
    }

    /// What is wrong with a peer as it was given, in a sentence.
    pub fn check(&self, did: &str, address: &str, tenants: &[String]) -> Result<(), String> {
        for text in std::iter::once(did).chain(tenants.iter().map(String::as_str)) {
            if text.parse::<Did>().is_err() {
                let text = shown(text);
                return Err(format!("{text} is not a DID (toft peer add <did> <multiaddr>)"));
            }
        }
        if did == self.shared.own.did {
            return Err(format!("{did} is this node itself"));
        }
        // The peer id is what the device is known by when it comes to us: it must be there, and be its own.
        let peer = address.rsplit_once("/p2p/").map(|(_, peer)| peer);
        if !address.starts_with('/') || peer.is_none_or(|peer| peer.is_empty() || peer.contains('/')) {
            let hint = "a multiaddr ending in /p2p/<peer id>, as toft status shows it on the other device";
            return Err(format!("{} is not {hint}", shown(address)));
        }
        Ok(())
    }

    /// Adds (or changes) a peer and begins to sync with it.
    pub async fn add(&self, did: String, address: String, tenants: Vec<String>) -> Result<Peer, Error> {
        let own = self.shared.own.did.clone();
        let tenants = if tenants.is_empty() { vec![own, did.clone()] } else { tenants };
        if !self.lock().contains_key(&did) && self.lock().len() >= PEERS_MAX {
            bail!("this node has {PEERS_MAX} peers already; remove one first");
        }
        let peer = Peer { did: did.clone(), address, tenants };
        // Asked for by hand, so the log is gone through again from the start.
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
        self.share();
        Ok(known)
    }

    /// Removes a tenant with its registration, its records and their data, unless a peer would bring it back.
    pub async fn remove_tenant(&self, did: &str) -> Result<Removed, TenantStays> {
        if did == self.shared.own.did {
            return Err(TenantStays::Own);
        }
        let sharer = |live: &&Live| live.peer.tenants.iter().any(|tenant| tenant == did);
        if let Some(peer) = self.lock().values().find(sharer).map(|live| live.peer.did.clone()) {
            return Err(TenantStays::Shared { tenant: did.to_owned(), peer });
        }
        let removed = self.shared.node.remove_tenant(did).await?;
        match removed.messages == 0 && !removed.registration {
            true => Err(TenantStays::NotHere(did.to_owned())),
            false => Ok(removed),
        }
    }

    /// All peers and how they stand.
    pub fn peers(&self) -> Vec<PeerStatus> {
        let status = |live: &Live| {
            let (ways, refused) = self.shared.progress.of(&live.peer.did);
            let ways = ways.filter(|_| live.session.is_some());
            PeerStatus {
                peer: live.peer.clone(),
                connected: live.session.is_some(),
                in_sync: ways.is_some_and(|ways| ways.sending.is_complete() && ways.receiving.is_complete()),
                sending: ways.and_then(|ways| ways.sending.way()),
                receiving: ways.filter(|ways| ways.is_told).and_then(|ways| ways.receiving.way()),
                untold: ways.is_some_and(|ways| !ways.is_told),
                problem: live.problem.clone(),
                refused: refused.as_ref().map_or(0, |(n, _)| *n),
                last_refused: refused.map(|(_, what)| what),
            }
        };
        self.lock().values().map(status).collect()
    }

    /// A place for a handshake with this libp2p peer, unless it has its share already.
    fn greet(&self, peer: &str) -> Option<Greeting> {
        let mut greetings = self.shared.greetings.lock().unwrap_or_else(PoisonError::into_inner);
        let running = greetings.entry(peer.to_owned()).or_default();
        (*running < HANDSHAKES_PER_PEER).then(|| {
            *running += 1;
            Greeting { shared: self.shared.clone(), peer: peer.to_owned() }
        })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Live>> {
        self.shared.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hosts the peer's tenants and keeps dialling it.
    fn begin(&self, peer: Peer) {
        let stop = self.shared.jobs.tasks().stop().child_token();
        let live = Live { peer: peer.clone(), stop: stop.clone(), session: None, problem: None };
        if let Some(old) = self.lock().insert(peer.did.clone(), live) {
            old.end();
        }
        self.share();
        let this = self.clone();
        let did = peer.did.clone();
        self.shared.jobs.start_one(("sync", &did), "keeps in step with a device", stop, |job| async move {
            tokio::select! {
                () = this.keep_dialling(&peer, &job) => {}
                () = job.stop().cancelled() => {}
            }
            Ok(())
        });
    }

    /// Tells the door whose records are kept because of the peers, and the network who they are.
    fn share(&self) {
        let (tenants, addresses) = {
            let live = self.lock();
            let tenants = live.values().flat_map(|live| live.peer.tenants.clone()).collect();
            (tenants, live.values().map(|live| live.peer.address.clone()).collect())
        };
        self.shared.node.share(tenants);
        self.shared.dial.paired(addresses);
    }

    /// Is this libp2p peer one of our devices? Nobody else is told anything, our DID least of all, and nothing is signed
    /// for him: libp2p has proved whose the peer id is.
    fn pairs(&self, peer: &str) -> bool {
        let end = format!("/p2p/{peer}");
        self.lock().values().any(|live| live.peer.address.ends_with(&end))
    }

    async fn keep_dialling(&self, peer: &Peer, job: &Job) {
        let (first, most) = (self.shared.retry, Duration::from_secs(300).max(self.shared.retry));
        let mut backoff = Backoff::new(first, most);
        job.awaits(Wait::Retry(first, most));
        loop {
            job.works();
            let opened = self.shared.dial.opened();
            if self.lock().get(&peer.did).is_some_and(|live| live.session.is_none()) {
                let outcome = match self.shared.dial.dial(peer.address.clone()).await {
                    Ok(link) => self.serve(link, Some(peer), None).await,
                    Err(error) => Err(error),
                };
                job.ended(
                    outcome.as_ref().err().map(|error| format!("{error:#}")).as_ref().map(|text| text as &dyn Display),
                );
                match outcome {
                    Ok(lasted) if lasted >= LASTING => backoff.reset(),
                    Ok(_) => {}
                    Err(error) => self.problem(&peer.did, &error),
                }
            } else {
                // The other one has dialled.
                job.ended(None);
                backoff.reset();
            }
            tokio::select! {
                _ = job.sleep(backoff.wait()) => {}
                () = opened => backoff.reset(),
            }
        }
    }

    fn problem(&self, did: &str, error: &Error) {
        if let Some(live) = self.lock().get_mut(did) {
            let text = said(format_args!("{error:#}"));
            if live.problem.as_ref() != Some(&text) {
                tracing::info!("peer {did}: {text}");
            }
            live.problem = Some(text);
        }
    }

    /// Handshake, then a session until it ends; how long it lasted. `expected`: the peer this end dialled.
    async fn serve(
        &self,
        mut link: Link,
        expected: Option<&Peer>,
        place: Option<(OwnedSemaphorePermit, Greeting)>,
    ) -> Result<Duration, Error> {
        let known = |did: &str| self.lock().get(did).map(|live| live.peer.tenants.clone());
        let peers = (link.local_peer.as_str(), link.remote_peer.as_str());
        let greeting = wire::handshake(&mut link.stream, peers, &self.shared.own, &self.shared.resolver, known);
        let greeted = tokio::time::timeout(HANDSHAKE, greeting).await.context("the handshake took too long")?;
        drop(place);
        let wire::Greeted { did, tenants, tells_ahead } = greeted?;
        if let Some(peer) = expected
            && peer.did != did
        {
            bail!("at {} answers {did}, not {}", peer.address, peer.did);
        }
        let Some(stop) = self.admit(&did, expected.is_some()) else { return Ok(Duration::ZERO) };
        let begun = Instant::now();
        self.shared.progress.begin(&did, tells_ahead);
        let outcome = self.hold(link.stream, &did, (tenants, tells_ahead), stop.clone()).await;
        let ended_by_us = stop.is_cancelled();
        stop.cancel();
        if let Some(live) = self.lock().get_mut(&did)
            && live.session.as_ref().is_some_and(|(token, _)| token.is_cancelled())
        {
            // Not when another session has taken this one's place: its state is not ours to touch.
            live.session = None;
            self.shared.progress.end(&did);
        }
        match outcome {
            Err(error) if !ended_by_us => self.problem(&did, &error.context("the connection ended")),
            _ => {}
        }
        Ok(begun.elapsed())
    }

    async fn hold(
        &self,
        stream: Box<dyn wire::Stream>,
        did: &str,
        (tenants, tells_ahead): (BTreeSet<String>, bool),
        stop: CancellationToken,
    ) -> Result<(), Error> {
        let from = match self.shared.node.store().state(&cursor_key(did))? {
            Some(bytes) => serde_json::from_slice(&bytes).ok().filter(|cursor: &SentUpTo| cursor.tenants == tenants),
            None => None,
        };
        tracing::info!("connected with {did}: {} shared tenant(s)", tenants.len());
        let session = session::Session {
            node: self.shared.node.clone(),
            peer: did.to_owned(),
            tenants,
            tells_ahead,
            stop,
            progress: self.shared.progress.clone(),
        };
        session.run(stream, from.map_or(0, |cursor| cursor.position)).await
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
