//! The kinds of DIDs that a node makes for itself.

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Method {
    /// The DID is the key: nothing is published, and the key can never be replaced.
    Key,
    /// The same, in another spelling.
    Jwk,
    /// The DID is an identity key that signs a document: keys that sign can be replaced, and twelve words bring it back.
    Dht,
}

impl Method {
    /// The method of a DID of ours.
    pub fn of(did: &str) -> Option<Self> {
        match did.split(':').nth(1)? {
            "key" => Some(Self::Key),
            "jwk" => Some(Self::Jwk),
            "dht" => Some(Self::Dht),
            _ => None,
        }
    }
}
