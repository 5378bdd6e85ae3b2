//! Whose records, and who signs what is written.

use super::{kept::text, problem::Problem, things::PROTOCOL};
use crate::{
    cid,
    crypto::Signer,
    dwn::{
        DelegatedGrant, Refusal, Stored,
        create::{self, Invoked},
    },
    node::{self, Node, Reply},
};
use anyhow::Context as _;
use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// What every type of the protocol but a consignment has for data.
const JSON: &str = "application/json";

/// Who acts for a tenant: the tenant itself, or somebody who has its delegated grant.
#[derive(Debug, Clone)]
pub struct Hand {
    pub tenant: String,
    pub signer: Arc<Signer>,
    /// Of the tenant's, if the signer is another.
    pub grant: Option<DelegatedGrant>,
}

/// A record that was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "RgbStored")]
pub struct Written {
    pub record_id: String,
    /// Of the message: what time proofs are about (anchor.proof).
    pub message_cid: String,
    pub data_cid: String,
    pub date_created: String,
}

/// A record that is to be.
#[derive(Debug, Default)]
pub(super) struct New<'a> {
    pub path: &'a str,
    pub parent_context: Option<&'a str>,
    pub recipient: Option<&'a str>,
    pub tags: Option<Map<String, Value>>,
    pub data: Value,
}

impl Hand {
    /// The tenant's own.
    pub fn own(signer: Arc<Signer>) -> Self {
        Self { tenant: signer.did().to_owned(), signer, grant: None }
    }

    pub(super) async fn write(&self, node: &Node, new: New<'_>) -> Result<Written, Problem> {
        let type_name = new.path.rsplit('/').next().unwrap_or_default();
        let schema = format!("https://toft.invalid/schemas/rgb/{type_name}");
        let write = create::Write {
            protocol: Some((PROTOCOL, new.path)),
            parent_context: new.parent_context,
            recipient: new.recipient,
            schema: Some(&schema),
            data_format: JSON,
            published: false,
            tags: new.tags,
        };
        let data = new.data.to_string().into_bytes();
        let root = cid::of(cid::RAW, &data);
        let draft = create::draft(&write, (&root, data.len() as u64), &node::now(), &self.tenant)?;
        self.put(node, create::sign_records_write(draft, &self.signer)?, data).await
    }

    /// A newer state of a record: with other data, and with these tags.
    pub(super) async fn update(
        &self,
        node: &Node,
        before: &Stored,
        (tags, data): (Map<String, Value>, &Value),
    ) -> Result<Written, Problem> {
        let data = data.to_string().into_bytes();
        let root = cid::of(cid::RAW, &data);
        let changes = json!({"dataCid": root.to_string(), "dataSize": data.len(), "tags": tags});
        let now = after(text(&before.message, "messageTimestamp"))?;
        self.put(node, create::records_update(&before.message, &changes, &now, &self.signer)?, data).await
    }

    async fn put(&self, node: &Node, message: Value, data: Vec<u8>) -> Result<Written, Problem> {
        let message = match &self.grant {
            None => message,
            grant => {
                create::invoking(message, Invoked { delegated: grant.as_ref(), ..Invoked::default() }, &self.signer)?
            }
        };
        let (cid, _) = cid::of_json(&message).map_err(|error| Problem::usage(error.to_string()))?;
        let written = Written {
            record_id: message["recordId"].as_str().unwrap_or_default().to_owned(),
            message_cid: cid.to_string(),
            data_cid: text(&message, "dataCid").to_owned(),
            date_created: text(&message, "dateCreated").to_owned(),
        };
        let mut stage = node.blocks().stage();
        stage.push(&data)?;
        let Reply { code, detail, .. } = node.process_staged(&self.tenant, message, stage.finish()?).await?;
        match code {
            200..300 => Ok(written),
            code => Err(Refusal { code, detail }.into()),
        }
    }
}

/// Now, or right after the state that is to be replaced: another device's clock may be ahead.
fn after(newest: &str) -> Result<String, Problem> {
    let now = node::now();
    if now.as_str() > newest {
        return Ok(now);
    }
    let newest: Timestamp =
        newest.parse().map_err(anyhow::Error::new).context("the record's newest state has no time")?;
    let after = newest.checked_add(SignedDuration::from_micros(1)).map_err(anyhow::Error::new)?;
    Ok(format!("{after:.6}"))
}
