//! What each frame does to the index.

use super::{
    batch::IndexBatch,
    entry_flags::EntryFlags,
    families::{Family, NUMBERED, Order, SPELLED},
    keys::{self, Grip},
    refs,
    row::{self, DataRow, EventRow, MessageRow, RecordRow, Row, Values},
    source::{Source as _, number_of},
};
#[cfg(feature = "bench")]
use crate::store::tap;
use crate::{
    cid::{self, Cid, Digest},
    dwn::{self, Fault, IndexValue},
    store::{
        log::frame::{self, About, Frame, Stub},
        place::{Place, Position},
    },
};
use anyhow::{Context as _, anyhow};
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

impl IndexBatch<'_> {
    /// Takes a frame into account; after an error, or a panic, nothing of it. A function of the index and the frame alone, so
    /// that a rebuild from the log ends where the first run did. What a damaged log has lost (a message that is to be
    /// removed, an initial write) may be missing.
    pub fn add(&mut self, position: Position, frame: Frame) -> Result<(), Fault> {
        self.join();
        let stats = self.stats;
        let added = catch_unwind(AssertUnwindSafe(|| self.take(position, frame)));
        let added = added.unwrap_or_else(|panic| Err(panicked("indexing a message", &*panic)));
        if added.is_err() {
            self.last.clear();
            self.frames.remove(&position);
            self.stats = stats;
        }
        added
    }

    fn take(&mut self, position: Position, frame: Frame) -> Result<(), Fault> {
        match frame {
            Frame::State(changes) => {
                for (key, value) in changes {
                    if !self.add_removal(&key)? {
                        self.change(keys::state(&key), value.map(|v| v.into_vec()));
                    }
                }
                Ok(())
            }
            Frame::Blocks(moved) => self.add_moved(&moved),
            Frame::Stub(stub) => self.add_stub(position, *stub),
            Frame::Message(message) => {
                let message = Arc::new(*message);
                self.keep_frame(position, message.clone());
                self.add_message(position, &message)?;
                #[cfg(feature = "bench")]
                if tap::is_heard() {
                    self.tell(position, &message);
                }
                Ok(())
            }
        }
    }

    #[cfg(feature = "bench")]
    fn tell(&self, position: Position, message: &frame::MessageFrame) {
        let changes: Vec<_> = self.last.iter().map(|(key, value)| (key.as_slice(), value.as_deref())).collect();
        tap::tell(position, &message.message, &changes);
    }

    fn add_message(&mut self, position: Position, message: &frame::MessageFrame) -> Result<(), Fault> {
        let tenant = self.intern_tenant(&message.tenant)?;
        let digest: Digest = *message.cid;
        let (before, kept) = self.make_way(tenant, message)?;
        let values = self.values(message, before.as_ref())?;
        let protocol = row::string(&values, "protocol").map(str::to_owned);
        let scope = protocol.as_deref().map_or(Ok(0), |uri| self.intern(uri))?;
        self.put(keys::event(tenant, position), EventRow::new(digest, &values, message.initial).encode());
        let data = own_data(position, message)?.or(kept);
        match &message.subject {
            About::Record(id) => {
                let newest = (position, digest);
                let row = match before {
                    Some(before) if !message.initial => RecordRow { newest, latest: message.latest, ..before },
                    before => {
                        if let Some(before) = before {
                            self.join_scope(tenant, &before.newest.1, (scope, protocol.as_deref()))?;
                        }
                        let parent = message.json()?["descriptor"]["parentId"].as_str().map(str::to_owned);
                        let begun = self.begin_record(tenant, id, message.initial, parent, newest);
                        let author =
                            Some(&message.author).filter(|author| message.initial && **author != message.tenant);
                        RecordRow { latest: message.latest, author: author.cloned(), ..begun }
                    }
                };
                self.put_record(tenant, id, &row);
                if let Some(data) = data.as_ref().filter(|data| !data.is_elsewhere) {
                    let published = message.latest && values.get("published") == Some(&vec![IndexValue::Bool(true)]);
                    self.refer(tenant, id, data, published)?;
                }
                if message.latest {
                    self.show(tenant, position, digest, values)?;
                }
            }
            About::Protocol(uri) => self.put_protocol(tenant, uri, position),
        }
        self.place(position, message)?;
        let (subject, latest) = (message.subject.clone(), message.latest);
        let row = MessageRow { position, latest, stub: false, scope, subject, data };
        self.set_message(tenant, &digest, (None, Some(&row)), protocol.as_deref())
    }

    /// Does to the index what the stub's message did, as far as later frames build on it.
    fn add_stub(&mut self, position: Position, stub: Stub) -> Result<(), Fault> {
        let tenant = self.intern_tenant(&stub.tenant)?;
        let parent = stub.parent.clone();
        let message = Arc::new(frame::MessageFrame::of_stub(stub));
        self.keep_frame(position, message.clone());
        let digest = *message.cid;
        let (before, kept) = self.make_way(tenant, &message)?;
        let data = own_data(position, &message)?.or(kept);
        match &message.subject {
            About::Record(id) => {
                let newest = (position, digest);
                let row = match before {
                    Some(before) if !message.initial => RecordRow { newest, latest: false, ..before },
                    _ => self.begin_record(tenant, id, message.initial, parent, newest),
                };
                self.put_record(tenant, id, &row);
                if let Some(data) = data.as_ref().filter(|data| !data.is_elsewhere) {
                    self.refer(tenant, id, data, false)?;
                }
            }
            About::Protocol(uri) => self.put_protocol(tenant, uri, position),
        }
        self.place(position, &message)?;
        let subject = message.subject.clone();
        let row = MessageRow { position, latest: false, stub: true, scope: 0, subject, data };
        self.set_message(tenant, &digest, (None, Some(&row)), None)
    }

    /// Removes the message if the key says so; does it?
    fn add_removal(&mut self, key: &[u8]) -> Result<bool, Fault> {
        let Some((tenant, digest)) = keys::removed(key) else { return Ok(false) };
        if let Some(tenant) = number_of(self, tenant)? {
            self.remove(tenant, digest, None)?;
        }
        Ok(true)
    }

    /// Takes away what a message supersedes. Its record as it was, and the data that the message keeps of it.
    fn make_way(
        &mut self,
        tenant: u32,
        message: &frame::MessageFrame,
    ) -> Result<(Option<RecordRow>, Option<DataRow>), Fault> {
        let before = match &message.subject {
            About::Record(id) => self.record(tenant, id)?,
            About::Protocol(_) => None,
        };
        let kept = match before {
            Some(ref record) if message.keeps_data => self.message(tenant, &record.newest.1)?.and_then(|row| row.data),
            _ => None,
        };
        for gone in &message.removes {
            self.remove(tenant, gone, Some(&message.subject))?;
        }
        for demoted in &message.demotes {
            self.demote(tenant, demoted, &message.subject)?;
        }
        // Of a message that comes once more, the index can still have a stub.
        self.remove(tenant, &message.cid, Some(&message.subject))?;
        Ok((before, kept))
    }

    fn intern_tenant(&mut self, name: &str) -> Result<u32, Fault> {
        let tenant = self.intern(name)?;
        self.put(keys::tenant(tenant), name.as_bytes().to_vec());
        Ok(tenant)
    }

    fn put_record(&mut self, tenant: u32, id: &str, row: &RecordRow) {
        self.put(keys::record(tenant, id), row.encode());
    }

    fn put_protocol(&mut self, tenant: u32, uri: &str, position: Position) {
        self.put(keys::protocol(tenant, uri), position.to_be_bytes().to_vec());
    }

    /// The initial write of a record comes when the record has begun already: damage of the log took it, and what came after it
    /// did not know its protocol.
    fn join_scope(
        &mut self,
        tenant: u32,
        newest: &Digest,
        (scope, protocol): (u32, Option<&str>),
    ) -> Result<(), Fault> {
        let Some(row) = self.message(tenant, newest)?.filter(|row| !row.stub) else { return Ok(()) };
        let joined = MessageRow { scope, ..row.clone() };
        self.set_message(tenant, newest, (Some(&row), Some(&joined)), protocol)
    }

    /// A record that begins with this message; whether that is a latest state, and who wrote it, is left to the caller to
    /// say.
    fn begin_record(
        &mut self,
        tenant: u32,
        id: &str,
        initial: bool,
        parent: Option<String>,
        newest: (Position, Digest),
    ) -> RecordRow {
        if let Some(parent) = &parent {
            self.put(keys::child(tenant, parent, id), Vec::new());
        }
        RecordRow { initial: initial.then_some(newest), newest, latest: false, parent, author: None }
    }

    /// The position of the state that a subject has now, if it has one.
    pub fn state_of(&self, tenant: &str, subject: &About) -> Result<Option<Position>, Fault> {
        let (About::Record(id), Some(tenant)) = (subject, number_of(self, tenant)?) else { return Ok(None) };
        Ok(self.record(tenant, id)?.filter(|record| record.latest).map(|record| record.newest.0))
    }

    fn values(&self, message: &frame::MessageFrame, before: Option<&RecordRow>) -> Result<Values, Fault> {
        let json = message.json()?;
        // Only a delete is found by what another message says.
        let author = before.and_then(|record| record.author.as_deref()).filter(|_| !message.initial);
        let initial = match before.and_then(|record| record.initial) {
            Some((at, _)) if dwn::is_method(&json, "Delete") => self.frame(at)?.kept().map(|kept| kept.message.clone()),
            _ => None,
        };
        let first = dwn::First { author, message: initial.as_deref().map(|json| &**json) };
        Ok(dwn::index_values(&json, &message.author, first, message.latest))
    }

    /// A message goes, with its event and data. `subject`: whose state the message that removes it becomes.
    fn remove(&mut self, tenant: u32, digest: &Digest, subject: Option<&About>) -> Result<(), Fault> {
        let Some(row) = self.message(tenant, digest)? else { return Ok(()) };
        self.hide(tenant, &row)?;
        self.set_message(tenant, digest, (Some(&row), None), None)?;
        self.delete(keys::event(tenant, row.position));
        if Some(&row.subject) == subject {
            return Ok(());
        }
        // A message of another subject: a descendant that a prune takes along, or a tenant's that is wiped.
        match &row.subject {
            About::Protocol(uri) => self.delete(keys::protocol(tenant, uri)),
            About::Record(id) => match self.record(tenant, id)? {
                Some(record) if record.newest.1 == *digest && record.initial.is_some_and(|i| i.1 != *digest) => {
                    let newest = record.initial.unwrap_or(record.newest);
                    let latest = self.message(tenant, &newest.1)?.is_some_and(|row| row.latest);
                    self.put_record(tenant, id, &RecordRow { newest, latest, ..record });
                }
                Some(record) => {
                    self.delete(keys::record(tenant, id));
                    if let Some(parent) = &record.parent {
                        self.delete(keys::child(tenant, parent, id));
                    }
                }
                None => {}
            },
        }
        Ok(())
    }

    /// A message stays, but is no longer its record's state and no longer has data. `subject`: whose state the message that
    /// demotes it becomes.
    fn demote(&mut self, tenant: u32, digest: &Digest, subject: &About) -> Result<(), Fault> {
        let Some(row) = self.message(tenant, digest)? else { return Ok(()) };
        self.hide(tenant, &row)?;
        if let About::Record(id) = &row.subject
            && row.subject != *subject
            && let Some(record) = self.record(tenant, id)?.filter(|record| record.newest.1 == *digest)
        {
            self.put_record(tenant, id, &RecordRow { latest: false, ..record });
        }
        let bare = MessageRow { latest: false, data: None, ..row.clone() };
        self.set_message(tenant, digest, (Some(&row), Some(&bare)), None)
    }

    /// Makes a latest state findable.
    fn show(&mut self, tenant: u32, position: Position, digest: Digest, values: Values) -> Result<(), Fault> {
        let row = Row { digest, values };
        let flags = EntryFlags::of(&row.values);
        for key in self.index_keys(tenant, position, &row)? {
            self.put(key, flags.encode());
        }
        self.put(keys::row(tenant, position), row.encode());
        self.stats.records += 1;
        Ok(())
    }

    /// Undoes [`Self::show`] and the reference to data.
    fn hide(&mut self, tenant: u32, row: &MessageRow) -> Result<(), Fault> {
        if let (Some(data), About::Record(id)) = (&row.data, &row.subject)
            && !data.is_elsewhere
        {
            self.let_go(tenant, id, &data.root)?;
            self.stats.bytes = self.stats.bytes.saturating_sub(data.size);
            let used = refs::counter(self, &keys::usage(tenant))?.saturating_sub(data.size);
            self.put(keys::usage(tenant), used.to_be_bytes().to_vec());
        }
        let key = keys::row(tenant, row.position);
        let Some(shown) = self.get(&key)? else { return Ok(()) };
        for index_key in self.index_keys(tenant, row.position, &Row::decode(&shown)?)? {
            self.delete(index_key);
        }
        self.delete(key);
        self.stats.records = self.stats.records.saturating_sub(1);
        Ok(())
    }

    fn refer(&mut self, tenant: u32, id: &str, data: &DataRow, published: bool) -> Result<(), Fault> {
        self.let_go(tenant, id, &data.root)?;
        self.put(
            keys::reference(&refs::root_digest(&data.root)?, Grip::new(&data.root, published), tenant, id),
            Vec::new(),
        );
        self.stats.bytes += data.size;
        let used = refs::counter(self, &keys::usage(tenant))? + data.size;
        self.put(keys::usage(tenant), used.to_be_bytes().to_vec());
        Ok(())
    }

    /// The record holds the data under this root no more, neither as everybody's nor as its own.
    fn let_go(&mut self, tenant: u32, id: &str, root: &Cid) -> Result<(), Fault> {
        for public in [true, false] {
            let key = keys::reference(&refs::root_digest(root)?, Grip::new(root, public), tenant, id);
            if self.get(&key)?.is_some() {
                self.delete(key);
            }
        }
        Ok(())
    }

    /// Says where the blocks of a message's data lie and to which root they belong.
    fn place(&mut self, position: Position, message: &frame::MessageFrame) -> Result<(), Fault> {
        let Some(info) = &message.data else { return Ok(()) };
        let root = refs::root_digest(&info.root()?)?;
        if let Some(inline) = &message.inline {
            let place = Place::Log { at: position, len: u32::try_from(inline.len())? };
            self.place_block(&root, &root, place)?;
        }
        for (digest, place) in &message.blocks {
            self.place_block(digest, &root, (*place).try_into()?)?;
        }
        Ok(())
    }

    fn place_block(&mut self, digest: &Digest, root: &Digest, place: Place) -> Result<(), Fault> {
        let known = refs::place(self, digest)?;
        // The newer place is the better one (the older may be damaged), but a block of its own outlives a frame of
        // the log.
        if known.is_none() || !matches!(place, Place::Log { .. }) {
            self.stats.blocks += u64::from(known.is_none());
            self.lay(digest, known, Some(place))?;
        }
        self.put(keys::root(digest, root), Vec::new());
        Ok(())
    }

    fn add_moved(&mut self, moved: &frame::Moved) -> Result<(), Fault> {
        for digest in &moved.drops {
            let Some(known) = refs::place(self, digest)? else { continue };
            self.lay(digest, Some(known), None)?;
            for root in refs::roots(self, digest)? {
                self.delete(keys::root(digest, &root));
            }
            self.stats.blocks = self.stats.blocks.saturating_sub(1);
        }
        for (digest, place) in &moved.moves {
            if let Some(known) = refs::place(self, digest)? {
                self.lay(digest, Some(known), Some((*place).try_into()?))?;
            }
        }
        Ok(())
    }

    /// Changes where a block lies, and with it what its packs hold.
    fn lay(&mut self, digest: &Digest, from: Option<Place>, to: Option<Place>) -> Result<(), Fault> {
        if from == to {
            return Ok(());
        }
        for (place, comes) in [(from, false), (to, true)] {
            let Some(Place::Pack { segment, len, .. }) = place else { continue };
            let live = refs::pack(self, segment)?;
            let live = if comes { live + u64::from(len) } else { live.saturating_sub(len.into()) };
            self.change(keys::pack(segment), (live > 0).then(|| live.to_be_bytes().to_vec()));
        }
        self.change(keys::block(digest), to.map(row::encode_place));
        Ok(())
    }

    /// Every key under which a latest state is found.
    fn index_keys(&mut self, tenant: u32, position: Position, row: &Row) -> Result<Vec<Vec<u8>>, Fault> {
        let name = self.get(&keys::tenant(tenant))?.context("a tenant has no name")?;
        let name = std::str::from_utf8(&name)?;
        let cid = cid::from_digest(cid::DAG_CBOR, &row.digest).to_string();
        let tie = keys::tie(&cid).context("a message CID has no place in the order of CIDs")?;
        let mut found: Vec<(Family, Vec<u8>)> = vec![(Family::All, Vec::new())];
        let mut protocols: Vec<Vec<u8>> = Vec::new();
        for (family, property) in NUMBERED {
            // What the tenant wrote itself is most of what there is: nobody looks for it by its author.
            let useful = |s: &&str| family != Family::Author || *s != name;
            for s in row.strings(property).filter(useful) {
                let number = self.intern(s)?.to_be_bytes().to_vec();
                if family == Family::Protocol {
                    protocols.push(number.clone());
                }
                found.push((family, number));
            }
        }
        for path in row.strings("protocolPath") {
            let path = self.intern(path)?.to_be_bytes();
            found.extend(protocols.iter().map(|protocol| (Family::ProtocolPath, [protocol, path.as_slice()].concat())));
        }
        for (family, property) in SPELLED {
            found.extend(row.strings(property).map(|s| (family, keys::spelled(s))));
        }
        for prefix in row.strings("contextId").flat_map(keys::contexts) {
            found.push((Family::Context, keys::spelled(prefix)));
        }
        for (property, values) in row.values.iter().filter(|(property, _)| property.starts_with("tag.")) {
            found.extend(values.iter().map(|value| (Family::Tag, keys::tagged(property, value))));
        }
        let mut out = Vec::with_capacity(found.len() + 6);
        for order in Order::EACH {
            let Some(sort) = row.string(order.property()) else { continue };
            let suffix = keys::suffix(sort, &tie, position);
            for (family, value) in found.iter().filter(|(family, _)| family.has(order)) {
                out.push([keys::by(tenant, *family, order).as_slice(), value, &suffix].concat());
            }
        }
        Ok(out)
    }

    fn intern(&mut self, string: &str) -> Result<u32, Fault> {
        if let Some(number) = number_of(self, string)? {
            return Ok(number);
        }
        let key = keys::meta("names");
        let last = self.get(&key)?.map_or(Ok([0; 4]), |bytes| bytes.as_slice().try_into())?;
        let number = u32::from_be_bytes(last).checked_add(1).ok_or_else(|| anyhow!("four billion names are taken"))?;
        self.put(key, number.to_be_bytes().to_vec());
        self.put(keys::name(string), number.to_be_bytes().to_vec());
        Ok(number)
    }

    fn record(&self, tenant: u32, id: &str) -> Result<Option<RecordRow>, Fault> {
        self.get(&keys::record(tenant, id))?.map(|bytes| RecordRow::decode(&bytes)).transpose()
    }

    fn message(&self, tenant: u32, digest: &Digest) -> Result<Option<MessageRow>, Fault> {
        self.get(&keys::message(tenant, digest))?.map(|bytes| MessageRow::decode(&bytes)).transpose()
    }
}

/// The data that came with a message.
fn own_data(position: Position, message: &frame::MessageFrame) -> Result<Option<DataRow>, Fault> {
    let Some(info) = &message.data else { return Ok(None) };
    let inline = message.inline.as_ref().map(|_| position);
    Ok(Some(DataRow { root: info.root()?, size: info.size, inline, is_elsewhere: info.elsewhere }))
}

/// What a panic said.
pub fn panicked(what: &str, panic: &(dyn std::any::Any + Send)) -> Fault {
    let text = panic.downcast_ref::<&str>().map(|s| (*s).to_owned()).or_else(|| panic.downcast_ref().cloned());
    anyhow!("{what} panicked: {}", text.unwrap_or_else(|| "no message".into()))
}
