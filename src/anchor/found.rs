//! Proofs that records hold, by what they are of: on another device of the person, or after the ledger was lost.
//!
//! | key | value |
//! |---|---|
//! | `anchor/found` | the log position up to which records of proofs are found |
//! | `anchor/native/<digest><tenant><root>` | the log position of the record whose leaf it is |
//! | `anchor/proven/<tenant>` | nothing: some record of this tenant's holds proofs |
//!
//! `<tenant>` and `<root>` in a key are the first eight bytes of the sha256 of the DID, and of the root. What the ledger itself has is
//! not noted. Nothing is believed for being noted: a proof is read from its record and checked each time. What cannot be checked, that
//! the block at its end is one of the chain, anybody who has records here could say falsely: so each tenant's proofs stand for
//! themselves, the owner's come first, and his alone keep something out of a batch that others' messages may be in too.

use super::{
    config::Network,
    leaves::{Changes, array, content, value},
    ledger::{Ledger, key},
    native::{self, Head, Leaf, Part, Standing},
    ots::{Detached, Op, Stamp},
    records,
    waiting::Item,
};
use crate::{
    cid::{self, Cid, Digest},
    dwn::{Fault, View},
    foreign::shown,
    job::{Job, Wait, blocking},
    store::{Entry, Position, Store},
};
use serde_json::Value;
use std::{
    cmp::Reverse,
    collections::BTreeSet,
    sync::{Arc, Mutex as Kept, PoisonError},
    time::Duration,
};
use tokio::sync::{Mutex, watch};

const FOUND: &[u8] = b"anchor/found";
const NATIVE: &[u8] = b"anchor/native/";
const PROVEN: &[u8] = b"anchor/proven/";
/// First byte of every value: raised when an encoding changes.
const VERSION: u8 = 1;
/// Keys written in one step.
const STEP: usize = 4096;
/// Bytes of a tenant and of a root in a key.
const SHORT: usize = 8;
/// Log entries read in one go.
const READ: usize = 256;
/// The place in the log is written down after so many bytes without a proof.
const FAR: Position = 64 << 20;
/// Proofs of one digest that are read, of one tenant; and places that are looked at for them: of records that are gone the notes may
/// still be there.
const CANDIDATES_MAX: usize = 8;
const PLACES_MAX: usize = 64;
/// Tenants whose proofs of one digest are read.
const TENANTS_MAX: usize = 16;
/// Notes of what is gone that are remembered until they are deleted.
const DEAD_MAX: usize = 4096;
/// Bytes of a file that is made of several proofs; one has 1 KiB.
const OTS_MAX: usize = 64 << 10;
/// Earlier states of a record that are looked at for one with a proof.
const STATES_MAX: usize = 256;
/// What is written comes in bursts.
const SETTLED: Duration = Duration::from_millis(200);
/// The log tells when to look; this is for nothing else.
const EVERY: Duration = Duration::from_secs(600);

/// Proofs of one message of one tenant, and the message as DAG-CBOR.
type Proven = (Vec<Found>, Vec<u8>);

/// A proof in a record.
#[derive(Debug)]
pub(super) struct Found {
    /// Whose record it is.
    pub tenant: String,
    pub head: Head,
    pub part: Part,
    pub leaf: Leaf,
}

/// The `.ots` file that all of these give of one digest: a false one among them hides no other.
pub(super) fn ots(all: &[Found]) -> Result<Option<Vec<u8>>, Fault> {
    let Some(digest) = all.first().map(|found| found.leaf.digest) else { return Ok(None) };
    let mut stamps = Vec::new();
    for found in all.iter().filter(|found| found.leaf.digest == digest) {
        stamps.extend(found.head.stamp_of(&found.part, &found.leaf)?.map(|stamp| (stamp.bytes().len(), stamp)));
    }
    stamps.sort_by_key(|(size, _)| *size);
    let (mut whole, mut left) = (Stamp::default(), OTS_MAX);
    for (size, stamp) in stamps {
        if size <= left || whole.0.is_empty() {
            left = left.saturating_sub(size);
            whole.join(stamp);
        }
    }
    Ok((!whole.0.is_empty()).then(|| Detached { hash: Op::Sha256, digest: digest.to_vec(), stamp: whole }.write()))
}

/// Finds proofs in records. Its methods block.
#[derive(Debug, Clone)]
pub(super) struct Finder {
    store: Store,
    ledger: Ledger,
    /// Of the settings.
    network: Network,
    /// Tenants whose records are the owner's.
    believed: watch::Receiver<BTreeSet<String>>,
    /// How far the log is read, and how far of that is written down; nothing yet.
    read: Arc<Mutex<Option<(Position, Position)>>>,
    /// Keys whose record was seen to be gone.
    dead: Arc<Kept<BTreeSet<Vec<u8>>>>,
}

