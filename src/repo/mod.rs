//! Typed records for Rust programs: what the code of `toft protocol gen --lang rust` is made on.
//!
//! A program has a [`Client`] of a running node, an [`Access`] that says as whom and where it works, and for each type of record of
//! a protocol a [`Records`]. The node makes and signs the messages.

mod filter;
mod place;
mod access;
mod stored;
mod records;

pub use crate::rpc::{
    client::Client,
    control::{Failure, Kind},
};
pub use access::Access;
pub use filter::{AnyFilter, AnyTagFilter, NumberFilter, Query, Range, Sort, TextFilter, Times};
pub use place::{Blob, Json, Members, Parent, Place, Tags, from_json, to_json};
pub use records::{Change, Event, New, Page, Records};
pub use stored::Stored;
/// For the code that is made: it needs no crate but this one.
pub use {serde, serde_json};
