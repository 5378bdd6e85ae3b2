//! The store: an append-only log that is the truth and an index that is rebuilt from it.
//!
//! INTERFACE SKETCH: other modules are written against these signatures.

use crate::{
    cid::{Cid, Digest},
    dwn::{Change, Fault, Stop, View},
};
use bytes::Bytes;
use std::path::Path;
use tokio::sync::watch;

/// A place in the log: the number of bytes before the frame that starts there. Grows, never reused.
pub type Position = u64;

#[derive(Debug, Clone, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Bytes after which a log segment is sealed and the next begun.
    pub segment_size: u64,
    /// Bytes of memory the index may use as cache.
    pub cache: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self { segment_size: 64 << 20, cache: 32 << 20 }
    }
}

/// Where the bytes of a block lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Inside a frame of the log (data of up to `dwn::INLINE_MAX` bytes).
    Log { at: u64, len: u32 },
    /// In a pack segment.
    Pack { segment: u32, at: u64, len: u32 },
    /// A file of its own, named by its digest.
    File { len: u32 },
}

/// Data that `blocks` has staged and a commit makes part of a record.
#[derive(Debug, Clone)]
pub struct Data {
    /// UnixFS root: the record's `dataCid`.
    pub root: Cid,
    pub size: u64,
    /// Up to `dwn::INLINE_MAX` bytes: the data itself, written into the log frame, in no block file.
    pub inline: Option<Bytes>,
    /// Every block of the DAG with its place, durable already.
    pub blocks: Vec<(Digest, Place)>,
}

/// What a follower reads.
#[derive(Debug, Clone)]
pub enum Entry {
    /// An accepted message. `message` is its DAG-CBOR (no `encodedData`).
    Message { position: Position, next: Position, tenant: String, cid: Cid, message: Bytes, data: Option<(Cid, u64)> },
    /// State that other modules keep (see [`Store::put_state`]); followers pass over it.
    State { position: Position, next: Position },
}

/// Handle to the store; cheap to clone.
#[derive(Debug, Clone)]
pub struct Store {}

impl Store {
    pub fn open(_dir: &Path, _config: &Config) -> Result<Self, Fault> {
        unimplemented!()
    }

    /// A snapshot of one tenant's past.
    pub fn view(&self, _tenant: &str) -> Box<dyn View + Send> {
        unimplemented!()
    }

    /// Runs `decide` under the one writer and makes its change durable: resolves after fdatasync and index.
    pub async fn commit<F>(&self, _tenant: &str, _data: Option<Data>, _decide: F) -> Result<Change, Stop>
    where
        F: FnMut(&dyn View) -> Result<Change, Stop> + Send + 'static,
    {
        unimplemented!()
    }

    /// End of what is durable; followers wait on it.
    pub fn tail(&self) -> watch::Receiver<Position> {
        unimplemented!()
    }

    /// Entries from `from` on (0: the first), at most `max`, only durable ones.
    pub fn entries(&self, _from: Position, _max: usize) -> Result<Vec<Entry>, Fault> {
        unimplemented!()
    }

    /// State of another module, by key. Keys begin with the module's name: `anchor/…`, `sync/…`.
    pub fn state(&self, _key: &[u8]) -> Result<Option<Bytes>, Fault> {
        unimplemented!()
    }

    /// All state whose key begins with `prefix`, in key order.
    pub fn states(&self, _prefix: &[u8]) -> Result<Vec<(Bytes, Bytes)>, Fault> {
        unimplemented!()
    }

    /// Sets (or with `None` removes) state, atomically and durably: it goes through the log like a message.
    pub async fn put_state(&self, _changes: Vec<(Vec<u8>, Option<Vec<u8>>)>) -> Result<(), Fault> {
        unimplemented!()
    }

    /// Where a block lies, if a record of any tenant holds it.
    pub fn block(&self, _digest: &Digest) -> Result<Option<Place>, Fault> {
        unimplemented!()
    }

    /// Does a published latest-state record of any tenant hold this block (so that anyone may have it)?
    pub fn block_is_public(&self, _digest: &Digest) -> Result<bool, Fault> {
        unimplemented!()
    }
}
