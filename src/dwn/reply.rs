//! What a read is answered with.

use super::{
    Change, Cursor, Refusal, Stored,
    json::{Object, quoted},
};
use crate::cid::Cid;
use serde_json::Value;

/// An answer: status, the members beside it (`entry`, `entries`, `cursor`), and whose data follows.
#[derive(Debug, Clone)]
pub struct Reply {
    pub code: u16,
    pub detail: String,
    pub body: Members,
    /// The write whose data is to be sent after the answer, with the data's CID and size.
    pub data: Option<(Stored, Cid, u64)>,
}

/// What stands in an answer beside `status`: names, and values as JSON text.
#[derive(Debug, Clone, Default)]
pub struct Members(Vec<(&'static str, String)>);

impl Members {
    /// Adds a member. `value`: JSON text.
    pub fn insert(&mut self, name: &'static str, value: String) {
        self.0.push((name, value));
    }

    /// A member, as a tree.
    pub fn get(&self, name: &str) -> Option<Value> {
        let (_, text) = self.0.iter().find(|(found, _)| *found == name)?;
        serde_json::from_str(text).ok()
    }

    /// A member, as JSON text.
    pub fn remove(&mut self, name: &str) -> Option<String> {
        let at = self.0.iter().position(|(found, _)| *found == name)?;
        Some(self.0.remove(at).1)
    }

    /// The reply object of the wire: `{"status": {"code", "detail"}, …}`, as the reference writes it.
    pub fn reply(&self, code: u16, detail: &str) -> String {
        let status = Object::default().with("code", &code.to_string()).with("detail", &quoted(detail)).text();
        let reply = Object::default().with("status", &status);
        self.0.iter().fold(reply, |reply, (name, text)| reply.with(name, text)).text()
    }
}

impl Reply {
    pub(super) fn ok() -> Self {
        Self::new(200, "OK")
    }

    pub(super) fn not_found() -> Self {
        Self::new(404, "Not Found")
    }

    /// With a member more. `value`: JSON text.
    pub(super) fn with(mut self, name: &'static str, value: String) -> Self {
        self.body.insert(name, value);
        self
    }

    /// The reply object of the wire, as JSON text.
    pub fn text(&self) -> String {
        self.body.reply(self.code, &self.detail)
    }

    fn new(code: u16, detail: &str) -> Self {
        Self { code, detail: detail.into(), body: Members::default(), data: None }
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
    /// `{"messageCid", "value"}` as JSON text.
    pub(super) fn text(&self) -> String {
        Object::default().with("messageCid", &quoted(&self.message_cid)).with("value", &quoted(&self.value)).text()
    }
}
