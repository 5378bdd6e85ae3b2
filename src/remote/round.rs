//! One round of a part: what is asked, in which order, and what is written down when.

use super::{
    aside::{Aside, Way},
    kept::{self, Part, Reached, millis},
    line::Line,
    pull::Pull,
    push::Push,
    signing::{Hand, NoHand},
    status::Tally,
    talk::{Listed, Talk, Trouble},
};
use crate::{
    cid::{self, Digest},
    dwn::{self, EventFilter, Fault, LogEvent, PERMISSIONS},
    identity::Identities,
    job::blocking,
    node::Node,
    store::{Position, Store},
};
use anyhow::Error;
use serde_json::Value;
use std::{collections::HashSet, sync::Arc};

/// Everything is compared again after this long (milliseconds), whatever cursors say.
const COMPARED_EVERY: u64 = 3_600_000;
/// Events of the log looked at in one go: after a crash in the middle, as many may be sent twice.
const EVENTS: usize = 1024;

/// How much a round does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Depth {
    /// Sends what is new here.
    Push,
    /// And asks what is new there.
    Poll,
    /// And compares all.
    Compare,
}

/// What a round works with.
#[derive(Clone, Copy)]
pub struct Means<'a> {
    pub node: &'a Node,
    pub identities: &'a Identities,
    pub line: &'a Line,
    pub url: &'a str,
    pub tally: &'a Tally,
    /// Protocols that never leave this device.
    pub local_only: &'a Arc<[String]>,
}

/// A part, as it stands between rounds.
pub struct Standing {
    part: Part,
    reached: Reached,
    written: Reached,
    here: Aside,
    there: Aside,
    /// What came from there and is not passed by the push yet: it is not sent back.
    pulled: HashSet<Digest>,
}

impl Standing {
    /// As it was written down (blocking).
    pub fn load(store: &Store, url: &str, part: &Part) -> Result<Self, Error> {
        let reached = kept::reached(store, url, part)?;
        Ok(Self {
            part: part.clone(),
            written: reached.clone(),
            reached,
            here: Aside::load(store, url, part, Way::Here)?,
            there: Aside::load(store, url, part, Way::There)?,
            pulled: HashSet::new(),
        })
    }

    /// Is nothing put aside?
    pub fn is_whole(&self) -> bool {
        self.here.len() == 0 && self.there.len() == 0
    }

    /// Which part it is, and up to where of the log it was looked at.
    pub fn passed(&self) -> (Part, Option<Position>) {
        (self.part.clone(), self.reached.pushed)
    }

    /// When something that was put aside is due, in milliseconds since 1970.
    pub fn due(&self) -> Option<u64> {
        self.here.next().into_iter().chain(self.there.next()).min()
    }

    /// One round.
    pub async fn round(&mut self, means: Means<'_>, depth: Depth) -> Result<(), Trouble> {
        let done = self.steps(means, depth).await;
        // Also of a round that ended early: what was reached is reached.
        if self.reached != self.written {
            kept::put_reached(means.node.store(), means.url, &self.part, &self.reached).await?;
            self.written = self.reached.clone();
        }
        done
    }

    async fn steps(&mut self, means: Means<'_>, depth: Depth) -> Result<(), Trouble> {
        if !means.node.hosts(&self.part.tenant) {
            let why = format!(
                "the records of {} are not kept on this node any more: toft sync rm {}",
                self.part.tenant, means.url
            );
            return Err(Trouble::Away(why));
        }
        if depth == Depth::Push && self.reached.pushed.is_some() {
            return self.push_new(means).await;
        }
        let hand = match self.hand(means).await? {
            Ok(hand) => hand,
            // What is pushed needs nobody's signature but those that it has.
            Err(why) => {
                self.push_new(means).await?;
                return Err(Trouble::Away(why));
            }
        };
        let part = self.part.clone();
        let talk = Talk { line: means.line, part: &part, hand: &hand };
        let is_due = millis().saturating_sub(self.reached.compared) >= COMPARED_EVERY;
        if depth == Depth::Compare
            || is_due
            || self.here.gone_since(self.reached.compared)
            || !self.poll(means, talk).await?
        {
            self.compare(means, talk).await?;
        }
        self.push_new(means).await
    }

