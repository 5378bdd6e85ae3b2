//! From memory to the disk: two threads, one that writes tables out as runs and one that merges runs.

use super::{
    disk::Disk,
    entry::{Changes, Policy},
    layers::{Layers, Merged},
    pages::{Id, Pages},
    run::{self, Run, Writer},
    table::Table,
    value_cache::ValueCache,
};
use crate::{scarce, store::space};
use anyhow::{Context as _, Error as Fault, anyhow};
use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

/// Bytes of changes after which a table is written out. After a crash, up to so much is applied again from the log.
/// In unit tests few records have to make many runs.
const FULL: usize = if cfg!(test) { 8 << 10 } else { 8 << 20 };
/// Bytes of changes that may wait for the table before to be written out; then the writer waits as well.
const FULL_MAX: usize = 3 * FULL;
/// What an entry takes in memory beside its key and value.
const ENTRY: usize = 64;
/// A table that nothing has been added to for so long is written out, however small it is.
const REST: Duration = Duration::from_secs(5);
/// How often the threads look for what nobody tells them, and try again what had no room.
const TICK: Duration = Duration::from_millis(500);
/// Runs of one size that are merged into one of the next.
const WIDTH: usize = 4;
/// Entries of the smallest runs that are told apart by size; each size is [`WIDTH`] times the one before.
const SMALL: u64 = if cfg!(test) { 32 } else { 32 << 10 };
/// Entries after which a merge looks whether it shall stop.
const STRIDE: u64 = 4096;

/// The layers, and the threads that move them.
#[derive(Debug)]
pub struct Flusher {
    core: Arc<Core>,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Debug)]
struct Core {
    dir: PathBuf,
    disk: Arc<Disk>,
    pages: Arc<Pages>,
    policy: Policy,
    layers: RwLock<Arc<Layers>>,
    /// Held by who changes the active table, or replaces it.
    written: Mutex<Written>,
    /// Held by who changes the list of runs: the number of the next.
    next: Mutex<Id>,
    signs: Mutex<Signs>,
    /// Rings when something has changed: the layers, or the signs.
    bell: Bell,
    /// So many runs cannot be begun for want of file descriptors: a test's.
    #[cfg(test)]
    failing: std::sync::atomic::AtomicU32,
}

/// Of the active table.
#[derive(Debug)]
struct Written {
    bytes: usize,
    last: Instant,
}

#[derive(Debug, Default)]
struct Signs {
    stop: bool,
    /// Why nothing is written out any more.
    failed: Option<String>,
    /// What was missing at the last attempt.
    missing: Option<Missing>,
}

/// What may be there again.
#[derive(Debug, Clone)]
enum Missing {
    /// Room on the disk.
    Room(String),
    /// File descriptors, or memory.
    Means(String),
}

impl Missing {
    /// `None`: it failed for another reason.
    fn of(error: &Fault) -> Option<Self> {
        match error {
            error if space::is_full(error) => Some(Self::Room(format!("{error:#}"))),
            error if scarce::is_scarcity(error) => Some(Self::Means(format!("{error:#}"))),
            _ => None,
        }
    }
}

/// Counts its rings, so that none is missed between a look and a wait.
#[derive(Debug, Default)]
struct Bell {
    rings: Mutex<u64>,
    rung: Condvar,
}

impl Bell {
    fn rings(&self) -> u64 {
        *self.rings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ring(&self) {
        *self.rings.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.rung.notify_all();
    }

    /// Waits for a ring after these, a while at most.
    fn wait(&self, rings: u64) {
        let now = self.rings.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.rung.wait_timeout_while(now, TICK, |now| *now == rings));
    }
}

impl Signs {
    fn check(&self) -> Result<(), Fault> {
        if let Some(why) = &self.failed {
            return Err(anyhow!("{why}"));
        }
        match self.missing.clone() {
            Some(Missing::Room(why)) => Err(io::Error::new(io::ErrorKind::StorageFull, why).into()),
            Some(Missing::Means(why)) => Err(scarce::Short(why).into()),
            None => Ok(()),
        }
    }
}

