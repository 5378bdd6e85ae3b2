//! The store: an append-only log that is the truth and an index that is rebuilt from it.
//!
//! A change is made by [`Store::commit`]: a decision runs under the one writer, its message is appended to the
//! log with what the index must know of it, made durable with one fdatasync for all that were waiting, applied to
//! the index as one batch, and then answered. The log is at once the write-ahead log, the event log, the feed
//! that followers read ([`Store::entries`]) and the backup that the index is rebuilt from.
//!
//! Who owns what: `writer` is a thread and owns the end of the log; `index` has two, that write what it holds in
//! memory to the disk and merge what is there. Reading is done on the
//! caller's thread and may block on the disk. A directory is held by one process: a second open is refused.
//!
//! What may be lost: nothing that was acknowledged, by a crash or by damage to the index. Damage to the log
//! itself is found by checksums, named in [`Store::degraded`], and never passed over in silence.
//!
//! What it does not do: judge messages (`dwn` does) or hold blocks (`blocks` does). A message that is removed and
//! data that is superseded leave the index in the same batch, so they are no longer readable through their record,
//! served or public; their bytes stay in the block files until `blocks` collects them, and in the log.

mod brief;
mod compact;
mod cut;
mod damaged;
mod ended;
mod fingerprint;
mod frame;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod generations;
mod hot;
mod husk;
mod index;
mod keys;
mod log;
mod lower;
mod marks;
mod metrics;
mod pending;
mod query;
mod rebuild;
mod recover;
mod refs;
mod rows;
mod segment;
mod space;
mod steady;
#[cfg(feature = "bench")]
mod tap;
mod view;
mod wipe;
mod writer;

#[cfg(test)]
mod tests;

use crate::{
    cid::{Cid, Digest},
    dwn::{Change, Fault, Json, Refusal, Select, Stop, View},
    scarce,
    span::Span,
};
use anyhow::{Context as _, anyhow, bail};
use bytes::Bytes;
use frame::Frame;
use index::Index;
use log::{Damage, Log, Read};
use prometheus_client::registry::Registry;
use std::{
    any::Any,
    collections::BTreeSet,
    fs::{self, File, TryLockError},
    path::Path,
    sync::{Arc, Mutex, PoisonError, atomic::AtomicBool},
    thread::{self, JoinHandle},
    time::Duration,
};
use steady::{STRIDE, Steady};
use tokio::sync::{mpsc, oneshot, watch};

pub use compact::{Compacted, Compactor};
pub use cut::{Cut, cut};
pub use damaged::{Damaged, Damages, Holder, Object, of_records};
pub use fingerprint::Moment;
pub(crate) use lower::Checked;
pub use query::{Considered, Explained, Filtered};
pub use refs::{Keeper, Scope};
pub use space::stop;
#[cfg(feature = "bench")]
#[doc(hidden)]
pub use tap::{tap, write_log};
#[cfg(test)]
pub(crate) use tests::rebuild::Hindrance;

/// A place in the log: the number of bytes before the frame that starts there. Grows, never reused.
pub type Position = u64;

/// Bytes of messages after which [`Store::entries`] returns what it has, whatever was asked for.
const ENTRIES_BYTES: u64 = 8 << 20;
/// State under `PIN` and the digest of a root holds the root's blocks as a record does.
pub const PIN: &[u8] = b"blocks/pin/";
/// Free bytes with which a disk that was full is no longer called so.
const ROOM: u64 = 20 << 20;
/// Reasons kept by [`Health`]; damage beyond that needs no more words.
const REASONS_MAX: usize = 64;

#[derive(Debug, Clone, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Bytes after which a log segment is sealed and the next begun.
    pub segment_size: u64,
    /// Bytes of memory the index may use as cache.
    pub cache: u64,
    /// Bytes of the disk that stay free: below, nothing new is taken.
    pub min_free: u64,
    /// How often the node looks whether the log is worth compacting.
    pub compact_every: Span,
    /// Part of a sealed segment that must be able to go before it is written anew; 1: never.
    pub compact_above: f64,
}

impl Default for Config {
    fn default() -> Self {
        let compact_every = Span(Duration::from_secs(24 * 60 * 60));
        Self { segment_size: 64 << 20, cache: 32 << 20, min_free: 256 << 20, compact_every, compact_above: 0.5 }
    }
}

/// Where the bytes of a block lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Inside the frame of the log that begins at `at` (data of up to `dwn::INLINE_MAX` bytes).
    Log { at: u64, len: u32 },
    /// In a pack segment.
    Pack { segment: u32, at: u64, len: u32 },
    /// A file of its own, named by its digest.
    File { len: u32 },
}

