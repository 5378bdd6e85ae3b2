//! DWN rules: what a message is, whether it is allowed, what it changes. Pure: no I/O, no clock, no
//! randomness, no database. Knows only `cid`, `crypto` and `did`, and how lengths of time and foreign text are spelt.
//!
//! Dialect: `@tbd54566975/dwn-sdk-js` 0.5.2. One file per method; `method` is the roof. The way of a message:
//!
//! 1. [`Message::parse`] checks shape and integrity, which needs no past.
//! 2. The caller finds the signers' keys, and [`Message::verify`] checks the signatures.
//! 3. [`decide`] (writes) or [`answer`] (reads) judges it against a [`View`] of the tenant's past.

mod refusal;
mod schema;
mod shapes;
mod kind;
pub mod json;
mod fields;
mod lineage;
mod view;
mod chain;
mod filter;
mod text;
mod grant;
mod granted;
mod mandate;
mod device;
mod authorization;
mod message;
mod change;
pub mod create;
mod tags;
mod definition;
mod lint;
mod reason;
mod index;
mod entries;
mod reply;
mod order;
mod messages_query;
mod permissions;
mod messages_read;
mod protocols_configure;
mod protocols_query;
mod policy;
mod protocol;
mod diff;
mod reader;
mod readable;
mod replayed;
mod records_delete;
mod visible;
mod records_query;
mod records_read;
mod records_write;
mod unseen;
mod subscribe;
mod method;
mod explain;

#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
#[cfg(test)]
pub mod testing;
#[cfg(test)]
mod tests;

pub use change::{Change, Given, Subject};
pub use device::{DeviceGrant, device_grants};
pub use diff::{Diff, Fit};
pub use entries::Entries;
pub use explain::{ANYONE, Access, Explained, explain, explain_path};
pub use fields::{PERMISSIONS, declared_data, is_method, record_id};
pub use filter::compare_texts;
pub use granted::{GRANTS_MAX, Granted, Standing, Wanted, granted, grants, grants_after};
pub use index::{First, index_values, scope};
pub use json::Json;
pub use kind::Kind;
pub use lineage::{Knew, Lineage, SINGLE_MAX, TOLD_MAX};
pub use lint::Lint;
pub use mandate::{Deed, DelegatedGrant, Mandate, mandate};
pub use message::Message;
pub use method::{answer, decide};
pub use order::order as in_order;
pub use permissions::tagged_protocol;
pub use policy::{
    Audit as PolicyAudit, Document as Policy, Ending, EndingBy, POLICY, POLICY_PATH, endings, for_protocol, is_ended,
    keeps_history, policies,
};
pub use readable::in_header;
pub use reader::Reader;
pub use records_query::selection;
pub use refusal::{Fault, Refusal, Stop};
pub use reply::{Members, MessageReply};
pub use subscribe::{Happened, Subscription, subscribe};
pub use text::normalize as normalize_uri;
pub use unseen::{Lost, unseen};
pub use view::{
    Cond, Direction, EventFilter, EventKind, Filter, Hits, INLINE_MAX, IndexValue, Kept, LogEvent, Page,
    PaginationCursor, Record, Select, SortBy, Stored, Take, View,
};