impl Flusher {
    pub fn open(dir: &Path, cache: u64, policy: Policy) -> Result<Self, Fault> {
        let disk = Arc::new(Disk::open(dir)?);
        let pages = Arc::new(Pages::new(dir, cache));
        let (ids, next) = disk.runs()?.unwrap_or_default();
        keep_only(dir, &ids)?;
        let runs = ids.iter().map(|id| Run::open(dir, *id, &pages).map(Arc::new)).collect::<Result<_, Fault>>()?;
        let core = Arc::new(Core {
            dir: dir.to_owned(),
            layers: RwLock::new(Arc::new(Layers::new(runs, disk.clone(), policy))),
            disk,
            pages,
            policy,
            written: Mutex::new(Written { bytes: 0, last: Instant::now() }),
            next: Mutex::new(next),
            signs: Mutex::default(),
            bell: Bell::default(),
            #[cfg(test)]
            failing: std::sync::atomic::AtomicU32::new(0),
        });
        let start = |name: &str, work: fn(&Core)| {
            let core = core.clone();
            thread::Builder::new().name(name.into()).spawn(move || work(&core))
        };
        let threads = vec![start("index-flush", Core::keep_flushing)?, start("index-merge", Core::keep_merging)?];
        Ok(Self { core, threads })
    }

    pub fn layers(&self) -> Arc<Layers> {
        self.core.layers()
    }

    /// Changes the active table, and takes what changes out of the cache before.
    pub fn put(&self, changes: Changes, values: &ValueCache) -> Result<(), Fault> {
        let core = &self.core;
        if let Some(why) = &core.signs().failed {
            return Err(anyhow!("{why}"));
        }
        let mut written = core.written();
        written.bytes += changes.iter().map(|(k, v)| k.len() + v.as_ref().map_or(0, Vec::len) + ENTRY).sum::<usize>();
        written.last = Instant::now();
        let active = core.layers().active.clone();
        let cached = changes.keys().map(Vec::as_slice).filter(|key| core.policy.is_cached(key));
        values.change(cached, active.last() + 1);
        active.apply(changes);
        if written.bytes >= FULL {
            core.freeze(&mut written);
        }
        Ok(())
    }

    /// Waits until the active table may grow, and takes room on the disk for what comes of it.
    pub fn make_room(&self) -> Result<(), Fault> {
        self.wait()?;
        self.core.disk.make_room()
    }

    /// Waits until the active table may grow. An error if that depends on room that the disk does not have.
    pub fn wait(&self) -> Result<(), Fault> {
        let core = &self.core;
        loop {
            let rings = core.bell.rings();
            if core.written().bytes < FULL_MAX || core.layers().frozen.is_none() {
                return Ok(());
            }
            core.signs().check()?;
            core.bell.wait(rings);
        }
    }

    /// Writes everything out.
    pub fn flush(&self) -> Result<(), Fault> {
        let core = &self.core;
        loop {
            let rings = core.bell.rings();
            {
                let mut written = core.written();
                if written.bytes > 0 {
                    core.freeze(&mut written);
                } else if core.layers().frozen.is_none() {
                    return core.disk.flush();
                }
            }
            core.signs().check()?;
            core.bell.wait(rings);
        }
    }

    /// So many runs cannot be begun from now on.
    #[cfg(test)]
    pub fn fail(&self, runs: u32) {
        self.core.failing.store(runs, std::sync::atomic::Ordering::SeqCst);
    }

    /// How many of them are left.
    #[cfg(test)]
    pub fn failing(&self) -> u32 {
        self.core.failing.load(std::sync::atomic::Ordering::SeqCst)
    }

    /// Why nothing is written out any more.
    pub fn failed(&self) -> Option<String> {
        self.core.signs().failed.clone()
    }
}

impl Drop for Flusher {
    fn drop(&mut self) {
        self.core.signs().stop = true;
        self.core.bell.ring();
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
        if let Err(error) = self.core.flush_all() {
            tracing::error!("closing the index: {error:#}; the next start will repeat the last writes from the log");
        }
    }
}

impl Core {
    fn layers(&self) -> Arc<Layers> {
        self.layers.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn written(&self) -> MutexGuard<'_, Written> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn signs(&self) -> MutexGuard<'_, Signs> {
        self.signs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut Layers)) {
        let mut layers = self.layers.write().unwrap_or_else(PoisonError::into_inner);
        change(Arc::make_mut(&mut layers));
        drop(layers);
        self.bell.ring();
    }

    /// The active table becomes the frozen one, if there is none. Did it?
    fn freeze(&self, written: &mut Written) -> bool {
        let mut done = false;
        self.change(|layers| {
            if layers.frozen.is_none() {
                let next = Arc::new(Table::after(layers.active.last()));
                layers.frozen = Some(std::mem::replace(&mut layers.active, next));
                (written.bytes, done) = (0, true);
            }
        });
        done
    }