/// Data that `blocks` has staged and a commit makes part of a record.
#[derive(Debug, Clone)]
pub struct Data {
    /// UnixFS root: the record's `dataCid`.
    pub root: Cid,
    pub size: u64,
    /// Up to `dwn::INLINE_MAX` bytes: the data itself, written into the log frame, in no block file.
    pub inline: Option<Bytes>,
    /// Every block of the DAG with its place, durable already. Empty for inline data.
    pub blocks: Vec<(Digest, Place)>,
    /// Keeps the blocks from collection until a commit has named them.
    pub hold: Hold,
}

/// Whatever keeps staged blocks from being collected; let go of when dropped.
#[derive(Clone, Default)]
pub struct Hold(Option<Arc<dyn Any + Send + Sync>>);

impl Hold {
    pub fn new(hold: impl Any + Send + Sync) -> Self {
        Self(Some(Arc::new(hold)))
    }
}

impl std::fmt::Debug for Hold {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.0.is_some() { "Hold(…)" } else { "Hold" })
    }
}

/// What a follower reads.
// Nearly all are messages: a box would cost more than it saves.
#[allow(clippy::large_enum_variant)]
#[derive(Debug, Clone)]
pub enum Entry {
    /// An accepted message. `message` is its DAG-CBOR (no `encodedData`). `latest`: when it was
    /// accepted, it became the state of its subject.
    Message {
        position: Position,
        next: Position,
        /// When it came here, in milliseconds since 1970; what the first format of the log wrote does not say.
        arrived: Option<u64>,
        tenant: String,
        author: String,
        cid: Cid,
        message: Bytes,
        data: Option<(Cid, u64)>,
        latest: bool,
        /// Where the state of its record lies that it superseded, if there was one ([`Store::former`]); what an earlier
        /// toft wrote does not say.
        before: Option<Position>,
    },
    /// State that other modules keep (see [`Store::put_state`]); followers pass over it.
    State { position: Position, next: Position },
}

/// A message that was once the state of its record.
#[derive(Debug, Clone)]
pub struct Former {
    pub message: Arc<Json>,
    pub author: String,
    pub initial: bool,
    /// Where the state before it lies.
    pub before: Option<Position>,
}

impl Entry {
    /// Where to read on.
    pub fn next(&self) -> Position {
        match self {
            Entry::Message { next, .. } | Entry::State { next, .. } => *next,
        }
    }
}

/// Bytes on disk.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Usage {
    pub log: u64,
    pub segments: u64,
    pub index: u64,
    /// Indexes that were set aside; they can be deleted.
    pub aside: u64,
}

/// Counters, kept with every batch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Stats {
    /// Latest states of records.
    pub records: u64,
    /// Messages kept.
    pub messages: u64,
    /// Blocks that have a place.
    pub blocks: u64,
    /// Bytes of data that records hold; data held by two records counts twice.
    pub bytes: u64,
}

/// Handle to the store; cheap to clone. When the last one is dropped, the writer finishes what is queued, the
/// index is flushed and the directory is free again.
#[derive(Debug, Clone)]
pub struct Store(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    index: Arc<Index>,
    log: Log,
    tail: watch::Receiver<Position>,
    stats: Arc<Mutex<Stats>>,
    health: Arc<Health>,
    space: space::Space,
    rebuild: Arc<rebuild::Rebuild>,
    /// A round of compaction is under way.
    compacting: Arc<AtomicBool>,
    /// What the last round of compaction has found, and the bytes that all of this run have given back.
    compacted: Mutex<(Compacted, u64)>,
    /// Held while a file of the log is replaced.
    still: Mutex<()>,
    /// Taken when the store closes: the writer ends when its queue does.
    jobs: Option<mpsc::Sender<Job>>,
    writer: Option<JoinHandle<()>>,
    /// Declared last: the directory is freed when all else is closed.
    _lock: File,
}

use writer::Job;

impl Store {
    /// Opens, checks and if need be repairs the store in `dir`.
    pub fn open(dir: &Path, config: &Config) -> Result<Self, Fault> {
        let store = Self::begin(dir, config)?;
        futures::executor::block_on(store.built())
            .with_context(|| format!("opening the store in {}", dir.display()))?;
        Ok(store)
    }