impl Finder {
    pub(super) fn new(
        (store, ledger): (Store, Ledger),
        network: Network,
        believed: watch::Receiver<BTreeSet<String>>,
    ) -> Self {
        Self { store, ledger, network, believed, read: Arc::default(), dead: Arc::default() }
    }

    /// The proofs of a message or data that records hold, each tenant's together, the best of them first. The owner's come first, then
    /// those of who keeps the message, then the others'.
    pub(super) fn of(&self, cid: &Cid) -> Result<Vec<Vec<Found>>, Fault> {
        let Some(digest) = cid::sha256_of(cid) else { return Ok(vec![]) };
        let noted: BTreeSet<[u8; SHORT]> =
            self.store.states(&key(NATIVE, &digest))?.iter().filter_map(|(at, _)| tenant_in(at)).collect();
        let tenants = if noted.is_empty() { vec![] } else { self.tenants()? };
        let mut ranked = Vec::new();
        for tenant in tenants.into_iter().filter(|tenant| noted.contains(&short(tenant.as_bytes()))) {
            let is_believed = self.believed.borrow().contains(&tenant);
            let keeps = cid.codec() == cid::DAG_CBOR && self.store.view(&tenant).message(cid)?.is_some();
            ranked.push((Reverse((is_believed, keeps)), tenant));
        }
        ranked.sort_unstable();
        let mut all = Vec::new();
        for (_, tenant) in ranked.into_iter().take(TENANTS_MAX) {
            all.push(self.of_tenant(&digest, &tenant)?);
        }
        all.retain(|found| !found.is_empty());
        Ok(all)
    }

    /// The proofs of a message or data that a tenant's records hold, the best first.
    fn of_tenant(&self, digest: &Digest, tenant: &str) -> Result<Vec<Found>, Fault> {
        let prefix = key(NATIVE, &[&digest[..], &short(tenant.as_bytes())].concat());
        let mut all = Vec::new();
        for (at, bytes) in self.store.states(&prefix)?.into_iter().take(PLACES_MAX) {
            match self.proof_at(position(&bytes)?, digest, tenant)? {
                Place::Proof(found) => all.push(*found),
                Place::NotYet => {}
                Place::Gone => {
                    let mut dead = self.dead.lock().unwrap_or_else(PoisonError::into_inner);
                    if dead.len() < DEAD_MAX {
                        dead.insert(at.to_vec());
                    }
                }
            }
            if all.len() == CANDIDATES_MAX {
                break;
            }
        }
        let rank =
            |head: &Head| (head.network != self.network, Reverse(head.standing()), head.blocks().first().copied());
        all.sort_by_cached_key(|found| rank(&found.head));
        Ok(all)
    }

    /// Does a record of this tenant prove it for good, in the chain of the settings? What others say of it keeps nobody from having a
    /// proof of his own.
    pub(super) fn covers(&self, digest: &Digest, tenant: &str) -> Result<bool, Fault> {
        let is_here = |head: &Head| head.network == self.network && head.genesis == native::genesis(self.network);
        let found = self.of_tenant(digest, tenant)?;
        Ok(found.iter().any(|found| found.head.standing() == Standing::Final && is_here(&found.head)))
    }

    /// Those of some items that a record of the owner's proves for good: another device may have anchored them since they came. Others may
    /// have the same message or data, and wait for a proof under the same digest: their records leave nothing out.
    pub(super) fn covered(&self, items: impl Iterator<Item = Item>) -> Result<BTreeSet<Digest>, Fault> {
        let mut covered = BTreeSet::new();
        if self.tenants()?.is_empty() {
            return Ok(covered);
        }
        for item in items {
            if self.store.states(&key(NATIVE, &item.digest))?.is_empty() {
                continue;
            }
            if let Some(Entry::Message { position, tenant, .. }) = self.store.entries(item.position, 1)?.first()
                && *position == item.position
                && self.believed.borrow().contains(tenant)
                && self.covers(&item.digest, tenant)?
            {
                covered.insert(item.digest);
            }
        }
        Ok(covered)
    }

    /// The ids of all transactions in blocks that the owner's records tell of, as people write them.
    pub(super) fn transactions(&self) -> Result<BTreeSet<String>, Fault> {
        let mut all = BTreeSet::new();
        for tenant in self.tenants()?.iter().filter(|tenant| self.believed.borrow().contains(*tenant)) {
            let heads = records::heads(&*self.store.view(tenant))?;
            all.extend(heads.iter().filter_map(|head| Some(head.transaction()?.txid.to_string())));
        }
        Ok(all)
    }

