//! Encrypted records, exactly as the JS DWN SDK 0.5.2 writes and reads them.
//!
//! The data is encrypted under a key of its own ([`DataKey`]: AES-256-CTR, no integrity; the dataCid, which is that
//! of the *encrypted* bytes, gives it). The data key is sealed ([`super::ecies`]) for each [`Recipient`], and all of
//! it stands in the message's `encryption`. Whoever holds a key ([`super::hd`]) above the recipient's opens it again.
//!
//! Writing: build the message, encrypt its data, set `message["encryption"]` to [`encryption`], sign. Reading: check
//! the data against the dataCid, then [`open`] and apply.

use super::{
    base64url::encode,
    ecies::{self, PublicKey, Sealed, exactly},
    hd::{self, PrivateKey, Scheme},
    key::KeyError,
};
use crate::foreign::shown;
use aes::Aes256;
use ctr::{
    Ctr128BE,
    cipher::{KeyIvInit as _, StreamCipher as _},
};
use serde_json::{Value, json};
use zeroize::Zeroizing;

const DATA_ALGORITHM: &str = "A256CTR";
const KEY_ALGORITHM: &str = "ECIES-ES256K";
/// A protocol's structure is less deep than this (the SDK allows 10).
const DEPTH: usize = 64;

/// Why a record is not encrypted or not opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("the record is not encrypted")]
    NotEncrypted,
    #[error("{0} is missing in the record's encryption or not of its form")]
    Shape(&'static str),
    #[error("encryption algorithm {} is not known: toft knows A256CTR and ECIES-ES256K", shown(.0))]
    Algorithm(String),
    #[error("the record is not encrypted for {} under the scheme {scheme}", shown(.root_key_id))]
    NotForKey { root_key_id: String, scheme: Scheme },
    #[error("{} has no key to encrypt to: the protocol's $encryption is missing or not of its form", shown(.0))]
    NoProtocolKey(String),
    #[error(transparent)]
    Derive(#[from] hd::Error),
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error(transparent)]
    Seal(#[from] ecies::Error),
}

/// Somebody who shall be able to read: the public key at the record's path under a scheme.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipient {
    /// DID URL of the root key that `key` is derived from.
    pub root_key_id: String,
    pub scheme: Scheme,
    pub key: PublicKey,
}

impl Recipient {
    /// The holder of `key` itself, for the record `message` (a RecordsWrite, signed or not yet).
    pub fn holder(key: &PrivateKey, message: &Value) -> Result<Self, Error> {
        let leaf = key.of_record(message)?;
        Ok(Self { root_key_id: leaf.root_key_id().to_owned(), scheme: leaf.scheme(), key: leaf.public() })
    }

    /// The owner of a protocol, for a record at `path` in it: from the `$encryption` that stands there in the definition.
    pub fn of_protocol(definition: &Value, path: &str) -> Result<Self, Error> {
        let none = || Error::NoProtocolKey(path.to_owned());
        let given = protocol_key(definition, path).ok_or_else(none)?;
        let root_key_id = given["rootKeyId"].as_str().ok_or_else(none)?.to_owned();
        Ok(Self { root_key_id, scheme: Scheme::ProtocolPath, key: PublicKey::from_jwk(&given["publicKeyJwk"])? })
    }

    /// Those who read the context of `message`, an encrypted record in it: an answer is encrypted to the same.
    pub fn of_context(message: &Value) -> Result<Vec<Self>, Error> {
        let of = |entry: &Value| {
            let root_key_id = entry["rootKeyId"].as_str().ok_or(Error::Shape("rootKeyId"))?.to_owned();
            let key = PublicKey::from_jwk(entry.get("derivedPublicKey").ok_or(Error::Shape("derivedPublicKey"))?)?;
            Ok(Self { root_key_id, scheme: Scheme::ProtocolContext, key })
        };
        entries(message)?.iter().filter(|entry| is_of(entry, Scheme::ProtocolContext)).map(of).collect()
    }
}

