//! What others may do with the records of an identity of this node: `grants.…`.

use super::{
    actor::Actor,
    call::Call,
    failure::{Failure, Kind},
    letter::{send, write},
    method::{Entry, Example, Method, Need},
    refusals::{REFUSALS, refused},
};
use crate::{
    access::Use,
    audit::What,
    crypto::encode,
    did::Did,
    dwn::{self, Granted, PERMISSIONS, PaginationCursor, Standing, Stop, View, Wanted, create, normalize_uri},
    node,
};
use anyhow::{Context as _, Error};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

pub const METHODS: &[Entry] =
    &[Entry::of::<Request>(), Entry::of::<Create>(), Entry::of::<List>(), Entry::of::<Revoke>()];

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
    const SUMMARY: &'static str = "Ask somebody for a grant, in a record that is signed by an identity of this node.";
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
        let Wish { from, scope, description, delegated, conditions, asker } = wish;
        check_did("from", &from)?;
        let scope = scope.normal();
        let Actor { signer, tenant, .. } = Actor::of(call, asker.as_deref())?;
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
        let (mut message, data) = write(&signer, &request, &data)?;
        send(call, &tenant, message.clone(), Some(data.clone())).await?;
        let is_here = from != tenant && keeps(call, from.clone()).await?;
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
    /// Which of the node's identities asks; its own if none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asker: Option<String>,
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
    const SUMMARY: &'static str =
        "Let somebody do something with the records of an identity of this node, until a date.";
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
        create(call, new).await
    }
}

/// Makes a grant.
pub(super) async fn create(call: &Call, new: New) -> Result<Created, Failure> {
    let New { granted_to, scope, date_expires, description, delegated, conditions, request_id, from } = new;
    check_did("grantedTo", &granted_to)?;
    let scope = scope.normal();
    let Actor { signer, tenant, .. } = Actor::of(call, from.as_deref())?;
    call.caller().may_sign(Use::Grant, &tenant)?;
    let date_expires = future(&date_expires)?;
    if let Some(id) = request_id.clone() {
        check_request(call, &tenant, id).await?;
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
    let (mut message, data) = write(&signer, &grant, &data)?;
    send(call, &tenant, message.clone(), Some(data.clone())).await?;
    message["encodedData"] = encode(&data).into();
    let id = id_of(&message);
    let grant = Grant::from(look(call, &tenant, move |view, now| dwn::granted(&id, view, now)).await?);
    let about = json!({"id": grant.grant_id, "by": tenant, "to": grant.granted_to, "scope": grant.scope,
        "expires": grant.date_expires, "delegated": grant.delegated});
    call.audit.note(What::GrantMade, call.caller(), about).await.context("the grant is made")?;
    Ok(Created { grant, message })
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
    /// Which of the node's identities grants it; its own if none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
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
    const SUMMARY: &'static str = "List the grants that an identity of this node has given, the newest first.";
    const SCOPE: Need = Need::ReadRecords;
    const ERRORS: &'static [Kind] = &[Kind::NotFound];
    const EXAMPLES: &'static [Example] = &[Example {
        name: "one's",
        params: r#"{"grantedTo": "$other", "active": true}"#,
        result: r#"{"grants": [{"grantId": "$record", "grantedTo": "$other", "scope": {"interface": "Records", "method": "Read", "protocol": "$protocol"}, "dateGranted": "2026-11-21T09:00:00.000000Z", "dateExpires": "2036-11-21T00:00:00.000000Z", "delegated": false, "state": "active", "dateRevoked": null}], "cursor": null}"#,
    }];
    type Params = Which;
    type Result = Page;

    async fn run(call: &Call, which: Which) -> Result<Page, Failure> {
        let Which { granted_to, protocol, active, pagination: Pagination { limit, cursor }, from } = which;
        if !(1..=dwn::GRANTS_MAX).contains(&limit) {
            let message = format!("pagination.limit is 1 to {}; for more go on at the cursor", dwn::GRANTS_MAX);
            return Err(Failure::new(Kind::Usage, message));
        }
        let Actor { tenant, .. } = Actor::of(call, from.as_deref())?;
        let protocol = protocol.map(|uri| normalize_uri(&uri).unwrap_or(uri));
        let (caller, grantor) = (call.caller().clone(), tenant.clone());
        let found = look(call, &tenant, move |view, now| {
            let wanted = Wanted { grantee: granted_to.as_deref(), protocol: protocol.as_deref() };
            let is_wanted = |granted: &Granted| {
                active.is_none_or(|active| active == (granted.standing == Standing::Active))
                    && caller.may_read(granted.protocol.as_deref()).is_ok()
            };
            let (mut grants, mut cursor, mut looked_at) = (Vec::new(), cursor.map(PaginationCursor::from), 0);
            loop {
                let part = (limit - grants.len(), cursor);
                looked_at += part.0;
                let (some, next) = dwn::grants_after(&grantor, wanted, part, view, now)?;
                grants.extend(some.into_iter().filter(is_wanted).map(Grant::from));
                cursor = next;
                if cursor.is_none() || grants.len() >= limit || looked_at >= LOOKED_AT_MAX {
                    return Ok(Page { grants, cursor: cursor.map(Cursor::from) });
                }
            }
        });
        found.await
    }
}

