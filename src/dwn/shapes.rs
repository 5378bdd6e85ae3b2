//! The shapes of the messages of dialect 0.5.2, and of what their signatures sign.

use super::schema::{Object, Others, Shape, Wrong, step};
use crate::did::is_did_or_url;
use serde_json::{Map, Value};

type Members = Map<String, Value>;

const DID_PATTERN: &str = r"^did:([a-z0-9]+):((?:(?:[a-zA-Z0-9._-]|(?:%[0-9a-fA-F]{2}))*:)*((?:[a-zA-Z0-9._-]|(?:%[0-9a-fA-F]{2}))+))((;[a-zA-Z0-9_.:%-]+=[a-zA-Z0-9_.:%-]*)*)(/[^#?]*)?([?][^#]*)?(#.*)?$";
const DID: Shape = Shape::Match(is_did_or_url, DID_PATTERN);
const BASE64URL: Shape = Shape::Match(is_base64url, "^[A-Za-z0-9_-]+$");
const TIME: Shape = Shape::Match(is_time, r"^\d{4}-[0-1]\d-[0-3]\dT(?:[0-2]\d:[0-5]\d:[0-5]\d|23:59:60)\.\d{6}Z$");
const CONTEXT_ID: Shape = Shape::Match(is_context_id, "^[a-zA-Z0-9]+(/[a-zA-Z0-9]+)*$");
const PROTOCOL_PATH: Shape = Shape::Match(is_protocol_path, "^[a-zA-Z]+(/[a-zA-Z]+)*$");

const RECORDS: Shape = Shape::Choice(&["Records"]);
const PROTOCOLS: Shape = Shape::Choice(&["Protocols"]);
const MESSAGES: Shape = Shape::Choice(&["Messages"]);

static JWS: Object = Object {
    rule: None,
    min: 0,
    max: usize::MAX,
    required: &[],
    members: &[
        ("payload", BASE64URL),
        ("signatures", Shape::List { min: 1, max: usize::MAX, each: &Shape::Object(&JWS_SIGNATURE) }),
    ],
    others: Others::Refused,
    between: None,
};

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
const GRANT_SHAPE: Shape = Shape::Code(|value, path| Shape::Object(&GRANT).check(value, path));

