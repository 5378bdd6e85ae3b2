//! Keys and values: how they are handed around, and what a tree is told of its keys.

use anyhow::Error as Fault;
use std::collections::BTreeMap;

/// A key and its new value, or (`None`) that the key is gone.
pub type Entry<'a> = (&'a [u8], Option<&'a [u8]>);

/// Puts and removals, in key order.
pub type Changes = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

/// Key-value pairs in key order.
pub type Scan<'a> = Box<dyn Iterator<Item = Result<(Vec<u8>, Vec<u8>), Fault>> + 'a>;

/// What a tree is told of its key spaces, which are the first bytes of keys. What lies on the disk depends on it: another
/// policy needs another version of the index.
#[derive(Debug, Clone, Copy)]
pub struct Policy {
    /// Spaces of few keys, however much is stored: they lie in sled, all others in runs. No space is 0xFF.
    pub small: &'static [u8],
    /// Spaces that are only ever scanned: their keys are in no Bloom filter.
    pub ranged: &'static [u8],
    /// Spaces whose keys are asked for one by one, again and again: their values are cached.
    pub cached: &'static [u8],
}

impl Policy {
    pub fn is_small(&self, key: &[u8]) -> bool {
        key.first().is_none_or(|space| self.small.contains(space))
    }

    /// May there be small keys between `from` and `to`?
    pub fn may_be_small(&self, from: &[u8], to: &[u8]) -> bool {
        self.small.iter().any(|space| from < [space + 1].as_slice() && to > [*space].as_slice())
    }

    pub fn is_ranged(&self, key: &[u8]) -> bool {
        key.first().is_some_and(|space| self.ranged.contains(space))
    }

    pub fn is_cached(&self, key: &[u8]) -> bool {
        key.first().is_some_and(|space| self.cached.contains(space))
    }
}

/// Stored with the filters: never change it.
pub fn hash(key: &[u8]) -> u64 {
    let mix = |hash: u64| {
        let hash = hash.wrapping_mul(0xFF51_AFD7_ED55_8CCD);
        hash ^ hash >> 32
    };
    let each = key.chunks(8).map(|part| {
        let mut eight = [0; 8];
        part.iter().zip(&mut eight).for_each(|(from, to)| *to = *from);
        u64::from_le_bytes(eight)
    });
    mix(each.fold(0x9E37_79B9_7F4A_7C15 ^ key.len() as u64, |hash, part| mix(hash ^ part)))
}
