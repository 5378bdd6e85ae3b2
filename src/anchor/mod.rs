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
mod receipts;
mod calendar;
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

pub use calendar::MEDIA_TYPE;
pub use config::Config;
pub use intake::{Origin, Refused};
pub use rebuild::Rebuilt;
pub use records::PROTOCOL;
pub use report::{Audited, Counts, NAMES_MAX, Scan, Unproven};
pub use shares::Shares;
pub use status::{BatchStatus, Funds, Now, Outcome, Standing, Status, Waiting};

use crate::{
    audit::Audit,
    blocks::{Blocks, Right},
    cid::{self, Cid, Digest},
    crypto::{Locked, Secret},
    dwn::Fault,
    job::{Jobs, blocking},
    memory::{self, wipe_stack},
    metrics::Metrics,
    store::{Entry, Store},
};
use anyhow::{Context as _, anyhow};
use batch::Batch;
use bytes::Bytes;
use chain::Chain;
use config::{Network, Path};
use follower::{Command, Follower, Parts, lock};
use found::Finder;
use intake::Intake;
use judge::Judge;
use leaves::{Leaf, Record};
use ledger::Ledger;
use proof::{Route, Verdict};
use queue::Queue;
use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::sync::{mpsc, oneshot, watch};
use tree::{Nonce, Sibling, Tree};

/// What the newest entry of the audit log is asked for by.
pub const AUDIT_HEAD: &str = "audit-head";
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
    store: Store,
    blocks: Blocks,
    ledger: Ledger,
    finder: Finder,
    intake: Intake,
    chain: Chain,
    judge: Judge,
    network: Network,
    /// Somebody brings roots into the chain.
    anchors: bool,
    /// bitcoind is there to be asked.
    pays: bool,
    /// Confirmations after which an anchor is final.
    last: u32,
    queue: Arc<Mutex<Queue>>,
    commands: mpsc::Sender<Command>,
    status: watch::Receiver<Status>,
    /// Of the batch that was last asked for: proofs of one batch are often wanted together.
    grown: Mutex<Option<(u64, Arc<Tree>)>>,
    audit: Audit,
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inner").field("judge", &self.judge).finish_non_exhaustive() // not the secret
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

