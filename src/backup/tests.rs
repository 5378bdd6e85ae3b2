//! Backups as their owner sees them.

mod damage;
mod manifest;

use super::{
    manifest::{PURPOSE, VERSION, list, manifest, object, parse, snapshots},
    schedule::prune,
    take::PARTS,
    *,
};
use crate::{
    audit::Audit,
    blocks::{self, Blocks, Right},
    cid::{self, Cid},
    crypto::{Secret, Signer, jws::Jws},
    dwn::{Change, Subject},
    job::Job,
    span::Span,
    store::{self, Moment, Store},
    vault::{Keys, Secrets, Vault},
};
use anyhow::Error;
use serde_json::json;
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    thread::sleep,
    time::Duration,
};
use tokio_util::sync::CancellationToken;

const MOMENT: Duration = Duration::from_millis(20);

struct Home {
    dir: tempfile::TempDir,
    source: Source,
}

fn home() -> Home {
    let dir = tempfile::tempdir().expect("a directory");
    let secrets = Secrets::new(Keys::of_did_key(Secret::random().expect("randomness"), String::new())).expect("made");
    Vault::at(&dir.path().join("keys")).create(&secrets, None).expect("keys");
    fs::write(dir.path().join("node.toml"), "# mine\n").expect("writes");
    let signer = Signer::of(&secrets.own().seed, |_| secrets.own().kid.clone());
    let signer = Arc::new(signer);
    let (store, blocks) = open(dir.path());
    let (home, keys, settings) = (dir.path().to_owned(), "keys".to_owned(), "node.toml".to_owned());
    Home { dir, source: Source { home, keys, settings, store, blocks, signer, link: false } }
}

fn job(stop: &CancellationToken) -> Job {
    Job::new("backup", "", stop.clone())
}

fn open(home: &Path) -> (Store, Blocks) {
    let config = store::Config { segment_size: 4 << 10, cache: 4 << 20, ..store::Config::default() };
    let store = Store::open(&home.join("store"), &config).expect("the store opens");
    let config = blocks::Config { pack_size: 100 << 10, ..blocks::Config::default() };
    let blocks = Blocks::open(&home.join("blocks"), &config, store.clone()).expect("the blocks open");
    (store, blocks)
}

impl Home {
    /// Writes a record with data, or removes the message before from it.
    fn commit(&self, record: &str, data: Option<&[u8]>, removes: Vec<Cid>) -> (Cid, Option<Cid>) {
        let data = data.map(|data| {
            let mut stage = self.source.blocks.stage();
            stage.push(data).expect("taken");
            stage.finish().expect("staged")
        });
        let message = json!({"recordId": record, "descriptor": {"n": removes.len()}});
        let root = data.as_ref().map(|data| data.root);
        let change = Change {
            initial: removes.is_empty(),
            data: data.as_ref().map(|data| (data.root, data.size)),
            removes,
            ..Change::initial("did:example:alice", Subject::Record(record.into()), message).expect("encodes")
        };
        let commit = self.source.store.commit("did:example:alice", data, move |_| Ok(change.clone()));
        (futures::executor::block_on(commit).expect("committed").cid, root)
    }
}

fn bytes(n: u8, size: usize) -> Vec<u8> {
    (0..size).map(|k| (k * 31 + (k >> 8)) as u8 ^ n).collect()
}

fn read(blocks: &Blocks, root: &Cid) -> Vec<u8> {
    blocks.read(Right::OWNER, root).expect("is here").flat_map(|chunk| chunk.expect("reads").to_vec()).collect()
}

fn seen(dir: &Path, whose: Option<&str>) -> Result<Verified, Error> {
    runtime().block_on(verify(dir, whose, &CancellationToken::new()))
}

fn drilled(dir: &Path, whose: Option<&str>) -> Result<Drilled, Error> {
    runtime().block_on(drill(dir, whose, &CancellationToken::new()))
}

fn restored(dir: &Path, home: &Path, at: Option<jiff::Timestamp>, whose: Option<&str>) -> Result<Restored, Error> {
    restore(dir, home, &Wish { at, whose: whose.map(str::to_owned) }, &CancellationToken::new())
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Runtime::new().expect("a runtime")
}

