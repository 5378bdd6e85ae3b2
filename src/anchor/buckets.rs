//! Many small entries that each have a digest: to be found, and to be sorted where they lie.
//!
//! They lie by the first byte of their digests, so that no piece of memory is large: what grows leaves no hole behind that nothing
//! else fits into, and a piece is sorted within the processor's nearest memory.

use crate::cid::Digest;
use std::hash::{BuildHasher as _, RandomState};

/// Values of a first byte.
const BUCKETS: usize = 256;
/// Bits of a number that say which one it is in its bucket; strangers choose digests, so all may lie in one.
const BITS: u32 = 24;
/// Entries of all buckets together: what fits into one.
const MAX: usize = (1 << BITS) - 1;

/// What lies in buckets.
pub(super) trait Keyed {
    fn digest(&self) -> &Digest;
}

/// A number of an entry: its bucket, and its place there.
pub(super) type Number = u32;

#[derive(Debug, Clone)]
pub(super) struct Buckets<T> {
    buckets: Vec<Vec<T>>,
    len: usize,
    /// One more than the number of an entry, a quarter of them free at least; 0: free. None at all, when all is sorted.
    slots: Vec<Number>,
    is_sorted: bool,
    /// Nobody can choose those that come to lie together.
    hashes: RandomState,
}

impl<T> Default for Buckets<T> {
    fn default() -> Self {
        let buckets = (0..BUCKETS).map(|_| Vec::new()).collect();
        Self { buckets, len: 0, slots: Vec::new(), is_sorted: false, hashes: RandomState::new() }
    }
}

impl<T: Keyed> Buckets<T> {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn get(&self, number: Number) -> Option<&T> {
        let (bucket, place) = split(number);
        self.buckets.get(bucket)?.get(place)
    }

    pub(super) fn get_mut(&mut self, number: Number) -> Option<&mut T> {
        let (bucket, place) = split(number);
        self.buckets.get_mut(bucket)?.get_mut(place)
    }

    /// By bucket, and in each as they lie: sorted, if they are.
    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.buckets.iter().flatten()
    }

    /// Those, to be changed; their digests stay.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.buckets.iter_mut().flatten()
    }

    /// The number of the entry with this digest.
    pub(super) fn find(&self, digest: &Digest) -> Option<Number> {
        if self.is_sorted {
            let bucket = usize::from(*digest.first()?);
            let found = self.buckets.get(bucket)?.binary_search_by(|entry| entry.digest().cmp(digest));
            return found.ok().map(|place| join(bucket, place));
        }
        for slot in self.slots_of(digest) {
            let number = self.slots.get(slot)?.checked_sub(1)?;
            if self.get(number).is_some_and(|entry| entry.digest() == digest) {
                return Some(number);
            }
        }
        None
    }

    /// One that is not here; nothing, if there is no room.
    pub(super) fn push(&mut self, entry: T) -> Option<Number> {
        if self.len >= MAX {
            return None;
        }
        let digest = *entry.digest();
        let bucket = usize::from(*digest.first()?);
        let entries = self.buckets.get_mut(bucket)?;
        if entries.len() == entries.capacity() {
            entries.reserve_exact((entries.len() / 8).max(16)); // of many, each has little to spare
        }
        entries.push(entry);
        let number = join(bucket, entries.len() - 1);
        self.len += 1;
        if std::mem::take(&mut self.is_sorted) || 4 * self.len > 3 * self.slots.len() {
            self.place_all();
        } else {
            self.place(&digest, number);
        }
        Some(number)
    }

    fn place_all(&mut self) {
        self.slots = vec![0; (2 * self.len).next_power_of_two().max(64)];
        for bucket in 0..self.buckets.len() {
            for place in 0..self.buckets.get(bucket).map_or(0, Vec::len) {
                let number = join(bucket, place);
                if let Some(digest) = self.get(number).map(|entry| *entry.digest()) {
                    self.place(&digest, number);
                }
            }
        }
    }

    fn place(&mut self, digest: &Digest, number: Number) {
        let free = self.slots_of(digest).find(|slot| self.slots.get(*slot) == Some(&0));
        if let Some(slot) = free.and_then(|slot| self.slots.get_mut(slot)) {
            *slot = number + 1;
        }
    }

    /// Where a digest may stand, the likeliest place first. The number of slots is a power of two.
    fn slots_of(&self, digest: &Digest) -> impl Iterator<Item = usize> + use<T> {
        let (start, len) = (self.hashes.hash_one(digest) as usize, self.slots.len());
        (0..len).map(move |step| start.wrapping_add(step) & (len - 1))
    }

    /// Brings all into the order of their digests; what each number of before is now.
    pub(super) fn sort(&mut self) -> Moved {
        let mut moved = Vec::new();
        if !self.is_sorted {
            (self.slots, self.is_sorted) = (Vec::new(), true);
            moved = self.buckets.iter_mut().map(|entries| sort(entries)).collect();
        }
        Moved(moved)
    }

    /// For entries that are sorted: how they follow each other.
    pub(super) fn ranks(&self) -> Ranks {
        let mut before = Vec::with_capacity(BUCKETS + 1);
        before.push(0);
        for entries in &self.buckets {
            before.push(before.last().copied().unwrap_or(0) + entries.len());
        }
        Ranks(before)
    }
}

