//! Taking a snapshot.

use super::manifest::{Manifest, Object, PURPOSE, VERSION, list, manifest, object, snapshots};
use crate::{
    blocks::{Blocks, Trouble},
    cid::Digest,
    crypto::{Signer, jws::Jws},
    foreign::shown,
    store::{Moment, Store, sync_dir},
    vault,
};
use anyhow::{Context as _, Error, bail, ensure};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::{
    collections::{BTreeSet, HashMap, HashSet},
    fs::{self, File, Permissions},
    io::{Read as _, Write as _},
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    sync::Arc,
};
use tokio_util::sync::CancellationToken;

/// Bytes copied at a time.
const PIECE: usize = 1 << 20;

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
    /// See `Config::link`.
    pub link: bool,
}

/// What taking a snapshot has done.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[schemars(rename = "Snapshot")]
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

/// Which objects that are there already are read again, to see whether they are whole.
#[derive(Debug, Clone, Copy)]
pub enum Check {
    All,
    /// One part of `PARTS`, by number: all have their turn.
    Part(u64),
}

/// Parts that the snapshots of the schedule look at in turn: with four a day, all within a week.
pub(super) const PARTS: u64 = 28;

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

/// A file to keep.
struct Wanted {
    from: PathBuf,
    /// Bytes of it, from its beginning.
    length: u64,
    /// The block it is, whose hash is known without reading it.
    block: Option<Digest>,
    /// It does not change any more: who has seen its path and length knows its hash.
    sealed: bool,
    /// Its bytes never change, though the file may be replaced: it can be linked to.
    fixed: bool,
}

