//! What stands in an `.ots` file: steps, attestations and their tree, their limits, and how they are written.

use crate::cid;
use bitcoin::hashes::{Hash as _, ripemd160, sha1};
use sha3::{Digest as _, Keccak256};
use std::sync::Arc;
use unsigned_varint::encode::{self, u64_buffer};

/// Bytes of a file we look at. A proof is about 1 KiB, one with several calendars 5 KiB, one with 18,000 attestations
/// 216 KiB. So a hostile one stays below 64 MB as a tree (56 bytes a byte), and its time is bounded: each byte of it can be a
/// step over 4 KiB.
pub const FILE_MAX: usize = 1 << 20;
/// Bytes of a message, an operation's argument or its result.
pub(super) const MSG_MAX: usize = 4096;
/// Steps from the file's digest to an attestation.
pub(super) const DEPTH_MAX: usize = 256;
/// Bytes of an attestation's payload.
pub(super) const PAYLOAD_MAX: usize = 8192;
/// Characters of a calendar's address.
pub(super) const URI_MAX: usize = 1000;
/// Bytes of an attested message that is handed out with others: a block's root has 32, what a calendar promises 44.
const ATTESTED_MAX: usize = 256;

pub(super) const TAG_LEN: usize = 8;
pub(super) const BITCOIN: [u8; TAG_LEN] = [0x05, 0x88, 0x96, 0x0d, 0x73, 0xd7, 0x19, 0x01];
pub(super) const LITECOIN: [u8; TAG_LEN] = [0x06, 0x86, 0x9a, 0x0d, 0x73, 0xd7, 0x1b, 0x45];
pub(super) const ETHEREUM: [u8; TAG_LEN] = [0x30, 0xfe, 0x80, 0x87, 0xb5, 0xc7, 0xea, 0xd7];
pub(super) const PENDING: [u8; TAG_LEN] = [0x83, 0xdf, 0xe3, 0x0d, 0x2e, 0xf9, 0x0c, 0x8e];

pub(super) const ATTEST: u8 = 0x00;
pub(super) const FORK: u8 = 0xff;

/// What leads on from one message: at least one branch. The order is kept, so that a file that was read is
/// written byte for byte the same (but for numbers that were written longer than they need).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Stamp(pub Vec<Branch>);

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Branch {
    Attest(Attestation),
    Then(Op, Stamp),
}

/// A step from one message to the next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Op {
    Append(Vec<u8>),
    Prepend(Vec<u8>),
    Reverse,
    Hexlify,
    Sha1,
    Ripemd160,
    Sha256,
    Keccak256,
}

/// Who says that a message existed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Attestation {
    /// The message is the Merkle root of the Bitcoin block at this height.
    Bitcoin(u64),
    Litecoin(u64),
    /// A calendar has promised to know more.
    Pending(String),
    /// Of another kind, or of a height that has more than 64 bits: kept as it is.
    Unknown {
        tag: [u8; TAG_LEN],
        payload: Vec<u8>,
    },
}

/// Why bytes are not an `.ots` file we accept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("checking the proof takes more than {0} bytes of hashing; no real one does")]
    Work(usize),
    #[error("the proof is {0} bytes long; no real one is longer than {FILE_MAX}")]
    TooLong(usize),
    #[error("not an OpenTimestamps file: it begins with other bytes")]
    Magic,
    #[error("an OpenTimestamps file of another version than 1")]
    Version,
    #[error("the proof ends in the middle (byte {0})")]
    Truncated(usize),
    #[error("{0} bytes follow after the proof's end")]
    Trailing(usize),
    #[error("byte {at}: {what} of {size} bytes; at most {max} are allowed")]
    Limit { at: usize, what: &'static str, size: u64, max: usize },
    #[error("byte {0}: an empty argument")]
    Empty(usize),
    #[error("byte {0}: more than {DEPTH_MAX} steps in a row")]
    Depth(usize),
    #[error("byte {at}: unknown operation 0x{tag:02x}")]
    Op { at: usize, tag: u8 },
    #[error("the stamped file is hashed with an operation that is no hash (0x{0:02x})")]
    FileHash(u8),
    #[error("byte {0}: an address with characters that OpenTimestamps does not allow")]
    Uri(usize),
    #[error("byte {0}: an attestation with bytes left over")]
    Payload(usize),
}

impl Stamp {
    /// One unbranched way: `ops` in order, then `end`.
    pub fn line(ops: impl DoubleEndedIterator<Item = Op>, end: Attestation) -> Self {
        ops.rev().fold(Self(vec![Branch::Attest(end)]), |rest, op| Self(vec![Branch::Then(op, rest)]))
    }

    /// `ops` in order, then this.
    #[must_use]
    pub fn after(self, ops: impl DoubleEndedIterator<Item = Op>) -> Self {
        ops.rev().fold(self, |rest, op| Self(vec![Branch::Then(op, rest)]))
    }

