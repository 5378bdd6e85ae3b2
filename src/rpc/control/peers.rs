//! Devices in step: `peer.…`.

use super::{
    call::Call,
    failure::{Failure, Kind},
    method::{Entry, Example, From, Method, Need, NoParams},
};
use crate::{
    audit::What,
    sync::{DeviceStatus, Peer, PeerStatus, Why},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

pub const METHODS: &[Entry] = &[
    Entry::of::<Ls>(),
    Entry::of::<Status>(),
    Entry::of::<WhyOf>(),
    Entry::of::<Now>(),
    Entry::of::<Pause>(),
    Entry::of::<Resume>(),
    Entry::of::<Add>(),
    Entry::of::<Rm>(),
];

#[derive(Debug)]
pub struct Ls;

impl Method for Ls {
    const NAME: &'static str = "sync.peers";
    const SUMMARY: &'static str = "List the devices and friends' nodes and how they stand.";
    const SCOPE: Need = Need::Sync;
    const ERRORS: &'static [Kind] = &[];
    const EXAMPLES: &'static [Example] = &[Example {
        name: "all",
        params: "{}",
        result: r#"[{"did": "$other", "address": "/ip4/192.0.2.7/tcp/4001/p2p/12D3KooWGjMCwVQsVLbJqGYdkzJ8vTz5dBf5YPHjQkXvF7b8kZpQ", "tenants": ["$did", "$other"], "connected": true, "in_sync": false, "in_sync_seconds": null, "apart": false, "sending": {"messages": 1, "of_messages": 3}, "receiving": null, "parked": 0, "parked_there": 0, "problem": null, "copies": [{"did": "$other", "older_since": "2026-11-21T09:00:00Z", "younger_since": "2026-11-21T10:00:00Z"}]}]"#,
    }];
    type Params = NoParams;
    type Result = Vec<PeerStatus>;

    async fn run(call: &Call, NoParams {}: NoParams) -> Result<Vec<PeerStatus>, Failure> {
        Ok(call.sync.peers())
    }
}

#[derive(Debug)]
pub struct Status;

impl Method for Status {
    const NAME: &'static str = "sync.status";
    const SUMMARY: &'static str = "Show how each device stands, protocol by protocol, and what was put aside.";
    const SCOPE: Need = Need::Sync;
    const ERRORS: &'static [Kind] = &[];
    const EXAMPLES: &'static [Example] = &[Example {
        name: "all",
        params: "{}",
        result: r#"[{"did": "$other", "address": "/ip4/192.0.2.7/tcp/4001/p2p/12D3KooWGjMCwVQsVLbJqGYdkzJ8vTz5dBf5YPHjQkXvF7b8kZpQ", "tenants": ["$did", "$other"], "connected": true, "in_sync": true, "in_sync_seconds": 3, "apart": false, "sending": null, "receiving": null, "parked": 0, "parked_there": 0, "problem": null, "copies": [], "scopes": [{"tenant": "$did", "protocol": null, "here": 2, "there": 2, "equal": true}], "put_aside": [], "put_aside_there": [], "elsewhere": 0, "elsewhere_bytes": 0}]"#,
    }];
    type Params = NoParams;
    type Result = Vec<DeviceStatus>;

    async fn run(call: &Call, NoParams {}: NoParams) -> Result<Vec<DeviceStatus>, Failure> {
        Ok(call.sync.devices().await?)
    }
}

#[derive(Debug)]
pub struct WhyOf;

impl Method for WhyOf {
    const NAME: &'static str = "sync.why";
    const SUMMARY: &'static str = "Say of each device whether it has a record, and if not, why.";
    const SCOPE: Need = Need::Sync;
    const ERRORS: &'static [Kind] = &[];
    const EXAMPLES: &'static [Example] = &[Example {
        name: "a record",
        params: r#"{"recordId": "bafyreiaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}"#,
        result: r#"[{"did": "$other", "same": true, "why": "both have the same of it"}]"#,
    }];
    type Params = OneRecord;
    type Result = Vec<Why>;

    async fn run(call: &Call, OneRecord { record_id, tenant }: OneRecord) -> Result<Vec<Why>, Failure> {
        let tenant = tenant.unwrap_or_else(|| call.sync.own().to_owned());
        Ok(call.sync.why(&tenant, &record_id).await?)
    }
}

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schemars(rename = "RecordOnDevices")]
pub struct OneRecord {
    pub record_id: String,
    /// Whose record it is. None: this node's own.
    #[serde(default)]
    pub tenant: Option<String>,
}