/// Puts a manifest in the place of a snapshot's, or beside it, signed by `signer`.
fn plant(dir: &Path, name: &str, manifest: &Manifest, signer: &Signer) {
    let signed = Jws::sign(&serde_json::to_vec(manifest).expect("encodes"), signer).expect("signs");
    fs::write(dir.join("snapshots").join(name), signed.to_string()).expect("writes");
}

#[test]
fn a_home_comes_back_from_its_backup() {
    let home = home();
    let roots: Vec<_> = [10, 40_000, 70_000, 600_000]
        .iter()
        .map(|size| (home.commit(&format!("r{size}"), Some(&bytes(1, *size)), Vec::new()).1.expect("data"), *size))
        .collect();
    let target = tempfile::tempdir().expect("a directory");
    let first = home.source.take(target.path(), Check::All).expect("taken");
    assert_eq!((first.files, first.bytes), (first.new_files, first.new_bytes));
    home.commit("more", Some(&bytes(2, 300_000)), Vec::new());
    let second = home.source.take(target.path(), Check::All).expect("taken");
    // A chunk, the segment of the log and the pack.
    assert!(second.new_files <= 4 && second.new_bytes < first.bytes, "{first:?} {second:?}");
    let verified = seen(target.path(), None).expect("verifies");
    assert_eq!((verified.snapshots, verified.damaged), (2, Vec::<String>::new()));

    let to = tempfile::tempdir().expect("a directory");
    let done = restored(target.path(), to.path(), None, None).expect("restores");
    assert_eq!((done.files, done.snapshot), (second.files, second.snapshot));
    let [was, is] =
        [home.dir.path(), to.path()].map(|of| Vault::at(&of.join("keys")).open(None).expect("opens").default);
    assert_eq!(was, is);
    assert_eq!(fs::read_to_string(to.path().join("node.toml")).expect("reads"), "# mine\n");
    let (store, blocks) = open(to.path());
    assert_eq!(store.moment().expect("answers"), home.source.store.moment().expect("answers"));
    for (root, size) in roots {
        assert!(read(&blocks, &root) == bytes(1, size), "{size}");
    }
    assert!(restored(target.path(), to.path(), None, None).expect_err("refused").to_string().contains("not empty"));
    let drill = drilled(target.path(), None).expect("drills");
    assert_eq!((drill.scrubbed.damaged, drill.scrubbed.messages), (0, 5));
    assert_eq!(list(target.path()).expect("lists").len(), 3, "the scratch home is gone");
}

#[test]
fn a_backup_from_before_block_files_moved_comes_back_and_goes_on() {
    let mut home = home();
    let data = bytes(1, 600_000);
    let root = home.commit("r", Some(&data), Vec::new()).1.expect("data");
    let target = tempfile::tempdir().expect("a directory");
    home.source.link = true;
    let taken = home.source.take(target.path(), Check::All).expect("taken");
    // As the toft of then would have written it.
    let mut older = manifest(target.path(), &taken.snapshot).expect("reads");
    let mut moved = 0;
    for file in older.files.iter_mut().filter(|file| file.path.starts_with("blocks/sha256/")) {
        let name = file.path.rsplit('/').next().expect("a name");
        file.path = format!("blocks/files/{}/{}/{name}", &file.sha256[..2], &file.sha256[2..4]);
        moved += 1;
    }
    // The two full chunks are one block.
    assert_eq!(moved, 2);
    let signed = Jws::sign(&serde_json::to_vec(&older).expect("encodes"), &home.source.signer).expect("signs");
    fs::write(target.path().join("snapshots").join(&taken.snapshot), signed.to_string()).expect("writes");

    assert_eq!(seen(target.path(), None).expect("verifies").damaged, Vec::<String>::new());
    let to = tempfile::tempdir().expect("a directory");
    restored(target.path(), to.path(), None, None).expect("restores");
    assert!(to.path().join("blocks/files").exists() && !to.path().join("blocks/sha256").exists());
    let (store, blocks) = open(to.path());
    assert!(read(&blocks, &root) == data);
    assert!(!to.path().join("blocks/files").exists() && store.degraded().is_empty());
    let drill = drilled(target.path(), None).expect("drills");
    assert!(drill.compared && drill.scrubbed.damaged == 0, "{drill:?}");

    // A home that has moved brings no block again, whether its backup has links or copies.
    for link in [true, false] {
        home.source.link = link;
        let again = home.source.take(target.path(), Check::All).expect("taken");
        assert_eq!((again.new_files, again.linked), (0, 0), "{again:?}");
    }
    assert_eq!(seen(target.path(), None).expect("verifies").damaged, Vec::<String>::new());
}

