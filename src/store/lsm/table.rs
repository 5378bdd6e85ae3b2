//! Entries in memory: of each key all that it has been since the table was begun, so that a reader sees the table as it
//! was when he came.

use super::entry::Changes;
use std::{
    collections::{BTreeMap, btree_map::Entry},
    ops::Bound,
    sync::{
        PoisonError, RwLock, RwLockReadGuard,
        atomic::{AtomicU64, Ordering},
    },
};

/// Number of a batch of changes, one more than the one before: a state of the tree.
pub type Sequence = u64;

/// A key's new value, or (`None`) that it is gone.
pub type Value = Option<Vec<u8>>;

#[derive(Debug)]
pub struct Table {
    map: RwLock<BTreeMap<Vec<u8>, Versions>>,
    /// The last batch that is in it whole.
    last: AtomicU64,
}

/// What a key has been.
#[derive(Debug)]
pub struct Versions {
    newest: (Sequence, Value),
    /// The oldest first.
    older: Vec<(Sequence, Value)>,
}

impl Versions {
    /// The value as of a batch; `None`: the key came later.
    fn at(&self, at: Sequence) -> Option<&Value> {
        if self.newest.0 <= at {
            return Some(&self.newest.1);
        }
        let before = self.older.partition_point(|(sequence, _)| *sequence <= at).checked_sub(1)?;
        self.older.get(before).map(|(_, value)| value)
    }

    pub fn newest(&self) -> &Value {
        &self.newest.1
    }
}

impl Table {
    /// For what comes after a batch.
    pub fn after(last: Sequence) -> Self {
        Self { map: RwLock::default(), last: AtomicU64::new(last) }
    }

    /// The last batch whose changes are all to be seen.
    pub fn last(&self) -> Sequence {
        self.last.load(Ordering::Acquire)
    }

    /// Takes in the batch after [`Table::last`]. One at a time.
    pub fn apply(&self, changes: Changes) {
        let next = self.last() + 1;
        let mut map = self.map.write().unwrap_or_else(PoisonError::into_inner);
        for (key, value) in changes {
            let newest = (next, value);
            match map.entry(key) {
                Entry::Vacant(new) => {
                    new.insert(Versions { newest, older: Vec::new() });
                }
                Entry::Occupied(mut known) => {
                    let versions = known.get_mut();
                    versions.older.push(std::mem::replace(&mut versions.newest, newest));
                }
            }
        }
        drop(map);
        self.last.store(next, Ordering::Release);
    }

    /// What the table said of a key as of a batch; `None`: nothing.
    pub fn get(&self, key: &[u8], at: Sequence) -> Option<Value> {
        self.read().get(key)?.at(at).cloned()
    }

    /// The first entries of a range as of a batch, or the last ones (`reverse`), at most `max`.
    pub fn range(
        &self,
        range: (Bound<&[u8]>, Bound<&[u8]>),
        at: Sequence,
        reverse: bool,
        max: usize,
    ) -> Vec<(Vec<u8>, Value)> {
        let map = self.read();
        let entries = map.range::<[u8], _>(range);
        let entry = |(key, versions): (&Vec<u8>, &Versions)| Some((key.clone(), versions.at(at)?.clone()));
        if reverse {
            entries.rev().filter_map(entry).take(max).collect()
        } else {
            entries.filter_map(entry).take(max).collect()
        }
    }

    pub fn read(&self) -> RwLockReadGuard<'_, BTreeMap<Vec<u8>, Versions>> {
        self.map.read().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_sees_the_table_as_it_was() {
        let table = Table::after(7);
        let batch = |pairs: &[(u8, Option<u8>)]| {
            let pair = |(key, value): &(u8, Option<u8>)| (vec![*key], value.map(|value| vec![value]));
            table.apply(pairs.iter().map(pair).collect());
            table.last()
        };
        let first = batch(&[(1, Some(1)), (2, Some(1))]);
        let second = batch(&[(1, Some(2)), (2, None), (3, Some(2))]);
        let third = batch(&[(1, None)]);
        assert_eq!((first, second, third), (8, 9, 10));
        let get = |key: u8, at| table.get(&[key], at).map(|value| value.map(|value| value[0]));
        assert_eq!([7, 8, 9, 10].map(|at| get(1, at)), [None, Some(Some(1)), Some(Some(2)), Some(None)]);
        assert_eq!([7, 8, 9, 10].map(|at| get(2, at)), [None, Some(Some(1)), Some(None), Some(None)]);
        let all = (Bound::Unbounded, Bound::Unbounded);
        let keys = |at, reverse, max| -> Vec<u8> {
            table.range(all, at, reverse, max).into_iter().map(|(key, _)| key[0]).collect()
        };
        assert_eq!((keys(8, false, 9), keys(9, true, 2)), (vec![1, 2], vec![3, 2]));
    }
}
