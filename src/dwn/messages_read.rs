//! MessagesRead: one message by its CID, with its data if that is still here.

use super::{
    fields,
    json::{Object, js_string, quoted},
    message::Message,
    permissions,
    refusal::{Refusal, Stop},
    reply::MessageReply,
    view::{INLINE_MAX, Stored, View},
};
use crate::cid::{self, Cid};
use serde_json::{Map, Value};

pub(super) fn check_unsigned(descriptor: &Map<String, Value>) -> Result<(), Refusal> {
    parse(descriptor).map(drop)
}

pub(super) fn answer(message: &Message, view: &dyn View, now: &str) -> Result<MessageReply, Stop> {
    let cid = parse(message.descriptor())?;
    let stored = view.message(&cid)?.ok_or_else(Refusal::not_found)?;
    authorize(message, &stored, view, now)?;
    let entry = Object::default()
        .with("message", stored.message.text())
        .with("messageCid", &quoted(message.text("messageCid").unwrap_or_default()));
    let reply = MessageReply::ok().with("entry", entry.text());
    Ok(MessageReply { data: data(stored, view)?, ..reply })
}

fn authorize(message: &Message, stored: &Stored, view: &dyn View, now: &str) -> Result<(), Stop> {
    if message.author() == Some(message.tenant()) {
        return Ok(());
    }
    let Some((grant, claim)) = message.grant(view, now)? else {
        let text = "protocol message failed authorization";
        return Err(Refusal::denied("MessagesReadAuthorizationFailed", text).into());
    };
    grant.check(claim, view)?;
    let Some(granted) = grant.scope.protocol else { return Ok(()) };
    if protocols_of(stored, view)?.contains(&granted) {
        return Ok(());
    }
    Err(Refusal::denied("MessagesReadVerifyScopeFailed", "record message failed scope authorization").into())
}

/// The protocol a message belongs to, and, for a permission record, the one that the permission is about.
fn protocols_of(stored: &Stored, view: &dyn View) -> Result<Vec<String>, Stop> {
    let json = &stored.message;
    if fields::descriptor_text(json, "interface") == Some("Protocols") {
        let definition = fields::descriptor_of(json).get("definition");
        let protocol = definition.and_then(|definition| definition.get("protocol")).and_then(Value::as_str);
        return Ok(protocol.map(str::to_owned).into_iter().collect());
    }
    // A delete says only which record it ended; its initial write says the rest.
    let write = match fields::record_id(json) {
        Some(id) if fields::is_method(json, "Delete") => view.record(id)?.map(|record| record.initial),
        _ => Some(stored.clone()),
    };
    let Some(write) = write else { return Ok(Vec::new()) };
    let own = fields::descriptor_text(&write.message, "protocol").map(str::to_owned);
    let data = view.inline_data(&write)?;
    let about = permissions::scoped_protocol(&write.message, data.as_deref(), view)?;
    Ok(own.into_iter().chain(about).collect())
}

/// The data a kept write refers to. What is too large to be kept beside a message is kept once for its record,
/// so an initial write finds it for as long as the newest state refers to the same.
fn data(stored: Stored, view: &dyn View) -> Result<Option<(Stored, Cid, u64)>, Stop> {
    let Some((cid, size)) = fields::declared_data(&stored.message) else { return Ok(None) };
    if view.has_data(&stored)? {
        return Ok(Some((stored, cid, size)));
    }
    let record = fields::record_id(&stored.message).map(|id| view.record(id)).transpose()?.flatten();
    let newest = record
        .map(|record| record.newest)
        .filter(|newest| size > INLINE_MAX && fields::declared_data(&newest.message) == Some((cid, size)));
    match newest {
        Some(newest) if view.has_data(&newest)? => Ok(Some((newest, cid, size))),
        _ => Ok(None),
    }
}

fn parse(descriptor: &Map<String, Value>) -> Result<Cid, Refusal> {
    let text = js_string(descriptor.get("messageCid"));
    let cid = text.parse::<Cid>().ok().filter(|cid| cid.codec() == cid::DAG_CBOR && cid::sha256_of(cid).is_some());
    cid.ok_or_else(|| Refusal::bad("MessagesReadInvalidCid", format_args!("{text} is not a valid CID")))
}
