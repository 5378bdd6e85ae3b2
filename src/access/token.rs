//! Tokens: what each may do, for how long, from where; and what a child of one may have.

use super::{
    origin::Origin,
    scope::{Need, Scope, Scopes, normal_protocol},
};
use crate::{
    cid::{self, Digest},
    crypto::{self, Secret},
    did::Did,
    foreign::shown,
    job::Moment,
};
use anyhow::{Error, anyhow};
use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

/// How a token begins: who finds one knows what it is.
const PREFIX: &str = "toft_";
/// How long a token is good for, if nothing else was said.
pub const DEFAULT_LIFE: Duration = Duration::from_secs(24 * 3600);
/// Calls a minute, if nothing else was said, and at most.
pub const DEFAULT_RATE: u32 = 600;
const RATE_MAX: u32 = 1_000_000;
/// The longest that a token is good for which was not made on the control socket.
const LIFE_MAX: Duration = Duration::from_secs(366 * 24 * 3600);
/// Characters of a name.
pub const NAME_MAX: usize = 100;
/// Protocols of one token.
const PROTOCOLS_MAX: usize = 64;

/// A token, without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Token {
    pub id: String,
    pub name: String,
    pub scopes: Scopes,
    /// Records of these protocols alone; empty: of all that the scopes name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub protocols: Vec<String>,
    /// Records and signatures of this tenant alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// Used by pages of this origin alone; without one, by no page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
    /// Calls a minute.
    pub rate: u32,
    /// The token that made it; it ends with that one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    #[schemars(with = "String")]
    pub created: Moment,
    /// Not given: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub expires: Option<Moment>,
}

/// A token that is wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
pub struct Wanted {
    /// What it is for, as its owner will know it again.
    pub name: String,
    pub scopes: Scopes,
    /// Records of these protocols alone.
    pub protocols: Vec<String>,
    /// Records and signatures of this tenant alone.
    pub tenant: Option<String>,
    /// Used by pages of this origin alone.
    pub origin: Option<Origin>,
    /// Calls a minute: 600 if not given.
    pub rate: Option<u32>,
    /// Seconds that it is good for: a day if not given.
    pub expires_in: Option<u64>,
    /// It is good until it is revoked. On the control socket only.
    pub never_expires: bool,
}

/// Why there is no such token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    #[error("{0}")]
    Wrong(String),
    #[error("a token makes narrower ones only: {0}")]
    Wider(String),
}

impl Unfit {
    fn wrong<T>(why: impl Into<String>) -> Result<T, Self> {
        Err(Self::Wrong(why.into()))
    }
}

impl Token {
    /// The token that is wanted. `by_owner`: on the control socket, so that it may be one for good.
    pub fn new(id: String, wanted: Wanted, by_owner: bool, now: Timestamp) -> Result<Self, Unfit> {
        let Wanted { name, scopes, protocols, tenant, origin, rate, .. } = wanted;
        let name = name.trim().to_owned();
        if name.is_empty() || name.chars().count() > NAME_MAX || !name.chars().all(crate::foreign::is_plain) {
            return Unfit::wrong(format!("a token has a name of 1 to {NAME_MAX} plain characters"));
        }
        if scopes.is_empty() {
            return Unfit::wrong("a token has at least one scope: toft token scopes lists them");
        }
        let normal = |protocol: &String| {
            normal_protocol(protocol).ok_or_else(|| Unfit::Wrong(format!("`{}` is no protocol's URI", shown(protocol))))
        };
        let mut protocols = protocols.iter().map(normal).collect::<Result<Vec<_>, _>>()?;
        if protocols.len() > PROTOCOLS_MAX {
            return Unfit::wrong(format!("a token has at most {PROTOCOLS_MAX} protocols"));
        }
        if let Some(wrong) = tenant.as_deref().filter(|did| did.parse::<Did>().is_err()) {
            return Unfit::wrong(format!("`{}` is not a DID", shown(wrong)));
        }
        // What is about the whole node knows no bounds of this kind: a token with both would only look bounded.
        let beyond = scopes.iter().find(|scope| {
            (tenant.is_some() && !scope.is_of_a_tenant()) || (!protocols.is_empty() && !scope.is_of_a_protocol())
        });
        if let Some(scope) = beyond {
            let bound = if tenant.is_some() && !scope.is_of_a_tenant() { "tenant" } else { "protocols" };
            return Unfit::wrong(format!(
                "{scope} is not bounded by {bound}: make a token of its own for it, without {bound}"
            ));
        }
        let rate = rate.unwrap_or(DEFAULT_RATE);
        if !(1..=RATE_MAX).contains(&rate) {
            return Unfit::wrong(format!("a rate is 1 to {RATE_MAX} calls a minute"));
        }
        protocols.sort();
        protocols.dedup();
        let life = life(wanted.expires_in, wanted.never_expires, by_owner)?;
        let created = whole_second(now);
        let expires = match life {
            None => None,
            Some(life) => Some(Moment(
                SignedDuration::try_from(life)
                    .ok()
                    .and_then(|life| created.checked_add(life).ok())
                    .ok_or_else(|| Unfit::Wrong("it expires later than there are dates".to_owned()))?,
            )),
        };
        Ok(Self { id, name, scopes, protocols, tenant, origin, rate, parent: None, created: Moment(created), expires })
    }

