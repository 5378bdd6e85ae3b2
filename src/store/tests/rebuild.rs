//! An index that is far behind the log: what it has is answered, nothing is written, and then all is there.

use super::*;

const RECORDS: u64 = 160;

/// A store with so much in its log that an index is worth telling of, and without one.
fn without_index() -> (tempfile::TempDir, Vec<Cid>) {
    let dir = tempfile::tempdir().expect("a directory");
    let cids = runtime().block_on(async {
        let store = open(dir.path());
        let mut cids = Vec::new();
        for n in 0..RECORDS {
            let data = [vec![n as u8; 29_000], n.to_be_bytes().to_vec()].concat();
            let change = write(&store, &format!("r{n}"), n, json!({}), Some(&data)).await;
            cids.push(change.expect("written").cid);
        }
        cids
    });
    fs::remove_dir_all(dir.path().join("index")).expect("removes");
    (dir, cids)
}

fn begin(dir: &Path) -> Store {
    let config = Config { segment_size: 4 << 10, cache: 4 << 20, ..Config::default() };
    let store = Store::begin(dir, &config).expect("the store opens");
    while store.stats().records == 0 {
        thread::sleep(Duration::from_millis(1));
    }
    store
}

#[test]
fn what_is_rebuilt_is_answered_while_the_rest_is_built() {
    let (dir, cids) = without_index();
    let hindrance = Hindrance::new(dir.path());
    let store = begin(dir.path());
    let built = store.stats().records;
    assert!(built > 0 && built < RECORDS, "{built}");
    let newest = |n: u64| store.view(ALICE).record(&format!("r{n}")).expect("reads").map(|found| found.newest.cid);
    assert_eq!((newest(0), newest(RECORDS - 1)), (Some(cids[0]), None));
    assert!(store.degraded()[0].contains("being built again"), "{:?}", store.degraded());
    assert!(store.read_only().is_some_and(|why| why.contains('%')), "{:?}", store.read_only());
    assert!(store.0.rebuild.left().is_some_and(|left| left > 0));
    // Nothing waits for minutes in a queue.
    let refused = runtime().block_on(write(&store, "new", 900, json!({}), None));
    assert!(matches!(&refused, Err(Stop::Refusal(refusal)) if refusal.code == 503), "{refused:?}");
    let state = runtime().block_on(store.put_state(vec![(b"anchor/x".to_vec(), None)]));
    assert!(state.is_err_and(|fault| fault.to_string().contains("IndexRebuilding")));

    drop(hindrance);
    runtime().block_on(store.built()).expect("is built");
    assert_eq!((store.degraded(), store.read_only(), store.stats().records), (vec![], None, RECORDS));
    assert_eq!(newest(RECORDS - 1), Some(cids[RECORDS as usize - 1]));
    runtime().block_on(write(&store, "new", 900, json!({}), None)).expect("written");
    let scratch = tempfile::tempdir().expect("a directory");
    assert_eq!(store.differs_from_log(scratch.path()).expect("compares"), Vec::<String>::new());
}

#[test]
fn who_closes_a_store_does_not_wait_for_its_index_and_the_next_start_goes_on() {
    let (dir, cids) = without_index();
    let hindrance = Hindrance::new(dir.path());
    let store = begin(dir.path());
    let built = store.stats().records;
    // As a crash would leave it.
    let crashed = tempfile::tempdir().expect("a directory");
    damage::copy_dir(dir.path(), crashed.path());
    drop(store);
    drop(hindrance);
    assert!(built < RECORDS);
    for dir in [dir.path(), crashed.path()] {
        let store = open(dir);
        assert_eq!((store.stats().records, store.degraded()), (RECORDS, vec![]));
        let view = store.view(ALICE);
        for (n, cid) in cids.iter().enumerate() {
            assert_eq!(view.record(&format!("r{n}")).expect("reads").expect("is there").newest.cid, *cid);
        }
    }
}
