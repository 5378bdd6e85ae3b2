//! What a frame of the log holds, and how it is laid out in bytes.
//!
//! A frame is a header of [`HEADER`] bytes and a payload. The header carries the payload's checksum and its own. Its own
//! covers the frame's position too, so a frame copied elsewhere does not verify; and a search for intact frames after
//! damage need not checksum megabytes for every chance match.
//!
//! ```text
//! 0  magic "tft"  3  version  4  payload length u32  8  group u64  16  payload crc32c  20  header crc32c
//! ```
//!
//! `group` is the position where the group of frames written with one fdatasync begins: everything before it
//! was durable, and acknowledged, when this frame was written. At open that tells damage (an intact frame
//! follows whose group begins later) from a write the power cut short (all that follows is of one group).

use crate::{
    cid::{self, Cid, Digest},
    dwn::{Change, Fault, Json, Knew, Lineage, Subject},
    store::place::{Data, Place, Position},
};
use anyhow::{Context as _, bail, ensure};
use serde::{Deserialize, Serialize};
use serde_bytes::{ByteArray, ByteBuf};
use std::sync::{Arc, OnceLock};

/// Bytes before the payload.
pub const HEADER: usize = 24;
/// Longest payload. The longest real one names the blocks of a file: 45 bytes for every 256 KiB, so this is
/// reached by a file of some 300 GB.
pub const PAYLOAD_MAX: u32 = 64 << 20;
pub const MAGIC: &[u8; 3] = b"tft";
const VERSION: u8 = 1;
/// In the place of a frame's version: what begins here is a compacted segment ([`super::segment`]).
pub const COMPACTED_VERSION: u8 = 2;
/// Newest version of the payload's structure. Version 1, which is still read, has no `at` and knows no
/// [`Frame::Blocks`]; version 2 knows no [`Frame::Stub`], version 3 no data that is elsewhere. A frame is written with the lowest that says what it holds,
/// so that an older toft reads a log that was never compacted.
pub const PAYLOAD_VERSION: u8 = 4;

/// The payload of a frame.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Frame {
    Message(Box<MessageFrame>),
    State(Vec<(ByteBuf, Option<ByteBuf>)>),
    Blocks(Moved),
    /// What compaction has left of a message.
    #[serde(rename = "husk")]
    Stub(Box<Stub>),
}

/// A newer toft wrote this: it is not damage, and must not be treated as such.
#[derive(Debug, thiserror::Error)]
#[error("{what} has version {found}; this toft reads up to {known}: a newer one wrote it, so open it with that one")]
pub struct Newer {
    pub what: &'static str,
    pub found: u8,
    pub known: u8,
}

/// What collection has done to blocks: a function of the log like all else, so that a rebuilt index agrees.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Moved {
    /// Blocks that nothing holds any more.
    pub drops: Vec<ByteArray<32>>,
    /// Blocks that were copied to another place.
    pub moves: Vec<(ByteArray<32>, StoredPlace)>,
}

/// An accepted message with all that the index must know of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct MessageFrame {
    pub tenant: String,
    pub subject: About,
    pub author: String,
    pub latest: bool,
    pub initial: bool,
    pub cid: ByteArray<32>,
    pub message: ByteBuf,
    pub data: Option<DataInfo>,
    pub inline: Option<ByteBuf>,
    pub keeps_data: bool,
    pub demotes: Vec<ByteArray<32>>,
    pub removes: Vec<ByteArray<32>>,
    pub blocks: Vec<(ByteArray<32>, StoredPlace)>,
    /// Where the state of the record lies that this one supersedes, if there was one; nothing of the index depends on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Position>,
    /// It came from another device. Nothing of the index depends on this and `knew`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub came: bool,
    /// Earlier states of its record that its writer knew ([`Lineage::knew`]); nothing: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub knew: Option<ByteBuf>,
    /// It was here before, and its data was elsewhere. Nothing of the index depends on this.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub again: bool,
    /// Only a stub is left: `message` is gone.
    #[serde(skip)]
    pub gone: bool,
    /// `message` once it has been asked for as JSON.
    #[serde(skip)]
    json: OnceLock<Arc<Json>>,
}

