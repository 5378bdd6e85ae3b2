//! Loose digests that want a leaf: those that come by `POST /digest`, where this node is a calendar, and those of files that
//! `toft stamp` is told of. They are in no message, so the log does not bring them to the queue.
//!
//! | key | value |
//! |---|---|
//! | `anchor/intake/<n>` | digests that became durable together: 33 bytes each, who brought it and the digest |
//! | `anchor/taken` | the number up to which all of them are in a batch |
//!
//! A digest is durable before its taker is answered, and those who come while a group is being written share the next write.
//! A batch takes all that wait, in the same step in which it comes to be; what is left of them on disk is deleted later.

use super::{
    leaves::{Leaf, array, content, value},
    waiting::Item,
};
use crate::{
    cid::{self, Digest},
    dwn::Fault,
    store::{Position, Store},
};
use anyhow::{Context as _, anyhow};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::oneshot;

const INTAKE: &[u8] = b"anchor/intake/";
const TAKEN: &[u8] = b"anchor/taken";
/// Digests that wait at most: some 20 MB of memory. At the shipped limits of the endpoint one address cannot fill it
/// within a batch's time.
pub(super) const WAITING_MAX: usize = 1 << 18;
/// From so many on only the owner's are taken: strangers fill no place of his.
const STRANGERS_MAX: usize = WAITING_MAX / 8 * 7;
/// First byte of every value: raised when the encoding changes.
const VERSION: u8 = 1;
/// Keys deleted in one step.
const CHUNK: usize = 4096;
/// Bytes of one digest on disk.
const ENTRY: usize = 33;

/// Who has brought a loose digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The owner, of a file that is not kept.
    Owner,
    /// Anybody, to this node as a calendar: they alone are told of it again.
    Stranger,
}

/// Why a digest was not taken.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    #[error("as many digests wait for the next anchor as may; try again later")]
    Full,
    #[error("{0:#}")]
    Fault(#[from] Fault),
}

impl Origin {
    /// Where its item lies in the log: nowhere, which these two places say.
    const fn position(self) -> Position {
        match self {
            Self::Owner => Position::MAX - 1,
            Self::Stranger => Position::MAX - 2,
        }
    }

    const fn tag(self) -> u8 {
        match self {
            Self::Owner => 0,
            Self::Stranger => 1,
        }
    }

    const fn of(tag: u8) -> Option<Self> {
        match tag {
            0 => Some(Self::Owner),
            1 => Some(Self::Stranger),
            _ => None,
        }
    }
}

/// Was this leaf's digest brought by a stranger?
pub(super) fn is_strangers(leaf: &Leaf) -> bool {
    is_of(&leaf.item, Origin::Stranger)
}

/// Did he bring it, and no message?
pub(super) fn is_of(item: &Item, origin: Origin) -> bool {
    item.position == origin.position() && u64::from(item.codec) == cid::RAW
}

fn key(prefix: &[u8], rest: &[u8]) -> Vec<u8> {
    [prefix, rest].concat()
}

/// Takes loose digests. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Intake(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    store: Store,
    state: Mutex<State>,
    /// Who holds it writes for all that have come meanwhile.
    pen: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct State {
    /// Durable, and in no batch: who brought it, and the number of its group.
    waiting: HashMap<Digest, (Origin, u64)>,
    coming: Vec<Coming>,
    /// Digests that are in the write that is under way.
    writing: usize,
    /// Number of the next group.
    next: u64,
}

#[derive(Debug)]
struct Coming {
    digest: Digest,
    origin: Origin,
    reply: oneshot::Sender<Result<(), Fault>>,
}

/// What waits, for a batch.
#[derive(Debug)]
pub(super) struct Loose {
    pub items: Vec<Item>,
    /// The first group that it does not hold.
    next: u64,
}

impl Loose {
    /// What the batch writes in the step in which it comes to be.
    pub fn taken(&self) -> (Vec<u8>, Option<Vec<u8>>) {
        (TAKEN.to_vec(), Some(value(VERSION, &self.next.to_be_bytes())))
    }
}

