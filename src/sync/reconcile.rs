//! Who lacks what: two ends narrow down, by fingerprints of ranges of digests, where their sets differ (range-based set
//! reconciliation). Pure.
//!
//! A range is all digests that begin alike. Each end answers a range whose fingerprint differs with the ranges of six bits
//! more, or with all its items there if they are few. Where one end has nothing, the other sends all. Who gets a list of
//! items knows both: what to send, and what to ask for. Three round trips find a few differences among a million.
//!
//! Fingerprints and names of items are hashed with what both ends have just drawn at random: who may write messages
//! cannot have looked for ones that hide a difference.

use crate::{
    dwn::Fault,
    planted,
    sums::{Item, Prefix, Sum},
};
use anyhow::bail;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, BTreeSet};

/// A range with at most so many items is told item by item. (Fewer in tests: their small sets are narrowed down as large ones are.)
const FEW: u64 = if cfg!(test) { 3 } else { 32 };
/// Ranges in one frame: the answer to all of them stays far below the bound of a frame.
pub const RANGES_MAX: usize = 64;
/// Items that one answer finds to be sent: the rest is found when these are over.
pub const FOUND_MAX: usize = 1 << 16;
/// Items told of one range at most: an honest end tells [`FEW`], and more only of digests that were made to be alike.
pub const TOLD_MAX: usize = 1024;
/// Items in memory at once.
const READ_MAX: u64 = if cfg!(test) { 8 } else { 4096 };

/// The first bytes of a hash: of a sum or an item in this session.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Short(#[serde(with = "serde_bytes")] pub [u8; 8]);

/// A set of messages, as one end of a session may tell it to the other.
pub trait Set {
    fn sum(&self, of: Prefix) -> Result<Sum, Fault>;
    /// The parts of a prefix that are not empty.
    fn children(&self, of: Prefix) -> Result<Vec<(Prefix, Sum)>, Fault>;
    /// All items of a prefix at once: [`each`] asks for few enough.
    fn items(&self, of: Prefix) -> Result<Vec<Item>, Fault>;
}

/// What both ends of a session hash with.
#[derive(Debug, Clone, Copy)]
pub struct Keyed([u8; 32]);

impl Keyed {
    /// `nonces`: of the end with the smaller DID first.
    pub fn new(nonces: [&[u8]; 2]) -> Self {
        let hash = nonces.iter().fold(Sha256::new_with_prefix("toft sync session"), |hash, nonce| {
            hash.chain_update((nonce.len() as u64).to_be_bytes()).chain_update(nonce)
        });
        Self(hash.finalize().into())
    }

    /// Of a set.
    pub fn fingerprint(&self, sum: &Sum) -> [u8; 16] {
        self.hash(&sum.to_bytes())
    }

    /// Of all that is shared: scopes by name, in order.
    pub fn all(&self, scopes: impl Iterator<Item = (String, Sum)>) -> [u8; 16] {
        let mut bytes = Vec::new();
        for (name, sum) in scopes {
            bytes.extend((name.len() as u64).to_be_bytes());
            bytes.extend(name.as_bytes());
            bytes.extend(sum.to_bytes());
        }
        self.hash(&bytes)
    }

    fn short_sum(&self, sum: &Sum) -> Short {
        let bytes = sum.to_bytes();
        let counted = if planted::is("only the number of messages is compared") { &bytes[32..] } else { &bytes };
        Short(self.hash(counted))
    }

    pub fn short(&self, item: &Item) -> Short {
        if planted::is("short names are of the digest alone") {
            return Short(self.hash(&item.digest));
        }
        Short(self.hash(&item.id()))
    }

    fn hash<const N: usize>(&self, bytes: &[u8]) -> [u8; N] {
        let hash = Sha256::new().chain_update(self.0).chain_update(bytes).finalize();
        let mut first = [0; N];
        first.iter_mut().zip(hash).for_each(|(to, from)| *to = from);
        first
    }
}

/// What one end says of a range. A prefix is told by its bits and its value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Range {
    /// The parts of the range that are not empty: the last six bits of each, and its fingerprint.
    Parts(u8, u64, Vec<(u8, Short)>),
    /// All items of the range.
    Items(u8, u64, Vec<Short>),
}

impl Range {
    fn prefix(&self) -> Result<Prefix, Fault> {
        let (Self::Parts(bits, value, _) | Self::Items(bits, value, _)) = self;
        prefix(*bits, *value)
    }

    /// Items that it names.
    pub fn items(&self) -> usize {
        if let Self::Items(_, _, items) = self { items.len() } else { 0 }
    }

