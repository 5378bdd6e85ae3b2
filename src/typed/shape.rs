//! What of a JSON Schema becomes a type: its plain part. What else it says (patterns, bounds, conditions) is not in types, and a
//! schema that is none of these is any JSON.

use serde_json::{Map, Value};
use std::cell::{Cell, RefCell};

/// Schemas in schemas that are looked at; below, anything goes.
const DEPTH_MAX: usize = 24;
/// Schemas that are looked at in all, however often one names another.
const SHAPES_MAX: u32 = 4096;

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Shape {
    Any,
    Null,
    Text,
    Integer,
    Number,
    Flag,
    /// One of these texts.
    Texts(Vec<String>),
    /// One of these numbers.
    Integers(Vec<i64>),
    List(Box<Shape>),
    /// An object whose members have any names.
    Map(Box<Shape>),
    Object(Object),
    Union(Vec<Shape>),
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Object {
    /// For people; foreign.
    pub about: String,
    pub fields: Vec<Field>,
    /// It may have other members too.
    pub open: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Field {
    /// Foreign.
    pub name: String,
    pub about: String,
    pub shape: Shape,
    pub required: bool,
}

impl Shape {
    pub fn of(schema: &Value) -> Self {
        Reader { root: schema, left: Cell::new(SHAPES_MAX), begun: RefCell::default() }.shape(schema, 0)
    }
}

/// Reads one schema. What it names again while it is read, and what is too much, is any JSON.
struct Reader<'a> {
    root: &'a Value,
    left: Cell<u32>,
    /// The references that are being followed.
    begun: RefCell<Vec<String>>,
}

impl Reader<'_> {
    fn shape(&self, schema: &Value, depth: usize) -> Shape {
        let Some(map) = schema.as_object().filter(|_| depth < DEPTH_MAX && self.left.get() > 0) else {
            return Shape::Any;
        };
        self.left.set(self.left.get() - 1);
        if let Some(place) = map.get("$ref").and_then(Value::as_str) {
            return self.referred(place, depth);
        }
        if let Some(literal) = map.get("const") {
            return literals(std::slice::from_ref(literal));
        }
        if let Some(list) = map.get("enum").and_then(Value::as_array) {
            return literals(list);
        }
        let choice = ["oneOf", "anyOf"].iter().find_map(|name| map.get(*name)?.as_array());
        if let Some(parts) = choice.filter(|_| !map.contains_key("properties")) {
            return union(parts.iter().map(|part| self.shape(part, depth + 1)).collect());
        }
        match map.get("type") {
            Some(Value::String(kind)) => self.of_kind(kind, map, depth),
            Some(Value::Array(kinds)) => {
                let kinds = kinds.iter().filter_map(Value::as_str);
                union(kinds.map(|kind| self.of_kind(kind, map, depth)).collect())
            }
            _ if map.contains_key("properties") => self.of_kind("object", map, depth),
            _ => Shape::Any,
        }
    }

    fn referred(&self, place: &str, depth: usize) -> Shape {
        let found = place.strip_prefix('#').and_then(|pointer| self.root.pointer(pointer));
        let Some(found) = found.filter(|_| !self.begun.borrow().iter().any(|begun| begun == place)) else {
            return Shape::Any;
        };
        self.begun.borrow_mut().push(place.to_owned());
        let shape = self.shape(found, depth + 1);
        self.begun.borrow_mut().pop();
        shape
    }

    fn of_kind(&self, kind: &str, map: &Map<String, Value>, depth: usize) -> Shape {
        let inner = |schema: &Value| self.shape(schema, depth + 1);
        match kind {
            "null" => Shape::Null,
            "string" => Shape::Text,
            "integer" => Shape::Integer,
            "number" => Shape::Number,
            "boolean" => Shape::Flag,
            // What the first items are is not said by a type of all of them.
            "array" if map.contains_key("prefixItems") => Shape::List(Box::new(Shape::Any)),
            "array" => Shape::List(Box::new(map.get("items").map_or(Shape::Any, inner))),
            "object" => {
                let others = map.get("additionalProperties");
                match map.get("properties").and_then(Value::as_object).filter(|fields| !fields.is_empty()) {
                    Some(fields) => Shape::Object(Object {
                        about: about(map),
                        fields: fields_of(fields, map.get("required"), inner),
                        open: others != Some(&Value::Bool(false)),
                    }),
                    None => Shape::Map(Box::new(others.map_or(Shape::Any, inner))),
                }
            }
            _ => Shape::Any,
        }
    }
}

