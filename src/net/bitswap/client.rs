//! Whom to ask for which block. No I/O and no clock: what happened, and when, comes in; messages and events go out. So
//! a test can tell every failover.
//!
//! How a block is asked for:
//!
//! 1. Peers that have given blocks to the session are asked for the block itself. If there are none, every connected
//!    peer is asked whether it has it (WANT_HAVE).
//! 2. One peer at a time is asked for the bytes, the least busy one, so that a block is not sent twice.
//! 3. If it answers DONT_HAVE, goes away or stays silent, the next one is asked.
//! 4. When nobody is left, providers are searched.

use super::message::{BLOCK_BYTES_MAX, Entry, Message, Presence, Want};
use crate::cid::Cid;
use bytes::Bytes;
use libp2p::PeerId;
use multihash::Multihash;
use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::time::{Duration, Instant};

/// Blocks are known by their multihash: a peer may answer under another codec or CID version.
pub type Key = Multihash<64>;
pub type SessionId = u64;

/// How many blocks may be wanted at once by the whole node; a caller beyond that is told to wait.
pub const WANTS_MAX: usize = 4096;
/// Entries per wantlist message: at most 100 bytes each, so a message stays well below any peer's limit.
const ENTRIES_PER_MESSAGE: usize = 512;
/// A peer that says neither HAVE nor DONT_HAVE for this long is passed over.
const HAVE_TIMEOUT: Duration = Duration::from_secs(5);
/// A peer that was asked for a block and has sent no block at all for this long is passed over.
const BLOCK_TIMEOUT: Duration = Duration::from_secs(10);
/// A silent peer is asked again after this long; it may have been busy.
const SILENT_RETRY: Duration = Duration::from_secs(10);
/// A want without any HAVE for this long makes us look for providers besides the connected peers.
const SEARCH_AFTER: Duration = Duration::from_secs(1);

/// What the client has to say to the rest of the node.
#[derive(Debug, PartialEq, Eq)]
pub enum ClientEvent {
    Block(Key, Bytes),
    /// Nobody reachable has it: every connected peer said so and the search for providers ended.
    Exhausted(Key, Asked),
    /// Find providers of this CID, then call [`Client::searched`].
    Search(Cid),
}

/// How the question for one block stands.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Asked {
    /// Peers that were asked.
    pub peers: u32,
    /// Peers that said they do not have it (or may not give it).
    pub lack: u32,
}

#[derive(Debug, Default)]
pub struct Client {
    peers: HashMap<PeerId, Peer>,
    sessions: HashMap<SessionId, Session>,
    wanted: HashMap<Key, Wanted>,
    /// Searches on their way, by the multihash searched for.
    searches: HashSet<Key>,
    events: VecDeque<ClientEvent>,
    order: u64,
}

#[derive(Debug, Default)]
struct Peer {
    /// What to tell the peer next: per block only the latest word.
    outbox: HashMap<Key, (u64, Entry)>,
    greeted: bool,
    in_flight: usize,
    heard: Option<Instant>,
    /// Timeouts since the last block: slow peers are asked last.
    strikes: u32,
}

#[derive(Debug, Default)]
struct Session {
    /// Peers that had something of this DAG.
    good: HashSet<PeerId>,
    root: Option<Cid>,
    wants: HashSet<Key>,
}

#[derive(Debug)]
struct Wanted {
    cid: Cid,
    since: Instant,
    sessions: BTreeSet<SessionId>,
    asks: HashMap<PeerId, Ask>,
    /// Both the session's root and this block have been searched for.
    root_searched: bool,
    self_searched: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ask {
    /// Asked whether it has the block.
    Have(Instant),
    /// It has it.
    Has,
    /// Asked for the block.
    Block(Instant),
    Lacks,
    Silent(Instant),
}

impl Client {
    pub fn connected(&mut self, peer: PeerId, now: Instant) {
        self.peers.entry(peer).or_default();
        self.advance_all(now);
    }

