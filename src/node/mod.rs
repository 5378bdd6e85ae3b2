//! The one door: every message, from a client, a peer or this node itself, goes through [`Node::process`] or its
//! likes.
//!
//! It orders the steps and decides nothing: `dwn` judges, `blocks` holds data, `store` remembers. A refusal
//! is a reply; a fault is an error of ours. Who wants to know what happens from now on: `subscribe`.

mod answers;
mod config;
mod data;
mod deny;
mod limits;
mod quota;
mod reaper;
mod retention;
mod subscribe;
mod tenants;
mod workers;
#[cfg(test)]
mod tests;

use answers::Rest;
pub use answers::{Answers, Outgoing, Text};
pub use config::Config;
pub use data::{Body, one_chunk, read_out, send};
use data::{Held, gather, unread};
pub use deny::Denied;
pub use limits::Limits;
use quota::{Quotas, Reserved};
pub use reaper::Retained;
pub use retention::{Config as RetentionConfig, Rules};
pub use subscribe::{Ended, Event, Events, Resume};
pub use tenants::{Registered, Removed, Tenant, Tenants};
use workers::Workers;

use crate::{
    asker::Asker,
    blocks::{Blocks, Right},
    crypto::PublicKey,
    did,
    dwn::{self, Fault, Given, Members, Message, Refusal, Stop, View},
    metrics::Metrics,
    pool::{Full, Place, Pool},
    resolve::Resolver,
    store::{self, Data, Store},
};
use anyhow::{Context as _, anyhow};
use bytes::Bytes;
use prometheus_client::metrics::{counter::Counter, family::Family};
use serde_json::Value;
use std::{
    collections::{BTreeSet, HashMap},
    ops::Range,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Duration,
};
use tokio::sync::Semaphore;

/// Messages that are hashed, verified or staged at the same time: CPU work, so a few per core.
const WORKERS_PER_CORE: usize = 4;
/// Most entries of an answer that is still short.
const SHORT_PAGE: f64 = 100.0;
/// Bytes of a body that are hashed in one go.
const PIECE: usize = 256 << 10;
/// The longest for each piece, whoever brings it. Over HTTP `dwn.limits` says less; a device has no other bound.
const PIECE_DEADLINE: Duration = Duration::from_secs(60);
/// A body may run over its declared size by this much and still be hashed, so that the answer can name its CID.
const OVERRUN_MAX: u64 = 1 << 20;

/// Of a read's data, the bytes that are wanted, by what stands in the reply; nothing: all.
pub type Choose = Box<dyn FnOnce(&Members) -> Option<Range<u64>> + Send>;

/// What the door answers.
pub struct Reply {
    pub code: u16,
    pub detail: String,
    /// `entry`, `entries`, `cursor`: what stands beside `status`.
    pub body: Members,
    /// The record's data, if the answer carries some.
    pub data: Option<Outgoing>,
    /// Of a long answer, what is still to be made.
    rest: Option<Rest>,
    /// Room in the budget for answers.
    held: Option<Place>,
}

impl std::fmt::Debug for Reply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Reply({} {}, data: {})", self.code, self.detail, self.data.is_some())
    }
}

impl Reply {
    fn new(code: u16, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), body: Members::default(), data: None, rest: None, held: None }
    }

    /// `{"status": {"code", "detail"}, …}` as the reference writes it: JSON text. Of an answer with many entries nothing but
    /// the status: it goes out by [`Reply::into_text`].
    pub fn text(&self) -> String {
        match &self.rest {
            None => self.body.reply(self.code, &self.detail),
            Some(_) => Members::default().reply(self.code, &self.detail),
        }
    }
}

impl From<Refusal> for Reply {
    fn from(refusal: Refusal) -> Self {
        Self::new(refusal.code, refusal.detail)
    }
}

#[derive(Debug, Clone, Hash, PartialEq, Eq, prometheus_client::encoding::EncodeLabelSet)]
struct Label {
    method: &'static str,
    code: u16,
}

/// A message that may or may not have been judged in the first turn.
enum Admitted<T, F> {
    Judged(T),
    Unverified(Box<Message>, F),
}

/// Who hands in a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Origin {
    Client(Asker),
    /// Another device of the tenant.
    Device,
}

impl Origin {
    fn asker(self) -> Asker {
        match self {
            Origin::Client(asker) => asker,
            Origin::Device => Asker::Device,
        }
    }
}

