//! What the network says of other people: the documents behind their DIDs.
//!
//! did:key and did:jwk carry their document in themselves and are answered at once. did:web asks the host that the
//! DID names; did:dht asks this node's own relay and then the configured gateway. Every such question is one that a
//! stranger made us ask, so it is bounded: no private addresses, one lookup at a time per DID, so many a minute, and
//! both answers and failures are remembered for a while. Nobody can use up what all may ask: see [`Asker`].
//!
//! A gateway is not trusted: packets are signed by the key that the DID is, and the newest one seen is kept in the
//! store, so that a gateway can keep a change from us but never take us back. When it cannot be asked, the packet
//! kept holds on. A did:web document seen lately serves through an outage of its host for `STALE`.
//!
//! What it does not do: the mainline DHT itself, or publishing to other relays.

mod address;
mod budget;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod cache;
mod http;
mod packets;
mod relay;

#[cfg(test)]
mod tests;

pub use relay::{Error as RelayError, Relay};

use crate::{
    asker::Asker,
    crypto::PublicKey,
    did::{self, Did, DidUrl, Document, dht, web},
    dwn::Fault,
    metrics::Metrics,
    store::Store,
};
use anyhow::{Context as _, anyhow};
use budget::Budget;
use cache::{Cache, Known};
use http::{Client, Failure, Target};
use packets::{Kept, Origin, Packets, Refused};
use prometheus_client::metrics::{counter::Counter, family::Family};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// How long a document is used before it is asked for again: also how long a revoked key may go on here.
const FRESH: Duration = Duration::from_secs(600);
/// How long a failure is remembered, and how long an outdated document is used before the next try.
const RETRY: Duration = Duration::from_secs(60);
/// How long after it was last confirmed a did:web document serves while its host cannot be asked.
const STALE: Duration = Duration::from_secs(3600);
/// A packet published here this lately (seconds) is not compared with the gateway's.
const RELAY_FRESH: u64 = 3600;
/// Largest did:web document. Real ones have 2 KiB.
const DOCUMENT_MAX: usize = 64 << 10;
/// Lookups a minute for one did:dht: more than a remembered answer ever needs.
const LOOKUPS_PER_DID: u32 = 6;
/// Lookups a minute at one did:web host, whatever DIDs are made up for it: this node is nobody's flood.
const LOOKUPS_PER_HOST: u32 = 30;

#[derive(Debug, Clone, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Whether did:web is resolved: over https, at public addresses.
    pub web: Web,
    /// Hosts (`host` or `host:port`) that did:web may ask with `web = "allow-list"`.
    pub web_hosts: Vec<String>,
    /// Hosts (`host` or `host:port`) asked over plain http, private addresses too. For tests.
    pub web_insecure_hosts: Vec<String>,
    /// Base URL of the pkarr gateway that did:dht packets are fetched from. Empty: only what is published here.
    pub dht_gateway: String,
    /// People may publish their did:dht here (`PUT /<key>` at the DWN endpoint).
    pub relay: bool,
    /// Lookups over the network a minute, all together. One place on the internet gets a quarter of them.
    pub lookups_per_minute: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            web: Web::On,
            web_hosts: vec![],
            web_insecure_hosts: vec![],
            dht_gateway: String::new(),
            relay: true,
            lookups_per_minute: 120,
        }
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Web {
    Off,
    /// Only the hosts in `web_hosts`.
    AllowList,
    #[default]
    On,
}

/// Why a DID or a key of it was not found.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Did(#[from] did::Error),
    #[error("{0}: did:web is not resolved here (resolve.web and resolve.web_hosts in node.toml)")]
    NotAllowed(Did),
    #[error("{0} is not known: it is not published here{1}")]
    Unknown(Did, &'static str),
    #[error("{0} could not be resolved: {1}")]
    Fetch(Did, Failure),
    #[error("{0} could not be resolved: its packet is wrong: {1}")]
    Packet(Did, String),
    #[error("{0} is not resolved now: too many lookups this minute")]
    TooMany(Did),
    #[error("{0} could not be resolved: {1}")]
    Fault(Did, String),
}

impl Error {
    /// Says nothing about the DID, only that its place could not be asked.
    fn is_outage(&self) -> bool {
        matches!(self, Self::Fetch(_, Failure::Unreachable(_)) | Self::TooMany(_) | Self::Fault(..))
            || matches!(self, Self::Fetch(_, Failure::Refused(status)) if status.is_server_error())
    }
}

#[derive(Debug, Clone, Hash, PartialEq, Eq, prometheus_client::encoding::EncodeLabelSet)]
struct Label {
    method: &'static str,
    outcome: &'static str,
}

