//! Blocks on disk: large ones as files, small ones in packs.
//!
//! A file is named by its digest: `sha256/<xx>/<base32 multihash>`, written beside (`tmp/`), made durable, then
//! renamed, so a file under its name is whole. Several are made durable at once: the file system's journal then takes
//! them together, which one by one costs a journal entry and a flush of the disk each. There are 256 directories: more
//! would be new to most files, and each new one costs a file an fsync more and 4 KiB. Where a home has its files in the
//! 65,536 directories of before, `older` moves them when it is opened. A pack is a sequence of
//! `[length u32][digest 32][bytes][crc32c u32]`, appended to under a lock; where a block lies in it stands in the index.
//! What a crash leaves (files and pack bytes that no record names, never the other way round) is waste, which `collect`
//! takes away.

mod older;

use super::holds::Held;
use crate::{
    cid::{self, Digest},
    dwn::Fault,
    memory, scarce,
    store::{Place, sync_dir},
};
use ::cid::multibase::Base;
use anyhow::{Context as _, ensure};
use std::{
    collections::{BTreeSet, HashSet},
    fs::{self, File},
    io::{self, Write as _},
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    thread::{self, JoinHandle},
};

/// Blocks of at least this many bytes are files. Below, a file's inode and two fsyncs cost more than its bytes.
pub(super) const FILE_MIN: usize = 64 << 10;
/// Where they lie: they are named by their SHA-256.
const FILES: &str = "sha256";
/// RFC 4648, lower case, no padding: as in CIDs.
const BASE32: Base = Base::Base32Lower;
/// Bytes around a block in a pack.
const PACK_HEAD: u64 = 4 + 32;
const PACK_FOOT: u64 = 4;
/// Files of one stage that are made durable together: 8 MiB of full chunks. While they are, as many more are written.
const BATCH: usize = 32;
/// Files of all stages that are open until they are durable, if the system gives as many; beyond, a stage waits for its
/// own one by one.
pub const UNNAMED_MAX: u32 = 256;
/// Threads that make the files of a stage durable.
const SYNCERS: usize = 8;
/// Directories above which the whole file system is asked to be durable, not each of them.
const DIRS_MAX: usize = 64;

#[derive(Debug)]
pub(super) struct Disk {
    dir: PathBuf,
    names: AtomicU64,
    /// Files that are written, open, and not yet under their names.
    unnamed: Arc<AtomicUsize>,
    unnamed_max: AtomicUsize,
    /// Directories of block files that are known to be there durably.
    shards: Mutex<HashSet<u8>>,
    pack: Mutex<Option<Pack>>,
    /// Bytes after which a pack is left.
    pack_size: u64,
    /// Changes to the disk until it fails for good: a test's simulated crash. Negative: never.
    #[cfg(test)]
    pub crash_in: std::sync::atomic::AtomicI64,
}

/// A block in a pack, as the pack says.
#[derive(Debug)]
pub(super) struct Entry {
    pub digest: Digest,
    pub place: Place,
    /// Where the next entry begins.
    pub next: u64,
}

/// The pack that is being written.
#[derive(Debug)]
struct Pack {
    file: Arc<PackFile>,
    end: u64,
}

#[derive(Debug)]
struct PackFile {
    segment: u32,
    file: File,
    /// Making it durable has failed once. The kernel says so once, to one of those who ask, and may have dropped what
    /// the others have written: from then on the pack is durable for nobody. Held while it is asked.
    failed: Mutex<bool>,
}

/// What one stage has written and must make durable before a commit may name it.
#[derive(Debug, Default)]
pub(super) struct Touched {
    dirs: BTreeSet<PathBuf>,
    /// Directories of block files among them that may be new.
    shards: BTreeSet<u8>,
    packs: Vec<Arc<PackFile>>,
    unnamed: Vec<Unnamed>,
    /// Files that are being made durable.
    syncing: Option<JoinHandle<io::Result<Vec<Unnamed>>>>,
}

