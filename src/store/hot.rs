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

/// Positions that are remembered as having been asked for, a power of two.
const ASKED: usize = 1 << 16;

/// Two generations: what is found in the old one becomes young again, what nobody asks for goes with it. A message is
/// taken in when it is asked for a second time: who goes through the whole past does not push out what many ask for,
/// nor pay for keeping what nobody will.
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
    /// Where a position would stand, the last that was asked for and not there, and one more.
    asked: Vec<Position>,
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

    /// Takes a message in, if it is asked for again.
    pub fn put(&self, at: Position, message: &Arc<Brief>) {
        let mut generations = self.generations.lock().unwrap_or_else(PoisonError::into_inner);
        let gone = generations.is_asked_again(at).then(|| generations.put(at, message.clone()));
        drop(generations);
        drop(gone);
    }
}

impl Generations {
    fn is_asked_again(&mut self, at: Position) -> bool {
        self.asked.resize(ASKED, 0);
        // Frames begin anywhere: any bits of their positions do, mixed.
        let slot = at.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> (u64::BITS - ASKED.trailing_zeros());
        let Some(asked) = self.asked.get_mut(slot as usize) else { return false };
        mem::replace(asked, at + 1) == at + 1
    }

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::frame::{Decoded, Frame, decode};

    #[test]
    fn what_is_asked_for_twice_is_kept_and_the_rest_is_not() {
        let payload = crate::store::fuzzing::payloads().into_iter().find_map(|payload| match decode(&payload) {
            Ok(Decoded { frame: Frame::Message(_), .. }) => Brief::read(&payload),
            _ => None,
        });
        let (hot, message) = (Hot::default(), Arc::new(payload.expect("a message")));
        for at in 0..1000 {
            assert!(hot.get(at).is_none());
            hot.put(at, &message);
        }
        assert!((0..1000).all(|at| hot.get(at).is_none()));
        hot.put(0, &message);
        hot.put(7, &message);
        assert_eq!((0..1000).filter(|at| hot.get(*at).is_some()).collect::<Vec<_>>(), [0, 7]);
    }
}
