//! What waits for the next batch. In memory only: the log holds it from the saved cursor on.

use super::ledger::{Item, Ledger};
use crate::{
    cid::{self, Cid, Digest},
    dwn::Fault,
    store::{Entry, Position, Store},
};
use std::collections::HashMap;

/// Digests that wait at most, which is also the largest batch: some 100 MB of memory, three times that for the
/// moment a batch is made of it. What comes after waits in the log for the batch after.
pub(super) const QUEUE_MAX: usize = 1 << 20;
/// Log entries read in one go.
const READ: usize = 256;

#[derive(Debug, Default)]
pub(super) struct Queue {
    /// With the item's codec and position.
    items: HashMap<Digest, (u8, Position)>,
    /// Records and their newest message in the queue.
    records: HashMap<Digest, Digest>,
    /// The log is read up to here.
    next: Position,
}

/// What was queued, as a batch wants it.
#[derive(Debug)]
pub(super) struct Taken {
    /// Sorted by digest: the same log gives the same tree.
    pub items: Vec<Item>,
    pub records: Vec<(Digest, Digest)>,
    pub next: Position,
}

impl Queue {
    pub(super) fn from(next: Position) -> Self {
        Self { next, ..Self::default() }
    }

    pub(super) fn next(&self) -> Position {
        self.next
    }

    pub(super) fn len(&self) -> usize {
        self.items.len()
    }

    pub(super) fn is_full(&self) -> bool {
        // an entry brings two digests
        self.items.len() + 2 * READ > QUEUE_MAX
    }

    /// Does this CID's digest, or the newest message of the record it names, wait here?
    pub(super) fn has(&self, digest: &Digest) -> bool {
        self.items.contains_key(digest) || self.records.contains_key(digest)
    }

    pub(super) fn add(&mut self, found: Arrivals) {
        for item in found.items {
            self.items.entry(item.digest).or_insert((item.codec, item.position));
        }
        self.records.extend(found.records);
        self.next = found.next;
    }

    /// All that waits, for a batch.
    pub(super) fn all(&self) -> Taken {
        let waiting = self.items.iter();
        let mut items: Vec<Item> =
            waiting.map(|(digest, &(codec, position))| Item { digest: *digest, codec, position }).collect();
        items.sort_unstable_by_key(|item| item.digest);
        let records = self.records.iter().map(|(id, message)| (*id, *message)).collect();
        Taken { items, records, next: self.next }
    }
}

impl Taken {
    /// With digests that the log does not know. What the log brings too is the log's.
    pub(super) fn with(mut self, loose: &[Item]) -> Self {
        self.items.extend(loose);
        self.items.sort_by_key(|item| (item.digest, item.position));
        self.items.dedup_by_key(|item| item.digest);
        self
    }
}

/// What some entries of the log brought.
#[derive(Debug)]
pub(super) struct Arrivals {
    items: Vec<Item>,
    records: Vec<(Digest, Digest)>,
    next: Position,
}

/// Reads on in the log; none at its end. Blocks.
pub(super) fn read(store: &Store, ledger: &Ledger, from: Position) -> Result<Option<Arrivals>, Fault> {
    let entries = store.entries(from, READ)?;
    let mut found = Arrivals { items: Vec::new(), records: Vec::new(), next: from };
    if entries.is_empty() {
        return Ok(None);
    }
    for entry in entries {
        match entry {
            Entry::State { next, .. } => found.next = next,
            Entry::Message { position, next, cid, message, data, .. } => {
                found.next = next;
                for cid in [Some(cid), data.map(|(cid, _)| cid)].into_iter().flatten() {
                    if let Some(item) = item(&cid, position)
                        && ledger.leaf(&item.digest)?.is_none()
                    {
                        found.items.push(item);
                    }
                }
                if let (Some(id), Some(message)) = (record(&message), cid::sha256_of(&cid)) {
                    found.records.push((id, message));
                }
            }
        }
    }
    Ok(Some(found))
}

/// Only sha256 can be stamped as it is; nothing else comes from this node or the SDK.
fn item(cid: &Cid, position: Position) -> Option<Item> {
    Some(Item { digest: cid::sha256_of(cid)?, codec: u8::try_from(cid.codec()).ok()?, position })
}

/// The digest in the recordId of a RecordsWrite (which is not the CID of any message).
fn record(message: &[u8]) -> Option<Digest> {
    let message = cid::decode(message).ok()?;
    cid::sha256_of(&Cid::try_from(message.get("recordId")?.as_str()?).ok()?)
}
