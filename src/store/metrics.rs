//! What the store counts.

use prometheus_client::{
    metrics::{counter::Counter, histogram::Histogram},
    registry::Registry,
};

/// Cheap to clone; every clone counts into the same numbers.
#[derive(Debug, Clone)]
pub(super) struct Metrics {
    scanned: Counter,
    returned: Counter,
    per_returned: Histogram,
}

impl Default for Metrics {
    fn default() -> Self {
        let buckets = [1.0, 2.0, 4.0, 8.0, 16.0, 64.0, 256.0, 1024.0, 4096.0, 65536.0];
        Self { scanned: Counter::default(), returned: Counter::default(), per_returned: Histogram::new(buckets) }
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
    }

    /// A query has been answered.
    pub fn queried(&self, scanned: u64, returned: u64) {
        self.scanned.inc_by(scanned);
        self.returned.inc_by(returned);
        self.per_returned.observe(scanned as f64 / returned.max(1) as f64);
    }
}
