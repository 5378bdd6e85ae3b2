//! The key spaces of the index and the encodings that keep order.
//!
//! One tree; the first byte of a key is its space. Integers are big-endian, so that they sort. `T` is a
//! tenant's interned number. `docs/formats.md` has the table.

use super::families::{Family, Order};
use crate::{
    cid::{self, Cid, Digest},
    dwn::IndexValue,
    store::{lsm::Policy, place::Position},
    sums::Prefix,
};
use std::borrow::Cow;

/// Facts about the index itself.
pub const META: u8 = 0x00;
/// T‖position → values of a latest state.
const ROW: u8 = 0x01;
/// T‖message digest → what is kept of a message.
const MESSAGE: u8 = 0x02;
/// T‖position → an event.
const EVENT: u8 = 0x03;
/// T‖recordId → a record.
const RECORD: u8 = 0x04;
/// T‖URI → position of the newest configuration.
const PROTOCOL: u8 = 0x05;
/// T‖parentId‖recordId → nothing.
const CHILD: u8 = 0x06;
/// T‖scope‖bucket → sum of the messages whose digests begin so.
const BUCKET: u8 = 0x07;
/// T‖family‖sort‖value‖sort value‖tie‖position → flags: latest states by a property, in an order.
const BY: u8 = 0x10;
/// string → number.
const NAME: u8 = 0x30;
/// number → string, of tenants.
const TENANT: u8 = 0x31;
/// Digest of a block, then one of [`PLACE`], [`ROOT`], [`REFERENCE`]. What is known of one digest stands together:
/// digests come in no order, so each place in the index that a record touches costs a leaf.
const BLOCK: u8 = 0x50;
/// Block digest → place.
const PLACE: u8 = 0;
/// Block digest‖root digest → nothing.
const ROOT: u8 = 1;
/// Root digest‖how it is held‖T‖recordId → nothing.
const REFERENCE: u8 = 2;
/// Number of a pack → bytes of the blocks that lie in it.
const PACK: u8 = 0x53;
/// T → bytes of data that the tenant's records hold.
const USAGE: u8 = 0x54;
/// T‖scope → sum of its messages, and its URI.
const TOTAL: u8 = 0x55;
/// Other modules' state.
const STATE: u8 = 0x60;

/// What keys of state begin with that say that a message is removed; the tenant, a zero byte and the message's digest
/// follow.
const REMOVAL: &[u8] = b"store/wiped/";

/// Values longer than this are indexed by their beginning; whoever finds them compares the whole value.
const VALUE_MAX: usize = 1024;
/// Bytes of a tie-break.
const TIE: usize = 8;
/// Characters of a recordId, a segment of a contextId.
const ID_LENGTH: usize = 59;

/// How a record holds data. What its root's digest names may be both: data that is the very bytes of a node, and the
/// tree under that node. Who holds the one does not hold the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grip {
    /// The root is a node, and what is under it is the record's; else the root's bytes are the data.
    pub tree: bool,
    /// Anyone may have the data.
    pub public: bool,
}

impl Grip {
    /// In the order of [`Grip::number`].
    pub const EACH: [Self; 4] = [
        Self { tree: true, public: true },
        Self { tree: true, public: false },
        Self { tree: false, public: true },
        Self { tree: false, public: false },
    ];

    pub fn new(root: &Cid, public: bool) -> Self {
        Self { tree: root.codec() == cid::DAG_PB, public }
    }

    /// Stands in keys: those of trees before the others.
    pub fn number(self) -> u8 {
        u8::from(!self.tree) << 1 | u8::from(!self.public)
    }
}

/// How the index keeps its key spaces.
pub const POLICY: Policy = Policy {
    // Not STATE: followers keep some keys for each record.
    small: &[META, PROTOCOL, NAME, TENANT, PACK, USAGE, TOTAL],
    ranged: &[BY, CHILD],
    cached: &[ROW, MESSAGE, RECORD, PROTOCOL, NAME],
};

pub fn meta(name: &str) -> Vec<u8> {
    [&[META], name.as_bytes()].concat()
}

pub fn row(tenant: u32, position: Position) -> Vec<u8> {
    of_position(ROW, tenant, position)
}

pub fn event(tenant: u32, position: Position) -> Vec<u8> {
    of_position(EVENT, tenant, position)
}

