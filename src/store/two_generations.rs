//! What caches of the store have in common: a bounded map that forgets what nobody asks for, and a memory of what was
//! asked for before.

use std::{borrow::Borrow, collections::HashMap, hash::Hash, mem};

/// A map of two generations: what is found in the old one becomes young again; when the young one is full it becomes the
/// old one, and what was in that goes.
#[derive(Debug)]
pub struct TwoGenerations<K, V> {
    young: HashMap<K, (V, usize)>,
    old: HashMap<K, (V, usize)>,
    bytes: usize,
    max: usize,
}

/// What has gone. To be dropped when no lock is held any more: it may be thousands of pieces.
pub type Gone<K, V> = HashMap<K, (V, usize)>;

impl<K: Eq + Hash, V: Clone> TwoGenerations<K, V> {
    /// `max`: bytes of one generation.
    pub fn new(max: usize) -> Self {
        Self { young: HashMap::new(), old: HashMap::new(), bytes: 0, max }
    }

    pub fn get<Q: Eq + Hash + ?Sized>(&mut self, key: &Q) -> (Option<V>, Gone<K, V>)
    where
        K: Borrow<Q>,
    {
        if let Some((value, _)) = self.young.get(key) {
            return (Some(value.clone()), Gone::new());
        }
        match self.old.remove_entry(key) {
            Some((key, (value, bytes))) => (Some(value.clone()), self.put(key, value, bytes)),
            None => (None, Gone::new()),
        }
    }

    /// `bytes`: what the pair takes.
    #[must_use]
    pub fn put(&mut self, key: K, value: V, bytes: usize) -> Gone<K, V> {
        self.bytes += bytes;
        self.young.insert(key, (value, bytes));
        if self.bytes <= self.max {
            return Gone::new();
        }
        self.bytes = 0;
        mem::replace(&mut self.old, mem::take(&mut self.young))
    }

    pub fn remove<Q: Eq + Hash + ?Sized>(&mut self, key: &Q)
    where
        K: Borrow<Q>,
    {
        self.young.remove(key);
        self.old.remove(key);
    }

    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }
}

/// Remembers of some hashes that they were asked for: of those that share a slot, the last.
#[derive(Debug)]
pub struct Asked {
    slots: Vec<u64>,
    bits: u32,
}

impl Asked {
    /// With two to the power of `bits` slots, which take no memory before the first is asked for.
    pub fn new(bits: u32) -> Self {
        Self { slots: Vec::new(), bits }
    }

    /// Was it asked for before? It is now.
    pub fn again(&mut self, hash: u64) -> bool {
        self.slots.resize(1 << self.bits, 0);
        let slot = self.slots.get_mut((hash >> (u64::BITS - self.bits)) as usize);
        slot.is_some_and(|last| mem::replace(last, hash) == hash)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_stays_and_the_rest_is_bounded() {
        let mut map = TwoGenerations::new(100);
        drop(map.put(0, 'a', 10));
        for n in 1..1000 {
            drop(map.put(n, 'b', 10));
            assert_eq!(map.get(&0).0, Some('a'));
            assert!(map.len() <= 22, "{}", map.len());
        }
        map.remove(&0);
        assert_eq!(map.get(&0).0, None);
    }

    #[test]
    fn it_is_known_what_was_asked_before() {
        let mut asked = Asked::new(4);
        assert_eq!(
            [1, 1, 2, 1, 1, 1 << 60, 1].map(|hash| asked.again(hash)),
            [false, true, false, false, true, false, true]
        );
    }
}
