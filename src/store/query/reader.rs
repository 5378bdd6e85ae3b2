//! The index as one query reads it: counted.

use crate::store::rows::source::Source;
use std::cell::Cell;

/// Sizes that a query works with.
#[derive(Debug, Clone, Copy)]
pub struct Tuning {
    /// Entries of each candidate that are counted before one is chosen.
    pub few: usize,
    /// Entries that a source of an intersection steps over before it seeks.
    pub steps: usize,
    /// After so many looks it is judged what a source of an intersection saves.
    pub trial: u64,
    /// Places for which one that did not save enough is left alone, before it is tried again.
    pub rest: u64,
}

/// In unit tests all is small, so that few records reach every plan.
pub const TUNING: Tuning = if cfg!(test) {
    Tuning { few: 2, steps: 2, trial: 4, rest: 5 }
} else {
    Tuning { few: 16, steps: 8, trial: 8, rest: 256 }
};

/// What a seek costs, in entries: it copies a page of the tree.
pub const SEEK: u64 = 8;
/// What fetching and decoding a row costs, in entries.
pub const FETCH: u64 = 8;

/// Reads for one query.
pub struct Reader<'a> {
    pub source: &'a dyn Source,
    pub tenant: u32,
    pub tuning: Tuning,
    read: Cell<u64>,
    scanned: Cell<u64>,
    seeks: Cell<u64>,
}

impl<'a> Reader<'a> {
    pub fn new(source: &'a dyn Source, tenant: u32, tuning: Tuning) -> Self {
        Self { source, tenant, tuning, read: Cell::default(), scanned: Cell::default(), seeks: Cell::default() }
    }

    /// An entry has been read.
    pub fn read(&self) {
        self.read.set(self.read.get() + 1);
    }

    /// A place in the middle of an index is looked for.
    pub fn seek(&self) {
        self.seeks.set(self.seeks.get() + 1);
    }

    /// What was done so far, in entries read.
    pub fn work(&self) -> u64 {
        self.read.get() + SEEK * self.seeks.get()
    }

    /// An entry that was read has been made use of.
    pub fn scan(&self) {
        self.scanned.set(self.scanned.get() + 1);
    }

    /// Entries that the plans went through.
    pub fn scanned(&self) -> u64 {
        self.scanned.get()
    }

    /// Entries that were read to choose a plan, or ahead of it, and that no plan used.
    pub fn unused(&self) -> u64 {
        self.read.get().saturating_sub(self.scanned.get())
    }
}
