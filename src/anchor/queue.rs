//! What waits for the next batch. In memory only: the log holds it from the saved cursor on.

use super::{
    found::Finder,
    ledger::Ledger,
    records,
    waiting::{Item, Sorted, Waiting},
};
use crate::{
    cid::{self, Cid, Digest},
    dwn::Fault,
    store::{Entry, Position, Store},
};
use serde::Deserialize;
use std::sync::Arc;

/// Digests that wait at most, which is also the largest batch: some 100 MB of memory, and 30 MB more for the
/// moment a batch is made of it. What comes after waits in the log for the batch after.
pub(super) const QUEUE_MAX: usize = 1 << 20;
/// Log entries read in one go.
const READ: usize = 256;
/// Digests that an entry brings at most: a message, its data, and the plain bytes of that.
const EACH: usize = 3;

#[derive(Debug, Default)]
pub(super) struct Queue {
    waiting: Arc<Waiting>,
    /// The log is read up to here.
    next: Position,
}

impl Queue {
    pub(super) fn from(next: Position) -> Self {
        Self { next, ..Self::default() }
    }

    pub(super) fn next(&self) -> Position {
        self.next
    }

    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    pub(super) fn is_full(&self) -> bool {
        self.waiting.len() + EACH * READ > QUEUE_MAX
    }

    /// Does this CID's digest, or a message of the record it names, wait here?
    pub(super) fn has(&self, digest: &Digest) -> bool {
        self.waiting.has(digest)
    }

    /// What waits under this digest.
    pub(super) fn get(&self, digest: &Digest) -> Option<Item> {
        self.waiting.get(digest)
    }

    pub(super) fn add(&mut self, found: &Arrivals) {
        let waiting = Arc::make_mut(&mut self.waiting); // shared only while a batch is made, by who adds
        found.items.iter().for_each(|item| waiting.add(item));
        found.records.iter().for_each(|(id, message)| waiting.add_record(id, message));
        self.next = found.next;
    }

    /// Something that is not in the log as it is.
    pub(super) fn add_item(&mut self, item: &Item) {
        Arc::make_mut(&mut self.waiting).add(item);
    }

    /// Nothing else waits any more, of what was read so far.
    pub(super) fn keep(&mut self, left: Waiting) {
        self.waiting = Arc::new(left);
    }

    /// All that waits, for a batch, in the order of its leaves. Blocks: some 0.2 s for a million.
    pub(super) fn sorted(&mut self) -> Sorted {
        Sorted::of(&mut self.waiting)
    }

    /// All that waits.
    pub(super) fn all(&self) -> Arc<Waiting> {
        self.waiting.clone()
    }
}

/// What some entries of the log brought.
#[derive(Debug, Default)]
pub(super) struct Arrivals {
    pub(super) items: Vec<Item>,
    pub(super) records: Vec<(Digest, Digest)>,
    /// Whose plain sha256 is not known yet.
    pub(super) files: Vec<File>,
    pub(super) next: Position,
}

/// A file of many blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct File {
    pub root: Digest,
    /// The log entry that brought it.
    pub position: Position,
}

/// Reads on in the log; none at its end. Blocks.
pub(super) fn read(store: &Store, ledger: &Ledger, finder: &Finder, from: Position) -> Result<Option<Arrivals>, Fault> {
    let entries = store.entries(from, READ)?;
    if entries.is_empty() {
        return Ok(None);
    }
    // On most nodes no record holds a proof that the ledger has not.
    let finder = if finder.tenants()?.is_empty() { None } else { Some(finder) };
    read_entries((store, ledger), finder, &entries, from).map(Some)
}

/// What of these entries is in no batch yet, nor (if records are asked) proven for good by a record of its tenant.
pub(super) fn read_entries(
    (store, ledger): (&Store, &Ledger),
    finder: Option<&Finder>,
    entries: &[Entry],
    from: Position,
) -> Result<Arrivals, Fault> {
    let mut found = Arrivals { next: from, ..Arrivals::default() };
    for entry in entries {
        found.next = entry.next();
        let Some(eligible) = Eligible::of(store, entry)? else { continue };
        let wants_one = |digest: &Digest| {
            Ok::<_, Fault>(
                ledger.leaf(digest)?.is_none()
                    && !finder.map_or(Ok(false), |finder| finder.covers(digest, eligible.tenant))?,
            )
        };
        for item in [eligible.message, eligible.data].into_iter().flatten() {
            if wants_one(&item.digest)? {
                found.items.push(item);
            }
        }
        if let Some(file) = eligible.file() {
            match ledger.whole(&file.root)? {
                None => found.files.push(file),
                Some(plain) if wants_one(&plain)? => {
                    found.items.push(Item { digest: plain, codec: cid::RAW as u8, position: file.position });
                }
                Some(_) => {}
            }
        }
        found.records.extend(eligible.record.zip(eligible.message.map(|message| message.digest)));
    }
    Ok(found)
}

/// What an entry of the log has that wants proofs.
#[derive(Debug)]
pub(super) struct Eligible<'a> {
    pub tenant: &'a str,
    pub message: Option<Item>,
    pub data: Option<Item>,
    /// The digest in the recordId of a RecordsWrite (which is not the CID of any message).
    pub record: Option<Digest>,
}

impl<'a> Eligible<'a> {
    /// None: nothing. Blocks.
    pub(super) fn of(store: &Store, entry: &'a Entry) -> Result<Option<Self>, Fault> {
        let Entry::Message { position, tenant, cid, message, data, .. } = entry else { return Ok(None) };
        let item = |cid: &Cid| {
            // Only sha256 can be stamped as it is; nothing else comes from this node or the SDK.
            Some(Item { digest: cid::sha256_of(cid)?, codec: u8::try_from(cid.codec()).ok()?, position: *position })
        };
        let is_of_proofs = || cid::decode(message).is_ok_and(|message| records::holds_proofs(&message));
        if records::may_hold_proofs(message) && is_of_proofs() {
            return Ok(None);
        }
        let said: Option<Said<'_>> = serde_ipld_dagcbor::from_slice(message).ok();
        if let Some(id) = said.as_ref().and_then(|said| said.descriptor.deletes())
            && store.view(tenant).record(id)?.is_some_and(|record| records::holds_proofs(&record.initial.message))
        {
            return Ok(None); // one would be the reason for the next, as of the proofs themselves
        }
        let record = said.and_then(|said| cid::sha256_of(&Cid::try_from(said.record_id?).ok()?));
        let data = data.as_ref().and_then(|(cid, _)| item(cid));
        Ok(Some(Self { tenant, message: item(cid), data, record }))
    }

    /// The file that the data is, if it has many blocks.
    pub(super) fn file(&self) -> Option<File> {
        let data = self.data.filter(|data| u64::from(data.codec) == cid::DAG_PB)?;
        Some(File { root: data.digest, position: data.position })
    }
}

/// What is read of a message here: all of it costs ten times as much.
#[derive(Debug, Deserialize)]
struct Said<'a> {
    #[serde(rename = "recordId")]
    record_id: Option<&'a str>,
    #[serde(borrow)]
    descriptor: Descriptor<'a>,
}

#[derive(Debug, Deserialize)]
struct Descriptor<'a> {
    interface: &'a str,
    method: &'a str,
    #[serde(rename = "recordId")]
    record_id: Option<&'a str>,
}

impl<'a> Descriptor<'a> {
    /// The record that it deletes, if it does: a RecordsDelete does not say of which protocol that is.
    fn deletes(&self) -> Option<&'a str> {
        self.record_id.filter(|_| (self.interface, self.method) == ("Records", "Delete"))
    }
}
