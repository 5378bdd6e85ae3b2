//! The handle to a person's devices.

use super::{
    book,
    code::{Code, NoCode},
    joining::{self, Standing as Joining},
    line::Line,
    offer::{self, Decision, Offer, Standing, State, Take},
    talk::{self, Device, Myself, TENANTS_MAX, is_loopback, is_name},
};
use crate::{
    audit::{Audit, What},
    did::Did,
    foreign::shown,
    job::Moment,
    store::Store,
    sync::{Link, Peers},
    task::Tasks,
};
use anyhow::{Context as _, Error, bail};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::{Notify, mpsc::error::TrySendError, watch};
use tokio_util::sync::CancellationToken;

/// The devices of this node's owner, this one among them. Cheap to clone.
#[derive(Clone)]
pub struct Devices(Arc<Inner>);

struct Inner {
    own: String,
    store: Store,
    sync: Peers,
    audit: Audit,
    line: Box<dyn Line>,
    tasks: Tasks,
    offer: Mutex<Option<Offer>>,
    joining: Mutex<watch::Receiver<Joining>>,
    /// Devices may lack grants.
    lacking: Notify,
    /// One offer is made at a time.
    offering: tokio::sync::Mutex<()>,
    /// Grants are given and taken back one after another.
    granting: tokio::sync::Mutex<()>,
    /// Ends the joining that is under way.
    leave: Mutex<CancellationToken>,
    is_own: Box<dyn Fn(&str) -> bool + Send + Sync>,
}

impl std::fmt::Debug for Devices {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Devices({})", self.0.own)
    }
}

/// Why something with devices cannot be.
#[derive(Debug, thiserror::Error)]
pub enum NoDevice {
    #[error(transparent)]
    Code(#[from] NoCode),
    #[error("{0}")]
    Wrong(String),
    #[error("{0} is no device of this node: toft device ls")]
    NotFound(String),
    #[error("no device waits to be let in: toft pair makes an offer, and the other device answers it")]
    NobodyAsks,
    #[error("{0:#}")]
    Line(Error),
    #[error("{0:#}")]
    Fault(#[from] Error),
}

/// An offer that was made.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Offered {
    /// What the other device is given: `toft join CODE`.
    pub code: String,
    pub expires: Option<Moment>,
}

/// A device of this node's owner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Device")]
pub struct Listed {
    pub did: String,
    pub name: String,
    /// It is this one.
    pub this: bool,
    /// Since when it is one. None: nobody has given it a name.
    pub added: Option<Moment>,
    /// It came in by a code of this node: it acts in the name of its identities whose records both keep.
    pub let_in: bool,
    pub address: Option<String>,
    pub connected: bool,
    pub in_sync: bool,
}

impl Devices {
    /// `is_own`: is this DID an identity of this node?
    pub fn new(
        (own, store): (String, Store),
        (sync, audit): (Peers, Audit),
        (line, tasks): (impl Line, &Tasks),
        is_own: impl Fn(&str) -> bool + Send + Sync + 'static,
    ) -> Self {
        let (offer, joining) = (Mutex::default(), Mutex::new(watch::channel(Joining::NONE).1));
        Self(Arc::new(Inner {
            own,
            store,
            sync,
            audit,
            line: Box::new(line),
            tasks: tasks.clone(),
            offer,
            joining,
            lacking: Notify::new(),
            offering: tokio::sync::Mutex::default(),
            granting: tokio::sync::Mutex::default(),
            leave: Mutex::default(),
            is_own: Box::new(is_own),
        }))
    }

    /// Makes an offer to one device, in place of the one before. `tenants`: what both will keep; none: this node's own records and
    /// the other's.
    pub async fn offer(&self, tenants: Vec<String>) -> Result<Offered, NoDevice> {
        if let Some(not) = tenants.iter().find(|tenant| tenant.parse::<Did>().is_err()) {
            return Err(NoDevice::Wrong(format!("{} is not a DID", shown(not))));
        }
        if tenants.len() > TENANTS_MAX {
            return Err(NoDevice::Wrong(format!("one offer is for {TENANTS_MAX} tenants at most")));
        }
        let _alone = self.0.offering.lock().await;
        let mut before = self.standing();
        self.withdraw();
        // It gives back the protocol's name when it ends.
        while before.changed().await.is_ok() {}
        let own = self.myself().await?;
        let take = Taker { devices: self.clone(), tenants };
        let (offer, run) = offer::make(&*self.0.line, (own, offer::LIFE), take).await.map_err(NoDevice::Line)?;
        let offered = Offered { code: offer.code.to_string(), expires: offer.standing.borrow().expires };
        *self.offered() = Some(offer);
        self.spawn("offer", run);
        Ok(offered)
    }

