//! Reading for long without holding the writer off for long.
//!
//! sled has no snapshots. A call whose reads must agree holds the index steady; a long one lets the writer in after
//! every stride and then sees to it that its answer is the state of one moment all the same, the last: what only ever
//! comes at the end (rows and events, by position) is read up to the end, and what may have gone is looked at again,
//! if anything of its kind has gone meanwhile.

use super::{index::Versions, source::Source};
use crate::{dwn::Fault, store::place::Position};
use std::{
    cell::{Cell, RefCell},
    sync::RwLockReadGuard,
};

/// Reads after which the writer is let in: some milliseconds' worth. In unit tests few records have to reach it.
pub const STRIDE: usize = if cfg!(test) { 7 } else { 4096 };
/// Times that a look at what may have gone is repeated, because more has gone meanwhile, before the writer has to wait.
pub const ROUNDS_MAX: u32 = 3;

/// The state of the source when the writer was first let in.
#[derive(Debug, Clone, Copy)]
pub struct Since {
    /// What has come since has a position from here on.
    pub applied: Position,
    pub versions: Versions,
}

/// Holds the source steady while it lives, but for pauses.
pub struct Steady<'a> {
    source: &'a dyn Source,
    stride: Cell<usize>,
    held: RefCell<Option<RwLockReadGuard<'a, ()>>>,
    since: Cell<Option<Since>>,
    ticks: Cell<usize>,
    pauses: Cell<u64>,
}

impl<'a> Steady<'a> {
    pub fn new(source: &'a dyn Source, stride: usize) -> Self {
        let (since, ticks, pauses) = Default::default();
        Self { source, stride: stride.into(), held: RefCell::new(source.steady()), since, ticks, pauses }
    }

    /// Something has been read. Lets the writer in when it was enough.
    pub fn tick(&self) -> Result<(), Fault> {
        self.ticks.set(self.ticks.get() + 1);
        if self.ticks.get() < self.stride.get() {
            return Ok(());
        }
        self.ticks.set(0);
        let Some(held) = self.held.take() else { return Ok(()) };
        if self.since.get().is_none() {
            self.since.set(Some(Since { applied: self.source.applied()?, versions: self.source.versions() }));
        }
        drop(held);
        self.pauses.set(self.pauses.get() + 1);
        self.held.replace(self.source.steady());
        Ok(())
    }

    /// From now on the writer waits.
    pub fn hold(&self) {
        self.stride.set(usize::MAX);
    }

    /// How often the writer was let in.
    pub fn pauses(&self) -> u64 {
        self.pauses.get()
    }

    /// `None`: the writer was not let in yet.
    pub fn since(&self) -> Option<Since> {
        self.since.get()
    }

    /// Repeats `pass` until it saw one state of what `version` counts; the version it saw. The writer may have been let
    /// in since, but has changed nothing of that kind.
    pub fn repeat(
        &self,
        version: impl Fn(Versions) -> u64,
        mut pass: impl FnMut() -> Result<(), Fault>,
    ) -> Result<u64, Fault> {
        for round in 1.. {
            let before = version(self.source.versions());
            pass()?;
            if version(self.source.versions()) == before {
                return Ok(before);
            }
            if round == ROUNDS_MAX {
                self.hold();
            }
        }
        Ok(0)
    }
}
