//! Who is answered at all: requests under one of this listener's own names, and not from pages of strangers.
//!
//! A page can make its own name point at this node (DNS rebinding); its browser then sends that name as `Host`. A browser sends the
//! page's origin with all that a page may not do by itself, and says whether it is another site's.

use super::super::control::{Call, Failure, Kind, failed};
use crate::access::Origin;
use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use jiff::Timestamp;
use serde_json::Value;
use std::{collections::BTreeSet, net::SocketAddr, sync::Arc};

const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");
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

/// The page that asks; `None`: no page does.
#[derive(Debug, Clone)]
pub(super) struct Page(pub Option<Origin>);

/// What a guard knows.
#[derive(Clone)]
pub(super) struct Guarded {
    call: Call,
    /// `name:port`, in lower case.
    hosts: Arc<BTreeSet<String>>,
    pages: Pages,
}

impl Guarded {
    pub fn new(call: Call, address: SocketAddr, more: &[String], pages: Pages) -> Self {
        let port = address.port();
        let own =
            [address.to_string(), format!("127.0.0.1:{port}"), format!("[::1]:{port}"), format!("localhost:{port}")];
        let hosts = own.into_iter().chain(more.iter().map(|name| name.to_ascii_lowercase())).collect();
        Self { call, hosts: Arc::new(hosts), pages }
    }

    fn knows_host(&self, request: &Request) -> bool {
        // The authority in the request line wins over the header, as it does for proxies.
        let uri = request.uri().authority().map(|authority| authority.as_str());
        let host = uri.or_else(|| one(request.headers(), header::HOST).ok().flatten());
        host.is_some_and(|host| self.hosts.contains(&host.to_ascii_lowercase()))
    }

    /// The page, if it may call.
    fn page(&self, headers: &HeaderMap) -> Result<Page, &'static str> {
        const MANY: &str = "a request has one Origin";
        let Some(text) = one(headers, header::ORIGIN).map_err(|()| MANY)? else {
            // Browsers leave the origin out of what a page may do by itself: navigation, images, scripts.
            let of = |name| one(headers, name).map_err(|()| MANY).map(|value| value.map(str::to_owned));
            let (site, mode) = (of(FETCH_SITE)?, of(FETCH_MODE)?);
            let is_own = site.as_deref().is_none_or(|site| site == "none" || site == "same-origin");
            let is_plain = mode.as_deref().is_none_or(|mode| mode != "no-cors");
            return if is_own && is_plain { Ok(Page(None)) } else { Err("pages of other sites get nothing here") };
        };
        let origin: Origin = text.parse().map_err(|_| "the Origin is none of a page")?;
        let may = self.pages == Pages::All || self.call.access.knows(&origin, Timestamp::now());
        if may {
            Ok(Page(Some(origin)))
        } else {
            Err("no wallet of this origin is paired: pair.request at /pair first")
        }
    }
}

/// A header's text, if there is one. Several, or junk, are an error.
fn one(headers: &HeaderMap, name: HeaderName) -> Result<Option<&str>, ()> {
    let mut values = headers.get_all(name).iter();
    let first = values.next().map(|value| value.to_str().map_err(|_| ())).transpose()?;
    if values.next().is_some() { Err(()) } else { Ok(first) }
}

/// Middleware: answers preflights, and lets in who may come.
pub(super) async fn stand(State(guarded): State<Guarded>, mut request: Request, next: Next) -> Response {
    let audit = guarded.call.audit.clone();
    if !guarded.knows_host(&request) {
        audit.refused("wrong host");
        let message =
            "this node is not called so here: use 127.0.0.1 with its port, or name more in rpc.hosts (node.toml)";
        return refuse(StatusCode::MISDIRECTED_REQUEST, message);
    }
    let page = match guarded.page(request.headers()) {
        Ok(page) => page,
        Err(why) => {
            audit.refused("page of a stranger");
            return refuse(StatusCode::FORBIDDEN, why);
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
