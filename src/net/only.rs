//! What libp2p offers to everybody, offered to paired devices alone.
//!
//! A behaviour in here is not there for strangers, and a friend's node is one of them: its protocols are not offered to them, and
//! it dials nobody else. That is asked whenever it matters, so a device that is paired now has it now.

use super::circuit::is_circuit;
use super::kad::has_public_ip;
use super::known::Known;
use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::core::upgrade::{InboundUpgrade, UpgradeInfo};
use libp2p::swarm::handler::{
    ConnectionEvent, FullyNegotiatedInbound, InboundUpgradeSend, ListenUpgradeError, UpgradeInfoSend,
};
use libp2p::swarm::{
    ConnectionDenied, ConnectionHandler, ConnectionHandlerEvent, ConnectionId, DialError, DialFailure, FromSwarm,
    NetworkBehaviour, Stream, SubstreamProtocol, THandler, THandlerInEvent, THandlerOutEvent, ToSwarm,
};
use libp2p::{Multiaddr, PeerId};
use std::collections::HashSet;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

/// Addresses under which others say they see this node. Strangers say so, too.
const CANDIDATES_MAX: usize = 64;
/// They are forgotten every so often: who fills the places shall not keep out for ever what is true.
const CANDIDATES_FOR: Duration = Duration::from_secs(600);

/// What is for devices alone.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    /// Its protocols.
    pub offered: bool,
    /// That it takes notice of what others offer; here the relays of the settings count, too.
    pub heard: bool,
    /// That it dials.
    pub dialled: bool,
    /// It dials a device only where that is, or at a public address: nobody looks around in this node's own network.
    pub there: bool,
}

/// Nothing is for strangers.
pub const DEVICES: Rules = Rules { offered: true, heard: true, dialled: true, there: false };

#[derive(Debug)]
pub struct Only<B> {
    inner: B,
    known: Arc<Known>,
    rules: Rules,
    dials: HashSet<ConnectionId>,
    candidates: Candidates,
}

#[derive(Debug)]
struct Candidates {
    since: Instant,
    told: HashSet<Multiaddr>,
}

impl Candidates {
    fn new(now: Instant) -> Self {
        Self { since: now, told: HashSet::new() }
    }

    /// Is this one to be looked at? So many are at a time; one that is known already always is.
    fn take(&mut self, address: &Multiaddr, now: Instant) -> bool {
        if now.duration_since(self.since) >= CANDIDATES_FOR {
            *self = Self::new(now);
        }
        if self.told.contains(address) {
            return true;
        }
        self.told.len() < CANDIDATES_MAX && self.told.insert(address.clone())
    }
}

/// A device may not make this node connect there.
#[derive(Debug, thiserror::Error)]
#[error("it is neither where the device is, nor a public address")]
struct Elsewhere;

impl<B> Only<B> {
    pub fn new(inner: B, known: Arc<Known>, rules: Rules) -> Self {
        Self { inner, known, rules, dials: HashSet::new(), candidates: Candidates::new(Instant::now()) }
    }
}

impl<B: NetworkBehaviour> Only<B> {
    fn handler(&self, peer: PeerId, inner: B::ConnectionHandler) -> Handler<B::ConnectionHandler> {
        Handler { inner, peer, known: self.known.clone(), rules: self.rules }
    }

    /// A name is nowhere: it may be one of this node's own network.
    fn is_there(&self, peer: PeerId, address: &Multiaddr) -> bool {
        !is_circuit(address) && (has_public_ip(address) || self.known.is_at(&peer, address))
    }
}

impl<B: NetworkBehaviour> NetworkBehaviour for Only<B> {
    type ConnectionHandler = Handler<THandler<B>>;
    type ToSwarm = B::ToSwarm;

    fn handle_pending_inbound_connection(
        &mut self,
        id: ConnectionId,
        local: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<(), ConnectionDenied> {
        self.inner.handle_pending_inbound_connection(id, local, remote)
    }

    fn handle_established_inbound_connection(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        local: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        let inner = self.inner.handle_established_inbound_connection(id, peer, local, remote)?;
        Ok(self.handler(peer, inner))
    }

    fn handle_pending_outbound_connection(
        &mut self,
        id: ConnectionId,
        peer: Option<PeerId>,
        addresses: &[Multiaddr],
        role: Endpoint,
    ) -> Result<Vec<Multiaddr>, ConnectionDenied> {
        let ours = self.rules.there && self.dials.contains(&id);
        if ours && !peer.is_some_and(|peer| addresses.iter().all(|address| self.is_there(peer, address))) {
            return Err(ConnectionDenied::new(Elsewhere));
        }
        self.inner.handle_pending_outbound_connection(id, peer, addresses, role)
    }

    fn handle_established_outbound_connection(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        address: &Multiaddr,
        role: Endpoint,
        port: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        let inner = self.inner.handle_established_outbound_connection(id, peer, address, role, port)?;
        Ok(self.handler(peer, inner))
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        match &event {
            FromSwarm::NewExternalAddrCandidate(candidate) if !self.candidates.take(candidate.addr, Instant::now()) => {
                return;
            }
            FromSwarm::ConnectionEstablished(established) => drop(self.dials.remove(&established.connection_id)),
            FromSwarm::DialFailure(failure) => drop(self.dials.remove(&failure.connection_id)),
            _ => {}
        }
        self.inner.on_swarm_event(event);
    }

    fn on_connection_handler_event(&mut self, peer: PeerId, id: ConnectionId, event: THandlerOutEvent<Self>) {
        self.inner.on_connection_handler_event(peer, id, event);
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        loop {
            let Poll::Ready(event) = self.inner.poll(cx) else { return Poll::Pending };
            match &event {
                ToSwarm::Dial { opts } if self.rules.dialled => {
                    let (peer, id) = (opts.get_peer_id(), opts.connection_id());
                    if !peer.is_some_and(|peer| self.known.is(&peer)) {
                        let error = DialError::Aborted;
                        let failure = DialFailure { peer_id: peer, error: &error, connection_id: id };
                        self.inner.on_swarm_event(FromSwarm::DialFailure(failure));
                        continue;
                    }
                    self.dials.insert(id);
                }
                // That this node is met through a relay is for its devices to know, not for the public network.
                ToSwarm::ExternalAddrConfirmed(address) | ToSwarm::ExternalAddrExpired(address)
                    if is_circuit(address) =>
                {
                    continue;
                }
                _ => {}
            }
            return Poll::Ready(event);
        }
    }
}

#[derive(Debug)]
pub struct Handler<H> {
    inner: H,
    peer: PeerId,
    known: Arc<Known>,
    rules: Rules,
}

impl<H: ConnectionHandler> ConnectionHandler for Handler<H> {
    type FromBehaviour = H::FromBehaviour;
    type ToBehaviour = H::ToBehaviour;
    type InboundProtocol = Gate<H::InboundProtocol>;
    type OutboundProtocol = H::OutboundProtocol;
    type InboundOpenInfo = H::InboundOpenInfo;
    type OutboundOpenInfo = H::OutboundOpenInfo;

