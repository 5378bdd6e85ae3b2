//! One tenant's past, as the rules ask for it.
//!
//! Every call sees the index as it is between two batches; a call that reads for long (a query, the event log) lets
//! the writer in meanwhile and answers with the state at its end ([`super::rows::steady`]). A view is not frozen from one
//! call to the next: sled keeps no old versions. Under the one writer nothing else changes the index, so there the
//! past stands still; a read outside it may see a later state in a later call, never half a change.

use super::{
    log::{CachedMessage, Log, frame},
    lsm::Scan,
    metrics::Metrics,
    place::Position,
    query,
    rows::{
        batch::IndexBatch,
        index::{Index, Versions},
        keys,
        row::{EventRow, MessageRow, RecordRow},
        source::{Source, number_of},
        steady::{ROUNDS_MAX, STRIDE, Steady},
    },
};
use crate::{
    cid::{self, Cid, Digest},
    dwn::{EventFilter, Fault, Hits, LogEvent, Page, PaginationCursor, Record, Select, Stored, Take, View},
};
use anyhow::Context as _;
use bytes::Bytes;
use std::{
    sync::{Arc, OnceLock, RwLockReadGuard},
    time::{Duration, Instant},
};

/// A message that takes longer to read came from the disk: then those that follow are asked for together, which a disk
/// brings sooner than one after the other. Where all is in memory anyway, asking would cost more than it saves.
const SLOW: Duration = Duration::from_micros(30);
/// As many are asked for together.
const TOGETHER: usize = 64;

/// A tenant's past in the index as it is.
#[derive(Debug)]
pub struct TenantView {
    index: Arc<Index>,
    log: Log,
    tenant: String,
    /// The tenant's number, once it is known: it never changes.
    number: OnceLock<u32>,
}

impl TenantView {
    pub fn new(index: Arc<Index>, log: Log, tenant: &str) -> Self {
        Self { index, log, tenant: tenant.to_owned(), number: OnceLock::new() }
    }

    fn over(&self) -> ViewOver<'_> {
        ViewOver { source: self, tenant: &self.tenant, number: Some(&self.number) }
    }

    /// Answers `select` and says how.
    pub fn explain(&self, select: &Select) -> Result<query::Explained, Fault> {
        self.over().explain(select)
    }

    /// Answers while no batch is applied.
    fn steadily<T>(&self, ask: impl FnOnce(&ViewOver<'_>) -> Result<T, Fault>) -> Result<T, Fault> {
        let _steady = self.index.steady();
        ask(&self.over())
    }
}

impl Source for TenantView {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        self.index.get(key)
    }

    fn scan(&self, from: &[u8], to: &[u8], reverse: bool) -> Scan<'_> {
        self.index.scan(from, to, reverse)
    }

    fn frame(&self, at: Position) -> Result<CachedMessage, Fault> {
        self.log.message(at)
    }

    fn expect(&self, positions: &[Position]) {
        self.log.expect(positions);
    }

    fn steady(&self) -> Option<RwLockReadGuard<'_, ()>> {
        Some(self.index.steady())
    }

    fn applied(&self) -> Result<Position, Fault> {
        Ok(self.index.applied()?.unwrap_or(0))
    }

    fn versions(&self) -> Versions {
        self.index.versions()
    }

    fn metrics(&self) -> &Metrics {
        &self.index.metrics
    }
}

impl View for TenantView {
    fn message(&self, cid: &Cid) -> Result<Option<Stored>, Fault> {
        self.steadily(|view| view.message(cid))
    }

    fn record(&self, record_id: &str) -> Result<Option<Record>, Fault> {
        self.steadily(|view| view.record(record_id))
    }

    fn initial_before(&self, record_id: &str, cid: &Cid) -> Result<Option<Stored>, Fault> {
        self.steadily(|view| view.initial_before(record_id, cid))
    }

    fn protocol(&self, uri: &str) -> Result<Option<Stored>, Fault> {
        self.steadily(|view| view.protocol(uri))
    }

    fn protocols(&self) -> Result<Vec<Position>, Fault> {
        self.steadily(|view| view.protocols())
    }

