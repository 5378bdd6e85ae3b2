//! Queries over latest states: which rows of the index are looked at, and in which order.
//!
//! Each filter of a query becomes runs: ranges of one index in which rows stand in the query's order, or, where
//! no index has that order, rows gathered and sorted. The runs are merged, and every row is compared with the
//! filters in full; so an index may offer too many rows, never too few. (Every index is at least in the order of
//! dateCreated, which every state of a record has.) Choosing between indexes is by a fixed
//! preference of the narrow before the wide; counting rows is left to a planner to come.

use super::{
    Position,
    keys::{self, Family, Order},
    pending::{self, NUMBERED, SPELLED, Source},
    rows::{MessageRow, RecordRow, Row},
};
use crate::{
    cid::{self, Digest},
    dwn::{Cond, Cursor, Direction, Fault, Filter, IndexValue, Select, SortBy},
};
use anyhow::Context as _;
use std::{cmp::Ordering, collections::BTreeSet, iter::Peekable};

/// Ranges that one filter may be spread over (one-of-lists multiply); beyond, a wider index is used.
const RANGES_MAX: usize = 64;

/// A row that answers a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hit {
    pub position: Position,
    pub digest: Digest,
    /// Value of the sort property.
    pub sort: String,
}

/// What answers `select`, in order; at most its limit, and whether more follow.
pub(super) fn select(source: &dyn Source, tenant: u32, name: &str, select: &Select) -> Result<(Vec<Hit>, bool), Fault> {
    let order = order(select.sort);
    let wanted = select.any_of.iter().flat_map(Filter::keys).map(String::as_str).chain([order.property()]).collect();
    let query = Query { source, tenant, name, order, select, wanted };
    let mut runs = Vec::new();
    for filter in &select.any_of {
        runs.extend(query.runs(filter)?);
    }
    let limit = select.limit.unwrap_or(usize::MAX);
    let mut hits = Vec::new();
    let mut last = None;
    while let Some((_, position)) = query.pop(&mut runs)? {
        if last.replace(position) == Some(position) {
            continue;
        }
        let Some(row) = query.row(position)? else { continue };
        let Some(hit) = query.hit(position, &row) else { continue };
        if hits.len() == limit {
            return Ok((hits, true));
        }
        hits.push(hit);
    }
    Ok((hits, false))
}

/// A sort value as it stands in keys: never cut.
fn whole(s: &str) -> Vec<u8> {
    let mut out = Vec::new();
    keys::text(&mut out, s);
    out
}

/// Do a row's values meet every condition?
pub(super) fn matches(filter: &Filter, row: &Row) -> bool {
    filter.iter().all(|(property, cond)| {
        row.values.get(property).is_some_and(|values| values.iter().any(|value| meets(value, cond)))
    })
}

fn meets(value: &IndexValue, cond: &Cond) -> bool {
    let within = |bound: &Option<IndexValue>, good: &[Ordering]| {
        bound.as_ref().is_none_or(|bound| compare(value, bound).is_some_and(|found| good.contains(&found)))
    };
    match cond {
        Cond::Equal(wanted) => value == wanted,
        Cond::OneOf(wanted) => wanted.contains(value),
        Cond::Range { gt, gte, lt, lte } => {
            within(gt, &[Ordering::Greater])
                && within(gte, &[Ordering::Greater, Ordering::Equal])
                && within(lt, &[Ordering::Less])
                && within(lte, &[Ordering::Less, Ordering::Equal])
        }
    }
}

/// Order of two values of one type; strings as JavaScript orders them.
fn compare(a: &IndexValue, b: &IndexValue) -> Option<Ordering> {
    match (a, b) {
        (IndexValue::String(a), IndexValue::String(b)) => Some(compare_strings(a, b)),
        (IndexValue::Number(a), IndexValue::Number(b)) => a.partial_cmp(b),
        (IndexValue::Bool(a), IndexValue::Bool(b)) => Some(a.cmp(b)),
        _ => None,
    }
}

fn compare_strings(a: &str, b: &str) -> Ordering {
    if a.is_ascii() && b.is_ascii() { a.cmp(b) } else { a.encode_utf16().cmp(b.encode_utf16()) }
}

fn order(sort: SortBy) -> Order {
    match sort {
        SortBy::DateCreated => Order::DateCreated,
        SortBy::DatePublished => Order::DatePublished,
        SortBy::MessageTimestamp => Order::MessageTimestamp,
    }
}

/// Rows in the query's order: what follows the value in their index key, and their position.
type Run<'a> = Peekable<Box<dyn Iterator<Item = Result<(Vec<u8>, Position), Fault>> + 'a>>;

