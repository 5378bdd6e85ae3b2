//! What is read of a store beside the pasts of its tenants: the log as followers see it, state, who holds which block.

use super::{
    damaged::Object,
    handle::Store,
    log::{
        Damage, Piece, Read,
        frame::{self, Frame},
    },
    place::{Place, Position},
    rows::{
        keys,
        refs::{self, Keeper, Scope},
        row::{MessageRow, RecordRow},
        source::{Source as _, number_of},
    },
};
use crate::{
    cid::{Cid, Digest},
    dwn::{Fault, Json},
};
use anyhow::Context as _;
use bytes::Bytes;
use std::{collections::BTreeSet, sync::Arc};

/// Bytes of messages after which [`Store::entries`] returns what it has, whatever was asked for.
const ENTRIES_BYTES: u64 = 8 << 20;

/// What a follower reads.
#[expect(clippy::large_enum_variant, reason = "nearly all are messages: a box would cost more than it saves")]
#[derive(Debug, Clone)]
pub enum Entry {
    /// An accepted message. `message` is its DAG-CBOR (no `encodedData`). `latest`: when it was
    /// accepted, it became the state of its subject.
    Message {
        position: Position,
        next: Position,
        /// When it came here, in milliseconds since 1970; what the first format of the log wrote does not say.
        arrived: Option<u64>,
        tenant: String,
        author: String,
        cid: Cid,
        message: Bytes,
        data: Option<(Cid, u64)>,
        latest: bool,
        /// Where the state of its record lies that it superseded, if there was one ([`Store::former`]); what an earlier
        /// toft wrote does not say.
        before: Option<Position>,
        /// It was here before, and now its data is too.
        again: bool,
    },
    /// State that other modules keep (see [`Store::put_state`]); followers pass over it.
    State { position: Position, next: Position },
}

/// A message that was once the state of its record.
#[derive(Debug, Clone)]
pub struct Former {
    pub message: Arc<Json>,
    pub author: String,
    pub initial: bool,
    /// Where the state before it lies.
    pub before: Option<Position>,
}

impl Entry {
    /// Where to read on.
    pub fn next(&self) -> Position {
        match self {
            Entry::Message { next, .. } | Entry::State { next, .. } => *next,
        }
    }
}

impl Store {
    /// Bytes of data that the records of a tenant hold; data held by two records counts twice.
    pub fn tenant_bytes(&self, tenant: &str) -> Result<u64, Fault> {
        let source = self.source();
        number_of(&source, tenant)?.map_or(Ok(0), |tenant| refs::counter(&source, &keys::usage(tenant)))
    }

    /// Entries from `from` on (0: the first), at most `max`, only durable ones. Fewer than `max` does not mean
    /// that there are no more: compare [`Entry::next`] with the tail. Past a damaged stretch it goes on behind it.
    pub fn entries(&self, from: Position, max: usize) -> Result<Vec<Entry>, Fault> {
        let end = *self.0.tail.borrow();
        let mut found = Vec::new();
        let (mut at, mut piece) = (from, Piece::default());
        while at < end && found.len() < max && at - from < ENTRIES_BYTES {
            let read = if max > 1 { self.0.log.read_on(&mut piece, at, end)? } else { self.0.log.read(at)? };
            match read {
                Read::Frame { frame, at: arrived, next } => {
                    found.push(entry(at, next, arrived, frame)?);
                    at = next;
                }
                Read::Gone { next } => at = next,
                Read::End => break,
                Read::Bad(why) => {
                    let next = self.0.log.resync(at)?.unwrap_or(end).min(end);
                    self.0.health.damaged(Object::Log(at), &Damage { from: at, to: next, why }.to_string());
                    at = next;
                }
            }
        }
        Ok(found)
    }

    /// The message at a position of the log, kept or not; `None`: compaction, or damage, has taken it.
    pub fn former(&self, at: Position) -> Result<Option<Former>, Fault> {
        let Read::Frame { frame: Frame::Message(message), .. } = self.0.log.read(at)? else { return Ok(None) };
        let json = message.json()?;
        let frame::MessageFrame { author, initial, before, .. } = *message;
        Ok(Some(Former { message: json, author, initial, before }))
    }

    /// State of another module, by key. Keys begin with the module's name: `anchor/…`, `sync/…`.
    pub fn state(&self, key: &[u8]) -> Result<Option<Bytes>, Fault> {
        Ok(self.0.index.get(&keys::state(key))?.map(Bytes::from))
    }

