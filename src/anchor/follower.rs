//! The task: reads the log, makes batches when it is time, and brings them into the chain.
//!
//! It owns the batches. Only here anything of the anchor is written to the store. It may be dropped at any
//! await: what is signed is stored before it is sent, and whatever was under way is done again at the next start.

use super::{
    batch::{Action, Batch, BatchEvent, State},
    calendar::Calendars,
    chain::{Chain, Error, Signing},
    config::{Config, Path},
    intake::Intake,
    ledger::Ledger,
    metrics::Metrics,
    queue::{self, Queue},
    status::{self, BatchStatus, Now, Outcome, Status},
    tree::{self, Tree},
};
use crate::{
    audit::{Audit, What},
    cid::Digest,
    crypto::{Locked, Secret},
    dwn::Fault,
    job::{Job, Wait},
    memory::{self, wipe_stack},
    scarce,
    store::{Position, Store},
    task::Backoff,
};
use anyhow::Context as _;
use bitcoin::hashes::Hash as _;
use serde_json::json;
use std::{
    collections::{BTreeMap, VecDeque},
    fmt::Display,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::Instant,
};

/// Final batches that the status still shows.
const RECENT: usize = 10;
/// Longest pause between two tries to reach bitcoind.
const RETRY_MAX: Duration = Duration::from_secs(600);
/// The clock on the wall is looked at this often: timers stand still while a laptop sleeps.
const CLOCK: Duration = Duration::from_secs(60);
/// Actions for one batch in one go; the longest real chain has ten.
const ACTIONS_MAX: usize = 32;

/// "Anchor now", and where to answer.
pub(super) type Command = oneshot::Sender<Now>;

/// Everything the task works with.
pub(super) struct Follower {
    pub(super) config: Config,
    /// Nothing, as long as it is locked.
    secret: watch::Receiver<Option<Arc<Secret>>>,
    pub(super) store: Store,
    pub(super) ledger: Ledger,
    pub(super) chain: Chain,
    pub(super) metrics: Metrics,
    audit: Audit,
    pub(super) queue: Arc<Mutex<Queue>>,
    intake: Intake,
    /// Who brings roots into the chain, if not we ourselves.
    calendars: Option<Calendars>,
    pub(super) commands: mpsc::Receiver<Command>,
    pub(super) status: watch::Sender<Status>,
    tail: watch::Receiver<Position>,
    /// Batches that are not final.
    open: BTreeMap<u64, Batch>,
    recent: VecDeque<Batch>,
    /// Number of the next batch.
    number: u64,
    /// When the next batch is made, seconds since 1970 (in milliseconds, for tests in a hurry).
    due: u128,
    /// When bitcoind is asked again.
    poll: Instant,
    backoff: Backoff,
    problem: Option<String>,
    tip: Option<u32>,
    /// Batches that were there when the node started and are not yet looked at.
    fresh: bool,
}

/// What the task is given.
pub(super) struct Parts {
    pub(super) config: Config,
    pub(super) secret: watch::Receiver<Option<Arc<Secret>>>,
    pub(super) store: Store,
    pub(super) chain: Chain,
    pub(super) metrics: Metrics,
    pub(super) audit: Audit,
    pub(super) queue: Arc<Mutex<Queue>>,
    pub(super) intake: Intake,
    pub(super) commands: mpsc::Receiver<Command>,
}

