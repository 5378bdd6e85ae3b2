//! The Bitswap message, read and written.
//!
//! The bytes come from strangers. Decoding never panics. It allocates no more than the frame's own size times a small
//! factor. Block data stays a slice of the frame.

use crate::cid::{self, Cid};
use crate::protobuf::{self, Fields, Value, put_bytes, put_head, put_number, put_varint, varint, varint_len};
use bytes::Bytes;
use multihash::Multihash;

/// The longest frame that is read. kubo and helia both refuse more.
pub const FRAME_BYTES_MAX: usize = 4 << 20;
/// The most block bytes put into one message: half of what others accept, so framing never reaches the limit.
pub const MESSAGE_BYTES_MAX: usize = 2 << 20;
/// The largest block that is exchanged, as everywhere in IPFS.
pub const BLOCK_BYTES_MAX: usize = 2 << 20;
/// The most entries, blocks and presences, of each, taken from one message; the rest is passed over. A frame
/// could hold half a million, which would be a hundred bytes of memory for each eight on the wire.
const ENTRIES_MAX: usize = 4096;
/// The longest CID that is read: version, codec and a 64 byte digest with their varints fit well.
const CID_BYTES_MAX: usize = 128;

/// One message as a peer sent it. Blocks are named by the hash of their bytes.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Message {
    pub wants: Vec<Entry>,
    /// The wants replace all earlier ones.
    pub full: bool,
    pub blocks: Vec<(Cid, Bytes)>,
    pub presences: Vec<(Cid, Presence)>,
}

/// One line of a wantlist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub cid: Cid,
    pub priority: i32,
    pub want: Want,
    pub send_dont_have: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Want {
    Block,
    Have,
    Cancel,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    Have,
    DontHave,
}

/// Bytes that are no Bitswap message.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Malformed {
    #[error(transparent)]
    Protobuf(#[from] protobuf::Error),
    #[error("a CID does not parse: {0}")]
    Cid(String),
}

/// Reads one message (without its length prefix).
///
/// A block under a hash function we do not know is dropped: it cannot be one we asked for.
pub fn decode(frame: &[u8]) -> Result<Message, Malformed> {
    decode_shared(&Bytes::copy_from_slice(frame))
}

/// As [`decode`], sharing the frame's memory with the blocks.
pub fn decode_shared(frame: &Bytes) -> Result<Message, Malformed> {
    let mut message = Message::default();
    for field in Fields::new(frame) {
        match field? {
            (1, Value::Bytes(list)) => decode_wantlist(list, &mut message)?,
            // Bitswap 1.0.0: bare data, always CIDv0.
            (2, Value::Bytes(data)) if message.blocks.len() < ENTRIES_MAX => {
                let hash = hash_as(cid::SHA2_256, data).ok_or_else(|| Malformed::Cid("sha2-256".into()))?;
                if let Ok(cid) = Cid::new_v0(hash) {
                    message.blocks.push((cid, frame.slice_ref(data)));
                }
            }
            (3, Value::Bytes(block)) if message.blocks.len() < ENTRIES_MAX => {
                if let Some((cid, data)) = decode_block(block)? {
                    message.blocks.push((cid, frame.slice_ref(data)));
                }
            }
            (4, Value::Bytes(presence)) if message.presences.len() < ENTRIES_MAX => {
                message.presences.push(decode_presence(presence)?);
            }
            _ => {}
        }
    }
    Ok(message)
}

fn decode_wantlist(bytes: &[u8], message: &mut Message) -> Result<(), Malformed> {
    for field in Fields::new(bytes) {
        match field? {
            (1, Value::Bytes(entry)) if message.wants.len() < ENTRIES_MAX => {
                message.wants.push(decode_entry(entry)?);
            }
            (2, Value::Number(full)) => message.full = full != 0,
            _ => {}
        }
    }
    Ok(())
}

