//! Candidates being read: several spans as one order, several orders as one intersection, and what has no order.

use super::{
    candidates::Span,
    reader::{FETCH, Reader},
};
use crate::{
    cid::{self, Digest},
    dwn::Fault,
    store::{
        lsm::Scan,
        place::Position,
        rows::{entry_flags::EntryFlags, keys, row::RecordRow},
    },
};
use anyhow::{Context as _, ensure};
use std::{
    borrow::Cow,
    cmp::{Ordering, Reverse},
    collections::{BinaryHeap, VecDeque, binary_heap::PeekMut},
    vec,
};

/// A row's place in an answer: what follows the value in an index key (sort value, tie-break, position).
#[derive(Debug, Clone)]
pub struct SortKey {
    key: Vec<u8>,
    /// Bytes of the key before the sort value.
    value: usize,
    down: bool,
    flags: Option<EntryFlags>,
}

impl SortKey {
    /// The place of a row with this sort value and message.
    pub fn of(sort: &str, message: &Digest, position: Position, down: bool) -> Result<Self, Fault> {
        let cid = cid::from_digest(cid::DAG_CBOR, message).to_string();
        let tie = keys::tie(&cid).context("a message CID has no place in the order of CIDs")?;
        Ok(Self { key: keys::suffix(sort, &tie, position), value: 0, down, flags: None })
    }

    pub fn suffix(&self) -> &[u8] {
        self.key.get(self.value..).unwrap_or_default()
    }

    pub fn position(&self) -> Result<Position, Fault> {
        position(&self.key)
    }

    pub fn sort(&self) -> Result<Cow<'_, str>, Fault> {
        Ok(keys::read_text(self.suffix()).context("an index key has no sort value")?.0)
    }

    /// What the entry that it was read from says of its row.
    pub fn flags(&self) -> Option<EntryFlags> {
        self.flags
    }
}

impl Ord for SortKey {
    fn cmp(&self, other: &Self) -> Ordering {
        let order = self.suffix().cmp(other.suffix());
        if self.down { order.reverse() } else { order }
    }
}

impl PartialEq for SortKey {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for SortKey {}

impl PartialOrd for SortKey {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The position at the end of an index key.
fn position(key: &[u8]) -> Result<Position, Fault> {
    let last = key.last_chunk::<8>().context("an index key is too short")?;
    Ok(u64::from_be_bytes(*last))
}

/// One span, read in its order. Opened when first asked.
struct Cursor<'a> {
    span: Span,
    down: bool,
    pairs: Option<Scan<'a>>,
}

impl<'a> Cursor<'a> {
    fn next(&mut self, reader: &Reader<'a>) -> Result<Option<SortKey>, Fault> {
        let span = &self.span;
        let pairs = self.pairs.get_or_insert_with(|| reader.source.scan(&span.from, &span.to, self.down));
        let Some(pair) = pairs.next() else { return Ok(None) };
        reader.read();
        let (key, flags) = pair?;
        ensure!(key.len() >= span.value, "an index key is shorter than its prefix");
        Ok(Some(SortKey { key, value: span.value, down: self.down, flags: EntryFlags::decode(&flags) }))
    }

    /// The first place that is not before `target`.
    fn seek(&mut self, target: &SortKey, reader: &Reader<'a>) -> Result<Option<SortKey>, Fault> {
        let steps = if self.pairs.is_some() { reader.tuning.steps } else { 0 };
        for _ in 0..steps {
            match self.next(reader)? {
                Some(place) if place < *target => reader.scan(),
                found => return Ok(found),
            }
        }
        let prefix = self.span.from.get(..self.span.value).unwrap_or_default();
        let at = [prefix, target.suffix()].concat();
        if self.down {
            self.span.to = keys::after(at).min(self.span.to.clone());
        } else {
            self.span.from = at.max(self.span.from.clone());
        }
        self.pairs = None;
        reader.seek();
        self.next(reader)
    }
}

/// A candidate in the order that is asked for: its spans merged, each place once.
pub struct Merge<'a> {
    cursors: Vec<Cursor<'a>>,
    heads: BinaryHeap<Reverse<(SortKey, usize)>>,
    /// Read to count.
    ahead: VecDeque<SortKey>,
    /// Cursors whose next place is not among the heads yet.
    waiting: Vec<usize>,
}

