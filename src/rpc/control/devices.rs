//! The owner's devices: `devices.…`. A new one comes in by a code that this node prints and its owner types there.

use super::{
    call::Call,
    devices_roster,
    failure::{Failure, Kind},
    grants_device::{give, in_a_year, take_back},
    method::{Entry, Example, From, Method, Need, NoParams},
    refusals::REFUSALS,
};
use crate::{
    audit::What,
    crypto::Locked,
    devices::{Joining, JoiningState, Listed, NoDevice, OfferStanding, OfferState, Offered},
    job::{Job, Wait},
};
use anyhow::{Context as _, Error, anyhow};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::time::Duration;
use tokio::sync::watch;

pub const METHODS: &[Entry] = &[
    Entry::of::<List>(),
    Entry::of::<Offer>(),
    Entry::of::<Standing>(),
    Entry::of::<Decide>(),
    Entry::of::<Withdraw>(),
    Entry::of::<Join>(),
    Entry::of::<JoiningNow>(),
    Entry::of::<Leave>(),
    Entry::of::<Rename>(),
    Entry::of::<Remove>(),
];

/// A call waits for something new no longer than this.
const WAIT_MAX: u64 = 60;

#[derive(Debug)]
pub struct List;

impl Method for List {
    const NAME: &'static str = "devices.list";
    const SUMMARY: &'static str = "List the owner's devices, this one first.";
    const SCOPE: Need = Need::Sync;
    const ERRORS: &'static [Kind] = &[];
    const EXAMPLES: &'static [Example] = &[Example {
        name: "all",
        params: "{}",
        result: r#"[{"did": "$did", "name": "desk", "this": true, "added": null, "let_in": false, "address": null, "connected": true, "in_sync": true}]"#,
    }];
    type Params = NoParams;
    type Result = Vec<Listed>;

    async fn run(call: &Call, NoParams {}: NoParams) -> Result<Vec<Listed>, Failure> {
        Ok(call.devices.list()?)
    }
}

#[derive(Debug)]
pub struct Offer;

impl Method for Offer {
    const NAME: &'static str = "devices.offer";
    const SUMMARY: &'static str = "Offer one device to come in: a code for ten minutes, in place of the one before.";
    const SCOPE: Need = Need::Sync;
    const FROM: From = From::Socket;
    const ERRORS: &'static [Kind] = &[Kind::Network, Kind::Locked];
    const EXAMPLES: &'static [Example] = &[Example {
        name: "of all",
        params: "{}",
        result: r#"{"code": "aedqobyha4dqobyha4dqobyha4dq", "expires": "2026-11-21T09:10:00Z"}"#,
    }];
    type Params = NewOffer;
    type Result = Offered;

    async fn run(call: &Call, NewOffer { tenants }: NewOffer) -> Result<Offered, Failure> {
        call.devices.offer(tenants).await.map_err(failed)
    }
}

#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "NewOffer")]
pub struct NewOffer {
    /// DIDs whose records both will keep. Empty: this node's own and the other's.
    pub tenants: Vec<String>,
}

#[derive(Debug)]
pub struct Standing;

impl Method for Standing {
    const NAME: &'static str = "devices.offered";
    const SUMMARY: &'static str = "Say how the offer stands, or how it does as soon as that is something else.";
    const SCOPE: Need = Need::Sync;
    const FROM: From = From::Socket;
    const ERRORS: &'static [Kind] = &[];
    const EXAMPLES: &'static [Example] = &[Example {
        name: "now",
        params: "{}",
        result: r#"{"state": "asks", "expires": "2026-11-21T09:10:00Z", "device": {"did": "$other", "name": "phone", "address": "/ip4/192.0.2.7/tcp/4001/p2p/12D3KooWGjMCwVQsVLbJqGYdkzJ8vTz5dBf5YPHjQkXvF7b8kZpQ"}, "digits": "042137", "why": null}"#,
    }];
    type Params = Awaited<OfferState>;
    type Result = OfferStanding;

    async fn run(call: &Call, awaited: Awaited<OfferState>) -> Result<OfferStanding, Failure> {
        Ok(awaited.other(call, call.devices.standing(), |standing| standing.state).await)
    }
}

/// How long to wait for a change.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, bound(deserialize = "State: Deserialize<'de>"))]
#[schemars(rename = "Awaited{State}")]
pub struct Awaited<State> {
    /// Seconds, 60 at most.
    #[serde(default)]
    pub wait: u64,
    /// The state that the caller knows already: another is waited for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<State>,
}

