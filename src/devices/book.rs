//! What the owner calls the devices, in the store.

use super::talk::is_name;
use crate::{job::Moment, store::Store};
use anyhow::{Context as _, Error};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What is kept of a device beside its address.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Kept {
    pub name: String,
    /// When it was let in.
    pub added: Moment,
    /// It came in by a code of this node, and acts in the name of its identities.
    #[serde(default)]
    pub let_in: bool,
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
    let kept = of(store, did)?;
    let let_in = is_let_in || kept.as_ref().is_some_and(|kept| kept.let_in);
    let added = kept.map_or_else(|| Moment(Timestamp::now()), |kept| kept.added);
    let kept = Kept { name: name.to_owned(), added, let_in };
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
