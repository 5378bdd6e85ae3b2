//! What a command prints: text for people, or JSON for scripts (`--json`). Only this file and `file` (for bytes) write to the terminal.

use crate::{
    foreign,
    rpc::control::{Failure, Kind},
};
use anyhow::Context as _;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use std::io::Write as _;

/// What a command did: for scripts and for people.
#[derive(Debug)]
pub struct Output {
    pub json: Value,
    pub text: String,
    /// The command ran, and what it found is no success: the exit code is of this.
    pub failed: Option<Kind>,
}

impl Output {
    pub fn new(json: Value, text: impl Into<String>) -> Self {
        Self { json, text: text.into(), failed: None }
    }

    /// A result, and what people are told.
    pub fn told(result: &impl Serialize, text: impl Into<String>) -> Result<Self, Failure> {
        Ok(Self::new(serde_json::to_value(result).context("the result as JSON")?, text))
    }

    /// A result, and for people what `describe` makes of it: it gets texts that are fit to be shown.
    pub fn of<T: Serialize + DeserializeOwned>(
        result: &T,
        describe: impl FnOnce(&T) -> String,
    ) -> Result<Self, Failure> {
        let json = serde_json::to_value(result).context("the result as JSON")?;
        let shown = serde_json::from_value(foreign::value(&json)).context("the result as it is shown")?;
        Ok(Self::new(json, describe(&shown)))
    }

    /// The same, with exit code 1 where `failed`.
    pub fn failed_if(self, failed: bool) -> Self {
        Self { failed: failed.then_some(Kind::Failed), ..self }
    }

    /// The same, with the exit code of `kind`.
    pub fn failed_as(self, kind: Kind) -> Self {
        Self { failed: Some(kind), ..self }
    }
}

pub fn print(json: bool, output: &Output) {
    let text = if json { foreign::json(&output.json.to_string()) } else { output.text.trim_end().to_owned() };
    if !text.is_empty() {
        say(&text); // no lines are no line
    }
}

/// Lines on standard output. Control characters in them are escaped.
pub fn say(text: &str) {
    // A closed pipe (`toft … | head`) is the reader's choice, no failure of the command.
    let mut out = std::io::stdout();
    let _ = writeln!(out, "{}", foreign::lines(text)).and_then(|()| out.flush());
}

/// Lines on standard error, because a program may be reading the output.
pub fn aside(text: &str) {
    let _ = writeln!(std::io::stderr(), "{}", foreign::lines(text));
}

/// The exit code, as scripts know it.
pub fn code(kind: Kind) -> u8 {
    match kind {
        Kind::Failed => 1,
        Kind::Usage | Kind::Parse | Kind::InvalidRequest | Kind::UnknownMethod => 2,
        Kind::NotFound => 3,
        Kind::Denied | Kind::Unauthorized | Kind::Locked => 4,
        Kind::Conflict => 5,
        Kind::Network => 6,
        Kind::Pending | Kind::TooMany => 7,
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
