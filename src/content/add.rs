//! Adding: bytes become a record of the node's own tenant.

use crate::{
    crypto::Signer,
    dwn::{Fault, Refusal, create},
    node::{Body, Node, now},
    store::Data,
};
use futures::StreamExt as _;

/// What the record says of its data.
#[derive(Debug, Clone)]
pub struct New {
    /// Media type.
    pub format: String,
    /// May anyone have it?
    pub published: bool,
}

/// What was made.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct Added {
    /// Of the data.
    pub cid: String,
    /// Bytes of the data.
    pub size: u64,
    /// The record's id.
    pub record: String,
    pub published: bool,
}

/// Why nothing was made.
#[derive(Debug, thiserror::Error)]
pub enum AddError {
    #[error("the file is above this node's limit of {0} bytes (dwn.max_record in node.toml)")]
    TooLarge(u64),
    /// What the door answered.
    #[error("{code} {detail}")]
    Refused { code: u16, detail: String },
    #[error("{0:#}")]
    Fault(#[from] Fault),
}

/// The bytes as data that no record refers to yet. `limit`: how many there may be.
pub(super) async fn stage(node: &Node, mut bytes: Body, limit: u64) -> Result<Data, AddError> {
    let mut stage = node.blocks().stage();
    let mut got = 0;
    while let Some(piece) = bytes.next().await {
        let piece = piece?;
        got += piece.len() as u64;
        if got > limit {
            return Err(AddError::TooLarge(limit));
        }
        let push = move || stage.push(&piece).map(|()| stage);
        stage = tokio::task::spawn_blocking(push).await.map_err(Fault::new)??;
    }
    Ok(tokio::task::spawn_blocking(move || stage.finish()).await.map_err(Fault::new)??)
}

/// Data that is staged becomes that of a record.
pub(super) async fn keep((node, signer): (&Node, &Signer), new: New, data: Data) -> Result<Added, AddError> {
    let (root, size) = (data.root, data.size);
    let write = create::Write { data_format: &new.format, published: new.published, ..Default::default() };
    let message = create::records_write(&write, (&root, size), &now(), signer)
        .map_err(|Refusal { code, detail }| AddError::Refused { code, detail })?;
    let record = message["recordId"].as_str().unwrap_or_default().to_owned();
    let reply = node.process_staged(signer.did(), message, data).await?;
    match reply.code {
        202 => Ok(Added { cid: root.to_string(), size, record, published: new.published }),
        code => Err(AddError::Refused { code, detail: reply.detail }),
    }
}
