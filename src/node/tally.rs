//! What retention has done since the node started.

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family},
    registry::Registry,
};
use serde::{Deserialize, Serialize};
use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicU64, Ordering},
};

#[derive(Debug, Clone, Hash, PartialEq, Eq, EncodeLabelSet)]
struct How {
    how: &'static str,
}

/// What retention has done since the node started.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Retained {
    pub rules: u64,
    /// Records of this node's own tenant that were deleted.
    pub deleted: u64,
    /// Records of others that left this node.
    pub purged: u64,
    /// Rows of the index that were looked at.
    pub looked_at: u64,
    /// A round is under way.
    pub at_work: bool,
    /// Why the last round left something for the next one.
    pub problem: Option<String>,
}

/// What retention does, as it goes on.
#[derive(Debug, Default)]
pub(super) struct Tally {
    retained: Mutex<Retained>,
    /// Counts what leaves without a message.
    gone: AtomicU64,
    records: Family<How, Counter>,
}

impl Tally {
    pub fn register(&self, registry: &mut Registry) {
        let help = "Records whose time was over: deleted (this node's own), purged (others')";
        registry.register("retention_records", help, self.records.clone());
    }

    pub fn now(&self) -> Retained {
        self.retained.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn note(&self, f: impl FnOnce(&mut Retained)) {
        f(&mut self.retained.lock().unwrap_or_else(PoisonError::into_inner));
    }

    pub fn gone(&self) -> u64 {
        self.gone.load(Ordering::SeqCst)
    }

    /// Messages leave the store of which the log tells followers nothing. To be called before and after: who sees the store without them
    /// sees that something is gone, and who saw it with them does so later.
    pub fn leaves(&self) {
        self.gone.fetch_add(1, Ordering::SeqCst);
    }

    pub fn count(&self, how: &'static str, records: usize) {
        self.records.get_or_create(&How { how }).inc_by(records as u64);
    }
}
