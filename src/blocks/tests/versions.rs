//! Every store ever released opens: homes as they were written, under `tests/vectors/stores`, one for each version of
//! what lies on disk. [`a_store_of_today`] writes the next one.

use super::*;

/// Segments so small that there are sealed ones to compact.
const SEGMENT: u64 = 4 << 10;
const PACK: u64 = 100 << 10;

fn open(dir: &Path) -> Node {
    let config = store::Config { cache: 4 << 20, segment_size: SEGMENT, ..store::Config::default() };
    let store = Store::open(&dir.join("store"), &config).expect("the store opens");
    let config = Config { pack_size: PACK, ..Config::default() };
    let blocks = Blocks::open(&dir.join("blocks"), &config, store.clone()).expect("the blocks open");
    assert_eq!(store.degraded(), Vec::<String>::new());
    assert!(!dir.join("blocks/files").exists(), "block files have moved to blocks/sha256");
    // The directory is the caller's.
    Node { dir: tempfile::tempdir().expect("a directory"), store, blocks }
}

/// A copy of the fixture, with its index or without.
fn fixture(version: &str, with_index: bool) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a directory");
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/stores").join(version);
    copy_dir(&from, dir.path());
    if !with_index {
        fs::remove_dir_all(dir.path().join("store/index")).expect("removes");
    }
    dir
}

fn copy_dir(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("creates");
    for entry in fs::read_dir(from).expect("lists") {
        let path = entry.expect("lists").path();
        let to = to.join(path.file_name().expect("a name"));
        if path.is_dir() {
            copy_dir(&path, &to);
        } else {
            fs::copy(&path, &to).expect("copies");
        }
    }
}

/// Sizes of the data of all messages that can be read, in the log's order; all of it is whole.
fn sizes(node: &Node, at: impl Fn(Option<u64>) -> bool) -> Vec<u64> {
    let mut sizes = Vec::new();
    for entry in node.store.entries(0, 1000).expect("reads") {
        let store::Entry::Message { arrived, data, .. } = entry else { continue };
        assert!(at(arrived), "{arrived:?}");
        if let Some((root, size)) = data
            && node.blocks.locate(Right::OWNER, &root).expect("answers").is_some()
        {
            assert_eq!(node.read(&root).len() as u64, size);
            sizes.push(size);
        }
    }
    sizes
}

/// It takes what is new, and opens again with it.
fn lives_on(node: Node, dir: &Path) {
    let records = node.store.stats().records;
    node.commit("new", node.stage(&pattern(40_000)), Vec::new());
    drop(node);
    assert_eq!(open(dir).store.stats().records, records + 1);
}

/// A home written by toft 0.1.0: log payloads and index of their first versions.
#[test]
fn a_store_of_the_first_version_opens_whole() {
    for with_index in [true, false] {
        let dir = fixture("v1", with_index);
        let node = open(dir.path());
        assert_eq!(node.store.stats(), store::Stats { records: 4, messages: 5, blocks: 5, bytes: 97_016 });
        assert_eq!(node.store.state(b"test/kept").expect("reads").as_deref(), Some(b"value".as_slice()));
        assert_eq!(sizes(&node, |arrived| arrived.is_none()), [11, 31_000, 66_000, 5]);
        lives_on(node, dir.path());
    }
}

/// Frames with times, blocks that were collected and moved, a log that was compacted (stubs, compacted segments), a pin.
#[test]
fn a_store_of_the_second_version_opens_whole() {
    opens_whole("v2");
}

/// The same, with block files in one level of directories, marks in the index, and whether a record has a latest state.
#[test]
fn a_store_of_the_third_version_opens_whole() {
    opens_whole("v3");
}

/// The same, with who began a record in the index, and in the log what a state superseded.
#[test]
fn a_store_of_the_fourth_version_opens_whole() {
    opens_whole("v4");
}

