//! Live subscriptions: the list of them, and what waits for each.
//!
//! Who owns what: [`Live`] is the list of subscriptions; each [`Events`] owns the bounded queue of one. A write never waits
//! for a subscriber: one whose queue is full is ended and told so.
//!
//! A subscription that resumes from a cursor is first told what is still kept of what it missed, read from the
//! index at its own pace, and then joins the others without a gap.

use super::{clock::now, limits::Limits};
use crate::{
    asker::Asker,
    cid::Cid,
    dwn::{self, Fault, First, Happened, Json, Refusal, Stop, Stored, Subscription, View, json::Object},
    pool::{Full, Permit, Pool, Size},
    store::{Position, Store},
};
use anyhow::anyhow;
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};
use tokio::sync::mpsc;

/// Events waiting for one subscriber: some seconds of the fastest writing seen.
const QUEUE_MAX: usize = 1024;
/// Bytes of messages waiting for one subscriber. Queues share the messages they hold.
const QUEUE_BYTES: usize = 4 << 20;
/// Who has no more than this waiting keeps up.
const QUEUE_SHORT: usize = 64 << 10;
/// Bytes of messages of the past that are read ahead for one subscriber.
const PAST_BYTES: usize = 64 << 10;
/// Log entries, or events of the past, looked at in one go.
pub(super) const ENTRIES_MAX: usize = 64;
/// Earlier states of a record that are looked at for what a subscriber was told of it last.
const FORMER_MAX: usize = 64;
/// Digits of a position in a cursor, so that cursors sort as text; as MessagesQuery writes them.
const CURSOR_DIGITS: usize = 20;

/// One accepted message, for one subscriber.
#[derive(Debug, Clone)]
pub struct Delivery {
    position: Position,
    cid: Cid,
    pub(super) message: Arc<Json>,
    initial: Option<Arc<Json>>,
    /// Of the message in the log.
    bytes: usize,
    /// For the message, as long as it waits for anybody.
    room: Option<Arc<Permit>>,
}

impl Delivery {
    /// The event as the reference sends it, as JSON text: the message, and its record's initial write if it is a later one.
    pub fn text(&self) -> String {
        let event = Object::default().with("message", self.message.text());
        match &self.initial {
            Some(initial) => event.with("initialWrite", initial.text()).text(),
            None => event.text(),
        }
    }

    /// Where a later subscription can go on.
    pub fn cursor(&self) -> Value {
        let digits = CURSOR_DIGITS;
        json!({"messageCid": self.cid.to_string(), "value": format!("{:0digits$}", self.position)})
    }
}

/// Why a subscription is over.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Ended {
    #[error(
        "more than {QUEUE_MAX} events were waiting for this subscriber: subscribe again, with a cursor if none may be missed"
    )]
    Slow,
    #[error(
        "more events are waiting for subscribers than this node holds, and most for this one: subscribe again, with a cursor if none may be missed"
    )]
    Full,
    #[error("the node is stopping")]
    Stopping,
    /// What was allowed when the subscription began no longer is.
    #[error("{}", .0.detail)]
    Refused(Refusal),
    #[error("the node could not go on with this subscription; its log says why")]
    Failed,
}

/// The events of one subscription, in the order of the log. Dropping it ends the subscription.
#[derive(Debug)]
pub struct Events {
    past: Option<Past>,
    told: VecDeque<Delivery>,
    live: mpsc::Receiver<Delivery>,
    waiting: Arc<AtomicUsize>,
    subscriber: Listed,
}

