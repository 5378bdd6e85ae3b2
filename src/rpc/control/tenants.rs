//! Whose records the node keeps: `tenant.…`.

use super::{
    call::Call,
    failure::{Failure, Kind},
    method::{Entry, Example, Method, Need, NoParams},
};
use crate::{
    audit::What,
    node::{Removed, Tenant},
    sync::TenantStays,
};
use anyhow::Error;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

pub const METHODS: &[Entry] = &[Entry::of::<Ls>(), Entry::of::<Rm>()];

#[derive(Debug)]
pub struct Ls;

impl Method for Ls {
    const NAME: &'static str = "tenants.list";
    const SUMMARY: &'static str = "List who has records here, or may have.";
    const SCOPE: Need = Need::Admin;
    const ERRORS: &'static [Kind] = &[];
    const EXAMPLES: &'static [Example] = &[Example {
        name: "all",
        params: "{}",
        result: r#"[{"did": "$did", "messages": 1, "allowed": true, "registered": null}, {"did": "$other", "messages": 1, "allowed": true, "registered": {"terms": null, "since": "2026-11-21T09:00:00.000000Z"}}]"#,
    }];
    type Params = NoParams;
    type Result = Vec<Tenant>;

    async fn run(call: &Call, NoParams {}: NoParams) -> Result<Vec<Tenant>, Failure> {
        let node = call.node.clone();
        Ok(tokio::task::spawn_blocking(move || node.list_tenants()).await.map_err(Error::new)??)
    }
}

#[derive(Debug)]
pub struct Rm;

impl Method for Rm {
    const NAME: &'static str = "tenants.remove";
    const SUMMARY: &'static str = "Remove a tenant with its registration, its records and their data.";
    const SCOPE: Need = Need::Admin;
    const ERRORS: &'static [Kind] = &[Kind::Conflict, Kind::NotFound];
    const EXAMPLES: &'static [Example] =
        &[Example { name: "one", params: r#"{"did": "$other"}"#, result: r#"{"registration": true, "messages": 12}"# }];
    type Params = OneTenant;
    type Result = Removed;

    async fn run(call: &Call, OneTenant { did }: OneTenant) -> Result<Removed, Failure> {
        if let Some(url) = call.remotes.sharer(&did) {
            let why = format!("{did} is kept in step with {url}, which would bring it back: toft sync rm first");
            return Err(Failure::new(Kind::Conflict, why));
        }
        let removed = call.sync.remove_tenant(&did).await.map_err(|why| match why {
            TenantStays::Own => Failure::new(Kind::Usage, why.to_string()),
            TenantStays::Shared { .. } => Failure::new(Kind::Conflict, why.to_string()),
            TenantStays::NotHere(_) => Failure::new(Kind::NotFound, why.to_string()),
            TenantStays::Fault(fault) => fault.into(),
        })?;
        let about = json!({"did": did, "messages": removed.messages});
        call.audit.note(What::TenantRemoved, call.caller(), about).await?;
        Ok(removed)
    }
}

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OneTenant {
    pub did: String,
}
