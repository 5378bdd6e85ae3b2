//! One bounded request over HTTP/1.1: no redirects, no compression, no cookies, no proxies; the address that was judged
//! is the address that is connected to; a deadline over everything and a size nobody can exceed.

use super::address::is_public;
use crate::foreign;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{Method, Request, StatusCode, header};
use hyper_util::rt::TokioIo;
use rustls::{ClientConfig, RootCertStore, pki_types::ServerName};
use std::{
    net::{SocketAddr, ToSocketAddrs as _},
    sync::Arc,
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    sync::Semaphore,
    time::timeout,
};
use tokio_rustls::TlsConnector;

/// Name lookup, TCP and TLS together.
const CONNECT_DEADLINE: Duration = Duration::from_secs(3);
/// Everything together, from the name to the last byte.
const DEADLINE: Duration = Duration::from_secs(5);
/// Addresses of one host that are tried.
const ADDRESSES_MAX: usize = 2;
/// Name lookups at once: each holds a thread for as long as the system's resolver likes, our deadline or not.
const NAME_LOOKUPS_MAX: usize = 16;
/// All headers of an answer.
const HEADERS_MAX: usize = 16 << 10;
/// What a DID's document comes as.
const DOCUMENTS: &str = "application/did+json, application/json, application/octet-stream";

/// What to fetch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    pub tls: bool,
    pub host: String,
    pub port: u16,
    /// As the `Host` header has it.
    pub authority: String,
    pub path: String,
    /// Somebody who may (the operator) has named this host: it may have a private address.
    pub trusted: bool,
    /// Longest body taken.
    pub body_max: usize,
}

/// A connection.
pub type Line = Box<dyn Duplex>;

/// Bytes in both directions.
pub trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Duplex for S {}

/// Why there is nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The host has answered, and the answer is no.
    #[error("the host answered {0}")]
    Refused(StatusCode),
    #[error("the answer is longer than {0} bytes")]
    TooLong(usize),
    #[error("the host has no public address")]
    NotPublic,
    /// The host could not be asked, or broke off.
    #[error("{0}")]
    Unreachable(String),
}

impl Failure {
    fn unreachable(why: impl std::fmt::Display) -> Self {
        Self::Unreachable(foreign::said(why))
    }
}

/// Makes requests. Cheap to clone.
#[derive(Clone)]
pub struct Client {
    tls: TlsConnector,
    names: Arc<Semaphore>,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Client")
    }
}

impl Client {
    /// A client that trusts the certificate authorities that browsers trust.
    pub fn new() -> Result<Self, rustls::Error> {
        Self::trusting(RootCertStore::from_iter(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()))
    }

