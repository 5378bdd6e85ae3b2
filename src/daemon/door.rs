//! The one door, and what it asks: whose DIDs, which tenants.

use super::{base::Base, storage::Storage};
use crate::{identity::Identities, node::Node, resolve::Resolver, rpc::Registration};
use anyhow::Error;

/// Cheap to clone.
#[derive(Clone)]
pub(super) struct Door {
    pub node: Node,
    pub resolver: Resolver,
    pub registration: Registration,
}

impl Door {
    /// The door to `storage` on the node of `identities`.
    pub fn open(base: &Base<'_>, identities: &Identities, storage: &Storage) -> Result<Self, Error> {
        let (config, Storage { store, blocks }) = (base.config, storage.clone());
        let resolver = Resolver::new(&config.resolve, store.clone(), &base.metrics)?;
        let registration = Registration::new(&config.registration, &config.dwn.limits, base.home)?;
        let own = identities.own();
        let who = (own.did(), registration.terms(), &config.retention);
        let node = Node::new(&config.dwn, who, store, blocks, resolver.clone(), &base.metrics)?;
        identities.dids().iter().for_each(|did| node.host_own(did));
        Ok(Self { node, resolver, registration })
    }
}
