//! A secret of 32 bytes, at one place of the memory. It is wiped when it is given up. Where the system allows it, its
//! page is locked, so that it does not reach a swap device. It is neither copied nor shown.

use ed25519_dalek::SigningKey;
use region::LockGuard;
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error as _, SeqAccess, Visitor},
};
use std::fmt;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// Something secret, alone on its page.
///
/// The page is a part of the heap as any other, so what is put here is put into it where it lies: a value that is moved
/// may leave a copy behind.
struct Locked<T> {
    /// Before the page, so that it is unlocked while it is still there. `None`: the system does not allow it.
    _lock: Option<LockGuard>,
    page: Box<Page<T>>,
}

/// As large as the largest pages there are (those of Apple's processors), so that nothing else lies on it.
#[repr(C, align(16384))]
struct Page<T>(T);

impl<T> Locked<T> {
    fn new(value: T) -> Self {
        let page = Box::new(Page(value));
        Self { _lock: region::lock(&raw const *page, size_of::<Page<T>>()).ok(), page }
    }
}

/// 32 secret bytes.
pub struct Secret(Locked<[u8; 32]>);

impl Secret {
    /// A secret of 32 bytes of zero, to be filled where it lies.
    fn empty() -> Self {
        Self(Locked::new([0; 32]))
    }

    /// A new secret of the system's randomness.
    pub fn random() -> Result<Self, getrandom::Error> {
        let mut secret = Self::empty();
        getrandom::fill(secret.expose_mut())?;
        Ok(secret)
    }

    /// The secret that is these bytes, if they are 32.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        let mut secret = Self::empty();
        (bytes.len() == 32).then(|| {
            secret.expose_mut().copy_from_slice(bytes);
            secret
        })
    }

    /// The bytes, to be used where they lie.
    pub fn expose(&self) -> &[u8; 32] {
        &self.0.page.0
    }

    /// The bytes, for who fills or takes them.
    pub fn expose_mut(&mut self) -> &mut [u8; 32] {
        &mut self.0.page.0
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        self.expose_mut().zeroize();
    }
}

impl ZeroizeOnDrop for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Of bytes that lie in the open for a moment: those of a test, or derived for one use.
impl From<[u8; 32]> for Secret {
    fn from(bytes: [u8; 32]) -> Self {
        Zeroizing::new(bytes).into()
    }
}

impl From<Zeroizing<[u8; 32]>> for Secret {
    fn from(bytes: Zeroizing<[u8; 32]>) -> Self {
        let mut secret = Self::empty();
        secret.expose_mut().copy_from_slice(&*bytes);
        secret
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self.expose().serialize(to)
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Bytes;

        impl<'de> Visitor<'de> for Bytes {
            type Value = Secret;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("32 bytes")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut bytes: A) -> Result<Secret, A::Error> {
                let mut secret = Secret::empty();
                for (at, byte) in secret.expose_mut().iter_mut().enumerate() {
                    *byte = bytes.next_element()?.ok_or_else(|| A::Error::invalid_length(at, &self))?;
                }
                Ok(secret)
            }
        }

        from.deserialize_tuple(32, Bytes)
    }
}

/// An Ed25519 key that signs.
pub(super) struct Key(Locked<SigningKey>);

impl Key {
    pub(super) fn new(secret: &Secret) -> Self {
        Self(Locked::new(SigningKey::from_bytes(secret.expose())))
    }

    /// It wipes itself when it is given up.
    pub(super) fn signing(&self) -> &SigningKey {
        &self.0.page.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_written_as_its_bytes_and_never_shown() {
        let secret = Secret::from([7; 32]);
        let json = serde_json::to_string(&secret).expect("JSON");
        assert_eq!(json, serde_json::to_string(&[7_u8; 32]).expect("JSON"));
        assert_eq!(serde_json::from_str::<Secret>(&json).expect("reads").expose(), &[7; 32]);
        assert!(serde_json::from_str::<Secret>("[1,2]").is_err());
        assert!(serde_json::from_str::<Secret>(&serde_json::to_string(&vec![1_u8; 33]).expect("JSON")).is_err());
        assert_eq!(format!("{secret:?}"), "Secret(…)");
    }

    #[test]
    fn secrets_have_a_page_each() {
        let (a, b) = (Secret::random().expect("randomness"), Secret::random().expect("randomness"));
        assert_ne!(a.expose(), b.expose());
        let page = |secret: &Secret| secret.expose().as_ptr() as usize;
        assert!(page(&a).is_multiple_of(16384) && page(&a) != page(&b));
        assert!(Secret::from_slice(&[1; 31]).is_none());
    }
}
