//! What a message says, for methods that tell it.

use super::failure::{Failure, Kind};
use crate::cid;
use serde_json::Value;

/// The CID that a message is known by.
pub(super) fn cid_of(message: &Value) -> Result<String, Failure> {
    let (cid, _) = cid::of_json(message).map_err(|e| Failure::new(Kind::Usage, e.to_string()))?;
    Ok(cid.to_string())
}

/// The protocol that a record is under, by a write of it.
pub(super) fn protocol_of(write: &Value) -> Option<&str> {
    write["descriptor"]["protocol"].as_str()
}
