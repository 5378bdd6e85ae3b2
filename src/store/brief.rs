//! What is kept in memory of a message that was read: what answers need, and no more.

use super::frame::{About, Message};
use crate::{
    cid::{self, Cid, Digest},
    dwn::{Fault, Json},
};
use bytes::Bytes;
use serde::{Deserialize, de::IgnoredAny};
use serde_bytes::ByteArray;
use std::sync::Arc;

/// A message of the log. Its JSON is text at first: that is what it is answered with.
#[derive(Debug)]
pub(super) struct Brief {
    digest: Digest,
    pub author: Arc<str>,
    /// Whose state it is, if a record's.
    pub record_id: Option<Arc<str>>,
    /// Data that lies in the frame.
    pub inline: Option<Bytes>,
    /// None if only a husk is left.
    pub json: Option<Arc<Json>>,
    /// Bytes of the JSON's text, about.
    length: usize,
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
        let json = Json::of_cbor(parts.message).ok()?;
        let record_id = match parts.subject {
            Subject::Record(id) => Some(id.into()),
            Subject::Protocol(_) => None,
        };
        Some(Self {
            digest: *parts.cid,
            author: parts.author.into(),
            record_id,
            inline: parts.inline.map(|data| Bytes::copy_from_slice(data)),
            length: json.text().len(),
            json: Some(Arc::new(json)),
        })
    }

    /// What is kept of a whole message.
    pub fn of(message: &Message) -> Result<Self, Fault> {
        let json = (!message.gone).then(|| message.json()).transpose()?;
        Ok(Self {
            digest: *message.cid,
            author: message.author.as_str().into(),
            record_id: match &message.subject {
                About::Record(id) => Some(id.as_str().into()),
                About::Protocol(_) => None,
            },
            inline: message.inline.as_ref().map(|data| Bytes::copy_from_slice(data)),
            length: message.message.len(),
            json,
        })
    }

    pub fn cid(&self) -> Cid {
        cid::from_digest(cid::DAG_CBOR, &self.digest)
    }

    /// About what it takes in memory: rules may ask for its JSON as a tree later.
    pub fn size(&self) -> usize {
        /// Beside the text, on average, with what lies around it.
        const TREES: usize = 2;
        self.length * (1 + TREES) + self.inline.as_ref().map_or(0, |data| data.len())
    }
}
