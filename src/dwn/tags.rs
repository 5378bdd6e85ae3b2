//! `$tags`: the JSON Schema that a protocol sets for the tags of its records, judged in the words of AJV (draft
//! 2020-12, default options), because they are what clients know.
//!
//! Only the keywords that the shape of a protocol definition names are known; others are refused with it. Where AJV would refuse to compile a schema
//! (it does so when a record is written, not when the protocol is installed), the record is refused as there.

use super::{json::js_string, refusal::Refusal, schema::step};
use serde_json::{Map, Value};
use std::cmp::Ordering;

/// Keywords for values of one type, in the order in which AJV looks at them.
const NUMBER: &[&str] = &["maximum", "minimum", "exclusiveMaximum", "exclusiveMinimum"];
const STRING: &[&str] = &["maxLength", "minLength"];
const ARRAY: &[&str] = &["maxItems", "minItems", "items", "contains", "uniqueItems"];
/// Keywords that hold how many.
const COUNTS: &[&str] = &["maxLength", "minLength", "maxItems", "minItems", "minContains", "maxContains"];
/// Keywords that need no type, and those that only describe.
const OTHERS: &[&str] =
    &["type", "const", "enum", "minContains", "maxContains", "$comment", "title", "description", "default", "examples"];
/// Keywords of JSON Schema that are not known here; the dialect lets them stand only below `items` and `contains`.
const UNSUPPORTED: &[&str] = &[
    "$ref",
    "$dynamicRef",
    "$defs",
    "definitions",
    "$id",
    "$anchor",
    "pattern",
    "format",
    "multipleOf",
    "not",
    "anyOf",
    "oneOf",
    "allOf",
    "if",
    "then",
    "else",
    "prefixItems",
    "unevaluatedItems",
    "properties",
    "required",
];

/// One thing wrong: the place below the value, and what.
type Wrong = (String, String);

/// Is what a protocol says about one tag a JSON Schema? `name`: how the place of it is called.
pub(super) fn check_schema(schema: &Value, name: &str) -> Result<(), Refusal> {
    check_meta(schema, "").map_err(|(path, message)| {
        let text = format_args!("tags schema validation error: {name}{path} {message}");
        Refusal::bad("ProtocolsConfigureInvalidTagSchema", text)
    })
}

/// Do the tags of a record fit the rules? `name`: how the place of the rules is called.
pub(super) fn check(rules: &Map<String, Value>, tags: Option<&Value>, name: &str) -> Result<(), Refusal> {
    let schemas: Vec<_> = in_stored_order(rules)
        .into_iter()
        .filter(|(tag, _)| !matches!(tag.as_str(), "$requiredTags" | "$allowUndefinedTags"))
        .collect();
    for (_, schema) in &schemas {
        can_be_compiled(schema).map_err(|why| Refusal::new(400, why))?;
    }
    let empty = Map::new();
    let tags = tags.and_then(Value::as_object).unwrap_or(&empty);
    let fits = || {
        let required = rules.get("$requiredTags").and_then(Value::as_array);
        let mut required = required.into_iter().flatten().filter_map(Value::as_str);
        let missing = required.find(|tag| !tags.contains_key(*tag));
        require(missing.is_none(), "", || format!("must have required property '{}'", missing.unwrap_or_default()))?;
        let others_allowed = rules.get("$allowUndefinedTags") == Some(&Value::Bool(true));
        let known = |tag: &String| schemas.iter().any(|(known, _)| *known == tag);
        let all_known = others_allowed || tags.keys().all(known);
        require(all_known, "", || "must NOT have additional properties".into())?;
        schemas
            .iter()
            .filter_map(|(tag, schema)| Some((tag, schema, tags.get(*tag)?)))
            .try_for_each(|(tag, schema, value)| validate(schema, value, &step("", tag)))
    };
    fits().map_err(|(path, message): Wrong| {
        let text = format_args!("tags schema validation error: {name}{path} {message}");
        Refusal::bad("ProtocolAuthorizationTagsInvalidSchema", text)
    })
}

/// The order in which the reference finds the members of what it has stored: whole numbers first, as in every
/// JavaScript object, then as DAG-CBOR sorts keys.
fn in_stored_order(map: &Map<String, Value>) -> Vec<(&String, &Value)> {
    let index = |name: &String| name.parse::<u32>().ok().filter(|number| number.to_string() == *name);
    let mut members: Vec<_> = map.iter().collect();
    members.sort_by(|(a, _), (b, _)| match (index(a), index(b)) {
        (Some(a), Some(b)) => a.cmp(&b),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => a.len().cmp(&b.len()).then_with(|| a.cmp(b)),
    });
    members
}

