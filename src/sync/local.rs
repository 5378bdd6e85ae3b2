//! What a session reads of this device.

use super::reconcile::Set;
use crate::{
    cid::{self, Cid, Digest},
    dwn::{self, Fault},
    store::{Entry, Position, SetView, Store},
    sums::{Item, Prefix, Sum},
};
use anyhow::Context as _;
use bytes::Bytes;

/// Log entries read at once.
const ENTRIES: usize = 256;

/// What is told apart: a tenant's messages of one protocol, or those of none.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scope {
    pub tenant: String,
    pub protocol: Option<String>,
}

impl Scope {
    /// One string for each.
    pub fn name(&self) -> String {
        match &self.protocol {
            Some(protocol) => format!("{} {protocol}", self.tenant),
            None => self.tenant.clone(),
        }
    }
}

/// A message that is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    pub scope: Scope,
    pub item: Item,
    pub position: Position,
}

/// A message to be sent.
#[derive(Debug)]
pub struct Loaded {
    /// DAG-CBOR.
    pub message: Vec<u8>,
    pub data: Option<DataHere>,
}

/// The data of a message.
#[derive(Debug)]
pub struct DataHere {
    pub size: u64,
    /// The data itself, if it is small.
    pub inline: Option<Bytes>,
}

/// This device's store, as far as a session goes.
#[derive(Debug, Clone)]
pub struct Local {
    store: Store,
}

impl Local {
    pub fn new(store: Store) -> Self {
        Self { store }
    }

    /// Where the log ends.
    pub fn tail(&self) -> Position {
        *self.store.tail().borrow()
    }

    /// The scopes of a tenant in which there is something.
    pub fn scopes(&self, tenant: &str) -> Result<Vec<(Scope, Sum)>, Fault> {
        let scope = |protocol| Scope { tenant: tenant.to_owned(), protocol };
        Ok(self.store.sets(tenant)?.scopes()?.into_iter().map(|(protocol, sum)| (scope(protocol), sum)).collect())
    }

    pub fn set(&self, scope: &Scope) -> Result<Within, Fault> {
        Ok(Within { view: self.store.sets(&scope.tenant)?, protocol: scope.protocol.clone() })
    }

    /// What is kept under a digest.
    pub fn kept(&self, tenant: &str, digest: &Digest) -> Result<Option<Kept>, Fault> {
        let found = self.store.sets(tenant)?.find(digest)?;
        Ok(found.map(|(protocol, item, position)| Kept {
            scope: Scope { tenant: tenant.to_owned(), protocol },
            item,
            position,
        }))
    }

    /// A message and its data, if they are still kept.
    pub fn load(&self, tenant: &str, digest: &Digest) -> Result<Option<Loaded>, Fault> {
        let view = self.store.view(tenant);
        let Some(stored) = view.message(&cid::from_digest(cid::DAG_CBOR, digest))? else { return Ok(None) };
        let message = cid::encode(&stored.message)?;
        let data = if view.has_data(&stored)? {
            let declared = dwn::declared_data(&stored.message);
            // What cannot be read now is offered apart: the peer is told when it asks for it.
            let inline = view.inline_data(&stored).unwrap_or_else(|fault| {
                tracing::error!("the data of a message cannot be read: {fault:#}");
                None
            });
            let (_, size) = declared.context("a message with data does not say which")?;
            Some(DataHere { size, inline })
        } else {
            None
        };
        Ok(Some(Loaded { message, data }))
    }

    /// The CID of a message's data.
    pub fn data(&self, tenant: &str, digest: &Digest) -> Result<Option<Cid>, Fault> {
        let view = self.store.view(tenant);
        let Some(stored) = view.message(&cid::from_digest(cid::DAG_CBOR, digest))? else { return Ok(None) };
        let declared = dwn::declared_data(&stored.message).map(|(data, _)| data);
        Ok(declared.filter(|_| view.has_data(&stored).unwrap_or(false)))
    }

    /// What of these tenants came into the log from `from` on and is still kept, and where to go on.
    pub fn entries(&self, from: Position, tenants: &[String]) -> Result<(Vec<Kept>, Position), Fault> {
        let (mut kept, mut next) = (Vec::new(), from);
        for entry in self.store.entries(from, ENTRIES)? {
            next = entry.next();
            if let Entry::Message { tenant, cid, .. } = entry
                && tenants.contains(&tenant)
            {
                let digest = cid::sha256_of(&cid).context("the log has a message whose CID is no SHA-256")?;
                kept.extend(self.kept(&tenant, &digest)?);
            }
        }
        Ok((kept, next))
    }
}

/// One scope of a store.
pub struct Within {
    view: SetView,
    protocol: Option<String>,
}

impl Set for Within {
    fn sum(&self, of: Prefix) -> Result<Sum, Fault> {
        self.view.sum(self.protocol.as_deref(), of)
    }

    fn children(&self, of: Prefix) -> Result<Vec<(Prefix, Sum)>, Fault> {
        self.view.children(self.protocol.as_deref(), of)
    }

    fn items(&self, of: Prefix) -> Result<Vec<Item>, Fault> {
        Ok(self.view.items(self.protocol.as_deref(), of)?.into_iter().map(|(item, _)| item).collect())
    }
}
