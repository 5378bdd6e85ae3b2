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
mod plan;
mod reader;
mod stream;

pub use explain::{Considered, Explained, Filtered};

use super::{
    Position,
    keys::{self, Order},
    pending::Source,
    rows::Row,
    steady::ROUNDS_MAX,
};
use crate::{
    cid::{self, Digest},
    dwn::{Cursor, Direction, Fault, Filter, Select, SortBy},
};
use anyhow::Context as _;
use candidates::{Candidate, Finder, Part};
use cond::{compare_strings, matches};
use plan::{Estimate, Plan, plan};
use reader::{Reader, TUNING, Tuning};
use std::{
    cmp::{Ordering, Reverse},
    collections::{BTreeMap, BTreeSet, BinaryHeap, btree_map},
};
use stream::{Joined, Loose, Merge, Place};

/// A query that is overtaken by writes so often is answered with the writer held off.
const ATTEMPTS_MAX: u32 = 3;
/// By how much more is counted, or read, when the last count did not do.
const FURTHER: usize = 4;

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
            let Some(row) = self.row(position)? else { continue };
            let Some(hit) = self.hit(position, &row) else { continue };
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
        let position = place.position()?;
        Ok(self.row(position)?.and_then(|row| self.hit(position, &row)))
    }

    fn row(&self, position: Position) -> Result<Option<Row>, Fault> {
        self.reader.steady.tick()?;
        let bytes = self.reader.source.get(&keys::row(self.reader.tenant, position))?;
        bytes.map(|bytes| self.decode(&bytes)).transpose()
    }

    fn decode(&self, row: &[u8]) -> Result<Row, Fault> {
        Row::decode_where(row, |name| self.wanted.contains(name))
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

    fn place(&self, hit: &Hit) -> Result<Place, Fault> {
        let cid = cid::from_digest(cid::DAG_CBOR, &hit.digest).to_string();
        let tie = keys::tie(&cid).context("a message CID has no place in the order of CIDs")?;
        Ok(Place { suffix: keys::suffix(&hit.sort, &tie, hit.position), down: self.is_down() })
    }

    fn is_down(&self) -> bool {
        self.select.direction == Direction::Descending
    }
}

/// Counts what it must of the candidates, all alike, and chooses.
fn choose<'a>(opened: &mut [Opened<'a>], reader: &Reader<'a>) -> Result<(Plan, Vec<Estimate>), Fault> {
    let few = reader.tuning.few;
    // One alone needs no count. The first round is short: often one of several has hardly any entry.
    let mut rounds = if opened.len() == 1 { vec![0] } else { vec![few.div_ceil(4), few] }.into_iter();
    let mut most = 0;
    loop {
        most = rounds.next().unwrap_or(most.max(1) * FURTHER);
        let mut estimates = Vec::new();
        for candidate in opened.iter_mut() {
            estimates.push(candidate.count_to(most, reader)?);
        }
        let known = opened.len() == 1 || estimates.iter().any(|it| it.whole);
        let plan = plan(&estimates);
        if known || most >= few && plan != Plan::CountOn {
            return Ok((plan, estimates));
        }
    }
}

fn only(plan: &Plan) -> usize {
    if let Plan::InOrder(at) = plan { *at } else { 0 }
}

/// A candidate that is being read.
#[derive(Default)]
enum Opened<'a> {
    Ordered(Merge<'a>),
    Loose(Loose<'a>),
    #[default]
    Taken,
}

impl<'a> Opened<'a> {
    fn count_to(&mut self, most: usize, reader: &Reader<'a>) -> Result<Estimate, Fault> {
        let ordered = matches!(self, Opened::Ordered(_));
        let (rows, whole) = match self {
            Opened::Ordered(merge) => merge.count_to(most, reader)?,
            Opened::Loose(loose) => loose.count_to(most, reader)?,
            Opened::Taken => (0, false),
        };
        Ok(Estimate { rows: rows as u64, whole, ordered })
    }
}

/// What answers one filter, in order.
struct Stream<'a> {
    way: Way<'a>,
    /// The best of what was gathered have all been given; there were more.
    truncated: bool,
    /// The candidate that took over.
    switched: Option<usize>,
}