/// How a batch's root came into a block.
struct End {
    route: Route,
    network: Network,
    txid: String,
    height: u32,
    time: Option<u32>,
    confirmations: u32,
    is_final: bool,
    /// Nothing where calendars brought it there.
    block: Option<String>,
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
        let (network, anchors) = (config.bitcoin.network, config.path().is_some());
        let (pays, commands) = (matches!(config.path(), Some(Path::Wallet | Path::Psbt)), sender);
        let grown = Mutex::default();
        let (judge, last) = (Judge::new(chain.clone()), config.confirmations);
        let inner = Inner {
            secret,
            store,
            blocks,
            ledger,
            finder,
            intake,
            chain,
            judge,
            network,
            anchors,
            pays,
            last,
            queue,
            commands,
            status,
            grown,
            audit,
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// This is its secret, from now on.
    pub fn unlock(&self, secret: Secret) {
        self.inner.secret.send_replace(Some(Arc::new(secret)));
    }

    /// Makes a batch of all that waits and sends it, without waiting for its time. Says what came of it.
    pub async fn now(&self) -> Result<Now, Fault> {
        let (reply, answer) = oneshot::channel();
        self.ask(Command::Now(reply)).await?;
        answer.await.context("the anchor has stopped")
    }

    /// The transaction of a batch that waits for a signature, or why there is none.
    pub async fn export(&self, batch: u64) -> Result<Result<Waiting, String>, Fault> {
        let (reply, answer) = oneshot::channel();
        self.ask(Command::Export(batch, reply)).await?;
        answer.await.context("the anchor has stopped")
    }

    /// Takes it back signed (a PSBT in base64), and sends it. The sentence says why it is not the one that was asked for.
    pub async fn import(&self, psbt: String) -> Result<Result<BatchStatus, String>, Fault> {
        let (reply, answer) = oneshot::channel();
        self.ask(Command::Import(psbt, reply)).await?;
        answer.await.context("the anchor has stopped")
    }

    /// Finds again what the ledger has lost: in records of proofs, in the log and in the chain. What has no proof then waits for a batch.
    /// `believed`: tenants whose records are the owner's.
    pub async fn rebuild(&self, believed: BTreeSet<String>) -> Result<Rebuilt, Fault> {
        let (reply, answer) = oneshot::channel();
        self.ask(Command::Rebuild(believed, reply)).await?;
        let rebuilt = answer.await.context("the anchor has stopped")?;
        *lock(&self.inner.grown) = None;
        rebuilt
    }

    async fn ask(&self, command: Command) -> Result<(), Fault> {
        self.inner.commands.send(command).await.map_err(|_| anyhow!("the anchor has stopped"))
    }

    /// How things stood when the task last looked.
    pub async fn status(&self) -> Result<Status, Fault> {
        Ok(self.inner.status.borrow().clone())
    }

    /// How things stand, whenever the task has looked.
    pub fn watch(&self) -> watch::Receiver<Status> {
        self.inner.status.clone()
    }

    /// Batches that do not stand in records as they are now, oldest first. `again`: nor those that could not be written for some tenant.
    pub async fn unwritten(&self, again: bool) -> Result<Vec<u64>, Fault> {
        let this = self.clone();
        blocking(move || this.inner.unwritten(again)).await
    }

    /// A batch as it is to stand in records; none that is not to. `owner`: whose is what no message brought. Fails while the anchor's
    /// secret is locked.
    pub async fn shares(&self, number: u64, owner: String) -> Result<Option<Shares>, Fault> {
        let this = self.clone();
        blocking(move || this.inner.shares(number, &owner)).await
    }

    /// This state of a batch stands in records, but for so many tenants.
    pub async fn written(&self, shares: &Shares, skipped: u32) -> Result<(), Fault> {
        self.inner.ledger.put_written(shares.number, &shares.mark, skipped).await
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
        let (this, asked) = (self.clone(), id.to_owned());
        let made =
            tokio::task::spawn_blocking(move || this.inner.proof(&asked, is_first)).await.map_err(Fault::from)??;
        let (proof, block) = made;
        // A reorganisation may have gone deeper than what counts as final, a moment ago.
        if let Some(block) = block.filter(|_| self.inner.pays) {
            let height = proof.height;
            let stands = self.inner.chain.run(move |chain| chain.stands(height, &block));
            if let Ok(Ok(None)) = tokio::time::timeout(EXPORT, stands).await {
                let text = format!("{id} has no proof now: block {height} was reorganised away; another is waited for");
                return Err(ProofError::Pending(text));
            }
        }
        Ok(proof)
    }

    /// How the proof of a record, a message or data stands.
    pub async fn standing(&self, id: &str) -> Result<Standing, ProofError> {
        let (this, id) = (self.clone(), id.to_owned());
        tokio::task::spawn_blocking(move || this.inner.standing(&id)).await.map_err(Fault::from)?
    }

    /// Looks whether everything has its proof.
    pub async fn audit(&self, scan: Scan) -> Result<Audited, Fault> {
        let this = self.clone();
        tokio::task::spawn_blocking(move || {
            let inner = &this.inner;
            let secret = inner.secret.borrow().clone();
            let Inner { store, blocks, ledger, finder, queue, .. } = &**inner;
            report::Auditor { store, blocks, ledger, finder, queue, secret: secret.as_deref() }.run(scan)
        })
        .await?
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
        self.inner.judge.verify(ots.to_vec(), digest).await
    }
}

impl Inner {
    /// What is meant, and the batch it is in: one that is in a block, if there is any. None: it waits for a batch.
    fn found(&self, id: &str, which: fn(Record) -> Leaf) -> Result<Option<(Leaf, Batch, Option<Batch>)>, ProofError> {
        let unknown = || ProofError::Unknown(format!("{id} is no record, message or data that this node has seen"));
        let head = if id == AUDIT_HEAD { self.ledger.head()? } else { None };
        let cid = head.map(|(_, hash)| cid::from_digest(cid::RAW, &hash)).or_else(|| Cid::try_from(id).ok());
        let (cid, digest) = cid.and_then(|cid| Some((cid, cid::sha256_of(&cid)?))).ok_or_else(unknown)?;
        let mut of = None;
        for leaf in self.leaves(&cid, &digest, which)? {
            let batch = self.ledger.batch(leaf.batch)?.context("a leaf without its batch")?;
            let carrier = self.ledger.carrier(&batch)?;
            let is_placed = carrier.as_ref().unwrap_or(&batch).place().is_some();
            if is_placed || of.is_none() {
                of = Some((leaf, batch, carrier));
            }
            if is_placed {
                break;
            }
        }
        if of.is_none() && !lock(&self.queue).has(&digest) && !self.intake.has(&digest) {
            return Err(unknown());
        }
        Ok(of)
    }

