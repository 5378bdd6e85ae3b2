//! The task: reads the log, makes batches when it is time, and brings them into the chain.
//!
//! It makes the batches; the driver owns those that are open. Only in these two anything of the anchor is written to the store. It may be dropped at any
//! await: what is signed is stored before it is sent, and whatever was under way is done again at the next start.

use super::{
    batch::Batch,
    calendar::Calendars,
    chain::Chain,
    clock,
    config::{Config, Path},
    driver::{Driver, Trouble},
    found::Finder,
    intake::Intake,
    ledger::Ledger,
    metrics::Metrics,
    queue::{self, Queue},
    rebuild::{self, Rebuilt},
    status::{self, BatchStatus, Funds, Now, Outcome, Status, Waiting},
    tree::{Nonces, Tree},
    waiting::{Item, NOWHERE},
    whole::Wholes,
    witness::Witness,
};
use crate::{
    audit::{Audit, Head},
    blocks::Blocks,
    cid,
    crypto::{Locked, Secret},
    dwn::Fault,
    job::{Job, Wait, blocking},
    memory::{self, wipe_stack},
    scarce,
    store::{self, Position, Store},
    task::Backoff,
};
use anyhow::Context as _;
use std::{
    collections::BTreeSet,
    fmt::Display,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::Instant,
};

/// Longest pause between two tries to reach bitcoind.
const RETRY_MAX: Duration = Duration::from_secs(600);
/// The clock on the wall is looked at this often: timers stand still while a laptop sleeps.
const CLOCK: Duration = Duration::from_secs(60);
/// "Anchor now" waits so long for the hashes of files that were just added; what is not done then is in the next batch.
const HASHED_FIRST: Duration = Duration::from_secs(60);

/// What is asked for, and where to answer.
#[derive(Debug)]
pub(super) enum Command {
    /// Anchor now.
    Now(oneshot::Sender<Now>),
    /// The unsigned transaction of a batch.
    Export(u64, oneshot::Sender<Result<Waiting, String>>),
    /// One of them, signed (base64).
    Import(String, oneshot::Sender<Result<BatchStatus, String>>),
    /// Find again what is lost.
    Rebuild(oneshot::Sender<Result<Rebuilt, Fault>>),
}

/// Everything the task works with.
pub(super) struct Follower {
    pub(super) config: Config,
    /// Nothing, as long as it is locked.
    secret: watch::Receiver<Option<Arc<Secret>>>,
    believed: watch::Receiver<BTreeSet<String>>,
    pub(super) store: Store,
    pub(super) ledger: Ledger,
    pub(super) finder: Finder,
    blocks: Blocks,
    pub(super) metrics: Metrics,
    audit: Audit,
    pub(super) queue: Arc<Mutex<Queue>>,
    wholes: Wholes,
    intake: Intake,
    /// Who brings roots into the chain, if not we ourselves.
    calendars: Option<Calendars>,
    /// Who knows of the blocks that they name.
    witness: Witness,
    chain: Chain,
    pub(super) commands: mpsc::Receiver<Command>,
    pub(super) status: watch::Sender<Status>,
    tail: watch::Receiver<Position>,
    driver: Driver,
    /// Number of the next batch.
    number: u64,
    /// When the next batch is made, seconds since 1970 (in milliseconds, for tests in a hurry).
    due: u64,
    /// When bitcoind is asked again.
    poll: Instant,
    backoff: Backoff,
    problem: Option<String>,
}

