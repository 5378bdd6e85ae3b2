//! Content as streams, beside the methods: `POST /add` and `GET /get/{cid}`.

use super::{
    actor::signed_by_node,
    call::Call,
    failure::{Failure, Kind},
};
use crate::{cid::Cid, content::New, rpc::http::stream};
use axum::{
    Router,
    body::Body as HttpBody,
    extract::{Path, Query, Request, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use futures::TryStreamExt as _;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::time::Duration;

/// What `get` waits for a block nobody sends, unless told otherwise.
const GET_TIMEOUT: u64 = 60;

/// The query of `/add`; its body is the data, its answer [`Added`](crate::content::Added).
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AddQuery {
    /// Media type.
    #[serde(default = "octets")]
    pub format: String,
    /// May anyone have it?
    #[serde(default)]
    pub published: bool,
}

/// The query of `/get/{cid}`; its answer is the file.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GetQuery {
    /// Seconds for each block.
    pub timeout: Option<u64>,
}

fn octets() -> String {
    "application/octet-stream".into()
}

pub(super) fn router() -> Router<Call> {
    Router::new().route("/add", post(add)).route("/get/{cid}", get(fetch))
}

async fn add(State(call): State<Call>, Query(query): Query<AddQuery>, request: Request) -> Response {
    if let Err(failure) = signed_by_node(Some(&query.format)) {
        return refuse(failure);
    }
    let new = New { format: query.format, published: query.published };
    match call.content.add(new, stream(request.into_body())).await {
        Ok(added) => axum::Json(added).into_response(),
        Err(why) => refuse(why.into()),
    }
}

async fn fetch(State(call): State<Call>, Path(text): Path<String>, Query(query): Query<GetQuery>) -> Response {
    let Ok(root) = Cid::try_from(text.as_str()) else {
        return refuse(Failure::new(Kind::Usage, format!("{text} is not a CID")));
    };
    match call.content.get(root, Duration::from_secs(query.timeout.unwrap_or(GET_TIMEOUT))).await {
        Ok(body) => {
            HttpBody::from_stream(body.map_err(|fault| std::io::Error::other(format!("{fault:#}")))).into_response()
        }
        Err(why) => refuse(why.into()),
    }
}

fn refuse(failure: Failure) -> Response {
    let body = json!({"error": {"message": failure.message, "data": {"kind": failure.kind}}});
    (StatusCode::BAD_REQUEST, axum::Json(body)).into_response()
}
