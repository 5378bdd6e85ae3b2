//! A home from a snapshot, and the trial of it.

use super::{Manifest, list, manifest, manifest_of, object, owner, snapshots, take};
use crate::{
    blocks::{self, Blocks, Scrubbed},
    foreign::shown,
    store::{self, Moment, Store, sync_dir},
    vault,
};
use anyhow::{Context as _, Error, bail, ensure};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeSet,
    fs,
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};
use tokio_util::sync::CancellationToken;

/// What was restored.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Restored {
    pub snapshot: String,
    pub did: String,
    pub files: u64,
    pub bytes: u64,
    /// End of the log, which is earlier than the snapshot's if a time was given.
    pub log_end: u64,
    /// Messages, and data of messages, that were there at the time and that compaction had taken before the snapshot.
    pub messages_gone: u64,
    pub data_gone: u64,
}

/// What a trial has found.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Drilled {
    pub restored: Restored,
    /// How long it took until the restored home was open.
    pub took: Duration,
    /// Of the restored home.
    pub fingerprint: String,
    /// The snapshot says which fingerprint the home had. (Snapshots of an earlier version do not.)
    pub compared: bool,
    pub scrubbed: Scrubbed,
}

/// Puts a snapshot into `home`, which must be empty: the newest one, or with `at` the first one taken then or later,
/// with everything that came after `at` cut from the log. `whose`: see `owner`.
pub fn restore(dir: &Path, home: &Path, at: Option<jiff::Timestamp>, whose: Option<&str>) -> Result<Restored, Error> {
    ensure!(list(home)?.is_empty(), "{} is not empty: a backup is restored into an empty home", home.display());
    let (snapshot, manifest) = choose(dir, at, &owner(dir, whose)?)?;
    vault::make_private_dir(home)?;
    let mut dirs = BTreeSet::new();
    let mut bytes = 0;
    for file in &manifest.files {
        let to = home.join(&file.path);
        let parent = to.parent().context("a file lies in a directory")?;
        vault::make_private_dir(parent)?;
        dirs.extend(parent.ancestors().take_while(|above| above.starts_with(home)).map(Path::to_owned));
        let out = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&to);
        let mut out = out.with_context(|| format!("creating {}", to.display()))?;
        let from = object(dir, &file.sha256);
        let (sha256, size) = take::read(&from, u64::MAX, |piece| Ok(out.write_all(piece)?))?;
        ensure!(
            sha256 == file.sha256 && size == file.size,
            "object {} ({}) is damaged",
            file.sha256,
            shown(&file.path)
        );
        out.sync_all().with_context(|| format!("making {} durable", to.display()))?;
        bytes += size;
    }
    for dir in dirs {
        sync_dir(&dir)?;
    }
    let store::Cut { end: log_end, messages_gone, data_gone } = match at {
        Some(at) => store::cut(&home.join("store"), u64::try_from(at.as_millisecond()).unwrap_or(0))?,
        None => store::Cut { end: manifest.log_end, ..store::Cut::default() },
    };
    let files = manifest.files.len() as u64;
    Ok(Restored { snapshot, did: manifest.did, files, bytes, log_end, messages_gone, data_gone })
}

fn choose(dir: &Path, at: Option<jiff::Timestamp>, did: &str) -> Result<(String, Manifest), Error> {
    let mut names = snapshots(dir)?;
    let Some(at) = at else {
        let last = names.pop().with_context(|| format!("there is no snapshot in {}", dir.display()))?;
        return Ok((last.clone(), manifest_of(dir, &last, did)?));
    };
    for name in names {
        let manifest = manifest_of(dir, &name, did)?;
        if manifest.created >= at {
            return Ok((name, manifest));
        }
    }
    bail!("no snapshot in {} was taken at {at} or later", dir.display())
}

/// Restores the newest snapshot into a scratch home beside it, opens that, which builds its index from the log, compares
/// its fingerprint and counters with those that the home had in its own index, reads everything, and takes it away again.
pub async fn drill(dir: &Path, whose: Option<&str>) -> Result<Drilled, Error> {
    let begun = Instant::now();
    let scratch = Scratch(dir.join(format!("drill-{}", std::process::id())));
    let (from, to, whose) = (dir.to_owned(), scratch.0.clone(), whose.map(str::to_owned));
    let open = move || {
        let restored = restore(&from, &to, None, whose.as_deref())?;
        let manifest = manifest(&from, &restored.snapshot)?;
        let store = Store::open(&to.join("store"), &store::Config::default())?;
        let blocks = Blocks::open(&to.join("blocks"), &blocks::Config::default(), store.clone())?;
        let Moment { end, stats, fingerprint } = store.moment()?;
        ensure!(
            (end, stats) == (manifest.log_end, manifest.stats),
            "the restored home is another one: {:?} instead of {:?}",
            (end, stats),
            (manifest.log_end, manifest.stats)
        );
        let wanted = manifest.fingerprint.as_ref();
        ensure!(
            wanted.is_none_or(|wanted| *wanted == fingerprint),
            "the restored home has as much in it and is another one: its fingerprint is {fingerprint}, the home's was {}",
            wanted.map_or("", |wanted| wanted)
        );
        Ok((restored, blocks, fingerprint, wanted.is_some()))
    };
    let (restored, blocks, fingerprint, compared) = tokio::task::spawn_blocking(open).await.context("restoring")??;
    let took = begun.elapsed();
    let scrubbed = blocks.scrub(0, None, &CancellationToken::new()).await?;
    drop(blocks);
    Ok(Drilled { restored, took, fingerprint, compared, scrubbed })
}

/// A directory that goes when it is dropped.
struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            tracing::warn!("cannot delete {}: {error}", self.0.display());
        }
    }
}
