//! What a friend may read of a tenant, message by message, kept up to date with the log.
//!
//! Nothing that is told to a friend (no fingerprint, no count, no order, no moment) depends on anything but this list. Of a set that
//! is chosen message by message nobody keeps sums, so the list is in memory: about 200 bytes a message, as long as a session lasts.

use super::reconcile::{List, Set};
use crate::{
    cid::{self, Digest},
    dwn::{self, Fault, Message, PERMISSIONS, Reader, Record, Stored, View},
    planted,
    store::{Entry, Position, SetView, Store},
    sums::{Item, Prefix, Sum},
};
use anyhow::Context as _;
use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
};

/// Log entries read at once.
const ENTRIES: usize = 256;
/// Messages can go without a word in the log (retention): the list is made anew after this long (milliseconds).
const OLD: u64 = 600_000;

/// A list and its sum.
#[derive(Debug, Clone, Default)]
pub struct Listed {
    items: Arc<List>,
    sum: Sum,
}

impl Listed {
    pub fn insert(&mut self, item: Item) {
        if Arc::make_mut(&mut self.items).insert(item) {
            self.sum.add(&item.id());
        }
    }

    pub fn remove(&mut self, item: &Item) {
        if Arc::make_mut(&mut self.items).remove(item) {
            self.sum.sub(&item.id());
        }
    }

    pub fn sum(&self) -> Sum {
        self.sum
    }

    pub fn items(&self) -> &Arc<List> {
        &self.items
    }
}

impl Set for Listed {
    fn sum(&self, of: Prefix) -> Result<Sum, Fault> {
        if of == Prefix::ALL { Ok(self.sum) } else { self.items.sum(of) }
    }

    fn children(&self, of: Prefix) -> Result<Vec<(Prefix, Sum)>, Fault> {
        self.items.children(of)
    }

    fn items(&self, of: Prefix) -> Result<Vec<Item>, Fault> {
        Set::items(&*self.items, of)
    }
}

/// What one friend may read of one tenant.
#[derive(Debug)]
pub struct Shown {
    did: String,
    tenant: String,
    /// Protocols that never leave this device.
    local_only: Arc<[String]>,
    reader: Option<Reader>,
    /// The list knows the log up to here.
    upto: Position,
    made: u64,
    lists: BTreeMap<Option<String>, Listed>,
    /// The protocol of each message's list.
    shown: HashSet<Digest>,
    /// What is listed of each record.
    records: HashMap<Arc<str>, Vec<(Option<String>, Item)>>,
    changes: u64,
}

impl Shown {
    pub fn new(did: &str, tenant: &str, local_only: Arc<[String]>) -> Self {
        Self {
            did: did.to_owned(),
            tenant: tenant.to_owned(),
            local_only,
            reader: None,
            upto: 0,
            made: 0,
            lists: BTreeMap::new(),
            shown: HashSet::new(),
            records: HashMap::new(),
            changes: 0,
        }
    }

    /// The lists by protocol, without the empty ones.
    pub fn lists(&self) -> impl Iterator<Item = (&Option<String>, &Listed)> {
        self.lists.iter().filter(|(_, list)| !list.items.is_empty())
    }

    pub fn list(&self, protocol: Option<&String>) -> Listed {
        self.lists.get(&protocol.cloned()).cloned().unwrap_or_default()
    }

    pub fn has(&self, digest: &Digest) -> bool {
        self.shown.contains(digest)
    }

    /// Would this message be theirs to read?
    pub fn would_read(&self, message: &Message, view: &dyn View) -> Result<bool, Fault> {
        self.reader.as_ref().map_or(Ok(false), |reader| reader.would_read(message, view))
    }

    /// How often the list changed.
    pub fn changes(&self) -> u64 {
        self.changes
    }

    /// Brings the list up to the end of the log. `time`: milliseconds since 1970.
    pub fn refresh(&mut self, store: &Store, time: u64) -> Result<(), Fault> {
        let tail = *store.tail().borrow();
        let is_old = time.saturating_sub(self.made) >= OLD;
        let Some(reader) = self.reader.take().filter(|_| !is_old) else { return self.make(store, time) };
        if let Some(ends) = reader.ends()
            && timestamp(time)?.as_str() >= ends
        {
            return self.make(store, time);
        }
        let mut changed = Vec::new();
        let mut from = self.upto;
        while from < tail {
            let entries = store.entries(from, ENTRIES)?;
            let Some(last) = entries.last() else { break };
            from = last.next();
            for entry in entries {
                let Entry::Message { tenant, cid, .. } = entry else { continue };
                if tenant != self.tenant {
                    continue;
                }
                let view = store.view(&self.tenant);
                let Some(stored) = view.message(&cid)? else { continue };
                if reader.may_change(&stored, &*view)? && !planted::is("what a friend may read never changes") {
                    return self.make(store, time);
                }
                changed.extend(stored.record_id.clone());
            }
        }
        self.upto = from;
        changed.sort();
        changed.dedup();
        let (view, sets) = (store.view(&self.tenant), store.sets(&self.tenant)?);
        for id in changed {
            self.look_at(&id, &reader, &*view, &sets)?;
        }
        self.reader = Some(reader);
        Ok(())
    }

