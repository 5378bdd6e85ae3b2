//! The anchor: new messages and data → Merkle root → Bitcoin → a standard OpenTimestamps proof for each, which
//! anybody can check with stock tools and without trusting this node.
//!
//! One task (`follower`) reads the log with a saved cursor, makes batches (`tree`, `ledger`), brings their roots
//! into the chain (`batch` decides, `chain` talks to bitcoind) and publishes how things stand; [`Anchor`] is the
//! handle everybody else holds. Proofs (`prover`) are made when they are asked for.
//!
//! What is proven: these bytes existed before the block's time (which is true to about two hours). Not proven:
//! who wrote them. Spending is opt-in ([`config::Mode`]), and without it, without coins or without bitcoind,
//! everything waits and nothing is lost. A slow bitcoind slows nobody but the anchor.

pub mod config;
mod clock;
mod metrics;
pub mod ots;
pub mod tree;
pub mod fees;
pub mod verify;
pub mod proof;
pub mod multi;
pub mod native;
pub mod records;
pub mod spend;
pub mod batch;
mod transport;
pub mod chain;
pub mod wallet;
mod coins;
pub mod headers;
pub mod judge;
mod promise;
mod receipts;
mod witness;
mod calendar;
mod buckets;
mod waiting;
mod sieve;
mod leaves;
mod ledger;
mod intake;
mod found;
mod shares;
mod queue;
mod whole;
mod rebuild;
mod status;
mod report;
mod driver;
mod follower;
mod prover;

pub use calendar::MEDIA_TYPE;
pub use config::Config;
pub use intake::{Origin, Refused};
pub use prover::{AUDIT_HEAD, Proof, ProofError};
pub use rebuild::Rebuilt;
pub use records::PROTOCOL;
pub use report::{Audited, Counts, NAMES_MAX, Scan, Unproven};
pub use shares::Shares;
pub use status::{BatchStatus, Funds, Now, Outcome, Standing, Status, Waiting};

use crate::{
    audit::Audit,
    blocks::Blocks,
    cid::Digest,
    crypto::Secret,
    dwn::Fault,
    job::{Jobs, blocking},
    metrics::Metrics,
    store::Store,
};
use anyhow::{Context as _, anyhow};
use chain::Chain;
use config::Path;
use follower::{Command, Follower, Parts};
use intake::Intake;
use judge::Judge;
use proof::Verdict;
use prover::Prover;
use queue::Queue;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::sync::{mpsc, oneshot, watch};

/// Callers of "anchor now" that may wait at once; the next one waits to be let in.
const COMMANDS_MAX: usize = 16;

/// How long bitcoind is waited for before a proof is given out as it was last known.
const EXPORT: Duration = Duration::from_secs(2);

/// Handle to the anchor; cheap to clone. The task ends with the node.
#[derive(Debug, Clone)]
pub struct Anchor {
    inner: Arc<Inner>,
}

struct Inner {
    /// Nothing, as long as it is locked.
    secret: watch::Sender<Option<Arc<Secret>>>,
    prover: Arc<Prover>,
    intake: Intake,
    chain: Chain,
    judge: Judge,
    believed: watch::Sender<BTreeSet<String>>,
    /// Somebody brings roots into the chain.
    anchors: bool,
    /// bitcoind is there to be asked.
    pays: bool,
    commands: mpsc::Sender<Command>,
    status: watch::Receiver<Status>,
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inner").field("judge", &self.judge).finish_non_exhaustive() // not the secret
    }
}

