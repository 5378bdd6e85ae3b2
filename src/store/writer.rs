//! The one writer: a thread that owns the log's end.
//!
//! It takes what is queued as one group. Each decision sees the past with what the group has decided before it. The
//! group is appended, made durable with one fdatasync, and applied to the index as one batch; then all are answered.
//! There is no timer: while one group becomes durable, the next one queues.

use super::{
    health::{Health, Stopped},
    log::{
        Appender, Log,
        frame::{self, Frame},
    },
    place::{Data, Place, Position},
    rows::{
        batch::IndexBatch,
        effects::panicked,
        index::Index,
        keys, refs,
        row::{RecordRow, Stats},
        source::{Source as _, number_of},
    },
    space,
    view::TenantView,
};
use crate::{
    cid::Digest,
    dwn::{Change, Fault, Stop, View, is_method},
    scarce,
};
use anyhow::{Context as _, anyhow, ensure};
use serde_bytes::{ByteArray, ByteBuf};
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, PoisonError},
    time::{Instant, SystemTime, UNIX_EPOCH},
};
use tokio::sync::{mpsc, oneshot, watch};

/// Writes that may wait for the writer. Each holds a message and up to 30 kB of data, so the queue holds some
/// 10 MB at most; who comes later waits in line for a place.
pub const QUEUE_MAX: usize = 256;
/// Changes in a group: sled's memory grows out of bounds with batches of hundreds of records.
const GROUP_MAX: usize = 64;
/// Bytes after which a group takes no more: beyond, the fdatasync's cost is no longer shared but added to.
const GROUP_BYTES: usize = 512 << 10;

pub type Decide = Box<dyn FnMut(&dyn View) -> Result<Change, Stop> + Send>;

/// What is asked of the writer.
pub enum Job {
    Commit {
        tenant: String,
        data: Option<Data>,
        decide: Decide,
        reply: oneshot::Sender<Result<Change, Stop>>,
    },
    State {
        changes: Vec<(Vec<u8>, Option<Vec<u8>>)>,
        reply: oneshot::Sender<Result<(), Fault>>,
    },
    /// These records go, with their messages. Answered with the messages that went.
    End {
        tenant: String,
        records: Vec<String>,
        reply: oneshot::Sender<Result<Vec<Digest>, Fault>>,
    },
    /// Which of these blocks does nothing hold? They leave the index.
    Release {
        blocks: Vec<Digest>,
        reply: oneshot::Sender<Result<Vec<Digest>, Fault>>,
    },
    /// Blocks that were copied: from where, to where.
    Relocate {
        moves: Vec<(Digest, Place, Place)>,
        reply: oneshot::Sender<Result<Vec<Digest>, Fault>>,
    },
}

/// What is answered when the group is durable.
#[expect(clippy::large_enum_variant, reason = "few live at once, and none is moved around")]
enum Answer {
    Commit(oneshot::Sender<Result<Change, Stop>>, Result<Change, Stop>),
    State(oneshot::Sender<Result<(), Fault>>, Result<(), Fault>),
    Digests(oneshot::Sender<Result<Vec<Digest>, Fault>>, Result<Vec<Digest>, Fault>),
}

impl Answer {
    // Who asked may have gone; the change stands all the same.
    fn send(self) {
        match self {
            Answer::Commit(reply, result) => drop(reply.send(result)),
            Answer::State(reply, result) => drop(reply.send(result)),
            Answer::Digests(reply, result) => drop(reply.send(result)),
        }
    }

    /// The group did not become durable.
    fn fail(self, why: &Fault) {
        match self {
            // A refusal may rest on a change that is lost with the group, so it is no answer either.
            Answer::Commit(reply, Ok(_) | Err(Stop::Refusal(_))) => {
                drop(reply.send(Err(space::stop(space::again(why)))));
            }
            Answer::State(reply, Ok(())) => drop(reply.send(Err(space::again(why)))),
            Answer::Digests(reply, Ok(_)) => drop(reply.send(Err(space::again(why)))),
            fault => fault.send(),
        }
    }
}

pub struct Writer {
    pub index: Arc<Index>,
    pub log: Log,
    pub appender: Appender,
    pub tail: watch::Sender<Position>,
    pub stats: Arc<Mutex<Stats>>,
    pub health: Arc<Health>,
    /// Why nothing is written any more.
    pub poisoned: Option<String>,
}

impl Writer {
    /// Works until the last handle to the store is dropped.
    pub fn run(mut self, mut jobs: mpsc::Receiver<Job>) {
        while let Some(first) = jobs.blocking_recv() {
            let mut answers = Vec::new();
            match self.group(first, &mut jobs, &mut answers) {
                Ok(()) => answers.into_iter().for_each(Answer::send),
                Err(error) => {
                    if scarce::is_scarcity(&error) {
                        scarce::note(&format_args!("{error:#}"));
                    } else {
                        tracing::error!("a group of {} writes failed: {error:#}", answers.len());
                    }
                    if space::is_full(&error) && self.poisoned.is_none() {
                        self.health.stop(Some(Stopped::Full));
                    }
                    answers.into_iter().for_each(|answer| answer.fail(&error));
                }
            }
        }
    }

