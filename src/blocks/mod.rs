//! Content by CID: staging data as UnixFS blocks, reading it back, verified.
//!
//! [`Stage`] takes a stream and writes its blocks, large ones as files, small ones into packs (`disk`), before
//! anything refers to them; the commit that names them makes them part of a record and tells the index where they
//! lie. Data of up to `dwn::INLINE_MAX` bytes becomes no block on disk: it rides in the log's frame. Whatever is
//! read is hashed before it is given out; wrong bytes are an error that names the block.
//!
//! A crash between staging and commit leaves blocks that no record names, never a record without its blocks. Such
//! waste, and the blocks of data that was superseded, are taken away by the [`Collector`]; the latter are out of
//! [`Blocks::get`]'s reach from the moment their last record, or pin, lets go of them.
//!
//! Whoever wants a block says with what right ([`Right`]), and one rule says whether he may have it ([`Blocks::may`]).
//!
//! All calls may block on the disk. This module does not fetch what is not here (`net` does).

mod collect;
mod damage;
mod disk;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod holds;
mod may;
mod metrics;
mod read;
mod scrub;
mod stage;
pub mod unixfs;

#[cfg(test)]
mod tests;

use crate::{
    cid::{self, Cid, Digest},
    dwn::Fault,
    span::Span,
    store::{self, Place, Store},
};
use anyhow::Context as _;
use bytes::Bytes;
use disk::Disk;
use holds::{Held, Holds};
use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

pub use collect::{Collected, Collector};
pub use damage::{Damage, Trouble, is_damage};
pub use disk::{UNNAMED_MAX as OPEN_MAX, digest_of as named, entries};
pub use may::{Right, Source, Verdict};
pub use read::{Reader, Unread};
pub use scrub::{Fetch, Scrubbed};
pub use stage::Stage;

#[derive(Debug, Clone, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Bytes after which a pack of small blocks is left and the next begun.
    pub pack_size: u64,
    /// How often blocks that nothing needs any more are taken away.
    pub collect_every: Span,
}

/// What the blocks take on disk.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Usage {
    pub files: u64,
    pub file_bytes: u64,
    pub packs: u64,
    pub pack_bytes: u64,
    /// Of the packs' bytes, those of blocks that are in the index.
    pub pack_live: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self { pack_size: 256 << 20, collect_every: Span(Duration::from_secs(60 * 60)) }
    }
}

/// Handle to the blocks; cheap to clone.
#[derive(Debug, Clone)]
pub struct Blocks(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    disk: Disk,
    store: Store,
    holds: Arc<Holds>,
    /// Held during a step of collection: there is one collector at a time.
    collecting: Mutex<()>,
    metrics: metrics::Metrics,
}

impl Blocks {
    /// Opens the blocks in `dir` and sweeps what unfinished stages have left there.
    pub fn open(dir: &Path, config: &Config, store: Store) -> Result<Self, Fault> {
        let disk =
            Disk::open(dir, config.pack_size).with_context(|| format!("opening the blocks in {}", dir.display()))?;
        let (holds, collecting, metrics) = (Arc::default(), Mutex::default(), metrics::Metrics::default());
        Ok(Self(Arc::new(Inner { disk, store, holds, collecting, metrics })))
    }

    /// Keeps no more than so many files open while they are written; at most [`OPEN_MAX`].
    pub fn hold_open(&self, files: u32) {
        self.0.disk.hold_open(files);
    }

    /// Lets what the blocks count be seen.
    pub fn register(&self, registry: &mut prometheus_client::registry::Registry) {
        self.0.metrics.register(registry, self.0.store.damage());
    }

    /// Starts staging.
    pub fn stage(&self) -> Stage {
        Stage::new(self.clone())
    }

    /// A block that may be had with this right, its hash checked. `None`: it is not here, or not his.
    pub fn get(&self, right: Right, cid: &Cid) -> Result<Option<Bytes>, Fault> {
        self.may(right, cid)?.source().map(|source| self.bytes(cid, source)).transpose()
    }

