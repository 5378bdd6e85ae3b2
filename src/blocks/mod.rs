//! Content by CID: staging data as UnixFS blocks, reading it back, verified.
//!
//! [`Stage`] takes a stream and writes its blocks, large ones as files, small ones into packs (`disk`), before
//! anything refers to them; the commit that names them makes them part of a record and tells the index where they
//! lie. Data of up to `dwn::INLINE_MAX` bytes becomes no block on disk: it rides in the log's frame. Whatever is
//! read is hashed before it is given out; wrong bytes are an error that names the block.
//!
//! A crash between staging and commit leaves blocks that no record names, never a record without its blocks. Such
//! waste, and the blocks of data that was superseded, are collected in a later issue; the latter are out of
//! [`Blocks::get`]'s reach from the moment their last record lets go of them.
//!
//! All calls may block on the disk. This module does not fetch what is not here (`net` does) and does not ask who
//! may have a block (`node` does).

mod disk;
mod stage;
pub mod unixfs;

#[cfg(test)]
mod tests;

use crate::{
    cid::{self, Cid, Digest},
    dwn::Fault,
    store::{Place, Store},
};
use anyhow::{Context as _, bail};
use bytes::Bytes;
use disk::Disk;
use std::{path::Path, sync::Arc};

pub use stage::Stage;

#[derive(Debug, Clone, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Bytes after which a pack of small blocks is left and the next begun.
    pub pack_size: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self { pack_size: 256 << 20 }
    }
}

/// Handle to the blocks; cheap to clone.
#[derive(Debug, Clone)]
pub struct Blocks(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    disk: Disk,
    store: Store,
}

impl Blocks {
    /// Opens the blocks in `dir` and sweeps what unfinished stages have left there.
    pub fn open(dir: &Path, config: &Config, store: Store) -> Result<Self, Fault> {
        let disk =
            Disk::open(dir, config.pack_size).with_context(|| format!("opening the blocks in {}", dir.display()))?;
        Ok(Self(Arc::new(Inner { disk, store })))
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
        if self.size(root)?.is_none() {
            bail!("{root} is not here: no record holds it");
        }
        Ok(Reader { blocks: self.clone(), walk: Some(unixfs::Walk::new(*root)) })
    }

    fn fetch(&self, digest: &Digest, place: Place) -> Result<Bytes, Fault> {
        let bytes = match place {
            Place::Log { at, .. } => self.0.store.inline(at).map(Vec::from),
            place => self.0.disk.read(digest, place),
        };
        let bytes = bytes.with_context(|| format!("reading block {}", cid::from_digest(cid::RAW, digest)))?;
        disk::verified(digest, bytes).map(Bytes::from)
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

/// Iterates over a file's chunks. After an error there is nothing more.
#[derive(Debug)]
pub struct Reader {
    blocks: Blocks,
    walk: Option<unixfs::Walk>,
}

impl Iterator for Reader {
    type Item = Result<Bytes, Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let walk = self.walk.as_mut()?;
            let cid = walk.wants()?;
            let taken = self
                .blocks
                .any(&cid)
                .and_then(|block| walk.take(block).with_context(|| format!("block {cid} of a file")));
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
