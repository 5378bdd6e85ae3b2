//! How devices are reached: the part of the swarm's task that dials, keeps places at relays and writes down where
//! devices are.

use super::behaviour::BehaviourEvent;
use super::book::{self, Address, Source};
use super::circuit::is_circuit;
use super::command::Event;
use super::config::Network;
use super::dialling::{Reply, Step, Wanted};
use super::error::Error;
use super::kad::{Purpose, Table};
use super::known::{Standing, peer_of};
use super::setup::dial_reason;
use super::swarm::Loop;
use libp2p::core::ConnectedPoint;
use libp2p::core::transport::ListenerId;
use libp2p::kad::QueryResult;
use libp2p::multiaddr::Protocol;
use libp2p::swarm::dial_opts::{DialOpts, PeerCondition};
use libp2p::swarm::{ConnectionId, DialError};
use libp2p::{Multiaddr, PeerId, identify, relay, upnp};
use std::num::NonZeroU8;
use std::time::Instant;

/// Addresses of one peer that are dialled side by side, and how many are tried at all.
const SIDE_BY_SIDE: NonZeroU8 = NonZeroU8::new(16).expect("not zero");
const TRIED_MAX: usize = 32;

impl Loop {
    /// Connects to whoever is meant by these addresses.
    pub(super) fn dial(&mut self, addresses: Vec<Multiaddr>, reply: Reply) {
        let wrong = |reason: &str| {
            let address = addresses.first().map_or_else(String::new, ToString::to_string);
            Err(Error::Address { address, reason: reason.into() })
        };
        let peer = addresses.first().and_then(peer_of);
        if addresses.iter().any(|address| peer_of(address) != peer) || (peer.is_none() && addresses.len() != 1) {
            return drop(reply.send(wrong("of several, all must end in the same /p2p/<peer id>")));
        }
        if let Some(peer) = peer.filter(|peer| self.swarm.is_connected(peer)) {
            return drop(reply.send(Ok(peer)));
        }
        let named = addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let known = peer.map(|peer| self.all_addresses(&peer)).unwrap_or_default();
        let told = addresses.into_iter().map(|address| (address, Source::Told));
        let mut all = book::once(told.chain(known).collect());
        // A name without a place.
        all.retain(|(address, _)| !matches!(address.iter().next(), Some(Protocol::P2p(_)) | None));
        let (circuits, direct) = all.into_iter().map(|(address, _)| address).partition::<Vec<_>, _>(is_circuit);
        let look_up = self.network == Network::Public && peer.is_some_and(|peer| self.known.is_near(&peer));
        let wanted = Wanted { peer, direct, circuits, look_up };
        let (number, step) = self.dialling.begin(wanted, named, reply, Instant::now());
        self.step(number, step);
    }

    fn step(&mut self, number: u64, mut step: Option<Step>) {
        while let Some(next) = step.take() {
            match next {
                Step::Dial(addresses) => step = self.dial_all(number, addresses),
                Step::LookUp => {
                    let Some(peer) = self.dialling.peer(number) else { return };
                    let id = self.table(Table::Wan).get_closest_peers(peer);
                    self.queries.insert((Table::Wan, id), Purpose::FindPeer(peer));
                }
            }
        }
    }

    fn dial_all(&mut self, number: u64, mut addresses: Vec<Multiaddr>) -> Option<Step> {
        addresses.truncate(TRIED_MAX);
        let opts = match (self.dialling.peer(number), addresses.pop()) {
            (Some(peer), Some(last)) => {
                addresses.push(last);
                DialOpts::peer_id(peer)
                    .addresses(addresses)
                    .condition(PeerCondition::Always)
                    .override_dial_concurrency_factor(SIDE_BY_SIDE)
                    .build()
            }
            (None, Some(address)) => DialOpts::unknown_peer_id().address(address).build(),
            (_, None) => return self.dialling.failed(number, "no address of it is known".into()),
        };
        let (id, peer) = (opts.connection_id(), opts.get_peer_id());
        self.swarm.behaviour_mut().limits.asked(id);
        self.asked(peer, id);
        match self.swarm.dial(opts) {
            Ok(()) => {
                self.dialling.dialled(number, id);
                None
            }
            Err(error) => {
                self.answered(id);
                self.dialling.failed(number, dial_reason(&error))
            }
        }
    }