    fn keep_flushing(&self) {
        let mut tried = Instant::now();
        loop {
            let rings = self.bell.rings();
            if self.layers().frozen.is_none() {
                let mut written = self.written();
                if written.bytes > 0 && written.last.elapsed() >= REST {
                    self.freeze(&mut written);
                }
            }
            // After a failure there is no hurry.
            let due = self.signs().check().is_ok() || tried.elapsed() >= TICK;
            if self.signs().failed.is_none() && due && self.layers().frozen.is_some() {
                tried = Instant::now();
                let flushed = self.flush();
                self.note("writing out the index", flushed);
            }
            if self.signs().stop {
                return;
            }
            self.bell.wait(rings);
        }
    }

    fn note(&self, what: &str, outcome: Result<(), Fault>) {
        let mut signs = self.signs();
        match outcome {
            Ok(()) => signs.missing = None,
            Err(error) => match Missing::of(&error) {
                Some(missing) => {
                    match &missing {
                        Missing::Room(why) if signs.missing.is_none() => {
                            tracing::error!("{what}: {why}; it is tried again when there is room");
                        }
                        Missing::Room(_) => {}
                        Missing::Means(why) => scarce::note(&format_args!("{what}: {why}")),
                    }
                    signs.missing = Some(missing);
                }
                None => {
                    tracing::error!("{what}: {error:#}");
                    signs.failed.get_or_insert(format!("{error:#}"));
                }
            },
        }
        drop(signs);
        self.bell.ring();
    }

    /// Writes the frozen table out, if there is one.
    fn flush(&self) -> Result<(), Fault> {
        let layers = self.layers();
        let Some(table) = layers.frozen.clone() else { return Ok(()) };
        let table: &Table = &table;
        let (small, many): (Changes, u64) = {
            let map = table.read();
            let small = map.iter().filter(|(key, _)| self.policy.is_small(key));
            let sought = map.keys().filter(|key| !self.policy.is_ranged(key)).count() as u64;
            (small.map(|(key, versions)| (key.clone(), versions.newest().clone())).collect(), sought)
        };
        let run = self.write(many, |writer| {
            let map = table.read();
            let mut many = map.iter().filter(|(key, _)| !self.policy.is_small(key));
            many.try_for_each(|(key, versions)| writer.add((key, versions.newest().as_deref()))).map(|()| true)
        })?;
        let run = run.map(Arc::new);
        // Before sled changes.
        let after = layers.small.flush(small.keys())?;
        self.list(small, |layers| {
            (layers.frozen, layers.small) = (None, after.clone());
            layers.runs.splice(0..0, run.clone());
        })?;
        self.disk.flush()
    }

    /// Writes a run; what was begun goes when it fails or is given up. None: it has nothing in it, or was given up.
    fn write(&self, keys: u64, fill: impl FnOnce(&mut Writer) -> Result<bool, Fault>) -> Result<Option<Run>, Fault> {
        let id = {
            let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
            *next = next.checked_add(1).context("the index has had all the runs it can")?;
            *next - 1
        };
        #[cfg(test)]
        self.fails()?;
        let fill = |mut writer: Writer| if fill(&mut writer)? { writer.finish(&self.pages) } else { Ok(None) };
        let run = Writer::new(&self.dir, id, keys, self.policy).and_then(fill);
        if !matches!(run, Ok(Some(_))) {
            run::remove(&self.dir, id)?;
        }
        run
    }

    /// Changes the list of runs, and what is small, on the disk and then for everybody.
    fn list(&self, small: Changes, change: impl Fn(&mut Layers)) -> Result<(), Fault> {
        let next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let mut after = Layers::clone(&self.layers());
        change(&mut after);
        self.disk.set(&after.runs.iter().map(|run| run.id).collect::<Vec<_>>(), *next, small)?;
        // The tables may be others by now.
        self.change(change);
        Ok(())
    }

    /// Writes out what is in memory: at the end.
    fn flush_all(&self) -> Result<(), Fault> {
        if let Some(why) = &self.signs().failed {
            return Err(anyhow!("{why}"));
        }
        self.flush()?;
        let mut written = self.written();
        if written.bytes > 0 && self.freeze(&mut written) {
            self.flush()?;
        }
        self.disk.flush()
    }

