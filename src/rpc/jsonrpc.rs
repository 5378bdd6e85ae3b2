//! JSON-RPC 2.0 as the DWN protocol speaks it, over HTTP and WebSocket: requests, their parameters, results and errors.

use crate::{
    crypto,
    dwn::{Message, json::Object},
    foreign,
    node::{Body, one_chunk},
};
use bytes::Bytes;
use serde_json::{Value, json};

/// Largest JSON of one request: as large as a message may be, or small data in it.
pub(super) const REQUEST_MAX: usize = 1 << 20;

pub(super) const PARSE_ERROR: i64 = -32700;
pub(super) const INVALID_REQUEST: i64 = -32600;
pub(super) const METHOD_NOT_FOUND: i64 = -32601;
pub(super) const INVALID_PARAMS: i64 = -32602;
pub(super) const INTERNAL_ERROR: i64 = -32603;
/// dwn-server's own codes: a status of HTTP below -50000.
pub(super) const BAD_REQUEST: i64 = -50400;
pub(super) const UNAUTHORIZED: i64 = -50401;
/// Of our own, in the same manner: the subscription has ended.
pub(super) const GONE: i64 = -50410;

/// What clients are told of a fault. The log has the causes.
pub(super) const FAULT: &str = "the node could not do this; its log says why";

/// The reference's words for a subscribe message that comes in another way than [`SUBSCRIBE`] over a WebSocket.
pub(super) const NO_CONTEXT: &str = "subscribe methods must contain a subscriptionRequest context";

/// What the methods here are called.
pub(super) const PROCESS: &str = "dwn.processMessage";
pub(super) const SUBSCRIBE: &str = "rpc.subscribe.dwn.processMessage";
pub(super) const CLOSE: &str = "rpc.subscribe.close";
pub(super) const PING: &str = "rpc.ping";
pub(super) const ACK: &str = "rpc.ack";

/// A request with a method.
#[derive(Debug)]
pub(super) struct RpcRequest {
    /// `null` when the client gave none.
    pub id: Value,
    pub method: String,
    pub params: Value,
    pub subscription: Option<Value>,
}

/// The error of a request.
#[derive(Debug, PartialEq)]
pub(super) struct RpcError {
    pub id: Value,
    pub code: i64,
    pub message: String,
}

/// A DWN message for a tenant.
pub(super) struct DwnCall {
    pub tenant: String,
    pub message: Value,
    /// Small data that came along in the JSON (`encodedData`, base64url).
    pub data: Option<Body>,
}

impl RpcError {
    pub fn new(id: &Value, code: i64, message: impl std::fmt::Display) -> Self {
        Self { id: id.clone(), code, message: foreign::said(message) }
    }

    pub fn to_json(&self) -> Value {
        json!({"jsonrpc": "2.0", "id": self.id, "error": {"code": self.code, "message": self.message}})
    }
}

/// A response with a result, which is JSON text.
pub(super) fn success(id: &Value, result: &str) -> String {
    Object::default().with("jsonrpc", "\"2.0\"").with("id", &id.to_string()).with("result", result).text()
}

/// The response whose result is a reply of the door.
pub(super) fn replied(id: &Value, reply: &str) -> String {
    success(id, &Object::default().with("reply", reply).text())
}

/// The text before and after the reply in [`replied`].
pub(super) fn around_reply(id: &Value) -> (String, &'static str) {
    (format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{"reply":"#), "}}")
}