impl Follower {
    /// Takes up where the last run ended.
    pub(super) async fn open(parts: Parts) -> Result<(Self, watch::Receiver<Status>), Fault> {
        let Parts { config, secret, store, chain, metrics, audit, queue, intake, commands } = parts;
        let calendars = (config.path() == Some(Path::Calendars))
            .then(|| Calendars::new(&config.calendar, config.bitcoin.poll.0, store.clone()))
            .transpose()?;
        let ledger = Ledger::new(store.clone());
        let since = ledger.since(millis() as u64 / 1000).await?;
        let reader = ledger.clone();
        let (batches, cursor) =
            tokio::task::spawn_blocking(move || Ok::<_, Fault>((reader.batches()?, reader.cursor()?))).await??;
        *lock(&queue) = Queue::from(cursor);
        let last = batches.last();
        let number = last.map_or(1, |b| b.number + 1);
        let base = last.map_or(since, |b| b.created);
        let (recent, open): (Vec<Batch>, Vec<Batch>) = batches.into_iter().partition(Batch::is_final);
        let recent = recent.into_iter().rev().take(RECENT).rev().collect();
        let (status, watch) = watch::channel(Status {
            mode: config.mode,
            network: config.bitcoin.network,
            queued: 0,
            next: None,
            batches: vec![],
            tip: None,
            problem: None,
            sentence: String::new(),
        });
        let this = Self {
            secret,
            tail: store.tail(),
            store,
            ledger,
            chain,
            metrics,
            audit,
            queue,
            intake,
            calendars,
            commands,
            status,
            open: open.into_iter().map(|b| (b.number, b)).collect(),
            recent,
            number,
            due: u128::from(base) * 1000 + config.every.0.as_millis(),
            poll: Instant::now(),
            backoff: Backoff::new(config.bitcoin.poll.0, RETRY_MAX),
            problem: None,
            tip: None,
            fresh: true,
            config,
        };
        this.publish();
        Ok((this, watch))
    }

    /// Runs until `stop`. An error is one of the store.
    pub(super) async fn run(mut self, job: Job) -> Result<(), Fault> {
        job.awaits(Wait::LogOr(CLOCK));
        let mut asked = None;
        loop {
            job.works();
            tokio::select! {
                () = job.stop().cancelled() => return Ok(()),
                done = self.turn(asked.take()) => match done {
                    // It will be there again, and so will the turn.
                    Err(fault) if scarce::is_scarcity(&fault) => {
                        let what = format!("anchoring: {fault:#}");
                        scarce::note(&what);
                        job.ended(Some(&what));
                    }
                    Err(fault) => return Err(fault),
                    Ok(()) => job.ended(self.problem().as_ref().map(|problem| problem as &dyn Display)),
                },
            }
            let poll = if self.must_ask() { self.poll } else { Instant::now() + CLOCK };
            let wake = poll.min(Instant::now() + self.until_due().min(self.until_calendars()).min(CLOCK));
            job.waits(Some(wake.into_std()));
            tokio::select! {
                () = job.stop().cancelled() => return Ok(()),
                () = tokio::time::sleep_until(wake) => {}
                command = self.commands.recv() => match command {
                    Some(command) => asked = Some(command),
                    None => return Ok(()), // nobody holds a handle any more
                },
                moved = self.tail.changed() => if moved.is_err() { return Ok(()) },
                opened = self.secret.changed() => if opened.is_err() { return Ok(()) },
            }
        }
    }

    /// Everything that is to be done now.
    async fn turn(&mut self, asked: Option<Command>) -> Result<(), Fault> {
        self.collect().await?;
        self.publish();
        if asked.is_some() {
            self.backoff.reset();
            self.poll = Instant::now();
            self.calendars.iter_mut().for_each(Calendars::hurry);
        }
        let mut made = None;
        if self.may_anchor() && (asked.is_some() || self.due <= millis()) {
            made = self.close().await?;
        }
        if made.is_some() || (self.must_ask() && self.poll <= Instant::now()) {
            self.ask().await?;
        }
        self.ask_calendars().await?;
        self.publish();
        if let Some(reply) = asked {
            let _ = reply.send(self.now(made)); // who asked may have gone
        }
        Ok(())
    }

    /// Reads the log to its end.
    async fn collect(&mut self) -> Result<(), Fault> {
        self.tail.borrow_and_update();
        loop {
            let from = {
                let queue = lock(&self.queue);
                if queue.is_full() {
                    return Ok(());
                }
                queue.next()
            };
            let (store, ledger) = (self.store.clone(), self.ledger.clone());
            let found = tokio::task::spawn_blocking(move || queue::read(&store, &ledger, from)).await?;
            match found.context("the anchor cannot read the log")? {
                Some(found) => lock(&self.queue).add(found),
                None => return Ok(()),
            }
        }
    }