impl<State: PartialEq> Awaited<State> {
    /// What is watched, as soon as its state is another, the time is over, or the node stops.
    async fn other<T: Clone>(self, call: &Call, mut watched: watch::Receiver<T>, state: impl Fn(&T) -> State) -> T {
        let wait = Duration::from_secs(self.wait.min(WAIT_MAX));
        let is_other = |now: &T| self.after.as_ref().is_none_or(|after| state(now) != *after);
        tokio::select! {
            _ = tokio::time::timeout(wait, watched.wait_for(is_other)) => {}
            () = call.stop.cancelled() => {}
        }
        watched.borrow().clone()
    }
}

#[derive(Debug)]
pub struct Decide;

impl Method for Decide {
    const NAME: &'static str = "devices.decide";
    const SUMMARY: &'static str = "Let in the device that shows these six digits; without digits, turn it away.";
    const SCOPE: Need = Need::Sync;
    const FROM: From = From::Socket;
    const ERRORS: &'static [Kind] = REFUSALS;
    const EXAMPLES: &'static [Example] = &[Example {
        name: "let in",
        params: r#"{"digits": "042137"}"#,
        result: r#"{"state": "paired", "expires": null, "device": {"did": "$other", "name": "phone", "address": "/ip4/192.0.2.7/tcp/4001/p2p/12D3KooWGjMCwVQsVLbJqGYdkzJ8vTz5dBf5YPHjQkXvF7b8kZpQ"}, "digits": null, "why": null}"#,
    }];
    type Params = Decision;
    type Result = OfferStanding;

    async fn run(call: &Call, Decision { digits }: Decision) -> Result<OfferStanding, Failure> {
        let digits = digits.map(|digits| digits.chars().filter(char::is_ascii_digit).collect());
        let standing = call.devices.decide(digits).await.map_err(failed)?;
        if let (OfferState::Paired, Some(device)) = (standing.state, &standing.device) {
            give_to(call, &device.did).await.map_err(|failure| Failure {
                message: format!("the device is let in, and its grants are not made yet: {}", failure.message),
                ..failure
            })?;
        }
        Ok(standing)
    }
}

#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "DeviceDecision")]
pub struct Decision {
    /// As both devices show them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digits: Option<String>,
}

#[derive(Debug)]
pub struct Withdraw;

impl Method for Withdraw {
    const NAME: &'static str = "devices.withdraw";
    const SUMMARY: &'static str = "End the offer.";
    const SCOPE: Need = Need::Sync;
    const FROM: From = From::Socket;
    const ERRORS: &'static [Kind] = &[];
    const EXAMPLES: &'static [Example] = &[Example { name: "it", params: "{}", result: r#"{"withdrawn": true}"# }];
    type Params = NoParams;
    type Result = Withdrawn;

    async fn run(call: &Call, NoParams {}: NoParams) -> Result<Withdrawn, Failure> {
        Ok(Withdrawn { withdrawn: call.devices.withdraw() })
    }
}

/// Was there an offer?
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "OfferWithdrawn")]
pub struct Withdrawn {
    pub withdrawn: bool,
}

#[derive(Debug)]
pub struct Join;

impl Method for Join {
    const NAME: &'static str = "devices.join";
    const SUMMARY: &'static str =
        "Go to the device that made an offer: its owner compares six digits and lets this one in.";
    const SCOPE: Need = Need::Sync;
    const FROM: From = From::Socket;
    const ERRORS: &'static [Kind] = &[Kind::Network, Kind::Locked];
    const EXAMPLES: &'static [Example] = &[Example {
        name: "with a code",
        params: r#"{"code": "aedqobyha4dqobyha4dqobyha4dq"}"#,
        result: r#"{"state": "waits", "device": {"did": "$other", "name": "phone", "address": "/ip4/192.0.2.7/tcp/4001/p2p/12D3KooWGjMCwVQsVLbJqGYdkzJ8vTz5dBf5YPHjQkXvF7b8kZpQ"}, "digits": "042137", "tenants": [], "why": null}"#,
    }];
    type Params = Joins;
    type Result = Joining;

    async fn run(call: &Call, Joins { code, at, share }: Joins) -> Result<Joining, Failure> {
        call.devices.join(&code, at, share).await.map_err(failed)
    }
}

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "DeviceCode")]
pub struct Joins {
    /// As toft pair, on the other device, prints it.
    pub code: String,
    /// Where that device is, if not where its code says: a multiaddr.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// The other device may keep the records of this node's own identities too.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub share: bool,
}

