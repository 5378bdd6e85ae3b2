//! Whose records are kept here: the node's own, those its peers share with it, and those the operator or a
//! registration lets in.

use crate::{
    did,
    dwn::{Fault, Refusal},
    foreign,
    store::Store,
};
use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeSet, HashMap},
    sync::{PoisonError, RwLock},
};

/// Where registrations stand in the store: the DID follows.
const REGISTERED: &[u8] = b"node/registered/";

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub enum Tenants {
    /// This node's own DID and those its peers share with it.
    #[default]
    #[serde(rename = "self")]
    Own,
    /// These, and the DIDs in `dwn.allow`.
    #[serde(rename = "allow-list")]
    AllowList,
    /// These, those in `dwn.allow`, and who has registered (see `[dwn.registration]`).
    #[serde(rename = "registration")]
    Registration,
    /// Any DID.
    #[serde(rename = "open")]
    Open,
}

/// What a registered tenant has agreed to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Registered {
    /// SHA-256 of the terms of service, in hex; nothing if there were none.
    pub terms: Option<String>,
    /// When, as DWN writes times.
    pub since: String,
}

/// Lets tenants in.
#[derive(Debug)]
pub(super) struct Gate {
    mode: Tenants,
    /// SHA-256 of the terms of service in force.
    terms: Option<String>,
    hosted: BTreeSet<String>,
    /// Other identities of this node.
    own: RwLock<BTreeSet<String>>,
    /// With peers.
    shared: RwLock<BTreeSet<String>>,
    /// Of friends, of whose records copies are kept.
    copies: RwLock<BTreeSet<String>>,
    registered: RwLock<HashMap<String, Registered>>,
    /// Tenants that are being removed.
    leaving: RwLock<BTreeSet<String>>,
}

/// Keeps a tenant out while it is being removed.
pub(super) struct Leaving<'a> {
    gate: &'a Gate,
    tenant: &'a str,
}

impl<'a> Leaving<'a> {
    pub fn begin(gate: &'a Gate, tenant: &'a str) -> Self {
        gate.leaving.write().unwrap_or_else(PoisonError::into_inner).insert(tenant.to_owned());
        Self { gate, tenant }
    }
}

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        self.gate.leaving.write().unwrap_or_else(PoisonError::into_inner).remove(self.tenant);
    }
}

/// Can this be a tenant's name? The dialect takes any text. A text that is too long, or that would control a terminal, is refused.
fn is_name(tenant: &str) -> bool {
    tenant.len() <= did::DID_MAX && tenant.chars().all(foreign::is_plain)
}

impl Gate {
    /// A gate with the registrations the store remembers. `hosted`: always let in.
    pub fn open(mode: Tenants, terms: Option<String>, hosted: BTreeSet<String>, store: &Store) -> Result<Self, Fault> {
        let mut registered = HashMap::new();
        for (key, value) in store.states(REGISTERED)? {
            let did = key.strip_prefix(REGISTERED).unwrap_or_default();
            let did = String::from_utf8(did.to_vec()).context("a registration's DID")?;
            let value = serde_json::from_slice(&value).with_context(|| format!("the registration of {did}"))?;
            registered.insert(did, value);
        }
        let (own, shared, copies, leaving) =
            (RwLock::default(), RwLock::default(), RwLock::default(), RwLock::default());
        Ok(Self { mode, terms, hosted, own, shared, copies, registered: RwLock::new(registered), leaving })
    }

    /// Lets these in, shared with peers, instead of those of the call before.
    pub fn share(&self, tenants: BTreeSet<String>) {
        *self.shared.write().unwrap_or_else(PoisonError::into_inner) = tenants;
    }

    /// Lets copies of the records of these in, instead of those of the call before.
    pub fn share_copies(&self, tenants: BTreeSet<String>) {
        *self.copies.write().unwrap_or_else(PoisonError::into_inner) = tenants;
    }

    /// Is what is here of this tenant no more than a copy?
    pub fn is_copy(&self, tenant: &str) -> bool {
        let is_here = || {
            let registered = self.registered.read().unwrap_or_else(PoisonError::into_inner);
            self.hosted.contains(tenant) || self.is_own(tenant) || registered.contains_key(tenant)
        };
        self.copies.read().unwrap_or_else(PoisonError::into_inner).contains(tenant) && !is_here()
    }

    /// Lets in another identity of this node, and knows it as one.
    pub fn own(&self, did: &str) {
        self.own.write().unwrap_or_else(PoisonError::into_inner).insert(did.to_owned());
    }

