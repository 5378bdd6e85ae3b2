//! `[remote]` in `node.toml`.

use crate::span::Span;
use anyhow::Error;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How this node keeps in step with other DWN servers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// How often a DWN server is asked what is new there: "1s" to "1d". What is written here goes there at once.
    pub every: Span,
}

impl Default for Config {
    fn default() -> Self {
        Self { every: Span(Duration::from_secs(30)) }
    }
}

impl Config {
    pub fn check(&self) -> Result<(), Error> {
        let Span(every) = self.every;
        if !(Duration::from_secs(1)..=Duration::from_secs(86_400)).contains(&every) {
            anyhow::bail!("remote.every = \"{}\": it must be from 1s to 1d", self.every);
        }
        Ok(())
    }
}