/// Prefix of a tenant's events.
pub fn events_of(tenant: u32) -> Vec<u8> {
    of_tenant(EVENT, tenant, &[])
}

/// Prefix of a tenant's messages.
pub fn messages_of(tenant: u32) -> Vec<u8> {
    of_tenant(MESSAGE, tenant, &[])
}

pub fn message(tenant: u32, digest: &Digest) -> Vec<u8> {
    of_tenant(MESSAGE, tenant, digest)
}

/// Between which keys the tenant's messages are whose digests begin so.
pub fn messages_in(tenant: u32, of: Prefix) -> (Vec<u8>, Vec<u8>) {
    let end = of.end().map_or_else(|| after(messages_of(tenant)), |end| of_tenant(MESSAGE, tenant, &end));
    (of_tenant(MESSAGE, tenant, &of.first()), end)
}

/// Prefix of the totals of a tenant's scopes.
pub fn totals(tenant: u32) -> Vec<u8> {
    of_tenant(TOTAL, tenant, &[])
}

/// A scope is the interned number of its URI, or 0.
pub fn total(tenant: u32, scope: u32) -> Vec<u8> {
    of_tenant(TOTAL, tenant, &scope.to_be_bytes())
}

/// The bucket's number is two bytes.
pub fn bucket(tenant: u32, scope: u32, bucket: Prefix) -> Vec<u8> {
    [buckets(tenant, scope).as_slice(), &(bucket.value() as u16).to_be_bytes()].concat()
}

/// Prefix of the buckets of a scope.
pub fn buckets(tenant: u32, scope: u32) -> Vec<u8> {
    of_tenant(BUCKET, tenant, &scope.to_be_bytes())
}

pub fn record(tenant: u32, id: &str) -> Vec<u8> {
    of_tenant(RECORD, tenant, id.as_bytes())
}

pub fn protocol(tenant: u32, uri: &str) -> Vec<u8> {
    of_tenant(PROTOCOL, tenant, uri.as_bytes())
}

/// Prefix of the children of a record.
pub fn children(tenant: u32, parent: &str) -> Vec<u8> {
    let mut key = of_tenant(CHILD, tenant, &[]);
    text(&mut key, parent);
    key
}

pub fn child(tenant: u32, parent: &str, record: &str) -> Vec<u8> {
    [children(tenant, parent).as_slice(), record.as_bytes()].concat()
}

pub fn name(string: &str) -> Vec<u8> {
    [&[NAME], string.as_bytes()].concat()
}

pub fn tenant(number: u32) -> Vec<u8> {
    of_tenant(TENANT, number, &[])
}

/// Prefix of all tenants' names.
pub fn tenants() -> Vec<u8> {
    vec![TENANT]
}

/// Prefix of all messages, of all tenants.
pub fn messages() -> Vec<u8> {
    vec![MESSAGE]
}

pub fn block(digest: &Digest) -> Vec<u8> {
    of_block(digest, PLACE)
}

/// Prefix of all that is known of blocks.
pub fn blocks() -> Vec<u8> {
    vec![BLOCK]
}

/// Prefix of all packs.
pub fn packs() -> Vec<u8> {
    vec![PACK]
}

pub fn usage(tenant: u32) -> Vec<u8> {
    of_tenant(USAGE, tenant, &[])
}

pub fn pack(segment: u32) -> Vec<u8> {
    [&[PACK], segment.to_be_bytes().as_slice()].concat()
}

/// The block that a key below [`blocks`] says the place of, if it does.
pub fn placed(key: &[u8]) -> Option<Digest> {
    let (digest, rest) = key.get(1..)?.split_first_chunk()?;
    (rest == [PLACE]).then_some(*digest)
}

/// The root that a key below [`blocks`] is a published record's reference to, if it is one.
pub fn published(key: &[u8]) -> Option<Digest> {
    let (digest, rest) = key.get(1..)?.split_first_chunk()?;
    let public = |number: &u8| Grip::EACH.iter().any(|grip| grip.public && grip.number() == *number);
    (rest.first() == Some(&REFERENCE) && rest.get(1).is_some_and(public)).then_some(*digest)
}

/// Prefix of the roots that hold a block.
pub fn roots(block: &Digest) -> Vec<u8> {
    of_block(block, ROOT)
}

