//! The protocols that come with toft (`protocols/*.json`), by name: `protocols.shipped`.

mod schemas;
mod policies;

use super::{
    call::Call,
    failure::{Failure, Kind},
    method::{Entry, Example, Method, Need, NoParams},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

pub const METHODS: &[Entry] = &[Entry::of::<List>()];

macro_rules! shipped {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("../../../protocols/", $name, ".json")))),*]
    };
}

/// Names and definitions.
const ALL: &[(&str, &str)] = shipped![
    "anchor",
    "commerce",
    "creator",
    "credential",
    "dataset",
    "device",
    "governance",
    "market",
    "message",
    "metrics",
    "notification",
    "policy",
    "profile",
    "rgb",
    "schema-registry",
    "settings",
    "trust",
];

/// The definition of the one with this name.
pub fn named(name: &str) -> Option<Map<String, Value>> {
    let (_, text) = ALL.iter().find(|(shipped, _)| *shipped == name)?;
    serde_json::from_str(text).ok()
}

/// The JSON Schemas of its data, by the type's name.
pub fn schemas_of(name: &str) -> BTreeMap<String, Value> {
    schemas::of(name)
}

/// Its policy, if it has one.
pub fn policy(name: &str) -> Option<Map<String, Value>> {
    policies::of(name, &named(name)?)
}

/// Protocols that the node keeps records of by itself, as they are: it does not look into encrypted ones of them.
const READ_BY_NODE: &[&str] = &["rgb"];

/// Its types whose data is private, as `protocols.install` takes them.
pub fn private(name: &str) -> Vec<String> {
    if READ_BY_NODE.contains(&name) { Vec::new() } else { policies::private(name) }
}

/// All names, for people.
pub fn names() -> String {
    all().collect::<Vec<_>>().join(", ")
}

/// All names.
pub fn all() -> impl Iterator<Item = &'static str> {
    ALL.iter().map(|(name, _)| *name)
}

#[derive(Debug)]
pub struct List;

impl Method for List {
    const NAME: &'static str = "protocols.shipped";
    const SUMMARY: &'static str =
        "List the protocols that come with toft, with their definitions, to be installed or read.";
    const SCOPE: Need = Need::ReadRecords;
    const ERRORS: &'static [Kind] = &[];
    const EXAMPLES: &'static [Example] = &[Example {
        name: "all",
        params: "{}",
        result: r#"[{"name": "profile", "definition": {"protocol": "https://toft.invalid/protocols/profile", "published": true, "types": {}, "structure": {}}, "private": []}]"#,
    }];
    type Params = NoParams;
    type Result = Vec<Shipped>;

    async fn run(_: &Call, NoParams {}: NoParams) -> Result<Vec<Shipped>, Failure> {
        let all = ALL.iter().filter_map(|(name, _)| {
            Some(Shipped { name: (*name).to_owned(), definition: named(name)?, private: private(name) })
        });
        Ok(all.collect())
    }
}

/// A protocol that comes with toft.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "ShippedProtocol")]
pub struct Shipped {
    pub name: String,
    /// As ProtocolsConfigure carries it.
    pub definition: Map<String, Value>,
    /// Its types whose data is nobody's business but that of those it is for: what `private` of protocols.install takes.
    pub private: Vec<String>,
}

#[cfg(test)]
mod pages;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        crypto::{
            hd::{PrivateKey, Scheme},
            record::with_keys_of,
        },
        dwn::Lint,
    };
    use std::fs;

    /// The types at whose paths there are keys; false: one has them at one path and not at another.
    fn keyed(rules: &Value, types: &mut BTreeMap<String, bool>) {
        for (name, below) in rules.as_object().into_iter().flatten().filter(|(name, _)| !name.starts_with('$')) {
            let has_key = below.get("$encryption").is_some();
            types.entry(name.clone()).and_modify(|known| assert_eq!(*known, has_key, "{name}")).or_insert(has_key);
            keyed(below, types);
        }
    }

    #[test]
    fn private_types_have_keys_and_no_others_and_the_node_takes_it() {
        let root = PrivateKey::root("did:example:a#k", Scheme::ProtocolPath, &[7; 32]).expect("a key");
        for name in all() {
            let (definition, private) = (Value::from(named(name).expect("one of ours")), private(name));
            let made =
                with_keys_of(&definition, &root, &|kind| private.iter().any(|one| one == kind)).expect("derives");
            assert_eq!(Lint::of(&made), Lint::default(), "{name}");
            let mut types = BTreeMap::new();
            keyed(&made["structure"], &mut types);
            let keyed: Vec<_> = types.iter().filter(|(_, has_key)| **has_key).map(|(name, _)| name.clone()).collect();
            let mut wanted = private;
            wanted.sort();
            assert_eq!(keyed, wanted, "{name}");
            let bare = with_keys_of(&made, &root, &|_| false).expect("derives");
            assert_eq!(bare, definition, "{name}: keys go again");
        }
        assert!(private("rgb").is_empty() && private("credential").contains(&"witness".to_owned()));
    }

    #[test]
    fn each_is_a_definition_that_says_nothing_in_vain_and_none_is_left_out() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/protocols");
        let mut files: Vec<String> = fs::read_dir(folder)
            .expect("a folder")
            .filter_map(|entry| Some(entry.ok()?.file_name().to_str()?.strip_suffix(".json")?.to_owned()))
            .filter(|name| name != "permissions") // built into the dialect, and never installed
            .collect();
        files.sort();
        assert!(files.iter().eq(ALL.iter().map(|(name, _)| name)), "{files:?}");
        for name in files {
            let definition = named(&name).expect("JSON");
            assert_eq!(definition["protocol"], format!("https://toft.invalid/protocols/{name}"));
            assert_eq!(Lint::of(&definition.into()), Lint::default(), "{name}");
        }
        assert_eq!(named("nobody"), None);
    }
}
