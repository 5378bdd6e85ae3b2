//! did:dht packets that are kept: those people publish here (the relay) and the newest that the gateway has shown
//! for others. What is kept of a key never goes back to an older sequence number, here or after a restart.
//!
//! Owns the state under `resolve/dht/`. Value: version (1) ‖ origin (1) ‖ unix seconds of arrival (8, big-endian) ‖
//! packet. A small table of what is there is held in memory.

use crate::{did::dht::Packet, dwn::Fault, store::Store};
use anyhow::{Context as _, bail};
use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

const PREFIX: &[u8] = b"resolve/dht/";
/// Version of the stored value.
const VERSION: u8 = 1;
/// Packets of others that are kept; the ones that came first go first.
const FETCHED_MAX: usize = 4096;

/// Where a packet came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Origin {
    /// Somebody published it here.
    Relay = 1,
    /// The gateway had it.
    Gateway = 2,
    /// It is of an identity of this node.
    Own = 3,
}

impl Origin {
    /// What becomes of a packet of this origin where there was one of `before`: what is this node's own stays so, and what was published
    /// here stays the relay's, even when the gateway has it too.
    fn after(self, before: Option<Self>) -> Self {
        match (before, self) {
            (Some(Self::Own), _) | (_, Self::Own) => Self::Own,
            (Some(Self::Relay), _) => Self::Relay,
            _ => self,
        }
    }
}

/// Why a packet is not taken.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    #[error("a packet with sequence number {kept} is here already, {given} does not come after it")]
    Old { kept: u64, given: u64 },
    #[error("this relay is full: it keeps {0} keys, and yours is not one of them")]
    Full(usize),
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// A kept packet.
#[derive(Debug, Clone)]
pub struct Kept {
    pub packet: Packet,
    pub origin: Origin,
    /// Unix seconds.
    pub arrived: u64,
}

#[derive(Debug)]
pub struct Packets {
    store: Store,
    /// Keys that may publish here, at 1 KiB each. A new one is refused beyond it; those that are here go on.
    relayed_max: usize,
    table: Mutex<HashMap<String, Row>>,
    /// One packet is taken at a time: compare and keep belong together.
    taking: tokio::sync::Mutex<()>,
}

#[derive(Debug, Clone, Copy)]
struct Row {
    origin: Origin,
    arrived: u64,
    seq: u64,
}

impl Packets {
    pub fn open(store: Store, relayed_max: usize) -> Result<Self, Fault> {
        let mut table = HashMap::new();
        for (key, value) in store.states(PREFIX)? {
            let id = String::from_utf8_lossy(key.get(PREFIX.len()..).unwrap_or_default()).into_owned();
            let Kept { packet, origin, arrived } = decode(&id, &value)?;
            table.insert(id, Row { origin, arrived, seq: packet.seq() });
        }
        Ok(Self { store, relayed_max, table: Mutex::new(table), taking: tokio::sync::Mutex::default() })
    }

    /// Has this key published here?
    pub fn is_relayed(&self, id: &str) -> bool {
        self.table().get(id).is_some_and(|row| row.origin != Origin::Gateway)
    }

    /// Is a packet of this key here?
    pub fn is_kept(&self, id: &str) -> bool {
        self.table().contains_key(id)
    }

    /// The newest packet of a key.
    pub fn get(&self, id: &str) -> Result<Option<Kept>, Fault> {
        // Most keys that are asked for are not here: that is known without the disk.
        if !self.is_kept(id) {
            return Ok(None);
        }
        self.store.state(&key(id))?.map(|value| decode(id, &value)).transpose()
    }

    /// Keeps a packet that is newer than what is kept of its key. The same packet again is no offence.
    pub async fn take(&self, id: &str, packet: &Packet, origin: Origin) -> Result<(), Refused> {
        let _alone = self.taking.lock().await;
        let before = self.table().get(id).copied();
        let given = packet.seq();
        let origin = origin.after(before.map(|row| row.origin));
        match before {
            Some(Row { seq: kept, .. }) if given < kept => return Err(Refused::Old { kept, given }),
            Some(Row { seq: kept, .. }) if given == kept => {
                let same = self.get(id)?.is_some_and(|kept| kept.packet.payload() == packet.payload());
                if !same {
                    return Err(Refused::Old { kept, given });
                }
                if before.is_some_and(|row| row.origin == origin) {
                    return Ok(());
                }
            }
            _ => {}
        }
        let arrived = now();
        let mut changes = vec![(key(id), Some(encode(packet, origin, arrived)))];
        let gone = self.make_room(id, origin)?;
        changes.extend(gone.iter().map(|id| (key(id), None)));
        self.store.put_state(changes).await?;
        let mut table = self.table();
        if let Some(gone) = gone {
            table.remove(&gone);
        }
        table.insert(id.to_owned(), Row { origin, arrived, seq: given });
        Ok(())
    }

    /// The packet that must go for a new one to fit, if one must.
    fn make_room(&self, id: &str, origin: Origin) -> Result<Option<String>, Refused> {
        let table = self.table();
        if table.get(id).is_some_and(|row| row.origin == origin) {
            return Ok(None);
        }
        let of_origin = || table.iter().filter(|(_, row)| row.origin == origin);
        Ok(match origin {
            Origin::Relay if of_origin().count() >= self.relayed_max => return Err(Refused::Full(self.relayed_max)),
            Origin::Gateway if of_origin().count() >= FETCHED_MAX => {
                of_origin().min_by_key(|(_, row)| row.arrived).map(|(id, _)| id.clone())
            }
            _ => None,
        })
    }

    fn table(&self) -> MutexGuard<'_, HashMap<String, Row>> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Seconds since 1970; a clock before that counts as 1970.
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |passed| passed.as_secs())
}

fn key(id: &str) -> Vec<u8> {
    [PREFIX, id.as_bytes()].concat()
}

pub(super) fn encode(packet: &Packet, origin: Origin, arrived: u64) -> Vec<u8> {
    [&[VERSION, origin as u8][..], &arrived.to_be_bytes(), &packet.payload()].concat()
}

pub(super) fn decode(id: &str, bytes: &[u8]) -> Result<Kept, Fault> {
    let Some((&[version, origin], rest)) = bytes.split_first_chunk() else { bail!("the packet of {id} is cut") };
    if version != VERSION {
        bail!("the packet of {id} is kept in format {version}; this toft knows format {VERSION}");
    }
    let origins = [Origin::Relay, Origin::Own];
    let origin = origins.into_iter().find(|one| *one as u8 == origin).unwrap_or(Origin::Gateway);
    let (arrived, payload) = rest.split_first_chunk().with_context(|| format!("the packet of {id} is cut"))?;
    let packet = Packet::parse(id, payload).map_err(|why| anyhow::anyhow!("the packet kept of {id}: {why}"))?;
    Ok(Kept { packet, origin, arrived: u64::from_be_bytes(*arrived) })
}
