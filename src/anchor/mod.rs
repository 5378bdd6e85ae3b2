//! The anchor: new messages and data → Merkle root → Bitcoin → a standard OpenTimestamps proof for each.

pub mod batch;
pub mod chain;
pub mod config;
pub mod ots;
pub mod proof;
pub mod tree;

pub use config::Config;
