//! DWN rules: what a message is, whether it is allowed, what it changes. Pure: no I/O, no clock, no
//! randomness, no database. Knows only `cid`, `crypto` and `did`.
//!
//! Dialect: `@tbd54566975/dwn-sdk-js` 0.5.2. One file per method. The way of a message:
//! [`Message::parse`] (shape and integrity, no past needed) → the caller resolves the signers' keys and
//! [`Message::verify`] checks the signatures → [`decide`] (writes) or [`answer`] (reads) against a
//! [`View`] of the tenant's past.

/// Data of up to this many bytes is kept beside its message and returned as `encodedData` (SDK: `maxDataSizeAllowedToBeEncoded`).
pub const INLINE_MAX: u64 = 30_000;

mod change;
mod index;
mod refusal;
mod view;

pub use change::{Change, Subject};
pub use index::index_values;
pub use refusal::{Fault, Refusal, Stop};
pub use view::{
    Cond, Cursor, Direction, Event, EventFilter, Filter, IndexValue, Page, Record, Select, SortBy, Stored, View,
};
