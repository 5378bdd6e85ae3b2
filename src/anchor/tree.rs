//! The Merkle tree of a batch: RFC 6962's shape and domain separation, built by `rs_merkle`.
//!
//! `rs_merkle`'s own sha256 hasher has no domain separation: an inner node could pass as a leaf. So it gets our
//! hasher. Its proofs take index and count from the caller, so ours say on which side each sibling stands. An odd
//! node goes up unchanged; it is never paired with itself.

use crate::cid::{Digest, Hasher};
use bitcoin::hashes::{Hash as _, HashEngine as _, Hmac, HmacEngine, sha256};
use rs_merkle::MerkleTree;

/// Bytes of the nonce in a leaf. As in OpenTimestamps: a proof shows its neighbours' hashes, and without a
/// nonce anybody could test a guess of a private record against them.
pub const NONCE_LEN: usize = 16;

/// The nonce of one leaf.
pub type Nonce = [u8; NONCE_LEN];

/// RFC 6962's leaf prefix.
pub const LEAF: u8 = 0x00;
/// RFC 6962's node prefix.
pub const NODE: u8 = 0x01;

/// A sibling on the way from a leaf to the root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sibling {
    Left(Digest),
    Right(Digest),
}

/// The nonce of `digest` in batch `batch`: derived from the node's secret, so there is nothing to store, and
/// unguessable without it.
pub fn nonce(secret: &[u8; 32], batch: u64, digest: &Digest) -> Nonce {
    let mut mac = HmacEngine::<sha256::Hash>::new(secret);
    mac.input(b"anchor");
    mac.input(&batch.to_be_bytes());
    mac.input(digest);
    let mac = Hmac::from_engine(mac).to_byte_array();
    *mac.first_chunk().expect("a sha256 has more bytes than a nonce")
}

/// The nonce of a batch's root before it goes to calendars, which would otherwise learn the root itself. No leaf of any
/// batch has it: what is hashed is longer.
pub fn calendar_nonce(secret: &[u8; 32], batch: u64, root: &Digest) -> Nonce {
    let mut mac = HmacEngine::<sha256::Hash>::new(secret);
    mac.input(b"anchor/calendar");
    mac.input(&batch.to_be_bytes());
    mac.input(root);
    let mac = Hmac::from_engine(mac).to_byte_array();
    *mac.first_chunk().expect("a sha256 has more bytes than a nonce")
}

/// The leaf that stands for `digest`: `sha256(0x00 ‖ digest ‖ nonce)`.
pub fn leaf(digest: &Digest, nonce: &Nonce) -> Digest {
    hash(&[&[LEAF], digest, nonce])
}

/// The tree of one batch, whole in memory.
pub struct Tree {
    inner: MerkleTree<Rfc6962>,
    root: Digest,
    len: usize,
}

impl std::fmt::Debug for Tree {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tree").field("len", &self.len).field("root", &hex::encode(self.root)).finish()
    }
}

impl Tree {
    /// The tree over `leaves`; none for no leaves.
    pub fn new(leaves: &[Digest]) -> Option<Self> {
        let inner = MerkleTree::from_leaves(leaves);
        let root = inner.root()?;
        Some(Self { inner, root, len: leaves.len() })
    }

    pub fn root(&self) -> Digest {
        self.root
    }

    /// The siblings from leaf `index` up to the root; none if there is no such leaf.
    pub fn path(&self, index: usize) -> Option<Vec<Sibling>> {
        if index >= self.len {
            return None;
        }
        let proof = self.inner.proof(&[index]);
        let mut hashes = proof.proof_hashes().iter().copied();
        let (mut index, mut width, mut path) = (index, self.len, Vec::new());
        while width > 1 {
            if index % 2 == 1 {
                path.push(Sibling::Left(hashes.next()?));
            } else if index + 1 < width {
                path.push(Sibling::Right(hashes.next()?));
            } // else: the odd last node, which goes up as it is
            (index, width) = (index / 2, width.div_ceil(2));
        }
        hashes.next().is_none().then_some(path)
    }
}

/// The root that `path` leads to from `leaf`.
pub fn climb(leaf: Digest, path: &[Sibling]) -> Digest {
    path.iter().fold(leaf, |node, sibling| match sibling {
        Sibling::Left(left) => hash(&[&[NODE], left, &node]),
        Sibling::Right(right) => hash(&[&[NODE], &node, right]),
    })
}

