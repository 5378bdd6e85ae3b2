//! Ends the records whose time is over, as the rules in [`super::retention`] say.
//!
//! In the node's own tenant a record ends with a RecordsDelete that the node signs and puts through the door: devices in step
//! follow it, and subscribers hear of it. The node has no key to sign with for anybody else. Their records leave this node at
//! once and without a message, and the door refuses them from then on.
//!
//! A round goes over each rule and tenant in small turns. A turn reads the index in the order of `dateCreated`, up to the moment
//! before which records are over, and looks at a bounded number of rows. The next turn goes on behind it. Nothing is written
//! down: what was ended is gone from the index or a tombstone in it, and a node that starts anew walks over the tombstones once.
//! Between rounds the place is remembered, because the door lets in nothing that is over already.

use super::{clock::now, door::Node, retention::Rule, tally::Retained};
use crate::{
    asker::Asker,
    crypto::Signer,
    dwn::{
        Cond, Ending, EndingBy, Fault, Filter, Given, IndexValue, Message, PaginationCursor, Select, SortBy, Stop,
        create, decide, endings, is_ended, is_method,
    },
    job::{Job, Wait},
    span::Span,
};
use anyhow::{Context as _, anyhow};
use futures::{StreamExt as _, TryStreamExt as _};
use jiff::Timestamp;
use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::{Duration, Instant},
};
use tokio_util::sync::CancellationToken;

#[cfg(test)]
mod tests;

/// Rows of the index that a turn looks at, or records that it ends: one group of the writer.
const TURN: usize = 64;
/// Between two turns, so that ending takes a small part of a core and of the disk: at most 640 records a second.
const PAUSE: Duration = Duration::from_millis(100);
/// Deletes that wait for the writer together.
const TOGETHER: usize = 16;
/// After so long all is walked over once more: a clock that was set back may have let in what lies behind the place.
const ANEW: Duration = Duration::from_secs(24 * 60 * 60);

impl Node {
    /// What retention has done since this node started.
    pub fn retained(&self) -> Retained {
        let retained = self.shared.tally.now();
        Retained { rules: self.shared.retention.list().len() as u64, ..retained }
    }

    /// Changes whenever messages leave the store without one that says so. What is derived from all of them is then to be derived anew.
    pub fn gone(&self) -> u64 {
        self.shared.tally.gone()
    }

    /// Ends what is over, every so often, until told to stop.
    pub async fn keep_ending(self, every: Duration, signer: Arc<Signer>, job: Job) -> Result<(), Fault> {
        job.awaits(Wait::Every(every));
        let mut reaper = Reaper::new(self, signer);
        loop {
            job.run(reaper.round(job.stop())).await;
            if !job.sleep(every).await {
                return Ok(());
            }
        }
    }
}

/// A rule, by number, and a tenant it is about.
type RuleTenant = (usize, String);

/// Walks over what is over.
struct Reaper {
    node: Node,
    signer: Arc<Signer>,
    /// What is still to do in this round.
    queue: VecDeque<Work>,
    /// How far each rule has come in each tenant. Tenants in which a rule has found nothing are not in it.
    seen: HashMap<RuleTenant, PaginationCursor>,
    /// When all was walked over from the start last.
    anew: Instant,
}

/// A part of a round.
enum Work {
    /// Everybody's records; the tenant that was last.
    Everybody(usize, Option<String>),
    One(RuleTenant),
}

impl Reaper {
    fn new(node: Node, signer: Arc<Signer>) -> Self {
        Self { node, signer, queue: VecDeque::new(), seen: HashMap::new(), anew: Instant::now() }
    }

    /// A round. What went wrong in it is left for the next one.
    async fn round(&mut self, stop: &CancellationToken) -> Result<(), Fault> {
        let ended = self.begin();
        if let Err(fault) = self.by_policies(stop).await {
            self.node.shared.tally.note(|r| r.problem = Some(format!("{fault:#}")));
        }
        loop {
            match self.turn(Timestamp::now()).await {
                Ok(()) => {}
                // The disk, or the writer: the next round tries again.
                Err(fault) => {
                    self.queue.clear();
                    self.node.shared.tally.note(|r| r.problem = Some(format!("{fault:#}")));
                }
            }
            if self.queue.is_empty() || stop.is_cancelled() {
                break;
            }
            tokio::time::sleep(PAUSE).await;
        }
        self.node.shared.tally.note(|r| {
            r.at_work = false;
            let (deleted, purged) = (r.deleted - ended.deleted, r.purged - ended.purged);
            if deleted + purged > 0 {
                tracing::info!("retention: {deleted} records deleted, {purged} records of others left this node");
            }
        });
        match self.node.shared.tally.now().problem {
            None => Ok(()),
            Some(why) => Err(anyhow!(why).context("ending records whose time is over")),
        }
    }

