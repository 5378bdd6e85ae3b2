//! Damage, one place at a time: a bit flipped, bytes zeroed, a file cut, in the log, the index and the block files.
//! Nothing panics or hangs, nothing that was not hit is lost, and whatever is lost is named.
//!
//! `TOFT_LONG=1` damages 1,000 places; the normal run a few dozen.

use super::*;
use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
    sync::mpsc,
    thread,
};

const LONG: usize = 1000;
const SHORT: usize = 45;
/// What one place may take: sled is given a minute to open, and the index may be opened twice.
const DEADLINE: Duration = Duration::from_secs(180);
/// Packs and segments so small that there are several.
const PACK: u64 = 200 << 10;
const SEGMENT: u64 = 16 << 10;
const ALICE: &str = "did:example:alice";

/// A home before the damage, and what must be there.
struct Whole {
    dir: tempfile::TempDir,
    records: BTreeMap<String, Record>,
    /// Data that only a pin holds.
    pinned: Cid,
    pin: Vec<u8>,
    peer: Fetch,
}

#[derive(Clone, Default)]
struct Record {
    newest: Option<Cid>,
    data: Option<(Cid, Vec<u8>)>,
    /// Where its messages stand in the log.
    frames: Vec<Range<u64>>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Flip,
    Zero(u64),
    Cut,
}

#[derive(Debug, Clone)]
struct Hit {
    /// Below the home.
    path: PathBuf,
    at: u64,
    kind: Kind,
    /// The log alone must do.
    without_index: bool,
}

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Ending {
    /// Everything is there and nothing had to be done.
    Harmless,
    /// Everything is there: the index was built again from the log.
    Rebuilt,
    /// A block was damaged and named; a peer had it.
    FromPeer,
    /// What was hit is named.
    Named,
}

#[test]
fn damage_anywhere_is_harmless_repaired_or_named() {
    let places = if std::env::var_os("TOFT_LONG").is_some() { LONG } else { SHORT };
    let seed = std::env::var("TOFT_SEED").ok().and_then(|s| s.parse().ok()).unwrap_or(0x70f7);
    println!("{places} places, TOFT_SEED={seed}");
    let whole = Arc::new(whole());
    let mut random = Random(seed);
    let mut endings: BTreeMap<(&str, String, Ending), usize> = BTreeMap::new();
    for n in 0..places {
        let hit = hit(&whole, n, &mut random);
        let (sender, receiver) = mpsc::channel();
        let (of, what) = (whole.clone(), hit.clone());
        let judge = move || sender.send(catch_unwind(AssertUnwindSafe(|| suffer(&of, &what))));
        thread::Builder::new().name("damage".into()).spawn(judge).expect("a thread");
        let ending = match receiver.recv_timeout(DEADLINE) {
            Ok(Ok(ending)) => ending,
            Ok(Err(_)) => panic!("place {n}, {hit:?}: see the panic above"),
            Err(_) => panic!("place {n}, {hit:?}: it hangs"),
        };
        let kind = format!("{:?}", hit.kind).split('(').next().unwrap_or_default().to_owned();
        *endings.entry((part(&hit.path), kind, ending)).or_default() += 1;
    }
    for ((part, kind, ending), count) in &endings {
        println!("{part:8} {kind:5} {ending:?}: {count}");
    }
    let sum = |wanted| endings.iter().filter(|((_, _, e), _)| *e == wanted).map(|(_, n)| n).sum::<usize>();
    let [harmless, rebuilt, from_peer, named] =
        [Ending::Harmless, Ending::Rebuilt, Ending::FromPeer, Ending::Named].map(sum);
    println!("{places} places: {harmless} harmless, {rebuilt} rebuilt, {from_peer} from a peer, {named} named");
    assert!(harmless > 0 && rebuilt > 0 && from_peer > 0 && named > 0, "the damage was not what it should be");
}

#[test]
fn without_its_index_nothing_is_lost() {
    let whole = whole();
    fs::remove_dir_all(whole.dir.path().join("store/index")).expect("removes");
    let (store, blocks) = open(whole.dir.path()).expect("opens");
    assert_eq!(broken(&whole, &store, &blocks).0, BTreeSet::new());
    assert_eq!(store.degraded(), Vec::<String>::new());
}

fn open(dir: &Path) -> Result<(Store, Blocks), Fault> {
    let config = store::Config { cache: 4 << 20, segment_size: SEGMENT, min_free: 0, ..store::Config::default() };
    let store = Store::open(&dir.join("store"), &config)?;
    let blocks = Blocks::open(&dir.join("blocks"), &Config { pack_size: PACK, ..Config::default() }, store.clone())?;
    Ok((store, blocks))
}