    fn children(&self, parent_id: &str) -> Result<Vec<Record>, Fault> {
        self.steadily(|view| view.children(parent_id))
    }

    fn hits(&self, select: &Select) -> Result<Hits, Fault> {
        // The query holds the index steady. Messages are read from the log afterwards: what is in the log stays.
        self.over().hits(select)
    }

    fn each(&self, positions: &[Position], take: &mut Take<'_>) -> Result<(), Fault> {
        self.over().each(positions, take)
    }

    fn select_of(&self, tenant: &str, select: &Select) -> Result<Page, Fault> {
        ViewOver { source: self, tenant, number: None }.select(select)
    }

    fn events(&self, any_of: &[EventFilter], after: Option<u64>, limit: Option<usize>) -> Result<Vec<LogEvent>, Fault> {
        self.over().events(any_of, after, limit)
    }

    fn inline_data(&self, stored: &Stored) -> Result<Option<Bytes>, Fault> {
        self.steadily(|view| view.inline_data(stored))
    }

    fn has_data(&self, stored: &Stored) -> Result<bool, Fault> {
        self.steadily(|view| view.has_data(stored))
    }
}

/// A tenant's past, read from any source.
pub struct ViewOver<'a> {
    source: &'a dyn Source,
    tenant: &'a str,
    /// Where the tenant's number is remembered.
    number: Option<&'a OnceLock<u32>>,
}

impl<'a> ViewOver<'a> {
    /// The past with what the running group has decided.
    pub fn with(batch: &'a IndexBatch<'_>, tenant: &'a str) -> Self {
        Self { source: batch, tenant, number: None }
    }

    fn number(&self) -> Result<Option<u32>, Fault> {
        if let Some(known) = self.number.and_then(OnceLock::get) {
            return Ok(Some(*known));
        }
        let number = number_of(self.source, self.tenant)?;
        if let (Some(cell), Some(number)) = (self.number, number) {
            let _ = cell.set(number); // set meanwhile: to the same
        }
        Ok(number)
    }

    fn row(&self, tenant: u32, digest: &Digest) -> Result<Option<MessageRow>, Fault> {
        self.source.get(&keys::message(tenant, digest))?.map(|bytes| MessageRow::decode(&bytes)).transpose()
    }

    fn row_of(&self, cid: &Cid) -> Result<Option<MessageRow>, Fault> {
        let Some(tenant) = self.number()? else { return Ok(None) };
        let Ok(digest) = frame::message_digest(cid) else { return Ok(None) };
        self.row(tenant, &digest)
    }

    /// The message at a position; none if compaction has left a stub of it, whose end a damaged log does not say.
    fn stored(&self, at: Position, latest: bool) -> Result<Option<Stored>, Fault> {
        Ok(self.source.frame(at)?.kept().map(|kept| Stored { kept: kept.clone(), latest }))
    }

    fn stored_by(&self, tenant: u32, (at, digest): (Position, Digest)) -> Result<Option<Stored>, Fault> {
        let row = self.row(tenant, &digest)?;
        self.stored(at, row.is_some_and(|row| row.latest))
    }

    /// Answers `select` and says how.
    fn explain(&self, select: &Select) -> Result<query::Explained, Fault> {
        let Some(tenant) = self.number()? else { return Ok(query::Explained::default()) };
        query::explain(self.source, (tenant, self.tenant), select)
    }

    /// Takes out events that are no longer there.
    fn drop_gone(&self, tenant: u32, events: &mut Vec<LogEvent>, steady: &Steady<'_>) -> Result<(), Fault> {
        let mut gone = Vec::new();
        for event in &*events {
            steady.tick()?;
            if self.source.get(&keys::event(tenant, event.position))?.is_none() {
                gone.push(event.position);
            }
        }
        events.retain(|event| gone.binary_search(&event.position).is_err());
        Ok(())
    }
}