    /// About how many bytes it takes, in memory and on the way.
    pub fn weight(&self) -> usize {
        match self {
            Self::Parts(_, _, parts) => 32 + 11 * parts.len(),
            Self::Items(_, _, items) => 32 + 9 * items.len(),
        }
    }
}

/// What comes of the other end's ranges.
#[derive(Debug, Default)]
pub struct Found {
    /// To be told to the other end, in frames of [`RANGES_MAX`].
    pub reply: Vec<Range>,
    /// It lacks these.
    pub send: Vec<Item>,
    /// This end lacks these.
    pub want: Vec<(Prefix, Vec<Short>)>,
    /// There are more that it lacks: to be found in another round.
    pub is_cut: bool,
}

/// The first thing to say of a set.
pub fn open(set: &dyn Set, key: &Keyed) -> Result<Range, Fault> {
    tell(set, key, Prefix::ALL, set.sum(Prefix::ALL)?.count())
}

/// Answers what the other end says of ranges.
pub fn answer(set: &dyn Set, key: &Keyed, ranges: &[Range]) -> Result<Found, Fault> {
    if ranges.len() > RANGES_MAX {
        bail!("the peer tells {} ranges at once; {RANGES_MAX} are allowed", ranges.len());
    }
    let prefixes = ranges.iter().map(Range::prefix).collect::<Result<Vec<_>, Fault>>()?;
    check_apart(&prefixes)?;
    let mut found = Found::default();
    for (range, of) in ranges.iter().zip(prefixes) {
        match range {
            Range::Parts(_, _, parts) => found.parts(set, key, of, parts)?,
            Range::Items(_, _, items) => found.items(set, key, of, items)?,
        }
    }
    Ok(found)
}

/// An honest end tells a digest's range once: else a small frame would make this end read the same again and again.
fn check_apart(prefixes: &[Prefix]) -> Result<(), Fault> {
    let mut in_order = prefixes.to_vec();
    in_order.sort_unstable_by_key(|of| of.first());
    let ends_before = |one: &Prefix, next: &Prefix| one.end().is_some_and(|end| end <= next.first());
    if in_order.iter().zip(in_order.iter().skip(1)).any(|(one, next)| !ends_before(one, next)) {
        bail!("the peer tells of the same range twice at once");
    }
    Ok(())
}

/// Those items of a range that somebody asks for, at most [`TOLD_MAX`].
pub fn chosen(set: &dyn Set, key: &Keyed, of: Prefix, wanted: &[Short]) -> Result<Vec<Item>, Fault> {
    if wanted.len() > TOLD_MAX {
        bail!("the peer asks for {} items of a range; {TOLD_MAX} are allowed", wanted.len());
    }
    let mut wanted: BTreeSet<_> = wanted.iter().collect();
    let mut items = Vec::new();
    each(set, of, set.sum(of)?.count(), &mut |item| {
        if wanted.remove(&key.short(&item)) {
            items.push(item);
        }
        !wanted.is_empty()
    })?;
    Ok(items)
}

/// Hands out all items of a set.
pub fn each_of(set: &dyn Set, take: &mut dyn FnMut(Item)) -> Result<(), Fault> {
    each(set, Prefix::ALL, set.sum(Prefix::ALL)?.count(), &mut |item| {
        take(item);
        true
    })
    .map(drop)
}

/// Hands out the `count` items of a range in order, with at most [`READ_MAX`] of them in memory, until `take` says that it has
/// enough. Did it come to the end?
fn each(set: &dyn Set, of: Prefix, count: u64, take: &mut dyn FnMut(Item) -> bool) -> Result<bool, Fault> {
    if count <= READ_MAX || of.bits() == Prefix::BITS_MAX {
        return Ok(count == 0 || set.items(of)?.into_iter().all(take));
    }
    for (part, sum) in set.children(of)? {
        if !each(set, part, sum.count(), take)? {
            return Ok(false);
        }
    }
    Ok(true)
}

pub fn prefix(bits: u8, value: u64) -> Result<Prefix, Fault> {
    match Prefix::new(bits, value) {
        Some(prefix) => Ok(prefix),
        None => bail!("the peer tells a range of {bits} bits that begins with {value}: there is none"),
    }
}