impl Drop for Touched {
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

impl Disk {
    /// Opens the blocks in `dir`, sweeps what unfinished stages have left, and brings files to where they lie today.
    pub fn open(dir: &Path, pack_size: u64) -> Result<Self, Fault> {
        let disk = Self::begin(dir, pack_size)?;
        let moved = disk.move_older()?;
        if moved > 0 {
            tracing::info!(
                "{moved} block files have moved from blocks/files to blocks/sha256, where this toft has them"
            );
        }
        Ok(disk)
    }

    fn begin(dir: &Path, pack_size: u64) -> Result<Self, Fault> {
        for sub in [FILES, "packs", "tmp"] {
            let path = dir.join(sub);
            fs::create_dir_all(&path).with_context(|| format!("creating {}", path.display()))?;
        }
        let tmp = dir.join("tmp");
        for entry in fs::read_dir(&tmp).with_context(|| format!("listing {}", tmp.display()))? {
            let path = entry?.path();
            fs::remove_file(&path).with_context(|| format!("removing {}", path.display()))?;
        }
        sync_dir(dir)?;
        Ok(Self {
            dir: dir.to_owned(),
            names: AtomicU64::new(0),
            unnamed: Arc::default(),
            unnamed_max: AtomicUsize::new(UNNAMED_MAX as usize),
            shards: Mutex::default(),
            pack: Mutex::new(None),
            pack_size,
            #[cfg(test)]
            crash_in: std::sync::atomic::AtomicI64::new(-1),
        })
    }

    /// Keeps no more than so many files open that are not durable yet.
    pub fn hold_open(&self, files: u32) {
        self.unnamed_max.store(files.min(UNNAMED_MAX) as usize, Ordering::Relaxed);
    }

    /// Writes a block that is not here yet, or is damaged here. Durable after [`Disk::sync`].
    pub fn write(&self, digest: &Digest, bytes: &[u8], touched: &mut Touched, held: &mut Held) -> Result<Place, Fault> {
        if bytes.len() >= FILE_MIN {
            self.write_file(digest, bytes, touched)
        } else {
            self.append(digest, bytes, touched, held)
        }
    }

    /// Makes what was written durable.
    pub fn sync(&self, mut touched: Touched) -> Result<(), Fault> {
        while !touched.unnamed.is_empty() || touched.syncing.is_some() {
            self.name(&mut touched)?;
        }
        for pack in &touched.packs {
            self.change()?;
            pack.sync()?;
        }
        let dirs: Vec<_> = touched.dirs.iter().collect();
        if cfg!(target_os = "linux") && dirs.len() > DIRS_MAX {
            self.sync_all()?;
        } else {
            at_once(&dirs, |dir| sync_dir(dir))?;
        }
        self.shards.lock().unwrap_or_else(PoisonError::into_inner).extend(&touched.shards);
        Ok(())
    }

    /// Waits for the files that are being made durable and gives them their names; then begins with those that were
    /// written since.
    fn name(&self, touched: &mut Touched) -> Result<(), Fault> {
        let (begun, durable) = (std::mem::take(&mut touched.unnamed), touched.syncing.take());
        if durable.is_none() && begun.len() == 1 {
            // The one file of a write: a thread would cost more than it saves.
            return self.rename(sync_files(begun));
        }
        if !begun.is_empty() {
            touched.syncing = Some(thread::Builder::new().name("blocks-sync".into()).spawn(|| sync_files(begun))?);
        }
        durable.map_or(Ok(()), |durable| {
            self.rename(durable.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
        })
    }

    fn rename(&self, durable: io::Result<Vec<Unnamed>>) -> Result<(), Fault> {
        for Unnamed { tmp, path, .. } in &durable.context("making block files durable")? {
            self.change()?;
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
        let length = fs::metadata(&path).with_context(|| format!("looking at {}", path.display()))?.len();
        ensure_there(&path, length, at, len)
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
            Place::File { len } => (self.file(digest), 0, len),
            Place::Pack { segment, at, len } => (self.pack_path(segment), at, len),
            Place::Log { at, .. } => anyhow::bail!("the block lies in the log at {at}, not among the block files"),
        })
    }

