//! Values that were asked for lately, in memory, asked before the layers are. A value is taken in when it is asked for a
//! second time, so that who goes through everything once pushes nothing out.

use super::{entry::hash, table::Sequence};
use crate::store::asked::Asked;
use quick_cache::{Weighter, unsync::Cache};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Locks: readers seldom want the same one.
const SHARDS: usize = 16;
/// Memory for a shard's values: 16 MiB in all.
const BYTES_MAX: usize = (16 << 20) / SHARDS;
/// What a pair takes beside its bytes, about.
const PAIR: usize = 104;
/// About how long a pair is.
const PAIR_LENGTH: usize = 256;
/// 4,096 keys of a shard are remembered as having been asked for.
const ASKED_BITS: u32 = 12;
/// Keys of a shard that are told apart by when they changed; others share. A batch changes some hundreds in all shards.
const CHANGED: usize = 1 << 10;

#[derive(Debug, Default)]
pub struct ValueCache([Mutex<Shard>; SHARDS]);

/// A value, and the state in which it was found: it has not changed since.
type Known = (Arc<[u8]>, Sequence);

#[derive(Debug, Clone)]
struct Length;

impl Weighter<Box<[u8]>, Known> for Length {
    fn weight(&self, key: &Box<[u8]>, (value, _): &Known) -> u64 {
        (key.len() + value.len() + PAIR) as u64
    }
}

#[derive(Debug)]
struct Shard {
    values: Cache<Box<[u8]>, Known, Length>,
    asked: Asked,
    /// By hash: the last batch that changed such a key.
    changed: Box<[Sequence]>,
}

impl Default for Shard {
    fn default() -> Self {
        let changed = std::iter::repeat_n(0, CHANGED).collect();
        let values = Cache::with_weighter(BYTES_MAX / PAIR_LENGTH, BYTES_MAX as u64, Length);
        Self { values, asked: Asked::new(ASKED_BITS), changed }
    }
}

impl Shard {
    fn changed(&mut self, hash: u64) -> Option<&mut Sequence> {
        self.changed.get_mut((hash >> 8) as usize % CHANGED)
    }
}

/// Leave to bring what was not there.
#[derive(Debug)]
pub struct Ticket {
    hash: u64,
    at: Sequence,
    again: bool,
}

impl ValueCache {
    /// The value in a state of the tree, or leave to bring it.
    pub fn get(&self, key: &[u8], at: Sequence) -> Result<Arc<[u8]>, Ticket> {
        let hash = hash(key);
        let mut shard = self.shard(hash);
        match shard.values.get(key) {
            Some((value, since)) if *since <= at => Ok(value.clone()),
            _ => Err(Ticket { hash, at, again: shard.asked.again(hash) }),
        }
    }

    /// Takes in what was not there, if it has not changed since and is worth it.
    pub fn put(&self, Ticket { hash, at, again }: Ticket, key: &[u8], value: &[u8]) {
        if !again {
            return;
        }
        let mut shard = self.shard(hash);
        if shard.changed(hash).is_some_and(|changed| *changed <= at) {
            shard.values.insert(key.into(), (value.into(), at));
        }
    }

    /// A batch is about to change these keys. Nobody sees it before this is over.
    pub fn change<'a>(&self, keys: impl Iterator<Item = &'a [u8]>, batch: Sequence) {
        for key in keys {
            let hash = hash(key);
            let mut shard = self.shard(hash);
            shard.values.remove(key);
            if let Some(changed) = shard.changed(hash) {
                *changed = batch;
            }
        }
    }

    fn shard(&self, hash: u64) -> MutexGuard<'_, Shard> {
        let [first, ..] = &self.0;
        let shard = self.0.get(hash as usize % SHARDS).unwrap_or(first);
        shard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    #[test]
    fn a_value_is_kept_when_it_is_asked_for_again() {
        let cache = ValueCache::default();
        let first = cache.get(b"k", 5).expect_err("never asked for");
        cache.put(first, b"k", b"v");
        let second = cache.get(b"k", 5).expect_err("once is not enough");
        cache.put(second, b"k", b"v");
        assert_eq!(*cache.get(b"k", 6).expect("is there"), *b"v");
        assert!(cache.get(b"k", 4).is_err(), "what it was before is not known");
    }

    #[test]
    fn what_was_read_before_a_change_is_not_taken_in_after_it() {
        let cache = ValueCache::default();
        let _ = cache.get(b"k", 5);
        let before = cache.get(b"k", 5).expect_err("is not there");
        cache.change([b"k".as_slice()].into_iter(), 6);
        let during = cache.get(b"k", 5).expect_err("is not there");
        cache.put(before, b"k", b"old");
        cache.put(during, b"k", b"old");
        assert!(cache.get(b"k", 6).is_err());
        let after = cache.get(b"k", 6).expect_err("is not there");
        cache.put(after, b"k", b"new");
        assert_eq!(*cache.get(b"k", 6).expect("is there"), *b"new");
    }

    #[test]
    fn memory_is_bounded() {
        let cache = ValueCache::default();
        for n in 0..200_000_u32 {
            for _ in 0..2 {
                if let Err(ticket) = cache.get(&n.to_be_bytes(), 1) {
                    cache.put(ticket, &n.to_be_bytes(), &[7; 300]);
                }
            }
        }
        let held: usize = cache.0.iter().map(|shard| shard.lock().expect("no panic").values.len()).sum();
        assert!(held > 10_000 && held * (300 + 4 + PAIR) <= SHARDS * BYTES_MAX, "{held}");
    }

    proptest! {
        #[test]
        fn it_says_what_the_index_says(
            steps in prop::collection::vec((0..8_u8, 0..4_usize, prop::option::of(any::<u8>())), 1..200),
        ) {
            let (cache, mut states) = (ValueCache::default(), vec![BTreeMap::new()]);
            for (key, ago, change) in steps {
                let (key, now) = ([key], states.len() - 1);
                let at = now.saturating_sub(ago);
                match change {
                    Some(value) => {
                        cache.change([key.as_slice()].into_iter(), now as Sequence + 1);
                        let mut next = states[now].clone();
                        next.insert(key, vec![value]);
                        states.push(next);
                    }
                    None => match cache.get(&key, at as Sequence) {
                        Ok(value) => prop_assert_eq!(Some(&*value), states[at].get(&key).map(Vec::as_slice)),
                        Err(ticket) => {
                            if let Some(value) = states[at].get(&key) {
                                cache.put(ticket, &key, value);
                            }
                        }
                    },
                }
            }
        }
    }
}