/// What came of judging a message.
enum Judged {
    Write(Arc<Message>),
    /// There was no room for an answer yet.
    Waits(Arc<Message>),
    Read(Box<dwn::Reply>, Box<dyn View + Send>, Option<Held>),
}

fn judge_verified<T>(
    message: Message,
    keys: &HashMap<String, PublicKey>,
    judge: impl FnOnce(Arc<Message>) -> Result<T, Stop>,
) -> Result<T, Stop> {
    message.verify(&|kid: &str| keys.get(kid).cloned())?;
    judge(Arc::new(message))
}

/// What can be said of a write before a byte of its data is read.
fn check_write(message: &Message, has_body: bool, most: u64, rules: &Rules, view: &dyn View) -> Result<(), Stop> {
    rules.check(message.tenant(), message.json(), jiff::Timestamp::now())?;
    let declared = message.data();
    if let Some((_, size)) = declared
        && size > most
    {
        return Err(Refusal::new(413, format!("dataSize {size} is above this node's limit of {most} bytes")).into());
    }
    let promised = if has_body && declared.is_some() { Given::Promised } else { Given::None };
    dwn::decide(message, &promised, view, &now()).map(drop)
}

/// The door. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Node {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    store: Store,
    blocks: Blocks,
    resolver: Resolver,
    tenants: Tenants,
    gate: tenants::Gate,
    /// The node's DID.
    own: Box<str>,
    denied: Arc<Denied>,
    answers: Answers,
    /// Bytes of messages that wait for subscribers.
    events: Pool,
    max_record: u64,
    quotas: Quotas,
    workers: Workers,
    /// Threads of the runtime that may judge.
    turns: Semaphore,
    /// Bodies above the inline size that are taken at the same time: each holds a piece in memory.
    uploads: Pool,
    /// How long a place among them is waited for.
    upload_wait: Duration,
    retention: Arc<Rules>,
    ended: reaper::Ended,
    live: subscribe::Live,
    limits: Limits,
    messages: Family<Label, Counter>,
}

impl Node {
    /// A door over a store. `own` is the node's DID: its first tenant. `terms`: the hash of the terms of service
    /// that registered tenants must have agreed to. `retention`: which records end.
    pub fn new(
        config: &Config,
        (own, terms, retention): (&str, Option<String>, &RetentionConfig),
        store: Store,
        blocks: Blocks,
        resolver: Resolver,
        metrics: &Metrics,
    ) -> Result<Self, Fault> {
        let mut hosted = BTreeSet::from([own.to_owned()]);
        if matches!(config.tenants, Tenants::AllowList | Tenants::Registration) {
            hosted.extend(config.allow.iter().cloned());
        }
        let gate = tenants::Gate::open(config.tenants, terms, hosted, &store)?;
        let messages = Family::default();
        let uploads = Pool::new("uploads", config.limits.uploads());
        metrics.register(|r| uploads.register("dwn_uploads", r));
        metrics
            .register(|r| r.register("dwn_messages", "DWN messages answered, by method and status", messages.clone()));
        let ended = reaper::Ended::default();
        metrics.register(|r| {
            let help = "Records whose time was over: deleted (this node's own), purged (others')";
            r.register("retention_records", help, ended.records.clone());
        });
        if config.quota == 0 {
            tracing::warn!(
                "dwn.quota = 0: no tenant is without a bound any more; it means the default, {} bytes for each tenant but \
                 the owner",
                quota::DEFAULT
            );
        }
        let answers = Answers::new(&config.limits);
        metrics.register(|r| answers.register(r));
        let live = subscribe::Live::new(&config.limits);
        metrics.register(|r| live.places().register("dwn_subscriptions", r));
        let events = answers::events(&config.limits);
        metrics.register(|r| events.register("dwn_events_bytes", r));
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        let threads = tokio::runtime::Handle::try_current().map_or(0, |runtime| runtime.metrics().num_workers());
        Ok(Self {
            shared: Arc::new(Shared {
                store,
                blocks,
                resolver,
                tenants: config.tenants,
                max_record: config.max_record,
                quotas: Quotas::new(config.quota(), config.owner_reserve),
                gate,
                own: own.into(),
                denied: Arc::new(config.denied()?),
                answers,
                events,
                workers: Workers::new(cores * WORKERS_PER_CORE),
                turns: Semaphore::new(threads / 2),
                uploads,
                upload_wait: Duration::from_secs(config.limits.piece_seconds),
                retention: Arc::new(Rules::new(retention, own)),
                ended,
                live,
                limits: config.limits.clone(),
                messages,
            }),
        })
    }

