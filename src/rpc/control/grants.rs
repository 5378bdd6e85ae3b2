//! What others may do with the records of the node's own tenant: `grants.…`.

use super::{
    call::Call,
    facts::protocol_of,
    failure::{Failure, Kind},
    letter::{send, write},
    method::{Entry, Example, Method, Need},
    refusals::{REFUSALS, refused},
};
use crate::{
    access::{Caller, Denial, Use},
    audit::What,
    crypto::encode,
    did::Did,
    dwn::{self, Granted, PERMISSIONS, Standing, Stop, View, Wanted, create, normalize_uri},
    node,
};
use anyhow::{Context as _, Error};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

pub const METHODS: &[Entry] = &[
    Entry::of::<Request>(),
    Entry::of::<Create>(),
    Entry::of::<List>(),
    Entry::of::<Revoke>(),
    Entry::of::<Explain>(),
];

/// What a grant is about.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct GrantScope {
    /// `Records`, `Protocols` or `Messages`.
    pub interface: String,
    /// Of `Records`: `Read`, `Write`, `Query`, `Subscribe`, `Delete`.
    pub method: String,
    /// URI of the protocol. None: records that belong to no protocol, or (of `Messages` and `Protocols`) all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocol: Option<String>,
    /// Of `Records`: this context and what is below it. Not together with `protocolPath`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocol_path: Option<String>,
}

impl GrantScope {
    /// With the protocol's URI in its one spelling.
    fn normal(mut self) -> Self {
        self.protocol = self.protocol.map(|uri| normalize_uri(&uri).unwrap_or(uri));
        self
    }

    /// Requests, grants and revocations are found by what they are about.
    fn tags(&self) -> Option<Map<String, Value>> {
        let protocol = self.protocol.as_deref()?;
        Some(Map::from_iter([("protocol".to_owned(), protocol.into())]))
    }
}

/// Further conditions of a grant.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Conditions {
    /// `Required` or `Prohibited`: must what is written be published?
    pub publication: String,
}

#[derive(Debug)]
pub struct Request;

impl Method for Request {
    const NAME: &'static str = "grants.request";
    const SUMMARY: &'static str = "Ask somebody for a grant, in a record that is signed by this node.";
    const SCOPE: Need = Need::WriteRecords;
    const ERRORS: &'static [Kind] = REFUSALS;
    const EXAMPLES: &'static [Example] = &[Example {
        name: "to read notes",
        params: r#"{"from": "$other", "scope": {"interface": "Records", "method": "Read", "protocol": "$protocol"}, "description": "shows your notes"}"#,
        result: r#"{"requestId": "$record", "delivered": false, "message": {"recordId": "$record", "descriptor": {"interface": "Records", "method": "Write"}}}"#,
    }];
    type Params = Wish;
    type Result = Requested;

    async fn run(call: &Call, wish: Wish) -> Result<Requested, Failure> {
        let Wish { from, scope, description, delegated, conditions } = wish;
        check_did("from", &from)?;
        let scope = scope.normal();
        call.caller().may_act_for(call.signer.did())?;
        call.caller().may_write(scope.protocol.as_deref())?;
        let data = data(
            [("scope", json!(scope)), ("delegated", delegated.into())],
            [("description", description.map(Value::from)), ("conditions", conditions.map(|it| json!(it)))],
        );
        let request = create::Write {
            protocol: Some((PERMISSIONS, "request")),
            recipient: Some(&from),
            data_format: "application/json",
            tags: scope.tags(),
            ..create::Write::default()
        };
        let (mut message, data) = write(call, &request, &data)?;
        send(call, call.signer.did(), message.clone(), Some(data.clone())).await?;
        let is_here = from != call.signer.did() && keeps(call, from.clone()).await?;
        if is_here {
            send(call, &from, message.clone(), Some(data.clone())).await?;
        }
        message["encodedData"] = encode(&data).into();
        Ok(Requested { request_id: id_of(&message), delivered: is_here, message })
    }
}

/// What is asked for, and of whom.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "GrantRequest")]
pub struct Wish {
    /// The DID of who is asked.
    pub from: String,
    pub scope: GrantScope,
    /// What it is for, as the one asked reads it.
    #[serde(default)]
    pub description: Option<String>,
    /// To act in their name.
    #[serde(default)]
    pub delegated: bool,
    #[serde(default)]
    pub conditions: Option<Conditions>,
}