/// What compaction leaves of a message that is no longer kept: no content, only what the rest of the log builds on.
///
/// The index is a function of the frames in order, and a message that is gone has had effects that stay: it removed
/// and demoted others, the data of the message after it may be its own, its record began with it, blocks lie where it
/// says. So a stub does to the index what its message did, save that it is found by nothing and is no event. The frame
/// that removed the message comes later in the log and removes the stub's traces as it did the message's.
///
/// Nothing removes it where the log was truncated before that frame (to restore an earlier moment), or that frame is
/// damaged. Then a stub stays in the index, and readers treat its message as one that is not here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stub {
    pub tenant: String,
    pub subject: About,
    pub cid: ByteArray<32>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub initial: bool,
    /// `parentId` of the record that began with the message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<DataInfo>,
    /// Data that something else still reads from here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inline: Option<ByteBuf>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub keeps_data: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub demotes: Vec<ByteArray<32>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub removes: Vec<ByteArray<32>>,
    /// Blocks that are still there and whose place nothing later may say.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub blocks: Vec<(ByteArray<32>, StoredPlace)>,
}

/// [`Subject`] as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum About {
    Record(String),
    Protocol(String),
}

/// A data CID and the number of bytes of the data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataInfo {
    root: ByteBuf,
    pub size: u64,
    /// It was left on another device.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub elsewhere: bool,
}

/// [`Place`] as it is stored: kind, segment, offset, length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredPlace(pub u8, pub u32, pub u64, pub u32);

#[derive(Serialize)]
struct Payload<'a> {
    v: u8,
    /// When it was written, in milliseconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<u64>,
    frame: &'a Frame,
}

#[derive(Deserialize)]
struct Version {
    v: u8,
}

#[derive(Deserialize)]
struct Whole {
    v: u8,
    at: Option<u64>,
    frame: Frame,
}

/// A payload, read.
#[derive(Debug)]
pub struct Decoded {
    pub frame: Frame,
    /// When it was written, in milliseconds since 1970; frames of version 1 do not say.
    pub at: Option<u64>,
}

impl DataInfo {
    pub fn new(root: &Cid, size: u64) -> Self {
        Self { root: ByteBuf::from(root.to_bytes()), size, elsewhere: false }
    }

    pub fn root(&self) -> Result<Cid, Fault> {
        Cid::try_from(self.root.as_slice()).context("a data CID in the log does not parse")
    }
}

impl From<Place> for StoredPlace {
    fn from(place: Place) -> Self {
        match place {
            Place::Log { at, len } => Self(0, 0, at, len),
            Place::Pack { segment, at, len } => Self(1, segment, at, len),
            Place::File { len } => Self(2, 0, 0, len),
        }
    }
}

impl TryFrom<StoredPlace> for Place {
    type Error = Fault;

    fn try_from(StoredPlace(kind, segment, at, len): StoredPlace) -> Result<Self, Fault> {
        Ok(match kind {
            0 => Place::Log { at, len },
            1 => Place::Pack { segment, at, len },
            2 => Place::File { len },
            other => bail!("a block is said to lie in a place of the unknown kind {other}"),
        })
    }
}

impl MessageFrame {
    /// The frame of a change. `data` has been compared with the change.
    pub fn new(change: &Change, data: Option<&Data>) -> Result<Self, Fault> {
        let blocks = data.map(|d| d.blocks.iter().map(|(digest, place)| (ByteArray::new(*digest), (*place).into())));
        Ok(Self {
            tenant: change.tenant.clone(),
            subject: match &change.subject {
                Subject::Record(id) => About::Record(id.clone()),
                Subject::Protocol(uri) => About::Protocol(uri.clone()),
            },
            author: change.author.clone(),
            latest: change.latest,
            initial: change.initial,
            cid: ByteArray::new(message_digest(&change.cid)?),
            message: ByteBuf::from(change.bytes.clone()),
            data: change.data.as_ref().map(|(root, size)| DataInfo {
                elsewhere: data.is_some_and(Data::is_elsewhere),
                ..DataInfo::new(root, *size)
            }),
            inline: data.and_then(|d| d.inline.as_ref()).map(|b| ByteBuf::from(b.to_vec())),
            keeps_data: change.keeps_data,
            demotes: digests(&change.demotes)?,
            removes: digests(&change.removes)?,
            blocks: blocks.into_iter().flatten().collect(),
            before: None,
            came: change.came.is_some(),
            knew: change.came.as_ref().and_then(stored),
            again: change.brings_data,
            gone: false,
            json: OnceLock::from(change.message.clone()),
        })
    }

