//! The runs of a peer: did it start anew, or are there two copies of it that run at the same time?
//!
//! A run never comes back once another one was heard, unless both live: a process that ended stays ended. So a run that was heard,
//! is heard again, and between the two another one was, is one of two copies. Clocks of other machines prove nothing here; they only decide which of
//! two copies is served: the one that has shared for longer.

use crate::job::Moment;
use anyhow::{Error, anyhow};
use serde::{Deserialize, Serialize};
use std::time::SystemTime;

/// Runs that are remembered of a peer.
const RUNS_MAX: usize = 8;
/// A copy that was heard so lately (ms) is taken to be alive, without a session too: who is alive is heard twice a minute.
const LIVES: u64 = 120_000;
/// Copies are named for so long (ms) after they were heard. Who was told that it is the younger one comes once in [`LIVES`].
const NAMED: u64 = 300_000;

/// One run of a node: from its start to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// Random.
    pub id: u64,
    /// Since when it has shared without a break, by its own clock: milliseconds since 1970.
    pub since: u64,
}

impl Run {
    /// The run that begins now.
    pub fn new() -> Result<Self, Error> {
        let mut id = [0; 8];
        getrandom::fill(&mut id).map_err(|e| anyhow!("the operating system gave no randomness: {e}"))?;
        Ok(Self { id: u64::from_be_bytes(id), since: 0 }.anew())
    }

    /// It begins to share once more.
    pub fn anew(self) -> Self {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_millis();
        Self { since: u64::try_from(since).unwrap_or(u64::MAX), ..self }
    }

    /// Of two copies, the one with the smaller rank is served: by everybody the same one.
    fn rank(self) -> (u64, u64) {
        (self.since, self.id)
    }

    fn shared_since(self) -> Moment {
        Moment(
            i64::try_from(self.since)
                .ok()
                .and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok())
                .unwrap_or_default(),
        )
    }
}

/// Two runs of one node that live at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Copies {
    pub older: Run,
    pub younger: Run,
}

/// Two copies of a node that run at the same time. The older one is served.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct TwoCopies {
    pub did: String,
    /// Since when each has shared without a break, by its own clock: since its start, or since it was let in again.
    pub older_since: Moment,
    pub younger_since: Moment,
}

impl Copies {
    pub fn of(self, did: &str) -> TwoCopies {
        let Self { older, younger } = self;
        TwoCopies { did: did.to_owned(), older_since: older.shared_since(), younger_since: younger.shared_since() }
    }
}

impl std::fmt::Display for TwoCopies {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { did, older_since, younger_since } = self;
        write!(f, "two copies of {did} are running: one has shared since {older_since}, one since {younger_since}")
    }
}

/// What comes of a run that has proved itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// As far as is known there is no other one.
    Alone,
    /// There is a younger copy; this one is served.
    Older(Copies),
    /// There is an older copy, which is served instead.
    Younger {
        copies: Copies,
        /// The older one has not heard of it yet.
        untold: bool,
    },
}

/// When a run proved itself, by a clock that only goes forward (ms): its proof was made between the two.
#[derive(Debug, Clone, Copy)]
pub struct Proved {
    pub asked: u64,
    pub heard: u64,
}

#[derive(Debug)]
struct Known {
    run: Run,
    /// When it had proved itself for the first time, and how the last time went.
    first: u64,
    last: Proved,
    /// When it was alive last: its proof, or the end of its session.
    alive: u64,
    /// It lived while another one did.
    is_copy: bool,
    /// It knows of the other one.
    is_told: bool,
}

/// The runs of one peer.
#[derive(Debug, Default)]
pub struct Runs(Vec<Known>);