impl Source {
    /// Takes a snapshot into `dir` (blocking, while the node works on). `check`: which objects that are there are read.
    pub fn take(&self, dir: &Path, check: Check) -> Result<Taken, Error> {
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
            wanted.push(Wanted { from, length, block: None, sealed, fixed: sealed });
        }
        // Blocks that are needed and not there, or not as long as they should be: the backup may have them still.
        let lacking = self.blocks.lacking()?;
        let lacks: HashSet<Digest> = lacking.iter().filter_map(|(.., block)| *block).collect();
        let there = self.blocks.paths()?.into_iter().filter(|(.., block)| block.is_none_or(|it| !lacks.contains(&it)));
        for (from, length, block) in there.chain(lacking) {
            // A file of its own is whole under its name, and never written to again.
            wanted.push(Wanted { from, length, block, sealed: false, fixed: block.is_some() });
        }
        let settings = self.home.join(&self.settings);
        for from in list(&self.home.join(&self.keys))?.into_iter().chain([settings]) {
            if let Ok(found) = fs::metadata(&from)
                && found.is_file()
            {
                wanted.push(Wanted { from, length: found.len(), block: None, sealed: false, fixed: false });
            }
        }
        self.keep((dir, check), wanted, moment)
    }

    fn keep(&self, (dir, check): (&Path, Check), wanted: Vec<Wanted>, moment: Moment) -> Result<Taken, Error> {
        let mut known = HashMap::new();
        // An earlier snapshot that cannot be read saves nothing; this one is taken all the same.
        if let Some(last) = snapshots(dir)?.last()
            && let Ok(last) = manifest(dir, last)
        {
            known.extend(last.files.into_iter().map(|file| ((file.path, file.size), file.sha256)));
        }
        let (mut taken, mut files, mut shards) = (Taken::default(), Vec::new(), BTreeSet::new());
        for Wanted { from, length, block, sealed, fixed } in wanted {
            let path = from.strip_prefix(&self.home).context("a file of the home lies outside of it")?;
            let path = path.to_str().context("a file's name is not UTF-8")?.to_owned();
            let seen = known.get(&(path.clone(), length)).filter(|_| sealed).cloned();
            let name = block.map(hex::encode).or(seen);
            let there = name.as_deref().map_or(There::No, |sha256| look(dir, sha256, length, check));
            let sha256 = match (there, name) {
                (There::Whole, Some(sha256)) => sha256,
                (_, name) => {
                    let brought = self.bring(&from, length, (dir, check), name.as_deref(), fixed);
                    let Brought { sha256, new, mended, linked } = match (brought, block) {
                        (Err(error), Some(block)) => match self.damage(&block, error)? {
                            Some(why) => {
                                taken.damaged.push(format!("{path}: {why}"));
                                Brought { sha256: hex::encode(block), new: false, mended: false, linked: false }
                            }
                            None => continue,
                        },
                        (brought, _) => brought?,
                    };
                    taken.linked += u64::from(linked);
                    if new {
                        taken.new_files += 1;
                        taken.new_bytes += length;
                        taken.mended += u64::from(mended);
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
        let signed = Jws::sign_as(PURPOSE, &serde_json::to_vec(&manifest)?, &self.signer)?;
        taken.snapshot = format!("{}.json", created.strftime("%Y%m%dT%H%M%S%.6fZ"));
        let path = dir.join("snapshots").join(&taken.snapshot);
        vault::write_private(&path, signed.to_string().as_bytes())?;
        sync_dir(&dir.join("snapshots"))?;
        self.store.backed_up();
        Ok(taken)
    }

    /// Links or copies a file to the objects, where its name must be `name` if that is known.
    fn bring(
        &self,
        from: &Path,
        length: u64,
        (dir, check): (&Path, Check),
        name: Option<&str>,
        fixed: bool,
    ) -> Result<Brought, Error> {
        let linked = if self.link && fixed { link(from, length, (dir, check), name)? } else { None };
        linked.map_or_else(|| copy(from, length, (dir, check), name), Ok)
    }

    /// Is it the block in the home that is wrong? Then why, unless nothing needs it (`None`); else `error` itself.
    fn damage(&self, block: &Digest, error: Error) -> Result<Option<String>, Error> {
        match self.blocks.trouble(block)? {
            Trouble::None => Err(error),
            Trouble::NotNeeded => Ok(None),
            Trouble::Damaged(why) => Ok(Some(why)),
        }
    }

    /// One directory, one home: which snapshot is whose would be a matter of luck.
    fn check_owner(&self, dir: &Path) -> Result<(), Error> {
        let other =
            snapshots(dir)?.iter().filter_map(|name| manifest(dir, name).ok()).find(|m| m.did != self.signer.did());
        let Some(other) = other else { return Ok(()) };
        bail!("{} holds the backup of {}: choose another directory", dir.display(), shown(&other.did))
    }
}

/// A file among the objects.
struct Brought {
    sha256: String,
    /// It was not there yet, or not whole.
    new: bool,
    /// It was damaged in the backup.
    mended: bool,
    linked: bool,
}

/// Is an object there?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum There {
    No,
    Whole,
    Damaged,
}

/// Looks for an object; reads it if that is due.
fn look(dir: &Path, sha256: &str, length: u64, check: Check) -> There {
    let path = object(dir, sha256);
    let Ok(found) = fs::metadata(&path) else { return There::No };
    if found.len() != length || check.is_due(sha256) && !hash(&path, u64::MAX).is_ok_and(|(found, _)| found == sha256) {
        return There::Damaged;
    }
    // As an earlier version may have left it.
    if found.permissions().mode() & 0o077 != 0
        && let Err(error) = fs::set_permissions(&path, Permissions::from_mode(0o600))
    {
        tracing::warn!("{} can be read by others: {error}", path.display());
    }
    There::Whole
}

/// Links a file that never changes to the objects. `None`: the file system has no such link.
fn link(from: &Path, length: u64, (dir, check): (&Path, Check), name: Option<&str>) -> Result<Option<Brought>, Error> {
    let (sha256, size) = hash(from, u64::MAX)?;
    if size != length {
        return Ok(None);
    }
    ensure_named(from, &sha256, name)?;
    let to = object(dir, &sha256);
    let there = look(dir, &sha256, length, check);
    match there {
        There::Whole => return Ok(Some(Brought { sha256, new: false, mended: false, linked: false })),
        // A link to the home's file, damaged as that was, or a copy that is.
        There::Damaged => fs::remove_file(&to).with_context(|| format!("removing {}", to.display()))?,
        There::No => {}
    }
    to.parent().map_or(Ok(()), vault::make_private_dir)?;
    match fs::hard_link(from, &to) {
        Ok(()) => {
            // One file now: it is as private as a copy.
            fs::set_permissions(&to, Permissions::from_mode(0o600))
                .with_context(|| format!("making {} private", to.display()))?;
            Ok(Some(Brought { sha256, new: true, mended: there == There::Damaged, linked: true }))
        }
        // Another file system, one without links, or a file that has as many as it can have: a copy will do.
        Err(error) => {
            tracing::debug!("{} cannot be linked to the backup, so it is copied: {error}", from.display());
            Ok(None)
        }
    }
}

/// Copies a file's first bytes to the objects.
fn copy(from: &Path, length: u64, (dir, check): (&Path, Check), name: Option<&str>) -> Result<Brought, Error> {
    let tmp = dir.join("tmp").join("object");
    let mut out = private_file(&tmp)?;
    let (sha256, size) =
        read(from, length, |piece| out.write_all(piece).with_context(|| format!("writing {}", tmp.display())))?;
    ensure!(size == length, "{} has become shorter while it was copied", from.display());
    ensure_named(from, &sha256, name)?;
    let there = look(dir, &sha256, length, check);
    if there == There::Whole {
        return Ok(Brought { sha256, new: false, mended: false, linked: false });
    }
    out.sync_all().with_context(|| format!("making {} durable", tmp.display()))?;
    let to = object(dir, &sha256);
    to.parent().map_or(Ok(()), vault::make_private_dir)?;
    fs::rename(&tmp, &to).with_context(|| format!("renaming an object to {}", to.display()))?;
    Ok(Brought { sha256, new: true, mended: there == There::Damaged, linked: false })
}

fn ensure_named(from: &Path, sha256: &str, name: Option<&str>) -> Result<(), Error> {
    ensure!(name.is_none_or(|name| name == sha256), "{} is damaged: it hashes to {sha256}", from.display());
    Ok(())
}

/// Creates a file, or empties it, that this user alone may read, whatever the umask.
pub(super) fn private_file(path: &Path) -> Result<File, Error> {
    let create = || {
        let file = File::options().write(true).create(true).truncate(true).mode(0o600).open(path)?;
        file.set_permissions(Permissions::from_mode(0o600))?;
        Ok::<_, std::io::Error>(file)
    };
    create().with_context(|| format!("creating {}", path.display()))
}

/// An error once somebody has asked to stop.
pub(super) fn go_on(stop: &CancellationToken) -> Result<(), Error> {
    ensure!(!stop.is_cancelled(), "interrupted");
    Ok(())
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
