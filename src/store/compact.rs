//! Compaction: what the log keeps of messages, data and state that are no more is taken out of its sealed segments.
//!
//! A [`Compactor`] makes one round in small steps. First it reads the whole log and notes what frames say is removed
//! or set again, and how much of each segment could go. Then it writes each segment anew that is worth it, beside the
//! old one, without what can go:
//!
//! - A message goes when the index does not have it *and* a frame says that it is removed; a stub is left
//!   ([`Stub`]), since later frames build on what the message did to the index.
//! - Data in a frame, and the places of blocks, go when no record reads them and no block is said to lie there:
//!   collection (`blocks`) comes first.
//! - State goes when it is not the state now *and* a later frame sets the same key.
//!
//! A record that is half gone, because the wiping of its tenant was interrupted, is left until it is gone: a tombstone is
//! found by what the record's first message says, an update may keep the data of one before.
//!
//! All of this only ever becomes more: what may go now may go later. Positions stay (see [`super::log`]), and the index
//! of the compacted log is the index. What goes is gone for `restore --at` as well, unless an older snapshot has it.
//!
//! Order, for a crash at any point: the new file is written, made durable, read back, and renamed over the old one,
//! and the directory is made durable. Before the rename the old segment is there, after it the new one, which is
//! equivalent; a file beside is deleted at the next start. Readers of the old file read on in it.

