//! A slow, obvious filter checks the indexes.

use super::*;
use crate::dwn::{self, Direction, PaginationCursor, SortBy};
use proptest::{prelude::*, sample::select, strategy::ValueTree as _, test_runner::TestRunner};
use std::collections::BTreeSet;

/// One record's state: what its descriptor says.
fn descriptor() -> impl Strategy<Value = Value> {
    let id = |n: char| n.to_string().repeat(59);
    let contexts = [id('a'), format!("{}/{}", id('a'), id('b')), format!("{}/{}", id('a'), id('c')), "ab/c".into()];
    let optional = |values: Vec<&'static str>| proptest::option::of(select(values));
    let texts = vec!["", "x", "xy", "x\u{0}", "x\u{FFFF}", "x\u{10000}", "ÿ"];
    let tag = prop_oneof![
        select(texts).prop_map(Value::from),
        select(vec![-1.5, 0.0, 2.0, 10.0]).prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        Just(json!(["x", "xy"])),
    ];
    (
        (0_u64..4, 0_u64..4, proptest::option::of(0_u64..4)),
        (optional(vec!["http://p", "http://q"]), optional(vec!["a", "a/b"]), optional(vec!["http://s", "http://t"])),
        (optional(vec![ALICE, BOB]), optional(vec!["r0", "r1"]), proptest::option::of(select(contexts.to_vec()))),
        proptest::option::of(tag),
    )
        .prop_map(
            |((created, updated, published), (protocol, path, schema), (recipient, parent, context), tag)| {
                let mut descriptor = json!({
                    "interface": "Records", "method": "Write", "dataFormat": "text/plain",
                    "dateCreated": time(created), "messageTimestamp": time(updated),
                    // As the shape of RecordsWrite demands; a path comes with its protocol only, too.
                    "published": published.is_some(),
                });
                let mut put = |name: &str, value: Option<&str>| {
                    if let Some(value) = value {
                        descriptor[name] = value.into();
                    }
                };
                put("datePublished", published.map(time).as_deref());
                put("protocol", protocol);
                put("protocolPath", protocol.and(path));
                put("schema", schema);
                put("recipient", recipient);
                put("parentId", parent);
                if let Some(tag) = tag {
                    descriptor["tags"] = json!({"t": tag});
                }
                json!({"contextId": context, "descriptor": descriptor})
            },
        )
}

fn value() -> impl Strategy<Value = IndexValue> + Clone {
    prop_oneof![
        select(vec!["", "x", "xy", "x\u{0}", "x\u{FFFF}", "x\u{10000}", "ÿ"])
            .prop_map(|s| IndexValue::String(s.into())),
        select(vec![-1.5, 0.0, -0.0, 2.0, 9.0, 10.0]).prop_map(IndexValue::Number),
        any::<bool>().prop_map(IndexValue::Bool),
    ]
}

fn one_of(strings: Vec<String>) -> impl Strategy<Value = Cond> {
    let string = select(strings).prop_map(IndexValue::String);
    prop_oneof![
        3 => string.clone().prop_map(Cond::Equal),
        1 => proptest::collection::vec(string, 0..3).prop_map(Cond::OneOf),
    ]
}

fn range(values: impl Strategy<Value = IndexValue> + Clone) -> impl Strategy<Value = Cond> {
    let bound = proptest::option::of(values);
    (bound.clone(), bound.clone(), bound.clone(), bound).prop_map(|(gt, gte, lt, lte)| Cond::Range { gt, gte, lt, lte })
}

fn prefix(p: String) -> Cond {
    let high = format!("{p}\u{FFFF}");
    Cond::Range { gt: None, gte: Some(IndexValue::String(p)), lt: Some(IndexValue::String(high)), lte: None }
}

