//! For `tests/bench/store` alone (feature `bench`): what each frame changes in the index, so that other engines can
//! be given the very same keys.

use super::{
    Data, Position,
    frame::{self, Frame},
    index::Index,
    log::{Appender, Log},
    pending::Pending,
};
use crate::dwn::{Change, Fault};
use std::{
    fs,
    path::Path,
    sync::{Arc, OnceLock},
};

/// Position of a frame, its message, and the keys it changes with their new values (`None`: removed).
type Each = dyn Fn(Position, &[u8], &[(&[u8], Option<&[u8]>)]) + Send + Sync;

static TAP: OnceLock<Box<Each>> = OnceLock::new();

/// From now on `each` is called with what every frame changes, as it is indexed or indexed again. The first call
/// counts, for the whole process.
pub fn tap(each: Box<Each>) {
    let _ = TAP.set(each);
}

/// Does anybody want to be told?
pub(super) fn is_heard() -> bool {
    TAP.get().is_some()
}

pub(super) fn tell(position: Position, message: &[u8], changes: &[(&[u8], Option<&[u8]>)]) {
    if let Some(each) = TAP.get() {
        each(position, message, changes);
    }
}

/// Writes the log that a store has which took `count` records, one after another, and no index: what
/// [`super::Store::open`] builds it from. A thousand records share an fsync, so it is written soon.
pub fn write_log(
    dir: &Path,
    scratch: &Path,
    count: u64,
    record: impl Fn(u64) -> Result<(Change, Data), Fault>,
) -> Result<(), Fault> {
    let config = super::Config::default();
    fs::create_dir_all(dir.join("log"))?;
    let (log, _) = Log::open(&dir.join("log"), Arc::default())?;
    let mut appender = Appender::open(log.clone(), 0, config.segment_size)?;
    // Holds what the first records have in common with all others.
    let index = Index::open(scratch, config.cache)?;
    let mut n = 0;
    while n < count {
        let group = appender.begin()?;
        let mut pending = Pending::new(&index, &log)?;
        let mut bytes = Vec::new();
        for n in n..count.min(n + 1000) {
            let (change, data) = record(n)?;
            let frame = Frame::Message(Box::new(frame::Message::new(&change, Some(&data))?));
            let position = group + bytes.len() as u64;
            frame::encode(&frame, Some(0), position, group, &mut bytes)?;
            pending.add(position, frame)?;
        }
        appender.write(&bytes)?;
        let next = appender.sync(&bytes)?;
        if n == 0 {
            index.apply(pending.finish(next).0)?;
        }
        n += 1000;
    }
    Ok(())
}
