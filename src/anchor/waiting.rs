//! What waits for the next batch, in little memory: 41 bytes for a digest and 40 for a record, and 4 to 11 of each to find it.
//!
//! For a batch all of it is sorted where it lies: then it needs no tables to be found.

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

/// Digests, and the records whose messages are among them.
#[derive(Debug, Default, Clone)]
pub(super) struct Waiting {
    items: Vec<Packed>,
    placed: Places,
    records: Vec<Record>,
    recorded: Places,
    /// Do they lie in the order of their digests (and the tables are empty)? Otherwise in the order in which they came.
    is_sorted: bool,
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
        self.place();
        if self.find(&item.digest).is_none() {
            let Item { digest, codec, position } = *item;
            self.items.push(Packed { digest, position: position.to_be_bytes(), codec });
            self.placed.add(&self.items, |item| &item.digest);
        }
    }

    /// `message`, which is here, is of this record.
    pub(super) fn add_record(&mut self, id: &Digest, message: &Digest) {
        self.place();
        let Some(number) = self.find(message) else { return };
        let at = |number: u32| self.items.get(number as usize).map(|item| item.position);
        match self.find_record(id).and_then(|record| self.records.get_mut(record as usize)) {
            // what comes again, with its data, is as old as it was
            Some(record) if at(number) > at(u32::from_be_bytes(record.newest)) => record.newest = number.to_be_bytes(),
            Some(_) => {}
            None => {
                let number = number.to_be_bytes();
                self.records.push(Record { id: *id, first: number, newest: number });
                self.recorded.add(&self.records, |record| &record.id);
            }
        }
    }

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
        match self.is_sorted {
            true => number(self.items.binary_search_by(|item| item.digest.cmp(digest))),
            false => self.placed.find(digest, &self.items, |item| &item.digest),
        }
    }

    fn find_record(&self, id: &Digest) -> Option<u32> {
        match self.is_sorted {
            true => number(self.records.binary_search_by(|record| record.id.cmp(id))),
            false => self.recorded.find(id, &self.records, |record| &record.id),
        }
    }

    /// Brings all of it into the order of a batch's leaves: the same log gives the same tree.
    pub(super) fn sort(&mut self) {
        if self.is_sorted {
            return;
        }
        (self.placed, self.recorded, self.is_sorted) = (Places::default(), Places::default(), true);
        let mut leaves = places(&self.items, |item| &item.digest);
        for record in &mut self.records {
            for item in [&mut record.first, &mut record.newest] {
                let leaf = leaves.get(u32::from_be_bytes(*item) as usize);
                *item = leaf.copied().unwrap_or_default().to_be_bytes();
            }
        }
        arrange(&mut self.items, &mut leaves);
        drop(leaves); // a large batch has little room
        let mut order = places(&self.records, |record| &record.id);
        arrange(&mut self.records, &mut order);
    }

    /// More is to come after it was sorted: the batch was not made.
    fn place(&mut self) {
        if std::mem::take(&mut self.is_sorted) {
            self.placed.add(&self.items, |item| &item.digest);
            self.recorded.add(&self.records, |record| &record.id);
        }
    }
}

fn number(found: Result<usize, usize>) -> Option<u32> {
    found.ok().and_then(|number| number.try_into().ok())
}

impl Packed {
    fn item(&self) -> Item {
        Item { digest: self.digest, codec: self.codec, position: Position::from_be_bytes(self.position) }
    }
}

/// What waits, in the order of its digests. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Sorted(Arc<Waiting>);

impl Sorted {
    /// Sorts it, if that was not done; it is copied for that if somebody else has it too.
    pub(super) fn of(waiting: &mut Arc<Waiting>) -> Self {
        Arc::make_mut(waiting).sort();
        Self(waiting.clone())
    }

    pub(super) fn len(&self) -> usize {
        self.0.items.len()
    }

    /// The digest of a leaf.
    pub(super) fn digest(&self, leaf: usize) -> Digest {
        self.0.items.get(leaf).map_or(Digest::default(), |item| item.digest)
    }

    /// What a leaf stands for.
    pub(super) fn item(&self, leaf: usize) -> Item {
        let nothing = Item { digest: Digest::default(), codec: 0, position: 0 };
        self.0.items.get(leaf).map_or(nothing, Packed::item)
    }

