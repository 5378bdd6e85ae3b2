//! Sums of sets of messages: who holds the same has the same sums, in whatever order it came; where sums of two differ,
//! sums of parts find what.
//!
//! An item is a message and whether its data is there. A sum is the total of the items' hashes, as numbers of 256 bits that
//! overflow, and how many there are: an item comes and goes in one addition, and the sum of a whole is the sum of its parts.
//! Nothing here is secret or keyed; what is shown to a peer is hashed with something that he could not know before.

use crate::cid::Digest;
use sha2::{Digest as _, Sha256};

/// What an item's hash begins with.
const ITEM: &[u8] = b"toft item";

/// A message that is kept, and whether its data is kept with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Item {
    /// The digest in the message's CID.
    pub digest: Digest,
    pub has_data: bool,
}

impl Item {
    /// SHA-256 of `toft item`, the digest, and 1 or 0.
    pub fn id(&self) -> [u8; 32] {
        let hash = Sha256::new().chain_update(ITEM).chain_update(self.digest).chain_update([u8::from(self.has_data)]);
        hash.finalize().into()
    }
}

/// The sum of a set of items.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Sum {
    /// The lowest 64 bits first.
    total: [u64; 4],
    count: u64,
}

impl Sum {
    /// Length in bytes.
    pub const LENGTH: usize = 40;

    /// Of one item.
    pub fn one(id: &[u8; 32]) -> Self {
        Self { total: number(id), count: 1 }
    }

    /// An item comes.
    pub fn add(&mut self, id: &[u8; 32]) {
        *self = self.plus(Self::one(id));
    }

    /// An item goes.
    pub fn sub(&mut self, id: &[u8; 32]) {
        *self = self.minus(Self::one(id));
    }

    /// Of two sets that have no item in common.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        let (mut total, mut carry) = (self.total, false);
        for (mine, theirs) in total.iter_mut().zip(other.total) {
            let (sum, over) = mine.overflowing_add(theirs);
            let (sum, again) = sum.overflowing_add(carry.into());
            (*mine, carry) = (sum, over || again);
        }
        Self { total, count: self.count.wrapping_add(other.count) }
    }

    /// Of a set without a part of it.
    #[must_use]
    pub fn minus(self, other: Self) -> Self {
        let (mut total, mut borrow) = (self.total, false);
        for (mine, theirs) in total.iter_mut().zip(other.total) {
            let (rest, under) = mine.overflowing_sub(theirs);
            let (rest, again) = rest.overflowing_sub(borrow.into());
            (*mine, borrow) = (rest, under || again);
        }
        Self { total, count: self.count.wrapping_sub(other.count) }
    }

    /// Items.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Is it that of the empty set? (Nobody can find others that add up to nothing, but by trying.)
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The total in 32 bytes and the count in 8, little-endian.
    pub fn to_bytes(self) -> [u8; Self::LENGTH] {
        let mut bytes = [0; Self::LENGTH];
        let numbers = self.total.into_iter().chain([self.count]);
        bytes.chunks_exact_mut(8).zip(numbers).for_each(|(to, from)| to.copy_from_slice(&from.to_le_bytes()));
        bytes
    }

    pub fn from_bytes(bytes: &[u8; Self::LENGTH]) -> Self {
        let mut numbers = [0; 5];
        read(bytes, &mut numbers);
        let [a, b, c, d, count] = numbers;
        Self { total: [a, b, c, d], count }
    }
}

impl<'a> FromIterator<&'a Item> for Sum {
    fn from_iter<T: IntoIterator<Item = &'a Item>>(items: T) -> Self {
        items.into_iter().fold(Self::default(), |sum, item| sum.plus(Self::one(&item.id())))
    }
}

fn number(id: &[u8; 32]) -> [u64; 4] {
    let mut numbers = [0; 4];
    read(id, &mut numbers);
    numbers
}

fn read(bytes: &[u8], numbers: &mut [u64]) {
    for (number, eight) in numbers.iter_mut().zip(bytes.chunks_exact(8)) {
        *number = eight.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte));
    }
}

/// Digests that begin alike: a set is split into 64 parts by the first six bits, each of these by the next six, and so on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Prefix {
    bits: u8,
    value: u64,
}

impl Prefix {
    /// Of all digests.
    pub const ALL: Self = Self { bits: 0, value: 0 };
    /// Bits from a whole to its parts.
    pub const STEP: u8 = 6;
    /// Bits of those that are not split further: more than a few messages are never so much alike, if they were not made to be.
    pub const BITS_MAX: u8 = 60;

    /// `bits`: a multiple of [`Prefix::STEP`] up to [`Prefix::BITS_MAX`]; `value`: what the digests begin with, as a number of
    /// so many bits.
    pub fn new(bits: u8, value: u64) -> Option<Self> {
        let is_one = bits <= Self::BITS_MAX && bits.is_multiple_of(Self::STEP) && value >> bits == 0;
        is_one.then_some(Self { bits, value })
    }

    /// The one of so many bits in which a digest is; `None`: there are none of so many bits.
    pub fn of(digest: &Digest, bits: u8) -> Option<Self> {
        Self::new(bits, head(digest) >> 1 >> (63_u8.checked_sub(bits)?))
    }

    pub fn bits(self) -> u8 {
        self.bits
    }

    pub fn value(self) -> u64 {
        self.value
    }

    pub fn has(self, digest: &Digest) -> bool {
        Self::of(digest, self.bits) == Some(self)
    }

