//! For `tests/bench/store` alone (feature `bench`): a log as a store of many records has it, written soon.

use super::{
    config::Config,
    log::{
        Appender, Log,
        frame::{self, Frame},
    },
    place::Data,
    rows::{batch::IndexBatch, index::Index},
};
use crate::dwn::{Change, Fault};
use std::{fs, path::Path, sync::Arc};

/// Writes the log that a store has which took `count` records, one after another, and no index: what
/// [`super::handle::Store::open`] builds it from. A thousand records share an fsync, so it is written soon.
pub fn write_log(
    dir: &Path,
    scratch: &Path,
    count: u64,
    record: impl Fn(u64) -> Result<(Change, Data), Fault>,
) -> Result<(), Fault> {
    let config = Config::default();
    fs::create_dir_all(dir.join("log"))?;
    let (log, _) = Log::open(&dir.join("log"), Arc::default())?;
    let mut appender = Appender::open(log.clone(), 0, config.segment_size)?;
    // Holds what the first records have in common with all others.
    let index = Index::open(scratch, config.cache)?;
    let mut n = 0;
    while n < count {
        let group = appender.begin()?;
        let mut batch = IndexBatch::new(&index, &log)?;
        let mut bytes = Vec::new();
        for n in n..count.min(n + 1000) {
            let (change, data) = record(n)?;
            let frame = Frame::Message(Box::new(frame::MessageFrame::new(&change, Some(&data))?));
            let position = group + bytes.len() as u64;
            frame::encode(&frame, Some(0), position, group, &mut bytes)?;
            batch.add(position, frame)?;
        }
        appender.write(&bytes)?;
        let next = appender.sync(&bytes)?;
        if n == 0 {
            index.apply(batch.finish(next).0)?;
        }
        n += 1000;
    }
    Ok(())
}
