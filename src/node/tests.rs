//! The door over a store whose index is being built again: whose questions an earlier moment may answer.

use super::*;
use crate::{
    blocks::{self, Blocks},
    crypto::Signer,
    dwn::{
        create,
        testing::{data_cid, person},
    },
    resolve,
    store::Hindrance,
};
use serde_json::json;
use std::path::Path;

fn door(dir: &Path) -> Node {
    let config = store::Config { segment_size: 64 << 10, cache: 4 << 20, min_free: 0, ..store::Config::default() };
    let store = Store::begin(&dir.join("store"), &config).expect("the store opens");
    let blocks = Blocks::open(&dir.join("blocks"), &blocks::Config::default(), store.clone()).expect("blocks open");
    let config = Config { tenants: Tenants::Open, ..Config::default() };
    let resolver = Resolver::new(&resolve::Config::default(), store.clone(), &Metrics::default()).expect("a resolver");
    let who = ("did:example:none", None, &RetentionConfig::default());
    Node::new(&config, who, store, blocks, resolver, &Metrics::default()).expect("a node")
}

async fn write(node: &Node, who: &Signer, n: usize) -> (Value, Reply) {
    let data = [vec![7; 29_000], n.to_be_bytes().to_vec()].concat();
    let write = create::Write { data_format: "text/plain", published: true, ..Default::default() };
    let message = create::records_write(&write, (&data_cid(&data), data.len() as u64), &now(), who).expect("made");
    let reply = node.process(who.did(), message.clone(), Some(one_chunk(data.into()))).await.expect("answered");
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
