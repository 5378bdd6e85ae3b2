//! How the node does, looked at once for all who follow it.

use crate::{job::Jobs, net::Net, store::Store};
use futures::{Stream, stream};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{sync::Arc, time::Duration};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// How often it is looked at, while anybody follows.
const EVERY: Duration = Duration::from_secs(1);

/// Whether all is well with what the node keeps; `/health` says the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Health {
    pub healthy: bool,
    /// Writes are taken.
    pub writable: bool,
    /// Sentences; none if all is well.
    pub problems: Vec<String>,
}

impl Health {
    /// Asks the file system.
    pub(super) fn of(store: &Store) -> Self {
        let read_only = store.read_only();
        let writable = read_only.is_none();
        let problems: Vec<_> = store.degraded().into_iter().chain(read_only).collect();
        Self { healthy: problems.is_empty(), writable, problems }
    }
}

/// How the node does at a moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Beat {
    #[serde(flatten)]
    pub health: Health,
    /// libp2p peers that are connected.
    pub connections: usize,
    /// Jobs whose last run failed, by name.
    pub failing: Vec<String>,
}

/// What is looked at.
#[derive(Debug, Clone)]
pub(super) struct Source {
    pub store: Store,
    pub net: Net,
    pub jobs: Jobs,
    pub stop: CancellationToken,
}

impl Source {
    async fn look(&self) -> Option<Beat> {
        let store = self.store.clone();
        let health = tokio::task::spawn_blocking(move || Health::of(&store)).await.ok()?;
        let connections = self.net.connected().await.map_or(0, |peers| peers.len());
        let failing = self.jobs.list().into_iter().filter(|job| job.failing).map(|job| job.name).collect();
        Some(Beat { health, connections, failing })
    }
}

/// What is told to all who follow. One task looks, as long as there is anybody. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Pulse(Arc<watch::Sender<Option<Beat>>>);

impl Pulse {
    /// How the node does, now and whenever that changes.
    pub(super) fn follow(&self, source: Source) -> impl Stream<Item = Beat> + Send + 'static {
        let is_first = self.0.receiver_count() == 0;
        let mut beats = self.0.subscribe();
        beats.mark_changed();
        if is_first {
            tokio::spawn(beat(self.0.clone(), source));
        }
        stream::unfold(beats, async |mut beats| {
            loop {
                beats.changed().await.ok()?;
                let now = beats.borrow_and_update().clone();
                if let Some(beat) = now {
                    return Some((beat, beats));
                }
            }
        })
    }
}

async fn beat(told: Arc<watch::Sender<Option<Beat>>>, source: Source) {
    while told.receiver_count() > 0 {
        if let Some(now) = source.look().await {
            told.send_if_modified(|before| {
                let is_new = before.as_ref() != Some(&now);
                *before = Some(now);
                is_new
            });
        }
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            () = source.stop.cancelled() => break,
        }
    }
}
