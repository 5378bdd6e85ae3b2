//! A home from a snapshot, what a home lacks from one, and the trial of it.
//!
//! What is damaged in the backup does not keep the rest from coming back: it is listed. Blocks and frames of the log say
//! themselves whether they are whole, so of packs and of the log also damaged files are put back.

use super::{
    manifest::{Manifest, Object, list, manifest_of, object, owner, snapshots},
    take::{self, go_on, private_file},
};
use crate::{
    blocks::{self, Blocks, Fetch, Scrubbed},
    cid::{self, Digest},
    foreign::shown,
    store::{self, Damages, Moment, Store, sync_dir},
    vault,
};
use anyhow::{Context as _, Error, bail, ensure};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeSet, HashMap, HashSet},
    fs::{self, File},
    io::{Read as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};
use tokio_util::sync::CancellationToken;

/// In a home that is being restored: all of it, until it is whole.
const STAGE: &str = ".restoring";
/// Beginning of the name of a scratch home.
const SCRATCH: &str = "toft-drill-";
/// Held by whoever works in a stage or a scratch home.
const LOCK: &str = "lock";
/// Where the log lies in a home.
const LOG: &str = "store/log/";
/// Where packs lie in a home.
const PACKS: &str = "blocks/packs/";

/// Which snapshot to restore, and how much of it.
#[derive(Debug, Clone, Default)]
pub struct Wish {
    /// What came after this moment is left out.
    pub at: Option<jiff::Timestamp>,
    /// See `owner`.
    pub whose: Option<String>,
}

/// What was restored.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
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
    /// Blocks that the home lacked and now has.
    #[serde(default)]
    pub healed: u64,
    /// One sentence for each thing that is not there, or not whole, although the snapshot names it.
    #[serde(default)]
    pub missing: Vec<String>,
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

/// Puts a snapshot into `home`, which must be empty: the newest one, or with a time the first one taken then or later,
/// with everything that came after it cut from the log. If that fails, or is stopped, the home is empty as before.
pub fn restore(dir: &Path, home: &Path, wish: &Wish, stop: &CancellationToken) -> Result<Restored, Error> {
    let is_empty = list(home)?.iter().all(|path| *path == home.join(STAGE));
    ensure!(
        is_empty,
        "{} is not empty: a backup is restored into an empty home, or, with --only-missing, what a home lacks",
        home.display()
    );
    let (snapshot, manifest) = choose(dir, wish.at, &owner(dir, wish.whose.as_deref())?)?;
    let stage = Stage::begin(home)?;
    let (mut done, mut dirs) = (Restored::default(), BTreeSet::new());
    let mut lost = Vec::new();
    for file in &manifest.files {
        let to = stage.dir.join(&file.path);
        let parent = to.parent().context("a file lies in a directory")?;
        vault::make_private_dir(parent)?;
        dirs.extend(parent.ancestors().take_while(|above| above.starts_with(&stage.dir)).map(Path::to_owned));
        match put(dir, file, &to, stop)? {
            Put::Whole => {
                done.files += 1;
                done.bytes += file.size;
            }
            Put::Lost(why) => {
                done.missing.push(format!("{}: {why}", shown(&file.path)));
                lost.extend(blocks::named(&to).map(|block| (block, why)));
            }
        }
    }
    for dir in dirs {
        sync_dir(&dir)?;
    }
    let store::Truncated { end: log_end, messages_gone, data_gone } = match wish.at {
        Some(at) => store::truncate(&stage.dir.join("store"), u64::try_from(at.as_millisecond()).unwrap_or(0))?,
        None => store::Truncated { end: manifest.log_end, ..store::Truncated::default() },
    };
    remember(&stage.dir.join("store"), lost)?;
    go_on(stop)?;
    stage.finish()?;
    Ok(Restored { snapshot, did: manifest.did, log_end, messages_gone, data_gone, ..done })
}

