//! Checks the shape of messages and says what is wrong in the words JS clients know (AJV's), in the order
//! AJV looks: the first thing wrong is the only one told. The shapes themselves are in [`super::shapes`].

use super::refusal::Refusal;
use serde_json::{Map, Value};

/// What a JSON value must look like.
#[derive(Debug)]
pub(super) enum Shape {
    Any,
    Text,
    Number,
    NumberFrom(f64),
    Flag,
    TextOrNumber,
    /// A string that a test accepts; the second text is the pattern as the client knows it.
    Match(fn(&str) -> bool, &'static str),
    /// This string and no other value.
    Constant(&'static str),
    /// A string out of a list.
    Choice(&'static [&'static str]),
    List {
        min: usize,
        max: usize,
        each: &'static Shape,
    },
    Object(&'static ObjectSchema),
    /// Exactly one must fit.
    OneOf(&'static [Shape]),
    /// Anything more special, judged by code.
    Code(fn(&Value, &str) -> Result<(), Wrong>),
}

/// A rule between an object's members.
type Between = fn(&Map<String, Value>, &str) -> Result<(), Wrong>;

/// An object's members. `rule` is what AJV looks at before it looks at the members one by one.
#[derive(Debug)]
pub(super) struct ObjectSchema {
    pub rule: Option<Between>,
    pub min: usize,
    pub max: usize,
    pub required: &'static [&'static str],
    pub members: &'static [(&'static str, Shape)],
    pub others: Others,
    /// Rules between members; looked at before the members' own shapes.
    pub between: Option<Between>,
}

/// Members that an object's list does not name.
#[derive(Debug)]
pub(super) enum Others {
    Allowed,
    Refused,
    /// As `Refused`, in the words of `unevaluatedProperties`.
    Unevaluated,
    Are(&'static Shape),
    /// Names that the test accepts have the shape, all others are refused.
    Named(fn(&str) -> bool, &'static Shape),
}

impl ObjectSchema {
    /// An object with members of its own and no others.
    pub const fn closed(required: &'static [&'static str], members: &'static [(&'static str, Shape)]) -> Self {
        Self { rule: None, min: 0, max: usize::MAX, required, members, others: Others::Refused, between: None }
    }
}

/// The first thing wrong with a value: where, and what.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Wrong {
    code: &'static str,
    path: String,
    message: String,
    property: Option<String>,
}

impl Wrong {
    pub fn at(path: &str, message: impl Into<String>) -> Self {
        Self { code: "SchemaValidatorFailure", path: path.into(), message: message.into(), property: None }
    }

    pub fn missing(path: &str, name: &str) -> Self {
        Self::at(path, format!("must have required property '{name}'"))
    }

    pub fn not_allowed_value(path: &str) -> Self {
        Self::at(path, "must be equal to one of the allowed values")
    }

    fn property(code: &'static str, path: &str, message: &str, name: &str) -> Self {
        Self { code, path: path.into(), message: message.into(), property: Some(name.into()) }
    }
}

/// Checks `value` against the shape known to clients as `name`.
pub(super) fn check(name: &str, shape: &Shape, value: &Value) -> Result<(), Refusal> {
    shape.check(value, "").map_err(|wrong| {
        let path = if wrong.path.is_empty() { name } else { &wrong.path };
        match &wrong.property {
            Some(property) => Refusal::bad(wrong.code, format_args!("{}: {path}: {property}", wrong.message)),
            None => Refusal::bad(wrong.code, format_args!("{path}: {}", wrong.message)),
        }
    })
}

impl Shape {
    pub(super) fn check(&self, value: &Value, path: &str) -> Result<(), Wrong> {
        let be = |kind: &str, ok: bool| if ok { Ok(()) } else { Err(Wrong::at(path, format!("must be {kind}"))) };
        match self {
            Self::Any => Ok(()),
            Self::Text => be("string", value.is_string()),
            Self::Number => be("number", value.is_number()),
            Self::Flag => be("boolean", value.is_boolean()),
            Self::TextOrNumber => be("string,number", value.is_string() || value.is_number()),
            Self::NumberFrom(min) => {
                let number = value.as_f64().ok_or_else(|| Wrong::at(path, "must be number"))?;
                be(&format!(">= {min}"), number >= *min)
            }
            Self::Match(accepts, pattern) => {
                let text = value.as_str().ok_or_else(|| Wrong::at(path, "must be string"))?;
                if accepts(text) { Ok(()) } else { Err(Wrong::at(path, format!("must match pattern \"{pattern}\""))) }
            }
            Self::Choice(choices) => {
                let text = value.as_str().ok_or_else(|| Wrong::at(path, "must be string"))?;
                if choices.contains(&text) { Ok(()) } else { Err(Wrong::not_allowed_value(path)) }
            }
            Self::Constant(text) => be("equal to constant", value.as_str() == Some(text)),
            Self::List { min, max, each } => check_list(value, path, *min, *max, each),
            Self::Object(object) => object.check(value, path),
            Self::OneOf(shapes) => check_one_of(shapes, value, path),
            Self::Code(check) => check(value, path),
        }
    }
}