    pub fn disconnected(&mut self, peer: &PeerId, now: Instant) {
        self.peers.remove(peer);
        for session in self.sessions.values_mut() {
            session.good.remove(peer);
        }
        for wanted in self.wanted.values_mut() {
            wanted.asks.remove(peer);
        }
        self.advance_all(now);
    }

    /// Does anybody wait for more blocks than the node keeps track of?
    pub fn is_full(&self) -> bool {
        self.wanted.len() >= WANTS_MAX
    }

    pub fn want(&mut self, session: SessionId, cid: Cid, now: Instant) {
        let key = *cid.hash();
        let s = self.sessions.entry(session).or_default();
        s.root.get_or_insert(cid);
        s.wants.insert(key);
        let wanted = self.wanted.entry(key).or_insert_with(|| Wanted {
            cid,
            since: now,
            sessions: BTreeSet::new(),
            asks: HashMap::new(),
            root_searched: false,
            self_searched: false,
        });
        wanted.sessions.insert(session);
        self.advance(key, now);
    }

    /// The session no longer wants this block.
    pub fn cancel(&mut self, session: SessionId, key: &Key) {
        if let Some(s) = self.sessions.get_mut(&session) {
            s.wants.remove(key);
        }
        let Some(wanted) = self.wanted.get_mut(key) else { return };
        wanted.sessions.remove(&session);
        if wanted.sessions.is_empty() {
            self.finish(key, None);
        }
    }

    pub fn close(&mut self, session: SessionId) {
        let wants = self.sessions.remove(&session).map(|s| s.wants).unwrap_or_default();
        for key in wants {
            self.cancel(session, &key);
        }
    }

    /// What a peer sent us. Returns how many blocks nobody had asked for (they are dropped).
    pub fn received(
        &mut self,
        peer: PeerId,
        blocks: Vec<(Cid, Bytes)>,
        presences: Vec<(Cid, Presence)>,
        now: Instant,
    ) -> usize {
        let mut unwanted = 0;
        for (cid, data) in blocks {
            if data.len() > BLOCK_BYTES_MAX || !self.accept(peer, *cid.hash(), data, now) {
                unwanted += 1;
            }
        }
        for (cid, presence) in presences {
            self.told(peer, *cid.hash(), presence, now);
        }
        unwanted
    }

    fn accept(&mut self, peer: PeerId, key: Key, data: Bytes, now: Instant) -> bool {
        if !self.wanted.contains_key(&key) {
            return false;
        }
        if let Some(p) = self.peers.get_mut(&peer) {
            (p.heard, p.strikes) = (Some(now), 0);
        }
        self.praise(peer, &key);
        self.finish(&key, Some(peer));
        self.events.push_back(ClientEvent::Block(key, data));
        true
    }

    fn told(&mut self, peer: PeerId, key: Key, presence: Presence, now: Instant) {
        let Some(ask) = self.wanted.get_mut(&key).and_then(|w| w.asks.get_mut(&peer)) else { return };
        let before = *ask;
        match presence {
            // It is already being asked for the bytes: nothing new.
            Presence::Have if matches!(before, Ask::Block(_)) => return,
            Presence::Have => *ask = Ask::Has,
            Presence::DontHave => *ask = Ask::Lacks,
        }
        if matches!(before, Ask::Block(_)) {
            self.landed(&peer);
        }
        if presence == Presence::Have {
            self.praise(peer, &key);
        }
        self.advance(key, now);
    }

    /// The search for providers of `cid` has ended; those that were found and reached are connected now.
    pub fn searched(&mut self, cid: &Cid, now: Instant) {
        let key = *cid.hash();
        self.searches.remove(&key);
        let roots: HashMap<SessionId, Key> =
            self.sessions.iter().filter_map(|(id, s)| Some((*id, *s.root?.hash()))).collect();
        let mut touched = Vec::new();
        for (k, wanted) in &mut self.wanted {
            let root = wanted.sessions.iter().any(|s| roots.get(s) == Some(&key));
            wanted.root_searched |= root;
            wanted.self_searched |= *k == key;
            if root || *k == key {
                touched.push(*k);
            }
        }
        for key in touched {
            self.advance(key, now);
        }
    }

