//! ProtocolsConfigure with the definition in it, ProtocolsQuery.

use super::{
    jwk::public_jwk,
    signatures::SIGNED,
    values::{DID, TIME},
    write::SIGNED_OR_DELEGATED,
};
use crate::dwn::schema::{ObjectSchema, Others, Shape, Wrong};
use serde_json::Value;

const PROTOCOLS: Shape = Shape::Choice(&["Protocols"]);

pub(in crate::dwn) static PROTOCOLS_QUERY: Shape = Shape::Object(&ObjectSchema::closed(
    &["descriptor"],
    &[
        ("authorization", Shape::Object(&SIGNED)),
        (
            "descriptor",
            Shape::Object(&ObjectSchema::closed(
                &["interface", "method", "messageTimestamp"],
                &[
                    ("interface", PROTOCOLS),
                    ("method", Shape::Choice(&["Query"])),
                    ("messageTimestamp", TIME),
                    (
                        "filter",
                        Shape::Object(&ObjectSchema {
                            min: 1,
                            ..ObjectSchema::closed(&[], &[("protocol", Shape::Text), ("recipient", DID)])
                        }),
                    ),
                ],
            )),
        ),
    ],
));

pub(in crate::dwn) static PROTOCOLS_CONFIGURE: Shape = Shape::Object(&ObjectSchema::closed(
    &["authorization", "descriptor"],
    &[
        ("authorization", Shape::Object(&SIGNED_OR_DELEGATED)),
        (
            "descriptor",
            Shape::Object(&ObjectSchema::closed(
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

/// A definition by itself.
pub(in crate::dwn) static PROTOCOL_DEFINITION: Shape = Shape::Object(&DEFINITION);

static DEFINITION: ObjectSchema = ObjectSchema::closed(
    &["protocol", "published", "types", "structure"],
    &[
        ("protocol", Shape::Text),
        ("published", Shape::Flag),
        ("types", Shape::Object(&ObjectSchema { others: Others::Are(&TYPE), ..ObjectSchema::closed(&[], &[]) })),
        (
            "structure",
            Shape::Object(&ObjectSchema {
                others: Others::Are(&Shape::Object(&RULE_SET)),
                ..ObjectSchema::closed(&[], &[])
            }),
        ),
    ],
);

static TYPE: Shape = Shape::Object(&ObjectSchema::closed(
    &[],
    &[("schema", Shape::Text), ("dataFormats", Shape::List { min: 1, max: usize::MAX, each: &Shape::Text })],
));

static RULE_SET: ObjectSchema = ObjectSchema {
    others: Others::Named(is_type_name, &Shape::Object(&RULE_SET)),
    ..ObjectSchema::closed(
        &[],
        &[
            (
                "$encryption",
                Shape::Object(&ObjectSchema::closed(
                    &["rootKeyId", "publicKeyJwk"],
                    &[("rootKeyId", Shape::Text), ("publicKeyJwk", Shape::Code(public_jwk))],
                )),
            ),
            ("$actions", Shape::List { min: 1, max: usize::MAX, each: &ACTION }),
            ("$role", Shape::Flag),
            (
                "$size",
                Shape::Object(&ObjectSchema::closed(
                    &[],
                    &[("min", Shape::NumberFrom(0.0)), ("max", Shape::NumberFrom(0.0))],
                )),
            ),
            (
                "$tags",
                Shape::Object(&ObjectSchema {
                    min: 1,
                    others: Others::Are(&Shape::Object(&TAG_RULE)),
                    ..ObjectSchema::closed(
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
    Shape::Object(&ObjectSchema::closed(
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
    Shape::Object(&ObjectSchema {
        others: Others::Allowed,
        ..ObjectSchema::closed(
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

static TAG_RULE: ObjectSchema = ObjectSchema {
    others: Others::Named(is_tag_keyword, &Shape::Any),
    ..ObjectSchema::closed(
        &[],
        &[
            ("type", Shape::Code(|value, path| tag_type(value, path, true))),
            ("items", Shape::Object(&TAG_ITEM_RULE)),
            ("contains", Shape::Object(&TAG_ITEM_RULE)),
        ],
    )
};

static TAG_ITEM_RULE: ObjectSchema = ObjectSchema {
    others: Others::Allowed,
    ..ObjectSchema::closed(&[], &[("type", Shape::Code(|value, path| tag_type(value, path, false)))])
};

fn tag_type(value: &Value, path: &str, outer: bool) -> Result<(), Wrong> {
    match value.as_str() {
        Some("string" | "number" | "integer") => Ok(()),
        Some("boolean" | "array") if outer => Ok(()),
        _ => Err(Wrong::not_allowed_value(path)),
    }
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
