//! Figures of the anchor: `cargo bench --bench anchor [-- --leaves 1000000]`.
//!
//! A tree and its proofs, beside `rs_merkle`'s; the closing of a batch of as many queued digests, with its memory; how long
//! finding a digest takes; what the anchor costs a write. It prints, and checks only that what it measures happened.

use bitcoin::{
    Amount, BlockHash, CompactTarget, OutPoint, ScriptBuf, Sequence, Transaction, TxIn, TxOut, Witness,
    absolute::LockTime,
    block::{Header, Version},
    consensus::encode::serialize,
    hashes::Hash as _,
    script::PushBytesBuf,
    transaction,
};
use serde_json::json;
use std::{
    error::Error,
    fs,
    path::Path,
    time::{Duration, Instant},
};
use toft::{
    anchor::{
        self, Anchor, Scan,
        config::Mode,
        proof::{Inclusion, Route},
        tree::{self, Nonces, Tree},
    },
    audit::Audit,
    blocks::Blocks,
    cid::{self, Digest},
    dwn::{Change, Stop, Subject, View},
    job::Jobs,
    metrics::Metrics,
    store::Store,
    task::Tasks,
};

const LEAVES: usize = 1_000_000;
const SECRET: [u8; 32] = [5; 32];
const ALICE: &str = "did:example:alice";

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> Outcome<()> {
    let mut args = std::env::args().skip_while(|arg| arg != "--leaves").skip(1);
    let leaves = args.next().map_or(Ok(LEAVES), |n| n.parse())?;
    trees(leaves)?;
    let dir = std::env::temp_dir().join(format!("toft-bench-anchor-{}", std::process::id()));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let outcome = runtime.block_on(async {
        closing(&dir.join("closing"), leaves).await?;
        writes(&dir.join("writes")).await
    });
    fs::remove_dir_all(&dir)?;
    outcome
}

#[derive(Clone)]
struct Rfc6962;

impl rs_merkle::Hasher for Rfc6962 {
    type Hash = Digest;

    fn hash(data: &[u8]) -> Digest {
        cid::digest(&[&[tree::LEAF], data].concat())
    }

    fn concat_and_hash(left: &Digest, right: Option<&Digest>) -> Digest {
        let Some(right) = right else { return *left };
        let mut hasher = cid::Hasher::default();
        [&[tree::NODE], &left[..], right].iter().for_each(|part| hasher.update(part));
        hasher.finish()
    }
}

/// Wall clock and processor time of `work`.
fn timed<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let (start, before) = (Instant::now(), cpu());
    let done = work();
    println!("{what}: {:.3} s, {:.2} s CPU", start.elapsed().as_secs_f64(), cpu() - before);
    done
}

fn trees(count: usize) -> Outcome<()> {
    let digests: Vec<Digest> = (0..count).map(|n| cid::digest(&n.to_be_bytes())).collect();
    let nonces = Nonces::new(&SECRET, 1);
    for _ in 0..3 {
        let leaves = timed(&format!("{count} nonces and leaves"), || nonces.leaves(&digests));
        let tree = timed("  tree, all levels", || Tree::new(&leaves)).ok_or("a tree")?;
        let root = timed("  root alone, from the leaves", || tree::root_over(count, |leaf| leaves[leaf]));
        assert_eq!(root, Some(tree.root()));
        let theirs = timed("  rs_merkle's tree", || rs_merkle::MerkleTree::<Rfc6962>::from_leaves(&leaves));
        assert_eq!(theirs.root(), root);
        let (tx, inclusion) = block(&tree.root())?;
        let route = Route::new(&[], &tree.root(), &tx, &inclusion)?;
        let start = Instant::now();
        let mut bytes = 0;
        for (index, digest) in digests.iter().enumerate() {
            let path = tree.path(index).ok_or("a path")?;
            bytes += route.ots(digest, &nonces.of(digest), &path).len();
        }
        let rate = count as f64 / start.elapsed().as_secs_f64();
        println!("  proofs exported: {rate:.0}/s, {} bytes each", bytes / count);
        let (start, few) = (Instant::now(), 20_000.min(count));
        for index in 0..few {
            std::hint::black_box(theirs.proof(&[index * (count / few)]).proof_hashes().len());
        }
        println!("  rs_merkle's proofs, hashes only: {:.0}/s", few as f64 / start.elapsed().as_secs_f64());
    }
    Ok(())
}

