//! Blocks one by one.
//!
//! The rule is asked once for a block, when it is located. Its size then costs no look at the disk, and its bytes are
//! read and hashed once.

use super::{
    handle::Blocks,
    may::{Right, Source},
};
use crate::{cid::Cid, dwn::Fault};
use bytes::Bytes;

/// A block that somebody may have. Its bytes are not read yet.
#[derive(Debug)]
pub struct Located {
    blocks: Blocks,
    cid: Cid,
    source: Source,
}

impl Located {
    /// Bytes of the block, as its place says.
    pub fn size(&self) -> u64 {
        self.source.length(&self.cid)
    }

    /// The block, its hash checked.
    pub fn read(&self) -> Result<Bytes, Fault> {
        self.blocks.bytes(&self.cid, self.source)
    }
}

impl Blocks {
    /// A block that may be had with this right. `None`: it is not here, or not his.
    pub fn locate(&self, right: Right, cid: &Cid) -> Result<Option<Located>, Fault> {
        let source = self.may(right, cid)?.source();
        Ok(source.map(|source| Located { blocks: self.clone(), cid: *cid, source }))
    }

    /// As [`Blocks::locate`], and reads it.
    pub fn get(&self, right: Right, cid: &Cid) -> Result<Option<Bytes>, Fault> {
        self.locate(right, cid)?.map(|block| block.read()).transpose()
    }

    pub(super) fn bytes(&self, cid: &Cid, source: Source) -> Result<Bytes, Fault> {
        match source {
            Source::Cid => Ok(Bytes::copy_from_slice(cid.hash().digest())),
            Source::Here(digest, place) => self.fetch(&digest, place),
        }
    }
}
