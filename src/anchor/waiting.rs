//! What waits for the next batch, in little memory: 41 bytes for a digest and 40 for a record, some more to grow, and 4 to 11 of each to
//! find it. For a batch all of it is sorted where it lies.

use super::buckets::{Buckets, Keyed, Number, Ranks};
use crate::{
    cid::{self, Cid, Digest},
    store::Position,
};
use std::{collections::BTreeSet, ops::Range, sync::Arc};

/// Digests, and the records whose messages are among them.
#[derive(Debug, Default, Clone)]
pub(super) struct Waiting {
    items: Buckets<Packed>,
    records: Buckets<Record>,
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

impl Keyed for Packed {
    fn digest(&self) -> &Digest {
        &self.digest
    }
}

impl Keyed for Record {
    fn digest(&self) -> &Digest {
        &self.id
    }
}

impl Waiting {
    pub(super) fn len(&self) -> usize {
        self.items.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.items.len() == 0
    }

    /// Does this digest, or a message of the record it names, wait here?
    pub(super) fn has(&self, digest: &Digest) -> bool {
        self.items.find(digest).is_some() || self.records.find(digest).is_some()
    }

    /// The item with this digest.
    pub(super) fn get(&self, digest: &Digest) -> Option<Item> {
        self.items.find(digest).and_then(|number| self.items.get(number)).map(Packed::item)
    }

    /// What is here already stays as it is.
    pub(super) fn add(&mut self, item: &Item) {
        if self.items.find(&item.digest).is_none() {
            let Item { digest, codec, position } = *item;
            // Far more than may wait would have to be here for it not to have room.
            let _ = self.items.push(Packed { digest, position: position.to_be_bytes(), codec });
        }
    }

    /// `message`, which is here, is of this record.
    pub(super) fn add_record(&mut self, id: &Digest, message: &Digest) {
        let Some(number) = self.items.find(message) else { return };
        let at = |number: Number| self.items.get(number).map(|item| item.position);
        match self.records.find(id).and_then(|record| self.records.get_mut(record)) {
            // what comes again, with its data, is as old as it was
            Some(record) if at(number) > at(Number::from_be_bytes(record.newest)) => {
                record.newest = number.to_be_bytes();
            }
            Some(_) => {}
            None => {
                let number = number.to_be_bytes();
                let _ = self.records.push(Record { id: *id, first: number, newest: number });
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
        for record in self.records.iter() {
            for number in [record.first, record.newest] {
                if let Some(message) = self.items.get(Number::from_be_bytes(number)) {
                    left.add_record(&record.id, &message.digest);
                }
            }
        }
        left
    }

    /// Brings all of it into the order of a batch's leaves: the same log gives the same tree.
    fn sort(&mut self) {
        let moved = self.items.sort();
        for record in self.records.iter_mut() {
            for item in [&mut record.first, &mut record.newest] {
                *item = moved.now(Number::from_be_bytes(*item)).to_be_bytes();
            }
        }
        self.records.sort();
    }
}

impl Packed {
    fn item(&self) -> Item {
        Item { digest: self.digest, codec: self.codec, position: Position::from_be_bytes(self.position) }
    }
}

/// What waits, in the order of its digests. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Sorted {
    waiting: Arc<Waiting>,
    leaves: Ranks,
    records: Ranks,
}

impl Sorted {
    /// Sorts it, if that was not done; it is copied for that if somebody else has it too.
    pub(super) fn of(waiting: &mut Arc<Waiting>) -> Self {
        Arc::make_mut(waiting).sort();
        Self { waiting: waiting.clone(), leaves: waiting.items.ranks(), records: waiting.records.ranks() }
    }

    pub(super) fn len(&self) -> usize {
        self.waiting.items.len()
    }

    fn packed(&self, leaf: usize) -> Option<&Packed> {
        self.waiting.items.get(self.leaves.number(leaf))
    }

    /// The digest of a leaf.
    pub(super) fn digest(&self, leaf: usize) -> Digest {
        self.packed(leaf).map_or(Digest::default(), |item| item.digest)
    }

    /// What a leaf stands for.
    pub(super) fn item(&self, leaf: usize) -> Item {
        let nothing = Item { digest: Digest::default(), codec: 0, position: 0 };
        self.packed(leaf).map_or(nothing, Packed::item)
    }

    pub(super) fn records(&self) -> usize {
        self.waiting.records.len()
    }

    /// Some leaves.
    pub(super) fn items(&self, range: Range<usize>) -> impl Iterator<Item = Item> + '_ {
        range.map_while(|leaf| self.packed(leaf)).map(Packed::item)
    }

    /// Some records by their ids, each with the leaves of its first and its newest message.
    pub(super) fn some_records(&self, range: Range<usize>) -> impl Iterator<Item = (Digest, [u32; 2])> + '_ {
        let leaf = |item: [u8; 4]| self.leaves.rank(Number::from_be_bytes(item)) as u32;
        let records = range.map_while(|record| self.waiting.records.get(self.records.number(record)));
        records.map(move |record| (record.id, [leaf(record.first), leaf(record.newest)]))
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
