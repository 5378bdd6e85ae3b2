//! Messages of our own: built and signed for the node's identity. The caller brings the clock and the key.

use super::{
    fields::{cid_of, context_id, entry_id, record_id},
    kind::Kind,
    mandate::DelegatedGrant,
    refusal::Refusal,
};
use crate::{
    cid::Cid,
    crypto::{
        Signer,
        jws::{self, Jws},
    },
    foreign,
};
use serde_json::{Map, Value, json};

/// What a RecordsWrite says.
#[derive(Debug, Clone, Default)]
pub struct Write<'a> {
    /// Protocol URI and path of the record in it.
    pub protocol: Option<(&'a str, &'a str)>,
    /// contextId of the parent record.
    pub parent_context: Option<&'a str>,
    pub recipient: Option<&'a str>,
    pub schema: Option<&'a str>,
    pub data_format: &'a str,
    pub published: bool,
    pub tags: Option<Map<String, Value>>,
}

/// By what a signer may do it in a tenant that is not his.
#[derive(Debug, Clone, Copy, Default)]
pub struct Invoked<'a> {
    /// recordId of a grant.
    pub grant: Option<&'a str>,
    /// Protocol path of a role.
    pub role: Option<&'a str>,
    /// The message is in the name of who gave this grant.
    pub delegated: Option<&'a DelegatedGrant>,
}

/// The initial write of a new record.
pub fn records_write(write: &Write<'_>, data: (&Cid, u64), now: &str, signer: &Signer) -> Result<Value, Refusal> {
    sign_records_write(draft(write, data, now, signer.did())?, signer)
}

/// The initial write of a new record of `author`, to be signed with [`sign_records_write`]. Between the two is the
/// place of encryption: its recipients follow from the draft (`crypto::record`).
pub fn draft(write: &Write<'_>, data: (&Cid, u64), now: &str, author: &str) -> Result<Value, Refusal> {
    let mut descriptor = json!({
        "interface": "Records",
        "method": "Write",
        "dataCid": data.0.to_string(),
        "dataSize": data.1,
        "dataFormat": write.data_format,
        "dateCreated": now,
        "messageTimestamp": now,
    });
    let parent_id = write.parent_context.and_then(|context| context.rsplit('/').next());
    let texts = [
        ("protocol", write.protocol.map(|(uri, _)| uri)),
        ("protocolPath", write.protocol.map(|(_, path)| path)),
        ("parentId", parent_id),
        ("recipient", write.recipient),
        ("schema", write.schema),
        ("datePublished", write.published.then_some(now)),
    ];
    for (name, text) in texts {
        if let Some(text) = text {
            descriptor[name] = text.into();
        }
    }
    if write.published {
        descriptor["published"] = true.into();
    }
    if let Some(tags) = &write.tags {
        descriptor["tags"] = Value::Object(tags.clone());
    }
    let mut message = json!({"descriptor": descriptor});
    let id = entry_id(&message, author)?;
    if write.protocol.is_some() {
        message["contextId"] = write.parent_context.map_or(id.clone(), |parent| format!("{parent}/{id}")).into();
    }
    message["recordId"] = id.into();
    Ok(message)
}

/// An update of a record: `changes` replace or (with `null`) remove properties of the descriptor that
/// `write`, a RecordsWrite of the record, has. How its data is encrypted stays while the data stays; for new data,
/// encrypt the draft anew ([`update_draft`]).
pub fn records_update(write: &Value, changes: &Value, now: &str, signer: &Signer) -> Result<Value, Refusal> {
    sign_records_write(update_draft(write, changes, now), signer)
}

/// The same, to be signed with [`sign_records_write`]. Between the two is the place of encryption.
pub fn update_draft(write: &Value, changes: &Value, now: &str) -> Value {
    let mut message = json!({"descriptor": write["descriptor"], "recordId": write["recordId"]});
    if let Some(context) = context_id(write) {
        message["contextId"] = context.into();
    }
    for (name, value) in changes.as_object().into_iter().flatten() {
        match (value, message["descriptor"].as_object_mut()) {
            (Value::Null, Some(descriptor)) => drop(descriptor.remove(name)),
            (value, _) => message["descriptor"][name] = value.clone(),
        }
    }
    message["descriptor"]["messageTimestamp"] = now.into();
    if let Some(encryption) = write.get("encryption")
        && message["descriptor"]["dataCid"] == write["descriptor"]["dataCid"]
    {
        message["encryption"] = encryption.clone();
    }
    message
}

/// Ends a record.
pub fn records_delete(record_id: &str, prune: bool, now: &str, signer: &Signer) -> Result<Value, Refusal> {
    let descriptor = json!({"interface": "Records", "method": "Delete", "recordId": record_id, "prune": prune});
    sign(descriptor, now, Some(signer))
}

/// Reads the one record that the filter finds.
pub fn records_read(filter: Value, now: &str, signer: Option<&Signer>) -> Result<Value, Refusal> {
    sign(json!({"interface": "Records", "method": "Read", "filter": filter}), now, signer)
}

