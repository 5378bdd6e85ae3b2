//! Values that were asked for lately, in memory, asked before the layers are. A value is taken in when it is asked for a
//! second time, so that who goes through everything once pushes nothing out.

use super::entry::hash;
use crate::store::two_generations::{Asked, TwoGenerations};
use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicU64, Ordering},
};

/// Locks: readers seldom want the same one.
const SHARDS: usize = 16;
/// Memory for one of a shard's two generations: 8 MiB in all.
const BYTES_MAX: usize = (8 << 20) / SHARDS;
/// What a pair takes beside its bytes, about.
const PAIR: usize = 96;
/// 4,096 keys of a shard are remembered as having been asked for.
const ASKED_BITS: u32 = 12;

#[derive(Debug, Default)]
pub struct ValueCache {
    shards: [Mutex<Shard>; SHARDS],
    /// Odd while the index is being changed, and never twice the same.
    epoch: AtomicU64,
}

#[derive(Debug)]
struct Shard {
    values: TwoGenerations<Box<[u8]>, Arc<[u8]>>,
    asked: Asked,
}

impl Default for Shard {
    fn default() -> Self {
        Self { values: TwoGenerations::new(BYTES_MAX), asked: Asked::new(ASKED_BITS) }
    }
}

/// Leave to bring what was not there.
#[derive(Debug)]
pub struct Ticket {
    hash: u64,
    epoch: u64,
    again: bool,
}

/// See [`ValueCache::change`].
#[derive(Debug)]
pub struct Changing<'a>(&'a ValueCache);

impl Drop for Changing<'_> {
    fn drop(&mut self) {
        self.0.epoch.fetch_add(1, Ordering::SeqCst);
    }
}

impl ValueCache {
    /// The value, or leave to bring it.
    pub fn get(&self, key: &[u8]) -> Result<Arc<[u8]>, Ticket> {
        let (hash, epoch) = (hash(key), self.epoch.load(Ordering::SeqCst));
        let mut shard = self.shard(hash);
        let (found, gone) = shard.values.get(key);
        let outcome = found.ok_or_else(|| Ticket { hash, epoch, again: shard.asked.again(hash) });
        drop(shard);
        drop(gone);
        outcome
    }

    /// Takes in what was not there, if the index has not been changed since and it is worth it.
    pub fn put(&self, Ticket { hash, epoch, again }: Ticket, key: &[u8], value: &[u8]) {
        if !again || !epoch.is_multiple_of(2) {
            return;
        }
        let mut shard = self.shard(hash);
        if self.epoch.load(Ordering::SeqCst) == epoch {
            let gone = shard.values.put(key.into(), value.into(), key.len() + value.len() + PAIR);
            drop(shard);
            drop(gone);
        }
    }

    /// While the guard lives the index is changed: its values of these keys are others afterwards.
    pub fn change<'a>(&self, keys: impl Iterator<Item = &'a [u8]>) -> Changing<'_> {
        // From here on nothing is taken in; what was taken in before goes now.
        self.epoch.fetch_add(1, Ordering::SeqCst);
        for key in keys {
            self.shard(hash(key)).values.remove(key);
        }
        Changing(self)
    }

    fn shard(&self, hash: u64) -> MutexGuard<'_, Shard> {
        let [first, ..] = &self.shards;
        let shard = self.shards.get(hash as usize % SHARDS).unwrap_or(first);
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
        let first = cache.get(b"k").expect_err("never asked for");
        cache.put(first, b"k", b"v");
        let second = cache.get(b"k").expect_err("once is not enough");
        cache.put(second, b"k", b"v");
        assert_eq!(*cache.get(b"k").expect("is there"), *b"v");
    }

    #[test]
    fn what_was_read_before_a_change_is_not_taken_in_after_it() {
        let cache = ValueCache::default();
        let _ = cache.get(b"k");
        let before = cache.get(b"k").expect_err("is not there");
        let changing = cache.change([b"k".as_slice()].into_iter());
        let during = cache.get(b"k").expect_err("is not there");
        drop(changing);
        cache.put(before, b"k", b"old");
        cache.put(during, b"k", b"old");
        assert!(cache.get(b"k").is_err());
    }

    #[test]
    fn memory_is_bounded() {
        let cache = ValueCache::default();
        for n in 0..200_000_u32 {
            for _ in 0..2 {
                if let Err(ticket) = cache.get(&n.to_be_bytes()) {
                    cache.put(ticket, &n.to_be_bytes(), &[7; 300]);
                }
            }
        }
        let held: usize = cache.shards.iter().map(|shard| shard.lock().expect("no panic").values.len()).sum();
        assert!(held > 10_000 && held * (300 + 4 + PAIR) <= 2 * SHARDS * (BYTES_MAX + 1000), "{held}");
    }

    proptest! {
        #[test]
        fn it_says_what_the_index_says(steps in prop::collection::vec((0..8_u8, prop::option::of(any::<u8>())), 1..200)) {
            let (cache, mut index) = (ValueCache::default(), BTreeMap::new());
            for (key, change) in steps {
                let key = [key];
                match change {
                    Some(value) => {
                        let _changing = cache.change([key.as_slice()].into_iter());
                        index.insert(key, vec![value]);
                    }
                    None => match cache.get(&key) {
                        Ok(value) => prop_assert_eq!(Some(&*value), index.get(&key).map(Vec::as_slice)),
                        Err(ticket) => {
                            if let Some(value) = index.get(&key) {
                                cache.put(ticket, &key, value);
                            }
                        }
                    },
                }
            }
        }
    }
}
