//! RecordsWrite; and authorizations that may hold one, a grant, as a grant may be signed with a grant.

use super::{
    jwk::public_jwk,
    signatures::JWS,
    values::{BASE64URL, DID, TIME},
};
use crate::dwn::schema::{ObjectSchema, Others, Shape, Wrong, step};
use serde_json::{Map, Value};

pub(super) const RECORDS: Shape = Shape::Choice(&["Records"]);
const CONTEXT_ID: Shape = Shape::Match(is_context_id, "^[a-zA-Z0-9]+(/[a-zA-Z0-9]+)*$");
const PROTOCOL_PATH: Shape = Shape::Match(is_protocol_path, "^[a-zA-Z]+(/[a-zA-Z]+)*$");

pub(super) static SIGNED_OR_DELEGATED: ObjectSchema =
    ObjectSchema::closed(&[], &[("signature", Shape::Object(&JWS)), ("authorDelegatedGrant", GRANT_SHAPE)]);

static SIGNED_OR_OWNED: ObjectSchema = ObjectSchema {
    between: Some(owner_needs_signature),
    ..ObjectSchema::closed(
        &[],
        &[
            ("signature", Shape::Object(&JWS)),
            ("authorDelegatedGrant", GRANT_SHAPE),
            ("ownerSignature", Shape::Object(&JWS)),
            ("ownerDelegatedGrant", GRANT_SHAPE),
        ],
    )
};

fn owner_needs_signature(map: &Map<String, Value>, path: &str) -> Result<(), Wrong> {
    if map.contains_key("ownerSignature") && !map.contains_key("signature") {
        return Err(Wrong::at(path, "must have property signature when property ownerSignature is present"));
    }
    Ok(())
}

/// A grant is a RecordsWrite and may be signed with a grant: only code may go round in a circle.
const GRANT_SHAPE: Shape = Shape::Code(|value, path| Shape::Object(&GRANT).check(value, path));

/// A RecordsWrite as it travels inside another message, with its data.
static GRANT: ObjectSchema = ObjectSchema {
    required: &["descriptor", "recordId", "authorization", "encodedData"],
    members: &[
        ("recordId", Shape::Text),
        ("contextId", CONTEXT_ID),
        ("attestation", Shape::Object(&JWS)),
        ("authorization", Shape::Object(&SIGNED_OR_OWNED)),
        ("encryption", Shape::Object(&ENCRYPTION)),
        ("descriptor", Shape::Object(&WRITE_DESCRIPTOR)),
        ("encodedData", Shape::Text),
    ],
    ..RECORDS_WRITE_OBJECT
};

pub(in crate::dwn) static RECORDS_WRITE: Shape = Shape::Code(|value, path| {
    // AJV follows the reference to the common shape before it asks for these two.
    Shape::Object(&RECORDS_WRITE_COMMON).check(value, path)?;
    Shape::Object(&RECORDS_WRITE_OWN).check(value, path)
});

static RECORDS_WRITE_COMMON: ObjectSchema = ObjectSchema { others: Others::Allowed, ..RECORDS_WRITE_OBJECT };
static RECORDS_WRITE_OWN: ObjectSchema = ObjectSchema {
    rule: None,
    required: &["recordId", "authorization"],
    members: &[
        ("recordId", Shape::Any),
        ("contextId", Shape::Any),
        ("attestation", Shape::Any),
        ("authorization", Shape::Any),
        ("encryption", Shape::Any),
        ("descriptor", Shape::Any),
    ],
    ..RECORDS_WRITE_OBJECT
};

const RECORDS_WRITE_OBJECT: ObjectSchema = ObjectSchema {
    rule: Some(protocol_goes_with_context),
    min: 0,
    max: usize::MAX,
    required: &["descriptor"],
    members: &[
        ("recordId", Shape::Text),
        ("contextId", CONTEXT_ID),
        ("attestation", Shape::Object(&JWS)),
        ("authorization", Shape::Object(&SIGNED_OR_OWNED)),
        ("encryption", Shape::Object(&ENCRYPTION)),
        ("descriptor", Shape::Object(&WRITE_DESCRIPTOR)),
    ],
    others: Others::Unevaluated,
    between: None,
};

