//! Who may see metrics and health: requests under one of the operator's host names, and not from pages of other origins.
//!
//! A page can make its own name point at this node (DNS rebinding). Its browser then sends that name as `Host`. A browser also sends
//! the page's origin. Anybody can claim a name, so a loopback name counts only for requests that come from loopback.

use crate::asker::Asker;
use axum::{
    extract::{Request, State},
    http::{HeaderMap, StatusCode, header},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use std::{collections::BTreeSet, net::IpAddr, sync::Arc};

/// Host names without ports. Loopback's are not among them.
#[derive(Debug, Clone)]
pub(super) struct Hosts(Arc<BTreeSet<String>>);

impl Hosts {
    /// `url`: where the endpoint is reached from outside. `more`: what the operator has named.
    pub fn new(url: &str, more: &[String]) -> Self {
        let own = url::Url::parse(url).ok().and_then(|url| url.host_str().map(plain));
        Self(Arc::new(own.into_iter().chain(more.iter().map(|name| plain(name))).collect()))
    }

    /// Is `authority` (a name, perhaps with a port) one of them? `here`: whoever asks comes from this machine.
    fn holds(&self, authority: &str, here: bool) -> bool {
        let name = without_port(authority);
        let address = name.trim_matches(['[', ']']).parse::<IpAddr>();
        let loopback = address.is_ok_and(|address| address.to_canonical().is_loopback());
        here && (loopback || name.eq_ignore_ascii_case("localhost")) || self.0.contains(&plain(name))
    }

    fn let_in(&self, asker: Option<Asker>, headers: &HeaderMap, uri: Option<&str>) -> bool {
        let here = asker.is_some_and(Asker::is_here);
        let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or_default());
        // The authority in the request line wins over the header, as it does for proxies.
        let host = uri.or_else(|| text(header::HOST)).unwrap_or_default();
        let origin = text(header::ORIGIN).map(|origin| origin.split_once("://").map_or("", |(_, authority)| authority));
        let foreign = text(header::HeaderName::from_static("sec-fetch-site")).is_some_and(|site| site == "cross-site");
        self.holds(host, here) && origin.is_none_or(|origin| self.holds(origin, here)) && !foreign
    }
}

/// Middleware: refuses all others with 403.
pub(super) async fn only(State(hosts): State<Hosts>, request: Request, next: Next) -> Response {
    let uri = request.uri().authority().map(|authority| authority.as_str());
    let asker = request.extensions().get::<Asker>().copied();
    if hosts.let_in(asker, request.headers(), uri) {
        return next.run(request).await;
    }
    let message = "this is not shown under that name or to pages of other origins: dwn.hosts in node.toml names more\n";
    (StatusCode::FORBIDDEN, message).into_response()
}

fn plain(name: &str) -> String {
    name.trim_matches(['[', ']']).trim_end_matches('.').to_ascii_lowercase()
}

/// `[::1]:80` and `a:80` without the port; an IPv6 address that stands alone is left as it is.
fn without_port(authority: &str) -> &str {
    if let Some(end) = authority.find(']') {
        return &authority[..=end];
    }
    match authority.split_once(':') {
        Some((name, port)) if !port.contains(':') => name,
        _ => authority,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(address: &str) -> Option<Asker> {
        Some(Asker::at(address.parse().expect("an address")))
    }

    #[test]
    fn a_stranger_who_says_localhost_is_a_stranger() {
        let hosts = Hosts::new("https://dwn.example.com", &[]);
        let ask = |asker: Option<Asker>, host: &str| {
            hosts.let_in(asker, &HeaderMap::from_iter([(header::HOST, host.parse().expect("a value"))]), None)
        };
        for host in ["localhost:3000", "127.0.0.1", "[::1]:3000"] {
            assert!(ask(from("127.0.0.1"), host) && ask(from("::1"), host) && ask(Some(Asker::Owner), host), "{host}");
            assert!(!ask(from("192.0.2.7"), host) && !ask(from("10.0.0.7"), host) && !ask(None, host), "{host}");
        }
        assert!(ask(from("192.0.2.7"), "dwn.example.com"), "the operator's name is for all who know it");
    }

    #[test]
    fn only_names_of_the_operators_and_no_foreign_pages() {
        let hosts =
            Hosts::new("https://dwn.example.com:8443/x", &["10.0.0.5".into(), "Dwn.Local".into(), "fd00::1".into()]);
        let ask = |given: &[(&'static str, &str)]| {
            let mut headers = HeaderMap::new();
            given.iter().for_each(|(name, value)| drop(headers.insert(*name, value.parse().expect("a value"))));
            hosts.let_in(from("127.0.0.1"), &headers, None)
        };
        for host in [
            "localhost",
            "LOCALHOST:3000",
            "127.0.0.1:3000",
            "127.9.9.9",
            "[::1]:3000",
            "::1",
            "[::ffff:127.0.0.1]",
            "dwn.example.com",
            "DWN.example.com.",
            "dwn.example.com:1",
            "10.0.0.5:3000",
            "dwn.local:3000",
            "[fd00::1]:3000",
        ] {
            assert!(ask(&[("host", host)]), "{host}");
            assert!(ask(&[("host", host), ("origin", &format!("http://{host}"))]), "{host}");
            assert!(!ask(&[("host", host), ("origin", "https://app.example")]), "{host}");
            assert!(!ask(&[("host", host), ("origin", "null")]), "{host}");
            assert!(!ask(&[("host", host), ("sec-fetch-site", "cross-site")]), "{host}");
        }
        for host in [
            "",
            "evil.example:3000",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "10.0.0.6",
            "dwn.example",
            "[::2]",
            "x[::1]",
        ] {
            assert!(!ask(&[("host", host)]), "{host}");
        }
        assert!(!ask(&[]));
        assert!(!hosts.let_in(
            from("127.0.0.1"),
            &HeaderMap::from_iter([(header::HOST, "localhost".parse().expect("a value"))]),
            Some("evil.example")
        ));
    }
}
