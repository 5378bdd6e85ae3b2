//! The policies that a tenant keeps.

use super::{
    document::{Document, Expires, PATH, POLICY, tag_of},
    expiry::{self, At},
};
use crate::{
    cid::Cid,
    dwn::{
        definition::Definition,
        fields::{self, descriptor_text},
        filter::{all, text},
        refusal::{Fault, Refusal, Stop},
        view::{Direction, Select, SortBy, Stored, View},
    },
};
use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, LazyLock, Mutex, PoisonError},
    time::Duration,
};

/// Policies that stay compiled: a message, and the definition it was read for, never say anything else.
const COMPILED: usize = 256;
/// Devices that were apart may each have written one for a protocol; so many are looked through for the tenant's newest.
const LOOKED_AT: usize = 16;

type Compiled = HashMap<(Cid, Cid), Arc<Document>>;

/// The policy of a protocol, if the tenant has one: the newest, where devices that were apart have written several.
pub(super) fn of(protocol: &str, at: At<'_>, view: &dyn View) -> Result<Option<Arc<Document>>, Stop> {
    // Who has never had a policy pays no more than this for it.
    if protocol == POLICY || view.protocol(POLICY)?.is_none() {
        return Ok(None);
    }
    let Some(newest) = records(protocol, at, view)?.into_iter().next() else { return Ok(None) };
    let Some(configure) = view.protocol(protocol)? else { return Ok(None) };
    let key = (newest.cid, configure.cid);
    static KEPT: LazyLock<Mutex<Compiled>> = LazyLock::new(Mutex::default);
    let kept = || KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(found) = kept().get(&key) {
        return Ok(Some(found.clone()));
    }
    let unreadable = |why: &str| {
        let record = fields::record_id(&newest.message).unwrap_or_default();
        let text = format_args!(
            "the policy {record} of this protocol cannot be followed ({why}), so nothing of the protocol is written here: \
             its tenant deletes or replaces that record, or updates toft"
        );
        Refusal::bad("PolicyUnreadable", text)
    };
    let data = view.inline_data(&newest)?.ok_or_else(|| unreadable("its data is not here"))?;
    let mut document = Document::read(&data).map_err(|why| unreadable(&why))?;
    if let Some(definition) = fields::descriptor_of(&configure.message).get("definition").and_then(Definition::parse) {
        document.learn(&definition);
    }
    let document = Arc::new(document);
    let mut kept = kept();
    if kept.len() >= COMPILED {
        kept.clear();
    }
    kept.insert(key, document.clone());
    Ok(Some(document))
}

/// The tenant's policies of a protocol, the newest first.
pub(super) fn records(protocol: &str, at: At<'_>, view: &dyn View) -> Result<Vec<Stored>, Stop> {
    let filter = all([
        ("method", text("Write")),
        ("protocol", text(POLICY)),
        ("protocolPath", text(PATH)),
        ("tag.protocol", text(protocol)),
    ]);
    let select = Select {
        any_of: vec![filter],
        sort: SortBy::MessageTimestamp,
        direction: Direction::Descending,
        limit: Some(LOOKED_AT),
        ..Select::default()
    };
    let mut entries = view.select(&select)?.entries;
    entries.retain(|entry| *entry.author == *at.tenant);
    Ok(entries)
}

/// The tenant's policies of all protocols, the oldest first.
pub fn policies(tenant: &str, view: &dyn View) -> Result<Vec<Stored>, Fault> {
    let filter = all([("method", text("Write")), ("protocol", text(POLICY)), ("protocolPath", text(PATH))]);
    let mut entries = view.select(&Select { any_of: vec![filter], ..Select::default() })?.entries;
    entries.retain(|entry| *entry.author == *tenant);
    Ok(entries)
}

/// URI of the protocol that a policy is for.
pub fn for_protocol(policy: &Stored) -> Option<&str> {
    fields::descriptor_of(&policy.message).get("tags")?.get("protocol")?.as_str()
}

