//! The care of a store and its blocks, with the node or without it: what they take, collection, scrub, compaction.

use crate::{
    blocks::{self, Blocks, Collected, Fetch, Scrubbed},
    dwn::Fault,
    net::Net,
    node::{Kept, Retained},
    store::{self, Compacted, Store},
};
use serde::{Deserialize, Serialize};
use std::{sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;

/// How long a peer may take to bring a block that is damaged here.
const FETCH_TIMEOUT: Duration = Duration::from_secs(20);

/// What is cared for, by whoever has it open.
#[derive(Clone)]
pub struct Care {
    pub store: Store,
    pub blocks: Blocks,
    /// From where damaged blocks come anew, if from anywhere.
    pub fetch: Option<Fetch>,
    /// Ends everything early.
    pub stop: CancellationToken,
}

impl std::fmt::Debug for Care {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Care({:?})", self.store)
    }
}

/// What a home takes on disk, and what it holds.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Footprint {
    pub store: store::Usage,
    pub blocks: blocks::Usage,
    pub stats: store::Stats,
    /// How many pins there are.
    pub pins: usize,
    /// What retention has done since the node started; nothing if it does not run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retention: Option<Retained>,
    /// Edits that lost to others and are kept for a while; nothing if the node does not run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conflicts: Option<Kept>,
}

/// What a compaction has done.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Compaction {
    pub collected: Collected,
    pub compacted: Compacted,
    /// Of the index, when it was built anew as well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<Rebuilt>,
}

/// Bytes of the index.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Rebuilt {
    pub before: u64,
    pub after: u64,
}

impl Care {
    pub async fn footprint(&self) -> Result<Footprint, Fault> {
        let (store, blocks) = (self.store.clone(), self.blocks.clone());
        let walk = move || {
            let pins = blocks.pins()?.len();
            Ok(Footprint {
                store: store.usage()?,
                blocks: blocks.usage()?,
                stats: store.stats(),
                pins,
                retention: None,
                conflicts: None,
            })
        };
        tokio::task::spawn_blocking(walk).await.map_err(Fault::new)?
    }

    /// Takes away blocks that no record and no pin needs.
    pub async fn collect(&self) -> Result<Collected, Fault> {
        self.blocks.collect_gently(&self.stop).await
    }

    /// Reads everything and checks every hash. `rate`: bytes in a second; 0: as fast as the disk goes.
    pub async fn scrub(&self, rate: u64) -> Result<Scrubbed, Fault> {
        self.blocks.scrub(rate, self.fetch.clone(), &self.stop).await
    }

    /// Takes out of the log what it keeps of messages and data that are no more. `above`: the share of a segment, from 0 to 1, that
    /// must be able to go. `rate`: bytes in a second; 0: as fast as the disk goes.
    pub async fn compact(&self, above: f64, rate: u64) -> Result<Compaction, Fault> {
        // Data in the log goes only when no block is said to lie there any more.
        let collected = self.collect().await?;
        let compacted = self.store.compact_gently(above, rate, &self.stop).await?;
        Ok(Compaction { collected, compacted, index: None })
    }
}

/// Brings blocks from peers.
pub(super) fn peers(net: &Net) -> Fetch {
    let session = net.session();
    Arc::new(move |cid| {
        let session = session.clone();
        Box::pin(async move { session.fetch(cid, FETCH_TIMEOUT).await.ok() })
    })
}
