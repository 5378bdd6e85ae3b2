//! What the owner calls the devices, in the store.

use super::talk::is_name;
use crate::{job::Moment, store::Store};
use anyhow::{Context as _, Error};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// What is kept of a device beside its address.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Kept {
    pub name: String,
    /// When it was let in.
    pub added: Moment,
    /// It came in by a code of this node, and acts in the name of its identities.
    #[serde(default)]
    pub let_in: bool,
    /// The identity whose records say that it is one of its devices; this node was not asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

fn key(did: &str) -> Vec<u8> {
    format!("devices/{did}").into_bytes()
}

/// What cannot be read is as good as nothing.
pub fn of(store: &Store, did: &str) -> Result<Option<Kept>, Error> {
    Ok(store.state(&key(did))?.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
}

/// Writes down what a device is called, and that it is let in, if it is now.
pub async fn name(store: &Store, did: &str, name: &str, is_let_in: bool) -> Result<Kept, Error> {
    let by = of(store, did)?.and_then(|kept| kept.by);
    put(store, did, name, (is_let_in, by)).await
}

/// Writes down a device that is one because an identity says so.
pub async fn name_by(store: &Store, did: &str, name: &str, by: &str) -> Result<Kept, Error> {
    put(store, did, name, (false, Some(by.to_owned()))).await
}

/// The devices that are ones because this identity says so.
pub fn named_by(store: &Store, by: &str) -> Result<BTreeSet<String>, Error> {
    let all = store.states(b"devices/")?.into_iter();
    let found = all.filter_map(|(key, value)| {
        let kept: Kept = serde_json::from_slice(&value).ok()?;
        let did = String::from_utf8_lossy(key.strip_prefix(b"devices/")?).into_owned();
        (kept.by.as_deref() == Some(by)).then_some(did)
    });
    Ok(found.collect())
}

async fn put(store: &Store, did: &str, name: &str, (is_let_in, by): (bool, Option<String>)) -> Result<Kept, Error> {
    let kept = of(store, did)?;
    let let_in = is_let_in || kept.as_ref().is_some_and(|kept| kept.let_in);
    let added = kept.map_or_else(|| Moment(Timestamp::now()), |kept| kept.added);
    let kept = Kept { name: name.to_owned(), added, let_in, by };
    let value = serde_json::to_vec(&kept).context("encoding a device")?;
    store.put_state(vec![(key(did), Some(value))]).await?;
    Ok(kept)
}

pub async fn forget(store: &Store, did: &str) -> Result<(), Error> {
    store.put_state(vec![(key(did), None)]).await
}

/// What the machine is called, until its owner says otherwise.
pub fn host() -> String {
    let told =
        std::fs::read_to_string("/proc/sys/kernel/hostname").or_else(|_| std::fs::read_to_string("/etc/hostname"));
    told.ok().map(|name| name.trim().to_owned()).filter(|name| is_name(name)).unwrap_or_else(|| "a device".to_owned())
}
