//! Conditions: whether a row meets them, and which part of an index can hold such rows.

use crate::{
    dwn::{Cond, Filter, IndexValue},
    store::rows::row::Picked,
};
use std::collections::BTreeSet;

/// Do a row's values meet every condition?
pub fn matches(filter: &Filter, row: &Picked<'_>) -> bool {
    filter.iter().all(|(property, cond)| row.of(property).any(|value| cond.holds(value)))
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

/// What all strings in a range begin with: `p`, if the range is one of these.
///
/// | from | to before | what it is |
/// |---|---|---|
/// | `p` | `p` + U+FFFF | a prefix, as the SDK writes it |
/// | `p` | `p` + `/` + U+FFFF | a context and what is below it |
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
