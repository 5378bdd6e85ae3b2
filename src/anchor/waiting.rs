//! What waits for the next batch, in little memory: 41 bytes for a digest and 40 for a record, and 4 to 11 of each to find it.

use crate::{
    cid::{self, Cid, Digest},
    store::Position,
};
use std::{
    collections::BTreeSet,
    hash::{BuildHasher as _, RandomState},
    ops::Range,
    sync::Arc,
};

/// Digests, and the records whose messages are among them, in the order in which they came.
#[derive(Debug, Default, Clone)]
pub(super) struct Waiting {
    items: Vec<Packed>,
    placed: Places,
    records: Vec<Record>,
    recorded: Places,
}

/// The position of what is in no entry of the log: an entry of the audit log.
pub(super) const NOWHERE: Position = Position::MAX;
/// The position of what was in an entry of the log, and whose that was nobody knows any more.
pub(super) const GONE: Position = Position::MAX - 3;

/// Something new that wants a proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Item {
    pub digest: Digest,
    /// Codec of its CID: DAG-CBOR is a message, raw and DAG-PB are data.
    pub codec: u8,
    /// The log entry that brought it.
    pub position: Position,
}

impl Item {
    pub(super) fn cid(&self) -> Cid {
        cid::from_digest(self.codec.into(), &self.digest)
    }
}

/// An [`Item`] without gaps.
#[derive(Debug, Clone, Copy)]
struct Packed {
    digest: Digest,
    position: [u8; 8],
    codec: u8,
}

/// A record, with its first and its newest message that wait, by their numbers among the items.
#[derive(Debug, Clone, Copy)]
struct Record {
    id: Digest,
    first: [u8; 4],
    newest: [u8; 4],
}

impl Waiting {
    pub(super) fn len(&self) -> usize {
        self.items.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Does this digest, or a message of the record it names, wait here?
    pub(super) fn has(&self, digest: &Digest) -> bool {
        self.find(digest).is_some() || self.find_record(digest).is_some()
    }

    /// The item with this digest.
    pub(super) fn get(&self, digest: &Digest) -> Option<Item> {
        self.find(digest).and_then(|number| self.items.get(number as usize)).map(Packed::item)
    }

    /// What is here already stays as it is.
    pub(super) fn add(&mut self, item: &Item) {
        if self.find(&item.digest).is_none() {
            let Item { digest, codec, position } = *item;
            self.items.push(Packed { digest, position: position.to_be_bytes(), codec });
            self.placed.add(&self.items, |item| &item.digest);
        }
    }

    /// `message`, which is here, is of this record; it is the newest so far.
    pub(super) fn add_record(&mut self, id: &Digest, message: &Digest) {
        let Some(number) = self.find(message).map(u32::to_be_bytes) else { return };
        match self.find_record(id).and_then(|record| self.records.get_mut(record as usize)) {
            // what comes again, with its data, is as old as it was
            Some(record) => record.newest = record.newest.max(number),
            None => {
                self.records.push(Record { id: *id, first: number, newest: number });
                self.recorded.add(&self.records, |record| &record.id);
            }
        }
    }

    /// Those in the order in which they came.
    pub(super) fn items(&self) -> impl Iterator<Item = Item> + '_ {
        self.items.iter().map(Packed::item)
    }

    /// Without these. A record whose first or newest message is one of them has only the other.
    pub(super) fn without(&self, gone: &BTreeSet<Digest>) -> Self {
        let mut left = Self::default();
        self.items().filter(|item| !gone.contains(&item.digest)).for_each(|item| left.add(&item));
        for record in &self.records {
            for number in [record.first, record.newest] {
                if let Some(message) = self.items.get(u32::from_be_bytes(number) as usize) {
                    left.add_record(&record.id, &message.digest);
                }
            }
        }
        left
    }

    fn find(&self, digest: &Digest) -> Option<u32> {
        self.placed.find(digest, &self.items, |item| &item.digest)
    }

    fn find_record(&self, id: &Digest) -> Option<u32> {
        self.recorded.find(id, &self.records, |record| &record.id)
    }

    /// All of it in the order of a batch's leaves.
    pub(super) fn sorted(self: &Arc<Self>) -> Sorted {
        let order_of_items = order(&self.items, |item| &item.digest);
        let mut leaves = vec![0; order_of_items.len()];
        for (leaf, number) in (0..).zip(&order_of_items) {
            if let Some(place) = leaves.get_mut(*number as usize) {
                *place = leaf;
            }
        }
        // Gathered once: each step of the closing goes over them, and jumping about costs more than the memory.
        let items = order_of_items.iter().filter_map(|number| self.items.get(*number as usize)).copied().collect();
        Sorted { waiting: self.clone(), items, leaves, records: order(&self.records, |record| &record.id) }
    }
}

impl Packed {
    fn item(&self) -> Item {
        Item { digest: self.digest, codec: self.codec, position: Position::from_be_bytes(self.position) }
    }
}

/// What waits, in the order of its digests: the same log gives the same tree.
#[derive(Debug)]
pub(super) struct Sorted {
    waiting: Arc<Waiting>,
    items: Vec<Packed>,
    /// Of each item in the order in which they came: which leaf it is.
    leaves: Vec<u32>,
    records: Vec<u32>,
}

impl Sorted {
    pub(super) fn len(&self) -> usize {
        self.items.len()
    }

    /// The digest of a leaf.
    pub(super) fn digest(&self, leaf: usize) -> Digest {
        self.items.get(leaf).map_or(Digest::default(), |item| item.digest)
    }

    /// What a leaf stands for.
    pub(super) fn item(&self, leaf: usize) -> Item {
        let nothing = Item { digest: Digest::default(), codec: 0, position: 0 };
        self.items.get(leaf).map_or(nothing, Packed::item)
    }