impl Anchor {
    /// Starts the task. Talks to nobody before; a bitcoind that is away is waited for. Without its secret it makes no batch and no
    /// proof until [`Anchor::unlock`].
    pub async fn start(
        config: &Config,
        (store, blocks, audit): (Store, Blocks, Audit),
        secret: Option<Secret>,
        metrics: &Metrics,
        jobs: &Jobs,
    ) -> Result<Self, Fault> {
        config.check().map_err(|sentence| anyhow!(sentence))?;
        let (chain, queue) = (Chain::new(config), Arc::new(Mutex::new(Queue::default())));
        let (sender, commands) = mpsc::channel(COMMANDS_MAX);
        let counted = metrics::Metrics::default();
        metrics.register(|registry| counted.register(registry));
        let secret = watch::Sender::new(secret.map(Arc::new));
        let believed = watch::Sender::new(BTreeSet::new());
        let intake = Intake::open(store.clone()).await.context("opening the anchor's loose digests")?;
        let parts = Parts {
            intake: intake.clone(),
            config: config.clone(),
            secret: secret.subscribe(),
            believed: believed.subscribe(),
            store: store.clone(),
            blocks: blocks.clone(),
            chain: chain.clone(),
            metrics: counted,
            audit: audit.clone(),
            queue: queue.clone(),
            commands,
        };
        let (follower, status) = Follower::open(parts).await.context("opening the anchor's state")?;
        let (ledger, finder) = (follower.ledger.clone(), follower.finder.clone());
        jobs.start("anchor", "anchors what is new in Bitcoin", |job| follower.run(job));
        let finding = finder.clone();
        jobs.start("anchor-found", "finds proofs that records hold", |job| found::keep_finding(finding, job));
        let (anchors, judge, commands) = (config.path().is_some(), Judge::new(chain.clone()), sender);
        let pays = matches!(config.path(), Some(Path::Wallet | Path::Psbt));
        let prover = Arc::new(Prover {
            secret: secret.subscribe(),
            store,
            blocks,
            ledger,
            finder,
            intake: intake.clone(),
            network: config.bitcoin.network,
            last: config.confirmations,
            queue,
            status: status.clone(),
            grown: Mutex::default(),
            audit,
        });
        let inner = Inner { secret, prover, intake, chain, judge, believed, anchors, pays, commands, status };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// This is its secret, from now on.
    pub fn unlock(&self, secret: Secret) {
        self.inner.secret.send_replace(Some(Arc::new(secret)));
    }

    /// Makes a batch of all that waits and sends it, without waiting for its time. Says what came of it.
    pub async fn now(&self) -> Result<Now, Fault> {
        let (reply, answer) = oneshot::channel();
        self.ask(Command::Now(reply), answer).await
    }

    /// The transaction of a batch that waits for a signature, or why there is none.
    pub async fn export(&self, batch: u64) -> Result<Result<Waiting, String>, Fault> {
        let (reply, answer) = oneshot::channel();
        self.ask(Command::Export(batch, reply), answer).await
    }

    /// Takes it back signed (a PSBT in base64), and sends it. The sentence says why it is not the one that was asked for.
    pub async fn import(&self, psbt: String) -> Result<Result<BatchStatus, String>, Fault> {
        let (reply, answer) = oneshot::channel();
        self.ask(Command::Import(psbt, reply), answer).await
    }

    /// Finds again what the ledger has lost: in records of proofs, in the log and in the chain. What has no proof then waits for a batch.
    pub async fn rebuild(&self) -> Result<Rebuilt, Fault> {
        let (reply, answer) = oneshot::channel();
        let rebuilt = self.ask(Command::Rebuild(reply), answer).await?;
        self.inner.prover.forget();
        rebuilt
    }

    /// The records of these tenants are the owner's: where a root lies is taken from them.
    pub fn believe(&self, tenants: BTreeSet<String>) {
        self.inner.believed.send_if_modified(|believed| {
            let is_new = *believed != tenants;
            *believed = tenants;
            is_new
        });
    }

    async fn ask<T>(&self, command: Command, answer: oneshot::Receiver<T>) -> Result<T, Fault> {
        let stopped = || anyhow!("the anchor has stopped");
        self.inner.commands.send(command).await.map_err(|_| stopped())?;
        // Without an answer, and it goes on: what it was about to do could not be done.
        answer.await.map_err(|_| match self.inner.commands.is_closed() {
            true => stopped(),
            false => anyhow!(
                "the anchor could not do it now, as when there is no room on the disk, and goes on trying what it has to do; \
                 the node's log says what stands in the way"
            ),
        })
    }

    /// How things stood when the task last looked.
    pub async fn status(&self) -> Result<Status, Fault> {
        Ok(self.inner.status.borrow().clone())
    }

    /// How things stand, whenever the task has looked.
    pub fn watch(&self) -> watch::Receiver<Status> {
        self.inner.status.clone()
    }

    /// Batches that do not stand in records as they are now (true), and those that could not be written for some tenant (false), by
    /// number.
    pub async fn unwritten(&self) -> Result<BTreeMap<u64, bool>, Fault> {
        let prover = self.inner.prover.clone();
        blocking(move || prover.unwritten()).await
    }

    /// A batch as it is to stand in records; none that is not to. `owner`: whose is what no message brought. Fails while the anchor's
    /// secret is locked.
    pub async fn shares(&self, number: u64, owner: String) -> Result<Option<Shares>, Fault> {
        let prover = self.inner.prover.clone();
        blocking(move || prover.shares(number, &owner)).await
    }

    /// This state of a batch stands in records, but for so many tenants.
    pub async fn written(&self, shares: &Shares, skipped: u32) -> Result<(), Fault> {
        self.inner.prover.ledger.put_written(shares.number, &shares.mark, skipped).await
    }

    /// Has it its secret?
    pub fn is_locked(&self) -> bool {
        self.inner.secret.borrow().is_none()
    }

    /// A proof, by what it is of:
    ///
    /// - a recordId: the newest signed message of the record that is in a batch, whatever the size of its data. It names the
    ///   data's CID, so it proves that too, for who can compute CIDs;
    /// - a messageCid: that message;
    /// - a dataCid: the data as a file that people have. Data of one chunk is what is stamped; of data of many blocks the
    ///   plain sha256 of the whole is, so that stock tools check `FILE` with `FILE.ots`: `cid` is then the raw CID of that hash,
    ///   and `stamped` is `None`, because nobody needs the file twice. Where the whole has no proof (yet) and the root
    ///   block has, it is the root block;
    /// - a raw CID (`bafkrei…`): the bytes with this sha256, be they a whole file, data of one chunk, or the root block of data of
    ///   many;
    /// - [`AUDIT_HEAD`]: the newest entry of the audit log that is in a batch.
    ///
    /// From a batch of this node, else from a record that holds proofs.
    pub async fn proof(&self, id: &str) -> Result<Proof, ProofError> {
        self.prove(id, false).await
    }

    /// As [`Anchor::proof`]; of a record the first of its messages that is in a batch.
    pub async fn first_proof(&self, id: &str) -> Result<Proof, ProofError> {
        self.prove(id, true).await
    }

    async fn prove(&self, id: &str, is_first: bool) -> Result<Proof, ProofError> {
        let (prover, asked) = (self.inner.prover.clone(), id.to_owned());
        let made = tokio::task::spawn_blocking(move || prover.proofs(&asked, is_first)).await.map_err(Fault::from)?;
        let mut left = None;
        // A reorganisation may have gone deeper than what counts as final, a moment ago; and records may tell of blocks that never were.
        for (proof, block) in made? {
            let Some(block) = block.filter(|_| self.inner.pays) else { return Ok(proof) };
            let height = proof.height;
            let stands = self.inner.chain.run(move |chain| chain.stands(height, &block));
            if !matches!(tokio::time::timeout(EXPORT, stands).await, Ok(Ok(None))) {
                return Ok(proof);
            }
            left.get_or_insert(height);
        }
        let block = left.map(|height| format!("block {height} is not in the chain")).unwrap_or_default();
        Err(ProofError::Pending(format!("{id} has no proof now: {block}; another is waited for")))
    }

    /// How the proof of a record, a message or data stands.
    pub async fn standing(&self, id: &str) -> Result<Standing, ProofError> {
        let (prover, asked) = (self.inner.prover.clone(), id.to_owned());
        let known = tokio::task::spawn_blocking(move || prover.standing(&asked)).await.map_err(Fault::from)?;
        if let Ok(Some(standing)) = known {
            return Ok(standing);
        }
        match (self.prove(id, false).await, known) {
            (Ok(proof), _) => Ok(Standing::recorded(proof.finished, proof.time, proof.height)),
            (Err(_), Err(why)) => Err(why),
            (Err(_), Ok(_)) => Ok(Standing::queued(self.inner.prover.queued(id).to_string())),
        }
    }

    /// Looks whether everything has its proof.
    pub async fn audit(&self, scan: Scan) -> Result<Audited, Fault> {
        let prover = self.inner.prover.clone();
        blocking(move || prover.audit(scan)).await
    }

    /// Takes a digest that is in no message; durable when this returns. Where a file's digest is in a batch or waits already, it
    /// is not taken again.
    pub async fn take(&self, digest: Digest, origin: Origin) -> Result<(), Refused> {
        if origin == Origin::Owner {
            let prover = self.inner.prover.clone();
            if blocking(move || prover.is_known(&digest)).await? {
                return Ok(());
            }
        }
        self.inner.intake.take(digest, origin).await
    }

    /// Does anybody bring roots into the chain under the settings?
    pub fn anchors(&self) -> bool {
        self.inner.anchors
    }

    /// The operations from a digest that a stranger has handed in ([`Anchor::take`]) to a Bitcoin block that is final. Others'
    /// digests are unknown here: whether this node keeps something is nobody's business.
    /// `turn` is held until the answer is made, also if nobody waits for it any more.
    pub async fn timestamp(&self, digest: Digest, turn: impl Send + 'static) -> Result<Vec<u8>, ProofError> {
        let prover = self.inner.prover.clone();
        let make = move || {
            let made = prover.timestamp(&digest);
            drop(turn);
            made
        };
        tokio::task::spawn_blocking(make).await.map_err(Fault::from)?
    }

    /// Checks an `.ots` file against the sha256 of some data and the chain bitcoind follows.
    pub async fn verify(&self, ots: &[u8], digest: Digest) -> Result<Verdict, chain::Error> {
        self.inner.judge.verify(ots.to_vec(), digest).await
    }
}
