//! The records at one path: made, looked for, changed, ended, followed.

use super::{
    access::Access,
    filter::Query,
    place::{Blob, Parent as _, Place},
    stored::Stored,
};
use crate::{
    crypto,
    rpc::{
        control::{
            Failure, Kind, Method as _,
            records_subscribe::Subscribe,
            records_write::{NewState, Outcome, Write, Written},
        },
        live,
    },
};
use futures::{Stream, StreamExt as _, stream};
use serde_json::{Map, Value, json};
use std::marker::PhantomData;

/// Data that goes in a call; more goes to an address of its own.
const CALL_MAX: usize = 700 << 10;

/// The records at one path of a protocol.
#[derive(Debug, Clone)]
pub struct Records<P> {
    access: Access,
    place: PhantomData<fn() -> P>,
}

/// A record that is to be made.
#[derive(Debug)]
pub struct New<P: Place> {
    pub data: P::Data,
    pub tags: P::Tags,
    pub parent: P::Parent,
    pub recipient: Option<String>,
    pub published: Option<bool>,
}

impl<P: Place> New<P> {
    pub fn of(data: P::Data, tags: P::Tags, parent: P::Parent) -> Self {
        Self { data, tags, parent, recipient: None, published: None }
    }

    /// DID of whom it is written to.
    #[must_use]
    pub fn to(self, recipient: impl Into<String>) -> Self {
        Self { recipient: Some(recipient.into()), ..self }
    }

    /// Anybody may read it.
    #[must_use]
    pub fn published(self) -> Self {
        Self { published: Some(true), ..self }
    }
}

/// What is to become of a record; what is not given stays.
#[derive(Debug)]
pub struct Change<P: Place> {
    pub data: Option<P::Data>,
    /// In the place of all that it has.
    pub tags: Option<P::Tags>,
    pub published: Option<bool>,
}

impl<P: Place> Default for Change<P> {
    fn default() -> Self {
        Self { data: None, tags: None, published: None }
    }
}

#[derive(Debug)]
pub struct Page<P> {
    pub records: Vec<Stored<P>>,
    /// For the next page, if there is one.
    pub cursor: Option<Value>,
}

/// What has happened.
#[derive(Debug)]
pub enum Event<P> {
    /// A record is there, or has a new state.
    Written(Box<Stored<P>>),
    /// The record with this recordId is gone.
    Deleted(String),
}

impl<P: Place> Records<P> {
    pub fn new(access: &Access) -> Self {
        Self { access: access.clone(), place: PhantomData }
    }

    /// The same, by a role. It is a path of the protocol.
    #[must_use]
    pub fn invoking(self, role: impl Into<String>) -> Self {
        Self { access: self.access.invoking(role), ..self }
    }

    pub async fn create(&self, new: New<P>) -> Result<Written, Failure> {
        let tags = tags(&new.tags)?;
        let state = NewState {
            protocol: Some(P::PROTOCOL.to_owned()),
            protocol_path: Some(P::PATH.to_owned()),
            schema: P::SCHEMA.map(str::to_owned),
            parent_context_id: new.parent.context(),
            recipient: new.recipient,
            published: new.published,
            // A record has tags or none, and never no tags.
            tags: (!tags.is_empty()).then_some(tags),
            ..self.access.state()
        };
        self.write(state, Some(P::encode(&new.data)?)).await
    }

