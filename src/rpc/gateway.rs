//! A local window on published content: `GET /ipfs/{cid}` gives the file, `?format=raw` the block.
//!
//! It shows what `content` calls published, and fetches nothing. CAR files, ranges, paths and foreign content are not served.

use crate::{
    asker::Asker,
    cid::Cid,
    content::{PublishedFile, Unpublished, published_block, published_file},
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
    match query.get("format").map(String::as_str) {
        Some("raw") => match published_block(&node, asker, root).await {
            Ok(block) => (tag, [(header::CONTENT_TYPE, "application/vnd.ipld.raw")], block).into_response(),
            Err(why) => refuse(&why),
        },
        Some(_) => {
            let text = "this format is not supported by this version of toft; format=raw is\n";
            (StatusCode::NOT_IMPLEMENTED, text).into_response()
        }
        None => match published_file(&node, asker, root).await {
            Ok(PublishedFile { size, data }) => {
                let body = Body::from_stream(data.map_err(|fault| std::io::Error::other(format!("{fault:#}"))));
                let kind = [(header::CONTENT_TYPE, "application/octet-stream")];
                let mut response = (tag, kind, body).into_response();
                // So that one that breaks off is seen to.
                if let Some(size) = size {
                    response.headers_mut().insert(header::CONTENT_LENGTH, size.into());
                }
                response
            }
            Err(why) => refuse(&why),
        },
    }
}

fn refuse(why: &Unpublished) -> Response {
    let status = match why {
        Unpublished::NotHere(_) => StatusCode::NOT_FOUND,
        Unpublished::NotFile => {
            return (StatusCode::NOT_IMPLEMENTED, format!("{why}; add ?format=raw for the block\n")).into_response();
        }
        Unpublished::Damaged(_) => StatusCode::INTERNAL_SERVER_ERROR,
        Unpublished::Busy(_) => StatusCode::SERVICE_UNAVAILABLE,
        Unpublished::Fault(fault) => {
            tracing::error!("gateway: {fault:#}");
            return StatusCode::INTERNAL_SERVER_ERROR.into_response();
        }
    };
    (status, format!("{why}\n")).into_response()
}

async fn path() -> Response {
    let text = "paths below a CID are not supported by this version of toft\n";
    (StatusCode::NOT_IMPLEMENTED, text).into_response()
}
