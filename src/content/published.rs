//! What anyone may have: blocks and files that a published record of this node holds
//! ([`Blocks::may`](crate::blocks::Blocks::may)). Nothing is fetched for it.

use crate::{
    asker::Asker,
    blocks::{Right, Unread, is_damage},
    cid::{self, Cid},
    dwn::Fault,
    node::{Body, Node},
};
use bytes::Bytes;

/// A file on its way to a stranger.
pub struct PublishedFile {
    /// Bytes, if its root says so.
    pub size: Option<u64>,
    pub data: Body,
}

impl std::fmt::Debug for PublishedFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PublishedFile({:?})", self.size)
    }
}

/// Why a stranger gets nothing.
#[derive(Debug, thiserror::Error)]
pub enum Unpublished {
    /// No published record holds it. What a record holds as mere data is the same to strangers: nobody learns what else is here.
    #[error("no published record of this node holds {0}")]
    NotHere(Cid),
    /// Its codec is none of files.
    #[error("only raw and dag-pb (UnixFS files) are shown")]
    NotFile,
    /// The log has said so already, once.
    #[error("{0} is published here and cannot be read: it is damaged on this node")]
    Damaged(Cid),
    /// The node answers too much at the moment.
    #[error("{0}")]
    Busy(String),
    #[error("{0:#}")]
    Fault(#[from] Fault),
}

/// A published block.
pub async fn published_block(node: &Node, asker: Asker, cid: Cid) -> Result<Bytes, Unpublished> {
    let blocks = node.blocks().clone();
    let found = tokio::task::spawn_blocking(move || blocks.get(Right::ANYONE, &cid)).await.map_err(Fault::new)?;
    match found {
        Ok(Some(block)) => node.answers().hold(asker, block).await.map_err(|refusal| Unpublished::Busy(refusal.detail)),
        Ok(None) => Err(Unpublished::NotHere(cid)),
        Err(fault) if is_damage(&fault) => Err(Unpublished::Damaged(cid)),
        Err(fault) => Err(fault.into()),
    }
}

/// The file under a published root.
pub async fn published_file(node: &Node, asker: Asker, root: Cid) -> Result<PublishedFile, Unpublished> {
    if root.codec() != cid::RAW && root.codec() != cid::DAG_PB {
        return Err(Unpublished::NotFile);
    }
    let blocks = node.blocks().clone();
    let found = tokio::task::spawn_blocking(move || blocks.read(Right::ANYONE, &root)).await.map_err(Fault::new)?;
    match found {
        Ok(reader) => Ok(PublishedFile { size: reader.size(), data: node.send_to(asker, reader) }),
        Err(Unread::NotHere(_) | Unread::Data(_) | Unread::NotFile(..)) => Err(Unpublished::NotHere(root)),
        Err(Unread::Damaged { .. }) => Err(Unpublished::Damaged(root)),
        Err(Unread::Fault(fault)) => Err(fault.into()),
    }
}
