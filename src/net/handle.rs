//! The handle that the rest of the node holds.

use super::command::{Command, Commands, PeerInfo};
use super::config::Config;
use super::error::Error;
use super::known::Known;
use super::metrics::Metrics;
use super::pools::Pools;
use super::provide::Status;
use super::session::Session;
use super::setup;
use super::source::BlockSource;
use super::streams::{self, Accepted, Duplex, Incoming};
use super::swarm::Loop;
use crate::cid::Cid;
use crate::crypto::Secret;
use bytes::Bytes;
use libp2p::PeerId;
use prometheus_client::registry::Registry;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc::Receiver;
use tokio::task::JoinHandle;

/// The handle to the network; cheap to clone. When the last one is dropped the network stops.
#[derive(Clone)]
pub struct Net(Arc<Inner>);

struct Inner {
    commands: Commands,
    /// Until it has begun.
    inbox: Mutex<Option<Receiver<Command>>>,
    peer: OnceLock<PeerId>,
    known: Arc<Known>,
    pools: Pools,
    accepted: Accepted,
    sessions: AtomicU64,
    task: Mutex<Option<JoinHandle<()>>>,
}

impl std::fmt::Debug for Net {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Net").field("peer", &self.0.peer.get()).finish_non_exhaustive()
    }
}

impl Net {
    /// As [`Net::locked`], and begins.
    pub fn start(
        config: &Config,
        ed25519_seed: impl Into<Secret>,
        source: Arc<dyn BlockSource>,
        metrics: Metrics,
    ) -> Result<Net, Error> {
        let net = Self::locked(config);
        net.begin(config, ed25519_seed, source, metrics)?;
        Ok(net)
    }

    /// A network that has not begun, because its key is locked: what it is asked for is refused and says so.
    pub fn locked(config: &Config) -> Net {
        let (commands, inbox) = Commands::channel();
        Net(Arc::new(Inner {
            commands,
            inbox: Mutex::new(Some(inbox)),
            peer: OnceLock::new(),
            known: Arc::default(),
            pools: Pools::new(&config.limits),
            accepted: Accepted::default(),
            sessions: AtomicU64::new(1),
            task: Mutex::default(),
        }))
    }

    /// Binds the listen addresses and starts the swarm's task, once. Must be called inside a tokio runtime.
    pub fn begin(
        &self,
        config: &Config,
        ed25519_seed: impl Into<Secret>,
        source: Arc<dyn BlockSource>,
        metrics: Metrics,
    ) -> Result<(), Error> {
        let Inner { commands, inbox, known, pools, accepted, .. } = &*self.0;
        let inbox = inbox.lock().unwrap_or_else(PoisonError::into_inner).take();
        let inbox = inbox.ok_or_else(|| Error::Setup("it has begun already".to_owned()))?;
        let swarm = setup::build(config, ed25519_seed.into(), (known, pools, accepted), source, metrics.clone())?;
        let _ = self.0.peer.set(*swarm.local_peer_id()); // the inbox was there, so this is the first time
        let task = tokio::spawn(Loop::new(swarm, inbox, config, metrics)?.run());
        *self.0.task.lock().unwrap_or_else(PoisonError::into_inner) = Some(task);
        commands.begin();
        Ok(())
    }

    /// Resolves when it has begun.
    pub async fn begun(&self) {
        self.0.commands.begun().await;
    }

    /// Registers what is used of all that peers share.
    pub fn register(&self, registry: &mut Registry) {
        self.0.pools.register(registry);
    }

    /// These are the paired devices, by their addresses, each ending in a peer id: they have places of their own in all
    /// that strangers share, and what [`Net::accept`] accepts is offered to them alone.
    pub fn pair(&self, addresses: &[String]) {
        self.0.known.set(addresses.iter().map(String::as_str));
    }

    /// This node's peer id, once it has begun.
    pub fn peer_id(&self) -> Option<String> {
        self.0.peer.get().map(PeerId::to_string)
    }

    /// The addresses really bound (with the ports chosen for port 0), each ending in our peer id.
    pub async fn listen_addrs(&self) -> Result<Vec<String>, Error> {
        self.0.commands.ask(Command::Listeners).await
    }

    /// Connects to a peer and returns its id. The address should end in `/p2p/<id>`: then nobody else can answer.
    pub async fn dial(&self, address: &str) -> Result<String, Error> {
        Ok(self.reach(address).await?.to_string())
    }

    async fn reach(&self, address: &str) -> Result<PeerId, Error> {
        let address = setup::multiaddr(address)?;
        self.0.commands.ask(|reply| Command::Dial(address, reply)).await?
    }

    pub async fn connected(&self) -> Result<Vec<PeerInfo>, Error> {
        self.0.commands.ask(Command::Connected).await
    }

    /// One block, from whoever has it.
    pub async fn fetch(&self, cid: Cid, timeout: Duration) -> Result<Bytes, Error> {
        self.session().fetch(cid, timeout).await
    }

    /// For many blocks of one DAG: who gave one is asked first for the next.
    pub fn session(&self) -> Session {
        Session::new(self.0.commands.clone(), self.0.sessions.fetch_add(1, Ordering::Relaxed))
    }

    /// These blocks may be given to strangers from now on: peers that asked before get them.
    pub async fn arrived(&self, cids: Vec<Cid>) -> Result<(), Error> {
        self.0.commands.tell(Command::Arrived(cids)).await
    }

    /// The peers that announced `cid`, as far as both tables know.
    pub async fn find_providers(&self, cid: Cid) -> Result<Vec<String>, Error> {
        self.0.commands.ask(|reply| Command::FindProviders(cid, reply)).await
    }

    /// Announces `root` until told otherwise.
    pub async fn provide(&self, root: Cid) -> Result<(), Error> {
        self.0.commands.ask(|reply| Command::Provide(root, reply)).await?
    }

    pub async fn stop_providing(&self, root: Cid) -> Result<(), Error> {
        self.0.commands.tell(Command::StopProviding(root)).await
    }

    /// How far announcing is.
    pub async fn providing(&self) -> Result<Status, Error> {
        self.0.commands.ask(Command::Providing).await
    }

    /// Opens a stream to a peer, given its id or an address of it.
    pub async fn open_stream(&self, peer: &str, protocol: &str) -> Result<Box<dyn Duplex>, Error> {
        let id = if peer.starts_with('/') {
            self.reach(peer).await?
        } else {
            peer.parse().map_err(|_| Error::PeerId(peer.to_owned()))?
        };
        let protocol = streams::name(protocol)?;
        self.0.commands.ask(|reply| Command::Open(id, streams::Open { protocol, reply })).await?
    }

    /// The streams paired devices open for `protocol`, until the receiver is dropped.
    pub fn accept(&self, protocol: &str) -> Result<Receiver<Incoming>, Error> {
        self.0.accepted.accept(protocol)
    }

    /// Resolves when the swarm's task has ended, asked or not.
    pub async fn ended(&self) {
        self.0.commands.closed().await;
    }

    /// Closes all connections and waits for the task to end.
    pub async fn shutdown(&self) {
        // An error means it has already stopped.
        let _ = self.0.commands.tell(Command::Shutdown).await;
        let task = self.0.task.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(task) = task
            && let Err(error) = task.await
        {
            tracing::error!(%error, "the network's task did not end well");
        }
    }
}
