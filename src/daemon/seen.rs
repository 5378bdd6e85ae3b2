//! Where devices and friends' nodes were reached last: kept in the store, for the time after the next start.

use super::events::Events;
use crate::{
    job::{Job, blocking},
    net::{Event, Net},
    store::Store,
};
use anyhow::Error;

/// Addresses of one device, the latest first.
const EACH_MAX: usize = 4;
const KEYS: &[u8] = b"net/seen/";

fn key(peer: &str) -> Vec<u8> {
    [KEYS, peer.as_bytes()].concat()
}

/// Where a peer was reached last. Blocks. What cannot be read is as good as nothing.
pub(super) fn of(store: &Store, peer: &str) -> Vec<String> {
    let kept = store.state(&key(peer)).ok().flatten();
    kept.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
}

/// Writes down where devices are reached, until the node stops.
pub(super) async fn keep(net: Net, store: Store, job: Job) -> Result<(), Error> {
    let mut events = Events::of(&net, job);
    forget(&net, &store).await?;
    while let Some(event) = events.next().await {
        let Event::Seen { peer, address } = event else { continue };
        let (from, of_peer) = (store.clone(), peer.clone());
        let mut list = blocking(move || Ok(of(&from, &of_peer))).await?;
        if list.first() == Some(&address) {
            continue;
        }
        list.retain(|known| *known != address);
        list.insert(0, address);
        list.truncate(EACH_MAX);
        store.put_state(vec![(key(&peer), Some(serde_json::to_vec(&list)?))]).await?;
        forget(&net, &store).await?;
    }
    Ok(())
}

/// Of who is neither a device nor a friend any more, nothing is kept.
async fn forget(net: &Net, store: &Store) -> Result<(), Error> {
    let is_near = |key: &[u8]| std::str::from_utf8(&key[KEYS.len()..]).is_ok_and(|peer| net.is_near(peer));
    let from = store.clone();
    let kept = blocking(move || from.states(KEYS)).await?.into_iter();
    let gone: Vec<_> = kept.filter(|(key, _)| !is_near(key)).map(|(key, _)| (key.to_vec(), None)).collect();
    if !gone.is_empty() {
        store.put_state(gone).await?;
    }
    Ok(())
}