/// All items of a range if they are few, else its parts.
fn tell(set: &dyn Set, key: &Keyed, of: Prefix, count: u64) -> Result<Range, Fault> {
    if count <= FEW || of.bits() == Prefix::BITS_MAX {
        let items = if count == 0 { Vec::new() } else { set.items(of)? };
        return Ok(Range::Items(of.bits(), of.value(), items.iter().map(|item| key.short(item)).collect()));
    }
    let parts = set.children(of)?;
    let parts = parts.iter().map(|(part, sum)| (last_bits(*part), key.short_sum(sum)));
    Ok(Range::Parts(of.bits(), of.value(), parts.collect()))
}

fn last_bits(part: Prefix) -> u8 {
    (part.value() & ((1 << Prefix::STEP) - 1)) as u8
}

impl Found {
    fn parts(&mut self, set: &dyn Set, key: &Keyed, of: Prefix, told: &[(u8, Short)]) -> Result<(), Fault> {
        let theirs: BTreeMap<_, _> = told.iter().copied().collect();
        let mine: BTreeMap<_, _> = set.children(of)?.into_iter().collect();
        for part in of.parts() {
            if planted::is("half of the parts are passed over") && last_bits(part) % 2 == 1 {
                continue;
            }
            match (theirs.get(&last_bits(part)), mine.get(&part)) {
                (None, None) => {}
                (None, Some(sum)) => self.send_all(set, part, sum.count())?,
                (Some(_), None) => self.reply.push(Range::Items(part.bits(), part.value(), Vec::new())),
                (Some(short), Some(sum)) if *short == key.short_sum(sum) => {}
                (Some(_), Some(sum)) => self.reply.push(tell(set, key, part, sum.count())?),
            }
        }
        Ok(())
    }

    fn items(&mut self, set: &dyn Set, key: &Keyed, of: Prefix, told: &[Short]) -> Result<(), Fault> {
        if told.len() > TOLD_MAX {
            bail!("the peer tells {} items of a range; {TOLD_MAX} are allowed", told.len());
        }
        let count = set.sum(of)?.count();
        let mut theirs: BTreeSet<_> = told.iter().copied().collect();
        let mut left = count;
        let is_whole = each(set, of, count, &mut |item| {
            left = left.saturating_sub(1);
            let is_left_out = left == 0 && planted::is("the last item of a range is left out");
            is_left_out || theirs.remove(&key.short(&item)) || self.send(item)
        })?;
        // Of what was not looked at nobody knows whether it is here.
        if is_whole && !theirs.is_empty() {
            self.want.push((of, theirs.into_iter().collect()));
        }
        Ok(())
    }

    /// Is there room for it?
    fn send(&mut self, item: Item) -> bool {
        let has_room = self.send.len() < FOUND_MAX;
        if has_room {
            self.send.push(item);
        }
        self.is_cut |= !has_room;
        has_room
    }

    fn send_all(&mut self, set: &dyn Set, of: Prefix, count: u64) -> Result<(), Fault> {
        each(set, of, count, &mut |item| self.send(item)).map(drop)
    }
}

/// A set without what is listed, all of which is in it.
pub struct Without<'a>(pub &'a dyn Set, pub &'a List);

impl Set for Without<'_> {
    fn sum(&self, of: Prefix) -> Result<Sum, Fault> {
        Ok(self.0.sum(of)?.minus(self.1.sum(of)?))
    }

    fn children(&self, of: Prefix) -> Result<Vec<(Prefix, Sum)>, Fault> {
        let less: BTreeMap<_, _> = self.1.children(of)?.into_iter().collect();
        let rest = self.0.children(of)?.into_iter().map(|(part, sum)| match less.get(&part) {
            Some(less) => (part, sum.minus(*less)),
            None => (part, sum),
        });
        Ok(rest.filter(|(_, sum)| !sum.is_empty()).collect())
    }

    fn items(&self, of: Prefix) -> Result<Vec<Item>, Fault> {
        Ok(self.0.items(of)?.into_iter().filter(|item| !self.1.contains(item)).collect())
    }
}

/// A set that is a list.
#[derive(Debug, Clone, Default)]
pub struct List(BTreeSet<Item>);

impl FromIterator<Item> for List {
    fn from_iter<T: IntoIterator<Item = Item>>(items: T) -> Self {
        Self(items.into_iter().collect())
    }
}

impl List {
    /// Was it not there?
    pub fn insert(&mut self, item: Item) -> bool {
        self.0.insert(item)
    }

    /// Was it there?
    pub fn remove(&mut self, item: &Item) -> bool {
        self.0.remove(item)
    }