    pub fn store(&self) -> &Store {
        &self.shared.store
    }

    pub fn blocks(&self) -> &Blocks {
        &self.shared.blocks
    }

    /// Whom this node has nothing to do with.
    pub fn denied(&self) -> &Denied {
        &self.shared.denied
    }

    /// Largest data of one record, in bytes.
    pub fn max_record(&self) -> u64 {
        self.shared.max_record
    }

    /// What strangers can push against, and how far.
    pub fn limits(&self) -> &Limits {
        &self.shared.limits
    }

    /// Also keep the records of these DIDs (tenants shared with a peer).
    pub fn share(&self, tenants: BTreeSet<String>) {
        self.shared.gate.share(tenants);
    }

    /// Are records of this DID kept here?
    pub fn hosts(&self, tenant: &str) -> bool {
        self.shared.gate.check(tenant).is_ok()
    }

    /// Who is let in.
    pub fn tenants(&self) -> Tenants {
        self.shared.tenants
    }

    /// Lets a tenant in that has registered.
    pub async fn register(&self, tenant: &str, registered: Registered) -> Result<(), Fault> {
        self.shared.gate.register(&self.shared.store, tenant, registered).await
    }

    /// Judges `message` for `tenant` and does what it asks. `data`: the record's bytes, if any came along.
    pub async fn process(&self, tenant: &str, message: Value, data: Option<Body>) -> Result<Reply, Fault> {
        self.answer_to(Origin::Client(Asker::Owner), tenant, message, (data, None)).await
    }

    /// Like [`Node::process`] for a client who comes from somewhere.
    pub async fn process_for(
        &self,
        asker: Asker,
        tenant: &str,
        message: Value,
        data: Option<Body>,
    ) -> Result<Reply, Fault> {
        self.answer_to(Origin::Client(asker), tenant, message, (data, None)).await
    }

    /// Like [`Node::process_for`] for a read of a part of the data.
    pub async fn read_for(&self, asker: Asker, tenant: &str, message: Value, choose: Choose) -> Result<Reply, Fault> {
        self.answer_to(Origin::Client(asker), tenant, message, (None, Some(choose))).await
    }

    /// Like [`Node::process`] for what another device of the tenant has judged already ([`Message::replayed`]).
    pub async fn replay(&self, tenant: &str, message: Value, data: Option<Body>) -> Result<Reply, Fault> {
        self.answer_to(Origin::Device, tenant, message, (data, None)).await
    }

    async fn answer_to(
        &self,
        origin: Origin,
        tenant: &str,
        message: Value,
        data: (Option<Body>, Option<Choose>),
    ) -> Result<Reply, Fault> {
        let method = method_name(&message);
        let reply = match self.judge(origin, tenant, message, data).await {
            Ok(reply) => reply,
            Err(Stop::Refusal(refusal)) => refusal.into(),
            Err(Stop::Fault(fault)) => {
                self.count(method, 500);
                return Err(fault.context(format!("{method} for {tenant}")));
            }
        };
        self.count(method, reply.code);
        Ok(reply)
    }

    /// Like [`Node::process`] for data that is staged already (the node's own writes).
    pub async fn process_staged(&self, tenant: &str, message: Value, data: Data) -> Result<Reply, Fault> {
        let method = method_name(&message);
        let outcome = async {
            let message = self.admit(Asker::Owner, tenant, message, Ok).await?;
            let _reserved = self.reserve(tenant, &message, true, data.size)?;
            let given = Given::Staged { cid: data.root, size: data.size, inline: data.inline.clone() };
            self.commit(tenant, message, given, Some(data)).await
        };
        let reply = match outcome.await {
            Ok(reply) => reply,
            Err(Stop::Refusal(refusal)) => refusal.into(),
            Err(Stop::Fault(fault)) => return Err(fault),
        };
        self.count(method, reply.code);
        Ok(reply)
    }

