//! Filters: a RecordsFilter, as clients write it, becomes conditions on indexed properties, and values meet them or not.

use super::view::{Cond, Direction, Filter, IndexValue, SortBy};
use serde_json::{Map, Value};
use std::{cmp::Ordering, collections::BTreeMap};

/// The conditions of a filter whose shape has been checked. `published_only`: what is asked for is sorted by
/// date of publication.
pub(super) fn conditions(filter: &Map<String, Value>, published_only: bool) -> Filter {
    let mut conditions = Filter::new();
    for (name, value) in filter {
        match (name.as_str(), value) {
            ("tags", Value::Object(tags)) => {
                conditions.extend(tags.iter().filter_map(|(tag, value)| Some((format!("tag.{tag}"), cond(value)?))));
            }
            // An empty one contains nothing: no record has it.
            ("contextId", Value::String(context)) if !context.is_empty() => {
                conditions.insert(name.clone(), within(context));
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

/// Do the indexed values of a message fit the filter?
pub(super) fn fits(filter: &Filter, values: &BTreeMap<String, Vec<IndexValue>>) -> bool {
    filter
        .iter()
        .all(|(name, cond)| values.get(name).is_some_and(|values| values.iter().any(|value| cond.holds(value))))
}

impl Cond {
    /// Does a value meet the condition? No value meets one of another type.
    pub fn holds(&self, value: &IndexValue) -> bool {
        // A text that is not in an `IndexValue` yet need not be put into one.
        if let IndexValue::String(text) = value {
            return self.holds_text(text);
        }
        match self {
            Self::Equal(wanted) => wanted == value,
            Self::OneOf(wanted) => wanted.contains(value),
            Self::Range { gt, gte, lt, lte } => in_range([gt, gte, lt, lte], |bound| match (value, bound) {
                (IndexValue::Number(value), IndexValue::Number(bound)) => value.partial_cmp(bound),
                (IndexValue::Bool(value), IndexValue::Bool(bound)) => Some(value.cmp(bound)),
                _ => None,
            }),
        }
    }

    /// Does a text meet the condition?
    pub fn holds_text(&self, text: &str) -> bool {
        let is = |wanted: &IndexValue| matches!(wanted, IndexValue::String(wanted) if wanted == text);
        match self {
            Self::Equal(wanted) => is(wanted),
            Self::OneOf(wanted) => wanted.iter().any(is),
            Self::Range { gt, gte, lt, lte } => in_range([gt, gte, lt, lte], |bound| match bound {
                IndexValue::String(bound) => Some(compare_texts(text, bound)),
                _ => None,
            }),
        }
    }
}

/// `compare`: how the value stands to a bound.
fn in_range([gt, gte, lt, lte]: [&Option<IndexValue>; 4], compare: impl Fn(&IndexValue) -> Option<Ordering>) -> bool {
    let within = |bound: &Option<IndexValue>, good: fn(Ordering) -> bool| {
        bound.as_ref().is_none_or(|bound| compare(bound).is_some_and(good))
    };
    within(gt, Ordering::is_gt)
        && within(gte, Ordering::is_ge)
        && within(lt, Ordering::is_lt)
        && within(lte, Ordering::is_le)
}

/// The order of strings in JavaScript: by UTF-16 code units.
pub fn compare_texts(a: &str, b: &str) -> Ordering {
    if a.is_ascii() && b.is_ascii() { a.cmp(b) } else { a.encode_utf16().cmp(b.encode_utf16()) }
}

/// A `dateSort` of a message.
pub(super) fn sort(date_sort: Option<&str>) -> (SortBy, Direction) {
    match date_sort {
        Some("createdDescending") => (SortBy::DateCreated, Direction::Descending),
        Some("publishedAscending") => (SortBy::DatePublished, Direction::Ascending),
        Some("publishedDescending") => (SortBy::DatePublished, Direction::Descending),
        _ => (SortBy::DateCreated, Direction::Ascending),
    }
}

/// All of these conditions.
pub(super) fn all<const N: usize>(conditions: [(&str, Cond); N]) -> Filter {
    conditions.map(|(name, cond)| (name.to_owned(), cond)).into()
}

pub(super) fn flag(value: bool) -> Cond {
    Cond::Equal(IndexValue::Bool(value))
}

pub(super) fn text(value: &str) -> Cond {
    Cond::Equal(IndexValue::String(value.into()))
}

/// U+FFFF is above every code unit that can follow the prefix.
fn begins_with(prefix: &str) -> Cond {
    between(prefix, format!("{prefix}\u{ffff}"))
}

/// A context and all below it, by whole segments. What follows a segment is a slash, and no id has a character that sorts
/// before one.
pub(super) fn within(context: &str) -> Cond {
    between(context, format!("{context}/\u{ffff}"))
}

/// Is this context the other one, or one below it?
pub(super) fn is_within(context: &str, other: &str) -> bool {
    context.strip_prefix(other).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn between(low: &str, high: String) -> Cond {
    let (gte, lt) = (Some(IndexValue::String(low.into())), Some(IndexValue::String(high)));
    Cond::Range { gt: None, gte, lt, lte: None }
}

pub(super) fn times(value: &Value) -> Cond {
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn of(filter: Value) -> Filter {
        conditions(filter.as_object().expect("an object"), false)
    }

    fn range(gte: Option<&str>, lt: Option<&str>) -> Option<Cond> {
        let bound = |text: Option<&str>| text.map(|text| IndexValue::String(text.into()));
        Some(Cond::Range { gt: None, gte: bound(gte), lt: bound(lt), lte: None })
    }

    #[test]
    fn times_are_half_open_and_updates_are_timestamps() {
        let filter = of(json!({"dateUpdated": {"from": "a", "to": "b"}, "dateCreated": {"to": "c"}}));
        assert_eq!(filter.get("messageTimestamp").cloned(), range(Some("a"), Some("b")));
        assert_eq!(filter.get("dateCreated").cloned(), range(None, Some("c")));
        assert!(!filter.contains_key("dateUpdated"));
    }

    #[test]
    fn asking_for_a_date_of_publication_asks_for_published() {
        let published = Some(Cond::Equal(IndexValue::Bool(true)));
        assert_eq!(of(json!({"datePublished": {"from": "a"}})).get("published").cloned(), published);
        assert_eq!(conditions(&Map::new(), true).get("published").cloned(), published);
    }

    #[test]
    fn contexts_are_asked_for_by_segment_and_tags_by_prefix() {
        let filter = of(json!({"contextId": "a", "tags": {"t": {"startsWith": "b"}}}));
        assert_eq!(filter.get("contextId").cloned(), range(Some("a"), Some("a/\u{ffff}")));
        let within = |context: &str| within("a").holds_text(context);
        for (context, is) in [("a", true), ("a/b", true), ("a/b/c", true), ("ab", false), ("ab/c", false), ("b", false)]
        {
            assert_eq!((within(context), is_within(context, "a")), (is, is), "{context}");
        }
        assert_eq!(filter.get("tag.t").cloned(), range(Some("b"), Some("b\u{ffff}")));
        assert_eq!(of(json!({"contextId": ""})).get("contextId"), Some(&text("")));
    }

    #[test]
    fn no_parties_are_all_parties() {
        assert_eq!(of(json!({"author": [], "recipient": []})), Filter::new());
        let one = Cond::OneOf(vec![IndexValue::String("did:a:b".into())]);
        assert_eq!(of(json!({"author": ["did:a:b"]})).get("author"), Some(&one));
    }
}
