//! The relays through which this node can be met: those of the settings, and devices that offer it.
//!
//! A place at a relay is a listener of the swarm. If it closes, it is asked for again, later each time.

use super::circuit::is_circuit;
use crate::task::Backoff;
use libp2p::core::transport::ListenerId;
use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, PeerId};
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// Devices whose offer is taken; more of them would not make this node easier to meet.
const OFFERED_MAX: usize = 4;
/// How long until a relay is asked again: at first, and at most.
const AGAIN: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

#[derive(Debug, Default)]
pub struct Relays(HashMap<PeerId, Relay>);

#[derive(Debug)]
struct Relay {
    /// Ends in the relay's peer id.
    address: Multiaddr,
    /// From the settings, not a device's offer.
    configured: bool,
    state: State,
    backoff: Backoff,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// To be asked then.
    Waits(Instant),
    /// Asked; whether it agreed.
    Asked(ListenerId, bool),
}

impl Relays {
    /// `relays`: those of the settings, each with its address, which ends in its peer id.
    pub fn new(relays: Vec<(PeerId, Multiaddr)>, now: Instant) -> Self {
        let relay = |(peer, address)| (peer, Relay::new(address, true, now));
        Self(relays.into_iter().map(relay).collect())
    }

    /// A device offers to relay; this is an address of it.
    pub fn offered(&mut self, peer: PeerId, address: &Multiaddr, now: Instant) {
        let offered = self.0.values().filter(|relay| !relay.configured).count();
        if self.0.contains_key(&peer) || offered >= OFFERED_MAX || is_circuit(address) {
            return;
        }
        let Ok(address) = address.clone().with_p2p(peer) else { return };
        self.0.insert(peer, Relay::new(address, false, now));
    }

    /// Forgets the offers of those who are no devices any more; their listeners are to be closed.
    pub fn keep(&mut self, is_offered: impl Fn(&PeerId) -> bool) -> Vec<ListenerId> {
        let mut closed = Vec::new();
        self.0.retain(|peer, relay| {
            let kept = relay.configured || is_offered(peer);
            if let (false, State::Asked(id, _)) = (kept, relay.state) {
                closed.push(id);
            }
            kept
        });
        closed
    }

    /// A device does not relay any more: its place is free for another. Its listener, if it has one, is to be closed.
    pub fn withdrawn(&mut self, peer: &PeerId) -> Option<ListenerId> {
        self.0.get(peer).filter(|relay| !relay.configured)?;
        match self.0.remove(peer)?.state {
            State::Asked(id, _) => Some(id),
            State::Waits(_) => None,
        }
    }

    /// Who is to be asked now, and the address to listen on for that.
    pub fn due(&self, now: Instant) -> Vec<(PeerId, Multiaddr)> {
        let due = self.0.iter().filter(|(_, relay)| matches!(relay.state, State::Waits(at) if at <= now));
        due.map(|(peer, relay)| (*peer, relay.address.clone().with(Protocol::P2pCircuit))).collect()
    }

    /// When the next one is to be asked.
    pub fn next_due(&self) -> Option<Instant> {
        let waits = |relay: &Relay| if let State::Waits(at) = relay.state { Some(at) } else { None };
        self.0.values().filter_map(waits).min()
    }

    pub fn asked(&mut self, peer: &PeerId, id: ListenerId) {
        if let Some(relay) = self.0.get_mut(peer) {
            relay.state = State::Asked(id, false);
        }
    }

    /// It cannot even be asked.
    pub fn refused(&mut self, peer: &PeerId, now: Instant) {
        if let Some(relay) = self.0.get_mut(peer) {
            relay.state = State::Waits(now + relay.backoff.wait());
        }
    }

    /// The relay keeps a place for this node.
    pub fn agreed(&mut self, peer: &PeerId) {
        if let Some(relay) = self.0.get_mut(peer)
            && let State::Asked(id, _) = relay.state
        {
            relay.state = State::Asked(id, true);
            relay.backoff.reset();
        }
    }

