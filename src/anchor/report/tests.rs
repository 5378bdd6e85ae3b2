//! Everything is counted, whatever became of it.

use super::*;
use crate::{
    anchor::{
        PROTOCOL,
        queue::{self, File},
        whole::Wholes,
    },
    blocks,
    cid::Cid,
    dwn::{Change, Stop, Subject, View},
    store::{self, Entry},
};
use serde_json::json;
use std::collections::BTreeSet;

const SECRET: [u8; 32] = [5; 32];

struct Node {
    _dir: tempfile::TempDir,
    store: Store,
    blocks: Blocks,
    ledger: Ledger,
    finder: Finder,
    queue: Mutex<Queue>,
    secret: Secret,
}

impl Node {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let store = Store::open(&dir.path().join("store"), &store::Config::default()).expect("the store opens");
        let blocks = Blocks::open(&dir.path().join("blocks"), &blocks::Config::default(), store.clone());
        let (blocks, ledger) =
            (blocks.expect("blocks open"), Ledger::new(store.clone(), crate::anchor::config::Network::Regtest));
        let network = crate::anchor::config::Network::Regtest;
        let finder =
            Finder::new((store.clone(), ledger.clone()), network, tokio::sync::watch::channel(BTreeSet::new()).1);
        Self { _dir: dir, store, blocks, ledger, finder, queue: Mutex::default(), secret: SECRET.into() }
    }

    /// Writes a record; the CIDs of its message and its data.
    async fn write(&self, name: &str, protocol: Option<&str>, data: &[u8]) -> (Cid, Cid) {
        let mut stage = self.blocks.stage();
        stage.push(data).expect("stages");
        let data = stage.finish().expect("stages");
        let record = cid::of(cid::DAG_CBOR, name.as_bytes()).to_string();
        let mut message = json!({
            "recordId": record,
            "contextId": record,
            "descriptor": {
                "interface": "Records", "method": "Write", "dataFormat": "text/plain",
                "dataCid": data.root.to_string(), "dataSize": data.size,
                "dateCreated": "2026-01-01T00:00:00.000000Z", "messageTimestamp": "2026-01-01T00:00:00.000000Z",
            },
        });
        if let Some(protocol) = protocol {
            message["descriptor"]["protocol"] = protocol.into();
        }
        let change = Change::initial("did:example:alice", Subject::Record(record), message).expect("encodes");
        let change = Change { data: Some((data.root, data.size)), ..change };
        let (root, named) = (data.root, change.cid);
        let decide = move |_: &dyn View| -> Result<Change, Stop> { Ok(change.clone()) };
        self.store.commit("did:example:alice", Some(data), decide).await.expect("is written");
        (named, root)
    }

    async fn delete(&self, name: &str) {
        let record = cid::of(cid::DAG_CBOR, name.as_bytes()).to_string();
        let before = self.store.view("did:example:alice").record(&record).expect("reads").expect("it is there");
        let message = json!({"descriptor": {
            "interface": "Records", "method": "Delete", "recordId": record, "prune": false,
            "messageTimestamp": "2026-01-02T00:00:00.000000Z",
        }});
        let change = Change::initial("did:example:alice", Subject::Record(record), message).expect("encodes");
        let change = Change { initial: false, demotes: vec![before.newest.cid], ..change };
        let decide = move |_: &dyn View| -> Result<Change, Stop> { Ok(change.clone()) };
        self.store.commit("did:example:alice", None, decide).await.expect("is written");
    }

    /// Reads the log to its end; the files that are to be hashed.
    fn collect(&self) -> Vec<File> {
        let mut files = Vec::new();
        loop {
            let next = self.queue.lock().expect("no panic").next();
            let Some(mut found) = queue::read(&self.store, &self.ledger, &self.finder, next).expect("reads") else {
                return files;
            };
            files.append(&mut found.files);
            self.queue.lock().expect("no panic").add(&found);
        }
    }

    async fn close(&self, number: u64) {
        let (sorted, next) = {
            let mut queue = self.queue.lock().expect("no panic");
            (queue.sorted(), queue.next())
        };
        let root = Nonces::new(&SECRET, number).root(sorted.len(), |leaf| sorted.digest(leaf)).expect("not empty");
        let batch = Batch::new(number, root, sorted.len() as u32, 0);
        self.ledger.close(&batch, &sorted, next, vec![]).await.expect("is written");
        *self.queue.lock().expect("no panic") = Queue::from(next);
    }

    fn audit(&self, scan: Scan) -> Audited {
        let Self { store, blocks, ledger, finder, queue, secret, .. } = self;
        Auditor { store, blocks, ledger, finder, queue, secret: Some(secret) }.run(scan).expect("reads")
    }

    fn whole(&self) -> Audited {
        self.audit(Scan { from: 0, names: 100 })
    }
}

/// eligible, queued, pending, broken
fn told(counts: Counts) -> [u64; 4] {
    [counts.eligible, counts.queued, counts.pending, counts.broken]
}