#[derive(Debug)]
pub struct JoiningNow;

impl Method for JoiningNow {
    const NAME: &'static str = "devices.joining";
    const SUMMARY: &'static str = "Say how joining stands, or how it does as soon as that is something else.";
    const SCOPE: Need = Need::Sync;
    const FROM: From = From::Socket;
    const ERRORS: &'static [Kind] = &[];
    const EXAMPLES: &'static [Example] = &[Example {
        name: "now",
        params: "{}",
        result: r#"{"state": "joined", "device": {"did": "$other", "name": "phone", "address": "/ip4/192.0.2.7/tcp/4001/p2p/12D3KooWGjMCwVQsVLbJqGYdkzJ8vTz5dBf5YPHjQkXvF7b8kZpQ"}, "digits": null, "tenants": ["$did", "$other"], "why": null}"#,
    }];
    type Params = Awaited<JoiningState>;
    type Result = Joining;

    async fn run(call: &Call, awaited: Awaited<JoiningState>) -> Result<Joining, Failure> {
        Ok(awaited.other(call, call.devices.joining(), |standing| standing.state).await)
    }
}

#[derive(Debug)]
pub struct Leave;

impl Method for Leave {
    const NAME: &'static str = "devices.leave";
    const SUMMARY: &'static str = "Give up joining: this device waits to be let in no more.";
    const SCOPE: Need = Need::Sync;
    const FROM: From = From::Socket;
    const ERRORS: &'static [Kind] = &[];
    const EXAMPLES: &'static [Example] = &[Example { name: "it", params: "{}", result: r#"{"left": true}"# }];
    type Params = NoParams;
    type Result = Left;

    async fn run(call: &Call, NoParams {}: NoParams) -> Result<Left, Failure> {
        Ok(Left { left: call.devices.leave().await })
    }
}

/// Did it wait to be let in?
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "JoiningLeft")]
pub struct Left {
    pub left: bool,
}

#[derive(Debug)]
pub struct Rename;

impl Method for Rename {
    const NAME: &'static str = "devices.rename";
    const SUMMARY: &'static str = "Call a device something else.";
    const SCOPE: Need = Need::Sync;
    const FROM: From = From::Socket;
    const ERRORS: &'static [Kind] = &[Kind::NotFound];
    const EXAMPLES: &'static [Example] = &[Example {
        name: "this one",
        params: r#"{"device": "$did", "name": "desk"}"#,
        result: r#"{"did": "$did", "name": "desk", "this": true, "added": "2026-11-21T09:00:00Z", "let_in": false, "address": null, "connected": true, "in_sync": true}"#,
    }];
    type Params = NewName;
    type Result = Listed;

    async fn run(call: &Call, NewName { device, name }: NewName) -> Result<Listed, Failure> {
        call.devices.rename(&device, &name).await.map_err(failed)
    }
}

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "DeviceName")]
pub struct NewName {
    /// Its DID, or what it is called.
    pub device: String,
    /// 1 to 64 letters.
    pub name: String,
}

#[derive(Debug)]
pub struct Remove;

impl Method for Remove {
    const NAME: &'static str = "devices.remove";
    const SUMMARY: &'static str = "A device is none any more: what it has it keeps, and nothing more goes there.";
    const SCOPE: Need = Need::Sync;
    const FROM: From = From::Socket;
    const ERRORS: &'static [Kind] = REFUSALS;
    const EXAMPLES: &'static [Example] = &[Example {
        name: "by its name",
        params: r#"{"device": "phone"}"#,
        result: r#"{"did": "$other", "name": "phone", "this": false, "added": "2026-11-21T09:00:00Z", "let_in": true, "address": "/ip4/192.0.2.7/tcp/4001/p2p/12D3KooWGjMCwVQsVLbJqGYdkzJ8vTz5dBf5YPHjQkXvF7b8kZpQ", "connected": false, "in_sync": false}"#,
    }];
    type Params = OneDevice;
    type Result = Listed;

    async fn run(call: &Call, OneDevice { device }: OneDevice) -> Result<Listed, Failure> {
        let _alone = call.devices.granting().await;
        let found = call.devices.found(&device).map_err(failed)?;
        let given_by = identities(call, &found);
        let removed = call.devices.remove(&found.did).await.map_err(failed)?;
        call.audit.note(What::PeerRemoved, call.caller(), json!({"did": removed.did, "name": removed.name})).await?;
        for identity in given_by {
            // Both are tried: what one of them meets does not keep the other from being done.
            let told = devices_roster::forget(call, &identity, &removed.did).await;
            let back = take_back(call, Some(&identity), &removed.did).await;
            let not_done = |what: &'static str| {
                move |failure: Failure| Failure {
                    message: format!("the device is removed here, and {what}: {}", failure.message),
                    ..failure
                }
            };
            back.map_err(not_done("what it was granted is not revoked (grants.withdraw does that)"))?;
            told.map_err(not_done(
                "its record for the other devices is not deleted (adding and removing it once more does that)",
            ))?;
        }
        Ok(removed)
    }
}

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "OneDevice")]
pub struct OneDevice {
    /// Its DID, or what it is called.
    pub device: String,
}

