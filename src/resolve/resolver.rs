//! Who looks up, remembers and asks again: one lookup at a time for each DID.

use super::{
    cache::{self, Cache, Known, Slot},
    config::{Config, Web},
    error::Error,
    http::{Client, Failure, Target},
    packets::{self, Kept, Origin, Packets, Refused},
};
use crate::{
    asker::Asker,
    budget::{Budget, For, Subject},
    crypto::PublicKey,
    did::{Did, DidUrl, Document, dht, web},
    dwn::Fault,
    metrics::Metrics,
    store::Store,
};
use anyhow::Context as _;
use jiff::Timestamp;
use prometheus_client::metrics::{counter::Counter, family::Family};
use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
    time::{Duration, Instant},
};

/// How long a document is used before it is asked for again: also how long a revoked key may go on here.
const FRESH: Duration = Duration::from_secs(600);
/// How long a failure is remembered, and how long an outdated document is used before the next try: short at first, twice as
/// long after each failure.
pub(super) const RETRY: Duration = Duration::from_secs(1);
/// And never longer than this.
const RETRY_MAX: Duration = Duration::from_secs(60);
/// How often a document that lacks a key is asked for again because of that.
const MISSED_EVERY: Duration = Duration::from_secs(10);
/// How long after it was last confirmed a did:web document serves while its host cannot be asked.
const STALE: Duration = Duration::from_secs(3600);
/// A packet published here this lately (seconds) is not compared with the gateway's.
const RELAY_FRESH: u64 = 3600;
/// Largest did:web document. Real ones have 2 KiB.
pub(super) const DOCUMENT_MAX: usize = 64 << 10;
/// Lookups a minute for one did:dht: more than a remembered answer ever needs.
const LOOKUPS_PER_DID: u32 = 12;
/// Lookups a minute at one did:web host, whatever DIDs are made up for it: this node is nobody's flood.
pub(super) const LOOKUPS_PER_HOST: u32 = 30;

#[derive(Debug, Clone, Hash, PartialEq, Eq, prometheus_client::encoding::EncodeLabelSet)]
struct Label {
    method: &'static str,
    outcome: &'static str,
}

/// Finds the key that a signature names. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Resolver(pub(super) Arc<Inner>);

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) config: Config,
    gateway: Option<Target>,
    client: Client,
    pub(super) cache: Cache,
    /// Lookups at others.
    asked: Budget,
    /// Packets published here, and those of them with a new key.
    pub(super) taken: Budget,
    pub(super) new_keys: Budget,
    pub(super) packets: Packets,
    /// Keys with which identities of this node signed before.
    past: RwLock<HashMap<String, (PublicKey, Timestamp)>>,
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
            gateway: config.gateway()?,
            config: config.clone(),
            client: Client::new().context("preparing TLS")?,
            cache: Cache::new(cache::Size {
                most: config.remembered as usize,
                share: config.remembered_per_address as usize,
            }),
            asked: config.asked(),
            taken: config.taken(),
            new_keys: config.new_keys(),
            packets: Packets::open(store, config.relay_keys as usize).context("reading the kept did:dht packets")?,
            past: RwLock::default(),
            lookups,
        })))
    }

    /// The key that signed under `kid` at a time: that of [`Self::key`], or one that did then and does no more.
    pub async fn key_at(&self, kid: &str, at: &str, asker: Asker) -> Result<PublicKey, Error> {
        let at = at.parse::<Timestamp>().ok();
        let own = self.0.past.read().unwrap_or_else(PoisonError::into_inner).get(kid).cloned();
        if let Some((key, _)) = own.filter(|(_, until)| at.is_some_and(|at| at < *until)) {
            return Ok(key);
        }
        let url: DidUrl = kid.parse()?;
        let past = match (self.0.source(&url.did)?, at) {
            (Some(Source::Dht), Some(at)) => self.document(&url.did, asker).await?.past_key(kid, at).cloned(),
            _ => None,
        };
        match past {
            Some(key) => Ok(key),
            None => self.key(kid, asker).await,
        }
    }

    /// Has [`Self::key_at`] know a key of an identity of this node.
    pub fn remember_past(&self, kid: &str, key: PublicKey, until: Timestamp) {
        self.0.past.write().unwrap_or_else(PoisonError::into_inner).insert(kid.to_owned(), (key, until));
    }

    /// The packet that is kept of a did:dht, if one is.
    pub fn own_packet(&self, did: &Did) -> Result<Option<dht::Packet>, Fault> {
        Ok(self.0.packets.get(did.identifier())?.map(|kept| kept.packet))
    }

    /// Keeps the packet of an identity of this node. Durable when this returns.
    pub async fn keep_own(&self, did: &Did, packet: &dht::Packet) -> Result<(), Fault> {
        let kept = self.0.packets.take(did.identifier(), packet, Origin::Own).await;
        kept.with_context(|| format!("keeping the packet of {did}"))?;
        self.0.cache.forget(did);
        Ok(())
    }

    /// Puts the packets of these identities of this node to the gateway. Those that can be put are, whatever becomes of the others.
    pub async fn publish(&self, dids: &[Did]) -> Result<(), Fault> {
        let gateway = self.0.gateway.as_ref();
        let gateway =
            gateway.context("identity.publish is set, and resolve.dht_gateway is not: there is nowhere to publish")?;
        let mut failed = Vec::new();
        for did in dids {
            let Some(packet) = self.own_packet(did)? else { continue };
            let target = Target { path: format!("{}{}", gateway.path, did.identifier()), ..gateway.clone() };
            if let Err(failure) = self.0.client.put(&target, packet.payload().into()).await {
                failed.push(format!("{did}: {failure}"));
            }
        }
        anyhow::ensure!(failed.is_empty(), "not published: {}", failed.join("; "));
        Ok(())
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
}

/// What is known of a DID whose document has just been had.
fn found_now(place: &Slot, document: Document, missed: Option<Instant>) -> Known {
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
        if let Some(kept) =
            kept.as_ref().filter(|kept| self.gateway.is_none() || kept.origin == Origin::Own || relayed(kept))
        {
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
