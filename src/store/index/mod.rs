//! The index: a sorted map of bytes that the log can rebuild, and that says up to where it has been applied.
//!
//! Changes go into a table in memory, at once. When it is large, or has been left alone, it is written to the disk as a
//! run of sorted pages; runs are merged in the background. The list of runs changes in one atomic write, so after a
//! crash the index stands as it was after some group of writes, and the log has the rest. Which group that was is a
//! key of the index like others.

mod cache;
mod disk;
mod layers;
mod page;
mod recent;
mod run;
mod settle;

use super::{
    Position,
    keys::{self, Kind},
    metrics::Metrics,
    pending::Changes,
    steady::Versions,
};
use crate::dwn::Fault;
use anyhow::Context as _;
pub(super) use disk::{suspect_marker, was_closed};
use recent::Recent;
use settle::Settler;
use std::{
    path::Path,
    sync::{Mutex, PoisonError, RwLock, RwLockReadGuard},
};

/// Pairs that a long scan reads before it lets the writer in: some milliseconds' worth.
const STROLL: usize = 4096;

/// Key-value pairs in key order.
pub(super) type Scan<'a> = Box<dyn Iterator<Item = Result<(Vec<u8>, Vec<u8>), Fault>> + 'a>;

#[derive(Debug)]
pub(super) struct Index {
    settler: Settler,
    recent: Recent,
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
            settler: Settler::open(dir, cache)?,
            recent: Recent::default(),
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
        let get = || self.settler.layers().get(self.settler.disk(), key);
        if !keys::is_asked_often(key) {
            return get();
        }
        let ticket = match self.recent.get(key) {
            Ok(value) => return Ok(Some(value.to_vec())),
            Err(ticket) => ticket,
        };
        let value = get()?;
        if let Some(value) = &value {
            self.recent.put(ticket, key, value);
        }
        Ok(value)
    }

    /// Pairs with `from` ≤ key < `to`, upwards or downwards.
    pub fn scan(&self, from: &[u8], to: &[u8], reverse: bool) -> Scan<'_> {
        if from >= to {
            return Box::new(std::iter::empty());
        }
        match self.settler.layers().scan(self.settler.disk(), from, to, reverse) {
            Ok(pairs) => pairs,
            Err(error) => Box::new(std::iter::once(Err(error))),
        }
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
        let often = changes.keys().map(Vec::as_slice).filter(|key| keys::is_asked_often(key));
        let changing = self.recent.change(often);
        self.settler.put(changes)?;
        drop(changing);
        drop(nobody_reads);
        Ok(())
    }

    /// Waits until more may be applied. An error if that needs room on the disk, and there is none.
    pub fn wait(&self) -> Result<(), Fault> {
        self.settler.wait()
    }

    /// Waits until more may be applied, and takes room on the disk for it; an error if there is none.
    pub fn make_room(&self) -> Result<(), Fault> {
        self.settler.make_room()
    }

    /// Writes what was applied to the disk, and hands it to the operating system.
    pub fn flush(&self) -> Result<(), Fault> {
        self.settler.flush()
    }

    /// Why nothing is written to the disk any more.
    pub fn failed(&self) -> Option<String> {
        self.settler.failed()
    }

    #[cfg(test)]
    pub fn fail(&self, runs: u32) {
        self.settler.fail(runs);
    }

    #[cfg(test)]
    pub fn failing(&self) -> u32 {
        self.settler.failing()
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