enum Way<'a> {
    Live(Box<Live<'a>>),
    /// Rows, and whether there were more than are kept.
    Sorted(btree_map::IntoIter<Place, Hit>, bool),
    Ended,
}

/// Candidates read in order, and in reserve those without order.
struct Live<'a> {
    joined: Joined<'a>,
    reserve: Vec<(usize, Loose<'a>)>,
    looked: u64,
    budget: usize,
    reached: Option<Place>,
}

impl<'a> Live<'a> {
    fn new(joined: Joined<'a>, reserve: Vec<(usize, Loose<'a>)>, reader: &Reader<'a>) -> Self {
        Self { joined, reserve, looked: 0, budget: reader.tuning.few * FURTHER, reached: None }
    }

    fn next(&mut self, reader: &Reader<'a>) -> Result<Option<Place>, Fault> {
        let before = reader.scanned();
        let next = self.joined.next(reader)?;
        self.looked += reader.scanned() - before;
        if !self.reserve.is_empty() {
            self.reached.clone_from(&next);
        }
        Ok(next)
    }

    /// A candidate in reserve that is known to be shorter than the way so far.
    fn shortcut(&mut self, reader: &Reader<'a>) -> Result<Option<(usize, Loose<'a>)>, Fault> {
        if self.looked < self.budget as u64 {
            return Ok(None);
        }
        for at in 0..self.reserve.len() {
            let whole = match self.reserve.get_mut(at) {
                Some((_, loose)) => loose.count_to(self.budget, reader)?.1,
                None => false,
            };
            if whole {
                return Ok(Some(self.reserve.swap_remove(at)));
            }
        }
        self.budget = self.budget.saturating_mul(FURTHER);
        Ok(None)
    }
}

impl<'a> Stream<'a> {
    fn next(&mut self, query: &Query<'_, 'a>) -> Result<Option<(Place, Option<Hit>)>, Fault> {
        if let Way::Live(live) = &mut self.way
            && let Some((at, loose)) = live.shortcut(query.reader)?
        {
            self.switched = Some(at);
            self.way = query.gather(loose, live.reached.take().as_ref())?;
        }
        match &mut self.way {
            Way::Live(live) => Ok(live.next(query.reader)?.map(|place| (place, None))),
            Way::Sorted(rows, cut) => {
                let next = rows.next();
                self.truncated |= next.is_none() && *cut;
                Ok(next.map(|(place, hit)| (place, Some(hit))))
            }
            Way::Ended => Ok(None),
        }
    }
}

/// The next of one stream.
struct Head {
    place: Place,
    at: usize,
    hit: Option<Hit>,
}

impl PartialEq for Head {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Head {}

impl Ord for Head {
    fn cmp(&self, other: &Self) -> Ordering {
        self.place.cmp(&other.place).then(self.at.cmp(&other.at))
    }
}

impl PartialOrd for Head {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// What was found so far, by place.
struct Found<'a> {
    streams: Vec<Stream<'a>>,
    heads: BinaryHeap<Reverse<Head>>,
    hits: BTreeMap<Place, Hit>,
    /// Where all streams have come to.
    reached: Option<Place>,
    /// Streams whose next is not among the heads yet.
    waiting: Vec<usize>,
    ended: bool,
    /// Something that was found has gone again.
    lost: bool,
    /// Matching rows that came since the writer was first let in, wherever their place, and up to which position.
    fresh: BTreeMap<Place, Hit>,
    fresh_to: Position,
}

impl<'a> Found<'a> {
    fn new(streams: Vec<Stream<'a>>) -> Self {
        Self {
            waiting: (0..streams.len()).collect(),
            streams,
            heads: BinaryHeap::new(),
            hits: BTreeMap::new(),
            reached: None,
            ended: false,
            lost: false,
            fresh: BTreeMap::new(),
            fresh_to: 0,
        }
    }