/// A block of 4000 transactions, one of which carries `root`.
fn block(root: &Digest) -> Outcome<(Vec<u8>, Inclusion)> {
    let payload = PushBytesBuf::try_from([b"toft".as_slice(), root].concat())?;
    let witness = Witness::from_slice(&[[1; 71].as_slice(), &[2; 33]]);
    let input =
        TxIn { previous_output: OutPoint::null(), script_sig: ScriptBuf::new(), sequence: Sequence::MAX, witness };
    let output = vec![TxOut { value: Amount::ZERO, script_pubkey: ScriptBuf::new_op_return(payload) }];
    let tx = Transaction { version: transaction::Version::TWO, lock_time: LockTime::ZERO, input: vec![input], output };
    let txid = tx.compute_txid();
    let txids: Vec<_> = (0..4000_u32)
        .map(|n| if n == 1234 { txid } else { bitcoin::Txid::from_byte_array(cid::digest(&n.to_be_bytes())) })
        .collect();
    let hashes = txids.iter().map(|txid| txid.to_raw_hash());
    let merkle_root = bitcoin::merkle_tree::calculate_root(hashes).ok_or("a root")?.into();
    let (version, prev_blockhash, bits) = (Version::TWO, BlockHash::all_zeros(), CompactTarget::from_consensus(0));
    let header = Header { version, prev_blockhash, merkle_root, time: 1_790_000_000, bits, nonce: 0 };
    Ok((serialize(&tx), Inclusion::new(&header, 77, &txids, txid)?))
}

/// A store with an anchor that makes batches and reaches no bitcoind.
struct Node {
    store: Store,
    anchor: Option<Anchor>,
    tasks: Tasks,
}

impl Node {
    async fn start(dir: &Path, anchored: bool) -> Outcome<Self> {
        let store = Store::open(&dir.join("store"), &toft::store::Config::default())?;
        let blocks = Blocks::open(&dir.join("blocks"), &toft::blocks::Config::default(), store.clone())?;
        let tasks = Tasks::default();
        let audit = Audit::open(dir, jiff::Timestamp::now())?;
        let mut config = anchor::Config { mode: Mode::Wallet, every: "1d".parse()?, ..anchor::Config::default() };
        config.bitcoin.spend = true;
        config.bitcoin.rpc = "http://127.0.0.1:1".into();
        let parts = (store.clone(), blocks, audit);
        let anchor = if anchored {
            Some(Anchor::start(&config, parts, Some(SECRET.into()), &Metrics::default(), &Jobs::new(&tasks)).await?)
        } else {
            None
        };
        Ok(Self { store, anchor, tasks })
    }

    /// Writes messages, as many writers at once as a busy node has; each is a leaf.
    async fn write(&self, range: std::ops::Range<u64>) -> Outcome<()> {
        let mut writers = tokio::task::JoinSet::new();
        for writer in 0..64 {
            let (store, range) = (self.store.clone(), range.clone());
            writers.spawn(async move {
                for n in range.skip(writer).step_by(64) {
                    let record = cid::of(cid::DAG_CBOR, &n.to_be_bytes()).to_string();
                    let message = json!({
                        "recordId": record, "contextId": record,
                        "descriptor": {
                            "interface": "Records", "method": "Write", "dataFormat": "text/plain",
                            "dateCreated": "2026-01-01T00:00:00.000000Z", "messageTimestamp": "2026-01-01T00:00:00.000000Z",
                        },
                    });
                    let change = Change::initial(ALICE, Subject::Record(record), message).expect("encodes");
                    let decide = move |_: &dyn View| -> Result<Change, Stop> { Ok(change.clone()) };
                    store.commit(ALICE, None, decide).await.expect("is written");
                }
            });
        }
        while let Some(done) = writers.join_next().await {
            done?;
        }
        Ok(())
    }

