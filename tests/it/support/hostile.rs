//! libp2p peers made by hand, from any loopback address: they set up a connection as all do and then write yamux frames as
//! they like, reading nothing.

use futures::future::BoxFuture;
use futures::{AsyncRead, AsyncWrite, AsyncWriteExt as _, FutureExt as _};
use libp2p::core::muxing::{StreamMuxer, StreamMuxerEvent};
use libp2p::core::transport::{DialOpts, ListenerId, PortUse, Transport, TransportError, TransportEvent};
use libp2p::core::upgrade::{InboundConnectionUpgrade, OutboundConnectionUpgrade, UpgradeInfo, Version};
use libp2p::core::{Endpoint, multiaddr::Protocol};
use libp2p::{Multiaddr, PeerId, identity::Keypair, noise};
use std::future::{Ready, ready};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::net::{TcpSocket, TcpStream};
use tokio_util::compat::{Compat, TokioAsyncReadCompatExt as _};

/// Where a multiaddr of TCP is.
pub fn socket(address: &str) -> SocketAddr {
    let address: Multiaddr = address.parse().expect("a multiaddr");
    let mut parts = address.iter();
    match (parts.next(), parts.next()) {
        (Some(Protocol::Ip4(ip)), Some(Protocol::Tcp(port))) => (ip, port).into(),
        other => panic!("{other:?}"),
    }
}

/// A connection from this address on which nothing is said.
pub async fn silent(from: Ipv4Addr, to: SocketAddr) -> io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    // Else it may take the very port that a node of a test wants to dial from.
    socket.set_reuseaddr(true)?;
    socket.set_reuseport(true)?;
    socket.bind((from, 0).into())?;
    socket.connect(to).await
}

/// Everything goes from an address.
struct Tcp(Ipv4Addr);

impl Transport for Tcp {
    type Output = Compat<TcpStream>;
    type Error = io::Error;
    type ListenerUpgrade = Ready<io::Result<Self::Output>>;
    type Dial = BoxFuture<'static, io::Result<Self::Output>>;

    fn listen_on(&mut self, _: ListenerId, address: Multiaddr) -> Result<(), TransportError<io::Error>> {
        Err(TransportError::MultiaddrNotSupported(address))
    }

    fn remove_listener(&mut self, _: ListenerId) -> bool {
        false
    }

    fn dial(&mut self, address: Multiaddr, _: DialOpts) -> Result<Self::Dial, TransportError<io::Error>> {
        let (from, to) = (self.0, socket(&address.to_string()));
        Ok(async move { Ok(silent(from, to).await?.compat()) }.boxed())
    }

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<TransportEvent<Self::ListenerUpgrade, Self::Error>> {
        Poll::Pending
    }
}

/// Agrees on yamux and leaves the bytes to the caller.
#[derive(Clone)]
struct Raw;

impl UpgradeInfo for Raw {
    type Info = &'static str;
    type InfoIter = std::iter::Once<&'static str>;

    fn protocol_info(&self) -> Self::InfoIter {
        std::iter::once("/yamux/1.0.0")
    }
}

impl<C: AsyncRead + AsyncWrite + Unpin> InboundConnectionUpgrade<C> for Raw {
    type Output = Bytes<C>;
    type Error = io::Error;
    type Future = Ready<io::Result<Bytes<C>>>;

    fn upgrade_inbound(self, io: C, _: &'static str) -> Self::Future {
        ready(Ok(Bytes(io)))
    }
}

impl<C: AsyncRead + AsyncWrite + Unpin> OutboundConnectionUpgrade<C> for Raw {
    type Output = Bytes<C>;
    type Error = io::Error;
    type Future = Ready<io::Result<Bytes<C>>>;

    fn upgrade_outbound(self, io: C, _: &'static str) -> Self::Future {
        ready(Ok(Bytes(io)))
    }
}

struct Bytes<C>(C);

impl<C: AsyncRead + AsyncWrite + Unpin> StreamMuxer for Bytes<C> {
    type Substream = C;
    type Error = io::Error;

    fn poll_inbound(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<C>> {
        Poll::Pending
    }
    fn poll_outbound(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<C>> {
        Poll::Pending
    }
    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<StreamMuxerEvent>> {
        Poll::Pending
    }
}

trait Both: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Both for T {}

/// A made-up peer, connected.
pub struct Hostile {
    io: Box<dyn Both>,
    next: u32,
}

impl Hostile {
    /// A new identity each time.
    pub async fn connect(from: Ipv4Addr, to: SocketAddr) -> io::Result<Self> {
        let key = Keypair::generate_ed25519();
        let mut transport = Tcp(from)
            .upgrade(Version::V1)
            .authenticate(noise::Config::new(&key).map_err(io::Error::other)?)
            .multiplex(Raw);
        let IpAddr::V4(ip) = to.ip() else { panic!("{to}") };
        let address = Multiaddr::from(ip).with(Protocol::Tcp(to.port()));
        let opts = DialOpts { role: Endpoint::Dialer, port_use: PortUse::New };
        let dial = transport.dial(address, opts).map_err(|e| io::Error::other(e.to_string()))?;
        let (_, Bytes(io)): (PeerId, _) = dial.await.map_err(|e| io::Error::other(e.to_string()))?;
        Ok(Self { io: Box::new(io), next: 1 })
    }

    async fn frame(&mut self, kind: u8, flags: u16, id: u32, length: u32, body: &[u8]) -> io::Result<()> {
        let mut bytes = vec![0, kind];
        bytes.extend(flags.to_be_bytes());
        bytes.extend(id.to_be_bytes());
        bytes.extend(length.to_be_bytes());
        bytes.extend(body);
        let write = async {
            self.io.write_all(&bytes).await?;
            self.io.flush().await
        };
        // Who takes nothing more is left alone.
        tokio::time::timeout(Duration::from_secs(5), write)
            .await
            .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }

    /// Opens a stream, says which protocol it is for, and `bytes` after it.
    pub async fn stream(&mut self, protocol: &str, bytes: &[u8]) -> io::Result<u32> {
        let id = self.next;
        self.next += 2;
        let line = |text: &str| [&[text.len() as u8 + 1], text.as_bytes(), b"\n"].concat();
        let body = [line("/multistream/1.0.0"), line(protocol), bytes.to_vec()].concat();
        self.frame(0, 1, id, body.len() as u32, &body).await?;
        Ok(id)
    }

    pub async fn data(&mut self, id: u32, bytes: &[u8]) -> io::Result<()> {
        self.frame(0, 0, id, bytes.len() as u32, bytes).await
    }

    /// Has the other end closed it?
    pub async fn is_closed(&mut self) -> bool {
        let alive = async {
            for n in 0..20 {
                if self.frame(2, 1, 0, n, &[]).await.is_err() {
                    return false;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            true
        };
        !alive.await
    }
}
