//! Snapshots every so often, and the end of old ones.

use super::{
    manifest::{list, manifest, snapshots},
    take::{Check, Source},
};
use crate::{
    audit::{Audit, What},
    job::{self, First, Job},
    span::Span,
};
use anyhow::{Context as _, Error};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Directory that snapshots are put into; empty: none are taken.
    pub target: String,
    /// How often a snapshot is taken.
    pub every: Span,
    /// How long a snapshot is kept. The newest one stays.
    pub keep: Span,
    /// Hard links instead of copies of what never changes: fast and small, and no help when the disk fails.
    pub link: bool,
}

impl Default for Config {
    fn default() -> Self {
        let day = Duration::from_secs(24 * 60 * 60);
        Self { target: String::new(), every: Span(day / 4), keep: Span(day * 30), link: false }
    }
}

impl Source {
    /// Takes a snapshot every so often, and writes that down, until told to stop.
    pub async fn keep_backing_up(self, config: Config, audit: Audit, job: Job) -> Result<(), Error> {
        if config.target.is_empty() {
            job.is_off();
            return Ok(());
        }
        let mut numbers = 0..;
        let round = || {
            let (source, target, keep) = (self.clone(), PathBuf::from(&config.target), config.keep.0);
            let (part, whither) = (numbers.next().unwrap_or_default(), config.target.clone());
            let audit = audit.clone();
            async move {
                // The disk it goes to may be away: the next round tries again.
                let taken = job::blocking(move || {
                    let taken = source.take(&target, Check::Part(part))?;
                    prune(&target, jiff::Timestamp::now(), keep)?;
                    Ok(taken)
                });
                let taken = taken.await.with_context(|| format!("the backup into {whither} failed"))?;
                tracing::info!("backup {}: {} new bytes", taken.snapshot, taken.new_bytes);
                taken.damaged.iter().for_each(|sentence| tracing::error!("backup {}: {sentence}", taken.snapshot));
                audit.note(What::BackedUp, "node", json!({"snapshot": taken.snapshot})).await
            }
        };
        job.rounds(config.every.0, First::AtOnce, round).await
    }
}

/// Deletes snapshots older than `keep`, except the newest, and then objects that no snapshot names.
pub(super) fn prune(dir: &Path, now: jiff::Timestamp, keep: Duration) -> Result<(), Error> {
    let names = snapshots(dir)?;
    let mut needed = BTreeSet::new();
    let mut gone = 0;
    for (i, name) in names.iter().enumerate() {
        // One that cannot be read is not judged, and nothing it may need is deleted.
        let manifest = manifest(dir, name)?;
        let old = now.duration_since(manifest.created).unsigned_abs() > keep;
        if old && i + 1 < names.len() {
            let path = dir.join("snapshots").join(name);
            fs::remove_file(&path).with_context(|| format!("deleting {}", path.display()))?;
            gone += 1;
        } else {
            needed.extend(manifest.files.into_iter().map(|file| file.sha256));
        }
    }
    if gone == 0 {
        return Ok(());
    }
    for shard in list(&dir.join("objects"))? {
        for path in list(&shard)? {
            if !path.file_name().and_then(|n| n.to_str()).is_some_and(|name| needed.contains(name)) {
                fs::remove_file(&path).with_context(|| format!("deleting {}", path.display()))?;
            }
        }
    }
    Ok(())
}