    /// A listener has closed; was it a place at a relay?
    pub fn closed(&mut self, id: ListenerId, now: Instant) -> Option<PeerId> {
        let found = self.0.iter().find(|(_, relay)| matches!(relay.state, State::Asked(asked, _) if asked == id));
        let peer = *found?.0;
        self.refused(&peer, now);
        Some(peer)
    }

    /// Relays that keep a place for this node.
    pub fn held(&self) -> usize {
        self.0.values().filter(|relay| matches!(relay.state, State::Asked(_, true))).count()
    }

    /// Where a peer is met that uses the same relays, whichever of them it does.
    pub fn circuits(&self, to: PeerId) -> Vec<Multiaddr> {
        let others = self.0.iter().filter(|(peer, _)| **peer != to);
        others.map(|(_, relay)| relay.address.clone().with(Protocol::P2pCircuit).with(Protocol::P2p(to))).collect()
    }
}

impl Relay {
    fn new(address: Multiaddr, configured: bool, now: Instant) -> Self {
        Self { address, configured, state: State::Waits(now), backoff: Backoff::new(AGAIN.0, AGAIN.1) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(n: u8, peer: PeerId) -> Multiaddr {
        format!("/ip4/10.0.0.{n}/tcp/1/p2p/{peer}").parse().expect("an address")
    }

    #[test]
    fn a_relay_that_closed_is_asked_again_later_each_time_until_it_agrees() {
        let (relay, mut now) = (PeerId::random(), Instant::now());
        let mut relays = Relays::new(vec![(relay, address(1, relay))], now);
        let mut waited = Vec::new();
        for _ in 0..10 {
            assert_eq!(relays.due(now), [(relay, address(1, relay).with(Protocol::P2pCircuit))]);
            let id = ListenerId::next();
            relays.asked(&relay, id);
            assert!(relays.due(now).is_empty());
            assert_eq!((relays.closed(ListenerId::next(), now), relays.closed(id, now)), (None, Some(relay)));
            let begun = now;
            while relays.due(now).is_empty() {
                now += Duration::from_millis(100);
            }
            waited.push(now - begun);
        }
        assert!(waited[0] <= AGAIN.0 * 2 && waited[9] > waited[0] && waited[9] <= AGAIN.1 * 2, "{waited:?}");
        relays.asked(&relay, ListenerId::next());
        assert_eq!(relays.held(), 0);
        relays.agreed(&relay);
        assert_eq!(relays.held(), 1);
    }

    #[test]
    fn devices_offers_are_few_and_go_with_the_device() {
        let now = Instant::now();
        let configured = PeerId::random();
        let mut relays = Relays::new(vec![(configured, address(1, configured))], now);
        let devices: Vec<PeerId> = (0..9).map(|_| PeerId::random()).collect();
        devices.iter().for_each(|peer| relays.offered(*peer, &"/ip4/10.0.0.2/tcp/1".parse().expect("one"), now));
        assert_eq!(relays.due(now).len(), 1 + OFFERED_MAX);
        let circuits = relays.circuits(devices[0]);
        assert_eq!(circuits.len(), OFFERED_MAX, "not through itself");
        assert!(circuits.iter().all(|c| super::super::known::peer_of(c) == Some(devices[0])));
        let id = ListenerId::next();
        relays.asked(&devices[1], id);
        assert_eq!((relays.withdrawn(&configured), relays.withdrawn(&devices[1])), (None, Some(id)));
        relays.offered(devices[8], &"/ip4/10.0.0.2/tcp/1".parse().expect("one"), now);
        assert!(relays.due(now).iter().any(|(peer, _)| *peer == devices[8]), "there is a place for another");
        let id = ListenerId::next();
        relays.asked(&devices[0], id);
        assert_eq!(relays.keep(|_| false), [id]);
        assert_eq!(relays.due(now).len(), 1, "those of the settings stay");
    }
}
