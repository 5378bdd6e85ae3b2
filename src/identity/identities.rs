//! The identities of a running node.

use super::{
    handed::Hatch,
    make::{self, now, signer},
    method::Method,
    root::{root, root_key_id},
};
use crate::{
    asker::Asker,
    crypto::{
        self, Locked, PublicKey, Secret, Signer,
        hd::{PrivateKey, Scheme},
    },
    did::{Did, dht::Packet},
    job::{Job, Wait},
    memory::{self, wipe_stack},
    resolve::Resolver,
    vault::{self, Keys, Passphrase, Past, Secrets, Vault},
};
use anyhow::{Context as _, Error, anyhow, bail};
use serde::{Deserialize, Serialize};
use std::{
    sync::{Arc, Mutex, OnceLock, PoisonError, RwLock, RwLockReadGuard},
    time::Duration,
};
use tokio::sync::oneshot;

/// How often packets are published: those who keep them for others forget them after two hours.
const PUBLISHED_AGAIN: Duration = Duration::from_secs(3600);
/// How soon after a failure; twice as long after each.
const PUBLISH_RETRY: Duration = Duration::from_secs(30);

/// The identities of a running node. Cheap to clone; the keys are in what signs, and wiped there by [`Identities::lock`].
#[derive(Debug, Clone)]
pub struct Identities(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    vault: Vault,
    known: RwLock<Known>,
    /// Who is told of packets and past keys, and where the DWN of the node is reached.
    resolver: OnceLock<(Resolver, Vec<String>)>,
    hatch: Hatch,
    /// There is something new to publish.
    changed: tokio::sync::Notify,
    /// One change at a time: each replaces the whole vault.
    changing: tokio::sync::Mutex<()>,
    /// Who waits for the keys of a node that was started without them.
    awaited: Mutex<Option<oneshot::Sender<Opened>>>,
}

/// The keys that the node has besides those of its identities.
#[derive(Debug)]
pub struct Opened {
    /// Seed of the libp2p peer id.
    pub peer: Secret,
    pub anchor: Secret,
}

#[derive(Debug)]
struct Known {
    default: String,
    all: Vec<Identity>,
}

#[derive(Debug)]
struct Identity {
    did: String,
    created: String,
    signer: Arc<Signer>,
    /// The root key of its records; `None` while it is locked.
    root: Option<Secret>,
    past: Vec<Past>,
}

/// An identity, as its owner is shown it.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Shown {
    pub did: String,
    pub method: Method,
    /// DID URL of the key that signs.
    pub kid: String,
    /// The node itself is this one.
    pub default: bool,
    /// Empty: by a toft that did not note it.
    pub created: String,
    /// It signs nothing now.
    pub locked: bool,
    /// Keys that signed before, oldest first.
    pub past: Vec<ShownPast>,
}

/// A key that signed before.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ShownPast {
    pub kid: String,
    /// What it signed before this time verifies.
    pub until: String,
    /// Given up because somebody else may have it.
    pub compromised: bool,
}

impl Shown {
    /// Of keys that are not in use here.
    pub fn of(keys: &Keys, default: &str) -> Result<Self, Error> {
        Identity::of(keys).shown(default)
    }
}

impl Identity {
    fn of(keys: &Keys) -> Self {
        let (did, created, past) = (keys.did.clone(), keys.created.clone(), keys.past.clone());
        Self { did, created, signer: Arc::new(signer(keys)), root: root(keys).ok(), past }
    }

    fn locked(known: &vault::Known) -> Result<Self, Error> {
        let public =
            crypto::decode(&known.public).context("a public key is not base64url: the keystore was damaged")?;
        let signer = Signer::locked(known.kid.as_str(), PublicKey::ed25519(&public)?);
        let (did, created, past) = (known.did.clone(), known.created.clone(), known.past.clone());
        Ok(Self { did, created, signer: Arc::new(signer), root: None, past })
    }

    fn shown(&self, default: &str) -> Result<Shown, Error> {
        let past =
            |past: &Past| ShownPast { kid: past.kid.clone(), until: past.until.clone(), compromised: past.compromised };
        Ok(Shown {
            did: self.did.clone(),
            method: Method::of(&self.did).with_context(|| format!("{} is of no method of ours", self.did))?,
            kid: self.signer.kid(),
            default: self.did == default,
            created: self.created.clone(),
            locked: self.signer.is_locked(),
            past: self.past.iter().map(past).collect(),
        })
    }
}

