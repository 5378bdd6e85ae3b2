//! Who the node speaks as: `identity.…`. No method gives a private key.

use super::{
    call::Call,
    failure::{Failure, Kind},
    method::{Entry, Example, From, Method, Need, NoParams},
};
use crate::{
    access,
    audit::What,
    dwn::{PERMISSIONS, normalize_uri},
    identity::{self, Content, Handed, SealingKey, Shown, Signed, Wanted},
    vault::Closed,
};
use anyhow::{Context as _, Error};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

pub const METHODS: &[Entry] = &[
    Entry::of::<List>(),
    Entry::of::<Show>(),
    Entry::of::<Create>(),
    Entry::of::<Use>(),
    Entry::of::<Rotate>(),
    Entry::of::<Sign>(),
    Entry::of::<Exported>(),
    Entry::of::<Sealing>(),
    Entry::of::<Lock>(),
    Entry::of::<Unlock>(),
];

#[derive(Debug)]
pub struct List;

impl Method for List {
    const NAME: &'static str = "identity.list";
    const SUMMARY: &'static str = "List the identities of this node.";
    const SCOPE: Need = Need::Info;
    const ERRORS: &'static [Kind] = &[];
    const EXAMPLES: &'static [Example] = &[Example {
        name: "all",
        params: "{}",
        result: r#"[{"did": "$did", "method": "key", "kid": "$did#z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK", "default": true, "created": "2026-11-29T09:00:00.000000Z", "locked": false, "past": []}]"#,
    }];
    type Params = NoParams;
    type Result = Vec<Shown>;

    async fn run(call: &Call, NoParams {}: NoParams) -> Result<Vec<Shown>, Failure> {
        let mut all = call.identities.list()?;
        all.retain(|shown| call.caller().may_act_for(&shown.did).is_ok());
        Ok(all)
    }
}

#[derive(Debug)]
pub struct Show;

impl Method for Show {
    const NAME: &'static str = "identity.show";
    const SUMMARY: &'static str = "Show one identity of this node: without a DID, the one that the node itself is.";
    const SCOPE: Need = Need::Info;
    const ERRORS: &'static [Kind] = &[Kind::NotFound];
    const EXAMPLES: &'static [Example] = &[Example {
        name: "the node's own",
        params: "{}",
        result: r#"{"did": "$did", "method": "key", "kid": "$did#z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK", "default": true, "created": "2026-11-29T09:00:00.000000Z", "locked": false, "past": []}"#,
    }];
    type Params = Which;
    type Result = Shown;

    async fn run(call: &Call, which: Which) -> Result<Shown, Failure> {
        found(call, which.did.as_deref())
    }
}

/// Which identity.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "WhichIdentity")]
pub struct Which {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub did: Option<String>,
}

#[derive(Debug)]
pub struct Create;

impl Method for Create {
    const NAME: &'static str = "identity.create";
    const SUMMARY: &'static str =
        "Add an identity: a new did:key or did:jwk, or one whose keys are handed over sealed.";
    const SCOPE: Need = Need::Admin;
    const FROM: From = From::Socket;
    const ERRORS: &'static [Kind] = &[Kind::Locked, Kind::Conflict];
    const EXAMPLES: &'static [Example] = &[Example {
        name: "one more",
        params: r#"{"method": "key"}"#,
        result: r#"{"did": "$other", "method": "key", "kid": "$other#z6MkpTHR8VNsBxYAAWHut2Geadd9jSwuBV8xRoAnwWsdvktH", "default": false, "created": "2026-11-29T09:00:00.000000Z", "locked": false, "past": []}"#,
    }];
    type Params = New;
    type Result = Shown;

    async fn run(call: &Call, new: New) -> Result<Shown, Failure> {
        let Content { passphrase, keys } = taken(call, new.handed.as_ref())?;
        let is_handed = keys.is_some();
        let come = match new.come {
            Some(_) if !is_handed => {
                return Err(Failure::new(Kind::Usage, "come is said of keys that are handed over"));
            }
            come => come.unwrap_or(Come::Made),
        };
        let keys = match (keys, new.method) {
            (Some(keys), None) => keys,
            (None, Some(identity::Method::Dht)) => {
                let message = "a did:dht has a recovery phrase, which no method gives: make it with toft id new --method dht, \
                               which shows the words";
                return Err(Failure::new(Kind::Usage, message));
            }
            (None, Some(method)) => identity::new(method, &identity::now())?.keys,
            _ => return Err(Failure::new(Kind::Usage, "either a method, or keys that are handed over")),
        };
        if call.identities.get(&keys.did)?.is_some() {
            return Err(Failure::new(Kind::Conflict, format!("{} is an identity of this node already", keys.did)));
        }
        // Its records are let in before anybody can know of it.
        call.node.host_own(&keys.did);
        let made = call.identities.add(keys, passphrase).await.map_err(|error| failure(call, error))?;
        let about = json!({"did": made.did, "handedOver": is_handed});
        call.audit.note(come.what(), call.caller(), about).await.context("the identity is added")?;
        Ok(made)
    }
}

