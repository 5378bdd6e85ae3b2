//! The way of a message through its method: it is parsed, then decided (a write) or answered (a read).

use super::{
    authorization::Authorization,
    change::{Change, Given},
    fields::descriptor_of,
    json::js_string,
    kind::Kind,
    message::Message,
    messages_query, messages_read, protocols_configure, protocols_query, records_delete, records_query, records_read,
    records_write,
    refusal::{Refusal, Stop},
    reply::MessageReply,
    schema, subscribe, text,
    view::View,
};
use serde_json::Value;

/// Deeper JSON than any honest message has; what recurses over messages may count on this bound.
const DEPTH_MAX: usize = 64;

impl Message {
    /// Everything that can be said against a message without knowing the tenant's past or anybody's keys.
    pub fn parse(tenant: &str, json: Value) -> Result<Self, Refusal> {
        if is_deeper_than(&json, DEPTH_MAX) {
            return Err(Refusal::new(400, format!("the message is nested deeper than {DEPTH_MAX} levels")));
        }
        let kind = kind_of(&json)?;
        schema::check(kind.name(), kind.shape(), &json)?;
        let descriptor = descriptor_of(&json);
        match kind {
            Kind::RecordsQuery => records_query::check_unsigned(descriptor)?,
            Kind::ProtocolsConfigure => protocols_configure::check_unsigned(descriptor)?,
            Kind::MessagesRead => messages_read::check_unsigned(descriptor)?,
            _ => {}
        }
        let mut authorization = Authorization::parse(kind, &json)?;
        authorization.as_mut().into_iter().for_each(check_grants);
        let message = Self::new(tenant, kind, json, authorization)?;
        match kind {
            Kind::RecordsWrite => records_write::check(&message)?,
            Kind::RecordsQuery => records_query::check(&message)?,
            Kind::RecordsRead => records_read::check(&message)?,
            Kind::RecordsDelete => records_delete::check(&message)?,
            Kind::RecordsSubscribe => subscribe::check_records(&message)?,
            Kind::ProtocolsQuery => protocols_query::check(&message)?,
            Kind::MessagesQuery => messages_query::check(&message)?,
            Kind::ProtocolsConfigure => protocols_configure::check(&message)?,
            Kind::MessagesRead => message.check_timestamp()?,
            Kind::MessagesSubscribe => subscribe::check_messages(&message)?,
        }
        Ok(message)
    }
}

/// Judges a verified write: what it changes, or why not. Called twice: with [`Given::Promised`] on a
/// snapshot before a byte of data is read, and with [`Given::Staged`] under the store's one writer.
/// `now`: the time as messages write it.
pub fn decide(message: &Message, given: &Given, view: &dyn View, now: &str) -> Result<Change, Stop> {
    if !message.is_replayed() {
        text::check_not_ahead(message.timestamp(), now)?;
    }
    match message.kind() {
        Kind::RecordsWrite => records_write::decide(message, given, view, now),
        Kind::RecordsDelete => records_delete::decide(message, view, now),
        Kind::ProtocolsConfigure => protocols_configure::decide(message, view, now),
        other => Err(anyhow::anyhow!("{} is a read: it is answered, not decided", other.name()).into()),
    }
}

/// Answers a verified read. The answer's entries, if it has some, are still to be written ([`MessageReply::write`]). `now`: the
/// time as messages write it.
pub fn answer(message: &Message, view: &dyn View, now: &str) -> Result<MessageReply, Stop> {
    match message.kind() {
        Kind::RecordsRead => records_read::answer(message, view, now),
        Kind::RecordsQuery => records_query::answer(message, view, now),
        Kind::ProtocolsQuery => protocols_query::answer(message, view, now),
        Kind::MessagesQuery => messages_query::answer(message, view, now),
        Kind::MessagesRead => messages_read::answer(message, view, now),
        other => Err(anyhow::anyhow!("{} is a write: it is decided, not answered", other.name()).into()),
    }
}

/// A grant that came with a message is a message of its own and must be sound as one. What it is nested in bounds the
/// recursion.
fn check_grants(authorization: &mut Authorization) {
    for delegation in authorization.delegations_mut() {
        let flaw = Message::parse("", delegation.message.clone()).err();
        delegation.flaw = flaw.map(|flaw| Refusal { code: 401, ..flaw });
    }
}

/// The kind of a message, with the SDK's words for what is missing or unknown.
fn kind_of(json: &Value) -> Result<Kind, Refusal> {
    let name = |property| json.get("descriptor").and_then(|descriptor| descriptor.get(property));
    match (name("interface"), name("method")) {
        (Some(interface), Some(method)) => {
            Kind::of(&format!("{}{}", js_string(Some(interface)), js_string(Some(method))))
        }
        (interface, method) => {
            let (interface, method) = (js_string(interface), js_string(method));
            let detail = format!("Both interface and method must be present, interface: {interface}, method: {method}");
            Err(Refusal::new(400, detail))
        }
    }
}

fn is_deeper_than(json: &Value, levels: usize) -> bool {
    let Some(levels) = levels.checked_sub(1) else { return true };
    match json {
        Value::Array(items) => items.iter().any(|item| is_deeper_than(item, levels)),
        Value::Object(map) => map.values().any(|value| is_deeper_than(value, levels)),
        _ => false,
    }
}
