//! What this node gives to strangers, as the network sees it.

use crate::cid::Cid;
use bytes::Bytes;

/// The blocks that strangers may have. Everything else must look absent.
///
/// Called on the blocking pool, a bounded number of times at once.
pub trait BlockSource: Send + Sync {
    /// A block that strangers may have. Nothing is read for it.
    fn offer(&self, cid: &Cid) -> Option<Offer>;
}

/// A block that may be given: its size is known, its bytes are not read yet.
pub struct Offer {
    size: usize,
    read: Box<dyn FnOnce() -> Option<Bytes>>,
}

impl Offer {
    /// A block of `size` bytes, which `read` reads, once at most; it finds nothing if they are gone or damaged.
    pub fn new(size: usize, read: impl FnOnce() -> Option<Bytes> + 'static) -> Self {
        Self { size, read: Box::new(read) }
    }

    /// Bytes of the block.
    pub fn size(&self) -> usize {
        self.size
    }

    /// The block, verified.
    pub fn read(self) -> Option<Bytes> {
        (self.read)()
    }
}

impl std::fmt::Debug for Offer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Offer").field("size", &self.size).finish_non_exhaustive()
    }
}
