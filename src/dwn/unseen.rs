//! Which edits a message of another device takes away that its writer had not seen: conflicts.
//!
//! DWN's order has decided by then which state stays. What is asked here is whether the one that goes was replaced or
//! overlooked. Each device asks it of what was written there, so that one device, the one where the edit was made, keeps it.

use super::{
    change::{Change, Subject},
    fields::{declared_data, descriptor_of, is_method, is_prune},
    lineage::Knew,
    refusal::Fault,
    view::{Record, Stored, View},
};
use crate::cid::Cid;
use serde_json::Value;

/// Properties of the descriptor that say when, not what.
const TIMES: &[&str] = &["messageTimestamp", "datePublished"];

/// A state that goes without having been seen.
#[derive(Debug, Clone)]
pub struct Lost {
    pub record_id: String,
    pub state: Stored,
    /// Its data, which is here: CID and size.
    pub data: Option<(Cid, u64)>,
}

/// What the change takes away, of states that were written here and that its writer did not know. `knew`: those that he
/// did. `view`: the past before the change.
pub fn unseen(change: &Change, knew: &Knew, view: &dyn View) -> Result<Vec<Lost>, Fault> {
    let Subject::Record(id) = &change.subject else { return Ok(Vec::new()) };
    let mut lost = Vec::new();
    if let Some(record) = view.record(id)?
        // Who writes about a record knows how it began.
        && record.newest.cid != record.initial.cid
        && is_overlooked(&record.newest, knew)
        && !says_the_same(&record.newest.message, &change.message)
    {
        lost.push(of(record, view)?);
    }
    if !is_prune(&change.message) {
        return Ok(lost);
    }
    for gone in &change.removes {
        let Some(below) = view.message(gone)?.and_then(|state| state.record_id.clone()).filter(|below| **below != **id)
        else {
            continue;
        };
        if let Some(record) = view.record(&below)?.filter(|record| record.newest.cid == *gone)
            && is_overlooked(&record.newest, knew)
        {
            lost.push(of(record, view)?);
        }
    }
    Ok(lost)
}

fn is_overlooked(state: &Stored, knew: &Knew) -> bool {
    // Nothing goes with a tombstone; and of a first write without data nothing was here but the message.
    let has_content = state.latest && !is_method(&state.message, "Delete");
    has_content && !state.lineage.came && !knew.contains(&state.cid)
}

fn says_the_same(one: &Value, other: &Value) -> bool {
    let said = |message: &Value| {
        let mut descriptor = descriptor_of(message).clone();
        descriptor.retain(|name, _| !TIMES.contains(&name.as_str()));
        descriptor
    };
    said(one) == said(other)
}

fn of(record: Record, view: &dyn View) -> Result<Lost, Fault> {
    let Record { newest: state, .. } = record;
    let data = if view.has_data(&state)? && !view.is_elsewhere(&state)? { declared_data(&state.message) } else { None };
    let record_id = state.record_id.as_deref().unwrap_or_default().to_owned();
    Ok(Lost { record_id, state, data })
}
