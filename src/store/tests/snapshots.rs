//! Every answer is the state of one moment, and a view stays at its own.

use super::*;
use crate::dwn::{Direction, SortBy};
use std::sync::atomic::{AtomicBool, Ordering};

const RECORDS: u64 = 40;
const WRITES: u64 = 160;

/// The numbers that a page's entries carry, in its order.
fn numbers(view: &dyn View, select: &Select) -> Vec<u64> {
    let page = view.select(select).expect("selects");
    page.entries.iter().map(|entry| entry.message["descriptor"]["n"].as_u64().expect("a number")).collect()
}

fn sorted(all: &Select, (sort, direction): (SortBy, Direction)) -> Select {
    Select { sort, direction, ..all.clone() }
}

/// A whole stretch: `len` numbers without a gap.
#[track_caller]
fn is_stretch(mut numbers: Vec<u64>, len: u64) {
    numbers.sort_unstable();
    let first = numbers.first().copied().unwrap_or_default();
    assert_eq!(numbers, (first..first + len).collect::<Vec<_>>());
}

/// Write `n` goes to record `n % RECORDS`: after each, the records carry the last numbers without a gap.
async fn write_next(store: &Store, n: u64) {
    let extra = json!({"n": n, "dateCreated": time(n % RECORDS), "published": true, "datePublished": time(n)});
    write(store, &format!("r{:02}", n % RECORDS), n, extra, None).await.expect("written");
    let both = vec![(b"t/a".to_vec(), Some(vec![n as u8])), (b"t/z".to_vec(), Some(vec![n as u8]))];
    store.put_state(both).await.expect("kept");
}

#[test]
fn an_answer_is_the_state_of_one_moment() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(dir.path());
    runtime().block_on(async {
        for n in 0..2 * RECORDS {
            write_next(&store, n).await;
        }
        let filler = (0..30_u8).map(|n| (vec![b't', b'/', b'm', n], Some(vec![])));
        store.put_state(filler.collect()).await.expect("kept");
    });
    let all = Select { any_of: vec![equal("protocol", "http://chat")], ..Select::default() };
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let write = async {
                for n in 2 * RECORDS..2 * RECORDS + WRITES {
                    write_next(&store, n).await;
                }
            };
            runtime().block_on(write);
            done.store(true, Ordering::Release);
        });
        let ask = |orders: &[(SortBy, Direction)]| {
            let first = store.view(ALICE);
            let kept: Vec<_> = orders.iter().map(|order| numbers(&*first, &sorted(&all, *order))).collect();
            loop {
                let ended = done.load(Ordering::Acquire);
                let view = store.view(ALICE);
                for (order, kept) in orders.iter().zip(&kept) {
                    let all = sorted(&all, *order);
                    let found = numbers(&*view, &all);
                    is_stretch(found.clone(), RECORDS);
                    // Two calls on a view, whatever was written between them.
                    assert_eq!(numbers(&*view, &Select { limit: Some(9), ..all.clone() }), found[..9]);
                    assert_eq!(numbers(&*first, &all), *kept);
                }
                if ended {
                    break;
                }
            }
        };
        scope.spawn(move || {
            ask(&[(SortBy::MessageTimestamp, Direction::Descending), (SortBy::DateCreated, Direction::Ascending)])
        });
        scope.spawn(move || {
            ask(&[(SortBy::DatePublished, Direction::Ascending), (SortBy::DatePublished, Direction::Descending)])
        });
        loop {
            let ended = done.load(Ordering::Acquire);
            let view = store.view(ALICE);
            // The first write of each record and its newest.
            let events = view.events(&[], None, None).expect("reads");
            assert_eq!(events.len() as u64, 2 * RECORDS);
            assert!(events.is_sorted_by_key(|event| event.position));
            assert_eq!(view.events(&[], None, Some(70)).expect("reads"), events[..70]);
            for event in events {
                assert!(view.message(&event.cid).expect("reads").is_some(), "an event without its message");
            }
            let states = store.states(b"t/").expect("reads");
            assert_eq!(states.len(), 32);
            assert_eq!(states.first().map(|(_, n)| n), states.last().map(|(_, n)| n), "half a change");
            if ended {
                break;
            }
        }
    });
}

#[test]
fn a_view_is_frozen_when_it_is_first_asked() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(dir.path());
    let put = |n: u64| runtime().block_on(write_next(&store, n));
    let unasked = store.view(ALICE);
    put(0);
    let view = store.view(ALICE);
    let all = Select { any_of: vec![equal("protocol", "http://chat")], ..Select::default() };
    assert_eq!(numbers(&*view, &all), [0]);
    // So many that tables are flushed and runs are merged.
    (1..100).for_each(put);
    assert_eq!(numbers(&*view, &all), [0]);
    assert_eq!(view.events(&[], None, None).expect("reads").len(), 1);
    assert!(view.record("r00").expect("reads").is_some_and(|record| record.initial.cid == record.newest.cid));
    assert!(view.record("r01").expect("reads").is_none());
    assert_eq!(view.children("none").expect("reads").len(), 0);
    is_stretch(numbers(&*unasked, &all), RECORDS);
    let record = unasked.record("r00").expect("reads").expect("is there");
    assert_ne!(record.initial.cid, record.newest.cid);
}

#[test]
fn a_moment_is_one_state_while_others_write() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(dir.path());
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            runtime().block_on(async {
                for n in 0..WRITES {
                    write_next(&store, n).await;
                }
            })
        });
        let mut seen = std::collections::BTreeMap::new();
        while !writer.is_finished() {
            let moment = store.moment().expect("reads");
            assert_eq!(seen.entry(moment.end).or_insert_with(|| moment.clone()), &moment);
        }
    });
    let last = store.moment().expect("reads");
    assert_eq!((last.end, last.stats), (store.log_bytes(), store.stats()));
}
