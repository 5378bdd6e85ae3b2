//! What can go wrong, in words for the operator.

use super::bitswap::client::{Asked, WANTS_MAX};
use super::kad::PROVIDED_MAX;
use crate::cid::Cid;
use std::time::Duration;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("`{address}` is no multiaddr ({reason}); an example: /ip4/127.0.0.1/tcp/4001")]
    Address { address: String, reason: String },
    #[error(
        "cannot listen on {address}: the port is in use; stop the other program or choose another port in net.listen"
    )]
    InUse { address: String },
    #[error("cannot listen on {address}: {reason}")]
    Listen { address: String, reason: String },
    #[error("cannot set up the network: {0}")]
    Setup(String),
    #[error("cannot connect to {address}: {reason}")]
    Dial { address: String, reason: String },
    #[error("`{0}` is no peer id")]
    PeerId(String),
    #[error("{cid} was not found: {} of {} connected peers said they do not have it, and no other provider could be reached", .asked.lack, .asked.peers)]
    NotFound { cid: Cid, asked: Asked },
    #[error("{cid} did not arrive within {after:?}: {} peers were asked, {} of them do not have it", .asked.peers, .asked.lack)]
    Timeout { cid: Cid, after: Duration, asked: Asked },
    #[error(transparent)]
    Cid(#[from] crate::cid::Error),
    #[error("{WANTS_MAX} blocks are already being fetched; try again when some have arrived")]
    Busy,
    #[error("{PROVIDED_MAX} roots are already announced; no more can be")]
    Provided,
    #[error("{cid} cannot be read as part of a file: {reason}")]
    Node { cid: Cid, reason: String },
    #[error("the file under {root} exceeds the limit of {limit}")]
    TooLarge { root: Cid, limit: String },
    #[error("peer {peer} does not speak {protocol}")]
    Unsupported { peer: String, protocol: String },
    #[error("cannot open a stream to {peer}: {reason}")]
    Stream { peer: String, reason: String },
    #[error("`{0}` is no protocol name: it must begin with a slash")]
    ProtocolName(String),
    #[error("streams for {0} are already being accepted")]
    ProtocolTaken(String),
    #[error("the network has stopped")]
    Stopped,
    /// The key of the peer id is locked with the others: nothing is begun.
    #[error(transparent)]
    Locked(#[from] crate::crypto::Locked),
}
