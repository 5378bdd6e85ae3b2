//! Joins [`Client`], [`Server`] and the connections' [`Handler`]s to the swarm. It owns the callers that wait for
//! blocks. It looks blocks up on the blocking pool, a bounded number at a time.

use super::client::{Asked, Client, ClientEvent, Key, SessionId};
use super::handler::{self, Handler, HandlerEvent, Lane};
use super::message::{MESSAGE_BYTES_MAX, Message, encode};
use super::server::{Done, Job, Server};
use crate::asker::Asker;
use crate::cid::Cid;
use crate::net::known::Known;
use crate::net::metrics::Metrics;
use crate::net::pools::Pools;
use crate::net::source::BlockSource;
use crate::pool::{Permit, Pool};
use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use futures::{FutureExt as _, StreamExt as _};
use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::swarm::{
    CloseConnection, ConnectionClosed, ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, NotifyHandler,
    THandler, THandlerInEvent, THandlerOutEvent, ToSwarm,
};
use libp2p::{Multiaddr, PeerId};
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::sync::{Semaphore, oneshot};
use tokio::time::{Interval, MissedTickBehavior};

/// Lookups in the block store at once: enough to keep a disk busy, few enough to leave the pool to others.
const LOOKUPS_MAX: usize = 8;
/// How often timeouts and callers that gave up are looked at.
const TICK: Duration = Duration::from_millis(250);

/// The answer to one want: the block, or how it stood when everybody had been asked.
pub type Answer = Result<Bytes, Asked>;

/// What the rest of the swarm hears.
#[derive(Debug)]
pub enum BitswapEvent {
    /// Find providers of this CID.
    Search(Cid),
    /// Blocks went over the peer's connection; `gave`: to us, and we wanted them.
    Used { peer: PeerId, gave: bool },
}

/// What an answer on its way may take of memory before it is known how large it is.
const ANSWER_BYTES: usize = MESSAGE_BYTES_MAX + (64 << 10);

pub struct Behaviour {
    client: Client,
    server: Server,
    source: Arc<dyn BlockSource>,
    known: Arc<Known>,
    memory: Pool,
    /// A peer's connections, oldest first; the first one is used.
    links: HashMap<PeerId, Link>,
    waiters: HashMap<Key, Vec<(SessionId, oneshot::Sender<Answer>)>>,
    lookups: FuturesUnordered<BoxFuture<'static, (Done, Permit)>>,
    permits: Arc<Semaphore>,
    out: VecDeque<ToSwarm<BitswapEvent, handler::Send>>,
    tick: Interval,
    metrics: Metrics,
}

struct Link {
    asker: Asker,
    connections: Vec<ConnectionId>,
    wants_on_wire: bool,
    unsupported: bool,
}

impl std::fmt::Debug for Behaviour {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Behaviour").field("client", &self.client).field("server", &self.server).finish_non_exhaustive()
    }
}

