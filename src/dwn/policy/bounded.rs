//! JSON Schemas (Draft 2020-12) of strangers: what they may ask for is bounded before one is compiled.
//!
//! A schema that refers to itself, or that refers so often that it says millions of things, costs without end to compile or to ask.
//! So references are followed once by hand. Expressions are matched in linear time, and data is as small as what lies beside a message.

use jsonschema::{Draft, PatternOptions, Validator};
use serde_json::Value;

/// Schemas inside a schema, each counted as often as it is referred to.
const SCHEMAS_MAX: usize = 10_000;
/// Nesting, references followed.
const DEPTH_MAX: usize = 40;
/// Bytes of one compiled expression.
const PATTERN_MAX: usize = 256 << 10;
/// Letters of all expressions together.
const PATTERNS_MAX: usize = 4_000;
const DRAFT: &str = "https://json-schema.org/draft/2020-12/schema";
/// Keywords that lead elsewhere, or give another meaning to where something leads.
const REFUSED: &[&str] =
    &["$id", "$anchor", "$dynamicRef", "$dynamicAnchor", "$recursiveRef", "$recursiveAnchor", "$vocabulary"];
/// Keywords whose value is data, whatever it looks like.
const DATA: &[&str] = &["const", "enum", "default", "examples"];
/// Keywords whose value is schemas by name.
const NAMED: &[&str] = &["properties", "patternProperties", "$defs", "definitions", "dependentSchemas"];

/// A schema that can be asked about data.
#[derive(Debug)]
pub(super) struct Schema(Validator);

impl Schema {
    /// Why it cannot be, if so.
    pub fn new(schema: &Value) -> Result<Self, String> {
        let mut bounds = Bounds { root: schema, schemas: 0, patterns: 0 };
        bounds.look(schema, 0)?;
        let patterns = PatternOptions::regex().size_limit(PATTERN_MAX).dfa_size_limit(PATTERN_MAX);
        let options = jsonschema::options().with_draft(Draft::Draft202012).with_pattern_options(patterns);
        let validator = options.should_validate_formats(true).build(schema);
        validator.map(Self).map_err(|wrong| format!("{wrong} (at {:?})", wrong.instance_path().as_str()))
    }

    /// The first thing wrong with data: the JSON pointer of the place in it, and what.
    pub fn check(&self, data: &Value) -> Result<(), (String, String)> {
        let wrong = |wrong: jsonschema::ValidationError<'_>| {
            // Without the value: it may be long, and secret.
            (wrong.instance_path().as_str().to_owned(), wrong.masked().to_string())
        };
        self.0.validate(data).map_err(wrong)
    }
}

struct Bounds<'a> {
    root: &'a Value,
    schemas: usize,
    patterns: usize,
}

impl Bounds<'_> {
    fn look(&mut self, schema: &Value, depth: usize) -> Result<(), String> {
        self.schemas += 1;
        if self.schemas > SCHEMAS_MAX {
            return Err(format!("it says more than {SCHEMAS_MAX} things, with all that it refers to"));
        }
        if depth > DEPTH_MAX {
            return Err(format!("it is nested deeper than {DEPTH_MAX} levels, or refers to itself"));
        }
        let Some(map) = schema.as_object() else { return Ok(()) };
        for (name, value) in map {
            match name.as_str() {
                "$schema" if value != DRAFT => return Err(format!("$schema is not {DRAFT}")),
                "$ref" => {
                    let pointer = value.as_str().and_then(|reference| reference.strip_prefix('#'));
                    let meant = pointer.and_then(|pointer| self.root.pointer(pointer));
                    let meant = meant.ok_or_else(|| {
                        format!("$ref {value} is no pointer into the same schema, like \"#/$defs/name\"")
                    })?;
                    self.look(meant, depth + 1)?;
                }
                name if REFUSED.contains(&name) => return Err(format!("{name} is not supported")),
                name if DATA.contains(&name) => {}
                "pattern" => self.pattern(value.as_str().unwrap_or_default())?,
                name if NAMED.contains(&name) => {
                    for (key, below) in value.as_object().into_iter().flatten() {
                        if name == "patternProperties" {
                            self.pattern(key)?;
                        }
                        self.look(below, depth + 1)?;
                    }
                }
                _ => match value {
                    Value::Array(all) => all.iter().try_for_each(|below| self.look(below, depth + 1))?,
                    Value::Object(_) => self.look(value, depth + 1)?,
                    _ => {}
                },
            }
        }
        Ok(())
    }

    fn pattern(&mut self, text: &str) -> Result<(), String> {
        self.patterns += text.len();
        if self.patterns <= PATTERNS_MAX {
            return Ok(());
        }
        Err(format!("its expressions have more than {PATTERNS_MAX} letters, with all that it refers to"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn refused(schema: Value) -> String {
        Schema::new(&schema).err().unwrap_or_else(|| panic!("taken: {schema}"))
    }

    #[test]
    fn what_would_cost_without_end_is_refused() {
        assert!(refused(json!({"$ref": "#"})).contains("refers to itself"));
        assert!(refused(json!({"properties": {"a": {"$ref": "#"}}})).contains("refers to itself"));
        let many = |of: &str| json!({"allOf": vec![json!({"$ref": of}); 150]});
        assert!(
            refused(json!({"$defs": {"a": many("#/$defs/b"), "b": many("#/$defs/c"), "c": true}}))
                .contains("more than 10000 things")
        );
        let mut deep = json!(true);
        for _ in 0..60 {
            deep = json!({"not": deep});
        }
        assert!(refused(deep).contains("nested deeper"));
        assert!(refused(json!({"pattern": "((a{1000}){1000}){1000}"})).to_lowercase().contains("pattern"));
        assert!(refused(json!({"pattern": "a".repeat(5_000)})).contains("letters"));
        for away in
            [json!({"$ref": "https://example.com/s"}), json!({"$ref": "#/nowhere"}), json!({"$id": "http://x.example"})]
        {
            assert!(!refused(away).is_empty());
        }
        assert!(refused(json!({"$schema": "http://json-schema.org/draft-07/schema#"})).contains("2020-12"));
        assert!(!refused(json!({"type": "nothing"})).is_empty());
        // What only looks like a schema is data.
        assert!(Schema::new(&json!({"const": {"$ref": "#"}, "enum": [{"$id": 1}, {"$ref": "#"}]})).is_ok());
    }

    #[test]
    fn an_expression_that_backtracks_for_ever_elsewhere_is_quick() {
        let schema = Schema::new(&json!({"pattern": "^(a+)+$"})).expect("compiles");
        assert!(schema.check(&json!("a".repeat(20_000) + "b")).is_err());
        assert!(schema.check(&json!("a".repeat(20_000))).is_ok());
        let many = Schema::new(&json!({"uniqueItems": true})).expect("compiles");
        assert!(many.check(&(0..10_000).collect::<Value>()).is_ok());
    }

    #[test]
    fn what_is_wrong_is_named_by_its_pointer_and_not_quoted() {
        let schema = Schema::new(&json!({
            "type": "object",
            "properties": {"items": {"type": "array", "items": {"$ref": "#/$defs/price"}}},
            "$defs": {"price": {"type": "integer", "minimum": 0}},
        }));
        let schema = schema.expect("compiles");
        assert_eq!(schema.check(&json!({"items": [1, 2]})), Ok(()));
        let (place, why) = schema.check(&json!({"items": [1, "my secret"]})).expect_err("is no price");
        assert_eq!(place, "/items/1");
        assert!(!why.contains("secret"), "{why}");
    }
}
