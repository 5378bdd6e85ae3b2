//! Bitswap 1.2.0, written for this project: peers tell each other which blocks they want and send them.
//!
//! [`message`] is the wire format; [`client`] decides whom to ask and [`server`] what to answer, both
//! without I/O and without a clock; [`handler`] moves frames on one connection; [`behaviour`] joins them to
//! the swarm. A block is judged by its hash where it arrives (in the handler, on the connection's own
//! task): what reaches the client is named by what it is, never by what a peer says it is.

pub mod message;
pub mod client;
pub mod server;
pub mod handler;
pub mod behaviour;
