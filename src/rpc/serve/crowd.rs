//! Who is connected: so many in all, so many from one address.
//!
//! Nobody waits at the door. Who comes above his address's share is turned away at once. When all places are taken, a
//! connection that keeps the node waiting (for a request, for its headers, for the next piece of a body) goes, and the newcomer gets
//! its place: silence from many addresses keeps nobody out. Which one: of the address that has most, then one that never asked
//! anything, then the one that is waited for longest. When the node waits for nobody, the newcomer goes.

use crate::{
    asker::Asker,
    pool::{Full, Place, Pool},
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

/// Whose connections a proxy's are, while they carry no request: nobody's share.
const PROXY: Asker = Asker::Device;

/// How often is looked whether all have gone.
const LOOK: Duration = Duration::from_millis(20);

/// Since when the node waits for a connection, and which it is.
type Since = (Instant, u64);

/// Cheap to clone; clones share the places.
#[derive(Debug, Clone)]
pub(super) struct Crowd {
    pool: Pool,
    /// Those the node waits for, longest first.
    waits: Arc<Mutex<BTreeMap<Since, Awaited>>>,
    next: Arc<AtomicU64>,
}

/// A connection that the node waits for.
#[derive(Debug, Clone)]
struct Awaited {
    seat: Weak<Seat>,
    asker: Asker,
    /// Has it ever asked anything?
    asked: bool,
}

/// A connection's place. Dropped, it is free.
#[derive(Debug)]
pub(super) struct Seat {
    crowd: Crowd,
    id: u64,
    asker: Asker,
    /// Does it carry the requests of others, who each have a share?
    proxy: bool,
    state: Mutex<State>,
    gone: CancellationToken,
}

#[derive(Debug, Default)]
struct State {
    place: Option<Place>,
    since: Option<Since>,
    asked: bool,
    /// It is no connection for requests any more.
    upgraded: bool,
}

/// A request that is being answered: until it is dropped, the node does not wait for the connection.
#[derive(Debug)]
pub(super) struct Turn(Arc<Seat>);

impl Crowd {
    pub fn new(pool: Pool) -> Self {
        Self { pool, waits: Arc::default(), next: Arc::default() }
    }

    /// A place for a connection from this asker, or for one of a proxy (`None`).
    pub fn admit(&self, asker: Option<Asker>) -> Result<Arc<Seat>, Full> {
        let place = loop {
            match self.pool.take(asker.unwrap_or(PROXY), 1) {
                Err(Full::All(_)) if self.evict() => {}
                outcome => break outcome?,
            }
        };
        let seat = Arc::new(Seat {
            crowd: self.clone(),
            id: self.next.fetch_add(1, Ordering::Relaxed),
            asker: asker.unwrap_or(PROXY),
            proxy: asker.is_none(),
            state: Mutex::new(State { place: Some(place), ..State::default() }),
            gone: CancellationToken::new(),
        });
        seat.wait();
        Ok(seat)
    }

    /// Lets a connection go that the node waits for. `false`: it waits for none.
    pub fn evict(&self) -> bool {
        while let Some(seat) = self.dispensable() {
            if let Some(seat) = seat.upgrade() {
                seat.leave();
                return true;
            }
        }
        false
    }

    /// The one that is missed least, no longer waited for.
    fn dispensable(&self) -> Option<Weak<Seat>> {
        let mut waits = self.waits();
        // Of equals the last, which with `rev` is the one waited for longest.
        let rank = |one: &Awaited| (self.pool.held(one.asker), !one.asked);
        let since = waits.iter().rev().max_by_key(|(_, one)| rank(one)).map(|(since, _)| *since)?;
        waits.remove(&since).map(|one| one.seat)
    }

    pub fn used(&self) -> usize {
        self.pool.used()
    }

    /// Resolves when nobody is connected.
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

impl Seat {
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
            let awaited = Awaited { seat: Arc::downgrade(self), asker: self.asker, asked: state.asked };
            self.crowd.waits().insert(since, awaited);
        }
    }

    /// The client has done something.
    pub fn work(&self) {
        if let Some(since) = self.state().since.take() {
            self.crowd.waits().remove(&since);
        }
    }

    /// A request has come; through a proxy, it takes of its asker's share.
    pub fn begin(self: &Arc<Self>, asker: Asker) -> Result<Turn, Full> {
        self.work();
        self.state().asked = true;
        if self.proxy {
            self.lend(asker).inspect_err(|_| self.wait())?;
        }
        Ok(Turn(self.clone()))
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

impl Drop for Seat {
    fn drop(&mut self) {
        self.work();
    }
}

impl Turn {
    /// The connection becomes something else, whose end is nobody's to wait for here.
    pub fn upgrade(&self) {
        self.0.state().upgraded = true;
    }
}

impl Drop for Turn {
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

    fn crowd(most: usize, share: usize) -> Crowd {
        Crowd::new(Pool::new("connections", Size { most, share, reserved: 0 }))
    }

    fn at(n: u8) -> Asker {
        Asker::at([10, 0, 0, n].into())
    }

    fn is_gone(seat: &Seat) -> bool {
        seat.gone.is_cancelled()
    }

    #[test]
    fn above_a_share_nobody_is_let_in_and_nobody_is_sent_away_for_it() {
        let crowd = crowd(4, 2);
        let held = [1, 1, 2].map(|n| crowd.admit(Some(at(n))).expect("room"));
        assert_eq!(crowd.admit(Some(at(1))).map(drop), Err(Full::Share("connections")));
        let _fourth = crowd.admit(Some(at(2))).expect("room");
        assert_eq!(crowd.admit(Some(at(1))).map(drop), Err(Full::Share("connections")), "though all is full as well");
        assert!(held.iter().all(|seat| !is_gone(seat)));
        drop(held);
        assert_eq!(crowd.pool.used(), 1);
    }

    #[test]
    fn when_all_is_full_the_one_that_was_waited_for_longest_goes() {
        let crowd = crowd(3, 1);
        let [first, second, third] = [1, 2, 3].map(|n| crowd.admit(Some(at(n))).expect("room"));
        let turn = first.begin(at(1)).expect("its place");
        let fourth = crowd.admit(Some(at(4))).expect("the second's place");
        assert_eq!([&first, &second, &third].map(|seat| is_gone(seat)), [false, true, false]);
        let _turns = [third.begin(at(3)), fourth.begin(at(4))];
        assert_eq!(crowd.admit(Some(at(5))).map(drop), Err(Full::All("connections")), "all are at work");
        drop(turn);
        let _fifth = crowd.admit(Some(at(5))).expect("the first waits for its next request");
        assert!(is_gone(&first));
        assert_eq!(crowd.pool.used(), 3);
        drop((first, second));
        assert_eq!(crowd.pool.used(), 3, "their places were given away already");
    }

    #[test]
    fn of_those_waited_for_the_one_whose_address_has_most_goes_first() {
        let crowd = crowd(5, 3);
        let [honest, other] = [1, 2].map(|n| crowd.admit(Some(at(n))).expect("room"));
        drop(honest.begin(at(1)));
        let greedy = [(); 3].map(|()| crowd.admit(Some(at(3))).expect("room"));
        // Longer waited for than all of the greedy one's.
        let newcomers = [4, 5].map(|n| crowd.admit(Some(at(n))).expect("a greedy one's place"));
        assert_eq!(greedy.each_ref().map(|seat| is_gone(seat)), [true, true, false]);
        let _sixth = crowd.admit(Some(at(6))).expect("a place");
        assert!(is_gone(&other), "all have one: the one that never asked and is waited for longest");
        assert!(!is_gone(&honest) && newcomers.iter().all(|seat| !is_gone(seat)));
    }

    #[test]
    fn a_body_that_does_not_come_is_waited_for_and_an_upgraded_connection_is_not() {
        let crowd = crowd(2, 1);
        let [body, socket] = [1, 2].map(|n| crowd.admit(Some(at(n))).expect("room"));
        let turns = [body.begin(at(1)), socket.begin(at(2))].map(|turn| turn.expect("its place"));
        turns[1].upgrade();
        drop(turns);
        body.work();
        socket.wait();
        assert!(crowd.admit(Some(at(3))).is_err());
        body.wait();
        let _third = crowd.admit(Some(at(3))).expect("the body's place");
        assert!(is_gone(&body) && !is_gone(&socket));
    }

    #[test]
    fn a_proxys_connections_are_nobodys_and_its_requests_are_their_askers() {
        let crowd = crowd(8, 1);
        let held: Vec<_> = (0..4).map(|_| crowd.admit(None).expect("room")).collect();
        let first = held[0].begin(at(1)).expect("a share");
        assert!(held[1].begin(at(1)).is_err(), "it has its share");
        let _other = held[1].begin(at(2)).expect("another's share");
        drop(first);
        let _again = held[2].begin(at(1)).expect("it has given its share back");
        assert!(held.iter().all(|seat| !is_gone(seat)));
        assert_eq!(crowd.pool.used(), 4);
    }
}
