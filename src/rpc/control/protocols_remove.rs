//! Taking a protocol out of use: `protocols.remove`.
//!
//! The dialect has no message for it. A definition that has no types and no places allows nothing: nothing is written under it, and
//! nobody but the owner reads what is there.

use super::{
    actor::Actor,
    call::Call,
    failure::{Failure, Kind},
    letter::send,
    method::{Entry, Example, Method, Need},
    refusals::{REFUSALS, refused},
};
use crate::{
    dwn::{Cond, IndexValue, Select, Stored, View, create, normalize_uri, record_id},
    node,
};
use anyhow::Error;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

pub const METHODS: &[Entry] = &[Entry::of::<Remove>()];

/// Records that are deleted in one go.
const PAGE: usize = 500;

#[derive(Debug)]
pub struct Remove;

impl Method for Remove {
    const NAME: &'static str = "protocols.remove";
    const SUMMARY: &'static str = "Take a protocol out of use: a definition that allows nothing takes its place. Its records stay, or are deleted.";
    const SCOPE: Need = Need::WriteRecords;
    const ERRORS: &'static [Kind] = REFUSALS;
    const EXAMPLES: &'static [Example] = &[Example {
        name: "with its records",
        params: r#"{"protocol": "http://example.com/old", "records": true}"#,
        result: r#"{"protocol": "http://example.com/old", "records": 3, "deleted": 3}"#,
    }];
    type Params = OldProtocol;
    type Result = ProtocolRemoved;

    async fn run(
        call: &Call,
        OldProtocol { protocol, records, from }: OldProtocol,
    ) -> Result<ProtocolRemoved, Failure> {
        let uri = normalize_uri(&protocol).unwrap_or(protocol);
        let actor = Actor::of(call, from.as_deref())?;
        call.caller().may_write(Some(&uri))?;
        let mut removed = ProtocolRemoved { protocol: uri.clone(), records: 0, deleted: 0 };
        let mut after = None;
        loop {
            let (store, tenant, wanted) = (call.node.store().clone(), actor.tenant.clone(), uri.clone());
            let looked = tokio::task::spawn_blocking(move || {
                let view = store.view(&tenant);
                let page = page(&*view, &wanted, after)?;
                Ok::<_, Error>((view.protocol(&wanted)?.is_some(), page.entries, page.cursor))
            });
            let (is_there, entries, cursor) = looked.await.map_err(Error::new)??;
            if !is_there {
                let text = format!("{uri} is not installed here: protocols.list lists what is");
                return Err(Failure::new(Kind::NotFound, text));
            }
            removed.records += entries.len() as u64;
            for state in entries.iter().filter(|_| records) {
                removed.deleted += u64::from(delete(call, &actor, state).await?);
            }
            after = cursor;
            if after.is_none() || call.stop.is_cancelled() {
                break;
            }
        }
        let nothing = json!({"protocol": uri, "published": false, "types": {}, "structure": {}});
        let message = create::protocols_configure(nothing, &node::now(), &actor.signer).map_err(refused)?;
        send(call, &actor.tenant, message, None).await?;
        Ok(removed)
    }
}

/// A protocol that is to be taken out of use.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OldProtocol {
    /// Its URI.
    pub protocol: String,
    /// Delete its records too.
    #[serde(default)]
    pub records: bool,
    /// Whose: one of the node's identities; its own if none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
}

/// A protocol that is out of use.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct ProtocolRemoved {
    /// Its URI.
    pub protocol: String,
    /// Records of it that were there.
    pub records: u64,
    /// As many of them were deleted.
    pub deleted: u64,
}

fn page(view: &dyn View, uri: &str, after: Option<crate::dwn::PaginationCursor>) -> Result<crate::dwn::Page, Error> {
    let is = |name: &str, value: &str| (name.to_owned(), Cond::Equal(IndexValue::String(value.to_owned())));
    let filter = [is("protocol", uri), is("method", "Write")].into();
    view.select(&Select { any_of: vec![filter], limit: Some(PAGE), after, ..Select::default() })
}

/// Was it still there?
async fn delete(call: &Call, actor: &Actor, state: &Stored) -> Result<bool, Failure> {
    let Some(id) = record_id(&state.message) else { return Ok(false) };
    let delete = create::records_delete(id, false, &node::now(), &actor.signer).map_err(refused)?;
    match send(call, &actor.tenant, delete, None).await {
        Ok(()) => Ok(true),
        Err(failure) if failure.kind == Kind::NotFound => Ok(false),
        Err(failure) => Err(failure),
    }
}
