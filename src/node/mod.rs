//! The one door: every message, from a client, a peer or this node itself, goes through [`Node::process`].
//!
//! It orders the steps and decides nothing: `dwn` judges, `blocks` holds data, `store` remembers. A refusal
//! is a reply; a fault is an error of ours. Who wants to know what happens from now on: `subscribe`.

mod subscribe;

pub use subscribe::{Ended, Event, Events, Resume};

use crate::{
    blocks::Blocks,
    cid::Cid,
    crypto::PublicKey,
    did,
    dwn::{self, Fault, Given, Message, Refusal, Stop, View},
    metrics::Metrics,
    resolve::Resolver,
    store::{Data, Store},
};
use anyhow::{Context as _, anyhow};
use bytes::Bytes;
use futures::{Stream, StreamExt as _};
use prometheus_client::metrics::{counter::Counter, family::Family};
use serde_json::{Map, Value};
use std::{
    collections::{BTreeSet, HashMap},
    pin::Pin,
    sync::{Arc, PoisonError, RwLock},
};
use tokio::sync::{Semaphore, mpsc};

/// Messages that are hashed, verified or staged at the same time: CPU work, so a few per core.
const WORKERS_PER_CORE: usize = 4;
/// Chunks of a body waiting for the hasher, or of data waiting for the client: enough to overlap, few to hold.
const CHUNKS_AHEAD: usize = 4;
/// A body may run over its declared size by this much and still be hashed, so that the answer can name its CID.
const OVERRUN_MAX: u64 = 1 << 20;

/// Bytes on their way in or out.
pub type Body = Pin<Box<dyn Stream<Item = Result<Bytes, Fault>> + Send>>;

#[derive(Debug, Clone, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Address the DWN protocol is served on.
    pub listen: String,
    /// Whose records are kept here.
    pub tenants: Tenants,
    /// Largest data of one record, in bytes.
    pub max_record: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self { listen: "127.0.0.1:3000".into(), tenants: Tenants::Own, max_record: 1 << 30 }
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub enum Tenants {
    /// This node's own DID and those its peers share with it.
    #[default]
    #[serde(rename = "self")]
    Own,
    /// Any DID.
    #[serde(rename = "open")]
    Open,
}

/// What the door answers.
pub struct Reply {
    pub code: u16,
    pub detail: String,
    /// `entry`, `entries`, `cursor`: what stands beside `status`.
    pub body: Map<String, Value>,
    /// The record's data, if the answer carries some.
    pub data: Option<Body>,
}

impl std::fmt::Debug for Reply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Reply({} {}, data: {})", self.code, self.detail, self.data.is_some())
    }
}

