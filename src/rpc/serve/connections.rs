//! The connections of a listener: bounded in all, and for each address.
//!
//! There is no queue. A connection above its address's share is refused at once. When all slots are taken, the node evicts a
//! connection that it waits for (for a request, its headers, or the next piece of a body), and the newcomer gets the slot. So silent
//! connections from many addresses keep nobody out. When the node waits for no connection, the newcomer is refused.
//!
//! Which connection is evicted:
//!
//! 1. one of the address that has most connections;
//! 2. among these, one that never sent a request;
//! 3. among these, the one that the node has waited for longest.

use crate::{
    asker::Asker,
    pool::{Full, Permit, Pool},
};
use prometheus_client::registry::Registry;
use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use tokio_util::sync::CancellationToken;

/// The asker of a proxy's connection while it carries no request: such a connection counts for no share.
const PROXY: Asker = Asker::Device;

/// How often it is checked whether all connections have ended.
const LOOK: Duration = Duration::from_millis(20);

/// Since when the node waits for a connection, and the connection's id.
type Since = (Instant, u64);

/// Cheap to clone; clones share the places.
#[derive(Debug, Clone)]
pub(super) struct Connections {
    pool: Pool,
    /// Connections that the node waits for, longest first.
    waits: Arc<Mutex<BTreeMap<Since, Awaited>>>,
    next: Arc<AtomicU64>,
}

/// A connection that the node waits for.
#[derive(Debug, Clone)]
struct Awaited {
    slot: Weak<Slot>,
    asker: Asker,
    /// Has it ever sent a request?
    asked: bool,
}

/// A connection's place. Dropping it frees the place.
#[derive(Debug)]
pub(super) struct Slot {
    connections: Connections,
    id: u64,
    asker: Asker,
    /// A proxy's connection carries requests of others, who each have a share.
    proxy: bool,
    state: Mutex<State>,
    gone: CancellationToken,
}

#[derive(Debug, Default)]
struct State {
    place: Option<Permit>,
    since: Option<Since>,
    asked: bool,
    /// It became a WebSocket and carries no more requests.
    upgraded: bool,
}

/// A request and its answer. Until it is dropped, the node does not wait for the connection.
#[derive(Debug)]
pub(super) struct Exchange(Arc<Slot>);

impl Connections {
    pub fn new(pool: Pool) -> Self {
        Self { pool, waits: Arc::default(), next: Arc::default() }
    }

    /// A place for a connection from this asker, or for one of a proxy (`None`).
    pub fn admit(&self, asker: Option<Asker>) -> Result<Arc<Slot>, Full> {
        let place = loop {
            match self.pool.take(asker.unwrap_or(PROXY), 1) {
                Err(Full::All(_)) if self.evict() => {}
                outcome => break outcome?,
            }
        };
        let slot = Arc::new(Slot {
            connections: self.clone(),
            id: self.next.fetch_add(1, Ordering::Relaxed),
            asker: asker.unwrap_or(PROXY),
            proxy: asker.is_none(),
            state: Mutex::new(State { place: Some(place), ..State::default() }),
            gone: CancellationToken::new(),
        });
        slot.wait();
        Ok(slot)
    }

    /// Disconnects a connection that the node waits for. `false`: it waits for none.
    pub fn evict(&self) -> bool {
        while let Some(slot) = self.dispensable() {
            if let Some(slot) = slot.upgrade() {
                slot.leave();
                return true;
            }
        }
        false
    }

    /// Takes the next connection to evict from the list.
    fn dispensable(&self) -> Option<Weak<Slot>> {
        let mut waits = self.waits();
        // `max_by_key` takes the last of equals, which with `rev` is the one waited for longest.
        let rank = |one: &Awaited| (self.pool.held(one.asker), !one.asked);
        let since = waits.iter().rev().max_by_key(|(_, one)| rank(one)).map(|(since, _)| *since)?;
        waits.remove(&since).map(|one| one.slot)
    }

    pub fn used(&self) -> usize {
        self.pool.used()
    }

    /// Resolves when no connection is left.
    pub async fn emptied(&self) {
        while self.used() > 0 {
            tokio::time::sleep(LOOK).await;
        }
    }

    pub fn register(&self, name: &str, registry: &mut Registry) {
        self.pool.register(name, registry);
    }

