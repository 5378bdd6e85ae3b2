//! What the store counts.

use super::place::Position;
use prometheus_client::{
    metrics::{
        counter::Counter,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
    },
    registry::Registry,
};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Cheap to clone; every clone counts into the same numbers.
#[derive(Debug, Clone)]
pub struct Metrics {
    scanned: Counter,
    returned: Counter,
    per_returned: Histogram,
    group: Histogram,
    fsync: Histogram,
    /// End of what is durable in the log, whether or not the index has it yet.
    pub durable: Gauge,
    backed_up: Gauge,
}

impl Default for Metrics {
    fn default() -> Self {
        let buckets = [1.0, 2.0, 4.0, 8.0, 16.0, 64.0, 256.0, 1024.0, 4096.0, 65536.0];
        Self {
            scanned: Counter::default(),
            returned: Counter::default(),
            per_returned: Histogram::new(buckets),
            group: Histogram::new(exponential_buckets(1.0, 2.0, 7)),
            fsync: Histogram::new(exponential_buckets(0.000_25, 2.0, 14)),
            durable: Gauge::default(),
            backed_up: Gauge::default(),
        }
    }
}

impl Metrics {
    pub fn register(&self, registry: &mut Registry) {
        let store = registry.sub_registry_with_prefix("store");
        store.register("query_rows_scanned", "Index entries that queries looked at", self.scanned.clone());
        store.register("query_rows_returned", "Records that queries found", self.returned.clone());
        store.register(
            "query_rows_scanned_per_returned",
            "Index entries looked at for each record found (for none found: in all), by query",
            self.per_returned.clone(),
        );
        store.register("commit_group_writes", "Writes made durable with one fdatasync", self.group.clone());
        store.register("fsync_seconds", "How long fdatasync of the log took", self.fsync.clone());
        store.register(
            "backup_last_success_timestamp_seconds",
            "When a snapshot was taken last, in seconds since 1970; 0: not since the start",
            self.backed_up.clone(),
        );
    }

    /// A group of writes has become durable, up to this position.
    pub fn committed(&self, writes: usize, took: Duration, end: Position) {
        self.group.observe(writes as f64);
        self.fsync.observe(took.as_secs_f64());
        self.durable.set(number(end));
    }

    /// A snapshot of the home has been taken.
    pub fn backed_up(&self) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs());
        self.backed_up.set(number(now));
    }

    /// A query has been answered.
    pub fn queried(&self, scanned: u64, returned: u64) {
        self.scanned.inc_by(scanned);
        self.returned.inc_by(returned);
        self.per_returned.observe(scanned as f64 / returned.max(1) as f64);
    }
}

pub fn number(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

/// What a round of compaction has done.
#[derive(Debug, Clone, Copy, Default, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct Compacted {
    /// Sealed segments looked at, and their bytes before.
    pub segments: u64,
    pub log: u64,
    /// Of these bytes, those that could go.
    pub dead: u64,
    /// Segments written anew.
    pub rewritten: u64,
    /// Messages of which only a stub is left.
    pub messages: u64,
    /// Frames left out altogether.
    pub frames: u64,
    /// Bytes given back to the file system.
    pub bytes: u64,
    /// Segments left as they are because something in them is damaged.
    pub damaged: u64,
}
