//! Large data at one-time addresses, beside the methods: `PUT /upload/{secret}` and `GET /download/{secret}`.
//!
//! An upload answers with what its call would have answered. What failed is told as in a call: `{"error": …}`.

use super::{
    call::Call,
    dispatch::problem,
    failure::{Failure, Kind},
};
use crate::rpc::http::{stream, stream_out};
use axum::{
    Json, Router,
    extract::{FromRef, Path, Request, State},
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, put},
};
use serde_json::json;

/// What is fetched is bytes, and nothing a browser may run or keep.
const HEADERS: [(HeaderName, HeaderValue); 4] = [
    (header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream")),
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::CONTENT_DISPOSITION, HeaderValue::from_static("attachment")),
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
];

/// The routes, for each listener that answers calls.
pub fn router<S>() -> Router<S>
where
    S: Clone + Send + Sync + 'static,
    Call: FromRef<S>,
{
    Router::new().route("/upload/{secret}", put(upload)).route("/download/{secret}", get(download))
}

async fn upload(State(call): State<Call>, Path(secret): Path<String>, request: Request) -> Response {
    let upload = match call.tickets.upload(&secret) {
        Ok(upload) => upload,
        Err(failure) => return refuse(failure),
    };
    match upload(stream(request.into_body())).await {
        Ok(answer) => Json(answer).into_response(),
        Err(failure) => refuse(failure),
    }
}

async fn download(State(call): State<Call>, Path(secret): Path<String>) -> Response {
    let download = match call.tickets.download(&secret) {
        Ok(download) => download,
        Err(failure) => return refuse(failure),
    };
    match download().await {
        Ok(data) => (HEADERS, stream_out(data)).into_response(),
        Err(failure) => refuse(failure),
    }
}

fn refuse(failure: Failure) -> Response {
    let status = match failure.kind {
        Kind::Usage => StatusCode::BAD_REQUEST,
        Kind::Unauthorized => StatusCode::UNAUTHORIZED,
        Kind::Denied => StatusCode::FORBIDDEN,
        Kind::NotFound => StatusCode::NOT_FOUND,
        Kind::Conflict => StatusCode::CONFLICT,
        Kind::TooMany => StatusCode::TOO_MANY_REQUESTS,
        Kind::Locked => StatusCode::LOCKED,
        Kind::Pending => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    };
    (status, Json(json!({"error": problem(&failure)}))).into_response()
}
