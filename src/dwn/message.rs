//! A message as it arrives: its kind, its shape, its CID, who signed it. What needs no past is judged here.

use super::{
    Refusal, messages_query, messages_read, protocols_configure, protocols_query, records_delete, records_query,
    records_read, records_write,
    schema::{self, Shape},
    shapes, subscribe, text,
};
use crate::{
    cid::{self, Cid},
    crypto::{
        PublicKey,
        jws::{self, Jws},
    },
};
use serde_json::{Map, Value};
use std::sync::Arc;

/// Deeper JSON than any honest message has; what recurses over messages may count on this bound.
const DEPTH_MAX: usize = 64;

/// What a message asks for: interface and method.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    RecordsWrite,
    RecordsRead,
    RecordsQuery,
    RecordsDelete,
    RecordsSubscribe,
    ProtocolsConfigure,
    ProtocolsQuery,
    MessagesQuery,
    MessagesRead,
    MessagesSubscribe,
}

impl Kind {
    /// Interface and method in one word, as clients name it.
    pub fn name(self) -> &'static str {
        match self {
            Self::RecordsWrite => "RecordsWrite",
            Self::RecordsRead => "RecordsRead",
            Self::RecordsQuery => "RecordsQuery",
            Self::RecordsDelete => "RecordsDelete",
            Self::RecordsSubscribe => "RecordsSubscribe",
            Self::ProtocolsConfigure => "ProtocolsConfigure",
            Self::ProtocolsQuery => "ProtocolsQuery",
            Self::MessagesQuery => "MessagesQuery",
            Self::MessagesRead => "MessagesRead",
            Self::MessagesSubscribe => "MessagesSubscribe",
        }
    }

    fn of(name: &str) -> Result<Self, Refusal> {
        Ok(match name {
            "RecordsWrite" => Self::RecordsWrite,
            "RecordsRead" => Self::RecordsRead,
            "RecordsQuery" => Self::RecordsQuery,
            "RecordsDelete" => Self::RecordsDelete,
            "RecordsSubscribe" => Self::RecordsSubscribe,
            "ProtocolsConfigure" => Self::ProtocolsConfigure,
            "ProtocolsQuery" => Self::ProtocolsQuery,
            "MessagesQuery" => Self::MessagesQuery,
            "MessagesRead" => Self::MessagesRead,
            "MessagesSubscribe" => Self::MessagesSubscribe,
            _ => {
                let message = format_args!("schema for {name} not found.");
                return Err(Refusal::bad("SchemaValidatorSchemaNotFound", message));
            }
        })
    }

    fn shape(self) -> &'static Shape {
        match self {
            Self::RecordsWrite => &shapes::RECORDS_WRITE,
            Self::RecordsRead => &shapes::RECORDS_READ,
            Self::RecordsQuery => &shapes::RECORDS_QUERY,
            Self::RecordsDelete => &shapes::RECORDS_DELETE,
            Self::RecordsSubscribe => &shapes::RECORDS_SUBSCRIBE,
            Self::ProtocolsConfigure => &shapes::PROTOCOLS_CONFIGURE,
            Self::ProtocolsQuery => &shapes::PROTOCOLS_QUERY,
            Self::MessagesQuery => &shapes::MESSAGES_QUERY,
            Self::MessagesRead => &shapes::MESSAGES_READ,
            Self::MessagesSubscribe => &shapes::MESSAGES_SUBSCRIBE,
        }
    }

    /// Does it change the tenant's state?
    pub fn is_write(self) -> bool {
        matches!(self, Self::RecordsWrite | Self::RecordsDelete | Self::ProtocolsConfigure)
    }

    /// Does it ask for what happens from now on?
    pub fn is_subscribe(self) -> bool {
        matches!(self, Self::RecordsSubscribe | Self::MessagesSubscribe)
    }
}

/// A message whose shape and integrity have been checked. Its signatures have not: see [`Message::verify`].
#[derive(Debug, Clone)]
pub struct Message {
    tenant: String,
    kind: Kind,
    json: Arc<Value>,
    cid: Cid,
    bytes: Vec<u8>,
    signature: Option<Signature>,
    initial: bool,
}

