//! Hierarchical keys for encrypted records, as the JS DWN SDK derives them (`HdKey`, `Records`).
//!
//! One secp256k1 root key per person; `key(path ‖ segment) = HKDF-SHA256(key(path), salt = "", info = segment)`.
//! Every step is one way, so whoever holds the key of a path can read all that lies below it and nothing beside it.
//! What the path of a record is, its derivation [`Scheme`] says.

use super::{
    base64url::{decode, encode},
    ecies::{self, PublicKey, SecretKey},
    secret::Secret,
};
use crate::foreign::{SHOWN_MAX, plain, said};
use hkdf::Hkdf;
use serde_json::{Value, json};
use sha2::Sha256;
use zeroize::Zeroizing;

/// Why a key cannot be derived or does not fit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("derivation scheme {:?} is not known: it is dataFormats, protocolContext, protocolPath or schemas", plain(.0, SHOWN_MAX))]
    Scheme(String),
    #[error("the derivation path {} holds an empty segment", said(format_args!("{:?}", .0)))]
    EmptySegment(Vec<String>),
    #[error("a record without {1} has no key under the scheme {0}")]
    Missing(Scheme, &'static str),
    #[error("the key of {} is not an ancestor of {}", said(format_args!("{:?}", .have)), said(format_args!("{:?}", .want)))]
    NotAncestor { have: Vec<String>, want: Vec<String> },
    #[error("the derivation leads to no valid key")]
    NoKey,
    #[error("not a derived private key: {0}")]
    Shape(&'static str),
}

/// By what of a record its key is derived.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scheme {
    /// `dataFormats / schema, if there is one / dataFormat`
    DataFormats,
    /// `protocolContext / recordId of the context's root`
    ProtocolContext,
    /// `protocolPath / protocol / each segment of the protocol path`
    ProtocolPath,
    /// `schemas / schema`
    Schemas,
}

impl Scheme {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::DataFormats, Self::ProtocolContext, Self::ProtocolPath, Self::Schemas];

    /// As messages name it; also the first segment of its paths.
    pub fn name(self) -> &'static str {
        match self {
            Self::DataFormats => "dataFormats",
            Self::ProtocolContext => "protocolContext",
            Self::ProtocolPath => "protocolPath",
            Self::Schemas => "schemas",
        }
    }

    /// The scheme of that name.
    pub fn named(name: &str) -> Result<Self, Error> {
        Self::ALL.into_iter().find(|scheme| scheme.name() == name).ok_or_else(|| Error::Scheme(name.into()))
    }

    /// The path of the key for a record. Of `message`, a RecordsWrite, the descriptor and the contextId are looked
    /// at; it need not be signed yet. URLs are taken as the descriptor has them, that is, normalised.
    pub fn path(self, message: &Value) -> Result<Vec<String>, Error> {
        let text = |name: &'static str| message["descriptor"][name].as_str();
        let must = |name: &'static str| text(name).ok_or(Error::Missing(self, name));
        let rest: Vec<&str> = match self {
            Self::DataFormats => text("schema").into_iter().chain([must("dataFormat")?]).collect(),
            Self::Schemas => vec![must("schema")?],
            Self::ProtocolPath => [must("protocol")?].into_iter().chain(must("protocolPath")?.split('/')).collect(),
            Self::ProtocolContext => {
                let context = message["contextId"].as_str().ok_or(Error::Missing(self, "contextId"))?;
                context.split('/').take(1).collect()
            }
        };
        let path: Vec<String> = [self.name()].into_iter().chain(rest).map(str::to_owned).collect();
        check(&path)?;
        Ok(path)
    }
}

impl std::fmt::Display for Scheme {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// The secret of a root key, from another secret: HKDF-SHA256 with a label of this one use. Who has the root key does not have what it
/// was made from.
pub fn root_secret(from: &Secret, label: &str) -> Result<Secret, Error> {
    step(from.expose(), label).map(Secret::from)
}

/// A root key, or one derived from it, that knows its place. What the SDK calls `DerivedPrivateJwk`.
#[derive(Clone)]
pub struct PrivateKey {
    root_key_id: String,
    scheme: Scheme,
    path: Vec<String>,
    secret: SecretKey,
}

impl PrivateKey {
    /// The root key of 32 bytes, for one scheme. `root_key_id` is the DID URL under which others find its public half.
    pub fn root(root_key_id: impl Into<String>, scheme: Scheme, secret: &[u8; 32]) -> Result<Self, Error> {
        let secret = SecretKey::from_bytes(secret).ok_or(Error::NoKey)?;
        Ok(Self { root_key_id: root_key_id.into(), scheme, path: vec![], secret })
    }

    /// The DID URL of the root key.
    pub fn root_key_id(&self) -> &str {
        &self.root_key_id
    }

    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// Where it lies; empty for a root key.
    pub fn path(&self) -> &[String] {
        &self.path
    }

