//! Data that travels apart from its message: asked for piece by piece, from where an earlier session broke off.

use super::{
    event::{Data, Effect, Now},
    machine::Machine,
    state::{Applying, Came, Coming, Cost, Going, Share},
};
use crate::{
    cid::Digest,
    dwn::{self, Fault, Knew},
    planted,
    sync::{
        frame::{Bytes32, Frame, Number, PIECE},
        local::Loaded,
    },
};
use anyhow::bail;

/// Data of so many messages comes, or goes, at the same time.
const AT_ONCE: usize = 4;
/// Bytes of one message's data that are on their way.
const WINDOW: u64 = 1 << 20;
/// How long to wait for another session that fetches the same (milliseconds).
const LATER: u64 = 1_000;
/// What somebody reads, and of which nothing comes for so long, does not come from this peer (milliseconds).
const STUCK: u64 = 60_000;
/// How often to look for data that is elsewhere and is to be here (milliseconds).
const LOOK: u64 = 3_600_000;
/// Messages that wait for their data and were said to be taken, so that others come; further ones keep their room until they
/// are taken.
const WAITING_MAX: (u32, u64) = (1024, 4 << 20);

impl Machine {
    /// A message waits for its data.
    pub(super) fn await_data(&mut self, mut came: Came, size: u64) -> Result<(), Fault> {
        if dwn::declared_data(&came.json()?).is_none_or(|(_, declared)| declared != size) {
            bail!("the peer offers {size} bytes of data of a message that does not say so");
        }
        // Also one whose data is here and that is being judged, which takes a while if it is large.
        let waiting = self.data.waiting.iter().chain(&self.take.waiting).map(|waiting| waiting.digest);
        let mut known = waiting.chain(self.take.applying.iter().map(|applying| applying.item.digest));
        let is_known = self.data.coming.contains_key(&came.digest) || known.any(|it| it == came.digest);
        let cost = came.share.cost;
        if is_known {
            self.took(cost);
            return Ok(());
        }
        let said = self.data.said.plus(cost);
        if said.is_within(WAITING_MAX) {
            self.data.said = said;
            came.share.said = true;
            self.took(cost);
        }
        self.data.waiting.push_back(came);
        Ok(())
    }

    /// Somebody wants data that was left elsewhere.
    pub(super) fn fetch(&mut self, tenant: String, digest: Digest) -> Result<(), Fault> {
        let is_wanted = |came: &Came| came.is_fetched && came.digest == digest && came.scope.tenant == tenant;
        let waiting = self.data.waiting.iter().chain(&self.take.waiting);
        let mut wanted = waiting.chain(self.data.coming.values().map(|coming| &coming.came));
        let is_applied = |it: &Applying| it.is_fetched && it.item.digest == digest && it.scope.tenant == tenant;
        if wanted.any(is_wanted) || self.take.applying.iter().any(is_applied) {
            return Ok(()); // one answer serves all who wait
        }
        if !self.setup.tenants.contains(&tenant) {
            return self.not_fetched((tenant, digest), "a device of its owner does not share it");
        }
        let found = self.local.loaded_elsewhere(&tenant, &digest).unwrap_or_else(|fault| {
            // That of one record ends no session.
            tracing::error!("a message whose data is elsewhere cannot be read: {fault:#}");
            None
        });
        let Some((kept, Loaded { message, data: Some(data), .. })) = found else {
            return self.not_fetched((tenant, digest), "its record was changed, or a device does not share it");
        };
        let share = Share { cost: Cost::default(), said: false };
        let (scope, data, knew) = (kept.scope, Data::Stored(data.size), Knew::default());
        // Somebody waits for it.
        self.data.waiting.push_front(Came { scope, digest, message, knew, data, share, is_fetched: true });
        Ok(())
    }

    /// What was asked for does not come; or it is here by now.
    fn not_fetched(&mut self, (tenant, digest): (String, Digest), why: &str) -> Result<(), Fault> {
        let is_here = self.local.is_here(&tenant, &digest).unwrap_or(false);
        let came = if is_here { Ok(()) } else { Err(why.to_owned()) };
        self.effects.push(Effect::Fetched(tenant, digest, came));
        Ok(())
    }

    /// Nobody waits for it any more. What has come stays on the disk.
    pub(super) fn unfetch(&mut self, tenant: &str, digest: &Digest) -> Result<(), Fault> {
        if !self.setup.on_demand {
            return Ok(()); // it is to be here in any case
        }
        let is_it = |came: &Came| came.is_fetched && came.digest == *digest && came.scope.tenant == tenant;
        self.data.waiting.retain(|came| !is_it(came));
        match self.data.coming.get(digest).is_some_and(|coming| is_it(&coming.came)) {
            true => self.let_go(*digest).map(drop),
            false => Ok(()),
        }
    }