/// The restored home knows which of its blocks are not there.
fn remember(store: &Path, lost: Vec<(Digest, String)>) -> Result<(), Error> {
    if !lost.is_empty() {
        vault::make_private_dir(store)?;
        let damages = Damages::open(store)?;
        for (block, why) in lost {
            let name = cid::from_digest(cid::RAW, &block);
            damages.note(
                store::Object::Block(block),
                &format!("block {name} was not in the backup: {why}"),
                Vec::new(),
            );
        }
    }
    Ok(())
}

/// How putting a file back has ended.
enum Put {
    Whole,
    /// Why it is not, or not whole, in the backup.
    Lost(String),
}

/// Puts one file of a home in its place. An error is one of the place it goes to, or somebody has asked to stop.
fn put(dir: &Path, file: &Object, to: &Path, stop: &CancellationToken) -> Result<Put, Error> {
    let mut out = private_file(to)?;
    let mut failed = None;
    let from = object(dir, &file.sha256);
    // One byte more shows that it is too long.
    let read = take::read(&from, file.size.saturating_add(1), |piece| {
        let written =
            go_on(stop).and_then(|()| out.write_all(piece).with_context(|| format!("writing {}", to.display())));
        written.map_err(|error| {
            failed = Some(error);
            anyhow::anyhow!("not written")
        })
    });
    if let Some(error) = failed {
        return Err(error);
    }
    out.sync_all().with_context(|| format!("making {} durable", to.display()))?;
    let lost = match read {
        Ok((sha256, size)) if sha256 == file.sha256 && size == file.size => return Ok(Put::Whole),
        Ok(_) => format!("object {} is damaged", file.sha256),
        Err(error) => format!("object {} cannot be read: {error:#}", file.sha256),
    };
    let says_itself = file.path.starts_with(LOG) || file.path.starts_with(PACKS);
    if !says_itself || out.metadata().is_ok_and(|found| found.len() == 0) {
        fs::remove_file(to).with_context(|| format!("removing {}", to.display()))?;
    }
    Ok(Put::Lost(lost))
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

/// A home on its way: everything lies in a folder of its own until all is there. Dropped before, nothing is left.
struct Stage {
    home: PathBuf,
    dir: PathBuf,
    /// The home and what is above it, as far as it was not there; the innermost first.
    made: Vec<PathBuf>,
    /// What lies in its place already.
    moved: Vec<PathBuf>,
    done: bool,
    _lock: File,
}

impl Stage {
    fn begin(home: &Path) -> Result<Self, Error> {
        let made = home.ancestors().take_while(|path| !path.as_os_str().is_empty() && !path.exists());
        let made: Vec<_> = made.map(Path::to_owned).collect();
        vault::make_private_dir(home)?;
        let dir = home.join(STAGE);
        if dir.exists() {
            // Of a restore that was killed.
            let lock =
                locked(&dir)?.with_context(|| format!("another restore into {} is under way", home.display()))?;
            fs::remove_dir_all(&dir).with_context(|| format!("deleting {}", dir.display()))?;
            drop(lock);
        }
        vault::make_private_dir(&dir)?;
        let lock = locked(&dir)?.with_context(|| format!("another restore into {} has begun", home.display()))?;
        Ok(Self { home: home.to_owned(), dir, made, moved: Vec::new(), done: false, _lock: lock })
    }

    /// Puts all in its place. The keys come last: a home with keys is a whole one.
    fn finish(mut self) -> Result<(), Error> {
        let mut parts = list(&self.dir)?;
        parts.retain(|path| *path != self.dir.join(LOCK));
        let is_data = |path: &Path| path.ends_with("store") || path.ends_with("blocks");
        parts.sort_by_key(|path| (!is_data(path), path.is_dir(), path.clone()));
        for from in parts {
            let to = self.home.join(from.file_name().context("a part of a home has a name")?);
            fs::rename(&from, &to).with_context(|| format!("moving {} to its place", to.display()))?;
            self.moved.push(to);
        }
        sync_dir(&self.home)?;
        self.done = true;
        Ok(())
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        remove(&self.dir);
        if self.done {
            return;
        }
        self.moved.iter().for_each(|path| remove(path));
        // Not what others have put there meanwhile.
        self.made.iter().for_each(|path| drop(fs::remove_dir(path)));
    }
}

/// Takes the lock in a folder; `None`: somebody has it.
fn locked(dir: &Path) -> Result<Option<File>, Error> {
    let path = dir.join(LOCK);
    let file = private_file(&path)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(fs::TryLockError::WouldBlock) => Ok(None),
        Err(fs::TryLockError::Error(error)) => Err(error).with_context(|| format!("locking {}", path.display())),
    }
}

