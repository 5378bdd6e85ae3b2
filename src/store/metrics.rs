//! What the store counts.

use super::{Inner, Position};
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric as _},
    metrics::{
        counter::Counter,
        gauge::{ConstGauge, Gauge},
        histogram::{Histogram, exponential_buckets},
    },
    registry::Registry,
};
use std::{
    sync::{PoisonError, Weak},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// Cheap to clone; every clone counts into the same numbers.
#[derive(Debug, Clone)]
pub(super) struct Metrics {
    scanned: Counter,
    returned: Counter,
    per_returned: Histogram,
    group: Histogram,
    fsync: Histogram,
    /// End of what is durable in the log, whether or not the index has it yet.
    durable: Gauge,
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

fn number(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

/// What is looked up when it is asked for. Does not keep the store open.
#[derive(Debug)]
pub(super) struct Standing(pub Weak<Inner>);

impl Collector for Standing {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let Some(store) = self.0.upgrade() else { return Ok(()) };
        let stats = *store.stats.lock().unwrap_or_else(PoisonError::into_inner);
        let (round, reclaimed) = *store.compacted.lock().unwrap_or_else(PoisonError::into_inner);
        let tail = *store.tail.borrow();
        let durable = u64::try_from(store.index.metrics.durable.get()).unwrap_or(0);
        let queue = store.jobs.as_ref().map_or(0, |jobs| jobs.max_capacity() - jobs.capacity());
        let gauges = [
            ("messages", "Messages kept", stats.messages),
            ("records", "Latest states of records", stats.records),
            ("blocks", "Blocks that have a place", stats.blocks),
            ("data_bytes", "Bytes of data that records hold", stats.bytes),
            ("log_end_bytes", "Bytes ever written to the log", tail),
            (
                "index_lag_bytes",
                "Bytes durable in the log that the index does not have yet",
                durable.saturating_sub(tail),
            ),
            (
                "rebuild_left_bytes",
                "Bytes of the log that the index is still to be built from; 0: it is whole",
                store.rebuild.left().unwrap_or(0),
            ),
            ("queue_depth", "Writes that wait for the writer", queue as u64),
            ("log_sealed_bytes", "Bytes of sealed segments when compaction looked last", round.log),
            (
                "log_dead_bytes",
                "Of these, bytes that could go (less what went)",
                round.dead.saturating_sub(round.bytes),
            ),
            ("compaction_reclaimed_bytes", "Bytes of the log given back by compaction since the start", reclaimed),
            (
                "degraded",
                "Things that are wrong with the store (see /health), damaged objects among them",
                (store.health.reasons().len() + store.health.damaged.count()) as u64,
            ),
            ("damaged", "Objects of the log and blocks known to be damaged", store.health.damaged.count() as u64),
        ];
        for (name, help, value) in gauges {
            let gauge = ConstGauge::new(number(value));
            gauge.encode(encoder.encode_descriptor(name, help, None, gauge.metric_type())?)?;
        }
        Ok(())
    }
}
