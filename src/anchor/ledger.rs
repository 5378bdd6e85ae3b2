//! What the anchor keeps in the store, under keys that begin with `anchor/`.
//!
//! | key | value |
//! |---|---|
//! | `anchor/since` | when this node first ran, seconds since 1970 |
//! | `anchor/cursor` | the log position up to which everything is in a batch |
//! | `anchor/batch/<n>` | the batch, see [`Batch::encode`] |
//! | `anchor/leaves/<n><chunk>` | its digests in order, 32 bytes each |
//! | `anchor/digest/<digest>` | which leaf of which batch it is, and where its bytes are |
//! | `anchor/record/<digest of the recordId>` | the newest message of the record that is in a batch |
//!
//! Beside these: `calendar` keeps what calendars said, `intake` keeps digests that are in no message.
//!
//! A batch exists once `anchor/batch/<n>` does: it is written last, in one step with the cursor. What a crash
//! before that leaves behind names a batch that does not exist, counts for nothing and is overwritten when
//! batch n is made again.

use super::batch::Batch;
use crate::{
    cid::{self, Cid, Digest},
    dwn::Fault,
    store::{Position, Store},
};
use anyhow::{Context as _, anyhow};

const SINCE: &[u8] = b"anchor/since";
const CURSOR: &[u8] = b"anchor/cursor";
const BATCH: &[u8] = b"anchor/batch/";
const LEAVES: &[u8] = b"anchor/leaves/";
const DIGEST: &[u8] = b"anchor/digest/";
const RECORD: &[u8] = b"anchor/record/";

/// First byte of every value: raised when an encoding changes.
const VERSION: u8 = 1;
/// Leaves written in one step: some 500 KB of log, so that no writer waits long for us.
const CHUNK: usize = 4096;

/// Handle to what is kept; cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Ledger {
    store: Store,
}

/// Something new that wants a proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Item {
    pub digest: Digest,
    /// Codec of its CID: DAG-CBOR is a message, raw and DAG-PB are data.
    pub codec: u8,
    /// The log entry that brought it.
    pub position: Position,
}

/// Where a digest stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Leaf {
    pub batch: u64,
    pub index: u32,
    pub item: Item,
}

impl Item {
    pub(super) fn cid(&self) -> Cid {
        cid::from_digest(self.codec.into(), &self.digest)
    }
}

impl Ledger {
    pub(super) fn new(store: Store) -> Self {
        Self { store }
    }

    /// When this node first ran; remembered from now on.
    pub(super) async fn since(&self, now: u64) -> Result<u64, Fault> {
        if let Some(bytes) = self.get(SINCE)? {
            return Ok(u64::from_be_bytes(array(&bytes, 0)?));
        }
        self.store.put_state(vec![(SINCE.to_vec(), Some(value(&now.to_be_bytes())))]).await?;
        Ok(now)
    }

    pub(super) fn cursor(&self) -> Result<Position, Fault> {
        self.get(CURSOR)?.map_or(Ok(0), |bytes| Ok(Position::from_be_bytes(array(&bytes, 0)?)))
    }

    /// All batches, oldest first.
    pub(super) fn batches(&self) -> Result<Vec<Batch>, Fault> {
        self.store.states(BATCH)?.iter().map(|(_, bytes)| decode(bytes)).collect()
    }

    pub(super) fn batch(&self, number: u64) -> Result<Option<Batch>, Fault> {
        self.store.state(&key(BATCH, &number.to_be_bytes()))?.map(|bytes| decode(&bytes)).transpose()
    }

    /// Where `digest` stands, if it is in a batch that exists.
    pub(super) fn leaf(&self, digest: &Digest) -> Result<Option<Leaf>, Fault> {
        let Some(bytes) = self.get(&key(DIGEST, digest))? else { return Ok(None) };
        let [codec] = array(&bytes, 20)?;
        let leaf = Leaf {
            batch: u64::from_be_bytes(array(&bytes, 0)?),
            index: u32::from_be_bytes(array(&bytes, 8)?),
            item: Item { digest: *digest, codec, position: Position::from_be_bytes(array(&bytes, 12)?) },
        };
        Ok(self.store.state(&key(BATCH, &leaf.batch.to_be_bytes()))?.map(|_| leaf))
    }

    /// The newest message of a record that is in a batch.
    pub(super) fn record(&self, record: &Digest) -> Result<Option<Digest>, Fault> {
        self.get(&key(RECORD, record))?.map(|bytes| array(&bytes, 0)).transpose()
    }

    /// The digests of a batch, in the order of its leaves.
    pub(super) fn leaves(&self, batch: u64) -> Result<Vec<Digest>, Fault> {
        let mut digests = Vec::new();
        for (_, bytes) in self.store.states(&key(LEAVES, &batch.to_be_bytes()))? {
            let (chunks, rest) = content(&bytes)?.as_chunks();
            if !rest.is_empty() {
                return Err(anyhow!("the leaves of anchor batch {batch} are cut"));
            }
            digests.extend_from_slice(chunks);
        }
        Ok(digests)
    }

