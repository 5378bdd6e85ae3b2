//! Compaction: what is there stays as it was, whatever was done before and wherever the disk fails; what is not there
//! any more gives its bytes back.

use super::*;
use crate::dwn::Direction;
use proptest::prelude::*;
use std::{
    collections::BTreeMap,
    os::unix::fs::{FileExt as _, MetadataExt as _},
    path::PathBuf,
};

/// A segment is worth it as soon as anything can go.
const ANY: f64 = 0.0;

/// Everything that users of the store can ask, but for how it stands in the log.
fn all(store: &Store) -> BTreeMap<String, String> {
    let mut seen = BTreeMap::new();
    for tenant in [ALICE, BOB] {
        let view = store.view(tenant);
        let mut say = |what: &str, answer: String| seen.insert(format!("{tenant} {what}"), answer);
        let events = view.events(&[], None, None).expect("reads");
        say("events", format!("{events:?}"));
        for event in &events {
            let stored = view.message(&event.cid).expect("reads").expect("an event has its message");
            let data = view.inline_data(&stored).expect("reads");
            let has = (view.has_data(&stored).expect("reads"), view.is_elsewhere(&stored).expect("reads"));
            say(&event.cid.to_string(), format!("{} {data:?} {has:?}", told(&stored)));
        }
        for n in 0..RECORDS {
            let id = format!("r{n}");
            let both = |record: &crate::dwn::Record| told(&record.initial) + &told(&record.newest);
            say(&id, format!("{:?}", view.record(&id).expect("reads").as_ref().map(both)));
            let children = view.children(&id).expect("reads");
            say(&format!("children of {id}"), children.iter().map(both).collect());
            say(&format!("found below {id}"), which(&*view, equal("parentId", &id)));
        }
        let mut protocols = Vec::new();
        let positions = view.protocols().expect("reads");
        let each = view.each(&positions, &mut |stored| {
            protocols.extend(stored);
            Ok(std::ops::ControlFlow::Continue(()))
        });
        each.expect("reads");
        say("protocols", protocols.iter().map(told).collect());
        for direction in [Direction::Ascending, Direction::Descending] {
            let select = Select { any_of: vec![Filter::new()], direction, ..Select::default() };
            let page = view.select(&select).expect("selects");
            say(&format!("{direction:?}"), page.entries.iter().map(told).collect());
        }
        for schema in ["a", "b", "c"] {
            say(schema, which(&*view, equal("schema", schema)));
        }
        say("bytes", store.tenant_bytes(tenant).expect("answers").to_string());
    }
    for kind in 0..DATA {
        let digest = cid::digest(&content(kind));
        let held = store.block(&digest).expect("answers").is_some();
        let whole = store.place(&digest).expect("answers").map(|place| match place {
            Place::Log { at, .. } => store.inline(at).expect("a block is where it is said to lie") == content(kind),
            other => panic!("{other:?}"),
        });
        let public = store.block_is_public(&digest).expect("answers");
        seen.insert(format!("block {kind}"), format!("{held} {whole:?} {public}"));
    }
    seen.insert("states".into(), format!("{:?}", store.states(b"").expect("reads")));
    seen.insert("sums".into(), sums::told(store).join("\n"));
    seen.insert("stats".into(), format!("{:?}", store.stats()));
    seen.insert("tenants".into(), format!("{:?}", store.tenants().expect("reads")));
    seen.insert("degraded".into(), format!("{:?}", store.degraded()));
    seen
}

fn which(view: &dyn View, filter: Filter) -> String {
    let page = view.select(&Select { any_of: vec![filter], ..Select::default() }).expect("selects");
    page.entries.iter().map(told).collect()
}

fn told(stored: &crate::dwn::Stored) -> String {
    format!("{} of {}, latest {}: {}\n", stored.cid, stored.author, stored.latest, stored.message.text())
}

fn same(store: &Store, before: &BTreeMap<String, String>, when: &str) {
    for (what, now) in all(store) {
        assert!(Some(&now) == before.get(&what), "{when}: {what} was {:?} and is {now}", before.get(&what));
    }
}

/// Deletes the index and opens anew.
fn rebuilt(dir: &Path) -> Store {
    fs::remove_dir_all(dir.join("index")).expect("removes");
    open(dir)
}

