//! What a group of frames changes in the index, before any of it is written: the past as the next decision of
//! the group must see it, and the batch that will be applied.

use super::{
    index::Index,
    keys,
    row::{self, Stats},
    source::Source,
};
use crate::{
    dwn::Fault,
    store::{
        log::{CachedMessage, Log, frame},
        lsm::{self, Changes, Scan},
        metrics::Metrics,
        place::Position,
    },
};
use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

/// A new value, or its end.
type Change = Option<Vec<u8>>;
type Overlay<'a> = Box<dyn Iterator<Item = (&'a Vec<u8>, &'a Change)> + 'a>;

/// A group's changes.
#[derive(Debug)]
pub struct IndexBatch<'a> {
    index: &'a Index,
    log: &'a Log,
    /// The index before the group.
    before: lsm::Snapshot,
    changes: Changes,
    pub(super) frames: HashMap<Position, Arc<frame::MessageFrame>>,
    pub(super) stats: Stats,
    /// What the last frame has changed: it joins the others when the next one comes.
    pub(super) last: Changes,
}

impl Source for IndexBatch<'_> {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        match self.last.get(key).or_else(|| self.changes.get(key)) {
            Some(change) => Ok(change.clone()),
            None => self.before.get(key),
        }
    }

    fn scan(&self, from: &[u8], to: &[u8], reverse: bool) -> Scan<'_> {
        if from >= to {
            return Box::new(std::iter::empty());
        }
        let mut pairs: Scan<'_> = self.before.scan(from, to, reverse);
        for changes in [&self.changes, &self.last] {
            let above = changes.range(from.to_vec()..to.to_vec());
            let above: Overlay<'_> = if reverse { Box::new(above.rev()) } else { Box::new(above) };
            pairs = Box::new(Merged { below: pairs.peekable(), above: above.peekable(), reverse });
        }
        pairs
    }

    fn frame(&self, at: Position) -> Result<CachedMessage, Fault> {
        self.frames.get(&at).map_or_else(|| self.log.message(at), |frame| CachedMessage::of(frame))
    }

    fn metrics(&self) -> &Metrics {
        &self.index.metrics
    }
}

/// The index's pairs with the group's changes laid over them.
struct Merged<'a> {
    below: std::iter::Peekable<Scan<'a>>,
    above: std::iter::Peekable<Overlay<'a>>,
    reverse: bool,
}

impl Iterator for Merged<'_> {
    type Item = Result<(Vec<u8>, Vec<u8>), Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let Some((key, _)) = self.above.peek() else { return self.below.next() };
            if let Some(Ok((other, _))) = self.below.peek() {
                let order = if self.reverse { other.cmp(key) } else { key.as_slice().cmp(other) };
                if order.is_gt() {
                    return self.below.next();
                }
                if order.is_eq() {
                    self.below.next();
                }
            } else if self.below.peek().is_some() {
                return self.below.next();
            }
            if let Some((key, Some(value))) = self.above.next() {
                return Some(Ok((key.clone(), value.clone())));
            }
        }
    }
}

impl<'a> IndexBatch<'a> {
    pub fn new(index: &'a Index, log: &'a Log) -> Result<Self, Fault> {
        let before = index.snapshot();
        let stats = before.get(&keys::meta("stats"))?.map_or(Ok(Stats::default()), |bytes| Stats::decode(&bytes))?;
        let (changes, last, frames) = (BTreeMap::new(), BTreeMap::new(), HashMap::new());
        Ok(Self { index, log, before, changes, last, frames, stats })
    }

    /// What is to be applied: everything the frames changed, and that the log has been applied up to `next`.
    pub fn finish(mut self, next: Position) -> (Changes, Stats) {
        self.put(keys::meta("applied"), next.to_be_bytes().to_vec());
        self.put(keys::meta("version"), row::VERSION.to_be_bytes().to_vec());
        self.put(keys::meta("stats"), self.stats.encode());
        self.join();
        (self.changes, self.stats)
    }

    pub(super) fn join(&mut self) {
        self.changes.extend(std::mem::take(&mut self.last));
    }

    /// A message of the group, which the log may not have yet.
    pub(super) fn keep_frame(&mut self, position: Position, message: Arc<frame::MessageFrame>) {
        self.frames.insert(position, message);
    }

    pub(super) fn put(&mut self, key: Vec<u8>, value: Vec<u8>) {
        self.change(key, Some(value));
    }

    pub(super) fn delete(&mut self, key: Vec<u8>) {
        self.change(key, None);
    }

    pub(super) fn change(&mut self, key: Vec<u8>, value: Change) {
        self.last.insert(key, value);
    }
}
