//! The two distributed hash tables: WAN (`/ipfs/kad/1.0.0`, public addresses) and LAN
//! (`/ipfs/lan/kad/1.0.0`, private ones, which kubo speaks on a home network). Keys are multihashes.
//!
//! Only provider records are kept for others, a bounded number of them; values are refused: toft serves
//! no names for strangers.

use super::circuit::is_circuit;
use super::config::Network;
use super::known;
use crate::asker::Asker;
use crate::cid::Cid;
use crate::pool::{Full, Permit, Pool};
use crate::resolve::is_public as is_public_ip;
use libp2p::kad::store::{Error as StoreError, RecordStore};
use libp2p::kad::{self, K_VALUE, ProviderRecord, QueryId, Record, RecordKey, StoreInserts};
use libp2p::multiaddr::Protocol;
use libp2p::swarm::StreamProtocol;
use libp2p::{Multiaddr, PeerId};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

pub const WAN: StreamProtocol = StreamProtocol::new("/ipfs/kad/1.0.0");
pub const LAN: StreamProtocol = StreamProtocol::new("/ipfs/lan/kad/1.0.0");

/// The longest key, and what is kept of where a provider says it is: a record costs some 300 bytes, and never more than
/// three times that.
const KEY_BYTES_MAX: usize = 80;
const ADDRESSES_MAX: usize = 4;
const ADDRESS_BYTES_MAX: usize = 128;
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

pub fn wan(local: PeerId, network: Network, records: Pool) -> Behaviour {
    let mut behaviour = kad::Behaviour::with_config(local, Providers::new(local, records), config(WAN, network));
    // On the open network we answer queries only when an address of ours is known to be reachable.
    behaviour.set_mode((network == Network::Private).then_some(kad::Mode::Server));
    behaviour
}

pub fn lan(local: PeerId, network: Network, records: Pool) -> Behaviour {
    let mut behaviour = kad::Behaviour::with_config(local, Providers::new(local, records), config(LAN, network));
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
    // Whose a record is, is known where the connections are.
    config.set_record_filtering(StoreInserts::FilterBoth);
    if network == Network::Private {
        config.set_periodic_bootstrap_interval(None);
    }
    config
}

pub fn key(cid: &Cid) -> RecordKey {
    RecordKey::new(&cid.hash().to_bytes())
}

/// How many addresses of a peer the table knows.
pub fn addresses(table: &mut Behaviour, peer: &PeerId) -> usize {
    let Some(bucket) = table.kbucket(*peer) else { return 0 };
    let entry = bucket.iter().find(|entry| entry.node.key.preimage() == peer);
    entry.map_or(0, |entry| entry.node.value.len())
}

/// Which addresses of a peer belong into which table.
pub fn fits(table: Table, network: Network, address: &Multiaddr) -> bool {
    match (table, network) {
        // Who is behind a relay is for those to know who may meet him.
        _ if is_circuit(address) => false,
        (_, Network::Private) => true,
        (Table::Wan, Network::Public) => is_public(address),
        (Table::Lan, Network::Public) => !is_public(address),
    }
}

/// Can an address be reached from anywhere? A name may be.
pub fn is_public(address: &Multiaddr) -> bool {
    let is_name =
        |part| matches!(part, Protocol::Dns(_) | Protocol::Dns4(_) | Protocol::Dns6(_) | Protocol::Dnsaddr(_));
    address.iter().next().is_some_and(is_name) || has_public_ip(address)
}

/// Does it begin with an IP address of the public internet?
pub fn has_public_ip(address: &Multiaddr) -> bool {
    match address.iter().next() {
        Some(Protocol::Ip4(ip)) => is_public_ip(ip.into()),
        Some(Protocol::Ip6(ip)) => is_public_ip(ip.into()),
        _ => false,
    }
}

/// What a query was started for.
#[derive(Debug, Clone)]
pub enum Purpose {
    FindProviders(Cid),
    Provide(Cid),
    FindPeer(PeerId),
}

/// Queries of both tables; their numbers are counted separately.
pub type Queries = HashMap<(Table, QueryId), Purpose>;

/// Provider records, bounded: when a place has its share, or strangers fill all, the oldest of theirs go first.
#[derive(Debug)]
pub struct Providers {
    local: PeerId,
    own: HashMap<RecordKey, ProviderRecord>,
    foreign: HashMap<RecordKey, Vec<(u64, ProviderRecord)>>,
    places: Pool,
    /// All foreign records in the order they came, and each place's.
    age: BTreeMap<u64, Kept>,
    each: HashMap<Asker, BTreeSet<u64>>,
    next: u64,
}

#[derive(Debug)]
struct Kept {
    key: RecordKey,
    from: Asker,
    _place: Permit,
}

impl Providers {
    fn new(local: PeerId, places: Pool) -> Self {
        Self {
            local,
            own: HashMap::new(),
            foreign: HashMap::new(),
            places,
            age: BTreeMap::new(),
            each: HashMap::new(),
            next: 0,
        }
    }

    /// Keeps what somebody at this place announced.
    pub fn keep(&mut self, mut record: ProviderRecord, from: Asker) {
        if record.key.as_ref().len() > KEY_BYTES_MAX || record.provider == self.local {
            return;
        }
        record.addresses.retain(|address| address.as_ref().len() <= ADDRESS_BYTES_MAX);
        record.addresses.truncate(ADDRESSES_MAX);
        record.addresses.shrink_to_fit();
        let listed = self.foreign.get(&record.key).map(Vec::as_slice).unwrap_or_default();
        let before = listed.iter().find(|(_, r)| r.provider == record.provider);
        let too_many = listed.first().filter(|_| listed.len() >= K_VALUE.get());
        if let Some(number) = before.or(too_many).map(|(number, _)| *number) {
            self.forget(number);
        }
        let Some(place) = self.room(from) else { return };
        let number = self.next;
        self.next += 1;
        self.age.insert(number, Kept { key: record.key.clone(), from, _place: place });
        self.each.entry(from).or_default().insert(number);
        self.foreign.entry(record.key.clone()).or_default().push((number, record));
    }

