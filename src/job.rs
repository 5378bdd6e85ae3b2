//! Jobs: what a node does by itself, beside answering. Each has a name, says what it waits for, and tells how it stands: at work
//! or waiting, what went wrong last, when it runs next.
//!
//! A job that comes round every so often hands its rounds to [`Job::rounds`]; one that follows the log has a loop of its own and
//! tells each turn and each wait. A run that fails is logged and noted, and the next one tries again. Only a job that *returns*
//! an error, or panics, stops the node: see [`Tasks`].

use crate::{foreign::said, span::Span, task::Tasks};
use anyhow::Error;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use std::{
    fmt,
    future::Future,
    panic::resume_unwind,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};
use tokio_util::sync::CancellationToken;

/// What makes a job run again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// So long after a run has ended.
    Every(Duration),
    /// The log has grown.
    Log,
    /// The log has grown, or so much time has passed.
    LogOr(Duration),
    /// A run has ended: so long after it, and longer after each failure, up to the second.
    Retry(Duration, Duration),
}

impl fmt::Display for Wait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Every(wait) => write!(f, "every {}", Span(*wait)),
            Self::Log => f.write_str("for the log to grow"),
            Self::LogOr(wait) => write!(f, "for the log to grow, {} at most", Span(*wait)),
            Self::Retry(first, most) => {
                write!(f, "{} after it ended, up to {} after failures", Span(*first), Span(*most))
            }
        }
    }
}

/// How a job stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[schemars(rename = "JobStatus")]
pub struct Status {
    pub name: String,
    /// What it does, in a few words.
    pub work: String,
    /// What it waits for between two runs, as [`Wait`] says it.
    pub wait: Option<String>,
    pub state: State,
    /// Runs that have ended since the node started.
    pub runs: u64,
    /// When the last run ended.
    pub last_run: Option<Moment>,
    /// The last run failed: [`Status::last_error`] says why. Otherwise that is of an earlier one.
    pub failing: bool,
    pub last_error: Option<Failed>,
    /// When it runs next, as far as time decides; `None` while it works, and where only the log decides.
    pub next_run: Option<Moment>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[schemars(rename = "JobState")]
#[serde(rename_all = "kebab-case")]
pub enum State {
    Working,
    Waiting,
    /// The settings leave it nothing to do.
    Off,
}

/// Why a run failed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[schemars(rename = "JobFailed")]
pub struct Failed {
    pub message: String,
    pub at: Moment,
}

/// A moment, as RFC 3339 spells it, to the second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, schemars::JsonSchema)]
pub struct Moment(#[schemars(with = "String")] pub Timestamp);

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.0}", self.0)
    }
}

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map(Self).map_err(D::Error::custom)
    }
}

/// The jobs of one node. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Jobs {
    tasks: Tasks,
    all: Arc<Mutex<Vec<Job>>>,
}

/// One job: by this it tells how it stands. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Job(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    name: String,
    work: &'static str,
    stop: CancellationToken,
    now: Mutex<Now>,
}

#[derive(Debug)]
struct Now {
    wait: Option<Wait>,
    state: State,
    runs: u64,
    last_run: Option<Moment>,
    failing: bool,
    error: Option<Failed>,
    next: Option<Instant>,
}

/// When the first of [`Job::rounds`] is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum First {
    AtOnce,
    /// After the time between two of them.
    Later,
}

impl Jobs {
    pub fn new(tasks: &Tasks) -> Self {
        Self { tasks: tasks.clone(), all: Arc::default() }
    }

    /// Runs a job until the node stops or it has nothing more to do.
    pub fn start<F>(&self, name: &'static str, work: &'static str, job: impl FnOnce(Job) -> F)
    where
        F: Future<Output = Result<(), Error>> + Send + 'static,
    {
        self.begin((name, name.to_owned()), work, self.tasks.stop(), job);
    }

