//! The door: whose questions an earlier moment may answer while the index is built again, long answers and their budget, uploads, quotas,
//! whom the operator denies.

use super::*;
use crate::{
    asker::Asker,
    blocks::{self, Blocks},
    crypto::Signer,
    dwn::{
        Fault, create,
        testing::{data_cid, person},
    },
    job::Job,
    metrics::Metrics,
    resolve::{self, Resolver},
    store::{self, Hindrance, Store},
};
use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _};
use serde_json::{Value, json};
use std::{path::Path, time::Duration};

pub(super) fn door(dir: &Path) -> Node {
    door_with(dir, Config { tenants: Tenants::Open, ..Config::default() })
}

fn door_with(dir: &Path, door: Config) -> Node {
    door_of(dir, "did:example:none", door)
}

fn door_of(dir: &Path, own: &str, door: Config) -> Node {
    let config = store::Config { segment_size: 64 << 10, cache: 4 << 20, min_free: 0, ..store::Config::default() };
    let store = Store::begin(&dir.join("store"), &config).expect("the store opens");
    let blocks = Blocks::open(&dir.join("blocks"), &blocks::Config::default(), store.clone()).expect("blocks open");
    let resolver = Resolver::new(&resolve::Config::default(), store.clone(), &Metrics::default()).expect("a resolver");
    let who = (own, None, &RetentionConfig::default());
    Node::new(&door, who, store, blocks, resolver, &Metrics::default()).expect("a node")
}

async fn write(node: &Node, who: &Signer, n: usize) -> (Value, Reply) {
    write_to(node, who.did(), who, n, 29_000).await
}

