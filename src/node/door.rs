//! The door itself: what every message goes through, in order.

use super::{
    admission::{Admission, Admitted},
    answers::{self, Answers, PIECE, Reply},
    clock::now,
    config::Config,
    conflict::{self, Brought},
    data::{Body, Held, unread},
    deny::Denied,
    elsewhere::{self, Elsewhere, Fetch, Fetcher},
    events::Live,
    gate::{Gate, Registered, Tenants},
    history,
    judge::{self, Answer, Judged, Judging, Origin},
    limits::Limits,
    method,
    quota::{self, Quotas, Reserved},
    retention::{self, Rules},
    tally::Tally,
    uploads::Uploads,
    workers::Workers,
};
use crate::{
    asker::Asker,
    blocks::{Blocks, Reader, Right, Unread},
    cid::{self, Cid},
    dwn::{self, Fault, Given, Members, Message, Refusal, Stop, Subject, View},
    metrics::Metrics,
    pool::{Permit, Pool},
    resolve::Resolver,
    store::{Data, Store},
};
use anyhow::Context as _;
use bytes::Bytes;
use prometheus_client::metrics::{counter::Counter, family::Family};
use serde_json::Value;
use std::{collections::BTreeSet, ops::Range, sync::Arc};

/// Of a read's data, the bytes that are wanted, by what stands in the reply; nothing: all.
pub type Choose = Box<dyn FnOnce(&Members) -> Option<Range<u64>> + Send>;

#[derive(Debug, Clone, Hash, PartialEq, Eq, prometheus_client::encoding::EncodeLabelSet)]
struct Label {
    method: &'static str,
    code: u16,
}

/// The door. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Node {
    pub(super) shared: Arc<Shared>,
}

#[derive(Debug)]
pub(super) struct Shared {
    pub store: Store,
    blocks: Blocks,
    resolver: Resolver,
    tenants: Tenants,
    pub gate: Gate,
    /// The node's DID.
    own: Box<str>,
    denied: Arc<Denied>,
    fetcher: Fetcher,
    answers: Answers,
    /// Bytes of messages that wait for subscribers.
    pub events: Pool,
    max_record: u64,
    quotas: Quotas,
    pub workers: Workers,
    pub uploads: Uploads,
    pub retention: Arc<Rules>,
    pub tally: Tally,
    pub live: Live,
    limits: Limits,
    messages: Family<Label, Counter>,
}

