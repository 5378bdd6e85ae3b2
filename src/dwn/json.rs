//! A message's JSON, and the text it is answered with: the tree for the rules, the text for the wire.
//!
//! One message is answered many times. Its text is made the first time and kept beside the tree, so that an answer
//! copies bytes and never builds a tree.

use crate::cid;
use serde_json::Value;
use std::{cell::RefCell, ops::Deref, sync::OnceLock};

/// Bytes that a thread keeps to make texts in.
const TEXT_MAX: usize = 64 << 10;

/// JSON that may be asked for as text or as a tree: whichever it is not yet is made the first time.
#[derive(Debug, Clone)]
pub struct Json {
    tree: OnceLock<Value>,
    text: OnceLock<Box<str>>,
}

impl Json {
    /// The JSON of a message's DAG-CBOR.
    pub fn of_cbor(bytes: &[u8]) -> Result<Self, cid::Error> {
        thread_local! {
            /// Texts are made here one after the other, so that each takes as much memory as it needs, once.
            static TEXT: RefCell<String> = const { RefCell::new(String::new()) };
        }
        let text = TEXT.with_borrow_mut(|text| {
            text.clear();
            let made = cid::write_text(bytes, text).map(|()| Box::from(text.as_str()));
            if text.capacity() > TEXT_MAX {
                *text = String::new();
            }
            made
        });
        Ok(Self { text: OnceLock::from(text?), tree: OnceLock::new() })
    }

    /// The JSON as text.
    pub fn text(&self) -> &str {
        self.text.get_or_init(|| self.tree().to_string().into())
    }

    fn tree(&self) -> &Value {
        let parsed = || self.text.get().and_then(|text| serde_json::from_str(text).ok());
        // One of the two is always there, and a text is one that parses: `cid::write_text` has written it.
        self.tree.get_or_init(|| parsed().unwrap_or_default())
    }
}

impl From<Value> for Json {
    fn from(tree: Value) -> Self {
        Self { tree: OnceLock::from(tree), text: OnceLock::new() }
    }
}

impl Deref for Json {
    type Target = Value;

    fn deref(&self) -> &Value {
        self.tree()
    }
}

impl PartialEq for Json {
    fn eq(&self, other: &Self) -> bool {
        self.tree() == other.tree()
    }
}

/// An object written member by member, whose values are JSON text already.
#[derive(Debug, Default)]
pub struct Object(String);

impl Object {
    /// Begins with the members of an object that is text already.
    pub fn extending(object: &str) -> Self {
        Self(object.strip_suffix('}').unwrap_or_default().to_owned())
    }

    /// Another member. `name` needs no escapes.
    pub fn with(mut self, name: &'static str, value: &str) -> Self {
        self.0.reserve(name.len() + value.len() + 4);
        self.0.push_str(match self.0.len() {
            0 => "{",
            1 => "",
            _ => ",",
        });
        for part in ["\"", name, "\":", value] {
            self.0.push_str(part);
        }
        self
    }

    /// The text of the members, to which others are to be added.
    pub fn open(self) -> String {
        self.0
    }

    /// The object's text.
    pub fn text(self) -> String {
        if self.0.is_empty() { "{}".to_owned() } else { self.0 + "}" }
    }
}

/// A list of what is JSON text already.
pub(super) fn list<T: AsRef<str>>(items: impl IntoIterator<Item = T>) -> String {
    let items: Vec<T> = items.into_iter().collect();
    let mut out = String::with_capacity(items.iter().map(|item| item.as_ref().len() + 1).sum::<usize>() + 2);
    out.push('[');
    for item in items {
        if out.len() > 1 {
            out.push(',');
        }
        out.push_str(item.as_ref());
    }
    out + "]"
}

/// A string as JSON text.
pub fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

/// A value as JavaScript writes it into a sentence: `String(value)`.
pub fn js_string(value: Option<&Value>) -> String {
    match value {
        None => "undefined".into(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Object(_)) => "[object Object]".into(),
        Some(Value::Array(items)) => {
            let items = items.iter().map(|item| if item.is_null() { String::new() } else { js_string(Some(item)) });
            items.collect::<Vec<_>>().join(",")
        }
        Some(value) => value.to_string(),
    }
}

/// A text as JavaScript writes it into a sentence, if there is one.
pub fn or_undefined(text: Option<&str>) -> &str {
    text.unwrap_or("undefined")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn texts_are_put_together_as_trees_are() {
        let value = |text: &str| serde_json::from_str::<Value>(text).expect("JSON");
        let object = Object::default().with("a", "1").with("b", &quoted("x\"\u{1}ü")).text();
        assert_eq!(value(&object), json!({"a": 1, "b": "x\"\u{1}ü"}));
        assert_eq!(
            value(&Object::extending(&object).with("c", "[]").text()),
            json!({"a": 1, "b": "x\"\u{1}ü", "c": []})
        );
        assert_eq!(Object::extending("{}").with("c", "{}").text(), r#"{"c":{}}"#);
        assert_eq!((Object::default().text(), Object::extending("{}").text()), ("{}".into(), "{}".into()));
        assert_eq!((list::<&str>([]), list(["1", "2"])), ("[]".into(), "[1,2]".into()));
    }

    #[test]
    fn the_text_of_a_message_is_its_json() {
        let json = Json::from(json!({"b": [1.5, null], "a": "é\n"}));
        let stored = Json::of_cbor(&cid::encode(&json).expect("encodes")).expect("decodes");
        for json in [&json, &stored] {
            assert_eq!(serde_json::from_str::<Value>(json.text()).expect("JSON"), **json);
        }
        assert_eq!(stored, json);
    }
}
