//! Records that are made, changed and ended: `records.write`, `records.delete`.

use super::{
    actor::{About, Actor, Right, signed_by_node, writable},
    call::Call,
    facts::{bytes_of, cid_of, format_of, protocol_of},
    failure::{Failure, Kind},
    method::{Entry, Example, Method, Need},
    refusals::{REFUSALS, refused},
    sealing::{Place, Sealing},
    tickets::{Address, DATA_MAX},
    upload,
};
use crate::{
    crypto,
    dwn::{self, create},
    node::{self, Node, one_chunk},
    store::Data,
};
use anyhow::{Context as _, Error};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub const METHODS: &[Entry] = &[Entry::of::<Write>(), Entry::of::<Delete>()];

#[derive(Debug)]
pub struct Write;

impl Method for Write {
    const NAME: &'static str = "records.write";
    const SUMMARY: &'static str =
        "Write a record, or a new state of one: the node makes the message, signs and judges it.";
    const SCOPE: Need = Need::WriteRecords;
    const ERRORS: &'static [Kind] = REFUSALS;
    const EXAMPLES: &'static [Example] = &[
        Example {
            name: "a text",
            params: r#"{"data": "aGVsbG8", "dataFormat": "text/plain"}"#,
            result: r#"{"recordId": "$record", "messageCid": "$record", "dataCid": "$data", "dataSize": 5, "dateCreated": "2026-11-21T09:00:00.000000Z", "messageTimestamp": "2026-11-21T09:00:00.000000Z"}"#,
        },
        Example {
            name: "another state of a record, published",
            params: r#"{"recordId": "$record", "published": true}"#,
            result: r#"{"recordId": "$record", "messageCid": "$record", "dataCid": "$data", "dataSize": 5, "dateCreated": "2026-11-21T09:00:00.000000Z", "messageTimestamp": "2026-11-21T09:01:00.000000Z"}"#,
        },
        Example {
            name: "large data, to be sent to a one-time address",
            params: r#"{"dataSize": 3000000, "dataFormat": "image/png"}"#,
            result: r#"{"upload": {"path": "/upload/fV0eD3Jp2m5cWl1sR9vQ0t7yZ8uXaKbHnGqM4oTjC6E", "expires": "2026-11-21T09:05:00Z"}}"#,
        },
    ];
    type Params = NewState;
    type Result = Outcome;

    async fn run(call: &Call, mut new: NewState) -> Result<Outcome, Failure> {
        let actor = Actor::within(call, new.from.as_deref(), new.tenant.as_deref())?;
        let data = new.data.take().map(|text| decoded(&text)).transpose()?;
        new.check(data.is_some())?;
        let draft = Draft::of(call, actor, new, data.is_some()).await?;
        match (data, draft.new.data_size) {
            (Some(data), _) => {
                let data = match &draft.sealing {
                    Some(sealing) => sealing.whole(data),
                    None => data,
                };
                let data = staged(call, data.into()).await?;
                draft.write(&call.node, Some(data)).await.map(Outcome::Written)
            }
            (None, Some(size)) => {
                let (node, signer) = (call.node.clone(), draft.actor.signer.clone());
                let held = bytes_of(&(&draft.new, &draft.before))?;
                let draft = draft.waiting();
                let seal = draft.sealing.as_ref().map(Sealing::through);
                let through = move |body| match seal {
                    Some(seal) => seal(body),
                    None => body,
                };
                let then = async move |data: Data| draft.again(&node).await?.write(&node, Some(data)).await;
                upload::expect(call, (size, held), &signer, through, then).map(|upload| Outcome::Later { upload })
            }
            (None, None) => draft.write(&call.node, None).await.map(Outcome::Written),
        }
    }
}

#[derive(Debug)]
pub struct Delete;

impl Method for Delete {
    const NAME: &'static str = "records.delete";
    const SUMMARY: &'static str = "End a record: its data goes, and that it was here stays.";
    const SCOPE: Need = Need::WriteRecords;
    const ERRORS: &'static [Kind] = REFUSALS;
    const EXAMPLES: &'static [Example] = &[Example {
        name: "a record",
        params: r#"{"recordId": "$record"}"#,
        result: r#"{"recordId": "$record", "messageCid": "$record"}"#,
    }];
    type Params = Ending;
    type Result = Deleted;

    async fn run(call: &Call, ending: Ending) -> Result<Deleted, Failure> {
        let actor = Actor::within(call, ending.from.as_deref(), ending.tenant.as_deref())?;
        let record = newest(&call.node, &actor.tenant, &ending.record_id).await?;
        writable(call, protocol_of(&record))?;
        signed_by_node(format_of(&record))?;
        let invoked = (ending.protocol_role.as_deref(), ending.permission_grant_id.as_deref());
        let right = actor.right(&call.node, "Delete", About::record(&record), invoked).await?;
        let message = create::records_delete(&ending.record_id, ending.prune, &node::now(), &actor.signer);
        let message = right.invoking(message)?;
        let message_cid = cid_of(&message)?;
        right.accepted(call.node.process(&actor.tenant, message, None).await?)?;
        Ok(Deleted { record_id: ending.record_id, message_cid })
    }
}

