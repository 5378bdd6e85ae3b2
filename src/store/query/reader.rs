//! The index as one query reads it: counted, and with the writer let in now and then.

use super::super::{
    pending::Source,
    steady::{STRIDE, Steady},
};
use crate::dwn::Fault;
use std::cell::Cell;

/// Sizes that a query works with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tuning {
    /// Entries of each candidate that are counted before one is chosen. An index with fewer is read without
    /// further thought: that many rows are decoded in some tenths of a millisecond.
    pub few: usize,
    /// Reads after which the writer is let in.
    pub stride: usize,
    /// Entries that one source of an intersection steps over before it seeks: a seek copies a page of the tree,
    /// which costs about as much as so many steps.
    pub steps: usize,
    /// After so many looks, a source that turned away less than half of what it was asked leaves an intersection.
    pub trial: u32,
}

/// In unit tests all is small, so that few records reach every plan.
pub(super) const TUNING: Tuning = if cfg!(test) {
    Tuning { few: 3, stride: STRIDE, steps: 2, trial: 6 }
} else {
    Tuning { few: 64, stride: STRIDE, steps: 16, trial: 32 }
};

/// Reads for one query, holding the source [`Steady`].
pub(super) struct Reader<'a> {
    pub source: &'a dyn Source,
    pub tenant: u32,
    pub tuning: Tuning,
    pub steady: Steady<'a>,
    read: Cell<u64>,
    scanned: Cell<u64>,
}

impl<'a> Reader<'a> {
    pub fn new(source: &'a dyn Source, tenant: u32, tuning: Tuning) -> Self {
        let steady = Steady::new(source, tuning.stride);
        Self { source, tenant, tuning, steady, read: Cell::default(), scanned: Cell::default() }
    }

    /// An entry has been read.
    pub fn read(&self) -> Result<(), Fault> {
        self.read.set(self.read.get() + 1);
        self.steady.tick()
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
