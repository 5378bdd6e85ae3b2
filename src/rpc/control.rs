//! The control RPC: JSON-RPC 2.0 on a Unix socket that only this user may open; what the CLI speaks.
//!
//! `POST /rpc` for calls, `POST /add` and `GET /get/{cid}` for content as streams. Whoever can open the
//! socket is the owner. Scoped tokens for wallets come with the wallet RPC.

use super::http::stream;
use crate::{
    anchor::Anchor,
    backup::Source,
    blocks::{Right, Unread, unixfs},
    cid::{self, Cid},
    crypto::Signer,
    dwn::{self, create},
    net::{self, FileLimits, Net},
    node::{self, Body, Node},
    scarce,
    sync::Peers,
};
use anyhow::{Error, anyhow};
use axum::{
    Router,
    body::Body as HttpBody,
    extract::{Path, Query, Request, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use futures::{StreamExt as _, TryStreamExt as _};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio_util::sync::CancellationToken;

/// A call has few and short parameters.
const CALL_MAX: usize = 1 << 20;
/// What the system has been short of since the start; nothing, if it was not.
fn short() -> Option<Value> {
    let told = scarce::told();
    let (when, what) = told.last?;
    Some(json!({"times": told.times, "last": what, "seconds_ago": when.elapsed().as_secs()}))
}

/// What `get` waits for a block nobody sends, unless told otherwise.
const GET_TIMEOUT: u64 = 60;
/// The same for what is damaged here: that is what is to be told, and soon.
const DAMAGED_TIMEOUT: Duration = Duration::from_secs(5);

/// Why a call failed, as scripts tell it apart (CLI exit codes 1, 2, 3, 4, 5, 6, 7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    Failed,
    Usage,
    NotFound,
    Denied,
    Conflict,
    Network,
    Pending,
}

/// A failed call.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    pub kind: Kind,
    pub message: String,
}

impl Failure {
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::new(Kind::Failed, format!("{error:#}"))
    }
}

/// What the control RPC speaks for.
#[derive(Clone)]
pub struct Control {
    pub node: Node,
    pub net: Net,
    pub sync: Peers,
    pub anchor: Anchor,
    pub backup: Source,
    /// Cancelled when the node stops: long calls end early.
    pub stop: CancellationToken,
    pub signer: Arc<Signer>,
    pub home: PathBuf,
    pub dwn: String,
    pub gateway: Option<String>,
    /// File descriptors, and how many connections they are enough for.
    pub files: Value,
    pub started: Instant,
}

impl std::fmt::Debug for Control {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Control({})", self.signer.did())
    }
}

/// Who this node is and where it is reached.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Identity {
    pub did: String,
    pub peer: String,
    /// Multiaddrs with the peer id at the end.
    pub addresses: Vec<String>,
}

