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
                .is_ok_and(|signature| is_strictly_by(key, message, &signature)),
            Self::Secp256k1(key) => k256::ecdsa::Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify(message, &signature.normalize_s()).is_ok()),
            Self::P256(key) => p256::ecdsa::Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify(message, &signature).is_ok()),
            Self::X25519(_) => false,
        }
    }
}

/// `verify_strict` of the crate, without reading the point R: where the signature is right, R is written as that point is written, so
/// that the eight points of small order can be told by their bytes. It saves a tenth.
fn is_strictly_by(key: &ed25519_dalek::VerifyingKey, message: &[u8], signature: &ed25519_dalek::Signature) -> bool {
    !is_of_small_order(signature.r_bytes()) && !key.is_weak() && key.verify(message, signature).is_ok()
}

/// Is it how a point of small order is written?
fn is_of_small_order(point: &[u8; 32]) -> bool {
    let mut y = *point;
    y[31] &= 0x7f; // without the sign of x
    SMALL_ORDER.contains(&y)
}

/// The ys of the eight points whose order divides eight: 0, 1, −1, and of order eight two, each the other's negative.
const SMALL_ORDER: [[u8; 32]; 5] = [
    of_bytes(0, 0, 0),
    of_bytes(1, 0, 0),
    of_bytes(0xec, 0xff, 0x7f),
    [
        0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5, 0xdf,
        0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
    ],
    [
        0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a, 0x20,
        0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a,
    ],
];

const fn of_bytes(first: u8, between: u8, last: u8) -> [u8; 32] {
    let mut bytes = [between; 32];
    bytes[0] = first;
    bytes[31] = last;
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use curve25519_dalek::{
        Scalar,
        constants::{ED25519_BASEPOINT_POINT, EIGHT_TORSION},
    };
    use proptest::prelude::*;
    use sha2::{Digest as _, Sha512};

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

    #[test]
    fn the_points_of_small_order_are_told_by_their_bytes() {
        let torsion: Vec<[u8; 32]> = EIGHT_TORSION.iter().map(|point| point.compress().to_bytes()).collect();
        assert!(torsion.iter().all(is_of_small_order));
        let mut ys: Vec<[u8; 32]> = torsion
            .into_iter()
            .map(|[y @ .., last]| [&y[..], &[last & 0x7f]].concat())
            .map(|y| y.try_into().expect("32"))
            .collect();
        ys.sort_unstable();
        ys.dedup();
        assert_eq!(ys.len(), SMALL_ORDER.len());
        assert!(!is_of_small_order(&ED25519_BASEPOINT_POINT.compress().to_bytes()));
    }

    #[test]
    fn what_the_crate_calls_strict_is_what_is_taken() {
        use ed25519_dalek::{Signature, Signer as _, SigningKey, hazmat::ExpandedSecretKey};
        let (mut random, mut lenient) = (7_u64, 0);
        for round in 0..200_u32 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let seed = crate::cid::digest(&random.to_be_bytes());
            let (secret, message) = (SigningKey::from_bytes(&seed), round.to_be_bytes());
            let key = secret.verifying_key();
            let mut signature = secret.sign(&message);
            assert!(is_strictly_by(&key, &message, &signature));
            if round % 2 == 0 {
                // R of small order: what is left of it the lenient check may not see.
                let point = EIGHT_TORSION[round as usize / 2 % 8].compress().to_bytes();
                let hash =
                    Sha512::new().chain_update(point).chain_update(key.as_bytes()).chain_update(message).finalize();
                let s = Scalar::from_bytes_mod_order_wide(&hash.into()) * ExpandedSecretKey::from(&seed).scalar;
                signature = Signature::from_components(point, s.to_bytes());
                lenient += u32::from(key.verify(&message, &signature).is_ok());
            } else {
                let mut bytes = signature.to_bytes();
                bytes[random as usize % 64] ^= 1 << (random % 8);
                signature = Signature::from_bytes(&bytes);
            }
            let strict = key.verify_strict(&message, &signature).is_ok();
            assert_eq!(is_strictly_by(&key, &message, &signature), strict, "{signature}");
        }
        assert!(lenient > 5, "some of them the lenient check takes: {lenient}");
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
