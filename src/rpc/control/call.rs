//! One call: what a method acts on.

use super::services::Services;
use serde_json::Value;
use std::{ops::Deref, sync::Arc};

/// A call on its way. A method reads the node's parts from it as from [`Services`]. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Call {
    services: Arc<Services>,
    /// The OpenRPC document of all methods.
    document: &'static Value,
}

impl Call {
    pub fn new(services: Arc<Services>, document: &'static Value) -> Self {
        Self { services, document }
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