impl Events {
    /// Waits for the next event.
    pub async fn next(&mut self) -> Result<Delivery, Ended> {
        // What still waits is dropped with it: that is what it was ended for.
        if let Some(full @ Ended::Full) = self.subscriber.why.get() {
            return Err(full.clone());
        }
        loop {
            if let Some(event) = self.told.pop_front() {
                return Ok(event);
            }
            let Some(past) = self.past.take() else { break };
            match tokio::task::spawn_blocking(move || past.more()).await {
                Ok(Ok((events, past))) => {
                    self.told = events.into();
                    self.past = past;
                }
                Ok(Err(ended)) => return Err(ended),
                Err(error) => {
                    tracing::error!("telling a subscriber of the past: {error}");
                    return Err(Ended::Failed);
                }
            }
        }
        let Some(event) = self.live.recv().await else {
            return Err(self.subscriber.why.get().cloned().unwrap_or(Ended::Stopping));
        };
        self.waiting.fetch_sub(event.bytes, Ordering::Relaxed);
        Ok(event)
    }
}

/// What a resuming subscription has missed: events after one position and before another.
#[derive(Debug)]
struct Past {
    store: Store,
    subscription: Arc<Subscription>,
    tenant: String,
    /// The last that the subscriber was told.
    cursor: Option<Position>,
    after: Option<Position>,
    before: Position,
}

impl Past {
    /// The next events, and what is left to look at.
    fn more(mut self) -> Result<(Vec<Delivery>, Option<Self>), Ended> {
        match self.page() {
            Ok((events, true)) => Ok((events, Some(self))),
            Ok((events, false)) => Ok((events, None)),
            Err(stop) => Err(ended(&self.tenant, stop)),
        }
    }

    fn page(&mut self) -> Result<(Vec<Delivery>, bool), Stop> {
        let view = self.store.view(&self.tenant);
        let page = view.events(&[], self.after, Some(ENTRIES_MAX))?;
        let more = page.len() == ENTRIES_MAX && page.iter().all(|event| event.position < self.before);
        let (mut events, mut bytes) = (Vec::new(), 0);
        for at in page.into_iter().take_while(|event| event.position < self.before) {
            if bytes > PAST_BYTES {
                return Ok((events, true));
            }
            self.after = Some(at.position);
            // What has gone since is no news any more.
            let Some(stored) = view.message(&at.cid)? else { continue };
            bytes += stored.message.text().len();
            let candidate =
                Candidate::new(&*view, &at.cid, stored.message.clone(), stored.author.clone(), stored.latest)?;
            let suits = candidate.suits(&self.subscription, &*view)?;
            if suits || self.known(at.position, &candidate)?.suits(&self.subscription, &*view)? {
                events.push(candidate.event(at.position, at.cid, (0, None)));
            }
        }
        Ok((events, more))
    }

    /// The same with the state of its record that the subscriber may have been told before the cursor. What is not known any
    /// more is taken to be what the record began with.
    fn known(&self, position: Position, candidate: &Candidate) -> Result<Candidate, Fault> {
        let Some(cursor) = self.cursor else { return Ok(candidate.clone()) };
        let first = || candidate.initial.as_ref().map(|initial| (initial.message.clone(), initial.author.clone()));
        let mut state = self.store.former(position)?;
        for _ in 0..FORMER_MAX {
            let Some(former) = state else { break };
            match former.before {
                Some(at) => {
                    state = self.store.former(at)?;
                    if at <= cursor {
                        let told = state.map(|told| (told.message, told.author.into())).or_else(first);
                        return Ok(candidate.clone().after(told));
                    }
                }
                // It has begun since.
                None if former.initial => return Ok(candidate.clone()),
                None => break,
            }
        }
        Ok(candidate.clone().after(first()))
    }
}

/// A message that may be somebody's event.
#[derive(Clone)]
pub(super) struct Candidate {
    message: Arc<Json>,
    author: Arc<str>,
    initial: Option<Stored>,
    values: Values,
    /// Of the state of the record that the message superseded.
    before: Option<Values>,
    latest: bool,
}

type Values = BTreeMap<String, Vec<dwn::IndexValue>>;

impl Candidate {
    pub fn new(view: &dyn View, cid: &Cid, message: Arc<Json>, author: Arc<str>, latest: bool) -> Result<Self, Fault> {
        let record = dwn::record_id(&message).map(|id| view.record(id)).transpose()?.flatten();
        let initial = record.map(|record| record.initial).filter(|initial| initial.cid != *cid);
        let first = initial.as_ref().map_or_else(First::default, |initial| First::of(initial));
        let values = dwn::index_values(&message, &author, first, latest);
        Ok(Self { message, author, initial, values, before: None, latest })
    }

