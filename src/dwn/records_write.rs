//! RecordsWrite: creates a record (the initial write) or gives it a new state (an update).

use super::{
    authorization::{Authorization, Signature},
    change::{Change, Given, Subject},
    definition::Definition,
    fields::{self, PERMISSIONS, cid_of, context_id, descriptor_of},
    json::{js_string, or_undefined},
    message::Message,
    permissions,
    policy::{self, At},
    protocol, readable,
    reason::Reason,
    refusal::{Refusal, Stop},
    replayed, text,
    view::{INLINE_MAX, Record, View},
};
use serde_json::{Map, Value};

/// Properties of the descriptor that an update may change.
const MUTABLE: &[&str] =
    &["dataCid", "dataSize", "dataFormat", "datePublished", "published", "messageTimestamp", "tags"];

/// Are the parts of the message true to one another and to what was signed?
pub(super) fn check(message: &Message) -> Result<(), Refusal> {
    let record_id = fields::record_id(message.json()).unwrap_or_default();
    let context_id = context_id(message.json());
    if message.is_initial_write() {
        check_initial(message, record_id, context_id)?;
    }
    let signature = message.signature().ok_or_else(|| Refusal::bad("AuthenticateJwsMissing", "Missing JWS."))?;
    if signature.text("recordId") != Some(record_id) {
        let signed = or_undefined(signature.text("recordId"));
        return Err(Refusal::bad(
            "RecordsWriteValidateIntegrityRecordIdUnauthorized",
            format_args!("recordId in message {record_id} does not match recordId in authorization: {signed}"),
        ));
    }
    if signature.text("contextId") != context_id {
        let (given, signed) = (or_undefined(context_id), or_undefined(signature.text("contextId")));
        return Err(Refusal::bad(
            "RecordsWriteValidateIntegrityContextIdNotInSignerSignaturePayload",
            format_args!("contextId in message {given} does not match contextId in authorization: {signed}"),
        ));
    }
    message.check_delegations()?;
    // Both ways: a part that was added after signing is as wrong as one that was changed or removed.
    check_signed_part(message, "attestation", "attestationCid", "RecordsWriteValidateIntegrityAttestationMismatch")?;
    check_signed_part(message, "encryption", "encryptionCid", "RecordsWriteValidateIntegrityEncryptionCidMismatch")?;
    text::check_uris(message.descriptor())?;
    message.check_timestamp()?;
    for name in ["dateCreated", "datePublished"] {
        message.text(name).map_or(Ok(()), text::check_time)?;
    }
    Ok(())
}

/// What the write changes, if it is allowed.
pub(super) fn decide(message: &Message, given: &Given, view: &dyn View, now: &str) -> Result<Change, Stop> {
    let record_id = fields::record_id(message.json()).unwrap_or_default();
    let record = view.record(record_id)?;
    if message.is_replayed() {
        replayed::check_write(message, view, now)?;
    } else {
        let at = At { tenant: message.tenant(), now };
        let check = |uri| protocol::check_record(message, uri, at, view);
        let definition = message.text("protocol").map(check).transpose()?;
        let reason = authorize(message, record.as_ref(), definition.as_deref(), view, now)?;
        let role = message.role().filter(|_| matches!(reason, Reason::Rule(_)));
        policy::check_write((message, record.as_ref(), given), role, at, view)?;
        let initial = record.as_ref().map(|record| &*record.initial.message).filter(|_| !message.is_initial_write());
        readable::check(message, initial)?;
    }
    let mut change = Change::of(message, Subject::Record(record_id.into()))?;
    if brings_data(message, record.as_ref(), given, view)? {
        change.brings_data = true;
        change.initial = message.is_initial_write();
    } else if message.is_initial_write() {
        if let Some(record) = &record {
            replace(&mut change, message, record, given)?;
        }
        change.initial = true;
    } else {
        let record =
            record.ok_or_else(|| Refusal::bad("RecordsWriteGetInitialWriteNotFound", "Initial write is not found."))?;
        check_immutable(&record.initial.message, message.json())?;
        check_order(message, &record)?;
        change.supersede(&record);
        if *given == Given::None {
            check_data_is_here(message, &record, view)?;
            change.keeps_data = true;
        }
    }
    permissions::revoke(message, &mut change, view)?;
    match given {
        Given::None => {}
        Given::Promised => check_data_can_be(message)?,
        // What is beside its message is never elsewhere.
        Given::Elsewhere if fields::data_size(message.json()).is_none_or(|size| size <= INLINE_MAX) => {
            return Err(Refusal::bad("RecordsWriteMissingData", "data of this size comes with its message").into());
        }
        Given::Elsewhere => check_data_can_be(message)?,
        Given::Staged { cid, size, inline } => {
            check_data(message.json(), &cid.to_string(), *size)?;
            if let Some(data) = inline.as_ref().filter(|_| message.text("protocol") == Some(PERMISSIONS)) {
                permissions::check_data(message.json(), data)?;
            }
        }
    }
    change.latest = !change.initial || *given != Given::None;
    change.data = if *given == Given::None { None } else { message.data() };
    change.status = if change.latest { 202 } else { 204 };
    Ok(change)
}

