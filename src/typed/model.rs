//! What of a protocol's definition becomes code, the same for each language.

use super::{
    names::{Names, pascal},
    shape::{Field, Object, Shape, fields_of},
};
use crate::{dwn::Lint, foreign::shown};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Places of a structure that code is made for.
const PLACES_MAX: usize = 500;
/// What is named after a place: none of these is ever the name of another one.
const ENDS: &[&str] = &["Data", "Tags", "TagFilter", "Records", "New"];

/// JSON Schemas of data, by the type's name.
pub type Schemas = BTreeMap<String, Value>;

/// Why no code can be made of a definition.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unfit(String);

#[derive(Debug)]
pub(super) struct Model {
    /// Its URI; foreign.
    pub protocol: String,
    /// `MessageProtocol` without `Protocol`.
    pub name: String,
    pub places: Vec<Place>,
    /// What types of this module are called.
    pub names: Names,
}

/// The records at one path.
#[derive(Debug)]
pub(super) struct Place {
    /// Foreign, as what follows.
    pub path: String,
    pub schema: Option<String>,
    pub formats: Vec<String>,
    /// Of the type `ThreadMessage`.
    pub name: String,
    pub data: Data,
    /// Nothing: tags have any names.
    pub tags: Tags,
    /// It stands below another record.
    pub is_below: bool,
    /// Its recipient gets a role.
    pub is_role: bool,
}

#[derive(Debug)]
pub(super) enum Data {
    /// JSON, of this media type.
    Json(Shape, String),
    /// Bytes, of one of the formats; of any, if none is named.
    Bytes,
}

#[derive(Debug)]
pub(super) struct Tags {
    pub known: Vec<Field>,
    /// There may be others.
    pub open: bool,
}

impl Tags {
    pub fn object(&self) -> Object {
        Object { about: String::new(), fields: self.known.clone(), open: self.open }
    }

    /// A record without tags is fit.
    pub fn can_be_none(&self) -> bool {
        !self.known.iter().any(|tag| tag.required)
    }
}

impl Model {
    /// `reserved`: names that mean something in the language, or to what the code uses.
    pub fn of(definition: &Map<String, Value>, schemas: &Schemas, reserved: &[&str]) -> Result<Self, Unfit> {
        let json = Value::from(definition.clone());
        if let Some(problem) = Lint::of(&json).problems.first() {
            return Err(Unfit(format!(
                "no node would take this definition, so there are no records to make code for: {problem}"
            )));
        }
        // Its URIs are in the form in which they stand in records: a node takes no other.
        let protocol = json["protocol"].as_str().unwrap_or_default();
        let last = protocol.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
        let mut names = Names::but(reserved);
        let name = pascal(last, "Of");
        names.fresh(&format!("{name}Protocol"));
        let mut places = Vec::new();
        find("", &json["structure"], &mut |path, rules| {
            let (above, kind) = path.rsplit_once('/').unwrap_or(("", path));
            let kind = &json["types"][kind];
            let schema = kind["schema"].as_str().map(str::to_owned);
            let formats: Vec<String> = texts(&kind["dataFormats"]);
            let of_data = schemas.get(path.rsplit('/').next().unwrap_or(path));
            if places.len() == PLACES_MAX {
                return Err(Unfit(format!(
                    "the definition has more than {PLACES_MAX} places for records: make code for a smaller one"
                )));
            }
            places.push(Place {
                name: names.with_ends(&pascal(path, "Type"), ENDS),
                data: data(of_data, schema.is_some(), &formats),
                tags: tags(&rules["$tags"]),
                is_below: !above.is_empty(),
                is_role: rules["$role"] == true,
                path: path.to_owned(),
                schema,
                formats,
            });
            Ok(())
        })?;
        Ok(Self { protocol: protocol.to_owned(), name, places, names })
    }

    /// What each place is called beside the others, and never one of these words: `threadMessage`, if `named` is `camel`.
    pub fn members(&self, words: &'static [&'static str], named: fn(&str, &str) -> String) -> Vec<String> {
        let mut names = Names::members(words);
        self.places.iter().map(|place| names.fresh(&named(&place.name, "of"))).collect()
    }
}

impl Place {
    /// The one format of its data, if there is no choice.
    pub fn format(&self) -> Option<&str> {
        match (&self.data, self.formats.as_slice()) {
            (Data::Json(_, format), _) => Some(format),
            (Data::Bytes, [only]) => Some(only),
            (Data::Bytes, _) => None,
        }
    }
}

fn find(above: &str, structure: &Value, see: &mut dyn FnMut(&str, &Value) -> Result<(), Unfit>) -> Result<(), Unfit> {
    for (name, rules) in structure.as_object().into_iter().flatten().filter(|(name, _)| !name.starts_with('$')) {
        if name.contains('/') {
            let name = shown(name);
            return Err(Unfit(format!(
                "the type {name} has a slash in its name, which parts types in a path, so no record can be of it: rename the type"
            )));
        }
        let path = if above.is_empty() { name.clone() } else { format!("{above}/{name}") };
        see(&path, rules)?;
        find(&path, rules, see)?;
    }
    Ok(())
}