    /// The same as a child of `parent`, if it is no wider.
    pub fn child_of(mut self, parent: &Self) -> Result<Self, Unfit> {
        let wider = |what: String| Err(Unfit::Wider(what));
        if let Some(scope) = parent.scopes.lacks(&self.scopes) {
            return wider(format!("{} lacks {scope}", parent.id));
        }
        if !parent.protocols.is_empty() {
            let is_beyond = |protocol: &&String| !parent.protocols.contains(protocol);
            match self.protocols.iter().find(is_beyond) {
                Some(protocol) => return wider(format!("{} is not for {}", parent.id, shown(protocol))),
                None if self.protocols.is_empty() => self.protocols = parent.protocols.clone(),
                None => {}
            }
        }
        match &parent.tenant {
            Some(tenant) if self.tenant.as_ref().is_some_and(|own| own != tenant) => {
                return wider(format!("{} is for one tenant", parent.id));
            }
            Some(tenant) => self.tenant = Some(tenant.clone()),
            None => {}
        }
        // A page that the owner has not let in gets in by no other token than one that may let in pages.
        if !parent.scopes.allows(Need::Admin) && self.origin != parent.origin {
            match (&self.origin, &parent.origin) {
                (None, Some(origin)) => self.origin = Some(origin.clone()),
                _ => return wider(format!("{} is not for that origin", parent.id)),
            }
        }
        if let Some(latest) = parent.expires {
            self.expires = Some(self.expires.filter(|own| own.0 < latest.0).unwrap_or(latest));
        }
        self.rate = self.rate.min(parent.rate);
        self.parent = Some(parent.id.clone());
        Ok(self)
    }

    /// Is it over at `now`?
    pub fn is_over(&self, now: Timestamp) -> bool {
        self.expires.is_some_and(|expires| now >= expires.0)
    }

    /// May it do something with what is under `protocol` (`None`: under none, or it is not known)?
    pub fn is_for_protocol(&self, protocol: Option<&str>) -> bool {
        self.protocols.is_empty() || protocol.is_some_and(|protocol| self.protocols.iter().any(|own| own == protocol))
    }

    /// May it read the records under `protocol`?
    pub fn may_read(&self, protocol: Option<&str>) -> bool {
        self.may(Scope::ReadRecords(protocol.map(str::to_owned)), protocol)
    }

    /// May it write them?
    pub fn may_write(&self, protocol: Option<&str>) -> bool {
        self.may(Scope::WriteRecords(protocol.map(str::to_owned)), protocol)
    }

    fn may(&self, scope: Scope, protocol: Option<&str>) -> bool {
        self.scopes.covers(&scope) && self.is_for_protocol(protocol)
    }
}

/// How long it is to be good for; `None`: for good.
fn life(seconds: Option<u64>, never: bool, by_owner: bool) -> Result<Option<Duration>, Unfit> {
    match (seconds, never) {
        (Some(_), true) => Unfit::wrong("it expires, or it never does: say one of the two"),
        (None, true) if !by_owner => Unfit::wrong("a token for good is made on the control socket only"),
        (None, true) => Ok(None),
        (Some(0), false) => Unfit::wrong("a token is good for a second at least"),
        (Some(seconds), false) if !by_owner && Duration::from_secs(seconds) > LIFE_MAX => {
            Unfit::wrong("a token is good for 366 days at most; a longer one is made on the control socket only")
        }
        (Some(seconds), false) => Ok(Some(Duration::from_secs(seconds))),
        (None, false) => Ok(Some(DEFAULT_LIFE)),
    }
}

/// As it will be written: what is read again is the same.
fn whole_second(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second()).unwrap_or(at)
}

/// A new id: 16 hex digits.
pub fn new_id() -> Result<String, getrandom::Error> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes)?;
    Ok(hex::encode(bytes))
}

/// What a token's holder shows: `toft_<id>.<secret>`.
pub fn text(id: &str, secret: &Secret) -> Zeroizing<String> {
    spelled(&format!("{PREFIX}{id}"), secret)
}

/// `<before>.<secret>`
pub fn spelled(before: &str, secret: &Secret) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(before.len() + 1 + 43));
    text.push_str(before);
    text.push('.');
    text.push_str(&Zeroizing::new(crypto::encode(secret.expose())));
    text
}

/// The id that a text claims, and its secret's hash.
pub fn parse(text: &str) -> Option<(&str, Digest)> {
    let (id, secret) = text.strip_prefix(PREFIX)?.split_once('.')?;
    Some((id, hash_of(secret)?))
}

/// The hash of a secret that is spelled right.
pub fn hash_of(secret: &str) -> Option<Digest> {
    // 32 bytes; nothing longer is decoded.
    if secret.len() != 43 {
        return None;
    }
    let bytes = Zeroizing::new(crypto::decode(secret)?);
    Some(cid::digest(&bytes))
}

/// Are they the same? It takes as long where they differ early.
pub fn same(a: &Digest, b: &Digest) -> bool {
    a.ct_eq(b).into()
}

/// What is said where the system has no randomness.
pub fn no_randomness(error: getrandom::Error) -> Error {
    anyhow!("the operating system gave no randomness: {error}")
}
