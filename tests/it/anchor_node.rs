//! The anchor on a real store with a real bitcoind: what is written gets a proof that stock `ots` accepts, and
//! no crash, reorganisation or absent bitcoind anchors anything twice or not at all.

use crate::{
    anchor_chain::config,
    support::{
        bitcoind::Bitcoind,
        ots,
        proxy::{Lose, Proxy},
    },
};
use bitcoin::{
    Amount, BlockHash, CompactTarget, ScriptBuf, Transaction, TxIn, TxMerkleNode, TxOut,
    absolute::LockTime,
    block::{Header, Version},
    consensus::encode::serialize,
    hashes::Hash as _,
    script::PushBytesBuf,
    transaction,
};
use bytes::Bytes;
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    path::Path,
    time::{Duration, Instant},
};
use tempfile::TempDir;
use toft::{
    anchor::{
        Anchor, BatchStatus, Config, Outcome, Proof, ProofError, Status,
        config::Mode,
        native::{self, Anchored, Attestation, Head, Leaf, Part},
        proof::{Inclusion, Verdict},
        records,
        tree::Tree,
    },
    audit::Audit,
    blocks::Blocks,
    cid::{self, Cid, Digest},
    dwn::{Change, Stop, Subject, View},
    job::Jobs,
    metrics::Metrics,
    store::Store,
    task::Tasks,
};

const TENANT: &str = "did:example:alice";
pub const MAGIC: &[u8] = b"toft";

/// A store with an anchor on it.
pub struct Node {
    store: Store,
    blocks: Blocks,
    pub anchor: Anchor,
    tasks: Tasks,
}

/// A record as it was written.
pub struct Written {
    pub record: String,
    message: Cid,
    data: Cid,
}

impl Node {
    pub async fn start(dir: &Path, config: &Config) -> Self {
        let store = reopened(&dir.join("store"));
        let blocks = Blocks::open(&dir.join("blocks"), &toft::blocks::Config::default(), store.clone())
            .expect("the blocks open");
        let (tasks, metrics) = (Tasks::default(), Metrics::default());
        let jobs = Jobs::new(&tasks);
        let audit = Audit::open(dir, jiff::Timestamp::now()).expect("the audit log opens");
        let parts = (store.clone(), blocks.clone(), audit);
        let anchor = Anchor::start(config, parts, Some([5; 32].into()), &metrics, &jobs);
        let anchor = anchor.await.expect("the anchor starts");
        Self { store, blocks, anchor, tasks }
    }

    /// Cuts the task off wherever it is.
    pub async fn kill(self) {
        self.tasks.finish(Duration::from_secs(10)).await.expect("the task has not failed");
    }

    /// Writes a record, or (with the same name) the next state of it.
    pub async fn write(&self, name: &str, data: &[u8]) -> Written {
        self.write_of(TENANT, name, data).await
    }

    async fn write_of(&self, tenant: &str, name: &str, data: &[u8]) -> Written {
        let mut stage = self.blocks.stage();
        stage.push(data).expect("stages");
        let data = stage.finish().expect("stages");
        let root = data.root;
        let record = cid::of(cid::DAG_CBOR, name.as_bytes()).to_string();
        let message = json!({
            "recordId": record,
            "contextId": record,
            "descriptor": {
                "interface": "Records", "method": "Write", "dataFormat": "text/plain",
                "dataCid": root.to_string(), "dataSize": data.size,
                "dateCreated": "2026-01-01T00:00:00.000000Z", "messageTimestamp": "2026-01-01T00:00:00.000000Z",
            },
        });
        let change = Change {
            data: Some((root, data.size)),
            ..Change::initial(tenant, Subject::Record(record.clone()), message).expect("encodes")
        };
        let decide = move |view: &dyn View| -> Result<Change, Stop> {
            let mut change = change.clone();
            if let Some(before) = view.record(&record_of(&change.message))? {
                change.initial = false;
                change.demotes = vec![before.newest.cid];
            }
            Ok(change)
        };
        let change = self.store.commit(tenant, Some(data), decide).await.expect("is written");
        Written { record: record_of(&change.message), message: change.cid, data: root }
    }

    pub async fn status(&self) -> Status {
        self.anchor.status().await.expect("answers")
    }

