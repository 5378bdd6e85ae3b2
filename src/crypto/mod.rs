//! Keys and signatures. Public keys are Ed25519 (EdDSA), secp256k1 (ES256K) and P-256 (ES256); X25519 is known
//! as a key that cannot sign. Where the JS SDK is lax (it never reads `alg`, ignores `crit`, accepts padded
//! base64 and DER signatures), this module is strict: no honest client is hurt by it.

pub mod ecies;
pub mod hd;
pub mod jws;
pub mod record;
pub mod seal;
mod secret;

pub use secret::Secret;

use crate::foreign::shown;
use base64::{
    Engine as _,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use ed25519_dalek::{Signer as _, Verifier as _};
use secret::Key;
use serde_json::{Value, json};

/// base64url, never padded; bits after the last byte must be zero, so that bytes have one spelling.
const BASE64URL: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::URL_SAFE,
    GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_padding_mode(DecodePaddingMode::RequireNone)
        .with_decode_allow_trailing_bits(false),
);

/// Why a key cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    #[error("key type {} is not supported: toft knows Ed25519, secp256k1, P-256 and X25519", shown(.0))]
    Unsupported(String),
    #[error("not a valid {0} public key")]
    Invalid(&'static str),
    #[error("not a public JWK: {0}")]
    Jwk(&'static str),
}

/// Somebody's public key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PublicKey {
    Ed25519(ed25519_dalek::VerifyingKey),
    Secp256k1(k256::ecdsa::VerifyingKey),
    P256(p256::ecdsa::VerifyingKey),
    /// For agreeing on secrets; verifies nothing.
    X25519([u8; 32]),
}

impl PublicKey {
    /// An Ed25519 key of 32 bytes. Keys of small order, under which anything verifies, are refused.
    pub fn ed25519(bytes: &[u8]) -> Result<Self, KeyError> {
        let bytes: &[u8; 32] = bytes.try_into().map_err(|_| KeyError::Invalid("Ed25519"))?;
        let key = ed25519_dalek::VerifyingKey::from_bytes(bytes).map_err(|_| KeyError::Invalid("Ed25519"))?;
        if key.is_weak() { Err(KeyError::Invalid("Ed25519")) } else { Ok(Self::Ed25519(key)) }
    }

    /// A secp256k1 key in SEC1 form, compressed or not.
    pub fn secp256k1(bytes: &[u8]) -> Result<Self, KeyError> {
        k256::ecdsa::VerifyingKey::from_sec1_bytes(bytes)
            .map(Self::Secp256k1)
            .map_err(|_| KeyError::Invalid("secp256k1"))
    }

    /// A P-256 key in SEC1 form, compressed or not.
    pub fn p256(bytes: &[u8]) -> Result<Self, KeyError> {
        p256::ecdsa::VerifyingKey::from_sec1_bytes(bytes).map(Self::P256).map_err(|_| KeyError::Invalid("P-256"))
    }

    /// An X25519 key of 32 bytes.
    pub fn x25519(bytes: &[u8]) -> Result<Self, KeyError> {
        bytes.try_into().map(Self::X25519).map_err(|_| KeyError::Invalid("X25519"))
    }

    /// The key of a public JWK. A JWK that holds a private part is refused: somebody published a secret.
    pub fn from_jwk(jwk: &Value) -> Result<Self, KeyError> {
        if jwk.get("d").is_some() {
            return Err(KeyError::Jwk("it holds a private key"));
        }
        let text = |name: &'static str| jwk.get(name).and_then(Value::as_str);
        let coordinate = |name: &'static str| {
            let text = text(name).ok_or(KeyError::Jwk("a coordinate is missing"))?;
            let bytes = decode(text).ok_or(KeyError::Jwk("a coordinate is not base64url"))?;
            <[u8; 32]>::try_from(bytes).map_err(|_| KeyError::Jwk("a coordinate does not have 32 bytes"))
        };
        let point = || {
            let mut point = [4; 65];
            point[1..33].copy_from_slice(&coordinate("x")?);
            point[33..].copy_from_slice(&coordinate("y")?);
            Ok(point)
        };
        match (text("kty"), text("crv")) {
            (Some("OKP"), Some("Ed25519")) => Self::ed25519(&coordinate("x")?),
            (Some("OKP"), Some("X25519")) => Self::x25519(&coordinate("x")?),
            (Some("EC"), Some("secp256k1")) => Self::secp256k1(&point()?),
            (Some("EC"), Some("P-256")) => Self::p256(&point()?),
            (kty, crv) => Err(KeyError::Unsupported(crv.or(kty).unwrap_or("of no name").into())),
        }
    }

    /// The key as a public JWK.
    pub fn to_jwk(&self) -> Value {
        let elliptic = |curve: &str, point: &[u8]| {
            let (x, y) = (encode(&point[1..33]), encode(&point[33..]));
            json!({"kty": "EC", "crv": curve, "x": x, "y": y})
        };
        match self {
            Self::Ed25519(key) => json!({"kty": "OKP", "crv": "Ed25519", "x": encode(key.as_bytes())}),
            Self::X25519(key) => json!({"kty": "OKP", "crv": "X25519", "x": encode(key)}),
            Self::Secp256k1(key) => elliptic("secp256k1", key.to_sec1_point(false).as_bytes()),
            Self::P256(key) => elliptic("P-256", key.to_sec1_point(false).as_bytes()),
        }
    }

    /// The one JWS algorithm this key may be used with, if it can sign at all.
    pub fn algorithm(&self) -> Option<&'static str> {
        match self {
            Self::Ed25519(_) => Some("EdDSA"),
            Self::Secp256k1(_) => Some("ES256K"),
            Self::P256(_) => Some("ES256"),
            Self::X25519(_) => None,
        }
    }

    /// Did the owner of this key sign `message`? ES256K and ES256 signatures are 64 bytes (r, s), never DER;
    /// both forms of `s` are accepted because JS clients do not lower it.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::Ed25519(key) => ed25519_dalek::Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify_strict(message, &signature).is_ok()),
            Self::Secp256k1(key) => k256::ecdsa::Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify(message, &signature.normalize_s()).is_ok()),
            Self::P256(key) => p256::ecdsa::Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify(message, &signature).is_ok()),
            Self::X25519(_) => false,
        }
    }
}

