//! How many connections there may be, and whose.
//!
//! Places go by shares (see [`crate::pool`]). Whose a connection is, is known once its other end has proved its peer
//! id. A paired device and a friend's node always get a place: if all are taken, a stranger that has long been of no use
//! gives way. How many one of them has is bounded by its peer id alone.

use super::circuit::is_circuit;
use super::known::{self, Known};
use super::pools::Pools;
use crate::asker::Asker;
use crate::pool::{Full, Permit, Pool};
use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::swarm::{
    CloseConnection, ConnectionDenied, ConnectionId, DialFailure, FromSwarm, ListenFailure, NetworkBehaviour, THandler,
    THandlerInEvent, THandlerOutEvent, ToSwarm, dummy,
};
use libp2p::{Multiaddr, PeerId};
use std::collections::{HashMap, HashSet, VecDeque};
use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

/// A connection over which nothing useful has gone for this long gives way to a newcomer from the same place.
const OF_NO_USE: Duration = Duration::from_secs(30);
/// Connections that are being closed to make room, at once.
const LEAVING_MAX: usize = 64;

pub struct Behaviour {
    places: Pool,
    dials: Pool,
    per_peer: usize,
    known: Arc<Known>,
    /// Of [`Known`], when it was last asked whose each connection is.
    version: u64,
    /// Dialled because the owner, or a device's session, asked for it.
    asked: HashSet<ConnectionId>,
    dialling: HashMap<ConnectionId, Permit>,
    held: HashMap<ConnectionId, Held>,
    out: VecDeque<(PeerId, ConnectionId)>,
    waker: Option<Waker>,
}

#[derive(Debug)]
struct Held {
    peer: PeerId,
    /// Where it comes from, or goes to.
    from: Asker,
    /// None: it has given way and is being closed.
    place: Option<Permit>,
    /// It gave us something we wanted.
    gave: bool,
    /// When something useful last went over it.
    used: Instant,
}

/// One peer has more connections than it needs.
#[derive(Debug, thiserror::Error)]
#[error("this node keeps at most {0} connections to one peer")]
struct Enough(usize);

/// It came through a relay, and is not who the relay said.
#[derive(Debug, thiserror::Error)]
#[error("this node meets only paired devices and friends through a relay")]
struct Stranger;

impl std::fmt::Debug for Behaviour {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Behaviour")
            .field("places", &self.places)
            .field("held", &self.held.len())
            .finish_non_exhaustive()
    }
}

impl Behaviour {
    pub fn new(pools: &Pools, per_peer: u32, known: Arc<Known>) -> Self {
        Self {
            places: pools.connections.clone(),
            dials: pools.dials.clone(),
            per_peer: per_peer as usize,
            known,
            version: 0,
            asked: HashSet::new(),
            dialling: HashMap::new(),
            held: HashMap::new(),
            out: VecDeque::new(),
            waker: None,
        }
    }

    /// This connection is about to be dialled because somebody who may have all there is asked for it.
    pub fn asked(&mut self, id: ConnectionId) {
        self.asked.insert(id);
    }

    /// Something useful has gone over the peer's connections; `gave`: to us.
    pub fn used(&mut self, peer: &PeerId, gave: bool) {
        for held in self.held.values_mut().filter(|held| held.peer == *peer) {
            held.gave |= gave;
            held.used = Instant::now();
        }
    }

    /// If other devices are paired than before, it is asked again whose each connection is.
    fn ask_again(&mut self) {
        if self.version == self.known.version() {
            return;
        }
        self.version = self.known.version();
        let mut leave = Vec::new();
        for (id, held) in &mut self.held {
            let now = if self.known.has_place(&held.peer) { Asker::Device } else { held.from };
            let Some(place) = &mut held.place else { continue };
            let was_device = place.asker() == Asker::Device;
            if was_device != (now == Asker::Device) && place.become_of(now).is_err() {
                leave.push(*id);
            }
        }
        leave.into_iter().for_each(|id| self.leave(id));
    }