    /// Digests of the block files whose first byte is `first`.
    pub fn names(&self, first: u8) -> Result<Vec<Digest>, Fault> {
        Ok(list(&self.shard(first))?.iter().filter_map(|path| digest_of(path)).collect())
    }

    /// Deletes a block's file, if there is one; says how many bytes it had.
    pub fn remove(&self, digest: &Digest) -> Result<u64, Fault> {
        self.change()?;
        delete(&self.file(digest))
    }

    /// Packs that are not written to any more, and their lengths.
    pub fn sealed(&self) -> Result<Vec<(u32, u64)>, Fault> {
        let newest = {
            let mut slot = self.pack.lock().unwrap_or_else(PoisonError::into_inner);
            if slot.is_none() {
                *slot = Some(self.last_pack()?);
            }
            slot.as_ref().map_or(0, |pack| pack.file.segment)
        };
        let mut found: Vec<_> = self.packs()?.into_iter().filter(|(segment, _)| *segment < newest).collect();
        found.sort_unstable();
        Ok(found)
    }

    /// All files with their lengths; what a block file's name says it hashes to.
    pub fn paths(&self) -> Result<Vec<(PathBuf, u64, Option<Digest>)>, Fault> {
        let mut found = Vec::new();
        for first in 0..=u8::MAX {
            for digest in self.names(first)? {
                let path = self.file(&digest);
                let length = fs::metadata(&path).with_context(|| format!("looking at {}", path.display()))?.len();
                found.push((path, length, Some(digest)));
            }
        }
        found.extend(self.packs()?.into_iter().map(|(segment, length)| (self.pack_path(segment), length, None)));
        Ok(found)
    }

    /// Number of block files and their bytes.
    pub fn files(&self) -> Result<(u64, u64), Fault> {
        let (mut files, mut bytes) = (0, 0);
        for digest in (0..=u8::MAX).map(|first| self.names(first)).collect::<Result<Vec<_>, _>>()?.concat() {
            files += 1;
            bytes += fs::metadata(self.file(&digest)).map_or(0, |found| found.len());
        }
        Ok((files, bytes))
    }

    /// All packs and their lengths.
    pub fn packs(&self) -> Result<Vec<(u32, u64)>, Fault> {
        let mut found = Vec::new();
        for path in list(&self.dir.join("packs"))? {
            let number = path.file_stem().and_then(|s| s.to_str()).and_then(|s| s.parse::<u32>().ok());
            if let Some(segment) = number.filter(|_| path.extension().is_some_and(|e| e == "pack")) {
                let length = fs::metadata(&path).with_context(|| format!("looking at {}", path.display()))?.len();
                found.push((segment, length));
            }
        }
        Ok(found)
    }

    /// The entry at `at` of a pack; `None` at its end, or where no whole entry follows.
    pub fn entry(&self, segment: u32, at: u64) -> Result<Option<Entry>, Fault> {
        let path = self.pack_path(segment);
        let file = scarce::patiently(|| File::open(&path)).with_context(|| format!("opening {}", path.display()))?;
        let length = file.metadata()?.len();
        if at.checked_add(PACK_HEAD + PACK_FOOT).is_none_or(|end| end > length) {
            return Ok(None);
        }
        let mut head = [0; PACK_HEAD as usize];
        file.read_exact_at(&mut head, at).with_context(|| format!("reading {}", path.display()))?;
        let (Some(len), Some(digest)) = (head.first_chunk(), head.last_chunk()) else { return Ok(None) };
        let len = u32::from_be_bytes(*len);
        let next = at + PACK_HEAD + u64::from(len) + PACK_FOOT;
        let place = Place::Pack { segment, at: at + PACK_HEAD, len };
        Ok((next <= length).then_some(Entry { digest: *digest, place, next }))
    }

    pub fn remove_pack(&self, segment: u32) -> Result<u64, Fault> {
        self.change()?;
        delete(&self.pack_path(segment))
    }

    /// Stands before every change to the disk: where a test lets it crash.
    fn change(&self) -> Result<(), Fault> {
        #[cfg(test)]
        {
            let left = self.crash_in.load(Ordering::SeqCst);
            ensure!(left != 0, "the disk has crashed");
            if left > 0 {
                self.crash_in.store(left - 1, Ordering::SeqCst);
            }
        }
        Ok(())
    }

