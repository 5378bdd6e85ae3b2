//! STAND-IN for the module of branch `dwn`: what a message is indexed by.

use super::IndexValue;
use serde_json::Value;
use std::collections::BTreeMap;

/// The index values of a message: every scalar of its descriptor and what stands beside it.
pub fn index_values(
    message: &Value,
    author: &str,
    initial: Option<&Value>,
    latest: bool,
) -> BTreeMap<String, Vec<IndexValue>> {
    let mut out = BTreeMap::new();
    let initial = initial.filter(|_| message["descriptor"]["method"] == "Delete");
    for part in [initial.map(|i| &i["descriptor"]), Some(&message["descriptor"])].into_iter().flatten() {
        for (name, value) in part.as_object().into_iter().flatten() {
            if name == "tags" {
                for (tag, value) in value.as_object().into_iter().flatten().filter(|_| latest) {
                    out.insert(format!("tag.{tag}"), scalars(value));
                }
            } else {
                out.insert(name.clone(), scalars(value));
            }
        }
    }
    for name in ["recordId", "contextId"] {
        if let Some(value) = initial.unwrap_or(message).get(name) {
            out.insert(name.into(), scalars(value));
        }
    }
    out.insert("author".into(), vec![IndexValue::String(author.into())]);
    out.insert("isLatestBaseState".into(), vec![IndexValue::Bool(latest)]);
    out.entry("published".into()).or_insert_with(|| vec![IndexValue::Bool(false)]);
    out
}

fn scalars(value: &Value) -> Vec<IndexValue> {
    match value {
        Value::String(s) => vec![IndexValue::String(s.clone())],
        Value::Bool(b) => vec![IndexValue::Bool(*b)],
        Value::Number(n) => n.as_f64().map(IndexValue::Number).into_iter().collect(),
        Value::Array(items) => items.iter().flat_map(scalars).collect(),
        _ => Vec::new(),
    }
}
