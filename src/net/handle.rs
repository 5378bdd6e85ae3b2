//! The handle that the rest of the node holds.

use super::book::Address;
use super::command::{Command, Commands, Event, PeerInfo};
use super::config::Config;
use super::error::Error;
use super::known::Known;
use super::metrics::Metrics;
use super::pools::Pools;
use super::provide::Status;
use super::session::Session;
use super::setup;
use super::source::BlockSource;
use super::streams::{self, Accepted, Duplex, Incoming, Opened};
use super::swarm::Loop;
use crate::cid::Cid;
use crate::crypto::Secret;
use bytes::Bytes;
use libp2p::{Multiaddr, PeerId};
use prometheus_client::registry::Registry;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;
use tokio::sync::broadcast;
use tokio::sync::mpsc::Receiver;
use tokio::task::JoinHandle;

/// What a subscriber of events may have waiting.
const EVENTS_MAX: usize = 256;

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
    events: broadcast::Sender<Event>,
    sessions: AtomicU64,
    task: Mutex<Option<JoinHandle<()>>>,
}

impl std::fmt::Debug for Net {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Net").field("peer", &self.0.peer.get()).finish_non_exhaustive()
    }
}

/// See [`Net::discover`].
#[derive(Debug)]
pub struct Discovering(Net);

impl Drop for Discovering {
    fn drop(&mut self) {
        self.0.0.known.pairing(false);
        let net = self.0.clone();
        // The swarm looks itself whether anybody is left. Without a runtime there is no swarm any more.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move { drop(net.0.commands.tell(Command::Discover).await) });
        }
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
            events: broadcast::Sender::new(EVENTS_MAX),
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
        let Inner { commands, inbox, known, pools, accepted, events, .. } = &*self.0;
        let inbox = inbox.lock().unwrap_or_else(PoisonError::into_inner).take();
        let inbox = inbox.ok_or_else(|| Error::Setup("it has begun already".to_owned()))?;
        let shared = (known, pools, accepted);
        let (swarm, told) = setup::build(config, ed25519_seed.into(), shared, source, metrics.clone())?;
        let _ = self.0.peer.set(*swarm.local_peer_id()); // the inbox was there, so this is the first time
        let task =
            tokio::spawn(Loop::new((swarm, known.clone(), told), (inbox, events.clone()), config, metrics)?.run());
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
        self.know(addresses, &[]);
    }

    /// The same, and these are the friends' nodes: their connections have places, and what [`Net::accept_from_friends`]
    /// accepts is offered to them. All else they share with strangers.
    pub fn know(&self, devices: &[String], friends: &[String]) {
        self.0.known.set(devices.iter().map(String::as_str), friends.iter().map(String::as_str));
    }

    /// Is this peer one of the paired devices, or a friend's node?
    pub fn is_near(&self, peer: &str) -> bool {
        peer.parse().is_ok_and(|peer| self.0.known.is_near(&peer))
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
        Ok(self.connect(vec![setup::multiaddr(address)?]).await?.to_string())
    }

    /// Connects to a peer at any of these addresses and returns its id. Of several, all must end in the same
    /// `/p2p/<id>`. They are dialled side by side, and those of a device with all others that are known of it; relays get
    /// their turn a little later. It is enough if there is a connection already, be it through a relay.
    pub async fn reach(&self, addresses: &[String]) -> Result<String, Error> {
        let addresses = addresses.iter().map(|a| setup::multiaddr(a)).collect::<Result<Vec<_>, _>>()?;
        Ok(self.connect(addresses).await?.to_string())
    }

    async fn connect(&self, addresses: Vec<Multiaddr>) -> Result<PeerId, Error> {
        self.0.commands.ask(|reply| Command::Dial(addresses, reply)).await?
    }

    /// Where a device, or a friend's node, may be reached, the best first.
    pub async fn addresses(&self, peer: &str) -> Result<Vec<Address>, Error> {
        let id = peer_id(peer)?;
        self.0.commands.ask(|reply| Command::Addresses(id, reply)).await
    }

    /// While what this returns is held, devices are being paired: one that is not known yet may come through a relay, and this node looks
    /// for devices on the local network and tells everybody there that it is there, as [`Event::Near`] tells.
    pub async fn discover(&self) -> Result<Discovering, Error> {
        self.0.known.pairing(true);
        // Before the first wait: whoever asks may go away in it.
        let discovering = Discovering(self.clone());
        self.0.commands.tell(Command::Discover).await?;
        Ok(discovering)
    }

    /// What happens to devices from now on. Who is too slow misses the oldest, and is told so.
    pub fn events(&self) -> broadcast::Receiver<Event> {
        self.0.events.subscribe()
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
        Ok(self.open(peer, protocol).await?.stream)
    }

    /// The same, and how the stream goes: on a direct connection if there is one.
    pub async fn open(&self, peer: &str, protocol: &str) -> Result<Opened, Error> {
        let id = match peer.starts_with('/') {
            true => self.connect(vec![setup::multiaddr(peer)?]).await?,
            false => peer_id(peer)?,
        };
        let protocol = streams::name(protocol)?;
        self.0.commands.ask(|reply| Command::Open(id, streams::Open { protocol, reply })).await?
    }

    /// The streams paired devices open for `protocol`, until the receiver is dropped.
    pub fn accept(&self, protocol: &str) -> Result<Receiver<Incoming>, Error> {
        self.0.accepted.accept(protocol, streams::From::Devices)
    }

    /// The streams paired devices and friends' nodes open for `protocol`, until the receiver is dropped.
    pub fn accept_from_friends(&self, protocol: &str) -> Result<Receiver<Incoming>, Error> {
        self.0.accepted.accept(protocol, streams::From::Friends)
    }

    /// The streams that anybody opens for `protocol`, until the receiver is dropped.
    pub fn accept_from_anybody(&self, protocol: &str) -> Result<Receiver<Incoming>, Error> {
        self.0.accepted.accept(protocol, streams::From::Anybody)
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

fn peer_id(text: &str) -> Result<PeerId, Error> {
    text.parse().map_err(|_| Error::PeerId(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_node_that_cannot_look_for_a_device_lets_none_come() {
        let net = Net::locked(&Config::default());
        net.discover().await.expect_err("it has not begun");
        assert!(!net.0.known.may_meet(&PeerId::random()));
    }
}
