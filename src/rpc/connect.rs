//! Web5 Connect: a mailbox where an app leaves a request for a wallet, and the wallet its answer.
//!
//! What is left here is encrypted by those who leave it. It is kept in memory for ten minutes, handed out once,
//! and bounded in size, number and sum, which it is not in the reference. Nobody has to say who they are.

use axum::{
    Router,
    body::Bytes,
    extract::{DefaultBodyLimit, Path, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde_json::{Map, Value, json};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

/// How long something waits to be fetched; the reference's.
const TTL: Duration = Duration::from_secs(600);
/// Largest body: a request or an ID token with its encryption is a few KiB.
const BODY_MAX: usize = 64 << 10;
/// Things waiting at the same time, of all apps and wallets together.
const WAITING_MAX: usize = 4096;
/// Bytes of them.
const WAITING_BYTES: usize = 32 << 20;
/// Longest `state`: what the reference's table holds.
const STATE_MAX: usize = 512;

/// What waits, by kind and name. Cheap to clone.
#[derive(Debug, Clone)]
struct Mailbox {
    url: Arc<str>,
    waiting: Arc<Mutex<HashMap<(Kind, String), Letter>>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    Request,
    Answer,
}

#[derive(Debug)]
struct Letter {
    text: String,
    until: Instant,
}

/// Why something cannot be left here.
#[derive(Debug, PartialEq, Eq)]
enum Full {
    Taken,
    NoRoom,
}

/// The routes. `url`: where this endpoint is reached from outside.
pub(super) fn router(url: &str) -> Router {
    let mailbox = Mailbox { url: url.trim_end_matches('/').into(), waiting: Arc::default() };
    Router::new()
        .route("/connect/par", post(push))
        .route("/connect/authorize/{file}", get(authorize))
        .route("/connect/callback", post(callback))
        .route("/connect/token/{file}", get(token))
        .layer(DefaultBodyLimit::max(BODY_MAX))
        .with_state(mailbox)
}

/// An app leaves its request.
async fn push(State(mailbox): State<Mailbox>, headers: HeaderMap, body: Bytes) -> Response {
    let body = members(&headers, &body);
    let request = match body.get("request") {
        None | Some(Value::Null) => return status(StatusCode::BAD_REQUEST, "Bad Request: Missing 'request' parameter"),
        Some(Value::Object(request)) if request.contains_key("request_uri") => {
            return status(StatusCode::BAD_REQUEST, "Bad Request: 'request_uri' parameter is not allowed in PAR");
        }
        Some(request) => text(request),
    };
    let Some(id) = uuid() else { return status(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error") };
    match mailbox.leave(Kind::Request, id.clone(), request, Instant::now()) {
        Ok(()) => {
            let uri = format!("{}/connect/authorize/{id}.jwt", mailbox.url);
            let body = json!({"request_uri": uri, "expires_in": TTL.as_secs()});
            (StatusCode::CREATED, axum::Json(body)).into_response()
        }
        Err(full) => refuse(&full),
    }
}

/// The wallet fetches it.
async fn authorize(State(mailbox): State<Mailbox>, Path(file): Path<String>) -> Response {
    mailbox.hand_out(Kind::Request, &file)
}

/// The wallet leaves its answer.
async fn callback(State(mailbox): State<Mailbox>, headers: HeaderMap, body: Bytes) -> Response {
    let body = members(&headers, &body);
    let given = |name: &str| body.get(name).filter(|value| !value.is_null()).map(text);
    let (Some(token), Some(state)) = (given("id_token"), given("state").filter(|state| state.len() <= STATE_MAX))
    else {
        return status(StatusCode::BAD_REQUEST, "Bad Request");
    };
    match mailbox.leave(Kind::Answer, state, token, Instant::now()) {
        Ok(()) => status(StatusCode::CREATED, "Created"),
        Err(full) => refuse(&full),
    }
}

/// The app fetches it.
async fn token(State(mailbox): State<Mailbox>, Path(file): Path<String>) -> Response {
    mailbox.hand_out(Kind::Answer, &file)
}

impl Mailbox {
    fn leave(&self, kind: Kind, name: String, text: String, now: Instant) -> Result<(), Full> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.retain(|_, letter| letter.until > now);
        if let Some(there) = waiting.get(&(kind, name.clone())) {
            // The same again is a repeated request; something else is somebody else.
            return if there.text == text { Ok(()) } else { Err(Full::Taken) };
        }
        let bytes: usize = waiting.values().map(|letter| letter.text.len()).sum();
        if waiting.len() >= WAITING_MAX || bytes + text.len() > WAITING_BYTES {
            return Err(Full::NoRoom);
        }
        waiting.insert((kind, name), Letter { text, until: now + TTL });
        Ok(())
    }

    fn take(&self, kind: Kind, name: &str, now: Instant) -> Option<String> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.remove(&(kind, name.to_owned())).filter(|letter| letter.until > now).map(|letter| letter.text)
    }

    fn hand_out(&self, kind: Kind, file: &str) -> Response {
        let text = file.strip_suffix(".jwt").and_then(|name| self.take(kind, name, Instant::now()));
        match text {
            Some(text) => ([(header::CONTENT_TYPE, "application/jwt")], text).into_response(),
            None => status(StatusCode::NOT_FOUND, "Not Found"),
        }
    }
}

/// The members of a JSON object or a form; nothing if it is neither.
fn members(headers: &HeaderMap, body: &[u8]) -> Map<String, Value> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if kind.starts_with("application/x-www-form-urlencoded") {
        return url::form_urlencoded::parse(body).map(|(name, value)| (name.into(), value.into())).collect();
    }
    serde_json::from_slice(body).unwrap_or_default()
}

/// A text as it is, anything else as JSON.
fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn status(code: StatusCode, message: &str) -> Response {
    let body = json!({"ok": code.is_success(), "status": {"code": code.as_u16(), "message": message}});
    (code, axum::Json(body)).into_response()
}

fn refuse(full: &Full) -> Response {
    match full {
        Full::Taken => status(StatusCode::BAD_REQUEST, "Bad Request: there is an answer for this 'state'"),
        Full::NoRoom => status(StatusCode::TOO_MANY_REQUESTS, "Too Many Requests: try again in ten minutes"),
    }
}

/// A random UUID; nothing when the system has no randomness.
fn uuid() -> Option<String> {
    let mut bytes = [0u8; 16];
    getrandom::fill(&mut bytes).ok()?;
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex = hex::encode(bytes);
    let (parts, _) = [8, 4, 4, 4, 12].iter().fold((vec![], hex.as_str()), |(mut parts, rest), length| {
        let (part, rest) = rest.split_at(*length);
        parts.push(part);
        (parts, rest)
    });
    Some(parts.join("-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mailbox() -> Mailbox {
        Mailbox { url: "".into(), waiting: Arc::default() }
    }

    #[test]
    fn a_letter_is_read_once_and_lapses() {
        let (mailbox, now) = (mailbox(), Instant::now());
        let leave = |name: &str, text: &str, at| mailbox.leave(Kind::Answer, name.into(), text.into(), at);
        assert_eq!(leave("a", "x", now), Ok(()));
        assert_eq!(leave("a", "x", now), Ok(()), "the same again");
        assert_eq!(leave("a", "y", now), Err(Full::Taken));
        assert_eq!(mailbox.take(Kind::Request, "a", now), None, "another kind");
        assert_eq!(mailbox.take(Kind::Answer, "a", now).as_deref(), Some("x"));
        assert_eq!(mailbox.take(Kind::Answer, "a", now), None);
        assert_eq!(leave("b", "x", now), Ok(()));
        assert_eq!(mailbox.take(Kind::Answer, "b", now + TTL), None);
    }

    #[test]
    fn a_full_mailbox_takes_no_more_until_something_lapses() {
        let (mailbox, now) = (mailbox(), Instant::now());
        let leave = |n: usize, size: usize, at| mailbox.leave(Kind::Request, n.to_string(), "x".repeat(size), at);
        for n in 0..WAITING_MAX {
            assert_eq!(leave(n, 1, now), Ok(()));
        }
        assert_eq!(leave(WAITING_MAX, 1, now), Err(Full::NoRoom));
        assert_eq!(leave(0, WAITING_BYTES, now + TTL), Ok(()));
        assert_eq!(leave(1, 1, now + TTL), Err(Full::NoRoom));
    }

    #[test]
    fn ids_are_uuids() {
        let id = uuid().expect("randomness");
        let parts: Vec<_> = id.split('-').map(str::len).collect();
        assert_eq!((parts, &id[14..15]), (vec![8, 4, 4, 4, 12], "4"));
    }
}
