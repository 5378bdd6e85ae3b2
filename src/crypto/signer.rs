//! Signing, with an Ed25519 key of this node's own.

use super::key::PublicKey;
use super::secret::{self, Key, Secret};
use std::sync::{PoisonError, RwLock, RwLockReadGuard};

/// The keys are locked: nothing is signed until their owner unlocks them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the keys are locked; unlock them with: toft unlock")]
pub struct Locked;

/// The DID that signs, with an Ed25519 key of our own and the key id (DID URL) that others find its public half under. All who
/// hold it see at once when the key is locked, or another takes its place.
pub struct Signer {
    did: String,
    current: RwLock<Current>,
}

struct Current {
    kid: String,
    public: PublicKey,
    /// `None` while it is locked.
    key: Option<Key>,
}

impl Current {
    fn new(secret: &Secret, kid: impl FnOnce(&[u8; 32]) -> String) -> Self {
        let key = Key::new(secret);
        let public = key.public();
        Self { kid: kid(public.as_bytes()), public: PublicKey::Ed25519(public), key: Some(key) }
    }
}

impl Signer {
    /// A signer from the 32 secret bytes; the caller's copy is wiped.
    pub fn new(secret: impl Into<Secret>, kid: impl Into<String>) -> Self {
        Self::of(&secret.into(), |_| kid.into())
    }

    /// The signer whose key id follows from its public key.
    pub fn of(secret: &Secret, kid: impl FnOnce(&[u8; 32]) -> String) -> Self {
        let current = Current::new(secret, kid);
        let did = current.kid.split_once('#').map_or(&*current.kid, |(did, _)| did).to_owned();
        Self { did, current: RwLock::new(current) }
    }

    /// A signer whose key is locked, by what others know of it.
    pub fn locked(kid: impl Into<String>, public: PublicKey) -> Self {
        let kid = kid.into();
        let did = kid.split_once('#').map_or(&*kid, |(did, _)| did).to_owned();
        Self { did, current: RwLock::new(Current { kid, public, key: None }) }
    }

    /// The DID URL of the key.
    pub fn kid(&self) -> String {
        self.read().kid.clone()
    }

    /// The DID that signs.
    pub fn did(&self) -> &str {
        &self.did
    }

    pub fn public(&self) -> PublicKey {
        self.read().public.clone()
    }

    /// Wipes the key from memory.
    pub fn lock(&self) {
        self.current.write().unwrap_or_else(PoisonError::into_inner).key = None;
    }

    pub fn is_locked(&self) -> bool {
        self.read().key.is_none()
    }

    /// Signs with this key from now on: the same one after a lock, or the next one of this DID.
    pub fn set(&self, secret: &Secret, kid: impl Into<String>) {
        let next = Current::new(secret, |_| kid.into());
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = next;
    }

    /// Signs what two devices say to each other; with which key, is said beside the signature.
    pub fn sign_transcript(&self, transcript: &Transcript) -> Result<(String, [u8; 64]), Locked> {
        self.sign(|kid| (kid.to_owned(), transcript.as_bytes().to_vec()))
    }

    /// Signs what is made for the key of this id. Bytes signed for one use must mean nothing to another: there are two callers,
    /// and how they begin keeps them apart.
    pub(super) fn sign<T>(&self, make: impl FnOnce(&str) -> (T, Vec<u8>)) -> Result<(T, [u8; 64]), Locked> {
        let current = self.read();
        let key = current.key.as_ref().ok_or(Locked)?;
        let (made, message) = make(&current.kid);
        Ok((made, key.sign(&message)))
    }

    fn read(&self) -> RwLockReadGuard<'_, Current> {
        self.current.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Signer").field("kid", &self.kid()).finish_non_exhaustive()
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
    secret::public(seed).to_bytes()
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

    #[test]
    fn a_locked_key_signs_nothing_until_it_is_back() {
        let (signer, transcript) = (Signer::new([7; 32], "did:example:a#0"), Transcript::new("/toft/test/1"));
        let (kid, before) = signer.sign_transcript(&transcript).expect("it is there");
        signer.lock();
        assert_eq!((signer.is_locked(), signer.sign_transcript(&transcript)), (true, Err(Locked)));
        assert_eq!((signer.kid(), signer.did()), (kid.clone(), "did:example:a"));
        signer.set(&Secret::from([7; 32]), kid.as_str());
        assert_eq!(signer.sign_transcript(&transcript), Ok((kid, before)));
        signer.set(&Secret::from([8; 32]), "did:example:a#1");
        let (kid, after) = signer.sign_transcript(&transcript).expect("it is there");
        assert!(kid == "did:example:a#1" && after != before && signer.public().verify(transcript.as_bytes(), &after));
    }
}
