//! `$tags`: the JSON Schema that a protocol sets for the tags of its records, judged in the words of AJV (draft
//! 2020-12, default options), because they are what clients know.
//!
//! Only the keywords that a protocol definition may hold are known. Where AJV would refuse to compile a schema
//! (it does so when a record is written, not when the protocol is installed), the record is refused as there.

use super::{Refusal, message::shown, schema::step};
use serde_json::{Map, Value};
use std::cmp::Ordering;

/// Keywords for values of one type, in the order in which AJV looks at them.
const NUMBER: &[&str] = &["maximum", "minimum", "exclusiveMaximum", "exclusiveMinimum"];
const STRING: &[&str] = &["maxLength", "minLength"];
const ARRAY: &[&str] = &["maxItems", "minItems", "items", "contains", "uniqueItems"];
/// Keywords that hold how many.
const COUNTS: &[&str] = &["maxLength", "minLength", "maxItems", "minItems", "minContains", "maxContains"];
/// Keywords that need no type, and those that only describe.
const OTHERS: &[&str] = &["type", "const", "enum", "minContains", "maxContains", "$comment", "title", "description"];

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
    let refuse = |wrong: Vec<Wrong>| {
        let texts: Vec<_> = wrong.iter().map(|(path, message)| format!("{name}{path} {message}")).collect();
        let text = format_args!("tags schema validation error: {}", texts.join(", "));
        Refusal::bad("ProtocolAuthorizationTagsInvalidSchema", text)
    };
    let required = rules.get("$requiredTags").and_then(Value::as_array);
    let mut required = required.into_iter().flatten().filter_map(Value::as_str);
    if let Some(missing) = required.find(|tag| !tags.contains_key(*tag)) {
        return Err(refuse(vec![(String::new(), format!("must have required property '{missing}'"))]));
    }
    let known = |tag: &String| schemas.iter().any(|(known, _)| *known == tag);
    if rules.get("$allowUndefinedTags") != Some(&Value::Bool(true)) && !tags.keys().all(known) {
        return Err(refuse(vec![(String::new(), "must NOT have additional properties".into())]));
    }
    for (tag, schema) in schemas {
        let wrong = tags.get(tag).map(|value| validate(schema, value, &step("", tag))).unwrap_or_default();
        if !wrong.is_empty() {
            return Err(refuse(wrong));
        }
    }
    Ok(())
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
    let (min, max) = (number(schema, "minContains"), number(schema, "maxContains"));
    if let Some(inner) = schema.get("contains") {
        match (min, max) {
            (Some(0.0), None) => {
                let text = "strict mode: \"minContains\" == 0 without \"maxContains\": \"contains\" keyword ignored";
                return Err(text.into());
            }
            (min, Some(max)) if min.unwrap_or(1.0) > max => {
                return Err("strict mode: \"minContains\" > \"maxContains\" is always invalid".into());
            }
            _ => can_be_compiled(inner)?,
        }
    } else if let Some(name) = ["minContains", "maxContains"].into_iter().find(|name| schema.contains_key(*name)) {
        return Err(format!("strict mode: \"{name}\" without \"contains\" is ignored"));
    }
    schema.get("items").map_or(Ok(()), can_be_compiled)
}

/// What is wrong with a value: nothing, or one thing and, where that is a choice, what is wrong with each choice.
fn validate(schema: &Value, value: &Value, path: &str) -> Vec<Wrong> {
    let Some(schema) = schema.as_object() else {
        let never = *schema == Value::Bool(false);
        return if never { one(path, "boolean schema is false") } else { Vec::new() };
    };
    let kind = schema.get("type").and_then(Value::as_str);
    let wrong_type = |kind: &str| one(path, format!("must be {kind}"));
    let groups = [("number", NUMBER), ("string", STRING), ("array", ARRAY)];
    // With a keyword for values of its type, a schema's type is looked at together with those.
    let group_of = |kind: &str| groups.iter().any(|(name, rules)| *name == kind && has_any(schema, rules));
    if let Some(kind) = kind.filter(|kind| !group_of(kind) && !is_of(kind, value)) {
        return wrong_type(kind);
    }
    if schema.get("const").is_some_and(|wanted| !is_same(wanted, value)) {
        return one(path, "must be equal to constant");
    }
    let allowed = schema.get("enum").and_then(Value::as_array);
    if allowed.is_some_and(|allowed| !allowed.iter().any(|allowed| is_same(allowed, value))) {
        return one(path, "must be equal to one of the allowed values");
    }
    for (name, rules) in groups.iter().filter(|(_, rules)| has_any(schema, rules)) {
        if is_of(name, value) {
            let wrong = rules.iter().map(|rule| keyword(schema, rule, value, path)).find(|wrong| !wrong.is_empty());
            if let Some(wrong) = wrong {
                return wrong;
            }
        } else if kind == Some(name) {
            return wrong_type(name);
        }
    }
    Vec::new()
}

