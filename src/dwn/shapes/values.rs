//! Values that messages of several interfaces hold: DIDs, times, base64url, cursors.

use crate::{
    did::is_did_or_url,
    dwn::schema::{ObjectSchema, Shape},
};

const DID_PATTERN: &str = r"^did:([a-z0-9]+):((?:(?:[a-zA-Z0-9._-]|(?:%[0-9a-fA-F]{2}))*:)*((?:[a-zA-Z0-9._-]|(?:%[0-9a-fA-F]{2}))+))((;[a-zA-Z0-9_.:%-]+=[a-zA-Z0-9_.:%-]*)*)(/[^#?]*)?([?][^#]*)?(#.*)?$";
pub(super) const DID: Shape = Shape::Match(is_did_or_url, DID_PATTERN);
pub(super) const BASE64URL: Shape = Shape::Match(is_base64url, "^[A-Za-z0-9_-]+$");
pub(super) const TIME: Shape =
    Shape::Match(is_time, r"^\d{4}-[0-1]\d-[0-3]\dT(?:[0-2]\d:[0-5]\d:[0-5]\d|23:59:60)\.\d{6}Z$");

pub(super) static CURSOR: ObjectSchema = ObjectSchema {
    min: 1,
    ..ObjectSchema::closed(&["messageCid", "value"], &[("messageCid", Shape::Text), ("value", Shape::TextOrNumber)])
};

pub(super) static TIMES: ObjectSchema =
    ObjectSchema { min: 1, ..ObjectSchema::closed(&[], &[("from", TIME), ("to", TIME)]) };

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
