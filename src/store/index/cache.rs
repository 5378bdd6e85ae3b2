//! Pages in memory: those that were read lately, up to so many bytes.

use super::run::Id;
use crate::store::generations::Generations;
use std::sync::{Arc, Mutex, PoisonError};

/// Locks: readers seldom want the same one.
const SHARDS: usize = 16;

type Key = (Id, usize);

#[derive(Debug)]
pub struct Cache([Mutex<Generations<Key, Arc<[u8]>>>; SHARDS]);

impl Cache {
    pub fn new(bytes: u64) -> Self {
        let max = usize::try_from(bytes).unwrap_or(usize::MAX) / SHARDS / 2;
        Self(std::array::from_fn(|_| Mutex::new(Generations::new(max))))
    }

    /// The page, from memory or else from `read`.
    pub fn get<E>(&self, key: Key, read: impl FnOnce() -> Result<Arc<[u8]>, E>) -> Result<Arc<[u8]>, E> {
        let shard = self.0.get((key.0 as usize).wrapping_mul(31).wrapping_add(key.1) % SHARDS);
        let Some(shard) = shard else { return read() };
        let lock = || shard.lock().unwrap_or_else(PoisonError::into_inner);
        let (found, _gone) = lock().get(&key);
        if let Some(page) = found {
            return Ok(page);
        }
        let page = read()?;
        let _gone = lock().put(key, page.clone(), page.len());
        Ok(page)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_stays_and_the_rest_is_bounded() {
        let cache = Cache::new(SHARDS as u64 * 2 * 100);
        let page = |n: usize| move || Ok::<_, ()>(Arc::from([n as u8; 10]));
        for n in 0..1000 {
            assert_eq!(*cache.get((1, n * SHARDS), page(n)).expect("reads"), [n as u8; 10]);
            assert_eq!(*cache.get((1, 0), || if n == 0 { page(0)() } else { Err(()) }).expect("is there"), [0; 10]);
        }
        let held: usize = cache.0.iter().map(|shard| shard.lock().expect("no panic").len()).sum();
        assert!(held <= 22, "{held}");
    }
}
