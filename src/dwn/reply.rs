//! What a read is answered with.

use super::{Change, Cursor, Refusal, Stored};
use crate::cid::Cid;
use serde_json::{Map, Value, json};

/// An answer: status, the members beside it (`entry`, `entries`, `cursor`), and whose data follows.
#[derive(Debug, Clone)]
pub struct Reply {
    pub code: u16,
    pub detail: String,
    pub body: Map<String, Value>,
    /// The write whose data is to be sent after the answer, with the data's CID and size.
    pub data: Option<(Stored, Cid, u64)>,
}

impl Reply {
    pub(super) fn ok() -> Self {
        Self::new(200, "OK")
    }

    pub(super) fn not_found() -> Self {
        Self::new(404, "Not Found")
    }

    pub(super) fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.body.insert(name.into(), value.into());
        self
    }

    fn new(code: u16, detail: &str) -> Self {
        Self { code, detail: detail.into(), body: Map::new(), data: None }
    }

    /// The reply object of the wire: `status` and the members.
    pub fn to_json(&self) -> Value {
        let mut json = self.body.clone();
        json.insert("status".into(), json!({"code": self.code, "detail": self.detail}));
        Value::Object(json)
    }
}

impl From<Refusal> for Reply {
    fn from(refusal: Refusal) -> Self {
        Self::new(refusal.code, &refusal.detail)
    }
}

impl From<&Change> for Reply {
    fn from(change: &Change) -> Self {
        Self::new(change.status, if change.status == 204 { "No Content" } else { "Accepted" })
    }
}

impl Cursor {
    pub(super) fn to_json(&self) -> Value {
        json!({"messageCid": self.message_cid, "value": self.value})
    }
}
