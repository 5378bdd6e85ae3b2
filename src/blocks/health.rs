//! Looking at blocks again: is what was damaged whole, and is every file there?

use super::{damage::is_damage, disk::BlockFile, handle::Blocks};
use crate::{
    cid::Digest,
    dwn::Fault,
    store::{Place, of_records},
};

/// Blocks looked up in one step.
const STEP_BLOCKS: usize = 256;

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
    /// Reads what is said to be damaged once more, and forgets what is whole or needed no more (blocking).
    pub(super) fn look_again(&self) -> Result<(), Fault> {
        for block in self.damage().blocks() {
            let place = if self.0.store.is_held(&block)? { self.0.store.place(&block)? } else { None };
            match place {
                Some(place) => drop(self.fetch(&block, place)),
                None => drop(self.damage().clear(&block)),
            }
        }
        Ok(())
    }

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
            let (places, next) = self.places(&first, STEP_BLOCKS)?;
            for (block, place) in &places {
                let Place::File { len } = place else { continue };
                if let Some(path) = self.0.disk.lacks(block, *len)
                    && self.0.store.is_held(block)?
                {
                    found.push((path, u64::from(*len), Some(*block)));
                }
            }
            from = next;
        }
        Ok(found)
    }
}
