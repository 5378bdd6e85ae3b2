//! An OpenTimestamps calendar for others (`anchor.calendar.serve`): `POST /digest` and `GET /timestamp/<hex>`, as the stock
//! client (opentimestamps 0.4.5) speaks to the reference (opentimestamps-server).
//!
//! A digest gets a nonce and becomes a loose leaf of the next batch; it is durable before it is promised. Only what came this
//! way is told of again: whether this node keeps something else is nobody's business. A promise names the URL in `dwn.url`,
//! never what a client says in `Host`.

use crate::{
    anchor::{
        Anchor, MEDIA_TYPE, Origin, ProofError, Refused,
        ots::{Attestation, Op, Stamp},
    },
    asker::Asker,
    budget::{Budget, For, Rate},
    cid,
    node::Limits,
};
use axum::{
    Extension, Router,
    body::Bytes,
    extract::{DefaultBodyLimit, Path, State},
    http::{HeaderName, Method, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use std::{sync::Arc, time::Duration};
use tokio::time::timeout;
use tower_http::cors::{Any, CorsLayer};
use url::Url;

/// Bytes of a digest, of whatever hash: as many as the reference takes.
const DIGEST_MAX: usize = 64;
/// Bytes of the nonce that a digest gets. Without it who knows a digest could ask whether it was stamped here.
const NONCE_LEN: usize = 16;
/// Characters of our URL: a promise has no room for more.
const URL_MAX: usize = 1000;
const MINUTE: Duration = Duration::from_secs(60);
/// Questions for every digest that may be handed in: a client asks several times until it is answered.
const QUESTIONS: u32 = 10;
/// How long a question waits for those before it.
const PATIENCE: Duration = Duration::from_secs(5);
/// What is said to who asks too often, or has to wait for the next batch.
const LATER: &str = "60";

#[derive(Clone)]
struct Shared {
    anchor: Anchor,
    /// How promises name us.
    url: Arc<str>,
    taken: Arc<Budget>,
    asked: Arc<Budget>,
    /// Answers that are being made: the first of a batch has its tree grown.
    turn: Arc<tokio::sync::Mutex<()>>,
}

/// Can promises name this URL? A sentence says why not.
pub fn check(url: &str) -> Result<(), String> {
    let parsed = Url::parse(url).map_err(|_| format!("{url:?} is no URL"))?;
    let spelled = bare(url).bytes().all(|b| b.is_ascii_alphanumeric() || b"-._/:".contains(&b));
    if !matches!(parsed.scheme(), "http" | "https") || !spelled || url.len() > URL_MAX {
        let allowed = "letters, digits and \"-._/:\"";
        return Err(format!(
            "{url:?} is no name for a calendar: proofs have room for an http(s):// URL of {allowed} alone"
        ));
    }
    Ok(())
}

/// The routes of the calendar.
pub fn router(anchor: Anchor, url: &str, limits: &Limits) -> Router {
    let rate = |times: u32| {
        let (most, share) = (limits.digests.saturating_mul(times), limits.digests_per_address.saturating_mul(times));
        Arc::new(Budget::new(Rate { most, share, reserved: 0, over: MINUTE }))
    };
    let cors = CorsLayer::new().allow_origin(Any).allow_methods([Method::GET, Method::POST]).allow_headers(Any);
    let shared = Shared {
        anchor,
        url: bare(url).into(),
        taken: rate(1),
        asked: rate(QUESTIONS),
        turn: Arc::new(tokio::sync::Mutex::new(())),
    };
    Router::new()
        .route("/digest", post(submit).layer(DefaultBodyLimit::max(DIGEST_MAX)))
        .route("/timestamp/{commitment}", get(timestamp))
        .layer(cors)
        .with_state(shared)
}

async fn submit(State(shared): State<Shared>, Extension(asker): Extension<Asker>, digest: Bytes) -> Response {
    if digest.is_empty() || digest.len() > DIGEST_MAX {
        return (StatusCode::BAD_REQUEST, "the body is the digest: 1 to 64 bytes\n").into_response();
    }
    if !shared.anchor.anchors() {
        let text = "this node anchors nothing at present (anchor.mode): nothing was stamped\n";
        return (StatusCode::SERVICE_UNAVAILABLE, text).into_response();
    }
    if !shared.taken.take_one(For::Asker(asker)) {
        return later(StatusCode::TOO_MANY_REQUESTS, "too many digests this minute: try again later\n".into());
    }
    let mut nonce = [0; NONCE_LEN];
    if let Err(error) = getrandom::fill(&mut nonce) {
        return broken(format_args!("the operating system gave no randomness: {error}"));
    }
    let commitment = cid::digest(&[&digest, nonce.as_slice()].concat());
    match shared.anchor.take(commitment, Origin::Stranger).await {
        Ok(()) => {
            let ops = [Op::Append(nonce.to_vec()), Op::Sha256];
            let promise = Stamp::line(ops.into_iter(), Attestation::Pending(shared.url.to_string()));
            (headers("no-store"), promise.bytes()).into_response()
        }
        Err(full @ Refused::Full) => later(StatusCode::SERVICE_UNAVAILABLE, format!("{full}\n")),
        Err(Refused::Fault(fault)) => broken(format_args!("a digest could not be kept: {fault:#}")),
    }
}

async fn timestamp(
    State(shared): State<Shared>,
    Extension(asker): Extension<Asker>,
    Path(commitment): Path<String>,
) -> Response {
    if !shared.asked.take_one(For::Asker(asker)) {
        return later(StatusCode::TOO_MANY_REQUESTS, "too many questions this minute: try again later\n".into());
    }
    let Ok(commitment) = hex::decode(&commitment) else {
        return (StatusCode::BAD_REQUEST, "commitment must be hex-encoded bytes").into_response();
    };
    let answer = match commitment.try_into() {
        Ok(digest) => {
            let Ok(turn) = timeout(PATIENCE, shared.turn.clone().lock_owned()).await else {
                return later(StatusCode::SERVICE_UNAVAILABLE, "too many ask at once: try again later\n".into());
            };
            // Who hangs up does not let the next one in.
            shared.anchor.timestamp(digest, turn).await
        }
        Err(_) => Err(ProofError::Unknown("Commitment not found".into())), // ours have 32 bytes
    };
    match answer {
        // What is final stays; should the chain take it back all the same, this node says so to who asks it then.
        Ok(stamp) => (headers("public, max-age=86400"), stamp).into_response(),
        Err(ProofError::Unknown(why) | ProofError::Pending(why)) => {
            (StatusCode::NOT_FOUND, [(header::CACHE_CONTROL, "public, max-age=60")], why).into_response()
        }
        Err(ProofError::Fault(fault)) => broken(format_args!("a timestamp could not be made: {fault:#}")),
    }
}

fn headers(cache: &'static str) -> [(HeaderName, &'static str); 2] {
    [(header::CONTENT_TYPE, MEDIA_TYPE), (header::CACHE_CONTROL, cache)]
}

fn later(status: StatusCode, text: String) -> Response {
    (status, [(header::RETRY_AFTER, LATER)], text).into_response()
}

fn broken(what: impl std::fmt::Display) -> Response {
    tracing::error!("{what}");
    StatusCode::INTERNAL_SERVER_ERROR.into_response()
}

fn bare(url: &str) -> &str {
    url.trim_end_matches('/')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_calendar_has_a_name_that_fits_into_a_proof() {
        for url in ["https://dwn.example", "http://127.0.0.1:3000/", "https://dwn.example:8443/a-b_c/"] {
            assert_eq!(check(url), Ok(()), "{url}");
        }
        for url in [
            "",
            "dwn.example",
            "ftp://dwn.example",
            "https://dwn.example?a",
            "https://u@dwn.example",
            "https://ä.example",
        ] {
            assert!(check(url).is_err(), "{url}");
        }
    }
}