/// A request for a grant.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "GrantRequested")]
pub struct Requested {
    /// recordId of the request.
    pub request_id: String,
    /// It lies with the one asked, whose records are kept here too. Otherwise `message` is to be sent to their node.
    pub delivered: bool,
    /// The RecordsWrite with its data as `encodedData`.
    pub message: Value,
}

#[derive(Debug)]
pub struct Create;

impl Method for Create {
    const NAME: &'static str = "grants.create";
    const SUMMARY: &'static str = "Let somebody do something with the records of this node's owner, until a date.";
    const SCOPE: Need = Need::Sign(Use::Grant);
    const ERRORS: &'static [Kind] = REFUSALS;
    const EXAMPLES: &'static [Example] = &[Example {
        name: "to read notes",
        params: r#"{"grantedTo": "$other", "scope": {"interface": "Records", "method": "Read", "protocol": "$protocol"}, "dateExpires": "2036-11-21T00:00:00Z"}"#,
        result: r#"{"grantId": "$record", "grantedTo": "$other", "scope": {"interface": "Records", "method": "Read", "protocol": "$protocol"}, "dateGranted": "2026-11-21T09:00:00.000000Z", "dateExpires": "2036-11-21T00:00:00.000000Z", "delegated": false, "state": "active", "dateRevoked": null, "message": {"recordId": "$record", "descriptor": {"interface": "Records", "method": "Write"}}}"#,
    }];
    type Params = New;
    type Result = Created;

    async fn run(call: &Call, new: New) -> Result<Created, Failure> {
        let New { granted_to, scope, date_expires, description, delegated, conditions, request_id } = new;
        check_did("grantedTo", &granted_to)?;
        let scope = scope.normal();
        call.caller().may_sign(Use::Grant, call.signer.did())?;
        let date_expires = future(&date_expires)?;
        if let Some(id) = request_id.clone() {
            check_request(call, id).await?;
        }
        let data = data(
            [("scope", json!(scope)), ("dateExpires", date_expires.clone().into())],
            [
                ("description", description.map(Value::from)),
                ("delegated", delegated.then_some(true.into())),
                ("conditions", conditions.map(|it| json!(it))),
                ("requestId", request_id.map(Value::from)),
            ],
        );
        let grant = create::Write {
            protocol: Some((PERMISSIONS, "grant")),
            recipient: Some(&granted_to),
            data_format: "application/json",
            tags: scope.tags(),
            ..create::Write::default()
        };
        let (mut message, data) = write(call, &grant, &data)?;
        send(call, call.signer.did(), message.clone(), Some(data.clone())).await?;
        message["encodedData"] = encode(&data).into();
        let id = id_of(&message);
        let grant = Grant::from(look(call, move |view, now| dwn::granted(&id, view, now)).await?);
        let about = json!({"id": grant.grant_id, "to": grant.granted_to, "scope": grant.scope,
            "expires": grant.date_expires, "delegated": grant.delegated});
        call.audit.note(What::GrantMade, call.caller(), about).await.context("the grant is made")?;
        Ok(Created { grant, message })
    }
}

/// A new grant.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schemars(rename = "NewGrant")]
pub struct New {
    /// The DID that is let do it.
    pub granted_to: String,
    pub scope: GrantScope,
    /// Until when, as `2026-11-21T00:00:00Z`.
    pub date_expires: String,
    #[serde(default)]
    pub description: Option<String>,
    /// To act in the owner's name: the grantee sends `message` along with what they sign.
    #[serde(default)]
    pub delegated: bool,
    #[serde(default)]
    pub conditions: Option<Conditions>,
    /// recordId of the request that this answers.
    #[serde(default)]
    pub request_id: Option<String>,
}

/// A grant that was made.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "GrantCreated")]
pub struct Created {
    #[serde(flatten)]
    pub grant: Grant,
    /// The RecordsWrite with its data as `encodedData`.
    pub message: Value,
}

/// A grant and how it stands.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Grant {
    /// recordId of the grant.
    pub grant_id: String,
    pub granted_to: Option<String>,
    pub scope: GrantScope,
    pub date_granted: String,
    pub date_expires: String,
    /// The grantee acts in the owner's name.
    pub delegated: bool,
    /// `active`, `expired` or `revoked`.
    pub state: String,
    /// Since when it is revoked.
    pub date_revoked: Option<String>,
}

