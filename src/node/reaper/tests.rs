//! Records that end, through the real door over a real store.

use super::*;
use crate::{
    blocks::{self, Blocks},
    dwn::testing::{data_cid, person},
    metrics::Metrics,
    node::{self, Config, Reply, RetentionConfig, Tenants, one_chunk},
    resolve::{self, Resolver},
    store::{self, Store},
};
use serde_json::{Value, json};
use std::path::Path;

const PROTOCOL: &str = "http://example.com/threads";
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn open(dir: &Path, own: &str, rules: &str, min_free: u64) -> Node {
    let config = store::Config { segment_size: 64 << 10, cache: 4 << 20, min_free, ..store::Config::default() };
    let store = Store::open(&dir.join("store"), &config).expect("the store opens");
    let blocks = Blocks::open(&dir.join("blocks"), &blocks::Config::default(), store.clone()).expect("blocks open");
    let retention: RetentionConfig = toml::from_str(&format!("rules = [{rules}]")).expect("rules");
    retention.check().expect("sound");
    let config = Config { tenants: Tenants::Open, ..Config::default() };
    let resolver = Resolver::new(&resolve::Config::default(), store.clone(), &Metrics::default()).expect("a resolver");
    Node::new(&config, (own, None, &retention), store, blocks, resolver, &Metrics::default()).expect("a node")
}