/// Asks for records; `more` holds `dateSort` and `pagination`.
pub fn records_query(filter: Value, more: Value, now: &str, signer: Option<&Signer>) -> Result<Value, Refusal> {
    let mut descriptor = json!({"interface": "Records", "method": "Query", "filter": filter});
    for (name, value) in more.as_object().into_iter().flatten() {
        descriptor[name] = value.clone();
    }
    sign(descriptor, now, signer)
}

/// Asks to be told of records from now on.
pub fn subscribe_to_records(filter: Value, now: &str, signer: Option<&Signer>) -> Result<Value, Refusal> {
    sign(json!({"interface": "Records", "method": "Subscribe", "filter": filter}), now, signer)
}

/// Installs a protocol.
pub fn protocols_configure(definition: Value, now: &str, signer: &Signer) -> Result<Value, Refusal> {
    sign(json!({"interface": "Protocols", "method": "Configure", "definition": definition}), now, Some(signer))
}

/// Asks for the protocols installed, or for one.
pub fn protocols_query(uri: Option<&str>, now: &str, signer: Option<&Signer>) -> Result<Value, Refusal> {
    let mut descriptor = json!({"interface": "Protocols", "method": "Query"});
    if let Some(uri) = uri {
        descriptor["filter"] = json!({"protocol": uri});
    }
    sign(descriptor, now, signer)
}

/// Asks what came after the cursor.
pub fn messages_query(filters: Value, cursor: Option<Value>, now: &str, signer: &Signer) -> Result<Value, Refusal> {
    let mut descriptor = json!({"interface": "Messages", "method": "Query", "filters": filters});
    if let Some(cursor) = cursor {
        descriptor["cursor"] = cursor;
    }
    sign(descriptor, now, Some(signer))
}

/// Reads one message.
pub fn messages_read(cid: &str, now: &str, signer: &Signer) -> Result<Value, Refusal> {
    sign(json!({"interface": "Messages", "method": "Read", "messageCid": cid}), now, Some(signer))
}

/// A message of `signer`, signed anew with what it invokes. A new record that is written under a delegated grant is
/// [drafted](draft) for the grantor: its recordId follows from the author.
pub fn invoking(mut message: Value, invoked: Invoked<'_>, signer: &Signer) -> Result<Value, Refusal> {
    let mut payload = jws::payload(&message["authorization"]["signature"]).unwrap_or_default();
    let delegated = invoked.delegated.map(|grant| grant.cid.as_str());
    for (name, id) in
        [("permissionGrantId", invoked.grant), ("protocolRole", invoked.role), ("delegatedGrantId", delegated)]
    {
        if let Some(id) = id {
            payload[name] = id.into();
        }
    }
    message["authorization"]["signature"] = signed(&payload, signer)?;
    if let Some(grant) = invoked.delegated {
        message["authorization"]["authorDelegatedGrant"] = grant.message.clone();
    }
    Ok(message)
}

fn sign(mut descriptor: Value, now: &str, signer: Option<&Signer>) -> Result<Value, Refusal> {
    descriptor["messageTimestamp"] = now.into();
    let Some(signer) = signer else { return Ok(json!({"descriptor": descriptor})) };
    let payload = json!({"descriptorCid": cid_of(&descriptor)?});
    let signature = signed(&payload, signer)?;
    Ok(json!({"descriptor": descriptor, "authorization": {"signature": signature}}))
}

/// Signs a [`draft`], with the encryption that was set on it.
pub fn sign_records_write(mut message: Value, signer: &Signer) -> Result<Value, Refusal> {
    let mut payload = json!({"descriptorCid": cid_of(&message["descriptor"])?, "recordId": record_id(&message)});
    if let Some(context) = context_id(&message) {
        payload["contextId"] = context.into();
    }
    if let Some(encryption) = message.get("encryption") {
        payload["encryptionCid"] = cid_of(encryption)?.into();
    }
    message["authorization"] = json!({"signature": signed(&payload, signer)?});
    Ok(message)
}

/// Signs a message that somebody else has drafted: its descriptor, and of a RecordsWrite what else is signed.
pub fn sign_message(message: Value, signer: &Signer) -> Result<Value, Refusal> {
    let bad = |why: &str| Refusal::bad("MessageInvalid", why);
    let Some(kind) = Kind::of_json(&message) else {
        return Err(bad("its descriptor names no interface and method of DWN"));
    };
    let members = message.as_object().into_iter().flatten().map(|(name, _)| name.as_str());
    let is_write = kind == Kind::RecordsWrite;
    let may = |name: &str| name == "descriptor" || is_write && matches!(name, "recordId" | "contextId" | "encryption");
    if let Some(other) = members.into_iter().find(|name| !may(name)) {
        return Err(bad(&format!("`{}` is no part of a message to be signed", foreign::shown(other))));
    }
    if is_write {
        return sign_records_write(message, signer);
    }
    let signature = signed(&json!({"descriptorCid": cid_of(&message["descriptor"])?}), signer)?;
    Ok(json!({"descriptor": message["descriptor"], "authorization": {"signature": signature}}))
}

/// 423, should the key be locked.
fn signed(payload: &Value, signer: &Signer) -> Result<Value, Refusal> {
    Jws::sign(payload.to_string().as_bytes(), signer).map_err(|locked| Refusal::new(423, locked.to_string()))
}
