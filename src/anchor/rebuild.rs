//! What the ledger held, found again after it was lost: from records of proofs, from the log, and from the chain.
//!
//! In this order. A batch that stands in records as a whole, and that this node made, is put back as it was. Of any other, the records
//! themselves are the proofs, and need no ledger. A root that an own transaction carries and no record knows is computed again: a
//! batch has what the log held at some moment and no earlier batch had, and its nonces follow from the node's secret. What nothing
//! covers waits for the next batch, and what cannot be explained is said.

use super::{
    chain::{Chain, OnChain},
    found::{self, Finder},
    ledger::{Item, Ledger, Restored},
    multi::Levels,
    native::{self, Anchored, Attestation, Head, Leaf, Standing},
    queue,
    records::{self, Kept},
    tree,
};
use crate::{
    cid::{self, Digest},
    dwn::Fault,
    job::blocking,
    memory::{self, wipe_stack},
    store::{Entry, Position, Store},
};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Log entries read in one go.
const READ: usize = 256;
/// Hashes that are computed to explain one transaction: some ten seconds.
const HASHES_MAX: usize = 30_000_000;
/// Numbers that are tried for a batch of which only the root is known.
const NUMBERS_MAX: usize = 3;

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
    parts.ledger.put_cursor(0).await?;
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
}

async fn from_records(parts: &Parts, rebuilt: &mut Rebuilt) -> Result<(), Fault> {
    let (store, ledger, secret) = (parts.store.clone(), parts.ledger.clone(), parts.secret);
    let believed = parts.believed.clone();
    let restored = blocking(move || {
        let mut wanted = Vec::new();
        for Told { head, leaves } in told(&store, &believed)?.into_values() {
            if let Some(head) = head
                && is_own(&head, &leaves, &secret)
                && ledger.batch(head.number)?.is_none()
            {
                wanted.push((head, leaves));
            }
        }
        let places = places(&store, &wanted)?;
        let mut restored = Vec::new();
        for (head, leaves) in wanted {
            let items: Vec<Item> = leaves.values().map(|leaf| places.item(leaf)).collect();
            let records = places.records(&items);
            restored.push(Restored { batch: anchored(head), items, records });
        }
        Ok(restored)
    })
    .await?;
    for restored in restored {
        parts.ledger.restore(&restored).await?;
        rebuilt.from_records += 1;
    }
    Ok(())
}

/// Is it whole, in a block, and made with this secret? Anything else is left to its records.
fn is_own(head: &Head, leaves: &BTreeMap<u32, Leaf>, secret: &[u8; 32]) -> bool {
    let own = head.maker == native::maker(secret)
        && head.standing() > Standing::Pending
        && head.transaction().is_some()
        && leaves.len() == head.size as usize
        && leaves.values().all(|leaf| leaf.nonce == tree::nonce(secret, head.number, &leaf.digest));
    wipe_stack::<{ memory::SIGNING }>();
    // Each part gives the root, and yet one that says another size may put a leaf in another's place.
    own && Levels::new(leaves.values().map(Leaf::hash).collect()).is_some_and(|levels| levels.root() == head.root)
}

fn anchored(head: Head) -> Anchored {
    let Head { number, root, size, network, genesis, made, is_final, attestations, .. } = head;
    Anchored { number, root, size, network, genesis, made, is_final, attestations }
}

/// All batches that records tell of, by root. Blocks.
fn told(store: &Store, believed: &BTreeSet<String>) -> Result<BTreeMap<Digest, Told>, Fault> {
    let (mut all, mut at) = (BTreeMap::<Digest, Told>::new(), 0);
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
            let leaves = part.leaves().iter().map(|leaf| (leaf.index, *leaf));
            let told = all.entry(part.root).or_default();
            told.leaves.extend(leaves);
            if believed.contains(&tenant)
                && let Some(Kept { head: Some(head), .. }) = records::head(&*view, &part.root)?
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
    /// What the log does not have any more has no place.
    fn item(&self, leaf: &Leaf) -> Item {
        let (codec, position) = self.items.get(&leaf.digest).copied().unwrap_or((leaf.codec, 0));
        Item { digest: leaf.digest, codec, position }
    }

    /// The records of these, and the newest message of each that is among them.
    fn records(&self, items: &[Item]) -> Vec<(Digest, Digest)> {
        let among: BTreeSet<Digest> = items.iter().map(|item| item.digest).collect();
        let newest: HashMap<Digest, Digest> = self
            .messages
            .iter()
            .filter(|(message, _)| among.contains(message))
            .map(|(message, record)| (*record, *message))
            .collect();
        newest.into_iter().collect()
    }
}