    pub fn contains(&self, item: &Item) -> bool {
        self.0.contains(item)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn iter(&self) -> impl Iterator<Item = &Item> {
        self.0.iter()
    }

    fn within(&self, of: Prefix) -> impl Iterator<Item = &Item> {
        let mut first = [0; 32];
        first.iter_mut().zip(of.first()).for_each(|(to, from)| *to = from);
        let from = Item { digest: first, has_data: false };
        self.0.range(from..).take_while(move |item| of.has(&item.digest))
    }
}

impl Set for List {
    fn sum(&self, of: Prefix) -> Result<Sum, Fault> {
        Ok(self.within(of).collect())
    }

    fn children(&self, of: Prefix) -> Result<Vec<(Prefix, Sum)>, Fault> {
        let mut parts = BTreeMap::<Prefix, Sum>::new();
        for item in self.within(of) {
            if let Some(part) = of.part(&item.digest) {
                let sum = parts.entry(part).or_default();
                sum.add(&item.id());
            }
        }
        Ok(parts.into_iter().collect())
    }

    fn items(&self, of: Prefix) -> Result<Vec<Item>, Fault> {
        Ok(self.within(of).copied().collect())
    }
}

/// A set with some more items, none of which it has.
pub struct With<'a, S: ?Sized>(pub &'a S, pub &'a List);

impl<S: Set + ?Sized> Set for With<'_, S> {
    fn sum(&self, of: Prefix) -> Result<Sum, Fault> {
        Ok(self.0.sum(of)?.plus(self.1.sum(of)?))
    }

    fn children(&self, of: Prefix) -> Result<Vec<(Prefix, Sum)>, Fault> {
        let mut parts: BTreeMap<_, _> = self.0.children(of)?.into_iter().collect();
        for (part, more) in self.1.children(of)? {
            let sum = parts.entry(part).or_default();
            *sum = sum.plus(more);
        }
        Ok(parts.into_iter().collect())
    }

    fn items(&self, of: Prefix) -> Result<Vec<Item>, Fault> {
        let mut items = self.0.items(of)?;
        items.extend(self.1.items(of)?);
        Ok(items)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::{collection::vec, prelude::*};

    /// What came of it: what each found to send, frames, bytes told.
    struct Outcome {
        sent: [BTreeSet<Item>; 2],
        frames: usize,
        bytes: usize,
    }

    fn run<S: Set>(sets: [&S; 2]) -> Outcome {
        let key = Keyed::new([b"one", b"two"]);
        let mut out = Outcome { sent: Default::default(), frames: 0, bytes: 0 };
        let mut told = vec![open(sets[0], &key).expect("opens")];
        let mut who = 1;
        while !told.is_empty() {
            let mut reply = vec![];
            for frame in told.chunks(RANGES_MAX) {
                out.frames += 1;
                out.bytes += serde_ipld_dagcbor::to_vec(frame).expect("encodes").len();
                let found = answer(sets[who], &key, frame).expect("answers");
                assert!(!found.is_cut);
                out.sent[who].extend(found.send);
                reply.extend(found.reply);
                for (of, shorts) in found.want {
                    out.bytes += 9 * shorts.len();
                    out.sent[1 - who].extend(chosen(sets[1 - who], &key, of, &shorts).expect("chosen"));
                }
            }
            told = reply;
            who = 1 - who;
        }
        out
    }

    fn item(n: u64) -> Item {
        Item { digest: Sha256::digest(n.to_be_bytes()).into(), has_data: n.is_multiple_of(3) }
    }

    #[test]
    fn a_few_differences_among_many_take_three_round_trips() {
        const ALL: u64 = 60_000;
        let one: List = (0..ALL).filter(|n| n % (ALL / 10) != 5).map(item).collect();
        let two: List = (0..ALL).filter(|n| n % (ALL / 10) != 7).map(item).collect();
        let out = run([&one, &two]);
        let expected = |rest| (0..ALL).filter(|n| n % (ALL / 10) == rest).map(item).collect::<BTreeSet<_>>();
        assert_eq!(out.sent, [expected(7), expected(5)]);
        assert!(out.frames <= 6 && out.bytes < 50_000, "{} frames, {} bytes", out.frames, out.bytes);
        // The same sets need one look.
        assert_eq!(run([&one, &one]).frames, 1);
        // Who has nothing gets all.
        assert_eq!(run([&List::default(), &one]).sent[1].len(), one.0.len());
        assert_eq!(run([&one, &List::default()]).sent[0].len(), one.0.len());
    }

    /// A set that remembers how many items it was asked for at once.
    struct Watched<'a>(&'a List, std::cell::Cell<usize>);

