//! What `blocks` and `backup` ask of the store: where blocks lie and who needs them, what is durable, what is damaged.

use super::{
    damaged::{Holder, Object, of_records},
    handle::Store,
    log::{
        Damage, Read,
        frame::{About, Frame, MessageFrame},
    },
    place::{Place, Position},
    rows::{keys, refs, row, source::Source as _},
    writer::Job,
};
use crate::{cid::Digest, dwn::Fault};
use anyhow::Context as _;
use bytes::Bytes;
use std::{collections::BTreeMap, path::PathBuf};
use tokio::sync::oneshot;

/// Records that are named for one stretch of the log.
const HOLDERS_MAX: usize = 16;

/// What a look at a stretch of the log has found.
#[derive(Debug)]
pub(crate) struct Checked {
    pub next: Position,
    pub messages: u64,
    /// A sentence for each damaged stretch or message, and whose it is.
    pub damage: Vec<(String, Vec<Holder>)>,
}

impl Store {
    /// The files of the log before `end`: how many bytes of each, and whether it does not change any more.
    pub(crate) fn segments(&self, end: Position) -> Result<Vec<(PathBuf, u64, bool)>, Fault> {
        self.0.log.files(end)
    }

    /// Where a block lies, whether or not a record still holds it.
    pub(crate) fn place(&self, digest: &Digest) -> Result<Option<Place>, Fault> {
        refs::place(&self.source(), digest)
    }

    /// Blocks from `from` on with their places, at most `max`, in the order of their digests.
    pub(crate) fn places(&self, from: &Digest, max: usize) -> Result<Vec<(Digest, Place)>, Fault> {
        let pairs = self.0.index.scan(&keys::block(from), &keys::after(keys::blocks()), false);
        pairs
            .filter_map(|pair| match pair {
                Ok((key, place)) => keys::placed(&key).map(|digest| Ok((digest, row::decode_place(&place)?))),
                Err(error) => Some(Err(error)),
            })
            .take(max)
            .collect()
    }

    /// The roots that a block belongs to, held or not.
    pub(crate) fn roots(&self, block: &Digest) -> Result<Vec<Digest>, Fault> {
        refs::roots(&self.source(), block)
    }

    /// Does a record, or a pin, hold this block?
    pub(crate) fn is_held(&self, block: &Digest) -> Result<bool, Fault> {
        refs::is_held(&self.source(), block)
    }

    /// Bytes of the blocks that lie in each pack, held or not.
    pub(crate) fn packs(&self) -> Result<BTreeMap<u32, u64>, Fault> {
        let pairs = self.0.index.scan(&keys::packs(), &keys::after(keys::packs()), false);
        pairs
            .map(|pair| {
                let (key, live) = pair?;
                let segment = key.last_chunk().context("an index key of a pack is too short")?;
                let live = live.as_slice().try_into().context("a number in the index is not 8 bytes")?;
                Ok((u32::from_be_bytes(*segment), u64::from_be_bytes(live)))
            })
            .collect()
    }

    /// Lets go of those of `blocks` that nothing holds, and says which: they are out of the index, durably, and
    /// their bytes may be deleted. Blocks that the index does not know are among them.
    pub(crate) async fn release(&self, blocks: Vec<Digest>) -> Result<Vec<Digest>, Fault> {
        let (reply, answer) = oneshot::channel();
        self.ask(Job::Release { blocks, reply }).await?;
        answer.await.context("the writer has ended")?
    }

    /// Says, durably, that blocks were copied: which, from where, to where. Those that lie elsewhere by now stay
    /// there; the others are returned.
    pub(crate) async fn relocate(&self, moves: Vec<(Digest, Place, Place)>) -> Result<Vec<Digest>, Fault> {
        let (reply, answer) = oneshot::channel();
        self.ask(Job::Relocate { moves, reply }).await?;
        answer.await.context("the writer has ended")?
    }

