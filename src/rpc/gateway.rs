//! A local window on published content: `GET /ipfs/{cid}` gives the file, `?format=raw` the block.
//!
//! Only what a published record of this node holds; it fetches nothing. The full trustless gateway (CAR,
//! ranges, paths, foreign content) comes with its own issue.

use crate::{
    cid::{self, Cid},
    node::{self, Node},
};
use axum::{
    Router,
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
    Path(text): Path<String>,
    Query(query): Query<BTreeMap<String, String>>,
) -> Response {
    let Ok(root) = Cid::try_from(text.as_str()) else {
        return (StatusCode::BAD_REQUEST, format!("{text} is not a CID\n")).into_response();
    };
    let door = node.clone();
    let block = tokio::task::spawn_blocking(move || door.public_block(&root)).await;
    let block = match block {
        Ok(Ok(Some(block))) => block,
        Ok(Ok(None)) => {
            let text = format!("no published record of this node holds {root}\n");
            return (StatusCode::NOT_FOUND, text).into_response();
        }
        Ok(Err(fault)) => {
            tracing::error!("gateway: {fault:#}");
            return StatusCode::INTERNAL_SERVER_ERROR.into_response();
        }
        Err(_) => return StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    };
    let tag = [
        (header::ETAG, format!("\"{root}\"")),
        (header::CACHE_CONTROL, "public, max-age=29030400, immutable".to_owned()),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
    ];
    match query.get("format").map(String::as_str) {
        Some("raw") => (tag, [(header::CONTENT_TYPE, "application/vnd.ipld.raw")], block).into_response(),
        Some(other) => {
            let text = format!("format={other} is not supported by this version of toft; format=raw is\n");
            (StatusCode::NOT_IMPLEMENTED, text).into_response()
        }
        None if root.codec() != cid::RAW && root.codec() != cid::DAG_PB => {
            let text = "only raw and dag-pb (UnixFS files) are shown; add ?format=raw for the block\n";
            (StatusCode::NOT_IMPLEMENTED, text).into_response()
        }
        None => {
            let data = node::read_out(node.blocks().clone(), root);
            let body = Body::from_stream(data.map_err(|fault| std::io::Error::other(format!("{fault:#}"))));
            (tag, [(header::CONTENT_TYPE, "application/octet-stream")], body).into_response()
        }
    }
}

async fn path() -> Response {
    let text = "paths below a CID are not supported by this version of toft\n";
    (StatusCode::NOT_IMPLEMENTED, text).into_response()
}