    /// A place for one more. If all are taken by the other table's records, there is none.
    fn room(&mut self, from: Asker) -> Option<Permit> {
        loop {
            let oldest = match self.places.take(from, 1) {
                Ok(place) => return Some(place),
                Err(Full::Share(_)) => self.each.get(&from)?.first().copied()?,
                Err(Full::All(_)) => *self.age.first_key_value()?.0,
            };
            self.forget(oldest);
        }
    }

    fn forget(&mut self, number: u64) {
        let Some(kept) = self.age.remove(&number) else { return };
        if let Some(theirs) = self.each.get_mut(&kept.from) {
            theirs.remove(&number);
            if theirs.is_empty() {
                self.each.remove(&kept.from);
            }
        }
        if let Some(listed) = self.foreign.get_mut(&kept.key) {
            listed.retain(|(n, _)| *n != number);
            if listed.is_empty() {
                self.foreign.remove(&kept.key);
            }
        }
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
        self.keep(record, known::at(&Multiaddr::empty()));
        Ok(())
    }

    fn providers(&self, key: &RecordKey) -> Vec<ProviderRecord> {
        let foreign = self.foreign.get(key).into_iter().flatten().map(|(_, record)| record);
        self.own.get(key).into_iter().chain(foreign).cloned().collect()
    }

    fn provided(&self) -> Self::ProvidedIter<'_> {
        self.own.values().map(Cow::Borrowed)
    }

    fn remove_provider(&mut self, key: &RecordKey, provider: &PeerId) {
        if *provider == self.local {
            self.own.remove(key);
            return;
        }
        let listed = self.foreign.get(key).into_iter().flatten();
        let gone: Vec<u64> = listed.filter(|(_, r)| r.provider == *provider).map(|(number, _)| *number).collect();
        gone.into_iter().for_each(|number| self.forget(number));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::{Limits, pools::Pools};

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
            ("/ip6/2001:db8::1/tcp/1", false),
            ("/ip4/0.1.2.3/tcp/1", false),
            ("/ip4/192.0.2.1/tcp/1", false),
            ("/ip4/198.18.0.1/tcp/1", false),
            ("/ip4/240.0.0.1/tcp/1", false),
            ("/ip6/::ffff:10.0.0.1/tcp/1", false),
            ("/ip6/64:ff9b::a00:1/tcp/1", false),
            ("/ip6/2620:fe::fe/tcp/1", true),
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
        let limits = Limits { provider_records: 1000, provider_records_per_address: 250, ..Limits::default() };
        let pool = Pools::new(&limits).records;
        let mut providers = Providers::new(local, pool.clone());
        let key = |n: usize| RecordKey::new(&n.to_le_bytes());
        let record = |n| ProviderRecord::new(key(n), PeerId::random(), Vec::new());
        let from = |n: u8| Asker::at([10, 0, 0, n].into());
        providers.add_provider(ProviderRecord::new(key(usize::MAX), local, Vec::new())).expect("room");
        providers.keep(record(9999), from(9));
        (0..1000).for_each(|n| providers.keep(record(n), from(1)));
        assert_eq!(pool.used(), 251, "one place");
        assert!(providers.providers(&key(749)).is_empty() && !providers.providers(&key(750)).is_empty());
        assert_eq!(providers.providers(&key(9999)).len(), 1, "another's stays");
        (0..2000).for_each(|n| providers.keep(record(n), from(2 + (n % 8) as u8)));
        assert_eq!((pool.used(), providers.age.len()), (1000, 1000));
        (0..100).for_each(|_| providers.keep(record(7777), from(3)));
        assert_eq!(providers.providers(&key(7777)).len(), K_VALUE.get());
        assert_eq!(providers.providers(&key(usize::MAX)).len(), 1);
        let again = record(7778);
        (0..5).for_each(|_| providers.keep(again.clone(), from(4)));
        assert_eq!(providers.providers(&key(7778)).len(), 1);
        providers.remove_provider(&key(7778), &again.provider);
        assert!(providers.providers(&key(7778)).is_empty());
        let listed: usize = providers.foreign.values().map(Vec::len).sum();
        let each: usize = providers.each.values().map(BTreeSet::len).sum();
        assert_eq!((listed, each, pool.used()), (providers.age.len(), providers.age.len(), providers.age.len()));
    }

    #[test]
    fn of_what_a_record_says_only_so_much_is_kept() {
        let mut providers = Providers::new(PeerId::random(), Pools::new(&Limits::default()).records);
        let from = Asker::at([10, 0, 0, 1].into());
        providers.keep(ProviderRecord::new(RecordKey::new(&[7; 10_000]), PeerId::random(), Vec::new()), from);
        assert!(providers.age.is_empty());
        let long = format!("/dns4/{}/tcp/1", "x".repeat(ADDRESS_BYTES_MAX));
        let texts = std::iter::once(long).chain((1..100).map(|n| format!("/ip4/8.8.8.8/tcp/{n}")));
        let addresses: Vec<Multiaddr> = texts.map(|text| text.parse().expect("an address")).collect();
        let key = RecordKey::new(b"key");
        providers.keep(ProviderRecord::new(key.clone(), PeerId::random(), addresses.clone()), from);
        assert_eq!(providers.providers(&key)[0].addresses, addresses[1..=ADDRESSES_MAX]);
    }
}
