//! Edits that another device's took the place of without knowing them: `conflicts.…`.

use super::{
    actor::{About, Actor, readable, signed_by_node, writable},
    call::Call,
    facts::{format_of, protocol_of},
    failure::{Failure, Kind},
    method::{Entry, Example, Method, Need, NoParams},
    records_write::{Written, newest, written},
    refusals::REFUSALS,
    sealing::Opened,
    tickets::{Address, Task},
};
use crate::{
    blocks,
    dwn::create,
    foreign::shown,
    node::{self, Body, Conflict, Node, State},
};
use anyhow::{Context as _, Error};
use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

pub const METHODS: &[Entry] = &[Entry::of::<List>(), Entry::of::<Show>(), Entry::of::<Keep>(), Entry::of::<Remove>()];

#[derive(Debug)]
pub struct List;

impl Method for List {
    const NAME: &'static str = "conflicts.list";
    const SUMMARY: &'static str =
        "List the edits made here that another device's took the place of without knowing them, the oldest first.";
    const SCOPE: Need = Need::ReadRecords;
    const ERRORS: &'static [Kind] = &[];
    const EXAMPLES: &'static [Example] = &[Example {
        name: "all",
        params: "{}",
        result: r#"[{"id": "$record", "tenant": "$did", "recordId": "$record", "protocol": null, "deleted": false, "lost": {"messageCid": "$record", "method": "Write", "author": "$did", "messageTimestamp": "2026-11-21T09:00:00.000000Z"}, "won": {"messageCid": "$record", "method": "Write", "author": "$did", "messageTimestamp": "2026-11-21T09:01:00.000000Z"}, "by": "$other", "at": "2026-11-21T09:02:00Z", "until": "2026-12-21T09:02:00Z", "dataCid": "$data", "dataSize": 5}]"#,
    }];
    type Params = NoParams;
    type Result = Vec<Told>;

    async fn run(call: &Call, NoParams {}: NoParams) -> Result<Vec<Told>, Failure> {
        let all = all(&call.node).await?;
        Ok(all.iter().filter(|conflict| may_read(call, conflict).is_ok()).map(Told::of).collect())
    }
}

#[derive(Debug)]
pub struct Show;

impl Method for Show {
    const NAME: &'static str = "conflicts.show";
    const SUMMARY: &'static str =
        "Give both sides of a conflict, what differs, and an address for the data of what lost.";
    const SCOPE: Need = Need::ReadRecords;
    const ERRORS: &'static [Kind] = &[Kind::NotFound];
    const EXAMPLES: &'static [Example] = &[Example {
        name: "one",
        params: r#"{"id": "$record"}"#,
        result: r#"{"id": "$record", "tenant": "$did", "recordId": "$record", "protocol": null, "deleted": false, "lost": {"messageCid": "$record", "method": "Write", "author": "$did", "messageTimestamp": "2026-11-21T09:00:00.000000Z"}, "won": {"messageCid": "$record", "method": "Write", "author": "$did", "messageTimestamp": "2026-11-21T09:01:00.000000Z"}, "by": "$other", "at": "2026-11-21T09:02:00Z", "until": "2026-12-21T09:02:00Z", "dataCid": "$data", "dataSize": 5, "differs": [{"property": "dataSize", "lost": 5, "won": 6}], "lostMessage": {"recordId": "$record"}, "wonMessage": {"recordId": "$record"}}"#,
    }];
    type Params = OneConflict;
    type Result = Both;

    async fn run(call: &Call, one: OneConflict) -> Result<Both, Failure> {
        let conflict = find(call, &one).await?;
        let download = match conflict.data {
            Some(_) if one.download => Some(address(call, &conflict)?),
            _ => None,
        };
        let Conflict { lost, won, .. } = &conflict;
        let differs = if conflict.is_deleted() { vec![] } else { differences(&lost.message, &won.message) };
        let (lost_message, won_message) = (lost.message.clone(), won.message.clone());
        Ok(Both { conflict: Told::of(&conflict), differs, lost_message, won_message, download })
    }
}

