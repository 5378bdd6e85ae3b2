//! A module in Rust, over `repo`.

use super::{
    model::{Data, Model, Place, Schemas, Unfit},
    names::{Names, pascal, quoted, said, snake},
    shape::{Field, Object, Shape},
};
use serde_json::{Map, Value};
use std::fmt::Write as _;

/// What stands in the code without a path, and words of the language.
const RESERVED: &[&str] = &[
    "Self",
    "Option",
    "Some",
    "None",
    "Vec",
    "String",
    "Box",
    "Result",
    "Ok",
    "Err",
    "Into",
    "From",
    "Default",
    "Clone",
    "Copy",
    "Debug",
    "PartialEq",
    "Eq",
    "Send",
    "Sync",
    "Sized",
    "Drop",
    "Fn",
    "FnMut",
    "FnOnce",
    "ToString",
    "ToOwned",
    "Iterator",
    "Extend",
    "AsRef",
    "AsMut",
    "TryFrom",
    "TryInto",
    "FromIterator",
    "IntoIterator",
    "Ord",
    "PartialOrd",
    "Unpin",
    "Hash",
];
const WORDS: &[&str] = &[
    "abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "crate", "do", "dyn", "else",
    "enum", "extern", "false", "final", "fn", "for", "gen", "if", "impl", "in", "let", "loop", "macro", "match", "mod",
    "move", "mut", "override", "priv", "pub", "ref", "return", "self", "static", "struct", "super", "trait", "true",
    "try", "type", "typeof", "union", "unsafe", "unsized", "use", "virtual", "where", "while", "yield", "new", "more",
];
/// Everything is named by where it comes from, so that a program needs no crate but toft.
const SERDE: &str = "#[serde(crate = \"toft::repo::serde\")]";

pub(super) fn module(definition: &Map<String, Value>, schemas: &Schemas) -> Result<String, Unfit> {
    let model = Model::of(definition, schemas, RESERVED)?;
    let members = model.members(WORDS, snake);
    let Model { protocol, name, places, names } = model;
    let mut rust = Rust { out: String::new(), names };
    let _ = writeln!(
        rust.out,
        "//! The records of {}, typed. Made by `toft protocol gen --lang rust`: make it anew, and do not change it.\n\n#![allow(clippy::enum_variant_names, clippy::too_many_arguments, clippy::large_enum_variant)] // names and numbers are the protocol's\n\nuse toft::repo;",
        said(&protocol)
    );
    for place in &places {
        rust.place(&protocol, place);
    }
    let mut out = rust.out;
    let _ = writeln!(
        out,
        "\n/// All of its records.\n#[derive(Debug, Clone)]\npub struct {name}Protocol {{\n    access: repo::Access,\n}}\n\nimpl {name}Protocol {{\n    pub fn new(access: impl Into<repo::Access>) -> Self {{\n        Self {{ access: access.into() }}\n    }}\n\n    pub fn access(&self) -> &repo::Access {{\n        &self.access\n    }}"
    );
    for (place, member) in places.iter().zip(&members) {
        let _ = writeln!(
            out,
            "\n    /// {}\n    pub fn {member}(&self) -> repo::Records<{}> {{\n        repo::Records::new(&self.access)\n    }}",
            said(&place.path),
            place.name
        );
    }
    out.push_str("}\n");
    Ok(out)
}

struct Rust {
    out: String,
    names: Names,
}

impl Rust {
    fn place(&mut self, protocol: &str, place: &Place) {
        let Place { name, path, .. } = place;
        let (encode, decode) = match &place.data {
            Data::Json(shape, format) => {
                self.named(&format!("{name}Data"), shape);
                (format!("repo::to_json(data, {})", text(format)), "repo::from_json(&blob)")
            }
            Data::Bytes => {
                self.alias(&format!("{name}Data"), "repo::Blob");
                ("Ok(data.clone())".to_owned(), "Ok(blob)")
            }
        };
        self.tags(place);
        let schema = place.schema.as_deref().map_or("None".to_owned(), |schema| format!("Some({})", text(schema)));
        let parent = if place.is_below { "String" } else { "()" };
        let _ = writeln!(
            self.out,
            r#"
/// Records at {}
#[derive(Debug, Clone, Copy)]
pub struct {name};

impl repo::Place for {name} {{
    const PROTOCOL: &'static str = {};
    const PATH: &'static str = {};
    const SCHEMA: Option<&'static str> = {schema};
    type Data = {name}Data;
    type Tags = {name}Tags;
    type TagFilter = {name}TagFilter;
    type Parent = {parent};

    fn encode(data: &Self::Data) -> Result<repo::Blob, repo::Failure> {{
        {encode}
    }}

    fn decode(blob: repo::Blob) -> Result<Self::Data, repo::Failure> {{
        {decode}
    }}
}}"#,
            said(path),
            text(protocol),
            text(path),
        );
    }

