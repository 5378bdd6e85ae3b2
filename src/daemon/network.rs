//! The network, and how blocks and sync reach it: neither knows libp2p.

use super::{base::Base, events::Events, seen};
use crate::{
    blocks::{Blocks, Right, is_damage},
    cid::Cid,
    crypto::{Locked, Secret},
    devices,
    job::Job,
    net::{self, Event, Net},
    store::Store,
    sync::{self, Peers},
    task::Tasks,
};
use anyhow::{Error, anyhow, bail};
use futures::{
    FutureExt as _, StreamExt as _,
    future::{self, BoxFuture},
    stream::{self, BoxStream},
};
use std::{sync::Arc, time::Duration};
use tokio::sync::{broadcast::error::RecvError, mpsc};

/// Incoming sync streams between libp2p and their handshake.
const LINKS_WAITING: usize = 8;
/// How long a device is listened for on the local network that is not where its code says.
const HEARD_OF: Duration = Duration::from_secs(10);

/// libp2p, which begins with its key.
pub(super) struct Unbegun {
    config: net::Config,
    net: Net,
    source: Arc<Public>,
    counted: net::Metrics,
}

impl Unbegun {
    pub fn begin(self, key: Secret) -> Result<(), Error> {
        Ok(self.net.begin(&self.config, key, self.source, self.counted)?)
    }
}

/// libp2p, which will serve the published of `blocks`. The node stops when it ends by itself.
pub(super) fn prepare(base: &Base<'_>, blocks: &Blocks) -> (Net, Unbegun) {
    let counted = net::Metrics::default();
    base.metrics.register(|registry| counted.register(registry));
    let config = base.places.net(&base.config.net);
    let net = Net::locked(&config);
    base.metrics.register(|registry| net.register(registry));
    let (watched, stop) = (net.clone(), base.tasks.stop());
    base.tasks.spawn("net", async move {
        tokio::select! {
            () = watched.ended() => bail!("the swarm's task has ended by itself"),
            () = stop.cancelled() => Ok(()),
        }
    });
    let source = Arc::new(Public(blocks.clone()));
    (net.clone(), Unbegun { config, net, source, counted })
}

/// What strangers may have of the blocks: those of published records.
pub(super) struct Public(pub Blocks);

impl net::BlockSource for Public {
    fn offer(&self, cid: &Cid) -> Option<net::Offer> {
        let block = self.0.locate(Right::ANYONE, cid).unwrap_or_else(|fault| lacking(cid, &fault))?;
        let (size, cid) = (block.size().try_into().ok()?, *cid);
        Some(net::Offer::new(size, move || block.read().map_or_else(|fault| lacking(&cid, &fault), Some)))
    }
}

fn lacking<T>(cid: &Cid, fault: &Error) -> Option<T> {
    // Of what is damaged the log speaks once, not whenever somebody asks for it.
    if !is_damage(fault) {
        tracing::error!("block {cid}: {fault:#}");
    }
    None
}

/// Streams that peers open for sync, handed on without libp2p's names.
pub(super) fn incoming(net: &Net, tasks: &Tasks) -> Result<mpsc::Receiver<sync::Link>, Error> {
    let (send, receive) = mpsc::channel(LINKS_WAITING);
    let mut streams = net.accept_from_friends(sync::PROTOCOL)?;
    let (net, stop) = (net.clone(), tasks.stop());
    tasks.spawn("sync-incoming", async move {
        loop {
            let next = tokio::select! {
                next = streams.recv() => next,
                () = stop.cancelled() => return Ok(()),
            };
            let Some(next) = next else { return Ok(()) };
            // Nobody comes to a network that has not begun.
            let local_peer = net.peer_id().unwrap_or_default();
            let link = sync::Link { stream: Box::new(next.stream), local_peer, remote_peer: next.peer };
            if send.send(link).await.is_err() {
                return Ok(());
            }
        }
    });
    Ok(receive)
}

/// Moves sync with a device to the direct connection when a relayed one has become that, until the node stops.
pub(super) async fn keep_direct(net: Net, peers: Peers, job: Job) -> Result<(), Error> {
    let mut events = Events::of(&net, job);
    while let Some(event) = events.next().await {
        match event {
            Event::Direct { peer } => peers.reopen(&peer),
            Event::Moved => peers.begin_anew(),
            _ => {}
        }
    }
    Ok(())
}

/// Lets sync open streams without knowing libp2p.
pub(super) struct Dialler {
    pub net: Net,
    pub store: Store,
    pub did: String,
}