#[derive(Debug)]
pub struct Keep;

impl Method for Keep {
    const NAME: &'static str = "conflicts.keep";
    const SUMMARY: &'static str = "Write what lost once more, as a new state of its record, signed by who keeps it.";
    const SCOPE: Need = Need::WriteRecords;
    const ERRORS: &'static [Kind] = REFUSALS;
    const EXAMPLES: &'static [Example] = &[Example {
        name: "one",
        params: r#"{"id": "$record"}"#,
        result: r#"{"recordId": "$record", "messageCid": "$record", "dataCid": "$data", "dataSize": 5, "dateCreated": "2026-11-21T09:00:00.000000Z", "messageTimestamp": "2026-11-21T09:03:00.000000Z"}"#,
    }];
    type Params = Keeping;
    type Result = Written;

    async fn run(call: &Call, Keeping { id, tenant, from }: Keeping) -> Result<Written, Failure> {
        let conflict = find(call, &OneConflict { id, tenant, download: false }).await?;
        let Conflict { lost, record_id, .. } = &conflict;
        writable(call, protocol_of(&lost.message))?;
        signed_by_node(format_of(&lost.message))?;
        let actor = Actor::within(call, from.as_deref(), Some(&conflict.tenant))?;
        let now = match newest(&call.node, &actor.tenant, record_id).await {
            Ok(state) => after(&state)?,
            Err(failure) if failure.kind == Kind::NotFound => return Err(ended(&conflict)),
            Err(failure) => return Err(failure),
        };
        let right = actor.right(&call.node, "Write", About::record(&lost.message), (None, None)).await?;
        let message = create::records_update(&lost.message, &json!({}), &now, &actor.signer);
        let message = right.invoking(message)?;
        let told = written(&message)?;
        let data = match conflict.data {
            Some(_) => Some(data(call, &conflict).await?),
            None => None,
        };
        right.accepted(call.node.process(&actor.tenant, message, data).await?)?;
        call.node.forget_conflicts(&[conflict]).await?;
        Ok(told)
    }
}

#[derive(Debug)]
pub struct Remove;

impl Method for Remove {
    const NAME: &'static str = "conflicts.remove";
    const SUMMARY: &'static str = "Let go of what lost: what won stays.";
    const SCOPE: Need = Need::WriteRecords;
    const ERRORS: &'static [Kind] = &[Kind::NotFound];
    const EXAMPLES: &'static [Example] =
        &[Example { name: "one", params: r#"{"id": "$record"}"#, result: r#"{"removed": "$record"}"# }];
    type Params = OneConflict;
    type Result = Removed;

    async fn run(call: &Call, one: OneConflict) -> Result<Removed, Failure> {
        let conflict = find(call, &one).await?;
        writable(call, protocol_of(&conflict.lost.message))?;
        let removed = conflict.lost.cid.to_string();
        call.node.forget_conflicts(&[conflict]).await?;
        Ok(Removed { removed })
    }
}

/// Which conflict.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OneConflict {
    /// The CID of the message that lost, or how it begins.
    pub id: String,
    /// DID of whose record it is, if messages of several are alike.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// Give an address for the data of what lost.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub download: bool,
}

/// What is kept, and who signs.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "ConflictKept")]
pub struct Keeping {
    /// The CID of the message that lost, or how it begins.
    pub id: String,
    /// DID of whose record it is, if messages of several are alike.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// Which of the node's identities signs; its own if none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
}

/// An edit that lost.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Conflict")]
pub struct Told {
    /// The CID of the message that lost.
    pub id: String,
    /// Whose record it is.
    pub tenant: String,
    pub record_id: String,
    pub protocol: Option<String>,
    /// What won ended the record: nothing can be written to it any more.
    pub deleted: bool,
    /// What was written here.
    pub lost: Side,
    /// What took its place.
    pub won: Side,
    /// DID of the device that brought what won.
    pub by: Option<String>,
    /// When it came.
    pub at: String,
    /// Until when what lost is kept.
    pub until: String,
    /// Of what lost.
    pub data_cid: Option<String>,
    pub data_size: Option<u64>,
}

/// A message of one side.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "ConflictSide")]
pub struct Side {
    pub message_cid: String,
    /// `Write` or `Delete`.
    pub method: String,
    pub author: String,
    pub message_timestamp: String,
}

/// Both sides of a conflict.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "ConflictShown")]
pub struct Both {
    #[serde(flatten)]
    pub conflict: Told,
    /// Properties of the descriptor that differ. Nothing if what won is a delete.
    pub differs: Vec<Difference>,
    pub lost_message: Value,
    pub won_message: Value,
    /// Where the data of what lost is fetched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub download: Option<Address>,
}

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "ConflictDifference")]
pub struct Difference {
    pub property: String,
    /// Null: it is not there.
    pub lost: Value,
    pub won: Value,
}

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "ConflictRemoved")]
pub struct Removed {
    pub removed: String,
}