    fn standing(&self, id: &str) -> Result<Standing, ProofError> {
        let found = match self.found(id, |record| record.newest) {
            Ok(Some(found)) => found,
            not => {
                if let Some(proof) = self.found_proof(id, false)? {
                    return Ok(Standing::recorded(proof.finished, proof.time, proof.height));
                }
                return not.map(|_| Standing::queued(self.queued(id).to_string()));
            }
        };
        let (_, batch, carrier) = found;
        let status = self.status.borrow().clone();
        let time = carrier.as_ref().unwrap_or(&batch).place().map(|place| place.header().time);
        // What the task knows beyond what is stored: notes, confirmations.
        let shown = status.batches.iter().find(|shown| shown.number == batch.number).cloned();
        let said = shown.unwrap_or_else(|| BatchStatus::of(&batch, carrier.as_ref(), status.tip));
        Ok(Standing::of(said, time, self.last))
    }

    /// A proof, and the block it leads to, if that is known here.
    fn proof(&self, id: &str, is_first: bool) -> Result<(Proof, Option<String>), ProofError> {
        let which = if is_first { |record: Record| record.first } else { |record: Record| record.newest };
        match self.own_proof(id, which) {
            Ok(proof) => Ok(proof),
            Err(why) => self.found_proof(id, is_first)?.map(|proof| (proof, None)).ok_or(why),
        }
    }

    /// The proof that records hold, if it leads to a block.
    fn found_proof(&self, id: &str, is_first: bool) -> Result<Option<Proof>, Fault> {
        let Ok(cid) = Cid::try_from(id) else { return Ok(None) };
        let Some(digest) = cid::sha256_of(&cid) else { return Ok(None) };
        let whole = if cid.codec() == cid::DAG_PB { self.ledger.whole(&digest)? } else { None };
        for digest in whole.into_iter().chain([digest]) {
            let all = self.finder.of(&digest, None)?;
            if !all.is_empty() {
                return self.proof_of(&all, None);
            }
        }
        let Some((all, message)) = self.finder.of_record(id, is_first)? else { return Ok(None) };
        self.proof_of(&all, Some(message.into()))
    }

