//! The entries of a long answer.
//!
//! They are named first, which takes a few bytes for each, and written piece by piece as whoever asked takes them: an answer
//! that nobody takes costs no more than its first piece.

use super::{
    fields::is_method,
    json::{Object, quoted},
    refusal::Fault,
    view::{INLINE_MAX, Stored, View},
};
use crate::{
    cid::{self, Digest},
    crypto,
};
use std::ops::ControlFlow;

/// Entries that are still to be written. An answer tells the moment at which it was asked for: what was replaced since then is
/// told as it was, what was deleted since then is left out.
#[derive(Debug, Clone)]
pub struct Entries {
    what: What,
    /// How many were looked at.
    at: usize,
    /// Something was written: before the next stands a comma.
    begun: bool,
}

#[derive(Debug, Clone)]
enum What {
    /// States of records, by their positions: with small data, and the initial write.
    Records(Vec<u64>),
    /// Messages as they are, by their positions.
    Messages(Vec<u64>),
    /// CIDs of messages.
    Cids(Vec<Digest>),
}

impl Entries {
    pub(super) fn records(positions: Vec<u64>) -> Self {
        Self::new(What::Records(positions))
    }

    pub(super) fn messages(positions: Vec<u64>) -> Self {
        Self::new(What::Messages(positions))
    }

    pub(super) fn cids(digests: Vec<Digest>) -> Self {
        Self::new(What::Cids(digests))
    }

    fn new(what: What) -> Self {
        Self { what, at: 0, begun: false }
    }

    /// Bytes of memory it takes.
    pub fn size(&self) -> usize {
        match &self.what {
            What::Records(positions) | What::Messages(positions) => size_of_val(positions.as_slice()),
            What::Cids(digests) => size_of_val(digests.as_slice()),
        }
    }

    /// Writes entries behind what `out` holds, at least one, until it holds `most` bytes; is that all?
    pub fn write(&mut self, out: &mut String, most: usize, view: &dyn View) -> Result<bool, Fault> {
        let Self { what, at, begun } = self;
        let from = *at;
        let mut put = |entry: Option<&str>| {
            *at += 1;
            let Some(entry) = entry else { return ControlFlow::Continue(()) };
            if std::mem::replace(begun, true) {
                out.push(',');
            }
            out.push_str(entry);
            if out.len() < most { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        };
        let all = match what {
            What::Cids(digests) => {
                for digest in digests.get(from..).unwrap_or_default() {
                    if put(Some(&quoted(&cid::from_digest(cid::DAG_CBOR, digest).to_string()))).is_break() {
                        break;
                    }
                }
                digests.len()
            }
            What::Records(positions) => {
                view.each(positions.get(from..).unwrap_or_default(), &mut |stored| {
                    let entry = stored.map(|stored| record_entry(&stored, view)).transpose()?.flatten();
                    Ok(put(entry.as_deref()))
                })?;
                positions.len()
            }
            What::Messages(positions) => {
                view.each(positions.get(from..).unwrap_or_default(), &mut |stored| {
                    Ok(put(stored.as_ref().map(|stored| stored.message.text())))
                })?;
                positions.len()
            }
        };
        Ok(self.at >= all)
    }
}

/// One line of the answer: the write, small data with it, and the initial write if this is an update. None: the record
/// was deleted since the answer began.
fn record_entry(stored: &Stored, view: &dyn View) -> Result<Option<String>, Fault> {
    let mut data = view.inline_data(stored)?;
    if data.is_none() && !view.has_data(stored)? {
        // It is no latest state any more.
        if is_deleted(stored, view)? {
            return Ok(None);
        }
        data.clone_from(&stored.beside);
    }
    let mut entry = Object::extending(stored.message.text());
    if let Some(data) = data.filter(|data| data.len() as u64 <= INLINE_MAX) {
        entry = entry.with("encodedData", &quoted(&crypto::encode(&data)));
    }
    if let Some(id) = stored.record_id.as_deref()
        && let Some(initial) = view.initial_before(id, &stored.cid)?
    {
        entry = entry.with("initialWrite", initial.message.text());
    }
    Ok(Some(entry.text()))
}

fn is_deleted(stored: &Stored, view: &dyn View) -> Result<bool, Fault> {
    let Some(id) = stored.record_id.as_deref() else { return Ok(false) };
    Ok(view.record(id)?.is_none_or(|record| is_method(&record.newest.message, "Delete")))
}
