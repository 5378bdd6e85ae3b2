//! Who needs a block that the index does not (yet) say is needed, and which blocks are being taken away.
//!
//! A stage holds what it has written or found, until its data is committed or dropped. A reader holds the root it
//! reads. The collector claims what it is about to take, and gets no claim on what is held. Who wants to hold what is
//! claimed waits until the collector is done with it, some milliseconds. So no grace time is needed: before a commit
//! the stage holds the blocks, and after it the index does.

use crate::cid::Digest;
use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
};

#[derive(Debug, Default)]
pub(super) struct Holds {
    table: Mutex<Table>,
    /// A claim has ended.
    ended: Condvar,
}

#[derive(Debug, Default)]
struct Table {
    blocks: HashMap<Digest, usize>,
    packs: HashMap<u32, usize>,
    claimed: HashSet<Digest>,
}

impl Holds {
    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does anybody hold a place in this pack?
    pub fn pack_is_held(&self, segment: u32) -> bool {
        self.table().packs.contains_key(&segment)
    }
}

/// What one stage, or one reader, holds; let go of when dropped.
#[derive(Debug)]
pub(super) struct Held {
    holds: Arc<Holds>,
    blocks: HashSet<Digest>,
    packs: HashSet<u32>,
}

impl Held {
    pub fn new(holds: Arc<Holds>) -> Self {
        Self { holds, blocks: HashSet::new(), packs: HashSet::new() }
    }

    /// Holds a block; waits while the collector is taking it. False: this one holds it already.
    pub fn block(&mut self, digest: &Digest) -> bool {
        if !self.blocks.insert(*digest) {
            return false;
        }
        let mut table = self.holds.table();
        while table.claimed.contains(digest) {
            table = self.holds.ended.wait(table).unwrap_or_else(PoisonError::into_inner);
        }
        *table.blocks.entry(*digest).or_default() += 1;
        true
    }

    /// Holds a pack, because a block that is held lies in it.
    pub fn pack(&mut self, segment: u32) {
        if self.packs.insert(segment) {
            *self.holds.table().packs.entry(segment).or_default() += 1;
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut table = self.holds.table();
        self.blocks.iter().for_each(|digest| let_go(&mut table.blocks, digest));
        self.packs.iter().for_each(|segment| let_go(&mut table.packs, segment));
    }
}

fn let_go<K: std::hash::Hash + Eq>(held: &mut HashMap<K, usize>, key: &K) {
    if let Some(count) = held.get_mut(key) {
        *count -= 1;
        if *count == 0 {
            held.remove(key);
        }
    }
}

/// What the collector is about to take. There is one collector at a time, so claims do not meet one another.
#[derive(Debug)]
pub(super) struct Claim {
    holds: Arc<Holds>,
    claimed: HashSet<Digest>,
}

impl Claim {
    pub fn new(holds: Arc<Holds>) -> Self {
        Self { holds, claimed: HashSet::new() }
    }

    /// Claims a block together with the roots it belongs to, unless somebody holds one of them.
    pub fn take(&mut self, block: &Digest, roots: &[Digest]) -> bool {
        let mut table = self.holds.table();
        let all = || roots.iter().chain([block]);
        if all().any(|digest| table.blocks.contains_key(digest)) {
            return false;
        }
        table.claimed.extend(all());
        self.claimed.extend(all());
        true
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let mut table = self.holds.table();
        table.claimed.retain(|digest| !self.claimed.contains(digest));
        self.holds.ended.notify_all();
    }
}
