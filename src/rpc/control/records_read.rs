//! One record: `records.read`, `records.history`.

use super::{
    actor::{About, Actor, readable},
    call::Call,
    facts::{bytes_of, cid_of, protocol_of},
    failure::{Failure, Kind},
    method::{Entry, Example, Method, Need},
    refusals::{REFUSALS, refused},
    sealing::Opened,
    tickets::{Address, DATA_MAX, Task},
};
use crate::{
    blocks::Right,
    cid::Cid,
    crypto,
    dwn::{Cond, IndexValue, Json, Select, create},
    node::{self, Body, Node, Outgoing, Reply},
    rpc::http::at_most,
    store::Store,
};
use anyhow::{Context as _, Error};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

pub const METHODS: &[Entry] = &[Entry::of::<Read>(), Entry::of::<History>()];

/// Earlier states of a record that are told.
const STATES_MAX: usize = 100;

#[derive(Debug)]
pub struct Read;

impl Method for Read {
    const NAME: &'static str = "records.read";
    const SUMMARY: &'static str = "Give a record with its data; large data by a one-time address.";
    const SCOPE: Need = Need::ReadRecords;
    const ERRORS: &'static [Kind] = REFUSALS;
    const EXAMPLES: &'static [Example] = &[
        Example {
            name: "a record",
            params: r#"{"recordId": "$record"}"#,
            result: r#"{"recordId": "$record", "dataFormat": "text/plain", "dataCid": "$data", "dataSize": 5, "data": "aGVsbG8", "record": {"recordId": "$record", "descriptor": {"interface": "Records", "method": "Write", "dataFormat": "text/plain", "dataCid": "$data", "dataSize": 5}}}"#,
        },
        Example {
            name: "by an address, whatever its size",
            params: r#"{"recordId": "$record", "download": true}"#,
            result: r#"{"recordId": "$record", "dataFormat": "text/plain", "dataCid": "$data", "dataSize": 5, "download": {"path": "/download/fV0eD3Jp2m5cWl1sR9vQ0t7yZ8uXaKbHnGqM4oTjC6E", "expires": "2026-11-21T09:05:00Z"}, "record": {"recordId": "$record", "descriptor": {"interface": "Records", "method": "Write", "dataFormat": "text/plain", "dataCid": "$data", "dataSize": 5}}}"#,
        },
    ];
    type Params = Wanted;
    type Result = OneRecord;

    async fn run(call: &Call, wanted: Wanted) -> Result<OneRecord, Failure> {
        if let Some(state) = &wanted.message_cid {
            return earlier(call, &wanted, state).await;
        }
        let actor = Actor::within(call, wanted.from.as_deref(), wanted.tenant.as_deref())?;
        let (reply, data) = read(&call.node, &actor, &wanted).await?;
        let mut record = OneRecord::of(&reply)?;
        readable(call, protocol_of(&record.record))?;
        let opened = record.opened(call, actor.signer.did(), wanted.raw)?;
        if wanted.download || record.data_size > DATA_MAX as u64 {
            record.download = Some(download(call, actor, wanted, record.data_cid.clone())?);
        } else {
            // Room for the bytes, and their text twice while it is put together.
            let _place =
                call.node.answers().wait_whole(call.asker(), 4 * record.data_size as usize).await.map_err(refused)?;
            let bytes = at_most(data.raw(), DATA_MAX).await?.context("a record has more data than it says")?;
            record.data = Some(crypto::encode(&opened.whole(bytes)));
        }
        Ok(record)
    }
}

#[derive(Debug)]
pub struct History;

impl Method for History {
    const NAME: &'static str = "records.history";
    const SUMMARY: &'static str = "List the states of a record that are still known, the newest first.";
    const SCOPE: Need = Need::ReadRecords;
    const ERRORS: &'static [Kind] = REFUSALS;
    const EXAMPLES: &'static [Example] = &[Example {
        name: "a record",
        params: r#"{"recordId": "$record"}"#,
        result: r#"{"versions": [{"messageCid": "$record", "method": "Write", "author": "$did", "messageTimestamp": "2026-11-21T09:00:00.000000Z", "initial": true, "kept": true, "record": {"recordId": "$record", "descriptor": {"interface": "Records", "method": "Write"}}}], "more": false}"#,
    }];
    type Params = Past;
    type Result = Versions;

    /// Asks the store alone.
    async fn run(call: &Call, past: Past) -> Result<Versions, Failure> {
        let actor = Actor::of(call, past.from.as_deref())?;
        let store = call.node.store().clone();
        let found = tokio::task::spawn_blocking(move || versions(&store, &actor.tenant, &past.record_id));
        let found = found.await.map_err(Error::new)??;
        readable(call, found.protocol.as_deref())?;
        Ok(Versions { versions: found.versions, more: found.more })
    }
}