    /// The parts, in order; none of one that is not split further.
    pub fn parts(self) -> impl Iterator<Item = Self> {
        (0..1 << Self::STEP).map_while(move |n| Self::new(self.bits + Self::STEP, self.value << Self::STEP | n))
    }

    /// The part in which a digest is, if it is in this at all and this is split further.
    pub fn part(self, digest: &Digest) -> Option<Self> {
        Self::of(digest, self.bits + Self::STEP).filter(|_| self.has(digest))
    }

    /// What the first digest in it begins with.
    pub fn first(self) -> [u8; 8] {
        (self.value << (63 - self.bits) << 1).to_be_bytes()
    }

    /// What the first digest behind it begins with; `None`: there is none behind it.
    pub fn end(self) -> Option<[u8; 8]> {
        let next = Self::new(self.bits, self.value + 1)?;
        Some(next.first())
    }
}

fn head(digest: &Digest) -> u64 {
    digest.iter().take(8).fold(0, |head, byte| head << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::{collection::vec, prelude::*};

    fn item() -> impl Strategy<Value = Item> {
        any::<([u8; 32], bool)>().prop_map(|(digest, has_data)| Item { digest, has_data })
    }

    #[test]
    fn an_item_is_a_message_and_whether_its_data_is_there() {
        let [with, without] = [true, false].map(|has_data| Item { digest: [7; 32], has_data });
        let spelled = [&b"toft item"[..], &[7; 32], &[1]].concat();
        assert_eq!(with.id(), <[u8; 32]>::from(Sha256::digest(spelled)));
        assert_ne!(with.id(), without.id());
    }

    #[test]
    fn sums_overflow_and_come_back() {
        let (full, mut low) = (Sum::one(&[0xFF; 32]), [0; 32]);
        low[0] = 1;
        let one = Sum::one(&low);
        let over = full.plus(one);
        assert_eq!((over.total, over.count()), ([0; 4], 2));
        assert!(!over.is_empty() && over.minus(one) == full && over.minus(one).minus(full).is_empty());
        let eight = Sum { total: [u64::MAX, 0, 0, 0], count: 1 };
        assert_eq!((eight.plus(one).total, eight.plus(one).minus(one)), ([0, 1, 0, 0], eight));
    }

    #[test]
    fn prefixes_of_other_lengths_are_none() {
        for (bits, value) in [(1, 0), (5, 0), (66, 0), (64, 0), (255, 0), (0, 1), (6, 64), (12, 4096)] {
            assert_eq!(Prefix::new(bits, value), None, "{bits} {value}");
            assert!(value > 0 || Prefix::of(&[0; 32], bits).is_none());
        }
        assert_eq!(Prefix::ALL.end(), None);
        assert_eq!(Prefix::of(&[0xFF; 32], 60).expect("one").parts().count(), 0);
        assert_eq!(Prefix::of(&[0xFF; 32], 60).expect("one").end(), None);
    }

    proptest! {
        #[test]
        fn the_order_does_not_matter(all in vec((item(), any::<bool>()), 0..40), seed: u64) {
            // Some go again, some before they have come.
            let mut steps: Vec<_> = all.iter().map(|(item, _)| (item, true)).collect();
            steps.extend(all.iter().filter(|(_, goes)| *goes).map(|(item, _)| (item, false)));
            steps.sort_by_key(|(item, comes)| Sha256::digest([&item.digest[..], &seed.to_be_bytes(), &[u8::from(*comes)]].concat()));
            let mut sum = Sum::default();
            for (item, comes) in steps {
                if comes { sum.add(&item.id()) } else { sum.sub(&item.id()) }
            }
            let left: Vec<Item> = all.iter().filter(|(_, goes)| !goes).map(|(item, _)| *item).collect();
            prop_assert_eq!(sum, left.iter().collect::<Sum>());
            prop_assert_eq!(sum.count(), left.len() as u64);
            prop_assert_eq!(Sum::from_bytes(&sum.to_bytes()), sum);
        }

        #[test]
        fn a_whole_is_the_sum_of_its_parts(items in vec(item(), 0..40), bits in 0_u8..9) {
            let bits = bits * Prefix::STEP;
            let whole: Sum = items.iter().collect();
            let Some(first) = items.first() else { return Ok(()) };
            let of = Prefix::of(&first.digest, bits).expect("one");
            let within: Sum = items.iter().filter(|item| of.has(&item.digest)).collect();
            let parts = of.parts().map(|part| items.iter().filter(|item| part.has(&item.digest)).collect::<Sum>());
            prop_assert_eq!(parts.fold(Sum::default(), Sum::plus), within);
            let without: Sum = items.iter().filter(|item| !of.has(&item.digest)).collect();
            prop_assert_eq!((within.plus(without), whole.minus(without)), (whole, within));
        }

        #[test]
        fn digests_stand_where_their_prefix_says(digest in any::<[u8; 32]>(), other in any::<[u8; 32]>(), bits in 0_u8..=10) {
            let bits = bits * Prefix::STEP;
            let of = Prefix::of(&digest, bits).expect("one");
            prop_assert_eq!(Prefix::new(of.bits(), of.value()), Some(of));
            prop_assert!(of.has(&digest));
            for digest in [digest, other] {
                let behind = of.end().is_some_and(|end| digest[..8] >= end[..]);
                prop_assert_eq!(of.has(&digest), digest[..8] >= of.first()[..] && !behind);
            }
            let part = of.part(&digest);
            prop_assert_eq!(part.is_some(), bits < Prefix::BITS_MAX);
            prop_assert_eq!(of.parts().filter(|part| part.has(&digest)).collect::<Vec<_>>(), part.into_iter().collect::<Vec<_>>());
        }
    }
}
