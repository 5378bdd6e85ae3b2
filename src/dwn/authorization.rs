//! Who signed a message, in whose name, and what the signatures say: all that `authorization` holds.

use super::{
    fields::{cid_of, did_of, signer_of},
    grant::Grant,
    json::{js_string, or_undefined},
    kind::Kind,
    refusal::Refusal,
    schema, shapes,
};
use crate::crypto::{
    PublicKey,
    jws::{self, Jws},
};
use serde_json::{Map, Value};

/// The signatures of a message, and the grants that came with it.
#[derive(Debug, Clone)]
pub(super) struct Authorization {
    pub signature: Signature,
    /// Of the owner who keeps a copy of somebody else's record.
    pub owner: Option<Signature>,
    author_delegation: Option<Delegation>,
    owner_delegation: Option<Delegation>,
}

/// A signature over a JSON object.
#[derive(Debug, Clone)]
pub(super) struct Signature {
    jws: Jws,
    payload: Map<String, Value>,
}

/// A grant that came with a message, whose signer acts in the grantor's name.
#[derive(Debug, Clone)]
pub(super) struct Delegation {
    /// The grant as a message, without its data.
    pub message: Value,
    jws: Jws,
    /// What the grant allows, or why it cannot be read.
    grant: Result<Grant, Refusal>,
    /// What is wrong with the grant as a message, if something is. Told only after the signatures, as in the reference.
    pub flaw: Option<Refusal>,
}

impl Authorization {
    /// Reads the signatures; what they sign must be this message. Grants: see [`Self::check_delegations`].
    pub fn parse(kind: Kind, json: &Value) -> Result<Option<Self>, Refusal> {
        let Some(authorization) = json.get("authorization") else { return Ok(None) };
        let missing = || Refusal::bad("AuthenticateJwsMissing", "Missing JWS.");
        let signature = Signature::parse(authorization.get("signature").ok_or_else(missing)?, json, kind)?;
        // What an owner adds is signed as every other message is.
        let owner = authorization.get("ownerSignature");
        let owner = owner.map(|jws| Signature::parse(jws, json, Kind::RecordsRead)).transpose()?;
        if kind == Kind::RecordsWrite {
            check_attestation(json)?;
        }
        let delegation = |name| authorization.get(name).map(Delegation::parse).transpose();
        let author_delegation = delegation("authorDelegatedGrant")?;
        let owner_delegation = delegation("ownerDelegatedGrant")?;
        Ok(Some(Self { signature, owner, author_delegation, owner_delegation }))
    }

    /// In whose name the message is: the signer's, or the grantor's whose delegate signed.
    pub fn author(&self) -> &str {
        self.author_delegation.as_ref().map_or(self.signature.signer(), Delegation::grantor)
    }

    /// Who keeps a copy of the record: who signed as owner, or whose delegate did.
    pub fn owner(&self) -> Option<&str> {
        let signer = self.owner.as_ref()?.signer();
        Some(self.owner_delegation.as_ref().map_or(signer, Delegation::grantor))
    }

    /// Who keeps a copy of the record, if no delegate signed for them.
    pub fn owner_in_person(&self) -> Option<&str> {
        self.owner.as_ref().filter(|_| self.owner_delegation.is_none()).map(Signature::signer)
    }

    /// The grant with which a delegate signed for the author.
    pub fn author_grant(&self) -> Result<Option<&Grant>, Refusal> {
        self.author_delegation.as_ref().map(Delegation::grant).transpose()
    }

    /// The grant with which a delegate signed for the owner.
    pub fn owner_grant(&self) -> Result<Option<&Grant>, Refusal> {
        self.owner_delegation.as_ref().map(Delegation::grant).transpose()
    }

    /// The grants that came with the message, to be judged as messages.
    pub fn delegations_mut(&mut self) -> impl Iterator<Item = &mut Delegation> {
        self.author_delegation.iter_mut().chain(&mut self.owner_delegation)
    }

    /// A signature names the grant it was made with, and a grant comes only with such a signature.
    pub fn check_delegations(&self) -> Result<(), Refusal> {
        let author = Party {
            role: "author",
            prefix: "RecordsAuthor",
            place: "message (author) signature",
            grant: "authorDelegatedGrant",
            signature: "message signature",
        };
        author.check(self.author_delegation.as_ref(), Some(&self.signature))?;
        let owner = Party {
            role: "owner",
            prefix: "RecordsOwner",
            place: "owner signature",
            grant: "ownerDelegatedGrant",
            signature: "owner signature",
        };
        owner.check(self.owner_delegation.as_ref(), self.owner.as_ref())
    }

    /// Key ids of all who signed the message or a grant in it.
    pub fn kids(&self) -> impl Iterator<Item = &str> {
        let delegations = self.author_delegation.iter().chain(&self.owner_delegation).map(|delegation| &delegation.jws);
        let signatures = [Some(&self.signature), self.owner.as_ref()].into_iter().flatten();
        signatures.map(|signature| &signature.jws).chain(delegations).flat_map(Jws::kids)
    }

    /// Checks all signatures.
    pub fn verify(&self, key: &impl Fn(&str) -> Option<PublicKey>) -> Result<(), Refusal> {
        verify(&self.signature.jws, key)?;
        self.owner.as_ref().map_or(Ok(()), |owner| verify(&owner.jws, key))?;
        self.author_delegation.iter().chain(&self.owner_delegation).try_for_each(|delegation| {
            delegation.flaw.clone().map_or(Ok(()), Err)?;
            verify(&delegation.jws, key)
        })
    }
}

