//! The device that gives: one offer at a time, for ten minutes, for one device.

use super::{
    code::Code,
    line::Line,
    talk::{self, Asking, Device, Heard, Myself},
};
use crate::{foreign::shown, job::Moment, sync::Link};
use anyhow::Error;
use futures::{StreamExt as _, stream::BoxStream};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{collections::HashMap, sync::Arc, time::Duration};
use tokio::{
    sync::{mpsc, watch},
    task::{AbortHandle, JoinSet},
    time::{Instant, timeout, timeout_at},
};
use zeroize::Zeroizing;

/// How long an offer stands.
pub const LIFE: Duration = Duration::from_secs(600);
/// A device says who it is in a few short frames.
const HEARD: Duration = if cfg!(test) { Duration::from_secs(1) } else { Duration::from_secs(15) };
/// Streams that are heard at the same time, one of each peer: one address holds half as many connections at most, so
/// strangers at one do not keep the device out.
pub const HEARD_MAX: usize = 64;
/// A device that is let in answers at once.
const TAKEN: Duration = Duration::from_secs(20);

/// How the offer stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "OfferState")]
pub enum State {
    /// There is none.
    None,
    /// No device has come yet.
    Open,
    /// A device that has the code waits for the owner.
    Asks,
    /// It is let in.
    Paired,
    /// It is over, and nobody was let in.
    Over,
}

/// The offer, as the owner sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "OfferStatus")]
pub struct Standing {
    pub state: State,
    /// Until when it stands.
    pub expires: Option<Moment>,
    /// Who asks, or was let in.
    pub device: Option<Device>,
    /// Six digits that the other device shows too.
    pub digits: Option<String>,
    /// Why it is over.
    pub why: Option<String>,
}

impl Standing {
    pub const NONE: Self = Self { state: State::None, expires: None, device: None, digits: None, why: None };

    fn open(life: Duration) -> Self {
        let expires = Timestamp::now().checked_add(life).ok().map(Moment);
        Self { state: State::Open, expires, ..Self::NONE }
    }

    fn over(why: impl Into<String>) -> Self {
        Self { state: State::Over, why: Some(why.into()), ..Self::NONE }
    }
}

/// What the owner does with it.
#[derive(Debug)]
pub enum Decision {
    /// These digits are on both.
    LetIn(String),
    TurnAway,
    /// It ends.
    Withdraw,
}

/// A running offer.
#[derive(Debug)]
pub struct Offer {
    pub code: Code,
    pub standing: watch::Receiver<Standing>,
    pub decide: mpsc::Sender<Decision>,
}

/// Takes a device in: what both will share.
pub trait Take: Send + Sync + 'static {
    fn take(&self, device: Device) -> impl Future<Output = Result<Vec<String>, Error>> + Send;
}

/// The parts of a new offer that stands for `life`: what the owner holds, and what runs until it is over.
pub async fn make(
    line: &dyn Line,
    (own, life): (Myself, Duration),
    take: impl Take,
) -> Result<(Offer, impl Future<Output = ()> + Send + 'static), Error> {
    let mut secret = Zeroizing::new([0; 16]);
    getrandom::fill(&mut *secret).map_err(|e| anyhow::anyhow!("the operating system gave no randomness: {e}"))?;
    let code = Code::new(secret, &own.addresses)
        .ok_or_else(|| anyhow::anyhow!("this node listens nowhere, so no device can come to it: see net.listen"))?;
    let incoming = line.listen().await?;
    let (tell, standing) = watch::channel(Standing::open(life));
    let (decide, decisions) = mpsc::channel(4);
    let offer = Offer { code: code.clone(), standing, decide };
    let run = async move {
        let until = Instant::now() + life;
        let waits = wait((incoming, own, code.secret), (&tell, decisions));
        let outcome =
            timeout_at(until, waits).await.unwrap_or_else(|_| Err("its time is over: make a new offer".into()));
        // Once the owner has said yes, no clock ends it half way.
        let end = match outcome {
            Ok((device, link)) => let_in(device, link, take).await,
            Err(why) => Standing::over(why),
        };
        tell.send_replace(end);
    };
    Ok((offer, run))
}

/// A peer, and what became of its stream.
type Ended = (String, Result<(Heard, Link), Error>);