#[derive(Clone)]
struct Rfc6962;

impl rs_merkle::Hasher for Rfc6962 {
    type Hash = Digest;

    fn hash(data: &[u8]) -> Digest {
        hash(&[&[LEAF], data])
    }

    fn concat_and_hash(left: &Digest, right: Option<&Digest>) -> Digest {
        right.map_or(*left, |right| hash(&[&[NODE], left, right]))
    }
}

fn hash(parts: &[&[u8]]) -> Digest {
    let mut hasher = Hasher::default();
    for part in parts {
        hasher.update(part);
    }
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Certificate Transparency's reference leaves and the roots of their first n.
    const LEAVES: [&str; 8] =
        ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];
    const ROOTS: [(usize, &str); 6] = [
        (1, "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"),
        (2, "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"),
        (3, "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77"),
        (5, "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4"),
        (7, "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c"),
        (8, "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"),
    ];

    #[test]
    fn roots_are_those_of_rfc_6962() {
        let leaves: Vec<Digest> = LEAVES
            .iter()
            .map(|hex| <Rfc6962 as rs_merkle::Hasher>::hash(&hex::decode(hex).expect("valid hex")))
            .collect();
        for (n, root) in ROOTS {
            let tree = Tree::new(&leaves[..n]).expect("not empty");
            assert_eq!(hex::encode(tree.root()), root, "n = {n}");
            assert_eq!(tree.root(), slow_root(&leaves[..n]), "n = {n}");
        }
        assert!(Tree::new(&[]).is_none());
    }

    /// RFC 6962 section 2.1 as it is written: split at the largest power of two below n.
    fn slow_root(leaves: &[Digest]) -> Digest {
        match leaves {
            [one] => *one,
            _ => {
                let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
                hash(&[&[NODE], &slow_root(left), &slow_root(right)])
            }
        }
    }

    #[test]
    fn every_path_leads_to_the_root() {
        for n in 1..=130_u32 {
            let leaves: Vec<Digest> = (0..n).map(|i| crate::cid::digest(&i.to_be_bytes())).collect();
            let tree = Tree::new(&leaves).expect("not empty");
            assert_eq!(tree.root(), slow_root(&leaves), "n = {n}");
            for (i, leaf) in leaves.iter().enumerate() {
                let path = tree.path(i).expect("there is such a leaf");
                assert_eq!(climb(*leaf, &path), tree.root(), "leaf {i} of {n}");
            }
            assert_eq!(tree.path(leaves.len()), None);
        }
    }

    #[test]
    fn two_roots_as_one_leaf_do_not_pass_and_a_doubled_leaf_shows() {
        let [a, b, c] = [b"a", b"b", b"c"].map(|d| leaf(&crate::cid::digest(d), &[7; NONCE_LEN]));
        let root = Tree::new(&[a, b]).expect("not empty").root();
        let forged = <Rfc6962 as rs_merkle::Hasher>::hash(&[a, b].concat());
        assert_ne!(root, forged);
        let three = Tree::new(&[a, b, c]).expect("not empty").root();
        let four = Tree::new(&[a, b, c, c]).expect("not empty").root();
        assert_ne!(three, four);
    }

    #[test]
    fn nonces_depend_on_secret_batch_and_digest() {
        let (secret, digest) = ([1; 32], [2; 32]);
        let base = nonce(&secret, 1, &digest);
        assert_eq!(base, nonce(&secret, 1, &digest));
        assert_ne!(base, nonce(&[9; 32], 1, &digest));
        assert_ne!(base, nonce(&secret, 2, &digest));
        assert_ne!(base, nonce(&secret, 1, &[3; 32]));
        assert_ne!(base, calendar_nonce(&secret, 1, &digest));
    }

    proptest! {
        #[test]
        fn a_path_fits_no_other_leaf(n in 2_usize..200, a in any::<prop::sample::Index>(), b in any::<prop::sample::Index>()) {
            let leaves: Vec<Digest> = (0..n).map(|i| crate::cid::digest(&i.to_be_bytes())).collect();
            let (a, b) = (a.index(n), b.index(n));
            prop_assume!(a != b);
            let tree = Tree::new(&leaves).expect("not empty");
            prop_assert_ne!(climb(leaves[b], &tree.path(a).expect("there is such a leaf")), tree.root());
        }
    }
}
