//! Reading the log, from any thread.
//!
//! A segment is named by the position of its first byte, 20 digits, so that a listing is in log order. Groups of
//! frames do not cross segments. Frames are verified on every read from the files. What does not verify is never handed
//! out and never silently passed over: [`Log::read`] names it, and whoever goes on past it does so with [`Log::resync`]
//! and says it aloud.

use super::{
    frame::{self, Decoded, Frame, HEADER},
    message_cache::{CachedMessage, MessageCache},
    segment::{At, Segment},
};
use crate::{
    dwn::Fault,
    store::{damaged::Object, files::sync_dir, health::Health, place::Position},
};
use anyhow::{Context as _, anyhow, ensure};
use std::{
    cell::RefCell,
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

/// Where a segment can begin: below four million terabytes. A name beyond it is damage, and no sum of a position and a
/// file's length overflows.
const START_MAX: Position = 1 << 62;
/// Segment files kept open for reading. A reader of old history opens what it needs again.
const OPEN_MAX: usize = 64;
/// Entries of compacted segments' tables kept in memory, 8 bytes each.
const ENTRIES_MAX: usize = 1 << 20;
/// Bytes that are read at once of frames that are wanted one after the other.
const PIECE: usize = 64 << 10;
/// Bytes that a thread keeps to read frames into.
const BUFFER_MAX: usize = 64 << 10;
/// What a segment that is being compacted is called until it takes the place of the old one.
const COMPACTING: &str = "packing";

/// Reads the log.
#[derive(Debug, Clone)]
pub struct Log(pub(super) Arc<Files>);

#[derive(Debug)]
pub struct Files {
    pub(super) dir: PathBuf,
    /// Told when a message that the index has named is not there.
    health: Arc<Health>,
    pub(super) segments: Mutex<BTreeMap<Position, Option<Arc<Segment>>>>,
    messages: MessageCache,
    /// Changes that compaction makes to the disk until it fails for good: a test's simulated crash. Negative: never.
    #[cfg(test)]
    crash_in: std::sync::atomic::AtomicI64,
    /// What the next attempt to make a group durable fails with (errno): a test's. 0: it does not.
    #[cfg(test)]
    sync_fails: std::sync::atomic::AtomicI32,
}

/// What stands at a position.
#[derive(Debug)]
pub enum Read {
    Frame {
        frame: Frame,
        /// When it was written, in milliseconds since 1970, if it says so.
        at: Option<u64>,
        next: Position,
    },
    /// Nothing any more: compaction has left out what was here.
    Gone { next: Position },
    /// Nothing: the log, or its last whole frame, ends here.
    End,
    /// Something that does not verify.
    Bad(String),
}

/// A piece of the log as its file has it: who reads frame after frame asks the disk once for many.
#[derive(Debug, Default)]
pub struct Piece {
    from: Position,
    bytes: Vec<u8>,
}

impl Piece {
    /// The frame at `position`, if all of it is here and it verifies.
    fn frame(&self, position: Position) -> Option<Read> {
        let bytes = self.bytes.get(usize::try_from(position.checked_sub(self.from)?).ok()?..)?;
        let head = frame::header(position, bytes.first_chunk()?).ok()?.ok()?;
        let size = HEADER + head.length as usize;
        let payload = bytes.get(HEADER..size).filter(|payload| crc32c::crc32c(payload) == head.crc)?;
        let Decoded { frame, at } = frame::decode(payload).ok()?;
        Some(Read::Frame { frame, at, next: position + size as u64 })
    }
}

/// A frame's bytes, header and payload, with what they say.
#[derive(Debug)]
pub struct Whole {
    pub bytes: Vec<u8>,
    pub frame: Frame,
    pub at: Option<u64>,
    pub group: Position,
    pub next: Position,
}

/// What checking the last segment has found.
#[derive(Debug)]
pub struct Tail {
    /// Where the last intact frame ends.
    pub end: Position,
    /// Bytes after `end`, of a write that was cut short.
    pub torn: u64,
    /// Stretches before `end` that do not verify.
    pub damage: Vec<Damage>,
}

/// A stretch of the log that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    pub from: Position,
    pub to: Position,
    pub why: String,
}

