//! Who this node is, told to whoever is connected (identify): to devices with its places at relays, to strangers and
//! friends without.
//!
//! Who is behind a relay is for those to know who may meet him there. So there are two of libp2p's behaviours, each with the
//! connections and the addresses that are its own; a stranger's connection goes over when he becomes a device.

use super::circuit::is_circuit;
use super::known::Known;
use libp2p::core::transport::{ListenerId, PortUse};
use libp2p::core::{ConnectedPoint, Endpoint};
use libp2p::identify::{Behaviour as Identify, Config, Event};
use libp2p::swarm::behaviour::{ConnectionClosed, ConnectionEstablished, ExpiredListenAddr, NewListenAddr};
use libp2p::swarm::{
    ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, THandler, THandlerInEvent, THandlerOutEvent, ToSwarm,
};
use libp2p::{Multiaddr, PeerId};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::task::{Context, Poll};

pub struct Behaviour {
    known: Arc<Known>,
    devices: Identify,
    strangers: Identify,
    /// Connections that `devices` has.
    of_devices: HashSet<ConnectionId>,
    /// Those that `strangers` has.
    of_strangers: HashMap<ConnectionId, (PeerId, ConnectedPoint)>,
    /// Places at relays.
    circuits: Vec<(ListenerId, Multiaddr)>,
}

impl std::fmt::Debug for Behaviour {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Behaviour").field("circuits", &self.circuits).finish_non_exhaustive()
    }
}

impl Behaviour {
    pub fn new(config: Config, known: Arc<Known>) -> Self {
        let (devices, strangers) = (Identify::new(config.clone()), Identify::new(config));
        let (of_devices, of_strangers) = (HashSet::new(), HashMap::new());
        Self { known, devices, strangers, of_devices, of_strangers, circuits: Vec::new() }
    }

    /// Other devices are paired than before: those who were strangers are told what devices are.
    pub fn paired(&mut self) {
        let known = self.known.clone();
        let came: Vec<_> = self.of_strangers.extract_if(|_, (peer, _)| known.is(peer)).collect();
        for (connection_id, (peer_id, endpoint)) in &came {
            let (peer_id, connection_id) = (*peer_id, *connection_id);
            let left = self.of_strangers.values().filter(|(peer, _)| *peer == peer_id).count();
            self.strangers.on_swarm_event(FromSwarm::ConnectionClosed(ConnectionClosed {
                peer_id,
                connection_id,
                endpoint,
                cause: None,
                remaining_established: left,
            }));
            self.of_devices.insert(connection_id);
            self.devices.on_swarm_event(FromSwarm::ConnectionEstablished(ConnectionEstablished {
                peer_id,
                connection_id,
                endpoint,
                failed_addresses: &[],
                other_established: 0,
            }));
        }
        // What has changed is told: a place that went and came has.
        if let (false, Some((listener_id, addr))) = (came.is_empty(), self.circuits.first()) {
            let listener_id = *listener_id;
            self.devices.on_swarm_event(FromSwarm::ExpiredListenAddr(ExpiredListenAddr { listener_id, addr }));
            self.devices.on_swarm_event(FromSwarm::NewListenAddr(NewListenAddr { listener_id, addr }));
        }
    }

    fn side(&mut self, id: ConnectionId) -> &mut Identify {
        if self.of_devices.contains(&id) { &mut self.devices } else { &mut self.strangers }
    }

    /// The side that a connection belongs to from its beginning.
    fn side_of(&mut self, id: ConnectionId, peer: PeerId) -> &mut Identify {
        if self.known.is(&peer) {
            self.of_devices.insert(id);
        }
        self.side(id)
    }

    fn note_circuits(&mut self, event: &FromSwarm<'_>) {
        match event {
            FromSwarm::NewListenAddr(new) if is_circuit(new.addr) => {
                self.circuits.push((new.listener_id, new.addr.clone()));
            }
            FromSwarm::ExpiredListenAddr(old) => {
                self.circuits.retain(|(id, address)| (*id, address) != (old.listener_id, old.addr));
            }
            _ => {}
        }
    }
}

/// Is it about an address that strangers are not told?
fn is_of_circuit(event: &FromSwarm<'_>) -> bool {
    match event {
        FromSwarm::NewListenAddr(event) => is_circuit(event.addr),
        FromSwarm::ExpiredListenAddr(event) => is_circuit(event.addr),
        FromSwarm::ExternalAddrConfirmed(event) => is_circuit(event.addr),
        FromSwarm::ExternalAddrExpired(event) => is_circuit(event.addr),
        _ => false,
    }
}

impl NetworkBehaviour for Behaviour {
    type ConnectionHandler = THandler<Identify>;
    type ToSwarm = Event;

    fn handle_established_inbound_connection(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        local: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.side_of(id, peer).handle_established_inbound_connection(id, peer, local, remote)
    }

    fn handle_pending_outbound_connection(
        &mut self,
        id: ConnectionId,
        peer: Option<PeerId>,
        addresses: &[Multiaddr],
        role: Endpoint,
    ) -> Result<Vec<Multiaddr>, ConnectionDenied> {
        let mut all = self.devices.handle_pending_outbound_connection(id, peer, addresses, role)?;
        all.extend(self.strangers.handle_pending_outbound_connection(id, peer, addresses, role)?);
        Ok(all)
    }

    fn handle_established_outbound_connection(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        address: &Multiaddr,
        role: Endpoint,
        port: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.side_of(id, peer).handle_established_outbound_connection(id, peer, address, role, port)
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        self.note_circuits(&event);
        match &event {
            FromSwarm::ConnectionEstablished(came) => {
                if !self.of_devices.contains(&came.connection_id) {
                    self.of_strangers.insert(came.connection_id, (came.peer_id, came.endpoint.clone()));
                }
                self.side(came.connection_id).on_swarm_event(event);
            }
            FromSwarm::AddressChange(change) => self.side(change.connection_id).on_swarm_event(event),
            FromSwarm::ConnectionClosed(went) => {
                self.of_devices.remove(&went.connection_id);
                self.of_strangers.remove(&went.connection_id);
                // Each forgets what it has of it; of who has gone altogether, both do.
                self.devices.on_swarm_event(event);
                self.strangers.on_swarm_event(event);
            }
            _ => {
                match &event {
                    FromSwarm::DialFailure(failure) => drop(self.of_devices.remove(&failure.connection_id)),
                    FromSwarm::ListenFailure(failure) => drop(self.of_devices.remove(&failure.connection_id)),
                    _ => {}
                }
                self.devices.on_swarm_event(event);
                if !is_of_circuit(&event) {
                    self.strangers.on_swarm_event(event);
                }
            }
        }
    }

    fn on_connection_handler_event(&mut self, peer: PeerId, id: ConnectionId, event: THandlerOutEvent<Self>) {
        self.side(id).on_connection_handler_event(peer, id, event);
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        match self.devices.poll(cx) {
            Poll::Ready(event) => Poll::Ready(event),
            Poll::Pending => self.strangers.poll(cx),
        }
    }
}