fn check_list(value: &Value, path: &str, min: usize, max: usize, each: &Shape) -> Result<(), Wrong> {
    let items = value.as_array().ok_or_else(|| Wrong::at(path, "must be array"))?;
    if items.len() > max {
        return Err(Wrong::at(path, format!("must NOT have more than {max} items")));
    }
    if items.len() < min {
        return Err(Wrong::at(path, format!("must NOT have fewer than {min} items")));
    }
    items.iter().enumerate().try_for_each(|(i, item)| each.check(item, &format!("{path}/{i}")))
}

fn check_one_of(shapes: &[Shape], value: &Value, path: &str) -> Result<(), Wrong> {
    let mut first_wrong = None;
    let mut fitting = 0;
    for shape in shapes {
        match shape.check(value, path) {
            Ok(()) => fitting += 1,
            Err(wrong) => first_wrong = first_wrong.or(Some(wrong)),
        }
        // AJV looks no further either, so what the others have against it is not told.
        if fitting == 2 {
            break;
        }
    }
    if fitting == 1 {
        return Ok(());
    }
    Err(first_wrong.unwrap_or_else(|| Wrong::at(path, "must match exactly one schema in oneOf")))
}

impl ObjectSchema {
    fn check(&self, value: &Value, path: &str) -> Result<(), Wrong> {
        let map = value.as_object().ok_or_else(|| Wrong::at(path, "must be object"))?;
        if let Some(rule) = self.rule {
            rule(map, path)?;
        }
        if map.len() > self.max {
            return Err(Wrong::at(path, format!("must NOT have more than {} properties", self.max)));
        }
        if map.len() < self.min {
            return Err(Wrong::at(path, format!("must NOT have fewer than {} properties", self.min)));
        }
        if let Some(name) = self.required.iter().find(|name| !map.contains_key(**name)) {
            return Err(Wrong::missing(path, name));
        }
        self.check_names(map, path)?;
        if let Some(between) = self.between {
            between(map, path)?;
        }
        for (name, shape) in self.members {
            if let Some(value) = map.get(*name) {
                shape.check(value, &step(path, name))?;
            }
        }
        self.check_others(map, path)
    }

    fn unnamed<'a>(&self, map: &'a Map<String, Value>) -> impl Iterator<Item = (&'a String, &'a Value)> {
        map.iter().filter(|(name, _)| !self.members.iter().any(|(known, _)| known == name))
    }

    fn check_names(&self, map: &Map<String, Value>, path: &str) -> Result<(), Wrong> {
        let refused = |accepts: fn(&str) -> bool| self.unnamed(map).find(|(name, _)| !accepts(name));
        let name = match self.others {
            Others::Refused => self.unnamed(map).next(),
            Others::Named(accepts, _) => refused(accepts),
            Others::Allowed | Others::Are(_) | Others::Unevaluated => None,
        };
        name.map_or(Ok(()), |(name, _)| {
            let code = "SchemaValidatorAdditionalPropertyNotAllowed";
            Err(Wrong::property(code, path, "must NOT have additional properties", name))
        })
    }

    fn check_others(&self, map: &Map<String, Value>, path: &str) -> Result<(), Wrong> {
        match self.others {
            Others::Are(shape) | Others::Named(_, shape) => {
                self.unnamed(map).try_for_each(|(name, value)| shape.check(value, &step(path, name)))
            }
            Others::Unevaluated => self.unnamed(map).next().map_or(Ok(()), |(name, _)| {
                let code = "SchemaValidatorUnevaluatedPropertyNotAllowed";
                Err(Wrong::property(code, path, "must NOT have unevaluated properties", name))
            }),
            Others::Allowed | Others::Refused => Ok(()),
        }
    }
}

/// JSON pointer of a member.
pub(super) fn step(path: &str, name: &str) -> String {
    format!("{path}/{}", name.replace('~', "~0").replace('/', "~1"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    static INNER: ObjectSchema = ObjectSchema { min: 1, ..ObjectSchema::closed(&[], &[("a/b", Shape::Text)]) };
    static OUTER: Shape = Shape::Object(&ObjectSchema::closed(
        &["in"],
        &[
            ("in", Shape::Object(&INNER)),
            ("one", Shape::OneOf(&[Shape::Text, Shape::List { min: 1, max: 2, each: &Shape::NumberFrom(1.0) }])),
        ],
    ));

    #[test]
    fn the_first_thing_wrong_is_told_with_its_place() {
        let says = |value: Value| check("Outer", &OUTER, &value).map_err(|refusal| refusal.detail).err();
        let failure = |text: &str| Some(format!("SchemaValidatorFailure: {text}"));
        assert_eq!(says(json!({"in": {"a/b": "x"}, "one": [1, 2.5]})), None);
        assert_eq!(says(json!([])), failure("Outer: must be object"));
        assert_eq!(says(json!({"one": 1})), failure("Outer: must have required property 'in'"));
        assert_eq!(says(json!({"in": {}})), failure("/in: must NOT have fewer than 1 properties"));
        assert_eq!(says(json!({"in": {"a/b": 1}})), failure("/in/a~1b: must be string"));
        assert_eq!(says(json!({"in": {"a/b": "x"}, "one": [0]})), failure("/one: must be string"));
        let extra = "SchemaValidatorAdditionalPropertyNotAllowed: must NOT have additional properties";
        assert_eq!(says(json!({"in": {"c": 1}})), Some(format!("{extra}: /in: c")));
        assert_eq!(says(json!({"in": {"a/b": "x"}, "c": 1})), Some(format!("{extra}: Outer: c")));
    }
}
