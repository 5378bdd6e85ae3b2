//! The one task that owns the swarm: takes commands, follows events, and keeps what several of them share
//! (dials waited for, searches for providers, roots to announce).

use super::behaviour::{Behaviour, BehaviourEvent};
use super::bitswap::behaviour::BitswapEvent;
use super::book::Book;
use super::circuit::{Limits, is_circuit};
use super::command::{Command, Event, PeerInfo};
use super::config::{Config, Network};
use super::dialling::Dialling;
use super::error::Error;
use super::kad::{self, Purpose, Queries, Table};
use super::known::{self, Known, Standing};
use super::metrics::Metrics;
use super::near::Near;
use super::provide::Provider;
use super::relays::Relays;
use super::setup;
use crate::cid::Cid;
use crate::foreign::shown;
use futures::StreamExt as _;
use libp2p::core::ConnectedPoint;
use libp2p::core::transport::ListenerId;
use libp2p::kad::{GetProvidersOk, InboundRequest, K_VALUE, ProviderRecord, QueryResult};
use libp2p::swarm::dial_opts::{DialOpts, PeerCondition};
use libp2p::swarm::{ConnectionId, DialError, SwarmEvent};
use libp2p::{Multiaddr, PeerId, Swarm, identify};
use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{broadcast, mpsc, oneshot};
use tokio::time::MissedTickBehavior;

/// Providers connected to for one search. kubo stops at ten, too.
const PROVIDERS_PER_SEARCH: usize = 10;
/// Pings (one in 15 s) in a row without an answer, after which a connection is given up: its other end is gone without a
/// word, and TCP would not notice for a quarter of an hour.
const PINGS_UNANSWERED_MAX: u32 = 3;
/// A peer lost this recently is tried again before a block is given up: lines break in the middle of files.
const LOST_FOR: Duration = Duration::from_secs(60);
/// Lost peers remembered.
const LOST_MAX: usize = 16;
/// Addresses of one peer kept from its self-descriptions, and the longest that is.
const ADDRESSES_PER_PEER: usize = 16;
const ADDRESS_BYTES_MAX: usize = 256;
/// Protocols of one peer kept for display.
const PROTOCOLS_PER_PEER: usize = 64;
/// How often it is looked whether a root is due for announcing.
const PROVIDE_TICK: Duration = Duration::from_millis(500);

pub struct Loop {
    pub(super) swarm: Swarm<Behaviour>,
    commands: mpsc::Receiver<Command>,
    pub(super) events: broadcast::Sender<Event>,
    pub(super) network: Network,
    /// Others meet each other here, so this node is where it listens.
    serves: bool,
    pub(super) metrics: Metrics,
    pub(super) known: Arc<Known>,
    pub(super) told: Limits,
    /// Listeners that have not told an address yet.
    starting: HashSet<ListenerId>,
    ask_listeners: Vec<oneshot::Sender<Vec<String>>>,
    pub(super) dialling: Dialling,
    /// Dials under way, and to whom.
    pub(super) asked: HashMap<ConnectionId, PeerId>,
    pub(super) book: Book,
    pub(super) relays: Relays,
    pub(super) near: Near,
    /// Not only while devices are paired.
    mdns: bool,
    /// Of [`Known`], when it was last looked who is a device.
    pub(super) version: u64,
    pub(super) peers: HashMap<PeerId, Peer>,
    /// Peers we had dialed and lost, latest first.
    lost: VecDeque<(Instant, PeerId, Multiaddr)>,
    pub(super) queries: Queries,
    searches: HashMap<Cid, Searching>,
    provider: Provider,
}

#[derive(Default)]
pub(super) struct Peer {
    pub(super) addresses: HashMap<ConnectionId, Multiaddr>,
    /// Which of the connections go through a relay.
    pub(super) relayed: HashSet<ConnectionId>,
    /// Which of them were made from here. Where a peer that dialled us can be reached, we do not know.
    pub(super) outbound: HashSet<ConnectionId>,
    /// A connection to it was made from here.
    pub(super) dialled: bool,
    /// Whose it was when that was last looked at.
    pub(super) standing: Standing,
    /// Where a direct one was tried since.
    pub(super) tried: Vec<Multiaddr>,
    agent: Option<String>,
    pub(super) protocols: Vec<String>,
    round_trip: Option<Duration>,
    /// Pings in a row without an answer.
    unanswered: u32,
}

