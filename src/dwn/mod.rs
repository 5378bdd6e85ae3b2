//! DWN rules: what a message is, whether it is allowed, what it changes. Pure: no I/O, no clock, no
//! randomness, no database. Knows only `cid`, `crypto` and `did`.
//!
//! Dialect: `@tbd54566975/dwn-sdk-js` 0.5.2. One file per method. The way of a message:
//! [`Message::parse`] (shape and integrity, no past needed) → the caller resolves the signers' keys and
//! [`Message::verify`] checks the signatures → [`decide`] (writes) or [`answer`] (reads) against a
//! [`View`] of the tenant's past.

/// Data of up to this many bytes is kept beside its message and returned as `encodedData` (SDK: `maxDataSizeAllowedToBeEncoded`).
pub const INLINE_MAX: u64 = 30_000;

/// The protocol of permission grants, which is built into every node.
pub const PERMISSIONS: &str = "https://tbd.website/dwn/permissions";

mod authorization;
mod change;
pub mod create;
mod definition;
mod filter;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod grant;
mod index;
pub mod json;
mod kind;
mod message;
mod messages_query;
mod messages_read;
mod order;
mod permissions;
mod protocol;
mod protocols_configure;
mod protocols_query;
mod readable;
mod records_delete;
mod records_query;
mod records_read;
mod records_write;
mod refusal;
mod reply;
mod schema;
mod shapes;
mod subscribe;
#[cfg(test)]
pub mod testing;
#[cfg(test)]
mod tests;
mod tags;
mod text;
mod view;
mod visible;

pub use change::{Change, Given, Subject};
pub use index::{First, index_values};
pub use json::Json;
pub use message::{Kind, Message};
pub use readable::in_header;
pub use records_query::selection;
pub use refusal::{Fault, Refusal, Stop};
pub use reply::{Entries, Members, Reply};
pub use subscribe::{Happened, Subscription, subscribe};
pub use text::normalize as normalize_uri;
pub use view::{
    Cond, Cursor, Direction, Event, EventFilter, EventKind, Filter, Hits, IndexValue, Kept, Page, Record, Select,
    SortBy, Stored, Take, View,
};

/// Judges a verified write: what it changes, or why not. Called twice: with [`Given::Promised`] on a
/// snapshot before a byte of data is read, and with [`Given::Staged`] under the store's one writer.
/// `now`: the time as messages write it.
pub fn decide(message: &Message, given: &Given, view: &dyn View, now: &str) -> Result<Change, Stop> {
    text::check_not_ahead(message.timestamp(), now)?;
    match message.kind() {
        Kind::RecordsWrite => records_write::decide(message, given, view, now),
        Kind::RecordsDelete => records_delete::decide(message, view, now),
        Kind::ProtocolsConfigure => protocols_configure::decide(message, view, now),
        other => Err(anyhow::anyhow!("{} is a read: it is answered, not decided", other.name()).into()),
    }
}

/// Answers a verified read. The answer's entries, if it has some, are still to be written ([`Reply::write`]). `now`: the
/// time as messages write it.
pub fn answer(message: &Message, view: &dyn View, now: &str) -> Result<Reply, Stop> {
    match message.kind() {
        Kind::RecordsRead => records_read::answer(message, view, now),
        Kind::RecordsQuery => records_query::answer(message, view, now),
        Kind::ProtocolsQuery => protocols_query::answer(message, view, now),
        Kind::MessagesQuery => messages_query::answer(message, view, now),
        Kind::MessagesRead => messages_read::answer(message, view, now),
        other => Err(anyhow::anyhow!("{} is a write: it is decided, not answered", other.name()).into()),
    }
}