/// A RecordsWrite as it travels inside another message, with its data.
static GRANT: Object = Object {
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

pub(super) static RECORDS_WRITE: Shape = Shape::Code(|value, path| {
    // AJV follows the reference to the common shape before it asks for these two.
    Shape::Object(&RECORDS_WRITE_COMMON).check(value, path)?;
    Shape::Object(&RECORDS_WRITE_OWN).check(value, path)
});

static RECORDS_WRITE_COMMON: Object = Object { others: Others::Allowed, ..RECORDS_WRITE_OBJECT };
static RECORDS_WRITE_OWN: Object = Object {
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

const RECORDS_WRITE_OBJECT: Object = Object {
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
fn protocol_goes_with_context(map: &Members, path: &str) -> Result<(), Wrong> {
    let descriptor = |name| map.get("descriptor").is_some_and(|descriptor| descriptor.get(name).is_some());
    match (map.contains_key("contextId"), descriptor("protocol"), descriptor("protocolPath")) {
        (true, true, true) | (false, false, false) => Ok(()),
        (false, _, _) => Err(Wrong::missing(path, "contextId")),
        (_, false, _) => Err(Wrong::missing(&step(path, "descriptor"), "protocol")),
        (_, _, false) => Err(Wrong::missing(&step(path, "descriptor"), "protocolPath")),
    }
}

static WRITE_DESCRIPTOR: Object = Object {
    rule: Some(published_goes_with_its_date),
    between: Some(parent_needs_protocol),
    ..Object::closed(
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

fn published_goes_with_its_date(map: &Members, path: &str) -> Result<(), Wrong> {
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

fn parent_needs_protocol(map: &Members, path: &str) -> Result<(), Wrong> {
    if map.contains_key("parentId") && !map.contains_key("protocol") {
        return Err(Wrong::at(path, "must have property protocol when property parentId is present"));
    }
    Ok(())
}

static TAGS: Object = Object { min: 1, max: 10, others: Others::Are(&TAG), ..Object::closed(&[], &[]) };
static TAG: Shape = Shape::OneOf(&[
    Shape::Text,
    Shape::Number,
    Shape::Flag,
    Shape::List { min: 1, max: 10, each: &Shape::Text },
    Shape::List { min: 1, max: 10, each: &Shape::Number },
]);

static ENCRYPTION: Object = Object::closed(
    &["algorithm", "initializationVector", "keyEncryption"],
    &[
        ("algorithm", Shape::Choice(&["A256CTR"])),
        ("initializationVector", BASE64URL),
        ("keyEncryption", Shape::List { min: 1, max: usize::MAX, each: &Shape::Object(&KEY_ENCRYPTION) }),
    ],
);

static KEY_ENCRYPTION: Object = Object::closed(
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

fn public_jwk(value: &Value, path: &str) -> Result<(), Wrong> {
    // To AJV what is no object is of all kinds at once.
    let map = value.as_object().ok_or_else(|| Wrong::at(path, "must match exactly one schema in oneOf"))?;
    JWK_KINDS.check(value, path)?;
    Shape::Object(&JWK).check(value, path)?;
    let private: &[&str] = match map.get("kty").and_then(Value::as_str) {
        Some("EC" | "OKP") => &["d"],
        Some("RSA") => &["d", "p", "q", "dp", "dq", "qi", "oth"],
        _ => &[],
    };
    let is_private = private.iter().any(|name| map.contains_key(*name));
    if is_private { Err(Wrong::at(path, "must NOT be valid")) } else { Ok(()) }
}

static JWK_KINDS: Shape = Shape::OneOf(&[
    Shape::Object(&Object {
        others: Others::Allowed,
        ..Object::closed(
            &["crv", "x"],
            &[
                ("kty", Shape::Constant("EC")),
                ("crv", Shape::Text),
                ("x", Shape::Text),
                ("y", Shape::Text),
                ("d", Shape::Text),
            ],
        )
    }),
    Shape::Object(&Object {
        others: Others::Allowed,
        ..Object::closed(
            &["crv", "x"],
            &[("kty", Shape::Constant("OKP")), ("crv", Shape::Text), ("x", Shape::Text), ("d", Shape::Text)],
        )
    }),
    Shape::Object(&Object {
        others: Others::Allowed,
        ..Object::closed(&["n", "e"], &[("kty", Shape::Constant("RSA")), ("n", Shape::Text), ("e", Shape::Text)])
    }),
    Shape::Object(&Object {
        others: Others::Allowed,
        ..Object::closed(&["k"], &[("kty", Shape::Constant("oct")), ("k", Shape::Text)])
    }),
]);

static JWK: Object = Object {
    others: Others::Allowed,
    ..Object::closed(
        &["kty"],
        &[
            ("alg", Shape::Text),
            ("kid", Shape::Text),
            ("kty", Shape::Any),
            ("crv", Shape::Text),
            ("use", Shape::Text),
            ("key_ops", Shape::Text),
            ("x5u", Shape::Text),
            ("x5c", Shape::Text),
            ("x5t", Shape::Text),
            ("x5t#S256", Shape::Text),
        ],
    )
};

pub(super) static RECORDS_DELETE: Shape = Shape::Object(&Object::closed(
    &["authorization", "descriptor"],
    &[
        ("authorization", Shape::Object(&SIGNED_OR_DELEGATED)),
        (
            "descriptor",
            Shape::Object(&Object::closed(
                &["interface", "method", "messageTimestamp", "recordId", "prune"],
                &[
                    ("interface", RECORDS),
                    ("method", Shape::Choice(&["Delete"])),
                    ("messageTimestamp", TIME),
                    ("recordId", Shape::Text),
                    ("prune", Shape::Flag),
                ],
            )),
        ),
    ],
));

pub(super) static RECORDS_READ: Shape = Shape::Object(&Object::closed(
    &["descriptor"],
    &[
        ("authorization", Shape::Object(&SIGNED_OR_DELEGATED)),
        (
            "descriptor",
            Shape::Object(&Object::closed(
                &["interface", "method", "messageTimestamp", "filter"],
                &[
                    ("interface", RECORDS),
                    ("method", Shape::Choice(&["Read"])),
                    ("messageTimestamp", TIME),
                    ("filter", Shape::Object(&RECORDS_FILTER)),
                ],
            )),
        ),
    ],
));

pub(super) static RECORDS_QUERY: Shape = Shape::Object(&Object::closed(
    &["descriptor"],
    &[
        ("authorization", Shape::Object(&SIGNED_OR_DELEGATED)),
        (
            "descriptor",
            Shape::Object(&Object::closed(
                &["interface", "method", "messageTimestamp", "filter"],
                &[
                    ("interface", RECORDS),
                    ("method", Shape::Choice(&["Query"])),
                    ("messageTimestamp", TIME),
                    ("filter", Shape::Object(&RECORDS_FILTER)),
                    (
                        "pagination",
                        Shape::Object(&Object::closed(
                            &[],
                            &[("limit", Shape::NumberFrom(1.0)), ("cursor", Shape::Object(&CURSOR))],
                        )),
                    ),
                    (
                        "dateSort",
                        Shape::Choice(&[
                            "createdAscending",
                            "createdDescending",
                            "publishedAscending",
                            "publishedDescending",
                        ]),
                    ),
                ],
            )),
        ),
    ],
));

static CURSOR: Object = Object {
    min: 1,
    ..Object::closed(&["messageCid", "value"], &[("messageCid", Shape::Text), ("value", Shape::TextOrNumber)])
};

static RECORDS_FILTER: Object = Object {
    min: 1,
    between: Some(publication_date_means_published),
    ..Object::closed(
        &[],
        &[
            ("protocol", Shape::Text),
            ("protocolPath", Shape::Text),
            ("author", DIDS),
            ("attester", DID),
            ("recipient", DIDS),
            ("contextId", Shape::Text),
            ("schema", Shape::Text),
            ("tags", Shape::Object(&TAG_FILTERS)),
            ("recordId", Shape::Text),
            ("parentId", Shape::Text),
            ("published", Shape::Flag),
            ("dataFormat", Shape::Text),
            ("dataSize", Shape::Object(&NUMBER_RANGE)),
            ("dataCid", Shape::Text),
            ("dateCreated", Shape::Object(&TIMES)),
            ("datePublished", Shape::Object(&TIMES)),
            ("dateUpdated", Shape::Object(&TIMES)),
        ],
    )
};

const DIDS: Shape = Shape::OneOf(&[DID, Shape::List { min: 0, max: usize::MAX, each: &DID }]);
static TIMES: Object = Object { min: 1, ..Object::closed(&[], &[("from", TIME), ("to", TIME)]) };
static TAG_FILTERS: Object = Object { min: 1, others: Others::Are(&TAG_FILTER), ..Object::closed(&[], &[]) };
static TAG_FILTER: Shape = Shape::OneOf(&[
    Shape::Text,
    Shape::Number,
    Shape::Flag,
    Shape::Object(&Object { min: 1, ..Object::closed(&[], &[("startsWith", Shape::Text)]) }),
    Shape::Object(&TEXT_RANGE),
    Shape::Object(&NUMBER_RANGE),
]);
static TEXT_RANGE: Object = Object {
    min: 1,
    between: Some(one_bound_per_side),
    ..Object::closed(&[], &[("gt", Shape::Text), ("gte", Shape::Text), ("lt", Shape::Text), ("lte", Shape::Text)])
};
static NUMBER_RANGE: Object = Object {
    min: 1,
    between: Some(one_bound_per_side),
    ..Object::closed(
        &[],
        &[("gt", Shape::Number), ("gte", Shape::Number), ("lt", Shape::Number), ("lte", Shape::Number)],
    )
};

fn one_bound_per_side(map: &Members, path: &str) -> Result<(), Wrong> {
    let both = |a, b| map.contains_key(a) && map.contains_key(b);
    if both("gt", "gte") || both("lt", "lte") { Err(Wrong::at(path, "must NOT be valid")) } else { Ok(()) }
}

fn publication_date_means_published(map: &Members, path: &str) -> Result<(), Wrong> {
    match map.get("published") {
        Some(published) if map.contains_key("datePublished") && *published != Value::Bool(true) => {
            Err(Wrong::not_allowed_value(&step(path, "published")))
        }
        _ => Ok(()),
    }
}

pub(super) static PROTOCOLS_QUERY: Shape = Shape::Object(&Object::closed(
    &["descriptor"],
    &[
        ("authorization", Shape::Object(&SIGNED)),
        (
            "descriptor",
            Shape::Object(&Object::closed(
                &["interface", "method", "messageTimestamp"],
                &[
                    ("interface", PROTOCOLS),
                    ("method", Shape::Choice(&["Query"])),
                    ("messageTimestamp", TIME),
                    (
                        "filter",
                        Shape::Object(&Object {
                            min: 1,
                            ..Object::closed(&[], &[("protocol", Shape::Text), ("recipient", DID)])
                        }),
                    ),
                ],
            )),
        ),
    ],
));

pub(super) static MESSAGES_QUERY: Shape = Shape::Object(&Object::closed(
    &["authorization", "descriptor"],
    &[
        ("authorization", Shape::Object(&SIGNED)),
        (
            "descriptor",
            Shape::Object(&Object::closed(
                &["interface", "method", "messageTimestamp", "filters"],
                &[
                    ("interface", MESSAGES),
                    ("method", Shape::Choice(&["Query"])),
                    ("messageTimestamp", TIME),
                    ("filters", Shape::List { min: 0, max: usize::MAX, each: &Shape::Object(&MESSAGES_FILTER) }),
                    ("cursor", Shape::Object(&CURSOR)),
                ],
            )),
        ),
    ],
));

static MESSAGES_FILTER: Object = Object {
    min: 1,
    ..Object::closed(
        &[],
        &[
            ("interface", Shape::Choice(&["Protocols", "Records"])),
            ("method", Shape::Choice(&["Configure", "Delete", "Write"])),
            ("protocol", Shape::Text),
            ("messageTimestamp", Shape::Object(&TIMES)),
        ],
    )
};

pub(super) static MESSAGES_READ: Shape = Shape::Object(&Object::closed(
    &["authorization", "descriptor"],
    &[
        ("authorization", Shape::Object(&SIGNED)),
        (
            "descriptor",
            Shape::Object(&Object::closed(
                &["interface", "method", "messageTimestamp"],
                &[
                    ("interface", MESSAGES),
                    ("method", Shape::Choice(&["Read"])),
                    ("messageTimestamp", TIME),
                    ("messageCid", Shape::Text),
                ],
            )),
        ),
    ],
));

pub(super) static PROTOCOLS_CONFIGURE: Shape = Shape::Object(&Object::closed(
    &["authorization", "descriptor"],
    &[
        ("authorization", Shape::Object(&SIGNED_OR_DELEGATED)),
        (
            "descriptor",
            Shape::Object(&Object::closed(
                &["interface", "method", "messageTimestamp", "definition"],
                &[
                    ("interface", PROTOCOLS),
                    ("method", Shape::Choice(&["Configure"])),
                    ("messageTimestamp", TIME),
                    ("definition", Shape::Object(&DEFINITION)),
                ],
            )),
        ),
    ],
));

static DEFINITION: Object = Object::closed(
    &["protocol", "published", "types", "structure"],
    &[
        ("protocol", Shape::Text),
        ("published", Shape::Flag),
        ("types", Shape::Object(&Object { others: Others::Are(&TYPE), ..Object::closed(&[], &[]) })),
        (
            "structure",
            Shape::Object(&Object { others: Others::Are(&Shape::Object(&RULE_SET)), ..Object::closed(&[], &[]) }),
        ),
    ],
);

static TYPE: Shape = Shape::Object(&Object::closed(
    &[],
    &[("schema", Shape::Text), ("dataFormats", Shape::List { min: 1, max: usize::MAX, each: &Shape::Text })],
));

static RULE_SET: Object = Object {
    others: Others::Named(is_type_name, &Shape::Object(&RULE_SET)),
    ..Object::closed(
        &[],
        &[
            (
                "$encryption",
                Shape::Object(&Object::closed(
                    &["rootKeyId", "publicKeyJwk"],
                    &[("rootKeyId", Shape::Text), ("publicKeyJwk", Shape::Code(public_jwk))],
                )),
            ),
            ("$actions", Shape::List { min: 1, max: usize::MAX, each: &ACTION }),
            ("$role", Shape::Flag),
            (
                "$size",
                Shape::Object(&Object::closed(
                    &[],
                    &[("min", Shape::NumberFrom(0.0)), ("max", Shape::NumberFrom(0.0))],
                )),
            ),
            (
                "$tags",
                Shape::Object(&Object {
                    min: 1,
                    others: Others::Are(&Shape::Object(&TAG_RULE)),
                    ..Object::closed(
                        &[],
                        &[
                            ("$requiredTags", Shape::List { min: 0, max: usize::MAX, each: &Shape::Text }),
                            ("$allowUndefinedTags", Shape::Flag),
                        ],
                    )
                }),
            ),
        ],
    )
};

static ACTION: Shape = Shape::OneOf(&[
    Shape::Object(&Object::closed(
        &["who", "can"],
        &[
            ("who", Shape::Choice(&["anyone", "author", "recipient"])),
            ("of", Shape::Text),
            (
                "can",
                Shape::List {
                    min: 1,
                    max: usize::MAX,
                    each: &Shape::Choice(&[
                        "co-delete",
                        "co-prune",
                        "co-update",
                        "create",
                        "delete",
                        "prune",
                        "read",
                        "update",
                    ]),
                },
            ),
        ],
    )),
    Shape::Object(&Object {
        others: Others::Allowed,
        ..Object::closed(
            &["role", "can"],
            &[
                ("role", Shape::Text),
                (
                    "can",
                    Shape::List {
                        min: 1,
                        max: usize::MAX,
                        each: &Shape::Choice(&[
                            "co-delete",
                            "co-update",
                            "create",
                            "delete",
                            "query",
                            "subscribe",
                            "read",
                            "update",
                        ]),
                    },
                ),
            ],
        )
    }),
]);

static TAG_RULE: Object = Object {
    others: Others::Named(is_tag_keyword, &Shape::Any),
    ..Object::closed(
        &[],
        &[
            ("type", Shape::Code(|value, path| tag_type(value, path, true))),
            ("items", Shape::Object(&TAG_ITEM_RULE)),
            ("contains", Shape::Object(&TAG_ITEM_RULE)),
        ],
    )
};

static TAG_ITEM_RULE: Object = Object {
    others: Others::Allowed,
    ..Object::closed(&[], &[("type", Shape::Code(|value, path| tag_type(value, path, false)))])
};

fn tag_type(value: &Value, path: &str, outer: bool) -> Result<(), Wrong> {
    match value.as_str() {
        Some("string" | "number" | "integer") => Ok(()),
        Some("boolean" | "array") if outer => Ok(()),
        _ => Err(Wrong::not_allowed_value(path)),
    }
}

/// What the signature of any message but a RecordsWrite signs.
pub(super) static PAYLOAD: Shape = Shape::Object(&Object::closed(
    &["descriptorCid"],
    &[
        ("descriptorCid", Shape::Text),
        ("delegatedGrantId", Shape::Text),
        ("permissionGrantId", Shape::Text),
        ("protocolRole", Shape::Text),
    ],
));

pub(super) static RECORDS_WRITE_PAYLOAD: Shape = Shape::Object(&Object::closed(
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

fn is_context_id(text: &str) -> bool {
    text.split('/').all(|segment| !segment.is_empty() && segment.bytes().all(|b| b.is_ascii_alphanumeric()))
}

fn is_protocol_path(text: &str) -> bool {
    text.split('/').all(|segment| !segment.is_empty() && segment.bytes().all(|b| b.is_ascii_alphabetic()))
}

fn is_type_name(name: &str) -> bool {
    !name.is_empty() && !name.starts_with('$')
}

fn is_tag_keyword(name: &str) -> bool {
    const KEYWORDS: &[&str] = &[
        "enum",
        "minimum",
        "maximum",
        "exclusiveMinimum",
        "exclusiveMaximum",
        "minLength",
        "maxLength",
        "minItems",
        "maxItems",
        "uniqueItems",
        "minContains",
        "maxContains",
    ];
    KEYWORDS.contains(&name)
}

/// `YYYY-MM-DDTHH:MM:SS.ffffffZ`; whether the day exists is asked elsewhere (`time::check`).
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
