//! What the ledger held, found again after it was lost: from records of proofs, from the log, and from the chain.
//!
//! In this order. A batch that stands in records as a whole, and that this node made, is put back as it was. Of any other, the records
//! themselves are the proofs, and need no ledger. A root that an own transaction carries and no record knows is computed again: a
//! batch has what the log held at some moment and no earlier batch had, and its nonces follow from the node's secret. What nothing
//! covers waits for the next batch, and what cannot be explained is said.

use super::{
    batch::{Batch, Mined, State},
    chain::Chain,
    coins::OnChain,
    found::{self, Finder},
    ledger::Ledger,
    native::{self, Head, InBlock, Leaf, Standing},
    queue::{self, Eligible},
    records::{self, Kept},
    spend::{Attempt, Roots, Spend},
    tree::{Nonces, Tree, root_over},
    waiting::{GONE, Item, NOWHERE, Sorted, Waiting},
};
use crate::{
    audit::Audit,
    cid::{self, Digest},
    dwn::Fault,
    job::blocking,
    memory::{self, wipe_stack},
    store::{Entry, Position, Store},
};
use bitcoin::{BlockHash, Txid, hashes::Hash as _};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

/// Log entries read in one go.
const READ: usize = 256;
/// Hashes that are computed to explain one transaction: some ten seconds.
const HASHES_MAX: usize = 30_000_000;
/// Numbers that are tried for a batch of which only the root is known.
const NUMBERS_MAX: usize = 3;
/// Entries of the audit log that are tried as the head that was a leaf.
const HEADS_MAX: usize = 8;

/// What came of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[schemars(rename = "AnchorRebuilt")]
pub struct Rebuilt {
    /// Batches that stood in records and are in the ledger again.
    pub from_records: u64,
    /// Batches that were computed again from the log, and are in the chain.
    pub from_chain: u64,
    /// Messages and data whose proof is in a record alone: of other devices' batches, or of those that are not here as a whole.
    pub in_records: u64,
    /// Messages and data that wait for a batch again: no proof of them is known.
    pub queued: u64,
    /// Transactions of this wallet with a root that nothing here explains: whatever they prove is proven anew.
    pub unexplained: Vec<String>,
    /// Why the chain was not asked.
    pub problem: Option<String>,
    /// All of it, for people.
    pub sentence: String,
}

/// What it is done with.
pub(super) struct Parts {
    pub(super) store: Store,
    pub(super) ledger: Ledger,
    pub(super) finder: Finder,
    pub(super) audit: Audit,
    pub(super) secret: [u8; 32],
    /// What stands before the root in a transaction; none: there is no wallet to ask.
    pub(super) chain: Option<(Chain, Vec<u8>)>,
    /// Confirmations after which an anchor is final.
    pub(super) last: u32,
    /// Tenants whose word on where a root lies is taken: the owner's. Leaves give a root or not, whoever names them.
    pub(super) believed: BTreeSet<String>,
}

/// Puts back into the ledger what can be found. Nothing else may write to it meanwhile; who has read it reads it again afterwards.
pub(super) async fn rebuild(parts: Parts) -> Result<Rebuilt, Fault> {
    let mut rebuilt = Rebuilt::default();
    parts.finder.forget().await?;
    parts.finder.read_on().await?;
    from_records(&parts, &mut rebuilt).await?;
    from_chain(&parts, &mut rebuilt).await?;
    // From the log's beginning: what has a proof is passed over.
    parts.ledger.put_cursor(0, vec![]).await?;
    let (store, ledger, finder) = (parts.store.clone(), parts.ledger.clone(), parts.finder.clone());
    let (waiting, found) = blocking(move || waiting(&store, &ledger, &finder)).await?;
    (rebuilt.queued, rebuilt.in_records) = (waiting, found);
    rebuilt.sentence = sentence(&rebuilt);
    Ok(rebuilt)
}

