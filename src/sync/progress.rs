//! How each peer stands, as its session tells, and what is counted.

use super::{
    frame::Frame,
    machine::{Machine, Standing, Way},
};
use prometheus_client::metrics::counter::Counter;
use std::{
    collections::BTreeMap,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

/// A peer that has said so long ago that both have the same may be gone: it is not known any more.
const FRESH: Duration = Duration::from_secs(50);

#[derive(Debug, Default)]
pub struct Progress {
    /// Of the newest session with each peer: its number, and what it told.
    peers: Mutex<BTreeMap<String, (u64, Option<Noted>)>>,
    sessions: AtomicU64,
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
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, (u64, Option<Noted>)>> {
        self.peers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn of(&self, peer: &str) -> Option<Noted> {
        self.lock().get(peer).and_then(|(_, noted)| *noted)
    }

    /// A session begins: what an older one told, or still tells, counts no more. Its number.
    pub fn begin(&self, peer: &str) -> u64 {
        let session = self.sessions.fetch_add(1, Ordering::Relaxed);
        self.lock().insert(peer.to_owned(), (session, None));
        session
    }

    /// A session has gone on.
    pub fn note(&self, of: (&str, u64), standing: Standing, machine: &Machine) {
        let (sending, receiving) = machine.ways();
        let (parked, parked_there) = (machine.parked_here(), machine.parked_there());
        self.tell(of, Noted { standing, at: Instant::now(), sending, receiving, parked, parked_there });
    }

    fn tell(&self, (peer, session): (&str, u64), noted: Noted) {
        if let Some((newest, told)) = self.lock().get_mut(peer)
            && *newest == session
        {
            *told = Some(noted);
        }
    }

    /// A session has ended.
    pub fn end(&self, peer: &str, session: u64) {
        let mut peers = self.lock();
        if peers.get(peer).is_some_and(|(newest, _)| *newest == session) {
            peers.remove(peer);
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    /// What is noted of a peer that stood so some time ago.
    fn noted(standing: Standing, ago: Duration) -> Noted {
        let at = Instant::now().checked_sub(ago).expect("this system runs longer");
        Noted { standing, at, sending: None, receiving: None, parked: 0, parked_there: 0 }
    }

    #[test]
    fn the_newest_session_alone_tells() {
        let progress = Progress::default();
        let standing = || progress.of("bob").map(|noted| noted.standing);
        let tell = |session, standing| progress.tell(("bob", session), noted(standing, Duration::ZERO));
        let old = progress.begin("bob");
        tell(old, Standing::Equal(0));
        assert_eq!(standing(), Some(Standing::Equal(0)));
        // Nothing is known of a new one before it tells, whatever the old one still says.
        let new = progress.begin("bob");
        assert_eq!(standing(), None);
        tell(old, Standing::Equal(0));
        assert_eq!(standing(), None);
        tell(new, Standing::Busy);
        tell(old, Standing::Equal(0));
        assert_eq!(standing(), Some(Standing::Busy));
        // The old one's end is not the new one's.
        progress.end("bob", old);
        assert_eq!(standing(), Some(Standing::Busy));
        progress.end("bob", new);
        assert_eq!(standing(), None);
        tell(new, Standing::Equal(0));
        assert_eq!((standing(), progress.of("carol").is_none()), (None, true));
    }

    #[test]
    fn in_sync_ends_after_fifty_seconds() {
        let equal = |told: u64, ago| noted(Standing::Equal(told * 1000), Duration::from_secs(ago)).equal_for();
        for (told, ago) in [(0, 0), (0, 45), (45, 0), (20, 25)] {
            let age = equal(told, ago).expect("is known");
            assert!((Duration::from_secs(told + ago)..Duration::from_secs(50)).contains(&age), "{age:?}");
        }
        for (told, ago) in [(0, 51), (51, 0), (26, 26), (0, 3600)] {
            assert_eq!(equal(told, ago), None, "{told} {ago}");
        }
        for standing in [Standing::Unknown, Standing::Busy, Standing::Apart] {
            assert_eq!(noted(standing, Duration::ZERO).equal_for(), None);
        }
    }
}
