//! JSON-RPC 2.0 as calls of the table: requests, notifications, batches.

use super::{
    super::jsonrpc,
    failure::{Failure, Kind},
    method::Entry,
};
use crate::foreign;
use futures::{StreamExt as _, stream};
use serde_json::{Value, json};
use std::{
    pin::pin,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
};

/// Calls in one batch.
const BATCH_MAX: usize = 50;
/// Calls of one batch that run at once.
const BATCH_AT_ONCE: usize = 16;
/// Bytes that the answers of one batch have together. Small ones always have room: a call that was made is answered.
const BATCH_ANSWERS_MAX: usize = 8 << 20;
const SMALL_ANSWER: usize = 16 << 10;

/// A method's table, by name.
pub type Table<On> = [&'static [Entry<On>]];

/// Lets calls in, and sees what goes out.
pub trait Gatekeeper<On: 'static>: Sync {
    /// May this method be called now?
    fn allow(&self, on: &On, method: &Entry<On>) -> Result<(), Failure>;
    /// The outcome as the caller may see it.
    fn shown(&self, on: &On, method: &Entry<On>, outcome: Result<String, Failure>) -> Result<String, Failure>;
}

/// An answer: JSON text, and the failure if it is one call that failed.
#[derive(Debug)]
pub struct Answered {
    pub text: String,
    pub failure: Option<Failure>,
}

/// Answers a request or a batch of them. `None`: there were notifications alone, which are not answered.
pub async fn answer<On: Sync>(
    table: &Table<On>,
    on: &On,
    text: &[u8],
    gatekeeper: &impl Gatekeeper<On>,
) -> Option<Answered> {
    match serde_json::from_slice::<Value>(text) {
        Err(problem) => Some(failed(&Value::Null, Failure::new(Kind::Parse, format!("a call is JSON: {problem}")))),
        Ok(Value::Array(calls)) if calls.is_empty() || calls.len() > BATCH_MAX => {
            let message = format!("a batch has 1 to {BATCH_MAX} calls; this one has {}", calls.len());
            Some(failed(&Value::Null, Failure::new(Kind::InvalidRequest, message)))
        }
        Ok(Value::Array(calls)) => {
            let room = Room(AtomicUsize::new(0));
            let answers = stream::iter(calls).map(|call| one_of(table, on, call, gatekeeper, &room));
            let mut text = String::new();
            let mut answers = pin!(answers.buffered(BATCH_AT_ONCE));
            while let Some(answer) = answers.next().await {
                if let Some(Answered { text: answer, .. }) = answer {
                    text.push(if text.is_empty() { '[' } else { ',' });
                    text.push_str(&answer);
                }
            }
            text.push(']');
            (text.len() > 1).then_some(Answered { text, failure: None })
        }
        Ok(call) => one(table, on, call, gatekeeper).await,
    }
}

/// How many bytes the answers of a batch have so far.
struct Room(AtomicUsize);

impl Room {
    /// Takes room for an answer. `false`: there is none.
    fn take(&self, bytes: usize) -> bool {
        let fits = |held: usize| Some(held + bytes).filter(|held| *held <= BATCH_ANSWERS_MAX);
        bytes <= SMALL_ANSWER || self.0.fetch_update(Relaxed, Relaxed, fits).is_ok()
    }

    fn is_full(&self) -> bool {
        self.0.load(Relaxed) + SMALL_ANSWER > BATCH_ANSWERS_MAX
    }
}

/// Answers one request of a batch, unless the answers before have taken all room.
async fn one_of<On: Sync>(
    table: &Table<On>,
    on: &On,
    call: Value,
    gatekeeper: &impl Gatekeeper<On>,
    room: &Room,
) -> Option<Answered> {
    let id = call.get("id").filter(|id| id.is_string() || id.is_number() || id.is_null()).cloned();
    let left_out = |what: &str| {
        let most = BATCH_ANSWERS_MAX >> 20;
        let message =
            format!("the answers of this batch have more than {most} MiB together, and {what}: call it by itself");
        Failure::new(Kind::InvalidRequest, message)
    };
    if let (Some(id), true) = (&id, room.is_full()) {
        return Some(failed(id, left_out("this call was not made")));
    }
    let answered = one(table, on, call, gatekeeper).await?;
    if room.take(answered.text.len()) {
        return Some(answered);
    }
    Some(failed(&id.unwrap_or_default(), left_out("this one's is left out, though the call was made")))
}