/// Deletes a file or a folder with all in it.
fn remove(path: &Path) {
    let removed = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    if let Err(error) = removed
        && error.kind() != std::io::ErrorKind::NotFound
    {
        tracing::warn!("cannot delete {}: {error}", path.display());
    }
}

/// Puts back what a home lacks, and nothing else: files of the log before its end, keys, settings, and every block that is
/// missing or damaged. `home` is locked by the caller and nobody has its store open.
pub async fn mend(
    dir: &Path,
    home: &Path,
    (stores, settings): (&store::Config, &blocks::Config),
    whose: Option<&str>,
    stop: &CancellationToken,
) -> Result<Restored, Error> {
    let (from, to, whose, stopped) = (dir.to_owned(), home.to_owned(), whose.map(str::to_owned), stop.clone());
    let (stores, settings) = (stores.clone(), settings.clone());
    let open = move || {
        let (mut done, manifest) = fill(&from, &to, whose.as_deref(), &stopped)?;
        let store = Store::open(&to.join("store"), &stores)?;
        let blocks = Blocks::open(&to.join("blocks"), &settings, store.clone())?;
        done.log_end = *store.tail().borrow();
        Ok::<_, Error>((done, manifest, blocks))
    };
    let (mut done, manifest, blocks) = tokio::task::spawn_blocking(open).await.context("putting back files")??;
    loop {
        blocks.scrub(0, None, stop).await?;
        go_on(stop)?;
        let wanted = blocks.damage().blocks();
        let (from, files) = (dir.to_owned(), manifest.files.clone());
        let pantry = tokio::task::spawn_blocking(move || Pantry::of(&from, &files, wanted)).await??;
        let healed = blocks.heal_known(&pantry.fetch(), stop).await?;
        done.healed += healed;
        // The list of damage has a bound: there may be more.
        if healed == 0 || blocks.damage().count() == 0 {
            done.missing.extend(blocks.damage().list(usize::MAX).iter().map(ToString::to_string));
            break;
        }
    }
    tokio::task::spawn_blocking(move || drop(blocks)).await?;
    Ok(done)
}

/// Puts back what is no block. What was put back is counted.
fn fill(dir: &Path, home: &Path, whose: Option<&str>, stop: &CancellationToken) -> Result<(Restored, Manifest), Error> {
    let (snapshot, manifest) = choose(dir, None, &owner(dir, whose)?)?;
    let mut done = Restored { snapshot, did: manifest.did.clone(), ..Restored::default() };
    let last = list(&home.join(LOG))?.into_iter().filter(|path| path.extension().is_some_and(|e| e == "log")).max();
    let mut of_log = false;
    for file in manifest.files.iter().filter(|file| !file.path.starts_with("blocks/")) {
        let to = home.join(&file.path);
        // What lies behind the end of the log may have been left out on purpose, or was never so here.
        let is_log = file.path.starts_with(LOG);
        if to.exists() || is_log && last.as_ref().is_some_and(|last| to > *last) {
            continue;
        }
        let parent = to.parent().context("a file lies in a directory")?;
        vault::make_private_dir(parent)?;
        let beside = to.with_extension("restoring");
        let outcome = put(dir, file, &beside, stop);
        match outcome {
            Ok(Put::Whole) => {
                fs::rename(&beside, &to).with_context(|| format!("moving {} to its place", to.display()))?;
                sync_dir(parent)?;
                of_log |= is_log;
                done.files += 1;
                done.bytes += file.size;
            }
            Ok(Put::Lost(why)) => {
                remove(&beside);
                done.missing.push(format!("{}: {why}", shown(&file.path)));
            }
            Err(error) => {
                remove(&beside);
                return Err(error);
            }
        }
    }
    if of_log {
        // It was built without what has come back.
        store::forget_index(&home.join("store"))?;
    }
    Ok((done, manifest))
}

