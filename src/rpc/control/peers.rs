//! Devices in step: `peer.…`.

use super::{
    failure::{Failure, Kind},
    method::{Entry, Method, NoParams, Scope},
    services::Services,
};
use crate::sync::{Peer, PeerStatus};
use serde::{Deserialize, Serialize};

pub const METHODS: &[Entry] = &[Entry::of::<Ls>(), Entry::of::<Add>(), Entry::of::<Rm>()];

#[derive(Debug)]
pub struct Ls;

impl Method for Ls {
    const NAME: &'static str = "peer.ls";
    const SUMMARY: &'static str = "List the devices and how they stand.";
    const SCOPE: Scope = Scope::Sync;
    const ERRORS: &'static [Kind] = &[];
    type Params = NoParams;
    type Result = Vec<PeerStatus>;

    async fn run(services: &Services, NoParams {}: NoParams) -> Result<Vec<PeerStatus>, Failure> {
        Ok(services.sync.peers())
    }
}

#[derive(Debug)]
pub struct Add;

impl Method for Add {
    const NAME: &'static str = "peer.add";
    const SUMMARY: &'static str = "Keep in step with a device, or change what is shared with it.";
    const SCOPE: Scope = Scope::Sync;
    const ERRORS: &'static [Kind] = &[];
    type Params = NewPeer;
    type Result = Peer;

    async fn run(services: &Services, NewPeer { did, address, tenants }: NewPeer) -> Result<Peer, Failure> {
        services.sync.check(&did, &address, &tenants).map_err(|why| Failure::new(Kind::Usage, why))?;
        Ok(services.sync.add(did, address, tenants).await?)
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewPeer {
    pub did: String,
    /// Multiaddr with the peer id at its end.
    pub address: String,
    /// DIDs whose records both keep. Empty: this node's own and the other's.
    #[serde(default)]
    pub tenants: Vec<String>,
}

#[derive(Debug)]
pub struct Rm;

impl Method for Rm {
    const NAME: &'static str = "peer.rm";
    const SUMMARY: &'static str = "Forget a device.";
    const SCOPE: Scope = Scope::Sync;
    const ERRORS: &'static [Kind] = &[Kind::NotFound];
    type Params = OnePeer;
    type Result = Removed;

    async fn run(services: &Services, OnePeer { did }: OnePeer) -> Result<Removed, Failure> {
        match services.sync.remove(&did).await? {
            true => Ok(Removed { removed: did }),
            false => Err(Failure::new(Kind::NotFound, format!("{did} is not a peer of this node"))),
        }
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OnePeer {
    pub did: String,
}

/// The DID of the device that is no peer any more.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Removed {
    pub removed: String,
}
