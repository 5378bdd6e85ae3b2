//! What is put aside, and when it is asked for again.

use super::{
    event::{Effect, Now},
    machine::Machine,
    state::AGAIN_MAX,
};
use crate::{
    cid::{self, Digest},
    dwn::Fault,
    foreign::{plain, shown},
    planted,
    sums::Item,
    sync::{
        frame::{Bytes32, Frame, Number},
        local::Scope,
        parked::{Changes, PARKED_MAX, Parked},
        term::Term,
    },
};
use anyhow::bail;
use std::collections::BTreeMap;

/// Characters of a reason that are kept: there may be very many.
const WHY_MAX: usize = 300;
/// What was written here may have taken reasons away: they are asked for again this long after (milliseconds).
const SOON: u64 = 500;

impl Machine {
    /// What was put aside in earlier sessions. What is here by now is dropped.
    pub(super) fn take_up(&mut self, parked: Vec<Parked>) -> Result<(), Fault> {
        let mut gone = Changes::default();
        for parked in parked {
            let here = self.local.kept(&parked.tenant, &parked.digest)?;
            let is_here = here.is_some_and(|here| here.item.has_data || !parked.has_data);
            if is_here || !self.setup.tenants.contains(&parked.tenant) {
                gone.drop.push((parked.tenant, parked.digest));
            } else {
                // The node may have other settings by now.
                self.park.insert(Parked { tries: 0, tried: 0, ..parked });
            }
        }
        self.save(gone);
        Ok(())
    }

    /// What was withdrawn, or is not any more.
    pub(super) fn save_withdrawn(&mut self, tenant: &str, news: impl IntoIterator<Item = (Digest, bool)>) {
        let withdrawn = news.into_iter().map(|(digest, is)| (tenant.to_owned(), digest, is)).collect();
        self.save(Changes { withdrawn, ..Changes::default() });
    }

    /// What was withdrawn and is not kept any more needs no note.
    pub(super) fn drop_stale(&mut self) {
        for (tenant, digest) in self.local.stale() {
            self.save_withdrawn(&tenant, [(digest, false)]);
        }
    }

    fn save(&mut self, changes: Changes) {
        if !changes.is_empty() {
            self.effects.push(Effect::Park(changes));
        }
    }

    /// The door refused it.
    pub(super) fn set_aside(
        &mut self,
        scope: &Scope,
        item: Item,
        (code, why): (u16, String),
        now: Now,
    ) -> Result<(), Fault> {
        let before = self.park.remove(&scope.tenant, &item.digest);
        let why = plain(why, WHY_MAX);
        if before.is_none() && self.park.len() >= PARKED_MAX {
            bail!("{PARKED_MAX} messages of this peer could not be taken: the reason of the last one is: {code} {why}");
        }
        if before.as_ref().is_none_or(|before| before.why != why) {
            let cid = cid::from_digest(cid::DAG_CBOR, &item.digest);
            tracing::warn!(peer = self.setup.peer, "{cid} of {} is put aside: {code} {why}", scope.tenant);
            self.tell_parked(scope, &item.digest, code, &why)?;
        }
        let parked = Parked {
            tenant: scope.tenant.clone(),
            protocol: scope.protocol.clone(),
            digest: item.digest,
            has_data: item.has_data,
            code,
            why,
            since: before.as_ref().map_or(now.time, |before| before.since),
            // Counted when it was asked for.
            tries: before.map_or(0, |before| before.tries),
            tried: now.time,
        };
        self.park.insert(parked.clone());
        self.save(Changes { put: vec![parked], ..Changes::default() });
        Ok(())
    }

    /// It is here, or needs not come any more.
    pub(super) fn dropped(&mut self, tenant: &str, digest: &Digest) {
        if planted::is("what has come stays put aside") {
            return;
        }
        if self.park.remove(tenant, digest).is_some() {
            self.save(Changes { drop: vec![(tenant.to_owned(), *digest)], ..Changes::default() });
        }
    }

    /// The peer lacks it. Was it put aside here, and is forgotten now?
    pub(super) fn forget(&mut self, scope: &Scope, item: &Item) -> bool {
        let aside = self.park.parked.get(&(scope.tenant.clone(), item.digest));
        let is_aside = aside.is_some_and(|parked| parked.item() == *item);
        if planted::is("what the peer lacks is forgotten") {
            return true;
        }
        if is_aside {
            self.park.remove(&scope.tenant, &item.digest);
            self.save(Changes { drop: vec![(scope.tenant.clone(), item.digest)], ..Changes::default() });
        }
        is_aside
    }

    /// The peer has nothing of this scope.
    pub(super) fn forget_scope(&mut self, scope: &Scope) {
        let Some(list) = self.park.list(scope) else { return };
        let items: Vec<_> = list.iter().copied().collect();
        for item in items {
            self.forget(scope, &item);
        }
    }

