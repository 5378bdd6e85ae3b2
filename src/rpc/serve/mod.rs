//! Listeners and their accept loops. Connections are bounded, in all and for each address. Headers and bodies have deadlines.
//! Every connection ends cleanly, also when the node stops.

mod origin;
mod connections;
mod socket;
mod body;
#[cfg(test)]
mod tests;

use crate::{
    asker::{Asker, Network},
    node,
    pool::{Full, Pool, Size},
    scarce,
    task::Tasks,
};
use anyhow::{Context as _, Error, anyhow};
use axum::{
    Router,
    body::Body,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use body::{Answer, Pace};
use connections::{Connections, Slot};
use hyper::{
    Request,
    body::Incoming,
    service::{Service as _, service_fn},
};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use prometheus_client::registry::Registry;
use socket::{Notes, Socket};
use std::{
    convert::Infallible,
    io,
    net::{IpAddr, SocketAddr},
    path::Path,
    sync::Arc,
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, UnixListener},
};
use tokio_util::sync::CancellationToken;

/// Connections to the control socket, which only the owner can open.
const CONTROL_MAX: u32 = 32;
/// All headers of one request. Messages with delegated grants and encryption are several KiB. The
/// reference stops at 16 KiB, and so do its clients.
const HEADERS_MAX: usize = 128 << 10;
/// A client of the control socket that does not finish its headers in this time is disconnected.
const CONTROL_HEADERS: Duration = Duration::from_secs(10);
/// A client that reads nothing of what is sent to it for this long is disconnected (where the system can tell).
#[cfg(target_os = "linux")]
const UNREAD_DEADLINE: Duration = Duration::from_secs(60);
/// How long running requests have to finish when the node stops.
const DRAIN: Duration = Duration::from_secs(5);
/// The pause after the system lacked something that a new connection needs.
const SHORT_WAIT: Duration = Duration::from_millis(50);

/// What strangers may do at a listener. Cheap to clone; clones share the places.
#[derive(Debug, Clone)]
pub struct Guard {
    connections: Connections,
    /// Deadline for the headers of a request, and for the next request to come.
    headers: Duration,
    /// How fast bodies must come. `None` for the owner.
    pace: Option<Pace>,
    proxies: Arc<[Network]>,
    /// Addresses that the operator has denied.
    denied: Arc<node::Denied>,
}

impl Guard {
    /// The limits of the settings, with at most `connections` connections.
    pub fn new(settings: &node::Config, connections: u32) -> Result<Self, Error> {
        let limits = &settings.limits;
        let share = limits.connections_per_address.min((connections / 2).max(1));
        Ok(Self {
            connections: bounded(connections, share),
            headers: Duration::from_secs(limits.header_seconds),
            pace: Some(Pace { piece: Duration::from_secs(limits.piece_seconds), rate: limits.least_rate }),
            proxies: settings.proxies()?.into(),
            denied: Arc::new(settings.denied()?),
        })
    }

    /// For the wallet RPC: everybody there comes from this machine, so one address may have all of it.
    pub fn of_wallets(settings: &node::Config, connections: u32) -> Result<Self, Error> {
        let guard = Self::new(settings, connections)?;
        Ok(Self { connections: bounded(connections, connections), proxies: Arc::from([]), ..guard })
    }

    /// For the control socket.
    fn control() -> Self {
        let (headers, proxies, denied) = (CONTROL_HEADERS, Arc::from([]), Arc::default());
        Self { connections: bounded(CONTROL_MAX, CONTROL_MAX), headers, pace: None, proxies, denied }
    }

    /// Registers how many connections there are, and how many were turned away.
    pub fn register(&self, name: &str, registry: &mut Registry) {
        self.connections.register(name, registry);
    }

    fn is_proxy(&self, address: IpAddr) -> bool {
        self.proxies.iter().any(|network| network.contains(address))
    }
}

fn bounded(most: u32, share: u32) -> Connections {
    Connections::new(Pool::new("connections", Size { most: most as usize, share: share as usize, reserved: 0 }))
}

