//! Large blocks: files named by their digests.
//!
//! A file is `sha256/<xx>/<base32 multihash>`, written beside (`tmp/`), made durable, then renamed, so a file under its
//! name is whole. Several are made durable at once: the file system's journal then takes them together, which one by
//! one costs a journal entry and a flush of the disk each. There are 256 directories: more would be new to most files,
//! and each new one costs a file an fsync more and 4 KiB.

use super::dir::{Changes, delete, length, list};
use crate::{
    cid::{self, Digest},
    dwn::Fault,
    scarce,
    store::{Place, sync_dir},
};
use ::cid::multibase::Base;
use anyhow::Context as _;
use std::{
    collections::{BTreeSet, HashSet},
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    thread::{self, JoinHandle},
};

/// Where they lie: they are named by their SHA-256.
pub(super) const FILES: &str = "sha256";
/// Where they are written before they have their names.
const TMP: &str = "tmp";
/// RFC 4648, lower case, no padding: as in CIDs.
const BASE32: Base = Base::Base32Lower;
/// Files of one stage that are made durable together: 8 MiB of full chunks. While they are, as many more are written.
const BATCH: usize = 32;
/// Files of all stages that are open until they are durable, if the system gives as many; beyond, a stage waits for its
/// own one by one.
pub const UNNAMED_MAX: u32 = 256;
/// Threads that make the files of a stage durable.
const SYNCERS: usize = 8;
/// Directories above which the whole file system is asked to be durable, not each of them.
const DIRS_MAX: usize = 64;

/// Where block files lie.
#[derive(Debug)]
pub struct Files {
    pub(super) dir: PathBuf,
    names: AtomicU64,
    /// Files that are written, open, and not yet under their names.
    unnamed: Arc<AtomicUsize>,
    unnamed_max: AtomicUsize,
    /// Directories of block files that are known to be there durably.
    shards: Mutex<HashSet<u8>>,
    pub(super) changes: Changes,
}

/// Files that one stage has written and must make durable before a commit may name them.
#[derive(Debug, Default)]
pub struct Written {
    dirs: BTreeSet<PathBuf>,
    /// Directories of block files among them that may be new.
    shards: BTreeSet<u8>,
    unnamed: Vec<Unnamed>,
    /// Files that are being made durable.
    syncing: Option<JoinHandle<io::Result<Vec<Unnamed>>>>,
}

impl Drop for Written {
    /// What was not made durable leaves nothing behind when this returns.
    fn drop(&mut self) {
        if let Some(syncing) = self.syncing.take() {
            drop(syncing.join());
        }
    }
}

/// A block file that is written, not yet durable, and not yet under its name.
#[derive(Debug)]
struct Unnamed {
    file: File,
    tmp: Tmp,
    path: PathBuf,
    all: Arc<AtomicUsize>,
}

