//! What is remembered: the store, and the blocks over it.

use super::base::Base;
use crate::{access::Access, audit::Audit, blocks::Blocks, job, store::Store};
use anyhow::Error;
use jiff::Timestamp;

/// Cheap to clone.
#[derive(Clone)]
pub(super) struct Storage {
    pub store: Store,
    pub blocks: Blocks,
}

impl Storage {
    /// Opens both. The index may still have to be built: [`Store::whole`].
    pub async fn open(base: &Base<'_>) -> Result<Self, Error> {
        let (dir, settings) = (base.home.join("store"), base.config.store.clone());
        let store = tokio::task::spawn_blocking(move || Store::begin(&dir, &settings)).await??;
        let (dir, settings, opened) = (base.home.join("blocks"), base.config.blocks.clone(), store.clone());
        let blocks = tokio::task::spawn_blocking(move || Blocks::open(&dir, &settings, opened)).await??;
        blocks.hold_open(base.places.blocks());
        let storage = Self { store, blocks };
        storage.register(base);
        Ok(storage)
    }

    /// Counts for the metrics of `base`.
    pub fn register(&self, base: &Base<'_>) {
        base.metrics.register(|registry| self.store.register(registry));
        base.metrics.register(|registry| self.blocks.register(registry));
    }
}

/// The audit log.
pub(super) async fn audit(base: &Base<'_>) -> Result<Audit, Error> {
    let (home, settings) = (base.home.to_owned(), serde_json::to_value(base.config.shown()?)?);
    job::blocking(move || {
        let audit = Audit::open(&home, Timestamp::now())?;
        audit.started(env!("CARGO_PKG_VERSION"), &settings)?;
        Ok(audit)
    })
    .await
}

/// Who may call.
pub(super) async fn access(base: &Base<'_>, audit: Audit) -> Result<Access, Error> {
    let home = base.home.to_owned();
    tokio::task::spawn_blocking(move || Access::open(&home, audit)).await?
}
