//! The batches on their way into the chain: asks bitcoind what became of each, and does what the rules say.
//!
//! It owns the open batches. It may be dropped at any await: what is signed is stored before it is sent, and whatever
//! was under way is done again at the next start.

use super::{
    batch::{Action, Batch, BatchEvent, Rules, State, depth},
    chain::{Chain, Error},
    clock::seconds,
    config::{Config, Path},
    fees::{self, Caps},
    ledger::Ledger,
    metrics::Metrics,
    receipts::PATIENCE,
    spend::{self, Attempt, Roots, Spend},
    wallet::{Order, Signing},
};
use crate::{
    audit::{Audit, What},
    cid::Digest,
    dwn::Fault,
};
use serde_json::json;
use std::collections::{BTreeMap, VecDeque};

/// Final batches that the status still shows.
const RECENT: usize = 10;
/// Actions for one batch in one go; the longest real chain has some twenty.
const ACTIONS_MAX: usize = 64;

/// Where a final batch lies.
#[derive(Debug, Clone)]
struct Place {
    height: u32,
    block: String,
    fee: u64,
}

/// Brings batches into the chain.
pub(super) struct Driver {
    config: Config,
    ledger: Ledger,
    chain: Chain,
    metrics: Metrics,
    audit: Audit,
    /// Batches that are not final, and those that ride with one that is not.
    pub(super) open: BTreeMap<u64, Batch>,
    pub(super) recent: VecDeque<Batch>,
    finals: BTreeMap<u64, Place>,
    /// What was agreed to, within the last day, for batches that are final: batch, seconds since 1970, sat. That of the others
    /// stands in them.
    paid: Vec<(u64, u64, u64)>,
    /// The batch that the address for change was drawn for.
    changes: Option<u64>,
    pub(super) tip: Option<u32>,
    /// The block that was the tip when finals were last looked at.
    looked: Option<String>,
    genesis: Option<String>,
    /// sat the wallet has.
    pub(super) balance: Option<u64>,
    /// Coins are to be locked again: bitcoind forgets it.
    fresh: bool,
}

/// Ours to fail on, or Bitcoin's to wait for.
#[derive(Debug)]
pub(super) enum Trouble {
    Store(Fault),
    Chain(Error),
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Self::Chain(error)
    }
}

impl From<Fault> for Trouble {
    fn from(fault: Fault) -> Self {
        Self::Store(fault)
    }
}

impl Driver {
    pub(super) fn new(
        config: &Config,
        (ledger, chain): (Ledger, Chain),
        (metrics, audit): (Metrics, Audit),
        batches: Vec<Batch>,
    ) -> Result<Self, Fault> {
        let mut this = Self {
            config: config.clone(),
            ledger,
            chain,
            metrics,
            audit,
            open: BTreeMap::new(),
            recent: VecDeque::new(),
            finals: BTreeMap::new(),
            paid: Vec::new(),
            changes: None,
            tip: None,
            looked: None,
            genesis: None,
            balance: None,
            fresh: true,
        };
        for batch in batches {
            this.put_back(batch);
        }
        this.show_settled()?;
        if this.ledger.had_wallet(&config.bitcoin.wallet)? {
            this.chain.has_had_wallet();
        }
        Ok(this)
    }

    pub(super) fn rules(&self) -> Rules {
        Rules { last: self.config.confirmations, bump_after: self.config.bitcoin.bump_after }
    }

    /// May anything be signed or sent to the chain?
    pub(super) fn may_pay(&self) -> bool {
        matches!(self.config.path(), Some(Path::Wallet | Path::Psbt))
    }

    /// Is there anything to ask bitcoind? At the start of a paying node also: is it there at all?
    pub(super) fn must_ask(&self) -> bool {
        self.open.values().any(|batch| batch.spend().is_some())
            || (self.may_pay() && (self.fresh || !self.finals.is_empty() || self.open.values().any(Batch::wants_one)))
    }

    /// sat of all anchors that are in the chain for good.
    pub(super) fn cost(&self) -> u64 {
        self.finals.values().map(|place| place.fee).sum()
    }

    /// sat that were agreed to within the last day.
    pub(super) fn spent(&self) -> u64 {
        let open = self.open.values().filter_map(|batch| Some(batch.spend()?.paid())).flatten();
        fees::spent(open.chain(self.paid.iter().map(|(_, at, sat)| (*at, *sat))), seconds())
    }

