//! Whose a batch is: for each tenant its leaves, as its records are to hold them.

use super::{
    batch::Batch,
    config::Network,
    ledger::Ledger,
    multi::Levels,
    native::{self, Anchored, Attestation, Head, Leaf, Maker, Part},
    proof, tree,
};
use crate::{
    cid::{self, Digest},
    dwn::Fault,
    memory::{self, wipe_stack},
    store::{Entry, Position, Store},
};
use anyhow::{Context as _, anyhow};
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
    levels: Levels,
    leaves: Vec<Leaf>,
    /// Indexes, by tenant.
    tenants: BTreeMap<String, BTreeSet<u32>>,
}

impl Shares {
    /// From the ledger and the log. Blocks.
    pub(super) fn of((store, ledger): (&Store, &Ledger), batch: Anchored, secret: &[u8; 32]) -> Result<Self, Fault> {
        let number = batch.number;
        let mut leaves = Vec::with_capacity(batch.size as usize);
        let mut places = Vec::with_capacity(batch.size as usize);
        for (index, digest) in (0..).zip(ledger.leaves(number)?) {
            let item = ledger.leaf(&digest)?.filter(|leaf| leaf.batch == number).map(|leaf| leaf.item);
            let codec = item.map_or(cid::RAW as u8, |item| item.codec);
            leaves.push(Leaf { index, digest, nonce: tree::nonce(secret, number, &digest), codec });
            places.extend(item.map(|item| (item.position, index)));
        }
        wipe_stack::<{ memory::SIGNING }>();
        let levels = Levels::new(leaves.iter().map(Leaf::hash).collect()).context("a batch without leaves")?;
        if levels.root() != batch.root {
            let text = "the leaves do not give the root that was anchored: is this another node's secret?";
            return Err(anyhow!("anchor batch {number}: {text}"));
        }
        let tenants = tenants(store, &leaves, places)?;
        let maker = native::maker(secret);
        Ok(Self { number, mark: mark(&batch), batch, maker, levels, leaves, tenants })
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
        let parts = Part::of(&self.levels, self.batch.size, &leaves);
        (Head::new(self.batch.clone(), self.maker, parts.len() as u32), parts)
    }
}

/// A batch as it stands.
pub(super) fn anchored(batch: &Batch, network: Network) -> Result<Anchored, Fault> {
    let attestation = |(attempt, inclusion): (&super::batch::Attempt, &proof::Inclusion)| {
        let tx = proof::without_witness(&attempt.tx)?;
        Ok::<_, Fault>(Attestation::Bitcoin { tx, inclusion: inclusion.clone() })
    };
    Ok(Anchored {
        number: batch.number,
        root: batch.root,
        size: batch.leaves,
        network,
        genesis: native::genesis(network),
        made: batch.created,
        is_final: batch.is_final(),
        attestations: batch.attempt().zip(batch.place()).map(attestation).into_iter().collect::<Result<_, _>>()?,
    })
}

/// What tells this state of a batch from another.
pub(super) fn mark(batch: &Anchored) -> Digest {
    cid::digest(&Head::new(batch.clone(), Maker::default(), 0).write())
}

/// The tenants that the log says leaves are of. Data that several have is each one's; what the log does not have any more is nobody's.
fn tenants(
    store: &Store,
    leaves: &[Leaf],
    mut places: Vec<(Position, u32)>,
) -> Result<BTreeMap<String, BTreeSet<u32>>, Fault> {
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
            let digests =
                [Some(cid), data.map(|(cid, _)| cid)].into_iter().flatten().filter_map(|cid| cid::sha256_of(&cid));
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
