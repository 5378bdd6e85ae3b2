//! A log-structured merge tree: a sorted map of bytes. It knows nothing of what the bytes mean.
//!
//! Changes go into a table in memory, at once. When it is large, or has been left alone, it is written to the disk as a
//! run of sorted pages; runs are merged in the background. The list of runs changes in one atomic write, so after a
//! crash the tree stands as it was after some batch; who needs the rest must have it elsewhere. Small key spaces and
//! the list of runs lie in sled. Which spaces are small, only scanned, or cached is handed in ([`Policy`]).

mod entry;
mod suspect;
mod page;
mod pages;
mod run;
mod disk;
mod small;
mod table;
mod value_cache;
mod layers;
mod flush;

use anyhow::Error as Fault;
use flush::Flusher;
use layers::Layers;
use std::{path::Path, sync::Arc};
use table::Sequence;
use value_cache::ValueCache;

pub use disk::was_closed;
pub use entry::{Changes, Policy, Scan};
pub use suspect::suspect_marker;

#[derive(Debug)]
pub struct Tree {
    flusher: Flusher,
    values: Arc<ValueCache>,
    policy: Policy,
}

/// The tree as it was after a batch. It stays so, whatever is applied, flushed or merged meanwhile, and keeps as long as it
/// lives what it needs for that: at most two tables in memory, and files of runs.
#[derive(Debug, Clone)]
pub struct Snapshot {
    layers: Arc<Layers>,
    values: Arc<ValueCache>,
    policy: Policy,
    at: Sequence,
}

impl Tree {
    /// Opens the tree in `dir`; `cache`: bytes of memory that its pages may take. An error means: damaged, set it aside.
    pub fn open(dir: &Path, cache: u64, policy: Policy) -> Result<Self, Fault> {
        Ok(Self { flusher: Flusher::open(dir, cache, policy)?, values: Arc::default(), policy })
    }

    /// The tree as it is.
    pub fn snapshot(&self) -> Snapshot {
        let layers = self.flusher.layers();
        // A table that has been frozen since takes nothing more: what it had last is a state all the same.
        let at = layers.active.last();
        Snapshot { layers, values: self.values.clone(), policy: self.policy, at }
    }

    /// Applies puts and removals, all at once for who takes a snapshot. Not durable before [`Tree::flush`], and it need not
    /// be. One batch at a time.
    pub fn apply(&self, changes: Changes) -> Result<(), Fault> {
        self.flusher.put(changes, &self.values)
    }

    /// Waits until more may be applied. An error if that needs room on the disk, and there is none.
    pub fn wait(&self) -> Result<(), Fault> {
        self.flusher.wait()
    }

    /// Waits until more may be applied, and takes room on the disk for it; an error if there is none.
    pub fn make_room(&self) -> Result<(), Fault> {
        self.flusher.make_room()
    }

    /// Writes what was applied to the disk, and hands it to the operating system.
    pub fn flush(&self) -> Result<(), Fault> {
        self.flusher.flush()
    }

    /// Why nothing is written to the disk any more.
    pub fn failed(&self) -> Option<String> {
        self.flusher.failed()
    }

    #[cfg(test)]
    pub fn fail(&self, runs: u32) {
        self.flusher.fail(runs);
    }

    #[cfg(test)]
    pub fn failing(&self) -> u32 {
        self.flusher.failing()
    }
}

