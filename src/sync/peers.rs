//! The peers of this node: who they are, who dials whom, which session is the one.

use super::{
    local::Sharing,
    machine::{Setup, Standing},
    parked,
    partial::Partials,
    peer::{Amount, Config, Friend, Peer, PeerStatus},
    progress::Progress,
    runs::{Copies, Proved, Run, Runs, Verdict},
    session::{self, Ask},
    still::{AGAIN, Still},
    wire::{self, Link, Not, Offered, Own, Younger},
};
use crate::{
    asker::Asker,
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
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Display,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};
use tokio::sync::{OwnedSemaphorePermit, mpsc, watch};
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
/// Questions that wait for a session.
const ASKS_MAX: usize = 16;
/// Two ends that dial each other at once agree on one of the streams; later a new one means that the old one is dead.
const AT_ONCE: Duration = Duration::from_secs(5);

/// What a peer told of copies is shown for so long, unless the next session says otherwise.
const TOLD: Duration = Duration::from_secs(3600);

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

/// Opens a stream to an address.
pub trait Dial: Send + Sync + 'static {
    fn dial(&self, address: String) -> BoxFuture<'static, Result<Link, Error>>;

    /// Resolves when streams can be opened, if they cannot now, because the key of this end is locked; otherwise never.
    fn opened(&self) -> BoxFuture<'static, ()>;

    /// These are the addresses of the paired devices from now on, and these of the friends' nodes.
    fn paired(&self, devices: Vec<String>, friends: Vec<String>);
}

/// Handle to the devices in step. Cheap to clone.
#[derive(Clone)]
pub struct Peers {
    pub(super) shared: Arc<Shared>,
}

impl std::fmt::Debug for Peers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Peers({})", self.shared.own.did)
    }
}