fn check_initial(message: &Message, record_id: &str, context_id: Option<&str>) -> Result<(), Refusal> {
    let (created, written) = (or_undefined(message.text("dateCreated")), message.timestamp());
    if created != written {
        return Err(Refusal::bad(
            "RecordsWriteValidateIntegrityDateCreatedMismatch",
            format_args!("messageTimestamp {written} must match dateCreated {created} for the initial write"),
        ));
    }
    let is_root = message.text("protocol").is_some() && message.text("parentId").is_none();
    if is_root && context_id != Some(record_id) {
        let given = or_undefined(context_id);
        return Err(Refusal::bad(
            "RecordsWriteValidateIntegrityContextIdMismatch",
            format_args!("contextId in message: {given} does not match deterministic contextId: {record_id}"),
        ));
    }
    Ok(())
}

fn check_signed_part(message: &Message, part: &str, cid: &str, code: &str) -> Result<(), Refusal> {
    let expected = message.json().get(part).map(cid_of).transpose()?;
    let signed = message.signature().and_then(|signature| signature.text(cid));
    if expected.as_deref() == signed {
        return Ok(());
    }
    let (expected, signed) = (or_undefined(expected.as_deref()), or_undefined(signed));
    Err(Refusal::bad(
        code,
        format_args!("CID {expected} of {part} property in message does not match {cid} in authorization: {signed}"),
    ))
}

/// May its author write this record? Whether the record can be written so is another question.
pub(super) fn authorize(
    message: &Message,
    record: Option<&Record>,
    definition: Option<&Definition>,
    view: &dyn View,
    now: &str,
) -> Result<Reason, Stop> {
    let tenant = message.tenant();
    let authorization = message.authorization();
    let owner = authorization.and_then(Authorization::owner);
    if let Some(owner) = owner.filter(|owner| *owner != tenant) {
        let text = format_args!("Owner {owner} must be the same as tenant {tenant} when specified.");
        return Err(Refusal::denied("RecordsWriteOwnerAndTenantMismatch", text).into());
    }
    if let Some((grant, claim)) = message.delegation(now)? {
        grant.authorize_write(claim, message.json(), view)?;
    }
    if let Some(grant) = authorization.map(Authorization::owner_grant).transpose()?.flatten() {
        let signer = authorization.and_then(|authorization| authorization.owner.as_ref()).map(Signature::signer);
        grant.authorize_write(message.claim(owner, signer, now), message.json(), view)?;
    }
    // Whatever the owner signs for is theirs to keep.
    if owner.is_some() || message.author() == Some(tenant) {
        return Ok(Reason::Owner);
    }
    if let Some((grant, claim)) = message.grant(view, now)? {
        grant.authorize_write(claim, message.json(), view)?;
        return Ok(Reason::Grant(grant.id, grant.expires));
    }
    if let Some(definition) = definition {
        return protocol::authorize_write(message, record, definition, At { tenant, now }, view).map(Reason::Rule);
    }
    Err(Refusal::denied("RecordsWriteAuthorizationFailed", "message failed authorization").into())
}

/// Is it the record's newest message once more, now with the data that was left elsewhere?
fn brings_data(message: &Message, record: Option<&Record>, given: &Given, view: &dyn View) -> Result<bool, Stop> {
    let Some(newest) = record.map(|record| &record.newest).filter(|newest| newest.cid == *message.cid()) else {
        return Ok(false);
    };
    Ok(matches!(given, Given::Promised | Given::Staged { .. }) && view.is_elsewhere(newest)?)
}

