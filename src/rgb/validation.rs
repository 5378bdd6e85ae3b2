//! Is the consignment of a transfer good? A hook says so, or nobody does.

use super::{
    kept::{is, newest},
    problem::Problem,
    storage::Rgb,
    things::{PROTOCOL, Transfer},
    transfers::{missing, of},
};
use crate::{
    blocks,
    cid::Cid,
    dwn::{Direction, Select, View, declared_data, record_id},
    foreign::{plain, shown},
    hook::{HookError, Input},
    node::{one_chunk, send},
};
use anyhow::{Context as _, Error};
use bytes::Bytes;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Characters of a reason.
const REASON_MAX: usize = 2000;

/// What the validator says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "RgbVerdict")]
pub struct Verdict {
    pub valid: bool,
    pub reason: Option<String>,
}

/// Where the consignment's bytes are.
enum Place {
    Beside(Bytes),
    Blocks(Cid, u64),
}

impl Rgb {
    /// Asks the validator about a transfer that is kept, with its newest consignment.
    pub async fn validate_transfer(&self, tenant: &str, id: &str) -> Result<Verdict, Problem> {
        if self.hooks.config().rgb_validator.is_empty() {
            return Err(Problem::NoValidator);
        }
        let record = id.to_owned();
        let found = self.look(tenant, move |view| {
            let stored = newest(view, "transfer", &record)?.ok_or_else(|| missing(&record))?;
            Ok((of(view, &stored)?, consignment(view, &record)?))
        });
        let (transfer, place) = found.await?;
        let (size, body) = match place {
            Place::Beside(bytes) => (bytes.len() as u64, one_chunk(bytes)),
            Place::Blocks(root, size) => {
                // Its owner asks: data that is on another device comes here.
                self.node.bring(root).await?;
                let blocks = self.node.blocks().clone();
                let reader = tokio::task::spawn_blocking(move || blocks.read(blocks::Right::reader(&root), &root));
                let reader = reader.await.map_err(Error::new)?.map_err(Error::new);
                (size, send(reader.context("reading the consignment")?))
            }
        };
        self.ask((tenant, Some(id)), &transfer, (size, body)).await
    }

    /// Asks the validator about a transfer that is not kept (yet).
    pub async fn validate_consignment(
        &self,
        tenant: &str,
        transfer: &Transfer,
        consignment: Bytes,
    ) -> Result<Verdict, Problem> {
        transfer.check()?;
        if self.hooks.config().rgb_validator.is_empty() {
            return Err(Problem::NoValidator);
        }
        self.ask((tenant, None), transfer, (consignment.len() as u64, one_chunk(consignment))).await
    }

    async fn ask(
        &self,
        (tenant, id): (&str, Option<&str>),
        transfer: &Transfer,
        (size, body): (u64, Input),
    ) -> Result<Verdict, Problem> {
        let head = json!({
            "hook": "rgb_validator", "version": 1, "tenant": tenant, "transferId": id, "transfer": transfer,
            "consignmentSize": size,
        });
        let answer = self.hooks.ask(&self.hooks.config().rgb_validator, &head, body).await?;
        let reason = answer.get("reason").and_then(Value::as_str).map(|reason| plain(reason, REASON_MAX));
        match answer.get("valid").and_then(Value::as_bool) {
            Some(valid) => Ok(Verdict { valid, reason }),
            None => Err(HookError::NoAnswer("it has no \"valid\" that is true or false".into()).into()),
        }
    }
}

/// The newest consignment below a transfer.
fn consignment(view: &dyn View, transfer: &str) -> Result<Place, Problem> {
    let filter = [
        is("protocol", PROTOCOL),
        is("protocolPath", "transfer/consignment"),
        is("parentId", transfer),
        is("method", "Write"),
    ];
    let select =
        Select { any_of: vec![filter.into()], direction: Direction::Descending, limit: Some(1), ..Select::default() };
    let none = || {
        let text = format!(
            "the transfer {} has no consignment here: it is written as a record at transfer/consignment below it",
            shown(transfer)
        );
        Problem::NotFound(text)
    };
    let stored = view.select(&select)?.entries.into_iter().next().ok_or_else(none)?;
    if stored.message.get("encryption").is_some() {
        let text = format!(
            "the consignment of the transfer {} is encrypted, and this node does not decrypt it: give it with the call",
            shown(transfer)
        );
        return Err(Problem::Conflict(text));
    }
    if let Some(bytes) = view.inline_data(&stored)? {
        return Ok(Place::Beside(bytes));
    }
    let (root, size) = declared_data(&stored.message).with_context(|| {
        format!("the consignment {} does not say its data", record_id(&stored.message).unwrap_or_default())
    })?;
    Ok(Place::Blocks(root, size))
}
