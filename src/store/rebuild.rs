//! The index while it is still behind the log: how far it is, who waits for it, what is refused meanwhile.
//!
//! The rest of the log is applied on the writer's thread before it takes its first job: there is one who changes the
//! index. Meanwhile the index is that of an earlier moment, and says so: nothing is written, and of reads only those
//! should be answered that an earlier moment may answer (`node` decides which).

use super::{
    health::Health,
    log::Log,
    place::Position,
    recover::{self, Rest, SHORT},
    rows::{index::Index, row::Stats},
};
use crate::dwn::{Fault, Refusal};
use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::sync::watch;

/// How often the operator is told how far it is.
const TELL_EVERY: Duration = Duration::from_secs(10);

/// How far the index is. Shared by who builds it and who waits.
#[derive(Debug)]
pub struct Rebuild {
    from: Position,
    to: Position,
    at: AtomicU64,
    /// The store closes: enough is enough.
    stop: AtomicBool,
    ended: watch::Sender<bool>,
    /// Why it could not be built.
    fault: Mutex<Option<Fault>>,
}

impl Rebuild {
    pub fn new(rest: &Rest) -> Arc<Self> {
        let (ended, _) = watch::channel(false);
        let (from, to, at) = (rest.from, rest.to, AtomicU64::new(rest.from));
        Arc::new(Self { from, to, at, stop: AtomicBool::new(false), ended, fault: Mutex::default() })
    }

    /// Is what is missing so little that it is waited for?
    pub fn is_short(&self) -> bool {
        self.to.saturating_sub(self.from) <= SHORT
    }

    /// Bytes of the log that the index does not have yet; `None`: it has all, or never will.
    pub fn left(&self) -> Option<u64> {
        (!*self.ended.borrow()).then(|| self.to.saturating_sub(self.at.load(Ordering::Relaxed)))
    }

    /// What is said while it is built.
    pub fn sentence(&self) -> Option<String> {
        let all = self.to.saturating_sub(self.from).max(1);
        let done = all.saturating_sub(self.left()?);
        Some(format!("the index is being built again from the log: {} % done", done * 100 / all))
    }

    /// A refusal until the index is whole.
    pub fn check(&self) -> Result<(), Refusal> {
        match self.sentence() {
            None => Ok(()),
            Some(sentence) => {
                let why = format!("IndexRebuilding: this node is read-only, and answers its tenants only: {sentence}");
                Err(Refusal::new(503, why))
            }
        }
    }

    /// Resolves when the index is whole, or with the reason why it cannot be.
    pub async fn wait(&self) -> Result<(), Fault> {
        let mut ended = self.ended.subscribe();
        // The sender lives as long as this.
        let _ = ended.wait_for(|ended| *ended).await;
        self.fault.lock().unwrap_or_else(PoisonError::into_inner).take().map_or(Ok(()), Err)
    }

    /// Whoever builds it is to stop.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// Builds what is missing. `false`: it was told to stop, or could not.
    pub fn run(&self, rest: Rest, (index, log): (&Index, &Log), health: &Health, stats: &Mutex<Stats>) -> bool {
        let mut told = Instant::now();
        let reached = |at: Position, now: Stats| {
            self.at.store(at, Ordering::Relaxed);
            *stats.lock().unwrap_or_else(PoisonError::into_inner) = now;
            if told.elapsed() > TELL_EVERY {
                told = Instant::now();
                tracing::warn!("{}", self.sentence().unwrap_or_default());
            }
            #[cfg(test)]
            hindrance::pause(log.dir(), &self.stop);
            !self.stop.load(Ordering::Relaxed)
        };
        let outcome = recover::finish(rest, (index, log), health, reached);
        let whole = matches!(outcome, Ok(true));
        if let Err(fault) = outcome {
            *self.fault.lock().unwrap_or_else(PoisonError::into_inner) = Some(fault);
        }
        self.ended.send_replace(true);
        whole
    }
}

/// Stops a rebuild where a test wants it stopped.
#[cfg(test)]
pub mod hindrance {
    use std::{
        collections::BTreeSet,
        path::{Path, PathBuf},
        sync::{
            Condvar, Mutex, PoisonError,
            atomic::{AtomicBool, Ordering},
        },
        time::Duration,
    };

    /// Logs whose index is not built further.
    static HELD: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());
    static LET_GO: Condvar = Condvar::new();

    /// Stands behind every batch that is applied while an index is built.
    pub fn pause(log: &Path, stop: &AtomicBool) {
        let mut held = HELD.lock().unwrap_or_else(PoisonError::into_inner);
        while held.contains(log) && !stop.load(Ordering::Relaxed) {
            held = LET_GO.wait_timeout(held, Duration::from_millis(10)).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Lets the index of a store be built only so far as its first batch, until it is dropped.
    #[derive(Debug)]
    pub struct Hindrance(PathBuf);

    impl Hindrance {
        /// `dir`: the store's.
        pub fn new(dir: &Path) -> Self {
            let log = dir.join("log");
            HELD.lock().unwrap_or_else(PoisonError::into_inner).insert(log.clone());
            Self(log)
        }
    }

    impl Drop for Hindrance {
        fn drop(&mut self) {
            HELD.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.0);
            LET_GO.notify_all();
        }
    }
}
