//! The node's control socket, spoken to as any program can: HTTP by hand.

use super::toft::Home;
use serde_json::{Value, json};
use std::{
    io::{Read as _, Write as _},
    os::unix::net::UnixStream,
    path::PathBuf,
};

/// The socket of a node.
#[derive(Debug, Clone)]
pub struct Control(PathBuf);

/// Why a call failed: its code, and what it says.
#[derive(Debug, Clone, PartialEq)]
pub struct Failed {
    pub code: i64,
    pub kind: String,
    pub message: String,
}

impl Control {
    pub fn of(home: &Home) -> Self {
        Self(home.path().join("rpc.sock"))
    }

    /// Calls a method; its result.
    #[track_caller]
    pub fn call(&self, method: &str, params: Value) -> Value {
        self.ask(method, params.clone()).unwrap_or_else(|failed| panic!("{method} {params}: {failed:?}"))
    }

    /// Calls a method; why it failed.
    #[track_caller]
    pub fn fails(&self, method: &str, params: Value) -> Failed {
        let answer = self.ask(method, params.clone());
        answer.expect_err(&format!("{method} {params} failed"))
    }

    pub fn ask(&self, method: &str, params: Value) -> Result<Value, Failed> {
        let call = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        let (status, body) = self.send("POST", "/rpc", call.to_string().as_bytes());
        assert_eq!(status, 200, "{}", String::from_utf8_lossy(&body));
        let mut answer: Value = serde_json::from_slice(&body).expect("JSON");
        match answer.get("error") {
            Some(error) => Err(failed(error)),
            None => Ok(answer["result"].take()),
        }
    }

    /// One request: its status and body.
    pub fn send(&self, verb: &str, path: &str, body: &[u8]) -> (u16, Vec<u8>) {
        let mut stream = UnixStream::connect(&self.0).expect("connects");
        // 1.0: the answer ends with the connection.
        let head = format!(
            "{verb} {path} HTTP/1.0\r\nhost: toft\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).expect("sends");
        let _ = stream.write_all(body); // who is refused early need not be heard to the end
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("answers");
        let end = answer.windows(4).position(|four| four == b"\r\n\r\n").expect("a head");
        let head = String::from_utf8_lossy(&answer[..end]);
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status");
        (status, answer.split_off(end + 4))
    }
}

/// `error` of an answer.
pub fn failed(error: &Value) -> Failed {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    Failed {
        code: error["code"].as_i64().expect("a code"),
        kind: text(&error["data"]["kind"]),
        message: text(&error["message"]),
    }
}
