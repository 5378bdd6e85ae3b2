//! Queries over latest states: which rows of the index are looked at, and in which order.
//!
//! For each filter of a query every index that can serve a condition is a candidate (`candidates`). Some entries of
//! each are counted and a plan is chosen (`plan`): read one in its order, go through several together, or, where none
//! has the order that is asked for, gather rows and keep the best. What is read to count is not read again. The
//! answers of the filters are merged, and every row is compared with the filters in full; so an index may offer too
//! many rows, never too few. (Every index is at least in the order of dateCreated, which every state of a record has.)
//!
//! Counting a bounded number of entries takes the place of counters kept with every write: it needs nothing on disk,
//! costs a write nothing, is exact where it matters (an index with few entries), and knows a range and the part of an
//! index behind a cursor as well as a single value. Where an index in order turns out to be a long way round, those
//! without order are counted on beside it and the first that ends takes over; so what is looked at stays within a
//! factor of what the best of the indexes would have taken.
//!
//! A long query lets the writer in now and then ([`reader`]). What it finds is brought up to date before it is
//! answered, so an answer is the state of one moment, the last.

mod candidates;
mod cond;
mod explain;
mod found;
mod plan;
mod reader;
mod stream;
mod way;

pub use explain::{Considered, Explained, Filtered};

use super::{
    Position,
    keys::{self, Order},
    pending::Source,
    rows::Picked,
};
use crate::{
    cid::{self, Digest},
    dwn::{Cursor, Direction, Fault, Filter, Select, SortBy},
};
use anyhow::Context as _;
use candidates::{Candidate, Finder, Part};
use cond::{compare_strings, matches};
use found::Found;
use plan::Plan;
use reader::{Reader, TUNING, Tuning};
use std::{
    cmp::Ordering,
    collections::{BTreeMap, BTreeSet},
};
use stream::{Joined, Loose, Merge, Place};
use way::{Live, Opened, Stream, Way, choose, only};

/// A query that is overtaken by writes so often is answered with the writer held off.
const ATTEMPTS_MAX: u32 = 3;

/// A row that answers a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hit {
    pub position: Position,
    pub digest: Digest,
    /// Value of the sort property.
    pub sort: String,
}

/// What answers a query, in order; at most its limit, and whether more follow.
type Answer = (Vec<Hit>, bool);

/// Whose records are asked for: number and DID.
type Tenant<'a> = (u32, &'a str);

/// Answers `select`. The caller does not hold the index steady: this does.
pub(super) fn select(source: &dyn Source, tenant: Tenant<'_>, select: &Select) -> Result<Answer, Fault> {
    answer(source, tenant, select, TUNING, None)
}

/// Answers `select` and says how.
pub(super) fn explain(source: &dyn Source, tenant: Tenant<'_>, select: &Select) -> Result<Explained, Fault> {
    let mut explained = Explained::of(select);
    answer(source, tenant, select, TUNING, Some(&mut explained))?;
    Ok(explained)
}

fn answer(
    source: &dyn Source,
    tenant: Tenant<'_>,
    select: &Select,
    tuning: Tuning,
    mut explained: Option<&mut Explained>,
) -> Result<Answer, Fault> {
    for attempt in 0.. {
        let stride = if attempt < ATTEMPTS_MAX { tuning.stride } else { usize::MAX };
        let reader = Reader::new(source, tenant.0, Tuning { stride, ..tuning });
        let order = order(select.sort);
        let wanted = select.any_of.iter().flat_map(Filter::keys).map(String::as_str).chain([order.property()]);
        let query = Query { reader: &reader, name: tenant.1, order, select, wanted: wanted.collect() };
        let outlines = explained.as_deref_mut().map(|explained| &mut explained.filters);
        let found = query.run(outlines)?;
        if let Some(explained) = explained.as_deref_mut() {
            explained.count(&reader, found.as_ref());
        }
        let returned = found.as_ref().map_or(0, |(hits, _)| hits.len());
        source.metrics().queried(reader.scanned(), returned as u64);
        if let Some(found) = found {
            return Ok(found);
        }
    }
    anyhow::bail!("a query was overtaken by writes without end")
}

fn order(sort: SortBy) -> Order {
    match sort {
        SortBy::DateCreated => Order::DateCreated,
        SortBy::DatePublished => Order::DatePublished,
        SortBy::MessageTimestamp => Order::MessageTimestamp,
    }
}

struct Query<'r, 'a> {
    reader: &'r Reader<'a>,
    /// The tenant's DID.
    name: &'r str,
    order: Order,
    select: &'r Select,
    /// Properties that are compared or sorted by.
    wanted: BTreeSet<&'r str>,
}

