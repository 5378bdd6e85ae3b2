//! A key from a passphrase: Argon2id.

use super::passphrase::Passphrase;
use crate::{
    crypto::{Secret, decode, encode},
    memory::{self, wipe_stack},
};
use anyhow::{Context as _, Error, anyhow, bail};
use argon2::{Algorithm, Argon2, Params, Version};
use serde::{Deserialize, Serialize};

/// What each guess costs: 64 MiB and some 0.2 s of a core.
const DEFAULT: (u32, u32, u32) = (64 << 10, 3, 1);
/// What a file may ask for; above, opening it would be an attack.
const MEMORY_KIB_MAX: u32 = 1 << 20;
const PASSES_MAX: u32 = 16;
const LANES_MAX: u32 = 16;
const SALT: usize = 16;

/// How a key follows from a passphrase, as it stands in a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kdf {
    name: String,
    /// KiB of memory.
    m: u32,
    /// Passes over it.
    t: u32,
    /// Lanes.
    p: u32,
    /// base64url.
    salt: String,
}

impl Kdf {
    /// With a salt of its own.
    pub fn new() -> Result<Self, Error> {
        let mut salt = [0; SALT];
        getrandom::fill(&mut salt).map_err(|e| anyhow!("the operating system gave no randomness: {e}"))?;
        let (m, t, p) = DEFAULT;
        Ok(Self { name: "argon2id".into(), m, t, p, salt: encode(&salt) })
    }

    /// The key. Blocking, for as long as it is meant to cost.
    pub fn derive(&self, passphrase: &Passphrase) -> Result<Secret, Error> {
        let (params, salt) = self.params()?;
        let mut key = Secret::from([0; 32]);
        let argon = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let derived = argon.hash_password_into(passphrase.expose(), &salt, key.expose_mut());
        wipe_stack::<{ memory::KEYS }>();
        derived.map_err(|e| anyhow!("deriving a key from the passphrase: {e}"))?;
        Ok(key)
    }

    fn params(&self) -> Result<(Params, Vec<u8>), Error> {
        if self.name != "argon2id" {
            bail!("the passphrase's key is derived in a way that this toft does not know: it knows argon2id");
        }
        if self.m > MEMORY_KIB_MAX || self.t > PASSES_MAX || self.p > LANES_MAX {
            bail!(
                "the file asks for {} KiB of memory, {} passes and {} lanes to derive a key; at most {MEMORY_KIB_MAX}, {PASSES_MAX} and {LANES_MAX} are taken: it is not what toft wrote",
                self.m,
                self.t,
                self.p
            );
        }
        let salt = decode(&self.salt).filter(|salt| salt.len() == SALT).context("the salt is not 16 bytes")?;
        let params = Params::new(self.m, self.t, self.p, Some(32));
        Ok((params.map_err(|e| anyhow!("the file's Argon2 parameters: {e}"))?, salt))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_follows_from_passphrase_and_salt() {
        let (kdf, other) = (Kdf::new().expect("made"), Kdf::new().expect("made"));
        let key = |kdf: &Kdf, text: &str| *kdf.derive(&text.into()).expect("derives").expose();
        assert_eq!(key(&kdf, "correct horse"), key(&kdf, "correct horse"));
        assert_ne!(key(&kdf, "correct horse"), key(&kdf, "correct hors"));
        assert_ne!(key(&kdf, "correct horse"), key(&other, "correct horse"));
    }

    #[test]
    fn what_a_file_asks_for_has_bounds() {
        let kdf = Kdf::new().expect("made");
        let refused = |kdf: Kdf| {
            let started = std::time::Instant::now();
            assert!(kdf.derive(&"correct horse".into()).is_err(), "{kdf:?}");
            assert!(started.elapsed().as_secs() < 1);
        };
        refused(Kdf { m: MEMORY_KIB_MAX + 1, ..kdf.clone() });
        refused(Kdf { m: u32::MAX, ..kdf.clone() });
        refused(Kdf { m: 1, ..kdf.clone() });
        refused(Kdf { t: PASSES_MAX + 1, ..kdf.clone() });
        refused(Kdf { t: 0, ..kdf.clone() });
        refused(Kdf { p: LANES_MAX + 1, ..kdf.clone() });
        refused(Kdf { salt: String::new(), ..kdf.clone() });
        refused(Kdf { name: "none".into(), ..kdf });
    }
}
