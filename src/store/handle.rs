//! The handle to a store: opening, closing, and what is asked of the writer.

use super::{
    config::Config,
    damaged::Damages,
    files::{lock, sync_dir},
    health::Health,
    log::Log,
    metrics::Compacted,
    place::{Data, Position},
    query::Explained,
    rebuild::Rebuild,
    recover::{self, Opened},
    rows::{index::Index, keys, row::Stats, source::Snapshot},
    space::Space,
    view::TenantView,
    writer::{Job, QUEUE_MAX, Writer},
};
use crate::dwn::{Change, Fault, Refusal, Select, Stop, View};
use anyhow::{Context as _, anyhow};
use std::{
    fs::{self, File},
    path::Path,
    sync::{Arc, Mutex, atomic::AtomicBool},
    thread::{self, JoinHandle},
};
use tokio::sync::{mpsc, oneshot, watch};

/// Handle to the store; cheap to clone. When the last one is dropped, the writer finishes what is queued, the
/// index is flushed and the directory is free again.
#[derive(Debug, Clone)]
pub struct Store(pub(super) Arc<Inner>);

#[derive(Debug)]
pub struct Inner {
    pub(super) index: Arc<Index>,
    pub(super) log: Log,
    pub(super) tail: watch::Receiver<Position>,
    pub(super) stats: Arc<Mutex<Stats>>,
    pub(super) health: Arc<Health>,
    pub(super) space: Space,
    pub(super) rebuild: Arc<Rebuild>,
    /// A round of compaction is under way.
    pub(super) compacting: Arc<AtomicBool>,
    /// What the last round of compaction has found, and the bytes that all of this run have given back.
    pub(super) compacted: Mutex<(Compacted, u64)>,
    /// Held while a file of the log is replaced.
    pub(super) still: Mutex<()>,
    /// Taken when the store closes: the writer ends when its queue does.
    pub(super) jobs: Option<mpsc::Sender<Job>>,
    writer: Option<JoinHandle<()>>,
    /// Declared last: the directory is freed when all else is closed.
    _lock: File,
}

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
        let Opened { log, appender, index, end, rest } =
            recover::open(dir, config, &health).with_context(|| format!("opening the store in {}", dir.display()))?;
        let index = Arc::new(index);
        let stats = index.get(&keys::meta("stats"))?.map_or(Ok(Stats::default()), |bytes| Stats::decode(&bytes))?;
        let stats = Arc::new(Mutex::new(stats));
        let (tail_sender, tail) = watch::channel(end);
        let (jobs, queue) = mpsc::channel(QUEUE_MAX);
        let writer = Writer {
            index: index.clone(),
            log: log.clone(),
            appender,
            tail: tail_sender,
            stats: stats.clone(),
            health: health.clone(),
            poisoned: None,
        };
        let rebuild = Rebuild::new(&rest);
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
            space: Space::new(dir, config.min_free),
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

    /// One tenant's past. It is frozen when it is first asked: all calls on it see one state of the index.
    pub fn view(&self, tenant: &str) -> Box<dyn View + Send> {
        Box::new(TenantView::new(self.source(), tenant))
    }

    /// Answers a query of a tenant's records and says how: which indexes were considered, chosen and gone through.
    pub fn explain(&self, tenant: &str, select: &Select) -> Result<Explained, Fault> {
        TenantView::new(self.source(), tenant).explain(select)
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
        self.send(Job::Commit { tenant: tenant.to_owned(), data, decide: Box::new(decide), reply }).await?;
        answer.await.map_err(|_| Stop::Fault(anyhow!("the writer has ended")))?
    }

    /// Sets (or with `None` removes) state, atomically and durably: it goes through the log like a message.
    pub async fn put_state(&self, changes: Vec<(Vec<u8>, Option<Vec<u8>>)>) -> Result<(), Fault> {
        let (reply, answer) = oneshot::channel();
        self.ask(Job::State { changes, reply }).await?;
        answer.await.context("the writer has ended")?
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

    /// Is there room for a file of so many bytes? Otherwise the refusal that says so.
    pub fn room_for(&self, bytes: u64) -> Result<(), Stop> {
        self.room()?;
        Ok(self.0.space.check_file(bytes)??)
    }

    /// Free bytes on the disk, as of a moment ago.
    pub fn free(&self) -> Result<u64, Fault> {
        self.0.space.free()
    }

    /// End of what is durable; followers wait on it.
    pub fn tail(&self) -> watch::Receiver<Position> {
        self.0.tail.clone()
    }

    /// What the store holds from now on, or rather from the first read on.
    pub(super) fn source(&self) -> Snapshot {
        Snapshot::new(self.0.index.clone(), self.0.log.clone())
    }

    /// Queues a job, if the index is whole.
    pub(super) async fn ask(&self, job: Job) -> Result<(), Fault> {
        self.whole()?;
        self.send(job).await
    }

    /// Queues a job. The index is whole: else the queue would be waited for as long as that takes.
    async fn send(&self, job: Job) -> Result<(), Fault> {
        let jobs = self.0.jobs.as_ref().context("the store is closing")?;
        jobs.send(job).await.map_err(|_| anyhow!("the writer has ended"))
    }

    /// What is known to be damaged, of the log and of the blocks.
    pub fn damage(&self) -> &Arc<Damages> {
        &self.0.health.damaged
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
