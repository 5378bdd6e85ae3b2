//! Published records and protocols by URL, for browsers and links: the reference's GET routes.
//!
//! The door is asked without a signature. What may not be seen is answered like what does not exist.

use super::{
    http::{RESPONSE, header_value, json_out, json_text, stream_out},
    jsonrpc::FAULT,
    part::{Asked, Part},
};
use crate::{
    asker::Asker,
    crypto,
    dwn::{Fault, Members, create, normalize_uri},
    node::{Node, Reply, now},
};
use axum::{
    Extension, Router,
    extract::{Path, RawQuery, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use serde_json::{Map, Value, json};

/// Parameters of one query; filters have a dozen properties.
const PARAMETERS_MAX: usize = 64;
/// Dots in the name of a parameter: `filter.dataSize.gte` has two.
const DOTS_MAX: usize = 4;
/// Longest `dataFormat` that is told as a content type.
const FORMAT_MAX: usize = 255;
const SECURITY: HeaderName = HeaderName::from_static("content-security-policy");

/// The routes.
pub(super) fn router(node: Node) -> Router {
    Router::new()
        .route("/{did}/records/{id}", get(record))
        .route("/{did}/read/records/{id}", get(record))
        .route("/{did}/read/protocols/{protocol}", get(protocol))
        .route("/{did}/read/protocols/{protocol}/", get(async || no_path()))
        .route("/{did}/read/protocols/{protocol}/{*path}", get(newest))
        .route("/{did}/query", get(query))
        .route("/{did}/query/protocols", get(protocols))
        .with_state(node)
}

/// Why there is no content in the answer.
pub(super) enum Rejection {
    /// The asker's mistake, or the reply's own status; with JSON text.
    Status(StatusCode, String),
    Plain(StatusCode),
    Fault(Fault),
}

impl IntoResponse for Rejection {
    fn into_response(self) -> Response {
        match self {
            Rejection::Status(code, body) => (code, json_text(body)).into_response(),
            Rejection::Plain(code) => (code, code.canonical_reason().unwrap_or_default()).into_response(),
            Rejection::Fault(fault) => {
                tracing::error!("{fault:#}");
                (StatusCode::INTERNAL_SERVER_ERROR, FAULT).into_response()
            }
        }
    }
}

impl From<Fault> for Rejection {
    fn from(fault: Fault) -> Self {
        Rejection::Fault(fault)
    }
}

/// A record's data.
async fn record(
    State(node): State<Node>,
    Extension(asker): Extension<Asker>,
    Path((did, id)): Path<(String, String)>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, Rejection> {
    read(&node, asker, (&did, &id), Asked::of(&method, &headers)).await
}

/// The newest published record at a path of a protocol.
async fn newest(
    State(node): State<Node>,
    Extension(asker): Extension<Asker>,
    Path((did, protocol, path)): Path<(String, String, String)>,
    RawQuery(query): RawQuery,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, Rejection> {
    let path = path.trim_end_matches('/');
    if path.is_empty() {
        return Ok(no_path());
    }
    let mut asked = nested(query.as_deref().unwrap_or_default())?;
    let mut filter = object(asked.remove("filter"));
    filter.insert("protocol".into(), uri(&protocol)?.into());
    filter.insert("protocolPath".into(), path.into());
    let more = json!({"pagination": {"limit": 1}, "dateSort": "publishedDescending"});
    let reply = found(records(&node, asker, &did, filter, more).await?)?;
    let entries = reply.body.get("entries").unwrap_or_default();
    match entries.pointer("/0/recordId").and_then(Value::as_str) {
        Some(id) => read(&node, asker, (&did, id), Asked::of(&method, &headers)).await,
        None => Err(Rejection::Plain(StatusCode::NOT_FOUND)),
    }
}

/// A published protocol's ProtocolsConfigure.
async fn protocol(
    State(node): State<Node>,
    Extension(asker): Extension<Asker>,
    Path((did, protocol)): Path<(String, String)>,
) -> Result<Response, Rejection> {
    let reply = found(configured(&node, asker, &did, Some(&uri(&protocol)?)).await?)?;
    match reply.body.get("entries").unwrap_or_default().pointer_mut("/0") {
        Some(entry) => Ok(axum::Json(entry.take()).into_response()),
        None => Err(Rejection::Plain(StatusCode::NOT_FOUND)),
    }
}

/// All published protocols.
async fn protocols(
    State(node): State<Node>,
    Extension(asker): Extension<Asker>,
    Path(did): Path<String>,
) -> Result<Response, Rejection> {
    let reply = found(configured(&node, asker, &did, None).await?)?;
    Ok(json_out(reply.into_entries()))
}

/// Any query for published records. The reply says how it went.
async fn query(
    State(node): State<Node>,
    Extension(asker): Extension<Asker>,
    Path(did): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Rejection> {
    let mut asked = nested(query.as_deref().unwrap_or_default())?;
    let filter = object(asked.remove("filter"));
    let mut more = Map::new();
    if let Some(order) = asked.remove("dateSort") {
        more.insert("dateSort".into(), order);
    }
    if let Some(mut pagination) = asked.remove("pagination") {
        if let Some(limit) = pagination.get_mut("limit") {
            number(limit);
        }
        more.insert("pagination".into(), pagination);
    }
    let reply = records(&node, asker, &did, filter, Value::Object(more)).await?;
    if reply.code == 400 {
        // The reference cannot make such a query in the first place.
        return Err(Rejection::Status(StatusCode::BAD_REQUEST, reply.text()));
    }
    Ok(json_out(reply.into_text("", "")))
}

async fn read(node: &Node, asker: Asker, (did, id): (&str, &str), asked: Asked) -> Result<Response, Rejection> {
    let message = create::records_read(json!({"recordId": id}), &now(), None).map_err(bad)?;
    let wanted = asked.clone();
    let choose = move |body: &Members| {
        let (tag, size, _) = file(body);
        wanted.bytes(&wanted.part(&tag, size))
    };
    let mut reply = node.read_for(asker, did, message, Box::new(choose)).await?;
    match (reply.code, reply.data.take()) {
        (200, Some(data)) => {
            let (tag, size, format) = file(&reply.body);
            let part = asked.part(&tag, size);
            let mut response = Response::new(stream_out(data.metered()));
            let headers = response.headers_mut();
            headers.extend(HeaderValue::from_str(&tag).map(|tag| (header::ETAG, tag)));
            headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
            // A record may be a page of a stranger: it is shown in an origin of its own.
            headers.insert(SECURITY, HeaderValue::from_static("sandbox allow-scripts"));
            headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
            if let Some(header) = header_value(&reply.text()) {
                headers.insert(RESPONSE, header);
            }
            let (code, length) = match &part {
                Part::Whole => (StatusCode::OK, Some(size)),
                Part::Range(range) => (StatusCode::PARTIAL_CONTENT, Some(range.end - range.start)),
                Part::Unsatisfiable => (StatusCode::RANGE_NOT_SATISFIABLE, Some(0)),
                Part::NotModified => (StatusCode::NOT_MODIFIED, None),
            };
            let range = match &part {
                Part::Range(range) => Some(format!("bytes {}-{}/{size}", range.start, range.end - 1)),
                Part::Unsatisfiable => Some(format!("bytes */{size}")),
                Part::Whole | Part::NotModified => None,
            };
            headers.extend(range.and_then(|range| Some((header::CONTENT_RANGE, range.parse().ok()?))));
            headers.extend(length.map(|length| (header::CONTENT_LENGTH, length.into())));
            headers.extend(matches!(part, Part::Whole | Part::Range(_)).then_some((header::CONTENT_TYPE, format)));
            *response.status_mut() = code;
            Ok(response)
        }
        (200, None) => Err(Rejection::Plain(StatusCode::BAD_REQUEST)),
        (401, _) => Err(Rejection::Plain(StatusCode::NOT_FOUND)),
        (code, _) => Err(Rejection::Status(status(code), reply.text())),
    }
}

/// Entity tag, size and content type of the data in a reply.
fn file(body: &Members) -> (String, u64, HeaderValue) {
    let entry = body.get("entry").unwrap_or_default();
    let descriptor = entry.pointer("/recordsWrite/descriptor").unwrap_or(&Value::Null);
    let text = |name: &str| descriptor.get(name).and_then(Value::as_str);
    // The reply beside it fills the headers already.
    let format = text("dataFormat").filter(|format| format.len() <= FORMAT_MAX);
    let format = format.and_then(|format| HeaderValue::from_str(format).ok());
    let size = descriptor.get("dataSize").and_then(Value::as_u64).unwrap_or_default();
    let unknown = HeaderValue::from_static("application/octet-stream");
    (format!("\"{}\"", text("dataCid").unwrap_or_default()), size, format.unwrap_or(unknown))
}

async fn records(
    node: &Node,
    asker: Asker,
    did: &str,
    mut filter: Map<String, Value>,
    more: Value,
) -> Result<Reply, Rejection> {
    for name in ["protocol", "schema"] {
        if let Some(Value::String(text)) = filter.get_mut(name)
            && let Some(normal) = normalize_uri(text)
        {
            *text = normal;
        }
    }
    // A URL has only texts. These properties are never texts.
    if let Some(published) = filter.get_mut("published") {
        match published.as_str() {
            Some("true") => *published = true.into(),
            Some("false") => *published = false.into(),
            _ => {}
        }
    }
    if let Some(bounds) = filter.get_mut("dataSize").and_then(Value::as_object_mut) {
        bounds.values_mut().for_each(number);
    }
    let message = create::records_query(Value::Object(filter), more, &now(), None).map_err(bad)?;
    Ok(node.process_for(asker, did, message, None).await?)
}

async fn configured(node: &Node, asker: Asker, did: &str, uri: Option<&str>) -> Result<Reply, Rejection> {
    let message = create::protocols_query(uri, &now(), None).map_err(bad)?;
    Ok(node.process_for(asker, did, message, None).await?)
}

/// A reply with status 200.
fn found(reply: Reply) -> Result<Reply, Rejection> {
    match reply.code {
        200 => Ok(reply),
        401 => Err(Rejection::Plain(StatusCode::NOT_FOUND)),
        code => Err(Rejection::Plain(status(code))),
    }
}

/// The protocol URI in a path: base64url, because it has slashes.
fn uri(encoded: &str) -> Result<String, Rejection> {
    let bytes = crypto::decode(encoded.trim_end_matches('='));
    let uri = bytes.and_then(|bytes| String::from_utf8(bytes).ok()).ok_or(Rejection::Plain(StatusCode::BAD_REQUEST))?;
    Ok(normalize_uri(&uri).unwrap_or(uri))
}

/// `filter.protocol=x&filter.author=y` as `{"filter": {"protocol": "x", "author": "y"}}`. A name given twice is a
/// list. No name has a special meaning, `__proto__` neither.
pub(super) fn nested(query: &str) -> Result<Map<String, Value>, Rejection> {
    let wrong = || Rejection::Plain(StatusCode::BAD_REQUEST);
    let mut out = Map::new();
    for (count, (name, value)) in url::form_urlencoded::parse(query.as_bytes()).enumerate() {
        if count >= PARAMETERS_MAX || name.matches('.').count() > DOTS_MAX {
            return Err(wrong());
        }
        let (path, last) = name.rsplit_once('.').map_or((None, &*name), |(path, last)| (Some(path), last));
        let mut place = &mut out;
        for part in path.into_iter().flat_map(|path| path.split('.')) {
            let next = place.entry(part).or_insert_with(|| json!({}));
            place = next.as_object_mut().ok_or_else(wrong)?;
        }
        match place.get_mut(last) {
            None => drop(place.insert(last.to_owned(), value.into())),
            Some(Value::Array(values)) => values.push(value.into()),
            Some(Value::Object(_)) => return Err(wrong()),
            Some(one) => *one = json!([one.take(), value]),
        }
    }
    Ok(out)
}

fn object(value: Option<Value>) -> Map<String, Value> {
    match value {
        Some(Value::Object(map)) => map,
        _ => Map::new(),
    }
}

/// A text that is a number becomes that number.
fn number(value: &mut Value) {
    if let Some(number) = value.as_str().and_then(|text| text.parse::<u64>().ok()) {
        *value = number.into();
    }
}

fn bad(refusal: crate::dwn::Refusal) -> Rejection {
    Rejection::Status(StatusCode::BAD_REQUEST, Members::default().reply(refusal.code, &refusal.detail))
}

fn status(code: u16) -> StatusCode {
    StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

fn no_path() -> Response {
    (StatusCode::BAD_REQUEST, "protocol path is required").into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dots_in_names_make_objects() {
        let shown = |query: &str| nested(query).ok().map(Value::Object);
        assert_eq!(
            shown("filter.protocol=http%3A%2F%2Fa&filter.dataSize.gte=3&dateSort=x&filter.author=a&filter.author=b"),
            Some(json!({
                "filter": {"protocol": "http://a", "dataSize": {"gte": "3"}, "author": ["a", "b"]},
                "dateSort": "x",
            }))
        );
        assert_eq!(shown("__proto__.polluted=1"), Some(json!({"__proto__": {"polluted": "1"}})));
        assert_eq!(shown("a=%E0%A4%A"), Some(json!({"a": "\u{fffd}%A"})), "bad percent-encoding is only strange text");
        for wrong in ["a=1&a.b=2", "a.b=1&a=2", "a.b.c.d.e.f=1", &"a=1&".repeat(65)] {
            assert_eq!(shown(wrong), None, "{wrong}");
        }
    }
}
