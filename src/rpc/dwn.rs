//! The wire protocol of `@web5/dwn-server` 0.6.1: `POST /` with the request in the `dwn-request` header and
//! the record's data as body, a WebSocket on the same path, `GET /info`, `/health`, `/metrics`, and what `read`, `registration` and `connect` add.
//!
//! Beyond the reference: headers up to 128 KiB, and the request may be the JSON body itself, with
//! small data as `params.encodedData`. An HTTP status of 200 says that the request was answered; the answer's own status is inside.

use super::{
    connect,
    hosts::{self, Hosts},
    http::{RESPONSE, at_most, header_value, json_out, json_text, stream, stream_out},
    jsonrpc::{self, RpcError, RpcRequest},
    read,
    registration::{self, Registration},
    websocket, ws,
};
use crate::{
    asker::Asker,
    metrics::Metrics,
    node::{Body, Node},
    pool::{Full, Pool, Size},
    store::Damaged,
    task::Tasks,
};
use anyhow::Error;
use axum::{
    Extension, Router,
    body::Body as HttpBody,
    extract::{MatchedPath, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::get,
};
use futures::StreamExt as _;
use prometheus_client::metrics::{counter::Counter, family::Family};
use serde_json::{Value, json};
use std::{net::SocketAddr, sync::Arc, time::Duration};
use tokio::time::error::Elapsed;
use tower_http::cors::{AllowHeaders, Any, CorsLayer};

const REQUEST: HeaderName = HeaderName::from_static("dwn-request");
/// Deadline for the first byte of a body without a length.
const BEGIN_DEADLINE: Duration = Duration::from_secs(30);

/// Damaged objects that `/health` names.
const DAMAGE_MAX: usize = 16;

#[derive(Clone)]
struct Shared {
    node: Node,
    metrics: Metrics,
    tasks: Tasks,
    registration: Registration,
    url: Arc<str>,
    sockets: Pool,
    requests: Family<Label, Counter>,
}

/// From closed sets: the route's template, never its path.
#[derive(Debug, Clone, Hash, PartialEq, Eq, prometheus_client::encoding::EncodeLabelSet)]
struct Label {
    route: String,
    code: u16,
}

/// Under what names the DWN endpoint is reached.
#[derive(Debug, Clone, Copy)]
pub struct Names<'a> {
    /// Where it listens.
    pub address: SocketAddr,
    /// Where it is reached from outside.
    pub url: &'a str,
    /// Other names under which its numbers may be asked for.
    pub hosts: &'a [String],
}

/// The routes of the DWN endpoint.
pub fn router(
    node: Node,
    registration: Registration,
    names: Names<'_>,
    metrics: Metrics,
    tasks: &Tasks,
) -> Result<Router, Error> {
    let cors = CorsLayer::new()
        .allow_origin(Any)
        .allow_methods([Method::GET, Method::HEAD, Method::POST])
        .allow_headers(AllowHeaders::mirror_request())
        .expose_headers([RESPONSE, header::ETAG, header::CONTENT_RANGE, header::ACCEPT_RANGES]);
    let requests = Family::default();
    metrics.register(|r| {
        r.register("dwn_http_requests", "HTTP requests to the DWN endpoint, by route and status", requests.clone());
    });
    let limits = node.limits();
    let size = Size {
        most: limits.websockets as usize,
        share: limits.websockets_per_address as usize,
        // A WebSocket shows who speaks only with its first message.
        reserved: 0,
    };
    let sockets = Pool::new("WebSockets", size);
    metrics.register(|r| sockets.register("dwn_websockets", r));
    let hosts = Hosts::new(names.address, names.hosts, "dwn.hosts")?.and_of(names.url);
    let (tasks, url) = (tasks.clone(), Arc::from(names.url));
    let more = registration::router(node.clone(), registration.clone())
        .merge(connect::router(&url, node.limits()))
        .merge(read::router(node.clone()));
    let shared = Shared { node, metrics, tasks, registration, url, sockets, requests };
    let own = Router::new()
        .route("/health", get(health))
        .route("/metrics", get(metrics_text))
        .route_layer(middleware::from_fn_with_state(hosts, hosts::only))
        .with_state(shared.clone());
    Ok(Router::new()
        .route("/", get(root).post(post))
        .route("/info", get(info))
        .with_state(shared.clone())
        .merge(more)
        .layer(cors)
        .merge(own)
        .layer(middleware::from_fn_with_state(shared, count)))
}

