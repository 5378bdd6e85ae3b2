//! Pairing a wallet: it asks, shows six digits, and has its token once the owner has typed them.
//!
//! Nobody is known yet who asks, so little is kept of each, for a short time, and one at a time for an address. The code says to the owner
//! which wallet it is that he lets in: it is of no use to who asks. Only who asked has the secret that the token is fetched with.

use super::{
    caller::{Caller, Denial, Way},
    origin::Origin,
    scope::Scopes,
    token::{NAME_MAX, hash_of, new_id, no_randomness, same},
};
use crate::{
    asker::Asker,
    budget::{Budget, For, Rate},
    cid::{self, Digest},
    crypto::{self, Secret},
    foreign::is_plain,
    job::Moment,
};
use anyhow::Error;
use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use subtle::ConstantTimeEq as _;

/// How long a wallet waits for its owner, and then for its token to be fetched.
const LIFE: SignedDuration = SignedDuration::from_secs(300);
/// Wrong codes until it is over.
const TRIES: u8 = 5;
/// That wait at the same time.
const PENDING_MAX: usize = 64;
const ASKS: Rate = Rate { most: 30, share: 3, reserved: 0, over: Duration::from_secs(60) };

/// What a wallet asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Wish {
    /// What the wallet is called.
    pub name: String,
    /// Its page's origin; without one, it is no page.
    #[serde(default)]
    pub origin: Option<Origin>,
    pub scopes: Scopes,
}

/// What it is told. It shows the code, and keeps the secret.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "PairingAsked")]
pub struct Asked {
    pub id: String,
    /// Six digits that the owner types.
    pub code: String,
    /// The token is fetched with it: pair.poll.
    pub secret: String,
    #[schemars(with = "String")]
    pub expires: Moment,
}

impl std::fmt::Debug for Asked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Asked({})", self.id)
    }
}

/// What the owner sees of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Pairing {
    pub id: String,
    pub name: String,
    pub origin: Option<Origin>,
    /// A browser says so; otherwise a program does, which may say what it likes.
    pub from_page: bool,
    pub scopes: Scopes,
    /// What the scopes mean.
    pub words: Vec<String>,
    /// The code was typed, and the token not fetched yet.
    pub approved: bool,
    #[schemars(with = "String")]
    pub expires: Moment,
}

/// Why it does not go on.
#[derive(Debug, thiserror::Error)]
pub enum NoPairing {
    #[error("{0}")]
    Wrong(String),
    #[error("{0}")]
    TooMany(Denial),
    #[error("there is no such pairing: it is over, was rejected, or its token was fetched already (toft wallet ls)")]
    NotFound,
    #[error("no wallet that waits shows this code: look again at the six digits; after 5 wrong ones it is over")]
    WrongCode,
    #[error("the owner has not typed the code yet (toft wallet approve)")]
    NotYet,
    #[error("{0:#}")]
    Fault(#[from] Error),
}

/// Approved by whom, and for how long its token is good.
#[derive(Debug, Clone)]
pub struct Approval {
    pub by: Caller,
    pub expires_in: Option<u64>,
}

#[derive(Debug)]
struct Pending {
    about: Pairing,
    code: String,
    secret: Digest,
    asker: Asker,
    tries: u8,
    approval: Option<Approval>,
}

/// Those that wait.
#[derive(Debug)]
pub struct Pairings {
    pending: Mutex<Vec<Pending>>,
    asks: Budget,
}

impl Pairings {
    pub fn new() -> Self {
        Self { pending: Mutex::default(), asks: Budget::new(ASKS) }
    }

