//! A message as it arrives: its kind, its shape, its CID, who signed it. What needs no past is judged here.

pub use super::kind::Kind;
use super::{
    Json, Refusal, Stop, View,
    authorization::{Authorization, Signature},
    grant::{Claim, Grant},
    messages_query, messages_read, protocols_configure, protocols_query, records_delete, records_query, records_read,
    records_write, schema, subscribe, text,
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

/// A message whose shape and integrity have been checked. Its signatures have not: see [`Message::verify`].
#[derive(Debug, Clone)]
pub struct Message {
    tenant: String,
    kind: Kind,
    json: Arc<Json>,
    cid: Cid,
    bytes: Vec<u8>,
    authorization: Option<Authorization>,
    initial: bool,
    replayed: bool,
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
        let authorization = Authorization::parse(kind, &json)?;
        let (cid, bytes) = cid::of_json(&json).map_err(|e| Refusal::new(400, e.to_string()))?;
        let author = authorization.as_ref().map(Authorization::author);
        let initial = kind == Kind::RecordsWrite && records_write::is_initial(&json, author)?;
        let message = Self {
            tenant: tenant.into(),
            kind,
            json: Arc::new(json.into()),
            cid,
            bytes,
            authorization,
            initial,
            replayed: false,
        };
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
        Ok(message)
    }

    /// The same message as another device of the tenant tells it, which has judged it already: it is judged by its
    /// own merits, not by what happened here meanwhile, so that devices that saw the same in another order end up the
    /// same.
    pub fn replayed(self) -> Self {
        Self { replayed: true, ..self }
    }

    /// Checks all signatures with the keys found under exactly the key ids that [`Message::signers`] names.
    pub fn verify(&self, key: &impl Fn(&str) -> Option<PublicKey>) -> Result<(), Refusal> {
        self.authorization.as_ref().map_or(Ok(()), |authorization| authorization.verify(key))
    }

    /// Key ids (DID URLs) whose keys `verify` needs. Empty: nobody signed.
    pub fn signers(&self) -> Vec<String> {
        self.authorization.iter().flat_map(Authorization::kids).map(str::to_owned).collect()
    }

    /// The DID that signed it: the author, or his delegate.
    pub fn signer(&self) -> Option<&str> {
        self.signature().map(Signature::signer)
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

    /// The DID in whose name the message is: who signed it, or who granted that to whom signed it. Nobody for
    /// an anonymous read.
    pub fn author(&self) -> Option<&str> {
        self.authorization.as_ref().map(Authorization::author)
    }

    pub fn json(&self) -> &Arc<Json> {
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

    /// Did another device of the tenant tell it?
    pub(super) fn is_replayed(&self) -> bool {
        self.replayed
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
        self.authorization.as_ref().map(|authorization| &authorization.signature)
    }

    pub(super) fn authorization(&self) -> Option<&Authorization> {
        self.authorization.as_ref()
    }

    /// Grants that came with the message must belong to its signatures.
    pub(super) fn check_delegations(&self) -> Result<(), Refusal> {
        self.authorization.as_ref().map_or(Ok(()), Authorization::check_delegations)
    }

    /// The grant with which a delegate signed for the author, and what it must be good for. `now`: the node's clock.
    pub(super) fn delegation<'a>(&'a self, now: &'a str) -> Result<Option<(Grant, Claim<'a>)>, Refusal> {
        let Some(authorization) = &self.authorization else { return Ok(None) };
        let grant = authorization.author_grant().transpose()?;
        Ok(grant.map(|grant| (grant, self.claim(self.author(), Some(authorization.signature.signer()), now))))
    }

    /// The tenant's grant that the author invokes, and what it must be good for. `now`: the node's clock.
    pub(super) fn grant<'a>(&'a self, view: &dyn View, now: &'a str) -> Result<Option<(Grant, Claim<'a>)>, Stop> {
        let id = self.signature().and_then(|signature| signature.text("permissionGrantId"));
        let grant = id.map(|id| Grant::fetch(id, view)).transpose()?;
        Ok(grant.map(|grant| (grant, self.claim(Some(&self.tenant), self.author(), now))))
    }

    /// A message must come in time, too, unless another device of the tenant has judged it when it did, or the tenant has
    /// signed it as owner: their word is taken on its date.
    pub(super) fn claim<'a>(&'a self, grantor: Option<&'a str>, grantee: Option<&'a str>, now: &'a str) -> Claim<'a> {
        let vouched = self.authorization.as_ref().and_then(Authorization::owner_in_person) == Some(&self.tenant);
        let heard = (!self.replayed && !vouched).then_some(now);
        Claim { grantor, grantee, kind: self.kind, at: self.timestamp(), heard }
    }

    /// The protocol path of the role that the message invokes.
    pub(super) fn role(&self) -> Option<&str> {
        self.signature().and_then(|signature| signature.text("protocolRole"))
    }

    /// The author, where the shape demands a signature.
    pub(super) fn signed_author(&self) -> Result<&str, Refusal> {
        self.author().ok_or_else(|| Refusal::denied("AuthenticateJwsMissing", "Missing JWS."))
    }

    pub(super) fn check_timestamp(&self) -> Result<(), Refusal> {
        text::check_time(self.timestamp())
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
