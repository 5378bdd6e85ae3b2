//! Accept loops: bounded connections, bounded headers, a deadline for slow ones, a clean stop.

use crate::{asker::Asker, task::Tasks};
use anyhow::{Context as _, Error, anyhow};
use axum::{Router, http::HeaderValue, middleware, response::Response};
use hyper::{
    Request,
    body::Incoming,
    service::{Service as _, service_fn},
};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use std::{io, net::SocketAddr, path::Path, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, UnixListener},
    sync::{OwnedSemaphorePermit, Semaphore},
};
use tokio_util::sync::CancellationToken;

/// Connections at the same time, per listener: each costs a task and its buffers.
const CONNECTIONS_MAX: usize = 1024;
/// All headers of one request. Messages with delegated grants and encryption are several KiB; the
/// reference stops at 16 KiB, and so do its clients.
const HEADERS_MAX: usize = 128 << 10;
/// A client that does not finish its headers in this time is let go.
const HEADERS_DEADLINE: Duration = Duration::from_secs(10);
/// The same for a connection on which the next request does not come; told to clients a little shorter.
const IDLE: &str = "timeout=8";
/// A client that takes nothing of what is sent to it for this long is let go (where the system can tell).
#[cfg(target_os = "linux")]
const UNREAD_DEADLINE: Duration = Duration::from_secs(60);
/// What running requests get to finish when the node stops.
const DRAIN: Duration = Duration::from_secs(5);

/// A listener that is bound and not yet served.
#[derive(Debug)]
pub struct Listening<L> {
    name: &'static str,
    listener: L,
}

/// Binds a TCP address; a port in use is said in a sentence.
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

    /// The same socket once more: who is served by one does not notice when another takes over.
    pub fn again(&self) -> Result<Self, Error> {
        let listener = socket2::SockRef::from(&self.listener).try_clone().context("sharing a listener")?;
        Ok(Self { name: self.name, listener: TcpListener::from_std(listener.into())? })
    }

    /// Serves until the node stops.
    pub fn serve(self, router: Router, tasks: &Tasks) {
        let stop = tasks.stop();
        let listener = self.listener;
        tasks.spawn(
            self.name,
            accept(stop, router, async move || {
                let (stream, from) = listener.accept().await?;
                stream.set_nodelay(true)?;
                #[cfg(target_os = "linux")]
                socket2::SockRef::from(&stream).set_tcp_user_timeout(Some(UNREAD_DEADLINE))?;
                Ok((stream, Asker::at(from.ip())))
            }),
        );
    }
}

impl Listening<UnixListener> {
    /// Serves until the node stops.
    pub fn serve(self, router: Router, tasks: &Tasks) {
        let stop = tasks.stop();
        let listener = self.listener;
        tasks.spawn(self.name, accept(stop, router, async move || Ok((listener.accept().await?.0, Asker::Owner))));
    }
}

async fn accept<S, F>(stop: CancellationToken, router: Router, next: F) -> Result<(), Error>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    F: AsyncFn() -> io::Result<(S, Asker)>,
{
    let router = router.layer(middleware::map_response(tell_idle));
    let slots = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let taken = tokio::select! {
            permit = slots.clone().acquire_owned() => permit.context("the semaphore is never closed")?,
            () = stop.cancelled() => break,
        };
        let stream = tokio::select! {
            stream = next() => stream,
            () = stop.cancelled() => break,
        };
        match stream {
            Ok(accepted) => {
                tokio::spawn(connection(accepted, router.clone(), stop.clone(), taken));
            }
            Err(error) => {
                // Out of file descriptors, or the client is gone already: neither ends the node.
                tracing::warn!("a connection could not be accepted: {error}");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
    let drained = slots.acquire_many(CONNECTIONS_MAX as u32);
    let _ = tokio::time::timeout(DRAIN, drained).await; // late ones are dropped with the runtime
    Ok(())
}

/// Clients that keep a connection for their next request learn when it will be gone, and do not run into that.
async fn tell_idle(mut response: Response) -> Response {
    response.headers_mut().insert("keep-alive", HeaderValue::from_static(IDLE));
    response
}

/// Serves one client; each of its requests carries who it is ([`Asker`]).
async fn connection<S>(
    (stream, asker): (S, Asker),
    router: Router,
    stop: CancellationToken,
    _taken: OwnedSemaphorePermit,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = TowerToHyperService::new(router);
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(asker);
        service.call(request)
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS_DEADLINE)
        .max_buf_size(HEADERS_MAX)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!("a connection ended: {error}");
    }
}