impl Intake {
    /// Takes up what is durable and in no batch.
    pub async fn open(store: Store) -> Result<Self, Fault> {
        let reader = store.clone();
        let (state, gone) = tokio::task::spawn_blocking(move || State::read(&reader)).await??;
        let intake = Self(Arc::new(Inner { store, state: Mutex::new(state), pen: tokio::sync::Mutex::default() }));
        intake.delete(gone).await?;
        Ok(intake)
    }

    /// Durable when this returns. What waits already is taken again.
    pub async fn take(&self, digest: Digest, origin: Origin) -> Result<(), Refused> {
        let (reply, answer) = oneshot::channel();
        {
            let mut state = self.lock();
            if state.waiting.contains_key(&digest) {
                return Ok(());
            }
            let most = if origin == Origin::Stranger { STRANGERS_MAX } else { WAITING_MAX };
            if state.waiting.len() + state.writing + state.coming.len() >= most {
                return Err(Refused::Full);
            }
            state.coming.push(Coming { digest, origin, reply });
        }
        let this = self.clone();
        // Of its own: who asked may go, and others are in the same write.
        tokio::spawn(async move { this.write().await });
        Ok(answer.await.context("a digest was not written")??)
    }

    /// How many wait; those too whose write is just ending.
    pub fn len(&self) -> usize {
        let state = self.lock();
        state.waiting.len() + state.writing
    }

    /// Does it wait?
    pub fn has(&self, digest: &Digest) -> bool {
        self.lock().waiting.contains_key(digest)
    }

    /// Has a stranger brought it, and does it wait?
    pub fn has_strangers(&self, digest: &Digest) -> bool {
        matches!(self.lock().waiting.get(digest), Some((Origin::Stranger, _)))
    }

    /// All that waits.
    pub fn all(&self) -> Loose {
        let state = self.lock();
        let items = state.waiting.iter().map(|(digest, (origin, _))| Item {
            digest: *digest,
            codec: u8::try_from(cid::RAW).unwrap_or_default(),
            position: origin.position(),
        });
        // groups below `next` that are still being written are not among the waiting: their numbers are not below theirs
        Loose { items: items.collect(), next: state.next - u64::from(state.writing > 0) }
    }

    /// A batch has taken these.
    pub async fn taken(&self, loose: Loose) -> Result<(), Fault> {
        let gone = {
            let mut state = self.lock();
            let mut groups: Vec<u64> = Vec::new();
            state.waiting.retain(|_, (_, group)| {
                let stays = *group >= loose.next;
                groups.extend((!stays).then_some(*group));
                stays
            });
            groups.sort_unstable();
            groups.dedup();
            groups
        };
        self.delete(gone).await
    }

    /// Writes what has come since the last write began.
    async fn write(&self) {
        let _pen = self.0.pen.lock().await;
        let (group, number) = {
            let mut state = self.lock();
            let group = std::mem::take(&mut state.coming);
            if group.is_empty() {
                return; // another's write has taken it along
            }
            (state.writing, state.next) = (group.len(), state.next + 1);
            (group, state.next - 1)
        };
        let mut bytes = Vec::with_capacity(group.len() * ENTRY);
        for coming in &group {
            bytes.push(coming.origin.tag());
            bytes.extend(coming.digest);
        }
        let written =
            self.0.store.put_state(vec![(key(INTAKE, &number.to_be_bytes()), Some(value(VERSION, &bytes)))]).await;
        {
            let mut state = self.lock();
            state.writing = 0;
            if written.is_ok() {
                state.waiting.extend(group.iter().map(|coming| (coming.digest, (coming.origin, number))));
            }
        }
        for coming in group {
            let result = written.as_ref().copied().map_err(|error| anyhow!("{error:#}"));
            let _ = coming.reply.send(result); // who asked may have gone
        }
    }

    async fn delete(&self, groups: Vec<u64>) -> Result<(), Fault> {
        for groups in groups.chunks(CHUNK) {
            let gone = groups.iter().map(|number| (key(INTAKE, &number.to_be_bytes()), None));
            self.0.store.put_state(gone.collect()).await?;
        }
        Ok(())
    }

