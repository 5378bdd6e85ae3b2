//! A run: entries in key order that never change, as a file of pages. What is needed to find the page of a key, and to
//! know that a key is in none, is in memory.

use super::{
    entry::{Entry, Policy, hash},
    page::{self, Builder, Chunk, Page},
    pages::{Id, Pages},
};
use crate::{scarce, store::files::sync_dir};
use anyhow::{Context as _, Error as Fault, ensure};
use std::{
    fs::{self, File},
    io::{BufWriter, Write as _},
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
    sync::Arc,
};

/// Bytes after which a page takes no more.
const PAGE: usize = 4 << 10;
/// What is written at once.
const BUFFER: usize = 128 << 10;
/// Ends a file: length of the foot (u64), its CRC-32C (u32), and this (little-endian).
const END: [u8; 4] = *b"run1";
const TRAILER: usize = 16;
/// Bits of the filter for each key: one in a hundred that is not there is looked for.
const FILTER_BITS: usize = 10;
const FILTER_HASHES: u64 = 6;

#[derive(Debug)]
pub struct Run {
    pub id: Id,
    pub entries: u64,
    /// How many of them are in the filter.
    pub sought: u64,
    fences: Fences,
    filter: Filter,
    file: File,
    pages: Arc<Pages>,
}

/// The file of a run in the index's directory.
pub fn path(dir: &Path, id: Id) -> PathBuf {
    dir.join(format!("{id:010}.run"))
}

/// The run whose file this is, if it is one.
pub fn id(path: &Path) -> Option<Id> {
    path.file_name()?.to_str()?.strip_suffix(".run")?.parse().ok()
}

impl Run {
    /// Opens a run that [`Writer`] has written.
    pub fn open(dir: &Path, id: Id, pages: &Arc<Pages>) -> Result<Self, Fault> {
        let path = path(dir, id);
        let read = || {
            let file = scarce::patiently(|| File::open(&path))?;
            let length = file.metadata()?.len();
            let mut trailer = [0; TRAILER];
            let at = length.checked_sub(TRAILER as u64).context("it is too short")?;
            file.read_exact_at(&mut trailer, at)?;
            let (size, rest) = trailer.split_first_chunk().context("its end is too short")?;
            let (sum, end) = rest.split_first_chunk().context("its end is too short")?;
            ensure!(*end == END, "its end has changed, or is of another format");
            let size = u64::from_le_bytes(*size);
            let at = at.checked_sub(size).context("its foot is longer than the file")?;
            let mut foot = vec![0; usize::try_from(size)?];
            file.read_exact_at(&mut foot, at)?;
            ensure!(crc32c::crc32c(&foot) == u32::from_le_bytes(*sum), "its foot has changed on the disk");
            Self::read(id, file, &foot, at, pages.clone())
        };
        read().with_context(|| format!("opening {}", path.display()))
    }

    fn read(id: Id, file: File, mut foot: &[u8], end: u64, pages: Arc<Pages>) -> Result<Self, Fault> {
        let (entries, sought) = (page::take(&mut foot)? as u64, page::take(&mut foot)? as u64);
        let count = page::take(&mut foot)?;
        let (mut fences, mut at) = (Fences::default(), 0_u64);
        for _ in 0..count {
            let (size, length) = (page::take(&mut foot)?, page::take(&mut foot)?);
            let (key, rest) = foot.split_at_checked(length).context("its first keys are cut off")?;
            fences.push(key, at);
            at = at.saturating_add(size as u64);
            foot = rest;
        }
        ensure!(at == end, "its pages end elsewhere");
        fences.close(at);
        Ok(Self { id, entries, sought, fences, filter: Filter(foot.to_vec()), file, pages })
    }

    /// A page as it was written.
    fn page(&self, n: usize) -> Result<Arc<[u8]>, Fault> {
        self.pages.get((self.id, n), || {
            let (at, size) = self.fences.place(n).context("there is no such page")?;
            let mut bytes: Arc<[u8]> = std::iter::repeat_n(0, size).collect();
            self.file.read_exact_at(Arc::get_mut(&mut bytes).context("a page that is new is shared")?, at)?;
            Page::new(&bytes)?;
            Ok(bytes)
        })
    }

    /// What the run says of a key; `None`: nothing. `hash`: the key's, if such keys are in the filter.
    pub fn get(&self, key: &[u8], hash: Option<u64>) -> Result<Option<Option<Vec<u8>>>, Fault> {
        if hash.is_some_and(|hash| !self.filter.may_hold(hash)) {
            return Ok(None);
        }
        let Some(n) = self.fences.count(|first| first <= key).checked_sub(1) else { return Ok(None) };
        let bytes = self.page(n)?;
        let page = Page::again(&bytes)?;
        let Some(at) = page.find(|first| first <= key)? else { return Ok(None) };
        Ok(page.value(at, key)?.map(|value| value.map(<[u8]>::to_vec)))
    }
}

/// First keys of the pages, and where the pages lie.
#[derive(Debug, Default)]
struct Fences {
    keys: Vec<u8>,
    ends: Vec<u32>,
    /// One more than there are pages, at last.
    places: Vec<u64>,
}

