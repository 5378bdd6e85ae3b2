//! From a leaf to a block header: where a root lies in the chain, the `.ots` file that says so, and the check
//! of such a file against the data and a header.

pub use super::verify::Verdict;

use super::{
    ots::{self, Attestation, Claims, Detached, Op, Stamp},
    tree::{LEAF, NODE, Nonce, Sibling},
    verify,
};
use crate::cid::{self, Digest};
use bitcoin::{
    Transaction, Txid,
    block::Header,
    consensus::encode::{deserialize, serialize},
    hashes::Hash as _,
};
use serde::{Deserialize, Serialize};

/// Bytes of a block header.
const HEADER_LEN: usize = 80;
/// Levels of a block's tree at most: it has fewer than 2^20 transactions.
const LEVELS_MAX: u32 = 20;
/// Bytes of an `.ots` file that a level of the tree takes at most, but for two.
const LEVEL: usize = 36;

/// The place of a transaction in the chain, checked when it is made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inclusion {
    #[serde(with = "serde_bytes")]
    header: [u8; HEADER_LEN],
    pub height: u32,
    /// The transaction's number in the block: its bits say on which side each sibling stands.
    index: u32,
    /// The siblings from the transaction up to the block's Merkle root, 32 bytes each.
    #[serde(with = "serde_bytes")]
    branch: Vec<u8>,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("block {0} does not hold the transaction")]
    NotInBlock(u32),
    #[error("the transactions of block {0} do not give the Merkle root of its header")]
    MerkleRoot(u32),
    #[error("the transaction does not hold the root")]
    NoRoot,
    #[error("not a Bitcoin transaction: {0}")]
    Transaction(String),
    #[error(transparent)]
    Ots(#[from] ots::Error),
    #[error("the proof is for a file hashed with {0:?}; toft stamps with sha256")]
    FileHash(Op),
}

impl Inclusion {
    /// `txids` are all of the block's, in order.
    pub fn new(header: &Header, height: u32, txids: &[Txid], txid: Txid) -> Result<Self, Error> {
        let index = txids.iter().position(|t| *t == txid).ok_or(Error::NotInBlock(height))?;
        let (branch, root) = block_branch(txids, index);
        if root != header.merkle_root.to_byte_array() {
            return Err(Error::MerkleRoot(height));
        }
        let header = serialize(header).try_into().expect("a block header has 80 bytes");
        let index = u32::try_from(index).expect("a block has fewer than 2^32 transactions");
        Ok(Self { header, height, index, branch: branch.concat() })
    }

    /// The block's header.
    pub fn header(&self) -> Header {
        deserialize(&self.header).expect("any 80 bytes are a header")
    }

    /// The block's hash, as people write it.
    pub fn block(&self) -> String {
        self.header().block_hash().to_string()
    }

    /// Does it lead from this transaction to its header's Merkle root? What is read from elsewhere was not checked when it was made.
    pub fn holds(&self, txid: Txid) -> bool {
        let (siblings, rest) = self.branch.as_chunks::<32>();
        let levels = siblings.len() as u32;
        if !rest.is_empty() || levels > LEVELS_MAX || self.index >> levels != 0 {
            return false;
        }
        let root = self.siblings().fold(txid.to_byte_array(), |node, sibling| {
            let pair = match sibling {
                Sibling::Left(left) => [left, node].concat(),
                Sibling::Right(right) => [node, right].concat(),
            };
            cid::digest(&cid::digest(&pair))
        });
        root == self.header().merkle_root.to_byte_array()
    }

    #[cfg(test)]
    pub(super) fn fake(n: u8) -> Self {
        Self { header: [n; HEADER_LEN], height: u32::from(n), index: 0, branch: vec![] }
    }

    fn siblings(&self) -> impl Iterator<Item = Sibling> {
        self.branch.as_chunks().0.iter().enumerate().map(|(level, hash)| {
            if (self.index >> level) & 1 == 1 { Sibling::Left(*hash) } else { Sibling::Right(*hash) }
        })
    }
}

