//! Where things lie: positions of the log, places of blocks, and data that waits for its commit.

use crate::cid::{Cid, Digest};
use bytes::Bytes;
use std::{any::Any, sync::Arc};

/// A place in the log: the number of bytes before the frame that starts there. Grows, never reused.
pub type Position = u64;

/// Where the bytes of a block lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Inside the frame of the log that begins at `at` (data of up to `dwn::INLINE_MAX` bytes).
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
    /// Every block of the DAG with its place, durable already. Empty for inline data.
    pub blocks: Vec<(Digest, Place)>,
    /// Keeps the blocks from collection until a commit has named them.
    pub hold: Hold,
}

impl Data {
    /// Data that is on another device: a record has it, and no block of it is here.
    pub fn elsewhere(root: Cid, size: u64) -> Self {
        Self { root, size, inline: None, blocks: Vec::new(), hold: Hold::default() }
    }

    /// What is here lies in its message's frame or in blocks.
    pub fn is_elsewhere(&self) -> bool {
        self.inline.is_none() && self.blocks.is_empty()
    }
}

/// Whatever keeps staged blocks from being collected; let go of when dropped.
#[derive(Clone, Default)]
pub struct Hold(Option<Arc<dyn Any + Send + Sync>>);

impl Hold {
    pub fn new(hold: impl Any + Send + Sync) -> Self {
        Self(Some(Arc::new(hold)))
    }
}

impl std::fmt::Debug for Hold {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.0.is_some() { "Hold(…)" } else { "Hold" })
    }
}
