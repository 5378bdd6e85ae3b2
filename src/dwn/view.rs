//! What rules may know of one tenant's past. The store implements it on a snapshot and, under the one
//! writer, on a snapshot plus what the running group has already decided; tests implement it on a list.

use super::{fields::record_id, json::Json, lineage::Lineage, refusal::Fault};
use crate::cid::Cid;
use bytes::Bytes;
use std::{
    collections::BTreeMap,
    ops::{ControlFlow, Deref},
    sync::Arc,
};

/// Data of up to this many bytes is kept beside its message and returned as `encodedData` (SDK: `maxDataSizeAllowedToBeEncoded`).
pub const INLINE_MAX: u64 = 30_000;

/// A message as it is kept.
#[derive(Debug, Clone)]
pub struct Stored {
    pub kept: Arc<Kept>,
    /// Answers queries: the newest state of its record, and not an initial write without data.
    pub latest: bool,
}

impl Deref for Stored {
    type Target = Kept;

    fn deref(&self) -> &Kept {
        &self.kept
    }
}

/// What of a message never changes: JSON without `encodedData`.
#[derive(Debug)]
pub struct Kept {
    pub cid: Cid,
    /// The logical author (a delegate signs for its grantor).
    pub author: Arc<str>,
    /// Whose state it is, if a record's.
    pub record_id: Option<Arc<str>>,
    pub message: Arc<Json>,
    /// Data that lies with it on the disk. Whether the message still has data, [`View::inline_data`] says.
    pub beside: Option<Bytes>,
    pub lineage: Lineage,
}

/// What is kept of one record: its initial write and its newest message (which may be the same one).
#[derive(Debug, Clone)]
pub struct Record {
    pub initial: Stored,
    /// A RecordsWrite, or the RecordsDelete that ended the record.
    pub newest: Stored,
}

/// One indexed value. An array property (a tag) is indexed once per element.
#[derive(Debug, Clone, PartialEq)]
pub enum IndexValue {
    String(String),
    Number(f64),
    Bool(bool),
}

/// A condition on one property.
#[derive(Debug, Clone, PartialEq)]
pub enum Cond {
    Equal(IndexValue),
    OneOf(Vec<IndexValue>),
    /// Bounds of one type; strings compare as UTF-16 code units do in JS (for ASCII: as bytes).
    Range {
        gt: Option<IndexValue>,
        gte: Option<IndexValue>,
        lt: Option<IndexValue>,
        lte: Option<IndexValue>,
    },
}

/// All conditions must hold. Keys are index property names: descriptor scalars, `recordId`, `contextId`,
/// `parentId`, `author`, `attester`, `published`, `tag.<name>`, …
pub type Filter = BTreeMap<String, Cond>;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SortBy {
    #[default]
    DateCreated,
    DatePublished,
    MessageTimestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Direction {
    #[default]
    Ascending,
    Descending,
}

/// The last entry of the page before: its CID string and its value of the sort property. Exclusive.
#[derive(Debug, Clone, PartialEq)]
pub struct PaginationCursor {
    pub message_cid: String,
    pub value: String,
}

/// A query over the latest states of records: any of the filters, sorted, tie-broken by the message CID
/// *string* in the sort direction.
#[derive(Debug, Clone, Default)]
pub struct Select {
    pub any_of: Vec<Filter>,
    pub sort: SortBy,
    pub direction: Direction,
    pub limit: Option<usize>,
    pub after: Option<PaginationCursor>,
}

/// A page of messages; `cursor` is there only when more follow.
#[derive(Debug, Clone, Default)]
pub struct Page {
    pub entries: Vec<Stored>,
    pub cursor: Option<PaginationCursor>,
}

/// Where the messages lie that answer a query, in order; `cursor` is there only when more follow.
#[derive(Debug, Clone, Default)]
pub struct Hits {
    /// Node-private, and known to the view that named them.
    pub positions: Vec<u64>,
    pub cursor: Option<PaginationCursor>,
}

/// A filter of the event log (MessagesQuery). Times are compared as strings.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct EventFilter {
    pub interface: Option<String>,
    pub method: Option<String>,
    /// Also matches permission records tagged with this protocol.
    pub protocol: Option<String>,
    /// Only permission records tagged with this protocol.
    pub tagged: Option<String>,
    pub from: Option<String>,
    pub to: Option<String>,
}