fn sentence(rebuilt: &Rebuilt) -> String {
    let Rebuilt { from_records, from_chain, in_records, queued, unexplained, problem, .. } = rebuilt;
    let mut text = format!(
        "{} batches found again: {from_records} in records, {from_chain} in the chain; {in_records} messages and data are proven by \
         records alone; {queued} have no proof that can be found and wait for a batch",
        from_records + from_chain
    );
    if !unexplained.is_empty() {
        text += &format!(
            "; {} transactions carry roots that nothing here gives any more: {}",
            unexplained.len(),
            unexplained.join(", ")
        );
    }
    if let Some(problem) = problem {
        text += &format!("; the chain was not asked ({problem})");
    }
    text
}

/// A batch as all records of this node tell of it.
#[derive(Default)]
struct Told {
    /// None: nobody who is believed says where it lies.
    head: Option<Head>,
    leaves: BTreeMap<u32, Leaf>,
    /// Those that stand in the owner's records.
    owners: BTreeSet<u32>,
}

/// A root, and the size of its tree: a part that says another size puts its leaves in others' places.
type Named = (Digest, u32);

/// A batch that was lost and found again.
struct Restored {
    batch: Batch,
    sorted: Sorted,
}

async fn from_records(parts: &Parts, rebuilt: &mut Rebuilt) -> Result<(), Fault> {
    let (store, ledger, secret) = (parts.store.clone(), parts.ledger.clone(), parts.secret);
    let believed = parts.believed.clone();
    let restored = blocking(move || {
        let told = told(&store, &believed)?;
        let mut shared = sharing(&ledger.batches()?, told.values(), &native::maker(&secret));
        let mut wanted = Vec::new();
        for Told { head, leaves, owners } in told.into_values() {
            if let Some(head) = head
                && is_own(&head, &leaves, &secret)
                && ledger.batch(head.number)?.is_none()
            {
                wanted.push((head, leaves, owners));
            }
        }
        // A node that had lost its ledger before gave some number twice: the one that came into the chain first is put back, the other
        // one stays in its records.
        wanted.sort_unstable_by_key(|(head, ..)| (head.number, head.blocks().first().copied()));
        wanted.dedup_by_key(|(head, ..)| head.number);
        let places = places(&store, &ledger, wanted.iter().flat_map(|(_, leaves, _)| leaves.values()))?;
        let mut restored = Vec::new();
        for (head, leaves, owners) in wanted {
            let Some(batch) = batch_of(&head, &mut shared) else { continue };
            let items = leaves.values().map(|leaf| places.item(leaf, owners.contains(&leaf.index))).collect();
            restored.push(Restored { batch, sorted: sorted(items, &places.messages) });
        }
        Ok(restored)
    })
    .await?;
    for Restored { batch, sorted } in restored {
        parts.ledger.restore(&batch, &sorted).await?;
        rebuilt.from_records += 1;
    }
    Ok(())
}

/// What one transaction carries, and the batch that owns it, as soon as there is one.
struct Shared {
    roots: Roots,
    owner: Option<u64>,
}

/// All transactions of this node that records or the ledger tell of.
fn sharing<'a>(
    batches: &[Batch],
    told: impl Iterator<Item = &'a Told>,
    maker: &native::Maker,
) -> HashMap<Txid, Shared> {
    let mut under = BTreeMap::<Txid, Vec<(u64, Digest)>>::new();
    for head in told.filter_map(|told| told.head.as_ref()).filter(|head| head.maker == *maker) {
        if let Some(InBlock { txid, .. }) = head.transaction() {
            under.entry(txid).or_default().push((head.number, head.root));
        }
    }
    let mut all: HashMap<Txid, Shared> =
        under.into_iter().map(|(txid, roots)| (txid, Shared { roots: Roots::of(roots), owner: None })).collect();
    for batch in batches {
        if let (Some(attempt), Some(_)) = (batch.attempt(), batch.place())
            && let Ok(txid) = attempt.txid.parse()
        {
            all.insert(txid, Shared { roots: attempt.roots.clone(), owner: Some(batch.number) });
        }
    }
    all
}

