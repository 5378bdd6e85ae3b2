//! What to answer to whom. Keeps each peer's wantlist and hands out small jobs ("look these up, make one message"). It
//! never holds block bytes: a slow peer costs its wantlist and at most two messages.

use super::client::Key;
use super::message::{BLOCK_BYTES_MAX, Entry, MESSAGE_BYTES_MAX, Message, Presence, Want, encode};
use crate::asker::Asker;
use crate::cid::Cid;
use crate::net::source::BlockSource;
use crate::pool::{Permit, Pool};
use bytes::Bytes;
use libp2p::PeerId;
use std::collections::{BTreeMap, HashMap, hash_map};

/// Wants kept per peer, as kubo keeps; what is beyond is not remembered.
pub const WANTLIST_MAX: usize = 1024;
/// Messages made for a peer that it has not taken yet: one on the wire, one ready behind it.
const MESSAGES_AHEAD: usize = 2;
/// Entries answered by one job: enough for one message of presences or of small blocks.
const JOB_ENTRIES: usize = 128;
/// A block up to this size is sent at once to a peer that only asks whether we have it, as kubo does.
const HAVE_BECOMES_BLOCK: usize = 1024;

#[derive(Debug)]
pub struct Server {
    ledgers: HashMap<PeerId, Ledger>,
    places: Pool,
    order: u64,
}

#[derive(Debug)]
struct Ledger {
    /// A place for each want.
    place: Permit,
    wants: HashMap<Key, Line>,
    queue: BTreeMap<u64, Key>,
    looking: bool,
    ahead: usize,
}

#[derive(Debug)]
struct Line {
    entry: Entry,
    order: u64,
    /// We lack it; kept in case it arrives.
    lacking: bool,
}

/// Entries to look up for one peer.
#[derive(Debug)]
pub struct Job {
    pub peer: PeerId,
    entries: Vec<(u64, Entry)>,
}

/// What became of a [`Job`].
#[derive(Debug)]
pub struct Done {
    pub peer: PeerId,
    /// The message to send, framed; none if there is nothing to say.
    pub frame: Option<Bytes>,
    pub blocks: u64,
    pub bytes: u64,
    pub dont_haves: u64,
    settled: Vec<(Key, u64, bool)>,
    left: Vec<(Key, u64)>,
}

impl Server {
    /// All wantlists together have `places`.
    pub fn new(places: Pool) -> Self {
        Self { ledgers: HashMap::new(), places, order: 0 }
    }

    pub fn disconnected(&mut self, peer: &PeerId) {
        self.ledgers.remove(peer);
    }

    /// The peer's connection changed: what was on its way is gone, its wants stay.
    pub fn rerouted(&mut self, peer: &PeerId) {
        if let Some(ledger) = self.ledgers.get_mut(peer) {
            ledger.ahead = 0;
        }
    }

    pub fn received(&mut self, (peer, asker): (PeerId, Asker), wants: Vec<Entry>, full: bool) {
        if wants.is_empty() && !full {
            return;
        }
        let ledger = match self.ledgers.entry(peer) {
            hash_map::Entry::Occupied(ledger) => ledger.into_mut(),
            hash_map::Entry::Vacant(free) => match self.places.take(asker, 0) {
                Ok(place) => free.insert(Ledger::new(place)),
                Err(_) => return,
            },
        };
        if full {
            ledger.wants.clear();
            ledger.queue.clear();
        }
        for entry in wants {
            self.order += 1;
            ledger.put(entry, self.order);
        }
        ledger.place.shrink(ledger.wants.len());
    }

    /// These blocks may be given from now on: whoever waits for one gets it.
    pub fn arrived<'a>(&mut self, keys: impl Iterator<Item = &'a Key> + Clone) {
        for ledger in self.ledgers.values_mut() {
            for key in keys.clone() {
                if let Some(line) = ledger.wants.get_mut(key).filter(|l| l.lacking) {
                    line.lacking = false;
                    ledger.queue.insert(line.order, *key);
                }
            }
        }
    }

    /// The peer has taken one message.
    pub fn sent(&mut self, peer: &PeerId) {
        if let Some(ledger) = self.ledgers.get_mut(peer) {
            ledger.ahead = ledger.ahead.saturating_sub(1);
        }
    }

    /// Is there work for `peer`, and has it not enough before it?
    pub fn is_due(&self, peer: &PeerId) -> bool {
        self.ledgers.get(peer).is_some_and(Ledger::is_due)
    }

    /// The next work for `peer`.
    pub fn job(&mut self, peer: &PeerId) -> Option<Job> {
        let ledger = self.ledgers.get_mut(peer).filter(|ledger| ledger.is_due())?;
        let mut entries = Vec::new();
        while entries.len() < JOB_ENTRIES {
            let Some((order, key)) = ledger.queue.pop_first() else { break };
            if let Some(line) = ledger.wants.get(&key) {
                entries.push((order, line.entry.clone()));
            }
        }
        ledger.looking = true;
        Some(Job { peer: *peer, entries })
    }

    /// Takes a job back; the frame, if any, is the caller's to send.
    pub fn done(&mut self, done: &Done) {
        let Some(ledger) = self.ledgers.get_mut(&done.peer) else { return };
        ledger.looking = false;
        ledger.ahead += usize::from(done.frame.is_some());
        for (key, order, lacking) in &done.settled {
            // A newer want for the same block has its own place in the queue.
            let Some(line) = ledger.wants.get_mut(key).filter(|l| l.order == *order) else { continue };
            if *lacking {
                line.lacking = true;
            } else {
                ledger.wants.remove(key);
            }
        }
        for (key, order) in &done.left {
            if ledger.wants.get(key).is_some_and(|l| l.order == *order) {
                ledger.queue.insert(*order, *key);
            }
        }
        ledger.place.shrink(ledger.wants.len());
    }

    pub fn wants(&self) -> usize {
        self.ledgers.values().map(|l| l.wants.len()).sum()
    }
}