/// A record as it is to be. In an update (`recordId`) what is not given stays as it is.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
pub struct NewState {
    /// base64url, without padding; at most 700 KiB of bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<String>,
    /// Instead of `data`: so many bytes are to come to a one-time address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data_size: Option<u64>,
    /// Media type. A new record needs one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data_format: Option<String>,
    /// URI of the protocol.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protocol: Option<String>,
    /// Path within the protocol, such as `thread/reply`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protocol_path: Option<String>,
    /// contextId of the record that this one stands below.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent_context_id: Option<String>,
    /// URI of the schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schema: Option<String>,
    /// DID of whom it is written to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recipient: Option<String>,
    /// May anyone read it?
    #[serde(skip_serializing_if = "Option::is_none")]
    pub published: Option<bool>,
    /// Names with texts, numbers, flags, or lists of one of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tags: Option<Map<String, Value>>,
    /// Is the data encrypted before it is kept? If it is not said, it is where the protocol has a key for it (`$encryption`): for the
    /// protocol's owner, for who writes, and for the readers of the context. True: it is, or nothing is written. False: it is kept as it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encrypt: Option<bool>,
    /// Of the record that gets a new state.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub record_id: Option<String>,
    /// When it was made, if not now: UTC with six digits of a second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub date_created: Option<String>,
    /// Path of a role that the signer invokes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protocol_role: Option<String>,
    /// recordId of a grant that the signer invokes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub permission_grant_id: Option<String>,
    /// Which of the node's identities signs; its own if none is named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// DID of whose records it becomes one; the signer's if none is named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
}

/// What has become of a write.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Outcome {
    Written(Written),
    /// It is written when the data has come to this address, which then answers with it.
    Later {
        upload: Address,
    },
}

/// A state of a record that was written.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Written {
    pub record_id: String,
    /// Of a record of a protocol: its place in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context_id: Option<String>,
    /// Of this state.
    pub message_cid: String,
    /// Of the data as it is kept: of private data, encrypted.
    pub data_cid: String,
    pub data_size: u64,
    pub date_created: String,
    pub message_timestamp: String,
    /// Its data is encrypted.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub encrypted: bool,
}

/// Which record is to end.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Ending {
    pub record_id: String,
    /// And all records below it.
    #[serde(default)]
    pub prune: bool,
    /// Path of a role that the signer invokes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocol_role: Option<String>,
    /// recordId of a grant that the signer invokes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permission_grant_id: Option<String>,
    /// Which of the node's identities signs; its own if none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// DID of whose record it is; the signer's if none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Deleted {
    pub record_id: String,
    /// Of the message that ended it.
    pub message_cid: String,
}

impl NewState {
    /// What no single parameter can say.
    fn check(&mut self, has_data: bool) -> Result<(), Failure> {
        let wrong = |what: &str| Err(Failure::new(Kind::Usage, what));
        for uri in [&mut self.protocol, &mut self.schema].into_iter().flatten() {
            *uri = dwn::normalize_uri(uri).unwrap_or_else(|| std::mem::take(uri));
        }
        match (&self.record_id, &self.data_format) {
            _ if has_data && self.data_size.is_some() => wrong("give data or dataSize, not both"),
            (None, None) => {
                wrong("a new record needs dataFormat, such as text/plain; for a new state of one give its recordId")
            }
            (None, _) if !has_data && self.data_size.is_none() => {
                wrong("a new record needs data, or dataSize for data that comes later")
            }
            (None, _) if self.protocol.is_some() != self.protocol_path.is_some() => {
                wrong("protocol and protocolPath go together")
            }
            (None, _) if self.parent_context_id.is_some() && self.protocol.is_none() => wrong(
                "only a record of a protocol stands below another: parentContextId needs protocol and protocolPath",
            ),
            _ => Ok(()),
        }
    }

