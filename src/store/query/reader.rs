//! The index as one query reads it: counted, and with the writer let in now and then.

use super::super::{Position, keys, pending::Source, rows::Row};
use crate::dwn::Fault;
use std::{
    cell::{Cell, RefCell},
    sync::RwLockReadGuard,
};

/// Sizes that a query works with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tuning {
    /// Entries of each candidate that are counted before one is chosen. An index with fewer is read without
    /// further thought: that many rows are decoded in some tenths of a millisecond.
    pub few: usize,
    /// Reads after which the writer is let in: some milliseconds' worth.
    pub stride: usize,
    /// Entries that one source of an intersection steps over before it seeks: a seek copies a page of the tree,
    /// which costs about as much as so many steps.
    pub steps: usize,
    /// After so many looks, a source that turned away less than half of what it was asked leaves an intersection.
    pub trial: u32,
}

/// In unit tests all is small, so that few records reach every plan and every pause.
pub(super) const TUNING: Tuning = if cfg!(test) {
    Tuning { few: 3, stride: 7, steps: 2, trial: 6 }
} else {
    Tuning { few: 64, stride: 4096, steps: 16, trial: 32 }
};

/// Reads for one query. Where the source can change under it, it holds the writer off while it reads and lets it in
/// after every stride; [`Reader::since`] then says from where on the query has to look again.
pub(super) struct Reader<'a> {
    pub source: &'a dyn Source,
    pub tenant: u32,
    pub tuning: Tuning,
    held: RefCell<Option<RwLockReadGuard<'a, ()>>>,
    since: Cell<Option<Position>>,
    ticks: Cell<usize>,
    pauses: Cell<u64>,
    read: Cell<u64>,
    scanned: Cell<u64>,
}

impl<'a> Reader<'a> {
    pub fn new(source: &'a dyn Source, tenant: u32, tuning: Tuning) -> Self {
        let held = RefCell::new(source.steady());
        let (since, ticks, pauses, read, scanned) = Default::default();
        Self { source, tenant, tuning, held, since, ticks, pauses, read, scanned }
    }

    /// An entry has been read.
    pub fn read(&self) -> Result<(), Fault> {
        self.read.set(self.read.get() + 1);
        self.tick()
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

    /// How often the writer was let in.
    pub fn pauses(&self) -> u64 {
        self.pauses.get()
    }

    /// Rows from this position on may have come since the query began. `None`: nothing was let in yet.
    pub fn since(&self) -> Option<Position> {
        self.since.get()
    }

    pub fn row(&self, position: Position) -> Result<Option<Row>, Fault> {
        self.tick()?;
        self.source.get(&keys::row(self.tenant, position))?.map(|bytes| Row::decode(&bytes)).transpose()
    }

    fn tick(&self) -> Result<(), Fault> {
        self.ticks.set(self.ticks.get() + 1);
        if self.ticks.get() < self.tuning.stride {
            return Ok(());
        }
        self.pause()
    }

    /// Lets the writer in, if it can come.
    pub fn pause(&self) -> Result<(), Fault> {
        self.ticks.set(0);
        let Some(held) = self.held.take() else { return Ok(()) };
        if self.since.get().is_none() {
            // Nothing has been applied since the query began.
            self.since.set(Some(self.source.applied()?));
        }
        drop(held);
        self.pauses.set(self.pauses.get() + 1);
        self.held.replace(self.source.steady());
        Ok(())
    }
}