    fn listen_protocol(&self) -> SubstreamProtocol<Self::InboundProtocol, H::InboundOpenInfo> {
        let open = !self.rules.offered || self.known.is(&self.peer);
        self.inner.listen_protocol().map_upgrade(|inner| Gate { inner, open })
    }

    fn connection_keep_alive(&self) -> bool {
        self.inner.connection_keep_alive()
    }

    fn poll(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<ConnectionHandlerEvent<H::OutboundProtocol, H::OutboundOpenInfo, H::ToBehaviour>> {
        self.inner.poll(cx)
    }

    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<Option<H::ToBehaviour>> {
        self.inner.poll_close(cx)
    }

    fn on_behaviour_event(&mut self, event: H::FromBehaviour) {
        self.inner.on_behaviour_event(event);
    }

    fn on_connection_event(
        &mut self,
        event: ConnectionEvent<'_, Self::InboundProtocol, H::OutboundProtocol, H::InboundOpenInfo, H::OutboundOpenInfo>,
    ) {
        let event = match event {
            ConnectionEvent::FullyNegotiatedInbound(FullyNegotiatedInbound { protocol, info }) => {
                ConnectionEvent::FullyNegotiatedInbound(FullyNegotiatedInbound { protocol, info })
            }
            ConnectionEvent::ListenUpgradeError(ListenUpgradeError { info, error }) => {
                ConnectionEvent::ListenUpgradeError(ListenUpgradeError { info, error })
            }
            ConnectionEvent::FullyNegotiatedOutbound(event) => ConnectionEvent::FullyNegotiatedOutbound(event),
            ConnectionEvent::AddressChange(event) => ConnectionEvent::AddressChange(event),
            ConnectionEvent::DialUpgradeError(event) => ConnectionEvent::DialUpgradeError(event),
            ConnectionEvent::LocalProtocolsChange(event) => ConnectionEvent::LocalProtocolsChange(event),
            ConnectionEvent::RemoteProtocolsChange(event) => {
                if self.rules.heard && !self.known.is_heard(&self.peer) {
                    return;
                }
                ConnectionEvent::RemoteProtocolsChange(event)
            }
            _ => return,
        };
        self.inner.on_connection_event(event);
    }
}

/// An upgrade that is offered, or not.
#[derive(Debug)]
pub struct Gate<P> {
    inner: P,
    open: bool,
}

impl<P: UpgradeInfoSend> UpgradeInfo for Gate<P> {
    type Info = P::Info;
    type InfoIter = std::vec::IntoIter<P::Info>;

    fn protocol_info(&self) -> Self::InfoIter {
        let names: Vec<P::Info> = if self.open { self.inner.protocol_info().collect() } else { Vec::new() };
        names.into_iter()
    }
}

impl<P: InboundUpgradeSend> InboundUpgrade<Stream> for Gate<P> {
    type Output = P::Output;
    type Error = P::Error;
    type Future = P::Future;

    fn upgrade_inbound(self, stream: Stream, name: P::Info) -> P::Future {
        self.inner.upgrade_inbound(stream, name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_fills_the_places_of_candidates_does_not_keep_them() {
        let begun = Instant::now();
        let mut candidates = Candidates::new(begun);
        let port = |n: usize| format!("/ip4/9.9.9.9/tcp/{n}").parse::<Multiaddr>().expect("an address");
        assert_eq!((1..1000).filter(|n| candidates.take(&port(*n), begun)).count(), CANDIDATES_MAX);
        assert!(candidates.take(&port(1), begun) && !candidates.take(&port(999), begun));
        let later = begun + CANDIDATES_FOR;
        assert_eq!((1..1000).rev().filter(|n| candidates.take(&port(*n), later)).count(), CANDIDATES_MAX);
        assert!(candidates.take(&port(999), later));
    }
}