/// Records with data of every size class, updated ones, deleted ones, and a pin.
fn whole() -> Whole {
    let dir = tempfile::tempdir().expect("a directory");
    let (store, blocks) = open(dir.path()).expect("opens");
    let node = Node { dir, store, blocks };
    let mut records = BTreeMap::<String, Record>::new();
    let content = |n: usize, size: usize| -> Vec<u8> {
        let mut random = Random(n as u64 + 1);
        (0..size).map(|_| random.below(256) as u8).collect()
    };
    for n in 0..90 {
        let id = format!("r{n}");
        let size = [300, 20_000, 45_000, 70_000, 300_000][if n % 9 == 8 { 2 + n % 3 } else { n % 2 }];
        let data = content(n, size);
        let staged = node.stage(&data);
        let root = staged.root;
        let mut newest = node.commit(&id, staged, Vec::new());
        let mut kept = Some((root, data));
        if n % 5 == 1 {
            let data = content(n + 1000, 500);
            let staged = node.stage(&data);
            kept = Some((staged.root, data));
            newest = node.commit(&id, staged, vec![newest]);
        }
        let mut record = Record { newest: Some(newest), data: kept, frames: Vec::new() };
        if n % 10 == 7 {
            node.delete(&id, newest);
            record = Record::default();
        }
        records.insert(id, record);
    }
    let pin = content(5000, 120_000);
    let staged = node.stage(&pin);
    let pinned = staged.root;
    let first = node.commit("pinned", staged, Vec::new());
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    assert!(runtime.block_on(node.blocks.pin(&pinned)).expect("pins"));
    node.delete("pinned", first);
    for entry in node.store.entries(0, 10_000).expect("reads") {
        if let store::Entry::Message { position, next, message, .. } = entry {
            let message = cid::decode(&message).expect("decodes");
            let id = message["recordId"].as_str().expect("a record").to_owned();
            records.entry(id).or_default().frames.push(position..next);
        }
    }
    let mut kept = std::collections::HashMap::new();
    for (digest, place) in node.store.places(&[0; 32], 10_000).expect("lists") {
        if node.store.is_held(&digest).expect("answers") {
            kept.insert(digest, node.blocks.fetch(&digest, place).expect("reads"));
        }
    }
    let peer: Fetch = Arc::new(move |cid| {
        let found = cid::sha256_of(&cid).and_then(|digest| kept.get(&digest).cloned());
        Box::pin(async move { found })
    });
    let Node { dir, store, blocks } = node;
    drop((store, blocks));
    Whole { dir, records, pinned, pin, peer }
}

/// The next place: log, index and blocks in turn.
fn hit(whole: &Whole, n: usize, random: &mut Random) -> Hit {
    let home = whole.dir.path();
    let mut files = Vec::new();
    collect_files(&home.join(["store/log", "store/index", "blocks"][n % 3]), &mut files);
    files.retain(|path| fs::metadata(path).is_ok_and(|found| found.len() > 0));
    files.sort();
    // The larger a file, the likelier it is hit; but small ones are, too.
    let path = if random.below(3) == 0 {
        files[random.below(files.len() as u64) as usize].clone()
    } else {
        let sizes: Vec<u64> = files.iter().map(|path| fs::metadata(path).expect("is there").len()).collect();
        let mut at = random.below(sizes.iter().sum());
        let found = sizes.iter().position(|size| {
            let here = at < *size;
            at = at.saturating_sub(*size);
            here
        });
        files[found.expect("lies in one of them")].clone()
    };
    let length = fs::metadata(&path).expect("is there").len();
    let at = random.below(length);
    let kind = match random.below(3) {
        0 => Kind::Flip,
        1 => Kind::Zero((1 + random.below(4096)).min(length - at)),
        _ => Kind::Cut,
    };
    let path = path.strip_prefix(home).expect("lies below").to_owned();
    // A log that was cut and an index that is gone would be two.
    let without_index = n.is_multiple_of(3) && kind != Kind::Cut && random.below(3) == 0;
    Hit { path, at, kind, without_index }
}