impl Identities {
    /// Those that these secrets of a vault hold.
    pub fn of(vault: Vault, secrets: &Secrets) -> Self {
        let all = secrets.identities.iter().map(Identity::of).collect();
        Self::with(vault, Known { default: secrets.default.clone(), all }, None)
    }

    /// Those that a vault says that it holds, locked; and what will be there once they are unlocked.
    pub fn locked(vault: Vault) -> Result<(Self, oneshot::Receiver<Opened>), Error> {
        let own = vault.own()?;
        let all: Vec<_> = own.identities.iter().map(Identity::locked).collect::<Result<_, _>>()?;
        if !all.iter().any(|one| one.did == own.did) {
            bail!(
                "the keys take a passphrase, and the toft that sealed them did not note whose they are: give the passphrase \
                 at this start (on a terminal, with --passphrase-file FILE, or as the systemd credential toft-passphrase)"
            );
        }
        let (awaited, opened) = oneshot::channel();
        Ok((Self::with(vault, Known { default: own.did, all }, Some(awaited)), opened))
    }

    fn with(vault: Vault, known: Known, awaited: Option<oneshot::Sender<Opened>>) -> Self {
        let known = RwLock::new(known);
        Self(Arc::new(Inner {
            vault,
            known,
            resolver: OnceLock::new(),
            hatch: Hatch::default(),
            changed: tokio::sync::Notify::new(),
            changing: tokio::sync::Mutex::default(),
            awaited: Mutex::new(awaited),
        }))
    }

    /// Where the owner hands in passphrases and keys.
    pub fn hatch(&self) -> &Hatch {
        &self.0.hatch
    }

    /// What the node itself signs with: that of the default identity.
    pub fn own(&self) -> Arc<Signer> {
        let known = self.known();
        known.all.iter().find(|one| one.did == known.default).expect("the default is one of them").signer.clone()
    }

    /// What signs for a DID, if it is one of them.
    pub fn signer(&self, did: &str) -> Option<Arc<Signer>> {
        self.known().all.iter().find(|one| one.did == did).map(|one| one.signer.clone())
    }

    /// Has something done with the root key of an identity's records, for one scheme. Nothing, if it is no identity of this node. The key
    /// is in memory only meanwhile, and its root in a page that is locked.
    pub fn with_root<T>(
        &self,
        did: &str,
        scheme: Scheme,
        work: impl FnOnce(&PrivateKey) -> T,
    ) -> Result<Option<T>, Locked> {
        let done = self.below(did, scheme, work);
        wipe_stack::<{ memory::KEYS }>();
        done
    }

    /// Below whoever wipes the stack.
    #[inline(never)]
    fn below<T>(&self, did: &str, scheme: Scheme, work: impl FnOnce(&PrivateKey) -> T) -> Result<Option<T>, Locked> {
        let known = self.known();
        let Some(one) = known.all.iter().find(|one| one.did == did) else { return Ok(None) };
        let secret = one.root.as_ref().ok_or(Locked)?;
        // One in 2^128 secrets is no key: then there is none.
        let key = PrivateKey::root(root_key_id(did), scheme, secret.expose()).ok();
        drop(known);
        Ok(key.as_ref().map(work))
    }

    pub fn dids(&self) -> Vec<String> {
        self.known().all.iter().map(|one| one.did.clone()).collect()
    }

    pub fn list(&self) -> Result<Vec<Shown>, Error> {
        let known = self.known();
        known.all.iter().map(|one| one.shown(&known.default)).collect()
    }

    pub fn get(&self, did: &str) -> Result<Option<Shown>, Error> {
        Ok(self.list()?.into_iter().find(|shown| shown.did == did))
    }

    /// Publishes the packets of all: those that are there once more, since others forget them, and new ones at once.
    pub async fn keep_publishing(self, job: Job) -> Result<(), Error> {
        job.awaits(Wait::Retry(PUBLISHED_AGAIN, PUBLISH_RETRY));
        let mut failures = 0;
        loop {
            let changed = self.0.changed.notified();
            let done = job.run(self.publish()).await.is_some();
            failures = if done { 0 } else { failures + 1 };
            let retry = PUBLISH_RETRY.saturating_mul(1 << failures.min(6)).min(PUBLISHED_AGAIN);
            tokio::select! {
                go_on = job.sleep(if done { PUBLISHED_AGAIN } else { retry }) => if !go_on { return Ok(()) },
                () = changed => {}
            }
        }
    }

