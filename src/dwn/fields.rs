//! What can be read off a message without judging it: its descriptor, ids, times, data.

use super::refusal::Refusal;
use crate::{
    cid::{self, Cid},
    crypto::jws::Jws,
};
use serde_json::{Map, Value};

/// The protocol of permission grants, which is built into every node.
pub const PERMISSIONS: &str = "https://tbd.website/dwn/permissions";

/// The path of a revocation in the protocol of permissions.
pub(super) const REVOCATION: &str = "grant/revocation";

/// The descriptor of a message; messages without one do not parse.
pub(super) fn descriptor_of(json: &Value) -> &Map<String, Value> {
    static EMPTY: std::sync::LazyLock<Map<String, Value>> = std::sync::LazyLock::new(Map::new);
    json.get("descriptor").and_then(Value::as_object).unwrap_or(&EMPTY)
}

/// A text in a message's descriptor.
pub(super) fn descriptor_text<'a>(json: &'a Value, name: &str) -> Option<&'a str> {
    descriptor_of(json).get(name).and_then(Value::as_str)
}

pub(super) fn timestamp(json: &Value) -> &str {
    descriptor_text(json, "messageTimestamp").unwrap_or_default()
}

/// Is this a message of the method (of any interface)?
pub fn is_method(json: &Value, method: &str) -> bool {
    descriptor_text(json, "method") == Some(method)
}

/// The record a RecordsWrite or RecordsDelete is about.
pub fn record_id(json: &Value) -> Option<&str> {
    json.get("recordId").and_then(Value::as_str).or_else(|| descriptor_text(json, "recordId"))
}

pub(super) fn context_id(message: &Value) -> Option<&str> {
    message.get("contextId").and_then(Value::as_str)
}

/// The deterministic id of a write: what its recordId must be if it is the first of its record.
pub(super) fn entry_id(message: &Value, author: &str) -> Result<String, Refusal> {
    let mut input = descriptor_of(message).clone();
    input.insert("author".into(), author.into());
    cid_of(&Value::Object(input))
}

/// DIDs that attest the record; only the first is indexed.
pub(super) fn attesters(message: &Value) -> Vec<String> {
    let jws = message.get("attestation").and_then(|attestation| Jws::parse(attestation).ok());
    jws.iter().flat_map(Jws::kids).map(|kid| did_of(kid).to_owned()).collect()
}

/// CID and size in a RecordsWrite's descriptor.
pub fn declared_data(json: &Value) -> Option<(Cid, u64)> {
    let cid = descriptor_text(json, "dataCid")?.parse().ok()?;
    Some((cid, data_size(json)?))
}

/// JavaScript writes whole numbers also as `1.0`.
pub(super) fn data_size(json: &Value) -> Option<u64> {
    let size = descriptor_of(json).get("dataSize")?;
    size.as_u64().or_else(|| size.as_f64().filter(|f| f.fract() == 0.0 && (0.0..9e15).contains(f)).map(|f| f as u64))
}

pub(super) fn is_published(json: &Value) -> bool {
    descriptor_of(json).get("published") == Some(&Value::Bool(true))
}

pub(super) fn is_prune(json: &Value) -> bool {
    descriptor_of(json).get("prune") == Some(&Value::Bool(true))
}

/// Is this record a revocation, and of which grant?
pub(super) fn revoked(write: &Value) -> Option<&str> {
    let is = |name, wanted| descriptor_text(write, name) == Some(wanted);
    if is("protocol", PERMISSIONS) && is("protocolPath", REVOCATION) {
        descriptor_text(write, "parentId")
    } else {
        None
    }
}

/// Newer: greater timestamp, on a tie the greater CID text.
pub(super) fn is_newer(a: (&Value, &Cid), b: (&Value, &Cid)) -> bool {
    let key = |(json, cid): (&Value, &Cid)| (timestamp(json).to_owned(), cid.to_string());
    key(a) > key(b)
}

/// CID of a part of a message.
pub(super) fn cid_of(json: &Value) -> Result<String, Refusal> {
    cid::of_json(json).map(|(cid, _)| cid.to_string()).map_err(|e| Refusal::new(400, e.to_string()))
}

/// The DID that a JWS is signed by first.
pub(super) fn signer_of(jws: &Jws) -> &str {
    jws.kids().next().map_or("", did_of)
}

/// The DID of a key id.
pub(super) fn did_of(kid: &str) -> &str {
    kid.split_once('#').map_or(kid, |(did, _)| did)
}