/// Fields by their schemas, those that must be there first.
pub(super) fn fields_of(
    fields: &Map<String, Value>,
    required: Option<&Value>,
    shape: impl Fn(&Value) -> Shape,
) -> Vec<Field> {
    let required = required.and_then(Value::as_array);
    let is_required = |name: &str| required.is_some_and(|names| names.iter().any(|one| one.as_str() == Some(name)));
    let mut fields: Vec<_> = fields
        .iter()
        .map(|(name, schema)| Field {
            name: name.clone(),
            about: schema.as_object().map(about).unwrap_or_default(),
            shape: shape(schema),
            required: is_required(name),
        })
        .collect();
    fields.sort_by_key(|field| !field.required);
    fields
}

fn about(map: &Map<String, Value>) -> String {
    let text = |name: &str| map.get(name).and_then(Value::as_str);
    text("description").or_else(|| text("title")).unwrap_or_default().to_owned()
}

/// One type, or of several kinds: each.
fn literals(list: &[Value]) -> Shape {
    let texts: Option<Vec<_>> = list.iter().map(|value| value.as_str().map(str::to_owned)).collect();
    let integers: Option<Vec<_>> = list.iter().map(Value::as_i64).collect();
    match (texts, integers) {
        _ if list.is_empty() => Shape::Any,
        (Some(texts), _) => Shape::Texts(without_doubles(texts)),
        (_, Some(integers)) => Shape::Integers(without_doubles(integers)),
        _ if list.iter().all(Value::is_boolean) => Shape::Flag,
        _ if list.iter().all(Value::is_number) => Shape::Number,
        _ => Shape::Any,
    }
}

fn union(parts: Vec<Shape>) -> Shape {
    let mut parts = without_doubles(parts);
    match parts.len() {
        _ if parts.contains(&Shape::Any) => Shape::Any,
        0 => Shape::Any,
        1 => parts.remove(0),
        _ => Shape::Union(parts),
    }
}

fn without_doubles<T: PartialEq>(list: Vec<T>) -> Vec<T> {
    list.into_iter().fold(Vec::new(), |mut sofar, one| {
        if !sofar.contains(&one) {
            sofar.push(one);
        }
        sofar
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn list(shape: Shape) -> Shape {
        Shape::List(Box::new(shape))
    }

    #[test]
    fn the_plain_part_of_a_schema_is_a_shape() {
        for (schema, is) in [
            (json!({"type": "string", "pattern": "^a"}), Shape::Text),
            (json!({"type": "string", "enum": ["a", "b", "a"]}), Shape::Texts(vec!["a".into(), "b".into()])),
            (json!({"const": 1}), Shape::Integers(vec![1])),
            (json!({"enum": ["a", 1]}), Shape::Any),
            (json!({"type": "array", "items": {"type": "integer"}}), list(Shape::Integer)),
            (json!({"type": "array", "prefixItems": [{"const": 1}]}), list(Shape::Any)),
            (json!({"type": ["string", "null"]}), Shape::Union(vec![Shape::Text, Shape::Null])),
            (json!({"oneOf": [{"type": "string"}, {"type": "string", "minLength": 1}]}), Shape::Text),
            (json!({"type": "object", "additionalProperties": {"type": "boolean"}}), Shape::Map(Box::new(Shape::Flag))),
            (json!({"$ref": "#/$defs/a", "$defs": {"a": {"type": "number"}}}), Shape::Number),
            (json!({"$ref": "https://elsewhere.example/a"}), Shape::Any),
            (json!(true), Shape::Any),
        ] {
            assert_eq!(Shape::of(&schema), is, "{schema}");
        }
    }

    #[test]
    fn a_schema_that_names_itself_or_too_much_ends() {
        let schema = json!({"type": "object", "properties": {"next": {"$ref": "#"}}});
        let Shape::Object(outer) = Shape::of(&schema) else { panic!("an object") };
        let Shape::Object(inner) = &outer.fields[0].shape else { panic!("once more") };
        assert_eq!(inner.fields[0].shape, Shape::Any);

        let twice = |name: &str| json!({"properties": {"a": {"$ref": name}, "b": {"$ref": name}}});
        let mut schema = twice("#/$defs/0");
        for n in 0..20 {
            schema["$defs"][n.to_string()] = twice(&format!("#/$defs/{}", n + 1));
        }
        fn size(shape: &Shape) -> u32 {
            match shape {
                Shape::Object(object) => 1 + object.fields.iter().map(|field| size(&field.shape)).sum::<u32>(),
                _ => 1,
            }
        }
        assert!(size(&Shape::of(&schema)) <= 2 * SHAPES_MAX);
    }
}