impl From<Granted> for Grant {
    fn from(granted: Granted) -> Self {
        let state = granted.standing.to_string();
        let date_revoked = match granted.standing {
            Standing::Revoked(since) => Some(since),
            _ => None,
        };
        let scope = GrantScope {
            interface: granted.interface,
            method: granted.method,
            protocol: granted.protocol,
            context_id: granted.context_id,
            protocol_path: granted.protocol_path,
        };
        Self {
            grant_id: granted.id,
            granted_to: granted.grantee,
            scope,
            date_granted: granted.granted,
            date_expires: granted.expires,
            delegated: granted.delegated,
            state,
            date_revoked,
        }
    }
}

#[derive(Debug)]
pub struct List;

impl Method for List {
    const NAME: &'static str = "grants.list";
    const SUMMARY: &'static str = "List the grants that this node's owner has given, the newest first.";
    const SCOPE: Need = Need::ReadRecords;
    const ERRORS: &'static [Kind] = &[Kind::NotFound];
    const EXAMPLES: &'static [Example] = &[Example {
        name: "one's",
        params: r#"{"grantedTo": "$other", "active": true}"#,
        result: r#"[{"grantId": "$record", "grantedTo": "$other", "scope": {"interface": "Records", "method": "Read", "protocol": "$protocol"}, "dateGranted": "2026-11-21T09:00:00.000000Z", "dateExpires": "2036-11-21T00:00:00.000000Z", "delegated": false, "state": "active", "dateRevoked": null}]"#,
    }];
    type Params = Which;
    type Result = Vec<Grant>;

    async fn run(call: &Call, Which { granted_to, protocol, active }: Which) -> Result<Vec<Grant>, Failure> {
        let tenant = call.signer.did().to_owned();
        let protocol = protocol.map(|uri| normalize_uri(&uri).unwrap_or(uri));
        let all = look(call, move |view, now| {
            let wanted = Wanted { grantee: granted_to.as_deref(), protocol: protocol.as_deref() };
            Ok(dwn::grants(&tenant, wanted, view, now)?)
        })
        .await?;
        let is_wanted =
            |granted: &Granted| active.is_none_or(|active| active == (granted.standing == Standing::Active));
        let may_see = |granted: &Granted| call.caller().may_read(granted.protocol.as_deref()).is_ok();
        Ok(all.into_iter().filter(is_wanted).filter(may_see).map(Grant::from).collect())
    }
}

/// Which grants are asked for.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
#[schemars(rename = "WhichGrants")]
pub struct Which {
    pub granted_to: Option<String>,
    /// URI of the protocol that they are about.
    pub protocol: Option<String>,
    /// Those in force, or with `false` the others.
    pub active: Option<bool>,
}

#[derive(Debug)]
pub struct Revoke;

impl Method for Revoke {
    const NAME: &'static str = "grants.revoke";
    const SUMMARY: &'static str = "End a grant from now on. One that is revoked already stays as it is.";
    const SCOPE: Need = Need::Sign(Use::Grant);
    const ERRORS: &'static [Kind] = REFUSALS;
    const EXAMPLES: &'static [Example] = &[Example {
        name: "one",
        params: r#"{"grantId": "$record"}"#,
        result: r#"{"grantId": "$record", "grantedTo": "$other", "scope": {"interface": "Records", "method": "Read", "protocol": "$protocol"}, "dateGranted": "2026-11-21T09:00:00.000000Z", "dateExpires": "2036-11-21T00:00:00.000000Z", "delegated": false, "state": "revoked", "dateRevoked": "2026-11-21T10:00:00.000000Z"}"#,
    }];
    type Params = OneGrant;
    type Result = Grant;

    async fn run(call: &Call, OneGrant { grant_id }: OneGrant) -> Result<Grant, Failure> {
        let find = move |id: String| look(call, move |view, now| dwn::granted(&id, view, now));
        let granted = find(grant_id.clone()).await?;
        call.caller().may_sign(Use::Grant, call.signer.did())?;
        if matches!(granted.standing, Standing::Revoked(_)) {
            return Ok(granted.into());
        }
        let scope = Grant::from(granted).scope;
        let revocation = create::Write {
            protocol: Some((PERMISSIONS, "grant/revocation")),
            parent_context: Some(&grant_id),
            data_format: "application/json",
            tags: scope.tags(),
            ..create::Write::default()
        };
        let (message, data) = write(call, &revocation, &json!({}))?;
        send(call, call.signer.did(), message, Some(data)).await?;
        let revoked = Grant::from(find(grant_id.clone()).await?);
        let about = json!({"id": grant_id, "to": revoked.granted_to});
        call.audit.note(What::GrantRevoked, call.caller(), about).await.context("the grant is revoked")?;
        Ok(revoked)
    }
}

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct OneGrant {
    /// recordId of the grant.
    pub grant_id: String,
}

