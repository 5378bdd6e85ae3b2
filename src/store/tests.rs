//! The store as its users see it.

use super::{
    health::{Health, REASONS_MAX},
    log::frame::{self, Frame},
    recover,
    rows::{index::Index, keys, row},
    *,
};
use crate::{
    cid::{self, Cid},
    dwn::{Change, Cond, EventFilter, Fault, Filter, IndexValue, Refusal, Select, Stop, Subject, View},
};
use bytes::Bytes;
use serde_json::{Value, json};
use std::{
    fs::{self, File},
    path::Path,
    sync::{Arc, Mutex, atomic::AtomicBool},
    thread,
    time::Duration,
};

mod callers;
mod compact;
mod damage;
mod plans;
mod queries;
mod rebuild;
mod shortage;
mod snapshots;
mod sums;

const ALICE: &str = "did:example:alice";
const BOB: &str = "did:example:bob";

impl Store {
    /// In which keys the index differs from one that is built from the log anew, in `scratch`; some of them.
    pub(crate) fn differs_from_log(&self, scratch: &Path) -> Result<Vec<String>, Fault> {
        let (end, health) = (*self.0.tail.borrow(), Health::default());
        let fresh = Index::open(&scratch.join("index"), 4 << 20)?;
        recover::replay((&fresh, &self.0.log), 0, end, &health, |_, _| true)?;
        let mut ours = self.0.index.scan(&[], &[0xFF; 64], false);
        let mut theirs = fresh.scan(&[], &[0xFF; 64], false);
        let mut differ = health.reasons();
        while differ.len() < REASONS_MAX {
            match (ours.next().transpose()?, theirs.next().transpose()?) {
                (None, None) => break,
                (ours, theirs) if ours == theirs => {}
                (ours, theirs) => differ.push(format!("the index has {ours:02x?}, the log says {theirs:02x?}")),
            }
        }
        Ok(differ)
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

fn open(dir: &Path) -> Store {
    Store::open(dir, &Config { segment_size: 4 << 10, cache: 4 << 20, ..Config::default() }).expect("the store opens")
}

fn inline(bytes: &[u8]) -> Data {
    let root = cid::of(cid::RAW, bytes);
    Data {
        root,
        size: bytes.len() as u64,
        inline: Some(Bytes::copy_from_slice(bytes)),
        blocks: Vec::new(),
        hold: Hold::default(),
    }
}

fn time(n: u64) -> String {
    format!("2026-01-01T00:00:{:02}.{:06}Z", n / 1_000_000 % 60, n % 1_000_000)
}

/// A message about a record, as the rules would make it of the past.
fn message(record: &str, at: u64, extra: &Value) -> Value {
    let mut descriptor = json!({
        "interface": "Records", "method": "Write", "dateCreated": time(0), "messageTimestamp": time(at),
        "protocol": "http://chat", "protocolPath": "message",
    });
    for (key, value) in extra.as_object().into_iter().flatten() {
        descriptor[key] = value.clone();
    }
    json!({"recordId": record, "contextId": record, "descriptor": descriptor})
}

fn change(tenant: &str, record: &str, message: Value) -> Change {
    Change::initial(tenant, Subject::Record(record.into()), message).expect("encodes")
}

/// Writes a record the first time, or the next state of it, as RecordsWrite does.
fn decide_write(view: &dyn View, mut new: Change, record: &str) -> Result<Change, Stop> {
    if let Some(before) = view.record(record)? {
        if before.newest.cid == new.cid {
            return Err(Refusal::new(409, "Conflict").into());
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

async fn write(store: &Store, record: &str, at: u64, extra: Value, data: Option<&[u8]>) -> Result<Change, Stop> {
    let mut new = change(ALICE, record, message(record, at, &extra));
    let data = data.map(inline);
    new.data = data.as_ref().map(|d| (d.root, d.size));
    let record = record.to_owned();
    store.commit(ALICE, data, move |view| decide_write(view, new.clone(), &record)).await
}

#[test]
fn a_state_says_which_one_it_superseded() {
    let dir = tempfile::tempdir().expect("a directory");
    runtime().block_on(async {
        let store = open(dir.path());
        for at in 1..=3 {
            write(&store, "r1", at, json!({}), Some(b"x")).await.expect("written");
        }
        let mut befores = Vec::new();
        for entry in store.entries(0, 10).expect("reads") {
            let Entry::Message { position, before, .. } = entry else { panic!("{entry:?}") };
            befores.push((position, before));
        }
        let [(first, None), (second, Some(a)), (third, Some(b))] = befores[..] else { panic!("{befores:?}") };
        assert_eq!((a, b), (first, second));
        let former = store.former(b).expect("reads").expect("is in the log, though it is kept no more");
        assert_eq!(
            (former.message["descriptor"]["messageTimestamp"].as_str(), former.initial),
            (Some(&*time(2)), false)
        );
        assert_eq!(former.before, Some(first));
        assert!(store.former(first).expect("reads").is_some_and(|former| former.initial && former.before.is_none()));
        assert!(store.former(third).expect("reads").is_some_and(|former| former.author == ALICE));
    });
}

#[test]
fn a_message_that_comes_once_more_with_its_data_takes_its_own_place() {
    let dir = tempfile::tempdir().expect("a directory");
    runtime().block_on(async {
        let store = open(dir.path());
        let message = message("r1", 1, &json!({}));
        let mut bare = change(ALICE, "r1", message.clone());
        (bare.latest, bare.status) = (false, 204);
        let full = inline(b"data");
        let mut whole = change(ALICE, "r1", message);
        (whole.removes, whole.data) = (vec![whole.cid], Some((full.root, full.size)));
        let cid = whole.cid;
        store.commit(ALICE, None, move |_| Ok(bare.clone())).await.expect("taken");
        assert_eq!(found(&*store.view(ALICE), Filter::new()).len(), 0);
        store.commit(ALICE, Some(full), move |_| Ok(whole.clone())).await.expect("taken");
        let look = |store: &Store| {
            let view = store.view(ALICE);
            let record = view.record("r1").expect("reads").expect("is there");
            assert_eq!((record.initial.cid, record.newest.cid, record.newest.latest), (cid, cid, true));
            assert_eq!(view.inline_data(&record.newest).expect("reads").as_deref(), Some(&b"data"[..]));
            assert_eq!(view.events(&[], None, None).expect("reads").len(), 1);
            assert_eq!((store.stats().messages, store.stats().records, store.stats().bytes), (1, 1, 4));
            store.moment().expect("is told").fingerprint
        };
        let before = look(&store);
        drop(store);
        forget_index(dir.path()).expect("deletes");
        assert_eq!(look(&open(dir.path())), before);
    });
}

fn equal(property: &str, value: &str) -> Filter {
    Filter::from([(property.into(), Cond::Equal(IndexValue::String(value.into())))])
}

fn found(view: &dyn View, filter: Filter) -> Vec<String> {
    let page = view.select(&Select { any_of: vec![filter], ..Select::default() }).expect("selects");
    page.entries.iter().map(|e| e.message["recordId"].as_str().expect("a recordId").to_owned()).collect()
}

#[test]
fn what_is_written_is_found_and_survives() {
    let dir = tempfile::tempdir().expect("a directory");
    runtime().block_on(async {
        let store = open(dir.path());
        let first = write(&store, "r1", 1, json!({"published": true}), Some(b"one")).await.expect("written");
        write(&store, "r2", 2, json!({}), Some(b"two")).await.expect("written");
        let view = store.view(ALICE);
        let record = view.record("r1").expect("reads").expect("is there");
        assert_eq!((record.newest.cid, record.newest.latest), (first.cid, true));
        assert_eq!(record.newest.message, first.message);
        assert_eq!(view.inline_data(&record.newest).expect("reads"), Some("one".into()));
        assert_eq!(found(&*view, equal("protocol", "http://chat")).len(), 2);
        assert!(store.view(BOB).record("r1").expect("reads").is_none());
        assert_eq!(store.stats(), Stats { records: 2, messages: 2, blocks: 2, bytes: 6 });
        assert!(store.block_is_public(&cid::digest(b"one")).expect("answers"));
        assert!(!store.block_is_public(&cid::digest(b"two")).expect("answers"));
        assert!(store.block(&cid::digest(b"two")).expect("answers").is_some());
        assert_eq!(
            store.block_records(&cid::digest(b"two"), 9).expect("answers"),
            vec![(ALICE.to_owned(), "r2".to_owned())]
        );
        store.put_state(vec![(b"sync/a".to_vec(), Some(b"1".to_vec()))]).await.expect("kept");
    });
    let store = open(dir.path());
    assert_eq!(store.degraded(), Vec::<String>::new());
    assert!(store.view(ALICE).record("r1").expect("reads").is_some());
    assert_eq!(store.state(b"sync/a").expect("reads").as_deref(), Some(b"1".as_slice()));
    assert_eq!(store.states(b"sync/").expect("reads").len(), 1);
}

#[test]
fn an_update_supersedes_state_and_data() {
    let dir = tempfile::tempdir().expect("a directory");
    runtime().block_on(async {
        let store = open(dir.path());
        let one = write(&store, "r", 1, json!({"schema": "a", "published": true}), Some(b"1")).await.expect("written");
        let two = write(&store, "r", 2, json!({"schema": "b", "published": true}), Some(b"2")).await.expect("written");
        let three = write(&store, "r", 3, json!({"schema": "c"}), Some(b"3")).await.expect("written");
        let view = store.view(ALICE);
        let record = view.record("r").expect("reads").expect("is there");
        assert_eq!((record.initial.cid, record.newest.cid), (one.cid, three.cid));
        assert!(!record.initial.latest && record.newest.latest);
        assert!(!view.has_data(&record.initial).expect("reads") && view.has_data(&record.newest).expect("reads"));
        assert!(view.message(&two.cid).expect("reads").is_none());
        for (schema, count) in [("a", 0), ("b", 0), ("c", 1)] {
            assert_eq!(found(&*view, equal("schema", schema)).len(), count, "{schema}");
        }
        let events: Vec<Cid> = view.events(&[], None, None).expect("reads").iter().map(|e| e.cid).collect();
        assert_eq!(events, vec![one.cid, three.cid]);
        for (data, held) in [(b"1", false), (b"2", false), (b"3", true)] {
            assert_eq!(store.block(&cid::digest(data)).expect("answers").is_some(), held);
            assert!(!store.block_is_public(&cid::digest(data)).expect("answers"));
        }
        assert_eq!(store.stats(), Stats { records: 1, messages: 2, blocks: 3, bytes: 1 });
        let again = write(&store, "r", 3, json!({"schema": "c"}), Some(b"3")).await;
        assert!(matches!(again, Err(Stop::Refusal(Refusal { code: 409, .. }))), "{again:?}");
    });
}

#[test]
fn an_update_without_data_keeps_it() {
    let dir = tempfile::tempdir().expect("a directory");
    runtime().block_on(async {
        let store = open(dir.path());
        write(&store, "r", 1, json!({}), Some(b"kept")).await.expect("written");
        let update = message("r", 2, &json!({"published": true}));
        let update = Change { keeps_data: true, ..change(ALICE, "r", update) };
        let done = store.commit(ALICE, None, move |view| decide_write(view, update.clone(), "r")).await;
        done.expect("written");
        let view = store.view(ALICE);
        let newest = view.record("r").expect("reads").expect("is there").newest;
        assert_eq!(view.inline_data(&newest).expect("reads"), Some("kept".into()));
        assert!(store.block_is_public(&cid::digest(b"kept")).expect("answers"));
        assert_eq!(store.stats().bytes, 4);
    });
}

/// A write of `r0` whose decision holds the writer, and what lets it go on: polled last, it finds all others queued, and
/// they become one group.
fn hold_the_writer(store: &Store) -> (impl Future<Output = Result<Change, Stop>>, impl Future<Output = ()>) {
    let (go, wait) = std::sync::mpsc::channel::<()>();
    let wait = Mutex::new(wait);
    let change = change(ALICE, "r0", message("r0", 0, &json!({})));
    let held = store.commit(ALICE, None, move |_| {
        wait.lock().expect("unpoisoned").recv().expect("is told to go on");
        Ok(change.clone())
    });
    (held, async move { go.send(()).expect("is awaited") })
}

#[test]
fn a_group_sees_its_own_changes() {
    let dir = tempfile::tempdir().expect("a directory");
    runtime().block_on(async {
        let store = open(dir.path());
        let (first, go_on) = hold_the_writer(&store);
        let one = write(&store, "r1", 1, json!({"schema": "a"}), Some(b"1"));
        let two = write(&store, "r1", 2, json!({"schema": "b"}), Some(b"2"));
        let seen = Arc::new(Mutex::new(None));
        let look = {
            let seen = seen.clone();
            store.commit(ALICE, None, move |view| {
                let record = view.record("r1")?.expect("was decided before");
                *seen.lock().expect("unpoisoned") = Some((
                    record.newest.message["descriptor"]["schema"].clone(),
                    view.inline_data(&record.newest)?,
                    found(view, equal("schema", "a")).len(),
                    found(view, equal("schema", "b")).len(),
                    view.events(&[EventFilter::default()], None, None)?.len(),
                ));
                Err(Refusal::new(400, "only looking").into())
            })
        };
        let panics = store.commit(ALICE, None, |_| panic!("a rule with a bug"));
        let after = write(&store, "r2", 1, json!({}), None);
        let (first, one, two, look, panics, after, ()) = tokio::join!(first, one, two, look, panics, after, go_on);
        assert!(first.is_ok() && one.is_ok() && two.is_ok() && after.is_ok());
        assert!(matches!(look, Err(Stop::Refusal(_))));
        assert!(matches!(&panics, Err(Stop::Fault(f)) if f.to_string().contains("a rule with a bug")), "{panics:?}");
        assert_eq!(seen.lock().expect("unpoisoned").take(), Some((json!("b"), Some("2".into()), 0, 1, 3)));
        assert_eq!(store.stats().records, 3);
    });
}

#[test]
fn what_is_too_long_for_a_frame_takes_nothing_else_of_its_group_along() {
    let dir = tempfile::tempdir().expect("a directory");
    runtime().block_on(async {
        let store = open(dir.path());
        let (first, go_on) = hold_the_writer(&store);
        let good = write(&store, "r1", 1, json!({}), Some(b"1"));
        let long = Change { bytes: vec![0; 65 << 20], ..change(ALICE, "r2", message("r2", 2, &json!({}))) };
        let long = store.commit(ALICE, None, move |_| Ok(long.clone()));
        let (first, good, long, ()) = tokio::join!(first, good, long, go_on);
        assert!(first.is_ok() && good.is_ok());
        assert!(matches!(&long, Err(Stop::Fault(f)) if f.to_string().contains("longer than")), "{long:?}");
        assert!(store.view(ALICE).record("r1").expect("reads").is_some());
        assert_eq!((store.stats().records, store.stats().messages), (2, 2));
        let scratch = tempfile::tempdir().expect("a directory");
        assert_eq!(store.differs_from_log(scratch.path()).expect("compares"), Vec::<String>::new());
    });
}

#[test]
fn a_prune_takes_descendants_along() {
    let dir = tempfile::tempdir().expect("a directory");
    runtime().block_on(async {
        let store = open(dir.path());
        let root = write(&store, "root", 1, json!({}), Some(b"root")).await.expect("written");
        let one = write(&store, "child", 1, json!({"parentId": "root"}), Some(b"c")).await.expect("written");
        let two = write(&store, "child", 2, json!({"parentId": "root"}), Some(b"d")).await.expect("written");
        let delete = json!({"descriptor": {"interface": "Records", "method": "Delete", "recordId": "root",
            "messageTimestamp": time(3), "prune": true}});
        let mut delete = change(ALICE, "root", delete);
        (delete.initial, delete.demotes, delete.removes) = (false, vec![root.cid], vec![one.cid, two.cid]);
        store.commit(ALICE, None, move |_| Ok(delete.clone())).await.expect("written");
        let view = store.view(ALICE);
        assert!(view.record("child").expect("reads").is_none());
        let root = view.record("root").expect("reads").expect("its tombstone is there");
        assert_eq!(root.newest.message["descriptor"]["method"], "Delete");
        assert_eq!(store.stats(), Stats { records: 1, messages: 2, blocks: 3, bytes: 0 });
        assert!(store.block(&cid::digest(b"d")).expect("answers").is_none());
    });
}

#[test]
fn protocols_are_kept_newest_only() {
    let dir = tempfile::tempdir().expect("a directory");
    runtime().block_on(async {
        let store = open(dir.path());
        for (uri, at) in [("http://a", 1), ("http://b", 1), ("http://a", 2)] {
            let configure = json!({"descriptor": {"interface": "Protocols", "method": "Configure",
                "messageTimestamp": time(at), "definition": {"protocol": uri}}});
            let mut new = change(ALICE, "", configure);
            new.subject = Subject::Protocol(uri.into());
            let decide = move |view: &dyn View| {
                let mut new = new.clone();
                new.removes = view.protocol(uri)?.map(|old| old.cid).into_iter().collect();
                Ok(new)
            };
            store.commit(ALICE, None, decide).await.expect("written");
        }
        let view = store.view(ALICE);
        let newest = view.protocol("http://a").expect("reads").expect("is there");
        assert_eq!(newest.message["descriptor"]["messageTimestamp"], time(2));
        assert_eq!(view.protocols().expect("reads").len(), 2);
        assert_eq!(view.events(&[], None, None).expect("reads").len(), 2);
        assert!(view.protocol("http://c").expect("reads").is_none());
    });
}

#[test]
fn followers_read_the_log_in_order() {
    let dir = tempfile::tempdir().expect("a directory");
    runtime().block_on(async {
        let store = open(dir.path());
        let mut tail = store.tail();
        let mut written = Vec::new();
        for n in 0..100 {
            written.push(write(&store, &format!("r{n}"), n, json!({}), Some(&[0; 500])).await.expect("written").cid);
        }
        store.put_state(vec![(b"x".to_vec(), None)]).await.expect("kept");
        let (mut at, mut read, mut states) = (0, Vec::new(), 0);
        while at < *tail.borrow_and_update() {
            for entry in store.entries(at, 7).expect("reads") {
                at = entry.next();
                match entry {
                    Entry::Message { cid, data, tenant, .. } => {
                        assert_eq!((tenant.as_str(), data.expect("has data").1), (ALICE, 500));
                        read.push(cid);
                    }
                    Entry::State { .. } => states += 1,
                }
            }
        }
        assert_eq!((read, states), (written, 1));
        assert!(store.entries(at, 7).expect("reads").is_empty());
        let segments = fs::read_dir(dir.path().join("log")).expect("lists").count();
        assert!(segments > 3, "{segments} segments");
    });
}

#[test]
fn data_that_does_not_fit_the_change_is_a_fault() {
    let dir = tempfile::tempdir().expect("a directory");
    runtime().block_on(async {
        let store = open(dir.path());
        let mut new = change(ALICE, "r", message("r", 1, &json!({})));
        new.data = Some((cid::of(cid::RAW, b"said"), 4));
        for data in [None, Some(inline(b"sent"))] {
            let new = new.clone();
            let result = store.commit(ALICE, data, move |_| Ok(new.clone())).await;
            assert!(matches!(result, Err(Stop::Fault(_))), "{result:?}");
        }
        assert_eq!(store.stats(), Stats::default());
    });
}

#[test]
fn a_second_open_is_refused() {
    let dir = tempfile::tempdir().expect("a directory");
    let _store = open(dir.path());
    let error = Store::open(dir.path(), &Config::default()).expect_err("is refused").to_string();
    assert!(error.contains("another process has this store open"), "{error}");
}

#[test]
fn a_frame_of_a_newer_version_is_refused_with_a_sentence() {
    let payload = serde_ipld_dagcbor::to_vec(&json!({"v": 9, "frame": {"state": []}})).expect("encodes");
    let error = frame::decode(&payload).expect_err("is refused").to_string();
    assert!(error.contains("version 9") && error.contains("newer"), "{error}");
}

#[test]
fn below_the_reserve_nothing_new_is_taken_and_all_else_goes_on() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(dir.path());
    let kept = runtime().block_on(write(&store, "r", 1, json!({}), Some(b"kept"))).expect("written");
    assert_eq!((store.tenant_bytes(ALICE).expect("answers"), store.tenant_bytes(BOB).expect("answers")), (4, 0));
    drop(store);
    let full = Config { min_free: u64::MAX, ..Config::default() };
    let store = Store::open(dir.path(), &full).expect("the store opens");
    let refused = runtime().block_on(write(&store, "r2", 1, json!({}), Some(b"new")));
    let Err(Stop::Refusal(refusal)) = refused else { panic!("{refused:?}") };
    assert!(refusal.code == 507 && refusal.detail.contains("store.min_free"), "{refusal}");
    assert!(store.view(ALICE).message(&kept.cid).expect("reads").is_some());
    runtime().block_on(store.put_state(vec![(b"x".to_vec(), Some(b"y".to_vec()))])).expect("put");
    drop(store);
    let store = open(dir.path());
    runtime().block_on(write(&store, "r2", 1, json!({}), Some(b"new"))).expect("written");
    assert_eq!(store.tenant_bytes(ALICE).expect("answers"), 7);
}
