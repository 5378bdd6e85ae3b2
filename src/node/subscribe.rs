//! Subscribing, and the follower that carries events: it reads the log and hands accepted messages to subscribers.
//!
//! The follower owns its position in the log. For each accepted message it judges which subscriptions of the tenant may see
//! it. The list of subscriptions and their queues are in `events`.

#[cfg(test)]
mod tests;

use super::{
    answers::Reply,
    clock::now,
    door::Node,
    events::{Candidate, ENTRIES_MAX, Ended, Events, Resume, ended},
    method,
};
use crate::{
    asker::Asker,
    cid,
    dwn::{self, Fault, Refusal, Stop},
    job::{Job, Wait},
    pool::Permit,
    scarce,
    store::{Entry, Position},
};
use anyhow::Context as _;
use serde_json::{Value, json};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// Pause after the system was short of something.
const SHORT_WAIT: Duration = Duration::from_secs(1);

impl Node {
    /// Judges a subscribe message and, if it is allowed, begins to carry its events. `resume`: begin with what
    /// came after a cursor instead of with what happens from now on.
    pub async fn subscribe(
        &self,
        asker: Asker,
        tenant: &str,
        message: Value,
        resume: Option<Resume>,
    ) -> Result<(Reply, Option<Events>), Fault> {
        let method = method::name(&message);
        let (reply, events) = match self.judge_subscribe(asker, tenant, message, resume).await {
            Ok((reply, events)) => (reply, Some(events)),
            Err(Stop::Refusal(refusal)) => (refusal.into(), None),
            Err(Stop::Fault(fault)) => {
                self.count(method, 500);
                return Err(fault.context(format!("{method} for {tenant}")));
            }
        };
        self.count(method, reply.code);
        Ok((reply, events))
    }

    async fn judge_subscribe(
        &self,
        asker: Asker,
        tenant: &str,
        message: Value,
        resume: Option<Resume>,
    ) -> Result<(Reply, Events), Stop> {
        // An earlier state can answer a tenant's own read (see `admission`). It has no events to carry.
        self.store().whole()?;
        let message = self.admit(asker, tenant, message).await?;
        let (view, asked) = (self.store().view(tenant), message.clone());
        let subscription = self.shared.workers.run(asker, move || dwn::subscribe(&asked, &*view, &now())).await??;
        let asker = if self.is_own(message.author()) { Asker::Owner } else { asker };
        let events = self.shared.live.add(asker, self.store(), tenant, subscription, resume);
        let events = events.map_err(|full| Refusal::new(503, full.to_string()))?;
        let mut reply = Reply::new(200, "OK");
        reply.body.insert("subscription", json!({"id": message.cid().to_string()}).to_string());
        Ok((reply, events))
    }

    /// Room for a message that waits for subscribers.
    fn room_for(&self, bytes: usize) -> Option<Arc<Permit>> {
        let taken = self.shared.events.take(Asker::Owner, bytes);
        if taken.is_err() {
            self.shared.live.relieve();
        }
        taken.ok().map(Arc::new)
    }

    /// Live subscriptions right now.
    pub fn subscriptions(&self) -> usize {
        self.shared.live.len()
    }

    /// Carries events until the node stops. One task per node.
    pub async fn carry_events(self, job: Job) -> Result<(), Fault> {
        job.awaits(Wait::Log);
        let mut tail = self.store().tail();
        let mut position = *tail.borrow_and_update();
        loop {
            let is_short = position < *tail.borrow();
            job.waits(is_short.then(|| Instant::now() + SHORT_WAIT));
            tokio::select! {
                changed = tail.changed() => if changed.is_err() { break },
                // It was short of something.
                () = tokio::time::sleep(SHORT_WAIT), if is_short => {}
                () = job.stop().cancelled() => break,
            }
            // Read before the list: who is listed later begins behind it.
            let end = *tail.borrow_and_update();
            if self.subscriptions() == 0 {
                position = end;
                continue;
            }
            job.works();
            let node = self.clone();
            let delivered = tokio::task::spawn_blocking(move || {
                let outcome = node.deliver(&mut position, end);
                (position, outcome)
            });
            let outcome;
            (position, outcome) = delivered.await.context("carrying events")?;
            match outcome {
                Ok(()) => job.ended(None),
                Err(fault) if scarce::is_scarcity(&fault) => {
                    let what = format!("carrying events: {fault:#}");
                    scarce::note(&what);
                    job.ended(Some(&what));
                }
                Err(fault) => return Err(fault),
            }
        }
        let all: Vec<_> = self.shared.live.lock().values().flatten().cloned().collect();
        all.iter().for_each(|subscriber| self.shared.live.end(subscriber, Ended::Stopping));
        Ok(())
    }

    /// Hands out the log from `position` to `end`, or as far as it can be read: where to go on is left in `position`.
    fn deliver(&self, position: &mut Position, end: Position) -> Result<(), Fault> {
        while *position < end {
            let entries = self.store().entries(*position, ENTRIES_MAX)?;
            // Nothing but damage, which the store has named.
            *position = entries.last().map_or(end, Entry::next);
            for entry in entries {
                if let Err(fault) = self.hand_out(entry) {
                    tracing::error!("subscribers miss an event: {fault:#}"); // one message is no reason to stop the node
                }
            }
        }
        Ok(())
    }

    fn hand_out(&self, entry: Entry) -> Result<(), Fault> {
        let Entry::Message { position, tenant, author, cid, message, latest, before, again: false, .. } = entry else {
            return Ok(()); // of what is here once more, with its data, they have heard
        };
        let subscribers = self.shared.live.of(&tenant);
        if subscribers.is_empty() {
            return Ok(());
        }
        let (view, bytes) = (self.store().view(&tenant), message.len());
        let message = cid::decode(&message).with_context(|| format!("message {cid} in the log"))?;
        let former = before.map(|at| self.store().former(at)).transpose()?.flatten();
        let candidate = Candidate::new(&*view, &cid, Arc::new(Value::into(message)), author.into(), latest)?
            .after(former.map(|former| (former.message, former.author.into())));
        let mut room = None;
        for subscriber in subscribers.iter().filter(|subscriber| subscriber.from <= position) {
            match candidate.suits(&subscriber.subscription, &*view) {
                Ok(true) => {
                    let room = room.get_or_insert_with(|| self.room_for(candidate.weight(bytes))).clone();
                    self.shared.live.hand(subscriber, candidate.event(position, cid, (bytes, room)));
                }
                Ok(false) => {}
                Err(stop) => self.shared.live.end(subscriber, ended(&tenant, stop)),
            }
        }
        Ok(())
    }
}
