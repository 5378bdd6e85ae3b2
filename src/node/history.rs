//! Earlier states of records whose policy keeps them (`keepHistory`): what is kept of one, and how it is stored.
//!
//! A state is noted in one group with the message that takes its place, before that one. Its data is held by a second key, so that
//! collection passes over it. When its record is deleted it goes too.

use super::conflict::{State, hold_key};
use crate::{
    cid::Cid,
    dwn::{self, Change, Fault, Subject, View, declared_data, is_method},
    store::Store,
};
use anyhow::{Context as _, ensure};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

const VERSION: u8 = 1;
const PREFIX: &[u8] = b"history/of/";
/// Removed at once.
const SOME: usize = 64;

/// As it is stored (DAG-CBOR).
#[derive(Debug, Serialize, Deserialize)]
struct Noted {
    v: u8,
    /// The message as DAG-CBOR, and its author.
    state: (String, ByteBuf),
    /// CID and size of the data that is kept.
    data: Option<(ByteBuf, u64)>,
}

/// An earlier state of a record.
#[derive(Debug, Clone)]
pub struct Earlier {
    pub state: State,
    /// Its data, which is here: CID and size.
    pub data: Option<(Cid, u64)>,
}

fn prefix(tenant: &str, record: &str) -> Vec<u8> {
    [PREFIX, tenant.as_bytes(), b"/", record.as_bytes(), b"/"].concat()
}

/// Notes with the change the state whose place it takes, if its policy keeps that.
pub(super) fn note(change: &mut Change, view: &dyn View, now: &str) -> Result<(), Fault> {
    let Subject::Record(id) = &change.subject else { return Ok(()) };
    let Some(record) = view.record(id)? else { return Ok(()) };
    let before = record.newest;
    let is_taken = change.latest && before.latest && before.cid != change.cid;
    if !is_taken || !is_method(&change.message, "Write") || !dwn::keeps_history(&change.tenant, &before, view, now)? {
        return Ok(());
    }
    let has_data = view.has_data(&before)? && !view.is_elsewhere(&before)?;
    let data = if has_data { declared_data(&before.message) } else { None };
    let bytes = crate::cid::encode(&before.message)?;
    let noted = Noted {
        v: VERSION,
        state: (before.author.to_string(), ByteBuf::from(bytes)),
        data: data.map(|(root, size)| (ByteBuf::from(root.to_bytes()), size)),
    };
    let key = [&prefix(&change.tenant, id), before.cid.to_string().as_bytes()].concat();
    if let Some((root, _)) = data {
        change.states.push((hold_key(&root, &key)?, Vec::new()));
    }
    change.states.push((key, serde_ipld_dagcbor::to_vec(&noted).context("encoding an earlier state")?));
    Ok(())
}

impl Earlier {
    fn read(value: &[u8]) -> Result<Self, Fault> {
        let noted: Noted = serde_ipld_dagcbor::from_slice(value).context("a stored earlier state is not readable")?;
        ensure!(noted.v <= VERSION, "a newer toft has noted an earlier state: open the home with that one");
        let data =
            noted.data.map(|(root, size)| Ok::<_, Fault>((Cid::try_from(root.as_slice())?, size))).transpose()?;
        Ok(Self { state: State::read(noted.state)?, data })
    }
}

/// Bytes of data that a tenant's earlier states hold.
pub(super) fn bytes(store: &Store, tenant: &str) -> Result<u64, Fault> {
    let all = store.states(&[PREFIX, tenant.as_bytes(), b"/"].concat())?;
    all.iter().map(|(_, value)| Ok(Earlier::read(value)?.data.map_or(0, |(_, size)| size))).sum()
}

/// The earlier states of a record that are kept, the newest first (blocking).
pub fn earlier(store: &Store, tenant: &str, record: &str) -> Result<Vec<Earlier>, Fault> {
    let all = store.states(&prefix(tenant, record))?;
    let mut all = all.iter().map(|(_, value)| Earlier::read(value)).collect::<Result<Vec<_>, _>>()?;
    all.sort_by(|a, b| (b.state.timestamp(), b.state.cid).cmp(&(a.state.timestamp(), a.state.cid)));
    Ok(all)
}

/// Keys of earlier states whose record is gone or deleted, with those that hold their data (blocking).
pub(super) fn orphans(store: &Store) -> Result<Vec<Vec<u8>>, Fault> {
    keys(store.states(PREFIX)?, |key| {
        let named = key.strip_prefix(PREFIX).and_then(|named| std::str::from_utf8(named).ok());
        let mut parts = named.unwrap_or_default().rsplitn(3, '/').skip(1);
        let (Some(record), Some(tenant)) = (parts.next(), parts.next()) else { return Ok(false) };
        let newest = store.view(tenant).record(record)?.map(|record| record.newest);
        Ok(!newest.is_some_and(|newest| is_method(&newest.message, "Write")))
    })
}

fn keys<K: AsRef<[u8]>, V: AsRef<[u8]>>(
    states: impl IntoIterator<Item = (K, V)>,
    is_meant: impl Fn(&[u8]) -> Result<bool, Fault>,
) -> Result<Vec<Vec<u8>>, Fault> {
    let mut found = Vec::new();
    for (key, value) in states {
        let key = key.as_ref();
        if is_meant(key)? {
            let data = Earlier::read(value.as_ref())?.data;
            found.extend(data.map(|(root, _)| hold_key(&root, key)).transpose()?);
            found.push(key.to_vec());
        }
    }
    Ok(found)
}

/// Takes these keys away.
pub(super) async fn remove(store: &Store, keys: Vec<Vec<u8>>) -> Result<(), Fault> {
    for some in keys.chunks(SOME) {
        store.put_state(some.iter().map(|key| (key.clone(), None)).collect()).await?;
    }
    Ok(())
}

/// Takes away what is kept of a record that was deleted. (What a prune took with it goes with the next sweep.)
pub(super) async fn forget(store: &Store, tenant: &str, record: &str) -> Result<(), Fault> {
    let keys = keys(store.states(&prefix(tenant, record))?, |_| Ok(true))?;
    remove(store, keys).await
}
