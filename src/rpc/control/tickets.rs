//! One-time addresses for data that is too large for a call: who made the call may send, or fetch, the data there, once and soon.
//!
//! The secret in the address is all that is needed to use it, so the node keeps only its hash, and the address is good for one
//! request of a few minutes. What is done there was settled by the call that asked for it.

use super::failure::{Failure, Kind};
use crate::{
    access::Caller,
    cid::{self, Digest},
    crypto::{self, Secret},
    node::Body,
};
use anyhow::Error;
use futures::future::BoxFuture;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Bytes of data that a call or its answer carries as base64url. There is a one-time address for more.
pub const DATA_MAX: usize = 700 << 10;
/// Bytes of what their calls were given, which is kept until they are used; in the same order. A call has 1 MiB at most.
const SHARE_BYTES: usize = 4 << 20;
const OF_TOKENS_BYTES: usize = 12 << 20;
const MOST_BYTES: usize = 16 << 20;
/// How long an address is good.
const TTL: Duration = Duration::from_secs(300);
/// Addresses that are good at the same time: of one token and all that descend from it, of all tokens, and with those of the owner.
const SHARE: usize = 32;
const OF_TOKENS: usize = 224;
const MOST: usize = 256;

/// Where data is sent or fetched, once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "OneTimeAddress")]
pub struct Address {
    /// Of the same host: `PUT` the bytes to an upload, `GET` them from a download.
    pub path: String,
    /// Until when.
    pub expires: String,
}

/// Takes the data and answers as the call would have.
pub(super) type Upload = Box<dyn FnOnce(Body) -> BoxFuture<'static, Result<Value, Failure>> + Send>;
/// Gives the data.
pub(super) type Download = Box<dyn FnOnce() -> BoxFuture<'static, Result<Body, Failure>> + Send>;

/// What is done at an address.
pub(super) enum Task {
    Upload(Upload),
    Download(Download),
}

/// An address.
struct Ticket {
    issued: Instant,
    /// Who asked for it: the token whose share it takes, or the owner.
    share: Option<String>,
    /// Bytes that it keeps.
    held: usize,
    task: Task,
}

/// Does a ticket count where somebody with this share asks for one?
type Counts = fn(&Ticket, Option<&str>) -> bool;
const BOUNDS: [(Counts, usize, usize, &str); 3] = [
    (|ticket, share| share.is_some() && ticket.share.as_deref() == share, SHARE, SHARE_BYTES, " of this token"),
    (|ticket, share| share.is_some() && ticket.share.is_some(), OF_TOKENS, OF_TOKENS_BYTES, " of tokens"),
    (|_, _| true, MOST, MOST_BYTES, ""),
];

/// The addresses that are good now. Cheap to clone.
#[derive(Clone, Default)]
pub struct Tickets(Arc<Mutex<HashMap<Digest, Ticket>>>);

impl std::fmt::Debug for Tickets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tickets")
    }
}

impl Tickets {
    /// An address where this is done for who asks, if they have not too many already. `held`: bytes that the task keeps.
    pub(super) fn issue(&self, caller: &Caller, held: usize, task: Task) -> Result<Address, Failure> {
        self.issue_at(caller.share(), (held, task), Instant::now())
    }

    fn issue_at(&self, share: Option<&str>, (held, task): (usize, Task), now: Instant) -> Result<Address, Failure> {
        let secret = Secret::random().map_err(|e| Error::msg(format!("no randomness: {e}")))?;
        let verb = match task {
            Task::Upload(_) => "upload",
            Task::Download(_) => "download",
        };
        let mut tickets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tickets.retain(|_, ticket| is_good(ticket.issued, now));
        for (counts, most, bytes_most, whose) in BOUNDS {
            let all = || tickets.values().filter(|ticket| counts(ticket, share));
            let (count, bytes) = (all().count(), all().map(|ticket| ticket.held).sum::<usize>());
            let what = match count >= most {
                true => format!("{most} one-time addresses{whose}"),
                false if bytes + held > bytes_most => format!("{bytes} bytes for {count} one-time addresses{whose}"),
                false => continue,
            };
            let oldest = all().map(|ticket| ticket.issued).min().unwrap_or(now);
            let wait = TTL.saturating_sub(now.saturating_duration_since(oldest)).as_secs() + 1;
            return Err(Failure::too_many(format!("{what} are in use already: use them, or wait {wait} s"), wait));
        }
        let ticket = Ticket { issued: now, share: share.map(str::to_owned), held, task };
        tickets.insert(cid::digest(secret.expose()), ticket);
        let expires = jiff::Timestamp::now() + TTL;
        Ok(Address { path: format!("/{verb}/{}", crypto::encode(secret.expose())), expires: format!("{expires:.0}") })
    }

    /// What is to be done with the data that comes to this address, which is good no more.
    pub(super) fn upload(&self, secret: &str) -> Result<Upload, Failure> {
        match self.take(secret, Instant::now(), |task| matches!(task, Task::Upload(_))) {
            Some(Task::Upload(upload)) => Ok(upload),
            _ => Err(unknown()),
        }
    }