    /// The descriptor's properties that an update changes.
    fn changes(&self, now: &str) -> Value {
        let mut changes = Map::new();
        let texts = [
            ("dataFormat", &self.data_format),
            ("protocol", &self.protocol),
            ("protocolPath", &self.protocol_path),
            ("schema", &self.schema),
            ("recipient", &self.recipient),
            ("dateCreated", &self.date_created),
        ];
        changes.extend(texts.into_iter().filter_map(|(name, text)| Some((name.to_owned(), text.clone()?.into()))));
        changes.extend(self.tags.clone().map(|tags| ("tags".to_owned(), tags.into())));
        if let Some(published) = self.published {
            changes.insert("published".into(), published.into());
            changes.insert("datePublished".into(), if published { now.into() } else { Value::Null });
        }
        changes.into()
    }
}

/// A write that lacks its data.
struct Draft {
    actor: Actor,
    right: Right,
    new: NewState,
    /// The state that an update begins with.
    before: Option<Value>,
    /// How new data is encrypted, if it is.
    sealing: Option<Sealing>,
}

impl Draft {
    async fn of(call: &Call, actor: Actor, new: NewState, has_data: bool) -> Result<Self, Failure> {
        let before = match &new.record_id {
            Some(id) => Some(newest(&call.node, &actor.tenant, id).await?),
            None => None,
        };
        writable(call, before.as_ref().map_or(new.protocol.as_deref(), protocol_of))?;
        signed_by_node(before.as_ref().and_then(format_of))?;
        signed_by_node(new.data_format.as_deref())?;
        let right = right(&call.node, &actor, &new, before.as_ref()).await?;
        let sealing = match has_data || new.data_size.is_some() {
            true => {
                let was = before.as_ref().is_some_and(|before| before.get("encryption").is_some());
                Sealing::of(call, &actor, new.place(before.as_ref()), (new.encrypt, was)).await?
            }
            false => None,
        };
        Ok(Self { actor, right, new, before, sealing })
    }

    /// Waits for its data, without the grant, which is looked for [again](Self::again).
    fn waiting(self) -> Self {
        Self { right: self.right.without_grant(), ..self }
    }

    /// The same some time later: a grant may be revoked since, or be another.
    async fn again(self, node: &Node) -> Result<Self, Failure> {
        let right = right(node, &self.actor, &self.new, self.before.as_ref()).await?;
        Ok(Self { right, ..self })
    }

    async fn write(self, node: &Node, data: Option<Data>) -> Result<Written, Failure> {
        let message = self.message(data.as_ref())?;
        let written = written(&message)?;
        let tenant = &self.actor.tenant;
        let reply = match data {
            Some(data) => node.process_staged(tenant, message, data).await?,
            None => node.process(tenant, message, None).await?,
        };
        self.right.accepted(reply)?;
        Ok(written)
    }

    fn message(&self, data: Option<&Data>) -> Result<Value, Failure> {
        let Self { actor, right, new, before, sealing } = self;
        let now = node::now();
        let mut draft = match before {
            Some(before) => {
                let mut changes = new.changes(&now);
                if let Some(data) = data {
                    changes["dataCid"] = data.root.to_string().into();
                    changes["dataSize"] = data.size.into();
                }
                create::update_draft(before, &changes, &now)
            }
            None => {
                let data = data.context("a new record has data")?;
                let now = new.date_created.as_deref().unwrap_or(&now);
                create::draft(&new.as_new(), (&data.root, data.size), now, right.author()).map_err(refused)?
            }
        };
        if let Some(sealing) = sealing {
            draft["encryption"] = sealing.encryption(&draft)?;
        }
        right.invoking(create::sign_records_write(draft, &actor.signer))
    }
}

/// By what right the new state is written.
async fn right(node: &Node, actor: &Actor, new: &NewState, before: Option<&Value>) -> Result<Right, Failure> {
    let mut about = before.map_or_else(
        || About::Records {
            protocol: new.protocol.clone(),
            context: new.parent_context_id.clone(),
            path: new.protocol_path.clone(),
            published: false,
        },
        About::record,
    );
    if let (About::Records { published, .. }, Some(wanted)) = (&mut about, new.published) {
        *published = wanted;
    }
    let invoked = (new.protocol_role.as_deref(), new.permission_grant_id.as_deref());
    actor.right(node, "Write", about, invoked).await
}

impl NewState {
    /// Where the record stands, or is to stand.
    fn place<'a>(&'a self, before: Option<&'a Value>) -> Place<'a> {
        match before {
            Some(before) => Place {
                protocol: protocol_of(before),
                path: before["descriptor"]["protocolPath"].as_str(),
                context: before["contextId"].as_str(),
            },
            None => Place {
                protocol: self.protocol.as_deref(),
                path: self.protocol_path.as_deref(),
                context: self.parent_context_id.as_deref(),
            },
        }
    }