    fn tags(&mut self, place: &Place) {
        let (tags, filter) = (format!("{}Tags", place.name), format!("{}TagFilter", place.name));
        if place.tags.known.is_empty() && place.tags.open {
            self.alias(&tags, "repo::Tags");
            self.alias(&filter, "repo::AnyTagFilter");
            return;
        }
        // A filter has the same types as the tags: of a list, that of each.
        let mut conditions = Vec::new();
        let mut types = Vec::new();
        for tag in &place.tags.known {
            let each = if let Shape::List(item) = &tag.shape { item } else { &tag.shape };
            let kind = self.shape(each, &format!("{tags}{}", pascal(&tag.name, "Tag")));
            conditions.push(match each {
                Shape::Text => "repo::TextFilter".into(),
                Shape::Integer | Shape::Integers(_) => "repo::NumberFilter<i64>".into(),
                Shape::Number => "repo::NumberFilter<f64>".into(),
                Shape::Flag | Shape::Texts(_) => kind.clone(),
                _ => "repo::AnyFilter".to_owned(),
            });
            types.push(if matches!(tag.shape, Shape::List(_)) { format!("Vec<{kind}>") } else { kind });
        }
        self.structure(&tags, &place.tags.object(), &types, "repo::Tags");
        let mut object = place.tags.object();
        object.fields.iter_mut().for_each(|field| field.required = false);
        self.structure(&filter, &object, &conditions, "repo::AnyTagFilter");
    }

    /// A type of this name.
    fn named(&mut self, name: &str, shape: &Shape) {
        match shape {
            Shape::Object(object) => self.object(name, object),
            Shape::Texts(texts) => self.choice(name, texts),
            Shape::Union(parts) => self.union(name, parts),
            shape => {
                let shape = self.shape(shape, name);
                self.alias(name, &shape);
            }
        }
    }

    fn alias(&mut self, name: &str, is: &str) {
        let _ = writeln!(self.out, "\npub type {name} = {is};");
    }

    fn object(&mut self, name: &str, object: &Object) {
        let shape = |field: &Field| self.shape(&field.shape, &format!("{name}{}", pascal(&field.name, "Field")));
        let types: Vec<_> = object.fields.iter().map(shape).collect();
        self.structure(name, object, &types, "repo::Members");
    }

    /// `more`: the type of what else is in it.
    fn structure(&mut self, name: &str, object: &Object, types: &[String], more: &str) {
        let required: Vec<_> = object.fields.iter().map(|field| field.required).collect();
        let mut names = Names::members(WORDS);
        let members: Vec<_> = object.fields.iter().map(|field| names.fresh(&snake(&field.name, "field"))).collect();
        let is_filter = more == "repo::AnyTagFilter";
        let default = if required.contains(&true) { "" } else { ", Default" };
        let derives = match is_filter {
            true => "Debug, Clone, PartialEq, Default, repo::serde::Serialize".to_owned(),
            false => format!("Debug, Clone, PartialEq{default}, repo::serde::Serialize, repo::serde::Deserialize"),
        };
        about(&mut self.out, "", &object.about, true);
        let _ = writeln!(self.out, "#[derive({derives})]\n{SERDE}\npub struct {name} {{");
        for (at, field) in object.fields.iter().enumerate() {
            let (member, kind) = (&members[at], &types[at]);
            about(&mut self.out, "    ", &field.about, false);
            let mut facts = Vec::new();
            if *member != field.name {
                facts.push(format!("rename = {}", text(&field.name)));
            }
            if !field.required {
                facts.extend((!is_filter).then(|| "default".to_owned()));
                facts.push("skip_serializing_if = \"Option::is_none\"".into());
            }
            if !facts.is_empty() {
                let _ = writeln!(self.out, "    #[serde({})]", facts.join(", "));
            }
            let kind = if field.required { kind.clone() } else { format!("Option<{kind}>") };
            let _ = writeln!(self.out, "    pub {member}: {kind},");
        }
        if object.open {
            let _ = writeln!(self.out, "    /// What else is in it.\n    #[serde(flatten)]\n    pub more: {more},");
        }
        self.out.push_str("}\n");
        if required.contains(&true) {
            self.constructor(name, object, &members, types, more);
        }
    }

