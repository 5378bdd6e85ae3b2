//! The audit log: what was done to the node that its owner may have to account for, and by whom.
//!
//! Entries are only ever appended, each chained to the one before by its hash (`entry.rs`); what matters is durable before it is answered.
//! Refusals are counted, and stand in it in sum, because strangers could fill the disk with them. No addresses are in it. Files are a month
//! each, and go when they are two years old; the log says so, and the next file's first entry follows from the last one of the file before.
//!
//! Who can write the home can write the log anew. Therefore the node signs its head every so often in a record of its own tenant, which is
//! anchored as others are: what is cut off or changed before that is seen ([`verify`]).

mod entry;
mod files;
mod started;
mod verify;
#[cfg(test)]
mod tests;

pub use entry::{Entry, What};
pub use files::Head;
pub use verify::{Report, Signed, verify};

use crate::{
    job::{Job, Moment, Wait, blocking},
    vault,
};
use anyhow::{Context as _, Error};
use files::{Walk, list, month, name, next_name};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, VecDeque},
    fmt::Display,
    fs::{self, File},
    io::Write as _,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::sync::watch;

/// The folder in the home.
pub const DIR: &str = "audit";
/// Files are kept for so long.
const KEPT: SignedDuration = SignedDuration::from_hours(2 * 366 * 24);
/// Refusals are summed up over this time; while they go on, over twice the time before, up to the second.
const SUM: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(3600));

/// The audit log of a running node. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Audit(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    dir: PathBuf,
    log: Mutex<Log>,
    refused: Mutex<BTreeMap<&'static str, u64>>,
    /// The last entry that matters, for who waits for it.
    moved: watch::Sender<u64>,
}

#[derive(Debug)]
struct Log {
    file: File,
    path: PathBuf,
    bytes: u64,
    head: Head,
    /// The last entry that matters.
    moved: u64,
}

impl Audit {
    /// Opens the log of a home, and makes it if there is none. A line that a crash has cut short is cut off; behind damage, a new file is
    /// begun, so that it can still be seen.
    pub fn open(home: &Path, now: Timestamp) -> Result<Self, Error> {
        let dir = home.join(DIR);
        vault::make_private_dir(&dir)?;
        let files = list(&dir)?;
        let mut log = match files.last() {
            None => Log::begin(&dir, &name(now), Head::default(), now, None)?,
            Some(last) => Log::resume(&dir, last, now)?,
        };
        log.drop_old(&files, now)?;
        let moved = watch::Sender::new(log.moved);
        Ok(Self(Arc::new(Inner { dir, log: Mutex::new(log), refused: Mutex::default(), moved })))
    }

    pub fn dir(&self) -> &Path {
        &self.0.dir
    }

    /// The last entry.
    pub fn head(&self) -> Head {
        self.log().head.clone()
    }

    /// The number of the last entry that says more than that the node ran.
    pub fn moved(&self) -> u64 {
        self.log().moved
    }

    /// Comes back when an entry that matters has this number or a later one.
    pub async fn moved_to(&self, n: u64) {
        // The sender lives as long as this.
        let _ = self.0.moved.subscribe().wait_for(|moved| *moved >= n).await;
    }

    /// Writes down that `who` has done something, about what (an object). Blocks until it is durable.
    pub fn write(&self, what: What, who: impl Display, about: Value) -> Result<(), Error> {
        self.write_at(what, who, about, Timestamp::now())
    }

    fn write_at(&self, what: What, who: impl Display, about: Value, now: Timestamp) -> Result<(), Error> {
        let mut log = self.log();
        log.turn(&self.0.dir, now)?;
        log.append(what, &who.to_string(), about, now)?;
        self.0.moved.send_if_modified(|moved| std::mem::replace(moved, log.moved) != log.moved);
        Ok(())
    }

    /// The same for who must not block. Where it cannot be written, the node's own log has it.
    pub async fn note(&self, what: What, who: impl Display, about: Value) -> Result<(), Error> {
        let (audit, who) = (self.clone(), who.to_string());
        let written = blocking(move || audit.write(what, who, about)).await;
        if let Err(error) = &written {
            tracing::error!("{what} is not in the audit log: {error:#}");
        }
        written
    }

