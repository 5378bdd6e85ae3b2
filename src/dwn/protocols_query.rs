//! ProtocolsQuery: the protocols installed here; the owner sees all, others the published ones.

use super::{
    entries::Entries,
    fields::{self, descriptor_of},
    json::{js_string, list},
    message::Message,
    refusal::{Fault, Refusal, Stop},
    reply::MessageReply,
    text,
    view::{Stored, View},
};
use serde_json::Value;
use std::ops::ControlFlow;

pub(super) fn check(message: &Message) -> Result<(), Refusal> {
    if let Some(filter) = message.filter() {
        text::check_protocol_uri(&js_string(filter.get("protocol")))?;
    }
    message.check_timestamp()
}

pub(super) fn answer(message: &Message, view: &dyn View, now: &str) -> Result<MessageReply, Stop> {
    let sees_all = sees_all(message, view, now)?;
    let shows = |stored: &Stored| sees_all || is_published(stored);
    let Some(filter) = message.filter() else {
        return Ok(MessageReply::ok().listing(Entries::messages(in_order(view, shows)?)));
    };
    let found = match filter.contains_key("recipient") {
        // A ProtocolsConfigure has no recipient, so nothing matches one.
        true => None,
        false => view.protocol(&js_string(filter.get("protocol")))?.filter(shows),
    };
    Ok(MessageReply::ok().with("entries", list(found.iter().map(|stored| stored.message.text()))))
}

/// Where those lie that are shown, the oldest first. One is looked at after the other: together they may be large.
fn in_order(view: &dyn View, shows: impl Fn(&Stored) -> bool) -> Result<Vec<u64>, Fault> {
    let positions = view.protocols()?;
    let (mut at, mut found) = (positions.iter(), Vec::new());
    view.each(&positions, &mut |stored| {
        let position = at.next().copied().unwrap_or_default();
        if let Some(stored) = stored.filter(&shows) {
            found.push((fields::timestamp(&stored.message).to_owned(), stored.cid.to_string(), position));
        }
        Ok(ControlFlow::Continue(()))
    })?;
    found.sort();
    Ok(found.into_iter().map(|(.., position)| position).collect())
}

/// The owner sees all, and whom they have granted it; who has no right, or one for another protocol, sees what
/// everybody sees. A grant that is no good is refused.
fn sees_all(message: &Message, view: &dyn View, now: &str) -> Result<bool, Stop> {
    const OTHER: &str = "ProtocolsGrantAuthorizationQueryProtocolScopeMismatch";
    if message.author() == Some(message.tenant()) {
        return Ok(true);
    }
    let Some((grant, claim)) = message.grant(view, now)? else { return Ok(false) };
    match grant.authorize_protocol(claim, message.asked("protocol"), (OTHER, "message"), view) {
        Ok(()) => Ok(true),
        Err(Stop::Refusal(refusal)) if refusal.detail.starts_with(OTHER) => Ok(false),
        Err(stop) => Err(stop),
    }
}

fn is_published(stored: &Stored) -> bool {
    let definition = descriptor_of(&stored.message).get("definition");
    definition.and_then(|definition| definition.get("published")) == Some(&Value::Bool(true))
}
