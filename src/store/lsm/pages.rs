//! Pages in memory: those that were read lately, up to so many bytes.

use super::suspect::Suspect;
use crate::store::two_generations::TwoGenerations;
use anyhow::Error as Fault;
use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

/// Which run, ever.
pub type Id = u32;

/// Locks: readers seldom want the same one.
const SHARDS: usize = 16;

type Key = (Id, usize);

/// The handle through which all runs of an index read.
#[derive(Debug)]
pub struct Pages {
    shards: [Mutex<TwoGenerations<Key, Arc<[u8]>>>; SHARDS],
    suspect: Suspect,
}

impl Pages {
    /// Of the index in `dir`; `bytes`: what they may take.
    pub fn new(dir: &Path, bytes: u64) -> Self {
        let max = usize::try_from(bytes).unwrap_or(usize::MAX) / SHARDS / 2;
        let shards = std::array::from_fn(|_| Mutex::new(TwoGenerations::new(max)));
        Self { shards, suspect: Suspect::new(dir) }
    }

    /// The page, from memory or else from `read`; if that fails, the index is not trusted again.
    pub fn get(&self, key: Key, read: impl FnOnce() -> Result<Arc<[u8]>, Fault>) -> Result<Arc<[u8]>, Fault> {
        let read = || {
            let named = |error: Fault| error.context(format!("page {} of run {} of the index", key.1, key.0));
            read().map_err(|error| self.suspect.mark(named(error)))
        };
        let shard = self.shards.get((key.0 as usize).wrapping_mul(31).wrapping_add(key.1) % SHARDS);
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
        let dir = tempfile::tempdir().expect("a directory");
        let cache = Pages::new(&dir.path().join("index"), SHARDS as u64 * 2 * 100);
        let page = |n: usize| move || Ok::<_, Fault>(Arc::from([n as u8; 10]));
        let missing = || Err(anyhow::anyhow!("asked for again"));
        for n in 0..1000 {
            assert_eq!(*cache.get((1, n * SHARDS), page(n)).expect("reads"), [n as u8; 10]);
            assert_eq!(*cache.get((1, 0), || if n == 0 { page(0)() } else { missing() }).expect("is there"), [0; 10]);
        }
        let held: usize = cache.shards.iter().map(|shard| shard.lock().expect("no panic").len()).sum();
        assert!(held <= 22, "{held}");
    }
}