fn data(schema: Option<&Value>, names_schema: bool, formats: &[String]) -> Data {
    let is_json = |format: &&String| *format == "application/json" || format.ends_with("+json");
    let json = formats.iter().find(is_json).cloned();
    let all_json = !formats.is_empty() && formats.iter().all(|format| is_json(&format));
    // Data that a schema is about is JSON, if it may be.
    let may_be = json.is_some() || formats.is_empty();
    match schema {
        Some(schema) if may_be => Data::Json(Shape::of(schema), json.unwrap_or_else(|| "application/json".into())),
        _ if all_json || formats.is_empty() && names_schema => {
            Data::Json(Shape::Any, json.unwrap_or_else(|| "application/json".into()))
        }
        _ => Data::Bytes,
    }
}

fn tags(rules: &Value) -> Tags {
    let Some(map) = rules.as_object() else { return Tags { known: Vec::new(), open: true } };
    let schemas: Map<String, Value> = map
        .iter()
        .filter(|(name, _)| !matches!(name.as_str(), "$requiredTags" | "$allowUndefinedTags"))
        .map(|(name, schema)| (name.clone(), schema.clone()))
        .collect();
    let mut known = fields_of(&schemas, map.get("$requiredTags"), Shape::of);
    known.iter_mut().for_each(|tag| tag.shape = tag_shape(std::mem::replace(&mut tag.shape, Shape::Any)));
    // One that must be there and of which nothing else is said.
    let said: Vec<_> = known.iter().map(|tag| tag.name.clone()).collect();
    let silent = texts(&rules["$requiredTags"]).into_iter().filter(|name| !said.contains(name));
    known.extend(silent.map(|name| Field { name, about: String::new(), shape: Shape::Any, required: true }));
    known.sort_by_key(|tag| !tag.required);
    Tags { known, open: rules["$allowUndefinedTags"] == true }
}

/// Tags are texts, numbers, flags, and lists of texts or of numbers.
fn tag_shape(shape: Shape) -> Shape {
    match shape {
        Shape::List(item) => match *item {
            Shape::Text | Shape::Texts(_) | Shape::Integer | Shape::Integers(_) | Shape::Number => Shape::List(item),
            _ => Shape::Any,
        },
        Shape::Map(_) | Shape::Object(_) | Shape::Union(_) | Shape::Null => Shape::Any,
        plain => plain,
    }
}

fn texts(list: &Value) -> Vec<String> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn model(definition: Value, schemas: Value) -> Result<Model, Unfit> {
        let schemas = serde_json::from_value(schemas).expect("schemas by name");
        Model::of(definition.as_object().expect("an object"), &schemas, &["Taken"])
    }

    fn definition(types: Value, structure: Value) -> Value {
        json!({"protocol": "https://a.example/chat", "published": true, "types": types, "structure": structure})
    }

    #[test]
    fn places_have_what_the_definition_and_the_schemas_say() {
        let types = json!({
            "thread": {"schema": "https://a.example/thread", "dataFormats": ["application/json"]},
            "photo": {"dataFormats": ["image/png", "image/jpeg"]},
            "note": {},
        });
        let structure = json!({
            "thread": {"$role": true, "$tags": {"$requiredTags": ["b"], "a": {"type": "string"}, "b": {"type": "integer"}}, "photo": {}},
            "note": {"$tags": {"$requiredTags": ["c"], "$allowUndefinedTags": true, "d": {"type": "array", "items": {"type": "string"}}}},
        });
        let model = model(definition(types, structure), json!({"thread": {"type": "string"}})).expect("fit");
        let [note, thread, photo] = model.places.as_slice() else { panic!("three places: {:?}", model.places) };
        assert_eq!((model.name.as_str(), photo.name.as_str(), photo.is_below), ("Chat", "ThreadPhoto", true));
        assert!(matches!(&thread.data, Data::Json(Shape::Text, format) if format == "application/json"));
        assert!(matches!((&photo.data, photo.format()), (Data::Bytes, None)));
        let shown = |place: &Place| -> Vec<_> {
            place.tags.known.iter().map(|tag| (tag.name.clone(), tag.shape.clone(), tag.required)).collect()
        };
        assert_eq!(shown(thread), [("b".to_owned(), Shape::Integer, true), ("a".to_owned(), Shape::Text, false)]);
        assert_eq!(
            shown(note),
            [("c".to_owned(), Shape::Any, true), ("d".to_owned(), Shape::List(Box::new(Shape::Text)), false)]
        );
        assert!(note.tags.open && !thread.tags.open && photo.tags.open && thread.is_role);
    }

    #[test]
    fn what_cannot_be_made_code_for_is_said() {
        let wrong = |definition| model(definition, json!({})).expect_err("unfit").to_string();
        assert!(wrong(json!({"protocol": 1})).starts_with("no node would take this definition"));
        let said = wrong(definition(json!({"a/b": {}}), json!({"a/b": {}})));
        assert!(said.contains("a/b") && said.contains("slash"), "{said}");
    }

    #[test]
    fn names_that_come_to_the_same_are_told_apart() {
        let types = json!({"a": {}, "b": {}, "aB": {}, "taken": {}, "日": {}, "aData": {}});
        let structure = json!({"a": {"b": {}}, "aB": {}, "taken": {}, "日": {}, "aData": {}});
        let model = model(definition(types, structure), json!({})).expect("fit");
        let names: Vec<_> = model.places.iter().map(|place| place.name.as_str()).collect();
        assert_eq!(names, ["A", "AB", "AB2", "AData2", "Taken2", "Type"]);
    }
}