fn opens_whole(version: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/stores").join(version).join("fingerprint");
    let expected = fs::read_to_string(path).expect("is there");
    for with_index in [true, false] {
        let dir = fixture(version, with_index);
        let node = open(dir.path());
        assert_eq!(node.store.moment().expect("a moment").fingerprint, expected.trim());
        assert_eq!(content(&node), today());
        assert_eq!(sizes(&node, |arrived| arrived.is_some()), [66_000, 31_000, 900, 900, 900, 900, 300]);
        let pins = node.blocks.pins().expect("lists");
        assert!(pins.len() == 1 && node.read(&pins[0]) == pattern(32_000), "{pins:?}");
        let names = fs::read_dir(dir.path().join("store/log")).expect("lists");
        let packed = |path: &Path| fs::read(path).expect("reads").get(3) == Some(&2);
        assert!(names.filter(|entry| packed(&entry.as_ref().expect("an entry").path())).count() > 0);
        let scratch = tempfile::tempdir().expect("a directory");
        assert_eq!(node.store.differs_from_log(scratch.path()).expect("compares"), Vec::<String>::new());
        lives_on(node, dir.path());
    }
}

fn content(node: &Node) -> (store::Stats, Option<Bytes>) {
    (node.store.stats(), node.store.state(b"test/kept").expect("reads"))
}

/// What [`a_store_of_today`] comes to.
fn today() -> (store::Stats, Option<Bytes>) {
    (store::Stats { records: 18, messages: 18, blocks: 8, bytes: 100_900 }, Some(Bytes::from_static(b"value")))
}

/// Writes the fixture of today's formats to `TOFT_FIXTURE`, whenever one of them has a new version; else it looks only
/// whether what would be written is still what the newest fixture holds.
#[test]
fn a_store_of_today() {
    let scratch = tempfile::tempdir().expect("a directory");
    let dir = std::env::var_os("TOFT_FIXTURE").map_or_else(|| scratch.path().to_owned(), Into::into);
    let node = open(&dir);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    // A file, and some in packs of which most go: a pack is rewritten.
    node.commit("file", node.stage(&pattern(66_000)), Vec::new());
    for (n, size) in [46_000, 47_000, 31_000, 32_000].into_iter().enumerate() {
        let id = format!("pack{n}");
        let data = node.stage(&pattern(size));
        let root = data.root;
        let first = node.commit(&id, data, Vec::new());
        if n == 3 {
            // From now on only the pin holds it.
            assert!(runtime.block_on(node.blocks.pin(&root)).expect("pins"));
        }
        if n != 2 {
            node.delete(&id, first);
        }
    }
    // Records that were updated and deleted, so that sealed segments are mostly waste.
    for n in 0..12_u8 {
        let id = format!("inline{n}");
        let first = node.commit(&id, node.stage(&[n; 900]), Vec::new());
        if n % 3 > 0 {
            node.delete(&id, first);
        }
    }
    let state = |value: &[u8]| vec![(b"test/kept".to_vec(), Some(value.to_vec()))];
    runtime.block_on(node.store.put_state(state(b"old"))).expect("kept");
    runtime.block_on(node.store.put_state(state(b"value"))).expect("kept");
    node.commit("last", node.stage(&[77; 300]), Vec::new());
    let collected = node.blocks.collect().expect("collects");
    assert!(collected.blocks > 0 && collected.packs > 0, "{collected:?}");
    let compacted = node.store.compact(0.05).expect("compacts");
    assert!(compacted.rewritten > 0 && compacted.messages > 0, "{compacted:?}");
    println!("{:?}", sizes(&node, |_| true));
    assert_eq!(content(&node), today());
    let fingerprint = node.store.moment().expect("a moment").fingerprint;
    drop(node);
    fs::write(dir.join("fingerprint"), fingerprint).expect("writes");
    // What no fixture needs.
    let _ = fs::remove_file(dir.join("store/lock"));
}