/// What numbers became of numbers.
#[derive(Debug)]
pub(super) struct Moved(Vec<Vec<u32>>);

impl Moved {
    pub(super) fn now(&self, number: Number) -> Number {
        let (bucket, place) = split(number);
        let now = self.0.get(bucket).and_then(|places| places.get(place));
        now.map_or(number, |place| join(bucket, *place as usize))
    }
}

/// How many entries lie before each bucket.
#[derive(Debug, Clone)]
pub(super) struct Ranks(Vec<usize>);

impl Ranks {
    /// Which one in order an entry is.
    pub(super) fn rank(&self, number: Number) -> usize {
        let (bucket, place) = split(number);
        self.0.get(bucket).copied().unwrap_or_default() + place
    }

    /// The entry that is this one in order. Digests are spread evenly unless somebody chose them: the bucket is guessed.
    pub(super) fn number(&self, rank: usize) -> Number {
        let before = |bucket: usize| self.0.get(bucket).copied().unwrap_or(usize::MAX);
        if rank >= before(BUCKETS) {
            return Number::MAX; // nobody has it
        }
        let guess = rank * BUCKETS / before(BUCKETS).max(1);
        let mut bucket = guess.min(BUCKETS - 1);
        while before(bucket) > rank {
            bucket -= 1;
        }
        while before(bucket + 1) <= rank {
            bucket += 1;
        }
        join(bucket, rank - before(bucket))
    }
}

fn split(number: Number) -> (usize, usize) {
    ((number >> BITS) as usize, (number & ((1 << BITS) - 1)) as usize)
}

fn join(bucket: usize, place: usize) -> Number {
    (bucket as u32) << BITS | (place as u32 & ((1 << BITS) - 1))
}

/// Bits after a digest's first byte by which the entries of a bucket are spread before they are sorted.
const BIN_BITS: u32 = 10;

/// Where a digest that begins so lies among those of its bucket, roughly.
fn bin(begins: u64) -> usize {
    ((begins << 8) >> (64 - BIN_BITS)) as usize
}

/// What digests begin with, each with its place, in the order of their bins. Of a million, 4 lie in one, which is sorted at once; if
/// somebody chose them to lie together, they are sorted as any others are.
fn spread(begins: impl Iterator<Item = u64> + Clone) -> Vec<(u64, u32)> {
    let mut ends = [0_usize; 1 << BIN_BITS];
    let mut all = 0;
    for begins in begins.clone() {
        if let Some(end) = ends.get_mut(bin(begins)) {
            *end += 1;
        }
    }
    for end in &mut ends {
        all += *end;
        *end = all;
    }
    let mut keys = vec![(0, 0); all];
    for (begins, place) in begins.zip(0..) {
        let Some(end) = ends.get_mut(bin(begins)) else { continue };
        *end -= 1;
        if let Some(key) = keys.get_mut(*end) {
            *key = (begins, place);
        }
    }
    keys
}

