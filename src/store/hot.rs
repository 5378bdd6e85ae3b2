//! Messages that were read lately. What is in the log never changes, so nothing here grows stale; an
//! answer that names a message twice, or that many ask for, reads and decodes it once.

use super::{
    Position,
    brief::Brief,
    generations::{Asked, Generations},
};
use prometheus_client::{metrics::counter::Counter, registry::Registry};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Memory for one of the two generations.
const BYTES_MAX: usize = 32 << 20;
/// 65,536 positions are remembered as having been asked for.
const ASKED_BITS: u32 = 16;

/// A message is taken in when it is asked for a second time: who goes through the whole past does not push out what many
/// ask for, nor pay for keeping what nobody will.
#[derive(Debug)]
pub(super) struct Hot {
    kept: Mutex<(Generations<Position, Brief>, Asked)>,
    hits: Counter,
    misses: Counter,
}

impl Default for Hot {
    fn default() -> Self {
        let kept = Mutex::new((Generations::new(BYTES_MAX), Asked::new(ASKED_BITS)));
        Self { kept, hits: Counter::default(), misses: Counter::default() }
    }
}

impl Hot {
    pub fn get(&self, at: Position) -> Option<Brief> {
        let (found, _gone) = self.kept().0.get(&at);
        if found.is_some() { &self.hits } else { &self.misses }.inc();
        found
    }

    pub fn register(&self, registry: &mut Registry) {
        registry.register("cache_hits", "Messages found in memory", self.hits.clone());
        registry.register("cache_misses", "Messages that had to be read from the log", self.misses.clone());
    }

    /// Takes a message in, if it is asked for again.
    pub fn put(&self, at: Position, message: &Brief) {
        let mut kept = self.kept();
        let (messages, asked) = &mut *kept;
        // Frames begin anywhere: any bits of their positions do, mixed.
        if asked.again((at + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15)) {
            let gone = messages.put(at, message.clone(), message.size());
            drop(kept);
            drop(gone);
        }
    }

    fn kept(&self) -> MutexGuard<'_, (Generations<Position, Brief>, Asked)> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
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
        let (hot, message) = (Hot::default(), payload.expect("a message"));
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