impl Node {
    /// A door over a store. `own` is the node's DID: its first tenant. `terms`: the hash of the terms of service
    /// that registered tenants must have agreed to. `retention`: which records end.
    pub fn new(
        config: &Config,
        (own, terms, retention): (&str, Option<String>, &retention::Config),
        store: Store,
        blocks: Blocks,
        resolver: Resolver,
        metrics: &Metrics,
    ) -> Result<Self, Fault> {
        let mut hosted = BTreeSet::from([own.to_owned()]);
        if matches!(config.tenants, Tenants::AllowList | Tenants::Registration) {
            hosted.extend(config.allow.iter().cloned());
        }
        let gate = Gate::open(config.tenants, terms, hosted, &store)?;
        let messages = Family::default();
        metrics
            .register(|r| r.register("dwn_messages", "DWN messages answered, by method and status", messages.clone()));
        let tally = Tally::default();
        metrics.register(|r| tally.register(r));
        if config.quota == 0 {
            tracing::warn!(
                "dwn.quota = 0: no tenant is without a bound any more; it means the default, {} bytes for each tenant but \
                 the owner",
                quota::DEFAULT
            );
        }
        let workers = Workers::of_this_machine();
        let uploads = Uploads::new(&config.limits, blocks.clone(), workers.clone());
        metrics.register(|r| uploads.places.register("dwn_uploads", r));
        let answers = Answers::new(&config.limits, workers.clone());
        metrics.register(|r| answers.register(r));
        let live = Live::new(&config.limits);
        metrics.register(|r| live.places().register("dwn_subscriptions", r));
        let events = answers::events(&config.limits);
        metrics.register(|r| events.register("dwn_events_bytes", r));
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
                fetcher: Fetcher::default(),
                answers,
                events,
                workers,
                uploads,
                retention: Arc::new(Rules::new(retention, own)),
                tally,
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

    /// May data of so many bytes come from another device? Asked before a byte of it comes: until it is taken, it lies on the
    /// disk twice.
    pub fn check_file(&self, size: u64) -> Result<(), Stop> {
        judge::check_size(size, self.max_record())?;
        self.store().room_for(size.saturating_mul(2))
    }

    /// Data that is on other devices is brought here by this from now on.
    pub fn fetch_by(&self, fetch: Fetch) {
        self.shared.fetcher.set(fetch);
    }

    /// Data that is on other devices only, as far as this node knows: of one tenant, or of all.
    pub async fn elsewhere(&self, tenant: Option<String>) -> Result<Vec<Elsewhere>, Fault> {
        let store = self.store().clone();
        tokio::task::spawn_blocking(move || elsewhere::elsewhere(&store, tenant.as_deref())).await?
    }

    /// Forgets that data was elsewhere which is here, or whose record is gone. Before anything is written.
    pub async fn forget_what_came(&self) -> Result<(), Fault> {
        let store = self.store().clone();
        if store.whole().is_err() {
            return Ok(()); // while the index is built again it does not know all records
        }
        let overtaken = tokio::task::spawn_blocking(move || elsewhere::overtaken(&store)).await??;
        if overtaken.is_empty() {
            return Ok(());
        }
        self.store().put_state(overtaken.into_iter().map(|key| (key, None)).collect()).await
    }

    /// Brings the data under a root here, for its owner, if a record has it and it is on another device. `false`: it is not so.
    pub async fn bring(&self, root: Cid) -> Result<bool, Stop> {
        let store = self.store().clone();
        let found =
            tokio::task::spawn_blocking(move || elsewhere::of_root(&store, &root)).await.map_err(Fault::new)??;
        let Some(Elsewhere { tenant, message, .. }) = found else { return Ok(false) };
        self.shared.fetcher.fetch(tenant, message).await?;
        Ok(true)
    }

    /// What strangers can push against, and how far.
    pub fn limits(&self) -> &Limits {
        &self.shared.limits
    }

    /// Also keep the records of these DIDs (tenants shared with a peer).
    pub fn share(&self, tenants: BTreeSet<String>) {
        self.shared.gate.share(tenants);
    }

    /// Also keep copies of what these DIDs let this node's owner read (tenants of friends). Of these only this
    /// node's own DID reads here, and writes.
    pub fn share_copies(&self, tenants: BTreeSet<String>) {
        self.shared.gate.share_copies(tenants);
    }

    /// Are records of this DID kept here?
    pub fn hosts(&self, tenant: &str) -> bool {
        self.shared.gate.check(tenant).is_ok()
    }

    /// Who is let in.
    pub fn tenants(&self) -> Tenants {
        self.shared.tenants
    }

    /// The budget of memory for all answers.
    pub fn answers(&self) -> &Answers {
        &self.shared.answers
    }

    /// A file on its way to somebody.
    pub fn send_to(&self, asker: Asker, reader: Reader) -> Body {
        self.answers().send(asker, reader)
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
    /// What it takes away of what was written here, and its writer did not know, is kept as a conflict ([`Node::conflicts`]).
    pub async fn replay(
        &self,
        brought: Brought,
        tenant: &str,
        message: Value,
        data: Option<Body>,
    ) -> Result<Reply, Fault> {
        self.answer_to(Origin::Device(Arc::new(brought)), tenant, message, (data, None)).await
    }

    /// Like [`Node::replay`] for what the tenant's own node tells this one, which keeps a copy of what it may read
    /// ([`Message::vouched`]).
    pub async fn copy(
        &self,
        brought: Brought,
        tenant: &str,
        message: Value,
        data: Option<Body>,
    ) -> Result<Reply, Fault> {
        self.answer_to(Origin::Tenant(Arc::new(brought)), tenant, message, (data, None)).await
    }

    /// Like [`Node::process`] for what a friend wrote and the friend's node brings: judged as if it came from anywhere, and what it takes
    /// away unseen is kept as with [`Node::replay`].
    pub async fn receive(
        &self,
        brought: Brought,
        tenant: &str,
        message: Value,
        data: Option<Body>,
    ) -> Result<Reply, Fault> {
        self.answer_to(Origin::Friend(Arc::new(brought)), tenant, message, (data, None)).await
    }

    async fn answer_to(
        &self,
        origin: Origin,
        tenant: &str,
        message: Value,
        data: (Option<Body>, Option<Choose>),
    ) -> Result<Reply, Fault> {
        let method = method::name(&message);
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
        let method = method::name(&message);
        let outcome = async {
            let message = self.admit(Asker::Owner, tenant, message).await?;
            let _reserved = self.reserve(tenant, &message, true, data.size)?;
            let given = Given::Staged { cid: data.root, size: data.size, inline: data.inline.clone() };
            self.commit(tenant, message, (given, Some(data)), None).await
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
        // Room is taken before the answer is made. If there is none at once, the author is verified first: his share may have some.
        let room = method::is_read(&message).then(|| self.answers().take(asker)).flatten();
        let judging = Judging {
            origin: origin.clone(),
            store: self.shared.store.clone(),
            blocks: self.shared.blocks.clone(),
            rules: self.shared.retention.clone(),
            max_record: self.shared.max_record,
            given: match origin.brought() {
                Some(brought) if brought.is_elsewhere => Given::Elsewhere,
                _ if body.is_some() => Given::Promised,
                _ => Given::None,
            },
            has_room: room.is_some(),
        };
        match self.judged(asker, tenant, message, judging).await? {
            Judged::Write(message) => self.write(origin, tenant, message, body).await,
            Judged::Read(answer) => self.reply(*answer, room.context("an answer has no room")?, choose).await,
            Judged::Waits(message) => {
                // Verified: what a message says of its author is so.
                let asker = if self.is_own(message.author()) { Asker::Owner } else { asker };
                let room = self.answers().wait(asker, PIECE).await?;
                let (store, blocks) = (self.shared.store.clone(), self.shared.blocks.clone());
                let answer = self.shared.workers.run(asker, move || judge::answer(&message, &store, &blocks)).await??;
                self.reply(answer, room, choose).await
            }
        }
    }

    /// Admits a message and judges it. Both happen in one turn of a worker if the signers' keys stand in their DIDs: handing a
    /// small message from thread to thread costs as much as judging it.
    async fn judged(&self, asker: Asker, tenant: &str, message: Value, judging: Judging) -> Result<Judged, Stop> {
        let Shared { workers, resolver, .. } = &*self.shared;
        let is_told = matches!(judging.origin, Origin::Device(_) | Origin::Tenant(_));
        let (admission, is_short) = (self.admission(tenant, is_told)?, method::is_short(&message));
        let first = move || {
            Ok::<_, Stop>(match admission.open(message)? {
                Admitted::Verified(message) => Ok(judging.judge(message)?),
                Admitted::Unverified(message) => Err((message, judging)),
            })
        };
        match workers.turn((asker, is_short), first).await?? {
            Ok(judged) => Ok(judged),
            Err((message, judging)) => {
                let keys = message.keys(resolver, asker).await?;
                workers.run(asker, move || judging.judge(message.verify(&keys)?)).await?
            }
        }
    }

    /// Admits a message, for who judges it in his own way.
    pub(super) async fn admit(&self, asker: Asker, tenant: &str, message: Value) -> Result<Arc<Message>, Stop> {
        let Shared { workers, resolver, .. } = &*self.shared;
        let (admission, is_short) = (self.admission(tenant, false)?, method::is_short(&message));
        match workers.turn((asker, is_short), move || admission.open(message)).await?? {
            Admitted::Verified(message) => Ok(message),
            Admitted::Unverified(message) => {
                let keys = message.keys(resolver, asker).await?;
                Ok(workers.run(asker, move || message.verify(&keys)).await??)
            }
        }
    }

    /// `is_told`: by a peer that shares the tenant.
    fn admission(&self, tenant: &str, is_told: bool) -> Result<Admission, Refusal> {
        let admission = Admission::new(tenant, &self.shared.store, &self.shared.gate, &self.shared.denied)?;
        match !is_told && self.shared.gate.is_copy(tenant) {
            true => Ok(admission.of_copy(&self.shared.own)),
            false => Ok(admission),
        }
    }

    async fn reply(&self, answer: Answer, room: Permit, choose: Option<Choose>) -> Result<Reply, Stop> {
        let (asker, answers) = (room.asker(), self.answers());
        let (tenant, store) = (answer.tenant.clone(), self.shared.store.clone());
        let mut reply = answers.replied(answer.reply, (store, answer.tenant), room).await?;
        let part = choose.and_then(|choose| choose(&reply.body));
        let data = match answer.data {
            // Nothing of it is wanted.
            Some(Held::Elsewhere(_)) if part.as_ref().is_some_and(Range::is_empty) => Some(Held::Inline(Bytes::new())),
            Some(Held::Elsewhere(elsewhere)) => {
                let is_near = asker == Asker::Owner || answer.author.is_some_and(|author| self.is_near(&author));
                if !is_near {
                    // Strangers make this node fetch nothing.
                    return Err(elsewhere::refusal("it can be read there, or here after its owner has read it").into());
                }
                Some(Held::Blocks(Box::new(self.brought(tenant, *elsewhere).await?)))
            }
            data => data,
        };
        reply.data = match data.map(|data| data.part(part)) {
            None | Some(Held::Elsewhere(_)) => None,
            Some(Held::Inline(bytes)) => Some(answers.outgoing(asker, bytes).await?),
            Some(Held::Blocks(reader)) => Some(answers.outgoing_blocks(asker, reader).await?),
        };
        Ok(reply)
    }

    /// Brings the data of a message here, and takes hold of it.
    async fn brought(&self, tenant: String, (message, root): (Cid, Cid)) -> Result<Reader, Stop> {
        let message = cid::sha256_of(&message).context("an answer has data of what is no message")?;
        self.shared.fetcher.fetch(tenant, message).await?;
        let blocks = self.blocks().clone();
        let opened = tokio::task::spawn_blocking(move || blocks.open_file(Right::reader(&root), &root)).await;
        match opened.map_err(Fault::new)? {
            Err(Unread::NotHere(_)) => {
                Err(elsewhere::refusal("the record was changed meanwhile; read it again").into())
            }
            opened => opened.map_err(unread),
        }
    }

    /// Keeps the records of another identity of this node from now on.
    pub fn host_own(&self, did: &str) {
        if did != &*self.shared.own {
            self.shared.gate.own(did);
        }
    }

    pub(super) fn is_own(&self, did: Option<&str>) -> bool {
        did.is_some_and(|did| did == &*self.shared.own || self.shared.gate.is_own(did))
    }

    /// Is it signed by the owner, or by somebody whose records are shared with a paired device?
    fn is_near(&self, signer: &str) -> bool {
        self.is_own(Some(signer)) || self.shared.gate.is_shared(signer)
    }

    /// A write that `judge` let through.
    async fn write(
        &self,
        origin: Origin,
        tenant: &str,
        message: Arc<Message>,
        body: Option<Body>,
    ) -> Result<Reply, Stop> {
        let body = body.filter(|_| message.data().is_some());
        let bytes = message.data().filter(|_| body.is_some()).map_or(0, |(_, size)| size);
        let brought = origin.brought().cloned();
        let by_owner = matches!(origin, Origin::Device(_));
        let mut reserved = self.reserve(tenant, &message, by_owner, bytes)?;
        let asker = if message.signer().is_some_and(|did| self.is_near(did)) { Asker::Owner } else { origin.asker() };
        let is_elsewhere = brought.as_ref().is_some_and(|brought| brought.is_elsewhere);
        let (given, data) = match (body, message.data()) {
            (None, Some((root, size))) if is_elsewhere => (Given::Elsewhere, Some(Data::elsewhere(root, size))),
            (Some(body), Some((_, size))) => {
                let data = self.shared.uploads.stage(asker, body, size, &mut reserved).await?;
                (Given::Staged { cid: data.root, size: data.size, inline: data.inline.clone() }, Some(data))
            }
            _ => (Given::None, None),
        };
        self.commit(tenant, message, (given, data), brought).await
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
        (given, data): (Given, Option<Data>),
        brought: Option<Arc<Brought>>,
    ) -> Result<Reply, Stop> {
        // Checked again: the data has come since the first check, and the tenant may be leaving now.
        self.shared.gate.check(tenant)?;
        let rules = self.shared.retention.clone();
        let decide = move |view: &dyn View| {
            // Checked again: a record whose time ended meanwhile would lie behind the place the reaper has reached.
            rules.check(message.tenant(), message.json(), jiff::Timestamp::now())?;
            let now = now();
            let mut change = dwn::decide(&message, &given, view, &now)?;
            history::note(&mut change, view, &now)?;
            if let Some(brought) = &brought {
                conflict::note(&mut change, brought, view, jiff::Timestamp::now())?;
                if given == Given::Elsewhere {
                    elsewhere::note(&mut change);
                }
            }
            Ok(change)
        };
        let change = self.shared.store.commit(tenant, data, decide).await?;
        if let (Subject::Record(record), true) = (&change.subject, dwn::is_method(&change.message, "Delete")) {
            // The delete is durable, and is answered so; what this leaves the next sweep finds.
            if let Err(fault) = history::forget(&self.shared.store, tenant, record).await {
                tracing::warn!("earlier states of a deleted record are still kept: {fault:#}");
            }
        }
        Ok(match change.status {
            204 => Reply::new(204, "No Content"),
            _ => Reply::new(202, "Accepted"),
        })
    }

    pub(super) fn count(&self, method: &'static str, code: u16) {
        self.shared.messages.get_or_create(&Label { method, code }).inc();
    }
}