/// The blocks of a backup that a home wants.
struct Pantry {
    /// In which object each lies, and where in it.
    places: HashMap<Digest, (PathBuf, u64, u32)>,
}

impl Pantry {
    fn of(dir: &Path, files: &[Object], wanted: Vec<Digest>) -> Result<Self, Error> {
        let mut wanted: HashSet<_> = wanted.into_iter().collect();
        let mut places = HashMap::new();
        for file in files {
            let path = object(dir, &file.sha256);
            if let Some(block) = blocks::named(Path::new(&file.path))
                && wanted.remove(&block)
            {
                places.insert(block, (path, 0, u32::try_from(file.size)?));
            } else if file.path.starts_with(PACKS)
                && !wanted.is_empty()
                && let Ok(pack) = File::open(path.clone())
            {
                for (block, at, len) in blocks::entries(&pack) {
                    // Of two copies one may be damaged: whichever is whole.
                    if wanted.contains(&block) && is_whole(&pack, &block, at, len) {
                        wanted.remove(&block);
                        places.insert(block, (path.clone(), at, len));
                    }
                }
            }
        }
        Ok(Self { places })
    }

    fn fetch(self) -> Fetch {
        let places = Arc::new(self.places);
        Arc::new(move |cid| {
            let place = cid::sha256_of(&cid).and_then(|block| places.get(&block).cloned().map(|place| (block, place)));
            Box::pin(async move {
                let (block, (path, at, len)) = place?;
                let read = move || read_at(&mut File::open(path).ok()?, at, len);
                let bytes = tokio::task::spawn_blocking(read).await.ok()??;
                (cid::digest(&bytes) == block).then(|| Bytes::from(bytes))
            })
        })
    }
}

fn is_whole(mut pack: &File, block: &Digest, at: u64, len: u32) -> bool {
    read_at(&mut pack, at, len).is_some_and(|bytes| cid::digest(&bytes) == *block)
}

fn read_at(file: &mut (impl std::io::Read + std::io::Seek), at: u64, len: u32) -> Option<Vec<u8>> {
    file.seek(SeekFrom::Start(at)).ok()?;
    let mut bytes = Vec::new();
    file.take(len.into()).read_to_end(&mut bytes).ok()?;
    (bytes.len() == len as usize).then_some(bytes)
}

/// Restores the newest snapshot into a scratch home beside it, opens that, which builds its index from the log, compares
/// its fingerprint and counters with those that the home had in its own index, reads everything, and takes it away again.
pub async fn drill(dir: &Path, whose: Option<&str>, stop: &CancellationToken) -> Result<Drilled, Error> {
    let begun = Instant::now();
    let scratch = Scratch::new(dir)?;
    let wish = Wish { at: None, whose: whose.map(str::to_owned) };
    let (from, to, stopped) = (dir.to_owned(), scratch.home(), stop.clone());
    let bring = move || {
        let restored = restore(&from, &to, &wish, &stopped)?;
        ensure!(restored.missing.is_empty(), "{}", restored.missing.join("\n  "));
        let manifest = manifest_of(&from, &restored.snapshot, &restored.did)?;
        Ok::<_, Error>((restored, manifest))
    };
    let (restored, manifest) = tokio::task::spawn_blocking(bring).await.context("restoring")??;
    let Examined { opened, fingerprint, scrubbed } = examine(&scratch.home(), &manifest, stop).await?;
    let (took, compared) = (opened.duration_since(begun), manifest.fingerprint.is_some());
    tokio::task::spawn_blocking(move || drop(scratch)).await?;
    Ok(Drilled { restored, took, fingerprint, compared, scrubbed })
}