/// An Ed25519 key of our own, with the key id (DID URL) that others find its public half under.
pub struct Signer {
    key: Key,
    kid: String,
}

impl Signer {
    /// A signer from the 32 secret bytes; the caller's copy is wiped.
    pub fn new(secret: impl Into<Secret>, kid: impl Into<String>) -> Self {
        Self { key: Key::new(&secret.into()), kid: kid.into() }
    }

    /// The signer whose key id follows from its public key.
    pub fn of(secret: &Secret, kid: impl FnOnce(&[u8; 32]) -> String) -> Self {
        let key = Key::new(secret);
        let kid = kid(key.signing().verifying_key().as_bytes());
        Self { key, kid }
    }

    /// The DID URL of the key.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The DID that signs.
    pub fn did(&self) -> &str {
        self.kid.split_once('#').map_or(&self.kid, |(did, _)| did)
    }

    pub fn public(&self) -> PublicKey {
        PublicKey::Ed25519(self.key.signing().verifying_key())
    }

    /// Signs what two devices say to each other.
    pub fn sign_transcript(&self, transcript: &Transcript) -> [u8; 64] {
        self.sign(transcript.as_bytes())
    }

    /// Bytes signed for one use must mean nothing to another: there are two callers, and how they begin keeps them apart.
    fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.key.signing().sign(message).to_bytes()
    }
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Signer").field("kid", &self.kid).finish_non_exhaustive()
    }
}

/// What a device says in a protocol of ours, to be signed: the protocol's name, then parts with their lengths. It begins
/// with a slash, with which no JWS begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transcript(Vec<u8>);

impl Transcript {
    /// The beginning of one, for a protocol named `/toft/…`.
    pub fn new(protocol: &'static str) -> Self {
        assert!(protocol.starts_with("/toft/"), "{protocol} is no protocol of ours");
        Self(protocol.into())
    }

    #[must_use]
    pub fn with(mut self, part: &[u8]) -> Self {
        self.0.extend((part.len() as u32).to_be_bytes());
        self.0.extend(part);
        self
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// The public half of an Ed25519 seed.
pub fn ed25519_public(seed: &[u8; 32]) -> [u8; 32] {
    ed25519_dalek::SigningKey::from_bytes(seed).verifying_key().to_bytes()
}

/// base64url without padding.
pub fn encode(bytes: &[u8]) -> String {
    BASE64URL.encode(bytes)
}

/// The bytes of unpadded base64url in its one canonical spelling.
pub fn decode(text: &str) -> Option<Vec<u8>> {
    BASE64URL.decode(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use zeroize::Zeroizing;

    #[test]
    fn an_unknown_curve_is_refused_by_name() {
        let jwk = json!({"kty": "EC", "crv": "P-384", "x": "AA", "y": "AA"});
        assert_eq!(PublicKey::from_jwk(&jwk), Err(KeyError::Unsupported("P-384".into())));
    }

    #[test]
    fn x25519_verifies_nothing() {
        let key = PublicKey::x25519(&[9; 32]).expect("a key");
        assert_eq!((key.algorithm(), key.verify(b"", &[0; 64])), (None, false));
        assert_eq!(PublicKey::from_jwk(&key.to_jwk()), Ok(key));
    }

    #[test]
    fn a_jwk_survives_the_round_trip_and_a_private_one_does_not() {
        let signer = Signer::new(Zeroizing::new([7; 32]), "did:example:a#0");
        let mut jwk = signer.public().to_jwk();
        assert_eq!(PublicKey::from_jwk(&jwk), Ok(signer.public()));
        jwk["d"] = "AA".into();
        assert!(matches!(PublicKey::from_jwk(&jwk), Err(KeyError::Jwk(_))));
    }

    #[test]
    fn base64_has_one_spelling() {
        assert_eq!(decode("AQ"), Some(vec![1]));
        for other in ["AQ==", "AR", "A", "+w", "A Q"] {
            assert_eq!(decode(other), None, "{other}");
        }
    }

    #[test]
    fn an_ed25519_key_of_small_order_is_refused() {
        let mut identity = [0; 32];
        identity[0] = 1;
        assert_eq!(PublicKey::ed25519(&identity), Err(KeyError::Invalid("Ed25519")));
    }

    proptest! {
        #[test]
        fn foreign_key_bytes_never_panic(bytes: Vec<u8>, message: Vec<u8>) {
            let _ = (PublicKey::secp256k1(&bytes), PublicKey::p256(&bytes), PublicKey::x25519(&bytes));
            if let Ok(key) = PublicKey::ed25519(&bytes) {
                prop_assert!(!key.verify(&message, &bytes));
            }
        }
    }
}
