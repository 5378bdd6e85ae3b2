//! Records that hold proofs: the protocol `protocols/anchor.json`.
//!
//! For each batch that has leaves of a person there is one record at `batch`, which is written anew when more is known of how its root
//! came into the chain, and below it some at `batch/leaves`, which stay as they are. Both are found by the root.

use super::native::{Head, Standing};
use crate::{
    cid::Digest,
    dwn::{self, Cond, Fault, Filter, IndexValue, Select, SortBy, Stored, View},
};
use memchr::memmem::Finder;
use serde_json::{Map, Value, json};
use std::{collections::BTreeSet, sync::LazyLock};

/// The protocol.
pub const PROTOCOL: &str = "https://toft.invalid/protocols/anchor";
/// Where a [`Head`] stands in it.
pub const BATCH: &str = "batch";
/// Where a [`super::native::Part`] stands in it.
pub const LEAVES: &str = "batch/leaves";
/// The media type of both.
pub const FORMAT: &str = "application/vnd.ipld.dag-cbor";
/// Records of one root that are looked at, should there be several.
const HEADS_MAX: usize = 8;

/// The protocol's definition.
pub fn definition() -> Result<Value, Fault> {
    Ok(serde_json::from_str(include_str!("../../protocols/anchor.json"))?)
}

/// Where in the protocol a RecordsWrite stands; nothing of another message.
pub fn path_of(message: &Value) -> Option<&str> {
    let descriptor = message.get("descriptor")?;
    let is_one = dwn::is_method(message, "Write") && holds_proofs(message);
    descriptor.get("protocolPath")?.as_str().filter(|_| is_one)
}

/// Does this message hold proofs, or make room for them? It gets none itself: one batch would be the reason for the next.
pub fn holds_proofs(message: &Value) -> bool {
    let Some(descriptor) = message.get("descriptor") else { return false };
    let installed = descriptor.get("definition").and_then(|definition| definition.get("protocol"));
    [descriptor.get("protocol"), installed].into_iter().flatten().any(|protocol| protocol.as_str() == Some(PROTOCOL))
}

/// May this message, as DAG-CBOR, be one that does? Nearly all are not, and are not decoded to be told so.
pub fn may_hold_proofs(message: &[u8]) -> bool {
    static NAME: LazyLock<Finder<'_>> = LazyLock::new(|| Finder::new(PROTOCOL));
    NAME.find(message).is_some()
}

/// Of a record at `batch`.
pub fn tags_of(head: &Head) -> Map<String, Value> {
    let state = match head.standing() {
        Standing::Pending => "pending",
        Standing::Mined => "mined",
        Standing::Final => "final",
    };
    let tags = json!({"root": hex::encode(head.root), "network": head.network, "number": head.number, "state": state});
    tags.as_object().cloned().unwrap_or_default()
}

/// Of a record at `batch/leaves`.
pub fn tags_of_part(root: &Digest, part: u32) -> Map<String, Value> {
    json!({"root": hex::encode(root), "part": part}).as_object().cloned().unwrap_or_default()
}

/// The record of a batch as a tenant has it.
#[derive(Debug)]
pub struct Kept {
    /// The RecordsWrite.
    pub message: Value,
    /// What it says, if that can be read.
    pub head: Option<Head>,
}

/// What a tenant has of a root: should there be several, the first, with what the others know. Blocks.
pub fn head(view: &dyn View, root: &Digest) -> Result<Option<Kept>, Fault> {
    let mut found: Option<Kept> = None;
    for stored in at(view, BATCH, Some(root), Some(HEADS_MAX))? {
        let head = read(view, &stored)?.filter(|head| head.root == *root);
        match &mut found {
            None => found = Some(Kept { message: Value::clone(&stored.message), head }),
            Some(kept) => {
                kept.head = match (kept.head.take(), head) {
                    (Some(first), Some(other)) => Some(first.upgrading(other)),
                    (first, other) => first.or(other),
                }
            }
        }
    }
    Ok(found)
}

/// The numbers of the parts that a tenant has of a root. Blocks.
pub fn parts(view: &dyn View, root: &Digest) -> Result<BTreeSet<u64>, Fault> {
    let all = at(view, LEAVES, Some(root), None)?;
    Ok(all.iter().filter_map(|stored| stored.message.pointer("/descriptor/tags/part")?.as_u64()).collect())
}

/// All batches that a tenant has. Blocks.
pub fn heads(view: &dyn View) -> Result<Vec<Head>, Fault> {
    let all = at(view, BATCH, None, None)?;
    all.iter().filter_map(|stored| read(view, stored).transpose()).collect()
}

fn at(view: &dyn View, path: &str, root: Option<&Digest>, limit: Option<usize>) -> Result<Vec<Stored>, Fault> {
    let is = |name: &str, value: &str| (name.to_owned(), Cond::Equal(IndexValue::String(value.to_owned())));
    let mut filter: Filter = [is("protocol", PROTOCOL), is("protocolPath", path), is("method", "Write")].into();
    filter.extend(root.map(|root| is("tag.root", &hex::encode(root))));
    let select = Select { any_of: vec![filter], sort: SortBy::DateCreated, limit, ..Select::default() };
    Ok(view.select(&select)?.entries)
}

fn read(view: &dyn View, stored: &Stored) -> Result<Option<Head>, Fault> {
    Ok(view.inline_data(stored)?.and_then(|data| Head::read(&data).ok()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_holds_proofs_is_told_apart() {
        let write = |protocol: &str, method: &str| json!({"recordId": "r", "descriptor": {"interface": "Records", "method": method, "protocol": protocol, "protocolPath": BATCH}});
        assert_eq!(path_of(&write(PROTOCOL, "Write")), Some(BATCH));
        assert_eq!(path_of(&write(PROTOCOL, "Query")), None);
        assert!(!holds_proofs(&write("https://toft.example/notes", "Write")));
        assert!(!holds_proofs(&json!({})) && !holds_proofs(&json!([])));
        let definition = definition().expect("it is one");
        assert_eq!((&definition["protocol"], &definition["published"]), (&json!(PROTOCOL), &json!(false)));
        let large = u64::try_from(super::super::native::RECORD_MAX).expect("small");
        for pointer in ["/structure/batch/$size/max", "/structure/batch/leaves/$size/max"] {
            assert_eq!(definition.pointer(pointer).and_then(Value::as_u64), Some(large));
        }
    }
}
