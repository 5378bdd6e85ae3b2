//! How a remote stands.

use super::kept::Remote;
use crate::{job::Moment, sync::Parked};
use prometheus_client::metrics::counter::Counter;
use serde::{Deserialize, Serialize};
use std::sync::atomic::{AtomicU64, Ordering};

/// A remote and how it stands.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
#[schemars(rename = "RemoteServerStatus")]
pub struct RemoteStatus {
    #[serde(flatten)]
    pub remote: Remote,
    /// After the last round both had the same, as far as this node knows, nothing was put aside, and nothing has been written here since.
    pub in_step: bool,
    /// When that was so last, since this node started.
    pub last_in_step: Option<Moment>,
    /// Messages that went there and came from there, since this node started.
    pub pushed: u64,
    pub pulled: u64,
    /// Messages that are known to lack there, and here, in the round that is under way.
    pub waiting_there: u64,
    pub waiting_here: u64,
    /// What could not be fetched or taken here, and what the server refused: it is tried again.
    pub put_aside: Vec<Parked>,
    pub put_aside_there: Vec<Parked>,
    /// Why the last round could not be ended.
    pub problem: Option<String>,
}

/// Counts of all remotes.
#[derive(Debug, Clone, Default)]
pub struct Counters {
    pub pushed: Counter,
    pub pulled: Counter,
}

/// What is counted of one remote.
#[derive(Debug, Default)]
pub struct Tally {
    all: Counters,
    pushed: AtomicU64,
    pulled: AtomicU64,
    sending: AtomicU64,
    receiving: AtomicU64,
}

impl Tally {
    pub fn new(all: Counters) -> Self {
        Self { all, ..Self::default() }
    }

    pub fn pushed(&self) {
        self.all.pushed.inc();
        self.pushed.fetch_add(1, Ordering::Relaxed);
    }

    pub fn pulled(&self) {
        self.all.pulled.inc();
        self.pulled.fetch_add(1, Ordering::Relaxed);
    }

    /// So many are to be sent now.
    pub fn sends(&self, messages: u64) {
        self.sending.store(messages, Ordering::Relaxed);
    }

    pub fn sent_one(&self) {
        let _ = self.sending.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| Some(left.saturating_sub(1)));
    }

    /// So many are to be fetched now.
    pub fn receives(&self, messages: u64) {
        self.receiving.store(messages, Ordering::Relaxed);
    }

    pub fn received_one(&self) {
        let _ = self.receiving.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| Some(left.saturating_sub(1)));
    }

    /// Pushed, pulled, and how many wait to be.
    pub fn counts(&self) -> [u64; 4] {
        [&self.pushed, &self.pulled, &self.sending, &self.receiving].map(|count| count.load(Ordering::Relaxed))
    }
}
