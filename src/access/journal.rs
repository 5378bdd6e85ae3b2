//! The file that tokens are kept in: a line for each change, durable before the change is answered.
//!
//! A line is the CRC-32C of its JSON in eight hex digits, a space, the JSON. The first says the version. A tail without a line end was
//! never answered, and is cut off. Any other damage is an error: what cannot be read may be a revocation. Opening writes the file
//! anew, with what still counts. Of secrets it has the hashes.

use super::token::Token;
use crate::vault;
use anyhow::{Context as _, Error, anyhow, bail};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::Write as _,
    path::{Path, PathBuf},
};

/// Of the file.
const VERSION: u32 = 1;
/// It is written anew when it has grown by this much, and to twice what it was.
const GROWTH_MIN: u64 = 1 << 20;

/// A change, as it is written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Change {
    Version(u32),
    /// A token, and the hash of its secret in hex.
    Made {
        token: Box<Token>,
        hash: String,
    },
    /// A token is revoked, with those it has made; at unix seconds.
    Revoked {
        id: String,
        at: i64,
    },
    /// When tokens were used last, in unix seconds.
    Used(BTreeMap<String, i64>),
}

#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
    bytes: u64,
    /// What it had when it was written anew last.
    anew: u64,
}

impl Journal {
    /// What the file holds; nothing if there is none.
    pub fn read(path: &Path) -> Result<Vec<Change>, Error> {
        let bytes = match fs::read(path) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(vec![]),
            Err(e) => return Err(e).with_context(|| format!("reading {}", path.display())),
        };
        let mut changes = vec![];
        for (n, line) in bytes.split_inclusive(|b| *b == b'\n').enumerate() {
            // Cut short: nobody was told that it is there.
            let Some(line) = line.strip_suffix(b"\n") else { break };
            let change = parse(line).with_context(|| {
                format!(
                    "{} is damaged in line {}. It says which tokens are revoked, so toft does not go on without it: put it back from a backup, or delete it, and all tokens are void",
                    path.display(),
                    n + 1
                )
            })?;
            match change {
                Change::Version(VERSION) if n == 0 => {}
                Change::Version(other) if n == 0 => {
                    bail!("{} has version {other}; this toft knows version {VERSION}", path.display())
                }
                change if n > 0 => changes.push(change),
                _ => bail!("{} does not begin with its version: it is no file of tokens", path.display()),
            }
        }
        Ok(changes)
    }

    /// Writes the file anew with these changes.
    pub fn create(path: &Path, changes: impl Iterator<Item = Change>) -> Result<Self, Error> {
        let mut text = line(&Change::Version(VERSION))?;
        for change in changes {
            text.push_str(&line(&change)?);
        }
        vault::write_private(path, text.as_bytes())?;
        if let Some(dir) = path.parent() {
            File::open(dir).and_then(|dir| dir.sync_all()).with_context(|| format!("syncing {}", dir.display()))?;
        }
        let file = File::options().append(true).open(path).with_context(|| format!("opening {}", path.display()))?;
        let bytes = text.len() as u64;
        Ok(Self { path: path.to_owned(), file, bytes, anew: bytes })
    }

    /// Appends a change. Once this returns, it is durable.
    pub fn append(&mut self, change: &Change) -> Result<(), Error> {
        let line = line(change)?;
        let written = self.file.write_all(line.as_bytes()).and_then(|()| self.file.sync_data());
        if let Err(e) = written {
            // Half a line would make the next one unreadable.
            let cut = self.file.set_len(self.bytes).and_then(|()| self.file.sync_data());
            let cut = cut.map_or_else(|e| format!(", and what was written of it stays: {e}"), |()| String::new());
            return Err(anyhow!(e).context(format!("writing {}{cut}", self.path.display())));
        }
        self.bytes += line.len() as u64;
        Ok(())
    }

    /// Has it grown so much that it should be written anew?
    pub fn is_long(&self) -> bool {
        self.bytes > GROWTH_MIN && self.bytes > 2 * self.anew
    }
}

fn line(change: &Change) -> Result<String, Error> {
    let json = serde_json::to_string(change).context("a token as JSON")?;
    Ok(format!("{:08x} {json}\n", crc32c::crc32c(json.as_bytes())))
}

fn parse(line: &[u8]) -> Result<Change, Error> {
    let (sum, json) = line.split_at_checked(9).context("the line is too short")?;
    if sum != format!("{:08x} ", crc32c::crc32c(json)).as_bytes() {
        bail!("the checksum is not that of the line");
    }
    serde_json::from_slice(json).context("the line says nothing that this toft knows")
}

/// Unix seconds as a moment.
pub fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap_or_default()
}
