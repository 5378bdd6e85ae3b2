//! Whose a batch is: for each tenant its leaves, as its records are to hold them.

use super::{
    batch::{Batch, State},
    config::Network,
    intake::{self, Origin},
    ledger::Ledger,
    native::{self, Anchored, Attestation, Head, Leaf, Maker, Part},
    proof,
    receipts::Receipts,
    tree::{Nonces, Tree},
    waiting::{Item, NOWHERE},
};
use crate::{
    cid::{self, Digest},
    dwn::Fault,
    memory::{self, wipe_stack},
    store::{Entry, Position, Store},
};
use anyhow::{Context as _, anyhow};
use bitcoin::{BlockHash, hashes::Hash as _};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Log entries read in one go.
const READ: usize = 256;

/// A batch as it is to be kept in records.
#[derive(Debug)]
pub struct Shares {
    pub number: u64,
    /// What tells this state of it from another.
    pub mark: Digest,
    batch: Anchored,
    maker: Maker,
    tree: Tree,
    leaves: Vec<Leaf>,
    /// Indexes, by tenant.
    tenants: BTreeMap<String, BTreeSet<u32>>,
}

impl Shares {
    /// From the ledger and the log. `owner`: whose is what no message brought, the audit log's head and the digests of files that are not
    /// kept; those of strangers are nobody's. Blocks.
    pub(super) fn of(
        (store, ledger): (&Store, &Ledger),
        (batch, anchored): (&Batch, Anchored),
        secret: &[u8; 32],
        owner: &str,
    ) -> Result<Self, Fault> {
        let number = batch.number;
        let items = ledger.items(batch)?;
        let nonces = Nonces::new(secret, number);
        let leaf = |(index, Item { digest, codec, .. }): (u32, &Item)| Leaf {
            index,
            digest: *digest,
            nonce: nonces.of(digest),
            codec: *codec,
        };
        let leaves: Vec<Leaf> = (0..).zip(&items).map(leaf).collect();
        let tree = Tree::of(leaves.iter().map(Leaf::hash).collect()).context("a batch without leaves")?;
        wipe_stack::<{ memory::SIGNING }>();
        if tree.root() != batch.root {
            let text = "the leaves do not give the root that was anchored: is this another node's secret?";
            return Err(anyhow!("anchor batch {number}: {text}"));
        }
        let mut tenants = tenants((store, ledger), &leaves, &items)?;
        let is_owners = |item: &Item| item.position == NOWHERE || intake::is_of(item, Origin::Owner);
        let own = (0..).zip(&items).filter(|(_, item)| is_owners(item)).map(|(index, _)| index);
        let own: BTreeSet<u32> = own.collect();
        if !own.is_empty() {
            tenants.entry(owner.to_owned()).or_default().extend(own);
        }
        let maker = native::maker(secret);
        Ok(Self { number, mark: mark(&anchored), batch: anchored, maker, tree, leaves, tenants })
    }

    pub fn root(&self) -> Digest {
        self.batch.root
    }

    pub fn tenants(&self) -> impl Iterator<Item = &str> {
        self.tenants.keys().map(String::as_str)
    }

    /// What a tenant's records are to say.
    pub fn of_tenant(&self, tenant: &str) -> (Head, Vec<Vec<u8>>) {
        let indexes = self.tenants.get(tenant).into_iter().flatten();
        let leaves: Vec<Leaf> = indexes.filter_map(|index| self.leaves.get(*index as usize).copied()).collect();
        let parts = Part::of(&self.tree, &leaves);
        (Head::new(self.batch.clone(), self.maker, parts.len() as u32), parts)
    }
}

/// A batch as it stands. `carrier`: the batch whose transaction carries it, if it is another; `network`: of the settings.
pub(super) fn anchored(
    batch: &Batch,
    carrier: Option<&Batch>,
    receipts: Option<&Receipts>,
    network: Network,
) -> Result<Anchored, Fault> {
    let by = carrier.unwrap_or(batch);
    let (mut attestations, mut in_chain) = (Vec::new(), (network, native::genesis(network)));
    let mut is_final = false;
    if let (Some(attempt), Some(place), Some(spend)) = (by.attempt(), by.place(), by.spend()) {
        let genesis = spend.genesis.parse().map(|genesis: BlockHash| genesis.to_byte_array());
        // Not kept in earlier times.
        in_chain = (spend.network, genesis.unwrap_or_else(|_| native::genesis(spend.network)));
        // The attempt in the chain may be the one from before this batch rode along.
        if let Some(over) = attempt.roots.path(batch.number) {
            let tx = proof::without_witness(&attempt.tx)?;
            attestations.push(Attestation::bitcoin(tx, place.clone(), &over));
            is_final = by.is_final();
        }
    }
    if let Some(receipts) = receipts.filter(|receipts| *receipts.root() == batch.root) {
        attestations.extend(receipts.stamps().filter_map(|(url, stamp)| Attestation::calendar(url, &stamp)));
        // Calendars wait for it before they answer.
        is_final |= matches!(batch.state, State::Attested(_));
    }
    Ok(Anchored {
        number: batch.number,
        root: batch.root,
        size: batch.leaves,
        network: in_chain.0,
        genesis: in_chain.1,
        made: batch.created,
        is_final,
        attestations,
    })
}

/// What tells this state of a batch from another.
pub(super) fn mark(batch: &Anchored) -> Digest {
    cid::digest(&Head::new(batch.clone(), Maker::default(), 0).write())
}

/// The tenants that the log says leaves are of. Data that several have is each one's; what the log does not have any more is nobody's.
fn tenants(
    (store, ledger): (&Store, &Ledger),
    leaves: &[Leaf],
    items: &[Item],
) -> Result<BTreeMap<String, BTreeSet<u32>>, Fault> {
    let end = *store.tail().borrow();
    let mut places: Vec<(Position, u32)> =
        (0..).zip(items).map(|(index, item)| (item.position, index)).filter(|(at, _)| *at < end).collect();
    places.sort_unstable();
    let (Some((first, _)), Some((last, _))) = (places.first().copied(), places.last().copied()) else {
        return Ok(BTreeMap::new());
    };
    let by_digest: HashMap<Digest, u32> = leaves.iter().map(|leaf| (leaf.digest, leaf.index)).collect();
    let (mut found, mut at, mut places) =
        (BTreeMap::<String, BTreeSet<u32>>::new(), first, places.into_iter().peekable());
    while at <= last {
        let entries = store.entries(at, READ)?;
        let Some(end) = entries.last() else { break };
        at = end.next();
        for entry in entries {
            let Entry::Message { position, tenant, cid, data, .. } = entry else { continue };
            let data = data.map(|(cid, _)| cid);
            let whole = match data.filter(|data| data.codec() == cid::DAG_PB).and_then(|data| cid::sha256_of(&data)) {
                Some(root) => ledger.whole(&root)?,
                None => None,
            };
            let digests = [Some(cid), data].into_iter().flatten().filter_map(|cid| cid::sha256_of(&cid)).chain(whole);
            let mut indexes: Vec<u32> = digests.filter_map(|digest| by_digest.get(&digest).copied()).collect();
            while let Some((place, index)) = places.next_if(|(place, _)| *place <= position) {
                indexes.extend((place == position).then_some(index));
            }
            if !indexes.is_empty() {
                found.entry(tenant).or_default().extend(indexes);
            }
        }
    }
    Ok(found)
}