    /// Opens the store as [`Store::open`] does, and does not wait for an index that is far behind the log. Until
    /// [`Store::built`] resolves, what is asked is answered as of an earlier moment and nothing is written.
    pub fn begin(dir: &Path, config: &Config) -> Result<Self, Fault> {
        fs::create_dir_all(dir).with_context(|| format!("creating {}", dir.display()))?;
        let lock = lock(&dir.join("lock"))?;
        fs::create_dir_all(dir.join("log")).with_context(|| format!("creating {}", dir.join("log").display()))?;
        sync_dir(dir)?;
        dir.parent().filter(|parent| parent.is_dir()).map_or(Ok(()), sync_dir)?;
        let health = Arc::new(Health::open(dir)?);
        let recover::Opened { log, appender, index, end, rest } =
            recover::open(dir, config, &health).with_context(|| format!("opening the store in {}", dir.display()))?;
        let index = Arc::new(index);
        let stats = index.get(&keys::meta("stats"))?.map_or(Ok(Stats::default()), |bytes| Stats::decode(&bytes))?;
        let stats = Arc::new(Mutex::new(stats));
        let (tail_sender, tail) = watch::channel(end);
        let (jobs, queue) = mpsc::channel(writer::QUEUE_MAX);
        let writer = writer::Writer {
            index: index.clone(),
            log: log.clone(),
            appender,
            tail: tail_sender,
            stats: stats.clone(),
            health: health.clone(),
            poisoned: None,
        };
        let rebuild = rebuild::Rebuild::new(&rest);
        let building = rebuild.clone();
        let write = move || {
            if building.run(rest, (&writer.index, &writer.log), &writer.health, &writer.stats) {
                writer.run(queue);
            }
        };
        let writer = thread::Builder::new().name("store-writer".into()).spawn(write)?;
        let store = Self(Arc::new(Inner {
            index,
            log,
            tail,
            stats,
            health,
            space: space::Space::new(dir, config.min_free),
            compacting: Arc::default(),
            compacted: Mutex::default(),
            still: Mutex::default(),
            jobs: Some(jobs),
            writer: Some(writer),
            _lock: lock,
            rebuild,
        }));
        if store.0.rebuild.is_short() {
            futures::executor::block_on(store.built())
                .with_context(|| format!("opening the store in {}", dir.display()))?;
        }
        Ok(store)
    }

    /// Resolves when the index has all of the log, or with the reason why it cannot have it.
    pub async fn built(&self) -> Result<(), Fault> {
        self.0.rebuild.wait().await
    }

    /// Is the index whole? Otherwise the refusal (503) for who needs it to be.
    pub fn whole(&self) -> Result<(), Refusal> {
        self.0.rebuild.check()
    }

    /// One tenant's past. Every call on it sees one state of the index; two calls may see two.
    pub fn view(&self, tenant: &str) -> Box<dyn View + Send> {
        Box::new(view::Snapshot::new(self.0.index.clone(), self.0.log.clone(), tenant))
    }

    /// Answers a query of a tenant's records and says how: which indexes were considered, chosen and gone through.
    pub fn explain(&self, tenant: &str, select: &Select) -> Result<Explained, Fault> {
        view::Snapshot::new(self.0.index.clone(), self.0.log.clone(), tenant).explain(select)
    }

    /// Runs `decide` under the one writer and makes its change durable: resolves after fdatasync and index.
    ///
    /// The view `decide` gets includes what the running group has decided before it. A [`Stop`] it returns is the
    /// answer; if it panics, the answer is a fault. On a full disk the answer is a refusal (507). A caller that stops waiting does not take the change back.
    pub async fn commit<F>(&self, tenant: &str, data: Option<Data>, decide: F) -> Result<Change, Stop>
    where
        F: FnMut(&dyn View) -> Result<Change, Stop> + Send + 'static,
    {
        self.room()?;
        let (reply, answer) = oneshot::channel();
        self.ask(Job::Commit { tenant: tenant.to_owned(), data, decide: Box::new(decide), reply }).await?;
        answer.await.map_err(|_| Stop::Fault(anyhow!("the writer has ended")))?
    }

    /// Is there room for something new? Otherwise the refusal that says why not.
    pub fn room(&self) -> Result<(), Stop> {
        self.whole()?;
        Ok(self.0.space.check()??)
    }

    /// Are `more` bytes free beyond those that stay free in any case? Otherwise the refusal that says so.
    pub fn room_beyond(&self, more: u64) -> Result<(), Stop> {
        Ok(self.0.space.check_beyond(more)??)
    }

