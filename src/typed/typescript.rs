//! A module in TypeScript, over `clients/ts`.

use super::{
    model::{Data, Model, Place, Schemas, Tags, Unfit},
    names::{camel, is_name, quoted, said},
    shape::{Object, Shape},
};
use serde_json::{Map, Value};
use std::fmt::Write as _;

/// What is imported, and what this file's own types end in is never one of these.
const RESERVED: &[&str] = &["repo"];
/// Members that classes have, or that mean something to the language.
const MEMBERS: &[&str] =
    &["constructor", "then", "toString", "toJSON", "valueOf", "toLocaleString", "hasOwnProperty", "isPrototypeOf"];

pub(super) fn module(definition: &Map<String, Value>, schemas: &Schemas) -> Result<String, Unfit> {
    let model = Model::of(definition, schemas, RESERVED)?;
    let mut out = format!(
        "// The records of {}, typed. Made by `toft protocol gen --lang ts`: make it anew, and do not change it.\nimport {{ repo }} from \"@toft/client\";\n",
        said(&model.protocol)
    );
    for place in &model.places {
        place_of(&mut out, &model, place);
    }
    let members = model.members(MEMBERS, camel);
    let (name, places) = (&model.name, || model.places.iter().zip(&members));
    let _ = writeln!(out, "\n/** All of its records. */\nexport class {name}Protocol {{");
    for (place, member) in places() {
        let _ = writeln!(out, "  /** {} */\n  readonly {member}: {}Records;", said(&place.path), place.name);
    }
    let _ = writeln!(out, "\n  constructor(transport: repo.Transport) {{");
    for (place, member) in places() {
        let _ = writeln!(out, "    this.{member} = new {}Records(transport);", place.name);
    }
    out.push_str("  }\n}\n");
    Ok(out)
}

fn place_of(out: &mut String, model: &Model, place: &Place) {
    let Place { name, path, .. } = place;
    let (data, form) = match &place.data {
        Data::Json(shape, _) => (shape_of(shape, ""), "json"),
        Data::Bytes => ("Uint8Array".to_owned(), "bytes"),
    };
    let about = match &place.data {
        Data::Json(Shape::Object(object), _) if !said(&object.about).is_empty() => format!(": {}", said(&object.about)),
        _ => String::new(),
    };
    let _ = writeln!(out, "\n/** Data of {}{about} */\nexport type {name}Data = {data};", said(path));
    let _ = writeln!(out, "\nexport type {name}Tags = {};", tags_of(&place.tags));
    let _ = writeln!(out, "\nexport type {name}TagFilter = {};", filter_of(&place.tags));
    let _ = writeln!(out, "\n/** What a new one needs beside its data. */\nexport type {name}New = {};", new_of(place));
    let _ = writeln!(
        out,
        "\n/** Records at {} */\nexport class {name}Records extends repo.Records<{name}Data, {name}Tags, {name}TagFilter, {name}New> {{",
        said(path)
    );
    let mut facts = vec![format!("protocol: {}", text(&model.protocol)), format!("path: {}", text(path))];
    facts.extend(place.schema.as_deref().map(|schema| format!("schema: {}", text(schema))));
    facts.extend(place.format().map(|format| format!("dataFormat: {}", text(format))));
    facts.push(format!("form: \"{form}\""));
    let _ = writeln!(
        out,
        "  constructor(transport: repo.Transport) {{\n    super(transport, {{ {} }});\n  }}\n}}",
        facts.join(", ")
    );
}

fn new_of(place: &Place) -> String {
    let mark = if place.tags.can_be_none() { "?" } else { "" };
    let mut parts = vec!["repo.NewRecord".to_owned(), format!("{{ tags{mark}: {}Tags }}", place.name)];
    if place.is_below {
        parts.push("repo.Below".into());
    }
    if place.is_role {
        parts.push("repo.ForSomebody".into());
    }
    if place.format().is_none() {
        let formats: Vec<_> = place.formats.iter().map(|format| text(format)).collect();
        let formats = if formats.is_empty() { "string".into() } else { formats.join(" | ") };
        parts.push(format!("{{ dataFormat: {formats} }}"));
    }
    parts.join(" & ")
}

fn tags_of(tags: &Tags) -> String {
    if tags.known.is_empty() && tags.open {
        return "repo.Tags".into();
    }
    let mut object = tags.object();
    object.open = false;
    let known = object_of(&object, "", &|shape, indent| match shape {
        Shape::Any => "repo.TagValue".into(),
        shape => shape_of(shape, indent),
    });
    if tags.open { format!("{known} & repo.OtherTags") } else { known }
}

fn filter_of(tags: &Tags) -> String {
    if tags.known.is_empty() && tags.open {
        return "repo.AnyTagFilter".into();
    }
    let mut object = tags.object();
    object.fields.iter_mut().for_each(|field| field.required = false);
    let known = object_of(&object, "", &|shape, _| condition(shape));
    if tags.open { format!("{known} & repo.AnyTagFilter") } else { known }
}

fn condition(shape: &Shape) -> String {
    match shape {
        Shape::Text => "repo.TextFilter".into(),
        Shape::Integer | Shape::Integers(_) | Shape::Number => "repo.NumberFilter".into(),
        Shape::List(item) => condition(item),
        Shape::Texts(_) | Shape::Flag => shape_of(shape, ""),
        _ => "repo.AnyFilter".into(),
    }
}

fn shape_of(shape: &Shape, indent: &str) -> String {
    match shape {
        Shape::Any => "repo.Json".into(),
        Shape::Null => "null".into(),
        Shape::Text => "string".into(),
        Shape::Integer | Shape::Number => "number".into(),
        Shape::Flag => "boolean".into(),
        Shape::Texts(texts) => texts.iter().map(|one| text(one)).collect::<Vec<_>>().join(" | "),
        Shape::Integers(numbers) => numbers.iter().map(i64::to_string).collect::<Vec<_>>().join(" | "),
        Shape::List(item) => format!("Array<{}>", shape_of(item, indent)),
        Shape::Map(item) => format!("{{ [name: string]: {} }}", shape_of(item, indent)),
        Shape::Object(object) => object_of(object, indent, &shape_of),
        Shape::Union(parts) => parts.iter().map(|part| shape_of(part, indent)).collect::<Vec<_>>().join(" | "),
    }
}

fn object_of(object: &Object, indent: &str, inner: &dyn Fn(&Shape, &str) -> String) -> String {
    if object.fields.is_empty() {
        return "{ [name: string]: never }".into();
    }
    let deeper = format!("{indent}  ");
    let mut out = String::from("{\n");
    for field in &object.fields {
        let about = said(&field.about);
        if !about.is_empty() {
            let _ = writeln!(out, "{deeper}/** {about} */");
        }
        let key = if is_name(&field.name) { field.name.clone() } else { text(&field.name) };
        let mark = if field.required { "" } else { "?" };
        let _ = writeln!(out, "{deeper}{key}{mark}: {};", inner(&field.shape, &deeper));
    }
    out + indent + "}"
}

/// What is above U+FFFF is two characters in JavaScript.
fn text(text: &str) -> String {
    quoted(text, |c| c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")).collect())
}
