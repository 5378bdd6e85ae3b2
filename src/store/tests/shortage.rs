//! What the operating system is short of for a moment stops nothing for good.

use super::*;

/// One record, written.
fn put(store: &Store, n: u64) -> Result<(), Stop> {
    let record = format!("r{n}");
    let decide = move |_: &dyn View| Ok(change(ALICE, &record, message(&record, n, &json!({}))));
    runtime().block_on(store.commit(ALICE, None, decide)).map(drop)
}

#[test]
fn a_shortage_while_a_group_is_made_durable_fails_the_group_and_nothing_after_it() {
    let dir = tempfile::tempdir().expect("temp dir");
    let store = open(dir.path());
    put(&store, 1).expect("written");
    for (n, errno) in [(2, rustix::io::Errno::NOMEM), (4, rustix::io::Errno::INTR)] {
        store.0.log.fail_sync(errno.raw_os_error());
        match put(&store, n) {
            Err(Stop::Refusal(refusal)) => assert_eq!(refusal.code, 503, "{}", refusal.detail),
            other => panic!("{other:?}"),
        }
        put(&store, n + 1).expect("written: nothing is broken");
    }
    assert_eq!((store.read_only(), store.degraded()), (None, vec![]));
    let messages = store.stats().messages;
    drop(store);
    let store = open(dir.path());
    assert_eq!((store.stats().messages, store.degraded()), (messages, vec![]));
    assert_eq!(messages, 3, "what failed was not kept");

    // Anything else is no shortage.
    store.0.log.fail_sync(rustix::io::Errno::IO.raw_os_error());
    assert!(put(&store, 10).is_err() && put(&store, 11).is_err());
    assert!(store.read_only().is_some());
}

#[test]
fn a_shortage_while_the_index_is_written_out_is_waited_for() {
    let dir = tempfile::tempdir().expect("temp dir");
    let store = open(dir.path());
    store.0.index.fail(3);
    for n in 0..600 {
        match put(&store, n) {
            Ok(()) => {}
            Err(Stop::Refusal(refusal)) => {
                assert_eq!(refusal.code, 503, "{}", refusal.detail);
                std::thread::sleep(Duration::from_millis(50));
            }
            Err(Stop::Fault(fault)) => panic!("{fault:#}"),
        }
    }
    while store.0.index.failing() > 0 {
        std::thread::sleep(Duration::from_millis(50));
    }
    put(&store, 1000).expect("written");
    assert_eq!((store.read_only(), store.degraded()), (None, vec![]));
    assert!(crate::scarce::told().times >= 3);
    drop(store);
    assert!(!dir.path().join("index.suspect").exists(), "nothing is wrong with the index");
}