impl<'a> Query<'_, 'a> {
    /// `None`: what was found has changed so much meanwhile that it has to be looked for again.
    fn run(&self, mut outlines: Option<&mut Vec<Filtered>>) -> Result<Option<Answer>, Fault> {
        if let Some(outlines) = &mut outlines {
            outlines.clear();
        }
        let mut streams = Vec::new();
        for filter in &self.select.any_of {
            let (stream, outline) = self.stream(filter, outlines.is_some())?;
            streams.push(stream);
            if let Some(outlines) = &mut outlines {
                outlines.push(outline);
            }
        }
        let mut found = Found::new(streams);
        let limit = self.select.limit.unwrap_or(usize::MAX);
        let mut settled = 0;
        loop {
            found.fill(limit, self)?;
            if self.reader.steady.pauses() == settled {
                break;
            }
            found.settle(self)?;
            settled = self.reader.steady.pauses();
            if found.is_short() {
                return Ok(None);
            }
        }
        if let Some(outlines) = outlines {
            for (outline, stream) in outlines.iter_mut().zip(&found.streams) {
                outline.switched = stream.switched;
            }
        }
        let more = found.hits.len() > limit;
        Ok(Some((found.hits.into_values().take(limit).collect(), more)))
    }

    /// Chooses how a filter is answered.
    fn stream(&self, filter: &Filter, explained: bool) -> Result<(Stream<'a>, Filtered), Fault> {
        let reader = self.reader;
        let finder = Finder { reader, name: self.name, order: self.order, select: self.select };
        let candidates = finder.candidates(filter)?;
        let mut outline = if explained { Filtered::of(&candidates) } else { Filtered::default() };
        let mut opened: Vec<Opened<'a>> = candidates.into_iter().map(|it| self.open(it)).collect();
        let (plan, estimates) = choose(&mut opened, reader)?;
        if explained {
            outline.choose(&plan, &estimates);
        }
        let mut take = |at: usize| opened.get_mut(at).map(std::mem::take).unwrap_or_default();
        let way = match plan {
            Plan::Nothing | Plan::CountOn => Way::Ended,
            Plan::Gather(at) => match take(at) {
                Opened::Loose(loose) => self.gather(loose, None)?,
                _ => Way::Ended,
            },
            Plan::InOrder(_) | Plan::ZigZag(_) => {
                let chosen = if let Plan::ZigZag(chosen) = plan { chosen } else { vec![only(&plan)] };
                let merges = chosen.into_iter().filter_map(|at| match take(at) {
                    Opened::Ordered(merge) => Some(merge),
                    _ => None,
                });
                let joined = Joined::new(merges.collect());
                let reserve = opened.into_iter().enumerate().filter_map(|(at, it)| match it {
                    Opened::Loose(loose) => Some((at, loose)),
                    _ => None,
                });
                joined.map_or(Way::Ended, |joined| Way::Live(Box::new(Live::new(joined, reserve.collect(), reader))))
            }
        };
        Ok((Stream { way, truncated: false, switched: None }, outline))
    }

    fn open(&self, candidate: Candidate) -> Opened<'a> {
        match candidate.part {
            Part::Records(ids) => Opened::Loose(Loose::records(ids)),
            Part::Spans(_, _, spans) if candidate.ordered => Opened::Ordered(Merge::new(spans, self.is_down())),
            Part::Spans(_, _, spans) => Opened::Loose(Loose::spans(spans)),
        }
    }

    /// Reads all of a candidate and keeps the best that come after `reached`: as many as can be asked for, and one
    /// that says that more follow.
    fn gather(&self, mut loose: Loose<'a>, reached: Option<&Place>) -> Result<Way<'a>, Fault> {
        let most = self.select.limit.unwrap_or(usize::MAX).saturating_add(1);
        let (mut best, mut truncated) = (BTreeMap::new(), false);
        while let Some(position) = loose.next(self.reader)? {
            let Some(hit) = self.hit_of(position)? else { continue };
            let place = self.place(&hit)?;
            if reached.is_some_and(|reached| place <= *reached) {
                continue;
            }
            best.insert(place, hit);
            if best.len() > most {
                best.pop_last();
                truncated = true;
            }
        }
        Ok(Way::Sorted(best.into_iter(), truncated))
    }

    /// The row at a place, if it answers the query.
    fn hit_at(&self, place: &Place) -> Result<Option<Hit>, Fault> {
        self.hit_of(place.position()?)
    }

    fn hit_of(&self, position: Position) -> Result<Option<Hit>, Fault> {
        self.reader.steady.tick()?;
        let Some(row) = self.reader.source.get(&keys::row(self.reader.tenant, position))? else { return Ok(None) };
        Ok(self.hit(position, &self.decode(&row)?))
    }

    fn decode<'r>(&self, row: &'r [u8]) -> Result<Picked<'r>, Fault> {
        Picked::decode(row, |name| self.wanted.contains(name))
    }

    fn hit(&self, position: Position, row: &Picked<'_>) -> Option<Hit> {
        if !self.select.any_of.iter().any(|filter| matches(filter, row)) {
            return None;
        }
        let sort = row.string(self.order.property())?.to_owned();
        let hit = Hit { position, digest: row.digest, sort };
        let beyond = self.select.after.as_ref().is_none_or(|cursor| follows(&hit, cursor, self.select.direction));
        beyond.then_some(hit)
    }

    fn place(&self, hit: &Hit) -> Result<Place, Fault> {
        let cid = cid::from_digest(cid::DAG_CBOR, &hit.digest).to_string();
        let tie = keys::tie(&cid).context("a message CID has no place in the order of CIDs")?;
        Ok(Place { suffix: keys::suffix(&hit.sort, &tie, hit.position), down: self.is_down() })
    }

    fn is_down(&self) -> bool {
        self.select.direction == Direction::Descending
    }
}

/// Does a row come after the cursor?
fn follows(hit: &Hit, cursor: &Cursor, direction: Direction) -> bool {
    let cid = cid::from_digest(cid::DAG_CBOR, &hit.digest).to_string();
    let order = compare_strings(&hit.sort, &cursor.value).then_with(|| cid.cmp(&cursor.message_cid));
    order == if direction == Direction::Ascending { Ordering::Greater } else { Ordering::Less }
}
