//! The npm DWN SDK as a client, driven line by line.

use super::fetched;
use serde_json::{Value, json};
use std::{
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::OnceLock,
};

static FOLDER: OnceLock<PathBuf> = OnceLock::new();

/// Where the SDK is, below `node_modules`, with the programs beside it.
pub fn folder() -> &'static Path {
    fetched("fetch-sdk", &FOLDER)
}

/// A running `tests/interop/client.mjs`.
#[derive(Debug)]
pub struct Sdk {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Sdk {
    pub fn start() -> Self {
        let folder = folder();
        let mut child = Command::new("node")
            .args(["--no-warnings", "client.mjs"])
            .current_dir(folder)
            .env("HOME", folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("node runs (install node 18 to 21)");
        let input = child.stdin.take().expect("piped");
        let output = BufReader::new(child.stdout.take().expect("piped"));
        Self { child, input, output }
    }

    /// One command: `op` and its fields. Panics when the SDK itself fails.
    #[track_caller]
    pub fn call(&mut self, op: &str, mut fields: Value) -> Value {
        fields["op"] = json!(op);
        writeln!(self.input, "{fields}").expect("the client reads");
        let mut line = String::new();
        self.output.read_line(&mut line).expect("the client answers");
        let answer: Value = serde_json::from_str(&line).unwrap_or_else(|e| panic!("the client said {line:?}: {e}"));
        assert!(answer["failed"].is_null(), "{op}: {}", answer["failed"]);
        answer
    }

    /// A new identity; returns its DID.
    #[track_caller]
    pub fn persona(&mut self, name: &str, kind: &str) -> String {
        self.call("persona", json!({"name": name, "kind": kind}))["did"].as_str().expect("a DID").to_owned()
    }
}

impl Drop for Sdk {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs another of the programs beside the client to its end; what it printed.
pub fn program(name: &str, args: &[&str]) -> String {
    let folder = folder();
    let output = Command::new("node").args(["--no-warnings", name]).args(args).current_dir(folder).output();
    let output = output.expect("node runs (install node 18 to 21)");
    // A program that was killed has said less than it would have.
    assert!(output.status.code().is_some(), "{name}: {}", output.status);
    [output.stdout, output.stderr].iter().map(|bytes| String::from_utf8_lossy(bytes)).rev().collect()
}

/// The status code inside a reply.
#[track_caller]
pub fn code(reply: &Value) -> u64 {
    reply["status"]["code"].as_u64().unwrap_or_else(|| panic!("no status in {reply}"))
}
