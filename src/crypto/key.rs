//! Public keys, as DID documents name them.

use super::base64url::{decode, encode};
use crate::foreign::shown;
use ed25519_dalek::Verifier as _;
use serde_json::{Value, json};

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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

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