fn rule(path: &str, more: &str) -> String {
    format!(r#"{{ protocol = "{PROTOCOL}", path = "{path}", keep = "1d" {more} }}"#)
}

async fn configure(node: &Node, who: &Signer) {
    let definition = json!({
        "protocol": PROTOCOL, "published": true, "types": {"thread": {}, "audit": {}}, "structure": {"thread": {}, "audit": {}},
    });
    let configure = create::protocols_configure(definition, &node::now(), who).expect("made");
    assert_eq!(node.process(who.did(), configure, None).await.expect("answered").code, 202);
}

async fn write_at(node: &Node, who: &Signer, path: &str, n: usize, size: usize, now: &str) -> (Value, Reply) {
    let data: Vec<u8> = (0..size).map(|k| (k + n * 7) as u8).chain(n.to_be_bytes()).collect();
    let write = create::Write { protocol: Some((PROTOCOL, path)), data_format: "text/plain", ..Default::default() };
    let message = create::records_write(&write, (&data_cid(&data), data.len() as u64), now, who).expect("made");
    let reply = node.process(who.did(), message.clone(), Some(one_chunk(data.into()))).await.expect("answered");
    (message, reply)
}

async fn write(node: &Node, who: &Signer, path: &str, n: usize, size: usize) -> Value {
    let (message, reply) = write_at(node, who, path, n, size, &node::now()).await;
    assert_eq!(reply.code, 202, "{reply:?}");
    message
}

fn newest(node: &Node, tenant: &str, record: &Value) -> Option<Value> {
    let id = record["recordId"].as_str().expect("an id");
    node.store().view(tenant).record(id).expect("looks").map(|record| Value::clone(&record.newest.message))
}

fn later() -> Timestamp {
    Timestamp::now() + DAY * 2
}

/// A whole round; how many turns it took.
async fn round(reaper: &mut Reaper, now: Timestamp) -> usize {
    reaper.begin();
    let mut turns = 0;
    while !reaper.queue.is_empty() {
        let before = reaper.node.retained().looked_at;
        reaper.turn(now).await.expect("a turn");
        turns += 1;
        assert!(reaper.node.retained().looked_at - before <= TURN as u64, "a turn is bounded");
    }
    turns
}

#[tokio::test]
async fn own_records_end_by_a_signed_delete_some_at_a_time() {
    let (dir, alice) = (tempfile::tempdir().expect("a directory"), Arc::new(person(1)));
    let node = open(dir.path(), alice.did(), &rule("thread", ""), 0);
    configure(&node, &alice).await;
    let mut threads = Vec::new();
    for n in 0..150 {
        threads.push(write(&node, &alice, "thread", n, if n % 50 == 0 { 70_000 } else { 10 }).await);
    }
    let other = write(&node, &alice, "audit", 1000, 70_000).await;
    let mut reaper = Reaper::new(node.clone(), alice.clone());
    assert_eq!(round(&mut reaper, Timestamp::now()).await, 1);
    assert_eq!((node.retained().deleted, node.retained().looked_at), (0, 0), "nothing is over yet");

    reaper.begin();
    reaper.turn(later()).await.expect("a turn");
    assert_eq!(node.retained().deleted, TURN as u64, "a turn is bounded");
    // What a restart finds half done goes on.
    let mut reaper = Reaper::new(node.clone(), alice.clone());
    assert!(round(&mut reaper, later()).await >= 3);
    assert_eq!((node.retained().deleted, node.retained().problem), (150, None));
    for record in &threads {
        let newest = newest(&node, alice.did(), record).expect("a tombstone");
        assert_eq!(newest["descriptor"]["method"], "Delete");
    }
    assert_eq!(newest(&node, alice.did(), &other).expect("is here")["descriptor"]["method"], "Write");
    // Its three files, each a chunk of its own.
    let (before, collected) = (node.blocks().usage().expect("usage").files, node.blocks().collect().expect("collects"));
    assert_eq!((before, collected.blocks >= 3, node.blocks().usage().expect("usage").files), (4, true, 1));

    // The index is read in order, and not beyond what a turn looks at.
    let rule = &node.shared.retention.list()[0];
    let first =
        node.store().explain(alice.did(), &super::next(rule, later(), None, TURN).expect("a query")).expect("answers");
    assert_eq!(
        (first.filters[0].plan.as_str(), first.returned, first.more),
        ("in order", TURN as u64, true),
        "{first:?}"
    );
    assert!(first.scanned <= TURN as u64 + 1, "{first:?}");

    // The next round begins behind what was seen; whoever starts anew walks over the tombstones, and leaves them.
    let seen = node.retained().looked_at;
    round(&mut reaper, later()).await;
    assert!(node.retained().looked_at - seen <= TURN as u64);
    round(&mut Reaper::new(node.clone(), alice.clone()), later()).await;
    assert_eq!((node.retained().deleted, node.retained().problem), (150, None));
}

#[tokio::test]
async fn records_of_others_leave_without_a_trace_and_a_rebuild_agrees() {
    let (dir, alice, bob) = (tempfile::tempdir().expect("a directory"), Arc::new(person(1)), person(2));
    let rules = rule("thread", r#", tenant = "*""#);
    let node = open(dir.path(), alice.did(), &rules, 0);
    configure(&node, &bob).await;
    let mut records = Vec::new();
    for n in 0..100 {
        records.push(write(&node, &bob, "thread", n, 40_000).await);
    }
    let update = create::records_update(
        &records[0],
        &json!({"published": true, "datePublished": node::now()}),
        &node::now(),
        &bob,
    );
    assert_eq!(node.process(bob.did(), update.expect("made"), None).await.expect("answered").code, 202);
    let id = records[1]["recordId"].as_str().expect("an id").to_owned();
    let delete = create::records_delete(&id, false, &node::now(), &bob).expect("made");
    assert_eq!(node.process(bob.did(), delete, None).await.expect("answered").code, 202);

    let mut reaper = Reaper::new(node.clone(), alice.clone());
    round(&mut reaper, later()).await;
    assert_eq!((node.retained().purged, node.retained().deleted), (99, 0));
    for (n, record) in records.iter().enumerate() {
        assert_eq!(newest(&node, bob.did(), record).is_some(), n == 1, "{n}: only what bob deleted has left a trace");
    }
    assert_eq!(node.store().tenant_bytes(bob.did()).expect("counts"), 0);
    // The protocol, and the two messages of what bob deleted.
    let stats = node.store().stats();
    assert_eq!((stats.messages, stats.records, stats.bytes), (3, 1, 0));
    assert_eq!(node.store().view(bob.did()).events(&[], None, None).expect("events").len(), 3);

    let fingerprint = node.store().stats();
    drop((reaper, node));
    std::fs::remove_dir_all(dir.path().join("store/index")).expect("removes");
    let node = open(dir.path(), alice.did(), &rules, 0);
    assert_eq!(node.store().stats(), fingerprint, "rebuilt from the log");
    assert!(newest(&node, bob.did(), &records[0]).is_none());
}

#[tokio::test]
async fn what_is_over_is_refused_and_a_full_disk_does_not_stop_the_end() {
    let (dir, alice) = (tempfile::tempdir().expect("a directory"), Arc::new(person(1)));
    let node = open(dir.path(), alice.did(), &rule("thread", ""), 0);
    configure(&node, &alice).await;
    let (old, reply) = write_at(&node, &alice, "thread", 0, 10, &format!("{:.6}", Timestamp::now() - DAY * 2)).await;
    assert_eq!(reply.code, 409, "{reply:?}");
    assert!(reply.detail.contains("RecordExpired") && reply.detail.contains("for 1d"), "{reply:?}");
    assert!(newest(&node, alice.did(), &old).is_none());
    let (_, reply) = write_at(&node, &alice, "audit", 0, 10, &format!("{:.6}", Timestamp::now() - DAY * 2)).await;
    assert_eq!(reply.code, 202, "no rule is about it");
    let record = write(&node, &alice, "thread", 1, 10).await;
    drop(node);
    let node = open(dir.path(), alice.did(), &rule("thread", ""), u64::MAX);
    let (_, reply) = write_at(&node, &alice, "thread", 2, 10, &node::now()).await;
    assert_eq!(reply.code, 507, "{reply:?}");
    round(&mut Reaper::new(node.clone(), alice.clone()), later()).await;
    assert_eq!((node.retained().deleted, node.retained().problem), (1, None));
    assert_eq!(newest(&node, alice.did(), &record).expect("a tombstone")["descriptor"]["method"], "Delete");
}

#[tokio::test]
async fn everybodys_records_of_a_schema_end_in_turns_too() {
    let (dir, alice) = (tempfile::tempdir().expect("a directory"), Arc::new(person(1)));
    let node = open(dir.path(), alice.did(), r#"{ schema = "http://s.example", tenant = "*", keep = "1d" }"#, 0);
    let people: Vec<_> = (1..=70).map(person).collect();
    for (n, who) in people.iter().enumerate() {
        for schema in ["http://s.example", "http://other.example"] {
            let data = format!("{n} {schema}").into_bytes();
            let write = create::Write { schema: Some(schema), data_format: "text/plain", ..Default::default() };
            let declared = (&data_cid(&data), data.len() as u64);
            let message = create::records_write(&write, declared, &node::now(), who).expect("made");
            let reply = node.process(who.did(), message, Some(one_chunk(data.into()))).await.expect("answered");
            assert_eq!(reply.code, 202, "{reply:?}");
        }
    }
    let mut reaper = Reaper::new(node.clone(), alice.clone());
    // Two turns to list them, and a row for each at least.
    assert!(round(&mut reaper, later()).await >= 2);
    let retained = node.retained();
    assert_eq!((retained.deleted, retained.purged, retained.problem), (1, 69, None));
    let left = |who: &Signer| node.store().view(who.did()).events(&[], None, None).expect("events").len();
    assert!(people.iter().all(|who| left(who) == if who.did() == alice.did() { 3 } else { 1 }));
}
