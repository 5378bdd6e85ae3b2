//! MessagesRead: one message by its CID, with its data if that is still here.

use super::{
    Refusal, Reply, Stop, View,
    message::{self, Message},
};
use crate::cid::{self, Cid};
use serde_json::{Map, Value, json};

pub(super) fn check_unsigned(descriptor: &Map<String, Value>) -> Result<(), Refusal> {
    parse(descriptor).map(drop)
}

pub(super) fn answer(message: &Message, view: &dyn View) -> Result<Reply, Stop> {
    let cid = parse(message.descriptor())?;
    let stored = view.message(&cid)?.ok_or_else(Refusal::not_found)?;
    if message.author() != Some(message.tenant()) {
        let text = "protocol message failed authorization";
        return Err(Refusal::denied("MessagesReadAuthorizationFailed", text).into());
    }
    let entry = json!({"message": *stored.message, "messageCid": message.text("messageCid")});
    let reply = Reply::ok().with("entry", entry);
    let declared = message::declared_data(&stored.message);
    Ok(match declared {
        Some((cid, size)) if view.has_data(&stored)? => Reply { data: Some((stored, cid, size)), ..reply },
        _ => reply,
    })
}

fn parse(descriptor: &Map<String, Value>) -> Result<Cid, Refusal> {
    let text = message::shown(descriptor.get("messageCid"));
    let cid = text.parse::<Cid>().ok().filter(|cid| cid.codec() == cid::DAG_CBOR && cid::sha256_of(cid).is_some());
    cid.ok_or_else(|| Refusal::bad("MessagesReadInvalidCid", format_args!("{text} is not a valid CID")))
}
