//! What goes out: what the peer was found to lack, what is new in the log, or, to who has nothing, the whole log.

use super::{
    event::Now,
    machine::Machine,
    state::{AGAIN_MAX, Stream},
};
use crate::{
    cid::Digest,
    dwn::Fault,
    sums::Item,
    sync::{
        frame::{BESIDE_MAX, Bytes32, Carried, Frame, Number},
        local::{Kept, Scope},
        term::Term,
    },
};
use anyhow::bail;
use std::collections::{BTreeSet, HashSet};

/// Messages that wait to be sent; beyond that what is new is not looked for until some are over, and what was found is found again
/// when the sets are compared.
const WAITING_MAX: usize = 1 << 17;

impl Machine {
    /// Looks for what is new in the log.
    pub(super) fn follow(&mut self, now: Now) -> Result<(), Fault> {
        let tail = self.local.tail();
        self.seen = tail;
        if self.followed >= tail {
            return Ok(());
        }
        // What the peer sent is in the log before it is heard here that it was applied.
        let applying: HashSet<Digest> = self.take.applying.iter().map(|applying| applying.item.digest).collect();
        // What was put aside may wait for any of it.
        let looks_up = self.park.len() > 0;
        while self.followed < tail && self.send.waiting.len() < WAITING_MAX {
            let mut came = false;
            let is_known = |digest: &Digest| self.send.recent.contains(digest) || applying.contains(digest);
            let passes = |digest: &Digest| {
                let passes = !looks_up && is_known(digest);
                came |= passes;
                passes
            };
            let (entries, next) = self.local.entries(self.followed, &self.setup.tenants, passes)?;
            if next <= self.followed {
                break;
            }
            self.followed = next;
            if came || !entries.is_empty() {
                self.active = now.at;
            }
            for Kept { scope, item, .. } in entries {
                self.arrived_here(&scope, &item, now);
                if !self.send.recent.contains(&item.digest) && !applying.contains(&item.digest) {
                    let number = self.number(&scope)?;
                    self.send.waiting.push(number, item.digest);
                }
            }
        }
        Ok(())
    }

    /// These are to be sent: in the order in which they came here, as far as it is known.
    pub(super) fn queue(&mut self, scope: &Scope, items: &[Item]) -> Result<(), Fault> {
        // What this end put aside because it has something newer: the tenant's end has it, and not what is here of it.
        let (older, items): (Vec<Item>, Vec<Item>) = items.iter().partition(|item| {
            let aside = self.park.parked.get(&(scope.tenant.clone(), item.digest));
            self.local.term(&scope.tenant) == Term::Copied && !item.has_data && aside.is_some_and(|it| it.has_data)
        });
        self.withdraw(&scope.tenant, older.iter().map(|item| item.digest).collect())?;
        let (given, withdrawn) = self.local.given(&scope.tenant, &items)?;
        self.withdraw(&scope.tenant, withdrawn)?;
        let mut found: Vec<_> = given.into_iter().map(|kept| (kept.position, kept.item.digest)).collect();
        found.sort_unstable();
        let number = self.number(scope)?;
        for (_, digest) in found {
            if self.send.waiting.len() >= WAITING_MAX {
                self.compare.cut = true;
                break;
            }
            self.send.waiting.push(number, digest);
        }
        self.tell_ahead();
        Ok(())
    }

    /// The tenant's end has these no more for this one: they are kept, and told it no more.
    pub(super) fn withdraw(&mut self, tenant: &str, digests: Vec<Digest>) -> Result<(), Fault> {
        let mut news = Vec::new();
        for digest in digests {
            if self.local.withdraw(tenant, &digest)? {
                news.push((digest, true));
            }
        }
        self.save_withdrawn(tenant, news);
        Ok(())
    }

    /// The peer has nothing of this scope: it is told the log.
    pub(super) fn stream(&mut self, scope: Scope, count: u64) {
        let until = self.followed;
        let stream = self.send.stream.get_or_insert(Stream { at: 0, until, scopes: BTreeSet::new(), left: 0 });
        if stream.scopes.insert(scope) {
            // What was passed for the others has to be gone through again.
            (stream.at, stream.until) = (0, until);
            stream.left += count;
        }
    }

