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

/// The keys, as `config.set` takes them, of what is not the same in both: `log.level`, `dwn.limits.connections`.
fn different(a: &Value, b: &Value) -> BTreeSet<String> {
    let mut keys = BTreeSet::new();
    compare("", (Some(a), Some(b)), &mut keys);
    keys
}

fn compare(at: &str, (a, b): (Option<&Value>, Option<&Value>), keys: &mut BTreeSet<String>) {
    let [within_a, within_b] = [a, b].map(|value| value.and_then(Value::as_object));
    if within_a.or(within_b).is_none() {
        if a != b {
            keys.insert(at.to_owned());
        }
        return;
    }
    let names =
        |within: Option<&Map<String, Value>>| within.into_iter().flat_map(Map::keys).cloned().collect::<Vec<_>>();
    let all: BTreeSet<String> = names(within_a).into_iter().chain(names(within_b)).collect();
    for name in all {
        let of = |within: Option<&'_ Map<String, Value>>| within.and_then(|within| within.get(&name)).cloned();
        let below = if at.is_empty() { name.clone() } else { format!("{at}.{name}") };
        compare(&below, (of(within_a).as_ref(), of(within_b).as_ref()), keys);
    }
}

/// A whole new file in the place of the old one. It need not be durable: without it, only the keys' names are lacking.
pub fn put(file: &Path, text: &str) -> Result<(), Error> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let new = file.with_extension("json.new");
    let mut out = File::options().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
    out.write_all(text.as_bytes())?;
    Ok(fs::rename(&new, file)?)
}
