//! Signing, with an Ed25519 key of this node's own.

use super::key::PublicKey;
use super::secret::{Key, Secret};
use ed25519_dalek::Signer as _;

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
    pub(super) fn sign(&self, message: &[u8]) -> [u8; 64] {
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

#[cfg(test)]
mod tests {
    use super::super::key::KeyError;
    use super::*;
    use zeroize::Zeroizing;

    #[test]
    fn a_jwk_survives_the_round_trip_and_a_private_one_does_not() {
        let signer = Signer::new(Zeroizing::new([7; 32]), "did:example:a#0");
        let mut jwk = signer.public().to_jwk();
        assert_eq!(PublicKey::from_jwk(&jwk), Ok(signer.public()));
        jwk["d"] = "AA".into();
        assert!(matches!(PublicKey::from_jwk(&jwk), Err(KeyError::Jwk(_))));
    }
}