    /// What gives the data of this address, which is good no more.
    pub(super) fn download(&self, secret: &str) -> Result<Download, Failure> {
        match self.take(secret, Instant::now(), |task| matches!(task, Task::Download(_))) {
            Some(Task::Download(download)) => Ok(download),
            _ => Err(unknown()),
        }
    }

    fn take(&self, secret: &str, now: Instant, fits: impl Fn(&Task) -> bool) -> Option<Task> {
        // Found by its hash: how long that takes says nothing of the secrets there are.
        let digest = cid::digest(&crypto::decode(secret)?);
        let mut tickets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tickets.get(&digest).filter(|ticket| is_good(ticket.issued, now) && fits(&ticket.task))?;
        tickets.remove(&digest).map(|ticket| ticket.task)
    }
}

fn is_good(issued: Instant, now: Instant) -> bool {
    now.saturating_duration_since(issued) < TTL
}

fn unknown() -> Failure {
    Failure::new(Kind::NotFound, "this address was used, is too old, or never was: make the call again for a new one")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task() -> (usize, Task) {
        holding(100)
    }

    fn holding(bytes: usize) -> (usize, Task) {
        (bytes, Task::Upload(Box::new(|_| Box::pin(async { Ok(Value::from(7)) }))))
    }

    fn secret(address: &Address) -> &str {
        address.path.strip_prefix("/upload/").expect("an upload")
    }

    #[test]
    fn an_address_is_good_once_and_for_what_it_was_made() {
        let tickets = Tickets::default();
        let address = tickets.issue_at(None, task(), Instant::now()).expect("issued");
        assert!(crypto::decode(secret(&address)).is_some_and(|bytes| bytes.len() == 32));
        assert!(tickets.download(secret(&address)).is_err(), "it is none");
        assert!(tickets.upload("AAAA").is_err());
        assert!(tickets.upload(secret(&address)).is_ok());
        assert!(tickets.upload(secret(&address)).is_err_and(|failure| failure.kind == Kind::NotFound));
    }

    #[test]
    fn an_address_is_good_for_a_while_and_there_are_not_too_many() {
        let (tickets, start) = (Tickets::default(), Instant::now());
        let first = tickets.issue_at(None, task(), start).expect("issued");
        let any = |_: &Task| true;
        assert!(tickets.take(secret(&first), start + TTL, any).is_none());
        assert!(tickets.take(secret(&first), start + TTL - Duration::from_secs(1), any).is_some());
        for _ in 0..MOST {
            tickets.issue_at(None, task(), start).expect("issued");
        }
        let failure = tickets.issue_at(None, task(), start + Duration::from_secs(10)).expect_err("too many");
        assert_eq!((failure.kind, failure.retry_after), (Kind::TooMany, Some(291)));
        assert!(tickets.issue_at(None, task(), start + TTL).is_ok());
    }

    #[test]
    fn no_token_takes_all_addresses_and_tokens_leave_the_owner_some() {
        let (tickets, start) = (Tickets::default(), Instant::now());
        let fills = |who: Option<&str>| {
            let later = start + Duration::from_secs(1);
            (0..=MOST).position(|_| tickets.issue_at(who, task(), later).is_err()).expect("there is a bound")
        };
        tickets.issue_at(Some("0"), task(), start).expect("issued");
        assert_eq!(fills(Some("0")), SHARE - 1);
        let said = tickets.issue_at(Some("0"), task(), start).expect_err("its share is used up");
        assert_eq!((said.kind, said.retry_after), (Kind::TooMany, Some(301)));
        assert!(said.message.starts_with("32 one-time addresses of this token"), "{said}");
        // What one has taken, others do not hear of: the next are let in, up to what is kept for the owner.
        let taken: usize = (1..MOST).map(|n| fills(Some(&n.to_string()))).sum();
        assert_eq!(taken, OF_TOKENS - SHARE);
        assert_eq!(fills(None), MOST - OF_TOKENS);
        assert_eq!(tickets.0.lock().expect("not poisoned").len(), 256);
    }

    #[test]
    fn what_addresses_keep_is_bounded_in_bytes() {
        let (tickets, now) = (Tickets::default(), Instant::now());
        let fills = |who: Option<&str>| {
            (0..=MOST).position(|_| tickets.issue_at(who, holding(1 << 20), now).is_err()).expect("there is a bound")
        };
        assert_eq!(fills(Some("0")), SHARE_BYTES >> 20);
        let said = tickets.issue_at(Some("0"), holding(1), now).expect_err("its share is used up");
        assert_eq!((said.kind, said.retry_after), (Kind::TooMany, Some(301)));
        assert!(said.message.starts_with("4194304 bytes for 4 one-time addresses of this token"), "{said}");
        assert_eq!((1..9).map(|n| fills(Some(&n.to_string()))).sum::<usize>(), (OF_TOKENS_BYTES - SHARE_BYTES) >> 20);
        assert_eq!(fills(None), (MOST_BYTES - OF_TOKENS_BYTES) >> 20);
        assert!(tickets.issue_at(Some("0"), holding(1), now + TTL).is_ok());
    }
}
