//! A record that is there.

use super::{
    access::Access,
    place::{Blob, Place},
};
use crate::{
    crypto,
    rpc::control::{Failure, Kind},
};
use bytes::Bytes;
use futures::TryStreamExt as _;
use serde_json::{Map, Value};
use std::{marker::PhantomData, pin::pin};

/// A record in its newest state.
#[derive(Debug, Clone)]
pub struct Stored<P> {
    pub record_id: String,
    /// Its place in the protocol: what records below it name as their parent.
    pub context_id: String,
    /// Who wrote this state.
    pub author: String,
    /// Who wrote the first one.
    pub creator: String,
    pub recipient: Option<String>,
    pub date_created: String,
    pub date_updated: String,
    pub published: bool,
    pub data_format: String,
    pub data_cid: String,
    pub data_size: u64,
    /// The newest RecordsWrite.
    pub message: Value,
    access: Access,
    place: PhantomData<fn() -> P>,
}

impl<P: Place> Stored<P> {
    /// What a message says, if it is of a record at this place. `initial`: the first one, if that is another.
    pub(super) fn of(access: &Access, message: Value, initial: Option<&Value>) -> Option<Self> {
        let descriptor = &message["descriptor"];
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        if descriptor["protocol"] != P::PROTOCOL || descriptor["protocolPath"] != P::PATH {
            return None;
        }
        let author = author(&message)?;
        Some(Self {
            record_id: text(&message["recordId"]),
            context_id: text(&message["contextId"]),
            creator: initial.and_then(self::author).unwrap_or_else(|| author.clone()),
            author,
            recipient: descriptor["recipient"].as_str().map(str::to_owned),
            date_created: text(&descriptor["dateCreated"]),
            date_updated: text(&descriptor["messageTimestamp"]),
            published: descriptor["published"] == true,
            data_format: text(&descriptor["dataFormat"]),
            data_cid: text(&descriptor["dataCid"]),
            data_size: descriptor["dataSize"].as_u64().unwrap_or_default(),
            message,
            access: access.clone(),
            place: PhantomData,
        })
    }

    pub fn tags(&self) -> Result<P::Tags, Failure> {
        let tags = match &self.message["descriptor"]["tags"] {
            Value::Null => Value::Object(Map::new()),
            tags => tags.clone(),
        };
        let unfit = |e| Failure::new(Kind::Failed, format!("the record's tags are not what the protocol says: {e}"));
        serde_json::from_value(tags).map_err(unfit)
    }

    /// Its data: small data is here, what is large is fetched.
    pub async fn data(&self) -> Result<P::Data, Failure> {
        let bytes = match self.message["encodedData"].as_str() {
            Some(text) => decoded(text)?,
            None => self.fetched().await?,
        };
        P::decode(Blob { format: self.data_format.clone(), bytes })
    }

    async fn fetched(&self) -> Result<Vec<u8>, Failure> {
        let id = Map::from_iter([("recordId".to_owned(), self.record_id.clone().into())]);
        let read = self.access.call("records.read", id).await?;
        if let Some(text) = read["data"].as_str() {
            return decoded(text);
        }
        let path = read["download"]["path"].as_str().unwrap_or_default();
        let mut pieces = pin!(self.access.client.download(path).await?);
        let mut whole = Vec::new();
        while let Some(piece) = pieces.try_next().await? {
            whole.extend(Bytes::as_ref(&piece));
        }
        Ok(whole)
    }
}

fn decoded(text: &str) -> Result<Vec<u8>, Failure> {
    crypto::decode(text).ok_or_else(|| Failure::new(Kind::Failed, "the node's answer has data that is not base64url"))
}

/// Who wrote a message: its signer, or who let the signer write in his name.
fn author(message: &Value) -> Option<String> {
    let authorization = &message["authorization"];
    match authorization.get("authorDelegatedGrant") {
        Some(grant) => signer(&grant["authorization"]),
        None => signer(authorization),
    }
}

fn signer(authorization: &Value) -> Option<String> {
    let protected = authorization["signature"]["signatures"][0]["protected"].as_str()?;
    let header: Value = serde_json::from_slice(&crypto::decode(protected)?).ok()?;
    Some(header["kid"].as_str()?.split('#').next()?.to_owned())
}
