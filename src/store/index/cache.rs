//! Pages in memory: those that were read lately, up to so many bytes.

use super::run::Id;
use std::{
    collections::HashMap,
    mem,
    sync::{Arc, Mutex, PoisonError},
};

/// Locks: readers seldom want the same one.
const SHARDS: usize = 16;

type Key = (Id, usize);

/// Two generations in each shard: what is found in the old one becomes young again, what nobody asks for goes with it.
#[derive(Debug)]
pub struct Cache {
    shards: [Mutex<Generations>; SHARDS],
    /// Bytes of a generation.
    max: usize,
}

#[derive(Debug, Default)]
struct Generations {
    young: HashMap<Key, Arc<[u8]>>,
    old: HashMap<Key, Arc<[u8]>>,
    bytes: usize,
}

impl Cache {
    pub fn new(bytes: u64) -> Self {
        let max = usize::try_from(bytes).unwrap_or(usize::MAX) / SHARDS / 2;
        Self { shards: std::array::from_fn(|_| Mutex::default()), max }
    }

    /// The page, from memory or else from `read`.
    pub fn get<E>(&self, key: Key, read: impl FnOnce() -> Result<Vec<u8>, E>) -> Result<Arc<[u8]>, E> {
        let shard = self.shards.get((key.0 as usize).wrapping_mul(31).wrapping_add(key.1) % SHARDS);
        let Some(shard) = shard else { return read().map(Arc::from) };
        let lock = || shard.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(page) = lock().get(&key, self.max) {
            return Ok(page);
        }
        let page: Arc<[u8]> = read()?.into();
        lock().put(key, page.clone(), self.max);
        Ok(page)
    }
}

impl Generations {
    fn get(&mut self, key: &Key, max: usize) -> Option<Arc<[u8]>> {
        if let Some(page) = self.young.get(key) {
            return Some(page.clone());
        }
        let page = self.old.remove(key)?;
        self.put(*key, page.clone(), max);
        Some(page)
    }

    fn put(&mut self, key: Key, page: Arc<[u8]>, max: usize) {
        self.bytes += page.len();
        self.young.insert(key, page);
        if self.bytes > max {
            self.old = mem::take(&mut self.young);
            self.bytes = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_stays_and_the_rest_is_bounded() {
        let cache = Cache::new(SHARDS as u64 * 2 * 100);
        let page = |n: usize| move || Ok::<_, ()>(vec![n as u8; 10]);
        for n in 0..1000 {
            assert_eq!(*cache.get((1, n * SHARDS), page(n)).expect("reads"), [n as u8; 10]);
            assert_eq!(*cache.get((1, 0), || if n == 0 { page(0)() } else { Err(()) }).expect("is there"), [0; 10]);
        }
        let held: usize = cache
            .shards
            .iter()
            .map(|shard| {
                let shard = shard.lock().expect("no panic");
                shard.young.len() + shard.old.len()
            })
            .sum();
        assert!(held <= 22, "{held}");
    }
}