/// Until the owner has said yes to a device; or why the offer is over.
async fn wait(
    (mut incoming, own, secret): (BoxStream<'static, Link>, Myself, Zeroizing<[u8; 16]>),
    (tell, mut decisions): (&watch::Sender<Standing>, mpsc::Receiver<Decision>),
) -> Result<(Device, Link), String> {
    let (own, secret) = (Arc::new(own), Arc::new(secret));
    let mut hearing: JoinSet<Ended> = JoinSet::new();
    let mut heard_now: HashMap<String, AbortHandle> = HashMap::new();
    let (asking, link) = loop {
        tokio::select! {
            next = incoming.next() => {
                let Some(mut link) = next else { return Err("the network has ended".into()) };
                // A peer's new stream takes the place of its old one. Who finds no room now finds some a little later.
                if let Some(old) = heard_now.remove(&link.remote_peer) {
                    old.abort();
                } else if heard_now.len() >= HEARD_MAX {
                    continue;
                }
                let (own, secret, peer) = (own.clone(), secret.clone(), link.remote_peer.clone());
                let handle = hearing.spawn(async move {
                    let heard = timeout(HEARD, talk::hear(&mut link, &own, &secret)).await;
                    let peer = link.remote_peer.clone();
                    (peer, heard.map_err(Error::new).flatten().map(|heard| (heard, link)))
                });
                heard_now.insert(peer, handle);
            }
            Some(ended) = hearing.join_next() => {
                let (peer, heard) = match ended {
                    Ok(ended) => ended,
                    Err(error) if error.is_cancelled() => continue,
                    Err(error) => return Err(format!("a stream could not be heard: {error}")),
                };
                heard_now.remove(&peer);
                match heard {
                    Ok((Heard::Asks(asking), link)) => break (asking, link),
                    // One guess, and the code is worth nothing any more.
                    Ok((Heard::Guessed, _)) => {
                        let peer = shown(&peer);
                        return Err(format!("a device ({peer}) came with a wrong code: it was mistyped, or somebody tries; make a new offer"));
                    }
                    Err(error) => tracing::debug!("a stream for pairing ended: {error:#}"),
                }
            },
            decision = decisions.recv() => match decision {
                Some(Decision::LetIn(_) | Decision::TurnAway) => {} // nobody asks
                Some(Decision::Withdraw) | None => return Err("it was withdrawn".into()),
            },
        }
    };
    // The others are turned away with their streams.
    drop((hearing, incoming));
    decided(asking, link, (tell, decisions)).await
}

/// The owner decides.
async fn decided(
    Asking { device, digits }: Asking,
    mut link: Link,
    (tell, mut decisions): (&watch::Sender<Standing>, mpsc::Receiver<Decision>),
) -> Result<(Device, Link), String> {
    let name = shown(&device.name);
    tell.send_modify(|standing| {
        *standing = Standing {
            state: State::Asks,
            device: Some(device.clone()),
            digits: Some(digits.clone()),
            ..standing.clone()
        };
    });
    let decision = tokio::select! {
        decision = decisions.recv() => decision,
        () = talk::gone(&mut link) => return Err(format!("{name} went away before it was let in: make a new offer")),
    };
    match decision {
        Some(Decision::LetIn(typed)) if typed == digits => Ok((device, link)),
        Some(Decision::LetIn(_)) => {
            talk::turn_away(&mut link, "the digits that were typed there are not those of this device").await;
            Err(format!("other digits were typed than those of {name}: it is not let in"))
        }
        Some(Decision::TurnAway) => {
            talk::turn_away(&mut link, "the owner of the other device does not let this one in").await;
            Err(format!("{name} is not let in"))
        }
        Some(Decision::Withdraw) | None => {
            talk::turn_away(&mut link, "the offer was withdrawn").await;
            Err("it was withdrawn".into())
        }
    }
}

/// Takes the device in, and tells it.
async fn let_in(device: Device, mut link: Link, take: impl Take) -> Standing {
    let name = shown(&device.name);
    let tenants = match take.take(device.clone()).await {
        Ok(tenants) => tenants,
        Err(error) => {
            talk::turn_away(&mut link, "the other device could not take this one in; it says why").await;
            return Standing::over(format!("{name} could not be taken in: {error:#}"));
        }
    };
    // What it does not hear now it can be told by hand: it is a device already.
    let why = match timeout(TAKEN, talk::let_in(&mut link, tenants)).await {
        Ok(Ok(())) => None,
        _ => {
            Some(format!("{name} went away before it heard so: there, toft peer add with this node's DID and address"))
        }
    };
    Standing { state: State::Paired, device: Some(device), why, ..Standing::NONE }
}