    /// With what must be there, and nothing else.
    fn constructor(&mut self, name: &str, object: &Object, members: &[String], types: &[String], more: &str) {
        let (mut params, mut given) = (Vec::new(), Vec::new());
        for (at, field) in object.fields.iter().enumerate() {
            let (member, kind) = (&members[at], &types[at]);
            match (field.required, kind.as_str()) {
                (true, "String") => {
                    params.push(format!("{member}: impl Into<String>"));
                    given.push(format!("{member}: {member}.into()"));
                }
                (true, kind) => {
                    params.push(format!("{member}: {kind}"));
                    given.push(member.clone());
                }
                (false, _) => given.push(format!("{member}: None")),
            }
        }
        given.extend(object.open.then(|| format!("more: {more}::new()")));
        let _ = writeln!(
            self.out,
            "\nimpl {name} {{\n    pub fn new({}) -> Self {{\n        Self {{ {} }}\n    }}\n}}",
            params.join(", "),
            given.join(", ")
        );
    }

    fn choice(&mut self, name: &str, texts: &[String]) {
        let mut names = Names::but(&["Self"]);
        let _ = writeln!(
            self.out,
            "\n#[derive(Debug, Clone, Copy, PartialEq, Eq, repo::serde::Serialize, repo::serde::Deserialize)]\n{SERDE}\npub enum {name} {{"
        );
        for one in texts {
            let variant = names.fresh(&pascal(one, "Is"));
            let _ = writeln!(self.out, "    #[serde(rename = {})]\n    {variant},", text(one));
        }
        self.out.push_str("}\n");
    }

    fn union(&mut self, name: &str, parts: &[Shape]) {
        let mut names = Names::but(&["Self"]);
        let variants: Vec<_> = parts
            .iter()
            .map(|part| {
                let variant = names.fresh(kind(part));
                let is = self.shape(part, &format!("{name}{variant}"));
                format!("    {variant}({is}),\n")
            })
            .collect();
        let _ = writeln!(
            self.out,
            "\n#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]\n#[serde(crate = \"toft::repo::serde\", untagged)]\npub enum {name} {{\n{}}}",
            variants.concat()
        );
    }

    fn shape(&mut self, shape: &Shape, name: &str) -> String {
        match shape {
            Shape::Any => "repo::Json".into(),
            Shape::Null => "()".into(),
            Shape::Text => "String".into(),
            Shape::Integer | Shape::Integers(_) => "i64".into(),
            Shape::Number => "f64".into(),
            Shape::Flag => "bool".into(),
            Shape::List(item) => format!("Vec<{}>", self.shape(item, &format!("{name}Item"))),
            Shape::Map(item) => {
                format!("std::collections::BTreeMap<String, {}>", self.shape(item, &format!("{name}Value")))
            }
            Shape::Object(_) | Shape::Texts(_) | Shape::Union(_) => {
                let name = self.names.fresh(name);
                self.named(&name, shape);
                name
            }
        }
    }
}

fn kind(shape: &Shape) -> &'static str {
    match shape {
        Shape::Any => "Any",
        Shape::Null => "Null",
        Shape::Text => "Text",
        Shape::Integer | Shape::Integers(_) => "Integer",
        Shape::Number => "Number",
        Shape::Flag => "Flag",
        Shape::Texts(_) => "Choice",
        Shape::List(_) => "List",
        Shape::Map(_) | Shape::Object(_) => "Object",
        Shape::Union(_) => "Union",
    }
}

fn about(out: &mut String, indent: &str, about: &str, begins: bool) {
    let about = said(about);
    if begins {
        out.push('\n');
    }
    if !about.is_empty() {
        let _ = writeln!(out, "{indent}/// {about}");
    }
}

fn text(text: &str) -> String {
    quoted(text, |c| format!("\\u{{{:x}}}", u32::from(c)))
}
