//! The anchor: new messages and data → Merkle root → Bitcoin → a standard OpenTimestamps proof for each, which
//! anybody can check with stock tools and without trusting this node.
//!
//! One task (`follower`) reads the log with a saved cursor, makes batches (`tree`, `ledger`), brings their roots
//! into the chain (`batch` decides, `chain` talks to bitcoind) and publishes how things stand; [`Anchor`] is the
//! handle everybody else holds. Proofs (`proof`, `ots`) are made when they are asked for.
//!
//! What is proven: these bytes existed before the block's time (which is true to about two hours). Not proven:
//! who wrote them. Spending is opt-in ([`config::Mode`]), and without it, without coins or without bitcoind,
//! everything waits and nothing is lost. A slow bitcoind slows nobody but the anchor.

pub mod config;
mod metrics;
pub mod ots;
pub mod tree;
pub mod proof;
pub mod batch;
mod transport;
pub mod chain;
mod receipts;
mod calendar;
mod ledger;
mod intake;
mod queue;
mod status;
mod follower;

pub use calendar::MEDIA_TYPE;
pub use config::Config;
pub use intake::{Origin, Refused};
pub use status::{BatchStatus, Now, Outcome, Status};

use crate::{
    audit::Audit,
    blocks::{Blocks, Right},
    cid::{self, Cid, Digest},
    crypto::{Locked, Secret},
    dwn::Fault,
    job::Jobs,
    memory::{self, wipe_stack},
    metrics::Metrics,
    store::{Entry, Store},
};
use anyhow::{Context as _, anyhow};
use batch::{Attempt, Batch};
use bytes::Bytes;
use chain::Chain;
use config::Network;
use follower::{Command, Follower, Parts, lock};
use intake::Intake;
use ledger::{Leaf, Ledger};
use ots::Stamp;
use proof::{Inclusion, Verdict, Way};
use queue::Queue;
use std::sync::{Arc, Mutex};
use tokio::sync::{mpsc, oneshot, watch};
use tree::{Nonce, Sibling, Tree};

/// Callers of "anchor now" that may wait at once; the next one waits to be let in.
const COMMANDS_MAX: usize = 16;

/// Handle to the anchor; cheap to clone. The task ends with the node.
#[derive(Debug, Clone)]
pub struct Anchor {
    inner: Arc<Inner>,
}

struct Inner {
    /// Nothing, as long as it is locked.
    secret: watch::Sender<Option<Arc<Secret>>>,
    store: Store,
    blocks: Blocks,
    ledger: Ledger,
    intake: Intake,
    chain: Chain,
    network: Network,
    /// Somebody brings roots into the chain.
    anchors: bool,
    queue: Arc<Mutex<Queue>>,
    commands: mpsc::Sender<Command>,
    status: watch::Receiver<Status>,
    /// The tree of the batch that was last asked for: proofs of one batch are often wanted together.
    grown: Mutex<Option<(u64, Arc<Tree>)>>,
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inner").field("chain", &self.chain).finish_non_exhaustive() // not the secret
    }
}

/// A proof and what it is of.
#[derive(Debug, Clone)]
pub struct Proof {
    /// The `.ots` file.
    pub ots: Vec<u8>,
    /// The file it stamps: a message as DAG-CBOR, or the root block of data (for data of one chunk, the data
    /// itself). `None` when this node does not have these bytes any more.
    pub stamped: Option<Bytes>,
    /// What the stamped file is called.
    pub cid: Cid,
    /// The chain it is in; an `.ots` file itself does not say.
    pub network: Network,
    pub txid: String,
    pub height: u32,
    /// What the block's miner wrote, seconds since 1970; nothing where a calendar found the block and its header is not here.
    pub time: Option<u32>,
    pub confirmations: u32,
    /// Enough confirmations; before, the block may still be reorganised away.
    pub finished: bool,
}

/// What leads from a batch's root to a block.
enum End {
    Transaction(Attempt, Inclusion),
    Calendars { stamp: Stamp, txid: String, height: u32 },
}

