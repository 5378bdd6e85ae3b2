//! Damage to the index costs nothing; damage to the log is named.

use super::*;
use std::{
    io::{Read as _, Seek as _, SeekFrom, Write as _},
    path::PathBuf,
};

const RECORDS: u64 = 60;

/// A closed store with records, each with data.
fn filled(dir: &Path) -> Vec<(String, Cid)> {
    runtime().block_on(async {
        let store = open(dir);
        let mut written = Vec::new();
        for n in 0..RECORDS {
            let record = format!("r{n}");
            let data = format!("data of {n}");
            let change = write(&store, &record, n, json!({"published": true}), Some(data.as_bytes())).await;
            written.push((record, change.expect("written").cid));
        }
        store.put_state(vec![(b"anchor/x".to_vec(), Some(b"kept".to_vec()))]).await.expect("kept");
        written
    })
}

/// The records that are there, whole.
fn present(store: &Store, written: &[(String, Cid)]) -> usize {
    let view = store.view(ALICE);
    let whole = |(record, cid): &&(String, Cid)| {
        let Some(found) = view.record(record).expect("reads") else { return false };
        assert_eq!(found.newest.cid, *cid);
        let data = view.inline_data(&found.newest).expect("reads").expect("is there");
        let listed = super::found(&*view, equal("recordId", record));
        let public = store.block_is_public(&cid::digest(&data)).expect("answers");
        public && listed == [record.clone()] && data == record.replacen('r', "data of ", 1).into_bytes()
    };
    written.iter().filter(whole).count()
}

fn all_is_well(dir: &Path, written: &[(String, Cid)]) {
    let store = open(dir);
    assert_eq!(store.degraded(), Vec::<String>::new());
    assert_eq!(present(&store, written), written.len());
    assert_eq!(store.state(b"anchor/x").expect("reads").as_deref(), Some(b"kept".as_slice()));
    assert_eq!(store.stats(), Stats { records: RECORDS, messages: RECORDS, blocks: RECORDS, bytes: bytes() });
    // And it can be written to.
    let again = runtime().block_on(write(&store, "r0", RECORDS + 1, json!({}), None)).expect("written");
    assert_eq!(store.view(ALICE).record("r0").expect("reads").expect("is there").newest.cid, again.cid);
}

fn bytes() -> u64 {
    (0..RECORDS).map(|n| format!("data of {n}").len() as u64).sum()
}

fn flip(path: &Path, at: u64) {
    let mut file = File::options().read(true).write(true).open(path).expect("opens");
    let mut byte = [0];
    file.seek(SeekFrom::Start(at)).expect("seeks");
    file.read_exact(&mut byte).expect("reads");
    file.seek(SeekFrom::Start(at)).expect("seeks");
    file.write_all(&[byte[0] ^ 0x10]).expect("writes");
}

fn segments(dir: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> =
        fs::read_dir(dir.join("log")).expect("lists").map(|entry| entry.expect("lists").path()).collect();
    found.sort();
    found
}

#[test]
fn a_lost_index_is_rebuilt() {
    let dir = tempfile::tempdir().expect("a directory");
    let written = filled(dir.path());
    fs::remove_dir_all(dir.path().join("index")).expect("removes");
    all_is_well(dir.path(), &written);
}

#[test]
fn a_truncated_index_is_rebuilt() {
    for percent in [0, 1, 50, 90, 99] {
        let dir = tempfile::tempdir().expect("a directory");
        let written = filled(dir.path());
        let db = dir.path().join("index/db");
        let length = fs::metadata(&db).expect("is there").len();
        File::options().write(true).open(&db).expect("opens").set_len(length * percent / 100).expect("cuts");
        all_is_well(dir.path(), &written);
    }
}

#[test]
fn a_flipped_bit_in_the_index_loses_nothing() {
    let dir = tempfile::tempdir().expect("a directory");
    let written = filled(dir.path());
    let length = fs::metadata(dir.path().join("index/db")).expect("is there").len();
    for n in 0..12 {
        let copy = tempfile::tempdir().expect("a directory");
        copy_dir(dir.path(), copy.path());
        flip(&copy.path().join("index/db"), length * n / 12 + 100);
        // sled may notice only when it reads the place: then the caller is told, and the next start is well.
        if std::panic::catch_unwind(|| all_is_well(copy.path(), &written)).is_err() {
            assert!(copy.path().join("index.suspect").exists(), "damage at {n}/12 was noticed and not noted");
            let store = open(copy.path());
            assert_eq!(present(&store, &written[1..]), written.len() - 1);
        }
    }
}

