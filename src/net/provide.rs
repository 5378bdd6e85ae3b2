//! Which roots are announced, and when each is due again. Publishes a few at a time and remembers how far
//! it is, so that "provided 800 of 1000, next in 3 h" can be shown.

use crate::cid::Cid;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::{Duration, Instant};

/// As kubo: records count for 48 hours, they are renewed after 22.
const REPUBLISH: Duration = Duration::from_secs(22 * 60 * 60);
/// Announcements under way at once. Each is a walk to 20 peers.
const AT_ONCE: usize = 8;
/// A new peer in a small network must hear of everything; wait a little, often several come together.
const NEW_PEER_DELAY: Duration = Duration::from_secs(1);
/// A root that could not be announced is tried again after this long.
const RETRY: Duration = Duration::from_secs(5 * 60);

/// How far announcing is.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Status {
    pub roots: usize,
    /// Roots whose record was published at least once.
    pub published: usize,
    pub next_due: Option<Duration>,
}

#[derive(Debug, Default)]
pub struct Provider {
    roots: HashMap<Cid, Root>,
    due: BTreeSet<(Instant, u64)>,
    ids: BTreeMap<u64, Cid>,
    next_id: u64,
    under_way: usize,
}

#[derive(Debug)]
struct Root {
    id: u64,
    due: Instant,
    published: bool,
    /// Queries running for it (one per table).
    queries: usize,
    again: bool,
    failed: bool,
}

impl Provider {
    pub fn len(&self) -> usize {
        self.roots.len()
    }

    pub fn add(&mut self, cid: Cid, now: Instant) {
        if self.roots.contains_key(&cid) {
            return;
        }
        self.next_id += 1;
        let root = Root { id: self.next_id, due: now, published: false, queries: 0, again: false, failed: false };
        self.due.insert((now, root.id));
        self.ids.insert(root.id, cid);
        self.roots.insert(cid, root);
    }

    pub fn remove(&mut self, cid: &Cid) {
        if let Some(root) = self.roots.remove(cid) {
            self.due.remove(&(root.due, root.id));
            self.ids.remove(&root.id);
            self.under_way -= usize::from(root.queries > 0);
        }
    }

    /// The next root to announce now; call [`Provider::started`] for each query made for it.
    pub fn next(&mut self, now: Instant) -> Option<Cid> {
        let (at, id) = *self.due.first()?;
        if at > now || self.under_way >= AT_ONCE {
            return None;
        }
        self.due.pop_first();
        self.ids.get(&id).copied()
    }

    /// `queries` were started for `cid`. With none (no table took it) it is tried again later.
    pub fn started(&mut self, cid: &Cid, queries: usize, now: Instant) {
        let Some(root) = self.roots.get_mut(cid) else { return };
        if queries == 0 {
            return schedule(&mut self.due, root, now + RETRY);
        }
        (root.queries, root.failed) = (queries, true);
        self.under_way += 1;
    }

    pub fn finished(&mut self, cid: &Cid, published: bool, now: Instant) {
        let Some(root) = self.roots.get_mut(cid).filter(|r| r.queries > 0) else { return };
        root.queries -= 1;
        root.failed &= !published;
        root.published |= published;
        if root.queries == 0 {
            self.under_way -= 1;
            let wait = match (std::mem::take(&mut root.again), root.failed) {
                (true, _) => NEW_PEER_DELAY,
                (false, true) => RETRY,
                (false, false) => REPUBLISH,
            };
            schedule(&mut self.due, root, now + wait);
        }
    }

    /// A peer joined a routing table so small that it is responsible for everything.
    pub fn new_peer(&mut self, now: Instant) {
        for root in self.roots.values_mut() {
            if root.queries > 0 {
                root.again = true;
            } else if root.due > now + NEW_PEER_DELAY {
                self.due.remove(&(root.due, root.id));
                schedule(&mut self.due, root, now + NEW_PEER_DELAY);
            }
        }
    }

    pub fn status(&self, now: Instant) -> Status {
        Status {
            roots: self.roots.len(),
            published: self.roots.values().filter(|r| r.published).count(),
            next_due: self.due.first().map(|(at, _)| at.saturating_duration_since(now)),
        }
    }
}

fn schedule(due: &mut BTreeSet<(Instant, u64)>, root: &mut Root, at: Instant) {
    root.due = at;
    due.insert((at, root.id));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cid;

    fn root(n: u8) -> Cid {
        cid::of(cid::RAW, &[n])
    }

    #[test]
    fn a_few_at_a_time_then_not_again_for_a_day() {
        let (mut provider, now) = (Provider::default(), Instant::now());
        (0..20).for_each(|n| provider.add(root(n), now));
        let mut total = 0;
        loop {
            let batch: Vec<Cid> = std::iter::from_fn(|| {
                let cid = provider.next(now)?;
                provider.started(&cid, 2, now);
                Some(cid)
            })
            .collect();
            if batch.is_empty() {
                break;
            }
            assert!(batch.len() <= AT_ONCE);
            total += batch.len();
            for cid in batch {
                provider.finished(&cid, false, now);
                provider.finished(&cid, true, now);
            }
        }
        assert_eq!(total, 20);
        assert_eq!(provider.status(now), Status { roots: 20, published: 20, next_due: Some(REPUBLISH) });
        assert_eq!(provider.next(now + REPUBLISH - Duration::from_secs(1)), None);
        assert!(provider.next(now + REPUBLISH).is_some());
    }

    #[test]
    fn what_nobody_took_is_tried_again_soon_and_a_new_peer_hears_of_everything() {
        let (mut provider, now) = (Provider::default(), Instant::now());
        provider.add(root(1), now);
        assert_eq!(provider.next(now), Some(root(1)));
        provider.started(&root(1), 1, now);
        // The peer comes while the announcement is under way.
        provider.new_peer(now);
        provider.finished(&root(1), false, now);
        assert_eq!(provider.status(now).next_due, Some(NEW_PEER_DELAY));
        let later = now + NEW_PEER_DELAY;
        assert_eq!(provider.next(later), Some(root(1)));
        provider.started(&root(1), 1, later);
        provider.finished(&root(1), false, later);
        assert_eq!(provider.status(later).next_due, Some(RETRY));
        provider.new_peer(later);
        assert_eq!(provider.status(later).next_due, Some(NEW_PEER_DELAY));
    }

    #[test]
    fn a_root_removed_while_it_is_announced_leaves_room_for_others() {
        let (mut provider, now) = (Provider::default(), Instant::now());
        for n in 0..50 {
            provider.add(root(n), now);
            assert_eq!(provider.next(now), Some(root(n)));
            provider.started(&root(n), 2, now);
            provider.remove(&root(n));
            provider.finished(&root(n), true, now);
        }
        assert_eq!(provider.status(now), Status::default());
    }
}
