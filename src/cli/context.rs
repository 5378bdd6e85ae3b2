//! What commands share: the home, its settings, the node that runs on it.

use crate::{
    config::Config,
    rpc::{
        client::Client,
        control::{Failure, Kind},
    },
};
use std::path::PathBuf;

/// What commands share.
#[derive(Debug)]
pub struct Context {
    pub home: PathBuf,
    pub json: bool,
    pub flags: Vec<(String, String)>,
}

impl Context {
    /// Settings from file, environment and options (those of the command last).
    pub fn config(&self, more: &[(String, String)]) -> Result<Config, Failure> {
        let flags = [&self.flags, more].concat();
        // What is not text is no setting of ours.
        let vars = std::env::vars_os().filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?)));
        Ok(Config::load(&self.home, vars, &flags)?)
    }

    /// The running node of this home.
    pub fn client(&self) -> Result<Client, Failure> {
        Ok(Client::new(&self.home, &self.config(&[])?.rpc.socket))
    }

    /// A command to print as the next step: for the same home as this one, quoted for a shell.
    pub fn next(&self, command: &str) -> String {
        let is_default = home(None).is_ok_and(|default| default == self.home);
        let option =
            if is_default { String::new() } else { format!(" --home {}", quoted(&self.home.to_string_lossy())) };
        format!("toft {command}{option}")
    }
}

/// The home that is meant: the one given, else `.toft` in the user's own folder.
pub fn home(given: Option<PathBuf>) -> Result<PathBuf, Failure> {
    let home = match given {
        Some(home) => home,
        None => std::env::home_dir()
            .ok_or_else(|| {
                Failure::new(Kind::Usage, "there is no home folder to put .toft into: give one with --home")
            })?
            .join(".toft"),
    };
    std::path::absolute(&home).map_err(|e| Failure::new(Kind::Usage, format!("--home {}: {e}", home.display())))
}

/// `section.key=value`.
pub fn pair(text: &str) -> Result<(String, String), Failure> {
    let usage = || Failure::new(Kind::Usage, format!("--set {text}: write it as section.key=value"));
    let (path, value) = text.split_once('=').ok_or_else(usage)?;
    Ok((path.trim().to_owned(), value.to_owned()))
}

/// A word as a shell reads it.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:,@%=".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}
