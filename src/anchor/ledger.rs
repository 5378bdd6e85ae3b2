//! What the anchor keeps in the store, under keys that begin with `anchor/`.
//!
//! | key | value |
//! |---|---|
//! | `anchor/since` | when this node first ran, seconds since 1970 |
//! | `anchor/cursor` | the log position up to which everything is in a batch |
//! | `anchor/batch/<n>` | the batch, see [`Batch::encode`] |
//! | `anchor/whole/<digest of a root>` | the plain sha256 of the file under that root |
//! | `anchor/unhashed/<digest of a root>` | the log position of a file that was not hashed when the batch of its record was made |
//! | `anchor/head` | the newest entry of the audit log that is a leaf: its number and its hash |
//! | `anchor/change` | an address of the wallet for change that no transaction has used yet |
//! | `anchor/wallet/<network>/<name>` | this wallet was there: it is never made anew |
//! | `anchor/written/<n>` | which state of the batch stands in records, and for how many tenants it could not be written |
//!
//! Beside these: `calendar` keeps what calendars said, `intake` keeps digests that are in no message, `found` keeps where records
//! have proofs.
//!
//! Where its leaves lie is told in `leaves`. A batch exists once `anchor/batch/<n>` does: it is written last, in one step
//! with the cursor. What a crash before that leaves behind names a batch that does not exist, counts for nothing and is
//! overwritten when batch n is made again.

use super::{
    batch::{Batch, State},
    config::Network,
    leaves::{Changes, Leaf, Leaves, Record, array, content, value},
    waiting::{Item, Sorted},
};
use crate::{
    cid::Digest,
    dwn::Fault,
    store::{Position, Store},
};
use anyhow::anyhow;

const SINCE: &[u8] = b"anchor/since";
const CURSOR: &[u8] = b"anchor/cursor";
const BATCH: &[u8] = b"anchor/batch/";
const WHOLE: &[u8] = b"anchor/whole/";
const UNHASHED: &[u8] = b"anchor/unhashed/";
const HEAD: &[u8] = b"anchor/head";
const CHANGE: &[u8] = b"anchor/change";
const WALLET: &[u8] = b"anchor/wallet/";
const WRITTEN: &[u8] = b"anchor/written/";

/// First byte of every value here: raised when an encoding changes.
const VERSION: u8 = 1;

/// Handle to what is kept; cheap to clone. Clones know of the same batches.
#[derive(Debug, Clone)]
pub(super) struct Ledger {
    store: Store,
    /// Of the settings: batches of the first version did not say in which chain they are.
    network: Network,
    leaves: Leaves,
}

impl Ledger {
    /// It knows of no batch before [`Ledger::load`].
    pub(super) fn new(store: Store, network: Network) -> Self {
        Self { leaves: Leaves::new(store.clone()), store, network }
    }

    /// Looks which batches there are; all of them, oldest first. Blocks.
    pub(super) fn load(&self) -> Result<Vec<Batch>, Fault> {
        let batches = self.batches()?;
        self.leaves.load(&batches.iter().map(|batch| (batch.number, batch.leaves)).collect::<Vec<_>>())?;
        Ok(batches)
    }

    /// When this node first ran; remembered from now on.
    pub(super) async fn since(&self, now: u64) -> Result<u64, Fault> {
        if let Some(bytes) = self.get(SINCE)? {
            return Ok(u64::from_be_bytes(array(&bytes, 0)?));
        }
        self.store.put_state(vec![(SINCE.to_vec(), Some(value(VERSION, &now.to_be_bytes())))]).await?;
        Ok(now)
    }

    pub(super) fn cursor(&self) -> Result<Position, Fault> {
        self.get(CURSOR)?.map_or(Ok(0), |bytes| Ok(Position::from_be_bytes(array(&bytes, 0)?)))
    }

    /// All batches, oldest first.
    pub(super) fn batches(&self) -> Result<Vec<Batch>, Fault> {
        self.store.states(BATCH)?.iter().map(|(_, bytes)| decode(bytes, self.network)).collect()
    }

    pub(super) fn batch(&self, number: u64) -> Result<Option<Batch>, Fault> {
        self.store.state(&key(BATCH, &number.to_be_bytes()))?.map(|bytes| decode(&bytes, self.network)).transpose()
    }

    /// Where `digest` stands, if it is in a batch that exists.
    pub(super) fn leaf(&self, digest: &Digest) -> Result<Option<Leaf>, Fault> {
        self.leaves.find(digest)
    }