async fn count(State(shared): State<Shared>, route: Option<MatchedPath>, request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    let route = route.map_or_else(|| "none".to_owned(), |route| route.as_str().to_owned());
    shared.requests.get_or_create(&Label { route, code: response.status().as_u16() }).inc();
    response
}

/// A WebSocket for those who ask for one, a sentence for the others.
async fn root(State(shared): State<Shared>, Extension(asker): Extension<Asker>, mut request: Request) -> Response {
    if !request.headers().contains_key(header::UPGRADE) {
        return "please use a web5 client, for example: https://www.npmjs.com/package/@web5/api\n".into_response();
    }
    let slot = match shared.sockets.take(asker, 1) {
        Ok(slot) => slot,
        Err(full @ Full::Share(_)) => return (StatusCode::TOO_MANY_REQUESTS, full.to_string()).into_response(),
        Err(full @ Full::All(_)) => return (StatusCode::SERVICE_UNAVAILABLE, full.to_string()).into_response(),
    };
    let (response, coming) = match websocket::upgrade(&mut request) {
        Ok(upgrade) => upgrade,
        Err(wrong) => return wrong.into_response(),
    };
    let (node, stop) = (shared.node.clone(), shared.tasks.stop());
    tokio::spawn(shared.tasks.track(async move {
        if let Ok(socket) = websocket::open(coming).await {
            ws::converse(socket, node, asker, stop).await;
        }
        drop(slot);
    }));
    response
}

async fn info(State(shared): State<Shared>) -> Response {
    let limits = shared.node.limits();
    axum::Json(json!({
        "url": *shared.url,
        "server": "toft",
        "maxFileSize": shared.node.max_record(),
        "registrationRequirements": shared.registration.requirements(&shared.node),
        "version": env!("CARGO_PKG_VERSION"),
        "sdkVersion": "0.5.2",
        "webSocketSupport": true,
        "limits": {
            "webSocketsPerAddress": limits.websockets_per_address,
            "subscriptionsPerWebSocket": limits.subscriptions_per_websocket,
            "subscriptionsPerAddress": limits.subscriptions_per_address,
        },
    }))
    .into_response()
}

/// `ok`: requests are answered. `writable`: and writes taken; if not, `reason` says what a write would hear. `degraded`:
/// something is wrong, and of `damaged` objects bytes are lost or wrong; `damage` names the first of them with their
/// records, and not whose they are: that the owner is told (`toft status`).
async fn health(State(shared): State<Shared>) -> Response {
    // Asks the file system.
    let found = tokio::task::spawn_blocking(move || {
        let store = shared.node.store();
        (store.read_only(), store.degraded(), store.damage().count(), store.damage().list(DAMAGE_MAX))
    });
    let Ok((read_only, degraded, damaged, first)) = found.await else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let writable = read_only.is_none();
    let mut health = json!({"ok": true, "writable": writable, "degraded": !degraded.is_empty(), "damaged": damaged});
    if damaged > 0 {
        let records = |of: &Damaged| of.records.iter().map(|holder| holder.record.clone()).collect::<Vec<_>>();
        let named = first.iter().map(|of| json!({"object": of.object, "records": records(of)}));
        health["damage"] = named.collect();
    }
    if let Some(why) = read_only {
        health["reason"] = why.into();
    }
    axum::Json(health).into_response()
}

async fn metrics_text(State(shared): State<Shared>) -> Response {
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], shared.metrics.text()).into_response()
}