impl std::fmt::Display for Damage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "the log is damaged from {} to {} ({}): what was written there is lost unless a peer or a backup has it",
            self.from, self.to, self.why
        )
    }
}

impl Log {
    /// Opens the log in `dir` and checks the segments' names and the last segment's bytes. Changes nothing that is
    /// part of the log.
    pub fn open(dir: &Path, health: Arc<Health>) -> Result<(Self, Tail), Fault> {
        let mut segments = BTreeMap::new();
        for entry in fs::read_dir(dir).with_context(|| format!("listing {}", dir.display()))? {
            let path = entry.with_context(|| format!("listing {}", dir.display()))?.path();
            if path.extension().is_some_and(|e| e == COMPACTING) {
                // A crash has ended the compaction of a segment, which is still there as it was.
                fs::remove_file(&path).with_context(|| format!("deleting {}", path.display()))?;
            } else if path.extension().is_some_and(|e| e == "log") {
                let start = path.file_stem().and_then(|s| s.to_str()).and_then(|s| s.parse::<Position>().ok());
                let start = start.filter(|start| *start <= START_MAX);
                let start = start.with_context(|| format!("{} is not named like a log segment", path.display()))?;
                segments.insert(start, None);
            }
        }
        let messages = MessageCache::default();
        let log = Self(Arc::new(Files {
            dir: dir.to_owned(),
            segments: Mutex::new(segments),
            messages,
            health,
            #[cfg(test)]
            crash_in: std::sync::atomic::AtomicI64::new(-1),
            #[cfg(test)]
            sync_fails: std::sync::atomic::AtomicI32::new(0),
        }));
        let tail = log.check()?;
        Ok((log, tail))
    }

    /// The segments that begin before `end`: path, bytes of the file before `end`, and whether it is sealed.
    pub fn files(&self, end: Position) -> Result<Vec<(PathBuf, u64, bool)>, Fault> {
        let starts: Vec<Position> = {
            let segments = self.0.segments.lock().unwrap_or_else(PoisonError::into_inner);
            segments.keys().copied().collect()
        };
        let last = starts.last().copied();
        let before = starts.into_iter().filter(|start| *start < end);
        before
            .map(|start| {
                let segment = self.open_at(start)?;
                let length = segment.length()?;
                let length = if segment.is_compacted() { length } else { length.min(end - start) };
                Ok((self.path(start), length, Some(start) != last))
            })
            .collect()
    }

    /// The segments that are not written any more: where each begins.
    pub fn sealed(&self) -> Vec<Position> {
        let segments = self.0.segments.lock().unwrap_or_else(PoisonError::into_inner);
        let mut starts: Vec<_> = segments.keys().copied().collect();
        starts.pop();
        starts
    }

    /// The segment that begins at `start`.
    pub fn open_at(&self, start: Position) -> Result<Arc<Segment>, Fault> {
        let found = self.segment(start)?.filter(|(begins, _)| *begins == start);
        found.map(|(_, segment)| segment).with_context(|| format!("no segment of the log begins at {start}"))
    }

    /// What is wrong with the files besides their frames: of the frame at `position`, and with `whole` of its segment.
    pub fn damage(&self, position: Position, whole: bool) -> Result<Option<String>, Fault> {
        let Some((_, segment)) = self.segment(position)? else { return Ok(None) };
        let damage = segment.damage().filter(|_| whole);
        Ok(damage.or(segment.lead_damage(position)?))
    }

    /// Where the segment that holds `position` begins.
    pub fn holder(&self, position: Position) -> Position {
        let segments = self.0.segments.lock().unwrap_or_else(PoisonError::into_inner);
        segments.range(..=position).next_back().map_or(0, |(start, _)| *start)
    }