    fn group(&mut self, first: Job, jobs: &mut mpsc::Receiver<Job>, answers: &mut Vec<Answer>) -> Result<(), Fault> {
        let group = match &self.poisoned {
            Some(why) => Err(anyhow!("{why}")),
            None => self.index.make_room().and_then(|()| self.appender.begin()),
        };
        let group = match group {
            Ok(group) => group,
            Err(error) => {
                answers.push(unasked(first, &error));
                return Err(error);
            }
        };
        let index = self.index.clone();
        let log = self.log.clone();
        let mut batch = match IndexBatch::new(&index, &log) {
            Ok(batch) => batch,
            Err(error) => {
                answers.push(unasked(first, &error));
                return Err(error);
            }
        };
        let mut bytes = Vec::new();
        let mut job = Some(first);
        while let Some(next) = job {
            answers.push(answer(next, &mut batch, group, &mut bytes));
            let room = answers.len() < GROUP_MAX && bytes.len() < GROUP_BYTES;
            job = if room { jobs.try_recv().ok() } else { None };
        }
        if bytes.is_empty() {
            return Ok(());
        }
        self.appender.write(&bytes)?;
        let begun = Instant::now();
        let next = match self.appender.sync(&bytes) {
            Ok(next) => next,
            // What the kernel has dropped of these pages does not matter: they are cut away, and the next group begins a file
            // of its own.
            Err(error) if scarce::is_scarcity(&error) => {
                self.appender.leave();
                return Err(error);
            }
            // The kernel may have dropped the dirty pages: a later fsync that succeeds would prove nothing.
            Err(error) => return Err(self.poison(error)),
        };
        self.index.metrics.committed(answers.len(), begun.elapsed(), next);
        let (changes, stats) = batch.finish(next);
        if let Err(error) = self.index.apply(changes) {
            return Err(self.poison(error.context("the group is durable in the log, but the index did not take it")));
        }
        *self.stats.lock().unwrap_or_else(PoisonError::into_inner) = stats;
        self.tail.send_replace(next);
        self.health.stop(None);
        Ok(())
    }

    fn poison(&mut self, error: Fault) -> Fault {
        let why = format!("writing has stopped until the node is restarted: {error:#}");
        self.health.degrade(why.clone());
        self.health.stop(Some(Stopped::Poisoned));
        self.poisoned = Some(why.clone());
        anyhow!("{why}")
    }
}

/// The answer to a job that was not looked at.
fn unasked(job: Job, why: &Fault) -> Answer {
    let fault = space::again(why);
    match job {
        Job::Commit { reply, .. } => Answer::Commit(reply, Err(space::stop(fault))),
        Job::State { reply, .. } => Answer::State(reply, Err(fault)),
        Job::End { reply, .. } | Job::Release { reply, .. } | Job::Relocate { reply, .. } => {
            Answer::Digests(reply, Err(fault))
        }
    }
}

/// Does a job: its frame goes to `bytes` and its changes to `batch`, or neither.
fn answer(job: Job, batch: &mut IndexBatch<'_>, group: Position, bytes: &mut Vec<u8>) -> Answer {
    match job {
        Job::Commit { tenant, data, mut decide, reply } => {
            let decided = catch_unwind(AssertUnwindSafe(|| decide(&TenantView::new(&*batch, &tenant))));
            let decided = decided.unwrap_or_else(|panic| Err(Stop::Fault(panicked("a decision", &*panic))));
            let result = decided.and_then(|change| {
                let mut message = match_data(&change, &tenant, data).and_then(|data| {
                    frame::MessageFrame::new(&change, data.as_ref()).context("making the log frame of a message")
                })?;
                message.before = batch.state_of(&tenant, &message.subject)?;
                let state = message.before.map(|before| batch.frame(before)).transpose()?;
                match state.as_ref().and_then(|state| state.kept()) {
                    Some(same) if change.brings_data => message.repeat(&same.lineage),
                    Some(before) if change.came.is_none() => message.follow(&before.cid, &before.lineage),
                    _ => {}
                }
                if !change.states.is_empty() {
                    // Before the message: if the power fails between the two, more is kept and not less.
                    let states = change.states.iter().cloned();
                    let states = states.map(|(key, value)| (ByteBuf::from(key), Some(ByteBuf::from(value))));
                    add(Frame::State(states.collect()), batch, group, bytes)?;
                }
                add(Frame::Message(Box::new(message)), batch, group, bytes)?;
                Ok(change)
            });
            Answer::Commit(reply, result)
        }
        Job::State { changes, reply } => {
            let changes = changes.into_iter().map(|(k, v)| (ByteBuf::from(k), v.map(ByteBuf::from))).collect();
            Answer::State(reply, add(Frame::State(changes), batch, group, bytes))
        }
        Job::End { tenant, records, reply } => {
            Answer::Digests(reply, end_records(&tenant, &records, batch, group, bytes))
        }
        Job::Release { blocks, reply } => Answer::Digests(reply, release(&blocks, batch, group, bytes)),
        Job::Relocate { moves, reply } => Answer::Digests(reply, relocate(moves, batch, group, bytes)),
    }
}

