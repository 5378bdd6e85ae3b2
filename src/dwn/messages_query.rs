//! MessagesQuery: the messages kept here in the order they came; what sync asks.

use super::{Cursor, Event, EventFilter, Refusal, Reply, Stop, View, message::Message, text};
use serde_json::Value;

pub(super) fn check(message: &Message) -> Result<(), Refusal> {
    let filters = message.descriptor().get("filters").and_then(Value::as_array);
    filters.into_iter().flatten().filter_map(Value::as_object).try_for_each(text::check_uris)?;
    message.check_timestamp()
}

pub(super) fn answer(message: &Message, view: &dyn View) -> Result<Reply, Stop> {
    if message.author() != Some(message.tenant()) {
        return Err(Refusal::denied("MessagesQueryAuthorizationFailed", "message failed authorization").into());
    }
    let filters = message.descriptor().get("filters").and_then(Value::as_array);
    let filters: Vec<_> = filters.into_iter().flatten().map(filter).collect();
    let events = view.events(&filters, message.descriptor().get("cursor").and_then(position), None)?;
    let entries: Vec<_> = events.iter().map(|event| Value::from(event.cid.to_string())).collect();
    let reply = Reply::ok().with("entries", entries);
    // Without news there is no cursor: the client keeps the one it has.
    Ok(match events.last() {
        Some(last) => reply.with("cursor", cursor(last).to_json()),
        None => reply,
    })
}

fn filter(json: &Value) -> EventFilter {
    let text = |json: Option<&Value>| json.and_then(Value::as_str).map(str::to_owned);
    let time = |bound| text(json.get("messageTimestamp").and_then(|times| times.get(bound)));
    EventFilter {
        interface: text(json.get("interface")),
        method: text(json.get("method")),
        protocol: text(json.get("protocol")),
        from: time("from"),
        to: time("to"),
    }
}

/// A position as text that sorts as the number does.
fn cursor(event: &Event) -> Cursor {
    Cursor { message_cid: event.cid.to_string(), value: format!("{:020}", event.position) }
}

/// The position a cursor names. A cursor of another node's making (positions are private) names none: the
/// client is told everything again, which it can take, rather than miss something.
fn position(cursor: &Value) -> Option<u64> {
    let value = cursor.get("value").and_then(Value::as_str)?;
    (value.len() == 20).then(|| value.parse().ok()).flatten()
}