/// The siblings of transaction `index` and the Merkle root, the way Satoshi wrote it: the last of an odd
/// number is paired with itself.
fn block_branch(txids: &[Txid], mut index: usize) -> (Vec<Digest>, Digest) {
    let mut level: Vec<Digest> = txids.iter().map(|t| t.to_byte_array()).collect();
    let mut branch = Vec::new();
    while level.len() > 1 {
        if level.len() % 2 == 1 {
            level.extend(level.last().copied());
        }
        branch.extend(level.get(index ^ 1));
        level = level.chunks_exact(2).map(|pair| cid::digest(&cid::digest(&pair.concat()))).collect();
        index /= 2;
    }
    (branch, level.first().copied().unwrap_or_default())
}

/// The way of one digest: into its leaf, up the batch's tree, through the transaction, up the block.
#[derive(Debug)]
pub struct Way<'a> {
    pub digest: &'a Digest,
    pub nonce: &'a Nonce,
    pub path: &'a [Sibling],
    pub root: &'a Digest,
    /// The signed transaction.
    pub tx: &'a [u8],
    pub inclusion: &'a Inclusion,
}

impl Way<'_> {
    /// The `.ots` file.
    pub fn ots(&self) -> Result<Vec<u8>, Error> {
        Ok(Route::new(&[], self.root, self.tx, self.inclusion)?.ots(self.digest, self.nonce, self.path))
    }
}

impl Sibling {
    /// The step from a node to the one above it.
    fn ops(&self) -> impl Iterator<Item = Op> {
        let (before, after) = match self {
            Self::Left(left) => ([&[NODE], left.as_slice()].concat(), None),
            Self::Right(right) => (vec![NODE], Some(Op::Append(right.to_vec()))),
        };
        [Some(Op::Prepend(before)), after, Some(Op::Sha256)].into_iter().flatten()
    }
}

/// The steps from a digest into its leaf and up the batch's tree.
pub fn up<'a>(nonce: &Nonce, path: &'a [Sibling]) -> impl Iterator<Item = Op> + use<'a> {
    let leaf = [Op::Prepend(vec![LEAF]), Op::Append(nonce.to_vec()), Op::Sha256];
    leaf.into_iter().chain(path.iter().flat_map(Sibling::ops))
}

/// What leads from a batch's root over those it shares a transaction with (`over`) to `root`, and through the transaction into
/// its block.
pub fn into_block(over: &[Sibling], root: &Digest, tx: &[u8], inclusion: &Inclusion) -> Result<Stamp, Error> {
    let tx = without_witness(tx)?;
    let at = tx.windows(root.len()).position(|w| w == root).ok_or(Error::NoRoot)?;
    let (before, after) = (&tx[..at], &tx[at + root.len()..]);
    let mut ops: Vec<Op> = over.iter().flat_map(Sibling::ops).collect();
    ops.extend([Op::Prepend(before.to_vec()), Op::Append(after.to_vec()), Op::Sha256, Op::Sha256]);
    for sibling in inclusion.siblings() {
        ops.push(match sibling {
            Sibling::Left(left) => Op::Prepend(left.to_vec()),
            Sibling::Right(right) => Op::Append(right.to_vec()),
        });
        ops.extend([Op::Sha256, Op::Sha256]);
    }
    Ok(Stamp::line(ops.into_iter(), Attestation::Bitcoin(u64::from(inclusion.height))))
}

/// What all leaves of a batch share of their way: from the root on. The transaction is read once for all of them.
#[derive(Debug, Clone)]
pub struct Route {
    /// As it stands at the end of each `.ots` file.
    tail: Vec<u8>,
}