    /// While it is dialled, a peer may be met through a relay.
    fn asked(&mut self, peer: Option<PeerId>, id: ConnectionId) {
        if let Some(peer) = peer {
            self.known.ask(peer, true);
            self.asked.insert(id, peer);
        }
    }

    fn answered(&mut self, id: ConnectionId) {
        if let Some(peer) = self.asked.remove(&id) {
            self.known.ask(peer, false);
        }
    }

    pub(super) fn dial_failed(&mut self, id: ConnectionId, error: &DialError) {
        self.answered(id);
        let Some(number) = self.dialling.ended(id) else { return };
        let step = self.dialling.failed(number, dial_reason(error));
        self.step(number, step);
    }

    /// The public network's table was asked where a device, or a friend's node, is.
    pub(super) fn looked_up(&mut self, peer: PeerId, result: QueryResult) {
        let found = match result {
            QueryResult::GetClosestPeers(Ok(found)) => found.peers,
            _ => Vec::new(),
        };
        let now = Instant::now();
        let addresses = found.into_iter().filter(|found| found.peer_id == peer).flat_map(|found| found.addrs);
        let addresses: Vec<Multiaddr> = addresses.filter(|address| !is_circuit(address)).take(TRIED_MAX).collect();
        if self.known.is_near(&peer) {
            for address in &addresses {
                self.book.note(peer, address, Source::Table, now);
            }
        }
        for (number, step) in self.dialling.found(&peer, &addresses) {
            self.step(number, step);
        }
    }

    /// When there is something to do without anything happening.
    pub(super) fn next_due(&self) -> Option<Instant> {
        [self.dialling.next_due(), self.relays.next_due()].into_iter().flatten().min()
    }

    pub(super) fn on_due(&mut self) {
        let now = Instant::now();
        for (number, step) in self.dialling.due(now) {
            self.step(number, Some(step));
        }
        for (relay, address) in self.relays.due(now) {
            match self.swarm.listen_on(address) {
                Ok(id) => self.relays.asked(&relay, id),
                Err(error) => {
                    tracing::warn!(%relay, %error, "the relay cannot be asked for a place");
                    self.relays.refused(&relay, now);
                }
            }
        }
    }

    pub(super) fn came(&mut self, peer: PeerId, id: ConnectionId, endpoint: &ConnectedPoint) {
        self.answered(id);
        let address = endpoint.get_remote_address();
        let direct = !endpoint.is_relayed();
        let links = self.peers.entry(peer).or_default();
        let was_relayed = links.is_relayed();
        links.standing = self.known.standing(&peer);
        if endpoint.is_dialer() {
            links.dialled = true;
            links.outbound.insert(id);
        }
        links.addresses.insert(id, address.clone());
        if !direct {
            links.relayed.insert(id);
        }
        self.metrics.peers.set(self.peers.len() as i64);
        if direct {
            self.metrics.direct.inc()
        } else {
            self.metrics.relayed.inc()
        };
        if direct && was_relayed {
            self.tell(Event::Direct { peer: peer.to_string() });
        }
        // Where a peer that dialled us can be reached we do not know.
        if let (true, true, ConnectedPoint::Dialer { .. }) = (direct, self.known.is_near(&peer), endpoint)
            && let Ok(address) = address.clone().with_p2p(peer)
        {
            self.book.note(peer, &address, Source::Seen, Instant::now());
            self.tell(Event::Seen { peer: peer.to_string(), address: address.to_string() });
        }
        self.dialling.connected(id, peer);
    }

