//! Conditions: whether values meet them, and which part of an index can hold such values.

use crate::{
    dwn::{Cond, Filter, IndexValue},
    store::rows::row::Picked,
};
use std::{cmp::Ordering, collections::BTreeSet};

/// Do a row's values meet every condition?
pub fn matches(filter: &Filter, row: &Picked<'_>) -> bool {
    filter.iter().all(|(property, cond)| row.of(property).any(|value| meets(value, cond)))
}

/// Does a text meet a condition?
pub fn meets_text(text: &str, cond: &Cond) -> bool {
    let is = |wanted: &IndexValue| matches!(wanted, IndexValue::String(s) if s == text);
    let within = |bound: &Option<IndexValue>, good: fn(Ordering) -> bool| match bound {
        None => true,
        Some(IndexValue::String(bound)) => good(compare_strings(text, bound)),
        Some(_) => false,
    };
    match cond {
        Cond::Equal(wanted) => is(wanted),
        Cond::OneOf(wanted) => wanted.iter().any(is),
        Cond::Range { gt, gte, lt, lte } => {
            within(gt, Ordering::is_gt)
                && within(gte, Ordering::is_ge)
                && within(lt, Ordering::is_lt)
                && within(lte, Ordering::is_le)
        }
    }
}

fn meets(value: &IndexValue, cond: &Cond) -> bool {
    if let IndexValue::String(text) = value {
        return meets_text(text, cond);
    }
    let within = |bound: &Option<IndexValue>, good: &[Ordering]| {
        bound.as_ref().is_none_or(|bound| compare(value, bound).is_some_and(|found| good.contains(&found)))
    };
    match cond {
        Cond::Equal(wanted) => value == wanted,
        Cond::OneOf(wanted) => wanted.contains(value),
        Cond::Range { gt, gte, lt, lte } => {
            within(gt, &[Ordering::Greater])
                && within(gte, &[Ordering::Greater, Ordering::Equal])
                && within(lt, &[Ordering::Less])
                && within(lte, &[Ordering::Less, Ordering::Equal])
        }
    }
}

/// Order of two values of one type that are no strings.
fn compare(a: &IndexValue, b: &IndexValue) -> Option<Ordering> {
    match (a, b) {
        (IndexValue::Number(a), IndexValue::Number(b)) => a.partial_cmp(b),
        (IndexValue::Bool(a), IndexValue::Bool(b)) => Some(a.cmp(b)),
        _ => None,
    }
}

/// As JavaScript orders strings.
pub fn compare_strings(a: &str, b: &str) -> Ordering {
    if a.is_ascii() && b.is_ascii() { a.cmp(b) } else { a.encode_utf16().cmp(b.encode_utf16()) }
}

/// The strings that a condition names.
pub fn strings(cond: &Cond) -> Option<Vec<String>> {
    let values = match cond {
        Cond::Equal(value) => std::slice::from_ref(value),
        Cond::OneOf(values) => values,
        Cond::Range { .. } => return None,
    };
    let strings: BTreeSet<String> = values
        .iter()
        .filter_map(|value| match value {
            IndexValue::String(s) => Some(s.clone()),
            _ => None,
        })
        .collect();
    Some(strings.into_iter().collect())
}

/// The beginning of all strings in a range, if that is from `p` to before `p` + U+FFFF (as the SDK writes prefixes) or to
/// before `p` + `/` + U+FFFF (a context and what is below it).
pub fn prefix(cond: &Cond) -> Option<&str> {
    match cond {
        Cond::Range { gt: None, gte: Some(IndexValue::String(low)), lt: Some(IndexValue::String(high)), lte: None } => {
            let above = high.strip_suffix('\u{FFFF}')?;
            (above == low || above.strip_suffix('/') == Some(low)).then_some(low)
        }
        _ => None,
    }
}

/// Encoded bounds that hold every string that meets the condition, both inclusive; the upper one stands for all
/// keys that begin with it.
pub fn text_bounds(cond: &Cond, encode: impl Fn(&str) -> Vec<u8>) -> (Option<Vec<u8>>, Option<Vec<u8>>) {
    let encoded = |value: &IndexValue| match value {
        IndexValue::String(s) => Some(encode(s)),
        _ => None,
    };
    match cond {
        Cond::Equal(value) => (encoded(value), encoded(value)),
        Cond::OneOf(_) => (None, None),
        Cond::Range { gt, gte, lt, lte } => {
            (gte.as_ref().or(gt.as_ref()).and_then(encoded), lte.as_ref().or(lt.as_ref()).and_then(encoded))
        }
    }
}
