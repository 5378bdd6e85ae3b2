//! The log on disk: segment files of checksummed frames, appended by one owner and read by anyone.
//!
//! A segment is named by the position of its first byte, 20 digits, so that a listing is in log order. Groups of
//! frames do not cross segments. [`Log`] reads (cheap to clone, any thread); [`Appender`] writes and is owned by
//! the writer thread. Frames are verified on every read from the files. What does not verify is never handed out and never
//! silently passed over: [`Log::read`] names it, and whoever goes on past it does so with [`Log::resync`] and says
//! it aloud.

use super::{
    Health, Position,
    frame::{self, Decoded, Frame, HEADER, Header, PAYLOAD_MAX},
    hot::Hot,
};
use crate::dwn::Fault;
use anyhow::{Context as _, anyhow, ensure};
use std::{
    collections::BTreeMap,
    fs::{self, File},
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

/// Bytes looked through at once for the next frame: what damage costs goes by its own length, not by its segment's.
const SEARCHED: usize = 64 << 10;
/// Four million terabytes. A name beyond it is damage, and no sum of positions below it overflows.
const POSITION_MAX: Position = 1 << 62;
/// Segment files kept open for reading. A reader of old history opens what it needs again.
const OPEN_MAX: usize = 64;

/// Reads the log.
#[derive(Debug, Clone)]
pub(super) struct Log(Arc<Files>);

#[derive(Debug)]
struct Files {
    dir: PathBuf,
    /// Told when a message that the index has named is not there.
    health: Arc<Health>,
    segments: Mutex<BTreeMap<Position, Option<Arc<File>>>>,
    hot: Hot,
}

/// What stands at a position.
#[derive(Debug)]
pub(super) enum Read {
    Frame {
        frame: Frame,
        /// When it was written, in milliseconds since 1970, if it says so.
        at: Option<u64>,
        next: Position,
    },
    /// Nothing: the log, or its last whole frame, ends here.
    End,
    /// Something that does not verify.
    Bad(String),
}

/// What checking the last segment has found.
#[derive(Debug)]
pub(super) struct Tail {
    /// Where the last intact frame ends.
    pub end: Position,
    /// Bytes after `end`, of a write that was cut short.
    pub torn: u64,
    /// Stretches before `end` that do not verify.
    pub damage: Vec<Damage>,
}

/// A stretch of the log that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Damage {
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
    /// Opens the log in `dir` and checks the segments' names and the last segment's bytes. Changes nothing.
    pub fn open(dir: &Path, health: Arc<Health>) -> Result<(Self, Tail), Fault> {
        let mut segments = BTreeMap::new();
        for entry in fs::read_dir(dir).with_context(|| format!("listing {}", dir.display()))? {
            let path = entry.with_context(|| format!("listing {}", dir.display()))?.path();
            if path.extension().is_some_and(|e| e == "log") {
                let start = path.file_stem().and_then(|s| s.to_str()).and_then(|s| s.parse::<Position>().ok());
                let start = start.with_context(|| format!("{} is not named like a log segment", path.display()))?;
                segments.insert(start, None);
            }
        }
        let hot = Hot::default();
        let log = Self(Arc::new(Files { dir: dir.to_owned(), segments: Mutex::new(segments), hot, health }));
        let tail = log.check()?;
        Ok((log, tail))
    }

    /// The segments that begin before `end`: path, bytes before `end`, and whether it is sealed.
    pub fn files(&self, end: Position) -> Result<Vec<(PathBuf, u64, bool)>, Fault> {
        let starts: Vec<Position> = {
            let segments = self.0.segments.lock().unwrap_or_else(PoisonError::into_inner);
            segments.keys().copied().collect()
        };
        let last = starts.last().copied();
        let before = starts.into_iter().filter(|start| *start < end);
        before.map(|start| Ok((self.path(start), self.length(start)?.min(end - start), Some(start) != last))).collect()
    }

    /// Deletes the segments that begin at `from` or later.
    pub fn forget(&self, from: Position) -> Result<(), Fault> {
        let gone = self.0.segments.lock().unwrap_or_else(PoisonError::into_inner).split_off(&from);
        // The last one first: a crash leaves a log that ends earlier, not one with a hole.
        for start in gone.keys().rev() {
            let path = self.path(*start);
            fs::remove_file(&path).with_context(|| format!("deleting {}", path.display()))?;
        }
        super::sync_dir(&self.0.dir)
    }

    pub fn dir(&self) -> &Path {
        &self.0.dir
    }

    /// The frame at `position`.
    pub fn read(&self, position: Position) -> Result<Read, Fault> {
        Ok(match self.raw(position)? {
            Raw::Frame(head, payload) => match frame::decode(&payload) {
                Ok(Decoded { frame, at }) => Read::Frame { frame, at, next: next(position, head) },
                Err(error) => Read::Bad(format!("{error:#}")),
            },
            Raw::End => Read::End,
            Raw::Bad(why) => Read::Bad(why),
        })
    }

    /// The message whose frame is at `position`, which the index has named.
    pub fn message(&self, position: Position) -> Result<Arc<frame::Message>, Fault> {
        if let Some(message) = self.0.hot.get(position) {
            return Ok(message);
        }
        let why = match self.read(position)? {
            Read::Frame { frame: Frame::Message(message), .. } => {
                let message = Arc::new(*message);
                self.0.hot.put(position, message.clone());
                return Ok(message);
            }
            Read::Frame { .. } => format!("the log holds no message at {position}, where the index has one"),
            Read::End => format!("the log ends before {position}, where the index has a message"),
            Read::Bad(why) => format!("the log is damaged at {position}: {why}"),
        };
        self.0.health.degrade(why.clone());
        Err(anyhow!(why))
    }

    /// The first position after `position` where an intact frame, or a segment, begins.
    pub fn resync(&self, position: Position) -> Result<Option<Position>, Fault> {
        Ok(self.search(position)?.map(|(at, _)| at))
    }

    fn search(&self, position: Position) -> Result<Option<(Position, Position)>, Fault> {
        let Some((start, file)) = self.segment(position)? else { return Ok(None) };
        let length = file.metadata()?.len();
        let mut offset = position - start + 1;
        while offset < length {
            // Windows overlap by a magic's length less one.
            let size = (length - offset).min((SEARCHED + frame::MAGIC.len() - 1) as u64);
            let mut window = vec![0; size as usize];
            file.read_exact_at(&mut window, offset)?;
            for (at, _) in window.windows(frame::MAGIC.len()).enumerate().filter(|(_, found)| found == frame::MAGIC) {
                let candidate = start + offset + at as u64;
                if let Raw::Frame(head, _) = self.raw(candidate)? {
                    return Ok(Some((candidate, head.group)));
                }
            }
            offset += SEARCHED as u64;
        }
        let segments = self.0.segments.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(segments.range(position.max(start) + 1..).next().map(|(start, _)| (*start, *start)))
    }

    /// The bytes of the last segment after `position`.
    pub fn bytes_after(&self, position: Position) -> Result<Vec<u8>, Fault> {
        let Some((start, file)) = self.segment(position)? else { return Ok(Vec::new()) };
        bytes_from(&file, position - start)
    }

    /// Checks that the segments follow one another and that the last one verifies.
    fn check(&self) -> Result<Tail, Fault> {
        let starts: Vec<Position> =
            self.0.segments.lock().unwrap_or_else(PoisonError::into_inner).keys().copied().collect();
        let mut damage = Vec::new();
        let mut expected = 0;
        for (i, start) in starts.iter().enumerate() {
            let end = start.checked_add(self.length(*start)?).filter(|end| *end <= POSITION_MAX);
            let end =
                end.with_context(|| format!("log segment {start:020}.log is named beyond what a log can hold"))?;
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
        let file_end = last + self.length(last)?;
        let mut at = last;
        loop {
            match self.raw(at)? {
                Raw::Frame(head, _) => at = next(at, head),
                Raw::End => return Ok(Tail { end: at, torn: 0, damage }),
                Raw::Bad(why) => match self.acknowledged_after(at)? {
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
            match self.raw(position)? {
                Raw::Frame(head, _) => {
                    group = head.group;
                    if group > at {
                        return Ok(Some(first));
                    }
                    position = next(position, head);
                }
                Raw::End => return Ok(None),
                Raw::Bad(_) => match self.search(position)? {
                    Some((further, its_group)) => (position, group) = (further, its_group),
                    None => return Ok(None),
                },
            }
        }
    }

    fn raw(&self, position: Position) -> Result<Raw, Fault> {
        let Some((start, file)) = self.segment(position)? else { return Ok(Raw::End) };
        let path = || self.path(start).display().to_string();
        let length = file.metadata().with_context(path)?.len();
        let offset = position - start;
        if offset >= length {
            let segments = self.0.segments.lock().unwrap_or_else(PoisonError::into_inner);
            return Ok(match segments.range(start + 1..).next() {
                Some(_) => Raw::Bad(format!("no segment holds these bytes; {} ends before", path())),
                None => Raw::End,
            });
        }
        if length - offset < HEADER as u64 {
            return Ok(Raw::Bad(format!("{} ends within a frame's header", path())));
        }
        let mut header = [0; HEADER];
        file.read_exact_at(&mut header, offset).with_context(path)?;
        let head = match frame::header(position, &header) {
            Ok(head) => head,
            Err(why) => return Ok(Raw::Bad(format!("{}, byte {offset}: {why}", path()))),
        };
        if head.length > PAYLOAD_MAX || length - offset - (HEADER as u64) < u64::from(head.length) {
            return Ok(Raw::Bad(format!("{}, byte {offset}: the frame is longer than its segment", path())));
        }
        let mut payload = vec![0; head.length as usize];
        file.read_exact_at(&mut payload, offset + HEADER as u64).with_context(path)?;
        if crc32c::crc32c(&payload) != head.crc {
            return Ok(Raw::Bad(format!("{}, byte {offset}: the frame does not match its checksum", path())));
        }
        Ok(Raw::Frame(head, payload))
    }

    /// The segment that holds `position`, opened.
    fn segment(&self, position: Position) -> Result<Option<(Position, Arc<File>)>, Fault> {
        let mut segments = self.0.segments.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((&start, slot)) = segments.range_mut(..=position).next_back() else { return Ok(None) };
        if let Some(file) = slot {
            return Ok(Some((start, file.clone())));
        }
        let path = self.path(start);
        let file = Arc::new(File::open(&path).with_context(|| format!("opening {}", path.display()))?);
        if segments.values().filter(|s| s.is_some()).count() >= OPEN_MAX {
            segments.values_mut().for_each(|s| *s = None);
        }
        segments.insert(start, Some(file.clone()));
        Ok(Some((start, file)))
    }

    fn length(&self, start: Position) -> Result<u64, Fault> {
        let path = self.path(start);
        Ok(fs::metadata(&path).with_context(|| format!("looking at {}", path.display()))?.len())
    }

    fn path(&self, start: Position) -> PathBuf {
        self.0.dir.join(format!("{start:020}.log"))
    }
}

enum Raw {
    Frame(Header, Vec<u8>),
    End,
    Bad(String),
}

fn next(position: Position, head: Header) -> Position {
    position + HEADER as u64 + u64::from(head.length)
}

fn bytes_from(file: &File, offset: u64) -> Result<Vec<u8>, Fault> {
    let length = file.metadata()?.len().saturating_sub(offset);
    let mut bytes = vec![0; usize::try_from(length)?];
    file.read_exact_at(&mut bytes, offset)?;
    Ok(bytes)
}

/// Writes the log: one, owned by the writer thread.
#[derive(Debug)]
pub(super) struct Appender {
    log: Log,
    segment_size: u64,
    start: Position,
    end: Position,
    file: Option<File>,
}

impl Appender {
    /// Continues the log at `end`; what stands after it in its segment is cut away.
    pub fn open(log: Log, end: Position, segment_size: u64) -> Result<Self, Fault> {
        let holder = {
            let segments = log.0.segments.lock().unwrap_or_else(PoisonError::into_inner);
            segments.range(..=end).next_back().map(|(start, _)| *start)
        };
        let mut appender = Self { segment_size, start: end, end, file: None, log };
        if let Some(start) = holder {
            let path = appender.log.path(start);
            let file =
                File::options().write(true).open(&path).with_context(|| format!("opening {}", path.display()))?;
            if file.metadata()?.len() > end - start {
                file.set_len(end - start).with_context(|| format!("cutting {} back", path.display()))?;
                file.sync_all()?;
            }
            if file.metadata()?.len() == end - start {
                (appender.start, appender.file) = (start, Some(file));
            }
        }
        Ok(appender)
    }

    /// Where the next group will begin; begins a new segment if the last is full.
    pub fn begin(&mut self) -> Result<Position, Fault> {
        if self.file.is_none() || self.end - self.start >= self.segment_size {
            let path = self.log.path(self.end);
            let file = File::options().write(true).create(true).truncate(true).open(&path);
            let file = file.with_context(|| format!("creating {}", path.display()))?;
            // The directory entry must be as durable as the frames that go into the file.
            super::sync_dir(&self.log.0.dir)?;
            self.log.0.segments.lock().unwrap_or_else(PoisonError::into_inner).insert(self.end, None);
            (self.start, self.file) = (self.end, Some(file));
        }
        Ok(self.end)
    }

    /// Leaves a gap: the next group begins, in a new segment, at `end`.
    pub fn skip_to(&mut self, end: Position) {
        (self.start, self.end, self.file) = (end, end, None);
    }

    /// Writes a group's bytes without making them durable. On failure nothing of them stays.
    pub fn write(&mut self, group: &[u8]) -> Result<(), Fault> {
        let offset = self.end - self.start;
        let path = self.log.path(self.start);
        let file = self.file.as_ref().context("a group is written before its segment was begun")?;
        if let Err(error) = file.write_all_at(group, offset) {
            file.set_len(offset).with_context(|| format!("cutting {} back after a failed write", path.display()))?;
            return Err(error).with_context(|| format!("writing {}", path.display()));
        }
        Ok(())
    }

    /// Makes the group just written durable. After a failure the state of the file is unknown: stop writing.
    pub fn sync(&mut self, group: &[u8]) -> Result<Position, Fault> {
        let file = self.file.as_ref().context("a group is synced before its segment was begun")?;
        file.sync_data().with_context(|| format!("making {} durable", self.log.path(self.start).display()))?;
        self.end += group.len() as u64;
        Ok(self.end)
    }
}
