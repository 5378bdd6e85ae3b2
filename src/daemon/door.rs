//! The one door, and what it asks: whose DIDs, which tenants.

use super::{base::Base, storage::Storage};
use crate::{node::Node, resolve::Resolver, rpc::Registration};
use anyhow::Error;

/// Cheap to clone.
#[derive(Clone)]
pub(super) struct Door {
    pub node: Node,
    pub resolver: Resolver,
    pub registration: Registration,
}

impl Door {
    /// The door to `storage` on the node of `did`.
    pub fn open(base: &Base<'_>, did: &str, storage: &Storage) -> Result<Self, Error> {
        let (config, Storage { store, blocks }) = (base.config, storage.clone());
        let resolver = Resolver::new(&config.resolve, store.clone(), &base.metrics)?;
        let registration = Registration::new(&config.registration, &config.dwn.limits, base.home)?;
        let who = (did, registration.terms(), &config.retention);
        let node = Node::new(&config.dwn, who, store, blocks, resolver.clone(), &base.metrics)?;
        Ok(Self { node, resolver, registration })
    }
}
