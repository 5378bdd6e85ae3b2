//! The records of the node's own tenant: `record.…`.

use super::{
    call::Call,
    failure::{Failure, Kind},
    method::{Entry, Example, Method, Need},
};
use crate::{
    dwn::{self, Message, Refusal, create},
    node,
    store::Explained,
};
use anyhow::{Context as _, Error};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::time::Instant;

pub const METHODS: &[Entry] = &[Entry::of::<Query>(), Entry::of::<Explain>()];

/// As [`refused`] tells them apart.
const REFUSALS: &[Kind] = &[Kind::NotFound];

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

    /// Through the door, as a message of the owner.
    async fn run(call: &Call, question: Question) -> Result<Page, Failure> {
        let reply = call.node.process(call.signer.did(), question.message(call)?, None).await?;
        if reply.code != 200 {
            return Err(refused(Refusal { code: reply.code, detail: reply.detail }));
        }
        Ok(serde_json::from_str(&reply.whole().await?).context("an answer of this node is not a page")?)
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
        let message = question.message(call)?;
        let (tenant, store) = (call.signer.did().to_owned(), call.node.store().clone());
        let answer = tokio::task::spawn_blocking(move || {
            let message = Message::parse(&tenant, message).map_err(refused)?;
            let select = dwn::selection(&message).map_err(refused)?;
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
}

impl Question {
    /// Signed by the owner.
    fn message(self, call: &Call) -> Result<Value, Failure> {
        let Self { mut filter, date_sort, pagination } = self;
        for name in ["protocol", "schema"] {
            let uri = filter.get(name).and_then(Value::as_str).and_then(dwn::normalize_uri);
            filter.extend(uri.map(|uri| (name.to_owned(), uri.into())));
        }
        if filter.is_empty() {
            // A filter says something; this one nothing that excludes a record.
            filter.insert("dateCreated".into(), json!({"from": "1970-01-01T00:00:00.000000Z"}));
        }
        let mut more = Map::new();
        more.extend(date_sort.map(|sort| ("dateSort".to_owned(), sort.into())));
        if !pagination.is_empty() {
            more.insert("pagination".into(), pagination.into());
        }
        create::records_query(filter.into(), more.into(), &node::now(), Some(&call.signer)).map_err(refused)
    }
}

/// Records in the order that was asked for.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Page {
    /// RecordsWrite messages, with small data as `encodedData`.
    pub entries: Vec<Value>,
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

fn refused(refusal: Refusal) -> Failure {
    let kind = match refusal.code {
        400 => Kind::Usage,
        401 => Kind::Denied,
        404 => Kind::NotFound,
        _ => Kind::Failed,
    };
    Failure::new(kind, format!("{} {}", refusal.code, refusal.detail))
}
