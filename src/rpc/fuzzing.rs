//! Seam for `crate::fuzzing`: requests, as header, body and WebSocket frame carry them, and queries in URLs.

use super::{http::header_value, jsonrpc, jsonrpc::RpcRequest, read, registration, ws};
use serde_json::{Value, json};

/// A JSON-RPC request with its message.
pub(crate) fn request(bytes: &[u8]) -> bool {
    let mut request = match RpcRequest::parse(bytes) {
        Ok(request) => request,
        Err(problem) => {
            survives_a_header(&problem.to_json());
            return false;
        }
    };
    survives_a_header(&request.unknown().to_json());
    if let Some(subscription) = request.subscription.clone()
        && let Err(problem) = ws::subscription_id(&request, &subscription)
    {
        survives_a_header(&problem.to_json());
    }
    match request.call() {
        Ok(call) => {
            let _ = call.is_subscribe();
            let text = jsonrpc::success(&request.id, &call.message.to_string());
            let answer: Value = serde_json::from_str(&text).expect("an answer is JSON");
            assert_eq!((&answer["id"], &answer["result"]), (&request.id, &call.message));
            survives_a_header(&answer);
            true
        }
        Err(problem) => {
            survives_a_header(&problem.to_json());
            false
        }
    }
}

fn survives_a_header(json: &Value) {
    let value = header_value(&json.to_string()).expect("a header's value");
    let read: String = value.as_bytes().iter().map(|byte| char::from(*byte)).collect();
    assert_eq!(serde_json::from_str::<Value>(&read).ok().as_ref(), Some(json));
}

/// What a header's bytes say: a request or none, and the same as those of its Latin-1 reading when they are ASCII.
pub(crate) fn header(bytes: &[u8]) -> bool {
    let read = RpcRequest::in_header(bytes);
    if bytes.is_ascii() {
        assert_eq!(read.is_ok(), RpcRequest::parse(bytes).is_ok());
    }
    read.is_ok()
}

/// Requests of each method.
pub(crate) fn requests() -> Vec<Vec<u8>> {
    let request = |method: &str, more: &Value| {
        let params =
            json!({"target": "did:example:a", "message": {"descriptor": {"method": "Subscribe"}}, "encodedData": "AA"});
        let mut json = json!({"jsonrpc": "2.0", "id": "1", "method": method, "params": params});
        json.as_object_mut().into_iter().for_each(|json| json.extend(more.as_object().cloned().unwrap_or_default()));
        json.to_string().into_bytes()
    };
    let subscription = json!({"subscription": {"id": 7, "cursor": {"value": "1"}, "maxInFlight": 3}});
    vec![
        request(jsonrpc::PROCESS, &json!({})),
        request(jsonrpc::SUBSCRIBE, &subscription),
        request(jsonrpc::CLOSE, &subscription),
        request(jsonrpc::PING, &json!({"id": "ü\u{1f600}"})),
    ]
}

/// The query of a URL.
pub(crate) fn query(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_ok_and(|text| read::nested(text).is_ok())
}

/// A registration: what its work is done over says the same as the request did.
pub(crate) fn registration(bytes: &[u8]) -> bool {
    let Some((text, did)) = registration::fuzzed(bytes) else { return false };
    let said: Value = serde_json::from_str(&text).expect("it is JSON");
    assert_eq!(said["did"], did.as_str());
    true
}
