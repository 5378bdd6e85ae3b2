//! `keystore.json`: the secrets, sealed under a master key, and the slots that hold the master key, each sealed under the key
//! that its owner brings. All in one file, so that it changes as a whole or not at all.

use super::{
    kdf::Kdf,
    passphrase::Passphrase,
    secrets::{Keys, Past, Secrets},
};
use crate::crypto::{Secret, decode, encode, seal};
use anyhow::{Context as _, Error, anyhow, bail};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// Version of the file.
const VERSION: u8 = 1;
/// Bound into the seals, so that nothing else opens as a master key or as secrets.
const CONTEXT: &str = "toft/keystore/v1/";
/// Slots of one file.
const SLOTS_MAX: usize = 8;

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Keystore {
    v: u8,
    own: Own,
    slots: Vec<Slot>,
    /// Sealed; base64url.
    secrets: String,
}

/// Who the node is, for those who need not open the keys to know. Bound into the seal of the secrets.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Own {
    pub did: String,
    /// DID URL of the key that signs.
    pub kid: String,
    /// All identities, where a passphrase opens the keys: a node that is started without it knows whose tenants it has.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub identities: Vec<Known>,
}

/// What others may know of an identity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Known {
    pub did: String,
    pub created: String,
    /// DID URL of the key that signs.
    pub kid: String,
    /// Its public half, in base64url.
    pub public: String,
    /// Keys that signed before it, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub past: Vec<Past>,
}

impl Known {
    fn of(keys: &Keys) -> Self {
        let (did, created, kid) = (keys.did.clone(), keys.created.clone(), keys.kid.clone());
        Self { did, created, kid, public: keys.public(), past: keys.past.clone() }
    }
}

/// One way to the master key.
#[derive(Debug, Serialize, Deserialize)]
struct Slot {
    #[serde(flatten)]
    header: Header,
    /// The master key, sealed; base64url.
    wrapped: String,
}

/// What a slot says of itself: it is bound into the seal of its master key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
enum Header {
    /// Opened with the key file.
    File,
    /// Opened with a passphrase, however it comes.
    Passphrase { kdf: Kdf },
}

impl Header {
    fn context(&self) -> Result<Vec<u8>, Error> {
        let header = serde_json::to_string(self).context("a slot's header")?;
        Ok([CONTEXT, "slot/", &header].concat().into_bytes())
    }
}

/// What the owner brings to open a slot.
#[derive(Debug)]
pub enum Opening<'a> {
    File(&'a Secret),
    Passphrase(&'a Passphrase),
}

/// The master key of an opened keystore.
#[derive(Debug)]
pub struct Master(Secret);

impl Keystore {
    /// A new one with one slot, under a master key of its own.
    pub fn new(secrets: &Secrets, opening: &Opening<'_>) -> Result<Self, Error> {
        let master = Master(super::secrets::random()?);
        match opening {
            Opening::File(key) => Self::with(secrets, &master, Header::File, key),
            Opening::Passphrase(passphrase) => {
                let kdf = Kdf::new()?;
                let key = kdf.derive(passphrase)?;
                Self::with(secrets, &master, Header::Passphrase { kdf }, &key)
            }
        }
    }

    fn with(secrets: &Secrets, master: &Master, header: Header, key: &Secret) -> Result<Self, Error> {
        let wrapped = encode(&seal::seal(key.expose(), &header.context()?, master.0.expose())?);
        let mut keystore =
            Self { v: VERSION, own: Own::default(), slots: vec![Slot { header, wrapped }], secrets: String::new() };
        keystore.seal(secrets, master)?;
        Ok(keystore)
    }

    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        let keystore: Self = serde_json::from_slice(bytes).context("not a keystore: it was damaged")?;
        if keystore.v != VERSION {
            bail!("it has version {}; this toft knows version {VERSION}", keystore.v);
        }
        if keystore.slots.len() > SLOTS_MAX {
            bail!("it has {} slots; there are at most {SLOTS_MAX}", keystore.slots.len());
        }
        Ok(keystore)
    }

    pub fn to_bytes(&self) -> Result<Vec<u8>, Error> {
        serde_json::to_vec(self).context("the keystore as JSON")
    }

    /// Who the node is, by what the file says; it is bound when the secrets are opened.
    pub fn own(&self) -> &Own {
        &self.own
    }

    /// Does a key file open it?
    pub fn has_file(&self) -> bool {
        self.slots.iter().any(|slot| slot.header == Header::File)
    }

    /// Does a passphrase?
    pub fn has_passphrase(&self) -> bool {
        self.slots.iter().any(|slot| matches!(slot.header, Header::Passphrase { .. }))
    }

    /// The secrets, and the master key to seal them again with. `None`: no slot opens with this. Blocking: a passphrase costs
    /// what it is meant to.
    pub fn open(&self, opening: &Opening<'_>) -> Result<Option<(Secrets, Master)>, Error> {
        for slot in &self.slots {
            let Some(master) = slot.open(opening)? else { continue };
            let sealed = decode(&self.secrets).context("the secrets are not base64url: the keystore was damaged")?;
            let text = Zeroizing::new(seal::open(master.0.expose(), &self.own.context()?, &sealed)?);
            return Ok(Some((Secrets::from_text(&text)?, master)));
        }
        Ok(None)
    }

    /// Seals these secrets in the place of those before, under the same master key.
    pub fn seal(&mut self, secrets: &Secrets, master: &Master) -> Result<(), Error> {
        let (text, keys) = (secrets.to_text()?, secrets.own());
        let identities = if self.has_file() { vec![] } else { secrets.identities.iter().map(Known::of).collect() };
        self.own = Own { did: keys.did.clone(), kid: keys.kid.clone(), identities };
        self.secrets = encode(&seal::seal(master.0.expose(), &self.own.context()?, &text)?);
        Ok(())
    }
}

impl Slot {
    fn open(&self, opening: &Opening<'_>) -> Result<Option<Master>, Error> {
        let derived;
        let key = match (&self.header, opening) {
            (Header::File, Opening::File(key)) => *key,
            (Header::Passphrase { kdf }, Opening::Passphrase(passphrase)) => {
                derived = kdf.derive(passphrase)?;
                &derived
            }
            _ => return Ok(None),
        };
        let wrapped = decode(&self.wrapped).context("a slot is not base64url: the keystore was damaged")?;
        let Ok(master) = seal::open(key.expose(), &self.header.context()?, &wrapped) else { return Ok(None) };
        let master = Secret::from_slice(&Zeroizing::new(master));
        Ok(Some(Master(master.ok_or_else(|| anyhow!("a slot holds no key: the keystore was damaged"))?)))
    }
}

impl Own {
    fn context(&self) -> Result<Vec<u8>, Error> {
        let own = serde_json::to_string(self).context("whose keys they are")?;
        Ok([CONTEXT, "secrets/", &own].concat().into_bytes())
    }
}
