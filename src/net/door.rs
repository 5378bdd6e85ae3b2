//! Who stands at the door: connections that are being set up, whose other end is not known yet.
//!
//! A flood of them, above all of silent ones, must not shut out a device, be it at another place or behind the same
//! router:
//!
//! | what is taken | who gives way to a newcomer |
//! |---|---|
//! | the share of its own place | the oldest from that place |
//! | all places | the oldest of whoever has most |
//!
//! An honest newcomer is done after a few round trips, so it is hardly ever the oldest. Addresses at which paired
//! devices live have places of their own.

use super::known::{self, Known};
use crate::asker::Asker;
use crate::pool::{Full, Permit, Pool};
use futures::FutureExt as _;
use futures::future::{AbortHandle, AbortRegistration, Abortable, BoxFuture};
use libp2p::Multiaddr;
use libp2p::core::transport::{DialOpts, ListenerId, Transport, TransportError, TransportEvent};
use std::collections::{BTreeMap, HashMap};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

/// Connections turned away in one go; then others get their turn.
const REFUSED_AT_ONCE: usize = 32;

/// Cheap to clone: all transports have one door.
#[derive(Debug, Clone)]
pub struct Door(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    places: Pool,
    known: Arc<Known>,
    guests: Mutex<Guests>,
}

#[derive(Debug, Default)]
struct Guests {
    next: u64,
    /// In the order they came.
    waiting: BTreeMap<u64, Guest>,
}

#[derive(Debug)]
struct Guest {
    from: Asker,
    end: AbortHandle,
    _place: Permit,
}

/// Somebody let in to the door; dropped, the place is free.
struct Pass {
    door: Door,
    number: u64,
}

impl Drop for Pass {
    fn drop(&mut self) {
        self.door.lock().waiting.remove(&self.number);
    }
}

impl Door {
    pub fn new(places: Pool, known: Arc<Known>) -> Self {
        Self(Arc::new(Inner { places, known, guests: Mutex::default() }))
    }

    fn admit(&self, from: Asker) -> Option<(Pass, AbortRegistration)> {
        let guests = &mut *self.lock();
        let place = loop {
            match self.take(guests, from) {
                Ok(place) => break place,
                Err(full) => {
                    let number = guests.gives_way(from, full)?;
                    if let Some(guest) = guests.waiting.remove(&number) {
                        guest.end.abort();
                    }
                }
            }
        };
        let (end, registration) = AbortHandle::new_pair();
        let number = guests.next;
        guests.next += 1;
        guests.waiting.insert(number, Guest { from, end, _place: place });
        Some((Pass { door: self.clone(), number }, registration))
    }

    fn take(&self, guests: &Guests, from: Asker) -> Result<Permit, Full> {
        let places = &self.0.places;
        let full = match places.take(from, 1) {
            Ok(place) => return Ok(place),
            Err(full) => full,
        };
        // What is reserved is for where the devices live; whose connection it is is not known yet, so the share holds.
        let mine = guests.waiting.values().filter(|guest| guest.from == from).count();
        if self.0.known.live_at(from) && mine < places.size().share { places.take(Asker::Device, 1) } else { Err(full) }
    }