    /// Makes a batch of what waits, unless the last one is still on its way into a block: one unconfirmed
    /// transaction at a time keeps every anchor independent of the fate of another.
    async fn close(&mut self) -> Result<Option<u64>, Fault> {
        if self.may_pay() && self.under_way().is_some() {
            return Ok(None);
        }
        let Some(secret) = self.secret.borrow_and_update().clone() else { return Ok(None) };
        self.due = millis() + self.config.every.0.as_millis();
        let loose = self.intake.all();
        let taken = lock(&self.queue).all().with(&loose.items);
        if taken.items.is_empty() {
            return Ok(None);
        }
        let number = self.number;
        let (taken, root) = tokio::task::spawn_blocking(move || {
            let digests: Vec<_> = taken.items.iter().map(|item| item.digest).collect();
            let root = grow(secret.expose(), number, &digests).map(|tree| tree.root());
            (taken, root)
        })
        .await?;
        let root = root.context("a batch without leaves")?;
        let leaves = u32::try_from(taken.items.len()).context("a batch of more than 2^32 leaves")?;
        let batch = Batch::new(number, root, leaves, (millis() / 1000) as u64);
        self.ledger.close(&batch, &taken.items, &taken.records, taken.next, vec![loose.taken()]).await?;
        *lock(&self.queue) = Queue::from(taken.next);
        tracing::info!(batch = number, leaves, "made an anchor batch with root {}", hex::encode(root));
        self.metrics.batches.inc();
        self.metrics.leaves.inc_by(u64::from(leaves));
        self.open.insert(number, batch);
        self.number += 1;
        self.intake.taken(loose).await?;
        Ok(Some(number))
    }

    /// Asks bitcoind about every open batch and does what follows from it.
    async fn ask(&mut self) -> Result<(), Fault> {
        match self.drive().await {
            Ok(()) => {
                self.problem = None;
                self.backoff.reset();
                self.poll = Instant::now() + self.config.bitcoin.poll.0;
            }
            Err(Trouble::Store(fault)) => return Err(fault),
            Err(Trouble::Chain(error)) => {
                let problem = error.to_string();
                if self.problem.as_ref() != Some(&problem) {
                    tracing::warn!("anchoring waits: {problem}");
                }
                self.problem = Some(problem);
                self.metrics.failures.inc();
                self.poll = Instant::now() + self.backoff.wait();
            }
        }
        Ok(())
    }

    /// Asks calendars about the batches that we bring into no transaction ourselves.
    async fn ask_calendars(&mut self) -> Result<(), Fault> {
        let secret = self.secret.borrow().clone();
        let (Some(calendars), Some(secret)) = (&mut self.calendars, secret) else { return Ok(()) };
        let roots: Vec<_> = self.open.values().filter(|b| b.attempt().is_none()).map(|b| (b.number, b.root)).collect();
        let chain = self.chain.clone();
        let check = |height: u64, root: Digest| {
            let chain = chain.clone();
            async move {
                let header = chain.run(move |chain| chain.tip().and_then(|_| chain.header_at(height))).await;
                // who does not answer, or is not that far, contradicts nobody
                Ok(header.ok().flatten().map(|header| header.merkle_root.to_byte_array() == root))
            }
        };
        calendars.turn(millis() as u64, secret.expose(), &roots, check).await?;
        for batch in self.open.values_mut() {
            batch.note = calendars.standing(batch.number).map(|standing| standing.sentence()).or(batch.note.take());
        }
        Ok(())
    }

    /// How long until calendars are asked again.
    fn until_calendars(&self) -> Duration {
        let now = millis() as u64;
        let next = self.calendars.as_ref().and_then(|calendars| calendars.next(now));
        next.map_or(Duration::MAX, |next| Duration::from_millis(next.saturating_sub(now)))
    }

