//! ProtocolsQuery: the protocols installed here; the owner sees all, others the published ones.

use super::{
    Refusal, Reply, Stop, Stored, View,
    json::list,
    message::{self, Message, descriptor_of},
    text,
};
use serde_json::Value;

pub(super) fn check(message: &Message) -> Result<(), Refusal> {
    if let Some(filter) = message.filter() {
        text::check_protocol_uri(&message::shown(filter.get("protocol")))?;
    }
    message.check_timestamp()
}

pub(super) fn answer(message: &Message, view: &dyn View) -> Result<Reply, Stop> {
    let mut protocols = match message.filter() {
        // A ProtocolsConfigure has no recipient, so nothing matches one.
        Some(filter) if filter.contains_key("recipient") => Vec::new(),
        Some(filter) => view.protocol(&message::shown(filter.get("protocol")))?.into_iter().collect(),
        None => view.protocols()?,
    };
    if !sees_all(message, view)? {
        protocols.retain(is_published);
    }
    protocols.sort_by_cached_key(|stored| (message::timestamp(&stored.message).to_owned(), stored.cid.to_string()));
    Ok(Reply::ok().with("entries", list(protocols.iter().map(|stored| stored.message.text()))))
}

/// The owner sees all, and whom they have granted it; who has no right, or one for another protocol, sees what
/// everybody sees. A grant that is no good is refused.
fn sees_all(message: &Message, view: &dyn View) -> Result<bool, Stop> {
    const OTHER: &str = "ProtocolsGrantAuthorizationQueryProtocolScopeMismatch";
    if message.author() == Some(message.tenant()) {
        return Ok(true);
    }
    let Some((grant, claim)) = message.grant(view)? else { return Ok(false) };
    let asked = message.filter().and_then(|filter| filter.get("protocol")).and_then(Value::as_str);
    match grant.authorize_protocol(claim, asked, (OTHER, "message"), view) {
        Ok(()) => Ok(true),
        Err(Stop::Refusal(refusal)) if refusal.detail.starts_with(OTHER) => Ok(false),
        Err(stop) => Err(stop),
    }
}

fn is_published(stored: &Stored) -> bool {
    let definition = descriptor_of(&stored.message).get("definition");
    definition.and_then(|definition| definition.get("published")) == Some(&Value::Bool(true))
}
