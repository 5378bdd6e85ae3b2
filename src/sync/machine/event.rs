//! What goes into a session and what comes out of it.

use crate::{
    cid::Digest,
    dwn::Knew,
    sync::{frame::Frame, parked::Changes, reconcile::Keyed, term::Term},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Two clocks, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// Only goes forward.
    pub at: u64,
    /// Since 1970, as far as this device knows.
    pub time: u64,
}

/// With whom, and about what.
#[derive(Debug, Clone)]
pub struct Setup {
    pub peer: String,
    /// DIDs whose messages both share, sorted: both name them by their places.
    pub tenants: Vec<String>,
    pub key: Keyed,
    /// One of the two ends looks for differences.
    pub leads: bool,
    /// Data that comes apart from its message stays with the peer, a device of the same person, until it is asked for.
    pub on_demand: bool,
}

/// What happens to a session.
#[derive(Debug)]
pub enum Event {
    Frame(Frame),
    /// Something new is durable in the log.
    Grew,
    /// The batch was applied: what the door said to each, in order.
    Applied(Vec<Answer>),
    /// A piece of data that was asked for; `None`: it cannot be read. Empty: it ends here.
    Read(Digest, u64, Option<Vec<u8>>),
    /// So much of some data is on the disk from before.
    Begun(Digest, u64),
    /// So much of it is by now.
    Stored(Digest, u64),
    /// This data is not taken: code and reason. What was here of it is gone.
    Refused(Digest, u16, String),
    /// This data comes from another peer just now.
    Busy(Digest),
    /// Somebody wants the data of a tenant's message, which is elsewhere.
    Fetch(String, Digest),
    /// Nobody waits for it any more.
    Unfetch(String, Digest),
    /// Somebody wants both to be compared at once.
    Compare,
    /// What was asked for by [`Machine::wake`].
    Tick,
}

/// What the door said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub code: u16,
    pub detail: String,
}

/// What a session wants done.
#[derive(Debug)]
pub enum Effect {
    Send(Frame),
    /// Apply these, all at once or one after the other; one batch at a time.
    Apply(Vec<Arrival>),
    /// Read a piece of a message's data: tenant, digest, from where.
    Read(String, Digest, u64),
    /// Say how much of this data, which has so many bytes, is on the disk from before, or that another session fetches it, or
    /// that so much is not taken.
    Begin(Digest, u64),
    /// Put a piece of data on the disk: from where. (Of data that was refused: nothing.)
    Store(Digest, u64, Vec<u8>),
    /// This data is not fetched any more, for now.
    Release(Digest),
    /// Throw away what is on the disk of this data.
    Discard(Digest),
    /// What came of [`Event::Fetch`]: the data is here, or why not.
    Fetched(String, Digest, Result<(), String>),
    Park(Changes),
}

/// A message that came.
#[derive(Debug)]
pub struct Arrival {
    pub tenant: String,
    /// Who has judged it before, by the terms on which the tenant is shared.
    pub term: Term,
    pub digest: Digest,
    pub message: Value,
    /// Which earlier states its writer knew.
    pub knew: Knew,
    pub data: Data,
}

/// Its data.
#[derive(Debug, PartialEq, Eq)]
pub enum Data {
    None,
    With(Vec<u8>),
    /// So many bytes, on the disk by now.
    Stored(u64),
    /// It stays with the peer until it is asked for.
    Elsewhere,
    /// It is that of the record's state here.
    Kept,
}

/// How the two ends stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Not compared yet, or not lately.
    Unknown,
    /// Something is on its way.
    Busy,
    /// Both had the same, and said so so many milliseconds ago.
    Equal(u64),
    /// Nothing is on its way, and they have not the same.
    Apart,
}

/// How far one direction is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Way {
    pub messages: u64,
    pub of_messages: u64,
}
