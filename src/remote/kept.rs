//! What lies in the store of remotes: what the owner named, and how far each part is.

use crate::{
    cid,
    store::{Position, Store},
};
use anyhow::{Context as _, Error};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// How keys of the store begin.
const REMOTES: &str = "remote/server/";
const PARTS: &str = "remote/part/";

/// A DWN server that this node keeps in step with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "RemoteServer")]
pub struct Remote {
    pub url: String,
    /// DIDs whose messages go there and come from there.
    pub tenants: Vec<String>,
    /// URIs of the protocols that count. Empty: all, and what belongs to none.
    pub protocols: Vec<String>,
}

/// One tenant of a remote and one of its protocols, or all.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Part {
    pub tenant: String,
    pub protocol: Option<String>,
}

impl Remote {
    pub fn parts(&self) -> Vec<Part> {
        let each = |tenant: &String| {
            let part = |protocol| Part { tenant: tenant.clone(), protocol };
            match self.protocols.is_empty() {
                true => vec![part(None)],
                false => self.protocols.iter().map(|uri| part(Some(uri.clone()))).collect(),
            }
        };
        self.tenants.iter().flat_map(each).collect()
    }
}

/// How far a part is. What lies before it is here, there, or put aside.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Reached {
    /// Where the server's answer ended. `None`: the whole list is asked for.
    pub cursor: Option<Value>,
    /// The last position of the log that was looked at.
    pub pushed: Option<Position>,
    /// CID of the message that was sent last since the cursor was told: the cursor says nothing of it.
    pub sent: Option<String>,
    /// When all was compared last, in milliseconds since 1970; 0: never.
    pub compared: u64,
}

/// A short name of a URL, for keys: two URLs of which one begins as the other have keys that do not.
pub fn name(url: &str) -> String {
    hex::encode(cid::digest(url.as_bytes()).get(..16).unwrap_or_default())
}

fn remote_key(url: &str) -> Vec<u8> {
    format!("{REMOTES}{}", name(url)).into_bytes()
}

fn part_prefix(url: &str) -> String {
    format!("{PARTS}{}/", name(url))
}

fn part_key(url: &str, part: &Part) -> Vec<u8> {
    // A DID has no space in it.
    format!("{}{} {}", part_prefix(url), part.tenant, part.protocol.as_deref().unwrap_or_default()).into_bytes()
}

/// All remotes, as the owner named them (blocking).
pub fn remotes(store: &Store) -> Result<Vec<Remote>, Error> {
    let all = store.states(REMOTES.as_bytes())?.into_iter();
    all.map(|(key, value)| {
        serde_json::from_slice(&value)
            .with_context(|| format!("the stored remote {} is not readable", String::from_utf8_lossy(&key)))
    })
    .collect()
}

/// How far a part is (blocking).
pub fn reached(store: &Store, url: &str, part: &Part) -> Result<Reached, Error> {
    let Some(value) = store.state(&part_key(url, part))? else { return Ok(Reached::default()) };
    serde_json::from_slice(&value).with_context(|| format!("how far {url} is cannot be read"))
}

pub async fn put_reached(store: &Store, url: &str, part: &Part, reached: &Reached) -> Result<(), Error> {
    let value = serde_json::to_vec(reached).context("encoding how far a remote is")?;
    store.put_state(vec![(part_key(url, part), Some(value))]).await
}

/// A key of the store's state, and what it becomes; nothing: it goes.
pub type StateChange = (Vec<u8>, Option<Vec<u8>>);

/// What makes the store remember a remote, and forget how far parts are that it has no more (blocking).
pub fn put(store: &Store, remote: &Remote) -> Result<Vec<StateChange>, Error> {
    let value = serde_json::to_vec(remote).context("encoding the remote")?;
    let kept: Vec<_> = remote.parts().iter().map(|part| part_key(&remote.url, part)).collect();
    let all = store.states(part_prefix(&remote.url).as_bytes())?.into_iter().map(|(key, _)| key.to_vec());
    let gone = all.filter(|key| !kept.contains(key)).map(|key| (key, None));
    Ok(gone.chain([(remote_key(&remote.url), Some(value))]).collect())
}

/// What makes the store forget a remote (blocking).
pub fn forget(store: &Store, url: &str) -> Result<Vec<StateChange>, Error> {
    let parts = store.states(part_prefix(url).as_bytes())?.into_iter().map(|(key, _)| (key.to_vec(), None));
    Ok(parts.chain([(remote_key(url), None)]).collect())
}

/// Now, in milliseconds since 1970.
pub fn millis() -> u64 {
    u64::try_from(jiff::Timestamp::now().as_millisecond()).unwrap_or_default()
}