    /// Of each tenant that has such a record, the owner's first: the proofs of its newest (or its first) state that has any, and that
    /// message as DAG-CBOR.
    pub(super) fn of_record(&self, id: &str, is_first: bool) -> Result<Vec<Proven>, Fault> {
        let mut tenants = self.tenants()?;
        tenants.sort_by_cached_key(|tenant| !self.believed.borrow().contains(tenant));
        let mut all = Vec::new();
        for tenant in tenants {
            let view = self.store.view(&tenant);
            let Some(record) = view.record(id)? else { continue };
            let mut states = vec![(record.newest.cid, Value::clone(&record.newest.message))];
            let mut before = record.newest.lineage.before;
            while let Some(at) = before
                && states.len() < STATES_MAX
                && let Some(former) = self.store.former(at)?
            {
                let message = Value::clone(&former.message);
                states.push((cid::of_json(&message)?.0, message));
                before = former.before;
            }
            states.push((record.initial.cid, Value::clone(&record.initial.message)));
            if is_first {
                states.reverse();
            }
            for (cid, message) in states {
                let found = cid::sha256_of(&cid).map_or(Ok(vec![]), |digest| self.of_tenant(&digest, &tenant))?;
                if !found.is_empty() {
                    all.push((found, cid::encode(&message)?));
                    break;
                }
            }
            if all.len() == TENANTS_MAX {
                break;
            }
        }
        Ok(all)
    }

    /// A message as DAG-CBOR, as a tenant keeps it.
    pub(super) fn message(&self, tenant: &str, cid: &Cid) -> Result<Option<Vec<u8>>, Fault> {
        let stored = self.store.view(tenant).message(cid)?;
        Ok(stored.map(|stored| cid::encode(&stored.message)).transpose()?)
    }

    /// Tenants with records of proofs.
    pub(super) fn tenants(&self) -> Result<Vec<String>, Fault> {
        let keys = self.store.states(PROVEN)?;
        keys.iter().map(|(key, _)| Ok(String::from_utf8(key[PROVEN.len()..].to_vec())?)).collect()
    }

    fn proof_at(&self, position: Position, digest: &Digest, tenant: &str) -> Result<Place, Fault> {
        let entry = self.store.entries(position, 1)?.into_iter().next();
        let Some(Entry::Message { position: at, tenant: named, cid, .. }) = entry else { return Ok(Place::Gone) };
        if at != position || named != tenant {
            return Ok(Place::Gone); // compaction has taken it: the record is gone
        }
        let view = self.store.view(tenant);
        let part = match part(&*view, &cid)? {
            Some(Ok(part)) => part,
            Some(Err(_)) => return Ok(Place::Gone), // it was read once, and what is read now is another
            None if view.message(&cid)?.is_none() => return Ok(Place::Gone),
            None => return Ok(Place::NotYet),
        };
        let Some(leaf) = part.leaf(digest).copied() else { return Ok(Place::Gone) };
        let head = records::head(&*view, &part.root)?.and_then(|kept| kept.head);
        let head = head.filter(|head| !head.attestations.is_empty() && head.size == part.size);
        Ok(match head {
            Some(head) => Place::Proof(Box::new(Found { tenant: tenant.to_owned(), head, part, leaf })),
            None => Place::NotYet,
        })
    }
}

/// What is where a proof was noted.
enum Place {
    Proof(Box<Found>),
    /// Nobody has said yet how its root came into the chain; or its data is elsewhere.
    NotYet,
    Gone,
}

/// Follows the log and notes which record has the proof of what. Until it is to stop.
pub(super) async fn keep_finding(finder: Finder, job: Job) -> Result<(), Fault> {
    job.awaits(Wait::LogOr(EVERY));
    let mut tail = finder.store.tail();
    loop {
        tail.borrow_and_update();
        job.run(finder.read_on()).await;
        tokio::select! {
            goes_on = job.sleep(EVERY) => if !goes_on { return Ok(()) },
            grew = tail.changed() => if grew.is_err() || !job.sleep(SETTLED).await { return Ok(()) },
        }
    }
}

impl Finder {
    /// Reads the log to its end. Several may ask for it: what one has read the next one does not read again.
    pub(super) async fn read_on(&self) -> Result<(), Fault> {
        let mut read = self.read.lock().await;
        let (mut at, mut noted) = match *read {
            Some(read) => read,
            None => {
                let noted = self.store.state(FOUND)?.map_or(Ok(0), |bytes| position(&bytes))?;
                (noted, noted)
            }
        };
        loop {
            let this = self.clone();
            let (next, changes) = blocking(move || this.look(at)).await?;
            if next == at {
                return self.clear().await;
            }
            if !changes.is_empty() || next - noted > FAR {
                self.note(changes, next).await?;
                noted = next;
            }
            at = next;
            *read = Some((at, noted));
        }
    }

