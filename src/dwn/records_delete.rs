//! RecordsDelete: ends a record. The tombstone and the initial write stay; with `prune` all descendants go
//! without a trace.

use super::{
    change::{Change, Subject},
    fields::{self, descriptor_text, is_prune},
    message::Message,
    policy::{self, At},
    protocol,
    reason::Reason,
    refusal::{Refusal, Stop},
    replayed,
    view::{Record, View},
};
use crate::cid::Cid;
use serde_json::Value;
use std::cmp::Ordering;

pub(super) fn check(message: &Message) -> Result<(), Refusal> {
    message.check_delegations()?;
    message.check_timestamp()
}

pub(super) fn decide(message: &Message, view: &dyn View, now: &str) -> Result<Change, Stop> {
    let record_id = message.text("recordId").unwrap_or_default();
    let record = view.record(record_id)?.filter(|record| message.is_replayed() || can_delete(message, record));
    let record = record.ok_or_else(Refusal::not_found)?;
    let before = (&*record.newest.message as &Value, &record.newest.cid);
    let incoming = (message.json() as &Value, message.cid());
    let wins = if message.is_replayed() { outranks(incoming, before) } else { fields::is_newer(incoming, before) };
    if !wins {
        return Err(Refusal::conflict().into());
    }
    if message.is_replayed() {
        // Not whether the grant was revoked: a delete that another device has taken is not undone there.
        replayed::check_delegation(message, &record.initial.message, now)?;
    } else {
        authorize(message, &record, view, now)?;
    }
    let mut change = Change::of(message, Subject::Record(record_id.into()))?;
    change.supersede(&record);
    if is_prune(message.json()) {
        change.remove_descendants(record_id, view)?;
    }
    if !message.is_replayed() {
        policy::check_delete(&record, &change, At { tenant: message.tenant(), now }, view)?;
    }
    Ok(change)
}

/// A deleted record can only be deleted again by a prune that no prune came before.
fn can_delete(message: &Message, record: &Record) -> bool {
    let newest = &record.newest.message;
    !fields::is_method(newest, "Delete") || (is_prune(message.json()) && !is_prune(newest))
}

/// Does a delete outrank the record's newest message? Devices that meet messages in different orders must keep the same
/// one: a delete outranks any write, because nothing is written after it; a prune outranks a plain delete, because nothing
/// brings back what it took; of two alike, the newer one wins.
fn outranks(delete: (&Value, &Cid), before: (&Value, &Cid)) -> bool {
    let rank = |json: &Value| (fields::is_method(json, "Delete"), is_prune(json));
    match rank(delete.0).cmp(&rank(before.0)) {
        Ordering::Equal => fields::is_newer(delete, before),
        order => order.is_gt(),
    }
}

pub(super) fn authorize(message: &Message, record: &Record, view: &dyn View, now: &str) -> Result<Reason, Stop> {
    if let Some((grant, claim)) = message.delegation(now)? {
        let protocol = descriptor_text(&record.initial.message, "protocol");
        let code = "RecordsGrantAuthorizationDeleteProtocolScopeMismatch";
        grant.authorize_protocol(claim, protocol, (code, "record to delete"), view)?;
        // (The reference looks at the protocol only.)
        let write = &record.initial.message;
        grant.scope.allows(fields::context_id(write), descriptor_text(write, "protocolPath"))?;
    }
    if message.author() == Some(message.tenant()) {
        return Ok(Reason::Owner);
    }
    if descriptor_text(&record.initial.message, "protocol").is_some() {
        return protocol::authorize_delete(message, record, At { tenant: message.tenant(), now }, view)
            .map(Reason::Rule);
    }
    let text = "RecordsDelete message failed authorization";
    Err(Refusal::denied("RecordsDeleteAuthorizationFailed", text).into())
}
