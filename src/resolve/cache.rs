//! What was found out lately, in memory: one place per DID, so that many who ask at once cause one lookup.
//!
//! A place stands in the share of the address that first asked for it: who makes up DIDs washes out his own. Those that were good
//! once stay longest.

use super::error::Error;
use crate::{
    asker::Asker,
    did::{Did, Document},
};
use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

/// What is known of one DID. Whoever holds its lock is the one who looks it up.
#[derive(Debug)]
pub struct Slot {
    pub known: tokio::sync::Mutex<Option<Known>>,
    /// Who was the first to ask for it: it stands in his share.
    from: Asker,
    /// Its document has been had, at least once.
    good: AtomicBool,
}

impl Slot {
    fn new(from: Asker) -> Self {
        Self { known: tokio::sync::Mutex::default(), from, good: AtomicBool::new(false) }
    }

    pub fn from(&self) -> Asker {
        self.from
    }

    pub fn is_good(&self) -> bool {
        self.good.load(Ordering::Relaxed)
    }

    pub fn was_good(&self) {
        self.good.store(true, Ordering::Relaxed);
    }
}

#[derive(Debug, Clone)]
pub struct Known {
    pub outcome: Result<Arc<Document>, Error>,
    /// Asked again after this.
    pub fresh_until: Instant,
    /// When the document was last had from where it comes from.
    pub confirmed: Instant,
    /// When it was last asked for because of a key that it lacked.
    pub missed: Option<Instant>,
    /// Lookups that failed, one after the other, until now.
    pub failures: u32,
}

/// DIDs remembered. A document can fill 64 KiB, and mostly has 2.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    pub most: usize,
    /// Of one address.
    pub share: usize,
}

#[derive(Debug)]
pub struct Cache {
    size: Size,
    places: Mutex<HashMap<Did, Entry>>,
}

#[derive(Debug)]
struct Entry {
    place: Arc<Slot>,
    asked: Instant,
}

impl Entry {
    fn is_of(&self, sharer: Asker) -> bool {
        self.place.from.share() == Some(sharer)
    }

    /// One that is being looked up stays: its waiters share the answer.
    fn can_go(&self) -> bool {
        Arc::strong_count(&self.place) == 1
    }
}

impl Cache {
    pub fn new(size: Size) -> Self {
        Self { size, places: Mutex::default() }
    }

    /// The place of a DID, made if need be; then the one of the same address that was not asked for longest goes if
    /// that address has its share, or one of anybody's if there are too many. `None`: none of these can go now.
    pub fn place(&self, did: &Did, asker: Asker, now: Instant) -> Option<Arc<Slot>> {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = places.get_mut(did) {
            entry.asked = now;
            return Some(entry.place.clone());
        }
        let used_up = asker.share().filter(|from| {
            let held = places.values().filter(|entry| entry.is_of(*from));
            held.count() >= self.size.share
        });
        if used_up.is_some() || places.len() >= self.size.most {
            let may = places.iter().filter(|(_, entry)| entry.can_go() && used_up.is_none_or(|from| entry.is_of(from)));
            let gone = may.min_by_key(|(_, entry)| (entry.place.is_good(), entry.asked)).map(|(did, _)| did.clone())?;
            places.remove(&gone);
        }
        let place = Arc::new(Slot::new(asker));
        places.insert(did.clone(), Entry { place: place.clone(), asked: now });
        Some(place)
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

    const SIZE: Size = Size { most: 1024, share: 256 };

    fn did(n: usize) -> Did {
        format!("did:web:{n}.example").parse().expect("a DID")
    }

    #[test]
    fn it_is_bounded_and_what_is_asked_for_stays() {
        let (cache, start) = (Cache::new(SIZE), Instant::now());
        let first = cache.place(&did(0), Asker::Owner, start);
        for n in 0..10 * SIZE.most {
            let now = start + Duration::from_millis(n as u64);
            assert!(cache.place(&did(n), Asker::Owner, now).is_some());
            cache.place(&did(1), Asker::Owner, now);
        }
        assert!(cache.places.lock().expect("not poisoned").len() <= SIZE.most);
        let places = cache.places.lock().expect("not poisoned");
        assert!(places.contains_key(&did(1)), "it is asked for all the time");
        assert!(Arc::ptr_eq(&places[&did(0)].place, &first.expect("a place")), "somebody holds it");
    }

    #[test]
    fn made_up_dids_wash_out_nobody_elses_and_not_what_was_good() {
        let (cache, start) = (Cache::new(SIZE), Instant::now());
        let from = |n: u8| Asker::at([10, 0, 0, n].into());
        let bob = cache.place(&did(0), from(1), start).expect("a place");
        let good = cache.place(&did(1), from(2), start).expect("a place");
        good.was_good();
        drop(good);
        drop(bob);
        for n in 0..10_000 {
            cache.place(&did(10 + n), from(2), start + Duration::from_millis(n as u64));
        }
        let held = |n| cache.places.lock().expect("not poisoned").contains_key(&did(n));
        assert!(held(0) && held(1));
        assert_eq!(cache.places.lock().expect("not poisoned").len(), 1 + SIZE.share);
        // Of all together those that never were good go first.
        for n in 0..2000 {
            cache.place(&did(20_000 + n), Asker::Owner, start + Duration::from_secs(60));
        }
        assert!(held(1) && !held(0));
        // While all of an address's are being looked up, it gets no more.
        let busy: Vec<_> = (0..300).map(|n| cache.place(&did(50_000 + n), from(3), start)).collect();
        assert_eq!(busy.iter().flatten().count(), SIZE.share);
    }
}
