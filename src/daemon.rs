//! Starts and stops everything, in one visible place: store first and last, servers last and first.

mod places;

use crate::{
    anchor::Anchor,
    backup::Source,
    blocks::{Blocks, Right, is_damage},
    config::{self, Config},
    content::Content,
    crypto::Signer,
    did,
    job::Jobs,
    memory,
    metrics::Metrics,
    net::{self, Net},
    node::Node,
    resolve::Resolver,
    rpc::{self, Guard, Listening, Registration, control::Services},
    scarce::Files,
    store::Store,
    sync::{self, Peers},
    task::Tasks,
    vault::{self, Secrets},
};
use anyhow::{Context as _, Error, anyhow, bail};
use futures::{FutureExt as _, future::BoxFuture};
use places::Places;
use std::{
    fs::{File, TryLockError},
    io::{Read as _, Seek as _, Write as _},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{net::TcpListener, sync::mpsc};

/// What everything together gets to stop, before the store is closed over it.
const STOP_DEADLINE: Duration = Duration::from_secs(10);

/// Incoming sync streams between libp2p and their handshake.
const LINKS_WAITING: usize = 8;

/// A running node.
pub struct Daemon {
    services: Services,
    tasks: Tasks,
    store: Store,
    net: Net,
    facts: Facts,
    _lock: Lock,
}

impl std::fmt::Debug for Daemon {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Daemon({:?})", self.facts)
    }
}

/// What `toft up` tells.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Facts {
    pub did: String,
    pub opened_in: Duration,
    pub store: crate::store::Stats,
    pub log_bytes: u64,
    /// What is wrong with the store, in sentences; empty when all is well.
    pub degraded: Vec<String>,
    pub dwn: String,
    pub gateway: Option<String>,
    pub socket: PathBuf,
    pub peer: String,
    pub addresses: Vec<String>,
    pub anchoring: String,
}

/// The identity behind some secrets.
#[derive(Debug, Clone)]
pub struct Identity {
    pub did: String,
    pub signer: Arc<Signer>,
}

impl Identity {
    /// A did:key of the Ed25519 identity key.
    pub fn of(secrets: &Secrets) -> Self {
        let signer = Signer::of(&secrets.identity, |public| did::key::kid(&did::key::from_ed25519(public)));
        Self { did: signer.did().to_owned(), signer: Arc::new(signer) }
    }
}

/// One process per home.
#[derive(Debug)]
pub struct Lock(#[allow(dead_code, reason = "held, not read: dropping it lets the next process in")] File);

impl Lock {
    /// Takes the home for this process, or says who has it.
    pub fn take(home: &Path) -> Result<Self, Error> {
        let path = home.join("node.pid");
        let mut file =
            File::options().read(true).write(true).create(true).truncate(false).open(&path).with_context(|| {
                format!("cannot write {}: choose another home with --home or TOFT_HOME", path.display())
            })?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut pid = String::new();
                let _ = file.read_to_string(&mut pid); // without the pid the sentence is still true
                bail!(
                    "another toft (pid {}) runs on {}: stop it first (Ctrl-C there, or kill {}), or use another --home",
                    pid.trim(),
                    home.display(),
                    pid.trim()
                );
            }
            Err(TryLockError::Error(e)) => return Err(e).with_context(|| format!("locking {}", path.display())),
        }
        file.set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| writeln!(file, "{}", std::process::id()))
            .with_context(|| format!("writing {}", path.display()))?;
        Ok(Self(file))
    }
}

