//! Collection: what is needed stays, what is not goes, whenever the disk fails and whoever works meanwhile.

use super::*;
use proptest::prelude::*;
use std::{collections::BTreeMap, thread};

/// Packs so small that a few blocks fill one.
const PACK: u64 = 100 << 10;

fn open(dir: &Path) -> (Store, Blocks) {
    let config = store::Config { cache: 4 << 20, ..store::Config::default() };
    let store = Store::open(&dir.join("store"), &config).expect("the store opens");
    let config = Config { pack_size: PACK, ..Config::default() };
    let blocks = Blocks::open(&dir.join("blocks"), &config, store.clone()).expect("the blocks open");
    (store, blocks)
}

fn small() -> Node {
    let dir = tempfile::tempdir().expect("a directory");
    let (store, blocks) = open(dir.path());
    Node { dir, store, blocks }
}

impl Node {
    /// As after a crash: what was in memory is gone.
    fn again(self) -> Self {
        let Self { dir, store, blocks } = self;
        drop((store, blocks));
        let (store, blocks) = open(dir.path());
        Self { dir, store, blocks }
    }

    pub(super) fn delete(&self, record: &str, removes: Cid) {
        let message = json!({"recordId": record, "descriptor": {"method": "Delete", "recordId": record}});
        let change = Change {
            initial: false,
            removes: vec![removes],
            ..Change::initial("did:example:alice", Subject::Record(record.into()), message).expect("encodes")
        };
        let commit = self.store.commit("did:example:alice", None, move |_| Ok(change.clone()));
        futures::executor::block_on(commit).expect("committed");
    }

    fn try_stage(&self, data: &[u8]) -> Result<Data, Fault> {
        let mut stage = self.blocks.stage();
        stage.push(data)?;
        stage.finish()
    }

    fn crash_in(&self, changes: i64) {
        self.blocks.0.disk.changes.crash_in(u64::try_from(changes).ok());
    }

    /// Bytes of all block files.
    fn on_disk(&self) -> u64 {
        self.files().iter().map(|f| fs::metadata(f).expect("is there").len()).sum()
    }
}

/// Some are packed, some are files, some are both and share their first chunk.
fn content(kind: u8) -> Vec<u8> {
    let mut data = pattern([40_000, 50_000, 66_000, 262_144 + 40_000, 262_144 + 60_000, 31_000][usize::from(kind % 6)]);
    let last = data.len() - 1;
    data[last] = kind;
    data
}

#[test]
fn what_nothing_needs_goes_and_its_space_comes_back() {
    let node = small();
    for kind in 0..6 {
        let first = node.commit(&format!("r{kind}"), node.stage(&content(kind)), Vec::new());
        if kind != 3 {
            node.delete(&format!("r{kind}"), first);
        }
    }
    let before = node.on_disk();
    let done = node.blocks.collect().expect("collects");
    // Four of one block, and of the one that shares its first chunk, the second and the root.
    assert_eq!((done.blocks, done.orphans, done.held), (6, 0, 0), "{done:?}");
    assert!(done.packs > 0 && done.bytes > 150_000 && node.on_disk() < before, "{done:?}");
    assert_eq!(node.read(&node.stage(&content(3)).root), content(3));
    assert_eq!(node.store.stats().blocks, 3);
    assert_eq!(node.blocks.collect().expect("collects"), Collected::default());
    assert_eq!(node.again().store.packs().expect("answers").len(), 1);
}

