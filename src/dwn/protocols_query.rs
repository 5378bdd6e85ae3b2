//! ProtocolsQuery: the protocols installed here; the owner sees all, others the published ones.

use super::{
    Refusal, Reply, Stop, Stored, View,
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
    if message.author() != Some(message.tenant()) {
        protocols.retain(is_published);
    }
    protocols.sort_by_cached_key(|stored| (message::timestamp(&stored.message).to_owned(), stored.cid.to_string()));
    let entries: Vec<_> = protocols.iter().map(|stored| (*stored.message).clone()).collect();
    Ok(Reply::ok().with("entries", entries))
}

fn is_published(stored: &Stored) -> bool {
    let definition = descriptor_of(&stored.message).get("definition");
    definition.and_then(|definition| definition.get("published")) == Some(&Value::Bool(true))
}
