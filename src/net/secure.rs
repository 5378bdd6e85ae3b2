//! Who is at the other end: TLS or Noise, whichever it speaks.

use futures::future::{BoxFuture, Either};
use futures::{AsyncRead, AsyncWrite, FutureExt as _, TryFutureExt as _};
use libp2p::core::upgrade::{InboundConnectionUpgrade, OutboundConnectionUpgrade, UpgradeInfo};
use libp2p::identity::Keypair;
use libp2p::{PeerId, noise, tls};
use std::io;

#[derive(Clone)]
pub struct Secure {
    tls: tls::Config,
    noise: noise::Config,
}

/// The bytes inside.
pub type Inside<C> = Either<tls::TlsStream<C>, noise::Output<C>>;

const TLS: &str = "/tls/1.0.0";
const NOISE: &str = "/noise";

impl Secure {
    pub fn new(key: &Keypair) -> io::Result<Self> {
        let tls = tls::Config::new(key).map_err(io::Error::other)?;
        Ok(Self { tls, noise: noise::Config::new(key).map_err(io::Error::other)? })
    }
}

impl UpgradeInfo for Secure {
    type Info = &'static str;
    type InfoIter = std::array::IntoIter<&'static str, 2>;

    fn protocol_info(&self) -> Self::InfoIter {
        [TLS, NOISE].into_iter()
    }
}

impl<C: AsyncRead + AsyncWrite + Send + Unpin + 'static> InboundConnectionUpgrade<C> for Secure {
    type Output = (PeerId, Inside<C>);
    type Error = io::Error;
    type Future = BoxFuture<'static, io::Result<Self::Output>>;

    fn upgrade_inbound(self, io: C, name: &'static str) -> Self::Future {
        if name == TLS {
            let done = self.tls.upgrade_inbound(io, name).map_ok(|(peer, inside)| (peer, Either::Left(inside)));
            return done.map_err(io::Error::other).boxed();
        }
        let done = self.noise.upgrade_inbound(io, name).map_ok(|(peer, inside)| (peer, Either::Right(inside)));
        done.map_err(io::Error::other).boxed()
    }
}

impl<C: AsyncRead + AsyncWrite + Send + Unpin + 'static> OutboundConnectionUpgrade<C> for Secure {
    type Output = (PeerId, Inside<C>);
    type Error = io::Error;
    type Future = BoxFuture<'static, io::Result<Self::Output>>;

    fn upgrade_outbound(self, io: C, name: &'static str) -> Self::Future {
        if name == TLS {
            let done = self.tls.upgrade_outbound(io, name).map_ok(|(peer, inside)| (peer, Either::Left(inside)));
            return done.map_err(io::Error::other).boxed();
        }
        let done = self.noise.upgrade_outbound(io, name).map_ok(|(peer, inside)| (peer, Either::Right(inside)));
        done.map_err(io::Error::other).boxed()
    }
}