    async fn publish(&self) -> Result<(), Error> {
        let Some((resolver, _)) = self.0.resolver.get() else { return Ok(()) };
        let dids: Vec<Did> = self.dids().iter().filter_map(|did| did.parse().ok()).collect();
        resolver.publish(&dids).await
    }

    /// From now on this resolver has the packets and past keys of all; `endpoints` is where the node's DWN is reached.
    /// Without the secrets it has the packets that it kept.
    pub async fn tell(
        &self,
        resolver: Resolver,
        endpoints: Vec<String>,
        secrets: Option<&Secrets>,
    ) -> Result<(), Error> {
        self.known().all.iter().try_for_each(|one| remember_past(&resolver, &one.past))?;
        let _ = self.0.resolver.set((resolver, endpoints)); // told once, when the node starts
        for keys in secrets.into_iter().flat_map(|secrets| &secrets.identities) {
            self.tell_of(keys).await?;
        }
        Ok(())
    }

    /// Adds an identity: a new one, one that was exported, or one that was recovered. If others know it with a later key, that is taken.
    pub async fn add(&self, mut keys: Keys, passphrase: Option<Passphrase>) -> Result<Shown, Error> {
        let did = keys.did.clone();
        if let (Some((resolver, _)), Some(_)) = (self.0.resolver.get(), &keys.account)
            && let Ok(document) = resolver.document(&did.parse()?, Asker::Owner).await
            && let Err(why) = make::catch_up(&mut keys, &document, &now())
        {
            tracing::info!("{why:#}: it goes on with the key that it has");
        }
        self.change(did, passphrase, move |secrets| secrets.add(keys)).await
    }

    /// The node itself is this identity from its next start on.
    pub async fn choose(&self, did: &str, passphrase: Option<Passphrase>) -> Result<Shown, Error> {
        let chosen = did.to_owned();
        let choose = move |secrets: &mut Secrets| {
            secrets.keys(&chosen).with_context(|| format!("{chosen} is no identity of this node"))?;
            secrets.default = chosen;
            Ok(())
        };
        self.change(did.to_owned(), passphrase, choose).await
    }

    /// A next key signs for this identity from now on.
    pub async fn rotate(&self, did: &str, compromised: bool, passphrase: Option<Passphrase>) -> Result<Shown, Error> {
        let of = did.to_owned();
        let rotate = move |secrets: &mut Secrets| {
            let keys = secrets.identities.iter_mut().find(|keys| keys.did == of);
            make::rotate(keys.with_context(|| format!("{of} is no identity of this node"))?, compromised, &now())
        };
        self.change(did.to_owned(), passphrase, rotate).await
    }

    /// Wipes all keys that sign from memory. What is under way changes first: it would bring them back.
    pub async fn lock(&self) {
        let _alone = self.0.changing.lock().await;
        let mut known = self.0.known.write().unwrap_or_else(PoisonError::into_inner);
        for one in &mut known.all {
            one.signer.lock();
            one.root = None;
        }
    }

    /// Brings them back. Of a node that was started without them, what waits for its keys begins.
    pub async fn unlock(&self, passphrase: Option<Passphrase>) -> Result<(), Error> {
        let _alone = self.0.changing.lock().await;
        let vault = self.0.vault.clone();
        let secrets = blocking(move || vault.open(passphrase.as_ref())).await?;
        let is_awaited = self.0.awaited.lock().unwrap_or_else(PoisonError::into_inner).is_some();
        if is_awaited {
            for keys in &secrets.identities {
                self.tell_of(keys).await?;
            }
        }
        secrets.identities.iter().for_each(|keys| self.know(keys));
        self.0.changed.notify_waiters();
        let Secrets { peer, anchor, .. } = secrets;
        // Only now: what failed before can be tried again.
        if let Some(awaited) = self.0.awaited.lock().unwrap_or_else(PoisonError::into_inner).take() {
            let _ = awaited.send(Opened { peer, anchor }); // nobody waits in a node that stops
        }
        wipe_stack::<{ memory::KEYS }>();
        Ok(())
    }

