//! The network: libp2p, Kademlia and Bitswap behind one small handle.
//!
//! One task (`swarm`) owns the swarm; [`Net`] sends it commands over a bounded channel. Peer ids and
//! addresses cross this API as text, so that no other module names libp2p. What strangers may have is
//! decided by whoever hands in the [`BlockSource`]: what it does not answer does not exist for them.
//!
//! It deliberately stores nothing: fetched blocks go to the caller, and announced roots are told again at
//! every start.

mod announce;
mod behaviour;
pub mod bitswap;
mod config;
mod door;
mod error;
mod file;
mod kad;
mod known;
mod limits;
mod metrics;
mod muxer;
mod pools;
mod provide;
mod quic;
mod secure;
mod session;
mod setup;
mod streams;
mod swarm;
mod varint;

pub use announce::announce;
pub use config::{Config, Limits, Network};
pub use error::Error;
pub use file::{FileLimits, Node, fetch_file};
pub use metrics::Metrics;
pub use provide::Status as ProvideStatus;
pub use session::Session;
pub use streams::Incoming;

use crate::{cid::Cid, crypto::Secret};
use bytes::Bytes;
use libp2p::{Multiaddr, PeerId};
use prometheus_client::registry::Registry;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use swarm::Command;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

/// Commands on their way to the swarm's task; senders wait when it is full.
const COMMANDS_MAX: usize = 256;

/// The blocks that strangers may have. Everything else must look absent, also to [`BlockSource::size`].
///
/// Called on the blocking pool, a bounded number of times at once.
pub trait BlockSource: Send + Sync {
    fn get(&self, cid: &Cid) -> Option<Bytes>;
    fn size(&self, cid: &Cid) -> Option<usize>;
}

/// A stream to a peer.
pub trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// A connected peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerInfo {
    pub id: String,
    /// The remote address of each connection.
    pub addresses: Vec<String>,
    /// What the peer calls its program, once it has said so; fit to be shown, as are the protocols.
    pub agent: Option<String>,
    pub protocols: Vec<String>,
    /// The last ping's round trip.
    pub round_trip: Option<Duration>,
}

/// The handle to the network; cheap to clone. When the last one is dropped the network stops.
#[derive(Clone)]
pub struct Net(Arc<Inner>);

struct Inner {
    commands: mpsc::Sender<Command>,
    peer: PeerId,
    known: Arc<known::Known>,
    pools: pools::Pools,
    accepted: streams::Accepted,
    sessions: AtomicU64,
    task: Mutex<Option<JoinHandle<()>>>,
}

impl std::fmt::Debug for Net {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Net").field("peer", &self.0.peer).finish_non_exhaustive()
    }
}

impl Net {
    /// Binds the listen addresses and starts the swarm's task. Must be called inside a tokio runtime.
    pub fn start(
        config: &Config,
        ed25519_seed: impl Into<Secret>,
        source: Arc<dyn BlockSource>,
        metrics: Metrics,
    ) -> Result<Net, Error> {
        let (swarm, known, pools) = setup::build(config, ed25519_seed.into(), source, metrics.clone())?;
        let (peer, accepted) = (*swarm.local_peer_id(), swarm.behaviour().streams.accepted());
        let (commands, inbox) = mpsc::channel(COMMANDS_MAX);
        let task = tokio::spawn(swarm::Loop::new(swarm, inbox, config, metrics)?.run());
        let task = Mutex::new(Some(task));
        Ok(Net(Arc::new(Inner { commands, peer, known, pools, accepted, sessions: AtomicU64::new(1), task })))
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

    /// This node's peer id.
    pub fn peer_id(&self) -> String {
        self.0.peer.to_string()
    }

    /// The addresses really bound (with the ports chosen for port 0), each ending in our peer id.
    pub async fn listen_addrs(&self) -> Result<Vec<String>, Error> {
        self.ask(Command::Listeners).await
    }

    /// Connects to a peer and returns its id. The address should end in `/p2p/<id>`: then nobody else can answer.
    pub async fn dial(&self, address: &str) -> Result<String, Error> {
        Ok(self.reach(address).await?.to_string())
    }

    async fn reach(&self, address: &str) -> Result<PeerId, Error> {
        let address = config::multiaddr(address)?;
        self.ask(|reply| Command::Dial(address, reply)).await?
    }

    pub async fn connected(&self) -> Result<Vec<PeerInfo>, Error> {
        self.ask(Command::Connected).await
    }

    /// One block, from whoever has it.
    pub async fn fetch(&self, cid: Cid, timeout: Duration) -> Result<Bytes, Error> {
        self.session().fetch(cid, timeout).await
    }

    /// For many blocks of one DAG: who gave one is asked first for the next.
    pub fn session(&self) -> Session {
        Session::new(self.clone(), self.0.sessions.fetch_add(1, Ordering::Relaxed))
    }

    /// These blocks may be given to strangers from now on: peers that asked before get them.
    pub async fn arrived(&self, cids: Vec<Cid>) -> Result<(), Error> {
        self.tell(Command::Arrived(cids)).await
    }

    /// The peers that announced `cid`, as far as both tables know.
    pub async fn find_providers(&self, cid: Cid) -> Result<Vec<String>, Error> {
        self.ask(|reply| Command::FindProviders(cid, reply)).await
    }

    /// Announces `root` until told otherwise.
    pub async fn provide(&self, root: Cid) -> Result<(), Error> {
        self.ask(|reply| Command::Provide(root, reply)).await?
    }

    pub async fn stop_providing(&self, root: Cid) -> Result<(), Error> {
        self.tell(Command::StopProviding(root)).await
    }

    /// How far announcing is.
    pub async fn providing(&self) -> Result<ProvideStatus, Error> {
        self.ask(Command::Providing).await
    }

    /// Opens a stream to a peer, given its id or an address of it.
    pub async fn open_stream(&self, peer: &str, protocol: &str) -> Result<Box<dyn Duplex>, Error> {
        let id = if peer.starts_with('/') {
            self.reach(peer).await?
        } else {
            peer.parse().map_err(|_| Error::PeerId(peer.to_owned()))?
        };
        let protocol = streams::name(protocol)?;
        self.ask(|reply| Command::Open(id, streams::Open { protocol, reply })).await?
    }

    /// The streams paired devices open for `protocol`, until the receiver is dropped.
    pub fn accept(&self, protocol: &str) -> Result<mpsc::Receiver<Incoming>, Error> {
        self.0.accepted.accept(protocol)
    }

    /// Resolves when the swarm's task has ended, asked or not.
    pub async fn ended(&self) {
        self.0.commands.closed().await;
    }

    /// Closes all connections and waits for the task to end.
    pub async fn shutdown(&self) {
        // An error means it has already stopped.
        let _ = self.tell(Command::Shutdown).await;
        let task = self.0.task.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(task) = task
            && let Err(error) = task.await
        {
            tracing::error!(%error, "the network's task did not end well");
        }
    }

    async fn tell(&self, command: Command) -> Result<(), Error> {
        self.0.commands.send(command).await.map_err(|_| Error::Stopped)
    }

    async fn ask<T>(&self, command: impl FnOnce(oneshot::Sender<T>) -> Command) -> Result<T, Error> {
        let (reply, answer) = oneshot::channel();
        self.tell(command(reply)).await?;
        answer.await.map_err(|_| Error::Stopped)
    }
}

/// Splits `/…/p2p/<id>` into what to dial and who must answer.
fn peer_of(address: &Multiaddr) -> Option<PeerId> {
    address.iter().find_map(|part| match part {
        libp2p::multiaddr::Protocol::P2p(id) => Some(id),
        _ => None,
    })
}
