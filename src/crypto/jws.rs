//! General JWS (RFC 7515 §7.2.1) as DWN messages carry it: a payload and signatures over
//! `protected.payload`. Reading the structure ([`Jws::parse`]) and checking signatures ([`Jws::verify`])
//! are separate, because the keys must be looked up between the two.
//!
//! What a node signs for a purpose of its own says so in the header (`typ`), and is no signature of a message.

use super::base64url::{decode, encode};
use super::key::PublicKey;
use super::signer::{Locked, Signer};
use crate::foreign::shown;
use serde_json::{Value, json};

/// How the purposes of this node's own begin.
const OWN: &str = "toft/";

/// Why a JWS is not what it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("not a General JWS: {0}")]
    Shape(&'static str),
    #[error("no public key found for {}", shown(.0))]
    KeyNotFound(String),
    #[error("signature by {} is not valid: {}", shown(.0), .1)]
    Invalid(String, &'static str),
}

/// A parsed General JWS, not yet verified.
#[derive(Debug, Clone)]
pub struct Jws {
    payload: String,
    signatures: Vec<Signature>,
}

#[derive(Debug, Clone)]
struct Signature {
    protected: String,
    signature: String,
    kid: String,
    algorithm: Option<String>,
    /// What it is for, where that is not a message.
    purpose: Option<String>,
    /// Header members that change what a signature means, or are unknown to us.
    critical: bool,
}

impl Jws {
    /// Reads the structure. Header and payload need only decode; what they claim is judged by `verify`.
    pub fn parse(json: &Value) -> Result<Self, Error> {
        let payload = json.get("payload").and_then(Value::as_str).ok_or(Error::Shape("payload is missing"))?;
        let signatures =
            json.get("signatures").and_then(Value::as_array).ok_or(Error::Shape("signatures are missing"))?;
        if signatures.is_empty() {
            return Err(Error::Shape("signatures are empty"));
        }
        let signatures = signatures.iter().map(Signature::parse).collect::<Result<_, _>>()?;
        Ok(Self { payload: payload.to_owned(), signatures })
    }

    /// Number of signatures, at least one.
    pub fn len(&self) -> usize {
        self.signatures.len()
    }

    /// Never true: a JWS without signatures does not parse.
    pub fn is_empty(&self) -> bool {
        self.signatures.is_empty()
    }

    /// Key ids of the signers, in order.
    pub fn kids(&self) -> impl Iterator<Item = &str> {
        self.signatures.iter().map(|signature| signature.kid.as_str())
    }

    /// All signatures must verify with the key found under exactly their `kid`, and be those of a message.
    pub fn verify(&self, key: &impl Fn(&str) -> Option<PublicKey>) -> Result<(), Error> {
        self.verify_for(None, key)
    }

    /// The same for what was signed for `purpose`.
    pub fn verify_as(&self, purpose: &str, key: &impl Fn(&str) -> Option<PublicKey>) -> Result<(), Error> {
        self.verify_for(Some(purpose), key)
    }

    /// The purpose that all signatures name, if they do.
    pub fn purpose(&self) -> Option<&str> {
        let mut purposes = self.signatures.iter().map(|signature| signature.purpose.as_deref());
        let first = purposes.next()?;
        purposes.all(|purpose| purpose == first).then_some(first)?
    }

    fn verify_for(&self, purpose: Option<&str>, key: &impl Fn(&str) -> Option<PublicKey>) -> Result<(), Error> {
        self.signatures.iter().try_for_each(|signature| {
            if signature.purpose.as_deref() != purpose {
                return Err(Error::Invalid(signature.kid.clone(), "it was made for another purpose"));
            }
            let key = key(&signature.kid).ok_or_else(|| Error::KeyNotFound(signature.kid.clone()))?;
            signature.verify(&self.payload, &key).map_err(|why| Error::Invalid(signature.kid.clone(), why))
        })
    }

    /// A JWS over `payload` with one signature, as messages carry it.
    pub fn sign(payload: &[u8], signer: &Signer) -> Result<Value, Locked> {
        // Written by hand because clients put `kid` first and the bytes are what is signed.
        Self::sign_under(|kid| format!(r#"{{"kid":{kid},"alg":"EdDSA"}}"#), payload, signer)
    }

    /// The same for a purpose of this node's own, named `toft/…`.
    pub fn sign_as(purpose: &'static str, payload: &[u8], signer: &Signer) -> Result<Value, Locked> {
        assert!(purpose.starts_with(OWN), "{purpose} is no purpose of ours");
        let typ = Value::from(purpose);
        Self::sign_under(|kid| format!(r#"{{"kid":{kid},"alg":"EdDSA","typ":{typ}}}"#), payload, signer)
    }

    /// A compact JWS of the type `typ`: what is no message and goes to those who know JWTs.
    pub fn sign_compact(typ: &'static str, payload: &[u8], signer: &Signer) -> Result<String, Locked> {
        let typ = Value::from(typ);
        let json = Self::sign_under(|kid| format!(r#"{{"alg":"EdDSA","kid":{kid},"typ":{typ}}}"#), payload, signer)?;
        let part = |pointer: &str| json.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
        Ok([part("/signatures/0/protected"), part("/payload"), part("/signatures/0/signature")].join("."))
    }

    fn sign_under(header: impl FnOnce(&Value) -> String, payload: &[u8], signer: &Signer) -> Result<Value, Locked> {
        let payload = encode(payload);
        let (protected, signature) = signer.sign(|kid| {
            let protected = encode(header(&kid.into()).as_bytes());
            let input = format!("{protected}.{payload}").into_bytes();
            (protected, input)
        })?;
        Ok(json!({"payload": payload, "signatures": [{"protected": protected, "signature": encode(&signature)}]}))
    }
}

/// The payload of a General JWS, if it is a JSON value.
pub fn payload(jws: &Value) -> Option<Value> {
    let payload = jws.get("payload").and_then(Value::as_str)?;
    serde_json::from_slice(&decode(payload)?).ok()
}

impl Signature {
    fn parse(json: &Value) -> Result<Self, Error> {
        let text = |name| json.get(name).and_then(Value::as_str);
        let protected = text("protected").ok_or(Error::Shape("protected header is missing"))?;
        // A signature that is not there is one that does not verify.
        let signature = text("signature").unwrap_or_default();
        let header: Value = decode(protected)
            .and_then(|bytes| serde_json::from_slice(&bytes).ok())
            .ok_or(Error::Shape("protected header is not base64url JSON"))?;
        let kid = header.get("kid").and_then(Value::as_str).ok_or(Error::Shape("protected header has no kid"))?;
        Ok(Self {
            protected: protected.to_owned(),
            signature: signature.to_owned(),
            kid: kid.to_owned(),
            // Other types are a client's own word for a message.
            purpose: header.get("typ").and_then(Value::as_str).filter(|typ| typ.starts_with(OWN)).map(str::to_owned),
            algorithm: header.get("alg").and_then(Value::as_str).map(str::to_owned),
            critical: header.get("crit").is_some() || header.get("b64").is_some() || json.get("header").is_some(),
        })
    }

    fn verify(&self, payload: &str, key: &PublicKey) -> Result<(), &'static str> {
        if self.critical {
            return Err("header extensions are not supported");
        }
        let Some(algorithm) = key.algorithm() else { return Err("the key is not one that can sign") };
        if self.algorithm.as_deref() != Some(algorithm) {
            return Err("the algorithm is not that of the key");
        }
        let signature = decode(&self.signature).ok_or("it is not base64url")?;
        let input = [self.protected.as_bytes(), b".", payload.as_bytes()].concat();
        if key.verify(&input, &signature) { Ok(()) } else { Err("it does not verify") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use zeroize::Zeroizing;

    /// Made by `tests/vectors/generate.mjs` and `generate-dids.mjs`.
    #[test]
    fn verdicts_on_what_js_signed() {
        let read = |text: &str| serde_json::from_str::<Value>(text).expect("JSON")["cases"].take();
        let files =
            [read(include_str!("../../tests/vectors/jws.json")), read(include_str!("../../tests/vectors/es256.json"))];
        for case in files.iter().flat_map(|cases| cases.as_array().expect("a list")) {
            let kid = case["kid"].as_str().expect("a kid");
            let key = PublicKey::from_jwk(&case["publicKeyJwk"]).expect("a key");
            let verdict =
                Jws::parse(&case["jws"]).and_then(|jws| jws.verify(&|asked: &str| (asked == kid).then(|| key.clone())));
            assert_eq!(verdict.is_ok(), case["expect"] == true, "{}: {verdict:?}", case["name"]);
        }
    }

    #[test]
    fn what_we_sign_verifies_until_it_is_changed() {
        let signer = Signer::new(Zeroizing::new([3; 32]), "did:example:a#0");
        let mut json = Jws::sign(b"{}", &signer).expect("signs");
        let key = |_: &str| Some(signer.public());
        assert_eq!(Jws::parse(&json).and_then(|jws| jws.verify(&key)), Ok(()));
        assert_eq!(payload(&json), Some(json!({})));
        json["payload"] = encode(b"[]").into();
        assert!(matches!(Jws::parse(&json).and_then(|jws| jws.verify(&key)), Err(Error::Invalid(..))));
        assert!(matches!(Jws::parse(&json).and_then(|jws| jws.verify(&|_: &str| None)), Err(Error::KeyNotFound(_))));
    }

    #[test]
    fn what_is_signed_for_one_use_means_nothing_to_another() {
        let signer = Signer::new([3; 32], "did:example:a#0");
        let key = |_: &str| Some(signer.public());
        let parse = |json: &Value| Jws::parse(json).expect("a JWS");
        let message = parse(&Jws::sign(b"{}", &signer).expect("signs"));
        let [backup, other] =
            ["toft/backup", "toft/other"].map(|purpose| parse(&Jws::sign_as(purpose, b"{}", &signer).expect("signs")));
        assert_eq!((message.purpose(), backup.purpose()), (None, Some("toft/backup")));
        assert!(message.verify(&key).is_ok() && backup.verify_as("toft/backup", &key).is_ok());
        let refused = [
            message.verify_as("toft/backup", &key),
            other.verify_as("toft/backup", &key),
            backup.verify(&key),
            other.verify(&key),
        ];
        for verdict in refused {
            assert!(matches!(verdict, Err(Error::Invalid(_, "it was made for another purpose"))), "{verdict:?}");
        }
        // A transcript begins as no JWS does: with a slash, which is no base64url.
        let transcript = crate::crypto::Transcript::new("/toft/test/1").with(b"a").with(b"");
        assert_eq!(transcript.as_bytes(), b"/toft/test/1\0\0\0\x01a\0\0\0\0");
        let (_, signature) = signer.sign_transcript(&transcript).expect("signs");
        assert!(signer.public().verify(transcript.as_bytes(), &signature));
        assert!(message.signatures[0].protected.starts_with("ey") && backup.signatures[0].protected.starts_with("ey"));
    }

    proptest! {
        #[test]
        fn what_is_signed_verifies_and_nothing_else(seed: [u8; 32], bytes: Vec<u8>, at: prop::sample::Index, with in 1..=255u8) {
            let signer = Signer::new(Zeroizing::new(seed), "did:example:a#0");
            let key = |kid: &str| (kid == "did:example:a#0").then(|| signer.public());
            let check = |json: &Value| Jws::parse(json).and_then(|jws| jws.verify(&key));
            let json = Jws::sign(&bytes, &signer).expect("signs");
            prop_assert_eq!(check(&json), Ok(()));
            prop_assert_eq!(decode(json["payload"].as_str().expect("text")), Some(bytes.clone()));
            for pointer in ["/payload", "/signatures/0/protected", "/signatures/0/signature"] {
                let mut changed = json.clone();
                let field = changed.pointer_mut(pointer).expect("it is there");
                let mut bytes = decode(field.as_str().expect("text")).expect("base64url");
                match bytes.len() {
                    0 => bytes.push(with),
                    len => bytes[at.index(len)] ^= with,
                }
                *field = encode(&bytes).into();
                prop_assert!(check(&changed).is_err(), "{}", pointer);
            }
            let other = Signer::new(Zeroizing::new(crate::cid::digest(&seed)), "did:example:a#0");
            let verdict = Jws::parse(&json).and_then(|jws| jws.verify(&|_: &str| Some(other.public())));
            prop_assert!(matches!(verdict, Err(Error::Invalid(..))));
        }

        #[test]
        fn arbitrary_text_never_panics(payload_text: String, header: String, signature: String) {
            let json = json!({
                "payload": payload_text,
                "signatures": [{"protected": encode(header.as_bytes()), "signature": signature}],
            });
            let _ = payload(&json);
            let _ = Jws::parse(&json);
        }
    }
}