    /// The batch whose transaction carries this one, if it is another.
    pub(super) fn carrier(&self, batch: &Batch) -> Result<Option<Batch>, Fault> {
        let State::Riding(with) = batch.state else { return Ok(None) };
        let known = self.open.get(&with).or_else(|| self.recent.iter().find(|recent| recent.number == with));
        let Some(mut found) = (match known {
            Some(found) => Some(found.clone()),
            None => self.ledger.batch(with)?,
        }) else {
            return Ok(None);
        };
        if let (Some(place), Some(tip)) = (found.place(), self.tip) {
            found.depth = depth(tip, place.height);
        }
        Ok(Some(found))
    }

    /// Asks about every open batch and does what follows from it.
    pub(super) async fn drive(&mut self) -> Result<(), Trouble> {
        let whole = self.chain.run(Chain::whole).await; // also: is it the network we mean?
        self.fresh |= whole.is_err(); // it may have been started anew
        let tip = whole?;
        let genesis = self.chain.run(Chain::genesis).await?;
        (self.tip, self.genesis) = (Some(tip.height), Some(genesis));
        if self.looked.as_ref() != Some(&tip.block) {
            self.look_at_finals().await?;
            self.looked = Some(tip.block);
        }
        let mut first = Ok(());
        if self.fresh && self.may_pay() {
            note(&mut first, self.lock_again().await)?; // what is in a block needs no wallet
        }
        for number in self.open.keys().copied().collect::<Vec<_>>() {
            // what stops one batch need not stop the others
            let wants_one = self.open.get(&number).is_none_or(|batch| batch.wants_one() || self.is_foreign(batch));
            if !wants_one {
                note(&mut first, self.step(number, BatchEvent::Woke).await)?;
            }
        }
        self.settle().await?;
        note(&mut first, self.begin().await)?;
        if self.may_pay() && self.config.path() == Some(Path::Wallet) {
            self.balance = self.chain.run(Chain::balance).await.ok();
        }
        self.fresh &= first.is_err();
        first.map_err(Trouble::Chain)
    }

    /// Signs for the batches that are in no transaction: all of them in one, from new coins, or, where there are none,
    /// from those of a transaction that is in no block yet.
    async fn begin(&mut self) -> Result<(), Trouble> {
        let wanting: Vec<u64> = self.open.values().filter(|b| b.wants_one()).map(|b| b.number).collect();
        let Some(&leader) = wanting.first() else { return Ok(()) };
        if !self.may_pay() {
            return Ok(());
        }
        self.step(leader, BatchEvent::Woke).await?;
        let Some(state) = self.open.get(&leader).filter(|batch| batch.wants_one()).map(|batch| batch.state.clone())
        else {
            return Ok(());
        };
        let waits = |batch: &Batch| matches!(batch.state, State::Open(_)) && batch.unsigned().is_none();
        let with = self.open.values().rfind(|batch| waits(batch) && !self.is_foreign(batch)).map(|b| b.number);
        if let (State::AwaitingFunds(_), Some(with)) = (&state, with) {
            self.act_out(with, vec![Action::Replace]).await?;
        }
        // What the first waits for, all wait for.
        let rules = self.rules();
        for number in wanting {
            let Some(batch) = self.open.get_mut(&number).filter(|batch| batch.wants_one()) else { continue };
            let event = match &state {
                State::AwaitingFunds(need) => BatchEvent::NoFunds(need.clone()),
                State::FeeCapped(capped) => BatchEvent::Capped(capped.clone()),
                _ => continue,
            };
            if !batch.on(event, rules).is_empty() {
                self.ledger.put(&[&*batch], false).await?;
            }
        }
        Ok(())
    }

    /// Gives a batch an event and does what it asks for, in order.
    async fn step(&mut self, number: u64, event: BatchEvent) -> Result<(), Trouble> {
        let rules = self.rules();
        let Some(batch) = self.open.get_mut(&number) else { return Ok(()) };
        let actions = batch.on(event, rules);
        self.act_out(number, actions).await
    }