async fn post(State(shared): State<Shared>, Extension(asker): Extension<Asker>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = match some_bytes(&parts.headers, body).await {
        Ok(body) => body,
        Err(Elapsed { .. }) => {
            let problem = RpcError::new(&Value::Null, jsonrpc::BAD_REQUEST, "the request's body did not begin in time");
            return error(StatusCode::REQUEST_TIMEOUT, &problem);
        }
    };
    let (request, data) = match (parts.headers.get(REQUEST), body) {
        (Some(header), data) => (RpcRequest::in_header(header.as_bytes()), data),
        (None, Some(body)) => match at_most(body, jsonrpc::REQUEST_MAX).await {
            Ok(Some(bytes)) => (RpcRequest::parse(&bytes), None),
            Ok(None) => {
                let message = "without a dwn-request header the body is the request, of at most 1 MiB of JSON";
                let problem = RpcError::new(&Value::Null, jsonrpc::BAD_REQUEST, message);
                return error(StatusCode::PAYLOAD_TOO_LARGE, &problem);
            }
            Err(broken) => {
                let problem = RpcError::new(&Value::Null, jsonrpc::BAD_REQUEST, format!("{broken:#}"));
                return error(StatusCode::BAD_REQUEST, &problem);
            }
        },
        (None, None) => {
            let problem = RpcError::new(&Value::Null, jsonrpc::BAD_REQUEST, "request payload required.");
            return error(StatusCode::BAD_REQUEST, &problem);
        }
    };
    match request {
        Ok(request) => answer(&shared.node, asker, request, data).await,
        Err(problem) => error(StatusCode::BAD_REQUEST, &problem),
    }
}

async fn answer(node: &Node, asker: Asker, mut request: RpcRequest, data: Option<Body>) -> Response {
    match request.method.as_str() {
        jsonrpc::PROCESS | jsonrpc::SUBSCRIBE => {}
        jsonrpc::PING => {
            let result = json!({"reply": {"status": {"code": 200, "detail": "OK"}}});
            return json_text(jsonrpc::success(&request.id, &result.to_string()));
        }
        jsonrpc::CLOSE | jsonrpc::ACK => {
            let problem = RpcError::new(&request.id, jsonrpc::INVALID_REQUEST, "socket connection does not exist");
            return error(StatusCode::INTERNAL_SERVER_ERROR, &problem);
        }
        _ => return error(StatusCode::BAD_REQUEST, &request.unknown()),
    }
    let call = match request.call() {
        Ok(call) => call,
        Err(problem) => return error(StatusCode::BAD_REQUEST, &problem),
    };
    let id = request.id;
    if call.is_subscribe() {
        // The reference's words and status: the context it asks for needs a WebSocket.
        let problem = RpcError::new(&id, jsonrpc::INVALID_REQUEST, jsonrpc::NO_CONTEXT);
        return error(StatusCode::INTERNAL_SERVER_ERROR, &problem);
    }
    match node.process_for(asker, &call.tenant, call.message, data.or(call.data)).await {
        Ok(mut reply) => match reply.data.take() {
            None => {
                let (before, after) = jsonrpc::around_reply(&id);
                json_out(reply.into_text(&before, after))
            }
            Some(data) => with_data(&id, &jsonrpc::replied(&id, &reply.text()), data.metered()),
        },
        Err(fault) => {
            tracing::error!("{fault:#}");
            let problem = RpcError::new(&id, jsonrpc::INTERNAL_ERROR, jsonrpc::FAULT);
            error(StatusCode::INTERNAL_SERVER_ERROR, &problem)
        }
    }
}

/// Data in the body, the JSON-RPC response in a header.
fn with_data(id: &Value, response: &str, data: Body) -> Response {
    let Some(header) = header_value(response) else {
        let problem = RpcError::new(id, jsonrpc::INTERNAL_ERROR, "the reply fits no header");
        return error(StatusCode::INTERNAL_SERVER_ERROR, &problem);
    };
    let mut out = Response::new(stream_out(data));
    out.headers_mut().insert(RESPONSE, header);
    out.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    out
}

/// The body, if it has any bytes. An empty body is no body, with a length and without one.
async fn some_bytes(headers: &HeaderMap, body: HttpBody) -> Result<Option<Body>, Elapsed> {
    let length = headers.get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok()).and_then(|v| v.parse::<u64>().ok());
    if length == Some(0) || length.is_none() && !headers.contains_key(header::TRANSFER_ENCODING) {
        return Ok(None);
    }
    let mut body = stream(body);
    if length.is_some() {
        return Ok(Some(body));
    }
    tokio::time::timeout(BEGIN_DEADLINE, async {
        loop {
            match body.next().await {
                Some(Ok(piece)) if piece.is_empty() => {}
                // An error is reported where the body is read.
                Some(piece) => return Some(futures::stream::iter([piece]).chain(body).boxed()),
                None => return None,
            }
        }
    })
    .await
}

fn error(status: StatusCode, problem: &RpcError) -> Response {
    (status, axum::Json(problem.to_json())).into_response()
}