/// What `toft add` made.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Added {
    pub cid: String,
    pub size: u64,
    pub record: String,
    pub published: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PeerAdd {
    did: String,
    address: String,
    #[serde(default)]
    tenants: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct OneDid {
    did: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct OneId {
    id: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct AddQuery {
    #[serde(default = "octets")]
    format: String,
    #[serde(default)]
    published: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct GetQuery {
    timeout: Option<u64>,
}

fn octets() -> String {
    "application/octet-stream".into()
}

/// The routes of the control socket.
pub fn router(control: Control) -> Router {
    Router::new().route("/rpc", post(call)).route("/add", post(add)).route("/get/{cid}", get(fetch)).with_state(control)
}

async fn call(State(control): State<Control>, request: Request) -> Response {
    let reply = |id: Value, outcome: Result<Value, Failure>| match outcome {
        Ok(result) => axum::Json(json!({"jsonrpc": "2.0", "id": id, "result": result})).into_response(),
        Err(f) => {
            let error = json!({"code": -32000, "message": f.message, "data": {"kind": f.kind}});
            axum::Json(json!({"jsonrpc": "2.0", "id": id, "error": error})).into_response()
        }
    };
    let usage = |message: &str| Err(Failure::new(Kind::Usage, message));
    let Ok(bytes) = axum::body::to_bytes(request.into_body(), CALL_MAX).await else {
        return reply(Value::Null, usage("a call has at most 1 MiB"));
    };
    let Ok(mut json) = serde_json::from_slice::<Value>(&bytes) else {
        return reply(Value::Null, usage("a call is JSON-RPC 2.0"));
    };
    let id = json.get("id").cloned().unwrap_or(Value::Null);
    let params = json.get_mut("params").map(Value::take).unwrap_or_else(|| json!({}));
    let method = json.get("method").and_then(Value::as_str).unwrap_or("").to_owned();
    reply(id, control.call(&method, params).await)
}

impl Control {
    async fn call(&self, method: &str, params: Value) -> Result<Value, Failure> {
        match method {
            "id" => value(&self.identity().await?),
            "status" => self.status().await,
            "peer.ls" => value(&self.sync.peers()),
            "peer.add" => {
                let PeerAdd { did, address, tenants } = parse(params)?;
                self.sync.check(&did, &address, &tenants).map_err(|e| Failure::new(Kind::Usage, e))?;
                value(&self.sync.add(did, address, tenants).await?)
            }
            "peer.rm" => {
                let OneDid { did } = parse(params)?;
                match self.sync.remove(&did).await? {
                    true => Ok(json!({"removed": did})),
                    false => Err(Failure::new(Kind::NotFound, format!("{did} is not a peer of this node"))),
                }
            }
            "tenant.ls" => {
                let node = self.node.clone();
                value(&tokio::task::spawn_blocking(move || node.list_tenants()).await.map_err(Error::new)??)
            }
            "tenant.rm" => {
                let OneDid { did } = parse(params)?;
                self.remove_tenant(&did).await
            }
            "anchor.now" => value(&self.anchor.now().await?),
            "anchor.status" => value(&self.anchor.status().await?),
            "anchor.proof" => {
                let OneId { id } = parse(params)?;
                self.proof(&id).await
            }
            method if ["storage.", "pin.", "backup."].iter().any(|of| method.starts_with(of)) => {
                self.storage(method, params).await
            }
            method if method.starts_with("record.") => self.record(method, params).await,
            other => Err(unknown(other)),
        }
    }

    async fn identity(&self) -> Result<Identity, Failure> {
        let addresses = self.net.listen_addrs().await.map_err(Error::new)?;
        Ok(Identity { did: self.signer.did().to_owned(), peer: self.net.peer_id(), addresses })
    }

    async fn status(&self) -> Result<Value, Failure> {
        let store = self.node.store();
        let connections = self.net.connected().await.map_err(Error::new)?;
        let connections: Vec<_> = connections
            .iter()
            .map(|peer| {
                let round_trip = peer.round_trip.map(|t| t.as_secs_f64());
                json!({"peer": peer.id, "addresses": peer.addresses, "agent": peer.agent, "round_trip_seconds": round_trip})
            })
            .collect();
        let peers = self.sync.peers();
        Ok(json!({
            "version": env!("CARGO_PKG_VERSION"),
            "identity": self.identity().await?,
            "uptime_seconds": self.started.elapsed().as_secs(),
            "rss_bytes": rss(),
            "home": self.home,
            "dwn": self.dwn,
            "gateway": self.gateway,
            "store": store.stats(),
            "log_bytes": store.log_bytes(),
            "degraded": store.degraded(),
            "files": self.files,
            "short": short(),
            "free_bytes": store.free()?,
            "read_only": store.read_only(),
            "retention": self.node.retained(),
            "connections": connections,
            "peers": peers,
            "anchor": self.anchor.status().await?,
        }))
    }

    /// Not what would come back by itself: a peer's next round would bring it all again.
    async fn remove_tenant(&self, did: &str) -> Result<Value, Failure> {
        if did == self.signer.did() {
            let message = "this is the node's own DID: to begin anew, stop the node and make a new home";
            return Err(Failure::new(Kind::Usage, message));
        }
        if let Some(peer) = self.sync.peers().iter().find(|peer| peer.peer.tenants.iter().any(|tenant| tenant == did)) {
            let message = format!(
                "{did} is shared with the peer {}, which would bring it back: toft peer rm first",
                peer.peer.did
            );
            return Err(Failure::new(Kind::Conflict, message));
        }
        let removed = self.node.remove_tenant(did).await?;
        if removed.messages == 0 && !removed.registration {
            return Err(Failure::new(Kind::NotFound, format!("{did} is no tenant of this node: see toft tenant ls")));
        }
        value(&removed)
    }

    async fn proof(&self, id: &str) -> Result<Value, Failure> {
        let proof = self.anchor.proof(id).await.map_err(|e| {
            use crate::anchor::ProofError as E;
            let kind = match &e {
                E::Unknown(_) => Kind::NotFound,
                E::Pending(_) => Kind::Pending,
                E::Fault(_) => Kind::Failed,
            };
            Failure::new(kind, e.to_string())
        })?;
        Ok(json!({
            "ots": STANDARD.encode(&proof.ots),
            "stamped": proof.stamped.map(|bytes| STANDARD.encode(bytes)),
            "cid": proof.cid.to_string(),
            "network": proof.network,
            "txid": proof.txid,
            "height": proof.height,
            "confirmations": proof.confirmations,
            "final": proof.finished,
        }))
    }

    /// Writes a record of this node's own tenant with the body as its data.
    async fn add(&self, query: AddQuery, mut body: Body) -> Result<Added, Failure> {
        let mut stage = self.node.blocks().stage();
        let limit = self.node.max_record();
        let mut got = 0;
        while let Some(bytes) = body.next().await {
            let bytes = bytes?;
            got += bytes.len() as u64;
            if got > limit {
                let message =
                    format!("the file is above this node's limit of {limit} bytes (dwn.max_record in node.toml)");
                return Err(Failure::new(Kind::Usage, message));
            }
            stage =
                tokio::task::spawn_blocking(move || stage.push(&bytes).map(|()| stage)).await.map_err(Error::new)??;
        }
        let data = tokio::task::spawn_blocking(move || stage.finish()).await.map_err(Error::new)??;
        let (root, size) = (data.root, data.size);
        let tenant = self.signer.did().to_owned();
        let write = create::Write { data_format: &query.format, published: query.published, ..Default::default() };
        let message = create::records_write(&write, (&root, size), &node::now(), &self.signer)
            .map_err(|e| anyhow!("making the record: {e}"))?;
        let record = message["recordId"].as_str().unwrap_or_default().to_owned();
        let reply = self.node.process_staged(&tenant, message, data).await?;
        match reply.code {
            202 => Ok(Added { cid: root.to_string(), size, record, published: query.published }),
            code => Err(Failure::new(Kind::Failed, format!("{code} {}", reply.detail))),
        }
    }

    /// A file by CID: from here if it is here, else from the network.
    async fn get(&self, root: Cid, timeout: Duration) -> Result<Body, Failure> {
        if root.codec() != cid::RAW && root.codec() != cid::DAG_PB {
            let message = format!("{root} is neither raw bytes nor a UnixFS file");
            return Err(Failure::new(Kind::Usage, message));
        }
        let blocks = self.node.blocks().clone();
        let here = tokio::task::spawn_blocking(move || blocks.read(Right::OWNER, &root)).await.map_err(Error::new)?;
        let damage = match here {
            Ok(reader) => return Ok(node::send(reader)),
            Err(Unread::Fault(fault)) => return Err(fault.into()),
            Err(why @ (Unread::Data(_) | Unread::NotFile(..))) => {
                return Err(Failure::new(Kind::Usage, why.to_string()));
            }
            Err(Unread::NotHere(_)) => None,
            // Others may have it whole.
            Err(why @ Unread::Damaged { .. }) => Some(why.to_string()),
        };
        let timeout = if damage.is_some() { timeout.min(DAMAGED_TIMEOUT) } else { timeout };
        let failed = |e: &net::Error| match &damage {
            None => Failure::new(Kind::Network, format!("{e:#}")),
            Some(damage) => Failure::new(Kind::Failed, format!("{damage}; and nobody else sent it: {e:#}")),
        };
        // The first piece says whether anybody has it; after it the answer has begun.
        let limits = FileLimits { timeout, ..FileLimits::default() };
        let mut pieces = Box::pin(net::fetch_file(self.net.session(), root, limits, contents));
        let first = match pieces.next().await {
            Some(Ok(bytes)) => bytes,
            Some(Err(e)) => return Err(failed(&e)),
            None => bytes::Bytes::new(),
        };
        let rest = pieces.map_err(dwn::Fault::from);
        Ok(Box::pin(futures::stream::iter([Ok(first)]).chain(rest)))
    }
}

/// What a block of a UnixFS file contributes to it.
fn contents(cid: &Cid, block: &bytes::Bytes) -> Result<net::Node, String> {
    match cid.codec() {
        cid::RAW => Ok(net::Node { data: block.clone(), links: vec![] }),
        cid::DAG_PB => {
            let node = unixfs::node(block).map_err(|e| e.to_string())?;
            Ok(net::Node { data: node.data, links: node.links.into_iter().map(|(cid, _)| cid).collect() })
        }
        other => Err(format!("{cid} has codec 0x{other:x}: neither raw nor dag-pb (a UnixFS file)")),
    }
}

async fn add(State(control): State<Control>, Query(query): Query<AddQuery>, request: Request) -> Response {
    match control.add(query, stream(request.into_body())).await {
        Ok(added) => axum::Json(added).into_response(),
        Err(failure) => refuse(failure),
    }
}

async fn fetch(State(control): State<Control>, Path(text): Path<String>, Query(query): Query<GetQuery>) -> Response {
    let Ok(root) = Cid::try_from(text.as_str()) else {
        return refuse(Failure::new(Kind::Usage, format!("{text} is not a CID")));
    };
    match control.get(root, Duration::from_secs(query.timeout.unwrap_or(GET_TIMEOUT))).await {
        Ok(body) => {
            HttpBody::from_stream(body.map_err(|fault| std::io::Error::other(format!("{fault:#}")))).into_response()
        }
        Err(failure) => refuse(failure),
    }
}

fn refuse(failure: Failure) -> Response {
    let body = json!({"error": {"message": failure.message, "data": {"kind": failure.kind}}});
    (StatusCode::BAD_REQUEST, axum::Json(body)).into_response()
}

/// There is no such call.
pub(super) fn unknown(method: &str) -> Failure {
    Failure::new(Kind::Usage, format!("there is no call {method}"))
}

pub(super) fn parse<T: DeserializeOwned>(params: Value) -> Result<T, Failure> {
    serde_json::from_value(params).map_err(|e| Failure::new(Kind::Usage, e.to_string()))
}

pub(super) fn value<T: Serialize>(value: &T) -> Result<Value, Failure> {
    serde_json::to_value(value).map_err(|e| Failure::new(Kind::Failed, e.to_string()))
}

/// Resident memory of this process in bytes, where the system tells.
fn rss() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kib| kib * 1024)
}
