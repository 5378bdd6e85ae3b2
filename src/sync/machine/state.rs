//! What a session remembers, part by part.

use super::event::{Data, Way};
use crate::{
    cid::{self, Digest},
    dwn::{Fault, Knew},
    store::Position,
    sums::Item,
    sync::{frame::Number, local::Scope, parked::Parked, reconcile::List},
};
use anyhow::{Context as _, bail};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};

/// Both ends say that they are there as often (milliseconds).
pub(super) const BEAT: u64 = 20_000;
/// Nothing has happened for so long: it is time to compare.
pub(super) const SETTLED: u64 = 300;
/// Messages asked for again at once.
pub(super) const AGAIN_MAX: usize = 256;
/// Messages, and bytes of them, that are on their way without the peer having said that it took them.
pub(super) const WINDOW: (u32, u64) = (1024, 2 << 20);
/// Digests that are remembered of those of one kind.
const LATELY_MAX: usize = 1 << 14;

/// Scopes that one end may name in a session.
const NAMES_MAX: usize = 1 << 16;
/// Bytes of a protocol's URI.
pub(super) const URI_MAX: usize = 8 << 10;
/// Bytes of all the names: what is told of scopes is remembered by them, some times over.
const NAMES_BYTES_MAX: usize = 4 << 20;

/// What both ends have named.
#[derive(Debug, Default)]
pub(super) struct Names {
    pub(super) mine: HashMap<Scope, Number>,
    /// The same, by their numbers.
    pub(super) mine_in_order: Vec<Scope>,
    pub(super) theirs: Vec<Scope>,
    theirs_bytes: usize,
}

impl Names {
    /// The peer names a scope.
    pub fn learn(&mut self, tenant: u16, protocol: Option<String>, tenants: &[String]) -> Result<(), Fault> {
        if self.theirs.len() >= NAMES_MAX || protocol.as_ref().is_some_and(|uri| uri.len() > URI_MAX) {
            bail!("the peer names more than {NAMES_MAX} scopes, or one that is too long");
        }
        let tenant = tenants.get(usize::from(tenant)).context("the peer names a tenant that is not shared")?.clone();
        self.theirs_bytes += tenant.len() + protocol.as_ref().map_or(0, String::len);
        if self.theirs_bytes > NAMES_BYTES_MAX {
            bail!("the peer names scopes with more than {NAMES_BYTES_MAX} bytes of names");
        }
        self.theirs.push(Scope { tenant, protocol });
        Ok(())
    }

    /// What this end means by a number.
    pub fn mine(&self, number: Number) -> Result<&Scope, Fault> {
        let scope = usize::try_from(number).ok().and_then(|number| self.mine_in_order.get(number));
        scope.context("a scope has a number that was not given")
    }

    /// What the peer means by a number.
    pub fn theirs(&self, number: Number) -> Result<Scope, Fault> {
        let scope = usize::try_from(number).ok().and_then(|number| self.theirs.get(number));
        Ok(scope.context("the peer tells of a scope that it has not named")?.clone())
    }
}

/// What this end holds: of each scope, and in one.
#[derive(Debug, Clone, Default)]
pub(super) struct Own {
    /// As of when: the log's end, and how often something was put aside.
    pub(super) of: (Position, u64),
    pub(super) held: [u8; 16],
    pub(super) covered: [u8; 16],
}

/// What the peer has of a scope.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct There {
    pub(super) held: [u8; 16],
    pub(super) covered: [u8; 16],
    pub(super) count: u64,
}

/// How a scope stood when it was compared last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compared {
    pub scope: Scope,
    /// Messages here and there.
    pub here: u64,
    pub there: u64,
    pub equal: bool,
}

#[derive(Debug, Default)]
pub(super) struct Compare {
    pub(super) own: Option<Own>,
    /// What the peer has told of its scopes, until it has told all.
    pub(super) told: BTreeMap<Scope, There>,
    /// What it had when it told all last.
    pub(super) there: BTreeMap<Scope, There>,
    /// What it put aside, and why, as far as it told.
    pub(super) aside_there: BTreeMap<Digest, (u16, String)>,
    /// The peer's last beat: held, covered, how many it put aside.
    pub(super) beat: Option<([u8; 16], [u8; 16], u32)>,
    pub(super) beaten: u64,
    /// This end has told what it has since something happened last.
    pub(super) settled: bool,
    /// When both were equal last, and what this end held then.
    pub(super) equal: Option<(u64, [u8; 16])>,
    /// When to compare again, and how long to wait after that.
    pub(super) check: Option<(u64, u64)>,
    /// More was found than could be sent.
    pub(super) cut: bool,
    /// Items that the peer was told of in ranges, and has not asked for.
    pub(super) offered: u64,
    /// Protocols of which it was told that they stay here, by tenant; and how many it said stay there.
    pub(super) apart: BTreeSet<(String, String)>,
    pub(super) parted: usize,
    /// Bytes of ranges that it was told since both told last what they hold.
    pub(super) narrowed: usize,
    /// So many messages were on their way here when the peer told it last, and so many had been taken before.
    pub(super) ahead: (u64, u64),
}

