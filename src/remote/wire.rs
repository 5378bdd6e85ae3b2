//! What is said to a DWN server and what it answers, as bytes: the wire of `@web5/dwn-server` 0.6.1 (docs/dwn.md).
//!
//! An answer is foreign: what is read of it is bounded, and what is not as it should be is an error that says so.

use crate::{
    cid::{self, Cid, Digest},
    crypto,
    dwn::{Kind, in_header},
    foreign::{said, shown},
};
use serde::{
    Deserialize, Deserializer,
    de::{Error as _, SeqAccess, Visitor},
};
use serde_json::{Value, json};
use std::fmt;

/// A request of more bytes than this goes in the body: the reference takes headers of 16 KiB, all of them together.
const HEADER_MAX: usize = 15_000;
/// Bytes of a cursor that is taken: it is kept, and sent back.
const CURSOR_MAX: usize = 4 << 10;

/// A DWN message on its way to a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// In the header `dwn-request`; the body is the record's data.
    Header(Vec<u8>),
    /// In the body, with small data in it: what is too long for the reference's header. It has no other way; toft reads this one.
    Body(Vec<u8>),
}

impl Request {
    /// `data`: what goes along, if it is small enough to stand in JSON.
    pub fn new(tenant: &str, message: &Value, has_data: bool, data: Option<&[u8]>) -> Self {
        let mut request = json!({
            "jsonrpc": "2.0",
            "id": "toft",
            "method": "dwn.processMessage",
            "params": {"target": tenant, "message": message},
        });
        let header = in_header(&request.to_string()).into_owned();
        if header.len() <= HEADER_MAX || has_data && data.is_none() {
            return Self::Header(header);
        }
        if let Some(data) = data {
            request["params"]["encodedData"] = crypto::encode(data).into();
        }
        Self::Body(request.to_string().into_bytes())
    }
}

/// What a server answered.
#[derive(Debug, Default)]
pub struct Answer {
    pub code: u16,
    pub detail: String,
    /// CIDs of messages, in the server's order.
    pub entries: Vec<Digest>,
    pub cursor: Option<Value>,
    pub message: Option<Value>,
}

#[derive(Deserialize)]
struct Response {
    result: Option<ResultMember>,
    error: Option<ErrorMember>,
}

#[derive(Deserialize)]
struct ResultMember {
    reply: Reply,
}

#[derive(Deserialize)]
struct ErrorMember {
    #[serde(default)]
    message: Value,
}

#[derive(Deserialize)]
struct Reply {
    status: Status,
    #[serde(default)]
    entries: Entries,
    #[serde(default)]
    cursor: Option<Value>,
    #[serde(default)]
    entry: Option<Value>,
}

#[derive(Deserialize)]
struct Status {
    code: u16,
    #[serde(default)]
    detail: String,
}

/// CIDs, read one by one: a list takes 32 bytes for each beside its text.
#[derive(Default)]
struct Entries(Vec<Digest>);

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct List;
        impl<'de> Visitor<'de> for List {
            type Value = Entries;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of the CIDs of messages")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Entries, A::Error> {
                let mut entries = Vec::new();
                while let Some(text) = seq.next_element::<std::borrow::Cow<'de, str>>()? {
                    let cid = text.parse::<Cid>().ok().filter(|cid| cid.codec() == cid::DAG_CBOR);
                    let digest = cid.as_ref().and_then(cid::sha256_of);
                    entries
                        .push(digest.ok_or_else(|| {
                            A::Error::custom(format_args!("{} is no CID of a message", shown(&text)))
                        })?);
                }
                Ok(Entries(entries))
            }
        }
        from.deserialize_seq(List)
    }
}

impl Answer {
    /// Reads an answer from a body.
    pub fn in_body(bytes: &[u8]) -> Result<Self, String> {
        let response: Response = serde_json::from_slice(bytes)
            .map_err(|problem| said(format_args!("the answer is not that of a DWN server: {problem}")))?;
        response.answer()
    }

    /// Reads an answer from a header. Servers write letters that are not ASCII in different ways there (Latin-1, or UTF-8 as it
    /// is): where both are possible, the CID of the message that was asked for decides.
    pub fn in_header(bytes: &[u8], asked: &Digest) -> Result<Self, String> {
        let as_is = std::str::from_utf8(bytes).map(|text| Self::in_body(text.as_bytes()));
        let is_right =
            |answer: &Self| answer.message.as_ref().is_none_or(|message| digest_of(message).as_ref() == Some(asked));
        match as_is {
            Ok(answer) if bytes.is_ascii() || answer.as_ref().is_ok_and(is_right) => answer,
            _ => Self::in_body(bytes.iter().map(|byte| char::from(*byte)).collect::<String>().as_bytes()),
        }
    }
}