    async fn act_out(&mut self, number: u64, actions: Vec<Action>) -> Result<(), Trouble> {
        let rules = self.rules();
        let mut actions: VecDeque<Action> = actions.into();
        for _ in 0..ACTIONS_MAX {
            let Some(action) = actions.pop_front() else {
                if let Some(batch) = self.open.remove(&number) {
                    self.put_back(batch);
                }
                return Ok(());
            };
            let Some(event) = self.act(number, action).await? else { continue };
            let Some(batch) = self.open.get_mut(&number) else { return Ok(()) };
            let was_mined = batch.place().is_some();
            for action in batch.on(event, rules).into_iter().rev() {
                actions.push_front(action);
            }
            match (was_mined, batch.place()) {
                (true, None) => {
                    tracing::warn!(batch = number, "the anchor's block was reorganised away");
                    self.metrics.reorganised.inc();
                }
                (false, Some(place)) => tracing::info!(batch = number, height = place.height, "the anchor is mined"),
                _ => {}
            }
        }
        tracing::error!(batch = number, "an anchor batch goes in circles; it is looked at again later");
        Ok(())
    }

    async fn act(&mut self, number: u64, action: Action) -> Result<Option<BatchEvent>, Trouble> {
        let Some(batch) = self.open.get(&number).cloned() else { return Ok(None) };
        let spend = batch.spend().cloned();
        Ok(match (action, spend) {
            (Action::Persist, _) => {
                self.persist(&batch).await?;
                None
            }
            (Action::Sign | Action::Replace | Action::Send | Action::Lock | Action::Unlock(_), _)
                if !self.may_pay() =>
            {
                None
            }
            (Action::Sign, _) => self.sign(&batch, None).await?,
            (Action::Replace, Some(spend)) if spend.sum > 0 => self.sign(&batch, Some(spend)).await?,
            (Action::Lock, Some(spend)) => {
                self.lock(spend, true).await;
                None
            }
            (Action::Unlock(spend), _) => {
                self.lock(spend, false).await;
                None
            }
            (Action::Send, Some(spend)) => match spend.newest().cloned() {
                Some(attempt) => Some(self.send(attempt).await?),
                None => None,
            },
            (Action::Look, Some(spend)) => {
                let (seen, tip) = self.chain.run(move |chain| chain.seen(&spend)).await?;
                Some(BatchEvent::Seen { seen, tip })
            }
            (Action::Check { height, block }, _) => {
                Some(BatchEvent::Stands(self.chain.run(move |chain| chain.stands(height, &block)).await?))
            }
            (Action::Replace | Action::Lock | Action::Send | Action::Look, _) => None,
        })
    }

    /// Has a transaction made for this batch and all that wait for one; of `spend`'s coins, if it is to replace another.
    async fn sign(&mut self, batch: &Batch, spend: Option<Spend>) -> Result<Option<BatchEvent>, Trouble> {
        let before = spend.as_ref().and_then(|spend| spend.newest().map(|newest| newest.roots.clone()));
        let waiting = self
            .open
            .values()
            .filter(|other| other.wants_one() || matches!(other.state, State::Riding(with) if with == batch.number));
        let own = [(batch.number, batch.root)];
        let riding = waiting.map(|other| (other.number, other.root));
        let carried = before.iter().flat_map(|roots| roots.batches().collect::<Vec<_>>());
        let roots = Roots::of(own.into_iter().chain(carried).chain(riding));
        if batch.unsigned().is_some_and(|unsigned| unsigned.roots == roots) {
            return Ok(None); // who signs has that one already
        }
        let change = match spend.as_ref().and_then(Spend::change) {
            Some(script) => self.chain.run(move |chain| chain.address_of(&script)).await?,
            None => None,
        };
        let change = match change {
            Some(address) => address,
            None => {
                self.changes = Some(batch.number);
                self.change().await?
            }
        };
        let caps = Caps::of(&self.config.bitcoin, self.spent());
        let order = Order { roots, change, caps, signs: self.config.path() == Some(Path::Wallet) };
        let made = match spend {
            Some(spend) => self.chain.run(move |chain| chain.replace(&spend, &order)).await?,
            None => self.chain.run(move |chain| chain.spend(&order)).await?,
        };
        Ok(Some(match made {
            Signing::NoFunds(need) => BatchEvent::NoFunds(need),
            Signing::Capped(capped) => BatchEvent::Capped(capped),
            Signing::Unsigned(spend) => {
                tracing::info!(batch = batch.number, "the anchor's transaction waits for a signature");
                BatchEvent::Unsigned(spend)
            }
            Signing::Signed(spend) => {
                if let Some(attempt) = spend.newest() {
                    self.note_signed(batch.number, attempt, attempt.fee, false).await?;
                }
                BatchEvent::Signed(spend)
            }
            Signing::Replaced(attempt) => {
                let more = attempt.fee.saturating_sub(batch.spend().map_or(0, Spend::fee));
                self.note_signed(batch.number, &attempt, more, batch.attempt().is_some()).await?;
                BatchEvent::Replaced(attempt)
            }
        }))
    }