/// Why AJV's strict mode would not work with a schema.
fn can_be_compiled(schema: &Value) -> Result<(), String> {
    let Some(schema) = schema.as_object() else { return Ok(()) };
    let known = |name: &str| [NUMBER, STRING, ARRAY, OTHERS].iter().any(|names| names.contains(&name));
    if let Some(name) = schema.keys().find(|name| !known(name)) {
        return Err(format!("strict mode: unknown keyword: \"{name}\""));
    }
    if schema.get("enum").and_then(Value::as_array).is_some_and(Vec::is_empty) {
        return Err("enum must have non-empty array".into());
    }
    schema.get("items").map_or(Ok(()), can_be_compiled)?;
    let (min, max) = (number(schema, "minContains"), number(schema, "maxContains"));
    match (schema.get("contains"), min, max) {
        (Some(_), Some(0.0), None) => {
            Err("strict mode: \"minContains\" == 0 without \"maxContains\": \"contains\" keyword ignored".into())
        }
        (Some(_), min, Some(max)) if min.unwrap_or(1.0) > max => {
            Err("strict mode: \"minContains\" > \"maxContains\" is always invalid".into())
        }
        (Some(inner), ..) => can_be_compiled(inner),
        (None, ..) => match ["maxContains", "minContains"].into_iter().find(|name| schema.contains_key(*name)) {
            Some(name) => Err(format!("strict mode: \"{name}\" without \"contains\" is ignored")),
            None => Ok(()),
        },
    }
}

/// The first thing wrong with a value.
fn validate(schema: &Value, value: &Value, path: &str) -> Result<(), Wrong> {
    let Some(schema) = schema.as_object() else {
        return require(*schema != Value::Bool(false), path, || "boolean schema is false".into());
    };
    let kind = schema.get("type").and_then(Value::as_str);
    let groups = [("number", NUMBER), ("string", STRING), ("array", ARRAY)];
    // With a keyword for values of its type, a schema's type is looked at together with those.
    let is_with_group = |kind: &str| groups.iter().any(|(name, rules)| *name == kind && has_any(schema, rules));
    if let Some(kind) = kind.filter(|kind| !is_with_group(kind)) {
        require(is_of(kind, value), path, || format!("must be {kind}"))?;
    }
    let constant = schema.get("const").is_none_or(|wanted| is_same(wanted, value));
    require(constant, path, || "must be equal to constant".into())?;
    let allowed = schema.get("enum").and_then(Value::as_array);
    let allowed = allowed.is_none_or(|allowed| allowed.iter().any(|allowed| is_same(allowed, value)));
    require(allowed, path, || "must be equal to one of the allowed values".into())?;
    for (name, rules) in groups.iter().filter(|(_, rules)| has_any(schema, rules)) {
        if is_of(name, value) {
            rules.iter().try_for_each(|rule| keyword(schema, rule, value, path))?;
        } else {
            require(kind != Some(name), path, || format!("must be {name}"))?;
        }
    }
    Ok(())
}

fn keyword(schema: &Map<String, Value>, name: &str, value: &Value, path: &str) -> Result<(), Wrong> {
    let Some(rule) = schema.get(name) else { return Ok(()) };
    let limit = rule.as_f64().unwrap_or_default();
    let number = value.as_f64().unwrap_or_default();
    let characters = value.as_str().map_or(0.0, |text| text.chars().count() as f64);
    let items = value.as_array().map(Vec::as_slice).unwrap_or_default();
    let count = items.len() as f64;
    let limited = |ok: bool, sign: &str| require(ok, path, || format!("must be {sign} {}", js_string(Some(rule))));
    let sized = |ok: bool, much: &str, what: &str| {
        require(ok, path, || format!("must NOT have {much} than {} {what}", js_string(Some(rule))))
    };
    match name {
        "maximum" => limited(number <= limit, "<="),
        "minimum" => limited(number >= limit, ">="),
        "exclusiveMaximum" => limited(number < limit, "<"),
        "exclusiveMinimum" => limited(number > limit, ">"),
        "maxLength" => sized(characters <= limit, "more", "characters"),
        "minLength" => sized(characters >= limit, "fewer", "characters"),
        "maxItems" => sized(count <= limit, "more", "items"),
        "minItems" => sized(count >= limit, "fewer", "items"),
        "items" => items.iter().enumerate().try_for_each(|(i, item)| validate(rule, item, &format!("{path}/{i}"))),
        "contains" => contains(schema, rule, items, path),
        "uniqueItems" if *rule == Value::Bool(true) => unique(schema, items, path),
        _ => Ok(()),
    }
}