/// The author's signature and what it signs.
#[derive(Debug, Clone)]
pub(super) struct Signature {
    jws: Jws,
    pub payload: Map<String, Value>,
}

impl Message {
    /// Everything that can be said against a message without knowing the tenant's past or anybody's keys.
    pub fn parse(tenant: &str, json: Value) -> Result<Self, Refusal> {
        if is_deeper_than(&json, DEPTH_MAX) {
            return Err(Refusal::new(400, format!("the message is nested deeper than {DEPTH_MAX} levels")));
        }
        let kind = kind_of(&json)?;
        schema::check(kind.name(), kind.shape(), &json)?;
        let descriptor = descriptor_of(&json);
        match kind {
            Kind::RecordsQuery => records_query::check_unsigned(descriptor)?,
            Kind::ProtocolsConfigure => protocols_configure::check_unsigned(descriptor)?,
            Kind::MessagesRead => messages_read::check_unsigned(descriptor)?,
            _ => {}
        }
        let signature = Signature::parse(kind, &json)?;
        let (cid, bytes) = cid::of_json(&json).map_err(|e| Refusal::new(400, e.to_string()))?;
        let author = signature.as_ref().map(Signature::author);
        let initial = kind == Kind::RecordsWrite && records_write::is_initial(&json, author)?;
        let message = Self { tenant: tenant.into(), kind, json: Arc::new(json), cid, bytes, signature, initial };
        match kind {
            Kind::RecordsWrite => records_write::check(&message)?,
            Kind::RecordsQuery => records_query::check(&message)?,
            Kind::RecordsRead => records_read::check(&message)?,
            Kind::RecordsDelete => records_delete::check(&message)?,
            Kind::RecordsSubscribe => subscribe::check_records(&message)?,
            Kind::ProtocolsQuery => protocols_query::check(&message)?,
            Kind::MessagesQuery => messages_query::check(&message)?,
            Kind::ProtocolsConfigure => protocols_configure::check(&message)?,
            Kind::MessagesRead => message.check_timestamp()?,
            Kind::MessagesSubscribe => subscribe::check_messages(&message)?,
        }
        message.refuse_what_comes_later()?;
        Ok(message)
    }

    /// Checks all signatures with the keys found under exactly the key ids that [`Message::signers`] names.
    pub fn verify(&self, key: &impl Fn(&str) -> Option<PublicKey>) -> Result<(), Refusal> {
        let Some(signature) = &self.signature else { return Ok(()) };
        signature.jws.verify(key).map_err(|error| match &error {
            jws::Error::KeyNotFound(_) => Refusal::denied(
                "GeneralJwsVerifierGetPublicKeyNotFound",
                "public key needed to verify signature not found in DID Document",
            ),
            jws::Error::Invalid(kid, _) => {
                let message = format_args!("Signature verification failed for {}", did_of(kid));
                Refusal::denied("GeneralJwsVerifierInvalidSignature", message)
            }
            jws::Error::Shape(_) => Refusal::new(401, error.to_string()),
        })
    }

    /// Key ids (DID URLs) whose keys `verify` needs. Empty: nobody signed.
    pub fn signers(&self) -> Vec<String> {
        self.signature.iter().flat_map(|signature| signature.jws.kids()).map(str::to_owned).collect()
    }

    /// The DID whose node this message was sent to.
    pub fn tenant(&self) -> &str {
        &self.tenant
    }

    pub fn kind(&self) -> Kind {
        self.kind
    }

    pub fn is_write(&self) -> bool {
        self.kind.is_write()
    }

    /// The DID that signed; nobody for an anonymous read.
    pub fn author(&self) -> Option<&str> {
        self.signature.as_ref().map(Signature::author)
    }

    pub fn json(&self) -> &Arc<Value> {
        &self.json
    }

    pub fn cid(&self) -> &Cid {
        &self.cid
    }

    /// DAG-CBOR of the message.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Is it the first write of its record?
    pub fn is_initial_write(&self) -> bool {
        self.initial
    }