    /// From the beginning, and nothing is noted any more, when the log is read next.
    pub(super) async fn forget(&self) -> Result<(), Fault> {
        let mut read = self.read.lock().await;
        *read = None;
        self.store.put_state(vec![(FOUND.to_vec(), None)]).await?;
        for prefix in [NATIVE, PROVEN] {
            let store = self.store.clone();
            let noted = blocking(move || store.states(prefix)).await?;
            self.delete(noted.into_iter().map(|(key, _)| key.to_vec())).await?;
        }
        Ok(())
    }

    /// Deletes notes of what was seen to be gone.
    async fn clear(&self) -> Result<(), Fault> {
        let dead = std::mem::take(&mut *self.dead.lock().unwrap_or_else(PoisonError::into_inner));
        self.delete(dead.into_iter()).await
    }

    async fn delete(&self, keys: impl Iterator<Item = Vec<u8>>) -> Result<(), Fault> {
        let changes: Changes = keys.map(|key| (key, None)).collect();
        for some in changes.chunks(STEP) {
            self.store.put_state(some.to_vec()).await?;
        }
        Ok(())
    }

    async fn note(&self, changes: Changes, at: Position) -> Result<(), Fault> {
        for some in changes.chunks(STEP) {
            self.store.put_state(some.to_vec()).await?;
        }
        self.store.put_state(vec![(FOUND.to_vec(), Some(value(VERSION, &at.to_be_bytes())))]).await
    }

    /// What some entries of the log say, and where to read on.
    fn look(&self, from: Position) -> Result<(Position, Changes), Fault> {
        let (mut next, mut changes) = (from, Vec::new());
        for entry in self.store.entries(from, READ)? {
            next = entry.next();
            let Entry::Message { position, tenant, cid, message, .. } = entry else { continue };
            if !is_part(&message) {
                continue;
            }
            match part(&*self.store.view(&tenant), &cid)? {
                Some(Ok(part)) if !self.has(&part)? => {
                    let rest = [&short(tenant.as_bytes())[..], &part.root[..SHORT]].concat();
                    changes.push((key(PROVEN, tenant.as_bytes()), Some(value(VERSION, &[]))));
                    changes.extend(part.leaves().iter().map(|leaf| {
                        let key = key(NATIVE, &[&leaf.digest[..], &rest].concat());
                        (key, Some(value(VERSION, &position.to_be_bytes())))
                    }));
                }
                Some(Err(why)) if self.believed.borrow().contains(&tenant) => {
                    tracing::warn!("a record of proofs of {} cannot be read: {why}", shown(&tenant));
                }
                // Others may write there what they like, and as often.
                Some(Err(why)) => tracing::debug!("a record of proofs of {} cannot be read: {why}", shown(&tenant)),
                _ => {}
            }
        }
        Ok((next, changes))
    }

    /// Has the ledger this batch itself?
    fn has(&self, part: &Part) -> Result<bool, Fault> {
        let Some(leaf) = part.leaves().first() else { return Ok(true) };
        let Some(leaf) = self.ledger.leaf(&leaf.digest)? else { return Ok(false) };
        Ok(self.ledger.batch(leaf.batch)?.is_some_and(|batch| batch.root == part.root))
    }
}

/// Is this message, as DAG-CBOR, one with leaves?
pub(super) fn is_part(message: &[u8]) -> bool {
    records::may_hold_proofs(message)
        && cid::decode(message).is_ok_and(|message| records::path_of(&message) == Some(records::LEAVES))
}

/// The leaves of a record, if its data is here.
pub(super) fn part(view: &dyn View, cid: &Cid) -> Result<Option<Result<Part, native::Error>>, Fault> {
    let Some(stored) = view.message(cid)? else { return Ok(None) };
    Ok(view.inline_data(&stored)?.map(|data| Part::read(&data)))
}

fn position(bytes: &[u8]) -> Result<Position, Fault> {
    Ok(Position::from_be_bytes(array(content(bytes, VERSION)?, 0)?))
}

/// The tenant in a key.
fn tenant_in(key: &[u8]) -> Option<[u8; SHORT]> {
    key.get(NATIVE.len() + size_of::<Digest>()..)?.first_chunk().copied()
}

fn short(bytes: &[u8]) -> [u8; SHORT] {
    let digest = cid::digest(bytes);
    *digest.first_chunk().expect("a sha256 has more bytes")
}
