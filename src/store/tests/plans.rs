//! What queries look at: bounded by what they find, as far as an index serves.

use super::*;
use crate::{
    dwn::{Direction, SortBy},
    store::{
        log::CachedMessage,
        lsm::Scan,
        metrics::Metrics,
        query,
        rows::{
            keys,
            source::{Snapshot, Source, number_of},
        },
    },
};
use std::cell::Cell;

const RECORDS: u64 = 240;

/// Records of which every second has one schema, every third one recipient, every fortieth one tag, and the last
/// one is published.
fn store(dir: &Path) -> Store {
    let store = open(dir);
    runtime().block_on(async {
        let writes = (0..RECORDS).map(|n| {
            let mut extra = json!({
                "dateCreated": time(n), "schema": format!("http://s/{}", n % 2), "recipient": format!("did:x:{}", n % 3),
                "dataFormat": "text/plain", "dataSize": n, "published": false,
            });
            if n % 40 == 0 {
                extra["tags"] = json!({"t": n});
            }
            if n == RECORDS - 1 {
                extra["published"] = true.into();
                extra["datePublished"] = time(n).into();
            }
            let extra = extra;
            let store = &store;
            async move { write(store, &format!("r{n}"), n, extra, None).await.expect("written") }
        });
        futures::future::join_all(writes).await;
    });
    store
}

fn and(filters: &[Filter]) -> Filter {
    filters.iter().flat_map(Clone::clone).collect()
}

fn newest(any_of: Vec<Filter>, limit: usize) -> Select {
    let (sort, direction) = (SortBy::DateCreated, Direction::Descending);
    Select { any_of, sort, direction, limit: Some(limit), after: None }
}

fn range(gte: u64, lt: u64) -> Cond {
    let at = |n| Some(IndexValue::String(time(n)));
    Cond::Range { gt: None, gte: at(gte), lt: at(lt), lte: None }
}

/// The plan of the one filter, and the indexes chosen.
fn chosen(explained: &Explained) -> (String, Vec<String>) {
    let filtered = &explained.filters[0];
    let index = |at: &usize| filtered.considered[*at].index.clone();
    (filtered.plan.clone(), filtered.chosen.iter().map(index).collect())
}

#[test]
fn one_condition_with_an_index_costs_what_it_finds() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = store(dir.path());
    let published = Filter::from([("published".into(), Cond::Equal(IndexValue::Bool(true)))]);
    let filters = [
        equal("protocol", "http://chat"),
        equal("protocolPath", "message"),
        and(&[equal("protocol", "http://chat"), equal("protocolPath", "message")]),
        equal("schema", "http://s/1"),
        equal("recipient", "did:x:2"),
        equal("recordId", "r7"),
        equal("recipient", "did:x:nobody"),
        Filter::from([("tag.t".into(), Cond::Equal(IndexValue::Number(80.0)))]),
        Filter::from([("dateCreated".into(), range(50, 70))]),
        and(&[equal("schema", "http://s/0"), Filter::from([("dateCreated".into(), range(50, 70))])]),
        Filter::from([(
            "contextId".into(),
            crate::dwn::Cond::Range {
                gt: None,
                gte: Some(IndexValue::String("r2".into())),
                lt: Some(IndexValue::String("r3".into())),
                lte: None,
            },
        )]),
    ];
    for filter in filters {
        for direction in [Direction::Ascending, Direction::Descending] {
            let select = Select { direction, ..newest(vec![filter.clone()], 10) };
            let it = store.explain(ALICE, &select).expect("explains");
            // One more says that more follow, one more may stand on the bound of a range. A range of values is in no
            // order, so all of it is read.
            let all = if filter.contains_key("contextId") { 111 } else { it.returned + 1 };
            let all = all + u64::from(filter.contains_key("dateCreated"));
            assert!(it.scanned <= all, "{filter:?}: {it:?}");
        }
    }
    let it = store.explain(ALICE, &newest(vec![published], 10)).expect("explains");
    assert_eq!((it.returned, chosen(&it)), (1, ("gather and sort".into(), vec!["everything".into()])));
    assert_eq!(it.scanned, 1, "only what is published: {it:?}");
}

#[test]
fn an_index_that_says_all_that_is_asked_spares_the_rows() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = store(dir.path());
    let asked = and(&[
        equal("interface", "Records"),
        equal("method", "Write"),
        equal("protocol", "http://chat"),
        Filter::from([("published".into(), Cond::Equal(IndexValue::Bool(false)))]),
        Filter::from([("dateCreated".into(), range(0, RECORDS))]),
    ]);
    // Whether the index says that it covers, and how many rows were fetched for three.
    let look = |filter: &Filter| {
        let select = newest(vec![filter.clone()], 3);
        let it = store.explain(ALICE, &select).expect("explains");
        assert_eq!((it.returned, chosen(&it).0.as_str()), (3, "in order"));
        let snapshot = store.source();
        let counting = Counting { inner: &snapshot, rows: Cell::new(0) };
        let tenant = number_of(&snapshot, ALICE).expect("reads").expect("has a number");
        let found = query::select(&counting, (tenant, ALICE), &select).expect("answers").positions.len();
        assert_eq!(found, 3);
        (it.filters[0].considered[it.filters[0].chosen[0]].covers, counting.rows.get())
    };
    assert_eq!(look(&asked), (true, 0));
    let (covers, rows) = look(&and(&[asked, equal("dataFormat", "text/plain")]));
    assert!(!covers && rows > 3, "{rows}");
}