    impl Set for Watched<'_> {
        fn sum(&self, of: Prefix) -> Result<Sum, Fault> {
            self.0.sum(of)
        }

        fn children(&self, of: Prefix) -> Result<Vec<(Prefix, Sum)>, Fault> {
            self.0.children(of)
        }

        fn items(&self, of: Prefix) -> Result<Vec<Item>, Fault> {
            let items = self.0.items(of)?;
            self.1.set(self.1.get().max(items.len()));
            Ok(items)
        }
    }

    #[test]
    fn a_set_is_never_gathered_as_a_whole() {
        let key = Keyed::new([b"one", b"two"]);
        let set: List = (0..2_000).map(item).collect();
        let watched = Watched(&set, Default::default());
        let shorts: Vec<_> = (0..10).map(|n| key.short(&item(n))).collect();
        // Who has a few, who has none, and who asks for a few of all.
        for (told, sent) in [(&shorts[..], 1_990), (&[], 2_000)] {
            let found = answer(&watched, &key, &[Range::Items(0, 0, told.to_vec())]).expect("is answered");
            assert_eq!((found.send.len(), found.want.len()), (sent, 0));
        }
        assert_eq!(chosen(&watched, &key, Prefix::ALL, &shorts).expect("is found").len(), 10);
        assert!(watched.1.get() as u64 <= READ_MAX, "{} items at once", watched.1.get());
    }

    #[test]
    fn what_is_more_than_can_be_sent_is_cut_and_nothing_is_wanted_that_was_not_looked_for() {
        let key = Keyed::new([b"one", b"two"]);
        let set: List = (0..FOUND_MAX as u64 + 10).map(item).collect();
        let last = *set.iter().last().expect("some");
        let found = answer(&set, &key, &[Range::Items(0, 0, vec![key.short(&last)])]).expect("is answered");
        assert_eq!((found.send.len(), found.is_cut, found.want), (FOUND_MAX, true, vec![]));
    }

    #[test]
    fn what_is_told_wrong_is_refused() {
        let key = Keyed::new([b"one", b"two"]);
        let set: List = (0..10).map(item).collect();
        for range in [Range::Items(7, 0, vec![]), Range::Parts(6, 64, vec![]), Range::Items(255, u64::MAX, vec![])] {
            assert!(answer(&set, &key, &[range]).is_err());
        }
        let many = vec![Range::Items(0, 0, vec![Short::default()]); RANGES_MAX + 1];
        assert!(answer(&set, &key, &many).is_err());
        for twice in
            [vec![Range::Items(0, 0, vec![]); 2], vec![Range::Parts(6, 3, vec![]), Range::Items(12, 200, vec![])]]
        {
            assert!(answer(&set, &key, &twice).is_err(), "{twice:?}");
        }
        let items = vec![Short::default(); TOLD_MAX + 1];
        assert!(chosen(&set, &key, Prefix::ALL, &items).is_err());
        assert!(answer(&set, &key, &[Range::Items(0, 0, items)]).is_err());
        // Parts that there are not change nothing.
        answer(&set, &key, &[Range::Parts(54, 3, vec![(200, Short([1; 8]))])]).expect("is answered");
    }

    proptest! {
        #[test]
        fn what_one_lacks_the_other_finds(both in 0_u64..400, one in vec(1000_u64..1100, 0..60), two in vec(2000_u64..2100, 0..60)) {
            let of = |more: &[u64]| (0..both).chain(more.iter().copied()).map(item).collect::<List>();
            let out = run([&of(&one), &of(&two)]);
            let set = |more: &[u64]| more.iter().copied().map(item).collect::<BTreeSet<_>>();
            prop_assert_eq!(out.sent, [set(&one), set(&two)]);
        }

        #[test]
        fn a_set_with_more_is_one(base in 0_u64..200, more in vec(1000_u64..1100, 0..60), at in any::<u64>()) {
            let (base, more): (List, List) = ((0..base).map(item).collect(), more.into_iter().map(item).collect());
            let both: List = base.0.iter().chain(&more.0).copied().collect();
            let with = With(&base, &more);
            for of in [Prefix::ALL, Prefix::of(&item(at).digest, 6).expect("one")] {
                prop_assert_eq!(with.sum(of).expect("sum"), both.sum(of).expect("sum"));
                prop_assert_eq!(with.children(of).expect("parts"), both.children(of).expect("parts"));
                let items: BTreeSet<_> = with.items(of).expect("items").into_iter().collect();
                prop_assert_eq!(items, both.items(of).expect("items").into_iter().collect::<BTreeSet<_>>());
            }
        }
    }
}