    /// Like [`Jobs::start`] for one of many: `of` says which, `stop` ends it alone. It is listed until it ends.
    pub fn start_one<F>(
        &self,
        (name, of): (&'static str, &str),
        work: &'static str,
        stop: CancellationToken,
        job: impl FnOnce(Job) -> F,
    ) where
        F: Future<Output = Result<(), Error>> + Send + 'static,
    {
        self.begin((name, format!("{name} {of}")), work, stop, job);
    }

    fn begin<F>(
        &self,
        (task, name): (&'static str, String),
        work: &'static str,
        stop: CancellationToken,
        job: impl FnOnce(Job) -> F,
    ) where
        F: Future<Output = Result<(), Error>> + Send + 'static,
    {
        let this = Job::new(name, work, stop);
        self.lock().push(this.clone());
        let (run, jobs) = (job(this.clone()), self.clone());
        self.tasks.spawn(task, async move {
            let outcome = run.await;
            // What is off stays on the list: who reads it shall find it there.
            jobs.lock().retain(|job| !Arc::ptr_eq(&job.0, &this.0) || job.lock().state == State::Off);
            outcome
        });
    }

    /// All jobs, in the order in which they were started.
    pub fn list(&self) -> Vec<Status> {
        self.lock().iter().map(Job::status).collect()
    }

    pub fn tasks(&self) -> &Tasks {
        &self.tasks
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Job>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Job {
    /// A job that is on no list.
    pub fn new(name: impl Into<String>, work: &'static str, stop: CancellationToken) -> Self {
        let now =
            Now { wait: None, state: State::Working, runs: 0, last_run: None, failing: false, error: None, next: None };
        Self(Arc::new(Inner { name: name.into(), work, stop, now: Mutex::new(now) }))
    }

    /// Cancelled when the job is to stop.
    pub fn stop(&self) -> &CancellationToken {
        &self.0.stop
    }

    /// What it waits for between two runs, from now on.
    pub fn awaits(&self, wait: Wait) {
        self.lock().wait = Some(wait);
    }

    /// One run: what comes of it is noted, and a failure is logged.
    pub async fn run<T>(&self, work: impl Future<Output = Result<T, Error>>) -> Option<T> {
        self.works();
        match work.await {
            Ok(done) => {
                self.ended(None);
                Some(done)
            }
            Err(error) => {
                tracing::error!("{error:#}");
                self.ended(Some(&error));
                None
            }
        }
    }

    /// A run begins.
    pub fn works(&self) {
        let mut now = self.lock();
        (now.state, now.next) = (State::Working, None);
    }

    /// A run has ended; `error`: it failed, and whoever calls this has logged why.
    pub fn ended(&self, error: Option<&dyn fmt::Display>) {
        let at = Moment(Timestamp::now());
        let mut now = self.lock();
        now.runs += 1;
        (now.last_run, now.failing) = (Some(at), error.is_some());
        if let Some(error) = error {
            now.error = Some(Failed { message: said(format_args!("{error:#}")), at });
        }
    }

    /// It waits now. `until`: when it runs again whatever happens, if time decides that.
    pub fn waits(&self, until: Option<Instant>) {
        let mut now = self.lock();
        (now.state, now.next) = (State::Waiting, until);
    }

    /// The settings leave it nothing to do.
    pub fn is_off(&self) {
        let mut now = self.lock();
        (now.state, now.next) = (State::Off, None);
    }

    /// Waits so long. `false`: it is to stop.
    pub async fn sleep(&self, wait: Duration) -> bool {
        self.waits(Instant::now().checked_add(wait));
        tokio::select! {
            () = tokio::time::sleep(wait) => true,
            () = self.0.stop.cancelled() => false,
        }
    }

    /// A run every so often, until it is to stop.
    pub async fn rounds<F>(&self, every: Duration, first: First, mut round: impl FnMut() -> F) -> Result<(), Error>
    where
        F: Future<Output = Result<(), Error>>,
    {
        self.awaits(Wait::Every(every));
        if first == First::Later && !self.sleep(every).await {
            return Ok(());
        }
        loop {
            self.run(round()).await;
            if !self.sleep(every).await {
                return Ok(());
            }
        }
    }

    pub fn status(&self) -> Status {
        let now = self.lock();
        // By the clock on the wall as it is now: it may have been set since.
        let until = |next: Instant| {
            let left = SignedDuration::try_from(next.saturating_duration_since(Instant::now())).ok()?;
            Timestamp::now().checked_add(left).ok().map(Moment)
        };
        Status {
            name: self.0.name.clone(),
            work: self.0.work.to_owned(),
            wait: now.wait.map(|wait| wait.to_string()),
            state: now.state,
            runs: now.runs,
            last_run: now.last_run,
            failing: now.failing,
            last_error: now.error.clone(),
            next_run: now.next.and_then(until),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Now> {
        self.0.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Blocking work of a run. A panic in it is the job's own, which stops the node.
pub async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, Error> + Send + 'static) -> Result<T, Error> {
    match tokio::task::spawn_blocking(work).await {
        Ok(outcome) => outcome,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => resume_unwind(panic),
            Err(error) => Err(error.into()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::{anyhow, bail};
    use tokio::sync::mpsc;

    fn jobs() -> (Tasks, Jobs) {
        let tasks = Tasks::default();
        let jobs = Jobs::new(&tasks);
        (tasks, jobs)
    }

    /// Waits until the one job on the list stands so.
    async fn once(jobs: &Jobs, stands: impl Fn(&Status) -> bool) -> Status {
        loop {
            let list = jobs.list();
            if let [status] = list.as_slice()
                && stands(status)
            {
                return status.clone();
            }
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn a_job_that_fails_says_so_and_runs_again() {
        let (tasks, jobs) = jobs();
        let (tell, outcomes) = mpsc::channel::<Result<(), Error>>(1);
        let outcomes = Arc::new(tokio::sync::Mutex::new(outcomes));
        let wait = Duration::from_millis(5);
        jobs.start("tidy", "tidies", |job| async move {
            let round = || {
                let outcomes = outcomes.clone();
                async move { outcomes.lock().await.recv().await.unwrap_or_else(|| bail!("nobody tells")) }
            };
            tokio::select! {
                done = job.rounds(wait, First::AtOnce, round) => done,
                () = job.stop().cancelled() => Ok(()),
            }
        });
        once(&jobs, |job| job.state == State::Working).await;
        tell.send(Err(anyhow!("the disk is away").context("tidying"))).await.expect("it waits for it");
        let status = once(&jobs, |job| job.runs == 1).await;
        let error = status.last_error.clone().expect("an error");
        assert!(status.failing && status.last_run == Some(error.at), "{status:?}");
        assert_eq!(error.message, "tidying: the disk is away");
        assert_eq!(status.wait.as_deref(), Some("every 5ms"));
        let read: Status = serde_json::from_value(serde_json::to_value(&status).expect("JSON")).expect("reads");
        assert_eq!((read.name, read.state, read.runs), (status.name, status.state, 1));
        // It runs again, and what failed before is still told.
        tell.send(Ok(())).await.expect("it waits for it");
        let status = once(&jobs, |job| job.runs == 2).await;
        assert_eq!((status.failing, status.last_error), (false, Some(error)));
        tasks.finish(Duration::from_secs(5)).await.expect("a failed run does not stop the node");
        assert!(jobs.list().is_empty(), "it has ended");
    }

    #[tokio::test]
    async fn the_next_run_is_told_and_comes() {
        let (tasks, jobs) = jobs();
        let (ran, mut runs) = mpsc::unbounded_channel();
        let wait = Duration::from_millis(300);
        jobs.start("tidy", "tidies", |job| async move {
            let round = || {
                ran.send(Timestamp::now()).expect("the test waits");
                std::future::ready(Ok(()))
            };
            job.rounds(wait, First::Later, round).await
        });
        let status = once(&jobs, |job| job.state == State::Waiting).await;
        assert_eq!((status.runs, status.last_run), (0, None));
        let (told, came) = (status.next_run.expect("told"), runs.recv().await.expect("a run"));
        assert!(came.duration_since(told.0).abs() < SignedDuration::from_millis(250), "{told:?} {came}");
        tasks.finish(Duration::from_secs(5)).await.expect("stops");
    }

    #[tokio::test]
    async fn what_is_off_is_listed_and_one_of_many_goes_when_it_ends() {
        let (tasks, jobs) = jobs();
        jobs.start("tidy", "tidies", |job| async move {
            job.is_off();
            Ok(())
        });
        let stop = tasks.stop().child_token();
        jobs.start_one(("sync", "did:x:bob"), "keeps in step", stop.clone(), |job| async move {
            job.waits(None);
            job.stop().cancelled().await;
            Ok(())
        });
        let names = || jobs.list().into_iter().map(|job| (job.name, job.state)).collect::<Vec<_>>();
        let both = [("tidy".to_owned(), State::Off), ("sync did:x:bob".to_owned(), State::Waiting)];
        while names() != both {
            tokio::task::yield_now().await;
        }
        stop.cancel();
        while names() != both[..1] {
            tokio::task::yield_now().await;
        }
    }
}