/// The batch as the ledger had it. None where it shares its transaction with one that no record knows: then its way cannot be told in
/// the ledger, and its records prove it without.
fn batch_of(head: &Head, shared: &mut HashMap<Txid, Shared>) -> Option<Batch> {
    let InBlock { txid, tx, inclusion, over } = head.transaction()?;
    let shared = shared.get_mut(&txid)?;
    if shared.roots.path(head.number)? != over {
        return None;
    }
    let new = Batch::new(head.number, head.root, head.size, head.made);
    if let Some(owner) = shared.owner {
        return Some(Batch { state: State::Riding(owner), ..new });
    }
    shared.owner = Some(head.number);
    let attempt = Attempt {
        tx: tx.to_vec(),
        txid: txid.to_string(),
        fee: 0, // what was paid is not known any more
        roots: shared.roots.clone(),
        signed: head.made,
        height: inclusion.height,
    };
    let spend = Spend {
        network: head.network,
        genesis: BlockHash::from_byte_array(head.genesis).to_string(),
        sum: 0,
        attempts: vec![attempt],
        unsigned: None,
        former: vec![],
        sent: true,
    };
    let mined = Mined { txid: txid.to_string(), place: inclusion.clone() };
    let state = if head.is_final { State::Final(spend, mined) } else { State::Mined(spend, mined) };
    Some(Batch { state, ..new })
}

/// As the leaves of a batch. `messages`: with their records, in the log's order.
fn sorted(mut items: Vec<Item>, messages: &[(Digest, Digest)]) -> Sorted {
    items.sort_by_key(|item| item.position);
    let mut waiting = Waiting::default();
    items.iter().for_each(|item| waiting.add(item));
    messages.iter().for_each(|(message, record)| waiting.add_record(record, message));
    Sorted::of(&mut Arc::new(waiting))
}

/// Is it whole, in a block, and made with this secret? Anything else is left to its records.
fn is_own(head: &Head, leaves: &BTreeMap<u32, Leaf>, secret: &[u8; 32]) -> bool {
    let nonces = Nonces::new(secret, head.number);
    let own = head.maker == native::maker(secret)
        && head.standing() > Standing::Pending
        && head.transaction().is_some()
        && leaves.len() == head.size as usize
        && leaves.values().is_sorted_by(|a, b| a.digest < b.digest)
        && leaves.values().all(|leaf| leaf.nonce == nonces.of(&leaf.digest));
    wipe_stack::<{ memory::SIGNING }>();
    // Each part gives the root, and yet one that says another size may put a leaf in another's place.
    own && Tree::of(leaves.values().map(Leaf::hash).collect()).is_some_and(|tree| tree.root() == head.root)
}

/// All batches that records tell of. Blocks.
fn told(store: &Store, believed: &BTreeSet<String>) -> Result<BTreeMap<Named, Told>, Fault> {
    let (mut all, mut at) = (BTreeMap::<Named, Told>::new(), 0);
    loop {
        let entries = store.entries(at, READ)?;
        let Some(last) = entries.last() else { return Ok(all) };
        at = last.next();
        for entry in entries {
            let Entry::Message { tenant, cid, message, .. } = entry else { continue };
            if !found::is_part(&message) {
                continue;
            }
            let view = store.view(&tenant);
            let Some(Ok(part)) = found::part(&*view, &cid)? else { continue };
            let told = all.entry((part.root, part.size)).or_default();
            told.leaves.extend(part.leaves().iter().map(|leaf| (leaf.index, *leaf)));
            if !believed.contains(&tenant) {
                continue;
            }
            told.owners.extend(part.leaves().iter().map(|leaf| leaf.index));
            if let Some(Kept { head: Some(head), .. }) = records::head(&*view, &part.root)?
                && head.size == part.size
            {
                told.head = Some(match told.head.take() {
                    Some(before) => before.upgrading(head),
                    None => head,
                });
            }
        }
    }
}

/// Where the log has what is looked for.
#[derive(Default)]
struct Places {
    items: HashMap<Digest, (u8, Position)>,
    /// Messages and the records they are of, in the log's order.
    messages: Vec<(Digest, Digest)>,
}