    fn admit(&mut self, id: ConnectionId, peer: PeerId, address: &Multiaddr) -> Result<(), ConnectionDenied> {
        self.ask_again();
        if self.held.values().filter(|held| held.peer == peer && held.place.is_some()).count() >= self.per_peer {
            return Err(ConnectionDenied::new(Enough(self.per_peer)));
        }
        let from = known::at(address);
        // A friend's node has a share of what it asks for, but its connections have places.
        let asker = match self.known.has_place(&peer) {
            true => Asker::Device,
            false if self.asked.remove(&id) => Asker::Owner,
            false => from,
        };
        let mut place = self.places.take(asker, 1);
        if let Err(full) = place
            && let Some(gone) = self.gives_way(asker, full)
        {
            self.leave(gone);
            place = self.places.take(asker, 1);
        }
        let place = place.map_err(ConnectionDenied::new)?;
        self.known.seen(&peer, address);
        self.held.insert(id, Held { peer, from, place: Some(place), gave: false, used: Instant::now() });
        Ok(())
    }

    /// Which connection gives way to a newcomer, if one does.
    fn gives_way(&self, newcomer: Asker, full: Full) -> Option<ConnectionId> {
        let leaving = self.held.values().filter(|held| held.place.is_none()).count();
        if newcomer.share().is_some() && leaving >= LEAVING_MAX {
            return None;
        }
        let strangers = || {
            let of_strangers = |held: &&Held| held.place.as_ref().is_some_and(|p| p.asker().share().is_some());
            self.held.iter().filter(move |(_, held)| of_strangers(held))
        };
        let least =
            |of: Asker| strangers().filter(|(_, held)| held.from == of).min_by_key(|(_, held)| (held.gave, held.used));
        if let Full::Share(_) = full {
            let (id, held) = least(newcomer)?;
            return (!held.gave && held.used.elapsed() >= OF_NO_USE).then_some(*id);
        }
        let mut each: HashMap<Asker, usize> = HashMap::new();
        strangers().for_each(|(_, held)| *each.entry(held.from).or_default() += 1);
        let mine = each.get(&newcomer).copied().unwrap_or_default();
        let (most, count) = each.into_iter().max_by_key(|(_, count)| *count)?;
        // A stranger takes from who has more than it would have, the owner and his devices from whoever has most.
        if newcomer.share().is_some() && count <= mine + 1 {
            return None;
        }
        least(most).map(|(id, _)| *id)
    }

    fn leave(&mut self, id: ConnectionId) {
        let Some(held) = self.held.get_mut(&id) else { return };
        held.place = None;
        self.out.push_back((held.peer, id));
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    fn forget(&mut self, id: ConnectionId) {
        self.asked.remove(&id);
        self.dialling.remove(&id);
        self.held.remove(&id);
    }
}

impl NetworkBehaviour for Behaviour {
    type ConnectionHandler = dummy::ConnectionHandler;
    type ToSwarm = Infallible;

    fn handle_established_inbound_connection(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        local: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        if is_circuit(local) && !self.known.may_meet(&peer) {
            return Err(ConnectionDenied::new(Stranger));
        }
        self.admit(id, peer, remote)?;
        Ok(dummy::ConnectionHandler)
    }

    fn handle_pending_outbound_connection(
        &mut self,
        id: ConnectionId,
        peer: Option<PeerId>,
        addresses: &[Multiaddr],
        _: Endpoint,
    ) -> Result<Vec<Multiaddr>, ConnectionDenied> {
        let ours = self.asked.contains(&id) || peer.is_some_and(|peer| self.known.has_place(&peer));
        let asker = match addresses.first() {
            _ if ours => Asker::Owner,
            Some(address) => known::at(address),
            None => known::at(&Multiaddr::empty()),
        };
        self.dialling.insert(id, self.dials.take(asker, 1).map_err(ConnectionDenied::new)?);
        Ok(Vec::new())
    }

    fn handle_established_outbound_connection(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        address: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.dialling.remove(&id);
        self.admit(id, peer, address)?;
        Ok(dummy::ConnectionHandler)
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        match event {
            FromSwarm::ConnectionClosed(closed) => self.forget(closed.connection_id),
            FromSwarm::DialFailure(DialFailure { connection_id, .. })
            | FromSwarm::ListenFailure(ListenFailure { connection_id, .. }) => self.forget(connection_id),
            _ => {}
        }
    }