fn decode_entry(bytes: &[u8]) -> Result<Entry, Malformed> {
    let (mut cid, mut priority, mut want, mut cancel, mut send_dont_have) = (None, 1, Want::Block, false, false);
    for field in Fields::new(bytes) {
        match field? {
            (1, Value::Bytes(b)) => cid = Some(read_cid(b)?),
            // int32 travels as a sign-extended 64 bit varint: the low half is the number.
            (2, Value::Number(n)) => priority = n as i32,
            (3, Value::Number(n)) => cancel = n != 0,
            (4, Value::Number(n)) => want = if n == 1 { Want::Have } else { Want::Block },
            (5, Value::Number(n)) => send_dont_have = n != 0,
            _ => {}
        }
    }
    let cid = cid.ok_or_else(|| Malformed::Cid("missing in a wantlist entry".into()))?;
    Ok(Entry { cid, priority, want: if cancel { Want::Cancel } else { want }, send_dont_have })
}

fn decode_block(bytes: &[u8]) -> Result<Option<(Cid, &[u8])>, Malformed> {
    let (mut prefix, mut data): (&[u8], &[u8]) = (&[], &[]);
    for field in Fields::new(bytes) {
        match field? {
            (1, Value::Bytes(b)) => prefix = b,
            (2, Value::Bytes(b)) => data = b,
            _ => {}
        }
    }
    Ok(name_block(prefix, data)?.map(|cid| (cid, data)))
}

/// The CID that `data` really has under a prefix (version, codec, hash function, digest length).
fn name_block(prefix: &[u8], data: &[u8]) -> Result<Option<Cid>, Malformed> {
    let mut rest = prefix;
    let mut part = || varint(&mut rest).map_err(|_| Malformed::Cid("a block's prefix is cut".into()));
    let (version, codec, function) = (part()?, part()?, part()?);
    let Some(hash) = hash_as(function, data) else { return Ok(None) };
    Ok(match version {
        0 => Cid::new_v0(hash).ok(),
        1 => Some(Cid::new_v1(codec, hash)),
        _ => None,
    })
}

fn hash_as(function: u64, data: &[u8]) -> Option<Multihash<64>> {
    match function {
        cid::SHA2_256 => Multihash::wrap(cid::SHA2_256, &cid::digest(data)).ok(),
        cid::IDENTITY => Multihash::wrap(cid::IDENTITY, data).ok(),
        _ => None,
    }
}

fn decode_presence(bytes: &[u8]) -> Result<(Cid, Presence), Malformed> {
    let (mut cid, mut presence) = (None, Presence::Have);
    for field in Fields::new(bytes) {
        match field? {
            (1, Value::Bytes(b)) => cid = Some(read_cid(b)?),
            (2, Value::Number(n)) => presence = if n == 1 { Presence::DontHave } else { Presence::Have },
            _ => {}
        }
    }
    Ok((cid.ok_or_else(|| Malformed::Cid("missing in a presence".into()))?, presence))
}

fn read_cid(bytes: &[u8]) -> Result<Cid, Malformed> {
    if bytes.len() > CID_BYTES_MAX {
        return Err(Malformed::Cid(format!("{} bytes long", bytes.len())));
    }
    Cid::try_from(bytes).map_err(|e| Malformed::Cid(e.to_string()))
}

/// Writes one message with its length prefix, ready for the wire.
///
/// The wantlist field is written even when empty: js decoders of older peers rely on it.
pub fn encode(message: &Message) -> Vec<u8> {
    let mut body = Vec::with_capacity(message.blocks.iter().map(|(_, b)| b.len() + 64).sum::<usize>() + 64);
    let mut list = Vec::new();
    for entry in &message.wants {
        let mut e = Vec::with_capacity(64);
        put_bytes(&mut e, 1, &entry.cid.to_bytes());
        // Written when it is 0 too: absent means 1 to those who read as we do.
        put_number(&mut e, 2, i64::from(entry.priority) as u64);
        put_unless_zero(&mut e, 3, u64::from(entry.want == Want::Cancel));
        put_unless_zero(&mut e, 4, u64::from(entry.want == Want::Have));
        put_unless_zero(&mut e, 5, u64::from(entry.send_dont_have));
        put_bytes(&mut list, 1, &e);
    }
    put_unless_zero(&mut list, 2, u64::from(message.full));
    put_bytes(&mut body, 1, &list);
    for (cid, data) in &message.blocks {
        let prefix = prefix_of(cid);
        let len = 2 + prefix.len() + 1 + varint_len(data.len() as u64) + data.len();
        put_head(&mut body, 3, len);
        put_bytes(&mut body, 1, &prefix);
        put_bytes(&mut body, 2, data);
    }
    for (cid, presence) in &message.presences {
        let mut p = Vec::with_capacity(48);
        put_bytes(&mut p, 1, &cid.to_bytes());
        put_unless_zero(&mut p, 2, u64::from(*presence == Presence::DontHave));
        put_bytes(&mut body, 4, &p);
    }
    let mut frame = Vec::with_capacity(body.len() + 5);
    put_varint(&mut frame, body.len() as u64);
    frame.extend_from_slice(&body);
    frame
}

