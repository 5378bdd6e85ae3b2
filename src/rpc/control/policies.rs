//! What the node asks of the records of a protocol beyond what the dialect can say: `policies.…`.

use super::{
    actor::Actor,
    call::Call,
    facts::cid_of,
    failure::{Failure, Kind},
    letter::{install, send, write},
    method::{Entry, Example, Method, Need},
    refusals::{REFUSALS, refused},
    shipped,
    walk::{NAMED, each_record},
};
use crate::{
    cid,
    dwn::{POLICY, POLICY_PATH, Policy, PolicyAudit, View, create, for_protocol, policies, record_id},
    foreign::shown,
    node,
};
use anyhow::Error;
use bytes::Bytes;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub const METHODS: &[Entry] = &[Entry::of::<Set>(), Entry::of::<List>(), Entry::of::<Remove>()];

#[derive(Debug)]
pub struct Set;

impl Method for Set {
    const NAME: &'static str = "policies.set";
    const SUMMARY: &'static str =
        "Set the policy of a protocol, or only say which records that are here it would not take.";
    const SCOPE: Need = Need::WriteRecords;
    const ERRORS: &'static [Kind] = REFUSALS;
    const EXAMPLES: &'static [Example] = &[Example {
        name: "each title once",
        params: r#"{"policy": {"protocol": "$protocol", "paths": {"note": {"unique": [{"by": ["tag.title"]}]}}}, "dryRun": true}"#,
        result: r#"{"protocol": "$protocol", "records": 3, "unfit": 0, "unfitRecords": []}"#,
    }];
    type Params = NewPolicy;
    type Result = PolicySet;

    async fn run(call: &Call, NewPolicy { policy, dry_run, from }: NewPolicy) -> Result<PolicySet, Failure> {
        let policy = Value::from(policy);
        let data = Bytes::from(policy.to_string());
        let usage = |why: String| Failure::new(Kind::Usage, format!("this is no policy that can be followed: {why}"));
        let read = Policy::read(&data).map_err(usage)?;
        let protocol = read.protocol.clone();
        let actor = Actor::of(call, from.as_deref())?;
        call.caller().may_read(Some(&protocol))?;
        call.caller().may_write(Some(POLICY))?;
        let (store, tenant) = (call.node.store().clone(), actor.tenant.clone());
        let looked = tokio::task::spawn_blocking(move || {
            let view = store.view(&tenant);
            let Some(configure) = view.protocol(&read.protocol)? else {
                let why = "its protocol is not installed here: toft protocol install, or protocols.install, first";
                return Ok::<_, Error>(Err(why.to_owned()));
            };
            let definition = configure.message.pointer("/descriptor/definition").cloned().unwrap_or_default();
            if let Some(why) = read.contradiction(&definition) {
                return Ok(Err(why));
            }
            let known = policies(&tenant, &*view)?
                .into_iter()
                .find(|state| for_protocol(state) == Some(read.protocol.as_str()));
            Ok(Ok((audit(&*view, &read)?, known, view.protocol(POLICY)?.is_some())))
        });
        let (found, known, is_installed) = looked.await.map_err(Error::new)??.map_err(usage)?;
        if dry_run {
            return Ok(found);
        }
        if !is_installed {
            let definition = shipped::named("policy").map(Value::from).unwrap_or_default();
            install(call, &actor, definition).await?;
        }
        let (message, data) = match known {
            Some(known) => {
                let size = data.len();
                let changes = serde_json::json!({"dataCid": cid::of(cid::RAW, &data).to_string(), "dataSize": size});
                let message = create::records_update(&known.message, &changes, &node::now(), &actor.signer);
                (message.map_err(refused)?, data)
            }
            None => {
                let about = create::Write {
                    protocol: Some((POLICY, POLICY_PATH)),
                    schema: Some("https://toft.invalid/protocols/policy/policy.json"),
                    data_format: "application/json",
                    tags: Some(Map::from_iter([("protocol".to_owned(), protocol.clone().into())])),
                    ..create::Write::default()
                };
                write(&actor.signer, &about, &policy)?
            }
        };
        let (record_id, message_cid) = (record_id(&message).map(str::to_owned), cid_of(&message)?);
        send(call, &actor.tenant, message, Some(data)).await?;
        Ok(PolicySet { record_id, message_cid: Some(message_cid), ..found })
    }
}

/// A policy that is to be set.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct NewPolicy {
    /// `protocol`, and by path what is asked of the records there (docs/dwn.md, "Policies").
    pub policy: Map<String, Value>,
    /// Set nothing.
    #[serde(default)]
    pub dry_run: bool,
    /// Which of the node's identities sets it; its own if none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
}

/// A policy that was set, and which records that are here it would not take. They stay as they are.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PolicySet {
    /// URI of the protocol that it is for.
    pub protocol: String,
    /// Of the policy; nothing if none was set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_cid: Option<String>,
    /// Records of the protocol that are here.
    pub records: u64,
    /// As many of them the policy would not take.
    pub unfit: u64,
    /// The first of those.
    pub unfit_records: Vec<Unfit>,
}