/// What is wrong with a snapshot all of whose objects are whole, in sentences: it is opened where it lies, and everything
/// in it read.
pub(super) async fn trial(dir: &Path, manifest: Manifest, stop: &CancellationToken) -> Result<Vec<String>, Error> {
    // A backup may lie where nothing can be written.
    let scratch = Scratch::new(dir).or_else(|_| Scratch::new(&std::env::temp_dir()))?;
    let (from, to, files) = (std::path::absolute(dir)?, scratch.home(), manifest.files.clone());
    let bring = move || files.iter().try_for_each(|file| show(&from, file, &files, &to));
    tokio::task::spawn_blocking(bring).await.context("looking into a snapshot")??;
    let examined = examine(&scratch.home(), &manifest, stop).await;
    tokio::task::spawn_blocking(move || drop(scratch)).await?;
    go_on(stop)?;
    Ok(match examined {
        Ok(examined) => examined.scrubbed.named,
        Err(error) => vec![format!("{error:#}")],
    })
}

/// Lets a file of the log or the blocks be seen in a scratch home. What will be written to is a copy.
fn show(dir: &Path, file: &Object, all: &[Object], home: &Path) -> Result<(), Error> {
    let to = home.join(&file.path);
    if !file.path.starts_with("store/") && !file.path.starts_with("blocks/") {
        return Ok(());
    }
    vault::make_private_dir(to.parent().context("a file lies in a directory")?)?;
    let from = object(dir, &file.sha256);
    let is_last = all.iter().filter(|other| other.path.starts_with(LOG)).map(|other| &other.path).max();
    let shown = if is_last == Some(&file.path) {
        fs::copy(&from, &to).map(|_| ())
    } else {
        std::os::unix::fs::symlink(&from, &to)
    };
    shown.with_context(|| format!("showing {} in {}", from.display(), home.display()))
}

struct Examined {
    opened: Instant,
    fingerprint: String,
    scrubbed: Scrubbed,
}

/// Opens a restored home, compares it with the one it was taken of, and reads everything in it.
async fn examine(home: &Path, manifest: &Manifest, stop: &CancellationToken) -> Result<Examined, Error> {
    let (home, manifest, stopped) = (home.to_owned(), manifest.clone(), stop.clone());
    let open = move || {
        let store = Store::begin(&home.join("store"), &store::Config::default())?;
        futures::executor::block_on(async {
            let (built, stopped) = (std::pin::pin!(store.built()), std::pin::pin!(stopped.cancelled()));
            match futures::future::select(built, stopped).await {
                futures::future::Either::Left((built, _)) => built,
                futures::future::Either::Right(_) => bail!("interrupted"),
            }
        })?;
        let blocks = Blocks::open(&home.join("blocks"), &blocks::Config::default(), store.clone())?;
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
        Ok((blocks, fingerprint))
    };
    let (blocks, fingerprint) = tokio::task::spawn_blocking(open).await.context("opening a restored home")??;
    let opened = Instant::now();
    let scrubbed = blocks.scrub(0, None, stop).await?;
    tokio::task::spawn_blocking(move || drop(blocks)).await?;
    go_on(stop)?;
    Ok(Examined { opened, fingerprint, scrubbed })
}

/// A directory for a home that goes when this is dropped.
struct Scratch {
    dir: PathBuf,
    _lock: File,
}

impl Scratch {
    /// In `beside`, where what killed ones have left is swept away.
    fn new(beside: &Path) -> Result<Self, Error> {
        for left in list(beside)? {
            let is_scratch = left.file_name().and_then(|name| name.to_str()).is_some_and(|n| n.starts_with(SCRATCH));
            if is_scratch
                && left.join(LOCK).is_file()
                && let Some(_lock) = locked(&left)?
            {
                remove(&left);
            }
        }
        let mut unique = [0; 8];
        getrandom::fill(&mut unique).map_err(|e| anyhow::anyhow!("the operating system gave no randomness: {e}"))?;
        let dir = beside.join(format!("{SCRATCH}{}", hex::encode(unique)));
        vault::make_private_dir(&dir)?;
        match locked(&dir) {
            Ok(Some(lock)) => Ok(Self { dir, _lock: lock }),
            Ok(None) => bail!("{} is locked by somebody else", dir.display()),
            Err(error) => {
                remove(&dir);
                Err(error)
            }
        }
    }

    fn home(&self) -> PathBuf {
        self.dir.join("home")
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        remove(&self.dir);
    }
}