    /// Nothing is done under the lock that could leave it half changed.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// What is stored, and the groups that a batch has taken.
    fn read(store: &Store) -> Result<(Self, Vec<u64>), Fault> {
        let taken = match store.state(TAKEN)? {
            Some(bytes) => u64::from_be_bytes(array(content(&bytes, VERSION)?, 0)?),
            None => 0,
        };
        let (mut state, mut gone) = (Self { next: taken, ..Self::default() }, Vec::new());
        for (name, bytes) in store.states(INTAKE)? {
            let number = u64::from_be_bytes(array(&name, INTAKE.len())?);
            if number < taken {
                gone.push(number);
                continue;
            }
            let (entries, rest) = content(&bytes, VERSION)?.as_chunks::<ENTRY>();
            if !rest.is_empty() {
                return Err(anyhow!("the loose digests {number} of the anchor are cut"));
            }
            for [tag, digest @ ..] in entries {
                let origin = Origin::of(*tag).context("a loose digest of somebody this toft does not know")?;
                state.waiting.insert(*digest, (origin, number));
            }
            state.next = number + 1;
        }
        Ok((state, gone))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Config;

    fn store(dir: &tempfile::TempDir) -> Store {
        Store::open(dir.path(), &Config::default()).expect("the store opens")
    }

    fn digest(i: u32) -> Digest {
        cid::digest(&i.to_be_bytes())
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_is_taken_is_durable_and_waits_until_a_batch_has_it() {
        let dir = tempfile::tempdir().expect("a directory");
        let store = store(&dir);
        let intake = Intake::open(store.clone()).await.expect("opens");
        let takes = (0..200).map(|i| {
            let intake = intake.clone();
            tokio::spawn(
                async move { intake.take(digest(i), if i < 100 { Origin::Owner } else { Origin::Stranger }).await },
            )
        });
        for take in takes.collect::<Vec<_>>() {
            take.await.expect("no panic").expect("is taken");
        }
        let groups = store.states(INTAKE).expect("reads").len();
        assert!(groups < 200, "{groups} writes for 200 who came together");
        intake.take(digest(3), Origin::Stranger).await.expect("is taken again");
        assert_eq!(intake.len(), 200);

        let again = Intake::open(store.clone()).await.expect("opens");
        assert_eq!(again.len(), 200, "after a crash");
        assert!(again.has_strangers(&digest(150)) && !again.has_strangers(&digest(3)) && again.has(&digest(3)));
        let loose = again.all();
        assert!(loose.items.iter().all(|item| u64::from(item.codec) == cid::RAW));
        again.take(digest(999), Origin::Stranger).await.expect("comes after");
        // the batch comes to be, and then a crash: what is left on disk counts for nothing
        store.put_state(vec![loose.taken()]).await.expect("is written");
        let after = Intake::open(store.clone()).await.expect("opens");
        assert_eq!((after.len(), after.has(&digest(999))), (1, true));
        assert_eq!(store.states(INTAKE).expect("reads").len(), 1);
        again.taken(loose).await.expect("deletes");
        assert_eq!((again.len(), again.has(&digest(999))), (1, true));
        after.take(digest(3), Origin::Owner).await.expect("comes again");
        assert_eq!(Intake::open(store.clone()).await.expect("opens").len(), 2);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn strangers_leave_room_for_the_owner() {
        let dir = tempfile::tempdir().expect("a directory");
        let intake = Intake::open(store(&dir)).await.expect("opens");
        let fill = |to: usize| {
            let mut state = intake.lock();
            for i in state.waiting.len()..to {
                state.waiting.insert(digest(i as u32), (Origin::Stranger, 0));
            }
        };
        fill(STRANGERS_MAX);
        let new = |i: u32| digest(u32::MAX - i);
        assert!(matches!(intake.take(new(0), Origin::Stranger).await, Err(Refused::Full)));
        intake.take(new(0), Origin::Owner).await.expect("is taken");
        fill(WAITING_MAX);
        assert!(matches!(intake.take(new(1), Origin::Owner).await, Err(Refused::Full)));
    }
}
