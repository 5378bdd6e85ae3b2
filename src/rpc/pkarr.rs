//! The two routes of a pkarr relay, `PUT /<key>` and `GET /<key>`, by which this node is its users' did:dht gateway.
//!
//! A key is 52 characters of z-base-32: no other path of the DWN endpoint looks like one.

use crate::{
    asker::Asker,
    did::dht,
    resolve::{Relay, RelayError},
};
use axum::{
    Extension, Router,
    body::Bytes,
    extract::{DefaultBodyLimit, Path, State},
    http::{Method, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use tower_http::cors::{Any, CorsLayer};

/// How long caches may use a packet.
const CACHE_CONTROL: &str = "public, max-age=60";

/// The routes of the relay.
pub fn router(relay: Relay) -> Router {
    let cors = CorsLayer::new().allow_origin(Any).allow_methods([Method::GET, Method::PUT]).allow_headers(Any);
    Router::new()
        .route("/{key}", get(read).put(publish))
        .layer(DefaultBodyLimit::max(dht::PACKET_MAX))
        .layer(cors)
        .with_state(relay)
}

async fn read(State(relay): State<Relay>, Path(key): Path<String>) -> Response {
    match relay.get(&key) {
        Ok(Some(packet)) => {
            let headers = [
                (header::CONTENT_TYPE, "application/pkarr.org/relays#payload"),
                (header::CACHE_CONTROL, CACHE_CONTROL),
            ];
            (headers, packet).into_response()
        }
        Ok(None) => StatusCode::NOT_FOUND.into_response(),
        Err(fault) => {
            tracing::error!("reading the packet of {key}: {fault:#}");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

async fn publish(
    State(relay): State<Relay>,
    Path(key): Path<String>,
    Extension(asker): Extension<Asker>,
    packet: Bytes,
) -> Response {
    if !dht::is_id(&key) {
        return (StatusCode::NOT_FOUND, "the path is not an Ed25519 key in z-base-32\n").into_response();
    }
    let Err(error) = relay.put(&key, &packet, asker).await else { return StatusCode::NO_CONTENT.into_response() };
    let status = match &error {
        RelayError::Bad(_) => StatusCode::BAD_REQUEST,
        RelayError::Old(_) => StatusCode::CONFLICT,
        RelayError::TooMany | RelayError::TooManyNew => StatusCode::TOO_MANY_REQUESTS,
        RelayError::Full(_) => StatusCode::INSUFFICIENT_STORAGE,
        RelayError::Fault(fault) => {
            tracing::error!("{fault:#}");
            return StatusCode::INTERNAL_SERVER_ERROR.into_response();
        }
    };
    (status, format!("{error}\n")).into_response()
}
