//! Whom a listener answers: requests under one of its own names, and not from pages of strangers. One rule for all that is not for
//! everybody, as the DWN protocol and the gateway are: the wallet RPC, metrics, health.
//!
//! A page can make its own name point at this node (DNS rebinding); its browser then sends that name as `Host`. A browser sends the
//! page's origin with all that a page may not do by itself, and says whether it is another site's. Anybody can claim a name, so a
//! loopback name counts only for requests that come from loopback.

use crate::{access::Origin, asker::Asker, foreign::shown};
use anyhow::{Error, anyhow};
use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderName, StatusCode, header},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use std::{net::IpAddr, net::SocketAddr, sync::Arc};

const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");

/// The page that asks; `None`: no page does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Page(pub Option<Origin>);

/// Why a request is not for this listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unwelcome {
    /// It was sent to another name.
    Host,
    /// A page sent it that may not.
    Page(&'static str),
}

impl Unwelcome {
    pub fn status(self) -> StatusCode {
        match self {
            Self::Host => StatusCode::MISDIRECTED_REQUEST,
            Self::Page(_) => StatusCode::FORBIDDEN,
        }
    }
}

/// The names of a listener.
#[derive(Debug, Clone)]
pub(super) struct Hosts {
    /// Its own port: under loopback's names it is reached at this one.
    port: u16,
    more: Arc<[Name]>,
}

/// A host's name or address in one spelling.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Name {
    host: String,
    /// Of a name that is known: `None` fits every port. Of one that a request has: `None` is the scheme's own.
    port: Option<u16>,
}

impl Name {
    fn read(authority: &str) -> Option<Self> {
        let (host, port) = match authority.strip_prefix('[') {
            Some(rest) => {
                let (host, rest) = rest.split_once(']')?;
                (host, if rest.is_empty() { None } else { Some(rest.strip_prefix(':')?) })
            }
            None => match authority.split_once(':') {
                Some((host, port)) if !port.contains(':') => (host, Some(port)),
                // An IPv6 address that stands alone.
                _ => (authority, None),
            },
        };
        let port = port.map(|port| port.parse().map_err(|_| ())).transpose().ok()?;
        let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
        if host.is_empty() || host.contains(['/', '@', ' ']) {
            return None;
        }
        let host = host.parse::<IpAddr>().map_or(host, |address| address.to_canonical().to_string());
        Some(Self { host, port })
    }

    fn is_loopback(&self) -> bool {
        self.host == "localhost" || self.host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    }

    fn has_port(&self, port: u16) -> bool {
        self.port.map_or(matches!(port, 80 | 443), |own| own == port)
    }
}

impl Hosts {
    /// `address`: where the listener is. `more`: other names under which it is reached; one with a port fits that port alone. `key`: the
    /// setting that has them.
    pub fn new(address: SocketAddr, more: &[String], key: &str) -> Result<Self, Error> {
        Ok(Self { port: address.port(), more: named(more, key)?.into() })
    }

    /// Also the name in `url`, where the endpoint is reached from outside, at any port: a proxy may leave it out. A name of loopback
    /// at the URL's port alone: other programs of this machine have the others.
    pub fn and_of(self, url: &str) -> Self {
        let own = url::Url::parse(url).ok().and_then(|url| {
            let name = Name::read(url.host_str()?)?;
            let port = if name.is_loopback() { url.port_or_known_default() } else { None };
            Some(Name { port, ..name })
        });
        Self { port: self.port, more: self.more.iter().cloned().chain(own).collect() }
    }

    /// Is `authority` (a name, perhaps with a port) one of them? `here`: whoever asks comes from this machine.
    fn holds(&self, authority: &str, here: bool) -> bool {
        let Some(asked) = Name::read(authority) else { return false };
        if asked.is_loopback() && !here {
            return false;
        }
        let is_own = asked.is_loopback() && asked.has_port(self.port);
        is_own
            || self.more.iter().any(|name| name.host == asked.host && name.port.is_none_or(|port| asked.has_port(port)))
    }

    /// The page that sent a request to one of these names. Which origins may ask, the listener says; a request of a page that comes
    /// without one is refused. `uri`: the authority in the request line.
    pub fn admit(&self, asker: Option<Asker>, headers: &HeaderMap, uri: Option<&str>) -> Result<Page, Unwelcome> {
        const MANY: Unwelcome = Unwelcome::Page("a request has one Origin");
        let here = asker.is_some_and(Asker::is_here);
        // The authority in the request line wins over the header, as it does for proxies.
        let host = uri.or_else(|| one(headers, header::HOST).ok().flatten());
        if !host.is_some_and(|host| self.holds(host, here)) {
            return Err(Unwelcome::Host);
        }
        if let Some(text) = one(headers, header::ORIGIN).map_err(|()| MANY)? {
            let origin = text.parse().map_err(|_| Unwelcome::Page("the Origin is none of a page"))?;
            return Ok(Page(Some(origin)));
        }
        // Browsers leave the origin out of what a page may do by itself: navigation, images, scripts.
        let (site, mode) = (one(headers, FETCH_SITE).map_err(|()| MANY)?, one(headers, FETCH_MODE).map_err(|()| MANY)?);
        let is_own = site.is_none_or(|site| site == "none" || site == "same-origin");
        let is_plain = mode.is_none_or(|mode| mode != "no-cors");
        if is_own && is_plain { Ok(Page(None)) } else { Err(Unwelcome::Page("pages of other sites get nothing here")) }
    }