    /// How the offer stands, and will.
    pub fn standing(&self) -> watch::Receiver<Standing> {
        self.offered().as_ref().map_or_else(|| watch::channel(Standing::NONE).1, |offer| offer.standing.clone())
    }

    /// The owner lets in the device that shows these digits, or, without digits, turns it away. How it stands then.
    pub async fn decide(&self, digits: Option<String>) -> Result<Standing, NoDevice> {
        let (decide, mut standing) = {
            let offer = self.offered();
            let offer = offer.as_ref().ok_or(NoDevice::NobodyAsks)?;
            (offer.decide.clone(), offer.standing.clone())
        };
        if standing.borrow_and_update().state != State::Asks {
            return Err(NoDevice::NobodyAsks);
        }
        match decide.try_send(digits.map_or(Decision::TurnAway, Decision::LetIn)) {
            Ok(()) | Err(TrySendError::Full(_)) => {}
            Err(TrySendError::Closed(_)) => return Err(NoDevice::NobodyAsks),
        }
        let is_over = |standing: &Standing| standing.state != State::Asks;
        let decided = standing.wait_for(is_over).await.context("the offer has ended").map_err(NoDevice::Fault)?;
        Ok(decided.clone())
    }

    /// Ends the offer. `false`: there was none.
    pub fn withdraw(&self) -> bool {
        let offer = self.offered().take();
        offer.is_some_and(|offer| {
            let stood = matches!(offer.standing.borrow().state, State::Open | State::Asks);
            drop(offer.decide.try_send(Decision::Withdraw)); // dropped, it says the same
            stood
        })
    }

    /// Goes to the device that made an offer, in place of the one before. `at`: where it is, if not where the code says. `share`: it may
    /// keep the records of this node's own identities too, as far as it asks for them.
    pub async fn join(&self, code: &str, at: Option<String>, share: bool) -> Result<Joining, NoDevice> {
        let mut code: Code = code.parse()?;
        if let Some(at) = at {
            code.addresses = vec![its_address(&code, &at)?];
        }
        let left = self.leaving(CancellationToken::new());
        let own = self.myself().await?;
        let (asking, link) = joining::ask(&*self.0.line, &own, &code).await.map_err(NoDevice::Line)?;
        let waits = Joining::waits(&asking);
        let (tell, standing) = watch::channel(waits.clone());
        *self.0.joining.lock().unwrap_or_else(PoisonError::into_inner) = standing;
        let this = self.clone();
        self.spawn("join", async move {
            let joined = this.await_decision(asking.device, (link, left), share).await;
            if let Err(error) = &joined {
                tracing::info!("not joined: {error:#}");
            }
            tell.send_replace(joined.unwrap_or_else(|error| Joining::failed(&error)));
        });
        Ok(waits)
    }

    /// Gives joining up, if it waits. `false`: it did not, or it was decided just now.
    pub async fn leave(&self) -> bool {
        let mut standing = self.joining();
        if standing.borrow().state != joining::State::Waits {
            return false;
        }
        self.leaving(CancellationToken::new());
        let ended = standing.wait_for(|standing| standing.state != joining::State::Waits).await;
        ended.is_ok_and(|standing| standing.state != joining::State::Joined)
    }

    /// The joining before is given up.
    fn leaving(&self, next: CancellationToken) -> CancellationToken {
        let mut leave = self.0.leave.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *leave, next.clone()).cancel();
        next
    }