    fn waits(&self) -> MutexGuard<'_, BTreeMap<Since, Awaited>> {
        self.waits.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Slot {
    /// Resolves when the place has been given to another.
    pub async fn gone(&self) {
        self.gone.cancelled().await;
    }

    /// From now on the node waits for the client.
    pub fn wait(self: &Arc<Self>) {
        let mut state = self.state();
        if state.place.is_some() && !state.upgraded && state.since.is_none() {
            let since = (Instant::now(), self.id);
            state.since = Some(since);
            let awaited = Awaited { slot: Arc::downgrade(self), asker: self.asker, asked: state.asked };
            self.connections.waits().insert(since, awaited);
        }
    }

    /// The client has done something.
    pub fn work(&self) {
        if let Some(since) = self.state().since.take() {
            self.connections.waits().remove(&since);
        }
    }

    /// A request has come. Through a proxy, it counts for its asker's share.
    pub fn begin(self: &Arc<Self>, asker: Asker) -> Result<Exchange, Full> {
        self.work();
        self.state().asked = true;
        if self.proxy {
            self.lend(asker).inspect_err(|_| self.wait())?;
        }
        Ok(Exchange(self.clone()))
    }

    fn lend(&self, asker: Asker) -> Result<(), Full> {
        let mut state = self.state();
        let Some(place) = &mut state.place else { return Ok(()) };
        let Err(full) = place.become_of(asker) else { return Ok(()) };
        // It has no place at all now: takes the proxy's again.
        if place.grow(1).is_err() {
            self.gone.cancel();
        }
        Err(full)
    }

    fn leave(&self) {
        self.state().place = None;
        self.gone.cancel();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.work();
    }
}

impl Exchange {
    /// The connection becomes a WebSocket, which is bounded elsewhere.
    pub fn upgrade(&self) {
        self.0.state().upgraded = true;
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        if self.0.state().upgraded {
            return;
        }
        if self.0.proxy {
            // Of the proxy's own there is no share that could be full.
            let _ = self.0.lend(PROXY);
        }
        self.0.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pool::Size;

    fn bounded(most: usize, share: usize) -> Connections {
        Connections::new(Pool::new("connections", Size { most, share, reserved: 0 }))
    }

    fn at(n: u8) -> Asker {
        Asker::at([10, 0, 0, n].into())
    }

    fn is_gone(slot: &Slot) -> bool {
        slot.gone.is_cancelled()
    }

    #[test]
    fn above_a_share_nobody_is_let_in_and_nobody_is_sent_away_for_it() {
        let connections = bounded(4, 2);
        let held = [1, 1, 2].map(|n| connections.admit(Some(at(n))).expect("room"));
        assert_eq!(connections.admit(Some(at(1))).map(drop), Err(Full::Share("connections")));
        let _fourth = connections.admit(Some(at(2))).expect("room");
        assert_eq!(
            connections.admit(Some(at(1))).map(drop),
            Err(Full::Share("connections")),
            "though all is full as well"
        );
        assert!(held.iter().all(|slot| !is_gone(slot)));
        drop(held);
        assert_eq!(connections.pool.used(), 1);
    }

    #[test]
    fn when_all_is_full_the_one_that_was_waited_for_longest_goes() {
        let connections = bounded(3, 1);
        let [first, second, third] = [1, 2, 3].map(|n| connections.admit(Some(at(n))).expect("room"));
        let exchange = first.begin(at(1)).expect("its place");
        let fourth = connections.admit(Some(at(4))).expect("the second's place");
        assert_eq!([&first, &second, &third].map(|slot| is_gone(slot)), [false, true, false]);
        let _exchanges = [third.begin(at(3)), fourth.begin(at(4))];
        assert_eq!(connections.admit(Some(at(5))).map(drop), Err(Full::All("connections")), "all are at work");
        drop(exchange);
        let _fifth = connections.admit(Some(at(5))).expect("the first waits for its next request");
        assert!(is_gone(&first));
        assert_eq!(connections.pool.used(), 3);
        drop((first, second));
        assert_eq!(connections.pool.used(), 3, "their places were given away already");
    }

    #[test]
    fn of_those_waited_for_the_one_whose_address_has_most_goes_first() {
        let connections = bounded(5, 3);
        let [honest, other] = [1, 2].map(|n| connections.admit(Some(at(n))).expect("room"));
        drop(honest.begin(at(1)));
        let greedy = [(); 3].map(|()| connections.admit(Some(at(3))).expect("room"));
        // Longer waited for than all of the greedy one's.
        let newcomers = [4, 5].map(|n| connections.admit(Some(at(n))).expect("a greedy one's place"));
        assert_eq!(greedy.each_ref().map(|slot| is_gone(slot)), [true, true, false]);
        let _sixth = connections.admit(Some(at(6))).expect("a place");
        assert!(is_gone(&other), "all have one: the one that never asked and is waited for longest");
        assert!(!is_gone(&honest) && newcomers.iter().all(|slot| !is_gone(slot)));
    }

    #[test]
    fn a_body_that_does_not_come_is_waited_for_and_an_upgraded_connection_is_not() {
        let connections = bounded(2, 1);
        let [body, socket] = [1, 2].map(|n| connections.admit(Some(at(n))).expect("room"));
        let exchanges = [body.begin(at(1)), socket.begin(at(2))].map(|exchange| exchange.expect("its place"));
        exchanges[1].upgrade();
        drop(exchanges);
        body.work();
        socket.wait();
        assert!(connections.admit(Some(at(3))).is_err());
        body.wait();
        let _third = connections.admit(Some(at(3))).expect("the body's place");
        assert!(is_gone(&body) && !is_gone(&socket));
    }

    #[test]
    fn a_proxys_connections_are_nobodys_and_its_requests_are_their_askers() {
        let connections = bounded(8, 1);
        let held: Vec<_> = (0..4).map(|_| connections.admit(None).expect("room")).collect();
        let first = held[0].begin(at(1)).expect("a share");
        assert!(held[1].begin(at(1)).is_err(), "it has its share");
        let _other = held[1].begin(at(2)).expect("another's share");
        drop(first);
        let _again = held[2].begin(at(1)).expect("it has given its share back");
        assert!(held.iter().all(|slot| !is_gone(slot)));
        assert_eq!(connections.pool.used(), 4);
    }
}
