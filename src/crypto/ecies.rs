//! ECIES over secp256k1 as the JS DWN SDK (eciesjs 0.4) does it: an ephemeral key, HKDF-SHA256 over both
//! uncompressed points, AES-256-GCM with a nonce of 16 bytes and no associated data. `ECIES-ES256K` in messages.

use super::base64url::decode;
use super::key::{self, KeyError};
use aes_gcm::{
    AesGcm, KeyInit as _,
    aead::{Aead as _, consts::U16},
    aes::Aes256,
};
use hkdf::Hkdf;
use k256::elliptic_curve::sec1::ToSec1Point as _;
use serde_json::{Value, json};
use sha2::Sha256;
use zeroize::{Zeroize as _, Zeroizing};

/// Bytes of a nonce and of a tag.
pub const NONCE: usize = 16;
pub const TAG: usize = 16;

/// Why something is not encrypted or does not open.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("does not open: wrong key, or the bytes were changed")]
    Open,
    #[error("the operating system gave no randomness")]
    Randomness,
}

/// A secp256k1 key to encrypt to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey(k256::PublicKey);

impl PublicKey {
    /// A key in SEC1 form, compressed or not.
    pub fn from_sec1(bytes: &[u8]) -> Result<Self, KeyError> {
        k256::PublicKey::from_sec1_bytes(bytes).map(Self).map_err(|_| KeyError::Invalid("secp256k1"))
    }

    /// The key of a public JWK; of one that holds a private part, an error.
    pub fn from_jwk(jwk: &Value) -> Result<Self, KeyError> {
        match key::PublicKey::from_jwk(jwk)? {
            key::PublicKey::Secp256k1(key) => Ok(Self(key.into())),
            _ => Err(KeyError::Unsupported("for encryption other than secp256k1".into())),
        }
    }

    /// As the SDK writes it.
    pub fn to_jwk(&self) -> Value {
        let mut jwk = key::PublicKey::Secp256k1(self.0.into()).to_jwk();
        jwk["alg"] = json!("ES256K");
        jwk
    }
}

/// `(kty, crv, x, y)`: what two JWKs must share to be of one key.
pub(super) fn coordinates(jwk: &Value) -> [Option<&str>; 4] {
    ["kty", "crv", "x", "y"].map(|name| jwk.get(name).and_then(Value::as_str))
}

/// The key that opens; wiped when dropped.
#[derive(Clone)]
pub(super) struct SecretKey(k256::SecretKey);

impl SecretKey {
    /// `None` for the few bytes (zero, and from the order of the curve) that are no key.
    pub(super) fn from_bytes(bytes: &[u8; 32]) -> Option<Self> {
        k256::SecretKey::from_slice(bytes).ok().map(Self)
    }

    pub(super) fn to_bytes(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.0.to_bytes().into())
    }

    pub(super) fn public(&self) -> PublicKey {
        PublicKey(self.0.public_key())
    }

    fn random() -> Result<Self, Error> {
        let mut bytes = Zeroizing::new([0; 32]);
        loop {
            getrandom::fill(bytes.as_mut_slice()).map_err(|_| Error::Randomness)?;
            // Almost every 32 bytes are a key: a second turn will not be seen.
            if let Some(key) = Self::from_bytes(&bytes) {
                return Ok(key);
            }
        }
    }
}

/// Something encrypted to a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    pub ephemeral: PublicKey,
    pub nonce: [u8; NONCE],
    pub tag: [u8; TAG],
    pub bytes: Vec<u8>,
}

/// A key for one message to whoever made it: for what must lie nowhere in the clear on its way.
pub struct OneTime(SecretKey);

impl OneTime {
    pub fn random() -> Result<Self, Error> {
        SecretKey::random().map(Self)
    }

    pub fn public(&self) -> PublicKey {
        self.0.public()
    }

    /// Opens the one message.
    pub fn open(self, sealed: &Sealed) -> Result<Zeroizing<Vec<u8>>, Error> {
        open(&self.0, sealed)
    }
}

impl std::fmt::Debug for OneTime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("OneTime(…)")
    }
}

impl Sealed {
    /// Ephemeral key (33) ‖ nonce (16) ‖ tag (16) ‖ the rest.
    pub fn to_bytes(&self) -> Vec<u8> {
        [self.ephemeral.0.to_sec1_point(true).as_bytes(), &self.nonce, &self.tag, &self.bytes].concat()
    }

    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (ephemeral, rest) = bytes.split_at_checked(33)?;
        let (nonce, rest) = rest.split_first_chunk()?;
        let (tag, bytes) = rest.split_first_chunk()?;
        let ephemeral = PublicKey::from_sec1(ephemeral).ok()?;
        Some(Self { ephemeral, nonce: *nonce, tag: *tag, bytes: bytes.to_vec() })
    }
}

