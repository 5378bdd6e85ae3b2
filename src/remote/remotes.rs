//! The remotes of this node, and a job for each.

use super::{
    aside::{self, Way},
    config::Config,
    endpoint::Endpoint,
    kept::{self, Part, Remote, millis},
    line::Line,
    round::{Depth, Means, Standing, is_passed},
    signing::{Hand, NoHand},
    status::{Counters, RemoteStatus, Tally},
    talk::Trouble,
};
use crate::{
    did::Did,
    dwn,
    foreign::{said, shown},
    identity::Identities,
    job::{Job, Jobs, Moment, Wait, blocking},
    metrics::Metrics,
    node::Node,
    resolve::Client,
    store::Position,
    sync::Still,
    task::Backoff,
};
use anyhow::{Context as _, Error};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

/// Remotes of one node: each has a job.
const REMOTES_MAX: usize = 64;
/// Tenants, and protocols, of one remote.
const NAMED_MAX: usize = 64;
/// Writes that come together go out together: so long after the first one a round begins.
const GATHERED: Duration = Duration::from_millis(20);
/// A server that is away is asked again after this long at first.
const RETRY: Duration = Duration::from_secs(1);
/// What was put aside is not tried more often than this.
const AGAIN: Duration = Duration::from_millis(500);

/// Why a remote is not added.
#[derive(Debug, thiserror::Error)]
pub enum NotAdded {
    /// What was asked for cannot be.
    #[error("{0}")]
    Wrong(String),
    /// Nobody here can sign for a tenant.
    #[error("{0}")]
    Nobody(String),
    #[error("{0:#}")]
    Fault(#[from] Error),
}

/// Handle to the remotes. Cheap to clone.
#[derive(Clone)]
pub struct Remotes(Arc<Shared>);

struct Shared {
    config: Config,
    /// Protocols that never leave this device.
    local_only: Arc<[String]>,
    node: Node,
    identities: Identities,
    client: Client,
    jobs: Jobs,
    counters: Counters,
    /// Nothing is shared, and why.
    still: watch::Receiver<Option<Still>>,
    live: Mutex<BTreeMap<String, Live>>,
    /// One is added or removed at a time.
    changing: tokio::sync::Mutex<()>,
}

impl std::fmt::Debug for Remotes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Remotes({:?})", self.lock().keys())
    }
}

/// A remote that runs.
struct Live {
    remote: Remote,
    stop: CancellationToken,
    now: Arc<Notify>,
    tally: Arc<Tally>,
    told: Arc<Mutex<Told>>,
}

/// What a job tells of its last round.
#[derive(Debug, Clone, Default)]
struct Told {
    in_step: bool,
    last_in_step: Option<Moment>,
    problem: Option<String>,
    /// Up to where of the log each part was looked at.
    passed: Vec<(Part, Option<Position>)>,
}

