//! A module in Python, over `clients/python`.

use super::{
    model::{Data, Model, Place, Schemas, Tags, Unfit},
    names::{Names, is_name, pascal, quoted, said, snake},
    shape::{Object, Shape},
};
use serde_json::{Map, Value};
use std::fmt::Write as _;

/// What is imported, and words of the language.
const RESERVED: &[&str] = &[
    "Any",
    "Literal",
    "NotRequired",
    "TypeAlias",
    "TypedDict",
    "None",
    "True",
    "False",
    "repo",
    "str",
    "int",
    "float",
    "bool",
    "bytes",
    "list",
    "dict",
];
const WORDS: &[&str] = &[
    "and", "as", "assert", "async", "await", "break", "class", "continue", "def", "del", "elif", "else", "except",
    "finally", "for", "from", "global", "if", "import", "in", "is", "lambda", "nonlocal", "not", "or", "pass", "raise",
    "return", "try", "while", "with", "yield", "self",
];

pub(super) fn module(definition: &Map<String, Value>, schemas: &Schemas) -> Result<String, Unfit> {
    let model = Model::of(definition, schemas, RESERVED)?;
    let members = model.members(WORDS, snake);
    let Model { protocol, name, places, names } = model;
    let mut python = Python { out: String::new(), names };
    let _ = writeln!(
        python.out,
        "\"\"\"The records of {}, typed. Made by `toft protocol gen --lang python`: make it anew, and do not change it.\"\"\"\n\nfrom __future__ import annotations\n\nfrom typing import Any, Literal, NotRequired, TypeAlias, TypedDict\n\nfrom toft import repo",
        said(&protocol)
    );
    for place in &places {
        python.place(&protocol, place);
    }
    let mut out = python.out;
    let _ = writeln!(
        out,
        "\n\nclass {name}Protocol:\n    \"\"\"All of its records.\"\"\"\n\n    def __init__(self, node: repo.Node, *, sender: str | None = None, tenant: str | None = None) -> None:"
    );
    for (place, member) in places.iter().zip(&members) {
        let _ = writeln!(out, "        #: {}", said(&place.path));
        let _ = writeln!(out, "        self.{member} = {}Records(node, sender=sender, tenant=tenant)", place.name);
    }
    if places.is_empty() {
        out.push_str("        pass\n");
    }
    Ok(out)
}

struct Python {
    out: String,
    names: Names,
}

impl Python {
    fn place(&mut self, protocol: &str, place: &Place) {
        let Place { name, path, .. } = place;
        let (data, is_json) = match &place.data {
            Data::Json(shape, _) => (self.named(&format!("{name}Data"), shape), "True"),
            Data::Bytes => (self.alias(&format!("{name}Data"), "bytes"), "False"),
        };
        let tags = self.tags(place);
        let filter = self.filter(place);
        let _ = writeln!(
            self.out,
            "\n\nclass {name}Records(repo.Records[{data}, {tags}, {filter}]):\n    #: Records at {}",
            said(path)
        );
        let optional = |value: Option<&str>| value.map_or("None".to_owned(), text);
        let facts = [
            ("PROTOCOL", text(protocol)),
            ("PATH", text(path)),
            ("SCHEMA", optional(place.schema.as_deref())),
            ("DATA_FORMAT", optional(place.format())),
            ("IS_JSON", is_json.to_owned()),
        ];
        for (fact, value) in facts {
            let _ = writeln!(self.out, "    {fact} = {value}");
        }
        self.create(place, &data, &tags);
    }

    /// What a new record needs is in the function's parameters.
    fn create(&mut self, place: &Place, data: &str, tags: &str) {
        let mut params = Vec::new();
        let mut passed = vec!["tags=tags".to_owned(), "recipient=recipient".to_owned()];
        let mut optional = Vec::new();
        if place.is_below {
            params.push("parent: repo.Parent".to_owned());
            passed.push("parent=parent".into());
        }
        match place.tags.can_be_none() {
            true => optional.push(format!("tags: {tags} | None = None")),
            false => params.push(format!("tags: {tags}")),
        }
        match place.is_role {
            true => params.push("recipient: str".into()),
            false => optional.push("recipient: str | None = None".into()),
        }
        if place.format().is_none() {
            params.push(format!("data_format: {}", formats(&place.formats)));
            passed.push("data_format=data_format".into());
        }
        optional.extend(["published: bool | None = None", "role: str | None = None"].map(str::to_owned));
        passed.extend(["published=published", "role=role"].map(str::to_owned));
        params.extend(optional);
        let _ = writeln!(
            self.out,
            "\n    def create(\n        self,\n        data: {data},\n        *,\n        {},\n    ) -> repo.Written:\n        return self._create(data, {})",
            params.join(",\n        "),
            passed.join(", ")
        );
    }