impl Behaviour {
    /// Must be called inside a tokio runtime.
    pub fn new(source: Arc<dyn BlockSource>, (known, pools): (Arc<Known>, &Pools), metrics: Metrics) -> Self {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            client: Client::default(),
            server: Server::new(pools.wants.clone()),
            source,
            known,
            memory: pools.memory.clone(),
            links: HashMap::new(),
            waiters: HashMap::new(),
            lookups: FuturesUnordered::new(),
            permits: Arc::new(Semaphore::new(LOOKUPS_MAX)),
            out: VecDeque::new(),
            tick,
            metrics,
        }
    }

    /// Asks for a block; `answer` dropped by the receiver takes the want back. False: too many wants.
    #[must_use]
    pub fn want(&mut self, session: SessionId, cid: Cid, answer: oneshot::Sender<Answer>) -> bool {
        if self.client.is_full() {
            return false;
        }
        self.waiters.entry(*cid.hash()).or_default().push((session, answer));
        self.client.want(session, cid, Instant::now());
        true
    }

    pub fn asked(&self, cid: &Cid) -> Asked {
        self.client.asked(cid.hash())
    }

    pub fn close(&mut self, session: SessionId) {
        self.client.close(session);
        self.waiters.retain(|_, list| {
            list.retain(|(s, _)| *s != session);
            !list.is_empty()
        });
    }

    pub fn searched(&mut self, cid: &Cid) {
        self.client.searched(cid, Instant::now());
    }

    /// These blocks may be given from now on.
    pub fn arrived(&mut self, cids: &[Cid]) {
        self.server.arrived(cids.iter().map(Cid::hash));
    }

    fn received(&mut self, peer: PeerId, message: Message) {
        let bytes: usize = message.blocks.iter().map(|(_, b)| b.len()).sum();
        self.metrics.blocks_received.inc_by(message.blocks.len() as u64);
        self.metrics.bytes_received.inc_by(bytes as u64);
        let asker = self.links.get(&peer).map_or(Asker::Device, |link| link.asker);
        let blocks = message.blocks.len();
        self.server.received((peer, asker), message.wants, message.full);
        let unwanted = self.client.received(peer, message.blocks, message.presences, Instant::now());
        self.metrics.blocks_unwanted.inc_by(unwanted as u64);
        if blocks > unwanted {
            self.out.push_back(ToSwarm::GenerateEvent(BitswapEvent::Used { peer, gave: true }));
        }
    }

    fn on_tick(&mut self) {
        let mut gone = Vec::new();
        self.waiters.retain(|key, list| {
            list.retain(|(session, answer)| {
                let closed = answer.is_closed();
                if closed {
                    gone.push((*session, *key));
                }
                !closed
            });
            !list.is_empty()
        });
        for (session, key) in gone {
            let still = self.waiters.get(&key).is_some_and(|list| list.iter().any(|(s, _)| *s == session));
            if !still {
                self.client.cancel(session, &key);
            }
        }
        self.client.tick(Instant::now());
        self.metrics.wants.set(self.client.wants() as i64);
        self.metrics.peer_wants.set(self.server.wants() as i64);
    }

    fn answer(&mut self, key: &Key, answer: &Answer) {
        for (_, waiter) in self.waiters.remove(key).unwrap_or_default() {
            // The caller may have gone in this moment.
            let _ = waiter.send(answer.clone());
        }
    }

    fn on_client_events(&mut self) {
        while let Some(event) = self.client.event() {
            match event {
                ClientEvent::Block(key, data) => self.answer(&key, &Ok(data)),
                ClientEvent::Exhausted(key, asked) => self.answer(&key, &Err(asked)),
                ClientEvent::Search(cid) => self.out.push_back(ToSwarm::GenerateEvent(BitswapEvent::Search(cid))),
            }
        }
    }

    /// Gives every peer the next wantlist message and the next job, where there is room.
    fn pump(&mut self) {
        for (peer, link) in &mut self.links {
            let Some(connection) = link.connections.first().copied().filter(|_| !link.unsupported) else { continue };
            if !link.wants_on_wire
                && let Some(message) = self.client.outgoing(peer)
            {
                link.wants_on_wire = true;
                self.out.push_back(send(*peer, connection, Lane::Wants, encode(&message).into(), None));
            }
            // Without room for the answer it is looked at again with the next tick.
            if self.server.is_due(peer)
                && let Ok(place) = self.memory.take(link.asker, ANSWER_BYTES)
                && let Some(job) = self.server.job(peer)
            {
                let work = look_up(job, self.source.clone(), self.permits.clone());
                self.lookups.push(work.map(|done| (done, place)).boxed());
            }
        }
    }

    fn looked_up(&mut self, (done, mut place): (Done, Permit)) {
        self.server.done(&done);
        let connection = self.links.get(&done.peer).and_then(|l| l.connections.first().copied());
        if let (Some(frame), Some(connection)) = (done.frame, connection) {
            self.metrics.blocks_sent.inc_by(done.blocks);
            self.metrics.bytes_sent.inc_by(done.bytes);
            self.metrics.dont_haves_sent.inc_by(done.dont_haves);
            place.shrink(frame.len());
            self.out.push_back(send(done.peer, connection, Lane::Blocks, frame, Some(place)));
            if done.blocks > 0 {
                self.out.push_back(ToSwarm::GenerateEvent(BitswapEvent::Used { peer: done.peer, gave: false }));
            }
        }
    }

    fn on_closed(&mut self, peer: PeerId, connection: ConnectionId) {
        let Some(link) = self.links.get_mut(&peer) else { return };
        let used = link.connections.first() == Some(&connection);
        link.connections.retain(|c| *c != connection);
        if link.connections.is_empty() {
            self.links.remove(&peer);
            self.server.disconnected(&peer);
            self.client.disconnected(&peer, Instant::now());
        } else if used {
            // What was under way is lost: begin anew on the next connection.
            link.wants_on_wire = false;
            self.server.rerouted(&peer);
            self.client.disconnected(&peer, Instant::now());
            self.client.connected(peer, Instant::now());
        }
    }
}

