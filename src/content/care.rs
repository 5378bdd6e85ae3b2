//! The care of a store and its blocks, with the node or without it: what they take, collection, scrub, compaction.

use crate::{
    blocks::{self, Blocks, Collected, Fetch, Scrubbed},
    dwn::Fault,
    job::{First, Job},
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

/// When everything was checked last, in seconds since 1970 (u64).
const SCRUBBED: &[u8] = b"care/scrubbed";
/// Bytes read in a second.
const RATE: u64 = 50_000_000;
/// It is looked at least so often whether it is time: nodes are not always up.
const LOOK: Duration = Duration::from_secs(60 * 60);

/// Checks everything every so often, until told to stop. What was cut short begins anew.
pub async fn keep_scrubbing(care: Care, every: Duration, job: Job) -> Result<(), Fault> {
    let now = || u64::try_from(jiff::Timestamp::now().as_second()).unwrap_or_default();
    let note = || care.store.put_state(vec![(SCRUBBED.to_vec(), Some(now().to_be_bytes().to_vec()))]);
    let round = || async {
        let last = care.store.state(SCRUBBED)?.and_then(|last| last.first_chunk().copied().map(u64::from_be_bytes));
        // A new home has nothing to check yet.
        let Some(last) = last else { return note().await };
        if now() < last.saturating_add(every.as_secs()) {
            return Ok(());
        }
        let done = care.scrub(RATE).await?;
        if done.complete {
            note().await?;
        }
        Ok(())
    };
    job.rounds(every.min(LOOK), First::AtOnce, round).await
}

/// Brings blocks from peers.
pub fn peers(net: &Net) -> Fetch {
    let session = net.session();
    Arc::new(move |cid| {
        let session = session.clone();
        Box::pin(async move { session.fetch(cid, FETCH_TIMEOUT).await.ok() })
    })
}
