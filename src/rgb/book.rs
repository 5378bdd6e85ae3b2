//! The transfers of one asset, and what follows from them: which of those that spend one coin counts, and what is held.
//!
//! Of transfers that spend the same coin the one that was begun first counts (by its record's dateCreated, then by its recordId, which
//! never change, so that a later state of a transfer does not move its place). One that does not count takes no coin from others. All devices
//! with the same records find the same, in whatever order these came.

use crate::cid::Digest;
use std::collections::{BTreeSet, HashMap};

/// Of a recordId: the digest in it.
pub type Key = Digest;
/// Of a coin: the digest of its outpoint.
pub type Coin = Digest;

/// What a transfer does to what is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    In,
    Out,
    /// To oneself.
    None,
}

/// What counts of a transfer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// dateCreated, in microseconds.
    pub begun: i64,
    pub effect: Effect,
    pub amount: u64,
    pub is_settled: bool,
    pub coins: Box<[Coin]>,
}

/// Sums of what counts. As many transfers as fit in 64 bits do not overflow one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sums {
    pub settled_in: u128,
    pub settled_out: u128,
    pub pending_in: u128,
    pub pending_out: u128,
}

impl Sums {
    fn of(&mut self, row: &Row) -> Option<&mut u128> {
        match (row.effect, row.is_settled) {
            (Effect::In, true) => Some(&mut self.settled_in),
            (Effect::In, false) => Some(&mut self.pending_in),
            (Effect::Out, true) => Some(&mut self.settled_out),
            (Effect::Out, false) => Some(&mut self.pending_out),
            (Effect::None, _) => None,
        }
    }

    fn add(&mut self, row: &Row) {
        if let Some(sum) = self.of(row) {
            *sum += u128::from(row.amount);
        }
    }

    fn take(&mut self, row: &Row) {
        if let Some(sum) = self.of(row) {
            *sum = sum.saturating_sub(u128::from(row.amount));
        }
    }
}

/// Who spends a coin: nearly always one.
#[derive(Debug, Clone)]
enum Claim {
    One(Key),
    Many(BTreeSet<Key>),
}

impl Claim {
    fn each(&self) -> impl Iterator<Item = &Key> {
        let (one, many) = match self {
            Self::One(key) => (Some(key), None),
            Self::Many(keys) => (None, Some(keys)),
        };
        one.into_iter().chain(many.into_iter().flatten())
    }
}

/// Transfers that have not failed, with what follows from them.
#[derive(Debug, Clone, Default)]
pub struct Book {
    rows: HashMap<Key, Row>,
    claims: HashMap<Coin, Claim>,
    /// Which do not count, and which took a coin of theirs before.
    lost: HashMap<Key, Key>,
    sums: Sums,
}

impl Book {
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    pub fn has(&self, key: &Key) -> bool {
        self.rows.contains_key(key)
    }

    pub fn sums(&self) -> Sums {
        self.sums
    }

    /// The transfer that took a coin of this one before.
    pub fn lost_to(&self, key: &Key) -> Option<&Key> {
        self.lost.get(key)
    }

    /// Transfers that do not count, each with the one that took a coin of it before.
    pub fn conflicts(&self) -> impl ExactSizeIterator<Item = (&Key, &Key)> {
        self.lost.iter()
    }

    /// The transfer other than `but` that counts and spends this coin.
    pub fn spender(&self, coin: &Coin, but: Option<&Key>) -> Option<&Key> {
        let counts = |key: &&Key| Some(*key) != but && !self.lost.contains_key(*key);
        self.claims.get(coin)?.each().find(counts)
    }

    /// From now on the transfer is this; `None`: it is none that counts, or is gone.
    pub fn set(&mut self, key: Key, row: Option<Row>) {
        if self.rows.get(&key) == row.as_ref() {
            return;
        }
        // All that are bound together by coins, before and after.
        let mut bound = self.bound(&key);
        for each in &bound {
            self.uncount(each);
        }
        self.remove(&key);
        if let Some(row) = row {
            for coin in &row.coins {
                self.claim(*coin, key);
            }
            self.rows.insert(key, row);
        }
        bound.insert(key);
        for each in self.bound(&key) {
            if bound.insert(each) {
                self.uncount(&each);
            }
        }
        self.count(&bound);
    }

    /// The transfer and all that share a coin with it, or with one of those.
    fn bound(&self, key: &Key) -> BTreeSet<Key> {
        let (mut found, mut next) = (BTreeSet::new(), vec![*key]);
        while let Some(key) = next.pop() {
            let Some(row) = self.rows.get(&key).filter(|_| found.insert(key)) else { continue };
            let many = row.coins.iter().filter_map(|coin| match self.claims.get(coin)? {
                Claim::One(_) => None,
                Claim::Many(keys) => Some(keys),
            });
            next.extend(many.flatten().filter(|other| !found.contains(*other)));
        }
        found
    }

    fn uncount(&mut self, key: &Key) {
        if self.lost.remove(key).is_none()
            && let Some(row) = self.rows.get(key)
        {
            self.sums.take(row);
        }
    }

