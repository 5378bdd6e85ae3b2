//! `[hooks]`: which programs, and how far each may go.

use crate::{bounds, span::Span};
use anyhow::{Error, bail};
use serde::{Deserialize, Serialize};
use std::{path::Path, time::Duration};

#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Hooks")]
pub struct Config {
    /// Program (an absolute path) and its arguments, which says whether the consignment of an RGB transfer is good. Empty: none is set.
    pub rgb_validator: Vec<String>,
    /// How long a hook may take.
    pub timeout: Span,
    /// Seconds of processor time of each of its processes.
    pub cpu: u64,
    /// Bytes of memory (address space) of each of its processes.
    pub memory: u64,
    /// Bytes of a file that it writes.
    pub file_size: u64,
    /// Processes and threads that it may have.
    pub processes: u32,
    /// Hooks that run at the same time.
    pub at_once: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            rgb_validator: Vec::new(),
            timeout: Span(Duration::from_secs(30)),
            cpu: 20,
            memory: 1 << 30,
            file_size: 256 << 20,
            processes: 64,
            at_once: 4,
        }
    }
}

impl Config {
    pub fn check(&self) -> Result<(), Error> {
        check_command("hooks.rgb_validator", &self.rgb_validator)?;
        let timeout = self.timeout.0.as_millis();
        if !(100..=600_000).contains(&timeout) && !bounds::is_beyond() {
            bail!("hooks.timeout: it must be from 100ms to 10m; a bound cannot be turned off");
        }
        bounds::check("hooks.cpu", self.cpu, 1..=600)?;
        bounds::check("hooks.memory", self.memory, 16 << 20..=64 << 30)?;
        bounds::check("hooks.file_size", self.file_size, 1 << 10..=64 << 30)?;
        bounds::check("hooks.processes", self.processes, 1..=4096)?;
        bounds::check("hooks.at_once", self.at_once, 1..=64)
    }
}

/// A hook starts in a folder of its own and finds nothing by its environment.
fn check_command(key: &str, command: &[String]) -> Result<(), Error> {
    match command.first() {
        Some(program) if !Path::new(program).is_absolute() => {
            bail!(
                "{key}: `{program}` is no absolute path; write the program's whole path, such as \"/usr/local/bin/check\""
            )
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_meant_is_said() {
        assert!(Config::default().check().is_ok());
        let with = |change: fn(&mut Config)| {
            let mut config = Config::default();
            change(&mut config);
            config.check().expect_err("wrong").to_string()
        };
        for (said, change) in [
            (
                "hooks.rgb_validator: `check` is no absolute path",
                (|c| c.rgb_validator = vec!["check".into()]) as fn(&mut Config),
            ),
            ("hooks.timeout", |c| c.timeout = Span(Duration::ZERO)),
            ("hooks.cpu = 0", |c| c.cpu = 0),
            ("hooks.memory = 1", |c| c.memory = 1),
            ("hooks.file_size = 0", |c| c.file_size = 0),
            ("hooks.processes = 0", |c| c.processes = 0),
            ("hooks.at_once = 0", |c| c.at_once = 0),
        ] {
            let error = with(change);
            assert!(error.contains(said), "{error}");
        }
    }
}
