//! What a session reads of this device.

use super::{
    lens::{Lens, Within},
    shown::timestamp,
    term::{Term, Terms},
};
use crate::{
    cid::{self, Cid, Digest},
    dwn::{self, Fault, Knew, Message, Reader},
    node,
    store::{Entry, Position, Store},
    sums::{Item, Sum},
};
use anyhow::Context as _;
use bytes::Bytes;
use serde_json::Value;
use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

/// Log entries read at once.
const ENTRIES: usize = 256;

/// What is told apart: a tenant's messages of one protocol, or those of none.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scope {
    pub tenant: String,
    pub protocol: Option<String>,
}

impl Scope {
    /// One string for each.
    pub fn name(&self) -> String {
        match &self.protocol {
            Some(protocol) => format!("{} {protocol}", self.tenant),
            None => self.tenant.clone(),
        }
    }
}

/// A message that is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    pub scope: Scope,
    pub item: Item,
    pub position: Position,
}

/// A message to be sent.
#[derive(Debug)]
pub struct Loaded {
    /// DAG-CBOR.
    pub message: Vec<u8>,
    /// Which earlier states its writer knew.
    pub knew: Knew,
    pub data: Option<DataHere>,
}

/// The data of a message.
#[derive(Debug)]
pub struct DataHere {
    pub size: u64,
    /// The data itself, if it is small.
    pub inline: Option<Bytes>,
}

/// The state of a record that has the same data as a message about it.
#[derive(Debug)]
pub struct Same {
    pub is_elsewhere: bool,
    /// The message is a later state: it can keep the data of the one before. (Another form of the first one cannot.)
    pub is_edit: bool,
    pub state: Arc<dwn::Json>,
}

/// With whom what is shared, and how.
#[derive(Debug, Clone)]
pub struct Sharing {
    /// The DIDs of both ends.
    pub own: String,
    pub peer: String,
    pub terms: Terms,
    /// Protocols that never leave this device.
    pub local_only: Arc<[String]>,
    /// What was withdrawn in earlier sessions, by tenant.
    pub withdrawn: BTreeMap<String, Vec<Digest>>,
}

#[cfg(test)]
impl Sharing {
    /// All of these tenants, with another device.
    pub fn whole(tenants: &[String]) -> Self {
        let terms = tenants.iter().map(|tenant| (tenant.clone(), Term::Whole)).collect();
        let (own, peer) = ("did:example:own".into(), "did:example:peer".into());
        Self { own, peer, terms, local_only: [].into(), withdrawn: BTreeMap::new() }
    }
}

/// This device's store, as far as a session goes: what the other end may not be told is not there.
#[derive(Debug, Clone)]
pub struct Local {
    store: Store,
    own: String,
    terms: Arc<Terms>,
    lenses: Arc<Mutex<BTreeMap<String, Lens>>>,
    local_only: Arc<[String]>,
    /// What was withdrawn and is not kept any more.
    stale: Arc<[(String, Digest)]>,
    /// Milliseconds since 1970, as far as this device knows.
    time: Arc<AtomicU64>,
}

impl Local {
    pub fn new(store: Store, sharing: Sharing) -> Self {
        let Sharing { own, peer, terms, local_only, mut withdrawn } = sharing;
        // What was written here and was not taken is offered once more in each session; what is not kept any more needs no note.
        let mut stale = Vec::new();
        let mut is_withdrawn = |tenant: &str, digest: &Digest| {
            let stored = store.view(tenant).message(&cid::from_digest(cid::DAG_CBOR, digest)).ok().flatten();
            if stored.is_none() {
                stale.push((tenant.to_owned(), *digest));
            }
            stored.is_some_and(|stored| stored.lineage.came)
        };
        let lens = |(tenant, term): (&String, &Term)| {
            let mut withdrawn = withdrawn.remove(tenant).unwrap_or_default();
            withdrawn.retain(|digest| is_withdrawn(tenant, digest));
            (tenant.clone(), Lens::new(*term, tenant, &peer, &local_only, withdrawn))
        };
        let lenses = Arc::new(Mutex::new(terms.iter().map(lens).collect()));
        let stale = stale.into();
        Self { store, own, terms: Arc::new(terms), lenses, local_only, stale, time: Arc::default() }
    }

    /// Where the log ends.
    pub fn tail(&self) -> Position {
        *self.store.tail().borrow()
    }

    /// It is so late now: milliseconds since 1970. (Grants have their end.)
    pub fn is_at(&self, time: u64) {
        self.time.store(time, Ordering::Relaxed);
    }

