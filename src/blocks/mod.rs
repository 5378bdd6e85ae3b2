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
//! All calls may block on the disk. This module does not fetch what is not here (`net` does) and does not ask who
//! may have a block (`node` does).

mod collect;
mod damage;
mod disk;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod holds;
mod metrics;
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
use anyhow::{Context as _, bail};
use bytes::Bytes;
use disk::Disk;
use holds::{Held, Holds};
use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

pub use collect::{Collected, Collector};
pub use damage::Damage;
pub use scrub::{Fetch, Scrubbed};
pub use stage::Stage;

/// Blocks of a file that the disk is asked for while the one before them is hashed and sent: 2 MiB.
const AHEAD: usize = 8;

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

    /// Lets what the blocks count be seen.
    pub fn register(&self, registry: &mut prometheus_client::registry::Registry) {
        self.0.metrics.register(registry, self.0.store.damage());
    }

    /// Starts staging.
    pub fn stage(&self) -> Stage {
        Stage::new(self.clone())
    }

    /// A block that some record holds, its hash checked. `None`: not here. A CID that holds its own bytes is
    /// answered from itself.
    pub fn get(&self, cid: &Cid) -> Result<Option<Bytes>, Fault> {
        if cid.hash().code() == cid::IDENTITY {
            return Ok(Some(Bytes::copy_from_slice(cid.hash().digest())));
        }
        let Some(digest) = cid::sha256_of(cid) else { return Ok(None) };
        self.0.store.block(&digest)?.map(|place| self.fetch(&digest, place)).transpose()
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

    /// The size of a block that some record holds, without reading it.
    pub fn size(&self, cid: &Cid) -> Result<Option<u64>, Fault> {
        if cid.hash().code() == cid::IDENTITY {
            return Ok(Some(cid.hash().digest().len() as u64));
        }
        let Some(digest) = cid::sha256_of(cid) else { return Ok(None) };
        Ok(self.0.store.block(&digest)?.map(|place| match place {
            Place::Log { len, .. } | Place::Pack { len, .. } | Place::File { len } => u64::from(len),
        }))
    }

    /// The file under a UnixFS root, chunk by chunk, each hash checked. An error if no record holds the root. Once
    /// begun, reading goes on even if the record is deleted meanwhile.
    pub fn read(&self, root: &Cid) -> Result<Reader, Fault> {
        let mut held = Held::new(self.0.holds.clone());
        if let Some(digest) = cid::sha256_of(root) {
            held.block(&digest);
        }
        if self.size(root)?.is_none() {
            bail!("{root} is not here: no record holds it");
        }
        Ok(Reader { blocks: self.clone(), walk: Some(unixfs::Walk::new(*root)), expected: 0, _held: held })
    }

    fn fetch(&self, digest: &Digest, place: Place) -> Result<Bytes, Fault> {
        let read = match self.fetch_from(digest, place) {
            Ok(bytes) => Ok(bytes),
            // Collection may have moved it in the meantime.
            Err(error) => match self.0.store.place(digest)? {
                Some(now) if now != place => self.fetch_from(digest, now),
                Some(_) => Err(error),
                // It was collected: nothing is wrong.
                None => return Err(error),
            },
        };
        self.damage().judge(digest, &read);
        read
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

    /// A block whether or not a record still holds it.
    fn any(&self, cid: &Cid) -> Result<Bytes, Fault> {
        if cid.hash().code() == cid::IDENTITY {
            return Ok(Bytes::copy_from_slice(cid.hash().digest()));
        }
        let digest = cid::sha256_of(cid).with_context(|| format!("{cid} is not sha2-256"))?;
        let place = self.0.store.place(&digest)?.with_context(|| format!("block {cid} is not here"))?;
        self.fetch(&digest, place)
    }
}

/// Key of the state that is a pin.
fn pin_key(root: &Digest) -> Vec<u8> {
    [store::PIN, root.as_slice()].concat()
}

/// Iterates over a file's chunks. After an error there is nothing more.
#[derive(Debug)]
pub struct Reader {
    blocks: Blocks,
    walk: Option<unixfs::Walk>,
    /// How many of the next blocks the disk has been told of.
    expected: usize,
    _held: Held,
}

impl Iterator for Reader {
    type Item = Result<Bytes, Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let walk = self.walk.as_mut()?;
            let cid = walk.wants()?;
            for next in walk.ahead().take(AHEAD).skip(self.expected) {
                self.blocks.expect(next);
            }
            let before = walk.ahead().count();
            let taken = self
                .blocks
                .any(&cid)
                .and_then(|block| walk.take(block).with_context(|| format!("block {cid} of a file")));
            // Children stand before what was known to be next.
            self.expected = if walk.ahead().count() < before { AHEAD - 1 } else { 0 };
            match taken {
                Ok(data) if data.is_empty() => {}
                Ok(data) => return Some(Ok(data)),
                Err(error) => {
                    self.walk = None;
                    return Some(Err(error));
                }
            }
        }
    }
}
