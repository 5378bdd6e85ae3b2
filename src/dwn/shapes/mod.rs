//! The shapes of the messages of dialect 0.5.2, and of what their signatures sign.

mod jwk;
mod messages;
mod permissions;
mod protocols;
mod records;
mod write;

use super::schema::{Object, Others, Shape, Wrong, step};
use crate::did::is_did_or_url;
use serde_json::{Map, Value};

pub(super) use messages::{MESSAGES_QUERY, MESSAGES_READ, MESSAGES_SUBSCRIBE};
pub(super) use permissions::{PERMISSION_GRANT, PERMISSION_REQUEST, PERMISSION_REVOCATION};
pub(super) use protocols::{PROTOCOLS_CONFIGURE, PROTOCOLS_QUERY};
pub(super) use records::{RECORDS_DELETE, RECORDS_QUERY, RECORDS_READ, RECORDS_SUBSCRIBE};
pub(super) use write::RECORDS_WRITE;

type Members = Map<String, Value>;

const DID_PATTERN: &str = r"^did:([a-z0-9]+):((?:(?:[a-zA-Z0-9._-]|(?:%[0-9a-fA-F]{2}))*:)*((?:[a-zA-Z0-9._-]|(?:%[0-9a-fA-F]{2}))+))((;[a-zA-Z0-9_.:%-]+=[a-zA-Z0-9_.:%-]*)*)(/[^#?]*)?([?][^#]*)?(#.*)?$";
const DID: Shape = Shape::Match(is_did_or_url, DID_PATTERN);
const BASE64URL: Shape = Shape::Match(is_base64url, "^[A-Za-z0-9_-]+$");
const TIME: Shape = Shape::Match(is_time, r"^\d{4}-[0-1]\d-[0-3]\dT(?:[0-2]\d:[0-5]\d:[0-5]\d|23:59:60)\.\d{6}Z$");

static JWS: Object = Object::closed(
    &[],
    &[
        ("payload", BASE64URL),
        ("signatures", Shape::List { min: 1, max: usize::MAX, each: &Shape::Object(&JWS_SIGNATURE) }),
    ],
);

static JWS_SIGNATURE: Object =
    Object { others: Others::Allowed, ..Object::closed(&[], &[("protected", BASE64URL), ("signature", BASE64URL)]) };

static SIGNED: Object = Object::closed(&[], &[("signature", Shape::Object(&JWS))]);

static SIGNED_OR_DELEGATED: Object =
    Object::closed(&[], &[("signature", Shape::Object(&JWS)), ("authorDelegatedGrant", GRANT_SHAPE)]);

static SIGNED_OR_OWNED: Object = Object {
    between: Some(owner_needs_signature),
    ..Object::closed(
        &[],
        &[
            ("signature", Shape::Object(&JWS)),
            ("authorDelegatedGrant", GRANT_SHAPE),
            ("ownerSignature", Shape::Object(&JWS)),
            ("ownerDelegatedGrant", GRANT_SHAPE),
        ],
    )
};

fn owner_needs_signature(map: &Members, path: &str) -> Result<(), Wrong> {
    if map.contains_key("ownerSignature") && !map.contains_key("signature") {
        return Err(Wrong::at(path, "must have property signature when property ownerSignature is present"));
    }
    Ok(())
}

/// A grant is a RecordsWrite and may be signed with a grant: only code may go round in a circle.
const GRANT_SHAPE: Shape = Shape::Code(|value, path| Shape::Object(&write::GRANT).check(value, path));

static CURSOR: Object = Object {
    min: 1,
    ..Object::closed(&["messageCid", "value"], &[("messageCid", Shape::Text), ("value", Shape::TextOrNumber)])
};

static TIMES: Object = Object { min: 1, ..Object::closed(&[], &[("from", TIME), ("to", TIME)]) };

/// What the signature of any message but a RecordsWrite signs.
pub(in crate::dwn) static PAYLOAD: Shape = Shape::Object(&Object::closed(
    &["descriptorCid"],
    &[
        ("descriptorCid", Shape::Text),
        ("delegatedGrantId", Shape::Text),
        ("permissionGrantId", Shape::Text),
        ("protocolRole", Shape::Text),
    ],
));

pub(in crate::dwn) static RECORDS_WRITE_PAYLOAD: Shape = Shape::Object(&Object::closed(
    &["descriptorCid", "recordId"],
    &[
        ("descriptorCid", Shape::Text),
        ("recordId", Shape::Text),
        ("contextId", Shape::Text),
        ("attestationCid", Shape::Text),
        ("encryptionCid", Shape::Text),
        ("delegatedGrantId", Shape::Text),
        ("permissionGrantId", Shape::Text),
        ("protocolRole", Shape::Text),
    ],
));

fn is_base64url(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

/// `YYYY-MM-DDTHH:MM:SS.ffffffZ`; whether the day exists is asked elsewhere (`text::check_time`).
fn is_time(text: &str) -> bool {
    let shape = b"dddd-1d-3dTtttttttt.ddddddZ";
    let bytes = text.as_bytes();
    bytes.len() == shape.len()
        && bytes.iter().zip(shape).all(|(byte, shape)| match shape {
            b'd' => byte.is_ascii_digit(),
            b'1' => matches!(byte, b'0'..=b'1'),
            b'3' => matches!(byte, b'0'..=b'3'),
            b't' => true,
            other => byte == other,
        })
        && is_clock(&bytes[11..19])
}

fn is_clock(clock: &[u8]) -> bool {
    let [h1, h2, b':', m1, m2, b':', s1, s2] = clock else { return false };
    clock == b"23:59:60"
        || matches!(h1, b'0'..=b'2')
            && [h2, m2, s2].iter().all(|b| b.is_ascii_digit())
            && [m1, s1].iter().all(|b| matches!(b, b'0'..=b'5'))
}
