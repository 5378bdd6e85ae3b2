//! Signatures, and what they sign.

use super::values::BASE64URL;
use crate::dwn::schema::{ObjectSchema, Others, Shape};

pub(super) static JWS: ObjectSchema = ObjectSchema::closed(
    &[],
    &[
        ("payload", BASE64URL),
        ("signatures", Shape::List { min: 1, max: usize::MAX, each: &Shape::Object(&JWS_SIGNATURE) }),
    ],
);

static JWS_SIGNATURE: ObjectSchema = ObjectSchema {
    others: Others::Allowed,
    ..ObjectSchema::closed(&[], &[("protected", BASE64URL), ("signature", BASE64URL)])
};

pub(super) static SIGNED: ObjectSchema = ObjectSchema::closed(&[], &[("signature", Shape::Object(&JWS))]);

/// What the signature of any message but a RecordsWrite signs.
pub(in crate::dwn) static PAYLOAD: Shape = Shape::Object(&ObjectSchema::closed(
    &["descriptorCid"],
    &[
        ("descriptorCid", Shape::Text),
        ("delegatedGrantId", Shape::Text),
        ("permissionGrantId", Shape::Text),
        ("protocolRole", Shape::Text),
    ],
));

pub(in crate::dwn) static RECORDS_WRITE_PAYLOAD: Shape = Shape::Object(&ObjectSchema::closed(
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