    pub(super) fn records(&self) -> usize {
        self.records.len()
    }

    /// Some leaves.
    pub(super) fn items(&self, range: Range<usize>) -> impl Iterator<Item = Item> + '_ {
        self.items.get(range).unwrap_or_default().iter().map(Packed::item)
    }

    /// Some records by their ids, each with the leaves of its first and its newest message.
    pub(super) fn some_records(&self, range: Range<usize>) -> impl Iterator<Item = (Digest, [u32; 2])> + '_ {
        let leaf = |item: [u8; 4]| self.leaves.get(u32::from_be_bytes(item) as usize).copied().unwrap_or_default();
        let records = self.records.get(range).unwrap_or_default().iter();
        let records = records.filter_map(|number| self.waiting.records.get(*number as usize));
        records.map(move |record| (record.id, [leaf(record.first), leaf(record.newest)]))
    }
}

/// The numbers of some entries in the order of their digests.
fn order<T>(entries: &[T], digest: impl Fn(&T) -> &Digest) -> Vec<u32> {
    let begins = |digest: &Digest| digest.first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes));
    // Digests differ in what they begin with, so the entries themselves are hardly ever looked at.
    let mut keys: Vec<(u64, u32)> = entries.iter().map(|entry| begins(digest(entry))).zip(0..).collect();
    let whole = |number: u32| entries.get(number as usize).map(&digest);
    keys.sort_unstable_by(|a, b| a.0.cmp(&b.0).then_with(|| whole(a.1).cmp(&whole(b.1))));
    keys.into_iter().map(|(_, number)| number).collect()
}

/// Finds entries of a vector by their digests: a table of their numbers, a quarter of it free at least.
#[derive(Debug, Default, Clone)]
struct Places {
    /// One more than the number of an entry; 0: free.
    slots: Vec<u32>,
    /// Strangers name digests: nobody can choose those that come to lie together.
    hashes: RandomState,
}

impl Places {
    fn find<T>(&self, digest: &Digest, entries: &[T], key: impl Fn(&T) -> &Digest) -> Option<u32> {
        for slot in self.slots_of(digest) {
            let number = self.slots.get(slot)?.checked_sub(1)?;
            if entries.get(number as usize).is_some_and(|entry| key(entry) == digest) {
                return Some(number);
            }
        }
        None
    }

    /// The last entry is new.
    fn add<T>(&mut self, entries: &[T], key: impl Fn(&T) -> &Digest) {
        let from = if 4 * entries.len() > 3 * self.slots.len() {
            self.slots = vec![0; (2 * self.slots.len()).max(64)];
            0
        } else {
            entries.len() - 1
        };
        for (number, entry) in entries.iter().enumerate().skip(from) {
            let free = self.slots_of(key(entry)).find(|slot| self.slots.get(*slot) == Some(&0));
            if let Some(slot) = free.and_then(|slot| self.slots.get_mut(slot)) {
                *slot = u32::try_from(number + 1).unwrap_or_default();
            }
        }
    }

    /// Where a digest may stand, the likeliest place first. The number of slots is a power of two.
    fn slots_of(&self, digest: &Digest) -> impl Iterator<Item = usize> + use<> {
        let (start, len) = (self.hashes.hash_one(digest) as usize, self.slots.len());
        (0..len).map(move |step| start.wrapping_add(step) & (len - 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cid;
    use std::collections::BTreeMap;

    #[test]
    fn it_holds_what_a_map_would_and_sorts_it() {
        let digest = |i: u32| cid::digest(&i.to_be_bytes());
        let (mut waiting, mut items, mut records) = (Waiting::default(), BTreeMap::new(), BTreeMap::new());
        for i in 0..10_000_u32 {
            // every third comes again, later
            let n = if i % 3 == 0 { i / 2 } else { i };
            let item = Item { digest: digest(n), codec: 0x71, position: u64::from(i) };
            waiting.add(&item);
            items.entry(item.digest).or_insert(item);
            let id = digest(1_000_000 + n % 700);
            waiting.add_record(&id, &item.digest);
            let newest: &mut [Digest; 2] = records.entry(id).or_insert([item.digest; 2]);
            if items[&newest[1]].position < items[&item.digest].position {
                newest[1] = item.digest;
            }
        }
        assert_eq!(waiting.len(), items.len());
        assert!(items.keys().chain(records.keys()).all(|digest| waiting.has(digest)));
        assert!(!waiting.has(&digest(20_000)) && waiting.get(&digest(20_000)).is_none());
        let half: BTreeSet<Digest> = items.keys().copied().step_by(2).collect();
        let (left, all) = (waiting.without(&half), waiting.len());
        assert_eq!(left.len(), all - half.len());
        assert!(left.items().all(|item| items[&item.digest] == item && !half.contains(&item.digest)));
        for (id, [first, newest]) in &records {
            assert_eq!(left.has(id), !(half.contains(first) && half.contains(newest)));
        }
        let sorted = Arc::new(waiting).sorted();
        assert!(sorted.items(0..sorted.len()).eq(items.values().copied()));
        assert!(sorted.items(10..20).eq(items.values().copied().skip(10).take(10)));
        assert!((0..sorted.len()).map(|leaf| sorted.digest(leaf)).eq(items.keys().copied()));
        let named = sorted.some_records(0..sorted.records());
        let named = named.map(|(id, leaves)| (id, leaves.map(|leaf| sorted.digest(leaf as usize))));
        assert!(named.eq(records));
        assert_eq!(Arc::new(Waiting::default()).sorted().len(), 0);
    }

    #[test]
    fn an_entry_has_no_gaps() {
        assert_eq!((size_of::<Packed>(), size_of::<Record>()), (41, 40));
    }
}
