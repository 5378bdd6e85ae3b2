//! Whose records the node keeps: `tenant.…`.

use super::{
    failure::{Failure, Kind},
    method::{Entry, Method, NoParams, Scope},
    services::Services,
};
use crate::{
    node::{Removed, Tenant},
    sync::TenantStays,
};
use anyhow::Error;
use serde::{Deserialize, Serialize};

pub const METHODS: &[Entry] = &[Entry::of::<Ls>(), Entry::of::<Rm>()];

#[derive(Debug)]
pub struct Ls;

impl Method for Ls {
    const NAME: &'static str = "tenant.ls";
    const SUMMARY: &'static str = "List who has records here, or may have.";
    const SCOPE: Scope = Scope::Admin;
    const ERRORS: &'static [Kind] = &[];
    type Params = NoParams;
    type Result = Vec<Tenant>;

    async fn run(services: &Services, NoParams {}: NoParams) -> Result<Vec<Tenant>, Failure> {
        let node = services.node.clone();
        Ok(tokio::task::spawn_blocking(move || node.list_tenants()).await.map_err(Error::new)??)
    }
}

#[derive(Debug)]
pub struct Rm;

impl Method for Rm {
    const NAME: &'static str = "tenant.rm";
    const SUMMARY: &'static str = "Remove a tenant with its registration, its records and their data.";
    const SCOPE: Scope = Scope::Admin;
    const ERRORS: &'static [Kind] = &[Kind::Conflict, Kind::NotFound];
    type Params = OneTenant;
    type Result = Removed;

    async fn run(services: &Services, OneTenant { did }: OneTenant) -> Result<Removed, Failure> {
        services.sync.remove_tenant(&did).await.map_err(|why| match why {
            TenantStays::Own => Failure::new(Kind::Usage, why.to_string()),
            TenantStays::Shared { .. } => Failure::new(Kind::Conflict, why.to_string()),
            TenantStays::NotHere(_) => Failure::new(Kind::NotFound, why.to_string()),
            TenantStays::Fault(fault) => fault.into(),
        })
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OneTenant {
    pub did: String,
}