/// Answers one request.
async fn one<On: Sync>(table: &Table<On>, on: &On, call: Value, gatekeeper: &impl Gatekeeper<On>) -> Option<Answered> {
    let Request { id, name, params } = match Request::read(call) {
        Ok(request) => request,
        Err((id, failure)) => return Some(failed(&id, failure)),
    };
    let outcome = match table.iter().flat_map(|group| group.iter()).find(|method| method.name == name) {
        Some(method) => {
            let outcome = match gatekeeper.allow(on, method) {
                Ok(()) => method.call(on, params).await,
                Err(denied) => Err(denied),
            };
            gatekeeper.shown(on, method, outcome)
        }
        None => Err(unknown(&name)),
    };
    id.map(|id| match outcome {
        Ok(result) => Answered { text: jsonrpc::success(&id, &result), failure: None },
        Err(failure) => failed(&id, failure),
    })
}

fn unknown(name: &str) -> Failure {
    let message = format!("there is no method {}; rpc.discover lists all", foreign::shown(name));
    Failure::new(Kind::UnknownMethod, message)
}

/// A request of JSON-RPC 2.0.
struct Request {
    /// `None`: a notification.
    id: Option<Value>,
    name: String,
    params: Value,
}

impl Request {
    /// Reads one, or says under which id it fails and why.
    fn read(mut call: Value) -> Result<Self, (Value, Failure)> {
        let fails = |id: Value, message: &str| Err((id, Failure::new(Kind::InvalidRequest, message)));
        if !call.is_object() {
            return fails(Value::Null, "a call is an object with jsonrpc, id, method and params");
        }
        let id = call.get_mut("id").map(Value::take);
        if id.as_ref().is_some_and(|id| !(id.is_string() || id.is_number() || id.is_null())) {
            return fails(Value::Null, "the id of a call is a string, a number or null");
        }
        let shown = id.clone().unwrap_or_default();
        if call.get("jsonrpc").and_then(Value::as_str) != Some("2.0") {
            return fails(shown, "a call is JSON-RPC 2.0: \"jsonrpc\" must be \"2.0\"");
        }
        let Some(name) = call.get("method").and_then(Value::as_str).map(str::to_owned) else {
            return fails(shown, "a call names its method");
        };
        Ok(Self { id, name, params: call.get_mut("params").map(Value::take).unwrap_or_default() })
    }
}

/// The answer to a call that failed.
pub fn failed(id: &Value, failure: Failure) -> Answered {
    let text = json!({"jsonrpc": "2.0", "id": id, "error": problem(&failure)}).to_string();
    Answered { text, failure: Some(failure) }
}

/// A failure, as `error` tells it.
pub fn problem(Failure { kind, message, retry_after }: &Failure) -> Value {
    let mut data = json!({"kind": kind});
    if let Some(seconds) = retry_after {
        data["retryAfter"] = (*seconds).into();
    }
    json!({"code": kind.code(), "message": message, "data": data})
}

#[cfg(test)]
mod tests {
    use super::{
        super::method::{Example, Method, Need, NoParams},
        *,
    };
    use schemars::JsonSchema;
    use serde::{Deserialize, Serialize};

