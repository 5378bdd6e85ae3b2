//! Edits that lost without having been seen: listed, removed, forgotten after their time.

use super::{
    conflict::{Conflict, prefix},
    door::Node,
    history,
};
use crate::{
    dwn::Fault,
    job::{First, Job},
};
use anyhow::Context as _;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How many conflicts there are, and what their data takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[schemars(rename = "ConflictsKept")]
pub struct Kept {
    pub conflicts: u64,
    /// Bytes of data that they hold.
    pub bytes: u64,
}

/// Removed at once.
const SOME: usize = 64;

impl Node {
    /// What is kept of a tenant's edits that lost, or of everybody's; the oldest first (blocking).
    pub fn conflicts(&self, tenant: Option<&str>) -> Result<Vec<Conflict>, Fault> {
        let keep = self.shared.retention.conflicts();
        let all = self.store().states(&prefix(tenant))?;
        let all = all.iter().map(|(_, value)| Conflict::read(value, keep));
        let mut all = all.collect::<Result<Vec<_>, _>>()?;
        all.sort_by_key(|conflict| conflict.at);
        Ok(all)
    }

    /// How many there are, and what they hold (blocking).
    pub fn conflicts_kept(&self) -> Result<Kept, Fault> {
        let all = self.conflicts(None)?;
        let bytes = all.iter().filter_map(|conflict| conflict.data).map(|(_, size)| size).sum();
        Ok(Kept { conflicts: all.len() as u64, bytes })
    }

    /// Keeps what lost no longer; its data goes with the next collection unless something else holds it.
    pub async fn forget_conflicts(&self, conflicts: &[Conflict]) -> Result<(), Fault> {
        for some in conflicts.chunks(SOME) {
            let mut gone = Vec::new();
            for conflict in some {
                gone.extend(conflict.keys()?.into_iter().map(|key| (key, None)));
            }
            self.store().put_state(gone).await?;
        }
        Ok(())
    }

    /// Forgets conflicts whose time is over, and earlier states of records that are gone, every so often, until told to stop.
    pub async fn keep_forgetting(self, every: Duration, job: Job) -> Result<(), Fault> {
        job.rounds(every, First::AtOnce, || self.forget_old(Timestamp::now())).await
    }

    pub(super) async fn forget_old(&self, now: Timestamp) -> Result<(), Fault> {
        let this = self.clone();
        let all =
            tokio::task::spawn_blocking(move || this.conflicts(None)).await.context("looking for conflicts")??;
        let old: Vec<_> = all.into_iter().filter(|conflict| conflict.until <= now).collect();
        if !old.is_empty() {
            tracing::info!("{} conflicts have been kept for their time and are forgotten", old.len());
        }
        self.forget_conflicts(&old).await?;
        let store = self.store().clone();
        let orphans =
            tokio::task::spawn_blocking(move || history::orphans(&store)).await.context("looking for history")??;
        history::remove(self.store(), orphans).await
    }
}