#[test]
fn a_pin_keeps_data_until_it_is_taken_away() {
    let node = small();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let root = node.stage(&content(4)).root;
    assert!(!runtime.block_on(node.blocks.pin(&root)).expect("answers"), "it is not here yet");
    let first = node.commit("r", node.stage(&content(4)), Vec::new());
    assert!(runtime.block_on(node.blocks.pin(&root)).expect("answers"));
    node.delete("r", first);
    let node = node.again();
    assert_eq!(node.blocks.collect().expect("collects").blocks, 0);
    assert_eq!(node.blocks.pins().expect("lists"), [root]);
    assert!(node.read(&root) == content(4));
    assert!(!node.store.block_is_public(&cid::sha256_of(&root).expect("sha2-256")).expect("answers"));
    assert!(runtime.block_on(node.blocks.unpin(&root)).expect("answers"));
    assert!(!runtime.block_on(node.blocks.unpin(&root)).expect("answers"));
    assert_eq!(node.blocks.collect().expect("collects").blocks, 3);
    assert!(node.blocks.read(Right::OWNER, &root).is_err());
}

#[test]
fn what_is_staged_or_being_read_is_left_alone() {
    let node = small();
    let first = node.commit("r", node.stage(&content(3)), Vec::new());
    let root = node.stage(&content(3)).root;
    let reader = node.blocks.read(Right::reader(&root), &root).expect("is here");
    node.delete("r", first);
    let staged = node.stage(&content(5));
    let done = node.blocks.collect().expect("collects");
    assert_eq!((done.blocks, done.orphans, done.held), (0, 0, 3));
    assert!(reader.flat_map(|chunk| chunk.expect("reads").to_vec()).collect::<Vec<_>>() == content(3));
    // Found, not written: held all the same.
    let found = node.stage(&content(3));
    assert_eq!(node.blocks.collect().expect("collects").blocks, 0);
    node.commit("again", found, Vec::new());
    assert!(node.read(&root) == content(3));
    let root = staged.root;
    node.commit("staged", staged, Vec::new());
    node.blocks.collect().expect("collects");
    assert!(node.read(&root) == content(5));
    // Never committed.
    drop(node.stage(&content(2)));
    assert_eq!(node.blocks.collect().expect("collects").orphans, 1);
}

#[test]
fn a_crash_at_every_step_loses_nothing_that_is_needed() {
    for changes in 0.. {
        let node = small();
        for kind in 0..12 {
            let first = node.commit(&format!("r{kind}"), node.stage(&content(kind)), Vec::new());
            if ![1, 9].contains(&kind) {
                node.delete(&format!("r{kind}"), first);
            }
        }
        node.crash_in(changes);
        let crashed = node.blocks.collect().is_err();
        let node = node.again();
        let whole =
            |node: &Node| [1, 9].iter().all(|kind| node.read(&node.stage(&content(*kind)).root) == content(*kind));
        assert!(whole(&node), "after {changes} changes");
        node.blocks.collect().expect("collects");
        assert!(whole(&node), "after {changes} changes and a whole round");
        // One of one block, one of two and a root.
        assert_eq!(node.store.stats().blocks, 4);
        if !crashed {
            assert!(changes > 4, "the round changed {changes} things only");
            return;
        }
    }
}

