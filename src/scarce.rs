//! What the operating system is short of for a moment: file descriptors, memory, an answer without a signal in between.
//!
//! Nothing is broken by that, so nothing stops for good: what failed is tried again, and told once a minute. File descriptors are
//! also what strangers can use up, one with each connection: at the start the node takes all that the system gives, and
//! [`Files::part`] says how many of them each pool may have.

use crate::bounds;
use std::{
    fmt::Display,
    io,
    sync::{Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

/// Descriptors that the node needs for itself: the log, the index, block files being read, the control socket, lookups, and what the
/// runtime has.
const OWN: u64 = 256;
/// Below, a node cannot work.
const LEAST: u64 = 128;
/// More than this no node of this kind uses.
const MOST: u64 = 1 << 20;
/// What fails for want of something is tried so often, after waits that double from [`FIRST_WAIT`]: 2.5 s in all.
const TRIES: u32 = 9;
const FIRST_WAIT: Duration = Duration::from_millis(5);
/// How often the log tells of the same again.
const TELL_EVERY: Duration = Duration::from_secs(60);

/// Did it fail for want of something that will be there again?
pub fn is_io(error: &io::Error) -> bool {
    use rustix::io::Errno;
    let passing = [Errno::MFILE, Errno::NFILE, Errno::NOMEM, Errno::NOBUFS, Errno::INTR].map(|e| e.raw_os_error());
    match error.raw_os_error() {
        Some(code) => passing.contains(&code),
        None => matches!(error.kind(), io::ErrorKind::OutOfMemory | io::ErrorKind::Interrupted),
    }
}

/// What was begun cannot go on before the system has enough again.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Short(pub String);

/// The same, of an error with its causes.
pub fn is_scarcity(error: &anyhow::Error) -> bool {
    error.is::<Short>()
        || error.chain().any(|cause| {
            let io = cause.downcast_ref::<io::Error>().is_some_and(is_io);
            io || cause.downcast_ref::<rustix::io::Errno>().is_some_and(|errno| is_io(&(*errno).into()))
        })
}

/// Does `work`, again and again while the system is short of something, for some seconds at most. Blocks.
pub fn patiently<T>(mut work: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    let mut wait = FIRST_WAIT;
    for _ in 1..TRIES {
        match work() {
            Err(error) if is_io(&error) => note(&error),
            outcome => return outcome,
        }
        thread::sleep(wait);
        wait *= 2;
    }
    work()
}

/// What the system has been short of since the start.
#[derive(Debug, Clone, Default)]
pub struct Told {
    pub times: u64,
    pub last: Option<(Instant, String)>,
    logged: Option<Instant>,
}

static TOLD: Mutex<Told> = Mutex::new(Told { times: 0, last: None, logged: None });

/// Takes note that the system was short of something: for the status, and now and then for the log.
pub fn note(what: &dyn Display) {
    let now = Instant::now();
    let mut told = TOLD.lock().unwrap_or_else(PoisonError::into_inner);
    told.times += 1;
    told.last = Some((now, what.to_string()));
    if told.logged.is_none_or(|logged| now.duration_since(logged) >= TELL_EVERY) {
        told.logged = Some(now);
        let times = told.times;
        drop(told);
        tracing::warn!("the system is short of something: {what}; it is tried again ({times} times since the start)");
    }
}

pub fn told() -> Told {
    TOLD.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

/// File descriptors of this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Files {
    /// What the process may have.
    pub most: u64,
    /// What it was given at first.
    pub before: u64,
}

impl Files {
    /// Takes as many as the system gives.
    pub fn raise() -> Result<Self, anyhow::Error> {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        let found = getrlimit(Resource::Nofile);
        let before = found.current.unwrap_or(u64::MAX);
        let goal = found.maximum.unwrap_or(u64::MAX);
        let raise =
            |goal: &u64| setrlimit(Resource::Nofile, Rlimit { current: Some(*goal), maximum: found.maximum }).is_ok();
        // Some systems give less than they say.
        let goals = [MOST, 10_240].map(|most| goal.min(most));
        let most = goals.into_iter().filter(|goal| *goal > before).find(raise).unwrap_or(before);
        Self { most, before }.check()
    }

    fn check(self) -> Result<Self, anyhow::Error> {
        anyhow::ensure!(
            self.most >= LEAST,
            "this process may have {} file descriptors, a node needs {LEAST} at least: raise the limit (ulimit -n, or \
             LimitNOFILE of its service)",
            self.most
        );
        Ok(self)
    }

    /// Of `wanted`, where all pools together want `all`: everything, or as much less as all others get less.
    pub fn part(&self, wanted: u32, all: u64) -> u32 {
        let given = self.given();
        if all <= given || bounds::is_beyond() {
            return wanted;
        }
        let part = u64::from(wanted).saturating_mul(given) / all;
        u32::try_from(part).unwrap_or(u32::MAX).max(1)
    }

    /// For all pools together.
    pub fn given(&self) -> u64 {
        self.most - OWN.min(self.most / 2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context as _;

    fn short() -> io::Error {
        io::Error::from_raw_os_error(rustix::io::Errno::MFILE.raw_os_error())
    }

    #[test]
    fn what_the_system_is_short_of_is_tried_again_and_told() {
        let mut left = 3;
        let outcome = patiently(|| {
            left -= 1;
            if left > 0 { Err(short()) } else { Ok(left) }
        });
        assert_eq!(outcome.expect("in the end"), 0);
        assert!(told().times >= 2 && told().last.is_some());
        let mut tries = 0;
        let outcome: io::Result<()> = patiently(|| {
            tries += 1;
            Err(io::ErrorKind::NotFound.into())
        });
        assert_eq!((outcome.expect_err("no scarcity").kind(), tries), (io::ErrorKind::NotFound, 1));
    }

    #[test]
    fn scarcity_is_seen_behind_contexts() {
        assert!(is_scarcity(&Err::<(), _>(short()).context("opening a file").expect_err("an error")));
        assert!(is_scarcity(&anyhow::Error::from(rustix::io::Errno::INTR).context("taking room")));
        assert!(!is_scarcity(&anyhow::Error::from(io::Error::from(io::ErrorKind::StorageFull))));
    }

    #[test]
    fn pools_get_what_they_want_or_all_of_them_less() {
        let many = Files { most: 65_536, before: 1024 };
        assert_eq!(many.part(1024, 2688), 1024);
        let few = Files { most: 1024, before: 1024 };
        let parts = [1024, 1024, 384, 256].map(|wanted| few.part(wanted, 2688));
        assert_eq!(parts, [292, 292, 109, 73]);
        assert!(parts.iter().sum::<u32>() <= 1024 - 256);
        assert!(Files { most: 64, before: 64 }.check().is_err());
        assert!(Files { most: 128, before: 64 }.check().is_ok_and(|files| files.given() == 64));
    }
}
