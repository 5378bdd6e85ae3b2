//! Our own pkarr relay: people publish their did:dht here, and whoever asks gets it. Speaking HTTP is `rpc`'s work.

use super::{
    Config, Resolver,
    packets::{Origin, Refused},
};
use crate::{
    asker::Asker,
    budget::{Budget, For, Rate, Subject},
    did::{Did, dht::Packet},
    dwn::Fault,
};
use std::time::Duration;

/// Packets taken a minute from one key: a person changes a document rarely, a client may try again.
pub(super) const TAKEN_PER_KEY: u32 = 6;
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// What packets are taken: each costs a signature check, an fsync and 1 KiB of log.
pub(super) fn taken(config: &Config) -> Budget {
    let reserved = config.relay_per_minute / 8;
    Budget::new(Rate { most: config.relay_per_minute, share: config.relay_per_address, reserved, over: super::MINUTE })
}

/// What new keys are taken: each has a place here from then on.
pub(super) fn new_keys(config: &Config) -> Budget {
    let (most, share) = (config.relay_new_keys, config.relay_new_keys_per_address);
    Budget::new(Rate { most, share, reserved: most / 8, over: DAY })
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
    #[error("too many new keys today: your address, or all together, have published as many as a day lets in")]
    TooManyNew,
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