impl RpcRequest {
    pub fn parse(text: &[u8]) -> Result<Self, RpcError> {
        let mut json: Value = serde_json::from_slice(text).map_err(|problem| {
            RpcError::new(&Value::Null, PARSE_ERROR, format!("the request is not JSON: {problem}"))
        })?;
        let id = json.get("id").cloned().unwrap_or(Value::Null);
        if json.get("jsonrpc").and_then(Value::as_str) != Some("2.0") {
            let message = "not a JSON-RPC 2.0 request: \"jsonrpc\" must be \"2.0\"";
            return Err(RpcError::new(&id, INVALID_REQUEST, message));
        }
        let Some(method) = json.get("method").and_then(Value::as_str).map(str::to_owned) else {
            return Err(RpcError::new(&id, INVALID_REQUEST, "the request names no method"));
        };
        let params = json.get_mut("params").map(Value::take).unwrap_or(Value::Null);
        let subscription = json.get_mut("subscription").map(Value::take);
        Ok(Self { id, method, params, subscription })
    }

    /// Reads a request from a header. Most clients, fetch among them, write each character below U+0100 as one byte (Latin-1) and
    /// cannot write others. Some write UTF-8. Bytes that are not UTF-8 are Latin-1. Where both are possible, the message's signature
    /// decides; without a signature it is UTF-8.
    pub fn in_header(bytes: &[u8]) -> Result<Self, RpcError> {
        let latin1 = || bytes.iter().map(|byte| char::from(*byte)).collect::<String>();
        let is_utf8 = std::str::from_utf8(bytes).is_ok();
        if is_utf8 && (bytes.is_ascii() || Self::parse(bytes).is_ok_and(|request| request.is_sound())) {
            return Self::parse(bytes);
        }
        let other = Self::parse(latin1().as_bytes());
        if is_utf8 && !other.as_ref().is_ok_and(Self::is_sound) { Self::parse(bytes) } else { other }
    }

    /// Is its message well-formed, so that its signature fits?
    fn is_sound(&self) -> bool {
        let message = self.params.get("message").cloned().unwrap_or_default();
        Message::parse("", message).is_ok()
    }

    /// The answer to a method that is not known.
    pub fn unknown(&self) -> RpcError {
        let message = format!("method {} is not known here; this node answers {PROCESS}", self.method);
        RpcError::new(&self.id, METHOD_NOT_FOUND, message)
    }

    /// The DWN message in the parameters.
    pub fn call(&mut self) -> Result<DwnCall, RpcError> {
        let wrong = |id: &Value, message: &str| RpcError::new(id, INVALID_PARAMS, message);
        let Some(tenant) = self.params.get("target").and_then(Value::as_str).map(str::to_owned) else {
            return Err(wrong(&self.id, "params.target must be the tenant's DID"));
        };
        let Some(message) = self.params.get_mut("message").map(Value::take) else {
            return Err(wrong(&self.id, "params.message must be a DWN message"));
        };
        let data = match self.params.get("encodedData") {
            // Data of no bytes needs no body.
            None if has_empty_data(&message) => Some(one_chunk(Bytes::new())),
            None => None,
            Some(text) => match text.as_str().and_then(crypto::decode) {
                Some(bytes) => Some(one_chunk(bytes.into())),
                _ => return Err(wrong(&self.id, "params.encodedData must be base64url without padding")),
            },
        };
        Ok(DwnCall { tenant, message, data })
    }
}

/// Does the message write data of no bytes?
fn has_empty_data(message: &Value) -> bool {
    let asked = |name: &str| message.pointer(&format!("/descriptor/{name}"));
    let text = |name: &str| asked(name).and_then(Value::as_str);
    (text("interface"), text("method")) == (Some("Records"), Some("Write"))
        && asked("dataSize").and_then(Value::as_u64) == Some(0)
}

