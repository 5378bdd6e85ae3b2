//! Who knocks: the list of servers. All are bound before the first of them answers.

use super::{
    base::{Base, STOP_DEADLINE},
    door::Door,
    storage::Storage,
};
use crate::{
    anchor::Anchor,
    identity::Identities,
    resolve::Relay,
    rpc::{self, Guard, Listening, control::Services},
};
use anyhow::{Error, bail};
use std::path::{Path, PathBuf};
use tokio::net::{TcpListener, UnixListener};

/// The DWN endpoint. It is bound before the others: it answers already while the index is built.
pub(super) struct Endpoint {
    listening: Listening<TcpListener>,
    /// Where it is reached from outside.
    url: String,
}

impl Endpoint {
    pub async fn bind(base: &Base<'_>) -> Result<Self, Error> {
        let settings = &base.config.dwn;
        let listening = rpc::listen_tcp("dwn-http", &settings.listen, "dwn.listen").await?;
        let url = match settings.url.as_str() {
            "" => format!("http://{}", listening.address()?),
            url => url.to_owned(),
        };
        Ok(Self { listening, url })
    }

    /// Serves tenants what is theirs in the index as far as it is built, until it is whole. The door and all it knows are made
    /// for this alone: what they read from the store now is of an earlier moment.
    pub async fn serve_while_indexing(
        &self,
        base: &Base<'_>,
        who: &Identities,
        storage: &Storage,
    ) -> Result<(), Error> {
        let Err(refusal) = storage.store.whole() else { return Ok(()) };
        tracing::warn!("{}", refusal.detail);
        let apart = base.apart();
        storage.register(&apart);
        let (door, guard) = (Door::open(&apart, who, storage)?, apart.places.dwn(apart.config)?);
        let endpoint = Self { listening: self.listening.again()?, url: self.url.clone() };
        // The relay, which writes, waits.
        endpoint.serve(&apart, &door, (None, None), guard)?;
        let built = storage.store.built().await;
        apart.tasks.finish(STOP_DEADLINE).await?;
        built
    }

    /// `calendar`: what strangers' digests go to, if this node is one.
    fn serve(
        self,
        base: &Base<'_>,
        door: &Door,
        (relay, calendar): (Option<Relay>, Option<Anchor>),
        guard: Guard,
    ) -> Result<(), Error> {
        let (node, registration) = (door.node.clone(), door.registration.clone());
        let names =
            rpc::dwn::Names { address: self.listening.address()?, url: &self.url, hosts: &base.config.dwn.hosts };
        let mut routes = rpc::dwn::router(node, registration, names, base.metrics.clone(), &base.tasks)?;
        if let Some(relay) = relay {
            routes = routes.merge(rpc::pkarr::router(relay));
        }
        if let Some(anchor) = calendar {
            routes = routes.merge(rpc::calendar::router(anchor, &self.url, &base.config.dwn.limits));
        }
        self.listening.serve(routes, guard, &base.tasks);
        Ok(())
    }
}

/// Every listener, bound.
pub(super) struct Servers {
    dwn: (Endpoint, Guard),
    gateway: Option<(Listening<TcpListener>, Guard)>,
    wallets: Option<(Listening<TcpListener>, Guard)>,
    control: Listening<UnixListener>,
}

impl Servers {
    pub async fn bind(base: &Base<'_>, dwn: Endpoint, socket: &Path) -> Result<Self, Error> {
        let gateway = match base.config.gateway.listen.as_str() {
            "" => None,
            address => Some(rpc::listen_tcp("gateway-http", address, "gateway.listen").await?),
        };
        let wallets = match base.config.rpc.listen.as_str() {
            "" => None,
            address => {
                let guard = base.places.wallets(base.config)?;
                base.metrics.register(|registry| guard.register("rpc_connections", registry));
                Some((rpc::listen_tcp("wallet-rpc", address, "rpc.listen").await?, guard))
            }
        };
        let control = rpc::listen_unix("control", socket)?;
        let guards = (base.places.dwn(base.config)?, base.places.gateway(base.config)?);
        base.metrics.register(|registry| guards.0.register("dwn_connections", registry));
        base.metrics.register(|registry| guards.1.register("gateway_connections", registry));
        Ok(Self { dwn: (dwn, guards.0), gateway: gateway.map(|gateway| (gateway, guards.1)), wallets, control })
    }

    /// Where the DWN endpoint listens.
    pub fn dwn(&self) -> Result<String, Error> {
        Ok(format!("http://{}", self.dwn.0.listening.address()?))
    }

    pub fn gateway(&self) -> Result<Option<String>, Error> {
        let address = self.gateway.as_ref().map(|(listening, _)| listening.address()).transpose()?;
        Ok(address.map(|address| format!("http://{address}/ipfs/")))
    }

    /// Where wallets call.
    pub fn wallets(&self) -> Result<Option<String>, Error> {
        let address = self.wallets.as_ref().map(|(listening, _)| listening.address()).transpose()?;
        Ok(address.map(|address| format!("http://{address}/rpc")))
    }

    pub fn serve(self, base: &Base<'_>, door: &Door, services: Services) -> Result<(), Error> {
        let (dwn, guard) = self.dwn;
        let calendar = base.config.anchor.calendar.serve.then(|| services.anchor.clone());
        dwn.serve(base, door, (door.resolver.relay(), calendar), guard)?;
        if let Some((gateway, guard)) = self.gateway {
            gateway.serve(rpc::gateway::router(door.node.clone()), guard, &base.tasks);
        }
        let call = rpc::control::of_owner(services);
        if let Some((wallets, guard)) = self.wallets {
            let (address, hosts) = (wallets.address()?, &base.config.rpc.hosts);
            wallets.serve(rpc::wallet::router(call.clone(), address, hosts, &base.tasks)?, guard, &base.tasks);
        }
        self.control.serve(rpc::control::router(call), &base.tasks);
        Ok(())
    }
}

/// Where the control socket goes; said before anything starts, because the system's bound on its length is small.
pub(super) fn socket(home: &Path, name: &str) -> Result<PathBuf, Error> {
    /// `sockaddr_un.sun_path` on macOS; Linux has four more.
    const MAX: usize = 103;
    let path = home.join(name);
    if path.as_os_str().len() > MAX {
        bail!("{} is longer than the {MAX} bytes a socket's path may have: choose a shorter --home", path.display());
    }
    Ok(path)
}
