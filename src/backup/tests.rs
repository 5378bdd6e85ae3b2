//! Backups as their owner sees them.

use super::*;
use crate::{
    blocks, cid,
    cid::Cid,
    crypto::ed25519_public,
    dwn::{Change, Subject},
    store, vault,
};
use serde_json::json;
use std::thread::sleep;
use zeroize::Zeroizing;

const MOMENT: Duration = Duration::from_millis(20);

struct Home {
    dir: tempfile::TempDir,
    source: Source,
}

fn home() -> Home {
    let dir = tempfile::tempdir().expect("a directory");
    let secrets = vault::create(&dir.path().join("keys")).expect("keys");
    fs::write(dir.path().join("node.toml"), "# mine\n").expect("writes");
    let did = did::key::from_ed25519(&ed25519_public(&secrets.identity));
    let signer = Arc::new(Signer::new(Zeroizing::new(secrets.identity), did::key::kid(&did)));
    let (store, blocks) = open(dir.path());
    let (home, keys, settings) = (dir.path().to_owned(), "keys".to_owned(), "node.toml".to_owned());
    Home { dir, source: Source { home, keys, settings, store, blocks, signer } }
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
        let (cid, bytes) = cid::of_json(&message).expect("encodes");
        let root = data.as_ref().map(|data| data.root);
        let change = Change {
            tenant: "did:example:alice".into(),
            subject: Subject::Record(record.into()),
            cid,
            bytes,
            message: Arc::new(message.into()),
            author: "did:example:alice".into(),
            latest: true,
            initial: removes.is_empty(),
            data: data.as_ref().map(|data| (data.root, data.size)),
            keeps_data: false,
            demotes: Vec::new(),
            removes,
            status: 202,
        };
        let commit = self.source.store.commit("did:example:alice", data, move |_| Ok(change.clone()));
        (futures::executor::block_on(commit).expect("committed").cid, root)
    }
}

fn bytes(n: u8, size: usize) -> Vec<u8> {
    (0..size).map(|k| (k * 31 + (k >> 8)) as u8 ^ n).collect()
}

fn read(blocks: &Blocks, root: &Cid) -> Vec<u8> {
    blocks.read(root).expect("is here").flat_map(|chunk| chunk.expect("reads").to_vec()).collect()
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Runtime::new().expect("a runtime")
}

