//! The index: a tree of bytes that the log can rebuild, and that says up to where the log has been applied to it.

use super::keys::{self, POLICY};
use crate::{
    dwn::Fault,
    store::{
        lsm::{Changes, Scan, Snapshot, Tree},
        metrics::Metrics,
        place::Position,
    },
};
use anyhow::Context as _;
use std::path::Path;

#[derive(Debug)]
pub struct Index {
    tree: Tree,
    /// Counts what is asked of the index.
    pub metrics: Metrics,
}

impl Index {
    /// Opens the index in `dir`. An error means: damaged, set it aside.
    pub fn open(dir: &Path, cache: u64) -> Result<Self, Fault> {
        Ok(Self { tree: Tree::open(dir, cache, POLICY)?, metrics: Metrics::default() })
    }

    /// The index as it is, between two batches.
    pub fn snapshot(&self) -> Snapshot {
        self.tree.snapshot()
    }

    pub fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        self.snapshot().get(key)
    }

    /// Pairs with `from` ≤ key < `to`, upwards or downwards, as the index is now.
    pub fn scan(&self, from: &[u8], to: &[u8], reverse: bool) -> Scan<'static> {
        self.snapshot().scan(from, to, reverse)
    }

    /// Applies puts and removals, all at once for who reads. Not durable before [`Index::flush`], and it need not be.
    pub fn apply(&self, changes: Changes) -> Result<(), Fault> {
        self.tree.apply(changes)
    }

    /// Waits until more may be applied. An error if that needs room on the disk, and there is none.
    pub fn wait(&self) -> Result<(), Fault> {
        self.tree.wait()
    }

    /// Waits until more may be applied, and takes room on the disk for it; an error if there is none.
    pub fn make_room(&self) -> Result<(), Fault> {
        self.tree.make_room()
    }

    /// Writes what was applied to the disk, and hands it to the operating system.
    pub fn flush(&self) -> Result<(), Fault> {
        self.tree.flush()
    }

    /// Why nothing is written to the disk any more.
    pub fn failed(&self) -> Option<String> {
        self.tree.failed()
    }

    #[cfg(test)]
    pub fn fail(&self, runs: u32) {
        self.tree.fail(runs);
    }

    #[cfg(test)]
    pub fn failing(&self) -> u32 {
        self.tree.failing()
    }

    /// The log position up to which the index has been applied.
    pub fn applied(&self) -> Result<Option<Position>, Fault> {
        self.number("applied")
    }

    pub fn version(&self) -> Result<Option<u64>, Fault> {
        self.number("version")
    }

    fn number(&self, name: &str) -> Result<Option<u64>, Fault> {
        let Some(bytes) = self.get(&keys::meta(name))? else { return Ok(None) };
        Ok(Some(u64::from_be_bytes(bytes.as_slice().try_into().context("a number in the index is not 8 bytes")?)))
    }
}
