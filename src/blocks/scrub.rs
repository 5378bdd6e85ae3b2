//! Scrub: everything that is kept is read again and hashed, at a bounded rate, and each damaged object is named.
//!
//! - Of the log: every frame's checksums, every message's CID, data that stands in the frame.
//! - Of the blocks: the hash of each that something needs. A damaged one is written anew if `fetch` brings its bytes
//!   (from peers: this module does not know how).

use super::{
    damage::is_damage,
    disk::{self, Touched},
    handle::Blocks,
    holds::Held,
    report::Scrubbed,
};
use crate::{
    cid::{self, Cid, Digest},
    dwn::Fault,
    store::{Checked, Place, of_records},
};
use anyhow::Context as _;
use bytes::Bytes;
use futures::future::BoxFuture;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio_util::sync::CancellationToken;

/// Brings a block from elsewhere, its hash checked; `None`: nobody has it.
pub type Fetch = Arc<dyn Fn(Cid) -> BoxFuture<'static, Option<Bytes>> + Send + Sync>;

/// Bytes read before the rate is looked at.
const STEP_BYTES: u64 = 4 << 20;
/// Blocks looked up in one step.
const STEP_BLOCKS: usize = 64;
impl Blocks {
    /// Reads everything again, at most `rate` bytes in a second (0: as fast as the disk goes).
    pub async fn scrub(&self, rate: u64, fetch: Option<Fetch>, stop: &CancellationToken) -> Result<Scrubbed, Fault> {
        let (begun, mut done) = (Instant::now(), Scrubbed::default());
        let (store, mut running) = (self.0.store.clone(), self.0.metrics.scrubbing());
        let (end, mut at) = (*store.tail().borrow(), 0);
        while at < end {
            if stop.is_cancelled() {
                return Ok(done);
            }
            let (from, asked) = (at, store.clone());
            let checked = tokio::task::spawn_blocking(move || asked.check(from, STEP_BYTES)).await;
            let Checked { next, messages, damage } = checked.context("checking the log")??;
            damage.into_iter().for_each(|(sentence, holders)| done.lost(sentence, holders));
            done.messages += messages;
            done.bytes += next - at;
            at = next;
            running.found(&done);
            pace(begun, done.bytes, rate).await;
        }
        let mut from = Some([0; 32]);
        while let Some(first) = from {
            if stop.is_cancelled() {
                return Ok(done);
            }
            let blocks = self.clone();
            let step = tokio::task::spawn_blocking(move || blocks.check(&first)).await;
            let Step { next, seen, bytes, damaged } = step.context("checking blocks")??;
            (done.blocks, done.bytes) = (done.blocks + seen, done.bytes + bytes);
            for (digest, place, why) in damaged {
                match self.heal(&digest, place, fetch.as_ref()).await {
                    Ok(true) => {
                        done.healed += 1;
                        done.name(format!("{why}; it came from a peer and is whole again"));
                    }
                    Ok(false) => self.name_lost(&mut done, &digest, why),
                    Err(fault) => {
                        self.name_lost(&mut done, &digest, format!("{why}; writing it anew failed: {fault:#}"));
                    }
                }
            }
            from = next;
            running.found(&done);
            pace(begun, done.bytes, rate).await;
        }
        let blocks = self.clone();
        // What was damaged once and is needed no more was not come by.
        tokio::task::spawn_blocking(move || blocks.look_again()).await.context("looking at damage again")??;
        done.complete = true;
        running.found(&done);
        Ok(done)
    }

    fn name_lost(&self, done: &mut Scrubbed, digest: &Digest, why: String) {
        let records = self.damage().records(digest);
        done.lost(format!("{why}{}", of_records(&records)), records);
    }

    /// Reads the next blocks.
    fn check(&self, from: &Digest) -> Result<Step, Fault> {
        let (found, next) = self.places(from, STEP_BLOCKS)?;
        let mut step = Step { next, ..Step::default() };
        for (digest, place) in &found {
            // What lies in the log was checked there.
            if matches!(place, Place::Log { .. }) || !self.0.store.is_held(digest)? {
                continue;
            }
            step.seen += 1;
            match self.fetch(digest, *place) {
                Ok(bytes) => step.bytes += bytes.len() as u64,
                Err(fault) if is_damage(&fault) => {
                    step.damaged.push((*digest, *place, format!("{fault:#}")));
                }
                Err(fault) => return Err(fault),
            }
        }
        Ok(step)
    }

    /// Writes anew what is known to be damaged, as far as `fetch` brings it; how many blocks are whole again.
    pub async fn heal_known(&self, fetch: &Fetch, stop: &CancellationToken) -> Result<u64, Fault> {
        let mut healed = 0;
        for digest in self.damage().blocks() {
            if stop.is_cancelled() {
                break;
            }
            if let Some(place) = self.0.store.place(&digest)? {
                healed += u64::from(self.heal(&digest, place, Some(fetch)).await?);
            }
        }
        Ok(healed)
    }

    /// Writes a damaged block anew, if somebody has it.
    async fn heal(&self, digest: &Digest, damaged: Place, fetch: Option<&Fetch>) -> Result<bool, Fault> {
        let Some(fetch) = fetch else { return Ok(false) };
        let Some(bytes) = fetch(cid::from_digest(cid::RAW, digest)).await else { return Ok(false) };
        let (blocks, digest) = (self.clone(), *digest);
        let written = tokio::task::spawn_blocking(move || {
            let bytes = disk::verified(&digest, bytes)?;
            let (mut touched, mut held) = (Touched::default(), Held::new(blocks.0.holds.clone()));
            held.block(&digest);
            let place = blocks.0.disk.write(&digest, &bytes, &mut touched, &mut held)?;
            blocks.0.disk.sync(touched)?;
            Ok::<_, Fault>((place, held))
        });
        // Held until the log says where it lies.
        let (place, _held) = written.await.context("writing a block anew")??;
        if place != damaged {
            self.0.store.relocate(vec![(digest, damaged, place)]).await?;
        }
        self.damage().clear(&digest);
        Ok(true)
    }
}

#[derive(Debug, Default)]
struct Step {
    next: Option<Digest>,
    seen: u64,
    bytes: u64,
    damaged: Vec<(Digest, Place, String)>,
}

/// Waits until `bytes` since `begun` are no more than `rate` in a second.
async fn pace(begun: Instant, bytes: u64, rate: u64) {
    if rate > 0 {
        let due = Duration::from_secs_f64(bytes as f64 / rate as f64);
        tokio::time::sleep(due.saturating_sub(begun.elapsed())).await;
    }
}
