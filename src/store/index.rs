//! The index on disk: the only file that names sled.
//!
//! sled 0.34.7 is fast and not to be trusted with the only copy of anything: its `flush` is not an fsync, a
//! flipped bit makes it panic when it opens, a truncated file opens empty. So it holds only what the log can
//! rebuild, every batch carries the log position up to which it has been applied, and opening happens in a thread
//! that may panic or hang without taking the node with it.

use super::{
    Position,
    keys::{self, Kind},
    metrics::Metrics,
    pending::Changes,
    steady::Versions,
};
use crate::dwn::Fault;
use anyhow::{Context as _, anyhow};
#[cfg(target_os = "linux")]
use rustix::fs::FallocateFlags;
use std::{
    fs::{self, File},
    os::unix::fs::MetadataExt as _,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::{
        Mutex, PoisonError, RwLock, RwLockReadGuard,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

/// How long sled may take to open before the index counts as damaged. A million records open in about 15 s here;
/// the hang that was seen on a truncated file never ended.
const OPEN_DEADLINE: Duration = Duration::from_secs(60);

/// Room on the disk that the index has for itself ahead of its end. sled fails for good at the first write that finds
/// none, so what the next batches will need is taken before they are decided: this much when it is less than half of it.
const ROOM: u64 = 16 << 20;

/// Pairs that a long scan reads before it lets the writer in: some milliseconds' worth.
const STROLL: usize = 4096;

/// Key-value pairs in key order.
pub(super) type Scan<'a> = Box<dyn Iterator<Item = Result<(Vec<u8>, Vec<u8>), Fault>> + 'a>;

#[derive(Debug)]
pub(super) struct Index {
    db: sled::Db,
    /// Held for reading while a call makes several reads that must agree, for writing while a batch is applied:
    /// sled has no snapshots.
    gate: RwLock<()>,
    /// Passed by everybody on the way to the gate, and held by the writer until it is through: who lets it in and comes
    /// back at once would else be there before it.
    turnstile: Mutex<()>,
    versions: Mutex<Versions>,
    dirty: AtomicBool,
    /// Counts what is asked of the index.
    pub metrics: Metrics,
    /// sled's one file, to take room for it.
    file: File,
    marker: PathBuf,
    /// Declared after `db`, to be dropped after it.
    _closing: Closing,
}

impl Index {
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
        Ok(Self {
            db,
            file,
            gate: RwLock::new(()),
            turnstile: Mutex::new(()),
            versions: Mutex::default(),
            dirty: AtomicBool::new(false),
            metrics: Metrics::default(),
            marker: suspect_marker(dir),
            _closing: Closing(dir.to_owned()),
        })
    }

    /// While the guard lives, no batch is applied. Do not take it twice on one thread.
    pub fn steady(&self) -> RwLockReadGuard<'_, ()> {
        drop(self.turnstile.lock().unwrap_or_else(PoisonError::into_inner));
        self.gate.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        self.checked(|| self.db.get(key)).map(|value| value.map(|v| v.to_vec()))
    }

    /// Pairs with `from` ≤ key < `to`, upwards or downwards.
    pub fn scan(&self, from: &[u8], to: &[u8], reverse: bool) -> Scan<'_> {
        if from >= to {
            return Box::new(std::iter::empty());
        }
        let mut pairs = self.db.range(from..to);
        let mut ended = false;
        Box::new(std::iter::from_fn(move || {
            if ended {
                return None;
            }
            let next = self.checked(|| if reverse { pairs.next_back().transpose() } else { pairs.next().transpose() });
            ended = !matches!(next, Ok(Some(_)));
            next.map(|pair| pair.map(|(k, v)| (k.to_vec(), v.to_vec()))).transpose()
        }))
    }

    /// Calls `each` with all pairs, letting the writer in between: what it sees is no one state of the index.
    pub fn stroll(
        &self,
        from: &[u8],
        to: &[u8],
        mut each: impl FnMut(&[u8], &[u8]) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let mut from = from.to_vec();
        loop {
            let pairs: Vec<_> = {
                let _steady = self.steady();
                self.scan(&from, to, false).take(STROLL).collect::<Result<_, _>>()?
            };
            for (key, value) in &pairs {
                each(key, value)?;
            }
            match pairs.last() {
                Some((last, _)) if pairs.len() == STROLL => from = [last, [0].as_slice()].concat(),
                _ => return Ok(()),
            }
        }
    }

    /// Applies batches one after another, each atomically; who holds the index steady sees all of them or none. Not
    /// durable before [`Index::flush`], and it need not be.
    pub fn apply(&self, batches: &[Changes]) -> Result<(), Fault> {
        let mut versions = Versions::default();
        for (key, value) in batches.iter().flatten() {
            match (keys::kind(key), value) {
                (Some(Kind::Row), None) => versions.rows = 1,
                (Some(Kind::Event), None) => versions.events = 1,
                (Some(Kind::State), _) => versions.states = 1,
                _ => {}
            }
        }
        let batches: Vec<sled::Batch> = batches.iter().map(batch).collect();
        let turn = self.turnstile.lock().unwrap_or_else(PoisonError::into_inner);
        let _nobody_reads = self.gate.write().unwrap_or_else(PoisonError::into_inner);
        drop(turn);
        *self.versions.lock().unwrap_or_else(PoisonError::into_inner) += versions;
        for batch in batches {
            self.checked(|| self.db.apply_batch(batch))?;
        }
        self.dirty.store(true, Ordering::Release);
        Ok(())
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

    /// Hands what was applied to the operating system, if there is anything new.
    pub fn flush(&self) -> Result<(), Fault> {
        if self.dirty.swap(false, Ordering::AcqRel) {
            self.checked(|| self.db.flush())?;
        }
        Ok(())
    }

    /// How often what readers look at again has changed since the start. Stands still while the index is held steady.
    pub fn versions(&self) -> Versions {
        *self.versions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The log position up to which the index has been applied.
    pub fn applied(&self) -> Result<Option<Position>, Fault> {
        self.number("applied")
    }

    pub fn version(&self) -> Result<Option<u64>, Fault> {
        self.number("version")
    }

    fn number(&self, name: &str) -> Result<Option<u64>, Fault> {
        let Some(bytes) = self.get(&keys::meta(name))? else { return Ok(None) };
        Ok(Some(u64::from_be_bytes(bytes.as_slice().try_into().context("a number in the index is not 8 bytes")?)))
    }

    /// Asks sled. If it fails or panics, which on damaged pages it does, the next start builds the index anew
    /// instead of trusting it again.
    fn checked<T>(&self, ask: impl FnOnce() -> sled::Result<T>) -> Result<T, Fault> {
        let error = match catch_unwind(AssertUnwindSafe(ask)) {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(error)) => anyhow!(error),
            Err(_) => anyhow!("sled panicked"),
        };
        if fs::write(&self.marker, error.to_string()).is_err() {
            tracing::error!("cannot mark the index as damaged in {}", self.marker.display());
        }
        Err(error.context("the index failed; restart the node and it will be rebuilt from the log"))
    }
}

fn batch(changes: &Changes) -> sled::Batch {
    let mut batch = sled::Batch::default();
    for (key, value) in changes {
        match value {
            Some(value) => batch.insert(key.as_slice(), value.as_slice()),
            None => batch.remove(key.as_slice()),
        }
    }
    batch
}

impl Drop for Index {
    fn drop(&mut self) {
        if let Err(error) = self.flush() {
            tracing::error!("closing the index: {error:#}; the next start will repeat the last writes from the log");
        }
    }
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
pub(super) fn was_closed(dir: &Path) -> bool {
    let path = closed_marker(dir);
    let Ok(said) = fs::read_to_string(&path) else { return false };
    let found = fs::metadata(dir.join("db")).map(|m| m.len().to_string());
    fs::remove_file(&path).is_ok() && found.is_ok_and(|found| found == said)
}

fn closed_marker(dir: &Path) -> PathBuf {
    dir.with_extension("closed")
}

/// The file that tells the next start that the index in `dir` has failed.
pub(super) fn suspect_marker(dir: &Path) -> PathBuf {
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
