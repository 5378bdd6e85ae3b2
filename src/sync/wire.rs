//! The handshake in which both ends prove their DIDs, and how values become bytes.
//!
//! A frame is its length (u32, big-endian) and a DAG-CBOR value; after the handshake frames lie in chunks (`squeeze.rs`). The
//! proof is a signature over both DIDs, both nonces, both ends' peer ids and both runs: a stream relayed through a third machine has other
//! peer ids and does not verify.

use super::{
    reconcile::Keyed,
    runs::{Copies, Run, TwoCopies},
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
pub const PROTOCOL: &str = "/toft/sync/4.0.0";
const VERSION: u32 = 4;
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
    /// The run of the other end.
    pub run: Run,
    /// What the other end says of copies of this node.
    pub copies: Option<Copies>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Hello {
    version: u32,
    did: String,
    #[serde(with = "serde_bytes")]
    nonce: Vec<u8>,
    run: Run,
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
    /// The same as `Share`, to the older of two copies.
    Beside(Offer, Copies),
    /// Nothing, to the younger one.
    Younger(Copies),
}

/// This node is the younger of two copies, says a peer.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{copies}; {by} shares with the one that has done so for longer, and not with this one: stop one of the two")]
pub struct Younger {
    pub copies: TwoCopies,
    /// The peer's DID.
    pub by: String,
}

/// Why nothing is shared with who has proved who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Not {
    /// It is none of ours.
    APeer,
    /// Sync is paused.
    Now,
    /// This node is the younger of two copies.
    Itself,
    /// It is the younger of two copies.
    Younger(Copies),
}

/// What is shared with a peer, and what it is told of copies of itself.
pub type Offered = (Offer, Option<Copies>);

/// Who this device is.
#[derive(Debug, Clone)]
pub struct Own {
    pub did: String,
    pub signer: Arc<Signer>,
}

/// Both ends say hello and prove their DIDs; only then each says which tenants it shares with the other
/// (`offer_to`, which hears of the other's run). `asker`: on whose account the DID that the other end names is looked up.
pub async fn handshake<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    (local_peer, remote_peer): (&str, &str),
    (own, run): (&Own, Run),
    (resolver, asker): (&Resolver, Asker),
    offer_to: impl Fn(&str, Run) -> Result<Offered, Not>,
) -> Result<Greeted, Error> {
    let mut nonce = [0; 32];
    getrandom::fill(&mut nonce).map_err(|e| anyhow!("the operating system gave no randomness: {e}"))?;
    let hello = Hello { version: VERSION, did: own.did.clone(), nonce: nonce.to_vec(), run };
    write(stream, &hello).await?;
    let theirs: Hello = read_up_to(GREETING_MAX, stream).await.context("waiting for the other device's hello")?;
    if theirs.version != VERSION {
        bail!("the other device speaks sync version {}; this toft speaks {VERSION}", theirs.version);
    }
    let (ours, other) = ((&hello, local_peer), (&theirs, remote_peer));
    let (kid, signature) = own.signer.sign_transcript(&transcript(ours, other))?;
    write(stream, &Proof { kid, signature: signature.to_vec() }).await?;
    let proof: Proof = read_up_to(GREETING_MAX, stream).await.context("waiting for the other device's proof")?;
    let kid: DidUrl = proof.kid.parse().context("the other device's proof names no key")?;
    if kid.did.as_str() != theirs.did {
        bail!("the other device says it is {} and signs with a key of {}", shown(&theirs.did), shown(kid.did.as_str()));
    }
    let key = resolver.key(&proof.kid, asker).await.with_context(|| format!("resolving {}", shown(&proof.kid)))?;
    if !key.verify(transcript(other, ours).as_bytes(), &proof.signature) {
        bail!("the other device could not prove that it is {}", shown(&theirs.did));
    }
    let (offer, beside) = match offer_to(&theirs.did, theirs.run) {
        Ok(offered) => offered,
        Err(not) => {
            let (there, here) = turned_away(not, &own.did, &shown(&theirs.did).to_string());
            write(stream, &there).await?;
            stream.shutdown().await?; // else the reason may be lost with the stream
            bail!("{here}");
        }
    };
    let welcome = match beside {
        None => Welcome::Share(offer.clone()),
        Some(copies) => Welcome::Beside(offer.clone(), copies),
    };
    write(stream, &welcome).await?;
    let (theirs_too, copies) =
        match read_up_to(GREETING_MAX, stream).await.context("waiting for the other device's tenants")? {
            Welcome::Share(offer) => (offer, None),
            Welcome::Beside(offer, copies) => (offer, Some(copies).filter(|copies| copies.older.id == run.id)),
            Welcome::No(reason) => bail!("{}", shown(&reason)),
            Welcome::Younger(copies) if copies.younger.id == run.id => {
                return Err(Younger { copies: copies.of(&own.did), by: theirs.did }.into());
            }
            Welcome::Younger(_) => bail!("{} speaks of a copy that this node is not", shown(&theirs.did)),
        };
    let terms = offer.agreed(&theirs_too).map_err(|taken_for| {
        let did = shown(&theirs.did);
        anyhow!(
            "{did} has this node as {taken_for}, and is not that here: both sides add one another with toft friend add; with \
             toft peer add only if both are devices of one person, who shares all"
        )
    })?;
    let (mine, other) = (nonce.as_slice(), theirs.nonce.as_slice());
    let nonces = if own.did < theirs.did { [mine, other] } else { [other, mine] };
    Ok(Greeted { did: theirs.did, terms, key: Keyed::new(nonces), run: theirs.run, copies })
}

