//! Batches that are over: those that are final, as long as their blocks stand, and those that rode with them.

use super::{Driver, Trouble};
use crate::{
    anchor::{
        batch::{Batch, BatchEvent, State},
        clock::seconds,
        fees,
        receipts::PATIENCE,
        spend::Spend,
    },
    dwn::Fault,
};

/// Final batches that the status still shows.
const RECENT: usize = 10;

/// Where a final batch lies.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub height: u32,
    pub block: String,
    pub fee: u64,
}

impl Driver {
    /// Riders whose transaction came into the chain without them, or never will, want one of their own.
    pub(super) async fn settle(&mut self) -> Result<(), Trouble> {
        let rules = self.rules();
        let riders: Vec<u64> =
            self.open.values().filter(|b| matches!(b.state, State::Riding(_))).map(|b| b.number).collect();
        for number in riders {
            let Some(batch) = self.open.get(&number).cloned() else { continue };
            let Some(with) = self.carrier(&batch)? else { continue };
            match with.carried(number, rules) {
                Some(true) if with.is_final() => {
                    self.open.remove(&number);
                    self.show(batch);
                }
                Some(false) => {
                    let freed = Batch { state: State::Batched, ..batch };
                    self.ledger.put(&[&freed], false).await?;
                    self.open.insert(number, freed);
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// A reorganisation may be deeper than what counts as final: the newest final block that still stands has all
    /// older ones below it.
    pub(super) async fn look_at_finals(&mut self) -> Result<(), Trouble> {
        let mut finals: Vec<(u64, Place)> =
            self.finals.iter().map(|(number, place)| (*number, place.clone())).collect();
        finals.sort_unstable_by_key(|(_, place)| std::cmp::Reverse(place.height));
        for (number, Place { height, block, .. }) in finals {
            let Some(batch) = self.ledger.batch(number)? else { continue };
            if self.is_foreign(&batch) {
                continue;
            }
            if self.chain.run(move |chain| chain.stands(height, &block)).await?.is_some() {
                return Ok(());
            }
            tracing::warn!(batch = number, height, "the block of a final anchor was reorganised away");
            self.finals.remove(&number);
            self.paid.retain(|(paid, ..)| *paid != number);
            self.recent.retain(|recent| recent.number != number);
            self.open.insert(number, batch);
            for rider in self.ledger.batches()? {
                if rider.state == State::Riding(number) {
                    self.recent.retain(|recent| recent.number != rider.number);
                    self.open.insert(rider.number, rider);
                }
            }
            self.step(number, BatchEvent::Stands(None)).await?;
        }
        Ok(())
    }

    /// Does it belong to another chain than the one that is asked now?
    pub(super) fn is_foreign(&self, batch: &Batch) -> bool {
        let Some(spend) = batch.spend() else { return false };
        let other_genesis =
            self.genesis.as_ref().is_some_and(|genesis| !spend.genesis.is_empty() && spend.genesis != *genesis);
        spend.network != self.config.bitcoin.network || other_genesis
    }

    /// A batch where it belongs: among the open ones, or the final ones.
    pub(super) fn put_back(&mut self, batch: Batch) {
        if matches!(batch.state, State::Attested(_)) && is_late(&batch) {
            return self.show(batch);
        }
        let Some(mined) = batch.mined().filter(|_| batch.is_final()) else {
            self.open.insert(batch.number, batch);
            return;
        };
        let fee = batch.attempt().map_or(0, |attempt| attempt.fee);
        let today = seconds().saturating_sub(fees::DAY);
        self.paid.retain(|(paid, at, _)| *at > today && *paid != batch.number);
        let paid = batch.spend().map(Spend::paid).unwrap_or_default();
        self.paid.extend(paid.into_iter().filter(|(at, _)| *at > today).map(|(at, sat)| (batch.number, at, sat)));
        let place = Place { height: mined.place.height, block: mined.place.block(), fee };
        if self.finals.insert(batch.number, place).is_none() {
            tracing::debug!(batch = batch.number, "the anchor is final");
        }
        self.show(batch);
    }

    /// Riders of batches that are final with them are as final.
    pub(super) fn show_settled(&mut self) -> Result<(), Fault> {
        let rules = self.rules();
        let riders = self.open.values().filter(|batch| matches!(batch.state, State::Riding(_))).cloned();
        for rider in riders.collect::<Vec<_>>() {
            let with = self.carrier(&rider)?;
            if with.is_some_and(|with| with.is_final() && with.carried(rider.number, rules) == Some(true)) {
                self.open.remove(&rider.number);
                self.show(rider);
            }
        }
        Ok(())
    }

    pub(super) fn show(&mut self, batch: Batch) {
        self.recent.retain(|recent| recent.number != batch.number);
        self.recent.push_back(batch);
        self.recent.make_contiguous().sort_by_key(|recent| recent.number);
        self.recent.drain(..self.recent.len().saturating_sub(RECENT));
    }
}

/// Do calendars not say more of it?
pub(super) fn is_late(batch: &Batch) -> bool {
    batch.created.saturating_add(PATIENCE.as_secs()) < seconds()
}
