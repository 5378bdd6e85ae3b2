//! One file of the log, in either of its two forms.
//!
//! As it is written, a segment is its frames one after the other: a frame's place in the file is its position less the
//! segment's. Compaction leaves frames out and makes others shorter, and positions must stay what they were, since the
//! index, cursors and followers hold them. So a compacted segment says each frame's position:
//!
//! ```text
//! 0  magic "tft"  3  2  4  frames u32  8  end of the segment u64  16  table crc32c  20  header crc32c
//! 24 frames: position u64, then the frame as ever (its header's checksum covers the position)
//! …  table: for each frame its position, less the segment's, and its place in the file, u32 each
//! ```
//!
//! The table is for speed: where it is damaged the frames are found again by searching, and only then is a position
//! without a frame damage instead of a frame that was left out.

use super::frame::{self, HEADER, Header, Newer, PAYLOAD_MAX};
use crate::{dwn::Fault, scarce, store::place::Position};
use anyhow::{Context as _, ensure};
use std::{
    collections::VecDeque,
    fs::File,
    io::{BufWriter, Write as _},
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
};

/// Bytes of the position before a frame.
const LEAD: u64 = 8;
/// Bytes of an entry of the table.
const ENTRY: u64 = 8;
/// Bytes read at a time to find frames without a table.
const PIECE: usize = 1 << 20;
/// Bytes looked through at once for the next frame: what damage costs goes by its own length, not by its segment's.
const SEARCHED: usize = 64 << 10;
/// Bytes that are read where a frame is expected.
const READ: usize = 2 << 10;

#[derive(Debug)]
pub struct Segment {
    file: File,
    path: PathBuf,
    start: Position,
    table: Option<Table>,
}

#[derive(Debug)]
struct Table {
    end: Position,
    /// Position less the segment's, and place in the file of what leads the frame, in order.
    entries: Vec<(u32, u32)>,
    /// Why the header or the table could not be used.
    damage: Option<String>,
}

/// Positions where a frame may begin.
type Candidates<'a> = Box<dyn Iterator<Item = Result<Position, Fault>> + 'a>;

/// What stands at a position of a segment.
#[derive(Debug)]
pub enum At {
    Frame {
        head: Header,
        payload: Vec<u8>,
        next: Position,
    },
    /// A frame was here that compaction has left out.
    Gone {
        next: Position,
    },
    /// The segment ends before.
    Behind,
    Bad(String),
}

/// What was read into a buffer.
enum Loaded {
    Frame(Header),
    Behind,
    Bad(String),
}

impl Segment {
    /// Opens a segment; `following`: where the next one begins.
    pub fn open(path: &Path, start: Position, following: Option<Position>) -> Result<Self, Fault> {
        let naming = || format!("opening {}", path.display());
        let file = scarce::patiently(|| File::open(path)).with_context(naming)?;
        let table = Table::read(&file, start, following).with_context(naming)?;
        Ok(Self { file, path: path.to_owned(), start, table })
    }

    /// The position behind the last frame it had when it was sealed; for one that is still written, its end now.
    pub fn end(&self) -> Result<Position, Fault> {
        match &self.table {
            Some(table) => Ok(table.end),
            None => self.start.checked_add(self.length()?).context("a position beyond what a log can hold"),
        }
    }

    /// Bytes of the file.
    pub fn length(&self) -> Result<u64, Fault> {
        Ok(self.file.metadata().with_context(|| format!("looking at {}", self.path.display()))?.len())
    }

    pub fn is_compacted(&self) -> bool {
        self.table.is_some()
    }

    /// Frames in the table, which is kept in memory.
    pub fn entries(&self) -> usize {
        self.table.as_ref().map_or(0, |table| table.entries.len())
    }

    /// What is wrong with the file besides its frames.
    pub fn damage(&self) -> Option<String> {
        let why = self.table.as_ref()?.damage.as_ref()?;
        Some(format!("{}: {why}; its frames were found by searching for them", self.path.display()))
    }