#[test]
fn a_home_comes_back_as_it_was_at_a_time() {
    let home = home();
    let (_, kept) = home.commit("early", Some(&bytes(1, 31_000)), Vec::new());
    let (doomed, other) = home.commit("doomed", Some(&bytes(2, 70_000)), Vec::new());
    let packed = home.commit("packed", Some(&bytes(5, 65_000)), Vec::new()).0;
    sleep(MOMENT);
    let at = jiff::Timestamp::now();
    sleep(MOMENT);
    home.commit("doomed", None, vec![doomed]);
    home.commit("packed", None, vec![packed]);
    // Fills packs, so that what was early is moved.
    for n in 0..4 {
        home.commit(&format!("late{n}"), Some(&bytes(10 + n, 31_000)), Vec::new());
    }
    let target = tempfile::tempdir().expect("a directory");
    home.source.take(target.path(), Check::All).expect("taken");
    let to = tempfile::tempdir().expect("a directory");
    let done = restored(target.path(), to.path(), Some(at), None).expect("restores");
    let (store, blocks) = open(to.path());
    assert_eq!((store.stats().records, store.stats().messages), (3, 3));
    assert_eq!(store.moment().expect("answers").end, done.log_end);
    assert!(read(&blocks, &kept.expect("data")) == bytes(1, 31_000));
    assert!(read(&blocks, &other.expect("data")) == bytes(2, 70_000));
    assert_eq!(store.degraded(), Vec::<String>::new());

    // After collection the packs lie otherwise; what was not deleted is still found.
    assert!(home.source.blocks.collect().expect("collects").packs > 0);
    home.source.take(target.path(), Check::All).expect("taken");
    fs::remove_file(target.path().join("snapshots").join(&snapshots(target.path()).expect("lists")[0]))
        .expect("removes");
    let to = tempfile::tempdir().expect("a directory");
    restored(target.path(), to.path(), Some(at), None).expect("restores");
    let (store, blocks) = open(to.path());
    assert_eq!(store.stats().records, 3);
    assert!(read(&blocks, &kept.expect("data")) == bytes(1, 31_000));
    let later = jiff::Timestamp::now() + Duration::from_secs(60);
    let empty = tempfile::tempdir().expect("a directory");
    assert!(restored(target.path(), empty.path(), Some(later), None).is_err());
}

#[test]
fn damage_and_forgery_are_named_and_old_snapshots_go() {
    let home = home();
    home.commit("r", Some(&bytes(1, 70_000)), Vec::new());
    let target = tempfile::tempdir().expect("a directory");
    home.source.take(target.path(), Check::All).expect("taken");
    let manifest = manifest(target.path(), &snapshots(target.path()).expect("lists")[0]).expect("reads");
    let file = manifest.files.iter().find(|file| file.size == 70_000).expect("a block file");
    let path = object(target.path(), &file.sha256);
    let whole = fs::read(&path).expect("reads");
    fs::write(&path, bytes(9, 70_000)).expect("writes");
    let found = seen(target.path(), None).expect("verifies").damaged;
    assert!(matches!(&found[..], [one] if one.contains("is damaged") && one.contains(&file.path)), "{found:?}");
    let to = tempfile::tempdir().expect("a directory");
    // All else comes back, and what does not is listed and known to the home.
    let done = restored(target.path(), to.path(), None, None).expect("restores the rest");
    assert!(matches!(&done.missing[..], [one] if one.contains(&file.path)), "{:?}", done.missing);
    assert_eq!(done.files, manifest.files.len() as u64 - 1);
    let (store, blocks) = open(to.path());
    assert_eq!((store.stats().messages, blocks.damage().count()), (1, 1));
    drop((store, blocks));
    assert!(drilled(target.path(), None).expect_err("refused").to_string().contains(&file.path));
    fs::write(&path, whole).expect("writes");

    home.commit("r2", Some(&bytes(2, 10)), Vec::new());
    let second = home.source.take(target.path(), Check::All).expect("taken");
    let objects = || {
        list(&target.path().join("objects"))
            .expect("lists")
            .iter()
            .map(|d| list(d).expect("lists").len())
            .sum::<usize>()
    };
    let before = objects();
    let later = jiff::Timestamp::now() + Duration::from_secs(3600);
    prune(target.path(), later, Duration::from_secs(60)).expect("prunes");
    assert_eq!(snapshots(target.path()).expect("lists"), std::slice::from_ref(&second.snapshot));
    assert!(objects() < before);
    assert_eq!(seen(target.path(), None).expect("verifies").damaged, Vec::<String>::new());

    let forged = target.path().join("snapshots").join(&second.snapshot);
    let mut signed: serde_json::Value = serde_json::from_slice(&fs::read(&forged).expect("reads")).expect("parses");
    let other = super::Manifest { log_end: 1, ..manifest };
    signed["payload"] = crate::crypto::encode(&serde_json::to_vec(&other).expect("encodes")).into();
    fs::write(&forged, signed.to_string()).expect("writes");
    let found = seen(target.path(), None).expect("verifies").damaged;
    assert!(matches!(&found[..], [one] if one.contains("signature")), "{found:?}");
}

