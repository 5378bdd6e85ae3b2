//! Cutting a log at a time, to restore what was there then.

use super::{
    Position, frame,
    frame::Frame,
    lock,
    log::{Appender, Log, Read},
};
use crate::dwn::Fault;
use anyhow::Context as _;
use std::{fs, path::Path, sync::Arc};

/// Takes everything that was written after `millis` (since 1970) out of the store in `dir`, which nobody has open, and
/// says where its log ends then. The index goes as well: it is rebuilt. Frames that do not say when they were written
/// are older than all that do.
///
/// Where blocks were moved to since then is said again at the end, since they lie there; blocks that were collected
/// since then are gone.
pub fn cut(dir: &Path, millis: u64) -> Result<Position, Fault> {
    let _lock = lock(&dir.join("lock"))?;
    let (log, tail) = Log::open(&dir.join("log"), Arc::default())?;
    let (mut at, mut cut, mut moves) = (0, None, Vec::new());
    while at < tail.end {
        match log.read(at)? {
            Read::Frame { frame, at: written, next } => {
                if cut.is_none() && written.is_some_and(|written| written > millis) {
                    cut = Some(at);
                }
                if let (Some(_), Frame::Blocks(moved)) = (cut, frame) {
                    moves.extend(moved.moves);
                }
                at = next;
            }
            Read::End => break,
            Read::Bad(_) => at = log.resync(at)?.unwrap_or(tail.end).min(tail.end),
        }
    }
    let Some(end) = cut else { return Ok(tail.end) };
    let index = dir.join("index");
    if index.exists() {
        fs::remove_dir_all(&index).with_context(|| format!("deleting {}", index.display()))?;
    }
    log.forget(end)?;
    let mut appender = Appender::open(log, end, u64::MAX)?;
    if moves.is_empty() {
        return Ok(end);
    }
    let (group, mut bytes) = (appender.begin()?, Vec::new());
    let moved = Frame::Blocks(frame::Moved { drops: Vec::new(), moves });
    frame::encode(&moved, millis, group, group, &mut bytes)?;
    appender.write(&bytes)?;
    appender.sync(&bytes)
}