impl Runs {
    /// A run has proved itself. `served`: whose session is open.
    pub fn came(&mut self, run: Run, proved: Proved, served: Option<u64>) -> Verdict {
        let now = proved.heard;
        let lives = |known: &Known, within| served == Some(known.run.id) || now.saturating_sub(known.alive) < within;
        let mut this = match self.0.iter().position(|known| known.run.id == run.id) {
            Some(place) => self.0.swap_remove(place),
            None => Known { run, first: now, last: proved, alive: now, is_copy: false, is_told: false },
        };
        // It was refused and asks once more: nothing but an open session of the older one keeps it out.
        let within = if this.run.since < run.since { 0 } else { LIVES };
        for other in &mut self.0 {
            if this.first <= other.last.asked && other.last.heard <= proved.asked {
                (this.is_copy, other.is_copy) = (true, true);
            }
        }
        (this.run, this.last, this.alive) = (run, proved, now);
        let mut verdict = Verdict::Alone;
        if this.is_copy {
            // An older one that is gone is forgotten: if it comes back after all, it shows again that both live.
            self.0.retain(|other| !other.is_copy || other.run.rank() > run.rank() || lives(other, within));
            let others = self.0.iter_mut().filter(|other| other.is_copy && lives(other, NAMED));
            if let Some(other) = others.min_by_key(|other| other.run.rank()) {
                verdict = if other.run.rank() < run.rank() {
                    let untold = !std::mem::replace(&mut other.is_told, true);
                    Verdict::Younger { copies: Copies { older: other.run, younger: run }, untold }
                } else {
                    this.is_told = true;
                    Verdict::Older(Copies { older: run, younger: other.run })
                };
            }
        }
        if self.0.len() >= RUNS_MAX {
            let unserved = self.0.iter().enumerate().filter(|(_, known)| served != Some(known.run.id));
            if let Some((longest_ago, _)) = unserved.min_by_key(|(_, known)| known.alive) {
                self.0.swap_remove(longest_ago);
            }
        }
        self.0.push(this);
        verdict
    }

    /// The session of a run has ended.
    pub fn left(&mut self, id: u64, now: u64) {
        if let Some(known) = self.0.iter_mut().find(|known| known.run.id == id) {
            known.alive = now;
        }
    }

