//! What a message is found by.

use super::{
    IndexValue,
    filter::index_value,
    message::{descriptor_of, descriptor_text, is_method},
    records_write::{attesters, context_id, entry_id},
};
use serde_json::Value;
use std::collections::BTreeMap;

/// What a RecordsDelete is found by although only the record's initial write says it.
const INHERITED: &[&str] = &["protocol", "protocolPath", "recipient", "schema", "parentId", "dateCreated"];

/// The properties a message is indexed under. `initial` is the record's initial write, for a RecordsDelete.
/// Tags are indexed only for a `latest` state, the only one they are asked of. Whether a state is the latest
/// is no property here: it is [`super::Stored::latest`].
pub fn index_values(
    message: &Value,
    author: &str,
    initial: Option<&Value>,
    latest: bool,
) -> BTreeMap<String, Vec<IndexValue>> {
    let mut values = BTreeMap::new();
    let mut put = |name: &str, value: Option<IndexValue>| {
        if let Some(value) = value {
            values.insert(name.to_owned(), vec![value]);
        }
    };
    let text = |text: &str| Some(IndexValue::String(text.into()));
    for (name, value) in descriptor_of(message) {
        put(name, index_value(value));
    }
    put("author", text(author));
    match descriptor_text(message, "interface") {
        Some("Protocols") => {
            let definition = descriptor_of(message).get("definition");
            for name in ["protocol", "published"] {
                put(name, definition.and_then(|definition| definition.get(name)).and_then(index_value));
            }
        }
        Some("Records") if is_method(message, "Delete") => {
            for name in INHERITED {
                put(name, initial.and_then(|initial| descriptor_of(initial).get(*name)).and_then(index_value));
            }
            put("contextId", initial.and_then(context_id).and_then(text));
        }
        Some("Records") => {
            let published = descriptor_of(message).get("published") == Some(&Value::Bool(true));
            put("published", Some(IndexValue::Bool(published)));
            put("recordId", message.get("recordId").and_then(index_value));
            put("contextId", context_id(message).and_then(text));
            put("entryId", entry_id(message, author).ok().map(IndexValue::String));
            put("attester", attesters(message).into_iter().next().map(IndexValue::String));
            if latest {
                values.extend(tags(message));
            }
        }
        _ => {}
    }
    values
}

/// `tag.<name>`, once per element of a list.
fn tags(message: &Value) -> impl Iterator<Item = (String, Vec<IndexValue>)> {
    let tags = descriptor_of(message).get("tags").and_then(Value::as_object);
    tags.into_iter().flatten().map(|(name, value)| {
        let values = match value {
            Value::Array(items) => items.iter().filter_map(index_value).collect(),
            value => index_value(value).into_iter().collect(),
        };
        (format!("tag.{name}"), values)
    })
}