    /// What is wrong with what leads the frame at `position`, which is read without it.
    pub fn lead_damage(&self, position: Position) -> Result<Option<String>, Fault> {
        let Some(table) = &self.table else { return Ok(None) };
        let Some(place) = table.lead(position - self.start) else { return Ok(None) };
        let mut lead = [0; LEAD as usize];
        self.file.read_exact_at(&mut lead, place)?;
        let damaged = u64::from_be_bytes(lead) != position;
        Ok(damaged
            .then(|| format!("{}, byte {place}: a frame's position is damaged, the frame is not", self.path.display())))
    }

    /// What stands at `position`, which is not before the segment.
    pub fn at(&self, position: Position) -> Result<At, Fault> {
        let Some(table) = &self.table else { return self.plain(position) };
        if position >= table.end {
            return Ok(At::Behind);
        }
        let next_of = |i: usize| table.entries.get(i).map_or(table.end, |(at, _)| self.start + u64::from(*at));
        let Ok(wanted) = u32::try_from(position - self.start) else {
            return Ok(At::Bad(format!("{}: it cannot hold {position}", self.path.display())));
        };
        match table.entries.binary_search_by_key(&wanted, |(at, _)| *at) {
            Ok(i) => {
                let lead = u64::from(table.entries[i].1);
                match self.frame(position, lead + LEAD, next_of(i + 1))? {
                    At::Behind => Ok(At::Bad(format!("{} ends before the frame of {position}", self.path.display()))),
                    found => Ok(found),
                }
            }
            Err(_) if table.damage.is_some() => {
                Ok(At::Bad(format!("{}: no frame was found for {position}", self.path.display())))
            }
            Err(i) => Ok(At::Gone { next: next_of(i) }),
        }
    }

