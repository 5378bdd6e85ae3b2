//! Proofs as they are kept in records of those whose messages and data they are of: who has these records needs neither the secret
//! nor the ledger of the node that made the batch.
//!
//! Two kinds. A [`Head`] says how a root came into the chain: small, and written anew when more is known. A [`Part`] has some
//! leaves of the root with their nonces, and what these lack to give it: many for a large batch, and never written again. Each
//! fits beside its message ([`RECORD_MAX`]), so it comes with it wherever the record comes.
//!
//! The bytes come from other devices: all that is read is bounded, and checked as far as it says something that can be computed.
//! Whether the header at the end is one of the chain is for whoever follows the chain to say.

use super::{
    config::Network,
    multi::Known,
    ots::{self, Attestation as Attested, Stamp},
    proof::{self, Inclusion},
    tree::{self, NONCE_LEN, Nonce, Sibling, Tree},
};
use crate::{
    cid::{self, Cid, Digest},
    dwn,
};
use bitcoin::{
    Transaction, Txid,
    consensus::encode::deserialize,
    constants::genesis_block,
    hashes::{Hash as _, HashEngine as _, Hmac, HmacEngine, sha256},
};
use serde::{Deserialize, Serialize};

/// What the first format of both is called in them.
const VERSION: u8 = 1;
/// Bytes of a record at most: data of this size is kept beside its message.
pub const RECORD_MAX: usize = dwn::INLINE_MAX as usize;
/// Leaves of a part at most: 53 bytes each.
const LEAVES_MAX: usize = 512;
/// Attestations of a root at most: one transaction, and a few calendars.
const ATTESTATIONS_MAX: usize = 32;
/// Bytes of a transaction at most: a step of an `.ots` file holds no more.
const TX_MAX: usize = 4096;
/// Bytes of what a calendar has said at most: that of the public ones has less than 1 KiB.
const STAMP_MAX: usize = 8192;
/// Siblings of a root that shares a transaction with others at most: a million of them.
const OVER_MAX: usize = 20;
/// Bytes of such a sibling: its side and its hash.
const SIDED: usize = 33;
/// Characters of a calendar's address at most.
const URL_MAX: usize = 1000;

/// What tells the batches of one node from those of another.
pub type Maker = [u8; 16];

/// How a root came into the chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Head {
    version: u8,
    #[serde(with = "serde_bytes")]
    pub root: Digest,
    /// Leaves of the tree: those of all tenants.
    pub size: u32,
    #[serde(with = "serde_bytes")]
    pub maker: Maker,
    /// What the maker calls the batch.
    pub number: u64,
    pub network: Network,
    /// The hash of the network's first block, as it stands in the second one.
    #[serde(with = "serde_bytes")]
    pub genesis: Digest,
    /// When the batch was made, seconds since 1970 by the maker's clock.
    pub made: u64,
    /// Parts that hold this tenant's leaves.
    pub parts: u32,
    /// As many confirmations as the maker waits for.
    pub is_final: bool,
    pub attestations: Vec<Attestation>,
}

/// Who says that a root existed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Attestation {
    Bitcoin {
        /// Without its witnesses.
        #[serde(with = "serde_bytes")]
        tx: Vec<u8>,
        inclusion: Inclusion,
        /// From the root to the one in the transaction, where that holds several: of each sibling a byte (0: it stands on the
        /// left, 1: on the right) and its hash.
        #[serde(with = "serde_bytes")]
        over: Vec<u8>,
    },
    Calendar {
        url: String,
        /// What leads on from the root, as in an `.ots` file.
        #[serde(with = "serde_bytes")]
        stamp: Vec<u8>,
    },
}

/// A transaction that carries a root.
#[derive(Debug, Clone)]
pub struct InBlock<'a> {
    pub txid: Txid,
    /// Without its witnesses.
    pub tx: &'a [u8],
    pub inclusion: &'a Inclusion,
    /// From the batch's root to the one in the transaction.
    pub over: Vec<Sibling>,
}

