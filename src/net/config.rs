//! The `[net]` section of the configuration.

use super::Error;
use libp2p::Multiaddr;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Connections held at once: a home router forgets the oldest of many more.
const CONNECTIONS: u32 = 256;
/// Connections to one peer: TCP and QUIC, each in both directions when two nodes dial at the same time.
const CONNECTIONS_PER_PEER: u32 = 4;
/// Connections being set up, in each direction.
const PENDING: u32 = 64;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where to listen. Port 0 lets the system choose.
    pub listen: Vec<String>,
    /// `private`: only peers we connect to, nothing is told to others. `public`: the IPFS network.
    pub network: Network,
    /// Peers to join the public network by.
    pub bootstrap: Vec<String>,
    /// Addresses under which others reach this node, if they are not the ones it listens on (a forwarded port).
    pub external: Vec<String>,
    pub limits: Limits,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Network {
    Private,
    Public,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    pub connections: u32,
    pub connections_per_peer: u32,
    /// Connections being set up, in each direction.
    pub pending: u32,
    /// A connection that nobody uses is closed after this many seconds.
    pub idle_seconds: u64,
}

impl Default for Config {
    fn default() -> Self {
        let all = |list: &[&str]| list.iter().map(|s| (*s).to_owned()).collect();
        Self {
            listen: all(&["/ip4/0.0.0.0/udp/4001/quic-v1", "/ip4/0.0.0.0/tcp/4001"]),
            network: Network::Private,
            bootstrap: all(&[
                "/dnsaddr/bootstrap.libp2p.io/p2p/QmNnooDu7bfjPFoTZYxMNLWUQJyrVwtbZg5gBMjTezGAJN",
                "/dnsaddr/bootstrap.libp2p.io/p2p/QmQCU2EcMqAqQPR2i9bChDtGNJchTbq5TbXJJ16u19uLTa",
                "/dnsaddr/bootstrap.libp2p.io/p2p/QmbLHAnMoJPWSCR5Zhtx6BHJX9KiKNN6tpvbUcqanj75Nb",
                "/dnsaddr/bootstrap.libp2p.io/p2p/QmcZf59bWwK5XFi76CZX8cbJ4BhTzzA3gU1ZjYZcYW3dwt",
            ]),
            external: Vec::new(),
            limits: Limits::default(),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: CONNECTIONS,
            connections_per_peer: CONNECTIONS_PER_PEER,
            pending: PENDING,
            idle_seconds: 300,
        }
    }
}

pub fn multiaddr(text: &str) -> Result<Multiaddr, Error> {
    text.parse()
        .map_err(|e: libp2p::multiaddr::Error| Error::Address { address: text.to_owned(), reason: e.to_string() })
}
