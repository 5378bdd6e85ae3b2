//! What a file claims, as far as anybody can be asked about it: no tree, and one way's messages at a time.

use super::{
    form::{Attestation, Error, Op},
    read::Sink,
};
use crate::cid::Digest;
use std::collections::BTreeSet;

/// Bytes that are hashed or copied for one file at most. One with 18,000 attestations takes some megabytes; a hostile one of
/// [`super::FILE_MAX`] bytes would take hundreds.
const WORK_MAX: usize = 64 << 20;

/// What a file says of the digest of what was stamped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claims {
    /// The hash function of the stamped file.
    pub hash: Op,
    pub digest: Vec<u8>,
    /// Each block that is said to prove it, the lowest first, each once.
    pub blocks: Vec<Claim>,
    /// The calendars that have promised to know more.
    pub calendars: BTreeSet<String>,
}

/// The block at this height has this Merkle root.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Claim {
    pub height: u64,
    /// Nothing, if what is said to be the root has not 32 bytes: no block has it.
    pub root: Option<Digest>,
}

/// Computes what blocks are said to hold, along the way that is being read.
#[derive(Debug)]
pub(super) struct Claiming {
    digest: Vec<u8>,
    ops: Vec<Op>,
    /// The results of the first of `ops`, as far as somebody wanted them.
    results: Vec<Vec<u8>>,
    blocks: Vec<Claim>,
    calendars: BTreeSet<String>,
    /// Bytes that were hashed or copied.
    work: usize,
}

impl Claiming {
    pub fn new(digest: &[u8]) -> Self {
        let (ops, results, blocks, calendars) = (Vec::new(), Vec::new(), Vec::new(), BTreeSet::new());
        Self { digest: digest.to_vec(), ops, results, blocks, calendars, work: 0 }
    }

    pub fn claims(mut self, hash: Op) -> Result<Claims, Error> {
        if self.work > WORK_MAX {
            return Err(Error::Work(WORK_MAX));
        }
        self.blocks.sort_unstable();
        self.blocks.dedup();
        Ok(Claims { hash, digest: self.digest, blocks: self.blocks, calendars: self.calendars })
    }

    fn message(&mut self) -> &[u8] {
        for op in &self.ops[self.results.len()..] {
            let before = self.results.last().unwrap_or(&self.digest);
            self.work = self.work.saturating_add(before.len());
            if self.work > WORK_MAX {
                break; // the file is refused when it is read
            }
            // The reader has refused what would be too long.
            let result = op.result(before).unwrap_or_default();
            self.results.push(result);
        }
        self.results.last().unwrap_or(&self.digest)
    }
}

impl Sink for Claiming {
    fn step(&mut self, op: Op) {
        self.ops.push(op);
    }

    fn back(&mut self) {
        self.ops.pop();
        self.results.truncate(self.ops.len());
    }

    fn attest(&mut self, attestation: Attestation, len: usize) {
        match attestation {
            Attestation::Bitcoin(height) => {
                let root = if len == size_of::<Digest>() { self.message().try_into().ok() } else { None };
                self.blocks.push(Claim { height, root });
            }
            Attestation::Pending(uri) => {
                self.calendars.insert(uri);
            }
            Attestation::Litecoin(_) | Attestation::Unknown { .. } => {}
        }
    }
}