/// Bytes that the log really takes on disk.
fn on_disk(dir: &Path) -> u64 {
    let files = fs::read_dir(dir.join("log")).expect("lists");
    files.map(|entry| entry.expect("lists").metadata().expect("is there").blocks() * 512).sum()
}

fn segments(dir: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> =
        fs::read_dir(dir.join("log")).expect("lists").map(|entry| entry.expect("lists").path()).collect();
    found.sort();
    found
}

const RECORDS: u8 = 5;
const DATA: u8 = 6;

/// Of these some are equal, so that records share them.
fn content(kind: u8) -> Vec<u8> {
    vec![kind % DATA; 400 + usize::from(kind % DATA)]
}

#[derive(Debug, Clone)]
enum Op {
    Write {
        bob: bool,
        record: u8,
        data: Option<u8>,
        below: Option<u8>,
        schema: u8,
        public: bool,
    },
    /// The same with data that is elsewhere, and its coming.
    Refer {
        bob: bool,
        record: u8,
        data: u8,
    },
    Bring {
        bob: bool,
        record: u8,
    },
    Delete {
        bob: bool,
        record: u8,
        prune: bool,
    },
    Configure {
        bob: bool,
        uri: u8,
    },
    State {
        key: u8,
        value: Option<u8>,
    },
    Release,
    Wipe {
        bob: bool,
    },
    WipeStep {
        bob: bool,
    },
    Compact,
    Reopen,
    Rebuild,
}

fn op() -> impl Strategy<Value = Op> {
    let write = (any::<bool>(), 0..RECORDS, proptest::option::of(0..DATA), proptest::option::of(0..RECORDS));
    let write = (write, 0_u8..3, any::<bool>());
    prop_oneof![
        12 => write.prop_map(|((bob, record, data, below), schema, public)| {
            Op::Write { bob, record, data, below, schema, public }
        }),
        3 => (any::<bool>(), 0..RECORDS, 0..DATA).prop_map(|(bob, record, data)| Op::Refer { bob, record, data }),
        3 => (any::<bool>(), 0..RECORDS).prop_map(|(bob, record)| Op::Bring { bob, record }),
        3 => (any::<bool>(), 0..RECORDS, any::<bool>())
            .prop_map(|(bob, record, prune)| Op::Delete { bob, record, prune }),
        2 => (any::<bool>(), 0_u8..2).prop_map(|(bob, uri)| Op::Configure { bob, uri }),
        3 => (0_u8..3, proptest::option::of(any::<u8>())).prop_map(|(key, value)| Op::State { key, value }),
        2 => Just(Op::Release),
        1 => any::<bool>().prop_map(|bob| Op::Wipe { bob }),
        1 => any::<bool>().prop_map(|bob| Op::WipeStep { bob }),
        2 => Just(Op::Compact),
        1 => Just(Op::Reopen),
        1 => Just(Op::Rebuild),
    ]
}