    fn as_new(&self) -> create::Write<'_> {
        create::Write {
            protocol: self.protocol.as_deref().zip(self.protocol_path.as_deref()),
            parent_context: self.parent_context_id.as_deref(),
            recipient: self.recipient.as_deref(),
            schema: self.schema.as_deref(),
            data_format: self.data_format.as_deref().unwrap_or_default(),
            published: self.published == Some(true),
            tags: self.tags.clone(),
        }
    }
}

/// What stands in a message that is about to be written.
pub(super) fn written(message: &Value) -> Result<Written, Failure> {
    let text = |value: &Value| value.as_str().map(str::to_owned).unwrap_or_default();
    let descriptor = &message["descriptor"];
    Ok(Written {
        record_id: text(&message["recordId"]),
        context_id: message["contextId"].as_str().map(str::to_owned),
        message_cid: cid_of(message)?,
        data_cid: text(&descriptor["dataCid"]),
        data_size: descriptor["dataSize"].as_u64().unwrap_or_default(),
        date_created: text(&descriptor["dateCreated"]),
        message_timestamp: text(&descriptor["messageTimestamp"]),
        encrypted: message.get("encryption").is_some(),
    })
}

/// The newest write of a record.
pub(super) async fn newest(node: &Node, tenant: &str, id: &str) -> Result<Value, Failure> {
    let (store, tenant, record) = (node.store().clone(), tenant.to_owned(), id.to_owned());
    let found = tokio::task::spawn_blocking(move || store.view(&tenant).record(&record));
    let newest = found.await.map_err(Error::new)??.map(|record| record.newest.message.clone());
    match newest {
        Some(message) if dwn::is_method(&message, "Write") => Ok(Value::clone(&message)),
        Some(_) => Err(Failure::new(Kind::NotFound, format!("the record {id} was deleted"))),
        None => Err(Failure::new(Kind::NotFound, format!("there is no record {id} here"))),
    }
}

/// The bytes of a parameter.
pub(super) fn decoded(text: &str) -> Result<Vec<u8>, Failure> {
    let bytes = crypto::decode(text)
        .ok_or_else(|| Failure::new(Kind::Usage, "data is base64url without padding (and with no bits left over)"))?;
    if bytes.len() > DATA_MAX {
        let message = format!("data has {} bytes, and a call carries {DATA_MAX}: give dataSize instead", bytes.len());
        return Err(Failure::new(Kind::Usage, message));
    }
    Ok(bytes)
}

/// Data that came with a call.
async fn staged(call: &Call, bytes: bytes::Bytes) -> Result<Data, Failure> {
    if bytes.len() as u64 <= dwn::INLINE_MAX {
        // Nothing for the disk yet.
        let mut stage = call.node.blocks().stage();
        stage.push(&bytes)?;
        return Ok(stage.finish()?);
    }
    Ok(call.content.stage(one_chunk(bytes), DATA_MAX as u64).await?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn new(json: Value) -> NewState {
        serde_json::from_value(json).expect("parameters")
    }

    #[test]
    fn what_does_not_go_together_is_said() {
        for (json, has_data, said) in [
            (json!({}), true, "dataFormat"),
            (json!({"dataFormat": "a/b"}), false, "needs data"),
            (json!({"dataFormat": "a/b", "dataSize": 3}), true, "not both"),
            (json!({"dataFormat": "a/b", "protocol": "http://a.example/"}), true, "go together"),
            (json!({"dataFormat": "a/b", "parentContextId": "x"}), true, "parentContextId"),
        ] {
            let failure = new(json.clone()).check(has_data).expect_err("wrong");
            assert!(failure.kind == Kind::Usage && failure.message.contains(said), "{json}: {failure}");
        }
        assert!(new(json!({"recordId": "x"})).check(false).is_ok());
        assert!(decoded("AR").is_err() && decoded("AQ").is_ok());
        assert!(
            decoded(&crypto::encode(&vec![0; DATA_MAX + 1])).is_err_and(|failure| failure.message.contains("dataSize"))
        );
    }

    #[test]
    fn an_update_changes_what_is_given() {
        let changes = new(json!({"recordId": "x", "tags": {"a": 1}, "published": false})).changes("now");
        assert_eq!(changes, json!({"tags": {"a": 1}, "published": false, "datePublished": null}));
        let changes = new(json!({"recordId": "x", "published": true, "dataFormat": "a/b"})).changes("now");
        assert_eq!(changes, json!({"published": true, "datePublished": "now", "dataFormat": "a/b"}));
    }
}
