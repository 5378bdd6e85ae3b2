//! JSON as DAG-CBOR and back, as a tree or as text, without a tree of another kind in between.

use super::hash::{Cid, DAG_CBOR, Error, of};
use serde::{
    Serialize, Serializer,
    de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Value};
use std::fmt::{self, Write as _};

/// 2^53 - 1, JavaScript's `Number.MAX_SAFE_INTEGER`.
const MAX_SAFE_INTEGER: f64 = 9_007_199_254_740_991.0;
/// How deep lists and objects may lie in each other: what the JSON parser reads.
const DEPTH_MAX: usize = 127;

/// DAG-CBOR of a JSON value (map keys sorted length first) under JavaScript's number rules.
pub fn encode(json: &Value) -> Result<Vec<u8>, Error> {
    // The encoder's own error says no more than that a number was refused, so numbers are looked at before.
    check_numbers(json)?;
    serde_ipld_dagcbor::to_vec(&Encoded(json)).map_err(|e| Error::Decode(e.to_string()))
}

/// DAG-CBOR bytes of a JSON value and their CID.
pub fn of_json(json: &Value) -> Result<(Cid, Vec<u8>), Error> {
    let bytes = encode(json)?;
    Ok((of(DAG_CBOR, &bytes), bytes))
}

/// JSON of DAG-CBOR bytes made by [`encode`].
pub fn decode(bytes: &[u8]) -> Result<Value, Error> {
    read(bytes, Tree(DEPTH_MAX))
}

/// As [`decode`], but the JSON's text, which the JSON parser reads.
pub fn text(bytes: &[u8]) -> Result<String, Error> {
    // Quotes and colons take more than CBOR's lengths do.
    let mut out = String::with_capacity(bytes.len() + bytes.len() / 8);
    write_text(bytes, &mut out)?;
    Ok(out)
}

/// As [`text`], behind what `out` holds already.
pub fn write_text(bytes: &[u8], out: &mut String) -> Result<(), Error> {
    read(bytes, Text { out, depth: DEPTH_MAX })
}

fn read<'de, T>(bytes: &'de [u8], seed: impl DeserializeSeed<'de, Value = T>) -> Result<T, Error> {
    let mut input = serde_ipld_dagcbor::de::Deserializer::from_slice(bytes);
    let read = seed.deserialize(&mut input).and_then(|read| input.end().map(|()| read));
    read.map_err(|e| Error::Decode(e.to_string()))
}

fn check_numbers(json: &Value) -> Result<(), Error> {
    match json {
        Value::Number(n) if n.as_f64().is_none_or(|f| !f.is_finite()) => Err(Error::Number(n.to_string())),
        Value::Array(items) => items.iter().try_for_each(check_numbers),
        Value::Object(map) => map.values().try_for_each(check_numbers),
        _ => Ok(()),
    }
}

/// A JSON value on its way to DAG-CBOR.
struct Encoded<'a>(&'a Value);

impl Serialize for Encoded<'_> {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Null => out.serialize_unit(),
            Value::Bool(b) => out.serialize_bool(*b),
            Value::String(s) => out.serialize_str(s),
            Value::Number(n) => {
                let f = n.as_f64().unwrap_or(f64::NAN);
                if f.fract() == 0.0 && f.abs() <= MAX_SAFE_INTEGER {
                    out.serialize_i64(f as i64)
                } else {
                    out.serialize_f64(f)
                }
            }
            Value::Array(items) => out.collect_seq(items.iter().map(Encoded)),
            // The encoder sorts.
            Value::Object(map) => out.collect_map(map.iter().map(|(name, value)| (name, Encoded(value)))),
        }
    }
}

const EXPECTED: &str = "what JSON can express";

fn integer<E: serde::de::Error>(n: impl TryInto<i64>) -> Result<i64, E> {
    n.try_into().map_err(|_| E::custom(Error::NotJson("a large integer")))
}

fn deeper<E: serde::de::Error>(depth: usize) -> Result<usize, E> {
    depth.checked_sub(1).ok_or_else(|| E::custom(Error::NotJson("lists in lists without end")))
}

/// Reads a tree; so many levels may follow.
struct Tree(usize);

impl<'de> DeserializeSeed<'de> for Tree {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<Value, D::Error> {
        input.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Tree {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(EXPECTED)
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, b: bool) -> Result<Value, E> {
        Ok(Value::Bool(b))
    }

    fn visit_i64<E>(self, n: i64) -> Result<Value, E> {
        Ok(n.into())
    }

    fn visit_u64<E: serde::de::Error>(self, n: u64) -> Result<Value, E> {
        integer(n).map(Value::from)
    }

    fn visit_i128<E: serde::de::Error>(self, n: i128) -> Result<Value, E> {
        integer(n).map(Value::from)
    }

    fn visit_f64<E>(self, f: f64) -> Result<Value, E> {
        Ok(f.into())
    }

    fn visit_str<E>(self, s: &str) -> Result<Value, E> {
        Ok(s.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let (depth, mut items) = (deeper(self.0)?, Vec::new());
        while let Some(item) = list.next_element_seed(Tree(depth))? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let (depth, mut members) = (deeper(self.0)?, Map::new());
        while let Some(name) = map.next_key::<String>()? {
            members.insert(name, map.next_value_seed(Tree(depth))?);
        }
        Ok(Value::Object(members))
    }
}

/// Writes text; so many levels may follow.
struct Text<'a> {
    out: &'a mut String,
    depth: usize,
}

impl Text<'_> {
    fn put<E: serde::de::Error>(self, value: impl Serialize) -> Result<(), E> {
        self.out.push_str(&serde_json::to_string(&value).map_err(E::custom)?);
        Ok(())
    }
}