    pub(super) fn went(&mut self, peer: PeerId, id: ConnectionId, endpoint: &ConnectedPoint) {
        if let Some(links) = self.peers.get_mut(&peer) {
            links.addresses.remove(&id);
            links.relayed.remove(&id);
            links.outbound.remove(&id);
        }
        if endpoint.is_relayed() {
            self.metrics.relayed.dec()
        } else {
            self.metrics.direct.dec()
        };
    }

    /// Whoever listens may have gone.
    pub(super) fn tell(&self, event: Event) {
        let _ = self.events.send(event);
    }

    /// A peer has said, on this connection, where it is and what it speaks. A device is believed; a friend is dialled where the
    /// owner says, or where he was before, and no relay.
    pub(super) fn told_of_itself(&mut self, peer: PeerId, on: ConnectionId, info: &identify::Info) {
        if !self.known.is(&peer) {
            return;
        }
        let now = Instant::now();
        self.book.said(peer, info.listen_addrs.iter(), now);
        if info.protocols.contains(&relay::HOP_PROTOCOL_NAME) {
            let reached = self.peers.get(&peer).into_iter().flat_map(|peer| peer.reached_at());
            let address = reached.chain(&info.listen_addrs).find(|address| !is_circuit(address)).cloned();
            address.into_iter().for_each(|address| self.relays.offered(peer, &address, now));
        } else if self.peers.get(&peer).is_some_and(|links| !links.relayed.contains(&on)) {
            // On a relayed connection it offers nothing of the kind, even if it relays.
            if let Some(id) = self.relays.withdrawn(&peer) {
                self.swarm.remove_listener(id);
            }
            self.metrics.relays.set(self.relays.held() as i64);
        }
        self.leave_relay(peer);
    }

    /// A device to which there is a relayed connection only has said where else it is. If it can be reached there without
    /// ado, no hole has to be punched.
    fn leave_relay(&mut self, peer: PeerId) {
        let Some(links) = self.peers.get_mut(&peer).filter(|links| links.is_relayed()) else { return };
        let mut said = self.book.of(&peer, Instant::now());
        said.retain(|(address, source)| *source == Source::Said && !is_circuit(address));
        let said: Vec<Multiaddr> = said.into_iter().map(|(address, _)| address).collect();
        if said.is_empty() || links.tried == said {
            return;
        }
        links.tried = said.clone();
        let opts = DialOpts::peer_id(peer).addresses(said).condition(PeerCondition::Always).build();
        if let Err(error) = self.swarm.dial(opts) {
            tracing::debug!(%peer, %error, "a device cannot be dialled where it says it is");
        }
    }

    /// Somebody on the local network says to be this peer.
    pub(super) fn found_near(&mut self, peer: PeerId, address: Multiaddr, is_new: bool) {
        if self.known.is_near(&peer) {
            self.book.note(peer, &address, Source::Near, Instant::now());
        }
        if is_new {
            self.tell(Event::Near { peer: peer.to_string(), address: address.to_string() });
        }
    }

    /// If there are other devices or friends than before, what was for the others ends.
    pub(super) fn paired(&mut self) {
        if self.version == self.known.version() {
            return;
        }
        self.version = self.known.version();
        let known = self.known.clone();
        self.book.keep(|peer| known.is_near(peer));
        for id in self.relays.keep(|peer| known.is(peer)) {
            self.swarm.remove_listener(id);
        }
        self.metrics.relays.set(self.relays.held() as i64);
        self.swarm.behaviour_mut().identify.paired();
        // What a connection had as a device's, or a friend's, it has for as long as it lasts: a place at this relay, circuits, streams.
        let mut gone = Vec::new();
        for (peer, links) in &mut self.peers {
            let was = std::mem::replace(&mut links.standing, known.standing(peer));
            if links.standing < was {
                gone.push(*peer);
            }
        }
        for peer in gone {
            let _ = self.swarm.disconnect_peer_id(peer); // it may have gone by itself
        }
    }

