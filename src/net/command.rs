//! What the swarm's task is asked to do.

use super::bitswap::behaviour::Answer;
use super::bitswap::client::{Asked, SessionId};
use super::book::Address;
use super::error::Error;
use super::provide::Status;
use super::streams;
use crate::cid::Cid;
use crate::crypto::Locked;
use libp2p::{Multiaddr, PeerId};
use std::time::Duration;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot, watch};

/// Commands on their way to the swarm's task; senders wait when it is full.
const COMMANDS_MAX: usize = 256;

pub enum Command {
    Listeners(oneshot::Sender<Vec<String>>),
    Dial(Vec<Multiaddr>, oneshot::Sender<Result<PeerId, Error>>),
    Addresses(PeerId, oneshot::Sender<Vec<Address>>),
    Discover,
    Open(PeerId, streams::Open),
    Connected(oneshot::Sender<Vec<PeerInfo>>),
    Want { session: SessionId, cid: Cid, reply: oneshot::Sender<Answer> },
    Asked(Cid, oneshot::Sender<Asked>),
    Close(SessionId),
    Arrived(Vec<Cid>),
    FindProviders(Cid, oneshot::Sender<Vec<String>>),
    Provide(Cid, oneshot::Sender<Result<(), Error>>),
    StopProviding(Cid),
    Providing(oneshot::Sender<Status>),
    Shutdown,
}

/// What happens to devices, for who keeps streams to them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// There is a direct connection to a peer to which there was none but through a relay: streams opened now go there,
    /// those that were opened before stay on the relay.
    Direct { peer: String },
    /// This machine has lost an address: connections that went from there are dead.
    Moved,
    /// A device, or a friend's node, was reached at this address, a multiaddr with the peer id at its end.
    Seen { peer: String, address: String },
    /// While that is asked for: somebody on the local network says to be this peer, at an address he speaks from.
    Near { peer: String, address: String },
}

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

/// Where commands are sent. The swarm's task ends when the last clone is dropped.
#[derive(Debug, Clone)]
pub struct Commands {
    sender: mpsc::Sender<Command>,
    /// Does somebody receive them?
    begun: watch::Sender<bool>,
}

impl Commands {
    /// The sender, and what the swarm's task receives from.
    pub fn channel() -> (Self, mpsc::Receiver<Command>) {
        let (sender, inbox) = mpsc::channel(COMMANDS_MAX);
        (Self { sender, begun: watch::Sender::new(false) }, inbox)
    }

    /// From now on they are received; before, each is refused at once.
    pub fn begin(&self) {
        self.begun.send_replace(true);
    }

    /// Resolves when they are received.
    pub async fn begun(&self) {
        let mut begun = self.begun.subscribe();
        let _ = begun.wait_for(|begun| *begun).await; // the sender is held here
    }

    fn sender(&self) -> Result<&mpsc::Sender<Command>, Error> {
        if *self.begun.borrow() { Ok(&self.sender) } else { Err(Locked.into()) }
    }

    pub async fn tell(&self, command: Command) -> Result<(), Error> {
        self.sender()?.send(command).await.map_err(|_| Error::Stopped)
    }

    /// Tells, if that is possible without waiting; otherwise gives the command back. None: told, or nobody is there to be told.
    pub fn try_tell(&self, command: Command) -> Option<Command> {
        match self.sender().ok()?.try_send(command) {
            Err(TrySendError::Full(command)) => Some(command),
            _ => None,
        }
    }

    pub async fn ask<T>(&self, command: impl FnOnce(oneshot::Sender<T>) -> Command) -> Result<T, Error> {
        let (reply, answer) = oneshot::channel();
        self.tell(command(reply)).await?;
        answer.await.map_err(|_| Error::Stopped)
    }

    /// Has the task ended?
    pub fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }

    /// Resolves when the task has ended.
    pub async fn closed(&self) {
        self.sender.closed().await;
    }
}