    pub(super) fn records(&self) -> usize {
        self.0.records.len()
    }

    /// Some leaves.
    pub(super) fn items(&self, range: Range<usize>) -> impl Iterator<Item = Item> + '_ {
        self.0.items.get(range).unwrap_or_default().iter().map(Packed::item)
    }

    /// Some records by their ids, each with the leaves of its first and its newest message.
    pub(super) fn some_records(&self, range: Range<usize>) -> impl Iterator<Item = (Digest, [u32; 2])> + '_ {
        let records = self.0.records.get(range).unwrap_or_default().iter();
        records.map(|record| (record.id, [record.first, record.newest].map(u32::from_be_bytes)))
    }
}

/// Of each entry its number in the order of the digests.
fn places<T>(entries: &[T], digest: impl Fn(&T) -> &Digest) -> Vec<u32> {
    let begins = |digest: &Digest| digest.first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes));
    // Digests differ in what they begin with, so the entries themselves are hardly ever looked at.
    let mut keys: Vec<(u64, u32)> = entries.iter().map(|entry| begins(digest(entry))).zip(0..).collect();
    let whole = |number: u32| entries.get(number as usize).map(&digest);
    keys.sort_unstable_by(|a, b| a.0.cmp(&b.0).then_with(|| whole(a.1).cmp(&whole(b.1))));
    let mut places = vec![0; keys.len()];
    for (place, (_, number)) in (0..).zip(keys) {
        if let Some(slot) = places.get_mut(number as usize) {
            *slot = place;
        }
    }
    places
}

/// Moves each entry to its place, where it lies: copied together they would take as much memory once more.
fn arrange<T>(entries: &mut [T], places: &mut [u32]) {
    for at in 0..places.len() {
        while let Some(place) = places.get(at).map(|place| *place as usize).filter(|place| *place != at) {
            entries.swap(at, place);
            places.swap(at, place);
        }
    }
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

    /// The last entry is new; all of them, if none was known.
    fn add<T>(&mut self, entries: &[T], key: impl Fn(&T) -> &Digest) {
        let from = if 4 * entries.len() > 3 * self.slots.len() {
            self.slots = vec![0; (2 * entries.len()).next_power_of_two().max(64)];
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
        let mut waiting = Arc::new(waiting);
        let sorted = Sorted::of(&mut waiting);
        assert!(sorted.items(0..sorted.len()).eq(items.values().copied()));
        assert!(sorted.items(10..20).eq(items.values().copied().skip(10).take(10)));
        assert!((0..sorted.len()).map(|leaf| sorted.digest(leaf)).eq(items.keys().copied()));
        let named = sorted.some_records(0..sorted.records());
        let named = named.map(|(id, leaves)| (id, leaves.map(|leaf| sorted.digest(leaf as usize))));
        assert!(named.eq(records.clone()));
        assert_eq!(Sorted::of(&mut Arc::default()).len(), 0);
        drop(sorted);

        // The batch was not made: all is found as it was, and more comes.
        assert!(items.keys().chain(records.keys()).all(|digest| waiting.has(digest)));
        assert!(!waiting.has(&digest(20_000)) && waiting.get(&digest(20_000)).is_none());
        let mut more = Waiting::clone(&waiting);
        let late = Item { digest: digest(20_000), codec: 0x71, position: 20_000 };
        let (id, [first, _]) = records.pop_first().expect("there are some");
        more.add(&late);
        more.add_record(&id, &late.digest);
        more.add_record(&id, &first);
        assert_eq!(more.len(), items.len() + 1);
        assert!(items.values().all(|item| more.get(&item.digest).as_ref() == Some(item)));
        let sorted = Sorted::of(&mut Arc::new(more));
        let (_, leaves) =
            sorted.some_records(0..sorted.records()).find(|(found, _)| *found == id).expect("it is there");
        assert_eq!(leaves.map(|leaf| sorted.digest(leaf as usize)), [first, late.digest]);
    }

    #[test]
    fn an_entry_has_no_gaps() {
        assert_eq!((size_of::<Packed>(), size_of::<Record>()), (41, 40));
    }
}