/// What a definition gives to encrypt to at a path (`$encryption`), whatever it is.
pub fn protocol_key<'a>(definition: &'a Value, path: &str) -> Option<&'a Value> {
    let rules = path.split('/').try_fold(&definition["structure"], |rules, segment| rules.get(segment));
    rules?.get("$encryption")
}

/// A protocol definition with the public key of every path in it (`$encryption`), derived from a root key of the
/// scheme protocolPath, so that others can encrypt to its owner.
pub fn with_keys(definition: &Value, root: &PrivateKey) -> Result<Value, Error> {
    with_keys_of(definition, root, &|_| true)
}

/// The same with keys at the paths of these types alone: whoever finds one at a path takes the data there to be private.
pub fn with_keys_of(definition: &Value, root: &PrivateKey, types: &dyn Fn(&str) -> bool) -> Result<Value, Error> {
    let uri = definition["protocol"].as_str().ok_or_else(|| Error::NoProtocolKey("a definition without URI".into()))?;
    let mut definition = definition.clone();
    let path = [Scheme::ProtocolPath.name(), uri].map(str::to_owned);
    set_keys(&mut definition["structure"], &root.descend(&path)?, types, DEPTH)?;
    Ok(definition)
}

fn set_keys(rules: &mut Value, key: &PrivateKey, types: &dyn Fn(&str) -> bool, depth: usize) -> Result<(), Error> {
    let not_rules = || Error::NoProtocolKey(key.path().join("/"));
    let depth = depth.checked_sub(1).ok_or_else(not_rules)?;
    for (name, below) in rules.as_object_mut().ok_or_else(not_rules)?.iter_mut().filter(|(n, _)| !n.starts_with('$')) {
        let key = key.derive(&[name])?;
        set_keys(below, &key, types, depth)?;
        let rules = below.as_object_mut().ok_or_else(|| Error::NoProtocolKey(key.path().join("/")))?;
        match types(name) {
            true => {
                let given = json!({"rootKeyId": key.root_key_id(), "publicKeyJwk": key.public().to_jwk()});
                rules.insert("$encryption".into(), given);
            }
            false => drop(rules.remove("$encryption")),
        }
    }
    Ok(())
}

/// The key that data is encrypted under, and its initialization vector. One for every version of the data: under
/// the same two, two texts give each other away. Wiped when dropped.
#[derive(Clone)]
pub struct DataKey {
    key: Zeroizing<[u8; 32]>,
    iv: [u8; 16],
}

impl DataKey {
    /// A new one.
    pub fn random() -> Result<Self, Error> {
        let mut made = Self { key: Zeroizing::new([0; 32]), iv: [0; 16] };
        getrandom::fill(made.key.as_mut_slice()).map_err(|_| ecies::Error::Randomness)?;
        getrandom::fill(&mut made.iv).map_err(|_| ecies::Error::Randomness)?;
        Ok(made)
    }

    /// Encrypts or decrypts (it is the same) the whole data in place.
    pub fn apply(&self, data: &mut [u8]) {
        self.stream().apply(data);
    }

    /// For data that comes piece by piece, from its first byte on.
    pub fn stream(&self) -> DataStream {
        DataStream(Ctr128BE::new(&(*self.key).into(), &self.iv.into()))
    }
}

impl std::fmt::Debug for DataKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DataKey(…)")
    }
}

/// Data being encrypted or decrypted in order.
pub struct DataStream(Ctr128BE<Aes256>);

impl DataStream {
    /// The next piece, in place.
    pub fn apply(&mut self, piece: &mut [u8]) {
        self.0.apply_keystream(piece);
    }
}

impl std::fmt::Debug for DataStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DataStream(…)")
    }
}

/// The `encryption` of a message whose data is encrypted under `key`, for these recipients (at least one).
pub fn encryption(key: &DataKey, recipients: &[Recipient]) -> Result<Value, Error> {
    if recipients.is_empty() {
        return Err(Error::Shape("a recipient"));
    }
    let keys = recipients.iter().map(|to| sealed_for(key, to)).collect::<Result<Vec<_>, _>>()?;
    Ok(json!({"algorithm": DATA_ALGORITHM, "initializationVector": encode(&key.iv), "keyEncryption": keys}))
}