#[derive(Debug)]
pub struct Explain;

impl Method for Explain {
    const NAME: &'static str = "grants.explain";
    const SUMMARY: &'static str =
        "Say who may read and write a record, or the records at a path of a protocol, and why.";
    const SCOPE: Need = Need::ReadRecords;
    const ERRORS: &'static [Kind] = &[Kind::NotFound];
    const EXAMPLES: &'static [Example] = &[
        Example {
            name: "a record",
            params: r#"{"recordId": "$record"}"#,
            result: r#"{"access": [{"who": "$did", "may": ["read", "query", "update", "delete", "prune"], "by": "owner", "because": "the records here are theirs", "grantId": null, "dateExpires": null}], "complete": true}"#,
        },
        Example {
            name: "a record and somebody",
            params: r#"{"recordId": "$record", "did": "$other"}"#,
            result: r#"{"access": [{"who": "$other", "may": [], "by": "nothing", "because": "no rule lets them read it: RecordsReadAuthorizationFailed: message failed authorization", "grantId": null, "dateExpires": null}], "complete": true}"#,
        },
        Example {
            name: "a path",
            params: r#"{"protocol": "$protocol", "protocolPath": "note"}"#,
            result: r#"{"access": [{"who": "$did", "may": ["create", "read", "query", "subscribe", "update", "delete", "prune", "co-update", "co-delete", "co-prune"], "by": "owner", "because": "the records here are theirs", "grantId": null, "dateExpires": null}], "complete": true}"#,
        },
    ];
    type Params = Question;
    type Result = Explanation;

    async fn run(call: &Call, question: Question) -> Result<Explanation, Failure> {
        let about = question.about()?;
        if let Some(did) = &question.did {
            check_did("did", did)?;
        }
        let (tenant, caller) = (call.signer.did().to_owned(), call.caller().clone());
        let explained = look(call, move |view, now| {
            if let Err(denial) = about.check(&caller, view)? {
                return Ok(Err(denial));
            }
            let did = question.did.as_deref();
            match &about {
                About::Record(id) => dwn::explain(id, did, &tenant, view, now),
                About::Path(uri, path) => dwn::explain_path((uri, path), did, &tenant, view, now),
            }
            .map(Ok)
        });
        let dwn::Explained { access, complete } = explained.await??;
        Ok(Explanation { access: access.into_iter().map(Access::from).collect(), complete })
    }
}

/// What is asked about: a record, or a path of a protocol.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
#[schemars(rename = "AccessQuestion")]
pub struct Question {
    pub record_id: Option<String>,
    /// URI, together with `protocolPath`.
    pub protocol: Option<String>,
    pub protocol_path: Option<String>,
    /// What this one may, and if they may not read, why not. None: everybody.
    pub did: Option<String>,
}

enum About {
    Record(String),
    Path(String, String),
}

impl About {
    /// May who asks read what they ask about?
    fn check(&self, caller: &Caller, view: &dyn View) -> Result<Result<(), Denial>, Stop> {
        let protocol = match self {
            Self::Path(uri, _) => Some(uri.clone()),
            Self::Record(id) => {
                view.record(id)?.and_then(|record| protocol_of(&record.initial.message).map(str::to_owned))
            }
        };
        Ok(caller.may_read(protocol.as_deref()))
    }
}

impl Question {
    fn about(&self) -> Result<About, Failure> {
        match (&self.record_id, &self.protocol, &self.protocol_path) {
            (Some(id), None, None) => Ok(About::Record(id.clone())),
            (None, Some(uri), Some(path)) => {
                Ok(About::Path(normalize_uri(uri).unwrap_or_else(|| uri.clone()), path.clone()))
            }
            _ => Err(Failure::new(Kind::Usage, "give a recordId, or a protocol and a protocolPath in it")),
        }
    }
}