    #[cfg(test)]
    fn fails(&self) -> Result<(), Fault> {
        use std::sync::atomic::Ordering;
        let one_less = |left: u32| left.checked_sub(1);
        let failing = self.failing.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less).is_ok();
        let error = io::Error::from_raw_os_error(rustix::io::Errno::MFILE.raw_os_error());
        if failing { Err(error).context("creating a run") } else { Ok(()) }
    }

    fn keep_merging(&self) {
        loop {
            let rings = self.bell.rings();
            if self.signs().check().is_ok() {
                let merged = self.merge();
                self.note_merge(merged);
            }
            if self.signs().stop {
                return;
            }
            self.bell.wait(rings);
        }
    }

    /// A merge that lacks something is tried again when something has changed; nothing waits for it.
    fn note_merge(&self, outcome: Result<(), Fault>) {
        match outcome {
            Err(error) if Missing::of(&error).is_some() => tracing::debug!("merging the index: {error:#}"),
            Ok(()) => {}
            failed => self.note("merging the index", failed),
        }
    }

    /// Merges the newest runs, if that is worth it.
    fn merge(&self) -> Result<(), Fault> {
        let layers = self.layers();
        let sizes: Vec<u64> = layers.runs.iter().map(|run| run.entries).collect();
        let idle = self.written().last.elapsed() >= REST;
        let count = worth(&sizes).or_else(|| worth_at_leisure(&sizes).filter(|_| idle));
        let Some(count) = count else { return Ok(()) };
        let Some(runs) = layers.runs.get(..count) else { return Ok(()) };
        // What is gone need not be remembered where nothing older is.
        let last = count == layers.runs.len();
        let mut stopped = false;
        let run = self.write(runs.iter().map(|run| run.sought).sum(), |writer| {
            let mut merged = Merged::runs(runs)?;
            let mut seen = 0_u64;
            while let Some((key, value)) = merged.next()? {
                if value.is_some() || !last {
                    writer.add((&key, value.as_deref()))?;
                }
                seen += 1;
                if seen.is_multiple_of(STRIDE) && self.signs().stop {
                    stopped = true;
                    return Ok(false);
                }
            }
            Ok(true)
        })?;
        if stopped {
            return Ok(());
        }
        let (run, old): (_, BTreeSet<Id>) = (run.map(Arc::new), runs.iter().map(|run| run.id).collect());
        self.list(Changes::new(), |layers| {
            let at = layers.runs.iter().position(|run| old.contains(&run.id)).unwrap_or_default();
            layers.runs.retain(|run| !old.contains(&run.id));
            layers.runs.splice(at..at, run.clone());
        })?;
        // Nobody may start with a list that names them. Who still reads them has their files open.
        self.disk.flush()?;
        old.iter().try_for_each(|id| run::remove(&self.dir, *id))
    }
}

/// Takes away what a crash has left of runs that are not among these.
fn keep_only(dir: &Path, ids: &[Id]) -> Result<(), Fault> {
    for entry in fs::read_dir(dir).with_context(|| format!("listing {}", dir.display()))? {
        if let Some(id) = run::id(&entry?.path()).filter(|id| !ids.contains(id)) {
            run::remove(dir, id)?;
        }
    }
    Ok(())
}

fn class(size: u64) -> u32 {
    (size / SMALL).checked_ilog(WIDTH as u64).map_or(0, |class| class + 1)
}

/// How many of the newest runs to merge, so that few remain of each size.
fn worth(sizes: &[u64]) -> Option<usize> {
    let classes: Vec<u32> = sizes.iter().map(|size| class(*size)).collect();
    let crowded = |class: &u32| classes.iter().filter(|other| *other == class).count() >= WIDTH;
    let class = classes.iter().filter(|class| crowded(class)).max()?;
    Some(classes.iter().rposition(|other| other == class)? + 1)
}

/// The same while nothing else is to do: as far as the next run is not much larger than all before it.
fn worth_at_leisure(sizes: &[u64]) -> Option<usize> {
    let (mut sum, mut count) = (*sizes.first()?, None);
    for (n, size) in sizes.iter().enumerate().skip(1) {
        if *size <= sum * WIDTH as u64 {
            count = Some(n + 1);
        }
        sum += size;
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_runs_of_a_size_remain() {
        let s = SMALL;
        assert_eq!(worth(&[s, s, s]), None);
        assert_eq!(worth(&[s, s, s, s]), Some(4));
        assert_eq!(worth(&[1, 2, 3, s - 1, 100 * s]), Some(4));
        assert_eq!(worth(&[s, 4 * s, s, 4 * s, 5 * s, 6 * s, 64 * s]), Some(6));
        assert_eq!(worth_at_leisure(&[]), None);
        assert_eq!(worth_at_leisure(&[1, 5]), None);
        assert_eq!(worth_at_leisure(&[1, 4, 21]), Some(2));
        assert_eq!(worth_at_leisure(&[1, 4, 20]), Some(3));
    }
}
