//! The tenants as the operator sees them: who they are, and the end of one.

use super::{
    door::Node,
    gate::{Leaving, Registered},
};
use crate::dwn::Fault;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// What was removed of a tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[schemars(rename = "TenantRemoved")]
pub struct Removed {
    pub registration: bool,
    pub messages: u64,
}

/// Somebody who is or may be a tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Tenant {
    pub did: String,
    pub messages: u64,
    /// May write and be written to now.
    pub allowed: bool,
    pub registered: Option<Registered>,
}

impl Node {
    /// Who has messages here, or may have.
    pub fn list_tenants(&self) -> Result<Vec<Tenant>, Fault> {
        let messages: BTreeMap<_, _> = self.store().tenants()?.into_iter().collect();
        let (hosted, registered) = (self.shared.gate.hosted(), self.shared.gate.registered());
        let all: BTreeSet<_> = messages.keys().chain(&hosted).chain(registered.keys()).collect();
        let tenant = |did: &String| Tenant {
            did: did.clone(),
            messages: messages.get(did).copied().unwrap_or_default(),
            allowed: self.hosts(did),
            registered: registered.get(did).cloned(),
        };
        Ok(all.into_iter().map(tenant).collect())
    }

    /// Removes a tenant's registration and all its messages and data. Nobody can write for it meanwhile; where any
    /// DID is let in, it may begin anew afterwards.
    pub async fn remove_tenant(&self, tenant: &str) -> Result<Removed, Fault> {
        let _leaving = Leaving::begin(&self.shared.gate, tenant);
        let registration = self.shared.gate.forget(self.store(), tenant).await?;
        let mut messages = 0;
        loop {
            self.shared.tally.leaves();
            let some = self.store().wipe_some(tenant).await;
            self.shared.tally.leaves();
            match some? {
                0 => break,
                some => messages += some as u64,
            }
        }
        let (node, of) = (self.clone(), tenant.to_owned());
        let conflicts = tokio::task::spawn_blocking(move || node.conflicts(Some(&of))).await.map_err(Fault::new)??;
        self.forget_conflicts(&conflicts).await?;
        Ok(Removed { registration, messages })
    }
}
