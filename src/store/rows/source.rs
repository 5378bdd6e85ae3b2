//! What a view reads: the index at one moment, or that and a group's changes upon it.

use super::{index::Index, keys};
use crate::{
    dwn::Fault,
    store::{
        log::{CachedMessage, Log},
        lsm::{self, Scan},
        metrics::Metrics,
        place::Position,
    },
};
use anyhow::Context as _;
use std::sync::{Arc, OnceLock};

/// The index, and the messages that it names.
pub trait Source {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Fault>;
    /// Pairs with `from` ≤ key < `to`, upwards or downwards.
    fn scan(&self, from: &[u8], to: &[u8], reverse: bool) -> Scan<'_>;
    /// The message at a position.
    fn frame(&self, at: Position) -> Result<CachedMessage, Fault>;
    /// The messages at these positions will be asked for.
    fn expect(&self, _: &[Position]) {}
    /// What is counted of reads.
    fn metrics(&self) -> &Metrics;
}

/// The index as it is when it is first asked, and the log. Who only reads messages holds nothing of the index.
#[derive(Debug)]
pub struct Snapshot {
    index: Arc<Index>,
    log: Log,
    state: OnceLock<lsm::Snapshot>,
}

impl Snapshot {
    pub fn new(index: Arc<Index>, log: Log) -> Self {
        Self { index, log, state: OnceLock::new() }
    }

    fn state(&self) -> &lsm::Snapshot {
        self.state.get_or_init(|| self.index.snapshot())
    }
}

impl Source for Snapshot {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        self.state().get(key)
    }

    fn scan(&self, from: &[u8], to: &[u8], reverse: bool) -> Scan<'_> {
        self.state().scan(from, to, reverse)
    }

    fn frame(&self, at: Position) -> Result<CachedMessage, Fault> {
        self.log.message(at)
    }

    fn expect(&self, positions: &[Position]) {
        self.log.expect(positions);
    }

    fn metrics(&self) -> &Metrics {
        &self.index.metrics
    }
}

impl<S: Source + ?Sized> Source for &S {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        (**self).get(key)
    }

    fn scan(&self, from: &[u8], to: &[u8], reverse: bool) -> Scan<'_> {
        (**self).scan(from, to, reverse)
    }

    fn frame(&self, at: Position) -> Result<CachedMessage, Fault> {
        (**self).frame(at)
    }

    fn expect(&self, positions: &[Position]) {
        (**self).expect(positions);
    }

    fn metrics(&self) -> &Metrics {
        (**self).metrics()
    }
}

/// The interned number of a string, if it has one.
pub fn number_of(source: &dyn Source, string: &str) -> Result<Option<u32>, Fault> {
    let Some(bytes) = source.get(&keys::name(string))? else { return Ok(None) };
    Ok(Some(u32::from_be_bytes(bytes.as_slice().try_into().context("an interned number is not 4 bytes")?)))
}
