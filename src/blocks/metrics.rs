//! What the blocks count.

use super::report::{Collected, Scrubbed, Usage};
use crate::store::{Damaged, Damages};
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric as _},
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};
use std::sync::Arc;

/// Damaged objects that the metrics name; all are counted (`store_damaged`).
const NAMED_MAX: usize = 32;

/// Cheap to clone; every clone counts into the same numbers.
#[derive(Debug, Clone, Default)]
pub(super) struct Metrics {
    files: Gauge,
    file_bytes: Gauge,
    packs: Gauge,
    pack_bytes: Gauge,
    pack_live: Gauge,
    collected: Counter,
    collected_bytes: Counter,
    scrub_running: Gauge,
    scrub_bytes: Gauge,
    scrub_damaged: Counter,
    scrub_healed: Counter,
    scrubs: Counter,
}

impl Metrics {
    pub fn register(&self, registry: &mut Registry, damages: &Arc<Damages>) {
        let blocks = registry.sub_registry_with_prefix("blocks");
        blocks.register("files", "Block files when collection looked last", self.files.clone());
        blocks.register("file_bytes", "Bytes of block files when collection looked last", self.file_bytes.clone());
        blocks.register("packs", "Packs when collection looked last", self.packs.clone());
        blocks.register("pack_bytes", "Bytes of packs when collection looked last", self.pack_bytes.clone());
        blocks.register("pack_live_bytes", "Of these, bytes of blocks in the index", self.pack_live.clone());
        blocks.register("collected", "Blocks that nothing needed and that are gone", self.collected.clone());
        blocks.register("collected_bytes", "Bytes that collection gave back", self.collected_bytes.clone());
        blocks.register("scrub_running", "1 while a scrub reads", self.scrub_running.clone());
        blocks.register("scrub_bytes", "Bytes that the running scrub, or the last, has read", self.scrub_bytes.clone());
        blocks.register("scrub_damaged", "Damaged objects that scrubs found", self.scrub_damaged.clone());
        blocks.register("scrub_healed", "Of these, blocks that came anew from a peer", self.scrub_healed.clone());
        blocks.register("scrubs_completed", "Scrubs that came to the end", self.scrubs.clone());
        registry.register_collector(Box::new(Named(damages.clone())));
    }

    pub fn stand(&self, usage: &Usage) {
        let gauges = [
            (&self.files, usage.files),
            (&self.file_bytes, usage.file_bytes),
            (&self.packs, usage.packs),
            (&self.pack_bytes, usage.pack_bytes),
            (&self.pack_live, usage.pack_live),
        ];
        for (gauge, value) in gauges {
            gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
        }
    }

    pub fn collected(&self, done: &Collected) {
        self.collected.inc_by(done.blocks + done.orphans);
        self.collected_bytes.inc_by(done.bytes);
    }

    /// A scrub runs, until what is returned is dropped.
    pub fn scrubbing(&self) -> Scrubbing {
        self.scrub_running.inc();
        Scrubbing { metrics: self.clone(), damaged: 0, healed: 0 }
    }
}

/// What is damaged, by name, as long as it is.
#[derive(Debug)]
struct Named(Arc<Damages>);

impl Collector for Named {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let damaged = self.0.list(NAMED_MAX);
        if damaged.is_empty() {
            return Ok(());
        }
        let family = Family::<Vec<(&str, String)>, Gauge>::default();
        for Damaged { object, records, .. } in damaged {
            let record = records.into_iter().next().map(|holder| holder.record).unwrap_or_default();
            family.get_or_create(&vec![("object", object), ("record", record)]).set(1);
        }
        let help =
            "Objects known to be damaged, some of them if there are many, with a record that has something in it";
        family.encode(encoder.encode_descriptor("damaged_object", help, None, family.metric_type())?)
    }
}

/// A scrub under way.
#[derive(Debug)]
pub(super) struct Scrubbing {
    metrics: Metrics,
    damaged: u64,
    healed: u64,
}

impl Scrubbing {
    /// What it has found so far.
    pub fn found(&mut self, done: &Scrubbed) {
        let Metrics { scrub_bytes, scrub_damaged, scrub_healed, scrubs, .. } = &self.metrics;
        scrub_bytes.set(i64::try_from(done.bytes).unwrap_or(i64::MAX));
        scrub_damaged.inc_by(done.damaged - self.damaged);
        scrub_healed.inc_by(done.healed - self.healed);
        scrubs.inc_by(u64::from(done.complete));
        (self.damaged, self.healed) = (done.damaged, done.healed);
    }
}

impl Drop for Scrubbing {
    fn drop(&mut self) {
        self.metrics.scrub_running.dec();
    }
}