    /// The tenant's end does not take what this end wrote.
    pub(super) fn on_declined(&mut self, number: Number, digest: Digest) -> Result<(), Fault> {
        let scope = self.names.theirs(number)?;
        if self.local.term(&scope.tenant) != Term::Copied {
            bail!("the peer declines what it is to judge for itself");
        }
        // Of what is not here, or told no more, there is nothing to say.
        if self.local.told(&scope.tenant, &digest)?.is_none() {
            return Ok(());
        }
        let cid = cid::from_digest(cid::DAG_CBOR, &digest);
        tracing::warn!(peer = self.setup.peer, "{cid} is not taken into {}", scope.tenant);
        self.withdraw(&scope.tenant, vec![digest])
    }

    pub(super) fn on_gone(&mut self, number: Number, digest: &Digest) -> Result<(), Fault> {
        let scope = self.names.theirs(number)?;
        if self.data.going.remove(digest).is_some() {
            return Ok(()); // the other wants its data no more
        }
        if self.park.remove(&scope.tenant, digest).is_some() {
            self.save(Changes { drop: vec![(scope.tenant, *digest)], ..Changes::default() });
        }
        Ok(())
    }

    /// Something came into the log here.
    pub(super) fn arrived_here(&mut self, scope: &Scope, item: &Item, now: Now) {
        if self.park.len() == 0 {
            return;
        }
        if let Some(parked) = self.park.parked.get(&(scope.tenant.clone(), item.digest))
            && (item.has_data || !parked.has_data)
        {
            self.dropped(&scope.tenant, &item.digest);
        }
        self.park.stirred.entry(scope.tenant.clone()).or_insert(now.at);
    }

    /// When something is to be asked for again, by the clock that only goes forward.
    pub(super) fn next_again(&self, now: Now) -> u64 {
        if self.park.len() == 0 {
            return u64::MAX;
        }
        let stirred = self.park.stirred.values().map(|at| at + SOON).min().unwrap_or(u64::MAX);
        let due = self.park.parked.values().map(Parked::due).min();
        stirred.min(due.map_or(u64::MAX, |due| now.at.saturating_add(due.saturating_sub(now.time).max(50))))
    }

    /// Asks again for what is due.
    pub(super) fn ask_again(&mut self, now: Now) -> Result<(), Fault> {
        if self.park.len() == 0 || !self.take.is_empty() || planted::is("what is put aside is not asked for again") {
            return Ok(());
        }
        let stirred: Vec<_> =
            self.park.stirred.iter().filter(|(_, at)| now.at >= **at + SOON).map(|(t, _)| t.clone()).collect();
        for tenant in &stirred {
            self.park.stirred.remove(tenant);
        }
        let is_due = |parked: &Parked| {
            let by_time = now.time >= parked.due();
            by_time || parked.waits_for_others() && stirred.contains(&parked.tenant)
        };
        let mut due: Vec<_> = self.park.parked.values_mut().filter(|parked| is_due(parked)).collect();
        due.sort_by_key(|parked| parked.tried);
        let mut asked = BTreeMap::<Scope, Vec<Bytes32>>::new();
        for parked in due.into_iter().take(AGAIN_MAX) {
            // Not durable: after a restart all is asked for anyway.
            (parked.tried, parked.tries) = (now.time, parked.tries.saturating_add(1));
            asked.entry(parked.scope()).or_default().push(Bytes32(parked.digest));
        }
        for (scope, digests) in asked {
            let number = self.number(&scope)?;
            self.push(Frame::Again(number, digests));
        }
        Ok(())
    }

    /// Tells the peer why its message was put aside.
    fn tell_parked(&mut self, scope: &Scope, digest: &Digest, code: u16, why: &str) -> Result<(), Fault> {
        // A friend learns how many of its messages wait, and not what the rules here say.
        if !self.local.is_device() {
            return Ok(());
        }
        let number = self.number(scope)?;
        self.push(Frame::Parked(number, Bytes32(*digest), code, why.to_owned()));
        Ok(())
    }

    /// The peer put a message of this end's aside.
    pub(super) fn on_parked(&mut self, number: Number, digest: &Digest, code: u16, why: &str) -> Result<(), Fault> {
        let scope = self.names.theirs(number)?;
        if !self.local.is_device() {
            bail!("the peer, which is a friend, says why it put a message aside");
        }
        let cid = cid::from_digest(cid::DAG_CBOR, digest);
        let why = shown(why);
        tracing::info!(peer = self.setup.peer, "the peer put {cid} of {} aside: {code} {why}", scope.name());
        self.aside_there(*digest, code, why.to_string());
        Ok(())
    }

    /// How many messages are put aside.
    pub fn parked_here(&self) -> u32 {
        u32::try_from(self.park.len()).unwrap_or(u32::MAX)
    }

    /// What is put aside.
    #[cfg(test)]
    pub fn parked(&self) -> impl Iterator<Item = &Parked> {
        self.park.parked.values()
    }
}