    pub fn term(&self, tenant: &str) -> Term {
        self.terms.get(tenant).copied().unwrap_or(Term::Shown)
    }

    /// Are both ends devices of one person? Only these tell one another why they do not take something.
    pub fn is_device(&self) -> bool {
        self.terms.values().all(|term| *term == Term::Whole)
    }

    /// What is told of a tenant, as of now.
    fn lens<T>(&self, tenant: &str, ask: impl FnOnce(&mut Lens) -> Result<T, Fault>) -> Result<T, Fault> {
        let mut lenses = self.lenses.lock().unwrap_or_else(PoisonError::into_inner);
        let lens = lenses.get_mut(tenant).context("this tenant is not shared")?;
        lens.refresh(&self.store, tenant, self.time.load(Ordering::Relaxed))?;
        ask(lens)
    }

    pub fn stale(&self) -> Vec<(String, Digest)> {
        self.stale.to_vec()
    }

    /// How often what is told changed other than by the log.
    pub fn changes(&self) -> Result<u64, Fault> {
        self.terms.keys().map(|tenant| self.lens(tenant, |lens| Ok(lens.changes()))).sum()
    }

    /// The scopes of a tenant in which there is something to tell.
    pub fn scopes(&self, tenant: &str) -> Result<Vec<(Scope, Sum)>, Fault> {
        let scope = |protocol| Scope { tenant: tenant.to_owned(), protocol };
        // The lens first: what it takes away is in a set that is taken after it.
        let scopes = self.lens(tenant, |lens| lens.scopes(&self.store.sets(tenant)?))?;
        Ok(scopes.into_iter().map(|(protocol, sum)| (scope(protocol), sum)).collect())
    }

    pub fn set(&self, scope: &Scope) -> Result<Within, Fault> {
        self.lens(&scope.tenant, |lens| Ok(lens.set(self.store.sets(&scope.tenant)?, scope.protocol.clone())))
    }

    /// What is kept under a digest, whether it may be told or not.
    pub fn kept(&self, tenant: &str, digest: &Digest) -> Result<Option<Kept>, Fault> {
        let found = self.store.sets(tenant)?.find(digest)?;
        Ok(found.map(|(protocol, item, position)| Kept {
            scope: Scope { tenant: tenant.to_owned(), protocol },
            item,
            position,
        }))
    }

    /// The same, if it may be told.
    pub fn told(&self, tenant: &str, digest: &Digest) -> Result<Option<Kept>, Fault> {
        let Some(kept) = self.kept(tenant, digest)? else { return Ok(None) };
        let tells = self.lens(tenant, |lens| Ok(lens.tells(kept.scope.protocol.as_deref(), &kept.item)))?;
        Ok(Some(kept).filter(|_| tells))
    }

    /// A message and its data, if they are still kept and may be told.
    pub fn load(&self, tenant: &str, digest: &Digest) -> Result<Option<Loaded>, Fault> {
        if self.told(tenant, digest)?.is_none() {
            return Ok(None);
        }
        let view = self.store.view(tenant);
        let Some(stored) = view.message(&cid::from_digest(cid::DAG_CBOR, digest))? else { return Ok(None) };
        let message = cid::encode(&stored.message)?;
        let knew = self.store.knew(tenant, &stored)?;
        let data = if view.has_data(&stored)? {
            let declared = dwn::declared_data(&stored.message);
            // What cannot be read now is offered apart: the peer is told when it asks for it.
            let inline = view.inline_data(&stored).unwrap_or_else(|fault| {
                tracing::error!("the data of a message cannot be read: {fault:#}");
                None
            });
            let (_, size) = declared.context("a message with data does not say which")?;
            Some(DataHere { size, inline })
        } else {
            None
        };
        Ok(Some(Loaded { message, knew, data }))
    }

    /// Does this message have data that is on another device?
    pub fn is_elsewhere(&self, tenant: &str, digest: &Digest) -> Result<bool, Fault> {
        let view = self.store.view(tenant);
        let stored = view.message(&cid::from_digest(cid::DAG_CBOR, digest))?;
        stored.map_or(Ok(false), |stored| view.is_elsewhere(&stored))
    }

    /// A message of which the data is on another device, if it may be told.
    pub fn loaded_elsewhere(&self, tenant: &str, digest: &Digest) -> Result<Option<(Kept, Loaded)>, Fault> {
        if !self.is_elsewhere(tenant, digest)? {
            return Ok(None);
        }
        Ok(self.kept(tenant, digest)?.zip(self.load(tenant, digest)?))
    }