    /// The first and the newest message of a record that are in batches.
    pub(super) fn record(&self, record: &Digest) -> Result<Option<Record>, Fault> {
        self.leaves.record(record)
    }

    /// The digests of a batch, in the order of its leaves.
    pub(super) fn leaves(&self, batch: &Batch) -> Result<Vec<Digest>, Fault> {
        self.leaves.digests(batch.number, batch.leaves)
    }

    /// As [`Ledger::leaves`], with where they lie.
    pub(super) fn items(&self, batch: &Batch) -> Result<Vec<Item>, Fault> {
        self.leaves.items(batch.number, batch.leaves)
    }

    /// Makes a batch durable, whole or not at all. `cursor` is where the next batch begins; `more` becomes durable with it.
    pub(super) async fn close(
        &self,
        batch: &Batch,
        sorted: &Sorted,
        cursor: Position,
        more: Changes,
    ) -> Result<(), Fault> {
        let large = self.leaves.write(batch.number, sorted).await?;
        let mut changes = vec![
            (key(BATCH, &batch.number.to_be_bytes()), Some(batch.encode())),
            (CURSOR.to_vec(), Some(value(VERSION, &cursor.to_be_bytes()))),
        ];
        changes.extend(more);
        self.store.put_state(changes).await?;
        self.leaves.exists(batch.number, large);
        Ok(())
    }

    /// Puts back a batch that was lost; the log's cursor stays where it is.
    pub(super) async fn restore(&self, batch: &Batch, sorted: &Sorted) -> Result<(), Fault> {
        self.close(batch, sorted, self.cursor()?, vec![]).await
    }

    /// Where the next batch begins; `more` becomes durable with it.
    pub(super) async fn put_cursor(&self, cursor: Position, more: Changes) -> Result<(), Fault> {
        let cursor = (CURSOR.to_vec(), Some(value(VERSION, &cursor.to_be_bytes())));
        self.store.put_state(more.into_iter().chain([cursor]).collect()).await
    }

    /// Which state of a batch stands in records, and for how many tenants it could not be written.
    pub(super) fn written(&self, batch: u64) -> Result<Option<(Digest, u32)>, Fault> {
        let bytes = self.get(&key(WRITTEN, &batch.to_be_bytes()))?;
        bytes.map(|bytes| Ok((array(&bytes, 0)?, u32::from_be_bytes(array(&bytes, 32)?)))).transpose()
    }

    pub(super) async fn put_written(&self, batch: u64, mark: &Digest, skipped: u32) -> Result<(), Fault> {
        let written = [&mark[..], &skipped.to_be_bytes()].concat();
        self.store.put_state(vec![(key(WRITTEN, &batch.to_be_bytes()), Some(value(VERSION, &written)))]).await
    }

    /// Stores batches in one step. `uses_change`: the address for change is used now.
    pub(super) async fn put(&self, batches: &[&Batch], uses_change: bool) -> Result<(), Fault> {
        let stored = |batch: &&Batch| (key(BATCH, &batch.number.to_be_bytes()), Some(batch.encode()));
        let used = uses_change.then(|| (CHANGE.to_vec(), None));
        self.store.put_state(batches.iter().map(stored).chain(used).collect()).await
    }

    /// The batch whose transaction carries this one, if it is another.
    pub(super) fn carrier(&self, batch: &Batch) -> Result<Option<Batch>, Fault> {
        match batch.state {
            State::Riding(with) => self.batch(with),
            _ => Ok(None),
        }
    }

    /// The address for change that was drawn and not used.
    pub(super) fn change(&self) -> Result<Option<String>, Fault> {
        Ok(self.get(CHANGE)?.and_then(|bytes| String::from_utf8(bytes).ok()))
    }

    pub(super) async fn keep_change(&self, address: &str) -> Result<(), Fault> {
        self.store.put_state(vec![(CHANGE.to_vec(), Some(value(VERSION, address.as_bytes())))]).await
    }

    /// Was this wallet there before?
    pub(super) fn had_wallet(&self, name: &str) -> Result<bool, Fault> {
        Ok(self.get(&self.wallet(name))?.is_some())
    }

    pub(super) async fn note_wallet(&self, name: &str) -> Result<(), Fault> {
        self.store.put_state(vec![(self.wallet(name), Some(value(VERSION, &[])))]).await
    }

    fn wallet(&self, name: &str) -> Vec<u8> {
        key(WALLET, format!("{}/{name}", self.network.chain()).as_bytes())
    }

