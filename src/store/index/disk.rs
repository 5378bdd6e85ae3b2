//! The pages of the index on disk: the only file that names sled.
//!
//! sled 0.34.7 is not to be trusted with the only copy of anything: its `flush` is not an fsync, a flipped bit makes it
//! panic when it opens, a truncated file opens empty. So it holds only what the log can rebuild, and opening happens
//! in a thread that may panic or hang without taking the node with it. It is also slow with many small keys (each costs
//! some 20 µs, 500 bytes on the disk, and time at every opening), so it is given pages of about a hundred.

use super::{page::Page, run::Id};
use crate::dwn::Fault;
use anyhow::{Context as _, anyhow};
#[cfg(target_os = "linux")]
use rustix::fs::FallocateFlags;
use std::{
    collections::BTreeSet,
    fs::{self, File},
    os::unix::fs::MetadataExt as _,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::mpsc,
    thread,
    time::Duration,
};

/// How long sled may take to open before the index counts as damaged. A million records open in about 15 s here;
/// the hang that was seen on a truncated file never ended.
const OPEN_DEADLINE: Duration = Duration::from_secs(60);

/// Room on the disk that the index has for itself ahead of its end. sled fails for good at the first write that finds
/// none, so what the next batches will need is taken before they are decided: this much when it is less than half of it.
const ROOM: u64 = 16 << 20;

/// The foot of a run is stored in parts of this many bytes: sled keeps larger values in files that it never syncs.
const PART: usize = 32 << 10;
/// Pages that are removed at once.
const REMOVED: usize = 64;
/// Numbers of these parts, as numbers of pages.
const FOOT: u32 = 1 << 31;
/// The key of the list of runs. Those of pages have eight bytes.
const RUNS: &[u8] = b"runs";
const FORMAT: u32 = 1;

/// Bytes that sled holds.
pub type Value = sled::IVec;

#[derive(Debug)]
pub struct Disk {
    db: sled::Db,
    /// sled's one file, to take room for it.
    file: File,
    marker: PathBuf,
    /// Declared after `db`, to be dropped after it.
    _closing: Closing,
}

impl Disk {
    /// Opens the index in `dir`. An error means: damaged, set it aside.
    pub fn open(dir: &Path, cache: u64) -> Result<Self, Fault> {
        fs::create_dir_all(dir).with_context(|| format!("creating {}", dir.display()))?;
        remove_half_snapshots(dir)?;
        let file = dir.join("db");
        if let Ok(file) = File::options().write(true).open(&file) {
            // Gives the room ahead back: on a full disk, sled needs some to open.
            file.set_len(file.metadata()?.len()).context("giving back room that the index had taken")?;
        }
        let _ = fs::remove_file(closed_marker(dir));
        let (sender, receiver) = mpsc::channel();
        let path = dir.to_owned();
        thread::Builder::new().name("index-open".into()).spawn(move || {
            // Nobody listens any more if the deadline has passed; then the tree is dropped here.
            let _ = sender.send(catch_unwind(|| {
                sled::Config::new()
                    .path(path)
                    .cache_capacity(cache)
                    .mode(sled::Mode::HighThroughput)
                    .flush_every_ms(None)
                    .open()
            }));
        })?;
        let db = receiver
            .recv_timeout(OPEN_DEADLINE)
            .map_err(|_| anyhow!("sled did not open the index within {} s", OPEN_DEADLINE.as_secs()))?
            .map_err(|_| anyhow!("sled panicked while opening the index"))?
            .context("sled could not open the index")?;
        let file = File::options().write(true).open(&file).with_context(|| format!("opening {}", file.display()))?;
        Ok(Self { db, file, marker: suspect_marker(dir), _closing: Closing(dir.to_owned()) })
    }

    /// The runs that make up the index, newest first, and the number of the next. `None`: there is no index.
    pub fn runs(&self) -> Result<Option<(Vec<Id>, Id)>, Fault> {
        let Some(bytes) = self.checked(|| self.db.get(RUNS))? else { return Ok(None) };
        let mut numbers = bytes.as_chunks().0.iter().map(|four| u32::from_be_bytes(*four));
        anyhow::ensure!(numbers.next() == Some(FORMAT), "the index has another format");
        let next = numbers.next().context("the list of runs is cut off")?;
        Ok(Some((numbers.collect(), next)))
    }

    /// From now on these runs are the index: one atomic write.
    pub fn set_runs(&self, runs: &[Id], next: Id) -> Result<(), Fault> {
        let bytes: Vec<u8> = [FORMAT, next].iter().chain(runs).flat_map(|number| number.to_be_bytes()).collect();
        self.checked(|| self.db.insert(RUNS, bytes)).map(drop)
    }

    pub fn put_pages(&self, run: Id, pages: &[(u32, Vec<u8>)]) -> Result<(), Fault> {
        self.make_room()?;
        let mut batch = sled::Batch::default();
        for (n, page) in pages {
            batch.insert(key(run, *n).as_slice(), page.as_slice());
        }
        self.checked(|| self.db.apply_batch(batch))
    }

    /// A page as it was written.
    pub fn page(&self, run: Id, n: u32) -> Result<Value, Fault> {
        let found = self.checked(|| self.db.get(key(run, n)))?;
        let found = found.with_context(|| format!("page {n} of run {run} of the index is gone"));
        found.and_then(|bytes| Page::new(&bytes).map(|_| bytes.clone())).map_err(|error| self.suspect(error))
    }