    /// In the order in which they were begun: who finds a coin taken does not count.
    fn count(&mut self, keys: &BTreeSet<Key>) {
        let mut rows: Vec<_> = keys.iter().filter_map(|key| Some((self.rows.get(key)?, *key))).collect();
        rows.sort_by_key(|(row, key)| (row.begun, *key));
        let mut taken: HashMap<Coin, Key> = HashMap::new();
        for (row, key) in rows {
            match row.coins.iter().find_map(|coin| taken.get(coin)) {
                Some(first) => drop(self.lost.insert(key, *first)),
                None => {
                    taken.extend(row.coins.iter().map(|coin| (*coin, key)));
                    self.sums.add(row);
                }
            }
        }
    }

    fn claim(&mut self, coin: Coin, key: Key) {
        match self.claims.get_mut(&coin) {
            None => drop(self.claims.insert(coin, Claim::One(key))),
            Some(Claim::Many(keys)) => drop(keys.insert(key)),
            Some(one) => *one = Claim::Many(one.each().copied().chain([key]).collect()),
        }
    }

    fn remove(&mut self, key: &Key) {
        let Some(row) = self.rows.remove(key) else { return };
        for coin in row.coins {
            let Some(claim) = self.claims.remove(&coin) else { continue };
            let rest: BTreeSet<Key> = claim.each().filter(|other| *other != key).copied().collect();
            match (rest.len(), rest.first()) {
                (0, _) | (_, None) => {}
                (1, Some(one)) => drop(self.claims.insert(coin, Claim::One(*one))),
                _ => drop(self.claims.insert(coin, Claim::Many(rest))),
            }
        }
    }
}

/// The same by looking at every transfer, which is what a [`Book`] must agree with.
#[cfg(test)]
pub(super) fn by_looking(rows: &std::collections::BTreeMap<Key, Row>) -> (Sums, std::collections::BTreeMap<Key, Key>) {
    let mut all: Vec<_> = rows.iter().collect();
    all.sort_by_key(|(key, row)| (row.begun, **key));
    let (mut sums, mut lost) = (Sums::default(), std::collections::BTreeMap::new());
    let mut taken: Vec<(Coin, Key)> = Vec::new();
    for (key, row) in all {
        let first = row.coins.iter().find_map(|coin| taken.iter().find(|(other, _)| other == coin));
        match first {
            Some((_, first)) => drop(lost.insert(*key, *first)),
            None => {
                taken.extend(row.coins.iter().map(|coin| (*coin, *key)));
                sums.add(row);
            }
        }
    }
    (sums, lost)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn key(n: u8) -> Key {
        [n; 32]
    }

    fn row() -> impl Strategy<Value = Option<Row>> {
        let effect = prop_oneof![Just(Effect::In), Just(Effect::Out), Just(Effect::None)];
        let coins = proptest::collection::btree_set(0u8..5, 0..3);
        let row = (0i64..6, effect, any::<u64>(), any::<bool>(), coins);
        let row = row.prop_map(|(begun, effect, amount, is_settled, coins)| Row {
            begun,
            effect,
            amount,
            is_settled,
            coins: coins.into_iter().map(key).collect(),
        });
        proptest::option::weighted(0.8, row)
    }

    proptest! {
        #[test]
        fn what_is_derived_step_by_step_is_what_looking_at_all_finds(
            steps in proptest::collection::vec((0u8..12, row()), 1..60)
        ) {
            let (mut book, mut rows) = (Book::default(), BTreeMap::new());
            for (n, row) in steps {
                match row.clone() {
                    Some(row) => drop(rows.insert(key(n), row)),
                    None => drop(rows.remove(&key(n))),
                }
                book.set(key(n), row);
                let (sums, lost) = by_looking(&rows);
                prop_assert_eq!(book.sums(), sums);
                let own: BTreeMap<_, _> = book.conflicts().map(|(one, other)| (*one, *other)).collect();
                prop_assert_eq!(own, lost);
                prop_assert_eq!(book.len(), rows.len());
            }
        }
    }

    #[test]
    fn who_was_first_counts_and_when_it_fails_the_next_does() {
        let row = |begun, coins: &[u8]| Row {
            begun,
            effect: Effect::Out,
            amount: 1 << begun,
            is_settled: false,
            coins: coins.iter().map(|n| key(*n)).collect(),
        };
        let mut book = Book::default();
        // The second takes no coin from the third, for it does not count itself.
        for (n, one) in [(3, row(3, &[2])), (2, row(2, &[1, 2])), (1, row(1, &[1]))] {
            book.set(key(n), Some(one));
        }
        assert_eq!(book.sums().pending_out, 2 + 8);
        assert_eq!((book.lost_to(&key(2)), book.lost_to(&key(3))), (Some(&key(1)), None));
        assert_eq!(book.spender(&key(2), None), Some(&key(3)));
        assert_eq!(book.spender(&key(2), Some(&key(3))), None);
        book.set(key(1), None);
        assert_eq!(book.sums().pending_out, 4);
        assert_eq!((book.lost_to(&key(2)), book.lost_to(&key(3))), (None, Some(&key(2))));
    }
}
