//! Blocks that are known to be damaged: who finds one says so, who reads it whole takes that back.

use super::Blocks;
use crate::{
    cid::Digest,
    dwn::Fault,
    store::{Damaged, Damages, Holder, Object, Place, of_records},
};
use std::{fs, io::ErrorKind, path::PathBuf};

/// Records that are named for one block.
const RECORDS_MAX: usize = 16;
/// Blocks looked up in one step.
const STEP_BLOCKS: usize = 256;

/// The list of damaged objects, as far as it is about blocks.
#[derive(Debug, Clone, Copy)]
pub struct Damage<'a>(&'a Blocks);

impl Blocks {
    /// What is known to be damaged.
    pub fn damage(&self) -> Damage<'_> {
        Damage(self)
    }
}

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
        let found = self.0.0.store.block_records(block, RECORDS_MAX).unwrap_or_default();
        found.into_iter().map(|(tenant, record)| Holder { tenant, record }).collect()
    }

    /// Reads what is said to be damaged once more, and forgets what is whole or needed no more (blocking).
    pub(super) fn look_again(&self) -> Result<(), Fault> {
        for block in self.blocks() {
            let place = if self.0.0.store.is_held(&block)? { self.0.0.store.place(&block)? } else { None };
            match place {
                Some(place) => drop(self.0.fetch(&block, place)),
                None => drop(self.clear(&block)),
            }
        }
        Ok(())
    }

    fn damages(&self) -> &Damages {
        self.0.0.store.damage()
    }
}

/// What is the matter with a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    None,
    /// Nothing needs it, so nothing is.
    NotNeeded,
    /// Why, and whose it is.
    Damaged(String),
}

impl Blocks {
    /// Reads a block again to see whether it is whole (blocking).
    pub(crate) fn trouble(&self, block: &Digest) -> Result<Trouble, Fault> {
        let place = if self.0.store.is_held(block)? { self.0.store.place(block)? } else { None };
        let Some(place) = place else { return Ok(Trouble::NotNeeded) };
        match self.fetch(block, place) {
            Ok(_) => Ok(Trouble::None),
            Err(fault) if is_damage(&fault) => {
                Ok(Trouble::Damaged(format!("{fault:#}{}", of_records(&self.damage().records(block)))))
            }
            Err(fault) => Err(fault),
        }
    }

    /// Files of blocks that something needs and that are not there, or not as long as they should be; and how long that is.
    pub(crate) fn lacking(&self) -> Result<Vec<BlockFile>, Fault> {
        let (mut found, mut from) = (Vec::new(), Some([0; 32]));
        while let Some(first) = from {
            let places = self.0.store.places(&first, STEP_BLOCKS)?;
            for (block, place) in &places {
                let Place::File { len } = place else { continue };
                let path = self.0.disk.file(block);
                let there = fs::metadata(&path).is_ok_and(|found| found.len() == u64::from(*len));
                if !there && self.0.store.is_held(block)? {
                    found.push((path, u64::from(*len), Some(*block)));
                }
            }
            let last = places.last().filter(|_| places.len() == STEP_BLOCKS);
            from = last.and_then(|(block, _)| super::collect::following(block));
        }
        Ok(found)
    }
}

/// A file of blocks, its length, and what a block file's name says it hashes to.
pub(crate) type BlockFile = (PathBuf, u64, Option<Digest>);

/// Does it say that the bytes are wrong, and not that they could not be read just now?
pub fn is_damage(fault: &Fault) -> bool {
    let of_disk = fault.chain().find_map(|cause| cause.downcast_ref::<std::io::Error>());
    of_disk.is_none_or(|error| {
        matches!(error.kind(), ErrorKind::NotFound | ErrorKind::UnexpectedEof | ErrorKind::InvalidData)
            || error.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error())
    })
}
