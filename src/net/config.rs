//! The `[net]` section of the configuration.

use crate::bounds;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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
    /// Relays through which devices meet this node, each a multiaddr ending in `/p2p/<peer id>`.
    pub relays: Vec<String>,
    /// Be a relay for devices.
    pub relay_server: bool,
    /// Ask the router for a port that others reach (UPnP).
    pub upnp: bool,
    /// Look for devices on the local network, and tell everybody there that this node is there (mDNS). Without it, only while `toft pair` or
    /// `toft join` runs.
    pub mdns: bool,
    /// Bytes a second that streams to devices send, all together. 0: as many as go.
    pub upload_limit: u64,
    /// Bytes a second that streams from devices take.
    pub download_limit: u64,
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
    /// Connections held at once.
    pub connections: u32,
    /// Connections to one peer.
    pub connections_per_peer: u32,
    /// Connections of strangers at one address (of IPv6 a /64).
    pub connections_per_address: u32,
    /// Of `connections`, what only paired devices, and what this node's owner asked for, get.
    pub connections_reserved: u32,
    /// Connections being set up, in each direction.
    pub pending: u32,
    /// Of these that come in, those from one address.
    pub pending_per_address: u32,
    /// A connection that nobody uses is closed after this many seconds.
    pub idle_seconds: u64,
    /// Bytes of memory for what peers have sent and nobody has read yet, half messages, and blocks on their way out.
    pub memory: usize,
    /// Of these, for strangers at one address.
    pub memory_per_address: usize,
    /// Blocks that peers wait for, all wantlists together.
    pub wants: usize,
    /// Of these, those of strangers at one address.
    pub wants_per_address: usize,
    /// Announcements of other peers that are kept for those who search.
    pub provider_records: usize,
    /// Of these, those of strangers at one address.
    pub provider_records_per_address: usize,
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
            relays: Vec::new(),
            relay_server: false,
            upnp: false,
            mdns: false,
            upload_limit: 0,
            download_limit: 0,
            limits: Limits::default(),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            // A home router forgets the oldest of many more.
            connections: 256,
            // TCP and QUIC, each in both directions when two nodes dial at the same time.
            connections_per_peer: 4,
            // go-libp2p lets in eight.
            connections_per_address: 16,
            connections_reserved: 32,
            pending: 128,
            pending_per_address: 32,
            idle_seconds: 300,
            memory: 96 << 20,
            memory_per_address: 24 << 20,
            wants: 65_536,
            wants_per_address: 8192,
            // Some 300 bytes each, so some 15 MB.
            provider_records: 50_000,
            provider_records_per_address: 10_000,
        }
    }
}

impl Config {
    /// Says what is out of its range.
    pub fn check(&self) -> Result<(), anyhow::Error> {
        for (name, limit) in [("net.upload_limit", self.upload_limit), ("net.download_limit", self.download_limit)] {
            if limit > 0 {
                // With less, what says that a device is still there would come too late.
                bounds::check(name, limit, 8 << 10..=1 << 40)?;
            }
        }
        self.limits.check()
    }
}

impl Limits {
    /// Says what is out of its range.
    pub fn check(&self) -> Result<(), anyhow::Error> {
        bounds::check("net.limits.connections", self.connections, 16..=4096)?;
        bounds::check("net.limits.connections_per_peer", self.connections_per_peer, 1..=16)?;
        bounds::check_part(
            "net.limits.connections_per_address",
            self.connections_per_address,
            1,
            ("connections", self.connections),
        )?;
        bounds::check_part(
            "net.limits.connections_reserved",
            self.connections_reserved,
            4,
            ("connections", self.connections),
        )?;
        bounds::check("net.limits.pending", self.pending, 16..=1024)?;
        bounds::check_part("net.limits.pending_per_address", self.pending_per_address, 1, ("pending", self.pending))?;
        bounds::check("net.limits.idle_seconds", self.idle_seconds, 10..=3600)?;
        // Less would not hold one of the longest messages, with what else is under way.
        bounds::check("net.limits.memory", self.memory, 16 << 20..=1 << 30)?;
        bounds::check_part("net.limits.memory_per_address", self.memory_per_address, 8 << 20, ("memory", self.memory))?;
        bounds::check("net.limits.wants", self.wants, 1024..=1 << 20)?;
        bounds::check_part("net.limits.wants_per_address", self.wants_per_address, 256, ("wants", self.wants))?;
        bounds::check("net.limits.provider_records", self.provider_records, 1000..=1_000_000)?;
        let each = self.provider_records_per_address;
        bounds::check_part(
            "net.limits.provider_records_per_address",
            each,
            10,
            ("provider_records", self.provider_records),
        )
    }
}