impl Snapshot {
    pub fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        if !self.policy.is_cached(key) {
            return self.layers.get(key, self.at);
        }
        let ticket = match self.values.get(key, self.at) {
            Ok(value) => return Ok(Some(value.to_vec())),
            Err(ticket) => ticket,
        };
        let value = self.layers.get(key, self.at)?;
        if let Some(value) = &value {
            self.values.put(ticket, key, value);
        }
        Ok(value)
    }

    /// Pairs with `from` ≤ key < `to`, upwards or downwards.
    pub fn scan(&self, from: &[u8], to: &[u8], reverse: bool) -> Scan<'static> {
        if from >= to {
            return Box::new(std::iter::empty());
        }
        self.layers.scan(from, to, reverse, self.at).unwrap_or_else(|error| Box::new(std::iter::once(Err(error))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::{prelude::*, sample::Index};
    use std::collections::BTreeMap;

    const POLICY: Policy = Policy { small: &[1], ranged: &[2], cached: &[1, 3] };

    type State = BTreeMap<Vec<u8>, Vec<u8>>;

    #[derive(Debug, Clone)]
    enum Step {
        /// Keys, and the length of their values; none: they go.
        Apply(Vec<(u8, u8, Option<u16>)>),
        Take,
        Drop(Index),
        Flush,
    }

    fn step() -> impl Strategy<Value = Step> {
        let change = (1..5_u8, 0..12_u8, prop::option::weighted(0.7, 0..700_u16));
        prop_oneof![
            6 => prop::collection::vec(change, 1..12).prop_map(Step::Apply),
            2 => Just(Step::Take),
            1 => any::<Index>().prop_map(Step::Drop),
            1 => Just(Step::Flush),
        ]
    }

    /// The snapshot says what the state says, of every key and stretch.
    fn agree(snapshot: &Snapshot, state: &State, (from, to): (&[u8], &[u8])) -> Result<(), TestCaseError> {
        for space in 0..6 {
            for n in 0..12 {
                let key = [space, n];
                prop_assert_eq!(snapshot.get(&key).expect("reads"), state.get(key.as_slice()).cloned());
            }
        }
        let within = |(key, _): &(&Vec<u8>, &Vec<u8>)| key.as_slice() >= from && key.as_slice() < to;
        let mut pairs: Vec<_> = state.iter().filter(within).map(|(key, value)| (key.clone(), value.clone())).collect();
        let scan = |reverse| snapshot.scan(from, to, reverse).collect::<Result<Vec<_>, _>>().expect("reads");
        prop_assert_eq!(scan(false), pairs.clone());
        pairs.reverse();
        prop_assert_eq!(scan(true), pairs);
        Ok(())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]
        #[test]
        fn a_snapshot_stays_whatever_comes_after_it(
            steps in prop::collection::vec(step(), 1..60),
            bounds: [(u8, u8); 2],
        ) {
            let dir = tempfile::tempdir().expect("a directory");
            let tree = Tree::open(&dir.path().join("index"), 1 << 20, POLICY).expect("opens");
            let mut bounds = bounds.map(|(space, n)| [space % 6, n % 12]);
            bounds.sort_unstable();
            let (mut now, mut taken) = (State::new(), Vec::new());
            // Scans that have begun, with what is left of them.
            let mut begun = Vec::new();
            for step in steps {
                match step {
                    Step::Apply(changes) => {
                        let mut batch = Changes::new();
                        for (space, n, length) in changes {
                            let (key, value) = (vec![space, n], length.map(|length| vec![n; usize::from(length)]));
                            match &value {
                                Some(value) => drop(now.insert(key.clone(), value.clone())),
                                None => drop(now.remove(&key)),
                            }
                            batch.insert(key, value);
                        }
                        tree.wait().expect("there is room");
                        tree.apply(batch).expect("applies");
                    }
                    Step::Take => {
                        let snapshot = tree.snapshot();
                        begun.push((snapshot.scan(&[0], &[9], false), now.clone().into_iter()));
                        taken.push((snapshot, now.clone()));
                    }
                    Step::Drop(_) if taken.is_empty() => {}
                    Step::Drop(which) => drop(taken.swap_remove(which.index(taken.len()))),
                    Step::Flush => tree.flush().expect("flushes"),
                }
                for (scan, left) in &mut begun {
                    prop_assert_eq!(scan.next().transpose().expect("reads"), left.next());
                }
            }
            for (snapshot, state) in &taken {
                agree(snapshot, state, (&bounds[0], &bounds[1]))?;
                agree(snapshot, state, (&[], &[0xFF]))?;
            }
            agree(&tree.snapshot(), &now, (&[], &[0xFF]))?;
            for (scan, left) in begun {
                let rest: Vec<_> = scan.collect::<Result<_, _>>().expect("reads");
                prop_assert_eq!(rest, left.collect::<Vec<_>>());
            }
        }
    }
}
