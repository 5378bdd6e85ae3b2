//! The hash of a stamped file, by the function that its proof names.

use super::form::Op;
use crate::cid;
use bitcoin::hashes::{Hash as _, HashEngine as _, ripemd160, sha1};
use sha3::{Digest as _, Keccak256};

/// Takes a file piece by piece.
#[derive(Debug)]
pub struct Hasher(Kind);

enum Kind {
    Sha1(sha1::HashEngine),
    Ripemd160(ripemd160::HashEngine),
    Sha256(cid::Hasher),
    Keccak256(Keccak256),
}

impl std::fmt::Debug for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Sha1(_) => "sha1",
            Self::Ripemd160(_) => "ripemd160",
            Self::Sha256(_) => "sha256",
            Self::Keccak256(_) => "keccak256",
        })
    }
}

impl Hasher {
    /// Nothing, if the operation is no hash.
    pub fn new(op: &Op) -> Option<Self> {
        Some(Self(match op {
            Op::Sha1 => Kind::Sha1(sha1::Hash::engine()),
            Op::Ripemd160 => Kind::Ripemd160(ripemd160::Hash::engine()),
            Op::Sha256 => Kind::Sha256(cid::Hasher::default()),
            Op::Keccak256 => Kind::Keccak256(Keccak256::new()),
            Op::Append(_) | Op::Prepend(_) | Op::Reverse | Op::Hexlify => return None,
        }))
    }

    /// What the function is called.
    pub fn name(&self) -> String {
        format!("{:?}", self.0)
    }

    pub fn update(&mut self, bytes: &[u8]) {
        match &mut self.0 {
            Kind::Sha1(engine) => engine.input(bytes),
            Kind::Ripemd160(engine) => engine.input(bytes),
            Kind::Sha256(hasher) => hasher.update(bytes),
            Kind::Keccak256(hasher) => hasher.update(bytes),
        }
    }

    pub fn finish(self) -> Vec<u8> {
        match self.0 {
            Kind::Sha1(engine) => sha1::Hash::from_engine(engine).to_byte_array().to_vec(),
            Kind::Ripemd160(engine) => ripemd160::Hash::from_engine(engine).to_byte_array().to_vec(),
            Kind::Sha256(hasher) => hasher.finish().to_vec(),
            Kind::Keccak256(hasher) => hasher.finalize().to_vec(),
        }
    }
}
