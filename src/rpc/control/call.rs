//! One call: what a method acts on, and for whom.

use super::{services::Services, subscriptions::Subscriptions};
use crate::{
    access::{Caller, Need, Way},
    asker::Asker,
};
use serde_json::Value;
use std::{ops::Deref, sync::Arc};

/// A call on its way. A method reads the node's parts from it as from [`Services`]. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Call {
    services: Arc<Services>,
    /// The OpenRPC document of all methods.
    document: &'static Value,
    caller: Caller,
    subscriptions: Option<Subscriptions>,
}

impl Call {
    /// By the owner.
    pub fn new(services: Arc<Services>, document: &'static Value) -> Self {
        Self { services, document, caller: Caller::owner(), subscriptions: None }
    }

    /// The same by somebody else. `subscriptions`: of the connection, if events can go that way.
    #[must_use]
    pub fn by(&self, caller: Caller, subscriptions: Option<Subscriptions>) -> Self {
        Self { caller, subscriptions, ..self.clone() }
    }

    /// Who calls. What a method is about (a protocol, a tenant) it asks itself: [`Caller::may_read`] and the like.
    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    /// Whose share of what is bounded the call takes: who holds a token acts for the owner.
    pub fn asker(&self) -> Asker {
        match self.caller.way() {
            Way::Tcp(_) if self.caller.allows(Need::Any) => Asker::Owner,
            Way::Tcp(asker) => asker,
            Way::Socket => Asker::Owner,
        }
    }

    /// Where events go; `None` over HTTP.
    pub fn subscriptions(&self) -> Option<&Subscriptions> {
        self.subscriptions.as_ref()
    }

    pub fn document(&self) -> &'static Value {
        self.document
    }
}

impl Deref for Call {
    type Target = Services;

    fn deref(&self) -> &Services {
        &self.services
    }
}
