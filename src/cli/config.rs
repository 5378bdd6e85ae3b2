//! `toft config show | check | schema`.

use super::{context::Context, output::Output};
use crate::{
    config::{self, Config},
    rpc::control::Failure,
};
use anyhow::Context as _;
use serde_json::json;

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Show the settings in force (file, environment, options).
    Show {
        /// The shipped defaults with their comments instead.
        #[arg(long)]
        default: bool,
    },
    /// Check node.toml and the environment.
    Check,
    /// JSON Schema of node.toml.
    Schema,
}

pub fn run(context: &Context, command: &Command) -> Result<Output, Failure> {
    match command {
        Command::Show { default: true } => {
            let json =
                serde_json::to_value(Config::default()).context("the defaults as JSON").map_err(Failure::from)?;
            Ok(Output::new(json, config::DEFAULT))
        }
        Command::Show { default: false } => {
            let config = context.config(&[])?;
            let json = serde_json::to_value(config.shown()?).context("the settings as JSON").map_err(Failure::from)?;
            Ok(Output::new(json, config.show()?))
        }
        Command::Check => {
            context.config(&[])?;
            let file = context.home.join(config::FILE);
            Ok(Output::new(json!({"ok": true, "file": file}), format!("✓ {} is fine", file.display())))
        }
        Command::Schema => {
            let schema = Config::schema();
            let text = serde_json::to_string_pretty(&schema).context("the schema as text").map_err(Failure::from)?;
            Ok(Output::new(schema, text))
        }
    }
}
