//! Which digest is which leaf of which batch, as the store has it.
//!
//! | key | value |
//! |---|---|
//! | `anchor/leaves/<n><chunk>` | leaves in order: digest, log position and codec of each (version 1: 4096 digests) |
//! | `anchor/digest/<digest>` | of a small batch: which leaf of which batch it is, and where its bytes are |
//! | `anchor/record/<digest of the recordId>` | of small batches: the record's first and its newest message in one (version 1: the newest) |
//! | `anchor/records/<n><chunk>` | of a large batch: its records in order, with the leaves of their first and newest message |
//! | `anchor/sieve/<n><part>` | of a large batch: what is not in it, and how many records are |
//!
//! A key for each digest is cheap to find and dear to write: a million of them would take the writer a quarter of a minute. So the
//! leaves of a large batch are found in its chunks. They are sorted and spread evenly, as hashes are, so that the chunk can be
//! guessed from the digest: a look or two. Before that, a [`Sieve`] in memory says for nearly all digests that they are not
//! there. The cost of finding a digest therefore does not depend on the number of small batches, and a large one
//! adds one look at memory.

use super::{
    sieve::Sieve,
    waiting::{GONE, Item, Sorted},
};
use crate::{
    cid::{self, Digest},
    dwn::Fault,
    store::{Position, Store},
};
use anyhow::{Context as _, anyhow, ensure};
use std::{
    cmp::Ordering,
    collections::BTreeSet,
    sync::{Arc, PoisonError, RwLock},
};

const LEAVES: &[u8] = b"anchor/leaves/";
const DIGEST: &[u8] = b"anchor/digest/";
const RECORD: &[u8] = b"anchor/record/";
const RECORDS: &[u8] = b"anchor/records/";
const SIEVE: &[u8] = b"anchor/sieve/";

/// First byte of a value in its first form, and in the one of today where that is another: raised when an encoding changes.
const FIRST: u8 = 1;
const VERSION: u8 = 2;

/// Leaves of a chunk: some 42 KB, which one look reads.
const CHUNK: usize = 1024;
/// Chunks written in one step, of a large batch and of a small one: some 500 KB of log, so that no writer waits long for us.
const STEP: usize = 12;
const SMALL_STEP: usize = 4;
/// Leaves from which on a batch is a large one.
const LARGE: usize = if cfg!(test) { 3000 } else { 32_768 };
/// Bytes of a leaf, and of a record, in a chunk.
const LEAF: usize = 41;
const PAIR: usize = 40;
/// Bytes of a sieve in one value.
const PART: usize = 64 << 10;
/// Bytes of sieves in memory: those of 25 million leaves. The oldest batches beyond are looked at in the store.
const SIEVES_MAX: usize = 32 << 20;
/// Guesses at a chunk; then the middle is taken. Digests that somebody has chosen may lie anywhere.
const GUESSES: usize = 4;

/// Keys, and what they are to hold.
pub(super) type Changes = Vec<(Vec<u8>, Option<Vec<u8>>)>;

/// Handle to the leaves; cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Leaves {
    store: Store,
    known: Arc<RwLock<Known>>,
}

/// The batches that exist.
#[derive(Debug, Default)]
struct Known {
    numbers: BTreeSet<u64>,
    /// Oldest first.
    large: Vec<Arc<Large>>,
}

#[derive(Debug)]
pub(super) struct Large {
    number: u64,
    leaves: u32,
    records: u32,
    sieve: Option<Sieve>,
}

/// Where a digest stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Leaf {
    pub batch: u64,
    pub index: u32,
    pub item: Item,
}

/// A record's first and its newest message that are in batches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Record {
    pub first: Leaf,
    pub newest: Leaf,
}

impl Known {
    /// Lets go of the sieves of the oldest batches, beyond so many bytes of them.
    fn bound(&mut self, mut room: usize) {
        for large in self.large.iter_mut().rev() {
            let size = large.sieve.as_ref().map_or(0, |sieve| sieve.bytes().len());
            match room.checked_sub(size) {
                Some(left) => room = left,
                None => {
                    room = 0; // and none of an older one instead
                    let Large { number, leaves, records, .. } = **large;
                    *large = Arc::new(Large { number, leaves, records, sieve: None });
                }
            }
        }
    }
}