impl Route {
    /// The way of a batch's root over the roots it shares a transaction with (`over`) to `root`, and of that through the signed
    /// transaction `tx` and its block.
    pub fn new(over: &[Sibling], root: &Digest, tx: &[u8], inclusion: &Inclusion) -> Result<Self, Error> {
        Ok(Self::of(&into_block(over, root, tx, inclusion)?))
    }

    /// The way that a stamp of the root says.
    pub fn of(stamp: &Stamp) -> Self {
        let mut tail = Vec::new();
        stamp.write(&mut tail);
        Self { tail }
    }

    /// The `.ots` file of the leaf that stands for `digest`.
    pub fn ots(&self, digest: &Digest, nonce: &Nonce, path: &[Sibling]) -> Vec<u8> {
        // begins with an empty stamp: what follows is written behind it
        let start = Detached { hash: Op::Sha256, digest: digest.to_vec(), stamp: Stamp::default() };
        let mut ots = start.write();
        self.write(nonce, path, &mut ots);
        ots
    }

    /// The operations from a leaf's digest on, as calendars give them.
    pub fn bytes(&self, nonce: &Nonce, path: &[Sibling]) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.write(nonce, path, &mut bytes);
        bytes
    }

    fn write(&self, nonce: &Nonce, path: &[Sibling], ots: &mut Vec<u8>) {
        ots.reserve_exact(path.len() * (LEVEL + 2) + nonce.len() + 8 + self.tail.len());
        up(nonce, path).for_each(|op| op.write(ots));
        ots.extend_from_slice(&self.tail);
    }
}

/// What a txid is the hash of: the transaction without its witnesses.
pub fn without_witness(tx: &[u8]) -> Result<Vec<u8>, Error> {
    let mut tx: Transaction = deserialize(tx).map_err(|e| Error::Transaction(e.to_string()))?;
    for input in &mut tx.input {
        input.witness.clear();
    }
    Ok(serialize(&tx))
}

