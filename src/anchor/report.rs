//! Whether everything has its proof: the log, entry by entry, against the batches, and each batch against its own root.
//!
//! Nothing is taken on trust that can be computed: the root of every batch is made again from its leaves, each of which must be
//! found where it lies, and the way through its transaction to its block's header is walked. Memory does not grow with the log.

use super::{
    batch::{Batch, State},
    found::Finder,
    leaves::Leaf,
    ledger::Ledger,
    proof::Route,
    queue::{Eligible, Queue},
    tree::Nonces,
    waiting::Item,
};
use crate::{
    blocks::{Blocks, Right},
    cid::{self, Digest},
    crypto::Secret,
    dwn::Fault,
    memory::{self, wipe_stack},
    store::{Position, Store},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{
    borrow::Cow,
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

/// Log entries read in one go.
const READ: usize = 256;
/// Names in one answer at most.
pub const NAMES_MAX: usize = 10_000;

/// What is to be looked at.
#[derive(Debug, Clone, Copy)]
pub struct Scan {
    /// From this position of the log on; 0: all of it.
    pub from: Position,
    /// How many names are given, of what is broken and of what waits.
    pub names: usize,
}

/// How many of one kind stand where.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "AnchorCounts")]
pub struct Counts {
    /// All that can have a proof.
    pub eligible: u64,
    /// In no batch yet.
    pub queued: u64,
    /// In a batch that is in no block yet.
    pub pending: u64,
    /// In a block, which is not deep enough to be final.
    pub mined: u64,
    /// In a block for good.
    #[serde(rename = "final")]
    pub finished: u64,
    /// Without a proof that would hold.
    pub broken: u64,
}

/// Something that has no proof, or none yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "AnchorUnproven")]
pub struct Unproven {
    /// Of a message or data; of a file of many blocks as a whole, its data CID.
    pub cid: String,
    /// message, data or file.
    pub kind: Cow<'static, str>,
    /// queued, pending or broken.
    pub state: Cow<'static, str>,
    pub batch: Option<u64>,
    /// What is broken.
    pub why: Option<String>,
}

/// What the audit has found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "AnchorAudit")]
pub struct Audited {
    /// Signed messages: each state of each record is one.
    pub messages: Counts,
    /// Data, by its root.
    pub data: Counts,
    /// Data of many blocks as one file, by its plain sha256.
    pub files: Counts,
    /// Files of which not all bytes are here, and which were never hashed: their roots alone are anchored.
    pub unhashed: u64,
    /// Data that is anchored and not on this node any more: its proof holds for who has it.
    pub gone: u64,
    pub batches: u64,
    /// Were the roots computed again? Not while the node is locked: a leaf needs its secret.
    pub roots_checked: bool,
    /// Batches whose leaves do not give their root, or whose transaction or block does not hold it, in sentences.
    pub broken_batches: Vec<String>,
    /// The first of what is broken, in the order of the log.
    pub broken: Vec<Unproven>,
    /// The first of what waits, in the order of the log.
    pub waiting: Vec<Unproven>,
    /// There are more names: from this position of the log on. (What is broken there may be among those already.)
    pub more: Option<u64>,
    /// All of it, for people.
    pub sentence: String,
}

/// Where the leaves of a batch stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Pending,
    Mined,
    Final,
}

/// What is looked at.
pub(super) struct Auditor<'a> {
    pub(super) store: &'a Store,
    pub(super) blocks: &'a Blocks,
    pub(super) ledger: &'a Ledger,
    pub(super) finder: &'a Finder,
    pub(super) queue: &'a Mutex<Queue>,
    /// None: it is locked.
    pub(super) secret: Option<&'a Secret>,
}

