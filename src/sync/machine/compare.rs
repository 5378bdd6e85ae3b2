//! Who lacks what, and when both have the same.
//!
//! Each end tells the fingerprint of what it holds and of that together with what it put aside. The second ones equal:
//! nothing is left to send. The first ones equal: both have the same. When nothing has happened for a moment both tell one
//! fingerprint of everything (a beat); if these differ, the end that leads asks for all and looks where.

use super::{
    event::{Now, Standing, Way},
    machine::Machine,
    state::{Compared, Own, SETTLED, There, URI_MAX},
};
use crate::{
    cid::Digest,
    dwn::Fault,
    planted,
    sums::{Prefix, Sum},
    sync::{
        frame::{Frame, Number, ScopeState},
        local::Scope,
        reconcile::{self, Range, Set, Short, With},
        term::Term,
    },
};
use anyhow::{Context as _, bail};
use std::collections::{BTreeMap, BTreeSet};

/// Scopes told in one frame.
const STATES: usize = 1000;
/// Reasons of the peer that are remembered.
const ASIDE_MAX: usize = 1000;
/// Bytes of ranges told until both tell again what they hold: what is found in them is sent first, and then the rest is looked for.
const NARROWED_MAX: usize = 8 << 20;
/// Protocols of which the peer may say that they stay on it.
const PARTED_MAX: usize = 1000;
/// How soon everything is compared again while it differs: at the soonest and at the latest.
const CHECK: (u64, u64) = (1_000, 60_000);

impl Machine {
    /// What both shares hold here, by scope: held, and with what is put aside.
    fn sums(&self) -> Result<BTreeMap<Scope, (Sum, Sum)>, Fault> {
        let mut sums = BTreeMap::<Scope, (Sum, Sum)>::new();
        for tenant in &self.setup.tenants {
            for (scope, sum) in self.local.scopes(tenant)? {
                sums.insert(scope, (sum, sum));
            }
        }
        for (scope, list) in self.park.lists() {
            let (held, covered) = sums.entry(scope.clone()).or_default();
            *covered = covered.plus(list.sum(Prefix::ALL)?);
            if planted::is("what is put aside counts as held") {
                *held = *covered;
            }
        }
        sums.retain(|_, (held, covered)| !(held.is_empty() && covered.is_empty()));
        Ok(sums)
    }

    /// Tells the peer what is here of each scope.
    pub(super) fn tell_state(&mut self, ask: bool) -> Result<(), Fault> {
        let mut scopes = Vec::new();
        for (scope, (held, covered)) in self.sums()? {
            let key = self.setup.key;
            let (held, all) = (key.fingerprint(&held), key.fingerprint(&covered));
            scopes.push(ScopeState(self.number(&scope)?, held, all, covered.count()));
        }
        let frames = scopes.len().div_ceil(STATES).max(1);
        for n in 0..frames {
            let scopes = scopes.iter().skip(n * STATES).take(STATES).cloned().collect();
            let last = n + 1 == frames;
            self.push(Frame::State { scopes, last, ask: ask && last });
        }
        Ok(())
    }

    pub(super) fn on_state(&mut self, scopes: Vec<ScopeState>, last: bool, ask: bool) -> Result<(), Fault> {
        if scopes.len() > STATES {
            bail!("the peer tells of {} scopes at once; {STATES} are allowed", scopes.len());
        }
        for ScopeState(number, held, covered, count) in scopes {
            self.compare.told.insert(self.names.theirs(number)?, There { held, covered, count });
        }
        if !last {
            return Ok(());
        }
        if ask {
            self.tell_state(false)?;
        }
        self.compare.narrowed = 0;
        if !self.setup.leads {
            // The end that leads has begun another round.
            self.compare.cut = false;
        }
        let told = std::mem::take(&mut self.compare.told);
        self.compare.there = told.clone();
        let mine = self.sums()?;
        let scopes: BTreeSet<_> = told.keys().chain(mine.keys()).cloned().collect();
        for scope in scopes {
            if planted::is("records of no protocol are not compared") && scope.protocol.is_none() {
                continue;
            }
            if let Some(protocol) = self.local.stays(&scope, None)? {
                self.tell_apart(&scope.tenant, protocol)?;
                continue;
            }
            let here = mine.get(&scope).map(|(_, covered)| *covered).unwrap_or_default();
            let There { covered, count, .. } = told.get(&scope).copied().unwrap_or_default();
            if here.is_empty() || count > 0 && covered == self.setup.key.fingerprint(&here) {
                continue;
            }
            if count == 0 {
                // What was put aside came from it: it has it no more.
                self.forget_scope(&scope);
                let held = mine.get(&scope).map(|(held, _)| held.count()).unwrap_or_default();
                if held > 0 && !planted::is("who has nothing of a scope is not told it") {
                    self.give(scope, held)?;
                }
            } else if self.setup.leads {
                let range = self.with_set(&scope, |set, key| reconcile::open(set, key))?;
                let number = self.number(&scope)?;
                self.tell_ranges(number, vec![range]);
            }
        }
        self.tell_ahead();
        Ok(())
    }