    pub(super) fn tell_ahead(&mut self) {
        let left = self.send.left();
        if left > 0 {
            self.push(Frame::Ahead(left));
        }
    }

    /// Sends as much as there is room for.
    pub(super) fn pump(&mut self) -> Result<(), Fault> {
        if !self.send.has_much_room() {
            return Ok(()); // what is on its way will be taken
        }
        while self.send.has_room() {
            let Some((number, digest)) = self.send.waiting.pop() else {
                if self.go_on()? {
                    continue;
                }
                return Ok(());
            };
            self.send_message(number, &digest)?;
        }
        Ok(())
    }

    /// The next stretch of the log; `false`: there is none.
    fn go_on(&mut self) -> Result<bool, Fault> {
        let Some(stream) = &mut self.send.stream else { return Ok(false) };
        if stream.at >= stream.until {
            self.send.stream = None;
            return Ok(false);
        }
        let (entries, next) = self.local.entries(stream.at, &self.setup.tenants, |_| false)?;
        if next <= stream.at {
            self.send.stream = None;
            return Ok(false);
        }
        stream.at = next;
        let chosen: Vec<_> = entries.into_iter().filter(|kept| stream.scopes.contains(&kept.scope)).collect();
        stream.left = stream.left.saturating_sub(chosen.len() as u64);
        for Kept { scope, item, .. } in chosen {
            let number = self.number(&scope)?;
            self.send.waiting.push(number, item.digest);
        }
        Ok(true)
    }

    /// Sends one message if it is still here.
    fn send_message(&mut self, number: Number, digest: &Digest) -> Result<(), Fault> {
        let Some(loaded) = self.local.load(&self.names.mine(number)?.tenant, digest)? else { return Ok(()) };
        let carried = match loaded.data {
            None => Carried::None,
            Some(data) => match data.inline.filter(|_| data.size <= BESIDE_MAX) {
                Some(inline) => Carried::With(inline.to_vec()),
                None => Carried::Apart(data.size),
            },
        };
        // A friend is not told of states that he may not read.
        let is_told = self.local.term(&self.names.mine(number)?.tenant) != Term::Shown;
        let knew = if is_told { loaded.knew.bytes().to_vec() } else { Vec::new() };
        self.send.flight.0 += 1;
        self.send.flight.1 += (loaded.message.len() + carried.size() + knew.len()) as u64;
        self.send.sent += 1;
        if !knew.is_empty() {
            self.push(Frame::Knew(knew));
        }
        self.push(Frame::Message(number, loaded.message, carried));
        Ok(())
    }

    pub(super) fn on_took(&mut self, messages: u32, bytes: u64) -> Result<(), Fault> {
        let (in_flight, in_bytes) = self.send.flight;
        let (Some(left), Some(left_bytes)) = (in_flight.checked_sub(messages), in_bytes.checked_sub(bytes)) else {
            bail!("the peer took more than it was sent");
        };
        self.send.flight = (left, left_bytes);
        if self.send.is_empty() {
            self.send.before = self.send.sent;
        }
        Ok(())
    }

    /// The peer asks for what it put aside.
    pub(super) fn on_again(&mut self, number: Number, digests: Vec<Bytes32>) -> Result<(), Fault> {
        let scope = self.names.theirs(number)?;
        // It may come while all is waiting that was found.
        if digests.len() > AGAIN_MAX || self.send.waiting.len() > 2 * WAITING_MAX {
            bail!("the peer asks for more than it may at once");
        }
        let number = self.number(&scope)?;
        for Bytes32(digest) in digests {
            match self.local.told(&scope.tenant, &digest)? {
                Some(kept) if kept.scope == scope => self.send.waiting.push(number, digest),
                _ => self.push(Frame::Gone(number, Bytes32(digest))),
            }
        }
        Ok(())
    }
}