fn filter() -> impl Strategy<Value = Filter> {
    let strings = |list: &[&str]| one_of(list.iter().map(|s| (*s).to_owned()).collect());
    let dates = (0_u64..5).prop_map(|n| IndexValue::String(time(n)));
    let prefixes = ["", "a", "ab", "ab/", "b"].map(str::to_owned).into_iter();
    let contexts = prefixes.chain(["a".repeat(59), format!("{}/{}", "a".repeat(59), "b".repeat(59)), "a".repeat(58)]);
    let term = prop_oneof![
        strings(&["http://p", "http://q", "http://none"]).prop_map(|c| ("protocol", c)),
        strings(&["a", "a/b", "b"]).prop_map(|c| ("protocolPath", c)),
        strings(&["http://s", "http://t"]).prop_map(|c| ("schema", c)),
        strings(&[ALICE, BOB]).prop_map(|c| ("recipient", c)),
        strings(&[ALICE, BOB]).prop_map(|c| ("author", c)),
        strings(&["r0", "r1", "r9"]).prop_map(|c| ("parentId", c)),
        strings(&["r0", "r1", "r9"]).prop_map(|c| ("recordId", c)),
        strings(&["text/plain", "image/png"]).prop_map(|c| ("dataFormat", c)),
        select(contexts.collect::<Vec<_>>()).prop_map(|p| ("contextId", prefix(p))),
        strings(&["Write", "Delete", "Subscribe"]).prop_map(|c| ("method", c)),
        strings(&["Records", "Protocols"]).prop_map(|c| ("interface", c)),
        any::<bool>().prop_map(|b| ("published", Cond::Equal(IndexValue::Bool(b)))),
        value().prop_map(|v| ("tag.t", Cond::Equal(v))),
        proptest::collection::vec(value(), 0..3).prop_map(|v| ("tag.t", Cond::OneOf(v))),
        range(value()).prop_map(|c| ("tag.t", c)),
        Just(("tag.t", prefix("x".into()))),
        range(dates.clone()).prop_map(|c| ("dateCreated", c)),
        range(dates.clone()).prop_map(|c| ("messageTimestamp", c)),
        dates.prop_map(|d| ("dateCreated", Cond::Equal(d))),
    ];
    proptest::collection::vec(term, 0..4).prop_map(|terms| terms.into_iter().map(|(n, c)| (n.to_owned(), c)).collect())
}

fn query() -> impl Strategy<Value = Select> {
    (
        proptest::collection::vec(filter(), 0..3),
        select(vec![SortBy::DateCreated, SortBy::DatePublished, SortBy::MessageTimestamp]),
        select(vec![Direction::Ascending, Direction::Descending]),
        proptest::option::of(1_usize..5),
        proptest::option::of((
            0_u64..4,
            select(vec!["bafy", "", "zzz", "bafyreie2wmgkuqe6avd5lbloemcnd3hsvqvxdj4rp3gkvx3snx75e7gqbu"]),
        )),
    )
        .prop_map(|(any_of, sort, direction, limit, after)| Select {
            any_of,
            sort,
            direction,
            limit,
            after: after.map(|(n, cid)| PaginationCursor { message_cid: cid.into(), value: time(n) }),
        })
}

/// The filter as one would say it, over every state.
fn slowly(states: &[Change], select: &Select) -> Vec<(String, String)> {
    let holds = |cond: &Cond, value: &IndexValue| {
        let below = |a: &IndexValue, b: &IndexValue| match (a, b) {
            (IndexValue::String(a), IndexValue::String(b)) => a.encode_utf16().lt(b.encode_utf16()),
            (IndexValue::Number(a), IndexValue::Number(b)) => a < b,
            (IndexValue::Bool(a), IndexValue::Bool(b)) => a < b,
            _ => false,
        };
        match cond {
            Cond::Equal(wanted) => wanted == value,
            Cond::OneOf(wanted) => wanted.iter().any(|w| w == value),
            Cond::Range { gt, gte, lt, lte } => {
                gt.iter().all(|b| below(b, value))
                    && gte.iter().all(|b| b == value || below(b, value))
                    && lt.iter().all(|b| below(value, b))
                    && lte.iter().all(|b| b == value || below(value, b))
            }
        }
    };
    let sort = match select.sort {
        SortBy::DateCreated => "dateCreated",
        SortBy::DatePublished => "datePublished",
        SortBy::MessageTimestamp => "messageTimestamp",
    };
    let mut found = BTreeSet::new();
    for state in states {
        let values = dwn::index_values(&state.message, &state.author, dwn::First::default(), true);
        let meets = |filter: &Filter| {
            filter.iter().all(|(name, cond)| values.get(name).into_iter().flatten().any(|v| holds(cond, v)))
        };
        if let Some(IndexValue::String(key)) = values.get(sort).and_then(|v| v.first())
            && select.any_of.iter().any(meets)
        {
            found.insert((key.clone(), state.cid.to_string()));
        }
    }
    let mut found: Vec<_> = found.into_iter().collect();
    if select.direction == Direction::Descending {
        found.reverse();
    }
    if let Some(PaginationCursor { message_cid, value }) = &select.after {
        let last = (value.clone(), message_cid.clone());
        found.retain(|it| if select.direction == Direction::Ascending { *it > last } else { *it < last });
    }
    found
}