pub fn root(block: &Digest, root: &Digest) -> Vec<u8> {
    [of_block(block, ROOT).as_slice(), root].concat()
}

/// Prefix of the records that hold a root in this way.
pub fn references(root: &Digest, grip: Grip) -> Vec<u8> {
    let mut key = of_block(root, REFERENCE);
    key.push(grip.number());
    key
}

pub fn reference(root: &Digest, grip: Grip, tenant: u32, record: &str) -> Vec<u8> {
    [references(root, grip).as_slice(), &tenant.to_be_bytes(), record.as_bytes()].concat()
}

pub fn state(key: &[u8]) -> Vec<u8> {
    [&[STATE], key].concat()
}

/// A key of state that says that a message of a tenant is removed: the index takes it so instead of keeping it.
pub fn removal(tenant: &str, digest: &Digest) -> Vec<u8> {
    [REMOVAL, tenant.as_bytes(), &[0], digest].concat()
}

/// The message that a key of state says is removed.
pub fn removed(key: &[u8]) -> Option<(&str, &Digest)> {
    let (tenant, digest) = key.strip_prefix(REMOVAL)?.split_last_chunk::<32>()?;
    Some((std::str::from_utf8(tenant.strip_suffix(&[0])?).ok()?, digest))
}

/// Prefix of all entries of a family in an order.
pub fn by(tenant: u32, family: Family, order: Order) -> [u8; 7] {
    let [a, b, c, d] = tenant.to_be_bytes();
    [BY, a, b, c, d, family as u8, order as u8]
}

/// What follows the value in an index key: sort value, tie-break, position.
pub fn suffix(sort: &str, tie: &[u8], position: Position) -> Vec<u8> {
    let mut out = Vec::with_capacity(sort.len() + tie.len() + 12);
    text(&mut out, sort);
    out.extend_from_slice(tie);
    out.extend_from_slice(&position.to_be_bytes());
    out
}

fn of_block(digest: &Digest, what: u8) -> Vec<u8> {
    [&[BLOCK], digest.as_slice(), &[what]].concat()
}

fn of_tenant(space: u8, tenant: u32, rest: &[u8]) -> Vec<u8> {
    [&[space], tenant.to_be_bytes().as_slice(), rest].concat()
}

fn of_position(space: u8, tenant: u32, position: Position) -> Vec<u8> {
    of_tenant(space, tenant, &position.to_be_bytes())
}

/// Appends a string so that bytes order as JavaScript orders strings, and no string's bytes begin another's.
///
/// JavaScript compares UTF-16 code units. That is the order of UTF-8 bytes but for one thing: characters above
/// U+FFFF (lead bytes F0 to F4) come before U+E000 to U+FFFF (EE, EF). Moving those two lead bytes to FE and FF,
/// which UTF-8 does not use, gives the order at no cost in space.
pub fn text(out: &mut Vec<u8>, s: &str) {
    open_text(out, s);
    out.extend_from_slice(&[0, 0]);
}

/// [`text`] without its end: a prefix of the text of every string that begins with `s`.
pub fn open_text(out: &mut Vec<u8>, s: &str) {
    for byte in s.bytes() {
        match byte {
            0x00 => out.extend_from_slice(&[0x00, 0xFF]),
            0xEE => out.push(0xFE),
            0xEF => out.push(0xFF),
            other => out.push(other),
        }
    }
}

/// What [`text`] has written at the beginning, and what follows it.
pub fn read_text(bytes: &[u8]) -> Option<(Cow<'_, str>, &[u8])> {
    let plain = bytes.iter().position(|byte| matches!(byte, 0 | 0xFE..))?;
    let (head, rest) = bytes.split_at(plain);
    if let Some(rest) = rest.strip_prefix(&[0, 0]) {
        return Some((Cow::Borrowed(std::str::from_utf8(head).ok()?), rest));
    }
    let (mut out, mut rest) = (head.to_vec(), rest);
    loop {
        let (byte, after) = rest.split_first()?;
        rest = after;
        match byte {
            0 => match rest.split_first()? {
                (0, after) => return Some((Cow::Owned(String::from_utf8(out).ok()?), after)),
                (_, after) => {
                    out.push(0);
                    rest = after;
                }
            },
            0xFE => out.push(0xEE),
            0xFF => out.push(0xEF),
            other => out.push(*other),
        }
    }
}