    async fn hand(&self, means: Means<'_>) -> Result<Result<Hand, String>, Trouble> {
        let (identities, store, part) = (means.identities.clone(), means.node.store().clone(), self.part.clone());
        let found = blocking(move || match Hand::find(&identities, &store, &part.tenant, part.protocol.as_deref()) {
            Ok(hand) => Ok(Ok(hand)),
            Err(NoHand::Nobody(why)) => Ok(Err(why)),
            Err(NoHand::Fault(fault)) => Err(fault),
        });
        Ok(found.await?)
    }

    /// Asks what came after the cursor. `false`: the cursor is not good for that (any more).
    async fn poll(&mut self, means: Means<'_>, talk: Talk<'_>) -> Result<bool, Trouble> {
        let Some(cursor) = self.reached.cursor.clone() else { return Ok(false) };
        // A server that was put back to an older state may lack what the cursor names, or what it was sent since.
        let named = cursor.get("messageCid").and_then(Value::as_str).unwrap_or_default();
        for cid in [Some(named), self.reached.sent.as_deref()].into_iter().flatten() {
            if !talk.still_has(cid).await? {
                return Ok(false);
            }
        }
        let listed = match talk.list(Some(&cursor)).await {
            Ok(listed) => listed,
            Err(Trouble::Refused(code, why)) => {
                tracing::info!("{} does not take the cursor: {code} {why}", means.url);
                return Ok(false);
            }
            Err(trouble) => return Err(trouble),
        };
        // What came and has no cursor behind it would be told again and again: it is compared with instead.
        if listed.cursor.is_none() && !listed.entries.is_empty() {
            return Ok(false);
        }
        let wanted = self.missing(means, listed.entries).await?;
        self.pull(means, talk, wanted).await?;
        if let Some(cursor) = listed.cursor {
            (self.reached.cursor, self.reached.sent) = (Some(cursor), None);
        }
        Ok(true)
    }

    /// Compares all that the server has with all that is here, and has both get what they lack.
    async fn compare(&mut self, means: Means<'_>, talk: Talk<'_>) -> Result<(), Trouble> {
        let Listed { entries, cursor } = self.list_all(means, talk).await?;
        let theirs: HashSet<Digest> = entries.iter().copied().collect();
        self.here.keep_only(&theirs);
        let (ours, end) = self.ours(means).await?;
        let mine: HashSet<Digest> = ours.iter().map(|(digest, _)| *digest).collect();
        self.there.keep_only(&mine.difference(&theirs).copied().collect());
        drop(mine);
        let wanted = self.missing(means, entries).await?;
        self.pull(means, talk, wanted).await?;
        let lacking: Vec<LogEvent> =
            ours.into_iter().filter(|(digest, _)| !theirs.contains(digest)).map(|(_, event)| event).collect();
        let lacking = self.in_order(means, lacking).await?;
        self.reached.sent = None;
        self.push(means, lacking).await?;
        self.reached = Reached { cursor, pushed: Some(end), sent: self.reached.sent.take(), compared: millis() };
        Ok(())
    }

    /// All that the server has. Who asks by a grant that the server does not know yet sends it first.
    async fn list_all(&self, means: Means<'_>, talk: Talk<'_>) -> Result<Listed, Trouble> {
        match talk.list(None).await {
            Err(Trouble::Refused(401, _)) if talk.hand.is_by_grant() => {
                let filter = EventFilter { protocol: Some(PERMISSIONS.into()), ..EventFilter::default() };
                let part = Part { protocol: Some(PERMISSIONS.into()), ..self.part.clone() };
                let events = events(means.node.store(), &self.part.tenant, vec![filter], None, usize::MAX).await?;
                let grants = in_order(means.node.store(), &self.part.tenant, events).await?;
                // Of a part of its own that nothing is kept of: what is refused comes with the rest.
                let (store, url) = (means.node.store().clone(), means.url.to_owned());
                let of = part.clone();
                let mut aside = blocking(move || Aside::load(&store, &url, &of, Way::There)).await?;
                let (Means { node, line, tally, local_only, .. }, mut sent) = (means, None);
                let push = Push { node, line, part: &part, aside: &mut aside, sent: &mut sent, tally, local_only };
                push.run(grants).await?;
                talk.list(None).await
            }
            listed => listed,
        }
    }

