//! What the owner hands to a running node, a passphrase or keys, sealed to a key that is good for one use: neither a buffer on the way nor
//! one of the node has it in the clear.

use crate::{
    crypto::{
        decode,
        ecies::{self, OneTime, PublicKey, Sealed},
        encode,
    },
    vault::{Keys, Passphrase, to_text},
};
use anyhow::{Context as _, Error, anyhow, bail};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};
use zeroize::Zeroizing;

/// How long a key waits for its use.
const GOOD_FOR: Duration = Duration::from_secs(60);
/// Keys that wait at once.
const WAITING_MAX: usize = 16;
/// Bytes of the longest message: an identity with a long history.
const MESSAGE_MAX: usize = 512 << 10;

/// A key to seal to, and its number.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct SealingKey {
    pub number: String,
    /// secp256k1, as a JWK.
    pub key: serde_json::Value,
}

/// A message to the node that gave the key.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Handed {
    /// Of the key that it is sealed to.
    pub number: String,
    /// base64url.
    pub sealed: String,
}

/// What such a message holds.
#[derive(Debug, Default)]
pub struct Content {
    pub passphrase: Option<Passphrase>,
    pub keys: Option<Keys>,
}

/// The node's end: the keys that it has given. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Hatch(Arc<Mutex<HashMap<String, (OneTime, Instant)>>>);

impl Hatch {
    /// A new key.
    pub fn give(&self) -> Result<SealingKey, Error> {
        let mut number = [0; 16];
        getrandom::fill(&mut number).map_err(|e| anyhow!("the operating system gave no randomness: {e}"))?;
        let (number, key) = (encode(&number), OneTime::random()?);
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.retain(|_, (_, since)| since.elapsed() < GOOD_FOR);
        if waiting.len() >= WAITING_MAX {
            bail!("{WAITING_MAX} keys wait for their use already: try again in a minute");
        }
        let given = SealingKey { number: number.clone(), key: key.public().to_jwk() };
        waiting.insert(number, (key, Instant::now()));
        Ok(given)
    }

    /// What was handed over. Its key is gone then, whatever comes of it.
    pub fn take(&self, handed: &Handed) -> Result<Content, Error> {
        let key = self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&handed.number);
        let key = key.filter(|(_, since)| since.elapsed() < GOOD_FOR).map(|(key, _)| key);
        let key = key.context("the key that this is sealed to was used, or is older than a minute: ask for another")?;
        let sealed = decode(&handed.sealed).filter(|sealed| sealed.len() <= MESSAGE_MAX);
        let sealed =
            sealed.and_then(|bytes| Sealed::from_bytes(&bytes)).context("what was handed over is not sealed")?;
        Content::from_bytes(&key.open(&sealed)?)
    }
}

impl Content {
    /// Seals it to a node's key.
    pub fn seal(&self, to: &SealingKey) -> Result<Handed, Error> {
        let key = PublicKey::from_jwk(&to.key).context("the node's key")?;
        let sealed = ecies::seal(&key, &self.to_bytes()?)?;
        Ok(Handed { number: to.number.clone(), sealed: encode(&sealed.to_bytes()) })
    }

    /// Length of the passphrase (2 bytes, big-endian) ‖ passphrase ‖ keys as JSON, if there are any.
    fn to_bytes(&self) -> Result<Zeroizing<Vec<u8>>, Error> {
        let passphrase = self.passphrase.as_ref().map(Passphrase::expose).unwrap_or_default();
        let keys = self.keys.as_ref().map(to_text).transpose()?;
        let keys = keys.as_ref().map(|text| text.as_slice()).unwrap_or_default();
        let mut bytes = Zeroizing::new(Vec::with_capacity(2 + passphrase.len() + keys.len()));
        bytes.extend(u16::try_from(passphrase.len()).context("the passphrase is too long")?.to_be_bytes());
        bytes.extend(passphrase);
        bytes.extend(keys);
        Ok(bytes)
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        let cut = || anyhow!("what was handed over is cut short");
        let (length, rest) = bytes.split_first_chunk().ok_or_else(cut)?;
        let (passphrase, keys) = rest.split_at_checked(u16::from_be_bytes(*length).into()).ok_or_else(cut)?;
        let passphrase = Some(passphrase).filter(|bytes| !bytes.is_empty());
        let passphrase = passphrase.map(|bytes| Passphrase::given(Zeroizing::new(bytes.to_vec()))).transpose()?;
        let keys = Some(keys).filter(|keys| !keys.is_empty()).map(serde_json::from_slice).transpose();
        let keys = keys.map_err(|_| anyhow!("what was handed over are no keys of ours"))?;
        Ok(Self { passphrase, keys })
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Method, make};
    use super::*;

    #[test]
    fn what_is_handed_over_arrives_once() {
        let hatch = Hatch::default();
        let keys = make::new(Method::Dht, "2026-11-29T09:00:00.000000Z").expect("made").keys;
        let seed = *keys.seed.expose();
        let content = Content { passphrase: Some("correct \"horse\"\n".into()), keys: Some(keys) };
        let handed = content.seal(&hatch.give().expect("a key")).expect("seals");
        assert!(!serde_json::to_string(&handed).expect("JSON").contains("horse"));
        let taken = hatch.take(&handed).expect("opens");
        assert_eq!(taken.passphrase, content.passphrase);
        assert_eq!(taken.keys.expect("keys").seed.expose(), &seed);
        assert!(hatch.take(&handed).is_err(), "a key is good once");
        let nothing = Content::default().seal(&hatch.give().expect("a key")).expect("seals");
        let taken = hatch.take(&nothing).expect("opens");
        assert!(taken.passphrase.is_none() && taken.keys.is_none());
        let other = Content::default().seal(&Hatch::default().give().expect("a key")).expect("seals");
        assert!(hatch.take(&other).is_err());
        let to = hatch.give().expect("a key");
        let torn = Handed { number: to.number.clone(), sealed: "AAAA".into() };
        assert!(hatch.take(&torn).is_err() && hatch.take(&content.seal(&to).expect("seals")).is_err());
        (0..WAITING_MAX).for_each(|_| drop(hatch.give().expect("a key")));
        assert!(hatch.give().is_err(), "so many wait");
    }
}
