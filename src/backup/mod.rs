//! Backups: what a home needs to live again, taken while the node runs.
//!
//! A backup directory holds `objects/<xx>/<sha-256>`, files by their hash, and `snapshots/<time>.json`, each a manifest
//! signed by the node's identity: which file of the home is which object. What an earlier snapshot has brought is not
//! copied again. No file is shared with the home, so that damage there stays there, unless `backup.link` says otherwise:
//! then files that never change are hard links where the file system allows it. A snapshot has the log up to one
//! position, all blocks that were there then, the settings and the keys: **whoever has the backup has the identity**,
//! as whoever has the home.
//!
//! It is consistent because of its order: first the log's end is noted, then everything before it is copied, then the
//! blocks, of which none goes meanwhile (`Blocks::still`); a message's blocks are durable before the message is. The
//! index is not copied: it is rebuilt from the log.
//!
//! What is damaged in the home, or missing there, is not what its name says: the snapshot names it all the same, so that
//! a look at the backup finds that it is missing, and a later snapshot that has it brings it for all. An object that is
//! damaged in the backup is copied anew.

mod restore;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod take;
#[cfg(test)]
mod tests;

pub use restore::{Drilled, Restored, Wish, drill, mend, restore};

use crate::{
    blocks::Blocks,
    crypto::{Signer, jws::Jws},
    did,
    foreign::{self, shown},
    span::Span,
    store::{Stats, Store},
};
use anyhow::{Context as _, Error, anyhow, bail, ensure};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio_util::sync::CancellationToken;

/// Version of the manifest that is written and read.
const VERSION: u8 = 1;

/// What a manifest's signature is for.
const PURPOSE: &str = "toft/backup";

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

/// What is backed up. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Source {
    pub home: PathBuf,
    /// Folder of the keys, relative to the home.
    pub keys: String,
    /// File of the settings, in the home.
    pub settings: String,
    pub store: Store,
    pub blocks: Blocks,
    pub signer: Arc<Signer>,
    /// See [`Config::link`].
    pub link: bool,
}

/// One snapshot.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    pub version: u8,
    /// Whose home it is; the manifest is signed with a key of this DID.
    pub did: String,
    #[serde(with = "rfc3339")]
    pub created: jiff::Timestamp,
    /// End of the log, and the counters there: what a restored home must come to by itself.
    pub log_end: u64,
    pub stats: Stats,
    /// Of all messages, blocks and state there (`Store::moment`). `None`: taken by a toft that did not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    pub files: Vec<Object>,
}

/// A file of the home.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Object {
    /// Relative to the home, with `/`.
    pub path: String,
    pub size: u64,
    /// Of the content, in hex: the object's name.
    pub sha256: String,
}

/// What taking a snapshot has done.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Taken {
    pub snapshot: String,
    pub files: u64,
    pub bytes: u64,
    /// Of these, those that no earlier snapshot had brought.
    pub new_files: u64,
    pub new_bytes: u64,
    /// Of the new ones, those that are links to the home's.
    #[serde(default)]
    pub linked: u64,
    /// Of the new ones, those whose objects were damaged in the backup.
    #[serde(default)]
    pub mended: u64,
    /// One sentence for each file that is missing or damaged in the home, and so in the snapshot.
    #[serde(default)]
    pub damaged: Vec<String>,
}

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

impl Source {
    /// Takes a snapshot every so often, until told to stop.
    pub async fn keep_backing_up(self, config: Config, stop: CancellationToken) -> Result<(), Error> {
        if config.target.is_empty() {
            return Ok(());
        }
        for round in 0.. {
            let (source, target, keep) = (self.clone(), PathBuf::from(&config.target), config.keep.0);
            let round = move || {
                let taken = source.take(&target, Check::Part(round))?;
                prune(&target, jiff::Timestamp::now(), keep)?;
                Ok::<_, Error>(taken)
            };
            match tokio::task::spawn_blocking(round).await.context("taking a backup")? {
                Ok(taken) => {
                    tracing::info!("backup {}: {} new bytes", taken.snapshot, taken.new_bytes);
                    taken.damaged.iter().for_each(|sentence| tracing::error!("backup {}: {sentence}", taken.snapshot));
                }
                // The disk it goes to may be away: the next round tries again.
                Err(error) => tracing::error!("the backup into {} failed: {error:#}", config.target),
            }
            tokio::select! {
                () = tokio::time::sleep(config.every.0) => {}
                () = stop.cancelled() => break,
            }
        }
        Ok(())
    }
}

/// Which objects that are there already are read again, to see whether they are whole.
#[derive(Debug, Clone, Copy)]
pub enum Check {
    All,
    /// One part of `PARTS`, by number: all have their turn.
    Part(u64),
}

/// Parts that the snapshots of the schedule look at in turn: with four a day, all within a week.
const PARTS: u64 = 28;