use super::{
    handle::Store,
    log::{
        Read, SegmentWriter, Whole,
        frame::{self, About, Frame, Stub},
    },
    metrics::Compacted,
    place::{Place, Position},
    rows::{
        keys, refs,
        row::{MessageRow, RecordRow},
        source::{Source, number_of},
    },
};
use crate::{
    cid::Digest,
    dwn::Fault,
    job::{First, Job},
};
use anyhow::{Context as _, ensure};
use std::{
    collections::{HashMap, HashSet, VecDeque},
    fs,
    hash::{BuildHasher as _, RandomState},
    sync::{
        PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};
use tokio_util::sync::CancellationToken;

/// Bytes of the log looked at in one step: some ten milliseconds.
const STEP_BYTES: u64 = 1 << 20;
/// Removed messages, and keys of state, that one round notes; what is beyond waits for another round.
const NOTED_MAX: usize = 2 << 20;
/// Bytes that the node's own rounds read in a second.
const RATE: u64 = 16 << 20;

/// One round.
#[derive(Debug)]
pub struct Compactor {
    store: Store,
    /// Share of a segment that must be able to go.
    above: f64,
    phase: Phase,
    noted: Noted,
    /// Segments worth it.
    chosen: VecDeque<Position>,
    done: Compacted,
    _one: One,
}

#[derive(Debug)]
enum Phase {
    /// Reading on here; of the segment that begins at the first position, what of it could go.
    Looking(Position, Found),
    Writing(Writing),
    Between,
    Over,
}

#[derive(Debug, Default)]
struct Found {
    start: Position,
    saved: u64,
    damaged: bool,
}

#[derive(Debug)]
struct Writing {
    start: Position,
    end: Position,
    at: Position,
    writer: SegmentWriter,
    messages: u64,
    frames: u64,
}

/// What the log says is no more.
#[derive(Debug, Default)]
struct Noted {
    /// First bytes of the digests of removed messages.
    removed: HashSet<u64>,
    /// Where a key of state, by its hash, was set last.
    set: HashMap<u64, Position>,
    /// Records, by their hash, that are half gone.
    halves: HashSet<u64>,
    hasher: RandomState,
}

/// Only one round at a time.
#[derive(Debug)]
struct One(std::sync::Arc<AtomicBool>);

impl Drop for One {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

/// What becomes of a frame.
enum Verdict {
    Stays,
    Becomes(Frame),
    Goes,
}

impl Store {
    /// Begins a round of compaction; `above`: the share of a segment, from 0 to 1, that must be able to go.
    pub fn compactor(&self, above: f64) -> Result<Compactor, Fault> {
        // A damaged block alone is no reason: the log has nothing that could heal it.
        let of_log = self.damage().sentence().filter(|_| self.damage().is_of_log());
        let degraded: Vec<_> = self.ailing().into_iter().chain(of_log).collect();
        ensure!(
            degraded.is_empty(),
            "the store is degraded, and nothing is taken out of the log that may still help: {}",
            degraded.join("; ")
        );
        ensure!(!self.0.compacting.swap(true, Ordering::AcqRel), "the log is being compacted already");
        Ok(Compactor {
            store: self.clone(),
            above,
            phase: Phase::Looking(0, Found::default()),
            noted: Noted::default(),
            chosen: VecDeque::new(),
            done: Compacted::default(),
            _one: One(self.0.compacting.clone()),
        })
    }

    /// A whole round, without pauses.
    pub fn compact(&self, above: f64) -> Result<Compacted, Fault> {
        let mut compactor = self.compactor(above)?;
        while compactor.step()? {}
        Ok(compactor.finish())
    }

    /// A round that reads at most `rate` bytes in a second (0: as fast as it goes).
    pub async fn compact_gently(&self, above: f64, rate: u64, stop: &CancellationToken) -> Result<Compacted, Fault> {
        let (begun, mut steps) = (Instant::now(), 0_u32);
        let mut compactor = self.compactor(above)?;
        loop {
            let step = tokio::task::spawn_blocking(move || compactor.step().map(|more| (more, compactor)));
            let more;
            (more, compactor) = step.await.context("a step of compaction")??;
            if !more || stop.is_cancelled() {
                return Ok(compactor.finish());
            }
            steps += 1;
            if rate > 0 {
                let due = Duration::from_secs_f64(f64::from(steps) * STEP_BYTES as f64 / rate as f64);
                tokio::time::sleep(due.saturating_sub(begun.elapsed())).await;
            }
        }
    }

    /// Makes a round every so often, until told to stop.
    pub async fn keep_compacting(self, every: Duration, above: f64, job: Job) -> Result<(), Fault> {
        // A share of 1 is never reached.
        if above >= 1.0 {
            job.is_off();
            return Ok(());
        }
        // A full disk, or a degraded store: the node goes on, and the next round tries again.
        let round = || async {
            let done = self.compact_gently(above, RATE, job.stop()).await.context("compacting the log")?;
            tracing::debug!("compaction: {done:?}");
            Ok(())
        };
        job.rounds(every, First::Later, round).await
    }

    /// While the guard lives, no file of the log is replaced.
    pub(crate) fn still(&self) -> std::sync::MutexGuard<'_, ()> {
        self.0.still.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Compactor {
    /// Does a bounded piece of work (blocking). False: the round is over.
    pub fn step(&mut self) -> Result<bool, Fault> {
        self.phase = match std::mem::replace(&mut self.phase, Phase::Over) {
            Phase::Looking(at, found) => self.look(at, found)?,
            Phase::Between => self.begin()?,
            Phase::Writing(writing) => self.write(writing)?,
            Phase::Over => Phase::Over,
        };
        Ok(!matches!(self.phase, Phase::Over))
    }

    /// What the round has done.
    pub fn finish(mut self) -> Compacted {
        self.abandon();
        let mut last = self.store.0.compacted.lock().unwrap_or_else(PoisonError::into_inner);
        last.0 = self.done;
        last.1 += self.done.bytes;
        self.done
    }

    /// Reads on, and notes.
    fn look(&mut self, mut at: Position, mut found: Found) -> Result<Phase, Fault> {
        let store = self.store.clone();
        let (log, end) = (&store.0.log, *store.0.tail.borrow());
        let until = at + STEP_BYTES;
        while at < end && at < until {
            let holder = log.holder(at);
            if holder != found.start {
                self.choose(std::mem::replace(&mut found, Found { start: holder, ..Found::default() }))?;
            }
            at = match log.whole(at)? {
                Some(Whole { bytes, frame, next, .. }) => {
                    self.noted.note(at, &frame);
                    self.note_half(at, &frame)?;
                    found.saved += self.saved(at, frame, bytes.len())?;
                    next
                }
                None => match log.read(at)? {
                    Read::Frame { next, .. } | Read::Gone { next } => next,
                    Read::End => end,
                    Read::Bad(_) => {
                        found.damaged = true;
                        log.resync(at)?.unwrap_or(end).min(end)
                    }
                },
            };
        }
        if at < end {
            return Ok(Phase::Looking(at, found));
        }
        self.choose(found)?;
        Ok(Phase::Between)
    }

    /// Bytes of a frame that could go, should the log agree with the index.
    fn saved(&self, at: Position, frame: Frame, before: usize) -> Result<u64, Fault> {
        let mut bytes = Vec::new();
        match judge(&self.store.source(), None, at, frame)? {
            Verdict::Stays => return Ok(0),
            Verdict::Goes => {}
            Verdict::Becomes(frame) => frame::encode(&frame, Some(0), at, at, &mut bytes)?,
        }
        Ok(before.saturating_sub(bytes.len()) as u64)
    }

    /// Notes a record that is half gone: a message is here that builds on earlier ones, the record is not.
    fn note_half(&mut self, at: Position, frame: &Frame) -> Result<(), Fault> {
        let (Frame::Message(message), source) = (frame, self.store.source()) else { return Ok(()) };
        if let About::Record(id) = &message.subject
            && !message.initial
            && message.data.is_none()
            && is_here(&source, at, message)?
            && let Some(tenant) = number_of(&source, &message.tenant)?
        {
            // Of a whole record, only the first message and the newest are here.
            let record = source.get(&keys::record(tenant, id))?.map(|row| RecordRow::decode(&row)).transpose()?;
            if record.is_some_and(|record| record.newest.1 == *message.cid) {
                return Ok(());
            }
            self.noted.halves.insert(self.noted.hasher.hash_one((message.tenant.as_str(), id.as_str())));
        }
        Ok(())
    }

    fn choose(&mut self, found: Found) -> Result<(), Fault> {
        let log = &self.store.0.log;
        // The last one is being written.
        if !log.sealed().contains(&found.start) {
            return Ok(());
        }
        let length = log.open_at(found.start)?.length()?;
        self.done.segments += 1;
        self.done.log += length;
        self.done.dead += found.saved;
        if found.damaged {
            self.done.damaged += 1;
        } else if found.saved > 0 && found.saved as f64 >= self.above * length as f64 {
            self.chosen.push_back(found.start);
        }
        Ok(())
    }

    fn begin(&mut self) -> Result<Phase, Fault> {
        let Some(start) = self.chosen.pop_front() else { return Ok(Phase::Over) };
        let log = &self.store.0.log;
        let end = log.open_at(start)?.end()?;
        log.change()?;
        let writer = SegmentWriter::create(log.beside(start), start)?;
        Ok(Phase::Writing(Writing { start, end, at: start, writer, messages: 0, frames: 0 }))
    }

    fn write(&mut self, mut writing: Writing) -> Result<Phase, Fault> {
        let store = self.store.clone();
        let log = &store.0.log;
        let until = writing.at + STEP_BYTES;
        while writing.at < writing.end && writing.at < until {
            let at = writing.at;
            if let Read::Gone { next } = log.read(at)? {
                writing.at = next;
                continue;
            }
            let Some(Whole { bytes, frame, at: written, group, next }) = log.whole(at)? else {
                // It has become damaged since it was looked at: scrub names it.
                self.done.damaged += 1;
                drop(writing);
                fs::remove_file(log.beside(log.holder(at))).context("deleting a segment that was not finished")?;
                return Ok(Phase::Between);
            };
            writing.at = next;
            let was_stub = matches!(frame, Frame::Stub(_));
            log.change()?;
            match judge(&store.source(), Some(&self.noted), at, frame)? {
                Verdict::Stays => writing.writer.add(at, &bytes)?,
                Verdict::Goes => writing.frames += 1,
                Verdict::Becomes(frame) => {
                    writing.messages += u64::from(!was_stub && matches!(frame, Frame::Stub(_)));
                    let mut bytes = Vec::new();
                    frame::encode(&frame, written, at, group, &mut bytes)?;
                    writing.writer.add(at, &bytes)?;
                }
            }
        }
        if writing.at < writing.end {
            return Ok(Phase::Writing(writing));
        }
        let Writing { start, end, writer, messages, frames, .. } = writing;
        let before = log.open_at(start)?.length()?;
        log.change()?;
        let after = writer.finish(end)?;
        if after >= before {
            fs::remove_file(log.beside(start)).context("deleting a segment that became no smaller")?;
            return Ok(Phase::Between);
        }
        let _still = store.still();
        log.swap(start)?;
        self.done.rewritten += 1;
        self.done.messages += messages;
        self.done.frames += frames;
        self.done.bytes += before - after;
        Ok(Phase::Between)
    }

    /// Takes away what was not finished.
    fn abandon(&mut self) {
        if let Phase::Writing(writing) = std::mem::replace(&mut self.phase, Phase::Over) {
            let _ = fs::remove_file(self.store.0.log.beside(writing.start)); // else the next start does it
        }
    }
}

impl Noted {
    fn note(&mut self, at: Position, frame: &Frame) {
        let removes = match frame {
            Frame::Message(message) => &message.removes,
            Frame::Stub(stub) => &stub.removes,
            Frame::State(changes) => return changes.iter().for_each(|(key, _)| self.note_key(at, key)),
            Frame::Blocks(_) => return,
        };
        removes.iter().for_each(|digest| self.note_removed(digest));
    }

    fn note_key(&mut self, at: Position, key: &[u8]) {
        if let Some((_, digest)) = keys::removed(key) {
            return self.note_removed(digest);
        }
        let hash = self.hasher.hash_one(key);
        if self.set.len() < NOTED_MAX || self.set.contains_key(&hash) {
            self.set.insert(hash, at);
        }
    }

    fn note_removed(&mut self, digest: &Digest) {
        if self.removed.len() < NOTED_MAX {
            self.removed.insert(short(digest));
        }
    }

    fn is_half(&self, tenant: &str, subject: &About) -> bool {
        match subject {
            About::Record(id) => self.halves.contains(&self.hasher.hash_one((tenant, id.as_str()))),
            About::Protocol(_) => false,
        }
    }

    fn is_set_after(&self, at: Position, key: &[u8]) -> bool {
        self.set.get(&self.hasher.hash_one(key)).is_some_and(|last| *last > at)
    }
}

fn short(digest: &Digest) -> u64 {
    digest[..8].iter().fold(0, |n, byte| n << 8 | u64::from(*byte))
}

/// What may become of the frame at `at`. Without `noted`, by the index alone.
fn judge(source: &dyn Source, noted: Option<&Noted>, at: Position, frame: Frame) -> Result<Verdict, Fault> {
    Ok(match frame {
        Frame::Blocks(_) => Verdict::Stays,
        Frame::State(changes) => {
            let all = changes.len();
            let mut left = Vec::new();
            for (key, value) in changes {
                let over = value.is_some()
                    && keys::removed(&key).is_none()
                    && source.get(&keys::state(&key))?.as_deref() != value.as_ref().map(|value| value.as_slice())
                    && noted.is_none_or(|noted| noted.is_set_after(at, &key));
                if !over {
                    left.push((key, value));
                }
            }
            match left.len() {
                len if len == all => Verdict::Stays,
                0 => Verdict::Goes,
                _ => Verdict::Becomes(Frame::State(left)),
            }
        }
        Frame::Stub(stub) if noted.is_some_and(|noted| noted.is_half(&stub.tenant, &stub.subject)) => Verdict::Stays,
        Frame::Stub(mut stub) => {
            let inline =
                stub.inline.is_some() && !needs_inline(source, at, &stub.cid, &stub.tenant, &stub.subject, &stub.data)?;
            let places = keep_places(source, &mut stub.blocks)?;
            if inline {
                stub.inline = None;
            }
            if inline || places { Verdict::Becomes(Frame::Stub(stub)) } else { Verdict::Stays }
        }
        Frame::Message(mut message) => {
            let here = is_here(source, at, &message)?;
            // What the index does not have and the log does not remove, it may have been impossible to index.
            let unsaid = |noted: &Noted| !here && !noted.removed.contains(&short(&message.cid));
            if noted.is_some_and(|noted| noted.is_half(&message.tenant, &message.subject) || unsaid(noted)) {
                return Ok(Verdict::Stays);
            }
            let frame::MessageFrame { tenant, subject, data, cid, .. } = &*message;
            let inline = message.inline.is_some() && !needs_inline(source, at, cid, tenant, subject, data)?;
            let places = keep_places(source, &mut message.blocks)?;
            if inline {
                message.inline = None;
            }
            match here {
                false => Verdict::Becomes(Frame::Stub(Box::new(Stub::of(*message)?))),
                true if inline || places => Verdict::Becomes(Frame::Message(message)),
                true => Verdict::Stays,
            }
        }
    })
}

/// Is the message at `at` the one the index has?
fn is_here(source: &dyn Source, at: Position, message: &frame::MessageFrame) -> Result<bool, Fault> {
    let Some(tenant) = number_of(source, &message.tenant)? else { return Ok(false) };
    let row = source.get(&keys::message(tenant, &message.cid))?;
    Ok(row.map(|row| MessageRow::decode(&row)).transpose()?.is_some_and(|row| row.position == at))
}

/// Does anything read the data in the frame at `at`?
fn needs_inline(
    source: &dyn Source,
    at: Position,
    cid: &Digest,
    tenant: &str,
    subject: &About,
    data: &Option<frame::DataInfo>,
) -> Result<bool, Fault> {
    let Some(info) = data else { return Ok(true) };
    let root = refs::root_digest(&info.root()?)?;
    if matches!(refs::place(source, &root)?, Some(Place::Log { at: place, .. }) if place == at) {
        return Ok(true);
    }
    let Some(tenant) = number_of(source, tenant)? else { return Ok(false) };
    let reads = |digest: &Digest| {
        let row = source.get(&keys::message(tenant, digest))?.map(|row| MessageRow::decode(&row)).transpose()?;
        Ok::<_, Fault>(row.and_then(|row| row.data).is_some_and(|data| data.inline == Some(at)))
    };
    // The message itself, or its record's newest, which keeps the data; no other has data.
    let record = match subject {
        About::Record(id) => source.get(&keys::record(tenant, id))?,
        About::Protocol(_) => None,
    };
    Ok(reads(cid)? || record.map(|row| reads(&RecordRow::decode(&row)?.newest.1)).transpose()?.unwrap_or(false))
}

/// Leaves the blocks that are still there; did any go?
fn keep_places(
    source: &dyn Source,
    blocks: &mut Vec<(serde_bytes::ByteArray<32>, frame::StoredPlace)>,
) -> Result<bool, Fault> {
    let (all, mut left) = (blocks.len(), Vec::new());
    for (digest, place) in blocks.drain(..) {
        if refs::place(source, &digest)?.is_some() {
            left.push((digest, place));
        }
    }
    *blocks = left;
    Ok(blocks.len() < all)
}
