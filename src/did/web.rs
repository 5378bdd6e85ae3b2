//! did:web: where the document of such a DID lies. Fetching it is done elsewhere.

use super::name::{Did, Error};

/// A DNS name has at most this many bytes (RFC 1035).
const HOST_MAX: usize = 253;

/// The place of a did:web document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    pub host: String,
    pub port: Option<u16>,
    /// Absolute, made of letters, digits and `.-_` between slashes: nothing in it needs escaping.
    pub path: String,
}

impl Location {
    /// Host and port as a URL and a `Host` header write them.
    pub fn authority(&self) -> String {
        match self.port {
            Some(port) => format!("{}:{port}", self.host),
            None => self.host.clone(),
        }
    }
}

/// Where the document of a did:web lies. The only escape that is decoded is `%3A` before a port; every other one
/// is refused, so that no identifier means a path or a user that it does not show.
pub fn location(did: &Did) -> Result<Location, Error> {
    if did.method() != "web" {
        return Err(Error::Method(did.method().into()));
    }
    let mut parts = did.identifier().split(':');
    let authority = parts.next().unwrap_or_default();
    let (host, port) = match authority.split_once('%') {
        None => (authority, None),
        Some((host, escaped)) => {
            let port = escaped.strip_prefix("3A").or_else(|| escaped.strip_prefix("3a"));
            let port = port.ok_or_else(|| did.invalid("only %3A may be escaped, before a port"))?;
            (host, Some(parse_port(port).ok_or_else(|| did.invalid("the port is not a number from 1 to 65535"))?))
        }
    };
    if !is_host(host) {
        return Err(did.invalid("the host is not a DNS name in lower case"));
    }
    let segments: Vec<_> = parts.collect();
    if let Some(bad) = segments.iter().find(|segment| !is_segment(segment)) {
        return Err(did.invalid(format_args!("`{bad}` cannot stand in the path of a did:web")));
    }
    let path = if segments.is_empty() { ".well-known".into() } else { segments.join("/") };
    Ok(Location { host: host.into(), port, path: format!("/{path}/did.json") })
}

fn parse_port(text: &str) -> Option<u16> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|&port| digits && port > 0)
}

/// Whether an address written as digits may be asked is decided where names have been looked up.
fn is_host(host: &str) -> bool {
    let label = |label: &str| {
        let well_formed = label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        !label.is_empty() && well_formed && !label.starts_with('-') && !label.ends_with('-')
    };
    host.len() <= HOST_MAX && host.split('.').all(label)
}

fn is_segment(segment: &str) -> bool {
    let well_formed = segment.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'));
    !segment.is_empty() && well_formed && segment.bytes().any(|b| b != b'.')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn url(did: &str) -> Result<String, Error> {
        let location = location(&did.parse()?)?;
        Ok(format!("https://{}{}", location.authority(), location.path))
    }

    #[test]
    fn a_did_web_says_where_its_document_lies() {
        for (did, expected) in [
            ("did:web:example.com", "https://example.com/.well-known/did.json"),
            ("did:web:example.com%3A8443:user:alice", "https://example.com:8443/user/alice/did.json"),
            ("did:web:example.com%3a1:a.b_c-d", "https://example.com:1/a.b_c-d/did.json"),
            ("did:web:example.com:..0", "https://example.com/..0/did.json"),
        ] {
            assert_eq!(url(did).as_deref(), Ok(expected));
        }
    }

    #[test]
    fn nothing_hides_in_a_did_web() {
        for did in [
            "did:web:a%2F..%2F..%2Fb",
            "did:web:user%40host.example",
            "did:web:example.com%3A80%2Fx",
            "did:web:example.com%3A",
            "did:web:example.com%3A0",
            "did:web:example.com%3A+80",
            "did:web:example.com%3A65536",
            "did:web:example.com:..:x",
            "did:web:example.com:a%2Fb",
            "did:web:example.com:a::b",
            "did:web:-example.com",
            "did:web:example..com",
            "did:web:EXAMPLE.com",
            "did:web:exa_mple.com",
            "did:web:example.com.",
            "did:key:example.com",
        ] {
            assert!(url(did).is_err(), "{did} is {:?}", url(did));
        }
    }

    proptest! {
        #[test]
        fn a_location_says_what_its_did_says(
            host in "[a-z0-9]{1,9}(-[a-z0-9]{1,5})?(\\.[a-z]{1,9}){0,3}",
            port in proptest::option::of(1..=u16::MAX),
            path in proptest::collection::vec("[a-zA-Z0-9_-]{1,9}", 0..4),
        ) {
            let parts = [vec![host.clone() + &port.map(|port| format!("%3A{port}")).unwrap_or_default()], path.clone()].concat();
            let found = location(&format!("did:web:{}", parts.join(":")).parse().expect("a DID")).expect("a place");
            let path = if path.is_empty() { ".well-known".to_owned() } else { path.join("/") };
            prop_assert_eq!(found, Location { host, port, path: format!("/{path}/did.json") });
        }

        #[test]
        fn a_location_is_always_plain_text(id in "[a-zA-Z0-9.%:_-]{1,60}") {
            if let Ok(did) = format!("did:web:{id}").parse::<Did>()
                && let Ok(location) = location(&did)
            {
                let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b'/');
                prop_assert!(location.path.bytes().all(plain));
                // `..0` is a name like any other; a segment of dots alone is a place.
                prop_assert!(location.path.split('/').skip(1).all(|segment| segment.bytes().any(|b| b != b'.')));
                prop_assert!(location.host.bytes().all(|b| plain(b) && b != b'/'));
            }
        }
    }
}
