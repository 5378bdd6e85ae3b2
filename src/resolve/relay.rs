//! Our own pkarr relay: people publish their did:dht here, and whoever asks gets it. Speaking HTTP is `rpc`'s work.

use super::{
    packets::{Origin, Refused},
    resolver::Resolver,
};
use crate::{
    asker::Asker,
    budget::{For, Subject},
    did::{Did, dht::Packet},
    dwn::Fault,
};
/// Packets taken a minute from one key: a person changes a document rarely, a client may try again.
pub(super) const TAKEN_PER_KEY: u32 = 6;

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
    #[error("too many new keys today: your address, or all together, have published as many as a day lets in")]
    TooManyNew,
    #[error("{0}")]
    Full(String),
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl Resolver {
    /// The relay for others' packets, if this node is one.
    pub fn relay(&self) -> Option<Relay> {
        self.0.config.relay.then(|| Relay(self.clone()))
    }
}

impl Relay {
    /// Takes a packet that its key has signed and that is newer than what is here. Durable when this returns.
    pub async fn put(&self, id: &str, payload: &[u8], asker: Asker) -> Result<(), Error> {
        let inner = &self.0.0;
        // First the signature: nobody else uses up what a key may publish.
        let packet = Packet::parse(id, payload).map_err(Error::Bad)?;
        let key = Subject { name: id, most: TAKEN_PER_KEY, share: TAKEN_PER_KEY };
        if !inner.taken.take(For::Asker(asker), key) {
            return Err(Error::TooMany);
        }
        if !inner.packets.is_relayed(id) && !inner.new_keys.take_one(For::Asker(asker)) {
            return Err(Error::TooManyNew);
        }
        let taken = inner.packets.take(id, &packet, Origin::Relay).await;
        taken.map_err(|refused| match refused {
            Refused::Old { .. } => Error::Old(refused.to_string()),
            Refused::Full(_) => Error::Full(refused.to_string()),
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
