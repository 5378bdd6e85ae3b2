//! Looking for records: `records.query`, `records.count`, `records.explain`.

use super::{
    actor::{About, Actor, readable},
    call::Call,
    failure::{Failure, Kind},
    method::{Entry, Example, Method, Need},
    refusals::{REFUSALS, refused},
};
use crate::{
    crypto::Signer,
    dwn::{self, Message, Refusal, Select, create},
    node,
    store::Explained,
};
use anyhow::{Context as _, Error};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json, value::RawValue};
use std::time::Instant;

pub const METHODS: &[Entry] = &[Entry::of::<Query>(), Entry::of::<Count>(), Entry::of::<Explain>()];

/// Records that are counted at a time.
const PAGE: usize = 100_000;

#[derive(Debug)]
pub struct Query;

impl Method for Query {
    const NAME: &'static str = "records.query";
    const SUMMARY: &'static str = "Look for records: the newest state of each that meets a filter.";
    const SCOPE: Need = Need::ReadRecords;
    const ERRORS: &'static [Kind] = REFUSALS;
    const EXAMPLES: &'static [Example] = &[Example {
        name: "the newest",
        params: r#"{"filter": {"dataFormat": "text/plain"}, "dateSort": "createdDescending", "pagination": {"limit": 1}}"#,
        result: r#"{"entries": [{"recordId": "$record", "descriptor": {"interface": "Records", "method": "Write", "dataFormat": "text/plain", "dataCid": "$data", "dataSize": 5}, "encodedData": "aGVsbG8"}], "cursor": null}"#,
    }];
    type Params = Question;
    type Result = Page;

    async fn run(call: &Call, question: Question) -> Result<Page, Failure> {
        let text = Self::text(call, question).await?;
        Ok(serde_json::from_str(&text).context("an answer of this node is not a page")?)
    }

    /// Through the door, as a message of the owner. The door's text is the result's, but for its status.
    async fn text(call: &Call, question: Question) -> Result<String, Failure> {
        let actor = Actor::within(call, question.from.as_deref(), question.tenant.as_deref())?;
        let filter = complete(question.filter.clone());
        readable(call, filter.get("protocol").and_then(Value::as_str))?;
        let invoked = (question.protocol_role.as_deref(), None);
        let right = actor.right(&call.node, "Query", About::asked(&filter), invoked).await?;
        let message = right.invoking(question.message(filter, &actor.signer))?;
        let reply = right.accepted(call.node.process(&actor.tenant, message, None).await?)?;
        Ok(page(&reply.whole().await?))
    }
}

/// The page in a reply of RecordsQuery.
fn page(reply: &str) -> String {
    let page = reply.strip_prefix(r#"{"status":{"code":200,"detail":"OK"},"#).unwrap_or(reply);
    match page.strip_suffix("]}") {
        Some(entries) => ["{", entries, r#"],"cursor":null}"#].concat(),
        None => ["{", page].concat(),
    }
}

#[derive(Debug)]
pub struct Count;

impl Method for Count {
    const NAME: &'static str = "records.count";
    const SUMMARY: &'static str = "Count the records that meet a filter.";
    const SCOPE: Need = Need::ReadRecords;
    const ERRORS: &'static [Kind] = REFUSALS;
    const EXAMPLES: &'static [Example] = &[Example {
        name: "a format",
        params: r#"{"filter": {"dataFormat": "text/plain"}}"#,
        result: r#"{"count": 1}"#,
    }];
    type Params = Counting;
    type Result = Counted;

    /// Asks the store alone, and reads no record.
    async fn run(call: &Call, Counting { filter, from }: Counting) -> Result<Counted, Failure> {
        let question = Question { filter, from, ..Question::default() };
        let (tenant, mut select) = question.select(call)?;
        let (store, stop) = (call.node.store().clone(), call.stop.clone());
        let counted = tokio::task::spawn_blocking(move || {
            let (view, mut count) = (store.view(&tenant), 0);
            select.limit = Some(PAGE);
            loop {
                let hits = view.hits(&select)?;
                count += hits.positions.len() as u64;
                select.after = hits.cursor;
                if select.after.is_none() || stop.is_cancelled() {
                    return Ok(Counted { count });
                }
            }
        });
        counted.await.map_err(Error::new)?
    }
}

#[derive(Debug)]
pub struct Explain;

