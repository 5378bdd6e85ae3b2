//! DIDs and their documents. did:key and did:jwk carry their document in themselves; what a did:web or did:dht
//! document says is read here too, but fetched elsewhere: this module knows no network.

pub mod dht;
mod document;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
pub mod jwk;
pub mod key;
pub mod web;

pub use document::{Document, Service, VerificationMethod};

use crate::{
    crypto::PublicKey,
    foreign::{self, shown},
};
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
pub struct Did(String);

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

    /// The document of a DID that carries it in itself; others are refused by method.
    pub fn document(&self) -> Result<Document, Error> {
        match self.method() {
            "key" => key::document(self),
            "jwk" => jwk::document(self),
            other => Err(Error::Method(other.into())),
        }
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

/// The key that a key id names, if its DID carries its document in itself. The id must match exactly.
pub fn key_of(kid: &str) -> Result<PublicKey, Error> {
    let url: DidUrl = kid.parse()?;
    url.did.document()?.key(kid).cloned()
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_a_did() {
        for good in ["did:key:z6Mk", "did:web:example.com%3A80:a", "did:a:b:c", "did:example:_-."] {
            assert_eq!(good.parse::<Did>().map(|did| did.to_string()), Ok(good.into()));
        }
        for bad in
            ["", "did:", "did:key", "did:key:", "did:Key:a", "did:key:a:", "did:key:a#b", "did:key:%1", "key:a:b"]
        {
            assert_eq!(bad.parse::<Did>(), Err(Error::Syntax(bad.into())));
        }
    }

    #[test]
    fn a_did_and_what_is_said_of_it_have_a_bound() {
        let of = |length: usize| format!("did:example:{}", "a".repeat(length - "did:example:".len()));
        assert!(of(DID_MAX).parse::<Did>().is_ok() && is_did_or_url(&of(DID_MAX)));
        for long in [of(DID_MAX + 1), of(3_000_000)] {
            let error = long.parse::<Did>().expect_err("too long");
            assert!(error.to_string().len() < 300, "{error}");
            assert!(!is_did_or_url(&long));
        }
        let fragment = format!("{}#{}", of(20), "b".repeat(3_000_000));
        assert!(fragment.parse::<DidUrl>().is_err() && !is_did_or_url(&fragment));
        let evil = "did:a:b\nERROR forged\u{1b}[2J".parse::<Did>().expect_err("not a DID").to_string();
        assert_eq!(evil, r"`did:a:b\u{a}ERROR forged\u{1b}[2J` is not a DID");
    }

    #[test]
    fn a_did_url_has_one_fragment() {
        let url: DidUrl = "did:key:a#b".parse().expect("parses");
        assert_eq!((url.did.as_str(), url.fragment.as_str()), ("did:key:a", "b"));
        for bad in ["did:key:a", "did:key:a#", "did:key:a#b#c", "a#b"] {
            assert!(bad.parse::<DidUrl>().is_err(), "{bad}");
        }
    }

    /// Made by `tests/vectors/generate.mjs` and `generate-dids.mjs`.
    #[test]
    fn documents_hold_the_keys_that_js_finds_in_them() {
        let vectors: serde_json::Value =
            serde_json::from_str(include_str!("../../tests/vectors/dids.json")).expect("JSON");
        let more: serde_json::Value =
            serde_json::from_str(include_str!("../../tests/vectors/did_keys.json")).expect("JSON");
        let cases = [&vectors, &more].map(|file| file["dids"].as_array().expect("a list"));
        for case in cases.into_iter().flatten() {
            let did: Did = case["did"].as_str().expect("a DID").parse().expect("parses");
            let ours = did.document().expect("resolves").methods;
            let signs = case["signs"] != false;
            assert!(ours.iter().all(|method| method.signs == signs), "{did}");
            let ours =
                ours.iter().map(|method| serde_json::json!({"id": method.id, "publicKeyJwk": method.key.to_jwk()}));
            assert_eq!(ours.collect::<serde_json::Value>(), case["methods"]);
        }
    }

    #[test]
    fn a_key_of_ours_gets_the_did_it_resolves_from() {
        let signer = crate::crypto::Signer::new(zeroize::Zeroizing::new([5; 32]), "");
        let PublicKey::Ed25519(public) = signer.public() else { panic!("it is Ed25519") };
        let did = key::from_ed25519(public.as_bytes());
        assert_eq!(key_of(&key::kid(&did)), Ok(signer.public()));
    }

    #[test]
    fn other_methods_are_refused_by_name() {
        let did: Did = "did:web:example.com".parse().expect("parses");
        assert_eq!(did.document(), Err(Error::Method("web".into())));
    }

    fn any_key() -> impl Strategy<Value = PublicKey> {
        let seed = any::<[u8; 32]>().prop_filter("a scalar of both curves", |seed| seed[0] < 0xff && seed[31] > 0);
        (seed, 0..4).prop_map(|(seed, kind)| match kind {
            0 => PublicKey::ed25519(&crate::crypto::ed25519_public(&seed)).expect("a key"),
            1 => PublicKey::Secp256k1(*k256::ecdsa::SigningKey::from_slice(&seed).expect("a key").verifying_key()),
            2 => PublicKey::P256(*p256::ecdsa::SigningKey::from_slice(&seed).expect("a key").verifying_key()),
            _ => PublicKey::x25519(&seed).expect("a key"),
        })
    }

    /// The did:key of any key, written from the rules and not by the code under test.
    fn did_key(key: &PublicKey) -> String {
        let (code, bytes) = match key {
            PublicKey::Ed25519(key) => ([0xed, 1], key.as_bytes().to_vec()),
            PublicKey::X25519(key) => ([0xec, 1], key.to_vec()),
            PublicKey::Secp256k1(key) => ([0xe7, 1], key.to_sec1_point(true).as_bytes().to_vec()),
            PublicKey::P256(key) => ([0x80, 0x24], key.to_sec1_point(true).as_bytes().to_vec()),
        };
        format!("did:key:z{}", bs58::encode([&code[..], &bytes].concat()).into_string())
    }

    proptest! {
        #[test]
        fn a_key_survives_its_did(key in any_key()) {
            let jwk = crate::crypto::encode(key.to_jwk().to_string().as_bytes());
            for (did, fragment) in [(did_key(&key), None), (format!("did:jwk:{jwk}"), Some("0"))] {
                let did: Did = did.parse().expect("a DID");
                let document = did.document().expect("it carries its document");
                prop_assert_eq!(document.methods.len(), 1);
                prop_assert_eq!(&document.methods[0].key, &key);
                let kid = format!("{did}#{}", fragment.unwrap_or(did.identifier()));
                prop_assert_eq!(&document.methods[0].id, &kid);
                prop_assert_eq!(key_of(&kid).ok(), key.algorithm().map(|_| key.clone()));
                prop_assert!(key_of(&(kid + "x")).is_err());
            }
        }

        #[test]
        fn a_changed_did_key_is_never_the_same_key(key in any_key(), at: prop::sample::Index, with in "[1-9A-HJ-NP-Za-km-z]") {
            let did = did_key(&key);
            let at = "did:key:z".len() + at.index(did.len() - "did:key:z".len());
            let mut changed = did.clone();
            changed.replace_range(at..=at, &with);
            prop_assume!(changed != did);
            let changed: Did = changed.parse().expect("a DID");
            if let Ok(document) = changed.document() {
                prop_assert_ne!(&document.methods[0].key, &key);
            }
        }

        #[test]
        fn a_did_comes_back_and_says_its_parts(method in "[a-z0-9]{1,9}", id in "[a-zA-Z0-9._-]{1,20}(:[a-zA-Z0-9._-]{1,9}){0,3}", fragment in "[a-zA-Z0-9]{1,9}") {
            let text = format!("did:{method}:{id}");
            let did: Did = text.parse().expect("a DID");
            prop_assert_eq!((did.method(), did.identifier(), did.as_str()), (method.as_str(), id.as_str(), text.as_str()));
            let url: DidUrl = format!("{text}#{fragment}").parse().expect("a DID URL");
            prop_assert_eq!((url.to_string(), url.did), (format!("{text}#{fragment}"), did));
        }

        #[test]
        fn arbitrary_text_never_panics(text: String, id in "[a-zA-Z0-9_-]{0,80}") {
            let _ = text.parse::<DidUrl>();
            let _ = is_did_or_url(&text);
            for method in ["key", "jwk"] {
                if let Ok(did) = format!("did:{method}:{id}").parse::<Did>() {
                    let _ = did.document();
                }
            }
        }
    }
}
