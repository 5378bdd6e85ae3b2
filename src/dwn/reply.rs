//! What a read is answered with: a status and members beside it.

use super::{
    change::Change,
    entries::Entries,
    json::{Object, quoted},
    refusal::{Fault, Refusal},
    view::{PaginationCursor, Stored, View},
};
use crate::cid::Cid;
use serde_json::Value;

const ENTRIES: &str = "entries";
const BEGIN: &str = "[";
const END: &str = "]";

/// An answer: status, the members beside it (`entry`, `entries`, `cursor`), and whose data follows.
#[derive(Debug, Clone)]
pub struct MessageReply {
    pub code: u16,
    pub detail: String,
    pub body: Members,
    /// Of the member `entries`, what is not written yet.
    pub rest: Option<Entries>,
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

    /// Bytes of text.
    pub fn size(&self) -> usize {
        self.0.iter().map(|(_, text)| text.len()).sum()
    }

    /// The reply object of the wire: `{"status": {"code", "detail"}, …}`, as the reference writes it.
    pub fn reply(&self, code: u16, detail: &str) -> String {
        self.0.iter().fold(status(code, detail), |reply, (name, text)| reply.with(name, text)).text()
    }

    /// The reply object before and after the entries that are still to be written.
    pub fn around(&self, code: u16, detail: &str) -> (String, String) {
        let entries = self.0.iter().position(|(name, _)| *name == ENTRIES).map_or(self.0.len(), |at| at + 1);
        let (before, after) = self.0.split_at(entries);
        let before = before.iter().fold(status(code, detail), |reply, (name, text)| reply.with(name, text));
        let after = after.iter().map(|(name, text)| format!(",\"{name}\":{text}"));
        (before.open(), after.fold(END.to_owned(), |all, member| all + &member) + "}")
    }
}

fn status(code: u16, detail: &str) -> Object {
    let status = Object::default().with("code", &code.to_string()).with("detail", &quoted(detail)).text();
    Object::default().with("status", &status)
}

impl MessageReply {
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

    /// With entries that are still to be written.
    pub(super) fn listing(mut self, entries: Entries) -> Self {
        self.body.insert(ENTRIES, BEGIN.into());
        self.rest = Some(entries);
        self
    }

    /// Writes entries until they have `most` bytes.
    pub fn write(&mut self, most: usize, view: &dyn View) -> Result<(), Fault> {
        let text = self.body.0.iter_mut().find(|(name, _)| *name == ENTRIES);
        let (Some(rest), Some((_, text))) = (&mut self.rest, text) else { return Ok(()) };
        if rest.write(text, most, view)? {
            text.push_str(END);
            self.rest = None;
        }
        Ok(())
    }

    /// The reply object of the wire, as JSON text. All entries are written.
    pub fn text(&self) -> String {
        self.body.reply(self.code, &self.detail)
    }

    fn new(code: u16, detail: &str) -> Self {
        Self { code, detail: detail.into(), body: Members::default(), rest: None, data: None }
    }
}

impl From<Refusal> for MessageReply {
    fn from(refusal: Refusal) -> Self {
        Self::new(refusal.code, &refusal.detail)
    }
}

impl From<&Change> for MessageReply {
    fn from(change: &Change) -> Self {
        Self::new(change.status, if change.status == 204 { "No Content" } else { "Accepted" })
    }
}

impl PaginationCursor {
    /// `{"messageCid", "value"}` as JSON text.
    pub(super) fn text(&self) -> String {
        Object::default().with("messageCid", &quoted(&self.message_cid)).with("value", &quoted(&self.value)).text()
    }
}
