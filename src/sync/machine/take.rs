//! What comes in, and in which order it is applied.
//!
//! Messages are applied in batches, so that one fsync serves many. A batch ends before a message that may depend on one of
//! its messages: of the same record, or below it.

use super::{
    event::{Answer, Arrival, Data, Effect, Now},
    machine::Machine,
    state::Cost,
};
use crate::{
    cid::{self, Digest},
    dwn::{self, Fault},
    foreign::shown,
    planted,
    sync::{
        frame::{Bytes32, Carried, Frame, Number},
        local::{Kept, Scope},
    },
};
use anyhow::{Context as _, bail};
use serde_json::Value;
use std::collections::BTreeSet;

/// Messages of one batch.
const BATCH: usize = 256;
/// What the peer may have on its way here: twice what an honest one has.
const UNTAKEN_MAX: (u32, u64) = (4096, 64 << 20);

impl Machine {
    pub(super) fn on_message(
        &mut self,
        number: Number,
        message: Vec<u8>,
        carried: Carried,
        now: Now,
    ) -> Result<(), Fault> {
        let scope = self.names.theirs(number)?;
        let cost = Cost(1, (message.len() + carried.len()) as u64);
        let Cost(messages, bytes) = &mut self.take.untaken;
        (*messages, *bytes) = (*messages + 1, *bytes + cost.1);
        if *messages > UNTAKEN_MAX.0 || *bytes > UNTAKEN_MAX.1 {
            bail!("the peer sends more than it was told that there is room for");
        }
        let digest = cid::digest(&message);
        let kept = self.local.kept(&scope.tenant, &digest)?;
        let is_here = |kept: Kept| {
            kept.item.has_data || !carried.is_some() || planted::is("a message without its data is enough")
        };
        if kept.is_some_and(is_here) {
            self.dropped(&scope.tenant, &digest, now)?;
            self.took(cost);
            return Ok(());
        }
        let message: Value = cid::decode(&message).context("the peer sent a message that is not DAG-CBOR")?;
        let (tenant, protocol) = (scope.tenant, scope.protocol);
        let arrival = |data| Arrival { tenant, protocol, digest, message, data };
        match carried {
            Carried::None => self.take.waiting.push_back((arrival(Data::None), cost)),
            Carried::With(bytes) => self.take.waiting.push_back((arrival(Data::With(bytes)), cost)),
            Carried::Apart(size) => {
                // It waits for its data, and nothing waits for it.
                self.await_data(arrival(Data::Stored(size)), size);
                self.took(cost);
            }
        }
        Ok(())
    }

    fn took(&mut self, Cost(messages, bytes): Cost) {
        let untaken = &mut self.take.untaken;
        *untaken = Cost(untaken.0.saturating_sub(messages), untaken.1.saturating_sub(bytes));
        if messages > 0 {
            self.push(Frame::Took(messages, bytes));
        }
    }

    /// Hands out the next batch.
    pub(super) fn apply_next(&mut self) {
        if !self.take.applying.is_empty() || self.take.waiting.is_empty() {
            return;
        }
        let mut touched = BTreeSet::new();
        while self.take.applying.len() < BATCH {
            let Some((next, _)) = self.take.waiting.front() else { break };
            let (own, above) = subjects(&next.message);
            let is_apart = [&own, &above].into_iter().flatten().all(|id| !touched.contains(id));
            if !is_apart {
                break;
            }
            touched.extend(own);
            self.take.applying.extend(self.take.waiting.pop_front());
        }
        let mut batch: Vec<_> = self.take.applying.iter().map(|(arrival, _)| arrival.clone()).collect();
        if planted::is("the last of a batch is not applied") {
            batch.pop();
        }
        self.effects.push(Effect::Apply(batch));
    }

    pub(super) fn on_applied(&mut self, answers: Vec<Answer>, now: Now) -> Result<(), Fault> {
        let batch = std::mem::take(&mut self.take.applying);
        let mut cost = Cost::default();
        for ((arrival, its), Answer { code, detail }) in batch.into_iter().zip(answers) {
            cost = Cost(cost.0 + its.0, cost.1 + its.1);
            let digest = arrival.digest;
            if matches!(arrival.data, Data::Stored(_)) {
                self.effects.push(Effect::Discard(digest));
            }
            match code {
                200..=299 => {
                    self.take.taken += 1;
                    self.send.came(digest);
                    self.dropped(&arrival.tenant, &digest, now)?;
                }
                // What is newer here goes there, and that one goes. If it comes all the same, that is worth a look.
                409 if self.take.declined.insert(digest) => {}
                _ => self.set_aside(&arrival, code, detail, now)?,
            }
        }
        self.took(cost);
        Ok(())
    }

    /// The peer put a message of this end's aside.
    pub(super) fn on_parked(&mut self, number: Number, digest: &Digest, code: u16, why: &str) -> Result<(), Fault> {
        let scope = self.names.theirs(number)?;
        let cid = cid::from_digest(cid::DAG_CBOR, digest);
        let why = shown(why);
        tracing::info!(peer = self.setup.peer, "the peer put {cid} of {} aside: {code} {why}", scope.name());
        self.aside_there(*digest, code, why.to_string());
        Ok(())
    }

    /// Tells the peer why its message was put aside.
    pub(super) fn tell_parked(&mut self, arrival: &Arrival, code: u16, why: &str) -> Result<(), Fault> {
        let scope = Scope { tenant: arrival.tenant.clone(), protocol: arrival.protocol.clone() };
        let number = self.number(&scope)?;
        self.push(Frame::Parked(number, Bytes32(arrival.digest), code, why.to_owned()));
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