/// Grants that one call looks at to find those that are wanted.
const LOOKED_AT_MAX: usize = 4 * dwn::GRANTS_MAX;

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
    pub pagination: Pagination,
    /// Which of the node's identities gave them; its own if none is named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
}

/// Which page of them.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "GrantPagination")]
pub struct Pagination {
    /// Grants of one page, 1000 at most.
    pub limit: usize,
    /// What the page before gave.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<Cursor>,
}

impl Default for Pagination {
    fn default() -> Self {
        Self { limit: dwn::GRANTS_MAX, cursor: None }
    }
}

/// Grants in their order.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "GrantPage")]
pub struct Page {
    pub grants: Vec<Grant>,
    /// Where the next page goes on, if more follow: what `pagination.cursor` takes. There may be more behind a page that is not full.
    #[serde(default)]
    pub cursor: Option<Cursor>,
}

/// Where a page ended.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schemars(rename = "GrantCursor")]
pub struct Cursor {
    pub message_cid: String,
    pub value: String,
}

impl From<Cursor> for PaginationCursor {
    fn from(Cursor { message_cid, value }: Cursor) -> Self {
        Self { message_cid, value }
    }
}

impl From<PaginationCursor> for Cursor {
    fn from(PaginationCursor { message_cid, value }: PaginationCursor) -> Self {
        Self { message_cid, value }
    }
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

    async fn run(call: &Call, one: OneGrant) -> Result<Grant, Failure> {
        revoke(call, one).await
    }
}

/// Ends a grant.
pub(super) async fn revoke(call: &Call, OneGrant { grant_id, from }: OneGrant) -> Result<Grant, Failure> {
    let Actor { signer, tenant, .. } = &Actor::of(call, from.as_deref())?;
    let find = move |id: String| look(call, tenant, move |view, now| dwn::granted(&id, view, now));
    let granted = find(grant_id.clone()).await?;
    call.caller().may_sign(Use::Grant, tenant)?;
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
    let (message, data) = write(signer, &revocation, &json!({}))?;
    send(call, tenant, message, Some(data)).await?;
    let revoked = Grant::from(find(grant_id.clone()).await?);
    let about = json!({"id": grant_id, "by": tenant, "to": revoked.granted_to});
    call.audit.note(What::GrantRevoked, call.caller(), about).await.context("the grant is revoked")?;
    Ok(revoked)
}

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct OneGrant {
    /// recordId of the grant.
    pub grant_id: String,
    /// Which of the node's identities gave it; its own if none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
}

/// All grants that somebody has given somebody.
pub(super) fn all_of((grantor, grantee): (&str, &str), view: &dyn View, now: &str) -> Result<Vec<Granted>, Error> {
    let wanted = Wanted { grantee: Some(grantee), protocol: None };
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let (some, next) = dwn::grants_after(grantor, wanted, (dwn::GRANTS_MAX, after), view, now)?;
        all.extend(some);
        after = next;
        if after.is_none() {
            return Ok(all);
        }
    }
}

/// Looks at the past of a tenant for whom the caller may act, now.
pub(super) async fn look<T: Send + 'static>(
    call: &Call,
    tenant: &str,
    look: impl FnOnce(&dyn View, &str) -> Result<T, Stop> + Send + 'static,
) -> Result<T, Failure> {
    let (tenant, store) = (tenant.to_owned(), call.node.store().clone());
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

pub(super) fn check_did(name: &str, did: &str) -> Result<(), Failure> {
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
async fn check_request(call: &Call, tenant: &str, id: String) -> Result<(), Failure> {
    let asked = id.clone();
    let record = look(call, tenant, move |view, _| Ok(view.record(&asked)?)).await?;
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