impl Places {
    /// What the log does not have is of the audit log, if it can be; or it was deleted.
    fn item(&self, leaf: &Leaf, is_owners: bool) -> Item {
        let may_be_heads = is_owners && u64::from(leaf.codec) == cid::RAW;
        let otherwise = (leaf.codec, if may_be_heads { NOWHERE } else { GONE });
        let (codec, position) = self.items.get(&leaf.digest).copied().unwrap_or(otherwise);
        Item { digest: leaf.digest, codec, position }
    }
}

fn places<'a>(store: &Store, ledger: &Ledger, told: impl Iterator<Item = &'a Leaf>) -> Result<Places, Fault> {
    let wanted: BTreeMap<Digest, u8> = told.map(|leaf| (leaf.digest, leaf.codec)).collect();
    let (mut places, mut at) = (Places::default(), 0);
    if wanted.is_empty() {
        return Ok(places);
    }
    loop {
        let entries = store.entries(at, READ)?;
        let Some(last) = entries.last() else { return Ok(places) };
        at = last.next();
        for entry in &entries {
            let Some(eligible) = Eligible::of(store, entry)? else { continue };
            let whole = match eligible.file() {
                Some(file) => ledger.whole(&file.root)?.map(|plain| (plain, file.position)),
                None => None,
            };
            let items = [eligible.message, eligible.data].into_iter().flatten();
            for (digest, position) in items.map(|item| (item.digest, item.position)).chain(whole) {
                if let Some(codec) = wanted.get(&digest) {
                    places.items.entry(digest).or_insert((*codec, position));
                }
            }
            if let (Some(message), Some(record)) = (eligible.message, eligible.record)
                && wanted.contains_key(&message.digest)
            {
                places.messages.push((message.digest, record));
            }
        }
    }
}

async fn from_chain(parts: &Parts, rebuilt: &mut Rebuilt) -> Result<(), Fault> {
    let Some((chain, magic)) = parts.chain.clone() else {
        rebuilt.problem = Some("no wallet pays for anchors".into());
        return Ok(());
    };
    let anchors = match chain.run(move |chain| chain.anchors(&magic)).await {
        Ok(anchors) => anchors,
        Err(why) => {
            rebuilt.problem = Some(why.to_string());
            return Ok(());
        }
    };
    for on_chain in anchors {
        let (store, ledger, finder, audit) =
            (parts.store.clone(), parts.ledger.clone(), parts.finder.clone(), parts.audit.clone());
        let (txid, secret, last) = (on_chain.txid.clone(), parts.secret, parts.last);
        let explained = move || explain((&store, &ledger, &finder, &audit), (&secret, last), on_chain);
        match blocking(explained).await? {
            Explained::Known => {}
            Explained::Batch(restored) => {
                parts.ledger.restore(&restored.batch, &restored.sorted).await?;
                rebuilt.from_chain += 1;
            }
            Explained::Not => rebuilt.unexplained.push(txid),
        }
    }
    Ok(())
}

enum Explained {
    /// The ledger has it, or records.
    Known,
    Batch(Box<Restored>),
    Not,
}