/// The part of a long string that is indexed.
pub fn cut(s: &str) -> &str {
    s.get(..s.floor_char_boundary(VALUE_MAX)).unwrap_or(s)
}

/// Is a string this short indexed as it is, and no other string as this one?
pub fn is_whole(s: &str) -> bool {
    s.len() + 4 <= VALUE_MAX
}

/// Appends a value so that values of one type sort.
pub fn value(out: &mut Vec<u8>, value: &IndexValue) {
    match value {
        IndexValue::Bool(b) => out.extend_from_slice(&[1, u8::from(*b)]),
        IndexValue::Number(n) => {
            out.push(2);
            out.extend_from_slice(&ordered(*n).to_be_bytes());
        }
        IndexValue::String(s) => {
            out.push(3);
            text(out, cut(s));
        }
    }
}

/// A string as the value of an index key.
pub fn spelled(s: &str) -> Vec<u8> {
    let mut out = Vec::new();
    text(&mut out, cut(s));
    out
}

/// A tag and its value as the value of an index key.
pub fn tagged(property: &str, wanted: &IndexValue) -> Vec<u8> {
    let mut out = spelled(property);
    value(&mut out, wanted);
    out
}

/// A float's bits, so that unsigned order is numeric order. -0 is 0: JavaScript holds them equal.
fn ordered(n: f64) -> u64 {
    let bits = if n == 0.0 { 0 } else { n.to_bits() };
    if bits >> 63 == 1 { !bits } else { bits | 1 << 63 }
}

/// A message CID's place among the CIDs of one sort value: order of the CID *string*, as the SDK has it.
///
/// Only 58 bits of the place are kept, since every index entry of every record carries it. Two records of one
/// microsecond that agree in all of them stand in order of arrival; who searches for such a pair may find his own
/// two records paged over.
///
/// Base32's digits 2 to 7 stand for the values 26 to 31 but sort before the letters, so the order of the bytes
/// is not the order of the string. Each 5-bit group is renumbered by where its character sorts (digits 0 to 5,
/// letters 6 to 31) and the groups are packed again. `None`: not a base32 CID of the usual length; a message CID
/// always is one, a client's cursor may not be.
pub fn tie(cid: &str) -> Option<[u8; TIE]> {
    let place = place(cid)?;
    // The first three bytes say "CIDv1, DAG-CBOR, sha2-256", as in every message CID.
    place.get(3..3 + TIE)?.try_into().ok()
}

/// The whole place.
fn place(cid: &str) -> Option<[u8; 37]> {
    let digits = cid.strip_prefix('b')?.as_bytes();
    if digits.len() != ID_LENGTH - 1 {
        return None;
    }
    let mut out = [0; 37];
    let (mut buffer, mut bits, mut at) = (0_u32, 0, 0);
    for digit in digits {
        let rank = match digit {
            b'2'..=b'7' => digit - b'2',
            b'a'..=b'z' => digit - b'a' + 6,
            _ => return None,
        };
        buffer = buffer << 5 | u32::from(rank);
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            out[at] = (buffer >> bits) as u8;
            at += 1;
            buffer &= (1 << bits) - 1;
        }
    }
    out[at] = (buffer << (8 - bits)) as u8;
    Some(out)
}

/// The first key after all that begin with `prefix`. Prefixes begin with a space below 0xFF, so there is one.
pub fn after(mut prefix: Vec<u8>) -> Vec<u8> {
    while prefix.pop_if(|last| *last == 0xFF).is_some() {}
    if let Some(last) = prefix.last_mut() {
        *last += 1;
    }
    prefix
}

/// The prefixes of a contextId under which it is indexed: at the length of one id, of two with a slash, and so on,
/// and the whole. A filter asks for a plain string prefix; of these lengths its answers stand together, in order.
pub fn contexts(id: &str) -> Vec<&str> {
    let mut found: Vec<&str> =
        (0..).map(|n| ID_LENGTH + n * (ID_LENGTH + 1)).map_while(|end| id.get(..end)).take(32).collect();
    if found.last() != Some(&id) {
        found.push(id);
    }
    found
}