/// `protocol`, `protocolPath` and `contextId`: all or none.
fn protocol_goes_with_context(map: &Map<String, Value>, path: &str) -> Result<(), Wrong> {
    let descriptor = |name| map.get("descriptor").is_some_and(|descriptor| descriptor.get(name).is_some());
    match (map.contains_key("contextId"), descriptor("protocol"), descriptor("protocolPath")) {
        (true, true, true) | (false, false, false) => Ok(()),
        (false, _, _) => Err(Wrong::missing(path, "contextId")),
        (_, false, _) => Err(Wrong::missing(&step(path, "descriptor"), "protocol")),
        (_, _, false) => Err(Wrong::missing(&step(path, "descriptor"), "protocolPath")),
    }
}

static WRITE_DESCRIPTOR: ObjectSchema = ObjectSchema {
    rule: Some(published_goes_with_its_date),
    between: Some(parent_needs_protocol),
    ..ObjectSchema::closed(
        &["interface", "method", "dataCid", "dataSize", "dateCreated", "messageTimestamp", "dataFormat"],
        &[
            ("interface", RECORDS),
            ("method", Shape::Choice(&["Write"])),
            ("recipient", DID),
            ("protocol", Shape::Text),
            ("protocolPath", PROTOCOL_PATH),
            ("schema", Shape::Text),
            ("tags", Shape::Object(&TAGS)),
            ("parentId", Shape::Text),
            ("dataCid", Shape::Text),
            ("dataSize", Shape::Number),
            ("dateCreated", TIME),
            ("messageTimestamp", TIME),
            ("published", Shape::Flag),
            ("datePublished", TIME),
            ("dataFormat", Shape::Text),
        ],
    )
};

fn published_goes_with_its_date(map: &Map<String, Value>, path: &str) -> Result<(), Wrong> {
    let dated = map.contains_key("datePublished");
    match map.get("published") {
        None if dated => Err(Wrong::missing(path, "published")),
        None => Ok(()),
        Some(Value::Bool(true)) if !dated => Err(Wrong::missing(path, "datePublished")),
        Some(Value::Bool(false)) if dated => Err(Wrong::not_allowed_value(&step(path, "published"))),
        Some(Value::Bool(_)) => Ok(()),
        Some(_) if !dated => Err(Wrong::missing(path, "datePublished")),
        Some(_) => Err(Wrong::at(&step(path, "published"), "must be boolean")),
    }
}

fn parent_needs_protocol(map: &Map<String, Value>, path: &str) -> Result<(), Wrong> {
    if map.contains_key("parentId") && !map.contains_key("protocol") {
        return Err(Wrong::at(path, "must have property protocol when property parentId is present"));
    }
    Ok(())
}

static TAGS: ObjectSchema =
    ObjectSchema { min: 1, max: 10, others: Others::Are(&TAG), ..ObjectSchema::closed(&[], &[]) };
static TAG: Shape = Shape::OneOf(&[
    Shape::Text,
    Shape::Number,
    Shape::Flag,
    Shape::List { min: 1, max: 10, each: &Shape::Text },
    Shape::List { min: 1, max: 10, each: &Shape::Number },
]);

static ENCRYPTION: ObjectSchema = ObjectSchema::closed(
    &["algorithm", "initializationVector", "keyEncryption"],
    &[
        ("algorithm", Shape::Choice(&["A256CTR"])),
        ("initializationVector", BASE64URL),
        ("keyEncryption", Shape::List { min: 1, max: usize::MAX, each: &Shape::Object(&KEY_ENCRYPTION) }),
    ],
);

static KEY_ENCRYPTION: ObjectSchema = ObjectSchema::closed(
    &[
        "rootKeyId",
        "derivationScheme",
        "algorithm",
        "encryptedKey",
        "initializationVector",
        "ephemeralPublicKey",
        "messageAuthenticationCode",
    ],
    &[
        ("rootKeyId", Shape::Text),
        ("derivationScheme", Shape::Choice(&["dataFormats", "protocolContext", "protocolPath", "schemas"])),
        ("derivedPublicKey", Shape::Code(public_jwk)),
        ("algorithm", Shape::Choice(&["ECIES-ES256K"])),
        ("encryptedKey", BASE64URL),
        ("initializationVector", BASE64URL),
        ("ephemeralPublicKey", Shape::Code(public_jwk)),
        ("messageAuthenticationCode", BASE64URL),
    ],
);

fn is_context_id(text: &str) -> bool {
    text.split('/').all(|segment| !segment.is_empty() && segment.bytes().all(|b| b.is_ascii_alphanumeric()))
}

fn is_protocol_path(text: &str) -> bool {
    text.split('/').all(|segment| !segment.is_empty() && segment.bytes().all(|b| b.is_ascii_alphabetic()))
}
