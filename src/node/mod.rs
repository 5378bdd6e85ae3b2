//! The one door: every message, from a client, a peer or this node itself, goes through [`Node::process`] or its
//! likes.
//!
//! It orders the steps and decides nothing: `dwn` judges, `blocks` holds data, `store` remembers. A refusal
//! is a reply; a fault is an error of ours. Who wants to know what happens from now on: `subscribe`.

mod clock;
mod method;
mod limits;
mod deny;
mod conflict;
mod history;
mod elsewhere;
mod quota;
mod gate;
mod config;
mod retention;
mod tally;
mod workers;
mod data;
mod answers;
mod uploads;
mod events;
mod admission;
mod judge;
mod door;
mod conflicts;
mod tenants;
mod subscribe;
mod reaper;
#[cfg(test)]
mod tests;

pub use answers::{Answers, Outgoing, Reply, Text};
pub use clock::now;
pub use config::Config;
pub use conflict::{Brought, Conflict, State};
pub use conflicts::Kept;
pub use data::{Body, one_chunk, read_out, send};
pub use deny::Denied;
pub use door::{Choose, Node};
pub use elsewhere::{Elsewhere, Fetch, elsewhere};
pub use events::{Delivery, Ended, Events, Resume};
pub use gate::{Registered, Tenants};
pub use history::{Earlier, earlier};
pub use limits::Limits;
pub use retention::{Config as RetentionConfig, Rules};
pub use tally::Retained;
pub use tenants::{Removed, Tenant};