    /// Is it another identity of this node?
    pub fn is_own(&self, did: &str) -> bool {
        self.own.read().unwrap_or_else(PoisonError::into_inner).contains(did)
    }

    /// Are its records shared with a peer?
    pub fn is_shared(&self, tenant: &str) -> bool {
        self.shared.read().unwrap_or_else(PoisonError::into_inner).contains(tenant)
    }

    fn lets_in(&self, tenant: &str) -> bool {
        self.mode == Tenants::Open && is_name(tenant)
            || self.hosted.contains(tenant)
            || self.is_own(tenant)
            || self.is_shared(tenant)
    }

    /// In the words of the reference.
    pub fn check(&self, tenant: &str) -> Result<(), Refusal> {
        if self.leaving.read().unwrap_or_else(PoisonError::into_inner).contains(tenant) {
            return Err(Refusal::new(401, format!("DID {tenant} is being removed from this node.")));
        }
        if self.lets_in(tenant) || self.is_copy(tenant) {
            return Ok(());
        }
        if self.mode != Tenants::Registration {
            return Err(not_a_tenant(tenant));
        }
        match self.registered.read().unwrap_or_else(PoisonError::into_inner).get(tenant) {
            None => Err(Refusal::new(401, "Not a registered tenant.")),
            Some(registered) if self.terms.is_some() && registered.terms != self.terms => {
                Err(Refusal::new(401, "Agreed terms-of-service is outdated."))
            }
            Some(_) => Ok(()),
        }
    }

    /// Remembers a registration, durably.
    pub async fn register(&self, store: &Store, did: &str, registered: Registered) -> Result<(), Fault> {
        let value = serde_json::to_vec(&registered).context("a registration as JSON")?;
        store.put_state(vec![(key(did), Some(value))]).await?;
        self.registered.write().unwrap_or_else(PoisonError::into_inner).insert(did.to_owned(), registered);
        Ok(())
    }

    /// Forgets a registration; was there one?
    pub async fn forget(&self, store: &Store, did: &str) -> Result<bool, Fault> {
        if !self.registered.read().unwrap_or_else(PoisonError::into_inner).contains_key(did) {
            return Ok(false);
        }
        store.put_state(vec![(key(did), None)]).await?;
        self.registered.write().unwrap_or_else(PoisonError::into_inner).remove(did);
        Ok(true)
    }

    /// Who has registered.
    pub fn registered(&self) -> HashMap<String, Registered> {
        self.registered.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Who is let in without a registration.
    pub fn hosted(&self) -> BTreeSet<String> {
        let shared = self.shared.read().unwrap_or_else(PoisonError::into_inner);
        let own = self.own.read().unwrap_or_else(PoisonError::into_inner);
        let copies = self.copies.read().unwrap_or_else(PoisonError::into_inner);
        self.hosted.iter().chain(&*shared).chain(&*own).chain(&*copies).cloned().collect()
    }
}

/// What who asks for records that are not kept here is told.
pub(super) fn not_a_tenant(tenant: &str) -> Refusal {
    Refusal::new(401, format!("DID {tenant} is not an active tenant."))
}

fn key(did: &str) -> Vec<u8> {
    [REGISTERED, did.as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn registrations_outlive_a_restart_and_new_terms_ask_for_a_new_one() {
        let dir = tempfile::tempdir().expect("a temp dir");
        let open = |terms: &str| {
            let store = Store::open(dir.path(), &crate::store::Config::default()).expect("opens");
            let hosted = BTreeSet::from(["did:x:own".to_owned()]);
            let gate = Gate::open(Tenants::Registration, Some(terms.into()), hosted, &store).expect("opens");
            (store, gate)
        };
        let said = |gate: &Gate, did: &str| gate.check(did).map_err(|refusal| refusal.detail);
        let (store, gate) = open("a");
        assert_eq!(said(&gate, "did:x:own"), Ok(()));
        assert_eq!(said(&gate, "did:x:bob"), Err("Not a registered tenant.".into()));
        let registered = Registered { terms: Some("a".into()), since: super::super::clock::now() };
        gate.register(&store, "did:x:bob", registered).await.expect("registers");
        assert_eq!(said(&gate, "did:x:bob"), Ok(()));
        drop((store, gate));
        let (store, gate) = open("b");
        assert_eq!(said(&gate, "did:x:bob"), Err("Agreed terms-of-service is outdated.".into()));
        assert!(gate.forget(&store, "did:x:bob").await.expect("forgets"));
        assert!(!gate.forget(&store, "did:x:bob").await.expect("forgets"));
        assert_eq!(said(&gate, "did:x:bob"), Err("Not a registered tenant.".into()));
    }
}
