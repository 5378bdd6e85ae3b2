//! What goes over the stream between two devices after the handshake. `docs/formats.md` has the table.
//!
//! Messages and data travel apart: small data comes with its message, larger data in pieces that are asked for, so that a
//! small record never waits for a large one, and what was begun is gone on with after a break.

use super::reconcile::{Range, Short};
use crate::cid::Digest;
use serde::{Deserialize, Serialize};

/// Data of up to this many bytes travels with its message. (The simulation has less, so that small data travels apart too.)
pub const BESIDE_MAX: u64 = if cfg!(test) { 60 } else { 30_000 };
/// Data travels in pieces of this size.
pub const PIECE: usize = if cfg!(test) { 16 } else { 64 << 10 };

/// A scope by the number that its teller has given it ([`Frame::Name`]).
pub type Number = u32;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Frame {
    /// "By this number I mean this scope from now on": the next number, the tenant's place among those that both share, the
    /// protocol.
    Name(u16, Option<String>),
    /// What is here of every scope that is not empty.
    State {
        scopes: Vec<ScopeState>,
        /// Nothing more of it follows.
        last: bool,
        /// "Tell me yours."
        ask: bool,
    },
    /// Of one scope: what is here of some ranges. Answered with what is there of those that differ, if it tells any.
    Ranges(Number, Vec<Range>),
    /// "Send me these": items of a range, by their short names.
    Want(Number, u8, u64, Vec<Short>),
    /// "Send me these, as they are now": messages by their digests.
    Again(Number, Vec<Bytes32>),
    /// One message (DAG-CBOR), and its data.
    Message(Number, #[serde(with = "serde_bytes")] Vec<u8>, Carried),
    /// "I do not have this (any more)", or of a message whose data is on its way: "I cannot take it", or want it no more.
    Gone(Number, Bytes32),
    /// So many messages, with so many bytes, were taken or put aside: room for more.
    Took(u32, u64),
    /// "Send me the data of this message from this byte on."
    DataWanted(Number, Bytes32, u64),
    /// A piece of a message's data: where it begins. Empty: the data cannot be read any more.
    Data(Bytes32, u64, #[serde(with = "serde_bytes")] Vec<u8>),
    /// "I have its data up to here": room for more pieces.
    DataTook(Bytes32, u64),
    /// So many messages are on their way or about to be.
    Ahead(u64),
    /// "I am here; this is what I have, this is that and what I put aside, and so many messages I put aside."
    Beat {
        #[serde(with = "serde_bytes")]
        held: [u8; 16],
        #[serde(with = "serde_bytes")]
        covered: [u8; 16],
        parked: u32,
    },
    /// "What is of this protocol (of the tenant at this place) stays here, and yours there." For own devices only.
    Apart(u16, String),
    /// "This is none of what I have for you." For friends only.
    Declined(Number, Bytes32),
    /// "Whoever wrote the message that comes next knew these earlier states": of the record, and those that a delete ends
    /// ([`crate::dwn::Knew`]).
    Knew(#[serde(with = "serde_bytes")] Vec<u8>),
    /// "I put this aside, because": code and text. For own devices only.
    Parked(Number, Bytes32, u16, String),
}

impl Frame {
    /// About how many bytes it takes, in memory and on the way.
    pub fn weight(&self) -> usize {
        64 + match self {
            Self::Name(_, protocol) => protocol.as_ref().map_or(0, String::len),
            Self::State { scopes, .. } => 48 * scopes.len(),
            Self::Ranges(_, ranges) => ranges.iter().map(Range::weight).sum(),
            Self::Want(_, _, _, items) => 9 * items.len(),
            Self::Again(_, digests) => 34 * digests.len(),
            Self::Message(_, message, carried) => message.len() + carried.size(),
            Self::Data(_, _, piece) => piece.len(),
            Self::Knew(states) => states.len(),
            Self::Parked(_, _, _, why) => why.len(),
            Self::Apart(_, protocol) => protocol.len(),
            Self::Gone(..) | Self::Declined(..) | Self::Took(..) | Self::DataWanted(..) | Self::DataTook(..) => 0,
            Self::Ahead(_) | Self::Beat { .. } => 0,
        }
    }
}

/// What is here of a scope: fingerprints of what is held, and of that and what is put aside; how many.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScopeState(
    pub Number,
    #[serde(with = "serde_bytes")] pub [u8; 16],
    #[serde(with = "serde_bytes")] pub [u8; 16],
    pub u64,
);

/// The data of a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Carried {
    /// There is none, here.
    None,
    With(#[serde(with = "serde_bytes")] Vec<u8>),
    /// So many bytes, to be asked for.
    Apart(u64),
}

impl Carried {
    pub fn is_some(&self) -> bool {
        *self != Self::None
    }

    /// Bytes that come with the message.
    pub fn size(&self) -> usize {
        if let Self::With(data) = self { data.len() } else { 0 }
    }
}

/// A digest, as 32 bytes on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bytes32(pub Digest);

impl Serialize for Bytes32 {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Bytes32 {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes = serde_bytes::ByteBuf::deserialize(deserializer)?;
        let digest = Digest::try_from(bytes.as_slice());
        digest.map(Self).map_err(|_| serde::de::Error::invalid_length(bytes.len(), &"32 bytes"))
    }
}