    /// Why nothing is written at this moment, in a sentence for anyone; `None` when writes are taken.
    pub fn read_only(&self) -> Option<String> {
        match self.0.health.stopped() {
            Some(Stopped::Poisoned) => return Some("writing has stopped until this node is restarted".into()),
            // There may be room again and nobody who wrote since.
            Some(Stopped::Full) if self.0.space.now().is_ok_and(|free| free < ROOM) => {
                return Some("the disk of this node is full".into());
            }
            _ => {}
        }
        self.room().err().map(|why| match why {
            Stop::Refusal(refusal) => refusal.detail,
            Stop::Fault(_) => "the disk of this node does not say how much room it has".into(),
        })
    }

    /// Free bytes on the disk, as of a moment ago.
    pub fn free(&self) -> Result<u64, Fault> {
        self.0.space.free()
    }

    /// Bytes of data that the records of a tenant hold; data held by two records counts twice.
    pub fn tenant_bytes(&self, tenant: &str) -> Result<u64, Fault> {
        let _steady = self.0.index.steady();
        let source = self.source();
        pending::number_of(&source, tenant)?.map_or(Ok(0), |tenant| refs::counter(&source, &keys::usage(tenant)))
    }

    /// End of what is durable; followers wait on it.
    pub fn tail(&self) -> watch::Receiver<Position> {
        self.0.tail.clone()
    }

    /// Entries from `from` on (0: the first), at most `max`, only durable ones. Fewer than `max` does not mean
    /// that there are no more: compare [`Entry::next`] with the tail. Past a damaged stretch it goes on behind it.
    pub fn entries(&self, from: Position, max: usize) -> Result<Vec<Entry>, Fault> {
        let end = *self.0.tail.borrow();
        let mut found = Vec::new();
        let mut at = from;
        while at < end && found.len() < max && at - from < ENTRIES_BYTES {
            match self.0.log.read(at)? {
                Read::Frame { frame, at: arrived, next } => {
                    found.push(entry(at, next, arrived, frame)?);
                    at = next;
                }
                Read::Gone { next } => at = next,
                Read::End => break,
                Read::Bad(why) => {
                    let next = self.0.log.resync(at)?.unwrap_or(end).min(end);
                    self.0.health.damaged(Object::Log(at), &Damage { from: at, to: next, why }.to_string());
                    at = next;
                }
            }
        }
        Ok(found)
    }

    /// The message at a position of the log, kept or not; `None`: compaction, or damage, has taken it.
    pub fn former(&self, at: Position) -> Result<Option<Former>, Fault> {
        let Read::Frame { frame: Frame::Message(message), .. } = self.0.log.read(at)? else { return Ok(None) };
        let json = message.json()?;
        let frame::Message { author, initial, before, .. } = *message;
        Ok(Some(Former { message: json, author, initial, before }))
    }

    /// State of another module, by key. Keys begin with the module's name: `anchor/…`, `sync/…`.
    pub fn state(&self, key: &[u8]) -> Result<Option<Bytes>, Fault> {
        Ok(self.0.index.get(&keys::state(key))?.map(Bytes::from))
    }

    /// All state whose key begins with `prefix`, in key order, as of one moment.
    pub fn states(&self, prefix: &[u8]) -> Result<Vec<(Bytes, Bytes)>, Fault> {
        let from = keys::state(prefix);
        let to = keys::after(from.clone());
        let source = self.source();
        let (steady, mut found) = (Steady::new(&source, STRIDE), Vec::new());
        let collect = || {
            found.clear();
            for pair in self.0.index.scan(&from, &to, false) {
                let (key, value) = pair?;
                found.push((Bytes::from(key).slice(1..), Bytes::from(value)));
                steady.tick()?;
            }
            Ok(())
        };
        steady.repeat(|versions| versions.states, collect)?;
        Ok(found)
    }

    /// Sets (or with `None` removes) state, atomically and durably: it goes through the log like a message.
    pub async fn put_state(&self, changes: Vec<(Vec<u8>, Option<Vec<u8>>)>) -> Result<(), Fault> {
        let (reply, answer) = oneshot::channel();
        self.ask(Job::State { changes, reply }).await?;
        answer.await.context("the writer has ended")?
    }

    /// Where a block lies, if a record of any tenant, or a pin, holds it.
    pub fn block(&self, digest: &Digest) -> Result<Option<Place>, Fault> {
        Ok(self.part(digest, Keeper::Any, Scope::All)?.map(|(place, _)| place))
    }