    async fn drive(&mut self) -> Result<(), Trouble> {
        let tip = self.chain.run(Chain::tip).await?; // also: is it the network we mean?
        self.tip = Some(tip.height);
        let event = if self.fresh { BatchEvent::Started } else { BatchEvent::Woke };
        let numbers: Vec<u64> =
            self.open.values().filter(|b| self.may_pay() || b.attempt().is_some()).map(|b| b.number).collect();
        let mut first = Ok(());
        for number in numbers {
            let Some(mut batch) = self.open.remove(&number) else { continue };
            // what stops one batch need not stop the others
            match self.step(&mut batch, event.clone()).await {
                Err(Trouble::Chain(error)) => first = Err(first.err().unwrap_or(Trouble::Chain(error))),
                done => done?,
            }
            if batch.is_final() {
                tracing::info!(batch = number, "the anchor is final");
                self.recent.push_back(batch);
                self.recent.drain(..self.recent.len().saturating_sub(RECENT));
            } else {
                self.open.insert(number, batch);
            }
        }
        self.fresh &= first.is_err();
        first
    }

    /// Gives a batch an event and does what it asks for, in order.
    async fn step(&self, batch: &mut Batch, event: BatchEvent) -> Result<(), Trouble> {
        let last = self.config.confirmations;
        let mut actions: VecDeque<Action> = batch.on(event, last).into();
        for _ in 0..ACTIONS_MAX {
            let Some(action) = actions.pop_front() else { return Ok(()) };
            let Some(event) = self.act(batch, action).await? else { continue };
            let mined = matches!(batch.state, State::Mined(..));
            for action in batch.on(event, last).into_iter().rev() {
                actions.push_front(action);
            }
            if mined && batch.place().is_none() {
                tracing::warn!(batch = batch.number, "the anchor's block was reorganised away");
                self.metrics.reorganised.inc();
            }
        }
        tracing::error!(batch = batch.number, "an anchor batch goes in circles; it is looked at again later");
        Ok(())
    }

    async fn act(&self, batch: &Batch, action: Action) -> Result<Option<BatchEvent>, Trouble> {
        let attempt = batch.attempt().cloned();
        Ok(match (action, attempt) {
            (Action::Persist, _) => {
                self.ledger.put(batch).await.map_err(Trouble::Store)?;
                None
            }
            (Action::Sign, _) if !self.may_pay() => None,
            (Action::Sign, _) => {
                let payload = self.config.payload(&batch.root);
                Some(match self.chain.run(move |chain| chain.sign(&payload)).await? {
                    Signing::NoFunds(need) => BatchEvent::NoFunds(need),
                    Signing::Signed(attempt) => {
                        tracing::info!(batch = batch.number, fee = attempt.fee, "signed anchor {}", attempt.txid);
                        let about = json!({"batch": batch.number, "txid": attempt.txid, "fee": attempt.fee});
                        self.audit.note(What::Spent, "node", about).await.map_err(Trouble::Store)?;
                        self.metrics.signed.inc();
                        self.metrics.fees.inc_by(attempt.fee);
                        BatchEvent::Signed(attempt)
                    }
                })
            }
            (Action::Send, Some(attempt)) => match self.chain.run(move |chain| chain.send(&attempt.tx)).await {
                Ok(()) => Some(BatchEvent::Sent(Ok(()))),
                // an answer, which says little; anything else is no answer
                Err(Error::Rpc { message, .. }) => Some(BatchEvent::Sent(Err(format!("bitcoind: {message}")))),
                Err(error) => return Err(error.into()),
            },
            (Action::Look, Some(attempt)) => {
                let place = batch.place().map(|p| (p.height, p.block()));
                let look = move |chain: &Chain| {
                    chain.seen(&attempt.txid, place.as_ref().map(|(height, block)| (*height, block.as_str())))
                };
                Some(BatchEvent::Seen(self.chain.run(look).await?))
            }
            (Action::Locate { block }, Some(attempt)) => {
                let locate = move |chain: &Chain| {
                    let place = chain.locate(&block, &attempt.txid)?;
                    Ok((chain.tip()?.height.saturating_sub(place.height) + 1, place))
                };
                let (confirmations, place) = self.chain.run(locate).await?;
                tracing::info!(batch = batch.number, height = place.height, "the anchor is mined");
                Some(BatchEvent::Located(place, confirmations))
            }
            (Action::Send | Action::Look | Action::Locate { .. }, None) => None,
        })
    }

    fn may_anchor(&self) -> bool {
        self.may_pay() || self.calendars.is_some()
    }

