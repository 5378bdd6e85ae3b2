//! One number for all that a store holds, to tell whether two are the same.
//!
//! It is taken from the index: every tenant's messages in the order in which they came, with what each still has, every block
//! and its size, all state. Messages and blocks stand for their bytes, because they are named by their hashes; who has
//! compared fingerprints and hashed everything (`scrub`) has compared everything. Nothing in it depends on where
//! something lies, so a store that was restored, rebuilt or compacted has the fingerprint it had.

use super::{
    handle::Store,
    place::{Place, Position},
    rows::{
        keys, refs,
        row::{self, MessageRow, Stats},
        source::Source,
    },
};
use crate::dwn::Fault;
use sha2::{Digest as _, Sha256};

/// A store at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moment {
    /// End of the log.
    pub end: Position,
    pub stats: Stats,
    /// SHA-256, in hex.
    pub fingerprint: String,
}

impl Store {
    /// The log's end, the counters and the fingerprint of one moment. Reads the whole index (blocking); nothing waits for
    /// it.
    pub fn moment(&self) -> Result<Moment, Fault> {
        let source = self.source();
        let (end, stats) = checkpoint(&source)?;
        Ok(Moment { end, stats, fingerprint: fingerprint(&source)? })
    }
}

fn checkpoint(source: &dyn Source) -> Result<(Position, Stats), Fault> {
    let stats = source.get(&keys::meta("stats"))?.map_or(Ok(Stats::default()), |bytes| Stats::decode(&bytes))?;
    Ok((refs::counter(source, &keys::meta("applied"))?, stats))
}

fn fingerprint(source: &dyn Source) -> Result<String, Fault> {
    let mut sum = Sha256::new();
    let mut tenants = Vec::new();
    each(source, keys::tenants(), |key, name| {
        tenants.extend(key.last_chunk().map(|number| (name.to_vec(), u32::from_be_bytes(*number))));
        Ok(())
    })?;
    // Their numbers are given out in order of arrival, which is nobody's business.
    tenants.sort();
    for (name, number) in tenants {
        part(&mut sum, b"tenant", &name);
        each(source, keys::events_of(number), |_, value| {
            part(&mut sum, b"event", &row::EventRow::decode(value)?.digest);
            Ok(())
        })?;
        each(source, keys::messages_of(number), |key, value| {
            // Where it lies is left out, and what number its protocol has here.
            let row = MessageRow { position: 0, stub: false, scope: 0, ..MessageRow::decode(value)? };
            let data = row.data.map(|data| row::DataRow { inline: None, ..data });
            part(&mut sum, b"message", key.last_chunk::<32>().map_or(key, |digest| digest));
            part(&mut sum, b"state", &MessageRow { data, ..row }.encode());
            Ok(())
        })?;
    }
    each(source, keys::blocks(), |key, value| {
        let Some(digest) = keys::placed(key) else { return Ok(()) };
        let (Place::Log { len, .. } | Place::Pack { len, .. } | Place::File { len }) = row::decode_place(value)?;
        part(&mut sum, b"block", &digest);
        part(&mut sum, b"size", &len.to_be_bytes());
        Ok(())
    })?;
    each(source, keys::state(b""), |key, value| {
        part(&mut sum, b"key", key.get(1..).unwrap_or_default());
        part(&mut sum, b"value", value);
        Ok(())
    })?;
    Ok(hex::encode(sum.finalize()))
}

fn each(
    source: &dyn Source,
    prefix: Vec<u8>,
    mut f: impl FnMut(&[u8], &[u8]) -> Result<(), Fault>,
) -> Result<(), Fault> {
    source.scan(&prefix, &keys::after(prefix.clone()), false).try_for_each(|pair| {
        let (key, value) = pair?;
        f(&key, &value)
    })
}

/// No two different sequences of parts come to the same bytes.
fn part(sum: &mut Sha256, kind: &[u8], bytes: &[u8]) {
    sum.update(kind);
    sum.update([0]);
    sum.update((bytes.len() as u64).to_be_bytes());
    sum.update(bytes);
}