pub(super) struct Shared {
    pub(super) node: Node,
    pub(super) own: Own,
    pub(super) resolver: Resolver,
    pub(super) dial: Box<dyn Dial>,
    pub(super) retry: Duration,
    local_only: Arc<[String]>,
    data: Amount,
    pub(super) jobs: Jobs,
    pub(super) live: Mutex<BTreeMap<String, Live>>,
    /// Incoming handshakes under way, by libp2p peer.
    pub(super) greetings: Mutex<BTreeMap<String, usize>>,
    pub(super) progress: Arc<Progress>,
    pub(super) partials: Partials,
    /// Nothing is sent or taken, and why.
    still: watch::Sender<Option<Still>>,
    run: Mutex<Run>,
    /// When this began.
    begun: Instant,
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

/// A running session.
#[derive(Debug)]
pub(super) struct Running {
    stop: CancellationToken,
    begun: Instant,
    /// The other end may open another one at any moment.
    leaves: bool,
    /// The other end's run.
    run: u64,
    pub(super) ask: mpsc::Sender<Ask>,
}

/// A peer's running state.
#[derive(Debug)]
pub(super) struct Live {
    peer: Peer,
    /// Ends the task that dials it.
    stop: CancellationToken,
    /// How often there was a better line to it than before.
    better: watch::Sender<u64>,
    pub(super) session: Option<Running>,
    problem: Option<String>,
    /// Why its last session ended, if that was not this end's wish: dialling in vain afterwards does not hide it.
    ended: Option<String>,
    runs: Runs,
    /// What it said of copies of this node when its session began, and when that was.
    told: Option<(Copies, Instant)>,
}

/// There while sync is paused.
const PAUSED: &[u8] = b"sync/paused";

fn peer_key(did: &str) -> Vec<u8> {
    format!("sync/peer/{did}").into_bytes()
}

impl Peers {
    /// Takes up the peers the store remembers and serves incoming streams. `dir`: where data lies that has begun to come.
    pub fn start(
        (config, dir): (&Config, &Path),
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
            r.register("sync_sent_bytes", "Bytes of frames sent to peers", progress.sent_bytes.clone());
            r.register("sync_received_bytes", "Bytes of frames received from peers", progress.received_bytes.clone());
        });
        let is_paused = node.store().state(PAUSED)?.is_some();
        let shared = Arc::new(Shared {
            node,
            own,
            resolver,
            dial: Box::new(dial),
            retry: Duration::from_secs(config.retry.max(1)),
            local_only: config.local_only.clone().into(),
            data: config.data,
            jobs: jobs.clone(),
            live: Mutex::default(),
            greetings: Mutex::default(),
            progress,
            partials: Partials::open(dir)?,
            still: watch::Sender::new(is_paused.then_some(Still::Paused)),
            run: Mutex::new(Run::new()?),
            begun: Instant::now(),
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
        self.put(Peer { did, address, tenants, friend: None }).await
    }

    /// Adds (or changes) a friend and begins to sync with them.
    pub async fn add_friend(&self, did: String, address: String, friend: Friend) -> Result<Peer, Error> {
        let tenants = friend.gives.iter().chain(&friend.takes).cloned().collect();
        self.put(Peer { did, address, tenants, friend: Some(friend) }).await
    }

    async fn put(&self, peer: Peer) -> Result<Peer, Error> {
        let did = peer.did.clone();
        if !self.lock().contains_key(&did) && self.lock().len() >= PEERS_MAX {
            bail!("this node has {PEERS_MAX} peers already; remove one first");
        }
        let value = serde_json::to_vec(&peer).context("encoding the peer")?;
        self.shared.node.store().put_state(vec![(peer_key(&did), Some(value))]).await?;
        self.begin(peer.clone());
        Ok(peer)
    }

    /// Forgets a peer; what it has it keeps. `false`: it was none.
    pub async fn remove(&self, did: &str) -> Result<bool, Error> {
        let known = {
            let mut live = self.lock();
            if matches!(&*self.shared.still.borrow(), Some(Still::Younger(Younger { by, .. })) if by == did) {
                self.go_on(); // nobody else can say when the other copy is gone
            }
            live.remove(did).inspect(Live::end).is_some()
        };
        let store = self.shared.node.store();
        let mut gone = vec![(peer_key(did), None)];
        gone.extend(parked::forget(store, did)?);
        store.put_state(gone).await?;
        self.share();
        Ok(known)
    }

    /// Sends and takes nothing from now on, also after the next start, or goes on.
    pub async fn pause(&self, is_paused: bool) -> Result<(), Error> {
        self.shared.node.store().put_state(vec![(PAUSED.to_vec(), is_paused.then(Vec::new))]).await?;
        let live = self.lock(); // so that no session is admitted in between
        match is_paused {
            true => self.be_still(&live, Still::Paused),
            false if self.shared.still.borrow().is_some() => self.go_on(),
            false => {}
        }
        Ok(())
    }

    /// Ends all sessions; none is admitted any more.
    fn be_still(&self, live: &BTreeMap<String, Live>, why: Still) {
        self.shared.still.send_replace(Some(why));
        live.values().filter_map(|live| live.session.as_ref()).for_each(|running| running.stop.cancel());
    }

    /// Shares again.
    fn go_on(&self) {
        self.renew();
        self.shared.still.send_replace(None);
    }

    /// From now on this run shares; another one that has done so for longer is the older one.
    fn renew(&self) {
        let mut run = self.shared.run.lock().unwrap_or_else(PoisonError::into_inner);
        *run = run.anew();
    }

    fn run(&self) -> Run {
        *self.shared.run.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Milliseconds since this began.
    fn now(&self) -> u64 {
        u64::try_from(self.shared.begun.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Follows whether nothing is shared, and why.
    pub fn still(&self) -> watch::Receiver<Option<Still>> {
        self.shared.still.subscribe()
    }

    /// Why nothing is shared with a peer, if that holds for all. Who said that this node is the younger of two copies `is_dialled` now and
    /// then.
    fn barred(&self, did: &str, is_dialled: bool) -> Option<Not> {
        match &*self.shared.still.borrow() {
            None => None,
            Some(Still::Paused) => Some(Not::Now),
            Some(Still::Younger(Younger { by, .. })) => (by != did || !is_dialled).then_some(Not::Itself),
        }
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

    /// There is a better line to this libp2p peer now: the end that opened the stream closes it, in order, and opens it anew at
    /// once. Both ends are told, and the other one lets that stream take the place of the old one.
    pub fn reopen(&self, peer: &str) {
        for live in self.lock().values_mut().filter(|live| live.is(peer)) {
            if let Some(running) = &mut live.session {
                running.leaves = true;
            }
            live.better.send_modify(|better| *better += 1);
        }
    }

    /// This machine is on another network: all lines are dead, and nobody says so. Sessions end, and begin anew as soon as they can.
    pub fn begin_anew(&self) {
        self.lock().values().filter_map(|live| live.session.as_ref()).for_each(|running| running.stop.cancel());
    }

    /// All peers and how they stand.
    pub fn peers(&self) -> Vec<PeerStatus> {
        let (still, now) = (self.shared.still.borrow().clone(), self.now());
        let status = |live: &Live| {
            let noted = self.shared.progress.of(&live.peer.did).filter(|_| live.session.is_some());
            let equal = noted.and_then(|noted| noted.equal_for());
            let of_it = live.runs.named(now, live.served()).map(|copies| copies.of(&live.peer.did));
            let told = live.told.filter(|(_, at)| at.elapsed() < TOLD);
            let of_this = match &still {
                Some(Still::Younger(younger)) if younger.by == live.peer.did => Some(younger.copies.clone()),
                _ => told.map(|(copies, _)| copies.of(&self.shared.own.did)),
            };
            PeerStatus {
                peer: live.peer.clone(),
                connected: live.session.is_some(),
                in_sync: equal.is_some(),
                in_sync_seconds: equal.map(|age| age.as_secs()),
                apart: noted.is_some_and(|noted| noted.standing == Standing::Apart),
                sending: noted.and_then(|noted| noted.sending),
                receiving: noted.and_then(|noted| noted.receiving),
                parked: noted.map_or(0, |noted| noted.parked),
                parked_there: noted.map_or(0, |noted| noted.parked_there),
                problem: still.as_ref().map(Still::to_string).or_else(|| live.problem()),
                copies: of_it.into_iter().chain(of_this).collect(),
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

    pub(super) fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Live>> {
        self.shared.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hosts the peer's tenants and keeps dialling it.
    fn begin(&self, peer: Peer) {
        let stop = self.shared.jobs.tasks().stop().child_token();
        let (better, line) = watch::channel(0);
        let mut new = Live {
            peer: peer.clone(),
            stop: stop.clone(),
            better,
            session: None,
            problem: None,
            ended: None,
            runs: Runs::default(),
            told: None,
        };
        {
            let mut live = self.lock();
            if let Some(old) = live.get_mut(&peer.did) {
                old.end();
                new.runs = std::mem::take(&mut old.runs);
            }
            live.insert(peer.did.clone(), new);
        }
        self.share();
        let this = self.clone();
        let did = peer.did.clone();
        self.shared.jobs.start_one(("sync", &did), "keeps in step with a device", stop, |job| async move {
            tokio::select! {
                () = this.keep_dialling(&peer, line, &job) => {}
                () = job.stop().cancelled() => {}
            }
            Ok(())
        });
    }

    /// Tells the door whose records are kept because of the peers, and the network who they are.
    fn share(&self) {
        let (mut tenants, mut copies) = (BTreeSet::new(), BTreeSet::new());
        let (mut devices, mut friends) = (Vec::new(), Vec::new());
        for Live { peer, .. } in self.lock().values() {
            match &peer.friend {
                None => {
                    tenants.extend(peer.tenants.clone());
                    devices.push(peer.address.clone());
                }
                Some(friend) => {
                    copies.extend(friend.takes.clone());
                    friends.push(peer.address.clone());
                }
            }
        }
        self.shared.node.share(tenants);
        self.shared.node.share_copies(copies);
        self.shared.dial.paired(devices, friends);
    }

    /// Is this libp2p peer one of our devices? Nobody else is told anything, our DID least of all, and nothing is signed
    /// for him: libp2p has proved whose the peer id is.
    fn pairs(&self, peer: &str) -> bool {
        self.lock().values().any(|live| live.is(peer))
    }

    /// Who asks, when this libp2p peer names a DID that it has not proved yet.
    fn asker(&self, peer: &str) -> Asker {
        let live = self.lock();
        let mut those = live.values().filter(|live| live.is(peer));
        match those.next() {
            Some(first) if first.peer.friend.is_none() || those.any(|live| live.peer.friend.is_none()) => Asker::Device,
            Some(friend) => Asker::friend(friend.peer.did.as_str()),
            None => Asker::friend(peer), // it was one just now
        }
    }

    /// `line`: a better one came.
    async fn keep_dialling(&self, peer: &Peer, mut line: watch::Receiver<u64>, job: &Job) {
        let (first, most) = (self.shared.retry, Duration::from_secs(30).max(self.shared.retry));
        let mut backoff = Backoff::new(first, most);
        job.awaits(Wait::Retry(first, most));
        let mut still = self.still();
        loop {
            let why = still.borrow_and_update().clone();
            match why {
                None => {}
                Some(Still::Younger(Younger { by, .. })) if by == peer.did => tokio::select! {
                    _ = job.sleep(AGAIN) => self.renew(),
                    Ok(()) = still.changed() => {
                        backoff.reset();
                        continue;
                    }
                },
                Some(_) => {
                    job.waits(None);
                    // The sender lives as long as this.
                    drop(still.changed().await);
                    backoff.reset();
                    continue;
                }
            }
            job.works();
            let opened = self.shared.dial.opened();
            let leave = job.stop().child_token();
            if self.lock().get(&peer.did).is_some_and(|live| live.session.is_none()) {
                line.mark_unchanged();
                let outcome = match self.shared.dial.dial(peer.address.clone()).await {
                    Ok(link) => {
                        let served = self.serve(link, Some((peer, &leave)), None);
                        tokio::pin!(served);
                        tokio::select! {
                            outcome = &mut served => outcome,
                            Ok(()) = line.changed() => {
                                leave.cancel();
                                served.await
                            }
                        }
                    }
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
            if leave.is_cancelled() {
                backoff.reset();
                continue;
            }
            tokio::select! {
                _ = job.sleep(backoff.wait()) => {}
                () = opened => backoff.reset(),
                Ok(()) = still.changed() => {}
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

    fn ended(&self, did: &str, error: &Error) {
        let text = said(format_args!("{error:#}"));
        tracing::info!("peer {did}: the connection ended: {text}");
        if let Some(live) = self.lock().get_mut(did) {
            (live.ended, live.problem) = (Some(text), None);
        }
    }

    /// Handshake, then a session until it ends; how long it lasted. `expected`: the peer this end dialled, and what ends it.
    async fn serve(
        &self,
        mut link: Link,
        expected: Option<(&Peer, &CancellationToken)>,
        place: Option<(OwnedSemaphorePermit, Greeting)>,
    ) -> Result<Duration, Error> {
        let (own_run, asked) = (self.run(), self.now());
        let known = |did: &str, run: Run| self.offer((did, run), asked, expected.is_some());
        let peers = (link.local_peer.as_str(), link.remote_peer.as_str());
        let own = (&self.shared.own, own_run);
        let resolver = (&self.shared.resolver, self.asker(&link.remote_peer));
        let greeting = wire::handshake(&mut link.stream, peers, own, resolver, known);
        let greeted = tokio::time::timeout(HANDSHAKE, greeting).await.context("the handshake took too long")?;
        drop(place);
        if let Err(error) = &greeted
            && let Some(younger) = error.downcast_ref::<Younger>()
        {
            self.is_younger(own_run, younger);
        }
        let wire::Greeted { did, terms, key, run, copies } = greeted?;
        if let Some((peer, _)) = expected
            && peer.did != did
        {
            bail!("at {} answers {did}, not {}", peer.address, peer.did);
        }
        let (ask, asked) = mpsc::channel(ASKS_MAX);
        let leave = expected.map(|(_, leave)| leave);
        let Some((stop, number)) = self.admit((&did, run.id), leave, copies, ask) else { return Ok(Duration::ZERO) };
        let begun = Instant::now();
        tracing::info!("connected with {did}: {} shared tenant(s)", terms.len());
        let leads = self.shared.own.did < did;
        let session = session::Session {
            node: self.shared.node.clone(),
            setup: Setup {
                peer: did.clone(),
                tenants: terms.keys().cloned().collect(),
                key,
                leads,
                on_demand: self.shared.data == Amount::OnDemand,
            },
            sharing: Sharing {
                own: self.shared.own.did.clone(),
                peer: did.clone(),
                terms,
                local_only: self.shared.local_only.clone(),
                withdrawn: BTreeMap::new(),
            },
            partials: Arc::new(self.shared.partials.session()),
            stop: stop.clone(),
            progress: self.shared.progress.clone(),
            number,
            asked,
        };
        let outcome = session.run(link.stream).await;
        let ended_by_us = stop.is_cancelled();
        stop.cancel();
        if let Some(live) = self.lock().get_mut(&did) {
            live.runs.left(run.id, self.now());
            if live.session.as_ref().is_some_and(|running| running.stop.is_cancelled()) {
                // Not when another session has taken this one's place: its state is not ours to touch.
                live.session = None;
            }
        }
        self.shared.progress.end(&did, number);
        match outcome {
            Err(error) if !ended_by_us => self.ended(&did, &error),
            _ => {}
        }
        Ok(begun.elapsed())
    }

    /// What is shared with a peer whose run has proved itself; it was `asked` to at that time, and `is_dialled` by this end.
    fn offer(&self, (did, run): (&str, Run), asked: u64, is_dialled: bool) -> Result<Offered, Not> {
        let mut live = self.lock();
        let peer = live.get_mut(did).ok_or(Not::APeer)?;
        if let Some(not) = self.barred(did, is_dialled) {
            return Err(not);
        }
        let proved = Proved { asked, heard: self.now() };
        match peer.runs.came(run, proved, peer.served()) {
            Verdict::Alone => Ok((peer.peer.offer(), None)),
            Verdict::Older(copies) => {
                tracing::warn!("{}", copies.of(did));
                Ok((peer.peer.offer(), Some(copies)))
            }
            Verdict::Younger { copies, untold } => {
                if untold && let Some(older) = peer.session.as_ref().filter(|running| running.run == copies.older.id) {
                    tracing::warn!("{}", copies.of(did));
                    older.stop.cancel(); // it comes again, and hears of it
                }
                Err(Not::Younger(copies))
            }
        }
    }

    /// A peer says that this node is the younger of two copies. Of the owner's own devices that is believed; what a friend says holds for the
    /// friend alone.
    fn is_younger(&self, told: Run, younger: &Younger) {
        let live = self.lock();
        let is_device = live.get(&younger.by).is_some_and(|by| by.peer.friend.is_none());
        // Not after the owner has paused or resumed.
        if is_device && told == self.run() && self.shared.still.borrow().is_none() {
            tracing::warn!("{younger}");
            self.be_still(&live, Still::Younger(younger.clone()));
        }
    }

    /// One session per peer: a new stream takes the place of the old one, which may be dead without knowing. When both ends
    /// dial at once, the one dialled by the smaller DID stays. `leave`: this end dialled, and that ends it.
    fn admit(
        &self,
        (did, run): (&str, u64),
        leave: Option<&CancellationToken>,
        copies: Option<Copies>,
        ask: mpsc::Sender<Ask>,
    ) -> Option<(CancellationToken, u64)> {
        let mut live = self.lock();
        if self.barred(did, leave.is_some()).is_some() {
            return None;
        }
        let peer = live.get_mut(did)?;
        let preferred = (self.shared.own.did.as_str() < did) == leave.is_some();
        if let Some(old) = &peer.session {
            if old.run == run && !preferred && !old.leaves && old.begun.elapsed() < AT_ONCE {
                return None;
            }
            old.stop.cancel();
        }
        let token = leave.unwrap_or(&peer.stop).child_token();
        peer.session = Some(Running { stop: token.clone(), begun: Instant::now(), leaves: false, run, ask });
        (peer.problem, peer.ended) = (None, None);
        peer.told = copies.map(|copies| (copies, Instant::now()));
        // Who said that this node is the younger of two copies lets it in again.
        self.shared.still.send_if_modified(|still| still.take().is_some());
        // Under the same lock: of two that come at once, the one that stays is the newest, and its word counts.
        Some((token, self.shared.progress.begin(did)))
    }
}

impl Live {
    fn end(&self) {
        self.stop.cancel();
    }

    /// The run whose session is open.
    fn served(&self) -> Option<u64> {
        self.session.as_ref().map(|running| running.run)
    }

    /// Is it a device of the same person that keeps this tenant?
    pub(super) fn is_device_with(&self, tenant: &str) -> bool {
        self.peer.friend.is_none() && self.peer.tenants.iter().any(|shared| shared == tenant)
    }

    fn is(&self, peer: &str) -> bool {
        self.peer.address.strip_suffix(peer).is_some_and(|before| before.ends_with("/p2p/"))
    }

    fn problem(&self) -> Option<String> {
        match (&self.ended, &self.problem) {
            (None, problem) => problem.clone(),
            (Some(ended), None) => Some(format!("the connection ended: {ended}")),
            (Some(ended), Some(since)) => Some(format!("the connection ended: {ended}; since then: {since}")),
        }
    }
}
