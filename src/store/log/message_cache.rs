//! Messages that were read lately, with what answers need of them and no more. What is in the log never changes, so
//! nothing here grows stale; an answer that names a message twice, or that many ask for, reads and decodes it once.

use super::frame::{self, About, MessageFrame};
use crate::{
    cid::{self, Cid, Digest},
    dwn::{Fault, Json, Kept},
    store::{asked::Asked, place::Position},
};
use bytes::Bytes;
use prometheus_client::{metrics::counter::Counter, registry::Registry};
use quick_cache::{Weighter, sync::Cache};
use serde::{Deserialize, de::IgnoredAny};
use serde_bytes::ByteArray;
use std::sync::{Arc, Mutex, PoisonError};

/// Memory for all of them.
const BYTES_MAX: u64 = 64 << 20;
/// About what a message takes, in all its forms.
const MESSAGE: u64 = 4 << 10;
/// 65,536 positions are remembered as having been asked for.
const ASKED_BITS: u32 = 16;

/// A message of the log. Its JSON is text at first: that is what it is answered with.
#[derive(Debug, Clone)]
pub enum CachedMessage {
    Message(Arc<Kept>),
    /// What is left of one: the digest of its CID, and data that lies in the frame.
    Stub(Digest, Option<Bytes>),
}

/// As much of a frame's payload as is read, where it lies.
#[derive(Deserialize)]
struct Payload<'a> {
    v: u8,
    #[serde(borrow)]
    frame: Frame<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
enum Frame<'a> {
    #[serde(borrow)]
    Message(Parts<'a>),
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct Parts<'a> {
    #[serde(borrow)]
    subject: Subject<'a>,
    author: &'a str,
    cid: ByteArray<32>,
    message: &'a serde_bytes::Bytes,
    inline: Option<&'a serde_bytes::Bytes>,
    #[serde(default)]
    before: Option<Position>,
    #[serde(default)]
    came: bool,
    #[serde(default, borrow)]
    knew: Option<&'a serde_bytes::Bytes>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
enum Subject<'a> {
    Record(&'a str),
    Protocol(IgnoredAny),
}

impl CachedMessage {
    /// The message in a frame's payload. `None`: something else, or nothing that can be read; [`frame::decode`]
    /// says what.
    pub fn read(payload: &[u8]) -> Option<Self> {
        let Payload { v: 1..=frame::PAYLOAD_VERSION, frame: Frame::Message(parts) } =
            serde_ipld_dagcbor::from_slice(payload).ok()?
        else {
            return None;
        };
        Some(Self::Message(Arc::new(Kept {
            cid: cid::from_digest(cid::DAG_CBOR, &parts.cid),
            author: parts.author.into(),
            record_id: match parts.subject {
                Subject::Record(id) => Some(id.into()),
                Subject::Protocol(_) => None,
            },
            message: Arc::new(Json::of_cbor(parts.message).ok()?),
            beside: parts.inline.map(|data| Bytes::copy_from_slice(data)),
            lineage: frame::lineage(parts.before, parts.came, parts.knew.map(|knew| &**knew)),
        })))
    }

    /// What is kept of a whole message.
    pub fn of(message: &MessageFrame) -> Result<Self, Fault> {
        let beside = message.inline.as_ref().map(|data| Bytes::copy_from_slice(data));
        if message.gone {
            return Ok(Self::Stub(*message.cid, beside));
        }
        Ok(Self::Message(Arc::new(Kept {
            cid: message.cid(),
            author: message.author.as_str().into(),
            record_id: match &message.subject {
                About::Record(id) => Some(id.as_str().into()),
                About::Protocol(_) => None,
            },
            message: message.json()?,
            beside,
            lineage: message.lineage(),
        })))
    }

    pub fn cid(&self) -> Cid {
        match self {
            Self::Message(kept) => kept.cid,
            Self::Stub(digest, _) => cid::from_digest(cid::DAG_CBOR, digest),
        }
    }

    /// The message, if more than a stub is left.
    pub fn kept(&self) -> Option<&Arc<Kept>> {
        match self {
            Self::Message(kept) => Some(kept),
            Self::Stub(..) => None,
        }
    }

    /// Data that lies in the frame.
    pub fn inline(&self) -> Option<&Bytes> {
        match self {
            Self::Message(kept) => kept.beside.as_ref(),
            Self::Stub(_, data) => data.as_ref(),
        }
    }

    /// About what it takes in memory: rules may ask for its JSON as a tree later.
    pub fn size(&self) -> usize {
        /// The text, and a tree: twice that on average, with what lies around it.
        const FORMS: usize = 1 + 2;
        let forms = |kept: &Arc<Kept>| kept.message.text().len() * FORMS + kept.lineage.knew.bytes().len();
        self.kept().map_or(0, forms) + self.inline().map_or(0, Bytes::len)
    }
}

/// A message is taken in when it is asked for a second time: who goes through the whole past does not push out what many
/// ask for, nor pay for keeping what nobody will.
#[derive(Debug)]
pub struct MessageCache {
    kept: Cache<Position, CachedMessage, Size>,
    asked: Mutex<Asked>,
    hits: Counter,
    misses: Counter,
}

#[derive(Debug, Clone)]
struct Size;

impl Weighter<Position, CachedMessage> for Size {
    fn weight(&self, _: &Position, message: &CachedMessage) -> u64 {
        message.size().max(1) as u64
    }
}

impl Default for MessageCache {
    fn default() -> Self {
        let kept = Cache::with_weighter((BYTES_MAX / MESSAGE) as usize, BYTES_MAX, Size);
        Self { kept, asked: Mutex::new(Asked::new(ASKED_BITS)), hits: Counter::default(), misses: Counter::default() }
    }
}

impl MessageCache {
    pub fn get(&self, at: Position) -> Option<CachedMessage> {
        let found = self.kept.get(&at);
        if found.is_some() { &self.hits } else { &self.misses }.inc();
        found
    }

    pub fn register(&self, registry: &mut Registry) {
        registry.register("cache_hits", "Messages found in memory", self.hits.clone());
        registry.register("cache_misses", "Messages that had to be read from the log", self.misses.clone());
    }

    /// Takes a message in, if it is asked for again.
    pub fn put(&self, at: Position, message: &CachedMessage) {
        // Frames begin anywhere: any bits of their positions do, mixed.
        let hash = (at + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        if self.asked.lock().unwrap_or_else(PoisonError::into_inner).again(hash) {
            self.kept.insert(at, message.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::frame::{Decoded, Frame, decode};
    use super::*;

    #[test]
    fn what_is_asked_for_twice_is_kept_and_the_rest_is_not() {
        let payload = crate::store::fuzzing::payloads().into_iter().find_map(|payload| match decode(&payload) {
            Ok(Decoded { frame: Frame::Message(_), .. }) => CachedMessage::read(&payload),
            _ => None,
        });
        let (cache, message) = (MessageCache::default(), payload.expect("a message"));
        for at in 0..1000 {
            assert!(cache.get(at).is_none());
            cache.put(at, &message);
        }
        assert!((0..1000).all(|at| cache.get(at).is_none()));
        cache.put(0, &message);
        cache.put(7, &message);
        assert_eq!((0..1000).filter(|at| cache.get(*at).is_some()).collect::<Vec<_>>(), [0, 7]);
    }
}
