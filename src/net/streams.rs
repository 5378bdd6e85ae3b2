//! Streams for other modules' own protocols, without libp2p's types.
//!
//! What this node accepts is offered to paired devices only, or to friends' nodes as well (sync). For all others these
//! protocols do not exist, so no stranger can take the places, or the attention, of a device. A protocol that is accepted from
//! anybody (devices pair) is there for as long as its owner asks for it.

use super::circuit::{Limits, Line, is_circuit, relay_of};
use super::error::Error;
use super::known::{Known, Standing};
use super::rate::{Rates, Slowed};
use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::core::upgrade::{InboundUpgrade, OutboundUpgrade, UpgradeInfo};
use libp2p::swarm::handler::{ConnectionEvent, DialUpgradeError, FullyNegotiatedInbound, FullyNegotiatedOutbound};
use libp2p::swarm::{
    ConnectionDenied, ConnectionHandler, ConnectionHandlerEvent, ConnectionId, FromSwarm, NetworkBehaviour,
    NotifyHandler, Stream, StreamUpgradeError, SubstreamProtocol, THandler, THandlerInEvent, THandlerOutEvent, ToSwarm,
};
use libp2p::{Multiaddr, PeerId, StreamProtocol};
use std::collections::{HashMap, VecDeque};
use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{mpsc, oneshot};
use tokio_util::compat::FuturesAsyncReadCompatExt as _;

/// Streams a peer opened that nobody has taken yet, per protocol.
const ACCEPTED_MAX: usize = 16;

/// A stream to a peer.
pub trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// A stream a peer opened.
pub struct Incoming {
    pub peer: String,
    pub stream: Box<dyn Duplex>,
    pub line: Line,
}

/// A stream this node opened.
pub struct Opened {
    pub stream: Box<dyn Duplex>,
    pub line: Line,
}

impl std::fmt::Debug for Opened {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Opened").field("line", &self.line).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Incoming {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Incoming").field("peer", &self.peer).field("line", &self.line).finish_non_exhaustive()
    }
}

/// Which protocols are accepted, and who takes their streams. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Accepted(Arc<Mutex<HashMap<StreamProtocol, Taker>>>);

/// Who takes the streams of a protocol.
#[derive(Debug, Clone)]
struct Taker {
    to: mpsc::Sender<Incoming>,
    from: From,
}

/// Whose streams are accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum From {
    Devices,
    /// And from devices.
    Friends,
    Anybody,
}

impl Accepted {
    /// Streams for `protocol`, until the receiver is dropped.
    pub fn accept(&self, protocol: &str, from: From) -> Result<mpsc::Receiver<Incoming>, Error> {
        let name = name(protocol)?;
        let mut accepted = self.lock();
        if accepted.get(&name).is_some_and(|taker| !taker.to.is_closed()) {
            return Err(Error::ProtocolTaken(protocol.to_owned()));
        }
        let (to, taken) = mpsc::channel(ACCEPTED_MAX);
        accepted.insert(name, Taker { to, from });
        Ok(taken)
    }

    /// What a device is offered, a friend's node, or a stranger.
    fn names(&self, standing: Standing) -> Vec<StreamProtocol> {
        let accepted = self.lock();
        let is_from = |from: From| match from {
            From::Devices => standing >= Standing::Device,
            From::Friends => standing >= Standing::Friend,
            From::Anybody => true,
        };
        let offered = accepted.iter().filter(|(_, taker)| !taker.to.is_closed() && is_from(taker.from));
        offered.map(|(name, _)| name.clone()).collect()
    }

    fn came(&self, protocol: &StreamProtocol, incoming: Incoming) {
        let Some(taker) = self.lock().get(protocol).cloned() else { return };
        let peer = incoming.peer.clone();
        if taker.to.try_send(incoming).is_err() {
            tracing::debug!(%peer, %protocol, "a stream was dropped: too many are waiting");
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<StreamProtocol, Taker>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub fn name(protocol: &str) -> Result<StreamProtocol, Error> {
    StreamProtocol::try_from_owned(protocol.to_owned()).map_err(|_| Error::ProtocolName(protocol.to_owned()))
}

/// A stream somebody in this node waits for.
pub struct Open {
    pub protocol: StreamProtocol,
    pub reply: oneshot::Sender<Result<Opened, Error>>,
}

impl std::fmt::Debug for Open {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Open").field("protocol", &self.protocol).finish_non_exhaustive()
    }
}

pub struct Behaviour {
    known: Arc<Known>,
    accepted: Accepted,
    limits: Limits,
    rates: Rates,
    /// The connections of each peer, and whether they are relayed.
    links: HashMap<PeerId, Vec<(ConnectionId, bool)>>,
    out: VecDeque<ToSwarm<Infallible, Open>>,
}

impl std::fmt::Debug for Behaviour {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Behaviour").field("accepted", &self.accepted).finish_non_exhaustive()
    }
}

impl Behaviour {
    pub fn new(known: Arc<Known>, accepted: Accepted, (limits, rates): (Limits, Rates)) -> Self {
        Self { known, accepted, limits, rates, links: HashMap::new(), out: VecDeque::new() }
    }

    /// Opens a stream to a connected peer, on a direct connection if there is one. Called from the swarm's task, which
    /// polls this next.
    pub fn open(&mut self, peer_id: PeerId, event: Open) {
        let links = self.links.get(&peer_id).into_iter().flatten();
        match links.min_by_key(|(_, relayed)| *relayed) {
            Some((link, _)) => {
                self.out.push_back(ToSwarm::NotifyHandler { peer_id, handler: NotifyHandler::One(*link), event });
            }
            None => {
                let error = Error::Stream { peer: peer_id.to_string(), reason: "it is not connected".into() };
                drop(event.reply.send(Err(error)));
            }
        }
    }

