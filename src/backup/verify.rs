//! A look at a backup: is all of it whole, and does the newest snapshot live?

use super::{
    manifest::{Manifest, manifest_of, object, owner, snapshots},
    restore, take,
};
use crate::foreign::shown;
use anyhow::{Context as _, Error};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, path::Path};
use tokio_util::sync::CancellationToken;

/// What a look at a backup has found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verified {
    /// Whose home it is.
    pub did: String,
    pub snapshots: u64,
    pub objects: u64,
    pub bytes: u64,
    /// One sentence for each thing that is missing or damaged.
    pub damaged: Vec<String>,
}

/// Checks every signature, and the hash of every object that a snapshot names; then opens the newest snapshot where it
/// lies and reads everything in it, as `restore::drill` does with a copy. `whose`: see `owner`.
pub async fn verify(dir: &Path, whose: Option<&str>, stop: &CancellationToken) -> Result<Verified, Error> {
    let (from, whose, stopped) = (dir.to_owned(), whose.map(str::to_owned), stop.clone());
    let look = move || look(&from, whose.as_deref(), &stopped);
    let (mut found, whole) = tokio::task::spawn_blocking(look).await.context("looking at a backup")??;
    if let Some(manifest) = whole {
        found.damaged.extend(restore::trial(dir, manifest, stop).await?);
    }
    Ok(found)
}

/// The signatures and hashes; the newest snapshot, if all of it is whole.
fn look(dir: &Path, whose: Option<&str>, stop: &CancellationToken) -> Result<(Verified, Option<Manifest>), Error> {
    // Objects by name: are they whole?
    let (mut found, mut seen) = (Verified { did: owner(dir, whose)?, ..Verified::default() }, BTreeMap::new());
    let mut newest = None;
    for name in snapshots(dir)? {
        found.snapshots += 1;
        newest = None;
        let manifest = match manifest_of(dir, &name, &found.did) {
            Ok(manifest) => manifest,
            Err(error) => {
                found.damaged.push(format!("{error:#}"));
                continue;
            }
        };
        let mut whole = true;
        for file in &manifest.files {
            let is_whole = match seen.get(&file.sha256) {
                Some(known) => *known,
                None => {
                    found.objects += 1;
                    let read =
                        take::read(&object(dir, &file.sha256), file.size.saturating_add(1), |_| take::go_on(stop));
                    take::go_on(stop)?;
                    match read {
                        Ok((sha256, size)) if sha256 == file.sha256 && size == file.size => {
                            found.bytes += size;
                            true
                        }
                        Ok(_) => {
                            found.damaged.push(format!("object {} ({}) is damaged", file.sha256, shown(&file.path)));
                            false
                        }
                        Err(error) => {
                            found.damaged.push(format!("{error:#} ({})", shown(&file.path)));
                            false
                        }
                    }
                }
            };
            seen.insert(file.sha256.clone(), is_whole);
            whole &= is_whole;
        }
        newest = whole.then_some(manifest);
    }
    Ok((found, newest))
}