impl Compare {
    pub fn next_beat(&self) -> u64 {
        self.beaten + BEAT
    }

    pub fn is_settled(&self) -> bool {
        self.settled
    }

    pub fn next_check(&self) -> u64 {
        self.check.map_or(u64::MAX, |(at, _)| at)
    }
}

/// What is to be sent, in order, each once: scopes by this end's numbers.
#[derive(Debug, Default)]
pub(super) struct Queue {
    in_order: VecDeque<(Number, Digest)>,
    known: HashSet<(Number, Digest)>,
}

impl Queue {
    pub fn len(&self) -> usize {
        self.in_order.len()
    }

    pub fn push(&mut self, number: Number, digest: Digest) {
        if self.known.insert((number, digest)) {
            self.in_order.push_back((number, digest));
        }
    }

    pub fn pop(&mut self) -> Option<(Number, Digest)> {
        let next = self.in_order.pop_front()?;
        self.known.remove(&next);
        Some(next)
    }
}

/// The digests that came last, of those of one kind.
#[derive(Debug, Default)]
pub(super) struct Lately {
    known: BTreeSet<Digest>,
    in_order: VecDeque<Digest>,
}

impl Lately {
    /// Was it not among them?
    pub fn insert(&mut self, digest: Digest) -> bool {
        let is_new = self.known.insert(digest);
        if is_new {
            self.in_order.push_back(digest);
        }
        if self.in_order.len() > LATELY_MAX
            && let Some(oldest) = self.in_order.pop_front()
        {
            self.known.remove(&oldest);
        }
        is_new
    }

    pub fn contains(&self, digest: &Digest) -> bool {
        self.known.contains(digest)
    }
}

#[derive(Debug, Default)]
pub(super) struct Sending {
    pub(super) waiting: Queue,
    /// The log is told from here to there, of these scopes.
    pub(super) stream: Option<Stream>,
    pub(super) flight: (u32, u64),
    /// What came from the peer is not told back to it.
    pub(super) recent: Lately,
    /// Messages sent in this session, and before what is on its way now.
    pub(super) sent: u64,
    pub(super) before: u64,
}

#[derive(Debug)]
pub(super) struct Stream {
    pub(super) at: Position,
    pub(super) until: Position,
    pub(super) scopes: BTreeSet<Scope>,
    /// About so many are left.
    pub(super) left: u64,
}

impl Sending {
    pub fn is_empty(&self) -> bool {
        self.waiting.len() == 0 && self.stream.is_none() && self.flight == (0, 0)
    }

    /// Messages that are still to go, and that have gone and are not taken yet.
    pub fn left(&self) -> u64 {
        self.waiting.len() as u64 + self.stream.as_ref().map_or(0, |stream| stream.left) + u64::from(self.flight.0)
    }

    /// How far it is.
    pub fn way(&self) -> Option<Way> {
        let (left, sent) = (self.left(), self.sent - self.before);
        let messages = sent.saturating_sub(self.flight.0.into());
        (left > 0).then_some(Way { messages, of_messages: messages + left })
    }

    pub(super) fn has_room(&self) -> bool {
        self.flight.0 < WINDOW.0 && self.flight.1 < WINDOW.1
    }

    /// Is there room for a good many? What goes one by one is packed badly here, and made durable one by one there.
    pub(super) fn has_much_room(&self) -> bool {
        self.flight.0 <= WINDOW.0 / 2 && self.flight.1 <= WINDOW.1 / 2
    }
}

#[derive(Debug, Default)]
pub(super) struct Taking {
    pub(super) waiting: VecDeque<Came>,
    /// The batch that is being applied.
    pub(super) applying: Vec<Applying>,
    /// What has come and was not said to be taken.
    pub(super) untaken: Cost,
    /// What was older than what is here, the first time: the peer gets that, and drops it.
    pub(super) declined: Lately,
    /// Messages taken in this session.
    pub taken: u64,
    /// What the writer of the message that comes next knew.
    pub(super) knew: Knew,
}

/// Messages and bytes, as the sender counts them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Cost(pub u32, pub u64);

impl Cost {
    #[must_use]
    pub fn plus(self, more: Self) -> Self {
        Self(self.0.saturating_add(more.0), self.1.saturating_add(more.1))
    }