impl View for ViewOver<'_> {
    fn message(&self, cid: &Cid) -> Result<Option<Stored>, Fault> {
        let Some(row) = self.row_of(cid)? else { return Ok(None) };
        self.stored(row.position, row.latest)
    }

    fn record(&self, record_id: &str) -> Result<Option<Record>, Fault> {
        let Some(tenant) = self.number()? else { return Ok(None) };
        let Some(bytes) = self.source.get(&keys::record(tenant, record_id))? else { return Ok(None) };
        let RecordRow { initial, newest, latest, .. } = RecordRow::decode(&bytes)?;
        let Some(first) = initial else { return Ok(None) };
        if first == newest {
            let state = self.stored(newest.0, latest)?;
            return Ok(state.map(|state| Record { newest: state.clone(), initial: state }));
        }
        let Some(initial) = self.stored_by(tenant, first)? else { return Ok(None) };
        let newest = self.stored(newest.0, latest)?.unwrap_or_else(|| initial.clone());
        Ok(Some(Record { initial, newest }))
    }

    fn initial_before(&self, record_id: &str, cid: &Cid) -> Result<Option<Stored>, Fault> {
        let Some(tenant) = self.number()? else { return Ok(None) };
        let Some(bytes) = self.source.get(&keys::record(tenant, record_id))? else { return Ok(None) };
        let Some(initial) = RecordRow::decode(&bytes)?.initial else { return Ok(None) };
        if frame::message_digest(cid).is_ok_and(|digest| digest == initial.1) {
            return Ok(None);
        }
        self.stored_by(tenant, initial)
    }

    fn protocol(&self, uri: &str) -> Result<Option<Stored>, Fault> {
        let Some(tenant) = self.number()? else { return Ok(None) };
        let Some(at) = self.source.get(&keys::protocol(tenant, uri))? else { return Ok(None) };
        self.stored(position(&at)?, true)
    }

    fn protocols(&self) -> Result<Vec<Position>, Fault> {
        let Some(tenant) = self.number()? else { return Ok(Vec::new()) };
        let prefix = keys::protocol(tenant, "");
        let found = self.source.scan(&prefix, &keys::after(prefix.clone()), false);
        found.map(|pair| pair.and_then(|(_, at)| position(&at))).collect()
    }

    fn children(&self, parent_id: &str) -> Result<Vec<Record>, Fault> {
        let Some(tenant) = self.number()? else { return Ok(Vec::new()) };
        let prefix = keys::children(tenant, parent_id);
        let mut found = Vec::new();
        for pair in self.source.scan(&prefix, &keys::after(prefix.clone()), false) {
            let (key, _) = pair?;
            let id = std::str::from_utf8(key.get(prefix.len()..).unwrap_or_default())?;
            found.extend(self.record(id)?);
        }
        Ok(found)
    }

    fn hits(&self, select: &Select) -> Result<Hits, Fault> {
        let Some(tenant) = self.number()? else { return Ok(Hits::default()) };
        let query::Answer { positions, more } = query::select(self.source, (tenant, self.tenant), select)?;
        let last = positions.last().filter(|_| more.is_some()).map(|at| self.source.frame(*at)).transpose()?;
        let cursor =
            more.zip(last).map(|(value, last)| PaginationCursor { message_cid: last.cid().to_string(), value });
        Ok(Hits { positions, cursor })
    }

    fn each(&self, positions: &[Position], take: &mut Take<'_>) -> Result<(), Fault> {
        let mut expected = 0;
        for (n, at) in positions.iter().enumerate() {
            let begun = Instant::now();
            let frame = self.source.frame(*at)?;
            if n >= expected && begun.elapsed() > SLOW {
                expected = (n + 1 + TOGETHER).min(positions.len());
                self.source.expect(positions.get(n + 1..expected).unwrap_or_default());
            }
            if take(frame.kept().map(|kept| Stored { kept: kept.clone(), latest: true }))?.is_break() {
                break;
            }
        }
        Ok(())
    }

    fn select_of(&self, tenant: &str, select: &Select) -> Result<Page, Fault> {
        ViewOver { source: self.source, tenant, number: None }.select(select)
    }

    fn events(&self, any_of: &[EventFilter], after: Option<u64>, limit: Option<usize>) -> Result<Vec<LogEvent>, Fault> {
        let Some(tenant) = self.number()? else { return Ok(Vec::new()) };
        let Some(mut from) = after.map_or(Some(0), |after| after.checked_add(1)) else { return Ok(Vec::new()) };
        let to = keys::after(keys::event(tenant, u64::MAX));
        let limit = limit.unwrap_or(usize::MAX);
        let steady = Steady::new(self.source, STRIDE);
        let mut found: Vec<LogEvent> = Vec::new();
        // Of which state it is known that nothing found had gone.
        let mut sure = None;
        for round in 1.. {
            // Up to the end, or the limit, as of the moment.
            while found.len() < limit {
                let pauses = steady.pauses();
                for pair in self.source.scan(&keys::event(tenant, from), &to, false) {
                    let (key, value) = pair?;
                    let event = event(&key, &EventRow::decode(&value)?, any_of)?;
                    from = position_of(&key)?.saturating_add(1);
                    found.extend(event);
                    steady.tick()?;
                    if found.len() == limit || steady.pauses() != pauses {
                        break;
                    }
                }
                if steady.pauses() == pauses {
                    break;
                }
            }
            let Some(since) = steady.since() else { break };
            let (pauses, count) = (steady.pauses(), found.len());
            if self.source.versions().events != *sure.get_or_insert(since.versions.events) {
                sure = Some(steady.repeat(|versions| versions.events, || self.drop_gone(tenant, &mut found, &steady))?);
            }
            if steady.pauses() == pauses && found.len() == count {
                break;
            }
            if round == ROUNDS_MAX {
                steady.hold();
            }
        }
        Ok(found)
    }

    fn inline_data(&self, stored: &Stored) -> Result<Option<Bytes>, Fault> {
        let Some(row) = self.row_of(&stored.cid)? else { return Ok(None) };
        let Some(at) = row.data.and_then(|data| data.inline) else { return Ok(None) };
        if at == row.position && stored.beside.is_some() {
            return Ok(stored.beside.clone());
        }
        let inline = self.source.frame(at)?.inline().cloned();
        inline.map(Some).with_context(|| format!("the data of {} is not in the frame at {at}", stored.cid))
    }

    fn has_data(&self, stored: &Stored) -> Result<bool, Fault> {
        Ok(self.row_of(&stored.cid)?.is_some_and(|row| row.data.is_some()))
    }
}

