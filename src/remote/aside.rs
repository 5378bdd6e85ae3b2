//! What was put aside of a remote, in both directions: what could not be fetched or the door refused, and what the server refused.
//! It lies where that of devices does (`sync/parked.rs`), under a name of its own for each direction.

use super::kept::{self, Part, StateChange};
use crate::{
    cid::{self, Digest},
    foreign::plain,
    store::Store,
    sync::{
        Parked,
        parked::{self, Changes, PARKED_MAX},
    },
};
use anyhow::{Error, bail};
use std::collections::{BTreeMap, HashSet};

/// Characters of a reason that are kept: there may be very many.
const WHY_MAX: usize = 300;

/// How often what was put aside is tried again in one go, while other messages are taken.
pub const PASSES: usize = 8;
/// What was put aside is written down after so many messages, at the latest.
pub const SAVED_EVERY: usize = 64;

/// Where a message was to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// From the server to this node.
    Here,
    There,
}

/// What was put aside of one part, one way.
#[derive(Debug)]
pub struct Aside {
    /// Under which it lies in the store.
    name: String,
    part: Part,
    all: BTreeMap<Digest, Parked>,
    changes: Changes,
}

fn name(url: &str, way: Way) -> String {
    // Devices are DIDs: no name is both.
    match way {
        Way::Here => format!("remote-here {}", kept::name(url)),
        Way::There => format!("remote-there {}", kept::name(url)),
    }
}

/// What was put aside of a remote, of all parts (blocking).
pub fn all(store: &Store, url: &str, way: Way) -> Result<Vec<Parked>, Error> {
    parked::load(store, &name(url, way))
}

/// What makes the store forget what was put aside (blocking).
pub fn forget(store: &Store, url: &str) -> Result<Vec<StateChange>, Error> {
    let mut gone = parked::forget(store, &name(url, Way::Here))?;
    gone.extend(parked::forget(store, &name(url, Way::There))?);
    Ok(gone)
}

impl Aside {
    /// What was put aside of a part (blocking).
    pub fn load(store: &Store, url: &str, part: &Part, way: Way) -> Result<Self, Error> {
        let name = name(url, way);
        let of_part = |parked: &Parked| parked.tenant == part.tenant && parked.protocol == part.protocol;
        let all =
            parked::load(store, &name)?.into_iter().filter(of_part).map(|parked| (parked.digest, parked)).collect();
        Ok(Self { name, part: part.clone(), all, changes: Changes::default() })
    }

    /// Under what it lies in the store.
    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn len(&self) -> usize {
        self.all.len()
    }

    pub fn has(&self, digest: &Digest) -> bool {
        self.all.contains_key(digest)
    }

    /// What is to be tried again: its time has come, or (`hope`) something has changed that may have taken the reason away.
    pub fn due(&self, now: u64, hope: bool) -> Vec<Digest> {
        let is_due = |parked: &&Parked| parked.due() <= now || hope && parked.waits_for_others();
        self.all.values().filter(is_due).map(|parked| parked.digest).collect()
    }

    /// When the next one is due, in milliseconds since 1970.
    pub fn next(&self) -> Option<u64> {
        self.all.values().map(Parked::due).min()
    }

    /// Is there one that the server does not have (any more), by its own answer, and that was put aside since then?
    pub fn gone_since(&self, then: u64) -> bool {
        self.all.values().any(|parked| parked.code == 404 && parked.since >= then)
    }

    /// Puts a message aside, or says anew why it is.
    pub fn put(&mut self, digest: Digest, has_data: bool, (code, why): (u16, &str), now: u64) -> Result<(), Error> {
        let why = plain(why, WHY_MAX);
        let before = self.all.get(&digest);
        if before.is_none() && self.all.len() >= PARKED_MAX {
            bail!("{PARKED_MAX} messages could not be taken; the reason of the last one: {code} {why}");
        }
        if before.is_none_or(|before| before.why != why) {
            let cid = cid::from_digest(cid::DAG_CBOR, &digest);
            tracing::warn!("{cid} of {} is put aside ({}): {code} {why}", self.part.tenant, self.name);
        }
        let parked = Parked {
            tenant: self.part.tenant.clone(),
            protocol: self.part.protocol.clone(),
            digest,
            has_data,
            code,
            why,
            since: before.map_or(now, |before| before.since),
            tries: before.map_or(0, |before| before.tries).saturating_add(1),
            tried: now,
        };
        self.all.insert(digest, parked.clone());
        self.changes.put.push(parked);
        Ok(())
    }

    /// It has come, or needs not come any more.
    pub fn drop(&mut self, digest: &Digest) {
        if self.all.remove(digest).is_some() {
            self.changes.put.retain(|parked| parked.digest != *digest);
            self.changes.drop.push((self.part.tenant.clone(), *digest));
        }
    }

    /// What is not in this list needs not be asked for any more.
    pub fn keep_only(&mut self, list: &HashSet<Digest>) {
        let gone: Vec<_> = self.all.keys().filter(|digest| !list.contains(*digest)).copied().collect();
        gone.iter().for_each(|digest| self.drop(digest));
    }

    /// Writes down what has changed; durable when this returns.
    pub async fn save(&mut self, store: &Store) -> Result<(), Error> {
        if self.changes.is_empty() {
            return Ok(());
        }
        let mut changes = std::mem::take(&mut self.changes);
        // What was put aside again after it was dropped stays.
        changes.drop.retain(|(_, digest)| !self.all.contains_key(digest));
        parked::save(store, &self.name, vec![changes]).await
    }
}