    /// The peer has nothing of this scope. (Of a copy, it takes back what it has given, and gets what this end wrote.)
    fn give(&mut self, scope: Scope, held: u64) -> Result<(), Fault> {
        if self.local.term(&scope.tenant) != Term::Copied {
            self.stream(scope, held);
            return Ok(());
        }
        let set = self.local.set(&scope)?;
        let mut items = Vec::new();
        reconcile::each_of(&set, &mut |item| items.push(item))?;
        self.queue(&scope, &items)
    }

    /// This protocol stays on this device, and what the peer has of it stays there. Of what the peer has not named, nothing is said.
    pub(super) fn tell_apart(&mut self, tenant: &str, protocol: String) -> Result<(), Fault> {
        if self.local.is_local_only(&protocol) && self.compare.apart.insert((tenant.to_owned(), protocol.clone())) {
            let place = self.setup.tenants.iter().position(|shared| shared == tenant);
            let place = place.and_then(|place| u16::try_from(place).ok()).context("this tenant is not shared")?;
            self.push(Frame::Apart(place, protocol));
        }
        Ok(())
    }

    pub(super) fn on_apart(&mut self, place: u16, protocol: String) -> Result<(), Fault> {
        let tenant =
            self.setup.tenants.get(usize::from(place)).context("the peer names a tenant that is not shared")?;
        if self.local.term(tenant) != Term::Whole {
            bail!("the peer, which is a friend, speaks of what stays on it");
        }
        self.compare.parted += 1;
        if self.compare.parted > PARTED_MAX || protocol.len() > URI_MAX {
            bail!("the peer says of more than {PARTED_MAX} protocols that they stay on it, or of one that is too long");
        }
        self.local.part(tenant, protocol)
    }

    fn with_set<T>(
        &self,
        scope: &Scope,
        ask: impl FnOnce(&dyn Set, &reconcile::Keyed) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let held = self.local.set(scope)?;
        match self.park.list(scope) {
            Some(aside) => ask(&With(&held, aside), &self.setup.key),
            None => ask(&held, &self.setup.key),
        }
    }

    pub(super) fn on_ranges(&mut self, number: Number, ranges: &[Range]) -> Result<(), Fault> {
        let scope = self.names.theirs(number)?;
        let found = self.with_set(&scope, |set, key| reconcile::answer(set, key, ranges))?;
        self.compare.cut |= found.is_cut;
        let number = self.number(&scope)?;
        for ranges in found.reply.chunks(reconcile::RANGES_MAX) {
            if self.compare.narrowed < NARROWED_MAX {
                self.tell_ranges(number, ranges.to_vec());
            } else {
                self.compare.cut = true;
            }
        }
        for (of, shorts) in found.want {
            self.push(Frame::Want(number, of.bits(), of.value(), shorts));
        }
        // Of what was put aside the peer has no more what it lacks: it came from there.
        let lacks: Vec<_> = found.send.into_iter().filter(|item| !self.forget(&scope, item)).collect();
        self.queue(&scope, &lacks)
    }

    fn tell_ranges(&mut self, number: Number, ranges: Vec<Range>) {
        self.compare.narrowed += ranges.iter().map(Range::weight).sum::<usize>();
        self.compare.offered += ranges.iter().map(Range::items).sum::<usize>() as u64;
        self.push(Frame::Ranges(number, ranges));
    }

    pub(super) fn on_want(&mut self, number: Number, of: (u8, u64), wanted: &[Short]) -> Result<(), Fault> {
        let scope = self.names.theirs(number)?;
        if planted::is("what is asked for is not sent") {
            return Ok(());
        }
        let of = reconcile::prefix(of.0, of.1)?;
        let Some(left) = self.compare.offered.checked_sub(wanted.len() as u64) else {
            bail!("the peer asks for more messages than it was told of");
        };
        self.compare.offered = left;
        let held = self.local.set(&scope)?;
        let items = reconcile::chosen(&held, &self.setup.key, of, wanted)?;
        self.queue(&scope, &items)
    }

    pub(super) fn on_ahead(&mut self, messages: u64) -> Result<(), Fault> {
        self.compare.ahead = (messages, self.take.taken);
        Ok(())
    }

    pub(super) fn on_beat(&mut self, held: [u8; 16], covered: [u8; 16], parked: u32, now: Now) -> Result<(), Fault> {
        self.compare.beat = Some((held, covered, parked));
        if parked == 0 {
            self.compare.aside_there.clear();
        }
        self.judge(now)
    }

