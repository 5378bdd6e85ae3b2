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
    bounds::{check, check_part},
    budget::{Budget, For, Rate, Subject},
    crypto::PublicKey,
    did::{self, Did, DidUrl, Document, dht, web},
    dwn::Fault,
    foreign::shown,
    metrics::Metrics,
    store::Store,
};
use anyhow::{Context as _, anyhow};
use cache::{Cache, Known, Place};
use http::{Client, Failure, Target};
use packets::{Kept, Origin, Packets, Refused};
use prometheus_client::metrics::{counter::Counter, family::Family};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// How long a document is used before it is asked for again: also how long a revoked key may go on here.
const FRESH: Duration = Duration::from_secs(600);
/// How long a failure is remembered, and how long an outdated document is used before the next try: short at first, twice as
/// long after each failure.
const RETRY: Duration = Duration::from_secs(1);
/// And never longer than this.
const RETRY_MAX: Duration = Duration::from_secs(60);
/// How often a document that lacks a key is asked for again because of that.
const MISSED_EVERY: Duration = Duration::from_secs(10);
/// How long after it was last confirmed a did:web document serves while its host cannot be asked.
const STALE: Duration = Duration::from_secs(3600);
/// A packet published here this lately (seconds) is not compared with the gateway's.
const RELAY_FRESH: u64 = 3600;
/// Largest did:web document. Real ones have 2 KiB.
const DOCUMENT_MAX: usize = 64 << 10;
const MINUTE: Duration = Duration::from_secs(60);
/// Lookups a minute for one did:dht: more than a remembered answer ever needs.
const LOOKUPS_PER_DID: u32 = 12;
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
    /// Lookups over the network a minute, all together.
    pub lookups_per_minute: u32,
    /// Of these, one address (of IPv6, one /64).
    pub lookups_per_address: u32,
    /// Of these, only for the owner, his devices and DIDs whose documents were good before.
    pub lookups_reserved: u32,
    /// DIDs whose documents are remembered, all together.
    pub remembered: u32,
    /// Of these, those that one address was the first to ask for.
    pub remembered_per_address: u32,
    /// Keys that may publish their did:dht here.
    pub relay_keys: u32,
    /// Of these, new ones a day, all together and from one address.
    pub relay_new_keys: u32,
    pub relay_new_keys_per_address: u32,
    /// Packets taken a minute, all together and from one address.
    pub relay_per_minute: u32,
    pub relay_per_address: u32,
}

