//! Queries over latest states: which rows of the index are looked at, and in which order.
//!
//! For each filter of a query every index that can serve a condition is a candidate (`candidates`). Some entries of
//! each are counted and a plan is chosen (`plan`): read one in its order, go through several together, or, where none
//! has the order that is asked for, gather rows and keep the best. What is read to count is not read again. The
//! answers of the filters are merged, and every row is compared with the filters in full; so an index may offer too many
//! rows, never too few. (Every index is at least in the order of dateCreated, which every state of a record has.) Only where
//! the entries of the one index that is read say all that is asked, they are believed ([`super::marks`]).
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
    marks::asked,
    pending::Source,
    rows::Picked,
};
use crate::{
    cid::{self, Digest},
    dwn::{Cond, Cursor, Direction, Fault, Filter, Select, SortBy},
};
use candidates::{Candidate, Finder, Part};
use cond::{compare_strings, matches, meets_text};
use found::Found;
use plan::Plan;
use reader::{Reader, TUNING, Tuning};
use std::{borrow::Cow, cmp::Ordering, collections::BTreeSet};
use stream::{Joined, Loose, Merge, Place};
use way::{Live, Opened, Stream, Way, choose, only};

/// A query that is overtaken by writes so often is answered with the writer held off.
const ATTEMPTS_MAX: u32 = 3;

/// What answers a query.
#[derive(Debug, Default)]
pub(super) struct Answer {
    /// Positions of latest states, in order; at most the limit.
    pub positions: Vec<Position>,
    /// If more follow: the value that the last is sorted by.
    pub more: Option<String>,
}

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
        let returned = found.as_ref().map_or(0, |found| found.positions.len());
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
        for (number, filter) in self.select.any_of.iter().enumerate() {
            let (stream, outline) = self.stream(number, filter, outlines.is_some())?;
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
        let last = found.hits.iter().take(limit).next_back().map(Place::sort).transpose()?;
        let more = (found.hits.len() > limit).then(|| last.map(Cow::into_owned).unwrap_or_default());
        let positions = found.hits.iter().take(limit).map(Place::position).collect::<Result<_, _>>()?;
        Ok(Some(Answer { positions, more }))
    }

    /// Chooses how a filter is answered.
    fn stream(&self, number: usize, filter: &Filter, explained: bool) -> Result<(Stream<'a>, Filtered), Fault> {
        let reader = self.reader;
        let finder = Finder { reader, name: self.name, order: self.order, select: self.select };
        let candidates = finder.candidates(filter)?;
        let mut outline = if explained { Filtered::of(&candidates) } else { Filtered::default() };
        let covering: Vec<bool> = candidates.iter().map(|it| it.covers).collect();
        let mut opened: Vec<Opened<'a>> = candidates.into_iter().map(|it| self.open(it)).collect();
        let (plan, estimates) = choose(&mut opened, reader)?;
        if explained {
            outline.choose(&plan, &estimates);
        }
        let covered = matches!(plan, Plan::InOrder(at) if covering.get(at) == Some(&true));
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
        Ok((Stream { way, filter: number, covered, truncated: false, switched: None }, outline))
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
        let (mut best, mut truncated) = (BTreeSet::new(), false);
        while let Some(position) = loose.next(self.reader)? {
            self.reader.steady.tick()?;
            let Some(row) = self.row(position)? else { continue };
            let Some(place) = self.place_of(position, &row)? else { continue };
            if reached.is_some_and(|reached| place <= *reached) {
                continue;
            }
            best.insert(place);
            if best.len() > most {
                best.pop_last();
                truncated = true;
            }
        }
        Ok(Way::Sorted(best.into_iter(), truncated))
    }

    fn row(&self, position: Position) -> Result<Option<Vec<u8>>, Fault> {
        self.reader.source.get(&keys::row(self.reader.tenant, position))
    }

    /// Does the row at a position answer the query?
    fn matches_at(&self, position: Position) -> Result<bool, Fault> {
        self.reader.steady.tick()?;
        let Some(row) = self.row(position)? else { return Ok(false) };
        Ok(self.sort_of(&self.decode(&row)?).is_some())
    }

    /// The place of a row, if it answers the query.
    fn place_of(&self, position: Position, row: &[u8]) -> Result<Option<Place>, Fault> {
        let row = self.decode(row)?;
        self.sort_of(&row).map(|sort| Place::of(sort, &row.digest, position, self.is_down())).transpose()
    }

    fn decode<'r>(&self, row: &'r [u8]) -> Result<Picked<'r>, Fault> {
        Picked::decode(row, |name| self.wanted.contains(name))
    }

    /// The value that a row is sorted by, if it answers the query.
    fn sort_of<'r>(&self, row: &'r Picked<'_>) -> Option<&'r str> {
        if !self.select.any_of.iter().any(|filter| matches(filter, row)) {
            return None;
        }
        let sort = row.string(self.order.property())?;
        let beyond = |cursor| follows((sort, &row.digest), cursor, self.select.direction);
        self.select.after.as_ref().is_none_or(beyond).then_some(sort)
    }

    /// Does the row at a place answer the query, by what its entry says? The filter is covered by the candidate that the
    /// place comes from. `None`: one has to look at the row.
    fn covers(&self, filter: usize, place: &Place) -> Result<Option<bool>, Fault> {
        // Since a pause the row may have gone.
        let (Some(marks), None) = (place.marks(), self.reader.steady.since()) else { return Ok(None) };
        let sort = place.sort()?;
        // Which of those with the cursor's value come before it, their whole CIDs say.
        if self.select.after.as_ref().is_some_and(|cursor| cursor.value == sort) {
            return Ok(None);
        }
        let meets = |(property, cond): (&String, &Cond)| match asked(property, cond) {
            _ if property == self.order.property() => meets_text(&sort, cond),
            Some(bits) => marks.meet(bits),
            None => true,
        };
        Ok(Some(self.select.any_of.get(filter).is_some_and(|filter| filter.iter().all(meets))))
    }

    fn is_down(&self) -> bool {
        self.select.direction == Direction::Descending
    }
}

/// Does a row, by its sort value and message, come after the cursor?
fn follows((sort, message): (&str, &Digest), cursor: &Cursor, direction: Direction) -> bool {
    let order = compare_strings(sort, &cursor.value)
        .then_with(|| cid::from_digest(cid::DAG_CBOR, message).to_string().cmp(&cursor.message_cid));
    order == if direction == Direction::Ascending { Ordering::Greater } else { Ordering::Less }
}