    /// The copies that run, as far as is known.
    pub fn named(&self, now: u64, served: Option<u64>) -> Option<Copies> {
        let lives = |known: &&Known| served == Some(known.run.id) || now.saturating_sub(known.alive) < NAMED;
        let mut copies: Vec<_> =
            self.0.iter().filter(|known| known.is_copy).filter(lives).map(|known| known.run).collect();
        copies.sort_by_key(|run| run.rank());
        match copies.as_slice() {
            [older, younger, ..] => Some(Copies { older: *older, younger: *younger }),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(id: u64, since: u64) -> Run {
        Run { id, since }
    }

    /// Proved within a second.
    fn at(second: u64) -> Proved {
        Proved { asked: second * 1000, heard: second * 1000 + 999 }
    }

    fn younger(older: Run, younger: Run, untold: bool) -> Verdict {
        Verdict::Younger { copies: Copies { older, younger }, untold }
    }

    #[test]
    fn restarts_and_dead_lines_are_no_copies() {
        let mut runs = Runs::default();
        for start in 0..50 {
            // Each is heard a few times: its line breaks, or it slept in between.
            for time in [0, 1, 1, 90, 3000] {
                let one = run(start * 77 % 50, start);
                let seen = runs.came(one, at(start * 10_000 + time), (time > 0).then_some(one.id));
                assert_eq!(seen, Verdict::Alone, "{start} {time}");
            }
            assert_eq!(runs.named(start * 10_000_000, None), None);
            assert!(runs.0.len() <= RUNS_MAX);
        }
    }

    #[test]
    fn who_comes_back_after_another_one_is_a_copy_and_the_older_one_is_served() {
        let (a, b) = (run(9, 100), run(1, 200));
        for (first, second) in [(a, b), (b, a)] {
            let mut runs = Runs::default();
            assert_eq!(runs.came(first, at(1), None), Verdict::Alone);
            assert_eq!(runs.came(second, at(50), Some(first.id)), Verdict::Alone);
            assert_eq!(runs.named(51_000, Some(second.id)), None);
            let verdict = runs.came(first, at(51), Some(second.id));
            let copies = Copies { older: a, younger: b };
            assert_eq!(verdict, if first == a { Verdict::Older(copies) } else { younger(a, b, true) });
            assert_eq!(runs.came(b, at(53), Some(a.id)), younger(a, b, false), "and the older one is told once");
            assert_eq!(runs.came(a, at(54), None), Verdict::Older(copies));
            assert_eq!(runs.named(55_000, Some(a.id)), Some(copies));
        }
        // The same second: the smaller id, for everybody.
        let (a, b) = (run(1, 100), run(2, 100));
        let mut runs = Runs::default();
        runs.came(b, at(1), None);
        runs.came(a, at(2), Some(b.id));
        assert_eq!(runs.came(b, at(3), Some(a.id)), younger(a, b, true));
    }

    #[test]
    fn what_was_on_its_way_when_another_one_came_proves_nothing() {
        let (a, b) = (run(1, 100), run(2, 200));
        let mut runs = Runs::default();
        runs.came(a, at(1), None);
        runs.came(b, at(10), Some(a.id));
        // Asked before b was heard, read after.
        let late = Proved { asked: 10_500, heard: 20_000 };
        assert_eq!(runs.came(a, late, Some(b.id)), Verdict::Alone);
        assert_eq!(runs.came(b, at(30), Some(b.id)), Verdict::Alone);
    }

    #[test]
    fn the_younger_one_gets_in_when_the_older_one_is_gone() {
        let (a, b) = (run(1, 100), run(2, 200));
        let both = || {
            let mut runs = Runs::default();
            runs.came(a, at(1), None);
            runs.came(b, at(2), Some(a.id));
            runs.came(a, at(3), Some(b.id));
            assert_eq!(runs.came(b, at(4), Some(a.id)), younger(a, b, false));
            runs
        };
        // By itself, two minutes after the older one was heard last. Its session counts until it ends.
        let mut runs = both();
        assert_eq!(runs.came(b, at(5000), Some(a.id)), younger(a, b, false));
        runs.left(a.id, 5_001_000);
        assert_eq!(runs.came(b, at(5119), None), younger(a, b, false));
        assert_eq!(runs.came(b, at(5121), None), Verdict::Alone);
        assert_eq!(runs.came(b, at(5122), None), Verdict::Alone);
        assert_eq!(runs.named(5_123_000, Some(b.id)), None);
        // At once, if it asks anew; not while the older one has a session.
        let mut runs = both();
        let anew = run(2, 300);
        assert_eq!(runs.came(anew, at(5), Some(a.id)), younger(a, anew, false));
        let anew = run(2, 400);
        assert_eq!(runs.came(anew, at(6), None), Verdict::Alone);
        assert_eq!(runs.came(anew, at(7), None), Verdict::Alone, "and it stays in");
        // The older one was there after all: both live, and it has shared for longer.
        assert_eq!(runs.came(a, at(8), Some(b.id)), Verdict::Alone);
        assert_eq!(runs.came(anew, at(9), Some(a.id)), younger(a, anew, true));
        // It was started again: it has not shared for as long.
        let (mut runs, again, anew) = (both(), run(3, 500), run(2, 400));
        assert_eq!(runs.came(anew, at(6), None), Verdict::Alone);
        assert_eq!(runs.came(again, at(8), Some(b.id)), Verdict::Alone);
        assert_eq!(runs.came(anew, at(9), Some(again.id)), Verdict::Older(Copies { older: anew, younger: again }));
        assert_eq!(runs.came(again, at(10), Some(b.id)), younger(anew, again, false));
    }

    #[test]
    fn of_three_copies_the_oldest_is_served_however_often_the_others_start() {
        let (a, c) = (run(1, 100), run(1000, 5000));
        let mut runs = Runs::default();
        runs.came(a, at(1), None);
        runs.came(c, at(2), Some(a.id));
        runs.came(a, at(3), Some(c.id));
        for n in 0..100 {
            let (b, time) = (run(n + 2, 200 + n), 10 + n * 10);
            assert_eq!(runs.came(b, at(time), Some(a.id)), Verdict::Alone);
            assert!(
                matches!(runs.came(a, at(time + 1), Some(b.id)), Verdict::Older(Copies { older, .. }) if older == a)
            );
            assert_eq!(runs.came(b, at(time + 2), Some(a.id)), younger(a, b, false));
            assert_eq!(runs.came(c, at(time + 3), Some(a.id)), younger(a, c, false));
            assert!(runs.0.len() <= RUNS_MAX);
        }
    }

    #[test]
    fn times_that_no_clock_shows_are_shown_all_the_same() {
        let copies = Copies { older: run(1, 0), younger: run(2, u64::MAX) };
        let told = copies.of("did:example:a").to_string();
        assert!(told.contains("since 1970-01-01T00:00:00Z"), "{told}");
    }
}
