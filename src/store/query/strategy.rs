//! One filter being answered: the candidate, or candidates, that were chosen, and what may take over.

use super::{
    matching::Query,
    plan::{Estimate, Plan, plan},
    reader::Reader,
    stream::{Joined, Merge, SortKey, Unordered},
};
use crate::dwn::Fault;
use std::collections::btree_set;

/// By how much more is counted, or read, when the last count did not do.
const FURTHER: usize = 4;

/// Counts what it must of the candidates, all alike, and chooses.
pub fn choose<'a>(opened: &mut [Opened<'a>], reader: &Reader<'a>) -> Result<(Plan, Vec<Estimate>), Fault> {
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

pub fn only(plan: &Plan) -> usize {
    if let Plan::InOrder(at) = plan { *at } else { 0 }
}

/// A candidate that is being read.
#[derive(Default)]
pub enum Opened<'a> {
    Ordered(Merge<'a>),
    Unordered(Unordered<'a>),
    #[default]
    Taken,
}

impl<'a> Opened<'a> {
    fn count_to(&mut self, most: usize, reader: &Reader<'a>) -> Result<Estimate, Fault> {
        let ordered = matches!(self, Opened::Ordered(_));
        let (rows, whole) = match self {
            Opened::Ordered(merge) => merge.count_to(most, reader)?,
            Opened::Unordered(unordered) => unordered.count_to(most, reader)?,
            Opened::Taken => (0, false),
        };
        Ok(Estimate { rows: rows as u64, whole, ordered })
    }
}

/// What answers one filter, in order.
pub struct Stream<'a> {
    pub strategy: Strategy<'a>,
    /// The filter's number.
    pub filter: usize,
    /// Do the entries that are read say alone whether a row meets the filter?
    pub covered: bool,
    /// The candidate that took over.
    pub switched: Option<usize>,
}

pub enum Strategy<'a> {
    Live(Box<Live<'a>>),
    /// Places of rows that match: as many as can be asked for.
    Sorted(btree_set::IntoIter<SortKey>),
    Ended,
}

/// Candidates read in order, and in reserve those without order.
pub struct Live<'a> {
    joined: Joined<'a>,
    reserve: Vec<(usize, Unordered<'a>)>,
    looked: u64,
    budget: usize,
    reached: Option<SortKey>,
}

impl<'a> Live<'a> {
    pub fn new(joined: Joined<'a>, reserve: Vec<(usize, Unordered<'a>)>, reader: &Reader<'a>) -> Self {
        Self { joined, reserve, looked: 0, budget: reader.tuning.few * FURTHER, reached: None }
    }

    fn next(&mut self, reader: &Reader<'a>) -> Result<Option<SortKey>, Fault> {
        let before = reader.scanned();
        let next = self.joined.next(reader)?;
        self.looked += reader.scanned() - before;
        if !self.reserve.is_empty() {
            self.reached.clone_from(&next);
        }
        Ok(next)
    }

    /// A candidate in reserve that is known to be shorter than the way so far.
    fn shortcut(&mut self, reader: &Reader<'a>) -> Result<Option<(usize, Unordered<'a>)>, Fault> {
        if self.looked < self.budget as u64 {
            return Ok(None);
        }
        for at in 0..self.reserve.len() {
            let whole = match self.reserve.get_mut(at) {
                Some((_, unordered)) => unordered.count_to(self.budget, reader)?.1,
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
    /// The next place, and whether its row is known to match.
    pub fn next(&mut self, query: &Query<'_, 'a>) -> Result<Option<(SortKey, bool)>, Fault> {
        loop {
            if let Strategy::Live(live) = &mut self.strategy
                && let Some((at, unordered)) = live.shortcut(query.reader)?
            {
                self.switched = Some(at);
                self.strategy = Strategy::Sorted(query.gather(unordered, live.reached.take().as_ref())?);
            }
            let next = match &mut self.strategy {
                Strategy::Live(live) => live.next(query.reader)?,
                Strategy::Sorted(places) => return Ok(places.next().map(|place| (place, true))),
                Strategy::Ended => None,
            };
            let Some(place) = next else { return Ok(None) };
            match if self.covered { query.covers(self.filter, &place)? } else { None } {
                Some(false) => {}
                known => return Ok(Some((place, known.is_some()))),
            }
        }
    }
}