    /// Where frames may begin after `position`, from the bytes alone; the caller looks whether they do.
    pub fn candidates(&self, position: Position) -> Result<Candidates<'_>, Fault> {
        if let Some(table) = &self.table {
            let start = self.start;
            let all = table.entries.iter().map(move |(at, _)| start + u64::from(*at));
            return Ok(Box::new(all.filter(move |at| *at > position).map(Ok)));
        }
        let (length, mut offset, mut found) = (self.length()?, position - self.start + 1, VecDeque::new());
        Ok(Box::new(std::iter::from_fn(move || {
            while found.is_empty() && offset < length {
                // Windows overlap by a magic's length less one.
                let size = (length - offset).min((SEARCHED + frame::MAGIC.len() - 1) as u64);
                let mut window = vec![0; size as usize];
                if let Err(error) = self.file.read_exact_at(&mut window, offset) {
                    offset = length;
                    return Some(Err(error.into()));
                }
                let starts = window.windows(frame::MAGIC.len()).enumerate().filter(|(_, w)| w == frame::MAGIC);
                found.extend(starts.map(|(at, _)| self.start + offset + at as u64));
                offset += SEARCHED as u64;
            }
            found.pop_front().map(Ok)
        })))
    }

    /// The file's bytes from a position on, as many as are there and wanted.
    pub fn bytes_at(&self, position: Position, wanted: usize, bytes: &mut Vec<u8>) -> Result<(), Fault> {
        bytes.resize(wanted, 0);
        let read = self.fill(bytes, position - self.start).with_context(|| self.path.display().to_string())?;
        bytes.truncate(read);
        Ok(())
    }

    /// The file's bytes after a position; none of a compacted one, whose bytes are not the log's.
    pub fn bytes_from(&self, position: Position) -> Result<Vec<u8>, Fault> {
        if self.table.is_some() {
            return Ok(Vec::new());
        }
        let offset = position.saturating_sub(self.start);
        let mut bytes = vec![0; usize::try_from(self.length()?.saturating_sub(offset))?];
        self.file.read_exact_at(&mut bytes, offset).with_context(|| format!("reading {}", self.path.display()))?;
        Ok(bytes)
    }

    fn plain(&self, position: Position) -> Result<At, Fault> {
        match self.frame(position, position - self.start, 0)? {
            At::Frame { head, payload, .. } => {
                let next = position + HEADER as u64 + u64::from(head.length);
                Ok(At::Frame { head, payload, next })
            }
            other => Ok(other),
        }
    }

    /// The frame of `position` at `offset` of the file; [`At::Behind`] if the file ends before that.
    fn frame(&self, position: Position, offset: u64, next: Position) -> Result<At, Fault> {
        let mut payload = Vec::new();
        Ok(match self.load(position, offset, &mut payload)? {
            Loaded::Frame(head) => {
                payload.truncate(HEADER + head.length as usize);
                payload.drain(..HEADER);
                At::Frame { head, payload, next }
            }
            Loaded::Behind => At::Behind,
            Loaded::Bad(why) => At::Bad(why),
        })
    }

    /// The payload of the frame at `position`, read into `buffer`, whose bytes mean nothing before; `None`: there is no
    /// intact frame, or none any more, and [`Segment::at`] says what there is.
    pub fn payload<'b>(&self, position: Position, buffer: &'b mut Vec<u8>) -> Result<Option<&'b [u8]>, Fault> {
        let Some(offset) = self.offset(position) else { return Ok(None) };
        let Loaded::Frame(head) = self.load(position, offset, buffer)? else { return Ok(None) };
        Ok(buffer.get(HEADER..HEADER + head.length as usize))
    }

    /// Has the disk begin to read the frame at `position`.
    pub fn expect(&self, position: Position) {
        #[cfg(target_os = "linux")]
        if let Some(offset) = self.offset(position) {
            let length = std::num::NonZero::new(READ as u64);
            let _ = rustix::fs::fadvise(&self.file, offset, length, rustix::fs::Advice::WillNeed);
        }
    }

    /// Where in the file the frame of `position` begins, if it has not been left out.
    fn offset(&self, position: Position) -> Option<u64> {
        match &self.table {
            None => Some(position - self.start),
            Some(table) => table.lead(position - self.start).map(|lead| lead + LEAD),
        }
    }

    /// Reads the frame of `position` at `offset` of the file to the beginning of `buffer`, which grows to hold it.
    fn load(&self, position: Position, offset: u64, buffer: &mut Vec<u8>) -> Result<Loaded, Fault> {
        let path = || self.path.display().to_string();
        // Most frames are no longer than that: one call brings it.
        buffer.resize(buffer.len().max(READ), 0);
        let read = self.fill(&mut buffer[..READ], offset).with_context(path)?;
        let found = &buffer[..read];
        if found.is_empty() {
            return Ok(Loaded::Behind);
        }
        let Some(header) = found.first_chunk() else {
            return Ok(Loaded::Bad(format!("{} ends within a frame's header", path())));
        };
        let head = match frame::header(position, header)? {
            Ok(head) => head,
            Err(why) => return Ok(Loaded::Bad(format!("{}, byte {offset}: {why}", path()))),
        };
        let size = HEADER + head.length as usize;
        if head.length > PAYLOAD_MAX || (size > read && size as u64 > self.length()?.saturating_sub(offset)) {
            return Ok(Loaded::Bad(format!("{}, byte {offset}: the frame is longer than its segment", path())));
        }
        if size > read {
            buffer.resize(buffer.len().max(size), 0);
            self.file.read_exact_at(&mut buffer[read..size], offset + read as u64).with_context(path)?;
        }
        if crc32c::crc32c(&buffer[HEADER..size]) != head.crc {
            return Ok(Loaded::Bad(format!("{}, byte {offset}: the frame does not match its checksum", path())));
        }
        Ok(Loaded::Frame(head))
    }

    /// Reads as much as there is, and how much that is.
    fn fill(&self, buffer: &mut [u8], offset: u64) -> std::io::Result<usize> {
        let mut filled = 0;
        while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match self.file.read_at(rest, offset + filled as u64) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(filled)
    }
}

impl Table {
    /// Where in the file the lead of the frame stands that is so far behind the segment's position.
    fn lead(&self, behind: u64) -> Option<u64> {
        let found = self.entries.binary_search_by_key(&behind, |(at, _)| u64::from(*at)).ok()?;
        self.entries.get(found).map(|(_, lead)| u64::from(*lead))
    }

