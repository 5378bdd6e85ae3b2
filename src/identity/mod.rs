//! Who this node speaks as: several identities, of which one is the node itself.
//!
//! Each has a key that signs in the memory of a running node, until it is locked; where it came from stays sealed in the vault and
//! is opened for the moment of a change. A did:dht has its packet kept by this node's own resolver and relay; whether it
//! is also published elsewhere is its owner's choice.

mod method;
mod make;
mod export;
mod handed;
mod sign;
mod root;
mod identities;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;

pub use export::{FILE_MAX, export, import};
pub use handed::{Content, Handed, Hatch, SealingKey};
pub use identities::{Identities, Opened, Shown, ShownPast};
pub use make::{Made, cannot_rotate, catch_up, new, now, of_phrase, packet, public, rotate, signer};
pub use method::Method;
pub use root::{root, root_key_id};
pub use sign::{Signed, Wanted, sign};
