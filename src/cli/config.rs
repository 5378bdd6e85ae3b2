//! `toft config show | check | schema | set`.

use super::{context::Context, output::Output};
use crate::{
    config::{self, Config},
    rpc::control::{Failure, config as control},
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
    /// Change one setting in node.toml, by the running node; it says whether that counts at once or from its next start on.
    Set {
        /// Such as log.level.
        #[arg(value_name = "SECTION.KEY")]
        key: String,
        value: String,
    },
}

pub async fn run(context: &Context, command: &Command) -> Result<Output, Failure> {
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
        Command::Set { key, value } => {
            let change = control::Change { key: key.clone(), value: value.clone().into() };
            let changed = context.client()?.call::<control::Set>(&change).await?;
            let mut text = format!("✓ {key} is changed in {}; it counts {}", changed.file.display(), changed.effect);
            if let Some(variable) = &changed.overridden_by {
                text += &format!("\n! The environment variable {variable} counts more: unset it");
            }
            Output::told(&changed, text)
        }
        Command::Schema => {
            let schema = Config::schema();
            let text = serde_json::to_string_pretty(&schema).context("the schema as text").map_err(Failure::from)?;
            Ok(Output::new(schema, text))
        }
    }
}