    fn proof_of(&self, all: &[found::Found], message: Option<Bytes>) -> Result<Option<Proof>, Fault> {
        let (Some(found), Some(ots)) = (all.first(), found::ots(all)?) else { return Ok(None) };
        let Some(height) = found.head.blocks().first().and_then(|height| u32::try_from(*height).ok()) else {
            return Ok(None); // promised by calendars
        };
        let cid = found.leaf.cid();
        let stamped = match (message, cid.codec()) {
            (Some(message), _) => Some(message),
            (None, cid::DAG_CBOR) => self.finder.message(&found.tenant, &cid)?.map(Bytes::from),
            (None, _) => self.blocks.get(Right::OWNER, &cid)?,
        };
        let transaction = found.head.transaction();
        let tip = self.status.borrow().tip;
        Ok(Some(Proof {
            ots,
            stamped,
            cid,
            network: found.head.network,
            txid: transaction.as_ref().map(|own| own.txid.to_string()).unwrap_or_default(),
            height,
            time: transaction.map(|own| own.inclusion.header().time),
            confirmations: tip.map_or(1, |tip| (tip + 1).saturating_sub(height)),
            finished: found.head.is_final,
        }))
    }

    fn unwritten(&self, again: bool) -> Result<Vec<u64>, Fault> {
        let mut found = Vec::new();
        for batch in self.ledger.batches()? {
            let anchored = self.anchored(&batch)?;
            let is_written = match self.ledger.written(batch.number)? {
                Some((mark, skipped)) => mark == shares::mark(&anchored) && !(again && skipped > 0),
                // There is nothing to say yet.
                None => anchored.attestations.is_empty(),
            };
            if !is_written {
                found.push(batch.number);
            }
        }
        Ok(found)
    }

    fn shares(&self, number: u64, owner: &str) -> Result<Option<Shares>, Fault> {
        let Some(batch) = self.ledger.batch(number)? else { return Ok(None) };
        let secret = self.secret.borrow().clone().context(Locked)?;
        let anchored = self.anchored(&batch)?;
        Shares::of((&self.store, &self.ledger), (&batch, anchored), secret.expose(), owner).map(Some)
    }

    fn anchored(&self, batch: &Batch) -> Result<native::Anchored, Fault> {
        let (carrier, receipts) = (self.ledger.carrier(batch)?, calendar::read(&self.store, batch.number)?);
        shares::anchored(batch, carrier.as_ref(), receipts.as_ref(), self.network)
    }

    fn own_proof(&self, id: &str, which: fn(Record) -> Leaf) -> Result<(Proof, Option<String>), ProofError> {
        let Some((leaf, batch, carrier)) = self.found(id, which)? else { return Err(self.queued(id)) };
        let Some(end) = self.end(&batch, carrier.as_ref())? else {
            let said = BatchStatus::of(&batch, carrier.as_ref(), None).sentence();
            return Err(ProofError::Pending(format!("{id} has no proof yet: {said}")));
        };
        let (nonce, path) = self.way(&batch, &leaf)?;
        let proof = Proof {
            ots: end.route.ots(&leaf.item.digest, &nonce, &path),
            stamped: self.stamped(&leaf)?,
            cid: leaf.item.cid(),
            network: end.network,
            txid: end.txid,
            height: end.height,
            time: end.time,
            confirmations: end.confirmations,
            finished: end.is_final,
        };
        Ok((proof, end.block))
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
        let carrier = self.ledger.carrier(&batch)?;
        let end = self.end(&batch, carrier.as_ref())?.filter(|end| end.is_final).ok_or_else(pending)?;
        let (nonce, path) = self.way(&batch, &leaf)?;
        Ok(end.route.bytes(&nonce, &path))
    }

