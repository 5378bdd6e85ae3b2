//! Web5 Connect: a mailbox where an app leaves a request for a wallet, and the wallet its answer.
//!
//! Both are encrypted by those who leave them. They are kept in memory for ten minutes and handed out once. Unlike in the reference,
//! their size, number and sum are bounded, and each address has a share (`dwn.limits.letters…`). Nobody has to identify themselves.
//! HEAD takes nothing out.

use crate::{
    asker::Asker,
    node::Limits,
    pool::{self, Pool, Size},
};
use axum::{
    Extension, Router,
    body::Bytes,
    extract::{DefaultBodyLimit, Path, State},
    http::{HeaderMap, Method, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde_json::{Map, Value, json};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

/// How long a letter waits to be fetched, as in the reference.
const TTL: Duration = Duration::from_secs(600);
/// Largest body: a request or an ID token with its encryption is a few KiB.
const BODY_MAX: usize = 64 << 10;
/// Longest `state`: what the reference's table holds.
const STATE_MAX: usize = 512;

/// Letters that wait, by kind and name. Cheap to clone.
#[derive(Debug, Clone)]
struct Mailbox {
    url: Arc<str>,
    letters: Pool,
    bytes: Pool,
    waiting: Arc<Mutex<HashMap<(LetterKind, String), Letter>>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum LetterKind {
    Request,
    Answer,
}

#[derive(Debug)]
struct Letter {
    text: String,
    until: Instant,
    /// One letter and its bytes, in the shares of the address that left it.
    _places: [pool::Permit; 2],
}

/// Why a letter cannot be left here.
#[derive(Debug, PartialEq, Eq)]
enum NotLeft {
    Taken,
    NoRoom(pool::Full),
}

/// The routes. `url`: where this endpoint is reached from outside.
pub(super) fn router(url: &str, limits: &Limits) -> Router {
    let mailbox = Mailbox::new(url, limits);
    Router::new()
        .route("/connect/par", post(push))
        .route("/connect/authorize/{file}", get(authorize))
        .route("/connect/callback", post(callback))
        .route("/connect/token/{file}", get(token))
        .layer(DefaultBodyLimit::max(BODY_MAX))
        .with_state(mailbox)
}

/// An app leaves its request.
async fn push(
    State(mailbox): State<Mailbox>,
    Extension(asker): Extension<Asker>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let body = members(&headers, &body);
    let request = match body.get("request") {
        None | Some(Value::Null) => return status(StatusCode::BAD_REQUEST, "Bad Request: Missing 'request' parameter"),
        Some(Value::Object(request)) if request.contains_key("request_uri") => {
            return status(StatusCode::BAD_REQUEST, "Bad Request: 'request_uri' parameter is not allowed in PAR");
        }
        Some(request) => text(request),
    };
    let Some(id) = uuid() else { return status(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error") };
    match mailbox.leave(asker, (LetterKind::Request, id.clone()), request, Instant::now()) {
        Ok(()) => {
            let uri = format!("{}/connect/authorize/{id}.jwt", mailbox.url);
            let body = json!({"request_uri": uri, "expires_in": TTL.as_secs()});
            (StatusCode::CREATED, axum::Json(body)).into_response()
        }
        Err(full) => refuse(&full),
    }
}

/// The wallet fetches it.
async fn authorize(method: Method, State(mailbox): State<Mailbox>, Path(file): Path<String>) -> Response {
    mailbox.hand_out(&method, LetterKind::Request, &file)
}

/// The wallet leaves its answer.
async fn callback(
    State(mailbox): State<Mailbox>,
    Extension(asker): Extension<Asker>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let body = members(&headers, &body);
    let given = |name: &str| body.get(name).filter(|value| !value.is_null()).map(text);
    let (Some(token), Some(state)) = (given("id_token"), given("state").filter(|state| state.len() <= STATE_MAX))
    else {
        return status(StatusCode::BAD_REQUEST, "Bad Request");
    };
    match mailbox.leave(asker, (LetterKind::Answer, state), token, Instant::now()) {
        Ok(()) => status(StatusCode::CREATED, "Created"),
        Err(full) => refuse(&full),
    }
}

/// The app fetches it.
async fn token(method: Method, State(mailbox): State<Mailbox>, Path(file): Path<String>) -> Response {
    mailbox.hand_out(&method, LetterKind::Answer, &file)
}

impl Mailbox {
    fn new(url: &str, limits: &Limits) -> Self {
        let size = |most, share| Size { most, share, reserved: 0 };
        let letters = size(limits.letters as usize, limits.letters_per_address as usize);
        let bytes = size(limits.letters_bytes as usize, limits.letters_bytes_per_address as usize);
        Self {
            url: url.trim_end_matches('/').into(),
            letters: Pool::new("letters waiting", letters),
            bytes: Pool::new("bytes of letters waiting", bytes),
            waiting: Arc::default(),
        }
    }

    fn leave(&self, asker: Asker, name: (LetterKind, String), text: String, now: Instant) -> Result<(), NotLeft> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.retain(|_, letter| letter.until > now);
        if let Some(there) = waiting.get(&name) {
            // The same again is a repeated request; something else is somebody else.
            return if there.text == text { Ok(()) } else { Err(NotLeft::Taken) };
        }
        let places = [self.letters.take(asker, 1), self.bytes.take(asker, text.len() + name.1.len())];
        let [letter, bytes] = places.map(|place| place.map_err(NotLeft::NoRoom));
        waiting.insert(name, Letter { text, until: now + TTL, _places: [letter?, bytes?] });
        Ok(())
    }

    /// Hands a letter out, once. To who only looks (HEAD) it is shown and stays.
    fn take(&self, only_looks: bool, name: (LetterKind, String), now: Instant) -> Option<String> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if only_looks {
            return waiting.get(&name).filter(|letter| letter.until > now).map(|letter| letter.text.clone());
        }
        waiting.remove(&name).filter(|letter| letter.until > now).map(|letter| letter.text)
    }

    fn hand_out(&self, method: &Method, kind: LetterKind, file: &str) -> Response {
        let name = file.strip_suffix(".jwt").map(|name| (kind, name.to_owned()));
        match name.and_then(|name| self.take(*method == Method::HEAD, name, Instant::now())) {
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

fn refuse(full: &NotLeft) -> Response {
    match full {
        NotLeft::Taken => status(StatusCode::BAD_REQUEST, "Bad Request: there is an answer for this 'state'"),
        NotLeft::NoRoom(full) => status(StatusCode::TOO_MANY_REQUESTS, &format!("Too Many Requests: {full}")),
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
        Mailbox::new("", &Limits::default())
    }

    fn from(n: usize) -> Asker {
        let [.., a, b] = n.to_be_bytes();
        Asker::at([10, 0, a, b].into())
    }

    #[test]
    fn a_letter_is_read_once_and_lapses() {
        let (mailbox, now) = (mailbox(), Instant::now());
        let leave =
            |name: &str, text: &str, at| mailbox.leave(from(1), (LetterKind::Answer, name.into()), text.into(), at);
        let take = |kind, name: &str, at| mailbox.take(false, (kind, name.into()), at);
        assert_eq!(leave("a", "x", now), Ok(()));
        assert_eq!(leave("a", "x", now), Ok(()), "the same again");
        assert_eq!(leave("a", "y", now), Err(NotLeft::Taken));
        assert_eq!(take(LetterKind::Request, "a", now), None, "another kind");
        assert_eq!(mailbox.take(true, (LetterKind::Answer, "a".into()), now).as_deref(), Some("x"), "looked at");
        assert_eq!(take(LetterKind::Answer, "a", now).as_deref(), Some("x"));
        assert_eq!(take(LetterKind::Answer, "a", now), None);
        assert_eq!(mailbox.letters.used() + mailbox.bytes.used(), 0);
        assert_eq!(leave("b", "x", now), Ok(()));
        assert_eq!(take(LetterKind::Answer, "b", now + TTL), None);
    }

    #[test]
    fn one_address_fills_its_share_and_all_of_them_the_mailbox_until_something_lapses() {
        let (mailbox, now, limits) = (mailbox(), Instant::now(), Limits::default());
        let leave = |who, n: usize, size: usize, at| {
            mailbox.leave(from(who), (LetterKind::Request, n.to_string()), "x".repeat(size), at)
        };
        let left = (0..5000).filter(|n| leave(0, *n, 1, now).is_ok()).count();
        assert_eq!(left, limits.letters_per_address as usize, "as many as one has");
        for n in left..limits.letters as usize {
            assert_eq!(leave(1 + n / 64, n, 1, now), Ok(()), "others are not hindered");
        }
        let all = Err(NotLeft::NoRoom(pool::Full::All("letters waiting")));
        assert_eq!(leave(1000, 1_000_000, 1, now), all);
        let share = limits.letters_bytes_per_address as usize;
        assert_eq!(leave(0, 0, share - 1, now + TTL), Ok(()));
        let one = Err(NotLeft::NoRoom(pool::Full::Share("bytes of letters waiting")));
        assert_eq!(leave(0, 1, 1, now + TTL), one);
        assert_eq!(leave(1, 1, 1, now + TTL), Ok(()));
    }

    #[test]
    fn ids_are_uuids() {
        let id = uuid().expect("randomness");
        let parts: Vec<_> = id.split('-').map(str::len).collect();
        assert_eq!((parts, &id[14..15]), (vec![8, 4, 4, 4, 12], "4"));
    }
}