    /// `body`: the data of a write. `choose`: what of a read's data is wanted.
    async fn judge(
        &self,
        origin: Origin,
        tenant: &str,
        message: Value,
        (body, choose): (Option<Body>, Option<Choose>),
    ) -> Result<Reply, Stop> {
        let asker = origin.asker();
        let (view, blocks) = (self.shared.store.view(tenant), self.shared.blocks.clone());
        let (max_record, has_body) = (self.shared.max_record, body.is_some());
        let rules = self.shared.retention.clone();
        // Taken before the answer is made; where there is none at once, it is seen first whose share it is to be.
        let mut room = is_read(&message).then(|| self.answers().take(asker)).flatten();
        let has_room = room.is_some();
        let judge = move |message: Arc<Message>| {
            let message = match origin {
                Origin::Client(_) => message,
                Origin::Device => Arc::new(Arc::unwrap_or_clone(message).replayed()),
            };
            if message.is_write() {
                check_write(&message, has_body, max_record, &rules, &*view)?;
                return Ok(Judged::Write(message));
            }
            if !has_room {
                return Ok(Judged::Waits(message));
            }
            answer(&message, view, &blocks)
        };
        let mut judged = self.admit(asker, tenant, message, judge).await?;
        if let Judged::Waits(message) = judged {
            // Verified: what a message says of its author is so.
            let asker = if self.is_own(message.author()) { Asker::Owner } else { asker };
            room = Some(self.answers().wait(asker, answers::PIECE).await?);
            let (view, blocks) = (self.shared.store.view(tenant), self.shared.blocks.clone());
            judged = self.work(asker, move || answer(&message, view, &blocks)).await??;
        }
        match judged {
            Judged::Write(message) => self.write(origin, tenant, message, body).await,
            Judged::Waits(_) => Err(anyhow!("an answer had no room twice").into()),
            Judged::Read(answer, view, data) => {
                let room = room.context("an answer has no room")?;
                let asker = room.asker();
                let mut reply = self.replied(*answer, view, room).await?;
                let part = choose.and_then(|choose| choose(&reply.body));
                reply.data = match data.map(|data| data.part(part)) {
                    None => None,
                    Some(Held::Inline(bytes)) => Some(self.outgoing(asker, bytes).await?),
                    Some(Held::Blocks(reader)) => Some(self.outgoing_blocks(asker, reader).await?),
                };
                Ok(reply)
            }
        }
    }

    fn is_own(&self, did: Option<&str>) -> bool {
        did == Some(&*self.shared.own)
    }

