//! The URL of a DWN server, judged.

use crate::{foreign::shown, resolve::Target};
use url::Url;

/// Bytes of a URL at most: it is a key of the store, and shown.
const URL_MAX: usize = 500;

/// Where a DWN server is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Spelled in one way.
    pub url: String,
    pub target: Target,
}

impl Endpoint {
    /// A sentence says why a text is none.
    ///
    /// The owner of this node has named this host himself, so it may have a private or a loopback address. Nothing that a server
    /// says leads to another host: redirects are not followed.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong =
            |why: &str| format!("{} {why}; write the URL of a DWN server, such as https://dwn.example", shown(text));
        if text.len() > URL_MAX {
            return Err(wrong("is too long"));
        }
        let url = Url::parse(text).map_err(|_| wrong("is no URL"))?;
        let tls = match url.scheme() {
            "https" => true,
            "http" => false,
            _ => return Err(wrong("is neither https nor http")),
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err(wrong("has a user or password in it, which DWN servers do not ask for"));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(wrong("has a query or fragment (? or #), which would not be sent"));
        }
        let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else {
            return Err(wrong("names no host"));
        };
        if port == 0 {
            return Err(wrong("names port 0, where nobody listens"));
        }
        let authority = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
        // Clients of DWN servers append paths to it: with and without the last slash it is the same server.
        let path = url.path().trim_end_matches('/');
        let spelled = format!("{}://{authority}{path}", url.scheme());
        let path = if path.is_empty() { "/".to_owned() } else { path.to_owned() };
        let host = host.trim_matches(['[', ']']).to_owned();
        // Bodies are bounded by what is asked (`line.rs`), not here.
        Ok(Self { url: spelled, target: Target { tls, host, port, authority, path, trusted: true, body_max: 0 } })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_server_has_one_spelling() {
        let spelled = |text: &str| Endpoint::parse(text).map(|endpoint| endpoint.url);
        for text in ["https://dwn.example", "https://dwn.example/", "HTTPS://DWN.example:443//"] {
            assert_eq!(spelled(text).as_deref(), Ok("https://dwn.example"), "{text}");
        }
        let with_path = Endpoint::parse("http://[::1]:3000/a/b/").expect("a URL");
        assert_eq!(with_path.url, "http://[::1]:3000/a/b");
        assert_eq!((with_path.target.host.as_str(), with_path.target.path.as_str()), ("::1", "/a/b"));
        assert!(!with_path.target.tls && with_path.target.authority == "[::1]:3000");
    }

    #[test]
    fn what_is_no_server_is_refused_with_the_reason() {
        for (text, why) in [
            ("dwn.example", "is no URL"),
            ("ws://dwn.example", "neither https nor http"),
            ("file:///etc/passwd", "neither https nor http"),
            ("https://me:secret@dwn.example", "user or password"),
            ("https://dwn.example/?a=b", "query or fragment"),
            ("http://dwn.example:0", "port 0"),
            ("http://", "is no URL"),
        ] {
            let error = Endpoint::parse(text).expect_err(text);
            assert!(error.contains(why) && error.contains("https://dwn.example"), "{text}: {error}");
        }
        assert!(Endpoint::parse(&format!("https://{}.example", "a".repeat(600))).is_err());
    }
}