    /// The address for change that no transaction has used yet.
    async fn change(&self) -> Result<String, Trouble> {
        if let Some(address) = self.ledger.change()? {
            return Ok(address);
        }
        let address = self.chain.run(Chain::draw_change).await?;
        self.ledger.keep_change(&address).await?;
        Ok(address)
    }

    async fn note_signed(&self, number: u64, attempt: &Attempt, more: u64, replaces: bool) -> Result<(), Trouble> {
        tracing::info!(batch = number, fee = attempt.fee, replaces, "signed anchor {}", attempt.txid);
        let about = json!({"batch": number, "txid": attempt.txid, "fee": attempt.fee, "replaces": replaces});
        self.audit.note(What::Spent, "node", about).await?;
        self.metrics.signed.inc();
        self.metrics.fees.inc_by(more);
        Ok(())
    }

    async fn send(&self, attempt: Attempt) -> Result<BatchEvent, Trouble> {
        match self.chain.run(move |chain| chain.send(&attempt.tx)).await {
            Ok(()) => Ok(BatchEvent::Sent(Ok(()))),
            // an answer, which says little; anything else is no answer
            Err(Error::Rpc { message, .. }) => Ok(BatchEvent::Sent(Err(format!("bitcoind: {message}")))),
            Err(error) => Err(error.into()),
        }
    }

    async fn lock(&self, spend: Spend, locked: bool) {
        let coins = spend.inputs();
        if let Err(error) = self.chain.run(move |chain| chain.lock(&coins, locked)).await {
            tracing::debug!("the coins of an anchor could not be locked: {error}"); // it keeps others off, no more
        }
    }

    /// After a start of either side: the wallet is loaded, known from now on, and keeps the coins of open spends.
    async fn lock_again(&mut self) -> Result<(), Trouble> {
        let name = self.config.bitcoin.wallet.clone();
        let had = self.ledger.had_wallet(&name)?;
        self.chain.run(Chain::ensure_wallet).await?;
        if !had {
            self.ledger.note_wallet(&name).await?;
            self.chain.has_had_wallet();
        }
        let spends: Vec<Spend> = self.open.values().filter_map(|batch| batch.spend().cloned()).collect();
        for spend in spends {
            self.lock(spend, true).await;
        }
        Ok(())
    }

    /// Stores a batch and, in the same step, those that its transaction takes along.
    async fn persist(&mut self, batch: &Batch) -> Result<(), Trouble> {
        let mut changed = vec![batch.clone()];
        if let Some(spend) = batch.spend() {
            let takes = |number: u64| spend.carried().any(|roots| roots.has(number));
            for other in self.open.values_mut().filter(|other| other.wants_one() && takes(other.number)) {
                (other.state, other.note) = (State::Riding(batch.number), None);
                changed.push(other.clone());
            }
        }
        // A first transaction has used the address; its replacements use it again.
        let uses_change = self.changes == Some(batch.number) && batch.spend().is_some();
        if let Err(fault) = self.ledger.put(&changed.iter().collect::<Vec<_>>(), uses_change).await {
            // What is not stored has not happened: nothing of it is sent, and nobody rides in it.
            for Batch { number, .. } in changed {
                match self.ledger.batch(number)? {
                    Some(stored) => drop(self.open.insert(number, stored)),
                    None => drop(self.open.remove(&number)),
                }
            }
            return Err(fault.into());
        }
        if uses_change {
            self.changes = None;
        }
        Ok(())
    }

