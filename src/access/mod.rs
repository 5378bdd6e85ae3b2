//! Who may call: tokens with scopes, the cookie of this run, and how often each may.
//!
//! Nothing here knows HTTP: a listener reads what it is shown, asks [`Access::authenticate`] who that is, and [`Access::admit`] before
//! each call. Whoever can open the control socket is the owner, and needs no token.
//!
//! Looking a token up takes one step however many there are. Of secrets, only SHA-256 is kept: they are 32 random bytes, so that nothing
//! slower is needed, and wrong tokens cost little. Who shows many wrong ones is told to wait; a right one is let in all the same, because
//! programs of one machine share an address.

mod origin;
mod scope;
mod rate;
mod token;
mod journal;
mod table;
mod caller;
mod pairing;
#[cfg(test)]
mod tests;

pub use caller::{Caller, Denial, Way};
pub use origin::{NoOrigin, Origin};
pub use pairing::{Asked, NoPairing, Pairing, Wish};
pub use scope::{Need, NoScope, Scope, Scopes, Use};
pub use token::{DEFAULT_LIFE, DEFAULT_RATE, Token, Unfit, Wanted};

use crate::{
    asker::Asker,
    audit::{Audit, What},
    budget::{Budget, For, Rate},
    cid::{self, Digest},
    crypto::Secret,
    dwn::Fault,
    job::{First, Job, Moment, blocking},
    vault,
};
use anyhow::{Context as _, Error, anyhow};
use jiff::Timestamp;
use journal::{Change, Journal};
use pairing::{Approval, Pairings};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
    time::{Duration, Instant},
};
use table::{Held, Table};
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

/// The folder in the home, and the file in it.
const DIR: &str = "access";
const TOKENS: &str = "tokens.log";
/// The file of the cookie, and how its text begins.
const COOKIE: &str = "rpc.cookie";
const COOKIE_NAME: &str = "__cookie__";
/// Tokens of all together.
const TOKENS_MAX: usize = 20_000;
/// Tokens that one token has made, and how far down the line goes.
const CHILDREN_MAX: usize = 100;
const DEPTH_MAX: usize = 4;
/// How often last uses are written down.
const NOTE_EVERY: Duration = Duration::from_secs(60);
/// Wrong tokens.
const WRONG: Rate = Rate { most: 6000, share: 60, reserved: 0, over: Duration::from_secs(60) };

/// Who may call. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Access(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    table: RwLock<Table>,
    /// Whoever changes the table holds this first.
    journal: Mutex<Journal>,
    file: PathBuf,
    cookie: Digest,
    cookie_file: PathBuf,
    wrong: Budget,
    pairings: Pairings,
    audit: Audit,
}

/// A new token. Its text is shown this once.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct Created {
    /// What its holder shows: `toft_<id>.<secret>`.
    #[schemars(with = "String")]
    pub token: Zeroizing<String>,
    #[serde(flatten)]
    pub about: Token,
}

impl std::fmt::Debug for Created {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Created({})", self.about.id)
    }
}

/// A token, and how it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Listed {
    #[serde(flatten)]
    pub token: Token,
    pub state: State,
    /// When it was used last; within a minute if the node was killed.
    #[serde(rename = "lastUsed")]
    #[schemars(with = "Option<String>")]
    pub last_used: Option<Moment>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    Live,
    Expired,
    Revoked,
}

