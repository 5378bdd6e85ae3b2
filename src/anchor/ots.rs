//! OpenTimestamps `.ots` files: a writer, and a reader that bounds everything.
//!
//! Own code because the reader of the `opentimestamps` crate (0.2.0) can be made to allocate gigabytes, abort
//! or panic by a file of less than a hundred bytes. The limits are those of the reference implementation
//! (python-opentimestamps 0.4.5): what it accepts we accept, apart from the sizes no real file has. Reading
//! computes each step's result as the reference does; only Keccak-256 is not computed (its result is
//! 32 unknown bytes), because nothing that attests in Bitcoin uses it.

use crate::cid;
use bitcoin::hashes::{Hash as _, ripemd160, sha1};
use std::sync::Arc;
use unsigned_varint::encode::{self, u64_buffer};

/// What every `.ots` file begins with, and the format's version.
const MAGIC: &[u8] = b"\x00OpenTimestamps\x00\x00Proof\x00\xbf\x89\xe2\xe8\x84\xe8\x92\x94\x01";
/// Bytes of a file we look at. A proof is about 1 KiB, one with several calendars 5 KiB; every step costs a
/// hash over at most 4 KiB, so this bounds the time a hostile file can take.
pub const FILE_MAX: usize = 256 << 10;
/// Bytes of a message, an operation's argument or its result.
const MSG_MAX: usize = 4096;
/// Steps from the file's digest to an attestation.
const DEPTH_MAX: usize = 256;
/// Bytes of an attestation's payload.
const PAYLOAD_MAX: usize = 8192;
/// Characters of a calendar's address.
const URI_MAX: usize = 1000;

const TAG_LEN: usize = 8;
const BITCOIN: [u8; TAG_LEN] = [0x05, 0x88, 0x96, 0x0d, 0x73, 0xd7, 0x19, 0x01];
const LITECOIN: [u8; TAG_LEN] = [0x06, 0x86, 0x9a, 0x0d, 0x73, 0xd7, 0x1b, 0x45];
const PENDING: [u8; TAG_LEN] = [0x83, 0xdf, 0xe3, 0x0d, 0x2e, 0xf9, 0x0c, 0x8e];

const ATTEST: u8 = 0x00;
const FORK: u8 = 0xff;

/// A whole file: the digest of what was stamped, and how it came into a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Detached {
    /// The hash function of the stamped file.
    pub hash: Op,
    pub digest: Vec<u8>,
    pub stamp: Stamp,
}

/// What leads on from one message: at least one branch. The order is kept, so that a file that was read is
/// written byte for byte the same.
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
    Unknown {
        tag: [u8; TAG_LEN],
        payload: Vec<u8>,
    },
}

/// Why bytes are not an `.ots` file we accept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("the proof is {0} bytes long; no real one is longer than {FILE_MAX}")]
    TooLong(usize),
    #[error("not an OpenTimestamps file: it begins with other bytes")]
    Magic,
    #[error("the proof ends in the middle (byte {0})")]
    Truncated(usize),
    #[error("{0} bytes follow after the proof's end")]
    Trailing(usize),
    #[error("byte {at}: {what} of {size} bytes; at most {max} are allowed")]
    Limit { at: usize, what: &'static str, size: u64, max: usize },
    #[error("byte {0}: an empty argument")]
    Empty(usize),
    #[error("byte {0}: a number of more than 64 bits")]
    Number(usize),
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

impl Detached {
    /// Reads a file. Never panics, and takes time and memory in proportion to the file's length.
    pub fn read(bytes: &[u8]) -> Result<Self, Error> {
        if bytes.len() > FILE_MAX {
            return Err(Error::TooLong(bytes.len()));
        }
        let rest = bytes.strip_prefix(MAGIC).ok_or(Error::Magic)?;
        let mut reader = Reader { rest, len: bytes.len() };
        let tag = reader.byte()?;
        let (hash, size) = match tag {
            0x02 => (Op::Sha1, 20),
            0x03 => (Op::Ripemd160, 20),
            0x08 => (Op::Sha256, 32),
            _ => return Err(Error::FileHash(tag)),
        };
        let digest = reader.take(size)?.to_vec();
        let stamp = reader.stamp(&Operand::Known(digest.as_slice().into()), DEPTH_MAX)?;
        if !reader.rest.is_empty() {
            return Err(Error::Trailing(reader.rest.len()));
        }
        Ok(Self { hash, digest, stamp })
    }

    pub fn write(&self) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        self.hash.write(&mut out);
        out.extend(&self.digest);
        self.stamp.write(&mut out);
        out
    }

    /// Every attestation with the message it speaks of. A message that comes out of an operation we do not
    /// compute is left out: nobody here could check it.
    pub fn attestations(&self) -> Vec<(Arc<[u8]>, &Attestation)> {
        let mut found = Vec::new();
        self.stamp.collect(&Operand::Known(self.digest.as_slice().into()), &mut found);
        found
    }
}

