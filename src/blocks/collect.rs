//! Collection: blocks that nothing needs go, and packs that are mostly waste are rewritten.
//!
//! A [`Collector`] makes one round, in small steps:
//!
//! | over | what goes |
//! |---|---|
//! | all blocks of the index | those that no record, pin, stage or reader needs: from the index, then their files |
//! | all block files | those that the index does not know: a crash or a dropped stage has left them |
//! | all packs | those of which less than half is needed; the rest is copied to the newest pack before |
//!
//! The node works on between the steps, and during them: who needs a block that is just being taken waits for it
//! ([`super::holds`]).
//!
//! The order holds for a crash at any point. A copy is durable before the log says where the block lies now. A file is
//! deleted only after the log says, durably, that nothing lies there. So a crash leaves waste for the next round, and
//! never a block in the index without its bytes.

use super::{
    disk::{self, Touched},
    handle::Blocks,
    holds::{Claim, Held},
    report::Collected,
};
use crate::{
    cid::Digest,
    dwn::Fault,
    job::{First, Job},
    store::Place,
};
use anyhow::Context as _;
use futures::executor::block_on;
use std::{collections::VecDeque, time::Duration};
use tokio_util::sync::CancellationToken;

/// Blocks looked at in one step: some milliseconds, and some 10 kB of claims.
const STEP_BLOCKS: usize = 256;
/// Bytes of a pack copied in one step.
const STEP_BYTES: u64 = 1 << 20;
/// Pause between two steps of the node's own collecting, so that it takes a small part of a core and of the disk.
const STEP_PAUSE: Duration = Duration::from_millis(20);

/// One round.
#[derive(Debug)]
pub struct Collector {
    blocks: Blocks,
    phase: Phase,
    done: Collected,
}

#[derive(Debug)]
enum Phase {
    /// Blocks of the index, from this digest on.
    Index(Digest),
    /// Block files of this first byte.
    Files(u8, VecDeque<Digest>),
    /// Packs still to look at; the one being copied.
    Packs(VecDeque<(u32, u64)>, Option<Copying>),
    Over,
}

/// A pack whose blocks are being copied to the newest one.
#[derive(Debug)]
struct Copying {
    segment: u32,
    length: u64,
    at: u64,
}

impl Blocks {
    /// Begins a round of collection.
    pub fn collector(&self) -> Collector {
        Collector { blocks: self.clone(), phase: Phase::Index([0; 32]), done: Collected::default() }
    }

    /// A whole round, without pauses.
    pub fn collect(&self) -> Result<Collected, Fault> {
        let mut collector = self.collector();
        while collector.step()? {}
        Ok(collector.done())
    }
}

impl Blocks {
    /// Makes a round every so often, until told to stop.
    pub async fn keep_collecting(self, every: Duration, job: Job) -> Result<(), Fault> {
        self.look().await;
        // A full or failing disk: the node goes on, and the next round tries again.
        job.rounds(every, First::Later, || self.round(job.stop())).await
    }

    /// What is damaged may be whole again; then a collection, whatever came of that.
    async fn round(&self, stop: &CancellationToken) -> Result<(), Fault> {
        let blocks = self.clone();
        let looked = tokio::task::spawn_blocking(move || blocks.look_again()).await;
        let looked = looked.map_err(Fault::new).and_then(|outcome| outcome).context("looking at damaged blocks again");
        let collected = self.collect_gently(stop).await.context("collecting blocks");
        tracing::debug!("collection: {collected:?}");
        match (looked, collected) {
            (Err(one), Err(other)) => Err(one.context(format!("{other:#}; and before it"))),
            (looked, collected) => looked.and(collected.map(drop)),
        }
    }

    /// Walks the directories for the metrics.
    async fn look(&self) {
        let blocks = self.clone();
        match tokio::task::spawn_blocking(move || blocks.usage()).await {
            Ok(Ok(usage)) => self.0.metrics.stand(&usage),
            Ok(Err(fault)) => tracing::warn!("counting the blocks on disk: {fault:#}"),
            Err(error) => tracing::warn!("counting the blocks on disk: {error}"),
        }
    }

    /// A round with pauses between its steps.
    pub async fn collect_gently(&self, stop: &CancellationToken) -> Result<Collected, Fault> {
        let mut collector = self.collector();
        loop {
            let step = tokio::task::spawn_blocking(move || collector.step().map(|more| (more, collector)));
            let more;
            (more, collector) = step.await.context("a step of collection")??;
            if !more || stop.is_cancelled() {
                self.0.metrics.collected(&collector.done());
                self.look().await;
                return Ok(collector.done());
            }
            tokio::time::sleep(STEP_PAUSE).await;
        }
    }
}

impl Collector {
    /// What the round has done so far.
    pub fn done(&self) -> Collected {
        self.done
    }

    /// Does a bounded piece of work (blocking). False: the round is over.
    pub fn step(&mut self) -> Result<bool, Fault> {
        let blocks = self.blocks.clone();
        let _one = blocks.still();
        self.phase = match std::mem::replace(&mut self.phase, Phase::Over) {
            Phase::Index(from) => self.of_index(&from)?,
            Phase::Files(first, names) => self.of_files(first, names)?,
            Phase::Packs(ahead, copying) => self.of_packs(ahead, copying)?,
            Phase::Over => Phase::Over,
        };
        Ok(!matches!(self.phase, Phase::Over))
    }

