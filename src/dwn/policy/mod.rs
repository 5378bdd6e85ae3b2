//! Policies: what a tenant's own node asks of the records of a protocol beyond what the dialect can say.
//!
//! A policy is a record of the tenant's, under the protocol [`POLICY`], tagged with the protocol that it is for. It binds everybody who
//! writes to this tenant's nodes, the tenant too, until it is changed or deleted. A message that another own device has judged is
//! taken. What a policy may say, and what it is refused with: `docs/dwn.md`, "Policies".

mod bounded;
mod document;
mod expiry;
mod kept;
mod judge;
mod audit;

pub use audit::Audit;
pub use document::{Document, PATH as POLICY_PATH, POLICY};
pub(super) use expiry::At;
pub(super) use judge::{check_delete, check_write};
pub(super) use kept::keep_current;
pub use kept::{Ending, EndingBy, endings, for_protocol, is_ended, keeps_history, policies};
