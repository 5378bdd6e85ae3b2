//! Other DWN servers: a tenant of this node is kept in step with any that its owner has named (`toft sync add URL`), over the wire
//! that all of them speak. Nobody there knows of toft; this end does all the work: it asks, fetches, sends and compares.
//!
//! A remote is a URL, the tenants whose messages go there and come from there, and the protocols that count (all, if none is
//! named). A *part* is one tenant and one of the protocols, or all: parts are asked for apart, each with its own cursor.
//!
//! - **Pull**: a signed MessagesQuery from the cursor, a MessagesRead for each message that is not here, and each through the
//!   node's one door as sync between devices does (`Node::replay`): what rules depend on the moment, the server was asked for when
//!   the message came to it. Signatures and hashes are checked here.
//! - **Push**: what the log has of the part behind a position, in an order in which each message comes after what it needs.
//! - Cursor and position are written down only when all before them is here, there, or put aside with its reason
//!   (`sync/parked.rs`): a crash repeats work and loses none.
//! - **Compare**: neither is believed for long. At first, when the message that the cursor names is not there any more (a
//!   server that was emptied or put back to an older state), when the server does not take the cursor, every so often, and
//!   when the owner asks, the whole list of the server is compared with what is here, by CIDs.
//!
//! Who signs is in `signing.rs`. What may leave is asked in one place, `push.rs`.
//!
//! | file | what it is |
//! |---|---|
//! | `config.rs` | how often |
//! | `endpoint.rs` | a URL that is a DWN server's, or why it is none |
//! | `wire.rs` | requests and answers, as bytes |
//! | `line.rs` | HTTP: connections, deadlines, bounds |
//! | `signing.rs` | as whom this node asks |
//! | `kept.rs` | what lies in the store: remotes, and how far each part is |
//! | `aside.rs` | what was put aside of a part, in both directions |
//! | `status.rs` | how a remote stands |
//! | `talk.rs` | one question to the server, and what its answer means |
//! | `pull.rs`, `push.rs`, `round.rs` | one round of a part |
//! | `remotes.rs` | the remotes of this node, and a job for each |

mod config;
mod endpoint;
mod wire;
mod line;
mod signing;
mod kept;
mod aside;
mod status;
mod talk;
mod pull;
mod push;
mod round;
mod remotes;

pub use config::Config;
pub use kept::Remote;
pub use remotes::{NotAdded, Remotes};
pub use status::RemoteStatus;
