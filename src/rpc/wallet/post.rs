//! Calls over HTTP.

use super::super::{
    control::{self, Answered, CALL_MAX, Call, Failure, Kind, failed},
    hosts::Page,
    http::{at_most, json_text, stream},
};
use crate::{
    access::{Caller, Denial, Way},
    asker::Asker,
};
use axum::{
    Extension,
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use jiff::Timestamp;
use serde_json::Value;

/// `POST /rpc`, with a token.
pub(super) async fn rpc(
    State(call): State<Call>,
    Extension(asker): Extension<Asker>,
    Extension(Page(origin)): Extension<Page>,
    request: Request,
) -> Response {
    if is_too_large(request.headers()) {
        return too_large();
    }
    let Some(token) = bearer(request.headers()) else { return answered(unauthorized(Denial::NoToken)) };
    let caller = call.access.authenticate(token, Way::Tcp(asker), origin.as_ref(), Timestamp::now());
    match caller {
        Ok(caller) => answer(&call, caller, request).await,
        Err(denial) => answered(unauthorized(denial)),
    }
}

/// `POST /pair`, for whoever comes: nobody may call more than what needs no token.
pub(super) async fn pair(
    State(call): State<Call>,
    Extension(asker): Extension<Asker>,
    Extension(Page(origin)): Extension<Page>,
    request: Request,
) -> Response {
    if is_too_large(request.headers()) {
        return too_large();
    }
    answer(&call, Caller::nobody(Way::Tcp(asker), origin), request).await
}

async fn answer(call: &Call, caller: Caller, request: Request) -> Response {
    let text = match at_most(stream(request.into_body()), CALL_MAX).await {
        Ok(Some(text)) => text,
        Ok(None) => return too_large(),
        Err(_) => return StatusCode::BAD_REQUEST.into_response(), // the client is gone
    };
    match control::answer(&call.by(caller, None), &text).await {
        Some(outcome) => answered(outcome),
        None => StatusCode::NO_CONTENT.into_response(),
    }
}

/// The token in `Authorization: Bearer <token>`.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let text = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = text.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn is_too_large(headers: &HeaderMap) -> bool {
    let length = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    length.is_some_and(|length| length > CALL_MAX)
}

fn too_large() -> Response {
    (StatusCode::PAYLOAD_TOO_LARGE, json_text(control::too_large().text)).into_response()
}

fn unauthorized(denial: Denial) -> Answered {
    failed(&Value::Null, Failure::from(denial))
}

/// The status says what a client does next; the rest stands in the answer.
fn answered(Answered { text, failure }: Answered) -> Response {
    let mut response = json_text(text);
    let Some(failure) = failure else { return response };
    match failure.kind {
        Kind::Unauthorized => {
            *response.status_mut() = StatusCode::UNAUTHORIZED;
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        Kind::TooMany => {
            *response.status_mut() = StatusCode::TOO_MANY_REQUESTS;
            response.headers_mut().insert(header::RETRY_AFTER, failure.retry_after.unwrap_or(1).into());
        }
        _ => {}
    }
    response
}
