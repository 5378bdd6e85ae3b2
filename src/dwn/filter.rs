//! RecordsFilter, as clients write it, into conditions on indexed properties.

use super::{Cond, Filter, IndexValue};
use serde_json::{Map, Value};

/// The conditions of a filter whose shape has been checked. `published_only`: what is asked for is sorted by
/// date of publication.
pub(super) fn conditions(filter: &Map<String, Value>, published_only: bool) -> Filter {
    let mut conditions = Filter::new();
    for (name, value) in filter {
        match (name.as_str(), value) {
            ("tags", Value::Object(tags)) => {
                conditions.extend(tags.iter().filter_map(|(tag, value)| Some((format!("tag.{tag}"), cond(value)?))));
            }
            ("contextId", Value::String(prefix)) => {
                conditions.insert(name.clone(), begins_with(prefix));
            }
            ("dateUpdated", value) => {
                conditions.insert("messageTimestamp".into(), times(value));
            }
            ("dateCreated" | "datePublished", value) => {
                conditions.insert(name.clone(), times(value));
            }
            // An empty list of parties asks for anybody, not for nobody.
            ("author" | "recipient", Value::Array(dids)) if dids.is_empty() => {}
            (_, value) => conditions.extend(cond(value).map(|cond| (name.clone(), cond))),
        }
    }
    if published_only || filter.contains_key("datePublished") {
        conditions.insert("published".into(), Cond::Equal(IndexValue::Bool(true)));
    }
    conditions
}

pub(super) fn text(value: &str) -> Cond {
    Cond::Equal(IndexValue::String(value.into()))
}

/// U+FFFF is above every code unit that can follow the prefix; contexts are not compared by segment.
fn begins_with(prefix: &str) -> Cond {
    Cond::Range {
        gt: None,
        gte: Some(IndexValue::String(prefix.into())),
        lt: Some(IndexValue::String(format!("{prefix}\u{ffff}"))),
        lte: None,
    }
}

fn times(value: &Value) -> Cond {
    Cond::Range { gt: None, gte: bound(value, "from"), lt: bound(value, "to"), lte: None }
}

fn cond(value: &Value) -> Option<Cond> {
    Some(match value {
        Value::Array(values) => Cond::OneOf(values.iter().filter_map(index_value).collect()),
        Value::Object(map) => match map.get("startsWith").and_then(Value::as_str) {
            Some(prefix) => begins_with(prefix),
            None => Cond::Range {
                gt: bound(value, "gt"),
                gte: bound(value, "gte"),
                lt: bound(value, "lt"),
                lte: bound(value, "lte"),
            },
        },
        value => Cond::Equal(index_value(value)?),
    })
}

fn bound(value: &Value, name: &str) -> Option<IndexValue> {
    value.get(name).and_then(index_value)
}

/// Text, number or flag; anything else cannot be indexed.
pub(super) fn index_value(value: &Value) -> Option<IndexValue> {
    match value {
        Value::String(text) => Some(IndexValue::String(text.clone())),
        Value::Number(number) => number.as_f64().map(IndexValue::Number),
        Value::Bool(flag) => Some(IndexValue::Bool(*flag)),
        _ => None,
    }
}