fn keyword(schema: &Map<String, Value>, name: &str, value: &Value, path: &str) -> Vec<Wrong> {
    let Some(rule) = schema.get(name) else { return Vec::new() };
    let limit = rule.as_f64().unwrap_or_default();
    let compare = |what: Option<f64>, holds: fn(&f64, &f64) -> bool, text: String| match what {
        Some(what) if !holds(&what, &limit) => one(path, text),
        _ => Vec::new(),
    };
    let characters = value.as_str().map(|text| text.chars().count() as f64);
    let items = value.as_array().map(Vec::as_slice).unwrap_or_default();
    let count = Some(items.len() as f64);
    let limited = |sign: &str| format!("must be {sign} {}", shown(Some(rule)));
    let sized = |much: &str, what: &str| format!("must NOT have {much} than {} {what}", shown(Some(rule)));
    match name {
        "maximum" => compare(value.as_f64(), f64::le, limited("<=")),
        "minimum" => compare(value.as_f64(), f64::ge, limited(">=")),
        "exclusiveMaximum" => compare(value.as_f64(), f64::lt, limited("<")),
        "exclusiveMinimum" => compare(value.as_f64(), f64::gt, limited(">")),
        "maxLength" => compare(characters, f64::le, sized("more", "characters")),
        "minLength" => compare(characters, f64::ge, sized("fewer", "characters")),
        "maxItems" => compare(count, f64::le, sized("more", "items")),
        "minItems" => compare(count, f64::ge, sized("fewer", "items")),
        "items" => {
            let wrong = items.iter().enumerate().map(|(i, item)| validate(rule, item, &format!("{path}/{i}")));
            wrong.into_iter().find(|wrong| !wrong.is_empty()).unwrap_or_default()
        }
        "contains" => contains(schema, rule, items, path),
        "uniqueItems" if *rule == Value::Bool(true) => unique(schema, items, path),
        _ => Vec::new(),
    }
}

fn contains(schema: &Map<String, Value>, rule: &Value, items: &[Value], path: &str) -> Vec<Wrong> {
    let (min, max) = (number(schema, "minContains").unwrap_or(1.0), number(schema, "maxContains"));
    let (mut wrong, mut count) = (Vec::new(), 0.0);
    for (i, item) in items.iter().enumerate() {
        let against = validate(rule, item, &format!("{path}/{i}"));
        count += f64::from(u8::from(against.is_empty()));
        wrong.extend(against);
        // AJV looks no further than it must.
        if max.map_or(count >= min, |max| count > max) {
            break;
        }
    }
    if count >= min && max.is_none_or(|max| count <= max) {
        return Vec::new();
    }
    let more = max.map(|max| format!(" and no more than {max}")).unwrap_or_default();
    wrong.push((path.into(), format!("must contain at least {min}{more} valid item(s)")));
    wrong
}

fn unique(schema: &Map<String, Value>, items: &[Value], path: &str) -> Vec<Wrong> {
    let pairs = (0..items.len()).rev().flat_map(|i| (0..i).rev().map(move |j| (i, j)));
    let same = |(i, j): &(usize, usize)| matches!((items.get(*i), items.get(*j)), (Some(a), Some(b)) if is_same(a, b));
    let told = |i, j| one(path, format!("must NOT have duplicate items (items ## {j} and {i} are identical)"));
    let item_kind = schema.get("items").and_then(|items| items.get("type")).and_then(Value::as_str);
    if item_kind.is_none_or(|kind| kind == "array") {
        return pairs.into_iter().find(same).map(|(i, j)| told(i, j)).unwrap_or_default();
    }
    // Items of a simple type are remembered from the end on: the later of a pair is named first.
    let later = |i: usize| (i + 1..items.len()).find(|j| same(&(i, *j)));
    (0..items.len()).rev().find_map(|i| later(i).map(|j| told(i, j))).unwrap_or_default()
}

/// Is a schema one? The part of the meta-schema that speaks of the keywords known here, in its order.
fn check_meta(schema: &Value, path: &str) -> Result<(), Wrong> {
    let wrong = |name: &str, text: &str| Err((format!("{path}/{name}"), text.to_owned()));
    let Some(map) = schema.as_object() else {
        let text = || "must be object,boolean".to_owned();
        return if schema.is_boolean() { Ok(()) } else { Err((path.to_owned(), text())) };
    };
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

fn one(path: &str, text: impl Into<String>) -> Vec<Wrong> {
    vec![(path.to_owned(), text.into())]
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