/// Which rows one filter looks at.
#[derive(Debug)]
enum Candidates {
    /// The states of these records.
    Records(Vec<String>),
    /// All rows under these values of a family.
    Under(Family, Vec<Vec<u8>>),
    /// Rows between two values of a family.
    Between(Family, Vec<u8>, Vec<u8>),
}

struct Query<'a> {
    source: &'a dyn Source,
    tenant: u32,
    name: &'a str,
    order: Order,
    select: &'a Select,
    /// Properties that are compared or sorted by.
    wanted: BTreeSet<&'a str>,
}

impl<'a> Query<'a> {
    fn runs(&self, filter: &Filter) -> Result<Vec<Run<'a>>, Fault> {
        let positions = match self.candidates(filter)? {
            Candidates::Under(family, values) if family.has(self.order) => {
                return Ok(values.iter().map(|value| self.run(family, value, filter)).collect());
            }
            Candidates::Under(family, values) => {
                let mut found = BTreeSet::new();
                for value in values {
                    let from = [keys::by(self.tenant, family, Order::DateCreated), value].concat();
                    self.gather(&from, &keys::after(from.clone()), &mut found)?;
                }
                found
            }
            Candidates::Between(family, low, high) => {
                let prefix = keys::by(self.tenant, family, Order::DateCreated);
                let mut found = BTreeSet::new();
                let (from, to) = ([prefix.as_slice(), &low].concat(), [prefix.as_slice(), &high].concat());
                self.gather(&from, &keys::after(to), &mut found)?;
                found
            }
            Candidates::Records(ids) => self.states(&ids)?,
        };
        Ok(vec![self.sorted(filter, positions)?])
    }

    /// The rows under one value, read from the index as they are asked for.
    fn run(&self, family: Family, value: &[u8], filter: &Filter) -> Run<'a> {
        let prefix = [keys::by(self.tenant, family, self.order).as_slice(), value].concat();
        let cut = prefix.len();
        let (mut from, mut to) = (prefix.clone(), keys::after(prefix.clone()));
        let (low, high) = filter.get(self.order.property()).map(|cond| text_bounds(cond, whole)).unwrap_or_default();
        if let Some(low) = low {
            from = from.max([prefix.as_slice(), &low].concat());
        }
        if let Some(high) = high {
            to = to.min(keys::after([prefix.as_slice(), &high].concat()));
        }
        if let Some(cursor) = &self.select.after {
            let mut at = prefix;
            keys::text(&mut at, &cursor.value);
            at.extend_from_slice(keys::tie(&cursor.message_cid).as_ref().map_or(&[][..], |tie| tie));
            match self.select.direction {
                Direction::Ascending => from = from.max(at),
                Direction::Descending => to = to.min(keys::after(at)),
            }
        }
        let reverse = self.select.direction == Direction::Descending;
        let pairs = self.source.scan(&from, &to, reverse);
        let pairs: Box<dyn Iterator<Item = _> + 'a> = Box::new(pairs.map(move |pair| {
            let (key, _) = pair?;
            let suffix = key.get(cut..).context("an index key is shorter than its prefix")?.to_vec();
            Ok((suffix, position(&key)?))
        }));
        pairs.peekable()
    }

    /// The rows at `positions`, compared with the filter and sorted.
    fn sorted(&self, filter: &Filter, positions: BTreeSet<Position>) -> Result<Run<'a>, Fault> {
        let mut rows = Vec::new();
        for position in positions {
            let Some(row) = self.row(position)?.filter(|row| matches(filter, row)) else { continue };
            let Some(sort) = row.string(self.order.property()) else { continue };
            let cid = cid::from_digest(cid::DAG_CBOR, &row.digest).to_string();
            let tie = keys::tie(&cid).context("a message CID has no place in the order of CIDs")?;
            rows.push((keys::suffix(sort, &tie, position), position));
        }
        rows.sort_unstable();
        if self.select.direction == Direction::Descending {
            rows.reverse();
        }
        let rows: Box<dyn Iterator<Item = _>> = Box::new(rows.into_iter().map(Ok));
        Ok(rows.peekable())
    }

    /// The next row of all runs.
    fn pop(&self, runs: &mut [Run<'a>]) -> Result<Option<(Vec<u8>, Position)>, Fault> {
        let mut best: Option<(usize, Vec<u8>)> = None;
        for (i, run) in runs.iter_mut().enumerate() {
            match run.peek() {
                Some(Ok((suffix, _))) => {
                    let better = best.as_ref().is_none_or(|(_, other)| match self.select.direction {
                        Direction::Ascending => suffix < other,
                        Direction::Descending => suffix > other,
                    });
                    if better {
                        best = Some((i, suffix.clone()));
                    }
                }
                // An error comes out at once.
                Some(Err(_)) => return run.next().transpose(),
                None => {}
            }
        }
        best.and_then(|(i, _)| runs.get_mut(i)?.next()).transpose()
    }

    fn hit(&self, position: Position, row: &Row) -> Option<Hit> {
        if !self.select.any_of.iter().any(|filter| matches(filter, row)) {
            return None;
        }
        let sort = row.string(self.order.property())?.to_owned();
        let hit = Hit { position, digest: row.digest, sort };
        let beyond = self.select.after.as_ref().is_none_or(|cursor| follows(&hit, cursor, self.select.direction));
        beyond.then_some(hit)
    }

    fn row(&self, position: Position) -> Result<Option<Row>, Fault> {
        let Some(bytes) = self.source.get(&keys::row(self.tenant, position))? else { return Ok(None) };
        Row::decode_where(&bytes, |name| self.wanted.contains(name)).map(Some)
    }

    fn gather(&self, from: &[u8], to: &[u8], found: &mut BTreeSet<Position>) -> Result<(), Fault> {
        for pair in self.source.scan(from, to, false) {
            found.insert(position(&pair?.0)?);
        }
        Ok(())
    }

    /// Positions of the newest messages of these records, where they are latest states.
    fn states(&self, ids: &[String]) -> Result<BTreeSet<Position>, Fault> {
        let mut found = BTreeSet::new();
        for id in ids {
            let Some(bytes) = self.source.get(&keys::record(self.tenant, id))? else { continue };
            let RecordRow { newest: (position, digest), .. } = RecordRow::decode(&bytes)?;
            if let Some(bytes) = self.source.get(&keys::message(self.tenant, &digest))?
                && MessageRow::decode(&bytes)?.latest
            {
                found.insert(position);
            }
        }
        Ok(found)
    }

    /// The narrowest index that a filter can use, by preference.
    fn candidates(&self, filter: &Filter) -> Result<Candidates, Fault> {
        if let Some(ids) = filter.get("recordId").and_then(strings) {
            return Ok(Candidates::Records(ids));
        }
        let find = |wanted: Family| NUMBERED.iter().chain(&SPELLED).find(|(family, _)| *family == wanted);
        let by = |family: Family| -> Result<Option<Candidates>, Fault> {
            let Some((_, property)) = find(family) else { return Ok(None) };
            let Some(wanted) = filter.get(*property).and_then(strings) else { return Ok(None) };
            let values = match family {
                // What the tenant wrote is most of what there is.
                Family::Author if wanted.iter().any(|did| did == self.name) => return Ok(None),
                Family::Parent | Family::DataCid => wanted.iter().map(|s| pending::spelled(s)).collect(),
                _ => self.numbers(&wanted)?,
            };
            Ok((values.len() <= RANGES_MAX).then_some(Candidates::Under(family, values)))
        };
        for family in [Family::Parent, Family::Context, Family::Tag, Family::Recipient, Family::DataCid] {
            let found = match family {
                Family::Context => context(filter),
                Family::Tag => tag(filter),
                other => by(other)?,
            };
            if found.is_some() {
                return Ok(found.unwrap_or(Candidates::Records(Vec::new())));
            }
        }
        if let Some(found) = self.protocol_path(filter)? {
            return Ok(found);
        }
        for family in [Family::Schema, Family::Attester, Family::Author, Family::Protocol] {
            if let Some(found) = by(family)? {
                return Ok(found);
            }
        }
        Ok(context_range(filter)
            .or_else(|| tag_range(filter))
            .unwrap_or(Candidates::Under(Family::All, vec![Vec::new()])))
    }

    fn protocol_path(&self, filter: &Filter) -> Result<Option<Candidates>, Fault> {
        let (protocols, paths) =
            (filter.get("protocol").and_then(strings), filter.get("protocolPath").and_then(strings));
        let (Some(protocols), Some(paths)) = (protocols, paths) else { return Ok(None) };
        if protocols.len() * paths.len() > RANGES_MAX {
            return Ok(None);
        }
        let paths = self.numbers(&paths)?;
        let protocols = self.numbers(&protocols)?;
        let pairs = protocols.iter().flat_map(|protocol| paths.iter().map(|path| [protocol.as_slice(), path].concat()));
        Ok(Some(Candidates::Under(Family::ProtocolPath, pairs.collect())))
    }

    /// Interned numbers of the strings that have one; nothing is found under the others.
    fn numbers(&self, strings: &[String]) -> Result<Vec<Vec<u8>>, Fault> {
        let mut out = Vec::new();
        for s in strings {
            out.extend(pending::number_of(self.source, s)?.map(|n| n.to_be_bytes().to_vec()));
        }
        Ok(out)
    }
}