    /// A wallet asks. The page that does is the one it asks for.
    pub fn ask(&self, caller: &Caller, wish: Wish, now: Timestamp) -> Result<Asked, NoPairing> {
        let Wish { name, origin, scopes } = wish;
        let name = name.trim().to_owned();
        if name.is_empty() || name.chars().count() > NAME_MAX || !name.chars().all(is_plain) {
            return Err(NoPairing::Wrong(format!("a wallet has a name of 1 to {NAME_MAX} plain characters")));
        }
        if scopes.is_empty() {
            return Err(NoPairing::Wrong("a wallet asks for at least one scope".to_owned()));
        }
        if caller.origin().is_some() && caller.origin() != origin.as_ref() {
            return Err(NoPairing::Wrong("a page asks for its own origin".to_owned()));
        }
        let asker = match caller.way() {
            Way::Socket => Asker::Owner,
            Way::Tcp(asker) => asker,
        };
        if !self.asks.take_one(For::Asker(asker)) {
            return Err(NoPairing::TooMany(Denial::TooMany(ASKS.over / ASKS.share)));
        }
        let mut pending = self.live(now);
        // Who asks once more means it anew; another at the same address waits.
        pending.retain(|one| one.asker != asker || one.about.origin != origin || one.approval.is_some());
        let there = pending.iter().find(|one| one.asker == asker && asker.place().is_some());
        let until = there.or_else(|| pending.first().filter(|_| pending.len() >= PENDING_MAX));
        if let Some(until) = until.map(|one| one.about.expires.0) {
            let wait = Duration::try_from(until.duration_since(now)).unwrap_or_default();
            return Err(NoPairing::TooMany(Denial::TooMany(wait)));
        }
        let secret = Secret::random().map_err(no_randomness)?;
        let code = loop {
            let code = new_code()?;
            if pending.iter().all(|one| one.code != code) {
                break code;
            }
        };
        let id = new_id().map_err(no_randomness)?;
        let expires = Moment(now.saturating_add(LIFE).unwrap_or(Timestamp::MAX));
        let about = Pairing {
            id: id.clone(),
            name,
            from_page: caller.origin().is_some(),
            origin,
            words: scopes.iter().map(|scope| scope.words()).collect(),
            scopes,
            approved: false,
            expires,
        };
        let hash = cid::digest(secret.expose());
        pending.push(Pending { about, code: code.clone(), secret: hash, asker, tries: 0, approval: None });
        Ok(Asked { id, code, secret: crypto::encode(secret.expose()), expires })
    }

    pub fn list(&self, now: Timestamp) -> Vec<Pairing> {
        self.live(now).iter().map(|one| one.about.clone()).collect()
    }

    /// The owner has typed a code: of this one, or of whichever shows it. A wrong one counts against all it may have been meant for.
    pub fn approve(
        &self,
        id: Option<&str>,
        code: &str,
        approval: Approval,
        now: Timestamp,
    ) -> Result<Pairing, NoPairing> {
        let mut pending = self.live(now);
        let is_meant = |one: &Pending| id.is_none_or(|id| one.about.id == id) && one.approval.is_none();
        if !pending.iter().any(is_meant) {
            return Err(NoPairing::NotFound);
        }
        let mut found = None;
        for one in pending.iter_mut().filter(|one| is_meant(one)) {
            if one.code.as_bytes().ct_eq(code.trim().as_bytes()).into() {
                found = Some(one);
            }
        }
        if let Some(one) = found {
            one.approval = Some(approval);
            one.about.approved = true;
            one.about.expires = Moment(now.saturating_add(LIFE).unwrap_or(Timestamp::MAX));
            return Ok(one.about.clone());
        }
        pending.iter_mut().filter(|one| is_meant(one)).for_each(|one| one.tries += 1);
        pending.retain(|one| one.tries < TRIES);
        Err(NoPairing::WrongCode)
    }

    /// The owner does not want it.
    pub fn reject(&self, id: &str, now: Timestamp) -> Result<Pairing, NoPairing> {
        let mut pending = self.live(now);
        let at = pending.iter().position(|one| one.about.id == id).ok_or(NoPairing::NotFound)?;
        Ok(pending.remove(at).about)
    }

    /// The wallet fetches what it was given; once.
    pub fn fetch(&self, id: &str, secret: &str, now: Timestamp) -> Result<(Pairing, Approval), NoPairing> {
        let mut pending = self.live(now);
        let hash = hash_of(secret).ok_or(NoPairing::NotFound)?;
        let is_it = |one: &Pending| one.about.id == id && same(&one.secret, &hash);
        let at = pending.iter().position(is_it).ok_or(NoPairing::NotFound)?;
        let approval = pending[at].approval.clone().ok_or(NoPairing::NotYet)?;
        Ok((pending.remove(at).about, approval))
    }

    /// Those that are not over.
    fn live(&self, now: Timestamp) -> MutexGuard<'_, Vec<Pending>> {
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        pending.retain(|one| now < one.about.expires.0);
        pending
    }
}

/// Six digits, each code as likely as any other.
fn new_code() -> Result<String, Error> {
    /// The largest multiple of a million below 2^32.
    const EVEN: u32 = u32::MAX / 1_000_000 * 1_000_000;
    loop {
        let mut bytes = [0; 4];
        getrandom::fill(&mut bytes).map_err(no_randomness)?;
        let number = u32::from_be_bytes(bytes);
        if number < EVEN {
            return Ok(format!("{:06}", number % 1_000_000));
        }
    }
}
