//! DIDs and their documents. did:key and did:jwk carry their document in themselves; what a did:web or did:dht
//! document says is read here too, but fetched elsewhere: this module knows no network.

mod name;
mod multikey;
mod document;
pub mod key;
pub mod jwk;
pub mod web;
pub mod dht;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;

pub use document::{Document, PastKey, Service, VerificationMethod};
pub use name::{DID_MAX, Did, DidUrl, Error, is_did_or_url};

use crate::crypto::PublicKey;

impl Did {
    /// The document of a DID that carries it in itself; others are refused by method.
    pub fn document(&self) -> Result<Document, Error> {
        match self.method() {
            "key" => key::document(self),
            "jwk" => jwk::document(self),
            other => Err(Error::Method(other.into())),
        }
    }
}

/// The key that a key id names, if its DID carries its document in itself. The id must match exactly.
pub fn key_of(kid: &str) -> Result<PublicKey, Error> {
    let url: DidUrl = kid.parse()?;
    url.did.document()?.key(kid).cloned()
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