/// How far a root has come, the least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// It is on its way, or promised by a calendar.
    Pending,
    /// In a block.
    Mined,
    Final,
}

/// A batch, as its maker knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Anchored {
    pub number: u64,
    pub root: Digest,
    pub size: u32,
    pub network: Network,
    pub genesis: Digest,
    pub made: u64,
    pub is_final: bool,
    pub attestations: Vec<Attestation>,
}

/// A leaf as it is proven.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Leaf {
    pub index: u32,
    pub digest: Digest,
    pub nonce: Nonce,
    /// Of the CID that names what is stamped, as in the ledger.
    pub codec: u8,
}

/// Some leaves of a root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    pub root: Digest,
    pub size: u32,
    /// Its number among those of one tenant.
    pub number: u32,
    /// In order.
    leaves: Vec<Leaf>,
    known: Known,
}

/// As it is written.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    version: u8,
    #[serde(with = "serde_bytes")]
    root: Digest,
    size: u32,
    part: u32,
    /// Big-endian, four bytes each.
    #[serde(with = "serde_bytes")]
    indexes: Vec<u8>,
    #[serde(with = "serde_bytes")]
    digests: Vec<u8>,
    #[serde(with = "serde_bytes")]
    nonces: Vec<u8>,
    #[serde(with = "serde_bytes")]
    codecs: Vec<u8>,
    #[serde(with = "serde_bytes")]
    siblings: Vec<u8>,
}

