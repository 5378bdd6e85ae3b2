//! A peer: a device of the same person or a friend's node, what is shared with it, and how it stands.

use super::{machine::Way, runs::TwoCopies, term::Offer};
use serde::{Deserialize, Serialize};

/// Table `sync` of the configuration.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Seconds before an unreachable peer is tried again; doubles up to half a minute.
    pub retry: u64,
    /// URIs of protocols that never leave this device: their records go to no other device, no friend and no DWN server, and no
    /// device brings any.
    pub local_only: Vec<String>,
    /// What of other devices' records is kept here. A friend's and a DWN server's come whole in any case.
    pub data: Amount,
}

impl Default for Config {
    fn default() -> Self {
        Self { retry: 1, local_only: Vec::new(), data: Amount::All }
    }
}

/// How much of what other devices have is kept here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Amount {
    /// Every record with its data.
    All,
    /// Every record; data above 30,000 bytes when its owner reads it here, from a device that has it.
    OnDemand,
}

/// A device this one keeps in step with.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Peer {
    pub did: String,
    /// Multiaddr with the peer id at its end.
    pub address: String,
    /// DIDs whose records both keep; of a friend: of whom this node or the friend gets what they may read.
    pub tenants: Vec<String>,
    /// Somebody else's node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub friend: Option<Friend>,
}

/// What is shared with a friend.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Friend {
    /// DIDs of this node: the friend gets what grants and protocol rules let them read.
    pub gives: Vec<String>,
    /// DIDs of the friend: this node keeps a copy of what it may read.
    pub takes: Vec<String>,
}

impl Peer {
    pub(super) fn offer(&self) -> Offer {
        match &self.friend {
            None => Offer::Device { tenants: self.tenants.clone() },
            Some(Friend { gives, takes }) => Offer::Friend { gives: gives.clone(), takes: takes.clone() },
        }
    }
}

/// A peer and how it stands.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
pub struct PeerStatus {
    #[serde(flatten)]
    pub peer: Peer,
    pub connected: bool,
    /// Both hold the same messages of what they share: both have said so lately, and nothing has changed here since.
    pub in_sync: bool,
    /// Seconds since both said so last.
    pub in_sync_seconds: Option<u64>,
    /// Nothing is on its way, and they do not hold the same.
    pub apart: bool,
    /// How far what this node has is on its way there, and what the other has here. `None`: nothing is under way.
    pub sending: Option<Way>,
    pub receiving: Option<Way>,
    /// Messages of the other device that this node could not take, and of this node that the other could not: they are asked
    /// for again when the reason may be gone (toft sync status).
    pub parked: u32,
    pub parked_there: u32,
    /// Why it is not connected, as far as known.
    pub problem: Option<String>,
    /// Copies that run at the same time: of it, as seen here, and of this node, as it said.
    pub copies: Vec<TwoCopies>,
}
