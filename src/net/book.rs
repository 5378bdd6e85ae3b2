//! Where devices may be reached, as far as the network knows.
//!
//! Only devices and friends' nodes are written down, and of each so much and no more: what is in here comes from others.

use super::circuit::is_circuit;
use libp2p::{Multiaddr, PeerId};
use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

/// Addresses of one device and one source that are kept, the latest.
const EACH_MAX: usize = 8;
/// The longest address that is kept, in bytes.
const BYTES_MAX: usize = 256;
/// How long an address counts that was found and that nobody has told again.
const FOUND_FOR: Duration = Duration::from_secs(60 * 60);

/// How an address became known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    /// The device was reached there.
    Seen,
    /// It was found on the local network.
    Near,
    /// It was given with the device.
    Told,
    /// The device says so itself.
    Said,
    /// The public network's table says so.
    Table,
    /// It is behind a relay that this node uses, too.
    Relay,
}

/// An address of a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// A multiaddr with the peer id at its end.
    pub address: String,
    pub source: Source,
}

#[derive(Debug, Default)]
pub struct Book(HashMap<PeerId, VecDeque<Entry>>);

#[derive(Debug)]
struct Entry {
    address: Multiaddr,
    source: Source,
    until: Option<Instant>,
}

impl Book {
    /// Writes down an address of a device. True: it was not there.
    pub fn note(&mut self, peer: PeerId, address: &Multiaddr, source: Source, now: Instant) -> bool {
        let Ok(address) = address.clone().with_p2p(peer) else { return false };
        if address.as_ref().len() > BYTES_MAX || (source == Source::Seen && is_circuit(&address)) {
            return false;
        }
        let until = matches!(source, Source::Near | Source::Table).then(|| now + FOUND_FOR);
        let entries = self.0.entry(peer).or_default();
        let before = entries.len();
        entries.retain(|entry| entry.source != source || entry.address != address);
        let is_new = entries.len() == before;
        entries.push_front(Entry { address, source, until });
        let mut of_source = 0;
        entries.retain(|entry| {
            of_source += usize::from(entry.source == source);
            entry.source != source || of_source <= EACH_MAX
        });
        is_new
    }

    /// What the device says of itself; what it said before is forgotten.
    pub fn said<'a>(&mut self, peer: PeerId, addresses: impl Iterator<Item = &'a Multiaddr>, now: Instant) {
        if let Some(entries) = self.0.get_mut(&peer) {
            entries.retain(|entry| entry.source != Source::Said);
        }
        for address in addresses.take(EACH_MAX) {
            self.note(peer, address, Source::Said, now);
        }
    }

    /// Forgets all who are no devices any more.
    pub fn keep(&mut self, is_near: impl Fn(&PeerId) -> bool) {
        self.0.retain(|peer, _| is_near(peer));
    }

    /// Each address once, the best first.
    pub fn of(&self, peer: &PeerId, now: Instant) -> Vec<(Multiaddr, Source)> {
        let entries = self.0.get(peer).into_iter().flatten();
        let mut list: Vec<(Multiaddr, Source)> = entries
            .filter(|entry| entry.until.is_none_or(|until| until > now))
            .map(|entry| (entry.address.clone(), entry.source))
            .collect();
        list.sort_by_key(|(_, source)| *source);
        once(list)
    }
}

/// Each address once, where it comes first.
pub fn once(mut list: Vec<(Multiaddr, Source)>) -> Vec<(Multiaddr, Source)> {
    let mut seen = std::collections::HashSet::new();
    list.retain(|(address, _)| seen.insert(address.clone()));
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Multiaddr {
        text.parse().expect("an address")
    }

    #[test]
    fn of_a_device_so_much_is_kept_and_the_best_comes_first() {
        let (mut book, device, now) = (Book::default(), PeerId::random(), Instant::now());
        let port = |n: usize| address(&format!("/ip4/10.0.0.1/tcp/{n}"));
        book.said(device, (1..100).map(port).collect::<Vec<_>>().iter(), now);
        assert_eq!(book.of(&device, now).len(), EACH_MAX);
        assert!(book.note(device, &port(7), Source::Seen, now) && !book.note(device, &port(7), Source::Seen, now));
        let list = book.of(&device, now);
        assert_eq!((list.len(), &list[0]), (EACH_MAX, &(port(7).with_p2p(device).expect("its own"), Source::Seen)));
        for n in 100..200 {
            book.note(device, &port(n), Source::Table, now);
        }
        assert_eq!(book.of(&device, now).len(), 2 * EACH_MAX);
        assert_eq!(book.of(&device, now + FOUND_FOR).len(), EACH_MAX, "what was found is not for ever");
        book.said(device, [port(3)].iter(), now);
        assert_eq!(book.of(&device, now + FOUND_FOR).len(), 2, "what it says now counts");
        book.keep(|_| false);
        assert!(book.of(&device, now).is_empty());
    }

    #[test]
    fn what_is_no_address_of_the_device_is_not_kept() {
        let (mut book, device, now) = (Book::default(), PeerId::random(), Instant::now());
        let other = PeerId::random();
        let circuit = address(&format!("/ip4/10.0.0.1/tcp/1/p2p/{other}/p2p-circuit"));
        assert!(!book.note(device, &address(&format!("/ip4/10.0.0.1/tcp/1/p2p/{other}")), Source::Said, now));
        assert!(!book.note(device, &address(&format!("/dns4/{}/tcp/1", "x".repeat(BYTES_MAX))), Source::Said, now));
        assert!(!book.note(device, &circuit, Source::Seen, now), "seen is only who is reached directly");
        assert!(book.note(device, &circuit, Source::Said, now));
    }
}
