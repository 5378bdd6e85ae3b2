//! The index: a tree of bytes that the log can rebuild, and that says up to where the log has been applied to it.

use super::keys::{self, Kind, POLICY};
use crate::{
    dwn::Fault,
    store::{
        lsm::{Changes, Scan, Tree},
        metrics::Metrics,
        place::Position,
    },
};
use anyhow::Context as _;
use std::{
    path::Path,
    sync::{Mutex, PoisonError, RwLock, RwLockReadGuard},
};

/// Pairs that a long scan reads before it lets the writer in: some milliseconds' worth.
const STROLL: usize = 4096;

/// How often things have changed in ways that a reader cannot see at the end of what it reads. Grow only.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Versions {
    /// Batches that removed latest states.
    pub rows: u64,
    /// Batches that removed events.
    pub events: u64,
    /// Batches that changed other modules' state.
    pub states: u64,
}

impl std::ops::AddAssign for Versions {
    fn add_assign(&mut self, more: Self) {
        self.rows += more.rows;
        self.events += more.events;
        self.states += more.states;
    }
}

#[derive(Debug)]
pub struct Index {
    tree: Tree,
    /// Held for reading while a call makes several reads that must agree, for writing while changes are applied.
    gate: RwLock<()>,
    /// Passed by everybody on the way to the gate, and held by the writer until it is through: who lets it in and comes
    /// back at once would else be there before it.
    turnstile: Mutex<()>,
    versions: Mutex<Versions>,
    /// Counts what is asked of the index.
    pub metrics: Metrics,
}

impl Index {
    /// Opens the index in `dir`. An error means: damaged, set it aside.
    pub fn open(dir: &Path, cache: u64) -> Result<Self, Fault> {
        Ok(Self {
            tree: Tree::open(dir, cache, POLICY)?,
            gate: RwLock::new(()),
            turnstile: Mutex::new(()),
            versions: Mutex::default(),
            metrics: Metrics::default(),
        })
    }

    /// While the guard lives, nothing is applied. Do not take it twice on one thread.
    pub fn steady(&self) -> RwLockReadGuard<'_, ()> {
        drop(self.turnstile.lock().unwrap_or_else(PoisonError::into_inner));
        self.gate.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        self.tree.get(key)
    }

    /// Pairs with `from` ≤ key < `to`, upwards or downwards.
    pub fn scan(&self, from: &[u8], to: &[u8], reverse: bool) -> Scan<'_> {
        self.tree.scan(from, to, reverse)
    }

    /// Calls `each` with all pairs, letting the writer in between: what it sees is no one state of the index.
    pub fn stroll(
        &self,
        from: &[u8],
        to: &[u8],
        mut each: impl FnMut(&[u8], &[u8]) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let mut from = from.to_vec();
        loop {
            let pairs: Vec<_> = {
                let _steady = self.steady();
                self.scan(&from, to, false).take(STROLL).collect::<Result<_, _>>()?
            };
            for (key, value) in &pairs {
                each(key, value)?;
            }
            match pairs.last() {
                Some((last, _)) if pairs.len() == STROLL => from = [last, [0].as_slice()].concat(),
                _ => return Ok(()),
            }
        }
    }

    /// Applies puts and removals, all at once for who reads. Not durable before [`Index::flush`], and it need not be.
    pub fn apply(&self, changes: Changes) -> Result<(), Fault> {
        let mut versions = Versions::default();
        for (key, value) in &changes {
            match (keys::kind(key), value) {
                (Some(Kind::Row), None) => versions.rows = 1,
                (Some(Kind::Event), None) => versions.events = 1,
                (Some(Kind::State), _) => versions.states = 1,
                _ => {}
            }
        }
        let turn = self.turnstile.lock().unwrap_or_else(PoisonError::into_inner);
        let nobody_reads = self.gate.write().unwrap_or_else(PoisonError::into_inner);
        drop(turn);
        *self.versions.lock().unwrap_or_else(PoisonError::into_inner) += versions;
        self.tree.apply(changes)?;
        drop(nobody_reads);
        Ok(())
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

    /// How often what readers look at again has changed since the start. Stands still while the index is held steady.
    pub fn versions(&self) -> Versions {
        *self.versions.lock().unwrap_or_else(PoisonError::into_inner)
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