/// Is a prefix of this length one under which contextIds are indexed?
pub fn is_context(prefix: &str) -> bool {
    (prefix.len() + 1).is_multiple_of(ID_LENGTH + 1) && prefix.len() <= VALUE_MAX
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::{prelude::*, sample::select};

    fn js_order(a: &str, b: &str) -> std::cmp::Ordering {
        a.encode_utf16().cmp(b.encode_utf16())
    }

    #[test]
    fn keys_name_a_message_of_a_tenant() {
        let digest = [7; 32];
        assert_eq!(removed(&removal("did:x:y", &digest)), Some(("did:x:y", &digest)));
        for other in [&b"sync/peer"[..], b"store/wiped/", b"store/wiped/did:x:y"] {
            assert_eq!(removed(other), None);
        }
    }

    proptest! {
        #[test]
        fn text_sorts_as_javascript(a in any::<String>(), b in any::<String>()) {
            let encoded = |s: &str| { let mut out = Vec::new(); text(&mut out, s); out };
            prop_assert_eq!(encoded(&a).cmp(&encoded(&b)), js_order(&a, &b));
        }

        #[test]
        fn text_comes_back(s in any::<String>(), odd in "[\\x00a\u{e000}\u{ffff}\u{10000}]{0,5}", rest in any::<[u8; 3]>()) {
            for s in [s, odd] {
                let mut encoded = Vec::new();
                text(&mut encoded, &s);
                encoded.extend_from_slice(&rest);
                prop_assert_eq!(read_text(&encoded), Some((Cow::Borrowed(s.as_str()), rest.as_slice())));
            }
        }

        #[test]
        fn no_bytes_panic_as_text(bytes in proptest::collection::vec(select(vec![0, b'a', 0xC3, 0xFE, 0xFF]), 0..9)) {
            let _ = read_text(&bytes);
        }

        #[test]
        fn text_begins_as_its_string_begins(a in "[\\x00a\u{ffff}\u{10000}]{0,3}", b in "[\\x00a\u{ffff}\u{10000}]{0,4}") {
            let (mut whole, mut open) = (Vec::new(), Vec::new());
            text(&mut whole, &b);
            open_text(&mut open, &a);
            if b.starts_with(&a) { prop_assert!(whole.starts_with(&open)); }
        }

        #[test]
        fn numbers_sort(a in any::<f64>(), b in any::<f64>()) {
            prop_assume!(!a.is_nan() && !b.is_nan());
            prop_assert_eq!(Some(ordered(a).cmp(&ordered(b))), a.partial_cmp(&b));
        }

        #[test]
        fn ties_sort_as_cid_strings(a in any::<[u8; 4]>(), b in any::<[u8; 4]>()) {
            let (a, b) = (cid::of(cid::DAG_CBOR, &a).to_string(), cid::of(cid::DAG_CBOR, &b).to_string());
            prop_assert_eq!(tie(&a).cmp(&tie(&b)), a.cmp(&b));
        }
    }

    #[test]
    fn ties_of_what_is_no_cid() {
        assert_eq!(tie(""), None);
        assert_eq!(tie("QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG"), None);
    }

    #[test]
    fn small_ones_are_looked_for_where_they_may_be() {
        assert!(POLICY.is_small(&meta("applied")) && !POLICY.is_small(&events_of(1)));
        for (from, to, may) in [
            (events_of(1), after(events_of(1)), false),
            (blocks(), after(blocks()), false),
            (tenants(), after(tenants()), true),
            (state(b"a"), state(b"b"), false),
            (vec![], vec![0xFF; 9], true),
            (vec![EVENT], vec![PROTOCOL], false),
            (vec![EVENT], vec![PROTOCOL, 0], true),
        ] {
            assert_eq!(POLICY.may_be_small(&from, &to), may, "{from:?} to {to:?}");
        }
    }

    #[test]
    fn after_skips_full_bytes() {
        assert_eq!(after(vec![1, 0xFF, 0xFF]), vec![2]);
        assert_eq!(after(vec![1, 2]), vec![1, 3]);
    }

    #[test]
    fn a_context_is_indexed_by_each_ancestor() {
        let id = "x".repeat(ID_LENGTH);
        let child = format!("{id}/{id}");
        assert_eq!(contexts(&child), vec![id.as_str(), child.as_str()]);
        assert_eq!(contexts("short"), vec!["short"]);
        assert!(is_context(&child) && is_context(&id) && !is_context("short"));
    }
}