impl Auditor<'_> {
    /// Goes through all of it. Blocks: a second for some 100,000 entries.
    pub(super) fn run(&self, scan: Scan) -> Result<Audited, Fault> {
        let (end, read) = (*self.store.tail().borrow(), self.queue().next());
        let mut batches = BTreeMap::new();
        for batch in self.ledger.batches()? {
            batches.insert(batch.number, self.batch(&batch)?);
        }
        let mut walk = Walk { batches, read, scan, found: empty(), full: (false, false) };
        let mut at = scan.from;
        while at < end {
            let entries = self.store.entries(at, READ)?;
            let Some(last) = entries.last() else { break };
            at = last.next();
            for entry in &entries {
                let Some(eligible) = Eligible::of(self.store, entry)? else { continue };
                walk.begin();
                self.entry(&eligible, &mut walk)?;
            }
        }
        let Walk { batches, mut found, .. } = walk;
        found.batches = batches.len() as u64;
        found.roots_checked = self.secret.is_some();
        let broken = |(number, stage): (&u64, &Result<Stage, String>)| {
            Some(format!("batch {number}: {}", stage.as_ref().err()?))
        };
        found.broken_batches = batches.iter().filter_map(broken).take(scan.names.min(NAMES_MAX)).collect();
        found.sentence = sentence(&found);
        Ok(found)
    }

    /// What an entry of the log has.
    fn entry(&self, eligible: &Eligible, walk: &mut Walk) -> Result<(), Fault> {
        let tenant = eligible.tenant;
        if let Some(message) = &eligible.message {
            let place = self.place(&message.digest, tenant)?;
            walk.count("message", message, message, place, |found| &mut found.messages);
        }
        let Some(data) = &eligible.data else { return Ok(()) };
        let place = self.place(&data.digest, tenant)?;
        if matches!(place, Place::Leaf(_)) && self.blocks.locate(Right::OWNER, &data.cid())?.is_none() {
            walk.found.gone += u64::from(walk.is_first(data, &place));
        }
        walk.count("data", data, data, place, |found| &mut found.data);
        let Some(file) = eligible.file() else { return Ok(()) };
        match self.ledger.whole(&file.root)? {
            Some(plain) => {
                let place = self.place(&plain, tenant)?;
                let whole = Item { digest: plain, codec: cid::RAW as u8, position: file.position };
                walk.count("file", data, &whole, place, |found| &mut found.files);
            }
            None if self.blocks.locate(Right::OWNER, &data.cid())?.is_none() => walk.found.unhashed += 1,
            None => walk.count("file", data, data, Place::Queue(file.position), |found| &mut found.files),
        }
        Ok(())
    }

    fn place(&self, digest: &Digest, tenant: &str) -> Result<Place, Fault> {
        if let Some(leaf) = self.ledger.leaf(digest)? {
            return Ok(Place::Leaf(leaf));
        }
        if let Some(item) = self.queue().get(digest) {
            return Ok(Place::Queue(item.position));
        }
        if self.finder.covers(digest, tenant)? {
            return Ok(Place::Record);
        }
        // A batch may have been made of it between the two looks.
        Ok(self.ledger.leaf(digest)?.map_or(Place::Nowhere, Place::Leaf))
    }

    /// Where a batch stands, or what is broken about it.
    fn batch(&self, batch: &Batch) -> Result<Result<Stage, String>, Fault> {
        let digests = match self.ledger.leaves(batch) {
            Ok(digests) if digests.is_empty() => return Ok(Err("it has no leaves".into())),
            Ok(digests) => digests,
            Err(why) => return Ok(Err(format!("{why:#}"))),
        };
        if let Some(secret) = self.secret {
            let at = |leaf: usize| digests.get(leaf).copied().unwrap_or_default();
            let root = Nonces::new(secret.expose(), batch.number).root(digests.len(), at);
            wipe_stack::<{ memory::SIGNING }>();
            if root != Some(batch.root) {
                return Ok(Err("its leaves do not give the root that was anchored".into()));
            }
        }
        for (index, digest) in (0_u32..).zip(&digests) {
            match self.ledger.leaf(digest) {
                Ok(Some(leaf)) if leaf.batch != batch.number || leaf.index == index => {}
                Ok(Some(_)) => return Ok(Err(format!("leaf {index} is said to lie elsewhere in it"))),
                Ok(None) => return Ok(Err(format!("leaf {index} is not found"))),
                Err(why) => return Ok(Err(format!("{why:#}"))),
            }
        }
        let carrier = self.ledger.carrier(batch)?;
        let by = carrier.as_ref().unwrap_or(batch);
        if matches!(batch.state, State::Attested(_)) {
            return Ok(Ok(Stage::Final));
        }
        let (Some(attempt), Some(place)) = (by.attempt(), by.place()) else { return Ok(Ok(Stage::Pending)) };
        let Some(over) = attempt.roots.path(batch.number) else { return Ok(Ok(Stage::Pending)) };
        if let Err(why) = Route::new(&over, &attempt.roots.root(), &attempt.tx, place) {
            return Ok(Err(why.to_string()));
        }
        if !attempt.txid.parse().is_ok_and(|txid| place.holds(txid)) {
            return Ok(Err(format!(
                "transaction {} does not lead to the header of block {}",
                attempt.txid, place.height
            )));
        }
        Ok(Ok(if by.is_final() { Stage::Final } else { Stage::Mined }))
    }

    fn queue(&self) -> std::sync::MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where a digest was found.
enum Place {
    Leaf(Leaf),
    /// With the position of the entry that brought it.
    Queue(Position),
    /// A record proves it: another device of the person has anchored it.
    Record,
    Nowhere,
}

/// What is known on the way.
struct Walk {
    batches: BTreeMap<u64, Result<Stage, String>>,
    /// The queue has read the log up to here.
    read: Position,
    scan: Scan,
    found: Audited,
    /// Are there as many names of what is broken, and of what waits, as are wanted?
    full: (bool, bool),
}