impl Config {
    /// Is every bound in its range?
    pub fn check(&self) -> Result<(), Fault> {
        check("resolve.lookups_per_minute", self.lookups_per_minute, 8..=10_000)?;
        check_part(
            "resolve.lookups_per_address",
            self.lookups_per_address,
            1,
            ("lookups_per_minute", self.lookups_per_minute),
        )?;
        check_part(
            "resolve.lookups_reserved",
            self.lookups_reserved,
            1,
            ("lookups_per_minute", self.lookups_per_minute),
        )?;
        check("resolve.remembered", self.remembered, 64..=16_384)?;
        check_part("resolve.remembered_per_address", self.remembered_per_address, 1, ("remembered", self.remembered))?;
        check("resolve.relay_keys", self.relay_keys, 16..=1_000_000)?;
        check("resolve.relay_new_keys", self.relay_new_keys, 2..=self.relay_keys)?;
        check_part(
            "resolve.relay_new_keys_per_address",
            self.relay_new_keys_per_address,
            1,
            ("relay_new_keys", self.relay_new_keys),
        )?;
        check("resolve.relay_per_minute", self.relay_per_minute, 2..=10_000)?;
        check_part("resolve.relay_per_address", self.relay_per_address, 1, ("relay_per_minute", self.relay_per_minute))
    }
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
            lookups_per_address: 30,
            lookups_reserved: 30,
            remembered: 1024,
            remembered_per_address: 256,
            relay_keys: 10_000,
            relay_new_keys: 2000,
            relay_new_keys_per_address: 100,
            relay_per_minute: 240,
            relay_per_address: 60,
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
    #[error("{}: did:web is not resolved here (resolve.web and resolve.web_hosts in node.toml)", shown(.0.as_str()))]
    NotAllowed(Did),
    #[error("{} is not known: it is not published here{}", shown(.0.as_str()), .1)]
    Unknown(Did, &'static str),
    #[error("{} could not be resolved: {}", shown(.0.as_str()), .1)]
    Fetch(Did, Failure),
    #[error("{} could not be resolved: its packet is wrong: {}", shown(.0.as_str()), shown(.1))]
    Packet(Did, String),
    #[error("{} is not resolved now: too many lookups this minute", shown(.0.as_str()))]
    TooMany(Did),
    #[error("{} could not be resolved: {}", shown(.0.as_str()), .1)]
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
    /// Packets published here, and those of them with a new key.
    taken: Budget,
    new_keys: Budget,
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
            cache: Cache::new(cache::Size {
                most: config.remembered as usize,
                share: config.remembered_per_address as usize,
            }),
            asked: Budget::new(Rate {
                most: config.lookups_per_minute,
                share: config.lookups_per_address,
                reserved: config.lookups_reserved,
                over: MINUTE,
            }),
            taken: relay::taken(config),
            new_keys: relay::new_keys(config),
            packets: Packets::open(store, config.relay_keys as usize).context("reading the kept did:dht packets")?,
            lookups,
        })))
    }

    /// The key of the verification method that `kid` (a DID URL) names, exactly, if it may sign. If the document that is
    /// remembered lacks it, it may be new: the document is asked for once more.
    pub async fn key(&self, kid: &str, asker: Asker) -> Result<PublicKey, Error> {
        let url: DidUrl = kid.parse()?;
        let missing = match self.document(&url.did, asker).await?.key(kid) {
            Ok(key) => return Ok(key.clone()),
            Err(missing) => missing,
        };
        match self.newer(&url.did, asker).await {
            Some(document) => Ok(document.key(kid)?.clone()),
            None => Err(missing.into()),
        }
    }

    /// The document of a DID.
    pub async fn document(&self, did: &Did, asker: Asker) -> Result<Arc<Document>, Error> {
        let Some(source) = self.0.source(did)? else { return Ok(Arc::new(did.document()?)) };
        let place = self.0.cache.place(did, asker, Instant::now()).ok_or_else(|| Error::TooMany(did.clone()))?;
        // The first to come asks, the others wait here for what it finds out. If it gives up, the next one asks.
        let mut known = place.known.lock().await;
        if let Some(known) = known.as_ref().filter(|known| Instant::now() < known.fresh_until) {
            return known.outcome.clone();
        }
        // A stranger's lookup is never charged to somebody known, nor this one to who happens to ask.
        let account =
            if place.is_good() || self.0.is_kept(&source, did) { For::Known(place.from()) } else { For::Asker(asker) };
        let found = self.0.look_up(did, &source, account).await;
        let now = Instant::now();
        let failures = known.as_ref().map_or(0, |known| known.failures);
        let retry = now + RETRY.saturating_mul(1 << failures.min(16)).min(RETRY_MAX);
        let next = match (found, known.as_ref()) {
            (Ok(document), _) => found_now(&place, document, None),
            (Err(error), Some(old)) if error.is_outage() && old.outcome.is_ok() && now < old.confirmed + STALE => {
                tracing::warn!("{error}; what was known of it {} s ago is used", (now - old.confirmed).as_secs());
                Known { fresh_until: retry, failures: failures + 1, ..old.clone() }
            }
            // That we have asked too much says nothing about this DID: the next one may ask again.
            (Err(error @ Error::TooMany(_)), _) => return Err(error),
            (Err(error), _) => {
                Known { outcome: Err(error), fresh_until: retry, confirmed: now, missed: None, failures: failures + 1 }
            }
        };
        known.insert(next).outcome.clone()
    }

    /// The document as it is now, if it has not been asked for because of a missing key just before. On the account of
    /// who asks, for anybody can name a key that is not there.
    async fn newer(&self, did: &Did, asker: Asker) -> Option<Arc<Document>> {
        let source = self.0.source(did).ok().flatten()?;
        let place = self.0.cache.place(did, asker, Instant::now())?;
        let mut known = place.known.lock().await;
        let lacking = known.as_mut()?;
        let now = Instant::now();
        let due = lacking.missed.map_or(lacking.confirmed + RETRY, |missed| missed + MISSED_EVERY);
        if now < due {
            // Somebody else may just have brought the newer one.
            return lacking.outcome.clone().ok();
        }
        let found = self.0.look_up(did, &source, For::Asker(asker)).await;
        match found {
            Ok(document) => {
                let next = found_now(&place, document, Some(now));
                let document = next.outcome.clone().ok();
                *known = Some(next);
                document
            }
            Err(Error::TooMany(_)) => None,
            Err(_) => {
                lacking.missed = Some(now);
                None
            }
        }
    }

    /// The relay for others' packets, if this node is one.
    pub fn relay(&self) -> Option<Relay> {
        self.0.config.relay.then(|| Relay(self.clone()))
    }
}

