//! Which records are wanted.

use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// Between these; at most one bound on each side.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Range<T> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gt: Option<T>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gte: Option<T>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lt: Option<T>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lte: Option<T>,
}

impl<T> Default for Range<T> {
    fn default() -> Self {
        Self { gt: None, gte: None, lt: None, lte: None }
    }
}

/// From the one on, and before the other: texts as `2026-11-21T09:00:00.000000Z`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Times {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
}

/// Of a tag that is a text, or a list of them.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum TextFilter {
    Is(String),
    StartsWith {
        #[serde(rename = "startsWith")]
        prefix: String,
    },
    Within(Range<String>),
}

/// Of a tag that is a number, or a list of them.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum NumberFilter<T> {
    Is(T),
    Within(Range<T>),
}

/// Of a tag of which the protocol says no type.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum AnyFilter {
    Flag(bool),
    Number(NumberFilter<f64>),
    Text(TextFilter),
}

/// Of tags that have any names.
pub type AnyTagFilter = BTreeMap<String, AnyFilter>;

impl From<&str> for TextFilter {
    fn from(text: &str) -> Self {
        Self::Is(text.to_owned())
    }
}

/// In which order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Sort {
    CreatedAscending,
    CreatedDescending,
    PublishedAscending,
    PublishedDescending,
}

/// Which records, in which order, and how many. Without anything: all there are.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase", bound(serialize = "F: Serialize"))]
pub struct Query<F> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tags: Option<F>,
    /// contextId of a record that they stand below.
    #[serde(rename = "contextId", skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// One of these DIDs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub author: Vec<String>,
    /// One of these DIDs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub recipient: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub published: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data_format: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub date_created: Option<Times>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub date_updated: Option<Times>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub date_published: Option<Times>,
    #[serde(skip)]
    pub sort: Option<Sort>,
    /// Records of a page.
    #[serde(skip)]
    pub limit: Option<u32>,
    /// Of the page before.
    #[serde(skip)]
    pub cursor: Option<Value>,
}

impl<F> Default for Query<F> {
    fn default() -> Self {
        Self {
            tags: None,
            parent: None,
            author: Vec::new(),
            recipient: Vec::new(),
            published: None,
            data_format: None,
            date_created: None,
            date_updated: None,
            date_published: None,
            sort: None,
            limit: None,
            cursor: None,
        }
    }
}

impl<F> Query<F> {
    /// Those with these tags.
    pub fn tagged(tags: F) -> Self {
        Self { tags: Some(tags), ..Self::default() }
    }

    /// Those below this record.
    pub fn below(parent: impl Into<String>) -> Self {
        Self { parent: Some(parent.into()), ..Self::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_query_is_a_filter_as_the_rpc_takes_it() {
        let within = Range { gte: Some(1.0), ..Range::default() };
        let tags = AnyTagFilter::from([
            ("a".into(), AnyFilter::Text("x".into())),
            ("b".into(), AnyFilter::Number(NumberFilter::Within(within))),
            ("c".into(), AnyFilter::Text(TextFilter::StartsWith { prefix: "y".into() })),
            ("d".into(), AnyFilter::Flag(true)),
        ]);
        let query =
            Query { limit: Some(1), author: vec!["did:a".into()], parent: Some("p".into()), ..Query::tagged(tags) };
        let filter = serde_json::to_value(query).expect("JSON");
        let tags = json!({"a": "x", "b": {"gte": 1.0}, "c": {"startsWith": "y"}, "d": true});
        assert_eq!(filter, json!({"tags": tags, "author": ["did:a"], "contextId": "p"}));
        assert_eq!(json!(Sort::CreatedDescending), "createdDescending");
    }
}