    /// Is it a page that this listener gave out itself?
    fn gave(&self, origin: &Origin, asker: Option<Asker>) -> bool {
        let authority = origin.as_str().strip_prefix("http").and_then(|rest| rest.split_once("://"));
        authority.is_some_and(|(_, authority)| self.holds(authority, asker.is_some_and(Asker::is_here)))
    }
}

/// Says which of the names in the setting `key` is none.
pub fn check(names: &[String], key: &str) -> Result<(), Error> {
    named(names, key).map(drop)
}

fn named(names: &[String], key: &str) -> Result<Vec<Name>, Error> {
    let wrong = "write a name or an address, with or without a port, such as dwn.local or 10.0.0.5:3000";
    let read =
        |text: &String| Name::read(text).ok_or_else(|| anyhow!("{key}: `{}` is no host's name: {wrong}", shown(text)));
    names.iter().map(read).collect()
}

/// Middleware of metrics and health: requests under one of the names, and pages of this listener alone.
pub(super) async fn only(State(hosts): State<Hosts>, request: Request, next: Next) -> Response {
    let uri = request.uri().authority().map(|authority| authority.as_str());
    let asker = request.extensions().get::<Asker>().copied();
    let why = match hosts.admit(asker, request.headers(), uri) {
        Ok(Page(origin)) if origin.as_ref().is_none_or(|origin| hosts.gave(origin, asker)) => {
            return next.run(request).await;
        }
        Ok(_) => Unwelcome::Page("this is not shown to pages of other origins"),
        Err(why) => why,
    };
    let message = match why {
        Unwelcome::Host => {
            "this is not shown under that name: ask at 127.0.0.1 with the port, or name more in dwn.hosts (node.toml)"
        }
        Unwelcome::Page(message) => message,
    };
    (why.status(), format!("{message}\n")).into_response()
}