    /// The size of a block that may be had with this right, without reading it.
    pub fn size(&self, right: Right, cid: &Cid) -> Result<Option<u64>, Fault> {
        Ok(self.may(right, cid)?.source().map(|source| length(cid, source)))
    }

    /// Holds the data under `root` as a record would; `false`: it is not here, or not the root of any data here.
    pub async fn pin(&self, root: &Cid) -> Result<bool, Fault> {
        let digest = cid::sha256_of(root).with_context(|| format!("{root} is not sha2-256"))?;
        let blocks = self.clone();
        let checked = tokio::task::spawn_blocking(move || {
            let mut held = Held::new(blocks.0.holds.clone());
            held.block(&digest);
            let is_root = blocks.0.store.block(&digest)?.is_some() && blocks.0.store.roots(&digest)?.contains(&digest);
            Ok::<_, Fault>(is_root.then_some(held))
        });
        // Held until the pin is durable.
        let Some(_held) = checked.await.context("looking for a root")?? else { return Ok(false) };
        self.0.store.put_state(vec![(pin_key(&digest), Some(root.to_bytes()))]).await?;
        Ok(true)
    }

    /// Takes a pin away; `false`: there was none.
    pub async fn unpin(&self, root: &Cid) -> Result<bool, Fault> {
        let digest = cid::sha256_of(root).with_context(|| format!("{root} is not sha2-256"))?;
        let pinned = self.0.store.state(&pin_key(&digest))?.is_some();
        if pinned {
            self.0.store.put_state(vec![(pin_key(&digest), None)]).await?;
        }
        Ok(pinned)
    }

    /// While the guard lives, no block file goes.
    pub(crate) fn still(&self) -> MutexGuard<'_, ()> {
        self.0.collecting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All block files and packs with their lengths; what a file's name says it hashes to.
    pub(crate) fn paths(&self) -> Result<Vec<(PathBuf, u64, Option<Digest>)>, Fault> {
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

    /// What is pinned.
    pub fn pins(&self) -> Result<Vec<Cid>, Fault> {
        let pins = self.0.store.states(store::PIN)?;
        pins.iter().map(|(_, root)| Cid::try_from(root.as_ref()).context("a pin's CID does not parse")).collect()
    }

    fn bytes(&self, cid: &Cid, source: Source) -> Result<Bytes, Fault> {
        match source {
            Source::Cid => Ok(Bytes::copy_from_slice(cid.hash().digest())),
            Source::Here(digest, place) => self.fetch(&digest, place),
        }
    }

    fn fetch(&self, digest: &Digest, place: Place) -> Result<Bytes, Fault> {
        let read = self.follow(digest, place, |place| self.fetch_from(digest, place));
        if let Some(read) = &read {
            self.damage().judge(digest, read);
        }
        read.unwrap_or_else(|| Err(collected(digest)))
    }

    /// Are the bytes of a block where they are said to be, as many as there should be? They are not read.
    fn sight(&self, digest: &Digest, place: Place) -> Result<(), Fault> {
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
        let bytes = match place {
            Place::Log { at, .. } => self.0.store.inline(at).map(Vec::from),
            place => self.0.disk.read(digest, place),
        };
        let bytes = bytes.with_context(|| format!("reading block {}", cid::from_digest(cid::RAW, digest)))?;
        disk::verified(digest, bytes).map(Bytes::from)
    }

    /// A block that will be read soon.
    fn expect(&self, cid: &Cid) {
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

/// Bytes of a block.
fn length(cid: &Cid, source: Source) -> u64 {
    match source {
        Source::Cid => cid.hash().digest().len() as u64,
        Source::Here(_, Place::Log { len, .. } | Place::Pack { len, .. } | Place::File { len }) => len.into(),
    }
}

/// Key of the state that is a pin.
fn pin_key(root: &Digest) -> Vec<u8> {
    [store::PIN, root.as_slice()].concat()
}