    /// Time has passed: gives up on the silent.
    pub fn tick(&mut self, now: Instant) {
        let mut landed = Vec::new();
        for wanted in self.wanted.values_mut() {
            for (peer, ask) in &mut wanted.asks {
                match *ask {
                    Ask::Have(at) if now.duration_since(at) > HAVE_TIMEOUT => *ask = Ask::Silent(now),
                    Ask::Block(at) => {
                        let heard = self.peers.get(peer).and_then(|p| p.heard).map_or(at, |h| h.max(at));
                        if now.saturating_duration_since(heard) > BLOCK_TIMEOUT {
                            *ask = Ask::Silent(now);
                            landed.push(*peer);
                        }
                    }
                    _ => {}
                }
            }
            wanted
                .asks
                .retain(|_, ask| !matches!(ask, Ask::Silent(at) if now.saturating_duration_since(*at) > SILENT_RETRY));
        }
        for peer in landed {
            self.landed(&peer);
            if let Some(p) = self.peers.get_mut(&peer) {
                p.strikes += 1;
            }
        }
        self.advance_all(now);
    }

    /// The next wantlist message for `peer`, if there is anything to say.
    pub fn outgoing(&mut self, peer: &PeerId) -> Option<Message> {
        let peer = self.peers.get_mut(peer)?;
        if peer.outbox.is_empty() {
            return None;
        }
        let mut entries: Vec<(u64, Entry)> = peer.outbox.drain().map(|(_, e)| e).collect();
        entries.sort_by_key(|(order, _)| *order);
        for (order, entry) in entries.drain(ENTRIES_PER_MESSAGE.min(entries.len())..) {
            peer.outbox.insert(*entry.cid.hash(), (order, entry));
        }
        let full = !std::mem::replace(&mut peer.greeted, true);
        Some(Message { wants: entries.into_iter().map(|(_, e)| e).collect(), full, ..Message::default() })
    }

    pub fn event(&mut self) -> Option<ClientEvent> {
        self.events.pop_front()
    }

    pub fn asked(&self, key: &Key) -> Asked {
        self.wanted.get(key).map_or_else(Asked::default, Wanted::asked)
    }

    pub fn wants(&self) -> usize {
        self.wanted.len()
    }

    fn advance_all(&mut self, now: Instant) {
        for key in self.wanted.keys().copied().collect::<Vec<_>>() {
            self.advance(key, now);
        }
    }

    /// Takes the next step for one block. The order of the steps is the module's whole strategy.
    fn advance(&mut self, key: Key, now: Instant) {
        let Some(wanted) = self.wanted.get(&key) else { return };
        if wanted.asks.values().any(|a| matches!(a, Ask::Block(_))) {
            return;
        }
        if let Some(peer) = self.best(wanted) {
            return self.ask(peer, key, Ask::Block(now), Want::Block);
        }
        let strangers: Vec<PeerId> = self.peers.keys().filter(|p| !wanted.asks.contains_key(p)).copied().collect();
        let long = now.saturating_duration_since(wanted.since) > SEARCH_AFTER;
        for peer in &strangers {
            self.ask(*peer, key, Ask::Have(now), Want::Have);
        }
        let waiting = !strangers.is_empty() || self.wanted.get(&key).is_some_and(Wanted::is_waiting);
        if !waiting || long {
            self.search(key, waiting);
        }
    }

