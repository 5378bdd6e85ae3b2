//! The registry of numbers and its text form. Counters are declared beside the code they count.

use prometheus_client::{encoding::text::encode, registry::Registry};
use std::sync::{Arc, Mutex, PoisonError};

/// All metrics of a node, named `toft_…`. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Metrics(Arc<Mutex<Registry>>);

impl Default for Metrics {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Registry::with_prefix("toft"))))
    }
}

impl Metrics {
    /// Lets a module register what it counts.
    pub fn register(&self, f: impl FnOnce(&mut Registry)) {
        f(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// OpenMetrics text.
    pub fn text(&self) -> String {
        let mut out = String::new();
        let registry = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        encode(&mut out, &registry).expect("writing to a String does not fail");
        out
    }
}
