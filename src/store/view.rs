//! One tenant's past, as the rules ask for it.
//!
//! A view reads one state of the index, whatever is written meanwhile: for a reader the state in which he first asked,
//! under the one writer the state before the group with what the group has decided.

use super::{
    log::frame,
    place::Position,
    query,
    rows::{
        keys,
        row::{EventRow, MessageRow, RecordRow},
        source::{Source, number_of},
    },
};
use crate::{
    cid::{self, Cid, Digest},
    dwn::{EventFilter, Fault, Hits, LogEvent, Page, PaginationCursor, Record, Select, Stored, Take, View},
};
use anyhow::Context as _;
use bytes::Bytes;
use std::{
    sync::OnceLock,
    time::{Duration, Instant},
};

/// A message that takes longer to read came from the disk: then those that follow are asked for together, which a disk
/// brings sooner than one after the other. Where all is in memory anyway, asking would cost more than it saves.
const SLOW: Duration = Duration::from_micros(30);
/// As many are asked for together.
const TOGETHER: usize = 64;

/// A tenant's past, read from any source.
#[derive(Debug)]
pub struct TenantView<S> {
    source: S,
    tenant: String,
    /// The tenant's number, once it is known: it never changes.
    number: OnceLock<u32>,
}

impl<S: Source> TenantView<S> {
    pub fn new(source: S, tenant: &str) -> Self {
        Self { source, tenant: tenant.to_owned(), number: OnceLock::new() }
    }

    fn number(&self) -> Result<Option<u32>, Fault> {
        if let Some(known) = self.number.get() {
            return Ok(Some(*known));
        }
        let number = number_of(&self.source, &self.tenant)?;
        Ok(number.map(|number| *self.number.get_or_init(|| number)))
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
    pub fn explain(&self, select: &Select) -> Result<query::Explained, Fault> {
        let Some(tenant) = self.number()? else { return Ok(query::Explained::default()) };
        query::explain(&self.source, (tenant, &self.tenant), select)
    }
}

impl<S: Source> View for TenantView<S> {
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
        let query::Answer { positions, more } = query::select(&self.source, (tenant, &self.tenant), select)?;
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
        TenantView::new(&self.source as &dyn Source, tenant).select(select)
    }

    fn events(&self, any_of: &[EventFilter], after: Option<u64>, limit: Option<usize>) -> Result<Vec<LogEvent>, Fault> {
        let Some(tenant) = self.number()? else { return Ok(Vec::new()) };
        let Some(from) = after.map_or(Some(0), |after| after.checked_add(1)) else { return Ok(Vec::new()) };
        let to = keys::after(keys::event(tenant, u64::MAX));
        let pairs = self.source.scan(&keys::event(tenant, from), &to, false);
        let events = pairs.filter_map(|pair| {
            pair.and_then(|(key, value)| event(&key, &EventRow::decode(&value)?, any_of)).transpose()
        });
        events.take(limit.unwrap_or(usize::MAX)).collect()
    }

    fn inline_data(&self, stored: &Stored) -> Result<Option<Bytes>, Fault> {
        let Some(row) = self.row_of(&stored.cid)? else { return Ok(None) };
        let Some(at) = row.data.and_then(|data| data.inline) else { return Ok(None) };
        if at == row.position && stored.beside.is_some() {
            return Ok(stored.beside.clone());
        }
        // None: it was superseded since the view was taken, and compaction has been there.
        Ok(self.source.frame(at)?.inline().cloned())
    }

    fn has_data(&self, stored: &Stored) -> Result<bool, Fault> {
        Ok(self.row_of(&stored.cid)?.is_some_and(|row| row.data.is_some()))
    }

    fn is_elsewhere(&self, stored: &Stored) -> Result<bool, Fault> {
        Ok(self.row_of(&stored.cid)?.and_then(|row| row.data).is_some_and(|data| data.is_elsewhere))
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