/// What is at the other end of a connection.
#[derive(Debug, Clone, Copy)]
enum Remote {
    Owner,
    Address(IpAddr),
    /// A trusted proxy: its headers say who asks.
    Proxy(IpAddr),
}

/// A listener that is bound and not yet served.
#[derive(Debug)]
pub struct Listening<L> {
    name: &'static str,
    listener: L,
}

/// Binds a TCP address. The error says what to do, for example when the port is in use.
pub async fn listen_tcp(name: &'static str, address: &str, key: &str) -> Result<Listening<TcpListener>, Error> {
    let listener = TcpListener::bind(address).await.map_err(|e| match e.kind() {
        io::ErrorKind::AddrInUse => {
            anyhow!(
                "{address} is in use by another program: stop it, or choose another address with {key} in node.toml"
            )
        }
        io::ErrorKind::PermissionDenied => {
            anyhow!("{address} needs more rights than this user has: choose a port above 1023 with {key} in node.toml")
        }
        _ => anyhow!(e).context(format!("cannot listen on {address} ({key} in node.toml)")),
    })?;
    Ok(Listening { name, listener })
}

/// Binds a Unix socket that only this user may open. The caller holds the home, so an old socket is dead.
pub fn listen_unix(name: &'static str, path: &Path) -> Result<Listening<UnixListener>, Error> {
    use std::os::unix::fs::PermissionsExt as _;
    match std::fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => {
            return Err(e).with_context(|| format!("removing the old socket {}", path.display()));
        }
        _ => {}
    }
    let listener = UnixListener::bind(path).with_context(|| format!("listening on {}", path.display()))?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))
        .with_context(|| format!("making {} private", path.display()))?;
    Ok(Listening { name, listener })
}

impl Listening<TcpListener> {
    pub fn address(&self) -> Result<SocketAddr, Error> {
        self.listener.local_addr().context("the address of a bound listener")
    }

    /// A second handle on the same socket, so that another server can take over without refusing a client.
    pub fn again(&self) -> Result<Self, Error> {
        let listener = socket2::SockRef::from(&self.listener).try_clone().context("sharing a listener")?;
        Ok(Self { name: self.name, listener: TcpListener::from_std(listener.into())? })
    }

    /// Serves until the node stops.
    pub fn serve(self, router: Router, guard: Guard, tasks: &Tasks) {
        let stop = tasks.stop();
        let listener = self.listener;
        let trusts = guard.clone();
        tasks.spawn(
            self.name,
            accept(stop, router, guard, async move || {
                let (stream, from) = listener.accept().await?;
                // If the client is gone already, the first read will tell.
                let _ = stream.set_nodelay(true);
                #[cfg(target_os = "linux")]
                let _ = socket2::SockRef::from(&stream).set_tcp_user_timeout(Some(UNREAD_DEADLINE));
                let address = from.ip();
                Ok((stream, if trusts.is_proxy(address) { Remote::Proxy(address) } else { Remote::Address(address) }))
            }),
        );
    }
}

impl Listening<UnixListener> {
    /// Serves until the node stops.
    pub fn serve(self, router: Router, tasks: &Tasks) {
        let stop = tasks.stop();
        let listener = self.listener;
        let next = async move || Ok((listener.accept().await?.0, Remote::Owner));
        tasks.spawn(self.name, accept(stop, router, Guard::control(), next));
    }
}

async fn accept<S, F>(stop: CancellationToken, router: Router, guard: Guard, next: F) -> Result<(), Error>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    F: AsyncFn() -> io::Result<(S, Remote)>,
{
    let serving = Arc::new(Serving::new(router, guard, stop.clone()));
    loop {
        let accepted = tokio::select! {
            accepted = next() => accepted,
            () = stop.cancelled() => break,
        };
        match accepted {
            Ok((_, Remote::Address(address))) if serving.guard.denied.has(address) => {}
            Ok((stream, remote)) => {
                let asker = match remote {
                    Remote::Owner => Some(Asker::Owner),
                    Remote::Address(address) => Some(Asker::at(address)),
                    Remote::Proxy(_) => None,
                };
                // A connection above the bounds is closed at once. Nobody queues here.
                if let Ok(slot) = serving.guard.connections.admit(asker) {
                    tokio::spawn(serving.clone().connection(stream, remote, slot));
                }
            }
            Err(error) if scarce::is_io(&error) => {
                scarce::note(&format_args!("a connection could not be accepted: {error}"));
                serving.guard.connections.evict();
                tokio::time::sleep(SHORT_WAIT).await;
            }
            // The client is gone already.
            Err(error) => tracing::debug!("a connection could not be accepted: {error}"),
        }
    }
    let _ = tokio::time::timeout(DRAIN, serving.guard.connections.emptied()).await; // late ones are dropped with the runtime
    Ok(())
}