    /// Its public half, to encrypt to.
    pub fn public(&self) -> PublicKey {
        self.secret.public()
    }

    /// The key at these segments below this one.
    pub fn derive(&self, segments: &[impl AsRef<str>]) -> Result<Self, Error> {
        let segments: Vec<String> = segments.iter().map(|segment| segment.as_ref().to_owned()).collect();
        check(&segments)?;
        let mut key = self.secret.to_bytes();
        for segment in &segments {
            key = step(&key, segment)?;
        }
        let secret = SecretKey::from_bytes(&key).ok_or(Error::NoKey)?;
        let path = self.path.iter().cloned().chain(segments).collect();
        Ok(Self { root_key_id: self.root_key_id.clone(), scheme: self.scheme, path, secret })
    }

    /// The key at a whole path, which must begin with this key's own.
    pub fn descend(&self, path: &[String]) -> Result<Self, Error> {
        let below = path.strip_prefix(self.path.as_slice());
        self.derive(below.ok_or_else(|| Error::NotAncestor { have: self.path.clone(), want: path.to_vec() })?)
    }

    /// The key of a record: of a RecordsWrite, signed or not yet.
    pub fn of_record(&self, message: &Value) -> Result<Self, Error> {
        self.descend(&self.scheme.path(message)?)
    }

    pub(super) fn secret(&self) -> &SecretKey {
        &self.secret
    }

    /// As the SDK's `DerivedPrivateJwk`, to hand to somebody who may read all below. It holds the secret.
    pub fn to_json(&self) -> Value {
        let mut jwk = self.public().to_jwk();
        jwk["d"] = encode(self.secret.to_bytes().as_slice()).into();
        let (root, scheme) = (&self.root_key_id, self.scheme.name());
        json!({"rootKeyId": root, "derivationScheme": scheme, "derivationPath": self.path, "derivedPrivateKey": jwk})
    }

    /// Reads what [`Self::to_json`] or the SDK wrote. The public half must be that of the private one.
    pub fn from_json(json: &Value) -> Result<Self, Error> {
        let text = |name: &str| json.get(name).and_then(Value::as_str);
        let path = match json.get("derivationPath") {
            None => vec![],
            Some(Value::Array(segments)) => segments
                .iter()
                .map(|segment| segment.as_str().map(str::to_owned))
                .collect::<Option<Vec<_>>>()
                .ok_or(Error::Shape("derivationPath holds something that is not text"))?,
            Some(_) => return Err(Error::Shape("derivationPath is not a list")),
        };
        check(&path)?;
        let jwk = json.get("derivedPrivateKey").ok_or(Error::Shape("derivedPrivateKey is missing"))?;
        let bytes = jwk.get("d").and_then(Value::as_str).and_then(decode).map(Zeroizing::new);
        let secret = bytes.as_deref().and_then(|bytes| SecretKey::from_bytes(bytes.as_slice().try_into().ok()?));
        let secret = secret.ok_or(Error::Shape("derivedPrivateKey has no valid d"))?;
        if ecies::coordinates(jwk) != ecies::coordinates(&secret.public().to_jwk()) {
            return Err(Error::Shape("the halves of derivedPrivateKey are not of one secp256k1 key"));
        }
        Ok(Self {
            root_key_id: text("rootKeyId").ok_or(Error::Shape("rootKeyId is missing"))?.to_owned(),
            scheme: Scheme::named(text("derivationScheme").ok_or(Error::Shape("derivationScheme is missing"))?)?,
            path,
            secret,
        })
    }
}

impl std::fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut out = f.debug_struct("PrivateKey");
        out.field("root_key_id", &self.root_key_id).field("scheme", &self.scheme).field("path", &self.path);
        out.finish_non_exhaustive()
    }
}

/// An empty segment would let two paths name one key.
fn check(path: &[String]) -> Result<(), Error> {
    if path.iter().any(String::is_empty) { Err(Error::EmptySegment(path.to_vec())) } else { Ok(()) }
}