fn places(store: &Store, told: &[(Head, BTreeMap<u32, Leaf>)]) -> Result<Places, Fault> {
    let wanted: BTreeMap<Digest, u8> =
        told.iter().flat_map(|(_, leaves)| leaves.values()).map(|leaf| (leaf.digest, leaf.codec)).collect();
    let (mut places, mut at) = (Places::default(), 0);
    if wanted.is_empty() {
        return Ok(places);
    }
    loop {
        let entries = store.entries(at, READ)?;
        let Some(last) = entries.last() else { return Ok(places) };
        at = last.next();
        for entry in entries {
            let Entry::Message { position, cid, message, data, .. } = entry else { continue };
            let digests =
                [Some(cid), data.map(|(cid, _)| cid)].into_iter().flatten().filter_map(|cid| cid::sha256_of(&cid));
            for digest in digests {
                if let Some(codec) = wanted.get(&digest) {
                    places.items.entry(digest).or_insert((*codec, position));
                }
            }
            if let Some(digest) = cid::sha256_of(&cid)
                && wanted.contains_key(&digest)
                && let Some(record) = queue::record(&cid::decode(&message).unwrap_or_default())
            {
                places.messages.push((digest, record));
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
        let (store, ledger, finder, secret) =
            (parts.store.clone(), parts.ledger.clone(), parts.finder.clone(), parts.secret);
        let (txid, last) = (on_chain.txid.clone(), parts.last);
        let explained = blocking(move || explain(&store, &ledger, &finder, (&secret, last), on_chain)).await?;
        match explained {
            Explained::Known => {}
            Explained::Batch(restored) => {
                parts.ledger.restore(&restored).await?;
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

/// Which batch a transaction is of. Blocks.
fn explain(
    store: &Store,
    ledger: &Ledger,
    finder: &Finder,
    (secret, last): (&[u8; 32], u32),
    on_chain: OnChain,
) -> Result<Explained, Fault> {
    let batches = ledger.batches()?;
    if batches.iter().any(|batch| batch.root == on_chain.root) {
        return Ok(Explained::Known);
    }
    let taken: BTreeSet<u64> = batches.iter().map(|batch| batch.number).collect();
    let numbers = (1..).filter(|number| !taken.contains(number)).take(NUMBERS_MAX);
    let (items, messages, cuts) = candidates(store, ledger, on_chain.time)?;
    for number in numbers {
        let Some(mut items) = reproduce(&items, &cuts, (secret, number), &on_chain.root) else { continue };
        items.sort_unstable_by_key(|item| item.digest);
        let places = Places { items: HashMap::new(), messages };
        let records = places.records(&items);
        let batch = Anchored {
            number,
            root: on_chain.root,
            size: items.len() as u32,
            network: on_chain.network,
            genesis: native::genesis(on_chain.network),
            made: on_chain.time,
            is_final: on_chain.confirmations >= last,
            attestations: vec![Attestation::Bitcoin { tx: on_chain.tx, inclusion: on_chain.inclusion }],
        };
        return Ok(Explained::Batch(Box::new(Restored { batch, items, records })));
    }
    Ok(if finder.has_root(&on_chain.root)? { Explained::Known } else { Explained::Not })
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
        let found = queue::read_entries(ledger, None, entries, at)?;
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

/// The items that give this root as batch `number`, if those up to one of the cuts do.
fn reproduce(items: &[Item], cuts: &[usize], (secret, number): (&[u8; 32], u64), root: &Digest) -> Option<Vec<Item>> {
    let mut hashed: Vec<(Digest, Digest)> = items
        .iter()
        .map(|item| (item.digest, tree::leaf(&item.digest, &tree::nonce(secret, number, &item.digest))))
        .collect();
    wipe_stack::<{ memory::SIGNING }>();
    let position: HashMap<Digest, usize> = items.iter().enumerate().map(|(at, item)| (item.digest, at)).collect();
    hashed.sort_unstable_by_key(|(digest, _)| *digest);
    let mut budget = HASHES_MAX;
    for cut in cuts.iter().copied().filter(|cut| *cut > 0) {
        budget = budget.checked_sub(cut)?;
        hashed.retain(|(digest, _)| position[digest] < cut);
        let levels = Levels::new(hashed.iter().map(|(_, leaf)| *leaf).collect())?;
        if levels.root() == *root {
            return Some(items[..cut].to_vec());
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
        let items = queue::read_entries(ledger, None, entries, at)?.items;
        all.extend(items.iter().map(|item| item.digest));
        waiting.extend(finder.uncovered(items)?.into_iter().map(|item| item.digest));
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
        for held in [2, 14, 40] {
            let mut of: Vec<Digest> = items[..held].iter().map(|item| item.digest).collect();
            of.sort_unstable();
            let leaves = of.iter().map(|digest| tree::leaf(digest, &tree::nonce(&secret, 5, digest))).collect();
            let root = Levels::new(leaves).expect("not empty").root();
            let found = reproduce(&items, &cuts, (&secret, 5), &root).expect("it is computed again");
            assert_eq!(found, items[..held]);
            assert!(reproduce(&items, &cuts, (&secret, 6), &root).is_none(), "another number has other nonces");
            assert!(reproduce(&items, &cuts, (&[4; 32], 5), &root).is_none(), "and another node too");
        }
    }
}