/// What the task is given.
pub(super) struct Parts {
    pub(super) config: Config,
    pub(super) secret: watch::Receiver<Option<Arc<Secret>>>,
    /// Tenants whose records are the owner's.
    pub(super) believed: watch::Receiver<BTreeSet<String>>,
    pub(super) store: Store,
    pub(super) blocks: Blocks,
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
        let Parts { config, secret, believed, store, blocks, chain, metrics, audit, queue, intake, commands } = parts;
        let calendars = (config.path() == Some(Path::Calendars))
            .then(|| Calendars::new(&config.calendar, config.bitcoin.poll.0, store.clone()))
            .transpose()?;
        let ledger = Ledger::new(store.clone(), config.bitcoin.network);
        let since = ledger.since(clock::seconds()).await?;
        let (batches, wholes) = taken_up(&ledger, &blocks, &queue).await?;
        let last = batches.last();
        let number = last.map_or(1, |b| b.number + 1);
        let base = last.map_or(since, |b| b.created);
        let driver = Driver::new(&config, (ledger.clone(), chain.clone()), (metrics.clone(), audit.clone()), batches)?;
        let (status, watch) = watch::channel(Status {
            mode: config.mode,
            network: config.bitcoin.network,
            queued: 0,
            next: None,
            batches: vec![],
            tip: None,
            problem: None,
            funds: None,
            sentence: String::new(),
        });
        let this = Self {
            secret,
            tail: store.tail(),
            finder: Finder::new((store.clone(), ledger.clone()), config.bitcoin.network, believed.clone()),
            believed,
            store,
            ledger,
            blocks,
            metrics,
            audit,
            queue,
            wholes,
            intake,
            calendars,
            witness: Witness::new(chain.clone(), config.bitcoin.poll.0),
            chain,
            commands,
            status,
            driver,
            number,
            due: base.saturating_mul(1000).saturating_add(every(&config)),
            poll: Instant::now(),
            backoff: Backoff::new(config.bitcoin.poll.0, RETRY_MAX),
            problem: None,
            config,
        };
        this.publish()?;
        Ok((this, watch))
    }

    /// Runs until `stop`. An error is one of the store.
    pub(super) async fn run(mut self, job: Job) -> Result<(), Fault> {
        job.awaits(Wait::LogOr(CLOCK));
        let mut asked = None;
        loop {
            job.works();
            let mut is_short = false;
            tokio::select! {
                () = job.stop().cancelled() => return Ok(()),
                done = self.turn(asked.take()) => match done {
                    // It will be there again, and so will the turn.
                    Err(fault) if scarce::is_scarcity(&fault) || store::lacks_room(&fault) => {
                        let what = format!("anchoring: {fault:#}");
                        if scarce::is_scarcity(&fault) {
                            scarce::note(&what);
                        }
                        job.ended(Some(&what));
                        is_short = true;
                    }
                    Err(fault) => return Err(fault),
                    Ok(()) => job.ended(self.problem().as_ref().map(|problem| problem as &dyn Display)),
                },
            }
            let poll = if self.must_ask() { self.poll } else { Instant::now() + CLOCK };
            let clock = if self.wholes.is_idle() { CLOCK } else { Duration::ZERO };
            let wake = match is_short {
                true => Instant::now() + CLOCK,
                false => poll.min(Instant::now() + self.until_due().min(self.until_calendars()).min(clock)),
            };
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
        let hashes = matches!(asked, Some(Command::Now(_) | Command::Rebuild(_)));
        // Without room for a file's hash the rest goes on: what is on its way needs little.
        let hashed = self.hash(if hashes { HASHED_FIRST } else { Duration::ZERO }).await;
        self.publish()?;
        let asked = match asked {
            Some(Command::Now(reply)) => Some(reply),
            Some(Command::Export(number, reply)) => {
                let _ = reply.send(self.export(number)); // who asked may have gone
                None
            }
            Some(Command::Import(psbt, reply)) => {
                let _ = reply.send(self.import(psbt).await?);
                None
            }
            Some(Command::Rebuild(reply)) => {
                let _ = reply.send(self.rebuild().await);
                None
            }
            None => None,
        };
        if asked.is_some() {
            self.backoff.reset();
            self.poll = Instant::now();
            self.calendars.iter_mut().for_each(Calendars::hurry);
        }
        let mut made = None;
        if self.works() && (asked.is_some() || self.due <= clock::millis()) {
            made = self.close().await?;
        }
        // Who only asks calendars may have no bitcoind at all.
        if self.must_ask() && (made.is_some() || self.poll <= Instant::now()) {
            self.ask().await?;
        }
        self.ask_calendars().await?;
        self.publish()?;
        if let Some(reply) = asked {
            let _ = reply.send(self.now(made)?);
        }
        hashed
    }

    fn must_ask(&self) -> bool {
        self.driver.must_ask() || (self.driver.may_pay() && self.problem.is_some())
    }

    /// Reads the log to its end.
    async fn collect(&mut self) -> Result<(), Fault> {
        self.tail.borrow_and_update();
        self.finder.read_on().await.context("the anchor cannot read the log")?;
        loop {
            let from = {
                let queue = lock(&self.queue);
                if queue.is_full() || self.wholes.is_full() {
                    return Ok(());
                }
                queue.next()
            };
            let (store, ledger, finder) = (self.store.clone(), self.ledger.clone(), self.finder.clone());
            let found = tokio::task::spawn_blocking(move || queue::read(&store, &ledger, &finder, from)).await?;
            match found.context("the anchor cannot read the log")? {
                Some(mut found) => {
                    self.wholes.add(std::mem::take(&mut found.files));
                    lock(&self.queue).add(&found);
                }
                None => return Ok(()),
            }
        }
    }

    /// Hashes files, for a moment or as long as `most`.
    async fn hash(&mut self, most: Duration) -> Result<(), Fault> {
        let until = Instant::now() + most;
        while !self.wholes.is_idle() {
            if let Some(item) = self.wholes.step().await? {
                lock(&self.queue).add_item(&item);
            }
            if Instant::now() >= until {
                break;
            }
        }
        Ok(())
    }

    /// Makes a batch of what waits.
    async fn close(&mut self) -> Result<Option<u64>, Fault> {
        let Some(secret) = self.secret.borrow_and_update().clone() else { return Ok(None) };
        self.due = clock::millis().saturating_add(every(&self.config));
        self.leave_out().await?;
        let loose = self.intake.all();
        if lock(&self.queue).is_empty() && loose.items.is_empty() {
            return Ok(None);
        }
        loose.items.iter().for_each(|item| lock(&self.queue).add_item(item));
        let (mut more, carried) = self.wholes.closing();
        more.push(loose.taken());
        if let Some((number, item)) = self.head()? {
            lock(&self.queue).add_item(&item);
            more.push(Ledger::head_change(number, &item.digest));
        }
        let (number, queue, next) = (self.number, self.queue.clone(), lock(&self.queue).next());
        let (sorted, root) = tokio::task::spawn_blocking(move || {
            let sorted = lock(&queue).sorted();
            let root = Nonces::new(secret.expose(), number).root(sorted.len(), |leaf| sorted.digest(leaf));
            (sorted, root)
        })
        .await?;
        let root = root.context("a batch without leaves")?;
        let leaves = u32::try_from(sorted.len()).context("a batch of more than 2^32 leaves")?;
        let batch = Batch::new(number, root, leaves, clock::seconds());
        self.ledger.close(&batch, &sorted, next, more).await?;
        self.wholes.closed(carried);
        *lock(&self.queue) = Queue::from(next);
        tracing::info!(batch = number, leaves, "made an anchor batch with root {}", hex::encode(root));
        self.metrics.batches.inc();
        self.metrics.leaves.inc_by(u64::from(leaves));
        self.driver.open.insert(number, batch);
        self.number += 1;
        self.intake.taken(loose).await?;
        Ok(Some(number))
    }

    /// Leaves out what a record proves for good: another device may have anchored it since it came.
    async fn leave_out(&mut self) -> Result<(), Fault> {
        let (waiting, next) = {
            let queue = lock(&self.queue);
            (queue.all(), queue.next())
        };
        if waiting.is_empty() {
            return Ok(());
        }
        let finder = self.finder.clone();
        let left = blocking(move || {
            let covered = finder.covered(waiting.items())?;
            Ok((!covered.is_empty()).then(|| waiting.without(&covered)))
        });
        let Some(left) = left.await? else { return Ok(()) };
        if left.is_empty() {
            let (more, carried) = self.wholes.closing();
            self.ledger.put_cursor(next, more).await?;
            self.wholes.closed(carried);
        }
        lock(&self.queue).keep(left);
        Ok(())
    }

    /// Finds again what the ledger has lost, and takes up from there.
    async fn rebuild(&mut self) -> Result<Rebuilt, Fault> {
        let secret = self.secret.borrow_and_update().clone().context(Locked)?;
        let believed = self.believed.borrow().clone();
        let chain = self.driver.may_pay().then(|| (self.chain.clone(), self.config.magic.clone().into_bytes()));
        let rebuilt = rebuild::rebuild(rebuild::Parts {
            store: self.store.clone(),
            ledger: self.ledger.clone(),
            finder: self.finder.clone(),
            audit: self.audit.clone(),
            secret: *secret.expose(),
            chain,
            last: self.config.confirmations,
            believed,
        })
        .await;
        // also after a failure: part of it may be there
        let (batches, wholes) = taken_up(&self.ledger, &self.blocks, &self.queue).await?;
        self.wholes = wholes;
        self.number = batches.last().map_or(1, |batch| batch.number + 1);
        let parts = ((self.ledger.clone(), self.chain.clone()), (self.metrics.clone(), self.audit.clone()));
        let tip = self.driver.tip;
        self.driver = Driver::new(&self.config, parts.0, parts.1, batches)?;
        self.driver.tip = tip;
        self.poll = Instant::now();
        self.collect().await?;
        self.publish()?;
        rebuilt
    }

    /// The head of the audit log, with its number, if it has moved since it was a leaf.
    fn head(&self) -> Result<Option<(u64, Item)>, Fault> {
        let Head { n, hash } = self.audit.head();
        let mut digest = cid::Digest::default();
        let is_new = n > 0 && self.ledger.head()?.is_none_or(|(last, known)| last != n || hex::encode(known) != hash);
        if !is_new || hex::decode_to_slice(&hash, &mut digest).is_err() {
            return Ok(None);
        }
        Ok(Some((n, Item { digest, codec: cid::RAW as u8, position: NOWHERE })))
    }

    /// Asks bitcoind about every open batch and does what follows from it.
    async fn ask(&mut self) -> Result<(), Fault> {
        match self.driver.drive().await {
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

    /// Anything that may be made into batches and brought into the chain?
    fn works(&self) -> bool {
        self.config.path().is_some()
    }

    /// Asks calendars about the batches that we bring into no transaction ourselves.
    async fn ask_calendars(&mut self) -> Result<(), Fault> {
        let secret = self.secret.borrow().clone();
        let (Some(calendars), Some(secret)) = (&mut self.calendars, secret) else { return Ok(()) };
        let roots = self.driver.theirs();
        calendars.turn(clock::millis(), secret.expose(), &roots, &mut self.witness).await?;
        self.driver.tip = self.witness.height().or(self.driver.tip);
        for (number, _) in roots {
            let Some(standing) = calendars.standing(number) else { continue };
            let height = calendars.blocks(number).first().and_then(|(height, _)| u32::try_from(*height).ok());
            let is_seen = standing.found == standing.complete || !self.witness.answers();
            let is_settled = standing.waiting + standing.pending == 0 && is_seen;
            let handed = standing.taken() >= self.config.calendar.min as usize;
            self.driver.attested(number, height, is_settled, (handed, standing.sentence())).await?;
        }
        Ok(())
    }

    /// How long until calendars are asked again.
    fn until_calendars(&self) -> Duration {
        let now = clock::millis();
        let next = self.calendars.as_ref().and_then(|calendars| calendars.next(now));
        next.map_or(Duration::MAX, |next| Duration::from_millis(next.saturating_sub(now)))
    }

    fn is_locked(&self) -> bool {
        self.secret.borrow().is_none()
    }

    /// Why nothing moves.
    fn problem(&self) -> Option<String> {
        let locked = (self.works() && self.is_locked()).then(|| Locked.to_string());
        locked.or_else(|| self.problem.clone())
    }

    /// How long until the next batch is made, if nothing stands in its way.
    fn until_due(&self) -> Duration {
        if !self.works() || self.is_locked() {
            return Duration::MAX;
        }
        Duration::from_millis(self.due.saturating_sub(clock::millis()))
    }

    /// The answer to "anchor now"; `made`: the batch it has made.
    fn now(&self, made: Option<u64>) -> Result<Now, Fault> {
        let queued = lock(&self.queue).len() + self.intake.len();
        let answer = |outcome, sentence| Now { outcome, batch: None, txid: None, sentence };
        if !self.works() {
            return Ok(answer(Outcome::Off, status::sentence(&self.config, queued, None, &[], None)));
        }
        let (driver, problem) = (&self.driver, self.problem());
        let mut under_way = driver.open.values().rev();
        let batch = made
            .and_then(|number| driver.open.get(&number))
            .or_else(|| under_way.find(|batch| batch.place().is_none()));
        let Some(batch) = batch else {
            return Ok(match problem {
                Some(problem) => answer(Outcome::Waiting, problem),
                None => answer(Outcome::Nothing, "nothing to anchor: everything is in a batch that is mined".into()),
            });
        };
        let said = self.said(batch)?;
        let outcome = match (&*said.state, &problem) {
            ("awaiting_funds", None) => Outcome::AwaitingFunds,
            ("submitted" | "broadcast" | "mined" | "final", None) => Outcome::Sent,
            _ => Outcome::Waiting,
        };
        let problem = problem.map(|p| format!("; {p}"));
        let sentence = [Some(said.sentence()), problem].into_iter().flatten().collect();
        Ok(Now { outcome, batch: Some(batch.number), txid: said.txid, sentence })
    }

    fn said(&self, batch: &Batch) -> Result<BatchStatus, Fault> {
        let carrier = self.driver.carrier(batch)?;
        Ok(BatchStatus::of(batch, carrier.as_ref(), self.driver.tip))
    }

    fn publish(&self) -> Result<(), Fault> {
        let (queued, driver) = (lock(&self.queue).len() + self.intake.len(), &self.driver);
        let shown = driver.recent.iter().chain(driver.open.values());
        let mut batches = shown.map(|batch| self.said(batch)).collect::<Result<Vec<_>, _>>()?;
        batches.sort_by_key(|batch| batch.number);
        let next = self.works().then(|| status::at(self.due / 1000));
        let problem = self.problem();
        let mut sentence = status::sentence(&self.config, queued, next, &batches, problem.as_deref());
        let funds = self.funds();
        if let Some(funds) = &funds {
            sentence.push_str(&format!("; {}", funds.sentence()));
        }
        self.metrics.queued.set(queued as i64);
        self.metrics.open.set(driver.open.len() as i64);
        self.status.send_modify(|status| {
            *status = Status { queued, next, batches, tip: driver.tip, problem, funds, sentence, ..status.clone() };
        });
        Ok(())
    }

    /// What was paid and what is left.
    fn funds(&self) -> Option<Funds> {
        if !self.driver.may_pay() {
            return None;
        }
        Some(Funds::of(self.driver.cost(), self.driver.spent(), self.driver.balance))
    }

    /// The unsigned transaction of a batch.
    fn export(&self, number: u64) -> Result<Waiting, String> {
        let unsigned = self.driver.unsigned(number).ok_or_else(|| self.no_signature(number))?;
        Ok(Waiting { batch: number, psbt: unsigned.psbt.clone(), fee: unsigned.fee })
    }

    /// A transaction that was signed elsewhere.
    async fn import(&mut self, psbt: String) -> Result<Result<BatchStatus, String>, Fault> {
        let number = match self.driver.waits_for(&psbt) {
            Ok(number) => number,
            Err(why) => return Ok(Err(why)),
        };
        match self.driver.import(number, psbt).await {
            Ok(()) => {}
            Err(Trouble::Store(fault)) => return Err(fault),
            Err(Trouble::Chain(error)) => return Ok(Err(error.to_string())),
        }
        self.publish()?;
        let known = self.driver.open.get(&number).or_else(|| self.driver.recent.iter().find(|b| b.number == number));
        let batch = known.context("a batch that was signed is gone")?;
        self.said(batch).map(Ok)
    }

    fn no_signature(&self, number: u64) -> String {
        let waiting: Vec<String> = self
            .driver
            .open
            .values()
            .filter(|batch| batch.unsigned().is_some())
            .map(|batch| batch.number.to_string())
            .collect();
        match waiting.as_slice() {
            [] => format!("batch {number} waits for no signature, and no other does"),
            some => format!("batch {number} waits for no signature; these do: {}", some.join(", ")),
        }
    }
}

/// Reads what the ledger has: all batches, and what waits from its cursor on.
async fn taken_up(ledger: &Ledger, blocks: &Blocks, queue: &Mutex<Queue>) -> Result<(Vec<Batch>, Wholes), Fault> {
    let reader = ledger.clone();
    let (batches, cursor) = blocking(move || Ok((reader.load()?, reader.cursor()?))).await?;
    *lock(queue) = Queue::from(cursor);
    let mut wholes = Wholes::new(blocks.clone(), ledger.clone());
    wholes.resume().await?.iter().for_each(|item| lock(queue).add_item(item));
    Ok((batches, wholes))
}

/// The tree of a batch from its digests.
pub(super) fn grow(secret: &[u8; 32], batch: u64, digests: &[cid::Digest]) -> Option<Tree> {
    let tree = Tree::of(Nonces::new(secret, batch).leaves(digests));
    wipe_stack::<{ memory::SIGNING }>();
    tree
}

/// A panic while the queue is locked leaves it as it was: its changes are single calls.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Between two batches, in milliseconds.
fn every(config: &Config) -> u64 {
    u64::try_from(config.every.0.as_millis()).unwrap_or(u64::MAX)
}
