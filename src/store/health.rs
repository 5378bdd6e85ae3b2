//! What is wrong with the store, and why nothing is written.

use super::damaged::{Damages, Object};
use crate::dwn::Fault;
use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

/// Reasons kept by [`Health`]; damage beyond that needs no more words.
pub const REASONS_MAX: usize = 64;

/// What is wrong with the store.
#[derive(Debug, Default)]
pub struct Health {
    reasons: Mutex<Vec<String>>,
    stopped: Mutex<Option<Stopped>>,
    pub damaged: Arc<Damages>,
}

/// Why nothing is written.
#[derive(Debug, Clone, Copy)]
pub enum Stopped {
    /// The last write found no room; the next one tries again.
    Full,
    /// Until the node is restarted.
    Poisoned,
}

impl Health {
    /// With what is remembered in the store's directory.
    pub fn open(dir: &Path) -> Result<Self, Fault> {
        Ok(Self { damaged: Arc::new(Damages::open(dir)?), ..Self::default() })
    }

    /// Something of the log is damaged; whose it is, a scrub finds out.
    pub fn damaged(&self, object: Object, why: &str) {
        self.damaged.note(object, why, Vec::new());
    }

    /// Says it in the operator's log and keeps it, once.
    pub fn degrade(&self, reason: String) {
        let mut reasons = self.reasons.lock().unwrap_or_else(PoisonError::into_inner);
        if reasons.contains(&reason) {
            return;
        }
        tracing::error!("the store is degraded: {reason}");
        if reasons.len() < REASONS_MAX {
            reasons.push(reason);
        }
    }

    pub fn reasons(&self) -> Vec<String> {
        self.reasons.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn stop(&self, stopped: Option<Stopped>) {
        *self.stopped.lock().unwrap_or_else(PoisonError::into_inner) = stopped;
    }

    pub fn stopped(&self) -> Option<Stopped> {
        *self.stopped.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
