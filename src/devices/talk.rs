//! What two devices say while they pair, over one stream. A frame is its length and a DAG-CBOR value, as in sync.
//!
//! | who | says |
//! |---|---|
//! | both | `Hello`: a nonce |
//! | joins | who it is, and its proof |
//! | gives | who it is, and its proof, or no |
//! | gives | once its owner has decided: what both will share, or no |
//! | joins | `Taken` |
//!
//! So the device that gives says who it is to nobody who does not know the secret. Whom the one that joins speaks with, it knows: the code
//! says which peer id it is.

use super::{
    code::Code,
    proof::{Role, Said, Side},
};
use crate::{
    did::Did,
    foreign::{is_plain, shown},
    sync::{Link, read_frame_up_to, write_frame},
};
use anyhow::{Context as _, Error, anyhow, bail};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

const VERSION: u32 = 1;
/// Of one frame.
const FRAME_MAX: usize = 16 << 10;
/// Characters of a device's name.
pub const NAME_MAX: usize = 64;
/// Tenants that two devices share by one offer.
pub const TENANTS_MAX: usize = 32;
const ADDRESSES_MAX: usize = 8;
const ADDRESS_MAX: usize = 512;
const NONCE: usize = 32;

/// A device as it says it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "PairedDevice")]
pub struct Device {
    pub did: String,
    /// What it calls itself.
    pub name: String,
    /// Where it is reached: a multiaddr that ends in its peer id.
    pub address: String,
}

/// This device.
#[derive(Debug, Clone)]
pub struct Myself {
    pub did: String,
    pub name: String,
    /// Multiaddrs, each ending in this node's peer id.
    pub addresses: Vec<String>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Hello {
    version: u32,
    nonce: ByteBuf,
}

/// Who one is.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Who {
    did: String,
    name: String,
    addresses: Vec<String>,
}

#[derive(Debug, Serialize, Deserialize)]
enum Turn {
    Proof { who: Who, mac: ByteBuf },
    No(String),
}

#[derive(Debug, Serialize, Deserialize)]
enum Decided {
    /// What both will keep.
    Share(Vec<String>),
    No(String),
}

#[derive(Debug, Serialize, Deserialize)]
struct Taken {}

/// A device that knows the secret asks to be let in.
#[derive(Debug)]
pub struct Asking {
    pub device: Device,
    pub digits: String,
}

/// What became of a stream that somebody opened to an offer.
#[derive(Debug)]
pub enum Heard {
    Asks(Asking),
    /// It does not know the secret.
    Guessed,
}

impl Hello {
    fn new() -> Result<Self, Error> {
        let mut nonce = [0; NONCE];
        getrandom::fill(&mut nonce).map_err(|e| anyhow!("the operating system gave no randomness: {e}"))?;
        Ok(Self { version: VERSION, nonce: ByteBuf::from(nonce) })
    }

    async fn read(link: &mut Link) -> Result<Self, Error> {
        let hello: Self = read_frame_up_to(FRAME_MAX, &mut link.stream).await.context("waiting for its hello")?;
        if hello.version != VERSION {
            bail!("the other device pairs in version {}; this toft in {VERSION}", hello.version);
        }
        if hello.nonce.len() != NONCE {
            bail!("the other device gives no nonce of {NONCE} bytes");
        }
        Ok(hello)
    }

    fn side<'a>(&'a self, peer: &'a str, who: &'a Who) -> Side<'a> {
        Side { did: &who.did, name: &who.name, peer, nonce: &self.nonce }
    }
}

impl Who {
    fn new(own: &Myself) -> Self {
        let addresses = own.addresses.iter().take(ADDRESSES_MAX).cloned().collect();
        Self { did: own.did.clone(), name: own.name.clone(), addresses }
    }

    fn check(&self) -> Result<(), Error> {
        if self.did.parse::<Did>().is_err() {
            bail!("the other device does not say who it is");
        }
        if !is_name(&self.name) {
            bail!("the other device has a name of no or more than {NAME_MAX} plain letters");
        }
        Ok(())
    }

    /// `reached`: the address it was reached at, if it was. Of its own words those count that end in its peer id.
    fn device(self, peer: &str, reached: Option<String>) -> Device {
        let end = format!("/p2p/{peer}");
        let is_its =
            |address: &String| address.ends_with(&end) && address.len() <= ADDRESS_MAX && address.starts_with('/');
        let told = || self.addresses.iter().take(ADDRESSES_MAX).filter(|address| is_its(address));
        let far = told().find(|address| !is_loopback(address)).or_else(|| told().next()).cloned();
        Device { address: reached.or(far).unwrap_or(end), did: self.did, name: self.name }
    }
}

/// Fit to call a device by.
pub fn is_name(name: &str) -> bool {
    !name.trim().is_empty() && name.chars().count() <= NAME_MAX && name.chars().all(is_plain)
}