    /// The file beside the segment at `start` that is to take its place.
    pub fn beside(&self, start: Position) -> PathBuf {
        self.path(start).with_extension(COMPACTING)
    }

    /// Puts the file beside the segment at `start` in its place, durably. Who reads the old one reads on in it.
    pub fn swap(&self, start: Position) -> Result<(), Fault> {
        self.change()?;
        let (from, to) = (self.beside(start), self.path(start));
        fs::rename(&from, &to).with_context(|| format!("renaming {} to {}", from.display(), to.display()))?;
        self.0.segments.lock().unwrap_or_else(PoisonError::into_inner).insert(start, None);
        self.change()?;
        sync_dir(&self.0.dir)
    }

    /// Stands before every change that compaction makes to the disk: where a test lets it crash.
    pub fn change(&self) -> Result<(), Fault> {
        #[cfg(test)]
        {
            use std::sync::atomic::Ordering;
            let left = self.0.crash_in.load(Ordering::SeqCst);
            ensure!(left != 0, "the disk has crashed");
            if left > 0 {
                self.0.crash_in.store(left - 1, Ordering::SeqCst);
            }
        }
        Ok(())
    }

    #[cfg(test)]
    pub fn fail_sync(&self, errno: i32) {
        self.0.sync_fails.store(errno, std::sync::atomic::Ordering::SeqCst);
    }

    #[cfg(test)]
    pub(super) fn sync_fails(&self) -> std::io::Result<()> {
        match self.0.sync_fails.swap(0, std::sync::atomic::Ordering::SeqCst) {
            0 => Ok(()),
            errno => Err(std::io::Error::from_raw_os_error(errno)),
        }
    }

    #[cfg(test)]
    pub fn crash_in(&self, changes: i64) {
        self.0.crash_in.store(changes, std::sync::atomic::Ordering::SeqCst);
    }

    /// Deletes the segments that begin at `from` or later.
    pub fn forget(&self, from: Position) -> Result<(), Fault> {
        let gone = self.0.segments.lock().unwrap_or_else(PoisonError::into_inner).split_off(&from);
        // The last one first: a crash leaves a log that ends earlier, not one with a hole.
        for start in gone.keys().rev() {
            let path = self.path(*start);
            fs::remove_file(&path).with_context(|| format!("deleting {}", path.display()))?;
        }
        sync_dir(&self.0.dir)
    }

    /// What is kept of the log in memory.
    pub fn messages(&self) -> &MessageCache {
        &self.0.messages
    }

    pub fn dir(&self) -> &Path {
        &self.0.dir
    }

    /// The frame at `position`.
    pub fn read(&self, position: Position) -> Result<Read, Fault> {
        Ok(match self.at(position)? {
            At::Frame { payload, next, .. } => match frame::decode(&payload) {
                Ok(Decoded { frame, at }) => Read::Frame { frame, at, next },
                Err(error) if error.is::<frame::Newer>() => return Err(error),
                Err(error) => Read::Bad(format!("{error:#}")),
            },
            At::Gone { next } => Read::Gone { next },
            At::Behind => Read::End,
            At::Bad(why) => Read::Bad(why),
        })
    }

    /// As [`Log::read`], of one position after the other up to `end`.
    pub fn read_on(&self, piece: &mut Piece, position: Position, end: Position) -> Result<Read, Fault> {
        if let Some(read) = piece.frame(position) {
            return Ok(read);
        }
        if let Some((_, segment)) = self.segment(position)?
            && !segment.is_compacted()
        {
            segment.bytes_at(position, usize::try_from(end - position)?.min(PIECE), &mut piece.bytes)?;
            piece.from = position;
            if let Some(read) = piece.frame(position) {
                return Ok(read);
            }
        }
        self.read(position) // which says why
    }

