//! What no definition and no schema can do: leave a text, a comment or a name.

use super::{Language, Schemas, module};
use serde_json::{Value, json};

const ALL: [Language; 3] = [Language::Rust, Language::TypeScript, Language::Python];

fn made(language: Language, definition: &Value, schemas: &Value) -> String {
    let schemas: Schemas = serde_json::from_value(schemas.clone()).expect("by name");
    module(language, definition.as_object().expect("an object"), &schemas).expect("fit")
}

/// Ends of texts and comments in the three languages, each followed by a word that must not become code.
const EVIL: &str = "\"escaped\n*/ escaped /* */ escaped\r\n\"\"\" escaped ``` escaped \\\" escaped {escaped} \u{2028}escaped ${escaped} '''escaped";

#[test]
fn no_foreign_text_is_code() {
    let definition = json!({
        // No other signs are in a URI that is in its normal form.
        "protocol": "https://a.example/*/escaped/*'(escaped);",
        "published": true,
        "types": {EVIL.replace('/', ":"): {"schema": "https://a.example/s", "dataFormats": [EVIL]}},
        "structure": {EVIL.replace('/', ":"): {"$tags": {EVIL: {"type": "string", "enum": [EVIL]}}}},
    });
    let object = json!({"type": "object", "description": EVIL, "required": [EVIL],
        "properties": {EVIL: {"description": EVIL, "enum": [EVIL]}, "b": {"type": "object", "title": EVIL, "properties": {EVIL: true}}}});
    let schemas = json!({EVIL.replace('/', ":"): object});
    for language in ALL {
        let made = made(language, &definition, &schemas);
        for line in made.lines() {
            assert!(line.chars().all(|c| c.is_alphanumeric() || (' '..='~').contains(&c)), "{line:?}");
            let trimmed = line.trim_start();
            let comment = ["//", "/**", "#", "\"\"\""].iter().any(|begin| trimmed.starts_with(begin))
                && !trimmed.starts_with("#[");
            if comment {
                let inner = trimmed.trim_start_matches("/**").trim_end_matches("*/");
                assert!(!inner.contains("*/"), "{line}");
                continue;
            }
            let bare = without_texts(line);
            let is_name = |at: usize| bare[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
            let found =
                bare.match_indices("escaped").find(|(at, _)| !is_name(*at) && bare[*at..].starts_with("escaped "));
            assert_eq!(found, None, "{line}");
        }
    }
}

/// A line without its texts in quotes; each must end in it.
fn without_texts(line: &str) -> String {
    let (mut bare, mut is_in, mut is_escaped) = (String::new(), false, false);
    for c in line.chars() {
        match (is_in, is_escaped, c) {
            (false, _, '"') => is_in = true,
            (false, _, c) => bare.push(c),
            (true, true, _) => is_escaped = false,
            (true, false, '\\') => is_escaped = true,
            (true, false, '"') => is_in = false,
            _ => {}
        }
    }
    assert!(!is_in, "a text goes on after its line: {line}");
    bare
}

#[test]
fn words_of_a_language_are_no_names() {
    let types = json!({"class": {}, "self": {}, "constructor": {}, "type": {}, "String": {}, "none": {}, "def": {}});
    let structure = json!({"class": {"$tags": {"type": {"type": "string"}, "class": {"type": "string"}, "str": {"type": "string"}}},
        "self": {}, "constructor": {}, "type": {}, "String": {}, "none": {}, "def": {}});
    let definition =
        json!({"protocol": "https://a.example/a", "published": true, "types": types, "structure": structure});
    let rust = made(Language::Rust, &definition, &json!({}));
    for part in
        ["pub struct String2;", "pub fn type_(", "pub struct None2;", "rename = \"type\"", "pub type_: Option<String>"]
    {
        assert!(rust.contains(part), "{part}: {rust}");
    }
    let typescript = made(Language::TypeScript, &definition, &json!({}));
    assert!(typescript.contains("readonly constructor_: ConstructorRecords;"), "{typescript}");
    let python = made(Language::Python, &definition, &json!({}));
    assert!(python.contains("self.class_ =") && python.contains("ClassTags = TypedDict("), "{python}");
}