    /// Fetches this no more, for now.
    fn let_go(&mut self, digest: Digest) -> Result<Option<Came>, Fault> {
        let Some(Coming { came, come, .. }) = self.data.coming.remove(&digest) else { return Ok(None) };
        if come.is_some() {
            let number = self.number(&came.scope)?;
            self.push(Frame::Gone(number, Bytes32(digest)));
            self.data.left.insert(digest);
        }
        self.effects.push(Effect::Release(digest));
        Ok(Some(came))
    }

    /// Of what is read and comes from this peer, nothing has come for long: another device may do better.
    fn give_up_fetching(&mut self, now: Now) -> Result<(), Fault> {
        let is_stuck = |coming: &Coming| coming.came.is_fetched && now.at.saturating_sub(coming.moved) >= STUCK;
        let stuck: Vec<_> = self.data.coming.iter().filter(|(_, it)| is_stuck(it)).map(|(digest, _)| *digest).collect();
        for digest in stuck {
            if let Some(came) = self.let_go(digest)? {
                let why = format!("a device sends nothing of it for {} s", STUCK / 1000);
                self.not_fetched((came.scope.tenant, digest), &why)?;
            }
        }
        Ok(())
    }

    pub(super) fn fetch_next(&mut self, now: Now) -> Result<(), Fault> {
        self.give_up_fetching(now)?;
        if !self.setup.on_demand && now.at >= self.data.look {
            self.data.owed = self.local.elsewhere()?;
            self.data.look = now.at + LOOK;
        }
        while self.data.waiting.is_empty()
            && self.data.coming.len() < AT_ONCE
            && let Some((tenant, digest)) = self.data.owed.pop()
        {
            self.fetch(tenant, digest)?;
        }
        while self.data.coming.len() < AT_ONCE && now.at >= self.data.later {
            let Some(came) = self.data.waiting.pop_front() else { break };
            let (digest, Data::Stored(size)) = (came.digest, &came.data) else { continue };
            let size = *size;
            if self.data.coming.contains_key(&digest) {
                self.data.waiting.push_back(came); // the same message of another tenant
                break;
            }
            if came.is_fetched && !self.local.is_elsewhere(&came.scope.tenant, &digest).unwrap_or(false) {
                self.not_fetched((came.scope.tenant, digest), "its record was changed meanwhile")?;
                continue;
            }
            let kept = self.local.kept(&came.scope.tenant, &digest)?;
            if !came.is_fetched && kept.is_some_and(|kept| kept.item.has_data) {
                self.dropped(&came.scope.tenant, &digest);
                self.settled([came.share]);
                continue;
            }
            self.data.coming.insert(digest, Coming { came, size, come: None, stored: 0, moved: now.at });
            self.effects.push(Effect::Begin(digest, size));
        }
        Ok(())
    }

    /// When to look again for what another session was fetching.
    pub(super) fn next_fetch(&self) -> u64 {
        if self.data.waiting.is_empty() || self.data.coming.len() >= AT_ONCE { u64::MAX } else { self.data.later }
    }

    /// Another session fetches it: it may be here soon.
    pub(super) fn on_busy(&mut self, digest: Digest, now: Now) {
        if let Some(Coming { came, .. }) = self.data.coming.remove(&digest) {
            self.data.waiting.push_back(came);
            self.data.later = now.at + LATER;
            self.active = now.at;
        }
    }

    /// It is not taken.
    pub(super) fn on_refused(&mut self, digest: Digest, code: u16, why: String, now: Now) -> Result<(), Fault> {
        let Some(Coming { came, come, .. }) = self.data.coming.remove(&digest) else { return Ok(()) };
        if come.is_some() {
            let number = self.number(&came.scope)?;
            self.push(Frame::Gone(number, Bytes32(digest)));
        }
        if came.is_fetched {
            return self.not_fetched((came.scope.tenant, digest), &why);
        }
        self.set_aside(&came.scope, came.item(), (code, why), now)?;
        self.settled([came.share]);
        Ok(())
    }

    /// So much of it was on the disk when it was begun: from there it is asked for.
    pub(super) fn on_begun(&mut self, digest: Digest, upto: u64) -> Result<(), Fault> {
        let Some(coming) = self.data.coming.get_mut(&digest).filter(|coming| coming.come.is_none()) else {
            return Ok(());
        };
        coming.stored = upto;
        if upto >= coming.size {
            return self.all_came(digest, upto);
        }
        coming.come = Some(upto);
        let scope = coming.came.scope.clone();
        let number = self.number(&scope)?;
        self.push(Frame::DataWanted(number, Bytes32(digest), upto));
        Ok(())
    }

