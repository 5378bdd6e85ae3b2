//! A record's data on its way in and out: streams of bytes, read chunk by chunk as they are taken.

use crate::{
    blocks::{Blocks, Reader, Right, Unread},
    cid::Cid,
    dwn::{Fault, Refusal, Stop},
    memory,
};
use anyhow::anyhow;
use bytes::Bytes;
use futures::{Stream, StreamExt as _};
use std::{ops::Range, pin::Pin};

/// Bytes on their way in or out.
pub type Body = Pin<Box<dyn Stream<Item = Result<Bytes, Fault>> + Send>>;

/// A read's data, held since the answer was made: whatever happens to the record now, it can be sent.
pub(super) enum Held {
    Inline(Bytes),
    Blocks(Box<Reader>),
    /// On another device: of which message, and its root.
    Elsewhere(Box<(Cid, Cid)>),
}

impl Held {
    /// Of it only these bytes, if not all.
    pub(super) fn part(self, part: Option<Range<u64>>) -> Self {
        let Some(part) = part else { return self };
        match self {
            Self::Inline(bytes) => {
                let at = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(bytes.len());
                let (start, end) = (at(part.start), at(part.end));
                Self::Inline(bytes.slice(start..end.max(start)))
            }
            Self::Blocks(reader) => Self::Blocks(Box::new(reader.part(part))),
            Self::Elsewhere(data) => Self::Elsewhere(data),
        }
    }
}

/// What a client hears of data that is kept and cannot be read. Where it lies is the operator's business.
pub(super) fn unread(why: Unread) -> Stop {
    match why {
        Unread::Fault(fault) => fault.into(),
        Unread::Damaged { root, block, .. } => Refusal::new(
            500,
            format!(
                "DataDamaged: block {block} of the data {root} is damaged on this node, so nothing of it is sent; the node's \
                 owner sees it in toft status and repairs it with toft storage scrub, or by writing the same data again"
            ),
        )
        .into(),
        Unread::NotHere(block) => Refusal::new(
            500,
            format!("DataMissing: block {block} of the data is not on this node any more, so nothing of it is sent"),
        )
        .into(),
        why @ (Unread::Data(_) | Unread::NotFile(..)) => Fault::new(why).into(),
    }
}

/// The data under `root` for who was given its record, if every block of it is here, else an error before the first byte.
pub fn read_out(blocks: Blocks, root: Cid) -> Body {
    flow(Out::Begin(blocks, root))
}

/// A file, read chunk by chunk as the client takes it: one that does not read costs a chunk, not a thread.
pub fn send(reader: Reader) -> Body {
    flow(Out::Reading(Box::new(reader)))
}

fn flow(out: Out) -> Body {
    Box::pin(futures::stream::unfold(Some(out), |out| async move {
        let out = out?;
        match tokio::task::spawn_blocking(move || out.next()).await {
            Ok(step) => step,
            Err(error) => Some((Err(anyhow!("reading data: {error}")), None)),
        }
    }))
}

/// Data on its way out.
enum Out {
    Begin(Blocks, Cid),
    Reading(Box<Reader>),
}

impl Out {
    /// The next chunk and what is left; nothing is left after an error.
    fn next(self) -> Option<(Result<Bytes, Fault>, Option<Self>)> {
        let mut reader = match self {
            Out::Begin(blocks, root) => match blocks.read(Right::reader(&root), &root) {
                Ok(reader) => Box::new(reader),
                Err(why) => return Some((Err(Fault::new(why)), None)),
            },
            Out::Reading(reader) => reader,
        };
        let chunk = reader.next()?;
        let rest = chunk.is_ok().then_some(Out::Reading(reader));
        Some((chunk, rest))
    }
}

/// Up to `most` bytes of a body, in memory of just that size; whether it has ended. What came beyond them is left in `rest`,
/// which the next call begins with.
pub(super) async fn gather(body: &mut Body, rest: &mut Bytes, most: usize) -> Result<(Vec<u8>, bool), Fault> {
    let mut piece = memory::room(most);
    loop {
        let now = rest.split_to(rest.len().min(most - piece.len()));
        piece.extend_from_slice(&now);
        if piece.len() == most {
            return Ok((piece, false));
        }
        match body.next().await {
            Some(bytes) => *rest = bytes?,
            None => return Ok((piece, true)),
        }
    }
}

/// Bytes that are all here already.
pub fn one_chunk(bytes: Bytes) -> Body {
    Box::pin(futures::stream::iter([Ok(bytes)]))
}
