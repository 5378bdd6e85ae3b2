//! The data of permission records: requests, grants, revocations.

use super::values::TIME;
use crate::dwn::schema::{ObjectSchema, Shape, Wrong};
use serde_json::Value;

pub(in crate::dwn) static PERMISSION_REQUEST: Shape = Shape::Object(&ObjectSchema::closed(
    &["delegated", "scope"],
    &[
        ("description", Shape::Text),
        ("delegated", Shape::Flag),
        ("scope", Shape::Code(scope)),
        ("conditions", Shape::Object(&CONDITIONS)),
    ],
));

pub(in crate::dwn) static PERMISSION_GRANT: Shape = Shape::Object(&ObjectSchema::closed(
    &["dateExpires", "scope"],
    &[
        ("description", Shape::Text),
        ("dateExpires", TIME),
        ("requestId", Shape::Text),
        ("delegated", Shape::Flag),
        ("scope", Shape::Code(scope)),
        ("conditions", Shape::Object(&CONDITIONS)),
    ],
));

pub(in crate::dwn) static PERMISSION_REVOCATION: Shape =
    Shape::Object(&ObjectSchema::closed(&[], &[("description", Shape::Text)]));

static CONDITIONS: ObjectSchema =
    ObjectSchema::closed(&[], &[("publication", Shape::Choice(&["Required", "Prohibited"]))]);

macro_rules! scope {
    ($interface:literal, $method:literal $(, $more:literal)*) => {
        Shape::Object(&ObjectSchema::closed(
            &["interface", "method"],
            &[
                ("interface", Shape::Constant($interface)),
                ("method", Shape::Constant($method)),
                ("protocol", Shape::Text),
                $(($more, Shape::Text),)*
            ],
        ))
    };
}

static SCOPES: &[Shape] = &[
    scope!("Messages", "Query"),
    scope!("Messages", "Read"),
    scope!("Messages", "Subscribe"),
    scope!("Protocols", "Configure"),
    scope!("Protocols", "Query"),
    scope!("Records", "Read", "contextId", "protocolPath"),
    scope!("Records", "Delete", "contextId", "protocolPath"),
    scope!("Records", "Write", "contextId", "protocolPath"),
    scope!("Records", "Query", "contextId", "protocolPath"),
    scope!("Records", "Subscribe", "contextId", "protocolPath"),
];

fn scope(value: &Value, path: &str) -> Result<(), Wrong> {
    Shape::OneOf(SCOPES).check(value, path)
}
