//! A local window on published content: `GET /ipfs/{cid}` gives the file, `?format=raw` the block.
//!
//! Only what a published record of this node holds ([`Blocks::may`](crate::blocks::Blocks::may)); it fetches nothing. The full trustless gateway (CAR,
//! ranges, paths, foreign content) comes with its own issue.

use crate::{
    asker::Asker,
    blocks::{Right, Unread, is_damage},
    cid::{self, Cid},
    dwn::Fault,
    node::Node,
};
use axum::{
    Extension, Router,
    body::Body,
    extract::{Path, Query, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use futures::TryStreamExt as _;
use std::collections::BTreeMap;

#[derive(Debug, Clone, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Address of the gateway. Empty: no gateway.
    pub listen: String,
}

impl Default for Config {
    fn default() -> Self {
        Self { listen: "127.0.0.1:8081".into() }
    }
}

/// The gateway's routes.
pub fn router(node: Node) -> Router {
    Router::new().route("/ipfs/{cid}", get(file)).route("/ipfs/{cid}/{*path}", get(path)).with_state(node)
}

async fn file(
    State(node): State<Node>,
    Extension(asker): Extension<Asker>,
    Path(text): Path<String>,
    Query(query): Query<BTreeMap<String, String>>,
) -> Response {
    let Ok(root) = Cid::try_from(text.as_str()) else {
        return (StatusCode::BAD_REQUEST, "this is not a CID\n").into_response();
    };
    let tag = [
        (header::ETAG, format!("\"{root}\"")),
        (header::CACHE_CONTROL, "public, max-age=29030400, immutable".to_owned()),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
    ];
    let blocks = node.blocks().clone();
    match query.get("format").map(String::as_str) {
        Some("raw") => match tokio::task::spawn_blocking(move || blocks.get(Right::ANYONE, &root)).await {
            Ok(Ok(Some(block))) => match node.answers().hold(asker, block).await {
                Ok(block) => (tag, [(header::CONTENT_TYPE, "application/vnd.ipld.raw")], block).into_response(),
                Err(refusal) => (StatusCode::SERVICE_UNAVAILABLE, refusal.detail + "\n").into_response(),
            },
            Ok(Ok(None)) => not_here(&root),
            Ok(Err(fault)) if is_damage(&fault) => damaged(&root),
            Ok(Err(fault)) => failed(&fault),
            Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        },
        Some(_) => {
            let text = "this format is not supported by this version of toft; format=raw is\n";
            (StatusCode::NOT_IMPLEMENTED, text).into_response()
        }
        None if root.codec() != cid::RAW && root.codec() != cid::DAG_PB => {
            let text = "only raw and dag-pb (UnixFS files) are shown; add ?format=raw for the block\n";
            (StatusCode::NOT_IMPLEMENTED, text).into_response()
        }
        None => match tokio::task::spawn_blocking(move || blocks.read(Right::ANYONE, &root)).await {
            Ok(Ok(reader)) => {
                let size = reader.size();
                let data = node.send_to(asker, reader);
                let body = Body::from_stream(data.map_err(|fault| std::io::Error::other(format!("{fault:#}"))));
                let kind = [(header::CONTENT_TYPE, "application/octet-stream")];
                let mut response = (tag, kind, body).into_response();
                // So that one that breaks off is seen to.
                if let Some(size) = size {
                    response.headers_mut().insert(header::CONTENT_LENGTH, size.into());
                }
                response
            }
            // What is data to its record is one thing with what is not here: nobody learns what else is.
            Ok(Err(Unread::NotHere(_) | Unread::Data(_) | Unread::NotFile(..))) => not_here(&root),
            // It stands in the log already, once.
            Ok(Err(Unread::Damaged { .. })) => damaged(&root),
            Ok(Err(Unread::Fault(fault))) => failed(&fault),
            Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        },
    }
}

fn not_here(root: &Cid) -> Response {
    (StatusCode::NOT_FOUND, format!("no published record of this node holds {root}\n")).into_response()
}

fn damaged(root: &Cid) -> Response {
    let text = format!("{root} is published here and cannot be read: it is damaged on this node\n");
    (StatusCode::INTERNAL_SERVER_ERROR, text).into_response()
}

fn failed(fault: &Fault) -> Response {
    tracing::error!("gateway: {fault:#}");
    StatusCode::INTERNAL_SERVER_ERROR.into_response()
}

async fn path() -> Response {
    let text = "paths below a CID are not supported by this version of toft\n";
    (StatusCode::NOT_IMPLEMENTED, text).into_response()
}