pub fn is_loopback(address: &str) -> bool {
    ["/ip4/127.", "/ip6/::1/", "/dns4/localhost/", "/dns6/localhost/"].iter().any(|start| address.starts_with(start))
}

/// The end that made the offer, up to the owner's decision.
pub async fn hear(link: &mut Link, own: &Myself, secret: &[u8; 16]) -> Result<Heard, Error> {
    let theirs = Hello::read(link).await?;
    let ours = Hello::new()?;
    write_frame(&mut link.stream, &ours).await?;
    let Turn::Proof { who, mac } =
        read_frame_up_to(FRAME_MAX, &mut link.stream).await.context("waiting for its proof")?
    else {
        bail!("the other device has gone back");
    };
    let (local, remote) = (link.local_peer.clone(), link.remote_peer.clone());
    let (nobody, me) = (Who::default(), Who::new(own));
    let said = Said { gives: ours.side(&local, &nobody), joins: theirs.side(&remote, &who) };
    if !said.proves(secret, Role::Joins, &mac) {
        end(link, &Turn::No("that is not the code of the offer there, which is over now: make a new one".into())).await;
        return Ok(Heard::Guessed);
    }
    who.check()?;
    if who.did == own.did {
        bail!("this device itself has asked to join");
    }
    let said = Said { gives: ours.side(&local, &me), ..said };
    let (mac, digits) = (ByteBuf::from(said.proof(secret, Role::Gives)), said.digits(secret));
    write_frame(&mut link.stream, &Turn::Proof { who: Who::new(own), mac }).await?;
    Ok(Heard::Asks(Asking { device: who.device(&remote, None), digits }))
}

/// Tells the other end what the owner has decided, and waits until it has taken it.
pub async fn let_in(link: &mut Link, tenants: Vec<String>) -> Result<(), Error> {
    write_frame(&mut link.stream, &Decided::Share(tenants)).await?;
    let Taken {} = read_frame_up_to(FRAME_MAX, &mut link.stream).await.context("waiting until it has taken it")?;
    Ok(())
}

/// Resolves when the other end has gone, or says what it should not.
pub async fn gone(link: &mut Link) {
    drop(read_frame_up_to::<Taken>(FRAME_MAX, &mut link.stream).await);
}

/// Says no, and why.
pub async fn turn_away(link: &mut Link, why: &str) {
    end(link, &Decided::No(why.to_owned())).await;
}

/// The last word: the other end may be gone already.
async fn end(link: &mut Link, frame: &impl Serialize) {
    use tokio::io::AsyncWriteExt as _;
    if write_frame(&mut link.stream, frame).await.is_ok() {
        drop(link.stream.shutdown().await); // else the word may be lost with the stream
    }
}

/// The end that was given the code, up to the decision there: who the other is, and the digits.
pub async fn ask(link: &mut Link, own: &Myself, (code, reached): (&Code, &str)) -> Result<Asking, Error> {
    let ours = Hello::new()?;
    write_frame(&mut link.stream, &ours).await?;
    let theirs = Hello::read(link).await?;
    let (local, remote) = (link.local_peer.clone(), link.remote_peer.clone());
    let (nobody, me) = (Who::default(), Who::new(own));
    let said = Said { gives: theirs.side(&remote, &nobody), joins: ours.side(&local, &me) };
    let mac = ByteBuf::from(said.proof(&code.secret, Role::Joins));
    write_frame(&mut link.stream, &Turn::Proof { who: Who::new(own), mac }).await?;
    match read_frame_up_to(FRAME_MAX, &mut link.stream).await.context("waiting for its proof")? {
        Turn::Proof { who, mac } => {
            let said = Said { gives: theirs.side(&remote, &who), ..said };
            if !said.proves(&code.secret, Role::Gives, &mac) {
                bail!("the other device does not know the code itself: somebody stands between");
            }
            who.check()?;
            let digits = said.digits(&code.secret);
            Ok(Asking { device: who.device(&remote, Some(reached.to_owned())), digits })
        }
        Turn::No(why) => bail!("{}", shown(&why)),
    }
}

/// What the owner there has decided: the tenants that both will share.
pub async fn await_decision(link: &mut Link) -> Result<Vec<String>, Error> {
    match read_frame_up_to(FRAME_MAX, &mut link.stream).await.context("the other device has gone before it decided")? {
        Decided::Share(tenants)
            if tenants.len() <= TENANTS_MAX && tenants.iter().all(|did| did.parse::<Did>().is_ok()) =>
        {
            Ok(tenants)
        }
        Decided::Share(_) => bail!("the other device names tenants that are none"),
        Decided::No(why) => bail!("{}", shown(&why)),
    }
}

/// This end has taken the other in.
pub async fn taken(link: &mut Link) {
    end(link, &Taken {}).await;
}
