//! What a query did, for those who wonder why it is slow.

use super::{
    candidates::{Candidate, Part},
    matching::Answer,
    plan::{Estimate, Plan},
    reader::Reader,
};
use crate::dwn::{Direction, Select, SortBy};

/// How a query was answered.
#[derive(Debug, Clone, Default, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct Explained {
    /// Property and direction that were asked for.
    pub order: String,
    /// One for each filter of which the answer is the union: what the asker may see is one filter for the owner and up
    /// to four for others.
    pub filters: Vec<Filtered>,
    /// Index entries that the plans went through.
    pub scanned: u64,
    /// Index entries that were read to choose, or ahead, and not used.
    pub unused: u64,
    pub returned: u64,
    /// Do more records follow?
    pub more: bool,
}

/// How one filter was answered.
#[derive(Debug, Clone, Default, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct Filtered {
    pub considered: Vec<Considered>,
    /// `nothing`, `in order`, `zig-zag` or `gather and sort`.
    pub plan: String,
    /// Which of `considered` are read, the leading one first.
    pub chosen: Vec<usize>,
    /// Which of `considered` took over when the way became long.
    pub switched: Option<usize>,
}

/// An index that could serve a filter.
#[derive(Debug, Clone, Default, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct Considered {
    /// By what its entries are found.
    pub index: String,
    /// Property by which they are sorted under one value.
    pub order: String,
    /// Are they in the order that is asked for?
    pub ordered: bool,
    /// Do its entries alone say whether a row meets the filter, so that no row is fetched where it is read in order?
    /// A node of before does not say.
    #[serde(default)]
    pub covers: bool,
    /// Ranges of it that are read: one for each value.
    pub ranges: usize,
    /// Entries counted.
    pub rows: u64,
    /// Were these all? Otherwise there are more than `rows`, or it was not worth counting.
    pub whole: bool,
}

impl Explained {
    pub(super) fn of(select: &Select) -> Self {
        let sort = match select.sort {
            SortBy::DateCreated => "dateCreated",
            SortBy::DatePublished => "datePublished",
            SortBy::MessageTimestamp => "messageTimestamp",
        };
        let direction = if select.direction == Direction::Ascending { "ascending" } else { "descending" };
        Self { order: format!("{sort} {direction}"), ..Self::default() }
    }

    pub(super) fn count(&mut self, reader: &Reader<'_>, found: &Answer) {
        self.scanned = reader.scanned();
        self.unused = reader.unused();
        (self.returned, self.more) = (found.positions.len() as u64, found.more.is_some());
    }
}

impl Filtered {
    pub(super) fn of(candidates: &[Candidate]) -> Self {
        Self { considered: candidates.iter().map(Considered::of).collect(), ..Self::default() }
    }

    pub(super) fn choose(&mut self, plan: &Plan, estimates: &[Estimate]) {
        for (considered, estimate) in self.considered.iter_mut().zip(estimates) {
            (considered.rows, considered.whole) = (estimate.rows, estimate.whole);
        }
        let (name, chosen) = match plan {
            Plan::Nothing | Plan::CountOn => ("nothing", Vec::new()),
            Plan::InOrder(at) => ("in order", vec![*at]),
            Plan::ZigZag(chosen) => ("zig-zag", chosen.clone()),
            Plan::Gather(at) => ("gather and sort", vec![*at]),
        };
        (self.plan, self.chosen) = (name.to_owned(), chosen);
    }
}

impl Considered {
    fn of(candidate: &Candidate) -> Self {
        let (index, order, ranges) = match &candidate.part {
            Part::Records(ids) => ("recordId", "", ids.len()),
            Part::Spans(family, order, spans) => (family.name(), order.property(), spans.len()),
        };
        let (index, order) = (index.to_owned(), order.to_owned());
        Self { index, order, ordered: candidate.ordered, covers: candidate.covers, ranges, ..Self::default() }
    }
}