impl Stamp {
    /// One unbranched way: `ops` in order, then `end`.
    pub fn line(ops: impl DoubleEndedIterator<Item = Op>, end: Attestation) -> Self {
        ops.rev().fold(Self(vec![Branch::Attest(end)]), |rest, op| Self(vec![Branch::Then(op, rest)]))
    }

    fn write(&self, out: &mut Vec<u8>) {
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

    /// One message is shared by all attestations of it: a file can hold thousands, of 4 KiB.
    fn collect<'a>(&'a self, message: &Operand, found: &mut Vec<(Arc<[u8]>, &'a Attestation)>) {
        for branch in &self.0 {
            match branch {
                Branch::Attest(attestation) => {
                    if let Operand::Known(bytes) = message {
                        found.push((bytes.clone(), attestation));
                    }
                }
                Branch::Then(op, rest) => {
                    if let Ok(result) = op.apply(message, 0) {
                        rest.collect(&result, found);
                    }
                }
            }
        }
    }
}

/// What an operation works on: a message on the way, which is not one of a DWN. What Keccak-256 gives is known only by its length.
enum Operand {
    Known(Arc<[u8]>),
    Opaque(usize),
}

impl Operand {
    fn len(&self) -> usize {
        match self {
            Self::Known(bytes) => bytes.len(),
            Self::Opaque(len) => *len,
        }
    }
}

impl Op {
    fn write(&self, out: &mut Vec<u8>) {
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

    fn result_len(&self, len: usize) -> usize {
        match self {
            Self::Append(arg) | Self::Prepend(arg) => len + arg.len(),
            Self::Reverse => len,
            Self::Hexlify => len * 2,
            Self::Sha1 | Self::Ripemd160 => 20,
            Self::Sha256 | Self::Keccak256 => 32,
        }
    }

    fn apply(&self, message: &Operand, at: usize) -> Result<Operand, Error> {
        let size = self.result_len(message.len());
        if size > MSG_MAX {
            return Err(Error::Limit { at, what: "a result", size: size as u64, max: MSG_MAX });
        }
        let Operand::Known(bytes) = message else { return Ok(Operand::Opaque(size)) };
        let result = match self {
            Self::Append(arg) => [bytes, arg.as_slice()].concat(),
            Self::Prepend(arg) => [arg.as_slice(), bytes.as_ref()].concat(),
            Self::Reverse => bytes.iter().rev().copied().collect(),
            Self::Hexlify => hex::encode(bytes).into_bytes(),
            Self::Sha1 => sha1::Hash::hash(bytes).to_byte_array().to_vec(),
            Self::Ripemd160 => ripemd160::Hash::hash(bytes).to_byte_array().to_vec(),
            Self::Sha256 => cid::digest(bytes).to_vec(),
            Self::Keccak256 => return Ok(Operand::Opaque(size)),
        };
        Ok(Operand::Known(result.into()))
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

fn write_number(value: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(encode::u64(value, &mut u64_buffer()));
}

fn write_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    write_number(bytes.len() as u64, out);
    out.extend(bytes);
}

struct Reader<'a> {
    rest: &'a [u8],
    /// Length of the whole file, to say where we are.
    len: usize,
}

impl<'a> Reader<'a> {
    fn at(&self) -> usize {
        self.len - self.rest.len()
    }

    fn take(&mut self, n: usize) -> Result<&'a [u8], Error> {
        let (taken, rest) = self.rest.split_at_checked(n).ok_or(Error::Truncated(self.len))?;
        self.rest = rest;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8, Error> {
        let (first, rest) = self.rest.split_first().ok_or(Error::Truncated(self.len))?;
        self.rest = rest;
        Ok(*first)
    }