#[tokio::test]
async fn everything_is_counted_once_and_what_is_broken_is_named() {
    let node = Node::new();
    assert_eq!(node.whole().sentence, "there is nothing to prove");
    let (first, data) = node.write("first", None, b"data").await;
    node.write("second", None, b"data").await;
    let file = vec![7; 600_000];
    let (_, root) = node.write("third", None, &file).await;
    // not read yet, and read
    for files in [None, Some(1)] {
        assert_eq!(files.unwrap_or_default(), files.map_or(0, |_| node.collect().len()));
        let found = node.whole();
        assert_eq!((told(found.messages), told(found.files)), ([3, 3, 0, 0], [1, 1, 0, 0]), "{found:?}");
        assert_eq!(found.data.queued, if files.is_none() { 3 } else { 2 });
    }
    let mut wholes = Wholes::new(node.blocks.clone(), node.ledger.clone());
    let position = node.store.entries(0, 100).expect("reads").iter().find_map(|entry| match entry {
        Entry::Message { position, data: Some((data, _)), .. } if *data == root => Some(*position),
        _ => None,
    });
    let root_digest = cid::sha256_of(&root).expect("sha256");
    wholes.add(vec![File { root: root_digest, position: position.expect("is in the log") }]);
    while !wholes.is_idle() {
        if let Some(item) = wholes.step().await.expect("reads") {
            assert_eq!(item.digest, cid::digest(&file));
            node.queue.lock().expect("no panic").add_item(&item);
        }
    }
    node.close(1).await;
    node.write("fourth", None, b"other").await;
    let found = node.whole();
    assert_eq!([found.messages, found.data, found.files].map(told), [[4, 1, 3, 0], [3, 1, 2, 0], [1, 0, 1, 0]]);
    assert_eq!((found.batches, found.roots_checked, found.gone, found.unhashed), (1, true, 0, 0));
    assert_eq!(found.waiting.len(), 8, "{found:?}");
    assert_eq!(found.waiting[0].cid, first.to_string());
    assert_eq!(found.waiting[1].cid, data.to_string());

    // In pages.
    let (mut from, mut named) = (0, Vec::new());
    loop {
        let page = node.audit(Scan { from, names: 3 });
        named.extend(page.waiting.into_iter().map(|one| (one.kind, one.cid)));
        match page.more {
            Some(more) => from = more,
            None => break,
        }
    }
    assert_eq!(named, found.waiting.into_iter().map(|one| (one.kind, one.cid)).collect::<Vec<_>>());

    // Another leaf than the one that was anchored.
    let (key, mut bytes) = {
        let (key, bytes) = node.store.states(b"anchor/leaves/").expect("reads").pop().expect("is there");
        (key.to_vec(), bytes.to_vec())
    };
    bytes[5] ^= 1;
    node.store.put_state(vec![(key.clone(), Some(bytes))]).await.expect("writes");
    let found = node.whole();
    assert_eq!((told(found.messages), found.broken_batches.len()), ([4, 1, 0, 3], 1), "{found:?}");
    assert!(found.broken[0].why.as_ref().is_some_and(|why| why.contains("batch 1")), "{found:?}");
    // The chunk is gone, then the batch.
    node.store.put_state(vec![(key, None)]).await.expect("writes");
    assert_eq!(told(node.whole().messages), [4, 1, 0, 3]);
    let batch = [b"anchor/batch/".as_slice(), &1_u64.to_be_bytes()].concat();
    node.store.put_state(vec![(batch, None)]).await.expect("writes");
    node.ledger.load().expect("reads");
    let found = node.whole();
    assert_eq!(told(found.messages), [4, 1, 0, 3], "{found:?}");
    // without the batch nobody knows that two records share their data
    assert!(found.sentence.contains("7 are BROKEN"), "{}", found.sentence);
}

#[tokio::test]
async fn records_that_hold_proofs_want_none() {
    let node = Node::new();
    node.write("proof", Some(PROTOCOL), b"the proof of something").await;
    node.delete("proof").await;
    assert!(node.collect().is_empty() && node.queue.lock().expect("no panic").is_empty());
    assert_eq!(node.whole().messages, Counts::default());
    node.write("note", Some("https://toft.invalid/protocols/device"), b"the proof of something").await;
    node.collect();
    assert_eq!(node.queue.lock().expect("no panic").len(), 2, "the data is of a note as well");
}

#[tokio::test]
async fn a_file_that_is_hashed_late_is_taken_up_at_the_next_start_and_one_that_is_gone_is_passed_over() {
    let node = Node::new();
    let file = vec![9; 1_000_000];
    let (_, root) = node.write("late", None, &file).await;
    let here = cid::sha256_of(&root).expect("sha256");
    let mut wholes = Wholes::new(node.blocks.clone(), node.ledger.clone());
    wholes.add(vec![File { root: [1; 32], position: 3 }, File { root: here, position: 4 }]);
    let (more, after) = wholes.closing();
    node.store.put_state(more).await.expect("writes");
    wholes.closed(after);
    // killed: nothing was hashed
    let mut again = Wholes::new(node.blocks.clone(), node.ledger.clone());
    assert!(again.resume().await.expect("reads").is_empty());
    let mut items = Vec::new();
    while !again.is_idle() {
        items.extend(again.step().await.expect("reads"));
    }
    let whole = Item { digest: cid::digest(&file), codec: cid::RAW as u8, position: 4 };
    assert_eq!(items, [whole]);
    // killed: it is hashed, and in no batch
    let mut again = Wholes::new(node.blocks.clone(), node.ledger.clone());
    assert_eq!(again.resume().await.expect("reads"), [whole]);
    node.queue.lock().expect("no panic").add_item(&whole);
    let (more, after) = again.closing();
    assert!(after.is_empty() || after.len() == 1, "the one that is gone is tried again");
    node.close(1).await;
    node.store.put_state(more).await.expect("writes");
    assert!(Wholes::new(node.blocks.clone(), node.ledger.clone()).resume().await.expect("reads").is_empty());
}
