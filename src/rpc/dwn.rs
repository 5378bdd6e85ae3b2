//! The wire protocol of `@web5/dwn-server` 0.6.1: `POST /` with the request in the `dwn-request` header and
//! the record's data as body, `GET /info`, `/health`, `/metrics`.
//!
//! Beyond the reference: headers up to 128 KiB, and the request may be the JSON body itself when it brings
//! no data. An HTTP status of 200 says that the request was answered; the answer's own status is inside.

use super::header_json;
use crate::{
    dwn::Fault,
    metrics::Metrics,
    node::{Body, Node},
};
use axum::{
    Router,
    body::Body as HttpBody,
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use futures::TryStreamExt as _;
use serde_json::{Value, json};
use tower_http::cors::{Any, CorsLayer};

const REQUEST: HeaderName = HeaderName::from_static("dwn-request");
const RESPONSE: HeaderName = HeaderName::from_static("dwn-response");
/// A request given as body: as large as a message may be, and no data in it.
const JSON_BODY_MAX: usize = 1 << 20;
/// Replies up to this size travel in a header (clients stop at 16 KiB); an entry with data always must.
const PARSE_ERROR: i64 = -32700;
const INVALID_REQUEST: i64 = -32600;
const METHOD_NOT_FOUND: i64 = -32601;
const INVALID_PARAMS: i64 = -32602;
const INTERNAL_ERROR: i64 = -32603;
/// dwn-server's own code for a request it cannot read.
const BAD_REQUEST: i64 = -50400;

#[derive(Clone)]
struct Shared {
    node: Node,
    metrics: Metrics,
}

/// The routes of the DWN endpoint.
pub fn router(node: Node, metrics: Metrics) -> Router {
    let cors = CorsLayer::new()
        .allow_origin(Any)
        .allow_methods([Method::GET, Method::POST])
        .allow_headers(Any)
        .expose_headers([RESPONSE]);
    Router::new()
        .route("/", get(root).post(post))
        .route("/info", get(info))
        .route("/health", get(health))
        .route("/metrics", get(metrics_text))
        .layer(cors)
        .with_state(Shared { node, metrics })
}

async fn root() -> &'static str {
    "please use a web5 client, for example: https://www.npmjs.com/package/@web5/api\n"
}

async fn info(State(shared): State<Shared>) -> Response {
    axum::Json(json!({
        "server": "toft",
        "maxFileSize": shared.node.max_record(),
        "registrationRequirements": [],
        "version": env!("CARGO_PKG_VERSION"),
        "sdkVersion": "0.5.2",
        "webSocketSupport": false,
    }))
    .into_response()
}

async fn health() -> Response {
    axum::Json(json!({"ok": true})).into_response()
}

async fn metrics_text(State(shared): State<Shared>) -> Response {
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], shared.metrics.text()).into_response()
}

async fn post(State(shared): State<Shared>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let has_body = has_body(&parts.headers);
    let (text, data) = match parts.headers.get(REQUEST) {
        Some(header) => (header.as_bytes().to_vec(), has_body.then(|| stream(body))),
        None if has_body => match axum::body::to_bytes(body, JSON_BODY_MAX).await {
            Ok(bytes) => (bytes.to_vec(), None),
            Err(_) => {
                let message = "without a dwn-request header the body is the request, of at most 1 MiB of JSON";
                return error(StatusCode::PAYLOAD_TOO_LARGE, Value::Null, BAD_REQUEST, message);
            }
        },
        None => return error(StatusCode::BAD_REQUEST, Value::Null, BAD_REQUEST, "request payload required."),
    };
    let request: Value = match serde_json::from_slice(&text) {
        Ok(request) => request,
        Err(problem) => {
            let message = format!("the request is not JSON: {problem}");
            return error(StatusCode::BAD_REQUEST, Value::Null, PARSE_ERROR, &message);
        }
    };
    answer(&shared.node, request, data).await
}

async fn answer(node: &Node, mut request: Value, data: Option<Body>) -> Response {
    let id = request.get("id").cloned().unwrap_or(Value::Null);
    if !request.is_object() || request.get("jsonrpc").and_then(Value::as_str) != Some("2.0") {
        let message = "not a JSON-RPC 2.0 request: \"jsonrpc\" must be \"2.0\"";
        return error(StatusCode::BAD_REQUEST, id, INVALID_REQUEST, message);
    }
    match request.get("method").and_then(Value::as_str) {
        Some("dwn.processMessage") => {}
        Some(other) => {
            let message = format!("method {other} is not known here; this node answers dwn.processMessage");
            return error(StatusCode::BAD_REQUEST, id, METHOD_NOT_FOUND, &message);
        }
        None => return error(StatusCode::BAD_REQUEST, id, INVALID_REQUEST, "the request names no method"),
    }
    let Some(tenant) = request.pointer("/params/target").and_then(Value::as_str).map(str::to_owned) else {
        return error(StatusCode::BAD_REQUEST, id, INVALID_PARAMS, "params.target must be the tenant's DID");
    };
    let Some(message) = request.pointer_mut("/params/message").map(Value::take) else {
        return error(StatusCode::BAD_REQUEST, id, INVALID_PARAMS, "params.message must be a DWN message");
    };
    if message.pointer("/descriptor/method").and_then(Value::as_str) == Some("Subscribe") {
        let message = "subscriptions need a WebSocket, which is not supported by this version of toft";
        return error(StatusCode::NOT_IMPLEMENTED, id, INVALID_REQUEST, message);
    }
    match node.process(&tenant, message, data).await {
        Ok(mut reply) => {
            let data = reply.data.take();
            let response = json!({"jsonrpc": "2.0", "id": id, "result": {"reply": reply.to_json()}});
            match data {
                None => axum::Json(response).into_response(),
                Some(data) => with_data(&response, data),
            }
        }
        Err(fault) => {
            tracing::error!("{fault:#}");
            error(StatusCode::INTERNAL_SERVER_ERROR, id, INTERNAL_ERROR, "the node could not do this; its log says why")
        }
    }
}

/// Data in the body, the JSON-RPC response in a header.
fn with_data(response: &Value, data: Body) -> Response {
    let Ok(header) = HeaderValue::from_str(&header_json(response)) else {
        return error(StatusCode::INTERNAL_SERVER_ERROR, Value::Null, INTERNAL_ERROR, "the reply fits no header");
    };
    let mut out = Response::new(HttpBody::from_stream(data.map_err(|fault| {
        tracing::error!("data breaks off: {fault:#}");
        std::io::Error::other("the data cannot be read further")
    })));
    out.headers_mut().insert(RESPONSE, header);
    out.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    out
}

/// The reference's rule: a body is data when it has a length above 0 or comes in chunks.
fn has_body(headers: &HeaderMap) -> bool {
    let length = headers.get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok()).and_then(|v| v.parse::<u64>().ok());
    length.is_some_and(|n| n > 0) || headers.contains_key(header::TRANSFER_ENCODING)
}

/// The request's body as the door takes it.
pub(super) fn stream(body: HttpBody) -> Body {
    Box::pin(body.into_data_stream().map_err(|e| Fault::new(e).context("reading the request's body")))
}

fn error(status: StatusCode, id: Value, code: i64, message: &str) -> Response {
    (status, axum::Json(json!({"jsonrpc": "2.0", "id": id, "error": {"code": code, "message": message}})))
        .into_response()
}
