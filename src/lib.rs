//! toft: a personal data node.
//!
//! Modules stand bottom-up; a module uses only modules above it (held by `tests/tidy`).

// what things are called
pub mod task;
pub mod metrics;
pub mod span;
pub mod bounds;
pub mod foreign;
pub mod job;
pub mod log;
pub mod process;
pub mod memory;
pub mod scarce;
pub mod asker;
pub mod pool;
pub mod budget;
pub mod protobuf;
pub mod hook;
pub mod cid;
#[doc(hidden)]
pub mod planted;
pub mod sums;
pub mod crypto;
pub mod did;

// what is allowed (pure: no I/O, no clock, no randomness, no database)
pub mod dwn;

// code that is made of definitions (pure)
pub mod typed;

// what is remembered
pub mod store;
pub mod blocks;
pub mod resolve;
pub mod vault;
pub mod identity;
pub mod audit;
pub mod access;
pub mod backup;

// the one door
pub mod node;

// those who follow the log
pub mod net;
pub mod sync;
pub mod remote;
pub mod devices;
pub mod anchor;

// what the node and the network do together
pub mod content;
pub mod rgb;

// those who knock
pub mod rpc;
pub mod repo;
pub mod config;
pub mod daemon;
pub mod cli;

// what fuzzers and tests call; not in a node
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
