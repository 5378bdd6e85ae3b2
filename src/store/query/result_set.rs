//! What a query has found so far: its filters' streams merged, and brought up to date when the writer was let in.

use super::{matching::Query, strategy::Stream, stream::SortKey};
use crate::{
    dwn::Fault,
    store::{
        place::Position,
        rows::{keys, steady::ROUNDS_MAX},
    },
};
use anyhow::Context as _;
use std::{
    cmp::{Ordering, Reverse},
    collections::{BTreeSet, BinaryHeap},
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

/// What was found so far.
pub struct ResultSet<'a> {
    pub streams: Vec<Stream<'a>>,
    heads: BinaryHeap<Reverse<Head>>,
    /// Places of rows that match.
    pub hits: BTreeSet<SortKey>,
    /// Where all streams have come to.
    reached: Option<SortKey>,
    /// Streams whose next is not among the heads yet.
    waiting: Vec<usize>,
    ended: bool,
    /// Something that was found has gone again.
    lost: bool,
    /// Matching rows that came since the writer was first let in, wherever their place, and up to which position.
    fresh: BTreeSet<SortKey>,
    fresh_to: Position,
}

impl<'a> ResultSet<'a> {
    pub fn new(streams: Vec<Stream<'a>>) -> Self {
        Self {
            waiting: (0..streams.len()).collect(),
            streams,
            heads: BinaryHeap::new(),
            hits: BTreeSet::new(),
            reached: None,
            ended: false,
            lost: false,
            fresh: BTreeSet::new(),
            fresh_to: 0,
        }
    }

    /// Merges the streams until there is one more than `limit`.
    pub fn fill(&mut self, limit: usize, query: &Query<'_, 'a>) -> Result<(), Fault> {
        while !self.ended && self.hits.len() <= limit {
            while let Some(at) = self.waiting.pop() {
                self.push(at, query)?;
            }
            let Some(Reverse(Head { place, at, known })) = self.heads.pop() else {
                self.ended = true;
                break;
            };
            self.waiting.push(at);
            // Rows that several filters find stand side by side.
            if self.reached.as_ref() == Some(&place) {
                continue;
            }
            match &mut self.reached {
                Some(reached) => reached.clone_from(&place),
                first => *first = Some(place.clone()),
            }
            // What was known before a pause may have gone.
            if known && query.reader.steady.since().is_none() || query.matches_at(place.position()?)? {
                self.hits.insert(place);
            } else {
                self.lost |= known;
            }
        }
        Ok(())
    }

    fn push(&mut self, at: usize, query: &Query<'_, 'a>) -> Result<(), Fault> {
        let stream = self.streams.get_mut(at).context("a stream that is not there")?;
        if let Some((place, known)) = stream.next(query)? {
            self.heads.push(Reverse(Head { place, at, known }));
        }
        Ok(())
    }

    /// Brings what was found up to this moment, which lasts until the next pause: takes in what has come since the
    /// writer was first let in, as far as the streams have come, and takes out what has gone.
    pub fn settle(&mut self, query: &Query<'_, 'a>) -> Result<(), Fault> {
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
            self.fresh.extend(query.place_of(position, &row)?);
            reader.steady.tick()?;
            if reader.steady.pauses() != pauses {
                // What was read of the index before may have grown old.
                rows = reader.source.scan(&keys::row(reader.tenant, self.fresh_to), &to, false);
            }
        }
        let is_reached = |place: &SortKey| self.ended || self.reached.as_ref().is_some_and(|reached| place <= reached);
        self.hits.extend(self.fresh.iter().filter(|place| is_reached(place)).cloned());
        Ok(())
    }

    fn drop_gone(&mut self, query: &Query<'_, 'a>) -> Result<(), Fault> {
        let reader = query.reader;
        let mut gone = Vec::new();
        for place in self.hits.iter().chain(&self.fresh) {
            reader.steady.tick()?;
            if reader.source.get(&keys::row(reader.tenant, place.position()?))?.is_none() {
                gone.push(place.clone());
            }
        }
        for place in gone {
            self.lost |= self.hits.remove(&place);
            self.fresh.remove(&place);
        }
        Ok(())
    }

    /// Something has gone, and what would take its place was not kept.
    pub fn is_short(&self) -> bool {
        self.lost && self.streams.iter().any(|stream| stream.truncated)
    }
}