    /// The plain sha256 of the file under a root, if it was hashed.
    pub(super) fn whole(&self, root: &Digest) -> Result<Option<Digest>, Fault> {
        self.get(&key(WHOLE, root))?.map(|bytes| array(&bytes, 0)).transpose()
    }

    pub(super) async fn put_whole(&self, root: &Digest, plain: &Digest) -> Result<(), Fault> {
        self.store.put_state(vec![(key(WHOLE, root), Some(value(VERSION, plain)))]).await
    }

    /// Files that were not hashed when the batch of their records was made, and where the log brought them.
    pub(super) fn unhashed(&self) -> Result<Vec<(Digest, Position)>, Fault> {
        let all = self.store.states(UNHASHED)?;
        let read = |(key, bytes): &(_, _)| {
            let (key, bytes): (&bytes::Bytes, &bytes::Bytes) = (key, bytes);
            Ok((array(key, UNHASHED.len())?, Position::from_be_bytes(array(content(bytes, VERSION)?, 0)?)))
        };
        all.iter().map(read).collect()
    }

    /// What makes [`Ledger::unhashed`] name a file, or (`None`) name it no more.
    pub(super) fn unhashed_change(root: &Digest, position: Option<Position>) -> (Vec<u8>, Option<Vec<u8>>) {
        (key(UNHASHED, root), position.map(|position| value(VERSION, &position.to_be_bytes())))
    }

    /// The newest entry of the audit log that is a leaf.
    pub(super) fn head(&self) -> Result<Option<(u64, Digest)>, Fault> {
        let read = |bytes: Vec<u8>| Ok((u64::from_be_bytes(array(&bytes, 0)?), array(&bytes, 8)?));
        self.get(HEAD)?.map(read).transpose()
    }

    pub(super) fn head_change(number: u64, hash: &Digest) -> (Vec<u8>, Option<Vec<u8>>) {
        (HEAD.to_vec(), Some(value(VERSION, &[&number.to_be_bytes()[..], hash].concat())))
    }

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        self.store.state(key)?.map(|bytes| Ok(content(&bytes, VERSION)?.to_vec())).transpose()
    }
}

pub(super) fn key(prefix: &[u8], rest: &[u8]) -> Vec<u8> {
    [prefix, rest].concat()
}