/// A contextId, or a prefix of one at a length that is indexed.
fn context(filter: &Filter) -> Option<Candidates> {
    let cond = filter.get("contextId")?;
    let prefix = match cond {
        Cond::Equal(IndexValue::String(s)) => s,
        _ => prefix(cond)?,
    };
    keys::is_context(prefix).then(|| Candidates::Under(Family::Context, vec![pending::spelled(prefix)]))
}

/// Any other range of contextIds.
fn context_range(filter: &Filter) -> Option<Candidates> {
    let (low, high) = text_bounds(filter.get("contextId")?, pending::spelled);
    (low.is_some() || high.is_some())
        .then(|| Candidates::Between(Family::Context, low.unwrap_or_default(), high.unwrap_or_else(|| vec![0xFF])))
}

/// A tag with one value, or one of several.
fn tag(filter: &Filter) -> Option<Candidates> {
    filter.iter().filter(|(property, _)| property.starts_with("tag.")).find_map(|(property, cond)| {
        let values = match cond {
            Cond::Equal(value) => vec![pending::tagged(property, value)],
            Cond::OneOf(values) if values.len() <= RANGES_MAX => distinct(values, property),
            _ => return None,
        };
        Some(Candidates::Under(Family::Tag, values))
    })
}

fn distinct(values: &[IndexValue], property: &str) -> Vec<Vec<u8>> {
    values.iter().map(|value| pending::tagged(property, value)).collect::<BTreeSet<_>>().into_iter().collect()
}

