//! What a snapshot says of itself: which file of the home is which object, under a signature; and where both lie.

use crate::{
    crypto::jws::{self, Jws},
    did,
    foreign::{self, shown},
    store::Stats,
};
use anyhow::{Context as _, Error, anyhow, bail, ensure};
use serde::{Deserialize, Serialize};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Version of the manifest that is written and read.
pub(super) const VERSION: u8 = 1;

/// What a manifest's signature is for.
pub(super) const PURPOSE: &str = "toft/backup";

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

/// Names of the snapshots, the oldest first.
pub(super) fn snapshots(dir: &Path) -> Result<Vec<String>, Error> {
    let names = list(&dir.join("snapshots"))?.into_iter().filter(|p| p.extension().is_some_and(|e| e == "json"));
    let mut names: Vec<_> = names.filter_map(|p| Some(p.file_name()?.to_str()?.to_owned())).collect();
    names.sort();
    Ok(names)
}

/// Whose backup this is: as who asks says, else as the oldest snapshot says that can be read. Whoever can write to
/// the directory can add a snapshot of another identity, soundly signed by that; it is not taken for this one's.
pub(super) fn owner(dir: &Path, whose: Option<&str>) -> Result<String, Error> {
    let names = snapshots(dir)?;
    ensure!(!names.is_empty(), "there is no snapshot in {}", dir.display());
    let mut read = names.iter().map(|name| manifest(dir, name));
    let first = read.find_map(Result::ok).map(|manifest| manifest.did);
    // Where none can be read, there is none to be taken for another's.
    Ok(whose.map(str::to_owned).or(first).unwrap_or_default())
}

/// The manifest of a snapshot that `did` has signed.
pub(super) fn manifest_of(dir: &Path, name: &str, did: &str) -> Result<Manifest, Error> {
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
pub(super) fn manifest(dir: &Path, name: &str) -> Result<Manifest, Error> {
    let read = || parse(&fs::read(dir.join("snapshots").join(name))?);
    read().with_context(|| format!("snapshot {} cannot be used", shown(name)))
}

/// The manifest in a snapshot's file, its signature checked.
pub(super) fn parse(bytes: &[u8]) -> Result<Manifest, Error> {
    let signed = serde_json::from_slice(bytes)?;
    let jws = Jws::parse(&signed).map_err(|e| anyhow!("{e}"))?;
    let key = |kid: &str| did::key_of(kid).ok();
    // The first manifests' signatures did not say what they were for.
    let verdict = if jws.purpose().is_some() { jws.verify_as(PURPOSE, &key) } else { jws.verify(&key) };
    verdict.map_err(|e| anyhow!("its signature: {e}"))?;
    let manifest = jws::payload(&signed).context("it has no content")?;
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
pub(super) fn object(dir: &Path, sha256: &str) -> PathBuf {
    dir.join("objects").join(sha256.get(..2).unwrap_or_default()).join(sha256)
}

/// What a directory holds; nothing if there is none.
pub(super) fn list(dir: &Path) -> Result<Vec<PathBuf>, Error> {
    match fs::read_dir(dir) {
        Ok(entries) => entries.map(|entry| Ok(entry?.path())).collect(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => bail!("listing {}: {error}", dir.display()),
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
