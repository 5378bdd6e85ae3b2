//! Places that strangers share: so many in all, so many of them for one place on the network or one friend's node, and
//! some that only the owner and his devices get.
//!
//! A place may be one thing (a connection, a subscription) or a number of bytes: what is counted, its owner says. Nobody waits
//! in a line that another can fill: who waits ([`Pool::wait`]) waits for room in his own share first.

use crate::asker::Asker;
use prometheus_client::{
    metrics::{counter::Counter, gauge::Gauge},
    registry::Registry,
};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::Notify;

/// How much there is, and how it is given out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Of all together.
    pub most: usize,
    /// Of one place on the network, or one friend's node.
    pub share: usize,
    /// Of `most`, what only the owner and his devices get.
    pub reserved: usize,
}

/// Why there is nothing to be had now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Full {
    /// The asker's place has its share already.
    #[error("your address has its share of {0} already: end some, or try again later")]
    Share(&'static str),
    /// All together have all there is.
    #[error("this node has as many {0} as it can hold: try again later")]
    All(&'static str),
}

/// Cheap to clone; clones share what there is.
#[derive(Debug, Clone)]
pub struct Pool(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// What is counted, in the plural: "connections".
    what: &'static str,
    size: Size,
    taken: Mutex<Taken>,
    /// Something was given back.
    freed: Notify,
    used: Gauge,
    refused: Counter,
}

#[derive(Debug, Default)]
struct Taken {
    all: usize,
    each: HashMap<Asker, usize>,
}

/// What somebody has of a pool; dropped, it is given back.
#[derive(Debug)]
pub struct Permit {
    pool: Pool,
    asker: Asker,
    count: usize,
}

impl Pool {
    pub fn new(what: &'static str, size: Size) -> Self {
        Self(Arc::new(Inner {
            what,
            size,
            taken: Mutex::default(),
            freed: Notify::new(),
            used: Gauge::default(),
            refused: Counter::default(),
        }))
    }

    /// Registers what is used (`…_used`) and how often there was no room (`…_refused`).
    pub fn register(&self, name: &str, registry: &mut Registry) {
        let what = self.0.what;
        registry.register(format!("{name}_used"), format!("{what} now"), self.0.used.clone());
        registry.register(
            format!("{name}_refused"),
            format!("{what} refused for want of room"),
            self.0.refused.clone(),
        );
    }

    pub fn size(&self) -> Size {
        self.0.size
    }

    /// Of all together, what is taken now.
    pub fn used(&self) -> usize {
        self.lock().all
    }

    /// What the asker's place has of it.
    pub fn held(&self, asker: Asker) -> usize {
        asker.share().and_then(|sharer| self.lock().each.get(&sharer).copied()).unwrap_or_default()
    }

    /// Takes `count`, or nothing.
    pub fn take(&self, asker: Asker, count: usize) -> Result<Permit, Full> {
        let taken = self.try_take(asker, count);
        if taken.is_err() {
            self.0.refused.inc();
        }
        taken
    }

    /// Takes `count` as soon as there is room. The caller bounds how long it waits. What can never be had is an error at
    /// once.
    pub async fn wait(&self, asker: Asker, count: usize) -> Result<Permit, Full> {
        let Size { most, share, reserved } = self.0.size;
        match asker.share() {
            Some(_) if count > share => return Err(Full::Share(self.0.what)),
            Some(_) if count > most.saturating_sub(reserved) => return Err(Full::All(self.0.what)),
            None if count > most => return Err(Full::All(self.0.what)),
            _ => {}
        }
        loop {
            // Listens before it looks: what is given back in between is not missed.
            let freed = self.0.freed.notified();
            tokio::pin!(freed);
            freed.as_mut().enable();
            if let Ok(place) = self.try_take(asker, count) {
                return Ok(place);
            }
            freed.await;
        }
    }

    fn try_take(&self, asker: Asker, count: usize) -> Result<Permit, Full> {
        let Size { most, share, reserved } = self.0.size;
        let mut taken = self.lock();
        let most = if asker.share().is_some() { most.saturating_sub(reserved) } else { most };
        if let Some(sharer) = asker.share()
            && taken.each.get(&sharer).copied().unwrap_or_default() + count > share
        {
            return Err(Full::Share(self.0.what));
        }
        if taken.all + count > most {
            return Err(Full::All(self.0.what));
        }
        taken.all += count;
        if let Some(sharer) = asker.share()
            && count > 0
        {
            *taken.each.entry(sharer).or_default() += count;
        }
        self.0.used.set(taken.all as i64);
        Ok(Permit { pool: self.clone(), asker, count })
    }

    fn give_back(&self, asker: Asker, count: usize) {
        if count == 0 {
            return;
        }
        let mut taken = self.lock();
        taken.all -= count;
        if let Some(sharer) = asker.share()
            && let Some(held) = taken.each.get_mut(&sharer)
        {
            *held -= count;
            if *held == 0 {
                taken.each.remove(&sharer);
            }
        }
        self.0.used.set(taken.all as i64);
        drop(taken);
        self.0.freed.notify_waiters();
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.0.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Permit {
    pub fn count(&self) -> usize {
        self.count
    }

    pub fn asker(&self) -> Asker {
        self.asker
    }

    /// Takes `more`, or leaves it as it is.
    pub fn grow(&mut self, more: usize) -> Result<(), Full> {
        let mut place = self.pool.take(self.asker, more)?;
        self.count += std::mem::take(&mut place.count);
        Ok(())
    }

    /// Gives back all but `count`.
    pub fn shrink(&mut self, count: usize) {
        let less = self.count.saturating_sub(count);
        self.count -= less;
        self.pool.give_back(self.asker, less);
    }

    /// Whose it is has turned out: it counts as that asker's from now on, whose share must have room for it.
    pub fn become_of(&mut self, asker: Asker) -> Result<(), Full> {
        if self.asker == asker {
            return Ok(());
        }
        // Given back first: what is moved is not counted twice.
        let count = std::mem::take(&mut self.count);
        self.pool.give_back(self.asker, count);
        *self = self.pool.take(asker, count)?;
        Ok(())
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.pool.give_back(self.asker, self.count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn place(n: u8) -> Asker {
        Asker::at([10, 0, 0, n].into())
    }

    fn pool() -> Pool {
        Pool::new("things", Size { most: 10, share: 4, reserved: 2 })
    }

    #[test]
    fn one_place_has_its_share_all_have_the_rest_and_the_owner_what_is_reserved() {
        let pool = pool();
        let first = pool.take(place(1), 4).expect("its share");
        assert_eq!(pool.take(place(1), 1).map(drop), Err(Full::Share("things")));
        let _second = pool.take(place(2), 4).expect("its share");
        assert_eq!(pool.take(place(3), 1).map(drop), Err(Full::All("things")));
        let _owner = pool.take(Asker::Owner, 1).expect("reserved");
        let _device = pool.take(Asker::Device, 1).expect("reserved");
        assert!(pool.take(Asker::friend("a friend"), 1).is_err(), "that is for others");
        assert_eq!(pool.take(Asker::Owner, 1).map(drop), Err(Full::All("things")));
        drop(first);
        assert_eq!(pool.used(), 6);
        assert!(pool.take(place(3), 2).is_ok());
        assert_eq!(pool.0.refused.get(), 4);
    }

    #[test]
    fn what_is_held_grows_shrinks_and_changes_hands() {
        let pool = pool();
        let mut held = pool.take(place(1), 1).expect("room");
        held.grow(3).expect("its share");
        assert_eq!(held.grow(1), Err(Full::Share("things")));
        held.shrink(2);
        assert_eq!((held.count(), pool.used()), (2, 2));
        held.become_of(Asker::Owner).expect("room");
        let _more = pool.take(place(1), 4).expect("its share is free again");
        drop(held);
        assert_eq!(pool.used(), 4);
        assert_eq!(pool.lock().each.len(), 1);
    }

    #[tokio::test]
    async fn who_waits_is_let_in_when_there_is_room() {
        let pool = pool();
        let held = pool.take(place(1), 4).expect("its share");
        let (waiting, other) = (pool.clone(), pool.clone());
        let waits = tokio::spawn(async move { waiting.wait(place(1), 2).await.map(|place| place.count()) });
        assert!(other.wait(place(2), 4).await.is_ok(), "another does not wait behind it");
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert!(!waits.is_finished());
        drop(held);
        assert_eq!(waits.await.expect("no panic"), Ok(2));
        assert_eq!(pool.wait(place(1), 5).await.map(drop), Err(Full::Share("things")), "never");
        assert_eq!(pool.used(), 0);
    }
}
