//! Everything Bitcoin does to an anchor: fees that rise, blocks that go, coins that others spend, and a bitcoind that is
//! set up otherwise than one expects. Whatever happens, a batch is in the chain once.

use crate::{
    anchor_node::{MAGIC, Node, accepts, mined, quick},
    support::{
        bitcoind::Bitcoind,
        ots,
        proxy::{Lose, Proxy},
    },
};
use serde_json::{Value, json};
use std::{net::TcpListener, time::Duration};
use tempfile::TempDir;
use toft::anchor::{Config, Outcome, ProofError, config::Mode, config::Network};

fn dir() -> TempDir {
    TempDir::new().expect("a directory")
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}

/// Pays more soon, and much.
fn impatient(bitcoind: &Bitcoind) -> Config {
    let mut config = quick(bitcoind);
    config.bitcoin.bump_after = 1;
    config
}

/// Waits until the only batch has another transaction than this one.
async fn another_than(node: &Node, txid: &str) -> String {
    let changed = |s: &toft::anchor::Status| s.batches[0].txid.as_deref().is_some_and(|t| t != txid);
    node.until("another transaction", changed).await.batches.remove(0).txid.expect("there is one")
}

fn hex_of(bitcoind: &Bitcoind, txid: &str) -> String {
    text(&bitcoind.rpc("getrawtransaction", json!([txid]))).to_owned()
}

fn inputs_of(bitcoind: &Bitcoind, hex: &str) -> Vec<Value> {
    let tx = bitcoind.rpc("decoderawtransaction", json!([hex]));
    tx["vin"].as_array().expect("inputs").iter().map(|i| json!({"txid": i["txid"], "vout": i["vout"]})).collect()
}