    fn tags(&mut self, place: &Place) -> String {
        let name = format!("{}Tags", place.name);
        // A TypedDict has no other members, so tags that may have any are a plain one.
        if place.tags.open {
            return self.alias(&name, "dict[str, repo.TagValue]");
        }
        self.object(&name, &place.tags.object());
        name
    }

    fn filter(&mut self, place: &Place) -> String {
        let name = format!("{}TagFilter", place.name);
        if place.tags.open {
            return self.alias(&name, "dict[str, repo.AnyFilter]");
        }
        let Tags { known, .. } = &place.tags;
        let fields: Vec<_> = known.iter().map(|tag| (tag.name.as_str(), "", false, condition(&tag.shape))).collect();
        self.typed_dict(&name, "", &fields);
        name
    }

    /// A type of this name.
    fn named(&mut self, name: &str, shape: &Shape) -> String {
        match shape {
            Shape::Object(object) => {
                self.object(name, object);
                name.to_owned()
            }
            shape => {
                let shape = self.shape(shape, name);
                self.alias(name, &shape)
            }
        }
    }

    fn alias(&mut self, name: &str, is: &str) -> String {
        let _ = writeln!(self.out, "\n\n{name}: TypeAlias = {is}");
        name.to_owned()
    }

    /// An object within another gets a name, and stands before it.
    fn object(&mut self, name: &str, object: &Object) {
        let shapes: Vec<_> = object
            .fields
            .iter()
            .map(|field| self.shape(&field.shape, &format!("{name}{}", pascal(&field.name, "Field"))))
            .collect();
        let fields: Vec<_> = object
            .fields
            .iter()
            .zip(shapes)
            .map(|(field, shape)| (field.name.as_str(), field.about.as_str(), field.required, shape))
            .collect();
        self.typed_dict(name, &object.about, &fields);
    }

    fn typed_dict(&mut self, name: &str, about: &str, fields: &[(&str, &str, bool, String)]) {
        let out = &mut self.out;
        let typed = |required: bool, shape: &str| match required {
            true => shape.to_owned(),
            false => format!("NotRequired[{shape}]"),
        };
        let plain =
            fields.iter().all(|(field, ..)| is_name(field) && !WORDS.contains(field) && !RESERVED.contains(field));
        if !plain {
            let _ = writeln!(out, "\n\n{name} = TypedDict(\n    \"{name}\",\n    {{");
            for (field, about, required, shape) in fields {
                comment(out, "        ", about);
                let _ = writeln!(out, "        {}: {},", text(field), typed(*required, shape));
            }
            out.push_str("    },\n)\n");
            return;
        }
        let _ = writeln!(out, "\n\nclass {name}(TypedDict):");
        comment(out, "    ", about);
        for (field, about, required, shape) in fields {
            comment(out, "    ", about);
            let _ = writeln!(out, "    {field}: {}", typed(*required, shape));
        }
        if fields.is_empty() {
            out.push_str("    pass\n");
        }
    }

    fn shape(&mut self, shape: &Shape, name: &str) -> String {
        match shape {
            Shape::Any => "Any".into(),
            Shape::Null => "None".into(),
            Shape::Text => "str".into(),
            Shape::Integer => "int".into(),
            Shape::Number => "float".into(),
            Shape::Flag => "bool".into(),
            Shape::Texts(texts) => literal(texts.iter().map(|one| text(one))),
            Shape::Integers(numbers) => literal(numbers.iter().map(i64::to_string)),
            Shape::List(item) => format!("list[{}]", self.shape(item, &format!("{name}Item"))),
            Shape::Map(item) => format!("dict[str, {}]", self.shape(item, &format!("{name}Value"))),
            Shape::Object(object) => {
                let name = self.names.fresh(name);
                self.object(&name, object);
                name
            }
            Shape::Union(parts) => parts.iter().map(|part| self.shape(part, name)).collect::<Vec<_>>().join(" | "),
        }
    }
}

fn condition(shape: &Shape) -> String {
    match shape {
        Shape::Text => "repo.TextFilter".into(),
        Shape::Texts(texts) => literal(texts.iter().map(|one| text(one))),
        Shape::Integer | Shape::Integers(_) | Shape::Number => "repo.NumberFilter".into(),
        Shape::Flag => "bool".into(),
        Shape::List(item) => condition(item),
        _ => "repo.AnyFilter".into(),
    }
}

fn formats(formats: &[String]) -> String {
    if formats.is_empty() { "str".into() } else { literal(formats.iter().map(|format| text(format))) }
}

fn literal(values: impl Iterator<Item = String>) -> String {
    format!("Literal[{}]", values.collect::<Vec<_>>().join(", "))
}

fn comment(out: &mut String, indent: &str, about: &str) {
    let about = said(about);
    if !about.is_empty() {
        let _ = writeln!(out, "{indent}#: {about}");
    }
}

fn text(text: &str) -> String {
    quoted(text, |c| format!("\\U{:08x}", u32::from(c)))
}