/// Damages a copy of the home, and looks at what is left.
fn suffer(whole: &Whole, hit: &Hit) -> Ending {
    let copy = tempfile::tempdir().expect("a directory");
    copy_home(whole.dir.path(), copy.path(), &hit.path);
    let path = copy.path().join(&hit.path);
    let mut bytes = fs::read(&path).expect("reads");
    let at = hit.at as usize;
    let changed = match hit.kind {
        Kind::Flip => {
            bytes[at] ^= 1 << (hit.at % 8);
            true
        }
        Kind::Zero(length) => {
            let part = &mut bytes[at..at + length as usize];
            let changed = part.iter().any(|byte| *byte != 0);
            part.fill(0);
            changed
        }
        Kind::Cut => {
            bytes.truncate(at);
            true
        }
    };
    fs::write(&path, bytes).expect("writes");
    if hit.without_index {
        fs::remove_dir_all(copy.path().join("store/index")).expect("removes");
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    let stop = tokio_util::sync::CancellationToken::new();

    let (mut store, mut blocks) = open(copy.path()).unwrap_or_else(|e| panic!("it does not open: {e:#}"));
    let (mut lost, failed) = broken(whole, &store, &blocks);
    let mut rebuilt = false;
    if failed {
        // sled has noticed only when it was asked: the caller was told, and the next start is well.
        drop((store, blocks));
        assert!(copy.path().join("store/index.suspect").exists(), "the index failed and that is not noted");
        (store, blocks) = open(copy.path()).unwrap_or_else(|e| panic!("it does not open again: {e:#}"));
        let again = broken(whole, &store, &blocks);
        assert!(!again.1, "the index fails again after it was rebuilt");
        (lost, rebuilt) = (again.0, true);
    }
    let touched = touched(whole, hit, changed, &store);
    let intact: Vec<_> = lost.difference(&touched).collect();
    assert!(intact.is_empty(), "lost although they were not hit: {intact:?}; {:?}", store.degraded());
    follow(&store);

    let found = runtime.block_on(blocks.scrub(0, None, &stop)).expect("scrubs");
    let named = !store.degraded().is_empty() || found.damaged > 0;
    assert!(lost.is_empty() || named, "lost and not named: {lost:?}");
    rebuilt |= fs::read_dir(copy.path().join("store"))
        .expect("lists")
        .any(|entry| entry.is_ok_and(|entry| entry.file_name().to_string_lossy().starts_with("index.damaged-")));
    // Whatever is damaged, collecting takes nothing that is needed, and what is new is kept.
    blocks.collect().expect("collects");
    let (after, _) = broken(whole, &store, &blocks);
    assert!(after.is_subset(&lost), "collection took {:?}", after.difference(&lost));
    let healed = runtime.block_on(blocks.scrub(0, Some(whole.peer.clone()), &stop)).expect("scrubs");
    let node = Node { dir: copy, store, blocks };
    let data = vec![7; 50_000];
    let staged = node.stage(&data);
    let root = staged.root;
    node.commit("new", staged, Vec::new());
    assert!(node.read(&root) == data);
    let Node { dir, store, blocks } = node;
    drop((store, blocks));

    let (store, blocks) = open(dir.path()).unwrap_or_else(|e| panic!("it does not open at last: {e:#}"));
    let (at_last, failed) = broken(whole, &store, &blocks);
    assert!(!failed && at_last.is_subset(&lost), "worse than before: {at_last:?}");
    assert!(store.view(ALICE).record("new").expect("reads").is_some());
    if part(&hit.path) == "blocks" {
        assert_eq!(at_last, BTreeSet::new(), "a peer had it all: {healed:?}");
    }
    match part(&hit.path) {
        "blocks" if healed.healed > 0 => Ending::FromPeer,
        "index" if rebuilt => Ending::Rebuilt,
        _ if named => Ending::Named,
        _ if rebuilt => Ending::Rebuilt,
        _ => Ending::Harmless,
    }
}

/// Which records (and the pin) are not there whole, and whether the index itself has failed.
fn broken(whole: &Whole, store: &Store, blocks: &Blocks) -> (BTreeSet<String>, bool) {
    let (mut broken, mut failed) = (BTreeSet::new(), false);
    let mut judge = |id: &str, found: Result<bool, Fault>| match found {
        Ok(true) => {}
        Ok(false) => drop(broken.insert(id.to_owned())),
        Err(fault) => {
            failed |= format!("{fault:#}").contains("the index failed");
            broken.insert(id.to_owned());
        }
    };
    let view = store.view(ALICE);
    let bytes = |root: &Cid| -> Result<Vec<u8>, Fault> {
        blocks.read(Right::OWNER, root)?.try_fold(Vec::new(), |mut all, chunk| {
            all.extend_from_slice(&chunk?);
            Ok(all)
        })
    };
    for (id, record) in whole.records.iter().filter(|(id, _)| *id != "pinned") {
        judge(
            id,
            (|| {
                let Some(found) = view.record(id)? else { return Ok(false) };
                match (&record.newest, &record.data) {
                    (Some(newest), Some((root, data))) => Ok(found.newest.cid == *newest && bytes(root)? == *data),
                    _ => Ok(found.newest.message["descriptor"]["method"] == "Delete"),
                }
            })(),
        );
    }
    judge("pinned", bytes(&whole.pinned).map(|found| found == whole.pin));
    (broken, failed)
}

/// The records that the damage has hit.
fn touched(whole: &Whole, hit: &Hit, changed: bool, store: &Store) -> BTreeSet<String> {
    let range = match hit.kind {
        _ if !changed => 0..0,
        Kind::Flip => hit.at..hit.at + 1,
        Kind::Zero(length) => hit.at..hit.at + length,
        Kind::Cut => hit.at..u64::MAX,
    };
    let overlaps = |other: &Range<u64>| range.start < other.end && other.start < range.end;
    match part(&hit.path) {
        "log" => {
            let start: u64 = hit.path.file_stem().and_then(|s| s.to_str()?.parse().ok()).expect("a segment");
            let end = fs::metadata(whole.dir.path().join(&hit.path)).expect("is there").len() + start;
            let on_log = |frame: &Range<u64>| {
                frame.start >= start && frame.start < end && overlaps(&(frame.start - start..frame.end - start))
            };
            let hit = |(_, record): &(&String, &Record)| record.frames.iter().any(on_log);
            let mut found: BTreeSet<_> = whole.records.iter().filter(hit).map(|(id, _)| id.clone()).collect();
            // The pin's own frame names no record.
            let all: u64 =
                whole.records.values().flat_map(|r| &r.frames).filter(|f| on_log(f)).map(|f| f.end - f.start).sum();
            if range.start < end - start && all < range.end.min(end - start) - range.start {
                found.insert("pinned".into());
            }
            found
        }
        "blocks" => {
            let pack: Option<u32> = hit.path.file_stem().and_then(|s| s.to_str()?.parse().ok());
            let is_hit = |digest: &Digest| match store.place(digest).expect("answers") {
                Some(Place::Pack { segment, at, len }) => pack == Some(segment) && overlaps(&(at..at + u64::from(len))),
                Some(Place::File { .. }) => pack.is_none() && hit.path.ends_with(file_name(digest)),
                _ => false,
            };
            let root_hit = |root: &Cid| {
                // The root and all below it: a block's roots are in the index.
                let root = cid::sha256_of(root).expect("sha2-256");
                let all = store.places(&[0; 32], 10_000).expect("lists");
                all.iter().any(|(digest, _)| is_hit(digest) && store.roots(digest).expect("answers").contains(&root))
            };
            let mut found = BTreeSet::new();
            for (id, record) in &whole.records {
                if record.data.as_ref().is_some_and(|(root, _)| root_hit(root)) {
                    found.insert(id.clone());
                }
            }
            if root_hit(&whole.pinned) {
                found.insert("pinned".into());
            }
            found
        }
        _ => BTreeSet::new(),
    }
}

/// A follower comes to the end of the log, past whatever is damaged.
fn follow(store: &Store) {
    let (mut at, end) = (0, *store.tail().borrow());
    for _ in 0..10_000 {
        let entries = store.entries(at, 1000).expect("reads on behind the damage");
        let Some(last) = entries.last() else { return };
        at = last.next();
        if at >= end {
            return;
        }
    }
    panic!("a follower does not come to the end");
}

fn part(path: &Path) -> &'static str {
    if path.starts_with("store/log") {
        "log"
    } else if path.starts_with("store/index") {
        "index"
    } else {
        "blocks"
    }
}

fn file_name(digest: &Digest) -> String {
    let multihash = [&[cid::SHA2_256 as u8, 32], digest.as_slice()].concat();
    ::cid::multibase::Base::Base32Lower.encode(multihash)
}

/// What will be written to is copied; the rest, which is only ever replaced or deleted, is linked.
fn copy_home(from: &Path, to: &Path, hit: &Path) {
    let mut files = Vec::new();
    collect_files(from, &mut files);
    files.sort();
    for path in &files {
        let below = path.strip_prefix(from).expect("lies below");
        let target = to.join(below);
        fs::create_dir_all(target.parent().expect("has a parent")).expect("creates");
        if below != hit && below.starts_with("blocks/sha256") {
            fs::hard_link(path, target).expect("links");
        } else {
            fs::copy(path, target).expect("copies");
        }
    }
}

fn collect_files(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).expect("lists") {
        let path = entry.expect("lists").path();
        if path.is_dir() { collect_files(&path, found) } else { found.push(path) }
    }
}

/// xorshift64*: the same places for the same seed.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11) % end
    }
}