    fn write_file(&self, digest: &Digest, bytes: &[u8], touched: &mut Touched) -> Result<Place, Fault> {
        let place = Place::File { len: u32::try_from(bytes.len())? };
        let path = self.file(digest);
        self.make_shard(digest[0], touched)?;
        // A file under its name was whole once. Is it still?
        if fs::read(&path).is_ok_and(|found| found == bytes) {
            return Ok(place);
        }
        let tmp = Tmp(self.dir.join("tmp").join(format!("{}", self.names.fetch_add(1, Ordering::Relaxed))));
        self.change()?;
        let mut file =
            scarce::patiently(|| File::create(&tmp.0)).with_context(|| format!("creating {}", tmp.0.display()))?;
        file.write_all(bytes).with_context(|| format!("writing {}", tmp.0.display()))?;
        let open = self.unnamed.fetch_add(1, Ordering::Relaxed);
        touched.unnamed.push(Unnamed { file, tmp, path, all: self.unnamed.clone() });
        if touched.unnamed.len() >= BATCH || open >= self.unnamed_max.load(Ordering::Relaxed) {
            self.name(touched)?;
        }
        Ok(place)
    }

    /// Creates `sha256/xx` if need be: all of them at the first start would take as long as the rest of it. Its entry must
    /// become durable too, whoever has made it: until this process knows that it is.
    fn make_shard(&self, first: u8, touched: &mut Touched) -> Result<(), Fault> {
        let shard = self.shard(first);
        let durable = self.shards.lock().unwrap_or_else(PoisonError::into_inner).contains(&first);
        if !durable && touched.shards.insert(first) {
            fs::create_dir_all(&shard).with_context(|| format!("creating {}", shard.display()))?;
            touched.dirs.insert(self.dir.join(FILES));
        }
        touched.dirs.insert(shard);
        Ok(())
    }

    fn append(&self, digest: &Digest, bytes: &[u8], touched: &mut Touched, held: &mut Held) -> Result<Place, Fault> {
        let mut entry = Vec::with_capacity(bytes.len() + 40);
        let len = u32::try_from(bytes.len())?;
        entry.extend_from_slice(&len.to_be_bytes());
        entry.extend_from_slice(digest);
        entry.extend_from_slice(bytes);
        let crc = crc32c::crc32c(&entry);
        entry.extend_from_slice(&crc.to_be_bytes());

        let mut slot = self.pack.lock().unwrap_or_else(PoisonError::into_inner);
        let pack = match slot.take() {
            Some(pack) if pack.end < self.pack_size && !pack.file.has_failed() => pack,
            Some(left) => self.new_pack(left.file.segment + 1)?,
            None => self.last_pack()?,
        };
        let pack = slot.insert(pack);
        // While the slot is locked, so that the pack cannot be left and collected before.
        held.pack(pack.file.segment);
        let at = pack.end + PACK_HEAD;
        self.change()?;
        let segment = pack.file.segment;
        pack.file.file.write_all_at(&entry, pack.end).with_context(|| format!("writing pack {segment}"))?;
        pack.end += entry.len() as u64;
        if touched.packs.last().is_none_or(|last| last.segment != segment) {
            touched.packs.push(pack.file.clone());
        }
        Ok(Place::Pack { segment, at, len })
    }

    /// The pack to continue after a start: the last one, if it ends with a whole block and has room.
    fn last_pack(&self) -> Result<Pack, Fault> {
        let Some((segment, _)) = self.packs()?.into_iter().max() else { return self.new_pack(0) };
        let path = self.pack_path(segment);
        let file = scarce::patiently(|| File::options().read(true).write(true).open(&path));
        let file = file.with_context(|| format!("opening {}", path.display()))?;
        let length = file.metadata()?.len();
        let whole = ends_whole(&file, length).with_context(|| format!("reading {}", path.display()))?;
        if whole && length < self.pack_size {
            return Ok(Pack { file: PackFile::new(segment, file), end: length });
        }
        self.new_pack(segment + 1)
    }

