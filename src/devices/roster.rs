//! The devices of a person, as their records tell all of them: the protocol `protocols/device.json`.
//!
//! The device that holds an identity's key writes one record, in the identity's name, for each device that it lets in, and deletes
//! it when that is none any more. The others read them: so they know of one another, meet, and stop sharing with one that is gone.

use crate::{
    dwn::{self, Cond, Fault, Filter, IndexValue, Message, Select, SortBy, View},
    sync::Peer,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// The protocol.
pub const ROSTER: &str = "https://toft.invalid/protocols/device";
/// Of its records.
pub const SCHEMA: &str = "https://toft.invalid/protocols/device/device.json";
/// Devices of one identity that are looked at.
const DEVICES_MAX: usize = 256;

/// The protocol's definition.
pub fn definition() -> Result<Value, Fault> {
    Ok(serde_json::from_str(include_str!("../../protocols/device.json"))?)
}

/// What the record of a device says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    pub did: String,
    pub name: String,
    /// Multiaddr with the peer id at its end.
    pub address: String,
}

/// What is recorded of a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// Ids of its records. Mostly one: of a newer one that is written, the older ones are deleted after that.
    pub ids: Vec<String>,
    /// What the newest says.
    pub entry: Entry,
}

/// The devices of an identity by DID, as its records tell: those that its own key has signed, and of several of one device the newest.
pub fn of(identity: &str, view: &dyn View) -> Result<BTreeMap<String, Recorded>, Fault> {
    let is = |name: &str, value: &str| (name.to_owned(), Cond::Equal(IndexValue::String(value.to_owned())));
    let filter: Filter =
        [is("protocol", ROSTER), is("protocolPath", "device"), is("method", "Write"), is("author", identity)].into();
    let select =
        Select { any_of: vec![filter], sort: SortBy::DateCreated, limit: Some(DEVICES_MAX), ..Select::default() };
    let mut found = BTreeMap::<String, Recorded>::new();
    for stored in view.select(&select)?.entries {
        // A device acts in the identity's name, and lets no other in.
        let message = Message::parse(identity, Value::clone(&stored.message));
        if !message.is_ok_and(|message| message.signer() == Some(identity)) {
            continue;
        }
        let data = view.inline_data(&stored)?;
        let entry = data.and_then(|data| serde_json::from_slice::<Entry>(&data).ok());
        if let (Some(entry), Some(id)) = (entry, dwn::record_id(&stored.message)) {
            let mut ids = found.remove(&entry.did).map_or_else(Vec::new, |older| older.ids);
            ids.push(id.to_owned());
            found.insert(entry.did.clone(), Recorded { ids, entry });
        }
    }
    Ok(found)
}

/// What follows from the records of an identity whose key is elsewhere.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct News {
    /// To keep in step with from now on.
    pub come: Vec<Entry>,
    /// DIDs to share nothing with any more.
    pub gone: Vec<String>,
}

/// `own`: this device's DID; `named`: the peers that were added because of these records.
pub fn news(own: &str, recorded: &BTreeMap<String, Recorded>, peers: &[Peer], named: &BTreeSet<String>) -> News {
    let known: BTreeSet<_> = peers.iter().map(|peer| peer.did.as_str()).collect();
    // A device that is not on the list (any more) meets nobody because of it.
    let is_listed = recorded.contains_key(own);
    let is_new = |entry: &&Entry| is_listed && entry.did != own && !known.contains(entry.did.as_str());
    let come = recorded.values().map(|recorded| &recorded.entry).filter(is_new).cloned().collect();
    let is_gone = |did: &&String| known.contains(did.as_str()) && !recorded.contains_key(*did);
    News { come, gone: named.iter().filter(is_gone).cloned().collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_on_the_list_meets_the_others_and_leaves_who_is_gone() {
        let entry =
            |did: &str| Entry { did: did.into(), name: did.into(), address: format!("/ip4/192.0.2.1/tcp/1/p2p/{did}") };
        let list = |dids: &[&str]| -> BTreeMap<String, Recorded> {
            dids.iter().map(|did| ((*did).to_owned(), Recorded { ids: vec!["r".into()], entry: entry(did) })).collect()
        };
        let peers = |dids: &[&str]| -> Vec<Peer> {
            let peer = |did: &&str| Peer { did: (*did).into(), address: String::new(), tenants: vec![], friend: None };
            dids.iter().map(peer).collect()
        };
        let named = |dids: &[&str]| dids.iter().map(|did| (*did).to_owned()).collect::<BTreeSet<_>>();
        let told = |dids: &[&str], known: &[&str], by: &[&str]| news("b", &list(dids), &peers(known), &named(by));
        assert_eq!(told(&["b", "c"], &["a"], &[]), News { come: vec![entry("c")], gone: vec![] });
        assert_eq!(told(&["b", "c"], &["a", "c"], &["c"]), News::default());
        assert_eq!(told(&["b"], &["a", "c"], &["c"]), News { come: vec![], gone: vec!["c".into()] });
        // Whom the owner added by hand stays.
        assert_eq!(told(&["b"], &["a", "c"], &[]), News::default());
        // A device that was never let in by this identity, or is not any more, goes to nobody.
        assert_eq!(told(&["c"], &["a"], &[]), News::default());
    }
}
