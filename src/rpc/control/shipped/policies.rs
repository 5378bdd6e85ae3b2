//! The policies of the protocols that come with toft (`protocols/policies`), and which of their types are private (`protocols/private`).
//!
//! A policy in its file lacks what the data has to be: that is said by the schemas, for all types but the private ones, whose data
//! the node does not see.

use super::schemas;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

macro_rules! policies {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("../../../../protocols/policies/", $name, ".json")))),*]
    };
}

/// By the protocol's name.
const ALL: &[(&str, &str)] = policies![
    "commerce",
    "creator",
    "credential",
    "dataset",
    "governance",
    "market",
    "metrics",
    "notification",
    "profile",
    "rgb",
    "schema-registry",
    "settings",
    "trust",
];

const PRIVATE: &str = include_str!("../../../../protocols/private/types.json");
/// What of a schema is for people, or names it.
const FOR_PEOPLE: &[&str] = &["$schema", "$id", "title", "examples"];

/// The policy of a protocol.
pub(super) fn of(name: &str, definition: &Map<String, Value>) -> Option<Map<String, Value>> {
    let (_, text) = ALL.iter().find(|(shipped, _)| *shipped == name)?;
    let mut policy: Map<String, Value> = serde_json::from_str(text).ok()?;
    let (schemas, private) = (schemas::of(name), private(name));
    let paths = policy.get_mut("paths")?.as_object_mut()?;
    for path in places("", definition.get("structure")?) {
        let kind = path.rsplit('/').next().unwrap_or_default();
        let formats = definition.get("types").and_then(|types| types.get(kind)?.get("dataFormats")?.as_array());
        let is_json = formats.is_some_and(|formats| formats.iter().all(|format| format == "application/json"));
        let Some(schema) = schemas.get(kind).filter(|_| is_json && !private.contains(&kind.to_owned())) else {
            continue;
        };
        let mut schema = schema.clone();
        if let Some(schema) = schema.as_object_mut() {
            schema.retain(|name, _| !FOR_PEOPLE.contains(&name.as_str()));
        }
        let rules = paths.entry(path).or_insert_with(|| Value::Object(Map::new()));
        if let Some(rules) = rules.as_object_mut() {
            rules.insert("data".into(), schema);
        }
    }
    Some(policy)
}

/// The types of a protocol whose data is nobody's business but that of those it is for.
pub(super) fn private(name: &str) -> Vec<String> {
    let all: BTreeMap<String, Vec<String>> = serde_json::from_str(PRIVATE).unwrap_or_default();
    all.get(name).cloned().unwrap_or_default()
}

fn places(above: &str, structure: &Value) -> Vec<String> {
    let named = structure.as_object().into_iter().flatten().filter(|(name, _)| !name.starts_with('$'));
    let below = named.flat_map(|(name, rules)| {
        let path = if above.is_empty() { name.clone() } else { format!("{above}/{name}") };
        let deeper = places(&path, rules);
        std::iter::once(path).chain(deeper)
    });
    below.collect()
}

#[cfg(test)]
mod tests {
    use super::{super::named, *};
    use crate::dwn::Policy;
    use std::{collections::BTreeSet, fs, path::Path};

    fn folder(path: &str) -> std::path::PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
    }

    #[test]
    fn each_can_be_followed_and_none_is_left_out() {
        let files = fs::read_dir(folder("protocols/policies")).expect("a folder").map(|entry| entry.expect("an entry"));
        let files: BTreeSet<_> = files.map(|entry| entry.path().file_stem().expect("a name").to_owned()).collect();
        assert!(files.iter().map(|name| name.to_str().expect("UTF-8")).eq(ALL.iter().map(|(name, _)| *name)));
        for (name, _) in ALL {
            let definition = named(name).expect("one of ours");
            let policy = Value::from(of(name, &definition).expect("a policy"));
            let text = policy.to_string();
            assert!(text.len() <= 30_000, "{name} has {} bytes", text.len());
            let read = Policy::read(text.as_bytes()).unwrap_or_else(|why| panic!("{name}: {why}"));
            assert_eq!(read.contradiction(&definition.into()), None, "{name}");
        }
        assert!(of("message", &named("message").expect("one of ours")).is_none());
    }

    #[test]
    fn private_types_are_those_that_the_matrices_name() {
        for name in super::super::all() {
            let text = fs::read_to_string(folder(&format!("tests/protocols/{name}.toml"))).unwrap_or_default();
            let matrix: toml::Table = toml::from_str(&text).expect("TOML");
            let listed = matrix.get("private").and_then(toml::Value::as_array).into_iter().flatten();
            let listed: Vec<&str> = listed.filter_map(toml::Value::as_str).collect();
            assert_eq!(private(name), listed, "{name}");
        }
    }
}