impl Leaves {
    pub(super) fn new(store: Store) -> Self {
        Self { store, known: Arc::default() }
    }

    /// These batches (number and leaves, oldest first) exist. Blocks.
    pub(super) fn load(&self, batches: &[(u64, u32)]) -> Result<(), Fault> {
        let (mut large, mut room) = (Vec::new(), SIEVES_MAX);
        for (number, leaves) in batches.iter().rev().filter(|(_, leaves)| *leaves as usize >= LARGE) {
            large.extend(self.read_large(*number, *leaves, &mut room)?.map(Arc::new));
        }
        large.reverse();
        let numbers = batches.iter().map(|(number, _)| *number).collect();
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = Known { numbers, large };
        Ok(())
    }

    /// A large batch; none if an earlier toft made it, which wrote a key for each digest.
    fn read_large(&self, number: u64, leaves: u32, room: &mut usize) -> Result<Option<Large>, Fault> {
        let part = |n: u32| self.store.state(&key(SIEVE, number, n));
        let Some(head) = part(0)? else { return Ok(None) };
        let records = u32::from_be_bytes(array(content(&head, FIRST)?, 0)?);
        let size = Sieve::size(leaves as usize + records as usize);
        let Some(left) = room.checked_sub(size) else {
            return Ok(Some(Large { number, leaves, records, sieve: None }));
        };
        *room = left;
        let mut bytes = Vec::with_capacity(size);
        for n in 0.. {
            if bytes.len() >= size {
                break;
            }
            let part = part(n)?.with_context(|| format!("the sieve of anchor batch {number} is cut"))?;
            let more = content(&part, FIRST)?.get(4..).filter(|more| !more.is_empty()).context("an empty sieve")?;
            bytes.extend_from_slice(more);
        }
        ensure!(bytes.len() == size, "the sieve of anchor batch {number} is longer than it should be");
        Ok(Some(Large { number, leaves, records, sieve: Some(Sieve::of(bytes)) }))
    }

