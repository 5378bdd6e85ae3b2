//! What the network says of other people: the documents behind their DIDs.
//!
//! did:key and did:jwk carry their document in themselves and are answered at once. did:web asks the host that the
//! DID names; did:dht asks this node's own relay and then the configured gateway. Every such question is one that a
//! stranger made us ask, so it is bounded: no private addresses, one lookup at a time per DID, so many a minute, and
//! both answers and failures are remembered for a while. Nobody can use up what all may ask: see [`crate::asker::Asker`].
//!
//! A gateway is not trusted: packets are signed by the key that the DID is, and the newest one seen is kept in the
//! store, so that a gateway can keep a change from us but never take us back. When it cannot be asked, the packet
//! kept holds on. A did:web document seen lately serves through an outage of its host for `STALE`.
//!
//! What it does not do: the mainline DHT itself. To another relay, the gateway, it puts the packets of this node's own identities alone,
//! and only when their owner wants that.

mod address;
mod http;
mod config;
mod error;
mod cache;
mod packets;
mod resolver;
mod relay;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
#[cfg(test)]
mod tests;

pub use address::is_public;
pub use config::{Config, Web};
pub use error::Error;
pub use http::{Client, Failure as NoLine, Line, Target};
pub use relay::{Error as RelayError, Relay};
pub use resolver::Resolver;
