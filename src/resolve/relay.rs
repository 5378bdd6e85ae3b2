//! Our own pkarr relay: people publish their did:dht here, and whoever asks gets it. Speaking HTTP is `rpc`'s work.

use super::{
    Resolver,
    packets::{Origin, Refused},
};
use crate::{
    asker::Asker,
    did::{Did, dht::Packet},
    dwn::Fault,
};

/// Packets taken a minute: each costs a signature check, an fsync and 1 KiB of log.
const TAKEN_PER_MINUTE: u32 = 240;
/// Packets taken a minute from one key: a person changes a document rarely, a client may try again.
pub(super) const TAKEN_PER_KEY: u32 = 6;

pub(super) fn budget() -> super::budget::Budget {
    super::budget::Budget::new(TAKEN_PER_MINUTE)
}

/// A place to publish did:dht packets. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Relay(pub(super) Resolver);

/// Why a packet was not taken.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{0}")]
    Bad(String),
    /// An older packet, or another one with the same sequence number.
    #[error("{0}")]
    Old(String),
    #[error("too many packets this minute: try again later")]
    TooMany,
    #[error("{0}")]
    Full(String),
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl Relay {
    /// Takes a packet that its key has signed and that is newer than what is here. Durable when this returns.
    pub async fn put(&self, id: &str, payload: &[u8], asker: Asker) -> Result<(), Error> {
        let inner = &self.0.0;
        // First the signature: nobody else uses up what a key may publish.
        let packet = Packet::parse(id, payload).map_err(Error::Bad)?;
        if !inner.taken.take_for(asker, (id, TAKEN_PER_KEY)) {
            return Err(Error::TooMany);
        }
        let taken = inner.packets.take(id, &packet, Origin::Relay).await;
        taken.map_err(|refused| match refused {
            Refused::Old { .. } => Error::Old(refused.to_string()),
            Refused::Full => Error::Full(refused.to_string()),
            Refused::Fault(fault) => Error::Fault(fault.context(format!("keeping the packet of {id}"))),
        })?;
        if let Ok(did) = format!("did:dht:{id}").parse::<Did>() {
            inner.cache.forget(&did);
        }
        Ok(())
    }

    /// The newest packet of a key that is known here.
    pub fn get(&self, id: &str) -> Result<Option<Vec<u8>>, Fault> {
        Ok(self.0.0.packets.get(id)?.map(|kept| kept.packet.payload()))
    }
}
