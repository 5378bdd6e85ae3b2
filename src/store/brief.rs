//! What is kept in memory of a message that was read: what answers need, and no more.

use super::frame::{About, Message};
use crate::{
    cid::{self, Cid, Digest},
    dwn::{Fault, Json, Kept},
};
use bytes::Bytes;
use serde::{Deserialize, de::IgnoredAny};
use serde_bytes::ByteArray;
use std::sync::Arc;

/// A message of the log. Its JSON is text at first: that is what it is answered with.
#[derive(Debug, Clone)]
pub(super) enum Brief {
    Message(Arc<Kept>),
    /// What is left of one: the digest of its CID, and data that lies in the frame.
    Husk(Digest, Option<Bytes>),
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
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
enum Subject<'a> {
    Record(&'a str),
    Protocol(IgnoredAny),
}

impl Brief {
    /// The message in a frame's payload. `None`: something else, or nothing that can be read; [`super::frame::decode`]
    /// says what.
    pub fn read(payload: &[u8]) -> Option<Self> {
        let Payload { v: 1..=super::frame::PAYLOAD_VERSION, frame: Frame::Message(parts) } =
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
        })))
    }

    /// What is kept of a whole message.
    pub fn of(message: &Message) -> Result<Self, Fault> {
        let beside = message.inline.as_ref().map(|data| Bytes::copy_from_slice(data));
        if message.gone {
            return Ok(Self::Husk(*message.cid, beside));
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
        })))
    }

    pub fn cid(&self) -> Cid {
        match self {
            Self::Message(kept) => kept.cid,
            Self::Husk(digest, _) => cid::from_digest(cid::DAG_CBOR, digest),
        }
    }

    /// The message, if more than a husk is left.
    pub fn kept(&self) -> Option<&Arc<Kept>> {
        match self {
            Self::Message(kept) => Some(kept),
            Self::Husk(..) => None,
        }
    }

    /// Data that lies in the frame.
    pub fn inline(&self) -> Option<&Bytes> {
        match self {
            Self::Message(kept) => kept.beside.as_ref(),
            Self::Husk(_, data) => data.as_ref(),
        }
    }

    /// About what it takes in memory: rules may ask for its JSON as a tree later.
    pub fn size(&self) -> usize {
        /// The text, and a tree: twice that on average, with what lies around it.
        const FORMS: usize = 1 + 2;
        self.kept().map_or(0, |kept| kept.message.text().len()) * FORMS + self.inline().map_or(0, Bytes::len)
    }
}