    fn on_connection_handler_event(&mut self, _: PeerId, _: ConnectionId, event: THandlerOutEvent<Self>) {
        match event {}
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<ToSwarm<Infallible, THandlerInEvent<Self>>> {
        if let Some((peer_id, id)) = self.out.pop_front() {
            return Poll::Ready(ToSwarm::CloseConnection { peer_id, connection: CloseConnection::One(id) });
        }
        self.waker = Some(cx.waker().clone());
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::Limits;
    use std::iter::empty;

    fn address(n: u8) -> Multiaddr {
        format!("/ip4/10.0.0.{n}/tcp/1").parse().expect("an address")
    }

    struct Tried {
        behaviour: Behaviour,
        next: usize,
    }

    impl Tried {
        fn new() -> Self {
            let limits = Limits {
                connections: 10,
                connections_per_peer: 2,
                connections_per_address: 4,
                connections_reserved: 2,
                ..Limits::default()
            };
            Self {
                behaviour: Behaviour::new(&Pools::new(&limits), limits.connections_per_peer, Arc::default()),
                next: 0,
            }
        }

        fn comes(&mut self, peer: PeerId, n: u8) -> Option<ConnectionId> {
            self.next += 1;
            let id = ConnectionId::new_unchecked(self.next);
            self.behaviour.admit(id, peer, &address(n)).ok().map(|()| id)
        }

        fn strangers(&mut self, count: usize, n: u8) -> Vec<ConnectionId> {
            (0..count).filter_map(|_| self.comes(PeerId::random(), n)).collect()
        }

        fn closed(&mut self) -> Vec<ConnectionId> {
            self.behaviour.out.drain(..).map(|(_, id)| id).collect()
        }
    }

    #[test]
    fn a_place_has_its_share_and_a_device_its_own_even_when_all_are_taken() {
        let mut tried = Tried::new();
        let device = PeerId::random();
        tried.behaviour.known.set([format!("/ip4/10.0.0.1/tcp/1/p2p/{device}").as_str()].into_iter(), empty());
        let first = tried.strangers(300, 1);
        assert_eq!(first.len(), 4, "one place");
        assert!(tried.comes(device, 1).is_some(), "from the very place of the flood");
        assert_eq!(tried.strangers(300, 2).len(), 3, "as many as are left, for it would have no less than the first");
        assert_eq!(tried.strangers(300, 3).len(), 2, "taken from those who had more, and no further");
        assert_eq!(tried.closed().len(), 2);
        assert!(tried.comes(device, 1).is_some() && tried.comes(device, 1).is_none(), "two of one peer");
        let others = [PeerId::random(), PeerId::random()];
        let told = others.map(|peer| format!("/ip4/10.0.0.1/tcp/1/p2p/{peer}"));
        tried.behaviour.known.set(told[..1].iter().map(String::as_str), told[1..].iter().map(String::as_str));
        for peer in others {
            assert!(tried.comes(peer, 9).is_some(), "when all are taken, a stranger goes, for a friend as well");
        }
        assert_eq!(tried.closed().len(), 1);
        assert_eq!(tried.behaviour.places.used(), 10);
    }

    #[test]
    fn who_was_of_no_use_for_long_gives_way_first() {
        let mut tried = Tried::new();
        let peers = [(); 4].map(|()| PeerId::random());
        let ids = peers.map(|peer| tried.comes(peer, 1).expect("room"));
        assert!(tried.comes(PeerId::random(), 1).is_none(), "they have only come");
        let long_ago = Instant::now().checked_sub(OF_NO_USE * 2).expect("the clock runs");
        tried.behaviour.held.values_mut().for_each(|held| held.used = long_ago);
        tried.behaviour.used(&peers[0], true);
        tried.behaviour.held.get_mut(&ids[0]).expect("held").used = long_ago;
        tried.behaviour.used(&peers[1], false);
        assert_eq!(tried.strangers(3, 1).len(), 2);
        let mut closed = tried.closed();
        closed.sort();
        assert_eq!(closed, [ids[2], ids[3]], "one gave us something, another was used just now");
    }

    #[test]
    fn who_becomes_a_device_has_a_devices_place() {
        let mut tried = Tried::new();
        let device = PeerId::random();
        tried.comes(device, 1).expect("room");
        assert_eq!(tried.strangers(10, 1).len(), 3);
        tried.behaviour.known.set([format!("/dns4/home.example/tcp/1/p2p/{device}").as_str()].into_iter(), empty());
        assert_eq!(tried.strangers(10, 1).len(), 1, "its share is free again");
        tried.behaviour.known.set(empty(), empty());
        tried.behaviour.ask_again();
        assert_eq!(tried.closed().len(), 1, "and as a stranger it has none left");
    }
}