#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewIdentity")]
pub struct New {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<identity::Method>,
    /// Keys, and the passphrase if it takes one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handed: Option<Handed>,
    /// Where keys that are handed over come from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub come: Option<Come>,
}

/// How keys have come to be handed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "KeysCome")]
pub enum Come {
    /// They were made a moment ago.
    Made,
    /// Out of an export.
    Imported,
    /// Out of a recovery phrase.
    Recovered,
}

impl Come {
    /// As the audit log calls it.
    pub fn what(self) -> What {
        match self {
            Self::Made => What::IdentityMade,
            Self::Imported => What::IdentityImported,
            Self::Recovered => What::IdentityRecovered,
        }
    }
}

#[derive(Debug)]
pub struct Use;

impl Method for Use {
    const NAME: &'static str = "identity.use";
    const SUMMARY: &'static str = "Let the node itself be this identity, from its next start on.";
    const SCOPE: Need = Need::Admin;
    const FROM: From = From::Socket;
    const ERRORS: &'static [Kind] = &[Kind::NotFound, Kind::Locked];
    const EXAMPLES: &'static [Example] = &[Example {
        name: "the same as before",
        params: r#"{"did": "$did"}"#,
        result: r#"{"did": "$did", "method": "key", "kid": "$did#z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK", "default": true, "created": "2026-11-29T09:00:00.000000Z", "locked": false, "past": []}"#,
    }];
    type Params = One;
    type Result = Shown;

    async fn run(call: &Call, one: One) -> Result<Shown, Failure> {
        let Content { passphrase, .. } = taken(call, one.handed.as_ref())?;
        let did = found(call, Some(&one.did))?.did;
        let used = call.identities.choose(&did, passphrase).await.map_err(|error| failure(call, error))?;
        let about = json!({"did": used.did});
        call.audit.note(What::IdentityUsed, call.caller(), about).await.context("the identity is chosen")?;
        Ok(used)
    }
}

/// An identity, and what opens the keys.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "OneIdentity")]
pub struct One {
    pub did: String,
    /// The passphrase, if it takes one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handed: Option<Handed>,
}

#[derive(Debug)]
pub struct Rotate;

impl Method for Rotate {
    const NAME: &'static str = "identity.rotate";
    const SUMMARY: &'static str = "Let a next key sign for a did:dht; what the one before has signed still verifies.";
    const SCOPE: Need = Need::Admin;
    const FROM: From = From::Socket;
    const ERRORS: &'static [Kind] = &[Kind::NotFound, Kind::Locked, Kind::Conflict];
    const EXAMPLES: &'static [Example] = &[Example {
        name: "the yearly change",
        params: r#"{"did": "did:dht:qftx7z968xcpfy1a1diu75pg5meap3gdtg6ezagaw849wdh6oubo"}"#,
        result: r#"{"did": "did:dht:qftx7z968xcpfy1a1diu75pg5meap3gdtg6ezagaw849wdh6oubo", "method": "dht", "kid": "did:dht:qftx7z968xcpfy1a1diu75pg5meap3gdtg6ezagaw849wdh6oubo#sig-2", "default": false, "created": "2026-11-29T09:00:00.000000Z", "locked": false, "past": [{"kid": "did:dht:qftx7z968xcpfy1a1diu75pg5meap3gdtg6ezagaw849wdh6oubo#sig", "until": "2027-11-29T09:00:00.000000Z", "compromised": false}]}"#,
    }];
    type Params = Rotation;
    type Result = Shown;

    async fn run(call: &Call, rotation: Rotation) -> Result<Shown, Failure> {
        let Content { passphrase, .. } = taken(call, rotation.handed.as_ref())?;
        let shown = found(call, Some(&rotation.did))?;
        if shown.method != identity::Method::Dht {
            return Err(Failure::new(Kind::Conflict, identity::cannot_rotate(&shown.did)));
        }
        let rotated = call.identities.rotate(&shown.did, rotation.compromised, passphrase).await;
        let rotated = rotated.map_err(|error| failure(call, error))?;
        let about = json!({"did": rotated.did, "kid": rotated.kid, "compromised": rotation.compromised});
        call.audit.note(What::IdentityRotated, call.caller(), about).await.context("the next key signs")?;
        Ok(rotated)
    }
}

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rotation {
    pub did: String,
    /// Somebody else may have the key: it is no longer published.
    #[serde(default)]
    pub compromised: bool,
    /// The passphrase, if it takes one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handed: Option<Handed>,
}

