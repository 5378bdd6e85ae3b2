//! The two distributed hash tables: WAN (`/ipfs/kad/1.0.0`, public addresses) and LAN
//! (`/ipfs/lan/kad/1.0.0`, private ones, which kubo speaks on a home network). Keys are multihashes.
//!
//! Only provider records are kept for others, a bounded number of them; values are refused: toft serves
//! no names for strangers.

use super::Network;
use crate::cid::Cid;
use libp2p::kad::store::{Error as StoreError, RecordStore};
use libp2p::kad::{self, K_VALUE, ProviderRecord, QueryId, Record, RecordKey};
use libp2p::multiaddr::Protocol;
use libp2p::swarm::StreamProtocol;
use libp2p::{Multiaddr, PeerId};
use std::borrow::Cow;
use std::collections::{HashMap, VecDeque};
use std::time::Duration;

pub const WAN: StreamProtocol = StreamProtocol::new("/ipfs/kad/1.0.0");
pub const LAN: StreamProtocol = StreamProtocol::new("/ipfs/lan/kad/1.0.0");

/// Keys for which we keep other peers' provider records. About 300 bytes each: some 15 MB.
const KEYS_MAX: usize = 50_000;
/// Roots this node announces itself.
pub const PROVIDED_MAX: usize = 200_000;
/// A whole query over many peers; libp2p's own default.
const QUERY_TIMEOUT: Duration = Duration::from_secs(60);
/// How long a provider record counts: what kubo keeps.
const PROVIDER_TTL: Duration = Duration::from_secs(48 * 60 * 60);

pub type Behaviour = kad::Behaviour<Providers>;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Table {
    Wan,
    Lan,
}

pub fn wan(local: PeerId, network: Network) -> Behaviour {
    let mut behaviour = kad::Behaviour::with_config(local, Providers::new(local), config(WAN, network));
    // On the open network we answer queries only when an address of ours is known to be reachable.
    behaviour.set_mode((network == Network::Private).then_some(kad::Mode::Server));
    behaviour
}

pub fn lan(local: PeerId, network: Network) -> Behaviour {
    let mut behaviour = kad::Behaviour::with_config(local, Providers::new(local), config(LAN, network));
    behaviour.set_mode(Some(kad::Mode::Server));
    behaviour
}

fn config(protocol: StreamProtocol, network: Network) -> kad::Config {
    let mut config = kad::Config::new(protocol);
    config.set_query_timeout(QUERY_TIMEOUT);
    config.set_provider_record_ttl(Some(PROVIDER_TTL));
    // `provide` republishes, at a pace it controls.
    config.set_provider_publication_interval(None);
    config.set_publication_interval(None);
    config.set_replication_interval(None);
    if network == Network::Private {
        config.set_periodic_bootstrap_interval(None);
    }
    config
}

pub fn key(cid: &Cid) -> RecordKey {
    RecordKey::new(&cid.hash().to_bytes())
}

/// Which addresses of a peer belong into which table.
pub fn fits(table: Table, network: Network, address: &Multiaddr) -> bool {
    match (table, network) {
        (_, Network::Private) => true,
        (Table::Wan, Network::Public) => is_public(address),
        (Table::Lan, Network::Public) => !is_public(address),
    }
}

/// Can an address be reached from anywhere?
pub fn is_public(address: &Multiaddr) -> bool {
    match address.iter().next() {
        Some(Protocol::Ip4(ip)) => {
            !(ip.is_private() || ip.is_loopback() || ip.is_link_local() || ip.is_unspecified() || ip.is_multicast())
                // Shared address space of carriers, 100.64.0.0/10.
                && !(ip.octets()[0] == 100 && ip.octets()[1] & 0xc0 == 64)
        }
        Some(Protocol::Ip6(ip)) => {
            let local = ip.is_unique_local() || ip.is_unicast_link_local();
            !(local || ip.is_loopback() || ip.is_unspecified() || ip.is_multicast())
        }
        Some(Protocol::Dns(_) | Protocol::Dns4(_) | Protocol::Dns6(_) | Protocol::Dnsaddr(_)) => true,
        _ => false,
    }
}

/// What a query was started for.
#[derive(Debug, Clone)]
pub enum Purpose {
    FindProviders(Cid),
    Provide(Cid),
}

/// Queries of both tables; their numbers are counted separately.
pub type Queries = HashMap<(Table, QueryId), Purpose>;

/// Provider records, bounded: when strangers fill it the oldest of theirs go first.
#[derive(Debug)]
pub struct Providers {
    local: PeerId,
    foreign: HashMap<RecordKey, Vec<ProviderRecord>>,
    age: VecDeque<RecordKey>,
    own: HashMap<RecordKey, ProviderRecord>,
}

