//! Permission grants: what the owner of a node lets somebody else do, and whether a message stays within it.
//!
//! A grant is a record of the permissions protocol. It is either kept here and named in the signature
//! (`permissionGrantId`: the grantee acts in their own name), or it comes with the message (a delegated grant: the
//! grantee acts in the grantor's name).

use super::{
    fields::{self, PERMISSIONS, REVOCATION, descriptor_of, descriptor_text, is_published},
    filter::{self, is_within, text},
    json::{js_string, or_undefined},
    kind::Kind,
    refusal::{Refusal, Stop},
    schema, shapes,
    text::{check_protocol_uri, is_too_late},
    view::{Direction, Select, SortBy, Stored, View},
};
use crate::{
    cid,
    crypto::{self, jws::Jws},
};
use serde_json::Value;

/// A permission grant.
#[derive(Debug, Clone)]
pub(super) struct Grant {
    /// recordId of the grant.
    pub id: String,
    /// Who signed it.
    pub grantor: String,
    pub grantee: Option<String>,
    pub granted: String,
    pub expires: String,
    pub delegated: bool,
    pub scope: Scope,
    /// `Required` or `Prohibited`: must what is written be published?
    pub publication: Option<String>,
}

/// What a grant allows.
#[derive(Debug, Clone, Default)]
pub(super) struct Scope {
    pub interface: String,
    pub method: String,
    pub protocol: Option<String>,
    pub context_id: Option<String>,
    pub protocol_path: Option<String>,
}

/// Who must have granted what to whom, and when.
#[derive(Debug, Clone, Copy)]
pub(super) struct Claim<'a> {
    pub grantor: Option<&'a str>,
    pub grantee: Option<&'a str>,
    pub kind: Kind,
    /// The time at which the grant must hold.
    pub at: &'a str,
    /// The node's clock when the message arrived: a date can be chosen freely, so the message must also arrive in time. `None`:
    /// somebody else vouches for the date ([`Message::claim`](super::Message::claim)).
    pub heard: Option<&'a str>,
}

impl Grant {
    /// The grant that came with a message: `encodedData` must be what its author signed. (The reference forgets to
    /// look, so that a grantee can write themselves another scope.)
    pub fn delegated(json: &Value) -> Result<Self, Refusal> {
        let data = json.get("encodedData").and_then(Value::as_str).and_then(crypto::decode).unwrap_or_default();
        let actual = cid::of(cid::RAW, &data);
        let declared = fields::declared_data(json);
        if declared != Some((actual, data.len() as u64)) {
            let declared = js_string(descriptor_of(json).get("dataCid"));
            let text = format_args!("actual data CID {actual} does not match dataCid in descriptor: {declared}");
            return Err(Refusal::bad("RecordsWriteDataCidMismatch", text));
        }
        Self::parse(json, &data)
    }

    /// The grant kept under a recordId.
    pub fn fetch(id: &str, view: &dyn View) -> Result<Self, Stop> {
        let missing = || {
            let text = format_args!("Could not find permission grant with record ID {id}.");
            Refusal::denied("GrantAuthorizationGrantMissing", text)
        };
        let stored = view.record(id)?.map(|record| record.newest).ok_or_else(missing)?;
        let is = |name, wanted| descriptor_text(&stored.message, name) == Some(wanted);
        if !stored.latest || !is("method", "Write") || !is("protocol", PERMISSIONS) || !is("protocolPath", "grant") {
            return Err(missing().into());
        }
        Self::kept(&stored, view)?.ok_or_else(|| missing().into())
    }

    /// The grant in a record that is kept here. Nothing if its data is gone.
    pub fn kept(stored: &Stored, view: &dyn View) -> Result<Option<Self>, Stop> {
        let data = view.inline_data(stored)?;
        Ok(data.map(|data| Self::parse(&stored.message, &data)).transpose()?)
    }

    fn parse(json: &Value, data: &[u8]) -> Result<Self, Refusal> {
        let data: Value = data_of(data)?;
        let signature = json.get("authorization").and_then(|authorization| authorization.get("signature"));
        let signature = signature.and_then(|jws| Jws::parse(jws).ok());
        // Whoever signed: nobody grants in somebody else's name.
        let grantor = signature.as_ref().map_or("", fields::signer_of);
        // Of a grant that is kept here this was checked when it was written; one that came with a message no node has judged.
        schema::check("PermissionGrantData", &shapes::PERMISSION_GRANT, &data)?;
        let string = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
        let owned = |name| descriptor_text(json, name).map(str::to_owned);
        Ok(Self {
            id: fields::record_id(json).unwrap_or_default().into(),
            grantor: grantor.into(),
            grantee: owned("recipient"),
            granted: owned("dateCreated").unwrap_or_default(),
            expires: string(data.get("dateExpires")).unwrap_or_default(),
            delegated: data.get("delegated") == Some(&Value::Bool(true)),
            scope: Scope::of(&data),
            publication: string(data.get("conditions").and_then(|conditions| conditions.get("publication"))),
        })
    }