    /// Tenant, shape, integrity and signatures: everything that needs no past; and then `judge`. All of it in one
    /// turn of a worker when the signers' keys stand in their DIDs: handing a small message from thread to thread
    /// costs as much as judging it.
    async fn admit<T: Send + 'static>(
        &self,
        asker: Asker,
        tenant: &str,
        message: Value,
        judge: impl FnOnce(Arc<Message>) -> Result<T, Stop> + Send + 'static,
    ) -> Result<T, Stop> {
        let whole = self.shared.store.whole();
        let denied = self.shared.denied.clone();
        denied.check(tenant)?;
        // Registrations may not have been read yet.
        self.shared.gate.check(tenant).or_else(|refusal| whole.clone().and(Err(refusal)))?;
        let (tenant, unfinished) = (tenant.to_owned(), whole.clone());
        let short = is_short(&message);
        let first = move || {
            let message = Message::parse(&tenant, message)?;
            denied.check_message(&message)?;
            unfinished.or_else(|refusal| if is_own_read(&message) { Ok(()) } else { Err(refusal) })?;
            let keys: Option<HashMap<_, _>> =
                message.signers().into_iter().map(|kid| did::key_of(&kid).ok().map(|key| (kid, key))).collect();
            match keys {
                Some(keys) => judge_verified(message, &keys, judge).map(Admitted::Judged),
                None => Ok(Admitted::Unverified(Box::new(message), judge)),
            }
        };
        let first = if short { self.turn(asker, first).await } else { self.work(asker, first).await };
        let (message, judge) = match first?? {
            Admitted::Judged(judged) => return Ok(judged),
            Admitted::Unverified(message, judge) => (message, judge),
        };
        // Which of the documents that were seen is the newest is not known yet either.
        whole?;
        let keys = self.keys(&message, asker).await?;
        self.work(asker, move || judge_verified(*message, &keys, judge)).await?
    }

    async fn keys(&self, message: &Message, asker: Asker) -> Result<HashMap<String, PublicKey>, Refusal> {
        let mut keys = HashMap::new();
        for kid in message.signers() {
            let key = self.shared.resolver.key(&kid, asker).await;
            let key = key.map_err(|e| Refusal::denied("GeneralJwsVerifierGetPublicKeyNotFound", e))?;
            keys.insert(kid, key);
        }
        Ok(keys)
    }

    /// Is it signed by the owner, or by somebody whose records are shared with a paired device?
    fn is_near(&self, message: &Message) -> bool {
        message.signer().is_some_and(|did| did == &*self.shared.own || self.shared.gate.is_shared(did))
    }

    /// A write that [`check_write`] let through.
    async fn write(
        &self,
        origin: Origin,
        tenant: &str,
        message: Arc<Message>,
        body: Option<Body>,
    ) -> Result<Reply, Stop> {
        let body = body.filter(|_| message.data().is_some());
        let bytes = message.data().filter(|_| body.is_some()).map_or(0, |(_, size)| size);
        let mut reserved = self.reserve(tenant, &message, origin == Origin::Device, bytes)?;
        let asker = if self.is_near(&message) { Asker::Owner } else { origin.asker() };
        let (given, data) = match (body, message.data()) {
            (Some(body), Some((_, size))) => {
                let data = self.stage(asker, body, size, &mut reserved).await?;
                (Given::Staged { cid: data.root, size: data.size, inline: data.inline.clone() }, Some(data))
            }
            _ => (Given::None, None),
        };
        self.commit(tenant, message, given, data).await
    }

    /// Room on the disk and in the tenant's quota for what a write brings. Until it is committed it counts as held already;
    /// what a write replaces counts until it is replaced.
    fn reserve(&self, tenant: &str, message: &Message, by_owner: bool, bytes: u64) -> Result<Reserved, Stop> {
        let by_owner = by_owner || self.is_own(message.author());
        self.shared.quotas.reserve(self.store(), tenant, (self.is_own(Some(tenant)), by_owner), bytes)
    }

    /// Decides again under the one writer, so that nothing comes between check and act.
    async fn commit(
        &self,
        tenant: &str,
        message: Arc<Message>,
        given: Given,
        data: Option<Data>,
    ) -> Result<Reply, Stop> {
        // Once more: between the first look and now the data has come, and the tenant may be leaving.
        self.shared.gate.check(tenant)?;
        let rules = self.shared.retention.clone();
        let decide = move |view: &dyn View| {
            rules.check(message.tenant(), message.json(), jiff::Timestamp::now())?;
            dwn::decide(&message, &given, view, &now())
        };
        let change = self.shared.store.commit(tenant, data, decide).await?;
        Ok(match change.status {
            204 => Reply::new(204, "No Content"),
            _ => Reply::new(202, "Accepted"),
        })
    }

    /// Body → blocks, piece by piece. No worker waits for a slow client, and no slow client is waited for without
    /// end. Stops soon after more came than was declared.
    async fn stage(&self, asker: Asker, mut body: Body, declared: u64, reserved: &mut Reserved) -> Result<Data, Stop> {
        let (mut got, mut slot, mut rest) = (0, None, Bytes::new());
        let mut stage = self.shared.blocks.stage();
        loop {
            // What rides inline is taken without a slot: small writes do not wait for large ones.
            let most = if slot.is_none() { dwn::INLINE_MAX as usize + 1 } else { PIECE };
            let gather = gather(&mut body, &mut rest, most);
            let (piece, ended) = tokio::time::timeout(PIECE_DEADLINE, gather)
                .await
                .map_err(|_| Refusal::new(400, format!("the data stalled after {got} bytes")))?
                .map_err(|e| Refusal::new(400, format!("the data broke off after {got} bytes: {e:#}")))?;
            got += piece.len() as u64;
            if got > declared + OVERRUN_MAX {
                let text = format!("more than {got} bytes came, dataSize in descriptor: {declared}");
                return Err(Refusal::bad("RecordsWriteDataSizeMismatch", text).into());
            }
            if ended {
                let finish = move || stage.push(&piece).and_then(|()| stage.finish());
                let data = if slot.is_none() { self.turn(asker, finish).await } else { self.work(asker, finish).await };
                return data?.map_err(store::stop);
            }
            reserved.written(piece.len() as u64);
            stage = self.work(asker, move || stage.push(&piece).map(|()| stage)).await?.map_err(store::stop)?;
            if slot.is_none() {
                slot = Some(self.upload(asker).await?);
            }
        }
    }

    /// A place for data that does not ride inline.
    async fn upload(&self, asker: Asker) -> Result<Place, Stop> {
        let uploads = &self.shared.uploads;
        let waited = tokio::time::timeout(self.shared.upload_wait, uploads.wait(asker, 1)).await;
        // Nobody waits longer than others may stall.
        let full = match waited.unwrap_or_else(|_| uploads.take(asker, 1)) {
            Ok(place) => return Ok(place),
            Err(full) => full,
        };
        let code = if matches!(full, Full::Share(_)) { 429 } else { 503 };
        Err(Refusal::new(code, format!("Busy: {full}")).into())
    }

    /// Short work, on this very thread: to hand it to another and come back costs as much as to do it. At most half
    /// of the runtime's threads are taken so, that the network never waits for the disk; beyond, it is work like all
    /// other.
    async fn turn<T: Send + 'static>(&self, asker: Asker, f: impl FnOnce() -> T + Send + 'static) -> Result<T, Fault> {
        let Ok(_turn) = self.shared.turns.try_acquire() else { return self.work(asker, f).await };
        catch_unwind(AssertUnwindSafe(f)).map_err(|_| anyhow!("a worker failed: it panicked"))
    }

    /// CPU-bound work on the blocking pool, a bounded number at a time.
    async fn work<T: Send + 'static>(&self, asker: Asker, f: impl FnOnce() -> T + Send + 'static) -> Result<T, Fault> {
        let _leave = self.shared.workers.leave(asker).await?;
        tokio::task::spawn_blocking(f).await.map_err(|e| anyhow!("a worker failed: {e}"))
    }

    fn count(&self, method: &'static str, code: u16) {
        self.shared.messages.get_or_create(&Label { method, code }).inc();
    }
}