impl Peer {
    /// Are all connections relayed?
    pub(super) fn is_relayed(&self) -> bool {
        !self.addresses.is_empty() && self.relayed.len() == self.addresses.len()
    }

    /// Where it was reached.
    pub(super) fn reached_at(&self) -> impl Iterator<Item = &Multiaddr> {
        self.addresses.iter().filter(|(id, _)| self.outbound.contains(id)).map(|(_, address)| address)
    }
}

/// A search for providers: over when its queries have ended and nobody is being dialed for it.
#[derive(Default)]
struct Searching {
    queries: usize,
    found: BTreeSet<PeerId>,
    /// For a fetch the providers are connected to; for a question they are only named.
    connect: bool,
    tried: usize,
    dialing: HashSet<PeerId>,
    asked_by: Vec<oneshot::Sender<Vec<String>>>,
}

impl Loop {
    pub fn new(
        (mut swarm, known, told): (Swarm<Behaviour>, Arc<Known>, Limits),
        (commands, events): (mpsc::Receiver<Command>, broadcast::Sender<Event>),
        config: &Config,
        metrics: Metrics,
    ) -> Result<Self, Error> {
        let starting = config.listen.iter().map(|a| setup::listen(&mut swarm, a)).collect::<Result<_, _>>()?;
        for address in &config.external {
            swarm.add_external_address(setup::multiaddr(address)?);
        }
        if config.network == Network::Public {
            setup::join(&mut swarm, &config.bootstrap)?;
        }
        let relays = config.relays.iter().map(|relay| setup::relay(relay)).collect::<Result<Vec<_>, _>>()?;
        known.set_relays(relays.iter().map(|(peer, _)| *peer));
        let mut near = Near::start(*swarm.local_peer_id());
        near.set(config.mdns);
        Ok(Self {
            near,
            mdns: config.mdns,
            version: 0,
            swarm,
            commands,
            events,
            network: config.network,
            serves: config.relay_server,
            metrics,
            known,
            told,
            starting,
            ask_listeners: Vec::new(),
            dialling: Dialling::default(),
            asked: HashMap::new(),
            book: Book::default(),
            relays: Relays::new(relays, Instant::now()),
            peers: HashMap::new(),
            lost: VecDeque::new(),
            queries: Queries::new(),
            searches: HashMap::new(),
            provider: Provider::default(),
        })
    }

    pub async fn run(mut self) {
        let mut tick = tokio::time::interval(PROVIDE_TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let due = self.next_due();
            tokio::select! {
                command = self.commands.recv() => match command {
                    None | Some(Command::Shutdown) => return,
                    Some(command) => self.on_command(command),
                },
                event = self.swarm.select_next_some() => self.on_event(event),
                _ = tick.tick() => {
                    self.publish();
                    self.paired();
                }
                (peer, address, is_new) = self.near.found() => self.found_near(peer, address, is_new),
                () = tokio::time::sleep_until(due.unwrap_or_else(Instant::now).into()), if due.is_some() => self.on_due(),
            }
        }
    }

    /// Whoever asked may have gone: a reply that cannot be delivered is no error.
    fn on_command(&mut self, command: Command) {
        match command {
            Command::Listeners(reply) => {
                self.ask_listeners.push(reply);
                self.tell_listeners();
            }
            Command::Dial(addresses, reply) => self.dial(addresses, reply),
            Command::Addresses(peer, reply) => drop(reply.send(self.addresses(&peer))),
            Command::Discover => self.near.set(self.known.is_pairing() || self.mdns),
            Command::Open(peer, open) => self.swarm.behaviour_mut().streams.open(peer, open),
            Command::Connected(reply) => drop(reply.send(self.connected())),
            Command::Want { session, cid, reply } => {
                if !self.swarm.behaviour_mut().bitswap.want(session, cid, reply) {
                    tracing::debug!(%cid, "too many blocks are being fetched; one was refused");
                }
            }
            Command::Asked(cid, reply) => drop(reply.send(self.swarm.behaviour().bitswap.asked(&cid))),
            Command::Close(session) => self.swarm.behaviour_mut().bitswap.close(session),
            Command::Arrived(cids) => self.swarm.behaviour_mut().bitswap.arrived(&cids),
            Command::FindProviders(cid, reply) => self.search(cid).asked_by.push(reply),
            Command::Provide(root, reply) => {
                let full = self.provider.len() >= kad::PROVIDED_MAX;
                if !full {
                    self.provider.add(root, Instant::now());
                    self.publish();
                }
                drop(reply.send(if full { Err(Error::Provided) } else { Ok(()) }));
            }
            Command::StopProviding(root) => {
                self.provider.remove(&root);
                let key = kad::key(&root);
                let behaviour = self.swarm.behaviour_mut();
                behaviour.wan.stop_providing(&key);
                behaviour.lan.stop_providing(&key);
            }
            Command::Providing(reply) => drop(reply.send(self.provider.status(Instant::now()))),
            Command::Shutdown => {}
        }
    }