    /// The message after this state of its record.
    pub fn after(mut self, state: Option<(Arc<Json>, Arc<str>)>) -> Self {
        let first = self.initial.as_ref().map_or_else(First::default, |initial| First::of(initial));
        self.before = state.map(|(message, author)| dwn::index_values(&message, &author, first, true));
        self
    }

    pub fn suits(&self, subscription: &Subscription, view: &dyn View) -> Result<bool, Stop> {
        let happened = Happened {
            message: &self.message,
            author: &self.author,
            initial: self.initial.as_ref().map(|initial| &**initial.message),
            values: &self.values,
            before: self.before.as_ref(),
            latest: self.latest,
        };
        // A mistake in a rule ends one subscription, not the node.
        catch_unwind(AssertUnwindSafe(|| subscription.admits(&happened, view, &now())))
            .unwrap_or_else(|_| Err(anyhow!("judging an event panicked").into()))
    }

    /// The event; `bytes` and `room`: what it takes while it waits.
    pub fn event(&self, position: Position, cid: Cid, (bytes, room): (usize, Option<Arc<Permit>>)) -> Delivery {
        let initial = self.initial.as_ref().map(|initial| initial.message.clone());
        Delivery { position, cid, message: self.message.clone(), initial, bytes, room }
    }

    /// About what it takes in memory, however many it waits for: a tree, and the text it is told as.
    pub fn weight(&self, bytes: usize) -> usize {
        const FORMS: usize = 3 + 1;
        bytes * FORMS
    }
}

/// All live subscriptions. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Live(Arc<LiveInner>);

#[derive(Debug)]
struct LiveInner {
    places: Pool,
    by_tenant: Mutex<HashMap<String, Vec<Arc<Subscriber>>>>,
    ids: AtomicU64,
}

#[derive(Debug)]
pub(super) struct Subscriber {
    id: u64,
    tenant: String,
    /// Entries of the log before it are none of this subscription's.
    pub from: Position,
    pub subscription: Arc<Subscription>,
    queue: mpsc::Sender<Delivery>,
    /// Bytes in the queue.
    waiting: Arc<AtomicUsize>,
    why: Arc<OnceLock<Ended>>,
}

/// Takes the subscription off the list when its events are dropped.
#[derive(Debug)]
struct Listed {
    live: Live,
    tenant: String,
    id: u64,
    why: Arc<OnceLock<Ended>>,
    _place: Permit,
}

impl Drop for Listed {
    fn drop(&mut self) {
        self.live.remove(&self.tenant, self.id);
    }
}

impl Live {
    pub fn new(limits: &Limits) -> Self {
        let size = Size {
            most: limits.subscriptions as usize,
            share: limits.subscriptions_per_address as usize,
            reserved: limits.subscriptions_reserved as usize,
        };
        let places = Pool::new("subscriptions", size);
        Self(Arc::new(LiveInner { places, by_tenant: Mutex::default(), ids: AtomicU64::default() }))
    }

    pub fn places(&self) -> &Pool {
        &self.0.places
    }

