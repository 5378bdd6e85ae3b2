//! What the network says of other people: the keys behind a DID.
//!
//! did:key and did:jwk carry their keys themselves and are answered at once. did:web and did:dht need the
//! network and come with a later version: until then they are refused by name, and no request goes out.

use crate::{
    crypto::PublicKey,
    did::{self, DidUrl},
};

#[derive(Debug, Clone, Default, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Base URL of the pkarr gateway that did:dht documents are fetched from. Empty: did:dht is not resolved.
    pub dht_gateway: String,
}

/// Finds the key that a signature names. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Resolver {}

impl Resolver {
    /// `Err` when the gateway is configured: this version would not ask it.
    pub fn new(config: &Config) -> Result<Self, Error> {
        if config.dht_gateway.is_empty() { Ok(Self {}) } else { Err(Error::Gateway(config.dht_gateway.clone())) }
    }

    /// The key of the verification method that `kid` (a DID URL) names, exactly.
    pub async fn key(&self, kid: &str) -> Result<PublicKey, Error> {
        let url: DidUrl = kid.parse()?;
        Ok(url.did.document()?.key(kid)?.clone())
    }
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Did(#[from] did::Error),
    #[error("{0}: the DID has no such key")]
    NoSuchKey(String),
    #[error(
        "resolve.dht_gateway is \"{0}\", but this version of toft does not resolve did:dht yet: leave it empty (did:key and did:jwk need no gateway)"
    )]
    Gateway(String),
}
