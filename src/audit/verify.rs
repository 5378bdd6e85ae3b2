//! Whether the audit log is whole: each entry follows from the one before, and all that signed heads name is there.

use super::files::{Broken, Head, Walk, list};
use anyhow::Error;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{collections::HashMap, path::Path};

/// What a signed record says of the log: it had this entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Signed {
    pub n: u64,
    pub hash: String,
    /// When.
    pub at: String,
}

/// What looking at the whole log has found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Report {
    pub files: u64,
    pub entries: u64,
    /// The last entry.
    pub n: u64,
    pub hash: String,
    /// Signed heads that were looked at.
    pub heads: u64,
    /// What is wrong, in sentences; empty: nothing is.
    pub problems: Vec<String>,
}

/// Walks over the whole log in `dir`.
pub fn verify(dir: &Path, heads: &[Signed]) -> Result<Report, Error> {
    let (mut walk, mut files) = (Walk::default(), 0);
    let mut named: HashMap<u64, Vec<&Signed>> = HashMap::new();
    for head in heads {
        named.entry(head.n).or_default().push(head);
    }
    let mut problems = vec![];
    for path in list(dir)? {
        files += 1;
        if walk.torn > 0 {
            problems.push("a file ends within a line, and another follows it".to_owned());
        }
        walk.file(&path, |entry| {
            for head in named.remove(&entry.n).unwrap_or_default() {
                if head.hash != entry.hash {
                    problems.push(format!(
                        "entry {} is not the one that the node signed on {}: the log was written anew from there or before",
                        head.n, head.at
                    ));
                }
            }
        })?;
    }
    problems.extend(walk.broken.iter().map(|Broken { file, line, why }| format!("{file}, line {line}: {why}")));
    if walk.torn > 0 {
        problems.push(format!(
            "the last {} bytes are no whole line: the node was killed while it wrote, and cuts them off when it starts",
            walk.torn
        ));
    }
    if !walk.begins_rightly() {
        let n = walk.first.as_ref().map_or(0, |first| first.n);
        problems.push(format!(
            "the log begins with entry {n}, and nothing says that those before were dropped for their age"
        ));
    }
    let first = walk.first.as_ref().map_or(u64::MAX, |first| first.n);
    let Head { n, hash } = walk.head.unwrap_or_default();
    // Heads of entries that are gone for their age prove nothing any more.
    let cut =
        named.into_values().flatten().filter(|head| head.n >= first || first == u64::MAX).max_by_key(|head| head.n);
    if let Some(head) = cut {
        problems.push(format!(
            "the node signed entry {} on {}, and it is not there: the log ends with entry {n}. Its tail was cut off, or an older copy of the home was put in its place",
            head.n, head.at
        ));
    }
    Ok(Report { files, entries: walk.entries, n, hash, heads: heads.len() as u64, problems })
}