impl Method for Explain {
    const NAME: &'static str = "records.explain";
    const SUMMARY: &'static str = "Say how the store would answer a query: what it would look at, and did.";
    const SCOPE: Need = Need::ReadRecords;
    const ERRORS: &'static [Kind] = REFUSALS;
    const EXAMPLES: &'static [Example] = &[Example {
        name: "a format",
        params: r#"{"filter": {"dataFormat": "text/plain"}}"#,
        result: r#"{"order": "dateCreated ascending", "filters": [], "scanned": 1, "unused": 0, "returned": 1, "more": false, "microseconds": 40}"#,
    }];
    type Params = Question;
    type Result = Explanation;

    /// Asks the store alone.
    async fn run(call: &Call, question: Question) -> Result<Explanation, Failure> {
        let (tenant, select) = question.select(call)?;
        let store = call.node.store().clone();
        let answer = tokio::task::spawn_blocking(move || {
            let start = Instant::now();
            let explained = store.explain(&tenant, &select)?;
            Ok(Explanation { explained, microseconds: start.elapsed().as_micros() as u64 })
        });
        answer.await.map_err(Error::new)?
    }
}

/// A question for records, as RecordsQuery writes it.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Question {
    /// RecordsFilter. Empty: every record.
    pub filter: Map<String, Value>,
    /// `createdAscending`, `createdDescending`, `publishedAscending`, `publishedDescending`.
    #[serde(rename = "dateSort", skip_serializing_if = "Option::is_none")]
    pub date_sort: Option<String>,
    /// `limit`, `cursor`.
    pub pagination: Map<String, Value>,
    /// Path of a role that the asker invokes.
    #[serde(rename = "protocolRole", skip_serializing_if = "Option::is_none")]
    pub protocol_role: Option<String>,
    /// Which of the node's identities asks; its own if none is named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// DID of whose records it is about; the asker's if none is named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
}

impl Question {
    /// With this filter, signed.
    fn message(self, filter: Map<String, Value>, signer: &Signer) -> Result<Value, Refusal> {
        let mut more = Map::new();
        more.extend(self.date_sort.map(|sort| ("dateSort".to_owned(), sort.into())));
        if !self.pagination.is_empty() {
            more.insert("pagination".into(), self.pagination.into());
        }
        create::records_query(filter.into(), more.into(), &node::now(), Some(signer))
    }

    /// What it asks of the store. Of others' records only what the door answers is told.
    fn select(self, call: &Call) -> Result<(String, Select), Failure> {
        let Actor { signer, tenant, .. } = Actor::of(call, self.from.as_deref())?;
        if self.tenant.as_ref().is_some_and(|asked| *asked != tenant) {
            return Err(Failure::new(Kind::Usage, "only the asker's own records are counted and explained"));
        }
        let filter = complete(self.filter.clone());
        readable(call, filter.get("protocol").and_then(Value::as_str))?;
        let message = self.message(filter, &signer).and_then(|message| Message::parse(&tenant, message));
        let select = dwn::selection(&message.map_err(refused)?).map_err(refused)?;
        Ok((tenant, select))
    }
}

/// A filter as messages write it.
pub(super) fn complete(mut filter: Map<String, Value>) -> Map<String, Value> {
    for name in ["protocol", "schema"] {
        let uri = filter.get(name).and_then(Value::as_str).and_then(dwn::normalize_uri);
        filter.extend(uri.map(|uri| (name.to_owned(), uri.into())));
    }
    if filter.is_empty() {
        // A filter says something; this one nothing that excludes a record.
        filter.insert("dateCreated".into(), json!({"from": "1970-01-01T00:00:00.000000Z"}));
    }
    filter
}

/// What is to be counted.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Counting {
    /// RecordsFilter. Empty: every record.
    pub filter: Map<String, Value>,
    /// Whose records: one of the node's identities; its own if none is named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize, JsonSchema)]
pub struct Counted {
    pub count: u64,
}

/// Records in the order that was asked for.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Page {
    /// RecordsWrite messages, with small data as `encodedData`. They go out as the text that they are.
    #[schemars(with = "Vec<Value>")]
    pub entries: Vec<Box<RawValue>>,
    /// Where the next page goes on, if there is one: what `pagination.cursor` takes.
    #[serde(default)]
    pub cursor: Option<Value>,
}

/// How a question was answered.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Explanation {
    #[serde(flatten)]
    pub explained: Explained,
    /// What finding the rows took; reading the messages is not part of it.
    pub microseconds: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_what_the_door_wrote() {
        let ok = r#"{"status":{"code":200,"detail":"OK"},"entries":["#;
        assert_eq!(page(&format!("{ok}]}}")), r#"{"entries":[],"cursor":null}"#);
        let more = format!(r#"{ok}{{"a":[1]}}],"cursor":{{"messageCid":"c"}}}}"#);
        assert_eq!(page(&more), r#"{"entries":[{"a":[1]}],"cursor":{"messageCid":"c"}}"#);
    }
}