    fn lock(&self) -> MutexGuard<'_, Guests> {
        self.0.guests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Guests {
    /// Whose place a newcomer gets; nobody's, if it would only take from those who have no more than it has.
    fn gives_way(&self, newcomer: Asker, full: Full) -> Option<u64> {
        let oldest = |of: Asker| self.waiting.iter().find(|(_, guest)| guest.from == of).map(|(number, _)| *number);
        if let Full::Share(_) = full {
            return oldest(newcomer);
        }
        let mut each: HashMap<Asker, usize> = HashMap::new();
        self.waiting.values().for_each(|guest| *each.entry(guest.from).or_default() += 1);
        let mine = each.get(&newcomer).copied().unwrap_or_default();
        let (most, count) = each.into_iter().max_by_key(|(_, count)| *count)?;
        if count > mine { oldest(most) } else { oldest(newcomer) }
    }
}

/// Why a connection was not set up.
#[derive(Debug, thiserror::Error)]
pub enum Error<E> {
    #[error("others came, and this one was the oldest that was not ready")]
    Crowded,
    #[error(transparent)]
    Other(E),
}

/// A transport with the door before it.
#[derive(Debug)]
pub struct Guarded<T> {
    inner: T,
    door: Door,
}

impl<T> Guarded<T> {
    pub fn new(inner: T, door: Door) -> Self {
        Self { inner, door }
    }
}

impl<T> Transport for Guarded<T>
where
    T: Transport + Unpin,
    T::Output: Send + 'static,
    T::Error: Send + 'static,
    T::ListenerUpgrade: Send + 'static,
    T::Dial: Send + 'static,
{
    type Output = T::Output;
    type Error = Error<T::Error>;
    type ListenerUpgrade = BoxFuture<'static, Result<T::Output, Self::Error>>;
    type Dial = BoxFuture<'static, Result<T::Output, Self::Error>>;

    fn listen_on(&mut self, id: ListenerId, address: Multiaddr) -> Result<(), TransportError<Self::Error>> {
        self.inner.listen_on(id, address).map_err(|error| error.map(Error::Other))
    }

    fn remove_listener(&mut self, id: ListenerId) -> bool {
        self.inner.remove_listener(id)
    }

    fn dial(&mut self, address: Multiaddr, opts: DialOpts) -> Result<Self::Dial, TransportError<Self::Error>> {
        let dial = self.inner.dial(address, opts).map_err(|error| error.map(Error::Other))?;
        Ok(dial.map(|done| done.map_err(Error::Other)).boxed())
    }

    fn poll(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<TransportEvent<Self::ListenerUpgrade, Self::Error>> {
        for _ in 0..REFUSED_AT_ONCE {
            let Poll::Ready(event) = Pin::new(&mut self.inner).poll(cx) else { return Poll::Pending };
            let admitted = match &event {
                TransportEvent::Incoming { send_back_addr, .. } => match self.door.admit(known::at(send_back_addr)) {
                    Some(admitted) => Some(admitted),
                    // Dropped with all that was set up of it.
                    None => continue,
                },
                _ => None,
            };
            return Poll::Ready(event.map_upgrade(|upgrade| set_up(upgrade, admitted).boxed()).map_err(Error::Other));
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

async fn set_up<F, T, E>(upgrade: F, admitted: Option<(Pass, AbortRegistration)>) -> Result<T, Error<E>>
where
    F: Future<Output = Result<T, E>>,
{
    let Some((_pass, registration)) = admitted else { return upgrade.await.map_err(Error::Other) };
    match Abortable::new(upgrade, registration).await {
        Ok(done) => done.map_err(Error::Other),
        Err(_) => Err(Error::Crowded),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pool::Size;

    fn from(n: u8) -> Asker {
        Asker::at([10, 0, 0, n].into())
    }

    fn door(known: Known) -> Door {
        let places = Pool::new("connections being set up", Size { most: 10, share: 4, reserved: 2 });
        Door::new(places, Arc::new(known))
    }

    fn waiting(door: &Door, n: u8) -> Vec<u64> {
        door.lock().waiting.iter().filter(|(_, guest)| guest.from == from(n)).map(|(number, _)| *number).collect()
    }

    #[tokio::test]
    async fn the_oldest_of_the_same_place_gives_way() {
        let door = door(Known::default());
        let mut passes: Vec<_> = (0..4).map(|_| door.admit(from(1)).expect("room")).collect();
        let (_new, _registration) = door.admit(from(1)).expect("a newcomer is not turned away");
        assert_eq!(waiting(&door, 1), [1, 2, 3, 4]);
        let (pass, registration) = passes.remove(0);
        let ended = set_up(std::future::pending::<Result<(), ()>>(), Some((pass, registration))).await;
        assert!(matches!(ended, Err(Error::Crowded)), "{ended:?}");
        drop(passes);
        assert_eq!(waiting(&door, 1), [4], "who is gone has no place");
    }

    #[test]
    fn where_all_are_taken_who_has_most_gives_way_and_devices_have_their_own() {
        let known = Known::default();
        let device = format!("/ip4/10.0.0.9/tcp/1/p2p/{}", libp2p::PeerId::random());
        known.set(std::iter::once(device.as_str()), std::iter::empty());
        let door = door(known);
        let _held: Vec<_> = [1, 1, 1, 1, 2, 2, 2, 3].map(|n| door.admit(from(n)).expect("room")).into();
        let _third = door.admit(from(3)).expect("one of 1 goes");
        assert_eq!((waiting(&door, 1).len(), waiting(&door, 2).len(), waiting(&door, 3).len()), (3, 3, 2));
        let _devices: Vec<_> = [9, 9].map(|n| door.admit(from(n)).expect("reserved")).into();
        assert_eq!(door.lock().waiting.len(), 10, "nobody went for them");
        let _more = door.admit(from(9)).expect("then as all others");
        assert_eq!(waiting(&door, 9).len(), 3);
        assert_eq!(door.lock().waiting.len(), 10);
    }
}