    /// What a stub still says, as a message without its content.
    pub fn of_stub(stub: Stub) -> Self {
        Self {
            tenant: stub.tenant,
            subject: stub.subject,
            author: String::new(),
            latest: false,
            initial: stub.initial,
            cid: stub.cid,
            message: ByteBuf::new(),
            data: stub.data,
            inline: stub.inline,
            keeps_data: stub.keeps_data,
            demotes: stub.demotes,
            removes: stub.removes,
            blocks: stub.blocks,
            before: None,
            came: false,
            knew: None,
            again: false,
            gone: true,
            json: OnceLock::new(),
        }
    }

    pub fn cid(&self) -> Cid {
        cid::from_digest(cid::DAG_CBOR, &self.cid)
    }

    /// It is written here, over a state with this lineage.
    pub fn follow(&mut self, state: &Cid, lineage: &Lineage) {
        self.knew = stored(&lineage.passed_on(state));
    }

    /// It is the state itself, once more.
    pub fn repeat(&mut self, lineage: &Lineage) {
        (self.before, self.came, self.knew) = (lineage.before, lineage.came, stored(&lineage.knew));
    }

    pub fn lineage(&self) -> Lineage {
        lineage(self.before, self.came, self.knew.as_ref().map(|knew| knew.as_slice()))
    }

    /// What in it does not hash to what it should; the frame's own checksum has been checked.
    pub fn damage(&self) -> Result<Option<String>, Fault> {
        if !self.gone && cid::digest(&self.message) != *self.cid {
            return Ok(Some(format!("message {} in the log does not hash to its CID", self.cid())));
        }
        let (Some(info), Some(inline)) = (&self.data, &self.inline) else { return Ok(None) };
        let root = info.root()?;
        let whole = cid::sha256_of(&root) == Some(cid::digest(inline)) && inline.len() as u64 == info.size;
        Ok((!whole).then(|| format!("data {root} in the log does not hash to its CID")))
    }

    pub fn json(&self) -> Result<Arc<Json>, Fault> {
        if let Some(json) = self.json.get() {
            return Ok(json.clone());
        }
        let json = cid::decode(&self.message).with_context(|| format!("message {} in the log", self.cid()))?;
        Ok(self.json.get_or_init(|| Arc::new(json.into())).clone())
    }
}

impl Stub {
    /// Of a message whose data in the frame, and blocks, have been cut to what is still needed.
    pub fn of(message: MessageFrame) -> Result<Self, Fault> {
        // Only the first frame of a record makes its parent known; a tombstone may be that, if damage took the write.
        let parent = match &message.subject {
            About::Record(_) => message.json()?["descriptor"]["parentId"].as_str().map(str::to_owned),
            About::Protocol(_) => None,
        };
        let MessageFrame { tenant, subject, cid, initial, data, inline, .. } = message;
        let MessageFrame { keeps_data, demotes, removes, blocks, .. } = message;
        Ok(Self { tenant, subject, cid, initial, parent, data, inline, keeps_data, demotes, removes, blocks })
    }
}

/// As a frame says it.
pub fn lineage(before: Option<Position>, came: bool, knew: Option<&[u8]>) -> Lineage {
    let knew = knew.and_then(|knew| Knew::read(bytes::Bytes::copy_from_slice(knew))).unwrap_or_default();
    Lineage { before, came, knew }
}

fn stored(knew: &Knew) -> Option<ByteBuf> {
    (!knew.is_empty()).then(|| ByteBuf::from(knew.bytes().to_vec()))
}

/// The digest in a message's CID; messages are DAG-CBOR under sha2-256, always.
pub fn message_digest(cid: &Cid) -> Result<Digest, Fault> {
    ensure!(cid.codec() == cid::DAG_CBOR, "{cid} is not the CID of a message: it is not DAG-CBOR");
    cid::sha256_of(cid).with_context(|| format!("{cid} is not the CID of a message: it is not sha2-256"))
}

fn digests(cids: &[Cid]) -> Result<Vec<ByteArray<32>>, Fault> {
    cids.iter().map(|cid| Ok(ByteArray::new(message_digest(cid)?))).collect()
}