#[test]
fn an_index_that_says_too_much_or_is_of_another_log_is_rebuilt() {
    let dir = tempfile::tempdir().expect("a directory");
    let written = filled(dir.path());
    // An index in the state it had long ago is behind; with the marker of a crash it is counted through as well.
    let other = tempfile::tempdir().expect("a directory");
    drop(open(other.path()));
    fs::remove_dir_all(dir.path().join("index")).expect("removes");
    copy_dir(&other.path().join("index"), &dir.path().join("index"));
    all_is_well(dir.path(), &written);
}

fn set_aside(dir: &Path) -> usize {
    let names = fs::read_dir(dir).expect("lists").map(|entry| entry.expect("lists").file_name());
    names.filter(|name| name.to_string_lossy().starts_with(recover::ASIDE)).count()
}

#[test]
fn an_index_of_another_version_is_built_again_and_not_kept() {
    let dir = tempfile::tempdir().expect("a directory");
    let written = filled(dir.path());
    for version in [row::VERSION - 1, row::VERSION + 1] {
        let index = Index::open(&dir.path().join("index"), 4 << 20).expect("opens");
        let changes = [(keys::meta("version"), Some(version.to_be_bytes().to_vec()))];
        index.apply(changes.into_iter().collect()).expect("applied");
        drop(index);
        let store = open(dir.path());
        assert_eq!((present(&store, &written), set_aside(dir.path())), (written.len(), 0));
        drop(store);
        let index = Index::open(&dir.path().join("index"), 4 << 20).expect("opens");
        assert_eq!(index.version().expect("reads"), Some(row::VERSION));
    }
}

#[test]
fn of_damaged_indexes_only_the_last_is_kept() {
    let dir = tempfile::tempdir().expect("a directory");
    let written = filled(dir.path());
    for _ in 0..3 {
        fs::write(dir.path().join("index/db"), [7; 5000]).expect("writes");
        let store = open(dir.path());
        assert_eq!((present(&store, &written), set_aside(dir.path())), (written.len(), 1));
        assert!(store.usage().expect("walks").aside > 0);
    }
}

#[test]
fn a_torn_tail_is_cut() {
    let dir = tempfile::tempdir().expect("a directory");
    let written = filled(dir.path());
    let last = segments(dir.path()).pop().expect("a segment");
    let whole = fs::read(&last).expect("reads");
    // A write that was cut short: the beginning of a frame, or pages that never came.
    for torn in [&b"t"[..], b"tft\x01\0\0\0\x10", &[0; 5000], &whole[..100]] {
        let mut file = File::options().append(true).open(&last).expect("opens");
        file.write_all(torn).expect("writes");
        drop(file);
        let store = open(dir.path());
        assert_eq!(store.degraded(), Vec::<String>::new());
        assert_eq!(present(&store, &written), written.len());
        drop(store);
        assert_eq!(fs::read(&last).expect("reads"), whole);
    }
    all_is_well(dir.path(), &written);
}

#[test]
fn a_write_whose_pages_came_out_of_order_is_a_torn_tail() {
    let dir = tempfile::tempdir().expect("a directory");
    let written = filled(dir.path());
    let last = segments(dir.path()).pop().expect("a segment");
    let start: u64 = last.file_stem().and_then(|s| s.to_str()).and_then(|s| s.parse().ok()).expect("a number");
    let whole = fs::read(&last).expect("reads");
    let group = start + whole.len() as u64;
    let (mut bytes, mut first) = (Vec::new(), 0);
    for n in 0..2 {
        first = if n == 1 { bytes.len() } else { 0 };
        let state = Frame::State(vec![(serde_bytes::ByteBuf::from(vec![n]), None)]);
        frame::encode(&state, Some(0), group + bytes.len() as u64, group, &mut bytes).expect("encodes");
    }
    bytes[..first].fill(0);
    File::options().append(true).open(&last).expect("opens").write_all(&bytes).expect("writes");
    let store = open(dir.path());
    assert_eq!(store.degraded(), Vec::<String>::new());
    assert_eq!(present(&store, &written), written.len());
    drop(store);
    assert_eq!(fs::read(&last).expect("reads"), whole);
}

#[test]
fn a_flipped_byte_in_the_log_is_named_and_costs_one_message() {
    let dir = tempfile::tempdir().expect("a directory");
    let written = filled(dir.path());
    let all = segments(dir.path());
    for (segment, rebuild) in [(1, false), (1, true), (all.len() - 1, false), (all.len() - 1, true)] {
        let copy = tempfile::tempdir().expect("a directory");
        copy_dir(dir.path(), copy.path());
        flip(&segments(copy.path())[segment], 200);
        if rebuild {
            fs::remove_dir_all(copy.path().join("index")).expect("removes");
        }
        let store = open(copy.path());
        let mut at = 0;
        let mut read = 0;
        while at < *store.tail().borrow() {
            for entry in store.entries(at, 1000).expect("reads on behind the damage") {
                at = entry.next();
                read += 1;
            }
        }
        assert_eq!(read, RECORDS, "all but one, and the state");
        let reasons = store.degraded();
        assert!(reasons.iter().any(|r| r.contains("the log is damaged from")), "{reasons:?}");
        let view = store.view(ALICE);
        let lost = written.iter().filter(|(record, _)| !matches!(view.record(record), Ok(Some(_)))).count();
        assert_eq!(lost, 1);
        if !rebuild {
            let error = written.iter().find_map(|(record, _)| view.record(record).err()).expect("is named");
            assert!(format!("{error:#}").contains("the log is damaged at"), "{error:#}");
        }
        let more = runtime().block_on(write(&store, "new", 1, json!({}), None));
        more.expect("the store still takes messages");
    }
}