    /// Of what the server has, what is not here and was not put aside.
    async fn missing(&self, means: Means<'_>, entries: Vec<Digest>) -> Result<Vec<Digest>, Trouble> {
        let (store, tenant) = (means.node.store().clone(), self.part.tenant.clone());
        let lacking = blocking(move || {
            let sets = store.sets(&tenant)?;
            let mut lacking = Vec::new();
            for digest in entries {
                if sets.find(&digest)?.is_none() {
                    lacking.push(digest);
                }
            }
            Ok::<_, Fault>(lacking)
        });
        let mut lacking = lacking.await?;
        lacking.retain(|digest| !self.here.has(digest));
        Ok(lacking)
    }

    async fn pull(&mut self, means: Means<'_>, talk: Talk<'_>, wanted: Vec<Digest>) -> Result<(), Trouble> {
        let Means { node, tally, .. } = means;
        Pull { node, talk, aside: &mut self.here, pulled: &mut self.pulled, tally }.run(wanted).await
    }

    async fn push(&mut self, means: Means<'_>, wanted: Vec<Digest>) -> Result<(), Trouble> {
        let Means { node, line, tally, local_only, .. } = means;
        let wanted = wanted.into_iter().filter(|digest| !self.there.has(digest)).collect();
        let sent = &mut self.reached.sent;
        Push { node, line, part: &self.part, aside: &mut self.there, sent, tally, local_only }.run(wanted).await
    }

    /// Sends what the log has behind the position.
    async fn push_new(&mut self, means: Means<'_>) -> Result<(), Trouble> {
        loop {
            let new = self.events(means, self.reached.pushed, EVENTS).await?;
            let Some(last) = new.last().map(|event| event.position) else { break };
            let lacking =
                new.into_iter().filter(|event| digest(event).is_some_and(|digest| !self.pulled.contains(&digest)));
            let lacking = self.in_order(means, lacking.collect()).await?;
            self.push(means, lacking).await?;
            self.reached.pushed = Some(last);
        }
        self.pulled.clear();
        // What was put aside earlier and is due.
        self.push(means, vec![]).await
    }

    /// All that is here, in the order in which it came, and where that ends.
    async fn ours(&self, means: Means<'_>) -> Result<(Vec<(Digest, LogEvent)>, Position), Trouble> {
        let all = self.events(means, None, usize::MAX).await?;
        let end = all.last().map_or(0, |event| event.position);
        Ok((all.into_iter().filter_map(|event| Some((digest(&event)?, event))).collect(), end))
    }

    async fn events(&self, means: Means<'_>, after: Option<Position>, most: usize) -> Result<Vec<LogEvent>, Trouble> {
        events(means.node.store(), &self.part.tenant, filters(&self.part), after, most).await
    }

    async fn in_order(&self, means: Means<'_>, events: Vec<LogEvent>) -> Result<Vec<Digest>, Trouble> {
        in_order(means.node.store(), &self.part.tenant, events).await
    }
}

/// Has the log nothing of a part behind this position?
pub async fn is_passed(store: &Store, part: &Part, after: Option<Position>) -> Result<bool, Error> {
    let (store, part) = (store.clone(), part.clone());
    blocking(move || Ok(store.view(&part.tenant).events(&filters(&part), after, Some(1))?.is_empty())).await
}

/// What of a tenant's log a part is.
fn filters(part: &Part) -> Vec<EventFilter> {
    let protocol = part.protocol.clone();
    protocol.map(|uri| EventFilter { protocol: Some(uri), ..EventFilter::default() }).into_iter().collect()
}

async fn events(
    store: &Store,
    tenant: &str,
    filters: Vec<EventFilter>,
    after: Option<Position>,
    most: usize,
) -> Result<Vec<LogEvent>, Trouble> {
    let (store, tenant) = (store.clone(), tenant.to_owned());
    Ok(blocking(move || store.view(&tenant).events(&filters, after, Some(most))).await?)
}

/// In an order in which each comes after what it needs.
async fn in_order(store: &Store, tenant: &str, events: Vec<LogEvent>) -> Result<Vec<Digest>, Trouble> {
    let (store, tenant) = (store.clone(), tenant.to_owned());
    let ordered = blocking(move || dwn::in_order(events, &*store.view(&tenant)));
    Ok(ordered.await?.iter().filter_map(digest).collect())
}

fn digest(event: &LogEvent) -> Option<Digest> {
    cid::sha256_of(&event.cid)
}
