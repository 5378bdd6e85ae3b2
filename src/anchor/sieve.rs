//! Which batch a digest is *not* in, from memory: a Bloom filter of blocks. Pure.
//!
//! A digest's bits lie in one block of 64 bytes, so that asking costs one look at memory. Digests are hashes already:
//! their own bytes say which bits. One in a hundred that are not in it passes, and costs a look at the store.

use crate::cid::Digest;

/// Bits for a digest.
const BITS: usize = 10;
/// Bytes of a block.
const BLOCK: usize = 64;
/// Bits of its block that a digest sets.
const SET: u32 = 6;

#[derive(Debug)]
pub(super) struct Sieve(Vec<u8>);

impl Sieve {
    /// For so many digests; none is in it yet.
    pub(super) fn new(digests: usize) -> Self {
        Self(vec![0; Self::size(digests)])
    }

    /// The one that has these bytes.
    pub(super) fn of(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// Bytes of one for so many digests.
    pub(super) fn size(digests: usize) -> usize {
        (digests * BITS).div_ceil(8 * BLOCK).max(1) * BLOCK
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }

    pub(super) fn add(&mut self, digest: &Digest) {
        let (block, bits) = self.place(digest);
        if let Some(block) = self.0.as_chunks_mut::<BLOCK>().0.get_mut(block) {
            bits.for_each(|bit| block[bit / 8] |= 1 << (bit % 8));
        }
    }

    /// May it have been added? What was added always may.
    pub(super) fn may_have(&self, digest: &Digest) -> bool {
        let (block, mut bits) = self.place(digest);
        let block = self.0.as_chunks::<BLOCK>().0.get(block);
        block.is_some_and(|block| bits.all(|bit| block[bit / 8] & (1 << (bit % 8)) != 0))
    }

    fn place(&self, digest: &Digest) -> (usize, impl Iterator<Item = usize> + use<>) {
        let word = |at| digest.get(at..).and_then(<[u8]>::first_chunk).map_or(0, |bytes| u64::from_be_bytes(*bytes));
        let (spread, bits) = (word(8), word(16));
        let blocks = self.0.len() / BLOCK;
        let block = (u128::from(spread) * blocks as u128) >> u64::BITS;
        (block as usize, (0..SET).map(move |n| (bits >> (9 * n)) as usize % (8 * BLOCK)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cid;

    #[test]
    fn what_is_in_it_passes_and_of_the_rest_one_in_a_hundred() {
        let digest = |n: u32| cid::digest(&n.to_be_bytes());
        let mut sieve = Sieve::new(20_000);
        (0..20_000).for_each(|n| sieve.add(&digest(n)));
        let sieve = Sieve::of(sieve.bytes().to_vec());
        assert!((0..20_000).all(|n| sieve.may_have(&digest(n))));
        let passed = (20_000..120_000).filter(|n| sieve.may_have(&digest(*n))).count();
        assert!(passed < 2_500, "{passed} of 100,000");
        assert!(!Sieve::of(vec![]).may_have(&digest(1)) && !Sieve::new(0).may_have(&digest(1)));
    }
}