/// Does it to the store as the rules would, and gives the store back.
fn act(store: Store, dir: &Path, op: Op, now: u64) -> Store {
    let who = |bob: bool| if bob { BOB } else { ALICE };
    let runtime = runtime();
    match op {
        Op::Write { bob, record, data, below, schema, public } => {
            let id = format!("r{record}");
            let mut extra = json!({"schema": (["a", "b", "c"][usize::from(schema)]), "published": public});
            if let Some(below) = below.filter(|below| *below < record) {
                extra["parentId"] = json!(format!("r{below}"));
            }
            let mut new = change(who(bob), &id, message(&id, now, &extra));
            let data = data.map(|kind| inline(&content(kind)));
            new.data = data.as_ref().map(|d| (d.root, d.size));
            write(&store, new, id, data);
        }
        Op::Refer { bob, record, data } => {
            let (id, Data { root, size, .. }) = (format!("r{record}"), inline(&content(data)));
            let mut new = change(who(bob), &id, message(&id, now, &json!({"dataCid": root.to_string()})));
            new.data = Some((root, size));
            write(&store, new, id, Some(Data::elsewhere(root, size)));
        }
        Op::Bring { bob, record } => {
            let (id, view) = (format!("r{record}"), store.view(who(bob)));
            let Some(found) = view.record(&id).expect("reads") else { return store };
            if !view.is_elsewhere(&found.newest).expect("reads") {
                return store;
            }
            // (A later state that keeps the data names none here.)
            let named = &found.newest.message["descriptor"]["dataCid"];
            let data = (0..DATA).map(|kind| inline(&content(kind))).find(|data| data.root.to_string() == *named);
            let Some(data) = data else { return store };
            let mut new = change(who(bob), &id, Value::clone(&found.newest.message));
            new.initial = found.newest.cid == found.initial.cid;
            new.brings_data = true;
            new.data = Some((data.root, data.size));
            let before = all(&store);
            runtime.block_on(store.commit(who(bob), Some(data), move |_| Ok(new.clone()))).expect("written");
            let view = store.view(who(bob));
            let newest = view.record(&id).expect("reads").expect("is there").newest;
            assert!(!view.is_elsewhere(&newest).expect("reads") && newest.cid == found.newest.cid);
            assert_eq!(newest.lineage, found.newest.lineage);
            assert_eq!(all(&store).keys().collect::<Vec<_>>(), before.keys().collect::<Vec<_>>(), "data alone came");
        }
        Op::Delete { bob, record, prune } => {
            let id = format!("r{record}");
            let delete = json!({"descriptor": {"interface": "Records", "method": "Delete", "recordId": id,
                "messageTimestamp": time(now), "prune": prune}});
            let new = Change { initial: false, ..change(who(bob), &id, delete) };
            let decide = move |view: &dyn View| {
                let mut new = new.clone();
                let before = view.record(&id)?.ok_or_else(|| Refusal::new(404, "NotFound"))?;
                match before.newest.cid == before.initial.cid {
                    true => new.demotes = vec![before.initial.cid],
                    false => new.removes = vec![before.newest.cid],
                }
                for child in prune.then(|| descendants(view, &id)).into_iter().flatten() {
                    new.removes.push(child.initial.cid);
                    if child.newest.cid != child.initial.cid {
                        new.removes.push(child.newest.cid);
                    }
                }
                Ok(new)
            };
            match runtime.block_on(store.commit(who(bob), None, decide)) {
                Ok(_) | Err(Stop::Refusal(_)) => {}
                Err(Stop::Fault(fault)) => panic!("{fault:#}"),
            }
        }
        Op::Configure { bob, uri } => {
            let uri = format!("http://p{uri}");
            let configure = json!({"descriptor": {"interface": "Protocols", "method": "Configure",
                "messageTimestamp": time(now), "definition": {"protocol": uri}}});
            let new = Change { subject: Subject::Protocol(uri.clone()), ..change(who(bob), "", configure) };
            let decide = move |view: &dyn View| {
                let removes = view.protocol(&uri)?.map(|old| old.cid).into_iter().collect();
                Ok(Change { removes, ..new.clone() })
            };
            runtime.block_on(store.commit(who(bob), None, decide)).expect("written");
        }
        Op::State { key, value } => {
            let change = (vec![b'k', key], value.map(|value| vec![value; 60]));
            runtime.block_on(store.put_state(vec![change, (b"n".to_vec(), Some(vec![now as u8]))])).expect("put");
        }
        Op::Release => {
            let blocks = (0..DATA).map(|kind| cid::digest(&content(kind))).collect();
            runtime.block_on(store.release(blocks)).expect("answers");
        }
        Op::Wipe { bob } => while runtime.block_on(store.wipe_some(who(bob))).expect("wipes") > 0 {},
        Op::WipeStep { bob } => {
            // As if the node had stopped in the middle: the oldest messages are gone.
            let events = store.view(who(bob)).events(&[], None, Some(2)).expect("reads");
            let wiped = events.iter().filter_map(|e| cid::sha256_of(&e.cid));
            let changes = wiped.map(|digest| (keys::removal(who(bob), &digest), None)).collect();
            runtime.block_on(store.put_state(changes)).expect("put");
        }
        Op::Compact => {
            let before = all(&store);
            store.compact(ANY).expect("compacts");
            same(&store, &before, "after compaction");
        }
        Op::Reopen => {
            let before = all(&store);
            drop(store);
            let store = open(dir);
            same(&store, &before, "opened again");
            return store;
        }
        Op::Rebuild => {
            let before = all(&store);
            drop(store);
            let store = rebuilt(dir);
            same(&store, &before, "with a new index");
            return store;
        }
    }
    store
}

