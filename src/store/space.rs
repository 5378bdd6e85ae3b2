//! Room on the disk: below a reserve nothing new is taken, so that what must still be written can be.
//!
//! The reserve is for what frees space or must not fail: collection, the state of other modules, the index.

use crate::dwn::{Fault, Refusal};
use anyhow::Context as _;
use std::{
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// How old an answer of the file system may be: it is asked at every chunk of data, and changes slowly.
const FRESH: Duration = Duration::from_millis(500);

#[derive(Debug)]
pub(super) struct Space {
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
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((when, free)) = *last
            && when.elapsed() < FRESH
        {
            return Ok(free);
        }
        let found = rustix::fs::statvfs(&self.dir)
            .with_context(|| format!("asking for the free space around {}", self.dir.display()))?;
        let free = found.f_bavail.saturating_mul(found.f_frsize);
        *last = Some((Instant::now(), free));
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
}