#[derive(Debug)]
pub struct Now;

impl Method for Now {
    const NAME: &'static str = "sync.now";
    const SUMMARY: &'static str = "Compare with all devices that are connected, and with all DWN servers, at once.";
    const SCOPE: Need = Need::Sync;
    const ERRORS: &'static [Kind] = &[];
    const EXAMPLES: &'static [Example] =
        &[Example { name: "all", params: "{}", result: r#"{"devices": 1, "remotes": 0}"# }];
    type Params = NoParams;
    type Result = Asked;

    async fn run(call: &Call, NoParams {}: NoParams) -> Result<Asked, Failure> {
        Ok(Asked { devices: call.sync.compare_now() as u64, remotes: call.remotes.compare_now() as u64 })
    }
}

/// So many devices and DWN servers are compared with.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "DevicesAsked")]
pub struct Asked {
    pub devices: u64,
    pub remotes: u64,
}

#[derive(Debug)]
pub struct Pause;

impl Method for Pause {
    const NAME: &'static str = "sync.pause";
    const SUMMARY: &'static str =
        "Send nothing to devices and DWN servers and take nothing from them, until sync.resume.";
    const SCOPE: Need = Need::Sync;
    const ERRORS: &'static [Kind] = &[];
    const EXAMPLES: &'static [Example] = &[Example { name: "all", params: "{}", result: r#"{"paused": true}"# }];
    type Params = NoParams;
    type Result = Paused;

    async fn run(call: &Call, NoParams {}: NoParams) -> Result<Paused, Failure> {
        call.sync.pause(true).await?;
        Ok(Paused { paused: true })
    }
}

#[derive(Debug)]
pub struct Resume;

impl Method for Resume {
    const NAME: &'static str = "sync.resume";
    const SUMMARY: &'static str = "Keep in step with devices and DWN servers again.";
    const SCOPE: Need = Need::Sync;
    const ERRORS: &'static [Kind] = &[];
    const EXAMPLES: &'static [Example] = &[Example { name: "all", params: "{}", result: r#"{"paused": false}"# }];
    type Params = NoParams;
    type Result = Paused;

    async fn run(call: &Call, NoParams {}: NoParams) -> Result<Paused, Failure> {
        call.sync.pause(false).await?;
        Ok(Paused { paused: false })
    }
}

/// Is sync paused?
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "SyncPaused")]
pub struct Paused {
    pub paused: bool,
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
        check_no_friend(call, &did)?;
        let peer = call.sync.add(did, address, tenants).await?;
        let about = json!({"did": peer.did, "tenants": peer.tenants});
        call.audit.note(What::PeerAdded, call.caller(), about).await?;
        Ok(peer)
    }
}

/// A device gets all: who is a friend is never made one by mistake, and is removed together with their grants.
fn check_no_friend(call: &Call, did: &str) -> Result<(), Failure> {
    let is_friend = |status: PeerStatus| status.peer.did == did && status.peer.friend.is_some();
    match call.sync.peers().into_iter().any(is_friend) {
        true => Err(Failure::new(Kind::Usage, format!("{did} is a friend: toft friend rm {did} ends that"))),
        false => Ok(()),
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
        if call.devices.is_let_in(&did)? {
            let message =
                format!("{did} came in by a code and has grants: toft device rm {did} removes it and revokes them");
            return Err(Failure::new(Kind::Usage, message));
        }
        check_no_friend(call, &did)?;
        match call.sync.remove(&did).await? {
            true => {
                call.devices.forget(&did).await?;
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