    /// This batch exists from now on.
    pub(super) fn exists(&self, number: u64, large: Option<Large>) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known.numbers.insert(number);
        known.large.extend(large.map(Arc::new));
        known.large.sort_by_key(|large| large.number); // one that was lost comes back after later ones
        known.bound(SIEVES_MAX);
    }

    /// Where `digest` stands, if it is in a batch that exists. Blocks.
    pub(super) fn find(&self, digest: &Digest) -> Result<Option<Leaf>, Fault> {
        if self.known.read().unwrap_or_else(PoisonError::into_inner).numbers.is_empty() {
            return Ok(None); // a new device, which gets all that the others have
        }
        if let Some(bytes) = self.store.state(&[DIGEST, digest].concat())? {
            let leaf = placed(digest, content(&bytes, FIRST)?)?;
            if self.is_small(leaf.batch) {
                return Ok(Some(leaf));
            }
        }
        for large in self.large(digest) {
            if let Some((index, entry)) = self.search::<LEAF>(LEAVES, large.number, large.leaves, digest)? {
                return Ok(Some(Leaf { batch: large.number, index, item: item(&entry)? }));
            }
        }
        Ok(None)
    }

    /// The messages of a record that are in batches. Blocks.
    pub(super) fn record(&self, id: &Digest) -> Result<Option<Record>, Fault> {
        let mut found = Vec::new();
        for digest in self.small_record(id)?.into_iter().flatten() {
            found.extend(self.find(&digest)?);
        }
        for large in self.large(id) {
            if let Some((_, entry)) = self.search::<PAIR>(RECORDS, large.number, large.records, id)? {
                for at in [32, 36] {
                    found.push(self.at(large.number, u32::from_be_bytes(array(&entry, at)?))?);
                }
            }
        }
        let first = found.iter().copied().min_by_key(|leaf| leaf.item.position);
        let newest = found.iter().copied().max_by_key(|leaf| leaf.item.position);
        Ok(first.zip(newest).map(|(first, newest)| Record { first, newest }))
    }

    /// The digests of a batch of `count` leaves, in their order. Blocks.
    pub(super) fn digests(&self, batch: u64, count: u32) -> Result<Vec<Digest>, Fault> {
        let (count, mut digests) = (count as usize, Vec::with_capacity(count as usize));
        for chunk in 0.. {
            if digests.len() >= count {
                break;
            }
            let cut = || format!("the leaves of anchor batch {batch} are cut");
            let bytes = self.store.state(&key(LEAVES, batch, chunk))?.with_context(cut)?;
            let before = digests.len();
            match bytes.split_first() {
                Some((&FIRST, content)) => digests.extend_from_slice(content.as_chunks().0),
                _ => digests.extend(content(&bytes, VERSION)?.as_chunks::<LEAF>().0.iter().filter_map(named).copied()),
            }
            ensure!(digests.len() > before, cut());
        }
        // a crash may have left more of an earlier try
        digests.truncate(count);
        Ok(digests)
    }

    /// The leaves of a batch of `count`, in their order. Blocks.
    pub(super) fn items(&self, batch: u64, count: u32) -> Result<Vec<Item>, Fault> {
        let (count, mut items) = (count as usize, Vec::with_capacity(count as usize));
        for chunk in 0.. {
            if items.len() >= count {
                break;
            }
            let cut = || format!("the leaves of anchor batch {batch} are cut");
            let bytes = self.store.state(&key(LEAVES, batch, chunk))?.with_context(cut)?;
            let before = items.len();
            match bytes.split_first() {
                // Where they lie stands elsewhere.
                Some((&FIRST, digests)) => {
                    for digest in digests.as_chunks().0 {
                        let known = self.find(digest)?.filter(|leaf| leaf.batch == batch).map(|leaf| leaf.item);
                        let gone = Item { digest: *digest, codec: cid::RAW as u8, position: GONE };
                        items.push(known.unwrap_or(gone));
                    }
                }
                _ => {
                    for entry in content(&bytes, VERSION)?.as_chunks::<LEAF>().0 {
                        items.push(item(entry)?);
                    }
                }
            }
            ensure!(items.len() > before, cut());
        }
        items.truncate(count);
        Ok(items)
    }

    /// Writes what `sorted` brings into batch `number`, which exists only after that ([`Leaves::exists`], with what this
    /// returns).
    pub(super) async fn write(&self, number: u64, sorted: &Sorted) -> Result<Option<Large>, Fault> {
        let is_large = sorted.len() >= LARGE;
        let (leaves, records) = (sorted.len(), sorted.records());
        let step_len = CHUNK * if is_large { STEP } else { SMALL_STEP };
        for step in (0..leaves).step_by(step_len) {
            let chunks = (step..leaves.min(step + step_len)).step_by(CHUNK);
            let chunks = chunks.map(|at| self.leaves_at(number, at, sorted));
            let mut changes: Changes = chunks.collect();
            if is_large {
                self.store.put_state(changes).await?;
                continue;
            }
            let items = (step..).zip(sorted.items(step..leaves.min(step + step_len)));
            changes.extend(items.map(|(index, item)| {
                let place = [&number.to_be_bytes()[..], &(index as u32).to_be_bytes(), &item.position.to_be_bytes()];
                let place = [&place.concat()[..], &[item.codec]].concat();
                ([DIGEST, &item.digest].concat(), Some(value(FIRST, &place)))
            }));
            self.store.put_state(changes).await?;
        }
        for step in (0..records).step_by(step_len) {
            let range = step..records.min(step + step_len);
            let changes = if is_large {
                range.step_by(CHUNK).map(|at| records_at(number, at, sorted)).collect()
            } else {
                let (this, sorted) = (self.clone(), sorted.clone());
                let changed = move || {
                    let records = sorted.some_records(range);
                    records
                        .map(|(id, leaves)| this.small_change(&id, leaves.map(|leaf| sorted.item(leaf as usize))))
                        .collect::<Result<Changes, Fault>>()
                };
                tokio::task::spawn_blocking(changed).await?.context("looking for records in batches")?
            };
            self.store.put_state(changes).await?;
        }
        if !is_large {
            return Ok(None);
        }
        let all = sorted.clone();
        let sieve = tokio::task::spawn_blocking(move || {
            let mut sieve = Sieve::new(leaves + records);
            (0..leaves).for_each(|leaf| sieve.add(&all.digest(leaf)));
            all.some_records(0..records).for_each(|(id, _)| sieve.add(&id));
            sieve
        })
        .await?;
        let (leaves, records) = (u32::try_from(leaves)?, u32::try_from(records)?);
        let parts = (0..)
            .zip(sieve.bytes().chunks(PART))
            .map(|(n, part)| (key(SIEVE, number, n), Some(value(FIRST, &[&records.to_be_bytes(), part].concat()))));
        for changes in parts.collect::<Vec<_>>().chunks(STEP) {
            self.store.put_state(changes.to_vec()).await?;
        }
        Ok(Some(Large { number, leaves, records, sieve: Some(sieve) }))
    }

    /// The chunk of leaves that begins with this one.
    fn leaves_at(&self, number: u64, at: usize, sorted: &Sorted) -> (Vec<u8>, Option<Vec<u8>>) {
        let mut bytes = Vec::with_capacity(1 + CHUNK * LEAF);
        bytes.push(VERSION);
        for item in sorted.items(at..sorted.len().min(at + CHUNK)) {
            bytes.extend_from_slice(&item.digest);
            bytes.extend_from_slice(&item.position.to_be_bytes());
            bytes.push(item.codec);
        }
        (key(LEAVES, number, (at / CHUNK) as u32), Some(bytes))
    }

    /// A leaf of a batch that has its leaves in the form of today.
    fn at(&self, batch: u64, index: u32) -> Result<Leaf, Fault> {
        let (chunk, rest) = (index / CHUNK as u32, index as usize % CHUNK);
        let bytes = self.store.state(&key(LEAVES, batch, chunk))?.unwrap_or_default();
        let entry = content(&bytes, VERSION)?.as_chunks::<LEAF>().0.get(rest);
        let entry = entry.with_context(|| format!("leaf {index} of anchor batch {batch} is not there"))?;
        Ok(Leaf { batch, index, item: item(entry)? })
    }

    /// What is known of a record from small batches: its messages, the first one first.
    fn small_record(&self, id: &Digest) -> Result<Option<[Digest; 2]>, Fault> {
        let Some(bytes) = self.store.state(&[RECORD, id].concat())? else { return Ok(None) };
        Ok(Some(match bytes.split_first() {
            Some((&FIRST, newest)) => [array(newest, 0)?; 2],
            _ => {
                let content = content(&bytes, VERSION)?;
                [array(content, 0)?, array(content, 32)?]
            }
        }))
    }

    /// A small batch has these messages of a record, its first and its newest one. Batches that were lost come back after later ones.
    fn small_change(&self, id: &Digest, [first, newest]: [Item; 2]) -> Result<(Vec<u8>, Option<Vec<u8>>), Fault> {
        let [mut first, mut newest] = [first, newest].map(|item| (item.position, item.digest));
        for digest in self.small_record(id)?.into_iter().flatten() {
            if let Some(Leaf { item, .. }) = self.find(&digest)? {
                first = first.min((item.position, digest));
                newest = newest.max((item.position, digest));
            }
        }
        Ok(([RECORD, id].concat(), Some(value(VERSION, &[first.1, newest.1].concat()))))
    }

    /// The large batches that may have this digest, or record, the newest first.
    fn large(&self, digest: &Digest) -> Vec<Arc<Large>> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let may = |large: &&Arc<Large>| large.sieve.as_ref().is_none_or(|sieve| sieve.may_have(digest));
        known.large.iter().rev().filter(may).cloned().collect()
    }

    /// Is there such a batch, and does it have a key for each digest? (Of one that became large, a crash may have left keys of an
    /// earlier try.)
    fn is_small(&self, number: u64) -> bool {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.numbers.contains(&number) && known.large.iter().all(|large| large.number != number)
    }

    /// The entry of `N` bytes that begins with `wanted`, among `count` that lie sorted in the chunks of a batch.
    fn search<const N: usize>(
        &self,
        prefix: &[u8],
        batch: u64,
        count: u32,
        wanted: &Digest,
    ) -> Result<Option<(u32, [u8; N])>, Fault> {
        let chunks = (count as usize).div_ceil(CHUNK);
        let (mut low, mut high) = (0, chunks);
        let spread = u64::from_be_bytes(array(wanted, 0)?);
        let mut guess = ((u128::from(spread) * chunks as u128) >> u64::BITS) as usize;
        for tried in 1.. {
            if low >= high {
                break;
            }
            let at = guess.clamp(low, high - 1);
            let bytes = self.store.state(&key(prefix, batch, at as u32))?;
            let bytes = bytes.with_context(|| format!("chunk {at} of anchor batch {batch} is not there"))?;
            // Of the last chunk, a crash may have left more of an earlier try.
            let entries = content(&bytes, VERSION)?.as_chunks::<N>().0;
            let entries = entries.get(..entries.len().min(count as usize - at * CHUNK)).unwrap_or_default();
            let (Some(first), Some(last)) = (entries.first(), entries.last()) else { break };
            match (begins(first, wanted), begins(last, wanted)) {
                (Ordering::Greater, _) => (high, guess) = (at, at.saturating_sub(1)),
                (_, Ordering::Less) => (low, guess) = (at + 1, at + 1),
                _ => {
                    let found = entries.binary_search_by(|entry| begins(entry, wanted)).ok();
                    let found = found.and_then(|place| Some((place, entries.get(place)?)));
                    return Ok(found.map(|(place, entry)| ((at * CHUNK + place) as u32, *entry)));
                }
            }
            if tried >= GUESSES {
                guess = usize::midpoint(low, high);
            }
        }
        Ok(None)
    }
}