    async fn change(
        &self,
        did: String,
        passphrase: Option<Passphrase>,
        change: impl FnOnce(&mut Secrets) -> Result<(), Error> + Send + 'static,
    ) -> Result<Shown, Error> {
        let _alone = self.0.changing.lock().await;
        let vault = self.0.vault.clone();
        let (secrets, ()) = blocking(move || vault.change(passphrase.as_ref(), change)).await?;
        let keys = secrets.keys(&did).with_context(|| format!("{did} is no identity of this node"))?;
        // The packet first: what is signed from now on must verify.
        self.tell_of(keys).await?;
        self.know(keys);
        self.0.changed.notify_waiters();
        self.0.known.write().unwrap_or_else(PoisonError::into_inner).default.clone_from(&secrets.default);
        self.get(&did)?.context("it has just been added")
    }

    /// Signs with these keys from now on.
    fn know(&self, keys: &Keys) {
        let mut known = self.0.known.write().unwrap_or_else(PoisonError::into_inner);
        match known.all.iter_mut().find(|one| one.did == keys.did) {
            Some(one) => {
                one.signer.set(&keys.seed, keys.kid.as_str());
                one.root = root(keys).ok();
                one.past.clone_from(&keys.past);
            }
            None => known.all.push(Identity::of(keys)),
        }
    }

    /// Has the resolver know an identity's past keys and, of a did:dht, its packet: a new one where it says something new.
    async fn tell_of(&self, keys: &Keys) -> Result<(), Error> {
        let Some((resolver, endpoints)) = self.0.resolver.get() else { return Ok(()) };
        remember_past(resolver, &keys.past)?;
        let did: Did = keys.did.parse()?;
        let kept = resolver.own_packet(&did)?;
        let newest = kept.as_ref().map_or(0, Packet::seq);
        let seq = u64::try_from(jiff::Timestamp::now().as_second()).unwrap_or_default().max(newest + 1);
        let packet = make::packet(keys, endpoints, seq);
        wipe_stack::<{ memory::KEYS }>();
        let Some(packet) = packet? else { return Ok(()) };
        let says = |packet: &Packet| packet.document(&did).ok();
        let packet = kept.filter(|kept| says(kept) == says(&packet)).unwrap_or(packet);
        resolver.keep_own(&did, &packet).await
    }

    fn known(&self) -> RwLockReadGuard<'_, Known> {
        self.0.known.read().unwrap_or_else(PoisonError::into_inner)
    }
}

fn remember_past(resolver: &Resolver, past: &[Past]) -> Result<(), Error> {
    for past in past {
        let key = PublicKey::ed25519(&make::public(past)?)?;
        resolver.remember_past(&past.kid, key, past.until.parse().context("a time")?);
    }
    Ok(())
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, Error> + Send + 'static) -> Result<T, Error> {
    let wiped = move || {
        let done = work();
        wipe_stack::<{ memory::KEYS }>();
        done
    };
    tokio::task::spawn_blocking(wiped).await.map_err(|e| anyhow!("the work on the keys broke off: {e}"))?
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt as _;
    use std::path::Path;

    fn identities(dir: &Path) -> Identities {
        let keys = Keys::of_did_key(Secret::random().expect("randomness"), now());
        let (vault, secrets) = (Vault::at(&dir.join("keys")), Secrets::new(keys).expect("secrets"));
        vault.create(&secrets, None).expect("is made");
        Identities::of(vault, &secrets)
    }

    #[tokio::test]
    async fn locking_waits_for_a_change_that_would_bring_the_keys_back() {
        let dir = tempfile::tempdir().expect("a directory");
        let identities = identities(dir.path());
        let changing = identities.0.changing.lock().await;
        let mut locking = Box::pin(identities.lock());
        assert!(locking.as_mut().now_or_never().is_none());
        drop(changing);
        locking.await;
        assert!(identities.own().is_locked());
    }

    #[tokio::test]
    async fn what_was_locked_is_back_when_it_is_unlocked_and_what_could_not_be_published_is() {
        let dir = tempfile::tempdir().expect("a directory");
        let identities = identities(dir.path());
        let did = identities.own().did().to_owned();
        let public = || identities.with_root(&did, Scheme::ProtocolPath, PrivateKey::public);
        let before = public();
        assert!(matches!(before, Ok(Some(_))));
        assert_eq!(identities.with_root("did:example:nobody", Scheme::ProtocolPath, PrivateKey::public), Ok(None));
        identities.lock().await;
        assert_eq!(public(), Err(Locked), "the root key of records is gone with the others");
        let changed = identities.0.changed.notified();
        identities.unlock(None).await.expect("unlocks");
        assert!(!identities.own().is_locked());
        assert_eq!(public(), before);
        assert!(changed.now_or_never().is_some(), "there is something to publish");
    }
}
