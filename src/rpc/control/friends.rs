//! Friends: other persons' nodes that get what they may read, and bring what this node may: `friends.…`.

use super::{
    actor::Actor,
    call::Call,
    failure::{Failure, Kind},
    grants::{Grant, GrantScope, New, OneGrant, all_of, create, look, revoke},
    grants_device::in_a_year,
    method::{Entry, Example, From, Method, Need, NoParams},
    refusals::REFUSALS,
};
use crate::{
    audit::What,
    dwn::{Granted, Standing},
    sync::{self, PeerStatus},
};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

pub const METHODS: &[Entry] = &[Entry::of::<Add>(), Entry::of::<List>(), Entry::of::<Remove>()];

/// What a friend may do with the records of a protocol that they are let read: a delegated grant each, so that they find them too.
const READS: [&str; 3] = ["Read", "Query", "Subscribe"];

#[derive(Debug)]
pub struct Add;

impl Method for Add {
    const NAME: &'static str = "friends.add";
    const SUMMARY: &'static str = "Share with a friend's node: it gets what grants and protocol rules let the friend read, and this node \
                                   keeps a copy of what it may read there.";
    const SCOPE: Need = Need::Sync;
    const FROM: From = From::Socket;
    const ERRORS: &'static [Kind] = REFUSALS;
    const EXAMPLES: &'static [Example] = &[Example {
        name: "with a grant",
        params: r#"{"did": "$other", "address": "/ip4/192.0.2.7/tcp/4001/p2p/12D3KooWGjMCwVQsVLbJqGYdkzJ8vTz5dBf5YPHjQkXvF7b8kZpQ", "grants": [{"protocol": "$protocol"}]}"#,
        result: r#"{"did": "$other", "address": "/ip4/192.0.2.7/tcp/4001/p2p/12D3KooWGjMCwVQsVLbJqGYdkzJ8vTz5dBf5YPHjQkXvF7b8kZpQ", "gives": ["$did"], "takes": ["$other"], "granted": [{"grantId": "$record", "grantedTo": "$other", "scope": {"interface": "Records", "method": "Read", "protocol": "$protocol"}, "dateGranted": "2026-11-21T09:00:00.000000Z", "dateExpires": "2027-11-21T09:00:00.000000Z", "delegated": true, "state": "active", "dateRevoked": null}]}"#,
    }];
    type Params = NewFriend;
    type Result = Added;

    async fn run(call: &Call, new: NewFriend) -> Result<Added, Failure> {
        let NewFriend { did, address, from, grants, date_expires, give_only } = new;
        let wrong = |why: String| Failure::new(Kind::Usage, why);
        let Actor { tenant, .. } = Actor::of(call, from.as_deref())?;
        let takes = if give_only { Vec::new() } else { vec![did.clone()] };
        call.sync.check(&did, &address, &takes).map_err(wrong)?;
        if call.identities.dids().contains(&did) {
            return Err(wrong(format!("{did} is an identity of this node")));
        }
        let known = call.sync.peers().into_iter().find(|status| status.peer.did == did);
        let before = known.as_ref().and_then(|status| status.peer.friend.clone());
        if known.is_some() && before.is_none() {
            return Err(wrong(format!("{did} is a device of this node's owner; if it is not: toft peer rm {did}")));
        }
        let expires = match date_expires {
            Some(expires) => expires,
            None => format!("{:.6}", in_a_year(Timestamp::now())?),
        };
        let mut granted = Vec::new();
        for Readable { protocol, protocol_path } in grants {
            for method in READS {
                let scope = GrantScope {
                    interface: "Records".into(),
                    method: method.into(),
                    protocol: Some(protocol.clone()),
                    protocol_path: protocol_path.clone(),
                    ..GrantScope::default()
                };
                let grant = New {
                    granted_to: did.clone(),
                    scope,
                    date_expires: expires.clone(),
                    description: Some("for a friend".into()),
                    delegated: true,
                    conditions: None,
                    request_id: None,
                    from: from.clone(),
                };
                granted.push(create(call, grant).await?.grant);
            }
        }
        // A friend of one identity may be one of another too.
        let mut gives = before.map(|friend| friend.gives).unwrap_or_default();
        gives.retain(|other| *other != tenant);
        gives.push(tenant);
        let friend = sync::Friend { gives, takes };
        let peer = call.sync.add_friend(did, address, friend.clone()).await?;
        let about = json!({"did": peer.did, "gives": friend.gives, "takes": friend.takes, "friend": true});
        call.audit.note(What::PeerAdded, call.caller(), about).await?;
        Ok(Added { did: peer.did, address: peer.address, gives: friend.gives, takes: friend.takes, granted })
    }
}

/// A friend.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct NewFriend {
    /// Their DID, which is also what their node proves to be.
    pub did: String,
    /// Where their node is reached: a multiaddr with the peer id at its end.
    pub address: String,
    /// The identity of this node that they are a friend of; its own if none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// What they are let read. What other grants and protocol rules let them read goes to them too.
    #[serde(default)]
    pub grants: Vec<Readable>,
    /// Until when these are good, as `2026-11-21T00:00:00Z`; a year from now if nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub date_expires: Option<String>,
    /// Keep no copy here of what this node may read there.
    #[serde(default)]
    pub give_only: bool,
}