    /// A call was refused for this kind of reason. It is counted, and written down in sum.
    pub fn refused(&self, kind: &'static str) {
        *self.0.refused.lock().unwrap_or_else(PoisonError::into_inner).entry(kind).or_default() += 1;
    }

    /// Writes down how many calls were refused. `false`: none.
    fn sum_up(&self) -> Result<bool, Error> {
        let sum = std::mem::take(&mut *self.0.refused.lock().unwrap_or_else(PoisonError::into_inner));
        if sum.is_empty() {
            return Ok(false);
        }
        self.write(What::Refused, "node", json!(sum))?;
        Ok(true)
    }

    /// Writes down refusals in sum, every so often, until it is to stop.
    pub async fn keep_summing_up(self, job: Job) -> Result<(), Error> {
        let mut wait = SUM.0;
        loop {
            job.awaits(Wait::Every(wait));
            if !job.sleep(wait).await {
                return Ok(());
            }
            let audit = self.clone();
            let any = job.run(blocking(move || audit.sum_up())).await;
            wait = if any == Some(false) { SUM.0 } else { (2 * wait).min(SUM.1) };
        }
    }

    /// Writes down that the node starts with these settings (by section), and if they are others than at the last start, what has changed
    /// that nobody changed through the node. Blocks.
    pub fn started(&self, version: &str, settings: &Value) -> Result<(), Error> {
        let (file, text) = (self.dir().join(started::FILE), settings.to_string());
        let last = self.newest(1, started::is_start)?.pop();
        let changed = match &last {
            None => None,
            Some(last) => {
                let is_told = |entry: &Entry| entry.n > last.n && entry.what == What::SettingsChanged.name();
                let (told, known) = (self.newest(usize::MAX, is_told)?, fs::read(&file).ok());
                started::changed(last, &told, known.as_deref(), settings)
            }
        };
        self.write(What::NodeStarted, "node", json!({"version": version, started::HASH: started::hash(&text)}))?;
        if let Some(keys) = changed {
            let how = "in node.toml, the environment or options, between two starts";
            self.write(What::SettingsChanged, "somebody", json!({"keys": keys, "how": how}))?;
        }
        started::put(&file, &text).with_context(|| format!("writing {}", file.display()))
    }

    /// Ends this run. Blocks.
    pub fn close(&self) -> Result<(), Error> {
        self.sum_up()?;
        self.write(What::NodeStopped, "node", Value::Null)
    }

    /// The newest entries that `is_wanted` picks, the newest last; `limit` at most. Blocks.
    pub fn newest(&self, limit: usize, is_wanted: impl Fn(&Entry) -> bool) -> Result<Vec<Entry>, Error> {
        newest(&self.0.dir, limit, is_wanted)
    }

    fn log(&self) -> MutexGuard<'_, Log> {
        self.0.log.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The same for a log that no node may have open.
pub fn newest(dir: &Path, limit: usize, is_wanted: impl Fn(&Entry) -> bool) -> Result<Vec<Entry>, Error> {
    let mut found = VecDeque::new();
    for path in list(dir)?.into_iter().rev() {
        let (mut here, room) = (VecDeque::new(), limit.saturating_sub(found.len()));
        Walk::default().file(&path, |entry| {
            if is_wanted(&entry) {
                here.push_back(entry);
                if here.len() > room {
                    here.pop_front();
                }
            }
        })?;
        here.append(&mut found);
        found = here;
        if found.len() >= limit {
            break;
        }
    }
    Ok(found.into())
}

/// The files of a log, the oldest first.
pub fn files(dir: &Path) -> Result<Vec<PathBuf>, Error> {
    list(dir)
}

impl Log {
    /// Begins a file that follows from `head`.
    fn begin(dir: &Path, name: &str, head: Head, now: Timestamp, behind: Option<&str>) -> Result<Self, Error> {
        use std::os::unix::fs::OpenOptionsExt as _;
        let path = dir.join(name);
        let making = || format!("making {}", path.display());
        let file = File::options().append(true).create_new(true).mode(0o600).open(&path).with_context(making)?;
        File::open(dir).and_then(|dir| dir.sync_all()).with_context(making)?;
        let mut log = Self { file, path, bytes: 0, head, moved: 0 };
        let mut about = json!({"version": files::VERSION});
        if let Some(behind) = behind {
            about["behindDamage"] = behind.into();
        }
        log.append(What::FileBegun, "node", about, now)?;
        Ok(log)
    }

