//! What a command prints: for people, or with `--json` for scripts. Nobody else writes to the terminal, but for bytes (`file`).

use crate::{foreign, rpc::control::Kind};
use serde_json::Value;
use std::io::Write as _;

/// What a command did: for scripts and for people.
#[derive(Debug)]
pub struct Output {
    pub json: Value,
    pub text: String,
    /// It did what it was asked to, and what it found is no success.
    pub failed: bool,
}

impl Output {
    pub fn new(json: Value, text: impl Into<String>) -> Self {
        Self { json, text: text.into(), failed: false }
    }

    /// What the node has answered, and for people what `describe` makes of it: it gets texts that are to be shown.
    pub fn of(json: Value, describe: impl FnOnce(&Value) -> String) -> Self {
        let text = describe(&foreign::value(&json));
        Self::new(json, text)
    }

    /// The same, with exit code 1 where `failed`.
    pub fn failed_if(self, failed: bool) -> Self {
        Self { failed, ..self }
    }
}

pub fn print(json: bool, output: &Output) {
    let text = if json { foreign::json(&output.json.to_string()) } else { output.text.trim_end().to_owned() };
    if !text.is_empty() {
        say(&text); // no lines are no line
    }
}

/// Lines on standard output. Whatever is in them, they mean nothing else to a terminal.
pub fn say(text: &str) {
    // A closed pipe (`toft … | head`) is the reader's choice, no failure of the command.
    let mut out = std::io::stdout();
    let _ = writeln!(out, "{}", foreign::lines(text)).and_then(|()| out.flush());
}

/// Lines beside the output: a program may be reading that.
pub fn aside(text: &str) {
    let _ = writeln!(std::io::stderr(), "{}", foreign::lines(text));
}

/// The exit code, as scripts know it.
pub fn code(kind: Kind) -> u8 {
    match kind {
        Kind::Failed => 1,
        Kind::Usage => 2,
        Kind::NotFound => 3,
        Kind::Denied => 4,
        Kind::Conflict => 5,
        Kind::Network => 6,
        Kind::Pending => 7,
    }
}

/// `1234567` → `1.2 MB`.
pub fn bytes(n: u64) -> String {
    const UNITS: [&str; 5] = ["B", "kB", "MB", "GB", "TB"];
    let (mut value, mut unit) = (n as f64, 0);
    while value >= 1000.0 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    if unit == 0 { format!("{n} B") } else { format!("{value:.1} {}", UNITS[unit]) }
}