    /// Is the data of this message here?
    pub fn is_here(&self, tenant: &str, digest: &Digest) -> Result<bool, Fault> {
        let view = self.store.view(tenant);
        let stored = view.message(&cid::from_digest(cid::DAG_CBOR, digest))?;
        stored.map_or(Ok(false), |stored| Ok(view.has_data(&stored)? && !view.is_elsewhere(&stored)?))
    }

    /// Where the data of this message is, if its record's state here has the same data.
    pub fn same_data(&self, tenant: &str, message: &Value) -> Result<Option<Same>, Fault> {
        let (Some(id), Some(declared)) = (dwn::record_id(message), dwn::declared_data(message)) else {
            return Ok(None);
        };
        let view = self.store.view(tenant);
        let Some(newest) = view.record(id)?.map(|record| record.newest) else { return Ok(None) };
        if dwn::declared_data(&newest.message) != Some(declared) || !view.has_data(&newest)? {
            return Ok(None);
        }
        let parsed = Message::parse(tenant, message.clone());
        Ok(Some(Same {
            is_elsewhere: view.is_elsewhere(&newest)?,
            is_edit: parsed.is_ok_and(|message| !message.is_initial_write()),
            state: newest.message.clone(),
        }))
    }

    /// Messages of which the data is on other devices, as far as their tenants are shared whole.
    pub fn elsewhere(&self) -> Result<Vec<(String, Digest)>, Fault> {
        let mut all = Vec::new();
        for tenant in self.terms.iter().filter(|(_, term)| **term == Term::Whole).map(|(tenant, _)| tenant) {
            let found = node::elsewhere(&self.store, Some(tenant))?;
            all.extend(found.into_iter().map(|it| (it.tenant, it.message)));
        }
        Ok(all)
    }

    /// The CID of a message's data, if it may be told.
    pub fn data(&self, tenant: &str, digest: &Digest) -> Result<Option<Cid>, Fault> {
        if self.told(tenant, digest)?.is_none() || !self.is_here(tenant, digest)? {
            return Ok(None);
        }
        let stored = self.store.view(tenant).message(&cid::from_digest(cid::DAG_CBOR, digest))?;
        Ok(stored.and_then(|stored| dwn::declared_data(&stored.message)).map(|(data, _)| data))
    }

    /// What of these tenants came into the log from `from` on, is still kept and may be told, and where to go on. What `is_known` to
    /// the peer is not looked up.
    pub fn entries(
        &self,
        from: Position,
        tenants: &[String],
        mut is_known: impl FnMut(&Digest) -> bool,
    ) -> Result<(Vec<Kept>, Position), Fault> {
        let (mut kept, mut next) = (Vec::new(), from);
        for entry in self.store.entries(from, ENTRIES)? {
            next = entry.next();
            if let Entry::Message { tenant, cid, again, .. } = entry
                && tenants.contains(&tenant)
                // When the data of it was read here is nobody's business but the owner's.
                && !(again && self.term(&tenant) == Term::Shown)
            {
                let digest = cid::sha256_of(&cid).context("the log has a message whose CID is no SHA-256")?;
                if is_known(&digest) {
                    continue;
                }
                let told = self.told(&tenant, &digest)?;
                // Of a copy, what was not written here came from the tenant's end.
                let is_copy = self.term(&tenant) == Term::Copied;
                kept.extend(match told {
                    Some(told) if is_copy && !self.is_written_here(&told)? => None,
                    told => told,
                });
            }
        }
        Ok((kept, next))
    }

    /// Of what the peer was found to lack, what it is given, and what was withdrawn from this end: of a copy, what this end neither
    /// wrote nor may read now, as far as it knows. (What it may read, the tenant's end has lost.)
    pub fn given(&self, tenant: &str, lacks: &[Item]) -> Result<(Vec<Kept>, Vec<Digest>), Fault> {
        let (mut given, mut withdrawn) = (Vec::new(), Vec::new());
        if lacks.is_empty() {
            return Ok((given, withdrawn));
        }
        let reader = match self.term(tenant) {
            Term::Copied => Some(Reader::of(
                &self.own,
                tenant,
                &*self.store.view(tenant),
                &timestamp(self.time.load(Ordering::Relaxed))?,
            )?),
            Term::Whole | Term::Shown => None,
        };
        for item in lacks {
            let Some(kept) = self.told(tenant, &item.digest)? else { continue };
            let is_given = match &reader {
                None => true,
                Some(_) if kept.scope.protocol.as_ref().is_some_and(|protocol| self.is_local_only(protocol)) => false,
                Some(reader) => {
                    let view = self.store.view(tenant);
                    let stored = view.message(&cid::from_digest(cid::DAG_CBOR, &item.digest))?;
                    let reads =
                        |stored: dwn::Stored| Ok::<_, Fault>(!stored.lineage.came || reader.reads(&stored, &*view)?);
                    stored.map_or(Ok(false), reads)?
                }
            };
            if is_given {
                given.push(kept);
            } else {
                withdrawn.push(item.digest);
            }
        }
        Ok((given, withdrawn))
    }

