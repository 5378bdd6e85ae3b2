//! How each peer stands, as its session tells, and what is counted.

use super::{
    frame::Frame,
    machine::{Machine, Now, Standing, Way},
};
use prometheus_client::metrics::counter::Counter;
use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// A peer that has said so long ago that both have the same may be gone: it is not known any more.
const FRESH: Duration = Duration::from_secs(50);

#[derive(Debug, Default)]
pub struct Progress {
    /// Of running sessions.
    peers: Mutex<BTreeMap<String, Noted>>,
    pub sent: Counter,
    pub received: Counter,
    pub sent_bytes: Counter,
    pub received_bytes: Counter,
}

/// How a session stood when it was looked at last.
#[derive(Debug, Clone, Copy)]
pub struct Noted {
    pub standing: Standing,
    pub at: Instant,
    pub sending: Option<Way>,
    pub receiving: Option<Way>,
    /// Messages put aside: here, and there.
    pub parked: u32,
    pub parked_there: u32,
}

impl Noted {
    /// Since when it is known that both have the same; `None`: it is not known, or not so.
    pub fn equal_for(&self) -> Option<Duration> {
        let Standing::Equal(age) = self.standing else { return None };
        Some(Duration::from_millis(age) + self.at.elapsed()).filter(|age| *age <= FRESH)
    }
}

impl Progress {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Noted>> {
        self.peers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn of(&self, peer: &str) -> Option<Noted> {
        self.lock().get(peer).copied()
    }

    /// A session has gone on.
    pub fn note(&self, peer: &str, standing: Standing, machine: &Machine, _: Now) {
        let (sending, receiving) = machine.ways();
        let parked = u32::try_from(machine.parked().count()).unwrap_or(u32::MAX);
        let noted =
            Noted { standing, at: Instant::now(), sending, receiving, parked, parked_there: machine.parked_there() };
        self.lock().insert(peer.to_owned(), noted);
    }

    pub fn end(&self, peer: &str) {
        self.lock().remove(peer);
    }

    /// A frame goes out.
    pub fn count_sent(&self, frame: &Frame) {
        if matches!(frame, Frame::Message(..)) {
            self.sent.inc();
        }
    }

    pub fn count_received(&self, messages: u64) {
        self.received.inc_by(messages);
    }
}