fn decode(bytes: &[u8], network: Network) -> Result<Batch, Fault> {
    let read = Batch::decode(bytes);
    let mut batch = read.map_err(|cause| anyhow!("a stored anchor batch cannot be read: {cause}"))?;
    if let Some(spend) = batch.spend_mut()
        && spend.genesis.is_empty()
    {
        spend.network = network;
    }
    Ok(batch)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{anchor::waiting::Waiting, cid, store::Config};
    use std::{collections::BTreeMap, path::Path, sync::Arc};

    fn open(dir: &Path) -> Ledger {
        let ledger = Ledger::new(Store::open(dir, &Config::default()).expect("the store opens"), Network::Regtest);
        ledger.load().expect("reads");
        ledger
    }

    fn item(n: u32) -> Item {
        Item { digest: cid::digest(&n.to_be_bytes()), codec: 0x71, position: n.into() }
    }

    fn record_of(n: u32) -> Digest {
        cid::digest(format!("record {n}").as_bytes())
    }

    /// These messages; number `n` is of record `n % records`.
    fn some(range: std::ops::Range<u32>, records: u32) -> Sorted {
        let mut waiting = Waiting::default();
        for n in range {
            waiting.add(&item(n));
            waiting.add_record(&record_of(n % records), &item(n).digest);
        }
        Sorted::of(&mut Arc::new(waiting))
    }

    async fn close(ledger: &Ledger, number: u64, sorted: &Sorted, cursor: Position) {
        let batch = Batch::new(number, [1; 32], sorted.len() as u32, 0);
        ledger.close(&batch, sorted, cursor, vec![]).await.expect("is written");
    }

    fn batch(ledger: &Ledger, number: u64) -> Batch {
        ledger.batch(number).expect("reads").expect("is there")
    }

    #[tokio::test]
    async fn a_batch_is_there_whole_or_not_at_all() {
        for count in [1, 2999, 5000] {
            let dir = tempfile::tempdir().expect("a directory");
            let ledger = open(dir.path());
            let sorted = some(0..count, 7);
            close(&ledger, 1, &sorted, 99).await;
            let known = ledger.clone();
            drop(ledger);
            assert_eq!(known.cursor().expect("reads"), 99);
            assert_eq!(known.load().expect("reads").len(), 1);
            let digests: Vec<Digest> = (0..sorted.len()).map(|leaf| sorted.digest(leaf)).collect();
            assert_eq!(known.leaves(&batch(&known, 1)).expect("reads"), digests);
            assert!(known.items(&batch(&known, 1)).expect("reads").into_iter().eq(sorted.items(0..sorted.len())));
            for (index, digest) in (0..).zip(&digests) {
                let leaf = known.leaf(digest).expect("reads").expect("is there");
                assert_eq!((leaf.batch, leaf.index, leaf.item.digest), (1, index, *digest));
                assert_eq!(item(leaf.item.position as u32), leaf.item);
            }
            assert_eq!(known.leaf(&item(count).digest).expect("reads"), None);
            assert_eq!(known.since(5).await.expect("writes"), 5);
            assert_eq!(known.since(6).await.expect("reads"), 5);
        }
    }

    #[tokio::test]
    async fn among_many_batches_each_leaf_is_found_and_of_each_record_the_first_and_the_newest_message() {
        let dir = tempfile::tempdir().expect("a directory");
        let ledger = open(dir.path());
        // large ones among small ones, and records that go through all of them
        let sizes = [10, 3000, 1, 500, 7000, 2999, 40, 3500, 3];
        let (mut from, mut places) = (0, BTreeMap::new());
        for (number, size) in (1..).zip(sizes) {
            close(&ledger, number, &some(from..from + size, 600), (from + size).into()).await;
            places.extend((from..from + size).map(|n| (n, number)));
            from += size;
        }
        let again = Ledger::new(ledger.store.clone(), crate::anchor::config::Network::Regtest);
        again.load().expect("reads");
        for ledger in [ledger, again] {
            for (n, number) in &places {
                let leaf = ledger.leaf(&item(*n).digest).expect("reads").unwrap_or_else(|| panic!("{n} of {number}"));
                assert_eq!((leaf.batch, leaf.item), (*number, item(*n)));
                assert_eq!(
                    ledger.leaves(&batch(&ledger, leaf.batch)).expect("reads")[leaf.index as usize],
                    leaf.item.digest
                );
            }
            for n in 0..600 {
                let record = ledger.record(&record_of(n)).expect("reads").expect("is there");
                let newest = (0..from).rev().find(|m| m % 600 == n).expect("one");
                assert_eq!((record.first.item, record.newest.item), (item(n), item(newest)), "record {n}");
            }
            for n in from..from + 2000 {
                assert_eq!(ledger.leaf(&item(n).digest).expect("reads"), None);
                assert_eq!(ledger.record(&record_of(n)).expect("reads"), None);
            }
            let (least, most) = ([0; 32], [0xff; 32]);
            assert_eq!((ledger.leaf(&least).expect("reads"), ledger.leaf(&most).expect("reads")), (None, None));
        }
    }

    #[tokio::test]
    async fn a_batch_that_comes_back_late_is_no_newer_for_it() {
        let dir = tempfile::tempdir().expect("a directory");
        let ledger = open(dir.path());
        for (number, range) in [(2, 10..20), (1, 0..10), (3, 20..30)] {
            close(&ledger, number, &some(range, 2), 30).await;
        }
        ledger.load().expect("reads");
        let record = ledger.record(&record_of(1)).expect("reads").expect("is there");
        assert_eq!((record.first.item, record.newest.item), (item(1), item(29)));
        close(&ledger, 5, &some(40..50, 2), 50).await;
        let sorted = some(30..40, 2);
        ledger.restore(&Batch::new(4, [1; 32], sorted.len() as u32, 0), &sorted).await.expect("is written");
        ledger.load().expect("reads");
        let record = ledger.record(&record_of(1)).expect("reads").expect("is there");
        assert_eq!((record.first.item, record.newest.item), (item(1), item(49)));
        assert_eq!(ledger.cursor().expect("reads"), 50);
    }

    #[tokio::test]
    async fn what_a_crash_left_of_a_batch_counts_for_nothing() {
        // of a small or a large one, and what comes of it is small or large
        for (left, made) in [(2, 3), (4000, 4200), (2000, 4000), (4000, 100)] {
            let dir = tempfile::tempdir().expect("a directory");
            let ledger = open(dir.path());
            close(&ledger, 1, &some(10_000..10_000 + left, 5), 50).await;
            ledger.store.put_state(vec![(key(BATCH, &1_u64.to_be_bytes()), None)]).await.expect("is removed");
            let ledger = Ledger::new(ledger.store.clone(), crate::anchor::config::Network::Regtest);
            assert!(ledger.load().expect("reads").is_empty());
            assert_eq!(ledger.leaf(&item(10_000).digest).expect("reads"), None);
            assert_eq!(ledger.record(&record_of(0)).expect("reads"), None);
            close(&ledger, 1, &some(10_001..10_000 + made, 5), 60).await;
            let again = Ledger::new(ledger.store.clone(), crate::anchor::config::Network::Regtest);
            again.load().expect("reads");
            for ledger in [ledger, again] {
                let digests = ledger.leaves(&batch(&ledger, 1)).expect("reads");
                assert_eq!(digests.len() as u32, made - 1);
                for n in 10_001..10_000 + made {
                    let leaf = ledger.leaf(&item(n).digest).expect("reads").expect("is there");
                    assert_eq!(digests[leaf.index as usize], leaf.item.digest, "{n}");
                }
            }
        }
    }

    /// As the first version of the ledger wrote it.
    #[tokio::test]
    async fn what_an_earlier_toft_wrote_is_read_and_goes_on() {
        let dir = tempfile::tempdir().expect("a directory");
        let ledger = open(dir.path());
        let mut items: Vec<Item> = (0..5000).map(item).collect();
        items.sort_unstable_by_key(|item| item.digest);
        let (batch, one) = (Batch::new(1, [1; 32], 5000, 0), 1_u64.to_be_bytes());
        let mut changes: Changes = vec![
            (key(BATCH, &one), Some(batch.encode())),
            (CURSOR.to_vec(), Some(value(1, &77_u64.to_be_bytes()))),
            (key(b"anchor/record/", &record_of(3)), Some(value(1, &item(3).digest))),
        ];
        for (chunk, items) in (0_u32..).zip(items.chunks(4096)) {
            let digests: Vec<u8> = items.iter().flat_map(|item| item.digest).collect();
            changes
                .push((key(b"anchor/leaves/", &[&one[..], &chunk.to_be_bytes()].concat()), Some(value(1, &digests))));
        }
        for (index, item) in (0_u32..).zip(&items) {
            let place = [&one[..], &index.to_be_bytes(), &item.position.to_be_bytes(), &[item.codec]].concat();
            changes.push((key(b"anchor/digest/", &item.digest), Some(value(1, &place))));
        }
        ledger.store.put_state(changes).await.expect("is written");
        ledger.load().expect("reads");
        assert_eq!(ledger.cursor().expect("reads"), 77);
        assert!(ledger.leaves(&batch).expect("reads").iter().eq(items.iter().map(|item| &item.digest)));
        assert_eq!(ledger.items(&batch).expect("reads"), items);
        for (index, item) in (0..).zip(&items) {
            assert_eq!(ledger.leaf(&item.digest).expect("reads"), Some(Leaf { batch: 1, index, item: *item }));
        }
        let record = ledger.record(&record_of(3)).expect("reads").expect("is there");
        assert_eq!((record.first.item, record.newest.item), (item(3), item(3)));
        for (number, range) in [(2, 6000..6010), (3, 7000..12_000)] {
            close(&ledger, number, &some(range, 4), 100).await;
        }
        let record = ledger.record(&record_of(3)).expect("reads").expect("is there");
        assert_eq!((record.first.item, record.newest.item), (item(3), item(11_999)));
    }

    #[tokio::test]
    async fn files_and_the_audit_logs_head_are_remembered() {
        let dir = tempfile::tempdir().expect("a directory");
        let ledger = open(dir.path());
        assert_eq!((ledger.whole(&[1; 32]).expect("reads"), ledger.head().expect("reads")), (None, None));
        ledger.put_whole(&[1; 32], &[2; 32]).await.expect("writes");
        assert_eq!(ledger.whole(&[1; 32]).expect("reads"), Some([2; 32]));
        let more = vec![Ledger::unhashed_change(&[3; 32], Some(9)), Ledger::head_change(7, &[4; 32])];
        ledger.close(&Batch::new(1, [1; 32], 1, 0), &some(0..1, 1), 1, more).await.expect("writes");
        assert_eq!(ledger.unhashed().expect("reads"), [([3; 32], 9)]);
        assert_eq!(ledger.head().expect("reads"), Some((7, [4; 32])));
        let more = vec![Ledger::unhashed_change(&[3; 32], None)];
        ledger.close(&Batch::new(2, [1; 32], 1, 0), &some(1..2, 1), 2, more).await.expect("writes");
        assert!(ledger.unhashed().expect("reads").is_empty());
    }
}
