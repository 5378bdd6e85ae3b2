//! Data that stays on another device of the person until somebody asks for it (`sync.data = "on-demand"`).
//!
//! Its message is here and is its record's state, as on every other device; of its blocks none is. A note says so, by record, written
//! with the message: what a device lacks is counted, and fetched when the setting is taken back. Whether data is really not here is asked
//! of the index, so a note that was overtaken does no harm: it goes when it is come by.

use crate::{
    cid::{self, Cid, Digest},
    dwn::{Change, Fault, Refusal, Stop, Subject},
    store::Store,
};
use futures::future::BoxFuture;
use std::sync::{Arc, OnceLock};

/// A record's note: this, its tenant, `/` and its id.
const PREFIX: &[u8] = b"sync/elsewhere/";
/// Records with the same data that are looked at.
const HOLDERS_MAX: usize = 64;

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
    if let Subject::Record(id) = &change.subject {
        change.states.push(([&prefix(Some(&change.tenant)), id.as_bytes()].concat(), Vec::new()));
    }
}

/// Data that is not here, of one tenant or of all; and the notes that hold no more, which may be removed.
pub fn elsewhere(store: &Store, tenant: Option<&str>) -> Result<(Vec<Elsewhere>, Vec<Vec<u8>>), Fault> {
    let (mut found, mut stale) = (Vec::new(), Vec::new());
    for (key, _) in store.states(&prefix(tenant))? {
        let named = key.strip_prefix(PREFIX).and_then(|named| std::str::from_utf8(named).ok());
        let elsewhere = match named.and_then(|named| named.rsplit_once('/')) {
            Some((tenant, id)) => of_record(store, tenant, id)?,
            None => None,
        };
        match elsewhere {
            Some(elsewhere) => found.push(elsewhere),
            None => stale.push(key.to_vec()),
        }
    }
    Ok((found, stale))
}

/// A message that has this data, if that is not here.
pub(super) fn of_root(store: &Store, root: &Cid) -> Result<Option<Elsewhere>, Fault> {
    let Some(digest) = cid::sha256_of(root) else { return Ok(None) };
    for (tenant, id) in store.data_records(&digest, HOLDERS_MAX)? {
        if let Some(elsewhere) = of_record(store, &tenant, &id)? {
            return Ok(Some(elsewhere));
        }
    }
    Ok(None)
}

fn of_record(store: &Store, tenant: &str, id: &str) -> Result<Option<Elsewhere>, Fault> {
    let view = store.view(tenant);
    let Some(newest) = view.record(id)?.map(|record| record.newest) else { return Ok(None) };
    let (Some(message), Some((_, size))) = (cid::sha256_of(&newest.cid), crate::dwn::declared_data(&newest.message))
    else {
        return Ok(None);
    };
    Ok(view.is_elsewhere(&newest)?.then(|| Elsewhere { tenant: tenant.to_owned(), message, size }))
}
