//! Origins of web pages, as browsers write them in `Origin`.

use crate::foreign::shown;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use std::{fmt, str::FromStr};
use url::Url;

/// Bytes of the longest origin.
const ORIGIN_MAX: usize = 300;

/// `https://wallet.example`, `http://127.0.0.1:5173`, `chrome-extension://…`: scheme, host and port, spelled in the one way in which a
/// browser does.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
#[serde(transparent)]
pub struct Origin(String);

/// A text that is no origin.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is no origin: write scheme, host and port as a browser does, such as https://wallet.example", shown(.0))]
pub struct NoOrigin(String);

impl Origin {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Origin {
    type Err = NoOrigin;

    fn from_str(text: &str) -> Result<Self, NoOrigin> {
        let is_short = text.len() <= ORIGIN_MAX;
        let is_page = |text: &str| {
            text.starts_with("http") && Url::parse(text).is_ok_and(|url| url.origin().ascii_serialization() == text)
        };
        if is_short && (is_extension(text) || is_page(text)) {
            return Ok(Self(text.to_owned()));
        }
        Err(NoOrigin(text.to_owned()))
    }
}

/// A browser's extension: its id stands in the place of the host.
fn is_extension(text: &str) -> bool {
    let id = ["chrome-extension://", "moz-extension://", "safari-web-extension://"]
        .iter()
        .find_map(|scheme| text.strip_prefix(scheme));
    id.is_some_and(|id| !id.is_empty() && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'))
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Origin {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_has_one_spelling() {
        for good in [
            "https://wallet.example",
            "http://127.0.0.1:5173",
            "http://localhost:3000",
            "http://[::1]:8080",
            "chrome-extension://abcdefghijklmnop",
            "https://xn--mnchen-3ya.example",
        ] {
            assert_eq!(good.parse::<Origin>().map(|origin| origin.to_string()).as_deref(), Ok(good));
        }
        for bad in [
            "",
            "null",
            "https://wallet.example/",
            "https://Wallet.example",
            "https://wallet.example:443",
            "https://u@wallet.example",
            "https://münchen.example",
            "wallet.example",
            "file:///etc",
            "data:text/html,x",
            "chrome-extension://",
            "chrome-extension://a/b",
            "https://a.example https://b.example",
            "*",
        ] {
            assert!(bad.parse::<Origin>().is_err(), "{bad}");
        }
        assert!(format!("https://{}.example", "a".repeat(400)).parse::<Origin>().is_err());
    }
}
