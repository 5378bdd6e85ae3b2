//! A process in which 16 writers write, update, delete and pin while blocks are collected is killed, again and again.
//! What it was told is durable is there, whole; the index says what the log says, key for key; and no block is served
//! that nothing holds.
//!
//! `TOFT_LONG=1` kills 500 times; the normal run a few. (A killed process loses no page cache: that an fsync comes
//! before the answer is for other tests.)

use super::*;
use crate::blocks::pins::pin_key;
use crate::dwn::{Cond, Filter, IndexValue, Refusal, Select, Stop, View};
use std::{
    collections::{BTreeMap, BTreeSet},
    io::{BufRead as _, BufReader, Write as _},
    process::{Command, Stdio},
    sync::mpsc,
    thread,
};

/// Tells the child where to write.
const DIR: &str = "TOFT_TEST_KILL_BLOCKS_DIR";
const ROUND: &str = "TOFT_TEST_KILL_BLOCKS_ROUND";
const WRITERS: u64 = 16;
/// Rounds on one home; then a fresh one, so that all of it can be looked at every time.
const ROUNDS_OF_HOME: u64 = 25;
const ALICE: &str = "did:example:alice";
const PACK: u64 = 4 << 20;

/// Not a test of its own: the process that is killed. Without the variables it does nothing.
#[test]
fn child() {
    let (Ok(dir), Ok(round)) = (std::env::var(DIR), std::env::var(ROUND)) else { return };
    let (store, blocks) = open(Path::new(&dir));
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let (round, runtime) = (round.as_str(), &runtime);
    thread::scope(|scope| {
        for writer in 0..WRITERS {
            let (store, blocks) = (store.clone(), blocks.clone());
            scope.spawn(move || {
                for n in 0.. {
                    let author =
                        Author { store: &store, blocks: &blocks, runtime, id: format!("r{round}-{writer}-{n}") };
                    author.live(n);
                }
            });
        }
        loop {
            blocks.collect().expect("collects");
            thread::sleep(Duration::from_millis(20));
        }
    });
}

struct Author<'a> {
    store: &'a Store,
    blocks: &'a Blocks,
    runtime: &'a tokio::runtime::Runtime,
    id: String,
}

impl Author<'_> {
    /// What happens to one record: the n-th of its writer.
    fn live(&self, n: u64) {
        let size = [200, 200, 200, 200, 200, 200, 40_000, 40_000, 70_000, 300_000][n as usize % 10];
        let mut newest = self.write(1, size);
        if n % 4 == 1 {
            newest = self.write(2, if n % 8 == 5 { 40_001 } else { 300 });
        }
        if n % 6 == 2 {
            self.pin(true, &newest);
        }
        if n % 4 == 3 || n % 12 == 8 {
            self.say("try", "", "d");
            let delete = json!({"recordId": self.id, "descriptor": {"interface": "Records", "method": "Delete",
                "recordId": self.id, "messageTimestamp": time(9)}});
            self.commit(delete, None);
            self.say("ack", "", "d");
        }
        if n % 12 == 2 {
            self.pin(false, &newest);
        }
    }

    fn write(&self, version: u64, size: usize) -> (Cid, String) {
        let mut stage = self.blocks.stage();
        stage.push(&content(&self.id, version, size)).expect("taken");
        let data = stage.finish().expect("staged");
        let (root, state) = (data.root, format!("w{version}:{size}"));
        let message = json!({"recordId": self.id, "contextId": self.id, "descriptor": {
            "interface": "Records", "method": "Write", "dateCreated": time(0), "messageTimestamp": time(version),
            "protocol": "http://soak", "protocolPath": "message", "dataCid": root.to_string(), "dataSize": size,
            "published": version == 2, "version": version}});
        self.say("try", "", &state);
        self.commit(message, Some(data));
        self.say("ack", "", &state);
        (root, state)
    }

    fn pin(&self, pin: bool, (root, state): &(Cid, String)) {
        let said = format!("{}{root}:{state}", if pin { "p" } else { "u" });
        self.say("try", "#pin", &said);
        let done = if pin {
            self.runtime.block_on(self.blocks.pin(root))
        } else {
            self.runtime.block_on(self.blocks.unpin(root))
        };
        assert!(done.expect("answers"), "{said}");
        self.say("ack", "#pin", &said);
    }

    fn commit(&self, message: serde_json::Value, data: Option<Data>) {
        let change = Change {
            data: data.as_ref().map(|d| (d.root, d.size)),
            ..Change::initial(ALICE, Subject::Record(self.id.clone()), message).expect("encodes")
        };
        let id = self.id.clone();
        let decide = move |view: &dyn View| decide(view, change.clone(), &id);
        self.runtime.block_on(self.store.commit(ALICE, data, decide)).expect("committed");
    }

    /// One write(2), so that a line is there whole or not at all.
    fn say(&self, word: &str, suffix: &str, state: &str) {
        std::io::stdout().write_all(format!("{word} {}{suffix} {state}\n", self.id).as_bytes()).expect("is heard");
    }
}