    /// Nothing: no such record is here, or it is at another place.
    pub async fn get(&self, record_id: &str) -> Result<Option<Stored<P>>, Failure> {
        let id = Map::from_iter([("recordId".to_owned(), record_id.into())]);
        match self.access.call("records.read", id).await {
            Ok(mut read) => {
                let (mut message, initial) = (read["record"].take(), read.get("initialWrite").cloned());
                if read["data"].is_string() {
                    message["encodedData"] = read["data"].take();
                }
                Ok(Stored::of(&self.access, message, initial.as_ref()))
            }
            Err(failure) if failure.kind == Kind::NotFound => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    pub async fn query(&self, query: Query<P::TagFilter>) -> Result<Page<P>, Failure> {
        let mut pagination = Map::new();
        pagination.extend(query.limit.map(|limit| ("limit".to_owned(), limit.into())));
        pagination.extend(query.cursor.clone().map(|cursor| ("cursor".to_owned(), cursor)));
        let mut params = Map::from_iter([("filter".to_owned(), filter::<P>(&query)?)]);
        params.extend(query.sort.map(|sort| ("dateSort".to_owned(), json!(sort))));
        params.insert("pagination".into(), pagination.into());
        let mut page = self.access.call("records.query", params).await?;
        let entries = page["entries"].as_array_mut().map(std::mem::take).unwrap_or_default();
        let records = entries.into_iter().filter_map(|mut entry| {
            let initial = entry.as_object_mut().and_then(|entry| entry.remove("initialWrite"));
            Stored::of(&self.access, without_sealed(entry), initial.as_ref())
        });
        Ok(Page { records: records.collect(), cursor: Some(page["cursor"].take()).filter(|cursor| !cursor.is_null()) })
    }

    pub async fn update(&self, record_id: &str, change: Change<P>) -> Result<Written, Failure> {
        let state = NewState {
            record_id: Some(record_id.to_owned()),
            // It is refused if the record is at another place.
            protocol: Some(P::PROTOCOL.to_owned()),
            protocol_path: Some(P::PATH.to_owned()),
            published: change.published,
            tags: change.tags.as_ref().map(tags).transpose()?,
            ..self.access.state()
        };
        self.write(state, change.data.as_ref().map(P::encode).transpose()?).await
    }

    /// `prune`: and all records below it.
    pub async fn delete(&self, record_id: &str, prune: bool) -> Result<(), Failure> {
        let params = [("recordId".to_owned(), json!(record_id)), ("prune".to_owned(), json!(prune))];
        self.access.call("records.delete", Map::from_iter(params)).await.map(drop)
    }

    /// What happens to them from now on. It needs a client over TCP, and ends with a failure that says why.
    pub async fn subscribe(
        &self,
        query: Query<P::TagFilter>,
    ) -> Result<impl Stream<Item = Result<Event<P>, Failure>> + Send + use<P>, Failure> {
        let mut params = self.access.params();
        params.insert("filter".into(), filter::<P>(&query)?);
        let events = live::subscribe(&self.access.client, Subscribe::NAME, &params.into()).await?;
        let access = self.access.clone();
        Ok(events.flat_map(move |event| {
            let event = event.map(|event| told::<P>(&access, event)).transpose();
            stream::iter(event)
        }))
    }

    async fn write(&self, state: NewState, blob: Option<Blob>) -> Result<Written, Failure> {
        let client = &self.access.client;
        let Some(Blob { format, bytes }) = blob else { return written(client.call::<Write>(&state).await?) };
        let state = NewState { data_format: Some(format), ..state };
        if bytes.len() <= CALL_MAX {
            let state = NewState { data: Some(crypto::encode(&bytes)), ..state };
            return written(client.call::<Write>(&state).await?);
        }
        let state = NewState { data_size: Some(bytes.len() as u64), ..state };
        match client.call::<Write>(&state).await? {
            Outcome::Written(written) => Ok(written),
            Outcome::Later { upload } => client.upload(&upload.path, stream::iter([Ok(bytes.into())])).await,
        }
    }
}

fn written(outcome: Outcome) -> Result<Written, Failure> {
    match outcome {
        Outcome::Written(written) => Ok(written),
        Outcome::Later { .. } => Err(Failure::new(Kind::Failed, "the node waits for data that it has been given")),
    }
}

fn tags(tags: &impl serde::Serialize) -> Result<Map<String, Value>, Failure> {
    match serde_json::to_value(tags) {
        Ok(Value::Object(tags)) => Ok(tags),
        _ => Err(Failure::new(Kind::Usage, "tags are an object")),
    }
}

fn filter<P: Place>(query: &Query<P::TagFilter>) -> Result<Value, Failure> {
    let unfit = |e| Failure::new(Kind::Usage, format!("the filter cannot be written as JSON: {e}"));
    let mut filter = serde_json::to_value(query).map_err(unfit)?;
    if filter["tags"].as_object().is_none_or(Map::is_empty) {
        filter.as_object_mut().and_then(|filter| filter.remove("tags"));
    }
    filter["protocol"] = P::PROTOCOL.into();
    filter["protocolPath"] = P::PATH.into();
    Ok(filter)
}

/// Without data that is encrypted: the node decrypts what is read.
fn without_sealed(mut message: Value) -> Value {
    if message.get("encryption").is_some() {
        message.as_object_mut().and_then(|message| message.remove("encodedData"));
    }
    message
}

/// What an event of `records.subscribe` says. Nothing: it is of another place.
fn told<P: Place>(access: &Access, mut event: Value) -> Option<Event<P>> {
    let (message, initial) = (event["message"].take(), event.get("initialWrite").cloned());
    match message["descriptor"]["recordId"].as_str() {
        Some(id) if message["descriptor"]["method"] == "Delete" => Some(Event::Deleted(id.to_owned())),
        _ => Stored::of(access, without_sealed(message), initial.as_ref()).map(Box::new).map(Event::Written),
    }
}