    /// CID and size of the data that a RecordsWrite declares; nothing if that cannot name any data.
    pub fn data(&self) -> Option<(Cid, u64)> {
        (self.kind == Kind::RecordsWrite).then(|| declared_data(&self.json)).flatten()
    }

    pub(super) fn descriptor(&self) -> &Map<String, Value> {
        descriptor_of(&self.json)
    }

    /// A text in the descriptor.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.descriptor().get(name).and_then(Value::as_str)
    }

    pub(super) fn filter(&self) -> Option<&Map<String, Value>> {
        self.descriptor().get("filter").and_then(Value::as_object)
    }

    /// The filters of a message of the Messages interface.
    pub(super) fn filters(&self) -> impl Iterator<Item = &Map<String, Value>> {
        let filters = self.descriptor().get("filters").and_then(Value::as_array);
        filters.into_iter().flatten().filter_map(Value::as_object)
    }

    pub(super) fn timestamp(&self) -> &str {
        timestamp(&self.json)
    }

    pub(super) fn signature(&self) -> Option<&Signature> {
        self.signature.as_ref()
    }

    /// The protocol path of the role that the message invokes.
    pub(super) fn role(&self) -> Option<&str> {
        self.signature.as_ref().and_then(|signature| signature.text("protocolRole"))
    }

    /// The author, where the shape demands a signature.
    pub(super) fn signed_author(&self) -> Result<&str, Refusal> {
        self.author().ok_or_else(|| Refusal::denied("AuthenticateJwsMissing", "Missing JWS."))
    }

    pub(super) fn check_timestamp(&self) -> Result<(), Refusal> {
        text::check_time(self.timestamp())
    }

    /// Features of the dialect that this version does not have are named, never passed over.
    fn refuse_what_comes_later(&self) -> Result<(), Refusal> {
        let authorization = self.json.get("authorization");
        let authorized_by = |name| authorization.is_some_and(|authorization| authorization.get(name).is_some());
        let signed = |name| self.signature.as_ref().is_some_and(|signature| signature.payload.contains_key(name));
        if authorized_by("authorDelegatedGrant") || authorized_by("ownerDelegatedGrant") || signed("delegatedGrantId") {
            return Err(Refusal::unsupported("DelegatedGrant"));
        }
        if authorized_by("ownerSignature") {
            return Err(Refusal::unsupported("OwnerSignature"));
        }
        if signed("permissionGrantId") {
            return Err(Refusal::unsupported("PermissionGrant"));
        }
        if signed("protocolRole") {
            return Err(Refusal::unsupported("ProtocolRole"));
        }
        Ok(())
    }
}

impl Signature {
    fn parse(kind: Kind, json: &Value) -> Result<Option<Self>, Refusal> {
        let Some(authorization) = json.get("authorization") else { return Ok(None) };
        let jws =
            authorization.get("signature").ok_or_else(|| Refusal::bad("AuthenticateJwsMissing", "Missing JWS."))?;
        let (name, shape) = match kind {
            Kind::RecordsWrite => ("RecordsWriteSignaturePayload", &shapes::RECORDS_WRITE_PAYLOAD),
            _ => ("GenericSignaturePayload", &shapes::PAYLOAD),
        };
        let (jws, payload) = parse_jws(jws, "AuthenticationMoreThanOneSignatureNotSupported", &|_| {
            "expected no more than 1 signature for authorization purpose".into()
        })?;
        schema::check(name, shape, &Value::Object(payload.clone()))?;
        let expected = cid_of(&json["descriptor"])?;
        let given = shown(payload.get("descriptorCid"));
        if given != expected {
            let message = format_args!("provided descriptorCid {given} does not match expected CID {expected}");
            return Err(Refusal::bad("AuthenticateDescriptorCidMismatch", message));
        }
        Ok(Some(Self { jws, payload }))
    }

    pub fn author(&self) -> &str {
        self.jws.kids().next().map_or("", did_of)
    }

    /// A text in the signed payload.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.payload.get(name).and_then(Value::as_str)
    }
}