/// Finds the key that a signature names. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Resolver(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    config: Config,
    gateway: Option<Target>,
    client: Client,
    cache: Cache,
    /// Lookups at others.
    asked: Budget,
    /// Packets published here.
    taken: Budget,
    packets: Packets,
    lookups: Family<Label, Counter>,
}

/// Where a document is.
enum Source {
    Web(Target),
    Dht,
}

impl Resolver {
    pub fn new(config: &Config, store: Store, metrics: &Metrics) -> Result<Self, Fault> {
        let lookups = Family::default();
        metrics.register(|r| {
            r.register("resolve_lookups", "Lookups of DIDs that were not remembered, by outcome", lookups.clone());
        });
        Ok(Self(Arc::new(Inner {
            gateway: gateway(&config.dht_gateway)?,
            config: config.clone(),
            client: Client::new().context("preparing TLS")?,
            cache: Cache::default(),
            asked: Budget::new(config.lookups_per_minute),
            taken: relay::budget(),
            packets: Packets::open(store).context("reading the kept did:dht packets")?,
            lookups,
        })))
    }

    /// The key of the verification method that `kid` (a DID URL) names, exactly, if it may sign.
    pub async fn key(&self, kid: &str, asker: Asker) -> Result<PublicKey, Error> {
        let url: DidUrl = kid.parse()?;
        Ok(self.document(&url.did, asker).await?.key(kid)?.clone())
    }

    /// The document of a DID.
    pub async fn document(&self, did: &Did, asker: Asker) -> Result<Arc<Document>, Error> {
        // Whatever can be refused without asking anybody is refused before it takes a place in the cache.
        let source = match did.method() {
            "web" => Source::Web(self.0.web_target(did)?),
            "dht" if dht::is_id(did.identifier()) => Source::Dht,
            "dht" => return Err(did.invalid("not an Ed25519 key in z-base-32").into()),
            _ => return Ok(Arc::new(did.document()?)),
        };
        let place = self.0.cache.place(did, Instant::now());
        // The first to come asks, the others wait here for what it finds out. If it gives up, the next one asks.
        let mut known = place.lock().await;
        if let Some(known) = known.as_ref().filter(|known| Instant::now() < known.fresh_until) {
            return known.outcome.clone();
        }
        let found = self.0.look_up(did, &source, asker).await;
        let now = Instant::now();
        let next = match (found, known.as_ref()) {
            (Ok(document), _) => Known { outcome: Ok(Arc::new(document)), fresh_until: now + FRESH, confirmed: now },
            (Err(error), Some(old)) if error.is_outage() && old.outcome.is_ok() && now < old.confirmed + STALE => {
                tracing::warn!("{error}; what was known of it {} s ago is used", (now - old.confirmed).as_secs());
                Known { fresh_until: now + RETRY, ..old.clone() }
            }
            // That we have asked too much says nothing about this DID: the next one may ask again.
            (Err(error @ Error::TooMany(_)), _) => return Err(error),
            (Err(error), _) => Known { outcome: Err(error), fresh_until: now + RETRY, confirmed: now },
        };
        known.insert(next).outcome.clone()
    }

    /// The relay for others' packets, if this node is one.
    pub fn relay(&self) -> Option<Relay> {
        self.0.config.relay.then(|| Relay(self.clone()))
    }
}

impl Inner {
    async fn look_up(&self, did: &Did, source: &Source, asker: Asker) -> Result<Document, Error> {
        let (method, found) = match source {
            Source::Web(target) => ("web", self.look_up_web(did, target, asker).await),
            Source::Dht => ("dht", self.look_up_dht(did, asker).await),
        };
        let outcome = match &found {
            Ok(_) => "found",
            Err(Error::TooMany(_)) => "over_budget",
            Err(error) if error.is_outage() => "unreachable",
            Err(_) => "refused",
        };
        self.lookups.get_or_create(&Label { method, outcome }).inc();
        if let Err(error) = &found {
            tracing::debug!("{error}");
        }
        found
    }

    async fn look_up_web(&self, did: &Did, target: &Target, asker: Asker) -> Result<Document, Error> {
        if !self.asked.take_for(asker, (&target.authority, LOOKUPS_PER_HOST)) {
            return Err(Error::TooMany(did.clone()));
        }
        let bytes = self.client.get(target).await.map_err(|failure| Error::Fetch(did.clone(), failure))?;
        Ok(Document::from_json(did, &bytes)?)
    }

