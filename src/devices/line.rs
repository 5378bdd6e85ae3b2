//! How devices that do not know each other yet come together. Who implements it knows the network.

use crate::sync::Link;
use anyhow::Error;
use futures::{future::BoxFuture, stream::BoxStream};

/// Streams of the protocol [`PROTOCOL`](super::PROTOCOL).
pub trait Line: Send + Sync + 'static {
    /// Opens one to a device at any of these addresses, all of one peer, or where it is heard of on the local network; and
    /// the address it was reached at.
    fn dial(&self, addresses: Vec<String>) -> BoxFuture<'static, Result<(Link, String), Error>>;

    /// Those that anybody opens, until this is dropped. As long, the local network hears that this node is there.
    fn listen(&self) -> BoxFuture<'static, Result<BoxStream<'static, Link>, Error>>;

    /// Where this node is reached: multiaddrs ending in its peer id.
    fn addresses(&self) -> BoxFuture<'static, Result<Vec<String>, Error>>;
}