impl Told {
    fn of(conflict: &Conflict) -> Self {
        let Conflict { tenant, record_id, lost, won, by, at, until, data } = conflict;
        Self {
            id: lost.cid.to_string(),
            tenant: tenant.clone(),
            record_id: record_id.clone(),
            protocol: protocol_of(&lost.message).map(str::to_owned),
            deleted: conflict.is_deleted(),
            lost: Side::of(lost),
            won: Side::of(won),
            by: by.clone(),
            at: at.to_string(),
            until: until.to_string(),
            data_cid: data.map(|(cid, _)| cid.to_string()),
            data_size: data.map(|(_, size)| size),
        }
    }
}

impl Side {
    fn of(state: &State) -> Self {
        Self {
            message_cid: state.cid.to_string(),
            method: state.message["descriptor"]["method"].as_str().unwrap_or_default().to_owned(),
            author: state.author.clone(),
            message_timestamp: state.timestamp().to_owned(),
        }
    }
}

async fn all(node: &Node) -> Result<Vec<Conflict>, Failure> {
    let node = node.clone();
    Ok(tokio::task::spawn_blocking(move || node.conflicts(None)).await.map_err(Error::new)??)
}

fn may_read(call: &Call, conflict: &Conflict) -> Result<(), Failure> {
    call.caller().may_act_for(&conflict.tenant)?;
    readable(call, protocol_of(&conflict.lost.message))
}

/// The one that is meant, if the caller may read it.
async fn find(call: &Call, OneConflict { id, tenant, .. }: &OneConflict) -> Result<Conflict, Failure> {
    let is_meant = |conflict: &Conflict| {
        conflict.lost.cid.to_string().starts_with(id.as_str())
            && tenant.as_ref().is_none_or(|tenant| conflict.tenant == *tenant)
    };
    let mut found = all(&call.node).await?.into_iter().filter(|one| is_meant(one) && may_read(call, one).is_ok());
    match (found.next(), found.next()) {
        (Some(one), None) => Ok(one),
        (Some(_), Some(_)) => {
            let message = format!("several conflicts begin with {}: write more of it, or name the tenant", shown(id));
            Err(Failure::new(Kind::Usage, message))
        }
        (None, _) => {
            let message = format!(
                "there is no conflict {} here: toft conflict ls lists them; each is kept for a while, on the device where the edit \
                 was made",
                shown(id)
            );
            Err(Failure::new(Kind::NotFound, message))
        }
    }
}