/// Sorts entries by their digests, and says where each one went.
fn sort<T: Keyed>(entries: &mut [T]) -> Vec<u32> {
    let begins = |entry: &T| entry.digest().first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes));
    // Digests differ in what they begin with, so the entries themselves are hardly ever looked at.
    let mut keys = spread(entries.iter().map(begins));
    let whole = |place: u32| entries.get(place as usize).map(Keyed::digest);
    let follows = |a: &(u64, u32), b: &(u64, u32)| a.0.cmp(&b.0).then_with(|| whole(a.1).cmp(&whole(b.1)));
    for near in keys.chunk_by_mut(|a, b| bin(a.0) == bin(b.0)) {
        near.sort_unstable_by(follows);
    }
    let mut went = vec![0; keys.len()];
    for (now, (_, before)) in (0..).zip(keys) {
        if let Some(slot) = went.get_mut(before as usize) {
            *slot = now;
        }
    }
    let mut left = went.clone();
    for at in 0..left.len() {
        while let Some(place) = left.get(at).map(|place| *place as usize).filter(|place| *place != at) {
            entries.swap(at, place);
            left.swap(at, place);
        }
    }
    went
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cid;
    use std::collections::BTreeMap;

    #[derive(Debug, Clone, PartialEq)]
    struct Entry(Digest, u32);

    impl Keyed for Entry {
        fn digest(&self) -> &Digest {
            &self.0
        }
    }

    #[test]
    fn they_are_found_before_they_are_sorted_and_after_and_when_more_come() {
        // A stranger's all begin with the same byte.
        for is_chosen in [false, true] {
            let digest = |n: u32| {
                let mut digest = cid::digest(&n.to_be_bytes());
                digest[0] = if is_chosen { 7 } else { digest[0] };
                digest
            };
            let (mut buckets, mut map, mut numbers) = (Buckets::default(), BTreeMap::new(), Vec::new());
            for n in 0..20_000 {
                assert_eq!(buckets.find(&digest(n)), None);
                numbers.push((n, buckets.push(Entry(digest(n), n)).expect("there is room")));
                map.insert(digest(n), n);
                if n == 10_000 {
                    let moved = buckets.sort();
                    numbers.iter_mut().for_each(|(_, number)| *number = moved.now(*number));
                    assert!(buckets.iter().map(|entry| entry.1).eq(map.values().copied()));
                }
            }
            for (n, number) in &numbers {
                assert_eq!(
                    (buckets.find(&digest(*n)), buckets.get(*number)),
                    (Some(*number), Some(&Entry(digest(*n), *n)))
                );
            }
            let moved = buckets.sort();
            let ranks = buckets.ranks();
            for (rank, (digest, n)) in map.iter().enumerate() {
                let number = ranks.number(rank);
                assert_eq!((buckets.get(number), ranks.rank(number)), (Some(&Entry(*digest, *n)), rank));
                assert_eq!(buckets.find(digest), Some(number));
            }
            assert!(
                numbers.iter().all(|(n, number)| buckets.get(moved.now(*number)).is_some_and(|entry| entry.1 == *n))
            );
            assert_eq!((buckets.len(), buckets.find(&digest(20_000))), (20_000, None));
            assert_eq!(buckets.get(ranks.number(20_000)), None);
            assert_eq!(Buckets::<Entry>::default().ranks().number(0), Number::MAX);
            let again = buckets.sort();
            assert_eq!(again.now(5), 5, "sorted already");
        }
    }
}