/// Which record is wanted.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Wanted {
    pub record_id: String,
    /// CID of the message of an earlier state, if its policy keeps those; the newest if none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_cid: Option<String>,
    /// Give an address for the data even if it is small.
    #[serde(default)]
    pub download: bool,
    /// Give encrypted data as it is.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub raw: bool,
    /// Path of a role that the asker invokes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocol_role: Option<String>,
    /// recordId of a grant that the asker invokes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permission_grant_id: Option<String>,
    /// Which of the node's identities asks; its own if none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// DID of whose record it is; the asker's if none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
}

/// A record, with its data or where that is to be had.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OneRecord {
    pub record_id: String,
    /// Of a record of a protocol: its place in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context_id: Option<String>,
    pub data_format: String,
    /// Of the data as it is kept: of private data, encrypted.
    pub data_cid: String,
    pub data_size: u64,
    /// The data is kept encrypted; what is given is decrypted, here and at the address.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub encrypted: bool,
    /// The data is encrypted and given as it is: why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sealed: Option<String>,
    /// base64url, without padding.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<String>,
    /// Where the data is fetched, if it is not in the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub download: Option<Address>,
    /// The newest RecordsWrite.
    pub record: Value,
    /// The first one, if that is another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub initial_write: Option<Value>,
}

/// Whose past is wanted.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Past {
    pub record_id: String,
    /// Whose record it is: one of the node's identities; its own if none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
}

/// A record's past.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Versions {
    pub versions: Vec<Version>,
    /// There are older ones.
    pub more: bool,
}

/// One state of a record.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Version {
    pub message_cid: String,
    /// `Write`, or the `Delete` that ended it.
    pub method: String,
    pub author: String,
    pub message_timestamp: String,
    /// The record began with it.
    pub initial: bool,
    /// It stays, with its data: the newest one, and those that its policy keeps; and without it the first. The others are what the log
    /// still holds of states that were superseded: compaction takes them away.
    pub kept: bool,
    /// The message.
    pub record: Value,
}

/// A state that its policy has kept, for those whose records these are.
async fn earlier(call: &Call, wanted: &Wanted, state: &str) -> Result<OneRecord, Failure> {
    let actor = Actor::of(call, wanted.from.as_deref())?;
    if wanted.tenant.as_ref().is_some_and(|tenant| *tenant != actor.tenant) {
        return Err(Failure::new(Kind::Usage, "earlier states are read on the node of whose records they are"));
    }
    let (store, tenant, id) = (call.node.store().clone(), actor.tenant.clone(), wanted.record_id.clone());
    let found = tokio::task::spawn_blocking(move || node::earlier(&store, &tenant, &id));
    let found = found.await.map_err(Error::new)??;
    let one = found.into_iter().find(|one| one.state.cid.to_string() == state).ok_or_else(|| {
        let text = format!(
            "no state {state} of the record {} is kept: records.history lists those that are",
            wanted.record_id
        );
        Failure::new(Kind::NotFound, text)
    })?;
    readable(call, protocol_of(&one.state.message))?;
    let mut record = OneRecord::of_message(one.state.message, None);
    let opened = record.opened(call, actor.signer.did(), wanted.raw)?;
    let Some((root, size)) = one.data else { return Ok(record) };
    if wanted.download || size > DATA_MAX as u64 {
        let (of, caller) = (call.clone(), call.caller().clone());
        let task = Task::Download(Box::new(move || {
            Box::pin(async move {
                caller.check_live(Timestamp::now())?;
                Ok(opened.through(kept_data(&of, root).await?))
            })
        }));
        record.download = Some(call.tickets.issue(call.caller(), root.to_bytes().len(), task)?);
    } else {
        let _place = call.node.answers().wait_whole(call.asker(), 4 * size as usize).await.map_err(refused)?;
        let bytes =
            at_most(kept_data(call, root).await?, DATA_MAX).await?.context("a state has more data than it says")?;
        record.data = Some(crypto::encode(&opened.whole(bytes)));
    }
    Ok(record)
}

/// Data that is held for a state that is no longer a record's.
async fn kept_data(call: &Call, root: Cid) -> Result<Body, Failure> {
    let blocks = call.node.blocks().clone();
    let reader = tokio::task::spawn_blocking(move || blocks.read(Right::reader(&root), &root));
    let reader =
        reader.await.map_err(Error::new)?.map_err(Error::new).context("reading the data of an earlier state")?;
    Ok(call.node.send_to(call.asker(), reader))
}

/// Asks the door for a record with its data.
async fn read(node: &Node, actor: &Actor, wanted: &Wanted) -> Result<(Reply, Outgoing), Failure> {
    let id = &wanted.record_id;
    let invoked = (wanted.protocol_role.as_deref(), wanted.permission_grant_id.as_deref());
    let right = actor.right(node, "Read", About::Kept(id.clone()), invoked).await?;
    let message = create::records_read(json!({"recordId": id}), &node::now(), Some(&actor.signer));
    let message = right.invoking(message)?;
    let mut reply = node.process(&actor.tenant, message, None).await?;
    if reply.code == 404 {
        return Err(Failure::new(Kind::NotFound, format!("there is no record {id} here, or it was deleted")));
    }
    let data = reply.data.take();
    let reply = right.accepted(reply)?;
    Ok((reply, data.context("a record was read without its data")?))
}

