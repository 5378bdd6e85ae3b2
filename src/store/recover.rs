//! Opening: the log is checked, the index is made to agree with it.
//!
//! An index that is missing, damaged or ahead of the log is set aside, one of another version deleted, and built again; one
//! that is behind gets the rest of the log. Whatever was lost of the log is said, in the operator's log and in
//! [`Health`], and nothing after it is thrown away.

use super::{
    config::Config,
    damaged::Object,
    health::Health,
    log::{Appender, Damage, Log, Read, Tail},
    lsm,
    place::Position,
    rows::{
        batch::IndexBatch,
        index::Index,
        keys,
        row::{self, Stats},
    },
    space,
};
use crate::{dwn::Fault, scarce};
use anyhow::{Context as _, anyhow, ensure};
use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

/// Frames applied to the index in one batch while it is rebuilt.
const BATCH_MAX: usize = 64;
/// Bytes of messages in one such batch.
const BATCH_BYTES: u64 = 8 << 20;
/// Bytes of the log that are applied before a store counts as open: what a crash under load leaves takes some seconds.
pub const SHORT: u64 = if cfg!(test) { 4 << 20 } else { 32 << 20 };
/// How the names of indexes that were set aside begin.
pub const ASIDE: &str = "index.damaged-";

/// The store's parts. They agree with one another when the rest is done.
pub struct Opened {
    pub log: Log,
    pub appender: Appender,
    pub index: Index,
    pub end: Position,
    pub rest: Rest,
}

/// What of the log the index does not have yet.
#[derive(Debug, Clone, Copy)]
pub struct Rest {
    pub from: Position,
    pub to: Position,
    /// Where the next group begins: behind a gap, if acknowledged bytes are missing at the log's end.
    end: Position,
}

pub fn open(dir: &Path, config: &Config, health: &Arc<Health>) -> Result<Opened, Fault> {
    let (log, tail) = Log::open(&dir.join("log"), health.clone())?;
    tail.damage.iter().for_each(|damage| health.degrade(damage.to_string()));
    let index_dir = dir.join("index");
    let index = match usable(&index_dir, config.cache)? {
        Some(index) => Some(index),
        None => {
            set_aside(&index_dir)?;
            None
        }
    };
    let applied = index.as_ref().map(Index::applied).transpose()?.flatten().unwrap_or(0);
    let lost = applied > tail.end;
    if lost {
        health.degrade(format!(
            "the log ends at {}, but {applied} bytes of it had been written and acknowledged: what came after is lost \
             unless a peer or a backup has it",
            tail.end
        ));
        keep_remains(&dir.join("log"), &log, &tail)?;
    } else if tail.torn > 0 {
        tracing::warn!("cut {} bytes from the log's end: a write that was never acknowledged", tail.torn);
    }
    let mut appender = Appender::open(log.clone(), tail.end, config.segment_size)?;
    let index = if lost {
        drop(index);
        set_aside(&index_dir)?;
        // Positions that were given out are not given out again: followers keep them.
        appender.skip_to(applied);
        None
    } else {
        index
    };
    let index = match index {
        Some(index) => index,
        None => Index::open(&index_dir, config.cache).context("a fresh index does not open")?,
    };
    let end = tail.end.max(applied);
    let rest = Rest { from: if lost { 0 } else { applied }, to: tail.end, end };
    Ok(Opened { log, appender, index, end, rest })
}

/// Makes the index agree with the log. `reached` hears after every batch how far it is, and what is counted there; if it
/// says `false`, the rest is left for the next start, and so is the answer.
pub fn finish(
    rest: Rest,
    (index, log): (&Index, &Log),
    health: &Health,
    mut reached: impl FnMut(Position, Stats) -> bool,
) -> Result<bool, Fault> {
    // A long way needs room that the index has not taken yet. Where sled finds none it fails for good.
    let (long, mut full) = (rest.to.saturating_sub(rest.from) > SHORT, None);
    let reached = |at: Position, stats: Stats| {
        full = if long { index.make_room().err().filter(space::is_full) } else { None };
        full.is_none() && reached(at, stats)
    };
    if !replay((index, log), rest.from, rest.to, health, reached)? {
        let say =
            |error: Fault| error.context("the disk is too full to build the index: make some room and start again");
        return full.map_or(Ok(false), |error| Err(say(error)));
    }
    if index.applied()? != Some(rest.end) {
        // An empty log, or a gap at its end.
        let batch = IndexBatch::new(index, log)?;
        index.apply(batch.finish(rest.end).0)?;
    }
    match index.flush() {
        // What was applied stays in memory until there is room.
        Err(error) if rest.from > 0 && space::is_full(&error) => tracing::warn!("{error:#}"),
        outcome => outcome?,
    }
    Ok(true)
}