impl Reply {
    fn new(code: u16, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), body: Map::new(), data: None }
    }

    /// `{"status": {"code", "detail"}, …}` as the reference writes it.
    pub fn into_json(self) -> Value {
        let mut json = self.body;
        json.insert("status".into(), serde_json::json!({"code": self.code, "detail": self.detail}));
        Value::Object(json)
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

/// What came of judging a message.
enum Judged {
    Write(Arc<Message>),
    Read(Box<dwn::Reply>, Option<Vec<u8>>),
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
fn check_write(message: &Message, has_body: bool, most: u64, view: &dyn View) -> Result<(), Stop> {
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
    max_record: u64,
    hosted: RwLock<BTreeSet<String>>,
    workers: Semaphore,
    live: subscribe::Live,
    messages: Family<Label, Counter>,
}

impl Node {
    /// A door over a store. `own` is the node's DID: its first tenant.
    pub fn new(
        config: &Config,
        own: &str,
        store: Store,
        blocks: Blocks,
        resolver: Resolver,
        metrics: &Metrics,
    ) -> Self {
        let messages = Family::default();
        metrics
            .register(|r| r.register("dwn_messages", "DWN messages answered, by method and status", messages.clone()));
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        Self {
            shared: Arc::new(Shared {
                store,
                blocks,
                resolver,
                tenants: config.tenants,
                max_record: config.max_record,
                hosted: RwLock::new(BTreeSet::from([own.to_owned()])),
                workers: Semaphore::new(cores * WORKERS_PER_CORE),
                live: subscribe::Live::default(),
                messages,
            }),
        }
    }

    pub fn store(&self) -> &Store {
        &self.shared.store
    }

    pub fn blocks(&self) -> &Blocks {
        &self.shared.blocks
    }

    /// Largest data of one record, in bytes.
    pub fn max_record(&self) -> u64 {
        self.shared.max_record
    }

    /// Also keep the records of these DIDs (tenants shared with a peer).
    pub fn host(&self, tenants: impl IntoIterator<Item = String>) {
        self.shared.hosted.write().unwrap_or_else(PoisonError::into_inner).extend(tenants);
    }

    /// Are records of this DID kept here?
    pub fn hosts(&self, tenant: &str) -> bool {
        self.shared.tenants == Tenants::Open
            || self.shared.hosted.read().unwrap_or_else(PoisonError::into_inner).contains(tenant)
    }

    /// Judges `message` for `tenant` and does what it asks. `data`: the record's bytes, if any came along.
    pub async fn process(&self, tenant: &str, message: Value, data: Option<Body>) -> Result<Reply, Fault> {
        let method = method_name(&message);
        let reply = match self.judge(tenant, message, data).await {
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
            let message = self.admit(tenant, message, Ok).await?;
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

    async fn judge(&self, tenant: &str, message: Value, body: Option<Body>) -> Result<Reply, Stop> {
        let (view, blocks) = (self.shared.store.view(tenant), self.shared.blocks.clone());
        let (max_record, has_body) = (self.shared.max_record, body.is_some());
        let judge = move |message: Arc<Message>| {
            if message.is_write() {
                check_write(&message, has_body, max_record, &*view)?;
                return Ok(Judged::Write(message));
            }
            let answer = dwn::answer(&message, &*view, &now())?;
            let inline = match &answer.data {
                Some((stored, _, size)) if *size <= dwn::INLINE_MAX => view.inline_data(stored)?,
                _ => None,
            };
            Ok(Judged::Read(Box::new(answer), inline))
        };
        match self.admit(tenant, message, judge).await? {
            Judged::Write(message) => self.write(tenant, message, body).await,
            Judged::Read(answer, inline) => {
                let data = match (answer.data, inline) {
                    (Some(_), Some(bytes)) => Some(one_chunk(bytes.into())),
                    (Some((_, root, _)), None) => Some(read_out(blocks, root)),
                    (None, _) => None,
                };
                Ok(Reply { code: answer.code, detail: answer.detail, body: answer.body, data })
            }
        }
    }

    /// Tenant, shape, integrity and signatures: everything that needs no past; and then `judge`. All of it in one
    /// turn of a worker when the signers' keys stand in their DIDs: handing a small message from thread to thread
    /// costs as much as judging it.
    async fn admit<T: Send + 'static>(
        &self,
        tenant: &str,
        message: Value,
        judge: impl FnOnce(Arc<Message>) -> Result<T, Stop> + Send + 'static,
    ) -> Result<T, Stop> {
        if !self.hosts(tenant) {
            return Err(Refusal::new(401, format!("DID {tenant} is not an active tenant.")).into());
        }
        let tenant = tenant.to_owned();
        let first = self.work(move || {
            let message = Message::parse(&tenant, message)?;
            let keys: Option<HashMap<_, _>> =
                message.signers().into_iter().map(|kid| did::key_of(&kid).ok().map(|key| (kid, key))).collect();
            match keys {
                Some(keys) => judge_verified(message, &keys, judge).map(Admitted::Judged),
                None => Ok(Admitted::Unverified(Box::new(message), judge)),
            }
        });
        let (message, judge) = match first.await?? {
            Admitted::Judged(judged) => return Ok(judged),
            Admitted::Unverified(message, judge) => (message, judge),
        };
        let keys = self.keys(&message).await?;
        self.work(move || judge_verified(*message, &keys, judge)).await?
    }

    async fn keys(&self, message: &Message) -> Result<HashMap<String, PublicKey>, Refusal> {
        let mut keys = HashMap::new();
        for kid in message.signers() {
            let key = self.shared.resolver.key(&kid).await;
            let key = key.map_err(|e| Refusal::denied("GeneralJwsVerifierGetPublicKeyNotFound", e))?;
            keys.insert(kid, key);
        }
        Ok(keys)
    }

    /// A write that [`check_write`] let through.
    async fn write(&self, tenant: &str, message: Arc<Message>, body: Option<Body>) -> Result<Reply, Stop> {
        let (given, data) = match (body, message.data()) {
            (Some(body), Some((_, size))) => {
                let data = self.stage(body, size).await?;
                (Given::Staged { cid: data.root, size: data.size, inline: data.inline.clone() }, Some(data))
            }
            _ => (Given::None, None),
        };
        self.commit(tenant, message, given, data).await
    }

    /// Decides again under the one writer, so that nothing comes between check and act.
    async fn commit(
        &self,
        tenant: &str,
        message: Arc<Message>,
        given: Given,
        data: Option<Data>,
    ) -> Result<Reply, Stop> {
        let decide = move |view: &dyn View| dwn::decide(&message, &given, view, &now());
        let change = self.shared.store.commit(tenant, data, decide).await?;
        Ok(match change.status {
            204 => Reply::new(204, "No Content"),
            _ => Reply::new(202, "Accepted"),
        })
    }

    /// Body → blocks, on a blocking thread. Stops soon after more came than was declared.
    async fn stage(&self, mut body: Body, declared: u64) -> Result<Data, Stop> {
        // `None` ends the data; a channel that closes without it broke off.
        let (send, mut receive) = mpsc::channel::<Option<Bytes>>(CHUNKS_AHEAD);
        let blocks = self.shared.blocks.clone();
        let permit = self.shared.workers.acquire().await.context("the node is stopping")?;
        let staging = tokio::task::spawn_blocking(move || {
            let mut stage = blocks.stage();
            while let Some(bytes) = receive.blocking_recv().context("the data broke off")? {
                stage.push(&bytes)?;
            }
            stage.finish()
        });
        let mut got = 0;
        while let Some(bytes) = body.next().await {
            let bytes = bytes.map_err(|e| Refusal::new(400, format!("the data broke off after {got} bytes: {e:#}")))?;
            got += bytes.len() as u64;
            if got > declared + OVERRUN_MAX {
                return Err(Refusal::bad(
                    "RecordsWriteDataSizeMismatch",
                    format!("more than {got} bytes came, dataSize in descriptor: {declared}"),
                )
                .into());
            }
            if send.send(Some(bytes)).await.is_err() {
                break; // the stage failed: its own error is the one to tell
            }
        }
        let _ = send.send(None).await; // as above
        let data = staging.await.map_err(|e| anyhow!("staging data: {e}"))??;
        drop(permit);
        Ok(data)
    }

    /// CPU-bound work on the blocking pool, a bounded number at a time.
    async fn work<T: Send + 'static>(&self, f: impl FnOnce() -> T + Send + 'static) -> Result<T, Fault> {
        let _permit = self.shared.workers.acquire().await.context("the node is stopping")?;
        tokio::task::spawn_blocking(f).await.map_err(|e| anyhow!("a worker failed: {e}"))
    }

    /// A published record's block, for anyone.
    pub fn public_block(&self, cid: &Cid) -> Result<Option<Bytes>, Fault> {
        let Some(digest) = crate::cid::sha256_of(cid) else { return Ok(None) };
        if self.shared.store.block_is_public(&digest)? { self.shared.blocks.get(cid) } else { Ok(None) }
    }

    fn count(&self, method: &'static str, code: u16) {
        self.shared.messages.get_or_create(&Label { method, code }).inc();
    }
}

/// The data under `root`, read on a blocking thread a few chunks ahead of the client.
pub fn read_out(blocks: Blocks, root: Cid) -> Body {
    let (send, receive) = mpsc::channel(CHUNKS_AHEAD);
    tokio::task::spawn_blocking(move || match blocks.read(&root) {
        Ok(reader) => {
            for chunk in reader {
                let failed = chunk.is_err();
                if send.blocking_send(chunk).is_err() || failed {
                    return;
                }
            }
        }
        Err(fault) => {
            let _ = send.blocking_send(Err(fault)); // nobody listens any more: nothing to tell
        }
    });
    let mut receive = receive;
    Box::pin(futures::stream::poll_fn(move |cx| receive.poll_recv(cx)))
}

/// Bytes that are all here already.
pub fn one_chunk(bytes: Bytes) -> Body {
    Box::pin(futures::stream::iter([Ok(bytes)]))
}

/// Now, as DWN writes it: UTC, six fraction digits, `Z`.
pub fn now() -> String {
    let now = jiff::Timestamp::now();
    format!("{now:.6}")
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