/// Why bytes are no proof that is kept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("it has {0} bytes; a proof in a record has at most {RECORD_MAX}")]
    TooLong(usize),
    #[error("it is not written as such a proof is: {0}")]
    Form(String),
    #[error("its version {0} is not known to this toft")]
    Version(u8),
    #[error("it names {0} attestations; at most {ATTESTATIONS_MAX} are read")]
    Attestations(usize),
    #[error("its leaves and siblings do not give its root")]
    Root,
    #[error("its transaction does not lie in the block that it names")]
    NotInBlock,
    #[error("{what} of {size} bytes; at most {max} are read")]
    Limit { what: &'static str, size: usize, max: usize },
    #[error(transparent)]
    Proof(#[from] proof::Error),
    #[error(transparent)]
    Ots(#[from] ots::Error),
}

/// What the batches of the node with this secret are told by.
pub fn maker(secret: &[u8; 32]) -> Maker {
    let mut mac = HmacEngine::<sha256::Hash>::new(secret);
    mac.input(b"anchor maker");
    let mac = Hmac::from_engine(mac).to_byte_array();
    *mac.first_chunk().expect("a sha256 has more bytes than a maker's name")
}

/// The hash of a network's first block. A signet of one's own has that of the public one.
pub fn genesis(network: Network) -> Digest {
    let network = match network {
        Network::Mainnet => bitcoin::Network::Bitcoin,
        Network::Testnet4 => bitcoin::Network::Testnet4,
        Network::Signet => bitcoin::Network::Signet,
        Network::Regtest => bitcoin::Network::Regtest,
    };
    genesis_block(network).block_hash().to_byte_array()
}

impl Head {
    /// What a tenant whose leaves are in `parts` keeps of a batch.
    pub fn new(batch: Anchored, maker: Maker, parts: u32) -> Self {
        let Anchored { number, root, size, network, genesis, made, is_final, attestations } = batch;
        Self { version: VERSION, root, size, maker, number, network, genesis, made, parts, is_final, attestations }
            .fitting()
    }

    /// Reads one and checks what it says of transactions and calendars.
    pub fn read(bytes: &[u8]) -> Result<Self, Error> {
        let head: Self = decode(bytes)?;
        known(head.version)?;
        if head.attestations.len() > ATTESTATIONS_MAX {
            return Err(Error::Attestations(head.attestations.len()));
        }
        for attestation in &head.attestations {
            attestation.stamp(&head.root)?;
        }
        Ok(head)
    }

    pub fn write(&self) -> Vec<u8> {
        serde_ipld_dagcbor::to_vec(self).expect("a proof holds only what DAG-CBOR can say")
    }

    pub fn standing(&self) -> Standing {
        match self.blocks().is_empty() {
            true => Standing::Pending,
            false if self.is_final => Standing::Final,
            false => Standing::Mined,
        }
    }

    /// This with what an earlier state of it knew besides. Of the same calendar the newer word counts, unless it has only promised again
    /// what it had kept; and where this names a transaction, an earlier one is none of the chain any more.
    #[must_use]
    pub fn upgrading(mut self, earlier: Self) -> Self {
        if earlier.root != self.root {
            return self;
        }
        // What stands in records stays, also when the log does not have all of it any more.
        self.parts = self.parts.max(earlier.parts);
        let is_sent = |attestation: &Attestation| matches!(attestation, Attestation::Bitcoin { .. });
        let is_told = self.attestations.iter().any(is_sent);
        for old in earlier.attestations.into_iter().filter(|old| !(is_told && is_sent(old))) {
            let root = self.root;
            match self.attestations.iter_mut().find(|new| new.is_of_same(&old)) {
                None => self.attestations.push(old),
                Some(new) if new.blocks(&root).is_empty() && matches!(new, Attestation::Calendar { .. }) => *new = old,
                Some(_) => {}
            }
        }
        self.fitting()
    }

    /// With as many of its attestations, the first ones, as a record holds. Only a maker that has lost some word of it, or has very
    /// talkative calendars, reaches these bounds.
    #[must_use]
    fn fitting(mut self) -> Self {
        self.attestations.truncate(ATTESTATIONS_MAX);
        while self.write().len() > RECORD_MAX && self.attestations.pop().is_some() {}
        self
    }

    /// What leads on from the root: all attestations.
    pub fn stamp(&self) -> Result<Stamp, Error> {
        let mut all = Stamp::default();
        for attestation in &self.attestations {
            all.join(attestation.stamp(&self.root)?);
        }
        Ok(all)
    }

    /// Heights of the blocks that are said to hold the root, the lowest first.
    pub fn blocks(&self) -> Vec<u64> {
        let mut heights: Vec<u64> =
            self.attestations.iter().flat_map(|attestation| attestation.blocks(&self.root)).collect();
        heights.sort_unstable();
        heights
    }

    /// The maker's own transaction in the lowest block, if there is one.
    pub fn transaction(&self) -> Option<InBlock<'_>> {
        let found = self.attestations.iter().filter_map(|attestation| match attestation {
            Attestation::Bitcoin { tx, inclusion, over } => {
                Some(InBlock { txid: txid(tx).ok()?, tx, inclusion, over: siblings(over).ok()? })
            }
            Attestation::Calendar { .. } => None,
        });
        found.min_by_key(|found| found.inclusion.height)
    }

    /// What leads on from the digest of a leaf of `part`, to all attestations; none if the part is of another root.
    pub fn stamp_of(&self, part: &Part, leaf: &Leaf) -> Result<Option<Stamp>, Error> {
        if part.root != self.root || self.attestations.is_empty() {
            return Ok(None);
        }
        let up: Vec<_> = proof::up(&leaf.nonce, &part.path(leaf)).collect();
        Ok(Some(self.stamp()?.after(up.into_iter())))
    }
}

impl Attestation {
    /// Of a root in the transaction, over those that it shares it with.
    pub fn bitcoin(tx: Vec<u8>, inclusion: Inclusion, over: &[Sibling]) -> Self {
        let sided = |sibling: &Sibling| match sibling {
            Sibling::Left(hash) => [&[0][..], hash].concat(),
            Sibling::Right(hash) => [&[1][..], hash].concat(),
        };
        Self::Bitcoin { tx, inclusion, over: over.iter().flat_map(sided).collect() }
    }

    /// Of what a calendar has said; none if that is longer than a record holds.
    pub fn calendar(url: &str, stamp: &Stamp) -> Option<Self> {
        let stamp = stamp.bytes();
        let fits = stamp.len() <= STAMP_MAX && url.len() <= URL_MAX;
        fits.then(|| Self::Calendar { url: url.to_owned(), stamp })
    }

    /// What leads on from `root`, checked.
    fn stamp(&self, root: &Digest) -> Result<Stamp, Error> {
        match self {
            Self::Bitcoin { tx, inclusion, over } => {
                limit("a transaction", tx.len(), TX_MAX)?;
                if !inclusion.holds(txid(tx)?) {
                    return Err(Error::NotInBlock);
                }
                let over = siblings(over)?;
                Ok(proof::into_block(&over, &tree::climb(*root, &over), tx, inclusion)?)
            }
            Self::Calendar { url, stamp } => {
                limit("a calendar's address", url.len(), URL_MAX)?;
                limit("a calendar's word", stamp.len(), STAMP_MAX)?;
                Ok(Stamp::read(root, stamp)?)
            }
        }
    }

    /// Heights of the blocks that it says hold the root.
    fn blocks(&self, root: &Digest) -> Vec<u64> {
        match self {
            Self::Bitcoin { inclusion, .. } => vec![u64::from(inclusion.height)],
            Self::Calendar { stamp, .. } => {
                let stamp = Stamp::read(root, stamp).unwrap_or_default();
                let found = stamp.attestations(root).into_iter().filter_map(|(_, attested)| match attested {
                    Attested::Bitcoin(height) => Some(*height),
                    _ => None,
                });
                found.collect()
            }
        }
    }

    /// Are both of the same transaction, or of the same calendar?
    fn is_of_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Bitcoin { tx, .. }, Self::Bitcoin { tx: other, .. }) => tx == other,
            (Self::Calendar { url, .. }, Self::Calendar { url: other, .. }) => url == other,
            _ => false,
        }
    }
}

