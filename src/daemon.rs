//! Starts and stops everything, in one visible place: store first and last, servers last and first.

mod places;
mod lock;
mod identity;
mod base;
mod storage;
mod door;
mod events;
mod seen;
mod network;
mod followers;
mod servers;
#[cfg(test)]
mod tests;

pub use lock::Lock;

use crate::{
    anchor::Anchor,
    config::{self, Config},
    content::{Content, Heads, Own},
    crypto::Locked,
    devices::Devices,
    hook::Runner,
    identity::Opened,
    net::Net,
    rgb::Rgb,
    rpc::control::{self, Pulse, Services, Settings, Tickets},
    store::Store,
    task::Tasks,
    vault::{Passphrase, Secrets},
};
use anyhow::Error;
use base::{Base, STOP_DEADLINE};
use door::Door;
use followers::Followers;
use identity::{Identity, Keys};
use network::{Meeting, Unbegun};
use servers::{Endpoint, Servers};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use storage::Storage;
use tokio::sync::oneshot;

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
    /// URL at which wallets call, if they may over TCP.
    pub rpc: Option<String>,
    pub socket: PathBuf,
    /// The keys are locked, so that these three are not begun.
    pub locked: bool,
    pub peer: Option<String>,
    pub addresses: Vec<String>,
    pub anchoring: String,
}

impl Daemon {
    /// Starts a node on `home`, which `init` has prepared and `lock` holds. `passphrase`: what opens the keys, if it takes one.
    pub async fn start(
        home: &Path,
        config: &Config,
        lock: Lock,
        passphrase: Option<Passphrase>,
    ) -> Result<Self, Error> {
        let base = Base::new(home, config)?;
        let socket = servers::socket(home, &config.rpc.socket)?;
        let (identities, keys) = identity::open(home, config, passphrase).await?;
        let identity = Identity::own(&identities);

        // What is remembered. While the index is built, tenants have what is in it already.
        let storage = Storage::open(&base).await?;
        let endpoint = Endpoint::bind(&base).await?;
        endpoint.serve_while_indexing(&base, &identities, &storage).await?;
        let audit = storage::audit(&base).await?;
        let access = storage::access(&base, audit.clone()).await?;
        let opened_in = base.started.elapsed();

        // The one door, and the network.
        let door = Door::open(&base, &identities, &storage)?;
        let (net, unbegun) = network::prepare(&base, &storage.blocks);
        let (endpoints, resolver) = (identity::endpoints(config), door.resolver.clone());
        let (anchor_key, begins) = match keys {
            Keys::Open(secrets) => {
                identities.tell(resolver, endpoints, Some(&secrets)).await?;
                // What comes from where the keys come from stays sealed from here on.
                let Secrets { peer, anchor, .. } = secrets;
                unbegun.begin(peer)?;
                (Some(anchor), None)
            }
            Keys::Locked(opened) => {
                identities.tell(resolver, endpoints, None).await?;
                (None, Some((opened, unbegun)))
            }
        };
        let locked = begins.is_some();
        let addresses = if locked { vec![] } else { net.listen_addrs().await? };

        // Who follows the log, and what comes round every so often.
        let parts = (&storage, &door, &net);
        let Followers { backup, sync, remotes, anchor } =
            Followers::start(&base, (&identity, &identities), parts, (anchor_key, &audit)).await?;
        if let Some((opened, unbegun)) = begins {
            begin_unlocked(&base, opened, unbegun, anchor.clone());
        }
        let all = identities.clone();
        let own = (identity.signer.clone(), Arc::new(move || all.dids()) as Own);
        let heads = Heads::new(door.node.clone(), own, audit.clone());
        followers::accounts(&base, &identities, (&audit, &access, &heads));

        // The person's devices.
        let who = (identity.did.clone(), storage.store.clone());
        let all = identities.clone();
        let is_own = move |did: &str| all.dids().iter().any(|own| own == did);
        let meeting = (Meeting(net.clone()), &base.tasks);
        let devices = Devices::new(who, (sync.clone(), audit.clone()), meeting, is_own);

        // Who knocks.
        let servers = Servers::bind(&base, endpoint, &socket).await?;
        let facts = Facts {
            did: identity.did,
            opened_in,
            store: storage.store.stats(),
            log_bytes: storage.store.log_bytes(),
            degraded: storage.store.degraded(),
            dwn: servers.dwn()?,
            gateway: servers.gateway()?,
            rpc: servers.wallets()?,
            socket,
            locked,
            peer: net.peer_id(),
            addresses,
            anchoring: anchor.status().await?.sentence,
        };
        let services = Services {
            access: access.clone(),
            heads: heads.clone(),
            audit,
            node: door.node.clone(),
            rgb: Rgb::new(door.node.clone(), Runner::new(&config.hooks), &base.metrics),
            content: Content::new(door.node.clone(), net.clone(), identity.signer.clone()),
            net: net.clone(),
            sync,
            remotes,
            devices,
            anchor,
            backup,
            jobs: base.jobs.clone(),
            tickets: Tickets::default(),
            pulse: Pulse::default(),
            settings: Arc::new(settings(home, config)?),
            stop: base.tasks.stop(),
            signer: identity.signer,
            identities,
            home: home.to_owned(),
            dwn: facts.dwn.clone(),
            gateway: facts.gateway.clone(),
            files: base.places.status(),
            started: base.started,
        };
        followers::grants(&base, control::of_owner(services.clone()));
        servers.serve(&base, &door, services.clone())?;
        Ok(Self { services, tasks: base.tasks, store: storage.store, net, facts, _lock: lock })
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
        let (access, audit) = (self.services.access.clone(), self.services.audit.clone());
        let closed = tokio::task::spawn_blocking(move || access.close().and(audit.close())).await?;
        // Nothing comes behind it any more. With locked keys or a full disk it stays unsigned until the next start.
        match tokio::time::timeout(STOP_DEADLINE, self.services.heads.sign_last()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!("the head of the audit log is not signed: {error:#}"),
            Err(_) => tracing::warn!("the head of the audit log is not signed: that took too long"),
        }
        self.net.shutdown().await;
        // The last handle to go flushes the index and frees the directory.
        let (services, store) = (self.services, self.store);
        tokio::task::spawn_blocking(move || drop((services, store))).await?;
        let _ = std::fs::remove_file(&self.facts.socket); // a dead socket is replaced at the next start anyway
        outcome.and(closed)
    }
}

/// Lets begin what waits for its keys, when they are unlocked.
fn begin_unlocked(base: &Base<'_>, opened: oneshot::Receiver<Opened>, unbegun: Unbegun, to: Anchor) {
    tracing::warn!("{Locked}; until then it signs nothing, reaches no peers, and anchors nothing");
    let stop = base.tasks.stop();
    base.tasks.spawn("unlock", async move {
        let opened = tokio::select! {
            opened = opened => opened,
            () = stop.cancelled() => return Ok(()),
        };
        let Ok(Opened { peer, anchor }) = opened else { return Ok(()) };
        to.unlock(anchor);
        unbegun.begin(peer)
    });
}

/// The settings, for who shows or changes them.
fn settings(home: &Path, config: &Config) -> Result<Settings, Error> {
    Ok(Settings {
        shown: serde_json::to_value(config.shown()?)?.into(),
        file: home.join(config::FILE),
        default: config::DEFAULT,
        schema: Config::schema,
        edited: Config::edited,
        read: Config::read,
        apply: Config::apply,
        variable: config::variable,
    })
}
