//! The small key spaces: sled's pairs as a snapshot sees them.
//!
//! sled keeps no old versions. Before a flush changes it, what it holds of these keys is noted; who reads an older state
//! finds it there. The notes of a flush are kept as long as somebody may need them.

use super::{
    disk::Disk,
    entry::{Changes, Scan},
};
use anyhow::Error as Fault;
use std::{
    collections::VecDeque,
    ops::Bound,
    sync::{Arc, OnceLock},
};

/// sled as it was between two flushes.
#[derive(Debug, Clone)]
pub struct Small {
    disk: Arc<Disk>,
    flushes: Arc<Flushes>,
}

/// The flushes from some moment on.
#[derive(Debug, Default)]
struct Flushes(OnceLock<Flushed>);

/// A flush that has begun.
#[derive(Debug)]
struct Flushed {
    /// What it changes, as it was before.
    before: Changes,
    then: Arc<Flushes>,
}

impl Drop for Flushes {
    /// One after the other: there may be more of them than a stack is deep.
    fn drop(&mut self) {
        let mut next = self.0.take();
        while let Some(mut flushes) = next.and_then(|flushed| Arc::into_inner(flushed.then)) {
            next = flushes.0.take();
        }
    }
}

impl Small {
    pub fn new(disk: Arc<Disk>) -> Self {
        Self { disk, flushes: Arc::default() }
    }

    /// Notes what sled holds of keys that the next flush changes, before it does; sled as it will be then. When the
    /// flush fails, the same keys are flushed again, and the notes hold.
    pub fn flush<'a>(&self, keys: impl Iterator<Item = &'a Vec<u8>>) -> Result<Self, Fault> {
        let flushed = match self.flushes.0.get() {
            Some(flushed) => flushed,
            None => {
                let before = keys.map(|key| Ok((key.clone(), self.disk.get(key)?))).collect::<Result<_, Fault>>()?;
                self.flushes.0.get_or_init(|| Flushed { before, then: Arc::default() })
            }
        };
        Ok(Self { disk: self.disk.clone(), flushes: flushed.then.clone() })
    }

    pub fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        // First sled, then the notes, which are there before sled changes.
        let found = self.disk.get(key)?;
        Ok(self.flushed().find_map(|flushed| flushed.before.get(key).cloned()).unwrap_or(found))
    }

    /// Pairs with `from` ≤ key < `to`, upwards or downwards; `from` is before `to`.
    pub fn scan(&self, from: &[u8], to: &[u8], reverse: bool) -> Scan<'static> {
        let (small, from, to) = (self.clone(), from.to_vec(), to.to_vec());
        let mut pairs = self.disk.scan(&from, &to, reverse);
        let (mut last, mut ready, mut ended) = (None::<Vec<u8>>, VecDeque::new(), false);
        Box::new(std::iter::from_fn(move || {
            while ready.is_empty() && !ended {
                let found = match pairs.next().transpose() {
                    Ok(found) => found,
                    Err(error) => {
                        ended = true;
                        return Some(Err(error));
                    }
                };
                // Up to this key, or to the end, sled has been read; the notes of that stretch are there by now.
                let behind = last.as_deref().map(Bound::Excluded);
                let here = found.as_ref().map(|(key, _)| Bound::Included(key.as_slice()));
                let mut stretch = small.noted(if reverse {
                    (here.unwrap_or(Bound::Included(&from)), behind.unwrap_or(Bound::Excluded(&to)))
                } else {
                    (behind.unwrap_or(Bound::Included(&from)), here.unwrap_or(Bound::Excluded(&to)))
                });
                match found {
                    Some((key, value)) => {
                        last = Some(key.clone());
                        stretch.entry(key).or_insert(Some(value));
                    }
                    None => ended = true,
                }
                let pairs = stretch.into_iter().filter_map(|(key, value)| Some((key, value?)));
                if reverse { ready.extend(pairs.rev()) } else { ready.extend(pairs) }
            }
            ready.pop_front().map(Ok)
        }))
    }

    /// What is noted of a range.
    fn noted(&self, range: (Bound<&[u8]>, Bound<&[u8]>)) -> Changes {
        let mut noted = Changes::new();
        for (key, value) in self.flushed().flat_map(|flushed| flushed.before.range::<[u8], _>(range)) {
            // The first flush knows what was there before all.
            noted.entry(key.clone()).or_insert_with(|| value.clone());
        }
        noted
    }

    fn flushed(&self) -> impl Iterator<Item = &Flushed> {
        std::iter::successors(self.flushes.0.get(), |flushed| flushed.then.0.get())
    }
}
