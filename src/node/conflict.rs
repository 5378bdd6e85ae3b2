//! An edit that another device's message took the place of without knowing it: what is kept of it, and how it is stored.
//!
//! It is written in one group with the message that takes it away, before that one. Its data is held by a second key, so
//! that collection passes over it.

use crate::{
    cid::{self, Cid, Digest},
    dwn::{self, Change, Fault, Json, Knew, Lost, SINGLE_MAX, View, record_id},
    foreign,
    store::{KEPT, Store},
};
use anyhow::{Context as _, ensure};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;
use serde_json::Value;
use std::time::Duration;

/// A key of the store's state, and its value.
type KeyValue = (Vec<u8>, Vec<u8>);

const VERSION: u8 = 1;
const PREFIX: &[u8] = b"conflicts/of/";

/// What is known of a message that another device brings.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Brought {
    /// DID of the device.
    pub by: Option<String>,
    /// Earlier states of its record, and states that it ends, that its writer knew. What was written here, is not among
    /// them and goes is kept as a conflict.
    pub knew: Knew,
    /// Its data stays there until somebody asks for it.
    pub is_elsewhere: bool,
}

/// As it is stored (DAG-CBOR).
#[derive(Debug, Serialize, Deserialize)]
struct Noted {
    v: u8,
    tenant: String,
    record: String,
    /// The messages as DAG-CBOR, and their authors.
    lost: (String, ByteBuf),
    won: (String, ByteBuf),
    /// Who brought what took its place.
    by: Option<String>,
    /// When, in milliseconds since 1970.
    at: u64,
    /// CID and size of the data that is kept.
    data: Option<(ByteBuf, u64)>,
}

/// An edit that lost, kept for a while.
#[derive(Debug, Clone)]
pub struct Conflict {
    pub tenant: String,
    pub record_id: String,
    pub lost: State,
    pub won: State,
    /// DID of the device that brought the message that won.
    pub by: Option<String>,
    pub at: Timestamp,
    /// Until when it is kept.
    pub until: Timestamp,
    /// The data of what lost, which is here: CID and size.
    pub data: Option<(Cid, u64)>,
}

/// One side of a conflict.
#[derive(Debug, Clone)]
pub struct State {
    pub cid: Cid,
    pub author: String,
    /// Without `encodedData`.
    pub message: Value,
}

/// Notes with the change what it takes away unseen.
pub(super) fn note(change: &mut Change, brought: &Brought, view: &dyn View, now: Timestamp) -> Result<(), Fault> {
    for lost in dwn::unseen(change, &brought.knew, view)? {
        let states = stored(&lost, change, brought, now)?;
        change.states.extend(states);
        let (record, by) = (foreign::shown(&lost.record_id), brought.by.as_deref().unwrap_or("another device"));
        tracing::warn!("an edit of the record {record} lost to one of {by} that did not know it: toft conflict ls");
    }
    let is_prune = change.message["descriptor"]["prune"] == true;
    let most = if is_prune { usize::MAX } else { SINGLE_MAX };
    change.came = Some(brought.knew.and(&Knew::default(), most));
    Ok(())
}

fn stored(lost: &Lost, change: &Change, brought: &Brought, now: Timestamp) -> Result<Vec<KeyValue>, Fault> {
    let state = &lost.state;
    let noted = Noted {
        v: VERSION,
        tenant: change.tenant.clone(),
        record: lost.record_id.clone(),
        lost: (state.author.to_string(), ByteBuf::from(cid::encode(&state.message)?)),
        won: (change.author.clone(), ByteBuf::from(change.bytes.clone())),
        by: brought.by.clone(),
        at: u64::try_from(now.as_millisecond()).unwrap_or_default(),
        data: lost.data.map(|(root, size)| (ByteBuf::from(root.to_bytes()), size)),
    };
    let value = serde_ipld_dagcbor::to_vec(&noted).context("encoding a conflict")?;
    let mut states = vec![(key(&change.tenant, &state.cid), value)];
    states.extend(
        lost.data
            .map(|(root, _)| Ok::<_, Fault>((hold_key(&root, &key(&change.tenant, &state.cid))?, Vec::new())))
            .transpose()?,
    );
    Ok(states)
}

/// Of one tenant, or of all.
pub(super) fn prefix(tenant: Option<&str>) -> Vec<u8> {
    tenant.map_or_else(|| PREFIX.to_vec(), |tenant| [PREFIX, tenant.as_bytes(), b"/"].concat())
}

/// Bytes of data that a tenant's conflicts hold.
pub(super) fn bytes(store: &Store, tenant: &str) -> Result<u64, Fault> {
    let all = store.states(&prefix(Some(tenant)))?;
    let sizes =
        all.iter().map(|(_, value)| Ok(Conflict::read(value, Duration::ZERO)?.data.map_or(0, |(_, size)| size)));
    sizes.sum()
}

fn key(tenant: &str, lost: &Cid) -> Vec<u8> {
    [&prefix(Some(tenant)), lost.to_string().as_bytes()].concat()
}

/// Holds data for what is kept under a key.
pub(super) fn hold_key(root: &Cid, key: &[u8]) -> Result<Vec<u8>, Fault> {
    let digest: Digest = cid::sha256_of(root).context("data is named by another hash than sha2-256")?;
    Ok([KEPT, &digest, key].concat())
}

impl Conflict {
    /// As it is stored; it is kept for so long.
    pub(super) fn read(value: &[u8], keep: Duration) -> Result<Self, Fault> {
        let noted: Noted = serde_ipld_dagcbor::from_slice(value).context("a stored conflict is not readable")?;
        ensure!(noted.v <= VERSION, "a newer toft has noted a conflict: open the home with that one");
        let at = i64::try_from(noted.at).ok().and_then(|at| Timestamp::from_millisecond(at).ok());
        let at = at.context("a stored conflict has no time")?;
        let data =
            noted.data.map(|(root, size)| Ok::<_, Fault>((Cid::try_from(root.as_slice())?, size))).transpose()?;
        Ok(Self {
            tenant: noted.tenant,
            record_id: noted.record,
            lost: State::read(noted.lost)?,
            won: State::read(noted.won)?,
            by: noted.by,
            at,
            until: at.checked_add(keep).unwrap_or(Timestamp::MAX),
            data,
        })
    }

    /// What is removed with it.
    pub(super) fn keys(&self) -> Result<Vec<Vec<u8>>, Fault> {
        let lost = &self.lost.cid;
        let data = self.data.map(|(root, _)| hold_key(&root, &key(&self.tenant, lost))).transpose()?;
        Ok([key(&self.tenant, lost)].into_iter().chain(data).collect())
    }

    /// What won ended the record, or the one above it.
    pub fn is_deleted(&self) -> bool {
        dwn::is_method(&self.won.message, "Delete")
    }

    /// What won ended a record above this one, and all below it.
    pub fn is_pruned(&self) -> bool {
        record_id(&self.won.message).or_else(|| self.won.message["descriptor"]["recordId"].as_str())
            != Some(&self.record_id)
    }
}

impl State {
    pub(super) fn read((author, message): (String, ByteBuf)) -> Result<Self, Fault> {
        let json: Json = cid::decode(&message).context("a message of a stored conflict is not readable")?.into();
        let cid = cid::from_digest(cid::DAG_CBOR, &cid::digest(&message));
        Ok(Self { cid, author, message: Value::clone(&json) })
    }

    pub fn timestamp(&self) -> &str {
        self.message["descriptor"]["messageTimestamp"].as_str().unwrap_or_default()
    }
}
