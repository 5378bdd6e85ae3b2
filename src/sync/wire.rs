//! Frames between two devices, and the handshake in which both ends prove their DIDs.
//!
//! A frame is its length (u32, big-endian) and a DAG-CBOR value. The proof is a signature over both DIDs,
//! both nonces and both ends' peer ids: a stream relayed through a third machine has other peer ids and
//! does not verify.

use crate::{
    asker::Asker,
    crypto::{Signer, Transcript},
    did::DidUrl,
    foreign::shown,
    resolve::Resolver,
};
use anyhow::{Context as _, Error, anyhow, bail};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeSet, sync::Arc};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

/// Name of the protocol on libp2p streams.
pub const PROTOCOL: &str = "/toft/sync/1.0.0";
const VERSION: u32 = 1;
/// A frame holds one message (or a chunk of data); messages are kept far below this.
const FRAME_MAX: usize = 4 << 20;
/// A frame of the handshake holds a DID or a signature, at most the names of some hundred tenants.
const GREETING_MAX: usize = 256 << 10;
/// Data travels in chunks of this size.
pub const CHUNK: usize = 256 << 10;

/// The two directions of a stream between two devices, and who libp2p says is at each end.
pub struct Link {
    pub stream: Box<dyn Stream>,
    pub local_peer: String,
    pub remote_peer: String,
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Link({} to {})", self.local_peer, self.remote_peer)
    }
}

/// Anything that reads and writes bytes.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// What goes over the stream after the handshake.
#[derive(Debug, Serialize, Deserialize)]
pub enum Frame {
    /// "I have these": tenant and message CID, in the order they must be applied.
    Offer(Vec<(String, String)>),
    /// "Send me these": indexes into the last offer.
    Want(Vec<u32>),
    /// One wanted message; `Data` frames follow when `data` is some number of bytes.
    Item {
        tenant: String,
        cid: String,
        #[serde(with = "serde_bytes")]
        message: Vec<u8>,
        data: Option<u64>,
    },
    /// A piece of the last item's data. An empty one before all bytes came: the sender no longer has them.
    Data(#[serde(with = "serde_bytes")] Vec<u8>),
    /// What the door answered to an item.
    Ack { cid: String, code: u16, detail: String },
}

#[derive(Debug, Serialize, Deserialize)]
struct Hello {
    version: u32,
    did: String,
    #[serde(with = "serde_bytes")]
    nonce: Vec<u8>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Proof {
    kid: String,
    #[serde(with = "serde_bytes")]
    signature: Vec<u8>,
}

/// What the other end hears once it has proved who it is: tenants this end is willing to share, or why it is no peer.
#[derive(Debug, Serialize, Deserialize)]
enum Welcome {
    Tenants(Vec<String>),
    No(String),
}

/// Who this device is.
#[derive(Debug, Clone)]
pub struct Own {
    pub did: String,
    pub signer: Arc<Signer>,
}

/// Both ends say hello and prove their DIDs; only then each says which tenants it shares with the other
/// (`tenants_for`; `None`: it is no peer of ours). Returns the other end's DID and the tenants both share.
pub async fn handshake<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    (local_peer, remote_peer): (&str, &str),
    own: &Own,
    resolver: &Resolver,
    tenants_for: impl Fn(&str) -> Option<Vec<String>>,
) -> Result<(String, BTreeSet<String>), Error> {
    let mut nonce = [0; 32];
    getrandom::fill(&mut nonce).map_err(|e| anyhow!("the operating system gave no randomness: {e}"))?;
    write(stream, &Hello { version: VERSION, did: own.did.clone(), nonce: nonce.to_vec() }).await?;
    let theirs: Hello = read_up_to(GREETING_MAX, stream).await.context("waiting for the other device's hello")?;
    if theirs.version != VERSION {
        bail!("the other device speaks sync version {}; this toft speaks {VERSION}", theirs.version);
    }
    let ours = (own.did.as_str(), &nonce[..], local_peer);
    let other = (theirs.did.as_str(), theirs.nonce.as_slice(), remote_peer);
    let signature = own.signer.sign_transcript(&transcript(ours, other)).to_vec();
    write(stream, &Proof { kid: own.signer.kid().to_owned(), signature }).await?;
    let proof: Proof = read_up_to(GREETING_MAX, stream).await.context("waiting for the other device's proof")?;
    let kid: DidUrl = proof.kid.parse().context("the other device's proof names no key")?;
    if kid.did.as_str() != theirs.did {
        bail!("the other device says it is {} and signs with a key of {}", shown(&theirs.did), shown(kid.did.as_str()));
    }
    let key =
        resolver.key(&proof.kid, Asker::Device).await.with_context(|| format!("resolving {}", shown(&proof.kid)))?;
    if !key.verify(transcript(other, ours).as_bytes(), &proof.signature) {
        bail!("the other device could not prove that it is {}", shown(&theirs.did));
    }
    let Some(tenants) = tenants_for(&theirs.did) else {
        let did = &own.did;
        let no =
            format!("{did} does not have this node as a peer yet; there: toft peer add {} <multiaddr>", theirs.did);
        write(stream, &Welcome::No(no)).await?;
        stream.shutdown().await?; // else the reason may be lost with the stream
        let did = shown(&theirs.did);
        bail!("{did} is not a peer of this node; add it with: toft peer add {did} <multiaddr>");
    };
    write(stream, &Welcome::Tenants(tenants.clone())).await?;
    match read_up_to(GREETING_MAX, stream).await.context("waiting for the other device's tenants")? {
        Welcome::Tenants(theirs_too) => {
            Ok((theirs.did, tenants.into_iter().filter(|t| theirs_too.contains(t)).collect()))
        }
        Welcome::No(reason) => bail!("{}", shown(&reason)),
    }
}

/// What the `signer` end signs about itself and the `other` end. It begins with the protocol's name, as nothing else that
/// this key signs does.
fn transcript(signer: (&str, &[u8], &str), other: (&str, &[u8], &str)) -> Transcript {
    [signer, other].into_iter().fold(Transcript::new(PROTOCOL), |transcript, (did, nonce, peer)| {
        transcript.with(did.as_bytes()).with(nonce).with(peer.as_bytes())
    })
}

/// Writes one frame and flushes it.
pub async fn write<T: Serialize>(stream: &mut (impl AsyncWrite + Unpin), frame: &T) -> Result<(), Error> {
    let bytes = serde_ipld_dagcbor::to_vec(frame).context("encoding a frame")?;
    stream.write_all(&(bytes.len() as u32).to_be_bytes()).await?;
    stream.write_all(&bytes).await?;
    stream.flush().await?;
    Ok(())
}

/// Reads one frame; a length above the bound is refused before anything is allocated.
pub async fn read<T: for<'de> Deserialize<'de>>(stream: &mut (impl AsyncRead + Unpin)) -> Result<T, Error> {
    read_up_to(FRAME_MAX, stream).await
}

async fn read_up_to<T: for<'de> Deserialize<'de>>(
    most: usize,
    stream: &mut (impl AsyncRead + Unpin),
) -> Result<T, Error> {
    let length = stream.read_u32().await? as usize;
    if length > most {
        bail!("a frame of {length} bytes is above the bound of {most}");
    }
    let mut bytes = vec![0; length];
    stream.read_exact(&mut bytes).await?;
    serde_ipld_dagcbor::from_slice(&bytes).context("a frame is not what this protocol speaks")
}

#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
