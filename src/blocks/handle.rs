//! The handle to the blocks: what lies where, and the bytes at a place.

use super::{
    damage::Damage,
    disk::{self, BlockFile, Disk},
    holds::Holds,
    metrics::Metrics,
    report::Usage,
};
use crate::{
    cid::{self, Cid, Digest},
    dwn::Fault,
    span::Span,
    store::{Place, Store},
};
use anyhow::Context as _;
use bytes::Bytes;
use std::{
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

#[derive(Debug, Clone, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Bytes after which a pack of small blocks is left and the next begun.
    pub pack_size: u64,
    /// How often blocks that nothing needs any more are taken away.
    pub collect_every: Span,
    /// How often everything that is kept is read and every hash checked.
    pub scrub_every: Span,
}

const HOUR: Duration = Duration::from_secs(60 * 60);

impl Default for Config {
    fn default() -> Self {
        Self { pack_size: 256 << 20, collect_every: Span(HOUR), scrub_every: Span(7 * 24 * HOUR) }
    }
}

/// Blocks and where they lie.
type Placed = Vec<(Digest, Place)>;

/// Handle to the blocks; cheap to clone.
#[derive(Debug, Clone)]
pub struct Blocks(pub(super) Arc<Inner>);

#[derive(Debug)]
pub struct Inner {
    pub(super) disk: Disk,
    pub(super) store: Store,
    pub(super) holds: Arc<Holds>,
    /// Held during a step of collection: there is one collector at a time.
    pub(super) collecting: Mutex<()>,
    pub(super) metrics: Metrics,
    /// How often a block was read and hashed.
    #[cfg(test)]
    pub(super) fetched: std::sync::atomic::AtomicU64,
}

impl Blocks {
    /// Opens the blocks in `dir` and sweeps what unfinished stages have left there.
    pub fn open(dir: &Path, config: &Config, store: Store) -> Result<Self, Fault> {
        let disk =
            Disk::open(dir, config.pack_size).with_context(|| format!("opening the blocks in {}", dir.display()))?;
        Ok(Self(Arc::new(Inner {
            disk,
            store,
            holds: Arc::default(),
            collecting: Mutex::default(),
            metrics: Metrics::default(),
            #[cfg(test)]
            fetched: Default::default(),
        })))
    }

    /// Keeps no more than so many files open while they are written; at most [`super::OPEN_MAX`].
    pub fn hold_open(&self, files: u32) {
        self.0.disk.hold_open(files);
    }

    /// Lets what the blocks count be seen.
    pub fn register(&self, registry: &mut prometheus_client::registry::Registry) {
        self.0.metrics.register(registry, self.0.store.damage());
    }

    /// What is known to be damaged.
    pub fn damage(&self) -> Damage<'_> {
        Damage(&self.0.store)
    }

    /// While the guard lives, no block file goes.
    pub(crate) fn still(&self) -> MutexGuard<'_, ()> {
        self.0.collecting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All block files and packs with their lengths; what a file's name says it hashes to.
    pub(crate) fn paths(&self) -> Result<Vec<BlockFile>, Fault> {
        self.0.disk.paths()
    }

    /// What the blocks take on disk. Walks the directories: not for a hot path.
    pub fn usage(&self) -> Result<Usage, Fault> {
        let (files, file_bytes) = self.0.disk.files()?;
        let packs = self.0.disk.packs()?;
        let pack_live = self.0.store.packs()?.values().sum();
        let pack_bytes = packs.iter().map(|(_, length)| length).sum();
        Ok(Usage { files, file_bytes, packs: packs.len() as u64, pack_bytes, pack_live })
    }

    /// At most `max` blocks of the index, in order, from this digest on, and where to go on; `None`: these were the last.
    pub(super) fn places(&self, from: &Digest, max: usize) -> Result<(Placed, Option<Digest>), Fault> {
        let found = self.0.store.places(from, max)?;
        let next = found.last().filter(|_| found.len() == max).and_then(|(last, _)| following(last));
        Ok((found, next))
    }

    pub(super) fn fetch(&self, digest: &Digest, place: Place) -> Result<Bytes, Fault> {
        let read = self.follow(digest, place, |place| self.fetch_from(digest, place));
        if let Some(read) = &read {
            self.damage().judge(digest, read);
        }
        read.unwrap_or_else(|| Err(collected(digest)))
    }

    /// Are the bytes of a block where they are said to be, as many as there should be? They are not read.
    pub(super) fn sight(&self, digest: &Digest, place: Place) -> Result<(), Fault> {
        let seen = self.follow(digest, place, |place| match place {
            Place::Log { .. } => self.fetch_from(digest, place).map(drop),
            place => {
                let name = || format!("looking for block {}", cid::from_digest(cid::RAW, digest));
                self.0.disk.look(digest, place).with_context(name)
            }
        });
        if let Some(seen @ Err(_)) = &seen {
            self.damage().judge(digest, seen);
        }
        seen.unwrap_or_else(|| Err(collected(digest)))
    }

    /// Does something with a block where it lies, and if that fails where it lies by now: collection may have moved it
    /// meanwhile. `None`: it was collected, and nothing is wrong.
    fn follow<T>(
        &self,
        digest: &Digest,
        place: Place,
        each: impl Fn(Place) -> Result<T, Fault>,
    ) -> Option<Result<T, Fault>> {
        let done = each(place);
        if done.is_ok() {
            return Some(done);
        }
        match self.0.store.place(digest) {
            Ok(Some(now)) if now != place => Some(each(now)),
            Ok(Some(_)) => Some(done),
            Ok(None) => None,
            Err(fault) => Some(Err(fault)),
        }
    }

    fn fetch_from(&self, digest: &Digest, place: Place) -> Result<Bytes, Fault> {
        #[cfg(test)]
        self.0.fetched.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        let bytes = match place {
            Place::Log { at, .. } => self.0.store.inline(at),
            place => self.0.disk.read(digest, place).map(Bytes::from),
        };
        let bytes = bytes.with_context(|| format!("reading block {}", cid::from_digest(cid::RAW, digest)))?;
        disk::verified(digest, bytes)
    }

    /// A block that will be read soon.
    pub(super) fn expect(&self, cid: &Cid) {
        if let Some(digest) = cid::sha256_of(cid)
            && let Ok(Some(place)) = self.0.store.place(&digest)
        {
            self.0.disk.expect(&digest, place);
        }
    }
}

fn collected(digest: &Digest) -> Fault {
    anyhow::anyhow!("block {} is not here any more", cid::from_digest(cid::RAW, digest))
}

/// The next digest; `None` after the last.
fn following(digest: &Digest) -> Option<Digest> {
    let mut next = *digest;
    for byte in next.iter_mut().rev() {
        let (sum, overflowed) = byte.overflowing_add(1);
        *byte = sum;
        if !overflowed {
            return Some(next);
        }
    }
    None
}