    /// Ends what the policies of the node's own tenant say is over, in turns too.
    async fn by_policies(&mut self, stop: &CancellationToken) -> Result<(), Fault> {
        let tenant = self.signer.did().to_owned();
        let view = self.node.store().view(&tenant);
        let own = tenant.clone();
        let endings = tokio::task::spawn_blocking(move || endings(&own, &*view, &now()));
        for ending in endings.await.context("looking for policies")?? {
            let Some(filter) = over(&ending, Timestamp::now()) else { continue };
            let mut select = Select { any_of: vec![filter], limit: Some(TURN), ..Select::default() };
            loop {
                let (view, own, asked) = (self.node.store().view(&tenant), tenant.clone(), select.clone());
                let looked = tokio::task::spawn_blocking(move || {
                    let page = view.select(&asked)?;
                    let mut ids = Vec::new();
                    for state in &page.entries {
                        // A tag may hold what is no time and stands before all times: the rules have the word.
                        if is_ended(&own, state, &*view, &now())? {
                            ids.extend(state.message["recordId"].as_str().map(str::to_owned));
                        }
                    }
                    Ok::<_, Fault>((ids, page.cursor))
                });
                let (ids, cursor) = looked.await.context("looking for records")??;
                if let Some(why) = self.delete(&tenant, &ids).await? {
                    return Err(anyhow!(why));
                }
                select.after = cursor;
                if select.after.is_none() || stop.is_cancelled() {
                    break;
                }
                tokio::time::sleep(PAUSE).await;
            }
        }
        Ok(())
    }

    /// Begins a round; what stood before it.
    fn begin(&mut self) -> Retained {
        if self.anew.elapsed() > ANEW {
            self.seen.clear();
            self.anew = Instant::now();
        }
        let rules = &self.node.shared.retention;
        let work = rules.list().iter().enumerate().map(|(n, rule)| match rules.tenant(rule) {
            Some(tenant) => Work::One((n, tenant.to_owned())),
            None => Work::Everybody(n, None),
        });
        self.queue = work.collect();
        self.node.shared.tally.note(|r| (r.at_work, r.problem) = (true, None));
        self.node.retained()
    }

    /// Looks at [`TURN`] rows at most, and ends those records among them that are over.
    async fn turn(&mut self, now: Timestamp) -> Result<(), Fault> {
        let mut room = TURN;
        while room > 0 {
            match self.queue.pop_front() {
                None => break,
                Some(Work::Everybody(rule, after)) => {
                    let store = self.node.store().clone();
                    let names = move || store.tenant_names(after.as_deref(), room);
                    let names = tokio::task::spawn_blocking(names).await.context("listing tenants")??;
                    if let Some(last) = names.last().filter(|_| names.len() == room) {
                        self.queue.push_front(Work::Everybody(rule, Some(last.clone())));
                    }
                    names.into_iter().rev().for_each(|name| self.queue.push_front(Work::One((rule, name))));
                    room -= 1;
                }
                Some(Work::One(place)) => room -= self.some(place, room, now).await?.clamp(1, room),
            }
        }
        Ok(())
    }

    /// Ends some records of one tenant by one rule; how many rows it has looked at.
    async fn some(&mut self, place: RuleTenant, room: usize, now: Timestamp) -> Result<usize, Fault> {
        let (rules, after) = (self.node.shared.retention.clone(), self.seen.get(&place).cloned());
        let Some(rule) = rules.list().get(place.0) else { return Ok(0) };
        let Some(found) = self.look(rule, &place.1, after, room, now).await? else { return Ok(0) };
        let Overdue { records, looked_at, cursor, more } = found;
        let failed = if place.1 == self.signer.did() {
            self.delete(&place.1, &records).await?
        } else {
            let some = records.len();
            self.node.shared.tally.leaves();
            let ended = self.node.store().end_records(&place.1, records).await;
            self.node.shared.tally.leaves();
            ended?;
            self.node.shared.tally.note(|r| r.purged += some as u64);
            self.node.shared.tally.count("purged", some);
            None
        };
        match (failed, cursor) {
            // It is not walked past.
            (Some(why), _) => {
                self.node.shared.tally.note(|r| r.problem = Some(why));
                self.seen.remove(&place);
            }
            (None, Some(cursor)) => {
                self.seen.insert(place.clone(), cursor);
                if more {
                    self.queue.push_front(Work::One(place));
                }
            }
            (None, None) => {}
        }
        self.node.shared.tally.note(|r| r.looked_at += looked_at as u64);
        Ok(looked_at)
    }