/// Writes a string in quotes. Most have nothing in them to be escaped, and that is known faster than it is looked for.
fn quote<E: serde::de::Error>(out: &mut String, s: &str) -> Result<(), E> {
    let is_plain = |part: &[u8]| part.iter().fold(true, |plain, b| plain & (*b >= b' ') & (*b != b'"') & (*b != b'\\'));
    if s.as_bytes().chunks(64).all(is_plain) {
        out.push('"');
        out.push_str(s);
        out.push('"');
    } else {
        out.push_str(&serde_json::to_string(s).map_err(E::custom)?);
    }
    Ok(())
}

impl<'de> DeserializeSeed<'de> for Text<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<(), D::Error> {
        input.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Text<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(EXPECTED)
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<(), E> {
        self.put(())
    }

    fn visit_none<E: serde::de::Error>(self) -> Result<(), E> {
        self.put(())
    }

    fn visit_bool<E: serde::de::Error>(self, b: bool) -> Result<(), E> {
        self.put(b)
    }

    fn visit_i64<E: serde::de::Error>(self, n: i64) -> Result<(), E> {
        write!(self.out, "{n}").map_err(E::custom)
    }

    fn visit_u64<E: serde::de::Error>(self, n: u64) -> Result<(), E> {
        self.visit_i64(integer(n)?)
    }

    fn visit_i128<E: serde::de::Error>(self, n: i128) -> Result<(), E> {
        self.visit_i64(integer(n)?)
    }

    fn visit_f64<E: serde::de::Error>(self, f: f64) -> Result<(), E> {
        self.put(f)
    }

    fn visit_str<E: serde::de::Error>(self, s: &str) -> Result<(), E> {
        quote(self.out, s)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let depth = deeper(self.depth)?;
        let mut lead = '[';
        loop {
            let at = self.out.len();
            self.out.push(lead);
            if list.next_element_seed(Text { out: &mut *self.out, depth })?.is_none() {
                self.out.truncate(at);
                break;
            }
            lead = ',';
        }
        if lead == '[' {
            self.out.push(lead);
        }
        self.out.push(']');
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let depth = deeper(self.depth)?;
        let mut lead = '{';
        while let Some(name) = map.next_key::<&str>()? {
            self.out.push(lead);
            lead = ',';
            quote(self.out, name)?;
            self.out.push(':');
            map.next_value_seed(Text { out: &mut *self.out, depth })?;
        }
        if lead == '{' {
            self.out.push(lead);
        }
        self.out.push('}');
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Made by `tests/vectors/generate.mjs`.
    #[test]
    fn js_names_json_the_same() {
        let vectors: Value = serde_json::from_str(include_str!("../../tests/vectors/cids.json")).expect("JSON");
        for case in vectors["json"].as_array().expect("a list") {
            let text = case["text"].as_str().expect("a text");
            let (cid, bytes) = of_json(&serde_json::from_str(text).expect("JSON")).expect("encodes");
            assert_eq!(cid.to_string(), case["cid"], "{text}");
            assert_eq!(encode(&decode(&bytes).expect("decodes")).expect("encodes"), bytes, "{text}");
        }
    }

    #[test]
    fn numbers_follow_javascript() {
        for (text, hex) in [("1.0", "01"), ("1e3", "1903e8"), ("-0", "00"), ("1.5", "fb3ff8000000000000")] {
            let json: Value = serde_json::from_str(text).expect("valid JSON");
            assert_eq!(hex::encode(encode(&json).expect("encodes")), hex, "{text}");
        }
    }

    #[test]
    fn the_sdk_names_this_object_the_same() {
        let json = serde_json::json!({"a": "x", "b": 1, "n": null});
        let (cid, bytes) = of_json(&json).expect("encodes");
        assert_eq!(cid.to_string(), "bafyreie2wmgkuqe6avd5lbloemcnd3hsvqvxdj4rp3gkvx3snx75e7gqbu");
        assert_eq!(decode(&bytes).expect("decodes"), json);
    }

    fn json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i32>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 64, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::btree_map(any::<String>(), inner, 0..6)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn a_tree_and_a_text_say_the_same(json in json()) {
            let bytes = encode(&json).expect("encodes");
            let tree = decode(&bytes).expect("decodes");
            prop_assert_eq!(&serde_json::from_str::<Value>(&text(&bytes).expect("decodes")).expect("JSON"), &tree);
            prop_assert_eq!(encode(&tree).expect("encodes"), bytes);
        }

        #[test]
        fn anybodys_bytes_are_read_alike(bytes: Vec<u8>) {
            let (tree, text) = (decode(&bytes), text(&bytes));
            prop_assert_eq!(tree.is_ok(), text.is_ok());
            if let Ok(text) = text {
                prop_assert_eq!(serde_json::from_str::<Value>(&text).ok(), tree.ok());
            }
        }
    }

    #[test]
    fn what_json_cannot_say_is_refused() {
        for hex in ["41ff", "d82a450001550000", "1bffffffffffffffff", "a10100", "0000", "f97e00"] {
            let bytes = hex::decode(hex).expect("hex");
            assert!(decode(&bytes).is_err() && text(&bytes).is_err(), "{hex}");
        }
    }

    #[test]
    fn what_is_read_is_no_deeper_than_a_parser_reads() {
        let nested = |levels: usize| [vec![0x81; levels], vec![0xF6]].concat();
        let deep = text(&nested(DEPTH_MAX)).expect("reads");
        assert_eq!(serde_json::from_str::<Value>(&deep).ok(), decode(&nested(DEPTH_MAX)).ok());
        assert!(text(&nested(DEPTH_MAX + 1)).is_err() && decode(&nested(DEPTH_MAX + 1)).is_err());
    }
}