/// The index, if it opens and can be believed.
fn usable(dir: &Path, cache: u64) -> Result<Option<Index>, Fault> {
    let marker = lsm::suspect_marker(dir);
    if marker.exists() {
        tracing::warn!("the index failed while the node ran last: it is built again from the log");
        set_aside(dir)?;
        fs::remove_file(&marker).with_context(|| format!("removing {}", marker.display()))?;
        return Ok(None);
    }
    if !dir.exists() {
        return Ok(None);
    }
    let clean = lsm::was_closed(dir);
    match Index::open(dir, cache).and_then(|index| believe(&index, clean).map(|believed| believed.then_some(index))) {
        Ok(Some(index)) => Ok(Some(index)),
        // Nothing is wrong with it that anybody would want to look at.
        Ok(None) => {
            fs::remove_dir_all(dir).with_context(|| format!("deleting {}", dir.display()))?;
            Ok(None)
        }
        // Nothing is wrong with it, and a new one would need more room.
        Err(error) if space::is_full(&error) => {
            Err(error.context("the disk is too full to open the index: make some room and start again"))
        }
        Err(error) if scarce::is_scarcity(&error) => {
            Err(error.context("the index cannot be opened now, and nothing is wrong with it: start again"))
        }
        Err(error) => {
            tracing::error!("the index is built again from the log: {error:#}");
            Ok(None)
        }
    }
}

/// Does the index hold what it says it holds? Only counted through when it was not closed in order. `false`: another
/// version of toft built it.
fn believe(index: &Index, clean: bool) -> Result<bool, Fault> {
    let version = index.version()?.context("it is empty")?;
    if version != row::VERSION {
        tracing::warn!(
            "the index has version {version}, this toft builds {}: it is built again from the log",
            row::VERSION
        );
        return Ok(false);
    }
    if clean {
        return Ok(true);
    }
    let stats = index.get(&keys::meta("stats"))?.context("it has no counters")?;
    let said = Stats::decode(&stats)?.messages;
    let mut found = 0;
    for pair in index.scan(&keys::messages(), &keys::after(keys::messages()), false) {
        pair?;
        found += 1;
    }
    ensure!(found == said, "it holds {found} messages and says it holds {said}");
    Ok(true)
}

/// Renames a directory so that a person can look at it; nothing reads it again. Only the newest is kept: a disk that
/// damages one index after the other is not filled with them.
fn set_aside(dir: &Path) -> Result<(), Fault> {
    if !dir.exists() {
        return Ok(());
    }
    let former = fs::read_dir(dir.parent().context("the index lies in a directory")?)?;
    for former in former.map(|entry| Ok::<_, Fault>(entry?.path())) {
        let former = former?;
        if former.file_name().is_some_and(|name| name.to_string_lossy().starts_with(ASIDE)) {
            fs::remove_dir_all(&former).with_context(|| format!("deleting {}", former.display()))?;
        }
    }
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
    let free = |n: &u32| !aside(dir, seconds, *n).exists();
    let n = (0..).find(free).ok_or_else(|| anyhow!("no free name beside {}", dir.display()))?;
    let to = aside(dir, seconds, n);
    fs::rename(dir, &to).with_context(|| format!("renaming {} to {}", dir.display(), to.display()))?;
    tracing::warn!("set the old index aside as {}; it can be deleted", to.display());
    Ok(())
}

fn aside(dir: &Path, seconds: u64, n: u32) -> PathBuf {
    dir.with_file_name(format!("{ASIDE}{seconds}{}", if n == 0 { String::new() } else { format!("-{n}") }))
}

/// Keeps the bytes that are about to be cut from the log although they had been acknowledged.
fn keep_remains(dir: &Path, log: &Log, tail: &Tail) -> Result<(), Fault> {
    if tail.torn > 0 {
        let path = dir.join(format!("{:020}.remains", tail.end));
        fs::write(&path, log.bytes_after(tail.end)?).with_context(|| format!("writing {}", path.display()))?;
    }
    Ok(())
}

/// Applies the log from `from` to `to` to the index, as long as `reached` (see [`finish`]) lets it.
pub fn replay(
    (index, log): (&Index, &Log),
    from: Position,
    to: Position,
    health: &Health,
    mut reached: impl FnMut(Position, Stats) -> bool,
) -> Result<bool, Fault> {
    let mut at = from;
    while at < to {
        index.wait()?;
        let mut batch = IndexBatch::new(index, log)?;
        let begun = at;
        let mut frames = 0;
        while at < to && frames < BATCH_MAX && at - begun < BATCH_BYTES {
            match log.read(at)? {
                Read::Frame { frame, next, .. } => {
                    if let Err(error) = batch.add(at, frame) {
                        health.degrade(format!("the message at {at} in the log cannot be indexed: {error:#}"));
                    }
                    at = next;
                    frames += 1;
                }
                Read::Gone { next } => at = next,
                Read::End => at = to,
                Read::Bad(why) => {
                    let next = log.resync(at)?.unwrap_or(to).min(to);
                    health.damaged(Object::Log(at), &Damage { from: at, to: next, why }.to_string());
                    at = next;
                }
            }
        }
        let (changes, stats) = batch.finish(at);
        index.apply(changes)?;
        if !reached(at, stats) {
            return Ok(false);
        }
    }
    if to > from {
        tracing::info!("applied the log from {from} to {to} to the index");
    }
    Ok(true)
}