    /// May this record be written with the grant?
    pub fn authorize_write(&self, claim: Claim<'_>, write: &Value, view: &dyn View) -> Result<(), Stop> {
        self.check(claim, view)?;
        self.scope.covers(write)?;
        let published = is_published(write);
        match self.publication.as_deref() {
            Some("Required") if !published => Err(Refusal::denied(
                "RecordsGrantAuthorizationConditionPublicationRequired",
                "Permission grant requires message to be published",
            )
            .into()),
            Some("Prohibited") if published => Err(Refusal::denied(
                "RecordsGrantAuthorizationConditionPublicationProhibited",
                "Permission grant prohibits message from being published",
            )
            .into()),
            _ => Ok(()),
        }
    }

    /// May this record be read with the grant?
    pub fn authorize_read(&self, claim: Claim<'_>, write: &Value, view: &dyn View) -> Result<(), Stop> {
        self.check(claim, view)?;
        Ok(self.scope.covers(write)?)
    }

    /// May the protocol be touched that the message names? `code` and `place` say what is wrong if not.
    pub fn authorize_protocol(
        &self,
        claim: Claim<'_>,
        protocol: Option<&str>,
        (code, place): (&str, &str),
        view: &dyn View,
    ) -> Result<(), Stop> {
        self.check(claim, view)?;
        let granted = self.scope.protocol.as_deref();
        if granted.is_none() || granted == protocol {
            return Ok(());
        }
        let (granted, given) = (or_undefined(granted), or_undefined(protocol));
        let text = format_args!("Grant protocol scope {granted} does not match protocol in {place} {given}");
        Err(Refusal::denied(code, text).into())
    }

    /// Is it granted by the one to the other, in force, and for this method?
    pub fn check(&self, claim: Claim<'_>, view: &dyn View) -> Result<(), Stop> {
        self.check_parties(claim)?;
        self.check_in_force(claim, view)?;
        Ok(self.check_method(claim)?)
    }

    /// The same by what the grant itself says, whatever is kept here: whether it was revoked is not asked.
    pub fn check_by_itself(&self, claim: Claim<'_>) -> Result<(), Refusal> {
        self.check_parties(claim)?;
        self.check_dates(claim.at)?;
        self.check_method(claim)
    }

    fn check_parties(&self, claim: Claim<'_>) -> Result<(), Refusal> {
        let grantee = self.grantee.as_deref();
        if claim.grantee != grantee {
            let (is, must) = (or_undefined(grantee), or_undefined(claim.grantee));
            let text = format_args!("Permission grant is granted to {is}, but need to be granted to {must}");
            return Err(Refusal::denied("GrantAuthorizationNotGrantedToAuthor", text));
        }
        if claim.grantor != Some(&self.grantor) {
            let (is, must) = (&self.grantor, or_undefined(claim.grantor));
            let text = format_args!("Permission grant is granted by {is}, but need to be granted by {must}");
            return Err(Refusal::denied("GrantAuthorizationNotGrantedForTenant", text));
        }
        Ok(())
    }

    fn check_method(&self, claim: Claim<'_>) -> Result<(), Refusal> {
        let outside = |what: &str| {
            let id = &self.id;
            format!("DWN {what} of incoming message is outside the scope of permission grant with ID {id}")
        };
        let (interface, method) = claim.kind.parts();
        if interface != self.scope.interface {
            return Err(Refusal::denied("GrantAuthorizationInterfaceMismatch", outside("Interface")));
        }
        if method != self.scope.method {
            return Err(Refusal::denied("GrantAuthorizationMethodMismatch", outside("Method")));
        }
        Ok(())
    }

    fn check_dates(&self, at: &str) -> Result<(), Refusal> {
        if at < self.granted.as_str() {
            let text = "The message has a timestamp before the associated permission grant becomes active";
            return Err(Refusal::denied("GrantAuthorizationGrantNotYetActive", text));
        }
        if at >= self.expires.as_str() {
            let text = "The message has timestamp after the expiry of the associated permission grant";
            return Err(Refusal::denied("GrantAuthorizationGrantExpired", text));
        }
        Ok(())
    }