/// A record that a policy would not take.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Unfit {
    pub record_id: String,
    pub why: String,
}

#[derive(Debug)]
pub struct List;

impl Method for List {
    const NAME: &'static str = "policies.list";
    const SUMMARY: &'static str = "List the policies that the node follows, of the protocols that the caller may read.";
    const SCOPE: Need = Need::ReadRecords;
    const ERRORS: &'static [Kind] = &[Kind::NotFound];
    const EXAMPLES: &'static [Example] = &[Example { name: "all", params: "{}", result: "[]" }];
    type Params = WhosePolicies;
    type Result = Vec<KeptPolicy>;

    async fn run(call: &Call, WhosePolicies { from }: WhosePolicies) -> Result<Vec<KeptPolicy>, Failure> {
        let Actor { tenant, .. } = Actor::of(call, from.as_deref())?;
        let store = call.node.store().clone();
        let listed = tokio::task::spawn_blocking(move || {
            let view = store.view(&tenant);
            let all = policies(&tenant, &*view)?.into_iter().map(|state| {
                let data = view.inline_data(&state)?.unwrap_or_default();
                Ok(KeptPolicy {
                    protocol: for_protocol(&state).unwrap_or_default().to_owned(),
                    record_id: record_id(&state.message).unwrap_or_default().to_owned(),
                    message_cid: state.cid.to_string(),
                    policy: serde_json::from_slice(&data).unwrap_or_default(),
                    problem: Policy::read(&data).err(),
                })
            });
            all.collect::<Result<Vec<_>, Error>>()
        });
        let mut all = listed.await.map_err(Error::new)??;
        all.retain(|one| call.caller().may_read(Some(&one.protocol)).is_ok());
        Ok(all)
    }
}

/// Whose policies are asked for.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WhosePolicies {
    /// One of the node's identities; its own if none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
}

/// A policy that is followed.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct KeptPolicy {
    /// URI of the protocol that it is for.
    pub protocol: String,
    pub record_id: String,
    pub message_cid: String,
    pub policy: Map<String, Value>,
    /// Why it cannot be followed, so that nothing of the protocol is written here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

#[derive(Debug)]
pub struct Remove;

impl Method for Remove {
    const NAME: &'static str = "policies.remove";
    const SUMMARY: &'static str = "Ask no more of the records of a protocol than the protocol does.";
    const SCOPE: Need = Need::WriteRecords;
    const ERRORS: &'static [Kind] = REFUSALS;
    const EXAMPLES: &'static [Example] = &[Example {
        name: "of a protocol",
        params: r#"{"protocol": "$protocol"}"#,
        result: r#"{"recordIds": ["$record"]}"#,
    }];
    type Params = OnePolicy;
    type Result = PolicyRemoved;

    async fn run(call: &Call, OnePolicy { protocol, from }: OnePolicy) -> Result<PolicyRemoved, Failure> {
        let actor = Actor::of(call, from.as_deref())?;
        call.caller().may_write(Some(POLICY))?;
        let (store, tenant) = (call.node.store().clone(), actor.tenant.clone());
        let found = tokio::task::spawn_blocking(move || policies(&tenant, &*store.view(&tenant)));
        let found = found.await.map_err(Error::new)??;
        let of_it = found.iter().filter(|state| for_protocol(state) == Some(protocol.as_str()));
        let record_ids: Vec<String> = of_it.filter_map(|state| Some(record_id(&state.message)?.to_owned())).collect();
        if record_ids.is_empty() {
            let text = format!("{} has no policy here: policies.list lists what has", shown(&protocol));
            return Err(Failure::new(Kind::NotFound, text));
        }
        for id in &record_ids {
            let delete = create::records_delete(id, false, &node::now(), &actor.signer).map_err(refused)?;
            send(call, &actor.tenant, delete, None).await?;
        }
        Ok(PolicyRemoved { record_ids })
    }
}

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OnePolicy {
    /// URI of the protocol that it is for.
    pub protocol: String,
    /// Whose: one of the node's identities; its own if none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
}

/// The records that held the policy.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PolicyRemoved {
    pub record_ids: Vec<String>,
}

fn audit(view: &dyn View, policy: &Policy) -> Result<PolicySet, Error> {
    let mut found = PolicySet { protocol: policy.protocol.clone(), ..PolicySet::default() };
    let now = node::now();
    let mut audit = PolicyAudit::new(policy, &now);
    each_record(view, &policy.protocol, |stored| {
        found.records += 1;
        let data = if audit.needs_data(&stored.message) { view.inline_data(stored)? } else { None };
        let wrong = audit.look(stored, data.as_deref());
        if !wrong.is_empty() {
            found.unfit += 1;
            if found.unfit_records.len() < NAMED {
                let record_id = record_id(&stored.message).unwrap_or_default().to_owned();
                found.unfit_records.push(Unfit { record_id, why: shown(&wrong.join("; ")).to_string() });
            }
        }
        Ok(())
    })?;
    Ok(found)
}
