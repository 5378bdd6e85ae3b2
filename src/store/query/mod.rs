//! Queries over latest states: which rows of the index are looked at, and in which order.
//!
//! For each filter of a query every index that can serve a condition is a candidate (`candidates`). Some entries of
//! each are counted and a plan is chosen (`plan`): read one in its order, go through several together, or, where none
//! has the order that is asked for, gather rows and keep the best. What is read to count is not read again. The
//! answers of the filters are merged, and every row is compared with the filters in full; so an index may offer too many
//! rows, never too few. Every index is at least in the order of dateCreated, which every state of a record has. Rows are
//! not compared where the entries of the one index that is read say all that is asked ([`super::rows::entry_flags`]).
//!
//! Counting a bounded number of entries takes the place of counters kept with every write. It needs nothing on disk and
//! costs a write nothing. It is exact where it matters: in an index with few entries. It counts a range, or the part of an
//! index behind a cursor, as well as a single value. Where an index in order turns out to be a long way round, those
//! without order are counted on beside it and the first that ends takes over; so what is looked at stays within a
//! factor of what the best of the indexes would have taken.
//!
//! A query reads one state of the index, whatever is written meanwhile.

mod cond;
mod reader;
mod candidates;
mod plan;
mod stream;
mod matching;
mod explain;
mod strategy;
mod result_set;

pub use explain::{Considered, Explained, Filtered};
pub use matching::Answer;

use crate::{
    dwn::{Fault, Filter, Select},
    store::rows::source::Source,
};
use candidates::{Candidate, Finder, Part};
use matching::{Query, Tenant, order};
use plan::Plan;
use reader::{Reader, TUNING, Tuning};
use result_set::ResultSet;
use std::borrow::Cow;
use strategy::{Live, Opened, Strategy, Stream, choose, only};
use stream::{Joined, Merge, SortKey, Unordered};

pub fn select(source: &dyn Source, tenant: Tenant<'_>, select: &Select) -> Result<Answer, Fault> {
    answer(source, tenant, select, TUNING, None)
}

/// Answers `select` and says how.
pub fn explain(source: &dyn Source, tenant: Tenant<'_>, select: &Select) -> Result<Explained, Fault> {
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
    let (reader, order) = (Reader::new(source, tenant.0, tuning), order(select.sort));
    let wanted = select.any_of.iter().flat_map(Filter::keys).map(String::as_str).chain([order.property()]);
    let query = Query { reader: &reader, name: tenant.1, order, select, wanted: wanted.collect() };
    let found = run(&query, explained.as_deref_mut().map(|explained| &mut explained.filters))?;
    if let Some(explained) = explained {
        explained.count(&reader, &found);
    }
    source.metrics().queried(reader.scanned(), found.positions.len() as u64);
    Ok(found)
}

fn run<'a>(query: &Query<'_, 'a>, mut outlines: Option<&mut Vec<Filtered>>) -> Result<Answer, Fault> {
    let mut streams = Vec::new();
    for (number, filter) in query.select.any_of.iter().enumerate() {
        let (stream, outline) = stream(query, number, filter, outlines.is_some())?;
        streams.push(stream);
        if let Some(outlines) = &mut outlines {
            outlines.push(outline);
        }
    }
    let limit = query.select.limit.unwrap_or(usize::MAX);
    let found = ResultSet::merge(streams, limit, query)?;
    if let Some(outlines) = outlines {
        for (outline, stream) in outlines.iter_mut().zip(&found.streams) {
            outline.switched = stream.switched;
        }
    }
    let last = found.hits.iter().take(limit).next_back().map(SortKey::sort).transpose()?;
    let more = (found.hits.len() > limit).then(|| last.map(Cow::into_owned).unwrap_or_default());
    let positions = found.hits.iter().take(limit).map(SortKey::position).collect::<Result<_, _>>()?;
    Ok(Answer { positions, more })
}

/// Chooses how a filter is answered.
fn stream<'a>(
    query: &Query<'_, 'a>,
    number: usize,
    filter: &Filter,
    explained: bool,
) -> Result<(Stream<'a>, Filtered), Fault> {
    let reader = query.reader;
    let finder = Finder { reader, name: query.name, order: query.order, select: query.select };
    let candidates = finder.candidates(filter)?;
    let mut outline = if explained { Filtered::of(&candidates) } else { Filtered::default() };
    let covering: Vec<bool> = candidates.iter().map(|it| it.covers).collect();
    let mut opened: Vec<Opened<'a>> = candidates.into_iter().map(|it| open(query, it)).collect();
    let (plan, estimates) = choose(&mut opened, reader)?;
    if explained {
        outline.choose(&plan, &estimates);
    }
    let covered = matches!(plan, Plan::InOrder(at) if covering.get(at) == Some(&true));
    let mut take = |at: usize| opened.get_mut(at).map(std::mem::take).unwrap_or_default();
    let strategy = match plan {
        Plan::Nothing | Plan::CountOn => Strategy::Ended,
        Plan::Gather(at) => match take(at) {
            Opened::Unordered(unordered) => Strategy::Sorted(query.gather(unordered, None)?),
            _ => Strategy::Ended,
        },
        Plan::InOrder(_) | Plan::ZigZag(_) => {
            let chosen = if let Plan::ZigZag(chosen) = plan { chosen } else { vec![only(&plan)] };
            let merges = chosen.into_iter().filter_map(|at| match take(at) {
                Opened::Ordered(merge) => Some(merge),
                _ => None,
            });
            let joined = Joined::new(merges.collect());
            let reserve = opened.into_iter().enumerate().filter_map(|(at, it)| match it {
                Opened::Unordered(unordered) => Some((at, unordered)),
                _ => None,
            });
            joined.map_or(Strategy::Ended, |joined| {
                Strategy::Live(Box::new(Live::new(joined, reserve.collect(), reader)))
            })
        }
    };
    Ok((Stream { strategy, filter: number, covered, switched: None }, outline))
}

fn open<'a>(query: &Query<'_, 'a>, candidate: Candidate) -> Opened<'a> {
    match candidate.part {
        Part::Records(ids) => Opened::Unordered(Unordered::records(ids)),
        Part::Spans(_, _, spans) if candidate.ordered => Opened::Ordered(Merge::new(spans, query.is_down())),
        Part::Spans(_, _, spans) => Opened::Unordered(Unordered::spans(spans)),
    }
}
