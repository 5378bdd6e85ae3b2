//! What a device of an identity is granted, all together: `grants.give`, `grants.withdraw`.

use super::{
    actor::Actor,
    call::Call,
    failure::{Failure, Kind},
    grants::{Grant, GrantScope, New, OneGrant, all_of, check_did, create, look, revoke},
    method::{Entry, Example, Method, Need},
    refusals::REFUSALS,
};
use crate::{
    access::Use,
    dwn::{self, DeviceGrant, Standing},
};
use anyhow::Context as _;
use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::ops::ControlFlow;

pub const METHODS: &[Entry] = &[Entry::of::<Give>(), Entry::of::<TakeBack>()];

/// How long a device's grants are good for, and how long before their end they are given anew.
const GOOD_FOR: SignedDuration = SignedDuration::from_hours(365 * 24);
const RENEWED_BEFORE: SignedDuration = SignedDuration::from_hours(30 * 24);

#[derive(Debug)]
pub struct Give;

impl Method for Give {
    const NAME: &'static str = "grants.give";
    const SUMMARY: &'static str = "Give a device of an identity the grants that it lacks, so that it reads and writes in the \
                                   identity's name under each protocol that is installed.";
    const SCOPE: Need = Need::Sign(Use::Grant);
    const ERRORS: &'static [Kind] = REFUSALS;
    const EXAMPLES: &'static [Example] = &[Example {
        name: "for a year",
        params: r#"{"device": "$other"}"#,
        result: r#"{"made": [{"grantId": "$record", "grantedTo": "$other", "scope": {"interface": "Protocols", "method": "Query"}, "dateGranted": "2026-11-21T09:00:00.000000Z", "dateExpires": "2027-11-21T09:00:00.000000Z", "delegated": false, "state": "active", "dateRevoked": null}], "kept": 8}"#,
    }];
    type Params = ToDevice;
    type Result = Given;

    async fn run(call: &Call, ToDevice { device, date_expires, from }: ToDevice) -> Result<Given, Failure> {
        let expires = match date_expires {
            Some(text) => text.parse().map_err(|_| {
                Failure::new(Kind::Usage, format!("dateExpires {text}: write it as 2026-11-21T00:00:00Z"))
            })?,
            None => in_a_year(Timestamp::now())?,
        };
        let _alone = call.devices.granting().await;
        give(call, from.as_deref(), &device, expires).await
    }
}

#[derive(Debug)]
pub struct TakeBack;

impl Method for TakeBack {
    const NAME: &'static str = "grants.withdraw";
    const SUMMARY: &'static str = "Revoke all grants in force that an identity of this node has given a device.";
    const SCOPE: Need = Need::Sign(Use::Grant);
    const ERRORS: &'static [Kind] = REFUSALS;
    const EXAMPLES: &'static [Example] = &[Example {
        name: "a lost device",
        params: r#"{"device": "$other"}"#,
        result: r#"[{"grantId": "$record", "grantedTo": "$other", "scope": {"interface": "Protocols", "method": "Query"}, "dateGranted": "2026-11-21T09:00:00.000000Z", "dateExpires": "2027-11-21T09:00:00.000000Z", "delegated": false, "state": "revoked", "dateRevoked": "2026-11-21T10:00:00.000000Z"}]"#,
    }];
    type Params = OfDevice;
    type Result = Vec<Grant>;

    async fn run(call: &Call, OfDevice { device, from }: OfDevice) -> Result<Vec<Grant>, Failure> {
        let _alone = call.devices.granting().await;
        take_back(call, from.as_deref(), &device).await
    }
}

/// To which device.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ToDevice {
    /// The device's own DID.
    pub device: String,
    /// Until when, as `2026-11-21T00:00:00Z`; a year from now if nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub date_expires: Option<String>,
    /// Which of the node's identities gives them; its own if none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
}

/// Of which device.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct OfDevice {
    /// The device's own DID.
    pub device: String,
    /// Which of the node's identities gave them; its own if none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
}

/// What a device has been given.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "GrantsGiven")]
pub struct Given {
    /// Made just now.
    pub made: Vec<Grant>,
    /// Those that it had and that are good for a while yet.
    pub kept: usize,
}

/// When grants end that are given now.
pub fn in_a_year(now: Timestamp) -> Result<Timestamp, Failure> {
    Ok(now.checked_add(GOOD_FOR).context("the clock is at the end of time")?)
}

/// Gives a device what it needs of an identity of this node (the node's own if none is named) and does not have for 30 days yet. To be
/// called when a device is paired, when a protocol is installed, and every so often; what is there already is not made again. Under
/// [`Devices::granting`](crate::devices::Devices::granting), as is `take_back`: two at once would make each twice.
pub async fn give(call: &Call, identity: Option<&str>, device: &str, expires: Timestamp) -> Result<Given, Failure> {
    check_did("device", device)?;
    let Actor { tenant, .. } = Actor::of(call, identity)?;
    call.caller().may_sign(Use::Grant, &tenant)?;
    if device == tenant {
        return Err(Failure::new(Kind::Usage, "an identity needs no grants of its own: device is another's DID"));
    }
    let soon = Timestamp::now().checked_add(RENEWED_BEFORE).context("the clock is at the end of time")?;
    let soon = format!("{soon:.6}");
    let (grantor, grantee) = (tenant.clone(), device.to_owned());
    let (missing, kept) = look(call, &tenant, move |view, now| {
        let mut protocols = Vec::new();
        view.each(&view.protocols()?, &mut |stored| {
            let uri = |stored: &dwn::Stored| {
                stored.message.pointer("/descriptor/definition/protocol")?.as_str().map(str::to_owned)
            };
            protocols.extend(stored.as_ref().and_then(uri));
            Ok(ControlFlow::Continue(()))
        })?;
        protocols.sort();
        let given = all_of((&grantor, &grantee), view, now)?;
        let is_met = |needed: &DeviceGrant| given.iter().any(|granted| needed.is_met_by(granted, &soon));
        let (met, missing): (Vec<_>, Vec<_>) = dwn::device_grants(&protocols).into_iter().partition(is_met);
        Ok((missing, met.len()))
    })
    .await?;
    let mut made = Vec::new();
    for DeviceGrant { interface, method, protocol, delegated } in missing {
        let scope =
            GrantScope { interface: interface.into(), method: method.into(), protocol, ..GrantScope::default() };
        let new = New {
            granted_to: device.to_owned(),
            scope,
            date_expires: expires.to_string(),
            description: Some("a device".into()),
            delegated,
            conditions: None,
            request_id: None,
            from: Some(tenant.clone()),
        };
        made.push(create(call, new).await?.grant);
    }
    Ok(Given { made, kept })
}

/// Revokes all that an identity of this node (the node's own if none is named) lets this DID do.
pub async fn take_back(call: &Call, identity: Option<&str>, device: &str) -> Result<Vec<Grant>, Failure> {
    check_did("device", device)?;
    let Actor { tenant, .. } = Actor::of(call, identity)?;
    call.caller().may_sign(Use::Grant, &tenant)?;
    let (grantor, grantee) = (tenant.clone(), device.to_owned());
    let given = look(call, &tenant, move |view, now| Ok(all_of((&grantor, &grantee), view, now)?)).await?;
    let mut revoked = Vec::new();
    for granted in given.into_iter().filter(|granted| granted.standing == Standing::Active) {
        revoked.push(revoke(call, OneGrant { grant_id: granted.id, from: Some(tenant.clone()) }).await?);
    }
    Ok(revoked)
}
