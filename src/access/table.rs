//! The tokens as the running node has them.

use super::{
    journal::{Change, at},
    origin::Origin,
    rate::Bucket,
    token::{Token, same},
};
use crate::cid::Digest;
use jiff::{SignedDuration, Timestamp};
use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicI64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};
use tokio_util::sync::CancellationToken;

/// For so long is remembered that a token was revoked or has expired.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(7 * 24);

/// One token, in use.
#[derive(Debug)]
pub struct Held {
    pub token: Token,
    hash: Digest,
    pub parent: Option<Arc<Held>>,
    /// Of it or one above it.
    pub revoked: CancellationToken,
    /// When it was revoked itself.
    revoked_at: OnceLock<i64>,
    /// Unix seconds; 0: never.
    used: AtomicI64,
    /// That is not written down yet.
    used_anew: AtomicI64,
    bucket: Mutex<Bucket>,
}

impl Held {
    fn new(token: Token, hash: Digest, parent: Option<Arc<Self>>) -> Arc<Self> {
        let revoked = parent.as_ref().map_or_else(CancellationToken::new, |parent| parent.revoked.child_token());
        let bucket = Mutex::new(Bucket::new(token.rate, Instant::now()));
        let (used, used_anew) = (AtomicI64::new(0), AtomicI64::new(0));
        Arc::new(Self { token, hash, parent, revoked, revoked_at: OnceLock::new(), used, used_anew, bucket })
    }

    pub fn is_of(&self, hash: &Digest) -> bool {
        same(&self.hash, hash)
    }

    /// It, the one that made it, and so on.
    pub fn line(&self) -> impl Iterator<Item = &Self> {
        std::iter::successors(Some(self), |held| held.parent.as_deref())
    }

    pub fn note_use(&self, now: Timestamp) {
        self.used.store(now.as_second(), Relaxed);
        self.used_anew.store(now.as_second(), Relaxed);
    }

    pub fn used(&self) -> Option<Timestamp> {
        Some(self.used.load(Relaxed)).filter(|used| *used != 0).map(at)
    }

    /// Takes one call of its rate and of those above it, or of none, and then says how long to wait.
    pub fn spend(&self, now: Instant) -> Result<(), Duration> {
        // A child's bucket is locked before its parent's, always.
        let mut buckets: Vec<_> =
            self.line().map(|held| held.bucket.lock().unwrap_or_else(PoisonError::into_inner)).collect();
        match buckets.iter_mut().map(|bucket| bucket.wait(now)).max().unwrap_or_default() {
            Duration::ZERO => {
                buckets.iter_mut().for_each(|bucket| bucket.take());
                Ok(())
            }
            wait => Err(wait),
        }
    }

    /// Since when it is good for nothing any more.
    fn over_since(&self, now: Timestamp) -> Option<Timestamp> {
        let revoked = self.line().filter_map(|held| held.revoked_at.get()).min().map(|seconds| at(*seconds));
        let expired = self.token.expires.map(|expires| expires.0).filter(|expires| *expires <= now);
        revoked.into_iter().chain(expired).min()
    }
}

#[derive(Debug, Default)]
pub struct Table {
    by_id: HashMap<String, Arc<Held>>,
    /// Their ids in the order in which they were made: parents before their children.
    order: Vec<String>,
    by_origin: HashMap<Origin, Vec<Arc<Held>>>,
}

impl Table {
    /// What a file's changes make.
    pub fn of(changes: Vec<Change>) -> Self {
        let mut table = Self::default();
        for change in changes {
            match change {
                Change::Made { token, hash } => {
                    let mut digest = Digest::default();
                    if hex::decode_to_slice(hash, &mut digest).is_ok() {
                        table.put(*token, digest);
                    }
                }
                Change::Revoked { id, at: seconds } => table.revoke(&id, at(seconds)),
                Change::Used(used) => {
                    for (id, seconds) in used {
                        if let Some(held) = table.by_id.get(&id) {
                            held.used.store(seconds, Relaxed);
                        }
                    }
                }
                Change::Version(_) => {}
            }
        }
        table
    }

    /// The changes that make this, in a new file.
    pub fn changes(&self) -> impl Iterator<Item = Change> {
        let made = self.iter().flat_map(|held| {
            let made = Change::Made { token: Box::new(held.token.clone()), hash: hex::encode(held.hash) };
            let id = held.token.id.clone();
            let revoked = held.revoked_at.get().map(|at| Change::Revoked { id, at: *at });
            std::iter::once(made).chain(revoked)
        });
        let used = self.iter().filter_map(|held| Some((held.token.id.clone(), held.used()?.as_second())));
        let used = Change::Used(used.collect());
        made.chain(Some(used).filter(|used| *used != Change::Used(BTreeMap::new())))
    }

    pub fn get(&self, id: &str) -> Option<&Arc<Held>> {
        self.by_id.get(id)
    }

    /// All, the oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Held>> {
        self.order.iter().filter_map(|id| self.by_id.get(id))
    }

    /// Those for pages of this origin.
    pub fn of_origin(&self, origin: &Origin) -> impl Iterator<Item = &Arc<Held>> {
        self.by_origin.get(origin).into_iter().flatten()
    }

    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Puts a token in. One whose parent is forgotten is not good any more.
    pub fn put(&mut self, token: Token, hash: Digest) -> Option<Arc<Held>> {
        let parent = match &token.parent {
            None => None,
            Some(id) => Some(self.by_id.get(id)?.clone()),
        };
        let id = token.id.clone();
        let held = Held::new(token, hash, parent);
        if let Some(origin) = &held.token.origin {
            self.by_origin.entry(origin.clone()).or_default().push(held.clone());
        }
        self.by_id.insert(id.clone(), held.clone());
        self.order.push(id);
        Some(held)
    }

    /// Revokes a token and those it has made, at once.
    pub fn revoke(&self, id: &str, now: Timestamp) {
        if let Some(held) = self.by_id.get(id) {
            // The first time counts.
            let _ = held.revoked_at.set(now.as_second());
            held.revoked.cancel();
        }
    }

    /// Forgets what has been over for long (`all`: for however short).
    pub fn forget(&mut self, now: Timestamp, all: bool) {
        let is_kept = |held: &Held| match held.over_since(now) {
            None => true,
            Some(since) => !all && now.duration_since(since) < REMEMBERED,
        };
        self.by_id.retain(|_, held| is_kept(held));
        // A child is over no later than its parent, so none of them stays behind.
        self.order.retain(|id| self.by_id.contains_key(id));
        self.by_origin.retain(|_, tokens| {
            tokens.retain(|held| self.by_id.contains_key(&held.token.id));
            !tokens.is_empty()
        });
    }

    /// When tokens were used that is not written down yet; it counts as written from now on.
    pub fn take_used(&self) -> BTreeMap<String, i64> {
        let taken = self.iter().map(|held| (held.token.id.clone(), held.used_anew.swap(0, Relaxed)));
        taken.filter(|(_, used)| *used != 0).collect()
    }
}