/// The siblings from a batch's root to that of its transaction.
fn siblings(over: &[u8]) -> Result<Vec<Sibling>, Error> {
    limit("the way over other roots", over.len(), OVER_MAX * SIDED)?;
    let (sided, rest) = over.as_chunks::<SIDED>();
    let read = |sided: &[u8; SIDED]| match sided.split_first() {
        Some((0, hash)) => Some(Sibling::Left(hash.try_into().ok()?)),
        Some((1, hash)) => Some(Sibling::Right(hash.try_into().ok()?)),
        _ => None,
    };
    let whole = rest.is_empty().then(|| sided.iter().map(read).collect::<Option<Vec<_>>>()).flatten();
    whole.ok_or_else(|| Error::Form("its way over other roots is no such way".into()))
}

/// The name of a transaction.
pub fn txid(tx: &[u8]) -> Result<Txid, Error> {
    let tx: Transaction = deserialize(tx).map_err(|e| proof::Error::Transaction(e.to_string()))?;
    Ok(tx.compute_txid())
}

impl Leaf {
    /// What the tree has of it.
    pub fn hash(&self) -> Digest {
        tree::leaf(&self.digest, &self.nonce)
    }

    /// The name of what is stamped.
    pub fn cid(&self) -> Cid {
        cid::from_digest(self.codec.into(), &self.digest)
    }
}

impl Part {
    /// These leaves of the tree, in order, in as few records as hold them. The same leaves give the same parts.
    pub fn of(tree: &Tree, leaves: &[Leaf]) -> Vec<Vec<u8>> {
        let mut cut = Vec::new();
        for some in leaves.chunks(LEAVES_MAX) {
            fit(tree, some, &mut cut);
        }
        let numbered = (0_u32..).zip(cut);
        numbered.map(|(part, written)| Written { part, ..written }.bytes()).collect()
    }

