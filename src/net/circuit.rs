//! Connections through a relay (circuits): their addresses, and what the relay lets through.
//!
//! An address of a circuit names the relay and, behind `p2p-circuit`, who is met.

use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, PeerId};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Peers whose limits are remembered.
const LIMITS_MAX: usize = 1024;
/// A relay that lets a circuit last this long does not limit it: whoever uses it connects again for other reasons.
const LONG: Duration = Duration::from_secs(12 * 60 * 60);

/// How a stream goes to its other end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Line {
    /// Through a relay.
    pub relayed: bool,
    /// Bytes, both ways together, after which the relay cuts the connection. `None`: it does not, or did not say so.
    pub bytes: Option<u64>,
    /// How long the relay keeps the connection, from its beginning.
    pub time: Option<Duration>,
}

impl Line {
    /// Will the relay cut it after a while? Then bulk does not belong on it.
    pub fn is_limited(&self) -> bool {
        self.bytes.is_some() || self.time.is_some()
    }
}

/// What relays have said of circuits: by the relay for those this node dialled, by the other end for those that came.
#[derive(Debug, Clone, Default)]
pub struct Limits(Arc<Mutex<HashMap<PeerId, Line>>>);

impl Limits {
    /// A relay has said how much a circuit may carry (0: as much as one likes), and for how long.
    pub fn tell(&self, peer: PeerId, limit: Option<(Option<u64>, Option<Duration>)>) {
        let (bytes, time) = limit.unwrap_or_default();
        let time = time.filter(|time| !time.is_zero() && *time < LONG);
        let line = Line { relayed: true, bytes: bytes.filter(|bytes| *bytes > 0), time };
        let mut limits = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if limits.len() >= LIMITS_MAX && !limits.contains_key(&peer) {
            limits.clear();
        }
        limits.insert(peer, line);
    }

    /// Of a connection, given who told its limit; `None`: it is direct.
    pub fn line(&self, teller: Option<PeerId>) -> Line {
        let Some(peer) = teller else { return Line::default() };
        let limits = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        limits.get(&peer).copied().unwrap_or(Line { relayed: true, ..Line::default() })
    }
}

pub fn is_circuit(address: &Multiaddr) -> bool {
    address.iter().any(|part| part == Protocol::P2pCircuit)
}

/// The relay that an address of a circuit names.
pub fn relay_of(address: &Multiaddr) -> Option<PeerId> {
    let before = address.iter().take_while(|part| *part != Protocol::P2pCircuit);
    let peers = before.filter_map(|part| if let Protocol::P2p(id) = part { Some(id) } else { None });
    peers.last().filter(|_| is_circuit(address))
}

/// Who is met behind the relay.
pub fn met(address: &Multiaddr) -> Option<PeerId> {
    match address.iter().last() {
        Some(Protocol::P2p(id)) => Some(id),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_tells_the_relay_and_who_is_behind_it() {
        let (relay, device) = (PeerId::random(), PeerId::random());
        let address = |text: String| text.parse::<Multiaddr>().expect("an address");
        let circuit = address(format!("/dns4/relay.example/tcp/1/p2p/{relay}/p2p-circuit/p2p/{device}"));
        assert_eq!((relay_of(&circuit), met(&circuit)), (Some(relay), Some(device)));
        let direct = address(format!("/ip4/1.2.3.4/tcp/1/p2p/{device}"));
        assert_eq!((relay_of(&direct), is_circuit(&direct)), (None, false));
        let to_nobody = address(format!("/ip4/1.2.3.4/tcp/1/p2p/{relay}/p2p-circuit"));
        assert_eq!(met(&to_nobody), None);
    }

    #[test]
    fn a_limit_of_nothing_is_none() {
        let (limits, peer) = (Limits::default(), PeerId::random());
        assert!(!limits.line(None).relayed);
        assert!(limits.line(Some(peer)).relayed && !limits.line(Some(peer)).is_limited());
        limits.tell(peer, Some((Some(1 << 17), Some(Duration::from_secs(120)))));
        assert_eq!(limits.line(Some(peer)).bytes, Some(1 << 17));
        limits.tell(peer, Some((Some(0), Some(LONG))));
        assert!(!limits.line(Some(peer)).is_limited());
        for _ in 0..3 * LIMITS_MAX {
            limits.tell(PeerId::random(), None);
        }
        assert!(limits.0.lock().expect("not poisoned").len() <= LIMITS_MAX);
    }
}