fn step(key: &[u8; 32], segment: &str) -> Result<Zeroizing<[u8; 32]>, Error> {
    let mut next = Zeroizing::new([0; 32]);
    Hkdf::<Sha256>::new(None, key).expand(segment.as_bytes(), next.as_mut_slice()).map_err(|_| Error::NoKey)?;
    Ok(next)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn root(scheme: Scheme) -> PrivateKey {
        PrivateKey::root("did:example:a#enc", scheme, &[7; 32]).expect("a key")
    }

    /// Made by `tests/vectors/generate-encryption.mjs`.
    #[test]
    fn the_sdk_derives_the_same_keys() {
        let vectors: Value = serde_json::from_str(include_str!("../../tests/vectors/hd_keys.json")).expect("JSON");
        let secret = hex::decode(vectors["rootPrivateKeyHex"].as_str().expect("hex")).expect("hex");
        let root = PrivateKey::root("a", Scheme::Schemas, &secret.try_into().expect("32 bytes")).expect("a key");
        let path = |case: &Value| -> Vec<String> { serde_json::from_value(case["path"].clone()).expect("a path") };
        for case in vectors["keys"].as_array().expect("a list") {
            let key = root.derive(&path(case)).expect("derives");
            let hex = hex::encode(key.secret.to_bytes().as_slice());
            assert_eq!(
                (Value::from(hex), key.public().to_jwk()),
                (case["privateKeyHex"].clone(), case["publicKeyJwk"].clone())
            );
        }
        for case in vectors["refused"].as_array().expect("a list") {
            assert_eq!(case["error"], "HdKeyDerivationPathInvalid");
            assert_eq!(root.derive(&path(case)).err(), Some(Error::EmptySegment(path(case))));
        }
    }

    #[test]
    fn paths_need_what_they_are_made_of() {
        let flat = json!({"descriptor": {"dataFormat": "text/plain"}});
        assert_eq!(Scheme::DataFormats.path(&flat).expect("a path"), ["dataFormats", "text/plain"]);
        assert_eq!(Scheme::Schemas.path(&flat), Err(Error::Missing(Scheme::Schemas, "schema")));
        assert_eq!(Scheme::ProtocolPath.path(&flat), Err(Error::Missing(Scheme::ProtocolPath, "protocol")));
        assert_eq!(Scheme::ProtocolContext.path(&flat), Err(Error::Missing(Scheme::ProtocolContext, "contextId")));
        let odd = json!({"descriptor": {"protocol": "http://p", "protocolPath": "a//b"}, "contextId": ""});
        assert!(matches!(Scheme::ProtocolPath.path(&odd), Err(Error::EmptySegment(_))));
        assert!(matches!(Scheme::ProtocolContext.path(&odd), Err(Error::EmptySegment(_))));
        assert_eq!(Scheme::path(Scheme::Schemas, &Value::Null), Err(Error::Missing(Scheme::Schemas, "schema")));
    }

    #[test]
    fn only_an_ancestor_descends() {
        let key = root(Scheme::Schemas).derive(&["schemas", "a"]).expect("derives");
        let want: Vec<String> = ["schemas", "b"].map(Into::into).to_vec();
        assert!(matches!(key.descend(&want), Err(Error::NotAncestor { .. })));
        assert!(matches!(key.descend(&want[..1]), Err(Error::NotAncestor { .. })));
        assert_eq!(key.descend(key.path()).expect("is itself").public(), key.public());
    }

    #[test]
    fn a_key_that_was_tampered_with_or_is_none_is_refused_and_secrets_do_not_print() {
        assert_eq!(PrivateKey::root("a", Scheme::Schemas, &[0; 32]).err(), Some(Error::NoKey));
        assert_eq!(PrivateKey::root("a", Scheme::Schemas, &[0xff; 32]).err(), Some(Error::NoKey));
        let key = root(Scheme::Schemas);
        let json = key.to_json();
        for (pointer, value) in [
            ("/derivedPrivateKey/d", json!("AA")),
            ("/derivedPrivateKey/d", json!(encode(&[0; 32]))),
            ("/derivedPrivateKey/x", json!(encode(&[1; 32]))),
            ("/derivedPrivateKey/crv", json!("P-256")),
            ("/derivationScheme", json!("x")),
            ("/derivationPath", json!(["a", 1])),
            ("/derivationPath", json!([""])),
            ("/rootKeyId", json!(1)),
        ] {
            let mut changed = json.clone();
            *changed.pointer_mut(pointer).expect("it is there") = value;
            assert!(PrivateKey::from_json(&changed).is_err(), "{pointer}");
        }
        let shown = format!("{key:?}");
        assert!(!shown.contains("secret") && !shown.contains("[7, 7"), "{shown}");
    }

    proptest! {
        #[test]
        fn steps_taken_apart_or_together_lead_to_one_place(path in proptest::collection::vec(".{1,12}", 0..5), cut: prop::sample::Index) {
            let root = root(Scheme::ProtocolPath);
            let whole = root.derive(&path).expect("derives");
            let (first, second) = path.split_at(cut.index(path.len() + 1));
            let parts = root.derive(first).and_then(|key| key.derive(second)).expect("derives");
            prop_assert_eq!(whole.public(), parts.public());
            prop_assert_eq!(parts.path(), &path[..]);
            let read = PrivateKey::from_json(&whole.to_json()).expect("reads");
            prop_assert_eq!((read.public(), read.path(), read.scheme()), (whole.public(), whole.path(), whole.scheme()));
            // one segment more or less is another key
            prop_assert_ne!(root.derive(&[&path[..], &["x".to_owned()]].concat()).expect("derives").public(), whole.public());
        }
    }
}