impl Fences {
    fn push(&mut self, key: &[u8], at: u64) {
        self.keys.extend_from_slice(key);
        self.ends.push(self.keys.len() as u32);
        self.places.push(at);
    }

    fn close(&mut self, end: u64) {
        self.places.push(end);
    }

    /// Where page `n` lies, and its size.
    fn place(&self, n: usize) -> Option<(u64, usize)> {
        let (at, end) = (*self.places.get(n)?, *self.places.get(n + 1)?);
        Some((at, usize::try_from(end.checked_sub(at)?).ok()?))
    }

    fn len(&self) -> usize {
        self.ends.len()
    }

    fn get(&self, n: usize) -> &[u8] {
        let begin = n.checked_sub(1).and_then(|before| self.ends.get(before)).map_or(0, |end| *end as usize);
        let end = self.ends.get(n).map_or(begin, |end| *end as usize);
        self.keys.get(begin..end).unwrap_or_default()
    }

    /// How many of them are `before`, if these come first.
    fn count(&self, mut before: impl FnMut(&[u8]) -> bool) -> usize {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = usize::midpoint(low, high);
            if before(self.get(middle)) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }
}

/// A Bloom filter.
#[derive(Debug)]
struct Filter(Vec<u8>);

impl Filter {
    /// For up to so many keys.
    fn new(keys: u64) -> Self {
        Self(vec![0; (usize::try_from(keys).unwrap_or(usize::MAX).saturating_mul(FILTER_BITS)).div_ceil(8).max(8)])
    }

    fn add(&mut self, hash: u64) {
        for bit in places(hash, self.0.len() as u64 * 8) {
            if let Some(byte) = self.0.get_mut(bit / 8) {
                *byte |= 1 << (bit % 8);
            }
        }
    }

    fn may_hold(&self, hash: u64) -> bool {
        let mut places = places(hash, self.0.len() as u64 * 8);
        places.all(|bit| self.0.get(bit / 8).is_some_and(|byte| byte & (1 << (bit % 8)) != 0))
    }
}

fn places(hash: u64, bits: u64) -> impl Iterator<Item = usize> {
    let (low, high) = (hash & 0xFFFF_FFFF, hash >> 32 | 1);
    (0..FILTER_HASHES).map(move |n| ((((low + n * high) & 0xFFFF_FFFF) * bits) >> 32) as usize)
}

/// Writes a run. Nobody sees it before it is named as one of the index's runs.
#[derive(Debug)]
pub struct Writer {
    path: PathBuf,
    file: BufWriter<File>,
    /// Where the next page goes.
    end: u64,
    id: Id,
    page: Builder,
    entries: u64,
    sought: u64,
    fences: Fences,
    filter: Filter,
    policy: Policy,
}

impl Writer {
    /// At most `sought` of the keys that come belong into the filter.
    pub fn new(dir: &Path, id: Id, sought: u64, policy: Policy) -> Result<Self, Fault> {
        let path = path(dir, id);
        let create = || File::options().read(true).write(true).create(true).truncate(true).open(&path);
        let file = scarce::patiently(create);
        let file = BufWriter::with_capacity(BUFFER, file.with_context(|| format!("creating {}", path.display()))?);
        let (page, fences, filter) = (Builder::default(), Fences::default(), Filter::new(sought));
        Ok(Self { path, file, end: 0, id, page, entries: 0, sought: 0, fences, filter, policy })
    }

    /// Keys come in order, each once.
    pub fn add(&mut self, entry: Entry<'_>) -> Result<(), Fault> {
        if self.page.is_empty() {
            self.fences.push(entry.0, self.end);
        }
        if !self.policy.is_ranged(entry.0) {
            self.sought += 1;
            self.filter.add(hash(entry.0));
        }
        self.entries += 1;
        self.page.add(entry);
        if self.page.len() >= PAGE { self.turn() } else { Ok(()) }
    }

    fn turn(&mut self) -> Result<(), Fault> {
        let page = self.page.finish();
        self.end += page.len() as u64;
        self.put(&page)
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        self.file.write_all(bytes).with_context(|| format!("writing {}", self.path.display()))
    }

    /// Writes the rest and makes it durable. None, if there was nothing.
    pub fn finish(mut self, pages: &Arc<Pages>) -> Result<Option<Run>, Fault> {
        if self.entries == 0 {
            return Ok(None);
        }
        if !self.page.is_empty() {
            self.turn()?;
        }
        self.fences.close(self.end);
        let mut foot = Vec::with_capacity(self.fences.keys.len() + 5 * self.fences.len() + self.filter.0.len() + 32);
        page::put(&mut foot, usize::try_from(self.entries)?);
        page::put(&mut foot, usize::try_from(self.sought)?);
        page::put(&mut foot, self.fences.len());
        for n in 0..self.fences.len() {
            page::put(&mut foot, self.fences.place(n).map_or(0, |(_, size)| size));
            page::put(&mut foot, self.fences.get(n).len());
            foot.extend_from_slice(self.fences.get(n));
        }
        foot.extend_from_slice(&self.filter.0);
        let (size, sum) = (foot.len() as u64, crc32c::crc32c(&foot));
        foot.extend_from_slice(&size.to_le_bytes());
        foot.extend_from_slice(&sum.to_le_bytes());
        foot.extend_from_slice(&END);
        self.put(&foot)?;
        let Self { path, file, id, entries, sought, fences, filter, .. } = self;
        let file = file.into_inner().map_err(|error| error.into_error());
        let file = file.with_context(|| format!("writing {}", path.display()))?;
        file.sync_data().with_context(|| format!("making {} durable", path.display()))?;
        path.parent().map_or(Ok(()), sync_dir)?;
        Ok(Some(Run { id, entries, sought, fences, filter, file, pages: pages.clone() }))
    }
}