/// Encrypts `plain` so that only the holder of `to` can open it.
pub fn seal(to: &PublicKey, plain: &[u8]) -> Result<Sealed, Error> {
    let ephemeral = SecretKey::random()?;
    let mut nonce = [0; NONCE];
    getrandom::fill(&mut nonce).map_err(|_| Error::Randomness)?;
    let from = ephemeral.public();
    // GCM refuses only what is longer than 64 GiB.
    let mut bytes = cipher(&from, to, &ephemeral)?.encrypt(&nonce.into(), plain).map_err(|_| Error::Open)?;
    let tag = bytes.split_off(plain.len());
    Ok(Sealed { ephemeral: from, nonce, tag: tag.try_into().map_err(|_| Error::Open)?, bytes })
}

/// Opens what was sealed to `key`.
pub(super) fn open(key: &SecretKey, sealed: &Sealed) -> Result<Zeroizing<Vec<u8>>, Error> {
    let cipher = cipher(&sealed.ephemeral, &sealed.ephemeral, key)?;
    let whole = [sealed.bytes.as_slice(), &sealed.tag].concat();
    cipher.decrypt(&sealed.nonce.into(), whole.as_slice()).map(Zeroizing::new).map_err(|_| Error::Open)
}

/// The cipher that both ends come to: from the ephemeral public key and the point that `other` and `own` share.
fn cipher(ephemeral: &PublicKey, other: &PublicKey, own: &SecretKey) -> Result<AesGcm<Aes256, U16>, Error> {
    // Not `k256::ecdh`, which keeps only x of the shared point.
    let mut shared = other.0.to_projective() * *own.0.to_nonzero_scalar();
    let mut material = Zeroizing::new(Vec::with_capacity(130));
    material.extend_from_slice(ephemeral.0.to_sec1_point(false).as_bytes());
    material.extend_from_slice(shared.to_affine().to_sec1_point(false).as_bytes());
    shared.zeroize();
    let mut key = Zeroizing::new([0; 32]);
    Hkdf::<Sha256>::new(None, &material).expand(&[], key.as_mut_slice()).map_err(|_| Error::Open)?;
    AesGcm::new_from_slice(key.as_slice()).map_err(|_| Error::Open)
}

/// The bytes of a base64url text of exactly `N` bytes.
pub(super) fn exactly<const N: usize>(text: &str) -> Option<[u8; N]> {
    decode(text)?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key(seed: u8) -> SecretKey {
        SecretKey::from_bytes(&[seed; 32]).expect("a key")
    }

    /// Made by `tests/vectors/generate-encryption.mjs`.
    #[test]
    fn what_js_sealed_opens() {
        let vectors: Value = serde_json::from_str(include_str!("../../tests/vectors/encryption.json")).expect("JSON");
        for case in vectors["ecies"].as_array().expect("a list") {
            let bytes = |name: &str| hex::decode(case[name].as_str().expect("hex")).expect("hex");
            let key = SecretKey::from_bytes(&bytes("privateKeyHex").try_into().expect("32")).expect("a key");
            let mut sealed = Sealed {
                ephemeral: PublicKey::from_sec1(&bytes("ephemeralKeyHex")).expect("a key"),
                nonce: bytes("ivHex").try_into().expect("16"),
                tag: bytes("tagHex").try_into().expect("16"),
                bytes: bytes("cipherHex"),
            };
            assert_eq!(*open(&key, &sealed).expect("opens"), bytes("plainHex"));
            sealed.nonce[15] ^= 1;
            assert_eq!(open(&key, &sealed), Err(Error::Open));
        }
    }

    #[test]
    fn keys_that_are_none_are_refused() {
        for bytes in [vec![], vec![0], vec![2; 32], [&[2], &[0xff; 32][..]].concat(), [&[4], &[1; 64][..]].concat()] {
            assert_eq!(PublicKey::from_sec1(&bytes), Err(KeyError::Invalid("secp256k1")), "{bytes:?}");
        }
        let ed25519 = key::PublicKey::x25519(&[9; 32]).expect("a key").to_jwk();
        assert!(matches!(PublicKey::from_jwk(&ed25519), Err(KeyError::Unsupported(_))));
        let mut jwk = key(1).public().to_jwk();
        assert_eq!(PublicKey::from_jwk(&jwk), Ok(key(1).public()));
        jwk["y"] = jwk["x"].clone();
        assert_eq!(PublicKey::from_jwk(&jwk), Err(KeyError::Invalid("secp256k1")));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn opens_with_its_key_and_every_byte(plain: Vec<u8>, at: prop::sample::Index, bit in 0..8u8) {
            let sealed = seal(&key(1).public(), &plain).expect("seals");
            prop_assert_eq!(&*open(&key(1), &sealed).expect("opens"), &plain);
            prop_assert_eq!(open(&key(2), &sealed), Err(Error::Open));
            let mut changed = sealed.clone();
            let flat: Vec<&mut u8> = changed.nonce.iter_mut().chain(&mut changed.tag).chain(&mut changed.bytes).collect();
            let at = at.index(flat.len());
            *flat.into_iter().nth(at).expect("a byte") ^= 1 << bit;
            prop_assert_eq!(open(&key(1), &changed), Err(Error::Open));
            let other = Sealed { ephemeral: key(3).public(), ..sealed };
            prop_assert_eq!(open(&key(1), &other), Err(Error::Open));
        }
    }
}
