//! Which rows answer a query, and where they stand in its order.

use super::{
    cond::matches,
    reader::Reader,
    stream::{SortKey, Unordered},
};
use crate::{
    cid::{self, Digest},
    dwn::{Cond, Direction, Fault, PaginationCursor, Select, SortBy, compare_texts},
    store::{
        place::Position,
        rows::{entry_flags::asked, families::Order, keys, row::Picked},
    },
};
use std::{
    cmp::Ordering,
    collections::{BTreeSet, btree_set},
};

/// What answers a query.
#[derive(Debug, Default)]
pub struct Answer {
    /// Positions of latest states, in order; at most the limit.
    pub positions: Vec<Position>,
    /// If more follow: the value that the last is sorted by.
    pub more: Option<String>,
}

/// Whose records are asked for: number and DID.
pub type Tenant<'a> = (u32, &'a str);

/// One query of a tenant's records.
pub struct Query<'r, 'a> {
    pub reader: &'r Reader<'a>,
    /// The tenant's DID.
    pub name: &'r str,
    pub order: Order,
    pub select: &'r Select,
    /// Properties that are compared or sorted by.
    pub wanted: BTreeSet<&'r str>,
}

impl<'a> Query<'_, 'a> {
    /// Reads all of a candidate and keeps the best that come after `reached`: as many as can be asked for, and one
    /// that says that more follow.
    pub fn gather(
        &self,
        mut unordered: Unordered<'a>,
        reached: Option<&SortKey>,
    ) -> Result<btree_set::IntoIter<SortKey>, Fault> {
        let most = self.select.limit.unwrap_or(usize::MAX).saturating_add(1);
        let mut best = BTreeSet::new();
        while let Some(position) = unordered.next(self.reader)? {
            let Some(row) = self.row(position)? else { continue };
            let Some(place) = self.place_of(position, &row)? else { continue };
            if reached.is_some_and(|reached| place <= *reached) {
                continue;
            }
            best.insert(place);
            if best.len() > most {
                best.pop_last();
            }
        }
        Ok(best.into_iter())
    }

    fn row(&self, position: Position) -> Result<Option<Vec<u8>>, Fault> {
        self.reader.source.get(&keys::row(self.reader.tenant, position))
    }

    /// Does the row at a position answer the query?
    pub fn matches_at(&self, position: Position) -> Result<bool, Fault> {
        let Some(row) = self.row(position)? else { return Ok(false) };
        Ok(self.sort_of(&self.decode(&row)?).is_some())
    }

    /// The place of a row, if it answers the query.
    pub fn place_of(&self, position: Position, row: &[u8]) -> Result<Option<SortKey>, Fault> {
        let row = self.decode(row)?;
        self.sort_of(&row).map(|sort| SortKey::of(sort, &row.digest, position, self.is_down())).transpose()
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
    pub fn covers(&self, filter: usize, place: &SortKey) -> Result<Option<bool>, Fault> {
        let Some(flags) = place.flags() else { return Ok(None) };
        let sort = place.sort()?;
        // Which of those with the cursor's value come before it, their whole CIDs say.
        if self.select.after.as_ref().is_some_and(|cursor| cursor.value == sort) {
            return Ok(None);
        }
        let meets = |(property, cond): (&String, &Cond)| match asked(property, cond) {
            _ if property == self.order.property() => cond.holds_text(&sort),
            Some(bits) => flags.meet(bits),
            None => true,
        };
        Ok(Some(self.select.any_of.get(filter).is_some_and(|filter| filter.iter().all(meets))))
    }

    pub fn is_down(&self) -> bool {
        self.select.direction == Direction::Descending
    }
}

/// The order that is asked for.
pub fn order(sort: SortBy) -> Order {
    match sort {
        SortBy::DateCreated => Order::DateCreated,
        SortBy::DatePublished => Order::DatePublished,
        SortBy::MessageTimestamp => Order::MessageTimestamp,
    }
}

/// Does a row, by its sort value and message, come after the cursor?
fn follows((sort, message): (&str, &Digest), cursor: &PaginationCursor, direction: Direction) -> bool {
    let order = compare_texts(sort, &cursor.value)
        .then_with(|| cid::from_digest(cid::DAG_CBOR, message).to_string().cmp(&cursor.message_cid));
    order == if direction == Direction::Ascending { Ordering::Greater } else { Ordering::Less }
}