/// A JWS with exactly one signature over a JSON object; its payload.
pub(super) fn parse_jws(
    json: &Value,
    too_many: &str,
    complaint: &dyn Fn(usize) -> String,
) -> Result<(Jws, Map<String, Value>), Refusal> {
    let count = json.get("signatures").and_then(Value::as_array).map_or(0, Vec::len);
    if count != 1 {
        return Err(Refusal::bad(too_many, complaint(count)));
    }
    let invalid = |message| Refusal::bad("JwsDecodePlainObjectPayloadInvalid", message);
    let payload = match jws::payload(json) {
        Some(Value::Object(payload)) => payload,
        Some(_) => return Err(invalid("signed payload must be a plain object")),
        None => return Err(invalid("payload is not a JSON object")),
    };
    let jws = Jws::parse(json).map_err(|e| Refusal::new(400, e.to_string()))?;
    Ok((jws, payload))
}

/// The kind of a message, with the SDK's words for what is missing or unknown.
fn kind_of(json: &Value) -> Result<Kind, Refusal> {
    let name = |property| json.get("descriptor").and_then(|descriptor| descriptor.get(property));
    match (name("interface"), name("method")) {
        (Some(interface), Some(method)) => Kind::of(&format!("{}{}", shown(Some(interface)), shown(Some(method)))),
        (interface, method) => {
            let (interface, method) = (shown(interface), shown(method));
            let detail = format!("Both interface and method must be present, interface: {interface}, method: {method}");
            Err(Refusal::new(400, detail))
        }
    }
}

fn is_deeper_than(json: &Value, levels: usize) -> bool {
    let Some(levels) = levels.checked_sub(1) else { return true };
    match json {
        Value::Array(items) => items.iter().any(|item| is_deeper_than(item, levels)),
        Value::Object(map) => map.values().any(|value| is_deeper_than(value, levels)),
        _ => false,
    }
}

/// A value as JavaScript writes it into a sentence.
pub(super) fn shown(value: Option<&Value>) -> String {
    match value {
        None => "undefined".into(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Object(_)) => "[object Object]".into(),
        Some(Value::Array(items)) => {
            let items = items.iter().map(|item| if item.is_null() { String::new() } else { shown(Some(item)) });
            items.collect::<Vec<_>>().join(",")
        }
        Some(value) => value.to_string(),
    }
}

/// A text as JavaScript writes it into a sentence.
pub(super) fn shown_text(text: Option<&str>) -> &str {
    text.unwrap_or("undefined")
}

/// CID of a part of a message.
pub(super) fn cid_of(json: &Value) -> Result<String, Refusal> {
    cid::of_json(json).map(|(cid, _)| cid.to_string()).map_err(|e| Refusal::new(400, e.to_string()))
}

/// The DID of a key id.
pub(super) fn did_of(kid: &str) -> &str {
    kid.split_once('#').map_or(kid, |(did, _)| did)
}

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
pub(super) fn is_method(json: &Value, method: &str) -> bool {
    descriptor_text(json, "method") == Some(method)
}

/// The record a RecordsWrite or RecordsDelete is about.
pub(super) fn record_id(json: &Value) -> Option<&str> {
    json.get("recordId").and_then(Value::as_str).or_else(|| descriptor_text(json, "recordId"))
}

/// CID and size in a RecordsWrite's descriptor.
pub(super) fn declared_data(json: &Value) -> Option<(Cid, u64)> {
    let cid = descriptor_text(json, "dataCid")?.parse().ok()?;
    Some((cid, data_size(json)?))
}

/// JavaScript writes whole numbers also as `1.0`.
pub(super) fn data_size(json: &Value) -> Option<u64> {
    let size = descriptor_of(json).get("dataSize")?;
    size.as_u64().or_else(|| size.as_f64().filter(|f| f.fract() == 0.0 && (0.0..9e15).contains(f)).map(|f| f as u64))
}

/// Newer: greater timestamp, on a tie the greater CID text.
pub(super) fn is_newer(a: (&Value, &Cid), b: (&Value, &Cid)) -> bool {
    let key = |(json, cid): (&Value, &Cid)| (timestamp(json).to_owned(), cid.to_string());
    key(a) > key(b)
}