    /// An address is gone. What went from there is dead, and pings would say so after a minute at the soonest: all is opened anew.
    fn moved(&mut self) {
        let peers: Vec<_> = self.swarm.connected_peers().copied().collect();
        tracing::info!(connections = peers.len(), "this machine is on another network: connections are opened anew");
        for peer in peers {
            // It may be gone already.
            let _ = self.swarm.disconnect_peer_id(peer);
        }
        self.tell(Event::Moved);
    }

    fn on_event(&mut self, event: SwarmEvent<BehaviourEvent>) {
        match event {
            SwarmEvent::Behaviour(event) => self.on_behaviour(event),
            SwarmEvent::NewListenAddr { listener_id, address } => {
                tracing::info!(%address, "listening");
                // On a private network what we listen on is where we are reached; so it is for those who meet here.
                let is_reached = self.network == Network::Private || (self.serves && kad::is_public(&address));
                if is_reached && !is_circuit(&address) {
                    self.swarm.add_external_address(address);
                }
                self.near.listens(self.swarm.listeners());
                self.starting.remove(&listener_id);
                self.tell_listeners();
            }
            SwarmEvent::ExpiredListenAddr { address, .. } => {
                self.swarm.remove_external_address(&address);
                self.near.listens(self.swarm.listeners());
                if !is_circuit(&address) {
                    self.moved();
                }
            }
            SwarmEvent::ListenerClosed { listener_id, reason, .. } if self.left_relay(listener_id, &reason) => {}
            SwarmEvent::ListenerClosed { listener_id, addresses, reason } => {
                if let Err(error) = reason {
                    tracing::error!(?addresses, %error, "no longer listening");
                }
                self.starting.remove(&listener_id);
                self.tell_listeners();
            }
            SwarmEvent::ConnectionEstablished { peer_id, connection_id, endpoint, .. } => {
                self.came(peer_id, connection_id, &endpoint);
                self.dialed(&peer_id);
            }
            SwarmEvent::ConnectionClosed { peer_id, connection_id, num_established, endpoint, .. } => {
                self.went(peer_id, connection_id, &endpoint);
                if num_established == 0 {
                    self.peers.remove(&peer_id);
                    self.remember(peer_id, &endpoint);
                }
                self.metrics.peers.set(self.peers.len() as i64);
            }
            SwarmEvent::OutgoingConnectionError { connection_id, peer_id, error } => {
                self.dial_failed(connection_id, &error);
                if let Some(peer) = peer_id.filter(|p| !self.swarm.is_connected(p)) {
                    self.dialed(&peer);
                }
            }
            _ => {}
        }
    }

    fn on_behaviour(&mut self, event: BehaviourEvent) {
        match event {
            BehaviourEvent::Identify(identify::Event::Received { peer_id, connection_id, info }) => {
                self.identified(peer_id, connection_id, info);
            }
            BehaviourEvent::Ping(ping) => {
                if let Some(peer) = self.peers.get_mut(&ping.peer) {
                    match ping.result {
                        Ok(time) => (peer.round_trip, peer.unanswered) = (Some(time), 0),
                        Err(libp2p::ping::Failure::Unsupported) => {}
                        Err(_) => peer.unanswered += 1,
                    }
                    if peer.unanswered >= PINGS_UNANSWERED_MAX {
                        peer.unanswered = 0;
                        self.swarm.close_connection(ping.connection);
                    }
                }
            }
            BehaviourEvent::Wan(event) => self.on_kad(Table::Wan, event),
            BehaviourEvent::Lan(event) => self.on_kad(Table::Lan, event),
            BehaviourEvent::Bitswap(BitswapEvent::Search(cid)) => self.search_to_fetch(cid),
            BehaviourEvent::Bitswap(BitswapEvent::Used { peer, gave }) => {
                self.swarm.behaviour_mut().limits.used(&peer, gave);
            }
            event => self.on_reach(event),
        }
    }

