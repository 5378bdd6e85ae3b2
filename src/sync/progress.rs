//! How far each peer is: what running sessions tell, and what the store remembers.

use super::flow::Flow;
use crate::store::Position;
use anyhow::{Context as _, Error};
use prometheus_client::metrics::counter::Counter;
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, MutexGuard, PoisonError},
};

/// How far each peer is, and what is counted.
#[derive(Debug, Default)]
pub struct Progress {
    /// Of running sessions.
    ways: Mutex<BTreeMap<String, Ways>>,
    /// How many messages each peer refused since the start, and the last of them.
    refused: Mutex<BTreeMap<String, (u64, String)>>,
    pub sent: Counter,
    pub received: Counter,
}

/// Both directions of a session.
#[derive(Debug, Clone, Copy, Default)]
pub struct Ways {
    pub sending: Flow,
    pub receiving: Flow,
    /// The other end says what is ahead of it.
    pub is_told: bool,
}

impl Progress {
    /// How far the session with a peer is, if one runs, and what the peer refused.
    pub fn of(&self, peer: &str) -> (Option<Ways>, Option<(u64, String)>) {
        (self.ways().get(peer).copied(), self.refusals().get(peer).cloned())
    }

    fn ways(&self) -> MutexGuard<'_, BTreeMap<String, Ways>> {
        self.ways.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn refusals(&self) -> MutexGuard<'_, BTreeMap<String, (u64, String)>> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A session begins.
    pub fn begin(&self, peer: &str, is_told: bool) {
        let ways = Ways { is_told, ..Ways::default() };
        self.ways().insert(peer.to_owned(), ways);
    }

    pub fn end(&self, peer: &str) {
        self.ways().remove(peer);
    }

    pub fn sending(&self, peer: &str, change: impl FnOnce(&mut Flow)) {
        if let Some(ways) = self.ways().get_mut(peer) {
            change(&mut ways.sending);
        }
    }

    pub fn receiving(&self, peer: &str, change: impl FnOnce(&mut Flow)) {
        if let Some(ways) = self.ways().get_mut(peer) {
            change(&mut ways.receiving);
        }
    }

    pub fn refused(&self, peer: &str, what: String) {
        let mut refused = self.refusals();
        let entry = refused.entry(peer.to_owned()).or_default();
        *entry = (entry.0 + 1, what);
    }

    pub fn count_sent(&self) {
        self.sent.inc();
    }

    pub fn count_received(&self) {
        self.received.inc();
    }
}

/// How far a peer has been served, and of which tenants: with others the log is gone through again.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SentUpTo {
    pub position: Position,
    pub tenants: BTreeSet<String>,
}

impl SentUpTo {
    /// As state of the store.
    pub fn entry(&self, peer: &str) -> Result<(Vec<u8>, Option<Vec<u8>>), Error> {
        Ok((cursor_key(peer), Some(serde_json::to_vec(self).context("encoding a sync cursor")?)))
    }
}

pub fn cursor_key(did: &str) -> Vec<u8> {
    format!("sync/sent/{did}").into_bytes()
}