/// Records that a friend is let read.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schemars(rename = "ReadableByFriend")]
pub struct Readable {
    pub protocol: String,
    /// Those at one path of it; all if none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocol_path: Option<String>,
}

/// A friend that was added.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "FriendAdded")]
pub struct Added {
    pub did: String,
    pub address: String,
    /// DIDs of this node of whose records they get what they may read.
    pub gives: Vec<String>,
    /// Their DIDs, of whose records this node keeps a copy of what it may read.
    pub takes: Vec<String>,
    /// Grants made just now.
    pub granted: Vec<Grant>,
}

#[derive(Debug)]
pub struct List;

impl Method for List {
    const NAME: &'static str = "friends.list";
    const SUMMARY: &'static str = "List the friends, how their nodes stand, and what grants they have.";
    const SCOPE: Need = Need::Sync;
    const ERRORS: &'static [Kind] = &[];
    const EXAMPLES: &'static [Example] = &[Example {
        name: "all",
        params: "{}",
        result: r#"[{"did": "$other", "address": "/ip4/192.0.2.7/tcp/4001/p2p/12D3KooWGjMCwVQsVLbJqGYdkzJ8vTz5dBf5YPHjQkXvF7b8kZpQ", "tenants": ["$did", "$other"], "friend": {"gives": ["$did"], "takes": ["$other"]}, "connected": true, "in_sync": true, "in_sync_seconds": 3, "apart": false, "sending": null, "receiving": null, "parked": 0, "parked_there": 0, "problem": null, "copies": [], "grants": []}]"#,
    }];
    type Params = NoParams;
    type Result = Vec<Listed>;

    async fn run(call: &Call, NoParams {}: NoParams) -> Result<Vec<Listed>, Failure> {
        let mut friends = Vec::new();
        for status in call.sync.peers() {
            let Some(friend) = status.peer.friend.clone() else { continue };
            let grants = in_force(call, &friend.gives, &status.peer.did).await?;
            friends
                .push(Listed { grants: grants.into_iter().map(|(_, granted)| Grant::from(granted)).collect(), status });
        }
        Ok(friends)
    }
}

/// A friend and how they stand.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "FriendListed")]
pub struct Listed {
    #[serde(flatten)]
    pub status: PeerStatus,
    /// Those in force.
    pub grants: Vec<Grant>,
}

#[derive(Debug)]
pub struct Remove;

impl Method for Remove {
    const NAME: &'static str = "friends.remove";
    const SUMMARY: &'static str =
        "Share nothing with a friend's node any more, and revoke their grants. What it has it keeps.";
    const SCOPE: Need = Need::Sync;
    const FROM: From = From::Socket;
    const ERRORS: &'static [Kind] = REFUSALS;
    const EXAMPLES: &'static [Example] = &[Example {
        name: "a friend",
        params: r#"{"did": "$other"}"#,
        result: r#"{"removed": "$other", "revoked": []}"#,
    }];
    type Params = OneFriend;
    type Result = Removed;

    async fn run(call: &Call, OneFriend { did, keep_grants }: OneFriend) -> Result<Removed, Failure> {
        let friends = call.sync.peers().into_iter().filter(|status| status.peer.did == did);
        if friends.filter_map(|status| status.peer.friend).next().is_none() {
            return Err(Failure::new(
                Kind::NotFound,
                format!("{did} is not a friend of this node: see toft friend ls"),
            ));
        };
        // The line ends first: nothing more goes there, whatever becomes of the grants.
        call.sync.remove(&did).await?;
        call.audit.note(What::PeerRemoved, call.caller(), json!({"did": did, "friend": true})).await?;
        let mut revoked = Vec::new();
        if !keep_grants {
            for (from, granted) in in_force(call, &call.identities.dids(), &did).await? {
                revoked.push(revoke(call, OneGrant { grant_id: granted.id, from: Some(from) }).await?);
            }
        }
        Ok(Removed { removed: did, revoked })
    }
}

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct OneFriend {
    pub did: String,
    /// Leave the grants that they have.
    #[serde(default)]
    pub keep_grants: bool,
}

/// Who is no friend any more.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "FriendRemoved")]
pub struct Removed {
    pub removed: String,
    pub revoked: Vec<Grant>,
}

/// The grants in force that these identities have given somebody, and which of them gave each.
async fn in_force(call: &Call, identities: &[String], did: &str) -> Result<Vec<(String, Granted)>, Failure> {
    let mut found = Vec::new();
    for identity in identities {
        let (grantor, grantee) = (identity.clone(), did.to_owned());
        let all = look(call, identity, move |view, now| Ok(all_of((&grantor, &grantee), view, now)?)).await?;
        let active = all.into_iter().filter(|granted| granted.standing == Standing::Active);
        found.extend(active.map(|granted| (identity.clone(), granted)));
    }
    Ok(found)
}