impl Response {
    fn answer(self) -> Result<Answer, String> {
        if let Some(ErrorMember { message }) = self.error {
            return Err(said(format_args!(
                "the server says: {}",
                message.as_str().unwrap_or("an error without words")
            )));
        }
        let Some(ResultMember { reply }) = self.result else {
            return Err("the answer has neither a result nor an error".to_owned());
        };
        let cursor = reply.cursor.filter(|cursor| cursor.is_object() && cursor.to_string().len() <= CURSOR_MAX);
        let message = reply.entry.and_then(|mut entry| match entry.get_mut("message").map(Value::take) {
            Some(message @ Value::Object(_)) => Some(message),
            _ => None,
        });
        Ok(Answer {
            code: reply.status.code,
            detail: said(reply.status.detail),
            entries: reply.entries.0,
            cursor,
            message,
        })
    }
}

/// The digest in a message's CID.
pub fn digest_of(message: &Value) -> Option<Digest> {
    cid::of_json(message).ok().and_then(|(cid, _)| cid::sha256_of(&cid))
}

/// What a server's answer to a pushed message means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// It is there, or something newer is.
    Yes,
    No,
}

impl Taken {
    pub fn of(code: u16, message: &Value) -> Self {
        match code {
            200..300 | 409 => Self::Yes,
            // What is not there cannot be deleted, and needs not be.
            404 if Kind::of_json(message) == Some(Kind::RecordsDelete) => Self::Yes,
            _ => Self::No,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CID: &str = "bafyreie2wmgkuqe6avd5lbloemcnd3hsvqvxdj4rp3gkvx3snx75e7gqbu";

    #[test]
    fn a_list_is_read_with_its_cursor() {
        let text = format!(
            r#"{{"jsonrpc":"2.0","id":"1","result":{{"reply":{{"status":{{"code":200,"detail":"OK"}},"entries":["{CID}"],"cursor":{{"messageCid":"{CID}","value":"x"}}}}}}}}"#
        );
        let answer = Answer::in_body(text.as_bytes()).expect("an answer");
        assert_eq!((answer.code, answer.entries.len()), (200, 1));
        assert_eq!(cid::from_digest(cid::DAG_CBOR, &answer.entries[0]).to_string(), CID);
        assert_eq!(answer.cursor.expect("a cursor")["value"], "x");
    }

    #[test]
    fn what_is_no_answer_is_an_error_that_says_so() {
        for (text, why) in [
            ("<html>", "not that of a DWN server"),
            ("{}", "neither a result nor an error"),
            (r#"{"error":{"code":-32603,"message":"boom\u001b[31m"}}"#, r"the server says: boom\u{1b}[31m"),
            (r#"{"result":{"reply":{"status":{"code":200},"entries":["x"]}}}"#, "x is no CID of a message"),
            (r#"{"result":{"reply":{"status":{"code":200},"entries":{}}}}"#, "not that of a DWN server"),
            (r#"{"result":{"reply":{"status":{"code":700000}}}}"#, "not that of a DWN server"),
        ] {
            let error = Answer::in_body(text.as_bytes()).expect_err(text);
            assert!(error.contains(why), "{text}: {error}");
        }
        let long = format!(
            r#"{{"result":{{"reply":{{"status":{{"code":200}},"cursor":{{"value":"{}"}}}}}}}}"#,
            "x".repeat(5000)
        );
        assert_eq!(Answer::in_body(long.as_bytes()).expect("an answer").cursor, None);
    }

    #[test]
    fn a_header_is_read_as_the_message_decides() {
        let message = json!({"descriptor": {"text": "é"}});
        let digest = digest_of(&message).expect("a CID");
        let text =
            json!({"result": {"reply": {"status": {"code": 200, "detail": "OK"}, "entry": {"message": message}}}})
                .to_string();
        let latin1: Vec<u8> = text.chars().map(|c| u8::try_from(c).expect("Latin-1")).collect();
        for bytes in [text.as_bytes(), &latin1] {
            assert_eq!(Answer::in_header(bytes, &digest).expect("an answer").message.as_ref(), Some(&message));
        }
    }

    #[test]
    fn what_is_too_long_for_a_header_goes_in_the_body_with_small_data() {
        let message = json!({"descriptor": {"text": "x".repeat(20_000)}});
        assert!(matches!(Request::new("did:x:a", &json!({}), true, None), Request::Header(_)));
        assert!(matches!(Request::new("did:x:a", &message, true, None), Request::Header(_)));
        assert!(matches!(Request::new("did:x:a", &message, false, None), Request::Body(_)));
        let Request::Body(body) = Request::new("did:x:a", &message, true, Some(b"data")) else { panic!("a body") };
        let body: Value = serde_json::from_slice(&body).expect("JSON");
        assert_eq!(body["params"]["encodedData"], crypto::encode(b"data"));
    }

    #[test]
    fn what_is_there_already_counts_as_taken() {
        let delete = json!({"descriptor": {"interface": "Records", "method": "Delete"}});
        let write = json!({"descriptor": {"interface": "Records", "method": "Write"}});
        for code in [200, 202, 204, 409] {
            assert_eq!(Taken::of(code, &write), Taken::Yes, "{code}");
        }
        assert_eq!((Taken::of(404, &delete), Taken::of(404, &write)), (Taken::Yes, Taken::No));
        for code in [0, 301, 400, 401, 413, 500] {
            assert_eq!(Taken::of(code, &delete), Taken::No, "{code}");
        }
    }
}
