//! sled holds the small key spaces of the index and the list of its runs. Only this file names sled.
//!
//! sled 0.34.7 is not to be trusted with the only copy of anything: its `flush` is not an fsync, a flipped bit makes it
//! panic when it opens, a truncated file opens empty. So it holds only what the log can rebuild, and opening happens
//! in a thread that may panic or hang without taking the node with it. With many keys it is slow: each costs some
//! 20 µs, 500 bytes on the disk, and time at every opening. Large values it writes many times over. So large key
//! spaces are stored in sorted runs ([`super::run`]).

use super::{
    entry::{Changes, Scan},
    pages::Id,
    suspect::Suspect,
};
use crate::scarce;
use anyhow::{Context as _, Error as Fault, anyhow};
#[cfg(target_os = "linux")]
use rustix::fs::FallocateFlags;
use std::{
    fs::{self, File},
    os::unix::fs::MetadataExt as _,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::{Arc, mpsc},
    thread,
    time::Duration,
};

/// How long sled may take to open before the index counts as damaged. With a million records it takes less than 2 s here;
/// the hang that was seen on a truncated file never ended.
const OPEN_DEADLINE: Duration = Duration::from_secs(60);

/// Bytes that sled may keep in memory: what is small is often asked for.
const CACHE: u64 = 16 << 20;

/// Room on the disk that the index has for itself ahead of its end. sled fails for good at the first write that finds
/// none, so what the next batches will need is taken before they are decided: this much when it is less than half of it.
const ROOM: u64 = 16 << 20;

/// The key of the list of runs, beyond all keys of the index.
const RUNS: &[u8] = b"\xFFruns";
const FORMAT: u32 = 1;

#[derive(Debug)]
pub struct Disk {
    db: sled::Db,
    /// sled's one file, to take room for it.
    file: File,
    suspect: Suspect,
    /// Declared after `db`, to be dropped after it.
    _closing: Closing,
}

impl Disk {
    /// Opens the index in `dir`. An error means: damaged, set it aside.
    pub fn open(dir: &Path) -> Result<Self, Fault> {
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
                    .cache_capacity(CACHE)
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
        Ok(Self { db, file, suspect: Suspect::new(dir), _closing: Closing(dir.to_owned()) })
    }

    /// The runs that make up the index, newest first, and the number of the next. `None`: there is no index.
    pub fn runs(&self) -> Result<Option<(Vec<Id>, Id)>, Fault> {
        let Some(bytes) = self.checked(|| self.db.get(RUNS))? else { return Ok(None) };
        let mut numbers = bytes.as_chunks().0.iter().map(|four| u32::from_be_bytes(*four));
        anyhow::ensure!(numbers.next() == Some(FORMAT), "the index has another format");
        let next = numbers.next().context("the list of runs is cut off")?;
        Ok(Some((numbers.collect(), next)))
    }

    /// From now on these runs are the index, with these changes: one atomic write.
    pub fn set(&self, runs: &[Id], next: Id, changes: Changes) -> Result<(), Fault> {
        let bytes: Vec<u8> = [FORMAT, next].iter().chain(runs).flat_map(|number| number.to_be_bytes()).collect();
        let mut batch = sled::Batch::default();
        batch.insert(RUNS, bytes);
        for (key, value) in changes {
            match value {
                Some(value) => batch.insert(key, value),
                None => batch.remove(key),
            }
        }
        self.checked(|| self.db.apply_batch(batch))
    }

    pub fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        self.checked(|| self.db.get(key)).map(|value| value.map(|value| value.to_vec()))
    }

    /// Pairs with `from` ≤ key < `to`, upwards or downwards.
    pub fn scan(self: &Arc<Self>, from: &[u8], to: &[u8], reverse: bool) -> Scan<'static> {
        let to = to.min(RUNS);
        if from >= to {
            return Box::new(std::iter::empty());
        }
        let (disk, mut pairs) = (self.clone(), self.db.range(from..to));
        Box::new(std::iter::from_fn(move || {
            let next = disk.checked(|| if reverse { pairs.next_back().transpose() } else { pairs.next().transpose() });
            next.map(|pair| pair.map(|(key, value)| (key.to_vec(), value.to_vec()))).transpose()
        }))
    }

    /// Takes room on the disk for the next batches; an error if there is none. Where the file system cannot do that, the
    /// index takes its chances: what it loses is rebuilt.
    pub fn make_room(&self) -> Result<(), Fault> {
        let found = self.file.metadata().context("looking at the index")?;
        if found.blocks() * 512 >= found.len() + ROOM / 2 {
            return Ok(());
        }
        #[cfg(target_os = "linux")]
        let take = || rustix::fs::fallocate(&self.file, FallocateFlags::KEEP_SIZE, found.len(), ROOM);
        #[cfg(target_os = "linux")]
        match scarce::patiently(|| take().map_err(std::io::Error::from)) {
            Err(error) if error.kind() == std::io::ErrorKind::Unsupported => {}
            outcome => outcome.context("taking room for the index")?,
        }
        Ok(())
    }

    /// Makes everything durable.
    pub fn flush(&self) -> Result<(), Fault> {
        self.checked(|| self.db.flush())?;
        // sled asks the operating system to write; that is not to say that it has.
        self.file.sync_data().context("making the index durable")
    }

    /// Asks sled. If it fails or panics, which on damaged pages it does, the next start builds the index anew
    /// instead of trusting it again.
    fn checked<T>(&self, ask: impl FnOnce() -> sled::Result<T>) -> Result<T, Fault> {
        let error = match catch_unwind(AssertUnwindSafe(ask)) {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(sled::Error::Io(error))) => anyhow!(error),
            Ok(Err(error)) => anyhow!(error),
            Err(_) => anyhow!("sled panicked"),
        };
        Err(self.suspect.mark(error))
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
pub fn was_closed(dir: &Path) -> bool {
    let path = closed_marker(dir);
    let Ok(said) = fs::read_to_string(&path) else { return false };
    let found = fs::metadata(dir.join("db")).map(|m| m.len().to_string());
    fs::remove_file(&path).is_ok() && found.is_ok_and(|found| found == said)
}

fn closed_marker(dir: &Path) -> PathBuf {
    dir.with_extension("closed")
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
