//! The secrets themselves, as they are sealed together.

use crate::{
    crypto::{Secret, ed25519_public, encode},
    did,
};
use anyhow::{Context as _, Error, anyhow, bail};
use serde::{Deserialize, Serialize};
use std::io;
use zeroize::Zeroizing;

/// Version of the sealed text.
const VERSION: u8 = 2;
/// Identities that a node has at most.
pub const IDENTITIES_MAX: usize = 64;

/// All secrets of a home: each lies at one place and is never printed.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Secrets {
    version: u8,
    /// Ed25519 seed of the libp2p peer id: separate, so that a peer id can change while the DID stays.
    pub peer: Secret,
    /// Keys the nonces of anchored leaves.
    pub anchor: Secret,
    /// The DID that the node itself is.
    pub default: String,
    pub identities: Vec<Keys>,
}

/// The keys of one identity.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Keys {
    pub did: String,
    /// As DWN writes times.
    pub created: String,
    /// DID URL of the key that signs.
    pub kid: String,
    /// Its Ed25519 seed.
    pub seed: Secret,
    /// Where the keys of a did:dht come from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<Account>,
    /// Keys that signed before it, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub past: Vec<Past>,
}

/// What all keys of a did:dht are derived from: the node `m/44'/0'/1708523827'/0'` of its recovery phrase. Child 0 is the
/// identity key, which the DID is; the others sign, one after the other.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Account {
    pub key: Secret,
    pub chain: Secret,
    /// The child that signs now.
    pub index: u32,
}

/// A key that has signed and does no more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Past {
    pub kid: String,
    /// The public half of the Ed25519 key, in base64url.
    pub public: String,
    /// What it signed before this time verifies.
    pub until: String,
    /// It was given up because somebody else may have it: it is no longer published.
    #[serde(default)]
    pub compromised: bool,
}

/// What the first toft sealed.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct First {
    version: u8,
    identity: Secret,
    peer: Secret,
    anchor: Secret,
}

impl Secrets {
    /// New ones around a first identity.
    pub fn new(first: Keys) -> Result<Self, Error> {
        let (peer, anchor) = (random()?, random()?);
        Ok(Self { version: VERSION, peer, anchor, default: first.did.clone(), identities: vec![first] })
    }

    /// The keys of a DID.
    pub fn keys(&self, did: &str) -> Option<&Keys> {
        self.identities.iter().find(|keys| keys.did == did)
    }

    /// Those of the DID that the node itself is.
    pub fn own(&self) -> &Keys {
        self.keys(&self.default).expect("it was looked at when the secrets were opened")
    }

    /// Adds an identity.
    pub fn add(&mut self, keys: Keys) -> Result<(), Error> {
        if self.keys(&keys.did).is_some() {
            bail!("{} is an identity of this node already", keys.did);
        }
        if self.identities.len() >= IDENTITIES_MAX {
            bail!("a node has at most {IDENTITIES_MAX} identities");
        }
        self.identities.push(keys);
        Ok(())
    }

    /// The text that is sealed. Its room is known before: text that grows leaves copies behind.
    pub(super) fn to_text(&self) -> Result<Zeroizing<Vec<u8>>, Error> {
        to_text(self)
    }

    pub(super) fn from_text(text: &[u8]) -> Result<Self, Error> {
        let secrets: Self = serde_json::from_slice(text).map_err(unreadable)?;
        if secrets.version != VERSION {
            bail!("the secrets have version {}; this toft knows version {VERSION}", secrets.version);
        }
        secrets.keys(&secrets.default).context("the secrets hold no keys of the node's own DID")?;
        Ok(secrets)
    }

    /// What the first toft sealed: a did:key, and no more.
    pub(super) fn from_first(text: &[u8]) -> Result<Self, Error> {
        let First { version, identity, peer, anchor } = serde_json::from_slice(text).map_err(unreadable)?;
        if version != 1 {
            bail!("the secrets have version {version}; a home without a keystore has version 1");
        }
        let keys = Keys::of_did_key(identity, String::new());
        Ok(Self { version: VERSION, peer, anchor, default: keys.did.clone(), identities: vec![keys] })
    }
}

impl Keys {
    /// A did:key.
    pub fn of_did_key(seed: Secret, created: String) -> Self {
        let did = did::key::from_ed25519(&ed25519_public(seed.expose()));
        Self { kid: did::key::kid(&did), did: did.to_string(), created, seed, account: None, past: vec![] }
    }

    /// The public half of the key that signs, in base64url.
    pub fn public(&self) -> String {
        encode(&ed25519_public(self.seed.expose()))
    }
}

/// A value with secrets in it as JSON, in room that is wiped when it is given up and does not grow.
pub fn to_text(value: &impl Serialize) -> Result<Zeroizing<Vec<u8>>, Error> {
    let mut length = Counted(0);
    serde_json::to_writer(&mut length, value).context("encoding the secrets")?;
    let mut text = Zeroizing::new(Vec::with_capacity(length.0));
    serde_json::to_writer(&mut *text, value).context("encoding the secrets")?;
    Ok(text)
}

struct Counted(usize);

impl io::Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Without what serde says of values: they are secrets.
fn unreadable(error: serde_json::Error) -> Error {
    anyhow!("the secrets are sealed but not readable (line {}, column {})", error.line(), error.column())
}

pub(super) fn random() -> Result<Secret, Error> {
    Secret::random().map_err(|e| anyhow!("the operating system gave no randomness: {e}"))
}
