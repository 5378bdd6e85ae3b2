//! What is still asked of a message that another of the person's devices has judged and taken.
//!
//! That device asked for the protocol, the role, the grant and the time as they were when the message came. Here they may
//! be others by now, or not have come yet, and devices must keep the same messages in whatever order they meet them. So a
//! message is judged by itself (signatures, hashes, what must never change) and by what removes messages, which it may
//! only now run into: a prune, a revocation.

use super::{
    fields, grant, index,
    message::Message,
    refusal::{Refusal, Stop},
    view::View,
};

/// May this write be taken, or would what is here have removed it?
pub(super) fn check_write(message: &Message, view: &dyn View) -> Result<(), Stop> {
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
    Ok(())
}
