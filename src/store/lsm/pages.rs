//! Pages in memory: those that were read lately, up to so many bytes.

use super::suspect::Suspect;
use anyhow::Error as Fault;
use quick_cache::{Weighter, sync::Cache};
use std::{path::Path, sync::Arc};

/// Which run, ever.
pub type Id = u32;

/// About what a page has.
const PAGE: u64 = 4 << 10;

type Key = (Id, usize);

/// The handle through which all runs of an index read.
#[derive(Debug)]
pub struct Pages {
    kept: Cache<Key, Arc<[u8]>, Length>,
    suspect: Suspect,
}

#[derive(Debug, Clone)]
struct Length;

impl Weighter<Key, Arc<[u8]>> for Length {
    fn weight(&self, _: &Key, page: &Arc<[u8]>) -> u64 {
        page.len() as u64
    }
}

impl Pages {
    /// Of the index in `dir`; `bytes`: what they may take.
    pub fn new(dir: &Path, bytes: u64) -> Self {
        let count = usize::try_from(bytes / PAGE).unwrap_or(usize::MAX);
        Self { kept: Cache::with_weighter(count, bytes, Length), suspect: Suspect::new(dir) }
    }

    /// The page, from memory or else from `read`; if that fails, the index is not trusted again.
    pub fn get(&self, key: Key, read: impl FnOnce() -> Result<Arc<[u8]>, Fault>) -> Result<Arc<[u8]>, Fault> {
        if let Some(page) = self.kept.get(&key) {
            return Ok(page);
        }
        let named = |error: Fault| error.context(format!("page {} of run {} of the index", key.1, key.0));
        let page = read().map_err(|error| self.suspect.mark(named(error)))?;
        self.kept.insert(key, page.clone());
        Ok(page)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_stays_and_the_rest_is_bounded() {
        let dir = tempfile::tempdir().expect("a directory");
        let cache = Pages::new(&dir.path().join("index"), 2000);
        let page = |n: usize| move || Ok::<_, Fault>(Arc::from([n as u8; 10]));
        let missing = || Err(anyhow::anyhow!("asked for again"));
        for n in 0..1000 {
            assert_eq!(*cache.get((1, n), page(n)).expect("reads"), [n as u8; 10]);
            assert_eq!(*cache.get((1, 0), || if n == 0 { page(0)() } else { missing() }).expect("is there"), [0; 10]);
        }
        assert!(cache.kept.weight() <= 2000, "{:?}", cache.kept);
    }
}