    pub fn lock(&self) -> MutexGuard<'_, HashMap<String, Vec<Arc<Subscriber>>>> {
        self.0.by_tenant.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lists a subscription from now on. `after`: tell it first what came after this position.
    pub fn add(
        &self,
        asker: Asker,
        store: &Store,
        tenant: &str,
        subscription: Subscription,
        after: Option<Resume>,
    ) -> Result<Events, Full> {
        let place = self.0.places.take(asker, 1)?;
        let (queue, live) = mpsc::channel(QUEUE_MAX);
        let (subscription, why) = (Arc::new(subscription), Arc::new(OnceLock::new()));
        let waiting = Arc::new(AtomicUsize::new(0));
        let id = self.0.ids.fetch_add(1, Ordering::Relaxed);
        let mut list = self.lock();
        // Under the lock: the follower cannot pass over what comes after this position.
        let from = store.log_bytes();
        let (tenant, shared) = (tenant.to_owned(), subscription.clone());
        let subscriber = Subscriber {
            id,
            tenant: tenant.clone(),
            from,
            subscription,
            queue,
            waiting: waiting.clone(),
            why: why.clone(),
        };
        list.entry(tenant.clone()).or_default().push(Arc::new(subscriber));
        drop(list);
        let past = after.map(|Resume(after)| Past {
            store: store.clone(),
            subscription: shared,
            tenant: tenant.clone(),
            cursor: after,
            after,
            before: from,
        });
        let subscriber = Listed { live: self.clone(), tenant, id, why, _place: place };
        Ok(Events { past, told: VecDeque::new(), live, waiting, subscriber })
    }

    pub fn of(&self, tenant: &str) -> Vec<Arc<Subscriber>> {
        self.lock().get(tenant).cloned().unwrap_or_default()
    }

    fn remove(&self, tenant: &str, id: u64) {
        let mut list = self.lock();
        let Some(subscribers) = list.get_mut(tenant) else { return };
        subscribers.retain(|subscriber| subscriber.id != id);
        if subscribers.is_empty() {
            list.remove(tenant);
        }
    }

    /// Puts an event into the queue, or ends the subscription if there is no room.
    pub fn hand(&self, subscriber: &Subscriber, event: Delivery) {
        // A message that alone is larger than the bound still goes through.
        let waiting = subscriber.waiting.fetch_add(event.bytes, Ordering::Relaxed);
        if waiting > QUEUE_BYTES {
            return self.end(subscriber, Ended::Slow);
        }
        // Who keeps up is told even what there is no room to keep.
        if event.room.is_none() && waiting > QUEUE_SHORT {
            return self.end(subscriber, Ended::Full);
        }
        match subscriber.queue.try_send(event) {
            Ok(()) => {}
            Err(mpsc::error::TrySendError::Full(_)) => self.end(subscriber, Ended::Slow),
            Err(mpsc::error::TrySendError::Closed(_)) => self.remove(&subscriber.tenant, subscriber.id),
        }
    }

    /// Ends the subscription for which most is waiting.
    pub fn relieve(&self) {
        let waiting = |subscriber: &Arc<Subscriber>| subscriber.waiting.load(Ordering::Relaxed);
        let most = self.lock().values().flatten().max_by_key(|subscriber| waiting(subscriber)).cloned();
        if let Some(subscriber) = most.filter(|subscriber| waiting(subscriber) > QUEUE_SHORT) {
            self.end(&subscriber, Ended::Full);
        }
    }

    pub fn end(&self, subscriber: &Subscriber, why: Ended) {
        let _ = subscriber.why.set(why); // the first reason is the reason
        self.remove(&subscriber.tenant, subscriber.id);
    }

    pub fn len(&self) -> usize {
        self.lock().values().map(Vec::len).sum()
    }
}

/// Where a subscription goes on: after a position, or from the beginning of what is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resume(Option<Position>);

impl Resume {
    /// From an event's cursor or one of MessagesQuery. A cursor of another node's making (positions are private)
    /// names no place here: the subscriber is told everything again, which it can take, rather than miss something.
    pub fn from_cursor(cursor: &Value) -> Self {
        let value = cursor.get("value").and_then(Value::as_str).filter(|value| value.len() == CURSOR_DIGITS);
        Self(value.and_then(|value| value.parse().ok()))
    }
}

pub(super) fn ended(tenant: &str, stop: Stop) -> Ended {
    match stop {
        Stop::Refusal(refusal) => Ended::Refused(refusal),
        Stop::Fault(fault) => {
            tracing::error!("a subscription to {tenant} ended: {fault:#}");
            Ended::Failed
        }
    }
}