    /// All state whose key begins with `prefix`, in key order, as of one moment.
    pub fn states(&self, prefix: &[u8]) -> Result<Vec<(Bytes, Bytes)>, Fault> {
        let from = keys::state(prefix);
        let to = keys::after(from.clone());
        let pairs = self.0.index.scan(&from, &to, false);
        pairs.map(|pair| pair.map(|(key, value)| (Bytes::from(key).slice(1..), Bytes::from(value)))).collect()
    }

    /// Where a block lies, if a record of any tenant, or a pin, holds it.
    pub fn block(&self, digest: &Digest) -> Result<Option<Place>, Fault> {
        Ok(self.part(digest, Keeper::Any, Scope::All)?.map(|(place, _)| place))
    }

    /// Where a block lies that somebody of `keeper` holds as a part of `scope`; and is it the root of a tree, or a part of
    /// the tree that was named? Who may have what is asked of `blocks`, not here.
    pub fn part(&self, digest: &Digest, keeper: Keeper, scope: Scope) -> Result<Option<(Place, bool)>, Fault> {
        let source = self.source();
        let Some(tree) = refs::part(&source, digest, keeper, scope)? else { return Ok(None) };
        Ok(refs::place(&source, digest)?.map(|place| (place, tree)))
    }

    /// Does a published latest-state record of any tenant hold this block (so that anyone may have it)?
    pub fn block_is_public(&self, digest: &Digest) -> Result<bool, Fault> {
        Ok(refs::part(&self.source(), digest, Keeper::Published, Scope::All)?.is_some())
    }

    /// The records that hold a block, as tenant and recordId, at most `max`: whom to ask whether a peer may read it.
    pub fn block_records(&self, digest: &Digest, max: usize) -> Result<Vec<(String, String)>, Fault> {
        let mut found = Vec::new();
        refs::holders(&self.source(), digest, |holder| {
            if found.len() < max {
                found.push(holder.to_vec());
            }
            found.len() < max
        })?;
        found.iter().map(|holder| self.holder(holder)).collect()
    }

    /// Digests of all data that published records hold: what may be announced.
    pub fn public_roots(&self) -> Result<BTreeSet<Digest>, Fault> {
        let all = keys::blocks();
        let pairs = self.0.index.scan(&all, &keys::after(all.clone()), false);
        pairs.filter_map(|pair| pair.map(|(key, _)| keys::published(&key)).transpose()).collect()
    }

    /// The message that is a record's state, and the size of its data, if that is elsewhere. Only the index is asked.
    pub fn elsewhere(&self, tenant: &str, record: &str) -> Result<Option<(Digest, u64)>, Fault> {
        let source = self.source();
        let Some(tenant) = number_of(&source, tenant)? else { return Ok(None) };
        let Some(row) = source.get(&keys::record(tenant, record))? else { return Ok(None) };
        let (_, newest) = RecordRow::decode(&row)?.newest;
        let Some(row) = source.get(&keys::message(tenant, &newest))? else { return Ok(None) };
        let data = MessageRow::decode(&row)?.data.filter(|data| data.is_elsewhere);
        Ok(data.map(|data| (newest, data.size)))
    }

    fn holder(&self, reference: &[u8]) -> Result<(String, String), Fault> {
        let (number, record) = reference.split_first_chunk().context("a reference to data is too short")?;
        let tenant = self.0.index.get(&keys::tenant(u32::from_be_bytes(*number)))?;
        let tenant = tenant.context("a reference to data names an unknown tenant")?;
        Ok((String::from_utf8(tenant)?, String::from_utf8(record.to_vec())?))
    }
}

fn entry(position: Position, next: Position, arrived: Option<u64>, frame: Frame) -> Result<Entry, Fault> {
    let Frame::Message(message) = frame else { return Ok(Entry::State { position, next }) };
    let cid = message.cid();
    let data = message.data.as_ref().map(|info| Ok::<_, Fault>((info.root()?, info.size))).transpose()?;
    let frame::MessageFrame { tenant, author, message, latest, before, again, .. } = *message;
    let message = Bytes::from(message.into_vec());
    Ok(Entry::Message { position, next, arrived, tenant, author, cid, message, data, latest, before, again })
}
