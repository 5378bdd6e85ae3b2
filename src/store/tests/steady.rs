//! Long reads let the writer in and still answer with the state of one moment.

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
    assert!(store.explain(ALICE, &all).expect("explains").pauses > 0, "too few records to let the writer in");
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
            let view = store.view(ALICE);
            loop {
                let ended = done.load(Ordering::Acquire);
                for &(sort, direction) in orders {
                    let all = Select { sort, direction, ..all.clone() };
                    is_stretch(numbers(&*view, &all), RECORDS);
                    let best = numbers(&*view, &Select { limit: Some(9), ..all });
                    match sort {
                        SortBy::DateCreated => assert_eq!(best.len(), 9),
                        _ => is_stretch(best, 9),
                    }
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
        let view = store.view(ALICE);
        loop {
            let ended = done.load(Ordering::Acquire);
            // The first write of each record and its newest.
            let events = view.events(&[], None, None).expect("reads");
            assert_eq!(events.len() as u64, 2 * RECORDS);
            assert!(events.is_sorted_by_key(|event| event.position));
            assert_eq!(view.events(&[], None, Some(70)).expect("reads").len(), 70);
            let states = store.states(b"t/").expect("reads");
            assert_eq!(states.len(), 32);
            assert_eq!(states.first().map(|(_, n)| n), states.last().map(|(_, n)| n), "half a change");
            if ended {
                break;
            }
        }
    });
}