#[derive(Debug)]
pub struct Sign;

impl Method for Sign {
    const NAME: &'static str = "identity.sign";
    const SUMMARY: &'static str = "Sign a DWN message, a credential or a login with an identity of this node.";
    /// Which use, and for whom, it asks itself.
    const SCOPE: Need = Need::Any;
    const ERRORS: &'static [Kind] = &[Kind::NotFound, Kind::Locked];
    const EXAMPLES: &'static [Example] = &[Example {
        name: "a login",
        params: r#"{"did": "$did", "wanted": {"use": "login", "origin": "https://shop.example", "challenge": "5f1c"}}"#,
        result: r#"{"jwt": "eyJhbGciOiJFZERTQSJ9.e30.c2ln"}"#,
    }];
    type Params = ToSign;
    type Result = Signed;

    async fn run(call: &Call, ToSign { did, wanted }: ToSign) -> Result<Signed, Failure> {
        let did = did.unwrap_or_else(|| call.signer.did().to_owned());
        for used in uses(&wanted) {
            call.caller().may_sign(used, &did).map_err(|denial| Failure::new(Kind::Denied, denial.to_string()))?;
        }
        let signer = call.identities.signer(&did);
        let signer =
            signer.ok_or_else(|| Failure::new(Kind::NotFound, format!("{did} is no identity of this node")))?;
        let noted = noted(&wanted, &did);
        let signed = identity::sign(wanted, &signer).map_err(|refusal| {
            let kind = if refusal.code == 423 { Kind::Locked } else { Kind::Usage };
            Failure::new(kind, refusal.detail)
        })?;
        // What is not written down is not handed out.
        if let Some((what, about)) = noted {
            call.audit.note(what, call.caller(), about).await?;
        }
        Ok(signed)
    }
}

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ToSign {
    /// Who signs; the node itself, if nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub did: Option<String>,
    pub wanted: Wanted,
}

/// What a caller must be allowed to have this signed. A grant is a message, and more: it lets others in.
fn uses(wanted: &Wanted) -> Vec<access::Use> {
    match wanted {
        Wanted::Credential { .. } => vec![access::Use::Credential],
        Wanted::Login { .. } => vec![access::Use::Login],
        Wanted::Message { message } => {
            let protocol = message.pointer("/descriptor/protocol").and_then(Value::as_str);
            let is_grant = protocol.is_some_and(|uri| normalize_uri(uri).is_none_or(|uri| uri == PERMISSIONS));
            [access::Use::Message].into_iter().chain(is_grant.then_some(access::Use::Grant)).collect()
        }
    }
}

/// What the audit log has of a signature. Messages are in the store, with who signed them.
fn noted(wanted: &Wanted, did: &str) -> Option<(What, Value)> {
    match wanted {
        Wanted::Message { .. } => None,
        Wanted::Credential { credential } => {
            let about =
                json!({"did": did, "subject": credential.pointer("/credentialSubject/id").and_then(Value::as_str)});
            Some((What::CredentialSigned, about))
        }
        Wanted::Login { origin, .. } => Some((What::Login, json!({"did": did, "origin": origin}))),
    }
}

/// The owner's command opens the sealed keys itself, so the node would not know.
#[derive(Debug)]
pub struct Exported;

impl Method for Exported {
    const NAME: &'static str = "identity.exported";
    const SUMMARY: &'static str = "Write down in the audit log that the owner takes an identity out; gives no key.";
    const SCOPE: Need = Need::Admin;
    const FROM: From = From::Socket;
    const ERRORS: &'static [Kind] = &[Kind::NotFound];
    const EXAMPLES: &'static [Example] = &[Example {
        name: "before the file is written",
        params: r#"{"did": "$did"}"#,
        result: r#"{"did": "$did", "method": "key", "kid": "$did#z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK", "default": true, "created": "2026-11-29T09:00:00.000000Z", "locked": false, "past": []}"#,
    }];
    type Params = Which;
    type Result = Shown;

    async fn run(call: &Call, which: Which) -> Result<Shown, Failure> {
        let shown = found(call, which.did.as_deref())?;
        call.audit.note(What::IdentityExported, call.caller(), json!({"did": shown.did})).await?;
        Ok(shown)
    }
}