/// A header's text, if there is one. Several, or junk, are an error.
pub(super) fn one(headers: &HeaderMap, name: HeaderName) -> Result<Option<&str>, ()> {
    let mut values = headers.get_all(name).iter();
    let first = values.next().map(|value| value.to_str().map_err(|_| ())).transpose()?;
    if values.next().is_some() { Err(()) } else { Ok(first) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(address: &str) -> Option<Asker> {
        Some(Asker::at(address.parse().expect("an address")))
    }

    fn hosts(more: &[&str]) -> Hosts {
        let more: Vec<String> = more.iter().map(|name| (*name).to_owned()).collect();
        Hosts::new("127.0.0.1:3000".parse().expect("an address"), &more, "dwn.hosts").expect("names")
    }

    fn asked(hosts: &Hosts, asker: Option<Asker>, given: &[(&'static str, &str)]) -> Result<Page, Unwelcome> {
        let mut headers = HeaderMap::new();
        for (name, value) in given {
            headers.append(*name, value.parse().expect("a value"));
        }
        hosts.admit(asker, &headers, None)
    }

    #[test]
    fn a_stranger_who_says_localhost_is_a_stranger() {
        let hosts = hosts(&["localhost:9000", "127.0.0.1"]).and_of("https://dwn.example.com");
        let ask = |asker: Option<Asker>, host: &str| asked(&hosts, asker, &[("host", host)]).is_ok();
        for host in ["localhost:3000", "127.0.0.1", "[::1]:3000", "localhost:9000"] {
            assert!(ask(from("127.0.0.1"), host) && ask(from("::1"), host) && ask(Some(Asker::Owner), host), "{host}");
            assert!(!ask(from("192.0.2.7"), host) && !ask(from("10.0.0.7"), host) && !ask(None, host), "{host}");
        }
        assert!(ask(from("192.0.2.7"), "dwn.example.com"), "the operator's name is for all who know it");
    }

    #[test]
    fn only_the_listeners_names_and_those_of_the_operator() {
        let hosts =
            hosts(&["10.0.0.5", "Dwn.Local:8080", "fd00::1", "[fd00::2]:1"]).and_of("https://dwn.example.com:8443/x");
        let ask = |given: &[(&'static str, &str)]| asked(&hosts, from("127.0.0.1"), given);
        for host in [
            "LOCALHOST:3000",
            "127.0.0.1:3000",
            "127.9.9.9:3000",
            "[::1]:3000",
            "[::ffff:127.0.0.1]:3000",
            "dwn.example.com",
            "DWN.example.com.",
            "dwn.example.com:1",
            "10.0.0.5:3000",
            "10.0.0.5",
            "dwn.local:8080",
            "[fd00::1]:3000",
            "[FD00:0::1]",
            "[fd00::2]:1",
        ] {
            assert_eq!(ask(&[("host", host)]), Ok(Page(None)), "{host}");
        }
        for host in [
            "",
            ":3000",
            "localhost",
            "localhost:3001",
            "127.0.0.1",
            "[::1]",
            "localhost:",
            "localhost:x",
            "a@localhost:3000",
            "evil.example:3000",
            "localhost.evil.example:3000",
            "127.0.0.1.evil.example:3000",
            "10.0.0.6",
            "dwn.local",
            "dwn.local:3000",
            "[fd00::2]",
            "dwn.example",
            "[::2]:3000",
            "x[::1]:3000",
            "[::1]x:3000",
        ] {
            assert_eq!(ask(&[("host", host)]), Err(Unwelcome::Host), "{host}");
        }
        assert_eq!(ask(&[]), Err(Unwelcome::Host));
        assert_eq!(ask(&[("host", "localhost:3000"), ("host", "localhost:3000")]), Err(Unwelcome::Host));
        let headers = HeaderMap::from_iter([(header::HOST, "localhost:3000".parse().expect("a value"))]);
        assert_eq!(hosts.admit(from("127.0.0.1"), &headers, Some("evil.example")), Err(Unwelcome::Host));
        for (port, host) in [(80, "localhost"), (443, "[::1]")] {
            let at = Hosts::new(SocketAddr::from(([127, 0, 0, 1], port)), &[], "rpc.hosts").expect("names");
            assert!(at.holds(host, true), "the scheme's own port is not written");
        }
    }

    #[test]
    fn a_url_at_loopback_counts_with_its_port() {
        let here = hosts(&[]).and_of("http://localhost:8080/dwn");
        for (host, is_own) in
            [("localhost:8080", true), ("127.0.0.1:3000", true), ("127.0.0.1:8080", false), ("localhost:8081", false)]
        {
            assert_eq!(here.holds(host, true), is_own, "{host}");
        }
        assert!(!here.holds("localhost:8080", false), "and for this machine alone");
        let here = hosts(&[]).and_of("http://localhost");
        assert!(here.holds("localhost", true) && !here.holds("localhost:8080", true));
    }

    #[test]
    fn a_name_that_is_none_is_an_error_that_says_where() {
        let address = "127.0.0.1:3000".parse().expect("an address");
        for wrong in ["", "http://a.example", "a.example:99999", "[::1", "a.example:"] {
            let error = Hosts::new(address, &[wrong.to_owned()], "rpc.hosts").expect_err(wrong).to_string();
            assert!(error.starts_with("rpc.hosts: `"), "{error}");
        }
    }

    #[test]
    fn a_page_is_known_by_its_origin_or_refused() {
        let hosts = hosts(&["10.0.0.5"]).and_of("https://dwn.example.com");
        let ask = |given: &[(&'static str, &str)]| {
            let mut all = vec![("host", "127.0.0.1:3000")];
            all.extend_from_slice(given);
            asked(&hosts, from("127.0.0.1"), &all)
        };
        for origin in ["https://app.example", "http://127.0.0.1:3000", "chrome-extension://abc"] {
            let page = ask(&[("origin", origin), ("sec-fetch-site", "cross-site")]).expect("a page");
            assert_eq!(page.0.as_ref().map(Origin::as_str), Some(origin));
        }
        for given in [
            &[("origin", "null")][..],
            &[("origin", "")],
            &[("origin", "https://a.example"), ("origin", "https://a.example")],
            &[("sec-fetch-site", "cross-site")],
            &[("sec-fetch-site", "same-site")],
            &[("sec-fetch-site", "none"), ("sec-fetch-mode", "no-cors")],
            &[("sec-fetch-site", "none"), ("sec-fetch-site", "none")],
        ] {
            assert!(matches!(ask(given), Err(Unwelcome::Page(_))), "{given:?}");
        }
        for given in
            [&[("sec-fetch-site", "none"), ("sec-fetch-mode", "navigate")][..], &[("sec-fetch-site", "same-origin")]]
        {
            assert_eq!(ask(given), Ok(Page(None)), "{given:?}");
        }
        let gave = |origin: &str, asker: &str| hosts.gave(&origin.parse().expect("an origin"), from(asker));
        assert!(gave("http://localhost:3000", "127.0.0.1") && gave("https://dwn.example.com", "192.0.2.7"));
        assert!(!gave("http://localhost:3000", "192.0.2.7") && !gave("http://localhost:5173", "127.0.0.1"));
        assert!(!gave("https://app.example", "127.0.0.1") && !gave("chrome-extension://localhost", "127.0.0.1"));
    }
}
