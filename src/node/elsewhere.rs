//! Data that stays on another device of the person until somebody asks for it (`sync.data = "on-demand"`).
//!
//! Its message is here and is its record's state, as on every other device; of its blocks none is. The log says so with the message, and the
//! index with it. A note by record, with the root, serves to find these: what a device lacks is counted, and fetched when the setting is
//! taken back. A note that was overtaken does no harm: it goes at the next start.

use crate::{
    cid::{Cid, Digest},
    dwn::{Change, Fault, Refusal, Stop, Subject},
    store::Store,
};
use futures::future::BoxFuture;
use std::sync::{Arc, OnceLock};

/// A record's note: this, its tenant, `/` and its id.
const PREFIX: &[u8] = b"sync/elsewhere/";

/// Brings the data of a tenant's message here; or why it does not come, in a sentence.
pub type Fetch = Arc<dyn Fn(String, Digest) -> BoxFuture<'static, Result<(), String>> + Send + Sync>;

/// Who brings data, once that is known.
#[derive(Default)]
pub(super) struct Fetcher(OnceLock<Fetch>);

impl std::fmt::Debug for Fetcher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.0.get().is_some() { "Fetcher(…)" } else { "Fetcher" })
    }
}

impl Fetcher {
    /// The first one stays.
    pub fn set(&self, fetch: Fetch) {
        // A node has one sync.
        let _ = self.0.set(fetch);
    }

    /// The data of a message is here afterwards, or it is said why not.
    pub async fn fetch(&self, tenant: String, message: Digest) -> Result<(), Stop> {
        let came = match self.0.get() {
            Some(fetch) => fetch(tenant, message).await,
            None => Err("this node is still starting".to_owned()),
        };
        came.map_err(|why| refusal(&why).into())
    }
}

/// What a client hears of a record whose data is not here.
pub(super) fn refusal(why: &str) -> Refusal {
    let why =
        format!("DataElsewhere: the data of this record is on another device of its owner, not on this node: {why}");
    Refusal::new(503, why)
}

/// Data that is not here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Elsewhere {
    pub tenant: String,
    /// Of the message that has it.
    pub message: Digest,
    pub size: u64,
}

fn prefix(tenant: Option<&str>) -> Vec<u8> {
    tenant.map_or_else(|| PREFIX.to_vec(), |tenant| [PREFIX, tenant.as_bytes(), b"/"].concat())
}

/// The data of this change stays elsewhere.
pub(super) fn note(change: &mut Change) {
    if let (Subject::Record(id), Some((root, _))) = (&change.subject, &change.data) {
        change.states.push(([&prefix(Some(&change.tenant)), id.as_bytes()].concat(), root.to_bytes()));
    }
}

/// Data that is not here, of one tenant or of all.
pub fn elsewhere(store: &Store, tenant: Option<&str>) -> Result<Vec<Elsewhere>, Fault> {
    let mut found = Vec::new();
    for (key, _) in store.states(&prefix(tenant))? {
        found.extend(of_note(store, &key)?);
    }
    Ok(found)
}

/// Notes that were overtaken. Only before anything is written: a new one may have the same key.
pub(super) fn overtaken(store: &Store) -> Result<Vec<Vec<u8>>, Fault> {
    let mut found = Vec::new();
    for (key, _) in store.states(PREFIX)? {
        if of_note(store, &key)?.is_none() {
            found.push(key.to_vec());
        }
    }
    Ok(found)
}

/// A message that has this data, if that is not here.
pub(super) fn of_root(store: &Store, root: &Cid) -> Result<Option<Elsewhere>, Fault> {
    let root = root.to_bytes();
    for (key, _) in store.states(PREFIX)?.into_iter().filter(|(_, noted)| *noted == root) {
        if let Some(elsewhere) = of_note(store, &key)? {
            return Ok(Some(elsewhere));
        }
    }
    Ok(None)
}

fn of_note(store: &Store, key: &[u8]) -> Result<Option<Elsewhere>, Fault> {
    let named = key.strip_prefix(PREFIX).and_then(|named| std::str::from_utf8(named).ok());
    let Some((tenant, id)) = named.and_then(|named| named.rsplit_once('/')) else { return Ok(None) };
    let found = store.elsewhere(tenant, id)?;
    Ok(found.map(|(message, size)| Elsewhere { tenant: tenant.to_owned(), message, size }))
}