    /// The frame at `position` with its bytes; `None` if no intact one is there.
    pub fn whole(&self, position: Position) -> Result<Option<Whole>, Fault> {
        let At::Frame { head, payload, next } = self.at(position)? else { return Ok(None) };
        let Ok(Decoded { frame, at }) = frame::decode(&payload) else { return Ok(None) };
        let bytes = [frame::header_bytes(position, head).as_slice(), &payload].concat();
        Ok(Some(Whole { bytes, frame, at, group: head.group, next }))
    }

    /// The message whose frame is at `position`, which the index has named.
    pub fn message(&self, position: Position) -> Result<CachedMessage, Fault> {
        if let Some(message) = self.0.messages.get(position) {
            return Ok(message);
        }
        if let Some(message) = self.cached(position)? {
            self.0.messages.put(position, &message);
            return Ok(message);
        }
        // Not one of the many: read once more, to say why, or since only a stub is left of it.
        let why = match self.read(position)? {
            Read::Frame { frame: Frame::Message(message), .. } => return CachedMessage::of(&message),
            Read::Frame { frame: Frame::Stub(stub), .. } => {
                return CachedMessage::of(&frame::MessageFrame::of_stub(*stub));
            }
            Read::Frame { .. } | Read::Gone { .. } => {
                format!("the log holds no message at {position}, where the index has one")
            }
            Read::End => format!("the log ends before {position}, where the index has a message"),
            Read::Bad(why) => format!("the log is damaged at {position}: {why}"),
        };
        self.0.health.damaged(Object::Log(position), &why);
        Err(anyhow!(why))
    }

    /// Has the disk begin to read messages that will be asked for. Whatever goes wrong, the reading will tell.
    pub fn expect(&self, positions: &[Position]) {
        for position in positions {
            if let Ok(Some((_, segment))) = self.segment(*position) {
                segment.expect(*position);
            }
        }
    }

    /// The message at `position`, if there is a whole one and nothing is unusual about it.
    fn cached(&self, position: Position) -> Result<Option<CachedMessage>, Fault> {
        thread_local! {
            /// Frames are read here one after the other.
            static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
        }
        let Some((_, segment)) = self.segment(position)? else { return Ok(None) };
        BUFFER.with_borrow_mut(|buffer| {
            let message = segment.payload(position, buffer)?.and_then(CachedMessage::read);
            if buffer.len() > BUFFER_MAX {
                *buffer = Vec::new();
            }
            Ok(message)
        })
    }

    /// The first position after `position` where an intact frame, or a segment, begins.
    pub fn resync(&self, position: Position) -> Result<Option<Position>, Fault> {
        Ok(self.search(position)?.map(|(at, _)| at))
    }

    fn search(&self, position: Position) -> Result<Option<(Position, Position)>, Fault> {
        let Some((start, segment)) = self.segment(position)? else { return Ok(None) };
        for candidate in segment.candidates(position)? {
            let candidate = candidate?;
            if let At::Frame { head, .. } = segment.at(candidate)? {
                return Ok(Some((candidate, head.group)));
            }
        }
        let segments = self.0.segments.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(segments.range(position.max(start) + 1..).next().map(|(start, _)| (*start, *start)))
    }

    /// The bytes of the last segment after `position`.
    pub fn bytes_after(&self, position: Position) -> Result<Vec<u8>, Fault> {
        let Some((_, segment)) = self.segment(position)? else { return Ok(Vec::new()) };
        segment.bytes_from(position)
    }