/// Commits a write as the rules would.
fn write(store: &Store, new: Change, id: String, data: Option<Data>) {
    let tenant = new.tenant.clone();
    let decide = move |view: &dyn View| {
        let mut new = new.clone();
        // Nothing is deleted and written again; an update without data keeps what there is.
        let before = view.record(&id)?;
        if before.as_ref().is_some_and(|r| r.newest.message["descriptor"]["method"] == "Delete") {
            return Err(Refusal::new(404, "NotFound").into());
        }
        new.keeps_data = new.data.is_none() && before.is_some();
        decide_write(view, new, &id)
    };
    match runtime().block_on(store.commit(&tenant, data, decide)) {
        Ok(_) | Err(Stop::Refusal(_)) => {}
        Err(Stop::Fault(fault)) => panic!("{fault:#}"),
    }
}

fn descendants(view: &dyn View, id: &str) -> Vec<crate::dwn::Record> {
    let children = view.children(id).expect("reads");
    let below =
        |child: &crate::dwn::Record| descendants(view, child.initial.message["recordId"].as_str().expect("a recordId"));
    let further: Vec<_> = children.iter().flat_map(below).collect();
    children.into_iter().chain(further).collect()
}

fn cases() -> u32 {
    if std::env::var_os("TOFT_LONG").is_some() { 400 } else { 16 }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), ..ProptestConfig::default() })]

    #[test]
    fn whatever_was_done_all_that_can_be_asked_stays(ops in proptest::collection::vec(op(), 1..60)) {
        let dir = tempfile::tempdir().expect("a directory");
        let mut store = open(dir.path());
        let mut halved = false;
        for (now, op) in ops.into_iter().enumerate() {
            // What is half wiped has deletes that nothing says the protocol of.
            halved |= matches!(op, Op::WipeStep { .. });
            store = act(store, dir.path(), op, now as u64);
            if !halved {
                [ALICE, BOB].into_iter().for_each(|tenant| sums::hold(&store, tenant));
            }
        }
        for last in [Op::Rebuild, Op::Compact, Op::Rebuild, Op::Compact, Op::Reopen] {
            store = act(store, dir.path(), last, 0);
        }
        // What was compacted is not worth it again.
        prop_assert_eq!(store.compact(ANY).expect("compacts").rewritten, 0);
    }
}

/// Records that were updated many times, some deleted, one tenant gone; blocks that nothing holds are released.
fn worn(dir: &Path) -> Store {
    let mut store = open(dir);
    let write = |bob, record, data, now| {
        let op = Op::Write { bob, record, data, below: None, schema: 0, public: true };
        move |store| act(store, dir, op, now)
    };
    for now in 0..60 {
        store = write(false, (now % 3) as u8, Some((now % 6) as u8), now)(store);
        store = write(true, 1, Some((now % 4) as u8), now)(store);
        store = act(store, dir, Op::State { key: 0, value: Some(now as u8) }, now);
    }
    store = act(store, dir, Op::Delete { bob: false, record: 2, prune: false }, 90);
    store = act(store, dir, Op::Wipe { bob: true }, 91);
    act(store, dir, Op::Release, 92)
}

#[test]
fn what_is_gone_gives_its_space_back() {
    let dir = tempfile::tempdir().expect("a directory");
    // Segments of many pages: what is counted is what the file system gives back.
    let big = Config { segment_size: 64 << 10, cache: 4 << 20, ..Config::default() };
    drop(Store::open(dir.path(), &big).expect("the store opens"));
    let open = || Store::open(dir.path(), &big).expect("the store opens");
    let mut store = open();
    for now in 0..400 {
        let op = Op::Write { bob: false, record: 0, data: Some((now % 6) as u8), below: None, schema: 0, public: true };
        store = act(store, dir.path(), op, now);
    }
    store = act(store, dir.path(), Op::Release, 400);
    let (before, was) = (all(&store), on_disk(dir.path()));
    let done = store.compact(0.5).expect("compacts");
    assert!(done.rewritten > 3 && done.messages > 300 && done.damaged == 0, "{done:?}");
    let is = on_disk(dir.path());
    assert!(is < was / 2 && done.bytes > (was - is) * 9 / 10, "{was} → {is}: {done:?}");
    same(&store, &before, "after compaction");
    let again = store.compact(0.5).expect("compacts");
    assert_eq!((again.rewritten, again.bytes), (0, 0), "{again:?}");
    drop(store);
    fs::remove_dir_all(dir.path().join("index")).expect("removes");
    same(&open(), &before, "with a new index");
}

