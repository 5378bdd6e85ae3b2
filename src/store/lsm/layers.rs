//! What the index holds, from the newest to the oldest: a table that changes, one that is being written to the disk,
//! runs, and beside these what is small. What a newer layer says of a key hides what older ones say.

use super::{
    disk::Disk,
    entry::{Entry, Policy, Scan, hash},
    run::{self, Run},
    small::Small,
    table::{Sequence, Table, Value},
};
use anyhow::Error as Fault;
use std::{collections::VecDeque, ops::Bound, sync::Arc};

/// Entries that a cursor takes out of a table at once.
const TAKEN: usize = 16;

/// The layers between two flushes or merges. Only the active table changes, and says what it was.
#[derive(Debug, Clone)]
pub struct Layers {
    pub active: Arc<Table>,
    pub frozen: Option<Arc<Table>>,
    /// Newest first.
    pub runs: Vec<Arc<Run>>,
    pub small: Small,
    policy: Policy,
}

impl Layers {
    pub fn new(runs: Vec<Arc<Run>>, disk: Arc<Disk>, policy: Policy) -> Self {
        let small = Small::new(disk);
        Self { active: Arc::new(Table::after(0)), frozen: None, runs, small, policy }
    }

    /// The value of a key as of a batch that the active table has.
    pub fn get(&self, key: &[u8], at: Sequence) -> Result<Value, Fault> {
        for table in [Some(&self.active), self.frozen.as_ref()].into_iter().flatten() {
            if let Some(value) = table.get(key, at) {
                return Ok(value);
            }
        }
        if self.policy.is_small(key) {
            return self.small.get(key);
        }
        let hash = (!self.policy.is_ranged(key)).then(|| hash(key));
        for run in &self.runs {
            if let Some(change) = run.get(key, hash)? {
                return Ok(change);
            }
        }
        Ok(None)
    }

    /// Pairs with `from` ≤ key < `to` as of a batch that the active table has, upwards or downwards.
    pub fn scan(&self, from: &[u8], to: &[u8], reverse: bool, at: Sequence) -> Result<Scan<'static>, Fault> {
        let tables = [Some(&self.active), self.frozen.as_ref()].into_iter().flatten();
        let mut sources: Vec<_> = tables
            .map(|table| TableCursor::new(table.clone(), from, to, reverse, at))
            .filter(|cursor| !cursor.taken.is_empty())
            .map(Source::Table)
            .collect();
        for run in &self.runs {
            let run = run.clone();
            let cursor = if reverse { run::Cursor::before(run, to)? } else { run::Cursor::from(run, from)? };
            sources.push(Source::Run(cursor));
        }
        if self.policy.may_be_small(from, to) {
            sources.push(Source::Small(SmallCursor::new(self.small.scan(from, to, reverse))?));
        }
        let end = if reverse { from } else { to }.to_vec();
        let mut merged = Merged { sources, reverse };
        let mut ended = false;
        Ok(Box::new(std::iter::from_fn(move || {
            while !ended {
                match merged.next() {
                    Ok(Some((key, _))) if if reverse { key < end } else { key >= end } => ended = true,
                    Ok(Some((key, Some(value)))) => return Some(Ok((key, value))),
                    Ok(Some((_, None))) => {}
                    Ok(None) => ended = true,
                    Err(error) => {
                        ended = true;
                        return Some(Err(error));
                    }
                }
            }
            None
        })))
    }
}

/// Goes through several sources, newest first, as through one.
pub struct Merged {
    sources: Vec<Source>,
    reverse: bool,
}

impl Merged {
    /// All of these runs, upwards.
    pub fn runs(runs: &[Arc<Run>]) -> Result<Self, Fault> {
        let cursor = |run: &Arc<Run>| Ok(Source::Run(run::Cursor::from(run.clone(), &[])?));
        Ok(Self { sources: runs.iter().map(cursor).collect::<Result<_, Fault>>()?, reverse: false })
    }

    /// The next key and what its newest source says of it.
    pub fn next(&mut self) -> Result<Option<(Vec<u8>, Value)>, Fault> {
        let mut best: Option<Entry<'_>> = None;
        for entry in self.sources.iter().filter_map(Source::get) {
            let nearer = |(key, _): Entry<'_>| if self.reverse { entry.0 > key } else { entry.0 < key };
            if best.is_none_or(nearer) {
                best = Some(entry);
            }
        }
        let Some((key, value)) = best.map(|(key, value)| (key.to_vec(), value.map(<[u8]>::to_vec))) else {
            return Ok(None);
        };
        for source in &mut self.sources {
            if source.get().is_some_and(|(other, _)| other == key) {
                source.step(self.reverse)?;
            }
        }
        Ok(Some((key, value)))
    }
}

enum Source {
    Table(TableCursor),
    Run(run::Cursor),
    Small(SmallCursor),
}

/// Walks through what is in sled.
struct SmallCursor {
    pairs: Scan<'static>,
    pair: Option<(Vec<u8>, Vec<u8>)>,
}

impl SmallCursor {
    fn new(mut pairs: Scan<'static>) -> Result<Self, Fault> {
        let pair = pairs.next().transpose()?;
        Ok(Self { pairs, pair })
    }
}

impl Source {
    fn get(&self) -> Option<Entry<'_>> {
        match self {
            Source::Table(cursor) => cursor.taken.front().map(|(key, value)| (key.as_slice(), value.as_deref())),
            Source::Run(cursor) => cursor.get(),
            Source::Small(small) => small.pair.as_ref().map(|(key, value)| (key.as_slice(), Some(value.as_slice()))),
        }
    }

    fn step(&mut self, reverse: bool) -> Result<(), Fault> {
        match self {
            Source::Table(cursor) => {
                cursor.step();
                Ok(())
            }
            Source::Run(cursor) if reverse => cursor.previous(),
            Source::Run(cursor) => cursor.next(),
            Source::Small(small) => {
                small.pair = small.pairs.next().transpose()?;
                Ok(())
            }
        }
    }
}

/// Walks through a table, some entries at a time: nobody holds it for long.
struct TableCursor {
    table: Arc<Table>,
    taken: VecDeque<(Vec<u8>, Value)>,
    from: Bound<Vec<u8>>,
    to: Bound<Vec<u8>>,
    reverse: bool,
    at: Sequence,
}

impl TableCursor {
    fn new(table: Arc<Table>, from: &[u8], to: &[u8], reverse: bool, at: Sequence) -> Self {
        let (from, to) = (Bound::Included(from.to_vec()), Bound::Excluded(to.to_vec()));
        let mut cursor = Self { table, taken: VecDeque::new(), from, to, reverse, at };
        cursor.take();
        cursor
    }

    fn take(&mut self) {
        let range = (self.from.as_ref().map(Vec::as_slice), self.to.as_ref().map(Vec::as_slice));
        self.taken = self.table.range(range, self.at, self.reverse, TAKEN).into();
    }

    fn step(&mut self) {
        let Some((key, _)) = self.taken.pop_front() else { return };
        if self.taken.is_empty() {
            *(if self.reverse { &mut self.to } else { &mut self.from }) = Bound::Excluded(key);
            // A range from and to the same key, both excluded, is no range.
            match (&self.from, &self.to) {
                (Bound::Included(from) | Bound::Excluded(from), Bound::Excluded(to)) if from < to => self.take(),
                _ => {}
            }
        }
    }
}