    /// Checks that the segments follow one another and that the last one verifies.
    fn check(&self) -> Result<Tail, Fault> {
        let starts: Vec<Position> =
            self.0.segments.lock().unwrap_or_else(PoisonError::into_inner).keys().copied().collect();
        let mut damage = Vec::new();
        let mut expected = 0;
        for (i, start) in starts.iter().enumerate() {
            let end = self.open_at(*start)?.end()?;
            if *start > expected {
                damage.push(Damage { from: expected, to: *start, why: "no segment holds these bytes".into() });
            }
            if i + 1 < starts.len() {
                expected = end;
                let following = starts[i + 1];
                ensure!(
                    expected <= following,
                    "log segment {start:020}.log reaches into {following:020}.log: these are not files of one log"
                );
            }
        }
        let Some(&last) = starts.last() else { return Ok(Tail { end: 0, torn: 0, damage }) };
        let segment = self.open_at(last)?;
        let (compacted, file_end) = (segment.is_compacted(), segment.end()?);
        let mut at = last;
        loop {
            match self.at(at)? {
                At::Frame { next, .. } | At::Gone { next } => at = next,
                At::Behind => return Ok(Tail { end: at, torn: 0, damage }),
                // All of a compacted segment was durable before it took the place of another.
                At::Bad(why) if compacted => {
                    let to = self.resync(at)?.unwrap_or(file_end);
                    damage.push(Damage { from: at, to, why });
                    at = to;
                }
                At::Bad(why) => match self.acknowledged_after(at)? {
                    Some(to) => {
                        damage.push(Damage { from: at, to, why });
                        at = to;
                    }
                    None => return Ok(Tail { end: at, torn: file_end - at, damage }),
                },
            }
        }
    }

    /// Where the log goes on after the bad bytes at `at`, if anything shows that these had been acknowledged: an
    /// intact frame of a later group. Intact frames of the same group do not, since the pages of one write reach
    /// the disk in any order.
    fn acknowledged_after(&self, at: Position) -> Result<Option<Position>, Fault> {
        let Some((first, mut group)) = self.search(at)? else { return Ok(None) };
        let mut position = first;
        loop {
            if group > at {
                return Ok(Some(first));
            }
            match self.at(position)? {
                At::Frame { head, next, .. } => {
                    group = head.group;
                    if group > at {
                        return Ok(Some(first));
                    }
                    position = next;
                }
                At::Gone { next } => position = next,
                At::Behind => return Ok(None),
                At::Bad(_) => match self.search(position)? {
                    Some((further, its_group)) => (position, group) = (further, its_group),
                    None => return Ok(None),
                },
            }
        }
    }

    fn at(&self, position: Position) -> Result<At, Fault> {
        let Some((start, segment)) = self.segment(position)? else { return Ok(At::Behind) };
        let found = segment.at(position)?;
        if matches!(found, At::Behind) {
            let segments = self.0.segments.lock().unwrap_or_else(PoisonError::into_inner);
            if segments.range(start + 1..).next().is_some() {
                return Ok(At::Bad(format!(
                    "no segment holds these bytes; {} ends before",
                    self.path(start).display()
                )));
            }
        }
        Ok(found)
    }

    /// The segment that holds `position`, opened.
    fn segment(&self, position: Position) -> Result<Option<(Position, Arc<Segment>)>, Fault> {
        let mut segments = self.0.segments.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((&start, slot)) = segments.range(..=position).next_back() else { return Ok(None) };
        if let Some(segment) = slot {
            return Ok(Some((start, segment.clone())));
        }
        let following = segments.range(start + 1..).next().map(|(following, _)| *following);
        let segment = Arc::new(Segment::open(&self.path(start), start, following)?);
        if let Some(damage) = segment.damage() {
            self.0.health.damaged(Object::Segment(start), &damage);
        }
        let open = segments.values().flatten();
        let (files, entries) = open.fold((0, 0), |(files, entries), s| (files + 1, entries + s.entries()));
        if files >= OPEN_MAX || entries + segment.entries() > ENTRIES_MAX {
            segments.values_mut().for_each(|s| *s = None);
        }
        segments.insert(start, Some(segment.clone()));
        Ok(Some((start, segment)))
    }

    pub(super) fn path(&self, start: Position) -> PathBuf {
        self.0.dir.join(format!("{start:020}.log"))
    }
}
