//! General JWS (RFC 7515 §7.2.1) as DWN messages carry it: a payload and signatures over
//! `protected.payload`. Reading the structure ([`Jws::parse`]) and checking signatures ([`Jws::verify`])
//! are separate, because the keys must be looked up between the two.

use super::{PublicKey, Signer, decode, encode};
use serde_json::{Value, json};

/// Why a JWS is not what it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("not a General JWS: {0}")]
    Shape(&'static str),
    #[error("no public key found for {0}")]
    KeyNotFound(String),
    #[error("signature by {0} is not valid: {1}")]
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

    /// The payload, if it is a JSON value.
    pub fn payload(&self) -> Option<Value> {
        serde_json::from_slice(&decode(&self.payload)?).ok()
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

    /// All signatures must verify with the key found under exactly their `kid`.
    pub fn verify(&self, key: &impl Fn(&str) -> Option<PublicKey>) -> Result<(), Error> {
        self.signatures.iter().try_for_each(|signature| {
            let key = key(&signature.kid).ok_or_else(|| Error::KeyNotFound(signature.kid.clone()))?;
            signature.verify(&self.payload, &key).map_err(|why| Error::Invalid(signature.kid.clone(), why))
        })
    }

    /// A JWS over `payload` with one signature.
    pub fn sign(payload: &[u8], signer: &Signer) -> Value {
        // Written by hand because clients put `kid` first and the bytes are what is signed.
        let header = format!(r#"{{"kid":{},"alg":"EdDSA"}}"#, Value::from(signer.kid()));
        let (protected, payload) = (encode(header.as_bytes()), encode(payload));
        let signature = encode(&signer.sign(format!("{protected}.{payload}").as_bytes()));
        json!({"payload": payload, "signatures": [{"protected": protected, "signature": signature}]})
    }
}

impl Signature {
    fn parse(json: &Value) -> Result<Self, Error> {
        let text = |name| json.get(name).and_then(Value::as_str);
        let protected = text("protected").ok_or(Error::Shape("protected header is missing"))?;
        let signature = text("signature").ok_or(Error::Shape("signature is missing"))?;
        let header: Value = decode(protected)
            .and_then(|bytes| serde_json::from_slice(&bytes).ok())
            .ok_or(Error::Shape("protected header is not base64url JSON"))?;
        let kid = header.get("kid").and_then(Value::as_str).ok_or(Error::Shape("protected header has no kid"))?;
        Ok(Self {
            protected: protected.to_owned(),
            signature: signature.to_owned(),
            kid: kid.to_owned(),
            algorithm: header.get("alg").and_then(Value::as_str).map(str::to_owned),
            critical: header.get("crit").is_some() || header.get("b64").is_some() || json.get("header").is_some(),
        })
    }

    fn verify(&self, payload: &str, key: &PublicKey) -> Result<(), &'static str> {
        if self.critical {
            return Err("header extensions are not supported");
        }
        if self.algorithm.as_deref() != Some(key.algorithm()) {
            return Err("the algorithm is not that of the key");
        }
        let signature = decode(&self.signature).ok_or("it is not base64url")?;
        let input = [self.protected.as_bytes(), b".", payload.as_bytes()].concat();
        if key.verify(&input, &signature) { Ok(()) } else { Err("it does not verify") }
    }
}
