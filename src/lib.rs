//! toft: a personal data node.
//!
//! Modules stand bottom-up; a module uses only modules above it (held by `tests/tidy.rs`).

// what things are called
pub mod cid;

// what is allowed
pub mod dwn;

// what is remembered
pub mod blocks;
pub mod store;

// those who follow the log
pub mod net;