#[test]
fn a_drill_compares_with_the_home_and_not_only_by_counting() {
    let home = home();
    let (first, _) = home.commit("r1", Some(&bytes(1, 70_000)), Vec::new());
    home.commit("r2", Some(&bytes(2, 300)), Vec::new());
    let target = tempfile::tempdir().expect("a directory");
    let taken = home.source.take(target.path(), Check::All).expect("taken");
    let drill = drilled(target.path(), None).expect("drills");
    let moment = home.source.store.moment().expect("a moment");
    assert_eq!((drill.compared, &drill.fingerprint), (true, &moment.fingerprint));
    // It is a matter of what is there, not of where and how it came there: the same again after a restart, another one
    // after a write that changes no counter.
    let whole = manifest(target.path(), &taken.snapshot).expect("reads");
    home.commit("r1", Some(&bytes(3, 70_000)), vec![first]);
    let later = home.source.store.moment().expect("a moment");
    assert_eq!((later.stats.messages, later.stats.bytes), (moment.stats.messages, moment.stats.bytes));
    assert_ne!(later.fingerprint, moment.fingerprint);
    let other = Manifest { fingerprint: Some(later.fingerprint), ..whole.clone() };
    plant(target.path(), &taken.snapshot, &other, &home.source.signer);
    let said = drilled(target.path(), None).expect_err("another home").to_string();
    assert!(said.contains("is another one: its fingerprint"), "{said}");
    // As an earlier version wrote it.
    plant(target.path(), &taken.snapshot, &Manifest { fingerprint: None, ..whole }, &home.source.signer);
    assert!(!drilled(target.path(), None).expect("drills").compared);
}

#[test]
fn what_never_changes_is_linked_where_the_operator_wants_it() {
    use std::os::unix::fs::MetadataExt as _;
    let mut home = home();
    home.source.link = true;
    let (first, _) = home.commit("r1", Some(&bytes(1, 70_000)), Vec::new());
    home.commit("r2", Some(&bytes(2, 600_000)), Vec::new());
    for n in 0..8 {
        home.commit(&format!("small{n}"), Some(&bytes(n, 1_000)), Vec::new());
    }
    // A directory of its own beside the home: links need one file system.
    let target = tempfile::tempdir_in(home.dir.path().parent().expect("a parent")).expect("a directory");
    let taken = home.source.take(target.path(), Check::All).expect("taken");
    let manifest = manifest(target.path(), &taken.snapshot).expect("reads");
    let sealed: Vec<_> = home.source.store.segments(manifest.log_end).expect("segments");
    let sealed = sealed.iter().filter(|(_, _, sealed)| *sealed).count();
    let mut linked = 0;
    for file in &manifest.files {
        let inode = |path: &Path| fs::metadata(path).expect("is there").ino();
        let same = inode(&home.dir.path().join(&file.path)) == inode(&object(target.path(), &file.sha256));
        let (log, block) =
            (file.path.starts_with("store/log"), file.path.starts_with("blocks") && file.size >= 64 << 10);
        assert!(!same || log || block, "{} is linked", file.path);
        linked += u64::from(same);
    }
    // The files of r1 and r2, of which two are the same, and the segments but the open one.
    assert!(sealed > 1 && linked == taken.linked && linked == sealed as u64 + 3, "{linked} {sealed} {taken:?}");
    // The home goes on, and the snapshot is what it was, also where the home has let go of the file.
    home.commit("r1", Some(&bytes(9, 10)), vec![first]);
    assert!(home.source.blocks.collect().expect("collects").blocks > 0);
    assert_eq!(seen(target.path(), None).expect("verifies").damaged, Vec::<String>::new());
    assert!(drilled(target.path(), None).expect("drills").compared);
    let again = home.source.take(target.path(), Check::All).expect("taken");
    assert!(again.new_files < 8, "{again:?}");
    // And what is said of it is true: damage to the one is damage to both.
    let file = manifest.files.iter().find(|file| file.size > 200_000).expect("a chunk");
    let mut damaged = fs::OpenOptions::new().write(true).open(home.dir.path().join(&file.path)).expect("opens");
    std::io::Write::write_all(&mut damaged, b"damage").expect("writes");
    let found = seen(target.path(), None).expect("verifies").damaged;
    assert!(matches!(&found[..], [one] if one.contains(&file.path)), "{found:?}");
}