    /// Was it written here, and may it leave?
    fn is_written_here(&self, kept: &Kept) -> Result<bool, Fault> {
        if kept.scope.protocol.as_ref().is_some_and(|protocol| self.is_local_only(protocol)) {
            return Ok(false);
        }
        let view = self.store.view(&kept.scope.tenant);
        let stored = view.message(&cid::from_digest(cid::DAG_CBOR, &kept.item.digest))?;
        Ok(stored.is_some_and(|stored| !stored.lineage.came))
    }

    /// Would this message be told to the friend, were it here? The rules say so, not what is here of it.
    pub fn would_tell(&self, tenant: &str, json: &Value) -> Result<bool, Fault> {
        let Ok(message) = Message::parse(tenant, json.clone()) else { return Ok(false) };
        let view = self.store.view(tenant);
        let protocol = self.protocol_of(tenant, json)?;
        if protocol.is_some_and(|protocol| self.is_local_only(&protocol)) {
            return Ok(false);
        }
        self.lens(tenant, |lens| match lens {
            Lens::Shown(shown) => shown.would_read(&message, &*view),
            Lens::Whole(_) | Lens::Copied(_) => Ok(false),
        })
    }

    /// The protocol that a message is of, as it says itself or its record here does.
    fn protocol_of(&self, tenant: &str, json: &Value) -> Result<Option<String>, Fault> {
        let view = self.store.view(tenant);
        let record = dwn::record_id(json).map(|id| view.record(id)).transpose()?.flatten();
        let initial: Option<&Value> = record.as_ref().map(|record| &**record.initial.message);
        Ok(dwn::scope(json, initial).map(str::to_owned))
    }

    /// The protocol that a message is of, or about, if it stays on one of both devices.
    pub fn stays(&self, scope: &Scope, message: Option<&Value>) -> Result<Option<String>, Fault> {
        // Under what name it came says nothing.
        let of_message = message.map(|json| self.protocol_of(&scope.tenant, json)).transpose()?.flatten();
        self.lens(&scope.tenant, |lens| {
            let Lens::Whole(kept) = lens else { return Ok(None) };
            if !kept.has_parts() {
                return Ok(None);
            }
            let about = message.and_then(dwn::tagged_protocol);
            let of = [scope.protocol.as_deref(), of_message.as_deref(), about]
                .into_iter()
                .flatten()
                .find(|protocol| kept.is_apart(protocol));
            Ok(of.map(str::to_owned))
        })
    }

    /// Does anything of this tenant stay on one of both devices?
    pub fn has_parts(&self, tenant: &str) -> Result<bool, Fault> {
        self.lens(tenant, |lens| Ok(matches!(lens, Lens::Whole(kept) if kept.has_parts())))
    }

    /// Does this protocol never leave this device?
    pub fn is_local_only(&self, protocol: &str) -> bool {
        self.local_only.iter().any(|local| local == protocol)
    }

    /// This protocol stays on the other device.
    pub fn part(&self, tenant: &str, protocol: String) -> Result<(), Fault> {
        self.lens(tenant, |lens| {
            if let Lens::Whole(kept) = lens {
                kept.part(protocol);
            }
            Ok(())
        })
    }

    /// The tenant's end has this no more for this one, or does not take it. Was that news?
    pub fn withdraw(&self, tenant: &str, digest: &Digest) -> Result<bool, Fault> {
        self.lens(tenant, |lens| Ok(lens.copied().is_some_and(|copied| copied.withdraw(*digest))))
    }

    /// The tenant's end has this. Was it withdrawn?
    pub fn restore(&self, tenant: &str, digest: &Digest) -> Result<bool, Fault> {
        self.lens(tenant, |lens| Ok(lens.copied().is_some_and(|copied| copied.restore(digest))))
    }
}
