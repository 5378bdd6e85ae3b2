//! Small blocks, many in a file.
//!
//! A pack is a sequence of `[length u32][digest 32][bytes][crc32c u32]`, appended to under a lock; where a block lies
//! in it stands in the index.

use super::super::holds::Held;
use super::dir::{Changes, delete, length, list};
use crate::{
    cid::Digest,
    dwn::Fault,
    scarce,
    store::{Place, sync_dir},
};
use anyhow::{Context as _, ensure};
use std::{
    fs::{self, File},
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

/// Where they lie.
const PACKS: &str = "packs";
/// Bytes around a block in a pack.
const PACK_HEAD: u64 = 4 + 32;
const PACK_FOOT: u64 = 4;

/// Where packs lie.
#[derive(Debug)]
pub struct Packs {
    dir: PathBuf,
    newest: Mutex<Option<Pack>>,
    /// Bytes after which a pack is left.
    pack_size: u64,
    changes: Changes,
}

/// Packs that one stage has written to and must make durable before a commit may name what it wrote.
#[derive(Debug, Default)]
pub struct Appended(Vec<Arc<PackFile>>);

/// A block in a pack, as the pack says.
#[derive(Debug)]
pub struct Entry {
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
pub struct PackFile {
    segment: u32,
    file: File,
    /// Making it durable has failed once. The kernel says so once, to one of those who ask, and may have dropped what
    /// the others have written: from then on the pack is durable for nobody. Held while it is asked.
    failed: Mutex<bool>,
}

impl Packs {
    /// Opens the packs below `dir`.
    pub fn open(dir: &Path, pack_size: u64, changes: Changes) -> Result<Self, Fault> {
        let dir = dir.join(PACKS);
        fs::create_dir_all(&dir).with_context(|| format!("creating {}", dir.display()))?;
        Ok(Self { dir, newest: Mutex::new(None), pack_size, changes })
    }

    /// Appends a block to the newest pack and holds that pack. Durable after [`Packs::sync`].
    pub fn append(
        &self,
        digest: &Digest,
        bytes: &[u8],
        appended: &mut Appended,
        held: &mut Held,
    ) -> Result<Place, Fault> {
        let mut entry = Vec::with_capacity(bytes.len() + 40);
        let len = u32::try_from(bytes.len())?;
        entry.extend_from_slice(&len.to_be_bytes());
        entry.extend_from_slice(digest);
        entry.extend_from_slice(bytes);
        let crc = crc32c::crc32c(&entry);
        entry.extend_from_slice(&crc.to_be_bytes());

        let mut slot = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        let pack = match slot.take() {
            Some(pack) if pack.end < self.pack_size && !pack.file.has_failed() => pack,
            Some(left) => self.new_pack(left.file.segment + 1)?,
            None => self.last_pack()?,
        };
        let pack = slot.insert(pack);
        // While the slot is locked, so that the pack cannot be left and collected before.
        held.pack(pack.file.segment);
        let at = pack.end + PACK_HEAD;
        self.changes.next()?;
        let segment = pack.file.segment;
        pack.file.file.write_all_at(&entry, pack.end).with_context(|| format!("writing pack {segment}"))?;
        pack.end += entry.len() as u64;
        if appended.0.last().is_none_or(|last| last.segment != segment) {
            appended.0.push(pack.file.clone());
        }
        Ok(Place::Pack { segment, at, len })
    }

    /// Makes what was appended durable.
    pub fn sync(&self, appended: &Appended) -> Result<(), Fault> {
        for pack in &appended.0 {
            self.changes.next()?;
            pack.sync()?;
        }
        Ok(())
    }

    /// Packs that are not written to any more, and their lengths.
    pub fn sealed(&self) -> Result<Vec<(u32, u64)>, Fault> {
        let newest = {
            let mut slot = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
            if slot.is_none() {
                *slot = Some(self.last_pack()?);
            }
            slot.as_ref().map_or(0, |pack| pack.file.segment)
        };
        let mut found: Vec<_> = self.all()?.into_iter().filter(|(segment, _)| *segment < newest).collect();
        found.sort_unstable();
        Ok(found)
    }

    /// All packs and their lengths.
    pub fn all(&self) -> Result<Vec<(u32, u64)>, Fault> {
        let mut found = Vec::new();
        for path in list(&self.dir)? {
            let number = path.file_stem().and_then(|s| s.to_str()).and_then(|s| s.parse::<u32>().ok());
            if let Some(segment) = number.filter(|_| path.extension().is_some_and(|e| e == "pack")) {
                found.push((segment, length(&path)?));
            }
        }
        Ok(found)
    }

    /// The entry at `at` of a pack; `None` at its end, or where no whole entry follows.
    pub fn entry(&self, segment: u32, at: u64) -> Result<Option<Entry>, Fault> {
        let path = self.path(segment);
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

    /// Deletes a pack; says how many bytes it had.
    pub fn remove(&self, segment: u32) -> Result<u64, Fault> {
        self.changes.next()?;
        delete(&self.path(segment))
    }

    /// The pack to continue after a start: the last one, if it ends with a whole block and has room.
    fn last_pack(&self) -> Result<Pack, Fault> {
        let Some((segment, _)) = self.all()?.into_iter().max() else { return self.new_pack(0) };
        let path = self.path(segment);
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
        let path = self.path(segment);
        let file = scarce::patiently(|| File::options().read(true).write(true).create_new(true).open(&path));
        let file = file.with_context(|| format!("creating {}", path.display()))?;
        sync_dir(&self.dir)?;
        Ok(Pack { file: PackFile::new(segment, file), end: 0 })
    }

    /// Where a pack lies.
    pub fn path(&self, segment: u32) -> PathBuf {
        self.dir.join(format!("{segment:08}.pack"))
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
