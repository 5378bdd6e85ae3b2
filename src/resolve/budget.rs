//! How much strangers may make this node ask others: so many lookups a minute, together, for any one of them and of any
//! one place.

use crate::asker::Asker;
use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// The part of a budget that one place may take: with four strangers at work there is still something left for others
/// from time to time, and one alone is not slowed for long.
const SHARES: u32 = 4;
/// Tokens come back over this time.
const PERIOD: Duration = Duration::from_secs(60);
/// Things with a bucket of their own. Full buckets are forgotten first; beyond that nothing new is asked.
const BUCKETS_MAX: usize = 4096;

/// Tokens that come back evenly, for all and for each.
#[derive(Debug)]
pub struct Budget {
    all: u32,
    buckets: Mutex<Buckets>,
}

#[derive(Debug)]
struct Buckets {
    all: Bucket,
    each: HashMap<String, (Bucket, u32)>,
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    tokens: f64,
    at: Instant,
}

impl Bucket {
    fn full(most: u32, at: Instant) -> Self {
        Self { tokens: most.into(), at }
    }

    fn refill(&mut self, most: u32, now: Instant) {
        let gained = now.saturating_duration_since(self.at).as_secs_f64() / PERIOD.as_secs_f64() * f64::from(most);
        *self = Self { tokens: (self.tokens + gained).min(most.into()), at: now };
    }
}

impl Budget {
    /// `all`: times a minute, whatever it is for.
    pub fn new(all: u32) -> Self {
        let buckets = Buckets { all: Bucket::full(all, Instant::now()), each: HashMap::new() };
        Self { all, buckets: Mutex::new(buckets) }
    }

    /// Takes what one lookup costs: one of all, one of what its subject has a minute, one of what the asker has.
    pub fn take_for(&self, asker: Asker, subject: (&str, u32)) -> bool {
        let now = Instant::now();
        match asker.place() {
            None => self.take(&[subject], now),
            // No host and no DID is called so.
            Some(address) => self.take(&[(&format!("from {address}"), (self.all / SHARES).max(1)), subject], now),
        }
    }

    /// Takes one token of the whole and one of what each name has (so many a minute), or nothing at all.
    pub fn take(&self, names: &[(&str, u32)], now: Instant) -> bool {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let Buckets { all, each } = &mut *buckets;
        all.refill(self.all, now);
        if all.tokens < 1.0 || !names.iter().all(|&(name, most)| has_one(each, name, most, now)) {
            return false;
        }
        all.tokens -= 1.0;
        for (name, _) in names {
            if let Some((bucket, _)) = each.get_mut(*name) {
                bucket.tokens -= 1.0;
            }
        }
        true
    }
}

/// Is there a token in this bucket, which is made if need be?
fn has_one(each: &mut HashMap<String, (Bucket, u32)>, name: &str, most: u32, now: Instant) -> bool {
    if each.len() >= BUCKETS_MAX && !each.contains_key(name) {
        each.retain(|_, (bucket, most)| {
            bucket.refill(*most, now);
            bucket.tokens < f64::from(*most)
        });
        if each.len() >= BUCKETS_MAX {
            return false;
        }
    }
    let (bucket, _) = each.entry(name.to_owned()).or_insert_with(|| (Bucket::full(most, now), most));
    bucket.refill(most, now);
    bucket.tokens >= 1.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_is_spent_by_all_and_by_each_and_comes_back() {
        let (budget, now) = (Budget::new(5), Instant::now());
        let took: Vec<_> = (0..3).map(|_| budget.take(&[("a", 2)], now)).collect();
        assert_eq!(took, [true, true, false]);
        assert_eq!(["b", "c", "d", "e"].map(|name| budget.take(&[(name, 2)], now)), [true, true, true, false]);
        let later = now + PERIOD / 2;
        assert_eq!([(); 3].map(|()| budget.take(&[("a", 2)], later)), [true, false, false]);
    }

    #[test]
    fn one_stranger_leaves_something_for_the_others() {
        let budget = Budget::new(40);
        let at = |address: &str| Asker::at(address.parse().expect("an address"));
        let takes = |asker: Asker, n: usize| (0..n).filter(|n| budget.take_for(asker, (&n.to_string(), 10))).count();
        assert_eq!(takes(at("9.9.9.9"), 100), 10);
        assert_eq!(takes(at("127.0.0.1"), 100), 10, "a neighbour too");
        assert_eq!(takes(Asker::Owner, 100), 20, "those we know are only bound by what all share");
    }

    #[test]
    fn of_several_names_all_have_a_token_or_none_is_taken() {
        let (budget, now) = (Budget::new(100), Instant::now());
        assert!(budget.take(&[("a", 1), ("b", 2)], now));
        assert!(!budget.take(&[("a", 1), ("b", 2)], now));
        assert!(budget.take(&[("b", 2)], now), "it was not taken with a");
        assert!(!budget.take(&[("b", 2)], now));
    }

    #[test]
    fn names_are_forgotten_when_they_have_all_back() {
        let (budget, now) = (Budget::new(u32::MAX), Instant::now());
        assert!((0..BUCKETS_MAX).all(|n| budget.take(&[(&n.to_string(), 2)], now)));
        assert!(!budget.take(&[("one more", 2)], now));
        assert!(budget.take(&[("one more", 2)], now + PERIOD));
        assert_eq!(budget.buckets.lock().expect("not poisoned").each.len(), 1);
    }
}