/// A tag between two values.
fn tag_range(filter: &Filter) -> Option<Candidates> {
    filter.iter().filter(|(property, _)| property.starts_with("tag.")).find_map(|(property, cond)| {
        let Cond::Range { gt, gte, lt, lte } = cond else { return None };
        let whole = pending::spelled(property);
        let bound = |value: &IndexValue| pending::tagged(property, value);
        let low = gte.as_ref().or(gt.as_ref()).map_or_else(|| whole.clone(), bound);
        let high = lte.as_ref().or(lt.as_ref()).map_or_else(|| whole.clone(), bound);
        Some(Candidates::Between(Family::Tag, low, high))
    })
}

/// The strings that a condition names.
fn strings(cond: &Cond) -> Option<Vec<String>> {
    let values = match cond {
        Cond::Equal(value) => std::slice::from_ref(value),
        Cond::OneOf(values) => values,
        Cond::Range { .. } => return None,
    };
    let strings: BTreeSet<String> = values
        .iter()
        .filter_map(|value| match value {
            IndexValue::String(s) => Some(s.clone()),
            _ => None,
        })
        .collect();
    Some(strings.into_iter().collect())
}

/// The prefix that a range asks for, if it is written as the SDK writes prefixes: from `p` to before `p` + U+FFFF.
fn prefix(cond: &Cond) -> Option<&str> {
    match cond {
        Cond::Range { gt: None, gte: Some(IndexValue::String(low)), lt: Some(IndexValue::String(high)), lte: None } => {
            (high.strip_suffix('\u{FFFF}') == Some(low)).then_some(low)
        }
        _ => None,
    }
}

/// Encoded bounds that hold every string that meets the condition, both inclusive; the upper one stands for all
/// keys that begin with it.
fn text_bounds(cond: &Cond, encode: impl Fn(&str) -> Vec<u8>) -> (Option<Vec<u8>>, Option<Vec<u8>>) {
    let encoded = |value: &IndexValue| match value {
        IndexValue::String(s) => Some(encode(s)),
        _ => None,
    };
    match cond {
        Cond::Equal(value) => (encoded(value), encoded(value)),
        Cond::OneOf(_) => (None, None),
        Cond::Range { gt, gte, lt, lte } => {
            (gte.as_ref().or(gt.as_ref()).and_then(encoded), lte.as_ref().or(lt.as_ref()).and_then(encoded))
        }
    }
}

/// Does a row come after the cursor?
fn follows(hit: &Hit, cursor: &Cursor, direction: Direction) -> bool {
    let cid = cid::from_digest(cid::DAG_CBOR, &hit.digest).to_string();
    let order = compare_strings(&hit.sort, &cursor.value).then_with(|| cid.cmp(&cursor.message_cid));
    order == if direction == Direction::Ascending { Ordering::Greater } else { Ordering::Less }
}

/// The position at the end of an index key.
fn position(key: &[u8]) -> Result<Position, Fault> {
    let last = key.last_chunk::<8>().context("an index key is too short")?;
    Ok(u64::from_be_bytes(*last))
}
