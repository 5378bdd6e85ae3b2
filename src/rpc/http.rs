//! Bodies of requests as the door takes them, and the door's answers as HTTP responses.

use crate::{
    dwn::{self, Fault},
    memory,
    node::{Body, Text},
};
use axum::{
    body::Body as HttpBody,
    http::{HeaderName, HeaderValue, header},
    response::{IntoResponse as _, Response},
};
use futures::{StreamExt as _, TryStreamExt as _};

/// Carries the JSON-RPC response when the body is data.
pub(super) const RESPONSE: HeaderName = HeaderName::from_static("dwn-response");

/// The whole body. `None`: it has more than `max` bytes.
pub(super) async fn at_most(mut body: Body, max: usize) -> Result<Option<Vec<u8>>, Fault> {
    let mut all = memory::room(max);
    while let Some(bytes) = body.next().await {
        all.extend_from_slice(&bytes?);
        if all.len() > max {
            return Ok(None);
        }
    }
    Ok(Some(all))
}

/// The request's body as the door takes it.
pub(super) fn stream(body: HttpBody) -> Body {
    Box::pin(body.into_data_stream().map_err(|e| Fault::new(e).context("reading the request's body")))
}

/// A response with JSON text.
pub(super) fn json_text(text: String) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], text).into_response()
}

/// A response with JSON that may come piece by piece.
pub(super) fn json_out(text: Text) -> Response {
    let body = match text {
        Text::Whole(text) => HttpBody::from(text),
        Text::Pieces(pieces) => stream_out(pieces),
    };
    ([(header::CONTENT_TYPE, "application/json")], body).into_response()
}

/// Data as a body. If it breaks off, the log says why, and the client sees an early end.
pub(super) fn stream_out(data: Body) -> HttpBody {
    HttpBody::from_stream(data.map_err(|fault| {
        tracing::error!("data breaks off: {fault:#}");
        std::io::Error::other("the data cannot be read further")
    }))
}

/// JSON text as a header carries it to stock clients.
pub(super) fn header_value(json: &str) -> Option<HeaderValue> {
    HeaderValue::from_bytes(&dwn::in_header(json)).ok()
}
