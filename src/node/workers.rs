//! Workers: a bounded number at the same time, at most half of them for one address. A request waits behind those of its own
//! address first, so one address cannot make another wait long.

use crate::{asker::Asker, dwn::Fault};
use anyhow::{Context as _, anyhow};
use std::{
    collections::HashMap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Messages that are hashed, verified or staged at the same time: CPU work, so a few per core.
const WORKERS_PER_CORE: usize = 4;

/// Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Workers(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    all: Arc<Semaphore>,
    share: usize,
    /// Of those with a share that have something to do, or wait for it.
    each: Mutex<HashMap<Asker, Arc<Semaphore>>>,
    /// Threads of the runtime that may work.
    turns: Semaphore,
}

/// Leave to work, until it is dropped.
#[derive(Debug)]
struct Leave {
    _all: OwnedSemaphorePermit,
    _share: Share,
}

/// Of an address, or of a friend's node.
#[derive(Debug)]
struct Share {
    workers: Workers,
    of: Option<Asker>,
    permit: Option<OwnedSemaphorePermit>,
}

impl Workers {
    /// A few for each core, and half of the runtime's threads for turns.
    pub fn of_this_machine() -> Self {
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        let threads = tokio::runtime::Handle::try_current().map_or(0, |runtime| runtime.metrics().num_workers());
        Self::new(cores * WORKERS_PER_CORE, threads / 2)
    }

    fn new(most: usize, turns: usize) -> Self {
        let (all, turns) = (Arc::new(Semaphore::new(most)), Semaphore::new(turns));
        Self(Arc::new(Inner { all, share: (most / 2).max(1), each: Mutex::default(), turns }))
    }

    /// CPU-bound work on the blocking pool, a bounded number at a time.
    pub async fn run<T: Send + 'static>(
        &self,
        asker: Asker,
        f: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Fault> {
        let _leave = self.leave(asker).await?;
        tokio::task::spawn_blocking(f).await.map_err(|e| anyhow!("a worker failed: {e}"))
    }

    /// Short work runs on this very thread: handing it to another costs as much as doing it. At most half of the runtime's
    /// threads are used like this, so that the network never waits for the disk. All other work goes to [`Workers::run`].
    pub async fn turn<T: Send + 'static>(
        &self,
        (asker, is_short): (Asker, bool),
        f: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Fault> {
        if !is_short {
            return self.run(asker, f).await;
        }
        let Ok(_turn) = self.0.turns.try_acquire() else { return self.run(asker, f).await };
        catch_unwind(AssertUnwindSafe(f)).map_err(|_| anyhow!("a worker failed: it panicked"))
    }

    async fn leave(&self, asker: Asker) -> Result<Leave, Fault> {
        const STOPPING: &str = "the node is stopping";
        // Made first: whatever happens while it waits, the address is forgotten when nobody of it is left.
        let mut share = Share { workers: self.clone(), of: asker.share(), permit: None };
        if let Some(sharer) = share.of {
            let semaphore = self.each().entry(sharer).or_insert_with(|| Arc::new(Semaphore::new(self.0.share))).clone();
            share.permit = Some(semaphore.acquire_owned().await.context(STOPPING)?);
        }
        let all = self.0.all.clone().acquire_owned().await.context(STOPPING)?;
        Ok(Leave { _all: all, _share: share })
    }

    fn each(&self) -> MutexGuard<'_, HashMap<Asker, Arc<Semaphore>>> {
        self.0.each.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let Some(sharer) = self.of else { return };
        let mut each = self.workers.each();
        self.permit = None;
        // Who waits holds it too.
        if each.get(&sharer).is_some_and(|semaphore| Arc::strong_count(semaphore) == 1) {
            each.remove(&sharer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt as _;

    #[tokio::test]
    async fn one_address_has_half_and_another_waits_for_none_of_it() {
        let workers = Workers::new(4, 0);
        let at = |n: u8| workers.leave(Asker::at([10, 0, 0, n].into()));
        let first = [at(1).await.expect("leave"), at(1).await.expect("leave")];
        let mut waits = [Box::pin(at(1)), Box::pin(at(1))];
        assert!(waits.iter_mut().all(|wait| wait.now_or_never().is_none()), "it has its half");
        let others = [at(2).now_or_never().expect("at once").expect("leave"), at(3).await.expect("leave")];
        assert!(workers.leave(Asker::Owner).now_or_never().is_none(), "all are at work");
        drop(others);
        assert!(workers.leave(Asker::Owner).now_or_never().is_some());
        drop(first);
        for wait in waits {
            wait.await.expect("leave");
        }
        assert!(workers.each().is_empty());
    }
}