    /// Riders whose transaction came into the chain without them, or never will, want one of their own.
    async fn settle(&mut self) -> Result<(), Trouble> {
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
    async fn look_at_finals(&mut self) -> Result<(), Trouble> {
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
    fn is_foreign(&self, batch: &Batch) -> bool {
        let Some(spend) = batch.spend() else { return false };
        let other_genesis =
            self.genesis.as_ref().is_some_and(|genesis| !spend.genesis.is_empty() && spend.genesis != *genesis);
        spend.network != self.config.bitcoin.network || other_genesis
    }

    /// The unsigned transaction of a batch, for who has the keys.
    pub(super) fn unsigned(&self, number: u64) -> Option<&super::spend::Unsigned> {
        self.open.get(&number)?.unsigned()
    }

    /// The batch whose unsigned transaction this is (a PSBT in base64), or why there is none.
    pub(super) fn waits_for(&self, psbt: &str) -> Result<u64, String> {
        let tx = spend::unsigned(psbt).ok_or("it is no PSBT (BIP 174)")?;
        let mut waiting = self.open.values().filter_map(|batch| Some((batch.number, batch.unsigned()?.tx()?)));
        let found = waiting.find(|(_, asked)| asked.output == tx.output).map(|(number, _)| number);
        found.ok_or_else(|| {
            "no batch waits for this transaction: it was made anew since, or is signed already (toft anchor status says which \
             batch waits; export that one again)"
                .into()
        })
    }

    /// A transaction that came back signed.
    pub(super) async fn import(&mut self, number: u64, psbt: String) -> Result<(), Trouble> {
        let Some(unsigned) = self.unsigned(number).cloned() else { return Ok(()) };
        let attempt = self.chain.run(move |chain| chain.imported(&unsigned, &psbt)).await?;
        let before = self.open.get(&number).and_then(Batch::spend);
        let (paid, replaces) = (before.map_or(0, Spend::fee), before.is_some_and(|spend| !spend.attempts.is_empty()));
        let allowed = Caps::of(&self.config.bitcoin, self.spent()).allow(attempt.fee, paid);
        allowed.map_err(|capped| Trouble::Chain(Error::Capped(capped)))?;
        self.note_signed(number, &attempt, attempt.fee.saturating_sub(paid), replaces).await?;
        self.step(number, BatchEvent::Replaced(attempt)).await
    }

    /// Batches, and their roots, that are in no transaction of ours: calendars may be asked about them.
    pub(super) fn theirs(&self) -> Vec<(u64, Digest)> {
        let is_theirs = |batch: &&Batch| batch.wants_one() || matches!(batch.state, State::Attested(_));
        self.open.values().filter(is_theirs).map(|batch| (batch.number, batch.root)).collect()
    }

    /// What calendars made of a batch. `height`: of the block that one of them brought it into; `is_settled`: no other will say more.
    pub(super) async fn attested(
        &mut self,
        number: u64,
        height: Option<u32>,
        is_settled: bool,
        (handed, sentence): (bool, String),
    ) -> Result<(), Fault> {
        let Some(batch) = self.open.get_mut(&number) else { return Ok(()) };
        batch.handed = handed;
        let Some(height) = height else {
            batch.note = Some(sentence);
            // The block that one of them named is not in the chain, or not any more.
            if let State::Attested(height) = batch.state {
                tracing::warn!(batch = number, height, "the chain does not have the block that calendars named");
                batch.state = State::Batched;
                self.ledger.put(&[&*batch], false).await?;
            }
            return Ok(());
        };
        batch.note = (!is_settled).then_some(sentence);
        if batch.state != State::Attested(height) {
            batch.state = State::Attested(height);
            self.ledger.put(&[&*batch], false).await?;
        }
        let is_over = is_settled || is_late(batch);
        if let Some(batch) = is_over.then(|| self.open.remove(&number)).flatten() {
            self.show(batch);
        }
        Ok(())
    }

    /// A batch where it belongs: among the open ones, or the final ones.
    fn put_back(&mut self, batch: Batch) {
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
    fn show_settled(&mut self) -> Result<(), Fault> {
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

    fn show(&mut self, batch: Batch) {
        self.recent.retain(|recent| recent.number != batch.number);
        self.recent.push_back(batch);
        self.recent.make_contiguous().sort_by_key(|recent| recent.number);
        self.recent.drain(..self.recent.len().saturating_sub(RECENT));
    }
}

/// Do calendars not say more of it?
fn is_late(batch: &Batch) -> bool {
    batch.created.saturating_add(PATIENCE.as_secs()) < seconds()
}

/// The first of what bitcoind could not do is told; a fault of the store ends it all.
fn note(first: &mut Result<(), Error>, done: Result<(), Trouble>) -> Result<(), Trouble> {
    match done {
        Err(Trouble::Chain(error)) => {
            if first.is_ok() {
                *first = Err(error);
            }
            Ok(())
        }
        other => other,
    }
}
