//! CIDs, and the hashes they hold: sha2-256, and the identity for what is small.

use multihash::Multihash;
use sha2::{Digest as _, Sha256};

pub use ::cid::Cid;

/// Codec of raw bytes (a UnixFS leaf, a file of one chunk).
pub const RAW: u64 = 0x55;
/// Codec of DAG-PB nodes (UnixFS files and directories).
pub const DAG_PB: u64 = 0x70;
/// Codec of DAG-CBOR (DWN messages).
pub const DAG_CBOR: u64 = 0x71;
/// Multihash code of sha2-256.
pub const SHA2_256: u64 = 0x12;
/// Multihash code of the identity "hash": the bytes themselves.
pub const IDENTITY: u64 = 0x00;

/// A sha2-256 digest: the name of a block whatever its codec or CID version.
pub type Digest = [u8; 32];

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Error {
    #[error("number {0} is outside what JSON clients can express")]
    Number(String),
    #[error("not DAG-CBOR: {0}")]
    Decode(String),
    #[error("DAG-CBOR holds a value JSON cannot express ({0})")]
    NotJson(&'static str),
    #[error("hash function 0x{0:x} is not supported: toft knows sha2-256 (0x12) and identity (0x00)")]
    Hash(u64),
    #[error("the bytes do not hash to {0}")]
    Mismatch(Cid),
}

/// sha2-256 of `bytes`.
pub fn digest(bytes: &[u8]) -> Digest {
    Sha256::digest(bytes).into()
}

/// A sha2-256 computed over bytes that arrive piece by piece.
#[derive(Debug, Default, Clone)]
pub struct Hasher(Sha256);

impl Hasher {
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    pub fn finish(self) -> Digest {
        self.0.finalize().into()
    }
}

/// CIDv1 of a sha2-256 digest.
pub fn from_digest(codec: u64, digest: &Digest) -> Cid {
    let hash = Multihash::wrap(SHA2_256, digest).expect("a multihash holds up to 64 bytes, a digest has 32");
    Cid::new_v1(codec, hash)
}

/// CIDv1 of `bytes` under `codec`.
pub fn of(codec: u64, bytes: &[u8]) -> Cid {
    from_digest(codec, &digest(bytes))
}

/// The sha2-256 digest inside a CID, if that is its hash.
pub fn sha256_of(cid: &Cid) -> Option<Digest> {
    (cid.hash().code() == SHA2_256).then(|| cid.hash().digest().try_into().ok()).flatten()
}

/// Does `cid` name `bytes`? An unknown hash function is an error, never a silent yes.
pub fn verify(cid: &Cid, bytes: &[u8]) -> Result<(), Error> {
    let same = match cid.hash().code() {
        SHA2_256 => cid.hash().digest() == digest(bytes),
        IDENTITY => cid.hash().digest() == bytes,
        other => return Err(Error::Hash(other)),
    };
    if same { Ok(()) } else { Err(Error::Mismatch(*cid)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    /// Made by `tests/vectors/generate.mjs`.
    #[test]
    fn js_names_small_data_the_same() {
        let vectors: Value = serde_json::from_str(include_str!("../../tests/vectors/cids.json")).expect("JSON");
        for case in vectors["data"].as_array().expect("a list") {
            let size = case["size"].as_u64().expect("a size") as usize;
            // Larger data is a tree: `blocks`.
            if size <= 262_144 {
                let data: Vec<u8> = (0..size).map(|i| (i % 251) as u8).collect();
                assert_eq!(of(RAW, &data).to_string(), case["cid"], "{size} bytes");
            }
        }
    }

    #[test]
    fn verify_tells_a_wrong_byte_and_an_unknown_hash() {
        let cid = of(RAW, b"hello");
        assert_eq!(verify(&cid, b"hello"), Ok(()));
        assert_eq!(verify(&cid, b"hellp"), Err(Error::Mismatch(cid)));
        let blake = Cid::new_v1(RAW, Multihash::wrap(0x1e, &[0; 32]).expect("32 bytes fit"));
        assert_eq!(verify(&blake, b""), Err(Error::Hash(0x1e)));
    }
}
