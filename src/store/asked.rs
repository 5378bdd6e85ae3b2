//! A memory of what was asked for before: what is asked for once is not worth a place in a cache.

use std::mem;

/// Remembers of some hashes that they were asked for: of those that share a slot, the last.
#[derive(Debug)]
pub struct Asked {
    slots: Vec<u64>,
    bits: u32,
}

impl Asked {
    /// With two to the power of `bits` slots, which take no memory before the first is asked for.
    pub fn new(bits: u32) -> Self {
        Self { slots: Vec::new(), bits }
    }

    /// Was it asked for before? It is now.
    pub fn again(&mut self, hash: u64) -> bool {
        self.slots.resize(1 << self.bits, 0);
        let slot = self.slots.get_mut((hash >> (u64::BITS - self.bits)) as usize);
        slot.is_some_and(|last| mem::replace(last, hash) == hash)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_known_what_was_asked_before() {
        let mut asked = Asked::new(4);
        assert_eq!(
            [1, 1, 2, 1, 1, 1 << 60, 1].map(|hash| asked.again(hash)),
            [false, true, false, false, true, false, true]
        );
    }
}
