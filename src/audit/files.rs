//! The files of the audit log: one a month, in the order of their names.

use super::entry::{Entry, LINE_MAX, NOTHING, What};
use anyhow::{Context as _, Error};
use jiff::Timestamp;
use std::{
    fs::{self, File},
    io::{BufRead as _, BufReader, ErrorKind, Read as _},
    path::{Path, PathBuf},
};

/// Of a file; its first entry says it.
pub const VERSION: u32 = 1;
const ENDING: &str = ".jsonl";

/// Where the chain stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// Entries, as they are numbered.
    pub n: u64,
    /// The last one's hash.
    pub hash: String,
}

impl Default for Head {
    fn default() -> Self {
        Self { n: 0, hash: NOTHING.to_owned() }
    }
}

/// The files that there are, the oldest first.
pub fn list(dir: &Path) -> Result<Vec<PathBuf>, Error> {
    let found = match fs::read_dir(dir) {
        Ok(found) => found,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(vec![]),
        Err(e) => return Err(e).with_context(|| format!("reading {}", dir.display())),
    };
    let mut files = vec![];
    for entry in found {
        let path = entry.with_context(|| format!("reading {}", dir.display()))?.path();
        if month(&path).is_some() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// `2026-11` of `2026-11.jsonl`, and of `2026-11_000000002.jsonl`, which began behind damage.
pub fn month(path: &Path) -> Option<&str> {
    let name = path.file_name()?.to_str()?.strip_suffix(ENDING)?;
    let is_month =
        |month: &str| month.bytes().enumerate().all(|(n, b)| if n == 4 { b == b'-' } else { b.is_ascii_digit() });
    name.get(..7).filter(|month| is_month(month))
}

/// The name of the file for a moment.
pub fn name(at: Timestamp) -> String {
    format!("{}{ENDING}", at.strftime("%Y-%m"))
}

/// Another name for the same month, behind `path`.
pub fn next_name(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_str()?.strip_suffix(ENDING)?;
    let number = match name.get(7..)?.strip_prefix('_') {
        None => 2,
        Some(number) => number.parse::<u32>().ok()?.checked_add(1)?,
    };
    // Sorted by name, it comes behind.
    Some(format!("{}_{number:09}{ENDING}", &name[..7]))
}

/// A place where the chain is broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    pub file: String,
    /// From 1.
    pub line: u64,
    pub why: String,
}

/// Follows the chain from file to file, and says where it is broken.
#[derive(Debug, Default)]
pub struct Walk {
    /// Of the last entry.
    pub head: Option<Head>,
    /// Of the first entry there is: its number, and the hash before it.
    pub first: Option<Head>,
    pub broken: Vec<Broken>,
    /// Bytes of whole lines of the last file.
    pub whole: u64,
    /// Bytes behind them.
    pub torn: u64,
    pub entries: u64,
    /// Files that were dropped as too old: their last entry.
    dropped: Vec<Head>,
}

/// So many broken places are told.
const BROKEN_MAX: usize = 100;

impl Walk {
    /// Reads a file on; `each` gets its entries.
    pub fn file(&mut self, path: &Path, mut each: impl FnMut(Entry)) -> Result<(), Error> {
        let reading = || format!("reading {}", path.display());
        let mut lines = BufReader::new(File::open(path).with_context(reading)?);
        (self.whole, self.torn) = (0, 0);
        let (mut number, mut line) = (0, Vec::new());
        loop {
            line.clear();
            let read = lines.by_ref().take(LINE_MAX as u64 + 1).read_until(b'\n', &mut line).with_context(reading)?;
            if read == 0 {
                return Ok(());
            }
            number += 1;
            let is_whole = line.pop_if(|last| *last == b'\n').is_some();
            if !is_whole && read <= LINE_MAX {
                self.torn = read as u64;
                return Ok(());
            }
            self.whole += read as u64;
            match Entry::read(&line) {
                Ok(entry) => {
                    if let Some(why) = self.misfit(&entry, number) {
                        self.is_broken(path, number, why);
                    }
                    self.takes(&entry);
                    each(entry);
                }
                Err(why) => self.is_broken(path, number, format!("{why:#}")),
            }
        }
    }

    /// Why an entry does not follow the one before.
    fn misfit(&self, entry: &Entry, line: u64) -> Option<String> {
        if line == 1 && entry.what != What::FileBegun.name() {
            return Some("the file does not begin with its first entry".to_owned());
        }
        if line == 1 && entry.about.get("version").is_none_or(|version| *version != VERSION) {
            return Some(format!("the file is of another version; this toft knows version {VERSION}"));
        }
        let Some(Head { n, hash }) = &self.head else { return None };
        if entry.n != n + 1 {
            return Some(format!("entry {} follows entry {n}", entry.n));
        }
        (entry.prev != *hash).then(|| format!("entry {} does not follow from the one before", entry.n))
    }

    fn takes(&mut self, entry: &Entry) {
        self.entries += 1;
        if self.first.is_none() {
            self.first = Some(Head { n: entry.n, hash: entry.prev.clone() });
        }
        if entry.what == What::FileDropped.name() {
            let (n, hash) = (entry.about.get("lastN"), entry.about.get("lastHash"));
            if let (Some(n), Some(hash)) = (n.and_then(|n| n.as_u64()), hash.and_then(|hash| hash.as_str())) {
                self.dropped.push(Head { n, hash: hash.to_owned() });
            }
        }
        self.head = Some(Head { n: entry.n, hash: entry.hash.clone() });
    }

    fn is_broken(&mut self, path: &Path, line: u64, why: String) {
        if self.broken.len() < BROKEN_MAX {
            let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            self.broken.push(Broken { file, line, why });
        }
    }

    /// Is what stands first the first there ever was, or does a later entry say that those before were dropped?
    pub fn begins_rightly(&self) -> bool {
        self.first.as_ref().is_none_or(|first| {
            (first.n == 1 && first.hash == NOTHING)
                || self.dropped.iter().any(|last| last.n + 1 == first.n && last.hash == first.hash)
        })
    }
}