impl DwnCall {
    pub fn is_subscribe(&self) -> bool {
        self.message.pointer("/descriptor/method").and_then(Value::as_str) == Some("Subscribe")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dwn::{create, testing};

    #[test]
    fn a_header_is_latin_1_or_utf_8() {
        let signer = testing::person(1);
        let tagged = |text: &str| {
            let tags = json!({"a": text}).as_object().cloned();
            let write = create::Write { data_format: "text/plain", tags, ..Default::default() };
            let data = (&testing::data_cid(b"x"), 1);
            let message = create::records_write(&write, data, &testing::at(1), &signer).expect("made");
            json!({"jsonrpc": "2.0", "id": "1", "method": PROCESS, "params": {"target": signer.did(), "message": message}})
        };
        let read = |bytes: &[u8]| {
            let request = RpcRequest::in_header(bytes).expect("a request");
            request.params["message"]["descriptor"]["tags"]["a"].as_str().map(str::to_owned)
        };
        let latin1 = |text: &str| text.chars().map(|c| u8::try_from(c).expect("Latin-1")).collect::<Vec<_>>();
        // The last ones could be both.
        for text in ["plain", "é", "naïve ÿ", "Ã©", "Â£ and Â£"] {
            let json = tagged(text).to_string();
            assert_eq!(read(&latin1(&json)).as_deref(), Some(text), "as fetch sends it");
            assert_eq!(read(json.as_bytes()).as_deref(), Some(text), "as UTF-8");
        }
        assert_eq!(read(tagged("ő 😀").to_string().as_bytes()).as_deref(), Some("ő 😀"));
        // Nobody has signed it.
        let anonymous =
            json!({"jsonrpc": "2.0", "method": PROCESS, "params": {"message": {"descriptor": {"tags": {"a": "é"}}}}});
        assert_eq!(read(anonymous.to_string().as_bytes()).as_deref(), Some("é"));
        assert_eq!(read(&latin1(&anonymous.to_string())).as_deref(), Some("é"));
        assert_eq!(RpcRequest::in_header(b"{oops\xe9").expect_err("no JSON").code, PARSE_ERROR);
    }

    #[test]
    fn data_of_no_bytes_needs_no_body() {
        let call = |size: u64, data: &str| {
            let message = json!({"descriptor": {"interface": "Records", "method": "Write", "dataSize": size}});
            let text = format!(
                r#"{{"jsonrpc":"2.0","id":"a","method":"x","params":{{"target":"did:x:y","message":{message}{data}}}}}"#
            );
            RpcRequest::parse(text.as_bytes()).expect("a request").call().expect("a call").data.is_some()
        };
        assert!(call(0, "") && call(0, r#","encodedData":"""#) && call(1, r#","encodedData":"""#) && !call(1, ""));
    }

    #[test]
    fn a_reply_is_the_same_in_one_and_in_pieces() {
        for id in [json!(null), json!(7), json!("a\"b")] {
            let (before, after) = around_reply(&id);
            assert_eq!(before + "{\"x\":1}" + after, replied(&id, "{\"x\":1}"));
        }
    }

    #[test]
    fn what_is_no_request_is_named() {
        for (text, code) in [
            ("{oops", PARSE_ERROR),
            ("null", INVALID_REQUEST),
            ("[]", INVALID_REQUEST),
            (r#"{"id":1,"method":"x"}"#, INVALID_REQUEST),
            (r#"{"jsonrpc":"2.0","id":1}"#, INVALID_REQUEST),
            (r#"{"jsonrpc":"2.0","method":{}}"#, INVALID_REQUEST),
        ] {
            assert_eq!(RpcRequest::parse(text.as_bytes()).expect_err(text).code, code, "{text}");
        }
        let request = |params: &str| {
            let text = format!(r#"{{"jsonrpc":"2.0","id":"a","method":"dwn.processMessage","params":{params}}}"#);
            RpcRequest::parse(text.as_bytes()).expect("a request").call().map(drop).map_err(|p| (p.id, p.code))
        };
        let wrong = Err((json!("a"), INVALID_PARAMS));
        assert_eq!(request("null"), wrong);
        assert_eq!(request(r#"{"target":"did:x:y"}"#), wrong);
        assert_eq!(request(r#"{"target":"did:x:y","message":{},"encodedData":"a="}"#), wrong);
        assert_eq!(request(r#"{"target":"did:x:y","message":{},"encodedData":""}"#), Ok(()));
    }
}
