//! How often strangers may make this node do something that costs it: so many times in all over a time, of these so many
//! for one place on the network or one friend's node, and some only for those it knows.
//!
//! A [`crate::pool::Pool`] is for what is given back; what is spent here comes back by itself, evenly over the time.

use crate::asker::Asker;
use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// Names with a bucket of their own. Full buckets are forgotten first; beyond that nothing new is done.
const BUCKETS_MAX: usize = 4096;

/// How often, and how that is given out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Times of all together.
    pub most: u32,
    /// Times of one place on the network, or one friend's node.
    pub share: u32,
    /// Of `most`, what only those who are known get.
    pub reserved: u32,
    /// Over this time.
    pub over: Duration,
}

/// On whose account it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum For {
    /// Of who asks.
    Asker(Asker),
    /// Of somebody that the node knows, whoever asks; and of who made him known, for strangers are soon known.
    Known(Asker),
}

/// What it is done to: so many times over the time, of these so many for one place.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    pub name: &'a str,
    pub most: u32,
    pub share: u32,
}

/// What is left to be spent.
#[derive(Debug)]
pub struct Budget {
    rate: Rate,
    buckets: Mutex<Buckets>,
}

#[derive(Debug)]
struct Buckets {
    strangers: Bucket,
    known: Bucket,
    each: HashMap<Name, Bucket>,
}

/// Whose bucket it is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Name {
    Place(Asker),
    /// Those who are known through a place, together.
    KnownBy(Asker),
    /// What it is done to, for strangers and for those who are known apart: no stranger spends what these have.
    Subject(String, bool),
    /// One place's part of what all strangers have of a subject.
    PlaceAt(Asker, String),
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    tokens: f64,
    most: u32,
    at: Instant,
}

impl Bucket {
    fn full(most: u32, at: Instant) -> Self {
        Self { tokens: most.into(), most, at }
    }

    fn refill(&mut self, over: Duration, now: Instant) {
        let gained = now.saturating_duration_since(self.at).as_secs_f64() / over.as_secs_f64() * f64::from(self.most);
        *self = Self { tokens: (self.tokens + gained).min(self.most.into()), most: self.most, at: now };
    }

    fn is_full(&self) -> bool {
        self.tokens >= self.most.into()
    }
}

impl Budget {
    pub fn new(rate: Rate) -> Self {
        let now = Instant::now();
        let strangers = Bucket::full(rate.most.saturating_sub(rate.reserved), now);
        let known = Bucket::full(rate.reserved, now);
        Self { rate, buckets: Mutex::new(Buckets { strangers, known, each: HashMap::new() }) }
    }

    /// Takes what one time costs: one of all, one of what the place has, and one of what there is of the subject. All of that,
    /// or nothing.
    pub fn take(&self, account: For, subject: Subject<'_>) -> bool {
        self.take_at(account, Some(subject), Instant::now())
    }

    /// The same for what is done to nobody in particular.
    pub fn take_one(&self, account: For) -> bool {
        self.take_at(account, None, Instant::now())
    }

    fn take_at(&self, account: For, subject: Option<Subject<'_>>, now: Instant) -> bool {
        let share = self.rate.share;
        let (place, name) = match account {
            For::Asker(asker) => (asker.share(), asker.share().map(|place| (Name::Place(place), share))),
            For::Known(by) => (None, by.share().map(|place| (Name::KnownBy(place), share))),
        };
        let mut names: Vec<_> = name.into_iter().collect();
        if let Some(Subject { name, most, share }) = subject {
            names.extend(place.map(|place| (Name::PlaceAt(place, name.into()), share)));
            names.push((Name::Subject(name.into(), place.is_none()), most));
        }
        let mut buckets = self.lock();
        let Buckets { strangers, known, each } = &mut *buckets;
        let over = self.rate.over;
        strangers.refill(over, now);
        known.refill(over, now);
        let all = if place.is_none() && known.tokens >= 1.0 { known } else { strangers };
        if all.tokens < 1.0 || !names.iter().all(|(name, most)| has_one(each, name, Bucket::full(*most, now), over)) {
            return false;
        }
        all.tokens -= 1.0;
        for (name, _) in names {
            if let Some(bucket) = each.get_mut(&name) {
                bucket.tokens -= 1.0;
            }
        }
        true
    }

