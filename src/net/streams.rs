//! Streams for other modules' own protocols, without libp2p's types.

use super::{Duplex, Error};
use futures::StreamExt as _;
use libp2p::{PeerId, StreamProtocol};
use libp2p_stream::{Control, OpenStreamError};
use tokio::sync::mpsc;
use tokio_util::compat::FuturesAsyncReadCompatExt as _;

/// Streams a peer opened that nobody has taken yet, per protocol.
const ACCEPTED_MAX: usize = 16;

/// A stream a peer opened.
pub struct Incoming {
    pub peer: String,
    pub stream: Box<dyn Duplex>,
}

impl std::fmt::Debug for Incoming {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Incoming").field("peer", &self.peer).finish_non_exhaustive()
    }
}

pub async fn open(mut control: Control, peer: PeerId, protocol: &str) -> Result<Box<dyn Duplex>, Error> {
    let stream = control.open_stream(peer, name(protocol)?).await.map_err(|error| match error {
        OpenStreamError::UnsupportedProtocol(_) => {
            Error::Unsupported { peer: peer.to_string(), protocol: protocol.to_owned() }
        }
        other => Error::Stream { peer: peer.to_string(), reason: other.to_string() },
    })?;
    Ok(Box::new(stream.compat()))
}

/// Streams for `protocol`, until the receiver is dropped.
pub fn accept(mut control: Control, protocol: &str) -> Result<mpsc::Receiver<Incoming>, Error> {
    let mut incoming = control.accept(name(protocol)?).map_err(|_| Error::ProtocolTaken(protocol.to_owned()))?;
    let (tx, rx) = mpsc::channel(ACCEPTED_MAX);
    tokio::spawn(async move {
        loop {
            let next = tokio::select! {
                next = incoming.next() => next,
                () = tx.closed() => None,
            };
            let Some((peer, stream)) = next else { return };
            let incoming = Incoming { peer: peer.to_string(), stream: Box::new(stream.compat()) };
            if tx.send(incoming).await.is_err() {
                return;
            }
        }
    });
    Ok(rx)
}

fn name(protocol: &str) -> Result<StreamProtocol, Error> {
    StreamProtocol::try_from_owned(protocol.to_owned()).map_err(|_| Error::ProtocolName(protocol.to_owned()))
}
