//! Makes proofs when they are asked for: from a batch of this node, else from a record that holds proofs.

use super::{
    batch::Batch,
    calendar,
    config::Network,
    follower::{self, lock},
    found::{self, Finder},
    intake::{self, Intake},
    leaves::{Leaf, Record},
    ledger::Ledger,
    native,
    proof::Route,
    queue::Queue,
    report::{Audited, Auditor, Scan},
    shares::{self, Shares},
    status::{self, BatchStatus, Standing, Status},
    tree::{self, Nonce, Sibling, Tree},
    waiting,
};
use crate::{
    audit::Audit,
    blocks::{Blocks, Right},
    cid::{self, Cid, Digest},
    crypto::{Locked, Secret},
    dwn::Fault,
    memory::{self, wipe_stack},
    store::{Entry, Store},
};
use anyhow::{Context as _, anyhow};
use bytes::Bytes;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};
use tokio::sync::watch;

/// What the newest entry of the audit log is asked for by.
pub const AUDIT_HEAD: &str = "audit-head";

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

/// What proofs are made from. Its methods block.
pub(super) struct Prover {
    /// Nothing, as long as it is locked.
    pub(super) secret: watch::Receiver<Option<Arc<Secret>>>,
    pub(super) store: Store,
    pub(super) blocks: Blocks,
    pub(super) ledger: Ledger,
    pub(super) finder: Finder,
    pub(super) intake: Intake,
    /// Of the settings: calendars do not say in which chain they anchor.
    pub(super) network: Network,
    /// Confirmations after which an anchor is final.
    pub(super) last: u32,
    pub(super) queue: Arc<Mutex<Queue>>,
    pub(super) status: watch::Receiver<Status>,
    /// Of the batch that was last asked for: proofs of one batch are often wanted together.
    pub(super) grown: Mutex<Option<(u64, Arc<Tree>)>>,
    pub(super) audit: Audit,
}

impl Prover {
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
            let is_placed = batch.told_by(carrier.as_ref()).place().is_some();
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

    /// How it stands as the ledger knows it; nothing, if records alone may tell.
    pub(super) fn standing(&self, id: &str) -> Result<Option<Standing>, ProofError> {
        let Some((_, batch, carrier)) = self.found(id, |record| record.newest)? else { return Ok(None) };
        let status = self.status.borrow().clone();
        let time = batch.told_by(carrier.as_ref()).place().map(|place| place.header().time);
        // What the task knows beyond what is stored: notes, confirmations.
        let shown = status.batches.iter().find(|shown| shown.number == batch.number).cloned();
        let said = shown.unwrap_or_else(|| BatchStatus::of(&batch, carrier.as_ref(), status.tip));
        Ok(Some(Standing::of(said, time, self.last)))
    }

    /// Proofs, the one that is wanted most first, and the block that each leads to, if that is known here: the ledger's, or what records
    /// hold.
    pub(super) fn proofs(&self, id: &str, is_first: bool) -> Result<Vec<(Proof, Option<String>)>, ProofError> {
        let which = if is_first { |record: Record| record.first } else { |record: Record| record.newest };
        match self.own_proof(id, which) {
            Ok(proof) => Ok(vec![proof]),
            Err(why) => Some(self.found_proofs(id, is_first)?).filter(|found| !found.is_empty()).ok_or(why),
        }
    }

    /// Batches may have other leaves now.
    pub(super) fn forget(&self) {
        *lock(&self.grown) = None;
    }

    /// Looks whether everything has its proof.
    pub(super) fn audit(&self, scan: Scan) -> Result<Audited, Fault> {
        let secret = self.secret.borrow().clone();
        let Self { store, blocks, ledger, finder, queue, .. } = self;
        Auditor { store, blocks, ledger, finder, queue, secret: secret.as_deref() }.run(scan)
    }

    /// The proofs that records hold and that lead to blocks, one of each tenant: none of them takes another's word.
    fn found_proofs(&self, id: &str, is_first: bool) -> Result<Vec<(Proof, Option<String>)>, Fault> {
        let (Ok(cid), mut proofs) = (Cid::try_from(id), Vec::new()) else { return Ok(vec![]) };
        let digest = if cid.codec() == cid::DAG_PB { cid::sha256_of(&cid) } else { None };
        let whole = digest.map_or(Ok(None), |digest| self.ledger.whole(&digest))?;
        let whole = whole.map(|plain| cid::from_digest(cid::RAW, &plain));
        for cid in whole.into_iter().chain([cid]) {
            for found in self.finder.of(&cid)? {
                proofs.extend(self.proof_of(&found, None)?);
            }
            if !proofs.is_empty() {
                return Ok(proofs);
            }
        }
        for (found, message) in self.finder.of_record(id, is_first)? {
            proofs.extend(self.proof_of(&found, Some(message.into()))?);
        }
        Ok(proofs)
    }

    fn proof_of(&self, all: &[found::Found], message: Option<Bytes>) -> Result<Option<(Proof, Option<String>)>, Fault> {
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
        let transaction = found.head.transaction().filter(|own| own.inclusion.height == height);
        let block = transaction.as_ref().filter(|_| found.head.network == self.network);
        let block = block.map(|own| own.inclusion.block());
        let tip = self.status.borrow().tip.filter(|_| found.head.network == self.network);
        let proof = Proof {
            ots,
            stamped,
            cid,
            network: found.head.network,
            txid: transaction.as_ref().map(|own| own.txid.to_string()).unwrap_or_default(),
            height,
            time: transaction.map(|own| own.inclusion.header().time),
            confirmations: status::on_top(height, tip),
            finished: found.head.is_final,
        };
        Ok(Some((proof, block)))
    }

    /// By number, those that do not stand in records as they are now (true), and those that could not be written for all.
    pub(super) fn unwritten(&self) -> Result<BTreeMap<u64, bool>, Fault> {
        let mut found = BTreeMap::new();
        for batch in self.ledger.batches()? {
            let anchored = self.anchored(&batch)?;
            let (is_new, is_partial) = match self.ledger.written(batch.number)? {
                Some((mark, skipped)) => (mark != shares::mark(&anchored), skipped > 0),
                // There is nothing to say yet.
                None => (!anchored.attestations.is_empty(), false),
            };
            if is_new || is_partial {
                found.insert(batch.number, is_new);
            }
        }
        Ok(found)
    }

    pub(super) fn shares(&self, number: u64, owner: &str) -> Result<Option<Shares>, Fault> {
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

    pub(super) fn timestamp(&self, digest: &Digest) -> Result<Vec<u8>, ProofError> {
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
        let (by, tip) = (batch.told_by(carrier), self.status.borrow().tip);
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
            confirmations: status::on_top(height, tip),
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
    pub(super) fn is_known(&self, digest: &Digest) -> Result<bool, Fault> {
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

    pub(super) fn queued(&self, id: &str) -> ProofError {
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