    #[must_use]
    pub fn minus(self, less: Self) -> Self {
        Self(self.0.saturating_sub(less.0), self.1.saturating_sub(less.1))
    }

    pub fn is_within(self, (messages, bytes): (u32, u64)) -> bool {
        self.0 <= messages && self.1 <= bytes
    }
}

/// What a message takes of the room for what has come.
#[derive(Debug, Clone, Copy)]
pub(super) struct Share {
    pub(super) cost: Cost,
    /// It was said to be taken before it was: it waits for its data, and nothing waits for it.
    pub(super) said: bool,
}

/// A message that came, in the bytes in which it came: decoded it may be many times as large.
#[derive(Debug)]
pub(super) struct Came {
    pub(super) scope: Scope,
    pub(super) digest: Digest,
    pub(super) message: Vec<u8>,
    pub(super) knew: Knew,
    pub(super) data: Data,
    pub(super) share: Share,
    /// The message is here already: only its data is wanted.
    pub(super) is_fetched: bool,
}

impl Came {
    pub fn json(&self) -> Result<Value, Fault> {
        cid::decode(&self.message).context("the peer sent a message that is not DAG-CBOR")
    }

    pub fn item(&self) -> Item {
        Item { digest: self.digest, has_data: self.data != Data::None }
    }
}

/// A message that is being applied.
#[derive(Debug)]
pub(super) struct Applying {
    pub(super) scope: Scope,
    pub(super) item: Item,
    /// Its data is on the disk.
    pub(super) is_stored: bool,
    pub(super) is_fetched: bool,
    pub(super) share: Share,
}

impl Taking {
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.applying.is_empty()
    }
}

#[derive(Debug, Default)]
pub(super) struct Aside {
    pub(super) parked: BTreeMap<(String, Digest), Parked>,
    pub(super) by_scope: BTreeMap<Scope, List>,
    /// How often it changed.
    pub(super) changes: u64,
    /// Something of this tenant came that reasons may have waited for; since when.
    pub(super) stirred: BTreeMap<String, u64>,
}

impl Aside {
    pub fn len(&self) -> usize {
        self.parked.len()
    }

    pub fn changes(&self) -> u64 {
        self.changes
    }

    pub fn list(&self, scope: &Scope) -> Option<&List> {
        self.by_scope.get(scope)
    }

    pub fn lists(&self) -> impl Iterator<Item = (&Scope, &List)> {
        self.by_scope.iter()
    }

    pub(super) fn insert(&mut self, parked: Parked) {
        self.remove(&parked.tenant.clone(), &parked.digest);
        self.by_scope.entry(parked.scope()).or_default().insert(parked.item());
        self.parked.insert((parked.tenant.clone(), parked.digest), parked);
        self.changes += 1;
    }

    pub(super) fn remove(&mut self, tenant: &str, digest: &Digest) -> Option<Parked> {
        let parked = self.parked.remove(&(tenant.to_owned(), *digest))?;
        if let Some(list) = self.by_scope.get_mut(&parked.scope()) {
            list.remove(&parked.item());
            if list.is_empty() {
                self.by_scope.remove(&parked.scope());
            }
        }
        self.changes += 1;
        Some(parked)
    }
}

#[derive(Debug, Default)]
pub(super) struct Transfers {
    pub(super) waiting: VecDeque<Came>,
    /// What was said to be taken and waits for its data, or has just got it.
    pub(super) said: Cost,
    /// What waits is not begun before: another session fetches some of it.
    pub(super) later: u64,
    pub(super) coming: BTreeMap<Digest, Coming>,
    pub(super) going: BTreeMap<Digest, Going>,
    /// Of these messages, by tenant, the data is elsewhere, and wanted when nothing else waits; and when to look for such again.
    pub(super) owed: Vec<(String, Digest)>,
    pub(super) look: u64,
    /// Was asked for and is not any more: some of it may still be on its way.
    pub(super) left: Lately,
}

#[derive(Debug)]
pub(super) struct Coming {
    pub(super) came: Came,
    pub(super) size: u64,
    /// Asked for, and come up to here.
    pub(super) come: Option<u64>,
    /// On the disk up to here.
    pub(super) stored: u64,
    /// When more of it came last.
    pub(super) moved: u64,
}

#[derive(Debug)]
pub(super) struct Going {
    pub(super) tenant: String,
    /// Read up to here, and taken up to there.
    pub(super) read: u64,
    pub(super) took: u64,
    /// A piece is being read.
    pub(super) reading: bool,
    /// It was asked for anew meanwhile, from here on.
    pub(super) again: Option<u64>,
    pub(super) ended: bool,
}

impl Transfers {
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.coming.is_empty() && self.going.is_empty() && self.owed.is_empty()
    }
}
