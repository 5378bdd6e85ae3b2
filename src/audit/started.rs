//! The start of the node, and whether its settings are others than at the start before.
//!
//! `node.toml`, the environment and options are changed beside the node. The entry of a start has the hash of the settings in force, so that
//! a change is seen; which of them changed, a file beside the log tells (`settings.json`), which has them as `toft config show` does: without
//! passwords, whose change is not seen.

use super::entry::{Entry, What};
use crate::cid;
use anyhow::Error;
use serde_json::{Map, Value};
use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::Write as _,
    path::Path,
};

/// Beside the log.
pub const FILE: &str = "settings.json";
/// In the entry of a start: the hash.
pub const HASH: &str = "settings";

/// The hash of settings as JSON.
pub fn hash(text: &str) -> String {
    hex::encode(cid::digest(text.as_bytes()))
}

/// Is it the entry of a start that has a hash of its settings?
pub fn is_start(entry: &Entry) -> bool {
    entry.what == What::NodeStarted.name() && entry.about.contains_key(HASH)
}

/// The settings that have changed since the `last` start, but for those that the node was told to change: the `told` entries. `None`: none.
/// `known`: what the file beside the log has.
pub fn changed(last: &Entry, told: &[Entry], known: Option<&[u8]>, settings: &Value) -> Option<BTreeSet<String>> {
    if last.about[HASH] == hash(&settings.to_string()) {
        return None;
    }
    let known = known.filter(|text| last.about[HASH] == hex::encode(cid::digest(text)));
    let Some(known) = known.and_then(|text| serde_json::from_slice(text).ok()) else {
        return Some(BTreeSet::from(["unknown: settings.json is not of the last start".to_owned()]));
    };
    let mut keys = different(&known, settings);
    for entry in told {
        if let Some(key) = entry.about.get("key").and_then(Value::as_str) {
            keys.remove(key);
        }
    }
    Some(keys).filter(|keys| !keys.is_empty())
}

/// `section.key` of what is not the same in both.
fn different(a: &Value, b: &Value) -> BTreeSet<String> {
    let none = Map::new();
    let of = |value: &Value| value.as_object().cloned().unwrap_or_default();
    let (a, b) = (of(a), of(b));
    let sections: BTreeSet<_> = a.keys().chain(b.keys()).collect();
    let mut keys = BTreeSet::new();
    for section in sections {
        let within = |all: &Map<String, Value>| all.get(section).and_then(Value::as_object).cloned();
        let (a, b) = (within(&a).unwrap_or(none.clone()), within(&b).unwrap_or(none.clone()));
        let all: BTreeSet<_> = a.keys().chain(b.keys()).collect();
        keys.extend(all.into_iter().filter(|key| a.get(*key) != b.get(*key)).map(|key| format!("{section}.{key}")));
    }
    keys
}

/// A whole new file in the place of the old one. It need not be durable: without it, only the keys' names are lacking.
pub fn put(file: &Path, text: &str) -> Result<(), Error> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let new = file.with_extension("json.new");
    let mut out = File::options().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
    out.write_all(text.as_bytes())?;
    Ok(fs::rename(&new, file)?)
}