    /// Merges the streams until there is one more than `limit`.
    fn fill(&mut self, limit: usize, query: &Query<'_, 'a>) -> Result<(), Fault> {
        while !self.ended && self.hits.len() <= limit {
            while let Some(at) = self.waiting.pop() {
                self.push(at, query)?;
            }
            let Some(Reverse(Head { place, at, hit })) = self.heads.pop() else {
                self.ended = true;
                break;
            };
            self.waiting.push(at);
            // Rows that several filters find stand side by side.
            if self.reached.as_ref() == Some(&place) {
                continue;
            }
            // What was gathered before a pause may have gone.
            let known = hit.is_some();
            let hit = if known && query.reader.steady.since().is_none() { hit } else { query.hit_at(&place)? };
            match hit {
                Some(hit) => drop(self.hits.insert(place.clone(), hit)),
                None => self.lost |= known,
            }
            self.reached = Some(place);
        }
        Ok(())
    }

    fn push(&mut self, at: usize, query: &Query<'_, 'a>) -> Result<(), Fault> {
        let stream = self.streams.get_mut(at).context("a stream that is not there")?;
        if let Some((place, hit)) = stream.next(query)? {
            self.heads.push(Reverse(Head { place, at, hit }));
        }
        Ok(())
    }

    /// Brings what was found up to this moment, which lasts until the next pause: takes in what has come since the
    /// writer was first let in, as far as the streams have come, and takes out what has gone.
    fn settle(&mut self, query: &Query<'_, 'a>) -> Result<(), Fault> {
        let reader = query.reader;
        let Some(since) = reader.steady.since() else { return Ok(()) };
        self.fresh_to = self.fresh_to.max(since.applied);
        // Of which state it is known that nothing found had gone.
        let mut sure = since.versions.rows;
        for round in 1.. {
            self.take_fresh(query)?;
            let pauses = reader.steady.pauses();
            if reader.source.versions().rows != sure {
                sure = reader.steady.repeat(|versions| versions.rows, || self.drop_gone(query))?;
            }
            if reader.steady.pauses() == pauses {
                break;
            }
            if round == ROUNDS_MAX {
                reader.steady.hold();
            }
        }
        Ok(())
    }

    /// Ends with the last that has come, as of this moment.
    fn take_fresh(&mut self, query: &Query<'_, 'a>) -> Result<(), Fault> {
        let reader = query.reader;
        let to = keys::after(keys::row(reader.tenant, Position::MAX));
        let mut rows = reader.source.scan(&keys::row(reader.tenant, self.fresh_to), &to, false);
        loop {
            let pauses = reader.steady.pauses();
            let Some(pair) = rows.next() else {
                break;
            };
            let (key, row) = pair?;
            let position = u64::from_be_bytes(*key.last_chunk().context("a row's key is too short")?);
            self.fresh_to = position + 1;
            if let Some(hit) = query.hit(position, &query.decode(&row)?) {
                self.fresh.insert(query.place(&hit)?, hit);
            }
            reader.steady.tick()?;
            if reader.steady.pauses() != pauses {
                // What was read of the index before may have grown old.
                rows = reader.source.scan(&keys::row(reader.tenant, self.fresh_to), &to, false);
            }
        }
        let is_reached = |place: &Place| self.ended || self.reached.as_ref().is_some_and(|reached| place <= reached);
        let come = self.fresh.iter().filter(|(place, _)| is_reached(place));
        self.hits.extend(come.map(|(place, hit)| (place.clone(), hit.clone())));
        Ok(())
    }

    fn drop_gone(&mut self, query: &Query<'_, 'a>) -> Result<(), Fault> {
        let reader = query.reader;
        let mut gone = Vec::new();
        for (place, hit) in self.hits.iter().chain(&self.fresh) {
            reader.steady.tick()?;
            if reader.source.get(&keys::row(reader.tenant, hit.position))?.is_none() {
                gone.push(place.clone());
            }
        }
        for place in gone {
            self.lost |= self.hits.remove(&place).is_some();
            self.fresh.remove(&place);
        }
        Ok(())
    }

    /// Something has gone, and what would take its place was not kept.
    fn is_short(&self) -> bool {
        self.lost && self.streams.iter().any(|stream| stream.truncated)
    }
}

/// Does a row come after the cursor?
fn follows(hit: &Hit, cursor: &Cursor, direction: Direction) -> bool {
    let cid = cid::from_digest(cid::DAG_CBOR, &hit.digest).to_string();
    let order = compare_strings(&hit.sort, &cursor.value).then_with(|| cid.cmp(&cursor.message_cid));
    order == if direction == Direction::Ascending { Ordering::Greater } else { Ordering::Less }
}
