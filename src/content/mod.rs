//! Content by CID, across the node and the network: what the owner adds and gets, what strangers get of published records, and
//! the care of what lies on disk.
//!
//! Everything goes through the door (`node`) or asks the one rule of who may have a block (`blocks`). Nothing here is kept, and
//! nobody here knows HTTP.

mod add;
mod get;
mod published;
mod care;
mod heads;

pub use add::{AddError, Added, New};
pub use care::{Care, Compaction, Footprint, Rebuilt, keep_scrubbing, peers};
pub use get::GetError;
pub use heads::{HEAD_FORMAT, Heads, Own};
pub use published::{PublishedFile, Unpublished, published_block, published_file};

use crate::{
    cid::Cid,
    crypto::Signer,
    net::Net,
    node::{Body, Node},
    store::Data,
};
use std::{sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;

/// The owner's hands on content. Cheap to clone.
#[derive(Clone)]
pub struct Content {
    node: Node,
    net: Net,
    signer: Arc<Signer>,
}

impl std::fmt::Debug for Content {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Content({})", self.signer.did())
    }
}

impl Content {
    /// `signer`: the node's own tenant.
    pub fn new(node: Node, net: Net, signer: Arc<Signer>) -> Self {
        Self { node, net, signer }
    }

    /// Writes a record of the node's own tenant with these bytes as its data.
    pub async fn add(&self, new: New, data: Body) -> Result<Added, AddError> {
        let data = self.stage(data, u64::MAX).await?;
        self.keep(new, data).await
    }

    /// The same with bytes that are staged.
    pub async fn keep(&self, new: New, data: Data) -> Result<Added, AddError> {
        add::keep((&self.node, &self.signer), new, data).await
    }

    /// The bytes as data for a record that is yet to be written, at most `limit` of them.
    pub async fn stage(&self, bytes: Body, limit: u64) -> Result<Data, AddError> {
        add::stage(&self.node, bytes, limit.min(self.node.max_record())).await
    }

    /// The bytes of the file under `root`: from here if all of it is here, else from the network. `timeout`: for each block.
    pub async fn get(&self, root: Cid, timeout: Duration) -> Result<Body, GetError> {
        get::get((&self.node, &self.net), root, timeout).await
    }

    /// The care of what this node keeps. A scrub brings damaged blocks anew from peers. `stop`: ends it early.
    pub fn care(&self, stop: CancellationToken) -> Care {
        let peers = care::peers(&self.net);
        Care { store: self.node.store().clone(), blocks: self.node.blocks().clone(), fetch: Some(peers), stop }
    }
}
