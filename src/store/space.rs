//! Room on the disk: below a reserve nothing new is taken, so that what must still be written can be.
//!
//! The reserve is for what frees space or must not fail: collection, the state of other modules, the index.

use crate::{
    dwn::{Fault, Refusal, Stop},
    scarce,
};
use anyhow::{Context as _, anyhow};
use std::{
    io,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// How old an answer of the file system may be: it is asked at every chunk of data, and changes slowly.
const FRESH: Duration = Duration::from_millis(500);

#[derive(Debug)]
pub struct Space {
    dir: PathBuf,
    /// Bytes that stay free.
    reserve: u64,
    last: Mutex<Option<(Instant, u64)>>,
}

impl Space {
    pub fn new(dir: &Path, reserve: u64) -> Self {
        Self { dir: dir.to_owned(), reserve, last: Mutex::new(None) }
    }

    /// Free bytes, as of a moment ago.
    pub fn free(&self) -> Result<u64, Fault> {
        let last = *self.last.lock().unwrap_or_else(PoisonError::into_inner);
        match last {
            Some((when, free)) if when.elapsed() < FRESH => Ok(free),
            _ => self.now(),
        }
    }

    /// Free bytes, as of now.
    pub fn now(&self) -> Result<u64, Fault> {
        let found = rustix::fs::statvfs(&self.dir)
            .with_context(|| format!("asking for the free space around {}", self.dir.display()))?;
        let free = found.f_bavail.saturating_mul(found.f_frsize);
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), free));
        Ok(free)
    }

    /// 507 if nothing new may be taken.
    pub fn check(&self) -> Result<Result<(), Refusal>, Fault> {
        let (free, reserve) = (self.free()?, self.reserve);
        let full = || {
            let why = format!(
                "InsufficientStorage: this node is read-only: {free} bytes are free on its disk, and {reserve} are kept in \
                 reserve (store.min_free)"
            );
            Refusal::new(507, why)
        };
        Ok(if free < reserve { Err(full()) } else { Ok(()) })
    }

    /// 507 if so many bytes, which are still to come, would not leave the reserve.
    pub fn check_file(&self, bytes: u64) -> Result<Result<(), Refusal>, Fault> {
        let (free, reserve) = (self.free()?, self.reserve);
        let full = || {
            let why = format!(
                "InsufficientStorage: {bytes} bytes more do not fit: {free} are free on this node's disk, and {reserve} of them \
                 are kept in reserve (store.min_free)"
            );
            Refusal::new(507, why)
        };
        Ok(if free < reserve.saturating_add(bytes) { Err(full()) } else { Ok(()) })
    }

    /// 507 if less than `more` is free beyond what stays free.
    pub fn check_beyond(&self, more: u64) -> Result<Result<(), Refusal>, Fault> {
        let (free, reserve) = (self.free()?, self.reserve);
        let full = || {
            let why = "InsufficientStorage: what is free on this node's disk is kept for its owner, and for what others \
                 are sending already (dwn.owner_reserve): try again later, or with less";
            Refusal::new(507, why)
        };
        Ok(if free < reserve.saturating_add(more) { Err(full()) } else { Ok(()) })
    }
}

/// What a fault is to whoever asked: a refusal that came as its cause is the answer, and so is a full disk (507).
pub fn stop(fault: Fault) -> Stop {
    if is_full(&fault) {
        return Stop::Refusal(full());
    }
    if scarce::is_scarcity(&fault) {
        return Stop::Refusal(short());
    }
    fault.downcast::<Refusal>().map_or_else(Stop::Fault, Stop::Refusal)
}

/// The same fault for one more of those who wait.
pub fn again(fault: &Fault) -> Fault {
    match fault {
        fault if is_full(fault) => full().into(),
        fault if scarce::is_scarcity(fault) => short().into(),
        fault => anyhow!("{fault:#}"),
    }
}

/// Is this fault, of this or of another write of its group, that there is no room?
pub fn lacks_room(fault: &Fault) -> bool {
    is_full(fault) || fault.downcast_ref::<Refusal>().is_some_and(|refusal| refusal.code == 507)
}

/// Did the operating system say that there is no room?
pub fn is_full(fault: &Fault) -> bool {
    fault
        .chain()
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .any(|error| matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded))
}

fn short() -> Refusal {
    let why = "Busy: this node is short of file descriptors or memory: nothing of this was kept. Try again in a moment";
    Refusal::new(503, why)
}

fn full() -> Refusal {
    let why = "InsufficientStorage: the disk of this node is full: nothing of this was kept. What is here can be read";
    Refusal::new(507, why)
}
