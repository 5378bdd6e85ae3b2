//! The network: libp2p, Kademlia and Bitswap behind one small handle.
//!
//! One task (`swarm`) owns the swarm; [`Net`] (`handle`) sends it commands (`command`) over a bounded channel. Peer ids and
//! addresses cross this API as text, so that no other module names libp2p. What strangers may have is
//! decided by whoever hands in the [`BlockSource`]: what it does not answer does not exist for them.
//!
//! It deliberately stores nothing: fetched blocks go to the caller, and announced roots are told again at
//! every start.

mod metrics;
mod config;
mod circuit;
mod known;
mod meeting;
mod pools;
mod limits;
mod door;
mod muxer;
mod secure;
mod quic;
mod source;
mod kad;
pub mod bitswap;
mod error;
mod rate;
mod streams;
mod provide;
mod serve;
mod only;
mod introduce;
mod behaviour;
mod setup;
mod book;
mod relays;
mod dialling;
mod dns_sd;
mod near;
mod command;
mod swarm;
mod reach;
mod session;
mod handle;
mod file;
mod announce;
mod packed;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;

pub use announce::announce;
pub use book::{Address, Source};
pub use circuit::Line;
pub use command::{Event, PeerInfo};
pub use config::{Config, Limits, Network};
pub use error::Error;
pub use file::{FileLimits, FileNode, fetch_file};
pub use handle::{Discovering, Net};
pub use metrics::Metrics;
pub use packed::{packed, unpacked};
pub use provide::Status as ProvideStatus;
pub use session::Session;
pub use setup::check as check_addresses;
pub use source::{BlockSource, Offer};
pub use streams::{Duplex, Incoming, Opened};
