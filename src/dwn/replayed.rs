//! What is still asked of a message that another of the person's devices has judged and taken.
//!
//! That device asked for the protocol, the role, the grant and the time as they were when the message came. Here they may
//! be others by now, or not have come yet, and devices must keep the same messages in whatever order they meet them. So a
//! message is judged by itself (signatures, hashes, what must never change) and by what removes messages, which it may
//! only now run into: a prune, a revocation. A grant that a delegate sends along is part of the message itself.

use super::{
    fields, grant, index,
    kind::Kind,
    message::Message,
    refusal::{Refusal, Stop},
    view::View,
};
use serde_json::Value;

/// May this write be taken, or would what is here have removed it?
pub(super) fn check_write(message: &Message, view: &dyn View, now: &str) -> Result<(), Stop> {
    if message.is_vouched() {
        return check_delegation(message, message.json(), now);
    }
    if let Some(id) = message.text("parentId") {
        let Some(parent) = view.record(id)? else {
            let text = format_args!("the parent {id} is not here: it has not come yet, or it has been removed");
            return Err(Refusal::bad("ReplayedParentNotFound", text).into());
        };
        if fields::is_prune(&parent.newest.message) {
            let text = format_args!("the parent {id} was deleted with all that is below it");
            return Err(Refusal::bad("ReplayedParentPruned", text).into());
        }
    }
    for id in index::grants(message.json()) {
        let revoked = grant::revoked_since(&id, message.tenant(), view)?;
        if revoked.is_some_and(|revoked| revoked.as_str() <= message.timestamp()) {
            let text = format_args!("the grant {id}, under which it was written, was revoked before");
            return Err(Refusal::denied("ReplayedGrantRevoked", text).into());
        }
    }
    check_delegation(message, message.json(), now)
}

/// May a delegate say this of the record that began with `write`, by the grant that came along? The grant is part of the
/// message, so that every device finds the same: who was let do one thing in somebody's name does no other by way of a device.
pub(super) fn check_delegation(message: &Message, write: &Value, now: &str) -> Result<(), Stop> {
    let Some((grant, claim)) = message.delegation(now)? else { return Ok(()) };
    grant.check_by_itself(claim)?;
    if message.kind() == Kind::RecordsDelete && grant.scope.protocol.is_none() {
        return Ok(());
    }
    Ok(grant.scope.covers(write)?)
}