    fn all_came(&mut self, digest: Digest, upto: u64) -> Result<(), Fault> {
        if let Some(Coming { came, .. }) = self.data.coming.remove(&digest) {
            self.push(Frame::DataTook(Bytes32(digest), upto));
            self.take.waiting.push_back(came);
        }
        Ok(())
    }

    /// So much of it is on the disk. (What was put there before it was let go of and begun anew is known by now.)
    pub(super) fn on_stored(&mut self, digest: Digest, upto: u64) -> Result<(), Fault> {
        let coming = self.data.coming.get_mut(&digest).filter(|coming| coming.come.is_some() && upto > coming.stored);
        let Some(coming) = coming else { return Ok(()) };
        coming.stored = upto;
        if upto >= coming.size {
            return self.all_came(digest, upto);
        }
        self.push(Frame::DataTook(Bytes32(digest), upto));
        Ok(())
    }

    pub(super) fn on_data(&mut self, digest: Digest, from: u64, piece: Vec<u8>, now: Now) -> Result<(), Fault> {
        let Some(coming) = self.data.coming.get_mut(&digest) else { return Ok(()) };
        let end = from.saturating_add(piece.len() as u64);
        if coming.come != Some(from) && self.data.left.contains(&digest) {
            return Ok(()); // on its way since before it was let go of
        }
        if coming.come != Some(from) || end > coming.size {
            bail!("the peer sends data that was not asked for");
        }
        if piece.len() > PIECE || end.saturating_sub(coming.stored) > WINDOW + PIECE as u64 {
            bail!("the peer sends more data than it was told that there is room for");
        }
        if piece.is_empty() {
            if let Some(Coming { came, .. }) = self.data.coming.remove(&digest) {
                self.effects.push(Effect::Release(digest));
                let why = "the other device does not have its data, or cannot read it at the moment";
                if came.is_fetched {
                    return self.not_fetched((came.scope.tenant, digest), why);
                }
                self.set_aside(&came.scope, came.item(), (503, why.into()), now)?;
                self.settled([came.share]);
            }
            return Ok(());
        }
        (coming.come, coming.moved) = (Some(end), now.at);
        let piece = if planted::is("data is changed on its way") { vec![0; piece.len()] } else { piece };
        self.effects.push(Effect::Store(digest, from, piece));
        Ok(())
    }

    pub(super) fn on_data_wanted(&mut self, number: Number, digest: Digest, from: u64) -> Result<(), Fault> {
        let scope = self.names.theirs(number)?;
        if self.data.going.len() >= AT_ONCE && !self.data.going.contains_key(&digest) {
            bail!("the peer asks for the data of more than {AT_ONCE} messages at once");
        }
        // One piece of it is read at a time, however often it is asked for.
        if let Some(going) = self.data.going.get_mut(&digest).filter(|going| going.reading) {
            going.again = Some(from);
            return Ok(());
        }
        self.go(scope.tenant, digest, from);
        Ok(())
    }

    fn go(&mut self, tenant: String, digest: Digest, from: u64) {
        let going = Going { tenant, read: from, took: from, reading: false, again: None, ended: false };
        self.data.going.insert(digest, going);
        self.read_on(digest);
    }

    pub(super) fn on_data_took(&mut self, digest: Digest, upto: u64) -> Result<(), Fault> {
        if let Some(going) = self.data.going.get_mut(&digest) {
            going.took = going.took.max(upto.min(going.read));
            if going.ended && going.took >= going.read {
                self.data.going.remove(&digest);
            }
        }
        self.read_on(digest);
        Ok(())
    }

    fn read_on(&mut self, digest: Digest) {
        let Some(going) = self.data.going.get_mut(&digest) else { return };
        if going.reading || going.ended || going.read - going.took >= WINDOW {
            return;
        }
        going.reading = true;
        self.effects.push(Effect::Read(going.tenant.clone(), digest, going.read));
    }

    /// A piece was read.
    pub(super) fn on_read(&mut self, digest: Digest, from: u64, piece: Option<Vec<u8>>) {
        let Some(going) = self.data.going.get_mut(&digest) else { return };
        if !going.reading || going.read != from {
            return;
        }
        going.reading = false;
        if let Some(from) = going.again {
            let tenant = going.tenant.clone();
            return self.go(tenant, digest, from);
        }
        match piece {
            Some(piece) if piece.is_empty() => {
                going.ended = true;
                if going.took >= going.read {
                    self.data.going.remove(&digest);
                }
            }
            Some(piece) => {
                going.read += piece.len() as u64;
                self.push(Frame::Data(Bytes32(digest), from, piece));
                self.read_on(digest);
            }
            None => {
                self.data.going.remove(&digest);
                self.push(Frame::Data(Bytes32(digest), from, Vec::new()));
            }
        }
    }
}
