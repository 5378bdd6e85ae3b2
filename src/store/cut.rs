//! Cutting a log at a time, to restore what was there then.

use super::{
    Position, compact, frame,
    frame::Frame,
    lock,
    log::{Appender, Log, Read},
    wipe,
};
use crate::dwn::Fault;
use anyhow::Context as _;
use serde_bytes::ByteBuf;
use std::{fs, path::Path, sync::Arc};

/// Removals said in one frame.
const STEP_MAX: usize = 1000;

/// What a cut has left.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Cut {
    /// Where the log ends.
    pub end: Position,
    /// Messages that were there at that time, and that compaction has taken since: they are missing.
    pub messages_gone: u64,
    /// Messages whose data compaction has taken since.
    pub data_gone: u64,
}

/// Takes everything that was written after `millis` (since 1970) out of the store in `dir`, which nobody has open, and
/// says where its log ends then. The index goes as well: it is rebuilt. Frames that do not say when they were written
/// are older than all that do.
///
/// Where blocks were moved to since then is said again at the end, since they lie there; blocks that were collected
/// since then are gone. So are messages and data that were superseded since then in a segment that was compacted: a
/// record whose state is gone stands at its first message.
pub fn cut(dir: &Path, millis: u64) -> Result<Cut, Fault> {
    let _lock = lock(&dir.join("lock"))?;
    let (log, tail) = Log::open(&dir.join("log"), Arc::default())?;
    let (mut at, mut cut, mut moves, mut lacking) = (0, None, Vec::new(), compact::Lacking::default());
    while at < tail.end {
        match log.read(at)? {
            Read::Frame { frame, at: written, next } => {
                if cut.is_none() && written.is_some_and(|written| written > millis) {
                    cut = Some(at);
                }
                match (cut, frame) {
                    (Some(_), Frame::Blocks(moved)) => moves.extend(moved.moves),
                    (Some(_), _) => {}
                    (None, frame) => lacking.add(&frame),
                }
                at = next;
            }
            Read::Gone { next } => at = next,
            Read::End => break,
            Read::Bad(_) => at = log.resync(at)?.unwrap_or(tail.end).min(tail.end),
        }
    }
    let Some(end) = cut else { return Ok(Cut { end: tail.end, ..Cut::default() }) };
    let index = dir.join("index");
    if index.exists() {
        fs::remove_dir_all(&index).with_context(|| format!("deleting {}", index.display()))?;
    }
    log.forget(end)?;
    compact::cut(&log, end)?;
    let mut appender = Appender::open(log, end, u64::MAX)?;
    let (gone, data_gone) = lacking.end();
    let mut frames: Vec<Frame> = Vec::new();
    if !moves.is_empty() {
        frames.push(Frame::Blocks(frame::Moved { drops: Vec::new(), moves }));
    }
    for gone in gone.chunks(STEP_MAX) {
        let key = |(tenant, digest): &(String, _)| (ByteBuf::from(wipe::key(tenant, digest)), None);
        frames.push(Frame::State(gone.iter().map(key).collect()));
    }
    let mut cut = Cut { end, messages_gone: gone.len() as u64, data_gone };
    if frames.is_empty() {
        return Ok(cut);
    }
    let (group, mut bytes) = (appender.begin()?, Vec::new());
    for frame in frames {
        let position = group + bytes.len() as u64;
        frame::encode(&frame, Some(millis), position, group, &mut bytes)?;
    }
    appender.write(&bytes)?;
    cut.end = appender.sync(&bytes)?;
    Ok(cut)
}