/// What all connections of a listener have in common.
struct Serving {
    router: TowerToHyperService<Router>,
    guard: Guard,
    /// Tells clients how long they may keep a connection for their next request.
    idle: HeaderValue,
    stop: CancellationToken,
}

impl Serving {
    fn new(router: Router, guard: Guard, stop: CancellationToken) -> Self {
        // A little shorter than the deadline, so that a client does not run into it.
        let idle = format!("timeout={}", guard.headers.as_secs() * 4 / 5);
        let idle = HeaderValue::from_str(&idle).unwrap_or(HeaderValue::from_static("timeout=1"));
        Self { router: TowerToHyperService::new(router), guard, idle, stop }
    }

    /// Serves one client; each of its requests carries who it is ([`Asker`]).
    async fn connection<S>(self: Arc<Self>, stream: S, remote: Remote, slot: Arc<Slot>)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let notes = Arc::<Notes>::default();
        let socket = Socket::new(stream, notes.clone(), slot.clone());
        let service = service_fn(|request| self.clone().answer(request, remote, slot.clone(), notes.clone()));
        let connection = hyper::server::conn::http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.guard.headers)
            .max_buf_size(HEADERS_MAX)
            .serve_connection(TokioIo::new(socket), service)
            .with_upgrades();
        let mut connection = std::pin::pin!(connection);
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = slot.gone() => return,
            () = self.stop.cancelled() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = ended {
            tracing::debug!("a connection ended: {error}");
        }
    }

    async fn answer(
        self: Arc<Self>,
        request: Request<Incoming>,
        remote: Remote,
        slot: Arc<Slot>,
        notes: Arc<Notes>,
    ) -> Result<Response, Infallible> {
        let (asker, denied) = match remote {
            Remote::Owner => (Asker::Owner, false),
            Remote::Address(address) => (Asker::at(address), false),
            Remote::Proxy(address) => {
                let address = origin::asker(address, request.headers(), &self.guard.proxies);
                (Asker::at(address), self.guard.denied.has(address))
            }
        };
        let expects = request.headers().contains_key(header::EXPECT);
        let (parts, incoming) = request.into_parts();
        let (body, rest) = body::split(incoming, self.guard.pace, slot.clone(), notes.clone());
        let (mut response, exchange) = match slot.begin(asker) {
            Ok(_) if denied => (forbidden(), None),
            Ok(exchange) => {
                let mut request = Request::from_parts(parts, body);
                request.extensions_mut().insert(asker);
                let response = self.router.call(request).await.unwrap_or_else(|never| match never {});
                (response, Some(exchange))
            }
            Err(full) => (turned_away(full), None),
        };
        let headers = response.headers_mut();
        if rest.whole(expects).await {
            notes.whole();
            headers.insert("keep-alive", self.idle.clone());
        } else {
            notes.unread();
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        let Some(exchange) = exchange else { return Ok(response) };
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            exchange.upgrade();
        }
        Ok(response.map(|body| Body::new(Answer::new(body, exchange))))
    }
}

/// The answer to a request that a proxy has brought from somewhere that is denied.
fn forbidden() -> Response {
    (StatusCode::FORBIDDEN, "this node's operator has denied your address (dwn.deny)\n").into_response()
}

/// The answer to a request whose asker has his share of the proxy's connections.
fn turned_away(full: Full) -> Response {
    (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, "1")], format!("{full}\n")).into_response()
}