    /// Makes the list anew.
    fn make(&mut self, store: &Store, time: u64) -> Result<(), Fault> {
        // What comes while it is made is looked at again.
        let upto = *store.tail().borrow();
        let (view, sets) = (store.view(&self.tenant), store.sets(&self.tenant)?);
        let reader = Reader::of(&self.did, &self.tenant, &*view, &timestamp(time)?)?;
        self.lists.clear();
        self.shown.clear();
        self.records.clear();
        let protocols: Vec<Option<String>> = if reader.reads_all() {
            sets.scopes()?.into_iter().map(|(protocol, _)| protocol).collect()
        } else {
            let none = reader.reads_outside_protocols().then_some(None);
            reader.protocols().map(|protocol| Some(protocol.to_owned())).chain(none).collect()
        };
        for protocol in &protocols {
            if self.stays(protocol.as_ref()) {
                continue;
            }
            self.walk(protocol.as_ref(), Prefix::ALL, &reader, (&*view, &sets))?;
        }
        for id in reader.own_records(&*view)? {
            self.look_at(&id.into(), &reader, &*view, &sets)?;
        }
        if !reader.reads_all() && reader.reads_permissions() {
            self.walk(Some(&PERMISSIONS.to_owned()), Prefix::ALL, &reader, (&*view, &sets))?;
        }
        self.changes += 1;
        (self.upto, self.made, self.reader) = (upto, time, Some(reader));
        Ok(())
    }

    /// Looks at all messages of a protocol.
    fn walk(
        &mut self,
        protocol: Option<&String>,
        of: Prefix,
        reader: &Reader,
        (view, sets): (&dyn View, &SetView),
    ) -> Result<(), Fault> {
        let count = sets.sum(protocol.map(String::as_str), of)?.count();
        if count > ENTRIES as u64 && of.bits() < Prefix::BITS_MAX {
            for (part, _) in sets.children(protocol.map(String::as_str), of)? {
                self.walk(protocol, part, reader, (view, sets))?;
            }
            return Ok(());
        }
        for (item, _) in sets.items(protocol.map(String::as_str), of)? {
            if self.has(&item.digest) {
                continue;
            }
            let Some(stored) = view.message(&cid::from_digest(cid::DAG_CBOR, &item.digest))? else { continue };
            match &stored.record_id {
                Some(id) if self.records.contains_key(id) => {}
                Some(id) => self.look_at(&id.clone(), reader, view, sets)?,
                None if reader.reads(&stored, view)? => self.put(protocol.cloned(), item),
                None => {}
            }
        }
        Ok(())
    }

    /// Looks at a record again.
    fn look_at(&mut self, id: &Arc<str>, reader: &Reader, view: &dyn View, sets: &SetView) -> Result<(), Fault> {
        for (protocol, item) in self.records.remove(id).unwrap_or_default() {
            self.shown.remove(&item.digest);
            if let Some(list) = self.lists.get_mut(&protocol) {
                list.remove(&item);
            }
            self.changes += 1;
        }
        let Some(record) = view.record(id)? else { return Ok(()) };
        if !reader.reads_record(&record, view)? {
            return Ok(());
        }
        let Record { initial, newest } = &record;
        let mut listed = Vec::new();
        for digest in digests([initial, newest])? {
            let Some((protocol, item, _)) = sets.find(&digest)? else { continue };
            if self.stays(protocol.as_ref()) || self.is_about_what_stays(initial) {
                continue;
            }
            self.put(protocol.clone(), item);
            listed.push((protocol, item));
        }
        self.records.insert(id.clone(), listed);
        Ok(())
    }

    fn put(&mut self, protocol: Option<String>, item: Item) {
        self.lists.entry(protocol).or_default().insert(item);
        self.shown.insert(item.digest);
        self.changes += 1;
    }

    /// Does a protocol never leave this device?
    fn stays(&self, protocol: Option<&String>) -> bool {
        protocol.is_some_and(|protocol| self.local_only.contains(protocol))
    }

    fn is_about_what_stays(&self, initial: &Stored) -> bool {
        dwn::tagged_protocol(&initial.message).is_some_and(|about| self.local_only.iter().any(|it| it == about))
    }
}

/// Milliseconds since 1970, as messages write times.
pub fn timestamp(time: u64) -> Result<String, Fault> {
    let time = jiff::Timestamp::from_millisecond(i64::try_from(time)?).context("the clock is at the end of time")?;
    Ok(format!("{time:.6}"))
}

fn digests(messages: [&Stored; 2]) -> Result<Vec<Digest>, Fault> {
    let mut digests = Vec::new();
    for stored in messages {
        let digest = cid::sha256_of(&stored.cid).context("a message's CID is of another kind")?;
        if !digests.contains(&digest) {
            digests.push(digest);
        }
    }
    Ok(digests)
}
