//! One proof for many leaves of a tree: the root is computed from them and from the few hashes that they lack.
//!
//! The tree is that of `tree`: RFC 6962's shape, an odd node goes up as it is. The hashes that are lacking stand level by
//! level from the leaves up and from left to right; one that can be computed is not among them.

use super::tree::{Sibling, climb};
use crate::cid::Digest;

/// The numbers of the siblings that nodes with these numbers, in order, lack in a level of `width` nodes.
fn lacking(known: &[u32], width: usize) -> impl Iterator<Item = u32> {
    known.iter().enumerate().filter_map(move |(at, index)| {
        let sibling = index ^ 1;
        let is_known = match index % 2 {
            0 => known.get(at + 1) == Some(&sibling),
            _ => at > 0 && known.get(at - 1) == Some(&sibling),
        };
        (!is_known && (sibling as usize) < width).then_some(sibling)
    })
}

/// The nodes of a tree that some of its leaves and their siblings give: enough for the root and the way of each of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// Level by level from the leaves up, in order.
    levels: Vec<Vec<(u32, Digest)>>,
}

impl Known {
    /// `leaves` are hashed and in order, of a tree of `size` leaves. None unless `siblings` are just those that they lack.
    pub fn new(size: u32, leaves: Vec<(u32, Digest)>, siblings: &[Digest]) -> Option<Self> {
        let is_in_order = leaves.windows(2).all(|pair| pair[0].0 < pair[1].0);
        if !is_in_order || leaves.last()?.0 >= size {
            return None;
        }
        let (mut width, mut siblings, mut levels) = (size, siblings.iter(), vec![]);
        let mut level = leaves;
        loop {
            let known: Vec<u32> = level.iter().map(|(index, _)| *index).collect();
            let mut whole = level;
            for sibling in lacking(&known, width as usize) {
                whole.push((sibling, *siblings.next()?));
            }
            whole.sort_unstable_by_key(|(index, _)| *index);
            let up: Vec<(u32, Digest)> = whole
                .chunk_by(|(a, _), (b, _)| a / 2 == b / 2)
                .map(|pair| match pair {
                    [(index, left), (_, right)] => (index / 2, node(left, right)),
                    odd => (odd[0].0 / 2, odd[0].1),
                })
                .collect();
            levels.push(whole);
            if width <= 1 {
                break;
            }
            (level, width) = (up, width.div_ceil(2));
        }
        siblings.next().is_none().then_some(Self { levels })
    }

    pub fn root(&self) -> Digest {
        self.levels.last().and_then(|level| level.first()).map(|(_, hash)| *hash).unwrap_or_default()
    }

    /// The siblings from leaf `index` up to the root. Of a leaf that was given.
    pub fn path(&self, index: u32) -> Vec<Sibling> {
        let (mut index, mut path) = (index, Vec::new());
        for level in &self.levels {
            if let Ok(at) = level.binary_search_by_key(&(index ^ 1), |(index, _)| *index) {
                let hash = level[at].1;
                path.push(if index % 2 == 1 { Sibling::Left(hash) } else { Sibling::Right(hash) });
            }
            index /= 2;
        }
        path
    }
}

fn node(left: &Digest, right: &Digest) -> Digest {
    climb(*left, &[Sibling::Right(*right)])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{anchor::tree::Tree, cid};
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn leaves(n: u32) -> Vec<Digest> {
        (0..n).map(|i| cid::digest(&i.to_be_bytes())).collect()
    }

    fn chosen() -> impl Strategy<Value = (u32, BTreeSet<u32>)> {
        (1_u32..300).prop_flat_map(|n| (Just(n), prop::collection::btree_set(0..n, 1..=n.min(60) as usize)))
    }

    proptest! {
        /// Any leaves of a tree of any size give its root and the way of each, with no hash more than they lack.
        #[test]
        fn some_leaves_give_the_root_and_their_ways((n, chosen) in chosen()) {
            let all = leaves(n);
            let tree = Tree::new(&all).expect("not empty");
            let indexes: Vec<u32> = chosen.into_iter().collect();
            let siblings = tree.multi(&indexes.iter().map(|index| *index as usize).collect::<Vec<_>>());
            let given: Vec<_> = indexes.iter().map(|i| (*i, all[*i as usize])).collect();
            let known = Known::new(n, given.clone(), &siblings).expect("all that they lack");
            prop_assert_eq!(known.root(), tree.root());
            for index in &indexes {
                prop_assert_eq!(Some(known.path(*index)), tree.path(*index as usize));
            }
            if !siblings.is_empty() {
                prop_assert_eq!(Known::new(n, given.clone(), &siblings[1..]), None, "one too few");
            }
            let more = [&siblings[..], &[[0; 32]]].concat();
            prop_assert_eq!(Known::new(n, given, &more), None, "one too many");
        }
    }

    #[test]
    fn all_leaves_lack_nothing_and_one_lacks_its_way() {
        for n in 1..40 {
            let tree = Tree::new(&leaves(n)).expect("not empty");
            assert!(tree.multi(&(0..n as usize).collect::<Vec<_>>()).is_empty());
            let (last, path) = (n as usize - 1, tree.path(n as usize - 1).expect("a leaf"));
            assert_eq!(tree.multi(&[last]).len(), path.len());
        }
        assert_eq!(Known::new(0, vec![], &[]), None);
        assert_eq!(Known::new(3, vec![(3, [0; 32])], &[]), None);
        assert_eq!(Known::new(3, vec![(1, [0; 32]), (1, [0; 32])], &[[0; 32]]), None);
    }

    #[test]
    fn other_leaves_give_another_root() {
        let all = leaves(21);
        let tree = Tree::new(&all).expect("not empty");
        let siblings = tree.multi(&[3, 4, 20]);
        let mut given = vec![(3, all[3]), (4, all[4]), (20, all[20])];
        for at in 0..given.len() {
            given[at].1[0] ^= 1;
            assert_ne!(Known::new(21, given.clone(), &siblings).expect("all that they lack").root(), tree.root());
            given[at].1[0] ^= 1;
        }
    }
}