    /// What makes a file a compacted segment; `None`: it is not one.
    fn read(file: &File, start: Position, following: Option<Position>) -> Result<Option<Self>, Fault> {
        let length = file.metadata()?.len();
        let mut header = [0; HEADER];
        if length < HEADER as u64 {
            return Ok(None);
        }
        file.read_exact_at(&mut header, 0)?;
        let sound = &header[..3] == frame::MAGIC && frame::header_crc(start, &header) == frame::u32_at(&header, 20);
        if sound && header[3] > frame::COMPACTED_VERSION {
            return Err(
                Newer { what: "a segment of the log", found: header[3], known: frame::COMPACTED_VERSION }.into()
            );
        }
        if sound && header[3] < frame::COMPACTED_VERSION {
            return Ok(None);
        }
        if sound {
            let end = frame::u64_at(&header, 8);
            let size = end.checked_sub(start).and_then(|size| u32::try_from(size).ok());
            let size = size.with_context(|| format!("a compacted segment says that it ends at {end}"))?;
            let (frames, crc) = (u64::from(frame::u32_at(&header, 4)), frame::u32_at(&header, 16));
            if let Some(entries) = table(file, length, frames, crc)?.filter(|entries| ascend(entries, size)) {
                return Ok(Some(Self { end, entries, damage: None }));
            }
            let entries = search(file, length, start, end)?;
            let damage = Some("the table of this compacted segment is damaged".to_owned());
            return Ok(Some(Self { end, entries, damage }));
        }
        // A damaged first frame, or a damaged header? A frame that says its own position tells.
        let mut first = [0; LEAD as usize + HEADER];
        if length < HEADER as u64 + first.len() as u64 {
            return Ok(None);
        }
        file.read_exact_at(&mut first, HEADER as u64)?;
        if led(&first, start, following.unwrap_or(u64::MAX))?.is_none() {
            return Ok(None);
        }
        let entries = search(file, length, start, following.unwrap_or(u64::MAX))?;
        let last = entries.last().map_or(start, |(at, _)| start.saturating_add(u64::from(*at) + 1));
        let damage = Some("the header of this compacted segment is damaged".to_owned());
        Ok(Some(Self { end: following.unwrap_or(last), entries, damage }))
    }
}

/// The table at a file's end, if it is whole.
fn table(file: &File, length: u64, frames: u64, crc: u32) -> Result<Option<Vec<(u32, u32)>>, Fault> {
    let Some(at) = length.checked_sub(frames * ENTRY).filter(|at| *at >= HEADER as u64) else { return Ok(None) };
    let mut bytes = vec![0; usize::try_from(frames * ENTRY)?];
    file.read_exact_at(&mut bytes, at)?;
    let number = |bytes: &[u8]| bytes.iter().fold(0, |n, byte| n << 8 | u32::from(*byte));
    let whole = crc32c::crc32c(&bytes) == crc;
    Ok(whole.then(|| bytes.chunks_exact(8).map(|entry| (number(&entry[..4]), number(&entry[4..]))).collect()))
}

/// Do the positions of a table grow, and stay below the segment's size? Else nothing that follows them would end.
fn ascend(entries: &[(u32, u32)], size: u32) -> bool {
    entries.is_sorted_by_key(|(at, _)| *at)
        && entries.windows(2).all(|pair| pair[0].0 != pair[1].0)
        && entries.last().is_none_or(|(at, _)| *at < size)
}

/// The frame that begins here with its position, if that lies in `start..end`: position and length of the payload.
fn led(bytes: &[u8], start: Position, end: Position) -> Result<Option<(Position, u32)>, Fault> {
    let Some((lead, rest)) = bytes.split_first_chunk::<{ LEAD as usize }>() else { return Ok(None) };
    let Some(header) = rest.first_chunk::<HEADER>() else { return Ok(None) };
    let position = u64::from_be_bytes(*lead);
    if !(start..end).contains(&position) {
        return Ok(None);
    }
    Ok(frame::header(position, header)?.ok().map(|head| (position, head.length)))
}