impl Daemon {
    /// Starts a node on `home`, which `init` has prepared and `lock` holds.
    pub async fn start(home: &Path, config: &Config, lock: Lock) -> Result<Self, Error> {
        let started = Instant::now();
        let places = Places::new(config, Files::raise()?);
        if let Some(fewer) = places.sentence() {
            tracing::warn!("{fewer}");
        }
        let tasks = Tasks::default();
        let jobs = Jobs::new(&tasks);
        let metrics = Metrics::default();
        let socket = socket(home, &config.rpc.socket)?;
        let secrets = vault::open(&home.join(&config.identity.keys))?;
        let identity = Identity::of(&secrets);
        let Secrets { peer: peer_key, anchor: anchor_key, .. } = secrets;

        // What is remembered.
        let (dir, settings) = (home.join("store"), config.store.clone());
        let store = tokio::task::spawn_blocking(move || Store::begin(&dir, &settings)).await??;
        let (dir, settings, opened) = (home.join("blocks"), config.blocks.clone(), store.clone());
        let blocks = tokio::task::spawn_blocking(move || Blocks::open(&dir, &settings, opened)).await??;
        blocks.hold_open(places.blocks());
        let dwn = rpc::listen_tcp("dwn-http", &config.dwn.listen, "dwn.listen").await?;
        let url = match config.dwn.url.as_str() {
            "" => format!("http://{}", dwn.address()?),
            url => url.to_owned(),
        };
        if let Err(refusal) = store.whole() {
            tracing::warn!("{}", refusal.detail);
            meanwhile((dwn.again()?, places.dwn(config)?), (home, config, &url), (&identity.did, &store, &blocks))
                .await?;
        }
        let opened_in = started.elapsed();
        metrics.register(|registry| store.register(registry));
        metrics.register(|registry| blocks.register(registry));

        // The one door.
        let resolver = Resolver::new(&config.resolve, store.clone(), &metrics)?;
        let relay = resolver.relay();
        let registration = Registration::new(&config.registration, &config.dwn.limits, home)?;
        let who = (identity.did.as_str(), registration.terms(), &config.retention);
        let node = Node::new(&config.dwn, who, store.clone(), blocks.clone(), resolver.clone(), &metrics)?;

        // The network.
        let counted = net::Metrics::default();
        metrics.register(|registry| counted.register(registry));
        let net = Net::start(&places.net(&config.net), peer_key, Arc::new(Public(blocks.clone())), counted)?;
        metrics.register(|registry| net.register(registry));
        let addresses = net.listen_addrs().await?;
        let (watched, stop) = (net.clone(), tasks.stop());
        tasks.spawn("net", async move {
            tokio::select! {
                () = watched.ended() => bail!("the swarm's task has ended by itself"),
                () = stop.cancelled() => Ok(()),
            }
        });

        // Who follows the log, and what comes round every so often.
        let backup = Source {
            home: home.to_owned(),
            keys: config.identity.keys.clone(),
            settings: config::FILE.to_owned(),
            store: store.clone(),
            blocks: blocks.clone(),
            signer: identity.signer.clone(),
            link: config.backup.link,
        };
        jobs.start("subscriptions", "tells subscribers what was written", |job| node.clone().carry_events(job));
        jobs.start("announce", "tells the network what is published", |job| {
            net::announce(net.clone(), store.clone(), job)
        });
        jobs.start("backup", "takes snapshots of the home", |job| {
            backup.clone().keep_backing_up(config.backup.clone(), job)
        });
        jobs.start("compact", "gives back what the log holds of deleted messages", |job| {
            store.clone().keep_compacting(config.store.compact_every.0, config.store.compact_above, job)
        });
        jobs.start("retention", "ends records whose time is over", |job| {
            node.clone().keep_ending(config.retention.every.0, identity.signer.clone(), job)
        });
        jobs.start("collect", "deletes blocks that nothing needs", |job| {
            blocks.clone().keep_collecting(config.blocks.collect_every.0, job)
        });
        jobs.start("memory", "gives free memory back to the system", memory::keep_giving_back);
        let incoming = incoming(&net, &tasks)?;
        let own = sync::Own { did: identity.did.clone(), signer: identity.signer.clone() };
        let dial = Dialler { net: net.clone(), did: identity.did.clone() };
        let sync = Peers::start(&config.sync, node.clone(), (own, resolver), (dial, incoming), &jobs, &metrics)?;
        let anchor = Anchor::start(&config.anchor, store.clone(), blocks.clone(), anchor_key, &metrics, &jobs).await?;

        // Who knocks.
        let gateway = match config.gateway.listen.as_str() {
            "" => None,
            address => Some(rpc::listen_tcp("gateway-http", address, "gateway.listen").await?),
        };
        let listening = rpc::listen_unix("control", &socket)?;
        let guards = (places.dwn(config)?, places.gateway(config)?);
        metrics.register(|registry| guards.0.register("dwn_connections", registry));
        metrics.register(|registry| guards.1.register("gateway_connections", registry));
        let facts = Facts {
            did: identity.did,
            opened_in,
            store: store.stats(),
            log_bytes: store.log_bytes(),
            degraded: store.degraded(),
            dwn: format!("http://{}", dwn.address()?),
            gateway: gateway.as_ref().map(|g| g.address()).transpose()?.map(|a| format!("http://{a}/ipfs/")),
            socket,
            peer: net.peer_id(),
            addresses,
            anchoring: anchor.status().await?.sentence,
        };
        let services = Services {
            node: node.clone(),
            content: Content::new(node.clone(), net.clone(), identity.signer.clone()),
            net: net.clone(),
            sync,
            anchor,
            backup,
            jobs,
            stop: tasks.stop(),
            signer: identity.signer,
            home: home.to_owned(),
            dwn: facts.dwn.clone(),
            gateway: facts.gateway.clone(),
            files: places.status(),
            started,
        };
        let mut routes = rpc::dwn::router(node.clone(), registration, (&url, &config.dwn.hosts), metrics, &tasks);
        if let Some(relay) = relay {
            routes = routes.merge(rpc::pkarr::router(relay));
        }
        dwn.serve(routes, guards.0, &tasks);
        if let Some(gateway) = gateway {
            gateway.serve(rpc::gateway::router(node), guards.1, &tasks);
        }
        listening.serve(rpc::control::router(services.clone()), &tasks);
        Ok(Self { services, tasks, store, net, facts, _lock: lock })
    }

    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// Resolves when a task failed and the node must stop.
    pub async fn failed(&self) {
        self.tasks.stop().cancelled().await;
    }

