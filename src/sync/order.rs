//! What to send of a stretch of the log, and in which order (pure but for the view).
//!
//! The log keeps a record's initial write and its newest message in arrival order, so a child written
//! between them would reach the other device before the state of its parent that it needs. Here the newest
//! write follows its initial write at once: one pass is enough. A delete stays where it is; what hangs on a record that
//! was deleted before the other device saw it cannot be replayed (the data that made it live is gone), is refused there
//! and counted.

use crate::{
    cid::Cid,
    dwn::{Fault, View},
};
use serde_json::Value;

/// For one message of the log: the CIDs to send for it, oldest first. Empty when it is no longer kept.
pub fn to_send(view: &dyn View, cid: &Cid) -> Result<Vec<Cid>, Fault> {
    let Some(stored) = view.message(cid)? else { return Ok(vec![]) };
    let record_id = match stored.message.pointer("/descriptor/interface").and_then(Value::as_str) {
        Some("Records") => stored.message.get("recordId").or_else(|| stored.message.pointer("/descriptor/recordId")),
        _ => None,
    };
    let Some(record) = record_id.and_then(Value::as_str).map(|id| view.record(id)).transpose()?.flatten() else {
        return Ok(vec![*cid]);
    };
    // The newest message went with its initial write already, unless the initial one lies behind the cursor.
    let is_write = record.newest.message.pointer("/descriptor/method").and_then(Value::as_str) == Some("Write");
    Ok(if is_write && record.initial.cid == *cid && record.newest.cid != *cid {
        vec![record.initial.cid, record.newest.cid]
    } else {
        vec![*cid]
    })
}
