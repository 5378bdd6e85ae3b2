//! Content by CID: `blocks.…`.

use super::{
    actor::signed_by_node,
    call::Call,
    failure::{Failure, Kind},
    method::{Entry, Example, Method, Need},
    records_write::decoded,
    refusals::refused,
    tickets::{Address, DATA_MAX, Task},
    upload,
};
use crate::{
    blocks::{Right, Survey, Unread},
    cid::{self, Cid},
    content::{Added, New},
    crypto,
    job::blocking,
    node::one_chunk,
    rpc::http::at_most,
    store::Data,
};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::time::Duration;

pub const METHODS: &[Entry] = &[Entry::of::<Add>(), Entry::of::<Get>(), Entry::of::<Stat>()];

/// Seconds that are waited for a block nobody sends.
const TIMEOUT: u64 = 60;
const TIMEOUT_MAX: u64 = 600;
/// Records that are named as holders of a block.
const HOLDERS_MAX: usize = 16;

#[derive(Debug)]
pub struct Add;

impl Method for Add {
    const NAME: &'static str = "blocks.add";
    const SUMMARY: &'static str = "Keep data as a record of the node's own tenant, under its CID.";
    const SCOPE: Need = Need::WriteBlocks;
    const ERRORS: &'static [Kind] = &[Kind::Conflict, Kind::NotFound, Kind::Pending, Kind::Locked];
    const EXAMPLES: &'static [Example] = &[
        Example {
            name: "a text",
            params: r#"{"data": "aGVsbG8", "format": "text/plain"}"#,
            result: r#"{"cid": "$data", "size": 5, "recordId": "$record", "published": false}"#,
        },
        Example {
            name: "large data, to be sent to a one-time address",
            params: r#"{"dataSize": 3000000, "format": "image/png"}"#,
            result: r#"{"upload": {"path": "/upload/fV0eD3Jp2m5cWl1sR9vQ0t7yZ8uXaKbHnGqM4oTjC6E", "expires": "2026-11-21T09:05:00Z"}}"#,
        },
    ];
    type Params = NewContent;
    type Result = Outcome;

    async fn run(call: &Call, new: NewContent) -> Result<Outcome, Failure> {
        let format = new.format.unwrap_or_else(|| "application/octet-stream".into());
        signed_by_node(Some(&format))?;
        let is = New { format, published: new.published };
        match (new.data, new.data_size) {
            (Some(data), None) => {
                let data = one_chunk(decoded(&data)?.into());
                Ok(Outcome::Kept(call.content.add(is, data).await?.into()))
            }
            (None, Some(size)) => {
                let (content, held) = (call.content.clone(), is.format.len());
                let then = async move |data: Data| Ok(Kept::from(content.keep(is, data).await?));
                upload::expect(call, (size, held), &call.signer, |body| body, then)
                    .map(|upload| Outcome::Later { upload })
            }
            _ => Err(Failure::new(Kind::Usage, "give data, or dataSize for data that comes later")),
        }
    }
}

#[derive(Debug)]
pub struct Get;

impl Method for Get {
    const NAME: &'static str = "blocks.get";
    const SUMMARY: &'static str =
        "Give the file under a CID, from here or from the network; a large one by a one-time address.";
    const SCOPE: Need = Need::ReadBlocks;
    const ERRORS: &'static [Kind] = &[Kind::Network, Kind::Pending, Kind::Locked];
    const EXAMPLES: &'static [Example] = &[Example {
        name: "a file",
        params: r#"{"cid": "$data"}"#,
        result: r#"{"cid": "$data", "size": 5, "data": "aGVsbG8"}"#,
    }];
    type Params = File;
    type Result = FileContent;

    async fn run(call: &Call, file: File) -> Result<FileContent, Failure> {
        let (root, timeout) = (parsed(&file.cid)?, Duration::from_secs(file.timeout.min(TIMEOUT_MAX)));
        // Room for the bytes, and their text twice while it is put together.
        let _place = call.node.answers().wait_whole(call.asker(), 4 * DATA_MAX).await.map_err(refused)?;
        let body = call.content.get(root, timeout).await?;
        if let Some(bytes) = at_most(body, DATA_MAX).await? {
            let size = Some(bytes.len() as u64);
            return Ok(FileContent { cid: file.cid, size, data: Some(crypto::encode(&bytes)), download: None });
        }
        let (content, caller) = (call.content.clone(), call.caller().clone());
        let download = call.tickets.issue(
            call.caller(),
            file.cid.len(),
            Task::Download(Box::new(move || {
                Box::pin(async move {
                    caller.check_live(Timestamp::now())?;
                    Ok(content.get(root, timeout).await?)
                })
            })),
        )?;
        Ok(FileContent { cid: file.cid, size: None, data: None, download: Some(download) })
    }
}

