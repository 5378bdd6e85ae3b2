//! Blocks on disk: large ones as files ([`files`]), small ones in packs ([`packs`]).
//!
//! What a crash leaves (files and pack bytes that no record names, never the other way round) is waste, which `collect`
//! takes away. Where a home has its files in the 65,536 directories of before, [`older`] moves them when it is opened.
//!
//! **The seam.** [`Disk`] is all that the rest of `blocks` asks of the place where blocks lie. They may lie elsewhere
//! one day (an object store for a host of many tenants); then this is what must be answered there:
//!
//! | for | calls | what is relied on |
//! |---|---|---|
//! | staging | `write`, `sync` | after `sync` the block can be read at its [`Place`], whatever crashes |
//! | reading | `read`, `look`, `expect` | an error if not all bytes are there; what they hash to is for the caller |
//! | collection | `names`, `remove`; `sealed`, `entry`, `remove_pack` | what was written later than it was listed stays |
//! | numbers | `files`, `packs` | |
//! | backup | `paths`, `lacks` | these are paths of this machine: elsewhere a backup copies otherwise |
//!
//! What is written is held by the caller ([`Held`]) from before `write` until the index names it.

mod dir;
mod files;
mod older;
mod packs;

use super::holds::Held;
use crate::{
    cid::{self, Digest},
    dwn::Fault,
    memory, scarce,
    store::{Place, sync_dir},
};
use anyhow::{Context as _, ensure};
use dir::{Changes, ensure_there, length};
use files::{Files, Written};
use packs::{Appended, Packs};
use std::{
    fs::File,
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
};

pub use files::{UNNAMED_MAX, digest_of};
pub use packs::{Entry, entries};

/// Blocks of at least this many bytes are files. Below, a file's inode and two fsyncs cost more than its bytes.
pub const FILE_MIN: usize = 64 << 10;

/// A file of blocks, its length, and what a block file's name says it hashes to.
pub type BlockFile = (PathBuf, u64, Option<Digest>);

#[derive(Debug)]
pub struct Disk {
    files: Files,
    packs: Packs,
    /// For a test's simulated crash.
    #[cfg(test)]
    pub changes: Changes,
}

/// What one stage has written and must make durable before a commit may name it.
#[derive(Debug, Default)]
pub struct Touched {
    files: Written,
    packs: Appended,
}

impl Disk {
    /// Opens the blocks in `dir`, sweeps what unfinished stages have left, and brings files to where they lie today.
    pub fn open(dir: &Path, pack_size: u64) -> Result<Self, Fault> {
        let disk = Self::begin(dir, pack_size)?;
        let moved = disk.files.move_older()?;
        if moved > 0 {
            tracing::info!(
                "{moved} block files have moved from blocks/files to blocks/sha256, where this toft has them"
            );
        }
        Ok(disk)
    }

    fn begin(dir: &Path, pack_size: u64) -> Result<Self, Fault> {
        let changes = Changes::default();
        let files = Files::open(dir, changes.clone())?;
        let packs = Packs::open(dir, pack_size, changes.clone())?;
        sync_dir(dir)?;
        Ok(Self {
            files,
            packs,
            #[cfg(test)]
            changes,
        })
    }

    /// Keeps no more than so many files open that are not durable yet.
    pub fn hold_open(&self, files: u32) {
        self.files.hold_open(files);
    }

    /// Writes a block that is not here yet, or is damaged here. Durable after [`Disk::sync`].
    pub fn write(&self, digest: &Digest, bytes: &[u8], touched: &mut Touched, held: &mut Held) -> Result<Place, Fault> {
        if bytes.len() >= FILE_MIN {
            self.files.write(digest, bytes, &mut touched.files)
        } else {
            self.packs.append(digest, bytes, &mut touched.packs, held)
        }
    }

    /// Makes what was written durable.
    pub fn sync(&self, mut touched: Touched) -> Result<(), Fault> {
        self.files.name_all(&mut touched.files)?;
        self.packs.sync(&touched.packs)?;
        self.files.sync_dirs(&touched.files)
    }