    /// Waits until the status is as wanted.
    #[track_caller]
    pub fn until(&self, what: &str, mut wanted: impl FnMut(&Status) -> bool) -> impl Future<Output = Status> {
        let caller = std::panic::Location::caller();
        async move {
            let start = Instant::now();
            loop {
                let status = self.status().await;
                if wanted(&status) {
                    return status;
                }
                assert!(start.elapsed() < Duration::from_secs(120), "{caller}: not {what}: {status:#?}");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }

    /// Waits until the newest batch is in this state.
    #[track_caller]
    pub fn reach(&self, state: &'static str) -> impl Future<Output = BatchStatus> {
        let until = self.until(state, move |s| s.batches.last().is_some_and(|b| b.state == state));
        async move { until.await.batches.pop().expect("there is one") }
    }

    pub async fn proof(&self, id: &str) -> Proof {
        self.anchor.proof(id).await.unwrap_or_else(|e| panic!("no proof of {id}: {e}"))
    }
}

/// A read of the killed node may still be under way on its blocking thread and hold the store open.
fn reopened(dir: &Path) -> Store {
    let start = Instant::now();
    loop {
        match Store::open(dir, &toft::store::Config::default()) {
            Ok(store) => return store,
            Err(e) => assert!(start.elapsed() < Duration::from_secs(10), "the store does not open: {e:#}"),
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn record_of(message: &Value) -> String {
    message["recordId"].as_str().expect("a record").to_owned()
}

pub fn quick(node: &Bitcoind) -> Config {
    let mut config = config(node);
    config.bitcoin.poll = "100ms".parse().expect("a span");
    config
}

/// Mines a block; the record's proof leads to it.
pub async fn mined(bitcoind: &Bitcoind, node: &Node, record: &str) {
    bitcoind.mine(1);
    node.reach("mined").await;
    accepts(bitcoind, &node.proof(record).await);
}

#[track_caller]
pub fn accepts(bitcoind: &Bitcoind, proof: &Proof) {
    ots::accepts(bitcoind, proof.stamped.as_ref().expect("the bytes are here"), &proof.ots);
}

#[tokio::test(flavor = "multi_thread")]
async fn records_messages_and_data_of_all_sizes_get_proofs() {
    let (bitcoind, dir) = (Bitcoind::start(), TempDir::new().expect("a directory"));
    bitcoind.funded_wallet();
    let node = Node::start(dir.path(), &quick(&bitcoind)).await;
    let small = node.write("small", b"hello").await;
    let file = node.write("file", &vec![7; 100_000]).await;
    let tree = node.write("tree", &vec![8; 600_000]).await;
    let again = node.write("another record with the same data", b"hello").await;
    assert_eq!(again.data, small.data);
    let pending = node.anchor.proof(&small.record).await;
    assert!(matches!(pending, Err(ProofError::Pending(_) | ProofError::Unknown(_))), "{pending:?}");

    let now = node.anchor.now().await.expect("answers");
    assert_eq!(now.outcome, Outcome::Sent, "{}", now.sentence);
    let batch = node.reach("broadcast").await;
    // four messages, three data, the tree as one file, and the head of the audit log
    assert_eq!((batch.leaves, batch.txid), (9, now.txid), "the data that two records share is one leaf");
    let Err(ProofError::Pending(sentence)) = node.anchor.proof(&small.record).await else { panic!("unconfirmed") };
    assert!(sentence.contains("batch 1") && sentence.contains("unconfirmed"), "{sentence}");

    bitcoind.mine(1);
    node.reach("mined").await;
    for written in [&small, &file, &tree, &again] {
        for id in [&written.record, &written.message.to_string(), &written.data.to_string()] {
            let proof = node.proof(id).await;
            let is_file = *id == tree.data.to_string();
            assert_eq!(proof.stamped.is_none(), is_file, "of a file of many blocks the whole is what is stamped");
            let stamped = proof.stamped.clone().unwrap_or_else(|| vec![8; 600_000].into());
            ots::accepts(&bitcoind, &stamped, &proof.ots);
            assert_eq!((proof.confirmations, proof.finished), (1, false));
            let verdict = node.anchor.verify(&proof.ots, cid::digest(&stamped)).await.expect("bitcoind answers");
            assert!(matches!(verdict, Verdict::Proven { height, .. } if height == u64::from(proof.height)));
            assert_eq!(node.anchor.verify(&proof.ots, [0; 32]).await.expect("answers"), Verdict::OtherData);
        }
    }
    let data = node.proof(&small.data.to_string()).await;
    assert_eq!(data.stamped, Some(Bytes::from_static(b"hello")), "small data is stamped as it is");
    let foreign = cid::of(cid::RAW, b"never seen").to_string();
    assert!(matches!(node.anchor.proof(&foreign).await, Err(ProofError::Unknown(_))));
    assert!(matches!(node.anchor.proof("no cid").await, Err(ProofError::Unknown(_))));

    let next = node.write("small", b"hello again").await;
    assert_eq!(node.proof(&small.record).await.cid, small.message, "the newest message with a proof");
    node.until("queued", |s| s.queued == 2).await;
    let Err(ProofError::Pending(sentence)) = node.anchor.proof(&next.message.to_string()).await else {
        panic!("queued")
    };
    assert!(sentence.contains("queued"), "{sentence}");
    assert_eq!(node.anchor.now().await.expect("answers").batch, Some(2));
    bitcoind.mine(6);
    node.reach("final").await;
    let proof = node.proof(&next.record).await;
    assert_eq!((proof.cid, proof.finished), (next.message, true));
    accepts(&bitcoind, &proof);
    assert_eq!(node.anchor.now().await.expect("answers").outcome, Outcome::Nothing);
    assert_eq!(bitcoind.op_returns(MAGIC).len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_records_share_one_transaction_and_outlive_a_restart() {
    let (bitcoind, dir) = (Bitcoind::start(), TempDir::new().expect("a directory"));
    bitcoind.funded_wallet();
    let node = Node::start(dir.path(), &quick(&bitcoind)).await;
    let mut all = Vec::new();
    for i in 0..500_u32 {
        all.push(node.write(&format!("record {i}"), &i.to_be_bytes()).await);
    }
    let now = node.anchor.now().await.expect("answers");
    assert_eq!(now.outcome, Outcome::Sent, "{}", now.sentence);
    assert_eq!(node.reach("broadcast").await.leaves, 1001, "and the head of the audit log");
    bitcoind.mine(1);
    node.reach("mined").await;
    node.kill().await;

    let node = Node::start(dir.path(), &quick(&bitcoind)).await;
    for written in all.iter().step_by(125) {
        accepts(&bitcoind, &node.proof(&written.record).await);
        accepts(&bitcoind, &node.proof(&written.data.to_string()).await);
    }
    for written in &all {
        node.proof(&written.message.to_string()).await;
    }
    assert_eq!(node.anchor.now().await.expect("answers").outcome, Outcome::Nothing, "nothing is anchored twice");
    assert_eq!(bitcoind.op_returns(MAGIC).len(), 1);
}

async fn killed_around_the_sending(lose: Lose) {
    let (bitcoind, dir) = (Bitcoind::start(), TempDir::new().expect("a directory"));
    bitcoind.funded_wallet();
    let proxy = Proxy::start(&bitcoind.url(), "sendrawtransaction", lose);
    let mut through = quick(&bitcoind);
    through.bitcoin.rpc = proxy.url().to_owned();
    let node = Node::start(dir.path(), &through).await;
    let written = node.write("record", b"data").await;
    let asking = node.anchor.clone();
    let asked = tokio::spawn(async move { asking.now().await });
    let request = tokio::task::block_in_place(|| proxy.lost());
    node.kill().await;
    drop(proxy);
    assert!(asked.await.expect("no panic").is_err(), "killed before it could answer");

    let node = Node::start(dir.path(), &quick(&bitcoind)).await;
    let batch = node.reach("broadcast").await;
    let txid = batch.txid.expect("it is signed");
    let hex = bitcoind.rpc("getrawtransaction", json!([txid]));
    assert!(request.contains(hex.as_str().expect("hex")), "the bytes that were signed first are sent");
    bitcoind.mine(6);
    node.reach("final").await;
    accepts(&bitcoind, &node.proof(&written.record).await);
    assert_eq!(bitcoind.op_returns(MAGIC).len(), 1, "paid once");
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_between_signing_and_sending_it_pays_once() {
    killed_around_the_sending(Lose::Request).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_between_sending_and_noting_it_pays_once() {
    killed_around_the_sending(Lose::Answer).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_before_the_signature_is_stored_it_signs_again_and_pays_once() {
    let (bitcoind, dir) = (Bitcoind::start(), TempDir::new().expect("a directory"));
    bitcoind.funded_wallet();
    let proxy = Proxy::start(&bitcoind.url(), "finalizepsbt", Lose::Answer);
    let mut through = quick(&bitcoind);
    through.bitcoin.rpc = proxy.url().to_owned();
    let node = Node::start(dir.path(), &through).await;
    let written = node.write("record", b"data").await;
    let asking = node.anchor.clone();
    let asked = tokio::spawn(async move { asking.now().await });
    tokio::task::block_in_place(|| proxy.lost());
    node.kill().await;
    drop(proxy);
    assert!(asked.await.expect("no panic").is_err());

    let node = Node::start(dir.path(), &quick(&bitcoind)).await;
    node.reach("broadcast").await;
    mined(&bitcoind, &node, &written.record).await;
    assert_eq!(bitcoind.op_returns(MAGIC).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bitcoind_that_is_away_is_waited_for() {
    let (bitcoind, dir) = (Bitcoind::start(), TempDir::new().expect("a directory"));
    bitcoind.funded_wallet();
    bitcoind.stop();
    let node = Node::start(dir.path(), &quick(&bitcoind)).await;
    let written = node.write("record", b"data").await;
    let now = node.anchor.now().await.expect("answers");
    assert_eq!(now.outcome, Outcome::Waiting);
    assert!(now.sentence.contains("start bitcoind") || now.sentence.contains("start it"), "{}", now.sentence);
    let status = node.status().await;
    assert!(status.sentence.contains("anchor.bitcoin."), "{}", status.sentence);

    bitcoind.resume();
    node.reach("broadcast").await;
    bitcoind.restart(); // a new cookie while the node runs
    mined(&bitcoind, &node, &written.record).await;
    assert_eq!(node.status().await.problem, None);
    assert_eq!(bitcoind.op_returns(MAGIC).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_wallet_asks_for_funds_and_anchors_when_they_come() {
    let (bitcoind, dir) = (Bitcoind::start(), TempDir::new().expect("a directory"));
    let node = Node::start(dir.path(), &quick(&bitcoind)).await;
    let written = node.write("record", b"data").await;
    let now = node.anchor.now().await.expect("answers");
    assert_eq!(now.outcome, Outcome::AwaitingFunds, "{}", now.sentence);
    let (address, sat) = node.reach("awaiting_funds").await.send_to.expect("an address");
    assert!(now.sentence.contains(&address), "{}", now.sentence);
    node.kill().await;

    let node = Node::start(dir.path(), &quick(&bitcoind)).await;
    node.reach("awaiting_funds").await;
    bitcoind.fund(&address, &format!("0.{sat:08}"));
    node.reach("broadcast").await;
    mined(&bitcoind, &node, &written.record).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_another_network_nothing_is_signed() {
    let (bitcoind, dir) = (Bitcoind::start(), TempDir::new().expect("a directory"));
    bitcoind.funded_wallet();
    let mut config = quick(&bitcoind);
    config.bitcoin.network = toft::anchor::config::Network::Signet;
    let node = Node::start(dir.path(), &config).await;
    node.write("record", b"data").await;
    let now = node.anchor.now().await.expect("answers");
    assert_eq!(now.outcome, Outcome::Waiting);
    assert!(now.sentence.contains("nothing is signed"), "{}", now.sentence);
    assert_eq!(node.status().await.batches[0].state, "batched");
    assert_eq!(bitcoind.rpc("getrawmempool", json!([])), json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn switched_off_it_queues_says_so_and_touches_no_wallet() {
    let (bitcoind, dir) = (Bitcoind::start(), TempDir::new().expect("a directory"));
    let mut config = quick(&bitcoind);
    config.mode = Mode::Off;
    config.every = "100ms".parse().expect("a span");
    let node = Node::start(dir.path(), &config).await;
    let written = node.write("record", b"data").await;
    let status = node.until("queued", |s| s.queued == 2).await;
    assert!(status.sentence.contains("off, 2 items wait"), "{}", status.sentence);
    assert_eq!(node.anchor.now().await.expect("answers").outcome, Outcome::Off);
    let Err(ProofError::Pending(sentence)) = node.anchor.proof(&written.record).await else { panic!("queued") };
    assert!(sentence.contains("off"), "{sentence}");
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(node.status().await.batches, []);
    assert_eq!(bitcoind.rpc("listwallets", json!([])), json!(["miner"]));
    node.kill().await;

    config.mode = Mode::Wallet;
    bitcoind.funded_wallet();
    let node = Node::start(dir.path(), &config).await;
    node.reach("broadcast").await;
    mined(&bitcoind, &node, &written.record).await;
}

/// The second has no coins of its own: the wallet's one coin is in the first's transaction, which is replaced by one that
/// carries both.
#[tokio::test(flavor = "multi_thread")]
async fn a_batch_without_coins_rides_with_one_that_waits() {
    let (bitcoind, dir) = (Bitcoind::start(), TempDir::new().expect("a directory"));
    bitcoind.funded_wallet();
    let mut config = quick(&bitcoind);
    config.every = "300ms".parse().expect("a span");
    let node = Node::start(dir.path(), &config).await;
    let early = node.write("one", b"1").await;
    let first = node.reach("broadcast").await;
    let late = node.write("two", b"2").await;
    let both = node.until("two batches", |s| s.batches.len() == 2 && s.batches[1].state == "broadcast").await;
    assert_eq!((both.batches[1].with, &both.batches[1].txid), (Some(1), &both.batches[0].txid));
    assert_ne!(both.batches[0].txid, first.txid, "it pays more");
    assert!(both.batches[0].fee > first.fee);
    bitcoind.mine(1);
    node.reach("mined").await;
    for written in [&early, &late] {
        accepts(&bitcoind, &node.proof(&written.record).await);
    }
    bitcoind.mine(6);
    node.reach("final").await;
    assert_eq!(bitcoind.op_returns(MAGIC).len(), 1);
    node.kill().await;
    let node = Node::start(dir.path(), &config).await;
    accepts(&bitcoind, &node.proof(&late.record).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_reorganisation_the_proof_is_of_the_new_block() {
    let (bitcoind, dir) = (Bitcoind::start(), TempDir::new().expect("a directory"));
    bitcoind.funded_wallet();
    let node = Node::start(dir.path(), &quick(&bitcoind)).await;
    let written = node.write("record", b"data").await;
    node.anchor.now().await.expect("answers");
    let block = bitcoind.mine(1);
    node.reach("mined").await;
    let old = node.proof(&written.record).await;
    accepts(&bitcoind, &old);

    bitcoind.rpc("invalidateblock", json!([block[0]]));
    bitcoind.mine_only(&[]);
    bitcoind.mine_only(&[]);
    node.reach("broadcast").await;
    ots::refuses(&bitcoind, old.stamped.as_ref().expect("the bytes are here"), &old.ots);
    assert!(matches!(node.anchor.proof(&written.record).await, Err(ProofError::Pending(_))));

    bitcoind.mine(6);
    node.reach("final").await;
    let new = node.proof(&written.record).await;
    assert_ne!(new.height, old.height);
    assert_eq!(new.txid, old.txid);
    accepts(&bitcoind, &new);
    assert_eq!(bitcoind.op_returns(MAGIC).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_double_spend_is_waited_out_and_then_anchored_anew() {
    let (bitcoind, dir) = (Bitcoind::start(), TempDir::new().expect("a directory"));
    bitcoind.funded_wallet();
    let node = Node::start(dir.path(), &quick(&bitcoind)).await;
    let written = node.write("record", b"data").await;
    let first = node.anchor.now().await.expect("answers").txid.expect("signed");
    // a miner takes another spend of the same coin
    let anchor = bitcoind.rpc("getrawtransaction", json!([first, true]));
    let coin = json!({ "txid": anchor["vin"][0]["txid"], "vout": anchor["vin"][0]["vout"] });
    let (home, back) = (bitcoind.wallet("toft", "getnewaddress", json!([])), json!("0.00900000"));
    let other = bitcoind.rpc("createrawtransaction", json!([[coin], [{ home.as_str().expect("an address"): back }]]));
    let other = bitcoind.wallet("toft", "signrawtransactionwithwallet", json!([other]));
    bitcoind.mine_only(&[other["hex"].as_str().expect("signed").to_owned()]);
    let noted = node.until("a note", |s| s.batches[0].note.is_some()).await;
    assert_eq!((&*noted.batches[0].state, noted.batches[0].txid.as_ref()), ("conflicted", Some(&first)));
    bitcoind.mine(5);
    node.until("another transaction", |s| s.batches[0].txid.as_ref().is_some_and(|t| *t != first)).await;
    mined(&bitcoind, &node, &written.record).await;
    assert_eq!(bitcoind.op_returns(MAGIC).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_locked_wallet_is_named_and_used_once_it_is_unlocked() {
    let (bitcoind, dir) = (Bitcoind::start(), TempDir::new().expect("a directory"));
    bitcoind.funded_wallet();
    bitcoind.wallet("toft", "encryptwallet", json!(["secret"]));
    let node = Node::start(dir.path(), &quick(&bitcoind)).await;
    let written = node.write("record", b"data").await;
    let now = node.anchor.now().await.expect("answers");
    assert_eq!(now.outcome, Outcome::Waiting);
    assert!(now.sentence.contains("walletpassphrase"), "{}", now.sentence);
    bitcoind.wallet("toft", "walletpassphrase", json!(["secret", 60]));
    node.reach("broadcast").await;
    mined(&bitcoind, &node, &written.record).await;
}

/// The ledger is lost and no record has a proof: what the chain has is computed again, and nothing is paid for twice.
#[tokio::test(flavor = "multi_thread")]
async fn a_lost_ledger_is_computed_again_from_the_log_and_the_chain() {
    let (bitcoind, dir) = (Bitcoind::start(), TempDir::new().expect("a directory"));
    bitcoind.funded_wallet();
    let config = Config { confirmations: 2, ..quick(&bitcoind) };
    let node = Node::start(dir.path(), &config).await;
    let mut written = Vec::new();
    for batch in 0..3 {
        for n in 0..5 {
            written.push(node.write(&format!("record {batch} {n}"), format!("data {batch} {n}").as_bytes()).await);
        }
        assert_eq!(node.anchor.now().await.expect("answers").outcome, Outcome::Sent);
        bitcoind.mine(2);
        node.reach("final").await;
    }
    let late = node.write("late", b"late").await;
    let mut before = Vec::new();
    for one in &written {
        before.push(node.proof(&one.record).await.ots);
    }
    let keys = node.store.states(b"anchor/").expect("reads");
    node.kill().await;
    let store = reopened(&dir.path().join("store"));
    let gone = keys.iter().filter(|(key, _)| !key.starts_with(b"anchor/since")).map(|(key, _)| (key.to_vec(), None));
    store.put_state(gone.collect()).await.expect("is written");
    drop(store);

    let node = Node::start(dir.path(), &config).await;
    node.until("queued", |status| status.queued == 32).await;
    let rebuilt = node.anchor.rebuild().await.expect("it is found again");
    assert_eq!((rebuilt.from_records, rebuilt.from_chain, rebuilt.queued), (0, 3, 2), "{rebuilt:?}");
    assert!(rebuilt.unexplained.is_empty() && rebuilt.problem.is_none(), "{rebuilt:?}");
    for (one, before) in written.iter().zip(&before) {
        let proof = node.proof(&one.record).await;
        assert_eq!(&proof.ots, before, "to the byte");
        accepts(&bitcoind, &proof);
    }
    assert_eq!(node.anchor.now().await.expect("answers").batch, Some(4));
    bitcoind.mine(2);
    node.reach("final").await;
    accepts(&bitcoind, &node.proof(&late.record).await);
    assert_eq!(bitcoind.op_returns(MAGIC).len(), 4, "nothing is paid for again");
}

/// A root that nothing gives any more is said; what it proved is queued again.
#[tokio::test(flavor = "multi_thread")]
async fn a_root_that_nothing_explains_is_said() {
    let (bitcoind, dir) = (Bitcoind::start(), TempDir::new().expect("a directory"));
    bitcoind.funded_wallet();
    let node = Node::start(dir.path(), &quick(&bitcoind)).await;
    node.write("record", b"data").await;
    let txid = node.anchor.now().await.expect("answers").txid.expect("sent");
    bitcoind.mine(1);
    node.reach("mined").await;
    node.kill().await;

    // Another store with the same wallet.
    let other = TempDir::new().expect("a directory");
    let node = Node::start(other.path(), &quick(&bitcoind)).await;
    node.write("another", b"other data").await;
    let rebuilt = node.anchor.rebuild().await.expect("answers");
    assert_eq!((rebuilt.from_chain, rebuilt.queued, rebuilt.unexplained.clone()), (0, 2, vec![txid.clone()]));
    assert!(rebuilt.sentence.contains(&txid), "{}", rebuilt.sentence);
    bitcoind.stop();
    let rebuilt = node.anchor.rebuild().await.expect("answers");
    assert!(rebuilt.problem.is_some_and(|why| why.contains("bitcoind")), "{}", rebuilt.sentence);
    assert_eq!(rebuilt.queued, 2);
}

/// A batch whose leaves are found without a key for each. With `TOFT_LONG=1` it has a million, and stock `ots` takes a thousand of
/// their proofs.
#[tokio::test(flavor = "multi_thread")]
async fn of_a_large_batch_any_proof_is_taken() {
    let (leaves, proofs) = if std::env::var_os("TOFT_LONG").is_some() { (1_000_000, 1000) } else { (40_000, 8) };
    let (bitcoind, dir) = (Bitcoind::start(), TempDir::new().expect("a directory"));
    bitcoind.funded_wallet();
    let node = Node::start(dir.path(), &quick(&bitcoind)).await;
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..64 {
        let store = node.store.clone();
        writers.spawn(async move {
            for n in (0..leaves).skip(writer).step_by(64) {
                let record = record_number(n);
                let message = json!({
                    "recordId": record, "contextId": record,
                    "descriptor": {
                        "interface": "Records", "method": "Write", "dataFormat": "text/plain",
                        "dateCreated": "2026-01-01T00:00:00.000000Z", "messageTimestamp": "2026-01-01T00:00:00.000000Z",
                    },
                });
                let change = Change::initial(TENANT, Subject::Record(record), message).expect("encodes");
                store.commit(TENANT, None, move |_| Ok(change.clone())).await.expect("is written");
            }
        });
    }
    while let Some(written) = writers.join_next().await {
        written.expect("no panic");
    }
    let start = Instant::now();
    while node.status().await.queued < leaves as usize {
        assert!(start.elapsed() < Duration::from_secs(600), "all of it is queued");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(node.anchor.now().await.expect("answers").outcome, Outcome::Sent);
    bitcoind.mine(1);
    assert_eq!(node.reach("mined").await.leaves as u64, leaves + 1, "and the head of the audit log");
    let (mut random, mut running) = (0x2545_f491_4f6c_dd1d_u64, tokio::task::JoinSet::new());
    let bitcoind = std::sync::Arc::new(bitcoind);
    for _ in 0..proofs {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let proof = node.proof(&record_number((random >> 20) % leaves)).await;
        let bitcoind = bitcoind.clone();
        running.spawn_blocking(move || accepts(&bitcoind, &proof));
        if running.len() > 2 {
            running.join_next().await.expect("one of them").expect("stock ots takes it");
        }
    }
    while let Some(done) = running.join_next().await {
        done.expect("stock ots takes it");
    }
}

fn record_number(n: u64) -> String {
    cid::of(cid::DAG_CBOR, &n.to_be_bytes()).to_string()
}

/// Records of another tenant that say, in a block of his own making, that somebody's data is proven.
async fn false_proof(node: &Node, tenant: &str, digest: Digest) {
    let leaf = Leaf { index: 0, digest, nonce: [1; 16], codec: cid::RAW as u8 };
    let tree = Tree::of(vec![leaf.hash()]).expect("one leaf");
    let payload = [b"toft".as_slice(), &tree.root()].concat();
    let tx = Transaction {
        version: transaction::Version::TWO,
        lock_time: LockTime::ZERO,
        input: vec![TxIn::default()],
        output: vec![TxOut {
            value: Amount::ZERO,
            script_pubkey: ScriptBuf::new_op_return(PushBytesBuf::try_from(payload).expect("short")),
        }],
    };
    let header = Header {
        version: Version::TWO,
        prev_blockhash: BlockHash::all_zeros(),
        merkle_root: TxMerkleNode::from_raw_hash(tx.compute_txid().to_raw_hash()),
        time: time_of(tenant),
        bits: CompactTarget::from_consensus(0),
        nonce: 0,
    };
    let inclusion = Inclusion::new(&header, 1, &[tx.compute_txid()], tx.compute_txid()).expect("it lies there");
    let batch = Anchored {
        number: 1,
        root: tree.root(),
        size: 1,
        network: toft::anchor::config::Network::Regtest,
        genesis: native::genesis(toft::anchor::config::Network::Regtest),
        made: 1_700_000_000,
        is_final: true,
        attestations: vec![Attestation::bitcoin(serialize(&tx), inclusion, &[])],
    };
    let head = Head::new(batch, [0; 16], 1);
    let part = Part::of(&tree, &[leaf]).remove(0);
    let of_head = (records::BATCH, records::tags_of(&head), head.write());
    let of_part = (records::LEAVES, records::tags_of_part(&tree.root(), 0), part);
    for (path, tags, bytes) in [of_head, of_part] {
        let mut stage = node.blocks.stage();
        stage.push(&bytes).expect("stages");
        let data = stage.finish().expect("stages");
        let record = cid::of(cid::DAG_CBOR, format!("{path} {}", hex::encode(digest)).as_bytes()).to_string();
        let message = json!({
            "recordId": record,
            "contextId": record,
            "descriptor": {
                "interface": "Records", "method": "Write", "dataFormat": records::FORMAT, "tags": tags,
                "protocol": records::PROTOCOL, "protocolPath": path,
                "dataCid": data.root.to_string(), "dataSize": data.size,
                "dateCreated": "2026-01-01T00:00:00.000000Z", "messageTimestamp": "2026-01-01T00:00:00.000000Z",
            },
        });
        let (root, size) = (data.root, data.size);
        let change = Change {
            data: Some((root, size)),
            ..Change::initial(tenant, Subject::Record(record), message).expect("encodes")
        };
        node.store.commit(tenant, Some(data), move |_| Ok(change.clone())).await.expect("is written");
    }
}

/// Neither as long as nobody has another, nor where his message was the first to bring the data: and what the owner's records say is
/// asked before his.
#[tokio::test(flavor = "multi_thread")]
async fn a_false_proof_of_another_tenant_keeps_nobody_from_a_true_one() {
    const MALLORY: &str = "did:example:mallory";
    let (bitcoind, dir) = (Bitcoind::start(), TempDir::new().expect("a directory"));
    bitcoind.funded_wallet();
    let node = Node::start(dir.path(), &quick(&bitcoind)).await;
    node.anchor.believe(BTreeSet::from([TENANT.to_owned()]));
    let digest = cid::digest(b"what both know");
    let id = cid::from_digest(cid::RAW, &digest).to_string();
    node.write_of(MALLORY, "first", b"what both know").await;
    let written = node.write("record", b"what both know").await;
    assert_eq!(written.data.to_string(), id);
    node.until("queued", |status| status.queued == 3).await;
    false_proof(&node, MALLORY, digest).await;
    let start = Instant::now();
    while node.store.states(b"anchor/native/").expect("reads").is_empty() {
        assert!(start.elapsed() < Duration::from_secs(60), "it is noted");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let why = node.anchor.proof(&id).await.expect_err("there is no such block").to_string();
    assert!(why.contains("block 1 is not in the chain"), "{why}");
    assert_eq!(node.anchor.now().await.expect("answers").outcome, Outcome::Sent);
    bitcoind.mine(1);
    assert_eq!(
        node.reach("mined").await.leaves,
        4,
        "two messages, their data, the audit log's head, and none of the records of proofs"
    );
    accepts(&bitcoind, &node.proof(&id).await);

    // Without bitcoind what records say is told as they say it: the owner's before his, although his calls itself final.
    let own = b"what nobody else has";
    let leaf = node.write("own", own).await;
    false_proof(&node, TENANT, cid::digest(own)).await;
    false_proof(&node, MALLORY, cid::digest(own)).await;
    node.kill().await;
    let off = Config { mode: Mode::Off, ..quick(&bitcoind) };
    let node = Node::start(dir.path(), &off).await;
    let (noted, start) = ([b"anchor/native/", &cid::digest(own)[..]].concat(), Instant::now());
    while node.store.states(&noted).expect("reads").len() < 2 {
        assert!(start.elapsed() < Duration::from_secs(60), "both are noted");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    for (believed, other) in [(TENANT, MALLORY), (MALLORY, TENANT)] {
        node.anchor.believe(BTreeSet::from([believed.to_owned()]));
        let proof = node.proof(&leaf.data.to_string()).await;
        let made_by = |tenant: &str| proof.time == Some(time_of(tenant));
        assert!(made_by(believed) && !made_by(other), "{proof:?}");
    }
}

/// When the block was made that a tenant's false proof names, by which it is told.
fn time_of(tenant: &str) -> u32 {
    1_700_000_000 + tenant.len() as u32
}