    /// Where a block lies that somebody of `keeper` holds as a part of `scope`; and is it the root of a tree, or a part of
    /// the tree that was named? Who may have what is asked of `blocks`, not here.
    pub fn part(&self, digest: &Digest, keeper: Keeper, scope: Scope) -> Result<Option<(Place, bool)>, Fault> {
        let _steady = self.0.index.steady();
        let source = self.source();
        let Some(tree) = refs::part(&source, digest, keeper, scope)? else { return Ok(None) };
        Ok(refs::place(&source, digest)?.map(|place| (place, tree)))
    }

    /// Does a published latest-state record of any tenant hold this block (so that anyone may have it)?
    pub fn block_is_public(&self, digest: &Digest) -> Result<bool, Fault> {
        let _steady = self.0.index.steady();
        Ok(refs::part(&self.source(), digest, Keeper::Published, Scope::All)?.is_some())
    }

    /// The records that hold a block, as tenant and recordId, at most `max`: whom to ask whether a peer may read it.
    pub fn block_records(&self, digest: &Digest, max: usize) -> Result<Vec<(String, String)>, Fault> {
        let _steady = self.0.index.steady();
        let mut found = Vec::new();
        refs::holders(&self.source(), digest, |holder| {
            if found.len() < max {
                found.push(holder.to_vec());
            }
            found.len() < max
        })?;
        found.iter().map(|holder| self.holder(holder)).collect()
    }

    /// Digests of all data that published records hold: what may be announced.
    pub fn public_roots(&self) -> Result<BTreeSet<Digest>, Fault> {
        let all = keys::blocks();
        let mut roots = BTreeSet::new();
        self.0.index.stroll(&all, &keys::after(all.clone()), |key, _| {
            roots.extend(keys::published(key));
            Ok(())
        })?;
        Ok(roots)
    }

    /// Lets what the store counts be seen.
    pub fn register(&self, registry: &mut Registry) {
        self.0.index.metrics.register(registry);
        let store = registry.sub_registry_with_prefix("store");
        self.0.log.hot().register(store);
        store.register_collector(Box::new(metrics::Standing(Arc::downgrade(&self.0))));
    }

    /// Bytes of the log: where the next frame goes.
    pub fn log_bytes(&self) -> u64 {
        *self.0.tail.borrow()
    }

    /// What the store takes on disk. Walks the directories: not for a hot path.
    pub fn usage(&self) -> Result<Usage, Fault> {
        let dir = self.0.log.dir().parent().context("the log lies in the store's directory")?.to_owned();
        let mut usage = Usage::default();
        for entry in fs::read_dir(&dir).with_context(|| format!("listing {}", dir.display()))? {
            let path = entry?.path();
            let (files, bytes) = tree(&path)?;
            match path.file_name().and_then(|name| name.to_str()).unwrap_or_default() {
                "log" => (usage.segments, usage.log) = (files, bytes),
                "index" => usage.index = bytes,
                name if name.starts_with(recover::ASIDE) => usage.aside += bytes,
                _ => {}
            }
        }
        Ok(usage)
    }