    fn number(&mut self) -> Result<u64, Error> {
        let at = self.at();
        let mut value = 0_u64;
        for shift in (0..u64::BITS).step_by(7) {
            let byte = self.byte()?;
            let part = u64::from(byte & 0x7f);
            if (part << shift) >> shift != part {
                break;
            }
            value |= part << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(Error::Number(at))
    }

    fn bytes(&mut self, what: &'static str, max: usize) -> Result<&'a [u8], Error> {
        let at = self.at();
        let size = self.number()?;
        let n = usize::try_from(size).ok().filter(|n| *n <= max).ok_or(Error::Limit { at, what, size, max })?;
        self.take(n)
    }

    fn stamp(&mut self, message: &Operand, depth: usize) -> Result<Stamp, Error> {
        if depth == 0 {
            return Err(Error::Depth(self.at()));
        }
        let mut branches = Vec::new();
        loop {
            let tag = self.byte()?;
            if tag == FORK {
                let tag = self.byte()?;
                branches.push(self.branch(tag, message, depth)?);
            } else {
                branches.push(self.branch(tag, message, depth)?);
                return Ok(Stamp(branches));
            }
        }
    }

    fn branch(&mut self, tag: u8, message: &Operand, depth: usize) -> Result<Branch, Error> {
        if tag == ATTEST {
            return Ok(Branch::Attest(self.attestation()?));
        }
        let at = self.at() - 1;
        let op = self.op(tag, at)?;
        let result = op.apply(message, at)?;
        Ok(Branch::Then(op, self.stamp(&result, depth - 1)?))
    }

    fn op(&mut self, tag: u8, at: usize) -> Result<Op, Error> {
        Ok(match tag {
            0x02 => Op::Sha1,
            0x03 => Op::Ripemd160,
            0x08 => Op::Sha256,
            0x67 => Op::Keccak256,
            0xf0 => Op::Append(self.argument()?),
            0xf1 => Op::Prepend(self.argument()?),
            0xf2 => Op::Reverse,
            0xf3 => Op::Hexlify,
            _ => return Err(Error::Op { at, tag }),
        })
    }

    fn argument(&mut self) -> Result<Vec<u8>, Error> {
        let at = self.at();
        let arg = self.bytes("an argument", MSG_MAX)?;
        if arg.is_empty() { Err(Error::Empty(at)) } else { Ok(arg.to_vec()) }
    }

    fn attestation(&mut self) -> Result<Attestation, Error> {
        let tag = *self.take(TAG_LEN)?.first_chunk::<TAG_LEN>().expect("take gives as many as asked for");
        let at = self.at();
        let payload = self.bytes("an attestation", PAYLOAD_MAX)?;
        let mut inner = Reader { rest: payload, len: self.at() };
        let attestation = match tag {
            BITCOIN => Attestation::Bitcoin(inner.number()?),
            LITECOIN => Attestation::Litecoin(inner.number()?),
            PENDING => Attestation::Pending(inner.uri()?),
            _ => return Ok(Attestation::Unknown { tag, payload: payload.to_vec() }),
        };
        if inner.rest.is_empty() { Ok(attestation) } else { Err(Error::Payload(at)) }
    }

    fn uri(&mut self) -> Result<String, Error> {
        let at = self.at();
        let uri = self.bytes("an address", URI_MAX)?;
        let allowed = |b: &u8| b.is_ascii_alphanumeric() || b"-._/:".contains(b);
        if !uri.iter().all(allowed) {
            return Err(Error::Uri(at));
        }
        Ok(uri.iter().map(|b| char::from(*b)).collect())
    }
}

impl Stamp {
    /// Reads a stamp without a file around it, as a calendar sends it: what leads on from `message`. Bounded as
    /// [`Detached::read`].
    pub fn read(message: &[u8], bytes: &[u8]) -> Result<Self, Error> {
        if bytes.len() > FILE_MAX {
            return Err(Error::TooLong(bytes.len()));
        }
        let mut reader = Reader { rest: bytes, len: bytes.len() };
        let stamp = reader.stamp(&Operand::Known(message.into()), DEPTH_MAX)?;
        if reader.rest.is_empty() { Ok(stamp) } else { Err(Error::Trailing(reader.rest.len())) }
    }

    /// As [`Stamp::read`] reads it.
    pub fn bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.write(&mut out);
        out
    }

    /// Every attestation with the message it speaks of, from `message` on; see [`Detached::attestations`].
    pub fn attestations(&self, message: &[u8]) -> Vec<(Arc<[u8]>, &Attestation)> {
        let mut found = Vec::new();
        self.collect(&Operand::Known(message.into()), &mut found);
        found
    }
}

impl Op {
    /// What comes of `message`; nothing where it is not computed (Keccak-256) or is longer than a message may be.
    pub fn result(&self, message: &[u8]) -> Option<Vec<u8>> {
        match self.apply(&Operand::Known(message.into()), 0) {
            Ok(Operand::Known(bytes)) => Some(bytes.to_vec()),
            Ok(Operand::Opaque(_)) | Err(_) => None,
        }
    }
}

#[cfg(test)]
mod tests;
