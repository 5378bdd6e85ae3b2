//! Who is answered at all: requests that [`super::super::hosts`] admits, from pages that hold a token, with JSON; and what browsers need to
//! hear.

use super::super::{
    control::{Call, Failure, Kind, failed},
    hosts::{Hosts, Page, Unwelcome, one},
};
use crate::asker::Asker;
use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use jiff::Timestamp;
use serde_json::Value;

const PRIVATE_ASKED: HeaderName = HeaderName::from_static("access-control-request-private-network");
const PRIVATE_ALLOWED: HeaderName = HeaderName::from_static("access-control-allow-private-network");
/// Seconds that a browser may remember a preflight's answer: short, because tokens are revoked.
const PREFLIGHT_AGE: &str = "60";

/// Pages of which origins may call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pages {
    /// Those for which there is a live token.
    WithToken,
    /// Of any origin: pairing.
    All,
}

/// What a guard knows.
#[derive(Clone)]
pub(super) struct Guarded {
    call: Call,
    hosts: Hosts,
    pages: Pages,
}

impl Guarded {
    pub fn new(call: Call, hosts: Hosts, pages: Pages) -> Self {
        Self { call, hosts, pages }
    }

    /// The page, if it may call.
    fn page(&self, request: &Request) -> Result<Page, Unwelcome> {
        let uri = request.uri().authority().map(|authority| authority.as_str());
        let asker = request.extensions().get::<Asker>().copied();
        let page = self.hosts.admit(asker, request.headers(), uri)?;
        let knows = |origin| self.call.access.knows(origin, Timestamp::now());
        if self.pages == Pages::All || page.0.as_ref().is_none_or(knows) {
            Ok(page)
        } else {
            Err(Unwelcome::Page("no wallet of this origin is paired: pair.request at /pair first"))
        }
    }
}

/// Middleware: answers preflights, and lets in who may come.
pub(super) async fn stand(State(guarded): State<Guarded>, mut request: Request, next: Next) -> Response {
    let audit = guarded.call.audit.clone();
    let page = match guarded.page(&request) {
        Ok(page) => page,
        Err(why) => {
            let (kind, message) = match why {
                Unwelcome::Host => (
                    "wrong host",
                    "this node is not called so here: use 127.0.0.1 with its port, or name more in rpc.hosts (node.toml)",
                ),
                Unwelcome::Page(message) => ("page of a stranger", message),
            };
            audit.refused(kind);
            return refuse(why.status(), message);
        }
    };
    let wants_private = request.headers().contains_key(PRIVATE_ASKED);
    let mut response = match (request.method(), &page.0) {
        (&Method::OPTIONS, Some(_)) => preflight(wants_private),
        (&Method::POST, _) if !is_json(request.headers()) => {
            refuse(StatusCode::UNSUPPORTED_MEDIA_TYPE, "a call is sent as Content-Type: application/json")
        }
        _ => {
            request.extensions_mut().insert(page.clone());
            next.run(request).await
        }
    };
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::VARY, HeaderValue::from_static("Origin"));
    if let Some(Ok(origin)) = page.0.map(|origin| HeaderValue::from_str(origin.as_str())) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("retry-after"));
    }
    response
}

fn preflight(wants_private: bool) -> Response {
    let mut response = StatusCode::NO_CONTENT.into_response();
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("POST, PUT, GET"));
    headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static("authorization, content-type"));
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static(PREFLIGHT_AGE));
    if wants_private {
        headers.insert(PRIVATE_ALLOWED, HeaderValue::from_static("true"));
    }
    response
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = one(headers, header::CONTENT_TYPE).ok().flatten().unwrap_or_default();
    kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
}

fn refuse(status: StatusCode, why: &str) -> Response {
    let kind = if status == StatusCode::UNSUPPORTED_MEDIA_TYPE { Kind::InvalidRequest } else { Kind::Denied };
    let text = failed(&Value::Null, Failure::new(kind, why)).text;
    (status, super::super::http::json_text(text)).into_response()
}