    /// This and all of another of the same message: a step that both begin with is taken once. (The reference
    /// implementation keeps one branch of each operation; it would lose the others.)
    pub fn join(&mut self, other: Self) {
        for branch in other.0 {
            let same = self.0.iter().position(|own| match (own, &branch) {
                (Branch::Then(own, _), Branch::Then(op, _)) => own == op,
                (own, branch) => own == branch,
            });
            match (same.and_then(|at| self.0.get_mut(at)), branch) {
                (Some(Branch::Then(_, rest)), Branch::Then(_, more)) => rest.join(more),
                (Some(_), _) => {}
                (None, branch) => self.0.push(branch),
            }
        }
    }

    /// As a calendar sends it: without the file around it.
    pub fn bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.write(&mut out);
        out
    }

    /// Every attestation with the message it speaks of, from `message` on, with no more in memory than one way's messages.
    pub fn each_attestation<'a>(&'a self, message: &[u8], visit: &mut impl FnMut(&[u8], &'a Attestation)) {
        for branch in &self.0 {
            match branch {
                Branch::Attest(attestation) => visit(message, attestation),
                Branch::Then(op, rest) => {
                    if let Some(result) = op.result(message) {
                        rest.each_attestation(&result, visit);
                    }
                }
            }
        }
    }

    /// Every attestation with the message it speaks of, from `message` on. Left out are those of messages that are longer
    /// than 256 bytes, which nobody attests to: a file can hold many thousands, of 4 KiB.
    pub fn attestations(&self, message: &[u8]) -> Vec<(Arc<[u8]>, &Attestation)> {
        let mut found: Vec<(Arc<[u8]>, &Attestation)> = Vec::new();
        self.each_attestation(message, &mut |message, attestation| {
            if message.len() <= ATTESTED_MAX {
                let known = found.last().filter(|(last, _)| **last == *message).map(|(last, _)| last.clone());
                found.push((known.unwrap_or_else(|| message.into()), attestation));
            }
        });
        found
    }

    pub(in crate::anchor) fn write(&self, out: &mut Vec<u8>) {
        for (i, branch) in self.0.iter().enumerate() {
            if i + 1 < self.0.len() {
                out.push(FORK);
            }
            match branch {
                Branch::Attest(attestation) => attestation.write(out),
                Branch::Then(op, rest) => {
                    op.write(out);
                    rest.write(out);
                }
            }
        }
    }
}

impl Op {
    /// What comes of `message`; nothing where that is longer than a message may be.
    pub fn result(&self, message: &[u8]) -> Option<Vec<u8>> {
        if self.result_len(message.len()) > MSG_MAX {
            return None;
        }
        Some(match self {
            Self::Append(arg) => [message, arg].concat(),
            Self::Prepend(arg) => [arg, message].concat(),
            Self::Reverse => message.iter().rev().copied().collect(),
            Self::Hexlify => hex::encode(message).into_bytes(),
            Self::Sha1 => sha1::Hash::hash(message).to_byte_array().to_vec(),
            Self::Ripemd160 => ripemd160::Hash::hash(message).to_byte_array().to_vec(),
            Self::Sha256 => cid::digest(message).to_vec(),
            Self::Keccak256 => Keccak256::digest(message).to_vec(),
        })
    }

    pub(in crate::anchor) fn result_len(&self, len: usize) -> usize {
        match self {
            Self::Append(arg) | Self::Prepend(arg) => len + arg.len(),
            Self::Reverse => len,
            Self::Hexlify => len * 2,
            Self::Sha1 | Self::Ripemd160 => 20,
            Self::Sha256 | Self::Keccak256 => 32,
        }
    }

    pub(in crate::anchor) fn write(&self, out: &mut Vec<u8>) {
        out.push(match self {
            Self::Sha1 => 0x02,
            Self::Ripemd160 => 0x03,
            Self::Sha256 => 0x08,
            Self::Keccak256 => 0x67,
            Self::Append(_) => 0xf0,
            Self::Prepend(_) => 0xf1,
            Self::Reverse => 0xf2,
            Self::Hexlify => 0xf3,
        });
        if let Self::Append(arg) | Self::Prepend(arg) = self {
            write_bytes(arg, out);
        }
    }
}

impl Attestation {
    fn write(&self, out: &mut Vec<u8>) {
        let mut payload = Vec::new();
        let tag = match self {
            Self::Bitcoin(height) => {
                write_number(*height, &mut payload);
                BITCOIN
            }
            Self::Litecoin(height) => {
                write_number(*height, &mut payload);
                LITECOIN
            }
            Self::Pending(uri) => {
                write_bytes(uri.as_bytes(), &mut payload);
                PENDING
            }
            Self::Unknown { tag, payload: bytes } => {
                payload.extend(bytes);
                *tag
            }
        };
        out.push(ATTEST);
        out.extend(tag);
        write_bytes(&payload, out);
    }
}

pub(super) fn write_number(value: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(encode::u64(value, &mut u64_buffer()));
}

pub(super) fn write_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    write_number(bytes.len() as u64, out);
    out.extend(bytes);
}