impl Walk {
    /// Is this entry the one that brought it? What several records share counts once.
    fn is_first(&self, item: &Item, place: &Place) -> bool {
        match place {
            Place::Leaf(leaf) => leaf.item.position == item.position,
            Place::Queue(position) => *position == item.position,
            Place::Record | Place::Nowhere => true,
        }
    }

    /// Counts `item`, which people know as `named`.
    fn count(
        &mut self,
        kind: &'static str,
        named: &Item,
        item: &Item,
        place: Place,
        of: impl Fn(&mut Audited) -> &mut Counts,
    ) {
        if !self.is_first(item, &place) {
            return;
        }
        let (state, batch, why) = match &place {
            Place::Queue(_) => ("queued", None, None),
            Place::Record => ("final", None, None),
            Place::Nowhere if item.position >= self.read => ("queued", None, None),
            Place::Nowhere => ("broken", None, Some("it is in no batch, and does not wait for one".to_owned())),
            Place::Leaf(leaf) => match self.batches.get(&leaf.batch) {
                // made since
                None => ("pending", Some(leaf.batch), None),
                Some(Ok(Stage::Pending)) => ("pending", Some(leaf.batch), None),
                Some(Ok(Stage::Mined)) => ("mined", Some(leaf.batch), None),
                Some(Ok(Stage::Final)) => ("final", Some(leaf.batch), None),
                Some(Err(why)) => ("broken", Some(leaf.batch), Some(format!("batch {}: {why}", leaf.batch))),
            },
        };
        let counts = of(&mut self.found);
        counts.eligible += 1;
        let (count, list) = match state {
            "queued" => (&mut counts.queued, Some(false)),
            "pending" => (&mut counts.pending, Some(false)),
            "mined" => (&mut counts.mined, None),
            "final" => (&mut counts.finished, None),
            _ => (&mut counts.broken, Some(true)),
        };
        *count += 1;
        let Some(is_broken) = list else { return };
        let (names, is_full) = match is_broken {
            true => (&mut self.found.broken, self.full.0),
            false => (&mut self.found.waiting, self.full.1),
        };
        if is_full {
            self.found.more = Some(self.found.more.unwrap_or(item.position));
        } else {
            names.push(Unproven { cid: named.cid().to_string(), kind: kind.into(), state: state.into(), batch, why });
        }
    }

    /// Of an entry all is named, or nothing: the next page begins with one.
    fn begin(&mut self) {
        let most = self.scan.names.clamp(1, NAMES_MAX);
        self.full = (self.found.broken.len() >= most, self.found.waiting.len() >= most);
    }
}

impl Counts {
    fn add(self, other: Self) -> Self {
        Self {
            eligible: self.eligible + other.eligible,
            queued: self.queued + other.queued,
            pending: self.pending + other.pending,
            mined: self.mined + other.mined,
            finished: self.finished + other.finished,
            broken: self.broken + other.broken,
        }
    }
}

fn sentence(found: &Audited) -> String {
    let Counts { eligible, queued, pending, mined, finished, broken } = found.messages.add(found.data).add(found.files);
    let (proven, all) = (mined + finished, eligible);
    let mut parts = vec![if eligible == 0 {
        "there is nothing to prove".to_owned()
    } else if proven == eligible {
        format!("100 %: all {eligible} messages, data and files have a proof in a block")
    } else {
        format!("{:.1} %: {proven} of {all} messages, data and files have a proof in a block", rounded(proven, all))
    }];
    let also = [
        (mined, "are in a block that is not final"),
        (pending, "are in a batch that is in no block yet"),
        (queued, "wait for a batch"),
        (broken, "are BROKEN"),
        (found.unhashed, "files were not here to be hashed, so of them the roots alone are anchored"),
        (found.gone, "of the data that is anchored is not on this node any more; its proofs hold"),
    ];
    parts.extend(also.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")));
    if !found.broken_batches.is_empty() {
        parts.push(found.broken_batches.join(", "));
    }
    if !found.roots_checked && found.batches > 0 {
        parts.push("the node is locked, so no root was computed again (toft unlock)".into());
    }
    parts.join("; ")
}

/// Percent, never more than there are.
fn rounded(part: u64, of: u64) -> f64 {
    (1000 * part / of.max(1)) as f64 / 10.0
}

fn empty() -> Audited {
    let counts = Counts::default();
    Audited {
        messages: counts,
        data: counts,
        files: counts,
        unhashed: 0,
        gone: 0,
        batches: 0,
        roots_checked: false,
        broken_batches: vec![],
        broken: vec![],
        waiting: vec![],
        more: None,
        sentence: String::new(),
    }
}

#[cfg(test)]
mod tests;