    #[derive(Serialize, Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    struct Numbers {
        number: u64,
        by: u64,
    }

    struct Divide;

    impl Method<u64> for Divide {
        const NAME: &'static str = "number.divide";
        const SUMMARY: &'static str = "Divide, if it can be done.";
        const SCOPE: Need = Need::Info;
        const ERRORS: &'static [Kind] = &[Kind::Conflict];
        const EXAMPLES: &'static [Example] =
            &[Example { name: "halve", params: r#"{"number": 8, "by": 2}"#, result: "104" }];
        type Params = Numbers;
        type Result = u64;

        async fn run(more: &u64, Numbers { number, by }: Numbers) -> Result<u64, Failure> {
            let done = number.checked_div(by).ok_or_else(|| Failure::new(Kind::Conflict, "by nothing"))?;
            Ok(done + more)
        }
    }

    struct Broken;

    impl Method<u64> for Broken {
        const NAME: &'static str = "number.broken";
        const SUMMARY: &'static str = "Fail.";
        const SCOPE: Need = Need::Admin;
        const ERRORS: &'static [Kind] = &[];
        const EXAMPLES: &'static [Example] = &[Example { name: "fail", params: "{}", result: "null" }];
        type Params = NoParams;
        type Result = ();

        async fn run(_: &u64, NoParams {}: NoParams) -> Result<(), Failure> {
            Err(anyhow::anyhow!("a cause").context("it went wrong").into())
        }
    }

    #[derive(Serialize, Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    struct Length {
        bytes: usize,
    }

    struct Write;

    impl Method<u64> for Write {
        const NAME: &'static str = "text.write";
        const SUMMARY: &'static str = "Write so many letters.";
        const SCOPE: Need = Need::Info;
        const ERRORS: &'static [Kind] = &[];
        const EXAMPLES: &'static [Example] = &[Example { name: "two", params: r#"{"bytes": 2}"#, result: r#""aa""# }];
        type Params = Length;
        type Result = String;

        async fn run(_: &u64, Length { bytes }: Length) -> Result<String, Failure> {
            Ok("a".repeat(bytes))
        }
    }

    const TABLE: [&[Entry<u64>]; 3] = [&[Entry::of::<Divide>()], &[Entry::of::<Broken>()], &[Entry::of::<Write>()]];

    struct LetsInfo;

    impl Gatekeeper<u64> for LetsInfo {
        fn allow(&self, on: &u64, method: &Entry<u64>) -> Result<(), Failure> {
            match method.scope {
                Need::Info => Ok(()),
                _ if *on == 100 => Ok(()),
                _ => Err(Failure::too_many("later", 7)),
            }
        }

        fn shown(&self, _: &u64, _: &Entry<u64>, outcome: Result<String, Failure>) -> Result<String, Failure> {
            outcome.map_err(|failure| Failure { message: failure.message.replace("cause", "reason"), ..failure })
        }
    }

    fn asked_on(on: u64, call: &str) -> Option<Value> {
        let answered = futures::executor::block_on(answer(&TABLE, &on, call.as_bytes(), &LetsInfo))?;
        Some(serde_json::from_str(&answered.text).expect("JSON"))
    }

    fn asked(call: &str) -> Option<Value> {
        asked_on(100, call)
    }

    fn ask(call: &str) -> Value {
        asked(call).expect("an answer")
    }

    /// Code, kind and message.
    fn failure(mut answer: Value) -> (i64, String, String) {
        let error = answer["error"].take();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        (error["code"].as_i64().unwrap_or_default(), text(&error["data"]["kind"]), text(&error["message"]))
    }

    #[test]
    fn a_call_has_a_result_or_a_failure_of_a_kind() {
        let call = |method: &str, params: &str| {
            ask(&format!(r#"{{"jsonrpc":"2.0","id":"a","method":"{method}","params":{params}}}"#))
        };
        let answer = call("number.divide", r#"{"number":8,"by":2}"#);
        assert_eq!(answer, json!({"jsonrpc": "2.0", "id": "a", "result": 104}));
        let fails = |method: &str, params: &str| failure(call(method, params));
        let failed = |code: i64, kind: &str, message: &str| (code, kind.to_owned(), message.to_owned());
        assert_eq!(fails("number.divide", r#"{"number":8,"by":0}"#), failed(-32009, "conflict", "by nothing"));
        assert_eq!(fails("number.broken", "null"), failed(-32000, "failed", "it went wrong: a reason"));
        assert_eq!(fails("number.broken", r#"{"what":"ever"}"#).0, -32602);
        let unknown = "there is no method number.add; rpc.discover lists all";
        assert_eq!(fails("number.add", "{}"), failed(-32601, "unknown-method", unknown));
    }

    #[test]
    fn wrong_parameters_are_named() {
        for (params, named) in [
            (r#"{"number":8}"#, "missing field `by`"),
            (r#"{"number":8,"by":2,"to":3}"#, "unknown field `to`"),
            (r#"{"number":"8","by":2}"#, "invalid type: string \"8\""),
            ("7", "by name"),
            ("[8,2]", "by name"),
            ("null", "missing field"),
        ] {
            let (code, kind, message) =
                failure(ask(&format!(r#"{{"jsonrpc":"2.0","id":1,"method":"number.divide","params":{params}}}"#)));
            assert_eq!((code, kind.as_str()), (-32602, "usage"), "{params}");
            assert!(message.contains(named), "{params}: {message}");
        }
    }

    #[test]
    fn what_is_no_request_is_answered() {
        assert_eq!(ask("{oops")["id"], Value::Null);
        assert_eq!(failure(ask("{oops")).0, -32700);
        for call in [
            "7",
            "null",
            "{}",
            "[]",
            r#"{"jsonrpc":"2.0","id":1}"#,
            r#"{"jsonrpc":"1.0","id":1,"method":"number.broken"}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":{}}"#,
            r#"{"jsonrpc":"2.0","id":{},"method":"number.broken"}"#,
            r#"{"jsonrpc":"2.0","id":true,"method":"number.broken"}"#,
        ] {
            assert_eq!(failure(ask(call)).0, -32600, "{call}");
        }
        let many = format!("[{}]", vec!["1"; BATCH_MAX + 1].join(","));
        assert_eq!(
            failure(ask(&many)),
            (-32600, "invalid-request".into(), "a batch has 1 to 50 calls; this one has 51".into())
        );
    }

    #[test]
    fn notifications_are_not_answered_and_batches_are_in_order() {
        let half =
            |id: &str| format!(r#"{{"jsonrpc":"2.0"{id},"method":"number.divide","params":{{"number":8,"by":2}}}}"#);
        assert_eq!(asked(&half("")), None);
        assert_eq!(asked(&format!("[{}]", half(""))), None);
        assert_eq!(ask(&half(r#","id":null"#))["result"], 104);
        let batch = ask(&format!("[{},{},7,{}]", half(r#","id":1"#), half(""), half(r#","id":"b""#)));
        let ids: Vec<_> = batch.as_array().expect("a batch").iter().map(|answer| answer["id"].clone()).collect();
        assert_eq!(ids, [json!(1), Value::Null, json!("b")]);
        assert_eq!(batch[1]["error"]["code"], -32600);
    }

    #[test]
    fn the_answers_of_a_batch_are_bounded_and_small_ones_always_come() {
        let write = |id: usize, bytes: usize| {
            format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"text.write","params":{{"bytes":{bytes}}}}}"#)
        };
        let batch = |calls: &[usize]| {
            let calls: Vec<_> = calls.iter().enumerate().map(|(id, bytes)| write(id, *bytes)).collect();
            let text = format!("[{}]", calls.join(","));
            let text =
                futures::executor::block_on(answer(&TABLE, &100, text.as_bytes(), &LetsInfo)).expect("answers").text;
            let answers: Vec<Value> = serde_json::from_str(&text).expect("JSON");
            assert_eq!(answers.len(), calls.len());
            for (id, answer) in answers.iter().enumerate() {
                assert_eq!(answer["id"], id, "each has its place");
            }
            (text.len(), answers)
        };
        let (bytes, answers) = batch(&[1 << 20; 50]);
        assert!(bytes <= BATCH_ANSWERS_MAX + 50 * 300, "{bytes}");
        let given = answers.iter().filter(|answer| answer.get("result").is_some()).count();
        assert_eq!(given, 7, "and each has its envelope");
        let said = failure(answers[49].clone());
        assert!(
            said.0 == -32600 && said.2.contains("8 MiB together") && said.2.ends_with("call it by itself"),
            "{said:?}"
        );
        // What was done is said, if it can be said shortly.
        let (_, answers) = batch(&[&[BATCH_ANSWERS_MAX - SMALL_ANSWER - 100, 1 << 20][..], &[1000; 40]].concat());
        assert!(failure(answers[1].clone()).2.contains("though the call was made"));
        assert!(answers[2..].iter().all(|answer| answer.get("result").is_some()));
    }

    #[test]
    fn who_may_not_call_is_told_so() {
        let answer = asked_on(1, r#"{"jsonrpc":"2.0","id":1,"method":"number.broken"}"#).expect("an answer");
        assert_eq!(answer["error"]["data"], json!({"kind": "too-many", "retryAfter": 7}));
    }
}