/// As the rules would make it of the past.
fn decide(view: &dyn View, mut new: Change, record: &str) -> Result<Change, Stop> {
    if let Some(before) = view.record(record)? {
        if before.newest.cid == new.cid {
            return Err(Refusal::conflict().into());
        }
        new.initial = false;
        if before.initial.cid == before.newest.cid {
            new.demotes = vec![before.initial.cid];
        } else {
            new.removes = vec![before.newest.cid];
        }
    }
    Ok(new)
}

fn time(n: u64) -> String {
    format!("2026-01-01T00:00:00.{n:06}Z")
}

/// The same bytes for the same record and version; no two alike.
fn content(id: &str, version: u64, size: usize) -> Vec<u8> {
    let mut seed = cid::digest(format!("{id} {version}").as_bytes());
    let mut bytes = Vec::with_capacity(size + 32);
    while bytes.len() < size {
        bytes.extend_from_slice(&seed);
        // A hash for every kilobyte is enough.
        if bytes.len() % 1024 < 32 {
            seed = cid::digest(&seed);
        }
        seed.rotate_left(1);
    }
    bytes.truncate(size);
    bytes
}

fn open(dir: &Path) -> (Store, Blocks) {
    let config = store::Config { cache: 4 << 20, segment_size: 64 << 10, min_free: 0, ..store::Config::default() };
    let store = Store::open(&dir.join("store"), &config).expect("the store opens");
    let config = Config { pack_size: PACK, ..Config::default() };
    let blocks = Blocks::open(&dir.join("blocks"), &config, store.clone()).expect("the blocks open");
    (store, blocks)
}

/// What was said of one thing: the last state that was acknowledged, and one that was asked for since.
#[derive(Debug, Default, Clone)]
struct Said {
    acknowledged: Option<String>,
    tried: Option<String>,
}

#[derive(Debug, Default)]
struct Sum {
    acknowledged: u64,
    unsure: u64,
    lost: u64,
    torn: u64,
    blocks: u64,
}

#[test]
fn what_was_acknowledged_survives_kill_9_and_nothing_else_is_served() {
    let rounds = if std::env::var_os("TOFT_LONG").is_some() { 500 } else { 4 };
    let (mut sum, begun) = (Sum::default(), std::time::Instant::now());
    let mut home = tempfile::tempdir().expect("a directory");
    let mut known = BTreeMap::new();
    for round in 0..rounds {
        if round % ROUNDS_OF_HOME == 0 {
            home = tempfile::tempdir().expect("a directory");
            known.clear();
        }
        let said = run(home.path(), round);
        let last = (round + 1) % ROUNDS_OF_HOME == 0 || round + 1 == rounds;
        // Once in a home, the index is lost as well.
        if round % ROUNDS_OF_HOME == 12 {
            fs::remove_dir_all(home.path().join("store/index")).expect("removes");
        }
        let (store, blocks) = open(home.path());
        assert_eq!(store.degraded(), Vec::<String>::new(), "round {round}");
        check(&store, &blocks, &said, &mut known, last, &mut sum);
        assert_eq!((sum.lost, sum.torn), (0, 0), "round {round}");
        if last || round % ROUNDS_OF_HOME == 8 || rounds < ROUNDS_OF_HOME {
            let scratch = tempfile::tempdir().expect("a directory");
            let differ = store.differs_from_log(scratch.path()).expect("compares");
            assert_eq!(differ, Vec::<String>::new(), "round {round}: index and log");
        }
        if round % 25 == 24 {
            println!("round {}: {sum:?}, {:?}", round + 1, begun.elapsed());
        }
    }
    println!(
        "{rounds} rounds of kill -9 under {WRITERS} writers: {} changes acknowledged, {} lost, {} torn; {} were unsure; \
         index and log agree; {} looks at a block, none served that nothing holds; {:?}",
        sum.acknowledged,
        sum.lost,
        sum.torn,
        sum.unsure,
        sum.blocks,
        begun.elapsed()
    );
}