    fn may_pay(&self) -> bool {
        self.config.path() == Some(Path::Wallet)
    }

    /// Is there anything to ask bitcoind? At the start of a paying node also: is it there at all?
    fn must_ask(&self) -> bool {
        let open = self.open.values().any(|b| self.may_pay() || b.attempt().is_some());
        open || (self.may_pay() && (self.fresh || self.problem.is_some()))
    }

    fn is_locked(&self) -> bool {
        self.secret.borrow().is_none()
    }

    /// Why nothing moves.
    fn problem(&self) -> Option<String> {
        let locked = (self.may_anchor() && self.is_locked()).then(|| Locked.to_string());
        locked.or_else(|| self.problem.clone())
    }

    /// How long until the next batch is made, if nothing stands in its way.
    fn until_due(&self) -> Duration {
        if !self.may_anchor() || (self.may_pay() && self.under_way().is_some()) || self.is_locked() {
            return Duration::MAX;
        }
        Duration::from_millis(self.due.saturating_sub(millis()).try_into().unwrap_or(u64::MAX))
    }

    /// The batch that is not in a block yet.
    fn under_way(&self) -> Option<&Batch> {
        self.open.values().find(|b| b.place().is_none())
    }

    /// The answer to "anchor now"; `made`: the batch it has made.
    fn now(&self, made: Option<u64>) -> Now {
        let queued = lock(&self.queue).len() + self.intake.len();
        let answer = |outcome, sentence| Now { outcome, batch: None, txid: None, sentence };
        if !self.may_anchor() {
            let sentence = format!(
                "anchoring is off: {queued} items wait; set anchor.mode = \"wallet\" to pay for their proofs from your bitcoind"
            );
            return answer(Outcome::Off, sentence);
        }
        let Some(batch) = made.and_then(|n| self.open.get(&n)).or_else(|| self.under_way()) else {
            return match self.problem() {
                Some(problem) => answer(Outcome::Waiting, problem),
                None => answer(Outcome::Nothing, "nothing to anchor: everything is in a batch that is mined".into()),
            };
        };
        let said = BatchStatus::of(batch, self.tip);
        let problem = self.problem();
        let outcome = match (&batch.state, &problem) {
            (State::AwaitingFunds(_), None) => Outcome::AwaitingFunds,
            (State::Broadcast(_) | State::Mined(..), None) => Outcome::Sent,
            _ => Outcome::Waiting,
        };
        let waits = (made.is_none() && queued > 0).then(|| format!("; {queued} newer items wait until it is mined"));
        let problem = problem.map(|p| format!("; {p}"));
        let sentence = [Some(said.sentence()), waits, problem].into_iter().flatten().collect();
        Now { outcome, batch: Some(batch.number), txid: said.txid, sentence }
    }

    fn publish(&self) {
        let queued = lock(&self.queue).len() + self.intake.len();
        let batches: Vec<BatchStatus> =
            self.recent.iter().chain(self.open.values()).map(|b| BatchStatus::of(b, self.tip)).collect();
        let next = self.may_anchor().then(|| status::at((self.due / 1000) as u64));
        let problem = self.problem();
        let sentence = status::sentence(&self.config, queued, next, &batches, problem.as_deref());
        self.metrics.queued.set(queued as i64);
        self.metrics.open.set(self.open.len() as i64);
        self.status.send_modify(|status| {
            *status = Status { queued, next, batches, tip: self.tip, problem, sentence, ..status.clone() };
        });
    }
}

/// The tree of a batch from its digests.
pub(super) fn grow(secret: &[u8; 32], batch: u64, digests: &[Digest]) -> Option<Tree> {
    let leaves: Vec<_> = digests.iter().map(|d| tree::leaf(d, &tree::nonce(secret, batch, d))).collect();
    wipe_stack::<{ memory::SIGNING }>();
    Tree::new(&leaves)
}

/// A panic while the queue is locked leaves it as it was: its changes are single calls.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn millis() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis()
}

/// Ours to fail on, or Bitcoin's to wait for.
enum Trouble {
    Store(Fault),
    Chain(Error),
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Self::Chain(error)
    }
}
