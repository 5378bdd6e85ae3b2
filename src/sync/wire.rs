//! The handshake in which both ends prove their DIDs, and how values become bytes.
//!
//! A frame is its length (u32, big-endian) and a DAG-CBOR value; after the handshake frames lie in chunks (`squeeze.rs`). The
//! proof is a signature over both DIDs, both nonces and both ends' peer ids: a stream relayed through a third machine has other
//! peer ids and does not verify.

use super::{
    reconcile::Keyed,
    term::{Offer, Terms},
};
use crate::{
    asker::Asker,
    crypto::{Signer, Transcript},
    did::DidUrl,
    foreign::shown,
    resolve::Resolver,
};
use anyhow::{Context as _, Error, anyhow, bail};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

/// Name of the protocol on libp2p streams.
pub const PROTOCOL: &str = "/toft/sync/3.0.0";
const VERSION: u32 = 3;
/// A frame holds one message (or a piece of data); messages are kept far below this.
pub const FRAME_MAX: usize = 4 << 20;
/// A frame of the handshake holds a DID or a signature, at most the names of some hundred tenants.
const GREETING_MAX: usize = 256 << 10;

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

/// Who is at the other end, and what is said with it.
#[derive(Debug)]
pub struct Greeted {
    pub did: String,
    /// Tenants that both share, and on what terms.
    pub terms: Terms,
    /// What both ends hash with in this session.
    pub key: Keyed,
    /// The other end can be told which states the writer of a message knew.
    pub hears_knew: bool,
}

/// [`Hello::understands`]: `Knew` frames.
const KNEW: &str = "knew";

#[derive(Debug, Serialize, Deserialize)]
struct Hello {
    version: u32,
    did: String,
    #[serde(with = "serde_bytes")]
    nonce: Vec<u8>,
    /// What this device understands that an older one does not; who does not know it passes over it.
    #[serde(default)]
    understands: Vec<String>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Proof {
    kid: String,
    #[serde(with = "serde_bytes")]
    signature: Vec<u8>,
}

/// What the other end hears once it has proved who it is: what this end is willing to share, or why it is no peer.
#[derive(Debug, Serialize, Deserialize)]
enum Welcome {
    Share(Offer),
    No(String),
}

/// Why nothing is shared with who has proved who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Not {
    /// It is none of ours.
    APeer,
    /// Sync is paused.
    Now,
}

/// Who this device is.
#[derive(Debug, Clone)]
pub struct Own {
    pub did: String,
    pub signer: Arc<Signer>,
}