/// Which batch a transaction is of: one that it alone carries. Blocks.
fn explain(
    (store, ledger, finder, audit): (&Store, &Ledger, &Finder, &Audit),
    (secret, last): (&[u8; 32], u32),
    on_chain: OnChain,
) -> Result<Explained, Fault> {
    let batches = ledger.batches()?;
    let is_its = |batch: &Batch| {
        batch.root == on_chain.root || batch.attempt().is_some_and(|attempt| attempt.txid == on_chain.txid)
    };
    if batches.iter().any(is_its) {
        return Ok(Explained::Known);
    }
    let (said, heads) = of_audit(audit, &on_chain)?;
    let taken: BTreeSet<u64> = batches.iter().map(|batch| batch.number).collect();
    let mut numbers: Vec<u64> = said.into_iter().chain((1..).take(taken.len() + NUMBERS_MAX)).collect();
    numbers.retain(|number| !taken.contains(number));
    numbers.truncate(NUMBERS_MAX);
    let (items, messages, cuts) = candidates(store, ledger, on_chain.time)?;
    for number in numbers {
        let nonces = Nonces::new(secret, number);
        let Some(items) = reproduce(&items, &cuts, &heads, &nonces, &on_chain.root) else { continue };
        let OnChain { txid, tx, root, time, inclusion, network, genesis, confirmations } = on_chain;
        let roots = Roots::of([(number, root)]);
        let attempt = Attempt { tx, txid: txid.clone(), fee: 0, roots, signed: time, height: inclusion.height };
        let attempts = vec![attempt];
        let spend = Spend { network, genesis, sum: 0, attempts, unsigned: None, former: vec![], sent: true };
        let mined = Mined { txid, place: inclusion };
        let state = if confirmations >= last { State::Final(spend, mined) } else { State::Mined(spend, mined) };
        let batch = Batch { state, ..Batch::new(number, root, items.len() as u32, time) };
        return Ok(Explained::Batch(Box::new(Restored { batch, sorted: sorted(items, &messages) })));
    }
    Ok(if finder.transactions()?.contains(&on_chain.txid) { Explained::Known } else { Explained::Not })
}

/// For which batch the audit log says that the transaction was signed, and which of its own heads may have been a leaf of that: those
/// from before, the latest first.
fn of_audit(audit: &Audit, on_chain: &OnChain) -> Result<(Option<u64>, Vec<Digest>), Fault> {
    let signed = audit.newest(1, |entry| entry.about.get("txid").is_some_and(|txid| *txid == *on_chain.txid))?.pop();
    let before = match &signed {
        Some(signed) => audit.newest(HEADS_MAX, |entry| entry.n < signed.n)?,
        None => {
            let is_before = |at: i64| u64::try_from(at).is_ok_and(|at| at <= on_chain.time);
            audit.newest(HEADS_MAX, |entry| is_before(entry.at.0.as_second()))?
        }
    };
    let hash = |hash: &str| {
        let mut digest = Digest::default();
        hex::decode_to_slice(hash, &mut digest).is_ok().then_some(digest)
    };
    let heads = before.iter().rev().filter_map(|entry| hash(&entry.hash)).collect();
    Ok((signed.and_then(|signed| signed.about.get("batch")?.as_u64()), heads))
}

type Candidates = (Vec<Item>, Vec<(Digest, Digest)>, Vec<usize>);

/// What no batch has, as the log brought it; messages and their records; and how many of the items the log held at each moment
/// up to the time (seconds since 1970), the latest first.
fn candidates(store: &Store, ledger: &Ledger, time: u64) -> Result<Candidates, Fault> {
    let (mut items, mut known, mut messages, mut cuts) = (Vec::new(), BTreeSet::new(), Vec::new(), Vec::new());
    let mut at = 0;
    loop {
        // one at a time: each is a place where the log may have ended when the batch was made
        let entries = store.entries(at, READ)?;
        let Some(last) = entries.last() else { break };
        let end = last.next();
        let late = entries.iter().find_map(|entry| match entry {
            Entry::Message { position, arrived: Some(arrived), .. } if arrived / 1000 > time => Some(*position),
            _ => None,
        });
        let found = queue::read_entries((store, ledger), None, &entries, at)?;
        for item in found.items {
            if late.is_some_and(|late| item.position >= late) || !known.insert(item.digest) {
                continue;
            }
            if items.last().is_some_and(|last: &Item| last.position != item.position) {
                cuts.push(items.len());
            }
            items.push(item);
        }
        messages.extend(found.records.into_iter().map(|(record, message)| (message, record)));
        if late.is_some() {
            break;
        }
        at = end;
    }
    cuts.push(items.len());
    cuts.reverse();
    Ok((items, messages, cuts))
}

