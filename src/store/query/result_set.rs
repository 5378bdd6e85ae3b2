//! What a query has found: its filters' streams merged.

use super::{matching::Query, strategy::Stream, stream::SortKey};
use crate::dwn::Fault;
use anyhow::Context as _;
use std::{
    cmp::{Ordering, Reverse},
    collections::BinaryHeap,
};

/// The next of one stream.
struct Head {
    place: SortKey,
    at: usize,
    /// Is its row known to match?
    known: bool,
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

pub struct ResultSet<'a> {
    pub streams: Vec<Stream<'a>>,
    /// Places of rows that match, in order.
    pub hits: Vec<SortKey>,
}

impl<'a> ResultSet<'a> {
    /// Merges the streams until there is one more than `limit`.
    pub fn merge(mut streams: Vec<Stream<'a>>, limit: usize, query: &Query<'_, 'a>) -> Result<Self, Fault> {
        let (mut heads, mut hits, mut reached) = (BinaryHeap::new(), Vec::new(), None);
        // Streams whose next is not among the heads yet.
        let mut waiting: Vec<usize> = (0..streams.len()).collect();
        while hits.len() <= limit {
            for at in waiting.drain(..) {
                let stream = streams.get_mut(at).context("a stream that is not there")?;
                if let Some((place, known)) = stream.next(query)? {
                    heads.push(Reverse(Head { place, at, known }));
                }
            }
            let Some(Reverse(Head { place, at, known })) = heads.pop() else { break };
            waiting.push(at);
            // Rows that several filters find stand side by side.
            if reached.as_ref() == Some(&place) {
                continue;
            }
            if known || query.matches_at(place.position()?)? {
                hits.push(place.clone());
            }
            reached = Some(place);
        }
        Ok(Self { streams, hits })
    }
}