    pub(super) fn table(&mut self, table: Table) -> &mut kad::Behaviour {
        let behaviour = self.swarm.behaviour_mut();
        match table {
            Table::Wan => &mut behaviour.wan,
            Table::Lan => &mut behaviour.lan,
        }
    }

    fn known_peers(&mut self, table: Table) -> usize {
        self.table(table).kbuckets().map(|bucket| bucket.num_entries()).sum()
    }

    fn identified(&mut self, id: PeerId, on: ConnectionId, info: identify::Info) {
        // Who is in a table is asked who else there is, and those are dialled: on a private network no stranger has that.
        let network = self.network;
        // Nor has a friend's node, which is dialled all the time.
        let is_named = network == Network::Public
            || match self.known.standing(&id) {
                Standing::Device => true,
                Standing::Friend => false,
                Standing::Stranger => self.peers.get(&id).is_some_and(|peer| peer.dialled),
            };
        let tables = [(Table::Wan, kad::WAN), (Table::Lan, kad::LAN)];
        for (table, protocol) in tables.into_iter().filter(|_| is_named) {
            if info.protocols.contains(&protocol) {
                let fits = |a: &&Multiaddr| a.as_ref().len() <= ADDRESS_BYTES_MAX && kad::fits(table, network, a);
                let room = ADDRESSES_PER_PEER.saturating_sub(kad::addresses(self.table(table), &id));
                for address in info.listen_addrs.iter().filter(fits).take(room) {
                    self.table(table).add_address(&id, address.clone());
                }
            }
        }
        self.told_of_itself(id, on, &info);
        if let Some(peer) = self.peers.get_mut(&id) {
            peer.agent = Some(shown(&info.agent_version).to_string());
            peer.protocols = info.protocols.iter().take(PROTOCOLS_PER_PEER).map(|p| shown(p).to_string()).collect();
        }
    }

    /// A peer says that somebody has something: itself, as kad has made sure.
    fn announced(&mut self, table: Table, record: ProviderRecord) {
        let from = self.peers.get(&record.provider).and_then(|peer| peer.addresses.values().next()).map(known::at);
        if let Some(from) = from {
            self.table(table).store_mut().keep(record, from);
        }
    }

    fn on_kad(&mut self, table: Table, event: libp2p::kad::Event) {
        match event {
            // Among so few, every new peer is one of those closest to any key.
            libp2p::kad::Event::RoutingUpdated { is_new_peer: true, .. }
                if self.known_peers(table) <= K_VALUE.get() =>
            {
                self.provider.new_peer(Instant::now());
            }
            libp2p::kad::Event::InboundRequest { request: InboundRequest::AddProvider { record: Some(record) } } => {
                self.announced(table, record);
            }
            libp2p::kad::Event::OutboundQueryProgressed { id, result, step, .. } => {
                let Some(purpose) = self.queries.get(&(table, id)).cloned() else { return };
                if step.last {
                    self.queries.remove(&(table, id));
                }
                match (purpose, result) {
                    (Purpose::FindProviders(cid), result) => {
                        if let QueryResult::GetProviders(Ok(GetProvidersOk::FoundProviders { providers, .. })) = result
                        {
                            providers.into_iter().for_each(|p| self.found(cid, p));
                        }
                        if step.last {
                            self.queried(cid);
                        }
                    }
                    (Purpose::Provide(cid), QueryResult::StartProviding(result)) => {
                        let published = result.is_ok() && self.known_peers(table) > 0;
                        self.provider.finished(&cid, published, Instant::now());
                        self.metrics.provided.set(self.provider.status(Instant::now()).published as i64);
                    }
                    (Purpose::FindPeer(peer), result) if step.last => self.looked_up(peer, result),
                    _ => {}
                }
            }
            _ => {}
        }
    }

    fn search(&mut self, cid: Cid) -> &mut Searching {
        if !self.searches.contains_key(&cid) {
            let key = kad::key(&cid);
            for table in [Table::Wan, Table::Lan] {
                let id = self.table(table).get_providers(key.clone());
                self.queries.insert((table, id), Purpose::FindProviders(cid));
            }
            self.searches.insert(cid, Searching { queries: 2, ..Searching::default() });
        }
        self.searches.entry(cid).or_default()
    }

