//! Whose records the node keeps: `tenant.…`.

use super::{
    failure::{Failure, Kind},
    method::{Entry, Method, NoParams, Scope},
    services::Services,
};
use crate::node::{Removed, Tenant};
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
        if did == services.signer.did() {
            let message = "this is the node's own DID: to begin anew, stop the node and make a new home";
            return Err(Failure::new(Kind::Usage, message));
        }
        // A peer's next round would bring it all again.
        if let Some(sharer) = services.sync.peers().iter().find(|status| status.peer.tenants.contains(&did)) {
            let message = format!(
                "{did} is shared with the peer {}, which would bring it back: toft peer rm first",
                sharer.peer.did
            );
            return Err(Failure::new(Kind::Conflict, message));
        }
        let removed = services.node.remove_tenant(&did).await?;
        if removed.messages == 0 && !removed.registration {
            return Err(Failure::new(Kind::NotFound, format!("{did} is no tenant of this node: see toft tenant ls")));
        }
        Ok(removed)
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OneTenant {
    pub did: String,
}