/// Takes the file of a run away. Who reads it goes on.
pub fn remove(dir: &Path, id: Id) -> Result<(), Fault> {
    let path = path(dir, id);
    match fs::remove_file(&path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("removing {}", path.display()))
        }
        _ => Ok(()),
    }
}

/// Walks through a run.
#[derive(Debug)]
pub struct Cursor {
    run: Arc<Run>,
    /// The page that is read, and its number.
    page: Option<(usize, Arc<[u8]>)>,
    chunk_number: usize,
    chunks: usize,
    chunk: Chunk,
    at: usize,
}

impl Cursor {
    /// Stands on the first key from `from` on.
    pub fn from(run: Arc<Run>, from: &[u8]) -> Result<Self, Fault> {
        let mut cursor = Self::nowhere(run);
        let n = cursor.run.fences.count(|first| first <= from).saturating_sub(1);
        cursor.turn_to(n)?;
        let chunk = cursor.look(|page| page.find(|first| first <= from))?.flatten().unwrap_or(0);
        cursor.read(chunk)?;
        cursor.at = cursor.chunk.count(|key| key < from);
        if cursor.at == cursor.chunk.len() {
            cursor.at = cursor.at.saturating_sub(1);
            cursor.next()?;
        }
        Ok(cursor)
    }

    /// Stands on the last key before `to`.
    pub fn before(run: Arc<Run>, to: &[u8]) -> Result<Self, Fault> {
        let mut cursor = Self::nowhere(run);
        let Some(n) = cursor.run.fences.count(|first| first < to).checked_sub(1) else { return Ok(cursor) };
        cursor.turn_to(n)?;
        let chunk = cursor.look(|page| page.find(|first| first < to))?.flatten().unwrap_or(0);
        cursor.read(chunk)?;
        cursor.at = cursor.chunk.count(|key| key < to).saturating_sub(1);
        Ok(cursor)
    }

    fn nowhere(run: Arc<Run>) -> Self {
        Self { run, page: None, chunk_number: 0, chunks: 0, chunk: Chunk::default(), at: 0 }
    }

    pub fn get(&self) -> Option<Entry<'_>> {
        self.chunk.get(self.at)
    }

    pub fn next(&mut self) -> Result<(), Fault> {
        self.at += 1;
        if self.at < self.chunk.len() {
            return Ok(());
        }
        let Some((page, _)) = &self.page else { return Ok(()) };
        if self.chunk_number + 1 < self.chunks {
            return self.read(self.chunk_number + 1);
        }
        let next = page + 1;
        if next < self.run.fences.len() {
            self.turn_to(next)?;
            return self.read(0);
        }
        self.end();
        Ok(())
    }

    pub fn previous(&mut self) -> Result<(), Fault> {
        if let Some(at) = self.at.checked_sub(1) {
            self.at = at;
            return Ok(());
        }
        let Some((page, _)) = &self.page else { return Ok(()) };
        match (self.chunk_number.checked_sub(1), page.checked_sub(1)) {
            (Some(chunk), _) => self.read(chunk)?,
            (None, Some(page)) => {
                self.turn_to(page)?;
                self.read(self.chunks.saturating_sub(1))?;
            }
            (None, None) => {
                self.end();
                return Ok(());
            }
        }
        self.at = self.chunk.len().saturating_sub(1);
        Ok(())
    }

    fn end(&mut self) {
        self.chunk.clear();
        self.page = None;
    }

    fn turn_to(&mut self, n: usize) -> Result<(), Fault> {
        let bytes = self.run.page(n)?;
        self.chunks = Page::again(&bytes)?.chunks();
        self.page = Some((n, bytes));
        Ok(())
    }

    fn look<T>(&self, ask: impl FnOnce(&Page<'_>) -> Result<T, Fault>) -> Result<Option<T>, Fault> {
        let Some((_, bytes)) = &self.page else { return Ok(None) };
        Ok(Some(ask(&Page::again(bytes)?)?))
    }

    fn read(&mut self, chunk: usize) -> Result<(), Fault> {
        if let Some((_, bytes)) = &self.page {
            Page::again(bytes)?.read(chunk, &mut self.chunk)?;
        }
        (self.chunk_number, self.at) = (chunk, 0);
        Ok(())
    }
}