    /// The least busy of those that said they have it, or that gave something to the same session.
    fn best(&self, wanted: &Wanted) -> Option<PeerId> {
        let said = wanted.asks.iter().filter(|(_, a)| **a == Ask::Has).map(|(p, _)| *p);
        let likely = wanted
            .sessions
            .iter()
            .filter_map(|s| self.sessions.get(s))
            .flat_map(|s| s.good.iter().copied())
            .filter(|p| matches!(wanted.asks.get(p), None | Some(Ask::Have(_))));
        said.chain(likely)
            .filter_map(|id| self.peers.get(&id).map(|p| (p.strikes, p.in_flight, id)))
            .min()
            .map(|(_, _, id)| id)
    }

    fn ask(&mut self, peer: PeerId, key: Key, ask: Ask, want: Want) {
        let (Some(wanted), Some(p)) = (self.wanted.get_mut(&key), self.peers.get_mut(&peer)) else { return };
        wanted.asks.insert(peer, ask);
        if want == Want::Block {
            p.in_flight += 1;
        }
        self.order += 1;
        let entry = Entry { cid: wanted.cid, priority: 1, want, send_dont_have: true };
        p.outbox.insert(key, (self.order, entry));
    }

    /// Looks for providers, first of the session's root (often the only thing announced), then of the block.
    fn search(&mut self, key: Key, waiting: bool) {
        let Some(wanted) = self.wanted.get(&key) else { return };
        let root = wanted.sessions.iter().find_map(|s| self.sessions.get(s).and_then(|s| s.root));
        let next = match root {
            Some(root) if !wanted.root_searched => Some(root),
            _ if !wanted.self_searched => Some(wanted.cid),
            _ => None,
        };
        match next {
            // One search at a time: a DAG of thousands of blocks must not become thousands of queries.
            Some(cid) if self.searches.is_empty() || self.searches.contains(cid.hash()) => {
                if self.searches.insert(*cid.hash()) {
                    self.events.push_back(ClientEvent::Search(cid));
                }
            }
            Some(_) => {}
            None if waiting => {}
            None => {
                let asked = wanted.asked();
                self.finish(&key, None);
                self.events.push_back(ClientEvent::Exhausted(key, asked));
            }
        }
    }

    /// Forgets a want and tells everybody who was asked, except the one that just sent the block.
    fn finish(&mut self, key: &Key, giver: Option<PeerId>) {
        let Some(wanted) = self.wanted.remove(key) else { return };
        for id in &wanted.sessions {
            if let Some(s) = self.sessions.get_mut(id) {
                s.wants.remove(key);
            }
        }
        for (peer, ask) in wanted.asks {
            if matches!(ask, Ask::Block(_)) {
                self.landed(&peer);
            }
            let Some(p) = self.peers.get_mut(&peer) else { continue };
            let unsent = p.outbox.remove(key).is_some();
            if !unsent && Some(peer) != giver {
                self.order += 1;
                let entry = Entry { cid: wanted.cid, priority: 1, want: Want::Cancel, send_dont_have: false };
                p.outbox.insert(*key, (self.order, entry));
            }
        }
    }

    fn praise(&mut self, peer: PeerId, key: &Key) {
        let Some(wanted) = self.wanted.get(key) else { return };
        for id in &wanted.sessions {
            if let Some(s) = self.sessions.get_mut(id) {
                s.good.insert(peer);
            }
        }
    }

    fn landed(&mut self, peer: &PeerId) {
        if let Some(p) = self.peers.get_mut(peer) {
            p.in_flight = p.in_flight.saturating_sub(1);
        }
    }
}

impl Wanted {
    fn is_waiting(&self) -> bool {
        self.asks.values().any(|a| !matches!(a, Ask::Lacks))
    }

    fn asked(&self) -> Asked {
        let lack = self.asks.values().filter(|a| **a == Ask::Lacks).count();
        // Bounded by the number of connections.
        Asked { peers: self.asks.len() as u32, lack: lack as u32 }
    }
}

#[cfg(test)]
mod tests;