    fn of_index(&mut self, from: &Digest) -> Result<Phase, Fault> {
        let store = self.blocks.0.store.clone();
        let (found, next) = self.blocks.places(from, STEP_BLOCKS)?;
        let mut free = Vec::new();
        for (digest, place) in &found {
            if !store.is_held(digest)? {
                free.push((*digest, Some(*place)));
            }
        }
        self.free(&free)?;
        Ok(match next {
            Some(next) => Phase::Index(next),
            None => Phase::Files(0, self.blocks.0.disk.names(0)?.into()),
        })
    }

    fn of_files(&mut self, first: u8, mut names: VecDeque<Digest>) -> Result<Phase, Fault> {
        let (store, mut free) = (&self.blocks.0.store, Vec::new());
        for digest in names.drain(..names.len().min(STEP_BLOCKS)) {
            if !matches!(store.place(&digest)?, Some(Place::File { .. })) {
                free.push((digest, None));
            }
        }
        self.free(&free)?;
        Ok(match first.checked_add(1) {
            _ if !names.is_empty() => Phase::Files(first, names),
            Some(next) => Phase::Files(next, self.blocks.0.disk.names(next)?.into()),
            None => Phase::Packs(self.blocks.0.disk.sealed()?.into(), None),
        })
    }

    /// Takes those of these blocks that nothing needs: out of the index, durably, then off the disk. A block without
    /// a place has a file the index did not name.
    fn free(&mut self, blocks: &[(Digest, Option<Place>)]) -> Result<(), Fault> {
        if blocks.is_empty() {
            return Ok(());
        }
        let inner = &self.blocks.0;
        let mut claim = Claim::new(inner.holds.clone());
        let mut claimed = Vec::new();
        for (digest, _) in blocks {
            if claim.take(digest, &inner.store.roots(digest)?) {
                claimed.push(*digest);
            } else {
                self.done.held += 1;
            }
        }
        let free = block_on(inner.store.release(claimed))?;
        for digest in free {
            let place = blocks.iter().find(|(block, _)| *block == digest).and_then(|(_, place)| *place);
            if let None | Some(Place::File { .. }) = place {
                self.done.bytes += inner.disk.remove(&digest)?;
            }
            self.blocks.damage().clear(&digest);
            self.done.blocks += u64::from(place.is_some());
            self.done.orphans += u64::from(place.is_none());
        }
        Ok(())
    }

    fn of_packs(&mut self, mut ahead: VecDeque<(u32, u64)>, copying: Option<Copying>) -> Result<Phase, Fault> {
        let Some(mut copying) = copying else {
            let Some((segment, length)) = ahead.pop_front() else { return Ok(Phase::Over) };
            let live = self.blocks.0.store.packs()?.get(&segment).copied().unwrap_or(0);
            let wasteful = live < length / 2 || length == 0;
            let copying = wasteful.then_some(Copying { segment, length, at: 0 });
            return Ok(Phase::Packs(ahead, copying));
        };
        if self.copy(&mut copying)? {
            return Ok(Phase::Packs(ahead, Some(copying)));
        }
        self.delete(&copying)?;
        Ok(Phase::Packs(ahead, None))
    }

    /// Copies the next blocks of a pack that are still needed. False: its end is reached.
    fn copy(&mut self, copying: &mut Copying) -> Result<bool, Fault> {
        let inner = &self.blocks.0;
        let until = copying.at + STEP_BYTES;
        let (mut claim, mut moves) = (Claim::new(inner.holds.clone()), Vec::new());
        let (mut touched, mut packs) = (Touched::default(), Held::new(inner.holds.clone()));
        let mut more = true;
        while copying.at < until && moves.len() < STEP_BLOCKS {
            let Some(entry) = inner.disk.entry(copying.segment, copying.at)? else {
                more = false;
                break;
            };
            copying.at = entry.next;
            // Held, or damaged: it stays, and so does the pack, for another round.
            if inner.store.place(&entry.digest)? != Some(entry.place) || !claim.take(&entry.digest, &[]) {
                continue;
            }
            let Ok(bytes) = disk::verified(&entry.digest, inner.disk.read(&entry.digest, entry.place)?) else {
                continue;
            };
            let to = inner.disk.write(&entry.digest, &bytes, &mut touched, &mut packs)?;
            moves.push((entry.digest, entry.place, to));
        }
        inner.disk.sync(touched)?;
        if !moves.is_empty() {
            block_on(inner.store.relocate(moves))?;
        }
        Ok(more)
    }

    /// Deletes a pack in which nothing lies any more.
    fn delete(&mut self, copied: &Copying) -> Result<(), Fault> {
        let inner = &self.blocks.0;
        if inner.holds.pack_is_held(copied.segment) {
            return Ok(());
        }
        // Commits that were under way when nobody held the pack any more are in the index after this.
        block_on(inner.store.release(Vec::new()))?;
        let live = inner.store.packs()?.contains_key(&copied.segment);
        if !live && !inner.holds.pack_is_held(copied.segment) {
            inner.disk.remove_pack(copied.segment).context("deleting a pack that was copied")?;
            self.done.packs += 1;
            self.done.bytes += copied.length;
        }
        Ok(())
    }
}
