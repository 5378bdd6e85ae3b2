//! What of the home is known to be damaged, and whose it is: remembered across restarts until it is whole again.
//!
//! One file beside the log, `damaged`: a line of JSON for each object found damaged, and `{"whole": …}` for one that is
//! whole again. It is no part of the log: damage to the log must be remembered as well, and a restored home has none of it.

use super::{files::sync_dir, place::Position};
use crate::{
    cid::{self, Cid, Digest},
    dwn::Fault,
    foreign::shown,
};
use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    fs::{self, File},
    io::Write as _,
    ops::Range,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    str::FromStr,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

/// Its file, in the store's directory.
const FILE: &str = "damaged";
/// Objects that are remembered: some megabytes. Beyond, a home is not in need of a longer list.
const KNOWN_MAX: usize = 10_000;
/// Lines of the file beyond twice what is known, after which it is written anew.
const WASTE_MAX: usize = 1000;
/// Bytes of a reason that are kept.
const WHY_MAX: usize = 1000;

/// Something that is kept and can be damaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Object {
    /// A block, wherever it lies.
    Block(Digest),
    /// What the log has at a position.
    Log(Position),
    /// The file of the log that begins at a position, apart from the frames in it.
    Segment(Position),
}

impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Object::Block(digest) => write!(f, "block {}", cid::from_digest(cid::RAW, digest)),
            Object::Log(at) => write!(f, "log {at}"),
            Object::Segment(at) => write!(f, "segment {at}"),
        }
    }
}

impl FromStr for Object {
    type Err = Fault;

    fn from_str(text: &str) -> Result<Self, Fault> {
        let (kind, name) = text.split_once(' ').context("it has no kind")?;
        Ok(match kind {
            "block" => Object::Block(cid::sha256_of(&Cid::try_from(name)?).context("it is not sha2-256")?),
            "log" => Object::Log(name.parse()?),
            "segment" => Object::Segment(name.parse()?),
            _ => anyhow::bail!("it is of no kind that is known"),
        })
    }
}

/// A record whose data, or message, is damaged.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Holder {
    pub tenant: String,
    pub record: String,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", shown(&self.record), shown(&self.tenant))
    }
}

/// One damaged object. Who reads it is the owner: it names records of everybody.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Damaged {
    /// As [`Object`] is written: `block bafk…`, `log 1234`.
    pub object: String,
    pub why: String,
    /// Records that have something in it, some of them if there are many.
    pub records: Vec<Holder>,
}

impl fmt::Display for Damaged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.why, of_records(&self.records))
    }
}

/// `, of record a of did:x and 2 more`; nothing for none.
pub fn of_records(records: &[Holder]) -> String {
    match records {
        [] => String::new(),
        [holder] => format!(", of record {holder}"),
        [holder, more @ ..] => format!(", of record {holder} and {} more", more.len()),
    }
}

/// A line of the file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum Line {
    Whole { whole: String },
    Damaged(Damaged),
}

/// What is known to be damaged.
#[derive(Debug, Default)]
pub struct Damages {
    /// Where it is remembered; `None`: nowhere.
    dir: Option<PathBuf>,
    table: Mutex<Table>,
    /// How many, so that readers of what is whole need not wait for the lock.
    count: AtomicUsize,
}

#[derive(Debug, Default)]
struct Table {
    known: BTreeMap<Object, Damaged>,
    lines: usize,
}