/// Answers a read and takes hold of its data. A delete may come between the two: then it is the delete that is
/// answered.
fn answer(message: &Message, view: Box<dyn View + Send>, blocks: &Blocks) -> Result<Judged, Stop> {
    let take = |answer: &dwn::Reply| match &answer.data {
        None => Ok(None),
        Some((stored, root, size)) if *size <= dwn::INLINE_MAX => {
            let data = view.inline_data(stored)?.with_context(|| format!("the data {root} is not here"))?;
            Ok(Some(Held::Inline(data)))
        }
        Some((_, root, _)) => {
            let reader = blocks.open_file(Right::reader(root), root).map_err(unread)?;
            Ok::<_, Stop>(Some(Held::Blocks(Box::new(reader))))
        }
    };
    let mut answer = dwn::answer(message, &*view, &now())?;
    let held = match take(&answer) {
        Ok(held) => held,
        Err(_) => {
            answer = dwn::answer(message, &*view, &now())?;
            take(&answer)?
        }
    };
    answer.write(answers::PIECE, &*view)?;
    Ok(Judged::Read(Box::new(answer), view, held))
}

/// May an earlier moment answer this, while the index is built again? What the tenant itself asks about what is its own. For
/// others a permission may have been revoked, or a record deleted, that the index does not know of yet.
fn is_own_read(message: &Message) -> bool {
    let signers = message.signers();
    let own = |kid: &String| kid.split('#').next() == Some(message.tenant());
    !message.is_write() && !signers.is_empty() && signers.iter().all(own)
}

/// Now, as DWN writes it: UTC, six fraction digits, `Z`.
pub fn now() -> String {
    let now = jiff::Timestamp::now();
    format!("{now:.6}")
}

/// Is it answered rather than decided?
fn is_read(message: &Value) -> bool {
    let method = message.pointer("/descriptor/method").and_then(Value::as_str);
    matches!(method, Some("Read" | "Query"))
}

/// Is a message judged in a moment, from a few rows? What may look through many, or builds much, is not.
fn is_short(message: &Value) -> bool {
    let asked = |name: &str| message.pointer(&format!("/descriptor/{name}"));
    match method_name(message) {
        "RecordsRead" | "RecordsWrite" | "MessagesRead" => true,
        "RecordsQuery" => asked("pagination/limit").and_then(Value::as_f64).is_some_and(|limit| limit <= SHORT_PAGE),
        "MessagesQuery" => asked("cursor").is_some(),
        _ => false,
    }
}

/// Interface and method of a message that may be anything, as a label from a closed set.
fn method_name(message: &Value) -> &'static str {
    const KNOWN: [&str; 10] = [
        "RecordsWrite",
        "RecordsRead",
        "RecordsQuery",
        "RecordsDelete",
        "RecordsSubscribe",
        "ProtocolsConfigure",
        "ProtocolsQuery",
        "MessagesQuery",
        "MessagesRead",
        "MessagesSubscribe",
    ];
    let part = |name: &str| message.pointer(&format!("/descriptor/{name}")).and_then(Value::as_str).unwrap_or("");
    let name = format!("{}{}", part("interface"), part("method"));
    KNOWN.into_iter().find(|known| *known == name).unwrap_or("unknown")
}