    fn new_pack(&self, segment: u32) -> Result<Pack, Fault> {
        let path = self.pack_path(segment);
        let file = scarce::patiently(|| File::options().read(true).write(true).create_new(true).open(&path));
        let file = file.with_context(|| format!("creating {}", path.display()))?;
        sync_dir(&self.dir.join("packs"))?;
        Ok(Pack { file: PackFile::new(segment, file), end: 0 })
    }

    pub fn file(&self, digest: &Digest) -> PathBuf {
        // The multihash in base32, without the CID's version and codec: one name for a block whatever names it.
        let multihash = [&[cid::SHA2_256 as u8, 32], digest.as_slice()].concat();
        self.shard(digest[0]).join(BASE32.encode(multihash))
    }

    /// Directory of the block files whose digest begins with `first`.
    fn shard(&self, first: u8) -> PathBuf {
        self.dir.join(FILES).join(hex::encode([first]))
    }

    fn pack_path(&self, segment: u32) -> PathBuf {
        self.dir.join("packs").join(format!("{segment:08}.pack"))
    }
}

impl PackFile {
    fn new(segment: u32, file: File) -> Arc<Self> {
        Arc::new(Self { segment, file, failed: Mutex::new(false) })
    }

    fn has_failed(&self) -> bool {
        *self.failed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn sync(&self) -> Result<(), Fault> {
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        ensure!(!*failed, "pack {} could not be made durable once, and is not trusted again", self.segment);
        self.file
            .sync_data()
            .inspect_err(|_| *failed = true)
            .with_context(|| format!("making pack {} durable", self.segment))
    }
}

fn ensure_there(path: &Path, length: u64, at: u64, len: u32) -> Result<(), Fault> {
    let is_there = at.checked_add(len.into()).is_some_and(|end| end <= length);
    ensure!(is_there, "{} ends before the {len} bytes at {at} that are said to be a block", path.display());
    Ok(())
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

/// What a directory holds; nothing if there is none.
fn list(dir: &Path) -> Result<Vec<PathBuf>, Fault> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error).with_context(|| format!("listing {}", dir.display())),
    };
    entries.map(|entry| Ok(entry.with_context(|| format!("listing {}", dir.display()))?.path())).collect()
}

/// Deletes a file, if it is there; says how many bytes it had.
fn delete(path: &Path) -> Result<u64, Fault> {
    let length = match fs::metadata(path) {
        Ok(found) => found.len(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(error).with_context(|| format!("looking at {}", path.display())),
    };
    fs::remove_file(path).with_context(|| format!("deleting {}", path.display()))?;
    Ok(length)
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

/// Do the lengths in a pack lead exactly to its end? Otherwise a crash has cut a block, and a new pack is begun.
fn ends_whole(file: &File, length: u64) -> Result<bool, Fault> {
    let mut at = 0;
    while at + PACK_HEAD + PACK_FOOT <= length {
        let mut len = [0; 4];
        file.read_exact_at(&mut len, at)?;
        at += PACK_HEAD + PACK_FOOT + u64::from(u32::from_be_bytes(len));
    }
    Ok(at == length)
}

/// The blocks in a pack, as its lengths lead to them: digest, where its bytes begin, how many.
pub fn entries(pack: &File) -> impl Iterator<Item = (Digest, u64, u32)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let mut head = [0; PACK_HEAD as usize];
        pack.read_exact_at(&mut head, at).ok()?;
        let (len, digest) = (u32::from_be_bytes(*head.first_chunk()?), *head.last_chunk()?);
        let begin = at + PACK_HEAD;
        at = begin + u64::from(len) + PACK_FOOT;
        Some((digest, begin, len))
    })
}

/// The bytes are those of the block, or an error that names it.
pub(super) fn verified(digest: &Digest, bytes: Vec<u8>) -> Result<Vec<u8>, Fault> {
    ensure!(
        cid::digest(&bytes) == *digest,
        "block {} is damaged: {} bytes on disk hash to something else",
        cid::from_digest(cid::RAW, digest),
        bytes.len()
    );
    Ok(bytes)
}
