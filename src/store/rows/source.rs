//! What a view reads: the index as it is, or the index and a group's changes upon it.

use super::{index::Versions, keys};
use crate::{
    dwn::Fault,
    store::{log::CachedMessage, lsm::Scan, metrics::Metrics, place::Position},
};
use anyhow::Context as _;
use std::sync::RwLockReadGuard;

/// The index, and the messages that it names.
pub trait Source {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Fault>;
    /// Pairs with `from` ≤ key < `to`, upwards or downwards.
    fn scan(&self, from: &[u8], to: &[u8], reverse: bool) -> Scan<'_>;
    /// The message at a position.
    fn frame(&self, at: Position) -> Result<CachedMessage, Fault>;
    /// The messages at these positions will be asked for.
    fn expect(&self, _: &[Position]) {}
    /// While the guard lives, nothing changes. `None`: nothing does anyway. Do not take it twice on one thread.
    fn steady(&self) -> Option<RwLockReadGuard<'_, ()>>;
    /// The log position up to which the index has been applied.
    fn applied(&self) -> Result<Position, Fault>;
    /// What cannot be seen by [`Source::applied`].
    fn versions(&self) -> Versions;
    /// What is counted of reads.
    fn metrics(&self) -> &Metrics;
}

/// The interned number of a string, if it has one.
pub fn number_of(source: &dyn Source, string: &str) -> Result<Option<u32>, Fault> {
    let Some(bytes) = source.get(&keys::name(string))? else { return Ok(None) };
    Ok(Some(u32::from_be_bytes(bytes.as_slice().try_into().context("an interned number is not 4 bytes")?)))
}