#[derive(Debug)]
pub struct Sealing;

impl Method for Sealing {
    const NAME: &'static str = "identity.sealing";
    const SUMMARY: &'static str = "Give a key, good for one use within a minute, to seal to what is handed over.";
    const SCOPE: Need = Need::Admin;
    const FROM: From = From::Socket;
    const ERRORS: &'static [Kind] = &[];
    const EXAMPLES: &'static [Example] = &[Example {
        name: "one",
        params: "{}",
        result: r#"{"number": "c2V2ZW50ZWVuLi4uLi4u", "key": {"kty": "EC", "crv": "secp256k1", "x": "TRTEwLQenpxxTtvP0vAjWUzaJ7-LbVs0fIlObqZRzpg", "y": "6A-nGpoAyE4qiUaauRJ7Hrjk8iIWQhrRWg0lLfoZMmY", "alg": "ES256K"}}"#,
    }];
    type Params = NoParams;
    type Result = SealingKey;

    async fn run(call: &Call, NoParams {}: NoParams) -> Result<SealingKey, Failure> {
        Ok(call.identities.hatch().give()?)
    }
}

#[derive(Debug)]
pub struct Lock;

impl Method for Lock {
    const NAME: &'static str = "identity.lock";
    const SUMMARY: &'static str = "Wipe the keys that sign from memory; reading goes on.";
    const SCOPE: Need = Need::Admin;
    const FROM: From = From::Socket;
    const ERRORS: &'static [Kind] = &[];
    const EXAMPLES: &'static [Example] = &[Example { name: "now", params: "{}", result: r#"{"locked": true}"# }];
    type Params = NoParams;
    type Result = Locked;

    async fn run(call: &Call, NoParams {}: NoParams) -> Result<Locked, Failure> {
        call.identities.lock().await;
        call.audit.note(What::KeysLocked, call.caller(), Value::Null).await.context("the keys are locked")?;
        Ok(Locked { locked: true })
    }
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "KeysLocked")]
pub struct Locked {
    pub locked: bool,
}

#[derive(Debug)]
pub struct Unlock;

impl Method for Unlock {
    const NAME: &'static str = "identity.unlock";
    const SUMMARY: &'static str = "Bring the keys that sign back into memory.";
    const SCOPE: Need = Need::Admin;
    const FROM: From = From::Socket;
    const ERRORS: &'static [Kind] = &[Kind::Locked];
    const EXAMPLES: &'static [Example] =
        &[Example { name: "keys that a key file opens", params: "{}", result: r#"{"locked": false}"# }];
    type Params = Opening;
    type Result = Locked;

    async fn run(call: &Call, opening: Opening) -> Result<Locked, Failure> {
        let Content { passphrase, .. } = taken(call, opening.handed.as_ref())?;
        call.identities.unlock(passphrase).await.map_err(|error| failure(call, error))?;
        call.audit.note(What::KeysUnlocked, call.caller(), Value::Null).await.context("the keys are unlocked")?;
        Ok(Locked { locked: false })
    }
}

#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "KeysOpening")]
pub struct Opening {
    /// The passphrase, if it takes one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handed: Option<Handed>,
}

fn found(call: &Call, did: Option<&str>) -> Result<Shown, Failure> {
    let did = did.unwrap_or_else(|| call.signer.did());
    let missing =
        || Failure::new(Kind::NotFound, format!("{} is no identity of this node", crate::foreign::shown(did)));
    let shown = call.identities.get(did)?.filter(|shown| call.caller().may_act_for(&shown.did).is_ok());
    shown.ok_or_else(missing)
}

fn taken(call: &Call, handed: Option<&Handed>) -> Result<Content, Failure> {
    let taken = handed.map(|handed| call.identities.hatch().take(handed)).transpose();
    Ok(taken.map_err(|error| Failure::new(Kind::Usage, format!("{error:#}")))?.unwrap_or_default())
}

/// A wrong passphrase is counted as a refusal.
fn failure(call: &Call, error: Error) -> Failure {
    match error.downcast_ref() {
        Some(Closed::Wrong) => {
            call.audit.refused("wrong passphrase");
            Failure::new(Kind::Denied, error.to_string())
        }
        Some(Closed::Needed) => Failure::new(Kind::Locked, error.to_string()),
        None => error.into(),
    }
}