fn sealed_for(key: &DataKey, to: &Recipient) -> Result<Value, Error> {
    let sealed = ecies::seal(&to.key, key.key.as_slice())?;
    let mut entry = json!({
        "rootKeyId": to.root_key_id,
        "algorithm": KEY_ALGORITHM,
        "derivationScheme": to.scheme.name(),
        "ephemeralPublicKey": sealed.ephemeral.to_jwk(),
        "initializationVector": encode(&sealed.nonce),
        "messageAuthenticationCode": encode(&sealed.tag),
        "encryptedKey": encode(&sealed.bytes),
    });
    if to.scheme == Scheme::ProtocolContext {
        // Who answers in this context does not hold its private key and must still be able to encrypt to it.
        entry["derivedPublicKey"] = to.key.to_jwk();
    }
    Ok(entry)
}

/// The data key of an encrypted RecordsWrite, opened with the root key or any key above the record's own.
pub fn open(message: &Value, key: &PrivateKey) -> Result<DataKey, Error> {
    let encryption = message.get("encryption").ok_or(Error::NotEncrypted)?;
    is_algorithm(encryption, DATA_ALGORITHM)?;
    let iv = bytes(encryption, "initializationVector")?;
    let mine = |entry: &&Value| is_of(entry, key.scheme()) && entry["rootKeyId"].as_str() == Some(key.root_key_id());
    let entry = entries(message)?
        .iter()
        .find(mine)
        .ok_or_else(|| Error::NotForKey { root_key_id: key.root_key_id().to_owned(), scheme: key.scheme() })?;
    is_algorithm(entry, KEY_ALGORITHM)?;
    let ephemeral = entry.get("ephemeralPublicKey").ok_or(Error::Shape("ephemeralPublicKey"))?;
    let sealed = Sealed {
        ephemeral: PublicKey::from_jwk(ephemeral)?,
        nonce: bytes(entry, "initializationVector")?,
        tag: bytes(entry, "messageAuthenticationCode")?,
        bytes: bytes::<32>(entry, "encryptedKey")?.to_vec(),
    };
    let leaf = key.of_record(message)?;
    let opened = ecies::open(leaf.secret(), &sealed)?;
    let mut key = Zeroizing::new([0; 32]);
    key.copy_from_slice(opened.get(..32).ok_or(Error::Shape("encryptedKey"))?);
    Ok(DataKey { key, iv })
}

/// Whom a record is encrypted for: DID URLs of root keys, and by which scheme each. What is not of its form is left out.
pub fn holders(message: &Value) -> impl Iterator<Item = (&str, Scheme)> {
    let of = |entry: &'_ Value| Scheme::named(entry["derivationScheme"].as_str()?).ok();
    entries(message)
        .ok()
        .into_iter()
        .flatten()
        .filter_map(move |entry| Some((entry["rootKeyId"].as_str()?, of(entry)?)))
}

fn entries(message: &Value) -> Result<&Vec<Value>, Error> {
    let encryption = message.get("encryption").ok_or(Error::NotEncrypted)?;
    encryption.get("keyEncryption").and_then(Value::as_array).ok_or(Error::Shape("keyEncryption"))
}

fn is_of(entry: &Value, scheme: Scheme) -> bool {
    entry["derivationScheme"].as_str() == Some(scheme.name())
}

fn is_algorithm(of: &Value, known: &str) -> Result<(), Error> {
    match of["algorithm"].as_str() {
        Some(name) if name == known => Ok(()),
        name => Err(Error::Algorithm(name.unwrap_or("of no name").into())),
    }
}

fn bytes<const N: usize>(of: &Value, name: &'static str) -> Result<[u8; N], Error> {
    of[name].as_str().and_then(exactly).ok_or(Error::Shape(name))
}

#[cfg(test)]
mod tests;