impl Drop for Unnamed {
    fn drop(&mut self) {
        self.all.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Files {
    /// Opens the files below `dir` and sweeps what unfinished stages have left.
    pub fn open(dir: &Path, changes: Changes) -> Result<Self, Fault> {
        for sub in [FILES, TMP] {
            let path = dir.join(sub);
            fs::create_dir_all(&path).with_context(|| format!("creating {}", path.display()))?;
        }
        let tmp = dir.join(TMP);
        for entry in fs::read_dir(&tmp).with_context(|| format!("listing {}", tmp.display()))? {
            let path = entry?.path();
            fs::remove_file(&path).with_context(|| format!("removing {}", path.display()))?;
        }
        Ok(Self {
            dir: dir.to_owned(),
            names: AtomicU64::new(0),
            unnamed: Arc::default(),
            unnamed_max: AtomicUsize::new(UNNAMED_MAX as usize),
            shards: Mutex::default(),
            changes,
        })
    }

    /// Keeps no more than so many files open that are not durable yet.
    pub fn hold_open(&self, files: u32) {
        self.unnamed_max.store(files.min(UNNAMED_MAX) as usize, Ordering::Relaxed);
    }

    /// Writes a block that is not here yet, or is damaged here. Durable after [`Files::name_all`] and [`Files::sync_dirs`].
    pub fn write(&self, digest: &Digest, bytes: &[u8], written: &mut Written) -> Result<Place, Fault> {
        let place = Place::File { len: u32::try_from(bytes.len())? };
        let path = self.path(digest);
        self.make_shard(digest[0], written)?;
        // A file under its name was whole once. Is it still?
        if fs::read(&path).is_ok_and(|found| found == bytes) {
            return Ok(place);
        }
        let tmp = Tmp(self.dir.join(TMP).join(format!("{}", self.names.fetch_add(1, Ordering::Relaxed))));
        self.changes.next()?;
        let mut file =
            scarce::patiently(|| File::create(&tmp.0)).with_context(|| format!("creating {}", tmp.0.display()))?;
        file.write_all(bytes).with_context(|| format!("writing {}", tmp.0.display()))?;
        let open = self.unnamed.fetch_add(1, Ordering::Relaxed);
        written.unnamed.push(Unnamed { file, tmp, path, all: self.unnamed.clone() });
        if written.unnamed.len() >= BATCH || open >= self.unnamed_max.load(Ordering::Relaxed) {
            self.name(written)?;
        }
        Ok(place)
    }

    /// Makes what was written durable, under its names.
    pub fn name_all(&self, written: &mut Written) -> Result<(), Fault> {
        while !written.unnamed.is_empty() || written.syncing.is_some() {
            self.name(written)?;
        }
        Ok(())
    }

    /// Makes the names durable.
    pub fn sync_dirs(&self, written: &Written) -> Result<(), Fault> {
        let dirs: Vec<_> = written.dirs.iter().collect();
        if cfg!(target_os = "linux") && dirs.len() > DIRS_MAX {
            self.sync_all()?;
        } else {
            at_once(&dirs, |dir| sync_dir(dir))?;
        }
        self.shards.lock().unwrap_or_else(PoisonError::into_inner).extend(&written.shards);
        Ok(())
    }

    /// Waits for the files that are being made durable and gives them their names; then begins with those that were
    /// written since.
    fn name(&self, written: &mut Written) -> Result<(), Fault> {
        let (begun, durable) = (std::mem::take(&mut written.unnamed), written.syncing.take());
        if durable.is_none() && begun.len() == 1 {
            // The one file of a write: a thread would cost more than it saves.
            return self.rename(sync_files(begun));
        }
        if !begun.is_empty() {
            written.syncing = Some(thread::Builder::new().name("blocks-sync".into()).spawn(|| sync_files(begun))?);
        }
        durable.map_or(Ok(()), |durable| {
            self.rename(durable.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
        })
    }

    fn rename(&self, durable: io::Result<Vec<Unnamed>>) -> Result<(), Fault> {
        for Unnamed { tmp, path, .. } in &durable.context("making block files durable")? {
            self.changes.next()?;
            fs::rename(&tmp.0, path).with_context(|| format!("renaming a block to {}", path.display()))?;
        }
        Ok(())
    }

    /// Makes everything on the file system durable: one wait, where the many directories of a large file would be many.
    fn sync_all(&self) -> Result<(), Fault> {
        let dir =
            scarce::patiently(|| File::open(&self.dir)).with_context(|| format!("opening {}", self.dir.display()))?;
        #[cfg(target_os = "linux")]
        rustix::fs::syncfs(&dir)
            .with_context(|| format!("making the file system of {} durable", self.dir.display()))?;
        drop(dir);
        Ok(())
    }

    /// Creates `sha256/xx` if need be: all of them at the first start would take as long as the rest of it. Its entry must
    /// become durable too, whoever has made it: until this process knows that it is.
    pub(super) fn make_shard(&self, first: u8, written: &mut Written) -> Result<(), Fault> {
        let shard = self.shard(first);
        let durable = self.shards.lock().unwrap_or_else(PoisonError::into_inner).contains(&first);
        if !durable && written.shards.insert(first) {
            fs::create_dir_all(&shard).with_context(|| format!("creating {}", shard.display()))?;
            written.dirs.insert(self.dir.join(FILES));
        }
        written.dirs.insert(shard);
        Ok(())
    }

    /// Digests of the block files whose first byte is `first`.
    pub fn names(&self, first: u8) -> Result<Vec<Digest>, Fault> {
        Ok(list(&self.shard(first))?.iter().filter_map(|path| digest_of(path)).collect())
    }

    /// Deletes a block's file, if there is one; says how many bytes it had.
    pub fn remove(&self, digest: &Digest) -> Result<u64, Fault> {
        self.changes.next()?;
        delete(&self.path(digest))
    }

    /// All block files: the path, its length, the block.
    pub fn paths(&self) -> Result<Vec<(PathBuf, u64, Digest)>, Fault> {
        let mut found = Vec::new();
        for first in 0..=u8::MAX {
            for digest in self.names(first)? {
                let path = self.path(&digest);
                let length = length(&path)?;
                found.push((path, length, digest));
            }
        }
        Ok(found)
    }

    /// Number of block files and their bytes.
    pub fn count(&self) -> Result<(u64, u64), Fault> {
        let (mut files, mut bytes) = (0, 0);
        for digest in (0..=u8::MAX).map(|first| self.names(first)).collect::<Result<Vec<_>, _>>()?.concat() {
            files += 1;
            bytes += length(&self.path(&digest)).unwrap_or(0);
        }
        Ok((files, bytes))
    }

    /// Where the file of a block lies, or would lie.
    pub fn path(&self, digest: &Digest) -> PathBuf {
        // The multihash in base32, without the CID's version and codec: one name for a block whatever names it.
        let multihash = [&[cid::SHA2_256 as u8, 32], digest.as_slice()].concat();
        self.shard(digest[0]).join(BASE32.encode(multihash))
    }

    /// Directory of the block files whose digest begins with `first`.
    pub(super) fn shard(&self, first: u8) -> PathBuf {
        self.dir.join(FILES).join(hex::encode([first]))
    }
}

/// Makes files durable, several at once.
fn sync_files(files: Vec<Unnamed>) -> io::Result<Vec<Unnamed>> {
    at_once(&files, |unnamed| unnamed.file.sync_data())?;
    Ok(files)
}

/// Does something with each, by several threads; the first error, if there is one.
fn at_once<T: Sync, E: Send>(items: &[T], each: impl Fn(&T) -> Result<(), E> + Sync) -> Result<(), E> {
    let next = AtomicUsize::new(0);
    let work = || {
        while let Some(item) = items.get(next.fetch_add(1, Ordering::Relaxed)) {
            each(item)?;
        }
        Ok(())
    };
    thread::scope(|scope| {
        // Fewer, if the system has no more threads to give.
        let help = |_| thread::Builder::new().spawn_scoped(scope, work).ok();
        let others: Vec<_> = (1..SYNCERS.min(items.len())).map_while(help).collect();
        others.into_iter().fold(work(), |outcome: Result<(), E>, other| {
            outcome.and(other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
        })
    })
}

/// The digest that a block file is named by.
pub fn digest_of(path: &Path) -> Option<Digest> {
    let name = path.file_name()?.to_str()?;
    let multihash = BASE32.decode(name).ok()?;
    multihash.strip_prefix(&[cid::SHA2_256 as u8, 32])?.try_into().ok()
}

/// A temporary file, removed if it has not been renamed.
#[derive(Debug)]
struct Tmp(PathBuf);

impl Drop for Tmp {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.0)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            tracing::warn!("cannot remove {}: {error}", self.0.display());
        }
    }
}