    /// A snapshot of the home has been taken: for the metrics.
    pub(crate) fn backed_up(&self) {
        self.0.index.metrics.backed_up();
    }

    /// Checks the log from `from` on, some `bytes` of it: frames, message CIDs, data in frames.
    pub(crate) fn check(&self, from: Position, bytes: u64) -> Result<Checked, Fault> {
        let end = *self.0.tail.borrow();
        let mut checked = Checked { next: from, messages: 0, damage: Vec::new() };
        // The segment that the stretch begins in was named with the stretch before, unless it begins there.
        let mut segment = Some(self.0.log.holder(from)).filter(|start| *start != from);
        while checked.next < end && checked.next - from < bytes {
            let at = checked.next;
            let holder = Some(self.0.log.holder(at));
            match self.0.log.damage(at, segment != holder)? {
                Some(why) => checked.damage.push(self.log_damaged(Object::Segment(at), (at, at), why)?),
                None => drop(self.damage().clear(Object::Segment(at))),
            }
            segment = holder;
            let why = match self.0.log.read(at)? {
                Read::Frame { frame, next, .. } => {
                    checked.next = next;
                    let message = match frame {
                        Frame::Message(message) => *message,
                        Frame::Stub(stub) => MessageFrame::of_stub(*stub),
                        Frame::State(_) | Frame::Blocks(_) => {
                            self.damage().clear_log(at..next);
                            continue;
                        }
                    };
                    checked.messages += u64::from(!message.gone);
                    message.damage()?
                }
                Read::Gone { next } => {
                    checked.next = next;
                    None
                }
                Read::End => {
                    checked.next = end;
                    None
                }
                Read::Bad(why) => {
                    let next = self.0.log.resync(at)?.unwrap_or(end).min(end);
                    checked.next = next;
                    Some(Damage { from: at, to: next, why }.to_string())
                }
            };
            match why {
                Some(why) => checked.damage.push(self.log_damaged(Object::Log(at), (at, checked.next), why)?),
                None => self.damage().clear_log(at..checked.next),
            }
        }
        Ok(checked)
    }

    /// Notes damage to a stretch of the log, and says whose messages the index has there.
    fn log_damaged(
        &self,
        object: Object,
        (from, to): (Position, Position),
        why: String,
    ) -> Result<(String, Vec<Holder>), Fault> {
        let records = self.records_between(from, to)?;
        let sentence = format!("{why}{}", of_records(&records));
        self.damage().note(object, &why, records.clone());
        Ok((sentence, records))
    }

    /// Records of which the index has a message from `from` on and before `to`, some of them if there are many.
    fn records_between(&self, from: Position, to: Position) -> Result<Vec<Holder>, Fault> {
        let (all, source, mut found) = (keys::tenants(), self.source(), Vec::new());
        for pair in source.scan(&all, &keys::after(all.clone()), false) {
            let (key, name) = pair?;
            let number = u32::from_be_bytes(*key.last_chunk().context("a tenant's key is too short")?);
            for pair in source.scan(&keys::event(number, from), &keys::event(number, to), false) {
                let event = row::EventRow::decode(&pair?.1)?;
                let row = source.get(&keys::message(number, &event.digest))?;
                let row = row.map(|bytes| row::MessageRow::decode(&bytes)).transpose()?;
                if let Some(About::Record(record)) = row.map(|row| row.subject)
                    && found.len() < HOLDERS_MAX
                {
                    let tenant = String::from_utf8_lossy(&name).into_owned();
                    found.push(Holder { tenant, record });
                }
            }
        }
        Ok(found)
    }

    /// The data inside the frame at `at` ([`Place::Log`]).
    pub(crate) fn inline(&self, at: Position) -> Result<Bytes, Fault> {
        let message = self.0.log.message(at)?;
        let data = message.inline().with_context(|| format!("the log frame at {at} holds no data"))?;
        Ok(data.clone())
    }
}