    /// Servers first, store last. Returns why the node stopped, if it was not asked to.
    pub async fn stop(self) -> Result<(), Error> {
        let outcome = self.tasks.finish(STOP_DEADLINE).await;
        self.net.shutdown().await;
        // The last handle to go flushes the index and frees the directory.
        let (services, store) = (self.services, self.store);
        tokio::task::spawn_blocking(move || drop((services, store))).await?;
        let _ = std::fs::remove_file(&self.facts.socket); // a dead socket is replaced at the next start anyway
        outcome
    }
}

/// Serves tenants what is theirs in the index as far as it is built, until it is whole. The door and all it knows are made
/// for this alone: what they read from the store now is of an earlier moment.
async fn meanwhile(
    (dwn, guard): (Listening<TcpListener>, Guard),
    (home, config, url): (&Path, &Config, &str),
    (own, store, blocks): (&str, &Store, &Blocks),
) -> Result<(), Error> {
    let (tasks, metrics) = (Tasks::default(), Metrics::default());
    metrics.register(|registry| store.register(registry));
    metrics.register(|registry| blocks.register(registry));
    let resolver = Resolver::new(&config.resolve, store.clone(), &metrics)?;
    let registration = Registration::new(&config.registration, &config.dwn.limits, home)?;
    let who = (own, registration.terms(), &config.retention);
    let node = Node::new(&config.dwn, who, store.clone(), blocks.clone(), resolver, &metrics)?;
    dwn.serve(rpc::dwn::router(node, registration, (url, &config.dwn.hosts), metrics, &tasks), guard, &tasks);
    let built = store.built().await;
    tasks.finish(STOP_DEADLINE).await?;
    built
}

/// Where the control socket goes; said before anything starts, because the system's bound on its length is small.
fn socket(home: &Path, name: &str) -> Result<PathBuf, Error> {
    /// `sockaddr_un.sun_path` on macOS; Linux has four more.
    const MAX: usize = 103;
    let path = home.join(name);
    if path.as_os_str().len() > MAX {
        bail!("{} is longer than the {MAX} bytes a socket's path may have: choose a shorter --home", path.display());
    }
    Ok(path)
}

/// What strangers may have of the blocks: those of published records.
struct Public(Blocks);

impl net::BlockSource for Public {
    fn offer(&self, cid: &crate::cid::Cid) -> Option<net::Offer> {
        let block = self.0.locate(Right::ANYONE, cid).unwrap_or_else(|fault| lacking(cid, &fault))?;
        let (size, cid) = (block.size().try_into().ok()?, *cid);
        Some(net::Offer::new(size, move || block.read().map_or_else(|fault| lacking(&cid, &fault), Some)))
    }
}

fn lacking<T>(cid: &crate::cid::Cid, fault: &Error) -> Option<T> {
    // Of what is damaged the log speaks once, not whenever somebody asks for it.
    if !is_damage(fault) {
        tracing::error!("block {cid}: {fault:#}");
    }
    None
}

/// Streams that peers open for sync, handed on without libp2p's names.
fn incoming(net: &Net, tasks: &Tasks) -> Result<mpsc::Receiver<sync::Link>, Error> {
    let (send, receive) = mpsc::channel(LINKS_WAITING);
    let mut streams = net.accept(sync::PROTOCOL)?;
    let (local_peer, stop) = (net.peer_id(), tasks.stop());
    tasks.spawn("sync-incoming", async move {
        loop {
            let next = tokio::select! {
                next = streams.recv() => next,
                () = stop.cancelled() => return Ok(()),
            };
            let Some(next) = next else { return Ok(()) };
            let link =
                sync::Link { stream: Box::new(next.stream), local_peer: local_peer.clone(), remote_peer: next.peer };
            if send.send(link).await.is_err() {
                return Ok(());
            }
        }
    });
    Ok(receive)
}

/// Lets sync open streams without knowing libp2p.
struct Dialler {
    net: Net,
    did: String,
}

impl sync::Dial for Dialler {
    fn dial(&self, address: String) -> BoxFuture<'static, Result<sync::Link, Error>> {
        let (net, did) = (self.net.clone(), self.did.clone());
        async move {
            let remote_peer = net.dial(&address).await?;
            let opened = net.open_stream(&remote_peer, sync::PROTOCOL).await;
            // A device that does not know this one does not let it see that it speaks of such things at all.
            let stream = opened.map_err(|error| match error {
                net::Error::Unsupported { .. } => anyhow!(
                    "the device at {address} does not have this node as a peer yet; there: toft peer add {did} <multiaddr>"
                ),
                other => other.into(),
            })?;
            Ok(sync::Link { stream: Box::new(stream), local_peer: net.peer_id(), remote_peer })
        }
        .boxed()
    }

    fn paired(&self, addresses: Vec<String>) {
        self.net.pair(&addresses);
    }
}

#[cfg(test)]
mod tests;
