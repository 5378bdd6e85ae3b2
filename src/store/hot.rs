//! Messages that were read lately. What is in the log never changes, so nothing here grows stale; an
//! answer that names a message twice, or that many ask for, reads and decodes it once.

use super::{Position, brief::Brief};
use prometheus_client::{metrics::counter::Counter, registry::Registry};
use std::{
    collections::HashMap,
    mem,
    sync::{Arc, Mutex, PoisonError},
};

/// Memory for one of the two generations.
const BYTES_MAX: usize = 32 << 20;

/// Two generations: what is found in the old one becomes young again, what nobody asks for goes with it.
#[derive(Debug, Default)]
pub(super) struct Hot {
    generations: Mutex<Generations>,
    hits: Counter,
    misses: Counter,
}

#[derive(Debug, Default)]
struct Generations {
    young: HashMap<Position, Arc<Brief>>,
    young_bytes: usize,
    old: HashMap<Position, Arc<Brief>>,
}

impl Hot {
    pub fn get(&self, at: Position) -> Option<Arc<Brief>> {
        let mut generations = self.generations.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = generations.young.get(&at) {
            self.hits.inc();
            return Some(found.clone());
        }
        let Some(found) = generations.old.remove(&at) else {
            self.misses.inc();
            return None;
        };
        self.hits.inc();
        let gone = generations.put(at, found.clone());
        drop(generations);
        drop(gone);
        Some(found)
    }

    pub fn register(&self, registry: &mut Registry) {
        registry.register("cache_hits", "Messages found in memory", self.hits.clone());
        registry.register("cache_misses", "Messages that had to be read from the log", self.misses.clone());
    }

    pub fn put(&self, at: Position, message: Arc<Brief>) {
        let gone = self.generations.lock().unwrap_or_else(PoisonError::into_inner).put(at, message);
        drop(gone);
    }
}

impl Generations {
    /// What goes with it is for the caller to free, without the lock: it is thousands of pieces.
    fn put(&mut self, at: Position, message: Arc<Brief>) -> HashMap<Position, Arc<Brief>> {
        let mut gone = HashMap::new();
        let bytes = message.size();
        if self.young_bytes + bytes > BYTES_MAX {
            gone = mem::replace(&mut self.old, mem::take(&mut self.young));
            self.young_bytes = 0;
        }
        self.young_bytes += bytes;
        self.young.insert(at, message);
        gone
    }
}