/// What a receiver needs to name a block: everything of its CID but the digest.
fn prefix_of(cid: &Cid) -> Vec<u8> {
    let mut prefix = Vec::with_capacity(8);
    put_varint(&mut prefix, u64::from(cid.version()));
    for part in [cid.codec(), cid.hash().code(), u64::from(cid.hash().size())] {
        put_varint(&mut prefix, part);
    }
    prefix
}

/// Writes a field that means zero when it is absent.
fn put_unless_zero(out: &mut Vec<u8>, field: u64, value: u64) {
    if value != 0 {
        put_number(out, field, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn body(frame: &[u8]) -> &[u8] {
        let mut rest = frame;
        let len = varint(&mut rest).expect("a length");
        assert_eq!(len as usize, rest.len());
        rest
    }

    #[test]
    fn an_empty_message_still_carries_a_wantlist() {
        assert_eq!(encode(&Message::default()), [2, 0x0a, 0]);
    }

    #[test]
    fn a_block_is_named_by_its_bytes_whatever_the_sender_meant() {
        let honest = cid::of(cid::RAW, b"one");
        let frame = encode(&Message { blocks: vec![(honest, Bytes::from_static(b"two"))], ..Message::default() });
        let got = decode(body(&frame)).expect("decodes");
        assert_eq!(got.blocks, vec![(cid::of(cid::RAW, b"two"), Bytes::from_static(b"two"))]);
    }

    #[test]
    fn a_frame_of_half_a_million_blocks_is_not_half_a_million_blocks() {
        let block = [0x1a, 6, 0x0a, 4, 1, 0x55, 0x12, 0x20];
        let frame: Vec<u8> = block.iter().copied().cycle().take(FRAME_BYTES_MAX / 8 * 8).collect();
        assert_eq!(decode(&frame).expect("well formed").blocks.len(), ENTRIES_MAX);
    }

    fn any_cid() -> impl Strategy<Value = Cid> {
        (any::<[u8; 8]>(), prop_oneof![Just(cid::RAW), Just(cid::DAG_PB), Just(cid::DAG_CBOR)])
            .prop_map(|(bytes, codec)| cid::of(codec, &bytes))
    }

    fn any_entry() -> impl Strategy<Value = Entry> {
        let want = prop_oneof![Just(Want::Block), Just(Want::Have), Just(Want::Cancel)];
        (any_cid(), any::<i32>(), want, any::<bool>()).prop_map(|(cid, priority, want, send_dont_have)| Entry {
            cid,
            priority,
            want,
            send_dont_have,
        })
    }

    fn any_block() -> impl Strategy<Value = (Cid, Bytes)> {
        (prop::collection::vec(any::<u8>(), 0..300), prop_oneof![Just(cid::RAW), Just(cid::DAG_PB)])
            .prop_map(|(bytes, codec)| (cid::of(codec, &bytes), Bytes::from(bytes)))
    }

    fn any_message() -> impl Strategy<Value = Message> {
        let presence = (any_cid(), prop_oneof![Just(Presence::Have), Just(Presence::DontHave)]);
        (
            prop::collection::vec(any_entry(), 0..20),
            any::<bool>(),
            prop::collection::vec(any_block(), 0..5),
            prop::collection::vec(presence, 0..20),
        )
            .prop_map(|(wants, full, blocks, presences)| Message { wants, full, blocks, presences })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(message in any_message()) {
            prop_assert_eq!(decode(body(&encode(&message))).expect("our own message"), message);
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
            let _ = decode(&bytes);
        }

        #[test]
        fn a_damaged_message_never_panics(message in any_message(), at in any::<prop::sample::Index>(), with in any::<u8>()) {
            let mut frame = encode(&message);
            let at = at.index(frame.len());
            frame[at] ^= with;
            let _ = decode(&frame);
        }
    }
}
