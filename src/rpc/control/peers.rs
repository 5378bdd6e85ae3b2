//! Devices in step: `peer.…`.

use super::{
    call::Call,
    failure::{Failure, Kind},
    method::{Entry, Example, From, Method, Need, NoParams},
};
use crate::{
    audit::What,
    sync::{Peer, PeerStatus},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

pub const METHODS: &[Entry] = &[Entry::of::<Ls>(), Entry::of::<Add>(), Entry::of::<Rm>()];

#[derive(Debug)]
pub struct Ls;

impl Method for Ls {
    const NAME: &'static str = "sync.peers";
    const SUMMARY: &'static str = "List the devices and how they stand.";
    const SCOPE: Need = Need::Sync;
    const ERRORS: &'static [Kind] = &[];
    const EXAMPLES: &'static [Example] = &[Example {
        name: "all",
        params: "{}",
        result: r#"[{"did": "$other", "address": "/ip4/192.0.2.7/tcp/4001/p2p/12D3KooWGjMCwVQsVLbJqGYdkzJ8vTz5dBf5YPHjQkXvF7b8kZpQ", "tenants": ["$did", "$other"], "connected": true, "in_sync": false, "sending": {"messages": 1, "bytes": 2, "of_messages": 3, "of_bytes": null}, "receiving": null, "untold": false, "problem": null, "refused": 0, "last_refused": null}]"#,
    }];
    type Params = NoParams;
    type Result = Vec<PeerStatus>;

    async fn run(call: &Call, NoParams {}: NoParams) -> Result<Vec<PeerStatus>, Failure> {
        Ok(call.sync.peers())
    }
}

#[derive(Debug)]
pub struct Add;

impl Method for Add {
    const NAME: &'static str = "sync.add";
    const SUMMARY: &'static str = "Keep in step with a device, or change what is shared with it.";
    const SCOPE: Need = Need::Sync;
    const FROM: From = From::Socket;
    const ERRORS: &'static [Kind] = &[];
    const EXAMPLES: &'static [Example] = &[Example {
        name: "a device",
        params: r#"{"did": "$other", "address": "/ip4/192.0.2.7/tcp/4001/p2p/12D3KooWGjMCwVQsVLbJqGYdkzJ8vTz5dBf5YPHjQkXvF7b8kZpQ"}"#,
        result: r#"{"did": "$other", "address": "/ip4/192.0.2.7/tcp/4001/p2p/12D3KooWGjMCwVQsVLbJqGYdkzJ8vTz5dBf5YPHjQkXvF7b8kZpQ", "tenants": ["$did", "$other"]}"#,
    }];
    type Params = NewPeer;
    type Result = Peer;

    async fn run(call: &Call, NewPeer { did, address, tenants }: NewPeer) -> Result<Peer, Failure> {
        call.sync.check(&did, &address, &tenants).map_err(|why| Failure::new(Kind::Usage, why))?;
        let peer = call.sync.add(did, address, tenants).await?;
        let about = json!({"did": peer.did, "tenants": peer.tenants});
        call.audit.note(What::PeerAdded, call.caller(), about).await?;
        Ok(peer)
    }
}

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
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
    const NAME: &'static str = "sync.remove";
    const SUMMARY: &'static str = "Forget a device.";
    const SCOPE: Need = Need::Sync;
    const ERRORS: &'static [Kind] = &[Kind::NotFound];
    const EXAMPLES: &'static [Example] =
        &[Example { name: "a device", params: r#"{"did": "$other"}"#, result: r#"{"removed": "$other"}"# }];
    type Params = OnePeer;
    type Result = Removed;

    async fn run(call: &Call, OnePeer { did }: OnePeer) -> Result<Removed, Failure> {
        match call.sync.remove(&did).await? {
            true => {
                call.audit.note(What::PeerRemoved, call.caller(), json!({"did": did})).await?;
                Ok(Removed { removed: did })
            }
            false => Err(Failure::new(Kind::NotFound, format!("{did} is not a peer of this node"))),
        }
    }
}

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OnePeer {
    pub did: String,
}

/// The DID of the device that is no peer any more.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "PeerRemoved")]
pub struct Removed {
    pub removed: String,
}