    /// Goes on in the last file.
    fn resume(dir: &Path, last: &Path, now: Timestamp) -> Result<Self, Error> {
        let mut walk = Walk::default();
        let mut moved = 0;
        walk.file(last, |entry| moved = if What::matters(&entry.what) { entry.n } else { moved })?;
        let head = walk.head.clone().unwrap_or_default();
        if let Some(broken) = walk.broken.first() {
            let behind = format!("{}, line {}: {}", broken.file, broken.line, broken.why);
            tracing::error!("the audit log is damaged: {behind} (toft audit verify)");
            let name = next_name(last).context("a name for the next file of the audit log")?;
            return Self::begin(dir, &name, head, now, Some(&behind));
        }
        let opening = || format!("opening {}", last.display());
        let file = File::options().append(true).open(last).with_context(opening)?;
        let mut log = Self { file, path: last.to_owned(), bytes: walk.whole, head, moved };
        if walk.torn > 0 {
            log.file.set_len(walk.whole).and_then(|()| log.file.sync_all()).with_context(opening)?;
        }
        if walk.whole == 0 {
            // Killed between making the file and its first line: what it follows from, the file before says.
            fs::remove_file(last).with_context(opening)?;
            return match list(dir)?.last() {
                Some(before) => Self::resume(dir, before, now),
                None => Self::begin(dir, &name(now), Head::default(), now, None),
            };
        }
        if walk.torn > 0 {
            log.append(What::Mended, "node", json!({"bytes": walk.torn}), now)?;
        }
        Ok(log)
    }

    /// Begins the next file if there is a new month. A clock that was set back changes nothing.
    fn turn(&mut self, dir: &Path, now: Timestamp) -> Result<(), Error> {
        let next = name(now);
        let is_new = month(Path::new(&next)) > month(&self.path);
        if is_new {
            let moved = self.moved;
            *self = Self { moved, ..Self::begin(dir, &next, self.head.clone(), now, None)? };
            self.drop_old(&list(dir)?, now)?;
        }
        Ok(())
    }

    fn append(&mut self, what: What, who: &str, about: Value, now: Timestamp) -> Result<(), Error> {
        let (n, what, who) = (self.head.n + 1, what.name().to_owned(), crate::foreign::shown(who).to_string());
        let (about, prev) = (entry::fit(about), self.head.hash.clone());
        let mut entry = Entry { n, at: Moment(now), what, who, about, prev, hash: String::new() };
        let line = entry.line()?;
        let written = self.file.write_all(line.as_bytes()).and_then(|()| self.file.sync_data());
        if let Err(e) = written {
            // Half a line would stand before the next one. If it stays, opening cuts it off or begins behind it.
            let _ = self.file.set_len(self.bytes);
            return Err(e).with_context(|| format!("writing {}", self.path.display()));
        }
        self.bytes += line.len() as u64;
        self.head = Head { n, hash: entry.hash };
        if What::matters(&entry.what) {
            self.moved = n;
        }
        Ok(())
    }

    /// Drops files that are too old, after the log has said so.
    fn drop_old(&mut self, files: &[PathBuf], now: Timestamp) -> Result<(), Error> {
        let Ok(oldest) = now.checked_sub(KEPT) else { return Ok(()) };
        let oldest = name(oldest);
        let is_old = |path: &Path| path != self.path && month(path) < month(Path::new(&oldest));
        let old: Vec<_> = files.iter().filter(|path| is_old(path)).collect();
        for path in old {
            let mut walk = Walk::default();
            walk.file(path, |_| {})?;
            let Head { n, hash } = walk.head.unwrap_or_default();
            let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            self.append(What::FileDropped, "node", json!({"file": file, "lastN": n, "lastHash": hash}), now)?;
            fs::remove_file(path).with_context(|| format!("removing {}", path.display()))?;
        }
        Ok(())
    }
}