/// Takes some records away; which messages went.
fn end_records(
    tenant: &str,
    records: &[String],
    batch: &mut IndexBatch<'_>,
    group: Position,
    bytes: &mut Vec<u8>,
) -> Result<Vec<Digest>, Fault> {
    let mut gone = Vec::new();
    if let Some(number) = number_of(batch, tenant)? {
        for record in records {
            gone.extend(messages(batch, number, record)?);
        }
    }
    if !gone.is_empty() {
        let changes = gone.iter().map(|digest| (ByteBuf::from(keys::removal(tenant, digest)), None)).collect();
        add(Frame::State(changes), batch, group, bytes)?;
    }
    Ok(gone)
}

/// The messages of a record, the newest first; none if a delete has ended it, or it is not here.
fn messages(batch: &IndexBatch<'_>, tenant: u32, record: &str) -> Result<Vec<Digest>, Fault> {
    let Some(row) = batch.get(&keys::record(tenant, record))? else { return Ok(Vec::new()) };
    let RecordRow { initial, newest, .. } = RecordRow::decode(&row)?;
    let message = batch.frame(newest.0).context("the newest message of a record that ends")?;
    let kept = message.kept().with_context(|| format!("only a stub is left of {}", message.cid()))?;
    if is_method(&kept.message, "Delete") {
        return Ok(Vec::new());
    }
    let first = initial.map(|(_, digest)| digest).filter(|digest| *digest != newest.1);
    Ok([Some(newest.1), first].into_iter().flatten().collect())
}

/// The blocks that nothing holds leave the index; those it does not know are free as well.
fn release(
    blocks: &[Digest],
    batch: &mut IndexBatch<'_>,
    group: Position,
    bytes: &mut Vec<u8>,
) -> Result<Vec<Digest>, Fault> {
    let (mut free, mut drops) = (Vec::new(), Vec::new());
    for digest in blocks {
        match refs::place(batch, digest)? {
            Some(_) if refs::is_held(batch, digest)? => {}
            known => {
                free.push(*digest);
                drops.extend(known.map(|_| ByteArray::new(*digest)));
            }
        }
    }
    if !drops.is_empty() {
        add(Frame::Blocks(frame::Moved { drops, moves: Vec::new() }), batch, group, bytes)?;
    }
    Ok(free)
}

/// The blocks that still lie where they were copied from now lie where they were copied to.
fn relocate(
    moves: Vec<(Digest, Place, Place)>,
    batch: &mut IndexBatch<'_>,
    group: Position,
    bytes: &mut Vec<u8>,
) -> Result<Vec<Digest>, Fault> {
    let (mut moved, mut digests) = (Vec::new(), Vec::new());
    for (digest, from, to) in moves {
        if refs::place(batch, &digest)? == Some(from) {
            digests.push(digest);
            moved.push((ByteArray::new(digest), to.into()));
        }
    }
    if !moved.is_empty() {
        add(Frame::Blocks(frame::Moved { drops: Vec::new(), moves: moved }), batch, group, bytes)?;
    }
    Ok(digests)
}

/// Takes a frame into account and appends it; on an error neither.
fn add(frame: Frame, batch: &mut IndexBatch<'_>, group: Position, bytes: &mut Vec<u8>) -> Result<(), Fault> {
    let start = bytes.len();
    let position = group + start as u64;
    let added = frame::encode(&frame, Some(now()), position, group, bytes).and_then(|()| batch.add(position, frame));
    if added.is_err() {
        bytes.truncate(start);
    }
    added
}

/// Milliseconds since 1970.
fn now() -> u64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX)
}

/// The staged data that belongs to the change: what it names must be what is here. (The rules have compared what they were told
/// of the data. They never see the data itself.)
fn match_data(change: &Change, tenant: &str, data: Option<Data>) -> Result<Option<Data>, Fault> {
    ensure!(change.tenant == tenant, "a change of {} was decided on the past of {tenant}", change.tenant);
    let Some((root, size)) = &change.data else { return Ok(None) };
    let data = data.with_context(|| format!("the change names data {root}, but none was staged"))?;
    ensure!(
        data.root == *root && data.size == *size,
        "the change names data {root} of {size} bytes, but {} of {} bytes was staged",
        data.root,
        data.size
    );
    Ok(Some(data))
}