/// The same initial write came before, perhaps in another form: signed again, or by the owner too, who keeps a copy.
///
/// | what is here | what comes | |
/// |---|---|---|
/// | anything | a form without data | refused: it adds nothing |
/// | a form without data | any form with data | replaces it (the reference refuses that with 409) |
/// | a form with data | another form with data | replaces it if its CID is greater, as of any two messages of one time |
fn replace(change: &mut Change, message: &Message, record: &Record, given: &Given) -> Result<(), Refusal> {
    let lacks_data = record.newest.cid == record.initial.cid && !record.newest.latest;
    if *given == Given::None || !lacks_data {
        check_order(message, record)?;
    }
    if *given == Given::None {
        return Err(Refusal::conflict());
    }
    change.removes.push(record.initial.cid);
    Ok(())
}

fn check_order(message: &Message, record: &Record) -> Result<(), Refusal> {
    if !fields::is_newer((message.json(), message.cid()), (&record.newest.message, &record.newest.cid)) {
        return Err(Refusal::conflict());
    }
    if fields::is_method(&record.newest.message, "Delete") {
        let message = "RecordsWrite is not allowed after a RecordsDelete.";
        return Err(Refusal::bad("RecordsWriteNotAllowedAfterDelete", message));
    }
    Ok(())
}

fn check_immutable(initial: &Value, update: &Value) -> Result<(), Refusal> {
    let (before, after) = (descriptor_of(initial), descriptor_of(update));
    let names = before.keys().chain(after.keys()).filter(|name| !MUTABLE.contains(&name.as_str()));
    for name in names {
        check_same(name, before.get(name), after.get(name))?;
    }
    // Not part of the descriptor, and the SDK forgets it: a root record would move to another context.
    check_same("contextId", initial.get("contextId"), update.get("contextId"))
}

fn check_same(name: &str, before: Option<&Value>, after: Option<&Value>) -> Result<(), Refusal> {
    if before == after {
        return Ok(());
    }
    let (before, after) = (js_string(before), js_string(after));
    Err(Refusal::bad(
        "RecordsWriteImmutablePropertyChanged",
        format_args!("{name} is an immutable property: cannot change '{before}' to '{after}'"),
    ))
}

/// An update without data may only refer to the data that the record's newest state has: knowing a CID
/// gives nobody the data behind it.
fn check_data_is_here(message: &Message, record: &Record, view: &dyn View) -> Result<(), Stop> {
    let before = descriptor_of(&record.newest.message);
    let size = fields::data_size(&record.newest.message).unwrap_or_default();
    check_data(message.json(), &text_of(before, "dataCid"), size)?;
    if view.has_data(&record.newest)? {
        return Ok(());
    }
    let code = match size {
        0..=INLINE_MAX => "RecordsWriteMissingEncodedDataInPrevious",
        _ => "RecordsWriteMissingDataInPrevious",
    };
    Err(Refusal::bad(code, "No dataStream was provided and unable to get data from previous message").into())
}

/// No data has to be read to know that none can match.
fn check_data_can_be(message: &Message) -> Result<(), Refusal> {
    if message.data().is_some() {
        return Ok(());
    }
    let declared = |name| js_string(message.descriptor().get(name));
    let (cid, size) = (declared("dataCid"), declared("dataSize"));
    let message = format_args!("no data has the dataCid {cid} and the dataSize {size} in the descriptor");
    Err(Refusal::bad("RecordsWriteDataCidMismatch", message))
}

fn check_data(json: &Value, cid: &str, size: u64) -> Result<(), Refusal> {
    let declared = text_of(descriptor_of(json), "dataCid");
    if cid != declared {
        return Err(Refusal::bad(
            "RecordsWriteDataCidMismatch",
            format_args!("actual data CID {cid} does not match dataCid in descriptor: {declared}"),
        ));
    }
    if fields::data_size(json) != Some(size) {
        let declared = js_string(descriptor_of(json).get("dataSize"));
        return Err(Refusal::bad(
            "RecordsWriteDataSizeMismatch",
            format_args!("actual data size {size} bytes does not match dataSize in descriptor: {declared}"),
        ));
    }
    Ok(())
}

fn text_of(map: &Map<String, Value>, name: &str) -> String {
    js_string(map.get(name))
}