/// What is known of a DID whose document has just been had.
fn found_now(place: &Place, document: Document, missed: Option<Instant>) -> Known {
    place.was_good();
    let now = Instant::now();
    Known { outcome: Ok(Arc::new(document)), fresh_until: now + FRESH, confirmed: now, missed, failures: 0 }
}

impl Inner {
    /// Where the document has to be looked up; nothing if it stands in the DID. Whatever can be refused without asking anybody is
    /// refused here, before it takes a place in the cache.
    fn source(&self, did: &Did) -> Result<Option<Source>, Error> {
        match did.method() {
            "web" => Ok(Some(Source::Web(self.web_target(did)?))),
            "dht" if dht::is_id(did.identifier()) => Ok(Some(Source::Dht)),
            "dht" => Err(did.invalid("not an Ed25519 key in z-base-32").into()),
            _ => Ok(None),
        }
    }

    /// A packet of it was good before and is kept, whether the document is remembered or not.
    fn is_kept(&self, source: &Source, did: &Did) -> bool {
        matches!(source, Source::Dht) && self.packets.is_kept(did.identifier())
    }

    async fn look_up(&self, did: &Did, source: &Source, account: For) -> Result<Document, Error> {
        let (method, found) = match source {
            Source::Web(target) => ("web", self.look_up_web(did, target, account).await),
            Source::Dht => ("dht", self.look_up_dht(did, account).await),
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

    async fn look_up_web(&self, did: &Did, target: &Target, account: For) -> Result<Document, Error> {
        let host = Subject { name: &target.authority, most: LOOKUPS_PER_HOST, share: LOOKUPS_PER_HOST / 2 };
        if !self.asked.take(account, host) {
            return Err(Error::TooMany(did.clone()));
        }
        let bytes = self.client.get(target).await.map_err(|failure| Error::Fetch(did.clone(), failure))?;
        Ok(Document::from_json(did, &bytes)?)
    }

    async fn look_up_dht(&self, did: &Did, account: For) -> Result<Document, Error> {
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
        let packet = match (self.fetch_packet(did, account).await, kept) {
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
            Err(Refused::Old { .. } | Refused::Full(_)) => {
                let kept = self.packets.get(id).map_err(fault)?;
                Ok(kept.map_or(Ok(document), |kept| kept.packet.document(did))?)
            }
            Err(Refused::Fault(error)) => Err(fault(error)),
        }
    }

    async fn fetch_packet(&self, did: &Did, account: For) -> Result<dht::Packet, Error> {
        let Some(gateway) = &self.gateway else {
            return Err(Error::Unknown(did.clone(), ", and no gateway is set (resolve.dht_gateway in node.toml)"));
        };
        let subject = Subject { name: did.as_str(), most: LOOKUPS_PER_DID, share: LOOKUPS_PER_DID / 2 };
        if !self.asked.take(account, subject) {
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