    fn check_in_force(&self, Claim { at, heard, .. }: Claim<'_>, view: &dyn View) -> Result<(), Stop> {
        let too_late = |end: &str| heard.is_some_and(|now| is_too_late(end, now));
        let late = |what: &str, end: &str| {
            format!(
                "Permission grant with CID {} {what} at {end}: what was signed with it before counts if it comes within 10 minutes",
                self.id
            )
        };
        self.check_dates(at)?;
        if too_late(&self.expires) {
            return Err(Refusal::denied("GrantAuthorizationGrantExpired", late("expired", &self.expires)).into());
        }
        let Some(revoked) = self.revoked(view)? else { return Ok(()) };
        if revoked.as_str() <= at {
            let text = format_args!("Permission grant with CID {} has been revoked", self.id);
            return Err(Refusal::denied("GrantAuthorizationGrantRevoked", text).into());
        }
        if too_late(&revoked) {
            return Err(Refusal::denied("GrantAuthorizationGrantRevoked", late("was revoked", &revoked)).into());
        }
        Ok(())
    }

    /// Since when it is revoked. Revocations are looked for with the grantor, whose tenant this need not be.
    pub fn revoked(&self, view: &dyn View) -> Result<Option<String>, Stop> {
        revoked_since(&self.id, &self.grantor, view)
    }
}

/// Since when a grant is revoked, as its grantor's tenant says.
pub fn revoked_since(id: &str, grantor: &str, view: &dyn View) -> Result<Option<String>, Stop> {
    let filter = filter::all([("parentId", text(id)), ("protocolPath", text(REVOCATION))]);
    let select = Select {
        any_of: vec![filter],
        sort: SortBy::MessageTimestamp,
        direction: Direction::Ascending,
        limit: Some(1),
        after: None,
    };
    let oldest = view.select_of(grantor, &select)?.entries.into_iter().next();
    Ok(oldest.map(|stored| fields::timestamp(&stored.message).to_owned()))
}

impl Scope {
    /// The scope in the data of a request or grant.
    pub fn of(data: &Value) -> Self {
        let text = |name| data.get("scope").and_then(|scope| scope.get(name)).and_then(Value::as_str);
        let owned = |name| text(name).map(str::to_owned);
        Self {
            interface: owned("interface").unwrap_or_default(),
            method: owned("method").unwrap_or_default(),
            protocol: owned("protocol"),
            context_id: owned("contextId"),
            protocol_path: owned("protocolPath"),
        }
    }

    /// Permission requests and grants must say openly which protocol they are for, and name a record in one way.
    pub fn check(&self, write: &Value) -> Result<(), Refusal> {
        if let Some(protocol) = &self.protocol {
            check_protocol_uri(protocol)?;
            let tagged = descriptor_of(write).get("tags").and_then(|tags| tags.get("protocol"));
            let Some(tagged) = tagged else {
                let text = "Permission grants must have a `tags` property that contains a protocol tag";
                return Err(Refusal::bad("PermissionsProtocolValidateScopeMissingProtocolTag", text));
            };
            if tagged.as_str() != Some(protocol) {
                let tagged = js_string(Some(tagged));
                let text = format_args!(
                    "Permission grants must have a scope with a protocol that matches the tagged protocol: {tagged}"
                );
                return Err(Refusal::bad("PermissionsProtocolValidateScopeProtocolMismatch", text));
            }
        }
        if self.interface == "Records" && self.context_id.is_some() && self.protocol_path.is_some() {
            let text = "Permission grants cannot have both `contextId` and `protocolPath` present";
            return Err(Refusal::bad("PermissionsProtocolValidateScopeContextIdProhibitedProperties", text));
        }
        Ok(())
    }

    /// Is this record one of those the scope speaks of?
    pub fn covers(&self, write: &Value) -> Result<(), Refusal> {
        if self.protocol.as_deref() != descriptor_text(write, "protocol") {
            return differs("RecordsGrantAuthorizationScopeProtocolMismatch", "protocol");
        }
        self.allows(fields::context_id(write), descriptor_text(write, "protocolPath"))
    }

    /// Are records of this context and path, or those below, among those the scope speaks of?
    pub fn allows(&self, context: Option<&str>, path: Option<&str>) -> Result<(), Refusal> {
        if self.context_id.as_ref().is_some_and(|granted| !context.is_some_and(|context| is_within(context, granted))) {
            return differs("RecordsGrantAuthorizationScopeContextIdMismatch", "contextId");
        }
        if self.protocol_path.is_some() && self.protocol_path.as_deref() != path {
            return differs("RecordsGrantAuthorizationScopeProtocolPathMismatch", "protocolPath");
        }
        Ok(())
    }
}

fn differs(code: &str, what: &str) -> Result<(), Refusal> {
    let text = format_args!("Grant scope specifies different {what} than what appears in the record");
    Err(Refusal::denied(code, text))
}

/// The data of a permission record.
pub(super) fn data_of(data: &[u8]) -> Result<Value, Refusal> {
    serde_json::from_slice(data).map_err(|problem| {
        let text = format_args!("the data of a permission record is not JSON: {problem}");
        Refusal::bad("PermissionsProtocolValidateSchemaUnexpectedRecord", text)
    })
}
