//! What was found out lately, in memory: one place per DID, so that many who ask at once cause one lookup.

use crate::did::{Did, Document};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

/// DIDs remembered. A document can fill 64 KiB, so this is at most 64 MiB, and mostly under one.
const PLACES_MAX: usize = 1024;

/// What is known of one DID. Whoever holds its lock is the one who looks it up.
pub type Place = Arc<tokio::sync::Mutex<Option<Known>>>;

#[derive(Debug, Clone)]
pub struct Known {
    pub outcome: Result<Arc<Document>, super::Error>,
    /// Asked again after this.
    pub fresh_until: Instant,
    /// When the document was last had from where it comes from.
    pub confirmed: Instant,
}

#[derive(Debug, Default)]
pub struct Cache {
    places: Mutex<HashMap<Did, (Place, Instant)>>,
}

impl Cache {
    /// The place of a DID, made if need be. When there are too many, the quarter not asked for longest goes.
    pub fn place(&self, did: &Did, now: Instant) -> Place {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        if places.len() >= PLACES_MAX && !places.contains_key(did) {
            let mut asked: Vec<_> = places.values().map(|(_, asked)| *asked).collect();
            let (_, &mut oldest, _) = asked.select_nth_unstable(PLACES_MAX / 4);
            // One that is being looked up stays: its waiters share the answer.
            places.retain(|_, (place, asked)| *asked > oldest || Arc::strong_count(place) > 1);
        }
        let (place, asked) = places.entry(did.clone()).or_insert_with(|| (Place::default(), now));
        *asked = now;
        place.clone()
    }

    /// The next to ask looks it up anew.
    pub fn forget(&self, did: &Did) {
        self.places.lock().unwrap_or_else(PoisonError::into_inner).remove(did);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn the_cache_is_bounded_and_what_is_asked_for_stays() {
        let (cache, start) = (Cache::default(), Instant::now());
        let did = |n: usize| format!("did:web:{n}.example").parse::<Did>().expect("a DID");
        let first = cache.place(&did(0), start);
        for n in 0..10 * PLACES_MAX {
            let now = start + Duration::from_millis(n as u64);
            cache.place(&did(n), now);
            cache.place(&did(1), now);
        }
        let places = cache.places.lock().expect("not poisoned");
        assert!(places.len() <= PLACES_MAX);
        assert!(places.contains_key(&did(1)), "it is asked for all the time");
        assert!(Arc::ptr_eq(&places[&did(0)].0, &first), "somebody holds it");
    }
}