impl Ledger {
    fn new(place: Permit) -> Self {
        Self { place, wants: HashMap::new(), queue: BTreeMap::new(), looking: false, ahead: 0 }
    }

    fn is_due(&self) -> bool {
        !self.looking && self.ahead < MESSAGES_AHEAD && !self.queue.is_empty()
    }

    fn put(&mut self, entry: Entry, order: u64) {
        let key = *entry.cid.hash();
        if let Some(old) = self.wants.remove(&key) {
            self.queue.remove(&old.order);
        }
        if entry.want == Want::Cancel || !self.has_room() {
            return;
        }
        self.queue.insert(order, key);
        self.wants.insert(key, Line { entry, order, lacking: false });
    }

    /// Makes room by forgetting a want we could not serve, if the list is full.
    fn has_room(&mut self) -> bool {
        let count = self.wants.len();
        if count < WANTLIST_MAX && (self.place.count() > count || self.place.grow(1).is_ok()) {
            return true;
        }
        let oldest = self.wants.iter().filter(|(_, l)| l.lacking).min_by_key(|(_, l)| l.order).map(|(k, _)| *k);
        oldest.is_some_and(|key| self.wants.remove(&key).is_some())
    }
}

impl Job {
    /// Looks the entries up and makes one message. Blocks: runs on a thread that may.
    pub fn run(self, source: &dyn BlockSource) -> Done {
        let mut message = Message::default();
        let (mut settled, mut left, mut bytes) = (Vec::new(), Vec::new(), 0);
        let mut entries = self.entries.into_iter();
        for (order, entry) in entries.by_ref() {
            let key = *entry.cid.hash();
            match look_up(source, &entry, MESSAGE_BYTES_MAX.saturating_sub(bytes), message.blocks.is_empty()) {
                Lookup::Block(data) => {
                    bytes += data.len();
                    message.blocks.push((entry.cid, data));
                    settled.push((key, order, false));
                }
                Lookup::Have => {
                    message.presences.push((entry.cid, Presence::Have));
                    settled.push((key, order, false));
                }
                Lookup::Nothing => {
                    if entry.send_dont_have {
                        message.presences.push((entry.cid, Presence::DontHave));
                    }
                    settled.push((key, order, true));
                }
                Lookup::NoRoom => {
                    left.push((key, order));
                    break;
                }
            }
        }
        left.extend(entries.map(|(order, entry)| (*entry.cid.hash(), order)));
        let blocks = message.blocks.len() as u64;
        let dont_haves = message.presences.iter().filter(|(_, p)| *p == Presence::DontHave).count() as u64;
        let frame = (blocks > 0 || !message.presences.is_empty()).then(|| Bytes::from(encode(&message)));
        Done { peer: self.peer, frame, blocks, bytes: bytes as u64, dont_haves, settled, left }
    }

    /// The job could not run: its entries go back to the queue... as lacking, so that they are not tried forever.
    pub fn failed(peer: PeerId, cids: &[(Cid, u64)]) -> Done {
        let settled = cids.iter().map(|(cid, order)| (*cid.hash(), *order, true)).collect();
        Done { peer, frame: None, blocks: 0, bytes: 0, dont_haves: 0, settled, left: Vec::new() }
    }

    pub fn cids(&self) -> Vec<(Cid, u64)> {
        self.entries.iter().map(|(order, entry)| (entry.cid, *order)).collect()
    }
}

enum Lookup {
    Block(Bytes),
    Have,
    Nothing,
    NoRoom,
}

fn look_up(source: &dyn BlockSource, entry: &Entry, room: usize, first: bool) -> Lookup {
    // Asked once: the size is that of its place, and only what is sent is read.
    let Some(offer) = source.offer(&entry.cid).filter(|offer| offer.size() <= BLOCK_BYTES_MAX) else {
        return Lookup::Nothing;
    };
    if entry.want == Want::Have && offer.size() > HAVE_BECOMES_BLOCK {
        return Lookup::Have;
    }
    if offer.size() > room && !first {
        return Lookup::NoRoom;
    }
    // It may have gone, or be another size than was said.
    offer.read().filter(|block| block.len() <= BLOCK_BYTES_MAX).map_or(Lookup::Nothing, Lookup::Block)
}

#[cfg(test)]
mod tests;