/// Signs an anchor whose sending is lost, and dies.
async fn signed_and_never_sent(bitcoind: &Bitcoind, dir: &TempDir) -> String {
    let proxy = Proxy::start(&bitcoind.url(), "sendrawtransaction", Lose::Request);
    let mut through = quick(bitcoind);
    through.bitcoin.rpc = proxy.url().to_owned();
    let node = Node::start(dir.path(), &through).await;
    let record = node.write("record", b"data").await.record;
    let asking = node.anchor.clone();
    let _asked = tokio::spawn(async move { asking.now().await });
    tokio::task::block_in_place(|| proxy.lost());
    node.kill().await;
    record
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_pays_more_from_the_same_coin_until_the_cap_and_either_may_be_mined() {
    for mines_the_first in [false, true] {
        let (bitcoind, dir) = (Bitcoind::start(), dir());
        bitcoind.funded_wallet();
        let mut config = impatient(&bitcoind);
        (config.bitcoin.fee_rate, config.bitcoin.max_fee_rate) = (1.0, 2.0);
        let node = Node::start(dir.path(), &config).await;
        let written = node.write("record", b"data").await;
        let first = node.anchor.now().await.expect("answers").txid.expect("signed");
        let original = hex_of(&bitcoind, &first);
        let coins = inputs_of(&bitcoind, &original);
        let (mut newest, mut fee) = (first.clone(), node.status().await.batches[0].fee);
        let capped = loop {
            bitcoind.mine_only(&[]);
            let status = node
                .until("a bump or the cap", |s| {
                    s.batches[0].state == "fee_capped" || s.batches[0].txid.as_ref() != Some(&newest)
                })
                .await;
            if status.batches[0].state == "fee_capped" {
                break status;
            }
            let batch = &status.batches[0];
            newest = batch.txid.clone().expect("signed");
            assert!(batch.fee > fee, "{batch:?}");
            fee = batch.fee;
            node.until("sent", |s| s.batches[0].state == "broadcast").await;
            assert_eq!(inputs_of(&bitcoind, &hex_of(&bitcoind, &newest)), coins, "the same coins");
        };
        let note = capped.batches[0].note.clone().expect("a note");
        assert!(note.contains("more than anchor.bitcoin.max_fee_rate = 2"), "{note}");
        assert_ne!(newest, first, "it was bumped at least once");
        assert!(fee <= Some(2 * 200), "never above the cap: {fee:?}");

        let (hex, txid) = if mines_the_first { (original, first) } else { (hex_of(&bitcoind, &newest), newest) };
        bitcoind.mine_only(&[hex]);
        let batch = node.reach("mined").await;
        assert_eq!(batch.txid, Some(txid));
        accepts(&bitcoind, &node.proof(&written.record).await);
        bitcoind.mine(6);
        node.reach("final").await;
        assert_eq!(bitcoind.op_returns(MAGIC).len(), 1);
    }
}

async fn killed_while_it_pays_more(method: &'static str, lose: Lose) {
    let (bitcoind, dir) = (Bitcoind::start(), dir());
    bitcoind.funded_wallet();
    let node = Node::start(dir.path(), &impatient(&bitcoind)).await;
    let written = node.write("record", b"data").await;
    let first = node.anchor.now().await.expect("answers").txid.expect("signed");
    node.kill().await;
    let proxy = Proxy::start(&bitcoind.url(), method, lose);
    let mut through = impatient(&bitcoind);
    through.bitcoin.rpc = proxy.url().to_owned();
    let node = Node::start(dir.path(), &through).await;
    bitcoind.mine_only(&[]);
    tokio::task::block_in_place(|| proxy.lost());
    node.kill().await;
    drop(proxy);

    let node = Node::start(dir.path(), &impatient(&bitcoind)).await;
    let second = another_than(&node, &first).await;
    node.until("sent", |s| s.batches[0].state == "broadcast" && s.batches[0].txid.as_ref() == Some(&second)).await;
    bitcoind.mine(6);
    node.reach("final").await;
    accepts(&bitcoind, &node.proof(&written.record).await);
    assert_eq!(bitcoind.op_returns(MAGIC).len(), 1, "paid once");
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_before_a_replacement_is_stored_it_pays_once() {
    killed_while_it_pays_more("finalizepsbt", Lose::Answer).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_before_a_replacement_is_sent_it_pays_once() {
    killed_while_it_pays_more("sendrawtransaction", Lose::Request).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_after_a_replacement_was_sent_it_pays_once() {
    killed_while_it_pays_more("sendrawtransaction", Lose::Answer).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bump_by_hand_counts_as_ours_before_and_after_it_is_mined() {
    for while_away in [false, true] {
        let (bitcoind, dir) = (Bitcoind::start(), dir());
        bitcoind.funded_wallet();
        let node = Node::start(dir.path(), &quick(&bitcoind)).await;
        let written = node.write("record", b"data").await;
        let first = node.anchor.now().await.expect("answers").txid.expect("signed");
        node.until("sent", |s| s.batches[0].state == "broadcast").await;
        let node = if while_away {
            node.kill().await;
            let bumped = bitcoind.wallet("toft", "bumpfee", json!([first]));
            bitcoind.mine(1);
            assert!(bumped["txid"].is_string());
            Node::start(dir.path(), &quick(&bitcoind)).await
        } else {
            let bumped = bitcoind.wallet("toft", "bumpfee", json!([first]));
            assert_eq!(another_than(&node, &first).await, text(&bumped["txid"]));
            bitcoind.mine(1);
            node
        };
        node.reach("mined").await;
        accepts(&bitcoind, &node.proof(&written.record).await);
        bitcoind.mine(8);
        node.reach("final").await;
        assert_eq!(bitcoind.op_returns(MAGIC).len(), 1);
        assert_eq!(node.anchor.now().await.expect("answers").outcome, Outcome::Nothing);
    }
}

/// With few and with usual confirmations, a block that goes takes the word "final" back, and nothing is paid again.
#[tokio::test(flavor = "multi_thread")]
async fn a_reorganisation_deeper_than_final_takes_the_word_back() {
    for (confirmations, deep) in [(1, 1), (6, 9)] {
        let (bitcoind, dir) = (Bitcoind::start(), dir());
        bitcoind.funded_wallet();
        let mut config = quick(&bitcoind);
        (config.confirmations, config.bitcoin.bump_after) = (confirmations, 144);
        let node = Node::start(dir.path(), &config).await;
        let written = node.write("record", b"data").await;
        let txid = node.anchor.now().await.expect("answers").txid;
        let block = bitcoind.mine(deep).remove(0);
        node.reach("final").await;
        let old = node.proof(&written.record).await;
        assert!(old.finished);

        bitcoind.rpc("invalidateblock", json!([block]));
        for _ in 0..=deep {
            bitcoind.mine_only(&[]);
        }
        // at export, before any poll saw it, and after
        assert!(matches!(node.anchor.proof(&written.record).await, Err(ProofError::Pending(_))));
        node.reach("broadcast").await;
        ots::refuses(&bitcoind, old.stamped.as_ref().expect("the bytes are here"), &old.ots);
        assert!(matches!(node.anchor.proof(&written.record).await, Err(ProofError::Pending(_))));

        bitcoind.mine(confirmations);
        let batch = node.reach("final").await;
        assert_eq!(batch.txid, txid);
        accepts(&bitcoind, &node.proof(&written.record).await);
        assert_eq!(bitcoind.op_returns(MAGIC).len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_that_no_mempool_saw_and_whose_coin_went_is_given_up_when_that_is_buried() {
    let (bitcoind, dir) = (Bitcoind::start(), dir());
    bitcoind.funded_wallet();
    let record = signed_and_never_sent(&bitcoind, &dir).await;
    let address = bitcoind.wallet("toft", "getnewaddress", json!([]));
    bitcoind.wallet("toft", "lockunspent", json!([true]));
    bitcoind.wallet("toft", "sendall", json!([[address]]));
    bitcoind.mine(1);
    let mut config = quick(&bitcoind);
    config.confirmations = 1;
    let node = Node::start(dir.path(), &config).await;
    let first = node.reach("conflicted").await.txid.expect("it was signed");
    bitcoind.mine(4);
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(node.status().await.batches[0].txid.as_ref(), Some(&first), "not before six, whatever final means");
    bitcoind.mine(1);
    another_than(&node, &first).await;
    bitcoind.mine(1);
    node.reach("final").await;
    accepts(&bitcoind, &node.proof(&record).await);
    assert_eq!(bitcoind.op_returns(MAGIC).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mempool_that_is_lost_is_filled_again() {
    let (bitcoind, dir) = (Bitcoind::start_with(&["-persistmempool=0", "-walletbroadcast=0"]), dir());
    bitcoind.funded_wallet_mined();
    let node = Node::start(dir.path(), &quick(&bitcoind)).await;
    let written = node.write("record", b"data").await;
    let txid = node.anchor.now().await.expect("answers").txid;
    node.until("sent", |s| s.batches[0].state == "broadcast").await;
    bitcoind.restart();
    let start = std::time::Instant::now();
    while bitcoind.rpc("getrawmempool", json!([])) != json!([txid]) {
        assert!(start.elapsed() < Duration::from_secs(60), "it is sent again");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    mined(&bitcoind, &node, &written.record).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn switched_off_nothing_is_sent_that_was_signed_before() {
    let (bitcoind, dir) = (Bitcoind::start(), dir());
    bitcoind.funded_wallet();
    let record = signed_and_never_sent(&bitcoind, &dir).await;
    let mut config = quick(&bitcoind);
    config.mode = Mode::Off;
    let node = Node::start(dir.path(), &config).await;
    tokio::time::sleep(Duration::from_millis(800)).await;
    assert_eq!(bitcoind.rpc("getrawmempool", json!([])), json!([]));
    assert_eq!(node.status().await.batches[0].state, "signed");
    node.kill().await;
    let node = Node::start(dir.path(), &quick(&bitcoind)).await;
    node.reach("broadcast").await;
    mined(&bitcoind, &node, &record).await;
    assert_eq!(bitcoind.op_returns(MAGIC).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_floor_above_the_cap_signs_nothing_until_the_cap_is_raised() {
    let (bitcoind, dir) = (Bitcoind::start(), dir());
    bitcoind.funded_wallet();
    bitcoind.flag("-minrelaytxfee=0.0005");
    bitcoind.restart();
    let node = Node::start(dir.path(), &quick(&bitcoind)).await;
    let written = node.write("record", b"data").await;
    assert_eq!(node.anchor.now().await.expect("answers").outcome, Outcome::Waiting);
    let batch = node.reach("fee_capped").await;
    let note = batch.note.expect("a note");
    assert!(note.contains("50 sat/vB") && note.contains("30.000 more") && batch.txid.is_none(), "{note}");
    node.kill().await;
    let mut config = quick(&bitcoind);
    (config.bitcoin.max_fee_rate, config.bitcoin.max_fee) = (60.0, 20_000);
    let node = Node::start(dir.path(), &config).await;
    node.reach("broadcast").await;
    mined(&bitcoind, &node, &written.record).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_than_agreed_is_paid_in_a_day_also_over_a_restart() {
    let (bitcoind, dir) = (Bitcoind::start(), dir());
    bitcoind.funded_wallet();
    let mut config = quick(&bitcoind);
    (config.bitcoin.fee_rate, config.bitcoin.max_per_day) = (2.0, 400);
    let node = Node::start(dir.path(), &config).await;
    node.write("one", b"1").await;
    assert_eq!(node.anchor.now().await.expect("answers").outcome, Outcome::Sent);
    bitcoind.mine(6);
    node.reach("final").await;
    node.kill().await;
    let node = Node::start(dir.path(), &config).await;
    node.write("two", b"2").await;
    node.anchor.now().await.expect("answers");
    let note = node.reach("fee_capped").await.note.expect("a note");
    assert!(note.contains("anchor.bitcoin.max_per_day"), "{note}");
    assert_eq!(bitcoind.op_returns(MAGIC).len(), 1);
}

/// What bitcoind is started with, and the word that a person finds in the sentence.
#[tokio::test(flavor = "multi_thread")]
async fn each_way_of_bitcoind_to_refuse_has_its_own_sentence_and_goes_on_when_it_is_gone() {
    for (flag, gone, word) in
        [("-maxtxfee=0.00001", "-maxtxfee=0.1", "-maxtxfee"), ("-datacarrier=0", "-datacarrier=1", "-datacarrier")]
    {
        let (bitcoind, dir) = (Bitcoind::start(), dir());
        bitcoind.funded_wallet();
        bitcoind.flag(flag);
        bitcoind.restart();
        let mut config = quick(&bitcoind);
        config.bitcoin.fee_rate = 10.0;
        let node = Node::start(dir.path(), &config).await;
        let written = node.write("record", b"data").await;
        let now = node.anchor.now().await.expect("answers");
        assert_eq!(now.outcome, Outcome::Waiting, "{flag}");
        assert!(now.sentence.contains(word), "{}", now.sentence);
        bitcoind.flag(gone);
        bitcoind.restart();
        node.anchor.now().await.expect("answers");
        node.reach("broadcast").await;
        mined(&bitcoind, &node, &written.record).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_relays_only_blocks_is_enough() {
    let (bitcoind, dir) = (Bitcoind::start_with(&["-blocksonly"]), dir());
    bitcoind.funded_wallet_mined();
    let node = Node::start(dir.path(), &quick(&bitcoind)).await;
    let written = node.write("record", b"data").await;
    let now = node.anchor.now().await.expect("answers");
    assert_eq!(now.outcome, Outcome::Sent, "{}", now.sentence);
    mined(&bitcoind, &node, &written.record).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chain_that_is_still_downloaded_is_waited_for() {
    let (bitcoind, dir) = (Bitcoind::start(), dir());
    bitcoind.funded_wallet();
    // two days on: the newest block it has is old
    let later = std::time::SystemTime::now() + Duration::from_secs(2 * 24 * 60 * 60);
    let later = later.duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_secs();
    bitcoind.flag(&format!("-mocktime={later}"));
    bitcoind.restart();
    let node = Node::start(dir.path(), &quick(&bitcoind)).await;
    let written = node.write("record", b"data").await;
    let now = node.anchor.now().await.expect("answers");
    assert!(now.sentence.contains("still downloading"), "{}", now.sentence);
    bitcoind.mine(1);
    node.reach("broadcast").await;
    mined(&bitcoind, &node, &written.record).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bitcoind_that_is_too_busy_is_named_and_asked_again() {
    let (bitcoind, dir) = (Bitcoind::start(), dir());
    bitcoind.funded_wallet();
    bitcoind.flag("-rpcthreads=1");
    bitcoind.flag("-rpcworkqueue=1");
    bitcoind.restart();
    let node = Node::start(dir.path(), &quick(&bitcoind)).await;
    node.write("record", b"data").await;
    let bitcoind = std::sync::Arc::new(bitcoind);
    let hogs: Vec<_> = (0..40)
        .map(|_| {
            let bitcoind = bitcoind.clone();
            tokio::task::spawn_blocking(move || bitcoind.try_rpc("", "waitfornewblock", &json!([5_000])))
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(500)).await;
    let now = node.anchor.now().await.expect("answers");
    assert!(now.sentence.contains("too busy"), "{}", now.sentence);
    for hog in hogs {
        let _ = hog.await;
    }
    node.reach("broadcast").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wallet_that_was_there_is_never_made_anew() {
    let (bitcoind, dir) = (Bitcoind::start(), dir());
    bitcoind.funded_wallet();
    let node = Node::start(dir.path(), &quick(&bitcoind)).await;
    node.write("one", b"1").await;
    assert_eq!(node.anchor.now().await.expect("answers").outcome, Outcome::Sent);
    bitcoind.mine(6);
    node.reach("final").await;
    bitcoind.stop();
    let (there, away) = (bitcoind.dir().join("wallets/toft"), bitcoind.dir().join("away"));
    let there = if there.exists() { there } else { bitcoind.dir().join("toft") };
    std::fs::rename(&there, &away).expect("it is moved");
    bitcoind.resume();
    let written = node.write("two", b"2").await;
    let now = node.anchor.now().await.expect("answers");
    assert!(now.sentence.contains("not in bitcoind any more"), "{}", now.sentence);
    assert!(!there.exists(), "no new one");
    bitcoind.stop();
    std::fs::rename(&away, &there).expect("it is moved back");
    bitcoind.resume();
    node.anchor.now().await.expect("answers");
    node.reach("broadcast").await;
    mined(&bitcoind, &node, &written.record).await;
}

/// The block is not on bitcoind's disk any more when the node comes back: a peer has it.
#[tokio::test(flavor = "multi_thread")]
async fn a_pruned_block_is_brought_from_a_peer() {
    let port = TcpListener::bind(("127.0.0.1", 0)).and_then(|l| l.local_addr()).expect("a free port").port();
    let peer = Bitcoind::start_with(&["-listen=1", &format!("-bind=127.0.0.1:{port}")]);
    let (bitcoind, dir) = (Bitcoind::bare(&["-prune=1", "-fastprune"]), dir());
    let same = || async {
        let start = std::time::Instant::now();
        while bitcoind.rpc("getbestblockhash", json!([])) != peer.rpc("getbestblockhash", json!([])) {
            assert!(start.elapsed() < Duration::from_secs(60), "it has the peer's chain");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    bitcoind.rpc("addnode", json!([format!("127.0.0.1:{port}"), "onetry"]));
    same().await;
    bitcoind.rpc("createwallet", json!(["toft"]));
    peer.fund(text(&bitcoind.wallet("toft", "getnewaddress", json!(["", "bech32"]))), "0.01");
    same().await;
    let node = Node::start(dir.path(), &quick(&bitcoind)).await;
    let written = node.write("record", b"data").await;
    let now = node.anchor.now().await.expect("answers");
    assert_eq!(now.outcome, Outcome::Sent, "{}", now.sentence);
    node.kill().await;
    peer.mine_only(&[hex_of(&bitcoind, &now.txid.expect("signed"))]);
    peer.mine(900);
    same().await;
    let connected = bitcoind.rpc("getpeerinfo", json!([]));
    bitcoind.rpc("disconnectnode", json!([connected[0]["addr"]]));
    bitcoind.rpc("pruneblockchain", json!([600]));
    let node = Node::start(dir.path(), &quick(&bitcoind)).await;
    let status = node.until("a note", |s| s.batches[0].note.as_ref().is_some_and(|n| n.contains("pruned"))).await;
    let note = status.batches[0].note.clone().expect("a note");
    assert!(note.contains("no peer"), "{note}");
    bitcoind.rpc("addnode", json!([format!("127.0.0.1:{port}"), "onetry"]));
    node.reach("final").await;
    accepts(&bitcoind, &node.proof(&written.record).await);
}

/// With the wallet that knows the block, and with one that does not: then a week of blocks is looked through at a time.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_mined_long_ago_is_found() {
    for wallet_knows in [true, false] {
        let (bitcoind, dir) = (Bitcoind::start(), dir());
        bitcoind.funded_wallet();
        let node = Node::start(dir.path(), &quick(&bitcoind)).await;
        let written = node.write("record", b"data").await;
        node.anchor.now().await.expect("answers");
        node.kill().await;
        bitcoind.mine(1);
        bitcoind.mine(1_100);
        let mut config = quick(&bitcoind);
        if !wallet_knows {
            config.bitcoin.wallet = "another".into();
        }
        let node = Node::start(dir.path(), &config).await;
        node.reach("final").await;
        accepts(&bitcoind, &node.proof(&written.record).await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proof_says_which_chain_it_is_of_whatever_the_settings_say_now() {
    let (bitcoind, dir) = (Bitcoind::start(), dir());
    bitcoind.funded_wallet();
    let node = Node::start(dir.path(), &quick(&bitcoind)).await;
    let written = node.write("record", b"data").await;
    node.anchor.now().await.expect("answers");
    bitcoind.mine(6);
    node.reach("final").await;
    node.kill().await;
    let mut config = quick(&bitcoind);
    (config.mode, config.bitcoin.network) = (Mode::Off, Network::Mainnet);
    let node = Node::start(dir.path(), &config).await;
    assert_eq!(node.proof(&written.record).await.network, Network::Regtest);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_nodes_on_one_wallet_anchor_each_of_theirs_once() {
    let (bitcoind, dirs) = (Bitcoind::start(), [dir(), dir()]);
    bitcoind.funded_wallet();
    let mut config = quick(&bitcoind);
    config.every = "200ms".parse().expect("a span");
    let (a, b) = (Node::start(dirs[0].path(), &config).await, Node::start(dirs[1].path(), &config).await);
    let (one, two) = (a.write("one", b"1").await, b.write("two", b"2").await);
    let _ = tokio::join!(a.anchor.now(), b.anchor.now());
    for _ in 0..20 {
        bitcoind.mine(1);
        tokio::time::sleep(Duration::from_millis(400)).await;
    }
    for (node, written) in [(&a, one), (&b, two)] {
        node.until("final", |s| s.batches.iter().all(|b| b.state == "final")).await;
        accepts(&bitcoind, &node.proof(&written.record).await);
    }
    assert_eq!(bitcoind.op_returns(MAGIC).len(), 2);
}

/// The node's wallet has no keys; another one signs, the first time and when it has to pay more.
#[tokio::test(flavor = "multi_thread")]
async fn who_has_the_keys_signs_elsewhere() {
    let (bitcoind, dir) = (Bitcoind::start(), dir());
    let mut config = impatient(&bitcoind);
    (config.mode, config.bitcoin.bump_after) = (Mode::Psbt, 2);
    let node = Node::start(dir.path(), &config).await;
    let written = node.write("record", b"data").await;
    let now = node.anchor.now().await.expect("answers");
    assert!(now.sentence.contains("watch-only"), "no wallet is made: {}", now.sentence);
    assert_eq!(bitcoind.rpc("listwallets", json!([])), json!(["miner"]));

    bitcoind.rpc("createwallet", json!(["signer"]));
    bitcoind.rpc("createwallet", json!(["toft", true, true]));
    let theirs = bitcoind.wallet("signer", "listdescriptors", json!([]));
    let import: Vec<Value> = theirs["descriptors"]
        .as_array()
        .expect("descriptors")
        .iter()
        .map(|d| {
            json!({ "desc": d["desc"], "timestamp": "now", "active": d["active"], "internal": d["internal"], "range": d["range"] })
        })
        .collect();
    bitcoind.wallet("toft", "importdescriptors", json!([import]));
    let address = bitcoind.wallet("toft", "getnewaddress", json!(["", "bech32"]));
    bitcoind.fund(text(&address), "0.01");
    assert_eq!(bitcoind.wallet("toft", "getwalletinfo", json!([]))["private_keys_enabled"], false);
    node.anchor.now().await.expect("answers");
    let waiting = node.reach("awaiting_signature").await;
    assert_eq!((waiting.number, waiting.txid), (1, None));

    let sign = |psbt: &str| {
        let signed = bitcoind.wallet("signer", "walletprocesspsbt", json!([psbt]));
        text(&signed["psbt"]).to_owned()
    };
    let unsigned = node.anchor.export(1).await.expect("answers").expect("it waits");
    let refused = node.anchor.import(unsigned.psbt.clone()).await.expect("answers").expect_err("not signed");
    assert!(refused.contains("not wholly signed"), "{refused}");
    let batch = node.anchor.import(sign(&unsigned.psbt)).await.expect("answers").expect("it is taken");
    let first = batch.txid.expect("it is signed");
    node.until("sent", |s| s.batches[0].state == "broadcast").await;

    bitcoind.mine_only(&[]);
    bitcoind.mine_only(&[]);
    node.until("a bump that waits", |s| s.batches[0].psbt.is_some()).await;
    let unsigned = node.anchor.export(1).await.expect("answers").expect("it waits");
    node.anchor.import(sign(&unsigned.psbt)).await.expect("answers").expect("it is taken");
    let second = another_than(&node, &first).await;
    node.until("sent", |s| s.batches[0].state == "broadcast").await;
    assert_eq!(bitcoind.rpc("getrawmempool", json!([])), json!([second]));
    bitcoind.mine(6);
    node.reach("final").await;
    accepts(&bitcoind, &node.proof(&written.record).await);
    assert_eq!(bitcoind.op_returns(MAGIC).len(), 1);
}
