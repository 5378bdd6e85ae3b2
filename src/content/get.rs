//! Getting: the file under a CID, from here or from the network.

use crate::{
    blocks::{Right, Unread, unixfs},
    cid::{self, Cid},
    dwn::{Fault, Stop},
    net::{self, FileLimits, Net},
    node::{self, Body, Node},
};
use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _};
use std::time::Duration;

/// What is damaged here is waited for no longer than this: that it is damaged is what the owner has to know, and soon.
const DAMAGED_TIMEOUT: Duration = Duration::from_secs(5);

/// Why there is no file.
#[derive(Debug, thiserror::Error)]
pub enum GetError {
    #[error("{0} is neither raw bytes nor a UnixFS file")]
    NotFile(Cid),
    /// It is here and not to be read as a file.
    #[error("{0}")]
    Unreadable(Box<Unread>),
    /// It is not here, and nobody sent it.
    #[error("{0:#}")]
    Unreachable(net::Error),
    #[error("{here}; and nobody else sent it: {elsewhere:#}")]
    Damaged { here: Box<Unread>, elsewhere: net::Error },
    /// It is on another device of the owner's, and does not come from there.
    #[error("{0}")]
    Elsewhere(String),
    #[error("{0:#}")]
    Fault(#[from] Fault),
}

pub(super) async fn get((node, net): (&Node, &Net), root: Cid, timeout: Duration) -> Result<Body, GetError> {
    if root.codec() != cid::RAW && root.codec() != cid::DAG_PB {
        return Err(GetError::NotFile(root));
    }
    let blocks = node.blocks().clone();
    let look = move || {
        let blocks = blocks.clone();
        tokio::task::spawn_blocking(move || blocks.read(Right::OWNER, &root))
    };
    let (mut here, mut stays) = (look().await.map_err(Fault::new)?, None);
    if matches!(here, Err(Unread::NotHere(_))) {
        match node.bring(root).await {
            Ok(false) => {}
            Ok(true) => here = look().await.map_err(Fault::new)?,
            // It may be published, and others have it.
            Err(Stop::Refusal(refusal)) => stays = Some(refusal.detail),
            Err(Stop::Fault(fault)) => return Err(fault.into()),
        }
    }
    let damage = match here {
        Ok(reader) => return Ok(node::send(reader)),
        Err(Unread::Fault(fault)) => return Err(fault.into()),
        Err(why @ (Unread::Data(_) | Unread::NotFile(..))) => return Err(GetError::Unreadable(Box::new(why))),
        Err(Unread::NotHere(_)) => None,
        // Others may have it whole.
        Err(why @ Unread::Damaged { .. }) => Some(Box::new(why)),
    };
    let timeout = if damage.is_some() { timeout.min(DAMAGED_TIMEOUT) } else { timeout };
    let limits = FileLimits { timeout, ..FileLimits::default() };
    let mut pieces = Box::pin(net::fetch_file(net.session(), root, limits, contribution));
    // The first piece says whether anybody has it. After it the answer has begun.
    let first = match (pieces.next().await, damage) {
        (Some(Ok(bytes)), _) => bytes,
        (None, _) => Bytes::new(),
        (Some(Err(elsewhere)), Some(here)) => return Err(GetError::Damaged { here, elsewhere }),
        (Some(Err(error)), None) => return Err(stays.map_or(GetError::Unreachable(error), GetError::Elsewhere)),
    };
    let rest = pieces.map_err(Fault::from);
    Ok(Box::pin(futures::stream::iter([Ok(first)]).chain(rest)))
}

/// What a block of a UnixFS file contributes to it.
fn contribution(cid: &Cid, block: &Bytes) -> Result<net::FileNode, String> {
    match cid.codec() {
        cid::RAW => Ok(net::FileNode { data: block.clone(), links: vec![] }),
        cid::DAG_PB => {
            let node = unixfs::node(block).map_err(|e| e.to_string())?;
            Ok(net::FileNode { data: node.data, links: node.links.into_iter().map(|(cid, _)| cid).collect() })
        }
        other => Err(format!("{cid} has codec 0x{other:x}: neither raw nor dag-pb (a UnixFS file)")),
    }
}