    /// Reads one, and computes its root.
    pub fn read(bytes: &[u8]) -> Result<Self, Error> {
        let Written { version, root, size, part, indexes, digests, nonces, codecs, siblings } = decode(bytes)?;
        known(version)?;
        let (indexes, rest_i) = indexes.as_chunks::<4>();
        let (digests, rest_d) = digests.as_chunks::<32>();
        let (nonces, rest_n) = nonces.as_chunks::<NONCE_LEN>();
        let (siblings, rest_s) = siblings.as_chunks::<32>();
        let is_whole = [rest_i, rest_d, rest_n, rest_s].iter().all(|rest| rest.is_empty());
        if !is_whole || [digests.len(), nonces.len(), codecs.len()] != [indexes.len(); 3] {
            return Err(Error::Form("its leaves are cut".into()));
        }
        let leaves: Vec<Leaf> = indexes
            .iter()
            .zip(digests)
            .zip(nonces.iter().zip(codecs.iter().copied()))
            .map(|((index, digest), (nonce, codec))| Leaf {
                index: u32::from_be_bytes(*index),
                digest: *digest,
                nonce: *nonce,
                codec,
            })
            .collect();
        let hashed = leaves.iter().map(|leaf| (leaf.index, leaf.hash())).collect();
        let known = Known::new(size, hashed, siblings).filter(|known| known.root() == root).ok_or(Error::Root)?;
        Ok(Self { root, size, number: part, leaves, known })
    }

    pub fn leaves(&self) -> &[Leaf] {
        &self.leaves
    }

    /// The siblings from one of its leaves up to the root.
    pub fn path(&self, leaf: &Leaf) -> Vec<Sibling> {
        self.known.path(leaf.index)
    }

    /// The leaf of a digest, if it has it.
    pub fn leaf(&self, digest: &Digest) -> Option<&Leaf> {
        self.leaves.iter().find(|leaf| leaf.digest == *digest)
    }
}

/// Halves leaves until what they lack fits in a record beside them. One leaf always fits: it lacks 32 hashes at most.
fn fit(tree: &Tree, leaves: &[Leaf], cut: &mut Vec<Written>) {
    let indexes: Vec<usize> = leaves.iter().map(|leaf| leaf.index as usize).collect();
    let written = Written {
        version: VERSION,
        root: tree.root(),
        size: tree.len() as u32,
        part: u32::MAX, // the longest number
        indexes: leaves.iter().flat_map(|leaf| leaf.index.to_be_bytes()).collect(),
        digests: leaves.iter().flat_map(|leaf| leaf.digest).collect(),
        nonces: leaves.iter().flat_map(|leaf| leaf.nonce).collect(),
        codecs: leaves.iter().map(|leaf| leaf.codec).collect(),
        siblings: tree.multi(&indexes).concat(),
    };
    if leaves.len() < 2 || written.bytes().len() <= RECORD_MAX {
        cut.push(written);
        return;
    }
    let (left, right) = leaves.split_at(leaves.len() / 2);
    fit(tree, left, cut);
    fit(tree, right, cut);
}

impl Written {
    fn bytes(&self) -> Vec<u8> {
        serde_ipld_dagcbor::to_vec(self).expect("a proof holds only what DAG-CBOR can say")
    }
}

fn decode<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, Error> {
    if bytes.len() > RECORD_MAX {
        return Err(Error::TooLong(bytes.len()));
    }
    serde_ipld_dagcbor::from_slice(bytes).map_err(|e| Error::Form(e.to_string()))
}

fn known(version: u8) -> Result<(), Error> {
    if version == VERSION { Ok(()) } else { Err(Error::Version(version)) }
}

fn limit(what: &'static str, size: usize, max: usize) -> Result<(), Error> {
    if size <= max { Ok(()) } else { Err(Error::Limit { what, size, max }) }
}

#[cfg(test)]
mod tests;
