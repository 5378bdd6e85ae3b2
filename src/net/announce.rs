//! Tells the network what this node publishes: reads the log and announces the data of published records.
//!
//! At the start everything published is announced again, because provider records live in the network and not here.
//! Then the log is followed. A sweep drops from the list what is no longer published. Until its old provider record
//! lapses, strangers may still ask for it; they are told that it is not here.

use super::error::Error;
use super::handle::Net;
use crate::{
    cid::{self, Cid, Digest},
    dwn::Fault,
    job::{Job, Wait},
    scarce,
    store::{Entry, Store},
};
use memchr::memmem::Finder;
use std::{collections::BTreeSet, sync::LazyLock, time::Duration};
use tokio::time::{Instant, sleep_until};

/// Log entries looked at in one go.
const ENTRIES_MAX: usize = 256;
/// Pause between two sweeps for what is no longer published.
const SWEEP_EVERY: Duration = Duration::from_secs(600);
/// Pause after the system was short of something.
const SHORT_WAIT: Duration = Duration::from_secs(1);

/// Runs until the node stops.
pub async fn announce(net: Net, store: Store, job: Job) -> Result<(), Fault> {
    job.awaits(Wait::LogOr(SWEEP_EVERY));
    let mut tail = store.tail();
    let mut position = *tail.borrow_and_update();
    let mut announced = BTreeSet::new();
    let reader = store.clone();
    for root in tokio::task::spawn_blocking(move || reader.public_roots()).await?? {
        provide(&net, &root).await?;
        announced.insert(root);
    }
    job.ended(None);
    let mut sweep = Instant::now();
    loop {
        job.waits(Some(sweep.into_std()));
        tokio::select! {
            changed = tail.changed() => {
                if changed.is_err() {
                    return Ok(()); // the store is closed
                }
                job.works();
                let reader = store.clone();
                let found = tokio::task::spawn_blocking(move || new_roots(&reader, position)).await?;
                let Some((next, roots)) = enough(&job, found)? else {
                    job.sleep(SHORT_WAIT).await;
                    tail.mark_changed();
                    continue;
                };
                position = next;
                for root in roots {
                    net.arrived(vec![named(&root)]).await?;
                    if announced.insert(root) {
                        provide(&net, &root).await?;
                    }
                }
                job.ended(None);
            }
            () = sleep_until(sweep) => {
                job.works();
                let (reader, known) = (store.clone(), announced.clone());
                let found = tokio::task::spawn_blocking(move || no_longer_public(&reader, known)).await?;
                if let Some(gone) = enough(&job, found)? {
                    for root in gone {
                        net.stop_providing(named(&root)).await?;
                        announced.remove(&root);
                    }
                    job.ended(None);
                }
                sweep = Instant::now() + SWEEP_EVERY;
            }
            () = job.stop().cancelled() => return Ok(()),
        }
    }
}

/// Nothing, when the system is short of what it takes for a moment: it is looked for again.
fn enough<T>(job: &Job, found: Result<T, Fault>) -> Result<Option<T>, Fault> {
    match found {
        Err(fault) if scarce::is_scarcity(&fault) => {
            let what = format!("announcing: {fault:#}");
            scarce::note(&what);
            job.ended(Some(&what));
            Ok(None)
        }
        found => found.map(Some),
    }
}

/// What is beyond the bound of the list is served all the same, only not announced.
async fn provide(net: &Net, root: &Digest) -> Result<(), Fault> {
    match net.provide(named(root)).await {
        Err(Error::Provided) => tracing::warn!("the list of announced data is full: {} is not announced", named(root)),
        done => done?,
    }
    Ok(())
}

/// The log from `position` to its end: where it ends, and the published data roots in it.
fn new_roots(store: &Store, mut position: u64) -> Result<(u64, BTreeSet<Digest>), Fault> {
    let mut roots = BTreeSet::new();
    loop {
        let entries = store.entries(position, ENTRIES_MAX)?;
        if entries.is_empty() {
            return Ok((position, roots));
        }
        for entry in entries {
            position = entry.next();
            let Entry::Message { message, data, .. } = entry else { continue };
            if !says_published(&message) {
                continue;
            }
            // An update without data may publish what is here already.
            let root = data.map(|(root, _)| root).or_else(|| declared(&message));
            if let Some(digest) = root.as_ref().and_then(cid::sha256_of)
                && store.block_is_public(&digest)?
            {
                roots.insert(digest);
            }
        }
    }
}

/// May this message make its data public? Nearly none does, and is not decoded, nor its data looked up, to be told so.
fn says_published(message: &[u8]) -> bool {
    static NAME: LazyLock<Finder<'_>> = LazyLock::new(|| Finder::new("published"));
    NAME.find(message).is_some()
}

fn no_longer_public(store: &Store, roots: BTreeSet<Digest>) -> Result<Vec<Digest>, Fault> {
    let mut gone = vec![];
    for root in roots {
        if !store.block_is_public(&root)? {
            gone.push(root);
        }
    }
    Ok(gone)
}

/// The data CID that a message names.
fn declared(message: &[u8]) -> Option<Cid> {
    let json = cid::decode(message).ok()?;
    Cid::try_from(json.pointer("/descriptor/dataCid")?.as_str()?).ok()
}

/// The network finds blocks by multihash: the codec of the CID does not matter.
fn named(digest: &Digest) -> Cid {
    cid::from_digest(cid::RAW, digest)
}
