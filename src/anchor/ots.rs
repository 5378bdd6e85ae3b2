//! OpenTimestamps `.ots` files: a writer, and a reader that bounds everything.
//!
//! Own code because the reader of the `opentimestamps` crate (0.2.0) can be made to allocate gigabytes, abort
//! or panic by a file of less than a hundred bytes. The limits are those of the reference implementation
//! (python-opentimestamps 0.4.5): up to [`FILE_MAX`] bytes we accept what it accepts, and refuse what it refuses.

mod form;
mod hasher;
mod read;
mod claims;

pub use claims::{Claim, Claims};
pub use form::{Attestation, Branch, Error, FILE_MAX, Op, Stamp};
pub use hasher::Hasher;

use claims::Claiming;
use read::{Reader, Tree};
use std::sync::Arc;

/// What every `.ots` file begins with.
const MAGIC: &[u8] = b"\x00OpenTimestamps\x00\x00Proof\x00\xbf\x89\xe2\xe8\x84\xe8\x92\x94";
/// The format's number, as LEB128. It is the format of others: no constant of ours.
const MAJOR: u8 = 1;

/// A whole file: the digest of what was stamped, and how it came into a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Detached {
    /// The hash function of the stamped file.
    pub hash: Op,
    pub digest: Vec<u8>,
    pub stamp: Stamp,
}

impl Detached {
    /// Reads a file. Never panics, and takes time and memory in proportion to the file's length.
    pub fn read(bytes: &[u8]) -> Result<Self, Error> {
        let (hash, digest, mut reader) = begin(bytes)?;
        let mut tree = Tree::default();
        reader.last(digest.len(), &mut tree)?;
        Ok(Self { hash, digest: digest.to_vec(), stamp: tree.stamp() })
    }

    pub fn write(&self) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        out.push(MAJOR);
        self.hash.write(&mut out);
        out.extend(&self.digest);
        self.stamp.write(&mut out);
        out
    }

    /// Every attestation with the message it speaks of; see [`Stamp::attestations`].
    pub fn attestations(&self) -> Vec<(Arc<[u8]>, &Attestation)> {
        self.stamp.attestations(&self.digest)
    }
}

impl Claims {
    /// Reads a file as [`Detached::read`], and keeps only what can be asked about.
    pub fn read(bytes: &[u8]) -> Result<Self, Error> {
        let (hash, digest, mut reader) = begin(bytes)?;
        let mut claiming = Claiming::new(digest);
        reader.last(digest.len(), &mut claiming)?;
        claiming.claims(hash)
    }
}

impl Stamp {
    /// Reads a stamp without a file around it, as a calendar sends it: what leads on from `message`. Bounded as
    /// [`Detached::read`].
    pub fn read(message: &[u8], bytes: &[u8]) -> Result<Self, Error> {
        if bytes.len() > FILE_MAX {
            return Err(Error::TooLong(bytes.len()));
        }
        let mut tree = Tree::default();
        Reader::new(bytes).last(message.len(), &mut tree)?;
        Ok(tree.stamp())
    }
}

/// What stands before the stamp: hash function and digest of what was stamped.
fn begin(bytes: &[u8]) -> Result<(Op, &[u8], Reader<'_>), Error> {
    if bytes.len() > FILE_MAX {
        return Err(Error::TooLong(bytes.len()));
    }
    let rest = bytes.strip_prefix(MAGIC).ok_or(Error::Magic)?;
    let mut reader = Reader { rest, len: bytes.len() };
    if reader.number()? != Some(MAJOR.into()) {
        return Err(Error::Version);
    }
    let tag = reader.byte()?;
    let (hash, size) = match tag {
        0x02 => (Op::Sha1, 20),
        0x03 => (Op::Ripemd160, 20),
        0x08 => (Op::Sha256, 32),
        0x67 => (Op::Keccak256, 32),
        _ => return Err(Error::FileHash(tag)),
    };
    let digest = reader.take(size)?;
    Ok((hash, digest, reader))
}

#[cfg(test)]
mod tests;