async fn write_to(node: &Node, tenant: &str, who: &Signer, n: usize, size: usize) -> (Value, Reply) {
    let data = [vec![7; size], n.to_be_bytes().to_vec()].concat();
    let write = create::Write { data_format: "text/plain", published: true, ..Default::default() };
    let message = create::records_write(&write, (&data_cid(&data), data.len() as u64), &now(), who).expect("made");
    let reply = node.process(tenant, message.clone(), Some(one_chunk(data.into()))).await.expect("answered");
    (message, reply)
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_index_is_built_again_only_the_tenant_is_answered() {
    let (dir, alice, bob) = (tempfile::tempdir().expect("a directory"), person(1), person(2));
    let mut written = Vec::new();
    let node = door(dir.path());
    for n in 0..160 {
        let (message, reply) = write(&node, &alice, n).await;
        assert_eq!(reply.code, 202, "{reply:?}");
        written.push(message);
    }
    drop(node);
    let store = dir.path().join("store");
    std::fs::remove_dir_all(store.join("index")).expect("removes");

    let hindrance = Hindrance::new(&store);
    let node = door(dir.path());
    while node.store().stats().records == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let read = |record: &Value, who: Option<&Signer>| {
        let filter = json!({"recordId": record["recordId"]});
        let (node, message) = (node.clone(), create::records_read(filter, &now(), who).expect("made"));
        let tenant = alice.did().to_owned();
        async move { node.process(&tenant, message, None).await.expect("answered").code }
    };
    let (first, last) = (&written[0], &written[159]);
    assert_eq!((read(first, Some(&alice)).await, read(last, Some(&alice)).await), (200, 404));
    // Published, and perhaps deleted a moment later: nobody else is told.
    assert_eq!((read(first, None).await, read(first, Some(&bob)).await), (503, 503));
    let (_, refused) = write(&node, &alice, 900).await;
    assert!(refused.code == 503 && refused.detail.contains("IndexRebuilding"), "{refused:?}");
    let message = create::messages_query(json!([]), None, &now(), &alice).expect("made");
    assert_eq!(node.process(alice.did(), message, None).await.expect("answered").code, 200);

    drop(hindrance);
    node.store().built().await.expect("is built");
    assert_eq!((read(first, None).await, read(last, Some(&alice)).await), (200, 200));
    assert_eq!(write(&node, &alice, 900).await.1.code, 202);
}

async fn query(node: &Node, who: &Signer, asker: Asker) -> Reply {
    let filter = json!({"dataFormat": "text/plain"});
    let message = create::records_query(filter, json!({}), &now(), Some(who)).expect("made");
    node.process_for(asker, who.did(), message, None).await.expect("answered")
}

fn entries(text: &[u8]) -> Vec<Value> {
    let mut json: Value = serde_json::from_slice(text).expect("JSON");
    json["x"]["entries"].as_array_mut().map(std::mem::take).expect("entries")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_answer_is_made_as_it_is_taken_and_tells_its_moment() {
    let (dir, alice) = (tempfile::tempdir().expect("a directory"), person(1));
    let node = door(dir.path());
    let mut written = Vec::new();
    for n in 0..12 {
        written.push(write(&node, &alice, n).await.0);
    }
    let asker = Asker::at([10, 0, 0, 1].into());
    let (before, after) = (r#"{"x":"#, "}");
    let whole = [before, &query(&node, &alice, asker).await.whole().await.expect("a text"), after].concat();
    assert_eq!(node.answers().used(), 0);
    let ids = |entries: &[Value]| entries.iter().map(|entry| entry["recordId"].clone()).collect::<Vec<_>>();
    assert_eq!(ids(&entries(whole.as_bytes())), ids(&written), "in order");

    let begin = async || {
        let Text::Pieces(pieces) = query(&node, &alice, asker).await.into_text(before, after) else {
            panic!("460 kB are no single piece")
        };
        pieces
    };
    let pieces: Vec<Bytes> = begin().await.try_collect().await.expect("pieces");
    assert!(pieces.len() >= 5 && pieces.iter().all(|piece| piece.len() < 110_000));
    assert_eq!(pieces.concat(), whole.as_bytes(), "the same, byte by byte");
    assert!(node.answers().used() >= whole.len(), "who keeps pieces keeps room");
    drop(pieces);

    // A hundred that nobody takes hold a piece each.
    let mut slow = begin().await;
    let others: Vec<Body> = futures::future::join_all((0..100).map(|_| begin())).await;
    assert!(node.answers().used() < 101 * 110_000, "{}", node.answers().used());
    let other = tokio::time::timeout(Duration::from_secs(9), query(&node, &alice, Asker::at([10, 0, 0, 2].into())));
    assert_eq!(other.await.expect("nobody waits for them").code, 200);
    drop(others);

    let first = slow.next().await.expect("a piece").expect("a text");
    let delete = create::records_delete(written[10]["recordId"].as_str().expect("an id"), false, &now(), &alice);
    assert_eq!(node.process(alice.did(), delete.expect("made"), None).await.expect("answered").code, 202);
    let rest: Vec<Bytes> = slow.try_collect().await.expect("pieces");
    let told = entries(&[first, rest.concat().into()].concat());
    drop(rest);
    let left: Vec<_> = written.iter().enumerate().filter(|(n, _)| *n != 10).map(|(_, one)| one.clone()).collect();
    assert_eq!(ids(&told), ids(&left), "what was deleted since is left out");
    assert!(told.iter().all(|entry| entry["encodedData"].is_string()));
    assert_eq!(node.answers().used(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_finds_no_room_is_refused_after_a_while_and_the_owner_finds_some() {
    let (dir, own, bob) = (tempfile::tempdir().expect("a directory"), person(1), person(2));
    let mut config = Config { tenants: Tenants::Open, ..Config::default() };
    config.limits.answers_seconds = 1;
    let node = door_with(dir.path(), config);
    write(&node, &bob, 1).await;
    let askers = (1..=8).map(|n| Asker::at([10, 0, 0, n].into()));
    let all: Vec<_> = askers
        .flat_map(|asker| std::iter::from_fn(move || Some(asker)).take(256))
        .filter_map(|asker| node.answers().take(asker))
        .collect();
    assert!(all.len() < 1000);
    let refused = query(&node, &bob, Asker::at([10, 0, 0, 9].into())).await;
    assert!(refused.code == 503 && refused.detail.starts_with("AnswersMemoryFull"), "{refused:?}");
    assert_eq!(query(&node, &own, Asker::Owner).await.code, 200);
    drop(all);
    assert_eq!(query(&node, &bob, Asker::at([10, 0, 0, 9].into())).await.code, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quota_holds_under_parallel_writes_and_is_not_the_owners() {
    let (dir, bob) = (tempfile::tempdir().expect("a directory"), person(2));
    let config = Config { tenants: Tenants::Open, quota: 1 << 20, ..Config::default() };
    let node = door_with(dir.path(), config.clone());
    let at_once = |node: Node| async move {
        let bob = person(2);
        let writes = (0..16).map(|n| write_to(&node, bob.did(), &bob, n, (256 << 10) - 8));
        let codes = futures::future::join_all(writes).await.into_iter().map(|(_, reply)| reply.code);
        codes.filter(|code| *code == 202).count()
    };
    assert_eq!(at_once(node.clone()).await, 4);
    assert_eq!(node.store().tenant_bytes(bob.did()).expect("counts"), 1 << 20);
    drop(node);
    let dir = tempfile::tempdir().expect("a directory");
    let node = door_of(dir.path(), bob.did(), config);
    assert_eq!(at_once(node).await, 16, "the owner has none");
}

#[tokio::test]
async fn whom_the_operator_denies_is_refused_as_tenant_and_as_author() {
    let (dir, alice, bob) = (tempfile::tempdir().expect("a directory"), person(1), person(2));
    let deny = vec![bob.did().to_owned()];
    let node = door_with(dir.path(), Config { tenants: Tenants::Open, deny, ..Config::default() });
    assert_eq!(write_to(&node, alice.did(), &alice, 1, 9).await.1.code, 202);
    for (tenant, who) in [(&bob, &alice), (&alice, &bob), (&bob, &bob)] {
        let (_, reply) = write_to(&node, tenant.did(), who, 2, 9).await;
        assert!(reply.code == 403 && reply.detail.contains(bob.did()), "{reply:?}");
        let filter = json!({"dataFormat": "text/plain"});
        let message = create::records_query(filter, json!({}), &now(), Some(who)).expect("made");
        assert_eq!(node.process(tenant.did(), message, None).await.expect("answered").code, 403);
    }
}

#[test]
fn bounds_of_the_door_have_ranges() {
    let said = |change: fn(&mut Config)| {
        let mut config = Config::default();
        change(&mut config);
        config.check().map_err(|why| why.to_string())
    };
    assert_eq!(said(|_| ()), Ok(()));
    assert_eq!(said(|config| config.quota = 0), Ok(()), "as files of older versions have it");
    assert_eq!(Config { quota: 0, ..Config::default() }.quota(), Config::default().quota);
    for (change, key) in [
        ((|config| config.max_record = 0) as fn(&mut Config), "dwn.max_record"),
        (|config| config.quota = u64::MAX, "dwn.quota"),
        (|config| config.owner_reserve = 0, "dwn.owner_reserve"),
        (|config| config.deny = vec!["bob".into()], "dwn.deny"),
        (|config| config.limits.answers_memory = 0, "dwn.limits.answers_memory"),
        (|config| config.limits.answers_memory_per_address = 40 << 20, "dwn.limits.answers_memory_per_address"),
        (|config| config.limits.answers_seconds = 0, "dwn.limits.answers_seconds"),
    ] {
        let why = said(change).expect_err(key);
        assert!(why.starts_with(key), "{why}");
    }
}

/// A write of 40,000 bytes whose data stops coming after 35,000.
fn stalled(node: &Node, who: &Signer, from: Asker, n: usize) -> tokio::task::JoinHandle<Reply> {
    let data = [vec![7; 40_000], n.to_be_bytes().to_vec()].concat();
    let (message, body) = upload(who, &data);
    let body: Body = Box::pin(one_chunk(body.slice(..35_000)).chain(futures::stream::pending()));
    let (node, tenant) = (node.clone(), who.did().to_owned());
    tokio::spawn(async move { node.process_for(from, &tenant, message, Some(body)).await.expect("answered") })
}

fn root(data: &[u8]) -> crate::cid::Cid {
    let mut emit = |_, _| Ok::<_, Fault>(());
    let mut layout = blocks::unixfs::Layout::default();
    layout.leaf(data, &mut emit).expect("no fault");
    layout.finish(&mut emit).expect("no fault")
}

fn upload(who: &Signer, data: &[u8]) -> (Value, Bytes) {
    let write = create::Write { data_format: "text/plain", ..Default::default() };
    let message = create::records_write(&write, (&root(data), data.len() as u64), &now(), who).expect("made");
    (message, Bytes::copy_from_slice(data))
}

#[tokio::test(flavor = "multi_thread")]
async fn stalled_uploads_of_one_address_keep_nobody_else_out_and_the_owner_always_has_a_place() {
    let (dir, alice, own) = (tempfile::tempdir().expect("a directory"), person(1), person(2));
    let node = door_of(dir.path(), own.did(), Config { tenants: Tenants::Open, ..Config::default() });
    let at = |n: u8| Asker::at([127, 0, 0, n].into());
    let mut held: Vec<_> = (0..300).map(|n| stalled(&node, &alice, at(1), n)).collect();
    let full = node.shared.uploads.places.size();
    while node.shared.uploads.places.used() < full.share {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let whole = async |who: &Signer, from, n: usize| {
        let (message, body) = upload(who, &[vec![9; 50_000], n.to_be_bytes().to_vec()].concat());
        let written = node.process_for(from, who.did(), message, Some(one_chunk(body)));
        tokio::time::timeout(Duration::from_secs(10), written).await.map(|reply| reply.expect("answered").code)
    };
    assert_eq!(whole(&alice, at(2), 0).await, Ok(202), "another address");
    assert_eq!(node.shared.uploads.places.used(), full.share, "one address has no more than its share");

    // All addresses together fill what strangers may have; what the owner signed is taken from wherever it comes.
    for n in 3..12 {
        held.extend((0..full.share).map(|i| stalled(&node, &alice, at(n), 1000 * usize::from(n) + i)));
    }
    while node.shared.uploads.places.used() < full.most - full.reserved {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(whole(&alice, at(99), 1).await.is_err(), "there is no place for strangers");
    assert_eq!(whole(&own, at(1), 2).await, Ok(202));
    held.iter().for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_listen_is_ended_before_all_that_waits_is_too_much_and_who_does_is_not() {
    let (dir, alice) = (tempfile::tempdir().expect("a directory"), person(1));
    let mut config = Config { tenants: Tenants::Open, ..Config::default() };
    config.limits.answers_memory = 16 << 20;
    let node = door_with(dir.path(), config);
    let stop = tokio_util::sync::CancellationToken::new();
    let carried = tokio::spawn(node.clone().carry_events(Job::new("subscriptions", "", stop.clone())));
    let subscribe = async || {
        let asked = create::records_query(json!({"published": true}), json!({}), &now(), None);
        let mut message = asked.expect("made");
        message["descriptor"]["method"] = "Subscribe".into();
        let (reply, events) = node.subscribe(Asker::Owner, alice.did(), message, None).await.expect("answered");
        events.unwrap_or_else(|| panic!("{reply:?}"))
    };
    let (mut slow, mut fast) = (subscribe().await, subscribe().await);
    for n in 0..260_usize {
        let data = n.to_be_bytes();
        let tags = json!({"a": "x".repeat(10_000)}).as_object().cloned();
        let write = create::Write { data_format: "text/plain", published: true, tags, ..Default::default() };
        let message = create::records_write(&write, (&data_cid(&data), 8), &now(), &alice).expect("made");
        let reply = node.process(alice.did(), message, Some(one_chunk(data.to_vec().into()))).await.expect("answered");
        assert_eq!(reply.code, 202, "{reply:?}");
        let told = tokio::time::timeout(Duration::from_secs(20), fast.next()).await.expect("in time");
        assert!(told.is_ok(), "event {n}: {:?}", told.err());
        assert!(node.shared.events.used() <= 8 << 20);
    }
    let ended = slow.next().await.expect_err("it did not listen");
    assert!(matches!(ended, Ended::Full), "{ended}");
    drop(slow);
    assert!(node.shared.events.used() < 100_000);
    stop.cancel();
    carried.await.expect("no panic").expect("carried");
}

#[tokio::test(flavor = "multi_thread")]
async fn data_that_is_elsewhere_comes_when_its_owner_reads_it() {
    let (dir, alice, bob) = (tempfile::tempdir().expect("a directory"), person(1), person(2));
    let open = || door_of(dir.path(), alice.did(), Config { tenants: Tenants::Open, ..Config::default() });
    let data = vec![7; 40_000];
    let write = create::Write { data_format: "text/plain", published: true, ..Default::default() };
    let made = |data: &[u8]| {
        create::records_write(&write, (&data_cid(data), data.len() as u64), &now(), &alice).expect("made")
    };
    let brought = || Brought { by: Some(alice.did().to_owned()), is_elsewhere: true, ..Brought::default() };
    let read = async |node: &Node, record: &Value, who: Option<&Signer>| {
        let filter = json!({"recordId": record["recordId"]});
        let read = create::records_read(filter, &now(), Some(who.unwrap_or(&bob))).expect("made");
        let reply = node.process_for(Asker::friend("somebody"), alice.did(), read, None).await.expect("answered");
        let body = match reply.data {
            Some(data) => data.raw().try_collect::<Vec<Bytes>>().await.expect("reads").concat(),
            None => Vec::new(),
        };
        (reply.code, reply.detail, body)
    };

    let node = open();
    // What is small lies beside its message.
    let small = made(&data[..30_000]);
    let reply = node.replay(brought(), alice.did(), small, None).await.expect("answered");
    assert_eq!(reply.code, 400, "{reply:?}");
    let message = made(&data);
    let reply = node.replay(brought(), alice.did(), message.clone(), None).await.expect("answered");
    assert_eq!(reply.code, 202, "{reply:?}");
    drop(node);
    std::fs::remove_dir_all(dir.path().join("store/index")).expect("removes");
    let node = open();
    while node.store().stats().records == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let missing = node.elsewhere(None).await.expect("reads");
    assert_eq!(missing.iter().map(|it| it.size).collect::<Vec<_>>(), [40_000]);
    // Who may read it hears where it is; nobody but the owner has it brought.
    for (who, why) in [(None, "after its owner has read it"), (Some(&alice), "still starting")] {
        let (code, detail, _) = read(&node, &message, who).await;
        assert!(code == 503 && detail.contains("DataElsewhere") && detail.contains(why), "{code} {detail}");
    }
    // An edit that leaves the data alone is taken, and its data is where it was.
    let changes = json!({"tags": {"a": 1}});
    let edit = create::records_update(&message, &changes, &now(), &alice).expect("made");
    let reply = node.process(alice.did(), edit.clone(), None).await.expect("answered");
    assert_eq!(reply.code, 202, "{reply:?}");
    assert_eq!(read(&node, &message, None).await.0, 503);
    let state = |node: &Node| {
        let record = message["recordId"].as_str().expect("an id");
        node.store().view(alice.did()).record(record).expect("reads").expect("is here").newest
    };
    let before = state(&node);
    let (here, told, body) = (node.clone(), edit.clone(), data.clone());
    node.fetch_by(std::sync::Arc::new(move |tenant, wanted| {
        assert_eq!(Some(wanted), crate::cid::sha256_of(&crate::cid::of_json(&told).expect("encodes").0));
        let (here, told, body) = (here.clone(), told.clone(), one_chunk(body.clone().into()));
        Box::pin(async move {
            let wrong = one_chunk(vec![8; 40_000].into());
            let refused = here.replay(Brought::default(), &tenant, told.clone(), Some(wrong)).await.expect("answered");
            assert_eq!(refused.code, 400, "{refused:?}");
            let came = here.replay(Brought::default(), &tenant, told, Some(body)).await.expect("answered");
            if came.code == 202 { Ok(()) } else { Err(came.detail) }
        })
    }));
    assert_eq!(read(&node, &message, None).await.0, 503);
    let (code, detail, came) = read(&node, &message, Some(&alice)).await;
    assert!(code == 200 && came == data, "{code} {detail}");
    assert!(node.elsewhere(None).await.expect("reads").is_empty());
    let after = state(&node);
    assert_eq!((after.cid, &after.lineage), (before.cid, &before.lineage), "it is the same, and who knew what is");
    let (code, detail, came) = read(&node, &message, None).await;
    assert!(code == 200 && came == data, "{code} {detail}");
    // Once more it brings nothing.
    let body = one_chunk(data.clone().into());
    let reply = node.replay(Brought::default(), alice.did(), edit.clone(), Some(body)).await.expect("answered");
    assert_eq!(reply.code, 409, "{reply:?}");
}

#[tokio::test]
async fn the_owners_reserve_is_for_the_owners_devices_and_not_for_friends() {
    let (dir, alice) = (tempfile::tempdir().expect("a directory"), person(1));
    // More than any disk has.
    let node = door_with(dir.path(), Config { tenants: Tenants::Open, owner_reserve: 1 << 60, ..Config::default() });
    let data = vec![7; 40_000];
    let write = create::Write { data_format: "text/plain", published: true, ..Default::default() };
    let message = create::records_write(&write, (&data_cid(&data), 40_000), &now(), &alice).expect("made");
    let body = || Some(one_chunk(data.clone().into()));
    let brought = || Brought { by: Some(alice.did().to_owned()), ..Brought::default() };
    let copied = node.copy(brought(), alice.did(), message.clone(), body()).await.expect("answered");
    let received = node.receive(brought(), alice.did(), message.clone(), body()).await.expect("answered");
    assert_eq!((copied.code, received.code), (507, 507), "{copied:?}");
    let replayed = node.replay(brought(), alice.did(), message, body()).await.expect("answered");
    assert_eq!(replayed.code, 202, "{replayed:?}");
}
