//! The Merkle tree of a batch: RFC 6962's shape and domain separation.
//!
//! An odd node goes up unchanged; it is never paired with itself. A [`Tree`] has every level in memory, so that a path is
//! a few looks; [`root_over`] needs no more than one node a level. Large ones are hashed on two threads. In tests
//! `rs_merkle`, with our hasher, has to say the same; its own has no domain separation, so that an inner node could
//! pass as a leaf.

use crate::{
    cid::{Digest, Hasher},
    memory::{self, wipe_stack},
};
use bitcoin::hashes::{Hash as _, HashEngine as _, Hmac, HmacEngine, sha256};
use std::{
    ops::Range,
    panic::resume_unwind,
    sync::{Mutex, PoisonError},
    thread,
};

/// Bytes of the nonce in a leaf. As in OpenTimestamps: a proof shows its neighbours' hashes, and without a
/// nonce anybody could test a guess of a private record against them.
pub const NONCE_LEN: usize = 16;

/// The nonce of one leaf.
pub type Nonce = [u8; NONCE_LEN];

/// RFC 6962's leaf prefix.
pub const LEAF: u8 = 0x00;
/// RFC 6962's node prefix.
pub const NODE: u8 = 0x01;

/// Hashes after which a second thread is worth its start.
const PARALLEL: usize = 4096;

/// A sibling on the way from a leaf to the root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sibling {
    Left(Digest),
    Right(Digest),
}

/// The nonces of one batch: derived from the node's secret, so there is nothing to store, and unguessable without it.
#[derive(Clone)]
pub struct Nonces(HmacEngine<sha256::Hash>);

impl std::fmt::Debug for Nonces {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Nonces") // what it holds makes them
    }
}

impl Nonces {
    pub fn new(secret: &[u8; 32], batch: u64) -> Self {
        let mut mac = HmacEngine::new(secret);
        mac.input(b"anchor");
        mac.input(&batch.to_be_bytes());
        Self(mac)
    }

    /// The nonce of `digest`.
    pub fn of(&self, digest: &Digest) -> Nonce {
        let mut mac = self.0.clone();
        mac.input(digest);
        let mac = Hmac::from_engine(mac).to_byte_array();
        *mac.first_chunk().expect("a sha256 has more bytes than a nonce")
    }

    /// The leaf that stands for `digest`.
    pub fn leaf(&self, digest: &Digest) -> Digest {
        leaf(digest, &self.of(digest))
    }

    /// The leaves of a batch.
    pub fn leaves(&self, digests: &[Digest]) -> Vec<Digest> {
        let mut leaves = vec![Digest::default(); digests.len()];
        in_pieces(digests, &mut leaves, 1, |digests, leaves| {
            for (digest, leaf) in digests.iter().zip(leaves) {
                *leaf = self.leaf(digest);
            }
            wipe_stack::<{ memory::SIGNING }>();
        });
        leaves
    }

    /// The root of a batch of `count` leaves; none for no leaves. `digest`: what leaf `i` stands for.
    pub fn root(&self, count: usize, digest: impl Fn(usize) -> Digest + Sync) -> Option<Digest> {
        root_over(count, |i| self.leaf(&digest(i)))
    }
}

/// The nonce of `digest` in batch `batch`.
pub fn nonce(secret: &[u8; 32], batch: u64, digest: &Digest) -> Nonce {
    Nonces::new(secret, batch).of(digest)
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

/// The tree of one batch, whole in memory: some 64 bytes a leaf.
pub struct Tree {
    /// The leaves, and above them each level up to the root, which is the last one's only node.
    levels: Vec<Vec<Digest>>,
}

impl std::fmt::Debug for Tree {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tree").field("len", &self.len()).field("root", &hex::encode(self.root())).finish()
    }
}

impl Tree {
    /// The tree over `leaves`; none for no leaves.
    pub fn new(leaves: &[Digest]) -> Option<Self> {
        Self::of(leaves.to_vec())
    }