impl Providers {
    fn new(local: PeerId) -> Self {
        Self { local, foreign: HashMap::new(), age: VecDeque::new(), own: HashMap::new() }
    }
}

impl RecordStore for Providers {
    type RecordsIter<'a> = std::iter::Empty<Cow<'a, Record>>;
    type ProvidedIter<'a> = std::iter::Map<
        std::collections::hash_map::Values<'a, RecordKey, ProviderRecord>,
        fn(&'a ProviderRecord) -> Cow<'a, ProviderRecord>,
    >;

    fn get(&self, _: &RecordKey) -> Option<Cow<'_, Record>> {
        None
    }

    fn put(&mut self, _: Record) -> Result<(), StoreError> {
        Err(StoreError::MaxRecords)
    }

    fn remove(&mut self, _: &RecordKey) {}

    fn records(&self) -> Self::RecordsIter<'_> {
        std::iter::empty()
    }

    fn add_provider(&mut self, record: ProviderRecord) -> Result<(), StoreError> {
        if record.provider == self.local {
            if self.own.len() >= PROVIDED_MAX && !self.own.contains_key(&record.key) {
                return Err(StoreError::MaxProvidedKeys);
            }
            self.own.insert(record.key.clone(), record);
            return Ok(());
        }
        if !self.foreign.contains_key(&record.key) {
            if self.foreign.len() >= KEYS_MAX
                && let Some(oldest) = self.age.pop_front()
            {
                self.foreign.remove(&oldest);
            }
            self.age.push_back(record.key.clone());
        }
        let list = self.foreign.entry(record.key.clone()).or_default();
        list.retain(|r| r.provider != record.provider);
        if list.len() >= K_VALUE.get() {
            list.remove(0);
        }
        list.push(record);
        Ok(())
    }

    fn providers(&self, key: &RecordKey) -> Vec<ProviderRecord> {
        self.own.get(key).into_iter().chain(self.foreign.get(key).into_iter().flatten()).cloned().collect()
    }

    fn provided(&self) -> Self::ProvidedIter<'_> {
        self.own.values().map(Cow::Borrowed)
    }

    fn remove_provider(&mut self, key: &RecordKey, provider: &PeerId) {
        if *provider == self.local {
            self.own.remove(key);
        } else if let Some(list) = self.foreign.get_mut(key) {
            // The emptied list stays until its turn comes, so that `age` and the map keep the same keys.
            list.retain(|r| r.provider != *provider);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_open_network_hears_of_public_addresses_only() {
        let cases = [
            ("/ip4/127.0.0.1/tcp/1", false),
            ("/ip4/192.168.1.2/tcp/1", false),
            ("/ip4/100.64.3.4/tcp/1", false),
            ("/ip4/100.128.3.4/tcp/1", true),
            ("/ip4/8.8.8.8/udp/1/quic-v1", true),
            ("/ip6/::1/tcp/1", false),
            ("/ip6/fd00::1/tcp/1", false),
            ("/ip6/fe80::1/tcp/1", false),
            ("/ip6/2001:db8::1/tcp/1", true),
            ("/dns4/example.org/tcp/1", true),
        ];
        for (text, public) in cases {
            let address: Multiaddr = text.parse().expect("a multiaddr");
            assert_eq!(fits(Table::Wan, Network::Public, &address), public, "{text}");
            assert_eq!(fits(Table::Lan, Network::Public, &address), !public, "{text}");
            assert!(fits(Table::Wan, Network::Private, &address), "{text}");
        }
    }

    #[test]
    fn strangers_cannot_fill_the_memory_nor_push_out_our_own_records() {
        let local = PeerId::random();
        let mut providers = Providers::new(local);
        let key = |n: usize| RecordKey::new(&n.to_le_bytes());
        providers.add_provider(ProviderRecord::new(key(usize::MAX), local, Vec::new())).expect("room");
        for n in 0..KEYS_MAX + 10 {
            providers.add_provider(ProviderRecord::new(key(n), PeerId::random(), Vec::new())).expect("room");
        }
        for _ in 0..100 {
            providers.add_provider(ProviderRecord::new(key(KEYS_MAX), PeerId::random(), Vec::new())).expect("room");
        }
        assert_eq!(providers.foreign.len(), KEYS_MAX);
        assert_eq!(providers.age.len(), KEYS_MAX);
        assert!(providers.providers(&key(0)).is_empty());
        assert_eq!(providers.providers(&key(KEYS_MAX)).len(), K_VALUE.get());
        assert_eq!(providers.providers(&key(usize::MAX)).len(), 1);
    }
}
