//! ProtocolsConfigure: installs a protocol, or a newer definition of it.

use super::{
    Change, Refusal, Stop, Subject, View,
    definition::Definition,
    message::{self, Message},
};
use serde_json::{Map, Value};

/// The definition is judged before the signature is looked at.
pub(super) fn check_unsigned(descriptor: &Map<String, Value>) -> Result<(), Refusal> {
    definition(descriptor)?.check()
}

pub(super) fn check(message: &Message) -> Result<(), Refusal> {
    message.check_timestamp()?;
    definition(message.descriptor())?.refuse_what_comes_later()
}

fn definition(descriptor: &Map<String, Value>) -> Result<Definition, Refusal> {
    let definition = descriptor.get("definition").and_then(Definition::parse);
    definition.ok_or_else(|| Refusal::new(400, "the protocol definition cannot be read"))
}

pub(super) fn decide(message: &Message, view: &dyn View) -> Result<Change, Stop> {
    if message.author() != Some(message.tenant()) {
        let text = "message failed authorization";
        return Err(Refusal::denied("ProtocolsConfigureAuthorizationFailed", text).into());
    }
    let uri = message.descriptor().get("definition").and_then(|d| d.get("protocol")).and_then(Value::as_str);
    let uri = uri.unwrap_or_default();
    let mut change = Change::of(message, Subject::Protocol(uri.into()))?;
    if let Some(before) = view.protocol(uri)? {
        if !message::is_newer((message.json(), message.cid()), (&before.message, &before.cid)) {
            return Err(Refusal::conflict().into());
        }
        change.removes.push(before.cid);
    }
    Ok(change)
}