    /// The next records of a tenant that are over by a rule; nothing if none can be.
    async fn look(
        &self,
        rule: &Rule,
        tenant: &str,
        after: Option<PaginationCursor>,
        room: usize,
        now: Timestamp,
    ) -> Result<Option<Overdue>, Fault> {
        let Some(select) = next(rule, now, after, room) else { return Ok(None) };
        let view = self.node.store().view(tenant);
        let page = tokio::task::spawn_blocking(move || view.select(&select)).await.context("looking for records")??;
        let records = page.entries.iter().filter(|entry| is_method(&entry.message, "Write"));
        let records = records.filter_map(|entry| Some(entry.message["recordId"].as_str()?.to_owned())).collect();
        let last = page.entries.last().and_then(|entry| {
            let value = entry.message.pointer("/descriptor/dateCreated")?.as_str()?.to_owned();
            Some(PaginationCursor { message_cid: entry.cid.to_string(), value })
        });
        let more = page.cursor.is_some();
        Ok(Some(Overdue { records, looked_at: page.entries.len(), cursor: page.cursor.or(last), more }))
    }

    /// Deletes records as their tenant; why one of them could not be, if so.
    async fn delete(&self, tenant: &str, records: &[String]) -> Result<Option<String>, Fault> {
        let deletes = records.iter().map(|record| {
            let (node, signer) = (self.node.clone(), self.signer.clone());
            delete_one(node, signer, tenant.to_owned(), record.clone())
        });
        let deletes = futures::stream::iter(deletes.collect::<Vec<_>>());
        let outcomes: Vec<_> = deletes.buffer_unordered(TOGETHER).try_collect().await?;
        let deleted = outcomes.iter().filter(|outcome| matches!(outcome, Outcome::Deleted)).count();
        self.node.shared.tally.note(|r| r.deleted += deleted as u64);
        self.node.shared.tally.count("deleted", deleted);
        Ok(outcomes.into_iter().find_map(|outcome| match outcome {
            Outcome::Refused(why) => Some(why),
            _ => None,
        }))
    }
}

async fn delete_one(node: Node, signer: Arc<Signer>, tenant: String, record: String) -> Result<Outcome, Fault> {
    let delete = create::records_delete(&record, false, &now(), &signer)
        .map_err(|refusal| anyhow!("making a RecordsDelete: {refusal}"))?;
    match node.delete_in_reserve(&tenant, delete).await {
        Ok(()) => Ok(Outcome::Deleted),
        // Somebody was faster.
        Err(Stop::Refusal(refusal)) if refusal.code == 404 => Ok(Outcome::Gone),
        Err(Stop::Refusal(refusal)) => Ok(Outcome::Refused(format!("{record}: {refusal}"))),
        Err(Stop::Fault(fault)) => Err(fault),
    }
}

/// Asks for what is over. Tombstones are asked for as well: to pass over them in the index would be unbounded work in
/// one turn.
fn next(rule: &Rule, now: Timestamp, after: Option<PaginationCursor>, room: usize) -> Option<Select> {
    let any_of = vec![rule.filter(now)?];
    Some(Select { any_of, sort: SortBy::DateCreated, limit: Some(room), after, ..Select::default() })
}

/// Finds the records that are over by a policy.
fn over(ending: &Ending, now: Timestamp) -> Option<Filter> {
    let Ending { protocol, path, by } = ending;
    let mut filter = match by {
        EndingBy::Age(keep) => {
            let (protocol, path) = (protocol.clone(), path.clone());
            Rule { protocol, path, schema: String::new(), tenant: String::new(), keep: Span(*keep) }.filter(now)?
        }
        EndingBy::Tag(tag) => {
            let lte = Some(IndexValue::String(format!("{now:.6}")));
            let over = Cond::Range { gt: None, gte: None, lt: None, lte };
            let equal = |text: &String| Cond::Equal(IndexValue::String(text.clone()));
            let place = [("protocol".to_owned(), equal(protocol)), ("protocolPath".to_owned(), equal(path))];
            place.into_iter().chain([(format!("tag.{tag}"), over)]).collect()
        }
    };
    filter.insert("method".into(), Cond::Equal(IndexValue::String("Write".into())));
    Some(filter)
}

struct Overdue {
    records: Vec<String>,
    looked_at: usize,
    /// Behind the last row.
    cursor: Option<PaginationCursor>,
    more: bool,
}

enum Outcome {
    Deleted,
    Gone,
    Refused(String),
}

impl Node {
    /// A delete of the node's own, judged as any; also when the disk is nearly full, since it gives space back.
    async fn delete_in_reserve(&self, tenant: &str, delete: serde_json::Value) -> Result<(), Stop> {
        let message: Arc<Message> = self.admit(Asker::Owner, tenant, delete).await?;
        let judge = move |view: &dyn crate::dwn::View| decide(&message, &Given::None, view, &now());
        let change = self.shared.store.commit_in_reserve(tenant, judge).await?;
        self.count("RecordsDelete", change.status);
        Ok(())
    }
}