    /// A listener has closed; was it a place at a relay?
    pub(super) fn left_relay(&mut self, id: ListenerId, reason: &Result<(), std::io::Error>) -> bool {
        let Some(relay) = self.relays.closed(id, Instant::now()) else { return false };
        match reason {
            Err(error) => tracing::info!(%relay, %error, "the relay keeps no place for this node; it is asked again"),
            Ok(()) => tracing::info!(%relay, "the place at the relay is lost; it is asked again"),
        }
        self.metrics.relays.set(self.relays.held() as i64);
        true
    }

    pub(super) fn addresses(&self, peer: &PeerId) -> Vec<Address> {
        let all = self.all_addresses(peer).into_iter();
        all.map(|(address, source)| Address { address: address.to_string(), source }).collect()
    }

    /// Of a device or a friend; of others nothing is known. Which relays this node uses is nothing for a friend to see.
    fn all_addresses(&self, peer: &PeerId) -> Vec<(Multiaddr, Source)> {
        let standing = self.known.standing(peer);
        if standing == Standing::Stranger {
            return Vec::new();
        }
        let mut all = self.book.of(peer, Instant::now());
        all.extend(self.known.told(peer).into_iter().map(|address| (address, Source::Told)));
        if standing == Standing::Device {
            all.extend(self.relays.circuits(*peer).into_iter().map(|address| (address, Source::Relay)));
        }
        all.sort_by_key(|(_, source)| *source);
        book::once(all)
    }

    pub(super) fn on_reach(&mut self, event: BehaviourEvent) {
        match event {
            BehaviourEvent::Circuits(event) => self.on_circuit(event),
            BehaviourEvent::Relay(relay::Event::CircuitReqAccepted { .. }) => drop(self.metrics.carried.inc()),
            BehaviourEvent::Relay(relay::Event::CircuitClosed { .. }) => drop(self.metrics.carried.dec()),
            BehaviourEvent::Punch(event) => match event.result {
                Ok(_) => {
                    tracing::info!(peer = %event.remote_peer_id, "a relayed connection has become a direct one");
                    self.metrics.punched.inc();
                }
                Err(error) => {
                    tracing::info!(peer = %event.remote_peer_id, %error, "the connection stays on the relay");
                    self.metrics.unpunched.inc();
                }
            },
            BehaviourEvent::Router(upnp::Event::NewExternalAddr { external_addr, .. }) => {
                tracing::info!(address = %external_addr, "the router has opened a port");
            }
            BehaviourEvent::Router(upnp::Event::ExpiredExternalAddr { external_addr, .. }) => {
                tracing::warn!(address = %external_addr, "the router has closed the port again");
            }
            BehaviourEvent::Router(upnp::Event::GatewayNotFound) => {
                tracing::warn!("net.upnp: no router here opens ports on request (UPnP)");
            }
            BehaviourEvent::Router(upnp::Event::NonRoutableGateway) => {
                tracing::warn!("net.upnp: the router has no public address itself, so a port of it would help nobody");
            }
            _ => {}
        }
    }

    fn on_circuit(&mut self, event: relay::client::Event) {
        use relay::client::Event::{InboundCircuitEstablished, OutboundCircuitEstablished, ReservationReqAccepted};
        match event {
            ReservationReqAccepted { relay_peer_id, renewal, .. } => {
                self.relays.agreed(&relay_peer_id);
                self.metrics.relays.set(self.relays.held() as i64);
                if !renewal {
                    tracing::info!(relay = %relay_peer_id, "devices can meet this node through the relay");
                }
            }
            OutboundCircuitEstablished { relay_peer_id, limit } => {
                self.told.tell(relay_peer_id, limit.map(|limit| (limit.data_in_bytes(), limit.duration())));
            }
            InboundCircuitEstablished { src_peer_id, limit } => {
                self.told.tell(src_peer_id, limit.map(|limit| (limit.data_in_bytes(), limit.duration())));
            }
        }
    }
}