/// The chunk of records that begins with this one.
fn records_at(number: u64, at: usize, sorted: &Sorted) -> (Vec<u8>, Option<Vec<u8>>) {
    let mut bytes = Vec::with_capacity(1 + CHUNK * PAIR);
    bytes.push(VERSION);
    for (id, leaves) in sorted.some_records(at..sorted.records().min(at + CHUNK)) {
        bytes.extend_from_slice(&id);
        bytes.extend(leaves.iter().flat_map(|leaf| leaf.to_be_bytes()));
    }
    (key(RECORDS, number, (at / CHUNK) as u32), Some(bytes))
}

/// How an entry's digest compares with another.
fn begins<const N: usize>(entry: &[u8; N], digest: &Digest) -> Ordering {
    entry.get(..digest.len()).unwrap_or_default().cmp(digest)
}

fn named(entry: &[u8; LEAF]) -> Option<&Digest> {
    entry.first_chunk()
}

fn item(entry: &[u8; LEAF]) -> Result<Item, Fault> {
    let [codec] = array(entry, 40)?;
    Ok(Item { digest: array(entry, 0)?, codec, position: Position::from_be_bytes(array(entry, 32)?) })
}

/// What is kept under a digest of a small batch.
fn placed(digest: &Digest, content: &[u8]) -> Result<Leaf, Fault> {
    let [codec] = array(content, 20)?;
    let position = Position::from_be_bytes(array(content, 12)?);
    let (batch, index) = (u64::from_be_bytes(array(content, 0)?), u32::from_be_bytes(array(content, 8)?));
    Ok(Leaf { batch, index, item: Item { digest: *digest, codec, position } })
}