#[test]
fn a_home_comes_back_from_its_backup() {
    let home = home();
    let roots: Vec<_> = [10, 40_000, 70_000, 600_000]
        .iter()
        .map(|size| (home.commit(&format!("r{size}"), Some(&bytes(1, *size)), Vec::new()).1.expect("data"), *size))
        .collect();
    let target = tempfile::tempdir().expect("a directory");
    let first = home.source.take(target.path()).expect("taken");
    assert_eq!((first.files, first.bytes), (first.new_files, first.new_bytes));
    home.commit("more", Some(&bytes(2, 300_000)), Vec::new());
    let second = home.source.take(target.path()).expect("taken");
    // A chunk, the segment of the log and the pack.
    assert!(second.new_files <= 4 && second.new_bytes < first.bytes, "{first:?} {second:?}");
    let verified = verify(target.path()).expect("verifies");
    assert_eq!((verified.snapshots, verified.damaged), (2, Vec::<String>::new()));

    let to = tempfile::tempdir().expect("a directory");
    let restored = restore(target.path(), to.path(), None).expect("restores");
    assert_eq!((restored.files, restored.snapshot), (second.files, second.snapshot));
    assert_eq!(vault::open(&to.path().join("keys")).expect("opens").identity, {
        vault::open(&home.dir.path().join("keys")).expect("opens").identity
    });
    assert_eq!(fs::read_to_string(to.path().join("node.toml")).expect("reads"), "# mine\n");
    let (store, blocks) = open(to.path());
    assert_eq!(store.checkpoint().expect("answers"), home.source.store.checkpoint().expect("answers"));
    for (root, size) in roots {
        assert!(read(&blocks, &root) == bytes(1, size), "{size}");
    }
    assert!(restore(target.path(), to.path(), None).expect_err("refused").to_string().contains("not empty"));
    let drilled = runtime().block_on(drill(target.path())).expect("drills");
    assert_eq!((drilled.scrubbed.damaged, drilled.scrubbed.messages), (0, 5));
    assert_eq!(list(target.path()).expect("lists").len(), 3, "the scratch home is gone");
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
    home.source.take(target.path()).expect("taken");
    let to = tempfile::tempdir().expect("a directory");
    let restored = restore(target.path(), to.path(), Some(at)).expect("restores");
    let (store, blocks) = open(to.path());
    assert_eq!((store.stats().records, store.stats().messages), (3, 3));
    assert_eq!(store.checkpoint().expect("answers").0, restored.log_end);
    assert!(read(&blocks, &kept.expect("data")) == bytes(1, 31_000));
    assert!(read(&blocks, &other.expect("data")) == bytes(2, 70_000));
    assert_eq!(store.degraded(), Vec::<String>::new());

    // After collection the packs lie otherwise; what was not deleted is still found.
    assert!(home.source.blocks.collect().expect("collects").packs > 0);
    home.source.take(target.path()).expect("taken");
    fs::remove_file(target.path().join("snapshots").join(&snapshots(target.path()).expect("lists")[0]))
        .expect("removes");
    let to = tempfile::tempdir().expect("a directory");
    restore(target.path(), to.path(), Some(at)).expect("restores");
    let (store, blocks) = open(to.path());
    assert_eq!(store.stats().records, 3);
    assert!(read(&blocks, &kept.expect("data")) == bytes(1, 31_000));
    let later = jiff::Timestamp::now() + Duration::from_secs(60);
    let empty = tempfile::tempdir().expect("a directory");
    assert!(restore(target.path(), empty.path(), Some(later)).is_err());
}

#[test]
fn damage_and_forgery_are_named_and_old_snapshots_go() {
    let home = home();
    home.commit("r", Some(&bytes(1, 70_000)), Vec::new());
    let target = tempfile::tempdir().expect("a directory");
    home.source.take(target.path()).expect("taken");
    let manifest = manifest(target.path(), &snapshots(target.path()).expect("lists")[0]).expect("reads");
    let file = manifest.files.iter().find(|file| file.size == 70_000).expect("a block file");
    let path = object(target.path(), &file.sha256);
    let whole = fs::read(&path).expect("reads");
    fs::write(&path, bytes(9, 70_000)).expect("writes");
    let found = verify(target.path()).expect("verifies").damaged;
    assert!(matches!(&found[..], [one] if one.contains("is damaged") && one.contains(&file.path)), "{found:?}");
    let to = tempfile::tempdir().expect("a directory");
    assert!(restore(target.path(), to.path(), None).expect_err("refused").to_string().contains("is damaged"));
    assert!(runtime().block_on(drill(target.path())).is_err());
    fs::write(&path, whole).expect("writes");

    home.commit("r2", Some(&bytes(2, 10)), Vec::new());
    let second = home.source.take(target.path()).expect("taken");
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
    assert_eq!(verify(target.path()).expect("verifies").damaged, Vec::<String>::new());

    let forged = target.path().join("snapshots").join(&second.snapshot);
    let mut signed: serde_json::Value = serde_json::from_slice(&fs::read(&forged).expect("reads")).expect("parses");
    let other = super::Manifest { log_end: 1, ..manifest };
    signed["payload"] = crate::crypto::encode(&serde_json::to_vec(&other).expect("encodes")).into();
    fs::write(&forged, signed.to_string()).expect("writes");
    let found = verify(target.path()).expect("verifies").damaged;
    assert!(matches!(&found[..], [one] if one.contains("signature")), "{found:?}");
}