    /// Counters as of the last batch.
    pub fn stats(&self) -> Stats {
        *self.0.stats.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is wrong, in sentences for the operator; empty when all is well. All damage is one line.
    pub fn degraded(&self) -> Vec<String> {
        self.ailing().into_iter().chain(self.0.health.damaged.sentence()).collect()
    }

    /// What is wrong beside what is known to be damaged.
    fn ailing(&self) -> Vec<String> {
        let index = self.0.index.failed().map(|why| format!("writing the index: {why}"));
        self.0.rebuild.sentence().into_iter().chain(self.0.health.reasons()).chain(index).collect()
    }

    /// What is known to be damaged, of the log and of the blocks.
    pub fn damage(&self) -> &Arc<Damages> {
        &self.0.health.damaged
    }

    fn source(&self) -> view::Snapshot {
        view::Snapshot::new(self.0.index.clone(), self.0.log.clone(), "")
    }

    fn holder(&self, reference: &[u8]) -> Result<(String, String), Fault> {
        let (number, record) = reference.split_first_chunk().context("a reference to data is too short")?;
        let tenant = self.0.index.get(&keys::tenant(u32::from_be_bytes(*number)))?;
        let tenant = tenant.context("a reference to data names an unknown tenant")?;
        Ok((String::from_utf8(tenant)?, String::from_utf8(record.to_vec())?))
    }

    async fn ask(&self, job: Job) -> Result<(), Fault> {
        // The queue would be waited for as long as that takes.
        self.whole()?;
        let jobs = self.0.jobs.as_ref().context("the store is closing")?;
        jobs.send(job).await.map_err(|_| anyhow!("the writer has ended"))
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        drop(self.jobs.take());
        self.rebuild.stop();
        if let Some(writer) = self.writer.take()
            // A decision may hold the last handle; then the writer itself is here, and ends next.
            && writer.thread().id() != thread::current().id()
            && writer.join().is_err()
        {
            tracing::error!("the store's writer panicked");
        }
    }
}

fn entry(position: Position, next: Position, arrived: Option<u64>, frame: Frame) -> Result<Entry, Fault> {
    let Frame::Message(message) = frame else { return Ok(Entry::State { position, next }) };
    let cid = message.cid();
    let data = message.data.as_ref().map(|info| Ok::<_, Fault>((info.root()?, info.size))).transpose()?;
    let frame::Message { tenant, author, message, latest, before, .. } = *message;
    let message = Bytes::from(message.into_vec());
    Ok(Entry::Message { position, next, arrived, tenant, author, cid, message, data, latest, before })
}

/// Deletes the index of the store in `dir`, which nobody has open: the next open builds it from the log. Its bytes.
pub fn forget_index(dir: &Path) -> Result<u64, Fault> {
    let _lock = lock(&dir.join("lock"))?;
    let index = dir.join("index");
    let (_, bytes) = tree(&index)?;
    if index.exists() {
        fs::remove_dir_all(&index).with_context(|| format!("deleting {}", index.display()))?;
    }
    Ok(bytes)
}

/// Makes the entries of a directory durable.
pub(crate) fn sync_dir(dir: &Path) -> Result<(), Fault> {
    let opened = scarce::patiently(|| File::open(dir)).with_context(|| format!("opening {}", dir.display()))?;
    opened.sync_all().with_context(|| format!("making {} durable", dir.display()))
}

/// Files below a path and their bytes. What goes away while it looks counts nothing.
fn tree(path: &Path) -> Result<(u64, u64), Fault> {
    let Ok(found) = fs::metadata(path) else { return Ok((0, 0)) };
    if !found.is_dir() {
        return Ok((1, found.len()));
    }
    let (mut files, mut bytes) = (0, 0);
    for entry in fs::read_dir(path).with_context(|| format!("listing {}", path.display()))? {
        let (more, length) = tree(&entry?.path())?;
        files += more;
        bytes += length;
    }
    Ok((files, bytes))
}

/// Takes the lock that keeps a second process, or a second open in this one, away.
fn lock(path: &Path) -> Result<File, Fault> {
    let file = File::options().create(true).truncate(false).write(true).open(path);
    let file = file.with_context(|| format!("opening {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            bail!("another process has this store open ({} is locked); stop it first", path.display())
        }
        Err(TryLockError::Error(error)) => Err(error).with_context(|| format!("locking {}", path.display())),
    }
}

/// What is wrong with the store.
#[derive(Debug, Default)]
struct Health {
    reasons: Mutex<Vec<String>>,
    stopped: Mutex<Option<Stopped>>,
    damaged: Arc<Damages>,
}

/// Why nothing is written.
#[derive(Debug, Clone, Copy)]
enum Stopped {
    /// The last write found no room; the next one tries again.
    Full,
    /// Until the node is restarted.
    Poisoned,
}

impl Health {
    /// With what is remembered in the store's directory.
    fn open(dir: &Path) -> Result<Self, Fault> {
        Ok(Self { damaged: Arc::new(Damages::open(dir)?), ..Self::default() })
    }

    /// Something of the log is damaged; whose it is, a scrub finds out.
    fn damaged(&self, object: Object, why: &str) {
        self.damaged.note(object, why, Vec::new());
    }

    /// Says it in the operator's log and keeps it, once.
    fn degrade(&self, reason: String) {
        let mut reasons = self.reasons.lock().unwrap_or_else(PoisonError::into_inner);
        if reasons.contains(&reason) {
            return;
        }
        tracing::error!("the store is degraded: {reason}");
        if reasons.len() < REASONS_MAX {
            reasons.push(reason);
        }
    }

    fn reasons(&self) -> Vec<String> {
        self.reasons.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn stop(&self, stopped: Option<Stopped>) {
        *self.stopped.lock().unwrap_or_else(PoisonError::into_inner) = stopped;
    }

    fn stopped(&self) -> Option<Stopped> {
        *self.stopped.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
