//! One-time addresses for data that is too large for a call: who made the call may send, or fetch, the data there, once and soon.
//!
//! The secret in the address is all that is needed to use it, so the node keeps only its hash, and the address is good for one
//! request of a few minutes. What is done there was settled by the call that asked for it.

use super::failure::{Failure, Kind};
use crate::{
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
/// How long an address is good.
const TTL: Duration = Duration::from_secs(300);
/// Addresses that are good at the same time.
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

/// The addresses that are good now. Cheap to clone.
#[derive(Clone, Default)]
pub struct Tickets(Arc<Mutex<HashMap<Digest, (Instant, Task)>>>);

impl std::fmt::Debug for Tickets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tickets")
    }
}

impl Tickets {
    /// An address where this is done.
    pub(super) fn issue(&self, task: Task) -> Result<Address, Failure> {
        self.issue_at(task, Instant::now())
    }

    fn issue_at(&self, task: Task, now: Instant) -> Result<Address, Failure> {
        let secret = Secret::random().map_err(|e| Error::msg(format!("no randomness: {e}")))?;
        let verb = match task {
            Task::Upload(_) => "upload",
            Task::Download(_) => "download",
        };
        let mut tickets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tickets.retain(|_, (issued, _)| is_good(*issued, now));
        if tickets.len() >= MOST {
            let oldest = tickets.values().map(|(issued, _)| *issued).min().unwrap_or(now);
            let wait = TTL.saturating_sub(now.saturating_duration_since(oldest)).as_secs() + 1;
            return Err(Failure::too_many(format!("{MOST} one-time addresses are in use already"), wait));
        }
        tickets.insert(cid::digest(secret.expose()), (now, task));
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
        tickets.get(&digest).filter(|(issued, task)| is_good(*issued, now) && fits(task))?;
        tickets.remove(&digest).map(|(_, task)| task)
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

    fn task() -> Task {
        Task::Upload(Box::new(|_| Box::pin(async { Ok(Value::from(7)) })))
    }

    fn secret(address: &Address) -> &str {
        address.path.strip_prefix("/upload/").expect("an upload")
    }

    #[test]
    fn an_address_is_good_once_and_for_what_it_was_made() {
        let tickets = Tickets::default();
        let address = tickets.issue(task()).expect("issued");
        assert!(crypto::decode(secret(&address)).is_some_and(|bytes| bytes.len() == 32));
        assert!(tickets.download(secret(&address)).is_err(), "it is none");
        assert!(tickets.upload("AAAA").is_err());
        assert!(tickets.upload(secret(&address)).is_ok());
        assert!(tickets.upload(secret(&address)).is_err_and(|failure| failure.kind == Kind::NotFound));
    }

    #[test]
    fn an_address_is_good_for_a_while_and_there_are_not_too_many() {
        let (tickets, start) = (Tickets::default(), Instant::now());
        let first = tickets.issue_at(task(), start).expect("issued");
        let any = |_: &Task| true;
        assert!(tickets.take(secret(&first), start + TTL, any).is_none());
        assert!(tickets.take(secret(&first), start + TTL - Duration::from_secs(1), any).is_some());
        for _ in 0..MOST {
            tickets.issue_at(task(), start).expect("issued");
        }
        let failure = tickets.issue_at(task(), start + Duration::from_secs(10)).expect_err("too many");
        assert_eq!((failure.kind, failure.retry_after), (Kind::TooMany, Some(291)));
        assert!(tickets.issue_at(task(), start + TTL).is_ok());
    }
}