/// The event, if one of the filters lets it through.
fn event(key: &[u8], row: &EventRow, any_of: &[EventFilter]) -> Result<Option<LogEvent>, Fault> {
    if !any_of.is_empty() && !any_of.iter().any(|filter| is_meant(filter, row)) {
        return Ok(None);
    }
    let cid = cid::from_digest(cid::DAG_CBOR, &row.digest);
    Ok(Some(LogEvent { position: position_of(key)?, cid, kind: row.kind, protocol: row.protocol.clone() }))
}

/// The position at the end of an event's key.
fn position_of(key: &[u8]) -> Result<Position, Fault> {
    Ok(u64::from_be_bytes(*key.last_chunk().context("an event's key is too short")?))
}

fn is_meant(filter: &EventFilter, row: &EventRow) -> bool {
    let is = |wanted: &Option<String>, found: &str| wanted.as_deref().is_none_or(|wanted| wanted == found);
    is(&filter.interface, &row.interface)
        && is(&filter.method, &row.method)
        && filter.protocol.as_ref().is_none_or(|p| row.protocol.as_ref() == Some(p) || row.tagged.as_ref() == Some(p))
        && filter.tagged.as_ref().is_none_or(|protocol| row.tagged.as_ref() == Some(protocol))
        && filter.from.as_ref().is_none_or(|from| row.timestamp >= *from)
        && filter.to.as_ref().is_none_or(|to| row.timestamp < *to)
}

fn position(bytes: &[u8]) -> Result<Position, Fault> {
    Ok(u64::from_be_bytes(bytes.try_into().context("a position in the index is not 8 bytes")?))
}
