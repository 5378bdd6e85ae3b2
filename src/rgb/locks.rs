//! One at a time: what is checked and then written of one asset.
//!
//! It holds for what is written by this module. At the door, where clients write transfers themselves, the rule that a coin is spent by one
//! transfer is for a policy beside the protocol to hold (`unique` by the tag `spends`); and between devices that were apart
//! nobody can hold it: there the first one counts ([`super::book`]).

use std::{
    hash::{DefaultHasher, Hash as _, Hasher as _},
    sync::Arc,
};
use tokio::sync::{Mutex, MutexGuard};

/// So many that two assets rarely share one.
const LOCKS: usize = 256;

#[derive(Debug, Clone)]
pub(super) struct Locks(Arc<[Mutex<()>]>);

impl Default for Locks {
    fn default() -> Self {
        Self((0..LOCKS).map(|_| Mutex::default()).collect())
    }
}

impl Locks {
    pub async fn of(&self, tenant: &str, asset: &str) -> Option<MutexGuard<'_, ()>> {
        let mut hasher = DefaultHasher::new();
        (tenant, asset).hash(&mut hasher);
        let at = hasher.finish() as usize % self.0.len().max(1);
        Some(self.0.get(at)?.lock().await)
    }
}
