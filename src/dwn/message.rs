//! A message as it arrives: its kind, its shape, its CID, who signed it. What needs no past is judged here.

use super::{
    authorization::{Authorization, Signature},
    fields::{declared_data, descriptor_of, entry_id, record_id, timestamp},
    grant::{Claim, Grant},
    json::Json,
    kind::Kind,
    refusal::{Refusal, Stop},
    text,
    view::View,
};
use crate::{
    cid::{self, Cid},
    crypto::PublicKey,
};
use serde_json::{Map, Value};
use std::sync::Arc;

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
    vouched: bool,
}

impl Message {
    /// The message that this JSON is, whose authorization has been read.
    pub(super) fn new(
        tenant: &str,
        kind: Kind,
        json: Value,
        authorization: Option<Authorization>,
    ) -> Result<Self, Refusal> {
        let (cid, bytes) = cid::of_json(&json).map_err(|e| Refusal::new(400, e.to_string()))?;
        let author = authorization.as_ref().map(Authorization::author);
        let initial = kind == Kind::RecordsWrite && is_initial(&json, author)?;
        let tenant = tenant.into();
        Ok(Self {
            tenant,
            kind,
            json: Arc::new(json.into()),
            cid,
            bytes,
            authorization,
            initial,
            replayed: false,
            vouched: false,
        })
    }

    /// The same message, as another device of the tenant tells it that has judged it already: rules that depend on what is
    /// here are not asked again (`replayed`), so that devices keep the same messages in whatever order they meet them.
    pub fn replayed(self) -> Self {
        Self { replayed: true, ..self }
    }

    /// The same message, as the tenant's own node tells it to somebody who keeps a copy of what they may read: what it depends on
    /// may be none of theirs, so nothing here is asked for but the message itself.
    pub fn vouched(self) -> Self {
        Self { replayed: true, vouched: true, ..self }
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

    /// Did the tenant's own node tell it to somebody who keeps a copy?
    pub(super) fn is_vouched(&self) -> bool {
        self.vouched
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

    /// A text in the filter.
    pub(super) fn asked(&self, name: &str) -> Option<&str> {
        self.filter()?.get(name)?.as_str()
    }

    /// The filters of a message of the Messages interface.
    pub(super) fn filters(&self) -> impl Iterator<Item = &Map<String, Value>> {
        let filters = self.descriptor().get("filters").and_then(Value::as_array);
        filters.into_iter().flatten().filter_map(Value::as_object)
    }

    pub fn timestamp(&self) -> &str {
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
    pub(super) fn delegation<'a>(&'a self, now: &'a str) -> Result<Option<(&'a Grant, Claim<'a>)>, Refusal> {
        let Some(authorization) = &self.authorization else { return Ok(None) };
        let grant = authorization.author_grant()?;
        Ok(grant.map(|grant| (grant, self.claim(self.author(), Some(authorization.signature.signer()), now))))
    }

    /// The tenant's grant that the author invokes, and what it must be good for. `now`: the node's clock.
    pub(super) fn grant<'a>(&'a self, view: &dyn View, now: &'a str) -> Result<Option<(Grant, Claim<'a>)>, Stop> {
        let id = self.signature().and_then(|signature| signature.text("permissionGrantId"));
        let grant = id.map(|id| Grant::fetch(id, view)).transpose()?;
        Ok(grant.map(|grant| (grant, self.claim(Some(&self.tenant), self.author(), now))))
    }

    /// What a grant for this message must be good for. The message must also arrive in time, unless its date is vouched for:
    /// by another device of the tenant, which judged it on arrival, or by the tenant, who signed it as owner.
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

/// A record's id is the entry id of its first write.
fn is_initial(message: &Value, author: Option<&str>) -> Result<bool, Refusal> {
    let author = author.ok_or_else(|| Refusal::bad("AuthenticateJwsMissing", "Missing JWS."))?;
    Ok(record_id(message) == Some(&entry_id(message, author)?))
}