    async fn queued(&self, count: usize) -> Outcome<()> {
        let anchor = self.anchor.as_ref().ok_or("an anchor")?;
        while anchor.status().await?.queued < count {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    async fn stop(self) -> Outcome<()> {
        self.tasks.finish(Duration::from_secs(30)).await?;
        Ok(())
    }
}

async fn closing(dir: &Path, leaves: usize) -> Outcome<()> {
    fs::create_dir_all(dir)?;
    let node = Node::start(dir, false).await?;
    let start = Instant::now();
    node.write(0..leaves as u64).await?;
    println!("\n{leaves} messages written in {:.0} s", start.elapsed().as_secs_f64());
    node.stop().await?;
    let node = Node::start(dir, false).await?;
    tokio::time::sleep(Duration::from_secs(12)).await; // what is to be merged is merged
    let idle = rss();
    node.stop().await?;
    let (start, before) = (Instant::now(), cpu());
    let node = Node::start(dir, true).await?;
    node.queued(leaves).await?;
    println!(
        "queued from the log: {:.1} s, {:.1} s CPU, {} MB above idle",
        start.elapsed().as_secs_f64(),
        cpu() - before,
        rss() - idle
    );
    tokio::time::sleep(Duration::from_secs(12)).await;
    let (anchor, full) = (node.anchor.clone().ok_or("an anchor")?, rss());
    fs::write("/proc/self/clear_refs", "5")?;
    let (start, before) = (Instant::now(), cpu());
    let now = anchor.now().await?;
    let (wall, used) = (start.elapsed().as_secs_f64(), cpu() - before);
    assert!(now.batch.is_some(), "{}", now.sentence);
    println!(
        "closing: {wall:.2} s, {used:.2} s CPU; memory: {} MB above idle at most, {} MB of it the queue",
        peak() - idle,
        full - idle
    );
    tokio::time::sleep(Duration::from_secs(12)).await;
    println!("after it, the index's merging: {:.2} s CPU; {} MB above idle", cpu() - before - used, rss() - idle);
    println!("log {} MB, index {} MB", size(&dir.join("store/log")) >> 20, size(&dir.join("store/index")) >> 20);
    let (start, before) = (Instant::now(), cpu());
    let found = anchor.audit(Scan { from: 0, names: 10 }).await?;
    println!("audit: {:.1} s, {:.1} s CPU: {}", start.elapsed().as_secs_f64(), cpu() - before, found.sentence);
    assert_eq!(found.messages.pending, leaves as u64);
    lookups(&anchor, leaves as u64).await?;
    drop(anchor);
    node.stop().await
}

/// As a proof of each is asked for, which says that it has none yet.
async fn lookups(anchor: &Anchor, written: u64) -> Outcome<()> {
    for (what, from) in [("of records that are there", 0), ("of what is not", written)] {
        let (start, asked) = (Instant::now(), 5000);
        for n in 0..asked {
            let n = if from == 0 { n * 7919 % written } else { from + n };
            let id = cid::of(cid::DAG_CBOR, &n.to_be_bytes()).to_string();
            assert!(anchor.proof(&id).await.is_err());
        }
        println!("lookups {what}: {:.0} µs each", start.elapsed().as_secs_f64() * 1e6 / f64::from(asked as u32));
    }
    Ok(())
}

/// Writes with an anchor and without one, in turns.
async fn writes(dir: &Path) -> Outcome<()> {
    println!();
    let (mut rates, per_round) = ([Vec::new(), Vec::new()], 20_000);
    for round in 0..6 {
        let anchored = round % 2 == 1;
        let dir = dir.join(round.to_string());
        fs::create_dir_all(&dir)?;
        let node = Node::start(&dir, anchored).await?;
        node.write(0..2000).await?;
        let start = Instant::now();
        node.write(2000..2000 + per_round).await?;
        rates[usize::from(anchored)].push(per_round as f64 / start.elapsed().as_secs_f64());
        node.stop().await?;
        fs::remove_dir_all(&dir)?;
    }
    for (what, rates) in ["without", "with"].iter().zip(&mut rates) {
        rates.sort_by(f64::total_cmp);
        println!("64 writers {what} an anchor: {:.0}/s ({:.0} to {:.0})", rates[1], rates[0], rates[2]);
    }
    Ok(())
}

/// Processor time of this process so far, in seconds; the kernel counts it in hundredths.
fn cpu() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after = stat.rsplit(')').next().unwrap_or_default();
    after.split_whitespace().skip(11).take(2).filter_map(|n| n.parse::<f64>().ok()).sum::<f64>() / 100.0
}

/// Of this process, in MB.
fn rss() -> i64 {
    status("VmRSS:")
}

fn peak() -> i64 {
    status("VmHWM:")
}

fn status(name: &str) -> i64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().trim();
    line.split(' ').next().and_then(|kb| kb.parse::<i64>().ok()).unwrap_or_default() >> 10
}

fn size(dir: &Path) -> u64 {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    entries.map(|e| if e.path().is_dir() { size(&e.path()) } else { e.metadata().map_or(0, |m| m.len()) }).sum()
}
