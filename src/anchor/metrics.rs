//! What the anchor counts.

use prometheus_client::{
    metrics::{counter::Counter, gauge::Gauge},
    registry::Registry,
};

/// Cheap to clone; every clone counts into the same numbers.
#[derive(Debug, Default, Clone)]
pub struct Metrics {
    pub queued: Gauge,
    pub open: Gauge,
    pub batches: Counter,
    pub leaves: Counter,
    pub signed: Counter,
    pub fees: Counter,
    pub reorganised: Counter,
    pub failures: Counter,
}

impl Metrics {
    pub fn register(&self, registry: &mut Registry) {
        let anchor = registry.sub_registry_with_prefix("anchor");
        anchor.register("queued", "Messages and data that wait for the next batch", self.queued.clone());
        anchor.register("open", "Batches that are not final", self.open.clone());
        anchor.register("batches", "Batches made", self.batches.clone());
        anchor.register("leaves", "Messages and data put into batches", self.leaves.clone());
        anchor.register("signed", "Transactions signed", self.signed.clone());
        anchor.register("fees_sat", "Fees of the transactions signed", self.fees.clone());
        anchor.register("reorganised", "Anchors whose block was reorganised away", self.reorganised.clone());
        anchor.register("failures", "Times bitcoind could not be asked or refused", self.failures.clone());
    }
}