impl sync::Dial for Dialler {
    fn dial(&self, address: String) -> BoxFuture<'static, Result<sync::Link, Error>> {
        let (net, store, did) = (self.net.clone(), self.store.clone(), self.did.clone());
        async move {
            let peer = address.rsplit_once("/p2p/").map(|(_, peer)| peer.to_owned());
            let seen = match peer {
                Some(peer) => tokio::task::spawn_blocking(move || seen::of(&store, &peer)).await?,
                None => Vec::new(),
            };
            let addresses: Vec<String> = std::iter::once(address.clone()).chain(seen).collect();
            let remote_peer = net.reach(&addresses).await?;
            let opened = net.open_stream(&remote_peer, sync::PROTOCOL).await;
            // A device that does not know this one does not let it see that it speaks of such things at all.
            let stream = opened.map_err(|error| match error {
                net::Error::Unsupported { .. } => anyhow!(
                    "the device at {address} does not have this node as a peer yet (there: toft peer add {did} <multiaddr>), or runs another version of toft"
                ),
                other => other.into(),
            })?;
            let local_peer = net.peer_id().unwrap_or_default(); // it has begun: it has opened a stream
            Ok(sync::Link { stream: Box::new(stream), local_peer, remote_peer })
        }
        .boxed()
    }

    fn opened(&self) -> BoxFuture<'static, ()> {
        let net = self.net.clone();
        if net.peer_id().is_some() { future::pending().boxed() } else { async move { net.begun().await }.boxed() }
    }

    fn paired(&self, devices: Vec<String>, friends: Vec<String>) {
        self.net.know(&devices, &friends);
    }
}

/// Lets devices that do not know each other yet come together, without knowing libp2p.
pub(super) struct Meeting(pub Net);

impl Meeting {
    /// At one of these addresses, or where it is heard of on the local network.
    async fn reach(net: &Net, addresses: Vec<String>) -> Result<(String, String), Error> {
        let id = addresses.first().and_then(|address| address.rsplit_once("/p2p/")).map(|(_, id)| id.to_owned());
        let mut heard = net.events();
        let failed = match net.reach(&addresses).await {
            Ok(peer) => {
                let address = reached(net, &peer, addresses).await;
                return Ok((peer, address));
            }
            Err(error) => error,
        };
        let near = async {
            loop {
                match heard.recv().await {
                    Ok(Event::Near { peer, address }) if Some(&peer) == id.as_ref() => {
                        if let Ok(peer) = net.reach(std::slice::from_ref(&address)).await {
                            return Some((peer, address));
                        }
                    }
                    Ok(_) | Err(RecvError::Lagged(_)) => {}
                    Err(_) => return None,
                }
            }
        };
        match tokio::time::timeout(HEARD_OF, near).await {
            Ok(Some(reached)) => Ok(reached),
            _ => Err(failed.into()),
        }
    }
}

/// Which of the addresses that were tried a peer is connected at; the first, if it was connected already, from wherever it came.
async fn reached(net: &Net, peer: &str, tried: Vec<String>) -> String {
    let connected = net.connected().await.unwrap_or_default();
    let at: Vec<_> = connected.into_iter().filter(|info| info.id == peer).flat_map(|info| info.addresses).collect();
    let end = format!("/p2p/{peer}");
    let is_it =
        |address: &&String| at.iter().any(|at| at == *address || Some(at.as_str()) == address.strip_suffix(&end));
    tried.iter().find(is_it).or(tried.first()).cloned().unwrap_or(end)
}

impl devices::Line for Meeting {
    fn dial(&self, addresses: Vec<String>) -> BoxFuture<'static, Result<(sync::Link, String), Error>> {
        let net = self.0.clone();
        async move {
            let _looking = net.discover().await?;
            let (remote_peer, reached) = Self::reach(&net, addresses).await?;
            let opened = net.open_stream(&remote_peer, devices::PROTOCOL).await;
            let stream = opened.map_err(|error| match error {
                net::Error::Unsupported { .. } => {
                    anyhow!("there is no offer there, or not any more: toft pair, there, makes one")
                }
                other => other.into(),
            })?;
            let local_peer = net.peer_id().unwrap_or_default(); // it has begun: it has opened a stream
            Ok((sync::Link { stream: Box::new(stream), local_peer, remote_peer }, reached))
        }
        .boxed()
    }

    fn listen(&self) -> BoxFuture<'static, Result<BoxStream<'static, sync::Link>, Error>> {
        let net = self.0.clone();
        async move {
            let local = net.peer_id().ok_or_else(|| Error::new(Locked))?;
            let mut streams = net.accept_from_anybody(devices::PROTOCOL)?;
            let looking = net.discover().await?;
            let links = stream::poll_fn(move |cx| {
                let _ = &looking; // as long as this is listened to
                streams.poll_recv(cx)
            });
            let link = move |next: net::Incoming| sync::Link {
                stream: Box::new(next.stream),
                local_peer: local.clone(),
                remote_peer: next.peer,
            };
            Ok(links.map(link).boxed())
        }
        .boxed()
    }

    fn addresses(&self) -> BoxFuture<'static, Result<Vec<String>, Error>> {
        let net = self.0.clone();
        async move {
            if net.peer_id().is_none() {
                return Err(Error::new(Locked));
            }
            Ok(net.listen_addrs().await?)
        }
        .boxed()
    }
}
