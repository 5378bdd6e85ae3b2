//! QUIC, forgiving towards peers that stop listening once they have spoken.
//!
//! kubo up to 0.31 opens a stream for a Bitswap message, writes protocol name and message in one go and closes both
//! directions. On QUIC the closing arrives as STOP_SENDING. Our answer "yes, that protocol" then cannot be written, and
//! libp2p gives up the negotiation together with the message that is already there: nothing could be fetched from such
//! a peer. go-multistream has the same on its listening side and ignores the failed echo
//! (multiformats/go-multistream#87). So do we, for as many bytes as an echo can have.

use futures::{AsyncRead, AsyncWrite};
use libp2p::PeerId;
use libp2p::core::Transport;
use libp2p::core::muxing::{StreamMuxer, StreamMuxerEvent};
use libp2p::quic;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

/// What negotiation writes on an inbound stream at most: the header (20 bytes) and a protocol's name, whose
/// length libp2p limits to 140, with some refusals before it.
const ECHO_MAX: usize = 256;

type Inner = quic::tokio::Transport;

pub fn transport(
    config: quic::Config,
) -> impl Transport<Output = (PeerId, Muxer), Error = <Inner as Transport>::Error, Dial: Send, ListenerUpgrade: Send>
+ Send
+ Unpin
+ use<> {
    Inner::new(config).map(|(peer, connection), _| (peer, Muxer(connection)))
}

pub struct Muxer(quic::Connection);

pub struct Stream {
    inner: quic::Stream,
    /// Bytes that may still be written into the void.
    forgiven: usize,
}

impl StreamMuxer for Muxer {
    type Substream = Stream;
    type Error = quic::Error;

    fn poll_inbound(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<Stream, quic::Error>> {
        Pin::new(&mut self.0).poll_inbound(cx).map_ok(|inner| Stream { inner, forgiven: ECHO_MAX })
    }

    fn poll_outbound(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<Stream, quic::Error>> {
        Pin::new(&mut self.0).poll_outbound(cx).map_ok(|inner| Stream { inner, forgiven: 0 })
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), quic::Error>> {
        Pin::new(&mut self.0).poll_close(cx)
    }

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<StreamMuxerEvent, quic::Error>> {
        Pin::new(&mut self.0).poll(cx)
    }
}

impl AsyncRead for Stream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_read(cx, buf)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write(cx, buf);
        match written {
            // quinn says "connection reset" when the peer has stopped this one stream.
            Poll::Ready(Err(e)) if e.kind() == io::ErrorKind::ConnectionReset && self.forgiven > 0 => {
                let len = buf.len().min(self.forgiven);
                self.forgiven -= len;
                Poll::Ready(Ok(len))
            }
            Poll::Ready(Ok(len)) => {
                self.forgiven = self.forgiven.saturating_sub(len);
                Poll::Ready(Ok(len))
            }
            other => other,
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_close(cx)
    }
}
