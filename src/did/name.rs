//! DIDs and DID URLs as texts: what is one, and its parts.

use crate::foreign::{self, shown};
use std::{fmt, str::FromStr};

/// Bytes of the longest DID that is taken for one: those of today's methods that carry a key, or a whole document of
/// some keys, in themselves are shorter.
pub const DID_MAX: usize = 2048;
/// Bytes of the longest DID URL: a key's name, or a path, comes on top.
const URL_MAX: usize = 2 * DID_MAX;

/// What one may ask of a DID.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("`{}` is not a DID", shown(.0))]
    Syntax(String),
    #[error("`{}` is not a DID URL with a fragment", shown(.0))]
    UrlSyntax(String),
    #[error("DID method `{}` is not supported here: toft resolves did:key, did:jwk, did:web and did:dht", shown(.0))]
    Method(String),
    #[error("{}: {why}", shown(.did))]
    Identifier { did: String, why: String },
}

/// A decentralized identifier, without path, query or fragment.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Did(pub(super) String);

impl Did {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// `key` of `did:key:z6Mk…`.
    pub fn method(&self) -> &str {
        self.parts().0
    }

    /// `z6Mk…` of `did:key:z6Mk…`.
    pub fn identifier(&self) -> &str {
        self.parts().1
    }

    fn parts(&self) -> (&str, &str) {
        split(&self.0).expect("a Did has been parsed")
    }

    pub(crate) fn invalid(&self, why: impl fmt::Display) -> Error {
        Error::Identifier { did: self.0.clone(), why: foreign::said(why) }
    }
}

impl FromStr for Did {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        split(text).map(|_| Self(text.into())).ok_or_else(|| Error::Syntax(text.into()))
    }
}

impl fmt::Display for Did {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A DID with a fragment: names one key of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DidUrl {
    pub did: Did,
    pub fragment: String,
}

impl FromStr for DidUrl {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let (did, fragment) = text.split_once('#').ok_or_else(|| Error::UrlSyntax(text.into()))?;
        if fragment.is_empty() || fragment.contains('#') || text.len() > URL_MAX {
            return Err(Error::UrlSyntax(text.into()));
        }
        Ok(Self { did: did.parse()?, fragment: fragment.into() })
    }
}

impl fmt::Display for DidUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.did, self.fragment)
    }
}

/// Method and method-specific identifier, if `text` is a DID (DID Core §3.1).
fn split(text: &str) -> Option<(&str, &str)> {
    if text.len() > DID_MAX {
        return None;
    }
    let (method, id) = text.strip_prefix("did:")?.split_once(':')?;
    let method_ok = !method.is_empty() && method.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    let id_ok = !id.is_empty() && !id.ends_with(':') && id_is_well_formed(id.as_bytes());
    (method_ok && id_ok).then_some((method, id))
}

fn id_is_well_formed(mut id: &[u8]) -> bool {
    while let Some((&first, rest)) = id.split_first() {
        id = match (first, rest) {
            (b'%', [a, b, rest @ ..]) if a.is_ascii_hexdigit() && b.is_ascii_hexdigit() => rest,
            (b'.' | b'-' | b'_' | b':', rest) => rest,
            (b, rest) if b.is_ascii_alphanumeric() => rest,
            _ => return false,
        };
    }
    true
}

/// Is `text` a DID or DID URL as the DWN schemas allow it (`defs.json#/$defs/did`)?
pub fn is_did_or_url(text: &str) -> bool {
    let end = text.find(['/', '?', '#', ';']).unwrap_or(text.len());
    text.len() <= URL_MAX && split(&text[..end]).is_some()
}
