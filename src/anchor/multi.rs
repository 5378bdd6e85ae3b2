//! One proof for many leaves of a tree: the root is computed from them and from the few hashes that they lack.
//!
//! The tree is that of `tree`: RFC 6962's shape, an odd node goes up as it is. The hashes that are lacking stand level by
//! level from the leaves up and from left to right; one that can be computed is not among them.

use super::tree::{Sibling, climb};
use crate::cid::Digest;

/// All nodes of a tree, level by level from the leaves up.
#[derive(Debug)]
pub struct Levels(Vec<Vec<Digest>>);

impl Levels {
    /// Over hashed leaves; none for no leaves.
    pub fn new(leaves: Vec<Digest>) -> Option<Self> {
        let mut levels = vec![leaves];
        while levels.last()?.len() > 1 {
            let below = levels.last()?;
            let pair = |pair: &[Digest]| match pair {
                [left, right] => node(left, right),
                odd => odd[0],
            };
            levels.push(below.chunks(2).map(pair).collect());
        }
        levels.last()?.first()?;
        Some(Self(levels))
    }

    pub fn root(&self) -> Digest {
        self.0.last().and_then(|level| level.first()).copied().unwrap_or_default()
    }

    /// What the leaves with these numbers, in order, lack to give the root; none if there is no such leaf.
    pub fn siblings(&self, indexes: &[u32]) -> Option<Vec<Digest>> {
        let (mut found, mut known) = (Vec::new(), indexes.to_vec());
        for level in &self.0 {
            if known.last().is_some_and(|last| *last as usize >= level.len()) {
                return None;
            }
            for sibling in lacking(&known, level.len()) {
                found.push(*level.get(sibling as usize)?);
            }
            known = parents(&known);
        }
        Some(found)
    }
}

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

fn parents(known: &[u32]) -> Vec<u32> {
    let mut parents: Vec<u32> = known.iter().map(|index| index / 2).collect();
    parents.dedup();
    parents
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
            let (levels, tree) = (Levels::new(all.clone()).expect("not empty"), Tree::new(&all).expect("not empty"));
            prop_assert_eq!(levels.root(), tree.root());
            let indexes: Vec<u32> = chosen.into_iter().collect();
            let siblings = levels.siblings(&indexes).expect("they are leaves");
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
            let levels = Levels::new(leaves(n)).expect("not empty");
            let all: Vec<u32> = (0..n).collect();
            assert_eq!(levels.siblings(&all), Some(vec![]));
            assert_eq!(levels.siblings(&[n]), None);
            let one = levels.siblings(&[n - 1]).expect("it is a leaf");
            assert_eq!(
                one.len(),
                Tree::new(&leaves(n)).expect("not empty").path(n as usize - 1).expect("a leaf").len()
            );
        }
        assert!(Levels::new(vec![]).is_none());
        assert_eq!(Known::new(0, vec![], &[]), None);
        assert_eq!(Known::new(3, vec![(3, [0; 32])], &[]), None);
        assert_eq!(Known::new(3, vec![(1, [0; 32]), (1, [0; 32])], &[[0; 32]]), None);
    }
}
