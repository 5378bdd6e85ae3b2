//! Devices of a person in step: both ends of a session prove who they are, compare what they hold, and send what the other
//! lacks.
//!
//! A peer is a DID and an address, added by pairing (`devices`) or by hand on both sides (`toft peer add`); the stream's ends
//! prove their DIDs before anything is said. Shared are the tenants that both sides name: by default each other's own DIDs. Nothing is remembered
//! of what a peer has: at the beginning of a session, and whenever nothing happens, both compare fingerprints of their sets, and
//! "in sync" is said when these are equal. What the door refuses is put aside, with its reason, and asked for again.
//!
//! | file | what it is |
//! |---|---|
//! | `reconcile.rs` | who lacks what: ranges and their fingerprints |
//! | `term.rs` | on what terms a tenant is shared |
//! | `frame.rs` | what is said |
//! | `shown.rs`, `lens.rs` | what of a tenant the other end may be told |
//! | `runs.rs` | is a peer one node that starts anew, or two copies that run at the same time |
//! | `wire.rs`, `squeeze.rs` | the handshake, and how frames lie on the stream after it |
//! | `local.rs` | what is read of the store |
//! | `parked.rs`, `partial.rs` | what lies on the disk between sessions |
//! | `machine/` | a session without line, clock and disk |
//! | `session.rs` | a session with them |
//! | `still.rs` | why nothing is shared |
//! | `fetch.rs` | data that stayed on another device, when it is read |
//! | `peer.rs`, `peers.rs`, `status.rs` | a peer, the peers of this node, and how they stand |
//!
//! Who opens streams is not known here: `daemon` hands in a [`Dial`] and incoming [`Link`]s.

mod term;
mod reconcile;
mod frame;
mod shown;
mod lens;
mod local;
pub(crate) mod parked;
mod partial;
mod machine;
mod progress;
mod runs;
mod wire;
mod squeeze;
mod still;
mod session;
mod peer;
mod peers;
mod fetch;
mod status;
#[cfg(test)]
mod sim;
#[cfg(any(test, fuzzing))]
pub(crate) use wire::fuzzing;

/// What is said between devices, for who tries what a device does that lies.
pub mod spoken {
    pub use super::{
        frame::{Bytes32, Carried, Frame, ScopeState},
        reconcile::{Range, Short},
        runs::Run,
        squeeze::{Heard, Reader, Writer},
        term::Offer,
        wire::{Greeted, handshake},
    };
}

pub use machine::Way;
pub use parked::Parked;
pub use peer::{Amount, Config, Friend, Peer, PeerStatus};
pub use peers::{Dial, Peers, TenantStays};
pub use runs::TwoCopies;
pub use status::{DeviceStatus, Put, ScopeStatus, Why};
pub use still::Still;
pub use wire::{Link, Own, PROTOCOL};
pub(crate) use wire::{read_up_to as read_frame_up_to, write as write_frame};