    /// What this end holds, in one. Counted again only when something has changed.
    fn own(&mut self) -> Result<Own, Fault> {
        let of = (self.local.tail(), self.park.changes() + self.local.changes()?);
        if let Some(own) = self.compare.own.as_ref().filter(|own| own.of == of) {
            return Ok(own.clone());
        }
        let sums = self.sums()?;
        let all = |which: fn(&(Sum, Sum)) -> Sum| {
            let named = sums.iter().map(|(scope, both)| (scope.name(), which(both)));
            self.setup.key.all(named.filter(|(_, sum)| !sum.is_empty()))
        };
        let own = Own { of, held: all(|both| both.0), covered: all(|both| both.1) };
        self.compare.own = Some(own.clone());
        Ok(own)
    }

    /// Compares the last beats of both.
    fn judge(&mut self, now: Now) -> Result<(), Fault> {
        let Some((held, covered, _)) = self.compare.beat else { return Ok(()) };
        if !self.is_quiet() {
            return Ok(());
        }
        let own = self.own()?;
        if own.held == held {
            self.compare.equal = Some((now.at, held));
        }
        if own.covered == covered && !self.compare.cut {
            self.compare.check = None;
            self.compare.ahead = (0, 0);
        } else if self.setup.leads && self.compare.check.is_none() {
            let soon = if self.compare.cut { 0 } else { SETTLED };
            self.compare.check = Some((now.at + soon, CHECK.0));
        }
        Ok(())
    }

    /// Tells the peer, when nothing happens any more, what came of it; and compares again where that is due.
    pub(super) fn settle(&mut self, now: Now) -> Result<(), Fault> {
        let is_quiet = self.is_quiet();
        if !is_quiet || self.active > now.at.saturating_sub(SETTLED) {
            self.compare.settled = false;
        } else if !self.compare.settled {
            self.compare.settled = true;
            self.beat(now)?;
            self.judge(now)?;
        }
        if now.at >= self.compare.next_beat() {
            self.beat(now)?;
        }
        if let Some((at, wait)) = self.compare.check
            && now.at >= at
            && is_quiet
        {
            self.compare.cut = false;
            self.compare.check = Some((now.at + wait, (wait * 2).min(CHECK.1)));
            self.tell_state(true)?;
        }
        Ok(())
    }

    fn beat(&mut self, now: Now) -> Result<(), Fault> {
        let Own { held, covered, .. } = self.own()?;
        self.compare.beaten = now.at;
        self.push(Frame::Beat { held, covered, parked: self.parked_here() });
        Ok(())
    }

    /// How both stand.
    pub fn standing(&mut self, now: Now) -> Result<Standing, Fault> {
        if !self.is_quiet() {
            return Ok(Standing::Busy);
        }
        let own = self.own()?;
        Ok(match self.compare.equal {
            Some((at, held)) if held == own.held || planted::is("once equal is always equal") => {
                Standing::Equal(now.at.saturating_sub(at))
            }
            _ if self.compare.beat.is_none() => Standing::Unknown,
            _ if self.compare.check.is_some() || !self.compare.settled => Standing::Busy,
            _ => Standing::Apart,
        })
    }

    /// Each scope, as the peer told it last, beside what is here now.
    pub fn compared(&self) -> Result<Vec<Compared>, Fault> {
        let mine = self.sums()?;
        let scopes: BTreeSet<_> = self.compare.there.keys().chain(mine.keys()).cloned().collect();
        let of = |scope: Scope| {
            let here = mine.get(&scope).map(|(held, _)| *held).unwrap_or_default();
            let there = self.compare.there.get(&scope).copied().unwrap_or_default();
            let equal = there.held == self.setup.key.fingerprint(&here);
            Compared { scope, here: here.count(), there: there.count, equal }
        };
        Ok(scopes.into_iter().map(of).collect())
    }

    /// The peer put this aside.
    pub(super) fn aside_there(&mut self, digest: Digest, code: u16, why: String) {
        if self.compare.aside_there.len() < ASIDE_MAX {
            self.compare.aside_there.insert(digest, (code, why));
        }
    }

    /// Why the peer put messages aside, as far as it told.
    pub fn aside(&self) -> &BTreeMap<Digest, (u16, String)> {
        &self.compare.aside_there
    }

    /// How many messages the peer put aside, as it says.
    pub fn parked_there(&self) -> u32 {
        self.compare.beat.map_or(0, |(_, _, parked)| parked)
    }

    /// What is on its way: from here, and to here.
    pub fn ways(&self) -> (Option<Way>, Option<Way>) {
        let (all, before) = self.compare.ahead;
        let come = self.take.taken.saturating_sub(before);
        let is_coming = all > come || !self.take.is_empty() || !self.data.is_empty();
        let receiving = (all > 0 && is_coming).then_some(Way { messages: come, of_messages: all.max(come) });
        (self.send.way(), receiving)
    }
}