    /// The bytes at a place of a block, unverified; an error if they are not all there.
    pub fn read(&self, digest: &Digest, place: Place) -> Result<Vec<u8>, Fault> {
        let (path, at, len) = self.locate(digest, place)?;
        let file = scarce::patiently(|| File::open(&path)).with_context(|| format!("opening {}", path.display()))?;
        let length = file.metadata().with_context(|| format!("looking at {}", path.display()))?.len();
        // Before the memory is taken: a damaged index may say anything.
        ensure_there(&path, length, at, len)?;
        let mut bytes = memory::room(len as usize);
        bytes.resize(len as usize, 0);
        file.read_exact_at(&mut bytes, at)
            .with_context(|| format!("reading {len} bytes at {at} of {}", path.display()))?;
        Ok(bytes)
    }

    /// An error if the bytes at a place of a block are not all there.
    pub fn look(&self, digest: &Digest, place: Place) -> Result<(), Fault> {
        let (path, at, len) = self.locate(digest, place)?;
        ensure_there(&path, length(&path)?, at, len)
    }

    /// Has the disk begin to read a block that will be asked for soon. Whatever goes wrong, the reading will tell.
    pub fn expect(&self, digest: &Digest, place: Place) {
        #[cfg(target_os = "linux")]
        if let Ok((path, at, len)) = self.locate(digest, place)
            && let Ok(file) = File::open(path)
        {
            let len = std::num::NonZero::new(u64::from(len));
            let _ = rustix::fs::fadvise(&file, at, len, rustix::fs::Advice::WillNeed);
        }
    }

    fn locate(&self, digest: &Digest, place: Place) -> Result<(PathBuf, u64, u32), Fault> {
        Ok(match place {
            Place::File { len } => (self.files.path(digest), 0, len),
            Place::Pack { segment, at, len } => (self.packs.path(segment), at, len),
            Place::Log { at, .. } => anyhow::bail!("the block lies in the log at {at}, not among the block files"),
        })
    }

    /// Digests of the block files whose first byte is `first`.
    pub fn names(&self, first: u8) -> Result<Vec<Digest>, Fault> {
        self.files.names(first)
    }

    /// Deletes a block's file, if there is one; says how many bytes it had.
    pub fn remove(&self, digest: &Digest) -> Result<u64, Fault> {
        self.files.remove(digest)
    }

    /// Packs that are not written to any more, and their lengths.
    pub fn sealed(&self) -> Result<Vec<(u32, u64)>, Fault> {
        self.packs.sealed()
    }

    /// The entry at `at` of a pack; `None` at its end, or where no whole entry follows.
    pub fn entry(&self, segment: u32, at: u64) -> Result<Option<Entry>, Fault> {
        self.packs.entry(segment, at)
    }

    /// Deletes a pack; says how many bytes it had.
    pub fn remove_pack(&self, segment: u32) -> Result<u64, Fault> {
        self.packs.remove(segment)
    }

    /// Number of block files and their bytes.
    pub fn files(&self) -> Result<(u64, u64), Fault> {
        self.files.count()
    }

    /// All packs and their lengths.
    pub fn packs(&self) -> Result<Vec<(u32, u64)>, Fault> {
        self.packs.all()
    }

    /// All files with their lengths; what a block file's name says it hashes to.
    pub fn paths(&self) -> Result<Vec<BlockFile>, Fault> {
        let files = self.files.paths()?.into_iter().map(|(path, length, digest)| (path, length, Some(digest)));
        let packs = self.packs.all()?.into_iter().map(|(segment, length)| (self.packs.path(segment), length, None));
        Ok(files.chain(packs).collect())
    }

    /// Where a block's file should be, if it is not there or has not so many bytes.
    pub fn lacks(&self, digest: &Digest, len: u32) -> Option<PathBuf> {
        let path = self.files.path(digest);
        (!length(&path).is_ok_and(|found| found == u64::from(len))).then_some(path)
    }
}

/// The bytes are those of the block, or an error that names it.
pub fn verified<T: AsRef<[u8]>>(digest: &Digest, bytes: T) -> Result<T, Fault> {
    ensure!(
        cid::digest(bytes.as_ref()) == *digest,
        "block {} is damaged: {} bytes on disk hash to something else",
        cid::from_digest(cid::RAW, digest),
        bytes.as_ref().len()
    );
    Ok(bytes)
}