/// The items that give this root with these nonces, if those up to one of the cuts do, alone or with one of the heads.
fn reproduce(items: &[Item], cuts: &[usize], heads: &[Digest], nonces: &Nonces, root: &Digest) -> Option<Vec<Item>> {
    let leaf = |digest: &Digest| (*digest, nonces.leaf(digest));
    let mut hashed: Vec<(Digest, Digest)> = items.iter().map(|item| leaf(&item.digest)).collect();
    let heads: Vec<Option<(Digest, Digest)>> = heads.iter().map(|head| Some(leaf(head))).chain([None]).collect();
    wipe_stack::<{ memory::SIGNING }>();
    let position: HashMap<Digest, usize> = items.iter().enumerate().map(|(at, item)| (item.digest, at)).collect();
    hashed.sort_unstable_by_key(|(digest, _)| *digest);
    let mut budget = HASHES_MAX;
    for cut in cuts.iter().copied().filter(|cut| *cut > 0) {
        hashed.retain(|(digest, _)| position.get(digest).is_some_and(|at| *at < cut));
        for head in &heads {
            budget = budget.checked_sub(cut)?;
            let at = head.map_or(hashed.len(), |(head, _)| hashed.partition_point(|(digest, _)| *digest < head));
            let count = hashed.len() + usize::from(head.is_some());
            let found = root_over(count, |leaf| match (leaf.cmp(&at), head) {
                (std::cmp::Ordering::Equal, Some((_, head))) => *head,
                (std::cmp::Ordering::Greater, Some(_)) => hashed.get(leaf - 1).map_or(Digest::default(), |leaf| leaf.1),
                _ => hashed.get(leaf).map_or(Digest::default(), |leaf| leaf.1),
            });
            if found == Some(*root) {
                let head = head.map(|(digest, _)| Item { digest, codec: cid::RAW as u8, position: NOWHERE });
                return Some(items.iter().take(cut).copied().chain(head).collect());
            }
        }
    }
    None
}

/// How many messages and data have no proof yet, and how many have one in a record alone.
fn waiting(store: &Store, ledger: &Ledger, finder: &Finder) -> Result<(u64, u64), Fault> {
    let (mut waiting, mut all) = (BTreeSet::new(), BTreeSet::new());
    let mut at = 0;
    loop {
        let entries = store.entries(at, READ)?;
        let Some(last) = entries.last() else { break };
        let end = last.next();
        let items = queue::read_entries((store, ledger), None, &entries, at)?.items;
        let covered = finder.covered(items.iter().copied())?;
        all.extend(items.iter().map(|item| item.digest));
        waiting.extend(items.iter().map(|item| item.digest).filter(|digest| !covered.contains(digest)));
        at = end;
    }
    Ok((waiting.len() as u64, (all.len() - waiting.len()) as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_computed_again_from_what_the_log_held_at_some_moment() {
        let secret = [3; 32];
        let item = |n: u32| Item { digest: cid::digest(&n.to_be_bytes()), codec: 0x71, position: u64::from(n / 2) };
        let items: Vec<Item> = (0..40).map(item).collect();
        let cuts: Vec<usize> = (1..=20).rev().map(|n| n * 2).collect();
        let heads = [cid::digest(b"a head"), cid::digest(b"another")];
        for (held, head) in [(2, None), (14, Some(0)), (40, Some(1)), (40, None)] {
            let head = head.map(|head: usize| Item { digest: heads[head], codec: 0x55, position: NOWHERE });
            let held: Vec<Item> = items[..held].iter().copied().chain(head).collect();
            let sorted = sorted(held.clone(), &[]);
            let root = Nonces::new(&secret, 5).root(sorted.len(), |leaf| sorted.digest(leaf)).expect("not empty");
            let computed = |secret, number| reproduce(&items, &cuts, &heads, &Nonces::new(secret, number), &root);
            assert_eq!(computed(&secret, 5), Some(held));
            assert!(computed(&secret, 6).is_none(), "another number has other nonces");
            assert!(computed(&[4; 32], 5).is_none(), "and another node too");
        }
    }
}