fn send(
    peer_id: PeerId,
    connection: ConnectionId,
    lane: Lane,
    frame: Bytes,
    place: Option<Permit>,
) -> ToSwarm<BitswapEvent, handler::Send> {
    let event = handler::Send { lane, frame, place };
    ToSwarm::NotifyHandler { peer_id, handler: NotifyHandler::One(connection), event }
}

async fn look_up(job: Job, source: Arc<dyn BlockSource>, permits: Arc<Semaphore>) -> Done {
    let (peer, cids) = (job.peer, job.cids());
    let Ok(permit) = permits.acquire_owned().await else { return Job::failed(peer, &cids) };
    let work = tokio::task::spawn_blocking(move || {
        let _permit = permit;
        job.run(&*source)
    });
    work.await.unwrap_or_else(|error| {
        tracing::error!(%peer, %error, "looking up blocks for a peer failed; it is told nothing");
        Job::failed(peer, &cids)
    })
}

impl NetworkBehaviour for Behaviour {
    type ConnectionHandler = Handler;
    type ToSwarm = BitswapEvent;

    fn handle_established_inbound_connection(
        &mut self,
        _: ConnectionId,
        peer: PeerId,
        _: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(Handler::new(self.memory.clone(), self.known.asker(&peer, remote)))
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        peer: PeerId,
        remote: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(Handler::new(self.memory.clone(), self.known.asker(&peer, remote)))
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        match event {
            FromSwarm::ConnectionEstablished(c) => {
                let asker = self.known.asker(&c.peer_id, c.endpoint.get_remote_address());
                let link = self.links.entry(c.peer_id).or_insert_with(|| Link {
                    asker,
                    connections: Vec::new(),
                    wants_on_wire: false,
                    unsupported: false,
                });
                link.connections.push(c.connection_id);
                if link.connections.len() == 1 {
                    self.client.connected(c.peer_id, Instant::now());
                }
            }
            FromSwarm::ConnectionClosed(ConnectionClosed { peer_id, connection_id, .. }) => {
                self.on_closed(peer_id, connection_id);
            }
            _ => {}
        }
    }

    fn on_connection_handler_event(&mut self, peer: PeerId, connection: ConnectionId, event: THandlerOutEvent<Self>) {
        let Some(link) = self.links.get_mut(&peer) else { return };
        let used = link.connections.first() == Some(&connection);
        match event {
            HandlerEvent::Received(message, _place) => self.received(peer, *message),
            HandlerEvent::Sent(Lane::Wants) if used => link.wants_on_wire = false,
            HandlerEvent::Sent(Lane::Blocks) if used => self.server.sent(&peer),
            HandlerEvent::Sent(_) => {}
            HandlerEvent::Unsupported => {
                link.unsupported = true;
                self.server.disconnected(&peer);
                self.client.disconnected(&peer, Instant::now());
            }
            HandlerEvent::Failed(reason) => {
                tracing::debug!(%peer, reason, "closing a connection on which Bitswap frames fail");
                let connection = CloseConnection::One(connection);
                self.out.push_back(ToSwarm::CloseConnection { peer_id: peer, connection });
            }
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<ToSwarm<BitswapEvent, THandlerInEvent<Self>>> {
        loop {
            while self.tick.poll_tick(cx).is_ready() {
                self.on_tick();
            }
            self.on_client_events();
            while let Poll::Ready(Some(done)) = self.lookups.poll_next_unpin(cx) {
                self.looked_up(done);
            }
            self.pump();
            if let Some(event) = self.out.pop_front() {
                return Poll::Ready(event);
            }
            // A lookup pushed just now has not been polled yet.
            match self.lookups.poll_next_unpin(cx) {
                Poll::Ready(Some(done)) => self.looked_up(done),
                _ => return Poll::Pending,
            }
        }
    }
}
