//! Taking a snapshot.

use super::{Manifest, Object, PURPOSE, Source, Taken, VERSION, list, manifest, object, snapshots};
use crate::{
    crypto::jws::Jws,
    foreign::shown,
    store::{Moment, sync_dir},
    vault,
};
use anyhow::{Context as _, Error, bail, ensure};
use sha2::{Digest as _, Sha256};
use std::{
    collections::{BTreeSet, HashMap},
    fs::{self, File},
    io::{Read as _, Write as _},
    path::{Path, PathBuf},
};

/// Bytes copied at a time.
const PIECE: usize = 1 << 20;

/// A file to keep.
struct Wanted {
    from: PathBuf,
    /// Bytes of it, from its beginning.
    length: u64,
    /// Its hash, if that is known without reading it.
    sha256: Option<String>,
    /// It does not change any more: who has seen its path and length knows its hash.
    sealed: bool,
    /// Its bytes never change, though the file may be replaced: it can be linked to.
    fixed: bool,
}

impl Source {
    /// Takes a snapshot into `dir` (blocking, while the node works on).
    pub fn take(&self, dir: &Path) -> Result<Taken, Error> {
        for sub in ["", "snapshots", "objects", "tmp"] {
            vault::make_private_dir(&dir.join(sub))?;
        }
        for left in list(&dir.join("tmp"))? {
            fs::remove_file(&left).with_context(|| format!("deleting {}", left.display()))?;
        }
        let _still = (self.blocks.still(), self.store.still());
        self.check_owner(dir)?;
        let moment = self.store.moment()?;
        let log_end = moment.end;
        let mut wanted = Vec::new();
        for (from, length, sealed) in self.store.segments(log_end)? {
            wanted.push(Wanted { from, length, sha256: None, sealed, fixed: sealed });
        }
        for (from, length, digest) in self.blocks.paths()? {
            let sha256 = digest.map(hex::encode);
            // A file of its own is whole under its name, and never written to again.
            let fixed = sha256.is_some();
            wanted.push(Wanted { from, length, sha256, sealed: false, fixed });
        }
        let settings = self.home.join(&self.settings);
        for from in list(&self.home.join(&self.keys))?.into_iter().chain([settings]) {
            if let Ok(found) = fs::metadata(&from)
                && found.is_file()
            {
                wanted.push(Wanted { from, length: found.len(), sha256: None, sealed: false, fixed: false });
            }
        }
        self.keep(dir, wanted, moment)
    }

    fn keep(&self, dir: &Path, wanted: Vec<Wanted>, moment: Moment) -> Result<Taken, Error> {
        let mut known = HashMap::new();
        // An earlier snapshot that cannot be read saves nothing; this one is taken all the same.
        if let Some(last) = snapshots(dir)?.last()
            && let Ok(last) = manifest(dir, last)
        {
            known.extend(last.files.into_iter().map(|file| ((file.path, file.size), file.sha256)));
        }
        let (mut taken, mut files, mut shards) = (Taken::default(), Vec::new(), BTreeSet::new());
        for Wanted { from, length, sha256, sealed, fixed } in wanted {
            let path = from.strip_prefix(&self.home).context("a file of the home lies outside of it")?;
            let path = path.to_str().context("a file's name is not UTF-8")?.to_owned();
            let seen = known.get(&(path.clone(), length)).filter(|_| sealed).cloned();
            let there = sha256
                .or(seen)
                .filter(|sha256| fs::metadata(object(dir, sha256)).is_ok_and(|found| found.len() == length));
            let sha256 = match there {
                Some(sha256) => sha256,
                None => {
                    let linked = if self.link && fixed { link(&from, length, dir)? } else { None };
                    taken.linked += u64::from(linked.as_ref().is_some_and(|(_, new)| *new));
                    let (sha256, new) = linked.map_or_else(|| copy(&from, length, dir), Ok)?;
                    if new {
                        taken.new_files += 1;
                        taken.new_bytes += length;
                        shards.extend(object(dir, &sha256).parent().map(Path::to_owned));
                    }
                    sha256
                }
            };
            taken.files += 1;
            taken.bytes += length;
            files.push(Object { path, size: length, sha256 });
        }
        for shard in shards {
            sync_dir(&shard)?;
        }
        sync_dir(&dir.join("objects"))?;
        let created = jiff::Timestamp::now();
        let did = self.signer.did().to_owned();
        let Moment { end: log_end, stats, fingerprint } = moment;
        let fingerprint = Some(fingerprint);
        let manifest = Manifest { version: VERSION, did, created, log_end, stats, fingerprint, files };
        let signed = Jws::sign_as(PURPOSE, &serde_json::to_vec(&manifest)?, &self.signer);
        taken.snapshot = format!("{}.json", created.strftime("%Y%m%dT%H%M%S%.6fZ"));
        let path = dir.join("snapshots").join(&taken.snapshot);
        vault::write_private(&path, signed.to_string().as_bytes())?;
        sync_dir(&dir.join("snapshots"))?;
        self.store.backed_up();
        Ok(taken)
    }