/// An address that gives the record's data if it is then still what it is now.
fn download(call: &Call, actor: Actor, wanted: Wanted, data_cid: String) -> Result<Address, Failure> {
    let (of, caller) = (call.clone(), call.caller().clone());
    let held = bytes_of(&wanted)?;
    call.tickets.issue(
        call.caller(),
        held,
        Task::Download(Box::new(move || {
            Box::pin(async move {
                caller.check_live(Timestamp::now())?;
                let (reply, data) = read(&of.node, &actor, &wanted).await?;
                let mut record = OneRecord::of(&reply)?;
                if record.data_cid != data_cid {
                    let message = "the record has got other data since: read it again for a new address";
                    return Err(Failure::new(Kind::Conflict, message));
                }
                let opened = record.opened(&of, actor.signer.did(), wanted.raw)?;
                Ok(opened.through(data.metered()))
            })
        })),
    )
}

impl OneRecord {
    /// What stands in the answer to a RecordsRead.
    fn of(reply: &Reply) -> Result<Self, Failure> {
        let mut entry = reply.body.get("entry").context("a record was read without its message")?;
        let initial = Some(entry["initialWrite"].take()).filter(|initial| !initial.is_null());
        Ok(Self::of_message(entry["recordsWrite"].take(), initial))
    }

    /// What becomes of its data, and says so. `own`: as whom the call acts.
    fn opened(&mut self, call: &Call, own: &str, raw: bool) -> Result<Opened, Failure> {
        let opened = match raw && self.record.get("encryption").is_some() {
            true => Opened::Sealed("it was asked for as it is (raw)".to_owned()),
            false => Opened::of(call, own, &self.record)?,
        };
        self.encrypted = matches!(opened, Opened::With(_));
        if let Opened::Sealed(why) = &opened {
            self.sealed = Some(why.clone());
        }
        Ok(opened)
    }

    fn of_message(record: Value, initial_write: Option<Value>) -> Self {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let descriptor = &record["descriptor"];
        Self {
            record_id: text(&record["recordId"]).unwrap_or_default(),
            context_id: text(&record["contextId"]),
            data_format: text(&descriptor["dataFormat"]).unwrap_or_default(),
            data_cid: text(&descriptor["dataCid"]).unwrap_or_default(),
            data_size: descriptor["dataSize"].as_u64().unwrap_or_default(),
            encrypted: false,
            sealed: None,
            data: None,
            download: None,
            initial_write,
            record,
        }
    }
}

struct Found {
    protocol: Option<String>,
    versions: Vec<Version>,
    more: bool,
}

/// What is known of a record's past: its newest state and the first, which are kept, and what the log still holds between them.
fn versions(store: &Store, tenant: &str, id: &str) -> Result<Found, Failure> {
    let view = store.view(tenant);
    let Some(record) = view.record(id)? else {
        return Err(Failure::new(Kind::NotFound, format!("there is no record {id} here")));
    };
    let (newest, first) = (record.newest, record.initial);
    let mut earlier = node::earlier(store, tenant, id)?;
    let is_first = newest.cid == first.cid;
    let mut found = vec![Version::of(&newest.message, &newest.author, (is_first, true))?];
    let only = Cond::Equal(IndexValue::String(id.to_owned()));
    let select = Select { any_of: vec![[("recordId".into(), only)].into()], limit: Some(1), ..Select::default() };
    let mut at = view.hits(&select)?.positions.first().copied();
    let mut is_newest = true;
    while let Some(position) = at.take().filter(|_| found.len() < STATES_MAX) {
        let Some(former) = store.former(position)? else { break };
        at = former.before.filter(|_| !former.initial);
        if !std::mem::take(&mut is_newest) && !former.initial {
            let version = Version::of(&former.message, &former.author, (false, false))?;
            let is_kept = earlier.iter().any(|one| one.state.cid.to_string() == version.message_cid);
            found.push(Version { kept: is_kept, ..version });
        }
    }
    // Those that the log has no more.
    earlier.retain(|one| {
        one.state.cid != first.cid && !found.iter().any(|known| known.message_cid == one.state.cid.to_string())
    });
    for one in earlier {
        found.push(Version::of(&one.state.message.into(), &one.state.author, (false, true))?);
    }
    if !is_first {
        found.push(Version::of(&first.message, &first.author, (true, true))?);
    }
    Ok(Found { protocol: protocol_of(&first.message).map(str::to_owned), versions: found, more: at.is_some() })
}

impl Version {
    fn of(message: &Json, author: &str, (initial, kept): (bool, bool)) -> Result<Self, Failure> {
        let text = |name: &str| message["descriptor"][name].as_str().unwrap_or_default().to_owned();
        Ok(Self {
            message_cid: cid_of(message)?,
            method: text("method"),
            author: author.to_owned(),
            message_timestamp: text("messageTimestamp"),
            initial,
            kept,
            record: Value::clone(message),
        })
    }
}