/// Is this record of the tenant's over, as its protocol's policy says?
pub fn is_ended(tenant: &str, state: &Stored, view: &dyn View, now: &str) -> Result<bool, Fault> {
    match is_over(state, At { tenant, now }, view) {
        Ok(is_over) => Ok(is_over),
        // A policy that cannot be read ends nothing.
        Err(Stop::Refusal(_)) => Ok(false),
        Err(Stop::Fault(fault)) => Err(fault),
    }
}

/// Is this record over, as its protocol's policy says?
pub(super) fn is_over(state: &Stored, at: At<'_>, view: &dyn View) -> Result<bool, Stop> {
    let Some(protocol) = descriptor_text(&state.message, "protocol") else { return Ok(false) };
    let Some(document) = of(protocol, at, view)? else { return Ok(false) };
    let path = descriptor_text(&state.message, "protocolPath").unwrap_or_default();
    let Some(expires) = document.at(path).and_then(|rules| rules.expires.as_ref()) else { return Ok(false) };
    let data = if expiry::is_in_data(expires) { view.inline_data(state)? } else { None };
    Ok(expiry::end(expires, &state.message, data.as_deref()).is_ok_and(|end| end.is_over(at.now)))
}

/// Leaves out what is over; was there any?
pub(in crate::dwn) fn keep_current(records: &mut Vec<Stored>, at: At<'_>, view: &dyn View) -> Result<bool, Stop> {
    let all = records.len();
    let mut current = Vec::with_capacity(all);
    for record in records.drain(..) {
        if !is_over(&record, at, view)? {
            current.push(record);
        }
    }
    *records = current;
    Ok(records.len() < all)
}

/// Records of a protocol that are over by themselves: at a path, by a tag or some time after they were created. Those whose end
/// stands in their data cannot be asked for, and are not among them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ending {
    pub protocol: String,
    pub path: String,
    pub by: EndingBy,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EndingBy {
    /// The tag of this name says when, in UTC.
    Tag(String),
    /// So long after its `dateCreated`.
    Age(Duration),
}

/// What the tenant's policies say of records that end.
pub fn endings(tenant: &str, view: &dyn View, now: &str) -> Result<Vec<Ending>, Fault> {
    if view.protocol(POLICY)?.is_none() {
        return Ok(Vec::new());
    }
    let at = At { tenant, now };
    let mut found = Vec::new();
    let kept = policies(tenant, view)?;
    for protocol in kept.iter().filter_map(for_protocol).collect::<BTreeSet<_>>() {
        let document = match of(protocol, at, view) {
            Ok(Some(document)) => document,
            Ok(None) | Err(Stop::Refusal(_)) => continue,
            Err(Stop::Fault(fault)) => return Err(fault),
        };
        for (path, rules) in document.paths() {
            let by = match &rules.expires {
                Some(Expires::After(span)) => EndingBy::Age(span.0),
                Some(Expires::At(place)) => match tag_of(place) {
                    Some(tag) => EndingBy::Tag(tag.to_owned()),
                    None => continue,
                },
                None => continue,
            };
            found.push(Ending { protocol: protocol.to_owned(), path: path.clone(), by });
        }
    }
    Ok(found)
}

/// Are the states that this one takes the place of, and this one when its time comes, to stay readable?
pub fn keeps_history(tenant: &str, state: &Stored, view: &dyn View, now: &str) -> Result<bool, Fault> {
    let Some(protocol) = descriptor_text(&state.message, "protocol") else { return Ok(false) };
    let document = match of(protocol, At { tenant, now }, view) {
        Ok(document) => document,
        // Nobody can say: what cannot be had again is kept.
        Err(Stop::Refusal(_)) => return Ok(true),
        Err(Stop::Fault(fault)) => return Err(fault),
    };
    let path = descriptor_text(&state.message, "protocolPath").unwrap_or_default();
    Ok(document.is_some_and(|document| document.at(path).is_some_and(|rules| rules.keep_history)))
}