/// What differs between two writes of one record, but when they were made.
fn differences(lost: &Value, won: &Value) -> Vec<Difference> {
    let none = Map::new();
    let of = |message: &'_ Value| message["descriptor"].as_object().cloned().unwrap_or_else(|| none.clone());
    let (lost, won) = (of(lost), of(won));
    let names: BTreeSet<_> = lost.keys().chain(won.keys()).filter(|name| *name != "messageTimestamp").collect();
    let side = |message: &Map<String, Value>, name: &str| message.get(name).cloned().unwrap_or_default();
    let all = names.into_iter().map(|name| (name, side(&lost, name), side(&won, name)));
    let differ = all.filter(|(_, lost, won)| lost != won);
    differ.map(|(name, lost, won)| Difference { property: name.clone(), lost, won }).collect()
}

/// Now, or right after the state that is to be replaced: another device's clock may be ahead.
fn after(state: &Value) -> Result<String, Failure> {
    let (now, newest) = (node::now(), state["descriptor"]["messageTimestamp"].as_str().unwrap_or_default());
    if now.as_str() > newest {
        return Ok(now);
    }
    let newest: Timestamp = newest.parse().map_err(Error::new).context("the record's newest state has no time")?;
    let after = newest.checked_add(SignedDuration::from_micros(1)).map_err(Error::new)?;
    Ok(format!("{after:.6}"))
}

/// Why nothing is written.
fn ended(conflict: &Conflict) -> Failure {
    let (id, record) = (&conflict.lost.cid, shown(&conflict.record_id));
    let what = match conflict.is_pruned() {
        true => format!("the record {record} was deleted with the one above it"),
        false => format!("the record {record} was deleted"),
    };
    let message = format!(
        "{what}, and nothing is written to a deleted record: save what lost with toft conflict show {id} -o FILE, and write it as a \
         new record (toft record write FILE)"
    );
    Failure::new(Kind::Conflict, message)
}

/// The data of what lost.
async fn data(call: &Call, conflict: &Conflict) -> Result<Body, Failure> {
    let (root, _) = conflict.data.context("what lost had no data")?;
    let blocks = call.node.blocks().clone();
    let reader = tokio::task::spawn_blocking(move || blocks.read(blocks::Right::reader(&root), &root));
    let reader = reader.await.map_err(Error::new)?.map_err(Error::new).context("reading the data of what lost")?;
    Ok(call.node.send_to(call.asker(), reader))
}

/// An address that gives the data of what lost: decrypted, where a key is here.
fn address(call: &Call, conflict: &Conflict) -> Result<Address, Failure> {
    let opened = Opened::of(call, call.signer.did(), &conflict.lost.message)?;
    let (of, conflict, caller) = (call.clone(), conflict.clone(), call.caller().clone());
    call.tickets.issue(
        call.caller(),
        conflict.lost.message.to_string().len() + conflict.won.message.to_string().len(),
        Task::Download(Box::new(move || {
            Box::pin(async move {
                caller.check_live(Timestamp::now())?;
                Ok(opened.through(data(&of, &conflict).await?))
            })
        })),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_is_told_and_when_it_was_written_is_not() {
        let one = json!({"descriptor": {"dataCid": "a", "tags": {"n": 1}, "messageTimestamp": "1", "schema": "s"}});
        let other = json!({"descriptor": {"dataCid": "b", "published": true, "messageTimestamp": "2", "schema": "s"}});
        let told: Vec<_> = differences(&one, &other).into_iter().map(|it| (it.property, it.lost, it.won)).collect();
        let wanted = [
            ("dataCid".to_owned(), json!("a"), json!("b")),
            ("published".to_owned(), Value::Null, json!(true)),
            ("tags".to_owned(), json!({"n": 1}), Value::Null),
        ];
        assert_eq!(told, wanted);
    }

    #[test]
    fn what_is_kept_is_newer_than_a_state_from_a_clock_that_is_ahead() {
        let state = |time: &str| json!({"descriptor": {"messageTimestamp": time}});
        let ahead = after(&state("2999-01-01T00:00:00.999999Z")).expect("a time");
        assert_eq!(ahead, "2999-01-01T00:00:01.000000Z");
        assert!(after(&state("2020-01-01T00:00:00.000000Z")).expect("a time").as_str() > "2026");
    }
}
