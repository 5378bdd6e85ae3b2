//! What a message says, for methods that tell it.

use super::failure::{Failure, Kind};
use crate::cid;
use anyhow::Error;
use serde::Serialize;
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

/// The media type of a record's data, by a write of it.
pub(super) fn format_of(write: &Value) -> Option<&str> {
    write["descriptor"]["dataFormat"].as_str()
}

/// Bytes that parameters take as text.
pub(super) fn bytes_of(params: &impl Serialize) -> Result<usize, Failure> {
    Ok(serde_json::to_vec(params).map_err(Error::new)?.len())
}
