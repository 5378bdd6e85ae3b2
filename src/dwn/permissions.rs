//! The permissions protocol, which is built into every node: requests, grants and revocations are records of it.

use super::{
    PERMISSIONS, Refusal, Stop, View,
    definition::Definition,
    grant::{Grant, Scope},
    message::{Message, descriptor_of, descriptor_text, shown},
    schema, shapes, text,
};
use serde_json::Value;
use std::sync::LazyLock;

const REQUEST: &str = "request";
const GRANT: &str = "grant";
const REVOCATION: &str = "grant/revocation";

/// The protocol's definition; no ProtocolsConfigure can change it.
pub(super) fn definition() -> Option<&'static Definition> {
    static DEFINITION: LazyLock<Option<Definition>> = LazyLock::new(|| {
        let json = include_str!("../../protocols/permissions.json");
        serde_json::from_str(json).ok().as_ref().and_then(Definition::parse)
    });
    DEFINITION.as_ref()
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

/// A revocation must be found by the same protocol as its grant.
pub(super) fn check_revocation(message: &Message, view: &dyn View) -> Result<(), Stop> {
    let Some(grant) = revoked(message.json()) else { return Ok(()) };
    let grant = Grant::fetch(grant, view).map_err(|stop| match stop {
        Stop::Refusal(refusal) => Stop::Refusal(Refusal { code: 400, ..refusal }),
        fault => fault,
    })?;
    let tagged = message.descriptor().get("tags").and_then(|tags| tags.get("protocol"));
    let granted = grant.scope.protocol.map(Value::String);
    if tagged == granted.as_ref() {
        return Ok(());
    }
    let (tagged, granted) = (shown(tagged), shown(granted.as_ref()));
    let text = format_args!("Revocation protocol {tagged} does not match grant protocol {granted}");
    Err(Refusal::bad("PermissionsProtocolValidateRevocationProtocolTagMismatch", text).into())
}

/// Is the data of a permission record what its place in the protocol asks for?
pub(super) fn check_data(write: &Value, data: &[u8]) -> Result<(), Refusal> {
    let data = parse(data)?;
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
            let path = super::message::shown_text(path);
            let text = format_args!("Unexpected permission record: {path}");
            Err(Refusal::bad("PermissionsProtocolValidateSchemaUnexpectedRecord", text))
        }
    }
}

/// The protocol that a request, a grant or a revocation is about.
pub(super) fn scoped_protocol(write: &Value, data: Option<&[u8]>, view: &dyn View) -> Result<Option<String>, Stop> {
    if descriptor_of(write).get("protocol").and_then(Value::as_str) != Some(PERMISSIONS) {
        return Ok(None);
    }
    if let Some(grant) = revoked(write) {
        return Ok(Grant::fetch(grant, view)?.scope.protocol);
    }
    let data = data.map(parse).transpose()?;
    Ok(data.and_then(|data| Scope::of(&data).protocol))
}

/// The data of a permission record.
pub(super) fn parse(data: &[u8]) -> Result<Value, Refusal> {
    serde_json::from_slice(data).map_err(|problem| {
        let text = format_args!("the data of a permission record is not JSON: {problem}");
        Refusal::bad("PermissionsProtocolValidateSchemaUnexpectedRecord", text)
    })
}