#[test]
fn a_crash_at_every_step_changes_nothing_that_can_be_asked() {
    let template = tempfile::tempdir().expect("a directory");
    let before = all(&worn(template.path()));
    // Each change of the first segments, and then some.
    let steps = (0..24).chain((24..).step_by(if std::env::var_os("TOFT_LONG").is_some() { 1 } else { 11 }));
    for changes in steps {
        let dir = tempfile::tempdir().expect("a directory");
        super::damage::copy_dir(template.path(), dir.path());
        let store = open(dir.path());
        store.0.log.crash_in(changes);
        let crashed = store.compact(ANY).is_err();
        same(&store, &before, "while the node runs on");
        drop(store);
        let store = if changes % 2 == 0 { open(dir.path()) } else { rebuilt(dir.path()) };
        same(&store, &before, &format!("after {changes} changes"));
        assert!(segments(dir.path()).iter().all(|path| path.extension().is_some_and(|e| e == "log")));
        store.compact(ANY).expect("compacts");
        same(&store, &before, &format!("after {changes} changes and a whole round"));
        drop(store);
        same(&rebuilt(dir.path()), &before, &format!("after {changes} changes, a whole round, with a new index"));
        if !crashed {
            assert!(changes > 20, "the round changed {changes} things only");
            return;
        }
    }
}

#[test]
fn readers_and_writers_work_on_meanwhile() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut store = worn(dir.path());
    let cids: Vec<Cid> = store.view(ALICE).events(&[], None, None).expect("reads").iter().map(|e| e.cid).collect();
    let (stop, reader) = (Arc::new(AtomicBool::new(false)), store.clone());
    let stopped = stop.clone();
    let reading = thread::spawn(move || {
        let mut rounds = 0;
        while !stopped.load(std::sync::atomic::Ordering::Acquire) || rounds == 0 {
            let view = reader.view(ALICE);
            for cid in &cids {
                if let Some(stored) = view.message(cid).expect("reads") {
                    view.inline_data(&stored).expect("reads");
                }
            }
            let mut at = 0;
            while at < reader.log_bytes() {
                let entries = reader.entries(at, 50).expect("reads");
                let Some(last) = entries.last() else { break };
                at = last.next();
            }
            rounds += 1;
        }
    });
    for now in 100..140 {
        let op = Op::Write { bob: false, record: 0, data: Some((now % 6) as u8), below: None, schema: 1, public: true };
        store = act(store, dir.path(), op, now);
        store.compact(ANY).expect("compacts");
    }
    stop.store(true, std::sync::atomic::Ordering::Release);
    reading.join().expect("no reader fails");
    let before = all(&store);
    drop(store);
    same(&rebuilt(dir.path()), &before, "with a new index");
}