impl<'a> Merge<'a> {
    pub fn new(spans: Vec<Span>, down: bool) -> Self {
        let waiting = (0..spans.len()).collect();
        let cursors = spans.into_iter().map(|span| Cursor { span, down, pairs: None }).collect();
        Self { cursors, heads: BinaryHeap::new(), ahead: VecDeque::new(), waiting }
    }

    /// Reads ahead until it has so many places; are these all there are?
    pub fn count_to(&mut self, most: usize, reader: &Reader<'a>) -> Result<(usize, bool), Fault> {
        while self.ahead.len() < most {
            match self.pull(reader)? {
                Some(place) => self.ahead.push_back(place),
                None => return Ok((self.ahead.len(), true)),
            }
        }
        Ok((self.ahead.len(), false))
    }

    pub fn next(&mut self, reader: &Reader<'a>) -> Result<Option<SortKey>, Fault> {
        let next = match self.ahead.pop_front() {
            Some(place) => Some(place),
            None => self.pull(reader)?,
        };
        if next.is_some() {
            reader.scan();
        }
        Ok(next)
    }

    /// Goes to the first place that is not before `target`, and stays there.
    pub fn seek(&mut self, target: &SortKey, reader: &Reader<'a>) -> Result<Option<&SortKey>, Fault> {
        while self.ahead.pop_front_if(|place| *place < *target).is_some() {
            reader.scan();
        }
        if self.ahead.is_empty() {
            while let Some(at) = self.waiting.pop() {
                self.seek_one(at, target, reader)?;
            }
            while let Some(at) = self.pop_head(|head| head < target) {
                reader.scan();
                self.seek_one(at, target, reader)?;
            }
            self.count_to(1, reader)?;
        }
        Ok(self.ahead.front())
    }

    fn seek_one(&mut self, at: usize, target: &SortKey, reader: &Reader<'a>) -> Result<(), Fault> {
        if let Some(place) = self.cursor(at)?.seek(target, reader)? {
            self.heads.push(Reverse((place, at)));
        }
        Ok(())
    }

    /// The next place of all spans. What comes after it is not read before it is asked for.
    fn pull(&mut self, reader: &Reader<'a>) -> Result<Option<SortKey>, Fault> {
        self.wait(reader)?;
        let Some(Reverse((place, at))) = self.heads.pop() else { return Ok(None) };
        self.waiting.push(at);
        // A list of values finds a row with two of them twice.
        while let Some(at) = self.pop_head(|head| *head == place) {
            reader.scan();
            self.waiting.push(at);
        }
        Ok(Some(place))
    }

    /// Reads the heads that are missing.
    fn wait(&mut self, reader: &Reader<'a>) -> Result<(), Fault> {
        while let Some(at) = self.waiting.pop() {
            if let Some(place) = self.cursor(at)?.next(reader)? {
                self.heads.push(Reverse((place, at)));
            }
        }
        Ok(())
    }

    /// Takes the first head off if it is such a one; whose it was.
    fn pop_head(&mut self, is_such: impl FnOnce(&SortKey) -> bool) -> Option<usize> {
        let head = self.heads.peek_mut().filter(|head| is_such(&head.0.0))?;
        let Reverse((_, at)) = PeekMut::pop(head);
        Some(at)
    }

    fn cursor(&mut self, at: usize) -> Result<&mut Cursor<'a>, Fault> {
        self.cursors.get_mut(at).context("a span that is not there")
    }
}

/// The places that several candidates have in common: each leaps to where the others are (zig-zag). With one alone,
/// all of its places.
pub struct Joined<'a> {
    lead: Merge<'a>,
    others: Vec<Other<'a>>,
}

struct Other<'a> {
    merge: Merge<'a>,
    asked: u64,
    /// What asking has cost, in entries, and how many rows need not be fetched for it.
    cost: u64,
    saved: u64,
    /// Places for which it is not asked.
    rests: u64,
}

impl<'a> Other<'a> {
    fn new(merge: Merge<'a>) -> Self {
        Self { merge, asked: 0, cost: 0, saved: 0, rests: 0 }
    }

    /// Is it to be asked about the next place? Rows are compared in full anyway, so whoever costs more than it saves may
    /// be passed over; later it may do better.
    fn is_asked(&mut self, reader: &Reader<'a>) -> bool {
        if self.rests > 0 {
            self.rests -= 1;
            return false;
        }
        if self.asked >= reader.tuning.trial {
            let rests = if self.cost > FETCH * self.saved { reader.tuning.rest } else { 0 };
            (self.asked, self.cost, self.saved, self.rests) = (0, 0, 0, rests);
        }
        self.asked += u64::from(self.rests == 0);
        self.rests == 0
    }