    async fn look_up_dht(&self, did: &Did, asker: Asker) -> Result<Document, Error> {
        let id = did.identifier();
        let fault = |fault: Fault| {
            tracing::error!("{did}: {fault:#}");
            Error::Fault(did.clone(), "this node cannot read or keep what it knows of it".into())
        };
        let kept = self.packets.get(id).map_err(fault)?;
        let relayed =
            |kept: &Kept| kept.origin == Origin::Relay && packets::now().saturating_sub(kept.arrived) < RELAY_FRESH;
        if let Some(kept) = kept.as_ref().filter(|kept| self.gateway.is_none() || relayed(kept)) {
            return Ok(kept.packet.document(did)?);
        }
        let packet = match (self.fetch_packet(did, asker).await, kept) {
            (Ok(packet), None) => packet,
            (Ok(packet), Some(kept)) if packet.seq() >= kept.packet.seq() => packet,
            (Ok(packet), Some(kept)) => {
                let (old, new) = (packet.seq(), kept.packet.seq());
                tracing::warn!("{did}: the gateway has sequence number {old}, {new} was seen before and is used");
                return Ok(kept.packet.document(did)?);
            }
            (Err(error), Some(kept)) => {
                tracing::warn!("{error}; the packet kept of it is used");
                return Ok(kept.packet.document(did)?);
            }
            (Err(error), None) => return Err(error),
        };
        let document = packet.document(did)?;
        match self.packets.take(id, &packet, Origin::Gateway).await {
            Ok(()) => Ok(document),
            // Somebody has published a newer one here meanwhile.
            Err(Refused::Old { .. } | Refused::Full) => {
                let kept = self.packets.get(id).map_err(fault)?;
                Ok(kept.map_or(Ok(document), |kept| kept.packet.document(did))?)
            }
            Err(Refused::Fault(error)) => Err(fault(error)),
        }
    }

    async fn fetch_packet(&self, did: &Did, asker: Asker) -> Result<dht::Packet, Error> {
        let Some(gateway) = &self.gateway else {
            return Err(Error::Unknown(did.clone(), ", and no gateway is set (resolve.dht_gateway in node.toml)"));
        };
        if !self.asked.take_for(asker, (did.as_str(), LOOKUPS_PER_DID)) {
            return Err(Error::TooMany(did.clone()));
        }
        let target = Target { path: format!("{}{}", gateway.path, did.identifier()), ..gateway.clone() };
        match self.client.get(&target).await {
            Ok(bytes) => dht::Packet::parse(did.identifier(), &bytes).map_err(|why| Error::Packet(did.clone(), why)),
            Err(Failure::Refused(status)) if status.as_u16() == 404 => {
                Err(Error::Unknown(did.clone(), ", and the gateway does not know it"))
            }
            Err(failure) => Err(Error::Fetch(did.clone(), failure)),
        }
    }

    /// Where the document of a did:web is fetched, if it may be.
    fn web_target(&self, did: &Did) -> Result<Target, Error> {
        let location = web::location(did)?;
        let authority = location.authority();
        let trusted = self.config.web_insecure_hosts.contains(&authority);
        let allowed = match self.config.web {
            Web::Off => false,
            Web::AllowList => trusted || self.config.web_hosts.contains(&authority),
            Web::On => true,
        };
        if !allowed {
            return Err(Error::NotAllowed(did.clone()));
        }
        let port = location.port.unwrap_or(if trusted { 80 } else { 443 });
        let (host, path) = (location.host, location.path);
        Ok(Target { tls: !trusted, host, port, authority, path, trusted, body_max: DOCUMENT_MAX })
    }
}

/// The gateway of the configuration. The operator has named it, so it may be anywhere.
fn gateway(text: &str) -> Result<Option<Target>, Fault> {
    if text.is_empty() {
        return Ok(None);
    }
    let wrong = || {
        anyhow!(
            "resolve.dht_gateway is \"{text}\"; it must be the base URL of a pkarr relay, such as https://pkarr.example"
        )
    };
    let url = url::Url::parse(text).with_context(wrong)?;
    let tls = match url.scheme() {
        "https" => true,
        "http" => false,
        _ => return Err(wrong()),
    };
    let plain = url.username().is_empty() && url.password().is_none() && url.query().is_none();
    let (Some(host), Some(port), true) = (url.host_str(), url.port_or_known_default(), plain) else {
        return Err(wrong());
    };
    let authority = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
    let path = format!("{}/", url.path().trim_end_matches('/'));
    let host = host.trim_matches(['[', ']']).to_owned();
    Ok(Some(Target { tls, host, port, authority, path, trusted: true, body_max: dht::PACKET_MAX }))
}