impl Signature {
    fn parse(jws: &Value, message: &Value, kind: Kind) -> Result<Self, Refusal> {
        let (name, shape) = match kind {
            Kind::RecordsWrite => ("RecordsWriteSignaturePayload", &shapes::RECORDS_WRITE_PAYLOAD),
            _ => ("GenericSignaturePayload", &shapes::PAYLOAD),
        };
        let (jws, payload) = parse_jws(jws, "AuthenticationMoreThanOneSignatureNotSupported", &|_| {
            "expected no more than 1 signature for authorization purpose".into()
        })?;
        schema::check(name, shape, &Value::Object(payload.clone()))?;
        let expected = cid_of(&message["descriptor"])?;
        let given = js_string(payload.get("descriptorCid"));
        if given != expected {
            let message = format_args!("provided descriptorCid {given} does not match expected CID {expected}");
            return Err(Refusal::bad("AuthenticateDescriptorCidMismatch", message));
        }
        Ok(Self { jws, payload })
    }

    pub fn signer(&self) -> &str {
        signer_of(&self.jws)
    }

    /// A text in the signed payload.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.payload.get(name).and_then(Value::as_str)
    }
}

impl Delegation {
    fn parse(json: &Value) -> Result<Self, Refusal> {
        let missing = || Refusal::bad("AuthenticateJwsMissing", "Missing JWS.");
        let jws = json.get("authorization").and_then(|authorization| authorization.get("signature"));
        let jws = Jws::parse(jws.ok_or_else(missing)?).map_err(|e| Refusal::new(400, e.to_string()))?;
        let mut message = json.clone();
        if let Some(message) = message.as_object_mut() {
            message.remove("encodedData");
        }
        Ok(Self { message, jws, grant: Grant::delegated(json), flaw: None })
    }

    fn grant(&self) -> Result<&Grant, Refusal> {
        self.grant.as_ref().map_err(Refusal::clone)
    }

    fn grantor(&self) -> &str {
        signer_of(&self.jws)
    }
}

/// For whom a delegate signs, and how the reference calls it.
struct Party {
    role: &'static str,
    prefix: &'static str,
    place: &'static str,
    grant: &'static str,
    signature: &'static str,
}

impl Party {
    fn check(&self, delegation: Option<&Delegation>, signature: Option<&Signature>) -> Result<(), Refusal> {
        let Self { role, prefix, place, grant: name, signature: signed } = self;
        let id = signature.and_then(|signature| signature.text("delegatedGrantId"));
        let Some(delegation) = delegation.filter(|_| id.is_some()) else {
            let (with_id, with_grant) = (id.is_some(), delegation.is_some());
            if with_id == with_grant {
                return Ok(());
            }
            // The gaps are the reference implementation's.
            let text = format_args!(
                "delegatedGrantId in {place} and {name} must both exist or be undefined.          delegatedGrantId in {place} defined: {with_id},          {name} defined: {with_grant}"
            );
            return Err(Refusal::bad(&format!("{prefix}DelegatedGrantAndIdExistenceMismatch"), text));
        };
        let grant = delegation.grant()?;
        if !grant.delegated {
            let text = "The owner delegated grant given is not a delegated grant.";
            return Err(Refusal::bad(&format!("{prefix}DelegatedGrantNotADelegatedGrant"), text));
        }
        let signer = signature.map(Signature::signer);
        if grant.grantee.as_deref() != signer {
            let (grantee, signer) = (or_undefined(grant.grantee.as_deref()), or_undefined(signer));
            let text = format_args!(
                "grantedTo {grantee} in {role} delegated grant must be the same as the signer {signer} of the {signed}."
            );
            return Err(Refusal::bad(&format!("{prefix}DelegatedGrantGrantedToAndOwnerSignatureMismatch"), text));
        }
        let cid = cid_of(&delegation.message)?;
        if id != Some(&cid) {
            let id = or_undefined(id);
            let text = format_args!(
                "CID of the {role} delegated grant {cid} must be the same as           the delegatedGrantId {id} in the {signed}."
            );
            return Err(Refusal::bad(&format!("{prefix}DelegatedGrantCidMismatch"), text));
        }
        Ok(())
    }
}

/// An attestation is one signature over the CID of the descriptor. Whose it is is not verified here: who
/// relies on an attester verifies.
fn check_attestation(json: &Value) -> Result<(), Refusal> {
    let Some(attestation) = json.get("attestation") else { return Ok(()) };
    let (_, payload) = parse_jws(attestation, "RecordsWriteAttestationIntegrityMoreThanOneSignature", &|count| {
        format!("Currently implementation only supports 1 attester, but got {count}")
    })?;
    let (given, expected) = (js_string(payload.get("descriptorCid")), cid_of(&json["descriptor"])?);
    if given != expected {
        return Err(Refusal::bad(
            "RecordsWriteAttestationIntegrityDescriptorCidMismatch",
            format_args!("descriptorCid {given} does not match expected descriptorCid {expected}"),
        ));
    }
    if payload.len() > 1 {
        let count = payload.len();
        return Err(Refusal::bad(
            "RecordsWriteAttestationIntegrityInvalidPayloadProperty",
            format_args!("Only 'descriptorCid' is allowed in attestation payload, but got {count} properties."),
        ));
    }
    Ok(())
}

/// A JWS with exactly one signature over a JSON object; its payload.
fn parse_jws(
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

fn verify(jws: &Jws, key: &impl Fn(&str) -> Option<PublicKey>) -> Result<(), Refusal> {
    jws.verify(key).map_err(|error| match &error {
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