/// Finds the frames of a compacted segment without its table.
fn search(file: &File, length: u64, start: Position, end: Position) -> Result<Vec<(u32, u32)>, Fault> {
    let (mut found, mut at) = (Vec::<(u32, u32)>::new(), HEADER as u64);
    let overlap = LEAD as usize + HEADER;
    while at + (overlap as u64) <= length {
        let mut bytes = vec![0; usize::try_from((length - at).min(PIECE as u64))?];
        file.read_exact_at(&mut bytes, at)?;
        let mut offset = 0;
        while let Some(rest) = bytes.get(offset..).filter(|rest| rest.len() >= overlap) {
            match led(rest, start, end)? {
                Some((position, payload)) => {
                    let entry = (u32::try_from(position - start), u32::try_from(at + offset as u64));
                    if let (Ok(position), Ok(place)) = entry
                        && found.last().is_none_or(|(last, _)| *last < position)
                    {
                        found.push((position, place));
                    }
                    offset += overlap + payload as usize;
                }
                None => {
                    let next = rest[LEAD as usize + 1..].windows(3).position(|w| w == frame::MAGIC);
                    offset += next.map_or(rest.len() - overlap + 1, |next| next + 1);
                }
            }
        }
        at += offset as u64;
    }
    Ok(found)
}

/// A compacted segment being written beside the one it will replace.
#[derive(Debug)]
pub struct SegmentWriter {
    out: BufWriter<File>,
    path: PathBuf,
    start: Position,
    at: u64,
    table: Vec<u8>,
}

impl SegmentWriter {
    pub fn create(path: PathBuf, start: Position) -> Result<Self, Fault> {
        let file = scarce::patiently(|| File::options().write(true).create(true).truncate(true).open(&path));
        let mut out = BufWriter::new(file.with_context(|| format!("creating {}", path.display()))?);
        // The header's place; what stands there comes last.
        out.write_all(&[0; HEADER]).with_context(|| format!("writing {}", path.display()))?;
        Ok(Self { out, path, start, at: HEADER as u64, table: Vec::new() })
    }

    /// Adds a frame, header and payload; positions grow.
    pub fn add(&mut self, position: Position, frame: &[u8]) -> Result<(), Fault> {
        let entry = (u32::try_from(position - self.start), u32::try_from(self.at));
        let (Ok(relative), Ok(place)) = entry else {
            anyhow::bail!("a segment of more than 4 GiB cannot be compacted (store.segment_size)")
        };
        self.table.extend_from_slice(&relative.to_be_bytes());
        self.table.extend_from_slice(&place.to_be_bytes());
        let naming = || format!("writing {}", self.path.display());
        self.out.write_all(&position.to_be_bytes()).with_context(naming)?;
        self.out.write_all(frame).with_context(naming)?;
        self.at += LEAD + frame.len() as u64;
        Ok(())
    }

    /// Makes the file whole and durable, and reads it back; its length.
    pub fn finish(mut self, end: Position) -> Result<u64, Fault> {
        let path = self.path.clone();
        let naming = || format!("writing {}", path.display());
        self.out.write_all(&self.table).with_context(naming)?;
        let file = self.out.into_inner().map_err(|error| error.into_error()).with_context(naming)?;
        let frames = u32::try_from(self.table.len() as u64 / ENTRY).context("frames of a segment")?;
        let mut header = [0; HEADER];
        header[..3].copy_from_slice(frame::MAGIC);
        header[3] = frame::COMPACTED_VERSION;
        header[4..8].copy_from_slice(&frames.to_be_bytes());
        header[8..16].copy_from_slice(&end.to_be_bytes());
        header[16..20].copy_from_slice(&crc32c::crc32c(&self.table).to_be_bytes());
        let own = frame::header_crc(self.start, &header);
        header[20..24].copy_from_slice(&own.to_be_bytes());
        file.write_all_at(&header, 0).with_context(naming)?;
        file.sync_all().with_context(|| format!("making {} durable", path.display()))?;
        // What is about to be replaced is the only copy: the new one is believed when it was read.
        let written = Segment::open(&path, self.start, None)?;
        ensure!(written.is_compacted() && written.damage().is_none(), "{} reads back damaged", path.display());
        ensure!(written.entries() as u64 == u64::from(frames), "{} reads back with other frames", path.display());
        for position in written.candidates(0)?.chain((frames > 0).then_some(Ok(self.start))) {
            let position = position?;
            let sound = matches!(written.at(position)?, At::Frame { .. } | At::Gone { .. });
            ensure!(sound, "{} reads back damaged at {position}", path.display());
        }
        written.length()
    }
}