    pub fn put_foot(&self, run: Id, foot: &[u8]) -> Result<(), Fault> {
        for (n, part) in (FOOT..).zip(foot.chunks(PART)) {
            self.make_room()?;
            self.checked(|| self.db.insert(key(run, n), part))?;
        }
        Ok(())
    }

    pub fn foot(&self, run: Id) -> Result<Vec<u8>, Fault> {
        let mut foot = Vec::new();
        let mut parts = self.db.range(key(run, FOOT)..=key(run, u32::MAX));
        while let Some((_, part)) = self.checked(|| parts.next().transpose())? {
            foot.extend_from_slice(&part);
        }
        Ok(foot)
    }

    /// Takes a run away.
    pub fn remove(&self, run: Id) -> Result<(), Fault> {
        let mut keys = self.db.range(key(run, 0)..=key(run, u32::MAX)).keys();
        loop {
            let mut batch = sled::Batch::default();
            let mut any = false;
            for _ in 0..REMOVED {
                let Some(key) = self.checked(|| keys.next().transpose())? else { break };
                batch.remove(key);
                any = true;
            }
            if !any {
                return Ok(());
            }
            self.checked(|| self.db.apply_batch(batch))?;
        }
    }

    /// Takes away what a crash has left of runs that are not among these.
    pub fn keep_only(&self, runs: &BTreeSet<Id>) -> Result<(), Fault> {
        let mut from = 0;
        loop {
            let next = self.checked(|| {
                self.db
                    .range(key(from, 0)..)
                    .keys()
                    .find(|key| match key {
                        Ok(key) => key.len() == 8,
                        Err(_) => true,
                    })
                    .transpose()
            })?;
            let Some(run) = next.as_ref().and_then(|key| key.first_chunk()).map(|four| Id::from_be_bytes(*four)) else {
                return Ok(());
            };
            if !runs.contains(&run) {
                self.remove(run)?;
            }
            let Some(after) = run.checked_add(1) else { return Ok(()) };
            from = after;
        }
    }

    /// Takes room on the disk for the next batches; an error if there is none. Where the file system cannot do that, the
    /// index takes its chances: what it loses is rebuilt.
    pub fn make_room(&self) -> Result<(), Fault> {
        let found = self.file.metadata().context("looking at the index")?;
        if found.blocks() * 512 >= found.len() + ROOM / 2 {
            return Ok(());
        }
        #[cfg(target_os = "linux")]
        match rustix::fs::fallocate(&self.file, FallocateFlags::KEEP_SIZE, found.len(), ROOM)
            .map_err(std::io::Error::from)
        {
            Err(error) if error.kind() == std::io::ErrorKind::Unsupported => {}
            outcome => outcome.context("taking room for the index")?,
        }
        Ok(())
    }

    /// Hands everything to the operating system.
    pub fn flush(&self) -> Result<(), Fault> {
        self.checked(|| self.db.flush()).map(drop)
    }

    /// Asks sled. If it fails or panics, which on damaged pages it does, the next start builds the index anew
    /// instead of trusting it again.
    fn checked<T>(&self, ask: impl FnOnce() -> sled::Result<T>) -> Result<T, Fault> {
        let error = match catch_unwind(AssertUnwindSafe(ask)) {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(error)) => anyhow!(error),
            Err(_) => anyhow!("sled panicked"),
        };
        Err(self.suspect(error))
    }

    /// The next start builds the index anew.
    pub fn suspect(&self, error: Fault) -> Fault {
        if fs::write(&self.marker, error.to_string()).is_err() {
            tracing::error!("cannot mark the index as damaged in {}", self.marker.display());
        }
        error.context("the index failed; restart the node and it will be rebuilt from the log")
    }
}

fn key(run: Id, n: u32) -> [u8; 8] {
    (u64::from(run) << 32 | u64::from(n)).to_be_bytes()
}

/// Notes, when sled has closed its files, how long its main file then is.
#[derive(Debug)]
struct Closing(PathBuf);

impl Drop for Closing {
    fn drop(&mut self) {
        let noted = fs::metadata(self.0.join("db"))
            .and_then(|found| fs::write(closed_marker(&self.0), found.len().to_string()));
        if let Err(error) = noted {
            tracing::warn!("cannot note that {} was closed in order: {error}", self.0.display());
        }
    }
}

/// Was the index in `dir` closed in order, and does it have the size it had then? Forgets it at once, so that the
/// answer holds for one start only.
pub fn was_closed(dir: &Path) -> bool {
    let path = closed_marker(dir);
    let Ok(said) = fs::read_to_string(&path) else { return false };
    let found = fs::metadata(dir.join("db")).map(|m| m.len().to_string());
    fs::remove_file(&path).is_ok() && found.is_ok_and(|found| found == said)
}

fn closed_marker(dir: &Path) -> PathBuf {
    dir.with_extension("closed")
}

/// The file that tells the next start that the index in `dir` has failed.
pub fn suspect_marker(dir: &Path) -> PathBuf {
    dir.with_extension("suspect")
}

/// A crash while sled wrote a snapshot leaves `snap.….generating`, and sled then refuses to open (sled #1527).
fn remove_half_snapshots(dir: &Path) -> Result<(), Fault> {
    for entry in fs::read_dir(dir).with_context(|| format!("listing {}", dir.display()))? {
        let path = entry?.path();
        if path.extension().is_some_and(|e| e == "generating") {
            fs::remove_file(&path).with_context(|| format!("removing {}", path.display()))?;
        }
    }
    Ok(())
}