fn key(prefix: &[u8], batch: u64, part: u32) -> Vec<u8> {
    [prefix, &batch.to_be_bytes(), &part.to_be_bytes()].concat()
}

pub(super) fn value(version: u8, content: &[u8]) -> Vec<u8> {
    [&[version], content].concat()
}

pub(super) fn content(bytes: &[u8], version: u8) -> Result<&[u8], Fault> {
    bytes.strip_prefix(&[version]).ok_or_else(|| anyhow!("state of the anchor has a version this toft does not know"))
}

pub(super) fn array<const N: usize>(bytes: &[u8], at: usize) -> Result<[u8; N], Fault> {
    bytes.get(at..).and_then(|b| b.first_chunk()).copied().context("state of the anchor is too short")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_batches_let_go_of_their_sieves_when_there_is_no_room() {
        let large = |number| Large { number, leaves: 1, records: 0, sieve: Some(Sieve::new(1)) };
        let mut known = Known::default();
        known.large.extend((1..=4).map(|number| Arc::new(large(number))));
        known.bound(3 * Sieve::size(1) - 1);
        let held: Vec<bool> = known.large.iter().map(|large| large.sieve.is_some()).collect();
        assert_eq!(held, [false, false, true, true]);
        assert!(known.large.iter().map(|large| large.number).eq(1..=4), "none of them is forgotten");
    }
}