impl Damages {
    /// What is remembered in `dir`. What of it cannot be read is left out, and said.
    pub(crate) fn open(dir: &Path) -> Result<Self, Fault> {
        let path = dir.join(FILE);
        let text = match fs::read(&path) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(error).with_context(|| format!("reading {}", path.display())),
        };
        let mut table = Table::default();
        for line in text.lines() {
            if let Err(error) = table.take(line) {
                tracing::warn!("a line of {} is not readable and is left out: {error:#}", path.display());
            }
        }
        let damages = Self { dir: Some(dir.to_owned()), table: Mutex::new(table), count: AtomicUsize::new(0) };
        if !text.is_empty() {
            // What a crash has left of a line must not become the beginning of the next.
            damages.rewrite(&mut damages.table());
        }
        damages.counted(&damages.table());
        Ok(damages)
    }

    /// Something is damaged: remembered, and said in the operator's log, once.
    pub fn note(&self, object: Object, why: &str, records: Vec<Holder>) {
        let mut table = self.table();
        let is_known = table.known.get(&object).is_some_and(|known| known.records.len() >= records.len());
        if is_known || table.known.len() >= KNOWN_MAX {
            return;
        }
        let why = why.get(..why.floor_char_boundary(WHY_MAX)).unwrap_or_default().to_owned();
        let damaged = Damaged { object: object.to_string(), why, records };
        tracing::error!("damaged: {damaged}");
        self.append(&mut table, &Line::Damaged(damaged.clone()));
        table.known.insert(object, damaged);
        self.counted(&table);
    }

    /// It is whole again, or needed no more. False: nobody has said otherwise.
    pub fn clear(&self, object: Object) -> bool {
        if self.is_empty() {
            return false;
        }
        let mut table = self.table();
        self.forget(&mut table, &[object])
    }

    /// All frames of a stretch of the log are whole.
    pub(super) fn clear_log(&self, stretch: Range<Position>) {
        if self.is_empty() {
            return;
        }
        let mut table = self.table();
        let within = Object::Log(stretch.start)..Object::Log(stretch.end);
        let whole: Vec<_> = table.known.range(within).map(|(object, _)| *object).collect();
        self.forget(&mut table, &whole);
    }

    fn forget(&self, table: &mut Table, objects: &[Object]) -> bool {
        let mut any = false;
        for object in objects {
            if table.known.remove(object).is_some() {
                any = true;
                tracing::info!("whole again: {object}");
                self.append(table, &Line::Whole { whole: object.to_string() });
            }
        }
        if any {
            self.counted(table);
        }
        any
    }

    /// How many objects are known to be damaged.
    pub fn count(&self) -> usize {
        self.count.load(Ordering::Acquire)
    }

    pub fn is_empty(&self) -> bool {
        self.count() == 0
    }

    /// The first of what is damaged, at most `max`.
    pub fn list(&self, max: usize) -> Vec<Damaged> {
        self.table().known.values().take(max).cloned().collect()
    }

    /// All objects that are damaged.
    pub fn objects(&self) -> Vec<Object> {
        self.table().known.keys().copied().collect()
    }

    /// All damage in one line; `None`: there is none.
    pub fn sentence(&self) -> Option<String> {
        let table = self.table();
        let first = table.known.values().next()?;
        let (count, more) = (table.known.len(), table.known.len() - 1);
        let records: BTreeSet<_> = table.known.values().flat_map(|damaged| &damaged.records).collect();
        let objects = if more == 0 { "object is".to_owned() } else { format!("objects{} are", at_least(count)) };
        let of = if records.is_empty() { String::new() } else { format!(", of {} record(s)", records.len()) };
        let others = if more == 0 { String::new() } else { format!(", and {more} more") };
        Some(format!(
            "{count} {objects} damaged{of}: {first}{others}; toft storage scrub names all and heals what a peer has"
        ))
    }

    /// Some of the damage is in the log.
    pub(super) fn is_of_log(&self) -> bool {
        !self.is_empty() && self.table().known.keys().any(|object| !matches!(object, Object::Block(_)))
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn counted(&self, table: &Table) {
        self.count.store(table.known.len(), Ordering::Release);
    }

    /// Adds a line to the file. Where that fails it is known until the restart, and said.
    fn append(&self, table: &mut Table, line: &Line) {
        let Some(dir) = &self.dir else { return };
        if table.lines > 2 * table.known.len() + WASTE_MAX {
            self.rewrite(table);
        }
        let path = dir.join(FILE);
        let write = || {
            let is_new = !path.exists();
            let mut file = File::options().append(true).create(true).mode(0o600).open(&path)?;
            file.write_all(format!("{}\n", serde_json::to_string(line)?).as_bytes())?;
            file.sync_data()?;
            if is_new { sync_dir(dir) } else { Ok(()) }
        };
        match write() {
            Ok(()) => table.lines += 1,
            Err(error) => {
                tracing::error!("{} could not be written, so a restart forgets it: {error:#}", path.display())
            }
        }
    }

    /// Writes the file anew, with what is known.
    fn rewrite(&self, table: &mut Table) {
        let Some(dir) = &self.dir else { return };
        let (path, new) = (dir.join(FILE), dir.join(FILE).with_extension("new"));
        let write = |known: &BTreeMap<Object, Damaged>| {
            let mut text = String::new();
            for damaged in known.values() {
                text += &serde_json::to_string(damaged)?;
                text.push('\n');
            }
            let mut file = File::options().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            fs::rename(&new, &path)?;
            sync_dir(dir)
        };
        match write(&table.known) {
            Ok(()) => table.lines = table.known.len(),
            Err(error) => tracing::error!("{} could not be written: {error:#}", path.display()),
        }
    }
}