#[derive(Debug)]
pub struct Stat;

impl Method for Stat {
    const NAME: &'static str = "blocks.stat";
    const SUMMARY: &'static str = "Say what of the data under a CID is here, and what holds it.";
    const SCOPE: Need = Need::ReadBlocks;
    const ERRORS: &'static [Kind] = &[Kind::NotFound];
    const EXAMPLES: &'static [Example] = &[Example {
        name: "a file",
        params: r#"{"cid": "$data"}"#,
        result: r#"{"cid": "$data", "size": 5, "blocks": 1, "complete": true, "missing": null, "pinned": false, "records": [{"tenant": "$did", "recordId": "$record"}]}"#,
    }];
    type Params = Root;
    type Result = Standing;

    async fn run(call: &Call, Root { cid }: Root) -> Result<Standing, Failure> {
        let (root, blocks, store) = (parsed(&cid)?, call.node.blocks().clone(), call.node.store().clone());
        let looked = blocking(move || {
            let survey = match blocks.survey(Right::OWNER, &root) {
                Ok(survey) => survey,
                Err(Unread::NotHere(_)) => {
                    return Ok(Err(Failure::new(Kind::NotFound, format!("nothing of {root} is here"))));
                }
                Err(Unread::Fault(fault)) => return Err(fault),
                Err(why) => return Ok(Err(Failure::new(Kind::Usage, why.to_string()))),
            };
            let pinned = blocks.pins()?.contains(&root);
            let records = match cid::sha256_of(&root) {
                Some(digest) => store.block_records(&digest, HOLDERS_MAX)?,
                None => Vec::new(),
            };
            Ok(Ok((survey, pinned, records)))
        });
        let (Survey { size, blocks, missing }, pinned, records) = looked.await??;
        let records = records.into_iter().map(|(tenant, record_id)| Holder { tenant, record_id }).collect();
        let missing = missing.map(|cid| cid.to_string());
        Ok(Standing { cid, size, blocks, complete: missing.is_none(), missing, pinned, records })
    }
}

/// Data to be kept.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct NewContent {
    /// base64url, without padding; at most 700 KiB of bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<String>,
    /// Instead of `data`: so many bytes are to come to a one-time address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_size: Option<u64>,
    /// Media type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
    /// May anyone have it?
    #[serde(default)]
    pub published: bool,
}

/// Data that is kept.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Kept {
    pub cid: String,
    pub size: u64,
    pub record_id: String,
    pub published: bool,
}

/// What has become of data.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(rename = "ContentOutcome")]
pub enum Outcome {
    Kept(Kept),
    /// It is kept when it has come to this address, which then answers with it.
    Later {
        upload: Address,
    },
}

impl From<Added> for Kept {
    fn from(Added { cid, size, record, published }: Added) -> Self {
        Self { cid, size, record_id: record, published }
    }
}

/// Which file is wanted.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// Of a file: UnixFS, or raw bytes.
    pub cid: String,
    /// Seconds for a block that nobody sends; at most 600.
    #[serde(default = "timeout")]
    pub timeout: u64,
}

fn timeout() -> u64 {
    TIMEOUT
}

/// A file, or where it is to be had.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct FileContent {
    pub cid: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// base64url, without padding.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<String>,
    /// Where it is fetched, if it is not in the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub download: Option<Address>,
}

/// Data, by its root.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Root {
    pub cid: String,
}

/// How data stands here.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Standing {
    pub cid: String,
    /// Bytes of the file, if its root is here.
    pub size: Option<u64>,
    /// Its blocks that are here, up to the first that is not.
    pub blocks: u64,
    /// All of them are here.
    pub complete: bool,
    /// The first that is not.
    pub missing: Option<String>,
    /// It stays whatever becomes of its records.
    pub pinned: bool,
    /// Records that hold it; at most 16.
    pub records: Vec<Holder>,
}

/// A record that holds data.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "DataHolder")]
pub struct Holder {
    pub tenant: String,
    pub record_id: String,
}

fn parsed(cid: &str) -> Result<Cid, Failure> {
    Cid::try_from(cid).map_err(|_| Failure::new(Kind::Usage, format!("{} is not a CID", crate::foreign::shown(cid))))
}
