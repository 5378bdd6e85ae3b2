//! Truncating a log at a time, to restore what was there then.

use super::{
    files::lock,
    log::{
        Appender, Log, Read, SegmentWriter,
        frame::{self, Frame},
    },
    place::Position,
    rows::keys,
};
use crate::{cid::Digest, dwn::Fault};
use anyhow::Context as _;
use serde_bytes::ByteBuf;
use std::{collections::BTreeMap, fs, path::Path, sync::Arc};

/// Removals said in one frame.
const STEP_MAX: usize = 1000;

/// What is left of a truncated log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Truncated {
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
pub fn truncate(dir: &Path, millis: u64) -> Result<Truncated, Fault> {
    let _lock = lock(&dir.join("lock"))?;
    let (log, tail) = Log::open(&dir.join("log"), Arc::default())?;
    let (mut at, mut first, mut moves, mut lacking) = (0, None, Vec::new(), Lacking::default());
    while at < tail.end {
        match log.read(at)? {
            Read::Frame { frame, at: written, next } => {
                if first.is_none() && written.is_some_and(|written| written > millis) {
                    first = Some(at);
                }
                match (first, frame) {
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
    let Some(end) = first else { return Ok(Truncated { end: tail.end, ..Truncated::default() }) };
    let index = dir.join("index");
    if index.exists() {
        fs::remove_dir_all(&index).with_context(|| format!("deleting {}", index.display()))?;
    }
    log.forget(end)?;
    cut_segment(&log, end)?;
    let mut appender = Appender::open(log, end, u64::MAX)?;
    let (gone, data_gone) = lacking.end();
    let mut frames: Vec<Frame> = Vec::new();
    if !moves.is_empty() {
        frames.push(Frame::Blocks(frame::Moved { drops: Vec::new(), moves }));
    }
    for gone in gone.chunks(STEP_MAX) {
        let key = |(tenant, digest): &(String, _)| (ByteBuf::from(keys::removal(tenant, digest)), None);
        frames.push(Frame::State(gone.iter().map(key).collect()));
    }
    let mut truncated = Truncated { end, messages_gone: gone.len() as u64, data_gone };
    if frames.is_empty() {
        return Ok(truncated);
    }
    let (group, mut bytes) = (appender.begin()?, Vec::new());
    for frame in frames {
        let position = group + bytes.len() as u64;
        frame::encode(&frame, Some(millis), position, group, &mut bytes)?;
    }
    appender.write(&bytes)?;
    truncated.end = appender.sync(&bytes)?;
    Ok(truncated)
}

/// Cuts the compacted segment that `end` lies in at `end`.
fn cut_segment(log: &Log, end: Position) -> Result<(), Fault> {
    let start = log.holder(end);
    let segment = log.open_at(start)?;
    if !segment.is_compacted() || segment.end()? <= end {
        return Ok(());
    }
    let (mut writer, mut at) = (SegmentWriter::create(log.beside(start), start)?, start);
    while at < end {
        at = match (log.whole(at)?, log.read(at)?) {
            (Some(whole), _) => {
                writer.add(at, &whole.bytes)?;
                whole.next
            }
            (None, Read::Gone { next }) => next,
            (None, _) => log.resync(at)?.unwrap_or(end),
        };
    }
    writer.finish(end)?;
    log.swap(start)
}

/// Messages that are said to be there and whose content, or data, compaction has taken.
#[derive(Debug, Default)]
struct Lacking(BTreeMap<(String, Digest), Lack>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lack {
    Message,
    Data,
}

impl Lacking {
    /// Takes the next frame of the log into account.
    pub fn add(&mut self, frame: &Frame) {
        let stub;
        let message = match frame {
            Frame::Message(message) => message,
            Frame::Stub(left) => {
                stub = Box::new(frame::MessageFrame::of_stub((**left).clone()));
                &stub
            }
            Frame::State(changes) => {
                for (tenant, digest) in changes.iter().filter_map(|(key, _)| keys::removed(key)) {
                    self.0.remove(&(tenant.to_owned(), *digest));
                }
                return;
            }
            Frame::Blocks(_) => return,
        };
        let key = |digest: &Digest| (message.tenant.clone(), *digest);
        let mut kept = None;
        for superseded in message.removes.iter().chain(&message.demotes) {
            kept = self.0.remove(&key(superseded)).or(kept);
        }
        let was_here = message.data.as_ref().is_some_and(|data| !data.elsewhere);
        let bare = was_here && message.inline.is_none() && message.blocks.is_empty();
        let lack = match (message.gone, bare || message.keeps_data && kept.is_some()) {
            (true, _) => Some(Lack::Message),
            (false, true) => Some(Lack::Data),
            (false, false) => None,
        };
        match lack {
            Some(lack) => self.0.insert(key(&message.cid), lack),
            None => self.0.remove(&key(&message.cid)),
        };
    }

    /// The messages without content, and how many lack their data only.
    pub fn end(self) -> (Vec<(String, Digest)>, u64) {
        let data = self.0.values().filter(|lack| **lack == Lack::Data).count() as u64;
        let gone = self.0.into_iter().filter(|(_, lack)| *lack == Lack::Message);
        (gone.map(|(key, _)| key).collect(), data)
    }
}