/// What who is no peer (`did`) is told, and what is said here.
fn turned_away(not: Not, own: &str, did: &str) -> (Welcome, String) {
    match not {
        Not::APeer => (
            Welcome::No(format!(
                "{own} does not have this node as a peer yet; there: toft peer add {did} <multiaddr> for another device of \
                 the same person, which gets all; toft friend add {did} --at <multiaddr> for somebody else's"
            )),
            format!(
                "{did} is not a peer of this node; a device of yours is added with toft peer add, somebody else's with \
                 toft friend add"
            ),
        ),
        Not::Now => (
            Welcome::No(format!("sync is paused on {own}; there: toft sync resume")),
            format!("{did} came while sync is paused here"),
        ),
        Not::Itself => (
            Welcome::No(format!("at this address runs the younger of two copies of {own}, which shares nothing")),
            format!("{did} came while this node shares nothing: it is the younger of two copies"),
        ),
        Not::Younger(copies) => {
            (Welcome::Younger(copies), format!("the younger copy was turned away: {}", copies.of(did)))
        }
    }
}

/// What the `signer` end signs about itself and the `other` end. It begins with the protocol's name, as nothing else that
/// this key signs does.
fn transcript(signer: (&Hello, &str), other: (&Hello, &str)) -> Transcript {
    [signer, other].into_iter().fold(Transcript::new(PROTOCOL), |transcript, (hello, peer)| {
        let Run { id, since } = hello.run;
        let transcript = transcript.with(hello.did.as_bytes()).with(&hello.nonce).with(peer.as_bytes());
        transcript.with(&id.to_be_bytes()).with(&since.to_be_bytes())
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

    const FIRST: Run = Run { id: 1, since: 100 };
    const SECOND: Run = Run { id: 2, since: 200 };

    fn shared() -> Result<Offered, Not> {
        Ok((Offer::Device { tenants: vec!["did:example:alice".into()] }, None))
    }

    /// Both ends of a handshake between two devices; the first one offers this.
    async fn meet(offers: impl Fn(Run) -> Result<Offered, Not>) -> [Result<Greeted, Error>; 2] {
        let dir = tempfile::tempdir().expect("a directory");
        let store = store::Store::open(dir.path(), &store::Config::default()).expect("opens");
        let resolver = Resolver::new(&resolve::Config::default(), store, &Metrics::default()).expect("a resolver");
        let (one, two) = (device(1), device(2));
        let (mut here, mut there) = tokio::io::duplex(1 << 16);
        let resolver = (&resolver, Asker::Device);
        let first = handshake(&mut here, ("one", "two"), (&one, FIRST), resolver, |_, run| offers(run));
        let second = handshake(&mut there, ("two", "one"), (&two, SECOND), resolver, |_, _| shared());
        let (first, second) = tokio::join!(first, second);
        [first, second]
    }

    #[tokio::test]
    async fn both_ends_know_each_other_and_hash_alike() {
        let [first, second] = meet(|_| shared()).await.map(|greeted| greeted.expect("greeted"));
        assert_eq!((first.did, second.did), (device(2).did, device(1).did));
        assert_eq!((first.run, second.run, second.copies), (SECOND, FIRST, None));
        let of = |key: &Keyed| key.fingerprint(&Sum::default());
        assert_eq!(of(&first.key), of(&second.key));
    }

    #[tokio::test]
    async fn copies_are_told_and_who_speaks_of_others_is_not_believed() {
        let (other, own) = (Run { id: 3, since: 150 }, device(2).did);
        let older = Copies { older: SECOND, younger: other };
        let [_, second] = meet(|_| shared().map(|(offer, _)| (offer, Some(older)))).await;
        assert_eq!(second.expect("greeted").copies, Some(older));
        let [first, second] = meet(|run| Err(Not::Younger(Copies { older: other, younger: run }))).await;
        assert!(first.expect_err("it is turned away").to_string().contains("the younger copy was turned away"));
        let told = second.expect_err("it is turned away");
        let told = told.downcast_ref::<Younger>().expect("says so");
        assert_eq!((&told.copies.did, &told.by), (&own, &device(1).did));
        // Of runs that this node is none of.
        let [_, second] = meet(|run| Err(Not::Younger(Copies { older: run, younger: other }))).await;
        assert!(second.expect_err("it is turned away").downcast_ref::<Younger>().is_none());
        let [_, second] =
            meet(|_| shared().map(|(offer, _)| (offer, Some(Copies { older: other, younger: SECOND })))).await;
        assert_eq!(second.expect("greeted").copies, None);
    }
}