/// Gives the owner's devices the grants that they lack, when something has changed and every so often: a wallet that installs a protocol by
/// itself is not heard of here, and grants have their end.
pub async fn keep_giving(call: Call, job: Job) -> Result<(), Error> {
    const EVERY: Duration = Duration::from_secs(600);
    job.awaits(Wait::Every(EVERY));
    loop {
        job.run(give_all(&call)).await;
        tokio::select! {
            goes_on = job.sleep(EVERY) => if !goes_on { return Ok(()) },
            () = call.devices.lacking() => {}
        }
    }
}

/// Follows what the records of an identity whose key is elsewhere tell of its devices.
pub async fn keep_meeting(call: Call, job: Job) -> Result<(), Error> {
    const EVERY: Duration = Duration::from_secs(600);
    // What is written comes in bursts.
    const SETTLED: Duration = Duration::from_secs(2);
    job.awaits(Wait::Every(EVERY));
    let mut tail = call.node.store().tail();
    loop {
        tail.borrow_and_update();
        job.run(devices_roster::follow(&call)).await;
        tokio::select! {
            goes_on = job.sleep(EVERY) => if !goes_on { return Ok(()) },
            grew = tail.changed() => {
                grew.context("the store is closed")?;
                if !job.sleep(SETTLED).await {
                    return Ok(());
                }
            }
        }
    }
}

async fn give_all(call: &Call) -> Result<(), Error> {
    let mut failed = Vec::new();
    for device in call.devices.list()?.into_iter().filter(|device| device.let_in) {
        match give_to(call, &device.did).await {
            Ok(()) => {}
            // They are given some time after the keys are unlocked.
            Err(failure) if failure.kind == Kind::Locked => {}
            Err(failure) => failed.push(format!("{}: {}", device.name, failure.message)),
        }
    }
    match failed.is_empty() {
        true => Ok(()),
        false => Err(anyhow!("grants were not given to {}", failed.join("; "))),
    }
}

/// Gives a device what it lacks of each identity whose records both keep, if it is one yet.
async fn give_to(call: &Call, device: &str) -> Result<(), Failure> {
    let _alone = call.devices.granting().await;
    let found = call.devices.found(device).map_err(failed)?;
    for identity in identities(call, &found) {
        devices_roster::record(call, &identity, &found).await?;
        give(call, Some(&identity), &found.did, in_a_year(Timestamp::now())?).await?;
    }
    Ok(())
}

/// The identities of this node in whose name a device acts: those whose records both keep, if it was let in.
fn identities(call: &Call, device: &Listed) -> Vec<String> {
    let peers = call.sync.peers().into_iter().filter(|status| device.let_in && status.peer.did == device.did);
    let own = call.identities.dids();
    peers.flat_map(|status| status.peer.tenants).filter(|tenant| own.contains(tenant)).collect()
}

fn failed(no: NoDevice) -> Failure {
    let kind = match &no {
        NoDevice::Code(_) | NoDevice::Wrong(_) => Kind::Usage,
        NoDevice::NotFound(_) | NoDevice::NobodyAsks => Kind::NotFound,
        NoDevice::Line(fault) if fault.is::<Locked>() => Kind::Locked,
        NoDevice::Line(_) => Kind::Network,
        NoDevice::Fault(_) => Kind::Failed,
    };
    match no {
        NoDevice::Fault(fault) => fault.into(),
        no => Failure::new(kind, no.to_string()),
    }
}
