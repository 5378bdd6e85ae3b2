//! Content identifiers: CIDv1, sha2-256, and the DAG-CBOR encoding that DWN messages are named by.
//!
//! The only place that hashes content. JSON becomes DAG-CBOR with JavaScript's number rules, because the
//! JS SDK made the CIDs that clients compare with: a number that is integral and at most 2^53-1 in size is
//! a CBOR integer, any other a 64-bit float.

mod hash;
mod json;

pub use hash::{
    Cid, DAG_CBOR, DAG_PB, Digest, Error, Hasher, IDENTITY, RAW, SHA2_256, digest, from_digest, of, sha256_of, verify,
};
pub use json::{decode, encode, of_json, text, write_text};
