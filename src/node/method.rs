//! What a message asks for, read before it is checked. It decides only the name the message is counted under and the thread it
//! is judged on.

use crate::dwn::Kind;
use serde_json::Value;

/// Most entries of an answer that is still short.
const SHORT_PAGE: f64 = 100.0;

/// Interface and method of a message that may be anything, as a label from a closed set.
pub(super) fn name(message: &Value) -> &'static str {
    Kind::of_json(message).map_or("unknown", Kind::name)
}

/// Is it answered rather than decided?
pub(super) fn is_read(message: &Value) -> bool {
    let method = message.pointer("/descriptor/method").and_then(Value::as_str);
    matches!(method, Some("Read" | "Query"))
}

/// Is a message judged from a few rows? One that may look through many rows, or builds a long answer, is not.
pub(super) fn is_short(message: &Value) -> bool {
    let asked = |name: &str| message.pointer(&format!("/descriptor/{name}"));
    match Kind::of_json(message) {
        Some(Kind::RecordsRead | Kind::RecordsWrite | Kind::MessagesRead) => true,
        Some(Kind::RecordsQuery) => {
            asked("pagination/limit").and_then(Value::as_f64).is_some_and(|limit| limit <= SHORT_PAGE)
        }
        Some(Kind::MessagesQuery) => asked("cursor").is_some(),
        _ => false,
    }
}