/// All pages of a query, and that only the last one has no cursor.
fn paged(view: &dyn View, mut select: Select) -> Vec<String> {
    let mut found = Vec::new();
    loop {
        let page = view.select(&select).expect("selects");
        found.extend(page.entries.iter().map(|entry| entry.cid.to_string()));
        match page.cursor {
            Some(cursor) => {
                assert_eq!(Some(page.entries.len()), select.limit);
                assert_eq!(found.last(), Some(&cursor.message_cid));
                select.after = Some(cursor);
            }
            None => return found,
        }
    }
}

type States = Vec<(usize, Value, bool)>;

fn states() -> impl Strategy<Value = States> {
    proptest::collection::vec((0..20_usize, descriptor(), any::<bool>()), 1..40)
}

/// Writes them; what is kept of them.
fn fill(store: &Store, states: States) -> Vec<Change> {
    let mut kept: std::collections::BTreeMap<String, Change> = Default::default();
    for (n, (record, mut json, mine)) in states.into_iter().enumerate() {
        let record = format!("r{record}");
        json["recordId"] = record.clone().into();
        json["n"] = n.into();
        let mut new = change(ALICE, &record, json);
        new.author = if mine { ALICE } else { BOB }.into();
        kept.insert(record.clone(), new.clone());
        let decide = move |view: &dyn View| decide_write(view, new.clone(), &record);
        runtime().block_on(store.commit(ALICE, None, decide)).expect("written");
    }
    kept.into_values().collect()
}

/// What the random queries below prove holds for every plan only if they come upon every plan.
#[test]
fn random_queries_come_upon_every_plan() {
    let (mut runner, mut seen) = (TestRunner::deterministic(), BTreeSet::new());
    for _ in 0..8 {
        let dir = tempfile::tempdir().expect("a directory");
        let store = open(dir.path());
        fill(&store, states().new_tree(&mut runner).expect("states").current());
        for _ in 0..30 {
            let it =
                store.explain(ALICE, &query().new_tree(&mut runner).expect("a query").current()).expect("explains");
            seen.extend(it.filters.iter().map(|filtered| filtered.plan.clone()));
            seen.extend(it.filters.iter().filter_map(|it| it.switched).map(|_| "switched".to_owned()));
        }
    }
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), ["gather and sort", "in order", "nothing", "switched", "zig-zag"]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn the_indexes_answer_as_a_linear_filter(
        states in states(),
        queries in proptest::collection::vec(query(), 30),
    ) {
        let dir = tempfile::tempdir().expect("a directory");
        let store = open(dir.path());
        let kept = fill(&store, states);
        let view = store.view(ALICE);
        for query in queries {
            let slow: Vec<String> = slowly(&kept, &query).into_iter().map(|(_, cid)| cid).collect();
            prop_assert_eq!(paged(&*view, query.clone()), slow, "{:?}", query);
        }
        prop_assert_eq!(store.stats().records, kept.len() as u64);
    }
}

#[test]
fn events_are_filtered() {
    let dir = tempfile::tempdir().expect("a directory");
    runtime().block_on(async {
        let store = open(dir.path());
        write(&store, "chat", 1, json!({}), None).await.expect("written");
        let grant = json!({"protocol": "https://tbd.website/dwn/permissions", "tags": {"protocol": "http://chat"}});
        write(&store, "grant", 2, grant, None).await.expect("written");
        write(&store, "note", 3, json!({"protocol": "http://note", "tags": {"protocol": "http://chat"}}), None)
            .await
            .expect("written");
        let view = store.view(ALICE);
        let count = |filters: &[EventFilter]| view.events(filters, None, None).expect("reads").len();
        let chat = EventFilter { protocol: Some("http://chat".into()), ..EventFilter::default() };
        assert_eq!(count(&[]), 3);
        assert_eq!(count(std::slice::from_ref(&chat)), 2);
        assert_eq!(count(&[EventFilter { from: Some(time(2)), ..chat.clone() }]), 1);
        assert_eq!(count(&[EventFilter { to: Some(time(2)), ..chat.clone() }]), 1);
        assert_eq!(count(&[EventFilter { method: Some("Delete".into()), ..EventFilter::default() }, chat]), 2);
        let first = view.events(&[], None, Some(1)).expect("reads");
        let rest = view.events(&[], Some(first[0].position), None).expect("reads");
        assert_eq!((first.len(), rest.len()), (1, 2));
    });
}
