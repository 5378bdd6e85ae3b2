//! The definition that a command is about: a file, or one that comes with toft.

use crate::rpc::control::{Failure, Kind, shipped};
use serde_json::{Map, Value};
use std::{
    io::Read as _,
    path::{Path, PathBuf},
};

/// A definition is a message's greatest part, and a schema is no larger.
const TEXT_MAX: u64 = 1 << 20;

#[derive(Debug, clap::Args)]
pub struct File {
    /// File with the definition as JSON; - reads standard input. Or the name of one that comes with toft, as profile.
    #[arg(value_name = "FILE|NAME")]
    pub file: PathBuf,
}

/// The name, if it is of one that comes with toft. A file of that name goes before.
pub fn shipped_name(file: &Path) -> Option<&str> {
    file.to_str().filter(|name| !file.exists() && shipped::named(name).is_some())
}

pub fn definition(file: &Path) -> Result<Map<String, Value>, Failure> {
    if let Some(shipped) = shipped_name(file).and_then(shipped::named) {
        return Ok(shipped);
    }
    let read = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::NotFound => {
            wrong(file, format!("{error}; and none of these comes with toft: {}", shipped::names()))
        }
        _ => wrong(file, error.to_string()),
    };
    parsed(file, &text(file).map_err(read)?, "a protocol's definition")
}

/// `what` stands in a file, or comes on the standard input.
pub fn object(file: &Path, what: &str) -> Result<Map<String, Value>, Failure> {
    parsed(file, &text(file).map_err(|error| wrong(file, error.to_string()))?, what)
}

fn parsed(file: &Path, text: &str, what: &str) -> Result<Map<String, Value>, Failure> {
    serde_json::from_str(text).map_err(|e| wrong(file, format!("{what} is a JSON object: {e}")))
}

/// What stands in a file, or comes on the standard input.
pub fn text(file: &Path) -> Result<String, std::io::Error> {
    let mut text = String::new();
    match file.as_os_str() == "-" {
        true => std::io::stdin().take(TEXT_MAX).read_to_string(&mut text),
        false => std::fs::File::open(file).and_then(|opened| opened.take(TEXT_MAX).read_to_string(&mut text)),
    }?;
    Ok(text)
}

pub fn wrong(file: &Path, why: String) -> Failure {
    Failure::new(Kind::Usage, format!("{}: {why}", file.display()))
}