    /// `teller`: who told how much the connection may carry, if it is a circuit.
    fn handler(&self, peer: PeerId, teller: Option<PeerId>) -> Handler {
        let (known, accepted) = (self.known.clone(), self.accepted.clone());
        let (limits, rates) = (self.limits.clone(), self.rates.clone());
        Handler { peer, teller, known, accepted, limits, rates, opens: VecDeque::new() }
    }
}

impl NetworkBehaviour for Behaviour {
    type ConnectionHandler = Handler;
    type ToSwarm = Infallible;

    fn handle_established_inbound_connection(
        &mut self,
        _: ConnectionId,
        peer: PeerId,
        local: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(self.handler(peer, is_circuit(local).then_some(peer)))
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        peer: PeerId,
        address: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(self.handler(peer, relay_of(address)))
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        match event {
            FromSwarm::ConnectionEstablished(c) => {
                self.links.entry(c.peer_id).or_default().push((c.connection_id, c.endpoint.is_relayed()));
            }
            FromSwarm::ConnectionClosed(c) => {
                if let Some(links) = self.links.get_mut(&c.peer_id) {
                    links.retain(|(link, _)| *link != c.connection_id);
                    if links.is_empty() {
                        self.links.remove(&c.peer_id);
                    }
                }
            }
            _ => {}
        }
    }

    fn on_connection_handler_event(&mut self, _: PeerId, _: ConnectionId, event: THandlerOutEvent<Self>) {
        match event {}
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ToSwarm<Infallible, THandlerInEvent<Self>>> {
        self.out.pop_front().map_or(Poll::Pending, Poll::Ready)
    }
}

#[derive(Debug)]
pub struct Handler {
    peer: PeerId,
    teller: Option<PeerId>,
    known: Arc<Known>,
    accepted: Accepted,
    limits: Limits,
    rates: Rates,
    opens: VecDeque<Open>,
}

impl Handler {
    fn handed_over(&self, stream: Stream) -> Opened {
        let stream = Box::new(Slowed::new(stream.compat(), self.rates.clone()));
        Opened { stream, line: self.limits.line(self.teller) }
    }
}

impl ConnectionHandler for Handler {
    type FromBehaviour = Open;
    type ToBehaviour = Infallible;
    type InboundProtocol = Names;
    type OutboundProtocol = Names;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = Open;

    /// Asked again and again, so a device that is paired now is offered them now.
    fn listen_protocol(&self) -> SubstreamProtocol<Names> {
        SubstreamProtocol::new(Names(self.accepted.names(self.known.standing(&self.peer))), ())
    }

    fn on_behaviour_event(&mut self, open: Open) {
        self.opens.push_back(open);
    }

    fn on_connection_event(&mut self, event: ConnectionEvent<Names, Names, (), Open>) {
        match event {
            ConnectionEvent::FullyNegotiatedInbound(FullyNegotiatedInbound { protocol: (stream, name), .. }) => {
                let Opened { stream, line } = self.handed_over(stream);
                self.accepted.came(&name, Incoming { peer: self.peer.to_string(), stream, line });
            }
            ConnectionEvent::FullyNegotiatedOutbound(FullyNegotiatedOutbound { protocol: (stream, _), info }) => {
                // Whoever asked may have gone.
                drop(info.reply.send(Ok(self.handed_over(stream))));
            }
            ConnectionEvent::DialUpgradeError(DialUpgradeError { info, error }) => {
                let peer = self.peer.to_string();
                let error = match error {
                    StreamUpgradeError::NegotiationFailed => {
                        Error::Unsupported { peer, protocol: info.protocol.to_string() }
                    }
                    other => Error::Stream { peer, reason: other.to_string() },
                };
                drop(info.reply.send(Err(error)));
            }
            _ => {}
        }
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ConnectionHandlerEvent<Names, Open, Infallible>> {
        let Some(open) = self.opens.pop_front() else { return Poll::Pending };
        let protocol = SubstreamProtocol::new(Names(vec![open.protocol.clone()]), open);
        Poll::Ready(ConnectionHandlerEvent::OutboundSubstreamRequest { protocol })
    }
}

/// Hands the bare stream over, with the name that was agreed on.
#[derive(Debug, Clone)]
pub struct Names(Vec<StreamProtocol>);

impl UpgradeInfo for Names {
    type Info = StreamProtocol;
    type InfoIter = std::vec::IntoIter<StreamProtocol>;

    fn protocol_info(&self) -> Self::InfoIter {
        self.0.clone().into_iter()
    }
}

impl InboundUpgrade<Stream> for Names {
    type Output = (Stream, StreamProtocol);
    type Error = Infallible;
    type Future = Ready<Result<Self::Output, Infallible>>;

    fn upgrade_inbound(self, stream: Stream, name: StreamProtocol) -> Self::Future {
        ready(Ok((stream, name)))
    }
}

impl OutboundUpgrade<Stream> for Names {
    type Output = (Stream, StreamProtocol);
    type Error = Infallible;
    type Future = Ready<Result<Self::Output, Infallible>>;

    fn upgrade_outbound(self, stream: Stream, name: StreamProtocol) -> Self::Future {
        ready(Ok((stream, name)))
    }
}