    async fn await_decision(
        &self,
        device: Device,
        (mut link, left): (Link, CancellationToken),
        share: bool,
    ) -> Result<Joining, Error> {
        let waited = tokio::select! {
            waited = tokio::time::timeout(offer::LIFE, talk::await_decision(&mut link)) => waited,
            () = left.cancelled() => bail!("it was given up here"),
        };
        let mut tenants = waited.context("nobody decided there within ten minutes")??;
        // Whose code it is may be anybody: what is this node's own is shared only if its owner said so here.
        tenants.retain(|tenant| share || !(self.0.is_own)(tenant));
        if tenants.is_empty() {
            bail!("the other device asks for this one's own records alone: toft join --share lets it keep them");
        }
        let tenants = self.add(&device, tenants, false).await?;
        talk::taken(&mut link).await;
        Ok(Joining::joined(device, tenants))
    }

    /// How joining stands, and will.
    pub fn joining(&self) -> watch::Receiver<Joining> {
        self.0.joining.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// This device first, then the others by name.
    pub fn list(&self) -> Result<Vec<Listed>, Error> {
        let kept = book::of(&self.0.store, &self.0.own)?;
        let name = kept.as_ref().map_or_else(book::host, |kept| kept.name.clone());
        let (did, added) = (self.0.own.clone(), kept.map(|kept| kept.added));
        let this =
            Listed { did, name, this: true, added, let_in: false, address: None, connected: true, in_sync: true };
        let mut others = Vec::new();
        for status in self.0.sync.peers().into_iter().filter(|status| status.peer.friend.is_none()) {
            let kept = book::of(&self.0.store, &status.peer.did)?;
            let (added, let_in) = (kept.as_ref().map(|kept| kept.added), kept.as_ref().is_some_and(|kept| kept.let_in));
            let name = kept.map_or_else(|| status.peer.did.clone(), |kept| kept.name);
            let (did, address) = (status.peer.did, Some(status.peer.address));
            let (connected, in_sync) = (status.connected, status.in_sync);
            others.push(Listed { did, name, this: false, added, let_in, address, connected, in_sync });
        }
        others.sort_by(|one, other| (&one.name, &one.did).cmp(&(&other.name, &other.did)));
        others.insert(0, this);
        Ok(others)
    }

    /// Calls a device something else. `device`: its DID, or what it is called.
    pub async fn rename(&self, device: &str, name: &str) -> Result<Listed, NoDevice> {
        if !is_name(name) {
            return Err(NoDevice::Wrong(format!("a name is 1 to {} plain letters", talk::NAME_MAX)));
        }
        let found = self.found(device)?;
        let others = self.list()?;
        if others.iter().any(|other| other.did != found.did && other.name == name) {
            return Err(NoDevice::Wrong(format!("another device is called {} already", shown(name))));
        }
        let kept = book::name(&self.0.store, &found.did, name, false).await?;
        Ok(Listed { name: kept.name, added: Some(kept.added), ..found })
    }

    /// A device is none any more: what it has it keeps, and nothing more goes there. `device`: its DID, or what it is called.
    pub async fn remove(&self, device: &str) -> Result<Listed, NoDevice> {
        let found = self.found(device)?;
        if found.this {
            return Err(NoDevice::Wrong("this is this device itself: remove it on another one".into()));
        }
        self.0.sync.remove(&found.did).await?;
        book::forget(&self.0.store, &found.did).await?;
        Ok(Listed { connected: false, in_sync: false, ..found })
    }

    /// Did it come in by a code of this node?
    pub fn is_let_in(&self, did: &str) -> Result<bool, Error> {
        Ok(book::of(&self.0.store, did)?.is_some_and(|kept| kept.let_in))
    }

    /// The devices that are ones because the records of this identity say so.
    pub fn named_by(&self, identity: &str) -> Result<BTreeSet<String>, Error> {
        book::named_by(&self.0.store, identity)
    }

    /// The records of this identity say that this is a device. It is called what it is called there, if no other is.
    pub async fn add_named(&self, did: &str, name: &str, identity: &str) -> Result<(), Error> {
        let is_taken = self.list()?.iter().any(|other| other.did != did && other.name == name);
        let name = if is_taken || !is_name(name) { did } else { name };
        book::name_by(&self.0.store, did, name, identity).await.map(drop)
    }

    /// What a peer was called that is none any more.
    pub async fn forget(&self, did: &str) -> Result<(), Error> {
        book::forget(&self.0.store, did).await
    }

    /// Something has changed that devices need a grant for.
    pub fn lack_grants(&self) {
        self.0.lacking.notify_one();
    }

    /// Resolves when devices may lack grants.
    pub async fn lacking(&self) {
        self.0.lacking.notified().await;
    }

    /// Held while a device is given grants, or loses them: whoever has it looks first whether the device is one yet.
    pub async fn granting(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.0.granting.lock().await
    }

    /// The device of this DID, or of this name.
    pub fn found(&self, device: &str) -> Result<Listed, NoDevice> {
        let (mut by_name, mut by_did) = (Vec::new(), None);
        for listed in self.list()? {
            match (listed.did == device, listed.name == device) {
                (true, _) => by_did = Some(listed),
                (_, true) => by_name.push(listed),
                _ => {}
            }
        }
        match (by_did, by_name.len()) {
            (Some(found), _) => Ok(found),
            (None, 0) => Err(NoDevice::NotFound(shown(device).to_string())),
            (None, 1) => Ok(by_name.remove(0)),
            (None, _) => Err(NoDevice::Wrong(format!("several devices are called {}: name its DID", shown(device)))),
        }
    }

    /// Keeps in step with a device from now on, under the name it gave itself if no other has it.
    async fn add(&self, device: &Device, tenants: Vec<String>, is_let_in: bool) -> Result<Vec<String>, Error> {
        let tenants = match tenants.is_empty() {
            true => vec![self.0.own.clone(), device.did.clone()],
            false => tenants,
        };
        if let Err(why) = self.0.sync.check(&device.did, &device.address, &tenants) {
            bail!(why);
        }
        let taken = self.list()?.into_iter().any(|other| other.did != device.did && other.name == device.name);
        let end = device.did.get(device.did.len().saturating_sub(6)..).unwrap_or_default();
        let name = if taken { format!("{} {end}", device.name) } else { device.name.clone() };
        let about = json!({"did": device.did, "tenants": tenants, "name": name, "paired": true});
        self.0.audit.note(What::PeerAdded, "owner", about).await?;
        book::name(&self.0.store, &device.did, &name, is_let_in).await?;
        let peer = match self.0.sync.add(device.did.clone(), device.address.clone(), tenants).await {
            Ok(peer) => peer,
            Err(error) => {
                book::forget(&self.0.store, &device.did).await?;
                return Err(error);
            }
        };
        self.lack_grants();
        Ok(peer.tenants)
    }

    async fn myself(&self) -> Result<Myself, NoDevice> {
        let mut addresses = self.0.line.addresses().await.map_err(NoDevice::Line)?;
        // Of use to others are those of this machine alone last.
        addresses.sort_by_key(|address| (is_loopback(address), address.contains("/quic-v1")));
        let kept = book::of(&self.0.store, &self.0.own)?;
        Ok(Myself { did: self.0.own.clone(), name: kept.map_or_else(book::host, |kept| kept.name), addresses })
    }

    fn offered(&self) -> MutexGuard<'_, Option<Offer>> {
        self.0.offer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn spawn(&self, name: &'static str, run: impl Future<Output = ()> + Send + 'static) {
        let stop = self.0.tasks.stop();
        self.0.tasks.spawn(name, async move {
            tokio::select! {
                () = run => {}
                () = stop.cancelled() => {}
            }
            Ok(())
        });
    }
}

/// What an address given by hand must be: the device's that made the offer.
fn its_address(code: &Code, at: &str) -> Result<String, NoDevice> {
    let peer = code.addresses.first().and_then(|address| address.rsplit_once("/p2p/")).map(|(_, peer)| peer);
    let peer = peer.ok_or(NoDevice::Code(NoCode::Shape))?;
    match at.rsplit_once("/p2p/") {
        _ if !at.starts_with('/') => {
            Err(NoDevice::Wrong(format!("{} is no multiaddr, such as /ip4/192.0.2.7/tcp/4001", shown(at))))
        }
        Some((_, id)) if id == peer => Ok(at.to_owned()),
        Some(_) if !at.ends_with("/p2p-circuit") => {
            Err(NoDevice::Wrong(format!("the code is of another device than {}", shown(at))))
        }
        _ => Ok(format!("{at}/p2p/{peer}")),
    }
}

/// Takes in who is let in.
struct Taker {
    devices: Devices,
    tenants: Vec<String>,
}

impl Take for Taker {
    async fn take(&self, device: Device) -> Result<Vec<String>, Error> {
        self.devices.add(&device, self.tenants.clone(), true).await
    }
}