/// Appends the frame, written at the time `at` (the first format did not say), to `out`, for `position`, in the group
/// that begins at `group`.
pub fn encode(
    frame: &Frame,
    at: Option<u64>,
    position: Position,
    group: Position,
    out: &mut Vec<u8>,
) -> Result<(), Fault> {
    let start = out.len();
    out.extend_from_slice(&[0; HEADER]);
    let is_elsewhere = |data: &Option<DataInfo>| data.as_ref().is_some_and(|data| data.elsewhere);
    let v = match frame {
        Frame::Message(message) if message.again || is_elsewhere(&message.data) => 4,
        Frame::Stub(stub) if is_elsewhere(&stub.data) => 4,
        Frame::Stub(_) => 3,
        Frame::Message(_) | Frame::State(_) | Frame::Blocks(_) => 2,
    };
    serde_ipld_dagcbor::to_writer(&mut *out, &Payload { v, at, frame }).context("encoding a log frame")?;
    let length = u32::try_from(out.len() - start - HEADER).ok().filter(|l| *l <= PAYLOAD_MAX);
    let Some(length) = length else {
        out.truncate(start);
        bail!("a log frame would be longer than {PAYLOAD_MAX} bytes: the change names too many blocks or messages");
    };
    let crc = crc32c::crc32c(&out[start + HEADER..]);
    out[start..start + HEADER].copy_from_slice(&header_bytes(position, Header { length, group, crc }));
    Ok(())
}

/// The bytes of a header at `position`.
pub fn header_bytes(position: Position, head: Header) -> [u8; HEADER] {
    let mut header = [0; HEADER];
    header[..3].copy_from_slice(MAGIC);
    header[3] = VERSION;
    header[4..8].copy_from_slice(&head.length.to_be_bytes());
    header[8..16].copy_from_slice(&head.group.to_be_bytes());
    header[16..20].copy_from_slice(&head.crc.to_be_bytes());
    let own = header_crc(position, &header);
    header[20..24].copy_from_slice(&own.to_be_bytes());
    header
}

/// A header that verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    pub length: u32,
    pub group: Position,
    pub crc: u32,
}

/// The header at `position`, or why it is none. An error: a newer toft wrote it.
pub fn header(position: Position, bytes: &[u8; HEADER]) -> Result<Result<Header, &'static str>, Newer> {
    if &bytes[..3] != MAGIC {
        return Ok(Err("no frame begins here"));
    }
    if header_crc(position, bytes) != u32_at(bytes, 20) {
        return Ok(Err("the frame's header does not match its checksum"));
    }
    match bytes[3] {
        VERSION => Ok(Ok(Header { length: u32_at(bytes, 4), group: u64_at(bytes, 8), crc: u32_at(bytes, 16) })),
        COMPACTED_VERSION => Ok(Err("a compacted segment begins here, not a frame")),
        found => Err(Newer { what: "a frame of the log", found, known: COMPACTED_VERSION }),
    }
}

/// A number in a header.
pub fn u32_at(header: &[u8; HEADER], at: usize) -> u32 {
    header[at..at + 4].iter().fold(0, |n, byte| n << 8 | u32::from(*byte))
}

pub fn u64_at(header: &[u8; HEADER], at: usize) -> u64 {
    u64::from(u32_at(header, at)) << 32 | u64::from(u32_at(header, at + 4))
}

pub fn header_crc(position: Position, header: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&position.to_be_bytes()), &header[..20])
}

/// The payload, parsed.
pub fn decode(payload: &[u8]) -> Result<Decoded, Fault> {
    let error = match serde_ipld_dagcbor::from_slice(payload) {
        Ok(Whole { v: 1..=PAYLOAD_VERSION, at, frame }) => return Ok(Decoded { frame, at }),
        Ok(_) => None,
        Err(error) => Some(error),
    };
    // What a newer version wrote need not parse.
    let Version { v } = serde_ipld_dagcbor::from_slice(payload).context("a log frame's payload has no version")?;
    if v > PAYLOAD_VERSION {
        return Err(Newer { what: "a log frame's payload", found: v, known: PAYLOAD_VERSION }.into());
    }
    ensure!(v > 0, "a log frame's payload has version 0, which never was");
    let error = error.context("a log frame's payload has a version that is not read")?;
    Err(error).context("a log frame's payload does not parse")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_comes_back_and_only_at_its_position() {
        let frame = Frame::State(vec![(ByteBuf::from(b"a".to_vec()), None)]);
        let mut out = vec![7];
        encode(&frame, Some(5), 100, 90, &mut out).expect("encodes");
        let bytes: [u8; HEADER] = out[1..1 + HEADER].try_into().expect("a header");
        let head = header(100, &bytes).expect("of a known version").expect("verifies");
        assert_eq!((head.group, head.length as usize), (90, out.len() - 1 - HEADER));
        assert!(header(101, &bytes).expect("nothing newer").is_err());
        let Decoded { frame: Frame::State(changes), at: Some(5) } = decode(&out[1 + HEADER..]).expect("decodes") else {
            panic!("a state frame of its time")
        };
        assert_eq!(changes, vec![(ByteBuf::from(b"a".to_vec()), None)]);
    }
}
