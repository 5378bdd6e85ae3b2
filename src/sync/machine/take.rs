//! What comes in, and in which order it is applied.
//!
//! Messages are applied in batches, so that one fsync serves many. A batch ends before a message that may depend on one of
//! its messages: of the same record, or below it.

use super::{
    event::{Answer, Arrival, Data, Effect, Now},
    machine::Machine,
    state::{Applying, Came, Cost, Share},
};
use crate::{
    cid::{self, Digest},
    dwn::{self, Fault, Knew},
    planted,
    sync::{
        frame::{Bytes32, Carried, Frame, Number},
        local::{Kept, Scope},
        term::Term,
    },
};
use anyhow::{Context as _, bail};
use serde_json::Value;
use std::collections::BTreeSet;

/// Messages of one batch, and about how many bytes of them.
const BATCH: (usize, u64) = (256, 1 << 20);
/// What the peer may have on its way here, or waiting here: twice as many messages as an honest one has, and more bytes than
/// its last message can be above.
const UNTAKEN_MAX: (u32, u64) = (2048, 8 << 20);

impl Machine {
    /// It is about the message that comes next, and counted with it.
    pub(super) fn on_knew(&mut self, states: Vec<u8>) -> Result<(), Fault> {
        let knew = Knew::read(states.into()).context("the peer tells of states that are none")?;
        if knew.is_empty() || !self.take.knew.is_empty() {
            bail!("the peer does not say which message it tells of");
        }
        self.take.knew = knew;
        Ok(())
    }

    pub(super) fn on_message(&mut self, number: Number, message: Vec<u8>, carried: Carried) -> Result<(), Fault> {
        let scope = self.names.theirs(number)?;
        let knew = std::mem::take(&mut self.take.knew);
        let cost = Cost(1, (message.len() + carried.size() + knew.bytes().len()) as u64);
        self.take.untaken = self.take.untaken.plus(cost);
        if !self.take.untaken.is_within(UNTAKEN_MAX) {
            bail!("the peer sends more than it was told that there is room for");
        }
        let digest = cid::digest(&message);
        if !self.may_come(&scope, &digest, &message)? {
            self.took(cost);
            return Ok(());
        }
        let kept = self.local.kept(&scope.tenant, &digest)?;
        let is_here = |kept: Kept| {
            kept.item.has_data || !carried.is_some() || planted::is("a message without its data is enough")
        };
        if kept.is_some_and(is_here) {
            self.dropped(&scope.tenant, &digest);
            self.restore(&scope.tenant, digest)?;
            self.took(cost);
            return Ok(());
        }
        let data = match carried {
            Carried::None => Data::None,
            Carried::With(bytes) => Data::With(bytes),
            Carried::Apart(size) => self.apart(&scope, &message, size),
        };
        let share = Share { cost, said: false };
        let came = Came { scope, digest, message, knew, data, share, is_fetched: false };
        match came.data {
            Data::Stored(size) => self.await_data(came, size),
            Data::None | Data::With(_) | Data::Elsewhere | Data::Kept => {
                self.take.waiting.push_back(came);
                Ok(())
            }
        }
    }

    /// The record may have been edited while its data came: then it is brought to the state that it has now.
    fn newest_of(&self, scope: &Scope, message: Value) -> Value {
        // What cannot be read the door will name.
        let same = self.local.same_data(&scope.tenant, &message).unwrap_or(None);
        same.filter(|same| same.is_elsewhere).map_or(message, |same| Value::clone(&same.state))
    }

    /// Does data that travels apart come at once, when it is asked for, or not at all, because the record's state here has it?
    fn apart(&self, scope: &Scope, message: &[u8], size: u64) -> Data {
        // What a friend wrote is judged like anybody's: with its data.
        if self.local.term(&scope.tenant) == Term::Shown {
            return Data::Stored(size);
        }
        // What is kept beside its message is never elsewhere.
        let stays = self.setup.on_demand && self.local.term(&scope.tenant) == Term::Whole && size > dwn::INLINE_MAX;
        let same = cid::decode(message).context("a message that is not DAG-CBOR");
        let same = same.and_then(|json: Value| self.local.same_data(&scope.tenant, &json));
        match same {
            Ok(Some(same)) if same.is_edit && (!same.is_elsewhere || stays) => Data::Kept,
            Ok(Some(same)) if !same.is_elsewhere => Data::Stored(size),
            Ok(_) if stays => Data::Elsewhere,
            Ok(_) => Data::Stored(size),
            Err(fault) => {
                // The door will say so, of this one message.
                tracing::error!("the state of a record cannot be read: {fault:#}");
                Data::Stored(size)
            }
        }
    }

    /// Does it not stay on the other device? Is it, of a friend, theirs to read? What is not they hear no more of than that: not whether
    /// it is here, nor what became of it.
    fn may_come(&mut self, scope: &Scope, digest: &Digest, message: &[u8]) -> Result<bool, Fault> {
        let is_shown = self.local.term(&scope.tenant) == Term::Shown;
        if !is_shown && !self.local.has_parts(&scope.tenant)? {
            return Ok(true);
        }
        let json: Value = cid::decode(message).context("the peer sent a message that is not DAG-CBOR")?;
        if is_shown {
            let is_theirs =
                self.local.told(&scope.tenant, digest)?.is_some() || self.local.would_tell(&scope.tenant, &json)?;
            if !is_theirs {
                let number = self.number(scope)?;
                self.push(Frame::Declined(number, Bytes32(*digest)));
            }
            return Ok(is_theirs);
        }
        if let Some(protocol) = self.local.stays(scope, Some(&json))? {
            self.tell_apart(&scope.tenant, protocol)?;
            return Ok(false);
        }
        Ok(true)
    }

