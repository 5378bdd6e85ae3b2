//! MessagesQuery: the messages kept here in the order they came (but see `order`); what sync asks.

use super::{
    entries::Entries,
    grant::Claim,
    json::or_undefined,
    message::Message,
    order,
    refusal::{Fault, Refusal, Stop},
    reply::MessageReply,
    text,
    view::{EventFilter, LogEvent, PaginationCursor, View},
};
use crate::cid;
use anyhow::Context as _;
use serde_json::{Map, Value};

pub(super) fn check(message: &Message) -> Result<(), Refusal> {
    message.filters().try_for_each(text::check_uris)?;
    message.check_timestamp()
}

pub(super) fn answer(message: &Message, view: &dyn View, now: &str) -> Result<MessageReply, Stop> {
    authorize(message, message.timestamp(), view, now)?;
    let filters: Vec<_> = message.filters().flat_map(filters).collect();
    // Beyond the dialect: without a limit everything is told at once, as there.
    let limit = message.descriptor().get("limit").and_then(Value::as_f64).map(|limit| limit as usize);
    let events = view.events(&filters, message.descriptor().get("cursor").and_then(position), limit)?;
    // Without news there is no cursor: the client keeps the one it has.
    let cursor = events.last().map(|last| cursor(last).text());
    let events = order::order(events, view)?;
    let digest = |event: &LogEvent| cid::sha256_of(&event.cid).context("a message's CID is of another kind");
    let reply = MessageReply::ok().listing(Entries::cids(events.iter().map(digest).collect::<Result<_, Fault>>()?));
    Ok(match cursor {
        Some(cursor) => reply.with("cursor", cursor),
        None => reply,
    })
}

/// May somebody ask for many messages, now or from now on (MessagesQuery, MessagesSubscribe)? `at`: the time at
/// which a grant must be good; `now`: the node's clock.
pub(super) fn authorize(message: &Message, at: &str, view: &dyn View, now: &str) -> Result<(), Stop> {
    if message.author() == Some(message.tenant()) {
        return Ok(());
    }
    let Some((grant, claim)) = message.grant(view, now)? else {
        let code = format!("{}AuthorizationFailed", message.kind().name());
        return Err(Refusal::denied(&code, "message failed authorization").into());
    };
    grant.check(Claim { at, ..claim }, view)?;
    let Some(granted) = &grant.scope.protocol else { return Ok(()) };
    let asked = |filter: &Map<String, Value>| filter.get("protocol").and_then(Value::as_str).map(str::to_owned);
    let other = message.filters().map(asked).find(|asked| asked.as_ref() != Some(granted));
    // Without a filter everything is asked for. (The reference lets a grant of one protocol open that.)
    let Some(other) = other.or_else(|| message.filters().next().is_none().then_some(None)) else { return Ok(()) };
    let asked = or_undefined(other.as_deref());
    let text = format_args!("The protocol {asked} does not match the scoped protocol {granted}");
    // The interface was called Events once; the code still says so.
    Err(Refusal::denied("EventsGrantAuthorizationMismatchedProtocol", text).into())
}

/// A filter, and the permission records of the protocol it asks for: those whatever else it asks for.
fn filters(json: &Map<String, Value>) -> Vec<EventFilter> {
    let text = |json: Option<&Value>| json.and_then(Value::as_str).map(str::to_owned);
    let time = |bound| text(json.get("messageTimestamp").and_then(|times| times.get(bound)));
    let tagged = EventFilter {
        tagged: text(json.get("protocol")),
        from: time("from"),
        to: time("to"),
        ..EventFilter::default()
    };
    let own = EventFilter {
        interface: text(json.get("interface")),
        method: text(json.get("method")),
        protocol: text(json.get("protocol")),
        tagged: None,
        ..tagged.clone()
    };
    let narrower = own.interface.is_some() || own.method.is_some();
    if tagged.tagged.is_some() && narrower { vec![own, tagged] } else { vec![own] }
}

/// A position as text that sorts as the number does.
fn cursor(event: &LogEvent) -> PaginationCursor {
    PaginationCursor { message_cid: event.cid.to_string(), value: format!("{:020}", event.position) }
}

/// The position a cursor names. A cursor of another node's making (positions are private) names none: the
/// client is told everything again, which it can take, rather than miss something.
fn position(cursor: &Value) -> Option<u64> {
    let value = cursor.get("value").and_then(Value::as_str)?;
    (value.len() == 20).then(|| value.parse().ok()).flatten()
}