/// Why a token was not made, or not revoked.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    #[error(transparent)]
    Unfit(#[from] Unfit),
    #[error("there is no token {0}: toft token ls lists them")]
    NotFound(String),
    #[error("{0}")]
    Full(&'static str),
    #[error("{0}")]
    Denied(#[from] Denial),
    #[error("{0:#}")]
    Fault(#[from] Fault),
}

impl Access {
    /// Opens what the home knows of tokens, and makes the cookie of this run.
    pub fn open(home: &Path, audit: Audit) -> Result<Self, Error> {
        let dir = home.join(DIR);
        vault::make_private_dir(&dir)?;
        let file = dir.join(TOKENS);
        let mut table = Table::of(Journal::read(&file)?);
        table.forget(Timestamp::now(), false);
        let journal = Journal::create(&file, table.changes())?;
        let cookie_file = home.join(COOKIE);
        let cookie = random()?;
        vault::write_private(&cookie_file, token::spelled(COOKIE_NAME, &cookie).as_bytes())?;
        let cookie = cid::digest(cookie.expose());
        let (table, journal) = (RwLock::new(table), Mutex::new(journal));
        let (wrong, pairings) = (Budget::new(WRONG), Pairings::new());
        Ok(Self(Arc::new(Inner { table, journal, file, cookie, cookie_file, wrong, pairings, audit })))
    }

    /// Who shows this text (a token, or the cookie), by what way and from what page.
    pub fn authenticate(
        &self,
        text: &str,
        way: Way,
        origin: Option<&Origin>,
        now: Timestamp,
    ) -> Result<Caller, Denial> {
        self.counted(self.look_at(text, way, origin, now))
    }

    fn look_at(&self, text: &str, way: Way, origin: Option<&Origin>, now: Timestamp) -> Result<Caller, Denial> {
        let found = self.find(text.trim(), way, origin);
        let Some(caller) = found else {
            self.is_wrong(way)?;
            return Err(Denial::Unknown);
        };
        caller.check_live(now)?;
        let bound_to = caller.token().and_then(|token| token.origin.as_ref());
        if bound_to != origin {
            return Err(Denial::Origin);
        }
        Ok(caller)
    }

    /// A secret was wrong that somebody has shown. Fails when it was too often.
    fn is_wrong(&self, way: Way) -> Result<(), Denial> {
        let asker = match way {
            Way::Socket => Asker::Owner,
            Way::Tcp(asker) => asker,
        };
        match self.0.wrong.take_one(For::Asker(asker)) {
            true => Ok(()),
            false => Err(Denial::TooMany(WRONG.over / WRONG.share)),
        }
    }

    /// Refusals are in the audit log in sum.
    fn counted<T>(&self, outcome: Result<T, Denial>) -> Result<T, Denial> {
        outcome.inspect_err(|denial| self.0.audit.refused(denial.kind()))
    }

    fn find(&self, text: &str, way: Way, origin: Option<&Origin>) -> Option<Caller> {
        if let Some(secret) = text.strip_prefix(COOKIE_NAME).and_then(|rest| rest.strip_prefix('.')) {
            let is_it = token::same(&self.0.cookie, &token::hash_of(secret)?);
            return is_it.then(|| Caller::cookie(way));
        }
        let (id, hash) = token::parse(text)?;
        let held = self.table().get(id).filter(|held| held.is_of(&hash))?.clone();
        Some(Caller::with_token(held, way, origin.cloned()))
    }

    /// Lets one call of a method with that need in, or says why not: the token, then the scope, then the rate.
    pub fn admit(&self, caller: &Caller, need: Need, now: Timestamp) -> Result<(), Denial> {
        let spent = caller.held().map_or(Ok(()), |held| held.spend(Instant::now()).map_err(Denial::TooMany));
        self.counted(caller.check_live(now).and_then(|()| caller.check(need)).and(spent))?;
        if let Some(held) = caller.held() {
            held.note_use(now);
        }
        Ok(())
    }

    /// Is there a live token for pages of this origin?
    pub fn knows(&self, origin: &Origin, now: Timestamp) -> bool {
        let is_live = |held: &&Arc<Held>| !held.revoked.is_cancelled() && !held.token.is_over(now);
        self.table().of_origin(origin).any(|held| is_live(&held))
    }

    /// Cancelled when the token is revoked, or one above it. Cancelled already if there is none.
    pub fn revoked(&self, id: &str) -> CancellationToken {
        self.table().get(id).map_or_else(
            || {
                let gone = CancellationToken::new();
                gone.cancel();
                gone
            },
            |held| held.revoked.clone(),
        )
    }

    /// Makes a token for `by`: what somebody makes who has one himself is its child, and narrower. Blocks until it is durable.
    pub fn create(&self, by: &Caller, wanted: Wanted, now: Timestamp) -> Result<Created, Refused> {
        by.check_live(now)?;
        by.check(Need::Any)?;
        let secret = random()?;
        let mut journal = self.journal();
        let id = self.unused_id()?;
        let mut about = Token::new(id, wanted, by.is_owner(), now)?;
        if let Some(parent) = by.held() {
            about = about.child_of(&parent.token)?;
            if parent.line().count() >= DEPTH_MAX {
                return Err(Refused::Full(
                    "tokens that were made by tokens go four deep: make this one with the first",
                ));
            }
        }
        self.make_room(by, now)?;
        let hash = cid::digest(secret.expose());
        journal.append(&Change::Made { token: Box::new(about.clone()), hash: hex::encode(hash) })?;
        let held = self.table_mut().put(about.clone(), hash);
        held.ok_or_else(|| anyhow!("the token that makes this one is gone")).map_err(Refused::Fault)?;
        self.shorten(&mut journal);
        let noted = self.0.audit.write(What::TokenMade, by, json!(about));
        if let Err(error) = noted {
            // Nobody has seen it yet.
            self.table().revoke(&about.id, now);
            journal.append(&Change::Revoked { id: about.id, at: now.as_second() })?;
            return Err(Refused::Fault(
                error.context("the token is not made, because the audit log cannot be written"),
            ));
        }
        Ok(Created { token: token::text(&about.id, &secret), about })
    }

    /// Revokes a token and all that it has made: at once, also for what is open. Blocks until it is durable. Who has a token himself
    /// revokes it or those below it, unless it is an admin's.
    pub fn revoke(&self, by: &Caller, id: &str, now: Timestamp) -> Result<Token, Refused> {
        by.check_live(now)?;
        by.check(Need::Any)?;
        let mut journal = self.journal();
        let not_found = || Refused::NotFound(crate::foreign::shown(id).to_string());
        let held = self.table().get(id).cloned().ok_or_else(not_found)?;
        let is_own = |own: &Arc<Held>| held.line().any(|above| above.token.id == own.token.id);
        if !by.allows(Need::Admin) && !by.held().is_some_and(is_own) {
            return Err(not_found());
        }
        self.table().revoke(id, now);
        journal.append(&Change::Revoked { id: id.to_owned(), at: now.as_second() }).context(
            "the token is revoked until this node stops, but this could not be written down: revoke it again",
        )?;
        self.shorten(&mut journal);
        let Token { id, name, .. } = &held.token;
        self.0.audit.write(What::TokenRevoked, by, json!({"id": id, "name": name})).context("the token is revoked")?;
        Ok(held.token.clone())
    }

    /// Tokens, the oldest first: all for who may do everything, else their own and those below it.
    pub fn list(&self, by: &Caller, now: Timestamp) -> Vec<Listed> {
        let is_shown = |held: &Held| {
            by.allows(Need::Admin) || by.token().is_some_and(|own| held.line().any(|above| above.token.id == own.id))
        };
        let table = self.table();
        let listed = table.iter().filter(|held| is_shown(held)).map(|held| {
            let state = match (held.revoked.is_cancelled(), held.token.is_over(now)) {
                (true, _) => State::Revoked,
                (false, true) => State::Expired,
                (false, false) => State::Live,
            };
            Listed { token: held.token.clone(), state, last_used: held.used().map(Moment) }
        });
        listed.collect()
    }

    /// A wallet asks to be paired, which needs no token.
    pub fn ask_pairing(&self, caller: &Caller, wish: Wish, now: Timestamp) -> Result<Asked, NoPairing> {
        self.0.pairings.ask(caller, wish, now)
    }

    /// Wallets that wait for the owner.
    pub fn pairings(&self, now: Timestamp) -> Vec<Pairing> {
        self.0.pairings.list(now)
    }

    /// The owner has typed the code that a wallet shows. Its token is made when it fetches it. Blocks until it is written down.
    pub fn approve_pairing(
        &self,
        by: &Caller,
        (id, code): (Option<&str>, &str),
        expires_in: Option<u64>,
        now: Timestamp,
    ) -> Result<Pairing, NoPairing> {
        let approved = self.0.pairings.approve(id, code, Approval { by: by.clone(), expires_in }, now)?;
        let Pairing { id, name, origin, scopes, .. } = &approved;
        let about = json!({"id": id, "name": name, "origin": origin, "scopes": scopes});
        if let Err(error) = self.0.audit.write(What::PairingApproved, by, about) {
            self.0.pairings.reject(id, now)?;
            return Err(error.context("the wallet is not let in, because the audit log cannot be written").into());
        }
        Ok(approved)
    }

    /// The owner does not want a wallet. Blocks until it is written down.
    pub fn reject_pairing(&self, by: &Caller, id: &str, now: Timestamp) -> Result<Pairing, NoPairing> {
        let rejected = self.0.pairings.reject(id, now)?;
        let about = json!({"id": rejected.id, "name": rejected.name, "origin": rejected.origin});
        self.0.audit.write(What::PairingRejected, by, about)?;
        Ok(rejected)
    }

    /// A wallet fetches the token it was given. Blocks until that is durable.
    pub fn fetch_pairing(&self, caller: &Caller, id: &str, secret: &str, now: Timestamp) -> Result<Created, NoPairing> {
        let (about, Approval { by, expires_in }) =
            self.0.pairings.fetch(id, secret, now).map_err(|no| match (&no, self.is_wrong_pairing(caller, &no)) {
                (NoPairing::NotFound, Err(denial)) => NoPairing::TooMany(denial),
                _ => no,
            })?;
        let Pairing { name, origin, scopes, .. } = about;
        let wanted = Wanted { name, origin, scopes, expires_in, ..Wanted::default() };
        self.create(&by, wanted, now).map_err(|refused| match refused {
            Refused::Fault(error) => NoPairing::Fault(error),
            other => NoPairing::Wrong(other.to_string()),
        })
    }

    fn is_wrong_pairing(&self, caller: &Caller, no: &NoPairing) -> Result<(), Denial> {
        if matches!(no, NoPairing::NotFound) { self.is_wrong(caller.way()) } else { Ok(()) }
    }

    /// Writes down when tokens were used last, every so often.
    pub async fn keep_noting(self, job: Job) -> Result<(), Error> {
        let round = || {
            let access = self.clone();
            blocking(move || access.note_uses())
        };
        job.rounds(NOTE_EVERY, First::Later, round).await
    }

    /// Ends this run: last uses are written down, and the cookie is good for nothing any more. Blocks.
    pub fn close(&self) -> Result<(), Error> {
        let noted = self.note_uses();
        let file = &self.0.cookie_file;
        let removed = fs::remove_file(file).with_context(|| format!("removing {}", file.display()));
        noted.and(removed)
    }

    fn note_uses(&self) -> Result<(), Error> {
        let mut journal = self.journal();
        let used = self.table().take_used();
        if !used.is_empty() {
            journal.append(&Change::Used(used))?;
            self.shorten(&mut journal);
        }
        Ok(())
    }

    /// Writes the file anew, when it is long. Where that fails, it stays as long as it is.
    fn shorten(&self, journal: &mut Journal) {
        if journal.is_long() {
            match Journal::create(&self.0.file, self.table().changes()) {
                Ok(shorter) => *journal = shorter,
                Err(error) => tracing::warn!("the file of tokens is not shortened: {error:#}"),
            }
        }
    }

    fn unused_id(&self) -> Result<String, Error> {
        loop {
            let id = token::new_id().map_err(token::no_randomness)?;
            if self.table().get(&id).is_none() {
                return Ok(id);
            }
        }
    }

    /// Is there room for one more token?
    fn make_room(&self, by: &Caller, now: Timestamp) -> Result<(), Refused> {
        if let Some(own) = by.held() {
            let is_child = |held: &&Arc<Held>| {
                held.token.parent.as_ref() == Some(&own.token.id)
                    && !held.revoked.is_cancelled()
                    && !held.token.is_over(now)
            };
            if !by.allows(Need::Admin) && self.table().iter().filter(is_child).count() >= CHILDREN_MAX {
                return Err(Refused::Full("this token has made 100 that are still good: revoke some first"));
            }
        }
        for all in [false, true] {
            if self.table().len() < TOKENS_MAX {
                return Ok(());
            }
            self.table_mut().forget(now, all);
        }
        if self.table().len() < TOKENS_MAX {
            return Ok(());
        }
        Err(Refused::Full("there are 20,000 tokens already: revoke some first (toft token ls)"))
    }

    fn table(&self) -> RwLockReadGuard<'_, Table> {
        self.0.table.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn table_mut(&self) -> RwLockWriteGuard<'_, Table> {
        self.0.table.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn journal(&self) -> MutexGuard<'_, Journal> {
        self.0.journal.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn random() -> Result<Secret, Error> {
    Secret::random().map_err(token::no_randomness)
}