/// Who may do what.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "AccessExplained")]
pub struct Explanation {
    pub access: Vec<Access>,
    /// False: there are more parties than were looked at.
    pub complete: bool,
}

/// What somebody may do, and why.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Access {
    /// A DID, `anyone`, or whom a rule speaks of.
    pub who: String,
    /// In the words of `$actions`. Empty: nothing, and `because` says why not.
    pub may: Vec<String>,
    /// `owner`, `creator`, `author`, `recipient`, `published`, `rule`, `role`, `grant` or `nothing`.
    pub by: String,
    /// The same in a sentence.
    pub because: String,
    /// recordId of the grant, if one lets them.
    pub grant_id: Option<String>,
    /// When that grant expires.
    pub date_expires: Option<String>,
}

impl From<dwn::Access> for Access {
    fn from(dwn::Access { who, may, by, because, grant }: dwn::Access) -> Self {
        let (grant_id, date_expires) = grant.unzip();
        let may = may.into_iter().map(str::to_owned).collect();
        Self { who, may, by: by.to_owned(), because, grant_id, date_expires }
    }
}

/// Looks at the owner's past, now.
async fn look<T: Send + 'static>(
    call: &Call,
    look: impl FnOnce(&dyn View, &str) -> Result<T, Stop> + Send + 'static,
) -> Result<T, Failure> {
    call.caller().may_act_for(call.signer.did())?;
    let (tenant, store) = (call.signer.did().to_owned(), call.node.store().clone());
    let looked = tokio::task::spawn_blocking(move || look(&*store.view(&tenant), &node::now()));
    looked.await.map_err(Error::new)?.map_err(|stop| match stop {
        Stop::Refusal(refusal) => refused(refusal),
        Stop::Fault(fault) => fault.into(),
    })
}

/// JSON with these members, and with those of the others that there are.
fn data<const A: usize, const B: usize>(members: [(&str, Value); A], others: [(&str, Option<Value>); B]) -> Value {
    let others = others.into_iter().filter_map(|(name, value)| Some((name, value?)));
    members.into_iter().chain(others).map(|(name, value)| (name.to_owned(), value)).collect::<Map<_, _>>().into()
}

fn check_did(name: &str, did: &str) -> Result<(), Failure> {
    let checked = did.parse::<Did>();
    checked.map(drop).map_err(|why| Failure::new(Kind::Usage, format!("{name} must be a DID: {why}")))
}

/// A time as messages write it, which must be yet to come.
fn future(text: &str) -> Result<String, Failure> {
    let usage = |why: String| Failure::new(Kind::Usage, format!("dateExpires {text}: {why}"));
    let time: jiff::Timestamp = text.parse().map_err(|_| usage("write it as 2026-11-21T00:00:00Z".into()))?;
    if time <= jiff::Timestamp::now() {
        return Err(usage("that is past, and the grant would never be good".into()));
    }
    Ok(format!("{time:.6}"))
}

/// A grant can only answer a request that is kept here.
async fn check_request(call: &Call, id: String) -> Result<(), Failure> {
    let asked = id.clone();
    let record = look(call, move |view, _| Ok(view.record(&asked)?)).await?;
    let is = |name: &str, wanted: &str| {
        let text = |record: &dwn::Record| record.newest.message.pointer(&format!("/descriptor/{name}")).cloned();
        record.as_ref().and_then(text) == Some(wanted.into())
    };
    if is("method", "Write") && is("protocol", PERMISSIONS) && is("protocolPath", "request") {
        return Ok(());
    }
    Err(Failure::new(Kind::NotFound, format!("requestId {id}: no request for a grant is kept here under it")))
}

/// Are there records of this DID here? That it may come, as anybody may to an open node, does not mean that it reads here.
async fn keeps(call: &Call, did: String) -> Result<bool, Failure> {
    let node = call.node.clone();
    let asked = tokio::task::spawn_blocking(move || {
        Ok::<_, Error>(node.hosts(&did) && !node.store().view(&did).events(&[], None, Some(1))?.is_empty())
    });
    Ok(asked.await.map_err(Error::new)??)
}

fn id_of(message: &Value) -> String {
    dwn::record_id(message).unwrap_or_default().to_owned()
}