/// Why there is no proof.
#[derive(Debug, thiserror::Error)]
pub enum ProofError {
    #[error("{0}")]
    Unknown(String),
    /// It will come: the sentence says when.
    #[error("{0}")]
    Pending(String),
    #[error("{0:#}")]
    Fault(#[from] Fault),
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
        let intake = Intake::open(store.clone()).await.context("opening the anchor's loose digests")?;
        let parts = Parts {
            intake: intake.clone(),
            config: config.clone(),
            secret: secret.subscribe(),
            store: store.clone(),
            chain: chain.clone(),
            metrics: counted,
            audit,
            queue: queue.clone(),
            commands,
        };
        let (follower, status) = Follower::open(parts).await.context("opening the anchor's state")?;
        jobs.start("anchor", "anchors what is new in Bitcoin", |job| follower.run(job));
        let ledger = Ledger::new(store.clone());
        let (network, commands, anchors) = (config.bitcoin.network, sender, config.path().is_some());
        let grown = Mutex::default();
        let inner =
            Inner { secret, store, blocks, ledger, intake, chain, network, anchors, queue, commands, status, grown };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// This is its secret, from now on.
    pub fn unlock(&self, secret: Secret) {
        self.inner.secret.send_replace(Some(Arc::new(secret)));
    }

    /// Makes a batch of all that waits and sends it, without waiting for its time. Says what came of it.
    pub async fn now(&self) -> Result<Now, Fault> {
        let (reply, answer) = oneshot::channel();
        self.inner.commands.send(reply).await.map_err(|_| anyhow!("the anchor has stopped"))?;
        answer.await.context("the anchor has stopped")
    }

    /// How things stood when the task last looked.
    pub async fn status(&self) -> Result<Status, Fault> {
        Ok(self.inner.status.borrow().clone())
    }

    /// The proof of a record (the newest message of it that is in a batch), a message or data, by recordId,
    /// messageCid or dataCid.
    pub async fn proof(&self, id: &str) -> Result<Proof, ProofError> {
        let (this, id) = (self.clone(), id.to_owned());
        tokio::task::spawn_blocking(move || this.inner.proof(&id)).await.map_err(Fault::from)?
    }

    /// Takes a digest that is in no message; durable when this returns. Where a file's digest is in a batch or waits already, it
    /// is not taken again.
    pub async fn take(&self, digest: Digest, origin: Origin) -> Result<(), Refused> {
        if origin == Origin::Owner {
            let this = self.clone();
            let known = tokio::task::spawn_blocking(move || this.inner.is_known(&digest)).await.map_err(Fault::from)?;
            if known? {
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
    pub async fn timestamp(&self, digest: Digest) -> Result<Vec<u8>, ProofError> {
        let this = self.clone();
        tokio::task::spawn_blocking(move || this.inner.timestamp(&digest)).await.map_err(Fault::from)?
    }

    /// Checks an `.ots` file against the sha256 of some data and the chain bitcoind follows.
    pub async fn verify(&self, ots: &[u8], digest: Digest) -> Result<Verdict, chain::Error> {
        let ots = ots.to_vec();
        self.inner
            .chain
            .run(move |chain| {
                chain.tip()?; // a header of another network proves nothing here
                proof::verify(&ots, &digest, |height| chain.header_at(height))
            })
            .await
    }
}

impl Inner {
    fn proof(&self, id: &str) -> Result<Proof, ProofError> {
        let unknown = || ProofError::Unknown(format!("{id} is no record, message or data that this node has seen"));
        let digest = Cid::try_from(id).ok().and_then(|cid| cid::sha256_of(&cid)).ok_or_else(unknown)?;
        let Some(leaf) = self.leaf(&digest)? else {
            return Err(if self.is_known(&digest)? { self.queued(id) } else { unknown() });
        };
        let batch = self.ledger.batch(leaf.batch)?.context("a leaf without its batch")?;
        let Some(end) = self.end(&batch)? else {
            let said = status::BatchStatus::of(&batch, None).sentence();
            return Err(ProofError::Pending(format!("{id} has no proof yet: {said}")));
        };
        let (nonce, path) = self.way(&batch, &leaf)?;
        let tip = self.status.borrow().tip;
        let (digest, stamped, cid, network) = (&leaf.item.digest, self.stamped(&leaf)?, leaf.item.cid(), self.network);
        Ok(match end {
            End::Transaction(attempt, place) => {
                let way =
                    Way { digest, nonce: &nonce, path: &path, root: &batch.root, tx: &attempt.tx, inclusion: &place };
                Proof {
                    ots: way.ots().map_err(Fault::from)?,
                    stamped,
                    cid,
                    network,
                    txid: attempt.txid.clone(),
                    height: place.height,
                    time: Some(place.header().time),
                    confirmations: status::confirmations(&batch, tip),
                    finished: batch.is_final(),
                }
            }
            End::Calendars { stamp, txid, height } => Proof {
                ots: proof::file(digest, proof::way_to(&nonce, &path, stamp)),
                stamped,
                cid,
                network,
                txid,
                height,
                time: None,
                confirmations: tip.map_or(0, |tip| (tip + 1).saturating_sub(height)),
                finished: true, // calendars wait for it before they answer
            },
        })
    }

    fn timestamp(&self, digest: &Digest) -> Result<Vec<u8>, ProofError> {
        let pending = || ProofError::Pending("Pending confirmation in Bitcoin blockchain".into());
        if self.intake.has_strangers(digest) {
            return Err(pending());
        }
        let Some(leaf) = self.ledger.leaf(digest)?.filter(intake::is_strangers) else {
            return Err(ProofError::Unknown("Commitment not found".into()));
        };
        let batch = self.ledger.batch(leaf.batch)?.context("a leaf without its batch")?;
        let stamp = match self.end(&batch)? {
            Some(End::Transaction(attempt, place)) if batch.is_final() => {
                proof::from_root(&batch.root, &attempt.tx, &place).map_err(Fault::from)?
            }
            Some(End::Calendars { stamp, .. }) => stamp,
            _ => return Err(pending()),
        };
        let (nonce, path) = self.way(&batch, &leaf)?;
        Ok(proof::way_to(&nonce, &path, stamp).bytes())
    }

    /// How a batch came into a block, if it did.
    fn end(&self, batch: &Batch) -> Result<Option<End>, Fault> {
        if let (Some(attempt), Some(place)) = (batch.attempt(), batch.place()) {
            return Ok(Some(End::Transaction(attempt.clone(), place.clone())));
        }
        let receipts = calendar::read(&self.store, batch.number)?.filter(|kept| *kept.root() == batch.root);
        Ok(receipts.and_then(|receipts| {
            let (height, _) = *receipts.blocks().first()?;
            let txid = receipts.transaction().unwrap_or_default();
            Some(End::Calendars { stamp: receipts.stamp()?, txid, height: u32::try_from(height).ok()? })
        }))
    }

    /// The nonce of a leaf and its way to the root.
    fn way(&self, batch: &Batch, leaf: &Leaf) -> Result<(Nonce, Vec<Sibling>), ProofError> {
        let secret = self.secret.borrow().clone().ok_or_else(|| ProofError::Pending(Locked.to_string()))?;
        let tree = self.tree(&secret, leaf.batch)?;
        let nonce = tree::nonce(secret.expose(), leaf.batch, &leaf.item.digest);
        wipe_stack::<{ memory::SIGNING }>();
        let path = tree.path(leaf.index as usize).context("a leaf beyond its batch")?;
        let end = tree::climb(tree::leaf(&leaf.item.digest, &nonce), &path);
        if end != batch.root {
            let text = "the leaves do not give the root that was anchored: is this another node's secret?";
            return Err(anyhow!("anchor batch {}: {text}", batch.number).into());
        }
        Ok((nonce, path))
    }

    /// Is it in a batch, or does it wait for one?
    fn is_known(&self, digest: &Digest) -> Result<bool, Fault> {
        Ok(lock(&self.queue).has(digest) || self.intake.has(digest) || self.ledger.leaf(digest)?.is_some())
    }

    /// The leaf of a message or data, or of the record's newest message that is in a batch.
    fn leaf(&self, digest: &Digest) -> Result<Option<Leaf>, Fault> {
        if let Some(leaf) = self.ledger.leaf(digest)? {
            return Ok(Some(leaf));
        }
        self.ledger.record(digest)?.map_or(Ok(None), |message| self.ledger.leaf(&message))
    }

    fn queued(&self, id: &str) -> ProofError {
        let status = self.status.borrow();
        let when = match status.next {
            Some(next) => format!("the next batch is made at {next:.0}, or with \"toft anchor now\""),
            None => "anchoring is off (anchor.mode)".to_owned(),
        };
        ProofError::Pending(format!("{id} is queued: {when}"))
    }

    fn tree(&self, secret: &Secret, batch: u64) -> Result<Arc<Tree>, Fault> {
        if let Some((number, tree)) = &*lock(&self.grown)
            && *number == batch
        {
            return Ok(tree.clone());
        }
        let tree =
            follower::grow(secret.expose(), batch, &self.ledger.leaves(batch)?).context("a batch without leaves")?;
        let tree = Arc::new(tree);
        *lock(&self.grown) = Some((batch, tree.clone()));
        Ok(tree)
    }

    fn stamped(&self, leaf: &Leaf) -> Result<Option<Bytes>, Fault> {
        let cid = leaf.item.cid();
        if cid.codec() != cid::DAG_CBOR {
            return self.blocks.get(Right::OWNER, &cid);
        }
        let found = self.store.entries(leaf.item.position, 1)?.into_iter().find_map(|entry| match entry {
            Entry::Message { cid: found, message, .. } if found == cid => Some(message),
            _ => None,
        });
        Ok(found)
    }
}
