//! What the index holds, in bytes and as a function of the log: keys, rows, who holds which block.

pub mod families;
pub mod keys;
pub mod row;
pub mod entry_flags;
pub mod index;
pub mod source;
pub mod refs;
pub mod batch;
pub mod sums;
pub mod effects;
