//! The permissions protocol, which is built into every node: requests, grants and revocations are records of it.

use super::{
    change::Change,
    definition::Definition,
    fields::{PERMISSIONS, REVOCATION, descriptor_of, descriptor_text, record_id, revoked},
    filter,
    grant::{Grant, Scope, data_of},
    index::GRANTED_BY,
    json::{js_string, or_undefined},
    message::Message,
    refusal::{Refusal, Stop},
    schema, shapes, text,
    view::{Cond, IndexValue, Select, SortBy, View},
};
use serde_json::Value;
use std::sync::LazyLock;

const REQUEST: &str = "request";
const GRANT: &str = "grant";

/// The protocol's definition; no ProtocolsConfigure can change it.
pub(super) fn definition() -> Option<&'static Definition> {
    static DEFINITION: LazyLock<Option<Definition>> = LazyLock::new(|| {
        let json = include_str!("../../protocols/permissions.json");
        serde_json::from_str(json).ok().as_ref().and_then(Definition::parse)
    });
    DEFINITION.as_ref()
}

/// What a revocation asks for, if the message is one: it ends what was written under its grant.
pub(super) fn revoke(message: &Message, change: &mut Change, view: &dyn View) -> Result<(), Stop> {
    let Some(grant) = revoked(message.json()) else { return Ok(()) };
    check_tag(message, grant, view)?;
    end_what_was_granted(grant, message.timestamp(), change, view)
}

/// A revocation must be found by the same protocol as its grant.
fn check_tag(message: &Message, grant: &str, view: &dyn View) -> Result<(), Stop> {
    let grant = Grant::fetch(grant, view).map_err(|stop| match stop {
        Stop::Refusal(refusal) => Stop::Refusal(Refusal { code: 400, ..refusal }),
        fault => fault,
    })?;
    let tagged = message.descriptor().get("tags").and_then(|tags| tags.get("protocol"));
    let granted = grant.scope.protocol.map(Value::String);
    if tagged == granted.as_ref() {
        return Ok(());
    }
    let (tagged, granted) = (js_string(tagged), js_string(granted.as_ref()));
    let text = format_args!("Revocation protocol {tagged} does not match grant protocol {granted}");
    Err(Refusal::bad("PermissionsProtocolValidateRevocationProtocolTagMismatch", text).into())
}

/// Removes what was written under a grant, is dated since its revocation, and arrived before that.
///
/// | what was written | what goes |
/// |---|---|
/// | an initial write | its record, and all records below it |
/// | an update | the update; the initial write stays, and what the update replaced is gone already |
/// | a delete | nothing: it cannot be undone |
///
/// (The reference means to do this, and does not: dwn-sdk-js#716.)
fn end_what_was_granted(grant: &str, since: &str, change: &mut Change, view: &dyn View) -> Result<(), Stop> {
    let since = Some(IndexValue::String(since.into()));
    let filter = filter::all([
        (GRANTED_BY, filter::text(grant)),
        ("method", filter::text("Write")),
        ("messageTimestamp", Cond::Range { gt: None, gte: since, lt: None, lte: None }),
    ]);
    let select = Select { any_of: vec![filter], sort: SortBy::MessageTimestamp, ..Select::default() };
    for stored in view.select(&select)?.entries {
        change.removes.push(stored.cid);
        let id = record_id(&stored.message).unwrap_or_default();
        if view.record(id)?.is_some_and(|record| record.initial.cid == stored.cid) {
            change.remove_descendants(id, view)?;
        }
    }
    // A record below another one of them has been found twice.
    change.removes.sort();
    change.removes.dedup();
    Ok(())
}

/// Is the data of a permission record what its place in the protocol asks for?
pub(super) fn check_data(write: &Value, data: &[u8]) -> Result<(), Refusal> {
    let data = data_of(data)?;
    match descriptor_text(write, "protocolPath") {
        Some(REQUEST) => {
            schema::check("PermissionRequestData", &shapes::PERMISSION_REQUEST, &data)?;
            Scope::of(&data).check(write)
        }
        Some(GRANT) => {
            schema::check("PermissionGrantData", &shapes::PERMISSION_GRANT, &data)?;
            Scope::of(&data).check(write)?;
            text::check_time(data.get("dateExpires").and_then(Value::as_str).unwrap_or_default())
        }
        Some(REVOCATION) => schema::check("PermissionRevocationData", &shapes::PERMISSION_REVOCATION, &data),
        path => {
            let path = or_undefined(path);
            let text = format_args!("Unexpected permission record: {path}");
            Err(Refusal::bad("PermissionsProtocolValidateSchemaUnexpectedRecord", text))
        }
    }
}

/// The protocol that a permission record is about, as its tags say; none of other records.
pub fn tagged_protocol(write: &Value) -> Option<&str> {
    let tags = descriptor_of(write).get("tags").filter(|_| descriptor_text(write, "protocol") == Some(PERMISSIONS));
    tags.and_then(|tags| tags.get("protocol")).and_then(Value::as_str)
}

/// The protocol that a request, a grant or a revocation is about.
pub(super) fn scoped_protocol(write: &Value, data: Option<&[u8]>, view: &dyn View) -> Result<Option<String>, Stop> {
    if descriptor_text(write, "protocol") != Some(PERMISSIONS) {
        return Ok(None);
    }
    if let Some(grant) = revoked(write) {
        return Ok(Grant::fetch(grant, view)?.scope.protocol);
    }
    let data = data.map(data_of).transpose()?;
    Ok(data.and_then(|data| Scope::of(&data).protocol))
}