    fn lock(&self) -> MutexGuard<'_, Buckets> {
        self.buckets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Is there a token in this bucket, which is made if need be?
fn has_one(each: &mut HashMap<Name, Bucket>, name: &Name, full: Bucket, over: Duration) -> bool {
    if each.len() >= BUCKETS_MAX && !each.contains_key(name) {
        each.retain(|_, bucket| {
            bucket.refill(over, full.at);
            !bucket.is_full()
        });
        if each.len() >= BUCKETS_MAX {
            return false;
        }
    }
    let bucket = each.entry(name.clone()).or_insert(full);
    bucket.refill(over, full.at);
    bucket.tokens >= 1.0
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn budget(most: u32, share: u32, reserved: u32) -> Budget {
        Budget::new(Rate { most, share, reserved, over: MINUTE })
    }

    fn of(name: &str, most: u32) -> Subject<'_> {
        Subject { name, most, share: most.div_ceil(2) }
    }

    fn at(address: &str) -> For {
        For::Asker(Asker::at(address.parse().expect("an address")))
    }

    #[test]
    fn it_is_spent_by_all_and_by_each_and_comes_back() {
        let (budget, now) = (budget(5, 5, 0), Instant::now());
        let take = |(name, most), now| budget.take_at(For::Known(Asker::Owner), Some(of(name, most)), now);
        assert_eq!([(); 3].map(|()| take(("a", 2), now)), [true, true, false]);
        assert_eq!(["b", "c", "d", "e"].map(|name| take((name, 2), now)), [true, true, true, false]);
        assert_eq!([(); 3].map(|()| take(("a", 2), now + MINUTE / 2)), [true, false, false]);
    }

    #[test]
    fn one_stranger_leaves_something_for_others_and_all_of_them_for_those_who_are_known() {
        let all = budget(40, 10, 8);
        let takes = |account: For, n: usize| (0..n).filter(|n| all.take(account, of(&n.to_string(), 20))).count();
        assert_eq!(takes(at("9.9.9.9"), 100), 10);
        assert_eq!(takes(at("127.0.0.1"), 100), 10, "a neighbour too");
        assert_eq!(
            (1..9).map(|n| takes(at(&format!("10.0.0.{n}")), 100)).sum::<usize>(),
            12,
            "the rest but what is reserved"
        );
        assert_eq!(takes(For::Known(Asker::Owner), 100), 8);
        assert_eq!(takes(For::Asker(Asker::Owner), 100), 0);
        let (rich, by) = (budget(1000, 10, 100), Asker::at([9, 9, 9, 9].into()));
        let known = (0..100).filter(|n| rich.take(For::Known(by), of(&n.to_string(), 20))).count();
        assert_eq!(known, 10, "who made himself known many times has one share more");
    }

    #[test]
    fn no_stranger_spends_what_a_known_subject_has_and_none_all_that_strangers_have_of_it() {
        let budget = budget(1000, 1000, 10);
        let takes = |account: For| (0..100).filter(|_| budget.take(account, of("host.example", 30))).count();
        assert_eq!((takes(at("9.9.9.9")), takes(at("9.9.9.8")), takes(at("9.9.9.7"))), (15, 15, 0));
        assert_eq!(takes(For::Known(Asker::Owner)), 30);
    }

    #[test]
    fn all_names_have_a_token_or_none_is_taken() {
        let (budget, now) = (budget(100, 2, 0), Instant::now());
        let take = |subject: &str, most: u32| budget.take_at(at("9.9.9.9"), Some(of(subject, most)), now);
        assert!(take("a", 2));
        assert!(!take("a", 2), "half of two");
        assert!(take("b", 2), "of its share one was left");
        assert!(!take("c", 2));
    }

    #[test]
    fn names_are_forgotten_when_they_have_all_back() {
        let (budget, now) = (budget(u32::MAX, u32::MAX, 0), Instant::now());
        let take = |name: &str, now| budget.take_at(For::Known(Asker::Owner), Some(of(name, 2)), now);
        assert!((0..BUCKETS_MAX).all(|n| take(&n.to_string(), now)));
        assert!(!take("one more", now));
        assert!(take("one more", now + MINUTE));
        assert_eq!(budget.lock().each.len(), 1);
    }
}