/// An audit log.
fn log() -> (tempfile::TempDir, Audit) {
    let home = tempfile::tempdir().expect("a directory");
    let audit = Audit::open(home.path(), jiff::Timestamp::now()).expect("opens");
    (home, audit)
}

#[test]
fn the_schedule_takes_snapshots_and_lets_old_ones_go() {
    let home = home();
    home.commit("r", Some(&bytes(1, 70_000)), Vec::new());
    let target = tempfile::tempdir().expect("a directory");
    let (every, keep) = (Span(Duration::from_millis(30)), Span(Duration::from_millis(300)));
    let config = Config { target: target.path().to_str().expect("UTF-8").into(), every, keep, link: false };
    let off = Config { target: String::new(), ..config.clone() };
    let (_log, audit) = log();
    runtime().block_on(async {
        let stop = CancellationToken::new();
        home.source.clone().keep_backing_up(off, audit.clone(), job(&stop)).await.expect("nothing to do");
        let running = tokio::spawn(home.source.clone().keep_backing_up(config, audit.clone(), job(&stop)));
        let (mut seen, mut most) = (BTreeSet::new(), 0);
        let first = loop {
            let names = snapshots(target.path()).expect("lists");
            seen.extend(names.iter().cloned());
            most = most.max(names.len());
            let first = seen.first().cloned();
            if let Some(first) = first.filter(|first| !names.is_empty() && !names.contains(first)) {
                break first;
            }
            assert!(seen.len() < 500, "nothing is let go");
            tokio::time::sleep(Duration::from_millis(5)).await;
        };
        assert!(most >= 2 && seen.len() > most.saturating_sub(1), "{seen:?}");
        stop.cancel();
        running.await.expect("joins").expect("ends");
        // A round that was under way is whole, and what is left can be used.
        let found = verify(target.path(), None, &CancellationToken::new()).await.expect("verifies");
        assert!(found.snapshots >= 1 && found.damaged.is_empty(), "{found:?}");
        assert!(!snapshots(target.path()).expect("lists").contains(&first));
        let noted = audit.newest(usize::MAX, |entry| entry.what == "backup.scheduled").expect("reads");
        assert!(noted.len() >= seen.len() && noted[0].about["snapshot"] == first, "each is written down");
    });
    assert!(drilled(target.path(), None).expect("drills").compared);
}

#[test]
fn a_target_that_is_away_is_tried_again() {
    let home = home();
    let place = tempfile::tempdir().expect("a directory");
    // A file stands where the directory should be: as a disk that is not mounted, nothing can be written there.
    let target = place.path().join("backup");
    fs::write(&target, "not a directory").expect("writes");
    let every = Span(Duration::from_millis(20));
    let config = Config { target: target.to_str().expect("UTF-8").into(), every, ..Config::default() };
    runtime().block_on(async {
        let stop = CancellationToken::new();
        let job = job(&stop);
        let running = tokio::spawn(home.source.clone().keep_backing_up(config, log().1, job.clone()));
        while job.status().runs < 2 {
            assert!(!running.is_finished(), "the node goes on");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert!(job.status().failing);
        fs::remove_file(&target).expect("removes");
        while snapshots(&target).map_or(0, |names| names.len()) < 2 {
            assert!(!running.is_finished());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        stop.cancel();
        running.await.expect("joins").expect("ends");
    });
}