#[test]
fn every_damage_to_a_compacted_segment_is_named_and_costs_only_what_it_hit() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = worn(dir.path());
    store.compact(ANY).expect("compacts");
    let kept: Vec<Cid> = store.view(ALICE).events(&[], None, None).expect("reads").iter().map(|e| e.cid).collect();
    drop(store);
    let compacted: Vec<PathBuf> = segments(dir.path())
        .into_iter()
        .filter(|path| fs::read(path).expect("reads")[3] == frame::COMPACTED_VERSION)
        .collect();
    assert!(compacted.len() > 2);
    let mut hurt = 0;
    for path in compacted.iter().take(1).chain(compacted.last()) {
        let whole = fs::read(path).expect("reads");
        for at in (0..whole.len()).step_by(37) {
            let file = File::options().write(true).open(path).expect("opens");
            file.write_all_at(&[whole[at] ^ 0x10], at as u64).expect("writes");
            let store = rebuilt(dir.path());
            let mut from = 0;
            let mut named = Vec::new();
            while from < store.log_bytes() {
                let checked = store.check(from, 1 << 10).expect("checks");
                from = checked.next;
                named.extend(checked.damage);
            }
            assert!(!named.is_empty() && !store.degraded().is_empty(), "byte {at} of {}", path.display());
            let view = store.view(ALICE);
            let here = kept.iter().filter(|cid| view.message(cid).expect("reads").is_some()).count();
            assert!(here + 1 >= kept.len(), "byte {at} of {} cost more than one message", path.display());
            hurt += kept.len() - here;
            let refused = store.compact(ANY).expect_err("a degraded store is left as it is");
            assert!(refused.to_string().contains("degraded"), "{refused}");
            file.write_all_at(&whole[at..=at], at as u64).expect("writes");
        }
        for length in [0, 10, 24, 60, whole.len() / 2, whole.len() - 1] {
            fs::write(path, &whole[..length]).expect("writes");
            let store = rebuilt(dir.path());
            assert!(!store.degraded().is_empty(), "{} cut to {length}", path.display());
            drop(store);
        }
        fs::write(path, &whole).expect("writes");
    }
    assert!(hurt > 0, "no damage hit a message");
    // What was found is remembered until the log has been read whole.
    let store = rebuilt(dir.path());
    assert!(matches!(&store.degraded()[..], [one] if one.contains("damaged")), "{:?}", store.degraded());
    let mut from = 0;
    while from < store.log_bytes() {
        from = store.check(from, 1 << 10).expect("checks").next;
    }
    assert_eq!(store.degraded(), Vec::<String>::new());
    store.compact(ANY).expect("compacts again");
}

#[test]
fn a_log_is_cut_in_a_compacted_segment_and_says_what_is_missing() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut store = worn(dir.path());
    let at = |store: &Store| store.log_bytes();
    let middle = {
        // The time of a frame in the middle of the first compacted segments.
        let entries = store.entries(0, 40).expect("reads");
        let times = entries.iter().filter_map(|e| match e {
            Entry::Message { arrived, .. } => *arrived,
            Entry::State { .. } => None,
        });
        times.max().expect("messages say when they came")
    };
    // What was written in the same millisecond is not told apart: pass it.
    thread::sleep(Duration::from_millis(2));
    store = act(store, dir.path(), Op::Configure { bob: false, uri: 1 }, 95);
    let end = at(&store);
    store.compact(ANY).expect("compacts");
    drop(store);
    let cut = truncate(dir.path(), middle).expect("cuts");
    assert!(cut.end < end && cut.messages_gone > 0, "{cut:?}");
    let store = open(dir.path());
    assert_eq!(store.degraded(), Vec::<String>::new());
    let view = store.view(ALICE);
    for event in view.events(&[], None, None).expect("reads") {
        assert!(view.message(&event.cid).expect("reads").is_some(), "what is named is there");
    }
    for n in 0..3 {
        let record = view.record(&format!("r{n}")).expect("reads");
        assert!(record.is_none_or(|record| record.newest.cid == record.initial.cid), "r{n} stands at its first state");
    }
    // And it can be written to, and compacted.
    let store = act(store, dir.path(), Op::Configure { bob: false, uri: 0 }, 99);
    let before = all(&store);
    store.compact(ANY).expect("compacts");
    drop(store);
    same(&rebuilt(dir.path()), &before, "with a new index");
}

#[test]
fn a_log_of_a_newer_version_is_refused_and_left_alone() {
    for byte in [3_usize, 3 + 1] {
        let dir = tempfile::tempdir().expect("a directory");
        drop(worn(dir.path()));
        let path = if byte == 3 { segments(dir.path()).pop() } else { segments(dir.path()).into_iter().next() };
        let path = path.expect("a segment");
        let start: Position = path.file_stem().and_then(|s| s.to_str()).and_then(|s| s.parse().ok()).expect("a number");
        let mut bytes = fs::read(&path).expect("reads");
        bytes[3] = 9;
        let crc = frame::header_crc(start, &bytes[..24]);
        bytes[20..24].copy_from_slice(&crc.to_be_bytes());
        fs::write(&path, &bytes).expect("writes");
        let error = format!("{:#}", Store::open(dir.path(), &Config::default()).expect_err("is refused"));
        assert!(error.contains("has version 9") && error.contains("newer"), "{error}");
        assert_eq!(fs::read(&path).expect("reads"), bytes);
    }
}
