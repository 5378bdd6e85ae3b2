//! Named tasks under one cancellation: a task that panics stops the node instead of leaving it limping.

use anyhow::{Error, anyhow};
use futures::FutureExt as _;
use std::{future::Future, panic::AssertUnwindSafe, sync::Arc, time::Duration};
use tokio::sync::Mutex;
use tokio_util::{
    sync::CancellationToken,
    task::{TaskTracker, task_tracker::TrackedFuture},
};

/// The tasks of one node. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Tasks {
    stop: CancellationToken,
    tracker: TaskTracker,
    failure: Arc<Mutex<Option<Error>>>,
}

impl Tasks {
    /// Cancelled when the node is to stop; every task watches it.
    pub fn stop(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// Runs `task`. An error or a panic of it is kept as the reason and stops the node.
    pub fn spawn(&self, name: &'static str, task: impl Future<Output = Result<(), Error>> + Send + 'static) {
        let this = self.clone();
        self.tracker.spawn(async move {
            let outcome = AssertUnwindSafe(task).catch_unwind().await;
            let error = match outcome {
                Ok(Ok(())) => return,
                Ok(Err(error)) => error.context(format!("task '{name}' failed")),
                Err(panic) => anyhow!("task '{name}' panicked: {}", panic_text(&panic)),
            };
            tracing::error!("{error:#}; the node stops");
            this.failure.lock().await.get_or_insert(error);
            this.stop.cancel();
        });
    }

    /// Makes [`Tasks::finish`] wait for a future that somebody else runs. It watches [`Tasks::stop`] itself.
    pub fn track<F: Future>(&self, future: F) -> TrackedFuture<F> {
        self.tracker.track_future(future)
    }

    /// Cancels all tasks and waits for them, at most `deadline`. Returns the first failure, if there was one.
    pub async fn finish(&self, deadline: Duration) -> Result<(), Error> {
        self.stop.cancel();
        self.tracker.close();
        if tokio::time::timeout(deadline, self.tracker.wait()).await.is_err() {
            tracing::warn!("{} task(s) did not stop within {deadline:?} and were left", self.tracker.len());
        }
        self.failure.lock().await.take().map_or(Ok(()), Err)
    }
}

fn panic_text(panic: &Box<dyn std::any::Any + Send>) -> &str {
    panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("?")
}

/// Waiting times that double from `first` up to `most`, for things that may come back.
#[derive(Debug, Clone)]
pub struct Backoff {
    next: Duration,
    first: Duration,
    most: Duration,
}

impl Backoff {
    pub fn new(first: Duration, most: Duration) -> Self {
        Self { next: first, first, most }
    }

    /// How long to wait now; the wait after it is twice as long.
    pub fn wait(&mut self) -> Duration {
        let now = self.next;
        self.next = (self.next * 2).min(self.most);
        now
    }

    /// It worked: begin small again.
    pub fn reset(&mut self) {
        self.next = self.first;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panicking_task_stops_the_node_and_is_named() {
        let tasks = Tasks::default();
        tasks.spawn("careful", {
            let stop = tasks.stop();
            async move {
                stop.cancelled().await;
                Ok(())
            }
        });
        tasks.spawn("careless", async { panic!("slipped") });
        tasks.stop().cancelled().await;
        let error = tasks.finish(Duration::from_secs(5)).await.expect_err("the panic is the reason");
        assert!(error.to_string().contains("'careless' panicked: slipped"), "{error}");
    }

    #[test]
    fn backoff_doubles_to_its_bound() {
        let mut wait = Backoff::new(Duration::from_secs(1), Duration::from_secs(3));
        assert_eq!([wait.wait(), wait.wait(), wait.wait()].map(|w| w.as_secs()), [1, 2, 3]);
        wait.reset();
        assert_eq!(wait.wait().as_secs(), 1);
    }
}