impl Check {
    fn is_due(self, sha256: &str) -> bool {
        match self {
            Check::All => true,
            Check::Part(round) => {
                sha256.get(..8).and_then(|n| u64::from_str_radix(n, 16).ok()).is_none_or(|n| n % PARTS == round % PARTS)
            }
        }
    }
}

/// Times as RFC 3339 spells them.
mod rfc3339 {
    use jiff::Timestamp;
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    pub fn serialize<S: Serializer>(time: &Timestamp, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(time)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Timestamp, D::Error> {
        String::deserialize(from)?.parse().map_err(D::Error::custom)
    }
}

/// Checks every signature, and the hash of every object that a snapshot names; then opens the newest snapshot where it
/// lies and reads everything in it, as [`drill`] does with a copy. `whose`: see `owner`.
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

/// Deletes snapshots older than `keep`, except the newest, and then objects that no snapshot names.
fn prune(dir: &Path, now: jiff::Timestamp, keep: Duration) -> Result<(), Error> {
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

/// Names of the snapshots, the oldest first.
fn snapshots(dir: &Path) -> Result<Vec<String>, Error> {
    let names = list(&dir.join("snapshots"))?.into_iter().filter(|p| p.extension().is_some_and(|e| e == "json"));
    let mut names: Vec<_> = names.filter_map(|p| Some(p.file_name()?.to_str()?.to_owned())).collect();
    names.sort();
    Ok(names)
}

/// Whose backup this is: as who asks says, else as the oldest snapshot says that can be read. Whoever can write to
/// the directory can add a snapshot of another identity, soundly signed by that; it is not taken for this one's.
fn owner(dir: &Path, whose: Option<&str>) -> Result<String, Error> {
    let names = snapshots(dir)?;
    ensure!(!names.is_empty(), "there is no snapshot in {}", dir.display());
    let mut read = names.iter().map(|name| manifest(dir, name));
    let first = read.find_map(Result::ok).map(|manifest| manifest.did);
    // Where none can be read, there is none to be taken for another's.
    Ok(whose.map(str::to_owned).or(first).unwrap_or_default())
}

/// The manifest of a snapshot that `did` has signed.
fn manifest_of(dir: &Path, name: &str, did: &str) -> Result<Manifest, Error> {
    let manifest = manifest(dir, name)?;
    let theirs = &manifest.did;
    ensure!(
        theirs == did,
        "snapshot {} is signed by {}, and not by {}, whose backup this is",
        shown(name),
        shown(theirs),
        shown(did)
    );
    Ok(manifest)
}

/// A snapshot's manifest, its signature checked to be that of the DID in it.
fn manifest(dir: &Path, name: &str) -> Result<Manifest, Error> {
    let read = || parse(&fs::read(dir.join("snapshots").join(name))?);
    read().with_context(|| format!("snapshot {} cannot be used", shown(name)))
}

/// The manifest in a snapshot's file, its signature checked.
fn parse(bytes: &[u8]) -> Result<Manifest, Error> {
    let signed = serde_json::from_slice(bytes)?;
    let jws = Jws::parse(&signed).map_err(|e| anyhow!("{e}"))?;
    let key = |kid: &str| did::key_of(kid).ok();
    // The first manifests' signatures did not say what they were for.
    let verdict = if jws.purpose().is_some() { jws.verify_as(PURPOSE, &key) } else { jws.verify(&key) };
    verdict.map_err(|e| anyhow!("its signature: {e}"))?;
    let manifest = crate::crypto::jws::payload(&signed).context("it has no content")?;
    ensure!(manifest.get("descriptorCid").is_none(), "it is the signature of a message");
    let version = &manifest["version"];
    ensure!(*version == VERSION, "it has version {}; this toft reads {VERSION}", foreign::said(version));
    let manifest: Manifest = serde_json::from_value(manifest)?;
    let signed_by = |kid: &str| kid.split('#').next() == Some(manifest.did.as_str());
    ensure!(jws.kids().count() == 1 && jws.kids().all(signed_by), "it is not signed by {}", shown(&manifest.did));
    for file in &manifest.files {
        let inside = |part: &str| !matches!(part, "" | "." | "..") && !part.contains('\\');
        let hex = file.sha256.len() == 64 && file.sha256.bytes().all(|b| b.is_ascii_hexdigit());
        ensure!(hex && file.path.split('/').all(inside), "it names a file outside of a home: {}", shown(&file.path));
    }
    Ok(manifest)
}

/// Where an object lies.
fn object(dir: &Path, sha256: &str) -> PathBuf {
    dir.join("objects").join(sha256.get(..2).unwrap_or_default()).join(sha256)
}

/// What a directory holds; nothing if there is none.
fn list(dir: &Path) -> Result<Vec<PathBuf>, Error> {
    match fs::read_dir(dir) {
        Ok(entries) => entries.map(|entry| Ok(entry?.path())).collect(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => bail!("listing {}: {error}", dir.display()),
    }
}
