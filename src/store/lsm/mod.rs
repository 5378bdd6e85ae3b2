//! A log-structured merge tree: a sorted map of bytes. It knows nothing of what the bytes mean.
//!
//! Changes go into a table in memory, at once. When it is large, or has been left alone, it is written to the disk as a
//! run of sorted pages; runs are merged in the background. The list of runs changes in one atomic write, so after a
//! crash the tree stands as it was after some batch; who needs the rest must have it elsewhere. Small key spaces and
//! the list of runs lie in sled. Which spaces are small, only scanned, or hot is handed in ([`Policy`]).

mod entry;
mod suspect;
mod page;
mod pages;
mod run;
mod disk;
mod layers;
mod flush;
mod value_cache;

use anyhow::Error as Fault;
use flush::Flusher;
use std::path::Path;
use value_cache::ValueCache;

pub use disk::was_closed;
pub use entry::{Changes, Policy, Scan};
pub use suspect::suspect_marker;

#[derive(Debug)]
pub struct Tree {
    flusher: Flusher,
    values: ValueCache,
    policy: Policy,
}

impl Tree {
    /// Opens the tree in `dir`; `cache`: bytes of memory that its pages may take. An error means: damaged, set it aside.
    pub fn open(dir: &Path, cache: u64, policy: Policy) -> Result<Self, Fault> {
        Ok(Self { flusher: Flusher::open(dir, cache, policy)?, values: ValueCache::default(), policy })
    }

    pub fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        let get = || self.flusher.layers().get(key);
        if !self.policy.is_hot(key) {
            return get();
        }
        let ticket = match self.values.get(key) {
            Ok(value) => return Ok(Some(value.to_vec())),
            Err(ticket) => ticket,
        };
        let value = get()?;
        if let Some(value) = &value {
            self.values.put(ticket, key, value);
        }
        Ok(value)
    }

    /// Pairs with `from` ≤ key < `to`, upwards or downwards.
    pub fn scan(&self, from: &[u8], to: &[u8], reverse: bool) -> Scan<'_> {
        if from >= to {
            return Box::new(std::iter::empty());
        }
        match self.flusher.layers().scan(from, to, reverse) {
            Ok(pairs) => pairs,
            Err(error) => Box::new(std::iter::once(Err(error))),
        }
    }

    /// Applies puts and removals. Not durable before [`Tree::flush`], and it need not be.
    pub fn apply(&self, changes: Changes) -> Result<(), Fault> {
        let hot = changes.keys().map(Vec::as_slice).filter(|key| self.policy.is_hot(key));
        let changing = self.values.change(hot);
        self.flusher.put(changes)?;
        drop(changing);
        Ok(())
    }

    /// Waits until more may be applied. An error if that needs room on the disk, and there is none.
    pub fn wait(&self) -> Result<(), Fault> {
        self.flusher.wait()
    }

    /// Waits until more may be applied, and takes room on the disk for it; an error if there is none.
    pub fn make_room(&self) -> Result<(), Fault> {
        self.flusher.make_room()
    }

    /// Writes what was applied to the disk, and hands it to the operating system.
    pub fn flush(&self) -> Result<(), Fault> {
        self.flusher.flush()
    }

    /// Why nothing is written to the disk any more.
    pub fn failed(&self) -> Option<String> {
        self.flusher.failed()
    }

    #[cfg(test)]
    pub fn fail(&self, runs: u32) {
        self.flusher.fail(runs);
    }

    #[cfg(test)]
    pub fn failing(&self) -> u32 {
        self.flusher.failing()
    }
}
