//! As whom a program works, and where.

use crate::rpc::{
    client::Client,
    control::{Failure, records_write::NewState},
};
use serde_json::{Map, Value};

/// A node, and as whom and in whose records a program works there.
#[derive(Debug, Clone)]
pub struct Access {
    pub client: Client,
    /// Which of the node's identities it is; the node's own if none is named.
    pub from: Option<String>,
    /// DID of whose records they are; its own if none is named.
    pub tenant: Option<String>,
    /// Path of the role that it has there.
    pub role: Option<String>,
}

impl From<Client> for Access {
    fn from(client: Client) -> Self {
        Self { client, from: None, tenant: None, role: None }
    }
}

impl Access {
    #[must_use]
    pub fn of(self, from: impl Into<String>) -> Self {
        Self { from: Some(from.into()), ..self }
    }

    #[must_use]
    pub fn at(self, tenant: impl Into<String>) -> Self {
        Self { tenant: Some(tenant.into()), ..self }
    }

    #[must_use]
    pub fn invoking(self, role: impl Into<String>) -> Self {
        Self { role: Some(role.into()), ..self }
    }

    /// A record's new state that says so.
    pub(super) fn state(&self) -> NewState {
        NewState {
            from: self.from.clone(),
            tenant: self.tenant.clone(),
            protocol_role: self.role.clone(),
            ..NewState::default()
        }
    }

    /// Parameters of any other call that say so.
    pub(super) fn params(&self) -> Map<String, Value> {
        let said = [("from", &self.from), ("tenant", &self.tenant), ("protocolRole", &self.role)];
        said.into_iter().filter_map(|(name, text)| Some((name.to_owned(), text.clone()?.into()))).collect()
    }

    pub(super) async fn call(&self, method: &str, more: Map<String, Value>) -> Result<Value, Failure> {
        let mut params = self.params();
        params.extend(more);
        self.client.call_named(method, &params.into()).await
    }
}
