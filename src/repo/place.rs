//! What the records at one path of a protocol are: the types that are made for it.

use crate::rpc::control::{Failure, Kind};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};
use std::fmt;

/// Any JSON.
pub type Json = Value;
/// What else is in an object.
pub type Members = Map<String, Value>;
/// Tags that have any names.
pub type Tags = Map<String, Value>;

/// Bytes, and what they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blob {
    /// Media type.
    pub format: String,
    pub bytes: Vec<u8>,
}

/// The records at one path of a protocol.
pub trait Place: fmt::Debug + Send + Sync + 'static {
    const PROTOCOL: &'static str;
    const PATH: &'static str;
    const SCHEMA: Option<&'static str>;
    type Data: Send + Sync;
    type Tags: Serialize + DeserializeOwned + Send + Sync;
    type TagFilter: Serialize + Clone + Send + Sync;
    /// Of a record that stands below none: `()`. Else the contextId of that one.
    type Parent: Parent;

    fn encode(data: &Self::Data) -> Result<Blob, Failure>;
    fn decode(blob: Blob) -> Result<Self::Data, Failure>;
}

/// Where a new record stands.
pub trait Parent: Send + Sync {
    fn context(self) -> Option<String>;
}

impl Parent for () {
    fn context(self) -> Option<String> {
        None
    }
}

impl Parent for String {
    fn context(self) -> Option<String> {
        Some(self)
    }
}

/// Data as JSON.
pub fn to_json(data: &impl Serialize, format: &str) -> Result<Blob, Failure> {
    let bytes = serde_json::to_vec(data);
    let bytes = bytes.map_err(|e| Failure::new(Kind::Usage, format!("the data cannot be written as JSON: {e}")))?;
    Ok(Blob { format: format.to_owned(), bytes })
}

/// Data from JSON. A node does not look at data: what others wrote may be anything.
pub fn from_json<T: DeserializeOwned>(blob: &Blob) -> Result<T, Failure> {
    serde_json::from_slice(&blob.bytes)
        .map_err(|e| Failure::new(Kind::Failed, format!("the record's data is not what its schema says: {e}")))
}