    /// How a batch came into a block, if it did. `carrier`: the batch whose transaction carries it, if that is another.
    fn end(&self, batch: &Batch, carrier: Option<&Batch>) -> Result<Option<End>, Fault> {
        let (by, tip) = (carrier.unwrap_or(batch), self.status.borrow().tip);
        if let (Some(attempt), Some(place), Some(spend)) = (by.attempt(), by.place(), by.spend()) {
            // The attempt in the chain may be the one from before this batch rode along.
            let Some(over) = attempt.roots.path(batch.number) else { return Ok(None) };
            return Ok(Some(End {
                route: Route::new(&over, &attempt.roots.root(), &attempt.tx, place)?,
                network: spend.network,
                txid: attempt.txid.clone(),
                height: place.height,
                time: Some(place.header().time),
                confirmations: status::confirmations(by, tip),
                is_final: by.is_final(),
                block: Some(place.block()),
            }));
        }
        let Some(receipts) = calendar::read(&self.store, batch.number)?.filter(|kept| *kept.root() == batch.root)
        else {
            return Ok(None);
        };
        let (Some((height, _)), Some(stamp)) = (receipts.blocks().first().copied(), receipts.stamp()) else {
            return Ok(None);
        };
        let height = u32::try_from(height).context("a block above all")?;
        Ok(Some(End {
            route: Route::of(&stamp),
            network: self.network,
            txid: receipts.transaction().unwrap_or_default(),
            height,
            time: None,
            confirmations: tip.map_or(0, |tip| (tip + 1).saturating_sub(height)),
            is_final: true, // calendars wait for it before they answer
            block: None,
        }))
    }

    /// The nonce of a leaf and its way to the root.
    fn way(&self, batch: &Batch, leaf: &Leaf) -> Result<(Nonce, Vec<Sibling>), ProofError> {
        let secret = self.secret.borrow().clone().ok_or_else(|| ProofError::Pending(Locked.to_string()))?;
        let tree = self.tree(&secret, batch)?;
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

    /// The leaves that may be meant, the one that is wanted most first.
    fn leaves(&self, cid: &Cid, digest: &Digest, which: fn(Record) -> Leaf) -> Result<Vec<Leaf>, Fault> {
        let mut found = Vec::new();
        if cid.codec() == cid::DAG_PB
            && let Some(plain) = self.ledger.whole(digest)?
        {
            found.extend(self.ledger.leaf(&plain)?);
        }
        found.extend(self.ledger.leaf(digest)?);
        if found.is_empty() {
            found.extend(self.ledger.record(digest)?.map(which));
        }
        Ok(found)
    }

    fn queued(&self, id: &str) -> ProofError {
        let status = self.status.borrow();
        let when = match status.next {
            Some(next) => format!("the next batch is made at {next:.0}, or with \"toft anchor now\""),
            None => "anchoring is off (anchor.mode, anchor.bitcoin.spend, anchor.calendar.consent)".to_owned(),
        };
        ProofError::Pending(format!("{id} is queued: {when}"))
    }

    fn tree(&self, secret: &Secret, batch: &Batch) -> Result<Arc<Tree>, Fault> {
        if let Some((number, tree)) = &*lock(&self.grown)
            && *number == batch.number
        {
            return Ok(tree.clone());
        }
        let leaves = self.ledger.leaves(batch)?;
        let tree = follower::grow(secret.expose(), batch.number, &leaves).context("a batch without leaves")?;
        let tree = Arc::new(tree);
        *lock(&self.grown) = Some((batch.number, tree.clone()));
        Ok(tree)
    }

    fn stamped(&self, leaf: &Leaf) -> Result<Option<Bytes>, Fault> {
        let cid = leaf.item.cid();
        if cid.codec() != cid::DAG_CBOR {
            return match self.blocks.get(Right::OWNER, &cid)? {
                None if leaf.item.position == waiting::NOWHERE => self.audited(&leaf.item.digest),
                found => Ok(found),
            };
        }
        let found = self.store.entries(leaf.item.position, 1)?.into_iter().find_map(|entry| match entry {
            Entry::Message { cid: found, message, .. } if found == cid => Some(message),
            _ => None,
        });
        Ok(found)
    }

    /// What the hash of an entry of the audit log is the hash of: its line, up to where the hash stands.
    fn audited(&self, hash: &Digest) -> Result<Option<Bytes>, Fault> {
        let hash = hex::encode(hash);
        let found = self.audit.newest(1, |entry| entry.hash == hash)?.pop();
        let line = found.map(|mut entry| entry.line()).transpose()?;
        Ok(line.and_then(|line| Some(line.rsplit_once(",\"hash\":\"")?.0.to_owned().into())))
    }
}