impl Table {
    fn take(&mut self, line: &str) -> Result<(), Fault> {
        match serde_json::from_str(line)? {
            Line::Whole { whole } => {
                self.known.remove(&whole.parse()?);
            }
            Line::Damaged(damaged) => {
                if self.known.len() < KNOWN_MAX {
                    self.known.insert(damaged.object.parse()?, damaged);
                }
            }
        }
        Ok(())
    }
}

/// A count at its bound says no more than that.
fn at_least(count: usize) -> &'static str {
    if count < KNOWN_MAX { "" } else { " or more" }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holder(record: &str) -> Holder {
        Holder { tenant: "did:example:alice".into(), record: record.into() }
    }

    #[test]
    fn it_is_remembered_until_it_is_whole_again() {
        let dir = tempfile::tempdir().expect("a directory");
        let block = Object::Block([7; 32]);
        let damages = Damages::open(dir.path()).expect("opens");
        assert_eq!((damages.count(), damages.sentence()), (0, None));
        damages.note(block, "block x hashes to something else", vec![holder("r1")]);
        damages.note(block, "said again", vec![holder("r1")]);
        damages.note(Object::Log(500), "a frame is bad", vec![]);
        damages.note(Object::Segment(500), "a table is bad", vec![]);
        damages.note(Object::Log(900), "another", vec![]);
        drop(damages);

        let damages = Damages::open(dir.path()).expect("opens");
        assert_eq!((damages.count(), damages.is_of_log()), (4, true));
        let sentence = damages.sentence().expect("there is damage");
        let expected = "4 objects are damaged, of 1 record(s): block x hashes to something else, of record r1 of did:example:alice, and 3 more";
        assert!(sentence.starts_with(expected), "{sentence}");
        damages.clear_log(500..900);
        assert_eq!(damages.objects(), [block, Object::Log(900), Object::Segment(500)]);
        assert!(damages.clear(block) && !damages.clear(block));
        drop(damages);
        // A crash in the middle of a line.
        File::options().append(true).open(dir.path().join(FILE)).expect("opens").write_all(b"{\"obj").expect("writes");
        for _ in 0..2 {
            let damages = Damages::open(dir.path()).expect("opens");
            assert_eq!(damages.objects(), [Object::Log(900), Object::Segment(500)]);
            damages.note(block, "again", vec![]);
            assert_eq!(Damages::open(dir.path()).expect("opens").count(), 3);
            damages.clear(block);
        }
    }

    #[test]
    fn its_file_does_not_grow_with_what_comes_and_goes() {
        let dir = tempfile::tempdir().expect("a directory");
        let damages = Damages::open(dir.path()).expect("opens");
        damages.note(Object::Log(1), "stays", vec![]);
        for _ in 0..WASTE_MAX {
            damages.note(Object::Log(2), "comes and goes", vec![]);
            damages.clear(Object::Log(2));
        }
        let lines = fs::read_to_string(dir.path().join(FILE)).expect("reads").lines().count();
        assert!(lines <= WASTE_MAX + 10, "{lines} lines");
        assert_eq!(Damages::open(dir.path()).expect("opens").objects(), [Object::Log(1)]);
    }

    #[test]
    fn it_knows_no_more_than_its_bound() {
        let damages = Damages::default();
        for n in 0..KNOWN_MAX as u64 + 5 {
            damages.note(Object::Log(n), &"é".repeat(WHY_MAX), vec![]);
        }
        assert_eq!(damages.count(), KNOWN_MAX);
        assert!(damages.sentence().expect("damage").starts_with("10000 objects or more are damaged"));
        assert!(damages.list(1)[0].why.len() <= WHY_MAX);
    }
}