impl Remotes {
    /// Takes up the remotes that the store remembers. `local_only`: protocols of which nothing goes there. `still`: nothing goes or
    /// comes while this says why.
    pub fn start(
        (config, local_only): (&Config, &[String]),
        (node, identities): (Node, Identities),
        still: watch::Receiver<Option<Still>>,
        jobs: &Jobs,
        metrics: &Metrics,
    ) -> Result<Self, Error> {
        let counters = Counters::default();
        metrics.register(|r| {
            r.register("remote_pushed", "Messages sent to other DWN servers", counters.pushed.clone());
            r.register("remote_pulled", "Messages taken from other DWN servers", counters.pulled.clone());
        });
        let remotes = kept::remotes(node.store())?;
        let this = Self(Arc::new(Shared {
            config: config.clone(),
            local_only: local_only.into(),
            node,
            identities,
            client: Client::new().context("preparing TLS")?,
            jobs: jobs.clone(),
            counters,
            still,
            live: Mutex::default(),
            changing: tokio::sync::Mutex::default(),
        }));
        for remote in remotes {
            let endpoint = Endpoint::parse(&remote.url).map_err(Error::msg)?;
            this.begin(remote, endpoint);
        }
        Ok(this)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Live>> {
        self.0.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a remote, or changes what is kept in step with it. Tenants and protocols as `Remote` has them; no tenants: the one
    /// that this node is. `own`: where this node's own DWN is.
    pub async fn add(
        &self,
        url: &str,
        tenants: Vec<String>,
        protocols: Vec<String>,
        own: &str,
    ) -> Result<Remote, NotAdded> {
        let _alone = self.0.changing.lock().await;
        let endpoint = Endpoint::parse(url).map_err(NotAdded::Wrong)?;
        if Endpoint::parse(own).is_ok_and(|own| own.target.authority == endpoint.target.authority) {
            return Err(NotAdded::Wrong(format!("{} is this node itself", endpoint.url)));
        }
        if !self.lock().contains_key(&endpoint.url) && self.lock().len() >= REMOTES_MAX {
            return Err(NotAdded::Wrong(format!(
                "this node has {REMOTES_MAX} remotes already; remove one first: toft sync rm"
            )));
        }
        let tenants = if tenants.is_empty() { vec![self.0.identities.own().did().to_owned()] } else { tenants };
        let remote = Remote { url: endpoint.url.clone(), tenants: distinct(tenants), protocols: distinct(protocols) };
        self.check(&remote).await?;
        let store = self.0.node.store().clone();
        let kept = remote.clone();
        let changes = blocking(move || kept::put(&store, &kept)).await?;
        self.0.node.store().put_state(changes).await?;
        self.begin(remote.clone(), endpoint);
        Ok(remote)
    }

    async fn check(&self, remote: &Remote) -> Result<(), NotAdded> {
        let wrong = |why: String| Err(NotAdded::Wrong(why));
        if remote.tenants.len() > NAMED_MAX || remote.protocols.len() > NAMED_MAX {
            return wrong(format!("a remote has at most {NAMED_MAX} tenants and {NAMED_MAX} protocols"));
        }
        for tenant in &remote.tenants {
            if tenant.parse::<Did>().is_err() {
                return wrong(format!("{} is not a DID", shown(tenant)));
            }
            if !self.0.node.hosts(tenant) {
                return wrong(format!(
                    "the records of {tenant} are not kept on this node: only what is kept here can be kept in step (see toft tenant ls)"
                ));
            }
        }
        for uri in &remote.protocols {
            match dwn::normalize_uri(uri) {
                Some(normal) if normal == *uri => {}
                Some(normal) => return wrong(format!("write the protocol as messages do: {normal}")),
                None => return wrong(format!("{} is no protocol's URI", shown(uri))),
            }
        }
        for part in remote.parts() {
            let (identities, store) = (self.0.identities.clone(), self.0.node.store().clone());
            let found =
                blocking(move || match Hand::find(&identities, &store, &part.tenant, part.protocol.as_deref()) {
                    Ok(_) => Ok(None),
                    Err(NoHand::Nobody(why)) => Ok(Some(why)),
                    Err(NoHand::Fault(fault)) => Err(fault),
                });
            if let Some(why) = found.await? {
                return Err(NotAdded::Nobody(why));
            }
        }
        Ok(())
    }

    /// Forgets a remote; what it has it keeps. Which one it was, or nothing.
    pub async fn remove(&self, url: &str) -> Result<Option<Remote>, Error> {
        let _alone = self.0.changing.lock().await;
        let spelled = Endpoint::parse(url).map_or_else(|_| url.to_owned(), |endpoint| endpoint.url);
        let Some(live) = self.lock().remove(&spelled) else { return Ok(None) };
        live.stop.cancel();
        let store = self.0.node.store().clone();
        let gone = blocking(move || {
            let mut gone = kept::forget(&store, &spelled)?;
            gone.extend(aside::forget(&store, &spelled)?);
            Ok::<_, Error>(gone)
        });
        self.0.node.store().put_state(gone.await?).await?;
        Ok(Some(live.remote))
    }

    /// The URL of a remote that keeps this tenant's records in step.
    pub fn sharer(&self, tenant: &str) -> Option<String> {
        let live = self.lock();
        let found = live.values().find(|live| live.remote.tenants.iter().any(|of| of == tenant));
        found.map(|live| live.remote.url.clone())
    }

    /// Compares all with all remotes at once; with how many.
    pub fn compare_now(&self) -> usize {
        let live = self.lock();
        live.values().for_each(|live| live.now.notify_one());
        live.len()
    }

    /// All remotes and how they stand.
    pub async fn status(&self) -> Result<Vec<RemoteStatus>, Error> {
        let still = self.0.still.borrow().as_ref().map(Still::to_string);
        let all: Vec<_> = self.lock().values().map(|live| live.status(still.as_deref())).collect();
        let mut told = Vec::new();
        for (mut status, passed) in all {
            for (part, position) in passed {
                // What was written since is not there yet.
                status.in_step = status.in_step && is_passed(self.0.node.store(), &part, position).await?;
            }
            let (store, url) = (self.0.node.store().clone(), status.remote.url.clone());
            let aside =
                blocking(move || Ok((aside::all(&store, &url, Way::Here)?, aside::all(&store, &url, Way::There)?)));
            (status.put_aside, status.put_aside_there) = aside.await?;
            told.push(status);
        }
        Ok(told)
    }

    /// Runs a remote's job, instead of the one that runs.
    fn begin(&self, remote: Remote, endpoint: Endpoint) {
        let stop = self.0.jobs.tasks().stop().child_token();
        let now = Arc::new(Notify::new());
        let (tally, told) = (Arc::new(Tally::new(self.0.counters.clone())), Arc::default());
        let live = Live {
            remote: remote.clone(),
            stop: stop.clone(),
            now: now.clone(),
            tally: Arc::clone(&tally),
            told: Arc::clone(&told),
        };
        if let Some(old) = self.lock().insert(remote.url.clone(), live) {
            old.stop.cancel();
        }
        let line = Line::new(self.0.client.clone(), endpoint);
        let run = Run { shared: self.0.clone(), remote, line, now, tally, told };
        let url = run.remote.url.clone();
        self.0.jobs.start_one(("remote", &url), "keeps in step with a DWN server", stop, |job| async move {
            tokio::select! {
                done = run.keep(&job) => done,
                () = job.stop().cancelled() => Ok(()),
            }
        });
    }
}

fn distinct(mut list: Vec<String>) -> Vec<String> {
    list.sort();
    list.dedup();
    list
}

impl Live {
    fn status(&self, still: Option<&str>) -> (RemoteStatus, Vec<(Part, Option<Position>)>) {
        let told = self.told.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let [pushed, pulled, waiting_there, waiting_here] = self.tally.counts();
        let status = RemoteStatus {
            remote: self.remote.clone(),
            in_step: told.in_step && still.is_none(),
            last_in_step: told.last_in_step,
            pushed,
            pulled,
            waiting_there,
            waiting_here,
            put_aside: vec![],
            put_aside_there: vec![],
            problem: still.map(str::to_owned).or(told.problem),
        };
        (status, told.passed)
    }
}

/// A remote's job.
struct Run {
    shared: Arc<Shared>,
    remote: Remote,
    line: Line,
    now: Arc<Notify>,
    tally: Arc<Tally>,
    told: Arc<Mutex<Told>>,
}

/// Why the next round begins.
enum Woken {
    /// The time has come.
    Time,
    /// The log has grown.
    Log,
    Asked,
    Paused,
}

impl Run {
    async fn keep(&self, job: &Job) -> Result<(), Error> {
        let every = self.shared.config.every.0;
        job.awaits(Wait::LogOr(every));
        let (store, remote) = (self.shared.node.store().clone(), self.remote.clone());
        let load = move || remote.parts().iter().map(|part| Standing::load(&store, &remote.url, part)).collect();
        let mut parts: Vec<Standing> = blocking(load).await?;
        let mut tail = self.shared.node.store().tail();
        let mut still = self.shared.still.clone();
        let mut backoff = Backoff::new(RETRY, every.max(RETRY));
        let (mut depth, mut polled) = (Depth::Poll, Instant::now());
        loop {
            while still.borrow_and_update().is_some() {
                job.waits(None);
                if still.changed().await.is_err() {
                    return Ok(());
                }
                depth = Depth::Poll;
            }
            tail.borrow_and_update();
            job.works();
            if depth >= Depth::Poll {
                polled = Instant::now();
            }
            let done = tokio::select! {
                done = self.round(&mut parts, depth) => done,
                // What is under way is left; what was not written down is done again.
                _ = still.wait_for(Option::is_some) => continue,
            };
            let failed = self.tell(&parts, depth, done, job);
            let wait = match failed {
                true => backoff.wait(),
                false => {
                    backoff.reset();
                    let due = parts.iter().filter_map(Standing::due).min();
                    let due = due.map_or(every, |due| Duration::from_millis(due.saturating_sub(millis())).max(AGAIN));
                    (polled + every).saturating_duration_since(Instant::now()).min(due)
                }
            };
            job.waits(Instant::now().checked_add(wait));
            let woken = tokio::select! {
                () = self.now.notified() => Woken::Asked,
                changed = still.changed() => match changed {
                    Ok(()) => Woken::Paused,
                    Err(_) => return Ok(()),
                },
                grew = tail.changed(), if !failed => match grew {
                    Ok(()) => Woken::Log,
                    Err(_) => return Ok(()),
                },
                () = tokio::time::sleep(wait) => Woken::Time,
            };
            depth = match woken {
                Woken::Log => {
                    tokio::time::sleep(GATHERED).await;
                    Depth::Push
                }
                Woken::Asked => Depth::Compare,
                Woken::Time | Woken::Paused => Depth::Poll,
            };
        }
    }

    /// One round of all parts. Those behind one that fails have their turn too, unless the server is away.
    async fn round(&self, parts: &mut [Standing], depth: Depth) -> Result<(), Trouble> {
        let Shared { node, identities, local_only, .. } = &*self.shared;
        let (line, url, tally) = (&self.line, self.remote.url.as_str(), &*self.tally);
        let means = Means { node, identities, line, url, tally, local_only };
        let mut first = None;
        for part in parts {
            match part.round(means, depth).await {
                Ok(()) => {}
                Err(Trouble::Refused(code, why)) => drop(first.get_or_insert(Trouble::Refused(code, why))),
                Err(trouble) => return Err(first.unwrap_or(trouble)),
            }
        }
        first.map_or(Ok(()), Err)
    }

    /// Says how the round went. Did it fail?
    fn tell(&self, parts: &[Standing], depth: Depth, done: Result<(), Trouble>, job: &Job) -> bool {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.passed = parts.iter().map(Standing::passed).collect();
        match done {
            Ok(()) => {
                job.ended(None);
                told.problem = None;
                let is_whole = parts.iter().all(Standing::is_whole);
                // What was sent leaves both as they were: only asking brings both into step.
                told.in_step = is_whole && (told.in_step || depth >= Depth::Poll);
                if told.in_step && depth >= Depth::Poll {
                    told.last_in_step = Some(Moment(jiff::Timestamp::now()));
                }
                false
            }
            Err(trouble) => {
                let why = said(trouble.said());
                match &trouble {
                    Trouble::Fault(fault) => tracing::error!("{}: {fault:#}", self.remote.url),
                    _ if told.problem.as_ref() != Some(&why) => tracing::info!("{}: {why}", self.remote.url),
                    _ => {}
                }
                job.ended(Some(&why));
                (told.in_step, told.problem) = (false, Some(why));
                true
            }
        }
    }
}