/// Lets the child write for a moment, kills it, and says what it has said.
fn run(dir: &Path, round: u64) -> BTreeMap<String, Said> {
    let mut child = Command::new(std::env::current_exe().expect("a path"))
        .args(["--exact", "blocks::tests::kill::child", "--nocapture"])
        .env(DIR, dir)
        .env(ROUND, round.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .expect("starts");
    let lines = BufReader::new(child.stdout.take().expect("is piped")).lines();
    let (started, begun) = mpsc::channel();
    let reader = thread::spawn(move || {
        let heard = |line: &String| {
            if line.starts_with("ack") {
                let _ = started.send(());
            }
        };
        lines.map_while(Result::ok).inspect(heard).collect::<Vec<_>>()
    });
    begun.recv_timeout(Duration::from_secs(60)).expect("writes begin");
    // 0.05 to 1 s, a different moment each round.
    thread::sleep(Duration::from_millis(50 + round * 379 % 950));
    child.kill().expect("is killed");
    child.wait().expect("ends");
    let mut said = BTreeMap::<String, Said>::new();
    for line in reader.join().expect("reads") {
        match line.split(' ').collect::<Vec<_>>()[..] {
            ["try", thing, state] => said.entry(thing.into()).or_default().tried = Some(state.into()),
            ["ack", thing, state] => {
                said.insert(thing.into(), Said { acknowledged: Some(state.into()), tried: None });
            }
            _ => {}
        }
    }
    said
}

/// Looks at what the round has left, and at what former rounds have (of their data, all of it at the end only).
fn check(
    store: &Store,
    blocks: &Blocks,
    said: &BTreeMap<String, Said>,
    known: &mut BTreeMap<String, String>,
    last: bool,
    sum: &mut Sum,
) {
    let view = store.view(ALICE);
    for (thing, said) in said {
        let found = state(store, blocks, &*view, thing, said);
        let state = match found {
            Ok(state) => state,
            Err(torn) => {
                println!("torn: {thing}: {torn}");
                sum.torn += 1;
                continue;
            }
        };
        sum.acknowledged += u64::from(said.acknowledged.is_some());
        sum.unsure += u64::from(said.tried.is_some());
        if state != said.acknowledged && !(said.tried.is_some() && state == said.tried) {
            println!("lost: {thing}: {said:?}, found {state:?}");
            sum.lost += 1;
        }
        known.extend(state.map(|state| (thing.clone(), state)));
    }
    for (n, (thing, before)) in known.iter().enumerate() {
        if last || n % 16 == 0 {
            let said = Said { acknowledged: Some(before.clone()), tried: None };
            let found =
                self::state(store, blocks, &*view, thing, &said).unwrap_or_else(|torn| panic!("{thing}: {torn}"));
            if found.as_ref() != Some(before) {
                println!("lost: {thing}: {before}, found {found:?}");
                sum.lost += 1;
            }
        }
    }
    let equal = |name: &str, value: &str| (name.to_owned(), Cond::Equal(IndexValue::String(value.into())));
    let soak = Filter::from([equal("protocol", "http://soak"), equal("method", "Write")]);
    let listed = view.select(&Select { any_of: vec![soak], ..Select::default() }).expect("selects");
    let mut live: BTreeSet<Digest> = BTreeSet::new();
    for entry in &listed.entries {
        let root: Cid = entry.message["descriptor"]["dataCid"].as_str().expect("data").parse().expect("a CID");
        live.extend(cid::sha256_of(&root));
    }
    let written = known.iter().filter(|(thing, state)| !thing.ends_with("#pin") && state.starts_with('w')).count();
    assert_eq!(live.len(), written, "the records that are listed, and that are known");
    live.extend(blocks.pins().expect("lists").iter().filter_map(cid::sha256_of));
    for (digest, _) in store.places(&[0; 32], usize::MAX).expect("lists") {
        let needed = store.roots(&digest).expect("answers").iter().any(|root| live.contains(root));
        let served =
            blocks.get(Right::OWNER, &cid::from_digest(cid::RAW, &digest)).expect("reads, and it is whole").is_some();
        assert_eq!(served, needed, "a block is served if and only if something holds it");
        sum.blocks += 1;
    }
}

/// The state that a record, or a pin, is found in; an error if it is not whole.
fn state(store: &Store, blocks: &Blocks, view: &dyn View, thing: &str, said: &Said) -> Result<Option<String>, String> {
    let whole = |root: &Cid, id: &str, state: &str| {
        let (version, size) = state.trim_start_matches('w').split_once(':').expect("a state");
        let expected = content(id, version.parse().expect("a version"), size.parse().expect("a size"));
        let reader = blocks.read(Right::OWNER, root).map_err(|e| format!("{e:#}"))?;
        let found: Result<Vec<Bytes>, _> = reader.collect();
        let found = found.map_err(|e| format!("{e:#}"))?.concat();
        if found == expected { Ok(()) } else { Err(format!("{} other bytes", found.len())) }
    };
    if let Some(id) = thing.strip_suffix("#pin") {
        let stated = said.tried.as_ref().or(said.acknowledged.as_ref()).expect("something was said");
        let (root, state) = stated[1..].split_once(':').expect("a root");
        let cid: Cid = root.parse().expect("a CID");
        let pinned =
            store.state(&pin_key(&cid::sha256_of(&cid).expect("sha2-256"))).map_err(|e| e.to_string())?.is_some();
        if pinned {
            whole(&cid, id, state)?;
        }
        // Before the first pin there is nothing, which is as good as unpinned.
        return Ok(match (pinned, &said.acknowledged) {
            (true, _) => Some(format!("p{}", &stated[1..])),
            (false, None) => None,
            (false, Some(_)) => Some(format!("u{}", &stated[1..])),
        });
    }
    let Some(found) = view.record(thing).map_err(|e| format!("{e:#}"))? else { return Ok(None) };
    let descriptor = &found.newest.message["descriptor"];
    if descriptor["method"] == "Delete" {
        return Ok(Some("d".into()));
    }
    let state = format!("w{}:{}", descriptor["version"], descriptor["dataSize"]);
    let root: Cid = descriptor["dataCid"].as_str().unwrap_or_default().parse().map_err(|e| format!("{e}"))?;
    whole(&root, thing, &state)?;
    Ok(Some(state))
}
