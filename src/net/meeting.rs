//! Who may be met through a relay.
//!
//! Strangers are not, neither when they dial nor when the network's tables tell of such an address: a relay hides where
//! somebody is, and what is relayed costs its owner.

use super::circuit::{is_circuit, met};
use super::known::Known;
use libp2p::Multiaddr;
use libp2p::core::transport::{DialOpts, ListenerId, Transport, TransportError, TransportEvent};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

/// The transport of circuits, for devices, friends' nodes and whom the owner asks for.
#[derive(Debug)]
pub struct Circuits<T> {
    inner: T,
    known: Arc<Known>,
}

impl<T> Circuits<T> {
    pub fn new(inner: T, known: Arc<Known>) -> Self {
        Self { inner, known }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum Error<E> {
    #[error("this node meets only paired devices and friends through a relay, and whom its owner asks for")]
    Stranger,
    #[error(transparent)]
    Other(E),
}

impl<T: Transport + Unpin> Transport for Circuits<T>
where
    T::Dial: Send + 'static,
    T::ListenerUpgrade: Send + 'static,
    T::Error: Send + 'static,
{
    type Output = T::Output;
    type Error = Error<T::Error>;
    type ListenerUpgrade = futures::future::MapErr<T::ListenerUpgrade, fn(T::Error) -> Self::Error>;
    type Dial = futures::future::MapErr<T::Dial, fn(T::Error) -> Self::Error>;

    fn listen_on(&mut self, id: ListenerId, address: Multiaddr) -> Result<(), TransportError<Self::Error>> {
        self.inner.listen_on(id, address).map_err(|error| error.map(Error::Other))
    }

    fn remove_listener(&mut self, id: ListenerId) -> bool {
        self.inner.remove_listener(id)
    }

    fn dial(&mut self, address: Multiaddr, opts: DialOpts) -> Result<Self::Dial, TransportError<Self::Error>> {
        if is_circuit(&address) && !met(&address).is_some_and(|peer| self.known.may_meet(&peer)) {
            return Err(TransportError::Other(Error::Stranger));
        }
        let dial = self.inner.dial(address, opts).map_err(|error| error.map(Error::Other))?;
        Ok(futures::TryFutureExt::map_err(dial, Error::Other as fn(T::Error) -> Self::Error))
    }

    fn poll(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<TransportEvent<Self::ListenerUpgrade, Self::Error>> {
        loop {
            let Poll::Ready(event) = Pin::new(&mut self.inner).poll(cx) else { return Poll::Pending };
            // Who says to be somebody else than he is, is turned away once he has to prove it.
            if let TransportEvent::Incoming { send_back_addr, .. } = &event
                && !met(send_back_addr).is_some_and(|peer| self.known.may_meet(&peer))
            {
                continue;
            }
            let upgrade = |upgrade| futures::TryFutureExt::map_err(upgrade, Error::Other as fn(T::Error) -> _);
            return Poll::Ready(event.map_upgrade(upgrade).map_err(Error::Other));
        }
    }
}