    /// Makes a batch durable, whole or not at all. `items` are in the order of its leaves; `cursor` is where the
    /// next batch begins; `more` is changed in the step in which the batch comes to be.
    pub(super) async fn close(
        &self,
        batch: &Batch,
        items: &[Item],
        records: &[(Digest, Digest)],
        cursor: Position,
        more: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    ) -> Result<(), Fault> {
        let number = batch.number.to_be_bytes();
        for (chunk, items) in (0_u32..).zip(items.chunks(CHUNK)) {
            let digests: Vec<u8> = items.iter().flat_map(|item| item.digest).collect();
            let mut changes = vec![(key(LEAVES, &[&number[..], &chunk.to_be_bytes()].concat()), Some(value(&digests)))];
            for (index, item) in (chunk * CHUNK as u32..).zip(items) {
                let place = [&number[..], &index.to_be_bytes(), &item.position.to_be_bytes(), &[item.codec]].concat();
                changes.push((key(DIGEST, &item.digest), Some(value(&place))));
            }
            self.store.put_state(changes).await?;
        }
        for records in records.chunks(CHUNK) {
            let changes = records.iter().map(|(id, message)| (key(RECORD, id), Some(value(message))));
            self.store.put_state(changes.collect()).await?;
        }
        let cursor = (CURSOR.to_vec(), Some(value(&cursor.to_be_bytes())));
        self.store.put_state([vec![(key(BATCH, &number), Some(batch.encode())), cursor], more].concat()).await
    }

    pub(super) async fn put(&self, batch: &Batch) -> Result<(), Fault> {
        let key = key(BATCH, &batch.number.to_be_bytes());
        self.store.put_state(vec![(key, Some(batch.encode()))]).await
    }

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        self.store.state(key)?.map(|bytes| Ok(content(&bytes)?.to_vec())).transpose()
    }
}

pub(super) fn key(prefix: &[u8], rest: &[u8]) -> Vec<u8> {
    [prefix, rest].concat()
}

pub(super) fn value(content: &[u8]) -> Vec<u8> {
    [&[VERSION], content].concat()
}

pub(super) fn content(bytes: &[u8]) -> Result<&[u8], Fault> {
    bytes.strip_prefix(&[VERSION]).ok_or_else(|| anyhow!("state of the anchor has a version this toft does not know"))
}

pub(super) fn array<const N: usize>(bytes: &[u8], at: usize) -> Result<[u8; N], Fault> {
    bytes.get(at..).and_then(|b| b.first_chunk()).copied().context("state of the anchor is too short")
}

fn decode(bytes: &[u8]) -> Result<Batch, Fault> {
    Batch::decode(bytes).map_err(|cause| anyhow!("a stored anchor batch cannot be read: {cause}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Config;

    fn items(range: std::ops::Range<u32>) -> Vec<Item> {
        range.map(|i| Item { digest: cid::digest(&i.to_be_bytes()), codec: 0x55, position: i.into() }).collect()
    }

    #[tokio::test]
    async fn a_batch_is_there_whole_or_not_at_all() {
        let dir = tempfile::tempdir().expect("a directory");
        let ledger = Ledger::new(Store::open(dir.path(), &Config::default()).expect("the store opens"));
        let items = items(0..5000);
        let batch = Batch::new(1, [1; 32], 5000, 0);
        ledger.close(&batch, &items, &[([7; 32], items[3].digest)], 99, vec![]).await.expect("is written");

        assert_eq!(ledger.cursor().expect("reads"), 99);
        assert_eq!(ledger.batches().expect("reads"), std::slice::from_ref(&batch));
        let digests: Vec<Digest> = items.iter().map(|i| i.digest).collect();
        assert_eq!(ledger.leaves(1).expect("reads"), digests);
        let leaf = ledger.leaf(&items[4999].digest).expect("reads").expect("is there");
        assert_eq!(leaf, Leaf { batch: 1, index: 4999, item: items[4999] });
        assert_eq!(ledger.record(&[7; 32]).expect("reads"), Some(items[3].digest));
        assert_eq!(ledger.since(5).await.expect("writes"), 5);
        assert_eq!(ledger.since(6).await.expect("reads"), 5);
    }

    #[tokio::test]
    async fn what_a_crash_left_of_a_batch_counts_for_nothing() {
        let dir = tempfile::tempdir().expect("a directory");
        let store = Store::open(dir.path(), &Config::default()).expect("the store opens");
        let ledger = Ledger::new(store.clone());
        let items = items(0..3);
        ledger.close(&Batch::new(1, [1; 32], 2, 0), &items[..2], &[], 50, vec![]).await.expect("is written");
        store.put_state(vec![(key(BATCH, &1_u64.to_be_bytes()), None)]).await.expect("is removed");
        assert_eq!(ledger.leaf(&items[0].digest).expect("reads"), None);
        ledger.close(&Batch::new(1, [2; 32], 3, 0), &items, &[], 60, vec![]).await.expect("is written");
        assert_eq!(ledger.leaf(&items[2].digest).expect("reads").expect("is there").index, 2);
        assert_eq!(ledger.leaves(1).expect("reads").len(), 3);
    }
}