/// Both ends say hello and prove their DIDs; only then each says which tenants it shares with the other
/// (`offer_to`).
pub async fn handshake<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    (local_peer, remote_peer): (&str, &str),
    own: &Own,
    resolver: &Resolver,
    offer_to: impl Fn(&str) -> Result<Offer, Not>,
) -> Result<Greeted, Error> {
    let mut nonce = [0; 32];
    getrandom::fill(&mut nonce).map_err(|e| anyhow!("the operating system gave no randomness: {e}"))?;
    let understands = vec![KNEW.to_owned()];
    write(stream, &Hello { version: VERSION, did: own.did.clone(), nonce: nonce.to_vec(), understands }).await?;
    let theirs: Hello = read_up_to(GREETING_MAX, stream).await.context("waiting for the other device's hello")?;
    if theirs.version != VERSION {
        bail!("the other device speaks sync version {}; this toft speaks {VERSION}", theirs.version);
    }
    let ours = (own.did.as_str(), &nonce[..], local_peer);
    let other = (theirs.did.as_str(), theirs.nonce.as_slice(), remote_peer);
    let (kid, signature) = own.signer.sign_transcript(&transcript(ours, other))?;
    write(stream, &Proof { kid, signature: signature.to_vec() }).await?;
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
    let offer = match offer_to(&theirs.did) {
        Ok(offer) => offer,
        Err(not) => {
            let (own, did) = (&own.did, shown(&theirs.did));
            let (there, here) = match not {
                Not::APeer => (
                    format!(
                        "{own} does not have this node as a peer yet; there: toft peer add {did} <multiaddr> for another device of \
                         the same person, which gets all; toft friend add {did} --at <multiaddr> for somebody else's",
                        did = theirs.did
                    ),
                    format!(
                        "{did} is not a peer of this node; a device of yours is added with toft peer add, somebody else's with \
                         toft friend add"
                    ),
                ),
                Not::Now => (
                    format!("sync is paused on {own}; there: toft sync resume"),
                    format!("{did} came while sync is paused here"),
                ),
            };
            write(stream, &Welcome::No(there)).await?;
            stream.shutdown().await?; // else the reason may be lost with the stream
            bail!("{here}");
        }
    };
    write(stream, &Welcome::Share(offer.clone())).await?;
    match read_up_to(GREETING_MAX, stream).await.context("waiting for the other device's tenants")? {
        Welcome::Share(theirs_too) => {
            let terms = offer.agreed(&theirs_too).map_err(|taken_for| {
                let did = shown(&theirs.did);
                anyhow!(
                    "{did} has this node as {taken_for}, and is not that here: both sides add one another with toft friend add; with \
                     toft peer add only if both are devices of one person, who shares all"
                )
            })?;
            let (mine, other) = (nonce.as_slice(), theirs.nonce.as_slice());
            let nonces = if own.did < theirs.did { [mine, other] } else { [other, mine] };
            let hears_knew = theirs.understands.iter().any(|what| what == KNEW);
            Ok(Greeted { did: theirs.did, terms, key: Keyed::new(nonces), hears_knew })
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

/// A value's bytes.
pub fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>, Error> {
    serde_ipld_dagcbor::to_vec(value).context("encoding a frame")
}

pub fn decode<T: for<'de> Deserialize<'de>>(bytes: &[u8]) -> Result<T, Error> {
    serde_ipld_dagcbor::from_slice(bytes).context("a frame is not what this protocol speaks")
}

/// Writes one frame and flushes it.
pub async fn write<T: Serialize>(stream: &mut (impl AsyncWrite + Unpin), frame: &T) -> Result<(), Error> {
    let bytes = encode(frame)?;
    stream.write_all(&(bytes.len() as u32).to_be_bytes()).await?;
    stream.write_all(&bytes).await?;
    Ok(stream.flush().await?)
}

/// Reads one frame; a length above `most` is refused before anything is allocated.
pub async fn read_up_to<T: for<'de> Deserialize<'de>>(
    most: usize,
    stream: &mut (impl AsyncRead + Unpin),
) -> Result<T, Error> {
    let length = stream.read_u32().await? as usize;
    if length > most {
        bail!("a frame of {length} bytes is above the bound of {most}");
    }
    let mut bytes = vec![0; length];
    stream.read_exact(&mut bytes).await?;
    decode(&bytes)
}

#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{crypto::ed25519_public, did, metrics::Metrics, resolve, store, sums::Sum};
    use zeroize::Zeroizing;

    fn device(seed: u8) -> Own {
        let did = did::key::from_ed25519(&ed25519_public(&[seed; 32]));
        let signer = Arc::new(Signer::new(Zeroizing::new([seed; 32]), did::key::kid(&did)));
        Own { did: did.to_string(), signer }
    }

    fn shared(_: &str) -> Result<Offer, Not> {
        Ok(Offer::Device { tenants: vec!["did:example:alice".into()] })
    }

    #[tokio::test]
    async fn both_ends_know_each_other_and_hash_alike() {
        let dir = tempfile::tempdir().expect("a directory");
        let store = store::Store::open(dir.path(), &store::Config::default()).expect("opens");
        let resolver = Resolver::new(&resolve::Config::default(), store, &Metrics::default()).expect("a resolver");
        let (one, two) = (device(1), device(2));
        let (mut here, mut there) = tokio::io::duplex(1 << 16);
        let first = handshake(&mut here, ("one", "two"), &one, &resolver, shared);
        let second = handshake(&mut there, ("two", "one"), &two, &resolver, shared);
        let (first, second) = tokio::join!(first, second);
        let (first, second) = (first.expect("greeted"), second.expect("greeted"));
        assert_eq!((&first.did, &second.did), (&two.did, &one.did));
        let of = |greeted: &Greeted| greeted.key.fingerprint(&Sum::default());
        assert_eq!(of(&first), of(&second));
    }
}
