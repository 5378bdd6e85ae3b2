//! Content by CID: staging data as UnixFS blocks, reading it back, verified.
//!
//! INTERFACE SKETCH: other modules are written against these signatures.

use crate::{
    cid::Cid,
    dwn::Fault,
    store::{Data, Store},
};
use bytes::Bytes;
use std::path::Path;

/// Handle to the blocks; cheap to clone.
#[derive(Debug, Clone)]
pub struct Blocks {}

/// Data on its way in: nothing refers to it yet; dropped, it leaves nothing behind.
#[derive(Debug)]
pub struct Stage {}

impl Blocks {
    pub fn open(_dir: &Path, _store: Store) -> Result<Self, Fault> {
        unimplemented!()
    }

    /// Starts staging.
    pub fn stage(&self) -> Stage {
        unimplemented!()
    }

    /// A block, its hash checked.
    pub fn get(&self, _cid: &Cid) -> Result<Option<Bytes>, Fault> {
        unimplemented!()
    }

    /// The file under a UnixFS root, chunk by chunk, each hash checked.
    pub fn read(&self, _root: &Cid) -> Result<Reader, Fault> {
        unimplemented!()
    }
}

impl Stage {
    /// Takes the next bytes of the data (blocking: call on a blocking thread).
    pub fn push(&mut self, _bytes: &[u8]) -> Result<(), Fault> {
        unimplemented!()
    }

    /// All bytes are in: root CID, size, places; block files are durable when this returns.
    pub fn finish(self) -> Result<Data, Fault> {
        unimplemented!()
    }
}

/// Iterates over a file's chunks.
#[derive(Debug)]
pub struct Reader {}

impl Iterator for Reader {
    type Item = Result<Bytes, Fault>;
    fn next(&mut self) -> Option<Self::Item> {
        unimplemented!()
    }
}