/// Checks `proof` against the sha256 of the data; `header` knows the chain. The earliest block that fits counts.
pub fn verify<E: From<Error>>(
    proof: &[u8],
    digest: &Digest,
    mut header: impl FnMut(u64) -> Result<Option<Header>, E>,
) -> Result<Verdict, E> {
    let claims = Claims::read(proof).map_err(Error::from)?;
    if claims.hash != Op::Sha256 {
        return Err(Error::FileHash(claims.hash).into());
    }
    if claims.digest != digest {
        return Ok(Verdict::OtherData);
    }
    verify::verdict(&claims, |heights| heights.iter().map(|height| header(u64::from(*height))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::anchor::tree::{self, Tree};
    use bitcoin::{
        Amount, BlockHash, CompactTarget, OutPoint, ScriptBuf, Sequence, TxIn, TxMerkleNode, TxOut, Witness,
        absolute::LockTime, block::Version, script::PushBytesBuf, transaction,
    };

    /// A block of `n` transactions whose number `at` carries `root`.
    fn block(root: &Digest, n: u8, at: u8) -> (Vec<u8>, Inclusion) {
        let payload = PushBytesBuf::try_from([b"toft".as_slice(), root].concat()).expect("short");
        let witness = Witness::from_slice(&[[1; 71].as_slice(), &[2; 33]]);
        let input =
            TxIn { previous_output: OutPoint::null(), script_sig: ScriptBuf::new(), sequence: Sequence::MAX, witness };
        let output = vec![TxOut { value: Amount::ZERO, script_pubkey: ScriptBuf::new_op_return(payload) }];
        let tx =
            Transaction { version: transaction::Version::TWO, lock_time: LockTime::ZERO, input: vec![input], output };
        let txids: Vec<Txid> =
            (0..n).map(|i| if i == at { tx.compute_txid() } else { Txid::from_byte_array([i; 32]) }).collect();
        let hashes = txids.iter().map(|t| t.to_raw_hash());
        let merkle_root = bitcoin::merkle_tree::calculate_root(hashes).expect("not empty").into();
        let header = header(merkle_root);
        (serialize(&tx), Inclusion::new(&header, 77, &txids, tx.compute_txid()).expect("the root is right"))
    }

    fn header(merkle_root: TxMerkleNode) -> Header {
        let (version, prev_blockhash, bits) = (Version::TWO, BlockHash::all_zeros(), CompactTarget::from_consensus(0));
        Header { version, prev_blockhash, merkle_root, time: 1_790_000_000, bits, nonce: 0 }
    }

    fn judge(ots: &[u8], digest: &Digest, inclusion: &Inclusion) -> Verdict {
        verify::<Error>(ots, digest, |h| Ok((h == 77).then(|| inclusion.header()))).expect("a readable proof")
    }

    #[test]
    fn a_proof_leads_from_the_data_to_the_header_for_every_place_in_the_block() {
        let digests: Vec<Digest> = (0..5_u8).map(|i| cid::digest(&[i])).collect();
        let nonces: Vec<Nonce> = digests.iter().map(|d| tree::nonce(&[3; 32], 1, d)).collect();
        let leaves: Vec<Digest> = digests.iter().zip(&nonces).map(|(d, n)| tree::leaf(d, n)).collect();
        let tree = Tree::new(&leaves).expect("not empty");
        let root = tree.root();
        for (n, at) in (1..=9_u8).flat_map(|n| (0..n).map(move |at| (n, at))) {
            let (tx, inclusion) = block(&root, n, at);
            let path = tree.path(4).expect("five leaves");
            let way = Way {
                digest: &digests[4],
                nonce: &nonces[4],
                path: &path,
                root: &root,
                tx: &tx,
                inclusion: &inclusion,
            };
            let ots = way.ots().expect("the transaction holds the root");
            assert!(
                matches!(judge(&ots, &digests[4], &inclusion), Verdict::Proven { height: 77, .. }),
                "transaction {at} of {n}"
            );
            assert_eq!(judge(&ots, &digests[3], &inclusion), Verdict::OtherData);
            let other = header(TxMerkleNode::all_zeros());
            let verdict = verify::<Error>(&ots, &digests[4], |_| Ok(Some(other))).expect("a readable proof");
            assert_eq!(verdict, Verdict::NotInBlock { height: 77 });
            let verdict = verify::<Error>(&ots, &digests[4], |_| Ok(None)).expect("a readable proof");
            assert_eq!(verdict, Verdict::NoSuchBlock { height: 77 });
        }
    }

    #[test]
    fn no_changed_byte_of_a_proof_is_proven() {
        let (digest, nonce) = (cid::digest(b"data"), [9; 16]);
        let root = tree::leaf(&digest, &nonce);
        // four, so that none is paired with itself: there append and prepend are the same
        let (tx, inclusion) = block(&root, 4, 2);
        let way = Way { digest: &digest, nonce: &nonce, path: &[], root: &root, tx: &tx, inclusion: &inclusion };
        let ots = way.ots().expect("the transaction holds the root");
        for at in 0..ots.len() {
            for bit in 0..8 {
                let mut changed = ots.clone();
                changed[at] ^= 1 << bit;
                let verdict = verify::<Error>(&changed, &digest, |h| Ok((h == 77).then(|| inclusion.header())));
                assert!(!matches!(verdict, Ok(Verdict::Proven { .. })), "byte {at} bit {bit}");
            }
        }
    }

    #[test]
    fn an_inclusion_is_not_made_from_other_transactions() {
        let (_, inclusion) = block(&[1; 32], 3, 1);
        let txid = Txid::from_byte_array([5; 32]);
        assert_eq!(Inclusion::new(&inclusion.header(), 77, &[txid], txid), Err(Error::MerkleRoot(77)));
        assert_eq!(Inclusion::new(&inclusion.header(), 77, &[], txid), Err(Error::NotInBlock(77)));
    }
}
