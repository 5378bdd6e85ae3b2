//! As whom this node asks a DWN server for a tenant's messages.
//!
//! | who holds the tenant's key | who signs |
//! |---|---|
//! | this node | the tenant |
//! | another device, which granted Messages.Query and Messages.Read to this node's own identity (`toft device`, `toft grant create`) | this node's own identity, naming the grants |
//! | anybody else | nobody: the remote says so and pulls nothing |
//!
//! Grants are looked for anew for each round, in the tenant's records here, so that one that was revoked or has ended is not used
//! again. The server must know them too: it is sent the tenant's permission records first if it turns the asker away.
//! What is pushed is signed already and needs nobody.

use crate::{
    crypto::Signer,
    dwn::{
        self, Fault, Granted, Refusal, Standing, Wanted,
        create::{self, Invoked},
    },
    foreign::shown,
    identity::Identities,
    node,
    store::Store,
};
use serde_json::{Value, json};
use std::sync::Arc;

/// Who signs for one part.
#[derive(Debug, Clone)]
pub struct Hand {
    pub signer: Arc<Signer>,
    /// The grants of MessagesQuery and of MessagesRead, if it is not the tenant who signs.
    grants: Option<(String, String)>,
}

/// Why nobody signs.
#[derive(Debug, thiserror::Error)]
pub enum NoHand {
    #[error("{0}")]
    Nobody(String),
    #[error("{0:#}")]
    Fault(#[from] Fault),
}

impl Hand {
    /// Who signs for a tenant, about one protocol or all (blocking).
    pub fn find(identities: &Identities, store: &Store, tenant: &str, protocol: Option<&str>) -> Result<Self, NoHand> {
        if let Some(signer) = identities.signer(tenant) {
            return Ok(Self { signer, grants: None });
        }
        let (signer, now) = (identities.own(), node::now());
        let own = signer.did();
        let wanted = Wanted { grantee: Some(own), protocol: None };
        let given = dwn::grants(tenant, wanted, &*store.view(tenant), &now)?;
        let grant = |method: &str| {
            let is_it = |granted: &&Granted| {
                granted.standing == Standing::Active
                    && granted.granted <= now
                    && !granted.delegated
                    && (granted.interface.as_str(), granted.method.as_str()) == ("Messages", method)
                    && granted.protocol.as_deref().is_none_or(|of| Some(of) == protocol)
            };
            // For all protocols rather than for one: MessagesRead then answers whatever the list names.
            let mut found: Vec<_> = given.iter().filter(is_it).collect();
            found.sort_by_key(|granted| granted.protocol.is_some());
            found.first().map(|granted| granted.id.clone())
        };
        match (grant("Query"), grant("Read")) {
            (Some(query), Some(read)) => Ok(Self { signer: signer.clone(), grants: Some((query, read)) }),
            (query, read) => {
                let missing: Vec<_> = [("Messages.Query", &query), ("Messages.Read", &read)]
                    .into_iter()
                    .filter_map(|(name, grant)| grant.is_none().then_some(name))
                    .collect();
                let about = protocol.map(|uri| format!(" --protocol {}", shown(uri))).unwrap_or_default();
                let each: Vec<_> = missing
                    .iter()
                    .map(|name| format!("toft grant create {own} --for {name}{about} --expires 365d"))
                    .collect();
                Err(NoHand::Nobody(format!(
                    "nobody here can sign for {}: its key is on another device, and this node ({own}) has no grant of {} from it; \
                     on the device that holds the key: {}",
                    shown(tenant),
                    missing.join(" and "),
                    each.join("; ")
                )))
            }
        }
    }

    /// Is it somebody else than the tenant?
    pub fn is_by_grant(&self) -> bool {
        self.grants.is_some()
    }

    /// Asks what came after the cursor. 423: the key is locked.
    pub fn query(&self, protocol: Option<&str>, cursor: Option<Value>) -> Result<Value, Refusal> {
        let filters = protocol.map_or_else(|| json!([]), |uri| json!([{"protocol": uri}]));
        let message = create::messages_query(filters, cursor, &node::now(), &self.signer)?;
        self.invoking(message, |(query, _)| query)
    }

    /// Asks for one message.
    pub fn read(&self, cid: &str) -> Result<Value, Refusal> {
        let message = create::messages_read(cid, &node::now(), &self.signer)?;
        self.invoking(message, |(_, read)| read)
    }

    fn invoking(&self, message: Value, grant: impl Fn(&(String, String)) -> &String) -> Result<Value, Refusal> {
        let Some(grants) = &self.grants else { return Ok(message) };
        create::invoking(message, Invoked { grant: Some(grant(grants)), ..Invoked::default() }, &self.signer)
    }
}