    fn ask(&mut self, place: &SortKey, reader: &Reader<'a>) -> Result<Said, Fault> {
        let before = reader.work();
        let said = match self.merge.seek(place, reader)? {
            None => Said::Ended,
            Some(found) if found == place => Said::Yes,
            Some(found) => Said::Beyond(found.clone()),
        };
        self.cost += reader.work() - before;
        Ok(said)
    }
}

impl<'a> Joined<'a> {
    /// `None`: nothing to read.
    pub fn new(merges: Vec<Merge<'a>>) -> Option<Self> {
        let mut merges = merges.into_iter();
        let lead = merges.next()?;
        Some(Self { lead, others: merges.map(Other::new).collect() })
    }

    pub fn next(&mut self, reader: &Reader<'a>) -> Result<Option<SortKey>, Fault> {
        let Some(mut place) = self.lead.next(reader)? else { return Ok(None) };
        'asking: loop {
            for other in &mut self.others {
                if !other.is_asked(reader) {
                    continue;
                }
                match other.ask(&place, reader)? {
                    Said::Yes => {}
                    Said::Ended => return Ok(None),
                    Said::Beyond(further) => {
                        // Whatever the lead now leaps over would have been fetched; a seek leaps over unseen ones.
                        let before = reader.work();
                        self.lead.seek(&further, reader)?;
                        other.saved += 1 + (reader.work() - before);
                        match self.lead.next(reader)? {
                            Some(next) => place = next,
                            None => return Ok(None),
                        }
                        continue 'asking;
                    }
                }
            }
            return Ok(Some(place));
        }
    }
}

/// What the others say of a place.
enum Said {
    Yes,
    Ended,
    /// One of them goes on there.
    Beyond(SortKey),
}

/// A candidate in no order of use: positions, of which some may come twice.
pub struct Unordered<'a> {
    ids: vec::IntoIter<String>,
    spans: vec::IntoIter<Span>,
    pairs: Option<Scan<'a>>,
    ahead: VecDeque<Position>,
}

impl<'a> Unordered<'a> {
    pub fn spans(spans: Vec<Span>) -> Self {
        Self { ids: Vec::new().into_iter(), spans: spans.into_iter(), pairs: None, ahead: VecDeque::new() }
    }

    pub fn records(ids: Vec<String>) -> Self {
        Self { ids: ids.into_iter(), ..Self::spans(Vec::new()) }
    }

    /// Reads ahead until it has so many; are these all there are?
    pub fn count_to(&mut self, most: usize, reader: &Reader<'a>) -> Result<(usize, bool), Fault> {
        // Of records by id it is known without a look.
        let ids = self.ids.len();
        if ids > 0 {
            return Ok((ids.min(most), ids <= most));
        }
        while self.ahead.len() < most {
            match self.pull(reader)? {
                Some(position) => self.ahead.push_back(position),
                None => return Ok((self.ahead.len(), true)),
            }
        }
        Ok((self.ahead.len(), false))
    }

    pub fn next(&mut self, reader: &Reader<'a>) -> Result<Option<Position>, Fault> {
        let next = match self.ahead.pop_front() {
            Some(position) => Some(position),
            None => self.pull(reader)?,
        };
        if next.is_some() {
            reader.scan();
        }
        Ok(next)
    }

    fn pull(&mut self, reader: &Reader<'a>) -> Result<Option<Position>, Fault> {
        for id in self.ids.by_ref() {
            reader.read();
            if let Some(position) = state(&id, reader)? {
                return Ok(Some(position));
            }
        }
        loop {
            if let Some(pair) = self.pairs.as_mut().and_then(Iterator::next) {
                reader.read();
                return position(&pair?.0).map(Some);
            }
            let Some(span) = self.spans.next() else { return Ok(None) };
            self.pairs = Some(reader.source.scan(&span.from, &span.to, false));
        }
    }
}

/// Position of a record's newest message, if that is a latest state.
fn state(id: &str, reader: &Reader<'_>) -> Result<Option<Position>, Fault> {
    let Some(bytes) = reader.source.get(&keys::record(reader.tenant, id))? else { return Ok(None) };
    let RecordRow { newest: (position, _), latest, .. } = RecordRow::decode(&bytes)?;
    Ok(latest.then_some(position))
}
