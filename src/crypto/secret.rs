//! A secret of 32 bytes, at one place of the memory. It is wiped when it is given up. Where the system allows it, its
//! page is locked, so that it does not reach a swap device, and left out of core files. It is neither copied nor shown.

use crate::memory::{self, wipe_stack};
use ed25519_dalek::{
    SigningKey, VerifyingKey,
    hazmat::{ExpandedSecretKey, raw_sign},
};
use memmap2::MmapMut;
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error as _, SeqAccess, Visitor},
};
use sha2::Sha512;
use std::{fmt, io, sync::Once};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// A page that was mapped for 32 bytes alone, and is no part of the heap: what is put here is put into it where it lies, and
/// however the handle moves, it stays there.
struct Page(MmapMut);

impl Page {
    /// Of zeros. Without memory it ends the process, as the heap does.
    fn new() -> Self {
        let page = MmapMut::map_anon(32).expect("memory for a secret");
        // A child of this process has no use for it, and a core file neither.
        #[cfg(target_os = "linux")]
        for advice in [memmap2::Advice::DontDump, memmap2::Advice::DontFork] {
            let _ = page.advise(advice); // where the system does not know it, the core limit of 0 still holds
        }
        page.lock().unwrap_or_else(|e| unlocked(&e));
        Self(page)
    }

    fn bytes(&self) -> &[u8; 32] {
        self.0.first_chunk().expect("it is 32 bytes long")
    }

    fn bytes_mut(&mut self) -> &mut [u8; 32] {
        self.0.first_chunk_mut().expect("it is 32 bytes long")
    }
}

/// Says once that pages of secrets are not locked, and goes on.
fn unlocked(why: &io::Error) {
    static SAID: Once = Once::new();
    SAID.call_once(|| {
        tracing::warn!(
            "the system does not lock the memory that keys lie in ({why}), so that they may be written to a swap device: \
             raise the limit on locked memory (ulimit -l, LimitMEMLOCK= of systemd), or encrypt the swap"
        );
    });
}

/// 32 secret bytes.
pub struct Secret(Page);

impl Secret {
    /// A secret of 32 bytes of zero, to be filled where it lies.
    fn empty() -> Self {
        Self(Page::new())
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
        self.0.bytes()
    }

    /// The bytes, for who fills or takes them.
    pub fn expose_mut(&mut self) -> &mut [u8; 32] {
        self.0.bytes_mut()
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

/// An Ed25519 key that signs: its seed lies at this one place, and what a signature is computed with, only while it is.
pub(super) struct Key {
    seed: Secret,
    public: VerifyingKey,
}

impl Key {
    pub(super) fn new(secret: &Secret) -> Self {
        let mut seed = Secret::empty();
        seed.expose_mut().copy_from_slice(secret.expose());
        Self { public: public(seed.expose()), seed }
    }

    pub(super) fn public(&self) -> VerifyingKey {
        self.public
    }

    /// The signature, as `SigningKey::sign` makes it, for which the seed would have to lie in a `SigningKey`.
    pub(super) fn sign(&self, message: &[u8]) -> [u8; 64] {
        let signature = self.signed(message);
        wipe_stack::<{ memory::SIGNING }>();
        signature
    }

    /// Below whoever wipes the stack.
    #[inline(never)]
    fn signed(&self, message: &[u8]) -> [u8; 64] {
        // The public key is the one of this very seed, without which a signature would give the key away.
        raw_sign::<Sha512>(&ExpandedSecretKey::from(self.seed.expose()), message, &self.public).to_bytes()
    }
}

/// The public half of an Ed25519 seed.
pub(super) fn public(seed: &[u8; 32]) -> VerifyingKey {
    #[inline(never)]
    fn below(seed: &[u8; 32]) -> VerifyingKey {
        SigningKey::from_bytes(seed).verifying_key()
    }

    let public = below(seed);
    wipe_stack::<{ memory::SIGNING }>();
    public
}

#[cfg(test)]
mod tests {
    use super::*;
    use ed25519_dalek::Signer as _;

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
    fn secrets_have_a_page_each_that_is_locked_and_in_no_core_file() {
        let (a, b) = (Secret::random().expect("randomness"), Secret::random().expect("randomness"));
        assert_ne!(a.expose(), b.expose());
        let page = |secret: &Secret| secret.expose().as_ptr() as usize;
        assert!(page(&a).is_multiple_of(4096) && page(&a) != page(&b));
        assert!(Secret::from_slice(&[1; 31]).is_none());
        #[cfg(target_os = "linux")]
        {
            let maps = std::fs::read_to_string("/proc/self/smaps").expect("is there");
            let mut inside = false;
            let flags = maps.lines().find_map(|line| {
                let range = line.split(' ').next()?.split_once('-');
                let number = |text| usize::from_str_radix(text, 16).ok();
                if let Some((from, to)) = range.and_then(|(from, to)| Some((number(from)?, number(to)?))) {
                    inside = (from..to).contains(&page(&a));
                }
                line.strip_prefix("VmFlags:").filter(|_| inside)
            });
            let flags: Vec<_> = flags.expect("it is mapped").split_whitespace().collect();
            assert!(["lo", "dd", "dc"].iter().all(|flag| flags.contains(flag)), "{flags:?}");
        }
    }

    #[test]
    fn a_key_signs_as_ed25519_does() {
        for n in 0..32 {
            let (secret, message) = (Secret::from([n; 32]), vec![n; usize::from(n) * 7]);
            let (key, theirs) = (Key::new(&secret), SigningKey::from_bytes(&[n; 32]));
            assert_eq!(key.public(), theirs.verifying_key());
            assert_eq!(key.sign(&message), theirs.sign(&message).to_bytes());
        }
    }
}