    /// As [`Tree::new`], of leaves that nobody else needs.
    pub fn of(leaves: Vec<Digest>) -> Option<Self> {
        if leaves.is_empty() {
            return None;
        }
        let mut levels = vec![leaves];
        while let Some(below) = levels.last().filter(|level| level.len() > 1) {
            let mut above = vec![Digest::default(); below.len().div_ceil(2)];
            in_pieces(below, &mut above, 2, join);
            levels.push(above);
        }
        Some(Self { levels })
    }

    /// How many leaves it has.
    pub fn len(&self) -> usize {
        self.levels.first().map_or(0, Vec::len)
    }

    /// Never: there is no tree without leaves.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn root(&self) -> Digest {
        self.levels.last().and_then(|top| top.first()).copied().unwrap_or_default()
    }

    /// The siblings from leaf `index` up to the root; none if there is no such leaf.
    pub fn path(&self, mut index: usize) -> Option<Vec<Sibling>> {
        if index >= self.len() {
            return None;
        }
        let mut path = Vec::with_capacity(self.levels.len());
        for level in &self.levels {
            // the odd last node goes up as it is
            if let Some(sibling) = level.get(index ^ 1) {
                path.push(if index % 2 == 1 { Sibling::Left(*sibling) } else { Sibling::Right(*sibling) });
            }
            index /= 2;
        }
        Some(path)
    }

    /// What these leaves lack to give the root (see `multi`): the siblings that cannot be computed. Their order:
    /// level by level from the leaves upwards, and within a level from left to right. Indices may come in any order and
    /// twice; those beyond the last leaf count for nothing.
    pub fn multi(&self, indices: &[usize]) -> Vec<Digest> {
        let mut known: Vec<usize> = indices.iter().copied().filter(|index| *index < self.len()).collect();
        known.sort_unstable();
        known.dedup();
        let mut siblings = Vec::new();
        for level in &self.levels {
            let missing = |index: &&usize| known.binary_search(&(**index ^ 1)).is_err();
            siblings.extend(known.iter().filter(missing).filter_map(|index| level.get(index ^ 1)));
            known.iter_mut().for_each(|index| *index /= 2);
            known.dedup();
        }
        siblings
    }
}

/// The root over `count` leaves that `leaf` makes; none for no leaves. It keeps one node a level.
pub fn root_over(count: usize, leaf: impl Fn(usize) -> Digest + Sync) -> Option<Digest> {
    let leaf = &leaf;
    if count < PARALLEL {
        return peaks(0..count, leaf);
    }
    // Where RFC 6962 splits: the largest power of two below the count.
    let half = count.next_power_of_two() / 2;
    let other = move || peaks(half..count, leaf);
    thread::scope(|scope| {
        let second = thread::Builder::new().name("anchor-tree".into()).spawn_scoped(scope, other);
        let left = peaks(0..half, leaf)?;
        let right = match second {
            Ok(second) => second.join().unwrap_or_else(|panic| resume_unwind(panic)),
            Err(_) => other(), // no thread to be had
        };
        Some(inner(&left, &right?))
    })
}

/// The root over some leaves, one after the other: the roots of the whole trees so far are all that is kept.
fn peaks(range: Range<usize>, leaf: &impl Fn(usize) -> Digest) -> Option<Digest> {
    let mut peaks: Vec<Digest> = Vec::new();
    for (before, index) in range.enumerate() {
        let mut node = leaf(index);
        for _ in 0..before.trailing_ones() {
            node = inner(&peaks.pop()?, &node);
        }
        peaks.push(node);
    }
    wipe_stack::<{ memory::SIGNING }>();
    peaks.into_iter().rev().reduce(|right, left| inner(&left, &right))
}

/// The root that `path` leads to from `leaf`.
pub fn climb(leaf: Digest, path: &[Sibling]) -> Digest {
    path.iter().fold(leaf, |node, sibling| match sibling {
        Sibling::Left(left) => inner(left, &node),
        Sibling::Right(right) => inner(&node, right),
    })
}

/// A level from the one below it.
fn join(below: &[Digest], above: &mut [Digest]) {
    for (pair, node) in below.chunks(2).zip(above) {
        match pair {
            [left, right] => *node = inner(left, right),
            [odd, ..] => *node = *odd,
            [] => {}
        }
    }
}