    /// A block is wanted: who has it is connected to.
    fn search_to_fetch(&mut self, cid: Cid) {
        let search = self.search(cid);
        search.connect = true;
        for peer in std::mem::take(&mut search.found) {
            self.found(cid, peer);
        }
        self.lost.retain(|(at, peer, _)| at.elapsed() < LOST_FOR && !self.swarm.is_connected(peer));
        for (_, peer, address) in self.lost.clone() {
            let opts = DialOpts::peer_id(peer).addresses(vec![address]).build();
            if let (Ok(()), Some(search)) = (self.swarm.dial(opts), self.searches.get_mut(&cid)) {
                search.dialing.insert(peer);
            }
        }
    }

    fn remember(&mut self, peer: PeerId, endpoint: &ConnectedPoint) {
        // Where a peer that dialed us can be reached we do not know.
        if let ConnectedPoint::Dialer { address, .. } = endpoint {
            self.lost.truncate(LOST_MAX - 1);
            self.lost.push_front((Instant::now(), peer, address.clone()));
        }
    }

    /// A provider: its addresses are known only while the query runs, so it is dialed at once.
    fn found(&mut self, cid: Cid, peer: PeerId) {
        let Some(search) = self.searches.get_mut(&cid) else { return };
        let skip = peer == *self.swarm.local_peer_id() || self.swarm.is_connected(&peer);
        if !search.found.insert(peer) || !search.connect || skip || search.tried >= PROVIDERS_PER_SEARCH {
            return;
        }
        search.tried += 1;
        match self.swarm.dial(DialOpts::peer_id(peer).condition(PeerCondition::DisconnectedAndNotDialing).build()) {
            Ok(()) | Err(DialError::DialPeerConditionFalse(_)) => drop(search.dialing.insert(peer)),
            Err(error) => tracing::debug!(%peer, %cid, %error, "a provider cannot be dialed"),
        }
    }

    fn queried(&mut self, cid: Cid) {
        if let Some(search) = self.searches.get_mut(&cid) {
            search.queries = search.queries.saturating_sub(1);
        }
        self.end_searches();
    }

    fn dialed(&mut self, peer: &PeerId) {
        for search in self.searches.values_mut() {
            search.dialing.remove(peer);
        }
        self.end_searches();
    }

    fn end_searches(&mut self) {
        let bitswap = &mut self.swarm.behaviour_mut().bitswap;
        self.searches.retain(|cid, search| {
            let over = search.queries == 0 && search.dialing.is_empty();
            if over && search.connect {
                bitswap.searched(cid);
            }
            if over {
                let names: Vec<String> = search.found.iter().map(ToString::to_string).collect();
                search.asked_by.drain(..).for_each(|reply| drop(reply.send(names.clone())));
            }
            !over
        });
    }

    fn publish(&mut self) {
        let now = Instant::now();
        while let Some(cid) = self.provider.next(now) {
            let mut started = 0;
            for table in [Table::Wan, Table::Lan] {
                match self.table(table).start_providing(kad::key(&cid)) {
                    Ok(id) => {
                        self.queries.insert((table, id), Purpose::Provide(cid));
                        started += 1;
                    }
                    Err(error) => tracing::warn!(%cid, %error, "a root cannot be announced"),
                }
            }
            self.provider.started(&cid, started, now);
        }
    }

    fn connected(&self) -> Vec<PeerInfo> {
        let info = |(id, peer): (&PeerId, &Peer)| PeerInfo {
            id: id.to_string(),
            addresses: peer.addresses.values().map(ToString::to_string).collect(),
            agent: peer.agent.clone(),
            protocols: peer.protocols.clone(),
            round_trip: peer.round_trip,
        };
        self.peers.iter().map(info).collect()
    }

    fn tell_listeners(&mut self) {
        if !self.starting.is_empty() {
            return;
        }
        let id = *self.swarm.local_peer_id();
        let all: Vec<String> =
            self.swarm.listeners().filter_map(|a| Some(a.clone().with_p2p(id).ok()?.to_string())).collect();
        for reply in self.ask_listeners.drain(..) {
            drop(reply.send(all.clone()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_a_peer_dialled_from_is_not_where_it_is_reached() {
        let address = |port: usize| format!("/ip4/10.0.0.1/tcp/{port}").parse::<Multiaddr>().expect("an address");
        let addresses = (1..=3).map(|n| (ConnectionId::new_unchecked(n), address(n))).collect();
        let mut peer = Peer { addresses, ..Peer::default() };
        assert_eq!(peer.reached_at().count(), 0);
        peer.outbound.insert(ConnectionId::new_unchecked(2));
        assert_eq!(peer.reached_at().collect::<Vec<_>>(), [&address(2)]);
    }
}
