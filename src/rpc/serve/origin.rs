//! Where a request comes from, when a proxy has passed it on.
//!
//! Each proxy appends the address that connected to it to `Forwarded` or `X-Forwarded-For`. The list is read from its end, for as long
//! as the speaker is a trusted proxy. The first address that is not trusted is the asker. What stands before it may be made up.

use crate::asker::Network;
use axum::http::HeaderMap;
use std::net::{IpAddr, SocketAddr};

const FORWARDED: &str = "forwarded";
const X_FORWARDED_FOR: &str = "x-forwarded-for";
/// Longest chain of proxies that is followed.
const CHAIN_MAX: usize = 16;

/// Who asks, according to the proxies in `trusted`, where `peer` is one of them.
pub(super) fn asker(peer: IpAddr, headers: &HeaderMap, trusted: &[Network]) -> IpAddr {
    let walk = |name: &str, read: fn(&str) -> Option<IpAddr>| {
        headers.contains_key(name).then(|| walk(peer, headers, trusted, (name, read)))
    };
    match (walk(FORWARDED, forwarded), walk(X_FORWARDED_FOR, plain)) {
        (Some(one), None) | (None, Some(one)) => one,
        // A proxy writes one of the two and lets the other through: a client that sends the other must not win by it.
        (Some(one), Some(other)) if one == other => one,
        _ => peer,
    }
}

fn walk(
    peer: IpAddr,
    headers: &HeaderMap,
    trusted: &[Network],
    (name, read): (&str, fn(&str) -> Option<IpAddr>),
) -> IpAddr {
    let mut said = headers.get_all(name).iter().rev().flat_map(|line| {
        // Not text: junk of one element.
        let elements: Vec<_> = line.to_str().map_or(vec![""], |line| split(line, ','));
        elements.into_iter().rev()
    });
    let mut at = peer;
    for _ in 0..CHAIN_MAX {
        if !trusted.iter().any(|network| network.contains(at)) {
            break;
        }
        match said.next().map(read) {
            Some(Some(before)) => at = before,
            // Junk, or nobody before it: the proxy itself.
            _ => break,
        }
    }
    at
}

/// The parts between separators that stand outside of quotes.
fn split(text: &str, separator: char) -> Vec<&str> {
    let (mut quoted, mut escaped) = (false, false);
    let parts = text.split(move |c| {
        let ends = c == separator && !quoted;
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ => {}
        }
        ends
    });
    parts.map(str::trim).collect()
}

/// `for=192.0.2.43;proto=https`, `for="[2001:db8::1]:4711"`.
fn forwarded(element: &str) -> Option<IpAddr> {
    let mut pairs = split(element, ';').into_iter().filter_map(|pair| pair.split_once('='));
    let (_, node) = pairs.find(|(name, _)| name.trim().eq_ignore_ascii_case("for"))?;
    let node = node.trim();
    plain(node.strip_prefix('"').and_then(|node| node.strip_suffix('"')).unwrap_or(node))
}

/// An address, with or without a port; IPv6 in brackets or bare.
fn plain(element: &str) -> Option<IpAddr> {
    let address = element.parse().ok().or_else(|| element.parse::<SocketAddr>().ok().map(|at| at.ip()));
    let bare = || element.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    Some(address.or_else(bare)?.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::{HeaderName, HeaderValue};

    fn from(headers: &[(&'static str, &str)]) -> String {
        let trusted: Vec<Network> = ["127.0.0.1", "10.0.0.0/8"].map(|net| net.parse().expect("a network")).into();
        let headers = headers.iter().map(|(name, value)| {
            (HeaderName::from_static(name), HeaderValue::from_bytes(value.as_bytes()).expect("a value"))
        });
        asker([127, 0, 0, 1].into(), &headers.collect(), &trusted).to_string()
    }

    #[test]
    fn the_asker_is_who_the_last_trusted_proxy_saw() {
        assert_eq!(from(&[]), "127.0.0.1");
        assert_eq!(from(&[("x-forwarded-for", "9.9.9.9")]), "9.9.9.9");
        assert_eq!(from(&[("x-forwarded-for", "1.1.1.1, 9.9.9.9")]), "9.9.9.9", "what stands before is made up");
        assert_eq!(from(&[("x-forwarded-for", "1.1.1.1, 9.9.9.9, 10.0.0.1")]), "9.9.9.9", "a chain");
        assert_eq!(from(&[("x-forwarded-for", "9.9.9.9"), ("x-forwarded-for", "10.0.0.1")]), "9.9.9.9", "two lines");
        assert_eq!(from(&[("x-forwarded-for", "10.0.0.2")]), "10.0.0.2", "a proxy that asks for itself");
        assert_eq!(from(&[("x-forwarded-for", "9.9.9.9:4711")]), "9.9.9.9");
        assert_eq!(from(&[("x-forwarded-for", "2001:db8::1")]), "2001:db8::1");
        assert_eq!(from(&[("x-forwarded-for", "::ffff:9.9.9.9")]), "9.9.9.9");
        assert_eq!(from(&[("forwarded", "for=9.9.9.9;proto=https;by=10.0.0.1")]), "9.9.9.9");
        assert_eq!(from(&[("forwarded", "For=\"[2001:db8::1]:4711\"")]), "2001:db8::1");
        assert_eq!(from(&[("forwarded", "for=1.1.1.1, proto=https; for=9.9.9.9, for=10.0.0.1")]), "9.9.9.9");
        assert_eq!(from(&[("forwarded", "for=9.9.9.9;by=\"a, for=1.1.1.1\"")]), "9.9.9.9", "a quoted comma");
    }

    #[test]
    fn junk_is_the_proxy_itself() {
        for junk in ["", ",", "unknown", "_hidden", "9.9.9", "9.9.9.9, ", "for=9.9.9.9", "ü", "[::1", "9.9.9.9:99999"]
        {
            assert_eq!(from(&[("x-forwarded-for", junk)]), "127.0.0.1", "{junk}");
        }
        assert_eq!(from(&[("x-forwarded-for", "9.9.9.9, unknown, 10.0.0.1")]), "10.0.0.1", "the one that said it");
        for junk in ["9.9.9.9", "for=unknown", "for=", "proto=https", "for=\"9.9.9.9", "by=9.9.9.9"] {
            assert_eq!(from(&[("forwarded", junk)]), "127.0.0.1", "{junk}");
        }
        let both = [("forwarded", "for=1.1.1.1"), ("x-forwarded-for", "9.9.9.9")];
        assert_eq!(from(&both), "127.0.0.1", "one of them may be the client's own");
        let long = vec!["10.0.0.1"; 1000].join(", ");
        assert_eq!(from(&[("x-forwarded-for", &format!("9.9.9.9, {long}"))]), "10.0.0.1");
    }
}