/// Fills `to` from `from`, `each` of which give one, on two threads if there is much of it.
fn in_pieces(from: &[Digest], to: &mut [Digest], each: usize, fill: impl Fn(&[Digest], &mut [Digest]) + Sync) {
    if to.len() < PARALLEL {
        return fill(from, to);
    }
    let pieces = Mutex::new(from.chunks(each * PARALLEL / 2).zip(to.chunks_mut(PARALLEL / 2)));
    let next = || pieces.lock().unwrap_or_else(PoisonError::into_inner).next();
    let work = || {
        while let Some((from, to)) = next() {
            fill(from, to);
        }
    };
    thread::scope(|scope| {
        // Without a second thread, this one does all of it.
        let _ = thread::Builder::new().name("anchor-tree".into()).spawn_scoped(scope, work);
        work();
    });
}

fn inner(left: &Digest, right: &Digest) -> Digest {
    hash(&[&[NODE], left, right])
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

    /// `rs_merkle` with RFC 6962's prefixes.
    #[derive(Clone)]
    struct Rfc6962;

    impl rs_merkle::Hasher for Rfc6962 {
        type Hash = Digest;

        fn hash(data: &[u8]) -> Digest {
            hash(&[&[LEAF], data])
        }

        fn concat_and_hash(left: &Digest, right: Option<&Digest>) -> Digest {
            right.map_or(*left, |right| inner(left, right))
        }
    }

    fn numbered(n: usize) -> Vec<Digest> {
        (0..n).map(|i| crate::cid::digest(&i.to_be_bytes())).collect()
    }

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

    #[test]
    fn on_two_threads_and_leaf_by_leaf_it_is_the_same_tree() {
        for n in [PARALLEL - 1, PARALLEL, 2 * PARALLEL, 2 * PARALLEL + 1, 3 * PARALLEL + 77, 40_000] {
            let digests = numbered(n);
            let nonces = Nonces::new(&[7; 32], 3);
            let leaves = nonces.leaves(&digests);
            assert_eq!(leaves[n - 1], leaf(&digests[n - 1], &nonce(&[7; 32], 3, &digests[n - 1])), "n = {n}");
            let tree = Tree::new(&leaves).expect("not empty");
            assert_eq!(tree.root(), slow_root(&leaves), "n = {n}");
            assert_eq!(nonces.root(n, |i| digests[i]), Some(tree.root()), "n = {n}");
            for i in [0, 1, n / 2, n - 2, n - 1] {
                assert_eq!(climb(leaves[i], &tree.path(i).expect("there is such a leaf")), tree.root(), "{i} of {n}");
            }
        }
        assert_eq!(root_over(0, |_| [0; 32]), None);
    }

    proptest! {
        #[test]
        fn it_is_rs_merkles_tree(n in 1_usize..600, a in any::<prop::sample::Index>()) {
            let leaves = numbered(n);
            let (tree, theirs) = (Tree::new(&leaves).expect("not empty"), rs_merkle::MerkleTree::<Rfc6962>::from_leaves(&leaves));
            prop_assert_eq!(Some(tree.root()), theirs.root());
            prop_assert_eq!(root_over(n, |i| leaves[i]), theirs.root());
            let path = tree.path(a.index(n)).expect("there is such a leaf");
            let hashes: Vec<Digest> = path.iter().map(|s| match s { Sibling::Left(d) | Sibling::Right(d) => *d }).collect();
            prop_assert_eq!(hashes, theirs.proof(&[a.index(n)]).proof_hashes().to_vec());
        }

        #[test]
        fn what_some_leaves_lack_is_what_rs_merkle_says(
            n in 1_usize..300,
            some in prop::collection::vec(any::<prop::sample::Index>(), 1..20),
        ) {
            let leaves = numbered(n);
            let (tree, theirs) = (Tree::new(&leaves).expect("not empty"), rs_merkle::MerkleTree::<Rfc6962>::from_leaves(&leaves));
            let indices: Vec<usize> = some.iter().map(|i| i.index(n)).collect();
            let mut sorted = indices.clone();
            sorted.sort_unstable();
            sorted.dedup();
            let siblings = tree.multi(&indices);
            prop_assert_eq!(&siblings, &theirs.proof(&sorted).proof_hashes().to_vec());
        }

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