    /// One directory, one home: which snapshot is whose would be a matter of luck.
    fn check_owner(&self, dir: &Path) -> Result<(), Error> {
        let other =
            snapshots(dir)?.iter().filter_map(|name| manifest(dir, name).ok()).find(|m| m.did != self.signer.did());
        let Some(other) = other else { return Ok(()) };
        bail!("{} holds the backup of {}: choose another directory", dir.display(), shown(&other.did))
    }
}

/// Links a file that never changes to the objects; its hash, and whether it was not there yet. `None`: the file system
/// has no such link.
fn link(from: &Path, length: u64, dir: &Path) -> Result<Option<(String, bool)>, Error> {
    let (sha256, size) = hash(from, u64::MAX)?;
    if size != length {
        return Ok(None);
    }
    let to = object(dir, &sha256);
    if fs::metadata(&to).is_ok_and(|found| found.len() == length) {
        return Ok(Some((sha256, false)));
    }
    to.parent().map_or(Ok(()), vault::make_private_dir)?;
    match fs::hard_link(from, &to) {
        Ok(()) => Ok(Some((sha256, true))),
        // Another file system, one without links, or a file that has as many as it can have: a copy will do.
        Err(error) => {
            tracing::debug!("{} cannot be linked to the backup, so it is copied: {error}", from.display());
            Ok(None)
        }
    }
}

/// Copies a file's first bytes to the objects; its hash, and whether it was not there yet.
fn copy(from: &Path, length: u64, dir: &Path) -> Result<(String, bool), Error> {
    let tmp = dir.join("tmp").join("object");
    let mut out = File::create(&tmp).with_context(|| format!("creating {}", tmp.display()))?;
    let (sha256, size) = read(from, length, |piece| Ok(out.write_all(piece)?))?;
    ensure!(size == length, "{} has become shorter while it was copied", from.display());
    let to = object(dir, &sha256);
    if fs::metadata(&to).is_ok_and(|found| found.len() == length) {
        return Ok((sha256, false));
    }
    out.sync_all().with_context(|| format!("making {} durable", tmp.display()))?;
    to.parent().map_or(Ok(()), vault::make_private_dir)?;
    fs::rename(&tmp, &to).with_context(|| format!("renaming an object to {}", to.display()))?;
    Ok((sha256, true))
}

/// Hash, in hex, and size of a file's first bytes.
pub(super) fn hash(path: &Path, length: u64) -> Result<(String, u64), Error> {
    read(path, length, |_| Ok(()))
}

/// Hash, in hex, and size of a file's first bytes, which `each` gets piece by piece.
pub(super) fn read(
    path: &Path,
    length: u64,
    mut each: impl FnMut(&[u8]) -> Result<(), Error>,
) -> Result<(String, u64), Error> {
    let file = File::open(path).with_context(|| format!("opening {}", path.display()))?;
    let (mut file, mut sum, mut size) = (file.take(length), Sha256::new(), 0);
    let mut piece = vec![0; PIECE];
    loop {
        let got = file.read(&mut piece).with_context(|| format!("reading {}", path.display()))?;
        if got == 0 {
            return Ok((hex::encode(sum.finalize()), size));
        }
        sum.update(&piece[..got]);
        each(&piece[..got])?;
        size += got as u64;
    }
}
