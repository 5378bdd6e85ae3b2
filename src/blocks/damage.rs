//! Blocks that are known to be damaged. Who finds one says so; who reads it whole takes that back.

use crate::{
    cid::Digest,
    dwn::Fault,
    store::{Damaged, Damages, Holder, Object, Store},
};
use std::io::ErrorKind;

/// Records that are named for one block.
const RECORDS_MAX: usize = 16;

/// The list of damaged objects, as far as it is about blocks.
#[derive(Debug, Clone, Copy)]
pub struct Damage<'a>(pub(super) &'a Store);

impl Damage<'_> {
    /// A block that something needs is missing, short or damaged. Remembered across restarts, and logged once with the
    /// records whose data it is.
    pub fn note(&self, block: &Digest, why: &str) {
        self.damages().note(Object::Block(*block), why, self.records(block));
    }

    /// What reading a block has come to: whoever reads says so here, and damage is noted, or taken back.
    pub(super) fn judge<T>(&self, block: &Digest, read: &Result<T, Fault>) {
        match read {
            Ok(_) => drop(self.clear(block)),
            Err(fault) if is_damage(fault) => self.note(block, &format!("{fault:#}")),
            // Too many open files, no memory: it says nothing of the block.
            Err(_) => {}
        }
    }

    /// The block is whole again, or nothing needs it any more.
    pub fn clear(&self, block: &Digest) -> bool {
        self.damages().clear(Object::Block(*block))
    }

    /// The first of all damaged objects, those of the log included, at most `max`. For the owner: it names records.
    pub fn list(&self, max: usize) -> Vec<Damaged> {
        self.damages().list(max)
    }

    /// All blocks that are damaged.
    pub fn blocks(&self) -> Vec<Digest> {
        let objects = self.damages().objects().into_iter();
        objects.filter_map(|object| if let Object::Block(block) = object { Some(block) } else { None }).collect()
    }

    /// How many objects are damaged, those of the log included.
    pub fn count(&self) -> usize {
        self.damages().count()
    }

    /// Records whose data the block is part of, some of them if there are many.
    pub fn records(&self, block: &Digest) -> Vec<Holder> {
        let found = self.0.block_records(block, RECORDS_MAX).unwrap_or_default();
        found.into_iter().map(|(tenant, record)| Holder { tenant, record }).collect()
    }

    fn damages(&self) -> &Damages {
        self.0.damage()
    }
}

/// Does it say that the bytes are wrong, and not that they could not be read just now?
pub fn is_damage(fault: &Fault) -> bool {
    let of_disk = fault.chain().find_map(|cause| cause.downcast_ref::<std::io::Error>());
    of_disk.is_none_or(|error| {
        matches!(error.kind(), ErrorKind::NotFound | ErrorKind::UnexpectedEof | ErrorKind::InvalidData)
            || error.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error())
    })
}