#[test]
fn a_log_cut_below_what_was_acknowledged_is_named() {
    let dir = tempfile::tempdir().expect("a directory");
    let written = filled(dir.path());
    let last = segments(dir.path()).pop().expect("a segment");
    let length = fs::metadata(&last).expect("is there").len();
    File::options().write(true).open(&last).expect("opens").set_len(length / 2).expect("cuts");
    let end = {
        let store = open(dir.path());
        let reasons = store.degraded();
        assert!(reasons.iter().any(|r| r.contains("had been written and acknowledged")), "{reasons:?}");
        let left = present(&store, &written);
        assert!(left > 0 && left < written.len(), "{left} left");
        let end = *store.tail().borrow();
        let new = runtime().block_on(write(&store, "new", 1, json!({}), Some(b"new"))).expect("written");
        let entries = store.entries(end, 9).expect("reads");
        assert!(matches!(&entries[..], [Entry::Message { cid, .. }] if *cid == new.cid), "{entries:?}");
        end
    };
    let store = open(dir.path());
    assert!(store.view(ALICE).record("new").expect("reads").is_some());
    assert!(*store.tail().borrow() > end, "positions are not given out twice");
    assert!(store.degraded().iter().any(|r| r.contains("no segment holds")), "{:?}", store.degraded());
}

#[test]
fn a_missing_segment_is_named() {
    let dir = tempfile::tempdir().expect("a directory");
    let written = filled(dir.path());
    fs::remove_file(&segments(dir.path())[1]).expect("removes");
    fs::remove_dir_all(dir.path().join("index")).expect("removes");
    let store = open(dir.path());
    assert!(store.degraded().iter().any(|r| r.contains("no segment holds")), "{:?}", store.degraded());
    let view = store.view(ALICE);
    let left = written.iter().filter(|(record, _)| view.record(record).expect("reads").is_some()).count();
    assert!(left > 0 && left < written.len(), "{left} left");
}

pub(super) fn copy_dir(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("creates");
    for entry in fs::read_dir(from).expect("lists") {
        let path = entry.expect("lists").path();
        let target = to.join(path.file_name().expect("a name"));
        if path.is_dir() { copy_dir(&path, &target) } else { fs::copy(&path, &target).map(|_| ()).expect("copies") }
    }
}

#[test]
fn a_failed_fsync_stops_writing_aloud_and_reading_goes_on() {
    let dir = tempfile::tempdir().expect("a directory");
    fs::create_dir_all(dir.path().join("log")).expect("creates");
    // Takes every write and refuses to sync.
    std::os::unix::fs::symlink("/dev/null", dir.path().join("log/00000000000000000000.log")).expect("links");
    let store = open(dir.path());
    for told in ["durable", "writing has stopped"] {
        let error = runtime().block_on(write(&store, "r", 1, json!({}), None)).expect_err("cannot be kept");
        assert!(matches!(&error, Stop::Fault(fault) if format!("{fault:#}").contains(told)), "{error:?}");
    }
    assert!(store.degraded().iter().any(|r| r.contains("writing has stopped")), "{:?}", store.degraded());
    assert!(store.view(ALICE).record("r").expect("reads").is_none());
    assert_eq!((*store.tail().borrow(), store.stats()), (0, Stats::default()));
}

#[test]
fn a_full_disk_refuses_the_write_and_nothing_else() {
    let dir = tempfile::tempdir().expect("a directory");
    fs::create_dir_all(dir.path().join("log")).expect("creates");
    std::os::unix::fs::symlink("/dev/full", dir.path().join("log/00000000000000000000.log")).expect("links");
    let store = open(dir.path());
    for _ in 0..2 {
        let error = runtime().block_on(write(&store, "r", 1, json!({}), None)).expect_err("cannot be kept");
        assert!(matches!(&error, Stop::Refusal(refusal) if refusal.code == 507), "{error:?}");
    }
    assert_eq!(store.degraded(), Vec::<String>::new());
    assert!(store.view(ALICE).record("r").expect("reads").is_none());
}