#[derive(Debug, Clone)]
enum Op {
    Add(u8),
    Delete(usize),
    Stage(u8),
    Commit(usize),
    Forget(usize),
    Collect(usize),
    Crash(i64),
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        3 => (0_u8..8).prop_map(Op::Add),
        3 => any::<usize>().prop_map(Op::Delete),
        2 => (0_u8..8).prop_map(Op::Stage),
        2 => any::<usize>().prop_map(Op::Commit),
        1 => any::<usize>().prop_map(Op::Forget),
        3 => (1_usize..600).prop_map(Op::Collect),
        1 => (0_i64..12).prop_map(Op::Crash),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn no_order_of_things_loses_what_is_needed_or_keeps_what_is_not(ops in proptest::collection::vec(op(), 1..24)) {
        let mut node = small();
        let (mut records, mut staged, mut names) = (BTreeMap::new(), Vec::new(), 0);
        let mut collector = None;
        for op in ops {
            let mut failed = false;
            match op {
                Op::Add(kind) => match node.try_stage(&content(kind)) {
                    Ok(data) => {
                        names += 1;
                        let root = data.root;
                        let cid = node.commit(&format!("r{names}"), data, Vec::new());
                        records.insert(names, (cid, root, kind));
                    }
                    Err(_) => failed = true,
                },
                Op::Delete(which) => {
                    if let Some(name) = records.keys().nth(which % records.len().max(1)).copied() {
                        let (cid, ..) = records.remove(&name).expect("is there");
                        node.delete(&format!("r{name}"), cid);
                    }
                }
                Op::Stage(kind) => match node.try_stage(&content(kind)) {
                    Ok(data) => staged.push((data, kind)),
                    Err(_) => failed = true,
                },
                Op::Commit(which) if !staged.is_empty() => {
                    let (data, kind) = staged.swap_remove(which % staged.len());
                    names += 1;
                    let root = data.root;
                    let cid = node.commit(&format!("r{names}"), data, Vec::new());
                    records.insert(names, (cid, root, kind));
                }
                Op::Forget(which) if !staged.is_empty() => drop(staged.swap_remove(which % staged.len())),
                Op::Commit(_) | Op::Forget(_) => {}
                Op::Collect(steps) => {
                    for _ in 0..steps {
                        match collector.get_or_insert_with(|| node.blocks.collector()).step() {
                            Ok(true) => {}
                            Ok(false) => {
                                collector = None;
                                break;
                            }
                            Err(_) => {
                                failed = true;
                                break;
                            }
                        }
                    }
                }
                Op::Crash(changes) => node.crash_in(changes),
            }
            if failed {
                staged.clear();
                collector = None;
                node = node.again();
            }
            for (_, root, kind) in records.values() {
                prop_assert!(node.read(root) == content(*kind), "content {}", kind);
            }
        }
        staged.clear();
        drop(collector);
        node = node.again();
        node.blocks.collect().expect("collects");
        let needed = |node: &Node| {
            let mut needed = BTreeMap::new();
            for (_, root, kind) in records.values() {
                assert!(node.read(root) == content(*kind));
                let places = node.stage(&content(*kind)).blocks;
                needed.extend(places);
            }
            needed
        };
        let needed = needed(&node);
        prop_assert_eq!(node.store.stats().blocks, needed.len() as u64);
        let bytes: u64 = needed.values().map(|place| match place {
            Place::File { len } | Place::Pack { len, .. } | Place::Log { len, .. } => u64::from(*len),
        }).sum();
        prop_assert!(node.on_disk() <= 2 * bytes + 2 * PACK, "{} bytes on disk for {bytes}", node.on_disk());
    }
}

#[test]
fn collecting_while_others_write_delete_and_read_loses_nothing() {
    let node = small();
    thread::scope(|scope| {
        let workers: Vec<_> = (0..3_u64)
            .map(|worker| {
                let node = &node;
                scope.spawn(move || {
                    let mut mine: Vec<(String, Cid, Cid, u8)> = Vec::new();
                    for n in 0..40_u64 {
                        let kind = ((n * 7 + worker * 3) % 11) as u8;
                        let data = node.stage(&content(kind));
                        if n % 5 == 4 {
                            continue;
                        }
                        let (name, root) = (format!("{worker}-{n}"), data.root);
                        let cid = node.commit(&name, data, Vec::new());
                        assert!(node.read(&root) == content(kind), "{name}");
                        mine.push((name, cid, root, kind));
                        if n % 2 == 1 {
                            let (name, cid, ..) = mine.swap_remove((n as usize * 5) % mine.len());
                            node.delete(&name, cid);
                        }
                    }
                    mine
                })
            })
            .collect();
        let mut rounds = 0;
        let mut collected = 0;
        while !workers.iter().all(|worker| worker.is_finished()) {
            collected += node.blocks.collect().expect("collects").blocks;
            rounds += 1;
        }
        assert!(rounds > 1 && collected > 0, "{rounds} rounds took {collected} blocks");
        for worker in workers {
            for (name, _, root, kind) in worker.join().expect("works") {
                assert!(node.read(&root) == content(kind), "{name}");
            }
        }
    });
}