/// One accepted message in arrival order. `position` is node-private and grows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEvent {
    pub position: u64,
    pub cid: Cid,
    pub kind: EventKind,
    pub protocol: Option<String>,
}

/// What an event may mean for messages that came before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EventKind {
    /// Nothing: a first write, a delete.
    #[default]
    First,
    /// A newer state of a record, without which a child of it that came before cannot be replayed.
    Update,
    /// A protocol, without which no record of it can be replayed.
    Configure,
}

impl EventKind {
    /// The kind of an event by what its message is indexed by, and whether it is its record's initial write.
    pub fn of(interface: &str, method: &str, initial: bool) -> Self {
        match (interface, method) {
            ("Protocols", "Configure") => Self::Configure,
            ("Records", "Write") if !initial => Self::Update,
            _ => Self::First,
        }
    }
}

/// Takes a message that was asked for.
pub type Take<'a> = dyn FnMut(Option<Stored>) -> Result<ControlFlow<()>, Fault> + 'a;

/// One tenant's past.
pub trait View {
    /// A message the tenant still keeps.
    fn message(&self, cid: &Cid) -> Result<Option<Stored>, Fault>;
    /// The record with this recordId.
    fn record(&self, record_id: &str) -> Result<Option<Record>, Fault>;
    /// The initial write of this record, unless that is the message `cid`.
    fn initial_before(&self, record_id: &str, cid: &Cid) -> Result<Option<Stored>, Fault> {
        let record = self.record(record_id)?;
        Ok(record.map(|record| record.initial).filter(|initial| initial.cid != *cid))
    }
    /// The newest ProtocolsConfigure of this protocol URI.
    fn protocol(&self, uri: &str) -> Result<Option<Stored>, Fault>;
    /// Where the newest ProtocolsConfigure of every protocol lies.
    fn protocols(&self) -> Result<Vec<u64>, Fault>;
    /// Records whose parent is this one. The default does not see a child that only has an initial write
    /// without data; an implementation that can find those too should.
    fn children(&self, parent_id: &str) -> Result<Vec<Record>, Fault> {
        let parent = Cond::Equal(IndexValue::String(parent_id.into()));
        let select = Select { any_of: vec![[("parentId".into(), parent)].into()], ..Select::default() };
        let states = self.select(&select)?.entries;
        let records = states.iter().filter_map(|state| record_id(&state.message));
        records.filter_map(|id| self.record(id).transpose()).collect()
    }
    /// Latest states of records.
    fn select(&self, select: &Select) -> Result<Page, Fault> {
        let Hits { positions, cursor } = self.hits(select)?;
        let mut entries = Vec::with_capacity(positions.len());
        self.each(&positions, &mut |stored| {
            entries.extend(stored);
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(Page { entries, cursor })
    }
    /// Where the latest states of records lie.
    fn hits(&self, select: &Select) -> Result<Hits, Fault>;
    /// Hands over the messages at these positions, one by one, until it is told to stop; none where no more than a stub is
    /// left of one. What a message says never changes: one that was replaced since its position was named is still
    /// that one.
    fn each(&self, positions: &[u64], take: &mut Take<'_>) -> Result<(), Fault>;
    /// Latest states of records of another tenant, if that is kept here too: a grant is revoked where its grantor
    /// keeps it.
    fn select_of(&self, tenant: &str, select: &Select) -> Result<Page, Fault>;
    /// Messages kept, in arrival order, after `after`, matching any of the filters (none given: all).
    fn events(&self, any_of: &[EventFilter], after: Option<u64>, limit: Option<usize>) -> Result<Vec<LogEvent>, Fault>;
    /// Data of a record of up to [`INLINE_MAX`] bytes, which is kept beside its message.
    fn inline_data(&self, stored: &Stored) -> Result<Option<Bytes>, Fault>;
    /// Is this message its record's state with data? (That is here, or [`View::is_elsewhere`].)
    fn has_data(&self, stored: &Stored) -> Result<bool, Fault>;
    /// Does this message have data that was left on another device ([`super::Given::Elsewhere`]), and has not come since?
    fn is_elsewhere(&self, _: &Stored) -> Result<bool, Fault> {
        Ok(false)
    }
}