    /// The tenant's end has it (again).
    fn restore(&mut self, tenant: &str, digest: Digest) -> Result<(), Fault> {
        if self.local.restore(tenant, &digest)? {
            self.save_withdrawn(tenant, [(digest, false)]);
        }
        Ok(())
    }

    /// A friend brought it, and it is none of what is shown to them.
    fn decline(&mut self, scope: &Scope, digest: Digest) -> Result<(), Fault> {
        if self.local.term(&scope.tenant) == Term::Shown && self.local.told(&scope.tenant, &digest)?.is_none() {
            let number = self.number(scope)?;
            self.push(Frame::Declined(number, Bytes32(digest)));
        }
        Ok(())
    }

    /// Room for more, for the peer.
    pub(super) fn took(&mut self, cost: Cost) {
        self.take.untaken = self.take.untaken.minus(cost);
        if cost.0 > 0 {
            self.push(Frame::Took(cost.0, cost.1));
        }
    }

    /// These wait for nothing any more.
    pub(super) fn settled(&mut self, shares: impl IntoIterator<Item = Share>) {
        let mut owed = Cost::default();
        for Share { cost, said } in shares {
            if said {
                self.data.said = self.data.said.minus(cost);
            } else {
                owed = owed.plus(cost);
            }
        }
        self.took(owed);
    }

    /// Hands out the next batch.
    pub(super) fn apply_next(&mut self) -> Result<(), Fault> {
        if !self.take.applying.is_empty() || self.take.waiting.is_empty() {
            return Ok(());
        }
        let (mut touched, mut batch, mut bytes) = (BTreeSet::new(), Vec::new(), 0);
        while batch.len() < BATCH.0 && bytes < BATCH.1 {
            let Some(next) = self.take.waiting.front() else { break };
            let message: Value = next.json()?;
            let (own, above) = subjects(&message);
            let is_apart = [&own, &above].into_iter().flatten().all(|id| !touched.contains(id));
            if !is_apart {
                break;
            }
            touched.extend(own);
            let Some(next) = self.take.waiting.pop_front() else { break };
            bytes += next.share.cost.1;
            self.take.applying.push(Applying {
                item: next.item(),
                is_stored: matches!(next.data, Data::Stored(_)),
                is_fetched: next.is_fetched,
                share: next.share,
                scope: next.scope.clone(),
            });
            let Came { scope, digest, knew, data, is_fetched, .. } = next;
            let message = match is_fetched {
                true => self.newest_of(&scope, message),
                false => message,
            };
            let term = self.local.term(&scope.tenant);
            batch.push(Arrival { tenant: scope.tenant, term, digest, message, knew, data });
        }
        if planted::is("the last of a batch is not applied") {
            batch.pop();
        }
        self.effects.push(Effect::Apply(batch));
        Ok(())
    }

    pub(super) fn on_applied(&mut self, answers: Vec<Answer>, now: Now) -> Result<(), Fault> {
        let batch = std::mem::take(&mut self.take.applying);
        let shares: Vec<_> = batch.iter().map(|one| one.share).collect();
        for (applying, Answer { code, detail }) in batch.into_iter().zip(answers) {
            let Applying { scope, item, is_stored, is_fetched, .. } = applying;
            if is_stored {
                self.effects.push(Effect::Discard(item.digest));
            }
            if is_fetched {
                let came = if (200..300).contains(&code) { Ok(()) } else { Err(format!("{code} {detail}")) };
                self.effects.push(Effect::Fetched(scope.tenant, item.digest, came));
                continue;
            }
            match code {
                200..=299 => {
                    self.take.taken += 1;
                    self.send.recent.insert(item.digest);
                    self.dropped(&scope.tenant, &item.digest);
                    self.restore(&scope.tenant, item.digest)?;
                    self.decline(&scope, item.digest)?;
                }
                // The friend who brought it is told that it is not taken, as any client would be, and offers it no more.
                400..=499 if code != 429 && self.local.term(&scope.tenant) == Term::Shown => {
                    self.dropped(&scope.tenant, &item.digest);
                    self.decline(&scope, item.digest)?;
                }
                // What is newer here goes there, and that one goes. If it comes all the same, that is worth a look.
                409 if self.take.declined.insert(item.digest) => {}
                _ => self.set_aside(&scope, item, (code, detail), now)?,
            }
        }
        self.settled(shares);
        Ok(())
    }
}

/// The record that a message is about, and the one above it.
fn subjects(message: &Value) -> (Option<String>, Option<String>) {
    let descriptor = message.get("descriptor");
    let text = |name| descriptor.and_then(|descriptor| descriptor.get(name)).and_then(Value::as_str);
    let own = dwn::record_id(message)
        .or_else(|| text("recordId"))
        .or_else(|| descriptor.and_then(|d| d.pointer("/definition/protocol")).and_then(Value::as_str));
    (own.map(str::to_owned), text("parentId").map(str::to_owned))
}