fn contains(schema: &Map<String, Value>, rule: &Value, items: &[Value], path: &str) -> Result<(), Wrong> {
    let (min, max) = (number(schema, "minContains").unwrap_or(1.0), number(schema, "maxContains"));
    let count = items.iter().filter(|item| validate(rule, item, "").is_ok()).count() as f64;
    require(count >= min && max.is_none_or(|max| count <= max), path, || {
        let more = max.map(|max| format!(" and no more than {max}")).unwrap_or_default();
        format!("must contain at least {min}{more} valid item(s)")
    })
}

fn unique(schema: &Map<String, Value>, items: &[Value], path: &str) -> Result<(), Wrong> {
    let is_pair = |i: usize, j: usize| matches!((items.get(i), items.get(j)), (Some(a), Some(b)) if is_same(a, b));
    let item_kind = schema.get("items").and_then(|items| items.get("type")).and_then(Value::as_str);
    let pair = (0..items.len()).rev().find_map(|i| match item_kind {
        // Items of a simple type are remembered from the end on: the later of a pair is named first.
        Some(kind) if kind != "array" => (i + 1..items.len()).find(|j| is_pair(i, *j)).map(|j| (j, i)),
        _ => (0..i).rev().find(|j| is_pair(i, *j)).map(|j| (j, i)),
    });
    pair.map_or(Ok(()), |(j, i)| {
        Err((path.into(), format!("must NOT have duplicate items (items ## {j} and {i} are identical)")))
    })
}

/// Is a schema one? The part of the meta-schema that speaks of the keywords known here, in its order.
fn check_meta(schema: &Value, path: &str) -> Result<(), Wrong> {
    let wrong = |name: &str, text: &str| Err((format!("{path}/{name}"), text.to_owned()));
    let Some(map) = schema.as_object() else {
        let text = || "must be object,boolean".to_owned();
        return if schema.is_boolean() { Ok(()) } else { Err((path.to_owned(), text())) };
    };
    if let Some(name) = UNSUPPORTED.iter().find(|name| map.contains_key(**name)) {
        return wrong(name, "is a keyword that this node does not judge tags by");
    }
    for name in ["items", "contains"] {
        map.get(name).map_or(Ok(()), |inner| check_meta(inner, &format!("{path}/{name}")))?;
    }
    for (name, value) in in_meta_order(map) {
        match name {
            "enum" if !value.is_array() => return wrong(name, "must be array"),
            "uniqueItems" if !value.is_boolean() => return wrong(name, "must be boolean"),
            _ if NUMBER.contains(&name) && !value.is_number() => return wrong(name, "must be number"),
            _ if COUNTS.contains(&name) && !is_of("integer", value) => return wrong(name, "must be integer"),
            _ if COUNTS.contains(&name) && value.as_f64() < Some(0.0) => return wrong(name, "must be >= 0"),
            _ => {}
        }
    }
    Ok(())
}

/// The members of a schema in the order in which the meta-schema lists the keywords.
fn in_meta_order(map: &Map<String, Value>) -> impl Iterator<Item = (&'static str, &Value)> {
    const ORDER: &[&str] = &[
        "enum",
        "maximum",
        "exclusiveMaximum",
        "minimum",
        "exclusiveMinimum",
        "maxLength",
        "minLength",
        "maxItems",
        "minItems",
        "uniqueItems",
        "maxContains",
        "minContains",
    ];
    ORDER.iter().filter_map(|name| Some((*name, map.get(*name)?)))
}

fn require(ok: bool, path: &str, text: impl FnOnce() -> String) -> Result<(), Wrong> {
    if ok { Ok(()) } else { Err((path.into(), text())) }
}

fn number(schema: &Map<String, Value>, name: &str) -> Option<f64> {
    schema.get(name).and_then(Value::as_f64)
}

fn has_any(schema: &Map<String, Value>, names: &[&str]) -> bool {
    names.iter().any(|name| schema.contains_key(*name))
}

fn is_of(kind: &str, value: &Value) -> bool {
    match kind {
        "string" => value.is_string(),
        "number" => value.is_number(),
        "integer" => value.as_f64().is_some_and(|number| number.fract() == 0.0),
        "boolean" => value.is_boolean(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => value.is_null(),
    }
}

/// Equal as in JavaScript, where 1 is 1.0.
fn is_same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| is_same(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(name, a)| b.get(name).is_some_and(|b| is_same(a, b)))
        }
        _ => a == b,
    }
}
