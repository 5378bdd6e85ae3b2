//! Public keys in JWK.

use crate::dwn::schema::{ObjectSchema, Others, Shape, Wrong};
use serde_json::Value;

pub(super) fn public_jwk(value: &Value, path: &str) -> Result<(), Wrong> {
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
    Shape::Object(&ObjectSchema {
        others: Others::Allowed,
        ..ObjectSchema::closed(
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
    Shape::Object(&ObjectSchema {
        others: Others::Allowed,
        ..ObjectSchema::closed(
            &["crv", "x"],
            &[("kty", Shape::Constant("OKP")), ("crv", Shape::Text), ("x", Shape::Text), ("d", Shape::Text)],
        )
    }),
    Shape::Object(&ObjectSchema {
        others: Others::Allowed,
        ..ObjectSchema::closed(&["n", "e"], &[("kty", Shape::Constant("RSA")), ("n", Shape::Text), ("e", Shape::Text)])
    }),
    Shape::Object(&ObjectSchema {
        others: Others::Allowed,
        ..ObjectSchema::closed(&["k"], &[("kty", Shape::Constant("oct")), ("k", Shape::Text)])
    }),
]);

static JWK: ObjectSchema = ObjectSchema {
    others: Others::Allowed,
    ..ObjectSchema::closed(
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
