//! Who works: so many at the same time, and of these at most half for one address. Who waits stands behind his own first, so
//! that however much one address asks for, another waits for little of it.

use crate::{asker::Asker, dwn::Fault};
use anyhow::Context as _;
use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Workers(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    all: Arc<Semaphore>,
    share: usize,
    /// Of addresses that have something to do, or wait for it.
    each: Mutex<HashMap<IpAddr, Arc<Semaphore>>>,
}

/// Leave to work, until it is dropped.
#[derive(Debug)]
pub(super) struct Leave {
    _all: OwnedSemaphorePermit,
    _share: Share,
}

/// Of an address.
#[derive(Debug)]
struct Share {
    workers: Workers,
    address: Option<IpAddr>,
    permit: Option<OwnedSemaphorePermit>,
}

impl Workers {
    pub fn new(most: usize) -> Self {
        Self(Arc::new(Inner { all: Arc::new(Semaphore::new(most)), share: (most / 2).max(1), each: Mutex::default() }))
    }

    pub async fn leave(&self, asker: Asker) -> Result<Leave, Fault> {
        const STOPPING: &str = "the node is stopping";
        // Made first: whatever happens while it waits, the address is forgotten when nobody of it is left.
        let mut share = Share { workers: self.clone(), address: asker.place(), permit: None };
        if let Some(address) = share.address {
            let semaphore =
                self.each().entry(address).or_insert_with(|| Arc::new(Semaphore::new(self.0.share))).clone();
            share.permit = Some(semaphore.acquire_owned().await.context(STOPPING)?);
        }
        let all = self.0.all.clone().acquire_owned().await.context(STOPPING)?;
        Ok(Leave { _all: all, _share: share })
    }

    fn each(&self) -> MutexGuard<'_, HashMap<IpAddr, Arc<Semaphore>>> {
        self.0.each.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let Some(address) = self.address else { return };
        let mut each = self.workers.each();
        self.permit = None;
        // Who waits holds it too.
        if each.get(&address).is_some_and(|semaphore| Arc::strong_count(semaphore) == 1) {
            each.remove(&address);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt as _;

    #[tokio::test]
    async fn one_address_has_half_and_another_waits_for_none_of_it() {
        let workers = Workers::new(4);
        let at = |n: u8| workers.leave(Asker::at([10, 0, 0, n].into()));
        let first = [at(1).await.expect("leave"), at(1).await.expect("leave")];
        let mut waits = [Box::pin(at(1)), Box::pin(at(1))];
        assert!(waits.iter_mut().all(|wait| wait.now_or_never().is_none()), "it has its half");
        let others = [at(2).now_or_never().expect("at once").expect("leave"), at(3).await.expect("leave")];
        assert!(workers.leave(Asker::Owner).now_or_never().is_none(), "all are at work");
        drop(others);
        assert!(workers.leave(Asker::Owner).now_or_never().is_some());
        drop(first);
        for wait in waits {
            wait.await.expect("leave");
        }
        assert!(workers.each().is_empty());
    }
}