    fn trusting(roots: RootCertStore) -> Result<Self, rustls::Error> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self { tls: Arc::new(config).into(), names: Arc::new(Semaphore::new(NAME_LOOKUPS_MAX)) })
    }

    /// The body of a 200 answer.
    pub async fn get(&self, target: &Target) -> Result<Bytes, Failure> {
        let (status, body) = self.send(target, Method::GET, DOCUMENTS, Bytes::new(), DEADLINE).await?;
        if status == StatusCode::OK { Ok(body) } else { Err(Failure::Refused(status)) }
    }

    /// Puts these bytes there.
    pub async fn put(&self, target: &Target, bytes: Bytes) -> Result<(), Failure> {
        let (status, _) = self.send(target, Method::PUT, DOCUMENTS, bytes, DEADLINE).await?;
        if status.is_success() { Ok(()) } else { Err(Failure::Refused(status)) }
    }

    /// A GET, or a POST of these bytes: the answer's status, and its body, which is read only of a success. `deadline` is for
    /// everything together, from the name to the last byte.
    pub async fn ask(
        &self,
        target: &Target,
        post: Option<Bytes>,
        accept: &'static str,
        deadline: Duration,
    ) -> Result<(u16, Bytes), Failure> {
        let method = if post.is_some() { Method::POST } else { Method::GET };
        let (status, body) = self.send(target, method, accept, post.unwrap_or_default(), deadline).await?;
        Ok((status.as_u16(), body))
    }

    async fn send(
        &self,
        target: &Target,
        method: Method,
        accept: &'static str,
        bytes: Bytes,
        deadline: Duration,
    ) -> Result<(StatusCode, Bytes), Failure> {
        let request = Request::builder()
            .method(method)
            .uri(&target.path)
            .header(header::HOST, &target.authority)
            .header(header::USER_AGENT, concat!("toft/", env!("CARGO_PKG_VERSION")))
            .header(header::ACCEPT, accept)
            .header(header::CONNECTION, "close")
            .body(Full::new(bytes))
            .map_err(Failure::unreachable)?;
        let answer = timeout(deadline, async { exchange(self.line(target).await?, request, target.body_max).await });
        answer.await.map_err(|_| Failure::unreachable("no whole answer in time"))?
    }

    /// A connection to a target, within TLS if it asks for that, for who speaks over it at length. Name lookup, TCP and TLS have
    /// their deadlines; what is said on it is its taker's business.
    pub async fn line(&self, target: &Target) -> Result<Line, Failure> {
        let stream = timeout(CONNECT_DEADLINE, self.connect(target)).await;
        let stream = stream.map_err(|_| Failure::unreachable("no connection in time"))??;
        if !target.tls {
            return Ok(Box::new(stream));
        }
        let name = ServerName::try_from(target.host.clone()).map_err(Failure::unreachable)?;
        let stream = timeout(CONNECT_DEADLINE, self.tls.connect(name, stream)).await;
        let stream = stream.map_err(|_| Failure::unreachable("no TLS in time"))?;
        Ok(Box::new(stream.map_err(|e| Failure::unreachable(format_args!("TLS: {e}")))?))
    }

    async fn connect(&self, target: &Target) -> Result<TcpStream, Failure> {
        let addresses = self.look_up(&target.host, target.port).await?;
        let mut failure = Failure::NotPublic;
        let allowed = addresses.into_iter().filter(|address| target.trusted || is_public(address.ip()));
        for address in allowed.take(ADDRESSES_MAX) {
            match TcpStream::connect(address).await {
                Ok(stream) => return Ok(stream),
                Err(error) => failure = Failure::unreachable(error),
            }
        }
        Err(failure)
    }

    async fn look_up(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, Failure> {
        let permit = self.names.clone().acquire_owned().await.map_err(Failure::unreachable)?;
        let name = (host.to_owned(), port);
        let lookup = tokio::task::spawn_blocking(move || {
            let addresses = name.to_socket_addrs();
            drop(permit); // held by the thread, not by the caller who may have gone
            addresses
        });
        let addresses = lookup.await.map_err(Failure::unreachable)?.map_err(Failure::unreachable)?;
        Ok(addresses.collect())
    }
}

async fn exchange(
    stream: Line,
    request: Request<Full<Bytes>>,
    body_max: usize,
) -> Result<(StatusCode, Bytes), Failure> {
    let handshake =
        hyper::client::conn::http1::Builder::new().max_buf_size(HEADERS_MAX).handshake(TokioIo::new(stream));
    let (mut sender, connection) = handshake.await.map_err(Failure::unreachable)?;
    let read = async {
        let answer = sender.send_request(request).await.map_err(Failure::unreachable)?;
        let status = answer.status();
        if !status.is_success() {
            return Ok((status, Bytes::new()));
        }
        let body = Limited::new(answer.into_body(), body_max).collect().await;
        match body {
            Ok(body) => Ok((status, body.to_bytes())),
            Err(error) if error.is::<http_body_util::LengthLimitError>() => Err(Failure::TooLong(body_max)),
            Err(error) => Err(Failure::Unreachable(error.to_string())),
        }
    };
    // Driven here and not in a task of its own: when the deadline drops this, the connection is gone too.
    let (mut read, mut connection) = (std::pin::pin!(read), std::pin::pin!(connection));
    tokio::select! {
        answer = &mut read => answer,
        ended = &mut connection => match ended {
            Ok(()) => read.await,
            Err(error) => Err(Failure::unreachable(error)),
        },
    }
}

#[cfg(test)]
#[path = "tests/http.rs"]
mod tests;
