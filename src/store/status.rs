//! What the operator is told of a store: what it counts, what it takes, what is wrong.

use super::{
    files::{lock, tree},
    handle::{Inner, Store},
    health::Stopped,
    metrics::number,
    recover,
    rows::row::Stats,
};
use crate::dwn::{Fault, Stop};
use anyhow::Context as _;
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric as _},
    metrics::gauge::ConstGauge,
    registry::Registry,
};
use std::{
    fs,
    path::Path,
    sync::{Arc, PoisonError, Weak},
};

/// Free bytes with which a disk that was full is no longer called so.
const ROOM: u64 = 20 << 20;

/// Bytes on disk.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[schemars(rename = "StoreUsage")]
pub struct Usage {
    pub log: u64,
    pub segments: u64,
    pub index: u64,
    /// Indexes that were set aside; they can be deleted.
    pub aside: u64,
}

impl Store {
    /// Why nothing is written at this moment, in a sentence for anyone; `None` when writes are taken.
    pub fn read_only(&self) -> Option<String> {
        match self.0.health.stopped() {
            Some(Stopped::Poisoned) => return Some("writing has stopped until this node is restarted".into()),
            // There may be room again and nobody who wrote since.
            Some(Stopped::Full) if self.0.space.now().is_ok_and(|free| free < ROOM) => {
                return Some("the disk of this node is full".into());
            }
            _ => {}
        }
        self.room().err().map(|why| match why {
            Stop::Refusal(refusal) => refusal.detail,
            Stop::Fault(_) => "the disk of this node does not say how much room it has".into(),
        })
    }

    /// Lets what the store counts be seen.
    pub fn register(&self, registry: &mut Registry) {
        self.0.index.metrics.register(registry);
        let store = registry.sub_registry_with_prefix("store");
        self.0.log.messages().register(store);
        store.register_collector(Box::new(Standing(Arc::downgrade(&self.0))));
    }

    /// Bytes of the log: where the next frame goes.
    pub fn log_bytes(&self) -> u64 {
        *self.0.tail.borrow()
    }

    /// What the store takes on disk. Walks the directories: not for a hot path.
    pub fn usage(&self) -> Result<Usage, Fault> {
        let dir = self.0.log.dir().parent().context("the log lies in the store's directory")?.to_owned();
        let mut usage = Usage::default();
        for entry in fs::read_dir(&dir).with_context(|| format!("listing {}", dir.display()))? {
            let path = entry?.path();
            let (files, bytes) = tree(&path)?;
            match path.file_name().and_then(|name| name.to_str()).unwrap_or_default() {
                "log" => (usage.segments, usage.log) = (files, bytes),
                "index" => usage.index = bytes,
                name if name.starts_with(recover::ASIDE) => usage.aside += bytes,
                _ => {}
            }
        }
        Ok(usage)
    }

    /// Counters as of the last batch.
    pub fn stats(&self) -> Stats {
        *self.0.stats.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is wrong, in sentences for the operator; empty when all is well. All damage is one line.
    pub fn degraded(&self) -> Vec<String> {
        self.ailing().into_iter().chain(self.0.health.damaged.sentence()).collect()
    }

    /// What is wrong beside what is known to be damaged.
    pub(super) fn ailing(&self) -> Vec<String> {
        let index = self.0.index.failed().map(|why| format!("writing the index: {why}"));
        self.0.rebuild.sentence().into_iter().chain(self.0.health.reasons()).chain(index).collect()
    }
}

/// Deletes the index of the store in `dir`, which nobody has open: the next open builds it from the log. Its bytes.
pub fn forget_index(dir: &Path) -> Result<u64, Fault> {
    let _lock = lock(&dir.join("lock"))?;
    let index = dir.join("index");
    let (_, bytes) = tree(&index)?;
    if index.exists() {
        fs::remove_dir_all(&index).with_context(|| format!("deleting {}", index.display()))?;
    }
    Ok(bytes)
}

/// What is looked up when it is asked for. Does not keep the store open.
#[derive(Debug)]
struct Standing(Weak<Inner>);

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
