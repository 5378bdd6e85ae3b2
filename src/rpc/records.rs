//! The part of the control RPC that is about the records of this node's own tenant: `record.…`.

use super::control::{Control, Failure, Kind, parse, unknown, value};
use crate::{
    dwn::{self, Message, Refusal, create},
    node,
    store::Explained,
};
use anyhow::{Context as _, Error};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::time::Instant;

/// A question for records, as RecordsQuery writes it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Query {
    /// RecordsFilter. Empty: every record.
    pub filter: Map<String, Value>,
    /// `createdAscending`, `createdDescending`, `publishedAscending`, `publishedDescending`.
    #[serde(rename = "dateSort", skip_serializing_if = "Option::is_none")]
    pub date_sort: Option<String>,
    /// `limit`, `cursor`.
    pub pagination: Map<String, Value>,
}

/// How a question was answered.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Explanation {
    #[serde(flatten)]
    pub explained: Explained,
    /// What finding the rows took; reading the messages is not part of it.
    pub microseconds: u64,
}

impl Control {
    pub(super) async fn record(&self, method: &str, params: Value) -> Result<Value, Failure> {
        match method {
            "record.query" => self.query(parse(params)?).await,
            "record.explain" => value(&self.explain(parse(params)?).await?),
            other => Err(unknown(other)),
        }
    }

    /// Through the door, as a message of the owner.
    async fn query(&self, query: Query) -> Result<Value, Failure> {
        let reply = self.node.process(self.signer.did(), self.message(query)?, None).await?;
        if reply.code != 200 {
            return Err(refused(Refusal { code: reply.code, detail: reply.detail }));
        }
        let mut answer: Value =
            serde_json::from_str(&reply.whole().await?).context("an answer of this node is not JSON")?;
        let part = |answer: &mut Value, name: &str| answer.get_mut(name).map(Value::take);
        Ok(json!({"entries": part(&mut answer, "entries"), "cursor": part(&mut answer, "cursor")}))
    }

    /// The same question, asked of the store alone: what it would look at and did.
    async fn explain(&self, query: Query) -> Result<Explanation, Failure> {
        let (message, tenant, store) = (self.message(query)?, self.signer.did().to_owned(), self.node.store().clone());
        let answer = tokio::task::spawn_blocking(move || {
            let message = Message::parse(&tenant, message).map_err(refused)?;
            let select = dwn::selection(&message).map_err(refused)?;
            let start = Instant::now();
            let explained = store.explain(&tenant, &select)?;
            Ok(Explanation { explained, microseconds: start.elapsed().as_micros() as u64 })
        });
        answer.await.map_err(Error::new)?
    }

    fn message(&self, query: Query) -> Result<Value, Failure> {
        let Query { mut filter, date_sort, pagination } = query;
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
        create::records_query(filter.into(), more.into(), &node::now(), Some(&self.signer)).map_err(refused)
    }
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