/// Counts the rows that are fetched.
struct Counting<'a> {
    inner: &'a Snapshot,
    rows: Cell<usize>,
}

impl Source for Counting<'_> {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        self.rows.set(self.rows.get() + usize::from(key.first() == keys::row(0, 0).first()));
        self.inner.get(key)
    }

    fn scan(&self, from: &[u8], to: &[u8], reverse: bool) -> Scan<'_> {
        self.inner.scan(from, to, reverse)
    }

    fn frame(&self, at: Position) -> Result<CachedMessage, Fault> {
        self.inner.frame(at)
    }

    fn metrics(&self) -> &Metrics {
        self.inner.metrics()
    }
}

#[test]
fn of_two_the_one_with_fewer_entries_is_read() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = store(dir.path());
    let rare = Filter::from([("tag.t".into(), Cond::Equal(IndexValue::Number(80.0)))]);
    let it = store.explain(ALICE, &newest(vec![and(&[equal("schema", "http://s/0"), rare])], 10)).expect("explains");
    assert_eq!(chosen(&it), ("in order".into(), vec!["tag".into()]));
    assert_eq!((it.scanned, it.returned), (1, 1));
}

#[test]
fn two_long_ones_are_intersected() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = store(dir.path());
    let both = and(&[equal("schema", "http://s/1"), equal("recipient", "did:x:2")]);
    for limit in [1, 5, 1000] {
        let it = store.explain(ALICE, &newest(vec![both.clone()], limit)).expect("explains");
        assert_eq!(chosen(&it), ("zig-zag".into(), vec!["recipient".into(), "schema".into()]));
        assert_eq!(it.returned, 40.min(limit as u64));
        assert!(it.scanned <= 5 * (it.returned + 1), "{it:?}");
    }
}

#[test]
fn far_apart_ones_are_leapt_through() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(dir.path());
    // The first half has one schema, the second half one recipient, and two have both.
    runtime().block_on(async {
        let writes = (0..RECORDS).map(|n| {
            let mut extra = json!({"dateCreated": time(n)});
            if n < RECORDS / 2 || n == 200 {
                extra["schema"] = "http://s".into();
            }
            if n >= RECORDS / 2 || n == 50 {
                extra["recipient"] = BOB.into();
            }
            let store = &store;
            async move { write(store, &format!("r{n}"), n, extra, None).await.expect("written") }
        });
        futures::future::join_all(writes).await;
    });
    let both = and(&[equal("schema", "http://s"), equal("recipient", BOB)]);
    let it = store.explain(ALICE, &newest(vec![both], 10)).expect("explains");
    assert_eq!((chosen(&it).0.as_str(), it.returned), ("zig-zag", 2));
    assert!(it.scanned < 40, "each leaps over what the other has not: {it:?}");
}

#[test]
fn what_has_no_order_takes_over_when_the_ordered_one_is_long() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = store(dir.path());
    // Tags between two values stand in no order; there are six of them, more than are counted at first.
    let bounds = |n: f64| Some(IndexValue::Number(n));
    let tags = Cond::Range { gt: None, gte: bounds(0.0), lt: bounds(1e9), lte: None };
    let filter = and(&[equal("protocol", "http://chat"), Filter::from([("tag.t".into(), tags)])]);
    let it = store.explain(ALICE, &newest(vec![filter], 10)).expect("explains");
    assert_eq!(chosen(&it), ("in order".into(), vec!["protocol".into()]));
    let switched = it.filters[0].switched.map(|at| it.filters[0].considered[at].index.clone());
    assert_eq!(switched.as_deref(), Some("tag"));
    assert_eq!(it.returned, 6);
    assert!(it.scanned < 30, "{it:?}");
}

#[test]
fn without_an_order_the_smallest_is_gathered_and_the_best_are_kept() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = store(dir.path());
    let both = and(&[equal("schema", "http://s/1"), equal("recipient", "did:x:2")]);
    let select = Select { sort: SortBy::MessageTimestamp, ..newest(vec![both], 5) };
    let it = store.explain(ALICE, &select).expect("explains");
    assert_eq!(chosen(&it), ("gather and sort".into(), vec!["recipient".into()]), "80, not 120");
    assert_eq!((it.scanned, it.returned, it.more), (RECORDS / 3, 5, true));
}

#[test]
fn a_union_is_merged_and_counts_in_the_metrics() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = store(dir.path());
    let any = vec![equal("schema", "http://s/1"), equal("recipient", "did:x:2"), equal("recordId", "r239")];
    let select = newest(any, 20);
    let it = store.explain(ALICE, &select).expect("explains");
    assert_eq!((it.returned, it.filters.len()), (20, 3));
    assert!(it.scanned <= 3 * (it.returned + 1), "{it:?}");
    let mut registry = prometheus_client::registry::Registry::default();
    store.register(&mut registry);
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry).expect("encodes");
    assert!(text.contains(&format!("store_query_rows_scanned_total {}", it.scanned)), "{text}");
    assert!(text.contains("store_query_rows_returned_total 20"), "{text}");
    assert!(text.contains("store_query_rows_scanned_per_returned_count 1"), "{text}");
}
